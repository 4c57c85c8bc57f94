/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/enrich.c"

#include <unistd.h>

#include "common/stats_page.h"
#include "common/uses.h"
#include "tests/unit/worker/loki_bodies.h"

static uint64_t tenant_count(const struct fixture *f, enum signal sig, enum tenant_stat id)
{
	return stats_tenant_get(f->w.stats, f->r.who.metric_slot, sig, id);
}

/* R3, R4 */
Test(enrich, the_tenant_of_the_credential_is_stamped)
{
	struct fixture *f = fixture_open();

	cr_assert_eq(fixture_status(send_body(f, "/v1/traces", "", one_span, sizeof(one_span))),
	             200);
	cr_assert_eq(f->r.verdict, V_ACCEPTED);
	cr_assert_eq(f->record_count, 1);
	cr_assert_eq(f->records[0].value_n, sizeof(one_span_stamped));
	cr_assert_arr_eq(f->records[0].value, one_span_stamped, sizeof(one_span_stamped));
	cr_assert_str_eq(f->records[0].key, "acme");
	cr_assert_eq(f->r.enriched.items, 1);
	cr_assert_eq(tenant_count(f, SIGNAL_TRACES, TS_ITEMS_ACCEPTED), 1);
	cr_assert_eq(tenant_count(f, SIGNAL_TRACES, TS_TENANT_BYTES), sizeof(one_span));
	fixture_close(f);
}

/* R3, R26 (its protobuf part), P10 */
Test(enrich, a_forged_tenant_is_removed_and_a_cut_character_mended)
{
	struct fixture *f = fixture_open();
	const struct fixture_record *rec = &f->records[0];

	cr_assert_eq(fixture_status(send_body(f, "/v1/logs", "", forged_log, sizeof(forged_log))),
	             200);
	cr_assert_eq(f->record_count, 1);
	cr_assert_null(memmem(rec->value, rec->value_n, "evil", 4));
	cr_assert(memmem(rec->value, rec->value_n, "acme", 4));
	cr_assert(memmem(rec->value, rec->value_n, "xyz\xef\xbf\xbd", 6));
	cr_assert_eq(tenant_count(f, SIGNAL_LOGS, TS_ITEMS_SPOOFED), 1);
	cr_assert_eq(tenant_count(f, SIGNAL_LOGS, TS_ITEMS_REPAIRED), 1);
	fixture_close(f);
}

Test(enrich, where_text_is_strict_a_cut_character_is_refused)
{
	struct fixture *f = fixture_new();

	f->conf.protocols.otlp.utf8_logs = CONF_UTF8_STRICT;
	fixture_start(f, -1, -1);
	cr_assert_eq(fixture_status(send_body(f, "/v1/logs", "", forged_log, sizeof(forged_log))),
	             400);
	cr_assert_eq(f->r.verdict, V_INVALID);
	cr_assert_eq(f->record_count, 0);
	cr_assert_eq(tenant_count(f, SIGNAL_LOGS, TS_ITEMS_SPOOFED), 0);
	fixture_close(f);
}

/* P2 */
Test(enrich, a_body_without_items_is_success_without_a_record)
{
	struct fixture *f = fixture_open();
	static const uint8_t empty_resource[] = { 0x0a, 0 };

	cr_assert_eq(fixture_status(send_body(f, "/v1/traces", "", "", 0)), 200);
	cr_assert_eq(f->r.verdict, V_EMPTY);
	cr_assert_eq(fixture_status(send_body(f, "/v1/metrics", "", empty_resource,
	                                      sizeof(empty_resource))),
	             200);
	cr_assert_eq(f->r.verdict, V_EMPTY);
	cr_assert_eq(f->record_count, 0);
	fixture_close(f);
}

Test(enrich, with_headers_alone_the_body_leaves_as_it_came)
{
	struct fixture *f = fixture_open();
	struct request q = request_of("/v1/traces", ACME PROTOBUF, one_span, sizeof(one_span));

	fixture_enrich_header(f);
	/* whole: it lies in the connection's buffer, so it is copied */
	fixture_run(f, &f->public, request_bytes(&q), SIZE_MAX);
	/* in pieces: it has a buffer of its own, which becomes the record's */
	fixture_run(f, &f->public, request_bytes(&q), 30);
	cr_assert_eq(f->record_count, 2);
	for (unsigned i = 0; i < 2; i++) {
		cr_assert_eq(f->records[i].value_n, sizeof(one_span));
		cr_assert_arr_eq(f->records[i].value, one_span, sizeof(one_span));
	}
	free(q.p);
	fixture_close(f);
}

