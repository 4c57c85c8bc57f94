/* SPDX-License-Identifier: Apache-2.0 */
/*
 * budget.c -- two sums, of this worker and of each tenant in it, and the one rule about them. Asked
 * by the stages before a buffer grows; given back by req_finish() and record_done(). It allocates
 * nothing after budget_new(), and a worker's death takes its counts with it: others may read them,
 * and the master clears them.
 */
#include "worker/budget.h"

#include "common/stats.h"

struct budget {
	uint64_t capacity, share; /* bytes: of the worker, of one tenant */
	uint64_t used;
	uint64_t max_tenants;
	/* By ordinal; pages of memory are only touched by tenants that send. */
	struct stats_in_flight *tenants, *own; /* own: NULL once they are shown */
};

struct budget *budget_new(uint64_t worker_bytes, unsigned share_percent, uint64_t max_tenants)
{
	struct budget *b = xcalloc(1, sizeof(*b));

	assert(share_percent <= 100 && max_tenants > 0);
	b->capacity = worker_bytes;
	/* Divided first: worker_bytes times 100 could overflow. */
	b->share = worker_bytes / 100 * share_percent + worker_bytes % 100 * share_percent / 100;
	b->max_tenants = max_tenants;
	b->tenants = b->own = xcalloc(max_tenants, sizeof(*b->own));
	return b;
}

void budget_free(struct budget *b)
{
	if (b)
		free(b->own);
	free(b);
}

void budget_show(struct budget *b, struct stats_in_flight *tenants)
{
	assert(b->used == 0);
	free(b->own);
	b->own = NULL;
	b->tenants = tenants;
}

static uint64_t held_by(const struct budget *b, uint32_t tenant)
{
	return atomic_load_explicit(&b->tenants[tenant].bytes, memory_order_relaxed);
}

/* One writer: no locked instruction is needed. */
static void set_held(struct budget *b, uint32_t tenant, uint64_t bytes)
{
	atomic_store_explicit(&b->tenants[tenant].bytes, bytes, memory_order_relaxed);
}

bool budget_take(struct budget *b, uint32_t tenant, uint64_t held_by_request, uint64_t bytes)
{
	uint64_t mine;

	assert(tenant < b->max_tenants);
	mine = held_by(b, tenant);
	assert(held_by_request <= mine);
	if (bytes > b->capacity - b->used)
		return false;
	/* Beyond its share a tenant goes with a single request only, the one that asks. */
	if ((mine > b->share || bytes > b->share - mine) && mine > held_by_request)
		return false;
	b->used += bytes;
	set_held(b, tenant, mine + bytes);
	return true;
}

void budget_give(struct budget *b, uint32_t tenant, uint64_t bytes)
{
	assert(tenant < b->max_tenants);
	assert(bytes <= held_by(b, tenant) && bytes <= b->used);
	set_held(b, tenant, held_by(b, tenant) - bytes);
	b->used -= bytes;
}

uint64_t budget_used(const struct budget *b)
{
	return b->used;
}

uint64_t budget_capacity(const struct budget *b)
{
	return b->capacity;
}

bool budget_impossible(const struct budget *b, uint64_t bytes)
{
	return bytes > b->capacity;
}
