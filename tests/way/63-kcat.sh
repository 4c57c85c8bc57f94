#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 63-kcat.sh -- an unmodified consumer, kcat, prints the records of every family: the key is the tenant, the headers are those of the contract and
# in its order, the tenant's once, none of the client's own; the value is whole (R1)
. "${0%/*}/lib.sh"
need kafka

topics 2
RAW_TOPIC=$NAME-raw BLOB_TOPIC=$NAME-blobs OWN_BLOB_TOPIC=$NAME-own-blobs OWN_TOPIC=$NAME-own EVENT_TOPIC=$NAME-event SEALED_TOPIC=$NAME-sealed DEAD_TOPIC=$NAME-dead
for each in "$RAW_TOPIC" "$BLOB_TOPIC" "$OWN_BLOB_TOPIC" "$OWN_TOPIC" "$EVENT_TOPIC" "$SEALED_TOPIC" "$DEAD_TOPIC" \
	{"$TRACES_TOPIC","$METRICS_TOPIC","$LOGS_TOPIC","$LOKI_TOPIC","$OWN_TOPIC"}_json; do
	topic create "$KAFKA_BROKERS" "$each" 2 || bail "can't create the topic $each"
done
TOKEN=$(token_new)
TENANT="a-b_c.d!*'()"	# every sign that an id may have
tenants_file "$TENANT:$TOKEN"
mkdir "$T/models"
printf '{"name":"Event","topic":"%s","allow_extra_fields":true,"columns":[{"name":"n","data_type":"Int64","required":true}]}' "$EVENT_TOPIC" >"$T/models/event.json"
printf '{"name":"Sealed","version":"0.1","topic":"%s","schema_id":7,"columns":[{"name":"n","data_type":"Int64","required":true}]}' "$SEALED_TOPIC" >"$T/models/sealed.json"
conf_base kafka file 2
conf "protocols.models.dir=$T/models" protocols.obstack.enabled=true "protocols.obstack.topic=$RAW_TOPIC" protocols.micromegas.enabled=true "protocols.opaque.topic=$BLOB_TOPIC" \
	routes.0.name=own-blobs routes.0.path=/own/blobs routes.0.protocol=opaque "routes.0.topic=$OWN_BLOB_TOPIC" \
	routes.1.name=own-logs routes.1.path=/own/logs routes.1.protocol=otlp_logs "routes.1.topic=$OWN_TOPIC" routes.1.headers=all
headgate_start
known "$TOKEN"

# ---- a body of each family ----
TRACE=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
JSON='Content-Type: application/json' PROTOBUF='Content-Type: application/x-protobuf'
for signal in traces metrics logs; do otlp $signal -n 2 -m kcat -o "$T/$signal"; done
printf '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"\xf0\x9f\x98\x80"}}]}]}]}' >"$T/json"
python3 "$WAY/tools/rw.py" "$T/rw"
RW1=$(find "$T/rw" -name '204.1.histogram-both') RW2=$(find "$T/rw" -name '204.2.*histogram*' ! -name '*.*.*.*' | sort | head -n 1)
python3 "$WAY/tools/loki.py" encode -o "$T/loki" '[["{a=\"b\"}",[["1","line"]]]]'
head -c 100000 /dev/urandom >"$T/blob"
printf '{"streams":[{"stream":{"a":"b"},"values":[["1","line"]]}]}' >"$T/loki.json"

# What a client might hope to put into the record.
ODD=(-H 'Version: 4' -H 'signal: odd' -H 'Tenant_Id: odd' -H 'tenant-id: odd' -H 'headgate-route: odd' -H 'headgate-part: 1/1' -H 'headgate-replayed: 1'
	-H 'format: odd' -H 'X-Custom: odd' -H "X-Scope-OrgID: $TENANT")
