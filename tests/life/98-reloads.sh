#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 98-reloads.sh -- SIGHUP after SIGHUP, one a second, with the local store, under a load that keeps its rate whatever becomes of the answers:
# each request is answered with 200, no connection is reset, there are never more than two generations, and memory stays what it is
# (F57, O8). RATE: requests a second (2000), as many as this machine can take; REPEATS: how many SIGHUPs (100). The short form, in a closed
# loop, is tests/way/40-reloads.sh.
. "${0%/*}/../way/lib.sh"

: "${RATE:=2000}" "${REPEATS:=100}"
CONNECTIONS=64
# A sanitizer's memory is another matter.
HEADGATE_BUILD=$ROOT/build/release HEADGATE=$ROOT/build/release/headgate HEADGATE_WORKER=$ROOT/build/release/headgate-worker
TOKEN=$(token_new)
tenants_file "acme:$TOKEN"
conf_base local file 2
conf audit.accepted=first local.max_bytes=16GiB local.min_free=1%
headgate_start
known "$TOKEN"
echo "$TOKEN" >"$T/tokens"
otlp logs -m one -o "$T/one"
# The master and its biggest worker: how many of the old generation are still there at that instant is not the question (where others are at
# work, they stay longer). Who is gone by then has none.
memory() { local most=0 each one; for each in $(workers); do one=$(rss "$each" 2>/dev/null); ((${one:-0} <= most)) || most=$one; done; echo $(($(rss "$HG_PID") + most)); }
rests() { [ "$(workers | wc -w)" = 2 ]; }

spawn "$T/load.json" "$HEADGATE_BUILD/hgload" -u "$URL/v1/logs" -b "$T/one" -c $CONNECTIONS -r "$RATE" -d $((REPEATS + 20)) -t "$T/tokens" \
	-H 'Content-Type: application/x-protobuf'
LOAD=$SPAWNED
most=0 early=() late=()
for ((i = 1; i <= REPEATS; i++)); do
	next=$((${EPOCHREALTIME/[.,]/} + 1000000))
	kill -HUP "$HG_PID"
	while ((${EPOCHREALTIME/[.,]/} < next)); do
		n=$(workers | wc -w)
		((n <= most)) || most=$n
		tick
	done
	# A tenth at each end, the first few apart: what it takes once, it takes.
	((i <= 5 || i > 5 + REPEATS / 10)) || early+=("$(memory)")
	((i <= REPEATS - REPEATS / 10)) || late+=("$(memory)")
done
middle() { printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p"; }
wait_until $((REPEATS + 60))s gone "$LOAD"
note "$RATE a second asked for: $(<"$T/load.json")"
ok "there were at most two generations of two workers: $most" test "$most" -le 4
ok "every request was answered with 200" jq -e '.codes == {"200": .started}' "$T/load.json"
is "no connection was reset and no request lost" "$(jq -c '[.broken, .unanswered]' "$T/load.json")" "[0,0]"
ok "the rate was kept" jq -e --argjson rate "$RATE" '.started / .seconds >= $rate * 0.98' "$T/load.json"
begin=$(middle "${early[@]}") end=$(middle "${late[@]}")
ok "its memory is what it was, within 5 %: $begin -> $end KiB" test $((end * 100)) -le $((begin * 105))
wait_until 60s rests
is "the last SIGHUP was taken" "$(metric config_last_reload_success)" 1
finish
