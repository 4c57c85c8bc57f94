/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_workers.c -- the supervisor with real processes (stub_worker.h) and a clock of its own: time
 * passes by step() alone, events of the kernel are awaited.
 */
#include "master/workers.c"

#include <criterion/criterion.h>
#include <stdio.h>
#include <sysexits.h>
#include "common/limits.h"
#include "tests/unit/master/stub_worker.h"

enum { SLOTS = 2, WAIT_MS = 20000 };

static struct fixture {
	struct workers w;
	struct systemd *systemd;
	struct listeners *listeners;
	struct logfiles logs;
	int64_t now_ns;
	unsigned changes, crash_loops, set_ups;
	uint64_t gone, served;
} f;

int main(int argc, char **argv)
{
	struct criterion_test_set *tests;
	int failed = 0;

	if (strcmp(argv[0], "headgate-worker") == 0)
		return stub_main();
	tests = criterion_initialize();
	if (criterion_handle_args(argc, argv, true))
		failed = !criterion_run_all_tests(tests);
	criterion_finalize(tests);
	return failed;
}

/* ---- the fixture ---- */

static void on_test_changed(void *arg)
{
	(void)arg;
	f.changes++;
}

static void on_test_gone(void *arg, struct generation *gen)
{
	(void)arg;
	f.gone = gen->number;
	generation_free(gen);
}

static void on_test_served(void *arg, uint64_t generation)
{
	(void)arg;
	f.served = generation;
}

static void on_test_crash_loop(void *arg)
{
	(void)arg;
	f.crash_loops++;
}

static void on_test_set_up(void *arg, struct proc *p)
{
	(void)arg, (void)p;
	f.set_ups++;
}

static void on_test_tap_on(void *arg, uint64_t tap)
{
	(void)arg, (void)tap;
}

static void on_test_tapped(void *arg, uint64_t tap, struct bytes line)
{
	(void)arg, (void)tap, (void)line;
}

static void jump(msec_t ms)
{
	f.now_ns += ms * 1000000;
	loop_set_clock(f.now_ns, 0);
	workers_tick(&f.w);
}

/* As the loop sees time: a tick each second. */
static void step(msec_t ms)
{
	for (; ms > TICK_MS; ms -= TICK_MS)
		jump(TICK_MS);
	jump(ms);
}

