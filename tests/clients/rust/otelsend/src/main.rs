// SPDX-License-Identifier: Apache-2.0

//! otelsend RUN -- the unmodified OpenTelemetry Rust SDK sends two spans, a counter, a histogram and two logs, each with RUN in its name,
//! by the HTTP exporters of all three signals. Where to, who we are and in which form comes from the standard variables
//! (OTEL_EXPORTER_OTLP_ENDPOINT, _HEADERS, _COMPRESSION, _PROTOCOL: http/protobuf or http/json), whom to trust from SSL_CERT_FILE. It
//! prints a line for each signal, "traces ok" or "traces failed: why", and ends with status 1 if one failed. HEADGATE_SIGNALS: only
//! these, by commas.

use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use opentelemetry::logs::{LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::{Span, Tracer, TracerProvider};
use opentelemetry::{Array, KeyValue, StringValue, Value};
use opentelemetry_otlp::{LogExporter, MetricExporter, SpanExporter};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogBatch, SdkLoggerProvider};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData};
use opentelemetry_sdk::Resource;

type Outcome = Result<(), Box<dyn Error>>;

/// For a last export that is tried again and again: a flush waits 5 s and no more.
const SHUTDOWN: Duration = Duration::from_secs(100);

/// A shutdown says nothing of a failed export, so what the exporter was told is kept here.
#[derive(Clone, Debug, Default)]
struct Told(Arc<Mutex<Option<String>>>);

impl Told {
    fn keep(&self, result: OTelSdkResult) -> OTelSdkResult {
        if let Err(why) = &result {
            *self.0.lock().unwrap() = Some(why.to_string());
        }
        result
    }

    fn outcome(&self) -> Outcome {
        self.0.lock().unwrap().take().map_or(Ok(()), |why| Err(why.into()))
    }
}

#[derive(Debug)]
struct Watched<Exporter>(Exporter, Told);

impl opentelemetry_sdk::trace::SpanExporter for Watched<SpanExporter> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.1.keep(self.0.export(batch).await)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource)
    }
}

impl opentelemetry_sdk::logs::LogExporter for Watched<LogExporter> {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        self.1.keep(self.0.export(batch).await)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource)
    }
}

fn described(run: &str) -> Resource {
    Resource::builder_empty()
        .with_attribute(KeyValue::new("service.name", "sender-rust"))
        .with_attribute(KeyValue::new("way.run", run.to_string()))
        .with_attribute(KeyValue::new("tenant_id", "forged-by-the-client")) // must not survive
        .build()
}

fn send_traces(run: &str) -> Outcome {
    let told = Told::default();
    let exporter = Watched(SpanExporter::builder().with_http().build()?, told.clone());
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(described(run)).build();
    let tracer = provider.tracer("main.rs");
    for i in 0..2 {
        let list = ["a", "b"].map(StringValue::from).to_vec();
        let mut span = tracer.start(format!("{run}-span-{i}"));
        span.set_attributes([
            KeyValue::new("number", i),
            KeyValue::new("text", "grüß"),
            KeyValue::new("list", Value::Array(Array::String(list))),
        ]);
        span.add_event("half-way", vec![]);
        span.end();
    }
    provider.shutdown_with_timeout(SHUTDOWN)?;
    told.outcome()
}

fn send_metrics(run: &str) -> Outcome {
    let exporter = MetricExporter::builder().with_http().build()?;
    let provider = SdkMeterProvider::builder().with_periodic_exporter(exporter).with_resource(described(run)).build();
    let meter = provider.meter("main.rs");
    let kind = [KeyValue::new("kind", "one")];
    meter.u64_counter(format!("{run}-counter")).build().add(7, &kind);
    meter.f64_histogram(format!("{run}-histogram")).build().record(0.25, &kind);
    provider.force_flush()?;
    Ok(provider.shutdown()?)
}

fn send_logs(run: &str) -> Outcome {
    let told = Told::default();
    let exporter = Watched(LogExporter::builder().with_http().build()?, told.clone());
    let provider = SdkLoggerProvider::builder().with_batch_exporter(exporter).with_resource(described(run)).build();
    let logger = provider.logger("main.rs");
    for i in 0..2 {
        let mut record = logger.create_log_record();
        record.set_timestamp(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000));
        record.set_severity_number(Severity::Info);
        record.set_severity_text("INFO");
        record.set_body(format!("{run}-log-{i}").into());
        record.add_attribute("number", i);
        logger.emit(record);
    }
    provider.shutdown_with_timeout(SHUTDOWN)?;
    told.outcome()
}

fn main() {
    let run = std::env::args().nth(1).expect("RUN");
    let signals = std::env::var("HEADGATE_SIGNALS").unwrap_or_else(|_| "traces,metrics,logs".into());
    let mut status = 0;
    for signal in signals.split(',') {
        let outcome = match signal {
            "traces" => send_traces(&run),
            "metrics" => send_metrics(&run),
            "logs" => send_logs(&run),
            other => Err(format!("no such signal: {other}").into()),
        };
        match outcome {
            Ok(()) => println!("{signal} ok"),
            Err(why) => {
                println!("{signal} failed: {}", why.to_string().split_whitespace().collect::<Vec<_>>().join(" "));
                status = 1;
            }
        }
    }
    std::process::exit(status);
}
