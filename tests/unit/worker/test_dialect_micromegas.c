/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/dialect_micromegas.c"

#include <jansson.h>

#include "proto/schema/logs_service.pb-c.h"
#include "proto/schema/status.pb-c.h"

#include "tests/unit/worker/otlp_bodies.h"

#define JSON "Content-Type: application/json\r\n"
static const char *const blocks[] = { "/ingestion/insert_process", "/ingestion/insert_stream",
	                              "/ingestion/insert_block" };
static const char *const otlp[] = { "/ingestion/otlp/v1/traces", "/ingestion/otlp/v1/metrics",
	                            "/ingestion/otlp/v1/logs" };
static const char hook[] = "/ingestion/webhook";

static struct fixture *opened(void)
{
	struct fixture *f = fixture_new();

	f->conf.protocols.micromegas.enabled = true;
	return f;
}

static struct fixture *started(void)
{
	struct fixture *f = opened();

	fixture_start(f, -1, -1);
	return f;
}

/* A whole request; fields each with CRLF. */
static const char *ask(struct fixture *f, const char *path, const char *fields, const void *body,
                       size_t n)
{
	struct request q = request_of(path, fields, body, n);
	const char *reply = fixture_run(f, &f->public, request_bytes(&q), SIZE_MAX);

	cr_assert(reply);
	free(q.p);
	return reply;
}

static void expect_text(const char *reply, int status, const char *text)
{
	cr_expect_eq(fixture_status(reply), status, "%s", reply);
	cr_expect(fixture_has(reply, "Content-Type: text/plain; charset=utf-8"), "%s", reply);
	cr_expect_str_eq(fixture_body(reply), text);
}

static size_t body_bytes(const struct fixture *f, const char *reply)
{
	return f->sent_n - (size_t)(fixture_body(reply) - reply);
}

/* google.rpc.Status in protobuf. */
static void expect_status(const struct fixture *f, const char *reply, int status, int code,
                          const char *text)
{
	Google__Rpc__Status *s;

	cr_expect_eq(fixture_status(reply), status, "%s", reply);
	cr_expect(fixture_has(reply, "Content-Type: application/x-protobuf"), "%s", reply);
	s = google__rpc__status__unpack(NULL, body_bytes(f, reply),
	                                (const uint8_t *)fixture_body(reply));
	cr_assert(s);
	cr_expect_eq(s->code, code, "%d", s->code);
	cr_expect_str_eq(s->message, text);
	google__rpc__status__free_unpacked(s, NULL);
}

/* The same in JSON. */
static void expect_json(const char *reply, int status, int code, const char *text)
{
	json_t *doc = json_loads(fixture_body(reply), JSON_REJECT_DUPLICATES, NULL);

	cr_expect_eq(fixture_status(reply), status, "%s", reply);
	cr_expect(fixture_has(reply, "Content-Type: application/json"), "%s", reply);
	cr_assert(doc, "%s", reply);
	cr_expect_eq(json_integer_value(json_object_get(doc, "code")), code);
	cr_expect_str_eq(json_string_value(json_object_get(doc, "message")), text);
	json_decref(doc);
}

/* ---- success, and what it was made of ---- */

/* B2; micromegas' sink sends no Content-Type */
Test(dialect_micromegas, a_block_is_200_without_a_body_and_stays_as_it_came)
{
	static const uint8_t cbor[] = { 0xa1, 0x00, 0xff, 'x', '\r', '\n' };
	struct fixture *f = started();

	for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
		const char *reply = ask(f, blocks[i], ACME, cbor, sizeof(cbor)), *route;
		char want[400];

		cr_assert_eq(fixture_status(reply), 200);
		cr_assert_eq(body_bytes(f, reply), 0);
		cr_assert(fixture_has(reply, "Content-Length: 0"));
		cr_assert_null(strstr(reply, "Content-Type"));
		cr_assert_eq(f->record_count, i + 1);
		cr_assert_eq(f->records[i].value_n, sizeof(cbor));
		cr_assert_arr_eq(f->records[i].value, cbor, sizeof(cbor));
		cr_assert_str_eq(f->records[i].topic, "blobs");
		cr_assert_str_eq(f->records[i].key, "acme");
		route = strrchr(blocks[i], '/') + 1;
		snprintf(want, sizeof(want),
		         "X-Scope-OrgID=acme\ntenant_id=acme\nsignal=opaque\nformat=raw\n"
		         "content-type=application/octet-stream\nheadgate-route=%s\n"
		         "headgate-request-id=",
		         route);
		cr_assert_eq(strncmp(f->records[i].headers, want, strlen(want)), 0, "%s",
		             f->records[i].headers);
	}
	fixture_close(f);
}