/* Turns of the loop until it is true; the kernel's events take as long as they take. */
#define await(condition)                                                                           \
	do {                                                                                       \
		msec_t end_ = stub_now() + WAIT_MS;                                                \
                                                                                                   \
		while (!(condition)) {                                                             \
			cr_assert(stub_now() < end_, "in vain: %s", #condition);                   \
			event_base_loop(f.w.base, EVLOOP_ONCE);                                    \
		}                                                                                  \
	} while (0)

static struct generation *new_generation(uint64_t number, const char *mode, unsigned slots)
{
	struct err err = { "" };
	struct conf *conf = conf_new();
	struct listener_set *set;
	int fd = sealed_memfd("mode", bytes_str(mode), &err);

	conf->listeners.v[0].listen = "127.0.0.1:0";
	set = listeners_plan(f.listeners, conf, slots, &err);
	cr_assert(fd >= 0 && set && pages_grow(f.w.pages, slots, &err) == 0, "%s", err.text);
	listeners_commit(f.listeners, set);
	return generation_new(number, conf, set, fd, slots);
}

static unsigned ready(const struct generation *gen)
{
	return gen ? generation_count(gen, PROC_READY) : 0;
}

static void set_up(void)
{
	struct err err = { "" };

	log_setup(LOG_LEVEL_ERR, LOG_FORMAT_LOGFMT, NULL);
	f.now_ns = 1000000000;
	loop_set_clock(f.now_ns, 0);
	f.w.base = loop_open(&err);
	f.systemd = systemd_open(&err);
	f.listeners = listeners_open(f.systemd);
	f.w.pages = pages_open(STUB_TENANT_SLOTS, &err);
	f.w.limits_fd = limits_memfd(16, STUB_TENANT_SLOTS - 2, &err);
	f.logs.fd[0] = open("/dev/null", O_WRONLY | O_CLOEXEC);
	f.logs.fd[1] = open("/dev/null", O_WRONLY | O_CLOEXEC);
	f.w.logs = &f.logs;
	f.w.hooks = (struct workers_hooks){ .changed = on_test_changed,
		                            .gone = on_test_gone,
		                            .served = on_test_served,
		                            .crash_loop = on_test_crash_loop,
		                            .set_up = on_test_set_up,
		                            .tap_on = on_test_tap_on,
		                            .tapped = on_test_tapped };
	cr_assert(f.w.base && f.systemd && f.w.pages && f.w.limits_fd >= 0, "%s", err.text);
	cr_assert(workers_open(&f.w, f.w.base, open("/proc/self/exe", O_PATH | O_CLOEXEC), &err) ==
	          0);
}

static void tear_down(void)
{
	workers_close(&f.w);
	close(f.w.exe_fd);
	close(f.w.limits_fd);
	logfiles_close(&f.logs);
	pages_close(f.w.pages);
	listeners_close(f.listeners);
	systemd_close(f.systemd);
	loop_close(f.w.base);
}

TestSuite(workers, .init = set_up, .fini = tear_down, .timeout = 60);

static struct proc *place(unsigned slot)
{
	return &f.w.current->procs[slot];
}

static struct stats *page(const struct proc *p)
{
	return pages_stats(f.w.pages, p->page);
}

static uint64_t restarts(enum restart_reason why)
{
	return stats_get(pages_stats(f.w.pages, PAGE_MASTER), STAT_WORKER_RESTARTS, why, 0);
}

/* ---- the tests ---- */

Test(workers, every_cell_of_the_table_is_filled)
{
	for (unsigned s = 0; s < PROC_STATES; s++)
		for (unsigned e = 0; e < PROC_EVENTS; e++)
			cr_expect_not_null(table[s][e], "state %u, event %u", s, e);
}

/* A stub that finds more descriptors than its channel and the standard ones ends with 99. */
Test(workers, each_slot_gets_a_ready_worker_that_holds_nothing_but_its_channel)
{
	workers_start(&f.w, new_generation(1, "ready", SLOTS));
	await(ready(f.w.current) == SLOTS);
	cr_expect_neq(place(0)->pid, place(1)->pid);
	cr_expect_eq(stats_head(page(place(1)))->slot, 1);
	cr_expect_eq(stats_head(page(place(1)))->pid, place(1)->pid);
	cr_expect_gt(f.changes, 0);
}

/* A channel takes some 270 messages, and workers get all pages: of 133 workers the set-up fitted,
 * and not what follows it. */
Test(workers, a_worker_starts_however_many_messages_come_before_its_table)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct err err = { "" };

	workers_tables(&f.w, &(struct tables){ fd, fd, 1, 2 });
	workers_start(&f.w, new_generation(1, "ready", 1));
	await(ready(f.w.current) == 1);
	for (unsigned slots = 110; slots < 150; slots++) {
		cr_assert_eq(pages_grow(f.w.pages, slots, &err), 0, "%s", err.text);
		kill(place(0)->pid, SIGKILL);
		await(place(0)->state == PROC_EMPTY);
		step(10000);
		await(place(0)->state == PROC_READY || restarts(RESTART_STARTUP));
		cr_assert_eq(restarts(RESTART_STARTUP), 0, "with the pages of %u slots", slots);
	}
	close(fd);
}

/* F15: the supervisor's part */
Test(workers, a_killed_worker_is_replaced_after_the_back_off)
{
	pid_t first;

	workers_start(&f.w, new_generation(1, "ready", SLOTS));
	await(ready(f.w.current) == SLOTS);
	first = place(0)->pid;
	stats_add(page(place(0)), STAT_REQUESTS, 3, V_ACCEPTED, 5); /* in the dead one's name */
	kill(first, SIGKILL);
	await(place(0)->state == PROC_EMPTY);
	cr_expect_eq(restarts(RESTART_SIGNAL), 1);
	cr_expect_eq(stats_get(pages_stats(f.w.pages, PAGE_BASE), STAT_REQUESTS, 3, V_ACCEPTED), 5,
	             "its counters live on in the base");
	cr_expect_eq(place(1)->state, PROC_READY, "its sibling is left alone");
	step(99);
	cr_expect_eq(place(0)->state, PROC_EMPTY, "not before the back-off");
	step(1);
	await(ready(f.w.current) == SLOTS);
	cr_expect_neq(place(0)->pid, first);
	cr_expect_eq(place(0)->backoff, 200, "the next crash waits longer");
}

