#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 20-tenants.sh -- whatever is written to the tenants of PostgreSQL is seen by every worker within a second and without a reload, also on
# connections that are open, and log and metric say why (F26, F27, R13)
. "${0%/*}/lib.sh"
need postgres

conf_base 2
# Polls come to the rescue of a lost bell after 30 s; here they may not.
conf tenants.poll=1h log.access_file="$HG_DIR/access.log"
tenant_add acme
headgate_start
metric_is() { [ "$(metric "$1")" = "$2" ]; }
wait_until 10s metric_is tenants_source_connected 1
before=$(workers | xargs)
token=$(token_new)

# seen [OPTION]...: on standard input a line a change: what it is| the status before, after, and what is written
seen()
{
	local i=0 took lines
	mapfile -t lines
	printf '%s\n' "${lines[@]#*| }" | judged --steps --within 1000 "$@" "$token" | while read -r took; do
		like "${lines[i++]%%|*}: in all workers within 1 s" "$took" '^[0-9]+ [0-9]+$'
	done
	is "${#lines[@]} changes were judged" "$i" ${#lines[@]}
}
# 415 is a good credential, for a request that costs nothing.
seen <<'END'
a token inserted| 401 415 SELECT way.token('acme', '%s')
for traces alone| 415 403 UPDATE headgate.token SET scopes = '{traces:write}'
for all again| 403 415 UPDATE headgate.token SET scopes = '{*}'
for elsewhere| 415 401 UPDATE headgate.token SET allowed_cidrs = '{10.0.0.0/8}'
for here| 401 415 UPDATE headgate.token SET allowed_cidrs = '{127.0.0.0/8}'
the tenant suspended| 415 403 UPDATE headgate.tenant SET state = 'suspended'
and back| 403 415 UPDATE headgate.tenant SET state = 'active'
the tenant to be deleted| 415 401 UPDATE headgate.tenant SET state = 'deleting'
and back again| 401 415 UPDATE headgate.tenant SET state = 'active'
a token that does not hold yet| 415 401 UPDATE headgate.token SET not_before = now() + interval '1 hour'
one that holds now| 401 415 UPDATE headgate.token SET not_before = now() - interval '1 hour'
a token run out| 415 401 UPDATE headgate.token SET expires_at = now()
a longer life| 401 415 UPDATE headgate.token SET expires_at = NULL
another secret| 415 401 UPDATE headgate.token SET hash = sha256('other')
the old one again| 401 415 UPDATE headgate.token SET hash = sha256(convert_to('%s', 'UTF8'))
a token deleted| 415 401 DELETE FROM headgate.token
and inserted again| 401 415 SELECT way.token('acme', '%s')
TRUNCATE| 415 401 TRUNCATE headgate.tenant CASCADE
both inserted by one transaction| 401 415 BEGIN; SELECT way.tenant('acme'); SELECT way.token('acme', '%s'); COMMIT
END
seen --typed <<'END'
the tenant blocked| 400 403 UPDATE headgate.tenant SET block_until = now() + interval '1 hour'
not any more| 403 400 UPDATE headgate.tenant SET block_until = NULL
END

# The clock judges at each request: no read brings this.
token=$(token_add acme)
like "a token ends at its time, on the connections that are open" "$(judged --first 415 --then 401 --within 4000 \
	--sql "UPDATE headgate.token SET expires_at = now() + interval '2 seconds' WHERE token_id = way.token_id('%s')" "$token")" '^[0-9]+ 16$'
why() { jq -se --arg id "${token:4:8}" --arg why "$1" 'any(.[]; .token == $id and .code == 401 and (.reason | test($why)))' "$HG_DIR/access.log"; }
ok "the log says that it expired" wait_until 10s why expired
ok "so does the metric" test "$(metric auth_total '{result="expired"}')" -gt 0

# R13: a rotation with grace
old=$(token_add acme)
new=$(token_new)
known "$old"
pg "SELECT way.token('acme', '$new')" "UPDATE headgate.token SET expires_at = now() + interval '1 hour', replaced_by = way.token_id('$new')
	WHERE token_id = way.token_id('$old')" >/dev/null
known "$new"
is "in grace both tokens are good" "$(TOKEN=$old request /v1/logs -d x) $(TOKEN=$new request /v1/logs -d x)" "415 415"
ok "uses of the old one are counted" test "$(metric auth_replaced_total)" -ge 1
like "past its end the old one is 401" "$(judged --first 415 --then 401 --within 5000 \
	--sql "UPDATE headgate.token SET expires_at = now() + interval '2 seconds' WHERE token_id = way.token_id('%s')" "$old")" '^[0-9]+ 16$'
is "the new one stays good" "$(TOKEN=$new request /v1/logs -d x)" 415

# F27
token=$(token_add acme)
took=$(judged --first 415 --then 401 --within 1000 --sql "SELECT way.revoke('%s')" "$token")
like "a token revoked: 401 on the 16 connections that stay open" "$took" '^[0-9]+ 16$'
ok "the log says that it was revoked" wait_until 10s why revoked
ok "so does the metric" test "$(metric auth_total '{result="revoked"}')" -gt 0
is "the client is told no reason" "$(TOKEN=$token get /v1/logs -d x) $(grep -ac revoked "$T/reply")" "401 0"
token=$(token_add acme)
took=$(judged --first 415 --then 401 --within 1000 --sql "DELETE FROM headgate.tenant" "$token")
like "a tenant deleted: 401 on the 16 connections that stay open" "$took" '^[0-9]+ 16$'
tenant_add acme

# Limits by SQL: other ones apply at once and keep what was used up; who comes after a tenant inherits nothing of it (R18)
limited() { pg "UPDATE headgate.tenant SET $2 WHERE tenant_id = '$1'" >/dev/null; }
tenant_add spender bytes_per_s=1 bytes_burst=1000
TOKEN=$(token_add spender)
known "$TOKEN"
head -c 800 /dev/zero >"$T/zeros"
says() { [ "$(post /v1/logs "$T/zeros")" = "$1" ] && grep -aqF "$2" "$T/reply"; }
ok "a burst is used up" wait_until 10s says 429 'limit of 1 bytes/s with a burst of 1000 bytes'
limited spender 'bytes_per_s = 2'
ok "and still is with the next limits" wait_until 10s says 429 'limit of 2 bytes/s'
pg "DELETE FROM headgate.tenant WHERE tenant_id = 'spender'" >/dev/null
gone_by() { [ "$(post /v1/logs "$T/zeros")" = 401 ]; }
ok "the tenant is gone" wait_until 10s gone_by
for i in 1 2 3; do
	tenant_add "heir$i" bytes_per_s=1 bytes_burst=1000
	TOKEN=$(token_add "heir$i")
	inherits_nothing() { says 400 hg-invalid; }
	ok "heir $i: nothing is used up" wait_until 10s inherits_nothing
done
TOKEN=''

# F26 (REVOCATIONS=1000 there; a tenth does by default)
n=${REVOCATIONS:-100}
mapfile -t tokens < <(seq -f 'f26-secret-%.0f' "$n")
pg "INSERT INTO headgate.token(token_id, tenant_id, hash) SELECT 'f26-' || i, 'acme', sha256(convert_to('f26-secret-' || i, 'UTF8'))
	FROM generate_series(1, $n) i"
judged --first 415 --then 401 --within 3000 --connections 8 \
	--sql "UPDATE headgate.token SET revoked_at = now() WHERE hash = sha256('%s')" "${tokens[@]}" | sort -n >"$T/f26"
is "$n tokens are revoked one by one" "$(wc -l <"$T/f26")" "$n"
share() { awk -v at=$(((n * $1 + 99) / 100)) 'NR == at {print $1}' "$T/f26"; }	# PERCENT: so many are as fast, or faster
ok "the last worker refuses 99 of 100 within 1 s of the commit: half in $(share 50) ms, 99 % in $(share 99) ms, all in $(share 100) ms" \
	test "$(share 99)" -le 1000
all_seen() { [ "$(metric revocation_propagation_seconds_count)" -ge "$n" ]; }
ok "the metric of it has seen them" wait_until 10s all_seen
# A view of one's own that says NULL where the schema has none: what nobody says grants nothing, by a delta and by a full read.
token=$(token_add acme)
known "$token"
all='token_id, tenant_id, kind, hash, iterations, scopes, not_before, expires_at, revoked_at, replaced_by, allowed_cidrs'
view() { pg "CREATE OR REPLACE VIEW headgate.gateway_token AS SELECT $1 FROM headgate.token" "$2" "NOTIFY headgate" >/dev/null; }
one="UPDATE headgate.token SET name = name || 'x' WHERE token_id = way.token_id('$token')"
every="INSERT INTO headgate.change DEFAULT VALUES"
answers() { [ "$(TOKEN=$token request /v1/logs -d x)" = "$1" ]; }
for part in kind::text scopes::text[]; do
	for read in one every; do
		view "${all/, ${part%%::*},/, NULL::${part#*::} AS ${part%%::*},}" "${!read}"
		ok "${part%%::*} NULL, $read read again: 401" wait_until 10s answers 401
		view "$all" "${!read}"
		ok "as it was, $read read again: good" wait_until 10s answers 415
	done
done
is "no worker was replaced, nothing was reloaded" "$(workers | xargs) $(metric config_generation)" "$before 1"
finish
