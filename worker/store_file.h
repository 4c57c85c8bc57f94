/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_file.h -- one file of the store while it is open: made, written a group of records at a
 * time, closed for readers. One thread at a time uses it. After the first error it is never written
 * or synced again (faults.md 10): the kernel may drop the pages of a failed sync and then report
 * success.
 */
#pragma once
#include "worker/store_dir.h"
struct sqlite3;
struct sqlite3_stmt;

enum { STORE_PAGE_BYTES = 4096 };

struct store_file {
	struct store_file *next; /* in the keeper's list of those to be closed */
	const struct store_dir *dir;
	struct store_lock lock;
	struct sqlite3 *db;
	struct sqlite3_stmt *insert;
	int64_t rows; /* committed */
	bool failed; /* never to be written or synced again; its rows can be read */
	bool adopted; /* its rows are another process's, or rescued */
	int64_t added; /* in the open group */
	uint64_t wal_frames;
	msec_t made;
	uint32_t number;
};

struct store_row {
	int64_t received_ms, flags;
	struct bytes tenant, topic, signal, headers, value;
};

/* A number of its own, the table, an empty -wal: all of it synced. NULL with *err said and nothing
 * left behind. */
struct store_file *store_file_create(const struct store_dir *dir, msec_t now,
                                     struct err *err) MUST_USE;
/* Between two groups: nobody took the lock from us. */
bool store_file_is_ours(const struct store_file *f) MUST_USE;
uint64_t store_file_bytes(const struct store_file *f); /* .db and -wal */

/* A group: begin, add..., commit. After a failure of any of them only store_file_fail() is left.
 * Of the n-th record of a group the row is seq = store_file.rows before it + n. */
int store_file_begin(struct store_file *f, struct err *err) MUST_USE;
int store_file_add(struct store_file *f, const struct store_row *row, struct err *err) MUST_USE;
int store_file_commit(struct store_file *f, struct err *err) MUST_USE;

/* How it ends; each frees f but where said. */
/* All of the -wal goes into the .db. 1: readers are in the way, f stays, try later. */
int store_file_finish(struct store_file *f, struct err *err) MUST_USE;
/* As it is: without a further write or sync of it. One without rows is removed. */
int store_file_fail(struct store_file *f, struct err *err) MUST_USE;
/* As a dying process would: whoever gets the lock finishes it. */
void store_file_leave(struct store_file *f);
/* Its rows are not wanted any more. -1: something of it is still there, f stays. */
int store_file_remove(struct store_file *f, struct err *err) MUST_USE;
/* What is in an open group of a failed file is gone. */
void store_file_roll_back(struct store_file *f);

/* For worker/store_check.c: opens the file of this lock, which becomes the file's; NULL with *err
 * and *passing said and the lock untouched. */
struct store_file *store_file_open(const struct store_dir *dir, struct store_lock *lock,
                                   bool *passing, struct err *err) MUST_USE;
/* The last error tells nothing of the file: somebody holds it, or we lack memory, a descriptor,
 * disk, a right. */
bool store_sql_is_passing(struct sqlite3 *db) MUST_USE;
int store_sql(struct sqlite3 *db, const char *sql, struct err *err) MUST_USE;
void store_version(char *out, size_t cap); /* of SQLite, and of its header; for -v */
int store_sql_err(struct sqlite3 *db, const char *what, struct err *err); /* -1 */
