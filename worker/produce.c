/* SPDX-License-Identifier: Apache-2.0 */
/*
 * produce.c -- the produce stage: one value becomes the records of one parcel, one as a rule; many
 * where a body is many objects, or too large for one record. Sizes and budget are settled for all
 * of them before the first is handed to the sink; many are sent over several turns of the loop.
 */
#include "worker/produce.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/loop.h"
#include "worker/beside.h"
#include "worker/bodies.h"
#include "worker/budget.h"
#include "worker/charge.h"
#include "worker/media.h"
#include "worker/sink.h"

/*
 * What a record costs beside buffer, header bytes and BUDGET_RECORD_OVERHEAD: itself, and a list
 * element and heap block of librdkafka for each header. Measured with 83 000 records of 100 bytes
 * held by a stopped broker: 3 700 bytes each, where buffer, headers and 512 would be 2 770.
 */
enum { HEADER_OVERHEAD = 64, RECORD_COST = BUDGET_RECORD_OVERHEAD + sizeof(struct record) };
enum { TURN_RECORDS = 1000, SPLIT_ATTEMPTS = 2 };

/* ---- the parcel ---- */

static struct bytes record_type(const struct req *r)
{
	struct bytes type;

	if (r->format->record_type)
		return bytes_str(r->format->record_type);
	if (r->head.content_type.n && media_parse(r->head.content_type, &type))
		return type;
	return BYTES("application/octet-stream");
}

/* records.md 1.1: these, in this order, no other. */
static void add_headers(struct parcel *p, const struct req *r)
{
	enum record_headers which = r->route->headers;
	bool all = which == HEADERS_ALL;
	char ms[24];

	parcel_header(p, "X-Scope-OrgID", p->key);
	parcel_header(p, "tenant_id", p->key);
	if (which == HEADERS_TENANT)
		return;
	parcel_header(p, "signal", bytes_str(signal_name(p->signal)));
	parcel_header(p, "format", bytes_str(r->format->record_format));
	if (r->format->record_type)
		parcel_header(p, "content-type", record_type(r));
	else /* of the client, and as long as its head */
		parcel_header_copy(p, "content-type", bytes_cut(record_type(r), RECORD_TYPE_MAX));
	if (all || p->signal == SIGNAL_OPAQUE)
		parcel_header(p, "headgate-route", bytes_str(r->route->name));
	parcel_header_copy(p, "headgate-request-id",
	                   bytes_of(r->request_id, strnlen(r->request_id, 32)));
	if (all) {
		snprintf(ms, sizeof(ms), "%" PRId64, p->timestamp_ms);
		parcel_header_copy(p, "headgate-received-ms", bytes_str(ms));
		parcel_header(p, "headgate-contract", BYTES("1"));
	}
	p->part_at = p->header_count;
	/* A higher version may be longer: its first four fields are the 55 bytes that we know. */
	if (r->traceparent.n > 0)
		parcel_header_copy(p, "traceparent", bytes_cut(r->traceparent, 55));
}

struct parcel *produce_parcel_of(struct req *r, unsigned topic)
{
	struct parcel *p = parcel_get(r->w);

	p->topic = topic;
	p->topic_name = routes_topic_name(r->w->routes, p->topic);
	memcpy(p->key_mem, r->who.tenant, r->who.tenant_n);
	p->key = bytes_of(p->key_mem, r->who.tenant_n);
	p->timestamp_ms = r->received / 1000000;
	p->signal = r->signal;
	p->tenant_ordinal = r->who.tenant_ordinal;
	p->metric_slot = r->who.metric_slot;
	add_headers(p, r);
	return p;
}

/* ---- refusals: nothing was produced, all of it goes back ---- */

static enum tenant_stat refused_as(enum verdict v)
{
	return v == V_RECORD_SIZE || v == V_COUNT ? TS_REFUSED_SIZE
	       : v == V_OVERLOAD                  ? TS_REFUSED_OVERLOAD
	                                          : TS_REFUSED_OTHER;
}

static void count_refused(struct req *r, enum verdict v, uint64_t items)
{
	beside_count(r, refused_as(v), items);
}

