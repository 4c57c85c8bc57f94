#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 82-ctl-send.sh -- headgatectl send delivers one sample of every protocol and says where it went; files by the rules of compatibility.md
# 4, with retries and client credentials (B22 in part, O26 in part)
. "${0%/*}/lib.sh"
need kafka

ctl() { "$HEADGATECTL" "$@" >"$T/said" 2>"$T/said.err"; }
# answer NAME ANSWERS: a server of the test's own; sets FAKE
answer()
{
	background python3 "$WAY/tools/answers.py" "$T/$1.log" "$2"
	wait_until 20s test -s "$T/$1.log"
	FAKE=http://127.0.0.1:$(head -n 1 "$T/$1.log")
}
requests() { sed 1d "$T/$1.log"; }

# -- samples, through a real gateway
topics
TOKEN=$(token_new)
printf '%s\n' "$TOKEN" >"$T/token"
certs
tenants_file "acme:$TOKEN"
conf_base kafka file 2 tls
conf "log.access_file=$HG_DIR/access.log"
headgate_start
known "$TOKEN"
export HEADGATE_SOCKET=$HG_DIR/control.sock HEADGATE_URL=$URL
ctl send --all --token-file "$T/token" --ca "$CA" --json
is "send --all is exit 0" "$? $(cat "$T/said.err")" "0 "
is "one sample of every protocol is accepted" "$(jq -r '"\(.what) \(.signal) \(.route) \(.code)"' "$T/said" | xargs -n 4 | paste -sd,)" \
	"otlp_traces traces otlp_traces 200,otlp_metrics metrics otlp_metrics 200,otlp_logs logs otlp_logs 200,otlp_traces_json traces otlp_traces 200,otlp_metrics_json metrics otlp_metrics 200,otlp_logs_json logs otlp_logs 200,remote_write_1.0 metrics remote_write 204,remote_write_2.0 metrics remote_write 204,loki logs loki 204,loki_json logs loki 204"
is "each line has its schema, tenant and sink" "$(jq -r '"\(.schema) \(.tenant) \(.sink)"' "$T/said" | sort -u)" "1 acme kafka"
for each in "$TRACES_TOPIC" "$METRICS_TOPIC" "$LOGS_TOPIC" "$WRITE_TOPIC" "$WRITE2_TOPIC" "$LOKI_TOPIC"; do
	records "$each" | jq -c --arg t "$each" '. + {topic: $t}'
done >"$T/records"
while read -r what topic partition offset id; do
	jq -r --arg t "$topic" --arg p "$partition" --arg o "$offset" 'select(.topic == $t and "\(.partition) \(.offset)" == $p + " " + $o) | .value' "$T/records" | unhex >"$T/value"
	is "$what: the record is where it says, and holds the request's id" "$(grep -ac -- "$id" "$T/value")" 1
done < <(jq -r '"\(.what) \(.topic) \(.partition) \(.offset) \(.request_id)"' "$T/said")
is "and there are no others" "$(wc -l <"$T/records")" "$(wc -l <"$T/said")"
tapped() { [ "$(jq -r 'select(.kind | startswith("tap.")) | .kind' "$HG_DIR/audit.log" | xargs)" = "tap.start tap.end" ]; }
ok "a tap leaves two audit records" wait_until 20s tapped
ctl send --signal logs --token-file "$T/token" --ca "$CA"
is "--signal sends only that" "$(sed 1d "$T/said" | awk '{print $1, $2, $3, $4}' | xargs)" "otlp_logs logs otlp_logs 200 otlp_logs_json logs otlp_logs 200 loki logs loki 204 loki_json logs loki 204"
like "and says where it is" "$(cat "$T/said")" "$LOGS_TOPIC partition [0-9]+ offset [0-9]+"
HEADGATE_TOKEN_FILE=$T/token ctl send --signal logs --ca "$CA" --socket "$T/none"
like "without the control socket it says -" "$? $(tail -n 1 "$T/said")" '^0 loki_json +logs +/loki/api/v1/push +204 +[0-9.]+ +-$'
ctl send --all --ca "$CA"
is "without a credential it is exit 1" $? 1
like "and says so" "$(cat "$T/said.err")" 'no credential is set.*401|no credential is set.*hg-credential'
fails grep -q "$TOKEN" "$T/said" "$T/said.err" "$HG_LOG" "$HG_DIR/audit.log"
ok "the token is in no output and no log" test $? = 0
ctl send --all --token-file "$T/token"
is "a certificate of a CA that it does not know is exit 75" $? 75
ctl send --all --token-file "$T/none" --ca "$CA"
is "a token file that is not there is exit 1" $? 1

