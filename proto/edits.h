/* SPDX-License-Identifier: Apache-2.0 */
/*
 * edits.h -- how a body becomes a record's value: a sorted list of {at, delete, insert} over the
 * decoded body, emitted in one pass (performance.md 3, recipe 6). Length prefixes are edits too.
 */
#pragma once
#include "common/bytes.h"

enum { EDITS_MAX = 65536 }; /* of one body; beyond it edits_add() fails */
#define EDIT_NONE SIZE_MAX /* the slot of a list that failed */

struct edit {
	size_t at; /* offset in the body, ascending; equal offsets keep their order */
	size_t del; /* bytes of the body left out from `at` on */
	struct bytes ins; /* bytes put there; must outlive the emit, or NULL with small_n > 0 */
	uint8_t small[10]; /* a varint, or a few bytes */
	uint8_t small_n;
};

struct edits {
	struct edit *list;
	size_t n, cap;
	size_t inserted, deleted; /* bytes, kept by edits_add */
	bool failed; /* sticky: EDITS_MAX reached */
	struct edit *scratch; /* of edits_sort(), `cap` of them; NULL until it was needed */
};

void edits_init(struct edits *e);
void edits_done(struct edits *e);
void edits_reset(struct edits *e); /* keeps the memory: a warmed worker allocates nothing */
/* May come out of order (an enclosing length is known last); edits_sort() before the emit. */
void edits_add(struct edits *e, size_t at, size_t del, struct bytes ins);
void edits_varint(struct edits *e, size_t at, size_t del, uint64_t value);
/* Bytes that need not outlive the call: at most sizeof(((struct edit *)0)->small). */
void edits_small(struct edits *e, size_t at, size_t del, const uint8_t *p, size_t n);
/* A place kept in order for what is known later: until it is filled, an edit that does nothing. May
 * be filled again. EDIT_NONE once the list has failed, which the others take without effect. */
size_t edits_slot(struct edits *e, size_t at) MUST_USE;
void edits_fill(struct edits *e, size_t slot, size_t del, struct bytes ins);
void edits_fill_varint(struct edits *e, size_t slot, size_t del, uint64_t value);
void edits_truncate(struct edits *e, size_t n); /* forgets the edits from the n-th on */
void edits_sort(struct edits *e); /* stable */
static inline size_t edits_out_bytes(const struct edits *e, size_t body_bytes)
{
	return body_bytes + e->inserted - e->deleted;
}
/* Writes exactly edits_out_bytes() to out. */
void edits_emit(const struct edits *e, struct bytes body, uint8_t *out);
