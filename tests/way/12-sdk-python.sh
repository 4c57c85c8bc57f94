#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 12-sdk-python.sh -- the unmodified OpenTelemetry Python SDK sends three signals over TLS; each record is read back by two decoders
. "${0%/*}/lib.sh"
. "$WAY/tools/sdk.sh"
need kafka postgres python-otel

certs
topics 2
tenant_add acme
TOKEN=$(token_add acme)
conf_base tls
headgate_start
known "$TOKEN"

# P21 in its OTLP protobuf part: R1, R3, R4
SDK_CODINGS='none gzip deflate' sdk_way python

# what the SDK is told when it may not
TOKEN=$(token_new)
like "an unknown token is refused" "$(send_python stranger HEADGATE_SIGNALS=logs)" 'logs failed'
is "and stores nothing" "$(records "$LOGS_TOPIC" | grep -c "$(hex stranger)")" 0
finish
