#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 27-query.sh -- tenants and tokens of tables that were there before headgate (tenants.query): Obstack's, micromegas', their bells; what is
# wrong with a row costs that row, what is wrong with the query is said (A8, A9, R14)
. "${0%/*}/lib.sh"
need kafka postgres
topics

# A database without the schema headgate; $2 is its bell, as a trigger function.
foreign_database()	# NAME CHANNEL
{
	pg_sql postgres -c "CREATE DATABASE \"$1\"" || bail "can't make the database $1"
	PG_DB=$1 PG_DSN="host=$PG_SOCKET_DIR port=$PG_PORT dbname=$1 user=headgate_gw"
	pg_statements on
	pg "CREATE FUNCTION ring() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_notify(''$2'', ''''); RETURN NULL; END'"
}
conf_query() { conf "tenants.query=$(jq -Rs . <<<"$1")"; }
skipped() { metric tenants_rows_skipped "{reason=\"$1\"}"; }
skipped_is() { [ "$(skipped "$1")" = "$2" ]; }
source_is() { [ "$(metric tenants_source_connected)" = "$1" ]; }
sees() { [ "$(TOKEN=$1 request /v1/logs -d x)" = "$2" ]; }
status() { "$HEADGATECTL" --socket "$HG_DIR/control.sock" --json status | jq -r "$1"; }
keyed() { records "$LOGS_TOPIC" | jq -r .key | grep -cx "$(hex "$1")"; }
reads() { pg_log | grep -a headgate_gw | grep -ac 'READ ONLY; COPY'; }
settled() { local n; n=$(reads); read -rt 1.5 -u "$WAY_TICK"; [ "$(reads)" = "$n" ]; }
seen()	# on standard input a line a change: what it is| the status before, after, and what is written
{
	local i=0 took lines
	mapfile -t lines
	printf '%s\n' "${lines[@]#*| }" | judged --steps --within 1000 "$1" | while read -r took; do
		like "${lines[i++]%%|*}: in all workers within 1 s" "$took" '^[0-9]+ [0-9]+$'
	done
	is "${#lines[@]} changes were judged" "$i" ${#lines[@]}
}
code_of() { jq -r --arg why "$1" 'select(.reason // "" | test($why)) | .code' "$HG_DIR/access.log" | sort -u; }

# -- Obstack: its table, the tokens beside it, the query as compatibility says it, semicolon and all
foreign_database "$NAME-obstack" obstack
pg "CREATE TABLE tenants(id integer PRIMARY KEY, name varchar(255) UNIQUE NOT NULL, created_at timestamptz NOT NULL DEFAULT now())" \
	"CREATE TABLE tenant_tokens(token_sha256 bytea PRIMARY KEY CHECK (octet_length(token_sha256) = 32),
		tenant_id integer NOT NULL REFERENCES tenants(id) ON DELETE CASCADE, active boolean NOT NULL DEFAULT true)" \
	"CREATE TRIGGER ring AFTER INSERT OR DELETE OR UPDATE OF id OR TRUNCATE ON tenants FOR EACH STATEMENT EXECUTE FUNCTION ring()" \
	"CREATE TRIGGER ring AFTER INSERT OR DELETE OR UPDATE OR TRUNCATE ON tenant_tokens FOR EACH STATEMENT EXECUTE FUNCTION ring()" \
	"GRANT SELECT ON tenants, tenant_tokens TO headgate_gw" \
	"INSERT INTO tenants VALUES (42, 'Answers'), (7, 'Seven')" \
	"INSERT INTO tenant_tokens VALUES (sha256('obstack-42'), 42), (sha256('obstack-7'), 7)"
conf_base 2
conf protocols.remote_write.enabled=false tenants.poll=1h tenants.channel=obstack log.access_file="$HG_DIR/access.log"
conf_query "SELECT encode(substr(token_sha256, 1, 8), 'hex') AS token_id, tenant_id::text, 'sha256' AS kind, token_sha256 AS hash
	FROM tenant_tokens WHERE active;
"
headgate_start
known obstack-42
before=$(workers | xargs)
for id in 42 7; do
	otlp logs -m "of-$id" -o "$T/body"
	is "the token of tenant $id is good in Obstack's own header" \
		"$(request /v1/logs -H 'Content-Type: application/x-protobuf' -H "X-Obstack-Auth-Token: obstack-$id" --data-binary "@$T/body")" 200