/* B17 */
Test(enrich, a_body_that_needs_no_edit_is_never_copied)
{
	struct fixture *f = fixture_open();
	struct request q = request_of("/v1/traces", ACME PROTOBUF, one_span, sizeof(one_span));
	const uint8_t *before;

	fixture_enrich_header(f);
	fixture_begin(f, &f->public);
	fixture_feed(f, q.p, q.n - 1);
	cr_assert_eq(stages_run(&f->r), STEP_BYTES);
	before = f->r.body_mem->data;
	fixture_feed(f, q.p + q.n - 1, 1);
	cr_assert_eq(body_run(&f->r), STEP_NEXT);
	cr_assert_eq(inflate_run(&f->r), STEP_NEXT);
	cr_assert_eq(enrich_run(&f->r), STEP_NEXT);
	cr_assert_eq(f->r.body.p, before);
	f->r.verdict = V_GONE;
	req_finish(&f->r);
	free(q.p);
	fixture_close(f);
}

/* F44 */
Test(enrich, nonsense_is_400_and_says_what_and_where)
{
	struct fixture *f = fixture_open();
	static const uint8_t cut[] = { 0x0a, 35, 0x12, 33, 0x12, 31, 0x0a, 17 };

	cr_assert_eq(fixture_status(send_body(f, "/v1/traces", "", cut, sizeof(cut))), 400);
	cr_assert_eq(f->r.verdict, V_INVALID);
	cr_assert(f->r.detail[0]);
	cr_assert_eq(f->r.refused_at, STAGE_ENRICH);
	fixture_close(f);
}

/* B25, F45 */
Test(enrich, more_resources_than_the_limit_are_413)
{
	struct fixture *f = fixture_open();
	uint8_t *body = xcalloc(RESOURCES_MAX + 1, 2);

	for (size_t i = 0; i <= RESOURCES_MAX; i++)
		body[2 * i] = 0x0a;
	cr_assert_eq(fixture_status(send_body(f, "/v1/traces", "", body, 2 * RESOURCES_MAX)), 200);
	cr_assert_eq(fixture_status(send_body(f, "/v1/traces", "", body, 2 * RESOURCES_MAX + 2)),
	             413);
	cr_assert_eq(f->r.verdict, V_COUNT);
	cr_assert_str_eq(f->r.detail, "10001 resources in one request exceed the limit of 10000");
	free(body);
	fixture_close(f);
}

/* A log record of n bytes of text. */
static size_t long_log(uint8_t *out, size_t n)
{
	uint8_t *p = out;
	size_t any = n + 4, body = any + 4, scope = body + 4, resource = scope + 4;
	const struct {
		uint8_t tag;
		size_t length;
	} levels[] = {
		{ 0x0a, resource }, { 0x12, scope }, { 0x12, body }, { 0x2a, any }, { 0x0a, n }
	};

	for (size_t i = 0; i < ARRAY_LEN(levels); i++) { /* lengths of three bytes each */
		*p++ = levels[i].tag;
		*p++ = (uint8_t)(levels[i].length | 0x80);
		*p++ = (uint8_t)(levels[i].length >> 7 | 0x80);
		*p++ = (uint8_t)(levels[i].length >> 14 & 0x7f);
	}
	memset(p, 'x', n);
	return (size_t)(p - out) + n;
}

Test(enrich, a_record_over_the_route_s_limit_is_413_before_it_is_made)
{
	struct fixture *f = fixture_open();
	uint8_t *body = malloc(2 * MIB);
	size_t n = long_log(body, 1000000);

	cr_assert_eq(fixture_status(send_body(f, "/v1/logs", "", body, n)), 413);
	cr_assert_eq(f->r.verdict, V_RECORD_SIZE);
	cr_assert_eq(tenant_count(f, SIGNAL_LOGS, TS_REFUSED_SIZE), 1);
	n = long_log(body, 900000);
	cr_assert_eq(fixture_status(send_body(f, "/v1/logs", "", body, n)), 200);
	free(body);
	fixture_close(f);
}

Test(enrich, what_the_stamp_adds_is_charged_first)
{
	struct fixture *f = fixture_new();
	uint8_t *body = malloc(2 * MIB);
	size_t n = long_log(body, 900000);

	f->conf.limits.worker_bytes = 5 * MIB / 2;
	fixture_start(f, -1, -1);
	cr_assert(budget_take(f->w.budget, 2, 0, MIB));
	/* in the connection's buffer, so only the output is charged: it fits */
	cr_assert_eq(fixture_status(send_body(f, "/v1/logs", "", body, n)), 200);
	budget_give(f->w.budget, 2, MIB);
	cr_assert(budget_take(f->w.budget, 2, 0, 2 * MIB));
	cr_assert_eq(fixture_status(send_body(f, "/v1/logs", "", body, n)), 503);
	cr_assert_eq(f->r.verdict, V_OVERLOAD);
	cr_assert_eq(tenant_count(f, SIGNAL_LOGS, TS_REFUSED_OVERLOAD), 1);
	budget_give(f->w.budget, 2, 2 * MIB);
	free(body);
	fixture_close(f);
}

