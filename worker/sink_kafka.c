/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink_kafka.c -- records to Apache Kafka by one idempotent producer a worker (faults.md 1).
 * Delivery reports, errors, logs and statistics come as events of the producer's queue, which rings
 * an eventfd; all of them are served here, on the loop's thread. What librdkafka took is its own
 * until the report: it is neither touched nor produced again before. A producer with a fatal error
 * is replaced at once; the old one lives until its last report. Nothing here may wait, sleep or
 * retry.
 */
#include "worker/sink.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <librdkafka/rdkafka.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/random.h>

#include "common/log.h"
#include "common/loop.h"
#include "worker/budget.h"
#include "worker/kafka_gate.h"
#include "worker/kafka_news.h"
#include "worker/kafka_settings.h"
#include "worker/route.h"
#include "worker/topics.h"
#include "worker/worker.h"

enum {
	CLOSE_MS = 500, /* for the last reports, after the drain */
	CLOSE_POLL_MS = 10,
	REPLACE_PAUSE_MS = 500, /* a producer younger than this is replaced by the timer */
};

struct producer {
	struct producer *next; /* in kafka->old */
	rd_kafka_t *rk;
	rd_kafka_queue_t *queue;
	msec_t made; /* when */
	uint64_t held; /* records between produce and report */
	bool failed; /* fatal error: takes no more */
	bool ending; /* the thread below destroys it */
	pthread_t ender;
	_Atomic bool ended;
};

struct kafka {
	struct worker *w;
	struct topics *topics;
	struct producer *live; /* NULL: none could be made; the timer tries again */
	struct producer *old; /* failed ones, until their last report is served; then destroyed */
	/* Records that no producer can take now: before the first metadata, and while a producer is
	 * being replaced. They leave, in order, when it can, or when their time is over. */
	struct record *waiting, **waiting_end;
	struct kafka_gate *gate;
	int wake_fd;
	struct event wake, tick;
	struct kafka_news news;
	struct log_limit size_log;
	bool closing; /* no new producer, nothing is sent again */
};

/* ---- producers ---- */

rd_kafka_t *sink_kafka_client(struct worker *w, struct err *err)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	sigset_t all, before;
	rd_kafka_t *rk;
	char why[512];

	if (kafka_settings(w, conf, err) < 0) {
		rd_kafka_conf_destroy(conf);
		return NULL;
	}
	sigfillset(&all); /* signals are the loop's: threads inherit the mask */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!rk) {
		rd_kafka_conf_destroy(conf); /* not taken on failure */
		err_set(err, "kafka: no producer: %s", why);
	}
	return rk;
}

static struct producer *producer_open(struct kafka *k, struct err *err)
{
	static const uint64_t one = 1; /* what the library writes to the eventfd */
	rd_kafka_t *rk = sink_kafka_client(k->w, err);
	struct producer *p;

	if (!rk)
		return NULL;
	p = xcalloc(1, sizeof(*p));
	p->made = loop_now();
	p->rk = rk;
	p->queue = rd_kafka_queue_get_main(rk);
	rd_kafka_set_log_queue(rk, NULL);
	rd_kafka_queue_io_event_enable(p->queue, k->wake_fd, &one, sizeof(one));
	return p;
}

