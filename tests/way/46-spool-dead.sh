#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 46-spool-dead.sh -- what was accepted from the spool and is then refused for good, for its size or its age, is a dead letter; without those it
# lies in the table dead, where headgatectl shows it until it is dropped; what is refused for now waits, and holds up no other topic (R22)
. "${0%/*}/lib.sh"
need broker

TOKEN=$(token_new)
kafka_start own acl
topics 1
topic create "$KAFKA_BROKERS" letters 1
expect_err 'mod=(sink_kafka|topics|spool)'
tenants_file "acme:$TOKEN"
conf_base kafka file 1
spool=$HG_DIR/spool
conf spool.enabled=true "spool.dir=$spool" dead_letters.enabled=true dead_letters.topic=letters kafka.compression=none record.headers=all
headgate_start
known "$TOKEN"
otlp traces -m small -o "$T/small"
otlp traces -m large --pad 300000 -n 1 -o "$T/large"
otlp logs -m log -o "$T/log"
is "a large body is accepted" "$(post /v1/traces "$T/large")" 200
ctl() { "$HEADGATECTL" spool "$@" -c "$HG_DIR/headgate.yaml"; }
refused() { [ "$(metric store_replayed_items_total '{result="refused"}')" = "$1" ]; }
delivered() { [ "$(metric store_replayed_items_total '{result="delivered"}')" -ge "$1" ]; }
empty() { [ "$(find "$spool" -maxdepth 1 -name '*.db' | wc -l)" -le 1 ] && [ "$(ctl ls --json | jq -s 'map(.waiting) | add // 0')" = 0 ]; }

# ---- too large by the time it is sent ----
topic config "$KAFKA_BROKERS" "$TRACES_TOPIC" max.message.bytes=20000
kafka_stop own
is "without Kafka it is accepted, by the limit that is known" "$(post /v1/traces "$T/large")" 200
is "a small one too" "$(post /v1/traces "$T/small")" 200
is "headgatectl shows both" "$(ctl ls --json | jq -c '[.state, .rows, .waiting]')" '["waits",2,2]'
is "and what they hold" "$(ctl export | jq -r '.topic + " " + .tenant' | sort | uniq -c | xargs)" "2 $TRACES_TOPIC acme"
kafka_restart own
ok "the large one is refused for good" wait_until 40s refused 1
ok "the small one is delivered" wait_until 20s delivered 1
records letters >"$T/letter"
is "there is one letter" "$(wc -l <"$T/letter")" 1
letter=$(<"$T/letter")
is "which says why, and for which topic" "$(header "$letter" headgate-dlq-reason) $(header "$letter" headgate-dlq-topic) $(header "$letter" headgate-replayed)" "hg-record-size $TRACES_TOPIC 1"
like "in words" "$(header "$letter" headgate-dlq-detail)" 'refuses a record of this size'
unhex <<<"$(jq -r .value "$T/letter")" >"$T/value"
ok "its value is that of the record" eval '[ "$(stat -c %s "$T/value")" -gt 300000 ] && grep -q "large" "$T/value"'
ok "the spool is empty" wait_until 20s empty

# ---- without dead letters ----
conf dead_letters.enabled=false
topic config "$KAFKA_BROKERS" "$TRACES_TOPIC" max.message.bytes=1000000
ok "a reload without dead letters" headgate_switch
delivers() { [ "$(post /v1/traces "$T/large")" = 200 ]; }
ok "it delivers" wait_until 20s delivers
topic config "$KAFKA_BROKERS" "$TRACES_TOPIC" max.message.bytes=20000
kafka_stop own
ok "accepted again" eval '[ "$(post /v1/traces "$T/large")" = 200 ] && [ "$(post /v1/traces "$T/small")" = 200 ]'
kafka_restart own
ok "refused again" wait_until 40s refused 2
dead() { [ "$(ctl ls --json | jq -c 'select(.state == "dead") | [.rows, .reasons]')" = '[1,"hg-record-size"]' ]; }
ok "it lies in dead/, with its reason" wait_until 20s dead
is "no letter came to the topic" "$(record_count letters)" 1
is "headgatectl exports it" "$(ctl export --dead | jq -r '.topic + " " + .tenant')" "$TRACES_TOPIC acme"
ctl export --dead --raw >"$T/raw"
ok "byte for byte" cmp "$T/raw" "$T/value"
ok "and finds it whole" ctl verify
ok "the log tells of it" wait_until 20s hg_log 'lvl=err mod=spool .*refused for good'
ok "the rest of the spool is empty" wait_until 20s empty
# the worker closes it when nothing has died for a second
ok "it is dropped by hand" wait_until 20s ctl drop --dead
is "and is gone" "$(ctl ls --json)$(find "$spool/dead" -name '*.db*')" "$(ctl ls --json)"

# ---- denied: waits, and holds up nobody ----
spans=$(record_count "$TRACES_TOPIC")
topic deny "$KAFKA_BROKERS" "$TRACES_TOPIC"
denied() { [ "$(post /v1/traces "$T/small")" = 200 ]; }
ok "a denied topic's body is accepted" denied
sent=$(metric store_replayed_items_total '{result="delivered"}')
kafka_stop own
is "a log too, without Kafka" "$(post /v1/logs "$T/log")" 200
kafka_restart own
ok "the log comes to its topic" wait_until 40s delivered $((sent + 1))
is "the span does not" "$(record_count "$TRACES_TOPIC")" "$spans"
topic allow "$KAFKA_BROKERS" "$TRACES_TOPIC"
ok "until it is allowed" wait_until 60s delivered $((sent + 2))
ok "the spool is empty again" wait_until 20s empty

# ---- too old ----
conf spool.max_age=1s
ok "a reload: nothing may be older than a second" headgate_switch
kafka_stop own
is "accepted" "$(post /v1/logs "$T/log")" 200
kafka_restart own
old() { [ "$(ctl ls --json | jq -r 'select(.state == "dead") | .reasons')" = hg-spool-age ]; }
ok "too old when Kafka is back" wait_until 40s old
finish
