/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transcode.c -- JSON becomes protobuf before it is enriched, so that one walker judges both. The
 * output is bounded as the inflater's is: each buffer is charged before it is got; first the size
 * of the body, which is enough but for long lists of small numbers, then what the transcoder says
 * is enough, never above the limit of inflated bytes, then 413. Claims can make much of a small
 * body of a data model: what has become large is written beside the loop.
 */
#include "worker/transcode.h"

#include "worker/beside.h"
#include "worker/bodies.h"
#include "worker/budget.h"
#include "worker/charge.h"
#include "worker/route.h"
#include "worker/worker.h"

enum {
	ATTEMPTS = 2,
};

static enum step refuse_size(struct req *r, uint64_t limit)
{
	return req_refuse(r, V_INFLATED_SIZE, (unsigned long long)limit);
}

/* A data model writes no value longer than it came. What it gives each of its objects, the tenant,
 * a schema's id, the claims of a JWT, is not the client's, whose body may be as large as the limit:
 * the budgets alone bound that. */
static size_t limit_of(const struct req *r, const struct enrich_in *in)
{
	return in->model ? (size_t)budget_capacity(r->w->budget) : r->route->inflated_limit;
}

/* One attempt with room for `size` bytes. TRANSCODE_ROOM through *result asks for another one, with
 * *enough. */
static enum step attempt(struct req *r, struct enrich_in *in, size_t size, size_t limit,
                         enum transcode *result, size_t *enough)
{
	struct body *mem;
	size_t n = 0;

	if (charge_impossible(r, size)) /* beside what it holds */
		return refuse_size(r, budget_capacity(r->w->budget) - r->charged);
	mem = charge_get(r, size);
	if (!mem)
		return req_refuse(r, V_OVERLOAD);
	r->enriched.slices->n = 0;
	*result = r->format->transcode(in, mem->data, min_size(mem->cap, limit), &n, &r->enriched);
	if (*result == TRANSCODE_OK) {
		charge_swap(r, mem, bytes_of(mem->data, n));
		in->body = r->body;
		r->transcoded = true;
		return STEP_NEXT;
	}
	charge_put(r, mem);
	if (*result == TRANSCODE_INVALID)
		return req_refuse(r, r->enriched.is_tenant ? V_MODEL_TENANT : V_INVALID,
		                  r->enriched.reason);
	if (*result == TRANSCODE_COUNT)
		return req_refuse(r, V_COUNT, (unsigned long long)r->enriched.counted,
		                  r->enriched.counted_what,
		                  (unsigned long long)r->enriched.count_limit);
	if (*result == TRANSCODE_RECORD) {
		beside_count(r, TS_REFUSED_SIZE, r->enriched.items);
		return req_refuse(r, V_RECORD_SIZE, (unsigned long long)n,
		                  (unsigned long long)in->record_max);
	}
	*enough = n;
	return STEP_NEXT;
}

enum step transcode_body(struct req *r, struct enrich_in *in)
{
	size_t limit = limit_of(r, in), size = r->body.n, tried = 0;

	for (unsigned i = 0; i < ATTEMPTS; i++) {
		enum transcode result = TRANSCODE_ROOM;
		enum step step;

		size = min_size(size, limit);
		if (i && size <= tried)
			break;
		if (i && beside_wanted(r, size))
			return STEP_BESIDE;
		tried = body_capacity(size);
		step = attempt(r, in, size, limit, &result, &size);
		if (step != STEP_NEXT || result != TRANSCODE_ROOM)
			return step;
	}
	return refuse_size(r, limit);
}
