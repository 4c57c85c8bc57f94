#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 61-ready.sh -- each cause that makes a gateway not ready, and each that does not, though it is told (O17; a topic that is missing: 31-topics)
. "${0%/*}/lib.sh"
need postgres

verbose() { admin '/ready?verbose'; }
not_ready()	# SENTENCE NAMES
{
	is "$1: ready says no, and why" "$(get /ready) $(<"$T/reply")" "503 not ready: $2"
	is "$1: and when to ask again" "$(reply_header Retry-After)" 1
	is "$1: health says yes" "$(get /health)" 200
}
warned()	# SENTENCE LINE
{
	is "$1: ready says yes" "$(get /ready) $(<"$T/reply")" "200 ready"
	like "$1: but it is told" "$(verbose)" "$2"
}

# ---- no tenants at first; then they come, and PostgreSQL goes ----
pg_start own
pg_database ready
tenant_add acme
TOKEN=$(token_add acme)
pg_stop own
certs
cert_new soon 5
cp "$T/soon.pem" "$T/cert.pem"
cp "$T/soon.key" "$T/key.pem"
conf_base tls discard postgres 2
conf "log.access_file=$HG_DIR/access.log"
expect_err 'mod=(tenants_pg|certs)'
headgate_start
not_ready "no table was ever loaded" tenants
like "no table was ever loaded: in full" "$(verbose)" $'^fail tenants no table[^\n]*\n.*not ready$'
is "the status page agrees" "$(admin /status.json | jq -c '[.ready, .table]')" '[false,null]'
like "so does the master" "$("$HEADGATECTL" --socket "$HG_DIR/control.sock" status 2>&1)" 'not ready|tenants'
pg_restart own
wait_until 60s is_known "$TOKEN"	# it waits for longer from try to try
known "$TOKEN"
warned "a certificate that ends soon" $'ok tenants [^\n]*\n.*warn certificates [^\n]*\nready$'
pg_stop own
away() { verbose | grep -q '^warn tenants'; }
ok "PostgreSQL is away" wait_until 20s away
warned "PostgreSQL is away" $'warn tenants [^\n]*away.*\nready$'
otlp logs -o "$T/body"
is "PostgreSQL is away: who is known is served" "$(post /v1/logs "$T/body")" 200
pg_restart own
back() { verbose | grep -q '^ok tenants'; }
ok "PostgreSQL is back" wait_until 60s back
headgate_stop

# ---- more tenants than there is room for ----
instance small
CA=''
tenant_add more-1
tenant_add more-2
conf_base discard postgres 1
conf limits.max_tenants=2 "log.access_file=$HG_DIR/access.log"
expect_err 'mod=tenants'
headgate_start
known "$TOKEN"
warned "rows beyond the limit" $'warn limits [^\n]*\nready$'
is "rows beyond the limit: are counted" "$(metric tenants_rows_over_limit '{kind="tenant"}')" 1
headgate_stop

# ---- no brokers; a budget that is nearly spent; about to end ----
instance full
KAFKA_BROKERS=127.0.0.1:$(port_pick) conf_base kafka postgres 1
conf limits.worker_bytes=4MiB limits.tenant_share=100% kafka.ack_deadline=100s http.drain_timeout=60s "log.access_file=$HG_DIR/access.log"
expect_err 'mod=(sink_kafka|topics|workers|life)'
headgate_start
known "$TOKEN"
warned "no broker was ever there" $'ok tenants [^\n]*\nwarn kafka no metadata[^\n]*\nready$'
down() { verbose | grep -q '^warn kafka'; }
ok "no broker is there" wait_until 20s down
degraded() { "$HEADGATECTL" --socket "$HG_DIR/control.sock" status >"$T/said" && grep -q '^degraded: brokers are away' "$T/said"; }
ok "no broker is there: the master says so, and is ready" wait_until 20s degraded
background python3 "$WAY/tools/load.py" "$URL" --token "$TOKEN" --quiet --connections 80 --requests 400 --pad 50000 --results "$T/sent"
load=$SPAWNED
spent() { [ "$(get /ready)" = 503 ]; }
ok "bodies fill the budget" wait_until 20s spent
not_ready "over 90 % of the budget is in use" kafka
says() { "$HEADGATECTL" --socket "$HG_DIR/control.sock" status >"$T/said"; [ $? = 1 ] && grep -qx 'not ready: kafka' "$T/said"; }
ok "over 90 % of the budget is in use: so says the master" wait_until 20s says
like "over 90 % of the budget is in use: in full" "$(verbose)" $'fail kafka queue over 90 %[^\n]*\nnot ready$'
# On connections of before, for new ones are not taken any more; each is asked until a reply is its last, as those of a worker that drains are.
cat >"$T/last.py" <<'END'
import socket, sys
host, port = sys.argv[1].rsplit(":", 1)
links = {path: socket.create_connection((host, int(port)), timeout=30) for path in ("/ready", "/health")}
def ask(path):
    links[path].sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    reply = links[path].makefile("rb")
    status, fields = reply.readline().decode().strip(), {}
    while line := reply.readline().decode().strip():
        name, _, value = line.partition(": ")
        fields[name.lower()] = value
    return status, fields, reply.read(int(fields.get("content-length", "0"))).decode().strip()
for path in links:
    ask(path)
print("taken", flush=True)
while links:
    for path in list(links):
        status, fields, body = ask(path)
        if fields.get("connection") == "close":
            print(path, status, body, flush=True)
            del links[path]
END
background bash -c 'exec python3 "$1" "$2" >"$3"' - "$T/last.py" "$ADDRESS" "$T/last"
last=$SPAWNED
wait_until 20s grep -q taken "$T/last"
kill -TERM "$HG_PID"
ok "it is told to end" wait_until 20s notify STOPPING=1
wait_until 20s gone "$last"
is "about to end: ready says no, and why" "$(grep ^/ready "$T/last")" "/ready HTTP/1.1 503 Service Unavailable not ready: draining, kafka"
like "about to end: health says yes" "$(grep ^/health "$T/last")" ' 200 OK'
end_pid "$load" KILL
# finish ends it by a second signal: the first would wait for what can't be delivered.
finish
