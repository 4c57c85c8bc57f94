#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 35-obstack.sh -- the paths of Obstack: OTLP with and without a signal in the path, remote_write; one topic whose headers tell what a record
# is; one answer to every bad credential; 503 while brokers are away (compatibility.md 2: A1 to A7, A10 to A13)
. "${0%/*}/lib.sh"
need broker postgres

certs
kafka_start own
topics 2
RAW=$NAME-raw
topic create "$KAFKA_BROKERS" "$RAW" 2 || bail "can't create the topic $RAW"
tenant_add acme
tenant_add other
tenant_add asleep state=suspended
good=$(token_add acme)
NARROW=$(token_add acme "" "scopes => '{logs:write}'")
SUSPENDED=$(token_add asleep)
REVOKED=$(token_add acme)
token_revoke "$REVOKED"
FOREIGN=$(token_add acme 'a foreign key: 100%')
TOKEN=$good

# ---- off by default ----
instance off
conf_base discard file 1
tenants_file "acme:$good"
headgate_start
known "$good"
for path in otlp/v1/traces otlp/v1/metrics otlp/v1/logs otlp/v1 prometheus/v1/write; do
	is "/ingest/$path is not there unless enabled" "$(request "/ingest/$path" -d x)" 404
done

instance hg
conf_base tls kafka postgres 2
conf protocols.obstack.enabled=true "protocols.obstack.topic=$RAW" kafka.ack_deadline=3s "log.access_file=$HG_DIR/access.log" record.headers=all
headgate_start
known "$good"
TOKEN=''
key() { echo "X-Obstack-Auth-Token: $1"; }
mkdir "$T/said"	# every reply, for the search at the end
# ask PATH FILE [CURL-OPTION]...: the status; no credential but one that is given
ask()
{
	request "/ingest/$1" -H "Content-Type: ${TYPE-application/x-protobuf}" --data-binary "@$2" "${@:3}"
	cat "$T/reply.head" "$T/reply" >>"$T/said/replies"
}
last() { records "$RAW" | jq -c -s 'max_by(.headers[] | select(.[0] == "headgate-received-ms") | .[1])'; }	# the youngest record
told() { header "$1" X-Scope-OrgID; header "$1" tenant_id; header "$1" signal; header "$1" format; header "$1" content-type; header "$1" headgate-route; }
# of RECORD: every value of an attribute tenant_id
tenants_of() { jq -r .value <<<"$1" | unhex | python3 -c '
import re, sys
print(*re.findall("\x0a\x09tenant_id\x12.\x0a.([a-z]+)", sys.stdin.buffer.read().decode("latin-1"), re.S))'; }

# ---- OTLP; A1, A5, A7 ----
declare -A ROUTE=([traces]=obstack_traces [metrics]=obstack_metrics [logs]=obstack_logs)
stored=0
for signal in traces metrics logs; do
	otlp $signal -n 2 --resources 3 -m "named-$signal" -r tenant_id=evil --again tenant_id=worse -o "$T/$signal"
	is "A1: $signal with its name in the path is 202" "$(ask otlp/v1/$signal "$T/$signal" -H "$(key "$good")")" 202
	is "$signal: with the body and type of OTLP's success" "$(wc -c <"$T/reply") $(reply_header Content-Type) $(reply_header Content-Length)" \
		"0 application/x-protobuf 0"
	record=$(last)
	is "A7: $signal: its headers tell tenant, signal, format and type" "$(told "$record" | xargs)" \
		"acme acme $signal otlp_proto application/x-protobuf ${ROUTE[$signal]}"
	is "A5: $signal: each resource has one tenant_id, the token's tenant" "$(tenants_of "$record" | tr ' ' '\n' | sort | uniq -c | xargs)" "3 acme"
	jq -r .value <<<"$record" | unhex >"$T/value"
	is "$signal: a decoder reads what was sent" "$(pbdump $signal "$T/value" | grep -c "named-$signal")" "$(pbdump $signal "$T/$signal" | grep -c "named-$signal")"
	is "A1: $signal without it too" "$(ask otlp/v1 "$T/$signal" -H "$(key "$good")")" 202
	record=$(last)
	is "$signal: the body told it" "$(told "$record" | xargs)" "acme acme $signal otlp_proto application/x-protobuf obstack_otlp"
	is "$signal: and the value is the same" "$(jq -r .value <<<"$record")" "$(od -An -v -tx1 <"$T/value" | tr -d ' \n')"
	stored=$((stored + 2))
done
is "the trailing slash is none" "$(ask otlp/v1/ "$T/logs" -H "$(key "$good")")" 202
gzip -k "$T/traces"
is "gzip is undone first" "$(ask otlp/v1 "$T/traces.gz" -H "$(key "$good")" -H 'Content-Encoding: gzip')" 202
stored=$((stored + 2))
is "all of it is in one topic" "$(record_count "$RAW")" "$stored"
is "and in no other" "$(for each in "$TRACES_TOPIC" "$METRICS_TOPIC" "$LOGS_TOPIC"; do record_count "$each"; done | xargs)" "0 0 0"
: >"$T/empty"
is "an empty body is 202" "$(ask otlp/v1 "$T/empty" -H "$(key "$good")") $(reply_header Content-Type)" "202 application/x-protobuf"
printf '\n\0\n\2\n\0' >"$T/hollow"
is "so is one of envelopes alone" "$(ask otlp/v1 "$T/hollow" -H "$(key "$good")")" 202

# ---- the same in JSON; A1 ----
one='{"resource":{"attributes":[{"key":"tenant_id","value":{"stringValue":"evil"}}]},'
json_traces='{"resourceSpans":['$one'"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"s"}]}]}]}'
json_metrics='{"resourceMetrics":['$one'"scopeMetrics":[{"metrics":[{"name":"m","gauge":{"dataPoints":[{"asInt":"1"}]}}]}]}]}'
json_logs='{"resourceLogs":['$one'"scopeLogs":[{"logRecords":[{"body":{"stringValue":"no time, no id"}}]}]}]}'
for signal in traces metrics logs; do
	name=json_$signal
	printf '%s' "${!name}" >"$T/json"
	for path in otlp/v1/$signal otlp/v1; do
		is "A1: $signal in JSON at $path is 202" "$(TYPE='application/json; charset=utf-8' ask $path "$T/json" -H "$(key "$good")")" 202
		is "$signal: with the body and type of OTLP's success" "$(cat "$T/reply") $(reply_header Content-Type)" "{} application/json"
		record=$(last)
		is "A7: $signal: a record like the others" "$(header "$record" signal) $(header "$record" format) $(header "$record" content-type)" \
			"$signal otlp_proto application/x-protobuf"
		is "A5: $signal: with the token's tenant" "$(tenants_of "$record")" acme
		stored=$((stored + 1))
	done
done
printf '{}' >"$T/json"
is "an empty object is 202" "$(TYPE=application/json ask otlp/v1 "$T/json" -H "$(key "$good")") $(cat "$T/reply")" "202 {}"
for odd in '{"resourceSpans":[],"resourceLogs":[]}' '{"resources":[]}'; do
	printf '%s' "$odd" >"$T/json"
	is "$odd has no signal" "$(TYPE=application/json ask otlp/v1 "$T/json" -H "$(key "$good")") $(cat "$T/reply")" \
		'400 {"detail":"signal cannot be determined: add /traces, /metrics or /logs","type":"validation_error"}'
done
is "what JSON made is in the one topic too" "$(record_count "$RAW")" "$stored"

# ---- remote_write; A2, A6 ----
python3 - "$T" <<'END'
import struct, sys
def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])
def field(number, body):
    return varint(number << 3 | 2) + varint(len(body)) + body
