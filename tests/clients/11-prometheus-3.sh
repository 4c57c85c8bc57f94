#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 11-prometheus-3.sh -- Prometheus 3.16 sends one scrape to two remotes, 1.0 by Bearer and 2.0 by Basic, with native histograms and
# exemplars; two more take the stored records and answer queries with the right values
. "${0%/*}/lib.sh"
need kafka postgres
programs prometheus
gateway
target 4
WEB=127.0.0.1:$(port_pick)

# remote NAME MESSAGE METADATA CREDENTIAL
remote()
{
	cat <<EOF
  - url: $URL/api/v1/write
    name: $1
    protobuf_message: $2
    $4
    tls_config: {ca_file: $CA}
    headers: {X-Scope-OrgID: acme}
    send_exemplars: true
    send_native_histograms: true
    metadata_config: {send: $3, send_interval: 1s}
    queue_config: {batch_send_deadline: 200ms}
EOF
}
{
	cat <<EOF
global: {scrape_interval: 3s, scrape_timeout: 3s}
scrape_configs:
  - job_name: target
    honor_labels: true
    scrape_native_histograms: true
    scrape_protocols: [PrometheusProto]
    static_configs: [{targets: ["$TARGET"]}]
  - {job_name: self, scrape_interval: 3s, static_configs: [{targets: ["$WEB"]}]}
remote_write:
EOF
	remote first prometheus.WriteRequest true "authorization: {credentials_file: $T/token}"
	remote second io.prometheus.write.v2.Request false "basic_auth: {username: acme, password_file: $T/token}"
} >"$T/prometheus.yml"
client prometheus "$PROMETHEUS/prometheus" --config.file="$T/prometheus.yml" --storage.tsdb.path="$T/prometheus/data" \
	--web.listen-address="$WEB" --enable-feature=exemplar-storage,metadata-wal-records

# P21 in its Prometheus part, P15, R5
ok "1.0, by Bearer: all that the target served arrives, and that it is gone" wait_until 90s whole target "$WRITE_TOPIC"
ok "2.0, by Basic: so it does" wait_until 60s whole target "$WRITE2_TOPIC"
samples_in "$WEB" >"$T/own"
own_arrived() { judge target "$1" "$T/own" && [ "$(fact missing_own) $(fact missing_metadata)" = '[] []' ]; }
wait_until 60s own_arrived "$WRITE_TOPIC"
wait_until 60s own_arrived "$WRITE2_TOPIC"
curl -sS "http://$WEB/metrics" >"$T/metrics"
ok "Prometheus ends by itself" client_stop prometheus

for version in 1.0 2.0; do
	if [ $version = 1.0 ]; then
		topic_of=$WRITE_TOPIC form=prom_rw1 type=prometheus.WriteRequest
	else
		topic_of=$WRITE2_TOPIC form=prom_rw2 type=io.prometheus.write.v2.Request
	fi
	judge target "$topic_of" "$T/own"
	note "$version: $(jq -c '[.records, .series, .samples, .histograms, .exemplars, .metadata]' "$T/facts")"
	for each in missing alien missing_histograms missing_exemplars missing_metadata labels; do
		is "$version: of what was served: $each" "$(fact $each)" '[]'
	done
	is "$version: each sample that its own storage holds is there too, bit for bit" "$(fact missing_own)" '[]'
	is "$version: native histograms and exemplars are what was served, no more" "$(fact histograms) $(fact exemplars)" "4 4"
	is "$version: nothing that was accepted came again" "$(fact twice)" '[]'
	is "$version: the topic holds this version alone" "$(while read -r one; do echo "$(header "$one" format) $(header "$one" content-type)"; done <"$T/records" | sort -u)" \
		"$form application/x-protobuf;proto=$type"
done
ok "1.0: metadata came in messages of its own" test "$(judge target "$WRITE_TOPIC"; fact metadata)" -gt 10
is "no line of an error, and none of a failed or repeated request" "$(log_of prometheus 'level=(ERROR|WARN)' | grep -vE "an OS signal|'metadata_config.send'")" ''
is "its own counters say the same" "$(grep -E '^prometheus_remote_storage_(samples|histograms|exemplars|metadata)_(failed|retried|dropped)_total|^prometheus_remote_storage_[a-z]*_(failed|retried)_total' \
	"$T/metrics" | grep -v ' 0$')" ''

# an independent decoder: a Prometheus that receives, one for each topic
replayed()
{
	local name=$1 topic=$2 web
	web=127.0.0.1:$(port_pick)
	printf 'storage: {tsdb: {out_of_order_time_window: 1h}}\n' >"$T/sink.yml"
	client "$name" "$PROMETHEUS/prometheus" --config.file="$T/sink.yml" --storage.tsdb.path="$T/$name/data" --web.listen-address="$web" \
		--web.enable-remote-write-receiver --enable-feature=exemplar-storage
	wait_until 60s curl -sf "http://$web/-/ready" || bail "no $name"
	records "$topic" | python3 "$CLIENTS/replay.py" "$web" >"$T/replayed"
	is "$name: takes each record as it is" "$(jq -c .refused "$T/replayed")" '[]'
	samples_in "$web" | python3 "$CLIENTS/queried.py" acme "$T/target/served" "$TARGET" target >"$T/queried"
	is "$name: and answers with the values that were served" "$(jq -c '[.histograms, .wrong]' "$T/queried")" '[4,[]]'
	ok "$name: of every series" test "$(jq .samples "$T/queried")" -ge "$(jq -s 'map(.samples | length) | add' "$T/target/served")"
	EXEMPLARS=$(curl -sS -G --data-urlencode 'query=client_requests_total{tenant_id="acme"}' --data-urlencode "start=$(($(date +%s) - 600))" \
		--data-urlencode "end=$(($(date +%s) + 60))" "http://$web/api/v1/query_exemplars" | jq '[.data[].exemplars[].labels.trace_id] | length')
	is "$name: without an error" "$(log_of "$name" 'level=ERROR')" ''
	client_stop "$name"
}
replayed sink-1.0 "$WRITE_TOPIC"
is "sink-1.0: exemplars too" "$EXEMPLARS" 4
replayed sink-2.0 "$WRITE2_TOPIC"
finish
