/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/worker/kafka_conf.h"
#include "worker/bodies.h"
#include "worker/req.h"

/* Those of route.c and conn.c are linked too. */
static unsigned test_routes_topics(const struct routes *rs);
static const char *test_topic_name(const struct routes *rs, unsigned topic);
static bool test_topic_is_raw(const struct routes *rs, unsigned topic);
#define routes_topics test_routes_topics
#define routes_topic_name test_topic_name
#define routes_topic_is_raw test_topic_is_raw
#include "worker/kafka_settings.c"
#include "worker/sink_kafka.c"
#undef routes_topics
#undef routes_topic_name
#undef routes_topic_is_raw

#include <librdkafka/rdkafka_mock.h>

static struct conf conf;
static struct worker w;
static struct kafka *k;

static const char *topic_names[] = { "logs", "late" };
static unsigned topic_count = 1;
static bool is_raw;

static unsigned test_routes_topics(const struct routes *rs)
{
	(void)rs;
	return topic_count;
}

static const char *test_topic_name(const struct routes *rs, unsigned topic)
{
	(void)rs;
	return topic_names[topic];
}

static bool test_topic_is_raw(const struct routes *rs, unsigned topic)
{
	(void)rs, (void)topic;
	return is_raw;
}

static void set_up(void)
{
	struct err err = { "" };
	int fd = stats_memfd(2, &err);

	kafka_defaults(&conf);
	conf.sink = SINK_KAFKA;
	w.conf = &conf;
	w.stats = stats_map(fd, true, 2, &err);
	close(fd);
	w.base = loop_open(&err);
	w.bodies = bodies_new();
	w.budget = budget_new(1000000, 100, 4);
	cr_assert(w.base && w.stats, "%s", err.text);
}

/* The sink as the worker opens it. Its brokers are nobody's, or the mock's. */
static void opens(void)
{
	struct err err = { "" };

	cr_assert_eq(sink_open(&w, &err), 0, "%s", err.text);
	k = w.sink->state;
}

static void tear_down(void)
{
	sink_close(&w);
	cr_assert_eq(budget_used(w.budget), 0);
	bodies_free(w.bodies);
	budget_free(w.budget);
	loop_close(w.base);
	stats_unmap(w.stats);
}

TestSuite(sink_kafka, .init = set_up, .fini = tear_down);

/* ---- without a broker ---- */

static struct record *record(size_t value_bytes)
{
	struct record *rec = record_get(&w);
	struct parcel *p = parcel_get(&w); /* its open hand is the record's: see take() */

	rec->parcel = p;
	p->handle = 1; /* of no request: req_wake() finds none */
	p->topic = 0;
	p->topic_name = topic_names[0];
	p->mem = body_get(w.bodies, value_bytes);
	p->charged = body_capacity(value_bytes);
	p->tenant_ordinal = 1;
	cr_assert(budget_take(w.budget, 1, 0, p->charged));
	memset(p->mem->data, 'v', value_bytes);
	rec->value = bytes_of(p->mem->data, value_bytes);
	memcpy(p->key_mem, "acme", 4);
	p->key = bytes_of(p->key_mem, 4);
	parcel_header(p, "tenant_id", p->key);
	p->metric_slot = 0;
	p->signal = SIGNAL_LOGS;
	rec->items = 1;
	p->timestamp_ms = 1700000000123;
	rec->produced_ns = loop_now_ns();
	return rec;
}

static enum verdict take(struct record *rec)
{
	enum verdict v = sink_kafka.send(k, rec);

	if (v == V_NONE) {
		w.sink->in_flight++;
		stats_tenant_add(w.stats, 0, SIGNAL_LOGS, TS_ITEMS_IN_FLIGHT, 1);
		stats_tenant_add(w.stats, 0, SIGNAL_LOGS, TS_ITEMS_ACCEPTED, 1);
	}
	return v;
}

static uint64_t items(enum tenant_stat id)
{
	return stats_tenant_get(w.stats, 0, SIGNAL_LOGS, id);
}

