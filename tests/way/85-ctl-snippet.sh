#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 85-ctl-snippet.sh -- what headgatectl snippet prints works as pasted: curl, Python, an OpenTelemetry SDK; --test shows where each
# client's data goes (O13 in part; Prometheus and the Collector: tests/clients/16-snippets.sh)
. "${0%/*}/lib.sh"

snippet() { "$HEADGATECTL" snippet "$@" --tenant acme --token-file "$T/token" --endpoint "$URL" --ca "$CA" 2>"$T/said.err"; }
TOKEN=$(token_new)
printf '%s\n' "$TOKEN" >"$T/token"
certs
tenants_file "acme:$TOKEN"
conf_base local file 2 tls
headgate_start
known "$TOKEN"
export HEADGATE_SOCKET=$HG_DIR/control.sock
stored_logs() { "$HEADGATECTL" cat --dir "$HG_DIR/store" --signal logs | jq -r '.value.resourceLogs[].scopeLogs[].logRecords[].body.stringValue'; }

# -- as pasted
snippet curl >"$T/send.sh"
ok "the curl snippet sends" bash "$T/send.sh"
is "its record is there" "$(stored_logs | grep -c 'hello from curl')" 1
snippet curl --inline >"$T/send.sh"
ok "with the token in it too" bash "$T/send.sh"
snippet python >"$T/send.py"
ok "the Python snippet sends" python3 -I "$T/send.py"
is "its record is there" "$(stored_logs | tail -n 1)" "hello from python"
machine_env "$WAY/tools/cached" python >"$T/python" 2>/dev/null
if [ -s "$T/python" ]; then
	snippet otel-env >"$T/env"
	# The SDK gets its settings by the snippet alone.
	(. "$T/env"; "$(cat "$T/python")/bin/python" "$ROOT/tests/clients/python/send.py" by-snippet) >"$T/sdk" 2>"$T/sdk.err"
	is "an OpenTelemetry SDK sends by the environment alone" "$(sort "$T/sdk" | xargs)" "logs ok metrics ok traces ok"
	is "all three signals" "$("$HEADGATECTL" cat --dir "$HG_DIR/store" | grep by-snippet | jq -r .signal | sort -u | xargs)" "logs metrics traces"
else
	skip "an OpenTelemetry SDK sends by the environment alone" "no Python with the SDK"
fi

# -- the token
for client in prometheus alloy otelcol curl python otel-env; do
	snippet $client >"$T/text"
	is "$client: without --inline there is no token in it" "$? $(grep -c hgt_ "$T/text")" "0 0"
	snippet $client --inline >"$T/text"
	is "$client: with it there is" "$? $(grep -c "$TOKEN" "$T/text" | tr 1-9 y)" "0 y"
done
snippet prometheus >"$T/text"
is "Prometheus is told to try again after 429" "$(grep -c 'retry_on_http_429: true' "$T/text")" 1
is "and whom to trust" "$(grep -c "ca_file: \"$CA\"" "$T/text")" 1

# -- --test
samples_of()
{
	case $1 in
	prometheus)	echo remote_write_1.0 ;;
	alloy)	echo loki loki_json otlp_logs otlp_metrics otlp_traces remote_write_1.0 ;;
	vector | promtail | fluent-bit)	echo loki loki_json ;;
	*)	echo otlp_logs otlp_metrics otlp_traces ;;
	esac
}
for client in prometheus alloy otelcol curl python otel-env vector promtail fluent-bit; do
	snippet $client --test >"$T/text"
	is "$client --test is exit 0" $? 0
	is "$client --test sends each of its signals" "$(awk '/ 20[0-9] /{print $1}' "$T/said.err" | sort | xargs)" "$(samples_of $client)"
	is "$client --test tells the row of each" "$(grep -c 'db row [0-9]' "$T/said.err")" "$(samples_of $client | wc -w)"
	fails grep -q 'db row' "$T/text"
	ok "$client: and leaves the text alone" test $? = 0
done
printf 'hgt_wrong' >"$T/token"
snippet curl --test >/dev/null
is "a wrong token is exit 1" $? 1
like "and the reason" "$(cat "$T/said.err")" 'otlp_logs: refused with 401: hg-credential'
printf '%s\n' "$TOKEN" >"$T/token"
snippet prometheus --json --test >"$T/text"
is "--json is an object for the text and one for each item" "$(jq -c '[.schema, .client, (.text | type), .accepted]' "$T/text" | xargs)" \
	'[1,prometheus,string,null] [1,null,null,true]'

# -- Loki's clients, where it is not taken
printf 'protocols: {loki: {enabled: false}}\n' >"$T/closed.yaml"
for client in vector promtail fluent-bit; do
	snippet $client -c "$T/closed.yaml" >"$T/text"
	like "$client: exit 1, and why" "$? $(cat "$T/said.err")" '^1 .*Loki.* not taken here'
done

# -- usage
snippet thunderbird >/dev/null; is "a client that nobody knows is a usage error" $? 2
"$HEADGATECTL" snippet curl --token-file "$T/token" 2>/dev/null; is "no tenant too" $? 2
"$HEADGATECTL" snippet curl --tenant acme 2>/dev/null; is "no token file too" $? 2
"$HEADGATECTL" snippet curl --tenant 'a b' --token-file "$T/token" 2>/dev/null; is "a tenant id that is none too" $? 2
"$HEADGATECTL" snippet curl --tenant acme --token-file "$T/token" --endpoint "https://a\"b" 2>/dev/null; is "a URL with a quote too" $? 2
"$HEADGATECTL" snippet curl --tenant acme --token-file "$T/token" --endpoint http://gw.example 2>"$T/said.err" >/dev/null
like "a token without TLS is warned of" "$(cat "$T/said.err")" 'without TLS'
finish
