/* SPDX-License-Identifier: Apache-2.0 */
/*
 * identity_cache.c -- chained buckets and a list by last use, all of it allocated at the start but
 * for the proofs. Buckets by the digest's own bits: whom a chosen digest hurts is its sender's own
 * bucket, of at most entries_max.
 */
#include "worker/identity_cache.h"

#include <sys/queue.h>

struct entry {
	TAILQ_ENTRY(entry) used; /* the one used longest ago first; free ones before all */
	struct entry *next; /* in its bucket */
	struct proof *proof; /* NULL: free */
	msec_t until;
	uint8_t digest[TOKEN_DIGEST_BYTES];
};
TAILQ_HEAD(entries, entry);

struct identity_cache {
	struct entries by_use;
	struct entry *entries;
	struct entry **buckets;
	size_t mask; /* buckets - 1 */
	size_t count, entries_max;
};

struct identity_cache *identity_cache_new(size_t entries_max)
{
	struct identity_cache *c = xcalloc(1, sizeof(*c));
	size_t buckets = 1;

	assert(entries_max > 0);
	c->entries_max = entries_max;
	while (buckets < 2 * entries_max)
		buckets *= 2;
	c->mask = buckets - 1;
	c->buckets = xcalloc(buckets, sizeof(struct entry *));
	c->entries = xcalloc(entries_max, sizeof(*c->entries));
	TAILQ_INIT(&c->by_use);
	for (size_t i = 0; i < entries_max; i++)
		TAILQ_INSERT_TAIL(&c->by_use, &c->entries[i], used);
	return c;
}

void identity_cache_free(struct identity_cache *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->entries_max; i++)
		free(c->entries[i].proof);
	free(c->entries);
	free(c->buckets);
	free(c);
}

static struct entry **bucket_of(struct identity_cache *c, const uint8_t *digest)
{
	uint64_t word;

	memcpy(&word, digest, sizeof(word));
	return &c->buckets[word & c->mask];
}

/* The link that leads to it, or the NULL at the end of its bucket. */
static struct entry **link_of(struct identity_cache *c, const uint8_t *digest)
{
	struct entry **at = bucket_of(c, digest);

	while (*at && memcmp((*at)->digest, digest, TOKEN_DIGEST_BYTES) != 0)
		at = &(*at)->next;
	return at;
}

static void forget(struct identity_cache *c, struct entry **at)
{
	struct entry *e = *at;

	*at = e->next;
	free(e->proof);
	e->proof = NULL;
	c->count--;
	TAILQ_REMOVE(&c->by_use, e, used);
	TAILQ_INSERT_HEAD(&c->by_use, e, used);
}

const struct proof *identity_cache_find(struct identity_cache *c,
                                        const uint8_t digest[static TOKEN_DIGEST_BYTES], msec_t now)
{
	struct entry **at = link_of(c, digest), *e = *at;

	if (!e)
		return NULL;
	if (now >= e->until) {
		forget(c, at);
		return NULL;
	}
	TAILQ_REMOVE(&c->by_use, e, used);
	TAILQ_INSERT_TAIL(&c->by_use, e, used);
	return e->proof;
}

void identity_cache_keep(struct identity_cache *c, const uint8_t digest[static TOKEN_DIGEST_BYTES],
                         msec_t until)
{
	struct entry *e = *link_of(c, digest);

	if (e)
		e->until = until;
}

void identity_cache_drop(struct identity_cache *c, const uint8_t digest[static TOKEN_DIGEST_BYTES])
{
	struct entry **at = link_of(c, digest);

	if (*at)
		forget(c, at);
}

void identity_cache_put(struct identity_cache *c, const uint8_t digest[static TOKEN_DIGEST_BYTES],
                        struct proof *proof, msec_t until)
{
	struct entry *e, **bucket;

	identity_cache_drop(c, digest);
	e = TAILQ_FIRST(&c->by_use);
	if (e->proof) {
		forget(c, link_of(c, e->digest));
		assert(TAILQ_FIRST(&c->by_use) == e);
	}
	memcpy(e->digest, digest, TOKEN_DIGEST_BYTES);
	e->proof = proof;
	e->until = until;
	bucket = bucket_of(c, digest);
	e->next = *bucket;
	*bucket = e;
	c->count++;
	TAILQ_REMOVE(&c->by_use, e, used);
	TAILQ_INSERT_TAIL(&c->by_use, e, used);
}

size_t identity_cache_count(const struct identity_cache *c)
{
	return c->count;
}
