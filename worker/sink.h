/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink.h -- where records go. A sink takes a record or refuses it at once; what it took it answers
 * exactly once by record_done(), on the loop's thread, whether or not the request still lives.
 */
#pragma once
#include "common/bytes.h"
#include "common/err.h"
#include "common/telemetry.h"
#include "common/token.h"
#include "common/verdict.h"
#include "common/stats.h"
#include "worker/route.h"
struct worker;
struct body;
struct event_base;
struct spool;
struct spool_row;

struct record_header {
	const char *name;
	struct bytes value;
};
/* All of records.md 1.1, and the three of a dead letter; values that are not static:
 * request id, milliseconds, traceparent, type, the detail of a dead letter. */
enum {
	RECORD_HEADERS_MAX = 16,
	RECORD_NO_PART = RECORD_HEADERS_MAX, /* a place that no header has */
	RECORD_TYPE_MAX = 255, /* bytes of a client's media type */
	RECORD_HEADER_MEM = 32 + 24 + 55,
	RECORD_HEADER_MORE = RECORD_TYPE_MAX + 250 + 1024, /* what few records have: a client's type, a
	                                                    * dead letter's topic and detail */
	RECORD_PART_BYTES = 24, /* 262144/262144, as far as a compiler can tell */
};

/* What one request hands to its sink: records that share buffer, charge, headers and one answer. It
 * ends, and all of it is given back, with the last of them. */
struct parcel {
	struct parcel *next;
	struct worker *w;
	uint64_t handle;  /* of the request; 0: nobody waits */
	struct body *mem; /* holds the values */
	uint64_t charged; /* of the budget */
	unsigned topic;
	const char *topic_name; /* for the life of the worker's routes */
	struct bytes key; /* points into key_mem */
	char key_mem[TENANT_ID_MAX + 1];
	struct record_header headers[RECORD_HEADERS_MAX]; /* of each record */
	unsigned header_count;
	unsigned part_at; /* where headgate-part stands; RECORD_NO_PART: nowhere */
	size_t header_used;
	char header_mem[RECORD_HEADER_MEM];
	size_t more_used;
	char *more; /* RECORD_HEADER_MORE, got when it is first needed, and kept for the next parcel */
	int64_t timestamp_ms;
	uint32_t tenant_ordinal;
	unsigned metric_slot;
	enum signal signal;
	unsigned parts; /* of a split value, for headgate-part; 0: none */
	/* Of a parcel without request: told what became of it, once it is given back. */
	void (*done)(struct worker *w, unsigned metric_slot, enum signal signal, bool stored);
	struct spool_row *row; /* of the spool, which this is made of; its record counts there */
	/* the answer */
	unsigned open; /* records without one, and one for the hand that still sends */
	enum verdict verdict;
	uint64_t delivered; /* items */
	int32_t partition; /* of the last record */
	int64_t offset;
};

struct record { /* pooled; owned by the sink from send() until record_done() */
	struct record *next;
	struct parcel *parcel;
	struct bytes value;
	uint64_t items;
	bool spread; /* to any partition; else the word below says which */
	uint32_t partition_word; /* the partitioner is a pure function of it */
	unsigned place; /* worker/kafka_gate.h's */
	unsigned part; /* 1-based; 0: not a part */
	int64_t produced_ns;
	bool resent; /* once, after a fatal error of the producer */
	bool alone; /* sent again in a batch of its own: in the first one something was too large */
};

/* The i-th header of a record; false behind the last. `part` is memory for headgate-part. */
bool record_header(const struct record *rec, unsigned i, char part[static RECORD_PART_BYTES],
                   struct record_header *out);

enum delivery { /* how a record ended; each but _REFUSED, an other one, is a word of stats.def */
	DELIVERY_OK, DELIVERY_TIMED_OUT, DELIVERY_MAYBE, DELIVERY_TOO_LARGE, DELIVERY_AUTHORIZATION,
	DELIVERY_FATAL, DELIVERY_STORE, DELIVERY_OTHER,
	DELIVERY_REFUSED, /* for good, for what it is */
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
	/* NULL, or: what is sent now has nobody who could store it. */
	bool (*down)(void *sink);
	/* NULL, or: all that is in flight ends soon, stored or not: the drain is nearly over. */
	void (*give_up)(void *sink);
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
	struct record *spare; /* for reuse */
	struct parcel *spare_parcels;
	uint64_t in_flight;   /* records between send() and record_done() */
	struct spool *spool; /* NULL: off */
	bool closing;
};
int sink_open(struct worker *w, struct err *err) MUST_USE; /* by conf->sink, from an explicit array */
void sink_close(struct worker *w); /* after conns_close(): what is still in flight wakes nobody */
void sink_gone(struct worker *w); /* another worker has ended */
void sink_gauges(struct worker *w); /* the queue's gauges; sinks with a timer call it there too */

void sink_pools_free(struct sink_open *s); /* records and parcels kept for reuse */

struct record *record_get(struct worker *w);
void record_put(struct worker *w, struct record *rec);
/* A parcel without records, held open by its maker: parcel_close() ends that. */
struct parcel *parcel_get(struct worker *w);
void parcel_header(struct parcel *p, const char *name, struct bytes value); /* none if it is empty */
/* A copy of a value that does not live as long as the parcel; a header of one. */
struct bytes parcel_copy(struct parcel *p, struct bytes value);
void parcel_header_copy(struct parcel *p, const char *name, struct bytes value);
size_t parcel_header_bytes(const struct parcel *p);
/* Whether the sink took it. If not, *v says why, and the record is still the caller's. One that is
 * stored at once is done at once. */
bool record_send(struct record *rec, enum verdict *v) MUST_USE;
/* Counts delivered or failed, and closes its part of the parcel with its verdict (V_ACCEPTED,
 * V_KAFKA_TIMEOUT, V_RECORD_SIZE, V_TOPIC_UNAVAILABLE, V_STORE, V_STORE_FULL). */
void record_done(struct record *rec, enum delivery how, enum verdict v, int32_t partition, int64_t offset);
/* The same past the spool, which would take what failed: it is the spool that says it. */
void record_settle(struct record *rec, enum delivery how, enum verdict v, int32_t partition,
                   int64_t offset);
/* What the answer is, should v be the last word. */
enum verdict parcel_verdict(const struct parcel *p, enum verdict v);
/* One record less, or the hand of the maker; V_NONE has no say in the verdict. With the last one
 * budget and buffer are given back, then the request is woken with the verdict: the worst of all. */
void parcel_close(struct parcel *p, enum verdict v);
