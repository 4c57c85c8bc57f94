/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dead_letters.c -- copies of bodies that were answered 400, sent to a topic without anybody
 * waiting (records.md 1.5). The copy has a budget and a rate of its own: a tenant's bad bodies take
 * nothing from anybody's good ones. What is too large, too often or finds no room is counted, and
 * gone.
 */
#include "worker/dead_letters.h"

#include "common/buf.h"
#include "common/log.h"
#include "common/loop.h"
#include "worker/beside.h"
#include "worker/bodies.h"
#include "worker/budget.h"
#include "worker/dead_letters_model.h"
#include "worker/dialects.h"
#include "worker/media.h"
#include "worker/models.h"
#include "worker/produce.h"
#include "worker/route.h"
#include "worker/sink.h"

enum { DETAIL_BYTES = 1024 };

struct dead_letters {
	int64_t each_ns; /* of one tenant, in this worker */
	int64_t *next; /* by tenant: when the next one is due (GCRA); pages are only touched if used
	                */
	struct slices slices;
	struct log_limit lost_log;
};

/* Rates of all workers together; each takes its part, and saves up a second of it. */
struct dead_letters *dead_letters_open(struct worker *w)
{
	struct dead_letters *d = xcalloc(1, sizeof(*d));
	int64_t per_second = (int64_t)max_size(w->conf->dead_letters.per_tenant, 1);

	d->each_ns = INT64_C(1000000000) / per_second * workers_count(w->conf);
	d->next = xcalloc(w->conf->limits.max_tenants, sizeof(*d->next));
	return d;
}

void dead_letters_close(struct dead_letters *d)
{
	if (!d)
		return;
	free(d->next);
	slices_done(&d->slices);
	free(d);
}

static bool is_due(struct dead_letters *d, uint32_t tenant)
{
	int64_t now = loop_now_ns(), next = d->next[tenant],
		burst = d->each_ns < INT64_C(1000000000) ? INT64_C(1000000000) - d->each_ns : 0;

	if (next > now + burst)
		return false;
	d->next[tenant] = (next > now ? next : now) + d->each_ns;
	return true;
}

static void count(struct req *r, enum letter what, size_t n)
{
	uint32_t held;

	if (!n)
		return;
	stats_add(r->w->stats, STAT_DEAD_LETTERS, what, 0, (int64_t)n);
	if (what == LETTER_DROPPED &&
	    log_limited(&r->w->dead_letters->lost_log, 1, loop_now(), &held))
		log_warn("dead_letters",
		         "dead letters were dropped: no room, too large, or too many",
		         KV_S("tenant", r->who.tenant), KV_S("route", r->route->name),
		         KV_U("letters", n), KV_U("repeats", held));
}

static uint64_t limit_of(const struct req *r, unsigned topic)
{
	const struct sink_open *sink = r->w->sink;
	uint64_t limit = r->w->conf->record.max_bytes;

	return sink->ops->ceiling ? min_size(limit, sink->ops->ceiling(sink->state, topic)) : limit;
}

/* Budget and buffer for values of `bytes` in `records`; false: there is none. */
static bool get_room(struct req *r, struct parcel *p, size_t bytes, size_t records)
{
	uint64_t all = body_capacity(bytes) + produce_cost(p, records);

	/* As if nothing else of the tenant's were in flight would be too much: its share is all. */
	if (!budget_take(r->w->budget, p->tenant_ordinal, 0, all))
		return false;
	p->charged = all;
	p->mem = body_get(r->w->bodies, bytes);
	return true;
}

static void send_letters(struct req *r, struct parcel *p, const struct slices *slices)
{
	size_t all = slices->n, lost = produce_parcel(p, slices);

	count(r, LETTER_SENT, all - lost);
	count(r, LETTER_DROPPED, lost);
}

static void drop(struct req *r, struct parcel *p, size_t n)
{
	parcel_close(p, V_NONE);
	count(r, LETTER_DROPPED, n);
}

/* The one that the records would have gone to, of this tenant. */
static const char *topic_of(const struct req *r)
{
	return routes_topic_name(r->w->routes, routes_topic(r->w->routes, r));
}

/* ---- the body as it is ---- */

