/* SPDX-License-Identifier: Apache-2.0 */
/*
 * topics_tool.c -- `headgatectl topics`: the configured topics as the cluster has them, and those
 * that it lacks, made by the Admin API with max.message.bytes for the largest record of their
 * routes (records.md 1.3). What exists is never changed. Apart from topics.c, which serves the
 * loop.
 */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include "common/buf.h"
#include "worker/route.h"
#include "worker/sink.h"
#include "worker/tool.h"
#include "worker/topics.h"

enum {
	EXIT_REFUSED = 1,
	LINE_BYTES = 8 * KIB,
	HEADROOM = 64 * KIB, /* of a batch around a record, as topics.c takes it off again */
	CREATE_MS = 15000,
	WHY_BYTES = 512,
	AGAIN_MS = 100,
	AGAIN_TRIES = 20,
};

struct topic_state {
	struct topic_facts facts;
	uint64_t record_max; /* the largest of its routes */
	bool created;
	char why[WHY_BYTES]; /* it could not be made */
};

struct tool {
	struct worker *w;
	rd_kafka_t *rk;
	unsigned count;
	const char **names;
	struct topic_state *v;
};

static int ask(struct tool *t, struct err *err)
{
	struct topic_facts *facts = xcalloc(t->count, sizeof(*facts));
	int rc = topics_ask(t->rk, t->names, t->count, facts, err);

	for (unsigned i = 0; i < t->count && rc == 0; i++)
		t->v[i].facts = facts[i];
	free(facts);
	return rc;
}

/* Why no broker answers: the last thing that the library had to say. */
static void last_words(rd_kafka_t *rk, struct err *err)
{
	rd_kafka_queue_t *queue = rd_kafka_queue_get_main(rk);
	rd_kafka_event_t *event;

	while ((event = rd_kafka_queue_poll(queue, 0))) {
		if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR &&
		    rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
			err_set(err, "%s", rd_kafka_event_error_string(event));
		rd_kafka_event_destroy(event);
	}
	rd_kafka_queue_destroy(queue);
}

/* ---- creating ---- */

static struct topic_state *state_of(struct tool *t, const char *name)
{
	unsigned i = 0;

	while (strcmp(t->names[i], name) != 0)
		i++;
	assert(i < t->count);
	return &t->v[i];
}

