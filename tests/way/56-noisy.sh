#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 56-noisy.sh -- a tenant that sends nonsense as fast as it can is refused by its own rate, before a byte of a body is read, and a quiet
# neighbour's p99 stays within twice what it was (R24; five times with sanitizers, where a refusal costs more than a record): at NOISE
# bodies a second, and with 100 000 as fast as this machine can send them
. "${0%/*}/lib.sh"
: "${NOISE:=1500}" "${NOISE_SECONDS:=4}" "${BODIES:=100000}"

QUIET=$(token_new)
LOUD=$(token_new)
tenants_file "quiet:$QUIET" "loud:$LOUD|requests_per_s: 100, requests_burst: 200"
conf_base file discard 2
conf "log.access_file=$HG_DIR/access.log"
headgate_start
known "$QUIET"
otlp logs -n 1 -m quiet -o "$T/good"
head -c 300 /dev/urandom | sed 's/^/\xff/' >"$T/bad"
# load TOKEN BODY RATE CONNECTIONS [OPTION]...
load()
{
	printf '%s\n' "$1" >"$T/$1"
	exec env ASAN_OPTIONS=detect_leaks=0 "$HEADGATE_BUILD/hgload" -u "$URL/v1/logs" -b "$2" -r "$3" -c "$4" -d "$NOISE_SECONDS" -t "$T/$1" \
		-H 'Content-Type: application/x-protobuf' "${@:5}"
}
count() { jq -r --arg code "$2" '.codes[$code] // 0' "$T/$1"; }
factor=2 floor=20	# milliseconds: below it is the machine's noise, not the neighbour's
[[ $("$HEADGATE" -v) != *asan* ]] || factor=5 floor=60
# judge SENTENCE: of $T/noise, and what $T/beside was to $T/alone
judge()
{
	note "alone $(<"$T/alone")"
	note "beside $(<"$T/beside")"
	note "noise $(<"$T/noise")"
	is "$1: nonsense is 400 or 429, nothing else" "$(jq -c '.codes | del(.["400"], .["429"])' "$T/noise")" '{}'
	ok "$1: no more of it is looked at than the rate lets" jq -e '.codes["400"] <= 200 + 100 * .seconds + 1' "$T/noise"
	ok "$1: most is refused" test "$(count noise 429)" -gt "$(count noise 400)"
	is "$1: the quiet tenant is served" "$(jq -c '.codes | keys' "$T/beside")" '["200"]'
	ok "$1: and hardly waits longer" as_fast
}
as_fast() { jq -e --argjson factor $factor --argjson floor $floor -s '.[1].p99_ms <= ([.[0].p99_ms * $factor, $floor] | max)' "$T/alone" "$T/beside"; }
# beside COMMAND...: the quiet tenant alone, then with that as noise. What else the machine does may come in between: three tries.
beside()
{
	local noise
	for _ in 1 2 3; do
		(load "$QUIET" "$T/good" 50 4) >"$T/alone"
		("$@") >"$T/noise" &
		noise=$!
		(load "$QUIET" "$T/good" 50 4) >"$T/beside"
		wait "$noise"
		refused=$((refused + $(count noise 429)))
		! as_fast >"$T/fast" || break
	done
}

refused=0
beside load "$LOUD" "$T/bad" "$NOISE" 16
judge "$NOISE a second"
lines() { [ "$(grep -c '"verdict":"hg-rate-requests"' "$HG_DIR/access.log")" = "$refused" ]; }
ok "each refusal is in the access log" wait_until 5s lines
is "before a byte of a body was read" \
	"$(jq -r 'select(.verdict == "hg-rate-requests") | "\(.stage) \(.bytes_in)"' "$HG_DIR/access.log" | sort -u)" "admit 0"

# The sender of these yields to all others: that it takes a core is no fault of the gateway. What it keeps busy shows all the same.
floor=$((4 * floor))
conf audit.accepted=none log.access_file=
ok "a reload" headgate_switch
yielding() { renice -n 19 "$BASHPID" >&2; NOISE_SECONDS=60; load "$LOUD" "$T/bad" 0 16 -n "$BODIES"; }
beside yielding
judge "$BODIES at once"
is "each of them was answered" "$(jq .done "$T/noise")" "$BODIES"
finish
