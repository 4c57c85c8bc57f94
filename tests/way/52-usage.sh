#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 52-usage.sh -- usage records: what each tenant sent, told once, whether workers live, are killed, are replaced by a reload, or the whole
# ends; their sums are the items in the topics (R21)
. "${0%/*}/lib.sh"
need kafka

TOKEN=$(token_new) OTHER=$(token_new)
topics 2
USAGE_TOPIC=$NAME-usage
topic create "$KAFKA_BROKERS" "$USAGE_TOPIC" 2 || bail "can't create the topic $USAGE_TOPIC"
expect_err 'mod=workers'
tenants_file "acme:$TOKEN" "other:$OTHER"
conf_base kafka file 2
conf usage.enabled=true "usage.topic=$USAGE_TOPIC" usage.interval=1s
headgate_start
known "$TOKEN"
known "$OTHER"

# usage	the records as JSON, each once: consumers drop what comes again
usage() { records "$USAGE_TOPIC" | jq -r .value | python3 -c 'import json, sys
seen = {}
for line in sys.stdin:
    one = json.loads(bytes.fromhex(line))
    key = tuple(one[name] for name in ("instance", "worker", "epoch", "seq"))
    if seen.setdefault(key, one) != one:
        sys.exit(f"one number, two records: {seen[key]} {one}")
for one in seen.values():
    print(json.dumps(one, separators=(",", ":")))'; }
sum() { usage | jq -s --arg tenant "$1" --arg signal "$2" "[.[] | select(.tenant_id == \$tenant and .signal == \$signal) | .$3] | add // 0"; }
told() { [ "$(sum "$1" "$2" "$3")" = "$4" ]; }

# ---- what they tell ----
otlp traces -n 7 -m spans -z -o "$T/spans"
printf '\n\377' >"$T/broken"
is "a body of each kind" "$({
	post /v1/traces "$T/spans" -H 'Content-Encoding: gzip'; echo
	post /v1/traces "$T/broken"; echo
	TOKEN=$OTHER post /v1/traces "$T/spans" -H 'Content-Encoding: gzip'
} | xargs)" "200 400 200"
ok "the items are told" wait_until 20s told acme traces delivered 7
ok "to whom they belong" wait_until 20s told other traces delivered 7
one=$(usage | jq -c 'select(.tenant_id == "other" and .delivered == 7)')
is "with these members" "$(jq -c keys_unsorted <<<"$one")" \
	'["v","tenant_id","instance","worker","epoch","seq","from_ms","to_ms","signal","requests","wire_bytes","decoded_bytes","accepted","delivered","failed","refused","blocked","spoofed"]'
ok "the bytes" wait_until 20s told other traces wire_bytes "$(wc -c <"$T/spans")"	# the end of an interval may have come between both
ok "and what is in them" wait_until 20s told other traces decoded_bytes "$(gzip -dc <"$T/spans" | wc -c)"
ok "an interval, of this hour" jq -e --argjson now "$(date +%s%3N)" '.from_ms < .to_ms and .to_ms <= $now and .to_ms > $now - 3600000 and .epoch <= .from_ms' <<<"$one"
record=$(records "$USAGE_TOPIC" | head -n 1)
is "the headers are the tenant's" "$(jq -r '[.headers[][0]] | join(" ")' <<<"$record")" "X-Scope-OrgID tenant_id"
is "so is the key" "$(records "$USAGE_TOPIC" | jq -r .key | sort -u | xargs)" "$(printf '%s\n' "$(hex acme)" "$(hex other)" | sort | xargs)"
ok "a refused one is a request too" wait_until 20s told acme traces requests 2

# ---- killed, and replaced ----
background python3 "$WAY/tools/load.py" "$URL" --token "$TOKEN" --quiet --connections 16 --seconds 1000 --items 2 --pad 500 --results "$T/sent"
load=$SPAWNED
both() { [ "$(workers | wc -l)" = 2 ]; }
accepted() { [ "$(grep -c ' 200 ' "$T/sent")" -ge "$1" ]; }
wait_until 20s accepted 300
for i in 1 2; do
	one=$(workers | sed -n "${i}p")
	ok "$i: a worker is killed" kill -KILL "$one"
	wait_until 20s gone "$one"
	ok "$i: another takes its place" wait_until 20s both
	wait_until 20s accepted $(($(grep -c ' 200 ' "$T/sent") + 200)) || fail "$i: bodies are accepted"
done
ok "a reload" headgate_switch
wait_until 20s accepted $(($(grep -c ' 200 ' "$T/sent") + 200)) || fail "bodies are accepted"
end_pid "$load" TERM 20s
rest() { [ "$(metric items_in_flight)" = 0 ] && [ "$(metric kafka_queue_bytes)" = 0 ]; }
ok "at rest nothing is in flight" wait_until 20s rest
taken=$(metric items_accepted_total '{tenant="acme",signal="logs"}') delivered=$(metric items_delivered_total '{tenant="acme",signal="logs"}')
failed=$(metric items_failed_total '{tenant="acme",signal="logs"}')
ok "all that was accepted is told, once" wait_until 20s told acme logs accepted "$taken"
ok "and what was delivered" wait_until 20s told acme logs delivered "$delivered"
ok "and what failed" wait_until 20s told acme logs failed "$failed"
stored=$(($(record_count "$LOGS_TOPIC") * 2))
note "$taken accepted, $delivered delivered, $failed failed, $stored stored"
ok "that is what the topic has, but for what died uncounted" test "$delivered" -le "$stored" -a "$stored" -le $((delivered + failed))
is "nothing more is told when nothing moves" "$(usage | jq -s 'map(.accepted) | add')" $((taken + 14))

# ---- the end ----
conf usage.interval=1h
headgate_switch || bail "the new configuration does not serve: $(tail -n 3 "$HG_LOG")"
otlp logs -n 5 -m last -o "$T/last"
is "a body shortly before the end" "$(post /v1/logs "$T/last")" 200
for one in $(workers); do
	ok "its worker may be killed" kill -KILL "$one"
	wait_until 20s gone "$one"
	ok "another takes its place" wait_until 20s both
done
ok "headgate ends" headgate_stop
is "what was untold is told before, of the dead too" "$(sum acme logs accepted)" $((taken + 5))
finish
