#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 24-schema.sh -- what conf/tenants.sql refuses, when it rings, what it writes down, and who may do what (R10, R11)
. "${0%/*}/lib.sh"
need postgres

tenant_add acme
refused()	# SENTENCE SQL [REGEX]
{
	local said
	if said=$(pg "$2" 2>&1); then
		fail "refused: $1" "it was not"
	else
		like "refused: $1" "$said" "${3:-violates check constraint}"
	fi
}

# R10
long=$(printf 'x%.0s' {1..151})
for id in '' . .. 'a|b' 'a:b' 'a/b' 'a b' 'ä' "$long" __mimir_cluster; do
	refused "the tenant id '${id:0:20}'" "INSERT INTO headgate.tenant(tenant_id) VALUES ('$id')"
done
for id in "${long:1}" "Az09!-_.*''()"; do
	ok "the tenant id '${id:0:20}' is taken" pg "INSERT INTO headgate.tenant(tenant_id) VALUES ('$id')"
done
token() { echo "INSERT INTO headgate.token(token_id, tenant_id, hash${1:+, }${1-}) VALUES ('t', 'acme', ${3:-sha256('t')}${2:+, }${2-})"; }
for kind in requests bytes items; do
	refused "a burst of $kind without a rate" "UPDATE headgate.tenant SET ${kind}_burst = 1"
	refused "a rate of no $kind" "UPDATE headgate.tenant SET ${kind}_per_s = 0"
done
refused "the scope admin" "$(token scopes "'{admin}'")"
refused "a hash of 31 bytes" "$(token '' '' "'\\x$(printf '00%.0s' {1..31})'")"
refused "pbkdf2 without iterations" "$(token kind "'pbkdf2'" "'\\x$(printf '00%.0s' {1..20})'")"
refused "pbkdf2 of 100001 iterations" "$(token 'kind, iterations' "'pbkdf2', 100001" "'\\x$(printf '00%.0s' {1..20})'")"
refused "an end before the beginning" "$(token 'not_before, expires_at' "now(), now() - interval '1 s'")"
refused "no address at all" "$(token allowed_cidrs "'{}'")"
ok "a token of 32 bytes is taken" pg "$(token)"
refused "a second one with that hash" "$(token | sed "s/'t', 'acme'/'u', 'acme'/")" 'duplicate key'
refused "one that replaces itself" "UPDATE headgate.token SET replaced_by = token_id"

# R11: when it rings
pg_session ear
pg_session writer
pg_session admin headgate_admin
pg_session reader headgate_gw
pg_in ear "LISTEN headgate"
rings()	# SENTENCE COUNT SQL: in one transaction
{
	local said
	said=$(pg_in writer "BEGIN; $3; ${4:-COMMIT}")
	[[ $said != *ERROR* ]] || fail "$1: no error" "$said"
	is "$1: bells" "$(pg_in ear "SELECT 1" | grep -c 'Asynchronous notification')" "$2"
}
rings "a rotation" 1 "INSERT INTO headgate.token(token_id, tenant_id, hash) VALUES ('new', 'acme', sha256('new'));
	UPDATE headgate.token SET expires_at = now() + interval '1 day', replaced_by = 'new' WHERE token_id = 't'"
rings "a ROLLBACK" 0 "UPDATE headgate.token SET name = 'x'" ROLLBACK
rings "an UPDATE of no row" 0 "UPDATE headgate.token SET name = 'x' WHERE token_id = 'nobody'"
rings "token_use" 0 "INSERT INTO headgate.token_use VALUES ('t', now()); UPDATE headgate.token_use SET last_used_at = now()"
rings "a write as a replica" 1 "SET LOCAL session_replication_role = replica; UPDATE headgate.tenant SET state = 'suspended' WHERE tenant_id = 'acme'"
rings "TRUNCATE" 1 "TRUNCATE headgate.token_use, headgate.token"

# R11: what it writes down
pg "TRUNCATE headgate.change" "$(token)" "TRUNCATE headgate.change" "UPDATE headgate.token SET token_id = 'other'"
is "a changed id leaves rows of both" "$(pg "SELECT token_id FROM headgate.change ORDER BY 1" | xargs)" "other t"
pg "TRUNCATE headgate.change" "SELECT way.many('n', 100)" >/dev/null
audited=$(pg "SELECT count(*) FROM headgate.audit")
pg "TRUNCATE headgate.change" "INSERT INTO headgate.tenant(tenant_id) SELECT 'm' || i FROM generate_series(1, 10001) i"
is "10 001 rows of one statement are one row that names nobody" \
	"$(pg "SELECT count(*), count(tenant_id), count(token_id) FROM headgate.change")" "1|0|0"
is "and one record of audit" "$(($(pg "SELECT count(*) FROM headgate.audit") - audited)) $(pg "SELECT detail FROM headgate.audit ORDER BY id DESC LIMIT 1")" \
	'1 {"rows": 10001}'
is "no hash is in the audit" "$(pg "SELECT count(*) FROM headgate.audit WHERE detail ? 'hash' OR detail::text LIKE '%' || encode(sha256('t'), 'hex') || '%'")" 0

# R11: who may do what
denied() { like "$1 may not: $2" "$(pg_in "$1" "$2")" "${3:-permission denied}"; }
for table in tenant token token_use audit; do
	[ $table = token_use ] || denied reader "SELECT * FROM headgate.$table"
	denied reader "DELETE FROM headgate.$table"
done
pg "CREATE SCHEMA AUTHORIZATION headgate_gw"
pg_in reader "CREATE TABLE headgate_gw.own(x int)"
denied reader "CREATE TRIGGER x AFTER INSERT ON headgate_gw.own REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION headgate.on_touch()"
for sql in "DELETE FROM headgate.audit" "UPDATE headgate.audit SET actor = 'x'" "TRUNCATE headgate.audit" "SELECT headgate.audit_trim(now())"; do
	denied admin "$sql"
done
is "headgate_admin may write tenants" "$(pg_in admin "INSERT INTO headgate.tenant(tenant_id) VALUES ('by-admin')")" ""
is "the audit tells who did" "$(pg "SELECT actor FROM headgate.audit WHERE tenant_id = 'by-admin'")" headgate_admin
for sql in "DELETE FROM headgate.audit" "UPDATE headgate.audit SET actor = 'x'" "TRUNCATE headgate.audit"; do
	refused "even to its owner: $sql" "$sql" append-only
done
ok "who may trim it" pg "SELECT headgate.audit_trim(now())"
is "and leaves a record" "$(pg "SELECT action FROM headgate.audit")" audit.trim
finish
