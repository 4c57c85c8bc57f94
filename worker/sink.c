/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink.c -- what all sinks share: which one is open, the pools of records and parcels, and the
 * count of every record from accepted to its end. Each item that is counted accepted here is
 * counted delivered or failed here, exactly once, whether or not its request still lives.
 */
#include "worker/sink.h"

#include <stdio.h>

#include "worker/bodies.h"
#include "worker/budget.h"
#include "worker/spool.h"
#include "worker/worker.h"

static const struct {
	enum sink_kind kind;
	const struct sink *ops;
} kinds[] = {
	{ SINK_LOCAL, &sink_local },
	{ SINK_KAFKA, &sink_kafka },
	{ SINK_DISCARD, &sink_discard }, /* benches only: the configuration check warns */
};

int sink_open(struct worker *w, struct err *err)
{
	struct sink_open *s = xcalloc(1, sizeof(*s));

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (kinds[i].kind == w->conf->sink)
			s->ops = kinds[i].ops;
	}
	assert(s->ops); /* each kind has its line */
	w->sink = s;
	s->state = s->ops->open(w, err);
	if (!s->state) {
		w->sink = NULL;
		free(s);
		return -1;
	}
	if (w->conf->sink == SINK_KAFKA && w->conf->spool.enabled) {
		s->spool = spool_open(w, err);
		if (!s->spool) {
			sink_close(w);
			return -1;
		}
	}
	sink_gauges(w);
	return 0;
}

void sink_close(struct worker *w)
{
	struct sink_open *s = w->sink;

	if (!s)
		return;
	s->closing = true;
	s->ops->close(s->state);
	spool_close(s->spool);
	sink_pools_free(s);
	w->sink = NULL;
	free(s);
}

void sink_gone(struct worker *w)
{
	if (w->sink->ops->gone)
		w->sink->ops->gone(w->sink->state);
	if (w->sink->spool)
		spool_gone(w->sink->spool);
}

void sink_gauges(struct worker *w)
{
	stats_set(w->stats, STAT_KAFKA_QUEUE_MESSAGES, 0, 0, w->sink->in_flight);
	stats_set(w->stats, STAT_KAFKA_QUEUE_BYTES, 0, 0, budget_used(w->budget));
	stats_set(w->stats, STAT_KAFKA_QUEUE_CAPACITY, 0, 0, budget_capacity(w->budget));
}

/* ---- records and parcels ---- */

struct record *record_get(struct worker *w)
{
	struct record *rec = w->sink->spare;

	if (rec)
		w->sink->spare = rec->next;
	else
		rec = xcalloc(1, sizeof(*rec));
	*rec = (struct record){ 0 };
	return rec;
}

void record_put(struct worker *w, struct record *rec)
{
	rec->next = w->sink->spare;
	w->sink->spare = rec;
}

struct parcel *parcel_get(struct worker *w)
{
	struct parcel *p = w->sink->spare_parcels;

	if (p)
		w->sink->spare_parcels = p->next;
	else
		p = xcalloc(1, sizeof(*p));
	p->next = NULL;
	p->w = w;
	p->handle = 0;
	p->mem = NULL;
	p->charged = 0;
	p->header_count = 0;
	p->header_used = p->more_used = 0;
	p->part_at = RECORD_NO_PART;
	p->parts = 0;
	p->done = NULL;
	p->row = NULL;
	p->open = 1;
	p->verdict = V_ACCEPTED;
	p->delivered = 0;
	p->partition = -1;
	p->offset = -1;
	return p;
}

static void parcel_put(struct parcel *p)
{
	struct worker *w = p->w;

	budget_give(w->budget, p->tenant_ordinal, p->charged);
	body_put(w->bodies, p->mem);
	p->next = w->sink->spare_parcels;
	w->sink->spare_parcels = p;
}

void sink_pools_free(struct sink_open *s)
{
	for (struct record *rec = s->spare, *next; rec; rec = next) {
		next = rec->next;
		free(rec);
	}
	for (struct parcel *p = s->spare_parcels, *next; p; p = next) {
		next = p->next;
		free(p->more);
		free(p);
	}
	s->spare = NULL;
	s->spare_parcels = NULL;
}

void parcel_header(struct parcel *p, const char *name, struct bytes value)
{
	assert(p->header_count < RECORD_HEADERS_MAX);
	if (value.n == 0) /* records.md 1.1: no value is empty */
		return;
	p->headers[p->header_count++] = (struct record_header){ name, value };
}

struct bytes parcel_copy(struct parcel *p, struct bytes value)
{
	bool fits = value.n <= sizeof(p->header_mem) - p->header_used;
	size_t *used = fits ? &p->header_used : &p->more_used;
	char *at;

	if (!fits && !p->more)
		p->more = xcalloc(1, RECORD_HEADER_MORE);
	assert(fits || value.n <= RECORD_HEADER_MORE - p->more_used);
	at = (fits ? p->header_mem : p->more) + *used;
	memcpy(at, value.p, value.n);
	*used += value.n;
	return bytes_of(at, value.n);
}

void parcel_header_copy(struct parcel *p, const char *name, struct bytes value)
{
	parcel_header(p, name, parcel_copy(p, value));
}

bool record_header(const struct record *rec, unsigned i, char part[static RECORD_PART_BYTES],
                   struct record_header *out)
{
	const struct parcel *p = rec->parcel;
	unsigned at = i;
	int n;

	if (rec->part && i > p->part_at)
		at--;
	if (at < p->header_count && !(rec->part && i == p->part_at)) {
		*out = p->headers[at];
		return true;
	}
	if (!rec->part || i != p->part_at)
		return false;
	n = snprintf(part, RECORD_PART_BYTES, "%u/%u", rec->part, p->parts);
	*out = (struct record_header){ "headgate-part", bytes_of(part, (size_t)n) };
	return true;
}

