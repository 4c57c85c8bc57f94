#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 15-auth.sh -- who may come in: each form of a credential, each reason to refuse one, before a byte of the body; the tenant is never the
# client's choice; no secret is to be seen anywhere afterwards
. "${0%/*}/lib.sh"
need kafka postgres

trap '' PIPE	# a connection that headgate closes is no end of the test
topics 2
declare -A OF=()
tenant_add acme
tenant_add other
tenant_add suspended state=suspended
tenant_add deleting state=deleting
TOKEN=$(token_add acme)
good=$TOKEN
NARROW=$(token_add acme "" "scopes => '{traces:write,metrics:write}'")
OF[suspended]=$(token_add suspended)
OF[deleting]=$(token_add deleting)
OF[expired]=$(token_add acme "" "expires_at => now() - interval '1 s'")
OF[early]=$(token_add acme "" "not_before => now() + interval '1 h'")
OF[revoked]=$(token_add acme)
token_revoke "${OF[revoked]}"
OF[address]=$(token_add acme "" "allowed_cidrs => '{10.0.0.0/8,2001:db8::/32}'")
LOCAL=$(token_add acme "" "allowed_cidrs => '{10.0.0.0/8,127.0.0.0/8}'")
FOREIGN=$(token_add acme 'a foreign key: ünïcode, 100%')
OF[unknown]=$(token_new)
OF[foreign]=nothing-we-know

# The connection string holds a password: one more secret.
umask 077
printf '%s\n' "$PG_DSN_TCP" >"$T/dsn"
conf_base
conf tenants.dsn= "tenants.dsn_file=$T/dsn" "log.access_file=$HG_DIR/access.log"
ulimit -c unlimited
mkdir "$T/cwd"
cd "$T/cwd" || exit
headgate_start
known "$TOKEN"
otlp logs -m auth -o "$T/body"

mkdir "$T/said"	# every reply, for the search at the end
said=0
TYPE=application/x-protobuf
ask() { request "/v1/$1" -H "Content-Type: $TYPE" --data-binary "@$T/body" "${@:2}"; cp "$T/reply" "$T/said/$((++said))"; cat "$T/reply.head" >>"$T/said/heads"; }
# told SENTENCE STATUS [VERDICT] -- SIGNAL [CURL-OPTION]...
told()
{
	local sentence=$1 status=$2 verdict=${3-}
	shift 2
	[ "$verdict" = -- ] || shift
	shift
	ask "$@" >"$T/status"
	is "$sentence" "$(cat "$T/status")" "$status"
	[ "$verdict" = -- ] || ok "$sentence: as $verdict" grep -aqF "$verdict" "$T/reply"
}
bearer() { echo "Authorization: Bearer $1"; }
basic() { echo "Authorization: Basic $(printf '%s' "$1" | base64 -w0)"; }
auth() { metric auth_total "{method=\"$1\",result=\"$2\"}"; }

# ---- forms; P19 ----
TOKEN=''
told "Bearer" 200 -- logs -H "$(bearer "$good")"
told "bearer, in lower case and with blanks" 200 -- logs -H "authorization: bearer    $good  "
told "Basic with the token as password" 200 -- logs -H "$(basic ":$good")"
told "Basic with the tenant as user" 200 -- logs -H "$(basic "acme:$good")"
told "Basic with another user" 403 hg-org-mismatch -- logs -H "$(basic "other:$good")"
told "X-Obstack-Auth-Token" 200 -- logs -H "X-Obstack-Auth-Token: $good"
told "the same token in both" 200 -- logs -H "$(bearer "$good")" -H "x-obstack-auth-token: $good"
told "a foreign token of any bytes" 200 -- logs -H "$(bearer "$FOREIGN")"
told "and as a password" 200 -- logs -H "$(basic "acme:$FOREIGN")"
told "an address among the allowed" 200 -- logs -H "$(bearer "$LOCAL")"
by_method() { jq -r 'select(.code == 200 or .code == 415) | .auth // empty' "$HG_DIR/access.log" | sort | uniq -c | xargs; }
counted() { [ "$(by_method)" = "$(auth basic ok) basic $(auth obstack ok) obstack $(auth token ok) token" ]; }
ok "who came in is counted by method, as logged" wait_until 10s counted
is "another tenant's name is counted as mismatch" "$(auth basic mismatch)" 1

