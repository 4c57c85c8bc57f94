#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 35-every-route.sh -- what the pages say of every route, asked of every route there is, in each format that it takes: one answer however a
# request comes, one record for it, refusals in their order, bombs and broken codings of each kind, a spent rate, a full share
# (P3, P5 to P8, P15, P19, P20, P22, PC5, F42, F43, F48, R1, R2, R8, R22)
. "${0%/*}/lib.sh"

TOKEN=$(token_new)
good=$TOKEN
SLOW=$(token_new) ALONE=$(token_new)
tenants_file "acme:$good" "slow:$SLOW|requests_per_s: 1, requests_burst: 1" "alone:$ALONE|max_inflight_requests: 1"
mkdir "$T/models" "$T/bodies"
printf '{"name":"Event","columns":[{"name":"n","data_type":"Int64","required":true}]}' >"$T/models/event.json"
printf '{"name":"Gate","version":"1.0","columns":[{"name":"n","data_type":"Int64","required":true}]}' >"$T/models/gate.json"
printf '{"name":"Moose","columns":[{"name":"n","data_type":"Int64","required":true}]}' >"$T/models/moose.json"
all_routes()
{
	conf listeners.1.name=gateway listeners.1.listen=127.0.0.1:0 listeners.1.dialect=gateway 'listeners.1.allowed_origins=["http://app.example"]' \
		listeners.2.name=moose listeners.2.listen=127.0.0.1:0 listeners.2.dialect=moose \
		protocols.obstack.enabled=true protocols.micromegas.enabled=true "protocols.models.dir=$T/models" record.headers=all \
		routes.0.name=own-blobs routes.0.path=/blobs/own routes.0.protocol=opaque routes.0.topic=own-blobs "log.access_file=$HG_DIR/access.log"
}
where_they_are() { LISTENERS=(); for each in public gateway moose; do LISTENERS+=(--listener "$each=$(listener_address "$each")"); done; }
conf_base local file 1
all_routes
conf http.body_grace=60s limits.inflated=512KiB protocols.models.max_body=512KiB limits.worker_bytes=400MiB limits.tenant_share=100%
headgate_start
known "$good"
before=$(workers)
where_they_are
# every MODE [OPTION]...	of tools/routes.py; what deviates is shown
every() { python3 "$WAY/tools/routes.py" "$@" "${LISTENERS[@]}" --sent "$T/sent" <<<"$TOKEN" >"$T/every"; }
told() { note "$(tail -n 1 "$T/every")"; }
as_said() { ok "$1" every "${@:2}" || cat "$T/every"; told; }

is "the table has each built-in route" "$(python3 "$WAY/tools/routes.py" table "$ROOT/common/routes.def")" ""
as_said "P22: a request has one answer, whole, in chunks, in each coding and byte by byte" same
as_said "P5, P6, P19, F48: what is refused is refused by each in its turn" refused
as_said "P20: pages are answered where their origin is allowed, and nowhere else" pages
ok "R1: each that was accepted is a record of the contract, and nothing else is" \
	eval 'stored | python3 "$WAY/tools/routes.py" records --sent "$T/sent" >"$T/every"' || cat "$T/every"
told

# ---- PC5, F42, F43 ----
built coded gzip <<<'{"n":1}' >"$T/bodies/small.gzip"	# makes the tool, if it is not there
head -c 524289 /dev/zero >"$T/zeros"
for each in gzip zlib raw zstd snappy; do built coded $each <"$T/zeros" >"$T/bodies/bomb.$each"; done
head -c 314572801 /dev/zero | gzip -1 >"$T/bodies/huge.gzip"
printf '{"n":1}' | built coded zstd >"$T/bodies/small.zstd"
base=$(rss "$before")
as_said "PC5: a body of exactly the limit is taken, one of a byte more is 413" sizes --limit 524288
as_said "P7, F42, F43: bombs, cut bodies and bytes behind of each coding are refused" broken "$T/bodies"
peak=$(awk '$1 == "VmHWM:" {print $2}' "/proc/$before/status")
note "resident before: $base KiB, at most: $peak KiB"
ok "F42: the worker never took more than its budget for all of that" test "$peak" -le $((base + 400 * 1024))
is "and lives" "$(workers)" "$before"
ok "F43: nothing of what was refused is stored" eval 'stored | python3 "$WAY/tools/routes.py" records --any-value --sent "$T/sent" >"$T/every"' || cat "$T/every"

# ---- P3 ----
TOKEN=$SLOW
known "$SLOW"
as_said "P3, P6, P15: a spent rate is 429 with Retry-After, 503 of micromegas; a wrong coding is told before" spent --tenant slow
TOKEN=$ALONE
known "$ALONE"
exec {held}<>"/dev/tcp/${ADDRESS/://}"
printf 'POST /v1/logs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/x-protobuf\r\nContent-Length: 1000\r\n\r\nx' "$ALONE" >&"$held"
full() { [ "$(post /v1/logs /dev/null)" = 503 ]; }
ok "a body on its way is all that a tenant may have" wait_until 10s full
as_said "P3: the next is 503 with Retry-After" busy --tenant alone
exec {held}>&-
TOKEN=$good
is "no worker was lost" "$(workers)" "$before"
# ---- R8 ----
conf record.max_bytes=16KiB
headgate_switch
stored | wc -l >"$T/lines"
rm "$T/sent"
as_said "R8: what is too large for a record is split, and an item that is too large told, in each dialect" parts --limit 16384
ok "R8: each part is a record within the limit, none is missing" \
	eval 'stored | tail -n +$(($(<"$T/lines") + 1)) | python3 "$WAY/tools/routes.py" parted --limit 16384 --sent "$T/sent" >"$T/every"' || cat "$T/every"
told

# ---- R22 ----
conf record.max_bytes= dead_letters.enabled=true dead_letters.per_tenant=10000/s
headgate_switch
TOKEN=$SLOW
every spent --tenant slow
TOKEN=$good
as_said "R22: a body that is no valid data is 400" nonsense
ok "R22: and one dead letter; a spent rate, a coding that is none and what is accepted make none" \
	eval 'stored | python3 "$WAY/tools/routes.py" letters >"$T/every"' || cat "$T/every"
told

# ---- limits.depth, which each protocol counts by itself ----
printf '{"name":"Open","allow_extra_fields":true,"columns":[]}' >"$T/models/open.json"
otlp logs --nested 20 -o "$T/nested"	# 4 messages around an attribute, its value, and two for each level: 46
brackets() { printf '{"x":%s%s}' "$(printf '[%.0s' {1..40})" "$(printf ']%.0s' {1..40})"; }
brackets >"$T/brackets"
deep() { echo "$(post /v1/logs "$T/nested") $(for each in /v1/traces /ingest/Open; do request $each -H 'Content-Type: application/json' --data-binary "@$T/brackets"; echo; done | xargs) $(
	request /loki/api/v1/push -H 'Content-Type: application/json' -d "{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"1\",\"x\"]],\"y\":$(brackets)}]}")"; }
headgate_switch
is "46 messages and 41 brackets are less than 64" "$(deep)" "200 200 202 204"
conf limits.depth=32
headgate_switch
is "with limits.depth: 32 they are too deep, in every protocol" "$(deep)" "400 400 400 400"

# ---- a credential that cannot be judged now: no table was ever read ----
instance dark
conf_base discard postgres 1
all_routes
conf "tenants.dsn=host=$T/nowhere port=1 dbname=none"
headgate_start
where_they_are
as_said "P3: before there is a table each route is 503 with Retry-After" busy stranger
finish
