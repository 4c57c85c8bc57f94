/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/kafka_gate.h"

#include "common/loop.h"
#include "conf/conf.h"

enum {
	/* librdkafka's RD_KAFKA_IDEMP_MAX_INFLIGHT: it counts messages, not requests. */
	IN_FLIGHT = 5,
	/* What it counts into batch.size besides: of a batch (the request's own fields, with the
	 * longest name of a topic), of a record, of a header. */
	BATCH_COST = 600,
	RECORD_COST = 36,
	HEADER_COST = 10,
	/* Its timers know milliseconds: with less linger, what comes at once is still one batch. */
	WINDOW_LEAST_NS = 500000,
	/* A partition whose last report was a failure gets none that is older, so that nobody's
	 * wait here and there is over kafka.ack_deadline together. */
	YOUNG_NS = 1500000000,
};

struct queue { /* of records that wait, by their `next` */
	struct record *first, *last;
};

struct place { /* a partition */
	struct queue fixed; /* records of `source`, which go nowhere else */
	uint32_t word; /* one that leads here */
	uint32_t held; /* records without a report */
	int64_t since_ns; /* of the batch's first record */
	uint64_t bytes; /* of the batch */
	bool failing; /* its last report */
	bool alone; /* one that is to have no company */
	bool shared; /* since it was empty last it had more than one */
};

struct lane { /* a topic */
	struct lane *next; /* of those in which records wait */
	struct place *places;
	unsigned count, cap;
	unsigned at; /* where `spread` is */
	unsigned open; /* places of `count` with less than IN_FLIGHT */
	struct queue spread;
	unsigned fixed; /* records that wait in places */
	unsigned pass_at; /* the place that kafka_gate_next() has come to */
	bool listed, passing, spread_last;
	bool stirred; /* since it last began */
};

struct kafka_gate {
	struct lane **lanes; /* by topic */
	unsigned count;
	struct lane *waiting;
	int64_t window_ns;
	uint64_t batch_bytes;
	uint32_t seed; /* so that workers do not fill the same partitions at the same time */
};

unsigned kafka_partition(uint32_t word, unsigned count)
{
	return (uint32_t)((word * 0x9e3779b97f4a7c15u) >> 32) % count;
}

struct kafka_gate *kafka_gate_new(int64_t linger_us, uint64_t batch_bytes, uint32_t seed)
{
	struct kafka_gate *g = xcalloc(1, sizeof(*g));
	int64_t linger_ns = linger_us * 1000;

	g->window_ns = linger_ns > WINDOW_LEAST_NS ? linger_ns : WINDOW_LEAST_NS;
	g->batch_bytes = batch_bytes;
	g->seed = seed;
	return g;
}

static bool waits(const struct lane *l)
{
	return l->spread.first || l->fixed;
}

void kafka_gate_free(struct kafka_gate *g)
{
	for (unsigned i = 0; i < g->count; i++) {
		assert(!waits(g->lanes[i]));
		free(g->lanes[i]->places);
		free(g->lanes[i]);
	}
	free(g->lanes);
	free(g);
}

/* ---- queues ---- */

static void push(struct queue *q, struct record *rec)
{
	rec->next = NULL;
	if (q->last)
		q->last->next = rec;
	else
		q->first = rec;
	q->last = rec;
}

/* The one behind `before`; NULL: the first. */
static struct record *pull(struct queue *q, struct record *before)
{
	struct record **at = before ? &before->next : &q->first, *rec = *at;

	*at = rec->next;
	if (q->last == rec)
		q->last = before;
	rec->next = NULL;
	return rec;
}

/* ---- partitions ---- */

/* About count x ln(count) words are tried. */
static void find_words(struct lane *l, uint32_t word)
{
	unsigned char *found = xcalloc(l->count, 1);

	for (unsigned left = l->count; left > 0; word++) {
		unsigned i = kafka_partition(word, l->count);

		if (found[i])
			continue;
		found[i] = 1;
		left--;
		l->places[i].word = word;
	}
	free(found);
}

