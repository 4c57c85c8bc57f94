# SPDX-License-Identifier: Apache-2.0
# beside.sh -- for tests that source lib.sh: how long a quiet sender waits alone, and beside noise: its p99 less than twice as long. What is
# measured, the loops of the workers and the quiet sender, goes before all else on this machine, on a core each (the noise shares the
# sender's), so that this is about the workers and nothing else. Where that is not allowed, a p99 of less than 20 ms is none.
#   beside_first [full]      after each start or reload: the workers go first; full: the noise will fill their core, and then real time is
#                            no help (the kernel takes 50 ms of each second from it), they are nicer than nobody instead
#   noise_sends ARGUMENT...  hgload on the sender's core, behind it; replaces the shell it is called in
#   beside COMMAND...        COMMAND's output to $T/noise, the quiet sender's to $T/alone and $T/beside; five rounds of both, the one or
#                            the other first; after each `beside_round` is called, a function of the test
#   beside_as_fast           whether the median of its p99s is less than twice that of those alone; $T/p99s has them
# The test says who is quiet: BESIDE_QUIET=(what hgload is told). BESIDE_SECONDS=2 of it a round.
# shellcheck shell=bash
: "${BESIDE_SECONDS:=2}" "${BESIDE_ROUNDS:=5}"
mapfile -t BESIDE_CORES < <(python3 -c 'import os; print(*sorted(os.sched_getaffinity(0)), sep="\n")')
BESIDE_PIN=() BESIDE_FLOOR=20
if [ ${#BESIDE_CORES[@]} -gt 1 ] && chrt -f 5 true 2>"$T/chrt"; then
	BESIDE_PIN=(taskset -c "${BESIDE_CORES[1]}") BESIDE_FLOOR=0
else
	note "no real time, or one core only: a p99 below $BESIDE_FLOOR ms is not judged"
fi

beside_first()
{
	local pid
	[ ${#BESIDE_PIN[@]} != 0 ] || return 0
	for pid in $(workers); do
		# The loop alone: the master would wait in the kernel, for ever, for whom it keeps from running; and the other
		# threads of a worker stay off its core for that reason.
		taskset -acp "${BESIDE_CORES[1]}" "$pid" || bail "no core for the workers"
		taskset -cp "${BESIDE_CORES[0]}" "$pid" || bail "no core for a loop"
		if [ "${1-}" = full ]; then
			renice -n -20 -p "$pid" || bail "a loop can't go first"
		else
			chrt -f -p 5 "$pid" || bail "a loop can't go first"
		fi
	done >"$T/chrt"
}
noise_sends()
{
	exec "${BESIDE_PIN[@]}" env ASAN_OPTIONS=detect_leaks=0 "$HEADGATE_BUILD/hgload" "$@"
}
beside_quiet()
{
	(
		[ ${#BESIDE_PIN[@]} = 0 ] || chrt -f -p 5 "$BASHPID"
		noise_sends "${BESIDE_QUIET[@]}" -d "$BESIDE_SECONDS"
	) >"$T/$1"
	jq -c --arg who "$1" '{who: $who, p50_ms, p99_ms}' "$T/$1" >>"$T/p99s"
}
beside_noisy()
{
	local noise
	("$@") >"$T/noise" &
	noise=$!
	beside_quiet beside
	wait "$noise"
}
beside_as_fast()
{
	jq -es --argjson floor "$BESIDE_FLOOR" 'def median(f): map(select(f).p99_ms) | sort | .[(length - 1) / 2 | floor];
		median(.who == "beside") < ([median(.who == "alone") * 2, $floor] | max)' "$T/p99s"
}
# The machine may do what nothing goes before (its host's own work): two more tries.
beside()
{
	local round
	for _ in 1 2 3; do
		: >"$T/p99s"
		for ((round = 1; round <= BESIDE_ROUNDS; round++)); do
			if ((round % 2)); then
				beside_quiet alone
				beside_noisy "$@"
			else
				beside_noisy "$@"
				beside_quiet alone
			fi
			beside_round
		done
		note "$(<"$T/p99s")"
		note "noise $(<"$T/noise")"
		! beside_as_fast >"$T/fast" || break
	done
}
