#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 67-routes.sh -- what `routes` says: paths of one's own, built-in routes that do otherwise, in every respect that there is; what cannot be is
# refused before anything starts, in one clear line; with {tenant} in a prefix each tenant's records go to a topic of its own, and whose id
# makes none is not let in (R2, records.md 1, config.yaml)
. "${0%/*}/lib.sh"
need kafka python-otel

topics 4
OWN=$NAME-own
declare -A KEY=([acme]=$(token_new) [other]=$(token_new) [a.b]=$(token_new) [late]=$(token_new) [narrow]='')
tenants_file "acme:${KEY[acme]}" "other:${KEY[other]}" "a.b:${KEY[a.b]}" "late:${KEY[late]}"
TOKEN=${KEY[acme]}
for each in blobs logs logs_json metrics_v2 metrics; do topic create "$KAFKA_BROKERS" "$OWN-$each" 4 || bail "can't create a topic"; done
for each in acme other; do topic create "$KAFKA_BROKERS" "$each.$NAME-blobs" 1 || bail "can't create a topic"; done
PROTOBUF=(-H 'Content-Type: application/x-protobuf') JSON=(-H 'Content-Type: application/json')
youngest() { records "$1" | jq -c -s 'max_by(.timestamp)'; }
told() { for each in "${@:2}"; do header "$1" "$each"; done | xargs; }

# ---- what cannot be ----
# refused SENTENCE REGEX CONF...	by -t and at the start, in one line
refused()
{
	local status lines
	instance "bad$((++BAD))"
	conf_base discard file 1
	conf "${@:3}"
	like "$1: -t says so" "$("$HEADGATE" -c "$HG_DIR/headgate.yaml" -t 2>&1)" "$2"
	status=0
	lines=$("$HEADGATE" -c "$HG_DIR/headgate.yaml" 2>&1 </dev/null) || status=$?
	is "$1: and nothing starts" "$status $(grep -c '^[^ ]*: error:' <<<"$lines")" "78 1"
}
BAD=0
R=routes.0
refused "an unknown route" "error: there is no built-in route 'otlp_log' \(did you mean 'otlp_logs'\?\)" $R.name=otlp_log $R.headers=all
refused "a route that is off" "error: the route 'insert_block' is off: 'protocols.micromegas.enabled' is false" $R.name=insert_block $R.max_body=1MiB
refused "a name that is taken" "error: 'otlp_logs' is a route of ours" $R.name=otlp_logs $R.path=/x $R.protocol=opaque $R.topic=t
refused "no protocol" "error: 'opaqu' is no protocol \(did you mean 'opaque'\?\)" $R.name=x $R.path=/x $R.protocol=opaqu $R.topic=t
refused "no topic" "error: a route with a path needs a 'topic'" $R.name=x $R.path=/x $R.protocol=opaque
refused "no listener" "error: there is no listener 'nobody'" $R.name=otlp_logs "$R.listeners=[\"nobody\"]"
refused "R2: two formats on one topic" "error: 'protocols.otlp.logs_topic' and 'routes\[0\].topic' are one topic" $R.name=x $R.path=/x $R.protocol=opaque "$R.topic=$LOGS_TOPIC"
refused "R2: by an override" "error: 'protocols.otlp.traces_topic' and 'routes\[0\].topic' are one topic" $R.name=otlp_logs "$R.topic=$TRACES_TOPIC"
refused "R2: by some tenant's id" "with some tenant's id in the prefix the one is the other" $R.name=otlp_logs "$R.topic_prefix=\"{tenant}_\"" $R.topic=x routes.1.name=loki routes.1.topic=acme_x
refused "a topic of data models" "error: each data model has a topic of its own" $R.name=models $R.topic=t
refused "a scope that is none" "error: 'spans' is no scope of a token" $R.name=otlp_logs $R.scope=spans
refused "a page of ours" "error: '/health' is a page of ours" $R.name=x $R.path=/health $R.protocol=opaque $R.topic=t
refused "a path of a route of ours" "error: '/v1/logs' is the path of 'otlp_logs', a route of ours, on the listener 'public'" $R.name=x $R.path=/v1/logs $R.protocol=opaque $R.topic=t
rm -f "$T"/bad*/log

# ---- paths of one's own ----
instance hg
conf_base kafka file 2
conf listeners.1.name=second listeners.1.listen=127.0.0.1:0 "record.headers=tenant" \
	$R.name=app-blobs $R.path=/blobs/app $R.protocol=opaque "$R.topic=$OWN-blobs" $R.headers=standard $R.max_body=64KiB $R.record_max_bytes=40KiB \
	routes.1.name=my-logs routes.1.path=/my/logs routes.1.protocol=otlp_logs "routes.1.topic=$OWN-logs" routes.1.headers=all routes.1.json=separate \
	routes.1.stamp_name=who routes.1.utf8=strict routes.1.partition=source 'routes.1.listeners=["second"]' \
	routes.2.name=my-write routes.2.path=/my/write routes.2.protocol=remote_write "routes.2.topic=$OWN-metrics" routes.2.enrich=header \
	routes.3.name=otlp_metrics routes.3.headers=all routes.3.enrich=header routes.3.scope=events \
	routes.4.name=otlp_traces "routes.4.topic=$OWN-" "routes.4.topic_prefix=$NAME-spans-" routes.4.max_body=1KiB
