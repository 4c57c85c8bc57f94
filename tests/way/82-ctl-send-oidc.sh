#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 82-ctl-send-oidc.sh -- headgatectl send gets its tokens from a real identity provider by client credentials: one for ten sends at once, a
# new one when half of a short life is over (B22; what a gateway thinks of such tokens is for the tests of JWT)
. "${0%/*}/lib.sh"
need oidc
audience='https://headgate.example/a b'
oidc_start own "$(jq -n --arg audience "$audience" 'def when(param; value; claims): [{requestParam: param, match: value, claims: claims}];
	{tokenCallbacks: [{issuerId: "a", requestMappings: when("audience"; $audience; {sub: "agent", aud: [$audience]})},
		{issuerId: "short", tokenExpiry: 2, requestMappings: when("client_id"; "agent"; {sub: "agent"})}]}')"
background python3 "$WAY/tools/answers.py" "$T/sink.log" '{"/logs": [{"status": 200}], "/traces": [{"status": 200, "wait": 0.1}]}'
wait_until 20s test -s "$T/sink.log"

HEADGATE_URL=http://127.0.0.1:$(head -n 1 "$T/sink.log")
export HEADGATE_URL MICROMEGAS_OIDC_CLIENT_ID=agent MICROMEGAS_OIDC_CLIENT_SECRET='s&cr=t +%' MICROMEGAS_OIDC_AUDIENCE=$audience
# sent ISSUER ARGUMENT...
sent() { MICROMEGAS_OIDC_TOKEN_ENDPOINT=$OIDC_URL/$1/token "$HEADGATECTL" send --json "${@:2}" >"$T/said" 2>"$T/said.err"; }
# tokens PATH: those that the sink saw there
tokens() { sed 1d "$T/sink.log" | jq -r --arg p "$1" 'select(.path == $p) | .headers.authorization'; }
claims() { python3 -c 'import base64, sys; part = sys.stdin.read().split(".")[1]; print(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode())'; }

for i in {1..30}; do echo "body $i" >"$T/f$i"; done
sent a --path /logs --jobs 10 "$T"/f*
is "all are accepted" "$? $(jq -r .code "$T/said" | sort | uniq -c | xargs)" "0 30 200"
is "with one token" "$(tokens /logs | sort -u | wc -l)" 1
like "a bearer" "$(tokens /logs | head -n 1)" '^Bearer [A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$'
is "of that issuer and for that audience, which the form has as it is" "$(tokens /logs | head -n 1 | claims | jq -c '[.iss, .aud, .sub]')" \
	"[\"$OIDC_URL/a\",\"$audience\",\"agent\"]"
began=$SECONDS
sent short --path /traces --jobs 1 "$T"/f*
is "tokens that end in the midst of it are no trouble" "$? $(jq -r '"\(.code) \(.tries)"' "$T/said" | sort | uniq -c | xargs)" "0 30 200 1"
took=$((SECONDS - began)) count=$(tokens /traces | sort -u | wc -l)
# A life of which some has gone before it is told is one of 1 s.
ok "they are renewed when half of their 2 s is over, and used until then: $count in $took s" test "$count" -ge 3 -a "$count" -le $((2 * (took + 2)))
fails grep -qF "$MICROMEGAS_OIDC_CLIENT_SECRET" "$T/said" "$T/said.err"
ok "the secret is in no output" test $? = 0
oidc_restart own
sent a --path /logs "$T/f1"
is "a provider with other keys is no matter: tokens are not looked into" "$? $(tokens /logs | sort -u | wc -l)" "0 2"
oidc_stop own
sent a --path /logs --retries 0 "$T/f1"
like "a provider that is away: exit 75" "$? $(cat "$T/said.err")" '^75 .*token endpoint'
finish
