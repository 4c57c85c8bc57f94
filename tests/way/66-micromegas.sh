#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 66-micromegas.sh -- the paths of micromegas: blocks byte for byte, OTLP and webhooks as a stock decoder reads them, nothing of the client's
# own among them; each answer in upstream's words; a block of 100 MiB where option, topic and broker are raised, and nobody waits where they
# are not (compatibility.md 3: B1 to B3, B14, B15, B17, B19, B21; R25)
. "${0%/*}/lib.sh"
need broker python-otel

# A broker that is given 100 MiB at once holds all of it.
KAFKA_HEAP=640m
kafka_start own
topics 1
BLOBS=$NAME-blobs BIG=$NAME-big
topic create "$KAFKA_BROKERS" "$BLOBS" 1 || bail "can't create the topic $BLOBS"
topic create "$KAFKA_BROKERS" "$BIG" 1 max.message.bytes=104988672 || bail "can't create the topic $BIG"
KEY=secret123 OTHER=secret-of-the-other
tenants_file "acme:$KEY" "other:$OTHER"
conf_base kafka file 2
conf protocols.micromegas.enabled=true "protocols.opaque.topic=$BLOBS" "log.access_file=$HG_DIR/access.log" kafka.ack_deadline=4s
headgate_start
known "$KEY"
TOKEN=''

PROTOBUF=(-H 'Content-Type: application/x-protobuf') JSON=(-H 'Content-Type: application/json') NONE=(-H 'Content-Type:')
AUTH=(-H "Authorization: Bearer $KEY")
BLOCKS=(insert_process insert_stream insert_block)
OTLP=(otlp/v1/traces otlp/v1/metrics otlp/v1/logs)
# say PATH [CURL-OPTION]...: status, type and body of the answer; a Status in protobuf as `code: message`
say()
{
	local status type
	status=$(request "/ingestion/$1" "${@:2}") type=$(reply_header Content-Type)
	if [ "$type" = application/x-protobuf ] && [ -s "$T/reply" ]; then
		echo "$status $("$PYTHON_OTEL" - "$T/reply" <<'END'
import sys
from google.rpc.status_pb2 import Status
status = Status.FromString(open(sys.argv[1], "rb").read())
print(f"{status.code}: {status.message}")
END
)"
	elif [ "$type" = application/json ]; then
		echo "$status $(jq -r 'if .message then "\(.code): \(.message)" else tojson end' "$T/reply")"
	else
		echo "$status $(cat "$T/reply")"
	fi
}
youngest() { records "$1" | tail -n 1; }

# ---- B1, B2: blocks ----
is "B1: health asks for no key" "$(get /health)" 200
printf '\xa1\0\xff\r\n{"x":1}' >"$T/block"
for each in "${BLOCKS[@]}"; do
	is "B2: $each without a type is 200" "$(request "/ingestion/$each" "${AUTH[@]}" "${NONE[@]}" --data-binary "@$T/block")" 200
	is "$each: its body and type are empty" "$(wc -c <"$T/reply")$(reply_header Content-Type)$(reply_header Content-Length)" 00
	record=$(youngest "$BLOBS")
	is "$each: the value is the body" "$(jq -r .value <<<"$record")" "$(od -An -v -tx1 <"$T/block" | tr -d ' \n')"
	is "$each: its headers say the rest" "$(jq -r .key <<<"$record" | unhex) $(for h in X-Scope-OrgID tenant_id signal format content-type headgate-route; do header "$record" $h; done | xargs)" \
		"acme acme acme opaque raw application/octet-stream $each"
	is "B2: $each with a type too" "$(request "/ingestion/$each" "${AUTH[@]}" -H 'Content-Type: application/cbor; x=y' --data-binary "@$T/block" -H 'x-auth-email: a@b')" 200
	record=$(youngest "$BLOBS")
	is "$each: which its header tells" "$(header "$record" content-type)" application/cbor
	is "B19: but no other header of the client" "$(jq -r '[.headers[][0]] | join(" ")' <<<"$record")" \
		"X-Scope-OrgID tenant_id signal format content-type headgate-route headgate-request-id"
	gzip -c "$T/block" >"$T/block.gz"
	is "$each as gzip is undone" "$(request "/ingestion/$each" "${AUTH[@]}" "${NONE[@]}" -H 'Content-Encoding: gzip' --data-binary "@$T/block.gz")" 200
	is "$each: to the same value" "$(jq -r .value <<<"$(youngest "$BLOBS")")" "$(od -An -v -tx1 <"$T/block" | tr -d ' \n')"
