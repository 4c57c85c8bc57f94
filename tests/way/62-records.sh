#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 62-records.sh -- a record for each request, with every field, in one line whatever the client writes; strangers do not fill a disk, and a disk
# that stands still holds up nobody; the operational log has one form (O20, O21, O29 short)
. "${0%/*}/lib.sh"
need kafka

TOKEN=$(token_new)
topics 1
tenants_file "acme:$TOKEN"
conf_base kafka file 2
conf "log.access_file=$HG_DIR/access.log"
headgate_start
known "$TOKEN"
access() { jq -c "$@" "$HG_DIR/access.log"; }
sum_of() { jq -s 'map(.suppressed // 1) | add // 0'; }

# ---- fields ----
FIELDS='["ts","kind","seq","worker","gen","request_id","client_request_id","trace_id","listener","client","tls","route","method","tenant","claimed_tenant","token","subject","email","issuer","admin","auth","verdict","code","stage","reason","retry_after_s","encoding","bytes_in","bytes_decoded","items","bytes_out","duration_us","topic","partition","offset","suppressed"]'
otlp logs -n 5 -m fields -z -o "$T/body"
id=$(printf 'a%.0s' {1..64})
is "a body is accepted" "$(post /v1/logs "$T/body" -H 'Content-Encoding: gzip' -H "X-Request-Id: $id" \
	-H 'traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' -H 'X-Scope-OrgID: acme')" 200
is "X-Request-Id of 64 bytes comes back (O21)" "$(reply_header X-Request-Id)" "$id"
written() { [ -n "$(access --arg id "$1" 'select(.client_request_id == $id or .request_id == $id)')" ]; }
ok "its record is written" wait_until 20s written "$id"
one=$(access --arg id "$id" 'select(.client_request_id == $id)')
is "with all fields, in order" "$(jq -c keys_unsorted <<<"$one")" "$FIELDS"
is "what it was" "$(jq -c '[.kind, .listener, .tls, .route, .method, .tenant, .claimed_tenant, .auth, .verdict, .code, .stage, .reason, .retry_after_s, .encoding]' <<<"$one")" \
	'["request","public",false,"otlp_logs","POST","acme","acme","token","accepted",200,null,null,null,"gzip"]'
is "whose, and how much" "$(jq -c '[.token, .trace_id, .bytes_in, .items, .topic, .partition, .gen]' <<<"$one")" \
	"[\"$(token_id "$TOKEN")\",\"4bf92f3577b34da6a3ce929d0e0e4736\",$(wc -c <"$T/body"),5,\"$LOGS_TOPIC\",0,1]"
like "when, in UTC, to the microsecond" "$(jq -r .ts <<<"$one")" '^20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\.[0-9]{6}Z$'
ok "and how long it took" jq -e '.duration_us > 0 and .bytes_decoded > .bytes_in and .bytes_out > 100 and .offset == 0' <<<"$one"
is "its id is that of the record in Kafka" "$(header "$(records "$LOGS_TOPIC")" headgate-request-id)" "$(jq -r .request_id <<<"$one")"
printf '\n\377' >"$T/bad"
is "a broken one is refused" "$(post /v1/logs "$T/bad" -H "X-Request-Id: ${id}b")" 400
ours=$(reply_header X-Request-Id)
like "X-Request-Id of 65 bytes is replaced by ours (O21)" "$ours" '^[0-9a-f]{32}$'
ok "by which its record is found" wait_until 20s written "$ours"
is "which says where and why" "$(access --arg id "$ours" 'select(.request_id == $id) | [.verdict, .code, .stage, .client_request_id, .offset] + [.reason | length > 0]')" \
	'["hg-invalid",400,"enrich",null,null,true]'

# ---- one line, whatever a client writes ----
count() { wc -l <"$HG_DIR/access.log"; }
# In one scrape: each scrape is a request too.
counted() { admin /metrics | awk '/^headgate_requests_total/ && !/verdict="admin"/ {n += $NF} END {print n}'; }
settled() { [ "$(access 'select(.verdict != "admin")' | sum_of)" = "$(counted)" ]; }
ok "there are as many records as requests" wait_until 20s settled
python3 - "$T" "$TOKEN" <<'END'
import sys
folder, token = sys.argv[1:]
odd = [b"\r\n{\"kind\":\"forged\"}", b"\n{\"kind\":\"forged\"}\n", b"\0\x01\x1b[31m", b"\xff\xfe\xc3", b'","kind":"forged', b"\\u000a", b"x" * 5000, "\u2028\u202e".encode()]
n = 0
for value in odd:
    for place in ("path", "method", "X-Scope-OrgID", "X-Request-Id", "traceparent", "Content-Type", "Content-Encoding", "Host", "User-Agent"):
        fields = {"Host": b"x", "Authorization": b"Bearer " + token.encode(), "Content-Type": b"application/x-protobuf"}
        path, method = b"/v1/logs", b"POST"
        if place == "path":
            path = b"/" + value
        elif place == "method":
            method = b"P" + value
        else:
            fields[place] = b"a" + value
        head = method + b" " + path + b" HTTP/1.1\r\n" + b"".join(name.encode() + b": " + text + b"\r\n" for name, text in fields.items())
        with open(f"{folder}/odd-{n}", "wb") as file:
            file.write(head + b"Connection: close\r\nContent-Length: 2\r\n\r\n\n\xff")
        n += 1
