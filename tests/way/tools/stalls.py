# SPDX-License-Identifier: Apache-2.0
"""stalls.py watch FILE | since FILE US | net FILE < RESULTS -- when this machine stood still, so that no program is judged for it.

A thread on each core sleeps 10 ms again and again; when it wakes 20 ms late or more the core stood still. watch: a line of FILE for each
such time, from and to in Unix microseconds; FILE is there when it watches. since: the milliseconds since US in which a core stood still.
net: the results of tools/load.py, the milliseconds of each without those in which a core stood still. judged.py and routes.py watch by
themselves.
"""
import os
import sys
import threading
import time

TICK_US = 10_000
LATE_US = 20_000
CORES = sorted(os.sched_getaffinity(0))


def now_us():
    return time.time_ns() // 1000


def stay_on(cores):
    try:
        os.sched_setaffinity(0, cores)  # of this thread
    except OSError:
        pass


def settle():
    """Each core runs again, and its watcher has had time to say since when."""
    for core in CORES:
        stay_on({core})
        time.sleep(3 * TICK_US / 1_000_000)
    stay_on(CORES)


class Stalls:
    """The times that were seen, from and to; told is called with each."""

    def __init__(self, told=lambda start, end: None):
        self.times, self.told = [], told
        for core in CORES:
            threading.Thread(target=self.watch, args=(core,), daemon=True).start()

    def watch(self, core):
        stay_on({core})
        while True:
            due = now_us() + TICK_US
            time.sleep(TICK_US / 1_000_000)
            woke = now_us()
            if woke - due >= LATE_US:
                self.times.append((due, woke))
                self.told(due, woke)

    def us(self, start, end):
        return overlap(self.times, start, end)


def overlap(times, start, end):
    """The microseconds between start and end that lie in one of the times or more."""
    total, at = 0, start
    for first, last in sorted(times):
        first, last = max(first, at), min(last, end)
        if last > first:
            total, at = total + last - first, last
    return total


def read(name):
    with open(name, encoding="ascii") as file:
        return [tuple(map(int, line.split())) for line in file]


def main(verb, name, start="0"):
    if verb == "watch":
        with open(name, "a", buffering=1, encoding="ascii") as file:
            Stalls(lambda first, last: file.write(f"{first} {last}\n"))
            threading.Event().wait()
    settle()
    times = read(name)
    if verb == "since":
        print(overlap(times, int(start), now_us()) // 1000)
    else:
        for line in sys.stdin:
            marker, status, ms, answered = line.split()
            end = int(answered) * 1000
            print(marker, status, int(ms) - overlap(times, end - int(ms) * 1000, end) // 1000, answered)


if __name__ == "__main__":
    main(*sys.argv[1:])