done
is "blobs are not compressed: the log of the broker has them as they came" "$(grep -a -c -F '{"x":1}' "$T"/kafka-own/data/"$BLOBS"-0/*.log | tail -n 1 | sed 's/[1-9][0-9]*/some/')" some

# ---- webhooks ----
cat >"$T/webhook.py" <<'END'
import json, sys
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
def pairs(some): return {each.key: each.value.string_value for each in some}
for line in sys.stdin:
    record = json.loads(line)
    (resource,) = ExportLogsServiceRequest.FromString(bytes.fromhex(record["value"])).resource_logs
    (scope,) = resource.scope_logs
    (log,) = scope.log_records
    received = abs(log.observed_time_unix_nano // 1_000_000 - record["timestamp"]) <= 1
    kind = log.body.WhichOneof("value")
    print(json.dumps([pairs(resource.resource.attributes), scope.scope.name, log.severity_number, log.time_unix_nano, received, kind,
                      str(getattr(log.body, kind)), [each.name for each, _ in log.ListFields() and log.ListFields()]]))
END
hooked() { records "$LOGS_TOPIC" | tail -n 1 | "$PYTHON_OTEL" "$T/webhook.py"; }
is "a webhook is 200 without a body" "$(say webhook "${AUTH[@]}" -d 'deployed: grün' -H 'X-Micromegas-Service-Name: shop' -H 'x-micromegas-service-namespace: eu' -H 'X-Micromegas-Target: ci')" "200 "
is "and one log record, field by field" "$(hooked)" \
	'[{"service.name": "shop", "service.namespace": "eu", "tenant_id": "acme", "micromegas.audience": "acme"}, "ci", 9, 0, true, "string_value", "deployed: gr\u00fcn", ["severity_number", "body", "observed_time_unix_nano"]]'
printf 'a\xff' >"$T/bytes"
is "bytes that are no text are taken too" "$(say webhook "${AUTH[@]}" "${JSON[@]}" --data-binary "@$T/bytes")" "200 "
is "as bytes" "$(hooked)" '[{"tenant_id": "acme", "micromegas.audience": "acme"}, "", 9, 0, true, "bytes_value", "b'\''a\\xff'\''", ["severity_number", "body", "observed_time_unix_nano"]]'
is "its record is a log as any other" "$(record=$(youngest "$LOGS_TOPIC"); for h in signal format content-type; do header "$record" $h; done | xargs)" "logs otlp_proto application/x-protobuf"

# ---- B15, B19: OTLP ----
declare -A TOPIC=([traces]=$TRACES_TOPIC [metrics]=$METRICS_TOPIC [logs]=$LOGS_TOPIC)
for signal in traces metrics logs; do
	otlp $signal -n 2 --resources 2 -m "of-$signal" -r tenant_id=evil -r micromegas.audience=evil -r micromegas.x=evil -o "$T/$signal"
	is "$signal: 200 and OTLP's empty answer" "$(say otlp/v1/$signal "${AUTH[@]}" "${PROTOBUF[@]}" --data-binary "@$T/$signal") $(reply_header Content-Type)" "200  application/x-protobuf"
	is "B19: $signal: each resource is ours, and nothing of the client's claims to be" \
		"$(youngest "${TOPIC[$signal]}" | decoded | jq -c '.resources[] | map(select(.[0] | test("tenant_id|micromegas")))')" \
		"$(printf '[["tenant_id","acme"],["micromegas.audience","acme"]]\n%.0s' 1 2)"
	gzip -c "$T/$signal" >"$T/$signal.gz"
	is "B15: $signal: gzip works" "$(say otlp/v1/$signal "${AUTH[@]}" "${PROTOBUF[@]}" -H 'Content-Encoding: gzip' --data-binary "@$T/$signal.gz")" "200 "
	is "$signal: an empty body is 200, and no record" "$(say otlp/v1/$signal "${AUTH[@]}" "${PROTOBUF[@]}" --data-binary '')" "200 "
	is "$signal: so is {}" "$(say otlp/v1/$signal "${AUTH[@]}" "${JSON[@]}" -d '{}')" "200 {}"
	is "$signal: two records are there" "$(records "${TOPIC[$signal]}" | grep -c "$(hex "of-$signal")")" 2
done
logs='{"resourceLogs":[{"resource":{"attributes":[{"key":"\u006dicromegas.audience","value":{"stringValue":"evil"}},{"key":"a","value":{"stringValue":"b"}}]},"scopeLogs":[{"logRecords":[{"body":{"stringValue":"in JSON"}}]}]}]}'
is "B15: JSON in, JSON out" "$(say otlp/v1/logs "${AUTH[@]}" "${JSON[@]}" -d "$logs") $(reply_header Content-Type)" "200 {} application/json"
is "B19: an escaped name is known too" "$(youngest "$LOGS_TOPIC" | decoded | jq -c '.resources[]')" '[["a","b"],["tenant_id","acme"],["micromegas.audience","acme"]]'

# ---- answers ----
stored() { for each in "$BLOBS" "$TRACES_TOPIC" "$METRICS_TOPIC" "$LOGS_TOPIC"; do record_count "$each"; done | xargs; }
stored | read -ra before
for each in "${BLOCKS[@]}"; do
	is "$each: empty is refused" "$(say "$each" "${AUTH[@]}" --data-binary '')" "400 Bad request"
done
is "an empty webhook too" "$(say webhook "${AUTH[@]}" --data-binary '')" "400 empty body"
like "0 bytes are no JSON" "$(say otlp/v1/logs "${AUTH[@]}" "${JSON[@]}" --data-binary '')" '^400 3: parse error \(logs\): .'
like "undecodable OTLP is a parse error of its signal" "$(say otlp/v1/metrics "${AUTH[@]}" "${PROTOBUF[@]}" --data-binary 'x')" '^400 3: parse error \(metrics\): .'
for type in 'text/plain' 'application/cbor' ''; do
	is "B15: OTLP as '$type' is 415, told in protobuf" "$(say otlp/v1/traces "${AUTH[@]}" -H "Content-Type: $type" -d x) $(reply_header Content-Type)" \
		"415 3: Content-Type must be application/x-protobuf or application/json application/x-protobuf"
done
for coding in deflate zstd snappy; do
	for each in insert_block webhook; do
		is "B15: $each as $coding is 415" "$(say $each "${AUTH[@]}" -H "Content-Encoding: $coding" -d x) $(reply_header Accept-Encoding)" "415 Content-Encoding not supported here: $coding gzip"
	done
	is "B15: so is OTLP" "$(say otlp/v1/logs "${AUTH[@]}" "${JSON[@]}" -H "Content-Encoding: $coding" -d x) $(reply_header Accept-Encoding)" "415 3: Content-Encoding not supported here: $coding gzip"
done
# refused TEXT [CURL-OPTION]...: on each path; B3
refused()
{
	local each
	for each in "${BLOCKS[@]}" webhook; do is "B3: $each, $2 ${*:3}: $1" "$(say "$each" -d x "${@:2}") $(reply_header WWW-Authenticate)" "401 $1 Bearer"; done
	for each in "${OTLP[@]}"; do is "B3: $each, $2 ${*:3}: $1" "$(say "$each" "${PROTOBUF[@]}" -d x "${@:2}") $(reply_header WWW-Authenticate)" "401 16: $1 Bearer"; done
}
WRONG_SCHEME='Invalid authorization format, expected: Bearer <token>'
refused 'Missing authorization header' -H 'X-None: 1'
refused "$WRONG_SCHEME" -H 'Authorization: Basic x'
refused "$WRONG_SCHEME" -H "Authorization: bearer $KEY"
refused 'Invalid token' -H 'Authorization: Bearer wrong'
is "Basic with a key works" "$(say insert_block -u ":$KEY" -d basic)" "200 "
is "another tenant is forbidden" "$(say insert_block "${AUTH[@]}" -H 'X-Scope-OrgID: other' -d x)" "403 Forbidden"
is "on OTLP too" "$(say otlp/v1/logs "${AUTH[@]}" "${JSON[@]}" -H 'X-Scope-OrgID: other' -d x)" "403 7: Forbidden"
like "GET is 405" "$(say insert_block -X GET) $(reply_header Allow)" '^405 .* POST$'
is "AWS' routes are not served" "$(request /ingestion/aws/metrics "${AUTH[@]}" -d x)" 404
head -c 20971521 /dev/zero >"$T/large"
is "OTLP of 20 MiB and a byte is 413" "$(say otlp/v1/logs "${AUTH[@]}" "${PROTOBUF[@]}" --data-binary "@$T/large")" "413 2: length limit exceeded"
is "so is such a webhook" "$(say webhook "${AUTH[@]}" --data-binary "@$T/large")" "413 length limit exceeded"
head -c 314572801 /dev/zero | gzip -1 >"$T/bomb"
is "a block of 300 MiB and a byte, inflated, is 413" "$(say insert_block "${AUTH[@]}" "${NONE[@]}" -H 'Content-Encoding: gzip' --data-binary "@$T/bomb")" "413 length limit exceeded"
rm "$T/bomb" "$T/large"
((before[0]++))	# the one by Basic
is "nothing of what was refused is stored" "$(stored)" "${before[*]}"

# ---- records.md 1.3: OTLP above the record's limit is split, as native OTLP ----
otlp logs -n 3000 -m split --pad 400 -o "$T/many"
is "OTLP of $(wc -c <"$T/many") bytes is 200" "$(say otlp/v1/logs "${AUTH[@]}" "${PROTOBUF[@]}" --data-binary "@$T/many")" "200 "
is "in parts that hold each item once" "$(records "$LOGS_TOPIC" | decoded | jq -s '[.[].items[]? | select(type == "string" and startswith("split-"))] | [length, (unique | length)]' | xargs)" "[ 3000, 3000 ]"

# ---- by switches ----
conf compat.micromegas_401_texts=current compat.micromegas_otlp_plain_errors=true
ok "a reload is taken" headgate_switch
for each in -HX-None:1 '-HAuthorization: Basic x' "-HAuthorization: bearer $KEY" '-HAuthorization: Bearer wrong'; do
	is "B3: in today's words every 401 is one: $each" "$(say insert_block -d x "$each")" "401 Invalid token"
	is "and plain on OTLP by another switch" "$(say otlp/v1/logs "${JSON[@]}" -d x "$each")" "401 Invalid token"
done
conf compat.micromegas_401_texts= compat.micromegas_otlp_plain_errors= protocols.otlp.json=separate
topic create "$KAFKA_BROKERS" "${LOGS_TOPIC}_json" 1
expect_err 'mod=topics msg="a configured topic is not there'
ok "a reload is taken" headgate_switch
is "JSON may stay JSON" "$(say otlp/v1/logs "${AUTH[@]}" "${JSON[@]}" -d "$logs")" "200 {}"
is "with our attributes" "$(youngest "${LOGS_TOPIC}_json" | jq -r .value | unhex | jq -c '.resourceLogs[0].resource.attributes | map([.key, .value.stringValue])')" \
	'[["a","b"],["tenant_id","acme"],["micromegas.audience","acme"]]'

# ---- B14: 100 MiB ----
head -c 104857600 /dev/urandom >"$T/huge"
# huge [CURL-OPTION]...
huge() { say insert_block "${AUTH[@]}" "${NONE[@]}" -H Expect: --data-binary "@$T/huge" "$@"; }
conf protocols.otlp.json= "protocols.opaque.topic=$BIG" protocols.opaque.record_max_bytes=104923136B kafka.ack_deadline=60s
ok "a reload is taken" headgate_switch
# loaded TOKEN SECONDS: another tenant meanwhile
loaded() { background python3 "$WAY/tools/load.py" "$URL" --token "$OTHER" --signal logs --rate 20 --seconds "$1" --prefix "$2-" --results "$T/$2"; }
slowest=2001
for meanwhile in meanwhile again more; do	# the machine may stand still for so long, but not each time
	loaded 8 $meanwhile
	load=$SPAWNED
	is "B14: a broker at its defaults: 413" "$(huge)" "413 length limit exceeded"
	is "again, and again" "$(huge); $(huge)" "413 length limit exceeded; 413 length limit exceeded"
	wait_until 30s gone "$load"
	is "R25: the other tenant's requests succeed meanwhile" "$(awk '{print $2}' "$T/$meanwhile" | sort -u)" 200
	slowest=$(awk '$3 > max {max = $3} END {print max + 0}' "$T/$meanwhile")
	((slowest > 2000)) || break
done
ok "each within 2 s: $slowest ms" test "$slowest" -le 2000
is "nothing was given to the broker" "$(record_count "$BIG") $(metric kafka_delivery_errors_total)" "0 0"
kafka_stop own
echo socket.request.max.bytes=104988672 >>"$T/kafka-own/server.properties"
kafka_restart own
headgate_stop
headgate_start
known "$KEY"
taken() { [ "$(huge)" = "200 " ]; }
ok "B14: option, topic and broker raised: 200" wait_until 120s taken
is "there it is, byte for byte" "$(kcat -C -q -e -o beginning -b "$KAFKA_BROKERS" -t "$BIG" -X fetch.message.max.bytes=200000000 -X receive.message.max.bytes=300000000 -f '%S\n%s' -c 1 |
	{ read -r size; echo "$size $(head -c "$size" | sha256sum | cut -c1-64)"; })" "104857600 $(sha256sum <"$T/huge" | cut -c1-64)"