/* records.md 1: the request's type if it is a valid one, without its parameters */
Test(dialect_micromegas, whatever_type_a_block_has_is_told)
{
	static const struct {
		const char *sent, *told;
	} cases[] = { { "application/cbor", "application/cbor" },
		      { "Text/X; charset=utf-8", "Text/X" },
		      { "application/json", "application/json" },
		      { "nonsense", "application/octet-stream" },
		      { "text/plain; charset", "application/octet-stream" },
		      { "", "application/octet-stream" } };
	struct fixture *f = started();

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char fields[200], want[100];

		snprintf(fields, sizeof(fields), ACME "Content-Type: %s\r\n", cases[i].sent);
		cr_assert_eq(fixture_status(ask(f, blocks[2], fields, "x", 1)), 200, "%s",
		             cases[i].sent);
		snprintf(want, sizeof(want), "\ncontent-type=%s\n", cases[i].told);
		cr_assert(strstr(f->records[i].headers, want), "%s", f->records[i].headers);
	}
	fixture_close(f);
}

/* B19 */
Test(dialect_micromegas, no_header_of_a_client_becomes_one_of_the_record)
{
	struct fixture *f = started();

	ask(f, blocks[0], ACME "x-auth-email: a@b\r\nX-Auth-Subject: me\r\nx-custom: y\r\n", "x",
	    1);
	cr_assert_eq(f->record_count, 1);
	cr_assert_null(strcasestr(f->records[0].headers, "x-auth"));
	cr_assert_null(strcasestr(f->records[0].headers, "x-custom"));
	fixture_close(f);
}

/* B15 */
Test(dialect_micromegas, success_of_otlp_is_that_of_otlp)
{
	struct fixture *f = started();
	const char *reply = ask(f, otlp[0], ACME PROTOBUF, one_span, sizeof(one_span));

	cr_assert_eq(fixture_status(reply), 200);
	cr_assert(fixture_has(reply, "Content-Type: application/x-protobuf"));
	cr_assert_eq(body_bytes(f, reply), 0);
	cr_assert_str_eq(f->records[0].topic, "otlp_spans");
	cr_assert(strstr(f->records[0].headers, "\nformat=otlp_proto\n"));
	cr_assert(memmem(f->records[0].value, f->records[0].value_n, "micromegas.audience", 19));
	reply = ask(f, otlp[2], ACME JSON, "{}", 2);
	cr_assert_eq(fixture_status(reply), 200);
	cr_assert(fixture_has(reply, "Content-Type: application/json"));
	cr_assert_str_eq(fixture_body(reply), "{}");
	cr_assert_eq(f->record_count, 1); /* nothing to store */
	reply = ask(f, otlp[1], ACME PROTOBUF, "", 0);
	cr_assert_eq(fixture_status(reply), 200);
	cr_assert_eq(f->record_count, 1);
	fixture_close(f);
}

Test(dialect_micromegas, a_webhook_of_any_type_is_a_log_record)
{
	static const char *const fields[] = { "", "Content-Type: application/json\r\n",
		                              "Content-Type: nonsense\r\n" };
	struct fixture *f = started();
	const char *reply;

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		char all[300];

		snprintf(all, sizeof(all),
		         ACME "X-Micromegas-Service-Name: shop\r\nx-micromegas-target: hook\r\n%s",
		         fields[i]);
		reply = ask(f, hook, all, "{\"a\":1}", 7);
		cr_assert_eq(fixture_status(reply), 200);
		cr_assert_eq(body_bytes(f, reply), 0);
		cr_assert_str_eq(f->records[i].topic, "otlp_logs");
		cr_assert(memmem(f->records[i].value, f->records[i].value_n, "{\"a\":1}", 7));
		cr_assert(memmem(f->records[i].value, f->records[i].value_n, "shop", 4));
		cr_assert(memmem(f->records[i].value, f->records[i].value_n, "hook", 4));
		cr_assert(strstr(f->records[i].headers, "\nsignal=logs\nformat=otlp_proto\n"
		                                        "content-type=application/x-protobuf\n"));
		cr_assert_eq(f->r.enriched.items, 1);
	}
	fixture_close(f);
}