done
is "integer ids are the keys of the records, as text" "$(records "$LOGS_TOPIC" | jq -r .key | sort)" "$(for id in 42 7; do hex $id; echo; done | sort)"
is "and their tenant header" "$(records "$LOGS_TOPIC" | while read -r record; do header "$record" tenant_id; done | sort | xargs)" "42 7"
seen obstack-new <<'END'
a token inserted| 401 415 INSERT INTO tenant_tokens VALUES (sha256('%s'), 42)
deactivated| 415 401 UPDATE tenant_tokens SET active = false WHERE token_sha256 = sha256('%s')
active again| 401 415 UPDATE tenant_tokens SET active = true WHERE token_sha256 = sha256('%s')
deleted| 415 401 DELETE FROM tenant_tokens WHERE token_sha256 = sha256('%s')
its tenant and itself by one transaction| 401 415 BEGIN; INSERT INTO tenants VALUES (1, 'One'); INSERT INTO tenant_tokens VALUES (sha256('%s'), 1); COMMIT
the tenant deleted| 415 401 DELETE FROM tenants WHERE id = 1
END
is "no worker was replaced, nothing was reloaded" "$(workers | xargs) $(metric config_generation)" "$before 1"
ok "the other tokens are good as before" is_known obstack-7

# Bells: the first at once, then two full reads a second at most
wait_until 10s settled
before=$(reads) begin=$(now_us) table=$(metric auth_cache_generation)
pg_session bell
for i in {1..200}; do pg_in bell "NOTIFY obstack"; done
rung() { (($(reads) > before)); }
ok "a bell is followed by a read" wait_until 10s rung
wait_until 10s settled
took=$((($(now_us) - begin) / 1000)) n=$(($(reads) - before))
ok "200 bells have two reads a second at most: $n in $took ms" test "$n" -le $((2 + took / 500))
is "no table comes of them" "$(metric auth_cache_generation)" "$table"

# What the planned columns of Obstack are for: string ids, is_active
pg "ALTER TABLE tenants ADD is_active boolean NOT NULL DEFAULT true" \
	"CREATE TRIGGER ring_active AFTER UPDATE OF is_active ON tenants FOR EACH STATEMENT EXECUTE FUNCTION ring()"
conf_query "SELECT t.name AS tenant_id, k.token_sha256 AS hash, CASE WHEN t.is_active THEN 'active' ELSE 'suspended' END AS state
	FROM tenant_tokens k JOIN tenants t ON t.id = k.tenant_id WHERE k.active -- no semicolon, but this"
ok "another query comes with a reload" headgate_switch
seen obstack-7 <<'END'
an inactive tenant is suspended| 415 403 UPDATE tenants SET is_active = false WHERE id = 7
and active again| 403 415 UPDATE tenants SET is_active = true WHERE id = 7
END
otlp logs -m by-name -o "$T/body"
TOKEN=obstack-42 post /v1/logs "$T/body" >/dev/null
is "a string id is the key as it is" "$(keyed Answers)" 1
token=$(printf obstack-42 | sha256sum | cut -c1-16)
logged() { grep -qa "\"token\":\"$token\"" "$HG_DIR/access.log"; }
ok "without a token_id it is the first 16 digits of the hash" wait_until 10s logged

# A hash that two tenants claim, under one id: whatever the order, and no table comes of reading it again
conf_query "SELECT * FROM (SELECT tenant_id, token_sha256 AS hash FROM tenant_tokens
	UNION ALL SELECT tenant_id + 1, token_sha256 FROM tenant_tokens WHERE tenant_id = 7) x ORDER BY random()"
ok "a reload" headgate_switch
ok "one hash under two tenants grants nothing to either" wait_until 10s sees obstack-7 401
ok "it is counted" wait_until 10s skipped_is hash_twice 1
ok "others are as they were" is_known obstack-42
wait_until 10s settled
table=$(metric auth_cache_generation) before=$(reads)
for i in {1..3}; do
	pg "NOTIFY obstack"
	wait_until 10s rung
	before=$(reads)
done
wait_until 10s settled
is "read again in another order it is the same table" "$(metric auth_cache_generation)" "$table"

