/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka_settings.h -- the settings of a producer (config.yaml, kafka; faults.md 1).
 */
#pragma once
#include "common/err.h"
#include "common/loop.h"
#include "conf/conf.h"

struct worker;
struct rd_kafka_conf_s;

enum { KAFKA_LOG_WARNING = 4 }; /* syslog's; what is less grave the library does not tell */

/* All of them; kafka.properties come last. -1: librdkafka refuses one, *err names it and never a
 * secret's value, and w->conf_refused is set. */
int kafka_settings(struct worker *w, struct rd_kafka_conf_s *rk_conf, struct err *err) MUST_USE;

/* What it makes a batch of at most. */
uint64_t kafka_batch_bytes(const struct worker *w);
/* message.timeout.ms: 1.5 s before kafka.ack_deadline, so that the report comes before the client
 * gives up. */
msec_t kafka_message_timeout(const struct conf *conf);
