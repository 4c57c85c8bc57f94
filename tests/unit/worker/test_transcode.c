/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/transcode.c"

#include "common/buf.h"
#include "tests/unit/worker/otlp_bodies.h"

#define JSON "Content-Type: application/json\r\n"

static const char one_span_json[] = "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":"
				    "\"0102030405060708090a0b0c0d0e0f10\",\"spanId\":"
				    "\"0102030405060708\",\"name\":\"x\"}]}]}]}";

static const char *send_json(struct fixture *f, const char *path, const char *fields,
                             const void *body, size_t n, size_t piece)
{
	char all[512];
	struct request q;
	const char *reply;

	snprintf(all, sizeof(all), ACME "%s", fields);
	q = request_of(path, all, body, n);
	reply = fixture_run(f, &f->public, request_bytes(&q), piece);
	free(q.p);
	return reply;
}

static const char *send_text(struct fixture *f, const char *path, const char *text)
{
	return send_json(f, path, JSON, text, strlen(text), SIZE_MAX);
}

/* P1, R26 */
Test(transcode, json_gives_the_record_of_the_same_protobuf)
{
	struct fixture *f = fixture_open();
	static const char *const types[] = { JSON,
		                             "Content-Type: application/json; charset=utf-8\r\n",
		                             "Content-Type: APPLICATION/JSON\r\n" };

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		const char *reply = send_json(f, "/v1/traces", types[i], one_span_json,
		                              strlen(one_span_json), SIZE_MAX);

		cr_assert_eq(fixture_status(reply), 200);
		cr_expect(fixture_has(reply, "Content-Type: application/json"), "%s", reply);
		cr_expect_str_eq(fixture_body(reply), "{}");
		cr_assert_eq(f->record_count, i + 1);
		cr_assert_eq(f->records[i].value_n, sizeof(one_span_stamped));
		cr_assert_arr_eq(f->records[i].value, one_span_stamped, sizeof(one_span_stamped));
	}
	cr_expect_str_eq(f->r.format->record_format, "otlp_proto");
	cr_expect_str_eq(f->r.format->record_type, "application/x-protobuf");
	cr_expect_str_eq(route_topic_text(f->r.route, f->r.format), "otlp_spans");
	fixture_close(f);
}

/* P22 */
Test(transcode, byte_by_byte_gives_the_same_record)
{
	struct fixture *f = fixture_open();

	for (size_t piece = 1; piece < 40; piece += 19)
		cr_assert_eq(fixture_status(send_json(f, "/v1/traces", JSON, one_span_json,
		                                      strlen(one_span_json), piece)),
		             200);
	cr_assert_eq(f->record_count, 3);
	for (unsigned i = 0; i < f->record_count; i++)
		cr_assert(bytes_eq(bytes_of(f->records[i].value, f->records[i].value_n),
		                   bytes_of(one_span_stamped, sizeof(one_span_stamped))));
	fixture_close(f);
}

Test(transcode, gzip_around_json_is_undone_first)
{
	struct fixture *f = fixture_open();
	struct request z = gzip_of(one_span_json, strlen(one_span_json));

	cr_assert_eq(fixture_status(send_json(f, "/v1/traces", JSON GZIP, z.p, z.n, SIZE_MAX)),
	             200);
	cr_assert_eq(f->record_count, 1);
	cr_assert_eq(f->records[0].value_n, sizeof(one_span_stamped));
	cr_assert_eq(f->r.decoded_bytes, strlen(one_span_json));
	free(z.p);
	fixture_close(f);
}

/* P2 */
Test(transcode, no_bytes_are_400_and_no_items_are_200)
{
	struct fixture *f = fixture_open();

	cr_expect_eq(fixture_status(send_text(f, "/v1/traces", "")), 400);
	cr_expect_eq(f->r.verdict, V_INVALID);
	cr_expect_eq(fixture_status(send_text(f, "/v1/traces", "{}")), 200);
	cr_expect_eq(f->r.verdict, V_EMPTY);
	cr_expect_eq(fixture_status(send_text(f, "/v1/logs", "{\"resourceLogs\":[{}]}")), 200);
	cr_expect_eq(f->r.verdict, V_EMPTY);
	cr_expect_eq(f->record_count, 0);
	fixture_close(f);
}