size_t parcel_header_bytes(const struct parcel *p)
{
	bool numbered = p->parts && p->part_at != RECORD_NO_PART;
	size_t sum = numbered ? strlen("headgate-part") + RECORD_PART_BYTES : 0;

	for (unsigned i = 0; i < p->header_count; i++)
		sum += strlen(p->headers[i].name) + p->headers[i].value.n;
	return sum;
}

static enum tenant_stat failed_as(enum delivery how)
{
	switch (how) {
	case DELIVERY_OK:
		return TS_ITEMS_DELIVERED;
	case DELIVERY_TIMED_OUT:
		return TS_FAILED_TIMED_OUT;
	case DELIVERY_MAYBE:
		return TS_FAILED_MAYBE;
	case DELIVERY_TOO_LARGE:
		return TS_FAILED_TOO_LARGE;
	case DELIVERY_AUTHORIZATION:
		return TS_FAILED_AUTHORIZATION;
	case DELIVERY_FATAL:
		return TS_FAILED_FATAL;
	case DELIVERY_STORE:
		return TS_FAILED_STORE;
	case DELIVERY_REFUSED:
	case DELIVERY_OTHER:
		return TS_FAILED_OTHER;
	}
	assert(!"not a delivery");
	return TS_FAILED_OTHER;
}

/* A fault that passes goes before one that does not: repeated, the request finds out about that. */
static enum verdict worse(enum verdict a, enum verdict b)
{
	if (verdict_is_success(a))
		return b;
	if (verdict_is_success(b) || verdict_get(a)->flags & VF_RETRY)
		return a;
	return b;
}

enum verdict parcel_verdict(const struct parcel *p, enum verdict v)
{
	return v == V_NONE ? p->verdict : worse(p->verdict, v);
}

void parcel_close(struct parcel *p, enum verdict v)
{
	struct worker *w = p->w;
	uint64_t handle = p->handle, delivered = p->delivered;
	unsigned slot = p->metric_slot;
	enum signal sig = p->signal;
	int32_t partition = p->partition;
	int64_t offset = p->offset;
	void (*done)(struct worker * w, unsigned metric_slot, enum signal signal, bool stored) =
		p->done;
	bool answered;

	v = p->verdict = parcel_verdict(p, v);
	assert(p->open > 0);
	if (--p->open)
		return;
	/* Given back before the request goes on: its connection may bring the next request at once,
	 * which shall find budget and buffer free. */
	parcel_put(p);
	if (done)
		done(w, slot, sig, verdict_is_success(v));
	if (!handle)
		return;
	answered = !w->sink->closing && req_wake(w, handle, v, partition, offset);
	if (delivered && (!answered || !verdict_is_success(v)))
		stats_tenant_add(w->stats, slot, sig, TS_ITEMS_LATE, (int64_t)delivered);
}

/* What became of it; it is the caller's again. */
static void record_end(struct record *rec, enum delivery how, int32_t partition, int64_t offset)
{
	struct parcel *p = rec->parcel;

	stats_tenant_add(p->w->stats, p->metric_slot, p->signal, failed_as(how),
	                 (int64_t)rec->items);
	if (how == DELIVERY_OK)
		p->delivered += rec->items;
	p->partition = partition;
	p->offset = offset;
	record_put(p->w, rec);
}

void record_settle(struct record *rec, enum delivery how, enum verdict v, int32_t partition,
                   int64_t offset)
{
	struct parcel *p = rec->parcel;
	struct worker *w = p->w;

	assert(w->sink->in_flight > 0);
	w->sink->in_flight--;
	stats_tenant_add(w->stats, p->metric_slot, p->signal, TS_ITEMS_IN_FLIGHT,
	                 -(int64_t)rec->items);
	record_end(rec, how, partition, offset);
	parcel_close(p, v);
	sink_gauges(w);
}

void record_done(struct record *rec, enum delivery how, enum verdict v, int32_t partition,
                 int64_t offset)
{
	struct sink_open *s = rec->parcel->w->sink;

	if (rec->parcel->row) {
		assert(s->in_flight > 0);
		s->in_flight--;
		spool_row_ended(s->spool, rec, how, v);
		return;
	}
	if (s->spool && how == DELIVERY_OK)
		spool_hears(s->spool, rec->parcel->topic);
	else if (s->spool && !s->closing && how != DELIVERY_REFUSED &&
	         spool_takes_back(s->spool, rec, v))
		return;
	record_settle(rec, how, v, partition, offset);
}

/* V_NONE, too, if the spool has it instead. */
static enum verdict hand_over(struct sink_open *s, struct record *rec)
{
	enum verdict v;

	if (s->spool && spool_goes_first(s->spool, rec))
		return V_NONE;
	v = s->ops->send(s->state, rec);
	if (v != V_NONE && s->spool && spool_takes_back(s->spool, rec, v))
		return V_NONE;
	return v;
}

bool record_send(struct record *rec, enum verdict *v)
{
	struct parcel *p = rec->parcel;
	struct worker *w = p->w;
	uint64_t items = rec->items;

	p->open++;
	*v = hand_over(w->sink, rec);
	if (*v != V_NONE && *v != V_ACCEPTED) {
		p->open--;
		return false;
	}
	stats_tenant_add(w->stats, p->metric_slot, p->signal, TS_ITEMS_ACCEPTED, (int64_t)items);
	if (*v == V_ACCEPTED) {
		record_end(rec, DELIVERY_OK, -1, -1);
		parcel_close(p, V_ACCEPTED);
		return true;
	}
	w->sink->in_flight++;
	stats_tenant_add(w->stats, p->metric_slot, p->signal, TS_ITEMS_IN_FLIGHT, (int64_t)items);
	return true;
}
