#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 46-spool-bounds.sh -- a spool that is full is 503, as if there were none; a tenant's share of it too, and no other tenant's; the bound is never
# passed, and all that was accepted comes to its topic (F67)
. "${0%/*}/lib.sh"
need broker

GREEDY=$(token_new) OTHER=$(token_new)
kafka_start own
topics 1
expect_err 'mod=(sink_kafka|topics|spool)'
tenants_file "greedy:$GREEDY" "other:$OTHER"
conf_base kafka file 1
spool=$HG_DIR/spool
conf "log.access_file=$HG_DIR/access.log" spool.enabled=true "spool.dir=$spool" spool.max_bytes=24MiB spool.tenant_share=25% spool.min_free=0% \
	kafka.ack_deadline=3s
TOKEN=$GREEDY
headgate_start
known "$OTHER"; known "$GREEDY"
otlp logs -n 20 --pad 2000 -m some -o "$T/body"
is "with Kafka it is accepted" "$(post /v1/logs "$T/body")" 200
kafka_stop own

# ---- a share ----
accepted=0 others=0 late=0
# takes COUNTER: whether a body is accepted; twice in a row it is not: once a commit may just have taken too long
taken() { [ "$(post /v1/logs "$T/body")" = 200 ] || { ((++late)); return 1; }; }
takes() { if taken || taken; then declare -g "$1=$((${!1} + 1))"; else return 1; fi; }
ok "one tenant fills its share" wait_until 180s fails takes accepted
bytes=$((accepted * $(stat -c %s "$T/body")))
ok "which is a quarter of the spool: $bytes bytes" test $bytes -gt $((5 * 1024 * 1024)) -a $bytes -lt $((7 * 1024 * 1024))
like "its 503 says when to come again" "$(reply_header Retry-After)" '^[1-5]$'
TOKEN=$OTHER
is "another is accepted" "$(post /v1/logs "$T/body")" 200

# ---- all of it ----
conf spool.tenant_share=100%
ok "a reload: a share is all" headgate_switch
known "$OTHER"
((++others))
ok "until it is full" wait_until 180s fails takes others
used=$(find "$spool" -type f -printf '%b\n' | awk '{n += $1} END {print n * 512}')
ok "the bound is not passed: $used bytes" test "$used" -le $((24 * 1024 * 1024))
ok "and much of it is used" test "$used" -ge $((10 * 1024 * 1024))
is "accepted = delivered + failed" "$(metric items_accepted_total)" $(($(metric items_delivered_total) + $(metric items_failed_total)))

# ---- what was accepted is sent ----
kafka_restart own
stored=$(metric items_delivered_total)
all() { [ "$(metric store_replayed_items_total '{result="delivered"}')" -ge "$1" ]; }
ok "all of it is sent when Kafka is back" wait_until 60s all $(((accepted + others) * 20))
there=$(records "$LOGS_TOPIC" | jq -c 'select(.headers[-1][0] == "headgate-replayed")' | wc -l)
ok "and is there: $there of $((accepted + others)), and what was late at most" test "$there" -ge $((accepted + others)) -a "$there" -le $((accepted + others + late))
small() { [ "$(du -sk "$spool" | cut -f1)" -lt 1000 ]; }
ok "the folder is as good as empty" wait_until 20s small
again() { [ "$(post /v1/logs "$T/body")" = 200 ]; }
ok "and it takes records" wait_until 20s again
finish
