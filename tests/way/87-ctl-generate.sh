#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 87-ctl-generate.sh -- headgatectl generate hash-token makes pairs of Moose's form: an independent PBKDF2 finds the hash to each bearer token (C2)
. "${0%/*}/lib.sh"

# judge: on lines `BEARER HASH`, what is wrong with them
judge()
{
	python3 -c 'import hashlib, re, sys
for line in sys.stdin:
	bearer, digest = line.split()
	if not re.fullmatch("[0-9a-f]{32}[.][0-9a-f]{32}", bearer): print("form", bearer)
	password, salt = bearer.split(".")
	if hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode(), 1000, 20).hex() != digest: print("hash", bearer)'
}
# Moose made this pair.
is "the judge knows Moose's own" "$(echo deadbeefdeadbeefdeadbeefdeadbeef.0123456789abcdef0123456789abcdef 445fd4696cfc5c49e28995c4aba05de44303a112 | judge)" ""
is "and others from it" "$(echo deadbeefdeadbeefdeadbeefdeadbeef.0123456789abcdef0123456789abcdee 445fd4696cfc5c49e28995c4aba05de44303a112 | judge | cut -d' ' -f1)" hash

"$HEADGATECTL" generate hash-token --no-color >"$T/text" 2>"$T/said.err"
is "a pair is made" "$? $(wc -l <"$T/text")" "0 2"
like "the first line is the hash" "$(sed -n 1p "$T/text")" '^ {4}ENV API Key [0-9a-f]{40}$'
like "the second the token" "$(sed -n 2p "$T/text")" '^ {3}Bearer Token [0-9a-f]{32}\.[0-9a-f]{32}$'
is "they belong together" "$(awk '{ print $NF }' "$T/text" | tac | xargs | judge)" ""
for _ in {1..20}; do "$HEADGATECTL" generate hash-token --json -q || break; done >"$T/pairs" 2>"$T/quiet"
is "--json has Moose's members and no others, one line each" "$(jq -c keys "$T/pairs" | sort | uniq -c | xargs)" '20 [api_key_hash,bearer_token]'
is "each is a pair" "$(jq -r '"\(.bearer_token) \(.api_key_hash)"' "$T/pairs" | judge)" ""
is "no two are the same" "$(jq -r .bearer_token "$T/pairs" | tr . '\n' | sort -u | wc -l)" 40
is "-q says nothing else" "$(cat "$T/quiet")" ""
fails grep -qE '[0-9a-f]{32}' "$T/said.err"
ok "what is said beside it holds neither" test $? = 0
"$HEADGATECTL" generate hash-token 7 2>/dev/null
is "a word too many is a usage error" $? 2
"$HEADGATECTL" generate 2>"$T/said.err"
is "so is none" "$? $(tail -n 1 "$T/said.err")" "2   generate hash-token "
finish
