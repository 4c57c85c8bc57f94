/* SPDX-License-Identifier: Apache-2.0 */
#undef HEADGATE_REVISION /* that of the build */
#define HEADGATE_REVISION "test"
#include "worker/status.c"

#include <jansson.h>

#include "tests/unit/worker/fixture.h"

/* By HTTP/1.0, which knows no chunks: the body is the document. */
static json_t *status(struct fixture *f)
{
	const char *reply =
		fixture_admin(f, "GET /status.json HTTP/1.0\r\nHost: localhost\r\n\r\n");
	json_t *doc;

	cr_assert_eq(fixture_status(reply), 200);
	cr_assert(fixture_has(reply, "Content-Type: application/json"));
	doc = json_loads(fixture_body(reply), JSON_REJECT_DUPLICATES, NULL);
	cr_assert(doc, "%s", reply);
	return doc;
}

static const json_t *member(const json_t *o, const char *key)
{
	const json_t *value = json_object_get(o, key);

	cr_assert(value, "no %s", key);
	return value;
}

static json_int_t integer(const json_t *o, const char *key)
{
	cr_assert(json_is_integer(member(o, key)), "%s", key);
	return json_integer_value(member(o, key));
}

static const char *string(const json_t *o, const char *key)
{
	cr_assert(json_is_string(member(o, key)), "%s", key);
	return json_string_value(member(o, key));
}

Test(status, the_page_says_who_runs_and_what_they_serve)
{
	struct fixture *f = fixture_open();
	struct stats_head *head = stats_head(f->w.stats);
	json_t *doc, *worker;

	atomic_store(&head->pid, 4711);
	atomic_store(&head->slot, 3);
	atomic_store(&head->generation, 12);
	atomic_store(&head->heartbeat_ms, (uint64_t)loop_now() - 40);
	doc = status(f);
	cr_assert_eq(json_integer_value(json_object_get(doc, "schema")), 1);
	cr_assert_str_eq(json_string_value(json_object_get(doc, "version")), HEADGATE_VERSION);
	cr_assert(json_is_true(json_object_get(doc, "ready")));
	cr_assert_eq(json_integer_value(json_object_get(json_object_get(doc, "table"), "tokens")),
	             12);
	cr_assert_eq(json_array_size(json_object_get(doc, "workers")), 1u);
	worker = json_array_get(json_object_get(doc, "workers"), 0);
	cr_assert_eq(json_integer_value(json_object_get(worker, "pid")), 4711);
	cr_assert_eq(json_integer_value(json_object_get(worker, "heartbeat_age_ms")), 40);
	cr_assert_eq(
		json_integer_value(json_object_get(json_object_get(doc, "sink"), "capacity_bytes")),
		256 * MIB);
	json_decref(doc);
	fixture_close(f);
}

Test(status, without_a_table_it_says_null_and_not_ready)
{
	struct fixture *f = fixture_open();
	struct snapshot *table = f->w.table;
	json_t *doc;

	f->w.table = NULL;
	doc = status(f);
	cr_assert(json_is_null(json_object_get(doc, "table")));
	cr_assert(json_is_false(json_object_get(doc, "ready")));
	cr_assert_eq(json_array_size(json_object_get(doc, "workers")), 0u);
	json_decref(doc);
	f->w.table = table;
	fixture_close(f);
}

Test(status, as_many_workers_as_there_can_be_fit)
{
	struct fixture *f = fixture_open();
	json_t *doc;

	atomic_store(&stats_head(f->w.stats)->pid, INT32_MAX);
	atomic_store(&stats_head(f->w.stats)->generation, INT64_MAX);
	atomic_store(&stats_head(f->w.stats)->table_generation, INT64_MAX);
	stats_set(f->w.stats, STAT_WORKER_RSS, 0, 0, INT64_MAX);
	for (unsigned i = 3; i < PAGES_MAX; i++)
		f->w.pages[i] = f->w.stats;
	f->w.page_count = PAGES_MAX;
	doc = status(f);
	cr_assert_eq(json_array_size(json_object_get(doc, "workers")), (size_t)PAGES_MAX - 2);
	json_decref(doc);
	fixture_close(f);
}

Test(status, what_the_master_said_is_there)
{
	struct fixture *f = fixture_open();
	const json_t *cert;
	json_t *doc;

	facts_set(stats_facts(f->w.pages[0]),
	          BYTES("{\"started_at\":\"2025-11-24T15:58:20Z\",\"started_at_s\":1763999900,"
	                "\"last_reload\":{\"result\":\"config\",\"at\":\"x\",\"why\":\"y\"},"
	                "\"tenants\":{\"source\":\"postgres\",\"state\":\"away\"},"
	                "\"jwks\":[{\"issuer\":\"i\",\"keys\":2}],"
	                "\"certificates\":[{\"file\":\"/c\",\"not_after_s\":1764777600}]}"));
	doc = status(f);
	cr_assert_eq(integer(doc, "uptime_s"), 100);
	cr_assert_str_eq(string(member(doc, "last_reload"), "result"), "config");
	cr_assert_str_eq(string(member(doc, "tenants"), "state"), "away");
	cr_assert_eq(integer(json_array_get(member(doc, "jwks"), 0), "keys"), 2);
	cert = json_array_get(member(doc, "certificates"), 0);
	cr_assert_eq(integer(cert, "days_left"), 9);
	cr_assert(json_is_null(member(doc, "left_out")));
	json_decref(doc);
	fixture_close(f);
}

