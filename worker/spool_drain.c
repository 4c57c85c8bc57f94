/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool_drain.c -- how a file is drained. Of each of its topics it is known from which row on they
 * are not done with (`from`). A pass goes over the rows once, for the topics that can be sent now
 * and that no older file has rows of; a row that is to be sent again sets its topic back and out of
 * the pass. So the order within a topic holds, and no row is skipped; those behind it that are done
 * with are remembered, since as often as it is tried they would come once more.
 */
#include "worker/spool_drain.h"

#include "worker/spool_dead.h"

enum {
	PROGRESS_ROWS = 1000,
	PROGRESS_MS = 1000,
	RETRY_MS = 1000, /* of a file that could not be read; */
	READS_MAX = 10, /* who is not readable so often in a row is no more */
	DEAD_RETRY_MS = 5000, /* of rows that could not be put into dead/ */
};

struct pending { /* a topic of a file */
	struct pending *next;
	char *topic;
	int64_t from; /* seq: rows of it up to there are done with, or out */
	bool passing; /* this pass is for it */
};

struct draining {
	struct draining *next; /* by number */
	struct store_file *file;
	struct pending *pending; /* empty: all of it is done with */
	bool passing, passed; /* a pass is on; it has seen the last row */
	bool damaged; /* some row of it was */
	unsigned failures; /* to read it, in a row */
	uint8_t *done; /* a bit for each row that is, behind one that is not; NULL: none */
	int64_t at; /* the row that the pass has come to */
	int64_t saved; /* progress on the disk */
	msec_t saved_at, retry_at;
};

struct spool_drain {
	const struct store_dir *dir;
	struct store_state *state;
	struct draining *draining;
	struct spool_dead *dead;
	bool is_out; /* a batch is: its rows are neither done nor not */
	unsigned gone;
	struct spool_found *found;
};

/* ---- topics ---- */

void spool_topics_add(struct spool_topics *t, const char *name)
{
	if (t->n == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 16;
		t->v = xrealloc(t->v, t->cap, sizeof(*t->v));
	}
	t->v[t->n++] = xstrdup(name);
}

bool spool_topics_has(const struct spool_topics *t, struct bytes name)
{
	for (unsigned i = 0; i < t->n; i++)
		if (bytes_eq(name, bytes_str(t->v[i])))
			return true;
	return false;
}

void spool_topics_done(struct spool_topics *t)
{
	while (t->n)
		free(t->v[--t->n]);
	free(t->v);
	*t = (struct spool_topics){ 0 };
}

static struct pending *pending_of(const struct draining *d, struct bytes topic)
{
	for (struct pending *p = d->pending; p; p = p->next)
		if (bytes_eq(topic, bytes_str(p->topic)))
			return p;
	return NULL;
}

static void pending_free(struct pending **at)
{
	struct pending *p = *at;

	*at = p->next;
	free(p->topic);
	free(p);
}

/* ---- how far a file is ---- */

static int64_t done_up_to(const struct draining *d)
{
	int64_t seq = d->file->rows;

	for (const struct pending *p = d->pending; p; p = p->next) {
		int64_t from = p->passing && p->from <= d->at ? d->at + 1 : p->from;

		if (from - 1 < seq)
			seq = from - 1;
	}
	return seq;
}

/* What is not saved is sent again after a death, and marked so. */
static void save_progress(struct spool_drain *s, struct draining *d, bool now)
{
	int64_t seq = done_up_to(d);
	struct err err = { "" };

	if (d->file->failed || seq <= d->saved)
		return;
	if (!now && seq - d->saved < PROGRESS_ROWS && store_now() - d->saved_at < PROGRESS_MS)
		return;
	if (spool_file_set_progress(d->file, seq, &err) < 0) {
		store_say(s->state, STORE_COMMIT_FAILED, d->file->number, d->file->rows, &err);
		store_file_roll_back(d->file);
		return;
	}
	d->saved = seq;
	d->saved_at = store_now();
}

/* ---- files that come and go ---- */

struct adding {
	struct draining *d;
	struct spool_found *found;
};

static void add_sum(void *arg, const struct spool_sum *sum)
{
	struct adding *a = arg;
	struct pending *p = pending_of(a->d, sum->topic);
	struct spool_found *found;

	if (!p) {
		p = xcalloc(1, sizeof(*p));
		p->topic = xstrndup((const char *)sum->topic.p, sum->topic.n);
		p->from = sum->first;
		p->next = a->d->pending;
		a->d->pending = p;
	}
	if (sum->first < p->from)
		p->from = sum->first;
	if (!a->d->file->adopted)
		return;
	found = xcalloc(1, sizeof(*found));
	found->tenant = xstrndup((const char *)sum->tenant.p, sum->tenant.n);
	found->topic = xstrndup((const char *)sum->topic.p, sum->topic.n);
	found->rows = (uint64_t)sum->rows;
	found->bytes = sum->bytes;
	found->is_raw = sum->is_raw;
	found->next = a->found;
	a->found = found;
}