Test(enrich, a_stamp_of_the_longest_name_and_tenant_fits)
{
	uint8_t out[STAMP_MAX], name[255], tenant[TENANT_ID_MAX];

	memset(name, 'n', sizeof(name));
	memset(tenant, 't', sizeof(tenant));
	cr_assert_gt(protocol_otlp_logs.formats->stamp(bytes_of(name, sizeof(name)),
	                                               bytes_of(tenant, sizeof(tenant)), out,
	                                               sizeof(out)),
	             (size_t)405);
}

/* ---- a route whose body tells the signal; remote_write ---- */

#define LOGS_TOKEN "X-Obstack-Auth-Token: secret-logs\r\n"
#define LOGS_ONLY LOGS_TOKEN PROTOBUF
/* resource_logs{scope_logs{log_records{time_unix_nano 1, body{string_value "x"}}}} */
static const uint8_t timed_log[] = { 0x0a, 18, 0x12, 16, 0x12, 14,   0x09, 1,    0, 0,
	                             0,    0,  0,    0,  0,    0x2a, 3,    0x0a, 1, 'x' };

/* A1, A7 */
Test(enrich, a_record_has_the_signal_that_its_body_told)
{
	struct fixture *f = fixture_open_all();

	cr_assert_eq(
		fixture_status(send_body(f, "/ingest/otlp/v1", "", timed_log, sizeof(timed_log))),
		202);
	cr_assert_eq(f->r.signal, SIGNAL_LOGS);
	cr_assert(strstr(f->records[0].headers, "signal=logs\nformat=otlp_proto\n"), "%s",
	          f->records[0].headers);
	cr_assert(memmem(f->records[0].value, f->records[0].value_n, "acme", 4));
	cr_assert_eq(tenant_count(f, SIGNAL_LOGS, TS_ITEMS_ACCEPTED), 1);
	cr_assert_eq(
		fixture_status(send_body(f, "/ingest/otlp/v1", "", one_span, sizeof(one_span))),
		202);
	cr_assert_eq(f->r.signal, SIGNAL_TRACES);
	cr_assert_eq(f->records[1].value_n, sizeof(one_span_stamped));
	cr_assert_arr_eq(f->records[1].value, one_span_stamped, sizeof(one_span_stamped));
	cr_assert_str_eq(f->r.topic, "telemetry-raw");
	fixture_close(f);
}

Test(enrich, a_scope_is_asked_for_once_the_body_told_the_signal)
{
	struct fixture *f = fixture_open_all();
	struct request q = request_of("/ingest/otlp/v1", LOGS_ONLY, timed_log, sizeof(timed_log));

	cr_assert_eq(fixture_status(fixture_run(f, &f->public, request_bytes(&q), 7)), 202);
	free(q.p);
	q = request_of("/ingest/otlp/v1", LOGS_ONLY, one_span, sizeof(one_span));
	cr_assert_eq(fixture_status(fixture_run(f, &f->public, request_bytes(&q), SIZE_MAX)), 403);
	cr_assert_eq(f->r.verdict, V_SCOPE);
	cr_assert_eq(f->r.refused_at, STAGE_ENRICH);
	cr_assert_str_eq(f->r.detail, "token 't-logs' lacks scope traces:write");
	cr_assert_eq(tenant_count(f, SIGNAL_TRACES, TS_REFUSED_SCOPE), 1);
	cr_assert_eq(tenant_count(f, SIGNAL_TRACES, TS_ITEMS_ACCEPTED), 0);
	cr_assert_eq(f->record_count, 1);
	free(q.p);
	fixture_close(f);
}

static bool is_used(int fd, uint32_t ordinal)
{
	struct last_uses seen = { NULL, 0 };
	struct err err = { "" };
	bool used;

	cr_assert_eq(uses_collect(fd, 4096, &seen, &err), 0, "%s", err.text);
	used = ordinal < seen.n && seen.v[ordinal];
	last_uses_done(&seen);
	return used;
}

/* A 403 of the body's signal was a use: `token ls --unused` did not list a token that writes
 * nothing. */
