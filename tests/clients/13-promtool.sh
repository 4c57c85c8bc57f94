#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 13-promtool.sh -- promtool pushes a 1.0 body; under the type of 2.0, as its option makes it, the same body is refused
. "${0%/*}/lib.sh"
need kafka postgres
programs prometheus
gateway

cat >"$T/http.yml" <<EOF
authorization: {credentials_file: $T/token}
tls_config: {ca_file: $CA}
EOF
cat >"$T/push" <<EOF
# HELP pushed_total What promtool pushes.
# TYPE pushed_total counter
pushed_total{kind="one"} 7
# TYPE pushed gauge
pushed{tenant_id="forged"} 0.25
EOF
push() { "$PROMETHEUS/promtool" push metrics --http.config.file="$T/http.yml" --label=job=tool "$@" "$URL" "$T/push"; }

ok "1.0 is accepted" push
records "$WRITE_TOPIC" >"$T/records"
is "one record holds it" "$(wc -l <"$T/records")" 1
python3 "$CLIENTS/remote_write.py" <"$T/records" | jq -c '[.labels, [.samples[][0]]]' | sort >"$T/read"
is "with our tenant alone, in sorted place" "$(cat "$T/read")" \
	'[[["__name__","pushed"],["job","tool"],["tenant_id","acme"]],[0.25]]
[[["__name__","pushed_total"],["job","tool"],["kind","one"],["tenant_id","acme"]],[7]]'

# P16 with an unmodified sender
ok "a 1.0 body under the type of 2.0 is refused" fails push --protobuf_message=io.prometheus.write.v2.Request
like "promtool is told 400, and why" "$(cat "$T/.output")" '400 Bad Request'
is "nothing of it is stored" "$(record_count "$WRITE_TOPIC") $(record_count "$WRITE2_TOPIC")" "1 0"
is "the metric says so too" "$(metric requests_total '{route="remote_write",code="400"}')" 1
finish