topic create "$KAFKA_BROKERS" "$NAME-spans-$OWN-" 1
expect_err 'mod=topics msg="a configured topic is not there'
headgate_start
SECOND=http://$(listener_address second)
known "$TOKEN"
head -c 30000 /dev/urandom >"$T/blob"
is "an opaque route takes any bytes" "$(request /blobs/app -H 'Content-Type: Image/PNG; a=b' --data-binary "@$T/blob") $(wc -c <"$T/reply")" "202 0"
record=$(youngest "$OWN-blobs")
is "R7: byte for byte" "$(jq -r .value <<<"$record")" "$(od -An -v -tx1 <"$T/blob" | tr -d ' \n')"
is "with the type that they came with, and the route's name" "$(told "$record" X-Scope-OrgID signal format content-type headgate-route)" "acme opaque raw Image/PNG app-blobs"
is "without a type too" "$(request /blobs/app/ -H 'Content-Type:' --data-binary "@$T/blob")" 202
is "which is told so" "$(told "$(youngest "$OWN-blobs")" content-type)" application/octet-stream
like "an empty body is 400" "$(request /blobs/app --data-binary '') $(cat "$T/reply")" '^400 hg-invalid: empty body'
head -c 50000 /dev/zero >"$T/body"
like "more than its record_max_bytes is 413" "$(request /blobs/app --data-binary "@$T/body") $(cat "$T/reply")" '^413 hg-record-size: '
head -c 65537 /dev/zero >"$T/body"
like "more than its max_body too" "$(request /blobs/app --data-binary "@$T/body") $(cat "$T/reply")" '^413 hg-body-size: '
is "a path is not the path of another" "$(request /blobs/App -d x) $(request /blobs/app/x -d x) $(request /blobs/app -X GET)" "404 404 405"
is "two records are there" "$(record_count "$OWN-blobs")" 2

# on the second listener alone, and all else that may be said of it
is "a route of one listener is not on the other" "$(request /my/logs "${JSON[@]}" -d '{}')" 404
FIRST=$URL URL=$SECOND
for ((i = 0; i < 6; i++)); do
	otlp logs -m "mine-$i" -r who=evil -r tenant_id=stays -o "$T/body"
	post /my/logs "$T/body"
done >"$T/statuses"
is "but on its own" "$(cat "$T/statuses")" 200200200200200200
record=$(youngest "$OWN-logs")
is "all headers are there" "$(jq -r '[.headers[][0]] | join(" ")' <<<"$record")" \
	"X-Scope-OrgID tenant_id signal format content-type headgate-route headgate-request-id headgate-received-ms headgate-contract"
is "its stamp has its name, and what has another stays" "$(decoded <<<"$record" | jq -c '.resources[0] | map(select(.[0] == "who" or .[0] == "tenant_id"))')" '[["tenant_id","stays"],["who","acme"]]'
is "one source keeps to one partition" "$(records "$OWN-logs" | jq -r .partition | sort -u | wc -l)" 1
is "its JSON stays JSON" "$(request /my/logs "${JSON[@]}" -d '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{}]}]}]}')" 200
is "on a topic of its own" "$(youngest "$OWN-logs_json" | jq -r .value | unhex)" \
	'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{}]}],"resource":{"attributes":[{"key":"who","value":{"stringValue":"acme"}}]}}]}'
printf '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"\xff"}}]}]}]}' >"$T/body"
is "its texts are judged strictly" "$(request /my/logs "${JSON[@]}" --data-binary "@$T/body")" 400
URL=$FIRST
is "where the built-in route mends them" "$(request /v1/logs "${JSON[@]}" --data-binary "@$T/body")" 200
is "whose records have the headers that the section says" "$(jq -r '[.headers[][0]] | join(" ")' <<<"$(youngest "$LOGS_TOPIC")")" "X-Scope-OrgID tenant_id"

python3 "$WAY/tools/rw.py" "$T/rw"
RW1=$(find "$T/rw" -name '204.1.histogram-both') RW2=$(find "$T/rw" -name '204.2.*histogram*' ! -name '*.*.*.*' | sort | head -n 1)
is "remote_write on a path of one's own, 1.0" "$(post /my/write "$RW1" -H 'Content-Encoding: snappy')" 204
is "and 2.0" "$(request /my/write -H 'Content-Type: application/x-protobuf;proto=io.prometheus.write.v2.Request' -H 'Content-Encoding: snappy' --data-binary "@$RW2")" 204
is "each in a topic of its format" "$(record_count "$OWN-metrics") $(record_count "$OWN-metrics_v2")" "1 1"
is "without a stamp" "$(records "$OWN-metrics" | grep -c "$(hex tenant_id | tr -d '\n')$(hex acme)")" 0

