#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 28-micromegas-oidc.sh -- micromegas' telemetry sink, unmodified, with client credentials of a real identity provider: what it sends is in the
# topic as the tenant that its token names, and that of another audience is nobody (compatibility.md B5, B13, B22)
. "${0%/*}/lib.sh"
need kafka postgres oidc
programs rust
oidc_start own '{"tokenCallbacks": [{"issuerId": "a", "tokenExpiry": 3600, "requestMappings": [
	{"requestParam": "client_id", "match": "sink", "claims": {"sub": "sink", "aud": ["telemetry"], "tenant": "acme", "email": "sink@example.com"}},
	{"requestParam": "client_id", "match": "stranger", "claims": {"sub": "stranger", "aud": ["billing"], "tenant": "acme"}}]}]}'
BLOBS_TOPIC=$NAME-blobs
topic create "$KAFKA_BROKERS" "$BLOBS_TOPIC" 2 || bail "can't create the topic $BLOBS_TOPIC"
gateway protocols.micromegas.enabled=true "protocols.opaque.topic=$BLOBS_TOPIC" "log.access_file=$HG_DIR/access.log" \
	"auth.jwt.0={name: a, issuer: \"$OIDC_URL/a\", audiences: [telemetry], tenant_claim: tenant}"

# sink RUN CLIENT: the process; what it says
sink()
{
	env MICROMEGAS_TELEMETRY_URL="$URL" MICROMEGAS_OIDC_TOKEN_ENDPOINT="$OIDC_URL/a/token" MICROMEGAS_OIDC_CLIENT_ID="$2" \
		MICROMEGAS_OIDC_CLIENT_SECRET=any MICROMEGAS_ENABLE_CPU_TRACING=true SSL_CERT_FILE="$CA" timeout 150 "$RUST/micromegas-send" "$1" 2>&1
}
of_run()
{
	records "$BLOBS_TOPIC" | python3 "$CLIENTS/micromegas.py" |
		jq -sc --arg run "$1" '(map(select(.what.properties.run == $run)) | .[0].what.process_id) as $id | map(select($id != null and .what.process_id == $id))'
}
logs() { jq -c '[.[] | .objects // "" | scan("first round [0-9] grüß")] | sort'; }

like "the sink ends by itself" "$(sink first sink </dev/null | tail -n 1)" '^ended$'
of_run first >"$T/run"
is "each record is a blob of the tenant that the token names" "$(jq -c '[.[] | [.key, .tenant, .signal]] | unique' "$T/run")" '[["acme","acme","opaque"]]'
is "process, streams, blocks" "$(jq -c '[.[].route] | unique | length' "$T/run")" 3
is "the logs are there, each once" "$(logs <"$T/run")" '["first round 0 grüß","first round 1 grüß","first round 2 grüß"]'
is "the access log says who it was" "$(grep -a '"verdict":"accepted"' "$HG_DIR/access.log" | jq -c '[.tenant, .subject, .email, .issuer, .auth]' | sort -u)" \
	"[\"acme\",\"sink\",\"sink@example.com\",\"$OIDC_URL/a\",\"jwt\"]"

told() { grep -q 'insert_process client error' "$T/stranger"; }
{ wait_until 20s told; } | sink stranger stranger >"$T/stranger"
like "for another audience: 401, and it is told why" "$(cat "$T/stranger")" 'insert_process client error \(401 Unauthorized\): Invalid token'
is "nothing of it is stored" "$(record_count "$BLOBS_TOPIC")" "$(jq length "$T/run")"
finish
