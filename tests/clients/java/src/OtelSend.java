// SPDX-License-Identifier: Apache-2.0

import static io.opentelemetry.api.common.AttributeKey.longKey;
import static io.opentelemetry.api.common.AttributeKey.stringArrayKey;
import static io.opentelemetry.api.common.AttributeKey.stringKey;

import io.opentelemetry.api.common.Attributes;
import io.opentelemetry.api.logs.Severity;
import io.opentelemetry.api.metrics.Meter;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.Tracer;
import io.opentelemetry.sdk.OpenTelemetrySdk;
import io.opentelemetry.sdk.autoconfigure.AutoConfiguredOpenTelemetrySdk;
import io.opentelemetry.sdk.common.CompletableResultCode;
import io.opentelemetry.sdk.logs.SdkLoggerProvider;
import io.opentelemetry.sdk.logs.data.LogRecordData;
import io.opentelemetry.sdk.logs.export.LogRecordExporter;
import io.opentelemetry.sdk.metrics.Aggregation;
import io.opentelemetry.sdk.metrics.InstrumentSelector;
import io.opentelemetry.sdk.metrics.InstrumentType;
import io.opentelemetry.sdk.metrics.SdkMeterProvider;
import io.opentelemetry.sdk.metrics.SdkMeterProviderBuilder;
import io.opentelemetry.sdk.metrics.View;
import io.opentelemetry.sdk.metrics.data.AggregationTemporality;
import io.opentelemetry.sdk.metrics.data.MetricData;
import io.opentelemetry.sdk.metrics.export.MetricExporter;
import io.opentelemetry.sdk.trace.SdkTracerProvider;
import io.opentelemetry.sdk.trace.data.SpanData;
import io.opentelemetry.sdk.trace.export.SpanExporter;
import java.time.Instant;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * OtelSend RUN -- the unmodified OpenTelemetry Java SDK sends two spans, a counter, a histogram and two logs, each with RUN in its name, by
 * the protobuf exporters of all three signals. Where to, whom to trust and who we are comes from the standard variables
 * (OTEL_EXPORTER_OTLP_ENDPOINT, _CERTIFICATE, _HEADERS, _COMPRESSION). It prints a line for each signal, "traces ok" or "traces failed:
 * why", and ends with status 1 if one failed. HEADGATE_SIGNALS: only these, by commas.
 */
public final class OtelSend {
	// A flush says that all is well after a failed export too, so what the exporter was told is kept here.
	private static final class Outcome {
		private String failure;
		private boolean sent;

		CompletableResultCode watch(CompletableResultCode result) {
			return result.whenComplete(() -> {
				synchronized (this) {
					sent = sent || result.isSuccess();
					if (!result.isSuccess()) failure = String.valueOf(result.getFailureThrowable());
				}
			});
		}

		synchronized String said() {
			if (failure != null) return "failed: " + failure.replaceAll("\\s+", " ");
			return sent ? "ok" : "failed: nothing was exported";
		}
	}

	private record Spans(SpanExporter to, Outcome outcome) implements SpanExporter {
		@Override public CompletableResultCode export(Collection<SpanData> items) { return outcome.watch(to.export(items)); }
		@Override public CompletableResultCode flush() { return to.flush(); }
		@Override public CompletableResultCode shutdown() { return to.shutdown(); }
	}

	private record Metrics(MetricExporter to, Outcome outcome) implements MetricExporter {
		@Override public CompletableResultCode export(Collection<MetricData> items) { return outcome.watch(to.export(items)); }
		@Override public CompletableResultCode flush() { return to.flush(); }
		@Override public CompletableResultCode shutdown() { return to.shutdown(); }
		@Override public AggregationTemporality getAggregationTemporality(InstrumentType type) { return to.getAggregationTemporality(type); }
	}

	private record Logs(LogRecordExporter to, Outcome outcome) implements LogRecordExporter {
		@Override public CompletableResultCode export(Collection<LogRecordData> items) { return outcome.watch(to.export(items)); }
		@Override public CompletableResultCode flush() { return to.flush(); }
		@Override public CompletableResultCode shutdown() { return to.shutdown(); }
	}