/* Connections are closed first in a worker too; so nobody looks for requests that never were. */
static void nobody_waits(void)
{
	w.sink->closing = true;
}

/* F1 */
Test(sink_kafka, before_the_first_metadata_a_record_waits_and_times_out_like_any_other)
{
	loop_set_clock(1000000000000, 0);
	opens();
	nobody_waits();
	cr_assert_eq(take(record(10)), V_NONE);
	loop_set_clock(1000000000000 + 6499000000, 0);
	on_tick(-1, 0, k);
	cr_assert_eq(items(TS_ITEMS_IN_FLIGHT), 1);
	loop_set_clock(1000000000000 + 6500000000, 0);
	on_tick(-1, 0, k);
	cr_assert_eq(items(TS_ITEMS_IN_FLIGHT), 0);
	cr_assert_eq(items(TS_FAILED_TIMED_OUT), 1);
	cr_assert(sink_kafka.idle(k));
}

Test(sink_kafka, what_waits_at_the_end_is_counted_as_failed)
{
	opens();
	take(record(10));
	cr_assert(!sink_kafka.idle(k));
	sink_close(&w);
	cr_assert_eq(items(TS_FAILED_TIMED_OUT), 1);
	opens();
}

Test(sink_kafka, it_is_not_ready_over_90_percent_of_its_budget)
{
	const char *check;
	char detail[100];

	opens();
	cr_assert(budget_take(w.budget, 1, 0, 900000));
	cr_assert(sink_kafka.ready(k, &check, detail, sizeof(detail)));
	cr_assert_str_eq(detail, "no metadata of the cluster yet");
	cr_assert(budget_take(w.budget, 1, 900000, 1));
	cr_assert(!sink_kafka.ready(k, &check, detail, sizeof(detail)));
	cr_assert_str_eq(check, "kafka");
	cr_assert_str_eq(detail, "queue over 90 % of its budget");
	budget_give(w.budget, 1, 900001);
}

Test(sink_kafka, reports_become_ends_and_verdicts)
{
	enum {
		NOT = RD_KAFKA_MSG_STATUS_NOT_PERSISTED,
		MAYBE = RD_KAFKA_MSG_STATUS_POSSIBLY_PERSISTED
	};
	static const struct {
		rd_kafka_resp_err_t err;
		int status;
		enum delivery how;
		enum verdict v;
	} reports[] = {
		{ RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, NOT, DELIVERY_TIMED_OUT, V_KAFKA_TIMEOUT },
		{ RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, MAYBE, DELIVERY_MAYBE, V_KAFKA_TIMEOUT },
		{ RD_KAFKA_RESP_ERR__PURGE_INFLIGHT, MAYBE, DELIVERY_MAYBE, V_KAFKA_TIMEOUT },
		{ RD_KAFKA_RESP_ERR__PURGE_QUEUE, NOT, DELIVERY_FATAL, V_KAFKA_TIMEOUT },
		{ RD_KAFKA_RESP_ERR__FATAL, NOT, DELIVERY_FATAL, V_KAFKA_TIMEOUT },
		{ RD_KAFKA_RESP_ERR_NO_ERROR, MAYBE, DELIVERY_MAYBE, V_KAFKA_TIMEOUT },
		{ RD_KAFKA_RESP_ERR_INVALID_MSG, NOT, DELIVERY_OTHER, V_KAFKA_TIMEOUT },
		{ RD_KAFKA_RESP_ERR_INVALID_RECORD, MAYBE, DELIVERY_REFUSED, V_KAFKA_TIMEOUT },
		{ RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, NOT, DELIVERY_REFUSED, V_KAFKA_TIMEOUT },
		{ RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, NOT, DELIVERY_TOO_LARGE, V_RECORD_SIZE },
		{ RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, NOT, DELIVERY_TOO_LARGE, V_RECORD_SIZE },
		{ RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, NOT, DELIVERY_AUTHORIZATION,
		  V_TOPIC_UNAVAILABLE },
		{ RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, NOT, DELIVERY_OTHER,
		  V_TOPIC_UNAVAILABLE },
		{ RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, NOT, DELIVERY_OTHER, V_TOPIC_UNAVAILABLE },
		{ RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, NOT, DELIVERY_OTHER, V_TOPIC_UNAVAILABLE },
	};
	struct parcel parcel = { .topic_name = "logs" };
	struct record rec = { .parcel = &parcel };

	opens();
	for (size_t i = 0; i < ARRAY_LEN(reports); i++) {
		enum delivery how = DELIVERY_OK;

		cr_assert_eq(verdict_of(k, &rec, reports[i].err,
		                        (rd_kafka_msg_status_t)reports[i].status, &how),
		             reports[i].v, "%s", rd_kafka_err2name(reports[i].err));
		cr_assert_eq(how, reports[i].how, "%s", rd_kafka_err2name(reports[i].err));
	}
}

