#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 16-snippets.sh -- the snippets of headgatectl pass the clients' own checks and deliver: Prometheus and the Collector (O13 in part)
. "${0%/*}/lib.sh"
need kafka postgres
programs debian collector
gateway
snippet() { "$HEADGATECTL" snippet "$1" --tenant acme --token-file "$T/token" --endpoint "$URL" --ca "$CA"; }

target 4
WEB=127.0.0.1:$(port_pick)
{
	printf 'global: {scrape_interval: 3s, scrape_timeout: 3s}\nscrape_configs:\n  - {job_name: target, honor_labels: true, static_configs: [{targets: ["%s"]}]}\n' "$TARGET"
	snippet prometheus
} >"$T/prometheus.yml"
ok "promtool accepts the snippet" "$DEBIAN/usr/bin/promtool" check config "$T/prometheus.yml"
client prometheus "$DEBIAN/usr/bin/prometheus" --config.file="$T/prometheus.yml" --storage.tsdb.path="$T/prometheus/data" --web.listen-address="$WEB"
arrived() { [ "$(record_count "$WRITE_TOPIC")" -gt 0 ]; }
ok "Prometheus delivers by it" wait_until 60s arrived
ok "and ends by itself" client_stop prometheus
is "under the tenant" "$(records "$WRITE_TOPIC" | jq -r .key | sort -u)" "$(hex acme)"

snippet otelcol | sed "s/127.0.0.1:14318/127.0.0.1:$(port_pick)/" >"$T/collector.yml"
printf '  telemetry: {metrics: {level: none}}\n' >>"$T/collector.yml"
HEADGATE_TOKEN=$(cat "$T/token")
export HEADGATE_TOKEN
ok "the Collector accepts the snippet" "$COLLECTOR/collector" validate --config "$T/collector.yml"
client collector "$COLLECTOR/collector" --config "$T/collector.yml"
wait_until 60s log_of collector 'Everything is ready' || bail "no Collector: $(tail -n 5 "$T/collector/log")"
IN=$(sed -n 's/.*endpoint: "\(127[^"]*\)".*/\1/p' "$T/collector.yml" | head -n 1)
mkdir "$T/given"
python3 "$CLIENTS/given.py" "$T/given"
for signal in traces metrics logs; do
	is "the Collector takes $signal" "$(curl -s -o "$T/reply" -w '%{http_code}' -H 'Content-Type: application/json' --data-binary "@$T/given/$signal" "http://$IN/v1/$signal")" 200
done
three() { [ "$(record_count "$TRACES_TOPIC") $(record_count "$METRICS_TOPIC") $(record_count "$LOGS_TOPIC")" = "1 1 1" ]; }
ok "and delivers all three by it" wait_until 60s three
ok "it ends by itself" client_stop collector
ok "gzipped" test "$(metric request_bytes_total '{encoding="gzip"}')" -gt 0
is "no request failed" "$(complaints error)" ''
finish
