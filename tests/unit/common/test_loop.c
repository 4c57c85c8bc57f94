/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "common/loop.c"

static struct event_base *base;
static int64_t first, second;
static int calls;

static void opens(void)
{
	struct err err = { "" };

	base = loop_open(&err);
	cr_assert_not_null(base, "%s", err.text);
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	int64_t later;

	(void)fd;
	(void)what;
	first = loop_now_ns();
	later = clock_ns(CLOCK_MONOTONIC) + 1000000;
	while (clock_ns(CLOCK_MONOTONIC) < later)
		;
	second = loop_now_ns();
	calls++;
	if (arg)
		loop_stop(base);
}

Test(loop, the_clock_stands_still_within_a_turn)
{
	struct event *ev;

	opens();
	ev = event_new(base, -1, 0, on_turn, base);
	event_active(ev, 0, 0);
	cr_assert_eq(loop_run(base), 0);
	cr_assert_eq(calls, 1);
	cr_assert_eq(first, second);
	cr_assert_gt(loop_now_ns(), second, "outside of the loop it goes on");
	event_free(ev);
	loop_close(base);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	on_turn(fd, what, NULL);
	loop_tick();
	second = loop_now_ns();
	loop_stop(arg);
}

Test(loop, a_tick_moves_it)
{
	struct event *ev;

	opens();
	ev = event_new(base, -1, 0, on_tick, base);
	event_active(ev, 0, 0);
	cr_assert_eq(loop_run(base), 0);
	cr_assert_geq(second - first, 1000000);
	event_free(ev);
	loop_close(base);
}

static void on_stall(evutil_socket_t fd, short what, void *arg)
{
	int64_t until = loop_now_ns() + (arg ? 25 : 1) * (int64_t)1000000;

	(void)fd;
	(void)what;
	while (clock_ns(CLOCK_MONOTONIC) < until)
		;
	loop_stop(base);
}

Test(loop, only_a_turn_over_20_ms_is_a_stall)
{
	struct event *quick, *slow;

	opens();
	quick = event_new(base, -1, 0, on_stall, NULL);
	slow = event_new(base, -1, 0, on_stall, base);
	event_active(slow, 0, 0);
	cr_assert_eq(loop_run(base), 0);
	cr_assert_eq(loop_take_stalls(), 1);
	cr_assert_eq(loop_take_stalls(), 0, "taken is taken");
	event_active(quick, 0, 0);
	cr_assert_eq(loop_run(base), 0);
	cr_assert_leq(loop_take_stalls(), 1); /* a busy machine may stall anybody */
	event_free(quick);
	event_free(slow);
	loop_close(base);
}

Test(loop, waiting_is_no_stall)
{
	struct timeval wait = { 0, 40000 };
	struct event *ev;

	opens();
	ev = event_new(base, -1, 0, on_turn, base);
	event_add(ev, &wait);
	first = clock_ns(CLOCK_MONOTONIC);
	cr_assert_eq(loop_run(base), 0);
	cr_assert_eq(loop_take_stalls(), 0);
	event_free(ev);
	loop_close(base);
}

Test(loop, a_loop_that_nothing_can_stop_is_an_error)
{
	opens();
	cr_assert_eq(loop_run(base), -1);
	loop_close(base);
}

Test(loop, a_set_clock_stands)
{
	loop_set_clock(5000000000, 7);
	cr_assert_eq(loop_now(), 5000);
	cr_assert_eq(loop_wall_ns(), 7);
	loop_tick();
	cr_assert_eq(loop_now_ns(), 5000000000);
}

Test(loop, closing_nothing_is_fine)
{
	loop_close(NULL);
}

Test(loop, time_of_this_thread_is_no_more_than_what_passed_and_stands_with_a_set_clock)
{
	int64_t began = loop_read_ns(), cpu = loop_cpu_ns(), used;

	while ((used = loop_cpu_ns() - cpu) == 0)
		;
	cr_assert_gt(used, 0);
	cr_assert_leq(used, loop_read_ns() - began);
	loop_set_clock(1234, 5678);
	cr_assert_eq(loop_cpu_ns(), 1234);
}
