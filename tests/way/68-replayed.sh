#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 68-replayed.sh -- requests as Grafana Alloy, Vector and Fluent Bit make them, who cannot be had here: types, codings and credentials by their
# sources (protocols.md 7), with our own bodies, on a native listener and on one of the gateway's dialect; each gets the answer that its sender
# takes for a success, and is the same record as that of any other (D14 in part)
. "${0%/*}/lib.sh"

TOKEN=$(token_new)
tenants_file "acme:$TOKEN"
conf_base local file 1
conf listeners.1.name=gateway listeners.1.listen=127.0.0.1:0 listeners.1.dialect=gateway
headgate_start
known "$TOKEN"
NATIVE=$URL GATEWAY=http://$(listener_address gateway)
for signal in traces metrics logs; do otlp $signal -n 3 -m replayed -o "$T/$signal"; gzip -k "$T/$signal"; zstd -q "$T/$signal"; done
python3 "$WAY/tools/rw.py" "$T/rw"
cp "$(find "$T/rw" -name '204.1.histogram-both')" "$T/write"
python3 "$WAY/tools/loki.py" encode -o "$T/push" '[["{app=\"b\"}",[["1700000000000000000","a line"]]]]'
printf '{"streams":[{"stream":{"app":"b"},"values":[["1700000000000000000","a line"]]}]}' >"$T/push.json"
gzip -k "$T/push.json"
zstd -q "$T/push.json"
KEY=$TOKEN TOKEN=''
BEARER=(-H "Authorization: Bearer $KEY") BASIC=(-u "acme:$KEY") ORG=(-H 'X-Scope-OrgID: acme')
JSON=(-H 'Content-Type: application/json') PROTOBUF=(-H 'Content-Type: application/x-protobuf')
GZIP=(-H 'Content-Encoding: gzip') ZSTD=(-H 'Content-Encoding: zstd') SNAPPY=(-H 'Content-Encoding: snappy')
LOKI=/loki/api/v1/push
# sends SENTENCE STATUS PATH FILE [CURL-OPTION]...	to both listeners; /otlp/... is the gateway's for two signals, and native too
sends()
{
	local each
	for each in NATIVE GATEWAY; do
		is "$1, ${each,,}" "$(URL=${!each} request "$3" "${@:5}" --data-binary "@$T/$4")" "$2"
	done
}
WRITE=(-H 'X-Prometheus-Remote-Write-Version: 0.1.0' "${PROTOBUF[@]}")

# ---- Alloy: prometheus.remote_write, loki.write, otelcol.exporter.otlphttp ----
sends "Alloy: remote_write 1.0" 204 /api/v1/push write -A 'GrafanaAlloy/v1.10.0' "${WRITE[@]}" "${SNAPPY[@]}" "${BEARER[@]}" "${ORG[@]}"
sends "Alloy: remote_write by Basic" 204 /api/v1/push write -A 'GrafanaAlloy/v1.10.0' "${WRITE[@]}" "${SNAPPY[@]}" "${BASIC[@]}" "${ORG[@]}"
sends "Alloy: Loki, its older releases without a coding" 204 $LOKI push -A 'GrafanaAlloy/v1.0.0' "${PROTOBUF[@]}" "${BEARER[@]}" "${ORG[@]}"
sends "Alloy: Loki, snappy" 204 $LOKI push -A 'GrafanaAlloy/v1.10.0' "${PROTOBUF[@]}" "${SNAPPY[@]}" "${BASIC[@]}" "${ORG[@]}"
for signal in traces metrics logs; do
	sends "Alloy: OTLP $signal" 200 "/v1/$signal" "$signal.gz" "${PROTOBUF[@]}" "${GZIP[@]}" "${BEARER[@]}" "${ORG[@]}"
	is "its answer is the empty message of its own type" "$(wc -c <"$T/reply") $(reply_header Content-Type)" "0 application/x-protobuf"
done

