#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 28-deltas.sh -- a change is a small table over the large one, and whoever asks meanwhile is never answered wrong: not while tables change,
# not by a worker that starts between base and delta, not when the master dies in the middle (F30, F31)
. "${0%/*}/lib.sh"
need postgres

N=${TOKENS:-80000}
pg "INSERT INTO headgate.tenant(tenant_id) SELECT 'tenant-' || i FROM generate_series(0, 99) i" \
	"INSERT INTO headgate.token(token_id, tenant_id, hash) SELECT 'n' || i, 'tenant-' || i % 100, sha256(convert_to('secret-' || i, 'UTF8'))
	FROM generate_series(1, $N) i"
conf_base 2
conf tenants.poll=1h log.level=debug
headgate_start
known secret-1
tables() { grep -ac "mod=tenants msg=\"new $1\"" "$HG_LOG"; }
is "all that is there is one base" "$(tables base) $(tables delta)" "1 0"

# 1..400 stay good, 401..800 are revoked now and stay so, the rest changes all the time.
took=$(judged --first 415 --then 401 --within 3000 --sql "UPDATE headgate.token SET revoked_at = now() WHERE hash = sha256('%s')" secret-401)
like "a token revoked: 401 on the 16 connections that stay open" "$took" '^[0-9]+ 16$'
is "that was a delta" "$(tables base) $(tables delta)" "1 1"
pg "UPDATE headgate.token SET revoked_at = now() WHERE token_id IN (SELECT 'n' || i FROM generate_series(402, 800) i)"
refused() { [ "$(TOKEN=$1 request /v1/logs -d x)" = 401 ]; }
wait_until 10s refused secret-800
took=$(judged --first 415 --then 403 --within 3000 --sql "UPDATE headgate.tenant SET state = 'suspended' WHERE tenant_id = 'tenant-0' /* %s */" secret-1000)
like "a tenant suspended, whose $((N / 100)) tokens are in the base: 403 on all connections" "$took" '^[0-9]+ 16$'
pg "UPDATE headgate.tenant SET state = 'active'"
known secret-1000
is "no base came of it" "$(tables base)" 1
is "workers count what base and delta hold together" "$(metric auth_cache_entries '{kind="token"}')" "$(pg "SELECT count(*) FROM headgate.gateway_token")"

seq -f 'secret-%.0f' 1 400 >"$T/good"
seq -f 'secret-%.0f' 401 800 >"$T/bad"
busy()	# NAME [OPTION]...
{
	local name=$1
	shift
	rm -f "$T/stop"
	spawn "$T/busy.$name" python3 "$WAY/tools/busy.py" "$ADDRESS" --good "$T/good" --bad "$T/bad" --stop "$T/stop" "$@"
	BUSY=$SPAWNED
}
busy_end() { touch "$T/stop"; wait_until 20s gone "$BUSY"; cat "$T/busy.$1"; }

# Tables come one after the other
busy tables
pg_session writer
for i in $(seq 1 "${CHANGES:-150}"); do
	pg_in writer "UPDATE headgate.token SET revoked_at = CASE WHEN revoked_at IS NULL THEN now() END WHERE token_id = 'n$((1000 + i % 50))'" >/dev/null
done
pg "UPDATE headgate.token SET scopes = '{logs:write}'" "DELETE FROM headgate.token WHERE token_id IN (SELECT 'n' || i FROM generate_series(2000, 2999) i)"
wait_until 60s refused secret-2999
said=$(busy_end tables)
like "while they do no answer is wrong: $said" "$said" '"unavailable": 0, "broken": 0, "wrong": 0'
ok "there were $(tables delta) deltas" test "$(tables delta)" -gt 5
is "and one base more, when all $N had changed" "$(tables base)" 2

# Workers that start: each gets base and delta as one
busy workers
deltas=$(tables delta)
for _ in {1..4}; do
	pid=$(workers | head -1)
	kill -KILL "$pid"
	wait_until 10s gone "$pid"
	pg_in writer "UPDATE headgate.token SET not_before = now() WHERE token_id = 'n1001'" >/dev/null
	two() { [ "$(workers | wc -l)" = 2 ]; }
	wait_until 30s two
done
expect_err 'mod=workers msg="worker ended unasked"'
expect_err 'mod=workers msg="a worker died in a stage"' # the signal may meet it there
ok "a reload starts others" headgate_switch
said=$(busy_end workers)
like "those that start between base and delta let nobody in whom the delta shuts out: $said" "$said" '"wrong": 0'
ok "there were deltas meanwhile" test "$(tables delta)" -gt "$deltas"

# The database goes away and comes back: all is read again, what differs is a delta
before=$(tables base)
busy compare
pg_in writer "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'headgate_gw'" >/dev/null
again() { [ "$(metric tenants_source_connected)" = 1 ] && [ "$(metric tenants_snapshots_total '{result="ok"}')" -gt "$reads" ]; }
reads=$(metric tenants_snapshots_total '{result="ok"}')
pg_in writer "UPDATE headgate.token SET revoked_at = now() WHERE token_id = 'n1500'" >/dev/null
wait_until 20s again
wait_until 20s refused secret-1500
said=$(busy_end compare)
like "after a lost link no answer was wrong: $said" "$said" '"wrong": 0'
is "the full read needed no base" "$(tables base)" "$before"

# The master dies while it builds
busy killed --gone
pg "UPDATE headgate.token SET scopes = '{*}'"
kill -KILL "$HG_PID"
wait_until 30s gone "$BUSY"
said=$(cat "$T/busy.killed")
like "a master that dies in the middle harms no answer: $said" "$said" '"wrong": 0'
HG_PID=
finish
