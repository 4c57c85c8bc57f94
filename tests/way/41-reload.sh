#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 41-reload.sh -- a reload under load fails no request and no handshake, takes a new certificate at once, and a bad configuration changes
# nothing; who asks is told what came of it (F56, F57, O7, O8)
. "${0%/*}/lib.sh"

# What ASan keeps of freed memory is no memory of ours.
export ASAN_OPTIONS=quarantine_size_mb=1
TOKEN=$(token_new)
tenants_file "acme:$TOKEN"
certs
cert_new other
conf_base file 2 tls
headgate_start
known "$TOKEN"
otlp logs -o "$T/body"
ctl() { "$HEADGATECTL" --socket "$HG_DIR/control.sock" "$@" >"$T/said" 2>"$T/said.err"; }
serial() { openssl x509 -noout -serial -in "$1"; }
shown() { openssl s_client -connect "$ADDRESS" </dev/null 2>/dev/null | openssl x509 -noout -serial; }
generation() { metric config_generation; }
rest() { [ "$(workers | wc -l)" = 2 ]; }

# Each request over a connection of its own, while all of what follows goes on; and some over connections that stay.
background python3 "$WAY/tools/knock.py" "$URL" "$T/body" --ca "$CA" --token "$TOKEN" --results "$T/knocked"
knock=$SPAWNED
background python3 "$WAY/tools/load.py" "$URL" --ca "$CA" --token "$TOKEN" --connections 4 --rate 200 --seconds 1000 --results "$T/sent"
load=$SPAWNED
goes_on() { local n; n=$(wc -l <"$T/sent"); wait_until 20s more "$n"; }
more() { [ "$(wc -l <"$T/sent")" -gt "$1" ]; }
wait_until 20s more 50

# F56: the certificate
is "it shows the certificate" "$(shown)" "$(serial "$T/cert.pem")"
mv "$T/other.pem" "$T/cert.pem.new" && mv "$T/other.key" "$T/key.pem" && mv "$T/cert.pem.new" "$T/cert.pem"
ok "a reload with another certificate is exit 0" ctl reload
like "it tells the generations" "$(cat "$T/said")" '^generation 1 -> 2'
like "and the workers" "$(tail -n 1 "$T/said")" '^2/2 workers ready in [0-9]+ ms, old generation draining \([0-9]+ requests\)$'
serials=$(for i in 1 2 3 4 5 6; do shown; done | sort | uniq -c | xargs)
is "from then on only the new one is shown" "$serials" "6 $(serial "$T/cert.pem")"
cp "$T/key.pem" "$T/key.kept"
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$T/key.pem" 2>/dev/null
expect_err 'mod=reload'
ctl reload
is "a key that does not match is exit 78" $? 78
like "it tells which" "$(cat "$T/said.err")" "error: .*(cert|key).*"
like "and that nothing changed" "$(tail -n 1 "$T/said.err")" '^generation 2 stays live$'
is "the old certificate is kept" "$(shown)" "$(serial "$T/cert.pem")"
mv "$T/key.kept" "$T/key.pem"

# O7: a bad file
wait_until 40s rest
pids=$(workers | xargs)
cp "$HG_DIR/headgate.yaml" "$T/good.yaml"
printf 'wrkers: 3\nlog: {levl: info}\n' >>"$HG_DIR/headgate.yaml"
"$HEADGATE" -t -c "$HG_DIR/headgate.yaml" >/dev/null 2>"$T/checked"
ctl reload
is "a bad file is exit 78" $? 78
is "its errors are those of -t" "$(head -n -1 "$T/said.err")" "$(cat "$T/checked")"
is "generation and workers stay" "$(tail -n 1 "$T/said.err") $(workers | xargs) $(generation)" "generation 2 stays live $pids 2"
is "the metric is 0" "$(metric config_last_reload_success)" 0
is "the results are counted" "$(metric config_reloads_total '{result="ok"}') $(metric config_reloads_total '{result="config"}')" "1 2"
status_last() { tail -n 1 "$HG_DIR/notify.log" | grep -qE "READY=1.*STATUS=.*headgate.yaml:[0-9]+:1: error: unknown key 'wrkers'"; }
ok "STATUS tells it" wait_until 20s status_last
like "so does headgatectl" "$("$HEADGATECTL" --socket "$HG_DIR/control.sock" status | grep '^last reload')" 'last reload: config at .*wrkers'
ok "so does the log" wait_until 20s hg_log "lvl=err mod=reload .*unknown key 'wrkers'"
ok "so does the audit" wait_until 20s jq -se 'any(.[]; .kind == "reload" and .verdict != "ok" and (tostring | test("wrkers")))' "$HG_DIR/audit.log"
headgate_reload
is "SIGHUP with a bad file changes nothing either" "$(workers | xargs) $(generation)" "$pids 2"
ctl reload --dry-run
is "--dry-run says the same" "$? $(grep -c wrkers "$T/said.err")" "78 $(grep -c wrkers "$T/checked")"
cp "$T/good.yaml" "$HG_DIR/headgate.yaml"

