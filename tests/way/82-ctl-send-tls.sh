#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 82-ctl-send-tls.sh -- whom headgatectl send trusts: the certificates of --ca in place of the system's, and for a token endpoint those
# that are given for it
. "${0%/*}/lib.sh"
certs
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=another" -addext basicConstraints=critical,CA:TRUE \
	-addext subjectAltName=IP:127.0.0.1 -keyout "$T/other.key" -out "$T/other.pem" 2>"$T/.openssl" || bail "no certificate: $(cat "$T/.openssl")"
# answer NAME ANSWERS CERTIFICATE KEY: sets FAKE
answer()
{
	background python3 "$WAY/tools/answers.py" "$T/$1.log" "${@:2}"
	wait_until 20s test -s "$T/$1.log"
	FAKE=https://127.0.0.1:$(head -n 1 "$T/$1.log")
}
answer sink '{"/logs": [{"by": {"Bearer t-1": {"status": 200}}, "status": 401}]}' "$T/cert.pem" "$T/key.pem"
export HEADGATE_URL=$FAKE
echo body >"$T/body"
sent() { "$HEADGATECTL" send --path /logs --retries 0 "$@" "$T/body" >"$T/said" 2>"$T/said.err"; }

# ---- the system's, or those of a file ----
export HEADGATE_INGESTION_TOKEN=t-1
sent --ca "$CA"
is "the gateway's CA is given: accepted" "$? $(cat "$T/said.err")" "0 "
sent --ca "$T/other.pem"
like "another: it may be mended, exit 75" "$? $(cat "$T/said.err")" '^75 .*certificate'
sent --ca "$T/key.pem"
like "a file without a certificate is no trust" "$?" '^(1|75)$'
HEADGATE_CA_FILE=$CA sent
is "HEADGATE_CA_FILE is the same" $? 0
if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
	# The system's folder as it would be with this CA in it, for libraries that take the file and for those that take the folder.
	mkdir "$T/system"
	cp "$CA" "$T/system/ca-certificates.crt"
	cp "$CA" "$T/system/$(openssl x509 -hash -noout -in "$CA").0"
	as_system() { unshare -m -- bash -c 'mount --bind "$0" /etc/ssl/certs && exec "$@"' "$T/system" "$HEADGATECTL" send --path /logs --retries 0 "$@" "$T/body" >"$T/said" 2>&1; }
	as_system
	is "without an option the system's CAs are trusted" "$? $(grep -c ' 200 ' "$T/said")" "0 1"
	as_system --ca "$T/other.pem"
	is "those of a file stand in their place, not beside them" "$? $(grep -c ' 200 ' "$T/said")" "75 0"
else
	skip "those of a file stand in place of the system's" "needs root and a mount namespace"
fi

# ---- a token endpoint of another CA ----
unset HEADGATE_INGESTION_TOKEN
answer idp '{"/token": [{"status": 200, "json": {"access_token": "t-1", "expires_in": 3600}}]}' "$T/other.pem" "$T/other.key"
export HEADGATE_OIDC_TOKEN_ENDPOINT=$FAKE/token HEADGATE_OIDC_CLIENT_ID=me HEADGATE_OIDC_CLIENT_SECRET=secret
sent --ca "$CA"
like "the file is for the token endpoint too" "$? $(cat "$T/said.err")" '^75 .*token endpoint: .*certificate'
HEADGATE_OIDC_CA_FILE=$T/other.pem sent --ca "$CA"
is "unless it has its own" "$? $(cat "$T/said.err")" "0 "
HEADGATE_OIDC_CA_FILE=$CA sent --ca "$T/other.pem"
is "which is not the gateway's" $? 75
cat "$CA" "$T/other.pem" >"$T/both.pem"
sent --ca "$T/both.pem"
is "one file may hold both" $? 0
is "no secret went where it was not trusted" "$(sed 1d "$T/idp.log" | wc -l)" 2
finish
