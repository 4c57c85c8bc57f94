#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 86-tap.sh -- the control command tap tells of the requests that its filter names, at its rate, over a reload too, and ends by itself
# (O26 in part: headgatectl's own command comes later)
. "${0%/*}/lib.sh"

acme=$(token_new) other=$(token_new)
tenants_file "acme:$acme" "other:$other"
conf_base local file 2
headgate_start
TOKEN=$acme
known "$other"; known "$acme"
otlp logs -m one -o "$T/body"
# watch NAME JSON: a client that asks and keeps what it hears in $T/NAME (tools/tap.py); sets CLIENT
watch()
{
	background python3 "$WAY/tools/tap.py" "$HG_DIR/control.sock" "$T/$1" "$2"
	CLIENT=$SPAWNED
	wait_until 20s test -s "$T/$1"
}
lines() { [ "$(sed 1d "$T/$1" | grep -vc '"end"')" = "$2" ]; }
audits() { jq -c 'select(.kind | startswith("tap.")) | [.kind, .tenant, .actor_uid, .reason]' "$HG_DIR/audit.log"; }

watch one '{"request_id": "mine-*", "rate": 100}'
is "the first answer comes when both workers look" "$(jq -c '[.ok, .workers, .late, .schema]' "$T/one")" "[true,2,0,1]"
for i in 1 2 3; do is "a request is accepted" "$(post /v1/logs "$T/body" -H "X-Request-Id: mine-$i")" 200; done
post /v1/logs "$T/body" -H 'X-Request-Id: yours-1' >/dev/null
TOKEN=wrong; is "one is refused" "$(post /v1/logs "$T/body" -H 'X-Request-Id: mine-4')" 401; TOKEN=$acme
ok "each has its line, and no other" wait_until 20s lines one 4
is "with route, tenant, verdict and code" "$(sed 1d "$T/one" | jq -c '[.client_request_id, .route, .tenant, .verdict, .code, .items]' | sort | xargs)" \
	'[mine-1,otlp_logs,acme,accepted,200,1] [mine-2,otlp_logs,acme,accepted,200,1] [mine-3,otlp_logs,acme,accepted,200,1] [mine-4,otlp_logs,null,hg-credential,401,null]'
is "and the row of what was stored" "$(sed 1d "$T/one" | jq -r 'select(.code == 200) | "\(.sink) \(.topic) \("0000000000\(.partition)"[-10:]).db \(.offset)"' | sort)" \
	"$("$HEADGATECTL" cat --dir "$HG_DIR/store" --tenant acme | jq -r '"local otlp_logs \(.file) \(.seq)"' | sort | head -n 4 | grep -F "$(sed 1d "$T/one" | jq -r 'select(.code == 200) | "\("0000000000\(.partition)"[-10:]).db \(.offset)"')")"

# -- a reload: the new workers look too
headgate_switch
post /v1/logs "$T/body" -H 'X-Request-Id: mine-5' >/dev/null
ok "after a reload it goes on" wait_until 20s lines one 5
end_pid "$CLIENT"
two() { [ "$(audits | wc -l)" = 2 ]; }
ok "it ends with its client" wait_until 20s two
is "which leaves two audit records, with who it was" "$(audits | xargs)" \
	"[tap.start,null,$(id -u),request_id mine-*, signal any, route any, 60000 ms] [tap.end,null,$(id -u),5 lines]"

# -- by tenant and signal, by its own clock, at its rate
watch two '{"tenant": "other", "signal": "logs", "rate": 3, "duration_ms": 8000}'
for i in {1..5}; do post /v1/logs "$T/body" >/dev/null; done
TOKEN=$other
for i in {1..30}; do post /v1/logs "$T/body" >/dev/null; done
ended() { grep -q '"end":"duration"' "$T/two"; }
ok "it ends by itself" wait_until 20s ended
is "it told of its tenant alone" "$(sed 1d "$T/two" | jq -r 'select(.end == null) | .tenant' | sort -u)" other
ok "at most 3 lines a second" test "$(sed 1d "$T/two" | jq -r 'select(.end == null) | .ts[:19]' | sort | uniq -c | awk '$1 > max {max = $1} END {print max}')" -le 6	# when the master hears of them, which may be later than they are
ok "what was left out is counted" test "$(jq -s 'map(select(.end)) | .[0] | .lines + .lost' "$T/two")" -ge 3
told() { [ "$(audits | tail -n 1 | jq -r '.[0] + " " + .[1]')" = "tap.end other" ]; }
ok "its tenant is in the audit" wait_until 20s told

# -- a worker that does not look
pid=$(workers | head -n 1)
kill -STOP "$pid"
watch three '{"duration_ms": 1000}'
is "a worker that stands still holds nobody up, and is counted" "$(head -n 1 "$T/three" | jq -c '[.workers, .late]')" "[1,1]"
kill -CONT "$pid"

# -- bounds
clients=()
for i in 1 2 3 4 5 6 7 8; do watch "many$i" '{}'; clients+=("$CLIENT"); done
watch ninth '{}'
like "the ninth is refused" "$(cat "$T/ninth")" '"ok":false,"error":"tap: 8 are on already'
for each in "${clients[@]}"; do end_pid "$each"; done
watch bad '{"rate": 1000}'	# judged before the places are counted
like "a rate beyond the bound is refused" "$(cat "$T/bad")" 'rate is 1..100'
is "requests went on all the while" "$(post /v1/logs "$T/body")" 200
finish
