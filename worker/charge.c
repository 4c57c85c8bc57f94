/* SPDX-License-Identifier: Apache-2.0 */
/*
 * charge.c -- buffers are charged by their capacity: that is what the process holds.
 */
#include "worker/charge.h"

#include "worker/bodies.h"
#include "worker/budget.h"
#include "worker/worker.h"

bool charge_impossible(const struct req *r, uint64_t bytes)
{
	uint64_t all;

	return __builtin_add_overflow(r->charged, body_capacity(bytes), &all) ||
	       budget_impossible(r->w->budget, all);
}

struct body *charge_get(struct req *r, size_t bytes)
{
	size_t cap = body_capacity(bytes);

	if (!budget_take(r->w->budget, r->who.tenant_ordinal, r->charged, cap))
		return NULL;
	r->charged += cap;
	return body_get(r->w->bodies, bytes);
}

void charge_put(struct req *r, struct body *body)
{
	if (!body)
		return;
	assert(r->charged >= body->cap);
	budget_give(r->w->budget, r->who.tenant_ordinal, body->cap);
	r->charged -= body->cap;
	body_put(r->w->bodies, body);
}

void charge_swap(struct req *r, struct body *mem, struct bytes body)
{
	if (mem != r->body_mem)
		charge_put(r, r->body_mem);
	r->body_mem = mem;
	r->body = body;
}
