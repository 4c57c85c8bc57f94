/* SPDX-License-Identifier: Apache-2.0 */
/*
 * topics.c -- what the cluster says of the configured topics. librdkafka 2.0.2 asks for metadata
 * only in a call that blocks, so each reading is a short-lived thread of its own: it gets what it
 * asks for in a struct reading, fills it, and is joined by the loop, which alone owns all else
 * here. A topic object is made only of a topic that metadata lists: librdkafka asks the broker for
 * each one it knows of, and a broker may create what it is asked for.
 */
#include "worker/topics.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>

#include "common/log.h"
#include "common/loop.h"
#include "worker/kafka_gate.h"
#include "worker/sink.h"
#include "worker/worker.h"

enum {
	ASK_TIMEOUT_MS = TOPICS_ASK_MS, /* one reading, at most */
	LOOK_MS = 100, /* so often a reading of limits looks whether it is still wanted */
	AGAIN_MS = 1000, /* after a reading that failed: brokers may be back (F2) */
	MISSING_MS = 10000, /* while a configured topic is missing */
	CONFIGS_MS = 5 * 60 * 1000, /* between readings of limits */
	HEADROOM = 64 * KIB, /* of a batch and of a request around a record */
	CEILING_UNKNOWN = 100 * MIB - HEADROOM,
	BROKERS_MAX = 32, /* whose socket.request.max.bytes is asked for */
};

enum reading_kind { READ_METADATA, READ_LIMITS };

struct found {
	bool listed;
	int partitions, replicas;
	uint64_t max_message; /* max.message.bytes; 0: not told */
};

/* One reading: the thread's until `done_fd` is written, then the loop's. */
struct reading {
	enum reading_kind kind;
	pthread_t thread;
	rd_kafka_t *rk;
	int done_fd;
	unsigned count;
	const char **names; /* READ_LIMITS: NULL for a topic that is not there */
	rd_kafka_resp_err_t failed;
	struct found *found;
	int32_t brokers[BROKERS_MAX];
	unsigned broker_count;
	uint64_t request_max; /* the least socket.request.max.bytes; 0: not told */
	_Atomic bool stop; /* by the loop: nobody wants it any more */
};

struct topic {
	const char *name;
	bool is_raw; /* its records are not to be compressed */
	rd_kafka_topic_t *handle;
	bool looked; /* some metadata was read since it is known here */
	bool listed;
	bool unavailable; /* told by delivery reports; until the next metadata */
	int partitions;
	uint64_t max_message;
	struct log_limit missing_log, denied_log;
};

struct topics {
	struct worker *w;
	rd_kafka_t *rk; /* NULL: detached */
	struct topic *v;
	unsigned count, cap;
	bool known;
	uint64_t request_max;
	int32_t brokers[BROKERS_MAX];
	unsigned broker_count;
	struct reading *reading; /* NULL: none runs */
	msec_t metadata_at, limits_at; /* when the next reading of each is due */
	int done_fd;
	struct event done_event, due_event;
	void (*changed)(void *arg);
	void *changed_arg;
};

/* ---- in the reading's thread ---- */

static bool is_listed(const rd_kafka_metadata_topic_t *m)
{
	/* A topic that was just created has partitions, but perhaps no leader yet. */
	return (m->err == RD_KAFKA_RESP_ERR_NO_ERROR ||
	        m->err == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) &&
	       m->partition_cnt > 0;
}

static int by_name(const void *a, const void *b)
{
	const rd_kafka_metadata_topic_t *const *x = a, *const *y = b;

	return strcmp((*x)->topic, (*y)->topic);
}

/* A cluster may have thousands of topics, and so may we. */
static void find_topics(struct reading *rd, const struct rd_kafka_metadata *meta)
{
	size_t n = 0;
	const rd_kafka_metadata_topic_t **sorted =
		xcalloc((size_t)meta->topic_cnt + 1, sizeof(const rd_kafka_metadata_topic_t *));

	for (int i = 0; i < meta->topic_cnt; i++)
		if (is_listed(&meta->topics[i]))
			sorted[n++] = &meta->topics[i];
	qsort(sorted, n, sizeof(*sorted), by_name);
	for (unsigned k = 0; k < rd->count; k++) {
		rd_kafka_metadata_topic_t wanted = { .topic = (char *)(uintptr_t)rd->names[k] };
		const rd_kafka_metadata_topic_t *key = &wanted, **at;

		at = bsearch(&key, sorted, n, sizeof(*sorted), by_name);
		if (!at)
			continue;
		rd->found[k].listed = true;
		rd->found[k].partitions = (*at)->partition_cnt;
		rd->found[k].replicas = (*at)->partitions[0].replica_cnt;
	}
	free(sorted);
}

