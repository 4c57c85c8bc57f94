/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pg_query.h -- tenants.query: tenants and tokens from tables that were there before us (records.md
 * 2.3). Which columns the query has, the statements around it, and its rows. Bytes in, rows out: no
 * connection, no libpq; tenants_pg.c alone asks it.
 *
 * A row is a token. Tenants have no rows: one exists if a row names it, and of what its rows say
 * differently the strictest counts. Rows that share a token_id and differ are the set's to refuse
 * (tenants_expect_doubles).
 */
#pragma once
#include "common/buf.h"
#include "master/field.h"
#include "master/tenants.h"

struct pg_query;
/* NULL with *err said if the text holds no statement. */
struct pg_query *pg_query_new(const char *text, struct err *err) MUST_USE;
void pg_query_free(struct pg_query *q);

/* A statement without rows, whose description names the columns. */
void pg_query_probe(const struct pg_query *q, struct buf *out);
/* Takes the names. -1 with *err said: unknown ones, one twice, or one that must be there is not. */
int pg_query_describe(struct pg_query *q, const char *const *names, unsigned count,
                      struct err *err) MUST_USE;

/* After pg_query_describe(): one simple query and one transaction, with one COPY. */
void pg_query_read(const struct pg_query *q, struct buf *out);
unsigned pg_query_columns(const struct pg_query *q); /* of that COPY */
/* One row into the set; false: a column is of another type than asked for. */
bool pg_query_put(struct pg_query *q, struct tenants *t, const struct field *fields);
/* All rows came: puts the tenants that they named. */
void pg_query_end(struct pg_query *q, struct tenants *t);
void pg_query_forget(struct pg_query *q); /* the read was given up */
