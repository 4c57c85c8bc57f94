#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 44-drain-kafka.sh -- a stop with records on their way to a broker that does not answer: it ends within 30 s, and each 2xx is in the topic,
# whether the broker comes back or not (F14: with 100 000 items in some 40 records, then with many records; RECORDS=100000 has as many as there)
. "${0%/*}/lib.sh"
need broker

TOKEN=$(token_new)
kafka_start own
topics 2
expect_err 'mod=(sink_kafka|topics)'
tenants_file "acme:$TOKEN"
conf_base kafka file 2
conf limits.tenant_share=100%
headgate_start
known "$TOKEN"
otlp logs -o "$T/body"
is "a body is accepted" "$(post /v1/logs "$T/body")" 200

sent() { cat "$T"/sent-* 2>/dev/null | wc -l; }
flight() { [ "$(metric items_in_flight)" -ge "$1" ]; }
spray()	# PREFIX: 40 connections that do not stop by themselves, 2500 items each time
{
	background python3 "$WAY/tools/load.py" "$URL" --token "$TOKEN" --quiet --connections 40 --items 2500 --seconds 1000 --prefix "$1-" --results "$T/sent-$1"
	load=$SPAWNED
}
ended() { [ -e "$HG_DIR/status" ]; }

# The broker stays away
kafka_freeze own
spray away
ok "100 000 items are in flight" wait_until 60s flight 100000
note "in $(metric kafka_queue_messages) records"
begin=$(now_us)
kill -TERM "$HG_PID"
wait_until 60s ended
took=$((($(now_us) - begin) / 1000))
is "the broker frozen: status 0" "$(cat "$HG_DIR/status")" 0
ok "within 30 s: $took ms" test $took -le 30000
end_pid "$load" KILL
is "no 2xx was given" "$(awk '{print $2}' "$T/sent-away" | grep -c '^2')" 0
HG_PID=''
kafka_thaw own

# It comes back while headgate drains
instance back
tenants_file "acme:$TOKEN"
conf_base kafka file 2
conf limits.tenant_share=100%
headgate_start
works() { [ "$(post /v1/logs "$T/body")" = 200 ]; }
ok "a new one delivers" wait_until 20s works
kafka_freeze own
spray back
ok "100 000 items are in flight again" wait_until 60s flight 100000
kill -TERM "$HG_PID"
hears() { hg_log 'msg="?draining"?'; }
wait_until 20s hears
kafka_thaw own
wait_until 60s ended
is "the broker back: status 0" "$(cat "$HG_DIR/status")" 0
HG_PID=''
end_pid "$load" KILL
ok "what had waited was accepted: $(grep -c ' 200 ' "$T/sent-back")" test "$(grep -c ' 200 ' "$T/sent-back")" -ge 1
is "else 503, or no connection" "$(awk '{print $2}' "$T/sent-back" | sort -u | grep -vxE '200|503|000')" ""
ok "each 2xx is in the topic" eval 'records "$LOGS_TOPIC" | conserved "$T"/sent-away "$T"/sent-back'

# Many records: one a connection, whose client has gone, so that none waits for another
n=${RECORDS:-3000}
instance many
tenants_file "acme:$TOKEN"
conf_base kafka file $((2 + n / 20000))	# a process has so many descriptors
conf limits.tenant_share=100% limits.worker_bytes=2GiB kafka.ack_deadline=2m listeners.0.max_connections=200000 \
	listeners.0.max_connections_per_source=200000
headgate_start
ok "one more delivers" wait_until 20s works
before=$(record_count "$LOGS_TOPIC")
kafka_freeze own
background python3 "$WAY/tools/leave.py" "$ADDRESS" "$T/body" "$n" --token "$TOKEN" --admin "$HG_DIR/admin.sock"
queued() { [ "$(metric kafka_queue_messages)" -ge "$n" ]; }
ok "$n records are in flight" wait_until 90s queued
begin=$(now_us)
kill -TERM "$HG_PID"
wait_until 20s hears
kafka_thaw own
wait_until 60s ended
took=$((($(now_us) - begin) / 1000))
is "the broker back, with $n records: status 0" "$(cat "$HG_DIR/status")" 0
HG_PID=''
ok "within 30 s: $took ms" test $took -le 30000
is "each of them is in the topic, once" $(($(record_count "$LOGS_TOPIC") - before)) "$n"
finish
