/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/store_writer.h"

#include "common/buf.h"
#include "common/loop.h"

enum {
	GROUP_RECORDS = 1000,
	GROUP_BYTES = MIB, /* of values; a single larger one passes */
	HEADERS_BYTES = 16 * KIB, /* the JSON of one record's */
	/* What a row costs in the -wal: itself, its part of a page, and what a COMMIT writes again;
	 * once more when the checkpoint copies it. A large value has pages of its own, each with 4
	 * bytes of a chain and 24 of a frame. */
	ROW_BYTES = 512,
	LARGE_BYTES = 4096,
	GROUP_COST = 32 * KIB,
	CHECKPOINT_FACTOR = 2,
	FILE_ROOM = 256 * KIB, /* below this no file is made, and the store is full */
	TICK_MS = 1000,
	RETRY_MS = 100, /* at most ten times a second a file that can't be made is tried again */
};

struct store_writer {
	const struct store_dir *dir;
	struct store_state *state;
	struct store_keeper *keeper;
	struct store_bounds bounds;
	pthread_t thread;
	pthread_mutex_t mutex; /* of all up to the blank line */
	pthread_cond_t more;
	struct record *first, **last;
	struct store_group *done, **done_end;
	bool asleep, stop, rotate;

	/* The thread's own. */
	struct store_file *file; /* NULL: none, and the next record makes one */
	msec_t retry_at;
	uint64_t room; /* bytes that may be written before the folder is looked at again */
	struct buf headers;
};

/* ---- what goes back to the loop ---- */

static void answer(struct store_writer *w, struct record *records, enum verdict v, uint32_t number,
                   int64_t seq)
{
	struct store_group *g;

	if (!records)
		return;
	g = xcalloc(1, sizeof(*g));
	g->records = records;
	g->verdict = v;
	g->number = number;
	g->seq = seq;
	g->took_us = (loop_read_ns() - records->produced_ns) / 1000;
	pthread_mutex_lock(&w->mutex);
	*w->done_end = g;
	w->done_end = &g->next;
	pthread_mutex_unlock(&w->mutex);
	store_ring(w->state);
}

/* ---- files ---- */

/* 0, or -1: what may be written is not known. */
static int find_room(struct store_writer *w)
{
	struct store_scan scan;
	struct err err;

	w->room = 0;
	if (store_scan(w->dir, &scan, &err) < 0) {
		store_say(w->state, STORE_FOLDER_FAILED, 0, 0, &err);
		return -1;
	}
	w->room = store_allowance(&w->bounds, &scan);
	store_scan_done(&scan);
	return 0;
}

static void say_full(struct store_writer *w)
{
	/* From here on the loop refuses at once, until the keeper finds room again. */
	if (!atomic_exchange(&w->state->full, true))
		store_say(w->state, STORE_IS_FULL, 0, 0, NULL);
}

static enum verdict no_file(struct store_writer *w)
{
	atomic_store(&w->state->writable, false);
	w->retry_at = store_now() + RETRY_MS;
	return V_STORE;
}

/* V_NONE: there is a file. */
static enum verdict need_file(struct store_writer *w)
{
	struct err err;

	if (w->file)
		return V_NONE;
	if (store_now() < w->retry_at)
		return V_STORE;
	if (find_room(w) < 0)
		return no_file(w);
	if (w->room < FILE_ROOM) {
		say_full(w);
		return V_STORE_FULL;
	}
	w->file = store_file_create(w->dir, store_now(), &err);
	if (!w->file) {
		store_say(w->state, STORE_OPEN_FAILED, 0, 0, &err);
		return no_file(w);
	}
	atomic_store(&w->state->writable, true);
	return V_NONE;
}

/* The file had an error. A new one is made at once: the next records shall not wait for it. */
static void replace_file(struct store_writer *w, enum store_event event, struct err *why)
{
	struct store_file *f = take_ptr(&w->file);
	uint32_t number = f->number;
	int64_t rows = f->rows;
	struct err err;

	if (store_keeper_fail(w->keeper, f, &err) < 0)
		err_prefix(why, "%s; ", err.text);
	store_say(w->state, event, number, rows, why);
	need_file(w);
}

