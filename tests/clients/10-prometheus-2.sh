#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 10-prometheus-2.sh -- Debian's Prometheus 2.42 scrapes itself and a target of known values, and sends all of it as remote_write 1.0
. "${0%/*}/lib.sh"
need kafka postgres
programs debian
gateway
target 4
WEB=127.0.0.1:$(port_pick)

cat >"$T/prometheus.yml" <<EOF
global: {scrape_interval: 3s, scrape_timeout: 3s}
scrape_configs:
  - {job_name: target, honor_labels: true, static_configs: [{targets: ["$TARGET"]}]}
  - {job_name: self, scrape_interval: 3s, static_configs: [{targets: ["$WEB"]}]}
remote_write:
  - url: $URL/api/v1/write
    authorization: {credentials_file: $T/token}
    tls_config: {ca_file: $CA}
    send_exemplars: true
    metadata_config: {send_interval: 1s}
    queue_config: {batch_send_deadline: 200ms}
EOF
client prometheus "$DEBIAN/usr/bin/prometheus" --config.file="$T/prometheus.yml" --storage.tsdb.path="$T/prometheus/data" \
	--web.listen-address="$WEB" --enable-feature=exemplar-storage

# P21 in its Prometheus part: R1, R5, A6
ok "all that the target served arrives, and that it is gone" wait_until 90s whole target "$WRITE_TOPIC"
samples_in "$WEB" >"$T/own"
own_arrived() { judge target "$WRITE_TOPIC" "$T/own" && [ "$(fact missing_own) $(fact missing_metadata)" = '[] []' ]; }
wait_until 60s own_arrived
ok "Prometheus ends by itself" client_stop prometheus
judge target "$WRITE_TOPIC" "$T/own"
note "$(cut -c1-200 "$T/facts")"
for each in missing alien missing_exemplars missing_metadata labels; do is "of what was served: $each" "$(fact $each)" '[]'; done
is "each sample that its own storage holds is there too, bit for bit" "$(fact missing_own)" '[]'
ok "its scrapes of itself among them" test "$(jq '[.data.result[] | select(.metric.job == "self") | .values | length] | add' "$T/own")" -gt 300
is "nothing that was accepted came again" "$(fact twice)" '[]'
is "no request failed, none was repeated" "$(log_of prometheus 'level=(error|warn)' | grep -v 'Received SIGTERM')" ''
is "all were answered 204" "$(metric requests_total '{route="remote_write"}') $(metric requests_total '{route="remote_write",code="204"}')" \
	"$(fact records) $(fact records)"
is "a record is keyed by the tenant, its headers in order" "$(jq -c '[.key, (.headers | map(.[0]))]' "$T/records" | sort -u)" \
	"[\"$(hex acme)\",[\"X-Scope-OrgID\",\"tenant_id\",\"signal\",\"format\",\"content-type\",\"headgate-request-id\"]]"
is "and its headers say what it is" "$(head -n 1 "$T/records" | while read -r one; do
	for each in X-Scope-OrgID tenant_id signal format content-type; do header "$one" $each; done; done | xargs)" \
	"acme acme metrics prom_rw1 application/x-protobuf;proto=prometheus.WriteRequest"
is "no 2.0 was sent" "$(record_count "$WRITE2_TOPIC")" 0
finish