static enum step refuse_size(struct req *r, uint64_t bytes, uint64_t limit)
{
	count_refused(r, V_RECORD_SIZE, r->enriched.items);
	return req_refuse(r, V_RECORD_SIZE, (unsigned long long)bytes, (unsigned long long)limit);
}

static enum step refuse(struct req *r, enum verdict v)
{
	count_refused(r, v, r->enriched.items);
	return req_refuse(r, v);
}

static enum step refuse_records(struct req *r, uint64_t count, uint64_t limit)
{
	count_refused(r, V_COUNT, r->enriched.items);
	return req_refuse(r, V_COUNT, (unsigned long long)count, "records",
	                  (unsigned long long)limit);
}

/* ---- a value too large for one record ---- */

/* One attempt with room for `size` bytes; SPLIT_ROOM through *result asks for another with *n. */
static enum step split_into(struct req *r, const struct split_in *in, size_t size,
                            enum split *result, size_t *n)
{
	struct body *mem;

	if (charge_impossible(r, size)) /* beside what it holds */
		return refuse_size(r, r->charged + body_capacity(size),
		                   budget_capacity(r->w->budget));
	mem = charge_get(r, size);
	if (!mem)
		return refuse(r, V_OVERLOAD);
	*result = r->format->split(in, mem->data, mem->cap, n, &kit_of(r)->slices,
	                           &r->enriched.rejected);
	if (*result == SPLIT_OK)
		charge_swap(r, mem, bytes_of(mem->data, *n));
	else
		charge_put(r, mem);
	return STEP_NEXT;
}

/* `fixed`: bytes of a record that are not its value. */
static enum step split(struct req *r, uint64_t fixed, uint64_t limit)
{
	struct split_in in = { .value = r->body,
		               .limit = limit - fixed,
		               .signal = r->signal,
		               .scratch = &kit_of(r)->scratch };
	enum split result = SPLIT_ROOM;
	size_t n = r->body.n;

	if (limit <= fixed)
		return refuse_size(r, fixed + r->body.n, limit);
	for (unsigned i = 0; i < SPLIT_ATTEMPTS && result == SPLIT_ROOM; i++) {
		enum step step = split_into(r, &in, n, &result, &n);

		if (step != STEP_NEXT)
			return step;
	}
	if (result == SPLIT_COUNT)
		return refuse_records(r, SLICES_MAX + 1, SLICES_MAX);
	if (result != SPLIT_OK)
		return refuse_size(r, fixed + n, limit);
	return STEP_NEXT;
}

/* ---- before the first record ---- */

static uint64_t record_limit(const struct req *r, unsigned topic)
{
	const struct sink_open *sink = r->w->sink;
	uint64_t limit = r->route->record_max;

	if (sink->ops->ceiling && sink->ops->ceiling(sink->state, topic) < limit)
		limit = sink->ops->ceiling(sink->state, topic);
	return limit;
}

static uint64_t fixed_bytes(const struct parcel *p)
{
	return p->key.n + parcel_header_bytes(p) + BUDGET_RECORD_OVERHEAD;
}

/* What the records are: slices of the body, none of them too large. */
static enum step settle_sizes(struct req *r, struct parcel *p, uint64_t limit)
{
	struct slices *s = &kit_of(r)->slices;
	enum step step;

	if (s->n == 0 && fixed_bytes(p) + r->body.n > limit && r->format->split) {
		p->parts = SLICES_MAX; /* room for their header */
		step = split(r, fixed_bytes(p), limit);
		if (step != STEP_NEXT)
			return step;
		p->parts = s->n > 1 ? (unsigned)s->n : 0;
		r->enriched.items -= r->enriched.rejected;
		count_refused(r, V_RECORD_SIZE, r->enriched.rejected);
	}
	if (s->n == 0)
		slices_add(s, 0, r->body.n, r->enriched.items);
	for (size_t i = 0; i < s->n; i++)
		if (fixed_bytes(p) + s->v[i].n > limit)
			return refuse_size(r, fixed_bytes(p) + s->v[i].n, limit);
	return STEP_NEXT;
}

static uint64_t record_cost(const struct parcel *p)
{
	uint64_t headers = p->header_count + (p->parts ? 1 : 0);

	return parcel_header_bytes(p) + headers * HEADER_OVERHEAD + RECORD_COST;
}

