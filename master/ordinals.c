/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ordinals.c -- see ordinals.h. Numbers that were free before are given first, so that the words in
 * use stay together at the front of their pages.
 */
#include "master/ordinals.h"

enum { COUNT_MIN = 64 };

void ordinals_init(struct ordinals *o, uint64_t max)
{
	*o = (struct ordinals){ .max = max };
}

void ordinals_done(struct ordinals *o)
{
	free(o->free);
	free(o->waiting);
	*o = (struct ordinals){ .max = 0 };
}

uint32_t ordinals_take(struct ordinals *o)
{
	if (o->free_count > 0)
		return o->free[--o->free_count];
	return o->never_given < o->max ? (uint32_t)o->never_given++ : NO_ORDINAL;
}

void ordinals_leave(struct ordinals *o, uint32_t ordinal, uint64_t generation)
{
	if (ordinal == NO_ORDINAL)
		return;
	if (o->waiting_count == o->waiting_cap) {
		o->waiting_cap = max_size(COUNT_MIN, 2 * o->waiting_cap);
		o->waiting = xrealloc(o->waiting, o->waiting_cap, sizeof(*o->waiting));
	}
	o->waiting[o->waiting_count++] = (struct waiting_ordinal){ ordinal, generation };
}

static void set_free_again(struct ordinals *o, uint32_t ordinal)
{
	if (o->free_count == o->free_cap) {
		o->free_cap = max_size(COUNT_MIN, 2 * o->free_cap);
		o->free = xrealloc(o->free, o->free_cap, sizeof(*o->free));
	}
	o->free[o->free_count++] = ordinal;
}

size_t ordinals_served(struct ordinals *o, uint64_t generation,
                       void (*retired)(void *arg, uint32_t ordinal), void *arg)
{
	size_t kept = 0, freed;

	for (size_t i = 0; i < o->waiting_count; i++) {
		if (o->waiting[i].generation > generation) {
			o->waiting[kept++] = o->waiting[i];
			continue;
		}
		if (retired)
			retired(arg, o->waiting[i].ordinal);
		set_free_again(o, o->waiting[i].ordinal);
	}
	freed = o->waiting_count - kept;
	o->waiting_count = kept;
	return freed;
}
