/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slab.c -- see slab.h. The first piece is small, since most masters hold a handful of tokens; each
 * next one is twice as large, up to FULL_BYTES. Under sanitizers each thing is malloc's own, so
 * that they see who uses what it gave back.
 */
#include "master/slab.h"

#include <string.h>

enum { FIRST_BYTES = 16 * 1024, FULL_BYTES = 8 << 20 };

struct slab_free {
	struct slab_free *next;
};
struct slab_piece {
	struct slab_piece *next;
} __attribute__((aligned(16)));

void slab_init(struct slab *s)
{
	*s = (struct slab){ .next_bytes = FIRST_BYTES };
}

void slab_done(struct slab *s)
{
	struct slab_piece *next;

	for (struct slab_piece *p = s->pieces; p; p = next) {
		next = p->next;
		free(p);
	}
	slab_init(s);
}

#ifdef HEADGATE_ASAN
static bool is_small(size_t units)
{
	(void)units;
	return false;
}
#else
static bool is_small(size_t units)
{
	return units <= SLAB_CLASSES;
}
#endif

static void add_piece(struct slab *s)
{
	struct slab_piece *p = xcalloc(s->next_bytes, 1);

	p->next = s->pieces;
	s->pieces = p;
	s->at = (uint8_t *)(p + 1);
	s->left = s->next_bytes - sizeof(*p);
	s->next_bytes = min_size(2 * s->next_bytes, FULL_BYTES);
}

void *slab_take(struct slab *s, size_t bytes, uint8_t *units)
{
	size_t n = (bytes + SLAB_UNIT - 1) / SLAB_UNIT;
	struct slab_free *p;

	assert(n > 0 && n <= UINT8_MAX);
	*units = (uint8_t)n;
	if (!is_small(n))
		return xcalloc(1, bytes);
	p = s->free[n];
	if (p) {
		s->free[n] = p->next;
		return memset(p, 0, n * SLAB_UNIT);
	}
	if (s->left < n * SLAB_UNIT)
		add_piece(s); /* the rest of the last one, less than a thing, is lost */
	p = (void *)s->at;
	s->at += n * SLAB_UNIT;
	s->left -= n * SLAB_UNIT;
	return p;
}

void slab_give(struct slab *s, void *p, uint8_t units)
{
	struct slab_free *f = p;

	if (!is_small(units)) {
		free(p);
		return;
	}
	f->next = s->free[units];
	s->free[units] = f;
}