static void read_metadata(struct reading *rd)
{
	const struct rd_kafka_metadata *meta;

	rd->failed = rd_kafka_metadata(rd->rk, 1, NULL, &meta, ASK_TIMEOUT_MS);
	if (rd->failed)
		return;
	find_topics(rd, meta);
	for (int i = 0; i < meta->broker_cnt && rd->broker_count < BROKERS_MAX; i++)
		rd->brokers[rd->broker_count++] = meta->brokers[i].id;
	rd_kafka_metadata_destroy(meta);
}

/* The value of an option among those of a resource; 0 if it was not told. */
static uint64_t option_of(const rd_kafka_ConfigResource_t *resource, const char *option)
{
	size_t count;
	const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &count);
	uint64_t value;

	for (size_t i = 0; i < count; i++) {
		const char *text = rd_kafka_ConfigEntry_value(entries[i]);

		if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), option) == 0 && text &&
		    bytes_to_u64(bytes_str(text), INT64_MAX, &value))
			return value;
	}
	return 0;
}

static void take_limits(struct reading *rd, const rd_kafka_event_t *event)
{
	size_t count;
	const rd_kafka_ConfigResource_t **list = rd_kafka_DescribeConfigs_result_resources(
		rd_kafka_event_DescribeConfigs_result((rd_kafka_event_t *)event), &count);

	for (size_t i = 0; i < count; i++) {
		uint64_t value;

		if (rd_kafka_ConfigResource_error(list[i]))
			continue;
		if (rd_kafka_ConfigResource_type(list[i]) == RD_KAFKA_RESOURCE_BROKER) {
			value = option_of(list[i], "socket.request.max.bytes");
			if (value && (!rd->request_max || value < rd->request_max))
				rd->request_max = value;
			continue;
		}
		value = option_of(list[i], "max.message.bytes");
		for (unsigned k = 0; k < rd->count; k++) {
			if (rd->names[k] &&
			    strcmp(rd->names[k], rd_kafka_ConfigResource_name(list[i])) == 0)
				rd->found[k].max_message = value;
		}
	}
}

static void ask_limits(struct reading *rd, rd_kafka_AdminOptions_t *options,
                       rd_kafka_queue_t *queue, rd_kafka_ConfigResource_t **resources, size_t count)
{
	rd_kafka_DescribeConfigs(rd->rk, resources, count, options, queue);
	rd_kafka_ConfigResource_destroy_array(resources, count);
}

/* One question about all topics, and one to each broker about itself: librdkafka sends no two
 * brokers in one. Whoever does not answer, or may not be asked, leaves its limit untold. */
static void read_limits(struct reading *rd)
{
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rd->rk);
	rd_kafka_AdminOptions_t *options =
		rd_kafka_AdminOptions_new(rd->rk, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
	rd_kafka_ConfigResource_t **resources = xcalloc(rd->count + 1, sizeof(*resources)), *self;
	unsigned questions = 0, looks = ASK_TIMEOUT_MS / LOOK_MS;
	size_t count = 0;
	char id[16], why[128];

	rd_kafka_AdminOptions_set_request_timeout(options, ASK_TIMEOUT_MS, why, sizeof(why));
	for (unsigned k = 0; k < rd->count; k++) {
		if (rd->names[k])
			resources[count++] =
				rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, rd->names[k]);
	}
	if (count) {
		ask_limits(rd, options, queue, resources, count);
		questions++;
	}
	for (unsigned i = 0; i < rd->broker_count; i++, questions++) {
		snprintf(id, sizeof(id), "%d", (int)rd->brokers[i]);
		self = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_BROKER, id);
		ask_limits(rd, options, queue, &self, 1);
	}
	rd_kafka_AdminOptions_destroy(options);
	free(resources);
	while (questions && looks && !rd->stop) {
		rd_kafka_event_t *event = rd_kafka_queue_poll(queue, LOOK_MS);

		if (!event) {
			looks--;
			continue;
		}
		if (!rd_kafka_event_error(event))
			take_limits(rd, event);
		rd_kafka_event_destroy(event);
		questions--;
	}
	rd_kafka_queue_destroy(queue);
}