static void take_results(struct tool *t, const rd_kafka_event_t *event)
{
	size_t n;
	const rd_kafka_topic_result_t **results = rd_kafka_CreateTopics_result_topics(
		rd_kafka_event_CreateTopics_result((rd_kafka_event_t *)event), &n);

	for (size_t i = 0; i < n; i++) {
		struct topic_state *s = state_of(t, rd_kafka_topic_result_name(results[i]));
		rd_kafka_resp_err_t e = rd_kafka_topic_result_error(results[i]);
		const char *why = rd_kafka_topic_result_error_string(results[i]);

		s->created = e == RD_KAFKA_RESP_ERR_NO_ERROR;
		if (!s->created && e != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
			snprintf(s->why, sizeof(s->why), "%s", why ? why : rd_kafka_err2str(e));
	}
}

static rd_kafka_NewTopic_t *new_topic(const char *name, const struct topic_state *s,
                                      const struct topics_wish *wish, struct err *err)
{
	char why[256], bytes[24];
	rd_kafka_NewTopic_t *topic =
		rd_kafka_NewTopic_new(name, wish->partitions, wish->replication, why, sizeof(why));

	if (!topic) {
		err_set(err, "%s: %s", name, why);
		return NULL;
	}
	snprintf(bytes, sizeof(bytes), "%llu", (unsigned long long)s->record_max + HEADROOM);
	rd_kafka_NewTopic_set_config(topic, "max.message.bytes", bytes);
	return topic;
}

static int send_wishes(struct tool *t, rd_kafka_NewTopic_t **topics, size_t n, struct err *err)
{
	rd_kafka_queue_t *queue = rd_kafka_queue_new(t->rk);
	rd_kafka_AdminOptions_t *options =
		rd_kafka_AdminOptions_new(t->rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
	rd_kafka_event_t *event;
	char why[256];
	int rc = 0;

	rd_kafka_AdminOptions_set_request_timeout(options, CREATE_MS, why, sizeof(why));
	rd_kafka_AdminOptions_set_operation_timeout(options, CREATE_MS / 2, why, sizeof(why));
	rd_kafka_CreateTopics(t->rk, topics, n, options, queue);
	event = rd_kafka_queue_poll(queue, 2 * CREATE_MS);
	if (!event)
		rc = err_set(err, "no answer to CreateTopics");
	else if (rd_kafka_event_error(event))
		rc = err_set(err, "%s", rd_kafka_event_error_string(event));
	else
		take_results(t, event);
	if (event)
		rd_kafka_event_destroy(event);
	rd_kafka_AdminOptions_destroy(options);
	rd_kafka_queue_destroy(queue);
	return rc;
}

static int create_missing(struct tool *t, const struct topics_wish *wish, struct err *err)
{
	rd_kafka_NewTopic_t **topics = xcalloc(t->count, sizeof(*topics));
	size_t n = 0;
	int rc = 0;

	for (unsigned i = 0; i < t->count && rc == 0; i++) {
		if (t->v[i].facts.listed)
			continue;
		topics[n] = new_topic(t->names[i], &t->v[i], wish, err);
		if (topics[n])
			n++;
		else
			rc = -1;
	}
	if (n && rc == 0)
		rc = send_wishes(t, topics, n, err);
	rd_kafka_NewTopic_destroy_array(topics, n);
	free(topics);
	return rc;
}

/* ---- telling ---- */

static bool say(const struct tool *t, unsigned i)
{
	const struct topic_state *s = &t->v[i];
	const struct route *route;
	char line[LINE_BYTES];
	unsigned n = 0;
	struct buf b;

	buf_init_fixed(&b, line, sizeof(line));
	buf_printf(&b, "{\"topic\":\"%s\",\"routes\":[", t->names[i]);
	for (unsigned k = 0; (route = routes_get(t->w->routes, k)); k++)
		if (routes_uses(t->w->routes, route, i))
			buf_printf(&b, "%s\"%s\"", n++ ? "," : "", route->name);
	buf_printf(&b,
	           "],\"exists\":%s,\"created\":%s,\"partitions\":%d,\"replication\":%d,"
	           "\"max_message_bytes\":%llu,\"request_max_bytes\":%llu,"
	           "\"wanted_max_message_bytes\":%llu,"
	           "\"record_max_bytes\":%llu,\"error\":",
	           s->facts.listed || s->created ? "true" : "false", s->created ? "true" : "false",
	           s->facts.partitions, s->facts.replicas, (unsigned long long)s->facts.max_message,
	           (unsigned long long)s->facts.request_max,
	           (unsigned long long)s->record_max + HEADROOM, (unsigned long long)s->record_max);
	if (s->why[0]) {
		buf_char(&b, '"');
		buf_json(&b, bytes_str(s->why), WHY_BYTES);
		buf_str(&b, "\"}\n");
	} else {
		buf_str(&b, "null}\n");
	}
	assert(!b.failed);
	return fwrite(b.p, 1, b.n, stdout) == b.n;
}

/* What was just made, as the brokers made it; they may need a moment to know it all. */
static int ask_again(struct tool *t, struct err *err)
{
	const struct timespec pause = { 0, AGAIN_MS * 1000000L };
	bool all = false;

	for (int tries = 0; tries < AGAIN_TRIES && !all; tries++) {
		if (tries)
			nanosleep(&pause, NULL);
		if (ask(t, err) < 0)
			return -1;
		all = true;
		for (unsigned i = 0; i < t->count; i++)
			all = all && (t->v[i].facts.listed || !t->v[i].created);
	}
	return 0;
}

static int run(struct tool *t, const struct topics_wish *wish)
{
	struct err err = { "" };
	int code = 0;

	if (ask(t, &err) < 0 || (wish->create && create_missing(t, wish, &err) < 0)) {
		last_words(t->rk, &err);
		return tool_error(EX_UNAVAILABLE, err.text);
	}
	if (wish->create && ask_again(t, &err) < 0)
		return tool_error(EX_UNAVAILABLE, err.text);
	for (unsigned i = 0; i < t->count; i++) {
		if (!say(t, i))
			return EX_IOERR;
		if (!t->v[i].facts.listed && !t->v[i].created)
			code = EXIT_REFUSED;
	}
	return code;
}

int topics_tool(struct worker *w, const struct topics_wish *wish)
{
	struct tool t = { .w = w };
	struct err err;
	int code;

	t.count = routes_topics(w->routes);
	t.names = xcalloc(t.count + 1, sizeof(*t.names));
	t.v = xcalloc(t.count + 1, sizeof(*t.v));
	for (unsigned i = 0; i < t.count; i++) {
		t.names[i] = routes_topic_name(w->routes, i);
		t.v[i].record_max = routes_topic_record_max(w->routes, i);
	}
	t.rk = sink_kafka_client(w, &err);
	if (t.rk) {
		rd_kafka_set_log_queue(t.rk, NULL);
		code = run(&t, wish);
		rd_kafka_destroy_flags(t.rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	} else {
		code = tool_error(EX_CONFIG, err.text);
	}
	free(t.names);
	free(t.v);
	return code;
}
