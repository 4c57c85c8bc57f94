# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# guest.sh -- the functions of the shell inside the machine (tests/vm/machine.sh), and what it knows of the service.

URL=http://127.0.0.1:4318

# until_ SECONDS COMMAND...: again and again until it succeeds.
until_()
{
	local end=$((SECONDS + $1))
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
serves() { [ "$(post "$TOKEN")" = 200 ]; }
# said REGEX: the journal of the service has it since `mark`
mark() { MARK=$(journalctl -n 0 --show-cursor -q | sed -n 's/^-- cursor: //p'); }
heard() { journalctl --after-cursor="$MARK" -q -o cat "$@"; }
said() { heard -u headgate.service | grep -E -- "$1"; }

# knock_begin, knock_end: two clients that post, each time over a connection of their own; what became of it, counted
knock_begin()
{
	local i
	KNOCKS=()
	rm -f /tmp/knocked.*
	for i in 1 2; do
		nice -n 19 python3 /given/knock.py "$URL" /given/body --token "$TOKEN" --results /tmp/knocked.$i >/tmp/knock.log 2>&1 &
		KNOCKS+=($!)
	done
	until_ 110 knocked 5
}
knocked() { [ "$(cat /tmp/knocked.* | wc -l)" -ge "$1" ]; }
knock_end()
{
	knocked_more 5
	kill "${KNOCKS[@]}"
	wait "${KNOCKS[@]}"
	cat /tmp/knocked.* | sort | uniq -c | sed 's/^ *//'
}
knocked_more() { local count; count=$(cat /tmp/knocked.* | wc -l); until_ 110 knocked $((count + $1)); }