uint64_t produce_cost(const struct parcel *p, size_t records)
{
	return sizeof(*p) + (p->more ? RECORD_HEADER_MORE : 0) + records * record_cost(p);
}

/* Buffer and charge become the parcel's, topped up by what its records cost beside their values. */
static enum step settle_budget(struct req *r, struct parcel *p)
{
	struct budget *budget = r->w->budget;
	size_t records = kit_of(r)->slices.n;
	uint64_t each = record_cost(p), extra = produce_cost(p, records);

	if (budget_impossible(budget, r->charged + extra)) {
		if (records == 1)
			return refuse_size(r, r->charged + extra, budget_capacity(budget));
		return refuse_records(
			r, records,
			(budget_capacity(budget) - min_size(r->charged, budget_capacity(budget))) /
				each);
	}
	if (!budget_take(budget, p->tenant_ordinal, r->charged, extra))
		return refuse(r, V_OVERLOAD);
	p->charged = r->charged + extra;
	r->charged = 0;
	p->mem = take_ptr(&r->body_mem);
	return STEP_NEXT;
}

/* What is the loop's is done there, in two visits: a parcel and its limit, then the budget. */
struct visit {
	struct req *r;
	struct parcel *p;
	uint64_t limit;
	enum step step;
};

static void begin(void *arg)
{
	struct visit *v = arg;

	v->p = produce_parcel_of(v->r, routes_topic(v->r->w->routes, v->r));
	v->limit = record_limit(v->r, v->p->topic);
}

static void end(void *arg)
{
	struct visit *v = arg;
	struct req *r = v->r;

	if (v->step == STEP_NEXT)
		v->step = settle_budget(r, v->p);
	if (v->step != STEP_NEXT) {
		parcel_close(v->p, V_NONE); /* it holds nothing yet */
		return;
	}
	r->parcel = v->p;
	r->topic = v->p->topic_name;
	r->partition = -1;
	r->body = BYTES_NONE;
}

enum step produce_settle(struct req *r)
{
	struct visit v = { .r = r };

	assert(r->body_mem); /* enrich made the value; it lies in a buffer of its own */
	beside_ask(r, begin, &v);
	v.step = settle_sizes(r, v.p, v.limit);
	beside_ask(r, end, &v);
	return v.step;
}

/* ---- the records ---- */

static uint32_t hash_more(uint32_t h, const void *p, size_t n) /* FNV-1a */
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * 16777619u;
	return h;
}

/* `source` keeps what one sender sent in its order. The partitioner says which partition a word
 * means. */
static uint32_t source_word(const struct req *r)
{
	uint32_t h;

	h = hash_more(2166136261u, r->parcel->key.p, r->parcel->key.n);
	h = hash_more(h, r->who.token, strlen(r->who.token) + 1);
	return hash_more(h, r->client, sizeof(r->client));
}

static struct record *make_record(struct parcel *p, const struct slice *slice, size_t index)
{
	struct record *rec = record_get(p->w);

	rec->parcel = p;
	rec->value = bytes_of(p->mem->data + slice->at, slice->n);
	rec->items = slice->items;
	rec->produced_ns = loop_now_ns();
	rec->part = p->parts ? (unsigned)index + 1 : 0;
	return rec;
}

size_t produce_parcel(struct parcel *p, const struct slices *slices)
{
	enum verdict refused = V_NONE;
	size_t lost = 0;

	for (size_t i = 0; i < slices->n; i++) {
		struct record *rec = make_record(p, &slices->v[i], i);
		enum verdict v;

		rec->spread = true;
		if (!record_send(rec, &v)) {
			record_put(p->w, rec);
			refused = v;
			lost++;
		}
	}
	sink_gauges(p->w);
	parcel_close(p, refused);
	return lost;
}

static struct slices *slices_of(struct req *r)
{
	return r->slices.n ? &r->slices : &r->w->kit.slices;
}

/* All that was produced is stored; what no record could hold was left out. */
static enum step succeed(struct req *r)
{
	return req_say(r, r->enriched.rejected ? V_PARTIAL : V_ACCEPTED);
}

