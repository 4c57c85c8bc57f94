#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 95-migrate.sh -- the pages headgate-migrate-*(7) done as they say, each against what is there of the old system: its table, its environment,
# its map of models, an identity provider; no block of theirs is left out, and its clients are answered as before
. "${0%/*}/lib.sh"
need broker
need postgres
need oidc

PAGES=$ROOT/packaging/man
MOOSE_KEY=deadbeefdeadbeefdeadbeefdeadbeef.0123456789abcdef0123456789abcdef
kafka_start own
SINK=$KAFKA_BROKERS
certs
mkdir "$T/bin" "$T/secrets"
for each in headgate:$HEADGATE headgatectl:$HEADGATECTL; do
	# shellcheck disable=SC2016 # to be expanded there
	printf '#!/bin/sh\nexec %s -c "$HG_DIR/headgate.yaml" "$@"\n' "${each#*:}" >"$T/bin/${each%%:*}"
	chmod 755 "$T/bin/${each%%:*}"
done
PATH=$T/bin:$PATH
export HG_DIR CURL_CA_BUNDLE=$CA

page() { PAGE=$PAGES/headgate-migrate-$1.7; : >"$T/used"; }
# block NAME [OLD=NEW]...: its text, each OLD, which must be in it, replaced
block() { echo "$1" >>"$T/used"; python3 "$WAY/tools/manual.py" show "$PAGE" "$@"; }
# does NAME [OLD=NEW]...: its commands print what stands there
does() { echo "$1" >>"$T/used"; ok "${PAGE##*-} $1: as the page says" env -C "$HG_DIR" python3 "$WAY/tools/manual.py" run "$PAGE" "$@"; }
# whole: nothing of the page was left out
whole() { is "${PAGE##*-} every block was tried" "$(sort -u "$T/used" | xargs)" "$(python3 "$WAY/tools/manual.py" list "$PAGE" | sort -u | xargs)"; }
# What a test needs of a configuration, and no page says; the rest is the page's, in conf.d
base()
{
	mkdir -p "$HG_DIR/conf.d"
	printf '%s\n' 'workers: 1' 'include: conf.d/*.yaml' "admin: {listen: $HG_DIR/admin.sock}" "control: {socket: $HG_DIR/control.sock}" \
		"log: {audit_file: $HG_DIR/audit.log}" "$@" >"$HG_DIR/headgate.yaml"
}
tables() { (umask 077; printf '%s\n' "$@" >"$HG_DIR/tenants.yaml"); }
lies() { wait_until 20s lying "$@"; }
lying() { [ "$(records "$1" | jq -rs 'max_by(.timestamp).key' | unhex)" = "$2" ]; } # TOPIC TENANT: its youngest record is that tenant's
sees() { [ "$(curl -s -o "$T/reply" -w '%{http_code}' -X POST "$URL$1" "${@:3}")" = "$2" ]; } # PATH STATUS [CURL-OPTION]...
# A poll would find what a bell did not bring.
starts()
{
	wait_until 20s headgatectl topics ls	# of topics that were just made the broker hears a little later
	headgate_start -o tenants.poll=1h
	ADDRESS=$(listener_address "$1") URL=$2://$(listener_address "$1")
}

# ---- Obstack ----
page obstack
instance obstack
pg_sql postgres -c "CREATE DATABASE \"$NAME-obstack\"" || bail "can't make a database"
PG_DB=$NAME-obstack
printf '[obstack]\nhost=%s\nport=%s\ndbname=%s\nuser=headgate_gw\n' "$PG_SOCKET_DIR" "$PG_PORT" "$PG_DB" >"$T/services"
export PGSERVICEFILE=$T/services
pg "CREATE TABLE tenants(id integer PRIMARY KEY, name varchar(255) UNIQUE NOT NULL, created_at timestamptz NOT NULL DEFAULT now())" \
	"INSERT INTO tenants VALUES (42, 'Answers')"
