#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 65-dead-letters.sh -- a body that is no valid data is kept, once, with the reason; one that does not decode is kept raw; no other refusal
# is; their rate is bounded; nobody waits for them, while the broker is away either (R22)
. "${0%/*}/lib.sh"
need broker

TOKEN=$(token_new)
kafka_start own
topics 1
DEAD_TOPIC=$NAME-dead
topic create "$KAFKA_BROKERS" "$DEAD_TOPIC" 1 || bail "can't create the topic $DEAD_TOPIC"
expect_err 'mod=(sink_kafka|topics)'
tenants_file "acme:$TOKEN"
conf_base kafka file 1
conf dead_letters.enabled=true "dead_letters.topic=$DEAD_TOPIC" dead_letters.per_tenant=1000/s protocols.loki.enabled=true limits.inflated=2MiB
headgate_start
known "$TOKEN"

letters() { [ "$(record_count "$DEAD_TOPIC")" -ge "$1" ]; }
last() { records "$DEAD_TOPIC" | tail -n 1; }
PROTOBUF='Content-Type: application/x-protobuf' JSON='Content-Type: application/json'

# ---- what is kept ----
printf '\n\377' >"$T/broken"
is "a body that is no message is 400" "$(post /v1/traces "$T/broken")" 400
ok "it is a dead letter" wait_until 20s letters 1
is "as it was" "$(last | jq -r .value)" 0aff
is "why, and what for" "$(for h in headgate-dlq-reason headgate-dlq-topic signal content-type; do header "$(last)" $h; done | xargs)" \
	"hg-invalid $TRACES_TOPIC traces application/x-protobuf"
ok "the detail is what the client was told" grep -qaF "$(header "$(last)" headgate-dlq-detail)" "$T/reply"
is "its key and id are those of a record" "$(last | jq -r .key) $(header "$(last)" headgate-request-id)" "$(hex acme) $(reply_header X-Request-Id)"

otlp logs -n 50 -m cut -z -o "$T/whole"
head -c -7 "$T/whole" >"$T/cut"
is "a cut gzip is 400" "$(post /v1/logs "$T/cut" -H 'Content-Encoding: gzip')" 400
ok "it is a dead letter" wait_until 20s letters 2
is "raw" "$(last | jq -r .value | unhex | cmp - "$T/cut" 2>&1)" ""
is "for that reason" "$(header "$(last)" headgate-dlq-reason)" hg-inflate

gzip -c "$T/broken" >"$T/broken.gz"
is "a whole gzip of a broken message is 400" "$(post /v1/logs "$T/broken.gz" -H 'Content-Encoding: gzip')" 400
ok "it is a dead letter" wait_until 20s letters 3
is "decoded" "$(last | jq -r .value)" 0aff

is "JSON that is none is 400" "$(request /v1/logs -H "$JSON" -d '{"resourceLogs":[')" 400
ok "it is a dead letter" wait_until 20s letters 4
is "as JSON" "$(last | jq -r .value | unhex) $(header "$(last)" content-type)" '{"resourceLogs":[ application/json'

printf 'nonsense' >"$T/nonsense"
is "what is no snappy block is 400" "$(request /loki/api/v1/push -H "$PROTOBUF" --data-binary "@$T/nonsense")" 400
ok "it is a dead letter" wait_until 20s letters 5
is "raw, for Loki's topic" "$(last | jq -r .value | unhex) $(header "$(last)" headgate-dlq-topic)" "nonsense $LOKI_TOPIC"

# ---- what is not ----
otlp logs -m fine -o "$T/fine"
head -c 3000000 /dev/zero | gzip >"$T/large.gz"
is "none of 200, 401, 403, 413, 415" "$({
	post /v1/logs "$T/fine"; echo
	TOKEN='' post /v1/logs "$T/broken"; echo
	TOKEN=$(token_new) post /v1/logs "$T/broken"; echo
	post /v1/logs "$T/broken" -H 'X-Scope-OrgID: other'; echo
	post /v1/logs "$T/large.gz" -H 'Content-Encoding: gzip'; echo
	request /v1/logs -H 'Content-Type: text/plain' --data-binary "@$T/broken"
} | xargs)" "200 401 401 403 413 415"
metric_is() { [ "$(metric dead_letters_total "{result=\"$1\"}")" = "$2" ]; }
ok "is one: five are counted" wait_until 20s metric_is sent 5
is "and five are there" "$(record_count "$DEAD_TOPIC")" 5

# ---- without a broker ----
kafka_stop own
# Whoever waited for the broker would do so for 8 s.
for i in $(seq 40); do post /v1/logs "$T/broken" --max-time 6; echo; done | sort | uniq -c | xargs >"$T/statuses"
is "without a broker a broken body is 400 as before, at once" "$(<"$T/statuses")" "40 400"
is "and a good one 503" "$(post /v1/logs "$T/fine")" 503
nothing() { [ "$(metric kafka_queue_bytes)" = 0 ] && [ "$(metric kafka_queue_messages)" = 0 ]; }
ok "what they hold they give back" wait_until 60s nothing
kafka_restart own
fine() { [ "$(post /v1/logs "$T/fine")" = 200 ]; }
ok "the broker is back" wait_until 60s fine
before=$(record_count "$DEAD_TOPIC")
is "a broken body" "$(post /v1/logs "$T/broken")" 400
ok "is kept again" wait_until 20s letters $((before + 1))
is "dead letters are no items" "$(metric items_accepted_total)" "$(($(metric items_delivered_total) + $(metric items_failed_total)))"

# ---- too many ----
conf dead_letters.per_tenant=5/s
headgate_switch || bail "the new configuration does not serve: $(tail -n 3 "$HG_LOG")"
before=$(record_count "$DEAD_TOPIC") dropped=$(metric dead_letters_total '{result="dropped"}') sent=$(metric dead_letters_total '{result="sent"}')
load --requests 1 --results "$T/sent" >"$T/said"
began=$(now_us)
for i in $(seq 60); do post /v1/logs "$T/broken"; echo; done | sort | uniq -c | xargs >"$T/statuses"
took=$(($(now_us) - began))
is "60 broken bodies are 400" "$(<"$T/statuses")" "60 400"
kept=$(($(metric dead_letters_total '{result="sent"}') - sent))
ok "no more are kept than five a second: $kept in $took us" test "$kept" -ge 5 -a "$kept" -le $((5 + took / 200000 + 1))
is "the rest is counted" "$(($(metric dead_letters_total '{result="dropped"}') - dropped))" $((60 - kept))
there() { [ "$(record_count "$DEAD_TOPIC")" = $((before + kept)) ]; }
ok "and what is kept is there" wait_until 20s there
finish
