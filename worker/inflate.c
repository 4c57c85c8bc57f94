/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inflate.c -- undoes Content-Encoding, bounded by what the output costs, never by a header's
 * claim: each buffer is charged before it is got. First a guess, then the claim, then the limit,
 * then 413 (faults.md 6). Without the claim a log that repeats itself would cost a buffer of the
 * limit, which no tenant with something in flight may have.
 */
#include "worker/bodies.h"
#include "worker/budget.h"
#include "worker/charge.h"
#include "worker/req.h"
#include "worker/route.h"
#include "worker/worker.h"

static enum step refuse_size(struct req *r, uint64_t limit)
{
	return req_refuse(r, V_INFLATED_SIZE, (unsigned long long)limit);
}

static enum step take_identity(struct req *r)
{
	if (r->body.n > r->route->inflated_limit)
		return refuse_size(r, r->route->inflated_limit);
	r->decoded_bytes = r->body.n;
	return STEP_NEXT;
}

/* One attempt with room for `size` bytes. INFLATE_ROOM through *result asks for another one. */
static enum step attempt(struct req *r, size_t size, enum inflate_result *result)
{
	struct body *mem;
	const char *why = "";
	size_t n = 0;

	if (charge_impossible(r, size)) /* beside what it holds */
		return refuse_size(r, budget_capacity(r->w->budget) - r->charged);
	mem = charge_get(r, size);
	if (!mem)
		return req_refuse(r, V_OVERLOAD);
	*result = encoding_inflate(r->w->inflater, r->encoding, r->body, mem->data,
	                           min_size(mem->cap, r->route->inflated_limit), &n, &why);
	if (*result == INFLATE_OK) {
		r->decoded_bytes = n;
		charge_swap(r, mem, bytes_of(mem->data, n));
		return STEP_NEXT;
	}
	charge_put(r, mem);
	if (*result == INFLATE_CORRUPT)
		return req_refuse(r, V_INFLATE, encoding_name(r->encoding), why);
	return STEP_NEXT;
}

enum step inflate_run(struct req *r)
{
	size_t limit = r->route->inflated_limit, tried = 0;
	const size_t sizes[] = { encoding_guess(r->encoding, r->body, limit),
		                 encoding_claim(r->encoding, r->body, limit), limit };

	if (r->encoding == ENCODING_IDENTITY)
		return take_identity(r);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		enum inflate_result result = INFLATE_OK;
		enum step step;

		if (sizes[i] <= tried)
			continue;
		step = attempt(r, sizes[i], &result);
		if (step != STEP_NEXT || result != INFLATE_ROOM)
			return step;
		tried = body_capacity(sizes[i]);
	}
	return refuse_size(r, limit);
}
