#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 38-loki.sh -- Loki pushes to a real topic: JSON and protobuf store the same, in every coding; labels carry the tenant and no forged one;
# what Loki would refuse is refused in its words (P3, P6 to P8, P10, P18 to P20; PC7; R1, R6, R26)
. "${0%/*}/lib.sh"
need kafka

topics 2
TOKEN=$(token_new)
tenants_file "acme:$TOKEN"
conf_base kafka file 2
headgate_start
known "$TOKEN"
before=$(workers | xargs)
PUSH=/loki/api/v1/push LEGACY=/api/prom/push
JSON='Content-Type: application/json' PROTOBUF='Content-Type: application/x-protobuf'

loki() { python3 "$WAY/tools/loki.py" "$@"; }
# send PATH FILE [CURL-OPTION]...	without a type of its own
send() { request "$1" --data-binary "@$2" "${@:3}"; }
# push BODY [CURL-OPTION]...	a text to the modern path; the status
push() { printf %s "$1" >"$T/body"; send $PUSH "$T/body" -H "$JSON" "${@:2}"; }
legacy() { printf %s "$1" >"$T/body"; send $LEGACY "$T/body" -H "$JSON"; }
# stored_now		what came since the last time, decoded, one line each, sorted
seen=0
stored_now()
{
	records "$LOKI_TOPIC" >"$T/records"
	loki decode <"$T/records" | sort >"$T/decoded"
	comm -13 "$T/decoded.before" "$T/decoded" 2>/dev/null || cat "$T/decoded"
	cp "$T/decoded" "$T/decoded.before"
}
now_stored() { stored_now >"$T/now"; }
# one STREAM VALUES	Loki JSON of one stream
one() { printf '{"streams":[{"stream":%s,"values":%s}]}' "$1" "$2"; }

# ---- both encodings store the same (P18, R6) ----
text='{"streams":[{"stream":{"z":"1","foo":"bar"},"values":[["1700000000000000001","one"],["1700000000123456789","two\n\"q\"",{"trace_id":"0af","k":"a\nb"}]]},{"stream":{"app":"é"},"values":[["-1",""]]}]}'
is "JSON is 204" "$(push "$text")" 204
is "its reply is empty" "$(wc -c <"$T/reply")" 0
now_stored
want='[["{foo=\"bar\", tenant_id=\"acme\", z=\"1\"}",[["1700000000000000001","one",{}],["1700000000123456789","two\n\"q\"",{"trace_id":"0af","k":"a\nb"}]]],["{app=\"é\", tenant_id=\"acme\"}",[["-1","",{}]]]]'
is "streams, times, lines and metadata are stored, labels with the tenant" "$(cat "$T/now")" "$want"
one=$(head -n 1 "$T/records")
is "the record's key is the tenant" "$(jq -r .key "$T/records")" "$(hex acme)"
is "its headers" "$(for each in X-Scope-OrgID tenant_id signal format content-type; do header "$one" $each; done | xargs)" \
	"acme acme logs loki_proto application/x-protobuf"
loki encode -o "$T/push" '[["{foo=\"bar\", z=\"1\"}",[["1700000000000000001","one"],["1700000000123456789","two\n\"q\"",{"trace_id":"0af","k":"a\nb"}]]],["{app=\"é\"}",[["-1",""]]]]'
printf %s "$text" >"$T/text"
: >"$T/decoded.before"
for each in "$PUSH" "$LEGACY"; do
	is "protobuf to $each is 204" "$(send "$each" "$T/push" -H "$PROTOBUF")" 204
done
is "and to the same with a slash behind it" "$(send "$PUSH/" "$T/push" -H "$PROTOBUF" -H 'Content-Encoding: snappy')" 204
is "any other type is protobuf" "$(send "$PUSH" "$T/push" -H 'Content-Type: text/plain')" 204
now_stored
is "they store what JSON stored" "$(sort -u "$T/now")" "$want"
is "each once" "$(wc -l <"$T/now")" 5

# ---- codings (P8) ----
loki encode --plain '[["{a=\"b\"}",[["1","x"]]]]' >"$T/plain"
: >"$T/decoded.before"
sent=5
for name in push text; do
	type=$PROTOBUF
	[ $name = push ] || type=$JSON
	gzip -c "$T/$name" >"$T/$name.gzip"
	python3 -c 'import sys, zlib; d = open(sys.argv[1], "rb").read(); open(sys.argv[1] + ".zlib", "wb").write(zlib.compress(d))