	// The SDK's metrics of itself: how many depends on what went before.
	private static SdkMeterProviderBuilder withoutOwn(SdkMeterProviderBuilder builder) {
		for (String name : List.of("otlp.exporter.*", "processed*", "queueSize")) {
			builder.registerView(InstrumentSelector.builder().setName(name).build(), View.builder().setAggregation(Aggregation.drop()).build());
		}
		return builder;
	}

	private static void await(CompletableResultCode done) {
		done.join(100, TimeUnit.SECONDS);
	}

	private static void sendTraces(SdkTracerProvider provider, String run) {
		Tracer tracer = provider.tracerBuilder("OtelSend").setInstrumentationVersion("1").build();
		for (int i = 0; i < 2; i++) {
			Span span = tracer.spanBuilder(run + "-span-" + i).startSpan();
			span.setAllAttributes(Attributes.of(longKey("number"), (long) i, stringKey("text"), "grüß",
				stringArrayKey("list"), List.of("a", "b")));
			span.addEvent("half-way");
			span.end();
		}
		await(provider.forceFlush());
		await(provider.shutdown());
	}

	private static void sendMetrics(SdkMeterProvider provider, String run) {
		Meter meter = provider.meterBuilder("OtelSend").setInstrumentationVersion("1").build();
		Attributes kind = Attributes.of(stringKey("kind"), "one");
		meter.counterBuilder(run + "-counter").build().add(7, kind);
		meter.histogramBuilder(run + "-histogram").build().record(0.25, kind);
		await(provider.forceFlush());
		await(provider.shutdown());
	}

	private static void sendLogs(SdkLoggerProvider provider, String run) {
		for (int i = 0; i < 2; i++) {
			provider.loggerBuilder("OtelSend").setInstrumentationVersion("1").build().logRecordBuilder()
				.setTimestamp(Instant.ofEpochSecond(1700000000)).setSeverity(Severity.INFO).setSeverityText("INFO")
				.setBody(run + "-log-" + i).setAttribute(longKey("number"), (long) i).emit();
		}
		await(provider.forceFlush());
		await(provider.shutdown());
	}

	public static void main(String[] arguments) {
		String run = arguments[0];
		Map<String, Outcome> outcomes = new LinkedHashMap<>();
		for (String signal : System.getenv().getOrDefault("HEADGATE_SIGNALS", "traces,metrics,logs").split(",")) {
			outcomes.put(signal, new Outcome());
		}
		OpenTelemetrySdk sdk = AutoConfiguredOpenTelemetrySdk.builder().disableShutdownHook()
			.addPropertiesSupplier(() -> Map.of("otel.exporter.otlp.protocol", "http/protobuf", "otel.metric.export.interval", "3600000",
				"otel.metrics.exemplar.filter", "always_off"))
			.addResourceCustomizer((resource, config) -> resource.toBuilder().put("service.name", "sender-java").put("way.run", run)
				.put("tenant_id", "forged-by-the-client").build()) // must not survive
			.addMeterProviderCustomizer((builder, config) -> withoutOwn(builder))
			.addSpanExporterCustomizer((exporter, config) -> new Spans(exporter, outcomes.get("traces")))
			.addMetricExporterCustomizer((exporter, config) -> new Metrics(exporter, outcomes.get("metrics")))
			.addLogRecordExporterCustomizer((exporter, config) -> new Logs(exporter, outcomes.get("logs")))
			.build().getOpenTelemetrySdk();
		int status = 0;
		for (Map.Entry<String, Outcome> each : outcomes.entrySet()) {
			switch (each.getKey()) {
			case "traces" -> sendTraces(sdk.getSdkTracerProvider(), run);
			case "metrics" -> sendMetrics(sdk.getSdkMeterProvider(), run);
			case "logs" -> sendLogs(sdk.getSdkLoggerProvider(), run);
			default -> throw new IllegalArgumentException(each.getKey());
			}
			String said = each.getValue().said();
			System.out.println(each.getKey() + " " + said);
			if (!said.equals("ok")) status = 1;
		}
		System.exit(status);
	}
}
