/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.h -- what lies in the store's folder (faults.md 10): the contract between the workers,
 * which write it, and whoever reads it (headgatectl cat, any SQLite tool). No code of the store is
 * here.
 *
 *   <number>.db              ten digits; the number is the partition of audit lines and taps
 *   <number>.db-wal, -shm    SQLite's; of a file that takes records all of them are in the -wal
 *   <number>.lock            there while the file takes records, or was not closed properly
 *   quarantine/              files that could not be read, as they were found
 *   dead/                    of the spool: a folder like this one, of rows that Kafka refused for good
 *
 * The spool's files keep their .lock until they are drained, and go with their last row.
 *
 * A worker at work on a file holds a flock() of its .lock; nobody ever locks the .db so.
 *
 * A reader opens with mode=ro, never with immutable=1, which ignores the -wal. Files and rows are
 * ordered by (number, seq); rows are only ever added, whole files go. A number is never used for
 * other rows as long as a file of it is there.
 */
#pragma once
#include "common/base.h"

enum {
	STORE_NUMBER_DIGITS = 10,
	STORE_NUMBER_MAX = INT32_MAX,
	STORE_USER_VERSION = 1, /* PRAGMA user_version: of the table below */
	STORE_APPLICATION_ID = 0x68676174, /* PRAGMA application_id: "hgat" */
};
#define STORE_DB_SUFFIX ".db"
#define STORE_LOCK_SUFFIX ".lock"
#define STORE_QUARANTINE "quarantine"
#define STORE_DEAD "dead"
enum { /* of flags */
	STORE_FIXED = 1,
	STORE_ITEMS_SHIFT = 8,
	STORE_ITEMS_MAX = (1 << 24) - 1,
	STORE_WORD_SHIFT = 32,
};

/* key is not kept: it is the tenant, always. headers: those of the Kafka record (records.md 1.1) in
 * their order, as JSON: [["X-Scope-OrgID","acme"],["tenant_id","acme"],...]. signal: traces,
 * metrics, logs, events, opaque. flags: of the local store 0; of the spool STORE_FIXED says that
 * the partition word in the highest 32 bits chooses the partition, and the 24 bits above the
 * lowest 8 say how many items the record holds; a reader ignores flags that it does not know. crc32c:
 * of value (common/crc32c.h). seq begins with 1 and has no gaps. */
#define STORE_SCHEMA                                                                               \
	"CREATE TABLE record ("                                                                    \
	"seq INTEGER PRIMARY KEY, "                                                                \
	"received_ms INTEGER NOT NULL, "                                                           \
	"tenant TEXT NOT NULL, "                                                                   \
	"topic TEXT NOT NULL, "                                                                    \
	"signal TEXT NOT NULL, "                                                                   \
	"headers TEXT NOT NULL, "                                                                  \
	"flags INTEGER NOT NULL, "                                                                 \
	"crc32c INTEGER NOT NULL, "                                                                \
	"value BLOB NOT NULL) STRICT"
/* Of the spool: rows up to seq are done with; no row: none is. */
#define STORE_PROGRESS                                                                             \
	"CREATE TABLE IF NOT EXISTS progress ("                                                    \
	"one INTEGER PRIMARY KEY CHECK (one = 1), "                                                \
	"seq INTEGER NOT NULL) STRICT"
/* In files of dead/: why the row of record with that seq is there, and since when (ms since 1970). */
#define STORE_DEAD_TABLE                                                                           \
	"CREATE TABLE IF NOT EXISTS dead ("                                                        \
	"seq INTEGER PRIMARY KEY, "                                                                \
	"dead_ms INTEGER NOT NULL, "                                                               \
	"reason TEXT NOT NULL) STRICT"
