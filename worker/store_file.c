/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/store_file.h"

#include <sqlite3.h>
#include <stdio.h>

#include "common/crc32c.h"

enum {
	FRAME_BYTES = STORE_PAGE_BYTES + 24, /* of a -wal (sqlite.org/fileformat2.html 4.1) */
	DB_PAGES = 2, /* header and table, before the first checkpoint */
	BUSY_MS = 50, /* a reader that opens holds a lock for a moment */
	PATH_BYTES = 1024 + STORE_NAME_BYTES,
};

void store_version(char *out, size_t cap)
{
	snprintf(out, cap, "%s (built with %s)", sqlite3_libversion(), SQLITE_VERSION);
}

int store_sql_err(struct sqlite3 *db, const char *what, struct err *err)
{
	return err_set(err, "%s: %s (SQLite error %d)", what, sqlite3_errmsg(db),
	               sqlite3_extended_errcode(db));
}

int store_sql(struct sqlite3 *db, const char *sql, struct err *err)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0
	                                                            : store_sql_err(db, sql, err);
}

bool store_sql_is_passing(struct sqlite3 *db)
{
	int code = sqlite3_extended_errcode(db); /* without a db: no memory */

	switch (code & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_NOMEM:
	case SQLITE_FULL:
	case SQLITE_CANTOPEN:
	case SQLITE_READONLY:
	case SQLITE_PERM:
		return true;
	case SQLITE_IOERR: /* the -shm is made anew from the -wal */
		return code == SQLITE_IOERR_NOMEM || code == SQLITE_IOERR_SHMOPEN ||
		       code == SQLITE_IOERR_SHMSIZE || code == SQLITE_IOERR_SHMMAP ||
		       code == SQLITE_IOERR_SHMLOCK || code == SQLITE_IOERR_LOCK ||
		       code == SQLITE_IOERR_RDLOCK;
	default:
		return false;
	}
}

/* "wal", if the file system can do that. */
static int set_wal(struct sqlite3 *db, struct err *err)
{
	struct sqlite3_stmt *st = NULL;
	bool is_wal = false;

	if (sqlite3_prepare_v2(db, "PRAGMA journal_mode=WAL", -1, &st, NULL) != SQLITE_OK ||
	    sqlite3_step(st) != SQLITE_ROW) {
		store_sql_err(db, "journal_mode=WAL", err);
	} else {
		is_wal = strcmp((const char *)sqlite3_column_text(st, 0), "wal") == 0;
		if (!is_wal)
			err_set(err, "SQLite can't use a write-ahead log here: is the folder on a "
			             "network?");
	}
	sqlite3_finalize(st);
	return is_wal ? 0 : -1;
}

/* How far the -wal has grown. No checkpoint runs before the end (it would need the same disk
 * twice), so the file is an append log. */
static int on_wal(void *arg, struct sqlite3 *db, const char *name, int frames)
{
	struct store_file *f = arg;

	(void)db, (void)name;
	f->wal_frames = (uint64_t)frames;
	return SQLITE_OK;
}

