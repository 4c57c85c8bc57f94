#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 59-credentials.sh -- all providers at once: each kind of credential on each route, by Bearer and by Basic alike (protocols.md P19); each kind
# that is no good refused; and then no secret of any kind is anywhere that headgate writes or shows, not even at log.level debug
# (records.md R12, faults.md F53, operations.md O12, compatibility.md A12, B13)
. "${0%/*}/lib.sh"
need postgres

b64() { base64 -w0 | tr +/ -_ | tr -d =; }
# jwt KEY SECONDS [SUBJECT]: a token of the issuer below, from now
jwt()
{
	local text
	text=$(printf '{"alg":"RS256","typ":"JWT"}' | b64).$(jq -jnc --argjson exp "$2" --arg sub "${3:-someone}" \
		'{iss: "https://own.example", aud: "ingest", sub: $sub, tenant: "acme", exp: (now + $exp | floor)}' | b64)
	printf '%s.%s' "$text" "$(printf %s "$text" | openssl dgst -sha256 -sign "$1" | b64)"
}
hash_of() { python3 -c 'import hashlib, sys; a, b = sys.argv[1].split("."); print(hashlib.pbkdf2_hmac("sha256", a.encode(), b.encode(), 1000, 20).hex())' "$1"; }
for key in own other; do openssl genrsa -out "$T/$key.key" 2048 2>/dev/null; done
openssl rsa -in "$T/own.key" -pubout -out "$T/own.pem" 2>/dev/null

# ---- who may come in, and who may not ----
tenant_add acme
tenant_add other
declare -A GOOD=() BAD=()
GOOD[token]=$(token_add acme)
GOOD[foreign]=$(token_add acme 'foreign key: ünïcode, 100%')
GOOD[pbkdf2]=deadbeefdeadbeefdeadbeefdeadbeef.0123456789abcdef0123456789abcdef
GOOD[jwt]=$(jwt "$T/own.key" 3600)
GOOD[userinfo]=opaque-of-somebody-8d1f
GOOD[imported]=imported-key-5b77
pg "INSERT INTO headgate.token(token_id, tenant_id, kind, hash, iterations) VALUES ('moose', 'acme', 'pbkdf2', '\\x$(hash_of "${GOOD[pbkdf2]}")', 1000)"
BAD[401:unknown]=$(token_new)
BAD[401:revoked]=$(token_add acme)
token_revoke "${BAD[401:revoked]}"
BAD[401:malformed]=${GOOD[token]%?}-
BAD[401:guess]=0badbeefdeadbeefdeadbeefdeadbeef.0123456789abcdef0123456789abcdef
BAD[401:expired]=$(jwt "$T/own.key" -600)
BAD[401:forged]=$(jwt "$T/other.key" 3600)
BAD[401:denied]=opaque-of-nobody-77aa
BAD[403:forbidden]=opaque-of-a-stranger-0c0c
BAD[503:unjudged]=opaque-of-a-broken-answer-4e4e
yes='{"status": 200, "json": {"sub": "somebody", "tenant": "acme"}}'
background python3 "$WAY/tools/answers.py" "$T/asked" "$(cat <<JSON
{"/userinfo": [{"status": 401, "by": {"Bearer ${GOOD[userinfo]}": $yes, "Bearer ${BAD[403:forbidden]}": {"status": 403},
	"Bearer ${BAD[503:unjudged]}": {"status": 500, "body": "no ${BAD[503:unjudged]}"}}}]}
JSON
)"
wait_until 20s test -s "$T/asked"

# ---- a gateway with all of it ----
umask 077
printf '%s\n' "$PG_DSN_TCP" >"$T/dsn"
mkdir "$T/models"
echo '{"name":"Event","columns":[{"name":"n","data_type":"Int64","required":true}]}' >"$T/models/event.json"
export MICROMEGAS_API_KEYS="[{\"name\":\"svc\",\"key\":\"${GOOD[imported]}\",\"tenant\":\"acme\"}]"
conf_base local postgres 2
conf tenants.dsn= "tenants.dsn_file=$T/dsn" 'import_env=[micromegas]' protocols.micromegas.enabled=true protocols.obstack.enabled=true \
	"protocols.models.dir=$T/models" listeners.1.name=gateway listeners.1.listen=127.0.0.1:0 listeners.1.dialect=gateway \
	listeners.2.name=moose listeners.2.listen=127.0.0.1:0 listeners.2.dialect=moose "log.access_file=$HG_DIR/access.log" log.level=debug \
	auth.unknown_per_source=10000/s auth.pbkdf2.per_source=1000/s auth.pbkdf2.per_worker=1000/s \
	"auth.jwt.0={name: own, issuer: \"https://own.example\", public_key_file: $T/own.pem, audiences: [ingest], tenant_claim: tenant}" \
	"auth.userinfo.url=http://localhost:$(head -n 1 "$T/asked")/userinfo" auth.userinfo.tenant_claim=tenant
