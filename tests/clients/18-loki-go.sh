#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 18-loki-go.sh -- promtail's own client, unmodified, in protobuf and JSON: all that it was given is in the topic, with our tenant and no
# other; after an outage too, for it tries again (P18, P19, P21)
. "${0%/*}/lib.sh"
need broker postgres
programs lokisend
kafka_start own acl
gateway

# lines_of RUN	what the topic has of a run: labels, time, line
lines_of()
{
	records "$LOKI_TOPIC" | python3 "$WAY/tools/loki.py" decode | jq -c --arg run "$1" \
		'.[] | select(.[0] | contains("job=\"" + $run + "\"")) | .[0] as $labels | .[1][] | [$labels, .[0], .[1]]' | sort
}
# send RUN [VARIABLE=VALUE]...	what it says in the end, and what failed
send()
{
	env LOKI_URL="$URL/loki/api/v1/push" LOKI_TOKEN="$TOKEN" LOKI_CA="$CA" "${@:2}" timeout 60 "$LOKISEND/lokisend" "$1" 2>&1
}
wanted() { jq -nc --arg run "$1" '["{job=\"" + $run + "\", tenant_id=\"acme\"}"] as $l | [["21", "grüß \"dich\""], ["22", "two\nlines"], ["23", "😀"]][] |
	$l + ["17000000000000000" + .[0], $run + " " + .[1]]' | sort; }

for form in protobuf json; do
	with=()
	[ $form = protobuf ] || with=(LOKI_JSON=1 LOKI_URL="$URL/api/prom/push")
	for how in basic user tenant; do
		case $how in
		basic)	who=() ;;
		user)	who=(LOKI_USER=acme) ;;
		tenant)	who=(LOKI_TENANT=acme) ;;
		esac
		run=go-$form-$how
		is "$run: it stops by itself, and complains of nothing" "$(send $run "${with[@]}" "${who[@]}")" stopped
		is "$run: each line is there, with its time and our tenant" "$(lines_of $run)" "$(wanted $run)"
	done
done

# the route answers 503 while its topic may not be written; the client tries again
topic deny "$KAFKA_BROKERS" "$LOKI_TOPIC"
expect_err 'mod=(sink_kafka|topics)'
background env LOKI_URL="$URL/loki/api/v1/push" LOKI_TOKEN="$TOKEN" LOKI_CA="$CA" LOKI_TRIES=10 "$LOKISEND/lokisend" go-outage
refused() { [ "$(metric requests_total '{route="loki",code="503"}')" -gt 0 ]; }
ok "503 in an outage" wait_until 60s refused
topic allow "$KAFKA_BROKERS" "$LOKI_TOPIC"
delivered() { [ "$(lines_of go-outage | sort -u)" = "$(wanted go-outage)" ]; }
ok "then it delivers" wait_until 60s delivered

held=$TOKEN
TOKEN=$(token_new)
like "an unknown token is refused" "$(send stranger)" 'status=401'
TOKEN=$held
like "another tenant too" "$(send stranger LOKI_TENANT=other)" 'status=403'
is "and nothing of them is stored" "$(lines_of stranger)" ""
finish