# What changed, what needs a restart
conf log.level=warn limits.max_tenants=100 http.idle_timeout=30s
ok "a dry run is exit 0" ctl reload --dry-run
like "it names what would change" "$(cat "$T/said")" '^generation 2, nothing was changed \(--dry-run\).*log.level: .*info.* -> .*warn'
is "and changes nothing" "$(generation) $(workers | xargs)" "2 $pids"
ok "a good one is exit 0" ctl reload
like "each change has its line, old and new" "$(cat "$T/said")" 'http.idle_timeout: (75s|1m15s) -> 30s'
like "what needs a restart says so" "$(grep max_tenants "$T/said")" 'restart'
is "the metric is 1" "$(metric config_last_reload_success)" 1
old_ones() { workers | grep -qxE "${pids// /|}"; }
ok "each pid is another, once the old ones have drained" wait_until 40s fails old_ones
conf log.level= http.idle_timeout= limits.max_tenants=
ctl --json reload
is "--json tells the same" "$(jq -c '[.ok, .result, .from, .generation, .workers]' "$T/said")" '[true,"ok",3,4,2]'

# O8: three asked for while one runs are one more, and each of them has what it brings
wait_until 40s rest
before=$(generation)
python3 - "$HG_DIR/control.sock" >"$T/asked" <<'END'
import json, socket, sys
links = [socket.socket(socket.AF_UNIX) for i in range(4)]
for link in links:
    link.connect(sys.argv[1])
for link in links:
    link.sendall(b'{"do":"reload","timeout_ms":50000}\n')
for link in links:
    answer = json.loads(link.makefile().readline())
    print(answer["ok"], answer["from"], answer["generation"])
END
is "of four callers at once the first has a reload, the others share the next" "$(xargs <"$T/asked")" \
	"True $before $((before + 1)) $(for i in 1 2 3; do echo "True $((before + 1)) $((before + 2))"; done | xargs)"

# F57, with ten SIGHUPs
wait_until 40s rest
before=$(generation)
most=0
for i in {1..10}; do
	headgate_reload || fail "reload $i ends"
	[ $i != 3 ] || rss=$(rss "$HG_PID")
	n=$(workers | wc -l)
	((n <= most)) || most=$n
done
wait_until 60s rest
is "ten SIGHUPs are ten generations" "$(($(generation) - before))" 10
ok "never more than two at once: $most workers" test "$most" -le 4
ok "the master's memory stays: $rss -> $(rss "$HG_PID") KiB" test "$(rss "$HG_PID")" -le $((rss * 105 / 100))
ok "its descriptors too" test "$(find "/proc/$HG_PID/fd" -mindepth 1 | wc -l)" -le 60
ok "the load goes on" goes_on
end_pid "$load" TERM 20s
end_pid "$knock" TERM 20s
is "no request failed on connections that stay" "$(awk '{print $2}' "$T/sent" | sort | uniq -c | xargs)" "$(wc -l <"$T/sent") 200"
is "no request failed on a new connection, and no handshake" "$(sort "$T/knocked" | uniq -c | xargs)" "$(wc -l <"$T/knocked") 200"
is "READY=1 followed each RELOADING=1" "$(grep -c RELOADING=1 "$HG_DIR/notify.log")" "$(($(ready_count) - 1))"
finish
