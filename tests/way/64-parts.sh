#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 64-parts.sh -- a body too large for one record becomes parts, 1/N to N/N, each valid by itself and within the limit, none lost and none twice;
# an item that no record holds is told by partial_success, and the rest stored; what cannot be cut is 413 and leaves nothing: OTLP,
# remote_write, Loki, data models, in Kafka and in the local store (R8)
. "${0%/*}/lib.sh"
need kafka

LIMIT=983040
TOKEN=$(token_new)
topics 1	# so that what is new is at the end
EVENT_TOPIC=$NAME-event
topic create "$KAFKA_BROKERS" "$EVENT_TOPIC" 1 || bail "can't create the topic $EVENT_TOPIC"
declare -A PATHS=([logs]=/v1/logs [traces]=/v1/traces [metrics]=/v1/metrics [json]=/v1/logs [rw1]=/api/v1/write [rw2]=/api/v1/write [loki]=/loki/api/v1/push)
declare -A TOPICS=([logs]=$LOGS_TOPIC [traces]=$TRACES_TOPIC [metrics]=$METRICS_TOPIC [json]=$LOGS_TOPIC [rw1]=$WRITE_TOPIC [rw2]=$WRITE2_TOPIC [loki]=$LOKI_TOPIC
	[event]=$EVENT_TOPIC)
mkdir "$T/models"
printf '{"name":"Event","topic":"%s","allow_extra_fields":true,"columns":[{"name":"n","data_type":"Int64","required":true}]}' "$EVENT_TOPIC" >"$T/models/event.json"

parts() { python3 "$WAY/tools/parts.py" "$@"; }
# give KIND [CURL-OPTION]...	posts $T/KIND as that kind is posted
give()
{
	local type=application/x-protobuf
	case $1 in
	json) type=application/json ;;
	rw1) type='application/x-protobuf;proto=prometheus.WriteRequest' ;;
	rw2) type='application/x-protobuf;proto=io.prometheus.write.v2.Request' ;;
	esac
	[[ $1 != rw? ]] || set -- "$@" -H 'Content-Encoding: snappy'
	request "${PATHS[$1]}" -H "Content-Type: $type" --data-binary "@$T/$1" "${@:2}"
}
# new_of KIND		the records of its topic that are new since `seen KIND`
declare -A SEEN
in_kafka() { records "${TOPICS[$1]}"; }
in_store() { stored | jq -c --arg topic "${TOPICS[$1]}" 'select(.topic == $topic)'; }
new_of()
{
	"$WHERE" "$1" >"$T/all"
	tail -n +$((${SEEN[${TOPICS[$1]}]:-0} + 1)) "$T/all"
}
seen() { SEEN[${TOPICS[$1]}]=$(wc -l <"$T/all"); }
partial() { python3 -c 'import sys; print(open(sys.argv[1], "rb").read()[:4].hex())' "$T/reply"; }

# all_kinds WORD KIND...
all_kinds()
{
	local kind ok count
	for kind in "${@:2}"; do
		count=$(parts make "$kind" 5000000 -o "$T/$kind")
		ok=200
		case $kind in rw?|loki) ok=204 ;; esac
		is "$1: $kind of 5 MB is accepted" "$(give "$kind")" "$ok"
		new_of "$kind" >"$T/new"
		seen "$kind"
		like "$1: $kind: $count items are in parts" "$(parts check "$kind" "$LIMIT" <"$T/new" 2>&1)" "^[5-9] $count\$"
	done
}
# huge_ones WORD KIND...	of the kinds of OTLP
huge_ones()
{
	local kind
	for kind in "${@:2}"; do
		parts make "$kind" 20000 --huge 1100000 -o "$T/$kind" >"$T/count"
		is "$1: $kind with one item of 1.1 MB among others: 200" "$(give "$kind")" 200
		like "$1: it is told that one was rejected" "$(partial)" '^0a..0801$'
		is "$1: the others are there, in one record" "$(new_of "$kind" | jq -r '[.headers[][0]] | map(select(. == "headgate-part")) | length')" 0
		seen "$kind"
		parts make "$kind" 5000000 --huge 1100000 -o "$T/$kind" >"$T/count"
		is "$1: the same among 5 MB: 200" "$(give "$kind")" 200
		new_of "$kind" >"$T/new"
		seen "$kind"
		like "$1: all others are in parts" "$(parts check "$kind" "$LIMIT" <"$T/new" 2>&1)" "^[5-9] $(($(<"$T/count") - 1))\$"
	done
	parts make json 20000 --huge 1100000 -o "$T/json" >"$T/count"
	is "$1: JSON with one such item: 200" "$(give json)" 200
	is "$1: told in JSON" "$(jq -c '[.partialSuccess.rejectedLogRecords, (.partialSuccess.errorMessage | length > 0)]' "$T/reply")" '["1",true]'
	new_of json >"$T/new"
	seen json
	for kind in rw1 rw2 loki; do
		parts make "$kind" 20000 --huge 1100000 -o "$T/$kind" >"$T/count"
		is "$1: $kind with one item of 1.1 MB among others: 413" "$(give "$kind")" 413
		is "$1: and nothing of it is stored" "$(new_of "$kind" | wc -l)" 0
	done
	parts make traces 0 --huge 1100000 -o "$T/traces" >"$T/count"
	is "$1: one such span alone: 413" "$(give traces)" 413
	is "$1: and nothing of it is stored" "$(new_of traces | wc -l)" 0
	printf '{"n":1,"text":"%s"}' "$(head -c 1100000 /dev/zero | tr '\0' x)" >"$T/object"
	is "$1: a JSON object of 1.1 MB: 413" "$(request /ingest/Event -H 'Content-Type: application/json' --data-binary "@$T/object")" 413
	(printf '[{"n":1},'; cat "$T/object"; printf ',{"n":2}]') >"$T/objects"
	is "$1: and among others that are small, all of them" "$(request /ingest/Event -H 'Content-Type: application/json' --data-binary "@$T/objects")" 413
	is "$1: no object is stored" "$(new_of event | wc -l)" 0
}
at_rest()
{
	is "accepted = delivered, and nothing failed" "$(metric items_accepted_total) $(metric items_failed_total)" "$(metric items_delivered_total) 0"
	ok "the budget is free" wait_until 20s free
}
free() { [ "$(metric kafka_queue_bytes) $(metric items_in_flight)" = "0 0" ]; }

