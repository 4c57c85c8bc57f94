#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 36-separate.sh -- json: separate: OTLP/JSON and Loki JSON are stored as they came, but for the tenant, which is ours alone, and what had
# to be mended; refusals are those of transcoding (P10, P12, P13, R3, R6, R26)
. "${0%/*}/lib.sh"

TOKEN=$(token_new)
tenants_file "acme:$TOKEN"
conf_base local file 2
conf protocols.{otlp,loki}.json=separate record.max_bytes=4KiB
headgate_start
known "$TOKEN"
PUSH=/loki/api/v1/push LEGACY=/api/prom/push

# json PATH TEXT [CURL-OPTION]...	the status
json() { printf %s "$2" >"$T/json"; request "$1" -H 'Content-Type: application/json' --data-binary "@$T/json" "${@:3}"; }
# row TEXT	the record that holds it; value TEXT: its value as text
row() { stored | jq -c --arg text "$(hex "$1")" 'select(.value | contains($text))'; }
value() { row "$1" | jq -r .value | unhex; }
# said	what the last reply says, without the request's id
said() { sed 's/ (request [0-9a-f]*)//'; }
# kind ROW	its topic and what it says that it is
kind() { printf '%s %s %s %s' "$(jq -r .topic <<<"$1")" "$(header "$1" signal)" "$(header "$1" format)" "$(header "$1" content-type)"; }
# whole SENTENCE PATH STATUS TEXT MARK WANT	is taken, and its record, which holds MARK, is WANT
whole()
{
	is "$1" "$(json "$2" "$4")" "$3"
	is "$1: its record" "$(value "$5")" "$6"
}
count() { metric "$1_total" "{tenant=\"acme\",signal=\"$2\"}"; }
ours='{"key":"tenant_id","value":{"stringValue":"acme"}}'
evil='{"key":"tenant\u005fid","value":{"stringValue":"evil"}}'

# ---- OTLP ----
whole "R3: a span with its spelling, blanks and unknown members" /v1/traces 200 \
	' {"resource_spans":[{"resource":{"attributes":[ {"key":"a","value":{"doubleValue":1.50e+2}} ]},"scope_spans":[{"spans":[{"name":"kept-span","later":[1, "\u0061"],"kind":"SPAN_KIND_SERVER"}]}]}]}' kept-span \
	' {"resource_spans":[{"resource":{"attributes":[ {"key":"a","value":{"doubleValue":1.50e+2}},'"$ours"' ]},"scope_spans":[{"spans":[{"name":"kept-span","later":[1, "\u0061"],"kind":"SPAN_KIND_SERVER"}]}]}]}'
is "its topic and headers" "$(kind "$(row kept-span)")" "otlp_spans_json traces otlp_json application/json"
is "the reply is JSON" "$(reply_header Content-Type) $(<"$T/reply")" 'application/json {}'
whole "R3: a Resource is made where there is none" /v1/metrics 200 \
	'{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"kept-metric","gauge":{"dataPoints":[{"asInt":"1"}]}}]}]},{"resource":null}]}' kept-metric \
	'{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"kept-metric","gauge":{"dataPoints":[{"asInt":"1"}]}}]}],"resource":{"attributes":['"$ours"']}},{"resource":{"attributes":['"$ours"']}}]}'
spoofed=$(count items_spoofed logs)
log() { printf '{"resourceLogs":[{"resource":{"attributes":[%s]},"scopeLogs":[{"logRecords":[{"body":{"stringValue":"%s"}}]}]}]}' "$1" "$2"; }
whole "P12: a forged tenant leaves" /v1/logs 200 "$(log "$evil, {\"key\":\"b\"} , $evil" forged)" forged "$(log "{\"key\":\"b\"},$ours" forged)"
is "and is counted" "$(count items_spoofed logs)" $((spoofed + 2))
repaired=$(count items_repaired logs)
whole "P10: half a surrogate pair is mended in a log" /v1/logs 200 "$(log '' 'half \ud83d, whole \ud83d\ude00')" half "$(log "$ours" $'half \uFFFD, whole \\ud83d\\ude00')"
is "and is counted" "$(count items_repaired logs)" $((repaired + 1))
is "P10: not in a span" "$(json /v1/traces '{"resourceSpans":[{"x":"\ud83d"}]}')" 400
is "P13: an integer that is none is refused" "$(json /v1/logs '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"intValue":"9223372036854775808"}}]}]}]}') $(jq -r .message "$T/reply" | said)" \
	'400 hg-invalid: resourceLogs[0].scopeLogs[0].logRecords[0].body.intValue: not an integer, or out of range (byte 66)'