# What is wrong with a query
expect_err 'tenants.query cannot be used'
said() { hg_log "lvl=err.*tenants.query cannot be used.*$1"; }
wrong()	# SENTENCE QUERY REGEX
{
	conf_query "$2"
	ok "a reload with $1" headgate_switch
	ok "$1: the log names it" wait_until 10s said "$3"
	ok "$1: so does the status" wait_until 10s status_is "$3"
	is "$1: the last table serves" "$(TOKEN=obstack-42 request /v1/logs -d x)" 415
}
status_is() { [[ $(status '.tenants.state + " " + .tenants.last_error') =~ ^refused\ .*$1 ]]; }
wrong "unknown columns" "SELECT tenant_id, token_sha256 AS hash, 1 AS colour, 2 AS taste FROM tenant_tokens" "unknown column 'colour', 'taste'"
wrong "no hash" "SELECT tenant_id FROM tenant_tokens" "no column 'hash'"
wrong "a table that is not there" "SELECT tenant_id, hash FROM nowhere" 'relation .*nowhere.* does not exist'
wrong "two statements" "SELECT 1; SELECT 2" 'syntax error'
wrong "a type that is none of ours" "SELECT tenant_id, token_sha256 AS hash, 1 AS allowed_cidrs FROM tenant_tokens" 'cannot cast type'
pg "REVOKE SELECT ON tenant_tokens FROM headgate_gw"
wrong "no right to read" "SELECT tenant_id, token_sha256 AS hash FROM tenant_tokens" 'permission denied'
pg "GRANT SELECT ON tenant_tokens TO headgate_gw"
ok "once it may be read it is" wait_until 40s source_is 1

# It may read alone
pg "CREATE TABLE written(x int)" "GRANT INSERT ON written TO headgate_gw" \
	"CREATE FUNCTION writes() RETURNS int LANGUAGE plpgsql AS 'BEGIN INSERT INTO written VALUES (1); RETURN 7; END'"
conf_query "SELECT writes() AS tenant_id, token_sha256 AS hash FROM tenant_tokens"
ok "a reload with a query that writes" headgate_switch
not_read() { [[ $(status .tenants.last_error) == *'read-only transaction'* ]]; }
ok "it is refused" wait_until 10s not_read
is "nothing was written" "$(pg "SELECT count(*) FROM written")" 0
headgate_stop || fail "headgate ends with status 0" "status $HG_STATUS"

# -- micromegas: its key table as it stands, and the bell beside it
instance micromegas
foreign_database "$NAME-micromegas" micromegas
pg "CREATE TABLE ingestion_api_keys(key_id uuid PRIMARY KEY DEFAULT gen_random_uuid(), key_hash bytea UNIQUE, name text NOT NULL DEFAULT '',
		created_at timestamptz NOT NULL DEFAULT now(), created_by text NOT NULL DEFAULT '', last_used_at timestamptz, revoked_at timestamptz,
		revoked_by text, audience varchar(255) NOT NULL CHECK (audience ~ '^[A-Za-z0-9_-]+\$'), allowed_cidrs text[])" \
	"CREATE TRIGGER ring AFTER INSERT OR DELETE OR UPDATE OF key_hash, audience, revoked_at, allowed_cidrs OR TRUNCATE
		ON ingestion_api_keys FOR EACH STATEMENT EXECUTE FUNCTION ring()" \
	"GRANT SELECT ON ingestion_api_keys TO headgate_gw"
key() { printf 'mmk_%s' "$(head -c 32 /dev/urandom | base64 -w0 | tr +/ -_ | tr -d =)"; }
add() { pg "INSERT INTO ingestion_api_keys(key_hash, audience${3:+, $3}) VALUES (sha256('$1'), '$2'${4:+, $4})"; }	# KEY AUDIENCE [COLUMN VALUE]
conf_base 2
conf protocols.remote_write.enabled=false tenants.poll=1h tenants.channel=micromegas log.access_file="$HG_DIR/access.log"
conf_query "SELECT key_id::text AS token_id, audience AS tenant_id, 'sha256' AS kind, key_hash AS hash, revoked_at, nullif(allowed_cidrs, '{}') AS allowed_cidrs
FROM ingestion_api_keys WHERE revoked_at IS NULL OR revoked_at > now() - interval '30 days'"
headgate_start
wait_until 10s source_is 1
good=$(key)
add "$good" acme
ok "a key works" wait_until 10s is_known "$good"
otlp logs -m of-key -o "$T/body"
TOKEN=$good post /v1/logs "$T/body" >/dev/null
is "its audience is the tenant" "$(keyed acme)" 1

# last_used_at, which upstream keeps writing
pg_session ear
pg_in ear "LISTEN micromegas"
wait_until 10s settled
before=$(reads)
pg "UPDATE ingestion_api_keys SET last_used_at = now()" "UPDATE ingestion_api_keys SET name = 'x'"
is "a write of last_used_at rings no bell" "$(pg_in ear "SELECT 1" | grep -c 'Asynchronous notification')" 0
settled
is "and has no read" "$(reads)" "$before"

like "revoked_at is set: 401 in all workers within 1 s" \
	"$(judged --first 415 --then 401 --within 1000 --sql "UPDATE ingestion_api_keys SET revoked_at = now() WHERE key_hash = sha256('%s')" "$good")" '^[0-9]+ 16$'
