#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 21-faults.sh -- PostgreSQL away at the start, cut off, only reading, half-open; and what may be told while the table is not fresh
# (F16, F17, F18, F24, R28)
. "${0%/*}/lib.sh"
need netns postgres

answer() { TOKEN=$1 request /v1/logs -d x; }
told() { [ "$(answer "$1")" = "$2" ]; }
all_tell() { local i; for i in {1..8}; do told "$1" "$2" || return 1; done; }
gauge() { [ "$(metric tenants_source_connected)" = "$1" ]; }
verbose() { admin '/ready?verbose'; }

# F16: nobody is there at the start
tenant_add acme
tokens=()
for i in 1 2 3 4; do tokens+=("$(token_add acme)"); done
kept=${tokens[0]} cut=${tokens[1]} half_open=${tokens[2]}
revoked=$(token_add acme)
token_revoke "$revoked"
unknown=$(token_new)
last=${unknown: -1}
broken=${unknown%?}$([ "$last" = 0 ] && echo 1 || echo 0)
pg_stop way
stalls_watch
conf_base 2
(umask 077; echo "$PG_DSN_TCP" >"$T/dsn")
conf tenants.dsn= "tenants.dsn_file=$T/dsn" tenants.fresh_for=1s
headgate_start
pid=$HG_PID
is "without a table a credential is not judged" "$(answer "$kept")" 503
like "nor is it said to be wrong" "$(cat "$T/reply")" hg-auth-unavailable
like "the client is to come again" "$(reply_header Retry-After)" '^[1-5]$'
is "but a checksum is" "$(answer "$broken")" 401
is "/ready" "$(TOKEN='' get /ready)" 503
like "it names the check" "$(cat "$T/reply")" '^not ready: .*tenants'
is "/health" "$(TOKEN='' get /health)" 200
is "the gauge" "$(metric tenants_source_connected)" 0
ok "headgatectl calls it not ready: exit 1" eval '"$HEADGATECTL" --socket "$HG_DIR/control.sock" -q status; [ $? = 1 ]'
pg_restart way
back=$(now_us)
ok "PostgreSQL is there: the first request is judged" wait_until 10s told "$kept" 415
took=$(net_since "$back")
ok "within 1 s of its return: $took ms" test "$took" -le 1000
is_ready() { [ "$(TOKEN='' get /ready)" = 200 ]; }
ok "/ready is 200 again" wait_until 10s is_ready
is "it is the same process" "$HG_PID" "$pid"

# R28 and F17: the link is cut and cannot come back for a while
# A second is all that tenants.fresh_for has here: a pause of the machine is longer, and then it is fresh again.
four() { echo "$(answer "$kept") $(answer "$revoked") $(answer "$unknown") $(answer "$broken")"; }
expect_fresh() { comes "$1: known, revoked, unknown, broken: $2" "$2" four; }
expect_fresh "fresh" "415 401 401 401"
pg "ALTER ROLE headgate_gw NOLOGIN" "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'headgate_gw'" >/dev/null
ok "the link is cut" wait_until 10s gauge 0
token_revoke "$cut"
ok "after tenants.fresh_for a token that is unknown is not judged" wait_until 10s all_tell "$unknown" 503
expect_fresh "not fresh" "415 401 503 401"
is "a known one writes on" "$(otlp logs -o "$T/body"; TOKEN=$kept post /v1/logs "$T/body")" 200
is "/ready stays 200" "$(TOKEN='' get /ready)" 200
like "with a warning for those who ask" "$(verbose)" 'warn tenants .*'
is "what was revoked meanwhile is not known yet" "$(answer "$cut")" 415
pg "ALTER ROLE headgate_gw LOGIN"
ok "the link comes back" wait_until 60s gauge 1
ok "what was revoked meanwhile is refused by all workers" wait_until 10s all_tell "$cut" 401
expect_fresh "fresh again" "415 401 401 401"

# F24: after a failover, a server that only reads
moved=$(token_add acme)
ok "one more token" wait_until 10s all_tell "$moved" 415
pg "ALTER ROLE headgate_gw SET default_transaction_read_only = on" "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'headgate_gw'" >/dev/null
refuses() { "$HEADGATECTL" --socket "$HG_DIR/control.sock" status | grep -q '^tenants: .*last error: .*read-only'; }
ok "a server that only reads is refused" wait_until 40s refuses
is "the old table serves" "$(answer "$moved") $(metric tenants_source_connected)" "415 0"
pg "ALTER ROLE headgate_gw RESET default_transaction_read_only"
token_revoke "$moved"
ok "on one that writes it has what changed" wait_until 60s all_tell "$moved" 401

# F18: packets vanish both ways
net_drop "$PG_PORT"
dropped=$(now_us)
ok "a half-open link is found out" within 20000 gauge 0
note "after $((($(now_us) - dropped) / 1000)) ms"
like "it is looked for" "$("$HEADGATECTL" --socket "$HG_DIR/control.sock" status | grep '^tenants')" 'postgres, (away|connecting),'
net_pass "$PG_PORT"
pg "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'headgate_gw'" >/dev/null
token_revoke "$half_open"
ok "it comes back" wait_until 60s gauge 1
ok "with what was revoked meanwhile" wait_until 10s all_tell "$half_open" 401
is "nobody was replaced" "$(metric worker_restarts_total)" 0
finish
