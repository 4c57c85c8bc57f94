#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 13-payloads.sh -- what a body may hold: odd but legal ones arrive byte for byte with one stamp, broken, deep and swollen ones are refused
# by a worker that lives on. (Of each acceptance line the protobuf part; JSON: 16-otlp-json.sh.)
. "${0%/*}/lib.sh"
need kafka postgres python-otel

topics 2
tenant_add acme
TOKEN=$(token_add acme)
conf_base
headgate_start
known "$TOKEN"
declare -A TOPIC=([traces]=$TRACES_TOPIC [metrics]=$METRICS_TOPIC [logs]=$LOGS_TOPIC)
before=$(workers | xargs)
count() { metric "$1_total" "{tenant=\"acme\",signal=\"$2\"}"; }

# send_all FILE...: each to the path of its signal (STATUS.SIGNAL.NAME), one connection; "STATUS FILE" of what came back
send_all()
{
	local file signal next=''
	for file; do
		signal=${file##*/[0-9][0-9][0-9].}
		printf '%s' "$next"
		next=$'next\n'
		printf 'url = "%s/v1/%s"\ndata-binary = "@%s"\nheader = "Authorization: Bearer %s"\nheader = "Content-Type: application/x-protobuf"\n' \
			"$URL" "${signal%%.*}" "$file" "$TOKEN"
		printf 'output = "%s.reply"\nwrite-out = "%%{http_code} %s\\n"\n' "$file" "${file##*/}"
	done >"$T/curlrc"
	curl -sS --max-time 60 -K "$T/curlrc" | sort
}
# what send_all should have said: each file's name begins with it
told() { for file in "${@##*/}"; do echo "${file%%.*} $file"; done | sort; }
# hex_lines FILE...: the bytes of each as one line of hex
hex_lines() { python3 -c 'import sys; [print(open(name, "rb").read().hex()) for name in sys.argv[1:]]' "$@"; }

python3 "$WAY/tools/odd.py" "$T/odd"
# R3, R4, P9, P10, P11: stored
for signal in traces logs metrics; do
	files=()
	for file in "$T/odd/200.$signal."*; do [[ $file = *.want ]] || files+=("$file"); done
	is "$signal: ${#files[@]} odd but legal bodies are accepted" "$(send_all "${files[@]}")" "$(told "${files[@]}")"
	records "${TOPIC[$signal]}" >"$T/records"
	is "$signal: one record of each" "$(wc -l <"$T/records")" ${#files[@]}
	hex_lines "${files[@]/%/.want}" | sort >"$T/want"
	jq -r .value "$T/records" | sort >"$T/got"
	missing=$(comm -23 "$T/want" "$T/got")
	[ -z "$missing" ] || paste -d' ' <(hex_lines "${files[@]/%/.want}") <(printf '%s\n' "${files[@]##*/}") | grep -F "$missing" | cut -d' ' -f2 |
		while read -r file; do note "not as wanted: $file"; done
	is "$signal: byte for byte with one stamp, the client's own taken out" "$(cut -c1-400 <<<"$missing")" ""
	decoded <"$T/records" >"$T/decoded"
	is "$signal: a stock decoder reads each, with our tenant alone in each resource" \
		"$(jq -c 'select(.tenants != [.resources[] | "acme"])' "$T/decoded")" ""
	values "${TOPIC[$signal]}" "$T/values-$signal"
	ok "$signal: so does protobuf-c" pbdump $signal "$T/values-$signal/"*
done
accepted=${#files[@]}	# of metrics
# P9: packed, unpacked and mixed are one item each; P10
is "each item was counted once" "$(count items_accepted metrics)" $((accepted + 1))	# two-envelopes holds two
is "each mended log record is counted" "$(count items_repaired logs)" 3
is "and nothing else was mended" "$(count items_repaired traces) $(count items_repaired metrics)" "0 0"
# 13 of the removals are the client's tenant, one of them twice, each in two forms; two-resources has two, two-envelopes one
is "each forged tenant is counted" "$(count items_spoofed logs)" $((2 * 14 + 2 + 1))

# P9, P10, F44: refused
for signal in traces metrics logs; do
	stored=$(record_count "${TOPIC[$signal]}")
	files=("$T/odd/400.$signal."*)
	is "$signal: ${#files[@]} broken or too deep bodies are refused" "$(send_all "${files[@]}")" "$(told "${files[@]}")"
	is "$signal: and nothing of them is stored" "$(record_count "${TOPIC[$signal]}")" "$stored"
	is "$signal: each is told what is wrong, and where" "$(grep -aLE 'hg-invalid: .+' "$T/odd/400.$signal."*.reply | xargs)" ""
done
for file in "$T/odd/400.logs.depth-1000000" "$T/odd/400.logs.nested-of-42-kb"; do
	gzip -c "$file" >"$T/body"
	is "${file##*/400.} as gzip is refused" "$(post /v1/logs "$T/body" -H 'Content-Encoding: gzip')" 400
done
is "the same workers live" "$(workers | xargs)" "$before"

# P7: a bomb
head -c $((64 * 1024 * 1024 + 1)) /dev/zero | gzip -9 >"$T/bomb"
ok "the bomb is small" test "$(wc -c <"$T/bomb")" -lt 70000
for signal in traces metrics logs; do
	is "$signal: 66 kB that inflate past 64 MiB are refused" "$(post /v1/$signal "$T/bomb" -H 'Content-Encoding: gzip')" 413
	ok "$signal: by what they inflate to" grep -aq 'hg-inflated-size' "$T/reply"
done
peak() { for pid in $(workers); do awk '$1 == "VmHWM:" {print $2}' "/proc/$pid/status"; done | sort -n | tail -n 1; }
now() { for pid in $(workers); do rss "$pid"; done | sort -n | tail -n 1; }
base=$(now)
ok "a worker never took more than its budget for it" test "$(peak)" -lt $((base + 256 * 1024))
head -c $((64 * 1024 * 1024 - 4096)) /dev/zero | gzip -9 >"$T/body"
is "below the limit it is the content that is judged" "$(post /v1/logs "$T/body" -H 'Content-Encoding: gzip')" 400

# F43: a gzip body that is not what it says
otlp logs -m zipped -z -o "$T/zipped"
python3 - "$T" <<'END'
import sys
zipped = open(f"{sys.argv[1]}/zipped", "rb").read()
cases = {"cut": zipped[:-9], "cut-in-trailer": zipped[:-1], "one-byte": zipped[:1], "wrong-crc": zipped[:-8] + bytes([zipped[-8] ^ 1]) + zipped[-7:],
         "wrong-size": zipped[:-4] + b"\xff\xff\xff\x7f", "small-size": zipped[:-4] + bytes(4), "another-method": zipped[:2] + b"\x07" + zipped[3:],
         "a-member-cut": zipped + zipped[:-9], "zeros-behind": zipped + bytes(8)}
for name, body in cases.items():
    open(f"{sys.argv[1]}/gzip-{name}", "wb").write(body)
END
for file in "$T"/gzip-*; do
	is "F43: ${file##*/} is no gzip" "$(post /v1/logs "$file" -H 'Content-Encoding: gzip')" 400
done
gzip -c "$T/zipped" >"$T/body"
is "gzip in gzip is undone once" "$(post /v1/logs "$T/body" -H 'Content-Encoding: gzip')" 400
is "none of it is stored" "$(records "$LOGS_TOPIC" | grep -c "$(hex zipped)")" 0
is "as it should be it is" "$(post /v1/logs "$T/zipped" -H 'Content-Encoding: gzip') $(records "$LOGS_TOPIC" | grep -c "$(hex zipped)")" "200 1"
like "a chunk beyond the limit on the wire is refused by its size" "$(raw --text "POST /v1/logs HTTP/1.1\\r\\nHost: x\\r\\nAuthorization: Bearer $TOKEN\\r\\nContent-Type: application/x-protobuf\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n4000001\\r\\n" 2>/dev/null |
	LC_ALL=C tr -d '\r' | head -n 1)" '^HTTP/1.1 413 '

# F45: little that becomes much
python3 - "$T" <<'END'
import sys
empty = lambda tag: bytes((tag, 0)) * (2 << 20)
varint = lambda n: bytes((n & 127 | 128, n >> 7 & 127 | 128, n >> 14 & 127 | 128, n >> 21))
for name, body in (("resources", empty(0x0A)), ("scopes", b"\x0a" + varint(4 << 20) + empty(0x12)),
                   ("unknown", b"\x0a" + varint(4 << 20) + empty(0x7A))):
    open(f"{sys.argv[1]}/many-{name}", "wb").write(body)
END
base=$(now)
like "4 MiB of empty resources are refused" "$(post /v1/logs "$T/many-resources")" '^4(00|13)$'
ok "by their number" grep -aq 'hg-count' "$T/reply"
like "4 MiB of empty messages are nothing to store, or refused" "$(post /v1/logs "$T/many-scopes")" '^(200|400|413)$'
like "4 MiB of empty unknown fields too" "$(post /v1/logs "$T/many-unknown")" '^(200|400|413)$'
ok "and no worker grows by more than 8 times a body" test "$(now)" -le $((base + 8 * 4096))

# P2, F46: nothing in the body, or nothing said of it
: >"$T/empty"
stored=$(for signal in traces metrics logs; do record_count "${TOPIC[$signal]}"; done | xargs)
printf '\n\0\n\0' >"$T/hollow"	# two resources, nothing in them
for signal in traces metrics logs; do
	is "$signal: 0 bytes are accepted" "$(post /v1/$signal "$T/empty")|$(wc -c <"$T/reply")|$(reply_header Content-Type)" "200|0|application/x-protobuf"
	is "$signal: 0 chunks too" "$(post /v1/$signal "$T/empty" -H 'Transfer-Encoding: chunked')" 200
	is "$signal: envelopes without an item too" "$(post /v1/$signal "$T/hollow")" 200
	is "$signal: 0 bytes of gzip are no gzip" "$(post /v1/$signal "$T/empty" -H 'Content-Encoding: gzip')" 400
	is "$signal: a wrong type is unsupported" "$(request /v1/$signal -H 'Content-Type: text/plain' --data-binary "@$T/empty")" 415
	is "$signal: so is none, and a malformed one" "$(request /v1/$signal -H 'Content-Type:' --data-binary "@$T/empty")$(request /v1/$signal \
		-H 'Content-Type: application/x-protobuf; charsetutf-8' --data-binary "@$T/empty")" 415415
	is "$signal: a list of codings too" "$(post /v1/$signal "$T/empty" -H 'Content-Encoding: gzip, gzip')$(post /v1/$signal "$T/empty" \
		-H 'Content-Encoding: gzip' -H 'Content-Encoding: gzip')" 415415
	is "$signal: two types are a malformed head" "$(post /v1/$signal "$T/empty" -H 'Content-Type: application/x-protobuf')" 400
done
is "nothing of all that is stored" "$(for signal in traces metrics logs; do record_count "${TOPIC[$signal]}"; done | xargs)" "$stored"
is "and the same workers live" "$(workers | xargs)" "$before"

# P10: strict logs
conf protocols.otlp.utf8_logs=strict protocols.otlp.utf8=repair
ok "a reload is taken" headgate_switch
is "with utf8_logs: strict a cut log is refused" "$(post /v1/logs "$T/odd/200.logs.mended-cut")" 400
is "with utf8: repair a cut name is mended" "$(post /v1/traces "$T/odd/400.traces.text-in-a-name")" 200
is "and stored so" "$(records "$TRACES_TOPIC" | grep -c "$(hex $'caf\uFFFD')")" 1
is "and counted" "$(count items_repaired traces)" 1

# conservation, at rest
for signal in traces metrics logs; do
	is "$signal: accepted is delivered" "$(count items_accepted $signal)" "$(count items_delivered $signal)"
	is "$signal: nothing is in flight" "$(metric items_in_flight "{tenant=\"acme\",signal=\"$signal\"}")" 0
done
at_rest() { [ "$(metric kafka_queue_bytes) $(metric kafka_queue_messages) $(metric requests_in_flight '{route="otlp_logs"}')" = "0 0 0" ]; }
ok "no byte of the budget is held by anybody" wait_until 10s at_rest
finish
