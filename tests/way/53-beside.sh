#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 53-beside.sh -- bodies that take a worker half a second each delay nobody else on it, and are counted (B20); so it is while their clients go,
# while the worker drains and after it was killed; what they held of the budget is given back
. "${0%/*}/lib.sh"
need root
INSTAGE=$HEADGATE_BUILD/tests/way/tools/instage
make -s -C "$ROOT" "MODE=${HEADGATE_BUILD##*/}" "${INSTAGE#"$ROOT"/}" "${HEADGATE_BUILD#"$ROOT"/}/hgload" || bail "can't build tools/instage.c"

SENDER=$(token_new) OTHER=$(token_new)
# One that gets no large body: what its clients wait for is the machine's.
instance calm
tenants_file "other:$OTHER"
conf_base file discard 1
headgate_start
known "$OTHER"
CALM_URL=$URL
instance hg
tenants_file "sender:$SENDER" "other:$OTHER"
conf_base file discard 1
conf http.drain_timeout=2m limits.worker_bytes=640MiB limits.tenant_share=100% limits.body=64MiB log.access_file="$HG_DIR/access.log"
headgate_start
known "$SENDER"
known "$OTHER"
otlp logs -o "$T/body"
echo "$OTHER" >"$T/tokens"
coded() { built coded "$@"; }
LIMIT=200	# ms
[[ $HEADGATE_BUILD != */asan ]] || LIMIT=400

# 64 MiB out of little: doubles of 20 digits, copies that overlap, spans of 128 bytes
python3 - "$T" <<-'END'
	import sys
	number = b"1234567.1234567890123,"
	head = b'{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"histogram":{"dataPoints":[{"explicitBounds":['
	tail = b"1]}]}}]}]}]}"
	n = (64 * 1024 * 1024 - len(head) - len(tail)) // len(number)
	open(sys.argv[1] + "/doubles", "wb").write(head + number * n + tail)
	n = 64 * 1024 * 1024
	block = b"\x80\x80\x80\x20\x1cabcdefgh" + b"\x01\x03" * ((n - 8) // 4)
	open(sys.argv[1] + "/overlaps.snappy", "wb").write(block)
	span = b"\x12\x7e\x2a\x7c" + b"x" * 124
	open(sys.argv[1] + "/spans", "wb").write(b"\x0a\x85\xff\xff\x1f\x12\x80\xff\xff\x1f" + span * 524287)
END
coded gzip <"$T/doubles" >"$T/doubles.gz"
coded gzip <"$T/spans" >"$T/spans.gz"
rm "$T/doubles" "$T/spans"

large()	# KIND ID: sends one, in the background
{
	local path=/v1/metrics type=application/json coding=gzip file=$T/doubles.gz
	case $1 in
	overlaps)	path=/api/v1/write type=application/x-protobuf coding=snappy file=$T/overlaps.snappy ;;
	spans)		path=/v1/traces type=application/x-protobuf file=$T/spans.gz ;;
	esac
	background curl -sS -o "$T/$2.reply" -w "$2 %{http_code}\n" --max-time 120 "$URL$path" -H "Authorization: Bearer $SENDER" \
		-H "Content-Type: $type" -H "Content-Encoding: $coding" -H Expect: --data-binary "@$file"
}
answers() { grep -a "^$1" "$T/background.log" | awk '{print $2}' | sort | uniq -c | xargs; }
waiting() { [ "$(metric large_bodies_waiting)" -ge "${1:-1}" ]; }
# The gauge of the budget is set with each record: it shows at most that of the small body which comes then.
idle()
{
	[ "$(metric large_bodies_waiting)" = 0 ] && [ "$(judge)" = 200 ] && [ "$(metric kafka_queue_bytes)" -le 65536 ] &&
		[ "$(metric requests_in_flight)" -le 1 ]
}
counted() { metric large_body_seconds_count; }
judge() { TOKEN=$OTHER post /v1/logs "$T/body"; }

