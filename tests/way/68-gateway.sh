#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 68-gateway.sh -- a listener with the gateway's rules: its paths and the shared ones store what a native listener stores, byte for byte, under the
# id as it is written; X-Scope-OrgID is required, checked and echoed there, and nowhere else (D1 to D6, D10 to D13, D15 to D17)
. "${0%/*}/lib.sh"
need kafka

topics 2
for each in raw blobs; do topic create "$KAFKA_BROKERS" "$NAME-$each" 1 || bail "can't create a topic"; done
TENANT=Team_A	# casing is kept (D13)
TOKEN=$(token_new) OTHER=$(token_new)
tenants_file "$TENANT:$TOKEN" "other:$OTHER"
certs
conf_base kafka file 2
conf listeners.1.name=gateway listeners.1.listen=127.0.0.1:0 listeners.1.dialect=gateway \
	"listeners.1.tls.cert_file=$T/cert.pem" "listeners.1.tls.key_file=$T/key.pem" protocols.obstack.enabled=true "protocols.obstack.topic=$NAME-raw" \
	protocols.micromegas.enabled=true "protocols.opaque.topic=$NAME-blobs" "log.access_file=$HG_DIR/access.log"
headgate_start
known "$TOKEN"
NATIVE=$URL GATEWAY=https://$(listener_address gateway)
URL=$GATEWAY
before=$(workers | xargs)
PUSH=/loki/api/v1/push WRITE=/prometheus/api/v1/push
JSON='Content-Type: application/json' PROTOBUF='Content-Type: application/x-protobuf' ORG="X-Scope-OrgID: $TENANT"

for signal in traces metrics logs; do otlp $signal -n 3 -m gateway -o "$T/$signal"; done
python3 "$WAY/tools/rw.py" "$T/rw"
cp "$(find "$T/rw" -name '204.1.histogram-both')" "$T/write"
python3 "$WAY/tools/loki.py" encode -o "$T/push" '[["{app=\"b\"}",[["1700000000000000000","a line"]]]]'
printf '{"streams":[{"stream":{"app":"b"},"values":[["1700000000000000000","a line"]]}]}' >"$T/push.json"
printf '{"resourceSpans":[]}' >"$T/none"
send() { request "$1" --data-binary "@$2" "${@:3}"; }

# ---- each path stores what a native listener stores (D1, D2, D3, D6) ----
# same TOPIC STATUS NATIVE-PATH BODY "PATH..." [CURL-OPTION]...
same()
{
	local topic=$1 status=$2 native=$3 body=$4 paths=$5 count=1 each
	shift 5
	is "$native of a native listener is $status" "$(URL=$NATIVE send "$native" "$body" "$@")" "$status"
	is "and echoes nothing" "$(reply_header X-Scope-OrgID)" ""
	for each in $paths; do
		is "$each is $status" "$(send "$each" "$body" -H "$ORG" "$@")" "$status"
		is "and echoes the tenant" "$(reply_header X-Scope-OrgID)" "$TENANT"
		((++count))
	done
	records "$topic" >"$T/records"
	is "each is a record" "$(wc -l <"$T/records")" $count
	is "all of one value, byte for byte" "$(jq -r .value "$T/records" | sort -u | wc -l)" 1
	is "whose key is the tenant" "$(jq -r .key "$T/records" | sort -u)" "$(hex $TENANT)"
	is "and its headers" "$(while read -r each; do for name in X-Scope-OrgID tenant_id; do header "$each" $name; done; done <"$T/records" | sort -u)" $TENANT
}
same "$TRACES_TOPIC" 200 /v1/traces "$T/traces" '/v1/traces /tempo/v1/traces /otlp/v1/traces /tempo/v1/traces/' -H "$PROTOBUF"
same "$METRICS_TOPIC" 200 /v1/metrics "$T/metrics" '/otlp/v1/metrics /v1/metrics /api/v1/otlp/v1/metrics' -H "$PROTOBUF"
same "$LOGS_TOPIC" 200 /v1/logs "$T/logs" '/otlp/v1/logs /v1/logs' -H "$PROTOBUF"
same "$WRITE_TOPIC" 204 /api/v1/write "$T/write" "$WRITE /api/v1/push /api/v1/write" -H "$PROTOBUF" -H 'Content-Encoding: snappy'
same "$LOKI_TOPIC" 204 "$PUSH" "$T/push" "$PUSH /api/prom/push" -H "$PROTOBUF"
is "Loki JSON is 204" "$(send $PUSH "$T/push.json" -H "$JSON; charset=utf-8" -H "X-Scope-OrgId: $TENANT")" 204
is "in any case of the header's name" "$(send $PUSH "$T/push.json" -H "$JSON" -H "x-scope-orgid: $TENANT")" 204
decoded_push() { records "$LOKI_TOPIC" | python3 "$WAY/tools/loki.py" decode | sort -u; }
is "they store what protobuf stores" "$(decoded_push)" '[["{app=\"b\", tenant_id=\"Team_A\"}",[["1700000000000000000","a line",{}]]]]'
for each in /v1/traces /tempo/v1/traces; do
	is "no spans in JSON to $each is 200" "$(send $each "$T/none" -H "$ORG" -H "$JSON")" 200
	is "with a body that parses" "$(jq -c . "$T/reply")" '{}'