c = zlib.compressobj(wbits=-15); open(sys.argv[1] + ".raw", "wb").write(c.compress(d) + c.flush())' "$T/$name"
	for each in 'gzip gzip' 'zlib deflate' 'raw deflate'; do
		is "$name as ${each% *} is 204" "$(send $PUSH "$T/$name.${each% *}" -H "$type" -H "Content-Encoding: ${each#* }")" 204
		((++sent))
	done
done
is "snappy says nothing about JSON" "$(send $PUSH "$T/text" -H "$JSON" -H 'Content-Encoding: snappy')" 204
((++sent))
is "chunked gzip too" "$(send $PUSH "$T/text.gzip" -H "$JSON" -H 'Content-Encoding: gzip' -H 'Transfer-Encoding: chunked')" 204
((++sent))
now_stored
is "all store the same" "$(sort -u "$T/now")" "$want"
is "each once more" "$(wc -l <"$T/now")" $sent
for each in zlib lz4 'gzip, snappy'; do
	is "coding '$each' is 400, as Loki says it" "$(push "$text" -H "Content-Encoding: $each")" 400
	like "in its words" "$(cat "$T/reply")" "^hg-encoding: Content-Encoding \"$each\" not supported "
done
printf '\xff\x06\x00\x00sNaPpY' >"$T/framed"
is "a framed stream is 400" "$(send $PUSH "$T/framed" -H "$PROTOBUF")" 400
like "and named" "$(cat "$T/reply")" '^hg-inflate: .*snappy'
is "gzip bytes under snappy and JSON are 400" "$(send $PUSH "$T/text.gzip" -H "$JSON" -H 'Content-Encoding: snappy')" 400
printf x >>"$T/text.gzip"
is "a byte behind the last member is 400" "$(send $PUSH "$T/text.gzip" -H "$JSON" -H 'Content-Encoding: gzip')" 400
loki text 70000000 | gzip >"$T/bomb"
is "a bomb is 413" "$(send $PUSH "$T/bomb" -H "$JSON" -H 'Content-Encoding: gzip')" 413
like "in Loki's words" "$(cat "$T/reply")" '^hg-inflated-size: request body too large: '
printf '\xff\xff\xff\xff\x0f' >"$T/huge"
is "a block that declares 4 GiB is 413" "$(send $PUSH "$T/huge" -H "$PROTOBUF")" 413

# ---- types (P6) ----
for each in 'Content-Type;' 'Content-Type: application' 'Content-Type: application/json; charsetutf-8' 'Content-Type:'; do
	is "'$each' is 400" "$(send $PUSH "$T/text" -H "$each")" 400
	like "hg-type" "$(cat "$T/reply")" '^hg-type: '
done
is "application/jsonn is protobuf, and so 400" "$(send $PUSH "$T/text" -H 'Content-Type: application/jsonn')" 400
is "an empty body is 400" "$(push '')" 400
is "no Content-Length and not chunked: 411" "$(raw --text "POST $PUSH HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $TOKEN\r\n$JSON\r\nConnection: close\r\n\r\n" | sed -n '1s/.* \(...\) .*/\1/p')" 411
is "GET is 405" "$(get $PUSH)" 405

# ---- nothing to store (P18) ----
: >"$T/decoded.before"
now_stored
for each in '{}' '{"streams":[]}' '{"streams":null}'; do
	is "$each is 422" "$(push "$each")" 422
	like "with the exact text" "$(cat "$T/reply")" '^hg-empty: error at least one valid stream is required for ingestion \(request [0-9a-f]{32}\)$'
done
is "a protobuf without streams too" "$(printf '\0' >"$T/none"; send $PUSH "$T/none" -H "$PROTOBUF")" 422
is "a stream without values is 204" "$(push "$(one '{"a":"b"}' '[]')")" 204
is "values that are null too" "$(push "$(one '{"a":"b"}' '[null]')")" 204
is "neither stream nor values is 400" "$(push '{"streams":[{}]}')" 400
is "the legacy shape on the modern path is 400" "$(push '{"streams":[{"labels":"{a=\"b\"}","entries":[]}]}')" 400

# ---- the legacy shape ----
is "the legacy shape is 204" "$(legacy '{"streams":[{"labels":"{ job = \"x\" , }","entries":[{"ts":"2023-11-14T23:13:20.000000021+01:00","line":"old"}]}]}')" 204
now_stored
is "its label text stays but for the tenant" "$(cat "$T/now")" '[["{ job = \"x\", tenant_id=\"acme\" , }",[["1700000000000000021","old",{}]]]]'

# ---- the client's own tenant (R6) ----
is "a forged tenant in labels and metadata is 204" "$(push "$(one '{"z":"1","tenant\u005fid":"evil"}' '[["1","x",{"tenant_id":"evil","k":"v"}]]')")" 204
loki encode -o "$T/forged" '[["{tenant_id=`evil`, z=\"1\"}",[["1","x",{"tenant_id":"evil","k":"v"}]]]]'
is "in protobuf too" "$(send $PUSH "$T/forged" -H "$PROTOBUF")" 204
now_stored
is "and gone" "$(sort -u "$T/now")" '[["{tenant_id=\"acme\", z=\"1\"}",[["1","x",{"k":"v"}]]]]'
is "counted each" "$(metric items_spoofed_total '{tenant="acme",signal="logs"}')" 4

# ---- text cut inside a character (P10, R26) ----
is "a line cut inside a character is 204" "$(push "$(one '{"a":"b"}' '[["1","x\ud83d"]]')")" 204
is "and as bytes" "$(push "$(one '{"a":"b"}' $'[["1","x\xe2\x82"]]')")" 204
loki encode -o "$T/cut" '[["{a=\"b\"}",[["1","x\udce2\udc82"]]]]'
is "in protobuf" "$(send $PUSH "$T/cut" -H "$PROTOBUF")" 204
now_stored
is "the record has U+FFFD for each byte" "$(sort "$T/now")" "$(printf '[["{a=\\"b\\", tenant_id=\\"acme\\"}",[["1","x%s",{}]]]]\n' � �� �� | sort)"
is "each counts" "$(metric items_repaired_total '{tenant="acme",signal="logs"}')" 3

