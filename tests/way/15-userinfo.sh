#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 15-userinfo.sh -- credentials that an identity provider judges: its yes, its no with its own challenge, all else 503; asked once for a while,
# however many come; groups become tenants; no credential is to be seen anywhere afterwards (D7, D8, D11, D18, B13)
. "${0%/*}/lib.sh"
need oidc

TABLE=$(token_new)
tenants_file "acme:$TABLE" "other:$(token_new)"
conf_base local file 2
conf listeners.1.name=gateway listeners.1.listen=127.0.0.1:0 listeners.1.dialect=gateway "log.access_file=$HG_DIR/access.log"
otlp logs -m userinfo -o "$T/body"
# told SENTENCE STATUS TOKEN [CURL-OPTION]...
told() { is "$1" "$(TOKEN=$3 post "${WHERE-/v1/logs}" "$T/body" "${@:4}")" "$2"; }
rows() { stored | wc -l; }
switch() { conf "$@"; ok "$*" headgate_switch; }

# ---- a provider that says what we want ----
yes='{"status": 200, "json": {"sub": "user-1", "groups": ["acme"], "email": "one@example.com"}}'
answers=$(cat <<END
{"/userinfo": [{"status": 401, "headers": {"WWW-Authenticate": "Bearer error=\"invalid_token\""}, "by": {
	"Bearer good-secret": $yes, "Bearer second-secret": $yes, "Bearer third-secret": $yes,
	"Bearer forbidden-secret": {"status": 403, "headers": {"WWW-Authenticate": "Bearer error=\"insufficient_scope\""}},
	"Bearer broken-secret": {"status": 500}, "Bearer moved-secret": {"status": 302, "headers": {"Location": "/elsewhere"}},
	"Bearer slow-secret": {"status": 200, "json": {"sub": "slow", "groups": "acme"}, "wait": 15},
	"Bearer cut-secret": {"status": 0}, "Bearer page-secret": {"status": 200, "body": "<html>"},
	"Bearer nobody-secret": {"status": 200, "json": {"sub": "user-2", "groups": ["strangers"]}},
	"Bearer two-secret": {"status": 200, "json": {"sub": "user-3", "groups": ["acme", "other"]}}}}],
 "/elsewhere": [$yes]}
END
)
background python3 "$WAY/tools/answers.py" "$T/asked" "$answers"
provider=$SPAWNED
wait_until 10s test -s "$T/asked"
# By a name: it is looked up inside the sandbox.
conf "auth.userinfo.url=http://localhost:$(head -n 1 "$T/asked")/userinfo" auth.userinfo.timeout=4s auth.userinfo.tenant_claim=groups \
	"auth.admins=[\"one@example.com\", \"$(token_id "$TABLE")\", \"acme\"]"
headgate_start
known "$TABLE"
asked() { sed 1d "$T/asked" | jq -r --arg h "Bearer $1" 'select(.headers.authorization == $h) | .path' | wc -l; }
auth() { metric auth_total "{method=\"userinfo\",result=\"$1\"}"; }

told "D7: whom it knows is let in" 200 good-secret
is "and his record is his tenant's" "$(stored | jq -r .key)" "$(hex acme)"
known "good-secret"
before=$(asked good-secret)
ok "D8: it is asked at most once by each worker: $before" test "$before" -le 2
TOKEN=good-secret load --requests 400 --seconds 60 --connections 8 --results "$T/results" >/dev/null
is "D8: a flood of one token is let in" "$(awk '{print $2}' "$T/results" | sort -u | xargs)" 200
ok "D8: of $(wc -l <"$T/results") requests" test "$(wc -l <"$T/results")" -gt 300
ok "D8: and nobody is asked about it beyond once for each worker" test "$(asked good-secret)" -le 2
count=$(rows)
told "D7: its 401 is passed on" 401 unknown-secret
is "with its own challenge" "$(reply_header WWW-Authenticate)" 'Bearer error="invalid_token"'
told "D7: and its 403" 403 forbidden-secret
is "with its own challenge too" "$(reply_header WWW-Authenticate)" 'Bearer error="insufficient_scope"'
ok "as hg-denied" grep -aqF hg-denied "$T/reply"
ok "counted apart" test "$(auth unknown) $(auth scope)" = "1 1"
for each in "broken: a status of 500" "moved: a redirect" "slow: no answer in time" "cut: a connection that ends" "page: no JSON"; do
	told "D7: ${each#*: } is 503" 503 "${each%%:*}-secret"
	like "to be tried again" "$(reply_header Retry-After)" '^[1-5]$'
