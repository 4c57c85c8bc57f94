/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/admit.c"

#include "tests/unit/worker/prom_bodies.h"

static int status_of(struct fixture *f, const char *text)
{
	return fixture_status(fixture_ask(f, text));
}

#define START "POST /v1/traces HTTP/1.1\r\nHost: x\r\n" ACME
#define EMPTY START "Content-Length: 0\r\n"

/* P6 */
Test(admit, only_the_route_s_media_types_are_taken)
{
	static const char *const good[] = { "application/x-protobuf", "APPLICATION/X-Protobuf",
		                            "application/x-protobuf; charset=utf-8",
		                            " application/x-protobuf ;a=b" };
	static const char *const bad[] = { "text/plain",
		                           "application/jsonn",
		                           "application/json; charsetutf-8",
		                           "application/x-protobuf; charsetutf-8",
		                           "application/x-protobuf, text/plain",
		                           "",
		                           "x" };
	struct fixture *f = fixture_open();
	char text[512];

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		snprintf(text, sizeof(text), EMPTY "Content-Type: %s\r\n\r\n", good[i]);
		cr_assert_eq(status_of(f, text), 200, "%s", good[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(text, sizeof(text), EMPTY "Content-Type: %s\r\n\r\n", bad[i]);
		cr_assert_eq(status_of(f, text), 415, "%s", bad[i]);
		cr_assert_eq(f->r.verdict, V_TYPE);
	}
	cr_assert_eq(status_of(f, EMPTY "\r\n"), 415);
	cr_assert_str_eq(f->r.detail, "Content-Type not supported here: none is given");
	cr_assert_eq(status_of(f, EMPTY PROTOBUF PROTOBUF "\r\n"), 400);
	fixture_close(f);
}

/* P6 */
Test(admit, one_known_coding_at_most)
{
	static const char *const bad[] = { "gzip, snappy", "gzip,gzip", "br",        "lz4",
		                           "gzip;q=1",     "gzip gzip", "iso-8859-1" };
	static const char *const good[] = { "X-GZIP", "deflate", "zlib", "zstd", "snappy" };
	struct fixture *f = fixture_open();
	char text[512];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(text, sizeof(text), EMPTY PROTOBUF "Content-Encoding: %s\r\n\r\n", bad[i]);
		cr_assert_eq(status_of(f, text), 415, "%s", bad[i]);
		cr_assert_eq(f->r.verdict, V_ENCODING);
	}
	cr_assert_eq(status_of(f, EMPTY PROTOBUF GZIP GZIP "\r\n"), 415);
	cr_assert_eq(status_of(f, EMPTY PROTOBUF
	                       "Content-Encoding: identity\r\nContent-Encoding: identity\r\n\r\n"),
	             415);
	cr_assert_eq(status_of(f, EMPTY PROTOBUF "Content-Encoding: IDENTITY\r\n\r\n"), 200);
	cr_assert_eq(status_of(f, EMPTY PROTOBUF "Content-Encoding: \r\n\r\n"), 200);
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		snprintf(text, sizeof(text), EMPTY PROTOBUF "Content-Encoding: %s\r\n\r\n",
		         good[i]);
		cr_assert_eq(status_of(f, text), 400, "%s", good[i]); /* 0 bytes are none of them */
		cr_assert_eq(f->r.verdict, V_INFLATE);
	}
	fixture_close(f);
}

