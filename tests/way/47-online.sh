#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 47-online.sh -- `headgate -t --online` asks the database, the brokers and the issuers as the service would, changes nothing, and names each
# that does not answer as it should (operations.md 1, records.md 1.3)
. "${0%/*}/lib.sh"
need kafka postgres oidc

topics 2 max.message.bytes=1048576
tenant_add acme
token_add acme >/dev/null
oidc_start own
conf_base
conf protocols.remote_write.enabled=true protocols.loki.enabled=true \
	"auth.jwt.0={name: a, issuer: \"$OIDC_URL/a\", audiences: any, tenant_claim: tenant}"
# A session counts what it wrote when it ends, a little after its client has.
alone() { [ "$(pg "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'")" = 1 ]; }
writes() { wait_until 20s alone; pg "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables WHERE schemaname = 'headgate'"; }
C=$HG_DIR/headgate.yaml
check()
{
	"$HEADGATE" -t --online -c "$C" "$@" >"$T/said" 2>&1 </dev/null
}
# online SENTENCE STATUS REGEX [ARGUMENT...]
online()
{
	check "${@:4}"
	is "$1: status $2" $? "$2"
	like "$1: is told" "$(cat "$T/said")" "$3"
}

before=$(writes)
check
is "where all answer it is exit 0" $? 0
is "with the warning of any audience alone" "$(grep -c ': \(warning\|error\): ' "$T/said")$(grep -c 'for whomever they were meant' "$T/said")" 11
is "nothing was written" "$(writes)" "$before"
"$HEADGATE" -t --offline --online -c "$C" >"$T/said" 2>&1
is "--offline --online is a usage error" $? 2

# Each that is away or is not as it should be
sed "s|$KAFKA_BROKERS|127.0.0.1:$(port_pick)|" "$C" >"$T/brokers.yaml"
ok "-t alone asks nobody" "$HEADGATE" -t -q -c "$T/brokers.yaml"
C=$T/brokers.yaml online "brokers that are away" 69 'error: kafka.brokers: '
away=http://127.0.0.1:$(port_pick)/a
sed "s|$OIDC_URL/a|$away|" "$C" >"$T/issuer.yaml"
C=$T/issuer.yaml online "an issuer that is not there" 69 "error: auth.jwt: no keys of the issuer '$away': "
sed "s|^\( *dsn: \).*|\1\"host=127.0.0.1 port=$(port_pick) dbname=x\"|" "$C" >"$T/database.yaml"
C=$T/database.yaml online "a database that is away" 69 'error: tenants.dsn: .*Connection refused'
is "libpq's lines are one of ours" "$(grep -c 'Connection refused' "$T/said")" 1
"$HEADGATE" -t --online --json -c "$T/database.yaml" >"$T/json" 2>/dev/null
is "as JSON too" "$(jq -c '[.ok, .errors]' "$T/json")" "[false,1]"
pg "REVOKE SELECT ON headgate.gateway_token FROM headgate_reader"
online "rights that the role lacks" 69 'error: tenants.dsn: .*permission denied'
pg "GRANT SELECT ON headgate.gateway_token TO headgate_reader"
pg "INSERT INTO headgate.schema_version VALUES (99)"
online "a schema of another version" 69 'error: tenants.dsn: .*schema headgate has version 99'
pg "DELETE FROM headgate.schema_version WHERE version = 99"

# What only degrades
topic config "$KAFKA_BROKERS" "$LOGS_TOPIC" max.message.bytes=500000
online "a topic that is small" 0 "warning: the topic '$LOGS_TOPIC' lowers what a record may have from 983040 to 434464 bytes \(otlp_logs\): its max.message.bytes is 500000, the brokers' socket.request.max.bytes 104857600; set both to 1048576 at least, or record_max_bytes to 434464"
check --deny-warnings
is "it counts where warnings do" $? 78
topic delete "$KAFKA_BROKERS" "$LOGS_TOPIC"
gone_there() { ! topic list "$KAFKA_BROKERS" | grep -qx "$LOGS_TOPIC"; }
wait_until 20s gone_there
online "a topic that is not there" 0 "warning: the topic '$LOGS_TOPIC' is not there, otlp_logs answer 503: headgatectl topics create"
# The configuration's own faults go first.
echo 'workers: none' >>"$C"
check
is "a bad configuration is exit 78 as ever" $? 78
finish