END
sent=0
before=$(count)
for file in "$T"/odd-*; do
	raw --timeout 20 "$file" >"$T/raw" 2>/dev/null
	head -c 9 "$T/raw" | grep -q '^HTTP/1.1 ' && ((++sent))
done
is "odd requests are all answered" "$sent" 72
all_written() { [ "$(count)" -ge $((before + sent)) ] && settled; }
ok "each has its record" wait_until 20s all_written
# Of a line that is being written there may be a part.
ok "each line is JSON, and UTF-8" wait_until 20s python3 -c 'import json, sys
for line in open(sys.argv[1], "rb"):
    one = json.loads(line.decode("utf-8"))
    assert line.endswith(b"\n") and len(line) <= 4096 and list(one) == json.loads(sys.argv[2]), line
    assert not any(byte < 32 for byte in line[:-1]), line' "$HG_DIR/access.log" "$FIELDS"
is "none was forged" "$(access .kind | sort -u)" '"request"'
gapless() { jq -s --arg stream "$1" 'group_by([.worker, .gen]) | map(map(.seq) | sort | . == [range(length)]) | all' "$2"; }
no_gap() { [ "$(gapless access "$HG_DIR/access.log")" = true ]; }
ok "seq has no gap in any worker" wait_until 20s no_gap

