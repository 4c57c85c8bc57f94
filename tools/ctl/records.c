/* SPDX-License-Identifier: Apache-2.0 */
/*
 * records.c -- a merge of the store's files by time. There may be hundreds of them, each three
 * descriptors when open, so one is opened when its first row's turn has come and closed behind its
 * last. A pass looks only at files that have changed since the one before.
 *
 * A file that was closed in the ordinary way has no -wal, and SQLite cannot make one where the
 * reader may not write (operations.md 2). Then the database file alone is all of it: it is read
 * into memory and looked at there.
 */
#include "tools/ctl/records.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "common/crc32c.h"
#include "worker/store.h"

enum {
	NAME_BYTES = STORE_NUMBER_DIGITS + sizeof(STORE_DB_SUFFIX),
	BUSY_MS = 2000,
	READ_VERSION_AT = 19, /* of a database header: 2 is WAL, 1 a rollback journal */
	WRITE_VERSION_AT = 18,
	HEADER_BYTES = 100,
	IMAGE_MAX_BYTES = 1024 * MIB,
};

struct look { /* what tells that a file has new rows */
	off_t db_bytes, wal_bytes;
	struct timespec db_at, wal_at;
};

struct file {
	char name[NAME_BYTES];
	uint32_t number;
	struct look look;
	int64_t told; /* seq of the last row that a pass went by */
	int64_t top; /* of the last row there was when the last N were looked for */
	int64_t first_ms; /* of the first row that this pass has to tell */
	bool due; /* in this pass, not opened yet */
	/* while it is open */
	sqlite3 *db;
	sqlite3_stmt *rows;
	int64_t ms, seq; /* of the row it stands at */
};

struct records {
	const char *dir;
	struct records_filter filter;
	struct file *files; /* by number */
	unsigned count;
	bool passed; /* once at least */
};

/* ---- one file ---- */

static void file_path(const struct records *r, const struct file *f, const char *suffix, char *out,
                      size_t cap)
{
	snprintf(out, cap, "%s/%s%s", r->dir, f->name, suffix);
}

static void file_close(struct file *f)
{
	sqlite3_finalize(f->rows);
	sqlite3_close(f->db);
	f->rows = NULL;
	f->db = NULL;
}

static int say(struct file *f, struct err *err)
{
	return err_set(err, "%s", f->db ? sqlite3_errmsg(f->db) : "no memory");
}

static const char rows_sql[] =
	"SELECT seq, received_ms, tenant, topic, signal, headers, crc32c, value FROM record "
	"WHERE seq > ?1 AND (?2 IS NULL OR tenant = ?2) AND (?3 IS NULL OR signal = ?3) "
	"AND received_ms >= ?4 ORDER BY seq";
static const char keys_sql[] =
	"SELECT received_ms, seq FROM record "
	"WHERE seq > ?1 AND (?2 IS NULL OR tenant = ?2) AND (?3 IS NULL OR signal = ?3) "
	"AND received_ms >= ?4 ORDER BY seq DESC LIMIT ?5";

static void bind_text(sqlite3_stmt *s, int index, const char *text)
{
	if (text)
		sqlite3_bind_text(s, index, text, -1, SQLITE_STATIC);
	else
		sqlite3_bind_null(s, index);
}

static int prepare(const struct records *r, struct file *f, const char *sql, sqlite3_stmt **out)
{
	int rc = sqlite3_prepare_v2(f->db, sql, -1, out, NULL);

	if (rc != SQLITE_OK)
		return rc;
	sqlite3_bind_int64(*out, 1, f->told);
	bind_text(*out, 2, r->filter.tenant);
	bind_text(*out, 3, r->filter.signal);
	sqlite3_bind_int64(*out, 4, r->filter.since_ms);
	return SQLITE_OK;
}

static int pragma(struct file *f, const char *sql, int64_t *out)
{
	sqlite3_stmt *s;
	int rc = sqlite3_prepare_v2(f->db, sql, -1, &s, NULL);

	if (rc == SQLITE_OK) {
		rc = sqlite3_step(s);
		*out = rc == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
		rc = rc == SQLITE_ROW ? SQLITE_OK : rc;
	}
	sqlite3_finalize(s);
	return rc;
}

/* 1: a store's file of this version; 0: nothing in it yet; -1 with *err said; the result code of
 * SQLite in *rc. */
