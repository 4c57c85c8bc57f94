/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/store_state.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#include "common/loop.h"

int store_state_open(struct store_state *s, struct err *err)
{
	*s = (struct store_state){ .writable = true };
	s->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->bell < 0)
		return err_errno(err, "no eventfd");
	pthread_mutex_init(&s->mutex, NULL);
	return 0;
}

void store_state_close(struct store_state *s)
{
	close(take_fd(&s->bell));
	pthread_mutex_destroy(&s->mutex);
}

void store_ring(struct store_state *s)
{
	static const uint64_t one = 1;

	/* EAGAIN: it rings already, since 2^64 - 1 turns. Nothing else can happen to an eventfd. */
	if (write(s->bell, &one, sizeof(one)) < 0)
		assert(errno == EAGAIN || errno == EINTR);
}

void store_say(struct store_state *s, enum store_event event, uint32_t number, int64_t rows,
               const struct err *why)
{
	pthread_mutex_lock(&s->mutex);
	if (s->notice_count < STORE_NOTICES_MAX) {
		struct store_notice *n = &s->notices[s->notice_count++];

		*n = (struct store_notice){ .event = event, .number = number, .rows = rows };
		if (why)
			n->why = *why;
	} else {
		s->notices_lost++;
	}
	pthread_mutex_unlock(&s->mutex);
	store_ring(s);
}

unsigned store_hear(struct store_state *s, struct store_notice *out, unsigned *lost)
{
	unsigned n;

	pthread_mutex_lock(&s->mutex);
	n = s->notice_count;
	memcpy(out, s->notices, n * sizeof(*out));
	*lost = s->notices_lost;
	s->notice_count = s->notices_lost = 0;
	pthread_mutex_unlock(&s->mutex);
	return n;
}

static uint64_t less(uint64_t a, uint64_t b) /* a - b, or 0 */
{
	return a > b ? a - b : 0;
}

/* No two workers ask each other: each takes no more than its part of what is left, and looks again
 * when that is spent. So all together never pass the bound, and what nobody may use shrinks with
 * what is left. */
uint64_t store_allowance(const struct store_bounds *b, const struct store_scan *scan)
{
	uint64_t of_bound = less(b->max_bytes, scan->bytes + scan->reserved);
	uint64_t of_disk = less(scan->free_bytes,
	                        scan->reserved + scan->disk_bytes / 100 * b->min_free_percent);

	return min_size(of_bound, of_disk) / b->sharers;
}

msec_t store_now(void)
{
	return loop_read_ns() / 1000000;
}

int store_thread(pthread_t *out, void *(*main)(void *), void *arg, struct err *err)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(out, NULL, main, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc == 0 ? 0 : err_set(err, "no thread for the store: %s", strerror(rc));
}

void store_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

void store_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, msec_t most)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += most / 1000;
	until.tv_nsec += most % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_cond_timedwait(cond, mutex, &until);
}
