/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slices.h -- the records that a value consists of, where one request is many (records.md 1): the
 * objects of a data model, the parts of a split. One buffer holds them all.
 */
#pragma once
#include "common/bytes.h"

enum { SLICES_MAX = 262144 }; /* of one request; beyond it slices_add() fails */

struct slice {
	size_t at, n; /* bytes of the value */
	uint64_t items;
};
struct slices { /* zeroed it is ready; slices_done() ends it */
	struct slice *v;
	size_t n, cap;
};
/* False, and nothing added: SLICES_MAX are there already. */
static inline bool slices_add(struct slices *s, size_t at, size_t n, uint64_t items)
{
	if (s->n == s->cap) {
		if (s->n == SLICES_MAX)
			return false;
		s->cap = s->cap ? 2 * s->cap : 64;
		s->v = xrealloc(s->v, s->cap, sizeof(*s->v));
	}
	s->v[s->n++] = (struct slice){ at, n, items };
	return true;
}
/* What they hold goes to the caller. */
static inline struct slices slices_take(struct slices *s)
{
	struct slices taken = *s;

	*s = (struct slices){ 0 };
	return taken;
}

static inline void slices_done(struct slices *s)
{
	free(s->v);
	*s = (struct slices){ 0 };
}
