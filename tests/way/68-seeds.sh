#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 68-seeds.sh -- curl as the documents of the four systems show it, with no more changed than host and token, against one gateway that took
# its keys from their environment: each is answered as theirs would, and its record is there (compatibility.md: A1, A3, B1, B2, C6, D1, D2, D4)
. "${0%/*}/lib.sh"

TENANT_TOKEN=$(token_new) BEARER=deadbeefdeadbeefdeadbeefdeadbeef.0123456789abcdef0123456789abcdef
tenants_file "acme:$TENANT_TOKEN"
mkdir "$T/models"
cat >"$T/models/UserEvent.json" <<'END'
{"name":"UserEvent","version":"1.0","columns":[{"name":"id","data_type":"String","required":true},{"name":"timestamp","data_type":"DateTime","required":true},
 {"name":"userId","data_type":"String","required":true},{"name":"activity","data_type":"String","required":false}]}
END
export MICROMEGAS_API_KEYS='[{"name":"test","key":"secret123"}]' MOOSE_INGEST_API_KEY=445fd4696cfc5c49e28995c4aba05de44303a112
conf_base local file 1
conf "local.dir=$HG_DIR/store" 'import_env=[micromegas, moose]' protocols.obstack.enabled=true "protocols.models.dir=$T/models" \
	listeners.1.name=moose listeners.1.listen=127.0.0.1:0 listeners.1.dialect=moose \
	listeners.2.name=gateway listeners.2.listen=127.0.0.1:0 listeners.2.dialect=gateway
headgate_start
known "$TENANT_TOKEN"
MOOSE=http://$(listener_address moose) GATEWAY=http://$(listener_address gateway) NOW=$(date +%s)000000000
TRACES='{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"curl"}}]},"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"pasted","kind":2,"startTimeUnixNano":"'$NOW'","endTimeUnixNano":"'$NOW'"}]}]}]}'
said() { curl -s -o "$T/said" -w '%{http_code}' "$@"; echo " $(cat "$T/said")"; } # status and body

# ---- A: Obstack ----
is "A: traces" "$(said -X POST "$URL/ingest/otlp/v1/traces" -H "X-Obstack-Auth-Token: $TENANT_TOKEN" -H 'Content-Type: application/json' -d "$TRACES")" "202 {}"
is "A: without the header" "$(said -X POST "$URL/ingest/otlp/v1/traces" -H 'Content-Type: application/json' -d "$TRACES")" '401 {"detail":"Authentication failed","type":"http_exception"}'

# ---- B: micromegas ----
is "B: health" "$(said "$URL/health")" "200 "
is "B: a process" "$(said -X POST "$URL/ingestion/insert_process" -H 'Authorization: Bearer secret123' -d '{"test": "data"}')" "200 "
is "B: without a credential" "$(said -X POST "$URL/ingestion/insert_process" -d '{"test": "data"}')" "401 Missing authorization header"
is "B: of a wrong key" "$(said -X POST "$URL/ingestion/insert_process" -H 'Authorization: Bearer wrong' -d '{"test": "data"}')" "401 Invalid token"

# ---- C: Moose ----
EVENT='{"id": "event1", "timestamp": "2024-09-10T17:34:51+00:00", "userId": "user1", "activity": "Login"}'
is "C: an event" "$(said -X POST "$MOOSE/ingest/UserEvent/1.0" -H 'Content-Type: application/json' -H "Authorization: Bearer $BEARER" -d "$EVENT")" "200 SUCCESS"
is "C: without a key" "$(said -X POST "$MOOSE/ingest/UserEvent" -H 'Content-Type: application/json' -d "$EVENT")" "401 Unauthorized: Invalid or missing token"
like "C: health" "$(said "$MOOSE/health" -H 'Accept: application/json')" '^200 \{"healthy":\['

# ---- D: the gateway ----
PUSH='{"streams": [{ "stream": { "foo": "bar2" }, "values": [ [ "'$NOW'", "fizzbuzz" ] ] }]}'
is "D: a log line" "$(said -X POST -H "X-Scope-OrgId: acme" -H "Authorization: Bearer $TENANT_TOKEN" -H 'Content-Type: application/json' "$GATEWAY/loki/api/v1/push" --data-raw "$PUSH")" "204 "
is "D: without a tenant" "$(said -X POST -H "Authorization: Bearer $TENANT_TOKEN" -H 'Content-Type: application/json' "$GATEWAY/loki/api/v1/push" --data-raw "$PUSH")" "401 Bad Request"
is "D: traces" "$(said -X POST -H "X-Scope-OrgId: acme" -H "Authorization: Bearer $TENANT_TOKEN" -H 'Content-Type: application/json' "$GATEWAY/v1/traces" -d "$TRACES")" "200 {}"

headgate_stop
is "it ends well" "$HG_STATUS" 0
is "and each record is there, with its tenant" "$(stored | jq -r '.topic + " " + .key' | sort | while read -r topic key; do echo "$topic $(unhex <<<"$key")"; done | xargs -d '\n')" \
	"UserEvent_1_0 default blobs default loki_push acme otlp_spans acme telemetry-raw acme"
finish