def block(body):    # of literals alone
    out = varint(len(body))
    for i in range(0, len(body), 60):
        part = body[i:i + 60]
        out += bytes([len(part) - 1 << 2]) + part
    return out
def sample(value):
    return b"\x09" + struct.pack("<d", value) + b"\x10" + varint(1764000000000)
def series(labels):
    return field(1, b"".join(field(1, field(1, n) + field(2, v)) for n, v in labels) + field(2, sample(1.5)))
labels = [(b"__name__", b"up"), (b"tenant_id", b"evil"), (b"zone", b"b")], [(b"zone", b"a"), (b"__name__", b"down")]
v1 = b"".join(series(each) for each in labels)
symbols = [b"", b"__name__", b"up", b"tenant_id", b"evil", b"zone", b"b"]
v2 = b"".join(field(4, each) for each in symbols)
v2 += field(5, field(1, bytes([1, 2, 3, 4, 5, 6])) + field(2, sample(2.5)))
v2 += field(5, field(1, bytes([1, 2, 5, 6])) + field(2, sample(3.5)) + field(2, sample(4.5)))
for name, body in (("rw1", v1), ("rw2", v2)):
    open(f"{sys.argv[1]}/{name}", "wb").write(block(body))
END
written() { for each in Samples Histograms Exemplars; do reply_header "X-Prometheus-Remote-Write-$each-Written"; done | xargs; }
series() { python3 "$ROOT/tests/clients/remote_write.py" <<<"$1" | jq -c .labels | sort | xargs -d '\n'; }
V2='application/x-protobuf;proto=io.prometheus.write.v2.Request'
is "A2: remote_write 1.0 is 202" "$(ask prometheus/v1/write "$T/rw1" -H "$(key "$good")" -H 'Content-Encoding: snappy')" 202
is "without a body and without counts" "$(wc -c <"$T/reply")|$(reply_header Content-Type)|$(written)" "0||"
record=$(last)
is "A7: its headers tell tenant, signal, format and type" "$(told "$record" | xargs)" \
	"acme acme metrics prom_rw1 application/x-protobuf;proto=prometheus.WriteRequest obstack_write"
