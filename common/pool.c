/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.c -- an arena of blocks: the newest is filled from its start, nothing is freed singly. An
 * allocation too large for the usual block gets one of its own. Knows no budget and refuses
 * nothing.
 */
#include "common/pool.h"

enum { POOL_ALIGN = 16, POOL_MIN_BLOCK = 1024, POOL_MAX_BLOCK = 256 * KIB };

struct block { /* followed by its bytes; sizeof is a multiple of POOL_ALIGN */
	struct block *older;
	size_t cap, used;
	size_t pad;
};
_Static_assert(sizeof(struct block) % POOL_ALIGN == 0, "bytes after the head must be aligned");

struct cleanup { /* lives in the pool itself */
	struct cleanup *older;
	void (*fn)(void *arg);
	void *arg;
};

struct pool {
	struct block *newest; /* the list ends at the first block, which pool_reset() keeps */
	struct cleanup *cleanups; /* newest first; each leaves when it runs */
	size_t next_bytes; /* of the next block: doubles up to POOL_MAX_BLOCK */
};

static struct block *block_new(size_t cap)
{
	size_t bytes;
	struct block *b;

	if (__builtin_add_overflow(cap, sizeof(*b), &bytes))
		out_of_memory();
	b = malloc(bytes);
	if (!b)
		out_of_memory();
	b->older = NULL;
	b->cap = cap;
	b->used = 0;
	return b;
}

struct pool *pool_new(size_t first_bytes)
{
	struct pool *pool = xcalloc(1, sizeof(*pool));
	size_t cap = max_size(first_bytes, POOL_MIN_BLOCK);

	pool->newest = block_new((cap + POOL_ALIGN - 1) & ~(size_t)(POOL_ALIGN - 1));
	pool->next_bytes = min_size(pool->newest->cap * 2, POOL_MAX_BLOCK);
	return pool;
}

static void run_cleanups(struct pool *pool)
{
	while (pool->cleanups) {
		struct cleanup *c = pool->cleanups;

		pool->cleanups = c->older; /* first: fn may register another one */
		c->fn(c->arg);
	}
}

void pool_reset(struct pool *pool)
{
	run_cleanups(pool);
	while (pool->newest->older) {
		struct block *b = pool->newest;

		pool->newest = b->older;
		free(b);
	}
	pool->newest->used = 0;
	pool->next_bytes = min_size(pool->newest->cap * 2, POOL_MAX_BLOCK);
}

void pool_free(struct pool *pool)
{
	if (!pool)
		return;
	pool_reset(pool);
	free(pool->newest);
	free(pool);
}

void *pool_alloc(struct pool *pool, size_t bytes)
{
	struct block *b = pool->newest;
	size_t rounded;
	void *p;

	if (__builtin_add_overflow(bytes, (size_t)POOL_ALIGN - 1, &rounded))
		out_of_memory();
	rounded &= ~(size_t)(POOL_ALIGN - 1);
	if (b->cap - b->used < rounded) {
		struct block *fresh = block_new(max_size(rounded, pool->next_bytes));

		fresh->older = b;
		pool->newest = b = fresh;
		pool->next_bytes = min_size(pool->next_bytes * 2, POOL_MAX_BLOCK);
	}
	p = (uint8_t *)(b + 1) + b->used;
	b->used += rounded;
	return p;
}

void *pool_zalloc(struct pool *pool, size_t bytes)
{
	return memset(pool_alloc(pool, bytes), 0, bytes);
}

struct bytes pool_dup(struct pool *pool, struct bytes b)
{
	void *p = pool_alloc(pool, b.n);

	if (b.n)
		memcpy(p, b.p, b.n);
	return bytes_of(p, b.n);
}

void pool_on_free(struct pool *pool, void (*fn)(void *arg), void *arg)
{
	struct cleanup *c = pool_alloc(pool, sizeof(*c));

	*c = (struct cleanup){ .older = pool->cleanups, .fn = fn, .arg = arg };
	pool->cleanups = c;
}
