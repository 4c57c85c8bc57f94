/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <strings.h>

#include "common/loop.h"
#include "worker/produce.h"
#include "worker/req.h"
#include "worker/route_table.h"

/* conn.c's is linked too. */
static bool fake_wake(struct worker *of, uint64_t handle, enum verdict v, int32_t partition,
                      int64_t offset);
#define req_wake fake_wake
#include "worker/sink.c"
#undef req_wake

enum { BODY = 100, TENANT = 3, SLOT = 1 };

static struct conf conf;
static struct worker w;
static struct sink_open opened;
static struct req r;
static const struct format formats[] = { { .type = "application/x-protobuf",
	                                   .record_format = "otlp_proto",
	                                   .record_type = "application/x-protobuf" },
	                                 { .type = "application/json",
	                                   .record_format = "otlp_json",
	                                   .record_type = "application/json" },
	                                 { 0 } };
static const struct protocol protocol = { .name = "otlp_logs",
	                                  .signal = SIGNAL_LOGS,
	                                  .formats = formats };
static struct route_topic topics[] = { { .index = 0 }, { .index = 1 }, { .index = 2 } };
static struct routes routes;
static struct route route = { .name = "otlp_logs",
	                      .protocol = &protocol,
	                      .topics = { &topics[2], &topics[1] },
	                      .record_max = 4096,
	                      .headers = HEADERS_STANDARD,
	                      .scope = SIGNAL_COUNT };

/* The sink of these tests: says what it was told to say, and keeps what it took. */
static enum verdict says;
static struct record *taken, *all_taken[4096];
static unsigned taken_count;
static unsigned says_from = UINT32_MAX; /* this record and those behind it get says_then */
static enum verdict says_then;
static uint64_t bound = UINT64_MAX;

static enum verdict test_send(void *sink, struct record *rec)
{
	enum verdict v = taken_count >= says_from ? says_then : says;

	cr_assert_eq(sink, &says);
	if (v == V_NONE || v == V_ACCEPTED)
		all_taken[taken_count++] = rec;
	taken = rec;
	return v;
}

static uint64_t test_ceiling(void *sink, unsigned topic)
{
	(void)sink;
	cr_assert_eq(topic, r.format == &formats[1] ? 1 : 2);
	return bound;
}

static const struct sink test_sink = { .name = "test", .send = test_send, .ceiling = test_ceiling };

/* What conn.c would do: the request with this handle goes on, if it is still there. */
static bool alive = true;
static unsigned woken;
static uint64_t budget_at_wake;

static bool fake_wake(struct worker *of, uint64_t handle, enum verdict v, int32_t partition,
                      int64_t offset)
{
	cr_assert_eq(of, &w);
	budget_at_wake = budget_used(w.budget);
	if (!alive || handle != r.handle)
		return false;
	woken++;
	r.verdict = v;
	r.partition = partition;
	r.offset = offset;
	cr_assert_eq(produce_run(&r), STEP_REPLY);
	return true;
}

static uint64_t items(enum tenant_stat id)
{
	return stats_tenant_get(w.stats, SLOT, SIGNAL_LOGS, id);
}

static void arrives(size_t body_bytes)
{
	uint64_t cap = body_capacity(body_bytes);

	memset(&r, 0, sizeof(r));
	r.w = &w;
	r.at = STAGE_PRODUCE;
	r.handle = 0x700000001;
	r.route = &route;
	r.format = formats;
	r.signal = SIGNAL_LOGS;
	strcpy(r.who.tenant, "acme");
	r.who.tenant_n = 4;
	strcpy(r.who.token, "t1");
	r.who.tenant_ordinal = TENANT;
	r.who.metric_slot = SLOT;
	memset(r.request_id, 'a', 32);
	r.received = 1700000000123456789;
	r.enriched.items = 7;
	r.decoded_bytes = 90;
	cr_assert(budget_take(w.budget, TENANT, 0, cap));
	r.charged = cap;
	r.body_mem = body_get(w.bodies, body_bytes);
	memset(r.body_mem->data, 'v', body_bytes);
	r.body = bytes_of(r.body_mem->data, body_bytes);
}

static void set_up(void)
{
	struct err err = { "" };
	int fd = stats_memfd(4, &err);

	w.conf = &conf;
	routes.topics = topic_table_new();
	topic_table_add(routes.topics, BYTES("spans"));
	topic_table_add(routes.topics, BYTES("logs_json"));
	topic_table_add(routes.topics, BYTES("logs"));
	w.routes = &routes;
	conf.kafka.linger_us = 1000;
	conf.kafka.batch_bytes = 1000;
	w.stats = stats_map(fd, true, 4, &err);
	cr_assert_not_null(w.stats, "%s", err.text);
	close(fd);
	w.bodies = bodies_new();
	w.budget = budget_new(100 * KIB, 100, 10);
	opened = (struct sink_open){ .ops = &test_sink, .state = &says };
	w.sink = &opened;
	loop_set_clock(1000000000, 1700000000000000000);
	arrives(BODY);
}

