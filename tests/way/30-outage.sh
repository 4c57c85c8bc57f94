#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 30-outage.sh -- while all brokers are away each request gets its 503 in time, and memory stays bounded; with the budget spent at once and
# unread; when they are back, so are the 2xx, without a restart (P4, F1, F2, R20)
. "${0%/*}/lib.sh"
need broker

stalls_watch
BUDGET_KB=$((32 * 1024))
TOKEN=$(token_new)
kafka_start own
topics 2
expect_err 'mod=(sink_kafka|topics)'
# What ASan keeps of freed memory is no memory of ours.
export ASAN_OPTIONS=quarantine_size_mb=1

start()	# INSTANCE SETTING...: one worker; WORKER is its pid
{
	instance "$1"
	tenants_file "acme:$TOKEN"
	conf_base kafka file 1
	conf "log.access_file=$HG_DIR/access.log" "${@:2}"
	headgate_start
	known "$TOKEN"
	WORKER=$(workers)
	otlp logs -m "warm-$1" -o "$T/body"
	is "$1: with a broker a body is accepted" "$(post /v1/logs "$T/body")" 200
}
sent() { cat "$@" 2>/dev/null | wc -l; }
statuses() { awk '{print $2}' "$@" | sort -u | xargs; }	# FILE..., or standard input
slowest() { awk '$3 > max {max = $3} END {print max + 0}' "$@"; }

# Its records wait long, so that its budget stays spent while we look.
start full limits.worker_bytes=${BUDGET_KB}KiB limits.tenant_share=100% record.headers=all kafka.ack_deadline=120s
start hg
worker=$WORKER
kafka_stop own
away=$(now_us)

# P4, F1, R20: each route
for signal in traces metrics logs; do
	load --signal $signal --prefix "away-$signal-" --requests 4 --results "$T/sent-away-$signal" >"$T/.load-$signal" &
done

# F1: a spent budget
instance full
base=$(rss "$(workers)")
background python3 "$WAY/tools/load.py" "$URL" --token "$TOKEN" --quiet --connections 36 --pad 600000 --seconds 120 --prefix full- \
	--results "$T/sent-full"
load=$SPAWNED
full() { [ "$(metric kafka_queue_bytes)" -ge $((BUDGET_KB * 1024 * 95 / 100)) ]; }
ok "many bodies fill the budget" wait_until 30s full
grown=$(($(rss "$(workers)") - base))
bound=$((BUDGET_KB * 110 / 100))
[[ $HEADGATE_BUILD != *asan ]] || bound=$((bound + BUDGET_KB / 8))	# ASan's shadow
ok "memory grew by no more than the budget and a tenth: $grown KiB" test "$grown" -le "$bound"
printf 'POST /v1/logs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/x-protobuf\r\nContent-Length: 3000000\r\n\r\n' \
	"$TOKEN" >"$T/head"
most=0
for i in 1 2 3 4 5; do
	raw --replies 1 "$T/head" >"$T/raw" 2>"$T/raw.end"
	is "$i: one more is refused unread" "$(head -c 12 "$T/raw") $(grep -ao 'hg-[a-z-]*' "$T/raw")" 'HTTP/1.1 503 hg-overload'
	like "$i: it says when to come again" "$(tr -d '\r' <"$T/raw" | grep -i '^Retry-After')" ' [1-5]$'
	took=$(awk 'END {print $2}' "$T/raw.end")
	if ((took > 100)); then	# who is slow is slow twice, but the machine
		raw --replies 1 "$T/head" >"$T/raw" 2>"$T/raw.end"
		note "after $took ms, a second try: $(cat "$T/raw.end")"
		took=$(awk 'END {print $2}' "$T/raw.end")
	fi
	((took <= most)) || most=$took
done
ok "each within 100 ms: $most" test "$most" -le 100
end_pid "$load" KILL
# At most 64 KiB of a body without a place are read, then the connection is closed: not all clients see their answer.
is "no status but 503 was given" "$(grep -v ' 000 ' "$T/sent-full" | statuses)" 503
held() { [ "$(metric kafka_queue_messages)" -ge 20 ]; }
ok "without clients the records wait on" held

instance hg
all_told() { [ "$(sent "$T"/sent-away-*)" = 12 ]; }
ok "each route answers" wait_until 40s all_told
wait
is "with 503" "$(statuses "$T"/sent-away-*)" 503
most=$(net_results "$T"/sent-away-* | slowest)
ok "within 9 s: $most ms" test "$most" -le 9000
is "a body is not accepted" "$(post /v1/logs "$T/body")" 503
is "for it was not stored in time" "$(grep -ao 'hg-[a-z-]*' "$T/reply")" hg-kafka-timeout
like "it says when to come again" "$(reply_header Retry-After)" '^[1-5]$'

# F2 (OUTAGE=60 there; by default not longer than the above takes: the pause between two connects is at its longest, a second, long before)
background python3 "$WAY/tools/load.py" "$URL" --token "$TOKEN" --quiet --connections 40 --rate 10 --seconds $((120 + ${OUTAGE:-0})) --prefix back- --results "$T/sent-back"
load=$SPAWNED
refused() { [ "$(sent "$T/sent-back")" -ge 1 ]; }
wait_until 30s refused
away_enough() { (($(now_us) - away >= ${OUTAGE:-0} * 1000000)); }
wait_until "$((${OUTAGE:-0} + 1))s" away_enough
kafka_restart own
back=$(now_us)
succeeds() { grep -q ' 200 ' "$T/sent-back"; }
ok "the brokers are back after $((($(now_us) - away) / 1000000)) s: bodies are accepted" wait_until 20s succeeds
took=$(net_since "$back")
ok "the first within 2 s: $took ms" test "$took" -le 2000
many() { [ "$(grep -c ' 200 ' "$T/sent-back")" -ge 20 ]; }
wait_until 40s many
end_pid "$load" TERM 20s
is "no other status was given" "$(statuses "$T/sent-back")" "200 503"
is "it is the same worker" "$(workers)" "$worker"

ok "each 2xx is in the topic" eval 'records "$LOGS_TOPIC" | conserved "$T"/sent-away-logs "$T"/sent-full "$T"/sent-back'
rest() { [ "$(metric items_in_flight)" = 0 ] && [ "$(metric kafka_queue_bytes)" = 0 ]; }
for each in hg full; do
	instance $each
	ok "$each: nothing is left in flight, and no byte of the budget" wait_until 60s rest
	is "$each: accepted = delivered + failed" "$(metric items_accepted_total)" \
		"$(($(metric items_delivered_total) + $(metric items_failed_total)))"
done
is "what waited was delivered, though its client had gone" "$(metric items_failed_total)" 0
finish
