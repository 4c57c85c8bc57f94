#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 55-rates.sh -- a tenant's rate is one for all workers, and exact; a killed worker leaves nothing behind; other limits apply live and keep
# what was used up (R16-R19, R24). RATE_SECONDS=60: the long form
. "${0%/*}/lib.sh"
: "${RATE_SECONDS:=4}"

TOKEN=$(token_new)
OTHER=$(token_new)
FOUR=$(token_new)
EIGHT=$(token_new)
rate='requests_per_s: 200, requests_burst: 100'
limited() { tenants_file "acme:$TOKEN|$1" "other:$OTHER" "four:$FOUR|$rate" "eight:$EIGHT|$rate"; }
# load SECONDS TOKEN: small bodies as fast as they are answered, on 16 connections
load()
{
	printf '%s\n' "$2" >"$T/token"
	exec env ASAN_OPTIONS=detect_leaks=0 "$HEADGATE_BUILD/hgload" -u "$URL/v1/logs" -b "$T/body" -d "$1" -c 16 -t "$T/token" \
		-H 'Content-Type: application/x-protobuf'
}
# exact BURST RATE: from the load's begin to its last answer, 200 or 429, as many were admitted as the limit gives, to 1 %, and no more. Not to
# the last one admitted: a limit that admits nobody any more would be as exact. What was admitted the sender knows: records may be dropped
exact()
{
	jq -er --argjson burst "$1" --argjson rate "$2" '($burst + $rate * .seconds | round) as $wanted | .codes["200"] as $admitted |
		if $admitted <= $wanted + 1 and $admitted >= $wanted * 0.99 then "\($admitted) of \($wanted)" else error("\($admitted) of \($wanted)") end' \
		"$T/load.json"
}
refused() { metric ratelimit_refused_total "{tenant=\"$1\",kind=\"$2\"}"; }
quiet() { [ "$(post /v1/logs "$T/body")" = 200 ]; }

otlp logs -n 1 -m rates -o "$T/body"
limited "$rate"
conf_base file discard 4
headgate_start
known "$OTHER"	# the others send nothing before their time

# ---- R18 ----
# keeps_rate TOKEN: fails if more were admitted, or less three times: a sender that stands still for longer than the burst lasts loses some
keeps_rate()
{
	local try
	told=0
	for try in 1 2 3; do
		[ "$try" = 1 ] || read -rt 1 -u "$WAY_TICK"	# so long takes a whole burst
		(load "$RATE_SECONDS" "$1") >"$T/load.json"
		told=$((told + $(jq '.codes["429"]' "$T/load.json")))
		exact 100 200 && return
		jq -e '.codes["200"] <= 101 + 200 * .seconds' "$T/load.json" || break
	done
	return 1
}
ok "four workers admit what the rate gives" keeps_rate "$FOUR"
note "$(<"$T/.output") $(<"$T/load.json")"
is "the rest is 429" "$(jq -c '.codes | del(.["200"], .["429"])' "$T/load.json")" '{}'
is "and is counted" "$(refused four requests)" "$told"
conf workers=8
headgate_switch
ok "so do eight" keeps_rate "$EIGHT"
note "$(<"$T/.output") $(<"$T/load.json")"

# ---- a worker dies at full load ----
expect_err 'mod=workers'
(load 30 "$TOKEN") >"$T/load.json" &
sender=$!
more() { [ "$(metric requests_total '{verdict="accepted"}')" -gt "$1" ]; }
wait_until 20s more "$(metric requests_total '{verdict="accepted"}')"
one=$(workers | head -n 1)
ok "a worker is killed" kill -KILL "$one"
wait_until 20s gone "$one"
eight() { [ "$(workers | wc -l)" = 8 ]; }
ok "another takes its place" wait_until 20s eight
kill "$sender"
wait "$sender"
ok "the rate is not stuck" wait_until 20s quiet

# ---- the cap on what is in flight, and a death ----
limited 'max_inflight_requests: 2'
free() { [ "$(post /v1/logs "$T/body")" = 200 ]; }
ok "other limits apply without a restart" wait_until 20s free
begun() { printf 'POST /v1/logs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/x-protobuf\r\nContent-Length: 1000\r\n\r\nx' "$TOKEN"; }
exec {a}<>"/dev/tcp/${ADDRESS/://}" {b}<>"/dev/tcp/${ADDRESS/://}"
begun >&"$a"
begun >&"$b"
capped() { [ "$(post /v1/logs "$T/body")" = 503 ] && grep -aqF hg-inflight "$T/reply"; }
ok "the third of two requests is 503" wait_until 20s capped
ok "and is counted" test "$(refused acme inflight)" -gt 0
is "another tenant is not concerned" "$(TOKEN=$OTHER post /v1/logs "$T/body")" 200
mapfile -t all < <(workers)
kill -KILL "${all[@]}"
for one in "${all[@]}"; do wait_until 20s gone "$one"; done
ok "all workers are replaced" wait_until 20s eight
exec {a}>&- {b}>&-
ok "what the dead had in flight is no more" wait_until 20s free

# ---- live changes keep what was used up ----
limited 'bytes_per_s: 1, bytes_burst: 1MB'
otlp logs --pad 600000 -m large -o "$T/large"
spent() { [ "$(post /v1/logs "$T/large")" = 429 ]; }
ok "a burst is used up" wait_until 20s spent
limited 'bytes_per_s: 2, bytes_burst: 1MB'
faster() { [ "$(post /v1/logs "$T/large")" = 429 ] && grep -aqF 'limit of 2 bytes/s' "$T/reply"; }
ok "and still so with the next limits" wait_until 20s faster
limited 'bytes_per_s: 100MB, bytes_burst: 100MB'
ok "a rate that was raised is not held by what a lower one left" wait_until 20s quiet

# ---- a body is judged before it is read ----
limited 'max_body_bytes: 100, requests_per_s: 100'
tight() { [ "$(post /v1/logs "$T/large")" = 413 ] && grep -aqF hg-body-size "$T/reply"; }
ok "max_body_bytes" wait_until 20s tight
is "is one tenant's own" "$(TOKEN=$OTHER post /v1/logs "$T/large")" 200
finish