# ---- refused; each with the reason in the log, the same flat answer for the client ----
# because REASON-IN-LOG: the last refusal is in the audit with it
because()
{
	local id
	id=$(reply_header X-Request-Id)
	audited() { jq -se --arg id "$id" --arg why "$1" 'any(.[]; .request_id == $id and .kind == "auth" and .reason == $why)' "$HG_DIR/audit.log"; }
	ok "$1: told in the audit" wait_until 10s audited "$1"
}
flat() { sed -E 's/[0-9a-f]{32}/ID/g' "$T/reply" | od -An -v -tx1 | tr -d ' \n'; }
told "an unknown token" 401 hg-credential -- logs -H "$(bearer "${OF[unknown]}")"
because unknown
is "401 says Bearer" "$(reply_header WWW-Authenticate)" Bearer
same=$(flat)
told "a foreign unknown token" 401 hg-credential -- logs -H "$(bearer "${OF[foreign]}")"
is "gets the same answer" "$(flat)" "$same"
for why in revoked expired; do
	told "a token that is $why" 401 hg-credential -- logs -H "$(bearer "${OF[$why]}")"
	because "$why"
	is "$why: gets the same answer" "$(flat)" "$same"
	ok "$why: is counted as that" test "$(auth token "$why")" -ge 1
done
told "a token from tomorrow" 401 hg-credential -- logs -H "$(bearer "${OF[early]}")"
because "not valid yet"
told "an address that is not allowed" 401 hg-credential -- logs -H "$(bearer "${OF[address]}")"
because "address not allowed for this token"
is "P24: gets the same answer" "$(flat)" "$same"
is "is counted as address" "$(auth token address)" 1
told "X-Forwarded-For does not help" 401 hg-credential -- logs -H "$(bearer "${OF[address]}")" -H 'X-Forwarded-For: 10.1.1.1'
told "a tenant being deleted" 401 hg-credential -- logs -H "$(bearer "${OF[deleting]}")"
told "a suspended tenant" 403 hg-tenant-suspended -- logs -H "$(bearer "${OF[suspended]}")"
ok "is counted as that" test "$(auth token suspended)" = 1
told "no credential" 401 hg-credential -- logs
ok "is counted as missing" test "$(auth none missing)" = 1
told "a token without its scope" 403 hg-scope -- logs -H "$(bearer "$NARROW")"
otlp traces -m narrow -o "$T/body"
told "and with it" 200 -- traces -H "$(bearer "$NARROW")"
otlp logs -m auth -o "$T/body"
told "Authorization of another scheme" 401 hg-credential -- logs -H "Authorization: Digest $good"
told "Bearer without a token" 401 hg-credential -- logs -H 'Authorization: Bearer'
told "Basic that is no base64" 401 hg-credential -- logs -H 'Authorization: Basic $$$'
told "a token with a blank in it" 401 hg-credential -- logs -H "$(bearer "${good:0:20} ${good:20}")"
# F49
told "F49: Authorization twice" 401 hg-credential -- logs -H "$(bearer "$good")" -H "$(bearer "$good")"
told "F49: X-Obstack-Auth-Token twice" 401 hg-credential -- logs -H "X-Obstack-Auth-Token: $good" -H "X-Obstack-Auth-Token: $good"
told "F49: both, with different tokens" 401 hg-credential -- logs -H "$(bearer "$good")" -H "X-Obstack-Auth-Token: $FOREIGN"
told "F49: the same, the other way round" 401 hg-credential -- logs -H "$(bearer "$FOREIGN")" -H "X-Obstack-Auth-Token: $good"
told "X_Obstack_Auth_Token is refused with its head" 400 hg-http -- logs -H "X_Obstack_Auth_Token: $good"

