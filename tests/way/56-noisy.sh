#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 56-noisy.sh -- a tenant that sends nonsense as fast as it can is refused by its own rate, before a byte of a body is read, and a quiet
# neighbour on the same worker waits less than twice as long as it did alone, by its p99 (R24): at NOISE bodies a second, with BODIES as
# fast as they can be sent, and with requests whose writes end in the next one's first bytes
. "${0%/*}/lib.sh"
. "${0%/*}/beside.sh"
: "${NOISE:=1500}" "${BODIES:=100000}"

QUIET=$(token_new)
LOUD=$(token_new)
for each in QUIET LOUD; do printf '%s\n' "${!each}" >"$T/$each"; done
tenants_file "quiet:$QUIET" "loud:$LOUD|requests_per_s: 100, requests_burst: 200"
conf_base file discard 1
conf "log.access_file=$HG_DIR/access.log"
headgate_start
beside_first
known "$QUIET"
otlp logs -n 1 -m quiet -o "$T/good"
head -c 300 /dev/urandom | sed 's/^/\xff/' >"$T/bad"
to=(-u "$URL/v1/logs" -H 'Content-Type: application/x-protobuf')
BESIDE_QUIET=("${to[@]}" -b "$T/good" -t "$T/QUIET" -r 200 -c 4)
loud=("${to[@]}" -b "$T/bad" -t "$T/LOUD")
count() { jq -r --arg code "$2" '.codes[$code] // 0' "$T/$1"; }
beside_round()
{
	refused=$((refused + $(count noise 429)))
	is "$what: nonsense is 400 or 429, nothing else" "$(jq -c '.codes | del(.["400"], .["429"])' "$T/noise")" '{}'
	ok "$what: no more of it is looked at than the rate lets" jq -e '.codes["400"] <= 200 + 100 * .seconds + 1' "$T/noise"
	ok "$what: most is refused" test "$(count noise 429)" -gt "$(count noise 400)"
	is "$what: the quiet tenant is served" "$(jq -c '.codes | keys' "$T/beside")" '["200"]'
}

refused=0 what="$NOISE a second"
beside noise_sends "${loud[@]}" -r "$NOISE" -c 16 -d "$BESIDE_SECONDS"
ok "$what: the quiet tenant waits less than twice as long, p99" beside_as_fast
lines() { [ "$(grep -c '"verdict":"hg-rate-requests"' "$HG_DIR/access.log")" = "$refused" ]; }
ok "each refusal is in the access log" wait_until 20s lines
is "before a byte of a body was read" \
	"$(jq -r 'select(.verdict == "hg-rate-requests") | "\(.stage) \(.bytes_in)"' "$HG_DIR/access.log" | sort -u)" "admit 0"

conf audit.accepted=none log.access_file=
ok "a reload" headgate_switch
beside_first full
at_once() { renice -n 19 "$BASHPID" >&2; noise_sends "${loud[@]}" -c 256 -d 60 -n "$BODIES"; }
what="$BODIES at once"
beside at_once
ok "$what: the quiet tenant waits less than twice as long, p99" beside_as_fast
is "each of them was answered" "$(jq .done "$T/noise")" "$BODIES"

# ---- each write ends in the next request's first byte ----
cat >"$T/odd.py" <<'END'
import json, selectors, socket, sys, time

host, port, token, connections, seconds = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), float(sys.argv[5])
request = (f"POST /v1/logs HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nContent-Type: application/x-protobuf\r\n"
           "Content-Length: 8\r\n\r\nnonsense").encode()
ready, codes, begin = selectors.DefaultSelector(), {}, time.monotonic()
for _ in range(connections):
    s = socket.create_connection((host, port))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s.send(request + request[:1])
    ready.register(s, selectors.EVENT_READ)
while time.monotonic() < begin + seconds:
    for key, _ in ready.select(0.1):
        reply = key.fileobj.recv(65536)
        if not reply:
            sys.exit("a connection was closed")
        code = reply[9:12].decode()
        codes[code] = codes.get(code, 0) + 1
        key.fileobj.send(request[1:] + request[:1])
print(json.dumps({"seconds": time.monotonic() - begin, "codes": codes}))
END
odd() { renice -n 19 "$BASHPID" >&2; exec "${BESIDE_PIN[@]}" python3 "$T/odd.py" "${ADDRESS%:*}" "${ADDRESS##*:}" "$LOUD" 256 $((BESIDE_SECONDS + 2)); }
what="in odd pieces"
beside odd
ok "$what: the quiet tenant waits less than twice as long, p99" beside_as_fast
finish