# ---- Vector: the probe of its loki sink, then pushes ----
is "Vector: its probe, without a credential" "$(get /ready)" 200
is "of the gateway too" "$(URL=$GATEWAY get /ready)" 200
sends "Vector: Loki, as it is by default" 204 $LOKI push -A 'Vector/0.50.0' "${PROTOBUF[@]}" "${SNAPPY[@]}" "${BEARER[@]}" "${ORG[@]}"
sends "Vector: Loki in JSON" 204 $LOKI push.json -A 'Vector/0.50.0' "${JSON[@]}" "${BASIC[@]}" "${ORG[@]}"
sends "Vector: and gzip" 204 $LOKI push.json.gz -A 'Vector/0.50.0' "${JSON[@]}" "${GZIP[@]}" "${BEARER[@]}" "${ORG[@]}"
sends "Vector: and zstd" 204 $LOKI push.json.zst -A 'Vector/0.50.0' "${JSON[@]}" "${ZSTD[@]}" "${BEARER[@]}" "${ORG[@]}"
sends "Vector: remote_write 1.0" 204 /api/v1/write write -A 'Vector/0.50.0' "${WRITE[@]}" "${SNAPPY[@]}" "${BEARER[@]}" "${ORG[@]}"
gzip -k "$T/write"
sends "Vector: its other codings of remote_write are refused for good" 415 /api/v1/write write.gz "${WRITE[@]}" "${GZIP[@]}" "${BEARER[@]}" "${ORG[@]}"

# ---- Fluent Bit: opentelemetry, loki, prometheus_remote_write ----
for signal in traces metrics logs; do
	sends "Fluent Bit: OTLP $signal" 200 "/v1/$signal" "$signal" -A Fluent-Bit "${PROTOBUF[@]}" "${BEARER[@]}" "${ORG[@]}"
	sends "Fluent Bit: OTLP $signal, zstd" 200 "/v1/$signal" "$signal.zst" -A Fluent-Bit "${PROTOBUF[@]}" "${ZSTD[@]}" "${BASIC[@]}" "${ORG[@]}"
done
sends "Fluent Bit: Loki" 204 $LOKI push.json -A Fluent-Bit "${JSON[@]}" "${BASIC[@]}" "${ORG[@]}"
sends "Fluent Bit: Loki, gzip" 204 $LOKI push.json.gz -A Fluent-Bit "${JSON[@]}" "${GZIP[@]}" "${BEARER[@]}" "${ORG[@]}"
sends "Fluent Bit: remote_write" 204 /api/v1/write write -A Fluent-Bit "${WRITE[@]}" "${SNAPPY[@]}" "${BEARER[@]}" "${ORG[@]}"
sends "Fluent Bit: a type that is wrong is 400, since it repeats all but that" 400 $LOKI push.json -A Fluent-Bit -H 'Content-Type: application/jsonn; x' "${BASIC[@]}" "${ORG[@]}"

# ---- what is stored ----
headgate_stop || fail "headgate ends with status 0" "status $HG_STATUS"
stored >"$T/rows"
values_of() { jq -r --arg topic "$1" 'select(.topic == $topic).value' "$T/rows" | sort | uniq -c | awk '{print $1}' | xargs; }
is "each as the same record: traces" "$(values_of otlp_spans)" 6
is "metrics" "$(values_of otlp_metrics)" 6
is "logs" "$(values_of otlp_logs)" 6
is "remote_write" "$(values_of prom_write)" 8
is "Loki, in protobuf and in JSON" "$(jq -r 'select(.topic == "loki_push")' -c "$T/rows" | python3 "$WAY/tools/loki.py" decode | sort | uniq -c | xargs -d '\n')" \
	'     16 [["{app=\"b\", tenant_id=\"acme\"}",[["1700000000000000000","a line",{}]]]]'
is "all of them the tenant's" "$(jq -r .key "$T/rows" | sort -u)" "$(hex acme)"
finish
