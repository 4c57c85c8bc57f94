/* SPDX-License-Identifier: Apache-2.0 */
/*
 * edits.h -- how a body becomes a record's value: a sorted list of {at, delete, insert} over the
 * decoded body, emitted in one pass (performance.md 3, recipe 6). Length prefixes are edits too.
 */
#pragma once
#include "common/bytes.h"

enum { EDITS_MAX = 65536 }; /* of one body; beyond it edits_add() fails */

struct edit {
	size_t at;        /* offset in the body, ascending; equal offsets keep their order */
	size_t del;       /* bytes of the body left out from `at` on */
	struct bytes ins; /* bytes put there; must outlive the emit, or NULL with small_n > 0 */
	uint8_t small[10]; /* a varint */
	uint8_t small_n;
};

struct edits {
	struct edit *list;
	size_t n, cap;
	size_t inserted, deleted; /* bytes, kept by edits_add */
	bool failed;              /* sticky: EDITS_MAX reached */
};

void edits_init(struct edits *e);
void edits_done(struct edits *e);
void edits_reset(struct edits *e); /* keeps the memory: a warmed worker allocates nothing */
/* May come out of order (an enclosing length is known last); edits_sort() before the emit. */
void edits_add(struct edits *e, size_t at, size_t del, struct bytes ins);
void edits_varint(struct edits *e, size_t at, size_t del, uint64_t value);
void edits_sort(struct edits *e);
static inline size_t edits_out_bytes(const struct edits *e, size_t body_bytes)
{
	return body_bytes + e->inserted - e->deleted;
}
/* Writes exactly edits_out_bytes() to out. */
void edits_emit(const struct edits *e, struct bytes body, uint8_t *out);
