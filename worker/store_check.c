/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/store_check.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>

#include "common/crc32c.h"

enum {
	/* The -wal (sqlite.org/fileformat2.html 4.1). */
	WAL_HEADER = 32,
	WAL_MAGIC_AT = 0,
	WAL_PAGE_AT = 8,
	WAL_SALT_AT = 16,
	WAL_SUM_AT = 24,
	FRAME_HEADER = 24,
	FRAME_COMMIT_AT = 4,
	FRAME_SALT_AT = 8,
	FRAME_SUM_AT = 16,
	SALT_BYTES = 8,
	PAGE_MIN = 512,
	PAGE_MAX = 65536,
	RESCUE_BYTES = MIB, /* of values in one transaction */
};
static const uint32_t WAL_MAGIC = 0x377f0682; /* its last bit: the sums' words are big-endian */

/* In the order of store_row, and what says whether it is whole. */
static const char all_rows[] = "SELECT received_ms, tenant, topic, signal, headers, crc32c, value, "
			       "seq, flags FROM record WHERE seq > ?1 ORDER BY seq";

/* ---- what SQLite does not tell ---- */

struct wal {
	int fd;
	bool big_endian;
	uint32_t page, sum[2];
	uint8_t salt[SALT_BYTES];
	off_t at; /* of the next frame */
	uint8_t frame[FRAME_HEADER + PAGE_MAX];
};

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t wal_word(const struct wal *w, const uint8_t *p)
{
	return w->big_endian ? be32(p) : __builtin_bswap32(be32(p));
}

static void wal_add(struct wal *w, const uint8_t *p, size_t n)
{
	for (; n >= 8; p += 8, n -= 8) {
		w->sum[0] += wal_word(w, p) + w->sum[1];
		w->sum[1] += wal_word(w, p + 4) + w->sum[0];
	}
}

static bool wal_sum_is(const struct wal *w, const uint8_t *stored)
{
	return be32(stored) == w->sum[0] && be32(stored + 4) == w->sum[1];
}

/* False if nothing in it can be judged. */
static bool wal_begin(struct wal *w, int fd)
{
	uint8_t head[WAL_HEADER];

	w->fd = fd;
	if (pread(fd, head, sizeof(head), 0) != (ssize_t)sizeof(head))
		return false;
	w->big_endian = be32(head + WAL_MAGIC_AT) & 1;
	w->page = be32(head + WAL_PAGE_AT);
	w->at = WAL_HEADER;
	memcpy(w->salt, head + WAL_SALT_AT, SALT_BYTES);
	wal_add(w, head, WAL_SUM_AT);
	return (be32(head + WAL_MAGIC_AT) & ~1u) == WAL_MAGIC && w->page >= PAGE_MIN &&
	       w->page <= PAGE_MAX && wal_sum_is(w, head + WAL_SUM_AT);
}

/* False at its end. */
static bool wal_next(struct wal *w)
{
	ssize_t n = (ssize_t)(FRAME_HEADER + w->page);

	if (pread(w->fd, w->frame, (size_t)n, w->at) != n)
		return false;
	w->at += n;
	return true;
}

static bool frame_is_right(struct wal *w)
{
	wal_add(w, w->frame, FRAME_SALT_AT);
	wal_add(w, w->frame + FRAME_HEADER, w->page);
	return memcmp(w->frame + FRAME_SALT_AT, w->salt, SALT_BYTES) == 0 &&
	       wal_sum_is(w, w->frame + FRAME_SUM_AT);
}

/*
 * SQLite takes the -wal up to the first frame that is not right, and what follows for the torn end
 * of a transaction that was never synced. But each of ours is synced before the next begins, so
 * from there on there can be one commit at most. More of them mean that bytes changed in what was
 * safe. Behind a header that is not right there can be none: it is synced before the first frame.
 */
