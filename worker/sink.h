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
#include "worker/route.h"
struct worker;
struct body;
struct event_base;

struct record_header {
	const char *name;
	struct bytes value;
};
/* All ten of records.md 1.1; values that are not static: request id, milliseconds, traceparent. */
enum { RECORD_HEADERS_MAX = 10, RECORD_HEADER_MEM = 32 + 20 + 55 };

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
	char header_mem[RECORD_HEADER_MEM];
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
	DELIVERY_FATAL, DELIVERY_STORE, DELIVERY_OTHER,
};

struct sink {
	const char *name;
	/* poll, timers and eventfds are the sink's own, on base. */
	void *(*open)(struct worker *w, struct err *err);
	/* V_NONE: taken. V_ACCEPTED: stored already, without record_done(). Else why not (V_OVERLOAD,
	 * V_TOPIC_UNAVAILABLE, V_RECORD_SIZE, V_STORE_FULL). But for V_NONE rec stays the caller's. */
	enum verdict (*send)(void *sink, struct record *rec);
	uint64_t (*ceiling)(void *sink, unsigned topic); /* bytes of one record there; NULL: no bound */
	/* Draining: true when nothing is in flight any more. */
	bool (*idle)(void *sink);
	void (*close)(void *sink);
	/* For /ready: false with a name when the queue is over 90 % of its budget, say. True with a
	 * detail: serving, but degraded (brokers down, a topic missing); "" if all is well. */
	bool (*ready)(void *sink, const char **check, char *detail, size_t cap);
	/* NULL, or: a worker has ended, and what it held in files may be taken over. */
	void (*gone)(void *sink);
};
extern const struct sink sink_kafka, sink_local, sink_discard;
struct rd_kafka_s;
/* A client with the sink's settings that nobody serves, for topics_tool.c. NULL with *err said. */
struct rd_kafka_s *sink_kafka_client(struct worker *w, struct err *err) MUST_USE;
void sink_kafka_version(char *out, size_t cap); /* librdkafka, for -v: running and built with */
const char *sink_kafka_error_name(unsigned i);  /* texts of DIM_KAFKA_ERROR; NULL beyond the last */

struct sink_open { /* what worker->sink is; zeroed but for the first two it is ready */
	const struct sink *ops;
	void *state;
	struct record *spare; /* records for reuse */
	uint64_t in_flight;   /* records between send() and record_done() */
	uint32_t spread_seed; /* so that workers do not fill the same partitions at the same time */
	struct spread {
		uint32_t word;
		uint64_t bytes;
		int64_t since_ns;
	} spread[ROUTES_MAX]; /* per topic: the partition word of `record.partition: spread` */
	bool closing;
};
int sink_open(struct worker *w, struct err *err) MUST_USE; /* by conf->sink, from an explicit array */
void sink_close(struct worker *w); /* after conns_close(): what is still in flight wakes nobody */
void sink_gauges(struct worker *w); /* the queue's gauges; sinks with a timer call it there too */

struct record *record_get(struct worker *w);
void record_put(struct worker *w, struct record *rec); /* gives back mem and budget too */
/* Counts delivered, late or failed, frees budget and buffer, then wakes the request with its verdict
 * (V_ACCEPTED, V_KAFKA_TIMEOUT, V_RECORD_SIZE, V_TOPIC_UNAVAILABLE, V_STORE, V_STORE_FULL). */
void record_done(struct record *rec, enum delivery how, enum verdict v, int32_t partition, int64_t offset);