Test(enrich, a_token_that_lacks_the_scope_of_the_body_is_not_used)
{
	struct fixture *f = fixture_open_all();
	struct request log = request_of("/ingest/otlp/v1", LOGS_ONLY, timed_log, sizeof(timed_log)),
		       span = request_of("/ingest/otlp/v1", LOGS_ONLY, one_span, sizeof(one_span));
	int fd = stats_memfd_with_uses(1, 4096, NULL);
	struct err err = { "" };

	f->w.uses = uses_map(fd, 4096, &err);
	cr_assert_not_null(f->w.uses, "%s", err.text);
	cr_assert_eq(fixture_status(fixture_run(f, &f->public, request_bytes(&span), SIZE_MAX)),
	             403);
	cr_assert_not(is_used(fd, f->r.who.token_ordinal));
	cr_assert_eq(fixture_status(fixture_run(f, &f->public, request_bytes(&log), SIZE_MAX)),
	             202);
	cr_assert(is_used(fd, f->r.who.token_ordinal));
	free(log.p);
	free(span.p);
	uses_unmap(f->w.uses);
	f->w.uses = NULL;
	close(fd);
	fixture_close(f);
}

/* `token ls --unused` listed a token whose client sends nothing but what is broken; elsewhere it is
 * used whatever comes of its bodies. */
Test(enrich, a_token_of_some_scopes_is_used_by_a_body_whose_signal_nobody_can_tell)
{
	static const struct {
		const char *fields;
		int status;
	} cases[] = { { LOGS_ONLY, 400 }, { LOGS_TOKEN "Content-Type: text/html\r\n", 415 } };
	struct err err = { "" };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fixture *f = fixture_open_all();
		struct request q = request_of("/ingest/otlp/v1", cases[i].fields, "\xff", 1);
		int fd = stats_memfd_with_uses(1, 4096, NULL);

		f->w.uses = uses_map(fd, 4096, &err);
		cr_assert_not_null(f->w.uses, "%s", err.text);
		cr_expect_eq(
			fixture_status(fixture_run(f, &f->public, request_bytes(&q), SIZE_MAX)),
			cases[i].status, "%s", f->sent);
		cr_expect(is_used(fd, f->r.who.token_ordinal), "%d", cases[i].status);
		free(q.p);
		uses_unmap(f->w.uses);
		f->w.uses = NULL;
		close(fd);
		fixture_close(f);
	}
}

/* compatibility.md 2 */
Test(enrich, a_body_without_items_is_202_and_one_without_a_signal_400)
{
	struct fixture *f = fixture_open_all();
	static const uint8_t span_or_log[] = { 0x0a, 4, 0x12, 2, 0x12, 0 };

	cr_assert_eq(fixture_status(send_body(f, "/ingest/otlp/v1", "", "", 0)), 202);
	cr_assert_eq(f->r.verdict, V_EMPTY);
	cr_assert(fixture_has(f->sent, "Content-Type: application/x-protobuf"));
	cr_assert_eq(fixture_status(
			     send_body(f, "/ingest/otlp/v1", "", span_or_log, sizeof(span_or_log))),
	             400);
	cr_assert_str_eq(fixture_body(f->sent),
	                 "{\"detail\":\"signal cannot be determined: add /traces, /metrics or "
	                 "/logs\",\"type\":\"validation_error\"}");
	/* nothing is mended before it is known what it is; where it is known, a log is */
	cr_assert_eq(
		fixture_status(send_body(f, "/ingest/otlp/v1", "", forged_log, sizeof(forged_log))),
		400);
	cr_assert_eq(f->record_count, 0);
	cr_assert_eq(fixture_status(send_body(f, "/ingest/otlp/v1/logs", "", forged_log,
	                                      sizeof(forged_log))),
	             202);
	cr_assert_eq(f->record_count, 1);
	fixture_close(f);
}

