#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 31-topics.sh -- a topic that is missing, denied or made smaller costs its own route only: 503 or 413 with an alarm, and nothing is created or
# sent in vain; what is mended is seen without a restart (F5, F6, F7, R25; O17 in part)
. "${0%/*}/lib.sh"
need broker

TOKEN=$(token_new)
stalls_watch
kafka_start own acl auto-create
topics 2
tenants_file "acme:$TOKEN"
conf_base kafka file 1
conf "log.access_file=$HG_DIR/access.log" "protocols.otlp.metrics_topic=$NAME-late" kafka.compression=none kafka.linger=50ms
# post_one SIGNAL MARKER [OPTION]...: prints the status and, if it is refused, the verdict
post_one()
{
	otlp "$1" -m "$2" -o "$T/body" "${@:3}"
	xargs <<<"$(post "/v1/$1" "$T/body") $(grep -ao 'hg-[a-z-]*' "$T/reply")"
}
errors_of() { metric kafka_delivery_errors_total "{error=\"$1\"}"; }
failed_of() { metric items_failed_total "{reason=\"$1\"}"; }

# F7: the broker would make the topic if it were asked for it
expect_err 'mod=topics msg="a configured topic is not there: 503 for its routes until it is created" topic=31-topics-late'
headgate_start
absent=$(now_us)
known "$TOKEN"
is "the topic of traces takes records" "$(post_one traces there)" 200
is "a missing topic is 503" "$(post_one metrics missing)" "503 hg-topic-unavailable"
like "which says when to come again" "$(reply_header Retry-After)" '^[1-5]$'
ok "an alarm names it" wait_until 10s hg_log 'lvl=err mod=topics .*topic=31-topics-late'
comes "and a gauge" 1 metric kafka_topics_missing
is "the gateway is ready" "$(get /ready)" 200
like "and says what it lacks" "$(admin '/ready?verbose')" $'warn kafka [^\n]*31-topics-late.*\nready$'
is "nothing was handed to the producer" "$(metric items_accepted_total '{signal="metrics"}') $(metric items_refused_total '{signal="metrics",reason="other"}')" "0 1"

# F5: while the missing one is being waited for
is "the topic of logs takes records" "$(post_one logs allowed)" 200
head -c 30000 /dev/urandom >"$T/random"
put() { kcat -P -b "$KAFKA_BROKERS" -t "$1" "$T/random"; }
topic deny "$KAFKA_BROKERS" "$LOGS_TOPIC"
wait_until 20s fails put "$LOGS_TOPIC"	# the broker learns it from its log, a moment after it was answered
expect_err 'mod=topics msg="the cluster denies writing to a topic'
background python3 "$WAY/tools/load.py" "$URL" --token "$TOKEN" --signal traces --rate 40 --seconds 6 --prefix other- --results "$T/other"
load=$SPAWNED
is "a denied topic is 503" "$(post_one logs denied-1)" "503 hg-topic-unavailable"
# At once: it is tried again after 10 s, and not known as denied meanwhile.
like "ready knows both" "$(admin '/ready?verbose')" 'warn kafka .*31-topics-late.*31-topics-logs|warn kafka .*31-topics-logs.*31-topics-late'
is "and the gauge" "$(metric kafka_topics_missing)" 2
like "which says when to come again" "$(reply_header Retry-After)" '^[1-5]$'
ok "an alarm names it" wait_until 10s hg_log 'lvl=err mod=topics .*denies.*topic=31-topics-logs'
is "the record is counted as denied" "$(failed_of authorization) $(errors_of TOPIC_AUTHORIZATION_FAILED)" "1 1"
begin=$(now_us)
is "the next is 503 at once" "$(post_one logs denied-2)" "503 hg-topic-unavailable"
ok "within 1 s" test "$(net_since "$begin")" -le 1000
is "and is not even tried" "$(failed_of authorization)" 1
wait_until 40s gone "$load"
is "the other route's requests succeed meanwhile" "$(awk '{print $2}' "$T/other" | sort -u)" 200
ok "each of them within 1 s" test "$(net_results "$T/other" | awk '$3 > max {max = $3} END {print max}')" -le 1000
topic allow "$KAFKA_BROKERS" "$LOGS_TOPIC"
again() { [ "$(post_one logs "allowed-again")" = 200 ]; }
ok "once it is allowed it goes on, within 15 s" wait_until 15s again