/* May hang while the library ends its threads: never on the loop's thread but at the very end. */
static void producer_destroy(struct producer *p)
{
	rd_kafka_queue_io_event_enable(p->queue, -1, NULL, 0);
	rd_kafka_queue_destroy(p->queue);
	rd_kafka_destroy_flags(p->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

static void *ender_main(void *arg)
{
	struct producer *p = arg;

	producer_destroy(p);
	atomic_store(&p->ended, true);
	return NULL;
}

/* Old producers whose last report was served and that nobody uses leave, by a thread of their own.
 */
static void end_old(struct kafka *k)
{
	for (struct producer **at = &k->old, *p; (p = *at);) {
		sigset_t all, before;

		if (p->ending && atomic_load(&p->ended)) {
			pthread_join(p->ender, NULL);
			*at = p->next;
			free(p);
			continue;
		}
		at = &p->next;
		if (p->ending || p->held || topics_busy(k->topics, p->rk))
			continue;
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &before);
		p->ending = pthread_create(&p->ender, NULL, ender_main, p) ==
		            0; /* else by the next tick */
		pthread_sigmask(SIG_SETMASK, &before, NULL);
	}
}

/* A new producer for topics and records; 0, or -1 with *err said and none live. */
static int producer_start(struct kafka *k, struct err *err)
{
	struct producer *p = producer_open(k, err);

	if (!p)
		return -1;
	if (topics_attach(k->topics, p->rk, err) < 0) {
		p->next = k->old;
		k->old = p;
		return -1;
	}
	k->live = p;
	return 0;
}

/* ---- records ---- */

static enum verdict refused(struct kafka *k, const struct record *rec, rd_kafka_resp_err_t err)
{
	uint32_t held;

	switch ((int)err) {
	case RD_KAFKA_RESP_ERR__QUEUE_FULL:
		return V_OVERLOAD;
	case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
		return V_RECORD_SIZE;
	case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
	case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
	case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
		topics_mark_unavailable(k->topics, rec->parcel->topic, false);
		return V_TOPIC_UNAVAILABLE;
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
		topics_mark_unavailable(k->topics, rec->parcel->topic, true);
		return V_TOPIC_UNAVAILABLE;
	}
	if (kafka_news_due(&k->news, err, "", &held))
		log_warn("sink_kafka", "the producer does not take a record: 503",
		         KV_S("error", rd_kafka_err2name(err)), KV_U("repeats", held));
	return V_OVERLOAD;
}

static void wait_for_producer(struct kafka *k, struct record *rec)
{
	rec->next = NULL;
	*k->waiting_end = rec;
	k->waiting_end = &rec->next;
}

/* With {tenant} in a prefix a tenant's first record brings its topic with it. */
static void learn_topics(struct kafka *k)
{
	const struct routes *rs = k->w->routes;

	for (unsigned i = topics_count(k->topics); i < routes_topics(rs); i++)
		topics_add(k->topics, routes_topic_name(rs, i), routes_topic_is_raw(rs, i));
}

static bool can_produce(struct kafka *k, const struct record *rec)
{
	return k->live && !k->live->failed && topics_known(k->topics) &&
	       !topics_unlooked(k->topics, rec->parcel->topic);
}

static rd_kafka_headers_t *make_headers(const struct record *rec)
{
	rd_kafka_headers_t *headers = rd_kafka_headers_new(rec->parcel->header_count + 1);
	char part[RECORD_PART_BYTES];
	struct record_header h;

	for (unsigned i = 0; record_header(rec, i, part, &h); i++)
		rd_kafka_header_add(headers, h.name, -1, h.value.p, (ssize_t)h.value.n);
	return headers;
}

/* What has passed the gate. V_NONE: the library has it, or it waits for a producer. Else it is
 * still the caller's. */
static enum verdict hand_over(struct kafka *k, struct record *rec)
{
	rd_kafka_headers_t *headers;
	rd_kafka_resp_err_t err;

	headers = make_headers(rec);
	/* Without F_COPY and F_FREE the value stays ours, and untouched until the report. The
	 * partition is never forced: the partitioner's word is in the record, which is the opaque.
	 */
	err = rd_kafka_producev(
		k->live->rk, RD_KAFKA_V_RKT(topics_handle(k->topics, rec->parcel->topic)),
		RD_KAFKA_V_PARTITION(RD_KAFKA_PARTITION_UA), RD_KAFKA_V_MSGFLAGS(0),
		RD_KAFKA_V_KEY(rec->parcel->key.p, rec->parcel->key.n),
		RD_KAFKA_V_VALUE((void *)(uintptr_t)rec->value.p, rec->value.n),
		RD_KAFKA_V_TIMESTAMP(rec->parcel->timestamp_ms), RD_KAFKA_V_HEADERS(headers),
		RD_KAFKA_V_OPAQUE(rec), RD_KAFKA_V_END);
	if (!err) {
		k->live->held++;
		return V_NONE;
	}
	rd_kafka_headers_destroy(headers); /* ours again */
	kafka_gate_left(k->gate, rec, false);
	if (err != RD_KAFKA_RESP_ERR__FATAL)
		return refused(k, rec, err);
	/* Replaced by the next turn, not here: somebody may be going through its events. */
	k->live->failed = true;
	event_active(&k->wake, EV_READ, 0);
	wait_for_producer(k, rec);
	return V_NONE;
}

/* V_NONE: the library has it, or it waits. Else it is still the caller's. */
static enum verdict produce(struct kafka *k, struct record *rec)
{
	unsigned topic = rec->parcel->topic;

	if (!can_produce(k, rec)) {
		wait_for_producer(k, rec);
		return V_NONE;
	}
	if (!topics_handle(k->topics, topic))
		return V_TOPIC_UNAVAILABLE;
	if (!kafka_gate_pass(k->gate, rec, (unsigned)topics_partitions(k->topics, topic)))
		return V_NONE;
	return hand_over(k, rec);
}

/* Of those at the gate: whose time is over, and whose partition takes again. */
static void serve_gate(struct kafka *k)
{
	int64_t oldest = loop_now_ns() - kafka_message_timeout(k->w->conf) * 1000000;
	struct record *rec;

	while ((rec = kafka_gate_expired(k->gate, oldest)))
		record_done(rec, DELIVERY_TIMED_OUT, V_KAFKA_TIMEOUT, -1, -1);
	while ((rec = kafka_gate_next(k->gate))) {
		enum verdict v = V_NONE;

		if (!can_produce(k, rec)) {
			kafka_gate_left(k->gate, rec, false);
			wait_for_producer(k, rec);
		} else if (!topics_handle(k->topics, rec->parcel->topic)) {
			kafka_gate_left(k->gate, rec, false);
			v = V_TOPIC_UNAVAILABLE;
		} else {
			v = hand_over(k, rec);
		}
		if (v != V_NONE)
			record_done(rec, DELIVERY_OTHER, v, -1, -1);
	}
}

/* What waited goes on: all of it, when a producer can take it; else those whose time is over. */
static void serve_waiting(struct kafka *k)
{
	int64_t oldest = loop_now_ns() - kafka_message_timeout(k->w->conf) * 1000000;
	struct record *rec = k->waiting, *next;

	k->waiting = NULL;
	k->waiting_end = &k->waiting;
	for (; rec; rec = next) {
		enum verdict v = V_NONE;

		next = rec->next;
		if (rec->produced_ns <= oldest)
			record_done(rec, DELIVERY_TIMED_OUT, V_KAFKA_TIMEOUT, -1, -1);
		else
			v = produce(k, rec);
		if (v != V_NONE)
			record_done(rec, DELIVERY_OTHER, v, -1, -1);
	}
}

/* ---- events ---- */

/* DIM_KAFKA_ERROR: what librdkafka calls it; all others in the last place. */
static const struct {
	rd_kafka_resp_err_t err;
	const char *name;
} error_names[] = {
	{ RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, "_MSG_TIMED_OUT" },
	{ RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, "MSG_SIZE_TOO_LARGE" },
	{ RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, "RECORD_LIST_TOO_LARGE" },
	{ RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, "TOPIC_AUTHORIZATION_FAILED" },
	{ RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, "CLUSTER_AUTHORIZATION_FAILED" },
	{ RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, "UNKNOWN_TOPIC_OR_PART" },
	{ RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, "_UNKNOWN_TOPIC" },
	{ RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, "_UNKNOWN_PARTITION" },
	{ RD_KAFKA_RESP_ERR__PURGE_QUEUE, "_PURGE_QUEUE" },
	{ RD_KAFKA_RESP_ERR__PURGE_INFLIGHT, "_PURGE_INFLIGHT" },
	{ RD_KAFKA_RESP_ERR__FATAL, "_FATAL" },
	{ RD_KAFKA_RESP_ERR__TRANSPORT, "_TRANSPORT" },
	{ RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, "NOT_ENOUGH_REPLICAS" },
	{ RD_KAFKA_RESP_ERR_INVALID_MSG, "INVALID_MSG" },
	{ RD_KAFKA_RESP_ERR_NO_ERROR, "not_persisted" }, /* a report without error that says so */
	{ RD_KAFKA_RESP_ERR_UNKNOWN, "other" },
};

const char *sink_kafka_error_name(unsigned i)
{
	return i < ARRAY_LEN(error_names) ? error_names[i].name : NULL;
}

static void count_error(struct kafka *k, rd_kafka_resp_err_t err)
{
	unsigned i = 0;

	while (i < ARRAY_LEN(error_names) - 1 && error_names[i].err != err)
		i++;
	stats_add(k->w->stats, STAT_KAFKA_ERRORS, i, 0, 1);
}

static void say_too_large(struct kafka *k, const struct record *rec)
{
	uint32_t held;

	if (log_limited(&k->size_log, 1, loop_now(), &held))
		log_err("sink_kafka",
		        "the broker refuses a record for its size: 413; look at max.message.bytes",
		        KV_U("value_bytes", rec->value.n), KV_S("topic", rec->parcel->topic_name),
		        KV_U("repeats", held));
}

/* How a record that was not stored ended, and what its client is told (records.md 4). */
static enum verdict verdict_of(struct kafka *k, const struct record *rec, rd_kafka_resp_err_t err,
                               rd_kafka_msg_status_t status, enum delivery *how)
{
	switch ((int)err) {
	case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
	case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
		say_too_large(k, rec);
		*how = DELIVERY_TOO_LARGE;
		return V_RECORD_SIZE;
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
		topics_mark_unavailable(k->topics, rec->parcel->topic, true);
		*how = DELIVERY_AUTHORIZATION;
		return V_TOPIC_UNAVAILABLE;
	case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
	case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
	case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
		topics_mark_unavailable(k->topics, rec->parcel->topic, false);
		*how = DELIVERY_OTHER;
		return V_TOPIC_UNAVAILABLE;
	case RD_KAFKA_RESP_ERR_INVALID_RECORD: /* of a broker that looks into values, say */
	case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
		*how = DELIVERY_REFUSED;
		return V_KAFKA_TIMEOUT;
	}
	*how = status != RD_KAFKA_MSG_STATUS_NOT_PERSISTED ? DELIVERY_MAYBE
	       : err == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT   ? DELIVERY_TIMED_OUT
	       : err == RD_KAFKA_RESP_ERR__FATAL || err == RD_KAFKA_RESP_ERR__PURGE_QUEUE
	               ? DELIVERY_FATAL
	               : DELIVERY_OTHER;
	return V_KAFKA_TIMEOUT;
}

/* Of a producer that failed: what was surely not stored goes to the new one, once and in time. */
static bool send_again(struct kafka *k, const struct producer *p, struct record *rec,
                       rd_kafka_resp_err_t err, rd_kafka_msg_status_t status)
{
	if (!p->failed || k->closing || rec->resent ||
	    status != RD_KAFKA_MSG_STATUS_NOT_PERSISTED || err == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT)
		return false;
	rec->resent = true;
	wait_for_producer(k, rec); /* served after these events, by whichever producer then lives */
	return true;
}

static bool is_for_one(rd_kafka_resp_err_t err)
{
	return err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ||
	       err == RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE ||
	       err == RD_KAFKA_RESP_ERR_INVALID_RECORD ||
	       err == RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP;
}

/* A broker refuses a whole batch for one record that is too large for it, or invalid. Each of them
 * is sent once more by itself: that one is refused then, and nobody else's. */
static bool send_alone(struct kafka *k, struct record *rec, rd_kafka_resp_err_t err, bool company)
{
	if (!is_for_one(err) || !company || k->closing)
		return false;
	rec->alone = true;
	wait_for_producer(k, rec); /* served after these events */
	return true;
}

static void on_report(struct kafka *k, struct producer *p, const rd_kafka_message_t *msg)
{
	struct record *rec = msg->_private;
	rd_kafka_msg_status_t status = rd_kafka_message_status(msg);
	bool stored = !msg->err && status == RD_KAFKA_MSG_STATUS_PERSISTED;
	bool company = kafka_gate_has_company(k->gate, rec);
	enum delivery how;
	enum verdict v;

	assert(p->held > 0);
	p->held--;
	kafka_gate_left(k->gate, rec, stored || is_for_one(msg->err));
	if (stored) {
		k->news.brokers_down = false;
		stats_observe_us(k->w->stats, STAT_KAFKA_DELIVERY, 0,
		                 (uint64_t)(loop_now_ns() - rec->produced_ns) / 1000);
		record_done(rec, DELIVERY_OK, V_ACCEPTED, msg->partition, msg->offset);
		return;
	}
	if (send_again(k, p, rec, msg->err, status) || send_alone(k, rec, msg->err, company))
		return;
	count_error(k, msg->err);
	v = verdict_of(k, rec, msg->err, status, &how);
	record_done(rec, how, v, -1, -1);
}

static void on_error(struct kafka *k, struct producer *p, rd_kafka_event_t *event)
{
	char why[256];

	if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR__FATAL &&
	    !rd_kafka_event_error_is_fatal(event)) {
		kafka_news_error(&k->news, event);
		return;
	}
	rd_kafka_fatal_error(p->rk, why, sizeof(why));
	log_err("sink_kafka", "fatal error of the producer, a new one takes over",
	        KV_S("error", why));
	p->failed = true;
}

