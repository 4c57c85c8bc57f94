/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spool_replay.c -- the rows of the spool on their way to Kafka: one batch at a time, within
 * spool.replay_rate, and only while the clients' own records leave room. A batch is charged to no
 * budget: it is a megabyte, or one larger record. What Kafka refuses for good goes to the dead
 * letters, or where nobody takes it, to dead/ (spool_dead.h).
 */
#include <inttypes.h>
#include <stdio.h>

#include "common/loop.h"
#include "worker/budget.h"
#include "worker/route.h"
#include "worker/spool_private.h"
#include "worker/worker.h"

enum {
	NOTHING_MS = 500, /* until the reader is asked again */
	LETTER_HEADERS = 3,
	TOPIC_MAX = 249,
	CAREFUL_ROWS = 10, /* who does not answer may have stored them: as few come twice */
};

static const char reason_age[] = "hg-spool-age", reason_refused[] = "hg-kafka-refused",
		  too_large[] = "the broker refuses a record of this size for its topic",
		  not_taken[] = "the broker refuses the record for what it holds, or its time";

/* ---- the end of a row ---- */

static unsigned topic_of(struct spool *s, const struct spool_row *row)
{
	return routes_topic_named(s->w->routes, bytes_str(row->topic),
	                          row->signal == SIGNAL_OPAQUE);
}

static uint64_t items_of(const struct spool_row *row)
{
	return (uint64_t)row->flags >> STORE_ITEMS_SHIFT & STORE_ITEMS_MAX;
}

static void row_over(struct spool *s, struct spool_row *row, enum spool_fate fate,
                     enum replayed what)
{
	row->fate = fate;
	stats_add(s->w->stats, STAT_STORE_REPLAYED, STORE_SPOOL, what, (int64_t)items_of(row));
	spool_forgets(s, topic_of(s, row), row->tenant, row->value.n);
}

static void send_suspect(struct spool *s);

/* What was refused at once would be so again at once. */
static bool is_vain(const struct spool_batch *batch)
{
	for (unsigned i = 0; i < batch->count; i++)
		if (batch->rows[i].fate != SPOOL_LATER)
			return false;
	return true;
}

static void batch_over(struct spool *s)
{
	uint64_t rate = s->w->conf->spool.replay_rate / s->w->siblings;
	msec_t wait;

	if (--s->open) {
		if (s->open == s->suspects) /* the last of these may let go of the batch in there */
			send_suspect(s);
		return;
	}
	wait = (msec_t)(s->batch->bytes * 1000 / max_size(rate, 1));
	if (wait < NOTHING_MS && is_vain(s->batch))
		wait = NOTHING_MS;
	s->ask_at = loop_now() + wait;
	spool_reader_put(s->reader, take_ptr(&s->batch));
}

/* ---- a row becomes a record ---- */

static struct record *record_of(struct spool *s, struct spool_row *row, unsigned topic)
{
	struct parcel *p = parcel_get(s->w);
	struct record *rec = record_get(s->w);

	p->row = row;
	p->topic = topic;
	p->topic_name = routes_topic_name(s->w->routes, topic);
	memcpy(p->key_mem, row->tenant.p, row->tenant.n);
	p->key = bytes_of(p->key_mem, row->tenant.n);
	p->timestamp_ms = row->received_ms;
	p->signal = row->signal;
	p->tenant_ordinal = p->metric_slot = 0; /* nothing of it is counted there */
	for (unsigned i = 0; i < row->header_count; i++)
		parcel_header(p, row->headers[i].name, row->headers[i].value);
	parcel_header(p, "headgate-replayed", BYTES("1"));
	rec->parcel = p;
	rec->value = row->value;
	rec->items = items_of(row);
	rec->partition_word = (uint32_t)((uint64_t)row->flags >> STORE_WORD_SHIFT);
	rec->spread = !(row->flags & STORE_FIXED);
	rec->produced_ns = loop_now_ns();
	return rec;
}

/* It ends by spool_row_ended(), now or later. */
static void send_record(struct spool *s, struct record *rec)
{
	struct sink_open *sink = s->w->sink;
	/* At its end nothing of ours is begun any more. */
	bool over = s->gave_up || sink->closing;
	enum verdict v = over ? V_KAFKA_TIMEOUT : sink->ops->send(sink->state, rec);

	if (v == V_NONE)
		sink->in_flight++;
	else
		spool_row_ended(s, rec, DELIVERY_OTHER, v);
}

