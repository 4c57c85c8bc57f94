#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 26-micromegas-oidc.sh -- micromegas' telemetry sink, unmodified, gets tokens by client credentials from a real identity provider and
# delivers with them, as `headgatectl send` does; the tenant is the one that the token names (B22, B6 in part)
. "${0%/*}/lib.sh"
need broker postgres oidc
programs rust
kafka_start own
oidc_start own "$(jq -n 'def client(id; claims): {requestParam: "client_id", match: id, claims: ({sub: id} + claims)};
	{tokenCallbacks: [{issuerId: "mm", tokenExpiry: 600, requestMappings: [client("agent"; {aud: ["headgate"], tenant: "acme"}),
		client("stray"; {aud: ["other"], tenant: "acme"})]}]}')"
BLOBS_TOPIC=$NAME-blobs
topic create "$KAFKA_BROKERS" "$BLOBS_TOPIC" 2 || bail "can't create the topic $BLOBS_TOPIC"
gateway protocols.micromegas.enabled=true "protocols.opaque.topic=$BLOBS_TOPIC" auth.jwt.0.name=mm "auth.jwt.0.issuer=$OIDC_URL/mm" \
	'auth.jwt.0.audiences=[headgate]' auth.jwt.0.tenant_claim=tenant auth.jwks.refetch_floor=1s
known "$(oidc_token mm client_id=agent)"

# as CLIENT COMMAND...
as()
{
	env MICROMEGAS_TELEMETRY_URL="$URL" MICROMEGAS_OIDC_TOKEN_ENDPOINT="$OIDC_URL/mm/token" MICROMEGAS_OIDC_CLIENT_ID="$1" \
		MICROMEGAS_OIDC_CLIENT_SECRET=secret-of-the-sink MICROMEGAS_ENABLE_CPU_TRACING=true SSL_CERT_FILE="$CA" "${@:2}"
}
blobs() { records "$BLOBS_TOPIC" | python3 "$CLIENTS/micromegas.py"; }

# ---- the sink ----
# At its end it waits 5 s and no more, so it lives until all is there that it was given.
came()
{
	blobs | jq -esc '([.[].route | sub(".*insert_"; "")] | (index("process") != null) and (map(select(. == "stream")) | length >= 3) and
		(map(select(. == "block")) | length >= 3)) and ([.[] | .objects // "" | scan("first round [0-9] grüß")] | length >= 3)'
}
{ wait_until 60s came; } | as agent timeout 150 "$RUST/micromegas-send" first >"$T/first" 2>&1
like "the sink ends by itself" "$(tail -n 1 "$T/first")" '^ended$'
blobs | jq -sc . >"$T/blobs"
is "each record is a blob of the tenant that the token names" "$(jq -c '[.[] | [.key, .tenant, .signal]] | unique' "$T/blobs")" '[["acme","acme","opaque"]]'
is "one process, its streams, its blocks" "$(jq -c '[.[].route | sub(".*insert_"; "")] | [(map(select(. == "process")) | length), any(. == "stream"), any(. == "block")]' "$T/blobs")" \
	'[1,true,true]'
is "the logs are there, each once" "$(jq -c '[.[] | .objects // "" | scan("first round [0-9] grüß")] | sort' "$T/blobs")" "$(jq -nc '[range(3) | "first round \(.) grüß"]')"
before=$(record_count "$BLOBS_TOPIC")
told() { grep -q 'insert_process client error' "$T/stray"; }
{ wait_until 30s told; } | as stray timeout 150 "$RUST/micromegas-send" stray >"$T/stray" 2>&1
like "one whose tokens are for another audience is told" "$(cat "$T/stray")" 'insert_process client error \(401 Unauthorized\): Invalid token'
is "and stores nothing" "$(record_count "$BLOBS_TOPIC")" "$before"

# ---- headgatectl send, by the same variables ----
for i in {1..20}; do echo "blob $i" >"$T/f$i"; done
as agent "$HEADGATECTL" send --path /ingestion/insert_block --ca "$CA" --jobs 10 --json "$T"/f? "$T"/f?? >"$T/said" 2>"$T/said.err"
is "headgatectl delivers with the same credentials" "$? $(jq -r .code "$T/said" | sort | uniq -c | xargs)" "0 20 200"
mine=$(hex 'blob ')
is "each once" "$(records "$BLOBS_TOPIC" | jq -r --arg mine "$mine" '.value | select(startswith($mine))' | tr -d '\n' | unhex | sort -V | xargs)" "$(seq -f 'blob %g' 20 | xargs)"
as stray "$HEADGATECTL" send --path /ingestion/insert_block --ca "$CA" --json "$T/f1" >"$T/said" 2>"$T/said.err"
is "with a token for another audience it asks for one more, once, and is refused" "$? $(jq -r '"\(.code) \(.tries)"' "$T/said")" "1 401 2"
fails grep -qE 'secret-of-the-sink|eyJ[A-Za-z0-9_-]{20}' "$T/said" "$T/said.err" "$HG_LOG" "$HG_DIR"/audit.log
ok "no secret and no token is in an output or a log" test $? = 0

# ---- other keys, the same kid ----
oidc_restart own
fresh() { as agent "$HEADGATECTL" send --path /ingestion/insert_block --ca "$CA" --json "$T/f1" >"$T/said" 2>"$T/said.err"; }
ok "when the provider has other keys they are fetched" wait_until 60s fresh
finish
