/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka_gate.h -- when a record goes to librdkafka, and to which partition of its topic. The
 * idempotent producer sends a partition no further request while 5 of its messages are on their
 * way, and its thread polls without a pause as long as more of them wait there whose linger is
 * over: 60 % of a core for 5000 records/s to a broker that takes 10 ms (librdkafka 2.0.2). So they
 * wait here. A partition takes what one batch may hold (kafka.linger, kafka.batch_bytes), then
 * nothing until less than 5 of its records are without a report; `record.partition: spread` goes to
 * one that takes, `source` waits for its own. Knows neither librdkafka nor a verdict.
 */
#pragma once
#include "worker/sink.h"
struct kafka_gate;

/* linger_us and batch_bytes: the library's linger.ms and what it makes a batch of at most. */
struct kafka_gate *kafka_gate_new(int64_t linger_us, uint64_t batch_bytes, uint32_t seed);
void kafka_gate_free(struct kafka_gate *g); /* when nothing waits any more */

/* Whether rec may go now to a topic of so many partitions (>= 1): then its partition_word is set
 * and it is counted until kafka_gate_left(). If not, it waits here. */
bool kafka_gate_pass(struct kafka_gate *g, struct record *rec, unsigned partitions);
/* Until kafka_gate_left(): others may be in its batch. Of one with rec->alone nobody is. */
bool kafka_gate_has_company(const struct kafka_gate *g, const struct record *rec);
/* Its report came, or librdkafka did not take it. works: it was stored, or refused for what it is,
 * so that nothing holds up others there. */
void kafka_gate_left(struct kafka_gate *g, const struct record *rec, bool works);
/* One that waited and may go now, counted as by kafka_gate_pass(); NULL: none. Those of `spread`
 * come in their order, and those of `source` in that of their partition, but for what is too old
 * for one that fails. However many wait for a partition, they cost those of others nothing. */
struct record *kafka_gate_next(struct kafka_gate *g);
/* One that waits since before then, in loop_now_ns(); INT64_MAX: any. NULL: none. */
struct record *kafka_gate_expired(struct kafka_gate *g, int64_t before);

/* The first choice among `count` partitions of that word: the same for ever. */
unsigned kafka_partition(uint32_t word, unsigned count);