done
is "and no redirect is followed" "$(sed 1d "$T/asked" | jq -r .path | sort -u)" /userinfo
told "D7: what failed is asked again" 503 broken-secret
is "each time" "$(asked broken-secret)" 2
told "whose groups are no tenant is nobody's" 403 nobody-secret
ok "as hg-tenant-unknown" grep -aqF hg-tenant-unknown "$T/reply"
is "D7: nothing of all that is stored" "$(rows)" "$count"
told "a token of the table is not shown to it" 200 "$TABLE"
is "nor is it asked about one of our making" "$(told_new=$(token_new); TOKEN=$told_new post /v1/logs "$T/body"; asked "$told_new")" 4010
told "by Basic it is the same token" 200 '' -u acme:good-secret
told "whose tenant is not chosen by its user" 403 '' -u other:good-secret

# ---- groups and tenants ----
told "D18: an identity of two tenants is nobody's here" 403 two-secret
told "D18: and no header helps" 403 two-secret -H 'X-Scope-OrgID: acme'
URL=http://$(listener_address gateway) WHERE=/otlp/v1/logs
for tenant in acme other; do
	told "D18: at the gateway it chooses $tenant" 200 two-secret -H "X-Scope-OrgID: $tenant"
	is "which is echoed" "$(reply_header X-Scope-OrgID)" $tenant
done
told "D11: another one is 403" 403 two-secret -H 'X-Scope-OrgID: third'
told "D11: also for one of the first" 403 good-secret -H 'X-Scope-OrgID: other'
switch 'auth.userinfo.tenant_map={strangers: [acme, other]}'
URL=http://$(listener_address gateway)
told "D18: by a map, other groups are tenants" 200 nobody-secret -H 'X-Scope-OrgID: other'
told "D18: and only those" 403 good-secret -H 'X-Scope-OrgID: acme'
switch compat.gateway_bind_tenants=false
URL=http://$(listener_address gateway)
told "D11: without binding any tenant may be named" 200 page-secret -H 'X-Scope-OrgID: acme'
told "D11: but none that is not there" 403 page-secret -H 'X-Scope-OrgID: third'
told "D11: and by a token of the table its own alone" 403 "$TABLE" -H 'X-Scope-OrgID: other'
switch compat.gateway_bind_tenants= auth.userinfo.tenant_map=
unset WHERE

# ---- it goes away ----
URL=http://$(listener_address public)
both_know() { known second-secret && [ "$(asked second-secret)" -ge 2 ]; }
ok "each worker asks about one" wait_until 20s both_know
end_pid "$provider"
told "with the provider away, whom it has known goes on" 200 second-secret
told "others get 503" 503 third-secret
ok "as hg-auth-unavailable" grep -aqF hg-auth-unavailable "$T/reply"
ok "the log tells, without the token" wait_until 10s hg_log 'lvl=warn mod=userinfo'

# ---- a real one ----
oidc_start real "$(jq -n '{tokenCallbacks: [{issuerId: "a", requestMappings: [{requestParam: "client_id", match: "me", claims: {sub: "real-1", groups: ["acme"], email: "one@example.com"}}]}]}')"
switch "auth.userinfo.url=$OIDC_URL/a/userinfo" auth.userinfo.timeout=10s
URL=http://$(listener_address public)
REAL=$(oidc_token a)
told "a token of a real provider" 200 "$REAL"
is "is of its tenant" "$(stored | tail -n 1 | jq -r .key)" "$(hex acme)"
told "one that it never gave" 401 "${REAL%?????}AAAAA"
for _ in {1..4}; do known "$REAL"; done	# 32 times in a row: it was every worker's turn
oidc_kill real
told "it is killed: known" 200 "$REAL"
told "it is killed: not known" 503 "${REAL%?????}BBBBB"