/* ---- refusals ---- */

Test(dialect_micromegas, an_empty_body_is_refused_where_it_would_be_a_record)
{
	struct fixture *f = started();
	struct request gz = gzip_of("", 0);

	for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
		expect_text(ask(f, blocks[i], ACME, "", 0), 400, "Bad request");
		expect_text(ask(f, blocks[i], ACME GZIP, gz.p, gz.n), 400, "Bad request");
	}
	expect_text(ask(f, hook, ACME, "", 0), 400, "empty body");
	expect_text(ask(f, hook, ACME GZIP, gz.p, gz.n), 400, "empty body");
	expect_json(ask(f, otlp[2], ACME JSON, "", 0), 400, 3,
	            "parse error (logs): the JSON ends too early (byte 0)");
	cr_assert_eq(f->record_count, 0);
	free(gz.p);
	fixture_close(f);
}

Test(dialect_micromegas, undecodable_otlp_is_a_parse_error_of_its_signal)
{
	static const char *const signals[] = { "traces", "metrics", "logs" };
	struct fixture *f = started();

	for (size_t i = 0; i < ARRAY_LEN(otlp); i++) {
		char want[400];

		ask(f, otlp[i], ACME PROTOBUF, "\x0a\x05x", 3);
		cr_assert(f->r.detail[0]);
		snprintf(want, sizeof(want), "parse error (%s): %s", signals[i], f->r.detail);
		expect_status(f, f->sent, 400, 3, want);
		ask(f, otlp[i], ACME JSON, "{\"a\"", 4);
		snprintf(want, sizeof(want), "parse error (%s): %s", signals[i], f->r.detail);
		expect_json(f->sent, 400, 3, want);
	}
	fixture_close(f);
}

/* B15: always protobuf, whatever was sent; code 3, which native OTLP has for a 400 alone */
Test(dialect_micromegas, another_type_is_415_with_code_3)
{
	static const char *const types[] = { "", "Content-Type: text/plain\r\n",
		                             "Content-Type: application/jsonx\r\n",
		                             "Content-Type: application/json; x\r\n" };
	struct fixture *f = started();

	for (size_t i = 0; i < ARRAY_LEN(otlp); i++)
		for (size_t k = 0; k < ARRAY_LEN(types); k++) {
			char fields[200];

			snprintf(fields, sizeof(fields), ACME "%s", types[k]);
			expect_status(
				f, ask(f, otlp[i], fields, "x", 1), 415, 3,
				"Content-Type must be application/x-protobuf or application/json");
		}
	fixture_close(f);
}

/* B15 */
Test(dialect_micromegas, a_coding_but_gzip_is_415_and_told_what_there_is)
{
	static const char *const codings[] = { "deflate", "zstd", "snappy", "br", "gzip, gzip" };
	static const char *const paths[] = { "/ingestion/insert_process", "/ingestion/webhook",
		                             "/ingestion/otlp/v1/logs" };
	struct fixture *f = started();

	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		for (size_t k = 0; k < ARRAY_LEN(codings); k++) {
			bool is_json = k % 2;
			char fields[200], want[100];
			const char *reply;

			snprintf(fields, sizeof(fields), ACME "%sContent-Encoding: %s\r\n",
			         is_json ? JSON : PROTOBUF, codings[k]);
			snprintf(want, sizeof(want), "Content-Encoding not supported here: %s",
			         codings[k]);
			reply = ask(f, paths[i], fields, "x", 1);
			cr_assert(fixture_has(reply, "Accept-Encoding: gzip"), "%s", reply);
			if (i < 2)
				expect_text(reply, 415, want);
			else if (is_json)
				expect_json(reply, 415, 3, want);
			else
				expect_status(f, reply, 415, 3, want);
		}
	cr_assert_eq(f->record_count, 0);
	fixture_close(f);
}

Test(dialect_micromegas, gzip_and_its_old_name_are_undone)
{
	static const char *const names[] = { "gzip", "x-gzip", "GZip", "identity" };
	struct request gz = gzip_of("block", 5);
	struct fixture *f = started();

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		bool plain = i == 3;
		char fields[200];

		snprintf(fields, sizeof(fields), ACME "Content-Encoding: %s\r\n", names[i]);
		cr_assert_eq(fixture_status(ask(f, blocks[1], fields,
		                                plain ? "block" : (char *)gz.p, plain ? 5 : gz.n)),
		             200);
		cr_assert_eq(f->records[i].value_n, 5);
		cr_assert_arr_eq(f->records[i].value, "block", 5);
	}
	expect_text(ask(f, blocks[1], ACME GZIP, "block", 5), 400, "Bad request");
	free(gz.p);
	fixture_close(f);
}