# R12: the vector, and what one changed character makes of it
vector=hgt_0123ABcd_0123456789ABCDEFGHIJabcdefghij1g9dVr
token_add acme "$vector" >/dev/null
known "$vector"
told "R12: the vector is a token" 200 -- logs -H "$(bearer "$vector")"
before=$(auth token malformed)
for ((i = 4; i < 49; i++)); do
	((i == 4)) || echo next
	[ "${vector:i:1}" = x ] && c=y || c=x
	[ "${vector:i:1}" = _ ] && c=-
	printf 'url = "%s/v1/logs"\nheader = "Authorization: Bearer %s%s%s"\nheader = "Content-Type: application/x-protobuf"\ndata = ""\noutput = "/dev/null"\nwrite-out = "%%{http_code}\\n"\n' \
		"$URL" "${vector:0:i}" "$c" "${vector:i+1}"
done >"$T/curlrc"
is "R12: any other character makes it none" "$(curl -sS -K "$T/curlrc" | sort | uniq -c | xargs)" "45 401"
is "R12: by its checksum, before any hash" "$(auth token malformed)" $((before + 45))

# ---- X-Scope-OrgID; P19, F48 ----
stored=$(record_count "$LOGS_TOPIC")
H=$(bearer "$good")
told "X-Scope-OrgID that is the tenant" 200 -- logs -H "$H" -H 'X-Scope-OrgID: acme'
told "in lower case" 200 -- logs -H "$H" -H 'x-scope-orgid: acme'
told "empty" 200 -- logs -H "$H" -H 'X-Scope-OrgID;'
is "the record has it once, from the credential" "$(header "$(records "$LOGS_TOPIC" | tail -n 1)" X-Scope-OrgID)" acme
stored=$((stored + 3))
told "another tenant" 403 hg-org-mismatch -- logs -H "$H" -H 'X-Scope-OrgID: other'
one_line() { [ "$(jq -s --arg id "$(reply_header X-Request-Id)" 'map(select(.request_id == $id)) | length' "$HG_DIR/audit.log")" = 1 ]; }
ok "F48: one audit line of it" wait_until 10s one_line
is "F48: which names what was claimed" "$(jq -r --arg id "$(reply_header X-Request-Id)" 'select(.request_id == $id) | "\(.tenant) \(.claimed_tenant)"' \
	"$HG_DIR/audit.log")" "acme other"
bad_org() { told "X-Scope-OrgID $1" 400 "$3" -- logs -H "$H" -H "X-Scope-OrgID: $2"; ok "F48: one audit line of $1" wait_until 10s one_line; }
bad_org "with a bar" 'a|b' "hg-org: X-Scope-OrgID: tenant ID 'a|b' contains unsupported character '|'"
bad_org "with a colon" 'a:b' "contains unsupported character ':'"
bad_org "with a slash" 'a/b' "contains unsupported character '/'"
bad_org "with %2f" '%2f' "contains unsupported character '%'"
bad_org "that is two dots" '..' "tenant ID is '.' or '..'"
bad_org "that is one" '.' "tenant ID is '.' or '..'"
bad_org "of 151 bytes" "$(printf 'a%.0s' {1..151})" "tenant ID is too long: max 150 characters"
told "of 150 bytes" 403 hg-org-mismatch -- logs -H "$H" -H "X-Scope-OrgID: $(printf 'a%.0s' {1..150})"
told "two of them" 400 "multiple org IDs present" -- logs -H "$H" -H 'X-Scope-OrgID: acme' -H 'X-Scope-OrgID: acme'
told "a twin with _" 400 hg-http -- logs -H "$H" -H 'X_Scope_OrgID: acme'
is "nothing of all that is stored" "$(record_count "$LOGS_TOPIC")" "$stored"
head="POST /v1/logs HTTP/1.1\\r\\nHost: x\\r\\n$H\\r\\nContent-Type: application/x-protobuf\\r\\nContent-Length: 0\\r\\n"
first_line() { LC_ALL=C sed -n '1s/\r$//p'; }
is "NUL in it is a malformed head" "$(raw --text "${head}X-Scope-OrgID: a\\0b\\r\\n\\r\\n" 2>/dev/null | first_line)" "HTTP/1.1 400 Bad Request"
{ printf '%b' "$head"; printf 'X-Scope-OrgID: '; head -c 1048576 /dev/zero | tr '\0' a; printf '\r\n\r\n'; } >"$T/long"
is "1 MB of it is too large a head" "$(raw "$T/long" 2>/dev/null | first_line)" "HTTP/1.1 431 Request Header Fields Too Large"
logged_once() { jq -se --arg verdict "$1" 'map(select(.verdict == $verdict and .stage == "head")) | length == 1' "$HG_DIR/access.log"; }
ok "F48: one line of it in the access log" wait_until 10s logged_once hg-head-size

