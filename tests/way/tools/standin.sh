#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# standin.sh DIR ROOT -- systemd for the package in the Debian root ROOT, where no systemd runs: does what `systemctl VERB` asks for there.
# Its systemctl (standin_systemctl) writes the verb into DIR/ask and waits for what DIR/answer says: the exit status. DIR must have
# the same path in ROOT, for the notify socket (mount --bind). Started by tests/life/95-package.sh, under whose namespaces all of it ends.
#	DIR/asked	every verb, with what became of it
#	DIR/journal	what the service says
set -u
here=$(dirname "$0")
dir=$1 root=$2

ready_count() { cat "$dir/notify.log" 2>/dev/null | grep -cP '\tREADY=1(\t|$)'; }
running() { [ -e "$dir/pid" ]; }
# wait_for COMMAND...: a minute at most.
wait_for() { local i; for ((i = 0; i < 3000; i++)); do "$@" && return; read -rt 0.02 <>"$dir/never"; done; return 1; }
up() { [ "$(ready_count)" -gt "$before" ] || [ -e "$dir/status" ]; }
down() { ! kill -0 "$manager" 2>/dev/null; }

start()
{
	running && return
	rm -f "$dir"/{status,notify.sock}
	before=$(ready_count)
	python3 "$here/manager.py" "$dir" -- chroot --userspec=headgate:headgate "$root" /usr/sbin/headgate >>"$dir/journal" 2>&1 </dev/null &
	manager=$!
	wait_for up
	running
}

restart()
{
	running || { start; return; }
	before=$(ready_count)
	kill -USR1 "$manager"
	wait_for up
	running
}

stop()
{
	running || return 0
	kill -TERM "$manager"
	wait_for down
}

reload() { running && chroot --userspec=headgate:headgate "$root" /usr/bin/headgatectl reload >>"$dir/journal" 2>&1; }

mkfifo "$dir/ask" "$dir/answer" "$dir/never"
while read -r verb <"$dir/ask"; do
	case $verb in
	start|restart|stop|reload)	"$verb" ;;
	is-active)	running ;;
	daemon-reload)	: ;;
	*)	false ;;
	esac
	status=$?
	echo "$verb $status" >>"$dir/asked"
	echo $status >"$dir/answer"
done
