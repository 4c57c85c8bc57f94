/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka_news.h -- the events of a producer that are no reports.
 */
#pragma once
#include "common/log.h"
#include "common/loop.h"

struct worker;
struct rd_kafka_op_s;

enum { KAFKA_CAUSES_MAX = 16 }; /* errors told apart by the log's limit */

struct kafka_cause { /* one line a minute of each */
	uint32_t key;
	msec_t used;
	struct log_limit limit;
};

struct kafka_news {
	struct worker *w;
	bool brokers_down; /* librdkafka said so; until one is up, or stores a record */
	struct kafka_cause causes[KAFKA_CAUSES_MAX];
};

/* Whether a line about this cause, an rd_kafka_resp_err_t and a text that begins with whom it
 * concerns, is due; *held: how many were not, before it. */
bool kafka_news_due(struct kafka_news *n, int err, const char *text, uint32_t *held);

/* Not of fatal errors: those end the producer, and are the sink's. */
void kafka_news_error(struct kafka_news *n, struct rd_kafka_op_s *event);
void kafka_news_log(struct kafka_news *n, struct rd_kafka_op_s *event);
void kafka_news_stats(struct kafka_news *n, const char *json);