pg "$(block sql)" >"$T/said" 2>&1
ok "Obstack: the table and its bells are made" pg "$(block token)"
base 'record: {topic_prefix: o-}'
block conf 0.0.0.0:4318=127.0.0.1:0 "10.0.0.0/8=127.0.0.0/8" "kafka-1:9092=$SINK" >"$HG_DIR/conf.d/10-obstack.yaml"
does check 'partitions 12 --replication 3=partitions 1 --replication 1' 'telemetry-raw=o-telemetry-raw'
starts public http
ok "Obstack: the token is known" wait_until 20s sees /ingest/otlp/v1/traces 202 -H 'X-Obstack-Auth-Token: the token' -H 'Content-Type: application/json' -d '{}'
does try "127.0.0.1:4318=$ADDRESS"
otlp logs -m one -o "$T/body"
ok "Obstack: a record is taken" sees /ingest/otlp/v1 202 -H 'X-Obstack-Auth-Token: the token' -H 'Content-Type: application/x-protobuf' --data-binary "@$T/body"
ok "Obstack: as its tenant" lies o-telemetry-raw 42
# What differs
ok "a missing token is 401" sees /ingest/otlp/v1 401 -d x
is "in one text" "$(cat "$T/reply")" '{"detail":"Authentication failed","type":"http_exception"}'
ok "what is invalid is 400" sees /ingest/otlp/v1/logs 400 -H 'X-Obstack-Auth-Token: the token' -H 'Content-Type: application/x-protobuf' -d x
ok "a signal that can't be told is 400" sees /ingest/otlp/v1 400 -H 'X-Obstack-Auth-Token: the token' -H 'Content-Type: application/json' -d '{"a":1}'
ok "no byte is 202" sees /ingest/otlp/v1 202 -H 'X-Obstack-Auth-Token: the token' -H 'Content-Type: application/x-protobuf' --data-binary ''
ok "another tenant's name is 403" sees /ingest/otlp/v1 403 -H 'X-Obstack-Auth-Token: the token' -H 'X-Scope-OrgID: 7' -d x
pg "UPDATE tenant_tokens SET active = false" >/dev/null
ok "the bell rings: a token that is none any more is 401" wait_until 20s sees /ingest/otlp/v1 401 -H 'X-Obstack-Auth-Token: the token' -d x
pg "UPDATE tenant_tokens SET active = true" "ALTER TABLE tenants ADD is_active boolean NOT NULL DEFAULT true" >/dev/null
printf 'tenants:\n  source: postgres\n  dsn: service=obstack\n  query: %s\n' "$(block query | jq -Rs .)" >"$HG_DIR/conf.d/20-query.yaml"
sed -i '/^tenants:/,/^sink:/{/^sink:/!d}' "$HG_DIR/conf.d/10-obstack.yaml"
ok "the query with names is taken" headgate_reload
ok "Obstack: the name is the tenant" wait_until 20s sees /v1/logs 200 -H 'X-Obstack-Auth-Token: the token' -H 'X-Scope-OrgID: Answers' -H 'Content-Type: application/x-protobuf' --data-binary "@$T/body"
pg "UPDATE tenants SET is_active = false; NOTIFY headgate" >/dev/null
ok "Obstack: one that is not active is 401" wait_until 20s sees /ingest/otlp/v1 401 -H 'X-Obstack-Auth-Token: the token' -d x
block collector >"$T/collector"
is "the Collector's address is a route, and its header ours" "$(grep -oE '/ingest/otlp$|X-Obstack-Auth-Token' "$T/collector" | xargs)" "/ingest/otlp X-Obstack-Auth-Token"
whole
headgate_stop || fail "headgate ends with status 0" "status $HG_STATUS"

# ---- micromegas ----
page micromegas
instance micromegas
pg_sql postgres -c "CREATE DATABASE \"$NAME-lake\"" || bail "can't make a database"
PG_DB=$NAME-lake
pg "CREATE TABLE ingestion_api_keys(key_id uuid PRIMARY KEY DEFAULT gen_random_uuid(), key_hash bytea UNIQUE, name text NOT NULL DEFAULT '',
	created_at timestamptz NOT NULL DEFAULT now(), created_by text NOT NULL DEFAULT '', last_used_at timestamptz, revoked_at timestamptz,
	revoked_by text, audience varchar(255) NOT NULL, allowed_cidrs text[])" >/dev/null