done
for each in traces metrics logs push.json; do gzip -kf "$T/$each"; done
is "gzip: traces" "$(send /tempo/v1/traces "$T/traces.gz" -H "$ORG" -H "$PROTOBUF" -H 'Content-Encoding: gzip')" 200
is "gzip: metrics" "$(send /otlp/v1/metrics "$T/metrics.gz" -H "$ORG" -H "$PROTOBUF" -H 'Content-Encoding: gzip')" 200
is "gzip: logs" "$(send /otlp/v1/logs "$T/logs.gz" -H "$ORG" -H "$PROTOBUF" -H 'Content-Encoding: gzip')" 200
is "gzip: Loki" "$(send $PUSH "$T/push.json.gz" -H "$ORG" -H "$JSON" -H 'Content-Encoding: gzip')" 204
gzip -kf "$T/write"
is "but not remote_write (D17)" "$(send $WRITE "$T/write.gz" -H "$ORG" -H "$PROTOBUF" -H 'Content-Encoding: gzip')" 415
is "with gzip the records are the same" "$(for each in "$TRACES_TOPIC" "$METRICS_TOPIC" "$LOGS_TOPIC"; do
	records "$each" | jq -r .value | sort -u | wc -l; done | xargs) $(decoded_push | wc -l)" "1 1 1 1"
is "TLS 1.1 is refused (D17)" "$(send $PUSH "$T/push.json" -H "$ORG" -H "$JSON" --tls-max 1.1)" 000
counts() { for each in "$TRACES_TOPIC" "$METRICS_TOPIC" "$LOGS_TOPIC" "$WRITE_TOPIC" "$LOKI_TOPIC"; do record_count "$each"; done | xargs; }
stored=$(counts)

# ---- who must say for whom (D4, D5, D10 to D12) ----
for each in "$PUSH push.json" "$WRITE write" "/tempo/v1/traces traces"; do
	read -r path body <<<"$each"
	for header in 'X-Nothing: x' 'X-Scope-OrgID;'; do
		is "$path without a tenant ($header) is 401" "$(send "$path" "$T/$body" -H "$header")" 401
		is "Bad Request" "$(cat "$T/reply")" "Bad Request"
		is "in text" "$(reply_header Content-Type | cut -d';' -f1) $(reply_header WWW-Authenticate)" "text/plain Bearer"
	done
	is "$path for another tenant is 403" "$(send "$path" "$T/$body" -H 'X-Scope-OrgID: other')" 403
	is "and nothing is echoed" "$(reply_header X-Scope-OrgID)" ""
	is "for one that is not there too" "$(send "$path" "$T/$body" -H 'X-Scope-OrgID: team_a')" 403
done
malformed() { is "$1 is 400" "$(send $PUSH "$T/push.json" -H "$JSON" -H "X-Scope-OrgID: $1")" 400; like "and says why" "$(cat "$T/reply")" "X-Scope-OrgID: $2 \\(request"; }
malformed 'a/b' "tenant ID 'a/b' contains unsupported character '/'"
malformed 'a|b' "tenant ID 'a\\|b' contains unsupported character '\\|'"
malformed .. "tenant ID is '\\.' or '\\.\\.'"
malformed "$(printf 'a%.0s' {1..151})" 'tenant ID is too long: max 150 characters'
is "two of them are 400" "$(send $PUSH "$T/push.json" -H "$JSON" -H "$ORG" -H "$ORG")" 400
like "multiple org IDs present" "$(cat "$T/reply")" 'multiple org IDs present'
held=$TOKEN
for TOKEN in '' "$(token_new)" "${held}x"; do
	is "a stranger is 401, whatever the header is" "$(send $PUSH "$T/push.json" -H "$JSON" -H 'X-Scope-OrgID: a|b')" 401
	is "WWW-Authenticate: Bearer" "$(reply_header WWW-Authenticate)" Bearer
	like "and is not told of it" "$(cat "$T/reply")" '^hg-credential: missing or invalid credential \(request [0-9a-f]{32}\)$'
