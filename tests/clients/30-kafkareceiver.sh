#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 30-kafkareceiver.sh -- an OpenTelemetry Collector reads otlp_spans, otlp_metrics and otlp_logs as they are, with its default encodings: each
# record once and whole, and whose it is, in the resource and in the metadata (records.md 1.4)
. "${0%/*}/lib.sh"
need broker postgres python-otel js-otel
programs collector

# ---- what is sent: by the default configuration, to the default topics ----
certs
kafka_start own
declare -A TOPIC=([traces]=otlp_spans [metrics]=otlp_metrics [logs]=otlp_logs)
for each in "${TOPIC[@]}" again-{traces,metrics,logs}; do topic create "$KAFKA_BROKERS" "$each" 3 || bail "can't create the topic $each"; done
tenant_add acme
tenant_add "o'ther_(2)"
conf_base tls
conf protocols.remote_write.enabled=false protocols.loki.enabled=false
headgate_start
TOKEN=$(token_add acme)
known "$TOKEN"
three=$'traces ok\nmetrics ok\nlogs ok'
is "the JavaScript SDK sends protobuf" "$(send_js js-proto OTEL_EXPORTER_OTLP_COMPRESSION=gzip)" "$three"
is "and JSON" "$(send_js js-json OTEL_EXPORTER_OTLP_PROTOCOL=http/json)" "$three"
OTHER=$(token_add "o'ther_(2)")
TOKEN=$OTHER
known "$TOKEN"
is "that of Python sends for another tenant" "$(send_python python OTEL_EXPORTER_OTLP_COMPRESSION=deflate)" "$three"
is "and 200 bodies come besides" "$(load --requests 200 --items 3 --results "$T/sent")" 200:200

mkdir "$T/given"
python3 "$CLIENTS/given.py" "$T/given"
for signal in traces metrics logs; do
	is "the histograms and their like too: $signal" "$(request "/v1/$signal" -H 'Content-Type: application/json' --data-binary "@$T/given/$signal")" 200
done

# ---- the consumer ----
{
	cat <<-EOF
	receivers:
	  kafka: {brokers: ["$KAFKA_BROKERS"], group_id: plain, initial_offset: earliest, message_marking: {after: true}}
	  kafka/headers:
	    brokers: ["$KAFKA_BROKERS"]
	    group_id: headers
	    initial_offset: earliest
	    message_marking: {after: true}
	    header_extraction: {extract_headers: true, headers: [X-Scope-OrgID, tenant_id, signal, format, content-type, headgate-request-id]}
	processors:
	  batch: {timeout: 200ms, metadata_keys: [x-scope-orgid]}
	exporters:
	  file: {path: $T/plain.json, flush_interval: 100ms, append: true}
	  file/headers: {path: $T/headers.json, flush_interval: 100ms}
	  kafka:
	    brokers: ["$KAFKA_BROKERS"]
	    include_metadata_keys: [x-scope-orgid]
	    traces: {topic: again-traces}
	    metrics: {topic: again-metrics}
	    logs: {topic: again-logs}
	service:
	  telemetry: {metrics: {level: none}}
	  pipelines:
	EOF
	for signal in traces metrics logs; do
		echo "    $signal: {receivers: [kafka], exporters: [file]}"
		echo "    $signal/batched: {receivers: [kafka], processors: [batch], exporters: [kafka]}"
		echo "    $signal/headers: {receivers: [kafka/headers], exporters: [file/headers]}"
	done
} >"$T/collector.yml"
consumer_start()
{
	client collector "$COLLECTOR/collector" --config "$T/collector.yml"
	wait_until 60s log_of collector 'Everything is ready' || bail "no Collector: $(tail -n 5 "$T/collector/log")"
}
# consumed NAME	what the Collector wrote there, comparable; written: what lies in the topics
consumed() { "$PYTHON_OTEL" "$CLIENTS/consumed.py" "$T/$1.json" | sort; }
written() { for signal in traces metrics logs; do records "${TOPIC[$signal]}"; done; }
count_written() { echo $(($(record_count otlp_spans) + $(record_count otlp_metrics) + $(record_count otlp_logs))); }
has_all() { [ "$(wc -l <"$T/plain.json") $(wc -l <"$T/headers.json")" = "$1 $1" ]; }