static void on_event(struct kafka *k, struct producer *p, rd_kafka_event_t *event)
{
	const rd_kafka_message_t *msg;

	switch (rd_kafka_event_type(event)) {
	case RD_KAFKA_EVENT_DR:
		while ((msg = rd_kafka_event_message_next(event)))
			on_report(k, p, msg);
		break;
	case RD_KAFKA_EVENT_ERROR:
		on_error(k, p, event);
		break;
	case RD_KAFKA_EVENT_STATS:
		if (p == k->live)
			kafka_news_stats(&k->news, rd_kafka_event_stats(event));
		break;
	case RD_KAFKA_EVENT_LOG:
		kafka_news_log(&k->news, event);
		break;
	}
}

/* Until it is empty: the eventfd is written only when an empty queue gets its first event. */
static void serve_queue(struct kafka *k, struct producer *p)
{
	rd_kafka_event_t *event;

	while ((event = rd_kafka_queue_poll(p->queue, 0))) {
		on_event(k, p, event);
		rd_kafka_event_destroy(event);
	}
}

static void replace_producer(struct kafka *k)
{
	struct err err;

	if (k->live) {
		/* Whatever kills a producer at its birth (rights that it lacks, say) makes one a
		 * second. */
		if (loop_now() - k->live->made < REPLACE_PAUSE_MS)
			return;
		topics_detach(k->topics);
		k->live->next = k->old;
		k->old = k->live;
		k->live = NULL;
		stats_add(k->w->stats, STAT_KAFKA_REPLACED, 0, 0, 1);
	}
	if (!k->live && !k->closing && producer_start(k, &err) < 0)
		log_err("sink_kafka", "no producer, trying again in a second",
		        KV_S("error", err.text));
}