# ---- what is refused, in Loki's words (P20) ----
# refused TEXT REGEX	an entry is appended
refused()
{
	is "$1 is 400" "$(push "$1")" 400
	like "it says why" "$(cat "$T/reply")" "^hg-invalid: $2 \(request [0-9a-f]{32}\)$"
	ok "in one line of at most 512 bytes" test "$(wc -l <"$T/reply") $(($(wc -c <"$T/reply") <= 512))" = "1 1"
}
refused "$(one '{}' '[["1","x"]]')" 'error at least one label pair is required per stream'
refused "$(one '{"a":""}' '[["1","x"]]')" 'error at least one label pair is required per stream'
refused "$(one '{"a":"1","a":"2"}' '[["1","x"]]')" "stream '\{a=.*\}' has duplicate label name: 'a'"
refused "$(one '{"a":"b"}' '[[1,"x"]]')" 'streams\[0\]\.values\[0\]: a timestamp is a string of decimal nanoseconds \(byte 43\)'
refused "$(one '{"a":"b"}' '[["1",{}]]')" '.*a line is a string.*'
refused "$(one '{"a":"b"}' '[["1","x",{"a":{"b":"c"}}]]')" '.*structured metadata is a string.*'
refused "$(one '{"a":"b"}' '[["1"]]')" '.*an entry has 2 or 3 elements.*'
refused "$(one '{"a":"b"}' '[["1","x"]]')x" 'bytes behind the JSON value \(byte 55\)'
refused "$(one '{"a":"b"}' '[["1","x"]]' | tr '"' "'")" '.*expected a member name.*'
loki encode -o "$T/bad" '[["{a=\"b\"",[["1","x"]]]]'
is "a label text without its end is 400" "$(send $PUSH "$T/bad" -H "$PROTOBUF")" 400
like "couldn't parse labels" "$(cat "$T/reply")" "^hg-invalid: couldn't parse labels: expected ',' or '\}' \(byte 6 of '"
is "a good stream before a bad one is not stored" "$(push '{"streams":[{"stream":{"a":"b"},"values":[["1","x"]]},{"stream":{},"values":[["1","x"]]}]}')" 400
now_stored
is "nothing of them is" "$(cat "$T/now")" ""

# ---- X-Scope-OrgID and Basic (P19) ----
body=$(one '{"a":"b"}' '[["1","scoped"]]')
is "the tenant's own name" "$(push "$body" -H 'X-Scope-OrgID: acme')" 204
is "another one" "$(push "$body" -H 'X-Scope-OrgID: other')" 403
for each in a:b 'a|a' .. a/b "$(printf 'a%.0s' {1..151})"; do
	is "malformed: ${each:0:8}" "$(push "$body" -H "X-Scope-OrgID: $each")" 400
done
held=$TOKEN TOKEN=''
is "Basic, the token as password" "$(push "$body" -u ":$held")" 204
is "with the tenant as user" "$(push "$body" -u "acme:$held")" 204
is "with another user" "$(push "$body" -u "other:$held")" 403
is "no credential is 401 before the type is judged" "$(send $PUSH "$T/text" -H 'Content-Type: nonsense')" 401
TOKEN=$held

is "no worker was lost" "$(workers | xargs)" "$before"

# ---- the other ways to stamp ----
conf protocols.loki.stamp=structured_metadata
headgate_switch
now_stored
is "with the stamp in the entries: 204" "$(push "$(one '{"a":"b","tenant_id":"evil"}' '[["1","x",{"k":"v"}],["2","y"]]')")" 204
now_stored
is "each has it, and the labels do not" "$(cat "$T/now")" '[["{a=\"b\"}",[["1","x",{"k":"v","tenant_id":"acme"}],["2","y",{"tenant_id":"acme"}]]]]'
is "a stream of the tenant's label alone has none" "$(push "$(one '{"tenant_id":"evil"}' '[["1","x"]]')")" 400
conf record.enrich=header protocols.loki.utf8=strict
headgate_switch
is "in the headers alone: 204" "$(send $PUSH "$T/forged" -H "$PROTOBUF")" 204
records "$LOKI_TOPIC" >"$T/records"
loki encode --plain '[["{tenant_id=`evil`, z=\"1\"}",[["1","x",{"tenant_id":"evil","k":"v"}]]]]' | python3 -c 'import sys; print(sys.stdin.buffer.read().hex())' >"$T/want"
ok "the body is as it came" grep -qxF "$(cat "$T/want")" <(jq -r .value "$T/records")
is "utf8: strict is 400" "$(push "$(one '{"a":"b"}' '[["1","x\ud83d"]]')")" 400
conf protocols.loki.enabled=false
headgate_switch
is "protocols.loki.enabled: false is 404" "$(push "$body")" 404
finish
