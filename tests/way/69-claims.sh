#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 69-claims.sh -- data models with a column of claims, and tokens of a real identity provider: what they say is in the record, never what the
# client says of itself; where only they let in, a key of the table is nobody's (C4, C16)
. "${0%/*}/lib.sh"
need oidc

oidc_start own "$(jq -n '{tokenCallbacks: [{issuerId: "a", tokenExpiry: 3600,
	requestMappings: [{requestParam: "client_id", match: "one", claims: {sub: "one", aud: ["telemetry"], tenant: "acme", "a \"name\"": [1, null]}}]}]}')"
TOKEN=$(token_new)
KEY=$TOKEN
tenants_file "acme:$TOKEN"
mkdir "$T/models"
jq -n '{name: "Event", columns: [{name: "n", data_type: "Int64", required: true},
	{name: "who", required: true, data_type: {name: "Who", jwt: true, columns: [{name: "sub", data_type: "String", required: true}]}}]}' >"$T/models/event.json"
conf_base local file 1
conf listeners.0.dialect=moose "protocols.models.dir=$T/models" auth.unknown_per_source=10000/s \
	"auth.jwt.0={name: a, issuer: \"$OIDC_URL/a\", audiences: [telemetry], tenant_claim: tenant}"
headgate_start
known "$KEY"
ONE=$(oidc_token a client_id=one)
sent() { TOKEN=$1 request /ingest/Event --data-binary "$2"; }
last() { stored | tail -n 1 | jq -r .value | unhex; }
payload() { local p; p=$(cut -d. -f2 <<<"$1" | tr _- /+); printf '%s' "$p$(printf '%*s' $(((4 - ${#p} % 4) % 4)) '' | tr ' ' =)" | base64 -d; }
payload "$ONE" | jq -cS . >"$T/claims"

is "an object without the column" "$(sent "$ONE" '{"n":1}')" 200
is "has the claims of the token in it" "$(last | jq -cS .who)" "$(cat "$T/claims")"
like "compact, behind what the client sent" "$(last)" '^\{"n":1,"who":\{"[^ ]+'
is "an object with a column of its own" "$(sent "$ONE" '[{"n":2},{"who":{"sub":"root"},"n":3}]')" 200
is "has the claims in its place" "$(last | jq -cS '[.n, .who]')" "[3,$(cat "$T/claims")]"
is "with a key there are no claims" "$(sent "$KEY" '{"who":{"sub":"root"},"n":4}')" 200
is "nor those of the client" "$(last)" '{"n":4}'
conf compat.moose_trust_client_claims=true
headgate_switch
ok "compat.moose_trust_client_claims is warned of" hg_log 'forge the claims'
is "a client is trusted then" "$(sent "$ONE" '[{"n":5},{"who":{"sub":"root"},"n":6}]')" 200
is "to say who it is" "$(last)" '{"who":{"sub":"root"},"n":6}'
is "as the model says" "$(sent "$ONE" '{"who":{"sub":7},"n":6}')" 400
conf compat.moose_trust_client_claims= compat.moose_enforce_jwt=true
headgate_switch
is "with compat.moose_enforce_jwt a token of the provider lets in" "$(sent "$ONE" '{"n":7}')" 200
is "a key of the table does not" "$(sent "$KEY" '{"n":8}')" 401
is "in Moose's words" "$(cat "$T/reply")" 'Unauthorized: Invalid or missing token'
finish
