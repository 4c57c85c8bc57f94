#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 15-pbkdf2.sh -- keys of Moose: pairs of its own command line and ours let in, whatever dialect and source; a key that comes or goes counts at
# once; whoever guesses spends a budget of his own (compatibility.md C1 to C3, C22, faults.md F27, F51)
. "${0%/*}/lib.sh"
need postgres

hash_of() { python3 -c 'import hashlib, sys; a, b = sys.argv[1].split("."); print(hashlib.pbkdf2_hmac("sha256", a.encode(), b.encode(), int(sys.argv[2]), 20).hex())' "$1" "$2"; }
# key_add ID TENANT HASH [ITERATIONS]
key_sql() { echo "INSERT INTO headgate.token(token_id, tenant_id, kind, hash, iterations) VALUES ('$1', '$2', 'pbkdf2', '\\x$3', ${4:-1000})"; }
key_add() { pg "$(key_sql "$@")"; }
auth() { metric auth_total "{method=\"pbkdf2\",result=\"$1\"}"; }
ask() { TOKEN=$1 post /v1/logs "$T/body" "${@:2}"; }
answers() { [ "$(ask "$1")" = "$2" ]; }
otlp logs -m key -o "$T/body"
mapfile -t pairs < <(sed '/^#/d' "$WAY/../fixtures/moose/pairs")

