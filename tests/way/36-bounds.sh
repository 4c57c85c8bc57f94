#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 36-bounds.sh -- bodies made to be dear and not large: a million elements that say nothing, blocks of next to no output, 64 MiB out of 65 KiB.
# Each is refused or taken, none takes memory beyond the budget; the large one is counted, and others are served (B20, B25, F45)
. "${0%/*}/lib.sh"

# What ASan keeps of freed memory is no memory of ours.
export ASAN_OPTIONS=quarantine_size_mb=1
TOKEN=$(token_new)
tenants_file "acme:$TOKEN"
mkdir "$T/models"
printf '{"name":"Event","topic":"events","allow_extra_fields":true,"columns":[{"name":"n","data_type":"Int64","required":false}]}' >"$T/models/event.json"
conf_base file discard 1
conf limits.worker_bytes=400MiB limits.tenant_share=100% "protocols.models.dir=$T/models"
headgate_start
known "$TOKEN"
before=$(workers)
coded() { built coded "$@"; }
because() { grep -aoE 'hg-[a-z-]+' "$T/reply" | head -n 1; }
MILLION=1000000
# times N BYTES: the bytes, as printf writes them, so many times
times() { python3 -c 'import sys; sys.stdout.buffer.write(sys.argv[2].encode().decode("unicode_escape").encode("latin-1") * int(sys.argv[1]))' "$1" "$2"; }
otlp logs -m first -o "$T/plain"
is "a first body" "$(post /v1/logs "$T/plain")" 200
base=$(rss "$before")

# ---- B25: a million of nothing ----
times $MILLION '\x0a\x00' >"$T/body"
is "empty Resource*s are too many" "$(post /v1/traces "$T/body") $(because)" "413 hg-count"
coded snappy <"$T/body" >"$T/block"
is "series without labels are none" "$(post /api/v1/write "$T/block" -H 'Content-Encoding: snappy') $(because)" "400 hg-invalid"
times $MILLION '\x1a\x00' | coded snappy >"$T/block"
is "metadata of nothing is too much" "$(post /api/v1/write "$T/block" -H 'Content-Encoding: snappy') $(because)" "413 hg-count"
times $MILLION '\x0a\x00' | coded snappy >"$T/block"
is "so are Loki's streams without an entry" "$(post /loki/api/v1/push "$T/block" -H 'Content-Encoding: snappy')" 413
{ printf '[{}'; times $((MILLION - 1)) ',{}'; printf ']'; } >"$T/body"
is "and events of nothing" "$(request /ingest/Event -H 'Content-Type: application/json' --data-binary "@$T/body") $(because)" "413 hg-count"
# F45: 4 MiB of `{},`, wherever they may stand. Of what is a record the least is taken.
NOTHING=1398101
for each in '{"resourceSpans":[|]}|/v1/traces|413 hg-count' '{"resourceMetrics":[{"scopeMetrics":[|]}]}|/v1/metrics|200 ' \
	'{"resourceLogs":[{"scopeLogs":[{"logRecords":[|]}]}]}|/v1/logs|200 ' '{"streams":[|]}|/loki/api/v1/push|400 hg-invalid' \
	'{"streams":[{"stream":{"a":"b"},"values":[|]}]}|/loki/api/v1/push|400 hg-invalid'; do
	IFS='|' read -r head tail path want <<<"$each"
	{ printf %s "$head"; times $NOTHING '{},'; printf '{}%s' "$tail"; } >"$T/body"
	is "F45: 4 MiB of {} in $head" "$(request "$path" -H 'Content-Type: application/json' --data-binary "@$T/body") $(because)" "$want"
done
peak=$(awk '$1 == "VmHWM:" {print $2}' "/proc/$before/status")
note "resident before: $base KiB, at most: $peak KiB"
ok "B25, F45: none of that took more than the output limit" test "$peak" -le $((base + 64 * 1024))

# ---- B20: blocks and frames of nothing ----
{ times 1100000 '\x00\x00\x00\xff\xff'; printf '\x03\0'; } >"$T/body"
is "a million stored blocks of deflate are refused" "$(post /v1/logs "$T/body" -H 'Content-Encoding: deflate') $(because)" "400 hg-inflate"
like "and that is said" "$(cat "$T/reply")" 'too many blocks for one body'
{ printf '\x28\xb5\x2f\xfd\0\x50'; times 1100000 '\0\0\0'; printf '\1\0\0'; } >"$T/body"
is "so are those of zstd" "$(post /v1/logs "$T/body" -H 'Content-Encoding: zstd') $(because)" "400 hg-inflate"
like "in its words" "$(cat "$T/reply")" 'more than 1048576 frames and blocks'

# ---- B20: 64 MiB out of little ----
# spans of 128 bytes; the least ones there are would take a build with sanitizers too long
{ printf '\x0a\x85\xff\xff\x1f\x12\x80\xff\xff\x1f'; times 524287 "\x12\x7e\x2a\x7c$(printf 'x%.0s' {1..124})"; } >"$T/body"
is "a body of 64 MiB but 118 bytes" "$(wc -c <"$T/body")" 67108746
coded gzip <"$T/body" >"$T/small"
note "on the wire: $(wc -c <"$T/small") bytes"
large=$(metric large_body_seconds_count)
background curl -sS -o "$T/large.reply" -w '%{http_code}\n' --max-time 150 "$URL/v1/traces" -H "Authorization: Bearer $TOKEN" \
	-H 'Content-Type: application/x-protobuf' -H 'Content-Encoding: gzip' --data-binary "@$T/small"
is "others are served meanwhile" "$(for i in 1 2 3; do post /v1/logs "$T/plain"; echo; done | xargs)" "200 200 200"
ok "it is answered" wait_until 160s gone "$SPAWNED"
is "it was taken" "$(tail -n 1 "$T/background.log")" 200
is "and counted as a large one" "$(metric large_body_seconds_count)" $((large + 1))

peak=$(awk '$1 == "VmHWM:" {print $2}' "/proc/$before/status")
note "resident before: $base KiB, at most: $peak KiB"
ok "the worker never took more than its budget for all of that" test "$peak" -le $((base + 400 * 1024))
is "and lives" "$(workers)" "$before"
finish
