#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 60-seen.sh -- metrics in both forms, as strict as they are written, with the families of common/stats.def and no others; health, ready and
# the admin pages; who may see them (O14 in part, O18)
. "${0%/*}/lib.sh"
need kafka

TOKEN=$(token_new)
topics 2
tenants_file "acme:$TOKEN" "other-1:$(token_new)"
conf_base kafka file 2
conf "log.access_file=$HG_DIR/access.log"
headgate_start
known "$TOKEN"

for signal in traces metrics logs; do
	otlp $signal -n 3 -m seen -o "$T/body"
	is "$signal are accepted" "$(post /v1/$signal "$T/body")" 200
done
printf '\n\377' >"$T/bad"
is "a broken body is not" "$(post /v1/logs "$T/bad")" 400
otlp logs --pad 1000000 -o "$T/large"
is "a large one neither" "$(post /v1/logs "$T/large")" 413
TOKEN='' request /v1/logs -H 'Content-Type: application/x-protobuf' --data-binary x >/dev/null

# ---- /metrics ----
exposition() { python3 "$WAY/tools/exposition.py" "$@"; }
scrape()	# FORM CURL-OPTION...: into $T/FORM
{
	admin /metrics -o "$T/$1" -D "$T/$1.head" -w '%{http_code}' "${@:2}"
}
type_of() { tr -d '\r' <"$T/$1.head" | sed -n 's/^content-type: //Ip'; }
scrape plain >/dev/null	# the first one has its own series
is "without a wish" "$(scrape plain)" 200
is "metrics are in the text form 0.0.4" "$(type_of plain)" 'text/plain; version=0.0.4; charset=utf-8'
is "for who asks for it" "$(scrape open -H 'Accept: application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3')" 200
is "in that of OpenMetrics" "$(type_of open)" 'application/openmetrics-text; version=1.0.0; charset=utf-8'
ok "the text form is well-formed" eval 'exposition <"$T/plain" >"$T/plain.json"'
ok "so is OpenMetrics" eval 'exposition --openmetrics <"$T/open" >"$T/open.json"'
ok "neither is the other" fails eval 'exposition --openmetrics <"$T/plain" >"$T/wrong" || exposition <"$T/open" >"$T/wrong"'
{
	echo headgate_build_info
	sed -nE 's/^(STAT|TENANT_STAT|TENANT_KIND)\([A-Z0-9_]+, "([a-z0-9_]+)".*/headgate_\2/p' "$ROOT/common/stats.def"
} | sort -u >"$T/families"
is "the families are those of stats.def" "$(jq -r '.families | keys[]' "$T/plain.json" | sort | diff - "$T/families")" ""
is "in OpenMetrics too" "$(jq -r '.families | to_entries[] | .key + (if .value == "counter" then "_total" else "" end)' "$T/open.json" |
	sort | diff - "$T/families")" ""
# One may come between the two: a broker's, say, once it is known.
same_series()
{
	scrape plain
	scrape open -H 'Accept: application/openmetrics-text'
	[ "$(exposition <"$T/plain" | jq .series)" = "$(exposition --openmetrics <"$T/open" | jq .series)" ]
}
ok "both have the same series" wait_until 20s same_series
is "labels are no client's business" "$(jq -c '.labels | keys' "$T/plain.json" | jq -c '. - ["broker","code","encoding","error","kind","le","level",
	"listener","method","reason","result","revision","route","signal","state","stream","tenant","verdict","version"]')" '[]'
is "tenants are those that were used, and none" "$(jq -c .labels.tenant "$T/plain.json")" '["acme"]'
for signal in traces metrics logs; do
	is "$signal: accepted, delivered, in flight" "$(for name in items_accepted_total items_delivered_total items_in_flight; do
		metric $name "{tenant=\"acme\",signal=\"$signal\"}" --must; done | xargs)" "3 3 0"
