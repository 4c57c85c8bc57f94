#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 47-slots.sh -- more and fewer workers, listeners that come and go, a slot whose worker dies again and again, and the end when all do (F59);
# log files are reopened by SIGUSR1, SIGUSR2 is for later (operations.md 4)
. "${0%/*}/lib.sh"

TOKEN=$(token_new)
otlp logs -o "$T/body"
ctl() { "$HEADGATECTL" --socket "$HG_DIR/control.sock" "$@" >"$T/said" 2>"$T/said.err"; }
hurt() { rm -f "$T/hurts"; background python3 "$WAY/tools/hurt.py" "$T/hurts" KILL "$@"; HURTS=$SPAWNED; wait_until 20s test -e "$T/hurts"; }
# Each of many connections, so that every slot's socket is met
all_served() { [ "$(for i in {1..12}; do post /v1/logs "$T/body" --max-time "${1:-20}"; echo; done | sort | uniq -c | xargs)" = "12 200" ]; }

# All slots: looked at in the end
instance doomed
tenants_file "acme:$TOKEN"
conf_base file 2
headgate_start
hurt "$HG_PID"
expect_err 'mod=workers msg="worker ended unasked"'
expect_err "a worker can't be set up"
expect_err 'workers die again and again soon after their start: giving up'

instance hg
tenants_file "acme:$TOKEN"
conf_base file 2
conf log.access_file="$HG_DIR/access.log"
headgate_start
known "$TOKEN"

# SIGUSR1
ok "all connections are served" all_served
mv "$HG_DIR/access.log" "$HG_DIR/access.log.1"
mv "$HG_DIR/audit.log" "$HG_DIR/audit.log.1"
kill -USR1 "$HG_PID"
ok "SIGUSR1 reopens the log files" wait_until 20s hg_log 'log files reopened'
written() { post /v1/logs "$T/body" >/dev/null; [ "$(jq -s 'map(.worker) | unique | length' "$HG_DIR/access.log")" = 2 ]; }
ok "both workers write into the new one" wait_until 20s written
old=$(wc -l <"$HG_DIR/access.log.1")
kill -USR2 "$HG_PID"
ok "SIGUSR2 is ignored: it serves" all_served
is "nobody writes into the old one" "$(wc -l <"$HG_DIR/access.log.1")" "$old"
# Of a line that is being written there may be a part.
gapless() { [ "$(cat "$HG_DIR"/access.log* | jq -s '[group_by(.worker)[] | (map(.seq) | max - min + 1) == length] | all')" = true ]; }
ok "no number is missing in either" wait_until 20s gapless

# The same by the tool (operations.md 2)
mv "$HG_DIR/access.log" "$HG_DIR/access.log.2"
mv "$HG_DIR/audit.log" "$HG_DIR/audit.log.2"
ok "so does headgatectl logs reopen" ctl logs reopen
is "it says which they are" "$(cat "$T/said")" "access $HG_DIR/access.log"$'\n'"audit  $HG_DIR/audit.log"
ok "both workers write into the new one again" wait_until 20s written
is "as JSON too" "$(ctl --json logs reopen; jq -c . "$T/said")" "{\"ok\":true,\"access_file\":\"$HG_DIR/access.log\",\"audit_file\":\"$HG_DIR/audit.log\",\"schema\":1}"
ok "no number is missing in the three" wait_until 20s gapless
# A folder that has gone
mv "$HG_DIR/access.log" "$HG_DIR/access.log.3"
mkdir "$HG_DIR/access.log"
expect_err 'log files are not reopened, the old ones stay'
ctl logs reopen
is "what can't be opened is told in one line" "$? $(cat "$T/said.err")" \
	"1 headgatectl: log files are not reopened, the old ones stay: can't open $HG_DIR/access.log: Is a directory"
old=$(wc -l <"$HG_DIR/access.log.3")
post /v1/logs "$T/body" >/dev/null
grown() { [ "$(wc -l <"$HG_DIR/access.log.3")" -gt "$old" ]; }
ok "the old one is written into" wait_until 20s grown
rmdir "$HG_DIR/access.log"

# Workers and listeners come and go
conf workers=4
ok "four workers by a reload" headgate_switch
is "four are there" "$(workers | wc -l)" 4
ok "all connections are served by four" all_served
conf workers=1
ok "one worker by a reload" headgate_switch
is "one is there" "$(workers | wc -l)" 1
ok "sockets of slots that are gone are served too" all_served
port=$(port_pick)
conf workers=2 listeners.1.name=more "listeners.1.listen=127.0.0.1:$port"
ok "one more listener by a reload" headgate_switch
connects() { [ "$(curl -s --max-time 20 -o "$T/reply" -w '%{http_code}' "http://127.0.0.1:$port/health")" = "$1" ]; }
ok "it is served" connects 200
conf listeners.1=
ok "and taken away" headgate_switch
ok "nobody listens there" connects 000
ok "the first one is served" all_served

# F59: one slot
read -r spared victim < <(workers | xargs)
before=$(wc -l <"$HG_LOG")
hurt "$HG_PID" "$spared"
falls() { tail -n +$((before + 1)) "$HG_LOG" | grep -oP 'worker ended unasked.*again_in_ms=\K[0-9]+'; }
many() { [ "$(falls | wc -l)" -ge 5 ]; }
ok "a worker that dies again and again is started again and again" wait_until 60s many
is "with a pause that doubles" "$(falls | head -n 5 | xargs)" "100 200 400 800 1600"
ok "its connections are served by a sibling" wait_until 20s hg_log 'a slot without a worker is served by a sibling'
ok "within 2 s each" wait_until 20s all_served 2	# all twelve, once the machine does not stand still
end_pid "$HURTS" KILL
back() { [ "$(workers | wc -l)" = 2 ] && ctl -q status && [ "$(metric workers '{state="ready"}')" = 2 ]; }
ok "then it stays" wait_until 40s back	# the pause is 10 s at most
ok "all connections are served again" all_served
ok "the spared one has lived" alive "$spared"

# F59: all slots
instance doomed
ended() { [ -e "$HG_DIR/status" ]; }
wait_until 90s ended
took=$(awk '$2 == "START" {start = $1} $2 == "EXIT" {printf "%d", $1 - start}' "$HG_DIR/notify.log")
is "when all die for 30 s: exit 70" "$(cat "$HG_DIR/status")" 70
ok "not before, and soon after: $took s" test "$took" -ge 30 -a "$took" -le 60
ok "the log says why" hg_log 'lvl=err .*workers die again and again'
HG_PID=''
finish
