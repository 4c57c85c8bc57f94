#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 59-guesses.sh -- a thousand guesses a second of one source: 503 beyond its budget, while keys verified before, other sources and other tenants
# are served as fast as ever (C22, F51); a thousand requests a second with one token of an identity provider, which is asked once for a while
# by each worker, sooner after a no (D8); ten tokens in a thousand requests are verified ten times (B10). GUESS_SECONDS=40: for longer
. "${0%/*}/lib.sh"
. "${0%/*}/beside.sh"
: "${GUESS_SECONDS:=4}"

hash_of() { python3 -c 'import hashlib, sys; a, b = sys.argv[1].split("."); print(hashlib.pbkdf2_hmac("sha256", a.encode(), b.encode(), 1000, 20).hex())' "$1"; }
b64() { base64 -w0 | tr +/ -_ | tr -d =; }
openssl genrsa -out "$T/own.key" 2048 2>/dev/null
openssl rsa -in "$T/own.key" -pubout -out "$T/own.pem" 2>/dev/null
# jwt NUMBER: a token of the issuer below
jwt()
{
	local text
	text=$(printf '{"alg":"RS256","typ":"JWT"}' | b64).$(jq -jnc --arg jti "$1" '{iss: "own", aud: "a", sub: "s", tenant: "acme", jti: $jti, exp: (now + 3600 | floor)}' | b64)
	printf '%s.%s\n' "$text" "$(printf %s "$text" | openssl dgst -sha256 -sign "$T/own.key" | b64)"
}
# hgload TOKENS RATE SECONDS CONNECTIONS [OPTION]...: small bodies with the tokens of that file, in turn
hgload()
{
	noise_sends -u "$URL/v1/logs" -b "$T/body" -t "$T/$1" -r "$2" -d "$3" -c "$4" \
		-H 'Content-Type: application/x-protobuf' "${@:5}"
}
QUIET=$(token_new) KEY=mine.key LATER=later.key YES=opaque-yes
for each in QUIET KEY YES; do printf '%s\n' "${!each}" >"$T/$each"; done
yes='{"status": 200, "json": {"sub": "somebody", "tenant": "acme"}}'
background python3 "$WAY/tools/answers.py" "$T/asked" "{\"/userinfo\": [{\"status\": 401, \"by\": {\"Bearer $YES\": $yes}}]}"
wait_until 20s test -s "$T/asked"

tenants_file "quiet:$QUIET"
printf '  - id: acme\n    tokens: [{id: key, pbkdf2: %s, iterations: 1000}, {id: later, pbkdf2: %s, iterations: 1000}]\n' "$(hash_of $KEY)" "$(hash_of $LATER)" \
	>>"$HG_DIR/tenants.yaml"
conf_base file discard 2
conf 'listeners.0.trusted_proxies=["127.0.0.3"]'
headgate_start
known "$QUIET"
known "$KEY"
otlp logs -m guesses -o "$T/body"