static bool commits_are_lost(const struct store_dir *dir, uint32_t number)
{
	autofree struct wal *w = xcalloc(1, sizeof(*w));
	char name[STORE_NAME_BYTES];
	unsigned commits = 0, torn = 1;
	bool right = true;
	autoclose int fd = -1;

	store_name(name, number, STORE_WAL);
	fd = openat(dir->fd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (!wal_begin(w, fd)) {
		/* Not even the header: its page size is ours, its salt that of the frames. */
		right = false;
		torn = 0;
		w->page = STORE_PAGE_BYTES;
		w->at = WAL_HEADER;
		if (!wal_next(w))
			return false;
		memcpy(w->salt, w->frame + FRAME_SALT_AT, SALT_BYTES);
		w->at = WAL_HEADER;
	}
	while (wal_next(w)) {
		right = right && frame_is_right(w);
		if (!right && be32(w->frame + FRAME_COMMIT_AT) != 0 &&
		    memcmp(w->frame + FRAME_SALT_AT, w->salt, SALT_BYTES) == 0)
			commits++;
	}
	return commits > torn;
}

/* What is known without opening it, which would delete a -wal beside an empty .db. */
static enum store_fate look(const struct store_dir *dir, const struct store_lock *lock,
                            struct err *why)
{
	uint64_t db_bytes = 0, wal_bytes = 0;
	bool has_db = store_has(dir, lock->number, STORE_DB, &db_bytes);
	bool has_wal = store_has(dir, lock->number, STORE_WAL, &wal_bytes);

	if (!has_db) /* somebody died while removing it: the .db goes first */
		return STORE_EMPTY;
	if (db_bytes == 0) {
		err_set(why, "the file is empty");
		return lock->used || wal_bytes ? STORE_BAD : STORE_EMPTY;
	}
	if (lock->used && !has_wal) {
		err_set(why, "the -wal is gone");
		return STORE_BAD;
	}
	if (commits_are_lost(dir, lock->number)) {
		err_set(why, "bytes of the -wal changed: rows of it are lost");
		return STORE_BAD;
	}
	return STORE_GOOD;
}

/* ---- what SQLite tells ---- */

/* The first column of the first row; INT64_MIN with *err said. */
static int64_t ask_int(struct sqlite3 *db, const char *sql, struct err *err)
{
	struct sqlite3_stmt *st = NULL;
	int64_t value = INT64_MIN;

	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW)
		value = sqlite3_column_int64(st, 0);
	else
		store_sql_err(db, sql, err);
	sqlite3_finalize(st);
	return value;
}

static int quick_check(struct sqlite3 *db, struct err *err)
{
	struct sqlite3_stmt *st = NULL;
	const char *says = NULL;
	int rc = -1;

	if (sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &st, NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW)
		says = (const char *)sqlite3_column_text(st, 0);
	if (!says)
		store_sql_err(db, "quick_check", err);
	else if (strcmp(says, "ok") != 0)
		err_set(err, "quick_check: %.200s", says);
	else
		rc = 0;
	sqlite3_finalize(st);
	return rc;
}

static struct bytes column(struct sqlite3_stmt *st, int i)
{
	const void *p = sqlite3_column_blob(st, i); /* first: it may convert */

	return bytes_of(p, (size_t)sqlite3_column_bytes(st, i));
}

static bool row_is_whole(struct sqlite3_stmt *st)
{
	return (uint32_t)sqlite3_column_int64(st, 5) == crc32c(column(st, 6));
}

/* Every value against its checksum, which quick_check does not know of. Sets f->rows. */
static int check_rows(struct store_file *f, struct err *err)
{
	struct sqlite3_stmt *st = NULL;
	int rc, bad = 0;

	if (sqlite3_prepare_v2(f->db, all_rows, -1, &st, NULL) != SQLITE_OK)
		return store_sql_err(f->db, "its rows", err);
	sqlite3_bind_int64(st, 1, 0);
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		if (row_is_whole(st) && sqlite3_column_int64(st, 7) == f->rows + 1) {
			f->rows++;
			continue;
		}
		bad = err_set(err, "row %lld is not what was stored",
		              (long long)sqlite3_column_int64(st, 7));
		break;
	}
	if (!bad && rc != SQLITE_DONE)
		bad = store_sql_err(f->db, "its rows", err);
	sqlite3_finalize(st);
	return bad;
}