done
TOKEN=$held

# ---- what is not there, and types (D15) ----
for each in /loki/api/v1/query /loki/api/v1/query_range /prometheus/api/v1/query /tempo/api/search /loki/api/v1/raw /tempo/v1/logs; do
	is "$each is 404" "$(get "$each" -H "$ORG") $(send "$each" "$T/push.json" -H "$ORG" -H "$JSON")" "404 404"
done
is "Loki on /api/v1/push is remote_write: 415" "$(send /api/v1/push "$T/push.json" -H "$ORG" -H "$JSON")" 415
is "a push without Content-Type is 400" "$(send $PUSH "$T/push.json" -H "$ORG" -H 'Content-Type:')" 400
: >"$T/empty"
is "an empty remote_write is 400" "$(send $WRITE "$T/empty" -H "$ORG" -H "$PROTOBUF" -H 'Content-Encoding: snappy')" 400
is "of all that nothing is stored" "$(counts)" "$stored"

# ---- other dialects of the same listener, and the native one ----
is "Obstack's path asks for no tenant" "$(send /ingest/otlp/v1/traces "$T/traces" -H "$PROTOBUF")" 202
is "micromegas' neither" "$(send /ingestion/otlp/v1/traces "$T/traces" -H "$PROTOBUF")" 200
is "and echoes none that is given" "$(send /ingestion/otlp/v1/traces "$T/traces" -H "$PROTOBUF" -H "$ORG") $(reply_header X-Scope-OrgID)" "200 "
is "a native listener has none of its paths" "$(URL=$NATIVE send $WRITE "$T/write" -H "$ORG" -H "$PROTOBUF") $(URL=$NATIVE send /tempo/v1/traces "$T/traces" -H "$ORG" -H "$PROTOBUF")" "404 404"

# ---- one record for each write (D16) ----
is "the last write" "$(send $PUSH "$T/push.json" -H "$ORG" -H "$JSON")" 204
audited() { jq -se --arg id "$(reply_header X-Request-Id)" --arg tenant "$TENANT" 'map(select(.request_id == $id)) | length == 1 and .[0].tenant == $tenant and .[0].route == "gateway_loki" and .[0].code == 204' "$HG_DIR/access.log" >"$T/audited"; }
ok "is one record: tenant, route, status" wait_until 20s audited
ok "no token is in any" fails grep -qaF "$TOKEN" "$HG_DIR/access.log" "$HG_DIR/audit.log"
is "no worker was lost" "$(workers | xargs)" "$before"

# ---- the switches of compat ----
conf compat.gateway_missing_tenant_status=400
headgate_switch
is "a missing tenant is 400 by switch" "$(send $PUSH "$T/push.json" -H "$JSON")" 400
is "with the same text" "$(cat "$T/reply")" "Bad Request"
id=$(reply_header X-Request-Id)
audited_400() { jq -se --arg id "$id" 'any(.[]; .request_id == $id and .code == 400)' "$HG_DIR/audit.log" >"$T/audited"; }
ok "in the audit too" wait_until 20s audited_400
ok "and in the metrics" test "$(metric requests_total '{route="gateway_loki",verdict="hg-org-missing",code="400"}')" -ge 1
is "none of them as 401" "$(metric requests_total '{route="gateway_loki",verdict="hg-org-missing",code="401"}')" 0
conf compat.gateway_missing_tenant_status= compat.gateway_tenant_header=optional
headgate_switch
is "an optional one is the credential's" "$(send $PUSH "$T/push.json" -H "$JSON") $(reply_header X-Scope-OrgID)" "204 $TENANT"
is "and still no other" "$(send $PUSH "$T/push.json" -H "$JSON" -H 'X-Scope-OrgID: other')" 403
finish
