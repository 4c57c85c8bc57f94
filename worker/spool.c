/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool.c -- which records go to the spool, and what becomes of them there. A record that was taken
 * keeps its parcel, charge and buffer until its COMMIT; where that fails, or the spool is full, it
 * ends as it would without one. Of records whose order counts none passes another of its topic that
 * still lies here: it becomes a row behind it, or, when few are left, waits in memory.
 */
#include "worker/spool_private.h"

#include <event2/event.h>

#include "common/loop.h"
#include "worker/worker.h"

enum {
	TICK_MS = 100,
	IDLE_TICK_MS = 1000,
	BEHIND_ROWS = 1000, /* with no more rows left a record waits for them in memory */
	BEHIND_MS = 2000, /* so long, then it becomes a row */
	BACKOFF_MS = 1000, /* of a topic that takes nothing; twice as long each time, up to: */
	BACKOFF_MOST_MS = 30 * 1000,
	GIVE_UP_MS = 1500, /* so long before the end of the drain what is with Kafka comes here */
};

/* ---- topics and tenants ---- */

struct spool_topic *spool_topic(struct spool *s, unsigned topic)
{
	if (topic >= s->topic_count) {
		unsigned count = topic + 1;

		s->topics = xrealloc(s->topics, count, sizeof(*s->topics));
		memset(s->topics + s->topic_count, 0,
		       (count - s->topic_count) * sizeof(*s->topics));
		s->topic_count = count;
	}
	return &s->topics[topic];
}

bool spool_is_down(struct spool *s)
{
	const struct sink_open *sink = s->w->sink;

	return s->gave_up || (sink->ops->down && sink->ops->down(sink->state));
}

void spool_topic_failed(struct spool *s, struct spool_topic *t)
{
	msec_t now = loop_now();

	(void)s;
	if (now < t->held_until) /* of the same attempt */
		return;
	t->backoff = t->backoff ? 2 * t->backoff : BACKOFF_MS;
	if (t->backoff > BACKOFF_MOST_MS)
		t->backoff = BACKOFF_MOST_MS;
	t->held_until = now + t->backoff;
}

void spool_topic_works(struct spool *s, struct spool_topic *t)
{
	(void)s;
	t->tripped = false;
	t->backoff = t->held_until = 0;
}

/* ---- records whose order counts ---- */

static void wait_behind(struct spool_topic *t, struct record *rec)
{
	if (!t->behind) {
		t->behind_end = &t->behind;
		t->behind_since = loop_now();
	}
	rec->next = NULL;
	*t->behind_end = rec;
	t->behind_end = &rec->next;
}

static bool take(struct spool *s, struct record *rec);

/* All of them become rows, in their order; or fail, as without a spool. */
static void behind_to_rows(struct spool *s, struct spool_topic *t)
{
	for (struct record *rec = take_ptr(&t->behind), *next; rec; rec = next) {
		next = rec->next;
		if (!take(s, rec))
			record_settle(rec, DELIVERY_TIMED_OUT, V_KAFKA_TIMEOUT, -1, -1);
	}
}

/* No row is left before them. */
static void behind_to_sink(struct spool *s, unsigned topic)
{
	const struct sink_open *sink = s->w->sink;

	for (struct record *rec = take_ptr(&spool_topic(s, topic)->behind), *next; rec;
	     rec = next) {
		enum verdict v;

		next = rec->next;
		v = sink->ops->send(sink->state, rec);
		if (v != V_NONE && !spool_takes_back(s, rec, v))
			record_settle(rec, DELIVERY_OTHER, v, -1, -1);
	}
}

void spool_forgets(struct spool *s, unsigned topic, struct bytes tenant, uint64_t value_bytes)
{
	struct spool_topic *t = spool_topic(s, topic);

	if (t->waiting)
		t->waiting--;
	spool_shares_sub(s->shares, tenant, value_bytes + SPOOL_ROW_BYTES);
	if (!t->waiting && t->behind)
		behind_to_sink(s, topic);
}

/* ---- in ---- */

/* False: there is no room for it. */
static bool take(struct spool *s, struct record *rec)
{
	struct spool_topic *t = spool_topic(s, rec->parcel->topic);
	uint64_t bytes = rec->value.n + SPOOL_ROW_BYTES;

	if (s->closing || atomic_load_explicit(&s->store.state.full, memory_order_relaxed) ||
	    bytes > store_loop_ceiling(&s->store) ||
	    !spool_shares_may(s->shares, rec->parcel->key, bytes))
		return false;
	spool_shares_add(s->shares, rec->parcel->key, 1, bytes);
	t->waiting++;
	t->queued++;
	rec->produced_ns = loop_now_ns();
	store_writer_push(s->store.writer, rec);
	return true;
}

bool spool_goes_first(struct spool *s, struct record *rec)
{
	struct spool_topic *t = spool_topic(s, rec->parcel->topic);
	bool off;

	if (!t->waiting) /* nobody is left who would find out */
		t->tripped = false;
	off = t->tripped || spool_is_down(s);
	if (off || (!rec->spread && t->waiting > BEHIND_ROWS)) {
		behind_to_rows(s, t);
		if (take(s, rec))
			return true;
		t = spool_topic(s, rec->parcel->topic); /* others may have come meanwhile */
	}
	/* With no room here, too: the sink would send it before those. */
	if (rec->spread || (!t->waiting && !t->behind))
		return false;
	wait_behind(t, rec);
	return true;
}