Test(sink_kafka, each_error_of_the_metric_has_a_name_and_the_last_takes_all_others)
{
	opens();
	for (unsigned i = 0; i < 16; i++)
		cr_assert_not_null(sink_kafka_error_name(i));
	cr_assert_null(sink_kafka_error_name(16));
	cr_assert_str_eq(sink_kafka_error_name(15), "other");
	count_error(k, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT);
	count_error(k, RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR);
	cr_assert_eq(stats_get(w.stats, STAT_KAFKA_ERRORS, 0, 0), 1);
	cr_assert_eq(stats_get(w.stats, STAT_KAFKA_ERRORS, 15, 0), 1);
}

/* ---- faults that a real broker cannot be made to show: the library's own mock ---- */

static rd_kafka_mock_cluster_t *mock;
static char mock_brokers[256];
static const char *mock_list[] = { mock_brokers };
static rd_kafka_t *mock_owner;

static void mock_opens(void)
{
	char why[200];

	mock_owner = rd_kafka_new(RD_KAFKA_PRODUCER, NULL, why, sizeof(why));
	mock = rd_kafka_mock_cluster_new(mock_owner, 1);
	cr_assert_eq(rd_kafka_mock_topic_create(mock, "logs", 2, 1), RD_KAFKA_RESP_ERR_NO_ERROR);
	snprintf(mock_brokers, sizeof(mock_brokers), "%s", rd_kafka_mock_cluster_bootstraps(mock));
	conf.kafka.brokers.v = mock_list;
	conf.kafka.brokers.n = 1;
	conf.kafka.linger_us = 0;
	opens();
	nobody_waits();
}

static void mock_closes(void)
{
	sink_close(&w); /* first: what it asks the mock is answered then */
	rd_kafka_mock_cluster_destroy(mock);
	rd_kafka_destroy(mock_owner);
}

static void on_minute(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	*(bool *)arg = true;
}

/* Turns until nothing is in flight; a minute is a failure. */
static void all_answered(void)
{
	bool over = false;
	struct event *end = event_new(w.base, -1, 0, on_minute, &over);
	struct timeval minute = { 60, 0 };

	event_add(end, &minute);
	while (w.sink->in_flight && !over)
		event_base_loop(w.base, EVLOOP_ONCE);
	event_free(end);
	cr_assert_eq(w.sink->in_flight, 0);
}

/* F9 */
Test(sink_kafka, a_fatal_error_replaces_the_producer_and_loses_no_record)
{
	struct producer *first;

	mock_opens();
	take(record(10));
	all_answered();
	cr_assert_eq(items(TS_ITEMS_DELIVERED), 1);
	first = k->live;
	first->made -= REPLACE_PAUSE_MS;
	for (int i = 0; i < 20; i++) {
		cr_assert_eq(take(record(100)), V_NONE);
		if (i == 10)
			rd_kafka_test_fatal_error(first->rk,
			                          RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
			                          "a test");
	}
	while (k->live == first)
		event_base_loop(w.base, EVLOOP_ONCE);
	all_answered();
	cr_assert_eq(stats_get(w.stats, STAT_KAFKA_REPLACED, 0, 0), 1);
	cr_assert_eq(items(TS_ITEMS_ACCEPTED), 21);
	/* What the old producer had sent may end as maybe; nothing else may be lost. */
	cr_assert_eq(items(TS_ITEMS_DELIVERED) + items(TS_FAILED_MAYBE), 21);
	cr_assert_geq(items(TS_ITEMS_DELIVERED), 10); /* those sent after the error, at least */
	while (k->old) /* its end is another thread's */
		event_base_loop(w.base, EVLOOP_ONCE);
	mock_closes();
}

