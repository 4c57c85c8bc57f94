#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 15-jwt-forged.sh -- tokens that nobody signed, or not for this: 401; an issuer is asked for its keys once in auth.jwks.refetch_floor however many
# tokens name unknown ones, and never followed elsewhere; without its keys 503 (faults.md F50, compatibility.md B6, B8, B9, B11, C4)
. "${0%/*}/lib.sh"
b64() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
# token HEADER PAYLOAD COMMAND...: it reads what is signed and prints the signature
token()
{
	local input
	input=$(printf %s "$1" | b64).$(printf %s "$2" | b64)
	printf '%s.%s' "$input" "$(printf %s "$input" | "${@:3}" | b64)"
}
rs256() { openssl dgst -sha256 -sign "$1" -binary; }
ps256() { openssl dgst -sha256 -sign "$1" -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:-1 -binary; }
hs256() { openssl dgst -sha256 -mac HMAC -macopt "hexkey:$(xxd -p -c 0 "$1" | tr -d '\n')" -binary; }
jwk() { printf '{"kty":"RSA","alg":"RS256","use":"sig","kid":"%s","n":"%s","e":"AQAB"}' "$1" "$(openssl rsa -in "$2" -noout -modulus | sed 's/.*=//' | xxd -r -p | b64)"; }
for key in one two other; do openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$T/$key.key" 2>/dev/null; done
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$T/ec.key" 2>/dev/null
openssl rsa -in "$T/one.key" -pubout -out "$T/one.pub" 2>/dev/null
chmod 644 "$T/one.pub"

# ---- the issuer: a server of files ----
mkdir -p "$T/www/moved"
keys() { printf '{"keys":[%s]}' "$(IFS=,; echo "$*")" >"$T/www/keys.new" && mv "$T/www/keys.new" "$T/www/keys"; }
keys "$(jwk k "$T/one.key")"
serve() { spawn "$T/issuer.log" python3 -u -m http.server "$1" --bind 127.0.0.1 --directory "$T/www"; ISSUER=$SPAWNED; }
PORT=$(port_pick)	# it comes back there
serve "$PORT"
ok "the issuer is there" wait_until 10s grep -q 'port [0-9]' "$T/issuer.log"
fetched() { grep -c "\"GET /${1:-keys} " "$T/issuer.log"; }

KEY=$(token_new)
tenants_file "acme:$KEY"
conf_base discard file 2
conf auth.default_tenant=acme auth.unknown_per_source=10000/s auth.jwks.refetch_floor=3s auth.jwks.timeout=1s \
	"auth.jwt.0={name: own, issuer: \"https://id.example.com/\", jwks_uri: \"http://127.0.0.1:$PORT/keys\", audiences: [telemetry]}" \
	"auth.jwt.1={name: moved, issuer: moved, jwks_uri: \"http://127.0.0.1:$PORT/moved\", audiences: [telemetry]}" \
	"auth.jwt.2={name: moose, issuer: moose, public_key_file: $T/one.pub, audiences: [telemetry], leeway: 60s}"
headgate_start
known "$KEY"
otlp logs -m jwt -o "$T/body"
ask() { TOKEN=$1 post /v1/logs "$T/body"; }
answers() { [ "$(ask "$1")" = "$2" ]; }
# by every worker: eight times in a row
all_answer() { local i; for i in {1..8}; do answers "$@" || return 1; done; }
# claims [JQ]: those of a good token, changed
claims() { jq -nc --argjson now "$(date +%s)" '{iss: "https://id.example.com/", sub: "s", aud: "telemetry", exp: ($now + 600)}'" | ${1:-.}"; }
head_of() { printf '{"alg":"%s","kid":"%s"}' "$1" "$2"; }
GOOD=$(token "$(head_of RS256 k)" "$(claims)" rs256 "$T/one.key")

# ---- good ones (B6, B8) ----
ok "a signed token lets in" wait_until 20s all_answer "$GOOD" 200
for each in '.aud = ["x", "telemetry"]' '.nbf = $now + 50' '.exp = $now + 86400'; do
	is "$each" "$(ask "$(token "$(head_of RS256 k)" "$(claims "$each")" rs256 "$T/one.key")")" 200
