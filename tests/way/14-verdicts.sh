#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 14-verdicts.sh -- every outcome that a request can have (common/verdict.def), provoked for real: the reply, the metric and the access
# log agree on its name and its status; OTLP's error bodies parse as google.rpc.Status in the encoding of the request (P2, P3, P20)
. "${0%/*}/lib.sh"
need kafka postgres python-otel

trap '' PIPE	# a connection that headgate closes is no end of the test
declare -A JUDGED=()
mkdir "$T/replies"

# request_raw [OPTION]... of raw: GOT is its status, $T/reply and $T/reply.head hold the rest, $T/raw.end how it ended
request_raw()
{
	raw "$@" >"$T/raw" 2>"$T/raw.end"
	LC_ALL=C sed '/^\r$/q' "$T/raw" >"$T/reply.head"
	tail -c +$(($(wc -c <"$T/reply.head") + 1)) "$T/raw" >"$T/reply"
	GOT=$(LC_ALL=C sed -n '1s/^HTTP.1.1 \([0-9]*\).*/\1/p' "$T/reply.head")
}
head_of() { printf 'POST /v1/%s HTTP/1.1\\r\\nHost: x\\r\\nAuthorization: Bearer %s\\r\\nContent-Type: application/x-protobuf\\r\\n' "$1" "$TOKEN"; }

logged() { jq -se --arg id "$1" --argjson code "$2" 'any(.[]; .verdict == $id and .code == $code)' "$HG_DIR/access.log"; }

