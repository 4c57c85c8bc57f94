#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 46-spool-ill.sh -- a disk beneath the spool that fails: 503 while it lasts, and what was committed before it is sent all the same; after a death
# bytes turned, a file cut, a -wal gone: the start is neither refused nor late, what is damaged is put aside and counted, and each row that can
# be read is sent (F61, F64, F65 for the spool)
. "${0%/*}/lib.sh"
need broker

ill=$T/ill
mkdir -p "$ill/bin" "$ill/disk"
${CC:-cc} -std=gnu17 -D_GNU_SOURCE -O1 -shared -fPIC -o "$ill/disk.so" "$WAY/faults/ill_disk.c" -ldl &&
	${CC:-cc} -std=gnu17 -D_GNU_SOURCE -DWORKER="\"$(realpath "$HEADGATE_WORKER")\"" -DPRELOAD="\"$ill/disk.so\"" -DFOLDER="\"$ill/disk\"" \
		-o "$ill/bin/headgate-worker" "$WAY/faults/ill_disk.c" || bail "can't build faults/ill_disk.c"
cp "$HEADGATE" "$ill/bin/headgate"
HEADGATE=$ill/bin/headgate
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0

TOKEN=$(token_new)
kafka_start own
topics 1
expect_err 'mod=(sink_kafka|topics|spool|workers|audit)'
tenants_file "acme:$TOKEN"
conf_base kafka file 1
spool=$HG_DIR/spool
conf "log.access_file=$HG_DIR/access.log" spool.enabled=true "spool.dir=$spool"
headgate_start
known "$TOKEN"
otlp logs -m before -o "$T/body"
is "with Kafka a body is accepted" "$(post /v1/logs "$T/body")" 200
kafka_stop own
waiting() { "$HEADGATECTL" spool ls --json -c "$HG_DIR/headgate.yaml" | jq -s 'map(.waiting) | add // 0'; }
accepted() { [ "$(post /v1/logs "$T/body")" = 200 ]; }

# ---- F61, F64 ----
times=()
for how in sync write full; do
	load --requests 50 --connections 4 --prefix "$how-" --results "$T/$how" >"$T/said"
	is "$how: accepted before" "$(awk '{print $2}' "$T/$how" | sort -u)" 200
	touch "$ill/disk/$how"
	is "$how: then 503" "$(post /v1/logs "$T/body")" 503
	like "$how: which says when to come again" "$(reply_header Retry-After)" '^[1-5]$'
	rm "$ill/disk/$how"
	begun=$(now_us)
	ok "$how: accepted after its end" wait_until 20s accepted
	times+=($((($(now_us) - begun) / 1000)))
done
# Of one of them the machine may have stood still.
within=$(printf '%s\n' "${times[@]}" | sort -n | sed -n 2p)
ok "within 5 s, by the median: ${times[*]} ms" test "$within" -le 5000
ok "rows of files that failed wait too" test "$(waiting)" -ge 150
kafka_restart own
drained() { [ "$(waiting)" = 0 ]; }
ok "all of it is drained" wait_until 40s drained
ok "each that was accepted is there" eval 'records "$LOGS_TOPIC" | grep -v "$(hex before-0)" | conserved "$T"/{sync,write,full} >"$T/kept"'
note "$(<"$T/kept")"
is "accepted = delivered + failed" "$(metric items_accepted_total)" $(($(metric items_delivered_total) + $(metric items_failed_total)))
ok "at most two small files are left" wait_until 20s eval '[ "$(find "$spool" -name "*.db" | wc -l)" -le 2 ]'

# ---- F65 ----
conf workers=4
ok "a reload to four workers" headgate_switch
kafka_stop own
known "$TOKEN"
load --requests 1500 --connections 80 --pad 500 --prefix damaged- --results "$T/damaged" >"$T/said"
is "each is accepted" "$(awk '{print $2}' "$T/damaged" | sort -u)" 200
mapfile -t files < <(cd "$spool" && for f in *.db; do echo "${f%.db}"; done)
# With 80 connections none of them gets nothing.
is "four workers write four files" "${#files[@]}" 4
mapfile -t pids < <(echo "$HG_PID"; workers)
kill -KILL "${pids[@]}"
HG_PID=''
wait_until 20s eval '[ -e "$HG_DIR/status" ]'
for pid in "${pids[@]}"; do wait_until 20s gone "$pid"; done
rows_of() { "$HEADGATECTL" spool ls --json -c "$HG_DIR/headgate.yaml" | jq --arg f "$1.db" 'select(.file == $f) | .rows'; }
whole=$(rows_of "${files[3]}")
python3 -c 'import sys
f = open(sys.argv[1], "r+b"); f.seek(0, 2); at = f.tell() // 2; f.seek(at); b = f.read(1)[0]; f.seek(at); f.write(bytes([b ^ 16]))' "$spool/${files[0]}.db-wal"
truncate -s 0 "$spool/${files[1]}.db"
rm "$spool/${files[2]}.db-wal"
begun=$(now_us)
headgate_start
ok "the start is not late" test $(($(now_us) - begun)) -lt 15000000
known "$TOKEN"
ok "three files are counted" wait_until 20s eval '[ "$(metric store_quarantined_total "{store=\"spool\"}")" = 3 ]'
is "and are in quarantine" "$("$HEADGATECTL" spool ls --json -c "$HG_DIR/headgate.yaml" | jq -r 'select(.state == "damaged") | .file' | sort | xargs)" \
	"$(printf 'quarantine/%s.db ' "${files[@]:0:3}" | sort | sed 's/ $//')"
kafka_restart own
ok "what can be read is drained" wait_until 40s drained
records "$LOGS_TOPIC" | grep -v "$(hex before-0)" >"$T/records"
sent=$(conserved "$T"/{sync,write,full,damaged} <"$T/records" 2>"$T/said" | jq -c '[.strange, .refused_kept]')
is "nothing came that was not sent" "$sent" "[0,0]"
kept=$(grep -c "$(hex damaged-)" "$T/records")
ok "the whole file's $whole rows are there, and those before the turned byte: $kept" test "$kept" -gt "$whole" -a "$kept" -lt 1500
ok "the damaged are dropped by hand" "$HEADGATECTL" spool drop --damaged -c "$HG_DIR/headgate.yaml"
is "and gone" "$("$HEADGATECTL" spool ls --json -c "$HG_DIR/headgate.yaml" | jq -r 'select(.state == "damaged") | .file')" ""
finish
