/* SPDX-License-Identifier: Apache-2.0 */
/*
 * offload.c -- a queue, a thread and a bell (an eventfd on the loop). All that both threads see is
 * under one mutex, and whoever waits for the other waits on one condition: there are only two.
 */
#include "worker/offload.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

struct offload {
	struct event event;
	int bell;
	unsigned count; /* of the loop's thread alone */
	pthread_t thread;
	pthread_mutex_t mutex; /* of all below */
	pthread_cond_t changed;
	struct job *first, **last; /* wait for the thread */
	struct job *done, **done_end; /* wait for the loop */
	void (*asked)(void *arg); /* the thread waits for it; NULL: it does not */
	void *asked_arg;
	msec_t since; /* of the job that runs; 0: none */
	bool stop, ended;
};

/* The loop's clock is its own, and stands still in tests. */
static msec_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (msec_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void ring(struct offload *o)
{
	static const uint64_t one = 1;

	/* EAGAIN: it rings already, since 2^64 - 1 turns. Nothing else can happen to an eventfd. */
	if (write(o->bell, &one, sizeof(one)) < 0)
		assert(errno == EAGAIN || errno == EINTR);
}

/* ---- the thread ---- */

void offload_ask(struct offload *o, void (*fn)(void *arg), void *arg)
{
	pthread_mutex_lock(&o->mutex);
	assert(!o->asked);
	o->asked = fn;
	o->asked_arg = arg;
	pthread_cond_signal(
		&o->changed); /* for offload_close(), which waits here and not in the loop */
	ring(o);
	while (o->asked)
		pthread_cond_wait(&o->changed, &o->mutex);
	pthread_mutex_unlock(&o->mutex);
}

/* The next job; NULL: it is over. The mutex is held. */
static struct job *take_job(struct offload *o)
{
	struct job *job;

	while (!o->first && !o->stop)
		pthread_cond_wait(&o->changed, &o->mutex);
	job = o->stop ? NULL : o->first;
	if (!job)
		return NULL;
	o->first = job->next;
	if (!o->first)
		o->last = &o->first;
	job->next = NULL;
	o->since = now_ms();
	return job;
}

static void *thread_main(void *arg)
{
	struct offload *o = arg;
	struct job *job;

	pthread_mutex_lock(&o->mutex);
	while ((job = take_job(o))) {
		pthread_mutex_unlock(&o->mutex);
		job->run(job);
		pthread_mutex_lock(&o->mutex);
		o->since = 0;
		*o->done_end = job;
		o->done_end = &job->next;
		ring(o);
	}
	o->ended = true;
	pthread_cond_signal(&o->changed);
	pthread_mutex_unlock(&o->mutex);
	return NULL;
}

/* ---- the loop's thread ---- */

/* The mutex is held, but not while the thread's question is answered. */
static void answer(struct offload *o)
{
	void (*fn)(void *) = o->asked;

	if (!fn)
		return;
	pthread_mutex_unlock(&o->mutex);
	fn(o->asked_arg);
	pthread_mutex_lock(&o->mutex);
	o->asked = NULL;
	pthread_cond_signal(&o->changed);
}

static void on_bell(evutil_socket_t fd, short what, void *arg)
{
	struct offload *o = arg;
	struct job *done, *next;
	uint64_t rings;

	(void)what;
	if (read(fd, &rings, sizeof(rings)) < 0) /* EAGAIN: heard already */
		return;
	pthread_mutex_lock(&o->mutex);
	answer(o);
	done = take_ptr(&o->done);
	o->done_end = &o->done;
	pthread_mutex_unlock(&o->mutex);
	for (; done; done = next) {
		next = done->next;
		o->count--;
		done->done(done);
	}
}

void offload_push(struct offload *o, struct job *job)
{
	job->next = NULL;
	o->count++;
	pthread_mutex_lock(&o->mutex);
	*o->last = job;
	o->last = &job->next;
	pthread_cond_signal(&o->changed);
	pthread_mutex_unlock(&o->mutex);
}

unsigned offload_count(const struct offload *o)
{
	return o->count;
}

msec_t offload_busy(struct offload *o)
{
	msec_t since;

	pthread_mutex_lock(&o->mutex);
	since = o->since;
	pthread_mutex_unlock(&o->mutex);
	return since ? now_ms() - since : 0;
}

/* ---- its life ---- */

/* With all signals blocked, for they are the loop's, but those that say what the thread itself did: a
 * report of a crash is made by whoever crashed. */
static int start(struct offload *o, const char *name, struct err *err)
{
	static const int own[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		sigdelset(&all, own[i]);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&o->thread, NULL, thread_main, o);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc)
		return err_set(err, "no thread for %s: %s", name, strerror(rc));
	pthread_setname_np(o->thread, name);
	return 0;
}

static void release(struct offload *o)
{
	if (o->bell >= 0)
		close(take_fd(&o->bell));
	pthread_cond_destroy(&o->changed);
	pthread_mutex_destroy(&o->mutex);
	free(o);
}

struct offload *offload_open(struct event_base *base, const char *name, struct err *err)
{
	struct offload *o = xcalloc(1, sizeof(*o));

	o->last = &o->first;
	o->done_end = &o->done;
	pthread_mutex_init(&o->mutex, NULL);
	pthread_cond_init(&o->changed, NULL);
	o->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (o->bell < 0) {
		err_errno(err, "no eventfd for %s", name);
		release(o);
		return NULL;
	}
	if (start(o, name, err) < 0) {
		release(o);
		return NULL;
	}
	if (event_assign(&o->event, base, o->bell, EV_READ | EV_PERSIST, on_bell, o) < 0 ||
	    event_add(&o->event, NULL) < 0)
		out_of_memory();
	return o;
}

void offload_close(struct offload *o)
{
	if (!o)
		return;
	event_del(&o->event);
	pthread_mutex_lock(&o->mutex);
	o->stop = true;
	pthread_cond_signal(&o->changed);
	for (answer(o); !o->ended; answer(o))
		if (!o->asked)
			pthread_cond_wait(&o->changed, &o->mutex);
	pthread_mutex_unlock(&o->mutex);
	pthread_join(o->thread, NULL);
	release(o);
}
