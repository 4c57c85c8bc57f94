#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 56-noisy.sh -- a tenant that sends nonsense as fast as it can is refused by its own rate, before a byte of a body is read, and a quiet
# neighbour's p99 stays within twice what it was (R24; five times with sanitizers, where a refusal costs more than a record).
# NOISE=100000 NOISE_SECONDS=1, on a machine that can send so much: the form of R24
. "${0%/*}/lib.sh"
: "${NOISE:=1500}" "${NOISE_SECONDS:=4}"

QUIET=$(token_new)
LOUD=$(token_new)
tenants_file "quiet:$QUIET" "loud:$LOUD|requests_per_s: 100, requests_burst: 200"
conf_base file discard 2
conf "log.access_file=$HG_DIR/access.log"
headgate_start
known "$QUIET"
otlp logs -n 1 -m quiet -o "$T/good"
head -c 300 /dev/urandom | sed 's/^/\xff/' >"$T/bad"
# load TOKEN BODY RATE CONNECTIONS
load()
{
	printf '%s\n' "$1" >"$T/$1"
	exec env ASAN_OPTIONS=detect_leaks=0 "$HEADGATE_BUILD/hgload" -u "$URL/v1/logs" -b "$2" -r "$3" -c "$4" -d "$NOISE_SECONDS" -t "$T/$1" \
		-H 'Content-Type: application/x-protobuf'
}
(load "$QUIET" "$T/good" 50 4) >"$T/alone"
(load "$LOUD" "$T/bad" "$NOISE" 16) >"$T/noise" &
noise=$!
(load "$QUIET" "$T/good" 50 4) >"$T/beside"
wait "$noise"
note "alone $(<"$T/alone")"
note "beside $(<"$T/beside")"
note "noise $(<"$T/noise")"

count() { jq -r --arg code "$2" '.codes[$code] // 0' "$T/$1"; }
is "nonsense is 400 or 429, nothing else" "$(jq -c '.codes | del(.["400"], .["429"])' "$T/noise")" '{}'
ok "no more of it is looked at than the rate lets" jq -e '.codes["400"] <= 200 + 100 * .seconds + 1' "$T/noise"
ok "most is refused" test "$(count noise 429)" -gt "$(count noise 400)"
lines() { [ "$(grep -c '"verdict":"hg-rate-requests"' "$HG_DIR/access.log")" = "$(count noise 429)" ]; }
ok "each refusal is in the access log" wait_until 5s lines
is "before a byte of a body was read" \
	"$(jq -r 'select(.verdict == "hg-rate-requests") | "\(.stage) \(.bytes_in)"' "$HG_DIR/access.log" | sort -u)" "admit 0"
is "the quiet tenant is served" "$(jq -c '.codes | keys' "$T/beside")" '["200"]'
factor=2 floor=20	# milliseconds: below it is the machine's noise, not the neighbour's
[[ $("$HEADGATE" -v) != *asan* ]] || factor=5 floor=60
ok "and hardly waits longer" jq -e --argjson factor "$factor" --argjson floor "$floor" -s \
	'.[1].p99_ms <= ([.[0].p99_ms * $factor, $floor] | max)' "$T/alone" "$T/beside"
finish
