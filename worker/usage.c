/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage.c -- which counters moved since they were told, and who tells those of the dead. A
 * process's own are in its stats page, with a cursor behind them that moves when the record is
 * stored, never before. What the master folded into the base belongs to nobody: the lowest slot
 * that lives tells it, beside its own, and keeps that cursor in its own page too, as no worker may
 * write the base's. How much is told of the base is the sum over all pages, so the next teller goes
 * on where the last one ended.
 *
 * A record that is not stored stays as it is, and is sent again under the same number: whoever
 * reads them drops the second. What moves meanwhile waits for the next one. Its number dies with
 * this process: of one that was killed with a record on its way the base's teller tells the same
 * once more, under a number of its own, since what may not have been stored must not be lost
 * (headgate-protocols(7) says so).
 *
 * They are charged to no budget: a few at a time are on their way, each of a kilobyte or two.
 */
#include "worker/usage.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdio.h>

#include "common/buf.h"
#include "common/log.h"
#include "common/loop.h"
#include "worker/bodies.h"
#include "worker/produce.h"
#include "worker/sink.h"

enum {
	RECORD_BYTES = 1024, /* 20 numbers and their names, a tenant's id, a host's name */
	IN_FLIGHT_MAX = 64,
	READS_MAX = 100, /* of the base, while the master folds a page into it */
	HOST_BYTES = 65,
	FIRST_SLOT_PAGE = 2,
};

struct told { /* of a tenant and signal: the record that is on its way, or is to be sent again */
	uint64_t seq; /* 0: none */
	bool busy; /* on its way */
	int64_t from_ms, to_ms; /* to_ms also of the last one that was stored */
	uint64_t own[USAGE_COUNT], base[USAGE_COUNT];
};

struct usages {
	struct worker *w;
	struct event tick;
	char instance[HOST_BYTES + 12];
	int64_t epoch_ms;
	uint64_t seq;
	struct told *v; /* by metric slot and signal; pages are only touched if used */
	unsigned count, next; /* next: of the round that is on; count: none is */
	unsigned in_flight;
	bool pumping, last;
	struct slices slices;
	struct log_limit lost_log;
};

static const char *const names[USAGE_COUNT] = {
	[USAGE_REQUESTS] = "requests",
	[USAGE_WIRE_BYTES] = "wire_bytes",
	[USAGE_DECODED_BYTES] = "decoded_bytes",
	[USAGE_ACCEPTED] = "accepted",
	[USAGE_DELIVERED] = "delivered",
	[USAGE_FAILED] = "failed",
	[USAGE_REFUSED] = "refused",
	[USAGE_BLOCKED] = "blocked",
	[USAGE_SPOOFED] = "spoofed",
};

/* ---- what is to be told ---- */

/* Lives, in a lower slot, or in ours for a later configuration. */
static bool goes_before(const struct worker *w, struct stats *page)
{
	const struct stats_head *h = stats_head(page);
	int slot = atomic_load(&h->slot);

	if (!atomic_load(&h->pid) || !atomic_load(&h->heartbeat_ms))
		return false;
	return slot < w->slot || (slot == w->slot && atomic_load(&h->generation) > w->generation);
}

/* Draining or not: at the end of all there is nobody else. */
static bool tells_base(const struct worker *w)
{
	if (w->page_count < FIRST_SLOT_PAGE || !w->pages[1])
		return false;
	for (unsigned i = FIRST_SLOT_PAGE; i < w->page_count; i++)
		if (w->pages[i] && goes_before(w, w->pages[i]))
			return false;
	return true;
}

static void read_base(const struct worker *w, unsigned slot, enum signal sig,
                      uint64_t untold[static USAGE_COUNT])
{
	for (enum usage what = 0; what < USAGE_COUNT; what++) {
		uint64_t told = stats_cursor_get(w->pages[1], slot, sig, USAGE_TOLD, what);

		for (unsigned i = FIRST_SLOT_PAGE; i < w->page_count; i++) {
			if (!w->pages[i])
				continue;
			told += stats_cursor_get(w->pages[i], slot, sig, USAGE_BASE_TOLD, what);
			told += stats_cursor_get(w->pages[i], slot, sig, USAGE_BASE_SENT, what);
		}
		untold[what] = stats_usage(w->pages[1], slot, sig, what) - told;
	}
}