# ---- O29: strangers; STRANGERS_SECONDS=10: for so long ----
: >"$HG_DIR/access.log"	# it is open to be appended to
: "${STRANGERS_SECONDS:=3}"
token_new >"$T/stranger"
# flood SOURCES: "401:N", the answers; from one source 20 000 a second
flood()
{
	if [ "$1" = 1 ]; then
		ASAN_OPTIONS=detect_leaks=0 "$HEADGATE_BUILD/hgload" -u "$URL/v1/logs" -b "$T/bad" -t "$T/stranger" -r 20000 -d "$STRANGERS_SECONDS" |
			jq -r '.codes | to_entries | map("\(.key):\(.value)") | join(" ")'
	else
		python3 "$WAY/tools/strangers.py" "$ADDRESS" "$(<"$T/stranger")" --sources "$1" --seconds "$STRANGERS_SECONDS"
	fi
}
for sources in 1 1000; do
	before=$(metric requests_total '{code="401"}') gone_by=$(count)
	begin=$(date +%s)
	flood $sources >"$T/flood" &
	stranger=$! others=''
	while alive "$stranger"; do others+="$(post /v1/logs "$T/bad" -H "X-Request-Id: meanwhile-$sources") "; done
	wait "$stranger"
	counts=$(<"$T/flood")
	seconds=$(($(date +%s) - begin + 2))
	is "other requests of $sources meanwhile are refused as ever" "$(tr ' ' '\n' <<<"$others" | sort -u | xargs)" 400
	refusals() { [ "$(jq -c --arg id "meanwhile-$sources" 'select(.client_request_id == $id and .code == 400)' "$HG_DIR/access.log" | wc -l)" = "$(wc -w <<<"$others")" ]; }
	ok "and each of these $(wc -w <<<"$others") is written" wait_until 60s refusals
	answered=${counts#401:}
	told() { [ "$(tail -n +$((gone_by + 1)) "$HG_DIR/access.log" | jq -c 'select(.code == 401)' | sum_of)" = "$answered" ]; }
	ok "of $answered refused strangers from $sources sources each is written or counted" wait_until 60s told
	is "as many as requests_total has" "$(($(metric requests_total '{code="401"}') - before))" "$answered"
	tail -n +$((gone_by + 1)) "$HG_DIR/access.log" | jq -c 'select(.code == 401)' >"$T/strangers"
	most=$(jq -s 'map(select(.suppressed == null)) | group_by([.worker, .ts[0:19]]) | map(length) | max' "$T/strangers")
	bound=10
	[ $sources = 1 ] || bound=100
	# Its seconds are not those of our clock: one of ours may hold the end of one and the beginning of the next.
	ok "a worker writes no more than $bound a second: $most" test "$most" -le $((2 * bound))
	ok "and in all no more than $bound in each of $seconds s" test "$(jq -s 'map(select(.suppressed == null)) | group_by(.worker) | map(length) | max' "$T/strangers")" \
		-le $((bound * seconds))
	ok "with at most a line a second for the rest" test "$(jq -s 'map(select(.suppressed != null)) | group_by(.worker) | map(length) | max' "$T/strangers")" -le "$seconds"
done
no_gap_then() { [ "$(jq -s 'group_by([.worker, .gen]) | map(map(.seq) | sort | . == [range(.[0]; .[0] + length)]) | all' "$HG_DIR/access.log")" = true ]; }
ok "seq has no gap then either" wait_until 60s no_gap_then
like "who they were is in the audit log too" "$(jq -c 'select(.kind == "auth") | [.verdict, .code]' "$HG_DIR/audit.log" | sort -u)" '^\["hg-credential",401\]'
ok "the master's own records are there" wait_until 20s jq -se 'any(.[]; .kind == "start")' "$HG_DIR/audit.log"

# ---- the operational log ----
ok "each line of it is logfmt" wait_until 20s python3 -c 'import re, sys
line_of = re.compile(r"lvl=(err|warn|info|debug) mod=[a-z0-9_]+ msg=(\"(?:[^\"\\]|\\.)*\"|[^ \"=]+)( [a-z0-9_]+=(\"(?:[^\"\\]|\\.)*\"|[^ \"=]*))*")
for line in open(sys.argv[1], encoding="utf-8"):
    assert line_of.fullmatch(line.rstrip("\n")), line' "$HG_LOG"
grep -c . "$HG_LOG" >"$T/lines"
ok "and few they are: $(<"$T/lines")" test "$(<"$T/lines")" -le 40
conf log.format=json log.level=debug
ok "its form and level are changed by a reload" headgate_switch
ok "then each line is JSON" wait_until 20s eval 'tail -n +"$(($(<"$T/lines") + 1))" "$HG_LOG" | grep "^{" | jq -es "length > 0 and all(.[]; .lvl and .mod and .msg)"'
headgate_stop
ok "the end is in the audit log" jq -se 'any(.[]; .kind == "stop") and any(.[]; .kind == "reload")' "$HG_DIR/audit.log"
ok "the credential is in no log" fails grep -rqF "$TOKEN" "$HG_DIR"

# ---- a disk that stands still: here a pipe that nobody reads, against the same load with a reader ----
. "${0%/*}/beside.sh"
: "${STILL_RATE:=800}" "${STILL_ROUNDS:=3}"
instance still
mkfifo "$HG_DIR/access.log"
exec {pipe}<>"$HG_DIR/access.log"	# so that it is one without a reader too
KAFKA_BROKERS='' TRACES_TOPIC='' conf_base discard file 1
tenants_file "acme:$TOKEN"
conf "log.access_file=$HG_DIR/access.log"
expect_err 'mod=audit'
headgate_start
beside_first
known "$TOKEN"
otlp logs -n 1 -m still -o "$T/one"
printf '%s\n' "$TOKEN" >"$T/known"
BESIDE_QUIET=(-u "$URL/v1/logs" -H 'Content-Type: application/x-protobuf' -b "$T/one" -t "$T/known" -r "$STILL_RATE" -c 4)
dropped() { metric audit_dropped_total '{stream="access"}'; }
# What is written comes in order: with this record, all before it is out of the ring.
went_on() { post /v1/logs "$T/one" -H "X-Request-Id: went-on-$1" >"$T/status" && grep -aq "went-on-$1" "$T/read"; }
# with_reader: one that stands still for a second, as the machine may, leaves no room; then once more
with_reader()
{
	local try before
	for try in 1 2 3; do
		before=$(dropped)
		BESIDE_SECONDS=3 beside_quiet alone
		[ "$(dropped)" != "$before" ] || return 0
	done
	return 1
}
# The machine may do what nothing goes before, as in beside.sh: again then.
for ((round = 1; round <= 3 * STILL_ROUNDS; round++)); do
	if ((round % STILL_ROUNDS == 1)); then
		: >"$T/p99s"
	fi
	background "${BESIDE_PIN[@]}" sh -c 'exec cat "$1" >"$2"' cat "$HG_DIR/access.log" "$T/read"
	reader=$SPAWNED
	wait_until 20s went_on "$round" || bail "the reader gets no records"
	ok "$round: with a reader nothing is dropped" with_reader
	end_pid "$reader"
	before=$(dropped)
	BESIDE_SECONDS=6 beside_quiet beside
	after=$(dropped)
	ok "$round: without one records are dropped, and counted, for seconds: $((after - before))" test $((after - before)) -ge $((2 * STILL_RATE))
	is "$round: all requests were accepted" "$(jq -c '.codes | keys' "$T/alone" "$T/beside" | sort -u)" '["200"]'
	((round % STILL_ROUNDS != 0)) || ! beside_as_fast >"$T/fast" || break
done
note "$(<"$T/p99s")"
ok "O20: a disk that stands still makes no request slower than twice as slow, p99" beside_as_fast
conf audit.on_full=refuse
ok "with audit.on_full: refuse" headgate_switch
refused() { [ "$(post /v1/logs "$T/body" -H 'Content-Encoding: gzip')" = 503 ]; }
background python3 "$WAY/tools/load.py" "$URL" --token "$TOKEN" --quiet --connections 4 --seconds 30 --prefix again- --results "$T/again"
load=$SPAWNED
ok "requests are refused instead" wait_until 30s refused
end_pid "$load"
like "they may come again" "$(reply_header Retry-After)" '^[1-5]$'
is "nothing more is dropped" "$(awk '{print $2}' "$T/again" | sort -u | xargs)" "200 503"
background cat "$HG_DIR/access.log"
served() { [ "$(post /v1/logs "$T/body" -H 'Content-Encoding: gzip')" = 200 ]; }
ok "when it goes on, so do requests" wait_until 20s served
finish
