#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 33-small.sh -- many tiny records that wait for a broker are refused at the budget, for the memory that they take and not for the bytes that
# they carry (F13)
. "${0%/*}/lib.sh"
need broker

TOKEN=$(token_new)
# As much beside the value as a record can have: the longest tenant id, all headers.
tenant=$(printf 't%.0s' {1..150})
kafka_start own
topics 1
tenants_file "$tenant:$TOKEN"
conf_base kafka file 1
conf "log.access_file=$HG_DIR/access.log" limits.worker_bytes=1MiB limits.tenant_share=100% record.headers=all kafka.ack_deadline=60s
expect_err 'mod=(sink_kafka|topics)'
export ASAN_OPTIONS=quarantine_size_mb=1
headgate_start
known "$TOKEN"
worker=$(workers)

# Connections have memory of their own, which is no matter of the budget: they all come, send and are answered first.
background python3 "$WAY/tools/many.py" --at-once 180 "$ADDRESS" "$TOKEN" "$T"
client=$SPAWNED
wait_until 60s test -e "$T/warm"
is "with a broker all are accepted" "$(cat "$T/warm")" 200:900
base=$(rss "$worker")
kafka_stop own
touch "$T/away"
ok "without one, most are refused at once" wait_until 60s test -e "$T/full"
like "since the budget is spent" "$(cat "$T/full")" '^503 hg-overload:[0-9]+$'
grown=$(($(rss "$worker") - base))
held=$(metric kafka_queue_messages) bytes=$(metric kafka_queue_bytes)
note "$held records hold $bytes bytes; memory grew by $grown KiB"
ok "far fewer wait than a mebibyte has room for their bytes" test "$held" -ge 50 -a "$held" -le $((1048576 / 1024))
ok "the budget is kept" test "$bytes" -le 1048576
ok "memory grew by no more than 2 MiB: $grown KiB" test "$grown" -le 2048
end_pid "$client"
kafka_restart own
rest() { [ "$(metric items_in_flight)" = 0 ] && [ "$(metric kafka_queue_bytes)" = 0 ]; }
ok "when the broker is back they leave" wait_until 60s rest
is "accepted = delivered + failed" "$(metric items_accepted_total)" "$(($(metric items_delivered_total) + $(metric items_failed_total)))"
finish