Test(workers, the_back_off_doubles_to_ten_seconds_and_ends_after_a_healthy_minute)
{
	workers_start(&f.w, new_generation(1, "ready", 1));
	for (unsigned i = 0; i < 9; i++) {
		msec_t wait = 100 << i < 10000 ? 100 << i : 10000;

		await(ready(f.w.current) == 1);
		kill(place(0)->pid, SIGKILL);
		await(place(0)->state == PROC_EMPTY);
		cr_expect_eq(place(0)->spawn_at - loop_now(), wait);
		step(wait);
	}
	await(ready(f.w.current) == 1);
	f.now_ns += 60 * 1000000000ll;
	loop_set_clock(f.now_ns, 0);
	kill(place(0)->pid, SIGKILL);
	await(place(0)->state == PROC_EMPTY);
	cr_expect_eq(place(0)->spawn_at - loop_now(), 100);
}

Test(workers, a_worker_that_is_not_ready_within_ten_seconds_is_killed)
{
	workers_start(&f.w, new_generation(1, "silent", 1));
	await(place(0)->setup_done);
	step(9999);
	cr_expect_eq(place(0)->state, PROC_STARTING);
	step(1);
	await(place(0)->state == PROC_EMPTY);
	cr_expect_eq(restarts(RESTART_STARTUP), 1);
}

Test(workers, a_heart_that_stands_still_for_ten_seconds_ends_the_worker)
{
	workers_start(&f.w, new_generation(1, "deaf", 1));
	await(ready(f.w.current) == 1);
	step(9999);
	cr_expect_eq(place(0)->state, PROC_READY);
	step(1);
	await(place(0)->state == PROC_EMPTY);
	cr_expect_eq(restarts(RESTART_STUCK), 1);
}

/* A container that was paused, a Ctrl-Z: the master may be the first to go on. */
Test(workers, a_master_that_stood_still_itself_kills_nobody_for_it)
{
	workers_start(&f.w, new_generation(1, "deaf", 1));
	await(ready(f.w.current) == 1);
	step(1000);
	jump(60000);
	cr_expect(!place(0)->killed);
	step(9999);
	cr_expect_eq(place(0)->state, PROC_READY);
	step(1);
	await(place(0)->state == PROC_EMPTY);
	cr_expect_eq(restarts(RESTART_STUCK), 1, "now its heart stands still");
}

Test(workers, time_in_which_the_master_stood_still_makes_no_start_late)
{
	workers_start(&f.w, new_generation(1, "silent", 1));
	await(place(0)->setup_done);
	step(1000);
	jump(60000);
	cr_expect(!place(0)->killed);
	step(8999);
	cr_expect(!place(0)->killed);
	step(1);
	await(place(0)->state == PROC_EMPTY);
}

Test(workers, a_beating_heart_keeps_the_worker)
{
	uint64_t before;

	workers_start(&f.w, new_generation(1, "ready", 1));
	await(ready(f.w.current) == 1);
	for (int i = 0; i < 5; i++) {
		before = atomic_load(&stats_head(page(place(0)))->heartbeat_ms);
		step(9000);
		await(atomic_load(&stats_head(page(place(0)))->heartbeat_ms) != before);
	}
	cr_expect_eq(place(0)->state, PROC_READY);
}

static void base(int fd, uint64_t generation)
{
	workers_tables(&f.w, &(struct tables){ fd, -1, generation, generation });
}

static void delta(int fd, uint64_t of, uint64_t generation)
{
	workers_tables(&f.w, &(struct tables){ fd, fd, of, generation });
}

static uint64_t bases(struct proc *p)
{
	return stats_get(page(p), STAT_SNAPSHOTS, SNAPSHOT_OK, 0);
}

static uint64_t deltas(struct proc *p)
{
	return stats_get(page(p), STAT_SNAPSHOTS, SNAPSHOT_FAILED, 0);
}