/* Nothing, for now, if a master that died in a fold left the base as it was. */
static void untold_of_base(const struct worker *w, unsigned slot, enum signal sig,
                           uint64_t untold[static USAGE_COUNT])
{
	for (unsigned i = 0; i < READS_MAX; i++) {
		uint32_t seq = stats_read_begin(w->pages[1]);

		read_base(w, slot, sig, untold);
		if (!stats_read_retry(w->pages[1], seq))
			return;
	}
	memset(untold, 0, USAGE_COUNT * sizeof(*untold));
}

/* A new record, if anything moved. */
static bool collect(struct usages *u, struct told *t, unsigned slot, enum signal sig,
                    bool with_base)
{
	struct worker *w = u->w;
	bool moved = false;

	memset(t->base, 0, sizeof(t->base));
	if (with_base)
		untold_of_base(w, slot, sig, t->base);
	for (enum usage what = 0; what < USAGE_COUNT; what++) {
		t->own[what] = stats_usage(w->stats, slot, sig, what) -
		               stats_cursor_get(w->stats, slot, sig, USAGE_TOLD, what);
		moved |= t->own[what] || t->base[what];
	}
	if (!moved)
		return false;
	for (enum usage what = 0; what < USAGE_COUNT; what++)
		stats_cursor_add(w->stats, slot, sig, USAGE_BASE_SENT, what,
		                 (int64_t)t->base[what]);
	t->seq = ++u->seq;
	t->from_ms = t->to_ms ? t->to_ms : u->epoch_ms;
	t->to_ms = loop_wall_ns() / 1000000;
	return true;
}

/* ---- the record ---- */

static size_t write_record(const struct usages *u, const struct told *t, const char *tenant,
                           enum signal sig, struct body *mem)
{
	struct buf b;

	buf_init_fixed(&b, mem->data, mem->cap);
	buf_str(&b, "{\"v\":1,\"tenant_id\":\"");
	buf_json(&b, bytes_str(tenant), SIZE_MAX);
	buf_str(&b, "\",\"instance\":\"");
	buf_json(&b, bytes_str(u->instance), SIZE_MAX);
	buf_printf(&b, "\",\"worker\":%d,\"epoch\":%lld,\"seq\":%llu,", u->w->slot,
	           (long long)u->epoch_ms, (unsigned long long)t->seq);
	buf_printf(&b, "\"from_ms\":%lld,\"to_ms\":%lld,\"signal\":\"%s\"", (long long)t->from_ms,
	           (long long)t->to_ms, signal_name(sig));
	for (enum usage what = 0; what < USAGE_COUNT; what++)
		buf_printf(&b, ",\"%s\":%llu", names[what],
		           (unsigned long long)(t->own[what] + t->base[what]));
	buf_char(&b, '}');
	assert(!b.failed); /* far below RECORD_BYTES */
	return b.n;
}

static void pump(struct usages *u);

static void on_done(struct worker *w, unsigned slot, enum signal sig, bool stored)
{
	struct usages *u = w->usages;
	struct told *t = &u->v[slot * SIGNAL_COUNT + sig];
	uint32_t held;

	assert(t->busy && u->in_flight > 0);
	t->busy = false;
	u->in_flight--;
	for (enum usage what = 0; stored && what < USAGE_COUNT; what++) {
		stats_cursor_add(w->stats, slot, sig, USAGE_TOLD, what, (int64_t)t->own[what]);
		stats_cursor_add(w->stats, slot, sig, USAGE_BASE_TOLD, what,
		                 (int64_t)t->base[what]);
		stats_cursor_add(w->stats, slot, sig, USAGE_BASE_SENT, what,
		                 -(int64_t)t->base[what]);
	}
	if (stored)
		t->seq = 0;
	else if (log_limited(&u->lost_log, 1, loop_now(), &held))
		log_warn("usage", "a usage record was not stored, it will be sent again",
		         KV_S("topic", w->conf->usage.topic), KV_U("repeats", held));
	if (!w->sink->closing)
		pump(u);
}

