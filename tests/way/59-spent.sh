#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 59-spent.sh -- a rate that is spent, in the words of each dialect; what was told passes when it is done, a 4xx keeps its charge, a 503 of
# ours gives it back; a tenant that is blocked is told so before its body (R17, R19, B17, P3)
. "${0%/*}/lib.sh"

declare -A KEY=()
for each in native obstack micromegas moose gateway again broken blocked; do KEY[$each]=$(token_new); done
rate='requests_per_s: 1, requests_burst: 1'
tenants_file "native:${KEY[native]}|$rate" "obstack:${KEY[obstack]}|$rate" "micromegas:${KEY[micromegas]}|$rate" "moose:${KEY[moose]}|$rate" \
	"gateway:${KEY[gateway]}|$rate" "again:${KEY[again]}|$rate" "broken:${KEY[broken]}|bytes_per_s: 1, bytes_burst: 1MB" "blocked:${KEY[blocked]}"
sed -i 's/^  - id: "blocked"/&\n    block_until: 2100-01-01T00:00:00Z/' "$HG_DIR/tenants.yaml"
mkdir "$T/models"
echo '{"name":"Event","columns":[{"name":"n","data_type":"Int64","required":true}]}' >"$T/models/event.json"
conf_base file discard 2
conf "protocols.models.dir=$T/models" protocols.obstack.enabled=true protocols.micromegas.enabled=true "log.access_file=$HG_DIR/access.log" \
	listeners.1.name=gateway listeners.1.listen=127.0.0.1:0 listeners.1.dialect=gateway \
	listeners.2.name=moose listeners.2.listen=127.0.0.1:0 listeners.2.dialect=moose
headgate_start
known "${KEY[blocked]}"
NATIVE=$URL
printf 'body' >"$T/body"
PROTOBUF='Content-Type: application/x-protobuf'
refused() { metric ratelimit_refused_total "{tenant=\"$1\",kind=\"requests\"}"; }
# spent SENTENCE TENANT STATUS BODY-REGEX PATH [CURL-OPTION]...: more than the rate gives, at once
spent()
{
	local sentence=$1 tenant=$2 status=$3 before
	before=$(refused "$tenant")
	told() { [ "$(TOKEN=${KEY[$tenant]} request "$1" --data-binary "@$T/body" "${@:2}")" = "$status" ]; }
	ok "$sentence: a spent rate is $status" wait_until 20s told "${@:5}"
	like "$sentence: in its words" "$(tr -d '\0' <"$T/reply")" "$4"
	like "$sentence: it says when to come again" "$(reply_header Retry-After)" '^[1-5]$'
	ok "$sentence: and is counted" test "$(refused "$tenant")" -gt "$before"
}
WORDS="hg-rate-requests: tenant 'TENANT' exceeded its limit of 1 requests/s with a burst of 1 requests while sending 1 requests; retry after [1-5] s"
words() { echo "${WORDS/TENANT/$1}"; }
spent OTLP native 429 "$(words native)" /v1/logs -H "$PROTOBUF"
spent 'OTLP in JSON' native 429 '"code":8,' /v1/logs -H 'Content-Type: application/json'
like "OTLP: with RetryInfo" "$(jq -c '.details[] | select(.["@type"] | endswith("RetryInfo")) | .retryDelay' "$T/reply")" '^"[1-5]s"$'
spent remote_write native 429 "$(words native)" /api/v1/write -H "$PROTOBUF" -H 'Content-Encoding: snappy'
spent Loki native 429 'native' /loki/api/v1/push -H "$PROTOBUF"
spent Obstack obstack 429 '^\{"detail":".*exceeded its limit.*","type":"http_exception"\}$' /ingest/otlp/v1 -H "$PROTOBUF"
for path in insert_block webhook; do spent "micromegas' $path" micromegas 503 '^Service unavailable$' /ingestion/$path; done
spent "micromegas' OTLP" micromegas 503 'Service unavailable' /ingestion/otlp/v1/logs -H "$PROTOBUF"
URL=http://$(listener_address gateway)
spent 'the gateway' gateway 429 'gateway' /loki/api/v1/push -H "$PROTOBUF" -H 'X-Scope-OrgID: gateway'
URL=http://$(listener_address moose)
spent Moose moose 429 "exceeded its limit" /ingest/Event
URL=$NATIVE