tenants_file "acme:$TOKEN"
conf_base kafka file 2
conf "protocols.models.dir=$T/models" protocols.loki.enabled=true protocols.remote_write.enabled=true "log.access_file=$HG_DIR/access.log"
headgate_start
known "$TOKEN"
WHERE=in_kafka
all_kinds kafka logs traces metrics json rw1 rw2 loki
huge_ones kafka traces logs metrics
at_rest
partials() { jq -r 'select(.verdict == "partial") | .code' "$HG_DIR/access.log"; }
ok "the access log says which were stored in part" wait_until 20s eval '[ "$(partials | wc -l)" = 7 ]'
is "so do the metrics" "$(metric requests_total '{verdict="partial",code="200"}')" 7

# ---- many records of one request ----
python3 -c 'print("[" + ",".join("{\"n\":%d}" % i for i in range(5000)) + "]")' >"$T/many"
is "5000 objects in one request are accepted" "$(request /ingest/Event -H 'Content-Type: application/json' --data-binary "@$T/many")" 202
is "each is a record, in order" "$(new_of event | jq -r .value | python3 -c 'import json, sys
print([json.loads(bytes.fromhex(line))["n"] for line in sys.stdin] == list(range(5000)))')" True
is "of one request" "$(new_of event | jq -r '.headers | length' | sort -u | xargs)" 2
at_rest

# Others are served between its turns, and whoever goes away in the middle of them leaves nothing behind but records.
python3 -c 'print("[" + ",".join("{\"n\":%d}" % i for i in range(60000)) + "]")' >"$T/many"
parts make logs 1000 -o "$T/small" >"$T/count"
printf 'POST /ingest/Event HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %s\r\n\r\n' \
	"$TOKEN" "$(wc -c <"$T/many")" | cat - "$T/many" >"$T/request"
for i in 1 2 3; do python3 - "$ADDRESS" "$T/request" <<'END'
import socket, sys
host, port = sys.argv[1].rsplit(":", 1)
with socket.create_connection((host, int(port))) as one:
    one.sendall(open(sys.argv[2], "rb").read())
END
done &
request /ingest/Event -H 'Content-Type: application/json' --data-binary "@$T/many" -o "$T/reply.many" >"$T/status" &
began=$(now_us)
is "small bodies meanwhile" "$(for i in $(seq 20); do request /v1/logs -H 'Content-Type: application/x-protobuf' --data-binary "@$T/small"; echo; done | sort | uniq -c | xargs)" "20 200"
note "20 small ones in $(($(now_us) - began)) us"
wait
like "60000 objects in one request" "$(<"$T/status")" '^(202|503)$'
rest() { [ "$(metric items_in_flight)" = 0 ] && [ "$(metric kafka_queue_bytes)" = 0 ] && [ "$(metric requests_in_flight '{route="models"}')" = 0 ]; }
ok "at rest nothing is in flight" wait_until 60s rest
is "accepted = delivered + failed" "$(metric items_accepted_total)" "$(($(metric items_delivered_total) + $(metric items_failed_total)))"
is "and delivered is what the topic has" "$(record_count "$EVENT_TOPIC")" "$(metric items_delivered_total '{signal="events"}')"

# ---- the same in the local store ----
instance local
SEEN=()
tenants_file "acme:$TOKEN"
conf_base local file 1
conf "protocols.models.dir=$T/models" protocols.loki.enabled=true protocols.remote_write.enabled=true
headgate_start
known "$TOKEN"
WHERE=in_store
all_kinds local traces json rw2 loki
huge_ones local traces
finish