# ---- before the body; P5, F47 ----
# (From another address: of one source 10 refusals a second are logged each.)
text="POST /v1/logs HTTP/1.1\\r\\nHost: x\\r\\n$(bearer "${OF[unknown]}")\\r\\nContent-Type: text/plain\\r\\nContent-Length: 1073741824\\r\\nExpect: 100-continue\\r\\nX-Request-Id: gigabyte\\r\\n\\r\\n"
raw --source 127.0.0.9 --text "$text" >"$T/raw" 2>"$T/raw.end"
is "P5: a bad token, a wrong type and a gigabyte to come: 401, no 100 Continue" "$(grep -a '^HTTP/' "$T/raw" | tr -d '\r')" "HTTP/1.1 401 Unauthorized"
like "and the connection ends" "$(tail -n 1 "$T/raw.end")" '^closed'
unread() { jq -se 'any(.[]; .client_request_id == "gigabyte" and .bytes_in == 0 and .stage == "auth")' "$HG_DIR/access.log"; }
ok "without a body byte read" wait_until 10s unread
raw --replies 1 --text "POST /v1/logs HTTP/1.1\\r\\nHost: x\\r\\n$H\\r\\nContent-Type: application/x-protobuf\\r\\nContent-Length: $(wc -c <"$T/body")\\r\\nExpect: 100-continue\\r\\n\\r\\n" \
	--timeout 1 >"$T/raw" 2>/dev/null
is "a good one is asked for its body" "$(first_line <"$T/raw")" "HTTP/1.1 100 Continue"

