/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slab.h -- memory of many small things that come and go one by one: the master's tokens, a million
 * of them. Cut from large pieces, one after the other and without a head of their own. What is
 * given back is kept for the next of that size; the pieces go with the slab. Never for what another
 * thread frees.
 */
#pragma once
#include "common/base.h"

enum { SLAB_UNIT = 8, SLAB_CLASSES = 64 }; /* up to 512 bytes; larger ones are malloc's */
struct slab {
	struct slab_free *free[SLAB_CLASSES + 1]; /* given back, by size in units */
	struct slab_piece *pieces; /* all of them */
	uint8_t *at; /* what is left of the newest */
	size_t left, next_bytes;
};
void slab_init(struct slab *s);
void slab_done(struct slab *s); /* what was taken and is no larger than a class goes too */
/* Zeros. units: to be said again when it is given back. */
void *slab_take(struct slab *s, size_t bytes, uint8_t *units);
void slab_give(struct slab *s, void *p, uint8_t units);
