#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 48-poison.sh -- a tenant whose requests kill workers is put aside, by all workers and by those that come later; nobody else is (F71)
. "${0%/*}/lib.sh"
need root
INSTAGE=$HEADGATE_BUILD/tests/way/tools/instage
make -s -C "$ROOT" "MODE=${HEADGATE_BUILD##*/}" "${INSTAGE#"$ROOT"/}" || bail "can't build tools/instage.c"

SENDER=$(token_new) OTHER=$(token_new)
tenants_file "sender:$SENDER" "other:$OTHER"
conf_base file 2
conf limits.worker_bytes=512MiB limits.tenant_share=100% log.access_file="$HG_DIR/access.log"
headgate_start
known "$SENDER"
known "$OTHER"
otlp logs -o "$T/body"
# A small body that becomes a large one: it keeps its worker within the stages for a while.
otlp logs --pad 60000000 -z -o "$T/large"
expect_err 'msg="worker ended unasked".* code=9'
expect_err 'msg="a worker died in a stage"'
expect_err 'msg="a tenant is put aside for 60 s'

background python3 "$WAY/tools/load.py" "$URL" --token "$OTHER" --quiet --connections 4 --rate 100 --seconds 1000 --results "$T/sent"
load=$SPAWNED
judge() { TOKEN=$1 request /v1/logs -H 'Content-Type: application/x-protobuf' --data-binary "@$T/body"; }
two() { [ "$(workers | wc -l)" = 2 ] && [ "$(metric workers '{state="ready"}')" = 2 ]; }
deaths() { grep -c 'a worker died in a stage' "$HG_LOG"; }

# kill_busy: sends the large body and kills the worker that works on it, if it sees that
kill_busy()
{
	local pids killer before
	mapfile -t pids < <(workers)
	before=$(deaths)
	"$INSTAGE" "$(wc -c <"$T/large")" "${pids[@]}" >/dev/null 2>"$T/looks" &
	killer=$!
	wait_until 20s test -s "$T/looks"
	TOKEN=$SENDER post /v1/logs "$T/large" -H 'Content-Encoding: gzip' >/dev/null
	kill "$killer" 2>/dev/null	# the body is over
	! wait "$killer" || wait_until 20s told "$before"
}
told() { [ "$(deaths)" -gt "$1" ]; }
for i in {1..20}; do
	[ "$(deaths)" -lt 3 ] || break
	wait_until 20s two
	kill_busy
done
is "three workers died at that body" "$(deaths)" 3
is "each death says whose it was" "$(grep -c 'a worker died in a stage.* tenant=sender' "$HG_LOG")" 3
aside() { local j; for j in {1..8}; do [ "$(judge "$SENDER")" = 503 ] || return 1; done; }
wait_until 20s two
ok "its sender is put aside, by all workers" wait_until 20s aside
like "the reply names it" "$(cat "$T/reply")" hg-tenant-aside
like "it says when to come again" "$(reply_header Retry-After)" '^[1-5]$'
ok "so does the log" hg_log 'a tenant is put aside for 60 s.* tenant=sender'
is "the metric tells" "$(metric tenants_put_aside_total)" 1
is "the other tenant is served" "$(judge "$OTHER")" 200
one_new() { [ "$(grep -c 'msg="worker ready"' "$HG_LOG")" -ge "$ready" ] && two; }
ready=$(($(grep -c 'msg="worker ready"' "$HG_LOG") + 1))
kill -KILL "$(workers | head -n 1)"
wait_until 20s one_new
ok "a worker that comes later knows it too" aside
ok "so does the next generation" headgate_switch
ok "and puts it aside" aside
end_pid "$load" TERM 20s
is "the other tenant was never refused" "$(awk '{print $2}' "$T/sent" | sort -u | grep -v 000 | xargs)" 200
ok "and lost no more than its requests on dying workers: $(grep -c ' 000 ' "$T/sent") of $(wc -l <"$T/sent")" \
	test "$(grep -c ' 000 ' "$T/sent")" -le $((4 * ($(grep -c 'ended unasked' "$HG_LOG") + 1)))
finish
