/* SPDX-License-Identifier: Apache-2.0 */
/*
 * enrich.c -- the protocol validates every byte of the body and says what to change; here the
 * record's value is made of it. Without a change the body is the value, in the buffer it came in.
 * The stamp can make much of little, so what is to be written is charged before it is written.
 */
#include "worker/auth.h"
#include "worker/beside.h"
#include "worker/bodies.h"
#include "worker/budget.h"
#include "worker/charge.h"
#include "worker/dead_letters.h"
#include "worker/models.h"
#include "worker/rates.h"
#include "worker/req.h"
#include "worker/route.h"
#include "worker/transcode.h"

/* Two attributes in JSON: names of 128 and 19 bytes, twice an id of 150, framing; faults.md 6. */
enum { STAMP_MAX = 640, RESOURCES_MAX = 10000 };
enum { SCRATCH_KEPT = 4 * MIB }; /* between bodies: enough for 100 000 symbols of remote_write */

static enum step refuse_counted(struct req *r, enum tenant_stat reason, enum step refused)
{
	beside_count(r, reason, r->enriched.items);
	return refused;
}

static enum step refuse_record(struct req *r, uint64_t bytes, uint64_t limit)
{
	return refuse_counted(
		r, TS_REFUSED_SIZE,
		req_refuse(r, V_RECORD_SIZE, (unsigned long long)bytes, (unsigned long long)limit));
}

/* Into a buffer of its own: a record owns what it points to, and edits go into fresh memory. */
static enum step emit(struct req *r)
{
	size_t bytes = edits_out_bytes(r->enriched.edits, r->body.n);
	struct body *mem;

	/* Produce would say so, after the copy. */
	if (bytes > r->route->record_max && !r->format->split)
		return refuse_record(r, bytes, r->route->record_max);
	if (charge_impossible(r, bytes))
		return refuse_record(r, r->charged + body_capacity(bytes),
		                     budget_capacity(r->w->budget));
	mem = charge_get(r, bytes);
	if (!mem)
		return refuse_counted(r, TS_REFUSED_OVERLOAD, req_refuse(r, V_OVERLOAD));
	edits_emit(r->enriched.edits, r->body, mem->data);
	charge_swap(r, mem, bytes_of(mem->data, bytes));
	return STEP_NEXT;
}

/* Much larger than what lies in it: inflated into a buffer of the limit, say. A record may keep its
 * buffer for seconds, and all of it is charged. */
static bool is_roomy(const struct req *r)
{
	return r->body_mem->cap / 2 > body_capacity(r->body.n);
}

/* By the signal that the body told, if it has any item. */
static enum step check_scope(struct req *r, enum verdict v)
{
	if (v == V_ACCEPTED && auth_scope_is_open(r) && !auth_has_scope(r))
		return refuse_counted(r, TS_REFUSED_SCOPE,
		                      req_refuse(r, V_SCOPE, r->who.token, signal_name(r->signal)));
	return STEP_NEXT;
}

static enum step on_verdict(struct req *r, enum verdict v)
{
	const struct enriched *e = &r->enriched;
	enum step step;

	if (v == V_INVALID)
		return refuse_counted(r, TS_REFUSED_INVALID, req_refuse(r, V_INVALID, e->reason));
	if (v == V_NO_STREAMS)
		return req_refuse(r, V_NO_STREAMS);
	if (v == V_COUNT)
		return refuse_counted(r, TS_REFUSED_SIZE,
		                      req_refuse(r, V_COUNT, (unsigned long long)e->counted,
		                                 e->counted_what,
		                                 (unsigned long long)e->count_limit));
	assert(v == V_ACCEPTED || v == V_EMPTY); /* protocol.h: enrich says no more */
	step = check_scope(r, v);
	if (step == STEP_NEXT)
		step = rates_items(r);
	if (step != STEP_NEXT)
		return step;
	beside_count(r, TS_ITEMS_SPOOFED, e->spoofed);
	beside_count(r, TS_ITEMS_REPAIRED, e->repaired);
	if (v == V_EMPTY)
		return req_say(r, V_EMPTY);
	return e->edits->n || !r->body_mem || is_roomy(r) ? emit(r) : STEP_NEXT;
}

/* The fields of the request that the protocol reads. */
static void read_headers(const struct req *r, struct enrich_in *in)
{
	const char *const *names = r->route->protocol->headers;

	for (unsigned i = 0; names && names[i]; i++) {
		const struct http_field *f = http_field_find(&r->head, names[i], 0);

		assert(i < HEADERS_WANTED_MAX);
		in->headers[i] = f ? f->value : BYTES_NONE;
	}
}

static enum step enrich_body(struct req *r)
{
	enum verdict v;
	struct kit *kit = kit_of(r);
	uint8_t stamp[STAMP_MAX]; /* the edits point here until emit() */
	struct enrich_in in = {
		.body = r->body,
		.stamp_name = r->route->stamp_name,
		.utf8 = r->route->utf8,
		.depth = (unsigned)r->w->conf->limits.depth,
		.resources_max = RESOURCES_MAX,
		.scratch = &kit->scratch,
		.received = r->received,
		.model = r->model ? r->model->model : NULL,
		.claims = r->who.claims,
		.client_claims_win = r->w->conf->compat.moose_trust_client_claims,
		.record_max = r->route->record_max,
	};

	read_headers(r, &in);
	if (r->route->enrich == ENRICH_BODY && r->format->stamp) {
		in.stamp.n =
			r->format->stamp(in.stamp_name, bytes_of(r->who.tenant, r->who.tenant_n),
		                         stamp, sizeof(stamp));
		in.stamp.p = stamp;
		assert(in.stamp.n); /* name and id are bounded far below STAMP_MAX */
	}
	edits_reset(&kit->edits);
	kit->slices.n = 0;
	r->enriched = (struct enriched){ .edits = &kit->edits,
		                         .slices = &kit->slices,
		                         .signal = r->signal };
	if (r->format->transcode) {
		enum step step = transcode_body(r, &in);

		if (step != STEP_NEXT)
			return step;
	}
	v = r->format->enrich(&in, &r->enriched);
	r->signal = r->enriched.signal;
	return on_verdict(r, v);
}

enum step enrich_run(struct req *r)
{
	enum step step;

	if (beside_wanted(r, r->body.n))
		return STEP_BESIDE;
	step = enrich_body(r);
	scratch_trim(&kit_of(r)->scratch, SCRATCH_KEPT);
	if (step == STEP_REPLY && r->verdict == V_INVALID)
		dead_letters_take(r);
	return step;
}
