/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink.c -- the produce stage, and what all sinks share: which one is open, the pool of records,
 * and the count of every record from accepted to its end. Each item that is counted accepted here
 * is counted delivered or failed here, exactly once, whether or not its request still lives.
 */
#include "worker/sink.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>

#include "common/loop.h"
#include "worker/bodies.h"
#include "worker/budget.h"
#include "worker/worker.h"

/*
 * What a record costs beside buffer, header bytes and BUDGET_RECORD_OVERHEAD: itself, and a list
 * element and heap block of librdkafka for each header. Measured with 83 000 records of 100 bytes
 * held by a stopped broker: 3 700 bytes each, where buffer, headers and 512 would be 2 770.
 */
enum { HEADER_OVERHEAD = 64, RECORD_COST = BUDGET_RECORD_OVERHEAD + sizeof(struct record) };

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

	if (getrandom(&s->spread_seed, sizeof(s->spread_seed), 0) != sizeof(s->spread_seed)) {
		free(s);
		return err_errno(err, "no random bytes");
	}
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
	for (struct record *rec = s->spare, *next; rec; rec = next) {
		next = rec->next;
		free(rec);
	}
	w->sink = NULL;
	free(s);
}

void sink_gauges(struct worker *w)
{
	stats_set(w->stats, STAT_KAFKA_QUEUE_MESSAGES, 0, 0, w->sink->in_flight);
	stats_set(w->stats, STAT_KAFKA_QUEUE_BYTES, 0, 0, budget_used(w->budget));
	stats_set(w->stats, STAT_KAFKA_QUEUE_CAPACITY, 0, 0, budget_capacity(w->budget));
}

/* ---- records ---- */

struct record *record_get(struct worker *w)
{
	struct record *rec = w->sink->spare;

	if (rec)
		w->sink->spare = rec->next;
	else
		rec = xcalloc(1, sizeof(*rec));
	rec->next = NULL;
	rec->w = w;
	rec->mem = NULL;
	rec->charged = 0;
	rec->header_count = 0;
	rec->resent = false;
	return rec;
}

void record_put(struct worker *w, struct record *rec)
{
	budget_give(w->budget, rec->tenant_ordinal, rec->charged);
	body_put(w->bodies, rec->mem);
	rec->mem = NULL;
	rec->next = w->sink->spare;
	w->sink->spare = rec;
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
	case DELIVERY_OTHER:
		return TS_FAILED_OTHER;
	}
	assert(!"not a delivery");
	return TS_FAILED_OTHER;
}

void record_done(struct record *rec, enum delivery how, enum verdict v, int32_t partition,
                 int64_t offset)
{
	/* The record is given back before the request goes on: its connection may bring the next
	 * request at once, which shall find budget and buffer free. */
	struct worker *w = rec->w;
	uint64_t handle = rec->handle, items = rec->items;
	unsigned slot = rec->metric_slot;
	enum signal sig = rec->signal;

	assert(w->sink->in_flight > 0);
	w->sink->in_flight--;
	stats_tenant_add(w->stats, slot, sig, failed_as(how), (int64_t)items);
	stats_tenant_add(w->stats, slot, sig, TS_ITEMS_IN_FLIGHT, -(int64_t)items);
	record_put(w, rec);
	sink_gauges(w);
	if ((w->sink->closing || !req_wake(w, handle, v, partition, offset)) && how == DELIVERY_OK)
		stats_tenant_add(w->stats, slot, sig, TS_ITEMS_LATE, (int64_t)items);
}

/* ---- the produce stage ---- */

static void add_header(struct record *rec, const char *name, struct bytes value)
{
	assert(rec->header_count < RECORD_HEADERS_MAX);
	if (value.n == 0) /* records.md 1.1: no value is empty */
		return;
	rec->headers[rec->header_count++] = (struct record_header){ name, value };
}

/* A copy of what does not outlive the request. */
static struct bytes keep(struct record *rec, size_t *used, const void *p, size_t n)
{
	char *at = rec->header_mem + *used;

	assert(n <= sizeof(rec->header_mem) - *used);
	memcpy(at, p, n);
	*used += n;
	return bytes_of(at, n);
}

