#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 69-moose.sh -- a listener with Moose's rules beside a native one: the records of one model are the same, byte for byte; what else 93, which asks
# what a server of Moose was asked, does not: codings, types, sizes with stamps, dead letters of both kinds, health, a broker that is away
# (C6, C8, C12 to C14, C17, C18, C20; compatibility.md 1, 5)
. "${0%/*}/lib.sh"
need broker

kafka_start own
EVENT_TOPIC=Event OPEN_TOPIC=Open DEAD_TOPIC=EventDeadLetterQueue DLQ_TOPIC=headgate_dlq
for each in $EVENT_TOPIC $OPEN_TOPIC $DEAD_TOPIC $DLQ_TOPIC otlp_spans otlp_metrics otlp_logs prom_write prom_write_v2 loki_push; do
	topic create "$KAFKA_BROKERS" $each 1 max.message.bytes=2000000 || bail "can't create the topic $each"
done
TOKEN=$(token_new)
tenants_file "acme:$TOKEN"
mkdir "$T/models"
column() { printf '{"name":"%s","data_type":"%s","required":%s}' "$@"; }
printf '{"name":"Event","dead_letter_queue":"%s","columns":[%s,%s]}' $DEAD_TOPIC "$(column n Int64 true)" "$(column note String false)" >"$T/models/event.json"
printf '{"name":"Open","allow_extra_fields":true,"columns":[%s]}' "$(column n Int64 true)" >"$T/models/open.json"
printf '{"name":"Number","topic":"%s","columns":[%s]}' $OPEN_TOPIC "$(column tenant_id Int64 true)" >"$T/models/number.json"
conf_base kafka file 1
conf "protocols.models.dir=$T/models" listeners.1.name=moose listeners.1.listen=127.0.0.1:0 listeners.1.dialect=moose dead_letters.enabled=true
headgate_start
known "$TOKEN"
NATIVE=$URL MOOSE=http://$(listener_address moose) MOOSE_ADDRESS=$(listener_address moose)
URL=$MOOSE
JSON='Content-Type: application/json'
# event BODY [CURL-OPTION]...	to the model Event: status and text
event() { echo "$(request /ingest/Event --data-binary "$@") $(cat "$T/reply")"; }
read_values() { records "$1" | jq -r .value | while read -r each; do unhex <<<"$each"; echo; done; }

# ---- the same records by both listeners, in every coding (R7) ----
printf '[{"n": 1, "note": "a\\u00e9"},\n {"note":null,"n":"2"},{"n":3,"other":5}]' >"$T/body"
want=$'{"n":1,"note":"a\\u00e9"}\n{"note":null,"n":2}\n{"n":3}'
is "an array is SUCCESS" "$(event "@$T/body")" "200 SUCCESS"
is "one message for each object, compact" "$(read_values $EVENT_TOPIC)" "$want"
is "their key is the tenant" "$(records $EVENT_TOPIC | jq -r .key | sort -u)" "$(hex acme)"
is "and their headers" "$(records $EVENT_TOPIC | jq -c '[.headers[][0]]' | sort -u)" '["X-Scope-OrgID","tenant_id"]'
is "a native listener says 202 and nothing" "$(URL=$NATIVE event "@$T/body" -H "$JSON")" "202 "
gzip -c "$T/body" >"$T/gzip"
python3 -c 'import sys, zlib; d = open(sys.argv[1], "rb").read(); sys.stdout.buffer.write(zlib.compress(d))' "$T/body" >"$T/deflate"
zstd -q -c "$T/body" >"$T/zstd"
for each in gzip deflate zstd; do
	is "$each is SUCCESS" "$(event "@$T/$each" -H "Content-Encoding: $each")" "200 SUCCESS"
	is "$each of a native listener is 202" "$(URL=$NATIVE event "@$T/$each" -H "Content-Encoding: $each" -H "$JSON")" "202 "
