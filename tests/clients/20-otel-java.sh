#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 20-otel-java.sh -- the unmodified OpenTelemetry Java SDK sends three signals over TLS, plain and as chunked gzip; each record is read back
# by two decoders; after an outage nothing is lost, and nothing twice (P21)
. "${0%/*}/lib.sh"
. "$CLIENTS/sdk.sh"
need broker postgres python-otel
programs java
sdk_broker
gateway kafka.ack_deadline=3s

send_java() { otel_env "${@:2}" timeout 150 java -cp "$JAVA/classes:$JAVA/lib/*" OtelSend "$1" 2>>"$T/send.log"; }
SDK_OWN_ORDER='traces metrics logs' sdk_way java
sdk_refused java
expect_err 'mod=(sink_kafka|topics)'
# A time-out is of all tries together.
sdk_outage java OTEL_EXPORTER_OTLP_TIMEOUT=100000 OTEL_EXPORTER_OTLP_COMPRESSION=gzip
finish