is "A6: each series has one tenant_id, the token's tenant, and its labels are sorted" "$(series "$record")" \
	'[["__name__","down"],["tenant_id","acme"],["zone","a"]] [["__name__","up"],["tenant_id","acme"],["zone","b"]]'
is "A2: remote_write 2.0 is 202" "$(TYPE=$V2 ask prometheus/v1/write "$T/rw2" -H "$(key "$good")" -H 'Content-Encoding: snappy')" 202
is "and says what was written" "$(wc -c <"$T/reply")|$(written)" "0|3 0 0"
record=$(last)
is "A7: 2.0: the headers tell it" "$(told "$record" | xargs)" \
	"acme acme metrics prom_rw2 application/x-protobuf;proto=io.prometheus.write.v2.Request obstack_write"
is "A6: 2.0: one tenant_id, sorted" "$(series "$record")" \
	'[["__name__","up"],["tenant_id","acme"],["zone","b"]] [["__name__","up"],["tenant_id","acme"],["zone","b"]]'
stored=$((stored + 2))

# ---- credentials; A3, A4, A12 ----
UNKNOWN=$(token_new)
unauthorized='{"detail":"Authentication failed","type":"http_exception"}'
# refused SENTENCE [CURL-OPTION]...: the same 401 on each path
refused()
{
	local path answers=''
	for path in otlp/v1/logs otlp/v1 prometheus/v1/write; do
		answers+="$(ask $path "$T/logs" "${@:2}") $(cat "$T/reply") $(reply_header Content-Type) $(reply_header WWW-Authenticate)"$'\n'
	done
	is "A3: $1 is 401, in the same bytes" "$(sort -u <<<"${answers%$'\n'}")" "401 $unauthorized application/json Bearer"
}
refused "no credential"
refused "an empty one" -H 'X-Obstack-Auth-Token;'
refused "an unknown one" -H "$(key "$UNKNOWN")"
refused "one that is no token of ours" -H "$(key nothing-we-know)"
refused "a revoked one" -H "$(key "$REVOKED")"
refused "that of a suspended tenant" -H "$(key "$SUSPENDED")"
refused "a wrong Bearer" -H "Authorization: Bearer $UNKNOWN"
refused "a good Bearer beside an empty header" -H "Authorization: Bearer $good" -H 'X-Obstack-Auth-Token;'
refused "a good Bearer beside another token" -H "Authorization: Bearer $good" -H "$(key "$FOREIGN")"
refused "A4: the header twice, even equal" -H "$(key "$good")" -H "$(key "$good")"
refused "A4: twice in two cases" -H "$(key "$good")" -H "x-obstack-auth-token: $good"
is "no bad credential made a record" "$(record_count "$RAW")" "$stored"
for name in x-obstack-auth-token X-OBSTACK-AUTH-TOKEN x-Obstack-aUTH-tOKEN; do
	is "A4: $name is the header too" "$(ask otlp/v1/logs "$T/logs" -H "$name: $good")" 202
done
is "a foreign token is one" "$(ask otlp/v1/logs "$T/logs" -H "$(key "$FOREIGN")")" 202
is "without the header Authorization: Bearer is read" "$(ask otlp/v1/logs "$T/logs" -H "Authorization: Bearer $good")" 202
is "the same token in both is one" "$(ask otlp/v1/logs "$T/logs" -H "Authorization: Bearer $good" -H "$(key "$good")")" 202
stored=$((stored + 6))
is "a token without the scope of the path is 403" "$(ask otlp/v1/traces "$T/traces" -H "$(key "$NARROW")") $(cat "$T/reply")" \
	"403 {\"detail\":\"token '$(token_id "$NARROW")' lacks scope traces:write\",\"type\":\"http_exception\"}"
is "so is one without the scope of what the body turned out to be" "$(ask otlp/v1 "$T/metrics" -H "$(key "$NARROW")") $(cat "$T/reply")" \
	"403 {\"detail\":\"token '$(token_id "$NARROW")' lacks scope metrics:write\",\"type\":\"http_exception\"}"
late() { jq -se --arg id "$(reply_header X-Request-Id)" 'any(.[]; .request_id == $id and .verdict == "hg-scope" and .stage == "enrich")' "$HG_DIR/audit.log"; }
ok "which the audit tells" wait_until 10s late
is "with it it is 202" "$(ask otlp/v1 "$T/logs" -H "$(key "$NARROW")")" 202
stored=$((stored + 1))