Test(workers, who_has_the_base_gets_deltas_alone)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	workers_start(&f.w, new_generation(1, "ready", 1));
	await(ready(f.w.current) == 1);
	base(fd, 1);
	await(f.served == 1);
	for (uint64_t g = 2; g < 10; g++) {
		delta(fd, 1, g);
		await(f.served == g);
	}
	cr_expect_eq(bases(place(0)), 1);
	cr_expect_eq(deltas(place(0)), 8);
	base(fd, 10);
	await(f.served == 10);
	delta(fd, 10, 11);
	await(f.served == 11);
	cr_expect_eq(bases(place(0)), 2);
	close(fd);
}

Test(workers, a_worker_that_starts_between_base_and_delta_gets_both)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	delta(fd, 40, 43);
	workers_start(&f.w, new_generation(1, "ready", 1));
	await(f.served == 43);
	cr_expect_eq(bases(place(0)), 1);
	cr_expect_eq(deltas(place(0)), 1);
	close(fd);
}

Test(workers, a_worker_without_the_base_of_a_delta_is_sent_it)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	workers_start(&f.w, new_generation(1, "forgetful", 1));
	await(ready(f.w.current) == 1);
	base(fd, 1);
	await(f.served == 1);
	delta(fd, 1, 2); /* refused, then the pair */
	await(f.served == 2);
	cr_expect_eq(bases(place(0)), 2);
	cr_expect_eq(deltas(place(0)), 2);
	close(fd);
}

/* F73: the channel's part */
Test(workers, a_stopped_worker_has_one_table_in_its_channel_and_serves_the_newest_later)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	workers_start(&f.w, new_generation(1, "ready", SLOTS));
	await(ready(f.w.current) == SLOTS);
	base(fd, 1);
	await(f.served == 1);
	kill(place(0)->pid, SIGSTOP);
	for (uint64_t g = 2; g <= 1001; g++) {
		base(fd, g);
		cr_assert(place(0)->table_waits);
		cr_assert_eq(place(0)->table_sent, 2, "the first one lies there, no other");
	}
	await(place(1)->table_ok == 1001);
	cr_expect_eq(f.served, 1, "not all workers serve it");
	kill(place(0)->pid, SIGCONT);
	await(f.served == 1001);
	cr_expect_eq(place(0)->table_ok, 1001);
	close(fd);
}

/* A reload to many workers; each channel takes some 270 messages. */
Test(workers, more_pages_than_a_channel_takes_kill_no_worker)
{
	workers_start(&f.w, new_generation(1, "ready", 1));
	await(ready(f.w.current) == 1);
	kill(place(0)->pid, SIGSTOP);
	cr_assert_eq(pages_grow(f.w.pages, 200, NULL), 0);
	workers_send_pages(&f.w);
	cr_expect_not(place(0)->killed);
	cr_expect_lt(place(0)->pages_sent, pages_count(f.w.pages), "the channel is full");
	kill(place(0)->pid, SIGCONT);
	await(place(0)->pages_sent == pages_count(f.w.pages));
	cr_expect_eq(place(0)->state, PROC_READY);
}

Test(workers, a_worker_that_starts_later_gets_the_table_too)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	base(fd, 41);
	workers_start(&f.w, new_generation(1, "ready", 1));
	await(f.served == 41);
	close(fd);
}

/* How many tenants are put aside by the third of three deaths; before it, none is. */
static uint64_t aside_after_three(const char *mode)
{
	struct stats *own = pages_stats(f.w.pages, PAGE_MASTER);

	workers_start(&f.w, new_generation(1, mode, 1));
	for (int i = 0; i < 3; i++) {
		cr_expect_eq(stats_get(own, STAT_TENANTS_ASIDE, 0, 0), 0);
		await(place(0)->state == PROC_EMPTY);
		step(i < 2 ? place(0)->spawn_at - loop_now() : 0);
	}
	return stats_get(own, STAT_TENANTS_ASIDE, 0, 0);
}

