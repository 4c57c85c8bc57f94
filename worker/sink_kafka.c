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
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>

#include "common/buf.h"
#include "common/log.h"
#include "common/loop.h"
#include "worker/budget.h"
#include "worker/route.h"
#include "worker/topics.h"
#include "worker/worker.h"

enum {
	ANSWER_MS = 1500, /* the report comes so much before the client's deadline */
	TIMEOUT_LEAST_MS = 1001, /* reconnect.backoff.max.ms must be less (faults.md 1) */
	MESSAGE_MAX_LEAST = 1000, /* what librdkafka takes as message.max.bytes */
	MESSAGE_MAX_MOST = 1000000000,
	STATS_MS = 5000,
	CLOSE_MS = 500, /* for the last reports, after the drain */
	CLOSE_POLL_MS = 10,
	REPLACE_PAUSE_MS = 500, /* a producer younger than this is replaced by the timer */
	CAUSES_MAX = 16, /* errors told apart by the log's limit */
	LOG_WARNING = 4, /* syslog's; librdkafka's log_level */
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

struct cause { /* one line a minute of each */
	uint32_t key;
	msec_t used;
	struct log_limit limit;
};

struct kafka {
	struct worker *w;
	struct topics *topics;
	struct producer *live; /* NULL: none could be made; the timer tries again */
	struct producer *old; /* failed ones, until their last report is served; then destroyed */
	/* Records that no producer can take now: before the first metadata, and while a producer is
	 * being replaced. They leave, in order, when it can, or when their time is over. */
	struct record *waiting, **waiting_end;
	int wake_fd;
	struct event wake, tick;
	struct cause causes[CAUSES_MAX];
	struct log_limit size_log;
	bool brokers_down; /* librdkafka said so; until one is up, or stores a record */
	bool closing; /* no new producer, nothing is sent again */
};

/* ---- settings ---- */

struct settings { /* sticky: the first refusal stays */
	rd_kafka_conf_t *conf;
	bool failed;
	struct err *err;
};

static void set(struct settings *s, const char *name, const char *value)
{
	char why[256];

	if (s->failed ||
	    rd_kafka_conf_set(s->conf, name, value, why, sizeof(why)) == RD_KAFKA_CONF_OK)
		return;
	s->failed = true;
	err_set(s->err, "kafka: %s", why); /* names the property, and never a secret's value */
}

/* Known to some versions only. */
static void set_if_known(struct settings *s, const char *name, const char *value)
{
	char why[256];

	if (!s->failed)
		rd_kafka_conf_set(s->conf, name, value, why, sizeof(why));
}

static void set_u64(struct settings *s, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	set(s, name, text);
}

/* The contents of a file that the master read; a secret does not stay on the heap. */
static void set_content(struct settings *s, const char *name, const struct conf_file *file,
                        bool is_line)
{
	struct bytes content = file->content;
	char *text;

	if (content.n == 0)
		return;
	if (is_line)
		while (content.n &&
		       (content.p[content.n - 1] == '\n' || content.p[content.n - 1] == '\r'))
			content.n--;
	text = xstrndup((const char *)content.p, content.n);
	set(s, name, text);
	explicit_bzero(text, content.n);
	free(text);
}

static void set_security(struct settings *s, const struct conf *conf)
{
	bool tls = conf->kafka.tls.enabled, sasl = conf->kafka.sasl.mechanism[0];

	set(s, "security.protocol",
	    tls ? (sasl ? "sasl_ssl" : "ssl") : (sasl ? "sasl_plaintext" : "plaintext"));
	if (tls) {
		set_content(s, "ssl.ca.pem", &conf->kafka.tls.ca_file, false);
		set_content(s, "ssl.certificate.pem", &conf->kafka.tls.cert_file, false);
		set_content(s, "ssl.key.pem", &conf->kafka.tls.key_file, false);
	}
	if (sasl) {
		set(s, "sasl.mechanisms", conf->kafka.sasl.mechanism);
		set(s, "sasl.username", conf->kafka.sasl.username);
		set_content(s, "sasl.password", &conf->kafka.sasl.password_file, true);
	}
}

static void set_brokers(struct settings *s, const struct conf *conf)
{
	struct buf list;

	buf_init(&list, MIB);
	for (size_t i = 0; i < conf->kafka.brokers.n; i++) {
		buf_str(&list, i ? "," : "");
		buf_str(&list, conf->kafka.brokers.v[i]);
	}
	buf_char(&list, '\0');
	set(s, "bootstrap.servers", list.p);
	buf_done(&list);
}

static const char *compression_name(enum compression c)
{
	switch (c) {
	case COMPRESSION_LZ4:
		return "lz4";
	case COMPRESSION_NONE:
		return "none";
	case COMPRESSION_ZSTD:
		return "zstd";
	case COMPRESSION_GZIP:
		return "gzip";
	case COMPRESSION_SNAPPY:
		return "snappy";
	}
	assert(!"not a compression");
	return "none";
}

static uint64_t largest_record(const struct worker *w)
{
	uint64_t most = MESSAGE_MAX_LEAST;

	for (unsigned i = 0; routes_name(w->routes, i); i++) {
		if (routes_get(w->routes, i)->record_max > most)
			most = routes_get(w->routes, i)->record_max;
	}
	return most < MESSAGE_MAX_MOST ? most : MESSAGE_MAX_MOST;
}

static msec_t message_timeout(const struct conf *conf)
{
	msec_t t = conf->kafka.ack_deadline - ANSWER_MS;

	return t > TIMEOUT_LEAST_MS ? t : TIMEOUT_LEAST_MS;
}

/* Promises rest on most of these; kafka.properties come last, the check refuses those by name. */
static int fill_settings(struct worker *w, rd_kafka_conf_t *rk_conf, struct err *err)
{
	const struct conf *conf = w->conf;
	struct settings s = { .conf = rk_conf, .err = err };
	char linger[32];

	snprintf(linger, sizeof(linger), "%" PRIu64 ".%03" PRIu64, conf->kafka.linger_us / 1000,
	         conf->kafka.linger_us % 1000);
	set_brokers(&s, conf);
	set(&s, "client.id", conf->kafka.client_id);
	set(&s, "enable.idempotence", "true");
	set(&s, "acks", "all");
	/* With 5 a stalled broker makes a thread of the library spin. */
	set(&s, "max.in.flight", "4");
	set_u64(&s, "message.timeout.ms", (uint64_t)message_timeout(conf));
	set(&s, "linger.ms", linger);
	set_u64(&s, "batch.size", conf->kafka.batch_bytes);
	set(&s, "compression.codec", compression_name(conf->kafka.compression));
	set_u64(&s, "message.max.bytes", largest_record(w));
	/* Our budget is the bound (worker/budget.h): the library's counts values only. */
	set(&s, "queue.buffering.max.messages", "0");
	set(&s, "queue.buffering.max.kbytes", "2147483647");
	/* Else records without key would pass by our partitioner. */
	set(&s, "sticky.partitioning.linger.ms", "0");
	set(&s, "reconnect.backoff.max.ms", "1000");
	set(&s, "socket.nagle.disable", "true");
	set(&s, "socket.keepalive.enable", "true");
	set(&s, "allow.auto.create.topics", "false");
	set_u64(&s, "statistics.interval.ms", STATS_MS);
	set(&s, "log.queue", "true");
	set_u64(&s, "log_level", LOG_WARNING);
	set_if_known(&s, "enable.metrics.push", "false");
	set_security(&s, conf);
	for (size_t i = 0; i < conf->kafka.properties.n; i++)
		set(&s, conf->kafka.properties.v[i].key, conf->kafka.properties.v[i].value);
	rd_kafka_conf_set_events(rk_conf, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR |
	                                          RD_KAFKA_EVENT_STATS | RD_KAFKA_EVENT_LOG);
	w->conf_refused = s.failed;
	return s.failed ? -1 : 0;
}

/* ---- producers ---- */

rd_kafka_t *sink_kafka_client(struct worker *w, struct err *err)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	sigset_t all, before;
	rd_kafka_t *rk;
	char why[512];

