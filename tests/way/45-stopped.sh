#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 45-stopped.sh -- a worker that is stopped costs the master nothing and serves the newest table when it goes on; one that stands still for 10 s
# is replaced; a generation that is never READY is given up, and the old one stays (F73, F62, O7)
. "${0%/*}/lib.sh"
need postgres

export ASAN_OPTIONS=quarantine_size_mb=1
tenant_add acme
TOKEN=$(token_add acme)
conf_base 2
headgate_start
known "$TOKEN"
otlp logs -o "$T/body"
ctl() { "$HEADGATECTL" --socket "$HG_DIR/control.sock" "$@" >"$T/said" 2>"$T/said.err"; }
table() { ctl --json status; jq -r "$1" "$T/said"; }
fds() { find "/proc/$HG_PID/fd" -mindepth 1 | wc -l; }

# F73
pg_session writer
pg_in writer "SELECT way.token('acme', 'warm-' || i) FROM generate_series(1, 500) i" >/dev/null
known warm-500
read -r stopped other < <(workers | xargs)
settles() { [ "$(table '[.workers[].table] | unique | length')" = 1 ]; }
scopes=(traces:write logs:write)
change() { pg_in writer "UPDATE headgate.token SET scopes = '{${scopes[$1 % 2]}}' WHERE token_id = way.token_id('warm-1')"; }
# An allocator takes what it needs for so many tables once: ASan's of gcc 14 4 MiB.
for ((i = 0; i < 700; i++)); do change $i; done
wait_until 20s settles
fds=$(fds) rss=$(rss "$HG_PID") before=$(table .tenants.table)
begin=$(now_us)
kill -STOP "$stopped"
# At 10 s it is replaced: a machine that stands still for a while must not come to that.
for ((i = tables = us = 0; tables < 120 && us < 7000000; i++)); do
	change $i
	((i % 50)) || tables=$(($(table .tenants.table) - before))
	us=$((${EPOCHREALTIME/[.,]/} - begin))
done
tables=$(($(table .tenants.table) - before)) fds_then=$(fds) rss_then=$(rss "$HG_PID") has=$(table ".workers[] | select(.pid == $stopped) | .table")
pg_in writer "SELECT way.revoke('warm-500')" >/dev/null
kill -CONT "$stopped"
ok "$tables tables were published in $((us / 1000)) ms while a worker was stopped" test $tables -ge 100
ok "the master has at most two descriptors more: $fds -> $fds_then" test "$fds_then" -le $((fds + 2))
ok "its memory is flat: $rss -> $rss_then KiB" test "$rss_then" -le $((rss + rss / 20 + 1024))
is "the stopped one has none of them" "$has" "$before"
newest() { [ "$(table ".workers[] | select(.pid == $stopped) | .table")" = "$(table .tenants.table)" ]; }
ok "it goes on with the newest" wait_until 20s newest
refused() { local i; for i in {1..8}; do [ "$(TOKEN=warm-500 request /v1/logs -d x)" = 401 ] || return 1; done; }
ok "all workers refuse what was revoked last" wait_until 20s refused
is "nobody was replaced" "$(metric worker_restarts_total)" 0

# F62's part: it stands still
expect_err "a worker's heart stands still, it is killed"
expect_err 'msg="worker ended unasked".* code=9 by=master'
begin=$(now_us)
kill -STOP "$stopped"
replaced() { gone "$stopped" && [ "$(workers | wc -l)" = 2 ] && ctl -q status; }
ok "a worker whose heart stands still is replaced" wait_until 40s replaced
took=$((($(now_us) - begin) / 1000))
ok "after 10 s: $took ms" test $took -ge 8000 -a $took -le 20000
is "the metric says why" "$(metric worker_restarts_total '{reason="stuck"}')" 1
ok "the other one has lived" alive "$other"
is "clients are served" "$(post /v1/logs "$T/body")" 200

# O7: a generation that is never READY
expect_err 'mod=reload msg="reload failed, nothing has changed" result=not_ready'
expect_err 'msg="a worker is late, it is killed"'
old=$(workers | xargs)
# shellcheck disable=SC2086
background python3 "$WAY/tools/hurt.py" "$T/stops" STOP "$HG_PID" $old
stopper=$SPAWNED
wait_until 20s test -e "$T/stops"
begin=$(now_us)
ctl reload
is "a generation that is never READY: exit 1" $? 1
took=$((($(now_us) - begin) / 1000))
end_pid "$stopper" KILL
ok "after 10 s: $took ms" test $took -ge 9000 -a $took -le 25000
like "it is told why" "$(cat "$T/said.err")" '0 of 2 workers were ready after 10 s.*generation 1 stays live'
only_old() { [ "$(workers | sort | xargs)" = "$(tr ' ' '\n' <<<"$old" | sort | xargs)" ]; }
ok "its workers are killed, the old ones stay" wait_until 20s only_old
is "they serve" "$(post /v1/logs "$T/body") $(metric config_generation)" "200 1"
is "the result is counted" "$(metric config_reloads_total '{result="not_ready"}') $(metric config_last_reload_success)" "1 0"
ok "a reload after it works" ctl reload
like "as generation 2 or later" "$(cat "$T/said")" '^generation 1 -> [23]'

# One that has to wait until the workers of before are gone is not forgotten when who asked for it waits no more
next=$(($(table .generation) + 2))
gone_before() { [ "$(workers | wc -l)" = 2 ]; }
wait_until 20s gone_before
old=$(workers | xargs)
# shellcheck disable=SC2086
kill -STOP $old
ok "a reload while those of before stand still" ctl reload
"$HEADGATECTL" --socket "$HG_DIR/control.sock" reload --timeout 1s >"$T/impatient" 2>&1
is "who does not wait so long for the next one: exit 75" $? 75
like "is told that it goes on" "$(cat "$T/impatient")" 'the reload goes on, but took longer than --timeout'
# shellcheck disable=SC2086
kill -CONT $old
comes() { [ "$(table .generation)" = "$next" ]; }
ok "and it does" wait_until 20s comes

# The last word of a worker that outlives the newest generation: which table it maps, when there are no tenants any more
headgate_restart
known "$TOKEN"
old=$(workers | xargs)
# shellcheck disable=SC2086
kill -STOP $old
ok "a reload beside workers that stand still" ctl reload
before=$(table .tenants.table)
token_add acme >/dev/null
newer() { (($(table .tenants.table) > before)); }
ok "a table that they have not read" wait_until 20s newer
kill -TERM "$HG_PID"
ok "the newest generation ends first" wait_until 20s hg_log 'a generation has ended.*gen=2'
# shellcheck disable=SC2086
kill -CONT $old
ok "the master survives what they say, and ends well" headgate_stop
finish