# judge ID STATUS: GOT is what the last request was told; the reply names the verdict, so does the access log; a reply of OTLP is kept
judge()
{
	local id=$1 status=$2 retry folder=$T/replies/${#JUDGED[@]}-$1-$RANDOM
	JUDGED[$id]=$status
	is "$id: the status" "$GOT" "$status"
	case $id in
	hg-org-missing)	is "$id: in the gateway's words" "$(cat "$T/reply")" "Bad Request" ;;
	hg-not-ready)	like "$id: the page names the check" "$(cat "$T/reply")" '^not ready: [a-z]' ;;
	hg-*)	ok "$id: the reply names it" grep -aqF "$id" "$T/reply" ;;
	esac
	retry=$(reply_header Retry-After)
	case $status in
	429|503)	like "$id: it says when to come again" "$retry" '^[1-5]$' ;;
	*)	is "$id: it does not ask to come again" "$retry" "" ;;
	esac
	ok "$id: the access log has it" wait_until 10s logged "$id" "$status"
	if [[ $id = hg-* && $(reply_header Content-Type) = application/* ]]; then
		mkdir "$folder"
		cp "$T/reply" "$folder/reply"
		reply_header Content-Type >"$folder/type"
		echo "$id $status ${retry:-null} $(reply_header X-Request-Id)" >"$folder/want"
	fi
}
# in_json ID STATUS PATH [CURL-OPTION]...: the same refusal for a client of JSON
in_json()
{
	GOT=$(request "$3" -H 'Content-Type: application/json; charset=utf-8' -d '{}' "${@:4}")
	judge "$1" "$2"
	is "$1: to a client of JSON in JSON" "$(reply_header Content-Type)" application/json
}

# What requests_total says of each (route, verdict, code) is what the access log has, lines left out counted. The pages of the admin
# listener are still being counted while we look.
agree()
{
	jq -r 'select(.verdict != "admin") | "\(.route // "none") \(.verdict) \(.code)\t\(.suppressed // 1)"' "$HG_DIR/access.log" |
		awk -F'\t' '{n[$1] += $2} END {for (k in n) print k, n[k]}' | sort >"$T/logged"
	scrape | sed -n 's/^headgate_requests_total{route="\([^"]*\)",verdict="\([^"]*\)",code="\([^"]*\)"} \(.*\)/\1 \2 \3 \4/p' |
		grep -v ' admin ' | sort >"$T/counted"
	cmp "$T/logged" "$T/counted" || { diff "$T/logged" "$T/counted"; return 1; }
}
scrape() { admin /metrics; }
logs_of() { conf "log.access_file=$HG_DIR/access.log"; }

# ---- a whole gateway ----
topics 2
tenant_add acme
tenant_add suspended state=suspended
tenant_add blocked "block_until=2100-01-01T00:00:00Z"
tenant_add slow requests_per_s=1 requests_burst=1
tenant_add thin bytes_per_s=1 bytes_burst=100000
tenant_add few items_per_s=1 items_burst=1500
SLOW=$(token_add slow) THIN=$(token_add thin) FEW=$(token_add few)
TOKEN=$(token_add acme)
NARROW=$(token_add acme "" "scopes => '{traces:write}'")
SUSPENDED=$(token_add suspended)
BLOCKED=$(token_add blocked)
conf_base
logs_of
conf limits.inflated=1MiB \
	"protocols.otlp.metrics_topic=$NAME-nowhere" 'listeners.0.allowed_origins=["http://app.example"]'
expect_err 'mod=topics'
headgate_start
known "$TOKEN"
otlp logs -n 1 -m verdicts -o "$T/body"
: >"$T/empty"

GOT=$(post /v1/logs "$T/body"); judge accepted 200
GOT=$(post /v1/logs "$T/empty"); judge empty 200
GOT=$(get /health); judge health 200
GOT=$(admin /metrics -o "$T/reply" -D "$T/reply.head" -w '%{http_code}'); judge admin 200

# head: each closes the connection, or raw would wait for more
closes() { like "$1: the connection is closed" "$(tail -n 1 "$T/raw.end")" '^closed'; }
request_raw --text 'POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx'; judge hg-http 400; closes hg-http
request_raw --text 'POST /v1/logs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n'; judge hg-http-coding 501; closes hg-http-coding
request_raw --text 'POST /v1/logs HTTP/2.0\r\nHost: x\r\n\r\n'; judge hg-http-version 505; closes hg-http-version
request_raw --text "GET /health HTTP/1.1\r\nHost: x\r\nX-Long: $(printf 'x%.0s' {1..9000})\r\n\r\n"; judge hg-head-size 431; closes hg-head-size

# route
GOT=$(post /v1/nowhere "$T/body"); judge hg-route 404
in_json hg-route 404 /v1/nowhere
GOT=$(get /v1/logs); judge hg-method 405
is "hg-method: it says which there is" "$(reply_header Allow)" POST
in_json hg-method 405 /v1/logs -X PUT
GOT=$(request /v1/logs -X OPTIONS -H 'Origin: http://example.com' -H 'Access-Control-Request-Method: POST'); judge hg-method 405
GOT=$(TOKEN='' request /v1/logs -X OPTIONS -H 'Origin: http://app.example' -H 'Access-Control-Request-Method: POST'); judge preflight 204

# auth
in_json hg-org 400 /v1/logs -H 'X-Scope-OrgID: a|b'
GOT=$(post /v1/logs "$T/body" -H 'X-Scope-OrgID: a|b'); judge hg-org 400
in_json hg-org-mismatch 403 /v1/logs -H 'X-Scope-OrgID: another'
GOT=$(post /v1/logs "$T/body" -H 'X-Scope-OrgID: another'); judge hg-org-mismatch 403
good=$TOKEN
TOKEN=$(token_new)
in_json hg-credential 401 /v1/logs
GOT=$(post /v1/logs "$T/body"); judge hg-credential 401
is "hg-credential: it says how to say who" "$(reply_header WWW-Authenticate)" Bearer
TOKEN=$SUSPENDED
in_json hg-tenant-suspended 403 /v1/logs
GOT=$(post /v1/logs "$T/body"); judge hg-tenant-suspended 403
TOKEN=$NARROW
in_json hg-scope 403 /v1/logs
GOT=$(post /v1/logs "$T/body"); judge hg-scope 403
TOKEN=$BLOCKED
GOT=$(post /v1/logs "$T/body"); judge hg-blocked 403
TOKEN=$good

# admit, body
GOT=$(request /v1/logs -H 'Content-Type: text/plain' --data-binary x); judge hg-type 415
GOT=$(post /v1/logs "$T/body" -H 'Content-Encoding: br'); judge hg-encoding 415
request_raw --replies 1 --text "$(head_of logs)\\r\\n"; judge hg-length 411
request_raw --text "$(head_of logs)Content-Length: 67108865\\r\\n\\r\\n"; judge hg-body-size 413
request_raw --text "$(head_of logs)Transfer-Encoding: chunked\\r\\n\\r\\nzz\\r\\n"; judge hg-framing 400; closes hg-framing
request_raw --half-close --text "$(head_of logs)Content-Length: 100\\r\\n\\r\\nfew"
is "hg-gone: no reply" "$(cat "$T/raw")" ""
ok "hg-gone: the access log has it" wait_until 10s logged hg-gone 499
JUDGED[hg-gone]=499

# what a tenant may send
otlp traces -n 1000 -m rates -o "$T/spans"
otlp traces -n 1600 -m burst -o "$T/burst"
otlp traces --pad 60000 -m bytes -o "$T/bytes"
spent() { GOT=$(post /v1/traces "$T/spans"); [ "$GOT" = 429 ]; }
TOKEN=$SLOW
wait_until 10s spent; judge hg-rate-requests 429
TOKEN=$THIN
is "hg-rate-bytes: not at first" "$(post /v1/traces "$T/bytes")" 200
GOT=$(post /v1/traces "$T/bytes"); judge hg-rate-bytes 429
TOKEN=$FEW
is "hg-rate-items: not at first" "$(post /v1/traces "$T/spans")" 200
GOT=$(post /v1/traces "$T/spans"); judge hg-rate-items 429
GOT=$(post /v1/traces "$T/burst"); judge hg-rate-burst 413
TOKEN=$good

# inflate, enrich, produce
GOT=$(post /v1/logs "$T/body" -H 'Content-Encoding: gzip'); judge hg-inflate 400
head -c 1100000 /dev/zero | gzip >"$T/bomb"
GOT=$(post /v1/logs "$T/bomb" -H 'Content-Encoding: gzip'); judge hg-inflated-size 413
printf '\n\377\377\033[31m' >"$T/bad"
GOT=$(post /v1/logs "$T/bad"); judge hg-invalid 400
GOT=$(request /loki/api/v1/push -H 'Content-Type: application/json' -d '{}'); judge hg-empty 422
printf '\n\0%.0s' {1..10001} >"$T/many"
GOT=$(post /v1/logs "$T/many"); judge hg-count 413
otlp logs --pad 1000000 -m large -o "$T/large"
GOT=$(post /v1/logs "$T/large"); judge hg-record-size 413
otlp metrics -m nowhere -o "$T/metrics"
GOT=$(post /v1/metrics "$T/metrics"); judge hg-topic-unavailable 503
is "of all these one record is stored" "$(record_count "$LOGS_TOPIC")" 1
ok "requests_total and the access log agree" wait_until 10s agree

at_rest() { [ "$(metric kafka_queue_bytes) $(metric requests_in_flight '{route="otlp_logs"}') $(metric connections '{listener="public"}')" = "0 0 0" ]; }
ok "after all these refusals nothing is held: no byte, no request, no connection" wait_until 10s at_rest

# ---- an impatient one, apart, for a pause of the machine is too long for it ----
instance hasty
tenants_file "acme:$TOKEN"
KAFKA_BROKERS='' TRACES_TOPIC='' conf_base discard file 1
logs_of
conf http.head_timeout=400ms http.body_grace=300ms http.body_min_rate=1MiB/s
headgate_start
known "$TOKEN"
request_raw --text 'POST /v1/logs HTTP/1.1\r\nHost: x\r\n'; judge hg-head-timeout 408; closes hg-head-timeout
request_raw --text "$(head_of logs)Content-Length: 100\\r\\n\\r\\nfew"; judge hg-body-timeout 408; closes hg-body-timeout

# ---- one that never saw its tenants, with an admin listener on TCP ----
instance dark
KAFKA_BROKERS='' TRACES_TOPIC='' conf_base discard postgres 1
logs_of
port=$(port_pick)
conf "tenants.dsn=host=$T/nowhere port=1 dbname=none" "admin.listen=127.0.0.1:$port"
headgate_start
scrape() { curl -sS "http://127.0.0.1:$port/metrics"; }
GOT=$(get /ready); judge hg-not-ready 503
GOT=$(post /v1/logs "$T/body"); judge hg-auth-unavailable 503
in_json hg-auth-unavailable 503 /v1/logs
GOT=$(curl -sS -o "$T/reply" -D "$T/reply.head" -w '%{http_code}' -H 'Host: attacker.example' "http://127.0.0.1:$port/metrics"); judge hg-host 403
is "a loopback Host may see the metrics" "$(curl -sS -o "$T/reply" -w '%{http_code}' "http://localhost:$port/metrics")" 200
ok "dark: requests_total and the access log agree" wait_until 10s agree

# ---- one without brokers ----
instance adrift
closed=$(port_pick)
ALONE=$(token_new)
tenants_file "acme:$TOKEN" "alone:$ALONE|max_inflight_requests: 1"
KAFKA_BROKERS=127.0.0.1:$closed TRACES_TOPIC='' conf_base kafka file 1
logs_of
conf kafka.ack_deadline=3s limits.worker_bytes=128MiB http.drain_timeout=2s http.body_grace=60s
headgate_start
known "$TOKEN"
scrape() { admin /metrics; }
GOT=$(post /v1/logs "$T/body"); judge hg-kafka-timeout 503

# a body on its way is all that its tenant may have in flight
TOKEN=$ALONE
exec {held}<>"/dev/tcp/${ADDRESS/://}"
printf '%b' "$(head_of logs)Content-Length: 1000\\r\\n\\r\\nx" >&"$held"
refused() { GOT=$(post /v1/logs "$T/body"); grep -aqF hg-inflight "$T/reply"; }
wait_until 10s refused; judge hg-inflight 503
exec {held}>&-
ok "when its client goes" wait_until 10s logged hg-gone 499
TOKEN=$good

# a body on its way holds more than the tenant's share
exec {held}<>"/dev/tcp/${ADDRESS/://}"
printf '%b' "$(head_of logs)Content-Length: 60000000\\r\\n\\r\\nx" >&"$held"
holds() { [ "$(metric kafka_queue_bytes)" -ge 60000000 ]; }
ok "a large body on its way is charged" wait_until 10s holds
GOT=$(post /v1/logs "$T/body"); judge hg-overload 503
exec {held}>&-
freed() { [ "$(metric kafka_queue_bytes)" -lt 60000000 ]; }
ok "when its client goes, it no more" wait_until 10s freed
GOT=$(post /v1/logs "$T/body"); judge hg-kafka-timeout 503

ok "requests_total and the access log agree to the end" wait_until 10s agree

# a request whose head ends when its worker is about to end, too late for an answer of Kafka's; it came on a connection of before
conf kafka.ack_deadline=60s http.drain_timeout=30s http.head_timeout=60s
ok "a reload is taken" headgate_switch
exec {late}<>"/dev/tcp/${ADDRESS/://}" {probe}<>"/dev/tcp/${ADDRESS/://}"
printf '%b' "$(head_of logs)" >&"$late"
draining()
{
	local line
	printf 'GET /health HTTP/1.1\r\nHost: x\r\n\r\n' >&"$probe" || return 0
	while IFS= read -r -t 5 -u "$probe" line; do
		[[ ${line,,} != connection:\ close* ]] || return 0
		[ "$line" != $'\r' ] || return 1
	done
}
ok "the probe is answered" fails draining
kill -TERM "$HG_PID"
ok "the worker is about to end" wait_until 10s draining
printf 'Content-Length: 1\r\n\r\nx' >&"$late"
timeout 20 cat <&"$late" >"$T/raw"
LC_ALL=C sed '/^\r$/q' "$T/raw" >"$T/reply.head"
tail -c +$(($(wc -c <"$T/reply.head") + 1)) "$T/raw" >"$T/reply"
GOT=$(LC_ALL=C sed -n '1s/^HTTP.1.1 \([0-9]*\).*/\1/p' "$T/reply.head")
judge hg-draining 503
like "hg-draining: the connection is closed" "$(reply_header Connection)" close
exec {late}>&- {probe}>&-
ok "and it ends, its work done" wait_until 20s test -e "$HG_DIR/status"
is "as it should" "$(cat "$HG_DIR/status")" 0

# ---- one whose workers a tenant kills: here with our help, while a stage is at work on its requests ----
# (A line of the access log that waits in a killed worker's memory dies with it: no count of lines here.)
instance frail
POISON=$(token_new)
tenants_file "acme:$good" "poison:$POISON"
KAFKA_BROKERS='' TRACES_TOPIC='' conf_base discard file 1
logs_of
expect_err 'mod=workers'
headgate_start
known "$POISON"
python3 -c 'import gzip, sys; sys.stdout.buffer.write(gzip.compress(b"\x0a" + b"\x80\xb4\x89\x13" + b"\x12\0" * 20_000_000, 1))' >"$T/poison"
put_aside() { hg_log 'msg="a tenant is put aside'; }
busy() { [ "$(cpu_ms "$worker")" -ge $((spent + 120)) ]; }
up() { [ "$(get /health)" = 200 ]; }
for ((i = 0; i < 12; i++)); do	# a death between two stages counts for nobody
	! put_aside || break
	worker=$(workers)
	spent=$(cpu_ms "$worker")
	curl -sS --fail-early -o /dev/null -H "Authorization: Bearer $POISON" -H 'Content-Type: application/x-protobuf' -H 'Content-Encoding: gzip' \
		--data-binary "@$T/poison" "$URL/v1/logs?[1-200]" 2>/dev/null &
	sender=$!
	wait_until 10s busy && kill -KILL "$worker"
	kill "$sender" 2>/dev/null	# it would go on with the next worker
	wait "$sender" 2>/dev/null
	wait_until 30s up
done
ok "a tenant on whose requests three workers died is put aside" wait_until 10s put_aside
TOKEN=$POISON
aside() { [ "$(post /v1/logs "$T/body")" = 503 ] && grep -aqF hg-tenant-aside "$T/reply"; }
wait_until 10s aside
GOT=$(post /v1/logs "$T/body"); judge hg-tenant-aside 503
in_json hg-tenant-aside 503 /v1/logs
TOKEN=$good
GOT=$(request /v1/logs -H 'Content-Type: text/plain' --data-binary x); judge hg-type 415	# the other tenant is not put aside

# ---- one that stores by itself ----
instance stored
tenants_file "acme:$good"
KAFKA_BROKERS='' TRACES_TOPIC='' conf_base local file 1
logs_of
conf local.max_bytes=1MiB
expect_err 'mod=sink_local'
headgate_start
known "$good"
otlp logs -m small -o "$T/small"
otlp logs --pad 150000 -m large -o "$T/large"
is "what is stored is accepted" "$(post /v1/logs "$T/small")" 200
rm "$HG_DIR/store/"*.lock
GOT=$(post /v1/logs "$T/small"); judge hg-store 503
filled() { [ "$(post /v1/logs "$T/large")" = 503 ] && grep -aqF hg-store-full "$T/reply"; }
ok "a store has an end" wait_until 10s filled
GOT=$(post /v1/logs "$T/large"); judge hg-store-full 503

# ---- one with data models, a gateway's listener and small records ----
instance models
mkdir "$T/models"
printf '{"name":"Number","columns":[{"name":"tenant_id","data_type":"Int64","required":true}]}' >"$T/models/number.json"
tenants_file "acme:$good"
KAFKA_BROKERS='' TRACES_TOPIC='' conf_base local file 1
logs_of
conf "protocols.models.dir=$T/models" record.max_bytes=16KiB listeners.1.name=gateway listeners.1.listen=127.0.0.1:0 listeners.1.dialect=gateway
headgate_start
known "$good"
otlp logs --pad 20000 -m large -o "$T/large"
cat "$T/small" "$T/large" >"$T/both"	# messages one after the other are one
GOT=$(post /v1/logs "$T/both"); judge partial 200
GOT=$(request /ingest/Nope -H 'Content-Type: application/json' -d '{}'); judge hg-model 404
GOT=$(request /ingest/Number -H 'Content-Type: application/json' -d '{}'); judge hg-model-tenant 403
URL=http://$(listener_address gateway)
GOT=$(post /v1/logs "$T/small"); judge hg-org-missing 401

# ---- those of an identity provider, which 15-userinfo.sh has ----
for id in hg-denied hg-tenant-unknown; do
	! grep -qF "grep -aqF $id" "$WAY/15-userinfo.sh" || JUDGED[$id]=403
done

# ---- all of it ----
is "every verdict of verdict.def was provoked" "$(printf '%s\n' "${!JUDGED[@]}" | sort | xargs)" \
	"$(grep -oP '^VERDICT\([A-Z_]+, [0-9]+, [^"]*"\K[^"]+' "$ROOT/common/verdict.def" | sort | xargs)"