done
is "without a kid" "$(ask "$(token '{"alg":"RS256"}' "$(claims)" rs256 "$T/one.key")")" 200

# ---- bad ones (F50) ----
for each in '.iss = "https://id.example.com"' '.aud = "other"' '.aud = ["other"]' 'del(.aud)' '.exp = $now - 1' 'del(.exp)' '.exp = "\($now + 600)"' \
	'.exp = $now + 600.5' '.nbf = $now + 100' 'del(.sub)' '.sub = 7' 'del(.iss)'; do
	is "$each" "$(ask "$(token "$(head_of RS256 k)" "$(claims "$each")" rs256 "$T/one.key")")" 401
done
is "alg none" "$(ask "$(token "$(head_of none k)" "$(claims)" true)")" 401
is "alg None with a signature" "$(ask "$(token "$(head_of None k)" "$(claims)" rs256 "$T/one.key")")" 401
is "no signature" "$(ask "$(token "$(head_of RS256 k)" "$(claims)" true)")" 401
is "HS256 with the public key as its secret" "$(ask "$(token "$(head_of HS256 k)" "$(claims)" hs256 "$T/one.pub")")" 401
is "PS256" "$(ask "$(token "$(head_of PS256 k)" "$(claims)" ps256 "$T/one.key")")" 401
is "a PSS signature that claims to be RS256" "$(ask "$(token "$(head_of RS256 k)" "$(claims)" ps256 "$T/one.key")")" 401
is "ES256 that the entry does not name" "$(ask "$(token "$(head_of ES256 k)" "$(claims)" rs256 "$T/ec.key")")" 401
is "another key" "$(ask "$(token "$(head_of RS256 k)" "$(claims)" rs256 "$T/other.key")")" 401
is "a key that the header brings" "$(ask "$(token "{\"alg\":\"RS256\",\"kid\":\"k\",\"jwk\":$(jwk k "$T/other.key")}" "$(claims)" rs256 "$T/other.key")")" 401
is "a critical extension" "$(ask "$(token '{"alg":"RS256","kid":"k","crit":["exp"],"exp":1}' "$(claims)" rs256 "$T/one.key")")" 401
is "an unencoded payload" "$(ask "$(token '{"alg":"RS256","kid":"k","b64":false,"crit":["b64"]}' "$(claims)" rs256 "$T/one.key")")" 401
is "an algorithm twice" "$(ask "$(token '{"alg":"none","alg":"RS256","kid":"k"}' "$(claims)" rs256 "$T/one.key")")" 401
is "a claim twice" "$(ask "$(token "$(head_of RS256 k)" "$(claims | sed 's/}$/,"sub":"admin"}/')" rs256 "$T/one.key")")" 401
for kid in ../x /dev/null "k' OR 1" https://evil.example/k; do
	is "kid $kid" "$(ask "$(token "$(head_of RS256 "$kid")" "$(claims)" rs256 "$T/one.key")")" 401
done
is "four parts" "$(ask "$GOOD.x")" 401
is "standard base64 in its signature" "$(ask "$GOOD=")" 401

# ---- new keys (B9) ----
keys "$(jwk k "$T/one.key")" "$(jwk new "$T/two.key")"
NEW=$(token "$(head_of RS256 new)" "$(claims)" rs256 "$T/two.key")
ok "a key of a rotation is found" wait_until 20s all_answer "$NEW" 200
is "the old one still serves" "$(ask "$GOOD")" 200
is "B8: without a kid either of two keys verifies, and no third" \
	"$(for key in one two other; do ask "$(token '{"alg":"RS256"}' "$(claims)" rs256 "$T/$key.key")"; done)" 200200401
before=$(fetched) began=$(now_us)
flood() { local i; for i in {1..60}; do ask "$(token "$(head_of RS256 "$1$i")" "$(claims)" rs256 "$T/one.key")" >>"$T/flood"; done; }
flood a & flood b &
wait %1 %2
took=$((($(now_us) - began) / 1000000))
is "a flood of unknown keys is refused" "$(sed 's/401//g' "$T/flood")" ""
like "and asks the issuer once in 3 s (it took $took s)" "$(($(fetched) - before)) of at most $((took / 3 + 2))" \
	"^($(seq -s '|' 0 $((took / 3 + 2)))) "