/* The type of a record is that of what a body would have become: this one did not. */
static void name_type(struct parcel *p, const struct req *r)
{
	struct bytes type;

	if (!r->format->transcode || r->transcoded || !media_parse(r->head.content_type, &type))
		return;
	for (unsigned i = 0; i < p->header_count; i++)
		if (strcmp(p->headers[i].name, "content-type") == 0)
			p->headers[i].value = parcel_copy(p, bytes_cut(type, RECORD_TYPE_MAX));
}

static void add_reason(struct parcel *p, const struct req *r)
{
	const char *detail = dialect_text(r);

	name_type(p, r);
	parcel_header(p, "headgate-dlq-reason", bytes_str(verdict_get(r->verdict)->id));
	parcel_header_copy(p, "headgate-dlq-detail", bytes_cut(bytes_str(detail), DETAIL_BYTES));
	parcel_header(p, "headgate-dlq-topic", bytes_str(topic_of(r)));
}

static void take_body(void *arg)
{
	struct req *r = arg;
	struct dead_letters *d = r->w->dead_letters;
	unsigned topic = (unsigned)routes_dead_letters(r->w->routes);
	struct parcel *p;

	if (!is_due(d, r->who.tenant_ordinal)) {
		count(r, LETTER_DROPPED, 1);
		return;
	}
	p = produce_parcel_of(r, topic);
	add_reason(p, r);
	if (p->key.n + parcel_header_bytes(p) + BUDGET_RECORD_OVERHEAD + r->body.n >
	            limit_of(r, topic) ||
	    !get_room(r, p, r->body.n, 1)) {
		drop(r, p, 1);
		return;
	}
	memcpy(p->mem->data, r->body.p, r->body.n);
	d->slices.n = 0;
	slices_add(&d->slices, 0, r->body.n, 0);
	send_letters(r, p, &d->slices);
}

/* ---- of a data model: its objects ---- */

/* Two passes over a body that may be large are not the loop's work where the thread beside it has
 * the request; what they need of the loop's they get in between. */
struct objects {
	struct req *r;
	struct parcel *p; /* NULL: there is no room */
	struct slices *slices;
	struct model_letters letters;
};

static void begin_objects(void *arg)
{
	struct objects *o = arg;
	struct req *r = o->r;
	unsigned topic = (unsigned)routes_model_dead_letters(r);
	uint64_t fixed, limit = limit_of(r, topic);

	o->p = produce_parcel_of(r, topic);
	fixed = o->p->key.n + parcel_header_bytes(o->p) + BUDGET_RECORD_OVERHEAD;
	o->letters = (struct model_letters){ .body = r->body,
		                             .depth = (unsigned)r->w->conf->limits.depth,
		                             .error = dialect_text(r),
		                             .topic = topic_of(r),
		                             .failed_at = r->received,
		                             .limit = limit > fixed ? limit - fixed : 0 };
}

static void leave_objects(void *arg)
{
	struct objects *o = arg;

	parcel_close(o->p, V_NONE);
}

static void get_objects_room(void *arg)
{
	struct objects *o = arg;

	if (!get_room(o->r, o->p, o->letters.bytes, o->letters.count))
		drop(o->r, take_ptr(&o->p), o->letters.count);
}

static void send_objects(void *arg)
{
	struct objects *o = arg;

	count(o->r, LETTER_DROPPED, o->letters.objects - o->letters.count);
	send_letters(o->r, o->p, o->slices);
}

static void take_objects(struct req *r)
{
	struct objects o = { .r = r, .slices = &kit_of(r)->slices };
	struct buf out;

	beside_ask(r, begin_objects, &o);
	if (!model_letters_count(&o.letters) || !o.letters.objects) {
		/* a syntax error behind the one that was found first; nothing but numbers */
		beside_ask(r, leave_objects, &o);
		return;
	}
	beside_ask(r, get_objects_room, &o);
	if (!o.p)
		return;
	o.slices->n = 0; /* of records that are none */
	buf_init_fixed(&out, o.p->mem->data, o.p->mem->cap);
	model_letters_write(&o.letters, &out, o.slices);
	beside_ask(r, send_objects, &o);
	o.slices->n = 0;
}

void dead_letters_take(struct req *r)
{
	if (!r->w->dead_letters || !r->body.n)
		return;
	assert(r->who.known);
	if (routes_model_dead_letters(r) >= 0 && r->verdict == V_INVALID && !r->enriched.is_syntax)
		take_objects(r);
	if (routes_dead_letters(r->w->routes) >= 0)
		beside_ask(r, take_body, r);
}