/* ---- credentials ---- */

#define OTHER_SCHEME "Invalid authorization format, expected: Bearer <token>"

/* B3 */
static const struct {
	const char *fields, *text;
} strangers[] = {
	{ "", "Missing authorization header" },
	{ "X-Custom: secret-acme\r\n", "Missing authorization header" },
	{ "Authorization: Basic x\r\n", OTHER_SCHEME },
	{ "Authorization: bearer secret-acme\r\n", OTHER_SCHEME },
	{ "Authorization: BEARER secret-acme\r\n", OTHER_SCHEME },
	{ "Authorization: Bearer\r\n", OTHER_SCHEME },
	{ "Authorization: Bearersecret-acme\r\n", OTHER_SCHEME },
	{ "Authorization: secret-acme\r\n", OTHER_SCHEME },
	{ "Authorization: Token secret-acme\r\n", OTHER_SCHEME },
	{ "Authorization:\r\n", OTHER_SCHEME },
	/* :wrong -- Basic is good where its password is a token that we know */
	{ "Authorization: Basic Ondyb25n\r\n", OTHER_SCHEME },
	{ "Authorization: Bearer wrong\r\n", "Invalid token" },
	{ "Authorization: Bearer secret-revoked\r\n", "Invalid token" },
	{ "Authorization: Bearer secret-expired\r\n", "Invalid token" },
	{ "Authorization: Bearer secret-gone\r\n", "Invalid token" },
	{ "X-Obstack-Auth-Token: wrong\r\n", "Invalid token" },
	{ ACME ACME, "Invalid token" },
	{ ACME "X-Obstack-Auth-Token: secret-other\r\n", "Invalid token" },
};

Test(dialect_micromegas, a_bad_credential_gets_one_of_three_texts)
{
	struct fixture *f = started();

	for (size_t i = 0; i < ARRAY_LEN(strangers); i++) {
		char fields[300];
		const char *reply;

		expect_text(ask(f, blocks[0], strangers[i].fields, "x", 1), 401, strangers[i].text);
		cr_expect(fixture_has(f->sent, "WWW-Authenticate: Bearer"));
		expect_text(ask(f, hook, strangers[i].fields, "x", 1), 401, strangers[i].text);
		snprintf(fields, sizeof(fields), "%s" PROTOBUF, strangers[i].fields);
		reply = ask(f, otlp[1], fields, "x", 1);
		expect_status(f, reply, 401, 16, strangers[i].text);
		cr_expect(fixture_has(reply, "WWW-Authenticate: Bearer"));
		snprintf(fields, sizeof(fields), "%s" JSON, strangers[i].fields);
		expect_json(ask(f, otlp[0], fields, "x", 1), 401, 16, strangers[i].text);
	}
	cr_assert_eq(f->record_count, 0);
	fixture_close(f);
}

/* B3 */
Test(dialect_micromegas, basic_with_a_bad_jwt_is_no_good_basic_either)
{
	static struct jwt_conf issuer = { .issuer = "https://i",
		                          .jwks_uri = "",
		                          .public_key_file = { .path = "" } };
	struct fixture *f = opened();

	f->conf.auth.jwt.v = &issuer;
	f->conf.auth.jwt.n = 1;
	fixture_start(f, -1, -1);
	/* :{"alg":"none"}.{"iss":"https://i"}. */
	expect_text(ask(f, blocks[0],
	                "Authorization: Basic "
	                "OmV5SmhiR2NpT2lKdWIyNWxJbjAuZXlKcGMzTWlPaUpvZEhSd2N6b3ZMMmtpZlEu\r\n",
	                "x", 1),
	            401, OTHER_SCHEME);
	cr_assert_eq(f->r.who.method, METHOD_JWT);
	fixture_close(f);
}

/* B3, compatibility.md 7 */
Test(dialect_micromegas, by_a_switch_every_bad_credential_gets_one_text)
{
	struct fixture *f = opened();

	f->conf.compat.micromegas_401_texts = TEXTS_CURRENT;
	fixture_start(f, -1, -1);
	for (size_t i = 0; i < ARRAY_LEN(strangers); i++) {
		expect_text(ask(f, blocks[0], strangers[i].fields, "x", 1), 401, "Invalid token");
		cr_expect(fixture_has(f->sent, "WWW-Authenticate: Bearer"));
	}
	fixture_close(f);
}

