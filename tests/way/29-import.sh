#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 29-import.sh -- what the environment of micromegas and of Moose says counts if import_env names them, below the files, and no key is seen
# anywhere; where nobody could be let in nothing starts; import-env prints the same as files (compatibility.md 1, 3, 5: B4, B24, C3, C5)
. "${0%/*}/lib.sh"

KEY=secret-4711-of-svc OTHER=secret-4711-of-acme BEARER=deadbeefdeadbeefdeadbeefdeadbeef.0123456789abcdef0123456789abcdef
HASH=445FD4696cfc5c49e28995c4aba05de44303a112
api_keys() { jq -nc --arg a "$KEY" --arg b "$OTHER" '[{name: "svc", key: $a}, {name: "of acme", key: $b, tenant: "acme"}]'; }
sees() { [ "$(TOKEN=$1 request /v1/logs -d x)" = "$2" ]; }
log_as() { otlp logs -m one -o "$T/body"; TOKEN=$1 post /v1/logs "$T/body"; }
keys_of_records() { stored | jq -r .key | sort | uniq -c | xargs; }
shown() { "$HEADGATE" -c "$HG_DIR/headgate.yaml" "${@:2}" -T 2>/dev/null | grep -F "$1" | xargs; }
refused()	# SENTENCE REGEX [ARGUMENT...]: the start is, by status 78, in these words, which hold no secret
{
	"$HEADGATE" -c "$HG_DIR/headgate.yaml" "${@:3}" >"$T/refused" 2>&1
	is "$1: status 78" $? 78
	like "$1: why" "$(cat "$T/refused")" "$2"
	is "$1: no value is shown" "$(grep -c 4711 "$T/refused")" 0
}

# ---- micromegas: keys (B24) ----
conf_base local file 2
conf "local.dir=$HG_DIR/store" log.access_file="$HG_DIR/access.log"
export MICROMEGAS_API_KEYS MICROMEGAS_DEFAULT_AUDIENCE MICROMEGAS_SHUTDOWN_GRACE_PERIOD_SECONDS MICROMEGAS_AUTH_CACHE_TTL_SECONDS
export MICROMEGAS_INGESTION_LISTEN_ADDR MICROMEGAS_ADMINS MOOSE_INGEST_API_KEY MICROMEGAS_SQL_CONNECTION_STRING
MICROMEGAS_API_KEYS=$(api_keys)
export MICROMEGAS_INGESTION_API_KEYS='[{"name": "not", "key": "s-4711"}, 7]' PGPASSWORD=s-4711 MOOSE_ADMIN_TOKEN=s-4711
headgate_start
processes() { echo "$HG_PID"; workers; }
# Nobody sees them
hidden()
{
	local pid
	for pid in $(processes); do
		environment "$pid" "$T/environ"
		is "the environment of process $pid shows no key" "$(grep -c 4711 "$T/environ")" 0
	done
}
hidden
headgate_stop || fail "headgate ends with status 0" "status $HG_STATUS"
unset MICROMEGAS_INGESTION_API_KEYS PGPASSWORD MOOSE_ADMIN_TOKEN
headgate_start
ok "what is not imported is told once" wait_until 10s hg_log 'warning: not imported: MICROMEGAS_API_KEYS$'
ok "B4: an empty table is told" wait_until 10s hg_log 'lvl=warn mod=tenants msg="the table has no token'
is "and does not count" "$(TOKEN=$KEY request /v1/logs -d x)" 401
conf 'import_env=[micromegas]'
ok "by a reload it does" headgate_switch
ok "a key of the environment works" wait_until 10s is_known "$KEY"
is "it writes" "$(log_as "$KEY")" 200
is "the other one too" "$(log_as "$OTHER")" 200
is "without a tenant of its own as default, else as that one: no row is needed" "$(keys_of_records)" "1 $(hex acme) 1 $(hex default)"
is "the paths of micromegas are served" "$(TOKEN=$KEY request /ingestion/insert_process -d x)" 200
tenants_file "default:$(token_new)"
sed -i 's/^  - id: "default"/&\n    state: suspended/' "$HG_DIR/tenants.yaml"
ok "a row of that tenant wins" wait_until 10s sees "$KEY" 403
is "for it alone" "$(TOKEN=$OTHER request /v1/logs -d x)" 415
tenants_file
ok "the row is gone" wait_until 10s sees "$KEY" 415
conf 'import_env=[]'
ok "a reload" headgate_switch
ok "that imports no more" wait_until 10s sees "$KEY" 401
conf 'import_env=[micromegas]'
ok "and again" headgate_switch
known "$KEY"
of_audit() { jq -r 'select(.code == 403).token' "$HG_DIR/audit.log" | head -n 1; }
comes "the audit names the key by its name" env-svc of_audit

hidden
is "logs, audit and metrics have none" "$(cat "$HG_LOG" "$HG_DIR"/*.log <(admin /metrics) <("$HEADGATE" -c "$HG_DIR/headgate.yaml" -T 2>&1) | grep -ac 4711)" 0
headgate_stop || fail "headgate ends with status 0" "status $HG_STATUS"