# ---- others beside ten of them ----
is "none was counted yet" "$(counted)" 0
load()	# URL NAME: 100 small bodies a second
{
	spawn "$T/$2.json" env ASAN_OPTIONS=detect_leaks=0 "$HEADGATE_BUILD/hgload" -u "$1/v1/logs" -b "$T/body" -c 4 -r 100 -d 8 \
		-t "$T/tokens" -H 'Content-Type: application/x-protobuf'
	pids+=("$SPAWNED")
}
all_gone() { local pid; for pid; do gone "$pid" || return 1; done; }
kinds=(doubles overlaps spans)
as_fast() { jq -es ".[0].p99_ms <= .[1].p99_ms + $((LIMIT * crowd))" "$T/load.json" "$T/calm.json"; }
# Again when it waits for too long: the machine may have stood still.
for round in 1 2 3; do
	pids=()
	rm -f "$T"/{load,calm}.json
	load "$URL" load
	load "$CALM_URL" calm
	for i in 0 1 2 3 4 5 6 7 8 9; do
		large "${kinds[i % 3]}" "round$round-$i"
		pids+=("$SPAWNED")
	done
	ok "ten come to wait" wait_until 20s waiting 2
	ok "they are answered, one after the other" wait_until 120s all_gone "${pids[@]}"
	# Where more runs than there are processors, a millisecond of work takes as many times longer.
	crowd=$(awk -v n="$(nproc)" '{c = $1 / n; print c < 1 ? 1 : int(c + 1)}' /proc/loadavg)
	note "$(jq -c 'del(.mb_per_s)' "$T/load.json")"
	note "without such bodies: $(jq -c 'del(.mb_per_s)' "$T/calm.json"); processes for a processor: $crowd"
	is "each by what it is: spans are taken, a point of 24 MB is too large for a record, copies are no series" "$(answers "round$round")" "3 200 3 400 4 413"
	like "(the doubles were read)" "$(cat "$T/round$round-0.reply")" hg-record-size
	like "(so were the copies)" "$(cat "$T/round$round-1.reply")" hg-invalid
	ok "the other tenant was always answered 200" jq -e '.codes | keys == ["200"]' "$T/load.json"
	! as_fast >"$T/fast" || break
done
ok "it waits no more than $((LIMIT * crowd)) ms (p99) beside what it waits without them" as_fast
counts=$((round < 3 ? 10 * round : 30))
is_counted() { [ "$(counted)" = "$counts" ]; }
ok "each is counted" wait_until 20s is_counted
ok "nothing is held any more" wait_until 20s idle

# ---- clients that go ----
# six WORD: six of them; have_come WORD: each was taken up, and some still wait
six() { pids=(); for i in 1 2 3 4 5 6; do large spans "$1$i"; pids+=("$SPAWNED"); done; }
have_come() { waiting && [ $(($(metric requests_in_flight '{route="otlp_traces"}') + $(grep -ac "^$1" "$T/background.log"))) -ge 6 ]; }
six gone
ok "some of them wait" wait_until 20s have_come gone
for i in "${pids[@]}"; do end_pid "$i" KILL; done
is "others are served" "$(judge)" 200
ok "what their clients left is finished and given back" wait_until 30s idle
ok "and counted" test "$(counted)" -gt "$counts" -a "$(counted)" -le $((counts + 6))

# ---- a worker that is killed ----
expect_err 'msg="worker ended unasked".* code=9'
expect_err 'msg="a worker died in a stage"'
old=$(workers)
"$INSTAGE" "$(wc -c <"$T/doubles.gz")" "$old" >"$T/killed" 2>"$T/looks" &
killer=$!
wait_until 20s test -s "$T/looks"
large doubles killed
wait "$killer"
is "a worker was killed in such a stage" "$(cat "$T/killed")" "$old"
blamed() { hg_log 'a worker died in a stage.* encoding=1 '; }
ok "the body beside the loop is blamed" wait_until 20s blamed
ready() { [ "$(judge)" = 200 ]; }
ok "another takes over" wait_until 20s ready
ok "and holds nothing" wait_until 20s idle

# ---- a drain ----
six drain
ok "some of them wait again" wait_until 20s have_come drain
ok "a drain ends well" headgate_stop 150s
HG_PID=''
wait_until 20s all_gone "${pids[@]}"
is "and answers all of them" "$(answers drain)" "6 200"
finish
