#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 34-dex.sh -- the provider of the gateway that headgate replaces: its userinfo judges tokens of a password grant, groups of a code flow choose
# tenants, and its keys verify the same tokens without asking it (D7, D9, D11, D18)
. "${0%/*}/lib.sh"
need kafka postgres
programs dex

topics 2
tenant_add acme
tenant_add other
DEX_ADDRESS=127.0.0.1:$(port_pick)
ISSUER=http://$DEX_ADDRESS/dex
# The hash is that of the words below, as crypt(3) makes it.
PASSWORD='correct horse'
cat >"$T/dex.yaml" <<END
issuer: $ISSUER
storage: {type: memory}
web: {http: $DEX_ADDRESS}
oauth2: {skipApprovalScreen: true, passwordConnector: local, grantTypes: [authorization_code, password], responseTypes: [code]}
enablePasswordDB: true
staticPasswords:
  - {email: one@example.com, username: one, userID: "1", hash: '\$2b\$10\$abcdefghijklmnopqrstuu23JPZtHcGhwXSF41f93o/7vBdDut3Xu'}
  - {email: two@example.com, username: two, userID: "2", hash: '\$2b\$10\$abcdefghijklmnopqrstuu23JPZtHcGhwXSF41f93o/7vBdDut3Xu'}
staticClients:
  - {id: agent, name: agent, secret: agent-secret, redirectURIs: ["http://127.0.0.1:1/back"]}
connectors:
  - {type: mockCallback, id: mock, name: mock}
END
background "$DEX/dex" serve "$T/dex.yaml"
dex=$SPAWNED
wait_until 60s curl -sf -o /dev/null "$ISSUER/.well-known/openid-configuration" || bail "no Dex"
# by_password EMAIL: the token of a password grant
by_password()
{
	curl -sf -u agent:agent-secret --data-urlencode "username=$1" --data-urlencode "password=$PASSWORD" \
		-d 'grant_type=password&scope=openid email groups' "$ISSUER/token" | jq -re .access_token || bail "Dex gives no token"
}
# by_code: that of a user with groups, as a browser gets it: where the last redirect leads, nobody listens
by_code()
{
	local where
	where=$(curl -sL -o /dev/null -w '%{url_effective}' \
		"$ISSUER/auth/mock?client_id=agent&redirect_uri=http://127.0.0.1:1/back&response_type=code&scope=openid+email+groups&state=x")
	curl -sf -u agent:agent-secret -d grant_type=authorization_code -d redirect_uri=http://127.0.0.1:1/back \
		-d "code=$(sed -n 's/.*[?&]code=\([^&]*\).*/\1/p' <<<"$where")" "$ISSUER/token" | jq -re .access_token || bail "Dex gives no token for a code"
}

conf_base
conf listeners.0.dialect=gateway "auth.userinfo.url=$ISSUER/userinfo" auth.userinfo.timeout=20s auth.userinfo.tenant_claim=email \
	'auth.userinfo.tenant_map={one@example.com: [acme], two@example.com: [acme, other]}' "log.access_file=$HG_DIR/access.log"
headgate_start
otlp logs -m dex -o "$T/body"
ONE=$(by_password one@example.com)
TWO=$(by_password two@example.com)
# told SENTENCE STATUS TOKEN [TENANT]
told() { is "$1" "$(TOKEN=$3 post /otlp/v1/logs "$T/body" ${4:+-H "X-Scope-OrgID: $4"})" "$2"; }

# ---- userinfo ----
told "D7: a token of a password grant" 200 "$ONE" acme
is "whose record is the tenant's" "$(records "$LOGS_TOPIC" | jq -r .key)" "$(hex acme)"
told "D11: for another tenant it is 403" 403 "$ONE" other
told "D4: for none 401" 401 "$ONE"
told "D18: who has two chooses the first" 200 "$TWO" acme
told "D18: or the second" 200 "$TWO" other
told "D18: and no third" 403 "$TWO" third
told "D7: a forged one is refused as Dex refuses it" 403 "${ONE%?????}AAAAA" acme
ok "as hg-denied" grep -aqF hg-denied "$T/reply"
ok "with the words of Dex" fails test "$(reply_header WWW-Authenticate)" = Bearer
subject=$(curl -s -H "Authorization: Bearer $ONE" "$ISSUER/userinfo" | jq -r .sub)
line_of() { jq -c --arg s "$subject" 'select(.subject == $s and .verdict == "accepted") | [.tenant, .email, .issuer, .auth]' "$HG_DIR/access.log" | sort -u; }
written() { [ -n "$(line_of)" ]; }
ok "the audit has the subject" wait_until 30s written
is "and who it is" "$(line_of)" "[\"acme\",\"one@example.com\",\"$ISSUER/userinfo\",\"userinfo\"]"

# ---- groups ----
conf auth.userinfo.tenant_claim=groups 'auth.userinfo.tenant_map={authors: [other]}'
ok "groups choose the tenant" headgate_switch
GROUPED=$(by_code)
told "D18: a group of Dex is a tenant" 200 "$GROUPED" other
told "D11: and no other" 403 "$GROUPED" acme
told "who has no group is nobody's" 403 "$ONE" acme

# ---- its keys ----
conf auth.userinfo.url= auth.jwt.0.name=dex "auth.jwt.0.issuer=$ISSUER" 'auth.jwt.0.audiences=[agent]' "auth.jwt.0.jwks_uri=$ISSUER/keys" \
	auth.jwt.0.tenant_claim=email 'auth.jwt.0.tenant_map={one@example.com: [acme]}'
ok "the same tokens are verified by its keys" headgate_switch
known_by_keys() { [ "$(TOKEN=$ONE post /otlp/v1/logs "$T/body" -H 'X-Scope-OrgID: acme')" = 200 ]; }
ok "D9: without discovery" wait_until 30s known_by_keys
told "D9: a forged one is 401" 401 "${ONE%?????}AAAAA" acme
end_pid "$dex"
told "D9: and Dex itself is not asked" 200 "$ONE" acme
for token in "$ONE" "$TWO" "$GROUPED"; do ok "no token in any log" fails grep -raqF "${token##*.}" "$HG_DIR/access.log" "$HG_DIR/audit.log" "$HG_LOG"; done
finish
