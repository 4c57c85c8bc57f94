# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# guest.sh -- the functions of the shell inside the machine (tests/vm/machine.sh), and what it knows of the service.

URL=http://127.0.0.1:4318

# until_ SECONDS COMMAND...: again and again until it succeeds.
until_()
{
	local end=$((SECONDS + $1 * PATIENCE))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.2
	done
}

# show PROPERTY: of the service
show() { systemctl show --property="$1" --value headgate.service; }
master() { show MainPID; }
workers() { pgrep -P "$(master)"; }
active() { [ "$(systemctl is-active headgate.service)" = active ]; }
# another PID: the service runs, and its master is not that one
another() { active && [ "$(master)" != "$1" ]; }
status() { curl -s -o /dev/null -w '%{http_code}\n' "$@"; }
# post [TOKEN]: a body of logs
post() { status -H 'Content-Type: application/x-protobuf' ${1:+-H "Authorization: Bearer $1"} --data-binary @/given/body "$URL/v1/logs"; }
serves() { answers 200; }
answers() { [ "$(post "$TOKEN")" = "$1" ]; }
# told REGEX: its status text has it
told() { show StatusText | grep -qE -- "$1"; }
generation() { headgatectl --json status | python3 -c 'import json, sys; print(json.load(sys.stdin)["generation"])'; }
version() { headgatectl --json status | python3 -c 'import json, sys; print(json.load(sys.stdin)["version"])'; }
# said REGEX: the journal of the service has it since `mark`
mark() { MARK=$(journalctl -n 0 --show-cursor -q | sed -n 's/^-- cursor: //p'); }
heard() { journalctl --after-cursor="$MARK" -q -o cat "$@"; }
said() { heard -u headgate.service | grep -E -- "$1"; }

rss() { sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$(master)/status"; }
# hups N: so many SIGHUPs, one a second; sets most: so many workers there were at once
hups()
{
	local i n
	most=0
	for ((i = 0; i < $1; i++)); do
		kill -HUP "$(master)"
		sleep 1
		n=$(workers | wc -l)
		[ "$n" -le "$most" ] || most=$n
	done
}
# rests: no generation but the newest is there
rests() { [ "$(workers | wc -l)" = 2 ] && told '2/2 workers ready$'; }

# refusals: the first records of requests since knock_begin that were not accepted
refusals() { journalctl --after-cursor="$KNOCK_MARK" -q -o cat -t headgate | grep -F '"kind":"request"' | grep -vF '"code":200' | head -n 3; }
# knock_begin, knock_end: two clients that post, each time over a connection of their own; what became of it, counted
knock_begin()
{
	local i
	KNOCKS=() KNOCK_MARK=$(journalctl -n 0 --show-cursor -q | sed -n 's/^-- cursor: //p')
	rm -f /tmp/knocked.*
	for i in 1 2; do
		nice -n 19 python3 /given/knock.py "$URL" /given/body --token "$TOKEN" --results /tmp/knocked.$i >/tmp/knock.log 2>&1 &
		KNOCKS+=($!)
	done
	until_ 110 knocked 5
}
# load_begin, load_end: connections that are never idle, for which the next request must follow within a second (a worker that drains waits
# no longer): no niceness, and no more of them than leave an emulated processor time to start workers; what became of them, as JSON
load_begin()
{
	echo "$TOKEN" >/tmp/tokens
	rm -f /tmp/load.*
	until [ -e /tmp/load.stop ]; do
		/given/hgload -u "$URL/v1/logs" -b /given/body -c 2 -r 20 -d 20 -t /tmp/tokens -H 'Content-Type: application/x-protobuf' || break
	done >/tmp/load.json 2>&1 &
	LOAD=$!
}
load_end()
{
	touch /tmp/load.stop
	wait "$LOAD"
	python3 -c 'import collections, json, sys
runs, codes = [json.loads(line) for line in sys.stdin], collections.Counter()
for run in runs: codes.update(run["codes"])
print(json.dumps({key: round(sum(run[key] for run in runs)) for key in ("seconds", "started", "broken", "unanswered")} | {"codes": codes}))' </tmp/load.json
}
knocked() { [ "$(cat /tmp/knocked.* | wc -l)" -ge "$1" ]; }
knock_end()
{
	knocked_more 5
	kill "${KNOCKS[@]}"
	wait "${KNOCKS[@]}"
	cat /tmp/knocked.* | sort | uniq -c | sed 's/^ *//'
	refusals
}
knocked_more() { local count; count=$(cat /tmp/knocked.* | wc -l); until_ 110 knocked $((count + $1)); }
