#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 29-import-lake.sh -- MICROMEGAS_SQL_CONNECTION_STRING alone has the keys of micromegas' own database count, its table as it stands, beside
# those of the environment, which work without that database too (compatibility.md 3: B16, B18, B23, B24)
. "${0%/*}/lib.sh"
need postgres

pg_sql postgres -c "CREATE DATABASE \"$NAME-lake\"" || bail "can't make a database"
PG_DB=$NAME-lake
key() { printf 'mmk_%s' "$(head -c 32 /dev/urandom | base64 -w0 | tr +/ -_ | tr -d =)"; }
sees() { [ "$(TOKEN=$1 request /v1/logs -d x)" = "$2" ]; }
log_as() { otlp logs -m one -o "$T/body"; TOKEN=$1 post /v1/logs "$T/body"; }
source_is() { [ "$(metric tenants_source_connected)" = "$1" ]; }
export MICROMEGAS_SQL_CONNECTION_STRING="postgres://headgate_gw@/$PG_DB?host=$PG_SOCKET_DIR&port=$PG_PORT"
export MICROMEGAS_API_KEYS='[{"name":"svc","key":"secret-of-svc"}]'
conf_base local file 1
conf tenants= 'import_env=[micromegas]' tenants.channel=lake tenants.poll=1s "local.dir=$HG_DIR/store"

# A database of before the table
expect_err 'tenants.query cannot be used'
headgate_start
ok "the table is missed" wait_until 10s hg_log 'lvl=err.*tenants.query cannot be used.*ingestion_api_keys'
ok "a key of the environment works" wait_until 10s sees secret-of-svc 415
bad=$(key)
is "any other may be one: 503, in micromegas' words" "$(TOKEN=$bad request /ingestion/insert_block -d x) $(cat "$T/reply")" "503 Auth provider unavailable"

# The table comes
pg "CREATE TABLE ingestion_api_keys(key_id uuid PRIMARY KEY DEFAULT gen_random_uuid(), key_hash bytea UNIQUE, name text NOT NULL DEFAULT '',
		created_at timestamptz NOT NULL DEFAULT now(), created_by text NOT NULL DEFAULT '', last_used_at timestamptz, revoked_at timestamptz,
		revoked_by text, audience varchar(255) NOT NULL CHECK (audience ~ '^[A-Za-z0-9_-]+\$'), allowed_cidrs text[])" \
	"GRANT SELECT ON ingestion_api_keys TO headgate_gw"
good=$(key)
pg "INSERT INTO ingestion_api_keys(key_hash, audience) VALUES (sha256('$good'), 'acme')"
ok "once it is there it is read" wait_until 40s sees "$good" 415
is "an unknown key is 401 now" "$(TOKEN=$bad request /v1/logs -d x)" 401
is "the database's key writes" "$(log_as "$good")" 200
is "so does that of the environment" "$(log_as secret-of-svc)" 200
is "each as its tenant, and no row names the default one" "$(stored | jq -r .key | sort | uniq -c | xargs)" "1 $(hex acme) 1 $(hex default)"
pg "UPDATE ingestion_api_keys SET revoked_at = now()"
ok "revoked it is 401, by the poll where no trigger rings" wait_until 10s sees "$good" 401
is "the other one is as it was" "$(TOKEN=secret-of-svc request /v1/logs -d x)" 415
pg "INSERT INTO ingestion_api_keys(key_hash, audience) VALUES (sha256('secret-of-svc'), 'acme')"
ok "one key under two tenants grants nothing to either" wait_until 10s sees secret-of-svc 401
pg "DELETE FROM ingestion_api_keys WHERE key_hash = sha256('secret-of-svc')"
ok "the second one gone, it does again" wait_until 10s sees secret-of-svc 415

# ---- where a key may be used; B23 ----
far=$(key)
pg "INSERT INTO ingestion_api_keys(key_hash, audience, allowed_cidrs) VALUES (sha256('$far'), 'acme', '{10.0.0.0/8}')"
address() { metric auth_total '{result="address"}'; }
from_elsewhere() { sees "$far" 401 && [ "$(address)" -gt 0 ]; }
ok "B23: a key of another address is 401, counted as address" wait_until 10s from_elsewhere
before=$(address)
is "B23: in the words of an unknown one" "$(TOKEN=$far request /ingestion/insert_block -d x) $(cat "$T/reply")" "401 Invalid token"
is "B23: and counted again" "$(address)" $((before + 1))
skipped() { [ "$(metric tenants_rows_skipped '{reason="other"}')" = "$1" ]; }
# With a key of the environment, which brings its own.
MICROMEGAS_API_KEYS='[{"name":"svc","key":"secret-of-svc","allowed_cidrs":["10.0.0.0/8"]},{"name":"here","key":"secret-of-here","allowed_cidrs":["127.0.0.1"]}]'
for each in '{10.0.0.5/8}:1:401' '{127.0.0.1}:0:415' '{10.0.0.0/8,::1}:0:401' '{}:0:415'; do
	IFS=: read -r cidrs skips status <<<"${each/::1/@}"
	pg "UPDATE ingestion_api_keys SET allowed_cidrs = '${cidrs/@/::1}' WHERE key_hash = sha256('$far')"
	ok "B23: ${cidrs/@/::1}: $status" wait_until 10s sees "$far" "$status"
	ok "B23: ${cidrs/@/::1}: rows left out: $skips" wait_until 10s skipped "$skips"
done
headgate_stop || fail "headgate ends with status 0" "status $HG_STATUS"
headgate_start
ok "B23: a key of the environment for here" wait_until 10s sees secret-of-here 415
is "B23: one for elsewhere" "$(TOKEN=secret-of-svc request /ingestion/insert_block -d x) $(cat "$T/reply")" "401 Invalid token"
is "B23: counted as address" "$(address)" 1
finish
