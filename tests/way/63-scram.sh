#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 63-scram.sh -- logging in to a real Apache Kafka by PLAIN and by SCRAM. librdkafka before 2.6.1 (Debian 12's) repeats its nonce, which
# Kafka 4 does not take: then nothing may be called accepted, and the log says why.
. "${0%/*}/lib.sh"
need broker
kafka_start scram
topics
kafka_tool ConfigCommand --alter --entity-type users --entity-name alice --add-config 'SCRAM-SHA-256=[iterations=4096,password=in wonderland]'
kafka_tool ConfigCommand --alter --entity-type users --entity-name alice --add-config 'SCRAM-SHA-512=[iterations=4096,password=in wonderland]'

# One more door, for who has a name.
PLAIN_DOOR=$KAFKA_BROKERS DOOR=127.0.0.1:$(port_pick)
kafka_stop scram
properties=$T/kafka-scram/server.properties
sed -i "s|^listeners=PLAINTEXT://[^,]*|&,SASL://$DOOR|" "$properties"
cat >>"$properties" <<'END'
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_PLAINTEXT
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="in wonderland";
listener.name.sasl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
END
kafka_restart scram
KAFKA_BROKERS=$DOOR

(umask 077; echo 'in wonderland' >"$T/right.txt"; echo "in a looking-glass" >"$T/wrong.txt")
TOKEN=$(token_new)
otlp logs -m one -o "$T/body"

# as NAME MECHANISM PASSWORD-FILE PATIENCE: a gateway that logs in so; the status of a body, which a first login may keep waiting for long
as()
{
	instance "$1"
	tenants_file "acme:$TOKEN"
	conf_base kafka file 1
	conf "kafka.sasl.mechanism=$2" kafka.sasl.username=alice "kafka.sasl.password_file=$T/$3.txt" "kafka.ack_deadline=$4"
	headgate_start
	known "$TOKEN"
	STATUS=$(post /v1/logs "$T/body")
}
stored_now() { (KAFKA_BROKERS=$PLAIN_DOOR; record_count "$LOGS_TOPIC"); }

as plain PLAIN right 40s
is "by PLAIN it is accepted" "$STATUS" 200
is "and stored" "$(stored_now)" 1
expect_err 'mod=sink'
as wrong PLAIN wrong 3s
is "with a wrong password it is 503" "$STATUS" 503
ok "the log says that it is the login" wait_until 20s hg_log 'uthentication'
is "nothing is stored" "$(stored_now)" 1

version=$("$HEADGATE_WORKER" -v | sed -n 's/^ *librdkafka \([0-9.]*\).*/\1/p')
note "librdkafka $version"
count=1 patience=3s
[ "$(printf '2.6.1\n%s\n' "$version" | sort -V | head -n 1)" != 2.6.1 ] || patience=40s
for mechanism in SCRAM-SHA-256 SCRAM-SHA-512; do
	as "$mechanism" "$mechanism" right $patience
	if [ $patience = 40s ]; then
		is "by $mechanism it is accepted" "$STATUS" 200
		is "and stored" "$(stored_now)" $((++count))
	else
		is "by $mechanism it is 503 with a librdkafka that is too old for it" "$STATUS" 503
		ok "the log says that it is the login" wait_until 20s hg_log 'uthentication'
		is "nothing is stored" "$(stored_now)" "$count"
	fi
done
finish