static void insert(struct spool_drain *s, struct draining *d)
{
	struct draining **at = &s->draining;

	while (*at && (*at)->file->number < d->file->number)
		at = &(*at)->next;
	d->next = *at;
	*at = d;
}

static void forget(struct spool_drain *s, struct draining *d)
{
	struct draining **at = &s->draining;

	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
	while (d->pending)
		pending_free(&d->pending);
	free(d->done);
	free(d);
	s->gone++;
}

/* What can't be read stays where it is, and is adopted again by and by, with a check. */
static void give_up(struct spool_drain *s, struct draining *d, const struct err *why)
{
	store_say(s->state, STORE_READ_FAILED, d->file->number, d->file->rows, why);
	store_file_leave(d->file);
	forget(s, d);
}

/* The last row is done with. One with a damaged row is kept as it is, where the damaged lie. */
static void end_file(struct spool_drain *s, struct draining *d)
{
	uint32_t number = d->file->number;
	int64_t rows = d->file->rows;
	struct err err = { "" };

	if (d->damaged) {
		if (store_quarantine(s->dir, number, &err) == 0)
			err_set(&err, "rows of it are not what was stored");
		else
			save_progress(s, d, true);
		atomic_fetch_add(&s->state->quarantined, 1);
		store_say(s->state, STORE_QUARANTINED, number, rows, &err);
		store_file_leave(d->file);
	} else if (store_file_remove(d->file, &err) < 0) {
		store_say(s->state, STORE_FOLDER_FAILED, number, rows, &err);
		/* Whoever takes it over tries that again, and has nothing to send. */
		save_progress(s, d, true);
		store_file_leave(d->file);
	}
	forget(s, d);
}

void spool_drain_add(struct spool_drain *s, struct store_file *f)
{
	struct draining *d = xcalloc(1, sizeof(*d));
	struct adding a = { .d = d };
	struct err err = { "" };

	d->file = f;
	insert(s, d);
	d->saved = spool_file_progress(f, &err);
	if (d->saved < 0 || spool_file_sums(f, d->saved, add_sum, &a, &err) < 0) {
		spool_found_free(a.found);
		give_up(s, d, &err);
		return;
	}
	while (a.found) {
		struct spool_found *next = a.found->next;

		a.found->next = s->found;
		s->found = a.found;
		a.found = next;
	}
	if (!d->pending)
		end_file(s, d);
}

/* ---- a pass ---- */

static bool is_older_pending(const struct spool_drain *s, const struct draining *d,
                             const char *topic)
{
	for (const struct draining *o = s->draining; o != d; o = o->next)
		if (pending_of(o, bytes_str(topic)))
			return true;
	return false;
}

static bool begin_pass(const struct spool_drain *s, struct draining *d,
                       const struct spool_topics *held)
{
	d->passing = d->passed = false;
	d->at = INT64_MAX;
	for (struct pending *p = d->pending; p; p = p->next) {
		p->passing = !spool_topics_has(held, bytes_str(p->topic)) &&
		             !is_older_pending(s, d, p->topic);
		if (!p->passing)
			continue;
		d->passing = true;
		if (p->from - 1 < d->at)
			d->at = p->from - 1;
	}
	return d->passing;
}

/* Its topics that are still in the pass have no row left. */
static void end_pass(struct spool_drain *s, struct draining *d)
{
	for (struct pending **at = &d->pending; *at;) {
		if ((*at)->passing)
			pending_free(at);
		else
			at = &(*at)->next;
	}
	d->passing = d->passed = false;
	if (!d->pending)
		end_file(s, d);
}

static bool is_done(const struct draining *d, int64_t seq)
{
	return d->done && d->done[seq / 8] >> seq % 8 & 1;
}

static void keep_done(struct draining *d, int64_t seq)
{
	if (!d->done)
		d->done = xcalloc((size_t)d->file->rows / 8 + 1, 1);
	d->done[seq / 8] |= (uint8_t)(1 << seq % 8);
}

struct filling {
	struct draining *d;
	struct spool_batch *batch;
	unsigned most;
};

static bool wants(void *arg, int64_t seq, struct bytes topic)
{
	const struct filling *fill = arg;
	const struct pending *p = pending_of(fill->d, topic);

	return p && p->passing && seq >= p->from && !is_done(fill->d, seq);
}

static bool got(void *arg, struct spool_row *row)
{
	struct filling *fill = arg;
	struct spool_batch *b = fill->batch;

	pending_of(fill->d, bytes_str(row->topic))->from = row->seq + 1;
	fill->d->damaged |= !row->whole;
	b->rows[b->count++] = *row;
	b->bytes += row->value.n;
	return b->count < fill->most && b->bytes < SPOOL_BATCH_BYTES;
}

static void set_back(struct draining *d, const struct spool_row *row)
{
	struct pending *p = pending_of(d, bytes_str(row->topic));

	if (row->seq < p->from)
		p->from = row->seq;
	p->passing = false;
}

static void unread(struct draining *d, struct spool_batch *batch)
{
	for (unsigned i = 0; i < batch->count; i++) {
		set_back(d, &batch->rows[i]);
		spool_row_done(&batch->rows[i]);
	}
	batch->count = 0;
	batch->bytes = 0;
}

