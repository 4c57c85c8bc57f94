#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 15-proxies.sh -- behind a proxy that the listener trusts the client is whom it names: for allowed_cidrs, the audit and budgets; nobody else
# is believed (B23, P24, F51)
. "${0%/*}/lib.sh"
need postgres

hash_of() { python3 -c 'import hashlib, sys; a, b = sys.argv[1].split("."); print(hashlib.pbkdf2_hmac("sha256", a.encode(), b.encode(), 1000, 20).hex())' "$1"; }
tenant_add acme
FAR=$(token_add acme "" "allowed_cidrs => '{10.0.0.0/8}'")
ANYWHERE=$(token_add acme)
pg "INSERT INTO headgate.token(token_id, tenant_id, kind, hash, iterations) VALUES ('key', 'acme', 'pbkdf2', '\\x$(hash_of mine.key)', 1000)"
conf_base discard postgres 1
conf protocols.micromegas.enabled=true "log.access_file=$HG_DIR/access.log" auth.pbkdf2.per_source=1/s \
	listeners.1.name=proxied listeners.1.listen=127.0.0.1:0 'listeners.1.trusted_proxies=["127.0.0.2", "::1"]'
stalls_watch
headgate_start
known "$ANYWHERE"
printf block >"$T/block"
# asked TOKEN [CURL-OPTION]...
asked() { TOKEN=$1 request /ingestion/insert_process --data-binary "@$T/block" "${@:2}"; }
by_proxy() { asked "$1" --interface 127.0.0.2 "${@:2}"; }
address() { metric auth_total '{result="address"}'; }

# ---- allowed_cidrs; B23, P24 ----
is "B23: from loopback the key is no key" "$(asked "$FAR")" 401
is "B23: in the words of an unknown one" "$(cat "$T/reply")" "Invalid token"
is "B23: counted as address" "$(address)" 1
is "P24: a listener without proxies believes nobody" "$(by_proxy "$FAR" -H 'X-Forwarded-For: 10.1.2.3')" 401
URL=http://$(listener_address proxied)
is "B23: named by a trusted proxy it is one" "$(by_proxy "$FAR" -H 'X-Forwarded-For: 10.1.2.3')" 200
is "B23: by another not" "$(asked "$FAR" -H 'X-Forwarded-For: 10.1.2.3')" 401
is "what the client wrote itself does not count" "$(by_proxy "$FAR" -H 'X-Forwarded-For: 10.1.2.3, 192.0.2.1')" 401
is "but the last one of the last line" "$(by_proxy "$FAR" -H 'X-Forwarded-For: 192.0.2.1' -H 'X-Forwarded-For: 192.0.2.2, 10.9.9.9')" 200
is "X-Real-IP is as good" "$(by_proxy "$FAR" -H 'X-Real-IP: 10.1.2.3')" 200
is "unless the other says something else" "$(by_proxy "$FAR" -H 'X-Forwarded-For: unknown' -H 'X-Real-IP: 10.1.2.3')" 401
is "B23: without addresses of its own a key is one anywhere" "$(asked "$ANYWHERE") $(by_proxy "$ANYWHERE" -H 'X-Forwarded-For: 192.0.2.1')" "200 200"
pg "UPDATE headgate.token SET allowed_cidrs = '{192.0.2.0/24}' WHERE token_id = way.token_id('$FAR')"
moved() { [ "$(by_proxy "$FAR" -H 'X-Forwarded-For: 192.0.2.1')" = 200 ]; }
ok "B23: a change counts within a second" within 1000 moved
is "B23: also for the addresses of before" "$(by_proxy "$FAR" -H 'X-Forwarded-For: 10.1.2.3')" 401

# ---- the audit ----
by_proxy "$ANYWHERE" -H 'X-Forwarded-For: 2001:db8::7' -H 'X-Request-Id: audited' >"$T/status"
asked "$ANYWHERE" -H 'X-Forwarded-For: 2001:db8::7' -H 'X-Request-Id: direct' >"$T/status"
client() { jq -r --arg id "$1" 'select(.client_request_id == $id) | .client' "$HG_DIR/access.log"; }
written() { [ -n "$(client "$1")" ]; }
ok "the audit has the request" wait_until 10s written direct
is "and the client that the proxy names" "$(client audited)" 2001:db8::7
like "of others the socket's" "$(client direct)" '^127\.0\.0\.1:[0-9]+$'

# ---- budgets; F51 ----
guess() { by_proxy "guess$2.$2" -H "X-Forwarded-For: 10.0.0.$1"; }
# However slow we are, and he gains a guess each second.
statuses=() beyond=0
for ((i = 0; i < 60 && beyond < 4; i++)); do
	statuses+=("$(guess 1 "$i")")
	[ "${statuses[-1]}" != 503 ] || ((++beyond))
done
like "F51: who guesses behind a proxy gets 503 beyond his budget" "$(printf '%s\n' "${statuses[@]}" | sort | uniq -c | xargs)" '^([2-9]|[1-5][0-9]) 401 4 503$'
is "F51: another client of that proxy has his own" "$(guess 2 one)" 401
is "F51: and the key is known" "$(by_proxy mine.key -H 'X-Forwarded-For: 10.0.0.3')" 200
finish
