#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 51-killed.sh -- workers killed one after the other at full load: what they had answered 2xx is in the topic, and what they had counted is
# counted still (R21)
. "${0%/*}/lib.sh"
need kafka

TOKEN=$(token_new)
topics 3
tenants_file "acme:$TOKEN"
conf_base kafka file 2
conf "log.access_file=$HG_DIR/access.log"
expect_err 'mod=workers'
headgate_start
known "$TOKEN"
background python3 "$WAY/tools/exposition.py" --watch "$HG_DIR/admin.sock" "$T/watched"
watch=$SPAWNED
background python3 "$WAY/tools/load.py" "$URL" --token "$TOKEN" --quiet --connections 24 --seconds 1000 --items 2 --pad 500 --results "$T/sent"
load=$SPAWNED
both() { [ "$(workers | wc -l)" = 2 ]; }
accepted() { [ "$(grep -c ' 200 ' "$T/sent")" -ge "$1" ]; }
wait_until 20s accepted 300
for i in 1 2 3 4; do
	one=$(workers | sed -n "$((i % 2 + 1))p")
	ok "$i: a worker is killed" kill -KILL "$one"
	wait_until 20s gone "$one"
	ok "$i: another takes its place" wait_until 20s both
	wait_until 20s accepted $(($(grep -c ' 200 ' "$T/sent") + 300)) || fail "$i: bodies are accepted"
done
end_pid "$load" TERM 20s
rest() { [ "$(metric items_in_flight)" = 0 ] && [ "$(metric kafka_queue_bytes)" = 0 ]; }
ok "at rest nothing is in flight" wait_until 20s rest
end_pid "$watch" TERM 30s
like "no counter ever fell" "$(<"$T/watched")" '^scrapes [1-9][0-9]*$'

records "$LOGS_TOPIC" >"$T/records"
ok "each 2xx is in the topic" eval 'conserved "$T/sent" <"$T/records" >"$T/kept"'
note "$(<"$T/kept")"
is "no other status was given" "$(grep -v ' 000 ' "$T/sent" | awk '{print $2}' | sort -u)" 200
# Of each of its connections one request at most was under way, or came to it before it was seen to be closed.
ok "no more are unknown than there were connections" jq -e '.unknown <= 24 * 4' "$T/kept"
is "nothing strange is there" "$(jq .strange "$T/kept")" 0
taken=$(metric items_accepted_total) delivered=$(metric items_delivered_total) failed=$(metric items_failed_total)
lost=$(metric items_failed_total '{reason="worker_lost"}')
stored=$(($(wc -l <"$T/records") * 2))
note "$taken items accepted, $delivered delivered, $failed failed ($lost with their worker), $stored stored"
is "accepted = delivered + failed" "$taken" $((delivered + failed))
is "only dead workers failed any" "$failed" "$lost"
ok "what is stored was delivered, or its worker died before it could count it" test "$delivered" -le "$stored" -a "$stored" -le $((delivered + lost))
is "four workers were replaced" "$(metric worker_restarts_total '{reason="signal"}')" 4
finish
