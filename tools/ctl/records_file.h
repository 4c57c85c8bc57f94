/* SPDX-License-Identifier: Apache-2.0 */
/*
 * records_file.h -- one file of the local store, open for reading: SQLite, and the ways a file may
 * be shut away from us. Private to records.c, which merges them, and to spool.c.
 */
#pragma once
#include <sqlite3.h>
#include <time.h>
#include "tools/ctl/records.h"
#include "worker/store.h"

enum { RECORDS_NAME_BYTES = STORE_NUMBER_DIGITS + sizeof(STORE_DB_SUFFIX) };

struct records_at { /* where they are, and which are wanted */
	const char *dir;
	struct records_filter filter;
};

struct records_look { /* what tells that a file has new rows */
	off_t db_bytes, wal_bytes;
	struct timespec db_at, wal_at;
};

struct records_file {
	char name[RECORDS_NAME_BYTES];
	uint32_t number;
	struct records_look look;
	int64_t told; /* seq of the last row that a pass went by */
	int64_t top; /* of the last row there was when the last N were looked for */
	int64_t first_ms; /* of the first row that this pass has to tell */
	bool due; /* in this pass, not opened yet */
	/* while it is open */
	sqlite3 *db;
	sqlite3_stmt *rows; /* columns seq and received_ms come first */
	int64_t ms, seq; /* of the row it stands at */
};

void records_file_path(const struct records_at *where, const struct records_file *f,
                       const char *suffix, char *out, size_t cap);
/* 1: open; 0: there is nothing in it yet; -1 with *err said. */
int records_file_open(const struct records_at *where, struct records_file *f,
                      struct err *err) MUST_USE;
void records_file_close(struct records_file *f);
/* ?1 is told, ?2 tenant, ?3 signal, ?4 since; a result code of SQLite. */
int records_file_prepare(const struct records_at *where, struct records_file *f, const char *sql,
                         sqlite3_stmt **out) MUST_USE;
/* To the next of `rows`: 1, 0 at the end, -1. */
int records_file_step(struct records_file *f, struct err *err) MUST_USE;
int records_file_fault(struct records_file *f, struct err *err); /* SQLite's words; -1 */
