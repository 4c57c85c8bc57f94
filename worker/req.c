/* SPDX-License-Identifier: Apache-2.0 */
/*
 * req.c -- the life of one request: its fields set, its verdict said, its memory and budget given
 * back. What it counts and logs it counts and logs in req_finish(), once.
 */
#include "worker/req.h"

#include <stdarg.h>
#include <stdio.h>
#include "common/loop.h"
#include "worker/audit.h"
#include "worker/auth.h"
#include "worker/bodies.h"
#include "worker/budget.h"
#include "worker/produce.h"
#include "worker/rates.h"
#include "worker/route.h"
#include "worker/taps.h"
#include "worker/worker.h"

enum { POOL_FIRST_BYTES = 1 * KIB, REST_MAX = 64 * KIB };

void req_start(struct req *r, struct worker *w, const struct listener *listener)
{
	struct pool *pool = r->pool ? r->pool : pool_new(POOL_FIRST_BYTES);

	/* Not reply_mem, and of the head not its fields: 4 KiB that nobody reads before they are
	 * written. */
	memset(r, 0, offsetof(struct req, reply_mem));
	memset(&r->more, 0, offsetof(struct req, head.fields) - offsetof(struct req, more));
	memset(&r->head.field_count, 0, sizeof(*r) - offsetof(struct req, head.field_count));
	r->w = w;
	r->pool = pool;
	r->listener = listener;
	r->who.metric_slot = limits_metric_none(w->limits);
	r->who.method = METHOD_NONE;
	r->partition = -1;
	buf_init_fixed(&r->reply, r->reply_mem, sizeof(r->reply_mem));
}

static unsigned route_index(const struct req *r)
{
	return r->route ? r->route->index : ROUTE_NONE;
}

static void tenant_add(const struct req *r, enum tenant_stat id, uint64_t n)
{
	stats_tenant_add(r->w->stats, r->who.metric_slot, r->signal, id, (int64_t)n);
}

static void count_tenant(const struct req *r)
{
	tenant_add(r, TS_TENANT_REQUESTS, 1);
	tenant_add(r, TS_TENANT_WIRE_BYTES, r->wire_bytes);
	tenant_add(r, TS_TENANT_DECODED_BYTES, r->decoded_bytes);
	if (r->verdict == V_BLOCKED) /* refused unread: what is in it nobody knows */
		tenant_add(r, TS_REFUSED_BLOCKED, 1);
}

static void count(const struct req *r)
{
	struct stats *s = r->w->stats;
	unsigned route = route_index(r);

	stats_add(s, STAT_REQUESTS, route, r->verdict, 1);
	stats_add(s, STAT_REQUEST_BYTES, route, r->encoding, (int64_t)r->wire_bytes);
	stats_add(s, STAT_REQUEST_DECODED_BYTES, route, r->encoding, (int64_t)r->decoded_bytes);
	stats_observe_us(s, STAT_REQUEST_DURATION, route, (uint64_t)r->duration_ns / 1000);
	if (r->counted_in_flight)
		stats_add(s, STAT_REQUESTS_IN_FLIGHT, route, 0, -1);
	if (r->who.known && r->route && r->route->protocol)
		count_tenant(r);
}

void req_finish(struct req *r)
{
	struct worker *w = r->w;
	int code = r->route ? routes_code(w->routes, r->route->index, r->verdict)
	                    : verdict_get(r->verdict)->status;

	assert(r->verdict != V_NONE);
	r->duration_ns = loop_read_ns() - r->started_ns; /* a whole request may fit in one turn */
	count(r);
	auth_finish(r);
	audit_request(w->audit, r, code, r->bytes_out);
	if (w->taps)
		taps_request(w->taps, r, code);
	rates_settle(r);
	produce_abandon(r);
	if (r->charged)
		budget_give(w->budget, r->who.tenant_ordinal, r->charged);
	body_put(w->bodies, r->body_mem);
	buf_done(&r->reply);
	pool_reset(r->pool);
	r->charged = 0;
	r->body_mem = NULL;
}

uint64_t req_rest(const struct req *r)
{
	enum stage_index at = r->at < STAGE_REPLY ? r->at : r->refused_at;

	if (at > STAGE_BODY || r->body_ended)
		return 0;
	if (at == STAGE_HEAD || r->head.chunked)
		return UINT64_MAX;
	return r->head.length - r->wire_bytes;
}

/* A client whose body is not wanted may be in the middle of sending it. What is little is read and
 * thrown away, else the connection ends with the reply, which must say so. A client that still
 * waits for `100 Continue` may send its body or not (RFC 9110 10.1.1): then nobody knows what comes
 * next. */
static void judge_rest(struct req *r)
{
	uint64_t rest = req_rest(r);

	if (rest == UINT64_MAX || rest > REST_MAX + r->in.n ||
	    (rest && r->head.expect_continue && !r->continue_sent && r->in.n == 0 &&
	     r->wire_bytes == 0))
		r->last_on_connection = true;
}

/* The text is one line whatever went into it. */
static void detail_clean(struct req *r)
{
	for (char *p = r->detail; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
}

enum step req_refuse(struct req *r, enum verdict v, ...)
{
	va_list ap;

	assert(r->at < STAGE_REPLY);
	r->verdict = v;
	va_start(ap, v);
	vsnprintf(r->detail, sizeof(r->detail), verdict_get(v)->text, ap);
	va_end(ap);
	detail_clean(r);
	judge_rest(r);
	return STEP_REPLY;
}

enum step req_say(struct req *r, enum verdict v)
{
	assert(r->at < STAGE_REPLY && verdict_is_success(v));
	r->verdict = v;
	judge_rest(r);
	return STEP_REPLY;
}

void req_why(struct req *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->why, sizeof(r->why), fmt, ap);
	va_end(ap);
}

void req_take(struct req *r, size_t n)
{
	assert(n <= r->in.n);
	r->in = bytes_from(r->in, n);
}

void req_expire(struct req *r, enum verdict v)
{
	if (v == V_HEAD_TIMEOUT)
		req_refuse(r, v, (unsigned long long)r->w->conf->http.head_timeout);
	else
		req_refuse(r, v);
	r->refused_at = r->at;
	r->at = STAGE_REPLY;
	r->fill.at = NULL;
	r->fill.room = 0;
}

static struct stats_current *current_of(const struct req *r)
{
	struct stats_head *head = stats_head(r->w->stats);

	return r->is_beside ? &head->beside : &head->current;
}

void req_current(const struct req *r)
{
	struct stats_current *current = current_of(r);

	atomic_store_explicit(&current->active, 0, memory_order_relaxed);
	atomic_signal_fence(
		memory_order_seq_cst); /* for a reader after our death order is all it takes */
	current->route = route_index(r);
	current->encoding = r->encoding;
	current->length = r->head.length;
	memcpy(current->request_id, r->request_id, sizeof(current->request_id));
	atomic_store_explicit(&current->active,
	                      UINT64_C(1) + (r->who.known ? r->who.tenant_ordinal : UINT32_MAX),
	                      memory_order_release);
}

void req_current_clear(const struct req *r)
{
	atomic_store_explicit(&current_of(r)->active, 0, memory_order_release);
}
