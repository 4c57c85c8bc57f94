/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inflate.c -- undoes Content-Encoding, bounded by what the output costs, never by a header's
 * claim: each buffer is charged before it is got. First a guess, then what the input could give at
 * most, never above the limit, then 413 (faults.md 6).
 */
#include "worker/beside.h"
#include "worker/bodies.h"
#include "worker/budget.h"
#include "worker/charge.h"
#include "worker/dead_letters.h"
#include "worker/rates.h"
#include "worker/req.h"
#include "worker/route.h"

static enum step refuse_size(struct req *r, uint64_t limit)
{
	return req_refuse(r, V_INFLATED_SIZE, (unsigned long long)limit);
}

/* One attempt with room for `size` bytes. INFLATE_ROOM through *result asks for another one. */
static enum step attempt(struct req *r, enum encoding coding, size_t size,
                         enum inflate_result *result)
{
	struct body *mem;
	const char *why = "";
	size_t n = 0;

	if (charge_impossible(r, size)) /* beside what it holds */
		return refuse_size(r, budget_capacity(r->w->budget) - r->charged);
	mem = charge_get(r, size);
	if (!mem)
		return req_refuse(r, V_OVERLOAD);
	*result = encoding_inflate(kit_of(r)->inflater, coding, r->body, mem->data,
	                           min_size(mem->cap, r->route->inflated_limit), &n, &why);
	if (*result == INFLATE_OK) {
		charge_swap(r, mem, bytes_of(mem->data, n));
		return STEP_NEXT;
	}
	charge_put(r, mem);
	if (*result == INFLATE_CORRUPT)
		return req_refuse(r, V_INFLATE, encoding_name(coding), why);
	return STEP_NEXT;
}

static enum step undo(struct req *r, enum encoding coding)
{
	size_t limit = r->route->inflated_limit, rooms[ENCODING_TRIES];
	const char *why = "";
	enum inflate_result result;

	if (coding != ENCODING_IDENTITY && beside_wanted(r, r->body.n))
		return STEP_BESIDE;
	result = encoding_look(coding, r->body, limit, rooms, &why);
	if (result == INFLATE_CORRUPT)
		return req_refuse(r, V_INFLATE, encoding_name(coding), why);
	if (result == INFLATE_ROOM)
		return refuse_size(r, limit);
	if (coding == ENCODING_IDENTITY)
		return STEP_NEXT;
	for (size_t i = 0; i < ENCODING_TRIES; i++) {
		enum step step;

		if (rooms[i] <= r->too_small)
			continue;
		if (beside_wanted(r, rooms[i]))
			return STEP_BESIDE;
		step = attempt(r, coding, rooms[i], &result);
		if (step != STEP_NEXT || result != INFLATE_ROOM)
			return step;
		r->too_small = body_capacity(rooms[i]);
	}
	return refuse_size(r, limit);
}

/* Two codings: those of the request, then of its format's message. What is undone stays so when the
 * thread beside the loop goes on. */
static enum step undo_both(struct req *r)
{
	enum step step;

	if (!r->unwrapped) {
		step = undo(r, r->encoding);
		if (step != STEP_NEXT || !r->format->block || r->encoding == ENCODING_SNAPPY)
			return step;
		r->unwrapped = true;
		r->too_small = 0;
	}
	return undo(r, ENCODING_SNAPPY);
}

/* A format whose message is a snappy block is one with and without that Content-Encoding; any other
 * coding lies around the block. One that never is a block is none with it. */
enum step inflate_run(struct req *r)
{
	enum step step;

	if (r->format->block && r->encoding == ENCODING_IDENTITY)
		r->encoding = ENCODING_SNAPPY; /* for metrics and logs too: it is what came */
	if (r->format->plain && r->encoding == ENCODING_SNAPPY)
		r->encoding = ENCODING_IDENTITY;
	step = undo_both(r);
	if (step == STEP_NEXT) {
		r->decoded_bytes = r->body.n;
		return rates_decoded(r);
	}
	if (r->verdict == V_INFLATE)
		dead_letters_take(r);
	return step;
}
