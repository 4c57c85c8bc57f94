#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 21-otel-rust.sh -- the unmodified OpenTelemetry Rust SDK sends three signals over TLS, in protobuf and in JSON on several lines, plain, gzip
# and zstd; each record is read back by two decoders; after an outage nothing is lost, and nothing twice (P21)
. "${0%/*}/lib.sh"
. "$CLIENTS/sdk.sh"
need broker postgres python-otel
programs rust
sdk_broker
gateway kafka.ack_deadline=3s

# It takes whom to trust from SSL_CERT_FILE alone.
send_rust()
{
	otel_env SSL_CERT_FILE="$CA" OTEL_EXPORTER_OTLP_TIMEOUT=100000 OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf "${@:2}" \
		timeout 150 "$RUST/otelsend" "$1" 2>>"$T/send.log"
}
send_rust_json() { send_rust "$1" OTEL_EXPORTER_OTLP_PROTOCOL=http/json "${@:2}"; }
SDK_CODINGS='none gzip zstd' sdk_way rust
# Lengths are padded where JSON becomes protobuf.
SDK_CODINGS='none gzip zstd' SDK_OWN_ORDER='traces metrics logs' sdk_way rust_json rust
sdk_refused rust
expect_err 'mod=(sink_kafka|topics)'
sdk_outage rust OTEL_EXPORTER_OTLP_COMPRESSION=zstd
sdk_outage rust_json OTEL_EXPORTER_OTLP_COMPRESSION=gzip
finish
