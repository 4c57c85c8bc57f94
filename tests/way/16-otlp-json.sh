#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 16-otlp-json.sh -- OTLP/JSON is the protobuf record of the same data: from the unmodified JavaScript SDK, and body by body; what would
# be lost, or is no such JSON, is refused with its place (P1, P2, P9, P10, P12, P13, P14)
. "${0%/*}/lib.sh"
. "$WAY/tools/sdk.sh"
need kafka postgres js-otel python-otel

certs
topics 2
RAW=$NAME-raw
topic create "$KAFKA_BROKERS" "$RAW" 2 || bail "can't create the topic $RAW"
tenant_add acme
TOKEN=$(token_add acme)
conf_base tls
conf protocols.obstack.enabled=true "protocols.obstack.topic=$RAW"
headgate_start
known "$TOKEN"
before=$(workers | xargs)
count() { metric "$1_total" "{tenant=\"acme\",signal=\"$2\"}"; }

# ---- the SDK: P1, P21 in its part of JSON ----
send_json() { send_js "$1" OTEL_EXPORTER_OTLP_PROTOCOL=http/json "${@:2}"; }
sdk_way json js

# the same calls by protobuf: equal records but for ids, times and the name of the run
is "the same by protobuf is accepted" "$(send_js proto-none)" $'traces ok\nmetrics ok\nlogs ok'
for pair in "$TRACES_TOPIC span-0" "$METRICS_TOPIC counter" "$LOGS_TOPIC log-0"; do
	read -r topic name <<<"$pair"
	for run in json-none proto-none; do
		record_with "$topic" "$run-$name" | decoded | sed "s/$run/RUN/g" |
			jq -S 'del(.key, .headers, .size, .reencoded) | del(.. | objects | .start_time_unix_nano?, .time_unix_nano?)' >"$T/$run.decoded"
	done
	ok "$name: the record of JSON is the record of protobuf" test -s "$T/json-none.decoded"
	is "$name: in every field that a decoder sees" "$(cat "$T/json-none.decoded")" "$(cat "$T/proto-none.decoded")"
done

# ---- body by body ----
# json PATH TEXT [CURL-OPTION]...: the status
json() { printf %s "$2" >"$T/json"; request "$1" -H 'Content-Type: application/json; charset=utf-8' --data-binary "@$T/json" "${@:3}"; }
span() { printf '{"resourceSpans":[{"scopeSpans":[{"spans":[{%s}]}]}]}' "$1"; }
record() { printf '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{%s}]}]}]}' "$1"; }
# taken SENTENCE PATH TEXT, refused SENTENCE PATH TEXT REGEX-OF-THE-REASON
taken() { is "$1" "$(json "$2" "$3") $(reply_header Content-Type) $(cat "$T/reply")" '200 application/json {}'; }
refused()
{
	is "$1: 400" "$(json "$2" "$3") $(reply_header Content-Type) $(jq .code "$T/reply")" '400 application/json 3'
	like "$1: and why" "$(jq -r .message "$T/reply")" "hg-invalid: $4"
}
# value_with TOPIC TEXT: the value of the record that holds it, in hex
value_with() { record_with "$1" "$2" | jq -r .value; }

id='"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"eee19b7ec3c1b174"'
taken "a span" /v1/traces "$(span "$id,\"name\":\"by-camel\",\"startTimeUnixNano\":\"1764000000123456789\",\"kind\":\"SPAN_KIND_SERVER\"")"
taken "P12: snake_case, escapes, a number for a name" /v1/traces \
	'{"resource_spans":[{"\u0073cope_spans":[{"spans":[{"trace_id":"5b8efff798038103d269b633813fc60c","span_id":"EEE19B7EC3C1B174","n\u0061me":"by-snake","start_time_unix_nano":1764000000123456789,"kind":2}]}]}]}'
is "and both are one record but for the name" "$(value_with "$TRACES_TOPIC" by-snake)" \
	"$(value_with "$TRACES_TOPIC" by-camel | sed "s/$(hex by-camel)/$(hex by-snake)/")"
gzip -c "$T/json" >"$T/zipped"
is "the same as gzip" "$(request /v1/traces -H 'Content-Type: application/json' -H 'Content-Encoding: gzip' --data-binary "@$T/zipped")" 200
spoofed=$(count items_spoofed logs)
taken "P12: a forged tenant" /v1/logs '{"resourceLogs":[{"resource":{"attributes":[{"key":"tenant\u005fid","value":{"stringValue":"evil"}}]},"scopeLogs":[{"logRecords":[{"body":{"stringValue":"forged"}}]}]}]}'
is "is taken out, and counted" "$(value_with "$LOGS_TOPIC" forged | grep -c "$(hex evil)") $(count items_spoofed logs)" "0 $((spoofed + 1))"
taken "P13: numbers of 64 bits" /v1/logs "$(record '"eventName":"sixty-four","body":{"intValue":9223372036854775807}')"
like "arrive exact" "$(value_with "$LOGS_TOPIC" sixty-four)" '18ffffffffffffffff7f'
repaired=$(count items_repaired logs)
taken "P10: a log cut inside a character" /v1/logs "$(record '"body":{"stringValue":"cut here \ud83d"}')"
is "is mended, and counted" "$(value_with "$LOGS_TOPIC" 'cut here' | grep -c "$(hex $'cut here \uFFFD')") $(count items_repaired logs)" \
	"1 $((repaired + 1))"