/* R1, A7 */
Test(enrich, a_record_of_remote_write_goes_to_its_topic_with_its_headers)
{
	static const struct {
		const char *path, *fields, *topic, *headers;
		const uint8_t *body;
		size_t n;
		int status;
	} cases[] = {
		{ "/api/v1/write", PROTOBUF SNAPPY, "prom_write",
		  "signal=metrics\nformat=prom_rw1\n"
		  "content-type=application/x-protobuf;proto=prometheus.WriteRequest\n",
		  prom_v1, sizeof(prom_v1), 204 },
		{ "/api/v1/push", PROM_V2 SNAPPY, "prom_write_v2",
		  "signal=metrics\nformat=prom_rw2\n"
		  "content-type=application/x-protobuf;proto=io.prometheus.write.v2.Request\n",
		  prom_v2, sizeof(prom_v2), 204 },
		{ "/ingest/prometheus/v1/write", PROTOBUF, "telemetry-raw",
		  "signal=metrics\nformat=prom_rw1\n", prom_v1, sizeof(prom_v1), 202 },
		{ "/ingest/prometheus/v1/write", PROM_V2 SNAPPY, "telemetry-raw",
		  "signal=metrics\nformat=prom_rw2\n", prom_v2, sizeof(prom_v2), 202 },
	};
	struct fixture *f = fixture_open_all();

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cr_assert_eq(fixture_status(send_block(f, cases[i].path, cases[i].fields,
		                                       cases[i].body, cases[i].n)),
		             cases[i].status, "%s", f->sent);
		cr_assert_str_eq(f->r.topic, cases[i].topic);
		cr_assert(strstr(f->records[i].headers, cases[i].headers), "%s",
		          f->records[i].headers);
		cr_assert_str_eq(f->records[i].key, "acme");
		cr_assert_eq(tenant_count(f, SIGNAL_METRICS, TS_ITEMS_ACCEPTED), i + 1);
	}
	fixture_close(f);
}

Test(enrich, a_body_of_very_many_symbols_leaves_no_memory_behind)
{
	enum { SYMBOLS = 600000 };
	struct fixture *f = fixture_open_all();
	uint8_t *body = xcalloc(SYMBOLS, 2);

	for (size_t i = 0; i < SYMBOLS; i++)
		body[2 * i] = 0x22; /* Request.symbols */
	for (int few = 0; few < 2; few++) { /* then 4096 of them, whose room stays */
		cr_assert_eq(fixture_status(send_block(f, "/api/v1/write", PROM_V2 SNAPPY, body,
		                                       few ? 8192 : 2 * SYMBOLS)),
		             204);
		cr_assert_leq(f->w.kit.scratch.bytes, SCRATCH_KEPT);
		cr_assert_eq(f->w.kit.scratch.bytes > 0, few, "%zu", f->w.kit.scratch.bytes);
	}
	free(body);
	fixture_close(f);
}

/* R1, R6, P18 */
Test(enrich, a_push_of_loki_is_one_record_and_none_without_streams)
{
	static const char legacy[] = "{\"streams\":[{\"labels\":\"{a=\\\"b\\\"}\",\"entries\":[{\"ts\":"
				     "\"1970-01-01T00:00:00.000000001Z\",\"line\":\"x\"}]}]}";
	static const char skipped[] = "{\"streams\":[{\"stream\":{},\"values\":[]}]}";
	struct fixture *f = fixture_open_all();

	cr_assert_eq(fixture_status(send_bytes(f, LOKI_PUSH, LOKI_JSON_TYPE, loki_text,
	                                       sizeof(loki_text) - 1)),
	             204, "%s", f->sent);
	cr_assert_eq(fixture_status(send_block(f, "/api/prom/push", LOKI_TYPE, loki_push,
	                                       sizeof(loki_push))),
	             204);
	cr_assert_eq(fixture_status(send_bytes(f, "/api/prom/push", LOKI_JSON_TYPE, legacy,
	                                       sizeof(legacy) - 1)),
	             204, "%s", f->sent);
	cr_assert_eq(f->record_count, 3);
	for (unsigned i = 0; i < 3; i++) {
		cr_assert_eq(f->records[i].value_n, sizeof(loki_value));
		cr_assert_arr_eq(f->records[i].value, loki_value, sizeof(loki_value));
		cr_assert(strstr(f->records[i].headers,
		                 "signal=logs\nformat=loki_proto\n"
		                 "content-type=application/x-protobuf\n"),
		          "%s", f->records[i].headers);
	}
	cr_assert_str_eq(f->r.topic, "loki_push");
	cr_assert_eq(tenant_count(f, SIGNAL_LOGS, TS_ITEMS_ACCEPTED), 3);
	cr_assert_eq(fixture_status(send_bytes(f, LOKI_PUSH, LOKI_JSON_TYPE, "{\"streams\":[]}", 14)),
	             422);
	cr_assert(strstr(f->sent, "\r\n\r\nhg-empty: error at least one valid stream is required for "
	                          "ingestion (request "),
	          "%s", f->sent);
	cr_assert_eq(fixture_status(send_block(f, LOKI_PUSH, LOKI_TYPE, "", 0)), 422);
	cr_assert_eq(fixture_status(send_bytes(f, LOKI_PUSH, LOKI_JSON_TYPE, skipped,
	                                       sizeof(skipped) - 1)),
	             204);
	cr_assert_eq(f->r.verdict, V_EMPTY);
	cr_assert_eq(f->record_count, 3);
	fixture_close(f);
}
