/* SPDX-License-Identifier: Apache-2.0 */
/*
 * idmap.c -- see idmap.h. Doubles when there are as many entries as buckets; never shrinks, since a
 * set that was large once will be again.
 */
#include "master/idmap.h"

#include <sys/mman.h>
#include <sys/random.h>

enum {
	BUCKETS_MIN = 64,
	AHEAD = 16,
	LINE_BYTES = 64,
	PAGE_BYTES = 4096,
	LARGE_BYTES = 4 * MIB,
};

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

static uint64_t mixed(const struct idmap *m, uint64_t h, uint64_t word)
{
	h = (h ^ word) * m->seed;
	return h ^ h >> 32;
}

static size_t bucket_of(const struct idmap *m, struct bytes id)
{
	uint64_t h = id.n ^ m->seed, word;

	for (; id.n >= sizeof(word); id = bytes_from(id, sizeof(word))) {
		memcpy(&word, id.p, sizeof(word));
		h = mixed(m, h, word);
	}
	if (id.n > 0) {
		word = 0;
		memcpy(&word, id.p, id.n);
		h = mixed(m, h, word);
	}
	return (h * m->seed >> 20) & (m->buckets - 1);
}

/* A large array is met all over, so it lies in large pages, if there are any. Not so the tokens
 * themselves: a virtual machine's host may have to find and clear each such page first (measured:
 * 1.5 ms for a MiB), and that is more than they save in what is met from end to end. */
static struct idmap_node **new_buckets(size_t count)
{
	struct idmap_node **bucket = xcalloc(count, sizeof(struct idmap_node *));
	size_t bytes = count * sizeof(*bucket), skip = -(uintptr_t)bucket % PAGE_BYTES;

	if (bytes >= LARGE_BYTES) /* a wish: whether it is granted changes nothing */
		(void)madvise((char *)bucket + skip, (bytes - skip) / PAGE_BYTES * PAGE_BYTES,
		              MADV_HUGEPAGE);
	return bucket;
}

static void grow(struct idmap *m, size_t buckets)
{
	struct idmap bigger = *m;

	bigger.buckets = buckets;
	bigger.bucket = new_buckets(bigger.buckets);
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

void idmap_soon(const struct idmap *m, struct bytes id)
{
	__builtin_prefetch(&m->bucket[bucket_of(m, id)], 1);
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

static void ask_for(const struct idmap_node *node)
{
	if (!node)
		return;
	__builtin_prefetch(node);
	__builtin_prefetch((const char *)node + LINE_BYTES);
}

struct idmap_node *idmap_step(struct idmap_walk *w)
{
	const struct idmap *m = w->m;

	w->node = w->node ? w->node->next : NULL;
	while (!w->node && w->at < m->buckets) {
		const struct idmap_node *ahead =
			w->at + AHEAD < m->buckets ? m->bucket[w->at + AHEAD] : NULL;
		const struct idmap_node *near =
			w->at + AHEAD / 2 < m->buckets ? m->bucket[w->at + AHEAD / 2] : NULL;

		ask_for(ahead);
		ask_for(near ? near->next : NULL); /* a third are not the first of their bucket */
		w->node = m->bucket[w->at++];
	}
	return w->node;
}
