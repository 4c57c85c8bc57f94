/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/store_keeper.h"

#include <time.h>

#include "worker/store_check.h"

enum {
	LOOK_MS = 1000, /* how old what is known of the folder may be */
	/* So often also without a death that we were told of: a killed process whose thread waits
	 * for the disk holds its locks until that is over, and may be outlived by our start. */
	LOOKS_PER_ADOPTION = 30,
	ROOM_BYTES = 256 * KIB, /* so much must be free for us before a full store takes records */
};

struct store_keeper {
	const struct store_dir *dir;
	struct store_state *state;
	struct store_bounds bounds;
	const struct store_heir *heir;
	pthread_t thread;
	pthread_mutex_t mutex; /* of the next three */
	pthread_cond_t more;
	struct store_file *given;
	bool adopt, stop;
	struct store_file *closing; /* the thread's own: given, but readers were in the way */
};

static void close_file(struct store_keeper *k, struct store_file *f)
{
	uint32_t number = f->number;
	int64_t rows = f->rows;
	struct err err;
	int rc;

	if (k->heir && rows > 0) {
		k->heir->take(k->heir->arg, f);
		return;
	}
	rc = store_file_finish(f, &err);

	if (rc > 0) {
		f->next = k->closing;
		k->closing = f;
	} else if (rc < 0) {
		store_say(k->state, STORE_CLOSE_FAILED, number, rows, &err);
	}
}

static void close_files(struct store_keeper *k, struct store_file *given)
{
	struct store_file *waiting = k->closing, *next;

	k->closing = NULL;
	for (; waiting; waiting = next) {
		next = waiting->next;
		close_file(k, waiting);
	}
	for (; given; given = next) {
		next = given->next;
		close_file(k, given);
	}
}

/* ---- files that nobody closed ---- */

/* Its good rows, in a file of their own, if there is room for them and for its checkpoint; NULL:
 * there is none. */
static struct store_file *rescue(struct store_keeper *k, uint32_t number, struct err *why,
                                 uint64_t room)
{
	struct err err = { "" };
	struct store_file *to;
	uint64_t bytes = 0, wal_bytes = 0;
	int64_t rows;

	if (!store_has(k->dir, number, STORE_DB, &bytes))
		return NULL;
	if (store_has(k->dir, number, STORE_WAL, &wal_bytes))
		bytes += wal_bytes;
	if (bytes > room / 2) {
		err_prefix(why, "no room to copy its rows, they stay there; ");
		return NULL;
	}
	to = store_file_create(k->dir, store_now(), &err);
	rows = to ? store_rescue(k->dir, number, to, &err) : -1;
	if (rows < 0)
		store_say(k->state, STORE_OPEN_FAILED, number, 0, &err);
	if (rows < 0 && to && store_file_fail(to, &err) < 0)
		store_say(k->state, STORE_CLOSE_FAILED, number, 0, &err);
	return rows < 0 ? NULL : to;
}

static void put_aside(struct store_keeper *k, uint32_t number, struct err *why, uint64_t room)
{
	uint64_t bytes;
	bool has_wal = store_has(k->dir, number, STORE_WAL, &bytes), stays = false;
	struct store_file *copy = rescue(k, number, why, room);
	struct err err = { "" };

	if (store_quarantine(k->dir, number, &err) == 0) {
		atomic_fetch_add(&k->state->quarantined, 1);
		store_say(k->state, STORE_QUARANTINED, number, copy ? copy->rows : 0, why);
	} else {
		err_prefix(why, "%s; ", err.text);
		store_say(k->state, STORE_FOLDER_FAILED, number, 0, why);
		stays = store_has(k->dir, number, STORE_DB, &bytes) &&
		        store_has(k->dir, number, STORE_WAL, &bytes) == has_wal;
	}
	/* The next look finds it again, and all its rows with it. */
	if (!copy || (stays && store_file_remove(copy, &err) == 0))
		return;
	copy->adopted = true;
	close_file(k, copy);
}

static void adopt(struct store_keeper *k, uint32_t number, bool locked, uint64_t room)
{
	struct store_file *f = NULL;
	struct store_lock lock;
	struct err err = { "" };

	if (!(locked ? store_take_over(k->dir, number, &lock)
	             : store_relock(k->dir, number, &lock)))
		return;
	switch (store_check(k->dir, &lock, &f, &err)) {
	case STORE_GOOD:
		store_say(k->state, STORE_ADOPTED, number, f->rows, NULL);
		f->adopted = true;
		close_file(k, f);
		return;
	case STORE_EMPTY:
		if (store_remove(k->dir, number, &err) < 0)
			store_say(k->state, STORE_FOLDER_FAILED, number, 0, &err);
		break;
	case STORE_BAD:
		put_aside(k, number, &err, room);
		break;
	case STORE_LATER:
		store_say(k->state, STORE_CLOSE_FAILED, number, 0, &err);
		break;
	}
	store_lock_drop(&lock);
}

/* ---- the folder ---- */

static int64_t wall_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec;
}

static bool is_too_old(const struct store_keeper *k, const struct store_entry *e)
{
	return k->bounds.max_age > 0 && e->has[STORE_DB] && !e->has[STORE_LOCK] &&
	       wall_s() - e->changed_s > k->bounds.max_age / 1000;
}

static bool is_orphan(const struct store_entry *e)
{
	return !e->has[STORE_DB] && !e->has[STORE_LOCK];
}