# -- files
printf 'one' >"$T/one"; printf 'two' >"$T/two"
unset HEADGATE_URL
answer plain '{"/logs": [{"status": 200}], "/refused": [{"status": 301, "headers": {"Location": "/logs"}}], "/later": [{"status": 0}, {"status": 503, "headers": {"Retry-After": "0"}}, {"status": 429}, {"status": 200}],
	"/metrics": [{"status": 503, "body": "hg-overload: too much"}], "/bad": [{"status": 400, "body": "no\nmore"}]}'
export MICROMEGAS_TELEMETRY_URL=$FAKE/
MICROMEGAS_INGESTION_API_KEY=other HEADGATE_INGESTION_API_KEY=key-1 ctl send --path /logs "$T/one" "$T/two" --content-type text/x --header 'X-More: 7'
is "files are posted as they are" "$? $(requests plain | jq -r 'select(.path == "/logs") | .body' | sort | xargs)" "0 one two"
is "with type, header and the key that wins" "$(requests plain | jq -r 'select(.path == "/logs") | "\(.headers["content-type"]) \(.headers["x-more"]) \(.headers.authorization)"' | sort -u)" \
	"text/x 7 Bearer key-1"
HEADGATE_INGESTION_TOKEN=key-2 http_proxy=http://127.0.0.1:9 ctl send --path /logs "$T/one"
is "no type unless one is given; proxies of the environment are not asked" "$? $(requests plain | tail -n 1 | jq -r '"\(.headers["content-type"]) \(.headers.authorization)"')" "0 null Bearer key-2"
ctl send --path /later "$T/one" --json
is "no answer, 503 and 429 are tried again" "$? $(jq -r '"\(.code) \(.tries) \(.accepted)"' "$T/said")" "0 200 4 true"
is "under the same request id" "$(requests plain | jq -r 'select(.path == "/later") | .headers["x-request-id"]' | sort -u | wc -l)" 1
ctl send --path /metrics "$T/one" --json
is "metrics are tried three times, then exit 75" "$? $(jq -r '"\(.code) \(.tries) \(.why)"' "$T/said")" "75 503 3 hg-overload: too much"
ctl send --path /metrics "$T/one" --retries 0 --json
is "or as often as --retries says" "$? $(jq -r .tries "$T/said")" "75 1"
ctl send --path /refused "$T/one" --json
is "a redirect is refused, not followed" "$? $(jq -r '"\(.code) \(.tries)"' "$T/said")" "1 301 1"
ctl send --path /bad "$T/one" "$T/none"
is "a refusal is exit 1" $? 1
like "each failure has its reason" "$(cat "$T/said.err")" "$T/one: refused with 400: no.*$T/none: not sent: can't open it.*0 of 2 accepted, 2 refused"

# -- credentials
HEADGATE_INGESTION_API_KEY='' ctl send --path /logs "$T/one"
is "a variable that is set but empty: nothing is sent, exit 1" "$? $(cat "$T/said.err")" "1 headgatectl: HEADGATE_INGESTION_API_KEY is set but empty: nothing is sent"
MICROMEGAS_OIDC_CLIENT_ID=x ctl send --path /logs "$T/one"
like "only part of the three: exit 1" "$? $(cat "$T/said.err")" '^1 .*only part of'
HEADGATE_INGESTION_API_KEY=$'a\nb' ctl send --path /logs "$T/one"
like "control bytes: exit 1" "$? $(cat "$T/said.err")" '^1 .*control bytes'

answer sink '{"/logs": [{"by": {"Bearer t-1": {"status": 200}}, "status": 401}], "/twice": [{"by": {"Bearer t-3": {"status": 200}}, "status": 401}], "/never": [{"status": 401}]}'
sink=$FAKE
answer idp '{"/token": [{"status": 200, "wait": 0.2, "json": {"access_token": "t-1", "expires_in": "3600"}}], "/new": [{"status": 200, "json": {"access_token": "t-2", "expires_in": 3600}}, {"status": 200, "json": {"access_token": "t-3"}}],
	"/flaky": [{"status": 500}, {"status": 429}, {"status": 200, "json": {"access_token": "t-1", "expires_in": 60}}], "/denied": [{"status": 401, "json": {"error": "invalid_client", "error_description": "secret-7"}}],
	"/odd": [{"status": 200, "json": {"token": "t-1"}}], "/text": [{"status": 200, "body": "<html>secret-7</html>"}], "/moved": [{"status": 302, "headers": {"Location": "/token"}}],
	"/ill": [{"status": 500, "wait": 1}], "/no": [{"status": 403, "wait": 1, "json": {"error": "access_denied"}}], "/hangs": [{"status": 200, "wait": 14, "json": {"access_token": "t-1"}}],
	"/long": [{"status": 200, "body": "'"$(printf '%70000s' '{')"'"}], "/short": [{"status": 200, "json": {"access_token": "t-1", "expires_in": 0}}]}'
