#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 23-bells.sh -- no change is missed, whatever the order of commits, the locks and the forged bells; and an idle headgate
# asks its database for next to nothing (F20, F21, F23, F25, R23)
. "${0%/*}/lib.sh"
need postgres

# An idle one, on a database of its own, whose every statement the server writes down: looked at in the end.
pg_database "$NAME-idle"
pg_statements on
tenant_add idle
idle_token=$(token_add idle)
instance idle
conf_base
headgate_start
known "$idle_token"
statements() { pg_log | grep -a headgate_gw | grep -aoP 'LOG:  statement: \K.*' >"$T/statements"; }
settled() { local n; n=$("$1"); read -rt 1 -u "$WAY_TICK"; [ "$("$1")" = "$n" ]; }
said() { statements; wc -l <"$T/statements"; }
wait_until 20s settled said	# what belongs to the start is over
idle_before=$(said)
idle_since=$(now_us)

instance hg
pg_database "$NAME-busy"
pg_statements on
stalls_watch
conf_base 2
conf tenants.poll=1h	# a poll would find what a lost bell has missed
tenant_add acme
headgate_start
pg_session hold
pg_session other
pg_session first
pg_session second
refused() { [ "$(TOKEN=$1 request /v1/logs -d x)" = 401 ]; }

# F21: a read is held by a lock when its bell has been heard; what is committed meanwhile comes with the next read
token=$(token_add acme)
known "$token"
token=$(token_new)
waits() { [ "$(pg "SELECT count(*) FROM pg_stat_activity WHERE usename = 'headgate_gw' AND datname = '$PG_DB' AND wait_event_type = 'Lock'")" = 1 ]; }
pg_in hold "BEGIN; LOCK TABLE headgate.token IN ACCESS EXCLUSIVE MODE"
pg_in other "INSERT INTO headgate.tenant(tenant_id) VALUES ('bell')"
ok "a read waits for a lock" wait_until 10s waits
pg_in hold "SELECT way.token('acme', '$token')" >/dev/null
pg_in hold "COMMIT"
ok "what was committed while it ran is shown by a second one" wait_until 10s is_known "$token"

# F23, R23: of two transactions the one begun first commits last
first=$(token_new) second=$(token_new)
both()	# SENTENCE SQL-FUNCTION CHECK
{
	pg_in first "BEGIN; SELECT $2'$first')" >/dev/null
	pg_in second "BEGIN; SELECT $2'$second')" >/dev/null
	pg_in second "COMMIT"
	ok "$1: the one begun later and committed first is seen" wait_until 10s "$3" "$second"
	ok "$1: the other is not" fails "$3" "$first"
	pg_in first "COMMIT"
	ok "$1: within 2 s of its commit it is" within 2000 "$3" "$first"
}
both "two insertions" "way.token('acme', " is_known
both "two revocations" "way.revoke(" refused

# F25: anybody may ring, with any payload
reads() { statements; grep -ac 'FROM headgate.change' "$T/statements"; }
wait_until 10s settled reads
before=$(reads) table=$(metric auth_cache_generation)
pg_in other "SET ROLE headgate_admin; NOTIFY headgate, 'forged-payload-$(printf 'x%.0s' {1..7900})'; RESET ROLE"
rung() { [ "$(reads)" -gt "$before" ]; }
ok "a bell that another role rings is followed by a read" wait_until 10s rung
wait_until 10s settled reads
is "by one" "$(reads)" $((before + 1))
is "no table comes of it" "$(metric auth_cache_generation)" "$table"
ok "its payload is in no log" fails grep -qa forged-payload "$HG_LOG" "$HG_DIR/audit.log"

# F20, smaller: a storm of them
before=$(reads)
pg_in other "SELECT count(pg_notify('headgate', i::text)) FROM generate_series(1, 5000) i" >/dev/null
begin=$(now_us)
for i in {1..300}; do pg_in other "NOTIFY headgate, '$i'"; done
wait_until 10s settled reads
n=$(($(reads) - before)) took=$((($(now_us) - begin) / 1000))
ok "5000 bells of one transaction and 300 of others have few reads: $n in $took ms" test $n -le $((10 + took / 400))
is "and no table" "$(metric auth_cache_generation)" "$table"

# More rows by one statement than are named one by one
pg "SELECT way.many('many-', 10001)" >/dev/null
ok "10 001 tenants by one statement are all known" wait_until 60s is_known many-10001-secret
ok "the first one too" is_known many-1-secret
pg "DELETE FROM headgate.tenant WHERE tenant_id LIKE 'many-%'"
ok "and all gone by one" wait_until 60s refused many-10001-secret
is "others are as before" "$(TOKEN=$token request /v1/logs -d x) $("$HEADGATECTL" --socket "$HG_DIR/control.sock" --json status | jq .tenants.tenants)" \
	"415 $(pg "SELECT count(*) FROM headgate.tenant")"

# F23: without any bell a poll finds them (35 s there: tenants.poll is 30 s by default)
pg "DO \$\$BEGIN EXECUTE replace(pg_get_functiondef('headgate.on_touch'::regproc), 'PERFORM pg_notify(''headgate'', '''')', 'PERFORM 1'); END\$\$"
conf tenants.poll=1s
ok "the poll is changed by a reload" headgate_switch
first=$(token_new) second=$(token_new)
both "without bells" "way.token('acme', " is_known

# Nothing happens for 25 s
instance idle
PG_DB=$NAME-idle
idle_over() { (($(now_us) - idle_since >= 25000000)); }
wait_until 30s idle_over
statements
idle_s=$((($(now_us) - idle_since) / 1000000))
tail -n +$((idle_before + 1)) "$T/statements" >"$T/asked"
pings=$(grep -ac pg_listening_channels "$T/asked")
ok "25 idle seconds and more have a ping each 10 s: $pings in $idle_s s" test "$pings" -ge 2 -a "$pings" -le $((idle_s / 10 + 1))
ok "a poll each 30 s at most" test "$(grep -ac 'COPY' "$T/asked")" -le $((idle_s / 30 + 1))
is "and nothing else" "$(grep -avE 'pg_listening_channels|COPY' "$T/asked")" ""
finish