# ---- told to come again; R17 ----
otlp logs -m again -o "$T/one"
TOKEN=${KEY[again]}
once() { [ "$(post /v1/logs "$T/one")" = 200 ] && [ "$(post /v1/logs "$T/one")" = 429 ]; }
ok "R17: a request is refused" wait_until 20s once
wait_for() { local end=$(($(now_us) + $1 * 1000000)); while (($(now_us) < end)); do tick; done; }
# The time itself is what is tested.
wait_for "$(reply_header Retry-After)"
is "R17: after what it was told it passes" "$(post /v1/logs "$T/one")" 200

# ---- a 4xx keeps its charge; R17 ----
TOKEN=${KEY[broken]}
printf '\n\377' >"$T/junk"
head -c 600000 /dev/urandom >>"$T/junk"
is "R17: a body that is no good costs its bytes" "$(post /v1/logs "$T/junk")" 400
otlp logs --pad 600000 -m large -o "$T/large"
is "R17: so there are none left for a good one" "$(post /v1/logs "$T/large")" 429
ok "as bytes" grep -aqF hg-rate-bytes "$T/reply"

# ---- blocked; R19 ----
TOKEN=${KEY[blocked]}
text="POST /v1/logs HTTP/1.1\\r\\nHost: x\\r\\nAuthorization: Bearer $TOKEN\\r\\n$PROTOBUF\\r\\nContent-Length: 1000000\\r\\nExpect: 100-continue\\r\\nX-Request-Id: blocked\\r\\n\\r\\n"
raw --text "$text" >"$T/raw" 2>"$T/raw.end"
is "R19: who is blocked is told so without a byte of the body" "$(grep -a '^HTTP/' "$T/raw" | tr -d '\r')" "HTTP/1.1 403 Forbidden"
like "R19: and until when" "$(cat "$T/raw")" "hg-blocked: ingestion for tenant 'blocked' is blocked until 2100-01-01T00:00:00Z"
unread() { jq -se 'any(.[]; .client_request_id == "blocked" and .bytes_in == 0 and .stage == "admit")' "$HG_DIR/access.log"; }
ok "R19: the log agrees" wait_until 20s unread
sum_of() { admin /metrics | sed -n "s/^headgate_\(items_[a-z_]*\){tenant=\"blocked\",.*reason=\"\([a-z]*\)\".* \([1-9][0-9]*\)$/\1 \2 \3/p; s/^headgate_\(items_[a-z_]*\){tenant=\"blocked\",signal=\"[a-z]*\"} \([1-9][0-9]*\)$/\1 \2/p" | xargs; }
is "R19: it is counted as blocked, and as nothing else" "$(sum_of)" "items_refused_total blocked 1"

# ---- by a switch; B17 ----
conf compat.micromegas_quota_status=429
ok "a reload" headgate_switch
spent "B17: micromegas' insert_block by a switch" micromegas 429 "exceeded its limit" /ingestion/insert_block
headgate_stop || fail "headgate ends with status 0" "status $HG_STATUS"

# ---- a 503 gives all back; R17 ----
instance lost
tenants_file "native:${KEY[native]}|bytes_per_s: 1, bytes_burst: 1MB"
KAFKA_BROKERS=127.0.0.1:$(port_pick)
conf_base kafka file 1
conf kafka.ack_deadline=3s
expect_err 'mod=(sink_kafka|topics)'
headgate_start
TOKEN=${KEY[native]}
known "$TOKEN"
is "R17: three bodies of more than half of the burst without a broker: each is 503, none 429" \
	"$(for _ in 1 2 3; do post /v1/logs "$T/large"; echo; done | xargs)" "503 503 503"
is "R17: nothing was spent" "$(metric ratelimit_refused_total)" 0
finish
