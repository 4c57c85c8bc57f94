#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 91-quickstart-full.sh -- make quickstart-full: the same tour over a private PostgreSQL and a private Apache Kafka, whose records are
# read back from it (O25)
. "${0%/*}/lib.sh"
need broker postgres
export PORT HEADGATE_BUILD QUICKSTART=build/quickstart-full-test
PORT=$(port_pick 5000)
unset KAFKA_BROKERS
HERE=$ROOT/$QUICKSTART
rm -rf "$HERE"
"$ROOT/tools/quickstart/quickstart" --full --once >"$T/printed" 2>&1
code=$?
is "it ends by itself with 0" $code 0
((code == 0)) || note "$(tail -n 5 "$T/printed")"
for each in otlp_spans otlp_metrics otlp_logs prom_write prom_write_v2 loki_push; do
	ok "a record of $each was read back from Kafka, keyed by its tenant" grep -qE "^$each offset=0 key=demo X-Scope-OrgID=demo" "$T/printed"
done
ok "a stranger was refused" grep -q '401$' "$T/printed"
none_left() { ! pgrep -f "$HERE"; }
ok "no process is left" wait_until 60s none_left
[ ! -L "$HERE/pg" ] || rm -rf "$(readlink "$HERE/pg")"
rm -rf "$HERE"
finish