/* What each connection of ours is: settings that no file can change. */
static int open_db(struct store_file *f, int flags, struct err *err)
{
	char path[PATH_BYTES], name[STORE_NAME_BYTES];

	store_name(name, f->number, STORE_DB);
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", f->dir->path, name) >= sizeof(path))
		return err_set(err, "the store's folder has too long a name");
	if (sqlite3_open_v2(path, &f->db, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		return f->db ? store_sql_err(f->db, path, err)
		             : err_set(err, "%s: no memory", path);
	sqlite3_extended_result_codes(f->db, 1);
	sqlite3_busy_timeout(f->db, BUSY_MS);
	sqlite3_db_config(f->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)NULL);
	sqlite3_db_config(f->db, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);
	sqlite3_wal_hook(f->db, on_wal, f);
	return store_sql(f->db,
	                 "PRAGMA trusted_schema=OFF; PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY; "
	                 "PRAGMA synchronous=FULL",
	                 err);
}

static void close_db(struct store_file *f)
{
	sqlite3_finalize(f->insert);
	sqlite3_close(f->db);
	f->insert = NULL;
	f->db = NULL;
}

static int make_table(struct store_file *f, struct err *err)
{
	char ids[128];

	snprintf(ids, sizeof(ids), "PRAGMA application_id=%d; PRAGMA user_version=%d",
	         (int)STORE_APPLICATION_ID, (int)STORE_USER_VERSION);
	/* The table is in the .db before there is a -wal: if that is lost, an empty table without a
	 * -wal tells of it. */
	if (store_sql(f->db, "PRAGMA page_size=4096; BEGIN", err) < 0 ||
	    store_sql(f->db, ids, err) < 0 || store_sql(f->db, STORE_SCHEMA, err) < 0 ||
	    store_sql(f->db, "COMMIT", err) < 0 || set_wal(f->db, err) < 0)
		return -1;
	/* Makes the -wal and its index, so that its name is synced with the others'. */
	if (store_sql(f->db, "BEGIN IMMEDIATE; COMMIT", err) < 0)
		return -1;
	if (sqlite3_prepare_v3(f->db, "INSERT INTO record VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9)", -1,
	                       SQLITE_PREPARE_PERSISTENT, &f->insert, NULL) != SQLITE_OK)
		return store_sql_err(f->db, "insert", err);
	return 0;
}

struct store_file *store_file_create(const struct store_dir *dir, msec_t now, struct err *err)
{
	struct store_file *f = xcalloc(1, sizeof(*f));

	f->dir = dir;
	f->made = now;
	if (store_claim(dir, &f->lock, err) < 0) {
		free(f);
		return NULL;
	}
	f->number = f->lock.number;
	if (store_touch(dir, f->number, err) < 0 || open_db(f, SQLITE_OPEN_READWRITE, err) < 0 ||
	    make_table(f, err) < 0 || store_dir_sync(dir, err) < 0 ||
	    store_lock_mark_used(&f->lock, err) < 0) {
		struct err second;

		/* The first cause is the one to be told. */
		if (store_file_fail(f, &second) < 0)
			err_prefix(err, "%s; ", second.text);
		return NULL;
	}
	return f;
}

bool store_file_is_ours(const struct store_file *f)
{
	return store_lock_is_good(f->dir, &f->lock);
}

uint64_t store_file_bytes(const struct store_file *f)
{
	return (uint64_t)DB_PAGES * STORE_PAGE_BYTES + f->wal_frames * FRAME_BYTES;
}

/* ---- groups ---- */

int store_file_begin(struct store_file *f, struct err *err)
{
	f->added = 0;
	return store_sql(f->db, "BEGIN IMMEDIATE", err);
}

static void bind_text(struct sqlite3_stmt *st, int at, struct bytes text)
{
	sqlite3_bind_text64(st, at, (const char *)text.p, text.n, SQLITE_STATIC, SQLITE_UTF8);
}

int store_file_add(struct store_file *f, const struct store_row *row, struct err *err)
{
	struct sqlite3_stmt *st = f->insert;
	int rc;

	/* What is bound lives until the next lines are over. A failed bind is a NULL, which the
	 * table refuses. */
	sqlite3_bind_int64(st, 1, f->rows + f->added + 1);
	sqlite3_bind_int64(st, 2, row->received_ms);
	bind_text(st, 3, row->tenant);
	bind_text(st, 4, row->topic);
	bind_text(st, 5, row->signal);
	bind_text(st, 6, row->headers);
	sqlite3_bind_int64(st, 7, row->flags);
	sqlite3_bind_int64(st, 8, crc32c(row->value));
	sqlite3_bind_blob64(st, 9, row->value.n ? (const void *)row->value.p : "", row->value.n,
	                    SQLITE_STATIC);
	rc = sqlite3_step(st);
	if (rc != SQLITE_DONE) {
		store_sql_err(f->db, "insert", err);
		sqlite3_reset(st);
		return -1;
	}
	sqlite3_reset(st);
	f->added++;
	return 0;
}

int store_file_commit(struct store_file *f, struct err *err)
{
	if (store_sql(f->db, "COMMIT", err) < 0)
		return -1;
	f->rows += f->added;
	f->added = 0;
	return 0;
}

/* ---- its end ---- */

int store_file_finish(struct store_file *f, struct err *err)
{
	int rc;

	if (f->rows == 0)
		return store_file_fail(f, err);
	rc = sqlite3_wal_checkpoint_v2(f->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	if (rc == SQLITE_BUSY)
		return 1;
	if (rc != SQLITE_OK) {
		struct err second;

		store_sql_err(f->db, "checkpoint", err);
		if (store_file_fail(f, &second) < 0)
			err_prefix(err, "%s; ", second.text);
		return -1;
	}
	close_db(f);
	rc = store_lock_end(f->dir, &f->lock, err);
	free(f);
	return rc;
}

int store_file_fail(struct store_file *f, struct err *err)
{
	int rc = 0;

	/* Without the lock the file is somebody else's, or nobody's. */
	bool ours = store_lock_is_good(f->dir, &f->lock);

	close_db(f);
	if (ours && f->rows == 0)
		rc = store_remove(f->dir, f->number, err);
	if (rc == 0)
		rc = store_lock_end(f->dir, &f->lock, err);
	else
		store_lock_drop(&f->lock);
	free(f);
	return rc;
}

int store_file_remove(struct store_file *f, struct err *err)
{
	if (store_lock_is_good(f->dir, &f->lock) && store_remove(f->dir, f->number, err) < 0)
		return -1;
	store_file_leave(f);
	return 0;
}

void store_file_roll_back(struct store_file *f)
{
	f->failed = true;
	f->added = 0;
	/* Most failures did so already; nothing is written by it. */
	if (!sqlite3_get_autocommit(f->db))
		sqlite3_exec(f->db, "ROLLBACK", NULL, NULL, NULL);
}

void store_file_leave(struct store_file *f)
{
	close_db(f);
	if (f->lock.fd >= 0)
		store_lock_drop(&f->lock);
	free(f);
}

struct store_file *store_file_open(const struct store_dir *dir, struct store_lock *lock,
                                   bool *passing, struct err *err)
{
	struct store_file *f = xcalloc(1, sizeof(*f));

	f->dir = dir;
	f->number = lock->number;
	f->lock.fd = -1;
	if (open_db(f, SQLITE_OPEN_READWRITE, err) < 0) {
		*passing = store_sql_is_passing(f->db);
		close_db(f);
		free(f);
		return NULL;
	}
	f->lock = *lock;
	lock->fd = -1;
	return f;
}