/* A topic grows, or was made anew. Of places beyond its count reports may still come. */
static void resize(struct lane *l, unsigned count, uint32_t seed)
{
	struct queue moved = { 0 };

	for (unsigned i = 0; l->fixed && i < l->count; i++)
		while (l->places[i].fixed.first)
			push(&moved, pull(&l->places[i].fixed, NULL));
	if (count > l->cap) {
		l->places = xrealloc(l->places, count, sizeof(*l->places));
		memset(l->places + l->cap, 0, (count - l->cap) * sizeof(*l->places));
		l->cap = count;
	}
	l->count = count;
	l->at = seed % count;
	l->open = 0;
	for (unsigned i = 0; i < count; i++)
		l->open += l->places[i].held < IN_FLIGHT;
	find_words(l, seed);
	while (moved.first) {
		struct record *rec = pull(&moved, NULL);

		push(&l->places[kafka_partition(rec->partition_word, count)].fixed, rec);
	}
	l->passing = false;
	l->stirred = true;
}

static struct lane *lane_of(struct kafka_gate *g, unsigned topic)
{
	if (topic >= g->count) {
		g->lanes = xrealloc(g->lanes, topic + 1, sizeof(struct lane *));
		for (; g->count <= topic; g->count++)
			g->lanes[g->count] = xcalloc(1, sizeof(struct lane));
	}
	return g->lanes[topic];
}

/* At most what it takes in a batch: one that does not fit would wait in the library. */
static uint64_t bytes_of_record(const struct record *rec)
{
	const struct parcel *parcel = rec->parcel;

	return RECORD_COST + parcel->key.n + rec->value.n + parcel_header_bytes(parcel) +
	       HEADER_COST * (parcel->header_count + 1);
}

static bool batch_goes_on(const struct kafka_gate *g, const struct place *p,
                          const struct record *rec, int64_t now)
{
	return p->held > 0 && now - p->since_ns < g->window_ns &&
	       p->bytes + bytes_of_record(rec) <= g->batch_bytes;
}

static bool is_young(const struct record *rec, int64_t now)
{
	return now - rec->produced_ns < YOUNG_NS;
}

static bool takes(const struct kafka_gate *g, const struct place *p, const struct record *rec,
                  int64_t now)
{
	if (p->failing && !is_young(rec, now))
		return false;
	if (p->held > 0 && (p->alone || rec->alone))
		return false;
	return p->held < IN_FLIGHT || batch_goes_on(g, p, rec, now);
}

/* The next one where there is less than `held`. */
static struct place *next_with(const struct kafka_gate *g, struct lane *l, const struct record *rec,
                               int64_t now, uint32_t held)
{
	for (unsigned i = 1; i <= l->count; i++) {
		unsigned at = (l->at + i) % l->count;

		if (l->places[at].held >= held || !takes(g, &l->places[at], rec, now))
			continue;
		l->at = at;
		return &l->places[at];
	}
	return NULL;
}

static struct place *choose(const struct kafka_gate *g, struct lane *l, const struct record *rec,
                            int64_t now)
{
	struct place *p = &l->places[l->at];

	if (!rec->spread) {
		p = &l->places[kafka_partition(rec->partition_word, l->count)];
		return takes(g, p, rec, now) ? p : NULL;
	}
	if (batch_goes_on(g, p, rec, now) && takes(g, p, rec, now))
		return p;
	if (l->open == 0)
		return NULL;
	p = next_with(g, l, rec, now, 1);
	return p ? p : next_with(g, l, rec, now, IN_FLIGHT);
}

static bool enter(const struct kafka_gate *g, struct lane *l, struct record *rec)
{
	/* librdkafka's linger runs by it too, and a turn may be long. */
	int64_t now = loop_read_ns();
	struct place *p = choose(g, l, rec, now);

	if (!p)
		return false;
	/* One that is full before its linger is over has none behind it: what does not fit goes
	 * while less than IN_FLIGHT are held, and the library makes of it what it likes. */
	if (p->held == 0 || now - p->since_ns >= g->window_ns) {
		p->since_ns = now;
		p->bytes = BATCH_COST;
	}
	p->bytes += bytes_of_record(rec);
	p->alone = rec->alone;
	p->shared = p->held > 0;
	if (++p->held == IN_FLIGHT)
		l->open--;
	rec->place = (unsigned)(p - l->places);
	if (rec->spread)
		rec->partition_word = p->word;
	return true;
}

/* ---- those that wait ---- */

static void wait(struct kafka_gate *g, struct lane *l, struct record *rec)
{
	if (rec->spread) {
		push(&l->spread, rec);
	} else {
		push(&l->places[kafka_partition(rec->partition_word, l->count)].fixed, rec);
		l->fixed++;
	}
	if (l->listed)
		return;
	l->listed = true;
	l->next = g->waiting;
	g->waiting = l;
}