static void send_record(struct usages *u, struct told *t, const char *tenant, unsigned slot,
                        enum signal sig)
{
	struct worker *w = u->w;
	struct parcel *p = parcel_get(w);
	size_t n = strlen(tenant);

	assert(n < sizeof(p->key_mem));
	memcpy(p->key_mem, tenant, n);
	p->key = bytes_of(p->key_mem, n);
	p->topic = (unsigned)routes_usage(w->routes);
	p->topic_name = routes_topic_name(w->routes, p->topic);
	p->timestamp_ms = t->to_ms;
	p->tenant_ordinal = 0; /* nothing is charged to it */
	p->metric_slot = slot;
	p->signal = sig;
	p->done = on_done;
	parcel_header(p, "X-Scope-OrgID", p->key);
	parcel_header(p, "tenant_id", p->key);
	p->mem = body_get(w->bodies, RECORD_BYTES);
	u->slices.n = 0;
	slices_add(&u->slices, 0, write_record(u, t, tenant, sig, p->mem), 0);
	t->busy = true;
	u->in_flight++;
	produce_parcel(p, &u->slices); /* one that is lost is told so by on_done() */
}

static void tell(struct usages *u, unsigned index, bool with_base)
{
	unsigned slot = index / SIGNAL_COUNT;
	enum signal sig = index % SIGNAL_COUNT;
	struct told *t = &u->v[index];
	const char *tenant = limits_metric_name(u->w->limits, slot);

	if (!tenant || slot == limits_metric_none(u->w->limits) || t->busy)
		return;
	if (t->seq || collect(u, t, slot, sig, with_base))
		send_record(u, t, tenant, slot, sig);
}

/* As many of the round as may be on their way; on_done() comes back for the rest. */
static void pump(struct usages *u)
{
	bool with_base = tells_base(u->w);

	if (u->pumping)
		return;
	u->pumping = true;
	while (u->next < u->count && u->in_flight < IN_FLIGHT_MAX)
		tell(u, u->next++, with_base);
	u->pumping = false;
}

static void begin_round(struct usages *u)
{
	if (u->next == u->count) /* else the last one is still on */
		u->next = 0;
	pump(u);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	begin_round(arg);
}

bool usages_last(struct usages *u)
{
	if (!u)
		return false;
	if (!u->last) {
		u->last = true;
		u->next = u->count;
		begin_round(u);
	}
	return u->in_flight > 0 || u->next < u->count;
}

struct usages *usages_open(struct worker *w)
{
	msec_t each = w->conf->usage.interval;
	struct timeval interval = { each / 1000, each % 1000 * 1000 };
	char host[HOST_BYTES] = "";
	struct usages *u;

	if (routes_usage(w->routes) < 0)
		return NULL;
	u = xcalloc(1, sizeof(*u));
	u->w = w;
	if (gethostname(host, sizeof(host) - 1) < 0)
		host[0] = '\0'; /* the rest still tells instances apart */
	/* Two instances of a host differ by their masters. */
	snprintf(u->instance, sizeof(u->instance), "%s:%d", host,
	         w->pages[0] ? atomic_load(&stats_head(w->pages[0])->pid) : 0);
	u->epoch_ms = loop_wall_ns() / 1000000;
	u->count = u->next = (limits_metric_none(w->limits) + 1) * SIGNAL_COUNT;
	u->v = xcalloc(u->count, sizeof(*u->v));
	if (event_assign(&u->tick, w->base, -1, EV_PERSIST, on_tick, u) < 0 ||
	    event_add(&u->tick, &interval) < 0)
		out_of_memory();
	return u;
}

void usages_close(struct usages *u)
{
	if (!u)
		return;
	event_del(&u->tick);
	slices_done(&u->slices);
	free(u->v);
	free(u);
}