ulimit -c unlimited
headgate_start
known "${GOOD[token]}"
NATIVE=$URL GATEWAY=http://$(listener_address gateway) MOOSE=http://$(listener_address moose)
background python3 "$WAY/tools/tap.py" "$HG_DIR/control.sock" "$T/tapped" '{"duration_ms": 120000, "rate": 100}'
wait_until 20s test -s "$T/tapped"

PROTOBUF='header = "Content-Type: application/x-protobuf"' JSON='header = "Content-Type: application/json"' ORG='header = "X-Scope-OrgID: acme"'
printf '\n\377' >"$T/broken"
echo '{"n":1}' >"$T/event"
otlp logs -m credentials -o "$T/logs"
body() { printf 'data-binary = "@%s"\n' "$T/$1"; }
# at NAME: a request there that a good credential gets an answer to, in curl's words
at()
{
	case $1 in
	traces|metrics)	printf '%s\n' "url = \"$NATIVE/v1/$1\"" "$PROTOBUF" "$(body broken)" ;;
	logs)	printf '%s\n' "url = \"$NATIVE/v1/logs\"" "$PROTOBUF" "$(body logs)" ;;
	write)	printf '%s\n' "url = \"$NATIVE/api/v1/write\"" "$PROTOBUF" 'header = "Content-Encoding: snappy"' "$(body broken)" ;;
	loki)	printf '%s\n' "url = \"$NATIVE/loki/api/v1/push\"" "$PROTOBUF" "$(body broken)" ;;
	obstack)	printf '%s\n' "url = \"$NATIVE/ingest/otlp/v1\"" "$PROTOBUF" "$(body broken)" ;;
	block|webhook)	printf '%s\n' "url = \"$NATIVE/ingestion/${1/block/insert_block}\"" "$(body logs)" ;;
	micromegas)	printf '%s\n' "url = \"$NATIVE/ingestion/otlp/v1/logs\"" "$PROTOBUF" "$(body logs)" ;;
	gateway)	printf '%s\n' "url = \"$GATEWAY/loki/api/v1/push\"" "$JSON" "$ORG" "$(body broken)" ;;
	tempo)	printf '%s\n' "url = \"$GATEWAY/tempo/v1/traces\"" "$PROTOBUF" "$ORG" "$(body broken)" ;;
	model)	printf '%s\n' "url = \"$MOOSE/ingest/Event\"" "$JSON" "$(body event)" ;;
	esac
}
ROUTES='traces metrics logs write loki obstack block webhook micromegas gateway tempo model'
mkdir "$T/said"	# every reply, for the search at the end
said=0
# asked AUTHORIZATION...: the status of each, on each route, a line for each: `ROUTE STATUS...`
asked()
{
	local each how
	for each in $ROUTES; do
		printf 'write-out = "%s"\nurl = "%s/health"\nnext\n' "$each" "$NATIVE"
		for how; do
			at "$each"
			printf '%s\n' "header = \"Authorization: $how\"" "output = \"$T/said/$((++said))\"" "dump-header = \"$T/said/$((++said))\"" \
				'write-out = " %{http_code}"' next
		done
		printf 'write-out = "\\n"\nurl = "%s/health"\nnext\n' "$NATIVE"
	done >"$T/curlrc"
	sed -i '$d' "$T/curlrc"
	curl -sS -K "$T/curlrc"
}
basic() { echo "Basic $(printf '%s' "$1" | base64 -w0)"; }

for kind in "${!GOOD[@]}"; do
	secret=${GOOD[$kind]}
	asked "Bearer $secret" "$(basic ":$secret")" "$(basic "acme:$secret")" "$(basic "other:$secret")" >"$T/statuses"
	is "P19: $kind: as Bearer, as the password of nobody or of the tenant it is the same on each of 12 routes, of another user 403" \
		"$(awk 'NF != 5 || $2 !~ /^(20[024]|400)$/ || $3 != $2 || $4 != $2 || $5 != 403' "$T/statuses")|$(wc -l <"$T/statuses")" "|12"
done
for kind in "${!BAD[@]}"; do
	is "${kind#*:}: ${kind%%:*} on each route, by both" "$(asked "Bearer ${BAD[$kind]}" "$(basic ":${BAD[$kind]}")" | cut -d' ' -f2- | sort | uniq -c | xargs)" \
		"12 ${kind%%:*} ${kind%%:*}"
