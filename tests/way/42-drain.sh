#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 42-drain.sh -- a stop answers what it has begun and what comes late on a connection that is open, never with a reset, and ends with status 0;
# a second signal stops at once, and workers without a master drain by themselves (operations.md 4, faults.md 8)
. "${0%/*}/lib.sh"

TOKEN=$(token_new)
otlp logs -o "$T/body"
start() # INSTANCE [SETTING]...
{
	instance "$1"
	tenants_file "acme:$TOKEN"
	conf_base file 2
	conf "${@:2}" log.access_file="$HG_DIR/access.log"
	headgate_start
	known "$TOKEN"
	otlp logs -o "$T/body"
}
ended() { [ -e "$HG_DIR/status" ]; }
status() { wait_until "${1:-40s}" ended; HG_PID=''; cat "$HG_DIR/status"; }
all_gone() { local pid; for pid; do gone "$pid" || return 1; done; }

# Again when the machine stood still in between: its client was late itself then.
export -f metric admin
export WAY HG_DIR
for try in hg hg-2 hg-3; do
	start $try
	pids=$(workers)
	python3 "$WAY/tools/late.py" "$ADDRESS" "$HG_PID" "$T/body" --token "$TOKEN" \
		--begun '[ "$(metric connections "{state=\"active\",listener=\"public\"}")" = 2 ]' >"$T/late"
	[ $? = 3 ] || break
	status >"$T/said"
done
is "a request on an idle connection is answered, and is its last" "$(grep ^idle "$T/late")" "idle 200 close closed"
is "so is one whose head was half there" "$(grep ^head "$T/late")" "head 200 close closed"
is "and one whose body was" "$(grep ^body "$T/late")" "body 200 close closed"
is "a silent connection is closed, not reset" "$(grep ^silent "$T/late")" "silent closed"
is "the exit status is 0" "$(status)" 0
like "STOPPING=1 was said" "$(cat "$HG_DIR/notify.log")" $'\tSTOPPING=1'
ok "start and stop are in the audit" jq -se 'map(.kind) | contains(["start", "stop"])' "$HG_DIR/audit.log"
is "each request is in the access log" "$(jq -s 'map(select(.verdict == "accepted")) | length' "$HG_DIR/access.log")" 5
# shellcheck disable=SC2086
ok "no worker is left" all_gone $pids
ok "no socket is left" fails test -e "$HG_DIR/control.sock" -o -e "$HG_DIR/admin.sock"

# SIGINT is the same
start interrupted
kill -INT "$HG_PID"
is "SIGINT: status 0" "$(status)" 0

# What does not end is ended: at the limit, or by a second signal
hold()	# a request that is begun and never ends
{
	printf 'POST /v1/logs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/x-protobuf\r\nContent-Length: 1000\r\n\r\nhalf' \
		"$TOKEN" >"$T/half"
	background python3 "$WAY/tools/raw.py" "$ADDRESS" --timeout 200 "$T/half"
	wait_until 20s holds
}
holds() { [ "$(metric requests_in_flight '{route="otlp_logs"}')" = 1 ]; }
draining() { hg_log 'msg="?draining"?'; }
start limit http.drain_timeout=2s http.body_grace=60s
hold
begin=$(now_us)
kill -TERM "$HG_PID"
is "a request that never ends is given up at http.drain_timeout: status 0" "$(status)" 0
took=$((($(now_us) - begin) / 1000))
ok "in time: $took ms" test $took -ge 1500 -a $took -le 15000	# without it: 30 s, or 60
ok "the log says so" hg_log 'lvl=warn .*drain limit reached'

start twice http.drain_timeout=60s http.body_grace=60s
hold
kill -TERM "$HG_PID"
ok "the first signal drains" wait_until 20s draining
ok "for as long as the request is there" alive "$HG_PID"
begin=$(now_us)
kill -TERM "$HG_PID"
is "the second one stops at once: status" "$(status)" 0
took=$((($(now_us) - begin) / 1000))
ok "at once is $took ms" test $took -le 10000	# the first would take a minute

# The master is gone
start orphans
pids=$(workers)
exec {link}<>"/dev/tcp/${ADDRESS%:*}/${ADDRESS#*:}"
head=$(printf 'GET /health HTTP/1.1\r\nHost: x\r\n\r\n.')
printf '%s' "${head:0:4}" >&"$link"	# a silent connection waits in the listening socket, which ends with its workers
accepted() { [ "$(metric connections '{state="active",listener="public"}')" = 1 ]; }
ok "a request has begun" wait_until 20s accepted
kill -KILL "$HG_PID"
head=${head%.}
printf '%s' "${head:4}" >&"$link"
read -rt 20 -u "$link" line
like "the master is killed: its workers still answer" "$line" '^HTTP/1.1 200'
exec {link}>&-
# shellcheck disable=SC2086
ok "and end by themselves" wait_until 20s all_gone $pids
ok "each says why" eval '[ "$(grep -c "lvl=warn .*the master is gone, draining" "$HG_LOG")" = 2 ]'
is "the manager sees a kill" "$(status)" 137
finish
