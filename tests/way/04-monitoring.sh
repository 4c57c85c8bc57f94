#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 04-monitoring.sh -- what packaging/monitoring has is taken by Prometheus' own tool: alerts, their cases, the queries of the dashboard;
# what the admin listener shows is too (O14 in part)
. "${0%/*}/lib.sh"
DEBIAN=$(machine_env "$WAY/tools/cached" debian) || skip_all "Debian's prometheus"
promtool() { "$DEBIAN/usr/bin/promtool" "$@"; }
cp -r "$ROOT/packaging/monitoring" "$T/"
rules=$T/monitoring/prometheus/headgate.rules.yml cases=$T/monitoring/prometheus/headgate.test.yml

like "promtool finds twelve alerts" "$(promtool check rules "$rules" 2>&1)" 'SUCCESS: 12 rules found'
ok "each fires and is silent as it should" promtool test rules "$cases"
sed -i 's/> 0\.8$/> 0.95/' "$rules"
ok "another threshold is found out" fails promtool test rules "$cases"

# Each query of the dashboard as if it were a rule; its variables are Grafana's.
panels=$T/monitoring/grafana/headgate.json
jq -r '[.panels[].targets[].expr | gsub("\\$__rate_interval"; "5m")] | to_entries |
	{groups: [{name: "panels", rules: map({record: "panel:\(.key)", expr: .value})}]}' "$panels" >"$T/panels.json"
like "the dashboard's queries are good" "$(promtool check rules "$T/panels.json" 2>&1)" 'SUCCESS: [2-9][0-9] rules found'
is "no panel lies over another" "$(jq '[.panels[].gridPos | "\(.x) \(.y)"] | length - (unique | length)' "$panels")" 0

certs
TOKEN=$(token_new)
tenants_file "acme:$TOKEN"
conf_base local file 2 tls
headgate_start
known "$TOKEN"
otlp logs -o "$T/body"
is "a body is accepted" "$(post /v1/logs "$T/body")" 200
admin /metrics >"$T/metrics"
ok "promtool has nothing to say about the metrics" promtool check metrics <"$T/metrics"
finish
