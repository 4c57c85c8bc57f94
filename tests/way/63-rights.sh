#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 63-rights.sh -- what headgate's user may have to be allowed to do in a Kafka that has rules, as headgate.yaml(5) says it: Write alone lets it
# write; what topics take is known with DescribeConfigs, and topics are made with Create
. "${0%/*}/lib.sh"
need broker
kafka_start rights authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer super.users=User:ANONYMOUS
topics
PLAIN_DOOR=$KAFKA_BROKERS DOOR=127.0.0.1:$(port_pick)
kafka_stop rights
properties=$T/kafka-rights/server.properties
sed -i "s|^listeners=PLAINTEXT://[^,]*|&,SASL://$DOOR|" "$properties"
cat >>"$properties" <<'END'
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_PLAINTEXT
sasl.enabled.mechanisms=PLAIN
listener.name.sasl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="in wonderland";
END
kafka_restart rights
may() { (KAFKA_BROKERS=$PLAIN_DOOR; kafka_tool AclCommand --add --allow-principal User:alice "$@" --force >"$T/acl" 2>&1) || bail "$(cat "$T/acl")"; }
KAFKA_BROKERS=$DOOR

(umask 077; echo 'in wonderland' >"$T/password")
TOKEN=$(token_new)
tenants_file "acme:$TOKEN"
conf_base kafka file 1
conf kafka.sasl.mechanism=PLAIN kafka.sasl.username=alice "kafka.sasl.password_file=$T/password" kafka.metadata_refresh=1s kafka.compression=none
ctl() { "$HEADGATECTL" -c "$HG_DIR/headgate.yaml" "$@"; }
may --operation Write --topic "$NAME-" --resource-pattern-type prefixed
expect_err 'mod=(sink_kafka|topics)'
headgate_start
known "$TOKEN"
otlp logs -m one -o "$T/body"
is "with Write a record is accepted" "$(post /v1/logs "$T/body")" 200
is "and stored" "$(KAFKA_BROKERS=$PLAIN_DOOR; record_count "$LOGS_TOPIC")" 1
limit() { ctl topics ls --json | jq -r "select(.topic == \"$LOGS_TOPIC\") | .max_message_bytes"; }
is "what the topic takes is not known" "$(limit)" 0
(KAFKA_BROKERS=$PLAIN_DOOR; topic config "$KAFKA_BROKERS" "$TRACES_TOPIC" max.message.bytes=20000)
otlp traces --pad 300000 -n 1 -o "$T/large"
is "so what it does not take is found out when it is sent" "$(post /v1/traces "$T/large")" 413
may --operation DescribeConfigs --topic "$NAME-" --resource-pattern-type prefixed
may --operation DescribeConfigs --cluster
known_now() { [ "$(limit)" -gt 100000 ]; }
ok "with DescribeConfigs it is" wait_until 20s known_now
conf protocols.loki.topic="$NAME-more"
ctl topics create --partitions 1 --replication 1 >"$T/said" 2>&1
is "without Create no topic is made" $? 1
like "which is said" "$(cat "$T/said")" "$NAME-more: .*uthoriz"
may --operation Create --topic "$NAME-" --resource-pattern-type prefixed
made() { ctl topics create --partitions 1 --replication 1 | grep -qE "$NAME-more +created"; }
ok "with it, it is" wait_until 20s made
finish