/* -1: it could not be read. */
static int fill(struct draining *d, struct spool_batch *batch, unsigned most, struct err *err)
{
	struct filling fill = { .d = d, .batch = batch, .most = most };
	struct spool_scan scan = { .wants = wants, .got = got, .arg = &fill, .at = d->at };
	int rc = spool_file_scan(d->file, &scan, err);

	d->at = scan.at;
	if (rc < 0) {
		unread(d, batch);
		d->passing = d->passed = false;
		return -1;
	}
	d->passed = rc > 0 || d->at == d->file->rows;
	d->failures = 0;
	return 0;
}

/* As long as it is here, rows of its topics in newer files wait for it. d may be no more. */
static void unreadable(struct spool_drain *s, struct draining *d, const struct err *why)
{
	if (store_sql_is_passing(d->file->db) || ++d->failures < READS_MAX) {
		store_say(s->state, STORE_READ_FAILED, d->file->number, d->file->rows, why);
		d->retry_at = store_now() + RETRY_MS;
		return;
	}
	save_progress(s, d, true);
	give_up(s, d, why);
}

struct spool_batch *spool_drain_next(struct spool_drain *s, const struct spool_topics *held,
                                     unsigned most)
{
	struct spool_batch *batch = xcalloc(1, sizeof(*batch));

	for (struct draining *d = s->draining, *next; d; d = next) {
		struct err err = { "" };

		next = d->next;
		if (store_now() < d->retry_at || (!d->passing && !begin_pass(s, d, held)))
			continue;
		if (fill(d, batch, most, &err) < 0) {
			unreadable(s, d, &err);
			continue;
		}
		if (batch->count) {
			batch->file = d->file->number;
			s->is_out = true;
			return batch;
		}
		if (d->passed)
			end_pass(s, d);
	}
	free(batch);
	return NULL;
}

/* ---- what became of a batch ---- */

static struct draining *draining_of(const struct spool_drain *s, const struct spool_batch *batch)
{
	for (struct draining *d = s->draining; d; d = d->next)
		if (d->file->number == batch->file)
			return d;
	return NULL;
}

static void bury(struct spool_drain *s, struct draining *d, struct spool_batch *batch)
{
	struct err err = { "" };
	int64_t rows = spool_dead_add(s->dead, batch->rows, batch->count, &err);

	if (rows < 0) {
		/* They stay where they are, and are refused again. */
		store_say(s->state, STORE_OPEN_FAILED, 0, 0, &err);
		for (unsigned i = 0; i < batch->count; i++)
			if (batch->rows[i].fate == SPOOL_DEAD)
				batch->rows[i].fate = SPOOL_LATER;
		d->retry_at = store_now() + DEAD_RETRY_MS;
	} else if (rows > 0) {
		store_say(s->state, STORE_DEAD_ROWS, 0, rows, NULL);
	}
}

void spool_drain_settle(struct spool_drain *s, struct spool_batch *batch)
{
	struct draining *d = draining_of(s, batch);

	assert(d); /* it stays as long as a batch of it is out */
	s->is_out = false;
	bury(s, d, batch);
	for (unsigned i = 0; i < batch->count; i++)
		if (batch->rows[i].fate == SPOOL_LATER)
			set_back(d, &batch->rows[i]);
	for (unsigned i = 0; i < batch->count; i++) {
		const struct spool_row *row = &batch->rows[i];

		if (row->fate != SPOOL_LATER &&
		    row->seq >= pending_of(d, bytes_str(row->topic))->from)
			keep_done(d, row->seq);
		spool_row_done(&batch->rows[i]);
	}
	free(batch);
	if (d->passed)
		end_pass(s, d);
	else
		save_progress(s, d, false);
}

/* ---- its life ---- */

void spool_found_free(struct spool_found *found)
{
	for (struct spool_found *next; found; found = next) {
		next = found->next;
		free(found->tenant);
		free(found->topic);
		free(found);
	}
}

struct spool_found *spool_drain_found(struct spool_drain *s)
{
	struct spool_found *found = take_ptr(&s->found);

	return found;
}

unsigned spool_drain_gone(struct spool_drain *s)
{
	unsigned n = s->gone;

	s->gone = 0;
	return n;
}

void spool_drain_tend(struct spool_drain *s)
{
	for (struct draining *d = s->draining; d && !s->is_out; d = d->next)
		save_progress(s, d, false);
	spool_dead_tend(s->dead);
}

struct spool_drain *spool_drain_open(const struct store_dir *dir, struct store_state *state,
                                     msec_t dead_age)
{
	struct spool_drain *s = xcalloc(1, sizeof(*s));

	s->dir = dir;
	s->state = state;
	s->dead = spool_dead_open(dir, state, dead_age);
	return s;
}

void spool_drain_close(struct spool_drain *s)
{
	while (s->draining) {
		struct draining *d = s->draining;

		save_progress(s, d, true);
		store_file_leave(d->file);
		forget(s, d);
	}
	spool_found_free(s->found);
	spool_dead_close(s->dead);
	free(s);
}
