/* SPDX-License-Identifier: Apache-2.0 */
#undef HEADGATE_REVISION /* that of the build */
#define HEADGATE_REVISION "test"
#include "worker/status.c"

#include <jansson.h>

#include "tests/unit/worker/fixture.h"

static json_t *status(struct fixture *f)
{
	const char *reply =
		fixture_admin(f, "GET /status.json HTTP/1.1\r\nHost: localhost\r\n\r\n");
	json_t *doc;

	cr_assert_eq(fixture_status(reply), 200);
	cr_assert(fixture_has(reply, "Content-Type: application/json"));
	doc = json_loads(fixture_body(reply), JSON_REJECT_DUPLICATES, NULL);
	cr_assert(doc, "%s", reply);
	return doc;
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