is "no items: nothing is stored" "$(json /v1/logs '{"resourceLogs":[null]}')" 200

body=$(log "$evil" byte-by-byte)
printf 'POST /v1/logs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s' "$TOKEN" ${#body} "$body" >"$T/request"
is "a body that comes byte by byte" "$(raw --each --replies 1 "$T/request" 2>/dev/null | head -n 1 | cut -d' ' -f2)" 200
is "is stored as one that comes whole" "$(value byte-by-byte)" "$(log "$ours" byte-by-byte)"
log "$evil" in-gzip | gzip -c >"$T/zipped"
is "so is one in gzip" "$(request /v1/logs -H 'Content-Type: application/json' -H 'Content-Encoding: gzip' --data-binary "@$T/zipped") $(value in-gzip)" \
	"200 $(log "$ours" in-gzip)"
otlp logs -m by-protobuf -o "$T/body"
is "protobuf stays protobuf" "$(post /v1/logs "$T/body") $(kind "$(row by-protobuf)")" \
	"200 otlp_logs logs otlp_proto application/x-protobuf"
large=$(log '' "$(printf 'x%.0s' {1..4000})")
is "JSON is not split: too large for a record is 413" "$(json /v1/logs "$large") $(jq -r '.message | split(":")[0]' "$T/reply")" "413 hg-record-size"

# ---- Loki ----
push() { printf '{"streams":[{"stream":{%s},"values":[%s]}]}' "$1" "$2"; }
whole "R6: a label is a member of stream" $PUSH 204 "$(push '"z":"1" , "a":"\u0062"' '["1","kept-line"], null')" kept-line \
	"$(push '"z":"1" , "a":"\u0062","tenant_id":"acme"' '["1","kept-line"], null')"
is "its topic and headers" "$(kind "$(row kept-line)")" "loki_push_json logs loki_json application/json"
whole "R6: a forged one leaves both places" $PUSH 204 "$(push '"tenant_id":"evil","a":"b"' '["1","forged-line",{"k":"v","tenant_i\u0064":"evil"}]')" forged-line \
	"$(push '"a":"b","tenant_id":"acme"' '["1","forged-line",{"k":"v"}]')"
whole "R6: the legacy text, inside its string" $LEGACY 204 '{"streams":[{"labels":"{a=\"b\", tenant\u005fid=\"evil\",z=`\\`}","entries":[{"ts":"2026-11-25T17:00:00Z","line":"old-line"}]}]}' old-line \
	'{"streams":[{"labels":"{a=\"b\", tenant_id=\"acme\",z=`\\`}","entries":[{"ts":"2026-11-25T17:00:00Z","line":"old-line"}]}]}'
is "labels are judged in Loki's words" "$(json $PUSH "$(push '"a":"b","a":"c"' '["1","x"]')") $(said <"$T/reply")" \
	"400 hg-invalid: stream '{a=\\x22b\\x22, a=\\x22c\\x22}' has duplicate label name: 'a'"
is "no streams is 422" "$(json $PUSH '{"streams":[]}')" 422
is "streams without entries store nothing" "$(json $PUSH '{"streams":[{"stream":{}}]}')" 204

conf protocols.loki.stamp=structured_metadata
headgate_switch || bail "the new configuration does not serve: $(tail -n 3 "$HG_LOG")"
whole "R6: the stamp goes into each entry" $PUSH 204 "$(push '"a":"b","tenant_id":"evil"' '["1","entry-line"],["2","",{"tenant_id":"evil","k":"v"}]')" entry-line \
	"$(push '"a":"b"' '["1","entry-line",{"tenant_id":"acme"}],["2","",{"k":"v","tenant_id":"acme"}]')"
whole "a legacy entry has no place for it: the text has" $LEGACY 204 '{"streams":[{"labels":"{z=`1`}","entries":[{"ts":"2026-11-25T17:00:00Z","line":"old-entry"}]}]}' old-entry \
	'{"streams":[{"labels":"{tenant_id=\"acme\", z=`1`}","entries":[{"ts":"2026-11-25T17:00:00Z","line":"old-entry"}]}]}'

conf record.enrich=header protocols.loki.stamp=
headgate_switch || bail "the new configuration does not serve: $(tail -n 3 "$HG_LOG")"
whole "R26: with the tenant in the header a body is stored as it came" /v1/logs 200 "$(log "$evil" as-it-came)" as-it-came "$(log "$evil" as-it-came)"
whole "R26: a push too" $PUSH 204 "$(push '"tenant_id":"evil"' '["1","push-as-it-came"]')" push-as-it-came "$(push '"tenant_id":"evil"' '["1","push-as-it-came"]')"
finish
