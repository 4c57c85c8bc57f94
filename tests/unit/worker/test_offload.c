/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two threads: what is handed over comes back, in order, and whoever closes does not wait for ever.
 * Criterion does not start under TSan: there main() runs the same cases.
 */
#include "worker/offload.c"

#include "common/loop.h"

enum { JOBS = 200 };

struct one { /* a job of a test, with plain fields: TSan sees whether the queue orders them */
	struct job job;
	struct bench *b;
	unsigned index, ran_as, done_as, asked;
	bool holds; /* runs until it is let go */
};

struct bench {
	struct event_base *base;
	struct offload *o;
	unsigned ran, done, want;
	struct one jobs[JOBS];
	pthread_t loop_thread;
	pthread_mutex_t gate;
	pthread_cond_t open;
	bool let_go, holding;
};

static void on_ask(void *arg)
{
	struct one *j = arg;

	assert(pthread_equal(pthread_self(), j->b->loop_thread));
	j->asked++;
}

static void hold(struct bench *b)
{
	pthread_mutex_lock(&b->gate);
	b->holding = true;
	pthread_cond_broadcast(&b->open);
	while (!b->let_go)
		pthread_cond_wait(&b->open, &b->gate);
	pthread_mutex_unlock(&b->gate);
}

static void run_one(struct job *job)
{
	struct one *j = (struct one *)job;
	sigset_t blocked;

	assert(!pthread_equal(pthread_self(), j->b->loop_thread));
	pthread_sigmask(SIG_BLOCK, NULL, &blocked);
	assert(sigismember(&blocked, SIGTERM));
	if (j->holds)
		hold(j->b);
	j->ran_as = ++j->b->ran;
	if (j->index % 3 == 0) {
		unsigned before = j->asked;

		offload_ask(j->b->o, on_ask, j);
		offload_ask(j->b->o, on_ask, j);
		assert(j->asked == before + 2);
	}
}

static void one_done(struct job *job)
{
	struct one *j = (struct one *)job;
	struct bench *b = j->b;

	assert(pthread_equal(pthread_self(), b->loop_thread));
	j->done_as = ++b->done;
	if (b->done == b->want)
		loop_stop(b->base);
}

static struct bench *bench_open(void)
{
	struct bench *b = xcalloc(1, sizeof(*b));
	struct err err;

	b->loop_thread = pthread_self();
	pthread_mutex_init(&b->gate, NULL);
	pthread_cond_init(&b->open, NULL);
	b->base = loop_open(&err);
	assert(b->base);
	b->o = offload_open(b->base, "test", &err);
	assert(b->o);
	return b;
}

static void bench_close(struct bench *b)
{
	offload_close(b->o);
	loop_close(b->base);
	pthread_cond_destroy(&b->open);
	pthread_mutex_destroy(&b->gate);
	free(b);
}

static void push(struct bench *b, unsigned i, bool holds)
{
	b->jobs[i] = (struct one){
		.job = { .run = run_one, .done = one_done }, .b = b, .index = i, .holds = holds
	};
	offload_push(b->o, &b->jobs[i].job);
}

static void wait_held(struct bench *b)
{
	pthread_mutex_lock(&b->gate);
	while (!b->holding)
		pthread_cond_wait(&b->open, &b->gate);
	pthread_mutex_unlock(&b->gate);
}

static void let_go(struct bench *b)
{
	pthread_mutex_lock(&b->gate);
	b->let_go = true;
	pthread_cond_broadcast(&b->open);
	pthread_mutex_unlock(&b->gate);
}

static void jobs_run_in_their_order_and_come_back_in_it(void)
{
	struct bench *b = bench_open();

	b->want = JOBS;
	for (unsigned i = 0; i < JOBS; i++)
		push(b, i, false);
	assert(offload_count(b->o) == JOBS);
	assert(loop_run(b->base) == 0);
	assert(offload_count(b->o) == 0);
	for (unsigned i = 0; i < JOBS; i++) {
		assert(b->jobs[i].ran_as == i + 1 && b->jobs[i].done_as == i + 1);
		assert(b->jobs[i].asked == (i % 3 == 0 ? 2 : 0));
	}
	bench_close(b);
}

static void push_again(struct job *job)
{
	struct one *j = (struct one *)job;

	if (++j->done_as < 3)
		offload_push(j->b->o, job);
	else
		loop_stop(j->b->base);
}

static void a_job_that_is_done_may_be_pushed_again(void)
{
	struct bench *b = bench_open();

	push(b, 0, false);
	b->jobs[0].job.done = push_again;
	assert(loop_run(b->base) == 0);
	assert(b->ran == 3 && b->jobs[0].asked == 6);
	bench_close(b);
}

static void how_long_a_job_runs_is_known_while_it_does(void)
{
	struct bench *b = bench_open();
	struct timespec moment = { 0, 1000000 };

	assert(offload_busy(b->o) == 0);
	b->want = 1;
	push(b, 0, true);
	wait_held(b);
	while (offload_busy(b->o) == 0) /* its first millisecond */
		nanosleep(&moment, NULL);
	let_go(b);
	assert(loop_run(b->base) == 0);
	assert(offload_busy(b->o) == 0);
	bench_close(b);
}

static void *let_go_later(void *arg)
{
	struct bench *b = arg;
	bool stop = false;

	while (!stop) { /* offload_close() waits by now */
		pthread_mutex_lock(&b->o->mutex);
		stop = b->o->stop;
		pthread_mutex_unlock(&b->o->mutex);
	}
	let_go(b);
	return NULL;
}

/* The job that runs is waited for, and what it asks is answered; those behind it never run. */
static void a_close_waits_for_the_job_that_runs_and_for_no_other(void)
{
	struct bench *b = bench_open();
	pthread_t other;

	for (unsigned i = 0; i < 4; i++)
		push(b, i, i == 0);
	wait_held(b);
	assert(pthread_create(&other, NULL, let_go_later, b) == 0);
	offload_close(b->o);
	b->o = NULL;
	pthread_join(other, NULL);
	assert(b->ran == 1 && b->done == 0 && b->jobs[0].asked == 2);
	bench_close(b);
}

static void a_close_without_jobs_ends_at_once(void)
{
	bench_close(bench_open());
	offload_close(NULL);
}

#ifdef __SANITIZE_THREAD__
int main(void)
{
	jobs_run_in_their_order_and_come_back_in_it();
	a_job_that_is_done_may_be_pushed_again();
	how_long_a_job_runs_is_known_while_it_does();
	a_close_waits_for_the_job_that_runs_and_for_no_other();
	a_close_without_jobs_ends_at_once();
	return 0;
}
#else
#include <criterion/criterion.h>

#define CASE(name)                                                                                 \
	Test(offload, name)                                                                        \
	{                                                                                          \
		(name)();                                                                          \
	}
CASE(jobs_run_in_their_order_and_come_back_in_it)
CASE(a_job_that_is_done_may_be_pushed_again)
CASE(how_long_a_job_runs_is_known_while_it_does)
CASE(a_close_waits_for_the_job_that_runs_and_for_no_other)
CASE(a_close_without_jobs_ends_at_once)
#endif
