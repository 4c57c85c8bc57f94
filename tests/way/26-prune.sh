#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 26-prune.sh -- what the master deletes from the table change: nothing that its last read did not see, never in wait of a lock, and no
# revocation waits for it or for other writers (R23). The master prunes each 10 minutes; here its statement, taken from its source, is run.
. "${0%/*}/lib.sh"
need postgres

SOURCE=$WAY/../../master/tenants_pg.c
prune_format=$(sed -n '/^static void prune_start/,/^}/p' "$SOURCE" | grep -o '"[^"]*"' | tr -d '"\n')
prune_rows=$(sed -n 's/^\tPRUNE_ROWS = \([0-9]*\),.*/\1/p' "${SOURCE%/*}/pg_private.h")
like "the master's statement is found in its source" "$prune_format $prune_rows" '^SET LOCAL .*DELETE FROM headgate\.change .*%s.*%d.* [0-9]+$'
# shellcheck disable=SC2059
prune_sql() { printf "$prune_format" "$1" "$prune_rows"; }
# As the gateway, and as the master sends it: both statements are one message. Prints nothing, or the error.
prune() { psql -X -q -A -t -h "$PG_SOCKET_DIR" -p "$PG_PORT" -U headgate_gw -d "$PG_DB" -c "$(prune_sql "$1")" 2>&1; }
snapshot() { pg "SELECT pg_current_snapshot()"; }
named() { pg "SELECT coalesce(string_agg(n || ' ' || tenant_id, ', ' ORDER BY tenant_id), '') FROM
	(SELECT tenant_id, count(*) AS n FROM headgate.change WHERE tenant_id ~ '^(old|new|late)$' GROUP BY 1) x"; }
aged() { echo "INSERT INTO headgate.change(tenant_id, at) SELECT '$1', now() - interval '$2 hours' FROM generate_series(1, $3)"; }
refused() { [ "$(TOKEN=$1 request /v1/logs -d x)" = 401 ]; }

stalls_watch
conf_base 2
conf tenants.poll=1h	# a poll would find what is missed
tenant_add acme
headgate_start
pg_session first
pg_session second
pg_session holder headgate_gw

# What is deleted
pg_in first "BEGIN; $(aged late 25 7)"
pg "$(aged old 25 1000)" "$(aged new 23 10)"
prev=$(snapshot)
pg_in first "COMMIT"
is "before" "$(named)" "7 late, 10 new, 1000 old"
is "a prune is the gateway's to do" "$(prune "$prev")" ""
is "it leaves what is younger than 24 h, and what prev did not see" "$(named)" "7 late, 10 new"
prune "$prev"
is "however often it comes" "$(named)" "7 late, 10 new"
prune "$(snapshot)"
is "once prev has seen them they go" "$(named)" "10 new"
pg "$(aged old 25 $((prune_rows + 3)))"
prune "$(snapshot)"
is "a prune takes $prune_rows rows at most" "$(named)" "10 new, 3 old"

# Its locks
pg_in first "BEGIN; SELECT count(*) FROM (SELECT FROM headgate.change WHERE tenant_id = 'old' FOR UPDATE) x" >/dev/null
begin=$(now_us)
like "rows that another prune holds end it" "$(prune "$(snapshot)")" 'lock timeout'
took=$(net_since "$begin")
ok "at once, not after the other: $took ms" test "$took" -le 1000
pg_in first "ROLLBACK"

# A revocation begun first and committed last, with a row that is old at once
first=$(token_add acme) second=$(token_add acme)
known "$first"
known "$second"
pg_in first "BEGIN; SELECT way.revoke('$first'); UPDATE headgate.change SET tenant_id = 'late', at = now() - interval '25 hours'
	WHERE xid = pg_current_xact_id()" >/dev/null
pg "SELECT way.revoke('$second')" >/dev/null
ok "a later revocation, committed first, is seen" wait_until 10s refused "$second"
prev=$(snapshot)
prune "$prev"
pg_in first "COMMIT"
prune "$prev"
is "no prune has taken the row of the first" "$(named)" "1 late, 10 new"
ok "which is seen once it is committed" wait_until 10s refused "$first"

# Others' open transactions beside old rows
revocations()	# FILE: ten, one by one
{
	local tokens=() i
	for i in {1..10}; do tokens+=("$(token_add acme)"); done
	judged --first 415 --then 401 --within 3000 --sql "SELECT way.revoke('%s')" "${tokens[@]}" | sort -n >"$1"
}
half() { awk 'NR == 5 {print $1}' "$1"; }
most() { awk 'END {print $1}' "$1"; }
pg "$(aged old 25 1000)"
revocations "$T/alone"
pg_in first "BEGIN; INSERT INTO headgate.tenant(tenant_id) VALUES ('open')"
revocations "$T/writer"
pg_in holder "BEGIN; $(prune_sql "$(snapshot)")"
is "the open prune holds all old rows" "$(pg "SELECT count(*) FROM headgate.change WHERE tenant_id = 'old' AND xmax::text <> '0'")" 1000
revocations "$T/both"
note "alone: half of 10 within $(half "$T/alone") ms, all within $(most "$T/alone") ms"
for each in writer both; do
	took="half within $(half "$T/$each") ms, all within $(most "$T/$each") ms"
	is "$each: all are judged" "$(wc -l <"$T/$each")" 10
	ok "$each: no more than 100 ms later than alone: $took" test "$(half "$T/$each")" -le $(($(half "$T/alone") + 100))
	ok "$each: none takes more than 1 s" test "$(most "$T/$each")" -le 1000
done
pg_in holder "COMMIT"
is "the prune has taken the old rows" "$(named)" "10 new"
pg_in first "ROLLBACK"
finish
