#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 15-jwt.sh -- tokens of a real identity provider: who they let in, as which tenant, on which dialect; its keys outlive its outage, and other
# keys of the same name are found once it is back (compatibility.md B5 to B10, B12, B13, B24, D5, D9, D11, D13, D18, protocols.md P23)
. "${0%/*}/lib.sh"
need oidc

claims='def when(value; claims): {requestParam: "client_id", match: value, claims: ({sub: value, aud: ["telemetry"]} + claims)};
	{tokenCallbacks: [
		{issuerId: "a", tokenExpiry: 3600, requestMappings: [when("one"; {tenant: "acme", email: "one@example.com", upn: "x"}), when("two"; {tenant: ["acme", "other"]}),
			when("text"; {aud: "telemetry", tenant: "acme"}), when("agent"; {aud: ["agents"]}), when("stranger"; {aud: ["billing"], tenant: "acme"}),
			when("none"; {}), when("lost"; {tenant: "nobody"}), when("slow"; {tenant: "lazy"})]},
		{issuerId: "g", tokenExpiry: 3600, requestMappings: [when("dev"; {realm: {groups: ["team-a", "x", "third"]}}), when("ops"; {realm: {groups: ["ops"]}})]},
		{issuerId: "short", tokenExpiry: 25, requestMappings: [when("brief"; {tenant: "acme"})]}]}'
# One of ES256, whose issuer has the same word, and so its key the same kid.
oidc_start curve "$(jq -n "$claims"' + {tokenProvider: {keyProvider: {algorithm: "ES256"}}}')"
CURVE=$OIDC_URL
oidc_start own "$(jq -n "$claims")"
A=$OIDC_URL/a G=$OIDC_URL/g SHORT=$OIDC_URL/short

TOKEN=$(token_new) OTHER=$(token_new) KEY=$TOKEN
tenants_file "acme:$TOKEN" "other:$OTHER" "third:$(token_new)"
conf_base discard file 2
conf listeners.1.name=gateway listeners.1.listen=127.0.0.1:0 listeners.1.dialect=gateway protocols.micromegas.enabled=true \
	"log.access_file=$HG_DIR/access.log" auth.admins='[one@example.com]' auth.unknown_per_source=10000/s auth.jwks.refetch_floor=1s \
	"auth.jwt.0={name: a, issuer: \"$A\", audiences: [telemetry], tenant_claim: tenant}" \
	"auth.jwt.1={name: agents, issuer: \"$A\", audiences: [agents], tenant_claim: \"\", scopes: [\"logs:write\"]}" \
	"auth.jwt.2={name: g, issuer: \"$G\", jwks_uri: \"$G/jwks\", audiences: [telemetry], tenant_claim: realm.groups, tenant_map: {team-a: [acme, other], ops: [third]}}" \
	"auth.jwt.3={name: short, issuer: \"$SHORT\", audiences: any, tenant_claim: tenant}" \
	"auth.jwt.4={name: curve, issuer: \"$CURVE/a\", jwks_uri: \"$CURVE/a/jwks\", algorithms: [ES256], audiences: [telemetry], tenant_claim: tenant}"
headgate_start
known "$KEY"
NATIVE=$URL GATEWAY=http://$(listener_address gateway)
for signal in traces logs; do otlp $signal -m jwt -o "$T/$signal"; done
printf '{"streams":[{"stream":{"app":"b"},"values":[["1700000000000000000","a line"]]}]}' >"$T/push.json"
ask() { TOKEN=$1 post /v1/logs "$T/logs" "${@:2}"; }
push() { URL=$GATEWAY TOKEN=$1 request /loki/api/v1/push --data-binary "@$T/push.json" -H 'Content-Type: application/json' "${@:2}"; }
of() { oidc_token "$1" "client_id=$2"; }
auth() { metric auth_total "{method=\"jwt\",result=\"$1\"}"; }
answers() { [ "$(ask "$1")" = "$2" ]; }
audited() { [ "$(grep -a '"route":"otlp_logs"' "$HG_DIR/access.log" | tail -n 1 | jq -c "$1")" = "$2" ]; }

ok "any audience warns" wait_until 10s hg_log 'warning: .*for whomever they were meant'
fetched() { metric jwks_keys --list | grep -c ' 1$'; }
comes "the keys of each issuer are fetched once at start" 5 fetched

# ---- who is it (B5, B6, B7, B12, B13) ----
ONE=$(of a one)
is "a token of the issuer lets in" "$(ask "$ONE")" 200
ok "the access log names who it was" wait_until 10s audited '[.tenant, .subject, .email, .issuer, .admin, .auth]' \
	"[\"acme\",\"one\",\"one@example.com\",\"$A\",true,\"jwt\"]"