# told: the statuses, one for each family
told()
{
	{
		for signal in traces metrics logs; do request "/v1/$signal" -H "$PROTOBUF" --data-binary "@$T/$signal" "${ODD[@]}"; echo; done
		request /v1/logs -H "$JSON; charset=utf-8" --data-binary "@$T/json" "${ODD[@]}"; echo
		request /v1/logs -H "$PROTOBUF" --data-binary "@$T/logs" -H "traceparent: $TRACE" "${ODD[@]}"; echo
		request /api/v1/write -H "$PROTOBUF" --data-binary "@$RW1" -H 'Content-Encoding: snappy' "${ODD[@]}"; echo
		request /api/v1/write -H "$PROTOBUF;proto=io.prometheus.write.v2.Request" --data-binary "@$RW2" -H 'Content-Encoding: snappy' "${ODD[@]}"; echo
		request /loki/api/v1/push -H "$PROTOBUF" --data-binary "@$T/loki" "${ODD[@]}"; echo
		request /loki/api/v1/push -H "$JSON" --data-binary "@$T/loki.json" "${ODD[@]}"; echo
		for signal in traces metrics logs; do request "/ingest/otlp/v1/$signal" -H "$PROTOBUF" --data-binary "@$T/$signal" "${ODD[@]}"; echo; done
		for each in process stream block; do request "/ingestion/insert_$each" -H 'Content-Type:' --data-binary "@$T/blob" "${ODD[@]}"; echo; done
		request /own/blobs -H 'Content-Type: text/plain; charset=utf-8' --data-binary "@$T/blob" "${ODD[@]}"; echo
		request /own/blobs -H 'Content-Type: nonsense' --data-binary "@$T/blob" "${ODD[@]}"; echo
		request /own/logs -H "$PROTOBUF" --data-binary "@$T/logs" "${ODD[@]}"; echo
		request /ingest/Event -H "$JSON" -d '[{"n": 1}, {"n": 2, "x": null}]' "${ODD[@]}"; echo
		request /ingest/prometheus/v1/write -H "$PROTOBUF" --data-binary "@$RW1" -H 'Content-Encoding: snappy' "${ODD[@]}"; echo
	} | xargs
}

# ---- what kcat prints ----
# read_by_kcat TOPIC [OPTION]...	from the beginning to the end
read_by_kcat() { kcat -C -q -e -o beginning -b "$KAFKA_BROKERS" -t "$1" -X fetch.wait.max.ms=10 "${@:2}"; }
ALL_TOPICS=("$TRACES_TOPIC" "$METRICS_TOPIC" "$LOGS_TOPIC" "$WRITE_TOPIC" "$WRITE2_TOPIC" "$LOKI_TOPIC" "$RAW_TOPIC" "$BLOB_TOPIC" "$OWN_BLOB_TOPIC" "$OWN_TOPIC" "$EVENT_TOPIC" "$SEALED_TOPIC" "$DEAD_TOPIC"
	{"$TRACES_TOPIC","$METRICS_TOPIC","$LOGS_TOPIC","$LOKI_TOPIC"}_json)
