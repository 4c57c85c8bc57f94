#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 46-spool.sh -- Kafka stops: requests are accepted all the same, from the spool; it comes back: each of them is in its topic, byte for byte and
# marked as replayed, and the folder is as good as empty again (records.md 4)
. "${0%/*}/lib.sh"
need broker

TOKEN=$(token_new) OTHER=$(token_new)
kafka_start own
topics 2
topic create "$KAFKA_BROKERS" letters 1
expect_err 'mod=(sink_kafka|topics)'
tenants_file "acme:$TOKEN" "other:$OTHER"
conf_base kafka file 2
spool=$HG_DIR/spool
conf "log.access_file=$HG_DIR/access.log" spool.enabled=true "spool.dir=$spool" record.headers=all
headgate_start
known "$TOKEN"
otlp logs -m before -o "$T/body"
is "with Kafka a body is accepted" "$(post /v1/logs "$T/body")" 200
is "and is in its topic at once, not replayed" "$(records "$LOGS_TOPIC" | grep -c headgate-replayed) $(record_count "$LOGS_TOPIC")" "0 1"
rows() { stored "$spool" 2>/dev/null | wc -l; }
is "nothing lies in the spool" "$(rows)" 0

# ---- Kafka stops ----
kafka_stop own
load --requests 300 --connections 8 --prefix first- --results "$T/sent" >"$T/said"
is "without it each is accepted" "$(awk '{print $2}' "$T/sent" | sort -u)" 200
post /v1/traces <(otlp traces -m span) >"$T/said"
is "of another topic too" "$(<"$T/said")" 200
is "all of them lie in the spool" "$(rows)" 301
# The machine itself may stand still for a second: then once more.
sent=() all=301 slowest=1000
while ((slowest >= 1000 && all < 901)); do
	sent+=("$T/sent-$all")
	load --requests 200 --connections 4 --prefix "after-$all-" --results "${sent[-1]}" >"$T/said"
	((all += 200))
	slowest=$(awk '$3 > max {max = $3} END {print max + 0}' "${sent[-1]}")
done
ok "and nobody waits for Kafka any more: $slowest ms" test "$slowest" -lt 1000
is "accepted = delivered: a commit is as good as a report" "$(metric items_accepted_total)" "$(metric items_delivered_total)"
is "the spool's metrics" "$(metric store_capacity_bytes '{store="spool"}') $(metric store_replayed_items_total '{store="spool"}')" "$((1024 * 1024 * 1024)) 0"
stored "$spool" >"$T/rows"

# ---- it comes back ----
kafka_restart own
came() { [ "$(record_count "$LOGS_TOPIC")" -ge "$all" ]; }
ok "all of it comes to the topic" wait_until 40s came
records "$LOGS_TOPIC" >"$T/records"
ok "each body that was accepted is there, as it was sent" eval 'grep -v "$(hex before-0)" "$T/records" | conserved "$T/sent" "${sent[@]}" >"$T/kept"'
note "$(<"$T/kept")"
is "each once" "$(wc -l <"$T/records")" "$all"
is "each is marked, behind its other headers" "$(jq -c '.headers[-1] | [.[0], .[1]]' "$T/records" | sort | uniq -c | awk '{$1 = $1} 1' | grep replayed)" "$((all - 1)) [\"headgate-replayed\",\"$(hex 1)\"]"
# the rows as the spool had them: the same key, time, value, and headers but for the mark
same() { jq -cS '{key, timestamp, value, headers: [.headers[] | select(.[0] != "headgate-replayed")]}' "$@" | sort; }
ok "key, time, headers and value are those of the rows" diff <(same "$T/rows" | grep -v "$(hex span-0)") <(jq -c 'select(.headers[-1][0] == "headgate-replayed")' "$T/records" | same)
empty() { [ "$(find "$spool" -name '*.db' | wc -l)" -le 2 ] && [ "$(rows)" = 0 ]; }
ok "the spool is empty" wait_until 20s empty
small() { [ "$(du -sk "$spool" | cut -f1)" -lt 1000 ]; }
ok "and as good as nothing on the disk" wait_until 20s small
is "replayed items are counted" "$(metric store_replayed_items_total '{result="delivered"}') $(metric store_replayed_items_total '{result="refused"}')" "$all 0"
is "a body is accepted" "$(post /v1/logs "$T/body")" 200
is "and not replayed" "$(records "$LOGS_TOPIC" | jq -c 'select(.headers[-1][0] != "headgate-replayed")' | wc -l)" 2
finish
