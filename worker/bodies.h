/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bodies.h -- buffers for request bodies and record values, in classes (2 K, 8 K, 64 K, 256 K, 1 M,
 * 4 M, larger by mmap), kept for reuse: a warmed worker allocates none. The budget is charged by
 * body_capacity() before body_get(). One owner at a time: request, then record.
 */
#pragma once
#include "common/bytes.h"

struct body {
	struct body *next; /* in its class's free list */
	size_t cap;        /* usable bytes; BODY_SLACK more are readable behind them */
	uint8_t *data;
};
struct bodies;
struct bodies *bodies_new(void);
void bodies_free(struct bodies *b);
size_t body_capacity(size_t bytes); /* what body_get(bytes) will hold of the budget */
struct body *body_get(struct bodies *b, size_t bytes); /* cap >= bytes; never NULL */
void body_put(struct bodies *b, struct body *body);    /* NULL is fine */

/* Of buffers beyond the last class, which no list keeps, the halves of both: what is counted, on the
 * loop's thread, and the memory, whose pages cost milliseconds, on any. */
bool body_is_large(size_t bytes);
void bodies_count_large(struct bodies *b, size_t bytes);
void bodies_forget_large(struct bodies *b, size_t cap);
struct body *body_map(size_t bytes);
void body_unmap(struct body *body);
