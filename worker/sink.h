/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink.h -- where records go. A sink takes a record or refuses it at once; what it took it answers
 * exactly once by record_done(), on the loop's thread, whether or not the request still lives.
 */
#pragma once
#include "common/bytes.h"
#include "common/err.h"
#include "common/telemetry.h"
#include "common/verdict.h"
#include "common/stats.h"
struct worker;
struct body;
struct event_base;

struct record_header {
	const char *name;
	struct bytes value;
};
enum { RECORD_HEADERS_MAX = 12 };

struct record { /* pooled; owned by the sink from send() until record_done() */
	struct record *next;
	uint64_t handle; /* of the request */
	struct worker *w;
	unsigned topic;  /* index in topics (worker/topics.h) */
	struct body *mem; /* holds value; given back at record_done() */
	struct bytes value;
	struct bytes key; /* points into key_mem */
	char key_mem[151];
	struct record_header headers[RECORD_HEADERS_MAX];
	unsigned header_count;
	char header_mem[512]; /* values that are not static */
	int64_t timestamp_ms;
	uint32_t partition_word; /* the partitioner is a pure function of it */
	/* accounting */
	uint32_t tenant_ordinal;
	unsigned metric_slot;
	enum signal signal;
	uint64_t items;
	uint64_t charged; /* of the budget */
	int64_t produced_ns;
	bool resent; /* once, after a fatal error of the producer */
};

enum delivery { /* how a record ended; each is a word of stats.def */
	DELIVERY_OK, DELIVERY_TIMED_OUT, DELIVERY_MAYBE, DELIVERY_TOO_LARGE, DELIVERY_AUTHORIZATION,
	DELIVERY_FATAL, DELIVERY_OTHER,
};

struct sink {
	const char *name;
	/* poll, timers and eventfds are the sink's own, on base. */
	void *(*open)(struct worker *w, struct err *err);
	/* V_NONE: taken. Else why not (V_OVERLOAD, V_TOPIC_UNAVAILABLE, V_RECORD_SIZE): rec stays the
	 * caller's. */
	enum verdict (*send)(void *sink, struct record *rec);
	/* Draining: true when nothing is in flight any more. */
	bool (*idle)(void *sink);
	void (*close)(void *sink);
	/* Ready for /ready: false with a name when the queue is over 90 % of its budget, say. */
	bool (*ready)(void *sink, const char **check, char *detail, size_t cap);
};
extern const struct sink sink_kafka, sink_discard;
void sink_kafka_version(char *out, size_t cap); /* librdkafka, for -v: running and built with */

struct sink_open { /* what worker->sink is */
	const struct sink *ops;
	void *state;
};
int sink_open(struct worker *w, struct err *err) MUST_USE; /* by conf->sink, from an explicit array */
void sink_close(struct worker *w);

struct record *record_get(struct worker *w);
void record_put(struct worker *w, struct record *rec); /* gives back mem and budget too */
/* Counts delivered, late or failed, frees budget and buffer, then wakes the request with its verdict
 * (V_ACCEPTED, V_KAFKA_TIMEOUT, V_RECORD_SIZE, V_TOPIC_UNAVAILABLE). */
void record_done(struct record *rec, enum delivery how, enum verdict v, int32_t partition, int64_t offset);