/* ---- refused for good ---- */

/* Brokers refuse a whole set of records for one. Those of such a set are sent once
 * more, each when no other of ours is under way. */
static void suspect(struct spool *s, struct spool_row *row)
{
	row->suspect = row->alone = true;
	s->suspects++;
	if (s->open == s->suspects)
		send_suspect(s);
}

static void send_suspect(struct spool *s)
{
	for (unsigned i = 0; i < s->batch->count; i++) {
		struct spool_row *row = &s->batch->rows[i];

		if (!row->suspect)
			continue;
		row->suspect = false;
		s->suspects--;
		send_record(s, record_of(s, row, topic_of(s, row)));
		return;
	}
	assert(!"a suspect");
}

/* By what is known of the topic: it is not sent, which could cost others of the same set. */
static bool is_too_large(const struct spool *s, const struct spool_row *row, unsigned topic)
{
	const struct sink_open *sink = s->w->sink;
	uint64_t bytes = row->value.n + row->headers_json.n + row->tenant.n;

	return sink->ops->ceiling && bytes > sink->ops->ceiling(sink->state, topic);
}

static void refuse(struct spool *s, struct spool_row *row, const char *reason, const char *detail)
{
	int topic = routes_dead_letters(s->w->routes);
	struct record *rec;

	row->reason = reason;
	if (topic < 0 || row->header_count + 1 + LETTER_HEADERS > RECORD_HEADERS_MAX ||
	    is_too_large(s, row, (unsigned)topic)) {
		row_over(s, row, SPOOL_DEAD, REPLAYED_REFUSED);
		batch_over(s);
		return;
	}
	rec = record_of(s, row, (unsigned)topic);
	parcel_header(rec->parcel, "headgate-dlq-reason", bytes_str(reason));
	parcel_header(rec->parcel, "headgate-dlq-detail", bytes_str(detail));
	parcel_header(rec->parcel, "headgate-dlq-topic", bytes_str(row->topic));
	send_record(s, rec);
}

static bool is_too_old(const struct spool *s, const struct spool_row *row)
{
	msec_t most = s->w->conf->spool.max_age;

	return most > 0 && loop_wall_ns() / 1000000 - row->received_ms > most;
}

static bool is_sound(const struct spool_row *row)
{
	return row->whole && row->tenant.n > 0 && row->tenant.n <= TENANT_ID_MAX && row->topic[0] &&
	       strlen(row->topic) <= TOPIC_MAX && row->header_count < RECORD_HEADERS_MAX;
}

static void send_row(struct spool *s, struct spool_row *row)
{
	s->open++;
	if (!is_sound(row)) {
		/* Its file goes to quarantine, and it with it. */
		row->fate = SPOOL_DONE;
		if (row->topic[0] && strlen(row->topic) <= TOPIC_MAX)
			spool_forgets(s, topic_of(s, row), row->tenant, row->value.n);
		batch_over(s);
	} else if (is_too_old(s, row)) {
		refuse(s, row, reason_age, "older than spool.max_age before Kafka could take it");
	} else if (is_too_large(s, row, topic_of(s, row))) {
		row->alone = true;
		refuse(s, row, verdict_get(V_RECORD_SIZE)->id, too_large);
	} else {
		send_record(s, record_of(s, row, topic_of(s, row)));
	}
}

void spool_row_ended(struct spool *s, struct record *rec, enum delivery how, enum verdict v)
{
	struct parcel *p = rec->parcel;
	struct spool_row *row = p->row;
	unsigned topic = p->topic, own = topic_of(s, row);
	bool is_letter = row->reason != NULL;
	bool is_refused = v == V_RECORD_SIZE || how == DELIVERY_REFUSED;

	record_put(s->w, rec);
	parcel_close(p, V_NONE);
	if (how == DELIVERY_OK) {
		s->careful = false;
		spool_topic_works(s, spool_topic(s, topic));
		if (is_letter)
			stats_add(s->w->stats, STAT_DEAD_LETTERS, LETTER_SENT, 0, 1);
		row_over(s, row, SPOOL_DONE, is_letter ? REPLAYED_REFUSED : REPLAYED_DELIVERED);
	} else if (is_refused && !row->alone && !is_letter) {
		suspect(s, row);
		return; /* still open */
	} else if (v == V_RECORD_SIZE && !is_letter) {
		refuse(s, row, verdict_get(v)->id, too_large);
		return; /* still open */
	} else if (is_refused && !is_letter) {
		refuse(s, row, reason_refused, not_taken);
		return; /* still open */
	} else if (is_refused) {
		row_over(s, row, SPOOL_DEAD, REPLAYED_REFUSED);
	} else {
		row->reason = NULL;
		row->fate = SPOOL_LATER;
		s->careful = true;
		if (!s->closing)
			spool_topic_failed(s, spool_topic(s, own));
	}
	batch_over(s);
}