# ---- on an open connection; R13 ----
SHORT=$(token_add acme)
known "$SHORT"
exec {link}<>"/dev/tcp/${ADDRESS/://}"
# again: the status of one more request of SHORT on that connection
again()
{
	local line status='' length=0
	printf 'POST /v1/logs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n' "$SHORT" >&"$link"
	while IFS= read -r -t 10 -u "$link" line; do
		[ -n "$status" ] || read -r _ status _ <<<"$line"
		[[ ${line,,} != content-length:* ]] || { length=${line##*: }; length=${length%$'\r'}; }
		[ "$line" != $'\r' ] || break
	done
	[ "$length" = 0 ] || LC_ALL=C IFS= read -r -t 10 -N "$length" -u "$link" _
	echo "$status"
}
is "R13: a token works on an open connection" "$(again)" 200
token_revoke "$SHORT"
is_revoked() { [ "$(again)" = 401 ]; }
ok "R13: once revoked, the next request there is refused" wait_until 10s is_revoked
exec {link}>&-
SHORT=$(token_add acme "" "expires_at => now() + interval '1 h'")
exec {link}<>"/dev/tcp/${ADDRESS/://}"
works() { [ "$(again)" = 200 ]; }
ok "R13: a token that will expire works" wait_until 10s works
pg "UPDATE headgate.token SET expires_at = now() + interval '1 s' WHERE token_id = way.token_id('$SHORT')"
ok "R13: and past its time not, there" wait_until 10s is_revoked
exec {link}>&-

# ---- what is logged is one line, whatever was sent; F52 ----
odd=$'a\r\nb\x1b[31m"\\\xff{"kind":"auth"}'
told "a user of odd bytes" 403 hg-org-mismatch -- logs -H "Authorization: Basic $(printf '%s:%s' "${odd//:/}" "$good" | base64 -w0)"
told "a password of odd bytes" 401 hg-credential -- logs -H "Authorization: Basic $(printf 'acme:%s' "$odd" | base64 -w0)"
told "a claim of odd bytes" 400 hg-org -- logs -H "$H" -H $'X-Scope-OrgID: "\\\xff{"kind":"auth"}'
TYPE=$'"\\\xff\t{}'
told "a type of odd bytes" 415 hg-type -- logs -H "$H"
TYPE=application/x-protobuf
told "a coding of odd bytes" 415 hg-encoding -- logs -H "$H" -H $'Content-Encoding: "\\\xff{}'
told "a method of odd bytes" 405 hg-method -- logs -H "$H" -X "!#\$%&'*+-.^\`|~"
raw --text 'GET /\x1b[31m" HTTP/1.1\r\nHost: x\r\n\r\n' >/dev/null 2>&1
raw --text 'GET / HTTP/1.1\r\nHost: "\x1b\r\nX: \0\r\n\r\n' >/dev/null 2>&1
for log in access.log audit.log; do
	cp "$HG_DIR/$log" "$T/$log"	# the records of the last ones may come only now
	is "each line of $log is one JSON object of at most 4096 bytes" \
		"$(awk 'length > 4095' "$T/$log" | wc -l) $(jq -c 'select(type == "object" and (.kind | type) == "string")' "$T/$log" | wc -l)" \
		"0 $(wc -l <"$T/$log")"
	ok "and $log is text" fails grep -qP '[\x00-\x09\x0b-\x1f\x7f]' "$T/$log"
done
is "each line of the operational log is one of ours" "$(grep -avcE '^([^ ]+ )?lvl=(err|warn|info|debug) ' "$HG_LOG")" 0
ok "without control bytes" fails grep -aqP '[\x00-\x09\x0b-\x1f\x7f]' "$HG_LOG"

# ---- no secret anywhere; R12, F53 ----
printf '%s\n' "$good" "$NARROW" "$FOREIGN" "$LOCAL" "$SHORT" "$PG_PASSWORD" "${OF[@]}" | grep -v '^nothing' >"$T/secrets"
for token in "$good" "$NARROW" "$SHORT" "${OF[unknown]}"; do echo "${token#hgt_????????_}"; done >>"$T/secrets"	# the public id apart
for token in "$good" "$FOREIGN"; do printf '%s' ":$token" | base64 -w0; echo; printf '%s' "acme:$token" | base64 -w0; echo; token_hash "$token"; done >>"$T/secrets"
mkdir "$T/seen"
admin /metrics >"$T/seen/metrics"
admin '/ready?verbose' >"$T/seen/ready"
admin /status.json >"$T/seen/status"
for pid in "$HG_PID" $(workers); do
	tr '\0' '\n' <"/proc/$pid/cmdline" >"$T/seen/cmdline.$pid"
	environment "$pid" "$T/seen/environ.$pid"
done
for topic in "$TRACES_TOPIC" "$LOGS_TOPIC"; do records "$topic" | jq -r '.value, (.headers[][1])' | unhex; done >"$T/seen/records"
for place in "$T/said" "$T/seen" "$HG_DIR/access.log" "$HG_DIR/audit.log" "$HG_LOG" "$HG_DIR/notify.log"; do
	ok "no secret in ${place#"$T"/}" fails grep -raFf "$T/secrets" "$place"
done
ok "the search would find one" grep -raqFf "$T/secrets" "$T/dsn"

# F53: an aborted worker leaves no core, where an aborted shell does
mkdir "$T/control"
(cd "$T/control" && exec bash -c 'kill -ABRT $$') 2>/dev/null
cores() { find "$@" -maxdepth 1 -name 'core*' -newer "$T/seen/records"; }
expect_err 'mod=workers'
worker=$(workers | head -n 1)
place=$(readlink "/proc/$worker/cwd")
kill -ABRT "$worker"
ok "an aborted worker is gone" wait_until 10s gone "$worker"
replaced() { [ "$(workers | wc -l)" = 2 ]; }
ok "and replaced" wait_until 10s replaced
if [ -n "$(cores "$T/control")" ]; then
	is "it leaves no core" "$(cores "$T/cwd" "$place")" ""
else
	skip "it leaves no core" "here not even a shell leaves one in its folder"
fi
cd / || exit
finish