printf x >>"$T/huge"
is "one byte more: 413" "$(huge)" "413 length limit exceeded"
rm "$T/huge"

# ---- B21: what is on its way ends ----
head -c 800000 /dev/urandom >"$T/slow"	# 8 s
background bash -c 'curl -sS --limit-rate 100k -o /dev/null -w "%{http_code}" -H "$1" --data-binary "@$2" "$3" >"$4"' - "Authorization: Bearer $KEY" "$T/slow" "$URL/ingestion/insert_block" "$T/slow.status"
slow=$SPAWNED
in_flight() { [ "$(metric requests_in_flight '{route="insert_block"}')" = 1 ]; }
ok "a block is on its way" wait_until 20s in_flight
begin=$(now_us)
ok "B21: SIGTERM: headgate ends with status 0" headgate_stop 25s
wait_until 20s gone "$slow"
is "after the block was taken" "$(cat "$T/slow.status")" 200
ok "within 25 s" test $(($(now_us) - begin)) -le 25000000

# ---- B17: no broker ----
conf kafka.ack_deadline=3s
kafka_stop own
expect_err 'mod=(sink_kafka|topics)'
headgate_start
known "$KEY"
for each in "${BLOCKS[@]}" webhook; do
	is "B17: $each: 503" "$(say "$each" "${AUTH[@]}" -d x)" "503 Service unavailable"
	like "which says when to come again" "$(reply_header Retry-After)" '^[1-5]$'
done
for signal in traces metrics logs; do
	is "B17: otlp/v1/$signal: 503" "$(say otlp/v1/$signal "${AUTH[@]}" "${PROTOBUF[@]}" --data-binary "@$T/$signal")" "503 14: Service unavailable"
	like "which says when to come again" "$(reply_header Retry-After)" '^[1-5]$'
done
finish
