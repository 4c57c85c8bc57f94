/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/spool_reader.h"

enum { TICK_MS = 1000 };

struct spool_reader {
	struct store_state *state;
	pthread_t thread;
	pthread_mutex_t mutex; /* of all up to the blank line */
	pthread_cond_t more;
	struct store_file *given;
	struct spool_batch *answer, *back;
	struct spool_topics held;
	unsigned most;
	struct spool_found *found;
	unsigned files;
	uint32_t last; /* number of the last file that was not adopted */
	bool asked, answered, stop;

	/* The thread's own. */
	struct spool_drain *drain;
};

/* ---- the thread ---- */

struct mail { /* what the thread takes at once */
	struct store_file *given;
	struct spool_batch *back;
	struct spool_topics held;
	unsigned most;
	bool asked, stop;
};

static void wait_for(struct spool_reader *r, struct mail *l)
{
	pthread_mutex_lock(&r->mutex);
	if (!r->given && !r->back && !r->asked && !r->stop)
		store_cond_wait(&r->more, &r->mutex, TICK_MS);
	l->given = take_ptr(&r->given);
	l->back = take_ptr(&r->back);
	l->held = r->held;
	l->most = r->most;
	l->asked = r->asked;
	l->stop = r->stop;
	r->held = (struct spool_topics){ 0 };
	r->asked = false;
	pthread_mutex_unlock(&r->mutex);
}

static void answer(struct spool_reader *r, struct spool_batch *batch)
{
	pthread_mutex_lock(&r->mutex);
	r->answer = batch;
	r->answered = true;
	pthread_mutex_unlock(&r->mutex);
	store_ring(r->state);
}

/* What the loop may know of what was found and what went. */
static void publish(struct spool_reader *r)
{
	struct spool_found *found = spool_drain_found(r->drain), **end = &found;
	bool any = found != NULL;

	while (*end)
		end = &(*end)->next;
	pthread_mutex_lock(&r->mutex);
	*end = r->found;
	r->found = found;
	r->files -= spool_drain_gone(r->drain);
	pthread_mutex_unlock(&r->mutex);
	if (any)
		store_ring(r->state);
}

static void *reader_main(void *arg)
{
	struct spool_reader *r = arg;
	struct mail l = { 0 };

	while (!l.stop) {
		struct spool_batch *next = NULL;

		wait_for(r, &l);
		for (struct store_file *f = l.given, *more; f; f = more) {
			more = f->next;
			spool_drain_add(r->drain, f);
		}
		if (l.back)
			spool_drain_settle(r->drain, l.back);
		if (l.asked && !l.stop)
			next = spool_drain_next(r->drain, &l.held, l.most);
		publish(r);
		if (l.asked)
			answer(r, next);
		spool_topics_done(&l.held);
		spool_drain_tend(r->drain);
	}
	if (r->answer) /* nobody took it */
		spool_drain_settle(r->drain, take_ptr(&r->answer));
	return NULL;
}

/* ---- for others ---- */

struct spool_reader *spool_reader_open(const struct store_dir *dir, struct store_state *state,
                                       msec_t dead_age, struct err *err)
{
	struct spool_reader *r = xcalloc(1, sizeof(*r));

	r->state = state;
	r->drain = spool_drain_open(dir, state, dead_age);
	pthread_mutex_init(&r->mutex, NULL);
	store_cond_init(&r->more);
	if (store_thread(&r->thread, reader_main, r, err) < 0) {
		spool_drain_close(r->drain);
		free(r);
		return NULL;
	}
	return r;
}

static void take(void *arg, struct store_file *f)
{
	struct spool_reader *r = arg;

	pthread_mutex_lock(&r->mutex);
	f->next = r->given;
	r->given = f;
	r->files++;
	if (!f->adopted && f->number > r->last)
		r->last = f->number;
	pthread_mutex_unlock(&r->mutex);
	pthread_cond_signal(&r->more);
}

struct store_heir spool_reader_heir(struct spool_reader *r)
{
	return (struct store_heir){ .take = take, .arg = r };
}

void spool_reader_ask(struct spool_reader *r, struct spool_topics *held, unsigned most)
{
	pthread_mutex_lock(&r->mutex);
	assert(!r->asked && !r->answered);
	r->held = *held;
	r->most = most;
	r->asked = true;
	pthread_mutex_unlock(&r->mutex);
	*held = (struct spool_topics){ 0 };
	pthread_cond_signal(&r->more);
}

bool spool_reader_take(struct spool_reader *r, struct spool_batch **batch)
{
	bool answered;

	pthread_mutex_lock(&r->mutex);
	answered = r->answered;
	*batch = take_ptr(&r->answer);
	r->answered = false;
	pthread_mutex_unlock(&r->mutex);
	return answered;
}

void spool_reader_put(struct spool_reader *r, struct spool_batch *batch)
{
	pthread_mutex_lock(&r->mutex);
	assert(!r->back);
	r->back = batch;
	pthread_mutex_unlock(&r->mutex);
	pthread_cond_signal(&r->more);
}

struct spool_found *spool_reader_found(struct spool_reader *r)
{
	struct spool_found *found;

	pthread_mutex_lock(&r->mutex);
	found = take_ptr(&r->found);
	pthread_mutex_unlock(&r->mutex);
	return found;
}

unsigned spool_reader_files(struct spool_reader *r)
{
	unsigned n;

	pthread_mutex_lock(&r->mutex);
	n = r->files;
	pthread_mutex_unlock(&r->mutex);
	return n;
}

bool spool_reader_is_empty(struct spool_reader *r, uint32_t number)
{
	bool empty;

	pthread_mutex_lock(&r->mutex);
	empty = r->files == 0 && !r->found && r->last >= number;
	pthread_mutex_unlock(&r->mutex);
	return empty;
}

void spool_reader_close(struct spool_reader *r)
{
	pthread_mutex_lock(&r->mutex);
	r->stop = true;
	pthread_mutex_unlock(&r->mutex);
	pthread_cond_signal(&r->more);
	pthread_join(r->thread, NULL);
	assert(!r->answer && !r->back);
	spool_found_free(r->found);
	spool_drain_close(r->drain);
	pthread_cond_destroy(&r->more);
	pthread_mutex_destroy(&r->mutex);
	free(r);
}
