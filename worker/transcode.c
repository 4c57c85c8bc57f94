/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transcode.c -- JSON becomes protobuf before it is enriched, so that one walker judges both. The
 * output is bounded as the inflater's is: each buffer is charged before it is got; first the size
 * of the body, which is enough but for long lists of small numbers, then what any body can become,
 * never above the limit of inflated bytes, then 413.
 */
#include "worker/transcode.h"

#include "worker/bodies.h"
#include "worker/budget.h"
#include "worker/charge.h"
#include "worker/route.h"
#include "worker/worker.h"

static enum step refuse_size(struct req *r, uint64_t limit)
{
	return req_refuse(r, V_INFLATED_SIZE, (unsigned long long)limit);
}

/* One attempt with room for `size` bytes. TRANSCODE_ROOM through *result asks for another one. */
static enum step attempt(struct req *r, struct enrich_in *in, size_t size, enum transcode *result)
{
	struct body *mem;
	size_t n = 0;

	if (charge_impossible(r, size)) /* beside what it holds */
		return refuse_size(r, budget_capacity(r->w->budget) - r->charged);
	mem = charge_get(r, size);
	if (!mem)
		return req_refuse(r, V_OVERLOAD);
	*result = r->format->transcode(in, mem->data, min_size(mem->cap, r->route->inflated_limit),
	                               &n, &r->enriched);
	if (*result == TRANSCODE_OK) {
		charge_swap(r, mem, bytes_of(mem->data, n));
		in->body = r->body;
		return STEP_NEXT;
	}
	charge_put(r, mem);
	if (*result == TRANSCODE_INVALID)
		return req_refuse(r, V_INVALID, r->enriched.reason);
	return STEP_NEXT;
}

enum step transcode_body(struct req *r, struct enrich_in *in)
{
	size_t limit = r->route->inflated_limit, tried = 0;
	const size_t sizes[] = { r->body.n, TRANSCODE_GROWTH * r->body.n + TRANSCODE_EXTRA };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		size_t size = min_size(sizes[i], limit);
		enum transcode result = TRANSCODE_ROOM;
		enum step step;

		if (size <= tried)
			continue;
		step = attempt(r, in, size, &result);
		if (step != STEP_NEXT || result != TRANSCODE_ROOM)
			return step;
		tried = body_capacity(size);
	}
	return refuse_size(r, limit);
}
