#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 15-outage.sh -- while Kafka takes nothing, Prometheus 3.16 (2.0) and vmagent are told 503; they wait, and lose nothing of it
. "${0%/*}/lib.sh"
need broker postgres
programs prometheus vmagent
kafka_start own acl
expect_err 'mod=(sink_kafka|topics)'
gateway
target 3
JOB=outage

cat >"$T/prometheus.yml" <<EOF
global: {scrape_interval: 3s, scrape_timeout: 3s}
scrape_configs:
  - job_name: $JOB
    honor_labels: true
    scrape_native_histograms: true
    scrape_protocols: [PrometheusProto]
    static_configs: [{targets: ["$TARGET"]}]
remote_write:
  - url: $URL/api/v1/write
    protobuf_message: io.prometheus.write.v2.Request
    authorization: {credentials_file: $T/token}
    tls_config: {ca_file: $CA}
    send_exemplars: true
    send_native_histograms: true
    queue_config: {batch_send_deadline: 200ms}
EOF
refused() { [ "$(metric requests_total '{route="remote_write",code="503"}')" -ge "$1" ]; }

topic deny "$KAFKA_BROKERS" "$WRITE2_TOPIC"
WEB=127.0.0.1:$(port_pick)
client prometheus "$PROMETHEUS/prometheus" --config.file="$T/prometheus.yml" --storage.tsdb.path="$T/prometheus/data" \
	--web.listen-address="$WEB" --enable-feature=exemplar-storage,metadata-wal-records
ok "Prometheus is told 503, and comes again" wait_until 60s refused 2
is "nothing of it is stored" "$(record_count "$WRITE2_TOPIC")" 0
topic allow "$KAFKA_BROKERS" "$WRITE2_TOPIC"
ok "then all that the target served arrives" wait_until 90s whole "$JOB" "$WRITE2_TOPIC"
curl -sS "http://$WEB/metrics" >"$T/metrics"
ok "Prometheus ends by itself" client_stop prometheus
judge "$JOB" "$WRITE2_TOPIC"
for each in missing alien missing_histograms missing_exemplars labels twice; do is "of what was served: $each" "$(fact $each)" '[]'; done
is "nothing was given up" "$(log_of prometheus 'level=ERROR')$(grep -E '^prometheus_remote_storage_[a-z]+_(failed|dropped)_total' "$T/metrics" | grep -v ' 0$')" ''
ok "it says that it tried again" log_of prometheus 'Failed to send batch, retrying.*503'

# vmagent: the first try is zstd, and must get its 415, not a 503 that it would repeat as zstd for ever
rm -rf "$T/target"
target 3
before=$(metric requests_total '{route="remote_write",code="503"}')
topic deny "$KAFKA_BROKERS" "$WRITE_TOPIC"
cat >"$T/vmagent.yml" <<EOF
global: {scrape_interval: 3s, scrape_timeout: 3s}
scrape_configs: [{job_name: $JOB, honor_labels: true, honor_timestamps: true, static_configs: [{targets: ["$TARGET"]}]}]
EOF
client vmagent "$VMAGENT/vmagent" -promscrape.config="$T/vmagent.yml" -remoteWrite.url="$URL/api/v1/write" -remoteWrite.tlsCAFile="$CA" \
	-remoteWrite.bearerTokenFile="$T/token" -remoteWrite.tmpDataPath="$T/vmagent/queue" -remoteWrite.flushInterval=200ms \
	-remoteWrite.queues=1 -httpListenAddr="127.0.0.1:$(port_pick)"
ok "vmagent is told 503, and comes again" wait_until 60s refused $((before + 2))
is "nothing of it is stored" "$(record_count "$WRITE_TOPIC")" 0
topic allow "$KAFKA_BROKERS" "$WRITE_TOPIC"
ok "then all that the target served arrives" wait_until 90s whole "$JOB" "$WRITE_TOPIC"
ok "vmagent ends by itself" client_stop vmagent
judge "$JOB" "$WRITE_TOPIC"
for each in missing alien labels twice; do is "of what was served: $each" "$(fact $each)" '[]'; done
is "zstd was tried once" "$(metric requests_total '{route="remote_write",code="415"}')" 1
finish
