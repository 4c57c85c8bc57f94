#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 43-instances.sh -- a second instance on an address that is taken does not start, and what is checked beside a running one takes nothing from
# it; exit codes; who may ask (F72, O5, O9, O19, O28)
. "${0%/*}/lib.sh"
need root

TOKEN=$(token_new)
tenants_file "acme:$TOKEN"
conf_base file 2
chmod 755 "$HG_DIR"
headgate_start
known "$TOKEN"
C=$HG_DIR/headgate.yaml
run() { "$@" >"$T/said" 2>&1; }
ctl() { "$HEADGATECTL" --socket "$HG_DIR/control.sock" "$@"; }
conf "listeners.0.listen=$ADDRESS"
accepted() { metric connections_accepted_total '{listener="public"}'; }

# O5, F72: -t beside the service
before=$(accepted)
run "$HEADGATE" -t -c "$C"
is "-t beside the service with the same addresses is exit 0" $? 0
is "it took no connection" "$(accepted)" "$before"
other=$T/other.yaml
sed "s|$HG_DIR/control.sock|$T/other.sock|; s|$HG_DIR/admin.sock|$T/other-admin.sock|; s|$HG_DIR/audit.log|$T/other-audit.log|" "$C" >"$other"
run "$HEADGATE" -t -c "$other"
is "-t of another service on these addresses is exit 78" $? 78
like "it names the address" "$(cat "$T/said")" "listener public: $ADDRESS: .*Address already in use"

# F72: starting it
otlp logs -o "$T/body"
background python3 "$WAY/tools/load.py" "$URL" --token "$TOKEN" --quiet --connections 4 --rate 100 --seconds 1000 --results "$T/sent"
load=$SPAWNED
run timeout 20 "$HEADGATE" -c "$other"
is "a second service on the address does not start: exit 78" $? 78
like "it names the address" "$(cat "$T/said")" "lvl=err .*$ADDRESS: .*Address already in use"
run timeout 20 "$HEADGATE" -c "$C"
is "nor a second one with the same control socket: exit 78" $? 78
like "it names the socket" "$(cat "$T/said")" "lvl=err .*$HG_DIR/control.sock.*Address already in use"
ok "the first one's control socket answers" ctl -q status
many() { [ "$(wc -l <"$T/sent")" -ge 200 ]; }
wait_until 20s many
end_pid "$load" TERM 20s
is "the first one kept every connection" "$(awk '{print $2}' "$T/sent" | sort | uniq -c | awk '{print $2}' | xargs)" 200

# O5: a foreign process there
port=$(port_pick)
background python3 -c "import socket, signal; s = socket.create_server(('127.0.0.1', $port)); signal.pause()"
foreign() { (exec 9<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }
wait_until 20s foreign
sed "s|$ADDRESS|127.0.0.1:$port|" "$other" >"$T/foreign.yaml"
run "$HEADGATE" -t -c "$T/foreign.yaml"
is "-t with a foreign process on the address is exit 78" $? 78
like "it names it" "$(cat "$T/said")" "127\.0\.0\.1:$port"
run timeout 20 "$HEADGATE" -c "$T/foreign.yaml"
is "a start is refused alike" "$? $(grep -c "127.0.0.1:$port: .*Address already in use" "$T/said")" "78 1"

# Exit codes of both programs
code()
{
	local shown="${*:2:4}"
	run "${@:2}"
	is "exit $1: ${shown//"$HEADGATE_BUILD/"}" $? "$1"
}
code 2 "$HEADGATE" --what
code 2 "$HEADGATE" -t -T
code 2 "$HEADGATE" -o nothing
code 2 "$HEADGATE" -c "$C" operand
code 2 "$HEADGATE_WORKER"
code 0 "$HEADGATE" --help
code 78 "$HEADGATE" -c "$T/none.yaml"
echo 'workers: none' >"$T/bad.yaml"
code 78 "$HEADGATE" -c "$T/bad.yaml"
like "O9: a start with a bad file says what -t says" "$(cat "$T/said")" "bad.yaml:1:10: error: "
code 2 "$HEADGATECTL"
code 2 "$HEADGATECTL" what
code 0 ctl status
like "status tells versions, generation, workers" "$(cat "$T/said")" "^ready.headgate [0-9.]+, pid $HG_PID, generation 1.*worker 1: ready"
code 0 ctl --json status
ok "as JSON with a schema" jq -e '.schema == 1' "$T/said"
code 69 "$HEADGATECTL" --socket "$T/none.sock" status
is "no socket: one line that names it, unit and group" "$(wc -l <"$T/said") $(grep -c "$T/none.sock.*headgate.service.*group headgate" "$T/said")" "1 1"
is "the control socket is for owner and group (O19)" "$(stat -c %a "$HG_DIR/control.sock")" 660
code 77 setpriv --reuid=nobody --regid=nogroup --clear-groups "$HEADGATECTL" --socket "$HG_DIR/control.sock" status
is "who may not ask: one line" "$(wc -l <"$T/said")" 1
is "HTTP on the control socket: one line of JSON" \
	"$(curl -sS --max-time 20 --http0.9 --unix-socket "$HG_DIR/control.sock" http://x/ | jq -c 'has("error")')" true

# A first start that can't succeed: what the library refuses is a configuration's fault, and said at once
sed '/^sink:/d' "$other" >"$T/refused.yaml"
printf 'sink: kafka\nkafka:\n  brokers: ["127.0.0.1:9"]\n  properties: {socket.timeout.ms: soon}\n' >>"$T/refused.yaml"
sed -i "s|$ADDRESS|127.0.0.1:0|" "$T/refused.yaml"
begin=$(now_us)
code 78 timeout 60 "$HEADGATE" -c "$T/refused.yaml"
took=$((($(now_us) - begin) / 1000))
ok "before any worker is tried again and again: $took ms" test "$took" -le 15000
is "one line of it all names the property" "$(grep -c 'lvl=err mod=master msg="no worker could set up: giving up" .*socket.timeout.ms' "$T/said")" 1

# -v
run "$HEADGATE" -v
is "-v is exit 0" $? 0
for word in 'headgate [0-9.]+ ' libevent jansson libyaml libpq OpenSSL 'headgate-worker [0-9.]+ ' librdkafka protobuf-c libdeflate libseccomp libcurl cjose; do
	like "-v tells ${word%% *}" "$(cat "$T/said")" "(^|.)($word)"
done
ok "-v tells neither folder nor host" fails grep -qE "/work|/home|$(hostname)" "$T/said"

# O28: without authentication
instance open
conf_base file 1
tenants_file
conf listeners.0.listen=0.0.0.0:0 auth.default_tenant=everybody
headgate_start --disable-auth=any-address
ADDRESS=127.0.0.1:${ADDRESS##*:} URL=http://127.0.0.1:${ADDRESS##*:}
ok "--disable-auth=any-address starts off loopback, with a warning" hg_log 'lvl=warn .*authentication is off'
is "who has no credential writes" "$(TOKEN='' post /v1/logs "$T/body")" 200
ok "the audit has it" wait_until 20s jq -se 'any(.[]; .kind == "disable-auth")' "$HG_DIR/audit.log"
finish