/* compatibility.md 1.2: headgate's tokens, also by Basic, work here too */
Test(dialect_micromegas, our_own_ways_to_send_a_token_work_too)
{
	static const char *const good[] = { ACME, "X-Obstack-Auth-Token: secret-acme\r\n",
		                            /* :secret-acme */
		                            "Authorization: Basic OnNlY3JldC1hY21l\r\n",
		                            ACME "X-Scope-OrgID: acme\r\n" };
	struct fixture *f = started();

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		cr_assert_eq(fixture_status(ask(f, blocks[0], good[i], "x", 1)), 200, "%s",
		             good[i]);
	fixture_close(f);
}

Test(dialect_micromegas, another_tenant_is_forbidden)
{
	static const char *const fields[] = {
		ACME "X-Scope-OrgID: other\r\n",
		"Authorization: Bearer secret-lazy\r\n", /* suspended */
		"Authorization: Bearer secret-stuck\r\n", /* blocked */
	};
	struct fixture *f = started();
	char all[300];

	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		expect_text(ask(f, blocks[0], fields[i], "x", 1), 403, "Forbidden");
		snprintf(all, sizeof(all), "%s" PROTOBUF, fields[i]);
		expect_status(f, ask(f, otlp[2], all, "", 0), 403, 7, "Forbidden");
	}
	expect_text(ask(f, blocks[0], "Authorization: Bearer secret-logs\r\n", "x", 1), 403,
	            "Forbidden"); /* its scope */
	expect_text(ask(f, blocks[0], ACME "X-Scope-OrgID: a/b\r\n", "x", 1), 400, "Bad request");
	ask(f, otlp[2], ACME PROTOBUF "X-Scope-OrgID: a/b\r\n", "x", 1);
	expect_status(f, f->sent, 400, 3,
	              "X-Scope-OrgID: tenant ID 'a/b' contains unsupported character '/'");
	fixture_close(f);
}

/* B16, B17 */
Test(dialect_micromegas, what_passes_is_503_in_upstream_s_words)
{
	struct fixture *f = started();
	char all[300];

	fixture_fresh(f, false);
	expect_text(ask(f, blocks[0], "Authorization: Bearer unknown\r\n", "x", 1), 503,
	            "Auth provider unavailable");
	cr_assert(strstr(f->sent, "\r\nRetry-After: "));
	snprintf(all, sizeof(all), "Authorization: Bearer unknown\r\n" JSON);
	expect_json(ask(f, otlp[1], all, "x", 1), 503, 14, "Auth provider unavailable");
	cr_assert_eq(fixture_status(ask(f, blocks[0], ACME, "x", 1)), 200); /* known keys go on */
	f->sink_says = V_STORE_FULL;
	expect_text(ask(f, blocks[0], ACME, "x", 1), 503, "Service unavailable");
	cr_assert(strstr(f->sent, "\r\nRetry-After: "));
	expect_text(ask(f, hook, ACME, "x", 1), 503, "Service unavailable");
	expect_status(f, ask(f, otlp[0], ACME PROTOBUF, one_span, sizeof(one_span)), 503, 14,
	              "Service unavailable");
	cr_assert(strstr(f->sent, "\r\nRetry-After: "));
	fixture_close(f);
}

/* ---- sizes ---- */

/* B14: one byte more than there may be; the head alone is enough to know */
Test(dialect_micromegas, too_large_is_413_in_upstream_s_words)
{
	static const struct {
		const char *path;
		unsigned long limit;
	} cases[] = { { "/ingestion/insert_process", 104857600 },
		      { "/ingestion/insert_stream", 104857600 },
		      { "/ingestion/insert_block", 104857600 },
		      { "/ingestion/webhook", 20971520 },
		      { "/ingestion/otlp/v1/traces", 20971520 },
		      { "/ingestion/otlp/v1/metrics", 20971520 },
		      { "/ingestion/otlp/v1/logs", 20971520 } };
	struct fixture *f = started();

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (unsigned long more = 0; more < 2; more++) {
			char text[300];
			const char *reply;

			snprintf(text, sizeof(text),
			         "POST %s HTTP/1.1\r\nHost: x\r\n" ACME PROTOBUF
			         "Content-Length: %lu\r\n\r\n",
			         cases[i].path, cases[i].limit + more);
			reply = fixture_ask(f, text);
			if (!more) {
				cr_assert_null(reply, "%s", reply); /* it waits for the body */
				f->r.eof = true;
				stages_run(&f->r);
				req_finish(&f->r);
			} else if (i < 4) {
				expect_text(reply, 413, "length limit exceeded");
			} else {
				expect_status(f, reply, 413, 2, "length limit exceeded");
			}
		}
	fixture_close(f);
}