zeros() { printf '{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"%s","histogram":{"dataPoints":[{"sum":0,"min":0,"max":0,"bucketCounts":[0' "$1"
	head -c "$2" /dev/zero | sed 's/\x00/,0/g'; echo ']}]}}]}]}]}'; }
zeros many-zeros 100000 >"$T/zeros"
is "P14: what grows fourfold is taken" "$(request /v1/metrics -H 'Content-Type: application/json' --data-binary "@$T/zeros")" 200
value_with "$METRICS_TOPIC" many-zeros | unhex >"$T/value"
like "with every zero" "$(wc -c <"$T/value")" '^8000[0-9][0-9]$'
ok "which protobuf-c reads" pbdump metrics "$T/value"
like "and three zeros that say something" "$(value_with "$METRICS_TOPIC" many-zeros)" '290000000000000000.*590000000000000000610000000000000000'

# P2: nothing to store
stored=$(for topic in "$TRACES_TOPIC" "$METRICS_TOPIC" "$LOGS_TOPIC"; do record_count "$topic"; done | xargs)
for signal in Spans Metrics Logs; do
	path=/v1/${signal,}
	[ $signal != Spans ] || path=/v1/traces
	taken "$signal: an empty object" "$path" '{}'
	taken "$signal: an empty list" "$path" "{\"resource$signal\":[]}"
	refused "$signal: no byte" "$path" '' 'the JSON ends too early \(byte 0\)'
	refused "$signal: another signal" "$path" "{\"resource${signal/#*/Profiles}\":[],\"resource$([ $signal = Logs ] && echo Spans || echo Logs)\":[{}]}" \
		'resource(Spans|Logs): a member of another signal'
done
# refused
refused "no JSON" /v1/logs 'hello' 'expected an object \(byte 0\)'
refused "bytes behind" /v1/logs '{}x' 'bytes behind the JSON value \(byte 2\)'
refused "a trailing comma" /v1/logs '{"resourceLogs":[],}' 'expected a member name'
refused "P12: a member twice" /v1/traces "$(span '"traceState":"a","trace_state":"a"')" '.*spans\[0\].traceState: this member comes twice'
refused "P12: half a name of an enumeration" /v1/traces "$(span '"kind":"SERVER"')" '.*spans\[0\].kind: no value of this enumeration'
refused "P13: over 63 bits" /v1/logs "$(record '"body":{"intValue":9223372036854775808}')" '.*body.intValue: not an integer, or out of range'
refused "an id of 31 digits" /v1/traces "$(span '"traceId":"5b8efff798038103d269b633813fc60"')" '.*traceId: a trace id must be 32 hex digits'
refused "P10: a name cut inside a character" /v1/traces "$(span '"name":"\ud83d"')" '.*name: lone surrogate'
refused "lists of before scopes" /v1/traces '{"resourceSpans":[{"instrumentationLibrarySpans":[{"spans":[{"name":"lost"}]}]}]}' \
	'.*instrumentationLibrary without scopes'
deep() { python3 -c 'import sys; n = int(sys.argv[1]); print("{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{" +
	"\"arrayValue\":{\"values\":[{" * n + "}]}" * n + "}}]}]}]}", end="")' "$1"; }
taken "P9: 63 messages" /v1/logs "$(deep 29)"
refused "P9: 65 messages" /v1/logs "$(deep 30)" '.*too many nested messages'
deep 500000 >"$T/deep"
is "P9: a million" "$(request /v1/logs -H 'Content-Type: application/json' --data-binary "@$T/deep")" 400
{ printf '{"x":'; head -c 1000000 /dev/zero | tr '\0' '['; } >"$T/deep"
is "P9: a million brackets that nobody knows" "$(request /v1/logs -H 'Content-Type: application/json' --data-binary "@$T/deep")" 400
zeros too-many 9000000 >"$T/zeros"
is "what would grow over the limit is 413" "$(request /v1/metrics -H 'Content-Type: application/json' --data-binary "@$T/zeros")" 413
like "by its transcoded size" "$(jq -r .message "$T/reply")" hg-inflated-size
is "and nothing of all that is stored" "$(for topic in "$TRACES_TOPIC" "$METRICS_TOPIC" "$LOGS_TOPIC"; do record_count "$topic"; done | xargs)" \
	"$(awk '{print $1, $2, $3 + 1}' <<<"$stored")"	# the log of 63 messages

# ---- Obstack finds the signal by the member (compatibility.md 2) ----
is "Obstack: a body without a signal in its path" "$(json /ingest/otlp/v1 "$(record '"body":{"stringValue":"obstack"}')") $(cat "$T/reply")" '202 {}'
is "Obstack: is what its member says" "$(header "$(record_with "$RAW" obstack)" signal) $(header "$(record_with "$RAW" obstack)" format)" "logs otlp_proto"
is "Obstack: two signals are none" "$(json /ingest/otlp/v1 '{"resourceLogs":[{}],"resourceSpans":[{}]}') $(jq -r .detail "$T/reply")" \
	"400 signal cannot be determined: add /traces, /metrics or /logs"

is "the same workers live" "$(workers | xargs)" "$before"
for signal in traces metrics logs; do
	is "$signal: accepted is delivered" "$(count items_accepted $signal)" "$(count items_delivered $signal)"
done
finish
