#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 37-codings.sh -- a body in any coding of the page is the record that it is without one; what is cut, trailed by something or swollen is
# refused, within the budget, and nothing of it is stored (P6, P7, P8, F42, F43)
. "${0%/*}/lib.sh"
need kafka
topics
TOKEN=$(token_new)
tenants_file "acme:$TOKEN"
conf_base kafka file 1
conf "log.access_file=$HG_DIR/access.log"
headgate_start
known "$TOKEN"
before=$(workers)
declare -A TOPIC=([traces]=$TRACES_TOPIC [metrics]=$METRICS_TOPIC [logs]=$LOGS_TOPIC)
coded() { built coded "$@"; }
# NAME: the field's value | what tools/coded.c calls it
codings=('gzip|gzip' 'x-gzip|gzip' 'deflate|zlib' 'deflate|raw' 'zlib|zlib' 'zstd|zstd' 'ZSTD|zstd-unsized' 'snappy|snappy')
send() { post "/v1/$1" "$2" -H "Content-Encoding: $3" "${@:4}"; }
stored() { for signal in traces metrics logs; do record_count "${TOPIC[$signal]}"; done | xargs; }
# the id of the last refusal and, after it, why
because() { grep -aoE 'hg-[a-z-]+: [^(]*' "$T/reply" | sed 's/the body is no valid [a-z]*: //; s/ *$//'; }

