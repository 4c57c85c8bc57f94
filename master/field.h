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
/* The values of a record of so many columns; false: it is none. */
bool field_record(struct field f, unsigned columns, struct field *out) MUST_USE;

enum {
	FIELD_SCOPES_MAX = 64, /* six words exist, but nothing forbids one twice */
	FIELD_CIDRS_MAX = 64, /* records.md 2.2 */
};
/* "*", or a signal and ":write", as bits of scopes; 0: no scope. */
unsigned field_scope(struct bytes text);
/* A text[] of such words; false: one of them is no scope. */
bool field_scopes(struct field f, unsigned *out) MUST_USE;
/* A text[] of addresses and blocks, without bits beyond their prefixes. NULL: from anywhere, 0 of
 * them. False: a list of none, which is not from anywhere, or what cannot be read. */
bool field_cidrs(struct field f, struct snapshot_cidr out[static FIELD_CIDRS_MAX],
                 unsigned *count) MUST_USE;
