/* SPDX-License-Identifier: Apache-2.0 */
/*
 * records_file.c -- a file that was closed in the ordinary way has no -wal, and SQLite cannot make
 * one where the reader may not write (operations.md 2). Then the database file alone is all of it:
 * it is read into memory and looked at there.
 */
#include "tools/ctl/records_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "worker/store.h"

enum {
	BUSY_MS = 2000,
	READ_VERSION_AT = 19, /* of a database header: 2 is WAL, 1 a rollback journal */
	WRITE_VERSION_AT = 18,
	HEADER_BYTES = 100,
	IMAGE_MAX_BYTES = 1024 * MIB,
};

void records_file_path(const struct records_at *where, const struct records_file *f,
                       const char *suffix, char *out, size_t cap)
{
	snprintf(out, cap, "%s/%s%s", where->dir, f->name, suffix);
}

void records_file_close(struct records_file *f)
{
	sqlite3_finalize(f->rows);
	sqlite3_close(f->db);
	f->rows = NULL;
	f->db = NULL;
}

int records_file_fault(struct records_file *f, struct err *err)
{
	return err_set(err, "%s", f->db ? sqlite3_errmsg(f->db) : "no memory");
}

static void bind_text(sqlite3_stmt *s, int index, const char *text)
{
	if (text)
		sqlite3_bind_text(s, index, text, -1, SQLITE_STATIC);
	else
		sqlite3_bind_null(s, index);
}

int records_file_prepare(const struct records_at *where, struct records_file *f, const char *sql,
                         sqlite3_stmt **out)
{
	int rc = sqlite3_prepare_v2(f->db, sql, -1, out, NULL);

	if (rc != SQLITE_OK)
		return rc;
	sqlite3_bind_int64(*out, 1, f->told);
	bind_text(*out, 2, where->filter.tenant);
	bind_text(*out, 3, where->filter.signal);
	sqlite3_bind_int64(*out, 4, where->filter.since_ms);
	return SQLITE_OK;
}

static int pragma(struct records_file *f, const char *sql, int64_t *out)
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
static int is_ours(struct records_file *f, int *rc, struct err *err)
{
	int64_t id = 0, version = 0;

	*rc = pragma(f, "PRAGMA application_id", &id);
	if (*rc == SQLITE_OK)
		*rc = pragma(f, "PRAGMA user_version", &version);
	if (*rc != SQLITE_OK)
		return records_file_fault(f, err);
	if (id == 0 && version == 0)
		return 0; /* just made: its schema is on the way */
	if (id != STORE_APPLICATION_ID)
		return err_set(err, "this is no file of headgate's local store");
	if (version != STORE_USER_VERSION)
		return err_set(err, "its version is %lld, this program reads %d",
		               (long long)version, STORE_USER_VERSION);
	return 1;
}

enum wal { WAL_NONE, WAL_EMPTY, WAL_HAS_ROWS };

static enum wal wal_of(const struct records_at *where, const struct records_file *f)
{
	char path[PATH_MAX];
	struct stat st;

	records_file_path(where, f, "-wal", path, sizeof(path));
	if (stat(path, &st) < 0)
		return errno == ENOENT ? WAL_NONE : WAL_HAS_ROWS;
	return st.st_size ? WAL_HAS_ROWS : WAL_EMPTY;
}

/* 1; 0: there is nothing in it yet; -1. */
static int read_image(const char *path, uint8_t **out, size_t *n, struct err *err)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t at = 0, size;
	struct stat st;
	ssize_t got;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(err, "can't open it");
	if (st.st_size == 0)
		return 0; /* just made */
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
	return 1;
}

/* Without its -wal. A database in memory knows no WAL mode, so the copy says it has none. */
static int open_image(const struct records_at *where, struct records_file *f, struct err *err)
{
	char path[PATH_MAX];
	uint8_t *image = NULL;
	size_t n = 0;
	int rc;

	records_file_close(f);
	records_file_path(where, f, "", path, sizeof(path));
	rc = read_image(path, &image, &n, err);
	if (rc <= 0)
		return rc;
	image[WRITE_VERSION_AT] = image[READ_VERSION_AT] = 1;
	if (sqlite3_open_v2(":memory:", &f->db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK) {
		sqlite3_free(image);
		return records_file_fault(f, err);
	}
	rc = sqlite3_deserialize(f->db, "main", image, (sqlite3_int64)n, (sqlite3_int64)n,
	                         SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_READONLY);
	return rc == SQLITE_OK ? is_ours(f, &rc, err) : records_file_fault(f, err);
}

static int open_file(const struct records_at *where, struct records_file *f, int *rc,
                     struct err *err)
{
	char path[PATH_MAX];

	records_file_path(where, f, "", path, sizeof(path));
	*rc = sqlite3_open_v2(path, &f->db, SQLITE_OPEN_READONLY, NULL);
	if (*rc != SQLITE_OK)
		return records_file_fault(f, err);
	sqlite3_busy_timeout(f->db, BUSY_MS);
	sqlite3_db_config(f->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	return is_ours(f, rc, err);
}

int records_file_open(const struct records_at *where, struct records_file *f, struct err *err)
{
	enum wal wal = wal_of(where, f);
	int rc = SQLITE_OK, ours;

	if (wal == WAL_NONE) {
		/* SQLite would make a -wal and a -shm, and leave them behind. */
		ours = open_image(where, f, err);
	} else {
		ours = open_file(where, f, &rc, err);
		if (ours < 0 && wal == WAL_EMPTY &&
		    ((rc & 0xff) == SQLITE_READONLY || (rc & 0xff) == SQLITE_CANTOPEN))
			ours = open_image(where, f, err);
	}
	if (ours <= 0)
		records_file_close(f);
	return ours;
}

int records_file_step(struct records_file *f, struct err *err)
{
	int rc = sqlite3_step(f->rows);

	if (rc == SQLITE_DONE)
		return 0;
	if (rc != SQLITE_ROW)
		return records_file_fault(f, err);
	f->seq = sqlite3_column_int64(f->rows, 0);
	f->ms = sqlite3_column_int64(f->rows, 1);
	return 1;
}
