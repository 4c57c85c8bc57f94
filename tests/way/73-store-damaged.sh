#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 73-store-damaged.sh -- after a kill -9 bytes of the store turn, a file is cut, one is no database, a -wal is gone: the start is neither
# refused nor late, what is damaged is put aside as it is and counted, and what can be read goes on being there (F65 for the local store)
. "${0%/*}/lib.sh"

TOKEN=$(token_new)
tenants_file "acme:$TOKEN"
conf_base local file 5
conf "log.access_file=$HG_DIR/access.log" local.max_bytes=4GiB
store=$HG_DIR/store
expect_err 'mod=(sink_local|workers)'
headgate_start
known "$TOKEN"
load --requests 3000 --connections 120 --pad 500 --results "$T/sent" >"$T/said"
stored >"$T/rows"
mapfile -t files < <(cd "$store" && for f in *.db; do echo "${f%.db}"; done)
# With 120 connections none of them gets nothing; of 40 it would be one run in 1500.
is "five workers write five files" "${#files[@]}" 5
rows_of() { jq -c --argjson n "$((10#$1))" 'select(.partition == $n)' "$T/rows" | wc -l; }
for f in "${files[@]}"; do note "$f: $(rows_of "$f") rows, -wal of $(stat -c %s "$store/$f.db-wal") bytes"; done
mapfile -t pids < <(echo "$HG_PID"; workers)
kill -KILL "${pids[@]}"
HG_PID=''
wait_until 20s eval '[ -e "$HG_DIR/status" ]'
for pid in "${pids[@]}"; do wait_until 20s gone "$pid"; done

turn() { python3 -c 'import sys
f = open(sys.argv[1], "r+b"); f.seek(0, 2); at = int(f.tell() * float(sys.argv[2])); f.seek(at); b = f.read(1)[0]; f.seek(at); f.write(bytes([b ^ 16]))' "$@"; }
damaged=("${files[@]:0:4}") whole=${files[4]}
turn "$store/${files[0]}.db-wal" 0.5
truncate -s 0 "$store/${files[1]}.db"
rm "$store/${files[2]}.db-wal"
turn "$store/${files[3]}.db-wal" 0
for f in "${damaged[@]}"; do cp -r "$store/$f.db" "$T/"; [ ! -e "$store/$f.db-wal" ] || cp "$store/$f.db-wal" "$T/"; done

begun=$(now_us)
headgate_start
ok "the start is not late" test $(($(now_us) - begun)) -lt 15000000
ok "four files are counted" wait_until 20s eval '[ "$(metric store_quarantined_total)" = 4 ]'
is "and are in quarantine" "$(cd "$store/quarantine" && echo ./*.db)" "$(printf './%s.db ' "${damaged[@]}" | sed 's/ $//')"
same() { local f; for f in "${damaged[@]}"; do [ ! -e "$T/$f.db-wal" ] || cmp "$T/$f.db-wal" "$store/quarantine/$f.db-wal" || return 1; done; }
ok "the -wal of each as it was found" same
ok "the log names why" wait_until 20s hg_log 'lvl=err mod=sink_local .*damaged.*why='
stored >"$T/rows.after"
is "the whole file has all of its rows" "$(jq -c --argjson n "$((10#$whole))" 'select(.partition == $n)' "$T/rows.after" | wc -l)" "$(rows_of "$whole")"
kept=$(wc -l <"$T/rows.after")
ok "of the one whose bytes turned, the rows before are there ($kept rows in all)" test "$kept" -gt "$(rows_of "$whole")" -a "$kept" -lt 3000
is "nothing that is there was not sent" "$(conserved "$T/sent" <"$T/rows.after" 2>/dev/null | jq -c '[.strange, .refused_kept, .twice]')" "[0,0,0]"
known "$TOKEN"
load --requests 200 --connections 4 --prefix later- --results "$T/sent.later" >"$T/said"
is "records are accepted" "$(awk '$2 == 200' "$T/sent.later" | wc -l)" 200
ok "and kept" eval 'stored | conserved "$T/sent.later" >"$T/kept"'
finish
