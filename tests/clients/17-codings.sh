#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 17-codings.sh -- an OpenTelemetry Collector exports OTLP, in protobuf and in JSON, in each coding that it knows: one record for each, of the
# same content; what headgate does not know it is told once (protocols.md 1.3)
. "${0%/*}/lib.sh"
need kafka postgres python-otel
programs collector
gateway
IN=127.0.0.1:$(port_pick)
codings=(none gzip deflate zlib zstd snappy)
unknown=(lz4 x-snappy-framed)

names=''
{
	echo "receivers: {otlp: {protocols: {http: {endpoint: \"$IN\"}}}}"
	echo "extensions: {bearertokenauth: {filename: $T/token}}"
	echo "exporters:"
	for encoding in proto json; do
		for coding in "${codings[@]}" "${unknown[@]}"; do
			names+=${names:+, }otlp_http/$encoding-$coding
			echo "  otlp_http/$encoding-$coding: {endpoint: \"$URL\", encoding: $encoding, compression: $coding," \
				"tls: {ca_file: $CA}, auth: {authenticator: bearertokenauth}}"
		done
	done
	echo "service:"
	echo "  extensions: [bearertokenauth]"
	echo "  telemetry: {metrics: {level: none}}"
	echo "  pipelines:"
	for signal in traces metrics logs; do echo "    $signal: {receivers: [otlp], exporters: [$names]}"; done
} >"$T/collector.yml"
declare -A before=()
answered()	# CODE: over the three routes
{
	local route n=0
	for route in traces metrics logs; do n=$((n + $(metric requests_total "{route=\"otlp_$route\",code=\"$1\"}"))); done
	echo $((n - ${before[$1]-0}))
}
before=([200]=$(answered 200) [415]=$(answered 415))	# of known
client collector "$COLLECTOR/collector" --config "$T/collector.yml"
wait_until 60s log_of collector 'Everything is ready' || bail "no Collector: $(tail -n 5 "$T/collector/log")"
mkdir "$T/given"
python3 "$CLIENTS/given.py" "$T/given"
for signal in traces metrics logs; do
	is "the Collector takes $signal" "$(curl -s -o "$T/reply" -w '%{http_code}' -H 'Content-Type: application/json' \
		--data-binary "@$T/given/$signal" "http://$IN/v1/$signal")" 200
done

all=$((2 * 3 * ${#codings[@]})) refused=$((2 * 3 * ${#unknown[@]}))
answers() { [ "$(answered 200) $(answered 415)" = "$all $refused" ]; }
ok "every export in a coding of ours is accepted, every other one is 415" wait_until 90s answers
ok "the Collector ends by itself" client_stop collector
ok "and repeated nothing" answers
for coding in "${codings[@]/none/identity}"; do
	for route in otlp_traces otlp_metrics otlp_logs; do
		ok "$route: bytes of $coding came" test "$(metric request_bytes_total "{route=\"$route\",encoding=\"$coding\"}")" -gt 0
	done
done
declare -A TOPIC=([traces]=$TRACES_TOPIC [metrics]=$METRICS_TOPIC [logs]=$LOGS_TOPIC)
for signal in traces metrics logs; do
	records "${TOPIC[$signal]}" >"$T/records"
	is "$signal: a record for each" "$(wc -l <"$T/records")" $((2 * ${#codings[@]}))
	is "$signal: those of protobuf are equal byte for byte, and so are those of JSON" \
		"$(jq -r .value "$T/records" | sort | uniq -c | awk '{n += $1; k++} END {print n, (k <= 2 ? "equal" : k)}')" "$((2 * ${#codings[@]})) equal"
	is "$signal: and the decoder reads one content in all" "$(decoded <"$T/records" | jq -c '[.signal, .tenants, .items, .item_attributes, .points]' | sort -u | wc -l)" 1
	is "$signal: under our tenant alone" "$(decoded <"$T/records" | jq -c .tenants | sort -u)" '["acme"]'
done
finish
