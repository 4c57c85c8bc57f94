#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 72-store-ill.sh -- a disk beneath the local store that fails to sync, to write, writes half, is full; a store at its bound; a lock that is
# taken away: 503 while it lasts, no 2xx that is not there, little work, and all is well soon after (F61, F64, O17 in part)
. "${0%/*}/lib.sh"

ill=$T/ill
mkdir -p "$ill/bin" "$ill/disk"
${CC:-cc} -std=gnu17 -D_GNU_SOURCE -O1 -shared -fPIC -o "$ill/disk.so" "$WAY/faults/ill_disk.c" -ldl &&
	${CC:-cc} -std=gnu17 -D_GNU_SOURCE -DWORKER="\"$(realpath "$HEADGATE_WORKER")\"" -DPRELOAD="\"$ill/disk.so\"" -DFOLDER="\"$ill/disk\"" \
		-o "$ill/bin/headgate-worker" "$WAY/faults/ill_disk.c" || bail "can't build faults/ill_disk.c"
# The master looks for its worker beside itself.
cp "$HEADGATE" "$ill/bin/headgate"
HEADGATE=$ill/bin/headgate
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0

TOKEN=$(token_new)
tenants_file "acme:$TOKEN"
conf_base local file 1
conf "log.access_file=$HG_DIR/access.log"
store=$HG_DIR/store
expect_err 'mod=sink_local'
headgate_start
known "$TOKEN"
otlp logs -m one -o "$T/body"
is "the disk is well: a body is accepted" "$(post /v1/logs "$T/body")" 200
cpu() { cpu_ms "$(workers)"; }
ready() { [ "$(get /ready)" = 200 ]; }
accepted() { [ "$(post /v1/logs "$T/body")" = 200 ]; }

n=0 times=() started=$SECONDS
for how in sync write short full; do
	((++n))
	background python3 "$WAY/tools/load.py" "$URL" --token "$TOKEN" --quiet --connections 4 --rate 200 --seconds 1000 --prefix "$how-" --results "$T/sent-$how"
	load=$SPAWNED
	so_many() { [ "$(grep -c " $1 " "$T/sent-$how")" -ge "$2" ]; }
	ok "$how: records are accepted before" wait_until 20s so_many 200 20
	touch "$ill/disk/$how"
	ok "$how: then 503" wait_until 20s so_many 503 5
	begun=$(now_us) used=$(cpu)
	ok "$how: and again and again" wait_until 60s so_many 503 300
	ms=$((($(now_us) - begun) / 1000)) used=$(($(cpu) - used))
	ok "$how: which is little work ($used ms of $ms ms)" test $((used * 2)) -lt "$ms"
	is "$how: with its own id" "$(post /v1/logs "$T/body"; grep -ao 'hg-store[a-z-]*' "$T/reply")" "503hg-store"
	like "$how: and when to ask again" "$(reply_header Retry-After)" '^[1-5]$'
	is "$how: not ready, and why" "$(get /ready) $(<"$T/reply")" "503 not ready: store"
	rm "$ill/disk/$how"
	begun=$(now_us)
	ok "$how: the disk is well again: accepted" wait_until 20s accepted
	times+=($((($(now_us) - begun) / 1000)))
	ok "$how: ready again" wait_until 20s ready
	end_pid "$load" TERM 20s
	ok "$how: each 2xx is in the store, and nothing is damaged" eval 'stored >"$T/rows" && conserved "$T/sent-$how" <"$T/rows" >"$T/kept"'
	note "$how: $(<"$T/kept")"
	is "$how: no other status was given" "$(awk '{print $2}' "$T/sent-$how" | sort -u | xargs)" "200 503"
done
# Of one or two of them the machine may have stood still.
within=$(printf '%s\n' "${times[@]}" | sort -n | sed -n 2p)
ok "within 5 s: ${times[*]} ms" test "$within" -le 5000
minutes=$(((SECONDS - started) / 60))
ok "the log tells of it, one line a minute for each cause" test "$(grep -c 'lvl=err mod=sink_local' "$HG_LOG")" -le $((8 + 4 * minutes)) -a "$(grep -c 'lvl=err mod=sink_local' "$HG_LOG")" -ge 1
is "no file is left that holds nothing" "$(find "$store" -name '*.db' -size 0)" ""

is "accepted = delivered + failed" "$(metric items_accepted_total)" $(($(metric items_delivered_total) + $(metric items_failed_total '{reason="store"}')))

