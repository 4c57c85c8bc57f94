#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 58-replicated.sh -- where tenants and tokens come by logical replication no trigger fires and no bell rings: the log warns at the start, and a
# revocation is seen all the same, by the full read each 30 s (R27)
. "${0%/*}/lib.sh"
[ -x "$PG_BIN/postgres" ] || skip_all postgres

# Where it is written, and where the gateway reads.
pg_start origin wal_level=logical
pg_database "$NAME"
ORIGIN_DIR=$PG_SOCKET_DIR ORIGIN_PORT=$PG_PORT
pg "CREATE PUBLICATION headgate FOR TABLE headgate.tenant, headgate.token"
tenant_add acme
TOKEN=$(token_add acme)
pg_start copy
pg_database "$NAME"
pg "CREATE SUBSCRIPTION headgate CONNECTION 'host=$ORIGIN_DIR port=$ORIGIN_PORT dbname=$PG_DB user=postgres' PUBLICATION headgate"
has() { [ "$(pg "SELECT count(*) FROM headgate.token WHERE $1")" = "$2" ]; }
ok "the copy has what the origin had" wait_until 60s has true 1
in_sync() { [ "$(pg "SELECT count(*) FROM pg_subscription_rel WHERE srsubstate <> 'r'")" = 0 ]; }
ok "and follows it" wait_until 60s in_sync

conf_base discard postgres 2
conf tenants.poll=1h "log.access_file=$HG_DIR/access.log" http.requests_per_connection=1000000000 # more are made in half a minute than its default
headgate_start
known "$TOKEN"
ok "R27: the log warns at the start" hg_log 'lvl=warn mod=tenants_pg msg="logical replication writes tenant or token'
like "/ready?verbose does too" "$(admin '/ready?verbose')" 'warn subscription .*30 s'
rows=$(pg "SELECT count(*) FROM headgate.change")
origin() { PG_SOCKET_DIR=$ORIGIN_DIR PG_PORT=$ORIGIN_PORT "$@"; }
new=$(origin token_add acme)
took=$(origin judged --first 415 --then 401 --within 36000 --sql "SELECT way.revoke('%s')" "$TOKEN")
like "R27: a token revoked at the origin is 401 within 35 s: $took" "$took" '^([0-9]{1,4}|[12][0-9]{4}|3[0-5][0-9]{3}) 16$'
ok "R27: one that came there is known" is_known "$new"
is "no trigger fired at the copy: its bell never rang" "$(pg "SELECT count(*) FROM headgate.change")" "$rows"
why() { jq -se 'any(.[]; .code == 401 and (.reason | test("revoked")))' "$HG_DIR/access.log"; }
ok "the log says that it was revoked" wait_until 60s why
pg "DROP SUBSCRIPTION headgate"
finish
