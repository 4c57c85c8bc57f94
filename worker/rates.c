/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rates.c -- the tenant's words are shared by all workers and moved by gcra.h alone; its limits
 * came with the table and were copied at auth, so what is given back is what was taken, whatever
 * table serves by then. What is in flight each worker counts in its own stats page.
 */
#include "worker/rates.h"

#include "common/gcra.h"
#include "common/loop.h"
#include "worker/beside.h"
#include "worker/bodies.h"
#include "worker/worker.h"

enum { RETRY_MIN_S = 1, RETRY_MAX_S = 5 }; /* above it some exporters give up */

/* clang-format off */
static const struct {
	const char *name;
	enum verdict refused;
	enum tenant_stat counted;
} kinds[LIMIT_KINDS] = {
	[LIMIT_REQUESTS] = { "requests", V_RATE_REQUESTS, TS_RATE_REQUESTS },
	[LIMIT_BYTES]    = { "bytes",    V_RATE_BYTES,    TS_RATE_BYTES    },
	[LIMIT_ITEMS]    = { "items",    V_RATE_ITEMS,    TS_RATE_ITEMS    },
};
/* clang-format on */

/* ---- rates ---- */

/* NULL: an ordinal beyond the page, or another tenant's by now. */
static gcra_word *words_of(const struct req *r)
{
	struct limits *limits = r->w->limits;
	uint32_t ordinal = r->who.tenant_ordinal;

	return limits_life(limits, ordinal) == r->rates.life ? limits_words(limits, ordinal) : NULL;
}

static void count(const struct req *r, enum tenant_stat id)
{
	stats_tenant_add(r->w->stats, r->who.metric_slot, r->signal, id, 1);
}

/* How long the same request, sent again, would have to wait for any of its kinds. */
static unsigned retry_after(const struct req *r, const gcra_word *words)
{
	static const int64_t second = 1000000000;
	int64_t longest = 0, wait;

	for (enum limit_kind kind = 0; kind < LIMIT_KINDS; kind++) {
		wait = gcra_wait(&words[kind], &r->who.limits.rates[kind], r->rates.asked[kind],
		                 loop_now_ns());
		if (wait > longest)
			longest = wait;
	}
	if (longest > (RETRY_MAX_S - 1) * second)
		return RETRY_MAX_S;
	return longest > RETRY_MIN_S * second ? (unsigned)((longest + second - 1) / second)
	                                      : RETRY_MIN_S;
}

static enum step refuse_burst(struct req *r, enum limit_kind kind)
{
	const char *name = kinds[kind].name;

	count(r, TS_RATE_BURST);
	return req_refuse(r, V_RATE_BURST, (unsigned long long)r->rates.asked[kind], name,
	                  r->who.tenant, (unsigned long long)r->who.limits.rates[kind].burst, name,
	                  name);
}

static enum step refuse_rate(struct req *r, enum limit_kind kind, const gcra_word *words)
{
	const struct gcra_rate *rate = &r->who.limits.rates[kind];

	count(r, kinds[kind].counted);
	r->retry_wait = retry_after(r, words);
	return req_refuse(r, kinds[kind].refused, r->who.tenant, (unsigned long long)rate->per_s,
	                  (unsigned long long)rate->burst, (unsigned long long)r->rates.asked[kind],
	                  r->retry_wait);
}

/* Tops the kind up to what is asked by now. */
static enum step charge(struct req *r, enum limit_kind kind)
{
	const struct gcra_rate *rate = &r->who.limits.rates[kind];
	uint64_t asked = r->rates.asked[kind], taken = r->rates.taken[kind];
	gcra_word *words;
	int64_t wait;

	if (!rate->per_s || asked <= taken)
		return STEP_NEXT;
	words = words_of(r);
	if (!words)
		return STEP_NEXT;
	wait = gcra_take(&words[kind], rate, taken, asked - taken, loop_now_ns());
	if (wait == GCRA_NEVER)
		return refuse_burst(r, kind);
	if (wait > 0)
		return refuse_rate(r, kind, words);
	r->rates.taken[kind] = asked;
	return STEP_NEXT;
}

struct top_up {
	struct req *r;
	enum limit_kind kind;
	enum step step;
};

static void on_top_up(void *arg)
{
	struct top_up *t = arg;

	t->step = charge(t->r, t->kind);
}

/* From either thread: the words are anybody's, but the clock and the stats are the loop's. */
static enum step charge_up_to(struct req *r, enum limit_kind kind, uint64_t asked)
{
	struct top_up t = { r, kind, STEP_NEXT };

	if (asked > r->rates.asked[kind])
		r->rates.asked[kind] = asked;
	if (r->who.limits.rates[kind].per_s)
		beside_ask(r, on_top_up, &t);
	return t.step;
}

enum step rates_admit(struct req *r)
{
	enum step step;

	r->rates.life = limits_life(r->w->limits, r->who.tenant_ordinal);
	/* Both before the first is taken: Retry-After is for all that is known. */
	r->rates.asked[LIMIT_REQUESTS] = 1;
	r->rates.asked[LIMIT_BYTES] = r->head.chunked ? 1 : r->head.length;
	step = charge(r, LIMIT_REQUESTS);
	return step == STEP_NEXT ? charge(r, LIMIT_BYTES) : step;
}

