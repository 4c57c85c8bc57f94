#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 35-hydra.sh -- Ory Hydra, which has another key for the next token as soon as it is told so: tokens of client credentials are let in before
# and after, of ES256 where the configuration says so, and of a key that was taken back no more (B6, B9)
. "${0%/*}/lib.sh"
need kafka postgres
programs hydra

topics 2
tenant_add acme
PUBLIC=$(port_pick) ADMIN=$(port_pick)
ISSUER=http://127.0.0.1:$PUBLIC/
cat >"$T/hydra.yaml" <<END
dsn: memory
serve: {public: {host: 127.0.0.1, port: $PUBLIC}, admin: {host: 127.0.0.1, port: $ADMIN}}
urls: {self: {issuer: "$ISSUER"}}
strategies: {access_token: jwt}
secrets: {system: [0123456789abcdef0123456789abcdef]}
ttl: {access_token: 600s}
END
background env SQA_OPT_OUT=true HOME="$T" "$HYDRA/hydra" serve all --dev -c "$T/hydra.yaml"
server=$SPAWNED
# It makes two keys of 4096 bits first.
wait_until 120s curl -sf -o /dev/null "${ISSUER}health/ready" || bail "no Hydra"
# admin_api METHOD PATH [JSON]
admin_api() { curl -sf -X "$1" -H 'Content-Type: application/json' ${3:+-d "$3"} "http://127.0.0.1:$ADMIN/admin/$2"; }
for each in agent:telemetry stranger:billing; do
	admin_api POST clients "{\"client_id\":\"${each%:*}\",\"client_secret\":\"a-secret\",\"grant_types\":[\"client_credentials\"],\"audience\":[\"${each#*:}\"]}" >/dev/null ||
		bail "Hydra takes no client"
done
# token CLIENT AUDIENCE
token() { curl -sf -u "$1:a-secret" -d grant_type=client_credentials -d "audience=$2" "${ISSUER}oauth2/token" | jq -re .access_token || bail "Hydra gives no token"; }
part() { python3 -c 'import base64, sys; p = sys.argv[1].split(".")[int(sys.argv[2])]; print(base64.urlsafe_b64decode(p + "=" * (-len(p) % 4)).decode())' "$1" "$2"; }
first=$(token agent telemetry)
wait_until 120s curl -sf -o "$T/keys" "${ISSUER}.well-known/jwks.json" || bail "no keys"

conf_base
conf auth.jwks.refetch_floor=1s auth.jwt.0.name=hydra "auth.jwt.0.issuer=$ISSUER" 'auth.jwt.0.audiences=[telemetry]' auth.jwt.0.tenant_claim=client_id \
	'auth.jwt.0.tenant_map={agent: [acme], stranger: [acme]}' "log.access_file=$HG_DIR/access.log"
headgate_start
otlp logs -m hydra -o "$T/body"
ask() { TOKEN=$1 post /v1/logs "$T/body"; }
answers() { [ "$(ask "$1")" = "$2" ]; }

ok "a token of client credentials lets in" wait_until 60s answers "$first" 200
is "its record is the tenant's that its client is" "$(records "$LOGS_TOPIC" | jq -r .key | sort -u)" "$(hex acme)"
is "one of another audience" "$(ask "$(token stranger billing)")" 401
old=$(part "$first" 0 | jq -r .kid) second=$(token agent telemetry)

# ---- another key ----
admin_api POST keys/hydra.jwt.access-token '{"alg":"RS256","kid":"next","use":"sig"}' >/dev/null || bail "Hydra makes no key"
next=$(token agent telemetry)
is "the next token has the next key" "$(part "$next" 0 | jq -r .kid)" next
ok "it is let in" wait_until 60s answers "$next" 200
is "so is one of the key before" "$(ask "$second")" 200

# ---- ES256 ----
admin_api POST keys/hydra.jwt.access-token '{"alg":"ES256","kid":"curve","use":"sig"}' >/dev/null || bail "Hydra makes no key"
curve=$(token agent telemetry)
is "then its tokens are ES256" "$(part "$curve" 0 | jq -c '[.alg, .kid]')" '["ES256","curve"]'
is "which the entry does not name" "$(ask "$curve")" 401
conf 'auth.jwt.0.algorithms=[RS256, ES256]'
ok "when it does" headgate_switch
ok "they are let in" wait_until 60s answers "$curve" 200
third=$(ask "$first")
is "and the others still are" "$third" 200

# ---- a key taken back ----
admin_api DELETE "keys/hydra.jwt.access-token/$old" || bail "Hydra keeps its key"
# Each has a name that nobody knows: it has the keys fetched.
unknown() { ask "$(printf '{"alg":"RS256","kid":"x%s"}' "$(now_us)" | base64 -w 0 | tr '+/' '-_' | tr -d '=').${next#*.}" >/dev/null; }
conf auth.cache_ttl=1s
ok "a token that was let in before is remembered for auth.cache_ttl" headgate_switch
revoked() { unknown; answers "$second" 401; }
ok "of a key taken back: 401" wait_until 60s revoked
is "the others are still let in" "$(ask "$next")$(ask "$curve")" 200200
end_pid "$server"
is "Hydra itself is not asked" "$(ask "$next")$(ask "$curve")" 200200
ok "no token in any log" fails grep -raqF -e "${first##*.}" -e "${curve##*.}" "$HG_DIR/access.log" "$HG_DIR/audit.log" "$HG_LOG"
finish