static void *reading_main(void *arg)
{
	struct reading *rd = arg;
	uint64_t one = 1;
	ssize_t n;

	if (rd->kind == READ_METADATA)
		read_metadata(rd);
	else
		read_limits(rd);
	/* From here on the struct is the loop's. An eventfd's counter cannot be full here. */
	n = write(rd->done_fd, &one, sizeof(one));
	assert(n == sizeof(one));
	return NULL;
}

int topics_ask(rd_kafka_t *rk, const char **names, unsigned count, struct topic_facts *out,
               struct err *err)
{
	struct reading rd = { .rk = rk, .names = names, .count = count };

	rd.found = xcalloc(count + 1, sizeof(*rd.found));
	read_metadata(&rd);
	if (rd.failed) {
		free(rd.found);
		return err_set(err, "%s", rd_kafka_err2str(rd.failed));
	}
	read_limits(&rd);
	for (unsigned i = 0; i < count; i++)
		out[i] = (struct topic_facts){ rd.found[i].listed, rd.found[i].partitions,
			                       rd.found[i].replicas, rd.found[i].max_message,
			                       rd.request_max };
	free(rd.found);
	return 0;
}

/* ---- in the loop's thread ---- */

static void set_due(struct topics *t)
{
	msec_t now = loop_now(),
	       due = t->metadata_at < t->limits_at ? t->metadata_at : t->limits_at;
	msec_t in = due > now ? due - now : 0;
	struct timeval wait = { in / 1000, in % 1000 * 1000 };

	if (t->rk && !t->reading)
		event_add(&t->due_event, &wait);
	else
		event_del(&t->due_event);
}

static struct reading *reading_new(unsigned count)
{
	struct reading *rd = xcalloc(1, sizeof(*rd));

	rd->count = count;
	rd->names = xcalloc(count + 1, sizeof(*rd->names));
	rd->found = xcalloc(count + 1, sizeof(*rd->found));
	return rd;
}

static void reading_free(struct reading *rd)
{
	free(rd->names);
	free(rd->found);
	free(rd);
}

