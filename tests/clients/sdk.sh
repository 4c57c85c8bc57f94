# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# sdk.sh -- what the tests of OpenTelemetry SDKs that are built (Java, Rust, Go) have in common, over lib.sh and the way of an SDK
# (tests/way/tools/sdk.sh). Such a test defines send_NAME RUN [VARIABLE=VALUE]... as send_js of tests/way/lib.sh is.
#
# sdk_broker		a broker of the test's own, behind a relay (relay.py): without that nobody is there, and with it at once, for an SDK tries
#			again for some seconds alone, and a broker that starts may take longer
# sdk_refused NAME	what it says when it may not, and that nothing is stored
# sdk_outage NAME [VARIABLE=VALUE]...	each signal is answered 503 while there is no broker; then all of it is there, and nothing was
#			sent again that was accepted, or not taken by Kafka (after: sdk_broker, gateway kafka.ack_deadline=3s, expect_err)

. "$WAY/tools/sdk.sh"

sdk_broker()
{
	RELAY_PORT=$(port_pick)
	kafka_start own "advertised.listeners=PLAINTEXT://127.0.0.1:$RELAY_PORT"
	RELAY_TO=${KAFKA_BROKERS#*:} KAFKA_BROKERS=127.0.0.1:$RELAY_PORT
	relay_start
}
relay_start()
{
	background python3 "$CLIENTS/relay.py" "$RELAY_PORT" "$RELAY_TO"
	RELAY=$SPAWNED
	wait_until 30s relay_passes || bail "no relay"
}
relay_passes() { (exec 3<>"/dev/tcp/127.0.0.1/$RELAY_PORT"); }

sdk_refused()
{
	local held=$TOKEN
	TOKEN=$(token_new)
	like "$1: an unknown token is refused" "$("send_$1" stranger HEADGATE_SIGNALS=logs)" 'logs failed'
	TOKEN=$held
	is "$1: and stores nothing" "$(records "$LOGS_TOPIC" | grep -c "$(hex stranger)")" 0
}

# answered SIGNAL CODE
answered() { metric requests_total "{route=\"otlp_$1\",code=\"$2\"}"; }

sdk_outage()
{
	local sdk=$1 run=$1-outage signal sender
	local -A topic=([traces]=$TRACES_TOPIC [metrics]=$METRICS_TOPIC [logs]=$LOGS_TOPIC) accepted=() refused=() doubt=()
	shift
	for signal in traces metrics logs; do
		accepted[$signal]=$(answered $signal 200) refused[$signal]=$(answered $signal 503) doubt[$signal]=$(doubtful $signal)
	done
	for signal in traces metrics logs; do
		end_pid "$RELAY" KILL
		"send_$sdk" "$run" HEADGATE_SIGNALS=$signal "$@" >"$T/$run-$signal" &
		sender=$!
		ok "$run: $signal: 503 in an outage" wait_until 60s more_than "${refused[$signal]}" $signal 503
		relay_start
		wait "$sender"
	done
	for signal in traces metrics logs; do
		is "$run: $signal: then it delivers" "$(cat "$T/$run-$signal")" "$signal ok"
		records "${topic[$signal]}" | grep "$(hex "$run")" >"$T/records"
		if [ "$(doubtful $signal)" != "${doubt[$signal]}" ]; then
			note "$run: $signal: Kafka took one after its 503"
			jq -sc 'unique_by(.value)[]' "$T/records" >"$T/once" && mv "$T/once" "$T/records"
		fi
		decoded <"$T/records" >"$T/decoded"
		is "$run: $signal: a record for each 200, no more" "$(wc -l <"$T/decoded")" $(($(answered $signal 200) - accepted[$signal]))
		is "$run: $signal: under our tenant alone" "$(jq -c .tenants "$T/decoded" | sort -u)" '["acme"]'
		case $signal in
		traces)	is "$run: each span once" "$(jq -r '.items[]' "$T/decoded" | sort | xargs)" "$run-span-0 $run-span-1" ;;
		metrics)	is "$run: each metric" "$(jq -r '.items[]' "$T/decoded" | sort -u | xargs)" "$run-counter $run-histogram" ;;
		logs)	is "$run: each log once" "$(jq -r '.items[]' "$T/decoded" | sort | xargs)" "$run-log-0 $run-log-1" ;;
		esac
	done
}

more_than() { [ "$(answered "$2" "$3")" -gt "$1" ]; }
