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
ok "PostgreSQL is back" wait_until 20s back
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
conf limits.worker_bytes=4MiB limits.tenant_share=100% kafka.ack_deadline=100s http.drain_timeout=3s "log.access_file=$HG_DIR/access.log"
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
# On connections of before: new ones are not taken any more.
ask()	# DESCRIPTOR PATH: one reply, its status and last line
{
	printf 'GET %s HTTP/1.1\r\nHost: x\r\n\r\n' "$2" >&"$1"
	timeout 5 cat <&"$1" | tr -d '\r' | sed -n '1s/^HTTP.1.1 //p; $p' | xargs
}
exec {first}<>"/dev/tcp/${ADDRESS/://}" {second}<>"/dev/tcp/${ADDRESS/://}"
# Both must have been taken by the worker.
for fd in $first $second; do
	printf 'GET /health HTTP/1.1\r\nHost: x\r\n\r\n' >&"$fd"
	while IFS= read -r -t 5 -u "$fd" line && [ "$line" != $'\r' ]; do :; done
done
kill -TERM "$HG_PID"
ok "it is told to end" wait_until 20s notify STOPPING=1
is "about to end: ready says no, and why" "$(ask "$first" /ready)" "503 Service Unavailable not ready: draining, kafka"
like "about to end: health says yes" "$(ask "$second" /health)" '^200 OK'
exec {first}>&- {second}>&-
end_pid "$load" KILL
finish