/* A late answer, or what the sink said of a record behind others that it took. */
static enum step refuse_late(struct req *r, enum verdict v)
{
	if (v != V_RECORD_SIZE)
		return req_refuse(r, v);
	/* The broker names no figure, and the one we know let the record pass. */
	r->verdict = v;
	snprintf(r->detail, sizeof(r->detail),
	         "the broker refuses a record of this size for the topic of this route");
	return STEP_REPLY;
}

/* The hand that sends lets go of the parcel; the answer is there already, or comes later. */
static enum step let_go(struct req *r, enum verdict v)
{
	struct parcel *p = take_ptr(&r->parcel);

	slices_done(&r->slices);
	if (p->open > 1) {
		p->handle = r->handle;
		parcel_close(p, v);
		return STEP_WAKE;
	}
	v = parcel_verdict(p, v);
	if (!verdict_is_success(v))
		stats_tenant_add(r->w->stats, p->metric_slot, p->signal, TS_ITEMS_LATE,
		                 (int64_t)p->delivered);
	parcel_close(p, v);
	return verdict_is_success(v) ? succeed(r) : refuse_late(r, v);
}

/* The sink takes no more. What it has it keeps, and answers first. */
static enum step cut_short(struct req *r, enum verdict v, uint64_t bytes)
{
	const struct slices *s = slices_of(r);
	uint64_t rest = 0;
	bool any = r->sent > 0;

	for (size_t i = r->sent; i < s->n; i++)
		rest += s->v[i].items;
	count_refused(r, v, rest);
	if (any)
		return let_go(r, v);
	parcel_close(take_ptr(&r->parcel), V_NONE);
	slices_done(&r->slices);
	if (v == V_RECORD_SIZE)
		return req_refuse(r, v, (unsigned long long)bytes,
		                  (unsigned long long)r->route->record_max);
	return req_refuse(r, v);
}

static enum step send_some(struct req *r)
{
	struct slices *s = slices_of(r);
	size_t until = min_size(r->sent + TURN_RECORDS, s->n);

	for (; r->sent < until; r->sent++) {
		struct record *rec = make_record(r->parcel, &s->v[r->sent], r->sent);
		size_t bytes = fixed_bytes(r->parcel) + rec->value.n;
		enum verdict v;

		rec->spread = r->route->partition == PARTITION_SPREAD;
		if (!rec->spread)
			rec->partition_word = source_word(r);
		if (!record_send(rec, &v)) {
			record_put(r->w, rec);
			return cut_short(r, v, bytes);
		}
		r->produced = true;
	}
	sink_gauges(r->w);
	if (r->sent < s->n) {
		if (!r->slices.n) /* the worker's own are the next request's too */
			r->slices = slices_take(&r->w->kit.slices);
		return STEP_TURN;
	}
	stats_tenant_add(r->w->stats, r->who.metric_slot, r->signal, TS_TENANT_BYTES,
	                 (int64_t)r->decoded_bytes);
	return let_go(r, V_NONE);
}

/* The late answer is here: conn.c set the verdict and called us again. */
static enum step answered(struct req *r)
{
	if (r->verdict == V_NONE)
		return STEP_WAKE;
	return verdict_is_success(r->verdict) ? succeed(r) : refuse_late(r, r->verdict);
}

enum step produce_run(struct req *r)
{
	if (!r->parcel) {
		enum step step;

		if (r->produced)
			return answered(r);
		/* For a split alone: where enrich said what the records are, it said so here. */
		if (r->w->kit.slices.n == 0 && beside_wanted(r, r->body.n))
			return STEP_BESIDE;
		step = produce_settle(r);
		if (step != STEP_NEXT)
			return step;
	}
	return send_some(r);
}

void produce_abandon(struct req *r)
{
	const struct slices *s = slices_of(r);

	if (!r->parcel)
		return;
	for (size_t i = r->sent; i < s->n; i++)
		count_refused(r, V_GONE, s->v[i].items);
	r->parcel->handle = r->handle; /* of nobody by now: what is delivered is late */
	parcel_close(take_ptr(&r->parcel), V_NONE);
	slices_done(&r->slices);
}
