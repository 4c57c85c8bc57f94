#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 26-otel-outage.sh -- the OpenTelemetry SDKs of JavaScript (JSON and protobuf) and of Python, whose ways are tests/way/11, 12 and 16: after
# an outage nothing is lost, and nothing twice (P21)
. "${0%/*}/lib.sh"
. "$CLIENTS/sdk.sh"
need broker postgres js-otel python-otel
sdk_broker
gateway kafka.ack_deadline=3s

send_js_json() { send_js "$1" OTEL_EXPORTER_OTLP_PROTOCOL=http/json "${@:2}"; }
expect_err 'mod=(sink_kafka|topics)'
# A time-out is of all tries together: milliseconds for one, seconds for the other.
sdk_outage js OTEL_EXPORTER_OTLP_TIMEOUT=100000 OTEL_EXPORTER_OTLP_COMPRESSION=gzip
sdk_outage js_json OTEL_EXPORTER_OTLP_TIMEOUT=100000 OTEL_EXPORTER_OTLP_COMPRESSION=gzip
sdk_outage python OTEL_EXPORTER_OTLP_TIMEOUT=100 OTEL_EXPORTER_OTLP_COMPRESSION=deflate
finish