ok "micromegas: the bell is made" pg "$(block sql)"
base 'record: {topic_prefix: m-}'
block conf "kafka-1:9092=$SINK" >"$HG_DIR/conf.d/10-micromegas.yaml"
port=$(port_pick)
block env "127.0.0.1:8081=127.0.0.1:$port" >"$T/env"
set -a
. "$T/env"
MICROMEGAS_SQL_CONNECTION_STRING="postgres://headgate_gw@/$PG_DB?host=$PG_SOCKET_DIR&port=$PG_PORT"
set +a
does check 'partitions 12 --replication 3=partitions 1 --replication 1' 'blobs=m-blobs'
starts micromegas http
is "micromegas: the address is that of the variable" "$ADDRESS" "127.0.0.1:$port"
ok "micromegas: the key is known" wait_until 20s sees /ingestion/insert_block 400 -H 'Authorization: Bearer secret123' --data-binary ''
ok "the table is fresh" wait_until 20s sees /ingestion/insert_block 401 -H 'Authorization: Bearer wrong' -d x
does try "127.0.0.1:8081=$ADDRESS"
ok "micromegas: it is a record of the default tenant" lies m-blobs default
pg "INSERT INTO ingestion_api_keys(key_hash, audience) VALUES (sha256('mmk_of_the_lake'), 'acme')" >/dev/null
lake=(-H 'Authorization: Bearer mmk_of_the_lake')
ok "a key of the database is known at once" wait_until 20s sees /ingestion/insert_block 200 "${lake[@]}" -d lake
ok "and writes as its audience" lies m-blobs acme
pg "UPDATE ingestion_api_keys SET revoked_at = now()" >/dev/null
ok "revoked it is refused at once" wait_until 20s sees /ingestion/insert_block 401 "${lake[@]}" -d x
# What differs
ok "not POST is 405" sees /ingestion/insert_block 405 -X PUT
ok "an unknown path is 404" sees /ingestion/nothing 404
ok "a coding that is not gzip is 415" sees /ingestion/insert_block 415 -H 'Authorization: Bearer secret123' -H 'Content-Encoding: deflate' -d x
ok "{} is 200 in OTLP" sees /ingestion/otlp/v1/logs 200 -H 'Authorization: Bearer secret123' -H 'Content-Type: application/json' -d '{}'
is "and {}" "$(cat "$T/reply")" '{}'
headgate_stop || fail "headgate ends with status 0" "status $HG_STATUS"
unset MICROMEGAS_SQL_CONNECTION_STRING
instance files
base 'record: {topic_prefix: m-}' "tenants: {file: $HG_DIR/tenants.yaml}"
block conf "kafka-1:9092=$SINK" | sed 1d >"$HG_DIR/conf.d/20-kafka.yaml"
does import "/etc/headgate=$HG_DIR"
unset MICROMEGAS_API_KEYS MICROMEGAS_INGESTION_LISTEN_ADDR
starts micromegas http
ok "files: the key works without the variable" wait_until 20s sees /ingestion/insert_block 200 -H 'Authorization: Bearer secret123' -d x
is "files: it does not stand there" "$(grep -c secret123 "$HG_DIR"/tenants.yaml "$HG_DIR"/conf.d/* | grep -vc ':0$')" 0
headgate_stop || fail "headgate ends with status 0" "status $HG_STATUS"
if command -v systemd-analyze >/dev/null; then
	mkdir -p "$T/units/headgate.service.d"
	sed "s|/usr/sbin/headgate|$HEADGATE|; s|/usr/bin/headgatectl|$HEADGATECTL|" "$ROOT/packaging/systemd/headgate.service" >"$T/units/headgate.service"
	block unit >"$T/units/headgate.service.d/micromegas.conf"
	is "the unit takes the file of variables" "$(systemd-analyze verify --man=no --recursive-errors=no "$T/units/headgate.service" 2>&1)" ""
else
	block unit >/dev/null
	skip "the unit takes the file of variables" systemd-analyze
fi
whole

# ---- Moose ----
page moose
instance moose
mkdir -p "$HG_DIR/.moose"
cp "$ROOT/tests/fixtures/moose/infrastructure_map.json" "$HG_DIR/.moose/"
base "protocols: {models: {dir: $HG_DIR/models}}" "tenants: {file: $HG_DIR/tenants.yaml}" 'record: {topic_prefix: ""}'
does models "/etc/headgate=$HG_DIR"
is "Moose: a file for each of its APIs" "$(find "$HG_DIR/models" -name '*.json' | wc -l)" "$(jq '.api_endpoints | length' "$HG_DIR/.moose/infrastructure_map.json")"
tables 'version: 1' 'tenants: []'
block conf >"$HG_DIR/conf.d/10-moose.yaml"
port=$(port_pick)
block env "4000=$port" "kafka-1:9092=$SINK" >"$T/env"
set -a
. "$T/env"
set +a
does hash
does check 'partitions 12 --replication 3=partitions 1 --replication 1'
starts moose http
is "Moose: the address is that of the variables" "$ADDRESS" "127.0.0.1:$port"
moose=(-H "Authorization: Bearer $MOOSE_KEY")
ok "Moose: the key is known" wait_until 20s sees /ingest/Nobody 404 "${moose[@]}" -d '{}'
does try "127.0.0.1:4000=$ADDRESS"
ok "Moose: it is an event of the default tenant" lies UserActivity default
# What differs
ok "bytes behind the value are 400" sees /ingest/UserActivity 400 "${moose[@]}" -d '{"activity":"x"}{"activity":"y"}'
ok "a member twice too" sees /ingest/UserActivity 400 "${moose[@]}" -d '{"activity":"x","activity":"y"}'
ok "two Authorization headers are 401" sees /ingest/UserActivity 401 "${moose[@]}" "${moose[@]}" -d '{"activity":"x"}'
ok "/ingest/User is none of UserActivity" sees /ingest/User 404 "${moose[@]}" -d '{}'
headgate_stop || fail "headgate ends with status 0" "status $HG_STATUS"
unset "${!MOOSE_@}"
instance keys
mkdir -p "$HG_DIR/models"
base "protocols: {models: {dir: $HG_DIR/models}}" "tenants: {file: $HG_DIR/tenants.yaml}" 'listeners: [{name: moose, listen: "127.0.0.1:0", dialect: moose}]' 'sink: kafka' "kafka: {brokers: [\"$SINK\"]}"
cp "$T/moose/models/UserActivity.json" "$HG_DIR/models/"
(umask 077; block tenants >"$HG_DIR/tenants.yaml")
openssl genrsa 2048 2>/dev/null | openssl rsa -pubout -out "$T/secrets/moose.pem" 2>/dev/null
block jwt "/etc/headgate/secrets=$T/secrets" >"$HG_DIR/conf.d/10-jwt.yaml"
starts moose http
ok "keys of the tenants file work" wait_until 20s sees /ingest/UserActivity 200 "${moose[@]}" -d '{"activity":"x"}'
ok "each as its tenant" lies UserActivity acme
headgate_stop || fail "headgate ends with status 0" "status $HG_STATUS"
MOOSE_KEY=''
whole