# ---- PostgreSQL ----
stalls_watch
tenant_add acme
tenant_add other
for i in "${!pairs[@]}"; do key_add "moose$i" acme "${pairs[i]#* }"; done
conf_base discard postgres 2
conf auth.pbkdf2.per_source=1000/s auth.pbkdf2.per_worker=1000/s log.access_file="$HG_DIR/access.log"
headgate_start
known "${pairs[0]%% *}"
let_in=0
for pair in "${pairs[@]}"; do answers "${pair%% *}" 200 && ((++let_in)); done
is "each bearer that Moose made is let in by the hash that Moose made" "$let_in of ${#pairs[@]}" "10 of 10"
audited() { grep -aq "\"tenant\":\"$1\",.*\"token\":\"$2\",.*\"auth\":\"pbkdf2\"" "$HG_DIR/access.log"; }
ok "the access log names the key, and its tenant" wait_until 10s audited acme moose7
bearer=${pairs[3]%% *}
is "one digit of the token changed: nobody" "$(ask "${bearer/#?/x}")" 401
is "of the salt" "$(ask "${bearer/%?/x}")" 401
is "one part" "$(ask "${bearer%.*}")" 401
is "three parts" "$(ask "$bearer.${bearer#*.}")" 401
is "by Basic it is as good" "$(TOKEN='' post /v1/logs "$T/body" -u "acme:$bearer")" 200
is "another tenant in X-Scope-OrgID is refused" "$(ask "$bearer" -H 'X-Scope-OrgID: other')" 403
like "a revoked one is out within a second, in every worker" "$(judged --first 415 --then 401 --within 1000 \
	--sql "UPDATE headgate.token SET revoked_at = now() WHERE token_id = 'moose3'" "$bearer")" '^[0-9]+ 16$'
ok "and is said to be revoked" test "$(auth revoked)" -ge 9
like "the same hash for another tenant counts within a second, without a new derivation" "$(judged --first 401 --then 415 --within 1000 \
	--sql "DELETE FROM headgate.token WHERE token_id = 'moose3'; $(key_sql moved other "${pairs[3]#* }")" "$bearer")" '^[0-9]+ 16$'
is "and is let in" "$(ask "$bearer")" 200
ok "as that tenant's" wait_until 10s audited other moved
ok "unknown ones are counted as such" test "$(auth unknown)" -ge 2

# ---- iterations ----
late=ask.late
key_add late acme "$(hash_of $late 7)" 7
ok "a key of other iterations is let in as soon as it is there" within 1000 answers $late 200
expect_err 'msg="keys left out for their iterations'
for i in {1..6}; do key_add "more$i" acme "$(hash_of "a.b$i" "1$i")" "1$i"; done
key_add ninth acme "$(hash_of a.ninth 99)" 99
comes "beyond eight numbers of iterations a key is left out, and counted" 1 metric tenants_rows_skipped '{reason="iterations"}'
is "it is nobody's" "$(ask a.ninth)" 401
ok "the log says so" wait_until 10s hg_log 'lvl=err mod=tenants msg="keys left out for their iterations'
pg "DELETE FROM headgate.token WHERE token_id = 'late'"
ok "until there is room" wait_until 10s answers a.ninth 200
conf auth.pbkdf2.max_iterations=50
headgate_switch
ok "auth.pbkdf2.max_iterations leaves out what costs more" wait_until 10s answers a.ninth 401
conf auth.pbkdf2.max_iterations=
headgate_switch
ok "and taken back lets it in again" wait_until 10s answers a.ninth 200

# ---- guesses (C22, F51) ----
conf auth.pbkdf2.per_source=20/s auth.pbkdf2.per_worker=200/s
headgate_switch
known "$bearer"
: >"$T/statuses"
for i in {1..200}; do
	printf 'url = "%s/v1/logs"\nheader = "Authorization: Bearer guess.%s"\nheader = "Content-Type: application/x-protobuf"\ndata-binary = "@%s"\noutput = "/dev/null"\ndump-header = "-"\nwrite-out = "%%{http_code}\\n"\nnext\n' \
		"$URL" "$i" "$T/body"
done | sed '$d' >"$T/guesses"
curl -s -K "$T/guesses" | tr -d '\r' >"$T/heads"
grep -xE '[0-9]{3}' "$T/heads" >"$T/statuses"
is "guesses are 401, and beyond the budget 503" "$(sort -u "$T/statuses" | xargs)" "401 503"
is "which may be tried again" "$(grep -cE '^Retry-After: [1-5]$' "$T/heads")" "$(grep -c 503 "$T/statuses")"
# Two workers, each with 40 at once and 20 a second.
ok "not many are derived" test "$(grep -c 401 "$T/statuses")" -lt 150
is "a key verified before is served to that address" "$(ask "$bearer")" 200
is "another address has a budget of its own" "$(ask "${pairs[5]%% *}" --interface 127.0.0.2)" 200
conf 'listeners.0.trusted_proxies=[127.0.0.0/8]'
headgate_switch
sed -i '/^url/i header = "X-Forwarded-For: 10.1.1.1"' "$T/guesses"
curl -s -K "$T/guesses" | tr -d '\r' | grep -xE '[0-9]{3}' >"$T/statuses"
is "behind a trusted proxy whoever guesses" "$(sort -u "$T/statuses" | xargs)" "401 503"
is "spends no other client's budget" "$(ask "${pairs[6]%% *}" -H 'X-Forwarded-For: 10.1.1.2')" 200
ok "counted as unavailable" test "$(auth unavailable)" -gt 0

# ---- a file, upper-case digits, Moose's dialect ----
instance file
mkdir "$T/models"
echo '{"name":"Event","columns":[{"name":"n","data_type":"Int64","required":true}]}' >"$T/models/event.json"
"$HEADGATECTL" generate hash-token --json -q >"$T/own"
own=$(jq -r .bearer_token "$T/own")
# keys TENANT HASH...
keys()
{
	local i=0 each
	( umask 077; echo "version: 1"; echo "tenants:"; echo "- id: $1"; echo "  tokens:"
	  for each in "${@:2}"; do echo "  - {id: k$((i++)), pbkdf2: $each, iterations: 1000}"; done ) >"$HG_DIR/tenants.yaml"
}
conf_base discard file 1
conf listeners.0.dialect=moose "protocols.models.dir=$T/models"
keys acme "${pairs[0]#* }xx"
"$HEADGATE" -t -c "$HG_DIR/headgate.yaml" >"$T/check" 2>&1
is "a hash that is not 40 hex digits is no start" $? 78
like "which says where" "$(cat "$T/check")" 'tenants.yaml:5:[0-9]+: error: not 40 hex digits'
ok "and shows no digit of it" fails grep -F "${pairs[0]#* }" "$T/check"
keys acme "$(tr a-f A-F <<<"${pairs[0]#* }")" "$(jq -r .api_key_hash "$T/own")" 445fd4696cfc5c49e28995c4aba05de44303a112 d8de8fcd077e81e756e11f0c422463d9e1d4560e
headgate_start
known "$own"
event() { TOKEN=$1 post /ingest/Event "$T/event"; cat "$T/reply"; }
echo '{"n":1}' >"$T/event"
is "upper-case digits are the same key, SUCCESS" "$(event "${pairs[0]%% *}")" "200SUCCESS"
is "and headgatectl's own" "$(event "$own")" "200SUCCESS"
is "the page's first vector" "$(event deadbeefdeadbeefdeadbeefdeadbeef.0123456789abcdef0123456789abcdef)" "200SUCCESS"
is "and its second" "$(event 00112233445566778899aabbccddeeff.ffeeddccbbaa99887766554433221100)" "200SUCCESS"
is "another is refused in Moose's words" "$(event "${pairs[1]%% *}")" "401Unauthorized: Invalid or missing token"
is "the other paths take keys too" "$(ask "$own")" 200

for each in "${pairs[@]%% *}" "${pairs[@]##* }" "$own"; do
	grep -rlF "$each" "$T"/*/log "$T"/*/*.log "$T"/*/notify.log 2>/dev/null
done >"$T/shown"
is "no bearer and no hash is in any log" "$(cat "$T/shown")" ""
finish