static void tear_down(void)
{
	sink_pools_free(&opened);
	slices_done(&w.kit.slices);
	topic_table_free(routes.topics);
	if (r.charged)
		budget_give(w.budget, TENANT, r.charged);
	body_put(w.bodies, r.body_mem);
	cr_assert_eq(budget_used(w.budget), 0, "%lu bytes were never given back",
	             budget_used(w.budget));
	bodies_free(w.bodies);
	budget_free(w.budget);
	stats_unmap(w.stats);
}

TestSuite(sink, .init = set_up, .fini = tear_down);

static void header_names_are(const char *const *names)
{
	unsigned n = 0;

	for (; names[n]; n++) {
		cr_assert_lt(n, taken->parcel->header_count, "%s is missing", names[n]);
		cr_assert_str_eq(taken->parcel->headers[n].name, names[n]);
		cr_assert_gt(taken->parcel->headers[n].value.n, 0);
	}
	cr_assert_eq(taken->parcel->header_count, n);
}

static void header_is(unsigned i, const char *value)
{
	cr_assert(bytes_eq(taken->parcel->headers[i].value, bytes_str(value)), "%s is %.*s",
	          taken->parcel->headers[i].name, (int)taken->parcel->headers[i].value.n,
	          (const char *)taken->parcel->headers[i].value.p);
}

static void delivered(void)
{
	record_done(taken, DELIVERY_OK, V_ACCEPTED, 0, 0);
}

