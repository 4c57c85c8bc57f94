/* SPDX-License-Identifier: Apache-2.0 */
/*
 * records.c -- a merge of the store's files by time. There may be hundreds of them, each three
 * descriptors when open, so one is opened when its first row's turn has come and closed behind its
 * last. A pass looks only at files that have changed since the one before, or lately.
 */
#include "tools/ctl/records_file.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include "common/crc32c.h"

enum { SETTLED_S = 60 };

struct records {
	struct records_at at;
	struct records_file *files; /* by number */
	unsigned count;
	bool passed; /* once at least */
};

static const char rows_sql[] =
	"SELECT seq, received_ms, tenant, topic, signal, headers, crc32c, value FROM record "
	"WHERE seq > ?1 AND (?2 IS NULL OR tenant = ?2) AND (?3 IS NULL OR signal = ?3) "
	"AND received_ms >= ?4 ORDER BY seq";
static const char keys_sql[] =
	"SELECT received_ms, seq FROM record "
	"WHERE seq > ?1 AND (?2 IS NULL OR tenant = ?2) AND (?3 IS NULL OR signal = ?3) "
	"AND received_ms >= ?4 ORDER BY seq DESC LIMIT ?5";

/* ---- the folder ---- */

static bool take_name(const char *name, uint32_t *number)
{
	size_t n = strlen(name);
	uint64_t value;

	if (n != RECORDS_NAME_BYTES - 1 ||
	    strcmp(name + STORE_NUMBER_DIGITS, STORE_DB_SUFFIX) != 0 ||
	    !bytes_to_u64(bytes_of(name, STORE_NUMBER_DIGITS), STORE_NUMBER_MAX, &value))
		return false;
	*number = (uint32_t)value;
	return true;
}

static void add_file(struct records *r, const char *name, uint32_t number)
{
	unsigned at = r->count;

	while (at && r->files[at - 1].number > number)
		at--;
	if (at && r->files[at - 1].number == number)
		return;
	r->files = xrealloc(r->files, r->count + 1, sizeof(*r->files));
	memmove(&r->files[at + 1], &r->files[at], (r->count - at) * sizeof(*r->files));
	r->count++;
	memset(&r->files[at], 0, sizeof(r->files[at]));
	r->files[at].number = number;
	memcpy(r->files[at].name, name, RECORDS_NAME_BYTES);
}

static int read_folder(struct records *r, struct err *err)
{
	DIR *dir = opendir(r->at.dir);
	struct dirent *e;
	uint32_t number;

	if (!dir)
		return err_errno(err, "%s", r->at.dir);
	while ((e = readdir(dir)))
		if (take_name(e->d_name, &number))
			add_file(r, e->d_name, number);
	closedir(dir);
	return 0;
}

static bool look_at(const struct records *r, const struct records_file *f, struct records_look *out)
{
	char path[PATH_MAX];
	struct stat st;

	memset(out, 0, sizeof(*out));
	records_file_path(&r->at, f, "", path, sizeof(path));
	if (stat(path, &st) < 0)
		return false; /* dropped meanwhile: whole files go */
	out->db_bytes = st.st_size;
	out->db_at = st.st_mtim;
	records_file_path(&r->at, f, "-wal", path, sizeof(path));
	if (stat(path, &st) == 0) {
		out->wal_bytes = st.st_size;
		out->wal_at = st.st_mtim;
	}
	return true;
}

/* A commit writes to the -wal first and shows its rows when the disk has them: what was looked at
 * in between does not change any more, and has more to tell all the same. */
static bool is_settled(const struct records_look *look)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return !look->wal_bytes || now.tv_sec - look->wal_at.tv_sec > SETTLED_S;
}

struct records *records_open(const char *dir, const struct records_filter *filter, struct err *err)
{
	struct records *r = xcalloc(1, sizeof(*r));

	r->at.dir = dir;
	r->at.filter = *filter;
	if (read_folder(r, err) == 0)
		return r;
	free(r);
	return NULL;
}

void records_close(struct records *r)
{
	if (!r)
		return;
	for (unsigned i = 0; i < r->count; i++)
		records_file_close(&r->files[i]);
	free(r->files);
	free(r);
}

/* ---- the last N ---- */

struct key {
	int64_t ms, seq;
	uint32_t number;
};

static int compare_keys(const void *a, const void *b)
{
	const struct key *x = a, *y = b;

	if (x->ms != y->ms)
		return x->ms < y->ms ? -1 : 1;
	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return (x->seq > y->seq) - (x->seq < y->seq);
}

struct keys {
	struct key *v;
	size_t n, room;
	uint64_t last;
};

static void keep_last(struct keys *k)
{
	if (k->n > 1)
		qsort(k->v, k->n, sizeof(*k->v), compare_keys);
	if (k->n > k->last) {
		memmove(k->v, k->v + (k->n - k->last), k->last * sizeof(*k->v));
		k->n = k->last;
	}
}

static void add_key(struct keys *k, const struct key *key)
{
	if (k->n == k->room) {
		k->room = k->room ? 2 * k->room : 64;
		k->v = xrealloc(k->v, k->room, sizeof(*k->v));
	}
	k->v[k->n++] = *key;
}

static int file_keys(const struct records *r, struct records_file *f, struct keys *k,
                     struct err *err)
{
	sqlite3_stmt *s = NULL;
	int rc = records_file_open(&r->at, f, err);

