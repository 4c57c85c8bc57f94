# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# base.sh -- processes, ports and waiting, for lib.sh, run, kafka.sh and pg.sh; sourced, never run. Its caller sets T, a
# folder of its own, and defines bail. Nothing here knows of tests.

exec {WAY_TICK}<> <(:)	# a pipe that nobody writes to: reading from it with a time-out is a sleep without a process

# tick: 20 ms. Only for loops that look for an event under a deadline.
tick() { read -rt 0.02 -u "$WAY_TICK" || true; }

# now_us: prints the time in microseconds. In loops: ${EPOCHREALTIME/[.,]/} is the same without a process.
now_us() { echo "${EPOCHREALTIME/[.,]/}"; }

# to_us 5s | 300ms | 2m: prints it in microseconds.
to_us()
{
	case $1 in
	*ms)	echo $((${1%ms} * 1000)) ;;
	*s)	echo $((${1%s} * 1000000)) ;;
	*m)	echo $((${1%m} * 60000000)) ;;
	*)	bail "not a duration: $1" ;;
	esac
}

# wait_until 5s COMMAND...: runs it again and again until it succeeds; fails after the time. The last try begins after it: a machine that
# stands still in the middle of one does not decide.
wait_until()
{
	local end began=0
	end=$((${EPOCHREALTIME/[.,]/} + $(to_us "$1")))
	shift
	until "$@" >/dev/null 2>&1; do
		((began < end)) || return 1
		tick
		began=${EPOCHREALTIME/[.,]/}
	done
}

# alive PID: it runs (a zombie does not: an orphan may stay one for a while).
alive()
{
	local stat
	{ read -r stat <"/proc/${1:?}/stat"; } 2>/dev/null || return 1
	stat=${stat##*) }
	[[ ${stat%% *} != [ZX] ]]
}

gone() { ! alive "$1"; }

# spawn LOG COMMAND...: starts it in the background, its output appended to LOG, so that it dies with this shell; its pid
# is in SPAWNED. Never in a subshell: the child would die with that.
spawn()
{
	local log=$1
	shift
	setpriv --pdeathsig KILL -- "$@" >>"$log" 2>&1 </dev/null &
	SPAWNED=$!
	disown "$SPAWNED"	# else the shell tells of each one that is killed
}

# end_pid PID [SIGNAL [TIME]]: sends it (TERM) and waits until the process is gone; after the time (10s) KILL, and false.
end_pid()
{
	local pid=$1
	alive "$pid" || return 0
	kill -CONT "$pid" 2>/dev/null	# a stopped one would never see the signal
	kill -"${2:-TERM}" "$pid" 2>/dev/null
	wait_until "${3:-10s}" gone "$pid" && return 0
	kill -KILL "$pid" 2>/dev/null
	wait_until 5s gone "$pid"
	return 1
}

# port_pick [ABOVE]: prints a port that nobody listens on, nor on the one so many above it, both outside the ephemeral range, so that no
# client socket can take them while their server is down; nor are they given to another test of this run, whose server is to come.
port_pick()
{
	local port tries above=${1-0}
	for tries in {1..100}; do
		port=$((20000 + (RANDOM * 32768 + RANDOM + BASHPID + tries) % (12000 - above)))
		port_take "$port" && { [ "$above" = 0 ] || port_take $((port + above)); } || continue
		(exec 3<>"/dev/tcp/127.0.0.1/$port" || exec 3<>"/dev/tcp/127.0.0.1/$((port + above))") 2>/dev/null || { echo "$port"; return; }
	done
	bail "no free port in 20000..31999"
}

port_take() { (set -C; : >"${WAY_PORTS:-$T}/port.$1") 2>/dev/null; }

# machine_env COMMAND...: with the certificate variables that the machine had; tests run without them.
MACHINE_ENV=()
machine_env() { env "${MACHINE_ENV[@]}" "$@"; }

forget_machine_env()
{
	local name
	for name in SSL_CERT_FILE SSL_CERT_DIR NODE_EXTRA_CA_CERTS REQUESTS_CA_BUNDLE CURL_CA_BUNDLE http_proxy https_proxy \
		HTTP_PROXY HTTPS_PROXY ALL_PROXY all_proxy; do
		[ -z "${!name+set}" ] || MACHINE_ENV+=("$name=${!name}")
		unset "$name"
	done
	export NO_PROXY='*'
}
