#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 46-spool-killed.sh -- workers, then all of the gateway are killed while rows wait; a reload leaves rows to the next generation, one of fewer
# workers; a stop meets a broker that does not answer: whatever was accepted comes to its topic, drained by whoever is there (F63, F67, F69 in short)
. "${0%/*}/lib.sh"
need broker

TOKEN=$(token_new)
kafka_start own
topics 2
expect_err 'mod=(sink_kafka|topics|spool|workers|audit)'
tenants_file "acme:$TOKEN"
conf_base kafka file 3
spool=$HG_DIR/spool
conf "log.access_file=$HG_DIR/access.log" spool.enabled=true "spool.dir=$spool"
headgate_start
known "$TOKEN"
otlp logs -m before -o "$T/body"
is "with Kafka a body is accepted" "$(post /v1/logs "$T/body")" 200
kafka_stop own
waiting() { "$HEADGATECTL" spool ls --json -c "$HG_DIR/headgate.yaml" | jq -s 'map(.waiting) | add // 0'; }

# ---- a worker dies ----
load --requests 300 --connections 12 --prefix one- --results "$T/one" >"$T/said"
is "each is accepted" "$(awk '{print $2}' "$T/one" | sort -u)" 200
is "and waits" "$(waiting)" 300
kill -KILL "$(workers | head -n 1)"
three() { [ "$(workers | wc -l)" = 3 ]; }
ok "another worker takes its place" wait_until 20s three
ok "its files are taken over" wait_until 20s hg_log 'lvl=info mod=spool .*dead process'

# ---- a reload to fewer workers, with rows waiting ----
load --requests 200 --connections 12 --prefix two- --results "$T/two" >"$T/said"
conf workers=1
begun=$(now_us)
ok "a reload" headgate_reload
ok "is ready soon, whatever waits" test $(($(now_us) - begun)) -lt 10000000	# it would wait for as long as Kafka is away
ok "and takes records" eval '[ "$(post /v1/logs "$T/body")" = 200 ]'
alone() { [ "$(workers | wc -l)" = 1 ]; }
ok "the others end" wait_until 40s alone
is "nothing of what waited is gone" "$(waiting)" 501

# ---- all of it dies ----
load --requests 100 --connections 4 --prefix three- --results "$T/three" >"$T/said"
mapfile -t pids < <(echo "$HG_PID"; workers)
kill -KILL "${pids[@]}"
HG_PID=''
wait_until 20s eval '[ -e "$HG_DIR/status" ]'
for pid in "${pids[@]}"; do wait_until 20s gone "$pid"; done
headgate_start
known "$TOKEN"
is "nothing of what waited is gone" "$(waiting)" 601

# ---- Kafka is back ----
kafka_restart own
drained() { [ "$(waiting)" = 0 ]; }
ok "all of it is drained" wait_until 40s drained
records "$LOGS_TOPIC" >"$T/records"
ok "each that was accepted is there" eval 'grep -v "$(hex before-0)" "$T/records" | conserved "$T/one" "$T/two" "$T/three" >"$T/kept"'
note "$(<"$T/kept")"
is "once" "$(jq .twice "$T/kept")" 0
is "no file was damaged" "$(metric store_quarantined_total)" 0
ok "one small file is left" wait_until 20s eval '[ "$(find "$spool" -name "*.db" | wc -l)" -le 1 ]'

# ---- a stop, the broker frozen: what it did not confirm becomes rows ----
conf http.drain_timeout=4s
ok "a reload" headgate_switch
warm() { [ "$(post /v1/logs "$T/body")" = 200 ]; }
ok "it delivers" wait_until 20s warm
kafka_freeze own
background python3 "$WAY/tools/load.py" "$URL" --token "$TOKEN" --quiet --connections 20 --requests 20 --prefix stop- --results "$T/stop"
load=$SPAWNED
flight() { [ "$(metric items_in_flight)" -ge 20 ]; }
ok "20 records are with the broker" wait_until 20s flight
kill -TERM "$HG_PID"
ended() { [ -e "$HG_DIR/status" ]; }
ok "it ends" wait_until 40s ended
is "with status 0" "$(cat "$HG_DIR/status")" 0
HG_PID=''
wait_until 20s gone "$load"
is "each client was told 200" "$(awk '{print $2}' "$T/stop" | sort | uniq -c | xargs)" "20 200"
is "and each of them waits" "$(waiting)" 20
kafka_thaw own
headgate_start
ok "the next start drains them" wait_until 40s drained
ok "each is there" eval 'records "$LOGS_TOPIC" | conserved "$T/stop" >"$T/kept"'
finish
