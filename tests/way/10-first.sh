#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 10-first.sh -- what a client sends as OTLP protobuf is one record of the contract (records.md 1), whatever its coding and framing
. "${0%/*}/lib.sh"
need kafka postgres

topics 3
tenant_add acme
TOKEN=$(token_add acme)
conf_base
conf "log.access_file=$HG_DIR/access.log"
headgate_start
known "$TOKEN"

declare -A TOPIC=([traces]=$TRACES_TOPIC [metrics]=$METRICS_TOPIC [logs]=$LOGS_TOPIC)
record() { records "${TOPIC[$1]}" | grep "$(hex "$2")"; }	# SIGNAL MARKER: the records that hold it
names() { jq -c '[.headers[][0]]' <<<"$1"; }
# as_sent MARKER SIGNAL: what otlp.py makes of it, with our stamp as the last attribute of its resource
stamped() { otlp "$1" -n 2 -m "$2" -r tenant_id=acme "${@:3}" | od -An -v -tx1 | tr -d ' \n'; }

# P1, R1, R4: three signals
standard='["X-Scope-OrgID","tenant_id","signal","format","content-type","headgate-request-id"]'
for signal in traces metrics logs; do
	otlp $signal -n 2 -m "plain-$signal" -o "$T/body"
	begin=$(date +%s%3N)
	is "$signal: a body is accepted" "$(post /v1/$signal "$T/body")" 200
	end=$(date +%s%3N)
	is "$signal: the reply is an empty protobuf message" "$(reply_header Content-Type)|$(reply_header Content-Length)|$(wc -c <"$T/reply")" \
		"application/x-protobuf|0|0"
	ours=$(reply_header X-Request-Id)
	one=$(record $signal "plain-$signal")
	is "$signal: one record" "$(wc -l <<<"$one")" 1
	is "$signal: its key is the tenant" "$(jq -r .key <<<"$one")" "$(hex acme)"
	is "$signal: its headers, in order" "$(names "$one")" "$standard"
	is "$signal: and what they say" "$(for name in X-Scope-OrgID tenant_id signal format content-type; do header "$one" $name; done | xargs)" \
		"acme acme $signal otlp_proto application/x-protobuf"
	like "$signal: our request id in reply and record" "$ours" '^[0-9a-f]{32}$'
	is "$signal: is the same" "$(header "$one" headgate-request-id)" "$ours"
	time=$(jq .timestamp <<<"$one")
	ok "$signal: its time is that of its coming" test "$time" -ge "$begin" -a "$time" -le "$end"
	is "$signal: its value is the body with the stamp, no other byte" "$(jq -r .value <<<"$one")" "$(stamped $signal "plain-$signal")"
done
is "the stamp is the vector of the contract" "$(printf '%s' "$(record logs plain-logs | jq -r .value)" | grep -o '0a130a0974656e616e745f696412060a0461636d65')" \
	0a130a0974656e616e745f696412060a0461636d65

# P8, P22: codings and framings
sent=0
arrives() { is "$1 is accepted" "$2" 200; is "$1 arrives as the others" "$(record logs "$3" | jq -r .value)" "$(stamped logs "$3")"; }
otlp logs -n 2 -m marker-gzip -z -o "$T/body"
arrives "a gzip body" "$(post /v1/logs "$T/body" -H 'Content-Encoding: gzip')" marker-gzip
otlp logs -n 2 -m marker-xgzip -z -o "$T/body"
arrives "a body of X-Gzip" "$(post /v1/logs "$T/body" -H 'Content-Encoding: X-Gzip')" marker-xgzip
otlp logs -n 2 -m marker-identity -o "$T/body"
arrives "a body of identity" "$(post /v1/logs "$T/body" -H 'Content-Encoding: identity')" marker-identity
otlp logs -n 2 -m marker-chunked -o "$T/body"
arrives "a chunked body" "$(post /v1/logs "$T/body" -H 'Transfer-Encoding: chunked')" marker-chunked
otlp logs -n 2 -m marker-both -z -o "$T/body"
arrives "a chunked gzip body" "$(post /v1/logs "$T/body" -H 'Transfer-Encoding: chunked' -H 'Content-Encoding: gzip')" marker-both
otlp logs -n 2 -m marker-members -o "$T/body"
{ head -c 100 "$T/body" | gzip; tail -c +101 "$T/body" | gzip; } >"$T/members"
arrives "a body of two gzip members" "$(post /v1/logs "$T/members" -H 'Content-Encoding: gzip')" marker-members
{ cat "$T/members"; printf x; } >"$T/trailing"
is "a byte after the last member is refused" "$(post /v1/logs "$T/trailing" -H 'Content-Encoding: gzip')" 400
otlp logs -n 2 -m marker-expect -o "$T/body"
arrives "a body that waits for 100 Continue" "$(post /v1/logs "$T/body" -H 'Expect: 100-continue')" marker-expect
otlp logs -n 2 -m marker-type -o "$T/body"
arrives "a type in capitals with a parameter" \
	"$(request /v1/logs -H 'Content-Type: APPLICATION/X-Protobuf ; q=1' --data-binary "@$T/body")" marker-type
is "whose reply has the type without it" "$(reply_header Content-Type)" application/x-protobuf
{
	otlp logs -n 2 -m marker-trickle -o "$T/body"
	printf 'POST /v1/logs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/x-protobuf\r\nContent-Length: %d\r\n\r\n' \
		"$TOKEN" "$(wc -c <"$T/body")"
	cat "$T/body"
} >"$T/request"
arrives "a request sent byte by byte" "$(raw --each --pause 1 --replies 1 "$T/request" 2>/dev/null | sed -n '1s/^HTTP.1.1 \([0-9]*\).*/\1/p')" marker-trickle

