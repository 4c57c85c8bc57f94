#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 22-otel-go.sh -- the unmodified OpenTelemetry Go SDK sends three signals over TLS, plain and as chunked gzip; each record is read back by
# two decoders; after an outage nothing is lost, and nothing twice (P21)
. "${0%/*}/lib.sh"
. "$CLIENTS/sdk.sh"
need broker postgres python-otel
programs otelsend
sdk_broker
gateway kafka.ack_deadline=3s

send_go() { otel_env "${@:2}" timeout 150 "$OTELSEND/otelsend" "$1" 2>>"$T/send.log"; }
SDK_OWN_ORDER=metrics sdk_way go
sdk_refused go
expect_err 'mod=(sink_kafka|topics)'
# A time-out is of all tries together.
sdk_outage go OTEL_EXPORTER_OTLP_TIMEOUT=100000 OTEL_EXPORTER_OTLP_COMPRESSION=gzip
finish