is "by Basic too" "$(TOKEN='' post /v1/logs "$T/logs" -u "acme:$ONE")" 200
is "a key of the table still does" "$(ask "$KEY")" 200
is "an audience that is one text" "$(ask "$(of a text)")" 200
is "another audience" "$(ask "$(of a stranger)")" 401
is "that of a second entry of the issuer" "$(ask "$(of a agent)")" 403
like "whose identity has no tenant here" "$(cat "$T/reply")" hg-tenant-unknown
is "an issuer without an entry" "$(ask "$(of nobody one)")" 401
ES256=$(OIDC_URL=$CURVE of a one)
is "another issuer, of ES256, whose key has the same name" "$(ask "$ES256")" 200
is "its signature is none for the claims of the other" "$(ask "${ONE%.*}.${ES256##*.}")$(ask "${ES256%.*}.${ONE##*.}")" 401401
is "a token that is written as another issuer's" "$(ask "$(OIDC_URL=$CURVE of g dev)")" 401
is "the 401 is like any other" "$(reply_header WWW-Authenticate)" Bearer
is "a token that was tampered with" "$(ask "${ONE%??????}AAAAAA")" 401
is "on the paths of micromegas" "$(TOKEN=$ONE post /ingestion/otlp/v1/logs "$T/logs")" 200
is "whose words a refusal has" "$(TOKEN=$ONE.x post /ingestion/insert_block "$T/logs"; cat "$T/reply")" "401Invalid token"

# ---- whose tenant (P23, B24, D11, D13, D18) ----
TWO=$(of a two) DEV=$(of g dev)
is "of two tenants nothing chooses" "$(ask "$TWO")" 403
is "nor does X-Scope-OrgID on this dialect" "$(ask "$TWO" -H 'X-Scope-OrgID: acme')" 403
is "it may agree where there is one" "$(ask "$ONE" -H 'X-Scope-OrgID: acme')" 200
is "and not differ" "$(ask "$ONE" -H 'X-Scope-OrgID: other')" 403
is "a tenant that is not in the table" "$(ask "$(of a lost)")" 403
is "no tenant" "$(ask "$(of a none)")" 403
is "the gateway's header chooses either" "$(push "$TWO" -H 'X-Scope-OrgID: acme')$(push "$TWO" -H 'X-Scope-OrgID: other')" 204204
is "and not a third" "$(push "$TWO" -H 'X-Scope-OrgID: third')" 403
is "without it it is 401" "$(push "$TWO")" 401
is "a map gives tenants by groups" "$(push "$DEV" -H 'X-Scope-OrgID: acme')$(push "$DEV" -H 'X-Scope-OrgID: other')" 204204
is "a group of a tenant's name gives nothing" "$(push "$DEV" -H 'X-Scope-OrgID: third')" 403
is "a group with one tenant needs no choice" "$(ask "$(of g ops)")" 200
is "a token of the table has its own alone" "$(push "$KEY" -H 'X-Scope-OrgID: other')" 403
conf auth.default_tenant=third compat.gateway_bind_tenants=false
headgate_switch
is "the keys outlive a reload: no fetch" "$(ask "$ONE")" 200
is "who has no tenant belongs to auth.default_tenant" "$(ask "$(of a none)")" 200
is "scopes are those of the entry" "$(TOKEN=$(of a agent) post /v1/traces "$T/traces") $(ask "$(of a agent)")" "403 200"
is "unbound, any tenant of the table may be named" "$(push "$ONE" -H 'X-Scope-OrgID: third')" 204
is "but none that is not there" "$(push "$ONE" -H 'X-Scope-OrgID: nobody')" 403
is "and a token of the table has its own alone, still" "$(push "$KEY" -H 'X-Scope-OrgID: other')" 403
conf auth.default_tenant= compat.gateway_bind_tenants= workers=1
headgate_switch

# ---- the cache (B10) ----
before=$(metric auth_identity_cache_total '{result="hit"}') misses=$(metric auth_identity_cache_total '{result="miss"}')
tokens=()
for i in {1..10}; do tokens+=("$(of a one)"); done
for i in {1..30}; do for each in "${tokens[@]}"; do ask "$each" >/dev/null; done; done
hits=$(($(metric auth_identity_cache_total '{result="hit"}') - before))
is "300 requests of ten tokens: ten signatures" "$(($(metric auth_identity_cache_total '{result="miss"}') - misses)) $hits" "10 290"
BRIEF=$(of short brief)
misses=$(metric auth_identity_cache_total '{result="miss"}')
is "a token of 25 s" "$(ask "$BRIEF")$(ask "$BRIEF")" 200200
is "is verified each time" "$(($(metric auth_identity_cache_total '{result="miss"}') - misses))" 2

# ---- the provider goes, and comes back with other keys of the same names ----
LATER=$(of a one)
oidc_stop own
is "it is away: a token of a known key is let in" "$(ask "$LATER")" 200
oidc_up own || bail "the identity provider does not come back"
NEW=$(of a one)
ok "it is back with another key of that name: its tokens are let in" wait_until 30s answers "$NEW" 200
is "the others' are not" "$(ask "${tokens[0]}x")" 401
ok "each in its time: the issuer by address too" wait_until 30s answers "$(of g ops)" 200
ok "no token is in the logs" fails grep -raqF -e "${ONE#*.}" -e "${NEW##*.}" "$HG_DIR/access.log" "$HG_DIR/audit.log" "$HG_LOG"
note "unknown $(auth unknown), ok $(auth ok)"
finish
