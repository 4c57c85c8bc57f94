#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 16-limits.sh -- HTTP/1.1 on a real connection: what is accepted besides the usual, and the bounds of a head, a connection, a source and
# a listener (faults.md 5, 6), each at its last good and its first bad value
. "${0%/*}/lib.sh"

TOKEN=$(token_new)
tenants_file "acme:$TOKEN"
conf_base file discard 1
conf http.requests_per_connection=1000000 http.head_timeout=60s \
	listeners.0.max_connections=6 listeners.0.max_connections_per_source=4 "log.access_file=$HG_DIR/access.log"
headgate_start
known "$TOKEN"
many() { head -c "$1" /dev/zero | tr '\0' "${2:-x}"; }
# said [OPTION]...: of raw: "STATUS STATUS ... END"
said() { { raw "$@" 2>"$T/end" | LC_ALL=C grep -aoP 'HTTP/1\.1 \K[0-9]+(?= )'; tail -n 1 "$T/end" | cut -d' ' -f1; } | xargs; }
get_health='GET /health HTTP/1.1\r\nHost: x\r\n\r\n'
refused() { metric connections_refused_total "{reason=\"$1\"}"; }

# ---- the head ----
# file_of REQUEST-LINE FIELD...: a request in a file, for those that are long
file_of() { printf '%s\r\n' "$@" "" >"$T/request"; }
file_of "GET /$(many $((8192 - 14))) HTTP/1.1" "Host: x"
is "a request line of 8 KiB is read" "$(said --replies 1 "$T/request")" "404 done"
file_of "GET /$(many $((8193 - 14))) HTTP/1.1" "Host: x"
is "of one byte more not" "$(said "$T/request")" "431 closed"
file_of "GET /health HTTP/1.1" "Host: x" "X: $(many $((8192 - 3)))"
is "a field of 8 KiB is read" "$(said --replies 1 "$T/request")" "200 done"
file_of "GET /health HTTP/1.1" "Host: x" "X: $(many $((8193 - 3)))"
is "of one byte more not" "$(said "$T/request")" "431 closed"
fields=()
for i in {1..63}; do fields+=("X-$i: y"); done
file_of "GET /health HTTP/1.1" "Host: x" "${fields[@]}"
is "64 fields are read" "$(said --replies 1 "$T/request")" "200 done"
file_of "GET /health HTTP/1.1" "Host: x" "${fields[@]}" "One: more"
is "65 not" "$(said "$T/request")" "431 closed"
file_of "GET /health HTTP/1.1" "Host: x" "A: $(many 8000)" "B: $(many 8000)" "C: $(many 8000)" "D: $(many 8000)"
is "a head below 32 KiB is read" "$(said --replies 1 "$T/request")" "200 done"
file_of "GET /health HTTP/1.1" "Host: x" "A: $(many 8000)" "B: $(many 8000)" "C: $(many 8000)" "D: $(many 8000)" "E: $(many 800)"
is "above it not" "$(said "$T/request")" "431 closed"

# ---- accepted, P22 ----
is "HTTP/1.0 without Host, then closed" "$(said --text 'GET /health HTTP/1.0\r\n\r\n')" "200 closed"
is "HTTP/1.0 with keep-alive" "$(said --replies 2 --text 'GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')" \
	"200 200 done"
is "an absolute target of http and https" "$(said --replies 2 --text 'GET http://y/health HTTP/1.1\r\nHost: x\r\n\r\nGET https://y:4318/health HTTP/1.1\r\nHost: x\r\n\r\n')" \
	"200 200 done"
is "but not of ftp" "$(said --text 'GET ftp://y/health HTTP/1.1\r\nHost: x\r\n\r\n')" "400 closed"
is "HEAD where GET is" "$(raw --text 'HEAD /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' 2>/dev/null | tr -d '\r' | sed -n '1p;$p' | xargs)" "HTTP/1.1 200 OK"
is "a client that half-closes gets its reply" "$(said --half-close --text "$get_health")" "200 closed"
is "and all of several" "$(said --half-close --text "$get_health$get_health$get_health")" "200 200 200 closed"
is "/health takes no POST" "$(said --replies 1 --text 'POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n')" "405 done"
is "/metrics is not for the public" "$(said --replies 1 --text 'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n')" "404 done"

# ---- many on one connection, in order ----
for ((i = 0; i < 50; i++)); do
	printf 'GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: x\r\n\r\nGET /v1/logs HTTP/1.1\r\nHost: x\r\n\r\n'
done >"$T/request"
is "150 pipelined requests are answered in order" "$(said --replies 150 "$T/request" | sed 's/\(200 404 405 \)\1*/\1/')" "200 404 405 done"
head_of="POST /v1/logs HTTP/1.1\\r\\nHost: x\\r\\nAuthorization: Bearer $TOKEN\\r\\nContent-Type: application/x-protobuf\\r\\n"
is "bodies between them are theirs" "$(said --replies 4 --text "${head_of}Content-Length: 0\\r\\n\\r\\n${head_of}Content-Length: 3\\r\\n\\r\\nGET${head_of}Transfer-Encoding: chunked\\r\\n\\r\\n3;a=b\\r\\nGET\\r\\n0\\r\\nTrailer: x\\r\\n\\r\\n$get_health")" \
	"200 400 400 200 done"