/* records.md 1.1: these, in this order, no other. */
static void add_headers(struct record *rec, const struct req *r)
{
	enum record_headers which = r->w->conf->record.headers;
	bool all = which == HEADERS_ALL;
	char ms[24];
	size_t used = 0;
	int ms_n;

	add_header(rec, "X-Scope-OrgID", rec->key);
	add_header(rec, "tenant_id", rec->key);
	if (which == HEADERS_TENANT)
		return;
	add_header(rec, "signal", bytes_str(signal_name(rec->signal)));
	add_header(rec, "format", bytes_str(r->format->record_format));
	add_header(rec, "content-type", bytes_str(r->format->record_type));
	if (all || rec->signal == SIGNAL_OPAQUE)
		add_header(rec, "headgate-route", bytes_str(r->route->name));
	add_header(rec, "headgate-request-id",
	           keep(rec, &used, r->request_id, strnlen(r->request_id, 32)));
	if (all) {
		ms_n = snprintf(ms, sizeof(ms), "%" PRId64, rec->timestamp_ms);
		add_header(rec, "headgate-received-ms",
		           keep(rec, &used, ms, min_size((size_t)ms_n, 20)));
		add_header(rec, "headgate-contract", BYTES("1"));
	}
	/* A higher version may be longer: its first four fields are the 55 bytes that we know. */
	if (r->traceparent.n > 0)
		add_header(rec, "traceparent",
		           keep(rec, &used, r->traceparent.p, min_size(r->traceparent.n, 55)));
}

static size_t header_bytes(const struct record *rec)
{
	size_t sum = 0;

	for (unsigned i = 0; i < rec->header_count; i++)
		sum += strlen(rec->headers[i].name) + rec->headers[i].value.n;
	return sum;
}

static uint32_t hash_more(uint32_t h, const void *p, size_t n) /* FNV-1a */
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * 16777619u;
	return h;
}

/* `spread` stays on a partition for about one batch, so that batches fill (recipe 23); `source`
 * keeps what one sender sent in its order. The partitioner says which partition a word means. */
static uint32_t partition_word(struct worker *w, const struct req *r, const struct record *rec)
{
	struct spread *at = &w->sink->spread[rec->topic];
	int64_t now = loop_now_ns();
	uint32_t h;

	assert(rec->topic < ROUTES_MAX);
	if (w->conf->record.partition == PARTITION_SOURCE) {
		h = hash_more(2166136261u, rec->key.p, rec->key.n);
		h = hash_more(h, r->who.token, strlen(r->who.token) + 1);
		return hash_more(h, r->client, sizeof(r->client));
	}
	if (at->bytes >= w->conf->kafka.batch_bytes ||
	    now - at->since_ns >= (int64_t)w->conf->kafka.linger_us * 1000) {
		at->word++;
		at->bytes = 0;
		at->since_ns = now;
	}
	at->bytes += rec->value.n;
	return w->sink->spread_seed + at->word;
}

/* The record of this request. Buffer and budget are still the request's. */
static struct record *build(struct req *r)
{
	struct record *rec = record_get(r->w);

	rec->handle = r->handle;
	rec->topic = route_topic(r->route, r->format);
	rec->value = r->body;
	memcpy(rec->key_mem, r->who.tenant, r->who.tenant_n);
	rec->key = bytes_of(rec->key_mem, r->who.tenant_n);
	rec->timestamp_ms = r->received / 1000000;
	rec->signal = r->signal;
	rec->tenant_ordinal = r->who.tenant_ordinal;
	rec->metric_slot = r->who.metric_slot;
	rec->items = r->enriched.items;
	rec->produced_ns = loop_now_ns();
	add_headers(rec, r);
	rec->partition_word = partition_word(r->w, r, rec);
	return rec;
}

static enum tenant_stat refused_as(enum verdict v)
{
	return v == V_RECORD_SIZE ? TS_REFUSED_SIZE
	       : v == V_OVERLOAD  ? TS_REFUSED_OVERLOAD
	                          : TS_REFUSED_OTHER;
}