/* P2, F44 */
Test(transcode, nonsense_is_400_and_says_what_and_where)
{
	struct fixture *f = fixture_open();
	const char *reply = send_text(f, "/v1/metrics", "{\"resourceMetrics\":[{\"resource\":3}]}");

	cr_assert_eq(fixture_status(reply), 400);
	cr_expect(strstr(reply, "\"code\":3"), "%s", reply);
	cr_expect(strstr(reply, "resourceMetrics[0].resource: expected an object (byte 32)"), "%s",
	          reply);
	cr_expect_eq(f->r.refused_at, STAGE_ENRICH);
	cr_expect_eq(fixture_status(send_text(f, "/v1/traces", "{\"resourceLogs\":[{}]}")), 400);
	cr_expect_eq(f->record_count, 0);
	fixture_close(f);
}

/* P10 */
Test(transcode, a_lone_surrogate_is_mended_in_logs_and_counted)
{
	struct fixture *f = fixture_open();
	static const char text[] = "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":{"
				   "\"stringValue\":\"xyz\\ud83d\"}}]}]}]}";

	cr_assert_eq(fixture_status(send_text(f, "/v1/logs", text)), 200);
	cr_assert_eq(f->record_count, 1);
	cr_assert(memmem(f->records[0].value, f->records[0].value_n, "xyz\xef\xbf\xbd", 6));
	cr_assert_eq(
		stats_tenant_get(f->w.stats, f->r.who.metric_slot, SIGNAL_LOGS, TS_ITEMS_REPAIRED),
		1);
	fixture_close(f);
}

/* Metrics whose bucket counts are n zeros: as protobuf four times as long. */
static struct request zeros(size_t n)
{
	struct request q;
	struct buf b;

	buf_init(&b, 4 * MIB);
	buf_str(&b, "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"histogram\":{"
	            "\"dataPoints\":[{\"bucketCounts\":[0");
	for (size_t i = 1; i < n; i++)
		buf_str(&b, ",0");
	buf_str(&b, "]}]}}]}]}]}");
	cr_assert_not(b.failed);
	q = request_of("/v1/metrics", ACME JSON, b.p, b.n);
	buf_done(&b);
	return q;
}

/* P14 */
Test(transcode, what_grows_fourfold_gets_a_second_buffer)
{
	struct fixture *f = fixture_open();
	struct request q = zeros(50000);

	cr_assert_eq(fixture_status(fixture_run(f, &f->public, request_bytes(&q), SIZE_MAX)), 200);
	cr_assert_eq(f->record_count, 1);
	cr_assert_gt(f->records[0].value_n, (size_t)400000);
	cr_assert_lt(f->records[0].value_n, (size_t)400200);
	free(q.p);
	fixture_close(f);
}

Test(transcode, what_would_grow_over_the_limit_is_413)
{
	struct fixture *f = fixture_new();
	struct request q = zeros(50000), fits = zeros(10000);

	f->conf.limits.inflated = 128 * KIB;
	fixture_start(f, -1, -1);
	cr_assert_eq(fixture_status(fixture_run(f, &f->public, request_bytes(&q), SIZE_MAX)), 413);
	cr_assert_eq(f->r.verdict, V_INFLATED_SIZE);
	cr_assert_eq(f->record_count, 0);
	cr_assert_eq(budget_used(f->w.budget), 0);
	cr_assert_eq(fixture_status(fixture_run(f, &f->public, request_bytes(&fits), SIZE_MAX)),
	             200);
	free(q.p);
	free(fits.p);
	fixture_close(f);
}

Test(transcode, output_is_charged_before_it_is_written)
{
	struct fixture *f = fixture_new();
	struct request q = zeros(400000); /* 800 KB, then 3.2 MB */

	f->conf.limits.worker_bytes = 8 * MIB;
	f->conf.record.max_bytes = 8 * MIB;
	fixture_start(f, -1, -1);
	cr_assert(budget_take(f->w.budget, 2, 0, 5 * MIB));
	cr_assert_eq(fixture_status(fixture_run(f, &f->public, request_bytes(&q), SIZE_MAX)), 503);
	cr_assert_eq(f->r.verdict, V_OVERLOAD);
	budget_give(f->w.budget, 2, 5 * MIB);
	cr_assert_eq(budget_used(f->w.budget), 0);
	fixture_enrich_header(f);
	cr_assert_eq(fixture_status(fixture_run(f, &f->public, request_bytes(&q), SIZE_MAX)), 200);
	free(q.p);
	fixture_close(f);
}

Test(transcode, what_no_budget_could_hold_is_413)
{
	struct fixture *f = fixture_new();
	struct request q = zeros(400000);

	f->conf.limits.worker_bytes = 3 * MIB;
	fixture_start(f, -1, -1);
	cr_assert_eq(fixture_status(fixture_run(f, &f->public, request_bytes(&q), SIZE_MAX)), 413);
	cr_assert_eq(f->r.verdict, V_INFLATED_SIZE);
	free(q.p);
	fixture_close(f);
}

#define SEVENTY "0123456789012345678901234567890123456789012345678901234567890123456789"
#define CLAIMS "{\"sub\":\"" SEVENTY SEVENTY SEVENTY SEVENTY SEVENTY SEVENTY SEVENTY SEVENTY "\"}"

#define WHO                                                                                        \
	"\"columns\":[{\"name\":\"who\",\"required\":true,\"data_type\":{\"name\":\"W\","          \
	"\"jwt\":true,\"columns\":[]}}]"

/* To a model whose objects get the claims, by somebody who has some. */
static enum verdict send_to_model(const char *model, uint64_t worker_bytes, uint64_t record_max,
                                  const char *body)
{
	static struct conf_file file = { .path = "e.json" };
	struct request q = request_of("/ingest/E", ACME JSON, body, strlen(body));
	struct fixture *f = fixture_new();
	enum verdict v;

	file.content = bytes_str(model);
	f->conf.protocols.models.enabled = true;
	f->conf.protocols.models.dir.v = &file;
	f->conf.protocols.models.dir.n = 1;
	f->conf.protocols.models.max_body = 100;
	f->conf.limits.worker_bytes = worker_bytes;
	if (record_max)
		f->conf.record.max_bytes = record_max;
	f->listener_confs[0].dialect = LISTENER_MOOSE;
	fixture_start(f, -1, -1);
	fixture_begin(f, &f->public);
	fixture_feed(f, q.p, q.n - 1);
	cr_assert_eq(stages_run(&f->r), STEP_BYTES);
	f->r.who.claims = BYTES(CLAIMS);
	fixture_feed(f, q.p + q.n - 1, 1);
	free(q.p);
	while (stages_run(&f->r) == STEP_ROOM)
		fixture_send_out(f);
	v = f->r.verdict;
	if (v == V_ACCEPTED)
		cr_assert(bytes_eq(bytes_of(f->records[0].value, f->records[0].value_n),
		                   BYTES("{\"who\":" CLAIMS "}")));
	req_finish(&f->r);
	cr_assert_eq(budget_used(f->w.budget), 0);
	fixture_close(f);
	return v;
}

static enum verdict send_claimed(uint64_t worker_bytes, const char *body)
{
	return send_to_model("{\"name\":\"E\"," WHO "}", worker_bytes, 0, body);
}

/* C16 */
Test(transcode, claims_are_not_the_clients_and_count_against_no_limit_of_its_body)
{
	char body[200];

	cr_assert_eq(send_claimed(8 * MIB, "[{},{},{},{}]"), V_ACCEPTED);
	memset(body, ' ', sizeof(body));
	memcpy(body, "[{}]", 4);
	body[100] = '\0'; /* max_body */
	cr_assert_eq(send_claimed(8 * MIB, body), V_ACCEPTED);
}

/* The body in 2 KiB, what becomes of it in 8. */
Test(transcode, claims_count_against_the_budget)
{
	cr_assert_eq(send_claimed(12 * KIB, "[{},{},{},{}]"), V_ACCEPTED);
	cr_assert_eq(send_claimed(10 * KIB, "[{},{},{},{}]"), V_COUNT); /* of records */
	cr_assert_eq(send_claimed(10 * KIB - 1, "[{},{},{},{}]"), V_INFLATED_SIZE);
}

/* They were given room for, within the budget, to be refused then. */
Test(transcode, claims_that_make_an_object_too_large_for_a_record_get_no_room)
{
	static const char model[] =
		"{\"name\":\"E\",\"columns\":[{\"name\":\"a\",\"required\":true,\"data_type\":{"
		"\"elementNullable\":false,\"elementType\":{\"name\":\"N\"," WHO "}}}]}";
	static const char body[] = "{\"a\":[{},{},{},{},{},{},{},{},{},{}]}";

	cr_assert_eq(send_to_model(model, 8 * MIB, 4 * KIB, body), V_RECORD_SIZE);
	/* V_INFLATED_SIZE: somebody asked for more than there is */
	cr_assert_eq(send_to_model(model, 6 * KIB, 4 * KIB, body), V_RECORD_SIZE);
}

/* The JSON goes back as soon as it is not needed, the protobuf when it is stamped. */
Test(transcode, a_record_holds_no_more_than_its_value)
{
	struct fixture *f = fixture_open();
	struct request q =
		request_of("/v1/traces", ACME JSON, one_span_json, strlen(one_span_json));

	fixture_begin(f, &f->public);
	fixture_feed(f, q.p, q.n - 1);
	cr_assert_eq(stages_run(&f->r), STEP_BYTES);
	fixture_feed(f, q.p + q.n - 1, 1);
	cr_assert_eq(body_run(&f->r), STEP_NEXT);
	cr_assert_eq(inflate_run(&f->r), STEP_NEXT);
	cr_assert_eq(enrich_run(&f->r), STEP_NEXT);
	cr_assert_eq(f->r.body.n, sizeof(one_span_stamped));
	cr_assert_eq(f->r.charged, body_capacity(sizeof(one_span_stamped)));
	cr_assert_eq(budget_used(f->w.budget), f->r.charged);
	f->r.verdict = V_GONE;
	req_finish(&f->r);
	free(q.p);
	fixture_close(f);
}

/* compatibility.md 2 */
Test(transcode, obstack_finds_the_signal_by_the_member)
{
	struct fixture *f = fixture_open_all();
	const char *reply = send_text(f, "/ingest/otlp/v1", one_span_json);

	cr_assert_eq(fixture_status(reply), 202);
	cr_expect_str_eq(fixture_body(reply), "{}");
	cr_expect_eq(f->r.signal, SIGNAL_TRACES);
	cr_assert_eq(f->record_count, 1);
	cr_assert_arr_eq(f->records[0].value, one_span_stamped, sizeof(one_span_stamped));
	cr_assert_eq(fixture_status(send_text(f, "/ingest/otlp/v1",
	                                      "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":["
	                                      "{}]}]}]}")),
	             202);
	cr_expect_eq(f->r.signal, SIGNAL_LOGS);
	reply = send_text(f, "/ingest/otlp/v1", "{\"spans\":[]}");
	cr_assert_eq(fixture_status(reply), 400);
	cr_expect(strstr(reply, "signal cannot be determined: add /traces, /metrics or /logs"),
	          "%s", reply);
	cr_assert_eq(fixture_status(send_text(f, "/ingest/otlp/v1", "{}")), 202);
	cr_assert_eq(f->r.verdict, V_EMPTY);
	cr_assert_eq(f->record_count, 2);
	fixture_close(f);
}
