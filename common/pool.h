/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool.h -- an arena: many small allocations of one request, given back whole. Memory that counts
 * against a budget is asked for before (worker/budget.h); the pool itself never says no.
 */
#pragma once
#include "common/bytes.h"

struct pool; /* private to pool.c */

struct pool *pool_new(size_t first_bytes);
void pool_free(struct pool *pool);                 /* runs the cleanups, newest first; NULL is fine */
void pool_reset(struct pool *pool);                /* the same, but keeps the first block for reuse */
void *pool_alloc(struct pool *pool, size_t bytes); /* 16-byte aligned, not zeroed, never NULL */
void *pool_zalloc(struct pool *pool, size_t bytes);
struct bytes pool_dup(struct pool *pool, struct bytes b);
void pool_on_free(struct pool *pool, void (*fn)(void *arg), void *arg);
