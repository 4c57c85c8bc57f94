# SPDX-License-Identifier: Apache-2.0
"""send.py RUN -- the unmodified OpenTelemetry Python SDK sends two spans, a counter, a histogram and two logs, each with RUN in its name.

By the protobuf exporters of all three signals. Where to, whom to trust and who we are comes from the standard variables
(OTEL_EXPORTER_OTLP_ENDPOINT, _CERTIFICATE, _HEADERS, _COMPRESSION). It prints a line for each signal, "traces ok" or "traces failed:
why", and ends with status 1 if one failed. HEADGATE_SIGNALS: only these, by commas.
"""
import logging
import os
import sys

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

RUN = sys.argv[1]
RESOURCE = Resource.create({
    "service.name": "sender-python",
    "way.run": RUN,
    "tenant_id": "forged-by-the-client",  # must not survive
})


def watched(exporter, results):
    """force_flush() says True after a failed export too, so the exporter's own word is kept."""
    send = exporter.export

    def export(*arguments, **named):
        result = send(*arguments, **named)
        results.append(result.name)
        return result

    exporter.export = export
    return exporter


def send_traces(results):
    provider = TracerProvider(resource=RESOURCE)
    provider.add_span_processor(BatchSpanProcessor(watched(OTLPSpanExporter(), results)))
    tracer = provider.get_tracer("send.py", "1")
    for i in range(2):
        with tracer.start_as_current_span(f"{RUN}-span-{i}") as span:
            span.set_attributes({"number": i, "text": "grüß", "list": ["a", "b"]})
            span.add_event("half-way")
    provider.force_flush()
    provider.shutdown()


def send_metrics(results):
    reader = PeriodicExportingMetricReader(watched(OTLPMetricExporter(), results), export_interval_millis=3_600_000)
    provider = MeterProvider(resource=RESOURCE, metric_readers=[reader])
    meter = provider.get_meter("send.py", "1")
    meter.create_counter(f"{RUN}-counter").add(7, {"kind": "one"})
    meter.create_histogram(f"{RUN}-histogram").record(0.25, {"kind": "one"})
    provider.force_flush()
    provider.shutdown()


def send_logs(results):
    provider = LoggerProvider(resource=RESOURCE)
    provider.add_log_record_processor(BatchLogRecordProcessor(watched(OTLPLogExporter(), results)))
    logger = provider.get_logger("send.py", "1")
    for i in range(2):
        logger.emit(LogRecord(timestamp=1_700_000_000_000_000_000, severity_number=SeverityNumber.INFO, severity_text="INFO",
                              body=f"{RUN}-log-{i}", attributes={"number": i}))
    provider.force_flush()
    provider.shutdown()


SENDERS = {"traces": send_traces, "metrics": send_metrics, "logs": send_logs}


def main():
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    status = 0
    for signal in os.environ.get("HEADGATE_SIGNALS", "traces,metrics,logs").split(","):
        results = []
        SENDERS[signal](results)
        if results and set(results) == {"SUCCESS"}:
            print(f"{signal} ok", flush=True)
        else:
            print(f"{signal} failed: {','.join(results) or 'nothing was exported'}", flush=True)
            status = 1
    sys.exit(status)


if __name__ == "__main__":
    main()
