#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 33-kafkareceiver-json.sh -- with protocols.otlp.json: separate an OpenTelemetry Collector reads the topics of JSON with its encoding otlp_json,
# those of protobuf with the default one: each record once and whole, under our tenant, and none on the other topic (R2, R4)
. "${0%/*}/lib.sh"
need broker postgres python-otel js-otel
programs collector

certs
kafka_start own
for each in otlp_{spans,metrics,logs}{,_json}; do topic create "$KAFKA_BROKERS" "$each" 2 || bail "can't create the topic $each"; done
tenant_add acme
conf_base tls
conf protocols.otlp.json=separate protocols.remote_write.enabled=false protocols.loki.enabled=false
headgate_start
TOKEN=$(token_add acme)
known "$TOKEN"
three=$'traces ok\nmetrics ok\nlogs ok'
is "the JavaScript SDK sends JSON" "$(send_js json OTEL_EXPORTER_OTLP_PROTOCOL=http/json)" "$three"
is "compressed too" "$(send_js json-gzip OTEL_EXPORTER_OTLP_PROTOCOL=http/json OTEL_EXPORTER_OTLP_COMPRESSION=gzip)" "$three"
is "and protobuf" "$(send_js proto)" "$three"
mkdir "$T/given"
python3 "$CLIENTS/given.py" "$T/given"
for signal in traces metrics logs; do
	is "$signal of every kind, in JSON" "$(request "/v1/$signal" -H 'Content-Type: application/json' --data-binary "@$T/given/$signal")" 200
done

cat >"$T/collector.yml" <<EOF
receivers:
  kafka: {brokers: ["$KAFKA_BROKERS"], group_id: proto, initial_offset: earliest, message_marking: {after: true}}
  kafka/json:
    brokers: ["$KAFKA_BROKERS"]
    group_id: json
    initial_offset: earliest
    message_marking: {after: true}
    traces: {topics: [otlp_spans_json], encoding: otlp_json}
    metrics: {topics: [otlp_metrics_json], encoding: otlp_json}
    logs: {topics: [otlp_logs_json], encoding: otlp_json}
exporters:
  file/proto: {path: $T/proto.json, flush_interval: 100ms}
  file/json: {path: $T/json.json, flush_interval: 100ms}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
$(for signal in traces metrics logs; do
	echo "    $signal: {receivers: [kafka], exporters: [file/proto]}"
	echo "    $signal/json: {receivers: [kafka/json], exporters: [file/json]}"
done)
EOF
client collector "$COLLECTOR/collector" --config "$T/collector.yml"
wait_until 60s log_of collector 'Everything is ready' || bail "no Collector: $(tail -n 5 "$T/collector/log")"
declare -A SUFFIX=([proto]='' [json]=_json) TYPE=([proto]=application/x-protobuf [json]=application/json)
for form in proto json; do
	for each in otlp_{spans,metrics,logs}${SUFFIX[$form]}; do records "$each"; done >"$T/written"
	is "$form: each record says so" "$(jq -c '.headers | map(select(.[0] == "format" or .[0] == "content-type") | .[1])' "$T/written" | sort -u)" \
		"[\"$(hex otlp_$form)\",\"$(hex "${TYPE[$form]}")\"]"
	count=$(wc -l <"$T/written")
	has_all() { [ "$(wc -l <"$T/$form.json")" = "$count" ]; }
	ok "$form: all $count records are read" wait_until 90s has_all
	"$PYTHON_OTEL" "$CLIENTS/consumed.py" <"$T/written" | sort >"$T/want"
	"$PYTHON_OTEL" "$CLIENTS/consumed.py" "$T/$form.json" | sort >"$T/$form"
	ok "$form: each once, and the content equal" cmp "$T/want" "$T/$form"
	is "$form: under our tenant alone" "$(decoded <"$T/$form" | jq -c .tenants | sort -u)" '["acme"]'
done
items() { decoded <"$T/$1" | jq -r '.items[]' | sort -u | xargs; }
is "what was sent as protobuf is there" "$(items proto)" "$(echo proto-{counter,histogram,log-{0,1},span-{0,1}})"
is "and what was sent as JSON" "$(items json)" \
	"given-log given-span given_gauge given_histogram given_native given_sum $(echo json-{counter,gzip-{counter,histogram,log-{0,1},span-{0,1}},histogram,log-{0,1},span-{0,1}})"
ok "the Collector ends by itself" client_stop collector
is "it had nothing to complain of" "$(complaints)" ''
finish