static void start_reading(struct topics *t, enum reading_kind kind)
{
	struct reading *rd = reading_new(t->count);
	sigset_t all, before;
	int failed;

	for (unsigned i = 0; i < t->count; i++)
		rd->names[i] = kind == READ_METADATA || t->v[i].handle ? t->v[i].name : NULL;
	rd->kind = kind;
	rd->rk = t->rk;
	rd->done_fd = t->done_fd;
	if (kind == READ_LIMITS) {
		memcpy(rd->brokers, t->brokers, sizeof(rd->brokers));
		rd->broker_count = t->broker_count;
	}
	/* Signals are the loop's: a thread inherits the mask of its maker. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	failed = pthread_create(&rd->thread, NULL, reading_main, rd);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (failed) {
		log_err("topics", "no thread to read metadata, trying again",
		        KV_S("error", strerror(failed)), KV_I("in_ms", AGAIN_MS));
		reading_free(rd);
		t->metadata_at = t->limits_at = loop_now() + AGAIN_MS;
		return;
	}
	t->reading = rd;
}

/* Metadata goes first: limits are asked only of topics that are there. */
static void on_due(evutil_socket_t fd, short what, void *arg)
{
	struct topics *t = arg;

	(void)fd, (void)what;
	if (!t->rk || t->reading)
		return;
	if (t->metadata_at <= loop_now())
		start_reading(t, READ_METADATA);
	else if (t->limits_at <= loop_now())
		start_reading(t, READ_LIMITS);
	set_due(t);
}

static void say_missing(struct topic *topic)
{
	uint32_t held;

	if (log_limited(&topic->missing_log, 1, loop_now(), &held))
		log_err("topics",
		        "a configured topic is not there: 503 for its routes until it is created",
		        KV_S("topic", topic->name), KV_I("next_look_ms", MISSING_MS),
		        KV_U("repeats", held));
}

/* All messages of a topic go by our word; everything else is as the producer's settings say. */
static int32_t partition_of(const rd_kafka_topic_t *topic, const void *key, size_t key_n,
                            int32_t count, void *topic_opaque, void *opaque)
{
	/* In any thread of librdkafka, perhaps twice a message: only the record's constant word,
	 * and the one call that is allowed here. */
	const struct record *rec = opaque;
	int32_t first = (int32_t)kafka_partition(rec->partition_word, (unsigned)count);

	(void)key, (void)key_n, (void)topic_opaque;
	for (int32_t i = 0; i < count; i++) {
		int32_t p = (int32_t)(((int64_t)first + i) % count);

		if (rd_kafka_topic_partition_available(topic, p))
			return p;
	}
	return first;
}

static int make_handle(struct topics *t, struct topic *topic, struct err *err)
{
	rd_kafka_topic_conf_t *conf = rd_kafka_default_topic_conf_dup(t->rk);
	char why[256];

	rd_kafka_topic_conf_set_partitioner_cb(conf, partition_of);
	/* Blobs are compressed already as a rule (records.md 1.3). */
	if (topic->is_raw &&
	    rd_kafka_topic_conf_set(conf, "compression.codec", "none", why, sizeof(why)) !=
	            RD_KAFKA_CONF_OK) {
		rd_kafka_topic_conf_destroy(conf);
		return err_set(err, "topic %s: %s", topic->name, why);
	}
	topic->handle = rd_kafka_topic_new(t->rk, topic->name, conf);
	if (topic->handle)
		return 0;
	rd_kafka_topic_conf_destroy(conf);
	return err_set(err, "no topic object for %s: %s", topic->name,
	               rd_kafka_err2str(rd_kafka_last_error()));
}

static void drop_handle(struct topic *topic)
{
	if (topic->handle)
		rd_kafka_topic_destroy(topic->handle);
	topic->handle = NULL;
}

static void apply_topic(struct topics *t, struct topic *topic, const struct found *found)
{
	struct err err;
	bool was = topic->listed;

	topic->looked = true;
	topic->listed = found->listed;
	topic->partitions = found->partitions;
	topic->unavailable = false;
	if (!topic->listed) {
		drop_handle(topic);
		say_missing(topic);
		return;
	}
	if (!topic->handle) {
		if (make_handle(t, topic, &err) < 0) {
			log_err("topics", "a topic cannot be used", KV_S("error", err.text));
			topic->listed = false;
			return;
		}
		t->limits_at = loop_now(); /* its limit is not known */
	}
	if (!was && t->known)
		log_info("topics", "a topic is there now", KV_S("topic", topic->name),
		         KV_I("partitions", topic->partitions));
}

static void gauge(struct topics *t)
{
	stats_set(t->w->stats, STAT_KAFKA_TOPICS_MISSING, 0, 0, topics_missing(t, NULL, 0));
}

static void apply_metadata(struct topics *t, const struct reading *rd)
{
	if (rd->failed) {
		/* Whatever is known goes on: brokers that are away take no topic with them. */
		log_debug("topics", "no metadata", KV_S("error", rd_kafka_err2str(rd->failed)));
		t->metadata_at = loop_now() + AGAIN_MS;
		return;
	}
	memcpy(t->brokers, rd->brokers, sizeof(t->brokers));
	t->broker_count = rd->broker_count;
	for (unsigned i = 0; i < rd->count; i++)
		apply_topic(t, &t->v[i], &rd->found[i]);
	t->known = true;
	t->metadata_at = loop_now();
	if (rd->count == t->count) /* else some came meanwhile, and wait */
		t->metadata_at += topics_missing(t, NULL, 0)
		                          ? MISSING_MS
		                          : t->w->conf->kafka.metadata_refresh;
	gauge(t);
	if (t->changed)
		t->changed(t->changed_arg);
}

static void apply_limits(struct topics *t, const struct reading *rd)
{
	for (unsigned i = 0; i < rd->count; i++)
		t->v[i].max_message = rd->found[i].max_message;
	t->request_max = rd->request_max;
	t->limits_at = loop_now() + CONFIGS_MS;
}

static void end_reading(struct topics *t)
{
	struct reading *rd = t->reading;

	pthread_join(rd->thread, NULL);
	t->reading = NULL;
	/* Else its producer was replaced meanwhile. */
	if (rd->rk == t->rk && rd->kind == READ_METADATA)
		apply_metadata(t, rd);
	if (rd->rk == t->rk && rd->kind == READ_LIMITS)
		apply_limits(t, rd);
	reading_free(rd);
}

static void on_done(evutil_socket_t fd, short what, void *arg)
{
	struct topics *t = arg;
	uint64_t n;

	(void)what;
	if (read(fd, &n, sizeof(n)) != sizeof(n) || !t->reading)
		return;
	end_reading(t);
	set_due(t);
}

struct topics *topics_open(struct worker *w, struct err *err)
{
	struct topics *t = xcalloc(1, sizeof(*t));

	t->w = w;
	t->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (t->done_fd < 0) {
		free(t);
		err_errno(err, "no eventfd");
		return NULL;
	}
	event_assign(&t->due_event, w->base, -1, 0, on_due, t);
	event_assign(&t->done_event, w->base, t->done_fd, EV_READ | EV_PERSIST, on_done, t);
	event_add(&t->done_event, NULL);
	return t;
}

void topics_add(struct topics *t, const char *name, bool is_raw)
{
	if (t->count == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 16;
		t->v = xrealloc(t->v, t->cap, sizeof(*t->v));
	}
	t->v[t->count++] = (struct topic){ .name = name, .is_raw = is_raw };
	t->metadata_at = loop_now();
	set_due(t);
}

unsigned topics_count(const struct topics *t)
{
	return t->count;
}

bool topics_unlooked(const struct topics *t, unsigned index)
{
	assert(index < t->count);
	return !t->v[index].looked;
}

void topics_close(struct topics *t)
{
	if (!t)
		return;
	topics_detach(t);
	if (t->reading) { /* waits ASK_TIMEOUT_MS at most, and only while no broker answers */
		pthread_join(t->reading->thread, NULL);
		reading_free(t->reading);
		t->reading = NULL;
	}
	event_del(&t->done_event);
	close(t->done_fd);
	free(t->v);
	free(t);
}

int topics_attach(struct topics *t, struct rd_kafka_s *rk, struct err *err)
{
	assert(!t->rk);
	t->rk = rk;
	for (unsigned i = 0; i < t->count; i++) {
		if (t->v[i].listed && make_handle(t, &t->v[i], err) < 0) {
			topics_detach(t);
			return -1;
		}
	}
	t->metadata_at = loop_now();
	t->limits_at = loop_now() + CONFIGS_MS;
	set_due(t);
	return 0;
}

void topics_detach(struct topics *t)
{
	for (unsigned i = 0; i < t->count; i++)
		drop_handle(&t->v[i]);
	if (t->reading)
		t->reading->stop = true; /* its producer can go the sooner */
	t->rk = NULL;
	set_due(t);
}

bool topics_busy(const struct topics *t, const struct rd_kafka_s *rk)
{
	return t->reading && t->reading->rk == rk;
}

void topics_watch(struct topics *t, void (*fn)(void *arg), void *arg)
{
	t->changed = fn;
	t->changed_arg = arg;
}

bool topics_known(const struct topics *t)
{
	return t->known;
}

struct rd_kafka_topic_s *topics_handle(struct topics *t, unsigned index)
{
	assert(index < t->count);
	return t->v[index].unavailable ? NULL : t->v[index].handle;
}

uint64_t topics_ceiling(const struct topics *t, unsigned index)
{
	uint64_t ceiling = UINT64_MAX, told[] = { t->v[index].max_message, t->request_max };

	assert(index < t->count);
	for (size_t i = 0; i < ARRAY_LEN(told); i++) {
		/* A limit that is hardly more than the headroom: half of it, the broker decides. */
		uint64_t most = told[i] ? told[i] - min_size(HEADROOM, told[i] / 2)
		                        : CEILING_UNKNOWN;

		ceiling = min_size(ceiling, most);
	}
	return ceiling;
}

unsigned topics_missing(const struct topics *t, char *names, size_t cap)
{
	unsigned missing = 0;
	size_t at = 0;

	if (cap)
		names[0] = '\0';
	for (unsigned i = 0; i < t->count; i++) {
		if (t->v[i].listed && !t->v[i].unavailable)
			continue;
		missing++;
		if (at < cap)
			at += (size_t)snprintf(names + at, cap - at, "%s%s", at ? " " : "",
			                       t->v[i].name);
	}
	return missing;
}

int topics_partitions(const struct topics *t, unsigned index)
{
	assert(index < t->count);
	return t->v[index].partitions;
}

void topics_mark_unavailable(struct topics *t, unsigned index, bool denied)
{
	struct topic *topic = &t->v[index];
	msec_t again;
	uint32_t held;

	assert(index < t->count);
	topic->unavailable = true;
	if (!denied)
		say_missing(topic);
	else if (log_limited(&topic->denied_log, 1, loop_now(), &held))
		log_err("topics",
		        "the cluster denies writing to a topic: 503 for its routes until it is "
		        "allowed",
		        KV_S("topic", topic->name), KV_I("next_try_ms", MISSING_MS),
		        KV_U("repeats", held));
	/* Metadata tells of a topic that is gone, but what we may write must be tried. */
	again = loop_now() + (denied ? MISSING_MS : AGAIN_MS);
	if (t->metadata_at > again)
		t->metadata_at = again;
	gauge(t);
	set_due(t);
}