/* faults.md 8: only deaths inside a stage count, three of them within a minute */
Test(workers, a_tenant_whose_requests_kill_three_workers_is_put_aside_everywhere)
{
	cr_expect_eq(aside_after_three("poison"), 1);
	/* Who starts meanwhile hears of it. */
	close(f.w.current->conf_fd);
	f.w.current->conf_fd = sealed_memfd("mode", BYTES("ready"), NULL);
	step(place(0)->spawn_at - loop_now());
	await(place(0)->state == PROC_READY);
	await(stats_get(page(place(0)), STAT_TENANTS_ASIDE, 0, 0) == 7);
}

/* A large body is worked on by a thread of its own: its tenant is blamed all the same. */
Test(workers, a_death_beside_the_loop_counts)
{
	cr_expect_eq(aside_after_three("poison beside"), 1);
}

/* Nobody knows which of the two threads it was. */
Test(workers, both_who_were_in_a_stage_are_blamed)
{
	cr_expect_eq(aside_after_three("poison both"), 2);
}

Test(workers, a_tenant_that_was_in_both_is_blamed_once_for_a_death)
{
	cr_expect_eq(aside_after_three("poison twice"), 1);
}

Test(workers, deaths_outside_a_stage_put_nobody_aside)
{
	workers_start(&f.w, new_generation(1, "ready", 1));
	for (int i = 0; i < 3; i++) {
		await(ready(f.w.current) == 1);
		kill(place(0)->pid, SIGKILL);
		await(place(0)->state == PROC_EMPTY);
		step(place(0)->spawn_at - loop_now());
	}
	cr_expect_eq(stats_get(pages_stats(f.w.pages, PAGE_MASTER), STAT_TENANTS_ASIDE, 0, 0), 0);
}

Test(workers, a_new_generation_takes_over_and_the_old_one_drains)
{
	workers_start(&f.w, new_generation(1, "ready", SLOTS));
	await(ready(f.w.current) == SLOTS);
	workers_start(&f.w, new_generation(2, "ready", SLOTS));
	await(ready(f.w.next) == SLOTS);
	cr_expect_eq(f.w.current->number, 1, "nothing is committed by itself");
	workers_commit(&f.w);
	cr_expect_eq(f.w.current->number, 2);
	await(f.gone == 1);
	cr_expect_null(f.w.old);
	cr_expect_eq(ready(f.w.current), SLOTS);
	cr_expect_eq(restarts(RESTART_EXIT), 0, "a drained worker is no crash");
}

Test(workers, a_generation_none_of_whose_workers_can_set_up_is_known)
{
	workers_start(&f.w, new_generation(1, "fail", SLOTS));
	cr_assert_not(generation_could_not(f.w.current));
	await(generation_could_not(f.w.current));
	cr_expect_str_eq(f.w.current->failed, "no certificate that I like");
	cr_expect_eq(f.w.current->failed_code, EX_SOFTWARE);
}

Test(workers, a_place_that_gets_ready_in_the_end_could)
{
	workers_start(&f.w, new_generation(1, "ready", SLOTS));
	for (unsigned i = 0; i < SLOTS; i++)
		place(i)->could_not = true; /* as after a first try */
	await(ready(f.w.current) > 0);
	cr_expect_not(generation_could_not(f.w.current));
}

/* O7: a generation that never gets READY goes, the old one stays */
Test(workers, a_generation_that_fails_says_why_and_leaves_the_old_one_alone)
{
	pid_t first;

	workers_start(&f.w, new_generation(1, "ready", SLOTS));
	await(ready(f.w.current) == SLOTS);
	first = place(0)->pid;
	workers_start(&f.w, new_generation(2, "fail", SLOTS));
	await(f.w.next->failed[0]);
	cr_expect_str_eq(f.w.next->failed, "no certificate that I like");
	workers_abandon(&f.w);
	await(f.gone == 2);
	cr_expect_eq(f.w.current->number, 1);
	cr_expect_eq(place(0)->pid, first);
	cr_expect_eq(ready(f.w.current), SLOTS);
}

Test(workers, a_worker_that_does_not_drain_is_killed_at_the_limit)
{
	workers_start(&f.w, new_generation(1, "deaf", 1));
	await(ready(f.w.current) == 1);
	workers_drain(&f.w);
	cr_expect_eq(place(0)->state, PROC_DRAINING);
	for (msec_t ms = 0; ms < f.w.current->conf->http.drain_timeout; ms += TICK_MS) {
		step(TICK_MS);
		place(0)->beat_at = loop_now(); /* it is the limit that is tried here */
	}
	step(DRAIN_GRACE_MS - 1);
	cr_expect_not(place(0)->killed);
	step(1);
	await(f.gone == 1);
	cr_expect(workers_none(&f.w));
}

