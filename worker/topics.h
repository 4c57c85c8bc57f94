/* SPDX-License-Identifier: Apache-2.0 */
/*
 * topics.h -- the configured topics and what the cluster says of them: there or not, partitions,
 * record ceiling (records.md 1.3). Metadata is read whole at start, each 10 s while a topic is
 * missing, else each kafka.metadata_refresh; a producer creates no topic and is never asked for one
 * that is not listed. The one other file beside sink_kafka.c that knows librdkafka.
 */
#pragma once
#include "common/err.h"
struct worker;
struct topics;
struct rd_kafka_s;
struct rd_kafka_topic_s;

/* For topics_tool.c: one reading of metadata and limits that blocks; -1 if no broker answers. */
struct topic_facts {
	bool listed;
	int partitions, replicas;
	uint64_t max_message; /* 0: not told */
	uint64_t request_max; /* the brokers' least socket.request.max.bytes; 0: not told */
};
enum { TOPICS_ASK_MS = 5000 };
int topics_ask(struct rd_kafka_s *rk, const char **names, unsigned count,
               struct topic_facts *out, struct err *err) MUST_USE;

struct topics *topics_open(struct worker *w, struct err *err);
/* One more: indices are those of worker/route.h, in order. The name is kept by pointer. Metadata is
 * read at once; until then nobody knows whether it is there. */
void topics_add(struct topics *t, const char *name, bool is_raw);
unsigned topics_count(const struct topics *t);
bool topics_unlooked(const struct topics *t, unsigned index);
void topics_close(struct topics *t);
/* A new producer (at start, after a fatal error): topic objects are made anew. */
int topics_attach(struct topics *t, struct rd_kafka_s *rk, struct err *err) MUST_USE;
void topics_detach(struct topics *t);
/* A reading of metadata still runs on that producer: it must not be destroyed yet. */
bool topics_busy(const struct topics *t, const struct rd_kafka_s *rk);
/* fn is called on the loop's thread after each metadata that came. */
void topics_watch(struct topics *t, void (*fn)(void *arg), void *arg);
bool topics_known(const struct topics *t); /* the first metadata has come */
struct rd_kafka_topic_s *topics_handle(struct topics *t, unsigned index); /* NULL: not there now */
uint64_t topics_ceiling(const struct topics *t, unsigned index);          /* bytes of one record */
unsigned topics_missing(const struct topics *t, char *names, size_t cap);
int topics_partitions(const struct topics *t, unsigned index);
/* Delivery reports told that the topic is gone or denied: unavailable until the next metadata says otherwise. */
void topics_mark_unavailable(struct topics *t, unsigned index, bool denied);