# ---- the gateway ----
page gateway
instance gateway
claims='{tokenCallbacks: [{issuerId: "dex", tokenExpiry: 3600, requestMappings: [
	{requestParam: "client_id", match: "ops", claims: {sub: "ops", aud: ["gateway"], groups: ["platform"]}},
	{requestParam: "client_id", match: "till", claims: {sub: "till", aud: ["gateway"], groups: ["shop"]}}]}]}'
oidc_start dex "$(jq -n "$claims")"
base "tenants: {file: $HG_DIR/tenants.yaml}" 'record: {topic_prefix: g-}'
tables 'version: 1' 'tenants: []'
block conf 0.0.0.0:4318=127.0.0.1:0 "https://dex.example.com/keys=$OIDC_URL/dex/jwks" "https://dex.example.com=$OIDC_URL/dex" \
	"/etc/headgate/tls/cert.pem=$T/cert.pem" "/etc/headgate/secrets/key.pem=$T/key.pem" "kafka-1:9092=$SINK" >"$HG_DIR/conf.d/10-gateway.yaml"
does tenants
does token
does check 'partitions 12 --replication 3=partitions 1 --replication 1' 'loki_push=g-loki_push'
starts public https
ok "the gateway: the token is known" wait_until 20s sees /loki/api/v1/push 400 -H "Authorization: Bearer $(cat "$HG_DIR/token")" -H 'X-Scope-OrgID: Team_A' -H 'Content-Type:' -d x
does try "127.0.0.1:4318=$ADDRESS"
ok "the gateway: the line is the tenant's" lies g-loki_push Team_A
# as WHOM TENANT: the options of a push by that identity
OPS=$(oidc_token dex client_id=ops) TILL=$(oidc_token dex client_id=till)
push() { sees /loki/api/v1/push "$3" -H "Authorization: Bearer $1" -H "X-Scope-OrgID: $2" -H 'Content-Type: application/json' -d '{"streams":[{"stream":{"a":"b"},"values":[["1700000000000000000","x"]]}]}'; }
ok "an identity names a tenant that it is bound to" wait_until 20s push "$OPS" team-b 204
ok "or another one" push "$OPS" Team_A 204
ok "each by its own groups" push "$TILL" team-b 204
ok "and no further one" push "$TILL" Team_A 403
ok "nor one that is not there" push "$OPS" nobody 403
ok "Reads are 404" sees /loki/api/v1/query 404 -H "Authorization: Bearer $OPS"
ok "so is raw" sees /loki/api/v1/raw 404 -H "Authorization: Bearer $OPS" -d x
block userinfo "https://dex.example.com/userinfo=$OIDC_URL/dex/userinfo" >"$HG_DIR/conf.d/20-userinfo.yaml"
ok "userinfo beside it is a configuration" "$T/bin/headgate" -t -q
ok "and taken by a reload" headgate_reload
ok "which changes nothing for those who were known" wait_until 20s push "$OPS" Team_A 204
headgate_stop || fail "headgate ends with status 0" "status $HG_STATUS"
whole
finish