/* Nothing was produced: all of it goes back, and the counted items are refused ones. */
static enum step refuse(struct req *r, struct record *rec, enum verdict v, uint64_t bytes,
                        uint64_t limit)
{
	stats_tenant_add(r->w->stats, rec->metric_slot, rec->signal, refused_as(v),
	                 (int64_t)rec->items);
	record_put(r->w, rec);
	if (v == V_RECORD_SIZE)
		return req_refuse(r, v, (unsigned long long)bytes, (unsigned long long)limit);
	return req_refuse(r, v);
}

/* Buffer and charge become the record's, topped up by what the record costs beside its value. */
static bool take_over(struct req *r, struct record *rec, uint64_t extra)
{
	if (!budget_take(r->w->budget, rec->tenant_ordinal, r->charged, extra))
		return false;
	rec->charged = r->charged + extra;
	r->charged = 0;
	rec->mem = take_ptr(&r->body_mem);
	r->body = BYTES_NONE;
	return true;
}

static enum step accepted(struct req *r, const struct record *rec, uint64_t decoded)
{
	struct stats *stats = r->w->stats;

	r->produced = true;
	r->topic = routes_topic_name(r->w->routes, rec->topic);
	r->partition = -1;
	stats_tenant_add(stats, rec->metric_slot, rec->signal, TS_ITEMS_ACCEPTED,
	                 (int64_t)rec->items);
	stats_tenant_add(stats, rec->metric_slot, rec->signal, TS_TENANT_BYTES, (int64_t)decoded);
	return STEP_WAKE;
}

/* The late answer is here: conn.c set the verdict and called us again. */
static enum step answered(struct req *r)
{
	if (r->verdict == V_NONE)
		return STEP_WAKE;
	if (verdict_is_success(r->verdict))
		return req_say(r, r->verdict);
	if (r->verdict != V_RECORD_SIZE)
		return req_refuse(r, r->verdict);
	/* The broker names no figure, and the one we know let the record pass. */
	snprintf(r->detail, sizeof(r->detail),
	         "the broker refuses a record of this size for the topic of this route");
	return STEP_REPLY;
}

enum step produce_run(struct req *r)
{
	const struct sink *ops = r->w->sink->ops;
	void *sink = r->w->sink->state;
	uint64_t limit, headers, bytes, extra;
	struct record *rec;
	enum verdict v;

	if (r->produced)
		return answered(r);
	assert(r->body_mem); /* enrich made the value; it lies in a buffer of its own */
	rec = build(r);
	headers = header_bytes(rec);
	bytes = rec->key.n + rec->value.n + headers + BUDGET_RECORD_OVERHEAD;
	limit = r->route->record_max;
	if (ops->ceiling && ops->ceiling(sink, rec->topic) < limit)
		limit = ops->ceiling(sink, rec->topic);
	if (bytes > limit)
		return refuse(r, rec, V_RECORD_SIZE, bytes, limit);
	extra = headers + rec->header_count * HEADER_OVERHEAD + RECORD_COST;
	if (budget_impossible(r->w->budget, r->charged + extra))
		return refuse(r, rec, V_RECORD_SIZE, r->charged + extra,
		              budget_capacity(r->w->budget));
	if (!take_over(r, rec, extra))
		return refuse(r, rec, V_OVERLOAD, 0, 0);
	v = ops->send(sink, rec);
	if (v == V_NONE) {
		r->w->sink->in_flight++;
		stats_tenant_add(r->w->stats, rec->metric_slot, rec->signal, TS_ITEMS_IN_FLIGHT,
		                 (int64_t)rec->items);
		sink_gauges(r->w);
		return accepted(r, rec, r->decoded_bytes);
	}
	if (v == V_ACCEPTED) {
		accepted(r, rec, r->decoded_bytes);
		stats_tenant_add(r->w->stats, rec->metric_slot, rec->signal, TS_ITEMS_DELIVERED,
		                 (int64_t)rec->items);
		record_put(r->w, rec);
		return req_say(r, V_ACCEPTED);
	}
	return refuse(r, rec, v, bytes, limit);
}
