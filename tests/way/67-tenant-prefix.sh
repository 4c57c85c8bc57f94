#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 67-tenant-prefix.sh -- a tenant's own topic_prefix says where its records go, from the moment when it is set, and nobody else's; in the
# database and in the tenants file; without the topic it is 503 as ever, and what makes no topic's name lets nobody in (records.md 1, 2.1)
. "${0%/*}/lib.sh"
need kafka postgres

topics 1
OWN=own.$NAME-
for each in "$LOGS_TOPIC" "$METRICS_TOPIC"; do topic create "$KAFKA_BROKERS" "$OWN$each" 1 || bail "can't create a topic"; done
tenant_add acme
tenant_add other
ACME=$(token_add acme) OTHER=$(token_add other)
conf_base kafka postgres 1
conf tenants.poll=1h log.level=debug
headgate_start
known "$ACME"
known "$OTHER"
tables() { grep -ac "mod=tenants msg=\"new $1\"" "$HG_LOG"; }
prefix() { pg "UPDATE headgate.tenant SET topic_prefix = $1 WHERE tenant_id = 'acme'"; }
# goes TOPIC	a log of acme is taken, and that topic has one record more
goes() { local before; before=$(record_count "$1"); TOKEN=$ACME; [ "$(post /v1/logs <(otlp logs))" = 200 ] && [ "$(record_count "$1")" = $((before + 1)) ]; }
others() { TOKEN=$OTHER; post "/v1/$1" <(otlp "$1"); }

ok "without one records go where the configuration says" goes "$LOGS_TOPIC"
bases=$(tables base)
prefix "'$OWN'"
ok "with one they go there, though nothing was reloaded" wait_until 20s goes "$OWN$LOGS_TOPIC"
is "that was a delta" "$(tables base)" "$bases"
is "other signals too" "$(TOKEN=$ACME; post /v1/metrics <(otlp metrics)) $(record_count "$OWN$METRICS_TOPIC")" "200 1"
before=$(record_count "$LOGS_TOPIC")
is "another tenant's stay where they were" "$(others logs) $(others metrics) $(record_count "$LOGS_TOPIC") $(record_count "$METRICS_TOPIC")" "200 200 $((before + 1)) 1"
is "all are whose they are" "$(records "$OWN$LOGS_TOPIC" | jq -r .key | sort -u)" "$(hex acme)"

# ---- a topic that is not there ----
expect_err 'mod=topics msg="a configured topic is not there'
late=late.$NAME-
prefix "'$late'"
missing() { TOKEN=$ACME; [ "$(post /v1/logs <(otlp logs))" = 503 ]; }
ok "where there is no topic: 503" wait_until 20s missing
like "the same as for any that is missing" "$(cat "$T/reply")" 'hg-topic-unavailable: '
like "which says when to come again" "$(reply_header Retry-After)" '^[1-5]$'
is "the other tenant has nothing of it" "$(others logs)" 200
topic create "$KAFKA_BROKERS" "$late$LOGS_TOPIC" 1
ok "once it is created records go there" wait_until 60s goes "$late$LOGS_TOPIC"

# ---- what cannot be ----
ok "the schema lets none in that is no part of a topic's name" fails prefix "'a/b'"
prefix NULL
ok "without one again records are where they were" wait_until 20s goes "$LOGS_TOPIC"
is "all of it by deltas" "$(tables base)" "$bases"

# ---- the tenants file, every route, and what makes no topic's name ----
instance file
write_file() # PREFIX
{
	(umask 077; printf 'version: 1\ntenants:\n- {id: acme, topic_prefix: "%s", tokens: [{id: t1, sha256: %s}]}\n- {id: a.b, tokens: [{id: t2, sha256: %s}]}\n' \
		"$1" "$(token_hash "$ACME")" "$(token_hash "$OTHER")" >"$HG_DIR/tenants.new")
	mv "$HG_DIR/tenants.new" "$HG_DIR/tenants.yaml"
}
write_file f.
mkdir "$HG_DIR/models"
printf '{"name":"Event","columns":[{"name":"n","data_type":"Int64","required":true}]}' >"$HG_DIR/models/event.json"
KAFKA_BROKERS='' conf_base local file 1
long=$(printf 'l%.0s' {1..160})
conf "record.topic_prefix=\"pre.\"" "protocols.models.dir=$HG_DIR/models" protocols.obstack.enabled=true protocols.micromegas.enabled=true \
	routes.0.name=otlp_traces routes.0.topic_prefix=route. "protocols.opaque.topic=$long" dead_letters.enabled=true
headgate_start
TOKEN=$ACME
known "$TOKEN"
all() { echo "$(post /v1/logs <(otlp logs)) $(post /v1/traces <(otlp traces)) $(post /ingest/otlp/v1/metrics <(otlp metrics)) $(request /ingestion/insert_block -d x) $(
	request /ingest/Event -H 'Content-Type: application/json' -d '{"n":1}') $(request /ingest/Event -H 'Content-Type: application/json' -d '{"n":"x"}')"; }
is "each route takes its body" "$(all)" "200 200 202 200 202 400"
TOKEN=$OTHER
is "that of a tenant without one too" "$(all)" "200 200 202 200 202 400"
is "the prefix takes the place of the route's and of everybody's" "$(stored | jq -r 'select(.key == "'"$(hex acme)"'").topic' | sort | xargs)" \
	"$(printf '%s\n' "f.$LOGS_TOPIC" "f.$TRACES_TOPIC" f.telemetry-raw "f.$long" f.Event headgate_dlq | sort | xargs)"
is "which the other's have" "$(stored | jq -r 'select(.key == "'"$(hex a.b)"'").topic' | sort | xargs)" \
	"$(printf '%s\n' "pre.$LOGS_TOPIC" "route.$TRACES_TOPIC" pre.telemetry-raw "pre.$long" pre.Event headgate_dlq | sort | xargs)"
TOKEN=$ACME
write_file "$(printf 'p%.0s' {1..100})"
shut_out() { [ "$(post /v1/logs <(otlp logs))" = 401 ]; }
ok "one that leaves no room for a topic's name lets nobody in" wait_until 20s shut_out
is "it is counted" "$(metric tenants_rows_skipped '{reason="tenant_topic"}')" 1
ok "and told" wait_until 20s hg_log 'lvl=warn mod=tenants msg="row left out" row=tenant id=acme why=.*topic_prefix'
is "the other tenant is in" "$(TOKEN=$OTHER; post /v1/logs <(otlp logs))" 200
expect_err 'mod=tenants_file msg=.* error=.*a topic_prefix is 1 to 100'
write_file "a/b"
ok "one that is none is refused at its place" wait_until 20s hg_log 'tenants.yaml:3:[0-9]*: error: a topic_prefix is 1 to 100 of 0-9 A-Z a-z . _ -'
write_file g.
goes_on() { [ "$(post /v1/logs <(otlp logs))" = 200 ] && [ "$(stored | jq -r .topic | grep -c "^g\.$LOGS_TOPIC$")" -gt 0 ]; }
ok "with a good one it goes on" wait_until 20s goes_on
is "and is counted no more" "$(metric tenants_rows_skipped '{reason="tenant_topic"}')" 0
finish