# P22: paths
for path in /v1/logs/ /otlp/v1/logs "/v1/logs?query=ignored"; do
	marker=marker-path-$((++sent))
	otlp logs -n 2 -m $marker -o "$T/body"
	arrives "$path" "$(post "$path" "$T/body")" $marker
done
otlp metrics -n 2 -m marker-alias -o "$T/body"
is "/api/v1/otlp/v1/metrics is accepted" "$(post /api/v1/otlp/v1/metrics "$T/body")" 200
is "and arrives among the metrics" "$(record metrics marker-alias | jq -r .value)" "$(stamped metrics marker-alias)"
for path in /v1/tracesx /v1/trace /V1/traces /v1/%74races /v1development/profiles /; do
	is "$path is no path of ours" "$(post "$path" "$T/body")" 404
done

# X-Request-Id, traceparent
otlp logs -m with-ids -o "$T/body"
trace=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
is "a request with ids is accepted" "$(post /v1/logs "$T/body" -H 'X-Request-Id: mine_1.A-z' -H "traceparent: $trace")" 200
one=$(record logs with-ids)
is "its X-Request-Id comes back" "$(reply_header X-Request-Id)" mine_1.A-z
like "the record keeps ours" "$(header "$one" headgate-request-id)" '^[0-9a-f]{32}$'
is "its traceparent is the record's last header" "$(names "$one")|$(header "$one" traceparent)" "${standard%]},\"traceparent\"]|$trace"
has_ids() { jq -se --arg trace "${trace:3:32}" 'map(select(.client_request_id == "mine_1.A-z" and .trace_id == $trace)) | length == 1' "$HG_DIR/access.log"; }
ok "the access log knows both" wait_until 10s has_ids
for bad in 'a b' 'x/y' "$(printf 'a%.0s' {1..65})" 'é'; do
	post /v1/logs "$T/body" -H "X-Request-Id: $bad" >/dev/null
	like "X-Request-Id '${bad:0:8}' is replaced by ours" "$(reply_header X-Request-Id)" '^[0-9a-f]{32}$'
done
for bad in 00-00000000000000000000000000000000-00f067aa0ba902b7-01 ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 \
	00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01 "$trace-x" nonsense; do
	marker=marker-trace-$((++sent))
	otlp logs -m $marker -o "$T/body"
	post /v1/logs "$T/body" -H "traceparent: $bad" >/dev/null
	is "traceparent '${bad:0:12}' is left out" "$(names "$(record logs $marker)")" "$standard"
done

# Partition: spread
otlp traces -m spread -o "$T/body"
is "forty requests of one connection are accepted" "$(post '/v1/traces?[1-40]' "$T/body" | grep -o 200 | wc -l)" 40
is "many requests go to all partitions" "$(records "$TRACES_TOPIC" | jq -s 'map(.partition) | unique | length')" 3

# record.headers, record.enrich: by reload, without a request refused
conf record.headers=all record.enrich=header
ok "a reload is taken" headgate_switch
otlp traces -n 2 -m all-headers -r tenant_id=theirs -o "$T/body"
is "with record.headers: all a body is accepted" "$(post /v1/traces "$T/body" -H "traceparent: $trace")" 200
one=$(record traces all-headers | grep "$(hex theirs)")
is "all headers, in order" "$(names "$one")" \
	'["X-Scope-OrgID","tenant_id","signal","format","content-type","headgate-route","headgate-request-id","headgate-received-ms","headgate-contract","traceparent"]'
is "with route, time and contract" "$(header "$one" headgate-route) $(header "$one" headgate-received-ms) $(header "$one" headgate-contract)" \
	"otlp_traces $(jq .timestamp <<<"$one") 1"
is "record.enrich: header leaves the body byte for byte" "$(jq -r .value <<<"$one")" "$(od -An -v -tx1 <"$T/body" | tr -d ' \n')"
is "but not the key and headers to the client" "$(jq -r .key <<<"$one") $(header "$one" X-Scope-OrgID)" "$(hex acme) acme"
conf record.headers=tenant record.enrich=body record.stamp_name=who
ok "and another one" headgate_switch
otlp traces -n 2 -m two-headers -r who=theirs -r tenant_id=kept -o "$T/body"
is "with record.headers: tenant a body is accepted" "$(post /v1/traces "$T/body" -H "traceparent: $trace")" 200
one=$(record traces two-headers | grep "$(hex kept)")
is "the first two headers only" "$(names "$one")" '["X-Scope-OrgID","tenant_id"]'
is "record.stamp_name names the attribute" "$(jq -r .value <<<"$one")" \
	"$(otlp traces -n 2 -m two-headers -r tenant_id=kept -r who=acme | od -An -v -tx1 | tr -d ' \n')"

# R1, over all that was stored
for signal in traces metrics logs; do
	is "$signal: all records are keyed and say so once, no header clashes" "$(records "${TOPIC[$signal]}" | jq -s --arg acme "$(hex acme)" \
		'map(select((.key != $acme) or ([.headers[] | select(.[0] == "X-Scope-OrgID") | .[1]] != [$acme])
			or ([.headers[][0] | ascii_downcase] | (unique | length) != length)
			or any(.headers[]; (.[0] | ascii_downcase) == "version" or .[1] == null or .[1] == ""))) | length')" 0
done
is "accepted and delivered agree" "$(metric items_accepted_total '{tenant="acme"}')" "$(metric items_delivered_total '{tenant="acme"}')"
is "the spoofed ones are counted" "$(metric items_spoofed_total '{tenant="acme"}')" 1
finish
