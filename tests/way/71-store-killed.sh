#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 71-store-killed.sh -- the whole gateway is killed at KILLS random points of its writing, and started again: each record that was answered 2xx
# is in the store, none is damaged, and nothing is left open at the end (F63 for the local store, in short)
. "${0%/*}/lib.sh"
: "${KILLS:=200}"

TOKEN=$(token_new)
tenants_file "acme:$TOKEN"
conf_base local file 2
port=$(port_pick)
# Small files, so that some of the deaths meet a change of files, a checkpoint, an adoption.
conf "log.access_file=$HG_DIR/access.log" "listeners.0.listen=127.0.0.1:$port" local.max_bytes=128MiB
URL=http://127.0.0.1:$port
echo "$URL" >"$HG_DIR/url"
background python3 "$WAY/tools/load.py" "$URL" --token "$TOKEN" --quiet --connections 12 --seconds 1000 --pad 3000 --timeout 5 --results "$T/sent"
load=$SPAWNED
answers() { grep -c ' 200 ' "$T/sent"; }

# Without a manager: a start is one exec, and what is killed is all there is. A killed process whose thread waits for the disk lets go of its
# sockets when that is over: then once more.
both() { [ "$(workers | wc -l)" = 2 ]; }
starts()
{
	local try
	for try in {1..50}; do
		spawn "$HG_LOG" "$HEADGATE" -c "$HG_DIR/headgate.yaml"
		HG_PID=$SPAWNED
		both_or_end() { both || gone "$HG_PID"; }
		wait_until 20s both_or_end
		gone "$HG_PID" || return 0
		note "start $try of $i did not find its port free"
	done
	return 1
}
expect_err "mod=master .*can't bind: Address already in use"
killed=0 quiet=0
for ((i = 0; i < KILLS; i++)); do
	before=$(answers)
	starts || break
	# Some die within their start, the others after so many answers.
	want=$((before + RANDOM % 60))
	more() { [ "$(answers)" -ge "$want" ]; }
	wait_until 20s more || ((++quiet))
	mapfile -t pids < <(echo "$HG_PID"; workers)
	kill -KILL "${pids[@]}"
	all_gone() { local pid; for pid in "${pids[@]}"; do gone "$pid" || return 1; done; }
	wait_until 20s all_gone || break
	((++killed))
done
is "it was killed so often" "$killed" "$KILLS"
is "and did take records each time" "$quiet" 0
starts
more() { [ "$(answers)" -ge $((want + 50)) ]; }
ok "at last it goes on" wait_until 20s more
end_pid "$load" TERM 20s
closed() { [ "$(cd "$HG_DIR/store" && ls ./*.lock | wc -l)" = 2 ]; }
ok "what the dead left is closed" wait_until 60s closed
ok "each 2xx is in the store, and no checksum is wrong" eval 'stored >"$T/rows" && conserved "$T/sent" <"$T/rows" >"$T/kept"'
note "$(<"$T/kept")"
is "nothing strange is there" "$(jq .strange "$T/kept")" 0
is "no file was found damaged" "$(metric store_quarantined_total) $(ls -d "$HG_DIR/store/quarantine" 2>/dev/null)" "0 "
ok "an end" end_pid "$HG_PID" TERM 40s
HG_PID=''
is "leaves no lock" "$(cd "$HG_DIR/store" && ls ./*.lock 2>/dev/null)" ""
WAY_INSTANCES+=(hg)
expect_err 'mod=(life|audit)'
finish