is "each with the status that stands there" "$(for id in "${!JUDGED[@]}"; do echo "$id ${JUDGED[$id]}"; done | sort | xargs)" \
	"$(sed -nE 's/^VERDICT\([A-Z_]+, ([0-9]+), [^"]*"([^"]+)".*/\2 \1/p' "$ROOT/common/verdict.def" | sort | xargs)"

# P2, P3, P20: by an independent decoder
ok "every error body of OTLP is a google.rpc.Status in the encoding of its request" \
	"$PYTHON_OTEL" "$ROOT/tests/clients/rpc_status.py" "$T/replies/"*
"$PYTHON_OTEL" "$ROOT/tests/clients/rpc_status.py" "$T/replies/"* >"$T/statuses"
ok "there are many of them" test "$(wc -l <"$T/statuses")" -ge 30
for line in "$T/replies/"*; do read -r id status retry ours <"$line/want"; echo "$id $status $retry $ours"; done >"$T/wants"
paste -d' ' "$T/wants" <(jq -r '.code' "$T/statuses") | awk '
	BEGIN {split("400 3 401 16 403 7 404 12 429 8 502 14 503 14 504 14", a); for (i = 1; i in a; i += 2) code[a[i]] = a[i + 1]}
	{want = $2 in code ? code[$2] : 2; if ($5 != want) print $1, $2, "has code", $5}' >"$T/wrong"
is "their codes are those of their statuses" "$(cat "$T/wrong")" ""
is "RetryInfo is Retry-After" "$(jq -r '.retry_s' "$T/statuses" | xargs)" "$(awk '{print $3}' "$T/wants" | xargs)"
is "each 400 has a BadRequest, no other has" "$(jq -r 'if .violations == [] then "no" else "yes" end' "$T/statuses" | xargs)" \
	"$(awk '{print $2 == 400 ? "yes" : "no"}' "$T/wants" | xargs)"
is "each text begins with the verdict and holds the request's id" "$(jq -r '.message' "$T/statuses" | paste -d' ' - "$T/wants" |
	awk '{n = NF; if (index($0, $(n - 3)) != 1 || !index($0, "(request " $n ")")) print}')" ""
is "each is one line of at most 512 bytes, control bytes escaped" \
	"$(jq -c 'select((.message | utf8bytelength) > 512 or (.message + (.violations | map(add) | add // "") | test("[\\x00-\\x1f\\x7f]")))' "$T/statuses")" ""
ok "and none holds a credential" fails grep -rqaF -e "$good" -e "$SUSPENDED" -e "$NARROW" -e "$BLOCKED" -e "$POISON" "$T/replies"
finish
