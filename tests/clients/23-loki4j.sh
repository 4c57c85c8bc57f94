#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 23-loki4j.sh -- the unmodified appender of loki4j (JSON; Basic and tenantId): all that it was given is in the topic, with our tenant and no
# other; after an outage too, for it tries again; what it is told when it may not (P18, P19, P21)
. "${0%/*}/lib.sh"
need broker postgres
programs java
kafka_start own
gateway kafka.ack_deadline=3s
keytool -importcert -noprompt -file "$CA" -keystore "$T/trust.p12" -storetype PKCS12 -storepass trusted >"$T/.keytool" 2>&1 ||
	bail "no trust store: $(cat "$T/.keytool")"

# lines_of RUN	what the topic has of a run: labels, line, metadata; sorted
lines_of()
{
	records "$LOKI_TOPIC" | python3 "$WAY/tools/loki.py" decode | jq -c --arg run "$1" \
		'.[] | select(.[0] | contains("job=\"" + $run + "\"")) | .[0] as $labels | .[1][] | [$labels, .[1], .[2]]' | sort
}
wanted() { jq -nc --arg run "$1" '["{job=\"" + $run + "\", tenant_id=\"acme\"}"] as $l | [["grüß \"dich\"", "0"], ["two\nlines", "1"], ["😀", "2"]][] |
	$l + [$run + " " + .[0], {number: .[1]}]' | sort; }
# send RUN [VARIABLE=VALUE]...	what it complains of, and "stopped"
send()
{
	env LOKI_URL="$URL/loki/api/v1/push" LOKI_TOKEN="$TOKEN" "${@:2}" timeout 120 java -Djavax.net.ssl.trustStore="$T/trust.p12" \
		-Djavax.net.ssl.trustStorePassword=trusted -cp "$JAVA/classes:$JAVA/lib/*" LokiSend "$1" 2>>"$T/send.log"
}

for how in basic user tenant; do
	case $how in
	basic)	who=() ;;
	user)	who=(LOKI_USER=acme) ;;
	tenant)	who=(LOKI_TENANT=acme) ;;
	esac
	run=loki4j-$how
	is "$run: it complains of nothing" "$(send $run "${who[@]}")" stopped
	is "$run: each line is there once, with its metadata and our tenant" "$(lines_of $run)" "$(wanted $run)"
done
ok "what was forged is counted" test "$(metric items_spoofed_total '{tenant="acme",signal="logs"}')" -ge 9

held=$TOKEN
TOKEN=$(token_new)
like "an unknown token is refused" "$(send stranger)" ' 401 '
TOKEN=$held
like "another tenant too" "$(send stranger LOKI_TENANT=other)" ' 403 '
is "and nothing of them is stored" "$(lines_of stranger)" ""

expect_err 'mod=(sink_kafka|topics)'
refused() { [ "$(metric requests_total '{route="loki",code="503"}')" -gt 0 ]; }
doubt=$(doubtful logs)
kafka_stop own
send loki4j-outage LOKI_TRIES=20 >"$T/outage" &
sender=$!
ok "503 in an outage" wait_until 60s refused
kafka_restart own
wait "$sender"
like "it says that it tried again" "$(cat "$T/outage")" ' 503 '
once=(sort)
[ "$(doubtful logs)" = "$doubt" ] || { once=(sort -u); note "Kafka took some after their 503"; }
is "then each line is there, once" "$(lines_of loki4j-outage | "${once[@]}")" "$(wanted loki4j-outage)"
finish