MICROMEGAS_DEFAULT_AUDIENCE=' public ' MICROMEGAS_ADMINS='["a@example.com"]'
rm -r "$HG_DIR/store"
headgate_start
known "$KEY"
log_as "$KEY" >"$T/status"
is "with MICROMEGAS_DEFAULT_AUDIENCE=public it writes as public" "$(keys_of_records)" "1 $(hex public)"
headgate_stop || fail "headgate ends with status 0" "status $HG_STATUS"

# ---- what -T shows, and who wins (B24) ----
conf listeners=
MICROMEGAS_INGESTION_LISTEN_ADDR=127.0.0.1:8082 MICROMEGAS_SHUTDOWN_GRACE_PERIOD_SECONDS=20 MICROMEGAS_AUTH_CACHE_TTL_SECONDS=60
is "-T shows the listen address, and where it came from" "$(shown 127.0.0.1:8082)" "listen: 127.0.0.1:8082 # env MICROMEGAS_INGESTION_LISTEN_ADDR"
is "the grace period" "$(shown drain_timeout)" "drain_timeout: 20s # env MICROMEGAS_SHUTDOWN_GRACE_PERIOD_SECONDS"
is "the cache" "$(shown cache_ttl)" "cache_ttl: 1m # env MICROMEGAS_AUTH_CACHE_TTL_SECONDS"
is "a long option wins, as micromegas writes it" "$(shown 'listen: "127.0.0.1:8083"' --listen_endpoint_http=127.0.0.1:8083)" "listen: 127.0.0.1:8083 # -o"
is "so does the other" "$(shown drain_timeout --shutdown-grace-period-seconds 7)" "drain_timeout: 7s # -o"
"$HEADGATE" --shutdown_grace_period_seconds=31 -T >/dev/null 2>&1
is "beyond 30 it is a usage error" $? 2
conf auth.cache_ttl=2m
is "a file wins over a variable" "$(shown cache_ttl)" "cache_ttl: 2m # headgate.yaml:$(grep -n cache_ttl "$HG_DIR/headgate.yaml" | cut -d: -f1)"
MICROMEGAS_SQL_CONNECTION_STRING=postgres://u:pw4711@db/lake
conf tenants=
is "a connection string is a reference" "$(shown '  dsn:')" 'dsn: ${MICROMEGAS_SQL_CONNECTION_STRING} # env MICROMEGAS_SQL_CONNECTION_STRING'
like "and the table of keys is read" "$(shown '  query:')" 'FROM ingestion_api_keys WHERE revoked_at IS NULL'
MICROMEGAS_SQL_CONNECTION_STRING='' MICROMEGAS_API_KEYS='[{"name":"a","key":4711}]'
refused "a bad key" 'env MICROMEGAS_API_KEYS: error: \[0\]'
MICROMEGAS_API_KEYS='' MICROMEGAS_ADMINS='[4711'
refused "bad JSON" 'env MICROMEGAS_ADMINS: error: it is no JSON: line 1'
MICROMEGAS_ADMINS=''

