#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 02-senders.sh -- the OpenTelemetry SDKs and the independent decoder by themselves, against a server that only writes down: what they
# are told here, they must be told by headgate too
. "${0%/*}/lib.sh"
need js-otel python-otel

certs
background python3 "$WAY/tools/receiver.py" "$T/got" "$T/cert.pem" "$T/key.pem"
wait_until 10s test -e "$T/got/port" || bail "the receiver does not listen"
URL=https://127.0.0.1:$(<"$T/got/port")
TOKEN=$(token_new)
three='traces ok
metrics ok
logs ok'

# of WHAT: of each request, in the order of the signals (metrics are sent again at shutdown: the first counts)
of() { for signal in traces metrics logs; do jq -rs --arg signal "$signal" "map(select(.signal == \$signal))[0] | $1" "$T/got/requests"; done; }
decode_got()
{
	local signal
	for signal in traces metrics logs; do
		jq -rs --arg signal "$signal" 'map(select(.signal == $signal))[0].value' "$T/got/requests" | unhex >"$T/$signal"
		decoded "$signal" "$T/$signal"
	done
}

for sdk in js python; do
	for coding in none gzip; do
		rm -f "$T/got/requests"
		is "$sdk ($coding) sends three signals over TLS with a private CA" \
			"$("send_$sdk" "$sdk-$coding" OTEL_EXPORTER_OTLP_COMPRESSION=$coding)" "$three"
		is "$sdk ($coding) to the three paths" "$(of .path | xargs)" "/v1/traces /v1/metrics /v1/logs"
		is "$sdk ($coding) with the credential" "$(of '.headers[] | select((.[0] | ascii_downcase) == "authorization") | .[1]' | sort -u)" \
			"Bearer $TOKEN"
		want=identity
		[ $coding = none ] || want=gzip
		is "$sdk ($coding) in that coding" "$(of .encoding | sort -u)" $want
		decode_got >"$T/decoded"
		is "$sdk ($coding): the decoder finds the names" "$(jq -c .items "$T/decoded" | xargs -d '\n')" \
			"[\"$sdk-$coding-span-0\",\"$sdk-$coding-span-1\"] [\"$sdk-$coding-counter\",\"$sdk-$coding-histogram\"] [\"$sdk-$coding-log-0\",\"$sdk-$coding-log-1\"]"
		is "$sdk ($coding): and the tenant that it claims" "$(jq -c .tenants "$T/decoded" | sort -u)" '["forged-by-the-client"]'
		[ $sdk = js ] ||	# which writes fields in an order of its own
			is "$sdk ($coding): and makes the same bytes again" "$(jq .reencoded "$T/decoded" | sort -u)" true
	done
done

echo 401 >"$T/got/status"
like "JavaScript tells of a refusal" "$(send_js refused HEADGATE_SIGNALS=logs)" 'logs failed'
like "Python tells of a refusal" "$(send_python refused HEADGATE_SIGNALS=logs)" 'logs failed'
CA=''
like "without the CA JavaScript sends nothing" "$(send_js stranger HEADGATE_SIGNALS=traces)" 'traces failed: .*certificate'
rm -f "$T/got/status" "$T/got/requests"
like "without the CA Python sends nothing" "$(send_python stranger HEADGATE_SIGNALS=traces OTEL_EXPORTER_OTLP_TIMEOUT=2)" 'traces failed'
ok "and the server saw none of it" fails test -s "$T/got/requests"

# the bodies of our own generator, as the decoder sees them
for signal in traces metrics logs; do
	otlp $signal -n 3 -m mark -o "$T/made" -r x=y
	is "a body of otlp.py ($signal) is what it says" "$(decoded $signal "$T/made" | jq -c '[.reencoded, .items, .resources]')" \
		'[true,["mark-0","mark-1","mark-2"],[[["service.name","way"],["marker","mark"],["x","y"]]]]'
done
finish
