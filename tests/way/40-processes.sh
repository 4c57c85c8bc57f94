#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 40-processes.sh -- two programs with a library of their own each, workers in a sandbox over sealed tables, and a worker that dies is
# replaced at once, is nobody's fault and is the only one to notice (F15, F29, O9, O22)
. "${0%/*}/lib.sh"
need root

TOKEN=$(token_new)
tenants_file "acme:$TOKEN"
certs
conf_base file 2
# A private key in it: the configuration that workers get.
conf listeners.1.name=secure listeners.1.listen=127.0.0.1:0 "listeners.1.tls.cert_file=$T/cert.pem" "listeners.1.tls.key_file=$T/key.pem"
headgate_start
URL=http://$ADDRESS
known "$TOKEN"

# Two programs
libraries() { ldd "$1" | grep -oE 'lib(pq|yaml|jansson|rdkafka|protobuf-c|deflate|seccomp)\b' | sort -u | xargs; }
is "the worker has neither libpq nor libyaml" "$(libraries "$HEADGATE_WORKER")" "libdeflate libjansson libprotobuf-c librdkafka libseccomp"
is "the master has no librdkafka" "$(libraries "$HEADGATE")" "libjansson libpq libyaml"
is "the master is headgate" "$(readlink "/proc/$HG_PID/exe")" "$HEADGATE"
is "two workers" "$(workers | wc -l)" 2
for pid in $(workers); do
	is "a worker is headgate-worker" "$(readlink "/proc/$pid/exe")" "$HEADGATE_WORKER"
	is "its arguments tell nothing" "$(tr '\0' ' ' <"/proc/$pid/cmdline")" "headgate-worker --channel "
	environment "$pid" "$T/environ"
	is "its environment neither" "$(grep -avE '^(UBSAN|ASAN|LSAN|TSAN)_OPTIONS=|^$' "$T/environ")" ""
	is "each of its threads is in a sandbox" "$(sed -n 's/^\(Seccomp\|NoNewPrivs\):\t/\1 /p' "/proc/$pid/task/"*/status | sort -u | xargs)" \
		"NoNewPrivs 1 Seccomp 2"
	is "it has no file open but those it was given" "$(readlink "/proc/$pid/fd/"* | grep '^/' | grep -vE "^(/memfd:|/dev/null$|/proc/[0-9]+/statm$|$HG_DIR/(log|audit\.log)$)")" ""
done

# F29: tables are sealed
# Each memfd once, however many of its parts are mapped.
mapped_to_be_written() { awk '$2 ~ /w/ && $6 ~ /memfd:headgate/ {print $5, $6}' "/proc/$1/maps" | sort -u | sed 's|.*/memfd:||' | sort | xargs; }
for pid in $(workers); do
	is "its table is mapped to be read, of a memfd that is sealed" "$(seals "$pid" | grep headgate-tenants)" \
		"map headgate-tenants r--p seal,shrink,grow,write"
	is "likewise its configuration" "$(seals "$pid" | grep 'map headgate-conf')" "map headgate-conf r--p seal,shrink,grow,write"
	is "it may write one page of figures, its own, and the limits" "$(mapped_to_be_written "$pid")" \
		"headgate-limits headgate-stats"
done
is "no writable view of a table is left in the master" "$(seals "$HG_PID" | awk '$1 == "map" && $2 ~ /tenants|conf/')" ""
for name in headgate-tenants headgate-conf; do
	is "whoever gets hold of $name cannot change it" "$(python3 "$WAY/tools/attack.py" "$HG_PID" $name | xargs)" \
		"write EPERM append EPERM shrink EPERM grow EPERM hole EPERM shared-map EPERM private-map EPERM seal EPERM unchanged"
done

# F15, O9: a worker gets SIGKILL while requests run
expect_err 'msg="worker ended unasked".* how="?signal"? code=9'
otlp logs -o "$T/body"
background python3 "$WAY/tools/load.py" "$URL" --token "$TOKEN" --quiet --connections 8 --seconds 1000 --results "$T/sent"
load=$SPAWNED
many() { [ "$(wc -l <"$T/sent")" -ge "$1" ]; }
wait_until 20s many 100
ready_lines() { grep -c 'msg="worker ready"' "$HG_LOG"; }
more_ready() { [ "$(ready_lines)" -gt "$before" ]; }
# A machine may stand still for longer than that: the quickest of three counts.
deaths=0 took=1001
while ((took > 1000 && deaths < 3)); do
	((++deaths))
	read -r victim other < <(workers | xargs)
	before=$(ready_lines)
	died=$(now_us)
	kill -KILL "$victim"
	ok "a worker that was killed is replaced" wait_until 20s more_ready
	took=$((($(now_us) - died) / 1000))
done
ok "READY within 1 s: $took ms" test $took -le 1000
wait_until 20s many $(($(wc -l <"$T/sent") + 200))
end_pid "$load" TERM 20s
is "requests end in a 200 or in no answer" "$(awk '{print $2}' "$T/sent" | sort -u | tr '\n' ' ' | sed 's/000 //')" "200 "
lost=$(grep -c ' 000 ' "$T/sent")
ok "lost at most one of each connection: $lost of $(wc -l <"$T/sent")" test "$lost" -le $((8 * deaths))
ok "the other worker lives" alive "$other"
is "there are two" "$(workers | wc -l)" 2
is "the metric tells" "$(metric worker_restarts_total '{reason="signal"}')" "$deaths"
rest() { [ "$(metric items_in_flight)" = 0 ]; }
ok "nothing is left in flight" wait_until 20s rest
is "accepted = delivered + failed" "$(metric items_accepted_total)" "$(($(metric items_delivered_total) + $(metric items_failed_total)))"
ok "no counter of the dead one is lost" test "$(metric items_accepted_total)" -ge "$(grep -c ' 200 ' "$T/sent")"

# Three deaths of idle workers are nobody's (of F71; the back-off doubles)
for i in 1 2 3; do
	before=$(ready_lines)
	kill -KILL "$(workers | head -n 1)"
	ok "death $i of an idle worker: replaced" wait_until 20s more_ready
done
is "no tenant is put aside for them" "$(metric tenants_put_aside_total) $(post /v1/logs "$T/body")" "0 200"
is "the master goes on, READY as ever" "$(ready_count) $(cat "$HG_DIR/pid")" "1 $HG_PID"
finish