export HEADGATE_URL=$sink HEADGATE_OIDC_CLIENT_ID=me HEADGATE_OIDC_CLIENT_SECRET='secret-7&=' HEADGATE_OIDC_AUDIENCE=them
oidc() { HEADGATE_OIDC_TOKEN_ENDPOINT=$FAKE$1 ctl send --path "${@:2}" --json; }
asked() { requests idp | jq -r --arg p "$1" 'select(.path == $p) | .body'; }
for i in 1 2 3 4 5 6 7 8 9 10; do cp "$T/one" "$T/f$i"; done
oidc /token /logs --jobs 10 "$T"/f?*
is "ten sends at once are one token request" "$? $(jq -r .accepted "$T/said" | sort | uniq -c | xargs) $(asked /token | wc -l)" "0 10 true 1"
is "a form with its fields" "$(asked /token)" "grant_type=client_credentials&client_id=me&client_secret=secret-7%26%3D&audience=them"
oidc /new /twice "$T/one"
is "401 brings a new token, once" "$? $(asked /new | wc -l) $(jq -r .tries "$T/said")" "0 2 2"
oidc /token /never "$T/one"
is "and is final then" "$? $(jq -r '"\(.code) \(.tries)"' "$T/said")" "1 401 2"
oidc /flaky /logs "$T/one"
is "a provider that fails for a moment is asked again" "$? $(asked /flaky | wc -l)" "0 3"
oidc /denied /logs "$T/one"
is "one that refuses is final" "$? $(asked /denied | wc -l)" "1 1"
like "and only its error word is shown" "$(cat "$T/said" "$T/said.err")" 'answers 401: invalid_client'
fails grep -q 'secret-7' "$T/said" "$T/said.err"
ok "no secret is shown" test $? = 0
oidc /odd /logs "$T/one"
like "an answer without a token is final" "$? $(cat "$T/said.err")" '^1 .*no usable access_token'
oidc /text /logs "$T/one"
like "one that is no JSON too" "$? $(cat "$T/said.err")" '^1 .*no usable access_token'
oidc /long /logs "$T/one"
like "and one of more than 64 KiB" "$? $(cat "$T/said.err")" '^1 .*no usable access_token'
before=$(asked /token | wc -l)
oidc /moved /logs "$T/one"
is "a redirect is final, and not followed" "$? $(asked /moved | wc -l) $(asked /token | wc -l)" "1 1 $before"
HEADGATE_OIDC_TOKEN_ENDPOINT=$FAKE/hangs "$HEADGATECTL" send --path /logs --retries 0 --jobs 10 "$T"/f?* >"$T/hangs" 2>&1 &
hangs=$! started=$SECONDS
oidc /no /logs --jobs 10 "$T"/f?*
is "a refusal that comes slowly is one request too, and all ten are refused" "$? $(asked /no | wc -l) $(jq -r .tries "$T/said" | xargs)" "1 1 1 1 1 1 1 1 1 1 1 1"
oidc /ill /logs --jobs 10 --retries 1 "$T"/f?*
is "a failure that comes slowly is one request for each try of the ten" "$? $(asked /ill | wc -l) $(jq -r .tries "$T/said" | xargs)" "75 2 2 2 2 2 2 2 2 2 2 2"
wait $hangs
is "an endpoint that says nothing is given 10 s, once for the ten" "$? $((SECONDS - started < 60)) $(grep -c 'given up after 1 try.*token endpoint' "$T/hangs")" "75 1 10"
HEADGATE_OIDC_TOKEN_ENDPOINT=http://127.0.0.1:1/ ctl send --path /logs --retries 0 "$T/one"
like "one that is not there may come back: exit 75" "$? $(cat "$T/said.err")" '^75 .*token endpoint'
oidc /short /logs --jobs 1 "$T/one" "$T/two"
is "a token without a life is used at once and not kept" "$? $(asked /short | wc -l)" "0 2"

# -- usage
ctl send; is "nothing to do is a usage error" $? 2
ctl send --all --path /x; is "two things to do too" $? 2
ctl send --all "$T/one"; is "and files without a path" $? 2
ctl send --signal traffic; is "and a signal that is none" $? 2
finish