# ---- P8: the same record, with a length and in chunks
for signal in traces metrics logs; do
	otlp $signal -n 40 -m "of-$signal" -r tenant_id=evil -o "$T/plain"
	is "$signal: plain is accepted" "$(post /v1/$signal "$T/plain")" 200
	for each in "${codings[@]}"; do
		coded "${each#*|}" <"$T/plain" >"$T/body"
		is "$signal: so is ${each%|*} (${each#*|})" "$(send $signal "$T/body" "${each%|*}")" 200
		is "$signal: and that in chunks" "$(send $signal "$T/body" "${each%|*}" -H 'Transfer-Encoding: chunked')" 200
	done
	records "${TOPIC[$signal]}" >"$T/records"
	is "$signal: the records are equal, byte for byte" "$(jq -r .value "$T/records" | sort | uniq -c | awk '{print $1}')" $((1 + 2 * ${#codings[@]}))
	is "$signal: and stamped" "$(jq -r .key "$T/records" | sort -u) $(jq -r .value "$T/records" | grep -c "$(hex tenant_id)..06..04$(hex acme)")" \
		"$(hex acme) $((1 + 2 * ${#codings[@]}))"
done
for name in identity gzip deflate zlib zstd snappy; do
	ok "bytes of $name are counted" test "$(metric request_bytes_total "{route=\"otlp_logs\",encoding=\"$name\"}")" -gt 0
done
size=$(wc -c <"$T/plain")
is "before and after" "$(metric request_decoded_bytes_total '{route="otlp_logs",encoding="zlib"}')" $((2 * size))
named() { [ "$(jq -r '.encoding // empty' "$HG_DIR/access.log" | sort -u | xargs)" = "deflate gzip identity snappy zlib zstd" ]; }
ok "the access log names each coding" wait_until 10s named

# ---- members and frames in a row; more than one is a body, or nothing is
half=$((size / 2))
for name in gzip zstd zstd-unsized; do
	otlp logs -n 40 -m "in-a-row" -o "$T/plain"
	{ head -c "$half" "$T/plain" | coded $name; printf '' | coded $name; tail -c +$((half + 1)) "$T/plain" | coded $name; } >"$T/body"
	is "$name: three in a row are one body" "$(send logs "$T/body" ${name%-*})" 200
done
{ printf '\x5f\x2a\x4d\x18\x04\0\0\0skip'; coded zstd <"$T/plain"; } >"$T/body"
is "zstd: a frame to be skipped is" "$(send logs "$T/body" zstd)" 200
is "each is the same record" "$(records "$LOGS_TOPIC" | jq -r .value | grep "$(hex in-a-row)" | sort | uniq -c | awk '{print $1}')" 4

# ---- F43: refused, and nothing stored
stored=$(stored)
otlp logs -n 3 -m refused -o "$T/plain"
: >"$T/none"
for each in "${codings[@]}"; do
	coded "${each#*|}" <"$T/plain" >"$T/whole"
	head -c -1 "$T/whole" >"$T/cut"
	head -c $(($(wc -c <"$T/whole") / 2)) "$T/whole" >"$T/half"
	{ cat "$T/whole"; printf '\0'; } >"$T/trailed"
	{ cat "$T/whole"; printf 'x%.0s' {1..100}; } >"$T/trailed-by-many"
	for what in none cut half trailed trailed-by-many plain; do
		is "${each%|*} (${each#*|}): $what is refused" "$(send logs "$T/$what" "${each%|*}") $(because | cut -d: -f1)" "400 hg-inflate"
	done
done
coded raw <"$T/plain" >"$T/body"
is "what is called zlib is wrapped" "$(send logs "$T/body" zlib)" 400
printf '\xff\x06\0\0sNaPpY\x01\x05\0\0\0\0\0\0x' >"$T/body"
is "a framed stream of snappy is no block" "$(send logs "$T/body" snappy)" 400
like "and that is said" "$(because)" '^hg-inflate: a framed stream'
coded gzip <"$T/plain" | coded gzip >"$T/body"
is "gzip in gzip is undone once" "$(send logs "$T/body" gzip) $(because | cut -d: -f1)" "400 hg-invalid"
for list in lz4 br compress x-snappy-framed 'gzip, zstd' 'zstd,zstd' 'deflate;q=1'; do
	is "$list is unsupported" "$(send logs "$T/body" "$list")" 415
done
is "so is a second field" "$(send logs "$T/body" gzip -H 'Content-Encoding: zstd')" 415

# ---- P7, F42: bombs
conf limits.worker_bytes=100MiB
ok "a reload is taken" headgate_switch
before=$(workers)
otlp logs -m first -o "$T/plain"
is "a first body" "$(post /v1/logs "$T/plain")" 200
base=$(rss "$before")
head -c $((64 * 1024 * 1024 + 1)) /dev/zero >"$T/zeros"
for each in "${codings[@]}"; do
	coded "${each#*|}" <"$T/zeros" >"$T/bomb"
	head -c -1 "$T/zeros" | coded "${each#*|}" >"$T/largest"
	note "${each#*|}: $(wc -c <"$T/bomb") bytes become 64 MiB and one"
	for signal in traces metrics logs; do
		is "$signal: a bomb of ${each%|*} (${each#*|}) is refused by its size" "$(send $signal "$T/bomb" "${each%|*}") $(because | cut -d: -f1)" "413 hg-inflated-size"
	done
	is "one byte less is judged" "$(send logs "$T/largest" "${each%|*}") $(because | cut -d: -f1)" "400 hg-invalid"
done
coded zstd <"$T/zeros" >"$T/bomb"
{ cat "$T/bomb" "$T/bomb"; coded zstd-unsized <"$T/zeros"; } >"$T/body"
is "bombs in a row too" "$(send logs "$T/body" zstd)" 413
for window in 24 31; do
	printf "\\x28\\xb5\\x2f\\xfd\\0\\x$(printf %x $(((window - 10) << 3)))\\x09\\0\\0x" >"$T/body"
	is "a window of 2^$window is refused" "$(send logs "$T/body" zstd)|$(because)" "400|hg-inflate: a window over 8 MiB"
done
printf '\x28\xb5\x2f\xfd\xc0\x50\0\0\0\0\x01\0\0\0\x09\0\0x' >"$T/body"
is "a frame that says 4 GiB and holds a byte is refused" "$(send logs "$T/body" zstd)" 400
printf '\xff\xff\xff\xff\x0f\0x' >"$T/body"
is "so is a block that says it" "$(send logs "$T/body" snappy)" 413
peak=$(awk '$1 == "VmHWM:" {print $2}' "/proc/$before/status")
note "resident before: $base KiB, at most: $peak KiB"
ok "the worker never took more than its budget for all of that" test "$peak" -le $((base + 100 * 1024))

# ---- remote_write: the block alone; vmagent's first try is zstd and must hear 415 (PC1)
printf '\x0a\x1d\x0a\x0e\x0a\x08__name__\x12\x02up\x12\x0b\x09\0\0\0\0\0\0\xf0\x3f\x10\x01' >"$T/plain"
for each in gzip\|gzip deflate\|zlib deflate\|raw zlib\|zlib zstd\|zstd; do
	coded "${each#*|}" <"$T/plain" >"$T/body"
	is "remote_write: ${each%|*} (${each#*|}) is unsupported" "$(post /api/v1/write "$T/body" -H "Content-Encoding: ${each%|*}" \
		-H 'X-VictoriaMetrics-Remote-Write-Version: 1')" 415
	is "remote_write: whatever the body" "$(post /api/v1/write "$T/none" -H "Content-Encoding: ${each%|*}")" 415
done
coded snappy <"$T/plain" >"$T/body"
is "remote_write: the same block as snappy is accepted" "$(post /api/v1/write "$T/body" -H 'Content-Encoding: snappy') $(record_count "$WRITE_TOPIC")" "204 1"

is "the same worker lives" "$(workers)" "$before"
is "nothing that was refused is stored" "$(stored)" "${stored% *} $((${stored##* } + 1))"
at_rest() { [ "$(metric kafka_queue_bytes) $(metric requests_in_flight '{route="otlp_logs"}')" = "0 0" ]; }
ok "no byte of the budget is held by anybody" wait_until 10s at_rest
like "headgate-worker names the libraries" "$("$HEADGATE_WORKER" -v | xargs)" 'libzstd [0-9.]+ .*libsnappy .*SQLite [0-9]'
finish
