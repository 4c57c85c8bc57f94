#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 40-slow-master.sh -- a client that meets a worker just started is known to it, however long the master was kept from sending that worker
# its table of tenants; a worker that is replaced after a crash too (F57: a hundred reloads on Debian 13, four of 6760 requests were 503)
. "${0%/*}/lib.sh"

mkdir "$T/bin"
${CC:-cc} -std=gnu17 -D_GNU_SOURCE -O1 -shared -fPIC -I "$ROOT" -o "$T/slow.so" "$WAY/faults/slow_master.c" -ldl &&
	${CC:-cc} -std=gnu17 -D_GNU_SOURCE -DMASTER="\"$(realpath "$HEADGATE")\"" -DPRELOAD="\"$T/slow.so\"" -o "$T/bin/headgate" \
		"$WAY/faults/slow_master.c" || bail "can't build faults/slow_master.c"
HEADGATE=$T/bin/headgate
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0

TOKEN=$(token_new)
tenants_file "acme:$TOKEN"
conf_base discard file 2
headgate_start
known "$TOKEN"
otlp logs -o "$T/body"
background python3 "$WAY/tools/knock.py" "$URL" "$T/body" --token "$TOKEN" --results "$T/knocked"
knock=$SPAWNED
wait_until 20s test -s "$T/knocked"
count() { wc -l <"$T/knocked"; }
more() { [ "$(count)" -ge "$1" ]; }
for i in 1 2 3; do
	headgate_switch || bail "reload $i did not end"
	wait_until 20s more $(($(count) + 20))
done
is "each of those who knocked meanwhile got 200" "$(sort -u "$T/knocked")" 200
note "$(count) of them"
expect_err 'msg="worker ended unasked"'
first=$(workers | head -n 1)
kill -KILL "$first"
replaced() { gone "$first" && [ "$(workers | wc -l)" = 2 ]; }
ok "a worker is replaced" wait_until 20s replaced
known "$TOKEN"
wait_until 20s more $(($(count) + 20))
kill "$knock"
is "meanwhile nobody was told 503" "$(grep -c 503 "$T/knocked")" 0
finish
