#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 25-pooler.sh -- behind a transaction pooler the bell cannot be heard: one error says so, and polls find the changes (F19); one tenant more
# than there is room for is left out, the others serve (R28, O30)
. "${0%/*}/lib.sh"
need postgres
PATH=$PATH:/usr/sbin
command -v pgbouncer >/dev/null || skip_all pgbouncer

tenant_add acme
port=$(port_pick)
mkdir -p "$T/pooler"
cat >"$T/pooler/ini" <<END
[databases]
$PG_DB = host=$PG_SOCKET_DIR port=$PG_PORT dbname=$PG_DB user=headgate_gw
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $port
auth_type = any
pool_mode = transaction
unix_socket_dir =
END
[ "$(id -u)" != 0 ] || chown -R postgres: "$T/pooler"
background "${PG_USER[@]}" pgbouncer -q "$T/pooler/ini"
listens() { (exec 9<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }
wait_until 30s listens || bail "pgbouncer does not start: $(cat "$T/background.log")"

conf_base 2
conf "tenants.dsn=\"host=127.0.0.1 port=$port dbname=$PG_DB user=headgate_gw\"" tenants.poll=3s
expect_err 'the bell cannot be heard'
stalls_watch
headgate_start
deaf() { hg_log 'lvl=err mod=tenants_pg msg="the bell cannot be heard, changes are found by polling" why=".*pooler.*"'; }
ok "the start goes on, and one error names the cause, within 3 s" within 3000 deaf
probe() { [ "$(metric tenants_notify_probe_success)" = "$1" ] && [ "$(metric tenants_source_connected)" = 1 ]; }
ok "the gauge of the bell is 0, that of the source 1" wait_until 10s probe 0
token=$(token_new)
# 35 s there: tenants.poll is 30 s by default
took=$(judged --first 401 --then 415 --within 8000 --sql "SELECT way.token('acme', '%s')" "$token")
like "a change is found by the next poll" "$took" '^[0-9]+ '
took=$(judged --first 415 --then 401 --within 8000 --sql "SELECT way.revoke('%s')" "$token")
like "so is a revocation" "$took" '^[0-9]+ '
is "the error was told once" "$(grep -c 'cannot be heard' "$HG_LOG")" 1

# R28, O30: four tenants and room for three
expect_err 'rows beyond limits'
token=$(token_add acme)
for tenant in b c d; do tenant_add $tenant; done
late=$(token_add d)
instance small
conf_base 1
conf limits.max_tenants=3 limits.max_tokens=2
pg "DELETE FROM headgate.token WHERE token_id NOT IN (way.token_id('$token'), way.token_id('$late'))"
headgate_start
known "$token"
is "one tenant is left out" "$(metric tenants_rows_over_limit '{kind="tenant"}')" 1
is "its token is unknown" "$(TOKEN=$late request /v1/logs -d x)" 401
is "/ready is 200" "$(TOKEN='' get /ready)" 200
like "with a warning" "$(admin '/ready?verbose')" 'warn '
pg "DELETE FROM headgate.tenant WHERE tenant_id = 'b'"
known "$late"
is "with one less there is room for it" "$(metric tenants_rows_over_limit '{kind="tenant"}')" 0
pg "SELECT way.token('acme', 'third')" >/dev/null
over() { [ "$(metric tenants_rows_over_limit '{kind="token"}')" = 1 ]; }
ok "a token beyond the room for two is left out" wait_until 10s over
is "the others serve" "$(TOKEN=$token request /v1/logs -d x) $(TOKEN=$late request /v1/logs -d x)" "415 415"
is "/ready is 200 with a token too many" "$(TOKEN='' get /ready)" 200
like "and warns of it" "$(admin '/ready?verbose')" $'warn [^\n]*token'
finish