bool spool_takes_back(struct spool *s, struct record *rec, enum verdict v)
{
	struct spool_topic *t = spool_topic(s, rec->parcel->topic);

	if ((v != V_KAFKA_TIMEOUT && v != V_OVERLOAD && v != V_TOPIC_UNAVAILABLE) || !take(s, rec))
		return false;
	/* An unknown topic is refused at once, a full queue too; who waits for its time to be over
	 * spends our budget. */
	if (v == V_KAFKA_TIMEOUT && !t->tripped) {
		t->tripped = s->careful = true;
		spool_topic_failed(s, t);
	}
	if (v == V_TOPIC_UNAVAILABLE)
		spool_topic_failed(s, t);
	return true;
}

void spool_hears(struct spool *s, unsigned topic)
{
	spool_topic_works(s, spool_topic(s, topic));
}

/* Its COMMIT is over. */
static void on_group(void *arg, struct record *rec, const struct store_group *g, int64_t seq)
{
	struct spool *s = arg;
	unsigned topic = rec->parcel->topic;
	struct spool_topic *t = spool_topic(s, topic);

	(void)seq;
	t->queued--;
	if (g->verdict != V_ACCEPTED) {
		spool_forgets(s, topic, rec->parcel->key, rec->value.n);
		record_settle(rec, DELIVERY_STORE, g->verdict, -1, -1);
		return;
	}
	if (t->file != g->number)
		t->current = 0; /* those are drained, or wait for it */
	t->file = s->file = g->number;
	t->current++;
	record_settle(rec, DELIVERY_OK, V_ACCEPTED, -1, -1);
}

/* ---- from time to time ---- */

static void look_for_kafka(struct spool *s)
{
	bool down = spool_is_down(s);

	if (s->was_down && !down) /* it is back: who was held is tried at once */
		for (unsigned i = 0; i < s->topic_count; i++)
			s->topics[i].backoff = s->topics[i].held_until = 0;
	s->was_down = down;
}

static void look_behind(struct spool *s)
{
	for (unsigned i = 0; i < s->topic_count; i++) {
		struct spool_topic *t = &s->topics[i];

		if (!t->behind)
			continue;
		if (!t->waiting)
			behind_to_sink(s, i);
		else if (t->tripped || s->was_down || loop_now() - t->behind_since > BEHIND_MS)
			behind_to_rows(s, t);
	}
}

/* The drain is nearly over: what Kafka has not confirmed by now becomes rows, so that its clients
 * still get their answers. */
static void look_at_drain(struct spool *s)
{
	const struct worker *w = s->w;
	msec_t before = w->conf->http.drain_timeout / 2;

	if (before > GIVE_UP_MS)
		before = GIVE_UP_MS;
	if (!w->draining || s->gave_up || loop_now() < w->drain_ends - before)
		return;
	s->gave_up = true;
	if (w->sink->ops->give_up)
		w->sink->ops->give_up(w->sink->state);
}

static bool is_busy(const struct spool *s)
{
	for (unsigned i = 0; i < s->topic_count; i++)
		if (s->topics[i].waiting || s->topics[i].behind)
			return true;
	return s->asked || s->batch || s->w->draining || spool_reader_files(s->reader);
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct spool *s = arg;
	struct timeval next = { 0 };
	msec_t in;

	(void)fd, (void)what;
	look_for_kafka(s);
	look_at_drain(s);
	look_behind(s);
	spool_replay(s);
	in = is_busy(s) ? TICK_MS : IDLE_TICK_MS;
	next.tv_sec = in / 1000;
	next.tv_usec = in % 1000 * 1000;
	event_add(&s->tick, &next);
}

static void on_rung(void *arg)
{
	spool_replay(arg);
}

void spool_gone(struct spool *s)
{
	store_keeper_adopt(s->store.keeper);
}

/* ---- its life ---- */

static void prepare(struct spool *s)
{
	const struct conf *conf = s->w->conf;
	struct store_loop *l = &s->store;

	l->w = s->w;
	l->which = STORE_SPOOL;
	l->module = "spool";
	l->full = "the spool is full: 503 as without one; look at spool.max_bytes, spool.min_free";
	l->dropped = "dropped a file of dead/ in the spool for its age";
	l->bounds = store_loop_bounds(conf, conf->spool.max_bytes, conf->spool.min_free);
	l->bounds.sent_on = true;
	l->heir = &s->heir;
	l->done = on_group;
	l->rung = on_rung;
	l->arg = s;
	s->shares = spool_shares_new(conf->spool.max_bytes / workers_count(conf) / 100 *
	                             conf->spool.tenant_share);
}

static int start(struct spool *s, struct err *err)
{
	const struct conf *conf = s->w->conf;
	struct timeval soon = { 0, TICK_MS * 1000 };

	if (store_loop_open(&s->store, conf->spool.dir, err) < 0)
		return -1;
	s->reader = spool_reader_open(&s->store.dir, &s->store.state, conf->spool.max_age, err);
	if (!s->reader)
		return -1;
	s->heir = spool_reader_heir(s->reader);
	if (store_loop_start(&s->store, err) < 0)
		return -1;
	event_assign(&s->tick, s->w->base, -1, 0, on_turn, s);
	event_add(&s->tick, &soon);
	return 0;
}

struct spool *spool_open(struct worker *w, struct err *err)
{
	struct spool *s = xcalloc(1, sizeof(*s));

	s->w = w;
	prepare(s);
	if (start(s, err) < 0) {
		spool_close(s);
		return NULL;
	}
	return s;
}

void spool_close(struct spool *s)
{
	if (!s)
		return;
	s->closing = true;
	for (unsigned i = 0; i < s->topic_count; i++)
		behind_to_rows(s, &s->topics[i]);
	if (event_initialized(&s->tick))
		event_del(&s->tick);
	store_loop_stop(&s->store);
	if (s->reader) {
		spool_replay_end(s);
		spool_reader_close(s->reader);
	}
	store_loop_close(&s->store);
	spool_shares_free(s->shares);
	free(s->topics);
	free(s);
}
