#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 84-ctl-topics.sh -- headgatectl topics makes each configured topic as it was asked to, and nothing twice; routes and ls say what goes
# where, without a gateway that runs (O27)
. "${0%/*}/lib.sh"
need broker

TOKEN=$(token_new)
kafka_start own
tenants_file "acme:$TOKEN"
conf_base kafka file 1
conf "log.access_file=$HG_DIR/access.log" "protocols.otlp.traces_topic=$NAME-spans" "protocols.otlp.metrics_topic=$NAME-metrics" "protocols.otlp.logs_topic=$NAME-logs" \
	"protocols.remote_write.topic=$NAME-write" "protocols.remote_write.topic_v2=$NAME-write2" \
	"protocols.loki.topic=$NAME-loki" record.max_bytes=2MiB
# Both programs as the package has them: by no path of the build but their own.
ctl() { "$HEADGATECTL" -c "$HG_DIR/headgate.yaml" "$@" >"$T/said" 2>"$T/said.err"; }
topics_there() { topic list "$KAFKA_BROKERS" | grep "^$NAME" | sort | xargs; }

ctl topics ls
is "topics that are missing are exit 1" $? 1
is "each configured one has its line" "$(sed 1d "$T/said" | awk '{print $1, $2}' | xargs)" \
	"$NAME-spans missing $NAME-metrics missing $NAME-logs missing $NAME-write missing $NAME-write2 missing $NAME-loki missing"
like "and what to do about it" "$(cat "$T/said.err")" "$NAME-logs: not there, its routes answer 503: headgatectl topics create"

# A gateway that waits for one
expect_err 'mod=topics msg="a configured topic is not there'
headgate_start
known "$TOKEN"
otlp logs -o "$T/body"
is "a gateway without them answers 503" "$(post /v1/logs "$T/body")" 503

ctl topics create --partitions 3 --replication 1
is "create is exit 0" $? 0
is "it says what it made" "$(sed 1d "$T/said" | awk '{print $2}' | sort -u)" created
# The broker hears of them a little later than the controller.
all_there() { [ "$(topics_there)" = "$1" ]; }
ok "all of them are there" wait_until 20s all_there "$NAME-logs $NAME-loki $NAME-metrics $NAME-spans $NAME-write $NAME-write2"
stored() { [ "$(post /v1/logs "$T/body")" = 200 ]; }
ok "the gateway gives 2xx within 15 s" wait_until 15s stored
ctl --json topics ls
is "ls is exit 0 then" $? 0
is "with the partitions and the replication asked for" "$(jq -r '"\(.partitions) \(.replication)"' "$T/said" | sort -u)" "3 1"
is "and max.message.bytes: the record's ceiling and 64 KiB" "$(jq -r '"\(.max_message_bytes) \(.schema)"' "$T/said" | sort -u)" "$((2048 * 1024 + 64 * 1024)) 1"
ctl topics create --partitions 7 --replication 1
is "again: exit 0" $? 0
is "nothing is made" "$(sed 1d "$T/said" | awk '{print $2, $3}' | sort -u)" "ok 3"
ctl topics create --partitions=0
is "no partition at all is a usage error" $? 2
ctl topics create --replication=10001
is "so are more replicas than the client library takes" "$? $(head -n 1 "$T/said.err")" "2 headgatectl: --replication: at most 10000"

# One that is small
topic config "$KAFKA_BROKERS" "$NAME-spans" max.message.bytes=1000000
ctl topics ls
is "a small topic is no failure" $? 0
like "it is told, with both values" "$(cat "$T/said.err")" "^$NAME-spans: max.message.bytes 1000000 is below 2162688"

# What the broker refuses
topic delete "$KAFKA_BROKERS" "$NAME-write2"
gone_there() { [[ " $(topics_there) " != *" $NAME-write2 "* ]]; }
wait_until 20s gone_there
ctl topics create --replication 3
is "a refusal of the brokers is exit 1" $? 1
like "and their words" "$(cat "$T/said.err")" "$NAME-write2: .*[Rr]eplication"

# O27: brokers away
headgate_stop
kafka_stop own
ctl topics create
is "brokers away is exit 69" $? 69
like "with the reason and the file" "$(cat "$T/said.err")" "no broker of kafka.brokers answers \(.*headgate.yaml\)"
conf sink=discard
ctl topics ls
is "a sink without topics is exit 1" $? 1
like "which says so" "$(cat "$T/said.err")" 'sink is not kafka'

# routes, ls
ctl routes ls
is "routes ls is exit 0" $? 0
like "a route has path, methods, dialect, code and topic" "$(cat "$T/said")" "otlp_logs +POST +/v1/logs +otlp +200 +$NAME-logs"
like "one with a success code of its own" "$(cat "$T/said")" "remote_write +POST +/api/v1/write +remote_write +204 +$NAME-write, $NAME-write2"
conf protocols.obstack.enabled=true
ctl routes ls --json
is "a protocol that is switched on appears by itself" "$(jq -r 'select(.route == "obstack_logs") | "\(.code) \(.records[0].topic) \(.paths[0])"' "$T/said")" \
	"202 telemetry-raw /ingest/otlp/v1/logs"
ctl ls --name WRITE --type ingestion --json
is "ls --json is an array of name, method, url and destination" "$(jq -c '.[0]' "$T/said")" \
	'{"name":"obstack_write","method":"POST","url":"/ingest/prometheus/v1/write","destination":"telemetry-raw"}'
is "by name, and only those asked for" "$(jq -r '.[].name' "$T/said" | xargs)" "obstack_write remote_write remote_write"
is "ls has its title" "$("$HEADGATECTL" -c "$HG_DIR/headgate.yaml" ls | head -n 1)" "Ingestion APIs"
ctl ls --type other
is "another type is a usage error" $? 2
ctl topics ls -c "$T/none.yaml"
is "a file that is not there is exit 78" $? 78
finish
