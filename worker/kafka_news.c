/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka_news.c -- what a producer tells beside its reports: errors that it goes on trying about,
 * log lines, statistics. Of each cause one line a minute; of the statistics which brokers are up.
 */
#include "worker/kafka_news.h"

#include <librdkafka/rdkafka.h>

#include "common/loop.h"
#include "worker/kafka_settings.h"
#include "worker/worker.h"

/* FNV-1a over the error's code and its text up to the first ": ", which names the broker. */
static uint32_t cause_key(rd_kafka_resp_err_t err, const char *text)
{
	uint32_t h = (2166136261u ^ (uint32_t)err) * 16777619u;

	for (const char *c = text; *c && strncmp(c, ": ", 2) != 0; c++)
		h = (h ^ (uint8_t)*c) * 16777619u;
	return h;
}

static struct log_limit *cause_limit(struct kafka_news *n, uint32_t key)
{
	struct kafka_cause *at = &n->causes[0];

	for (size_t i = 0; i < KAFKA_CAUSES_MAX; i++) {
		if (n->causes[i].used && n->causes[i].key == key) {
			at = &n->causes[i];
			break;
		}
		if (n->causes[i].used < at->used)
			at = &n->causes[i]; /* the one unused for longest gives way */
	}
	if (!at->used || at->key != key)
		*at = (struct kafka_cause){ .key = key };
	at->used = loop_now();
	return &at->limit;
}

bool kafka_news_due(struct kafka_news *n, int err, const char *text, uint32_t *held)
{
	uint32_t key = cause_key((rd_kafka_resp_err_t)err, text);

	return log_limited(cause_limit(n, key), 1, loop_now(), held);
}

/* Wrong password, failed handshake, no route: the reports say only that time ran out, so the cause
 * stands here (faults.md 1, errors seen). */
void kafka_news_error(struct kafka_news *n, rd_kafka_event_t *event)
{
	rd_kafka_resp_err_t err = rd_kafka_event_error(event);
	const char *text = rd_kafka_event_error_string(event);
	uint32_t held;

	if (err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
		n->brokers_down = true;
	if (kafka_news_due(n, err, text, &held))
		log_warn("sink_kafka", "trouble with Kafka, retrying",
		         KV_S("error", rd_kafka_err2name(err)), KV_S("cause", text),
		         KV_U("repeats", held));
}

void kafka_news_log(struct kafka_news *n, rd_kafka_event_t *event)
{
	const char *facility, *text;
	int level;
	uint32_t held;

	if (rd_kafka_event_log(event, &facility, &text, &level) < 0)
		return;
	/* Most of these repeat what came as an error event. */
	if (level > KAFKA_LOG_WARNING || strcmp(facility, "FAIL") == 0 ||
	    strcmp(facility, "ERROR") == 0 || strcmp(facility, "FATAL") == 0) {
		log_debug("sink_kafka", "librdkafka", KV_S("facility", facility),
		          KV_S("text", text));
	} else if (kafka_news_due(n, RD_KAFKA_RESP_ERR_NO_ERROR, facility, &held)) {
		log_warn("sink_kafka", "librdkafka", KV_S("facility", facility), KV_S("text", text),
		         KV_U("repeats", held));
	}
}

/* Of librdkafka's statistics one word a broker is wanted: each broker's object has "nodename", then
 * "source", then "state". Not a parser: what does not look like that is passed over. */
void kafka_news_stats(struct kafka_news *n, const char *json)
{
	static const char name_key[] = "\"nodename\":\"", state_key[] = "\"state\":\"";
	const struct conf_list *brokers = &n->w->conf->kafka.brokers;

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
			n->brokers_down = false;
		for (unsigned i = 0; i < brokers->n; i++) {
			if (strlen(brokers->v[i]) != name_n ||
			    memcmp(brokers->v[i], name, name_n) != 0)
				continue;
			if (strncmp(state, "INIT", 4) !=
			    0) /* never needed so far: neither up nor down */
				stats_set(n->w->stats, STAT_KAFKA_BROKER_UP, i, 0,
				          strncmp(state, "UP", 2) == 0);
		}
	}
}