consumer_start
all=$(count_written)
ok "each of the $all records is read by both groups" wait_until 90s has_all "$all"
written >"$T/written"
"$PYTHON_OTEL" "$CLIENTS/consumed.py" <"$T/written" | sort >"$T/want"
consumed plain >"$T/read"
ok "each once, and the content equal" cmp "$T/want" "$T/read"
decoded <"$T/read" >"$T/decoded"
is "each under one tenant alone" "$(jq -c '.tenants | length' "$T/decoded" | sort -u)" 1
items() { jq -r --arg tenant "$1" 'select(.tenants == [$tenant]) | .items[]' | grep -E "^(js|python|given)" | sort -u | xargs; }
is "which has what it sent" "$(items acme <"$T/decoded")" \
	"$(for run in js-json js-proto; do printf '%s ' $run-{counter,histogram,log-{0,1},span-{0,1}}; done | xargs)"
is "and so has the other" "$(items "o'ther_(2)" <"$T/decoded")" \
	"given-log given-span given_gauge given_histogram given_native given_sum python-counter python-histogram python-log-0 python-log-1 python-span-0 python-span-1"
jq -r .value "$T/read" | grep -F "$(hex marker)" | jq -R '{value: .}' -c >"$T/loaded"
is "nothing of the 200 is lost, nothing is there twice" "$(conserved "$T/sent" <"$T/loaded" | jq -c '[.accepted, .lost, .twice, .strange]')" '[200,0,0,0]'
is "their points: a number, a sum, both histograms" "$(jq -c 'select(.items[0] == "given_gauge") | [.points[0], .points[1], .points[2].bucket_counts, .points[3].positive.bucket_counts]' "$T/decoded")" \
	'[0.1,7,["1","2","3"],["3","4"]]'

# ---- whose it is: by the headers of the record ----
is "the receiver finds each header, in its own case" "$(jq -c '(.resourceSpans // .resourceMetrics // .resourceLogs)[0].resource.attributes
	| map(select(.key | startswith("kafka.header.")) | [.key[13:], .value.stringValue]) | map(if .[0] == "headgate-request-id" then [.[0], (.[1] | test("^[0-9a-f]{32}$"))] else . end)
	| sort' "$T/headers.json" | sort -u)" "$(
	for tenant in acme "o'ther_(2)"; do
		for signal in logs metrics traces; do
			jq -cn --arg t "$tenant" --arg s $signal '[["X-Scope-OrgID", $t], ["content-type", "application/x-protobuf"], ["format", "otlp_proto"], ["headgate-request-id", true], ["signal", $s], ["tenant_id", $t]]'
		done
	done | sort)"
# The batches of a Collector, kept apart by that metadata, and written with it by its own exporter.
again()
{
	local signal
	for signal in traces metrics logs; do records again-$signal | jq -c --arg signal "$(hex $signal)" '.headers += [["signal", $signal]]'; done
}
items_again() { again | decoded | jq -s 'map(.items | length) | add'; }
sum_of_items=$(jq -s 'map(.items | length) | add' "$T/decoded")
all_again() { [ "$(items_again)" = "$sum_of_items" ]; }
ok "batches by x-scope-orgid hold all $sum_of_items items" wait_until 60s all_again
is "each batch has that metadata once" "$(again | jq -c '.headers | map(select(.[0] | ascii_downcase == "x-scope-orgid")) | length' | sort -u)" 1
is "and holds items of that tenant alone" "$(again | decoded | jq -c '[.headers["x-scope-orgid"], (.tenants | unique)]' | sort -u)" \
	$'["acme",["acme"]]\n["o\'ther_(2)",["o\'ther_(2)"]]'

# ---- it stops and starts: what it marked after its work is not read again, what came meanwhile is ----
ok "the Collector ends by itself" client_stop collector
is "the JavaScript SDK sends meanwhile" "$(send_js meanwhile HEADGATE_SIGNALS=logs)" "logs ok"
consumer_start
all=$((all + 1))
more() { [ "$(wc -l <"$T/plain.json")" = $all ]; }
ok "the next one reads that" wait_until 60s more
ok "it ends too" client_stop collector
written | "$PYTHON_OTEL" "$CLIENTS/consumed.py" | sort >"$T/want"
consumed plain >"$T/read"
ok "and nothing again" cmp "$T/want" "$T/read"
marked() { kafka_tool consumer.group.ConsumerGroupCommand --describe --group plain | awk '$2 ~ /^otlp_/ {n += $4; end += $5} END {print n, end}'; }
is "all are marked as done" "$(marked)" "$all $all"
is "it had nothing to complain of" "$(complaints)" ''
finish