static void rotate(struct store_writer *w)
{
	store_keeper_finish(w->keeper, take_ptr(&w->file));
	need_file(w);
}

static bool is_due(const struct store_writer *w)
{
	const struct store_file *f = w->file;

	return f && f->rows > 0 &&
	       (store_file_bytes(f) >= w->bounds.file_bytes ||
	        store_now() - f->made >= w->bounds.file_age);
}

/* ---- groups ---- */

static uint64_t cost_of(const struct record *rec)
{
	uint64_t n = rec->value.n, bytes = n + n / 2 + ROW_BYTES;

	if (n > LARGE_BYTES)
		bytes = n + n / 64 + 4 * (uint64_t)LARGE_BYTES;
	return bytes * CHECKPOINT_FACTOR;
}

/* Takes out what the bound has no room for, and answers it. Returns what stays. */
static struct record *within_bounds(struct store_writer *w, struct record *records)
{
	struct record *kept = NULL, **kept_end = &kept, *out = NULL, **out_end = &out, *next;
	uint64_t cost = (uint64_t)GROUP_COST * CHECKPOINT_FACTOR;
	enum verdict v = V_STORE_FULL;
	bool looked = false;

	for (struct record *rec = records; rec; rec = next) {
		uint64_t more = cost + cost_of(rec);

		next = rec->next;
		rec->next = NULL;
		if (more > w->room && !looked) {
			looked = true;
			if (find_room(w) < 0)
				v = V_STORE;
		}
		if (more <= w->room) {
			cost = more;
			*kept_end = rec;
			kept_end = &rec->next;
		} else {
			*out_end = rec;
			out_end = &rec->next;
		}
	}
	if (out && w->room < FILE_ROOM && v == V_STORE_FULL)
		say_full(w);
	answer(w, out, v, 0, 0);
	return kept;
}

static struct bytes headers_json(struct buf *b, const struct record *rec)
{
	char part[RECORD_PART_BYTES];
	struct record_header h;

	buf_reset(b);
	buf_char(b, '[');
	for (unsigned i = 0; record_header(rec, i, part, &h); i++) {
		buf_str(b, i ? ",[\"" : "[\"");
		buf_json(b, bytes_str(h.name), SIZE_MAX);
		buf_str(b, "\",\"");
		buf_json(b, h.value, SIZE_MAX);
		buf_str(b, "\"]");
	}
	buf_char(b, ']');
	assert(!b->failed); /* a dozen short headers */
	return buf_view(b);
}

static int64_t flags_of(const struct record *rec)
{
	return (int64_t)((uint64_t)rec->partition_word << STORE_WORD_SHIFT |
	                 min_size(rec->items, STORE_ITEMS_MAX) << STORE_ITEMS_SHIFT |
	                 (rec->spread ? 0 : STORE_FIXED));
}

static int write_rows(struct store_writer *w, const struct record *records, struct err *err)
{
	if (store_file_begin(w->file, err) < 0)
		return -1;
	for (const struct record *rec = records; rec; rec = rec->next) {
		struct store_row row = {
			.received_ms = rec->parcel->timestamp_ms,
			.flags = w->bounds.sent_on ? flags_of(rec) : 0,
			.tenant = rec->parcel->key,
			.topic = bytes_str(rec->parcel->topic_name),
			.signal = bytes_str(signal_name(rec->parcel->signal)),
			.headers = headers_json(&w->headers, rec),
			.value = rec->value,
		};

		if (store_file_add(w->file, &row, err) < 0)
			return -1;
	}
	return store_file_commit(w->file, err);
}

static void write_group(struct store_writer *w, struct record *records)
{
	enum verdict v = need_file(w);
	struct err err = { "" };
	int64_t seq;
	uint64_t before;

	if (v != V_NONE) {
		answer(w, records, v, 0, 0);
		return;
	}
	if (!store_file_is_ours(w->file)) {
		/* Others may take the file for a closed one, and drop it. */
		err_set(&err, "its lock file was removed");
		answer(w, records, V_STORE, 0, 0);
		replace_file(w, STORE_LOCK_LOST, &err);
		return;
	}
	records = within_bounds(w, records);
	if (!records)
		return;
	seq = w->file->rows + 1;
	before = store_file_bytes(w->file);
	if (write_rows(w, records, &err) < 0) {
		answer(w, records, V_STORE, 0, 0);
		replace_file(w, STORE_COMMIT_FAILED, &err);
		return;
	}
	answer(w, records, V_ACCEPTED, w->file->number, seq);
	before = (store_file_bytes(w->file) - before) * CHECKPOINT_FACTOR;
	w->room = w->room > before ? w->room - before : 0;
}

