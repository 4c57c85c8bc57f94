#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 46-systemd.sh -- under a manager that speaks as systemd does: readiness, watchdog, sockets of a socket unit, and a restart under load with the
# listening sockets in its descriptor store, which refuses nobody (O9, O19; operations.md 4)
. "${0%/*}/lib.sh"
need root

TOKEN=$(token_new)
otlp logs -o "$T/body"

# O9: a restart under load
tenants_file "acme:$TOKEN"
conf_base file 2
headgate_start
known "$TOKEN"
is "a socket of each listener and slot is in the store" "$(grep -oP 'FDSTORE\t\K.*' "$HG_DIR/notify.log" | sort | xargs)" "hg.public.0 hg.public.1"
like "READY=1 has a STATUS" "$(grep READY=1 "$HG_DIR/notify.log")" 'STATUS=generation 1, 2/2 workers ready'
before=$ADDRESS pid=$HG_PID
knocks=()
for i in 1 2 3; do
	background python3 "$WAY/tools/knock.py" "$URL" "$T/body" --token "$TOKEN" --results "$T/knocked.$i"
	knocks+=("$SPAWNED")
done
many() { [ "$(cat "$T"/knocked.* | wc -l)" -ge "$1" ]; }
wait_until 20s many 50
for i in 1 2; do
	headgate_restart
	ok "restart $i: another process on the same address" test "$HG_PID" != "$pid" -a "$ADDRESS" = "$before"
	pid=$HG_PID
	count=$(cat "$T"/knocked.* | wc -l)
	ok "restart $i: it serves" wait_until 20s many $((count + 50))
done
for i in "${knocks[@]}"; do end_pid "$i" TERM 35s; done
is "nobody was refused, reset or told 503" "$(cat "$T"/knocked.* | sort | uniq -c | xargs)" "$(cat "$T"/knocked.* | wc -l) 200"
is "nothing was stored twice" "$(grep -oP 'FDSTORE\t\K.*' "$HG_DIR/notify.log" | sort | uniq -d)" ""
conf workers=1
headgate_restart
is "with fewer workers both sockets are served" "$(for i in {1..12}; do get /health; echo; done | sort | uniq -c | xargs)" "12 200"

# The watchdog
instance dog
tenants_file "acme:$TOKEN"
conf_base file 1
MANAGER=(--watchdog 4)
headgate_start
fed() { [ "$(grep -c WATCHDOG=1 "$HG_DIR/notify.log")" -ge 4 ]; }
ok "the watchdog is fed" wait_until 20s fed
feed=$(grep WATCHDOG=1 "$HG_DIR/notify.log" | awk 'NR > 1 {print $1 - last} {last = $1}' | sort -n | head -n 1)
ok "each 2 s, half of its interval: $feed" awk -v s="$feed" 'BEGIN {exit !(s < 2.3)}'	# one that was late is soon followed by the next
ended() { [ -e "$HG_DIR/status" ]; }
pids=$(workers)
kill -STOP "$HG_PID"
barks() { grep -q $'\tWATCHDOG$' "$HG_DIR/notify.log"; }
ok "a master that stands still is found out" wait_until 20s barks
kill -CONT "$HG_PID"
wait_until 20s ended
is "and ended by SIGABRT" "$(cat "$HG_DIR/status")" 134
HG_PID=''
all_gone() { local pid; for pid; do gone "$pid" || return 1; done; }
# shellcheck disable=SC2086
ok "its workers end too" wait_until 20s all_gone $pids
MANAGER=()

# A socket unit
instance unit
tenants_file "acme:$TOKEN"
conf_base file 2
MANAGER=(--socket web=127.0.0.1:0)
conf listeners.0.listen=fd:web
headgate_start
known "$TOKEN"
is "the socket that was passed is the listener" "$ADDRESS" "$(grep -oP 'LISTEN\tweb\t\K.*' "$HG_DIR/notify.log")"
is "its clients are served" "$(post /v1/logs "$T/body")" 200
ok "after a reload too" headgate_switch
is "by the same socket" "$(post /v1/logs "$T/body")" 200
"$HEADGATE" -c "$HG_DIR/headgate.yaml" -o "control.socket=$T/other.sock" >"$T/said" 2>&1
code=$?
ok "a start without that socket is refused ($code)" test $code != 0
like "it is named" "$(cat "$T/said")" 'lvl=err .*fd:web: no socket was passed under this name'
MANAGER=()

# O19: the unit's user and umask
getent passwd nobody >/dev/null || skip_all nobody
instance user
tenants_file "acme:$TOKEN"
conf_base file 1
: >"$HG_LOG"
chown -R nobody "$HG_DIR"
chmod 711 "$HG_DIR"
MANAGER=(--user nobody --umask 077)
headgate_start
known "$TOKEN"
is "as the unit's user" "$(stat -c %U "/proc/$(workers)")" nobody
is "the control socket is 0660 in spite of the umask" "$(stat -c '%a %U' "$HG_DIR/control.sock")" "660 nobody"
is "so is the admin socket" "$(stat -c '%a' "$HG_DIR/admin.sock")" 660
is "the audit file is for its owner and group at most" "$(($(stat -c '%a' "$HG_DIR/audit.log") % 10))" 0
is "clients are served" "$(post /v1/logs "$T/body")" 200
finish
