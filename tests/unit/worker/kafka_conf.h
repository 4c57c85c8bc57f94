/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka_conf.h -- before kafka_settings.c in tests: one route, and the options of Kafka at their
 * defaults, with brokers that are nobody's. The functions of route.c are linked too, so the test's
 * own go by other names.
 */
#pragma once
#include <criterion/criterion.h>

#include "conf/conf.h"
#include "worker/route.h"

static const char *const brokers[] = { "127.0.0.1:1", "127.0.0.1:2" };
static struct route route = { .name = "otlp_logs", .record_max = 983040 };

static inline const char *test_routes_name(const struct routes *rs, unsigned index)
{
	(void)rs;
	return index == 0 ? route.name : NULL;
}

static inline const struct route *test_routes_get(const struct routes *rs, unsigned index)
{
	(void)rs;
	cr_assert_eq(index, 0);
	return &route;
}
#define routes_name test_routes_name
#define routes_get test_routes_get

static inline void kafka_defaults(struct conf *conf)
{
	conf->kafka.brokers.v = (const char **)(uintptr_t)brokers;
	conf->kafka.brokers.n = ARRAY_LEN(brokers);
	conf->kafka.client_id = "headgate";
	conf->kafka.sasl.mechanism = conf->kafka.sasl.username = "";
	conf->kafka.ack_deadline = 8000;
	conf->kafka.linger_us = 1500;
	conf->kafka.batch_bytes = 1000000;
	conf->kafka.compression = COMPRESSION_LZ4;
	conf->kafka.metadata_refresh = 60000;
}