/* Its partition takes again, and those before it have not gone yet; or one waits for an empty
 * partition, which there would never be if others went on: not for ever, though. */
static bool is_behind(const struct lane *l, const struct record *rec)
{
	const struct record *head = l->spread.first;
	const struct place *p;

	if (rec->spread)
		return head && head->alone && is_young(head, loop_read_ns());
	if (!l->fixed)
		return false;
	p = &l->places[kafka_partition(rec->partition_word, l->count)];
	return p->fixed.first && !p->failing;
}

bool kafka_gate_pass(struct kafka_gate *g, struct record *rec, unsigned partitions)
{
	struct lane *l = lane_of(g, rec->parcel->topic);

	if (partitions != l->count)
		resize(l, partitions, g->seed);
	if (!is_behind(l, rec) && enter(g, l, rec))
		return true;
	wait(g, l, rec);
	return false;
}

void kafka_gate_left(struct kafka_gate *g, const struct record *rec, bool works)
{
	struct lane *l = lane_of(g, rec->parcel->topic);
	struct place *p = &l->places[rec->place];

	assert(p->held > 0);
	if (p->held-- == IN_FLIGHT && rec->place < l->count)
		l->open++;
	p->failing = !works;
	l->stirred = true;
}

bool kafka_gate_has_company(const struct kafka_gate *g, const struct record *rec)
{
	return g->lanes[rec->parcel->topic]->places[rec->place].shared;
}

/* One that no partition takes speaks for all behind it; but for one that is to be alone, for so
 * long only as nobody else comes in, either. */
static struct record *next_spread(const struct kafka_gate *g, struct lane *l)
{
	struct record *before = NULL, *rec = l->spread.first;

	if (rec && enter(g, l, rec))
		return pull(&l->spread, NULL);
	if (!rec || !rec->alone || is_young(rec, loop_read_ns()))
		return NULL;
	for (; rec && rec->alone; rec = rec->next)
		before = rec;
	return rec && enter(g, l, rec) ? pull(&l->spread, before) : NULL;
}

static struct record *next_of(const struct kafka_gate *g, struct lane *l, struct place *p)
{
	struct record *before = NULL, *rec = p->fixed.first;

	if (rec && p->failing) {
		int64_t now = loop_read_ns();

		if (!is_young(p->fixed.last, now))
			return NULL;
		for (; rec && !is_young(rec, now); rec = rec->next)
			before = rec;
	}
	if (!rec || !enter(g, l, rec))
		return NULL;
	l->fixed--;
	return pull(&p->fixed, before);
}

static struct record *next_fixed(const struct kafka_gate *g, struct lane *l)
{
	for (; l->fixed && l->pass_at < l->count; l->pass_at++) {
		struct record *rec = next_of(g, l, &l->places[l->pass_at]);

		if (rec)
			return rec;
	}
	return NULL;
}

/* The two kinds take turns. */
static struct record *lane_next(const struct kafka_gate *g, struct lane *l)
{
	struct record *rec;

	if (!l->passing) {
		l->passing = true;
		l->stirred = false;
		l->pass_at = 0;
	}
	l->spread_last = !l->spread_last;
	rec = l->spread_last ? next_spread(g, l) : next_fixed(g, l);
	if (!rec)
		rec = l->spread_last ? next_fixed(g, l) : next_spread(g, l);
	l->passing = rec != NULL;
	return rec;
}

struct record *kafka_gate_next(struct kafka_gate *g)
{
	for (struct lane **at = &g->waiting, *l; (l = *at);) {
		struct record *rec = l->stirred || l->passing ? lane_next(g, l) : NULL;

		if (rec)
			return rec;
		if (waits(l)) {
			at = &l->next;
			continue;
		}
		l->listed = false;
		*at = l->next;
	}
	return NULL;
}

static bool is_expired(const struct queue *q, int64_t before)
{
	return q->first && (before == INT64_MAX || q->first->produced_ns <= before);
}

struct record *kafka_gate_expired(struct kafka_gate *g, int64_t before)
{
	for (struct lane *l = g->waiting; l; l = l->next) {
		if (is_expired(&l->spread, before))
			return pull(&l->spread, NULL);
		for (unsigned i = 0; l->fixed && i < l->count; i++) {
			if (!is_expired(&l->places[i].fixed, before))
				continue;
			l->fixed--;
			return pull(&l->places[i].fixed, NULL);
		}
	}
	return NULL;
}
