#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 14-collector.sh -- an OpenTelemetry Collector delivers three signals to the paths of Obstack, and metrics as remote_write 1.0 and 2.0
. "${0%/*}/lib.sh"
need kafka postgres python-otel
programs collector prometheus
gateway
IN=127.0.0.1:$(port_pick)

cat >"$T/collector.yml" <<EOF
receivers: {otlp: {protocols: {http: {endpoint: "$IN"}}}}
extensions: {bearertokenauth: {filename: $T/token}}
exporters:
  otlp_http: {endpoint: "$URL/ingest/otlp", tls: {ca_file: $CA}, headers: {X-Obstack-Auth-Token: "$TOKEN"}}
  prometheus_remote_write/first:
    endpoint: $URL/api/v1/write
    tls: {ca_file: $CA}
    auth: {authenticator: bearertokenauth}
  prometheus_remote_write/second:
    endpoint: $URL/api/v1/write
    protobuf_message: io.prometheus.write.v2.Request
    tls: {ca_file: $CA}
    auth: {authenticator: bearertokenauth}
service:
  extensions: [bearertokenauth]
  telemetry: {metrics: {level: none}}
  pipelines:
    traces: {receivers: [otlp], exporters: [otlp_http]}
    metrics: {receivers: [otlp], exporters: [otlp_http, prometheus_remote_write/first, prometheus_remote_write/second]}
    logs: {receivers: [otlp], exporters: [otlp_http]}
EOF
client collector "$COLLECTOR/collector" --config "$T/collector.yml" \
	--feature-gates=+exporter.prometheusremotewritexporter.enableSendingRW2
wait_until 60s log_of collector 'Everything is ready' || bail "no Collector: $(tail -n 5 "$T/collector/log")"
mkdir "$T/given"
python3 "$CLIENTS/given.py" "$T/given"
for signal in traces metrics logs; do
	is "the Collector takes $signal" "$(curl -s -o "$T/reply" -w '%{http_code}' -H 'Content-Type: application/json' \
		--data-binary "@$T/given/$signal" "http://$IN/v1/$signal")" 200
done

# A14
three() { [ "$(record_count "$RAW_TOPIC") $(record_count "$WRITE_TOPIC") $(record_count "$WRITE2_TOPIC")" = "3 1 1" ]; }
ok "each signal arrives once, and the metrics in either version" wait_until 60s three
ok "the Collector ends by itself" client_stop collector
ok "nothing was sent again" three
is "each request of Obstack was answered 202" "$(metric requests_total '{code="202"}')" 3
is "and of remote_write 204" "$(metric requests_total '{route="remote_write",code="204"}')" 2
is "no request failed, none was repeated" "$(complaints)" ''
records "$RAW_TOPIC" | tee "$T/raw" | decoded | jq -c '[.signal, .headers.format, .key, .tenants, .items]' | sort >"$T/read"
is "they hold what was given, under our tenant alone" "$(cat "$T/read")" \
	'["logs","otlp_proto","acme",["acme"],["given-log"]]
["metrics","otlp_proto","acme",["acme"],["given_gauge","given_sum","given_histogram","given_native"]]
["traces","otlp_proto","acme",["acme"],["given-span"]]'
is "the points of the metrics too" "$(decoded <"$T/raw" | jq -c 'select(.signal == "metrics") | [.points[0], .points[1], .points[2].bucket_counts, .points[3].positive.bucket_counts]')" \
	'[0.1,7,["1","2","3"],["3","4"]]'
is "and the attributes" "$(decoded <"$T/raw" | jq -c '.item_attributes[]' | sort -u)" '[["kind","grüß"]]'

# a Prometheus that receives OTLP reads the record too
SINK=127.0.0.1:$(port_pick)
echo 'otlp: {promote_resource_attributes: [tenant_id]}' >"$T/sink.yml"
client sink "$PROMETHEUS/prometheus" --config.file="$T/sink.yml" --storage.tsdb.path="$T/sink/data" --web.listen-address="$SINK" \
	--web.enable-otlp-receiver
wait_until 60s curl -sf "http://$SINK/-/ready" || bail "no sink"
jq -r --arg metrics "$(hex metrics)" 'select(any(.headers[]; . == ["signal", $metrics])) | .value' "$T/raw" | unhex >"$T/metrics"
is "Prometheus takes the record of the metrics as OTLP" "$(curl -s -o "$T/reply" -w '%{http_code}' -H 'Content-Type: application/x-protobuf' \
	--data-binary "@$T/metrics" "http://$SINK/api/v1/otlp/v1/metrics")" 200
asked() { curl -sS -G --data-urlencode "query=$1" "http://$SINK/api/v1/query" | jq -c '[.data.result[] | .value[1] // .histogram[1].count]'; }
is "and answers with its values, under our tenant" "$(for each in gauge sum_total histogram_count native; do asked "given_${each}{tenant_id=\"acme\"}"; done | xargs)" \
	'[0.1] [7] [6] [8]'
ok "the sink ends by itself" client_stop sink

# remote_write of the same metrics: P21 in its Collector part
cat >"$T/want" <<'EOF'
["given_gauge",0.1]
["given_histogram_bucket",1,"0.5"]
["given_histogram_bucket",3,"2.5"]
["given_histogram_bucket",6,"+Inf"]
["given_histogram_count",6]
["given_histogram_sum",9.5]
["given_native",[[3,3],[4,4]],8,12.5]
["given_sum_total",7]
["target_info",1]
EOF
for topic in "$WRITE_TOPIC" "$WRITE2_TOPIC"; do
	records "$topic" | python3 "$CLIENTS/remote_write.py" >"$T/series"
	jq -c '(.labels | map({(.[0]): .[1]}) | add) as $l
		| [$l.__name__] + (if .samples != [] then [.samples[0][0]] else [.histograms[0][0].positive, .histograms[0][0].count, .histograms[0][0].sum] end)
		+ (if $l.le then [$l.le] else [] end)' "$T/series" | sort >"$T/read"
	is "$topic: all that was given is there" "$(cat "$T/read")" "$(cat "$T/want")"
	is "$topic: our tenant once, in sorted place" "$(jq -c '[.labels[][0]] as $n | [[.labels[] | select(.[0] == "tenant_id")], $n == ($n | sort)]' "$T/series" | sort -u)" \
		'[[["tenant_id","acme"]],true]'
done
finish