/* R1 */
Test(sink, a_record_has_the_tenant_as_key_and_the_standard_headers_in_order)
{
	cr_assert_eq(produce_run(&r), STEP_WAKE);
	cr_assert(bytes_eq(taken->parcel->key, BYTES("acme")));
	cr_assert_eq(taken->parcel->timestamp_ms, 1700000000123);
	header_names_are((const char *const[]){ "X-Scope-OrgID", "tenant_id", "signal", "format",
	                                        "content-type", "headgate-request-id", NULL });
	header_is(0, "acme");
	header_is(1, "acme");
	header_is(2, "logs");
	header_is(3, "otlp_proto");
	header_is(4, "application/x-protobuf");
	header_is(5, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	delivered();
}

/* R1 */
Test(sink, all_headers_stand_in_the_order_of_the_contract)
{
	route.headers = HEADERS_ALL;
	r.traceparent = BYTES("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
	produce_run(&r);
	header_names_are((const char *const[]){ "X-Scope-OrgID", "tenant_id", "signal", "format",
	                                        "content-type", "headgate-route",
	                                        "headgate-request-id", "headgate-received-ms",
	                                        "headgate-contract", "traceparent", NULL });
	header_is(5, "otlp_logs");
	header_is(7, "1700000000123");
	header_is(8, "1");
	header_is(9, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
	for (unsigned i = 0; i < taken->parcel->header_count; i++) {
		cr_assert(strcasecmp(taken->parcel->headers[i].name, "version") != 0);
		for (unsigned k = 0; k < i; k++)
			cr_assert(strcasecmp(taken->parcel->headers[i].name,
			                     taken->parcel->headers[k].name) != 0);
	}
	delivered();
}

Test(sink, headers_tenant_keeps_the_first_two_only)
{
	route.headers = HEADERS_TENANT;
	r.traceparent = BYTES("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
	produce_run(&r);
	header_names_are((const char *const[]){ "X-Scope-OrgID", "tenant_id", NULL });
	delivered();
}

Test(sink, an_opaque_record_always_names_its_route)
{
	r.signal = SIGNAL_OPAQUE;
	produce_run(&r);
	cr_assert_str_eq(taken->parcel->headers[5].name, "headgate-route");
	delivered();
}

/* R1: the format says topic, format and content-type */
Test(sink, each_format_has_its_topic_and_its_headers)
{
	r.format = &formats[1];
	produce_run(&r);
	cr_assert_eq(taken->parcel->topic, 1);
	cr_assert_str_eq(r.topic, "logs_json");
	header_is(3, "otlp_json");
	header_is(4, "application/json");
	delivered();
}

/* A7 */
Test(sink, a_record_tells_the_signal_that_its_body_told)
{
	r.signal = SIGNAL_METRICS;
	produce_run(&r);
	header_is(2, "metrics");
	cr_assert_eq(stats_tenant_get(w.stats, SLOT, SIGNAL_METRICS, TS_ITEMS_ACCEPTED), 7);
	cr_assert_eq(items(TS_ITEMS_ACCEPTED), 0);
	delivered();
}

Test(sink, headers_outlive_the_request)
{
	char traceparent[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

	r.traceparent = bytes_str(traceparent);
	produce_run(&r);
	memset(traceparent, 'x', sizeof(traceparent) - 1);
	memset(r.request_id, 'x', 32);
	memset(&r.who, 0, sizeof(r.who));
	header_is(0, "acme");
	header_is(5, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	header_is(6, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
	delivered();
}

Test(sink, the_longest_tenant_id_fits)
{
	memset(r.who.tenant, 'z', TENANT_ID_MAX);
	r.who.tenant_n = TENANT_ID_MAX;
	produce_run(&r);
	cr_assert_eq(taken->parcel->key.n, TENANT_ID_MAX);
	cr_assert_eq(taken->parcel->headers[0].value.n, TENANT_ID_MAX);
	delivered();
}

/* B17: the value is the body's own buffer, and nobody else has it until the report. */
Test(sink, buffer_and_charge_become_the_records)
{
	struct body *mem = r.body_mem;
	uint64_t charged = r.charged;

	produce_run(&r);
	cr_assert_eq(taken->parcel->mem, mem);
	cr_assert_eq(taken->value.p, mem->data);
	cr_assert_eq(taken->value.n, BODY);
	cr_assert_null(r.body_mem);
	cr_assert_eq(r.charged, 0);
	cr_assert_geq(taken->parcel->charged,
	              charged + parcel_header_bytes(taken->parcel) + BUDGET_RECORD_OVERHEAD);
	cr_assert_eq(budget_used(w.budget), taken->parcel->charged);
	delivered();
}

Test(sink, what_was_taken_is_accepted_and_in_flight_and_then_delivered)
{
	cr_assert_eq(produce_run(&r), STEP_WAKE);
	cr_assert(r.produced);
	cr_assert_str_eq(r.topic, "logs");
	cr_assert_eq(items(TS_ITEMS_ACCEPTED), 7);
	cr_assert_eq(items(TS_TENANT_BYTES), 90);
	cr_assert_eq(items(TS_ITEMS_IN_FLIGHT), 7);
	cr_assert_eq(stats_get(w.stats, STAT_KAFKA_QUEUE_MESSAGES, 0, 0), 1);
	record_done(taken, DELIVERY_OK, V_ACCEPTED, 5, 42);
	cr_assert_eq(woken, 1);
	cr_assert_eq(r.verdict, V_ACCEPTED);
	cr_assert_eq(r.partition, 5);
	cr_assert_eq(r.offset, 42);
	cr_assert_eq(items(TS_ITEMS_DELIVERED), 7);
	cr_assert_eq(items(TS_ITEMS_IN_FLIGHT), 0);
	cr_assert_eq(items(TS_ITEMS_LATE), 0);
	cr_assert_eq(stats_get(w.stats, STAT_KAFKA_QUEUE_MESSAGES, 0, 0), 0);
}

Test(sink, budget_and_buffer_are_free_before_the_request_goes_on)
{
	produce_run(&r);
	budget_at_wake = 1;
	delivered();
	cr_assert_eq(budget_at_wake, 0);
}

Test(sink, a_wake_without_an_answer_waits_on)
{
	produce_run(&r);
	cr_assert_eq(produce_run(&r), STEP_WAKE);
	cr_assert_eq(items(TS_ITEMS_ACCEPTED), 7);
	delivered();
}

Test(sink, what_is_stored_after_its_503_is_delivered_and_late)
{
	produce_run(&r);
	alive = false; /* answered 503, or gone */
	delivered();
	cr_assert_eq(items(TS_ITEMS_DELIVERED), 7);
	cr_assert_eq(items(TS_ITEMS_LATE), 7);
}

Test(sink, what_failed_after_its_503_is_not_late)
{
	produce_run(&r);
	alive = false;
	record_done(taken, DELIVERY_TIMED_OUT, V_KAFKA_TIMEOUT, -1, -1);
	cr_assert_eq(items(TS_ITEMS_LATE), 0);
	cr_assert_eq(items(TS_FAILED_TIMED_OUT), 7);
}

Test(sink, each_end_counts_once_under_its_own_reason)
{
	static const struct {
		enum delivery how;
		enum tenant_stat id;
	} ends[] = {
		{ DELIVERY_OK, TS_ITEMS_DELIVERED },
		{ DELIVERY_TIMED_OUT, TS_FAILED_TIMED_OUT },
		{ DELIVERY_MAYBE, TS_FAILED_MAYBE },
		{ DELIVERY_TOO_LARGE, TS_FAILED_TOO_LARGE },
		{ DELIVERY_AUTHORIZATION, TS_FAILED_AUTHORIZATION },
		{ DELIVERY_FATAL, TS_FAILED_FATAL },
		{ DELIVERY_OTHER, TS_FAILED_OTHER },
	};

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		if (i)
			arrives(BODY);
		produce_run(&r);
		record_done(taken, ends[i].how, i ? V_KAFKA_TIMEOUT : V_ACCEPTED, -1, -1);
		cr_assert_eq(items(TS_ITEMS_ACCEPTED), 7 * (i + 1));
		cr_assert_eq(items(TS_ITEMS_IN_FLIGHT), 0);
		for (size_t k = 0; k < ARRAY_LEN(ends); k++)
			cr_assert_eq(items(ends[k].id), k <= i ? 7 : 0);
	}
}

Test(sink, a_record_refused_by_the_broker_for_its_size_is_told_without_a_figure)
{
	produce_run(&r);
	record_done(taken, DELIVERY_TOO_LARGE, V_RECORD_SIZE, -1, -1);
	cr_assert_eq(r.verdict, V_RECORD_SIZE);
	cr_assert(strstr(r.detail, "the broker refuses"));
	cr_assert_null(strpbrk(r.detail, "%0123456789"));
}

static void nothing_was_produced(enum verdict v, enum tenant_stat reason)
{
	cr_assert_eq(r.verdict, v);
	cr_assert_eq(items(reason), 7);
	cr_assert_eq(items(TS_ITEMS_ACCEPTED), 0);
	cr_assert_eq(items(TS_ITEMS_IN_FLIGHT), 0);
	cr_assert_eq(opened.in_flight, 0);
	cr_assert(!r.produced);
}

Test(sink, a_record_over_its_routes_limit_is_413_with_both_figures)
{
	route.record_max = 700;
	cr_assert_eq(produce_run(&r), STEP_REPLY);
	nothing_was_produced(V_RECORD_SIZE, TS_REFUSED_SIZE);
	cr_assert_null(taken);
	/* 4 key, 100 value, 512, and 141 of six headers */
	cr_assert_str_eq(r.detail, "757 bytes exceed the limit of 700 bytes for one record");
}

Test(sink, a_record_of_exactly_the_limit_passes)
{
	route.record_max = 757;
	cr_assert_eq(produce_run(&r), STEP_WAKE);
	delivered();
}

Test(sink, the_sinks_ceiling_counts_where_it_is_lower)
{
	bound = 756;
	cr_assert_eq(produce_run(&r), STEP_REPLY);
	nothing_was_produced(V_RECORD_SIZE, TS_REFUSED_SIZE);
	cr_assert(strstr(r.detail, "limit of 756 bytes"));
}

Test(sink, a_spent_budget_is_503_and_gives_everything_back)
{
	uint64_t rest = budget_capacity(w.budget) - budget_used(w.budget) - BUDGET_RECORD_OVERHEAD;

	cr_assert(budget_take(w.budget, TENANT + 1, 0, rest));
	cr_assert_eq(produce_run(&r), STEP_REPLY);
	nothing_was_produced(V_OVERLOAD, TS_REFUSED_OVERLOAD);
	cr_assert_null(taken);
	budget_give(w.budget, TENANT + 1, rest);
}

Test(sink, a_record_that_no_budget_can_ever_hold_is_413)
{
	budget_give(w.budget, TENANT, r.charged);
	r.charged = budget_capacity(w.budget);
	cr_assert(budget_take(w.budget, TENANT, 0, r.charged));
	cr_assert_eq(produce_run(&r), STEP_REPLY);
	nothing_was_produced(V_RECORD_SIZE, TS_REFUSED_SIZE);
}

Test(sink, what_the_sink_refuses_goes_back_whole)
{
	static const struct {
		enum verdict v;
		enum tenant_stat reason;
	} refusals[] = { { V_OVERLOAD, TS_REFUSED_OVERLOAD },
		         { V_TOPIC_UNAVAILABLE, TS_REFUSED_OTHER },
		         { V_RECORD_SIZE, TS_REFUSED_SIZE } };

	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		if (i)
			arrives(BODY);
		says = refusals[i].v;
		cr_assert_eq(produce_run(&r), STEP_REPLY);
		nothing_was_produced(refusals[i].v, refusals[i].reason);
		cr_assert_eq(budget_used(w.budget), 0);
	}
}

Test(sink, what_is_stored_at_once_is_answered_without_a_wake)
{
	says = V_ACCEPTED;
	cr_assert_eq(produce_run(&r), STEP_REPLY);
	cr_assert_eq(r.verdict, V_ACCEPTED);
	cr_assert_eq(woken, 0);
	cr_assert_eq(items(TS_ITEMS_ACCEPTED), 7);
	cr_assert_eq(items(TS_ITEMS_DELIVERED), 7);
	cr_assert_eq(items(TS_ITEMS_IN_FLIGHT), 0);
	cr_assert_eq(budget_used(w.budget), 0);
}

/* B16 */
Test(sink, records_are_used_again)
{
	struct record *first;

	produce_run(&r);
	first = taken;
	delivered();
	arrives(BODY);
	produce_run(&r);
	cr_assert_eq(taken, first);
	delivered();
}

static uint32_t word(void)
{
	uint32_t got;

	arrives(BODY);
	produce_run(&r);
	got = taken->partition_word;
	delivered();
	return got;
}

Test(sink, spread_leaves_the_partition_to_the_sink)
{
	produce_run(&r);
	cr_assert(taken->spread);
	delivered();
	route.partition = PARTITION_SOURCE;
	arrives(BODY);
	produce_run(&r);
	cr_assert_not(taken->spread);
	delivered();
}

Test(sink, source_gives_one_sender_one_word_and_others_another)
{
	uint32_t mine;

	route.partition = PARTITION_SOURCE;
	produce_run(&r);
	mine = taken->partition_word;
	delivered();
	loop_set_clock(9000000000, 0);
	cr_assert_eq(word(), mine);
	arrives(BODY);
	r.client[15] = 9;
	produce_run(&r);
	cr_assert_neq(taken->partition_word, mine);
	delivered();
	arrives(BODY);
	strcpy(r.who.token, "t2");
	produce_run(&r);
	cr_assert_neq(taken->partition_word, mine);
	delivered();
}

Test(sink, after_the_connections_are_closed_nobody_is_woken)
{
	produce_run(&r);
	opened.closing = true;
	delivered();
	cr_assert_eq(woken, 0);
	cr_assert_eq(items(TS_ITEMS_DELIVERED), 7);
	cr_assert_eq(items(TS_ITEMS_LATE), 7);
}

/* ---- a request that is many records ---- */

/* Its body in n equal parts, an item each. */
static void is_many(size_t n)
{
	w.kit.slices.n = 0;
	for (size_t i = 0; i < n; i++)
		slices_add(&w.kit.slices, i * (BODY / n ? BODY / n : 1) % BODY, 1, 1);
	r.enriched.items = n;
}

static void conserved(uint64_t accepted, uint64_t delivered, uint64_t failed, uint64_t in_flight)
{
	cr_expect_eq(items(TS_ITEMS_ACCEPTED), accepted);
	cr_expect_eq(items(TS_ITEMS_DELIVERED), delivered);
	cr_expect_eq(items(TS_FAILED_TIMED_OUT), failed);
	cr_expect_eq(items(TS_ITEMS_IN_FLIGHT), in_flight);
}

Test(sink, the_records_of_a_request_share_key_and_headers_and_are_answered_once)
{
	is_many(3);
	cr_assert_eq(produce_run(&r), STEP_WAKE);
	cr_assert_eq(taken_count, 3);
	conserved(3, 0, 0, 3);
	for (unsigned i = 0; i < 3; i++) {
		cr_assert_eq(all_taken[i]->parcel, all_taken[0]->parcel);
		cr_assert_eq(all_taken[i]->items, 1);
		cr_assert_eq(all_taken[i]->part, 0);
		cr_assert_eq(all_taken[i]->value.p, taken->parcel->mem->data + 33 * i);
	}
	record_done(all_taken[1], DELIVERY_OK, V_ACCEPTED, 1, 7);
	record_done(all_taken[0], DELIVERY_OK, V_ACCEPTED, 0, 9);
	cr_assert_eq(woken, 0);
	record_done(all_taken[2], DELIVERY_OK, V_ACCEPTED, 2, 5);
	cr_assert_eq(woken, 1);
	cr_assert_eq(r.verdict, V_ACCEPTED);
	cr_assert_eq(budget_at_wake, 0);
	conserved(3, 3, 0, 0);
	cr_assert_eq(items(TS_ITEMS_LATE), 0);
}

/* records.md 4: any part failed: 503 */
Test(sink, one_record_that_failed_is_the_answer_for_all)
{
	is_many(3);
	produce_run(&r);
	record_done(all_taken[0], DELIVERY_TIMED_OUT, V_KAFKA_TIMEOUT, -1, -1);
	record_done(all_taken[1], DELIVERY_OK, V_ACCEPTED, 0, 0);
	record_done(all_taken[2], DELIVERY_OK, V_ACCEPTED, 0, 1);
	cr_assert_eq(r.verdict, V_KAFKA_TIMEOUT);
	conserved(3, 2, 1, 0);
	cr_assert_eq(items(TS_ITEMS_LATE), 2, "stored, and answered 503");
}

/* Whoever repeats it finds out about the size: the other way round it would be given up too soon.
 */
Test(sink, a_fault_that_passes_goes_before_one_that_does_not)
{
	for (int first = 0; first < 2; first++) {
		if (first)
			arrives(BODY);
		taken_count = 0;
		is_many(2);
		produce_run(&r);
		record_done(all_taken[first], DELIVERY_TOO_LARGE, V_RECORD_SIZE, -1, -1);
		record_done(all_taken[!first], DELIVERY_TIMED_OUT, V_KAFKA_TIMEOUT, -1, -1);
		cr_assert_eq(r.verdict, V_KAFKA_TIMEOUT);
	}
}

Test(sink, many_records_that_are_stored_at_once_need_no_wake)
{
	says = V_ACCEPTED;
	is_many(3);
	cr_assert_eq(produce_run(&r), STEP_REPLY);
	cr_assert_eq(r.verdict, V_ACCEPTED);
	cr_assert_eq(woken, 0);
	conserved(3, 3, 0, 0);
}

Test(sink, what_the_sink_took_before_it_refused_is_answered_first)
{
	is_many(5);
	says_from = 2;
	says_then = V_OVERLOAD;
	cr_assert_eq(produce_run(&r), STEP_WAKE);
	conserved(2, 0, 0, 2);
	cr_assert_eq(items(TS_REFUSED_OVERLOAD), 3);
	record_done(all_taken[0], DELIVERY_OK, V_ACCEPTED, 0, 0);
	cr_assert_eq(woken, 0);
	record_done(all_taken[1], DELIVERY_OK, V_ACCEPTED, 0, 1);
	cr_assert_eq(woken, 1);
	cr_assert_eq(r.verdict, V_OVERLOAD);
	conserved(2, 2, 0, 0);
}

Test(sink, many_records_of_which_the_sink_takes_none_are_refused_whole)
{
	is_many(5);
	says = V_TOPIC_UNAVAILABLE;
	cr_assert_eq(produce_run(&r), STEP_REPLY);
	cr_assert_eq(r.verdict, V_TOPIC_UNAVAILABLE);
	cr_assert_eq(items(TS_REFUSED_OTHER), 5);
	conserved(0, 0, 0, 0);
	cr_assert(!r.produced);
	cr_assert_eq(budget_used(w.budget), 0);
}

/* All or nothing: before the first is sent all of them are known to fit. */
Test(sink, one_record_over_the_limit_refuses_all)
{
	is_many(3);
	slices_add(&w.kit.slices, 0, BODY, 1);
	route.record_max = 756;
	cr_assert_eq(produce_run(&r), STEP_REPLY);
	cr_assert_eq(r.verdict, V_RECORD_SIZE);
	cr_assert_eq(taken_count, 0);
	cr_assert_eq(items(TS_REFUSED_SIZE), 3);
}

Test(sink, more_records_than_any_budget_holds_are_413_with_the_figure)
{
	is_many(1000);
	cr_assert_eq(produce_run(&r), STEP_REPLY);
	cr_assert_eq(r.verdict, V_COUNT);
	cr_assert_eq(taken_count, 0);
	cr_assert(strstr(r.detail, "1000 records in one request exceed the limit of"), "%s",
	          r.detail);
}

static void has_a_larger_budget(void)
{
	budget_give(w.budget, TENANT, r.charged);
	budget_free(w.budget);
	w.budget = budget_new(64 * MIB, 100, 10);
	cr_assert(budget_take(w.budget, TENANT, 0, r.charged));
}

Test(sink, very_many_records_are_sent_over_several_turns)
{
	has_a_larger_budget();
	is_many(2500);
	cr_assert_eq(produce_run(&r), STEP_TURN);
	cr_assert_eq(taken_count, 1000);
	/* another request in between uses the worker's own slices */
	w.kit.slices.n = 0;
	slices_add(&w.kit.slices, 50, 50, 7);
	for (unsigned i = 0; i < 1000; i++) /* all that are sent have their reports */
		record_done(all_taken[i], DELIVERY_OK, V_ACCEPTED, 0, i);
	cr_assert_eq(woken, 0);
	cr_assert_eq(produce_run(&r), STEP_TURN);
	cr_assert_eq(produce_run(&r), STEP_WAKE);
	cr_assert_eq(taken_count, 2500);
	cr_assert_eq(taken->value.n, 1);
	conserved(2500, 1000, 0, 1500);
	for (unsigned i = 1000; i < 2500; i++)
		record_done(all_taken[i], DELIVERY_OK, V_ACCEPTED, 0, i);
	cr_assert_eq(woken, 1);
	cr_assert_eq(r.verdict, V_ACCEPTED);
	conserved(2500, 2500, 0, 0);
}

Test(sink, a_client_that_goes_between_two_turns_leaves_what_was_sent)
{
	has_a_larger_budget();
	is_many(1500);
	cr_assert_eq(produce_run(&r), STEP_TURN);
	produce_abandon(&r);
	alive = false;
	conserved(1000, 0, 0, 1000);
	cr_assert_eq(items(TS_REFUSED_OTHER), 500);
	for (unsigned i = 0; i < 1000; i++)
		record_done(all_taken[i], DELIVERY_OK, V_ACCEPTED, 0, i);
	conserved(1000, 1000, 0, 0);
	cr_assert_eq(budget_used(w.budget), 0);
	cr_assert_eq(woken, 0);
}

/* Repeated, they come twice: whoever counts duplicates must know. */
Test(sink, what_is_delivered_of_a_request_that_ended_between_two_turns_is_late)
{
	has_a_larger_budget();
	is_many(1500);
	cr_assert_eq(produce_run(&r), STEP_TURN);
	for (unsigned i = 0; i < 400; i++)
		record_done(all_taken[i], DELIVERY_OK, V_ACCEPTED, 0, i);
	alive = false;
	produce_abandon(&r);
	for (unsigned i = 400; i < 1000; i++)
		record_done(all_taken[i], DELIVERY_OK, V_ACCEPTED, 0, i);
	conserved(1000, 1000, 0, 0);
	cr_assert_eq(items(TS_ITEMS_LATE), 1000);
}

Test(sink, a_request_that_ends_when_all_that_was_sent_is_delivered_gives_its_budget_back)
{
	has_a_larger_budget();
	is_many(1500);
	cr_assert_eq(produce_run(&r), STEP_TURN);
	for (unsigned i = 0; i < 1000; i++)
		record_done(all_taken[i], DELIVERY_OK, V_ACCEPTED, 0, i);
	cr_assert_gt(budget_used(w.budget), 0, "500 are still to be sent");
	alive = false;
	produce_abandon(&r);
	cr_assert_eq(budget_used(w.budget), 0);
	conserved(1000, 1000, 0, 0);
	cr_assert_eq(items(TS_ITEMS_LATE), 1000);
	produce_abandon(&r); /* once is enough */
}

/* A timeout in the first turn, a size in the second, all of it answered before that: 413 would make
 * the client give up what it could have stored. */
Test(sink, a_refusal_between_turns_does_not_hide_a_fault_that_passes)
{
	has_a_larger_budget();
	is_many(1500);
	cr_assert_eq(produce_run(&r), STEP_TURN);
	record_done(all_taken[0], DELIVERY_TIMED_OUT, V_KAFKA_TIMEOUT, -1, -1);
	for (unsigned i = 1; i < 1000; i++)
		record_done(all_taken[i], DELIVERY_OK, V_ACCEPTED, 0, i);
	says = V_RECORD_SIZE;
	cr_assert_eq(produce_run(&r), STEP_REPLY);
	cr_assert_eq(r.verdict, V_KAFKA_TIMEOUT);
	conserved(1000, 999, 1, 0);
	cr_assert_eq(items(TS_ITEMS_LATE), 999);
	cr_assert_eq(items(TS_REFUSED_SIZE), 500);
}

Test(sink, a_size_refused_behind_records_that_were_stored_is_told_without_figures)
{
	has_a_larger_budget();
	is_many(1001);
	cr_assert_eq(produce_run(&r), STEP_TURN);
	for (unsigned i = 0; i < 1000; i++)
		record_done(all_taken[i], DELIVERY_OK, V_ACCEPTED, 0, i);
	says = V_RECORD_SIZE;
	cr_assert_eq(produce_run(&r), STEP_REPLY);
	cr_assert_eq(r.verdict, V_RECORD_SIZE);
	cr_assert_str_eq(r.detail,
	                 "the broker refuses a record of this size for the topic of this route");
	cr_assert_eq(items(TS_ITEMS_LATE), 1000);
}

/* Whichever record fails, and in whatever order the reports come. */
Test(sink, items_are_conserved_whatever_becomes_of_each_record)
{
	static const struct {
		enum delivery how;
		enum verdict v;
	} ends[] = { { DELIVERY_OK, V_ACCEPTED },
		     { DELIVERY_TIMED_OUT, V_KAFKA_TIMEOUT },
		     { DELIVERY_MAYBE, V_KAFKA_TIMEOUT },
		     { DELIVERY_TOO_LARGE, V_RECORD_SIZE },
		     { DELIVERY_AUTHORIZATION, V_TOPIC_UNAVAILABLE },
		     { DELIVERY_FATAL, V_KAFKA_TIMEOUT },
		     { DELIVERY_STORE, V_STORE },
		     { DELIVERY_OTHER, V_KAFKA_TIMEOUT } };
	uint64_t ended;

	is_many(16);
	cr_assert_eq(produce_run(&r), STEP_WAKE);
	for (unsigned i = 0; i < 16; i++) {
		unsigned at = i * 5 % 16;

		cr_expect_eq(items(TS_ITEMS_IN_FLIGHT), 16 - i);
		record_done(all_taken[at], ends[at % 8].how, ends[at % 8].v, 0, 0);
		ended = items(TS_ITEMS_DELIVERED);
		for (enum tenant_stat id = TS_FAILED_TIMED_OUT; id <= TS_FAILED_OTHER; id++)
			ended += items(id);
		cr_expect_eq(items(TS_ITEMS_ACCEPTED), ended + items(TS_ITEMS_IN_FLIGHT));
	}
	cr_assert_eq(woken, 1);
	cr_assert(!verdict_is_success(r.verdict));
	cr_assert(verdict_get(r.verdict)->flags & VF_RETRY, "%s", verdict_get(r.verdict)->id);
	cr_assert_eq(items(TS_ITEMS_DELIVERED), 2);
}

/* ---- a value in parts ---- */

static size_t wanted_limit = 500;

/* Every 500 bytes a part; what is left behind them is left out. */
static enum split test_split(const struct split_in *in, uint8_t *out, size_t cap, size_t *n,
                             struct slices *parts, uint64_t *rejected)
{
	parts->n = 0;
	cr_assert_eq(in->limit, wanted_limit);
	*n = in->value.n;
	if (cap < *n)
		return SPLIT_ROOM;
	memcpy(out, in->value.p, *n);
	for (size_t i = 0; i + 500 <= *n; i += 500)
		slices_add(parts, i, 500, 3);
	*rejected = *n % 500 ? 1 : 0;
	return parts->n ? SPLIT_OK : SPLIT_ITEM;
}

static struct format split_formats[2];
static struct protocol split_protocol;
static struct route split_route;

static void is_split_route(size_t bytes)
{
	budget_give(w.budget, TENANT, r.charged);
	body_put(w.bodies, r.body_mem);
	arrives(bytes);
	split_formats[0] = formats[0];
	split_formats[0].split = test_split;
	r.format = split_formats;
	split_protocol = protocol;
	split_protocol.formats = split_formats;
	split_route = route;
	split_route.protocol = &split_protocol;
	/* 4 key, 141 and the part's header, 512, and 500 of the value */
	split_route.record_max = 4 + 141 + 13 + RECORD_PART_BYTES + 512 + 500;
	r.route = &split_route;
}

/* R8 */
Test(sink, a_value_too_large_for_one_record_goes_in_numbered_parts)
{
	char part[RECORD_PART_BYTES];
	struct record_header h;

	is_split_route(1500);
	cr_assert_eq(produce_run(&r), STEP_WAKE);
	cr_assert_eq(taken_count, 3);
	for (unsigned i = 0; i < 3; i++) {
		char wanted[8];

		snprintf(wanted, sizeof(wanted), "%u/3", i + 1);
		cr_assert(record_header(all_taken[i], 6, part, &h));
		cr_assert_str_eq(h.name, "headgate-part");
		cr_assert(bytes_eq(h.value, bytes_str(wanted)));
		cr_assert(!record_header(all_taken[i], 7, part, &h));
		cr_assert_eq(all_taken[i]->items, 3);
	}
	for (unsigned i = 0; i < 3; i++)
		record_done(all_taken[i], DELIVERY_OK, V_ACCEPTED, 0, 0);
	cr_assert_eq(r.verdict, V_ACCEPTED);
}

Test(sink, what_no_part_can_hold_is_counted_as_refused)
{
	is_split_route(1001);
	cr_assert_eq(produce_run(&r), STEP_WAKE);
	cr_assert_eq(taken_count, 2);
	cr_assert_eq(r.enriched.rejected, 1);
	cr_assert_eq(items(TS_REFUSED_SIZE), 1);
	for (unsigned i = 0; i < 2; i++)
		record_done(all_taken[i], DELIVERY_OK, V_ACCEPTED, 0, 0);
	cr_assert_eq(r.verdict, V_PARTIAL);
	conserved(6, 6, 0, 0);
}

/* The first two headers and no other: not at a place that another request left behind either. */
Test(sink, parts_of_a_route_with_the_tenants_headers_alone_have_no_number)
{
	char part[RECORD_PART_BYTES];
	struct record_header h;

	says = V_ACCEPTED; /* a parcel that was numbered, and comes back */
	is_split_route(1500);
	cr_assert_eq(produce_run(&r), STEP_REPLY);
	says = V_NONE;
	taken_count = 0;
	is_split_route(1500);
	split_route.headers = HEADERS_TENANT;
	split_route.record_max = 4 + 30 + 512 + 500;
	cr_assert_eq(produce_run(&r), STEP_WAKE);
	cr_assert_eq(taken_count, 3);
	for (unsigned i = 0; i < 3; i++) {
		cr_assert(record_header(all_taken[i], 0, part, &h));
		cr_assert_str_eq(h.name, "X-Scope-OrgID");
		cr_assert(record_header(all_taken[i], 1, part, &h));
		cr_assert_str_eq(h.name, "tenant_id");
		cr_assert(!record_header(all_taken[i], 2, part, &h), "%s", h.name);
	}
	for (unsigned i = 0; i < 3; i++)
		record_done(all_taken[i], DELIVERY_OK, V_ACCEPTED, 0, 0);
}

Test(sink, a_value_of_which_no_part_fits_is_413_and_nothing_is_produced)
{
	is_split_route(499);
	split_route.record_max = 4 + 141 + 13 + RECORD_PART_BYTES + 512 + 400;
	wanted_limit = 400;
	cr_assert_eq(produce_run(&r), STEP_REPLY);
	cr_assert_eq(r.verdict, V_RECORD_SIZE);
	cr_assert_eq(taken_count, 0);
	cr_assert_eq(items(TS_REFUSED_SIZE), 7);
}

/* records.md 1.3: the topic's limit may be lower than the route's. */
Test(sink, parts_keep_to_the_ceiling_of_the_topic)
{
	is_split_route(1500);
	bound = split_route.record_max;
	split_route.record_max = MIB;
	cr_assert_eq(produce_run(&r), STEP_WAKE);
	cr_assert_eq(taken_count, 3);
	for (unsigned i = 0; i < 3; i++)
		record_done(all_taken[i], DELIVERY_OK, V_ACCEPTED, 0, 0);
	cr_assert_eq(r.verdict, V_ACCEPTED);
}

Test(sink, parts_that_find_no_budget_are_503_and_none_is_produced)
{
	is_split_route(1500);
	cr_assert(budget_take(w.budget, TENANT + 1, 0, 96 * KIB - r.charged));
	cr_assert_eq(produce_run(&r), STEP_REPLY);
	cr_assert_eq(r.verdict, V_OVERLOAD);
	cr_assert_eq(taken_count, 0);
	budget_give(w.budget, TENANT + 1, 96 * KIB - body_capacity(1500));
}
