#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 70-store.sh -- sink: local: what is accepted is a row, with the headers of a Kafka record; readers see it at once; the files of those who
# die or drain are closed by others; a start without its folder is refused (faults.md 10, F69 in short)
. "${0%/*}/lib.sh"

TOKEN=$(token_new)
tenants_file "acme:$TOKEN"
conf_base local file 2
conf "log.access_file=$HG_DIR/access.log"
store=$HG_DIR/store
rmdir "$store"	# it is made at the start

ok "-t says that the folder can be made, and makes nothing" eval '"$HEADGATE" -t -c "$HG_DIR/headgate.yaml" && [ ! -e "$store" ]'
headgate_start
known "$TOKEN"
otlp logs -m one -o "$T/body"
is "a body is accepted" "$(post /v1/logs "$T/body")" 200
stored >"$T/rows"
is "it is a row" "$(wc -l <"$T/rows")" 1
row=$(<"$T/rows")
is "its tenant, topic, signal and flags" "$(jq -r '[.key, .topic, .signal, .flags | tostring] | join(" ")' <<<"$row")" "$(hex acme) otlp_logs logs 0"
is "its headers are those of a record, in order" "$(jq -r '[.headers[][0]] | join(" ")' <<<"$row")" \
	"X-Scope-OrgID tenant_id signal format content-type headgate-request-id"
is "with their values" "$(for h in X-Scope-OrgID signal format content-type; do header "$row" $h; done | xargs)" "acme logs otlp_proto application/x-protobuf"
named() { [ "$(jq -c 'select(.verdict == "accepted") | [.partition, .offset]' "$HG_DIR/access.log")" = "$(jq -c '[.partition, .offset]' <<<"$row")" ]; }
ok "the access log names file and row" wait_until 20s named
now=$(date +%s%3N)
ok "the time is that of its reception" test $((now - $(jq .timestamp <<<"$row"))) -lt 60000
is "group headgate may read" "$(stat -c %a "$store"/*.db "$store"/*.db-wal "$store"/*.db-shm | sort -u)" 640

load --requests 2000 --connections 16 --results "$T/sent" >"$T/said"
stored >"$T/rows"
ok "each 2xx of many is a row" eval 'conserved "$T/sent" <"$T/rows" >"$T/kept"'
note "$(<"$T/kept")"
is "none is there twice" "$(jq .twice "$T/kept")" 0
is "ready" "$(get /ready)" 200
ok "the gauge knows the bytes" wait_until 20s eval '[ "$(metric store_bytes)" -gt 100000 ]'
ok "commits are observed" test "$(metric store_commit_seconds_count)" -gt 10
taken=$(metric items_accepted_total)
is "accepted = delivered" "$(metric items_delivered_total)" "$taken"

# ---- a reload: the next generation starts files of its own; those of the last one are closed by itself ----
before=$(cd "$store" && ls ./*.lock)
ok "a reload" headgate_reload
closed() { local f; for f in $before; do [ ! -e "$store/$f" ] || return 1; done; }
ok "the files of the last generation are closed" wait_until 40s closed
is "their rows are in the .db" "$(cd "$store" && for f in $before; do stat -c %s "${f%.lock}.db-wal"; done | sort -u)" 0
is "and go on being there" "$(stored | wc -l)" 2001

# ---- a death: whoever lives closes the file ----
conf workers=1
ok "one worker less" headgate_switch
load --requests 200 --connections 4 --prefix later- --results "$T/sent2" >"$T/said"
mine=$(basename "$store"/*.lock .lock)
expect_err 'mod=workers'
kill -KILL "$(workers)"
adopted() { [ ! -e "$store/$mine.lock" ] && [ "$(stat -c %s "$store/$mine.db-wal")" = 0 ]; }
ok "the file of a dead worker is closed by the next one" wait_until 20s adopted
ok "which says so" wait_until 20s hg_log "lvl=info mod=sink_local .*file=${mine#"${mine%%[1-9]*}"} "
ok "each 2xx is a row" eval 'stored | conserved "$T/sent" "$T/sent2" >"$T/kept"'

# ---- a slot that is no more, a stop, a start ----
is "a stop" "$(headgate_stop; echo $HG_STATUS)" 0
HG_PID=''
is "leaves no lock and no -wal with anything in it" "$(cd "$store" && ls ./*.lock 2>/dev/null; find . -name '*-wal' -size +0)" ""
headgate_start
known "$TOKEN"
is "the next start takes records" "$(post /v1/logs "$T/body")" 200
ok "numbers only grow" eval '[[ $(basename "$store"/*.lock .lock) > $mine ]]'
headgate_stop
HG_PID=''

# ---- without the folder ----
conf "local.dir=$HG_DIR/not/there"
ok "-t names the folder that is not there" eval '! "$HEADGATE" -t -c "$HG_DIR/headgate.yaml" 2>"$T/err" && grep "local.dir: $HG_DIR/not/there: can.t be written" "$T/err"'
"$HEADGATE" -c "$HG_DIR/headgate.yaml" >"$T/err" 2>&1
is "a start is refused as a bad configuration" "$?" 78
like "and says why" "$(<"$T/err")" "local.dir: $HG_DIR/not/there: can't be made: No such file or directory"
finish