enum step rates_wire(struct req *r)
{
	return charge_up_to(r, LIMIT_BYTES, r->wire_bytes);
}

uint64_t rates_body_limit(const struct req *r, uint64_t limit)
{
	uint64_t own = r->who.limits.max_body_bytes;
	bool as_it_comes = r->encoding == ENCODING_IDENTITY && !r->format->block;

	return as_it_comes && own && own < limit ? own : limit;
}

enum step rates_decoded(struct req *r)
{
	uint64_t limit = r->who.limits.max_body_bytes;

	if (limit && r->decoded_bytes > limit)
		return req_refuse(r, V_BODY_SIZE, (unsigned long long)r->decoded_bytes,
		                  (unsigned long long)limit);
	return charge_up_to(r, LIMIT_BYTES, r->decoded_bytes);
}

enum step rates_items(struct req *r)
{
	enum step step = charge_up_to(r, LIMIT_ITEMS, r->enriched.items);

	if (step != STEP_NEXT)
		beside_count(r, TS_REFUSED_RATE, r->enriched.items);
	return step;
}

/* ---- in flight ---- */

struct in_flight {
	uint64_t bytes, requests;
};

static struct stats_in_flight *mine(const struct req *r)
{
	return &stats_in_flight(r->w->stats)[r->who.tenant_ordinal];
}

static struct in_flight read_in_flight(const struct stats_in_flight *at)
{
	return (struct in_flight){
		.bytes = atomic_load_explicit(&at->bytes, memory_order_relaxed),
		.requests = atomic_load_explicit(&at->requests, memory_order_relaxed),
	};
}

/* Of all workers, draining ones too. */
static struct in_flight all_in_flight(const struct req *r)
{
	struct in_flight sum = { 0, 0 };

	for (unsigned i = 0; i < r->w->page_count; i++) {
		struct stats *page = r->w->pages[i];
		struct in_flight one;

		if (!page)
			continue;
		one = read_in_flight(&stats_in_flight(page)[r->who.tenant_ordinal]);
		sum.bytes += one.bytes;
		sum.requests += one.requests;
	}
	return sum;
}

/* A line of each worker is a line of somebody else's: they are read only by a tenant that uses more
 * than this worker's part of its cap. */
static bool is_beyond_part(const struct req *r, uint64_t own, uint64_t limit)
{
	return limit && own > limit / r->w->siblings;
}

static bool is_over(const struct req *r)
{
	const struct tenant_limits *limits = &r->who.limits;
	uint64_t length = r->head.has_length ? body_capacity(r->head.length) : 0;
	struct in_flight own = read_in_flight(mine(r)), all;

	if (!is_beyond_part(r, own.requests + 1, limits->max_inflight_requests) &&
	    !is_beyond_part(r, own.bytes + length, limits->max_inflight_bytes))
		return false;
	all = all_in_flight(r);
	if (limits->max_inflight_requests && all.requests >= limits->max_inflight_requests)
		return true;
	/* As with budgets: a single one may be larger, else it would be told to retry for ever. */
	return limits->max_inflight_bytes && all.bytes > 0 &&
	       (all.bytes >= limits->max_inflight_bytes ||
	        length > limits->max_inflight_bytes - all.bytes);
}

static void count_in_flight(struct req *r, uint64_t by)
{
	struct stats_in_flight *own = mine(r);

	/* One writer: no locked instruction is needed. */
	atomic_store_explicit(&own->requests, read_in_flight(own).requests + by,
	                      memory_order_relaxed);
}

enum step rates_in_flight(struct req *r)
{
	if (is_over(r)) {
		count(r, TS_RATE_INFLIGHT);
		return req_refuse(r, V_INFLIGHT);
	}
	r->rates.in_flight = true;
	count_in_flight(r, 1);
	return STEP_NEXT;
}

/* ---- the end ---- */

/* A chunked body that broke off costs what came of it. */
static void charge_rest(struct req *r, gcra_word *words)
{
	const struct gcra_rate *rate = &r->who.limits.rates[LIMIT_BYTES];
	uint64_t taken = r->rates.taken[LIMIT_BYTES];
	uint64_t came = r->wire_bytes < rate->burst ? r->wire_bytes : rate->burst;

	if (r->head.chunked && !r->body_ended && taken > 0 && came > taken &&
	    gcra_take(&words[LIMIT_BYTES], rate, taken, came - taken, loop_now_ns()) == 0)
		r->rates.taken[LIMIT_BYTES] = came;
}

void rates_settle(struct req *r)
{
	gcra_word *words = words_of(r);

	if (r->rates.in_flight)
		count_in_flight(r, UINT64_MAX);
	r->rates.in_flight = false;
	if (!words)
		return;
	/* By the verdict, not by the dialect, which may call a spent rate by the same number. */
	if (verdict_get(r->verdict)->status != 503) {
		charge_rest(r, words);
		return;
	}
	for (enum limit_kind kind = 0; kind < LIMIT_KINDS; kind++) {
		gcra_give(&words[kind], &r->who.limits.rates[kind], r->rates.taken[kind]);
		r->rates.taken[kind] = 0;
	}
}