# ---- what is refused; A10 ----
detail() { jq -er 'select(keys == ["detail", "type"]) | "\(.type) \(.detail)"' "$T/reply"; }
printf '\n\377' >"$T/bad"
for path in otlp/v1/traces otlp/v1/metrics otlp/v1/logs prometheus/v1/write; do
	is "A10: bad bytes at $path are 400" "$(ask $path "$T/bad" -H "$(key "$good")") $(reply_header Content-Type)" "400 application/json"
	like "A10: $path: with a detail" "$(detail)" '^validation_error .+'
done
is "a body of no signal is 400" "$(ask otlp/v1 "$T/bad" -H "$(key "$good")")" 400
is "with what to do" "$(cat "$T/reply")" '{"detail":"signal cannot be determined: add /traces, /metrics or /logs","type":"validation_error"}'
printf '\n\4\22\2\22\0' >"$T/both"	# an item without a field: a span, or a log record
is "so is one that may be of two" "$(ask otlp/v1 "$T/both" -H "$(key "$good")") $(detail)" \
	"400 validation_error signal cannot be determined: add /traces, /metrics or /logs"
is "2.0 says that nothing was written" "$(TYPE=$V2 ask prometheus/v1/write "$T/bad" -H "$(key "$good")") $(written)" "400 0 0 0"
for path in otlp/v1/logs otlp/v1 prometheus/v1/write; do
	is "A10: GET of $path is 405" "$(get "/ingest/$path" -H "$(key "$good")") $(reply_header Allow) $(detail | cut -d' ' -f1)" "405 POST http_exception"
	is "$path: another type is 415" "$(TYPE=text/plain ask $path "$T/logs" -H "$(key "$good")") $(detail | cut -d' ' -f1)" "415 http_exception"
	is "$path: another tenant's name is 403" "$(ask $path "$T/logs" -H "$(key "$good")" -H 'X-Scope-OrgID: other') $(detail | cut -d' ' -f1)" "403 http_exception"
	is "$path: two names are 400" "$(ask $path "$T/logs" -H "$(key "$good")" -H 'X-Scope-OrgID: acme' -H 'X-Scope-OrgID: acme') $(detail)" \
		"400 validation_error X-Scope-OrgID: multiple org IDs present"
	is "$path: a body beyond the limit is 413" "$(ask $path "$T/logs" -H "$(key "$good")" -H 'Content-Length: 99999999') $(detail | cut -d' ' -f1)" "413 http_exception"
done
is "nothing of all that is stored" "$(record_count "$RAW")" "$stored"

# ---- TLS; A13 ----
for version in 1.2 1.3; do
	is "A13: TLS $version works" "$(ask otlp/v1/logs "$T/logs" -H "$(key "$good")" "--tlsv$version" --tls-max $version)" 202
	stored=$((stored + 1))
done
ok "A13: TLS 1.1 is refused" fails openssl s_client -connect "$ADDRESS" -CAfile "$CA" -tls1_1 -cipher DEFAULT:@SECLEVEL=0 </dev/null

# ---- brokers away; A11 ----
expect_err 'mod=(sink_kafka|topics)'
before=$(workers | xargs)
kafka_stop own
for path in otlp/v1/traces otlp/v1/metrics otlp/v1/logs; do
	is "A11: without a broker $path is 503" "$(ask "$path" "$T/${path##*/}" -H "$(key "$good")") $(detail | cut -d' ' -f1)" "503 application_error"
	like "$path: it says when to come again" "$(reply_header Retry-After)" '^[1-5]$'
done
is "A11: so is the path without a signal" "$(ask otlp/v1 "$T/logs" -H "$(key "$good")") $(detail | cut -d' ' -f1)" "503 application_error"
is "A11: so is remote_write, and nothing is written" "$(TYPE=$V2 ask prometheus/v1/write "$T/rw2" -H "$(key "$good")" -H 'Content-Encoding: snappy') $(written)" "503 0 0 0"
kafka_restart own
back() { [ "$(ask otlp/v1 "$T/traces" -H "$(key "$good")")" = 202 ]; }
ok "A11: with it back bodies are accepted" wait_until 60s back
is "by the same workers" "$(workers | xargs)" "$before"

# ---- secrets; A12 ----
leaked()
{
	local secret
	records "$RAW" >"$T/said/records"
	cp "$HG_LOG" "$HG_DIR/access.log" "$HG_DIR/audit.log" "$T/said"
	for secret in "$good" "$NARROW" "$SUSPENDED" "$REVOKED" "$FOREIGN" "$UNKNOWN"; do
		grep -rlaF -e "$secret" -e "$(hex "$secret")" "$T/said"
	done
}
is "A12: no token is in a log, a header, a record or a reply" "$(leaked)" ""
ok "and there was something to look at" test "$(grep -aci '^X-Request-Id: ' "$T/said/replies")" -gt 60
finish
