#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 17-tls.sh -- TLS on a listener: versions, ALPN, groups, resumption over all workers and reloads, handshakes that never end; HTTP is the
# same as without it (faults.md 7)
. "${0%/*}/lib.sh"

certs
TOKEN=$(token_new)
tenants_file "acme:$TOKEN"
conf_base tls file discard 2
cert_new long 9000	# its issuer ends before it
cat "$T/long.pem" "$T/ca.pem" >"$T/chain.pem"
conf listeners.1.name=modern listeners.1.listen=127.0.0.1:0 "listeners.1.tls.cert_file=$T/chain.pem" "listeners.1.tls.key_file=$T/long.key" \
	'listeners.1.tls.min_version="1.3"' listeners.2.name=plain listeners.2.listen=127.0.0.1:0
headgate_start
known "$TOKEN"
modern=$(listener_address modern)
plain=$(listener_address plain)
get_health='GET /health HTTP/1.1\r\nHost: x\r\n\r\n'
# tls [OPTION]...: of raw, over TLS: its statuses and how it ended; what was agreed on is in $T/end
tls() { { raw --tls "$CA" "$@" 2>"$T/end" | LC_ALL=C grep -aoP 'HTTP/1\.1 \K[0-9]+(?= )'; tail -n 1 "$T/end" | cut -d' ' -f1; } | xargs; }
at() { local ADDRESS=$1; "${@:2}"; }	# ADDRESS COMMAND...: there, not at the first listener
# s_client ADDRESS [OPTION]...: OpenSSL's own client; one request, and what it tells
s_client() { printf '%b' 'GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' | timeout 10 openssl s_client -connect "$1" -CAfile "$CA" -ign_eof "${@:2}" 2>&1; }
handshakes() { metric tls_handshakes_total "{result=\"$1\"}"; }

# versions, ALPN, groups
is "TLS 1.3 works" "$(tls --replies 1 --tls-version 1.3 --alpn http/1.1 --text "$get_health")" "200 done"
like "with an AEAD" "$(head -n 1 "$T/end")" '^TLSv1.3 TLS_(AES_(128|256)_GCM|CHACHA20_POLY1305)_SHA(256|384) alpn=http/1.1$'
is "TLS 1.2 works" "$(tls --replies 1 --tls-version 1.2 --alpn http/1.1 --text "$get_health")" "200 done"
like "with ECDHE and an AEAD" "$(head -n 1 "$T/end")" '^TLSv1.2 ECDHE-ECDSA-(AES(128|256)-GCM-SHA(256|384)|CHACHA20-POLY1305) alpn=http/1.1$'
is "who offers h2 first gets http/1.1" "$(tls --replies 1 --alpn h2 --alpn http/1.1 --text "$get_health")" "200 done"
like "and is told so" "$(head -n 1 "$T/end")" 'alpn=http/1.1$'
is "who offers h2 alone gets no connection" "$(tls --alpn h2 --text "$get_health")" tls
is "without ALPN there is no question" "$(tls --replies 1 --text "$get_health")" "200 done"
like "X25519 comes first" "$(s_client "$ADDRESS" -tls1_3)" '(Server|Peer) Temp Key: X25519'
ok "TLS 1.1 is refused" fails s_client "$ADDRESS" -tls1_1 -cipher DEFAULT:@SECLEVEL=0
ok "so is a cipher without forward secrecy" fails s_client "$ADDRESS" -tls1_2 -cipher AES256-GCM-SHA384
ok "and one without AEAD" fails s_client "$ADDRESS" -tls1_2 -cipher ECDHE-ECDSA-AES256-SHA384
is "a listener with min_version 1.3 takes 1.3" "$(at "$modern" tls --replies 1 --tls-version 1.3 --text "$get_health")" "200 done"
is "and not 1.2" "$(at "$modern" tls --tls-version 1.2 --text "$get_health")" tls
like "there is no compression" "$(s_client "$ADDRESS" -tls1_2)" 'Compression: NONE'
like "and no renegotiation" "$(printf 'R\n' | timeout 10 openssl s_client -connect "$ADDRESS" -CAfile "$CA" -tls1_2 2>&1)" 'no renegotiation|handshake failure|:error:'
is "the plain listener beside it speaks no TLS" "$(curl -sS -o /dev/null -w '%{http_code}' "http://$plain/health")" 200

