/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pg_rows.h -- what tenants_pg.c asks of PostgreSQL for the schema headgate, and how a binary COPY
 * that comes back becomes rows (records.md 2.1). Bytes in, rows out: no connection, no libpq, so
 * that it is tested alone.
 */
#pragma once
#include "common/buf.h"
#include "master/tenants.h"
struct pg_query;

/* Two texts of statements, each one simple query and one transaction: a SELECT, then COPY of
 * tenants, then COPY of tokens. prev: a pg_snapshot as text, digits, colons and commas only. */
void pg_rows_full(struct buf *out);
void pg_rows_changes(struct buf *out, const char *prev);
/* "true" if only those characters are in it: then it may stand in a statement. */
bool pg_snapshot_ok(const char *text);

enum pg_copy { COPY_TENANTS, COPY_TOKENS, COPY_QUERY };

/* One COPY: bytes may be cut anywhere; what is not a whole row yet is held. */
struct copy_reader {
	enum pg_copy what;
	struct tenants *tenants;
	struct pg_query *query; /* of COPY_QUERY */
	bool head_seen, ended;
	uint64_t rows;
	uint8_t *held;
	size_t held_bytes, held_cap;
};
void copy_start(struct copy_reader *r, enum pg_copy what, struct tenants *t);
void copy_start_query(struct copy_reader *r, struct pg_query *query, struct tenants *t);
void copy_done(struct copy_reader *r);
/* Puts each row into the set, or drops it there if it is gone. -1 with *err said if it is no COPY
 * of these columns. */
int copy_feed(struct copy_reader *r, struct bytes in, struct err *err) MUST_USE;
/* Whether the trailer came: without it rows may be missing. */
bool copy_is_whole(const struct copy_reader *r);
