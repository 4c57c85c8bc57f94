/* SPDX-License-Identifier: Apache-2.0 */
/*
 * field.h -- the values in a row of COPY BINARY, for who reads rows: pg_rows.c and pg_query.c.
 * Bounded: a length is compared with what is there before anything is taken. Bytes in, values out;
 * knows no column and no statement.
 */
#pragma once
#include "common/bytes.h"
#include "common/snapshot.h"

struct cursor { /* after the first error all reads give zero */
	struct bytes left;
	bool failed; /* cut short, or not of the form */
};
uint64_t field_take_be(struct cursor *c, size_t bytes);

struct field {
	struct bytes value;
	bool null;
};
struct field field_take(struct cursor *c);

/* Of a whole row the fields may still be of another type than asked for: *broken says so. */
bool field_bool(struct field f, bool *broken);
/* Unix microseconds; infinity stays at the ends. */
int64_t field_time(struct field f, int64_t if_null, bool *broken);
uint64_t field_count(struct field f, bool *broken); /* an int8; NULL or negative: 0 */
/* An int8 above 0; NULL: 0, which is no limit; else UINT64_MAX, which no limit may be. */
uint64_t field_limit(struct field f, bool *broken);
int64_t field_seconds(int64_t us); /* rounded up: what ends then does not end early */
/* The elements of a text[] of one dimension, at most max; false: it is none, has more, or a NULL. */
bool field_list(struct field f, unsigned max, struct bytes *out, unsigned *count) MUST_USE;

/* "*", or a signal and ":write", as bits of scopes; 0: no scope. */
unsigned field_scope(struct bytes text);
/* An address or a block, without bits beyond its prefix. */
bool field_cidr(struct bytes text, struct snapshot_cidr *out) MUST_USE;