# ---- by TLS: the system's CAs judge it, read inside the sandbox ----
certs
CA=''
background python3 "$WAY/tools/answers.py" "$T/tls" "{\"/userinfo\": [$yes]}" "$T/cert.pem" "$T/key.pem"
wait_until 10s test -s "$T/tls"
switch "auth.userinfo.url=https://localhost:$(head -n 1 "$T/tls")/userinfo"
URL=http://$(listener_address public)
told "a provider whose CA is unknown is no provider" 503 tls-secret
is "and never sees a credential" "$(wc -l <"$T/tls")" 1
ok "the log says why" wait_until 10s hg_log 'mod=userinfo .*err=".*certificate'
system=$(curl-config --ca 2>/dev/null || echo /etc/ssl/certs/ca-certificates.crt)
if unshare -m true 2>/dev/null && [ -f "$system" ]; then
	# In a file system of its own the system knows our CA.
	printf '#!/bin/bash\nexec unshare -m -- bash -c '\''mount --bind "%s" "%s" && exec "%s" "$@"'\'' headgate "$@"\n' "$T/ca.pem" "$system" "$HEADGATE" >"$T/headgate"
	chmod +x "$T/headgate"
	headgate_stop
	HEADGATE=$T/headgate headgate_start
	told "one whose CA is known is asked" 200 tls-secret
	is "by its name" "$(sed 1d "$T/tls" | jq -r .headers.host)" "localhost:$(head -n 1 "$T/tls")"
else
	skip "one whose CA is known is asked" "no file system of its own to be had here"
fi

# ---- who it was; B13 ----
line_of() { jq -c --arg s "$1" 'select(.subject == $s) | [.tenant, .subject, .email, .issuer, .admin, .auth, .verdict]' "$HG_DIR/access.log" | sort -u | head -n 1; }
written() { [ -n "$(line_of "$1")" ]; }
ok "B13: the audit has who it was" wait_until 10s written real-1
is "B13: subject, email, issuer, admin" "$(line_of real-1)" "[\"acme\",\"real-1\",\"one@example.com\",\"$OIDC_URL/a/userinfo\",true,\"userinfo\",\"accepted\"]"
is "B12: of a key its id, never an admin, though the list has that id" "$(line_of "$(token_id "$TABLE")" | jq -c '.[1:5]')" "[\"$(token_id "$TABLE")\",null,\"api_key\",false]"

# ---- no secret anywhere; R12 ----
{
	printf '%s\n' {good,second,third,unknown,forbidden,broken,moved,slow,cut,page,nobody,two,tls}-secret "$REAL" "${REAL##*.}" "${TABLE#hgt_????????_}"
	for token in good-secret "$REAL"; do token_hash "$token"; printf '%s' "acme:$token" | base64 -w0; echo; done
} >"$T/secrets"
mkdir "$T/seen"
admin /metrics >"$T/seen/metrics"
admin '/ready?verbose' >"$T/seen/ready"
stored | jq -r '.value, (.headers[][1])' | unhex >"$T/seen/records"
for pid in "$HG_PID" $(workers); do tr '\0' '\n' <"/proc/$pid/cmdline" >"$T/seen/cmdline.$pid"; environment "$pid" "$T/seen/environ.$pid"; done
for place in "$T/seen" "$HG_DIR/access.log" "$HG_DIR/audit.log" "$HG_LOG" "$HG_DIR/notify.log"; do
	ok "no secret in ${place#"$T"/}" fails grep -raFf "$T/secrets" "$place"
done
ok "the search would find one" grep -qFf "$T/secrets" "$T/asked"
finish