keys "$(jwk new "$T/two.key")"
ask "$(token "$(head_of RS256 z)" "$(claims)" rs256 "$T/two.key")" >/dev/null
gone_key() { answers "$(token "$(head_of RS256 k)" "$(claims ".jti = \"$(now_us)\"")" rs256 "$T/one.key")" 401; }
refetched() { ask "$(token "$(head_of RS256 "z$(now_us)")" "$(claims)" rs256 "$T/two.key")" >/dev/null; gone_key; }
ok "a key that its issuer took back is refused" wait_until 20s refetched

# ---- elsewhere, and away (B11, F50) ----
is "an address that answers with a redirect is not followed" "$(fetched moved) $(fetched moved/)" "$(fetched moved) 0"
ok "it was asked" test "$(fetched moved)" -ge 1
is "its tokens can't be judged" "$(ask "$(token "$(head_of RS256 k)" "$(claims '.iss = "moved"')" rs256 "$T/one.key")")" 503
like "they may come again" "$(reply_header Retry-After)" '^[1-5]$'
ok "the log says why" wait_until 10s hg_log 'lvl=warn mod=jwks .*issuer=moved err="answered 301"'
like "and the status" "$("$HEADGATECTL" --socket "$HG_DIR/control.sock" --json status | jq -c '[.degraded, .jwks[].why]')" "can't be refreshed.*answered 301"
like "in words too" "$("$HEADGATECTL" --socket "$HG_DIR/control.sock" status | grep '^issuer ' | sort | xargs -d '\n')" \
	'issuer https://id.example.com/: 1 keys.* issuer moved: 0 keys, .*answered 301'
like "/ready?verbose warns" "$(admin '/ready?verbose')" 'warn jwks '
end_pid "$ISSUER" KILL
is "away: a token verified before" "$(ask "$NEW")" 200
is "a token not seen, of a known key" "$(ask "$(token "$(head_of RS256 new)" "$(claims '.jti = "2"')" rs256 "$T/two.key")")" 200
UNKNOWN=$(token "$(head_of RS256 later)" "$(claims)" rs256 "$T/other.key")
ok "of an unknown key: 503, not 401" wait_until 20s answers "$UNKNOWN" 503
is "a forged one of a known key is still 401" "$(ask "$(token "$(head_of RS256 new)" "$(claims)" rs256 "$T/other.key")")" 401
keys "$(jwk new "$T/two.key")" "$(jwk later "$T/other.key")"
serve "$PORT"
ok "it is back: the unknown key is found" wait_until 30s answers "$UNKNOWN" 200

# ---- a key of a file, as Moose has it (C4) ----
moose() { ask "$(token '{"alg":"RS256"}' "$(claims ".iss = \"moose\" | $1")" rs256 "$T/one.key")"; }
is "an array of audiences" "$(moose '.aud = ["telemetry"]')" 200
is "no subject" "$(moose 'del(.sub)')" 200
is "expired 30 s ago, 120 s ago" "$(moose '.exp = $now - 30') $(moose '.exp = $now - 120')" "200 401"
mkdir "$T/models"
echo '{"name": "Event", "columns": [{"name": "n", "data_type": "Int64", "required": true}]}' >"$T/models/event.json"
conf compat.moose_strict_aud=true listeners.0.dialect=moose "protocols.models.dir=$T/models"
headgate_switch
event() { TOKEN=$(token '{"alg":"RS256"}' "$(claims ".iss = \"moose\" | $1")" rs256 "$T/one.key") request /ingest/Event -d '{"n":1}'; }
is "strict, where Moose would be: an array of audiences, a text" "$(event '.aud = ["telemetry"]') $(event .)" "401 200"
is "and elsewhere" "$(moose '.aud = ["telemetry"]') $(moose .)" "200 200"
ok "no token is in the logs" fails grep -raqF -e "${GOOD##*.}" -e "${NEW##*.}" "$HG_LOG" "$HG_DIR/audit.log"
finish
