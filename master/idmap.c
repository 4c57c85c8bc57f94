/* SPDX-License-Identifier: Apache-2.0 */
/*
 * idmap.c -- see idmap.h. Doubles when there are as many entries as buckets; never shrinks, since a
 * set that was large once will be again.
 */
#include "master/idmap.h"

#include <sys/random.h>

enum { BUCKETS_MIN = 64, AHEAD = 16 };

void idmap_init(struct idmap *m, idmap_key *key)
{
	*m = (struct idmap){ .key = key, .buckets = BUCKETS_MIN };
	m->bucket = xcalloc(m->buckets, sizeof(*m->bucket));
	if (getrandom(&m->seed, sizeof(m->seed), 0) != (ssize_t)sizeof(m->seed))
		m->seed =
			(uint64_t)(uintptr_t)m->bucket; /* cannot be once the kernel has started */
	m->seed |= 1;
}

void idmap_done(struct idmap *m)
{
	free(m->bucket);
	*m = (struct idmap){ .bucket = NULL };
}

static size_t bucket_of(const struct idmap *m, struct bytes id)
{
	uint64_t h = id.n ^ m->seed;

	while (id.n > 0) {
		uint64_t word = 0;
		size_t n = min_size(id.n, sizeof(word));

		memcpy(&word, id.p, n);
		h = (h ^ word) * m->seed;
		h ^= h >> 32;
		id = bytes_from(id, n);
	}
	return (h * m->seed >> 20) & (m->buckets - 1);
}

static void grow(struct idmap *m, size_t buckets)
{
	struct idmap bigger = *m;

	bigger.buckets = buckets;
	bigger.bucket = xcalloc(bigger.buckets, sizeof(*bigger.bucket));
	for (size_t i = 0; m->count > 0 && i < m->buckets; i++)
		for (struct idmap_node *node = m->bucket[i], *next; node; node = next) {
			size_t at = bucket_of(&bigger, m->key(node));

			next = node->next;
			node->next = bigger.bucket[at];
			bigger.bucket[at] = node;
		}
	free(m->bucket);
	*m = bigger;
}

void idmap_reserve(struct idmap *m, size_t more)
{
	size_t buckets = m->buckets;

	while (buckets < m->count + more)
		buckets *= 2;
	if (buckets > m->buckets)
		grow(m, buckets);
}

void idmap_add(struct idmap *m, struct idmap_node *node)
{
	size_t at;

	if (m->count >= m->buckets)
		grow(m, 2 * m->buckets);
	at = bucket_of(m, m->key(node));
	node->next = m->bucket[at];
	m->bucket[at] = node;
	m->count++;
}

void idmap_remove(struct idmap *m, struct idmap_node *node)
{
	struct idmap_node **link = &m->bucket[bucket_of(m, m->key(node))];

	while (*link != node) {
		assert(*link); /* it was never added */
		link = &(*link)->next;
	}
	*link = node->next;
	m->count--;
}

static struct idmap_node *first_of(const struct idmap *m, struct idmap_node *node, struct bytes id)
{
	while (node && !bytes_eq(m->key(node), id))
		node = node->next;
	return node;
}

struct idmap_node *idmap_find(const struct idmap *m, struct bytes id)
{
	return first_of(m, m->bucket[bucket_of(m, id)], id);
}

struct idmap_node *idmap_find_next(const struct idmap *m, const struct idmap_node *node)
{
	return first_of(m, node->next, m->key(node));
}

struct idmap_node *idmap_next(const struct idmap *m, const struct idmap_node *node)
{
	size_t at = 0;

	if (node && node->next)
		return node->next;
	if (node)
		at = bucket_of(m, m->key(node)) + 1;
	while (at < m->buckets && !m->bucket[at])
		at++;
	return at < m->buckets ? m->bucket[at] : NULL;
}

struct idmap_node *idmap_step(struct idmap_walk *w)
{
	const struct idmap *m = w->m;

	w->node = w->node ? w->node->next : NULL;
	while (!w->node && w->at < m->buckets) {
		if (w->at + AHEAD < m->buckets && m->bucket[w->at + AHEAD])
			__builtin_prefetch(m->bucket[w->at + AHEAD]);
		w->node = m->bucket[w->at++];
	}
	return w->node;
}
