#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 32-frozen.sh -- a broker that stands still for 15 s: what was answered 503 is, but for a tenth, not in the topic afterwards, and what is has
# been counted; no fatal error, and the first 2xx within 2 s (F70). A client that has nothing more to say waits for its answer, and costs
# no processor time (F68)
. "${0%/*}/lib.sh"
need broker

TOKEN=$(token_new)
stalls_watch
kafka_start own
topics 2
tenants_file "acme:$TOKEN"
conf_base kafka file 1
conf "log.access_file=$HG_DIR/access.log"
expect_err 'mod=(sink_kafka|topics)'
headgate_start
known "$TOKEN"
otlp logs -m warm -o "$T/body"
is "before, a body is accepted" "$(post /v1/logs "$T/body")" 200
worker=$(workers)

# F70: 16 a second
background python3 "$WAY/tools/load.py" "$URL" --token "$TOKEN" --quiet --connections 160 --rate 16 --seconds 120 --results "$T/sent"
load=$SPAWNED
sent() { [ "$(grep -c ' 200 ' "$T/sent")" -ge 16 ]; }
ok "it is accepted at 16 a second" wait_until 20s sent
kafka_freeze own
frozen=$(now_us)

# F68: TCP says that no more comes, while the answer is still due
printf 'POST /v1/logs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/x-protobuf\r\nContent-Length: %d\r\n\r\n' \
	"$TOKEN" "$(wc -c <"$T/body")" >"$T/request"
cat "$T/body" >>"$T/request"
for i in 1 2 3 4; do
	raw --half-close --timeout 20 "$T/request" >"$T/half-$i" 2>"$T/half-$i.end" &
done
ms=$(cpu_ms "$worker") from=$(now_us)
wait
used=$((($(cpu_ms "$worker") - ms) * 100000 / ($(now_us) - from)))
still=$(stood_still "$from")
for i in 1 2 3 4; do
	like "half-closed $i: it is told 503" "$(head -n 1 "$T/half-$i")" '^HTTP/1.1 503 '
	is "half-closed $i: for its record was not stored in time" "$(grep -ao 'hg-[a-z-]*' "$T/half-$i")" hg-kafka-timeout
	like "half-closed $i: and the connection is closed" "$(tail -n 1 "$T/half-$i.end")" '^closed'
	ok "half-closed $i: within 9 s" test $(($(awk 'END {print $2}' "$T/half-$i.end") - still)) -le 9000
done
ok "the worker used less than 5 % of a core meanwhile: $used %" test "$used" -lt 5

over() { [ $(($(now_us) - frozen)) -ge 15000000 ]; }
wait_until 20s over
kafka_thaw own
thawed=$(date +%s%3N)
begin=$(now_us)
after() { awk -v t="$thawed" '$2 == 200 && $4 >= t' "$T/sent" | grep -q .; }
ok "the broker goes on: bodies are accepted" wait_until 20s after
took=$(net_since "$begin")
ok "the first within 2 s: $took ms" test "$took" -le 2000
steady() { [ "$(awk -v t="$thawed" '$2 == 200 && $4 >= t' "$T/sent" | wc -l)" -ge 50 ]; }
wait_until 40s steady
end_pid "$load" TERM 20s

records "$LOGS_TOPIC" >"$T/records"
grep -v "$(hex warm)" "$T/records" | conserved "$T/sent" >"$T/kept"
note "$(<"$T/kept")"
is "each 2xx is in the topic" "$(jq .lost "$T/kept")" 0
is "no answer but 200 and 503 was given" "$(awk '{print $2}' "$T/sent" | sort -u | xargs)" "200 503"
told=$(jq .unavailable "$T/kept") kept=$(jq .unavailable_kept "$T/kept")
ok "many were told 503" test "$told" -ge 50
ok "of these at most a tenth is in the topic all the same: $kept of $told" test $((kept * 10)) -le "$told"
rest() { [ "$(metric items_in_flight)" = 0 ] && [ "$(metric kafka_queue_bytes)" = 0 ]; }
ok "nothing is left in flight" wait_until 20s rest
counted=$(($(metric items_late_total) + $(metric items_failed_total '{reason="maybe_persisted"}')))
ok "each of them is counted as late or as perhaps stored: $counted" test "$counted" -ge "$kept"
is "accepted = delivered + failed" "$(metric items_accepted_total)" "$(($(metric items_delivered_total) + $(metric items_failed_total)))"
is "the producer had no fatal error" "$(metric kafka_producers_replaced_total)" 0
is "it is the same worker" "$(workers)" "$worker"
finish
