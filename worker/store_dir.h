/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_dir.h -- the store's folder (worker/store.h): whose file is which, what lies there, and how
 * files leave. Knows names, locks and sizes, nothing of SQLite. All of it blocks: for the store's
 * own threads only. Numbers are claimed by making the lock file, which no two can; a lock counts
 * only while its name still leads to it, since who held it before may have removed it.
 */
#pragma once
#include "common/bytes.h"
#include "common/err.h"
#include "worker/store.h"

enum { STORE_NAME_BYTES = 32 };
enum store_suffix { /* in the order in which they are removed: the lock guards what is left */
	            STORE_DB,
	            STORE_WAL,
	            STORE_SHM,
	            STORE_JOURNAL,
	            STORE_LOCK,
	            STORE_SUFFIX_COUNT
};

struct store_dir {
	char *path; /* absolute, without a slash at its end */
	int fd;
};
int store_dir_open(struct store_dir *d, const char *path, struct err *err) MUST_USE;
void store_dir_close(struct store_dir *d);
int store_dir_sync(const struct store_dir *d, struct err *err) MUST_USE;

/* "0000000007.db-wal" */
void store_name(char out[static STORE_NAME_BYTES], uint32_t number, enum store_suffix suffix);

/* ---- locks ---- */

struct store_lock {
	uint32_t number;
	int fd; /* -1: none */
	bool used; /* the file was made whole, and may hold records: its -wal must be there */
};
/* The next free number. */
int store_claim(const struct store_dir *d, struct store_lock *lock, struct err *err) MUST_USE;
/* Of a file that is there; false if somebody is at work on it, or it was closed meanwhile. */
bool store_take_over(const struct store_dir *d, uint32_t number, struct store_lock *lock) MUST_USE;
/* Of a file that is there without a lock; the same. */
bool store_relock(const struct store_dir *d, uint32_t number, struct store_lock *lock) MUST_USE;
bool store_lock_is_good(const struct store_dir *d, const struct store_lock *lock) MUST_USE;
/* From here on the file may hold records. */
int store_lock_mark_used(struct store_lock *lock, struct err *err) MUST_USE;
/* The file is done with: readers may have it, whatever happens to us. */
int store_lock_end(const struct store_dir *d, struct store_lock *lock, struct err *err) MUST_USE;
/* As a dying process would: the next one takes the file over. */
void store_lock_drop(struct store_lock *lock);

/* An empty .db with the mode of the others: SQLite gives -wal and -shm the same. */
int store_touch(const struct store_dir *d, uint32_t number, struct err *err) MUST_USE;
bool store_has(const struct store_dir *d, uint32_t number, enum store_suffix suffix,
               uint64_t *bytes);

/* ---- what lies there ---- */

struct store_entry {
	uint32_t number;
	bool has[STORE_SUFFIX_COUNT];
	uint64_t bytes, wal_bytes;
	int64_t changed_s, made_s; /* wall clock; the latest change of .db and -wal */
};
struct store_scan {
	struct store_entry *entries; /* by number */
	size_t count;
	uint32_t greatest; /* number; those too */
	uint64_t bytes; /* of all files; those in quarantine and of the dead too */
	uint64_t reserved; /* what checkpoints of files not closed yet may take for a moment */
	uint64_t disk_bytes, free_bytes; /* of the file system, for us */
};
int store_scan(const struct store_dir *d, struct store_scan *out, struct err *err) MUST_USE;
void store_scan_done(struct store_scan *scan);

/* ---- how files leave ---- */

int store_remove(const struct store_dir *d, uint32_t number, struct err *err) MUST_USE;
/* What lies there without a .db and a lock. A listing is no moment: a file that was made meanwhile
 * may look like that, and is left alone. */
int store_sweep(const struct store_dir *d, uint32_t number, struct err *err) MUST_USE;
/* As it was found, beside the others in quarantine/; the lock goes. */
int store_quarantine(const struct store_dir *d, uint32_t number, struct err *err) MUST_USE;
