#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 00-selftest.sh -- the ground that the other way tests stand on: real Kafka, real PostgreSQL, and the tools that look at them
. "${0%/*}/lib.sh"
need kafka postgres

# Kafka: bytes come back as they went
topics 3
printf 'first\n' | kcat -P -b "$KAFKA_BROKERS" -t "$LOGS_TOPIC" -p 1 -k acme -H X-Scope-OrgID=acme -H twice=1 -H twice= -H 'a"b=c'
head -c 300000 /dev/urandom >"$T/random"
kcat -P -b "$KAFKA_BROKERS" -t "$LOGS_TOPIC" -p 2 "$T/random"
is "each record is counted" "$(record_count "$LOGS_TOPIC")" 2
one=$(records "$LOGS_TOPIC" | jq -c 'select(.partition == 1)')
is "a value comes back" "$(jq -r .value <<<"$one")" "$(hex first)"
is "a key comes back" "$(jq -r .key <<<"$one")" "$(hex acme)"
is "headers come back in order, repeated and empty ones too" "$(jq -c .headers <<<"$one")" \
	'[["X-Scope-OrgID","61636d65"],["twice","31"],["twice",""],["a\"b","63"]]'
is "a header is found by its name" "$(header "$one" X-Scope-OrgID)" acme
is "no key is not an empty key" "$(records "$LOGS_TOPIC" | jq -c 'select(.partition == 2).key')" null
values "$LOGS_TOPIC" "$T/values"
ok "300 000 random bytes come back" eval "cmp '$T/random' '$T/values/0' || cmp '$T/random' '$T/values/1'"
is "an empty topic is read as nothing" "$(records "$TRACES_TOPIC")" ""
ok "a topic that is not there is an error, not nothing" fails records nowhere

# A broker of our own comes back with what it had
kafka_start own acl max.message.bytes=2000000
topic create "$KAFKA_BROKERS" mine 1
echo before | kcat -P -b "$KAFKA_BROKERS" -t mine
kafka_freeze own
timeout 1 "$WAY_TOPIC" count "$KAFKA_BROKERS" mine
is "a frozen broker answers nothing" $? 124
kafka_thaw own
kafka_kill own
ok "a killed broker is gone" gone "${KAFKA_PIDS[own]}"
kafka_restart own
is "it comes back on its ports with its records" "$(record_count mine)" 1
put() { kcat -P -b "$KAFKA_BROKERS" -t mine "$T/random"; }
topic deny "$KAFKA_BROKERS" mine
ok "a denied topic takes nothing" wait_until 20s fails put	# a broker learns such things from its log, a moment after they were answered
topic allow "$KAFKA_BROKERS" mine
ok "an allowed one does" wait_until 20s put
topic config "$KAFKA_BROKERS" mine max.message.bytes=100
ok "a lower limit of a topic holds" wait_until 20s fails put

# PostgreSQL: the schema as shipped, the roles, the helpers
tenant_add acme bytes_per_s=1000
token=$(token_add acme "" "scopes => '{traces:write}'")
like "a token has the right form" "$token" '^hgt_[0-9A-Za-z]{8}_[0-9A-Za-z]{36}$'
is "the checksum is the one of the vector" "$(python3 "$WAY/tools/token.py" 0123ABcd 0123456789ABCDEFGHIJabcdefghij)" \
	hgt_0123ABcd_0123456789ABCDEFGHIJabcdefghij1g9dVr
seen() { psql -XqAt "$1" -c "SELECT token_id, tenant_id, encode(hash, 'hex'), scopes, revoked_at IS NOT NULL FROM headgate.gateway_token"; }
want="$(token_id "$token")|acme|$(token_hash "$token")|{traces:write}"
is "the gateway's role sees the token" "$(seen "$PG_DSN")" "$want|f"
is "and over TCP, with its password" "$(seen "$PG_DSN_TCP")" "$want|f"
token_revoke "$token"
is "a revoked token is seen as revoked" "$(seen "$PG_DSN")" "$want|t"
ok "the gateway's role may not write tokens" fails psql -XqAt "$PG_DSN" -c "DELETE FROM headgate.token"
is "what changed is known" "$(psql -XqAt "$PG_DSN" -c "SELECT count(*) FROM headgate.change WHERE token_id = '$(token_id "$token")'")" 2
pg_statements on
psql -XqAt "$PG_DSN" -c "SELECT 'a statement of the gateway'" >/dev/null
ok "its statements are in the log of the server" wait_until 10s eval "pg_log | grep 'headgate_gw@.*a statement of the gateway'"

# Requests, files, certificates
certs
ok "the private CA vouches for the certificate" openssl verify -CAfile "$CA" "$T/cert.pem"
conf_base tls file discard 3
conf limits.body=1KiB listeners.0.max_connections=10
like "a configuration is written" "$(cat "$HG_DIR/headgate.yaml")" 'max_connections: 10'
otlp logs -n 2 -m marked -r tenant_id=forged -o "$T/body"
like "a body holds its marker and its items" "$(tr -c '[:print:]' ' ' <"$T/body")" 'marked.*forged.*marked-0.*marked-1'
finish
