#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 25-micromegas.sh -- micromegas' telemetry sink, unmodified, with an API key: its process, its streams and its blocks of logs, metrics and
# spans are in the topic, each once, and read back by decoders of our own; after an outage too, logs and what they hang on; what it is told
# when it may not (compatibility.md 3, B3)
. "${0%/*}/lib.sh"
need broker postgres
programs rust
kafka_start own
BLOBS_TOPIC=$NAME-blobs
topic create "$KAFKA_BROKERS" "$BLOBS_TOPIC" 2 || bail "can't create the topic $BLOBS_TOPIC"
gateway protocols.micromegas.enabled=true "protocols.opaque.topic=$BLOBS_TOPIC" kafka.ack_deadline=3s
KEY=$(token_add acme key-of-the-sink)
known "$KEY"

# sink RUN KEY: the process; what it says
sink()
{
	env MICROMEGAS_TELEMETRY_URL="$URL" MICROMEGAS_INGESTION_API_KEY="$2" MICROMEGAS_ENABLE_CPU_TRACING=true SSL_CERT_FILE="$CA" \
		timeout 150 "$RUST/micromegas-send" "$1" 2>&1
}
blobs() { records "$BLOBS_TOPIC" | python3 "$CLIENTS/micromegas.py"; }
# of_run RUN	what is there of the process with that name, as one list
of_run()
{
	blobs | jq -sc --arg run "$1" '(map(select(.what.properties.run == $run)) | .[0].what.process_id) as $id |
		map(select($id != null and .what.process_id == $id))'
}
# answered CODE: over the three routes
answered() { admin /metrics | awk -v code="code=\"$1\"" '/^headgate_requests_total\{.*insert_/ && index($0, code) { n += $NF } END { print n + 0 }'; }
logs() { jq -c --arg run "$1" '[.[] | .objects // "" | scan($run + " round [0-9] grüß")] | sort'; }
rounds() { jq -nc --arg run "$1" '[range(3) | $run + " round \(.) grüß"]'; }

# At its end it waits 5 s and no more, so it lives until all is there that it was given.
came()
{
	of_run first >"$T/run"
	[ "$(logs first <"$T/run")" = "$(rounds first)" ] && jq -e '[.[].route | sub(".*insert_"; "")] | (index("process") != null) and
		(map(select(. == "stream")) | length >= 3) and (map(select(. == "block")) | length >= 3)' "$T/run"
}
{ wait_until 60s came; } | sink first "$KEY" >"$T/first"
like "the sink ends by itself" "$(tail -n 1 "$T/first")" '^ended$'
of_run first >"$T/run"
is "each record is a blob of our tenant" "$(jq -c '[.[] | [.key, .tenant, .signal, .format, .type]] | unique' "$T/run")" \
	'[["acme","acme","opaque","raw","application/octet-stream"]]'
is "nobody else wrote: all of it is the process'" "$(record_count "$BLOBS_TOPIC")" "$(jq length "$T/run")"
is "one process" "$(jq '[.[] | select(.route | endswith("insert_process"))] | length' "$T/run")" 1
is "its streams, each once" "$(jq -c '[.[] | select(.route | endswith("insert_stream")) | .what] | [(map(.tags[]) | unique - ["lz4"]), (map(.stream_id) | length == (unique | length))]' "$T/run")" \
	'[["cpu","log","metrics"],true]'
is "each block is of one of them, and each is there once" "$(jq -c '([.[] | select(.route | endswith("insert_stream")) | .what.stream_id]) as $streams |
	[.[] | select(.route | endswith("insert_block")) | .what] | [all(.stream_id | IN($streams[])), (map(.block_id) | length == (unique | length)), length >= 3]' "$T/run")" \
	'[true,true,true]'
is "the logs are there, each once" "$(logs first <"$T/run")" "$(rounds first)"
for each in way_rounds way_share work; do
	ok "so is $each" jq -e --arg each "$each" 'any(.dependencies // "" | contains($each))' "$T/run"
done
is "a record for each 200" "$(answered 200)" "$(jq length "$T/run")"

# B3
told() { grep -q 'insert_process client error' "$T/$1"; }
{ wait_until 30s told stranger; } | sink stranger another-key >"$T/stranger"
is "an unknown key: the process ends" "$(tail -n 1 "$T/stranger")" ended
like "and is told why" "$(cat "$T/stranger")" 'insert_process client error \(401 Unauthorized\): Invalid token'
{ wait_until 30s told nobody; } | sink nobody '' >"$T/nobody"
is "no key at all: the same" "$(tail -n 1 "$T/nobody")" ended
like "and why" "$(cat "$T/nobody")" 'insert_process client error \(401 Unauthorized\): Missing authorization header'
is "nothing of them is stored" "$(record_count "$BLOBS_TOPIC")" "$(jq length "$T/run")"

expect_err 'mod=(sink_kafka|topics)'
refused() { [ "$(answered 503)" -gt 0 ]; }
# the logs, with their stream and their process
delivered()
{
	of_run outage >"$T/run"
	logs outage <"$T/run" >"$T/logs"
	if [ "$(doubtful opaque)" = "$doubt" ]; then jq -c . "$T/logs"; else jq -c unique "$T/logs"; fi | cmp - <(rounds outage) && jq -e '([.[] | select(.objects // "" | contains("round 0")) | .what.stream_id]) as $streams |
		any(.route | endswith("insert_process")) and any((.route | endswith("insert_stream")) and (.what.stream_id | IN($streams[])))' "$T/run"
}
doubt=$(doubtful opaque)
kafka_stop own
{ wait_until 90s delivered >"$T/.delivered"; } | sink outage "$KEY" >"$T/outage" &
process=$!
ok "503 in an outage" wait_until 60s refused
kafka_restart own
wait "$process"
is "then the process' end is as ever" "$(tail -n 1 "$T/outage")" ended
ok "and the logs are there, each once, with their stream and their process" delivered
finish