/* Returns whether something went, so that what is known is out of date. */
static bool clean_up(struct store_keeper *k, const struct store_scan *scan)
{
	bool went = false;

	for (size_t i = 0; i < scan->count; i++) {
		const struct store_entry *e = &scan->entries[i];
		bool old = is_too_old(k, e);
		uint64_t bytes;
		struct err err;

		if (!old && !is_orphan(e))
			continue;
		/* Others drop the same files, and a number that is free is taken anew. */
		if (store_has(k->dir, e->number, STORE_LOCK, &bytes))
			continue;
		if ((old ? store_remove : store_sweep)(k->dir, e->number, &err) < 0)
			store_say(k->state, STORE_FOLDER_FAILED, e->number, 0, &err);
		else if (old)
			store_say(k->state, STORE_DROPPED, e->number, 0, NULL);
		went = true;
	}
	return went;
}

static void publish(struct store_keeper *k, const struct store_scan *scan)
{
	struct store_state *s = k->state;
	int64_t oldest = 0;

	for (size_t i = 0; i < scan->count; i++) {
		if (scan->entries[i].has[STORE_DB] && (!oldest || scan->entries[i].made_s < oldest))
			oldest = scan->entries[i].made_s;
	}
	atomic_store(&s->bytes, scan->bytes);
	atomic_store(&s->oldest_s, oldest);
	if (atomic_load(&s->full) && store_allowance(&k->bounds, scan) >= ROOM_BYTES) {
		atomic_store(&s->full, false);
		store_say(s, STORE_HAS_ROOM, 0, 0, NULL);
	}
}

static bool is_stopped(struct store_keeper *k)
{
	bool stop;

	pthread_mutex_lock(&k->mutex);
	stop = k->stop;
	pthread_mutex_unlock(&k->mutex);
	return stop;
}

static void look(struct store_keeper *k, bool adopting)
{
	struct store_scan scan;
	struct err err;

	if (store_scan(k->dir, &scan, &err) < 0) {
		store_say(k->state, STORE_FOLDER_FAILED, 0, 0, &err);
		return;
	}
	/* Many large files take longer than we are given to end. */
	for (size_t i = 0; adopting && i < scan.count && !is_stopped(k); i++) {
		const struct store_entry *e = &scan.entries[i];

		/* The spool's have one until they are drained: without it somebody took it away. */
		if (e->has[STORE_LOCK] || (k->heir && e->has[STORE_DB]))
			adopt(k, e->number, e->has[STORE_LOCK], store_allowance(&k->bounds, &scan));
	}
	if (adopting || clean_up(k, &scan)) {
		store_scan_done(&scan);
		if (store_scan(k->dir, &scan, &err) < 0)
			return; /* the next look says it */
	}
	publish(k, &scan);
	store_scan_done(&scan);
}

/* ---- the thread ---- */

static void *keeper_main(void *arg)
{
	struct store_keeper *k = arg;
	unsigned looks = 0;
	bool stop = false;

	while (!stop) {
		struct store_file *given;
		bool adopting;

		pthread_mutex_lock(&k->mutex);
		if (!k->given && !k->adopt && !k->stop)
			store_cond_wait(&k->more, &k->mutex, LOOK_MS);
		given = take_ptr(&k->given);
		adopting = k->adopt;
		k->adopt = false;
		stop = k->stop;
		pthread_mutex_unlock(&k->mutex);
		close_files(k, given);
		look(k, !stop && (adopting || ++looks % LOOKS_PER_ADOPTION == 0));
	}
	for (struct store_file *f = k->closing, *next; f; f = next) {
		next = f->next;
		store_file_leave(f);
	}
	return NULL;
}

struct store_keeper *store_keeper_open(const struct store_dir *dir, struct store_state *state,
                                       const struct store_bounds *bounds,
                                       const struct store_heir *heir, struct err *err)
{
	struct store_keeper *k = xcalloc(1, sizeof(*k));

	k->dir = dir;
	k->state = state;
	k->bounds = *bounds;
	k->heir = heir;
	k->adopt = true;
	pthread_mutex_init(&k->mutex, NULL);
	store_cond_init(&k->more);
	if (store_thread(&k->thread, keeper_main, k, err) < 0) {
		free(k);
		return NULL;
	}
	return k;
}

void store_keeper_finish(struct store_keeper *k, struct store_file *f)
{
	pthread_mutex_lock(&k->mutex);
	f->next = k->given;
	k->given = f;
	pthread_cond_signal(&k->more);
	pthread_mutex_unlock(&k->mutex);
}

int store_keeper_fail(struct store_keeper *k, struct store_file *f, struct err *err)
{
	if (!k->heir || f->rows == 0 || !store_file_is_ours(f))
		return store_file_fail(f, err);
	store_file_roll_back(f);
	store_keeper_finish(k, f);
	return 0;
}

void store_keeper_adopt(struct store_keeper *k)
{
	pthread_mutex_lock(&k->mutex);
	k->adopt = true;
	pthread_cond_signal(&k->more);
	pthread_mutex_unlock(&k->mutex);
}

void store_keeper_close(struct store_keeper *k)
{
	pthread_mutex_lock(&k->mutex);
	k->stop = true;
	pthread_cond_signal(&k->more);
	pthread_mutex_unlock(&k->mutex);
	pthread_join(k->thread, NULL);
	pthread_cond_destroy(&k->more);
	pthread_mutex_destroy(&k->mutex);
	free(k);
}