# F7 again: nobody made it until it was made (ABSENCE=60 there; by default as long as the above takes)
absent_enough() { (($(now_us) - absent >= ${ABSENCE:-0} * 1000000)); }
wait_until "$((${ABSENCE:-0} + 1))s" absent_enough
is "after $((($(now_us) - absent) / 1000000)) s the broker was never asked for the missing topic" "$(topic list "$KAFKA_BROKERS" | grep -c '^31-topics-late$')" 0
topic create "$KAFKA_BROKERS" 31-topics-late 2
created() { [ "$(post_one metrics created)" = 200 ]; }
ok "once it is created it takes records, within 15 s" wait_until 15s created
ok "the log says so" wait_until 10s hg_log 'lvl=info mod=topics msg="a topic is there now" topic=31-topics-late'
is "no topic is missing any more" "$(metric kafka_topics_missing)" 0
like "ready neither" "$(admin '/ready?verbose')" $'ok kafka [^\n]*\nready$'
is "and its records are those that were accepted" "$(record_count 31-topics-late)" "$(metric items_delivered_total '{signal="metrics"}')"

# F6: a topic made smaller while we run; its old limit is what we know
expect_err 'mod=sink_kafka msg="the broker refuses a record for its size'
topic config "$KAFKA_BROKERS" "$TRACES_TOPIC" max.message.bytes=20000
wait_until 20s fails put "$TRACES_TOPIC"
before=$(errors_of MSG_SIZE_TOO_LARGE) stored=$(record_count "$TRACES_TOPIC")
is "a record beyond its limit is 413" "$(post_one traces too-large --pad 300000)" "413 hg-record-size"
is "which does not ask to come again" "$(reply_header Retry-After)" ""
ok "an alarm tells of it" wait_until 10s hg_log 'lvl=err mod=sink_kafka .*for its size: 413'
is "it was sent once" "$(errors_of MSG_SIZE_TOO_LARGE) $(failed_of too_large)" "$((before + 1)) 1"
is "a small one is stored" "$(post_one traces small)" 200
is "of the two, that one is there" "$(record_count "$TRACES_TOPIC")" $((stored + 1))
# One too large takes nobody with it, though the broker refuses the batch that they share
before=$(errors_of MSG_SIZE_TOO_LARGE) stored=$(record_count "$TRACES_TOPIC")
otlp traces -m small-among-large -o "$T/small"
otlp traces -m large-among-small -o "$T/large" --pad 300000
for body in small small small large small small; do
	printf 'next\nurl = "%s/v1/traces"\nheader = "Authorization: Bearer %s"\nheader = "Content-Type: application/x-protobuf"\ndata-binary = "@%s"\nwrite-out = "%s %%{http_code}\\n"\noutput = "/dev/null"\n' \
		"$URL" "$TOKEN" "$T/$body" "$body"
done | sed 1d >"$T/at-once"
is "six sent at once: 413 for the large one, 200 for each other" "$(curl -sSZ --max-time 20 -K "$T/at-once" | sort | uniq -c | xargs)" "1 large 413 5 small 200"
is "those five are there, once" "$(record_count "$TRACES_TOPIC")" $((stored + 5))
is "the large one was refused by the broker" "$(errors_of MSG_SIZE_TOO_LARGE)" $((before + 1))
# R25: once its limit was read again (here by a worker that starts) nobody asks the broker any more
conf kafka.linger=6ms
ok "a reload is taken" headgate_switch
unsent() { before=$(errors_of MSG_SIZE_TOO_LARGE); [ "$(post_one traces too-large-again --pad 300000)" = "413 hg-record-size" ] && [ "$(errors_of MSG_SIZE_TOO_LARGE)" = "$before" ]; }
ok "R25: the next is 413 without the broker" wait_until 10s unsent
like "which says both figures" "$(grep -ao '[0-9]* bytes exceed the limit of [0-9]* bytes' "$T/reply")" '^[0-9]+ bytes exceed the limit of [1-9][0-9]* bytes$'
is "a small one is stored still" "$(post_one traces small)" 200

rest() { [ "$(metric items_in_flight)" = 0 ]; }
ok "nothing is left in flight" wait_until 20s rest
for signal in traces metrics logs; do
	is "$signal: accepted = delivered + failed" "$(metric items_accepted_total "{signal=\"$signal\"}")" \
		"$(($(metric items_delivered_total "{signal=\"$signal\"}") + $(metric items_failed_total "{signal=\"$signal\"}")))"
done
finish