Test(dialect_micromegas, a_record_too_large_is_413_too)
{
	struct fixture *f = opened();
	char body[3000];

	memset(body, 'a', sizeof(body));
	f->conf.protocols.opaque.record_max_bytes = f->conf.record.max_bytes = 2 * KIB;
	fixture_start(f, -1, -1);
	expect_text(ask(f, blocks[2], ACME, body, sizeof(body)), 413, "length limit exceeded");
	expect_text(ask(f, hook, ACME, body, sizeof(body)), 413, "length limit exceeded");
	cr_assert_eq(f->record_count, 0);
	fixture_close(f);
}

/* compatibility.md 7 */
Test(dialect_micromegas, by_a_switch_401_and_413_of_otlp_are_plain)
{
	struct fixture *f = opened();

	f->conf.compat.micromegas_otlp_plain_errors = true;
	fixture_start(f, -1, -1);
	expect_text(ask(f, otlp[0], PROTOBUF, "x", 1), 401, "Missing authorization header");
	expect_text(fixture_ask(f, "POST /ingestion/otlp/v1/logs HTTP/1.1\r\nHost: x\r\n" ACME JSON
	                           "Content-Length: 20971521\r\n\r\n"),
	            413, "length limit exceeded");
	expect_status(f, ask(f, otlp[0], ACME PROTOBUF "X-Scope-OrgID: other\r\n", "x", 1), 403, 7,
	              "Forbidden");
	fixture_close(f);
}

/* ---- the rest ---- */

Test(dialect_micromegas, another_method_is_405_and_another_path_404)
{
	struct fixture *f = started();
	const char *reply =
		fixture_ask(f, "GET /ingestion/insert_block HTTP/1.1\r\nHost: x\r\n\r\n");

	expect_text(reply, 405, "method not allowed here: use POST");
	cr_assert(fixture_has(reply, "Allow: POST"));
	reply = fixture_ask(f, "PUT /ingestion/otlp/v1/logs HTTP/1.1\r\nHost: x\r\n"
	                       "Content-Length: 0\r\n\r\n");
	expect_status(f, reply, 405, 2, "method not allowed here: use POST");
	cr_assert_eq(fixture_status(ask(f, "/ingestion/otlp/v1/profiles", ACME, "x", 1)), 404);
	cr_assert_eq(fixture_status(ask(f, "/ingestion/aws/firehose", ACME, "x", 1)), 404);
	cr_assert_eq(fixture_status(ask(f, "/ingestion/insert_block/", ACME, "x", 1)), 200);
	fixture_close(f);
}

Test(dialect_micromegas, its_paths_are_not_there_by_default)
{
	struct fixture *f = fixture_open();

	for (size_t i = 0; i < ARRAY_LEN(blocks); i++)
		cr_assert_eq(fixture_status(ask(f, blocks[i], ACME, "x", 1)), 404);
	fixture_close(f);
}

/* records.md 1.2: `json: separate` holds for these routes as for native OTLP */
Test(dialect_micromegas, json_that_stays_json_has_its_topic)
{
	static const char logs[] =
		"{\"resourceLogs\":[{\"resource\":{\"attributes\":[{\"key\":\"micromegas.x\","
		"\"value\":{}}]},\"scopeLogs\":[{\"logRecords\":[{}]}]}]}";
	static const char want[] =
		"{\"resourceLogs\":[{\"resource\":{\"attributes\":[{\"key\":\"tenant_id\","
		"\"value\":{\"stringValue\":\"acme\"}},{\"key\":\"micromegas.audience\","
		"\"value\":{\"stringValue\":\"acme\"}}]},\"scopeLogs\":[{\"logRecords\":[{}]}]}]}";
	struct fixture *f = opened();

	f->conf.protocols.otlp.json = CONF_JSON_SEPARATE;
	fixture_start(f, -1, -1);
	cr_assert_eq(fixture_status(ask(f, otlp[2], ACME JSON, logs, sizeof(logs) - 1)), 200);
	cr_assert_str_eq(f->records[0].topic, "otlp_logs_json");
	cr_assert(strstr(f->records[0].headers, "\nformat=otlp_json\n"));
	cr_assert_eq(f->records[0].value_n, sizeof(want) - 1);
	cr_assert_arr_eq(f->records[0].value, want, sizeof(want) - 1);
	fixture_close(f);
}