done
# Where people put a credential that belongs elsewhere.
TOKEN='' good=${GOOD[token]} foreign=${GOOD[foreign]}
TYPE=(-H 'Content-Type: application/x-protobuf')
ask() { request "/v1/logs${WHERE-}" "$@"; cat "$T/reply" "$T/reply.head" >>"$T/said/misplaced"; }
told() { ask "${@:3}" >"$T/status"; is "$1" "$(cat "$T/status")" "$2"; }
told "a token as the user of Basic" 401 -u "$good:" "${TYPE[@]}" -d x
told "as user and password" 403 -u "$good:$good" "${TYPE[@]}" -d x
told "with another one in Obstack's header" 401 -H "Authorization: Bearer $good" -H "X-Obstack-Auth-Token: $foreign" "${TYPE[@]}" -d x
WHERE=/$good told "in a path" 404 "${TYPE[@]}" -d x
WHERE="?token=$good" told "in a query" 401 "${TYPE[@]}" -d x
told "without a scheme" 401 -H "Authorization: $good" "${TYPE[@]}" -d x
told "in a body that is refused" 400 -H "Authorization: Bearer $foreign" -H 'Content-Type: application/json' -d "{\"resourceLogs\": \"$good\"}"

# ---- a client secret: headgatectl send, while it runs and after ----
CLIENT_SECRET=client-secret-91ab
background python3 "$WAY/tools/answers.py" "$T/issuer" "$(jq -nc --arg token "${GOOD[jwt]}" --arg secret $CLIENT_SECRET '{
	"/slow": [{status: 200, wait: 1, json: {access_token: $token, expires_in: 600}}],
	"/bad": [{status: 400, json: {error: "invalid_client", error_description: $secret}}]}')"
wait_until 20s test -s "$T/issuer"
export MICROMEGAS_OIDC_CLIENT_ID=agent MICROMEGAS_OIDC_CLIENT_SECRET=$CLIENT_SECRET
mkdir "$T/sent"
MICROMEGAS_OIDC_TOKEN_ENDPOINT=http://127.0.0.1:$(head -n 1 "$T/issuer")/slow "$HEADGATECTL" send --url "$NATIVE" --path /ingestion/insert_block \
	--json "$T/event" >"$T/sent/out" 2>"$T/sent/err" &
sender=$!
asks() { [ "$(wc -l <"$T/issuer")" -ge 2 ]; }
wait_until 20s asks
tr '\0' '\n' <"/proc/$sender/cmdline" >"$T/sent/cmdline"
wait "$sender"
is "a sender of client credentials delivers" "$?" 0
MICROMEGAS_OIDC_TOKEN_ENDPOINT=http://127.0.0.1:$(head -n 1 "$T/issuer")/bad "$HEADGATECTL" send --url "$NATIVE" --path /ingestion/insert_block \
	--json "$T/event" >"$T/sent/bad" 2>&1
like "one whose secret is refused says no more than why" "$? $(cat "$T/sent/bad")" '^1 .*invalid_client'
unset MICROMEGAS_OIDC_CLIENT_ID MICROMEGAS_OIDC_CLIENT_SECRET

# ---- passwords of headgate's own: wrong ones are complained of ----
ADMIN_TOKEN=admin-token-33cd PG_WRONG=not-the-password-17ef SASL_PASSWORD=sasl-password-62fe
certs
echo $ADMIN_TOKEN >"$T/admin-token"
echo "${PG_DSN_TCP/$PG_PASSWORD/$PG_WRONG}" >"$T/wrong-dsn"
echo $SASL_PASSWORD >"$T/sasl"
(
	unset MICROMEGAS_API_KEYS
	instance lost
	KAFKA_BROKERS=127.0.0.1:$(port_pick) conf_base kafka postgres 1
	conf tenants.dsn= "tenants.dsn_file=$T/wrong-dsn" log.level=debug "admin.listen=127.0.0.1:$(port_pick)" "admin.tls.cert_file=$T/cert.pem" \
		"admin.tls.key_file=$T/key.pem" "admin.token_file=$T/admin-token" kafka.sasl.mechanism=PLAIN kafka.sasl.username=me \
		"kafka.sasl.password_file=$T/sasl"
)
instance lost
expect_err 'mod=(tenants_pg|sink_kafka|topics)'
headgate_start
ok "a password that is none is complained of" wait_until 20s hg_log 'mod=tenants_pg .*password authentication failed'
url=https://$(listener_address admin)
over_tcp() { curl -sS --cacert "$CA" --max-time 10 -o "$T/seen/$1" -w '%{http_code}' "$url$1" "${@:2}"; }
mkdir "$T/seen"
is "the admin listener asks for its token" "$(over_tcp /metrics) $(over_tcp /metrics -H "Authorization: Bearer ${ADMIN_TOKEN}x") $(over_tcp /metrics -H "Authorization: Bearer $ADMIN_TOKEN")" \
	"401 401 200"