printed() { for each in "${ALL_TOPICS[@]}"; do read_by_kcat "$each" -J; done | python3 "$WAY/tools/kcat.py" "$TENANT" | sort -u; }
# new_lines	what it prints now and did not before
: >"$T/before"
new_lines()
{
	printed >"$T/printed"
	comm -13 "$T/before" "$T/printed"
	cp "$T/printed" "$T/before"
}
# line TOPIC SIGNAL FORMAT TYPE [ROUTE [MORE]]: as it should be printed, for the level of headers that is on
line()
{
	local out="$1 key=$TENANT X-Scope-OrgID=$TENANT tenant_id=$TENANT"
	if [ "$LEVEL" != tenant ]; then
		out+=" signal=$2 format=$3 content-type=$4"
		[ "$LEVEL" = standard ] && [ "$2" != opaque ] || out+=" headgate-route=$5"
		out+=" headgate-request-id=ID"
		[ "$LEVEL" != all ] || out+=" headgate-received-ms=TIME headgate-contract=1"
		out+=${6:+ $6}
	fi
	echo "$out"
}
wanted()
{
	local v1='application/x-protobuf;proto=prometheus.WriteRequest'
	{
		line "$TRACES_TOPIC" traces otlp_proto application/x-protobuf otlp_traces
		line "$METRICS_TOPIC" metrics otlp_proto application/x-protobuf otlp_metrics
		line "$LOGS_TOPIC" logs otlp_proto application/x-protobuf otlp_logs
		line "$LOGS_TOPIC" logs otlp_proto application/x-protobuf otlp_logs "traceparent=$TRACE"
		line "$WRITE_TOPIC" metrics prom_rw1 "$v1" remote_write
		line "$WRITE2_TOPIC" metrics prom_rw2 'application/x-protobuf;proto=io.prometheus.write.v2.Request' remote_write
		line "$LOKI_TOPIC" logs loki_proto application/x-protobuf loki
		for signal in traces metrics logs; do line "$RAW_TOPIC" $signal otlp_proto application/x-protobuf obstack_$signal; done
		line "$RAW_TOPIC" metrics prom_rw1 "$v1" obstack_write
		for each in process stream block; do line "$BLOB_TOPIC" opaque raw application/octet-stream insert_$each; done
		line "$OWN_BLOB_TOPIC" opaque raw text/plain own-blobs
		line "$OWN_BLOB_TOPIC" opaque raw application/octet-stream own-blobs
		if [ "$LEVEL" = standard ]; then	# these have their own level, and so nothing new at the others
			LEVEL=all line "$OWN_TOPIC" logs otlp_proto application/x-protobuf own-logs
			LEVEL=tenant line "$EVENT_TOPIC"
		fi
	} | sort -u
}
OF_EACH='200 200 200 200 200 204 204 204 204 202 202 202 200 200 200 202 202 200 202 202'
for LEVEL in standard all tenant; do
	if [ $LEVEL != standard ]; then
		conf "record.headers=$LEVEL"
		headgate_switch || bail "the new configuration does not serve: $(tail -n 3 "$HG_LOG")"
	fi
	is "$LEVEL: a body of each family is accepted" "$(told)" "$OF_EACH"
	new_lines >"$T/new"
	is "$LEVEL: kcat finds key and headers of each as the contract says" "$(diff <(wanted) "$T/new" | grep '^[<>]')" ""
done

# ---- JSON that stays JSON; a body that is too large for one record ----
LEVEL=standard
conf record.headers=standard protocols.{otlp,loki}.json=separate record.max_bytes=2KiB protocols.models.headers=all
headgate_switch || bail "the new configuration does not serve: $(tail -n 3 "$HG_LOG")"
printf '{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736","spanId":"00f067aa0ba902b7","name":"x"}]}]}]}' >"$T/spans.json"
printf '{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"x","gauge":{"dataPoints":[{"timeUnixNano":"1","asInt":"1"}]}}]}]}]}' >"$T/metrics.json"
is "OTLP and Loki in JSON are accepted" "$({
	request /v1/traces -H "$JSON" --data-binary "@$T/spans.json" "${ODD[@]}"; echo
	request /v1/metrics -H "$JSON" --data-binary "@$T/metrics.json" "${ODD[@]}"; echo
	request /v1/logs -H "$JSON" --data-binary "@$T/json" "${ODD[@]}"; echo
	request /loki/api/v1/push -H "$JSON" --data-binary "@$T/loki.json" "${ODD[@]}"
} | xargs)" "200 200 200 204"
otlp logs -n 100 -m large -o "$T/large"
is "and a body of many records" "$(request /v1/logs -H "$PROTOBUF" --data-binary "@$T/large" -H "traceparent: $TRACE" "${ODD[@]}")" 200
is "and an object of a model with a schema id" "$(request /ingest/Sealed/0.1 -H "$JSON" -d '{"n": 1}' "${ODD[@]}")" 202
new_lines >"$T/new"
parts=$(grep -c headgate-part "$T/new")
ok "these are $parts" test "$parts" -ge 3
is "each record says what it is" "$({
	line "${TRACES_TOPIC}_json" traces otlp_json application/json
	line "${METRICS_TOPIC}_json" metrics otlp_json application/json
	line "${LOGS_TOPIC}_json" logs otlp_json application/json
	line "${LOKI_TOPIC}_json" logs loki_json application/json
	LEVEL=all line "$SEALED_TOPIC" events json application/json models
	for ((k = 1; k <= parts; k++)); do line "$LOGS_TOPIC" logs otlp_proto application/x-protobuf '' "headgate-part=$k/$parts traceparent=$TRACE"; done
} | sort | diff - "$T/new" | grep '^[<>]')" ""

