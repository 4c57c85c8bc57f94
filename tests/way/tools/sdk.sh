# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# sdk.sh -- the way of an unmodified OpenTelemetry SDK, the same for each language: it sends three signals over TLS with a private
# CA, plain and in its codings; all of it is read back from Kafka, by two decoders that are not ours. Sourced by the tests of the SDKs.

# record_with SIGNAL TOPIC TEXT: the first record that holds it (metrics are sent again at shutdown)
record_with() { records "$1" | grep "$(hex "$2")" | head -n 1; }

# sdk_way NAME [SENDER]: of send_NAME, whose resource says that it is sender-SENDER. `need` was said, TOKEN belongs to the tenant acme,
# headgate runs with TLS. SDK_CODINGS: its codings, by blanks; SDK_OWN_ORDER: signals whose fields it writes in an order of its own.
sdk_way()
{
	local sdk=$1 sender=${2:-$1} coding run signal topic one name items before
	local three=$'traces ok\nmetrics ok\nlogs ok'
	for coding in ${SDK_CODINGS-none gzip}; do
		run=$sdk-$coding
		before=$(metric request_bytes_total "{encoding=\"${coding/none/gzip}\"}")
		is "$run: three signals are accepted" "$("send_$sdk" "$run" OTEL_EXPORTER_OTLP_COMPRESSION=$coding)" "$three"
		if [ $coding != none ]; then
			ok "$run: and came as $coding" test "$(metric request_bytes_total "{encoding=\"$coding\"}")" -gt "$before"
		else
			is "$run: and none came as gzip" "$(metric request_bytes_total '{encoding="gzip"}')" "$before"
		fi
		for signal in traces metrics logs; do
			case $signal in
			traces)	topic=$TRACES_TOPIC name=$run-span-0 items="$run-span-0 $run-span-1" ;;
			metrics)	topic=$METRICS_TOPIC name=$run-counter items="$run-counter $run-histogram" ;;
			logs)	topic=$LOGS_TOPIC name=$run-log-0 items="$run-log-0 $run-log-1" ;;
			esac
			one=$(record_with "$topic" "$name")
			is "$run: $signal: key, and headers in order" "$(jq -c '[.key, (.headers | map(.[0]))]' <<<"$one")" \
				"[\"$(hex acme)\",[\"X-Scope-OrgID\",\"tenant_id\",\"signal\",\"format\",\"content-type\",\"headgate-request-id\"]]"
			is "$run: $signal: byte-exact" "$(for each in X-Scope-OrgID tenant_id signal format content-type; do header "$one" $each; done | xargs)" \
				"acme acme $signal otlp_proto application/x-protobuf"
			decoded <<<"$one" >"$T/decoded"
			is "$run: $signal: the independent decoder reads what was sent" "$(jq -r '.items | sort | join(" ")' "$T/decoded")" "$items"
			is "$run: $signal: and one tenant, ours" "$(jq -c .tenants "$T/decoded")" '["acme"]'
			is "$run: $signal: beside the SDK's own resource" "$(jq -r '.resources[0][] | select(.[0] == "way.run" or .[0] == "service.name") | .[1]' "$T/decoded" |
				sort | xargs)" "$run sender-$sender"
			jq -r .value <<<"$one" | unhex >"$T/value"
			pbdump $signal "$T/value" >"$T/dumped"
			is "$run: $signal: protobuf-c reads the same" "$(sed -n 's/^item //p' "$T/dumped" | sort | xargs)" "$items"
			like "$run: $signal: protobuf-c finds our tenant last" "$(grep '^resource' "$T/dumped")" ' tenant_id=acme$'
			is "$run: $signal: and no other" "$(grep -o 'tenant_id=[^ ]*' "$T/dumped")" tenant_id=acme
			[ "$sender" = js ] || [[ " ${SDK_OWN_ORDER-} " == *" $signal "* ]] ||	# js: always
				is "$run: $signal: both pack it to the same bytes again" "$(sed -n 's/^repacked //p' "$T/dumped") $(jq .reencoded "$T/decoded")" \
					"yes true"
		done
		is "$run: attributes and points survive" "$(record_with "$TRACES_TOPIC" "$run-span-1" | decoded | jq -c '.item_attributes[1] | sort')" \
			'[["list",["a","b"]],["number",1],["text","grüß"]]'
		is "$run: the counter's value too" "$(record_with "$METRICS_TOPIC" "$run-counter" | decoded | jq -c '[.points[] | numbers]')" '[7]'
	done
}