static int is_ours(struct file *f, int *rc, struct err *err)
{
	int64_t id = 0, version = 0;

	*rc = pragma(f, "PRAGMA application_id", &id);
	if (*rc == SQLITE_OK)
		*rc = pragma(f, "PRAGMA user_version", &version);
	if (*rc != SQLITE_OK)
		return say(f, err);
	if (id == 0 && version == 0)
		return 0; /* just made: its schema is on the way */
	if (id != STORE_APPLICATION_ID)
		return err_set(err, "this is no file of headgate's local store");
	if (version != STORE_USER_VERSION)
		return err_set(err, "its version is %lld, this program reads %d",
		               (long long)version, STORE_USER_VERSION);
	return 1;
}

static bool is_wal_empty(const struct records *r, const struct file *f)
{
	char path[PATH_MAX];
	struct stat st;

	file_path(r, f, "-wal", path, sizeof(path));
	return stat(path, &st) < 0 ? errno == ENOENT : st.st_size == 0;
}

static int read_image(const char *path, uint8_t **out, size_t *n, struct err *err)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t at = 0, size;
	struct stat st;
	ssize_t got;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(err, "can't open it");
	if (st.st_size < HEADER_BYTES || st.st_size > IMAGE_MAX_BYTES)
		return err_set(err, "%lld bytes are no store's file", (long long)st.st_size);
	size = (size_t)st.st_size;
	*out = sqlite3_malloc64(size);
	if (!*out)
		out_of_memory();
	while (at < size && (got = read(fd, *out + at, size - at)) != 0) {
		if (got < 0 && errno != EINTR) {
			sqlite3_free(*out);
			return err_errno(err, "can't read it");
		}
		at += got > 0 ? (size_t)got : 0;
	}
	*n = at;
	return 0;
}