# ---- guesses; C22, F51 ----
sooner() { TOKEN=$LATER post /v1/logs "$T/body" --interface 127.0.0.2; }
proxied() { TOKEN=$LATER post /v1/logs "$T/body" --interface 127.0.0.3 -H "X-Forwarded-For: $1"; }
codes() { jq -c '.codes | keys' "$T/$1"; }
count() { jq -r --arg code "$2" '.codes[$code] // 0' "$T/$1"; }
BESIDE_SECONDS=$GUESS_SECONDS BESIDE_ROUNDS=3
BESIDE_QUIET=(-u "$URL/v1/logs" -H 'Content-Type: application/x-protobuf' -b "$T/body" -t "$T/QUIET" -r 200 -c 4)
beside_first
new_guesses() { seq -f "guess${EPOCHREALTIME/./}-%.0f.salt" 1 $((GUESS_SECONDS * 1000)) >"$T/guesses"; }
# Guesses that nobody made before, and a key that was verified.
guesses()
{
	new_guesses
	(hgload KEY 50 "$GUESS_SECONDS" 4) >"$T/key" &
	(hgload guesses 1000 "$GUESS_SECONDS" 16)
	wait
}
beside_round()
{
	is "C22: guesses are 401, and 503 beyond the budget" "$(codes noise)" '["401","503"]'
	ok "$(jq .done "$T/noise") guesses were made" test "$(jq .done "$T/noise")" -ge $((GUESS_SECONDS * 200))	# several times the budget
	# Two workers; 40 at once, 20 a second.
	ok "F51: no more are derived than the budget gives" jq -e '.codes["401"] <= 2 * (40 + 20 * .seconds) + 4' "$T/noise"
	is "F51: a quiet tenant is served" "$(codes beside)" '["200"]'
}
beside guesses
wait_until 20s test -s "$T/key"
is "C22: a key verified before is served to that address" "$(codes key)" '["200"]'
ok "F51: the quiet tenant waits less than twice as long, p99" beside_as_fast
new_guesses
(hgload guesses 1000 "$GUESS_SECONDS" 16) >"$T/guessed" &
guessing=$!
is "C22, F51: another address, and another client of a trusted proxy, have a key verified meanwhile that nobody had shown before" \
	"$(sooner) $(proxied 192.0.2.1)" "200 200"
wait "$guessing"
ok "the budget was spent meanwhile" test "$(count guessed 503)" -gt 0

# ---- one token of an identity provider; D8 ----
conf "auth.userinfo.url=http://127.0.0.1:$(head -n 1 "$T/asked")/userinfo" auth.userinfo.tenant_claim=tenant auth.userinfo.allow_ttl=2s auth.userinfo.deny_ttl=500ms
ok "a reload" headgate_switch
asked() { sed 1d "$T/asked" | jq -r --arg h "Bearer $1" 'select(.headers.authorization == $h) | .path' | wc -l; }
(hgload YES 1000 "$GUESS_SECONDS" 16) >"$T/yes"
note "yes $(<"$T/yes")"
is "D8: a thousand requests a second of one token are let in" "$(codes yes)" '["200"]'
ok "D8: $(count yes 200) of them" test "$(count yes 200)" -ge $((GUESS_SECONDS * 200))
ok "D8: the provider was asked once by each of two workers in 2 s: $(asked $YES)" jq -e --argjson n "$(asked $YES)" '$n <= 2 * (.seconds / 2 + 1)' "$T/yes"
for NO in opaque-no opaque-nobody opaque-none; do	# a sender that stood still did not ask so often
	echo "$NO" >"$T/NO"
	(hgload NO 1000 "$GUESS_SECONDS" 16) >"$T/no"
	is "D8: those of another are refused" "$(codes no)" '["401"]'
	ok "D8: it is asked about it once in 500 ms at most: $(asked "$NO")" jq -e --argjson n "$(asked "$NO")" '$n <= 2 * (2 * .seconds + 1)' "$T/no"
	[ "$(asked "$NO")" -le "$(asked $YES)" ] || break
done
ok "D8: that is sooner" test "$(asked "$NO")" -gt "$(asked $YES)"

# ---- the cache; B10 ----
conf workers=1 auth.userinfo.url= "auth.jwt.0={name: own, issuer: own, public_key_file: $T/own.pem, audiences: [a], tenant_claim: tenant}"
ok "a reload" headgate_switch
for i in {1..10}; do jwt "$i"; done >"$T/ten"
cache() { metric auth_identity_cache_total "{result=\"$1\"}"; }
hits=$(cache hit) misses=$(cache miss)
(hgload ten 0 60 8 -n 1000) >"$T/load"
is "B10: a thousand requests of ten tokens" "$(jq -c .codes "$T/load")" '{"200":1000}'
hits=$(($(cache hit) - hits)) misses=$(($(cache miss) - misses))
ok "B10: over 95 % of them are hits: $hits, and $misses misses" test "$hits" -gt 950 -a $((hits + misses)) = 1000 -a "$misses" -ge 10
finish
