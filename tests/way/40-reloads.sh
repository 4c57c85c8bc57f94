#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 40-reloads.sh -- SIGHUP after SIGHUP under load: no request fails, no connection is reset, there are never more than two generations,
# and a client that says nothing is closed without a reset (F57, short)
. "${0%/*}/lib.sh"

SECONDS_OF_LOAD=10
TOKEN=$(token_new)
tenants_file "acme:$TOKEN"
conf_base discard file 2
headgate_start
echo "$TOKEN" >"$T/tokens"
mkdir "$T/bodies"
otlp logs -m one -o "$T/bodies/one"

# A closed loop: its connections are never idle. One that is may be closed while a request is on its way, which every real client
# looks for before it sends, and the load generator does not. (It leaves its memory to the kernel: no leak check.)
spawn "$T/load.json" env ASAN_OPTIONS=detect_leaks=0 "$HEADGATE_BUILD/hgload" -u "$URL/v1/logs" -b "$T/bodies" -c 2 -d $SECONDS_OF_LOAD -t "$T/tokens" \
	-H 'Content-Type: application/x-protobuf'
LOAD=$SPAWNED
reloads=0 most=0
while alive "$LOAD"; do
	headgate_reload || bail "reload $reloads did not end"
	((++reloads))
	n=$(workers | wc -w)
	((n <= most)) || most=$n
done
note "$reloads reloads, $(<"$T/load.json")"
ok "there were many reloads" test "$reloads" -ge 5
ok "there were at most two generations of two workers" test "$most" -le 4
ok "every request was answered with 200" jq -e '.codes == {"200": .started}' "$T/load.json"
is "no connection was reset and no request lost" "$(jq -c '[.broken, .unanswered]' "$T/load.json")" "[0,0]"

# A connection in keep-alive, quiet while its worker drains, sees an end and no reset.
cat >"$T/quiet.py" <<'END'
import socket, sys
host, port = sys.argv[1].rsplit(":", 1)
s = socket.create_connection((host, int(port)), timeout=60)
s.sendall(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
assert s.recv(4096).startswith(b"HTTP/1.1 200 ")
print("ready", flush=True)
print("end" if s.recv(4096) == b"" else "bytes")
END
spawn "$T/quiet" python3 "$T/quiet.py" "$ADDRESS"
wait_until 20s grep -qx ready "$T/quiet"
headgate_switch
ok "a quiet connection of the old generation is closed without a reset" wait_until 20s grep -qx end "$T/quiet"	# not what it shows of itself when it fails
finish