Test(sink_kafka, a_producer_that_dies_young_is_replaced_by_the_timer_only)
{
	struct producer *first;

	mock_opens();
	first = k->live;
	first->failed = true;
	first->made = loop_now();
	serve(k);
	cr_assert_eq(k->live, first);
	first->made = loop_now() - REPLACE_PAUSE_MS;
	serve(k);
	cr_assert_neq(k->live, first);
	cr_assert_eq(k->old, first);
	mock_closes();
}

Test(sink_kafka, a_denied_record_ends_as_authorization_and_its_topic_is_unavailable)
{
	rd_kafka_resp_err_t denied = RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
	struct record *rec;

	mock_opens();
	take(record(10));
	all_answered();
	rd_kafka_mock_push_request_errors_array(mock, 0 /* Produce */, 1, &denied);
	take(record(10));
	all_answered();
	cr_assert_eq(items(TS_ITEMS_DELIVERED), 1);
	cr_assert_eq(items(TS_FAILED_AUTHORIZATION), 1);
	rec = record(10);
	cr_assert_eq(take(rec), V_TOPIC_UNAVAILABLE);
	rec->parcel->handle = 0;
	parcel_close(rec->parcel, V_NONE);
	record_put(&w, rec);
	mock_closes();
}

Test(sink_kafka, a_broker_short_of_replicas_is_asked_again)
{
	rd_kafka_resp_err_t few[] = { RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
		                      RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS };

	mock_opens();
	rd_kafka_mock_push_request_errors_array(mock, 0 /* Produce */, 2, few);
	take(record(10));
	all_answered();
	cr_assert_eq(items(TS_ITEMS_DELIVERED), 1);
	mock_closes();
}

/* Theirs was 413 too, and clients throw away what is. */
Test(sink_kafka, one_record_too_large_does_not_refuse_those_in_its_batch)
{
	rd_kafka_resp_err_t large = RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;

	mock_opens();
	take(record(10));
	all_answered();
	rd_kafka_mock_push_request_errors_array(mock, 0 /* Produce */, 1, &large);
	for (int i = 0; i < 20; i++)
		take(record(10));
	all_answered();
	cr_assert_eq(items(TS_ITEMS_DELIVERED), 21);
	cr_assert_eq(items(TS_FAILED_TOO_LARGE), 0);
	mock_closes();
}

Test(sink_kafka, a_record_that_is_too_large_by_itself_is_refused)
{
	rd_kafka_resp_err_t large = RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;

	mock_opens();
	take(record(10));
	all_answered();
	rd_kafka_mock_push_request_errors_array(mock, 0 /* Produce */, 1, &large);
	take(record(10));
	all_answered();
	cr_assert_eq(items(TS_ITEMS_DELIVERED), 1);
	cr_assert_eq(items(TS_FAILED_TOO_LARGE), 1);
	mock_closes();
}

/* It was taken for one that fails, which gets nothing that is not young: those that were sent again
 * by themselves waited until their time was over. */
Test(sink_kafka, a_partition_that_refuses_a_record_for_its_size_works_for_others)
{
	rd_kafka_resp_err_t large = RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
	struct record *old;

	mock_opens();
	take(record(10));
	all_answered();
	rd_kafka_mock_push_request_errors_array(mock, 0 /* Produce */, 1, &large);
	take(record(10));
	all_answered();
	old = record(10);
	old->produced_ns -= INT64_C(3000000000);
	take(old);
	all_answered();
	cr_assert_eq(items(TS_FAILED_TOO_LARGE), 1);
	cr_assert_eq(items(TS_ITEMS_DELIVERED), 2);
	mock_closes();
}
