/* SPDX-License-Identifier: Apache-2.0 */
/*
 * charge.c -- buffers are charged by their capacity: that is what the process holds.
 */
#include "worker/charge.h"

#include "worker/beside.h"
#include "worker/bodies.h"
#include "worker/budget.h"

bool charge_impossible(const struct req *r, uint64_t bytes)
{
	uint64_t all;

	return __builtin_add_overflow(r->charged, body_capacity(bytes), &all) ||
	       budget_impossible(r->w->budget, all);
}

struct asked {
	struct req *r;
	size_t bytes;
	struct body *body;
};

static struct body *get(struct req *r, size_t bytes)
{
	size_t cap = body_capacity(bytes);

	if (!budget_take(r->w->budget, r->who.tenant_ordinal, r->charged, cap))
		return NULL;
	r->charged += cap;
	return body_get(r->w->bodies, bytes);
}

static void get_asked(void *arg)
{
	struct asked *a = arg;

	a->body = get(a->r, a->bytes);
}

struct body *charge_get(struct req *r, size_t bytes)
{
	struct asked a = { .r = r, .bytes = bytes };

	beside_ask(r, get_asked, &a);
	return a.body;
}

static void put(struct req *r, struct body *body)
{
	assert(r->charged >= body->cap);
	budget_give(r->w->budget, r->who.tenant_ordinal, body->cap);
	r->charged -= body->cap;
	body_put(r->w->bodies, body);
}

static void put_asked(void *arg)
{
	const struct asked *a = arg;

	put(a->r, a->body);
}

void charge_put(struct req *r, struct body *body)
{
	if (body)
		beside_ask(r, put_asked, &(struct asked){ .r = r, .body = body });
}

void charge_swap(struct req *r, struct body *mem, struct bytes body)
{
	if (mem != r->body_mem)
		charge_put(r, r->body_mem);
	r->body_mem = mem;
	r->body = body;
}