done
is "what was refused is counted by its cause" "$(metric items_refused_total '{tenant="acme",signal="logs",reason="size"}')" 1
is "credentials are counted by their fate" "$(metric auth_total '{method="token",result="ok"}' --must | sed 's/^[1-9][0-9]*$/some/') $(metric auth_total '{result="missing"}')" "some 1"
is "requests by route, verdict and code" "$(metric requests_total '{route="otlp_logs",verdict="hg-invalid",code="400"}') $(metric requests_total '{route="otlp_traces",verdict="accepted",code="200"}')" "1 1"
is "their time is measured" "$(metric request_duration_seconds_count '{route="otlp_traces"}')" 1
is "and that of the broker" "$(metric kafka_delivery_seconds_count)" 3
is "two workers are ready" "$(metric workers '{state="ready"}')" 2
is "the source of tenants is connected" "$(metric tenants_source_connected --must)" 1
is "tenants and tokens are told" "$(metric auth_cache_entries '{kind="tenant"}') $(metric auth_cache_entries '{kind="token"}')" "2 2"
up() { [ "$(metric kafka_broker_up "{broker=\"$KAFKA_BROKERS\"}" --must)" = 1 ]; }
ok "the broker is up" wait_until 20s up
is "of the budget nothing is in use" "$(metric kafka_queue_bytes --must) $(metric kafka_queue_capacity_bytes --must)" "0 $((2 * 256 * 1024 * 1024))"
ok "the build is named" test "$(metric build_info)" = 1
is "a scrape counts itself once it is over" "$(($(metric requests_total '{route="metrics",verdict="admin",code="200"}') > 5))" 1

# ---- pages of the public ----
is "health is 200 and empty" "$(get /health) $(wc -c <"$T/reply")" "200 0"
is "to HEAD too" "$(get /health -I)" 200
is "ready says so" "$(get /ready) $(<"$T/reply")" "200 ready"
is "but no more" "$(get '/ready?verbose') $(<"$T/reply")" "200 ready"
for path in /metrics /status.json /status; do
	is "$path is no page of theirs" "$(get $path)" 404
done
# ---- pages of the admin listener ----
is "health is there too" "$(admin /health -o "$T/reply" -w '%{http_code}')" 200
like "ready, in full" "$(admin '/ready?verbose')" $'^ok tenants [^\n]*\nok kafka [^\n]*\nready$'
admin /status.json >"$T/status"
is "the status is what it is" "$(jq -c '[.ready, .sink.name, (.workers | length), .table.tenants, .table.fresh, ([.checks[].level] | unique)]' "$T/status")" \
	'[true,"kafka",2,2,true,["ok"]]'
is "it names the workers" "$(jq -r '.workers[].pid' "$T/status" | sort)" "$(workers | sort)"
for path in /metrics /status /status.json /ready; do
	is "POST $path is refused" "$(admin $path -X POST -d x -o "$T/reply" -D "$T/reply.head" -w '%{http_code}') $(reply_header Allow)" "405 GET, HEAD"
done
is "no data is taken there" "$(admin /v1/logs -X POST -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/x-protobuf' \
	--data-binary x -o "$T/reply" -w '%{http_code}')" 404
is "its socket is for its user and group" "$(stat -c %a "$HG_DIR/admin.sock") $(stat -c %a "$HG_DIR/control.sock")" "660 660"
printf 'GET / HTTP/1.1\r\nHost: x\r\n\r\n' | timeout 5 python3 -c 'import socket, sys
link = socket.socket(socket.AF_UNIX); link.connect(sys.argv[1]); link.sendall(sys.stdin.buffer.read()); link.shutdown(socket.SHUT_WR)
sys.stdout.buffer.write(b"".join(iter(lambda: link.recv(65536), b"")))' "$HG_DIR/control.sock" >"$T/control"
is "HTTP to the control socket gets one line of JSON" "$(jq -c 'has("error")' "$T/control" 2>&1) $(wc -l <"$T/control")" "true 1"

# ---- an admin listener on TCP ----
instance tcp
certs
KAFKA_BROKERS='' TRACES_TOPIC='' conf_base discard file 1
port=$(port_pick)
over_tcp() { curl -sS --cacert "$CA" --max-time 10 -o "$T/reply" -D "$T/reply.head" -w '%{http_code}' "$@"; }
conf "admin.listen=127.0.0.1:$port"
headgate_start
is "on loopback a foreign Host is refused" "$(over_tcp "http://127.0.0.1:$port/metrics" -H 'Host: attacker.example')" 403
is "a loopback one is not" "$(over_tcp "http://localhost:$port/metrics") $(over_tcp "http://127.0.0.1:$port/status.json")" "200 200"

check() { "$HEADGATE" -c "$HG_DIR/headgate.yaml" -t 2>&1; echo "status $?"; }
port=$(port_pick)
conf "admin.listen=0.0.0.0:$port"
like "off loopback it needs certificates and a token" "$(check)" 'admin.tls.*admin.token_file.*status 78'
conf "admin.tls.cert_file=$T/cert.pem" "admin.tls.key_file=$T/key.pem"
like "not only certificates" "$(check)" 'admin.token_file.*status 78'
ADMIN=$(python3 -c 'import secrets; print(secrets.token_hex(16))')
(umask 077; echo "$ADMIN" >"$T/admin-token")
conf "admin.token_file=$T/admin-token"
like "with both it is taken" "$(check)" 'status 0'
headgate_stop
headgate_start
remote=https://127.0.0.1:$port
is "without the token there are no metrics" "$(over_tcp $remote/metrics)" 401
is "with a wrong one neither" "$(over_tcp $remote/metrics -H "Authorization: Bearer ${ADMIN%?}x")" 401
is "with it there are" "$(over_tcp $remote/metrics -H "Authorization: Bearer $ADMIN")" 200
is "whatever the Host" "$(over_tcp $remote/metrics -H "Authorization: Bearer $ADMIN" -H 'Host: gateway.example')" 200
is "health needs none" "$(over_tcp $remote/health)" 200
ok "the token is in no log" fails grep -rq "$ADMIN" "$HG_DIR"

# ---- more tenants than have series of their own ----
instance few
tokens=("$(token_new)" "$(token_new)" "$(token_new)")
tenants_file "a:${tokens[0]}" "b:${tokens[1]}" "c:${tokens[2]}"
conf_base discard file 2
conf metrics.max_tenants=1
headgate_start
folded() { [ "$(metric metrics_tenants_folded --must)" = "$1" ]; }
known "${tokens[0]}"
ok "the first tenant is none of _other" wait_until 20s folded 0
known "${tokens[1]}"
known "${tokens[2]}"
ok "the others are, each once however many requests and workers it has" wait_until 20s folded 2
finish
