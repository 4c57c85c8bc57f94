#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 30-outage-routes.sh -- the broker goes: each route there is, in each format, answers 503 within 9 s; it comes back: each takes its body
# again, and what was accepted is what the topics have. A model or path that nobody configured makes no topic, not even where the
# brokers would (P4, R1, R2)
. "${0%/*}/lib.sh"
need broker

TOKEN=$(token_new)
kafka_start own auto-create
TOPICS=(otlp_spans otlp_metrics otlp_logs prom_write prom_write_v2 loki_push telemetry-raw blobs own-blobs Event Gate_1_0 Moose)
for each in "${TOPICS[@]}"; do topic create "$KAFKA_BROKERS" "$each" 1 || bail "can't create the topic $each"; done
tenants_file "acme:$TOKEN"
mkdir "$T/models"
for each in '"Event"' '"Gate","version":"1.0"' '"Moose"'; do
	printf '{"name":%s,"columns":[{"name":"n","data_type":"Int64","required":true}]}' "$each" >"$T/models/${each//[^A-Za-z]/}.json"
done
TRACES_TOPIC='' conf_base kafka file 2
conf listeners.1.name=gateway listeners.1.listen=127.0.0.1:0 listeners.1.dialect=gateway \
	listeners.2.name=moose listeners.2.listen=127.0.0.1:0 listeners.2.dialect=moose \
	protocols.obstack.enabled=true protocols.micromegas.enabled=true "protocols.models.dir=$T/models" record.headers=all \
	routes.0.name=own-blobs routes.0.path=/blobs/own routes.0.protocol=opaque routes.0.topic=own-blobs "log.access_file=$HG_DIR/access.log"
expect_err 'mod=(sink_kafka|topics)'
headgate_start
known "$TOKEN"
before=$(workers | xargs)
LISTENERS=()
for each in public gateway moose; do LISTENERS+=(--listener "$each=$(listener_address "$each")"); done
every() { python3 "$WAY/tools/routes.py" "$@" "${LISTENERS[@]}" --sent "$T/sent" <<<"$TOKEN" >"$T/every"; }

ok "each route takes its body" every once || cat "$T/every"

# ---- R2: nobody's models and paths ----
topic list "$KAFKA_BROKERS" | sort >"$T/topics"
is "a model that is none is 404, a path too" "$(request /ingest/Nobody -H 'Content-Type: application/json' -d '{"n":1}') $(request /nobody -d x) $(request /ingest/Event/2.0 -H 'Content-Type: application/json' -d '{"n":1}')" "404 404 404"
is "R2: no topic was made, by nobody" "$(topic list "$KAFKA_BROKERS" | sort | diff "$T/topics" -)" ""

# ---- P4 ----
kafka_stop own
ok "P4: without a broker each route is 503 within 9 s, and says when to come again" every away || cat "$T/every"
note "$(head -n 1 "$T/every")"
kafka_restart own
back() { [ "$(post /v1/logs <(otlp logs -m back))" = 200 ]; }
ok "it is back" wait_until 60s back
ok "each route takes its body again" every once || cat "$T/every"
is "by the same workers" "$(workers | xargs)" "$before"
is "no topic was made meanwhile" "$(topic list "$KAFKA_BROKERS" | sort | diff "$T/topics" -)" ""
for each in "${TOPICS[@]}"; do records "$each" | jq -c --arg topic "$each" '. + {topic: $topic}'; done | grep -v "$(hex back-0)" >"$T/records"
ok "P4: what was accepted is there; of what was told 503 there may be more" \
	python3 "$WAY/tools/routes.py" records --more --sent "$T/sent" <"$T/records"
finish