static void serve(struct kafka *k)
{
	if (k->live)
		serve_queue(k, k->live);
	for (struct producer *p = k->old; p; p = p->next) {
		if (!p->ending)
			serve_queue(k, p);
	}
	if (!k->live || k->live->failed)
		replace_producer(k);
	if (k->waiting)
		serve_waiting(k);
	serve_gate(k);
	if (k->old)
		end_old(k);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	uint64_t n;

	(void)what;
	/* Empty when another turn served all: nothing is lost by it, the timer comes anyway. */
	if (read(fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
		log_err("sink_kafka", "the eventfd fails", KV_S("error", strerror(errno)));
	serve(arg);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct kafka *k = arg;

	(void)fd, (void)what;
	serve(k);
	sink_gauges(k->w);
}

static void on_topics(void *arg)
{
	serve_waiting(arg);
}

/* ---- the sink ---- */

static void kafka_free(struct kafka *k)
{
	topics_close(k->topics);
	if (k->live)
		producer_destroy(k->live);
	free(k->live);
	for (struct producer *p = k->old, *next; p; p = next) {
		next = p->next;
		if (p->ending)
			pthread_join(p->ender, NULL);
		else
			producer_destroy(p);
		free(p);
	}
	if (k->wake_fd >= 0) {
		event_del(&k->wake);
		event_del(&k->tick);
		close(k->wake_fd);
	}
	if (k->gate)
		kafka_gate_free(k->gate);
	free(k);
}

static void *kafka_open(struct worker *w, struct err *err)
{
	struct kafka *k = xcalloc(1, sizeof(*k));
	struct timeval second = { 1, 0 };
	uint32_t seed;

	k->w = k->news.w = w;
	k->waiting_end = &k->waiting;
	k->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (k->wake_fd < 0 || getrandom(&seed, sizeof(seed), 0) != sizeof(seed)) {
		err_errno(err, "no eventfd or no random bytes");
		kafka_free(k);
		return NULL;
	}
	k->gate = kafka_gate_new((int64_t)w->conf->kafka.linger_us, kafka_batch_bytes(w), seed);
	event_assign(&k->wake, w->base, k->wake_fd, EV_READ | EV_PERSIST, on_wake, k);
	event_assign(&k->tick, w->base, -1, EV_PERSIST, on_tick, k);
	k->topics = topics_open(w, err);
	if (!k->topics || producer_start(k, err) < 0) {
		kafka_free(k);
		return NULL;
	}
	learn_topics(k);
	topics_watch(k->topics, on_topics, k);
	event_add(&k->wake, NULL);
	event_add(&k->tick, &second);
	return k;
}

static enum verdict kafka_send(void *sink, struct record *rec)
{
	learn_topics(sink);
	return produce(sink, rec);
}

static uint64_t kafka_ceiling(void *sink, unsigned topic)
{
	struct kafka *k = sink;

	learn_topics(k);
	return topics_ceiling(k->topics, topic);
}

static bool kafka_idle(void *sink)
{
	return ((struct kafka *)sink)->w->sink->in_flight == 0;
}

static void purge(struct producer *p)
{
	/* Only at the very end: it takes back what may be stored already, and so may be sent twice.
	 */
	if (p->held)
		rd_kafka_purge(p->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
}

static void fail_waiting(struct kafka *k)
{
	struct record *rec = take_ptr(&k->waiting), *next;

	k->waiting_end = &k->waiting;
	for (; rec; rec = next) {
		next = rec->next;
		record_done(rec, DELIVERY_TIMED_OUT, V_KAFKA_TIMEOUT, -1, -1);
	}
	while ((rec = kafka_gate_expired(k->gate, INT64_MAX)))
		record_done(rec, DELIVERY_TIMED_OUT, V_KAFKA_TIMEOUT, -1, -1);
}

static void kafka_give_up(void *sink)
{
	struct kafka *k = sink;

	fail_waiting(k);
	if (k->live)
		purge(k->live);
	for (struct producer *p = k->old; p; p = p->next) {
		if (!p->ending)
			purge(p);
	}
}

/* The drain is over. What is still here has no client any more: it is counted as what it is. */
static void kafka_close(void *sink)
{
	struct kafka *k = sink;
	msec_t until = loop_now() + CLOSE_MS;
	struct pollfd wake = { .fd = k->wake_fd, .events = POLLIN };

	k->closing = true;
	kafka_give_up(k);
	serve(k);
	while (k->w->sink->in_flight && loop_now() < until) {
		poll(&wake, 1, CLOSE_POLL_MS);
		on_wake(k->wake_fd, EV_READ, k);
	}
	kafka_free(k);
}

/* librdkafka has said so, and no broker since that it is there. */
static bool kafka_down(void *sink)
{
	return ((struct kafka *)sink)->news.brokers_down;
}

static bool kafka_ready(void *sink, const char **check, char *detail, size_t cap)
{
	struct kafka *k = sink;
	const struct budget *b = k->w->budget;
	char names[256];
	unsigned missing = topics_missing(k->topics, names, sizeof(names));

	*check = "kafka";
	if (budget_used(b) > budget_capacity(b) - budget_capacity(b) / 10) {
		snprintf(detail, cap, "queue over 90 %% of its budget");
		return false;
	}
	if (!topics_known(k->topics))
		snprintf(detail, cap, "no metadata of the cluster yet");
	else if (k->news.brokers_down)
		snprintf(detail, cap, "all brokers down");
	else if (missing)
		snprintf(detail, cap, "topics not available: %s", names);
	else if (cap)
		detail[0] = '\0';
	return true;
}

void sink_kafka_version(char *out, size_t cap)
{
	snprintf(out, cap, "%s (built with %x)", rd_kafka_version_str(),
	         (unsigned)RD_KAFKA_VERSION);
}

const struct sink sink_kafka = {
	.name = "kafka",
	.open = kafka_open,
	.send = kafka_send,
	.ceiling = kafka_ceiling,
	.idle = kafka_idle,
	.close = kafka_close,
	.ready = kafka_ready,
	.down = kafka_down,
	.give_up = kafka_give_up,
};