# ---- a disk that does not come back: nobody but the store's threads waits for it ----
touch "$ill/disk/stuck"
post /v1/logs "$T/body" >"$T/waits" &
waiting=$!
begun=$(now_us)
for i in {1..20}; do get /health; done >/dev/null
ok "stuck: others are served meanwhile" test $(($(now_us) - begun)) -lt 20000000	# it lasts for as long as the file is there
ok "stuck: a reload waits for nothing" headgate_reload
ok "stuck: and nobody is told that his record is safe" test ! -s "$T/waits"
rm "$ill/disk/stuck"
wait "$waiting"
is "stuck: he is when it is" "$(<"$T/waits")" 200
is "stuck: and all was counted" "$(metric items_accepted_total)" $(($(metric items_delivered_total) + $(metric items_failed_total '{reason="store"}')))

# ---- the next file is there within 100 ms of a failed sync: only what was in that group is refused (F64) ----
took=1001
for try in 1 2 3; do	# the machine may stand still for a second, but not each time
	touch "$ill/disk/sync"
	is "one sync fails" "$(post /v1/logs "$T/body")" 503
	rm "$ill/disk/sync"
	begun=$(now_us)
	ok "the next record is stored" wait_until 20s accepted
	took=$((($(now_us) - begun) / 1000))
	((took > 1000)) || break
done
ok "within a second: $took ms" test $took -le 1000

# ---- a lock that is taken away ----
rm "$store"/*.lock
is "a lost lock is a 503" "$(post /v1/logs "$T/body")" 503
ok "and the next record goes into the next file" wait_until 20s accepted
ok "the log says so" wait_until 20s hg_log 'lvl=err mod=sink_local .*no longer ours'
count=$(stored | wc -l)

# ---- a store at its bound, which nobody passes ----
conf local.max_bytes=1MiB
ok "a reload with a small bound" headgate_switch
known_bytes() { find "$store" -type f -printf '%b\n' | awk '{n += $1} END {print n * 512}'; }
# What was there already is beyond it.
full() { [ "$(post /v1/logs "$T/body")" = 503 ] && grep -q 'the store is full' "$T/reply"; }
ok "what is there already fills it: 503" wait_until 20s full
is "not ready" "$(get /ready) $(<"$T/reply")" "503 not ready: store"
is "nothing was dropped" "$(stored | wc -l)" "$count"
rm -f "$store"/*[0-9].db "$store"/*.db-*
conf local.max_bytes=8MiB
ok "files that go make room" headgate_switch
ok "accepted again" wait_until 5s accepted
otlp logs -n 20 --pad 2000 -m more -o "$T/large"
fill() { [ "$(post /v1/logs "$T/large")" = 503 ]; }
fills() { fill && grep -q 'the store is full' "$T/reply"; }
ok "until it is full" wait_until 180s fills
ok "the bound is not passed" test "$(known_bytes)" -le $((8 * 1024 * 1024))
ok "most of it is used ($(known_bytes) bytes)" test "$(known_bytes)" -ge $((3 * 1024 * 1024))
is "its metric says so" "$(metric store_capacity_bytes)" $((8 * 1024 * 1024))
otlp logs -n 1 --pad 1600000 -o "$T/too-large"	# in one item: many would go in parts
is "a record above its part of the bound is 413" "$(post /v1/logs "$T/too-large")" 413

# ---- a real file system without room ----
disk_is_full()
{
	conf "local.dir=$small" local.max_bytes=1GiB local.min_free=0
	ok "$1: a reload to a small file system" headgate_switch
	ok "$1: accepted" wait_until 5s accepted
	ok "$1: until the disk is full: 503" wait_until 180s fill
	stored "$small" >"$T/rows" || fail "$1: rows are whole"
	count=$(wc -l <"$T/rows")
	is "$1: again" "$(post /v1/logs "$T/large")" 503
	ok "$1: nothing that was accepted is gone" test "$(stored "$small" | wc -l)" -ge "$count"
	rm "$(find "$small" -name '*.db' | sort | head -1)"
	rm -f "$small/ballast"
	ok "$1: room again: accepted" wait_until 20s accepted
}
small=$T/small
if [ "$(id -u)" = 0 ] && mkdir "$small" && mount -t tmpfs -o size=6m,mode=755 tmpfs "$small" 2>/dev/null; then
	trap 'umount -l "$small"; at_exit' EXIT	# however the test ends
	head -c 1M /dev/zero >"$small/ballast"
	disk_is_full "tmpfs of 6 MiB"
	headgate_stop
	HG_PID=''
else
	skip "a file system of 6 MiB that is full" "needs root, and mount"
fi
finish
