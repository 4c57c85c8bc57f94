/* SPDX-License-Identifier: Apache-2.0 */
/*
 * edits.c -- the edit list. Filled by the walkers, emitted by the produce stage. Its memory grows
 * with the first bodies and then stays.
 */
#include "proto/edits.h"

#include "proto/pb.h"

void edits_init(struct edits *e)
{
	*e = (struct edits){ 0 };
}

void edits_done(struct edits *e)
{
	free(e->list);
	free(e->scratch);
	edits_init(e);
}

void edits_reset(struct edits *e)
{
	e->n = e->inserted = e->deleted = 0;
	e->failed = false;
}

static bool grow(struct edits *e)
{
	if (e->n >= EDITS_MAX) {
		e->failed = true;
		return false;
	}
	e->cap = min_size(max_size(64, e->cap * 2), EDITS_MAX);
	e->list = xrealloc(e->list, e->cap, sizeof(*e->list));
	free(e->scratch); /* too short now */
	e->scratch = NULL;
	return true;
}

/* NULL once the list has failed. */
static inline struct edit *next(struct edits *e, size_t at)
{
	struct edit *edit;

	if (e->failed || (e->n == e->cap && !grow(e)))
		return NULL;
	edit = &e->list[e->n++];
	*edit = (struct edit){ .at = at };
	return edit;
}

size_t edits_slot(struct edits *e, size_t at)
{
	return next(e, at) ? e->n - 1 : EDIT_NONE;
}

static void uncount(struct edits *e, const struct edit *edit)
{
	e->inserted -= edit->ins.n + edit->small_n;
	e->deleted -= edit->del;
}

void edits_fill(struct edits *e, size_t slot, size_t del, struct bytes ins)
{
	struct edit *edit;

	if (slot == EDIT_NONE)
		return;
	edit = &e->list[slot];
	uncount(e, edit);
	*edit = (struct edit){ .at = edit->at, .del = del, .ins = ins };
	e->inserted += ins.n;
	e->deleted += del;
}

void edits_fill_varint(struct edits *e, size_t slot, size_t del, uint64_t value)
{
	struct edit *edit;

	if (slot == EDIT_NONE)
		return;
	edit = &e->list[slot];
	uncount(e, edit);
	*edit = (struct edit){ .at = edit->at, .del = del };
	edit->small_n = (uint8_t)pb_varint_write(value, edit->small);
	e->inserted += edit->small_n;
	e->deleted += del;
}

void edits_add(struct edits *e, size_t at, size_t del, struct bytes ins)
{
	struct edit *edit = next(e, at);

	if (!edit)
		return;
	edit->del = del;
	edit->ins = ins;
	e->inserted += ins.n;
	e->deleted += del;
}

static void small_add(struct edits *e, struct edit *edit, size_t del, size_t n)
{
	edit->del = del;
	edit->small_n = (uint8_t)n;
	e->inserted += n;
	e->deleted += del;
}

void edits_varint(struct edits *e, size_t at, size_t del, uint64_t value)
{
	struct edit *edit = next(e, at);

	if (edit)
		small_add(e, edit, del, pb_varint_write(value, edit->small));
}

void edits_small(struct edits *e, size_t at, size_t del, const uint8_t *p, size_t n)
{
	struct edit *edit = next(e, at);

	if (!edit)
		return;
	assert(n <= sizeof(edit->small));
	memcpy(edit->small, p, n);
	small_add(e, edit, del, n);
}

void edits_truncate(struct edits *e, size_t n)
{
	while (e->n > n)
		uncount(e, &e->list[--e->n]);
}

static bool is_sorted(const struct edits *e)
{
	for (size_t i = 1; i < e->n; i++)
		if (e->list[i].at < e->list[i - 1].at)
			return false;
	return true;
}

static void merge(const struct edit *from, size_t a, size_t b, size_t end, struct edit *to)
{
	size_t i = a, j = b;

	for (size_t k = a; k < end; k++)
		to[k] = i < b && (j == end || from[i].at <= from[j].at) ? from[i++] : from[j++];
}

/* Bottom-up merges between list and scratch: stable, and n log n whatever a client sends. */
void edits_sort(struct edits *e)
{
	struct edit *swap;

	if (is_sorted(e))
		return;
	if (!e->scratch)
		e->scratch = xcalloc(e->cap, sizeof(*e->scratch));
	for (size_t run = 1; run < e->n; run *= 2) {
		for (size_t a = 0; a < e->n; a += 2 * run)
			merge(e->list, a, min_size(a + run, e->n), min_size(a + 2 * run, e->n),
			      e->scratch);
		swap = e->list;
		e->list = e->scratch;
		e->scratch = swap;
	}
}

/* memcpy() for pieces that are short more often than not: a call costs more than the bytes. */
static inline uint8_t *put(uint8_t *out, const uint8_t *p, size_t n)
{
	if (n > 32)
		return mempcpy(out, p, n);
	if (n >= 16) { /* two words that may overlap, and so below */
		memcpy(out, p, 16);
		memcpy(out + n - 16, p + n - 16, 16);
	} else if (n >= 8) {
		memcpy(out, p, 8);
		memcpy(out + n - 8, p + n - 8, 8);
	} else if (n >= 4) {
		memcpy(out, p, 4);
		memcpy(out + n - 4, p + n - 4, 4);
	} else if (n >= 2) {
		memcpy(out, p, 2);
		memcpy(out + n - 2, p + n - 2, 2);
	} else if (n) {
		*out = *p;
	}
	return out + n;
}

void edits_emit(const struct edits *e, struct bytes body, uint8_t *out)
{
	size_t pos = 0;

	for (size_t i = 0; i < e->n; i++) {
		const struct edit *edit = &e->list[i];
		const uint8_t *ins = edit->small_n ? edit->small : edit->ins.p;
		size_t ins_n = edit->small_n ? edit->small_n : edit->ins.n;

		assert(edit->at >= pos && edit->at <= body.n && edit->del <= body.n - edit->at);
		if (edit->at > pos)
			out = put(out, body.p + pos, edit->at - pos);
		if (ins_n)
			out = put(out, ins, ins_n);
		pos = edit->at + edit->del;
	}
	if (body.n > pos)
		memcpy(out, body.p + pos, body.n - pos);
}