is "an extension of 257 bytes is too long" "$(said --text "${head_of}Transfer-Encoding: chunked\\r\\n\\r\\n3;$(many 256)\\r\\nGET\\r\\n0\\r\\n\\r\\n")" "400 closed"

# ---- what was not wanted, and comes all the same ----
stranger="POST /v1/logs HTTP/1.1\\r\\nHost: x\\r\\nContent-Type: application/x-protobuf\\r\\n"
is "a little body of a stranger is thrown away" "$(said --replies 2 --text "${stranger}Content-Length: 5\\r\\n\\r\\nHELLO$get_health")" "401 200 done"
{ printf '%b' "${stranger}Content-Length: 200000\\r\\n\\r\\n"; many 200000; printf '%b' "$get_health"; } >"$T/request"
like "a large one is not read, and ends the connection" "$(said "$T/request")" '^401 (closed|reset)$'
is "nor one in chunks" "$(said --text "${stranger}Transfer-Encoding: chunked\\r\\n\\r\\n5\\r\\nHELLO\\r\\n0\\r\\n\\r\\n$get_health")" "401 closed"

# ---- times; these bounds are what is tested. Elsewhere a pause of the machine would be too long for them. ----
conf http.idle_timeout=700ms http.write_timeout=700ms
ok "a reload shortens them" headgate_switch
ms() { tail -n 1 "$T/end" | cut -d' ' -f2; }
is "a connection without a request is closed" "$(said --text '')" closed
ok "after idle_timeout" test "$(ms)" -ge 600 -a "$(ms)" -le 8000
is "so is one after its request" "$(said --text "$get_health")" "200 closed"
ok "after the same" test "$(ms)" -ge 600 -a "$(ms)" -le 8000
is "both are counted" "$(refused idle_timeout)" 2
# F40, short: nobody reads the replies
python3 - "$ADDRESS" >"$T/unread" <<'END'
import socket, sys
host, port = sys.argv[1].rsplit(":", 1)
link = socket.socket()
link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
link.settimeout(20)
link.connect((host, int(port)))
try:
    while True:
        link.sendall(b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
except (BrokenPipeError, ConnectionResetError):
    print("cut")
except TimeoutError:
    print("still there")
END
is "a client that reads no reply is cut off" "$(cat "$T/unread")" cut
is "and counted as that" "$(refused write_timeout)" 1

conf http.idle_timeout= http.write_timeout=
ok "and takes that back" headgate_switch

# ---- connections of a source and of the listener ----
open=()
# hold ADDRESS: a connection in the midst of its head from that address, which no limit may displace
hold()
{
	background python3 -c 'import socket, sys, time
host, port = sys.argv[1].rsplit(":", 1)
link = socket.create_connection((host, int(port)), source_address=(sys.argv[2], 0))
link.sendall(b"GET /health HTTP/1.1\r\n")
link.settimeout(120)
link.recv(1)' "$ADDRESS" "$1"
	open+=("$SPAWNED")
}
held() { [ "$(metric connections '{listener="public",state="active"}')" = "$1" ]; }
for i in 1 2 3 4; do hold 127.0.0.5; done
ok "four busy connections of a source" wait_until 15s held 4
is "the fifth of it is turned away" "$(said --source 127.0.0.5 --text '')" "503 closed"
is "and counted" "$(refused source_limit)" 1
is "another source is not" "$(said --replies 1 --source 127.0.0.6 --text "$get_health")" "200 done"
hold 127.0.0.6
hold 127.0.0.7
ok "six busy connections in all" wait_until 15s held 6
is "the seventh is turned away, whosoever" "$(said --source 127.0.0.8 --text '')" "503 closed"
ok "and counted" test "$(refused limit)" -ge 1
for pid in "${open[@]}"; do end_pid "$pid"; done
ok "when they are gone" wait_until 15s held 0
is "everybody is welcome" "$(said --replies 1 --source 127.0.0.5 --text "$get_health")" "200 done"

# http.requests_per_connection, by a reload
conf http.requests_per_connection=3 http.idle_timeout=30s
ok "a reload is taken" headgate_switch
is "after three requests the connection ends" "$(said --text "$get_health$get_health$get_health$get_health")" "200 200 200 closed"

# an idle connection gives way
exec {idle}<>"/dev/tcp/${ADDRESS/://}"
printf '%b' "$get_health" >&"$idle"
read -r -t 10 line <&"$idle"
like "an idle connection" "$line" 'HTTP/1.1 200 OK'
open=()
for i in 1 2 3; do hold 127.0.0.1; done
ok "beside three busy ones" wait_until 15s held 3
is "gives way to a fifth" "$(said --replies 1 --text "$get_health")" "200 done"
ok "and is closed" timeout 10 cat <&"$idle"
for pid in "${open[@]}"; do end_pid "$pid"; done
finish