/* P6 */
Test(admit, a_body_needs_a_length_or_chunks)
{
	struct fixture *f = fixture_open();

	cr_assert_eq(status_of(f, START PROTOBUF "\r\n"), 411);
	cr_assert_eq(f->r.verdict, V_LENGTH);
	cr_assert_eq(status_of(f, START PROTOBUF "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
	             200);
	fixture_close(f);
}

Test(admit, a_body_over_the_limit_is_refused_by_its_length_alone)
{
	struct fixture *f = fixture_open();

	cr_assert_eq(status_of(f, START PROTOBUF
	                       "Content-Length: 67108865\r\nExpect: 100-continue\r\n\r\n"),
	             413);
	cr_assert_str_eq(f->r.detail,
	                 "67108865 bytes exceed the limit of 67108864 bytes for one request body");
	cr_assert_null(strstr(f->sent, "100 Continue"));
	cr_assert(fixture_has(f->sent, "Connection: close"));
	fixture_run(
		f, &f->public,
		BYTES(START PROTOBUF "Content-Length: 67108864\r\nExpect: 100-continue\r\n\r\n"),
		SIZE_MAX);
	cr_assert_eq(f->step, STEP_BYTES); /* exactly the limit is welcome */
	cr_assert_str_eq(f->sent, "HTTP/1.1 100 Continue\r\n\r\n");
	req_expire(&f->r, V_GONE);
	req_finish(&f->r);
	fixture_close(f);
}

/* R19 */
Test(admit, a_blocked_tenant_is_told_until_when)
{
	struct fixture *f = fixture_open();
	const char *text = "POST /v1/traces HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
			   "secret-stuck\r\n" PROTOBUF "Content-Length: 0\r\n\r\n";

	cr_assert_eq(status_of(f, text), 403);
	cr_assert_eq(f->r.verdict, V_BLOCKED);
	cr_assert_str_eq(f->r.detail,
	                 "ingestion for tenant 'stuck' is blocked until 2025-11-24T17:00:00Z");
	loop_set_clock(loop_now_ns(), INT64_C(1764003600) * 1000000000);
	cr_assert_eq(status_of(f, text), 200);
	fixture_close(f);
}

/* R20: answered at once, with Retry-After; P3: never 429 */
Test(admit, a_spent_budget_is_503_and_an_impossible_one_413)
{
	struct fixture *f = fixture_new();

	f->conf.limits.worker_bytes = 4 * MIB;
	fixture_start(f, -1, -1);
	cr_assert_eq(status_of(f, START PROTOBUF "Content-Length: 4194305\r\n\r\n"), 413);
	cr_assert_eq(f->r.verdict, V_BODY_SIZE);
	cr_assert(budget_take(f->w.budget, 2, 0, MIB));
	cr_assert_eq(status_of(f, START PROTOBUF "Content-Length: 4000000\r\n\r\n"), 503);
	cr_assert_eq(f->r.verdict, V_OVERLOAD);
	cr_assert(f->r.retry_after >= 1 && f->r.retry_after <= 5);
	budget_give(f->w.budget, 2, MIB);
	fixture_close(f);
}

Test(admit, a_tenant_over_its_share_waits_and_others_do_not)
{
	struct fixture *f = fixture_new();

	f->conf.limits.worker_bytes = 4 * MIB;
	fixture_start(f, -1, -1);
	cr_assert(budget_take(f->w.budget, 1, 0, MIB)); /* acme's share, by another request */
	cr_assert_eq(status_of(f, START PROTOBUF "Content-Length: 100\r\n\r\n"), 503);
	fixture_run(f, &f->public,
	            BYTES("POST /v1/traces HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
	                  "secret-other\r\n" PROTOBUF "Content-Length: 100\r\n\r\n"),
	            SIZE_MAX);
	cr_assert_eq(f->step, STEP_BYTES);
	cr_assert_eq(f->r.charged, body_capacity(100));
	req_expire(&f->r, V_GONE);
	req_finish(&f->r);
	budget_give(f->w.budget, 1, MIB);
	fixture_close(f);
}

Test(admit, a_body_that_is_there_already_is_not_charged)
{
	struct fixture *f = fixture_open();

	fixture_begin(f, &f->public);
	f->r.head = (struct http_head){ .has_length = true, .length = 5 };
	f->r.who.tenant_ordinal = 1;
	f->r.in = BYTES("12345more");
	cr_assert_eq(charge_length(&f->r), STEP_NEXT);
	cr_assert_eq(f->r.charged, 0);
	f->r.in = BYTES("1234");
	cr_assert_eq(charge_length(&f->r), STEP_NEXT);
	cr_assert_eq(f->r.charged, 2 * KIB);
	f->r.verdict = V_GONE;
	req_finish(&f->r);
	fixture_close(f);
}

Test(admit, a_worker_that_ends_before_the_report_could_come_says_so)
{
	struct fixture *f = fixture_open();

	f->w.draining = true;
	f->w.drain_ends = loop_now() + 8000;
	cr_assert_eq(status_of(f, EMPTY PROTOBUF "\r\n"), 200);
	cr_assert(fixture_has(f->sent, "Connection: close"));
	f->w.drain_ends--;
	cr_assert_eq(status_of(f, EMPTY PROTOBUF "\r\n"), 503);
	cr_assert_eq(f->r.verdict, V_DRAINING);
	cr_assert(fixture_has(f->sent, "Connection: close"));
	fixture_close(f);
}

/* protocols.md 1.2: the first failure answers */
Test(admit, checks_come_in_their_order)
{
	struct fixture *f = fixture_open();
	static const struct {
		const char *fields;
		enum verdict v;
	} cases[] = {
		{ "Content-Type: a/b\r\nContent-Encoding: br\r\n", V_TYPE },
		{ PROTOBUF "Content-Encoding: br\r\n", V_ENCODING },
		{ PROTOBUF "Content-Encoding: br\r\nContent-Length: 99999999\r\n", V_ENCODING },
		{ PROTOBUF, V_LENGTH },
		{ PROTOBUF "Content-Length: 99999999\r\n", V_BODY_SIZE },
		{ PROTOBUF "Content-Length: 1\r\n", V_BLOCKED },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[512];

		snprintf(text, sizeof(text),
		         "POST /v1/traces HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
		         "secret-stuck\r\n%s\r\n",
		         cases[i].fields);
		fixture_ask(f, text);
		cr_assert_eq(f->r.verdict, cases[i].v, "%zu", i);
		cr_assert_eq(f->r.refused_at, STAGE_ADMIT);
	}
	fixture_close(f);
}

/* P20 */
Test(admit, a_client_s_header_stands_in_the_text_escaped_and_cut)
{
	struct fixture *f = fixture_open();
	char text[1024], type[300];

	memset(type, 'a', sizeof(type) - 1);
	type[sizeof(type) - 1] = '\0';
	snprintf(text, sizeof(text), EMPTY "Content-Type: te\"xt/\\\xff%s\r\n\r\n", type);
	cr_assert_eq(status_of(f, text), 415);
	cr_assert_lt(strlen(f->r.detail), 200u);
	cr_assert(strstr(f->r.detail, "te\\x22xt/\\x5c\\xffaaa"), "%s", f->r.detail);
	fixture_close(f);
}

/* protocols.md 5: Content-Type alone chooses the message */
Test(admit, the_parameter_proto_chooses_the_format)
{
	const struct format *formats = protocol_remote_write.formats, *none = NULL;
	const struct {
		const char *field;
		const struct format *format;
	} cases[] = {
		{ "application/x-protobuf", &formats[0] },
		{ "application/x-protobuf;proto=prometheus.WriteRequest", &formats[0] },
		{ "application/x-protobuf;proto=io.prometheus.write.v2.Request", &formats[1] },
		{ "Application/X-Protobuf ; Proto = \"io.prometheus.write.v2.Request\"",
		  &formats[1] },
		{ "application/x-protobuf; a=b; proto=io.prometheus.write.v2.Request",
		  &formats[1] },
		{ "application/x-protobuf;version=1", &formats[0] },
		{ "application/x-protobuf;proto=io.prometheus.write.v3.Request", none },
		{ "application/x-protobuf;proto=IO.Prometheus.write.v2.Request", none },
		{ "application/x-protobuf;proto=\"\"", none },
		{ "application/x-protobuf;proto", none },
		{ "application/x-protobuf;proto=", none },
		{ "application/json;proto=prometheus.WriteRequest", none },
		{ "image/png", none },
		{ "", none },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		cr_expect_eq(find_format(formats, bytes_str(cases[i].field)), cases[i].format, "%s",
		             cases[i].field);
	/* where no format looks at it, it is a parameter like any other */
	cr_expect_eq(find_format(protocol_otlp_logs.formats,
	                         BYTES("application/x-protobuf;proto=whatever")),
	             protocol_otlp_logs.formats);
}

Test(admit, only_a_protocol_that_says_so_does_without_a_type)
{
	struct fixture *f = fixture_open_all();

	cr_assert_eq(untyped_format(protocol_remote_write.formats), protocol_remote_write.formats);
	cr_assert_null(untyped_format(protocol_otlp_any.formats));
	cr_assert_eq(
		fixture_status(send_block(f, "/api/v1/write", SNAPPY, prom_v1, sizeof(prom_v1))),
		204);
	cr_assert_eq(f->r.format, &protocol_remote_write.formats[0]);
	cr_assert_eq(fixture_status(send_block(f, "/api/v1/write", "Content-Type:\r\n" SNAPPY,
	                                       prom_v1, sizeof(prom_v1))),
	             204);
	cr_assert_eq(fixture_status(send_bytes(f, "/v1/traces", "", one_span, sizeof(one_span))),
	             415);
	cr_assert_eq(f->r.verdict, V_TYPE);
	fixture_close(f);
}

/* PC1, P6: each with a body that is no block */
Test(admit, remote_write_is_a_snappy_block_or_415)
{
	static const char *const bad[] = {
		"Content-Type: application/json\r\n" SNAPPY,
		"Content-Type: image/png\r\n" SNAPPY,
		PROTOBUF GZIP,
		PROTOBUF "Content-Encoding: deflate\r\n",
		PROTOBUF "Content-Encoding: zstd\r\n",
		PROTOBUF SNAPPY SNAPPY,
		PROTOBUF "Content-Encoding: gzip, snappy\r\n",
		PROM_V2 GZIP,
		"Content-Type: application/x-protobuf;proto=other\r\n" SNAPPY,
	};
	static const char *const paths[] = { "/api/v1/write", "/api/v1/push/",
		                             "/ingest/prometheus/v1/write" };
	struct fixture *f = fixture_open_all();

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		for (size_t k = 0; k < ARRAY_LEN(paths); k++)
			cr_assert_eq(fixture_status(send_bytes(f, paths[k], bad[i], "\xff\xff", 2)),
			             415, "%s %s", paths[k], bad[i]);
	fixture_close(f);
}

/* PC7 */
Test(admit, loki_takes_any_well_formed_type_but_json_as_its_message)
{
	static const struct {
		const char *type;
		int format; /* -1: refused */
	} cases[] = {
		{ "application/json", 0 },    { "Application/JSON; charset=utf-8", 0 },
		{ "application/jsonn", 1 },   { "application/x-protobuf", 1 },
		{ "text/plain; a=b", 1 },     { "application/json; charsetutf-8", -1 },
		{ "application", -1 },        { "", -1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct format *formats = protocol_loki.formats;
		const struct format *f = find_format(formats, bytes_str(cases[i].type));

		cr_assert_eq(f, cases[i].format < 0 ? NULL : &formats[cases[i].format], "%s",
		             cases[i].type);
	}
	cr_assert_null(untyped_format(protocol_loki.formats));
}