# ---- dead letters ----
conf dead_letters.enabled=true "dead_letters.topic=$DEAD_TOPIC"
headgate_switch || bail "the new configuration does not serve: $(tail -n 3 "$HG_LOG")"
printf '\n\377' >"$T/broken"
is "broken bodies are refused" "$({
	request /v1/logs -H "$PROTOBUF" --data-binary "@$T/broken" -H "traceparent: $TRACE" "${ODD[@]}"; echo
	request /own/logs -H "$JSON" -d '{"resourceLogs":1}' "${ODD[@]}"; echo
	request /loki/api/v1/push -H "$JSON" -d '{"streams":[{"stream":{},"values":[["1","x"]]}]}' "${ODD[@]}"
} | xargs)" "400 400 400"
dead() { [ "$(record_count "$DEAD_TOPIC")" = 3 ]; }
ok "and kept as dead letters" wait_until 20s dead
new_lines >"$T/new"
is "which say why, and what for" "$({
	line "$DEAD_TOPIC" logs otlp_proto application/x-protobuf '' "traceparent=$TRACE headgate-dlq-reason=hg-invalid headgate-dlq-detail=TEXT headgate-dlq-topic=$LOGS_TOPIC"
	LEVEL=all line "$DEAD_TOPIC" logs otlp_json application/json own-logs "headgate-dlq-reason=hg-invalid headgate-dlq-detail=TEXT headgate-dlq-topic=${OWN_TOPIC}_json"
	line "$DEAD_TOPIC" logs loki_json application/json '' "headgate-dlq-reason=hg-invalid headgate-dlq-detail=TEXT headgate-dlq-topic=${LOKI_TOPIC}_json"
} | sort | diff - "$T/new" | grep '^[<>]')" ""

for each in "${ALL_TOPICS[@]}"; do
	is "${each#"$NAME"-}: the values are whole" "$(read_by_kcat "$each" -J | python3 "$WAY/tools/kcat.py" --values | sort)" \
		"$(records "$each" | jq -r '"\(.partition) \(.offset) \(.value)"' | sort)"
done

# ---- as one would look at them ----
is "in its own format: key, headers, value" "$(read_by_kcat "$LOKI_TOPIC" -f '%k|%h|%s\n' | grep -a signal= | grep -av headgate-route | cut -d'|' -f1,2 | sed -E 's/[0-9a-f]{32}/ID/' | sort -u)" \
	"$TENANT|X-Scope-OrgID=$TENANT,tenant_id=$TENANT,signal=logs,format=loki_proto,content-type=application/x-protobuf,headgate-request-id=ID"
is "objects of a model" "$(read_by_kcat "$EVENT_TOPIC" -f '%k %s\n' | sort -u)" \
	"$TENANT {\"tenant_id\":\"$TENANT\",\"n\":1}"$'\n'"$TENANT {\"tenant_id\":\"$TENANT\",\"n\":2,\"x\":null}"
is "one behind its schema id" "$(read_by_kcat "$SEALED_TOPIC" -f '%s' | od -An -v -tx1 | tr -d ' \n')" "0000000007$(hex '{"n":1}')"
like "the value of a push has the stream" "$(read_by_kcat "$LOKI_TOPIC" -f '%s\n' | tr -d '\0' | grep -a -m 1 -o '{a=.*}')" '^\{a="b", tenant_id="a-b_c\.d!\*'\''\(\)"\}$'
finish