# when it ends
ends() { date -u -d "$(openssl x509 -noout -enddate -in "$1" | cut -d= -f2)" +%s; }
shown() { admin /metrics | sed -n "s/^headgate_tls_cert_not_after_timestamp_seconds{certificate=\"$1\"} //p"; }
is "a metric tells when the certificate ends" "$(shown public)" "$(ends "$T/cert.pem")"
is "when the first of a chain does" "$(shown modern)" "$(ends "$T/ca.pem")"
is "and nothing of a listener without" "$(shown plain)" ""

# HTTP as ever
otlp logs --pad 900000 -m large -o "$T/body"
is "a large body is accepted" "$(post /v1/logs "$T/body")" 200
is "a chunked gzip one too" "$(gzip <"$T/body" >"$T/body.gz"; post /v1/logs "$T/body.gz" -H 'Content-Encoding: gzip' -H 'Transfer-Encoding: chunked')" 200
is "a request byte by byte" "$(tls --each --pause 1 --replies 1 --text "$get_health")" "200 done"
is "three pipelined ones" "$(tls --replies 3 --text "$get_health$get_health$get_health")" "200 200 200 done"
is "a client that half-closes gets its reply" "$(tls --half-close --text "$get_health")" "200 closed"
is "Connection: close closes" "$(tls --text 'GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')" "200 closed"
is "the connection ends by a close_notify" "$(grep -c 'EOF' "$T/end")" 0

# resumption; F55, short
resumed() # VERSION TIMES: how many of them
{
	local i n=0
	for ((i = 0; i < $2; i++)); do
		[[ $(s_client "$ADDRESS" "-tls$1" -sess_in "$T/session-$1") != *"Reused, TLS"* ]] || ((++n))
	done
	echo "$n"
}
for version in 1_2 1_3; do
	s_client "$ADDRESS" -tls$version -sess_out "$T/session-$version" >/dev/null
	is "TLS $version: a session is resumed by any worker" "$(resumed $version 10)" 10
done
ok "they are counted" test "$(handshakes resumed)" -ge 20
ok "a reload is taken" headgate_switch
for version in 1_2 1_3; do
	is "TLS $version: after it too" "$(resumed $version 4)" 4
done
conf tls.ticket_rotation=1s
ok "a reload makes keys rotate" headgate_switch
forgotten() { [ "$(resumed 1_3 1)" = 0 ]; }
ok "after two rotations a session is forgotten" wait_until 20s forgotten

# handshakes that never end; elsewhere a pause of the machine would be too long for this bound
conf tls.handshake_timeout=700ms
ok "a reload shortens their time" headgate_switch
warned=$(grep -c 'lvl=\(err\|warn\)' "$HG_LOG")
before=$(metric connections_refused_total '{reason="handshake_timeout"}')
{ raw --text '' 2>"$T/end"; } >"$T/raw"
like "a connection without a handshake is closed" "$(tail -n 1 "$T/end")" '^closed ([6-9]|[1-4][0-9])[0-9][0-9]$'
raw --text '\x16\x03\x01\x02\x00\x01' >"$T/raw" 2>"$T/end"
like "so is one that stops within it" "$(tail -n 1 "$T/end")" '^(closed|reset) ([6-9]|[1-4][0-9])[0-9][0-9]$'
comes "both are counted" $((before + 2)) metric connections_refused_total '{reason="handshake_timeout"}'
raw --text "$get_health" >"$T/raw" 2>"$T/end"
like "plain HTTP gets no reply of HTTP" "$(head -c 4 "$T/raw" | od -An -tx1) $(tail -n 1 "$T/end")" '^( 15 03 01 00)? (closed|reset)'
ok "and is counted as failed" test "$(handshakes failed)" -ge 1
is "none of that is worth a warning" "$(grep -c 'lvl=\(err\|warn\)' "$HG_LOG")" "$warned"
finish
