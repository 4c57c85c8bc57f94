/* SPDX-License-Identifier: Apache-2.0 */
/*
 * idmap.h -- a hash of things by a byte string, for the master's set of tenants and tokens.
 * Chained, since entries come and go one by one and two may have one key (a hash that two tenants
 * claim); the node lies within its owner and is one pointer, since a million tokens have two each.
 * By hand: no library of design.md 6 has one.
 */
#pragma once
#include "common/bytes.h"

struct idmap_node { /* in the map from idmap_add() to idmap_remove() or idmap_done() */
	struct idmap_node *next;
};
typedef struct bytes idmap_key(const struct idmap_node *node); /* its id: memory of the owner */
struct idmap {
	idmap_key *key;
	struct idmap_node **bucket;
	size_t buckets; /* a power of 2 */
	size_t count;
	uint64_t seed; /* random, odd: nobody who names tokens can aim at one bucket */
};

#define idmap_owner(node, type, member)                                                            \
	((type *)(void *)((char *)(uintptr_t)(node)-offsetof(type, member)))

void idmap_init(struct idmap *m, idmap_key *key);
void idmap_done(struct idmap *m); /* the owners are the caller's */
void idmap_reserve(struct idmap *m, size_t more); /* so many will be added at once */
void idmap_soon(const struct idmap *m,
                struct bytes id); /* that will be added: its place is asked for ahead */
void idmap_add(struct idmap *m, struct idmap_node *node); /* may be the second of its id */
void idmap_remove(struct idmap *m, struct idmap_node *node);
struct idmap_node *idmap_find(const struct idmap *m, struct bytes id);
/* The next one of the same id, or NULL. */
struct idmap_node *idmap_find_next(const struct idmap *m, const struct idmap_node *node);
/* All nodes, in the order of idmap_next(), of a map that does not change meanwhile: a million of
 * them lie all over memory, so the next ones (128 bytes of their owners) are asked for ahead. NULL:
 * that was the last. */
struct idmap_walk {
	const struct idmap *m;
	size_t at; /* the bucket after the one that node is in */
	struct idmap_node *node;
};
struct idmap_node *idmap_step(struct idmap_walk *w);
/* All nodes, in no order: idmap_next(m, NULL) is the first. What was handed out may be removed
 * before the next call only if `next` was asked for before. */
struct idmap_node *idmap_next(const struct idmap *m, const struct idmap_node *node);
