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

static bool take(struct req *r, size_t cap)
{
	if (!budget_take(r->w->budget, r->who.tenant_ordinal, r->charged, cap))
		return false;
	r->charged += cap;
	return true;
}

static void give(struct req *r, size_t cap)
{
	assert(r->charged >= cap);
	budget_give(r->w->budget, r->who.tenant_ordinal, cap);
	r->charged -= cap;
}

static struct body *get(struct req *r, size_t bytes)
{
	return take(r, body_capacity(bytes)) ? body_get(r->w->bodies, bytes) : NULL;
}

static void put(struct req *r, struct body *body)
{
	give(r, body->cap);
	body_put(r->w->bodies, body);
}

/* ---- beside the loop: the counting is the loop's, the pages of large buffers are not ---- */

struct asked {
	struct req *r;
	size_t bytes; /* of a large buffer: its capacity */
	struct body *body; /* NULL: a large one */
	bool taken;
};

static void get_asked(void *arg)
{
	struct asked *a = arg;

	a->taken = take(a->r, body_capacity(a->bytes));
	if (!a->taken)
		return;
	if (body_is_large(a->bytes))
		bodies_count_large(a->r->w->bodies, a->bytes);
	else
		a->body = body_get(a->r->w->bodies, a->bytes);
}

static void put_asked(void *arg)
{
	const struct asked *a = arg;

	if (a->body) {
		put(a->r, a->body);
		return;
	}
	bodies_forget_large(a->r->w->bodies, a->bytes);
	give(a->r, a->bytes);
}

static struct body *get_beside(struct req *r, size_t bytes)
{
	struct asked a = { .r = r, .bytes = bytes };

	beside_ask(r, get_asked, &a);
	return a.taken && !a.body ? body_map(bytes) : a.body;
}

static void put_beside(struct req *r, struct body *body)
{
	struct asked a = { .r = r, .bytes = body->cap, .body = body };

	if (body_is_large(body->cap)) {
		body_unmap(body);
		a.body = NULL;
	}
	beside_ask(r, put_asked, &a);
}

/* ---- ---- */

struct body *charge_get(struct req *r, size_t bytes)
{
	return r->is_beside ? get_beside(r, bytes) : get(r, bytes);
}

void charge_put(struct req *r, struct body *body)
{
	if (!body)
		return;
	if (r->is_beside)
		put_beside(r, body);
	else
		put(r, body);
}

void charge_swap(struct req *r, struct body *mem, struct bytes body)
{
	if (mem != r->body_mem)
		charge_put(r, r->body_mem);
	r->body_mem = mem;
	r->body = body;
}
