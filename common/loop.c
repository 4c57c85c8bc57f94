/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop.c -- one event_base a process, and the clock. libevent tells nobody when it wakes, but the
 * time it caches then is the same for a whole turn: it serves as the turn's name, and the clocks
 * are read by the first loop_now() of each. A turn in which nobody asks for the time costs no
 * reading.
 */
#include "common/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

enum { STALL_NS = 20 * 1000 * 1000 };

/* Process-wide on purpose: time is the same for everybody. */
static struct {
	struct event_base *base; /* the one that runs now, else NULL */
	struct timeval turn; /* libevent's cached time when the clocks were read */
	int64_t turn_began_ns; /* the first reading of this turn; loop_tick() leaves it */
	int64_t monotonic_ns;
	unix_ns wall_ns;
	uint64_t stalls;
	bool stop;
	bool frozen; /* by loop_set_clock() */
} loop;

static int64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	/* Cannot fail for these two clocks. */
	if (clock_gettime(id, &ts) < 0)
		abort();
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

void loop_tick(void)
{
	if (loop.frozen)
		return;
	loop.monotonic_ns = clock_ns(CLOCK_MONOTONIC);
	loop.wall_ns = clock_ns(CLOCK_REALTIME);
}

/* Reads the clocks if this turn has not yet; outside of loop_run() each time. */
static void refresh(void)
{
	struct timeval turn = { 0, 0 };

	if (loop.base) {
		event_base_gettimeofday_cached(loop.base, &turn);
		if (turn.tv_sec == loop.turn.tv_sec && turn.tv_usec == loop.turn.tv_usec)
			return;
		loop.turn = turn;
	}
	loop_tick();
	loop.turn_began_ns = loop.monotonic_ns;
}

int64_t loop_now_ns(void)
{
	refresh();
	return loop.monotonic_ns;
}

int64_t loop_read_ns(void)
{
	return loop.frozen ? loop.monotonic_ns : clock_ns(CLOCK_MONOTONIC);
}

int64_t loop_cpu_ns(void)
{
	return loop.frozen ? loop.monotonic_ns : clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

msec_t loop_now(void)
{
	return loop_now_ns() / 1000000;
}

unix_ns loop_wall_ns(void)
{
	refresh();
	return loop.wall_ns;
}

void loop_set_clock(int64_t monotonic_ns, unix_ns wall)
{
	loop.frozen = true;
	loop.monotonic_ns = monotonic_ns;
	loop.wall_ns = wall;
}

uint64_t loop_take_stalls(void)
{
	uint64_t stalls = loop.stalls;

	loop.stalls = 0;
	return stalls;
}

struct event_base *loop_open(struct err *err)
{
	struct event_config *config = event_config_new();
	struct event_base *base;

	if (!config)
		out_of_memory();
	/* Without it no EV_CLOSED: a client that half-closes could not be told from one that left.
	 */
	if (event_config_require_features(config, EV_FEATURE_EARLY_CLOSE) < 0 ||
	    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV) <
	            0) {
		event_config_free(config);
		err_set(err, "libevent cannot be set up");
		return NULL;
	}
	base = event_base_new_with_config(config);
	event_config_free(config);
	if (!base)
		err_set(err, "no event loop with EV_FEATURE_EARLY_CLOSE (epoll with EPOLLRDHUP)");
	return base;
}

void loop_close(struct event_base *base)
{
	if (base)
		event_base_free(base);
}

int loop_run(struct event_base *base)
{
	int rc = 0;

	loop.base = base;
	loop.stop = false;
	while (!loop.stop && rc == 0) {
		loop.turn = (struct timeval){ 0, 0 };
		rc = event_base_loop(base, EVLOOP_ONCE); /* 1: no events are left to wait for */
		if (loop.turn.tv_sec && !loop.frozen &&
		    clock_ns(CLOCK_MONOTONIC) - loop.turn_began_ns > STALL_NS)
			loop.stalls++;
	}
	loop.base = NULL;
	return rc == 0 ? 0 : -1;
}

void loop_stop(struct event_base *base)
{
	loop.stop = true;
	event_base_loopbreak(base);
}
