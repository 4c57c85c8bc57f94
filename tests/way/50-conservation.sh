#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 50-conservation.sh -- under load workers are killed, the configuration is read again, PostgreSQL and the broker go away and come back, and
# the broker stands still for 15 s: each body that was answered 2xx is in its topic at least once, none that was refused for good is, and
# at rest the counters agree to the item (R21, O15 in part, P4)
. "${0%/*}/lib.sh"
need broker postgres

pg_start own
pg_database conserved
kafka_start own
topics 3
tenant_add acme
tenant_add other
tenant_add narrow
TOKENS=("$(token_add acme)" "$(token_add other)" "$(token_add narrow "" "scopes => '{traces:write}'")" "$(token_new)")
conf_base kafka postgres 2
conf "log.access_file=$HG_DIR/access.log"
expect_err 'mod=(sink_kafka|topics|tenants_pg|workers)'
headgate_start
for TOKEN in "${TOKENS[@]:0:2}"; do known "$TOKEN"; done

background python3 "$WAY/tools/exposition.py" --watch "$HG_DIR/admin.sock" "$T/watched"
watch=$SPAWNED
declare -A TOPIC=([traces]=$TRACES_TOPIC [metrics]=$METRICS_TOPIC [logs]=$LOGS_TOPIC) LOADS=()
items=3
for signal in traces metrics logs; do
	background python3 "$WAY/tools/load.py" "$URL" "${TOKENS[@]/#/--token=}" --signal $signal --quiet --connections 90 --rate 16 \
		--items $items --seconds 1000 --prefix "$signal-" --results "$T/sent-$signal"
	LOADS[$signal]=$SPAWNED
done

# flows [COUNT]: after now each signal is accepted so often
accepted_after() { awk -v t="$1" -v n="$2" '$2 == 200 && $4 >= t {++k} END {exit k < n}' "$T/sent-$3"; }
all_flow() { accepted_after "$1" "$2" traces && accepted_after "$1" "$2" metrics && accepted_after "$1" "$2" logs; }
flows() { wait_until 60s all_flow "$(date +%s%3N)" "${2:-10}" || fail "$1: bodies are accepted"; }
both() { [ "$(workers | wc -l)" = 2 ]; }
kill_one()
{
	local one
	one=$(workers | head -n 1)
	kill -KILL "$one"
	wait_until 20s gone "$one"
	ok "$1: another takes its place" wait_until 20s both
}
flows "at first"

kill_one "a worker is killed"
flows "after a worker was killed"
ok "the configuration is read again" headgate_reload
flows "after a reload"

pg_stop own
kill_one "a worker is killed while PostgreSQL is away"
flows "without PostgreSQL"
pg_restart own
flows "with PostgreSQL again"

kafka_freeze own
frozen=$(now_us)
over() { [ $(($(now_us) - frozen)) -ge "$1" ]; }
wait_until 20s over 4000000
kill_one "a worker is killed while the broker stands still"
wait_until 20s over 15000000
kafka_thaw own
flows "after the broker stood still"

kafka_stop own
ok "the configuration is read again without a broker" headgate_reload
kafka_restart own
flows "with a broker again"
kill -KILL "$(workers | tail -n 1)"
wait_until 20s both
flows "at last" 20

for signal in traces metrics logs; do end_pid "${LOADS[$signal]}" TERM 20s; done
rest() { [ "$(metric items_in_flight)" = 0 ] && [ "$(metric kafka_queue_bytes)" = 0 ] && both; }
ok "at rest nothing is in flight" wait_until 45s rest
end_pid "$watch" TERM 30s
like "no counter ever fell" "$(<"$T/watched")" '^scrapes [1-9][0-9]+$'

for signal in traces metrics logs; do
	ok "$signal: each 2xx is in the topic, and no 4xx" eval 'records "${TOPIC[$signal]}" >"$T/records" && conserved "$T/sent-$signal" <"$T/records" >"$T/kept"'
	note "$signal: $(<"$T/kept")"
	is "$signal: nor anything that was not sent" "$(jq .strange "$T/kept")" 0
	ok "$signal: many were accepted, some refused, some unavailable" jq -e '.accepted > 100 and .refused > 50 and .unavailable > 10' "$T/kept"
	like "$signal: no other status was given" "$(awk '{print $2}' "$T/sent-$signal" | sort -u | xargs)" '^(000 )?200 401( 403)? 503$'
	for tenant in acme other narrow; do
		labels="{tenant=\"$tenant\",signal=\"$signal\"}"
		accepted=$(metric items_accepted_total "$labels") delivered=$(metric items_delivered_total "$labels")
		failed=$(metric items_failed_total "$labels") late=$(metric items_late_total "$labels")
		is "$signal of $tenant: accepted = delivered + failed" "$accepted" $((delivered + failed))
		# What a killed worker had just been told is known to the topic and perhaps to the client, but to no counter.
		unknown=$(metric items_failed_total "{tenant=\"$tenant\",signal=\"$signal\",reason=\"worker_lost\"}")
		unknown=$((unknown + $(metric items_failed_total "{tenant=\"$tenant\",signal=\"$signal\",reason=\"maybe_persisted\"}")))
		stored=$(jq -r --arg key "$(hex $tenant)" 'select(.key == $key) | .value' "$T/records" | sort -u | wc -l)
		note "$signal of $tenant: $accepted accepted, $delivered delivered ($late late), $failed failed ($unknown perhaps not), $((stored * items)) stored"
		ok "$signal of $tenant: delivered is stored, and no more than that and what failed in doubt" \
			test "$delivered" -le $((stored * items)) -a $((stored * items)) -le $((delivered + unknown))
	done
done
is "the narrow tenant stored nothing but traces" "$(metric items_accepted_total '{tenant="narrow",signal="logs"}') $(metric items_accepted_total '{tenant="narrow",signal="metrics"}')" "0 0"
is "no producer was replaced" "$(metric kafka_producers_replaced_total)" 0
finish