done
is "chunked too" "$(event "@$T/gzip" -H 'Content-Encoding: gzip' -H 'Transfer-Encoding: chunked')" "200 SUCCESS"
for each in 'Content-Type:' 'Content-Type: text/plain' 'Content-Type: application/x-protobuf' 'Content-Type: application/json; charsetutf-8'; do
	is "'$each' is SUCCESS" "$(event "@$T/body" -H "$each")" "200 SUCCESS"
done
is "of a native listener a wrong type is 415" "$(URL=$NATIVE request /ingest/Event --data-binary "@$T/body" -H 'Content-Type: text/plain')" 415
is "no type too" "$(URL=$NATIVE request /ingest/Event --data-binary "@$T/body" -H 'Content-Type:')" 415
is "all of them are the same records" "$(read_values $EVENT_TOPIC | sort | uniq -c | sed 's/^ *//')" "$(sort <<<"$want" | sed 's/^/13 /')"
like "another coding is 415" "$(event "@$T/body" -H 'Content-Encoding: br')" '^415 '
head -c 20 "$T/gzip" >"$T/cut"
is "a coding that is cut is a body that can't be read" "$(event "@$T/cut" -H 'Content-Encoding: gzip')" "400 Failed to read request body"
is "a chunk that is none too" "$(ADDRESS=$MOOSE_ADDRESS raw --text "POST /ingest/Event HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $TOKEN\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" | tail -n 1)" "Failed to read request body"

# ---- models that are none, and one that can't hold the tenant ----
is "an unknown model is 404" "$(request /ingest/Nobody -d '{}') $(cat "$T/reply")" "404 Please run \`moose ls\` to view your routes"
is "a stranger's is 401" "$(TOKEN='' request /ingest/Nobody -d '{}') $(cat "$T/reply")" "401 Unauthorized: Invalid or missing token"
is "of a native listener it is 404" "$(URL=$NATIVE request /ingest/Nobody -H "$JSON" -d '{}')" 404
like "hg-model" "$(cat "$T/reply")" '^hg-model: no such data model \(request [0-9a-f]{32}\)$'
is "a column that can't hold the tenant is 403" "$(request /ingest/Number -d '{"tenant_id":1}')" 403
is "of a native listener too" "$(URL=$NATIVE request /ingest/Number -H "$JSON" -d '{"tenant_id":1}')" 403
like "hg-model-tenant" "$(cat "$T/reply")" "^hg-model-tenant: column 'tenant_id' of the data model cannot hold the id of the tenant"
is "and nothing is stored" "$(record_count $OPEN_TOPIC)" 0