	if (fill_settings(w, conf, err) < 0) {
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

/* ---- what is logged at most once a minute, by cause ---- */

/* FNV-1a over the error's code and its text up to the first ": ", which names the broker. */
static uint32_t cause_key(rd_kafka_resp_err_t err, const char *text)
{
	uint32_t h = (2166136261u ^ (uint32_t)err) * 16777619u;

	for (const char *c = text; *c && strncmp(c, ": ", 2) != 0; c++)
		h = (h ^ (uint8_t)*c) * 16777619u;
	return h;
}

static struct log_limit *cause_limit(struct kafka *k, uint32_t key)
{
	struct cause *at = &k->causes[0];

	for (size_t i = 0; i < CAUSES_MAX; i++) {
		if (k->causes[i].used && k->causes[i].key == key) {
			at = &k->causes[i];
			break;
		}
		if (k->causes[i].used < at->used)
			at = &k->causes[i]; /* the one unused for longest gives way */
	}
	if (!at->used || at->key != key)
		*at = (struct cause){ .key = key };
	at->used = loop_now();
	return &at->limit;
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
	if (log_limited(cause_limit(k, cause_key(err, "")), 1, loop_now(), &held))
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

/* V_NONE: the library has it, or it waits for a producer. Else it is still the caller's. */
static enum verdict produce(struct kafka *k, struct record *rec)
{
	rd_kafka_topic_t *topic;
	rd_kafka_headers_t *headers;
	rd_kafka_resp_err_t err;

	if (!can_produce(k, rec)) {
		wait_for_producer(k, rec);
		return V_NONE;
	}
	topic = topics_handle(k->topics, rec->parcel->topic);
	if (!topic)
		return V_TOPIC_UNAVAILABLE;
	headers = make_headers(rec);
	/* Without F_COPY and F_FREE the value stays ours, and untouched until the report. The
	 * partition is never forced: the partitioner's word is in the record, which is the opaque.
	 */
	err = rd_kafka_producev(
		k->live->rk, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_PARTITION(RD_KAFKA_PARTITION_UA),
		RD_KAFKA_V_MSGFLAGS(0), RD_KAFKA_V_KEY(rec->parcel->key.p, rec->parcel->key.n),
		RD_KAFKA_V_VALUE((void *)(uintptr_t)rec->value.p, rec->value.n),
		RD_KAFKA_V_TIMESTAMP(rec->parcel->timestamp_ms), RD_KAFKA_V_HEADERS(headers),
		RD_KAFKA_V_OPAQUE(rec), RD_KAFKA_V_END);
	if (!err) {
		k->live->held++;
		return V_NONE;
	}
	rd_kafka_headers_destroy(headers); /* ours again */
	if (err != RD_KAFKA_RESP_ERR__FATAL)
		return refused(k, rec, err);
	/* Replaced by the next turn, not here: somebody may be going through its events. */
	k->live->failed = true;
	event_active(&k->wake, EV_READ, 0);
	wait_for_producer(k, rec);
	return V_NONE;
}

/* What waited goes on: all of it, when a producer can take it; else those whose time is over. */
static void serve_waiting(struct kafka *k)
{
	int64_t oldest = loop_now_ns() - message_timeout(k->w->conf) * 1000000;
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

static void on_report(struct kafka *k, struct producer *p, const rd_kafka_message_t *msg)
{
	struct record *rec = msg->_private;
	rd_kafka_msg_status_t status = rd_kafka_message_status(msg);
	enum delivery how;
	enum verdict v;

	assert(p->held > 0);
	p->held--;
	if (!msg->err && status == RD_KAFKA_MSG_STATUS_PERSISTED) {
		k->brokers_down = false;
		stats_observe_us(k->w->stats, STAT_KAFKA_DELIVERY, 0,
		                 (uint64_t)(loop_now_ns() - rec->produced_ns) / 1000);
		record_done(rec, DELIVERY_OK, V_ACCEPTED, msg->partition, msg->offset);
		return;
	}
	if (send_again(k, p, rec, msg->err, status))
		return;
	count_error(k, msg->err);
	v = verdict_of(k, rec, msg->err, status, &how);
	record_done(rec, how, v, -1, -1);
}

/* Wrong password, failed handshake, no route: the reports say only that time ran out, so the cause
 * stands here (faults.md 1, errors seen). */
static void on_error(struct kafka *k, struct producer *p, rd_kafka_event_t *event)
{
	rd_kafka_resp_err_t err = rd_kafka_event_error(event);
	const char *text = rd_kafka_event_error_string(event);
	char why[256];
	uint32_t held;

	if (err == RD_KAFKA_RESP_ERR__FATAL || rd_kafka_event_error_is_fatal(event)) {
		rd_kafka_fatal_error(p->rk, why, sizeof(why));
		log_err("sink_kafka", "fatal error of the producer, a new one takes over",
		        KV_S("error", why));
		p->failed = true;
		return;
	}
	if (err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
		k->brokers_down = true;
	if (log_limited(cause_limit(k, cause_key(err, text)), 1, loop_now(), &held))
		log_warn("sink_kafka", "trouble with Kafka, retrying",
		         KV_S("error", rd_kafka_err2name(err)), KV_S("cause", text),
		         KV_U("repeats", held));
}

static void on_log(struct kafka *k, rd_kafka_event_t *event)
{
	const char *facility, *text;
	int level;
	uint32_t held;

	if (rd_kafka_event_log(event, &facility, &text, &level) < 0)
		return;
	/* Most of these repeat what came as an error event. */
	if (level > LOG_WARNING || strcmp(facility, "FAIL") == 0 ||
	    strcmp(facility, "ERROR") == 0 || strcmp(facility, "FATAL") == 0) {
		log_debug("sink_kafka", "librdkafka", KV_S("facility", facility),
		          KV_S("text", text));
	} else if (log_limited(cause_limit(k, cause_key(RD_KAFKA_RESP_ERR_NO_ERROR, facility)), 1,
	                       loop_now(), &held)) {
		log_warn("sink_kafka", "librdkafka", KV_S("facility", facility), KV_S("text", text),
		         KV_U("repeats", held));
	}
}

/* Of librdkafka's statistics one word a broker is wanted: each broker's object has "nodename", then
 * "source", then "state". Not a parser: what does not look like that is passed over. */
static void on_stats(struct kafka *k, const char *json)
{
	static const char name_key[] = "\"nodename\":\"", state_key[] = "\"state\":\"";
	const struct conf_list *brokers = &k->w->conf->kafka.brokers;

	for (const char *at = json; (at = strstr(at, name_key));) {
		const char *name = at + sizeof(name_key) - 1;
		size_t name_n = strcspn(name, "\"");
		const char *state;

		at = name + name_n;
		state = strstr(at, state_key);
		if (!state)
			return;
		state += sizeof(state_key) - 1;
		if (strncmp(state, "UP", 2) == 0)
			k->brokers_down = false;
		for (unsigned i = 0; i < brokers->n; i++) {
			if (strlen(brokers->v[i]) != name_n ||
			    memcmp(brokers->v[i], name, name_n) != 0)
				continue;
			if (strncmp(state, "INIT", 4) !=
			    0) /* never needed so far: neither up nor down */
				stats_set(k->w->stats, STAT_KAFKA_BROKER_UP, i, 0,
				          strncmp(state, "UP", 2) == 0);
		}
	}
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
			on_stats(k, rd_kafka_event_stats(event));
		break;
	case RD_KAFKA_EVENT_LOG:
		on_log(k, event);
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
	free(k);
}

static void *kafka_open(struct worker *w, struct err *err)
{
	struct kafka *k = xcalloc(1, sizeof(*k));
	struct timeval second = { 1, 0 };

	k->w = w;
	k->waiting_end = &k->waiting;
	k->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (k->wake_fd < 0) {
		err_errno(err, "no eventfd");
		kafka_free(k);
		return NULL;
	}
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

/* The drain is over. What is still here has no client any more: it is counted as what it is. */
static void kafka_close(void *sink)
{
	struct kafka *k = sink;
	msec_t until = loop_now() + CLOSE_MS;
	struct pollfd wake = { .fd = k->wake_fd, .events = POLLIN };

	k->closing = true;
	for (struct record *rec = k->waiting, *next; rec; rec = next) {
		next = rec->next;
		record_done(rec, DELIVERY_TIMED_OUT, V_KAFKA_TIMEOUT, -1, -1);
	}
	k->waiting = NULL;
	k->waiting_end = &k->waiting;
	if (k->live)
		purge(k->live);
	for (struct producer *p = k->old; p; p = p->next) {
		if (!p->ending)
			purge(p);
	}
	serve(k);
	while (k->w->sink->in_flight && loop_now() < until) {
		poll(&wake, 1, CLOSE_POLL_MS);
		on_wake(k->wake_fd, EV_READ, k);
	}
	kafka_free(k);
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
	else if (k->brokers_down)
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
};