/* ---- batches ---- */

static void send_batch(struct spool *s)
{
	struct spool_batch *batch = s->batch;

	s->open = 1;
	for (unsigned i = 0; i < batch->count; i++)
		send_row(s, &batch->rows[i]);
	batch_over(s);
	sink_gauges(s->w);
}

/* Rows of others are waited for as our own. */
static void take_found(struct spool *s)
{
	struct spool_found *found = spool_reader_found(s->reader);

	for (const struct spool_found *at = found; at; at = at->next) {
		if (!at->topic[0] || strlen(at->topic) > TOPIC_MAX)
			continue;
		spool_topic(s, routes_topic_named(s->w->routes, bytes_str(at->topic), at->is_raw))
			->waiting += at->rows;
		spool_shares_add(s->shares, bytes_str(at->tenant), at->rows,
		                 at->bytes + at->rows * SPOOL_ROW_BYTES);
	}
	spool_found_free(found);
}

/* The file that takes rows now is wanted: all that is left of some topic is in it. Without another
 * file that is so whatever was counted. */
static bool wants_current(const struct spool *s)
{
	bool alone = !spool_reader_files(s->reader);

	for (unsigned i = 0; s->file != s->rotated && i < s->topic_count; i++) {
		const struct spool_topic *t = &s->topics[i];

		if (t->file == s->file && t->current &&
		    (alone || t->waiting <= t->queued + t->current) && loop_now() >= t->held_until)
			return true;
	}
	return false;
}

/* Files that could not be read may have left us with wrong counts. */
static void set_right(struct spool *s)
{
	bool any = false;

	if (s->asked || s->batch || !spool_reader_is_empty(s->reader, s->file))
		return;
	for (unsigned i = 0; i < s->topic_count; i++) {
		s->topics[i].waiting = s->topics[i].queued;
		any |= s->topics[i].queued > 0;
	}
	if (!any)
		spool_shares_clear(s->shares);
}

static bool may_ask(struct spool *s)
{
	const struct budget *b = s->w->budget;

	return !s->asked && !s->batch && !s->closing && !s->w->draining && !spool_is_down(s) &&
	       loop_now() >= s->ask_at && budget_used(b) < budget_capacity(b) / 2;
}

static void ask(struct spool *s)
{
	struct spool_topics held = { 0 };

	for (unsigned i = 0; i < s->topic_count; i++)
		if (loop_now() < s->topics[i].held_until)
			spool_topics_add(&held, routes_topic_name(s->w->routes, i));
	spool_reader_ask(s->reader, &held, s->careful ? CAREFUL_ROWS : SPOOL_BATCH_ROWS);
	s->asked = true;
}

void spool_replay(struct spool *s)
{
	struct spool_batch *batch;

	take_found(s);
	if (s->asked && spool_reader_take(s->reader, &batch)) {
		s->asked = false;
		s->batch = batch;
		if (batch)
			send_batch(s);
		else
			s->ask_at = loop_now() + NOTHING_MS;
	}
	if (!may_ask(s))
		return;
	if (wants_current(s)) {
		s->rotated = s->file;
		store_writer_rotate(s->store.writer);
	}
	if (spool_reader_files(s->reader))
		ask(s);
	else
		set_right(s);
}

void spool_replay_end(struct spool *s)
{
	struct spool_batch *batch = s->batch;

	if (s->asked && spool_reader_take(s->reader, &batch))
		s->asked = false;
	s->batch = NULL;
	if (batch)
		spool_reader_put(s->reader, batch);
}