# ---- an unbound JWT (B24) ----
b64() { base64 -w0 | tr +/ -_ | tr -d =; }
jwt()	# ISSUER AUDIENCE
{
	local text
	text=$(printf '{"alg":"RS256","typ":"JWT"}' | b64).$(jq -jnc --arg i "$1" --arg a "$2" '{iss: $i, aud: $a, sub: "someone", exp: (now + 600 | floor)}' | b64)
	printf '%s.%s' "$text" "$(printf %s "$text" | openssl dgst -sha256 -sign "$T/jwt.key" | b64)"
}
MICROMEGAS_DEFAULT_AUDIENCE=''
openssl genrsa -out "$T/jwt.key" 2048 2>/dev/null && openssl rsa -in "$T/jwt.key" -pubout -out "$T/jwt.pem" 2>/dev/null
instance nothing
tenants_file
conf_base local file 1
conf "local.dir=$HG_DIR/store" auth.jwt.0.name=own auth.jwt.0.issuer=https://own.example 'auth.jwt.0.audiences=[a]' "auth.jwt.0.public_key_file=$T/jwt.pem"
headgate_start
ok "the JWT is judged once the table is there" wait_until 10s sees "$(jwt https://own.example a)" 403
is "nothing imported: an unbound JWT is 403" "$(log_as "$(jwt https://own.example a)")" 403
ok "hg-tenant-unknown in the audit" wait_until 10s grep -q 'hg-tenant-unknown' "$HG_DIR/audit.log"
conf 'import_env=[micromegas]'
ok "a reload with import_env" headgate_switch
is "then it writes" "$(log_as "$(jwt https://own.example a)")" 200
is "as the default tenant" "$(keys_of_records)" "1 $(hex default)"
headgate_stop || fail "headgate ends with status 0" "status $HG_STATUS"

# ---- Moose (C3, C5) ----
instance moose
tenants_file
conf_base local file 1
conf "local.dir=$HG_DIR/store" 'import_env=[moose]' listeners.0.dialect=moose
export MOOSE_JWT__SECRET MOOSE_JWT__ISSUER MOOSE_JWT__AUDIENCE MOOSE_JWT__ENFORCE_ON_ALL_INGEST_APIS MOOSE_HTTP_SERVER_CONFIG__PATH_PREFIX
for bad in "${HASH%?}" "${HASH}4" "x${HASH%?}"; do
	MOOSE_INGEST_API_KEY=$bad
	refused "C3: a hash of ${#bad} characters that is none" 'env MOOSE_INGEST_API_KEY: error: it is no hash of 40 hex digits'
done
MOOSE_INGEST_API_KEY='' MOOSE_JWT__SECRET=$(sed ':a;N;$!ba;s/\n/\\n/g' "$T/jwt.pem") MOOSE_JWT__ISSUER=https://moose.example MOOSE_JWT__AUDIENCE=ingest
nobody='Authentication required but no auth providers configured\.'
refused "C5: a JWT that is not enforced, and no key" "$nobody"
"$HEADGATE" -c "$HG_DIR/headgate.yaml" -t >"$T/refused" 2>&1
is "C5: -t says so too" "$? $(grep -c "$nobody" "$T/refused")" "78 1"
headgate_start --disable-auth
is "C5: but with --disable-auth" "$(request /v1/logs -d x)" 415
headgate_stop || fail "headgate ends with status 0" "status $HG_STATUS"
MOOSE_INGEST_API_KEY=$HASH
headgate_start
ok "C3: an upper-case hash works" wait_until 10s sees "$BEARER" 415
is "its key writes as default" "$(log_as "$BEARER")" 200
is "so does a JWT of the variable's key, whose lines were joined" "$(log_as "$(jwt https://moose.example ingest)")" 200
is "no row was needed" "$(keys_of_records)" "2 $(hex default)"
headgate_stop || fail "headgate ends with status 0" "status $HG_STATUS"
MOOSE_JWT__AUDIENCE=''
refused "a JWT in parts" 'env MOOSE_JWT__AUDIENCE: error: it is missing'
MOOSE_JWT__SECRET='' MOOSE_JWT__ISSUER='' MOOSE_JWT__ENFORCE_ON_ALL_INGEST_APIS=true
refused "JWT enforced, and none configured" "$nobody"
MOOSE_JWT__ENFORCE_ON_ALL_INGEST_APIS=''

# ---- nobody (B4) ----
instance nobody
conf_base local file 1
conf "local.dir=$HG_DIR/store" tenants.file=
MOOSE_INGEST_API_KEY=''
if [ -e /etc/headgate/tenants.yaml ]; then
	skip "without any provider nothing starts" "this machine has /etc/headgate/tenants.yaml"
else
	refused "B4: no provider" "$nobody There is no /etc/headgate/tenants.yaml"
	headgate_start --disable_auth
	is "B4: --disable_auth takes everybody" "$(request /v1/logs -d x)" 415
	headgate_stop || fail "headgate ends with status 0" "status $HG_STATUS"
	conf 'import_env=[moose]'
	MOOSE_INGEST_API_KEY=$HASH
	headgate_start
	ok "a key of the environment is one" wait_until 10s sees "$BEARER" 415
	ok "that there is no file is told" wait_until 10s hg_log 'lvl=warn mod=tenants_file.*there is no tenants file'
	headgate_stop || fail "headgate ends with status 0" "status $HG_STATUS"
fi

# ---- import-env ----
MICROMEGAS_API_KEYS=$(api_keys)
"$HEADGATECTL" import-env >"$T/both" 2>"$T/said"
is "import-env prints both files" "$? $(grep -c '^---$' "$T/both")" "0 1"
is "no key in clear" "$(cat "$T/both" "$T/said" | grep -c -e 4711 -e "$KEY")" 0
instance printed
"$HEADGATECTL" import-env --options >"$HG_DIR/printed.yaml"
(umask 077; "$HEADGATECTL" import-env --tenants >"$HG_DIR/tenants.yaml")
is "each alone" "$(cat "$HG_DIR/printed.yaml" <(echo ---) "$HG_DIR/tenants.yaml")" "$(cat "$T/both")"
ok "the configuration is one" "$HEADGATE" -c "$HG_DIR/printed.yaml" -T
MICROMEGAS_API_KEYS='' MOOSE_INGEST_API_KEY='' MICROMEGAS_INGESTION_LISTEN_ADDR=''
unset MICROMEGAS_SHUTDOWN_GRACE_PERIOD_SECONDS MICROMEGAS_AUTH_CACHE_TTL_SECONDS
conf_base local file 1
conf "local.dir=$HG_DIR/store"
headgate_start
ok "the tenants are: each key works without its variable" wait_until 10s sees "$KEY" 415
is "the second" "$(TOKEN=$OTHER request /v1/logs -d x)" 415
is "that of Moose" "$(TOKEN=$BEARER request /v1/logs -d x)" 415
"$HEADGATECTL" import-env >"$T/both" 2>&1
is "without a variable there is nothing to print" "$? $(cat "$T/both")" "1 headgatectl: no variable of micromegas or Moose is set"
finish
