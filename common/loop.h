/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop.h -- makes the event_base and owns the clock, no more; the rest is libevent_core's own.
 */
#pragma once
#include "common/err.h"
struct event_base;

/* NULL with *err said if the kernel lacks EV_FEATURE_EARLY_CLOSE (without it no EV_CLOSED). */
struct event_base *loop_open(struct err *err) MUST_USE;
void loop_close(struct event_base *base);
int loop_run(struct event_base *base); /* until loop_stop(); updates the clock each turn; 0 or -1 */
void loop_stop(struct event_base *base);

/* CLOCK_MONOTONIC, read once a turn; settable in tests (then it stands still). */
msec_t loop_now(void);
int64_t loop_now_ns(void);
int64_t loop_read_ns(void);  /* CLOCK_MONOTONIC at this very moment: how long something took */
int64_t loop_cpu_ns(void);   /* of this thread, without the turns of others */
unix_ns loop_wall_ns(void);  /* CLOCK_REALTIME, read once a turn */
void loop_tick(void);        /* reads the clocks now: after a long stretch of work, and in main() */
void loop_set_clock(int64_t monotonic_ns, unix_ns wall); /* tests only */

/* Turns that took over 20 ms since the last call (operations.md 6: loop_stalls_total). */
uint64_t loop_take_stalls(void);