revoked() { [ "$(code_of revoked)" = 401 ]; }
ok "and logged as revoked" wait_until 10s revoked
pg "UPDATE ingestion_api_keys SET revoked_at = now() - interval '31 days'"
ok "31 days later it is gone" wait_until 10s sees "$good" 401

# Addresses
good=$(key)
add "$good" acme
known "$good"
seen "$good" <<'END'
a key for elsewhere| 415 401 UPDATE ingestion_api_keys SET allowed_cidrs = '{10.0.0.0/8}'
for here too| 401 415 UPDATE ingestion_api_keys SET allowed_cidrs = '{10.0.0.0/8,127.0.0.1}'
with host bits set| 415 401 UPDATE ingestion_api_keys SET allowed_cidrs = '{127.0.0.1/8}'
for an IPv4-mapped block| 401 415 UPDATE ingestion_api_keys SET allowed_cidrs = '{::ffff:127.0.0.0/104}'
for what is no address| 415 401 UPDATE ingestion_api_keys SET allowed_cidrs = '{127.0.0.0/8,anywhere}'
with a NULL among them| 401 401 UPDATE ingestion_api_keys SET allowed_cidrs = '{127.0.0.0/8,NULL}'
with two in one| 401 401 UPDATE ingestion_api_keys SET allowed_cidrs = '{"127.0.0.0/8,::1"}'
for an empty list, which is anywhere| 401 415 UPDATE ingestion_api_keys SET allowed_cidrs = '{}'
END
address() { [ "$(code_of address)" = 401 ]; }
ok "an address that is not allowed is logged as such" wait_until 10s address
bad=$(key)
add "$bad" acme allowed_cidrs "'{127.0.0.1/8}'"
ok "a row with host bits set is counted" wait_until 10s skipped_is other 1
is "its key is unknown" "$(TOKEN=$bad request /v1/logs -d x)" 401
pg "DROP TRIGGER ring ON ingestion_api_keys" "ALTER TABLE ingestion_api_keys ALTER allowed_cidrs TYPE inet[] USING NULL" \
	"CREATE TRIGGER ring AFTER UPDATE OF allowed_cidrs OR INSERT OR DELETE ON ingestion_api_keys FOR EACH STATEMENT EXECUTE FUNCTION ring()"
conf_query "SELECT key_id AS token_id, audience AS tenant_id, key_hash AS hash, revoked_at, allowed_cidrs FROM ingestion_api_keys"
ok "a reload" headgate_switch
seen "$good" <<'END'
inet[] for here| 415 415 UPDATE ingestion_api_keys SET allowed_cidrs = '{127.0.0.1}'
inet[] with host bits set| 415 401 UPDATE ingestion_api_keys SET allowed_cidrs = '{127.0.0.1/8}'
anywhere| 401 415 UPDATE ingestion_api_keys SET allowed_cidrs = NULL
END

# Rows that are left out
long=$(printf 'x%.0s' {1..151})
bad=$(key)
add "$bad" "$long"
ok "an audience of 151 bytes is counted" wait_until 10s skipped_is tenant_id 1
is "its key is unknown" "$(TOKEN=$bad request /v1/logs -d x)" 401
add "$(key)" "${long:1}"
pg "INSERT INTO ingestion_api_keys(key_hash, audience) VALUES ('\\x00', 'acme'), (NULL, 'acme'), (NULL, 'globex')"
ok "so are hashes that are none" wait_until 10s skipped_is hash 3
ok "the log names the row" wait_until 10s hg_log 'lvl=warn.*row left out'
bad=$(key)
add "$bad" acme
known "$bad"
pg "ALTER TABLE ingestion_api_keys DROP CONSTRAINT ingestion_api_keys_key_hash_key"
like "a hash under a second tenant: 401 in all workers within 1 s" "$(judged --first 415 --then 401 --within 1000 --sql \
	"INSERT INTO ingestion_api_keys(key_hash, audience) VALUES (sha256('%s'), 'globex')" "$bad")" '^[0-9]+ 16$'
ok "both are counted" wait_until 10s skipped_is hash_twice 2
ok "other keys are as they were" is_known "$good"
pg "DELETE FROM ingestion_api_keys WHERE audience = 'globex'"
ok "the second one gone, the first grants again" wait_until 10s is_known "$bad"
is "nothing was ever written by headgate" "$(pg_log | grep -a headgate_gw | grep -aicE 'statement: *(INSERT|UPDATE|DELETE)')" 0
finish