# ---- sizes: the stamp of each object is ours, not the client's ----
python3 - "$T/largest" <<-'END'
	import sys
	one = b'{"n":1,"pad":"%s"}' % (b"x" * 1000)
	body = b"[" + b",".join([one] * (10485760 // (len(one) + 1) - 1)) + b"]"
	open(sys.argv[1], "wb").write(body + b" " * (10485760 - len(body)))
END
objects=$(grep -o '"n":1' "$T/largest" | wc -l)
is "10485760 bytes of objects that take the stamp are SUCCESS" "$(request /ingest/Open --data-binary "@$T/largest") $(cat "$T/reply")" "200 SUCCESS"
is "each is a message" "$(record_count $OPEN_TOPIC)" "$objects"
is "with the tenant" "$(records $OPEN_TOPIC | jq -r .value | sort | uniq -c | wc -l) $(read_values $OPEN_TOPIC | head -n 1 | head -c 30)" '1 {"tenant_id":"acme","n":1,"pad'
gzip -c "$T/largest" >"$T/largest.gz"
is "inflated to that they are SUCCESS too" "$(request /ingest/Open --data-binary "@$T/largest.gz" -H 'Content-Encoding: gzip')" 200
printf ' ' >>"$T/largest"
gzip -c "$T/largest" >"$T/larger.gz"
large="413 Request body too large. Maximum size is 10485760 bytes"
is "one byte more is 413" "$(event "@$T/largest")" "$large"
is "inflated too" "$(event "@$T/larger.gz" -H 'Content-Encoding: gzip')" "$large"
head -c 100000000 /dev/zero | gzip >"$T/bomb"
is "and a bomb" "$(event "@$T/bomb" -H 'Content-Encoding: gzip')" "$large"

# ---- dead letters (C12, C13, R7): the model's own, and those of dead_letters ----
good=$(record_count $EVENT_TOPIC)
is "one bad object of three is 400" "$(event '[{"n":1},{"n":"x"},{"n":3}]')" '400 Invalid JSON: invalid type: string "x", expected an integer value at n at line 1 column 17'
is "a syntax error is 400" "$(request /ingest/Event --data-binary '{"n":1}garbage')" 400
three() { [ "$(record_count $DEAD_TOPIC)" = 3 ] && [ "$(record_count $DLQ_TOPIC)" = 3 ]; } # a cut coding too
ok "three letters of the model, none of the syntax error; a copy of each body" wait_until 20s three
read_values $DEAD_TOPIC >"$T/letters"
is "the originals, in their order" "$(jq -c .originalRecord "$T/letters" | xargs -d '\n')" '{"n":1} {"n":"x"} {"n":3}'
is "with the seven members" "$(jq -c keys_unsorted "$T/letters" | sort -u)" '["originalRecord","errorMessage","errorType","failedAt","source","requestBody","topic"]'
is "the body as it came" "$(jq -r .requestBody "$T/letters" | sort -u)" '[{"n":1},{"n":"x"},{"n":3}]'
is "what was wrong, and where it would have gone" "$(jq -r '.errorMessage + " " + .topic' "$T/letters" | sort -u)" 'invalid type: string "x", expected an integer value at n at line 1 column 17 Event'
is "the main topic is as it was" "$(record_count $EVENT_TOPIC)" "$good"
is "the copies are the bodies" "$(read_values $DLQ_TOPIC | tail -n 2)" $'[{"n":1},{"n":"x"},{"n":3}]\n{"n":1}garbage'
is "and say for which topic they were" "$(records $DLQ_TOPIC | tail -n 1 | { read -r each; header "$each" headgate-dlq-topic; })" Event

# ---- health, as Moose shows it ----
ACCEPT='Accept: application/json'
for each in /health /ready /liveness; do
	is "$each is 200 without a credential" "$(TOKEN='' get $each -H "$ACCEPT")" 200
	is "with two lists" "$(jq -c . "$T/reply") $(reply_header Content-Type)" '{"healthy":["tenants","kafka"],"unhealthy":[]} application/json'
done
is "without Accept /ready is a text" "$(get /ready) $(cat "$T/reply")" "200 ready"
is "a native listener has no /liveness" "$(URL=$NATIVE get /liveness -H "$ACCEPT")" 404
is "OPTIONS of any path" "$(TOKEN='' request /nowhere -X OPTIONS) $(cat "$T/reply") $(reply_header Access-Control-Allow-Origin)" "200 Success *"
is "not of OTLP's" "$(request /v1/traces -X OPTIONS)" 405

# ---- no broker (C17) ----
conf kafka.ack_deadline=5s
headgate_switch
MOOSE=http://$(listener_address moose) URL=$MOOSE
expect_err 'mod=(sink|kafka)'
kafka_kill own
is "without a broker it is 503 Error" "$(event '{"n":9}')" "503 Error"
like "with Retry-After" "$(reply_header Retry-After)" '^[1-5]$'
kafka_restart own
back() { [ "$(event '{"n":10}')" = "200 SUCCESS" ]; }
ok "and SUCCESS again when it is back" wait_until 60s back
ok "the message is there" grep -qxF '{"n":10}' <(read_values $EVENT_TOPIC)
finish