for pid in "$HG_PID" $(workers); do tr '\0' '\n' <"/proc/$pid/cmdline" >"$T/seen/lost.cmdline.$pid"; environment "$pid" "$T/seen/lost.environ.$pid"; done
headgate_stop || fail "headgate ends with status 0" "status $HG_STATUS"
instance hg

# ---- no secret anywhere; R12, F53 ----
{
	printf '%s\n' "${GOOD[@]}" "${BAD[@]}" "$PG_PASSWORD" $CLIENT_SECRET $ADMIN_TOKEN $PG_WRONG $SASL_PASSWORD
	for each in "${GOOD[@]}" "${BAD[@]}"; do
		for user in '' acme other; do printf '%s' "$user:$each" | base64 -w0; echo; done	# as Basic has it
		[[ $each != hgt_* ]] || echo "${each#hgt_????????_}"	# the public id apart
		[[ $each != *.*.* ]] || printf '%s\n' "${each##*.}" "$(cut -d. -f2 <<<"$each")"	# a JWT's signature, its claims
		[[ $each != *.* || $each = *.*.* ]] || printf '%s\n' "${each%.*}" "${each#*.}"	# a key's text, its salt
		token_hash "$each"
	done
	hash_of "${GOOD[pbkdf2]}"
	sed '1d;$d' "$T/own.key" "$T/key.pem" | awk 'length >= 40'	# private keys: of TLS, and one that is nobody's business
} >"$T/secrets"
admin /metrics >"$T/seen/metrics"
admin /metrics -H 'Accept: application/openmetrics-text' >"$T/seen/openmetrics"
admin '/ready?verbose' >"$T/seen/ready"
admin /status >"$T/seen/status.html"
admin /status.json >"$T/seen/status.json"
"$HEADGATECTL" --socket "$HG_DIR/control.sock" status >"$T/seen/status" 2>&1
"$HEADGATECTL" --socket "$HG_DIR/control.sock" --json status >"$T/seen/status.control" 2>&1
"$HEADGATE" -c "$HG_DIR/headgate.yaml" -T >"$T/seen/dump" 2>&1
"$HEADGATE" -c "$T/lost/headgate.yaml" -T >"$T/seen/dump.lost" 2>&1
psql -X -A -t -h "$PG_SOCKET_DIR" -p "$PG_PORT" -U postgres -d "$PG_DB" -c 'SELECT * FROM headgate.audit' >"$T/seen/audit"
stored | jq -r '.value, (.headers[][1])' | unhex >"$T/seen/records"
for pid in "$HG_PID" $(workers); do
	for file in cmdline status comm; do tr '\0' '\n' <"/proc/$pid/$file" >"$T/seen/$file.$pid"; done
	environment "$pid" "$T/seen/environ.$pid"
done
ok "records are there to be searched" test "$(stored | wc -l)" -ge 50
ok "and lines of a tap" test "$(wc -l <"$T/tapped")" -ge 20
for place in said seen sent tapped hg/access.log hg/audit.log hg/log hg/notify.log lost/audit.log lost/log lost/notify.log; do
	ok "$place has something in it" test -s "$T/$place"
	is "no secret in $place" "$(grep -raoFf "$T/secrets" "$T/$place" | sort -u | head -n 3)" ""
done
for place in dsn asked issuer wrong-dsn admin-token; do ok "the search would find one: $place" grep -qFf "$T/secrets" "$T/$place"; done

# ---- an aborted worker; F53 ----
expect_err 'mod=workers'
place=$(readlink "/proc/$(workers | head -n 1)/cwd")
mkdir "$T/control"
touch "$T/before"
{ (cd "$T/control" && exec bash -c 'kill -ABRT $$'); } 2>/dev/null
for worker in $(workers); do kill -ABRT "$worker"; wait_until 20s gone "$worker"; done
if [ -n "$(find "$T/control" -name 'core*')" ]; then
	is "F53: it leaves no core" "$(find "$place" -maxdepth 1 -name 'core*' -newer "$T/before" 2>/dev/null; find "$HG_DIR" -name 'core*')" ""
else
	skip "F53: it leaves no core" "here not even a shell leaves one in its folder"
fi
finish
