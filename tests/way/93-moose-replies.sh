#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 93-moose-replies.sh -- what a real ingest server of Moose was asked (tests/fixtures/moose), asked again of a listener with its rules:
# status, text and records are its own, or differ as the case says. The models are those of its map, by headgatectl import-moose
# (C6 to C15, C17 to C21)
. "${0%/*}/lib.sh"
need broker

TOKEN=$(token_new)
fixtures=$WAY/../fixtures/moose
kafka_start own
tenants_file "acme:$TOKEN"
conf_base kafka file 1
conf listeners.0.dialect=moose "protocols.models.dir=$HG_DIR/models" log.access_file="$HG_DIR/access.log"
ctl() { "$HEADGATECTL" -c "$HG_DIR/headgate.yaml" "$@" >"$T/said" 2>"$T/said.err"; }

# ---- the map becomes models ----
ctl import-moose "$fixtures/infrastructure_map.json" --out "$HG_DIR/models"
is "the map of Moose becomes models" $? 0
is "one file for each" "$(find "$HG_DIR/models" -name '*.json' | wc -l)" "$(jq '.api_endpoints | length' "$fixtures/infrastructure_map.json")"
ctl import-moose "$fixtures/infrastructure_map.json" --out "$HG_DIR/models"
is "a second time nothing is written" $? 1
like "since they are there" "$(cat "$T/said.err")" 'Dead.json is there already'
echo broken >"$HG_DIR/models/Dead.json"
ctl import-moose - --out "$HG_DIR/models" --force <"$fixtures/infrastructure_map.json"
is "unless it is forced" $? 0
is "which replaces them" "$(jq -r .name "$HG_DIR/models/Dead.json")" Dead
is "no file is left beside them" "$(find "$HG_DIR/models" -name '.*' -type f)" ""
jq '.api_endpoints.INGRESS_Dead.path = "elsewhere/Dead"' "$fixtures/infrastructure_map.json" >"$T/map.json"
ctl import-moose "$T/map.json" --out "$T/none"
is "a map with one that can't be had is refused" $? 1
like "by its name and why" "$(cat "$T/said.err")" "INGRESS_Dead: its path 'elsewhere/Dead' is not below ingest/"
fails_to_exist() { [ ! -e "$1" ]; }
ok "and nothing is written" fails_to_exist "$T/none"
ctl import-moose "$T/nowhere.json"
is "a map that is not there is exit 71" $? 71

# ---- ls (C19) ----
ctl ls
is "ls has Moose's title" "$(head -n 1 "$T/said")" "Ingestion APIs"
like "and a row for each model" "$(cat "$T/said")" 'UserEvent +POST +/ingest/UserEvent/1\.10 +UserEvent_1_10'
ctl ls --json --name userevent --type ingestion
is "--json is an array of name, method, url, destination" "$(jq -c '.[0] | keys_unsorted' "$T/said")" '["name","method","url","destination"]'
is "of those that have the text in their name" "$(jq -r '.[] | "\(.name) \(.url) \(.destination)"' "$T/said" | xargs)" \
	"UserEvent /ingest/UserEvent/1.0 UserEvent_1_0 UserEvent /ingest/UserEvent/1.9 UserEvent_1_9 UserEvent /ingest/UserEvent/1.10 UserEvent_1_10 UserEvent /ingest/UserEvent/2.0 UserEvent_2_0"

# ---- its replies ----
ctl topics create --partitions 1 --replication 1
is "the topics of models are made as all others" $? 0
wait_until 20s ctl topics ls	# the broker hears of them a little later than the controller
headgate_start
known "$TOKEN"
topic list "$KAFKA_BROKERS" >"$T/topics"
read="$WAY_TOPIC read $KAFKA_BROKERS"
# moose GROUP [OPTION]...	asks what the group was asked
moose() { python3 "$WAY/tools/moose.py" --read "$read" --seen "$T/seen" --stamped Open --stamped OpenDerived "${@:2}" "$1" "$ADDRESS" acme <<<"$TOKEN" | tee "$T/moose"; }
judged_moose() { ok "$1: as Moose, or as said" moose "$@"; note "$1: $(tail -n 1 "$T/moose")"; }
for group in scalars composites members bodies extra claims dead paths size; do
	judged_moose "$group"
done
# Keys of its own are not imported here: those whom it does not let in.
judged_moose keys --only 401 --own

conf protocols.models.path_prefix=/data/in protocols.models.max_body=2KiB
headgate_switch
judged_moose prefix
judged_moose size-set
ctl ls --json --name UserActivity
is "ls shows the prefix" "$(jq -r '.[].url' "$T/said")" /data/in/ingest/UserActivity
conf protocols.models.path_prefix= protocols.models.max_body= protocols.models.namespace=ns
ctl topics create --partitions 1 --replication 1
is "topics with a namespace are made too" $? 0
wait_until 20s ctl topics ls
headgate_switch
judged_moose namespace
ctl ls --json --name UserActivity
is "ls shows the destination without it" "$(jq -r '.[].destination' "$T/said")" UserActivity

# ---- no broker (C17) ----
conf protocols.models.namespace= kafka.ack_deadline=5s
headgate_switch
expect_err 'mod=(sink|kafka)'
kafka_kill own
ok "broker: as Moose, or as said" python3 "$WAY/tools/moose.py" broker "$ADDRESS" acme <<<"$TOKEN"
finish