/* Every text that there is: none breaks a Status, none has an id or a verdict of ours. */
Test(dialect_micromegas, every_refusal_is_a_status_on_otlp_and_text_elsewhere)
{
	struct fixture *f = started();

	for (size_t i = 0; i < 2; i++) {
		const char *path = i ? blocks[0] : otlp[0];
		char text[200];

		snprintf(text, sizeof(text),
		         "POST %s HTTP/1.1\r\nHost: x\r\n" JSON "Content-Length: 0\r\n\r\n", path);
		for (enum verdict v = V_NONE + 1; v < VERDICT_COUNT; v++) {
			char body_mem[4 * KIB], lines[REPLY_FIELDS];
			struct buf body, fields;
			struct reply reply = { .body = &body, .fields = &fields };

			if (verdict_is_success(v) || v == V_GONE)
				continue;
			fixture_begin(f, &f->public);
			fixture_feed(f, (const uint8_t *)text, strlen(text));
			cr_assert_eq(head_run(&f->r), STEP_NEXT);
			cr_assert_eq(route_run(&f->r), STEP_NEXT);
			memset(f->r.detail, '"', sizeof(f->r.detail) - 1);
			f->r.detail[sizeof(f->r.detail) - 1] = '\0';
			f->r.refused_at = STAGE_ENRICH;
			f->r.verdict = v;
			buf_init_fixed(&body, body_mem, sizeof(body_mem));
			buf_init_fixed(&fields, lines, sizeof(lines));
			reply.status = micromegas_status(f->r.route, v);
			micromegas_render(&f->r, &reply);
			cr_assert(!body.failed && !fields.failed);
			buf_char(&body, '\0');
			if (i || v == V_TYPE) {
				cr_assert_str_eq(reply.content_type, i ? "text/plain; charset=utf-8"
				                                       : "application/x-protobuf");
			} else {
				json_t *doc = json_loads(body.p, JSON_REJECT_DUPLICATES, NULL);

				cr_assert(doc, "%s", body.p);
				json_decref(doc);
			}
			f->r.verdict = V_GONE;
			req_finish(&f->r);
		}
	}
	fixture_close(f);
}

/* R19, B17: sinks up to 0.32 drop data on any 4xx. */
Test(dialect_micromegas, a_spent_rate_is_503_and_stays_spent)
{
	static const struct tenant_limits once = { .rates = { { 1, 1 } } };
	struct fixture *f = started();

	fixture_limit(f, &once);
	cr_assert_eq(fixture_status(ask(f, blocks[2], ACME, "x", 1)), 200);
	for (int i = 0; i < 3; i++) {
		expect_text(ask(f, blocks[2], ACME, "x", 1), 503, "Service unavailable");
		cr_assert_eq(f->r.verdict, V_RATE_REQUESTS);
		cr_assert(fixture_has(f->sent, "Retry-After: 1"), "%s", f->sent);
	}
	cr_assert_eq(routes_code(f->w.routes, f->r.route->index, V_RATE_BYTES), 503);
	expect_status(f, ask(f, otlp[0], ACME PROTOBUF, "", 0), 503, 14, "Service unavailable");
	fixture_close(f);
}

/* B17 */
Test(dialect_micromegas, by_a_switch_a_spent_rate_is_429)
{
	static const struct tenant_limits once = { .rates = { { 1, 1 } } };
	struct fixture *f = opened();

	f->conf.compat.micromegas_quota_status = QUOTA_429;
	fixture_start(f, -1, -1);
	fixture_limit(f, &once);
	cr_assert_eq(fixture_status(ask(f, blocks[2], ACME, "x", 1)), 200);
	cr_assert_eq(fixture_status(ask(f, blocks[2], ACME, "x", 1)), 429);
	cr_assert(strstr(f->sent, "tenant 'acme' exceeded its limit"), "%s", f->sent);
	fixture_close(f);
}