Test(status, before_the_master_has_spoken_its_part_is_null)
{
	static const char *const keys[] = { "started_at", "uptime_s", "last_reload",
		                            "tenants",    "jwks",     "certificates" };
	struct fixture *f = fixture_open();
	json_t *doc;

	facts_set(stats_facts(f->w.pages[0]), BYTES("{torn"));
	doc = status(f);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		cr_assert(json_is_null(member(doc, keys[i])), "%s", keys[i]);
	json_decref(doc);
	fixture_close(f);
}

static void fault(struct fixture *f, unsigned page, unix_ns at, int worker, const char *text)
{
	struct last_error line = { .at = at, .worker = worker, .module = "m" };

	snprintf(line.text, sizeof(line.text), "%s", text);
	last_errors_add(&stats_head(f->w.pages[page])->errors, &line);
}

/* operations.md 8, Alarm */
Test(status, errors_of_all_processes_and_of_the_dead_are_there_the_newest_first)
{
	struct fixture *f = fixture_open();
	const json_t *errors;
	json_t *doc;

	fault(f, 0, 2000000000, -1, "the master's");
	fault(f, 1, 1000000000, 4, "of one that is dead");
	fault(f, 2, 3000000000, 3, "<b>&\"\xff");
	doc = status(f);
	errors = member(doc, "errors");
	cr_assert_eq(json_array_size(errors), 3u);
	cr_assert_str_eq(string(json_array_get(errors, 0), "text"), "<b>&\"?");
	cr_assert_str_eq(string(json_array_get(errors, 0), "at"), "1970-01-01T00:00:03Z");
	cr_assert_eq(integer(json_array_get(errors, 0), "worker"), 3);
	cr_assert(json_is_null(member(json_array_get(errors, 1), "worker")));
	cr_assert_str_eq(string(json_array_get(errors, 2), "text"), "of one that is dead");
	json_decref(doc);
	fixture_close(f);
}

Test(status, brokers_stores_and_queues_are_those_of_all_workers)
{
	static const char *brokers[] = { "a:9092", "b:9092", "c:9092" };
	struct fixture *f = fixture_new();
	const json_t *sink, *list;
	json_t *doc;

	f->conf.kafka.brokers.v = brokers;
	f->conf.kafka.brokers.n = ARRAY_LEN(brokers);
	fixture_start(f, -1, -1);
	for (unsigned page = 1; page < 3; page++) {
		stats_set(f->w.pages[page], STAT_KAFKA_QUEUE_BYTES, 0, 0, 100);
		stats_set(f->w.pages[page], STAT_KAFKA_BROKER_UP, 0, 0, 1);
		stats_set(f->w.pages[page], STAT_KAFKA_BROKER_UP, 1, 0, page == 1);
		stats_add(f->w.pages[page], STAT_KAFKA_ERRORS, page, 0, 2);
	}
	doc = status(f);
	sink = json_array_get(member(doc, "sinks"), 0);
	cr_assert_eq(integer(sink, "queue_bytes"), 200);
	cr_assert_eq(integer(sink, "delivery_errors"), 4);
	list = member(sink, "brokers");
	cr_assert_eq(json_array_size(list), 3u);
	cr_assert(json_is_true(member(json_array_get(list, 0), "up")));
	cr_assert(json_is_false(member(json_array_get(list, 1), "up")));
	cr_assert(json_is_false(member(json_array_get(list, 2), "up"))); /* nobody has looked */
	cr_assert_null(json_object_get(sink, "store_bytes"));
	json_decref(doc);
	f->conf.spool.enabled = true;
	stats_set(f->w.pages[1], STAT_STORE_BYTES, STORE_SPOOL, 0, 55);
	doc = status(f);
	cr_assert_eq(integer(json_array_get(member(doc, "sinks"), 0), "store_bytes"), 55);
	json_decref(doc);
	f->conf.sink = SINK_LOCAL;
	stats_set(f->w.pages[1], STAT_STORE_BYTES, STORE_LOCAL, 0, 77);
	stats_set(f->w.pages[2], STAT_STORE_BYTES, STORE_LOCAL, 0, 70);
	doc = status(f);
	cr_assert_eq(integer(json_array_get(member(doc, "sinks"), 0), "store_bytes"), 77);
	json_decref(doc);
	fixture_close(f);
}

Test(status, who_sent_is_among_the_tenants)
{
	struct fixture *f = fixture_open();
	unsigned slot = limits_metric_slot(f->w.limits, 1, BYTES("acme"));
	const json_t *one;
	json_t *doc;

	stats_tenant_add(f->w.stats, slot, SIGNAL_LOGS, TS_TENANT_REQUESTS, 2);
	stats_tenant_add(f->w.stats, slot, SIGNAL_LOGS, TS_TENANT_BYTES, 300);
	doc = status(f);
	cr_assert_eq(json_array_size(member(doc, "top_tenants")), 1u);
	one = json_array_get(member(doc, "top_tenants"), 0);
	cr_assert_str_eq(string(one, "tenant"), "acme");
	cr_assert_eq(integer(one, "requests"), 2);
	cr_assert_eq(integer(one, "bytes"), 300);
	json_decref(doc);
	fixture_close(f);
}
