# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# sdk.sh -- what the tests of OpenTelemetry SDKs that are built (Java, Rust, Go) have in common, over lib.sh and the way of an SDK
# (tests/way/tools/sdk.sh). Such a test defines send_NAME RUN [VARIABLE=VALUE]... as send_js of tests/way/lib.sh is.
#
# sdk_refused NAME	what it says when it may not, and that nothing is stored
# sdk_outage NAME [VARIABLE=VALUE]...	each signal is answered 503 while there is no broker; then all of it is there, and nothing was
#			sent again that was accepted (after: kafka_start own, gateway kafka.ack_deadline=3s, expect_err)

. "$WAY/tools/sdk.sh"

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
	local sdk=$1 run=$1-outage signal each ended=()
	local -A topic=([traces]=$TRACES_TOPIC [metrics]=$METRICS_TOPIC [logs]=$LOGS_TOPIC) accepted=() refused=()
	shift
	for signal in traces metrics logs; do accepted[$signal]=$(answered $signal 200) refused[$signal]=$(answered $signal 503); done
	kafka_stop own
	for signal in traces metrics logs; do
		"send_$sdk" "$run" HEADGATE_SIGNALS=$signal "$@" >"$T/$run-$signal" &
		ended+=($!)
	done
	for signal in traces metrics logs; do ok "$run: $signal: 503 in an outage" wait_until 20s more_than "${refused[$signal]}" $signal 503; done
	kafka_restart own
	for each in "${ended[@]}"; do wait "$each"; done
	for signal in traces metrics logs; do
		is "$run: $signal: then it delivers" "$(cat "$T/$run-$signal")" "$signal ok"
		records "${topic[$signal]}" | grep "$(hex "$run")" | decoded >"$T/decoded"
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
