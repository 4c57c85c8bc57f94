/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/spool_dead.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "worker/store_check.h"

enum {
	FOLDER_MODE = 0750,
	PATH_BYTES = 1024 + 8,
	FILE_BYTES = 64 * MIB,
	IDLE_MS = 1000, /* a file that gets no more rows is closed */
	LOOK_MS = 60 * 1000,
};

struct spool_dead {
	const struct store_dir *spool;
	struct store_state *state;
	struct store_dir dir; /* path NULL: not opened yet */
	struct store_file *file; /* NULL: none takes rows */
	msec_t age, added_at, look_at;
	bool looked;
};

/* 0; -1 with *err said. Made when it is first needed. */
static int need_folder(struct spool_dead *d, bool make, struct err *err)
{
	char path[PATH_BYTES];

	if (d->dir.path)
		return 0;
	if (make && mkdirat(d->spool->fd, STORE_DEAD, FOLDER_MODE) < 0 && errno != EEXIST)
		return err_errno(err, "can't make %s/%s", d->spool->path, STORE_DEAD);
	snprintf(path, sizeof(path), "%s/%s", d->spool->path, STORE_DEAD);
	if (store_dir_open(&d->dir, path, err) < 0)
		return -1;
	return make ? store_dir_sync(d->spool, err) : 0;
}

static void close_file(struct spool_dead *d)
{
	struct store_file *f = take_ptr(&d->file);
	uint32_t number = f->number;
	int64_t rows = f->rows;
	struct err err = { "" };
	int rc = store_file_finish(f, &err);

	if (rc > 0) /* a reader is in the way: the next start closes it */
		store_file_leave(f);
	else if (rc < 0)
		store_say(d->state, STORE_CLOSE_FAILED, number, rows, &err);
}

static int64_t wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

static int64_t write_rows(struct store_file *f, const struct spool_row *rows, unsigned count,
                          struct err *err)
{
	int64_t before = f->rows, now_ms = wall_ms();

	if (store_file_begin(f, err) < 0)
		return -1;
	for (unsigned i = 0; i < count; i++)
		if (rows[i].fate == SPOOL_DEAD && spool_file_add_dead(f, &rows[i], now_ms, err) < 0)
			return -1;
	return store_file_commit(f, err) < 0 ? -1 : f->rows - before;
}

int64_t spool_dead_add(struct spool_dead *d, const struct spool_row *rows, unsigned count,
                       struct err *err)
{
	struct err second = { "" };
	int64_t added;
	bool any = false;

	for (unsigned i = 0; i < count; i++)
		any = any || rows[i].fate == SPOOL_DEAD;
	if (!any)
		return 0;
	if (need_folder(d, true, err) < 0)
		return -1;
	/* Removed by hand: what is added to it would be nowhere. */
	if (d->file && !store_file_is_ours(d->file))
		store_file_leave(take_ptr(&d->file));
	if (!d->file)
		d->file = store_file_create(&d->dir, store_now(), err);
	if (!d->file) {
		store_dir_close(&d->dir); /* the folder, too: the next time it is made anew */
		return -1;
	}
	added = write_rows(d->file, rows, count, err);
	d->added_at = store_now();
	if (added < 0) {
		struct store_file *f = take_ptr(&d->file);

		store_file_roll_back(f);
		if (store_file_fail(f, &second) < 0)
			err_prefix(err, "%s; ", second.text);
	}
	return added;
}

/* ---- what lies there ---- */

static void adopt(struct spool_dead *d, uint32_t number)
{
	struct store_file *f = NULL;
	struct store_lock lock;
	struct err err = { "" };

	if (!store_take_over(&d->dir, number, &lock))
		return;
	switch (store_check(&d->dir, &lock, &f, &err)) {
	case STORE_GOOD:
		d->file = f;
		close_file(d);
		return;
	case STORE_EMPTY:
		if (store_remove(&d->dir, number, &err) < 0)
			store_say(d->state, STORE_FOLDER_FAILED, number, 0, &err);
		break;
	case STORE_BAD:
		if (store_quarantine(&d->dir, number, &err) == 0)
			atomic_fetch_add(&d->state->quarantined, 1);
		store_say(d->state, STORE_QUARANTINED, number, 0, &err);
		break;
	case STORE_LATER:
		store_say(d->state, STORE_CLOSE_FAILED, number, 0, &err);
		break;
	}
	store_lock_drop(&lock);
}

static void look_at(struct spool_dead *d, const struct store_entry *e)
{
	struct err err = { "" };
	uint64_t bytes;

	if (e->has[STORE_LOCK] && !d->looked)
		adopt(d, e->number);
	if (!d->age || e->has[STORE_LOCK] || !e->has[STORE_DB] ||
	    wall_ms() / 1000 - e->changed_s <= d->age / 1000 ||
	    store_has(&d->dir, e->number, STORE_LOCK, &bytes))
		return;
	if (store_remove(&d->dir, e->number, &err) < 0)
		store_say(d->state, STORE_FOLDER_FAILED, e->number, 0, &err);
	else
		store_say(d->state, STORE_DROPPED, e->number, 0, NULL);
}

static void look(struct spool_dead *d)
{
	struct store_scan scan;
	struct err err;

	/* Not there, as a rule: nothing has died yet. */
	if (need_folder(d, false, &err) < 0)
		return;
	if (store_scan(&d->dir, &scan, &err) < 0) {
		store_say(d->state, STORE_FOLDER_FAILED, 0, 0, &err);
		return;
	}
	for (size_t i = 0; i < scan.count; i++)
		look_at(d, &scan.entries[i]);
	store_scan_done(&scan);
	d->looked = true;
}

void spool_dead_tend(struct spool_dead *d)
{
	msec_t now = store_now();

	if (d->file && (now - d->added_at >= IDLE_MS || store_file_bytes(d->file) >= FILE_BYTES))
		close_file(d);
	if (now < d->look_at || d->file)
		return;
	d->look_at = now + LOOK_MS;
	look(d);
}

struct spool_dead *spool_dead_open(const struct store_dir *spool, struct store_state *state,
                                   msec_t age)
{
	struct spool_dead *d = xcalloc(1, sizeof(*d));

	d->spool = spool;
	d->state = state;
	d->age = age;
	d->dir.fd = -1;
	return d;
}

void spool_dead_close(struct spool_dead *d)
{
	if (d->file)
		close_file(d);
	if (d->dir.path)
		store_dir_close(&d->dir);
	free(d);
}