/* F59: the slot's part */
Test(workers, a_slot_without_a_worker_is_served_by_a_sibling_after_a_second)
{
	workers_start(&f.w, new_generation(1, "ready", SLOTS));
	await(ready(f.w.current) == SLOTS);
	kill(place(0)->pid, SIGKILL);
	await(place(0)->state == PROC_EMPTY);
	place(0)->spawn_at = loop_now() + 5000; /* as after some crashes */
	step(0);
	cr_expect_null(f.w.adopt.by[0]);
	step(1000);
	cr_expect_eq(f.w.adopt.by[0], place(1));
	await(stats_get(page(place(1)), STAT_CONNECTIONS_ACCEPTED, 0, 0) == 1);
	step(4000);
	await(ready(f.w.current) == SLOTS);
	await(!f.w.adopt.by[0]);
	await(stats_get(page(place(1)), STAT_CONNECTIONS_REFUSED, 0, 0) == 1);
}

Test(workers, sockets_beyond_the_number_of_workers_are_served_by_them)
{
	workers_start(&f.w, new_generation(1, "ready", SLOTS));
	await(ready(f.w.current) == SLOTS);
	workers_start(&f.w, new_generation(2, "ready", 1));
	await(ready(f.w.next) == 1);
	workers_commit(&f.w);
	cr_expect_eq(f.w.adopt.by[1], place(0), "at once, before the old ones drain");
	await(stats_get(page(place(0)), STAT_CONNECTIONS_ACCEPTED, 1, 0) == 1);
}

/* F59 */
Test(workers, thirty_seconds_of_early_deaths_in_all_slots_are_a_crash_loop)
{
	workers_start(&f.w, new_generation(1, "crash", SLOTS));
	for (int i = 0; i < 20 && !f.crash_loops; i++) {
		await(place(0)->state == PROC_EMPTY && place(1)->state == PROC_EMPTY);
		step(place(0)->spawn_at - loop_now());
		await(f.crash_loops ||
		      (place(0)->state == PROC_EMPTY && place(1)->state == PROC_EMPTY));
	}
	cr_expect_gt(f.crash_loops, 0);
	cr_expect_geq(f.now_ns, 31 * 1000000000ll, "not before");
}

Test(workers, slots_that_died_early_once_and_live_since_then_are_no_crash_loop)
{
	workers_start(&f.w, new_generation(1, "ready", 3));
	await(ready(f.w.current) == 3);
	for (unsigned slot = 0; slot < 2; slot++) {
		kill(place(slot)->pid, SIGKILL);
		await(place(slot)->state == PROC_EMPTY);
	}
	step(100);
	await(ready(f.w.current) == 3);
	for (unsigned slot = 0; slot < 3; slot++)
		place(slot)->beat_at = loop_now() + 60000; /* its heart beats in real time */
	step(60000);
	kill(place(2)->pid, SIGKILL);
	await(place(2)->state == PROC_EMPTY);
	cr_expect_eq(f.crash_loops, 0);
}

Test(workers, one_slot_of_two_that_dies_for_ever_is_no_crash_loop)
{
	workers_start(&f.w, new_generation(1, "ready", SLOTS));
	await(ready(f.w.current) == SLOTS);
	close(f.w.current->conf_fd);
	f.w.current->conf_fd = sealed_memfd("mode", BYTES("crash"), NULL);
	kill(place(0)->pid, SIGKILL);
	for (int i = 0; i < 12; i++) {
		await(place(0)->state == PROC_EMPTY);
		place(1)->beat_at =
			loop_now() + place(0)->spawn_at; /* its heart beats in real time */
		step(place(0)->spawn_at - loop_now());
	}
	cr_expect_gt(f.now_ns, 40 * 1000000000ll);
	cr_expect_eq(f.crash_loops, 0);
	cr_expect_eq(place(1)->state, PROC_READY);
}