# ---- built-in routes that do otherwise ----
otlp metrics -m changed -r tenant_id=stays -o "$T/body"
is "a built-in route with enrich: header" "$(post /v1/metrics "$T/body")" 200
record=$(youngest "$METRICS_TOPIC")
is "leaves the body as it came" "$(jq -r .value <<<"$record")" "$(od -An -v -tx1 <"$T/body" | tr -d ' \n')"
is "and has all headers" "$(told "$record" headgate-route headgate-contract)" "otlp_metrics 1"
otlp traces -m changed -o "$T/body"
is "one with a topic and a prefix" "$(post /v1/traces "$T/body")" 200
is "writes there" "$(record_count "$NAME-spans-$OWN-") $(record_count "$TRACES_TOPIC")" "1 0"
otlp traces -m changed -n 20 --pad 200 -o "$T/body"
like "with a max_body of its own" "$(post /v1/traces "$T/body") $(grep -ao 'hg-[a-z-]*' "$T/reply")" '^413 hg-body-size'
is "headgatectl shows where records go" "$("$HEADGATECTL" --config "$HG_DIR/headgate.yaml" routes ls --json 2>/dev/null | jq -rs 'flatten | map(select(.route == "app-blobs" or .route == "otlp_traces")) | map("\(.route) \(.paths[0]) \(.records[0].topic)") | sort | join(",")')" \
	"app-blobs /blobs/app $OWN-blobs,otlp_traces /v1/traces $NAME-spans-$OWN-"

# ---- a topic for each tenant ----
is "a tenant of any id is let in" "$(TOKEN=${KEY[a.b]}; post /v1/logs <(otlp logs))" 200
conf "$R.topic_prefix=\"{tenant}.\"" "$R.topic=$NAME-blobs"
ok "a reload is taken" headgate_switch
is "a tenant's first record waits for what the cluster says of its topic, and goes there" "$(request /blobs/app -d first)" 202
is "the next at once" "$(request /blobs/app -d second)" 202
is "another's too" "$(TOKEN=${KEY[other]}; request /blobs/app -d of-the-other)" 202
is "each to its own" "$(records "acme.$NAME-blobs" | jq -r .value | unhex) $(records "other.$NAME-blobs" | jq -r .value | unhex)" "firstsecond of-the-other"
TOKEN=${KEY[late]}
like "where there is no topic: 503" "$(request /blobs/app -d x) $(cat "$T/reply")" '^503 hg-topic-unavailable: '
like "which says when to come again" "$(reply_header Retry-After)" '^[1-5]$'
is "and the other routes of that tenant work" "$(post /v1/logs <(otlp logs))" 200
topic create "$KAFKA_BROKERS" "late.$NAME-blobs" 1
created() { [ "$(request /blobs/app -d created)" = 202 ]; }
ok "once it is created its records go there" wait_until 60s created
is "so it is" "$(records "late.$NAME-blobs" | jq -r .value | unhex)" created
TOKEN=${KEY[a.b]}
is "a tenant whose id is no part of a topic's name is not let in" "$(post /v1/logs <(otlp logs))" 401
is "it is counted" "$(metric tenants_rows_skipped '{reason="tenant_topic"}')" 1
ok "and told" hg_log 'lvl=warn mod=tenants msg="row left out" row=tenant id=a.b why=.*topic'
TOKEN=${KEY[acme]}
conf $R.topic_prefix= "$R.topic=$OWN-blobs"
ok "a reload is taken" headgate_switch
TOKEN=${KEY[a.b]}
let_in() { [ "$(post /v1/logs <(otlp logs))" = 200 ]; }
ok "without {tenant} it is again" wait_until 20s let_in
is "and counted no more" "$(metric tenants_rows_skipped '{reason="tenant_topic"}')" 0

# ---- record.topic_prefix: before every topic ----
instance prefixed
tenants_file "acme:${KEY[acme]}" "other:${KEY[other]}"
mkdir "$HG_DIR/models"
printf '{"name":"Event","columns":[{"name":"n","data_type":"Int64","required":true}]}' >"$HG_DIR/models/event.json"
KAFKA_BROKERS='' conf_base local file 1
conf "record.topic_prefix=\"pre.{tenant}-\"" "protocols.models.dir=$HG_DIR/models" protocols.obstack.enabled=true protocols.micromegas.enabled=true
headgate_start
for TOKEN in "${KEY[acme]}" "${KEY[other]}"; do
	known "$TOKEN"
	is "each route takes its body" "$(post /v1/logs <(otlp logs)) $(post /ingest/otlp/v1/metrics <(otlp metrics)) $(post /api/v1/write "$RW1" -H 'Content-Encoding: snappy') $(
		request /ingestion/insert_block -d x) $(request /ingest/Event "${JSON[@]}" -d '{"n":1}')" "200 202 204 200 202"
done
is "each topic has the prefix, and the tenant in it" "$(stored | jq -r .topic | sort | xargs)" \
	"$(for each in acme other; do printf 'pre.%s-%s\n' $each "$LOGS_TOPIC" $each telemetry-raw $each "$WRITE_TOPIC" $each blobs $each Event; done | sort | xargs)"
finish
