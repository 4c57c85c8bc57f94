#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 90-quickstart.sh -- make quickstart as a person meets it: one record of every protocol within 60 s, every printed line works as it
# was pasted, nothing lies outside build/, and Ctrl-C ends it all (O25)
. "${0%/*}/lib.sh"
export PORT HEADGATE_BUILD QUICKSTART=build/quickstart-test
PORT=$(port_pick 5000)
HERE=$ROOT/$QUICKSTART
rm -rf "$HERE"

# pasted LINE-REGEX: runs the first printed command that matches, as it stands; output in $T/out, its status printed.
pasted()
{
	local line
	line=$(sed -n 's/^    //p' "$T/printed" | grep -E -m 1 -- "$1") || { echo "no such line"; return; }
	(cd "$ROOT" && bash -c "$line") >"$T/out" 2>&1
	echo $?
}

started=$(now_us)
spawn "$T/seen" python3 "$WAY/tools/terminal.py" 120x40 "$ROOT/tools/quickstart/quickstart"
quickstart=$SPAWNED
ok "it runs, and says what to try next" wait_until 90s grep -q 'Ctrl-C here ends it' "$T/seen"
sed 's/\x1b\[[0-9;]*m//g' "$T/seen" >"$T/printed"
stored=$(grep -cE '"tenant": ?"demo"' "$T/printed")
ok "the records of all protocols are shown, each with its tenant" test "$stored" -ge 5
note "$(($(now_us) - started)) us from the start to the last line, $stored records"
ok "that took less than 60 s" test $(($(now_us) - started)) -lt 60000000
for each in otlp_spans otlp_metrics otlp_logs prom_write prom_write_v2 loki_push; do
	ok "a record of $each is among them" grep -qE "\"topic\": ?\"$each\"" "$T/printed"
done
ok "a stranger was refused" grep -qE '^401$|401$' "$T/printed"
lines=$(wc -l <"$T/printed")
ok "what to try next fits a screen: $(sed '1,/^It runs/d' "$T/printed" | wc -l) lines of $lines" \
	test "$(sed '1,/^It runs/d' "$T/printed" | wc -l)" -le 24

is "curl: the record is accepted" "$(pasted 'data-binary')" 0
like "and answered 200" "$(cat "$T/out")" '200$'
is "cat: it is stored" "$(pasted 'cat --tenant demo --signal logs')" 0
ok "with what it said, and whose it is" grep -q '"hello"' "$T/out"
is "status: ready" "$(pasted 'ctl status')" 0
is "routes" "$(pasted 'routes ls')" 0
ok "all paths are listed" grep -q '/api/v1/write' "$T/out"
is "snippet" "$(pasted 'snippet otel-env')" 0
ok "it tells the endpoint" grep -q "https://127.0.0.1:$PORT" "$T/out"
is "metrics" "$(pasted '/metrics')" 0
ok "demo's items are counted" grep -q 'items_delivered_total{tenant="demo"' "$T/out"
page=$(grep -oE 'http://127[^ ]*/status$' "$T/printed")
like "the status page is there, where it says" "$(curl -s "$page")" '>demo<'
# The line leaves a second for it to be written.
wrong()
{
	[ "$(pasted 'Bearer wrong.*audit.log')" = 0 ] && grep -q '^401' "$T/out" && grep -q '"reason":' "$T/out" &&
		[ "$(grep -oE '[(]request [0-9a-f]{32}' "$T/out" | cut -d' ' -f2)" = "$(tail -n 1 "$T/out" | jq -r .request_id)" ]
}
ok "a wrong token: 401, and the audit line of this request says why" wait_until 30s wrong
pasted 'token revoke' >/dev/null
ok "a revoked token is refused by every worker" grep -qE 'refused by 2/2 workers' "$T/out"
ok "and its record with 401" grep -q 401 "$T/out"
is "a new one works" "$(pasted 'token issue demo --wait')" 0
is "a typo is refused (78)" "$(pasted 'wrokers:/')" 78
ok "with its place and a guess" grep -q "did you mean 'workers'" "$T/out"
is "mended, it is taken" "$(pasted "^sed.*s/.wrokers")" 0
ok "and what changed is said" grep -q 'generation 1 -> 2' "$T/out"
ok "without a warning" fails grep -q 'warning:' "$T/out"

kill -USR1 "$quickstart"
ok "Ctrl-C ends it" wait_until 45s gone "$quickstart"
ok "and the gateway with it" fails "$HERE/ctl" status
is "its log has no error" "$(grep -c 'lvl=err' "$HERE/headgate.log")" 0

PORT=$(port_pick 5000)
(exec 3<>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null
spawn "$T/listen.log" python3 -c "import socket,time
s=socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(('127.0.0.1', $PORT)); s.listen(); print('up', flush=True); time.sleep(600)"
wait_until 20s grep -qx up "$T/listen.log"
"$ROOT/tools/quickstart/quickstart" --once >"$T/busy" 2>&1
is "a busy port is an error" $? 1
ok "that names PORT=" grep -q 'PORT=' "$T/busy"
end_pid "$SPAWNED" KILL

PORT=$(port_pick 5000)
ok "ARGS=--once ends by itself with 0" "$ROOT/tools/quickstart/quickstart" --once
rm -rf "$HERE"
finish