static enum store_fate check_open(struct store_file *f, bool used, struct err *err)
{
	int64_t id = ask_int(f->db, "PRAGMA application_id", err);

	if (id == INT64_MIN)
		return store_sql_is_passing(f->db) ? STORE_LATER : STORE_BAD;
	if (id == 0 && !used) /* it was still being made */
		return STORE_EMPTY;
	if (id != STORE_APPLICATION_ID ||
	    ask_int(f->db, "PRAGMA user_version", err) != STORE_USER_VERSION) {
		err_set(err, "it is no file of this store");
		return STORE_BAD;
	}
	if (quick_check(f->db, err) < 0 || check_rows(f, err) < 0)
		return store_sql_is_passing(f->db) ? STORE_LATER : STORE_BAD;
	return f->rows ? STORE_GOOD : STORE_EMPTY;
}

enum store_fate store_check(const struct store_dir *dir, struct store_lock *lock,
                            struct store_file **file, struct err *why)
{
	enum store_fate fate = look(dir, lock, why);
	struct store_file *f;
	bool passing;

	if (fate != STORE_GOOD)
		return fate;
	f = store_file_open(dir, lock, &passing, why);
	if (!f)
		return passing ? STORE_LATER : STORE_BAD;
	fate = check_open(f, f->lock.used, why);
	if (fate == STORE_GOOD) {
		*file = f;
	} else {
		*lock = f->lock;
		f->lock.fd = -1;
		store_file_leave(f);
	}
	return fate;
}

/* ---- rescue ---- */

static void row_of(struct sqlite3_stmt *st, struct store_row *row)
{
	row->received_ms = sqlite3_column_int64(st, 0);
	row->tenant = column(st, 1);
	row->topic = column(st, 2);
	row->signal = column(st, 3);
	row->headers = column(st, 4);
	row->value = column(st, 6);
	row->flags = sqlite3_column_int64(st, 8);
}

/* The next group of rows; 1: that was the last, 0: there may be more. */
static int rescue_group(struct sqlite3_stmt *st, struct store_file *to, int64_t *rows,
                        struct err *err)
{
	struct store_row row;
	size_t bytes = 0;
	int rc = SQLITE_ROW;

	if (store_file_begin(to, err) < 0)
		return -1;
	while (bytes < RESCUE_BYTES && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		if (!row_is_whole(st))
			continue;
		row_of(st, &row);
		if (store_file_add(to, &row, err) < 0)
			return -1;
		bytes += row.value.n;
		++*rows;
	}
	if (store_file_commit(to, err) < 0)
		return -1;
	return rc == SQLITE_ROW ? 0 : 1; /* a read error ends it, too: what came before is good */
}

/* Of a file of the spool: rows up to there need no rescue, they would be sent once more. */
static int64_t progress(struct sqlite3 *db)
{
	struct err none;
	int64_t seq = ask_int(db, "SELECT seq FROM progress", &none);

	return seq > 0 ? seq : 0;
}

int64_t store_rescue(const struct store_dir *dir, uint32_t number, struct store_file *to,
                     struct err *err)
{
	struct store_lock none = { .number = number, .fd = -1 };
	struct sqlite3_stmt *st = NULL;
	uint64_t db_bytes = 0;
	struct store_file *from;
	int64_t rows = 0;
	bool passing;
	int rc = 1;

	if (!store_has(dir, number, STORE_DB, &db_bytes) || db_bytes == 0)
		return 0;
	from = store_file_open(dir, &none, &passing, NULL);
	if (!from)
		return 0;
	if (sqlite3_prepare_v2(from->db, all_rows, -1, &st, NULL) == SQLITE_OK) {
		sqlite3_bind_int64(st, 1, progress(from->db));
		while ((rc = rescue_group(st, to, &rows, err)) == 0)
			;
	}
	sqlite3_finalize(st);
	store_file_leave(from);
	return rc < 0 ? -1 : rows;
}