/* ---- the thread ---- */

/* The next group from the queue; the mutex is held. */
static struct record *take_group(struct store_writer *w)
{
	struct record *records = w->first, **end = &w->first;
	size_t bytes = 0;

	for (unsigned n = 0; *end && n < GROUP_RECORDS && bytes < GROUP_BYTES; n++) {
		bytes += (*end)->value.n;
		end = &(*end)->next;
	}
	w->first = *end;
	if (!w->first)
		w->last = &w->first;
	*end = NULL;
	return records;
}

static void *writer_main(void *arg)
{
	struct store_writer *w = arg;
	bool stop = false, wanted;

	need_file(w); /* tells early whether it can be written at all */
	while (!stop) {
		struct record *records;

		pthread_mutex_lock(&w->mutex);
		if (!w->first && !w->stop && !w->rotate) {
			w->asleep = true;
			store_cond_wait(&w->more, &w->mutex, TICK_MS);
			w->asleep = false;
		}
		records = w->first ? take_group(w) : NULL;
		stop = w->stop && !records;
		wanted = w->rotate;
		w->rotate = false;
		pthread_mutex_unlock(&w->mutex);
		if (records)
			write_group(w, records);
		else if (!stop && !w->file && !atomic_load(&w->state->full))
			need_file(w);
		if (is_due(w) || (wanted && w->file && w->file->rows > 0))
			rotate(w);
	}
	if (w->file)
		store_keeper_finish(w->keeper, take_ptr(&w->file));
	return NULL;
}

struct store_writer *store_writer_open(const struct store_dir *dir, struct store_state *state,
                                       struct store_keeper *keeper,
                                       const struct store_bounds *bounds, struct err *err)
{
	struct store_writer *w = xcalloc(1, sizeof(*w));

	w->dir = dir;
	w->state = state;
	w->keeper = keeper;
	w->bounds = *bounds;
	w->last = &w->first;
	w->done_end = &w->done;
	buf_init(&w->headers, HEADERS_BYTES);
	pthread_mutex_init(&w->mutex, NULL);
	store_cond_init(&w->more);
	if (store_thread(&w->thread, writer_main, w, err) < 0) {
		store_writer_free(w);
		return NULL;
	}
	return w;
}

void store_writer_push(struct store_writer *w, struct record *rec)
{
	bool wake;

	rec->next = NULL;
	pthread_mutex_lock(&w->mutex);
	*w->last = rec;
	w->last = &rec->next;
	wake = w->asleep;
	w->asleep = false; /* one signal is enough */
	pthread_mutex_unlock(&w->mutex);
	if (wake)
		pthread_cond_signal(&w->more);
}

void store_writer_rotate(struct store_writer *w)
{
	pthread_mutex_lock(&w->mutex);
	w->rotate = true;
	pthread_mutex_unlock(&w->mutex);
	pthread_cond_signal(&w->more);
}

struct store_group *store_writer_take(struct store_writer *w)
{
	struct store_group *done;

	pthread_mutex_lock(&w->mutex);
	done = take_ptr(&w->done);
	w->done_end = &w->done;
	pthread_mutex_unlock(&w->mutex);
	return done;
}

void store_writer_stop(struct store_writer *w)
{
	pthread_mutex_lock(&w->mutex);
	w->stop = true;
	pthread_mutex_unlock(&w->mutex);
	pthread_cond_signal(&w->more);
	pthread_join(w->thread, NULL);
}

void store_writer_free(struct store_writer *w)
{
	pthread_cond_destroy(&w->more);
	pthread_mutex_destroy(&w->mutex);
	buf_done(&w->headers);
	free(w);
}
