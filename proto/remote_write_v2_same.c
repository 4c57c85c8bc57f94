/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remote_write_v2_same.c -- which symbols of a request hold the same text, for remote_write_v2.c:
 * one hash table over all of them, whatever labels refer to them. The hash is no secret, so texts
 * can be made to collide; what that costs is counted, and beyond what chance could do there is
 * another hash, and behind that a sort, whose n log n comparisons nothing can make more.
 */
#include "proto/remote_write_v2.h"

enum {
	INDEX_BITS = 20, /* of an entry; the rest is part of the hash */
	EMPTY = 0, /* symbol 0 is the empty text and not in the table */
	UNLIKE_MAX = 1024, /* texts compared that were not the same, and */
	UNLIKE_EVERY = 256, /* one more for so many symbols: 12 bits of the hash may agree */
	STEPS_EACH =
		8, /* slots looked at for each symbol, beyond its first: half of them are free */
	STEPS_FREE = 4096,
};
#define INDEX_MASK ((1u << INDEX_BITS) - 1)
static const uint64_t multipliers[] = { 0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f };

/* 8 bytes of the text at a time, zeros behind its end, and its length. */
static uint64_t hash_of(const uint8_t *p, size_t n, uint64_t multiplier)
{
	uint64_t hash = n * multiplier;

	for (size_t i = 0; i < n; i += 8) {
		hash = (hash ^ name_key(p + i, n - i)) * multiplier;
		hash ^= hash >> 32;
	}
	return hash * multiplier;
}

struct table {
	uint64_t multiplier;
	uint32_t *slots;
	size_t mask;
	size_t steps, unlike; /* left */
};

/* The least symbol with the text of i, which may be i. UINT32_MAX: it is too dear to tell. */
static uint32_t place(struct rw_v2 *v, struct table *t, uint32_t i)
{
	struct bytes text = rw_text_of(v, i);
	uint64_t hash = hash_of(text.p, text.n, t->multiplier);
	uint32_t tag = (uint32_t)hash & ~INDEX_MASK;

	for (size_t at = hash >> 32 & t->mask;; at = (at + 1) & t->mask) {
		uint32_t other = t->slots[at] & INDEX_MASK;

		if (t->slots[at] == EMPTY) {
			t->slots[at] = tag | i;
			return i;
		}
		if ((t->slots[at] & ~INDEX_MASK) == tag) {
			if (bytes_eq(rw_text_of(v, other), text))
				return other;
			if (t->unlike-- == 0)
				return UINT32_MAX;
		}
		if (t->steps-- == 0)
			return UINT32_MAX;
	}
}

/* False: too many collide. */
static bool by_hash(struct rw_v2 *v, uint32_t *slots, size_t slots_n, uint64_t multiplier)
{
	struct table t = { .multiplier = multiplier,
		           .slots = slots,
		           .mask = slots_n - 1,
		           .steps = STEPS_FREE + STEPS_EACH * v->n,
		           .unlike = UNLIKE_MAX + v->n / UNLIKE_EVERY };

	memset(slots, 0, slots_n * sizeof(*slots));
	for (uint32_t i = 0; i < v->n; i++) {
		v->same[i] = v->symbols[i].n ? place(v, &t, i) : 0;
		if (v->same[i] == UINT32_MAX)
			return false;
	}
	return true;
}

static bool symbol_less(const void *context, uint32_t a, uint32_t b)
{
	const struct rw_v2 *v = context;
	uint64_t key_a = v->symbols[a].key, key_b = v->symbols[b].key;

	if (key_a != key_b)
		return key_a < key_b;
	return name_compare(rw_text_of(v, a), rw_text_of(v, b)) < 0;
}

static void by_sort(struct rw_v2 *v, uint32_t *order, uint32_t *spare)
{
	for (uint32_t i = 0; i < v->n; i++)
		order[i] = i;
	rw_sort(order, spare, v->n, symbol_less, v);
	for (size_t i = 0; i < v->n; i++) {
		uint32_t at = order[i];

		v->same[at] = i && !symbol_less(v, order[i - 1], at) ? v->same[order[i - 1]] : at;
	}
}

void rw_v2_same(struct rw_v2 *v)
{
	size_t slots_n = 64, each = sizeof(*v->symbols) + 2 * sizeof(uint32_t);
	uint32_t *slots;

	assert(v->n <= INDEX_MASK);
	while (slots_n < 2 * v->n)
		slots_n *= 2;
	v->symbols = scratch_room(v->rw->in->scratch, v->n * each + slots_n * sizeof(uint32_t));
	v->same = (uint32_t *)(v->symbols + v->n);
	v->seen = v->same + v->n;
	slots = v->seen + v->n;
	if (!by_hash(v, slots, slots_n, multipliers[0]) &&
	    !by_hash(v, slots, slots_n, multipliers[1]))
		by_sort(v, slots, v->seen);
	memset(v->seen, 0, v->n * sizeof(*v->seen));
}