/* Without its -wal. A database in memory knows no WAL mode, so the copy says it has none. */
static int open_image(const struct records *r, struct file *f, struct err *err)
{
	char path[PATH_MAX];
	uint8_t *image;
	size_t n;
	int rc;

	file_close(f);
	file_path(r, f, "", path, sizeof(path));
	if (read_image(path, &image, &n, err) < 0)
		return -1;
	image[WRITE_VERSION_AT] = image[READ_VERSION_AT] = 1;
	if (sqlite3_open_v2(":memory:", &f->db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK) {
		sqlite3_free(image);
		return say(f, err);
	}
	rc = sqlite3_deserialize(f->db, "main", image, (sqlite3_int64)n, (sqlite3_int64)n,
	                         SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_READONLY);
	return rc == SQLITE_OK ? is_ours(f, &rc, err) : say(f, err);
}

/* 1: open; 0: there is nothing in it yet; -1 with *err said. */
static int file_open(const struct records *r, struct file *f, struct err *err)
{
	char path[PATH_MAX];
	int rc, ours;

	file_path(r, f, "", path, sizeof(path));
	rc = sqlite3_open_v2(path, &f->db, SQLITE_OPEN_READONLY, NULL);
	if (rc != SQLITE_OK) {
		ours = say(f, err);
	} else {
		sqlite3_busy_timeout(f->db, BUSY_MS);
		sqlite3_db_config(f->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
		ours = is_ours(f, &rc, err);
	}
	if (ours < 0 && ((rc & 0xff) == SQLITE_READONLY || (rc & 0xff) == SQLITE_CANTOPEN) &&
	    is_wal_empty(r, f))
		ours = open_image(r, f, err);
	if (ours <= 0)
		file_close(f);
	return ours;
}

/* To the next row: 1, 0 at the end, -1. */
static int file_step(struct file *f, struct err *err)
{
	int rc = sqlite3_step(f->rows);

	if (rc == SQLITE_DONE)
		return 0;
	if (rc != SQLITE_ROW)
		return say(f, err);
	f->seq = sqlite3_column_int64(f->rows, 0);
	f->ms = sqlite3_column_int64(f->rows, 1);
	return 1;
}

/* ---- the folder ---- */

static bool take_name(const char *name, uint32_t *number)
{
	size_t n = strlen(name);
	uint64_t value;

	if (n != NAME_BYTES - 1 || strcmp(name + STORE_NUMBER_DIGITS, STORE_DB_SUFFIX) != 0 ||
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
	memcpy(r->files[at].name, name, NAME_BYTES);
}

static int read_folder(struct records *r, struct err *err)
{
	DIR *dir = opendir(r->dir);
	struct dirent *e;
	uint32_t number;

	if (!dir)
		return err_errno(err, "%s", r->dir);
	while ((e = readdir(dir)))
		if (take_name(e->d_name, &number))
			add_file(r, e->d_name, number);
	closedir(dir);
	return 0;
}

static bool look_at(const struct records *r, const struct file *f, struct look *out)
{
	char path[PATH_MAX];
	struct stat st;

	memset(out, 0, sizeof(*out));
	file_path(r, f, "", path, sizeof(path));
	if (stat(path, &st) < 0)
		return false; /* dropped meanwhile: whole files go */
	out->db_bytes = st.st_size;
	out->db_at = st.st_mtim;
	file_path(r, f, "-wal", path, sizeof(path));
	if (stat(path, &st) == 0) {
		out->wal_bytes = st.st_size;
		out->wal_at = st.st_mtim;
	}
	return true;
}

struct records *records_open(const char *dir, const struct records_filter *filter, struct err *err)
{
	struct records *r = xcalloc(1, sizeof(*r));

	r->dir = dir;
	r->filter = *filter;
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
		file_close(&r->files[i]);
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

static int file_keys(const struct records *r, struct file *f, struct keys *k, struct err *err)
{
	sqlite3_stmt *s = NULL;
	int rc = file_open(r, f, err);

	if (rc <= 0)
		return rc;
	rc = prepare(r, f, keys_sql, &s);
	if (rc == SQLITE_OK) {
		sqlite3_bind_int64(s, 5, (sqlite3_int64)k->last);
		while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
			struct key key = { sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1),
				           f->number };

			f->top = key.seq > f->top ? key.seq : f->top;
			add_key(k, &key);
		}
	}
	rc = rc == SQLITE_DONE ? 0 : say(f, err);
	sqlite3_finalize(s);
	file_close(f);
	return rc;
}

/* Each due file is to begin where the last rows do; what lies before is never told. */
static void begin_at_last(struct records *r, uint64_t last, const struct records_hooks *hooks)
{
	struct keys k = { .last = last };

	for (unsigned i = 0; i < r->count; i++) {
		struct file *f = &r->files[i];
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
		struct file *f = &r->files[i];

		f->told = f->top;
		for (size_t n = 0; n < k.n; n++)
			if (k.v[n].number == f->number && k.v[n].seq <= f->told)
				f->told = k.v[n].seq - 1;
	}
	free(k.v);
}

/* ---- the merge ---- */

/* 1: it stands at its first row; 0: there is none. */
static int begin_file(const struct records *r, struct file *f, struct err *err)
{
	int rc = file_open(r, f, err);

	f->due = false;
	if (rc <= 0)
		return rc;
	if (prepare(r, f, rows_sql, &f->rows) != SQLITE_OK)
		rc = say(f, err);
	else
		rc = file_step(f, err);
	if (rc <= 0)
		file_close(f);
	return rc;
}

/* Which of the due files begins first; closed again, so that only the merge holds files open. */
static void find_first(const struct records *r, struct file *f, const struct records_hooks *hooks)
{
	struct err err;
	int rc = begin_file(r, f, &err);

	if (rc < 0)
		hooks->bad(hooks->arg, f->name, err.text);
	f->due = rc > 0;
	f->first_ms = f->ms;
	file_close(f);
}

static struct file *earliest_due(struct records *r)
{
	struct file *best = NULL;

	for (unsigned i = 0; i < r->count; i++)
		if (r->files[i].due && (!best || r->files[i].first_ms < best->first_ms))
			best = &r->files[i];
	return best;
}

static struct file *earliest_open(struct records *r)
{
	struct file *best = NULL;

	for (unsigned i = 0; i < r->count; i++)
		if (r->files[i].rows && (!best || r->files[i].ms < best->ms))
			best = &r->files[i]; /* of equal times the lower number, which comes first
			                      */
	return best;
}

static bool tell(struct file *f, const struct records_hooks *hooks)
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
		struct file *due = earliest_due(r), *f = earliest_open(r);
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
		rc = file_step(f, &err);
		if (rc < 0)
			hooks->bad(hooks->arg, f->name, err.text);
		if (rc <= 0)
			file_close(f);
	}
	for (unsigned i = 0; i < r->count; i++)
		file_close(&r->files[i]);
}

int records_pass(struct records *r, uint64_t last, const struct records_hooks *hooks,
                 struct err *err)
{
	if (r->passed && read_folder(r, err) < 0)
		return -1;
	for (unsigned i = 0; i < r->count; i++) {
		struct file *f = &r->files[i];
		struct look look;

		f->due = look_at(r, f, &look) && memcmp(&look, &f->look, sizeof(look)) != 0;
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