	if (rc <= 0)
		return rc;
	rc = records_file_prepare(&r->at, f, keys_sql, &s);
	if (rc == SQLITE_OK) {
		sqlite3_bind_int64(s, 5, (sqlite3_int64)k->last);
		while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
			struct key key = { sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1),
				           f->number };

			f->top = key.seq > f->top ? key.seq : f->top;
			add_key(k, &key);
		}
	}
	rc = rc == SQLITE_DONE ? 0 : records_file_fault(f, err);
	sqlite3_finalize(s);
	records_file_close(f);
	return rc;
}

/* Each due file is to begin where the last rows do; what lies before is never told. */
static void begin_at_last(struct records *r, uint64_t last, const struct records_hooks *hooks)
{
	struct keys k = { .last = last };

	for (unsigned i = 0; i < r->count; i++) {
		struct records_file *f = &r->files[i];
		struct err err;

		if (!f->due)
			continue;
		if (file_keys(r, f, &k, &err) < 0) {
			hooks->bad(hooks->arg, f->name, err.text);
			f->due = false;
		}
		keep_last(&k);
	}
	for (unsigned i = 0; i < r->count; i++) {
		struct records_file *f = &r->files[i];

		f->told = f->top;
		for (size_t n = 0; n < k.n; n++)
			if (k.v[n].number == f->number && k.v[n].seq <= f->told)
				f->told = k.v[n].seq - 1;
	}
	free(k.v);
}

/* ---- the merge ---- */

/* 1: it stands at its first row; 0: there is none. */
static int begin_file(const struct records *r, struct records_file *f, struct err *err)
{
	int rc = records_file_open(&r->at, f, err);

	f->due = false;
	if (rc <= 0)
		return rc;
	if (records_file_prepare(&r->at, f, rows_sql, &f->rows) != SQLITE_OK)
		rc = records_file_fault(f, err);
	else
		rc = records_file_step(f, err);
	if (rc <= 0)
		records_file_close(f);
	return rc;
}

/* Which of the due files begins first; closed again, so that only the merge holds files open. */
static void find_first(const struct records *r, struct records_file *f,
                       const struct records_hooks *hooks)
{
	struct err err;
	int rc = begin_file(r, f, &err);

	if (rc < 0)
		hooks->bad(hooks->arg, f->name, err.text);
	f->due = rc > 0;
	f->first_ms = f->ms;
	records_file_close(f);
}

static struct records_file *earliest_due(struct records *r)
{
	struct records_file *best = NULL;

	for (unsigned i = 0; i < r->count; i++)
		if (r->files[i].due && (!best || r->files[i].first_ms < best->first_ms))
			best = &r->files[i];
	return best;
}

static struct records_file *earliest_open(struct records *r)
{
	struct records_file *best = NULL;

	for (unsigned i = 0; i < r->count; i++)
		if (r->files[i].rows && (!best || r->files[i].ms < best->ms))
			best = &r->files[i]; /* of equal times the lower number, which comes first
			                      */
	return best;
}

static bool tell(struct records_file *f, const struct records_hooks *hooks)
{
	struct bytes value =
		bytes_of(sqlite3_column_blob(f->rows, 7), (size_t)sqlite3_column_bytes(f->rows, 7));
	struct records_row row = {
		.file = f->name,
		.seq = f->seq,
		.received_ms = f->ms,
		.tenant = (const char *)sqlite3_column_text(f->rows, 2),
		.topic = (const char *)sqlite3_column_text(f->rows, 3),
		.signal = (const char *)sqlite3_column_text(f->rows, 4),
		.headers = (const char *)sqlite3_column_text(f->rows, 5),
		.value = value,
		.intact = crc32c(value) == (uint32_t)sqlite3_column_int64(f->rows, 6),
	};

	if (!row.tenant || !row.topic || !row.signal || !row.headers)
		out_of_memory(); /* the columns are NOT NULL */
	f->told = f->seq;
	return hooks->row(hooks->arg, &row);
}

static void merge(struct records *r, const struct records_hooks *hooks)
{
	bool more = true;

	while (more) {
		struct records_file *due = earliest_due(r), *f = earliest_open(r);
		struct err err;
		int rc;

		if (due && (!f || due->first_ms <= f->ms)) {
			if (begin_file(r, due, &err) < 0)
				hooks->bad(hooks->arg, due->name, err.text);
			continue;
		}
		if (!f)
			return;
		more = tell(f, hooks);
		rc = records_file_step(f, &err);
		if (rc < 0)
			hooks->bad(hooks->arg, f->name, err.text);
		if (rc <= 0)
			records_file_close(f);
	}
	for (unsigned i = 0; i < r->count; i++)
		records_file_close(&r->files[i]);
}

int records_pass(struct records *r, uint64_t last, const struct records_hooks *hooks,
                 struct err *err)
{
	if (r->passed && read_folder(r, err) < 0)
		return -1;
	for (unsigned i = 0; i < r->count; i++) {
		struct records_file *f = &r->files[i];
		struct records_look look;

		f->due = look_at(r, f, &look) &&
		         (!is_settled(&look) || memcmp(&look, &f->look, sizeof(look)) != 0);
		f->look = look;
	}
	if (!r->passed && last)
		begin_at_last(r, last, hooks);
	for (unsigned i = 0; i < r->count; i++)
		if (r->files[i].due)
			find_first(r, &r->files[i], hooks);
	merge(r, hooks);
	r->passed = true;
	return 0;
}
