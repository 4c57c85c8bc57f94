/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/dialect_moose.c"

#include <zstd.h>

#include "tests/unit/worker/otlp_bodies.h"

#define STRANGER "X-Nobody: x\r\n"
#define EVENT "/ingest/UserEvent/1.0"
static const char unknown_model[] = "Please run `moose ls` to view your routes";
static const char unauthorized[] = "Unauthorized: Invalid or missing token";

#define COLUMN(name, type) "{\"name\":\"" name "\",\"data_type\":\"" type "\",\"required\":true}"
static const char *const model_texts[] = {
	"{\"name\":\"UserEvent\",\"version\":\"1.0\",\"columns\":[" COLUMN("n", "Int64") "]}",
	"{\"name\":\"UserEvent\",\"version\":\"1.9\",\"columns\":[" COLUMN("n", "Int64") "]}",
	"{\"name\":\"UserEvent\",\"version\":\"1.10\",\"columns\":[" COLUMN("n", "Int64") "]}",
	"{\"name\":\"Open\",\"allow_extra_fields\":true,\"columns\":[" COLUMN("n", "UInt8") "]}",
	"{\"name\":\"Mine\",\"columns\":[" COLUMN("tenant_id", "String") "]}",
	"{\"name\":\"Number\",\"columns\":[" COLUMN("tenant_id", "Int64") "]}",
	"{\"name\":\"Sealed\",\"schema_id\":7,\"columns\":[" COLUMN("n", "Int64") "]}",
	"{\"name\":\"Own\",\"path\":\"some/where/else\",\"columns\":[" COLUMN("n", "Int64") "]}",
};
static struct conf_file model_files[ARRAY_LEN(model_texts)];

/* Options may be changed before fixture_start(). */
static struct fixture *new_with(enum listener_dialect dialect)
{
	struct fixture *f = fixture_new();
	__typeof__(f->conf.protocols.models) *m = &f->conf.protocols.models;

	for (size_t i = 0; i < ARRAY_LEN(model_texts); i++)
		model_files[i] = (struct conf_file){ "some.json", bytes_str(model_texts[i]) };
	m->enabled = true;
	m->max_body = 10 * MIB;
	m->dir.v = model_files;
	m->dir.n = ARRAY_LEN(model_texts);
	f->listener_confs[0].dialect = dialect;
	return f;
}

static struct fixture *open_moose(void)
{
	struct fixture *f = new_with(LISTENER_MOOSE);

	fixture_start(f, -1, -1);
	return f;
}

static const char *send_with(struct fixture *f, const char *path, const char *fields,
                             const void *body, size_t n)
{
	struct request q = request_of(path, fields, body, n);
	const char *reply = fixture_run(f, &f->public, request_bytes(&q), SIZE_MAX);

	free(q.p);
	return reply;
}

static const char *post(struct fixture *f, const char *path, const char *body)
{
	return send_with(f, path, ACME, body, strlen(body));
}

static void expect(const char *reply, int status, const char *text)
{
	cr_assert_eq(fixture_status(reply), status, "%s", reply);
	cr_assert_str_eq(fixture_body(reply), text);
	cr_assert(fixture_has(reply, "Content-Type: text/plain; charset=utf-8"), "%s", reply);
}

static const char *ask(struct fixture *f, const char *method, const char *path, const char *fields)
{
	static char text[512];

	snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: x\r\n%s\r\n", method, path, fields);
	return fixture_ask(f, text);
}

/* C6, C7, C21 without a prefix */
Test(dialect_moose, each_object_is_a_message_of_the_model_that_the_path_means)
{
	static const struct {
		const char *path, *topic;
	} cases[] = { { EVENT, "UserEvent_1_0" },
		      { "/ingest/userevent/1.0", "UserEvent_1_0" },
		      { "/INGEST/USEREVENT/1.0/", "UserEvent_1_0" },
		      { "/ingest/UserEvent?a=b", "UserEvent_1_10" },
		      { "/ingest/Some/Where/Else", "Own" } };
	struct fixture *f = open_moose();

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		expect(post(f, cases[i].path, "{ \"n\" : 42 }"), 200, "SUCCESS");
		cr_assert_str_eq(f->records[i].topic, cases[i].topic);
		cr_assert(bytes_eq(bytes_of(f->records[i].value, f->records[i].value_n),
		                   BYTES("{\"n\":42}")));
		cr_assert_str_eq(f->records[i].key, "acme");
	}
	expect(post(f, EVENT, "[{\"n\":1},{\"n\":\"2\"},{\"n\":3}]"), 200, "SUCCESS");
	cr_assert_eq(f->record_count, 8);
	cr_assert_arr_eq(f->records[6].value, "{\"n\":2}", 7);
	expect(post(f, EVENT, "[]"), 200, "SUCCESS");
	cr_assert_eq(f->r.verdict, V_EMPTY);
	cr_assert_eq(f->record_count, 8);
	fixture_close(f);
}

/* C8: what a stranger asks for tells nothing */
Test(dialect_moose, an_unknown_model_is_404_with_a_token_and_401_without)
{
	static const char *const paths[] = { "/ingest/Nobody", "/ingest/User",
		                             "/ingest/UserEvent/3", "/ingest/UserEvent/1.0/x",
		                             "/ingest/a/b/c/d" };
	struct fixture *f = open_moose();

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		const char *reply;

		expect(post(f, paths[i], "{}"), 404, unknown_model);
		reply = send_with(f, paths[i], STRANGER, "{}", 2);
		expect(reply, 401, unauthorized);
		cr_assert(fixture_has(reply, "WWW-Authenticate: Bearer"));
	}
	expect(send_with(f, EVENT, "Authorization: bearer secret-acme\r\n", "{}", 2), 401,
	       unauthorized);
	expect(send_with(f, EVENT, ACME ACME, "{}", 2), 401, unauthorized);
	cr_assert_eq(fixture_status(
			     send_with(f, EVENT, ACME "X-Scope-OrgID: other\r\n", "{\"n\":1}", 7)),
	             403);
	cr_assert_eq(f->record_count, 0);
	fixture_close(f);
}

/* compatibility.md 5; the 404 of a method had an Allow of 405 */
Test(dialect_moose, an_unknown_path_and_another_method_are_its_404)
{
	static const char *const paths[] = { "/",        "/nowhere", "/ingest",
		                             "/ingest/", "/api",     "/admin" };
	static const char *const methods[] = { "GET", "HEAD", "PUT", "DELETE" };
	struct fixture *f = open_moose();

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		expect(post(f, paths[i], "{}"), 404, no_route);
		expect(send_with(f, paths[i], STRANGER, "{}", 2), 404, no_route);
		expect(ask(f, "GET", paths[i], ""), 404, no_route);
	}
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		const char *reply = ask(f, methods[i], EVENT, ACME);

		cr_assert_eq(fixture_status(reply), 404);
		cr_assert_null(strstr(reply, "\r\nAllow:"));
		if (strcmp(methods[i], "HEAD") != 0)
			expect(reply, 404, no_route);
	}
	fixture_close(f);
}

/* C18: of an unknown path too it was 404 */
Test(dialect_moose, options_of_any_path_are_200_with_fields_for_browsers)
{
	static const char *const paths[] = { EVENT, "/ingest/Nobody", "/nowhere", "/" };
	struct fixture *f = open_moose();

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		const char *reply = ask(f, "OPTIONS", paths[i],
		                        i % 2 ? "Origin: http://x\r\n"
		                                "Access-Control-Request-Method: POST\r\n"
		                              : "");

		expect(reply, 200, "Success");
		cr_assert(fixture_has(reply, "Access-Control-Allow-Origin: *"), "%s", reply);
		cr_assert(fixture_has(reply, "Access-Control-Allow-Methods: GET, POST, OPTIONS"));
		cr_assert(fixture_has(reply,
		                      "Access-Control-Allow-Headers: Authorization, Content-Type, "
		                      "baggage, sentry-trace, traceparent, tracestate"));
		cr_assert_eq(f->r.verdict, V_PREFLIGHT);
	}
	cr_assert_null(strstr(post(f, "/nowhere", "{}"), "Access-Control"));
	/* OTLP there is OTLP */
	cr_assert_eq(fixture_status(ask(f, "OPTIONS", "/v1/traces", "")), 405);
	cr_assert(fixture_has(f->sent, "Allow: POST"));
	fixture_close(f);
}

Test(dialect_moose, what_a_request_says_of_its_type_is_ignored)
{
	static const char *const types[] = { "",
		                             "Content-Type: text/plain\r\n",
		                             "Content-Type: application/x-protobuf\r\n",
		                             "Content-Type: application/json; charsetutf-8\r\n",
		                             "Content-Type: ;;\r\n",
		                             "Content-Type:\r\n" };
	struct fixture *f = open_moose();

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		char fields[200];

		snprintf(fields, sizeof(fields), ACME "%s", types[i]);
		expect(send_with(f, EVENT, fields, "{\"n\":1}", 7), 200, "SUCCESS");
	}
	cr_assert_eq(f->record_count, ARRAY_LEN(types));
	fixture_close(f);
}

/* compatibility.md 1: gzip, deflate, zstd */
Test(dialect_moose, a_body_may_be_compressed)
{
	struct fixture *f = open_moose();
	struct libdeflate_compressor *c = libdeflate_alloc_compressor(6);
	struct request z = gzip_of("{\"n\":1}", 7);
	char out[128];
	size_t n;

	expect(send_with(f, EVENT, ACME GZIP, z.p, z.n), 200, "SUCCESS");
	n = libdeflate_zlib_compress(c, "{\"n\":1}", 7, out, sizeof(out));
	expect(send_with(f, EVENT, ACME "Content-Encoding: deflate\r\n", out, n), 200, "SUCCESS");
	n = libdeflate_deflate_compress(c, "{\"n\":1}", 7, out, sizeof(out));
	expect(send_with(f, EVENT, ACME "Content-Encoding: deflate\r\n", out, n), 200, "SUCCESS");
	n = ZSTD_compress(out, sizeof(out), "{\"n\":1}", 7, 1);
	expect(send_with(f, EVENT, ACME "Content-Encoding: zstd\r\n", out, n), 200, "SUCCESS");
	cr_assert_eq(f->record_count, 4);
	z.p[z.n / 2] ^= 0x55;
	expect(send_with(f, EVENT, ACME GZIP, z.p, z.n), 400, "Failed to read request body");
	cr_assert_eq(fixture_status(send_with(f, EVENT, ACME "Content-Encoding: br\r\n", "x", 1)),
	             415);
	cr_assert_eq(
		fixture_status(send_with(f, EVENT, ACME "Content-Encoding: snappy\r\n", "x", 1)),
		415);
	libdeflate_free_compressor(c);
	free(z.p);
	fixture_close(f);
}

/* `n` bytes: one object of the model, blanks behind it. */
static char *padded(size_t n)
{
	char *text = malloc(n);

	memset(text, ' ', n);
	memcpy(text, "{\"n\":1}", 7);
	return text;
}

/* C14 with another figure: on the wire by length and by chunks, and inflated */
Test(dialect_moose, a_body_over_max_body_is_413_and_says_the_limit)
{
	static const char too_large[] = "Request body too large. Maximum size is 102400 bytes";
	struct fixture *f = new_with(LISTENER_MOOSE);
	char *text = padded(102401);
	struct request z;

	f->conf.protocols.models.max_body = 100 * KIB;
	fixture_start(f, -1, -1);
	expect(send_with(f, EVENT, ACME, text, 102400), 200, "SUCCESS");
	expect(send_with(f, EVENT, ACME, text, 102401), 413, too_large);
	z = gzip_of(text, 102400);
	expect(send_with(f, EVENT, ACME GZIP, z.p, z.n), 200, "SUCCESS");
	free(z.p);
	z = gzip_of(text, 102401);
	expect(send_with(f, EVENT, ACME GZIP, z.p, z.n), 413, too_large);
	free(z.p);
	expect(fixture_ask(f, "POST " EVENT " HTTP/1.1\r\nHost: x\r\n" ACME
	                      "Transfer-Encoding: chunked\r\n\r\n19001\r\n"),
	       413, too_large);
	expect(send_with(f, EVENT, STRANGER, text, 102401), 401, unauthorized);
	cr_assert_eq(f->record_count, 2);
	free(text);
	fixture_close(f);
}

/* A body of the very limit was 413: the tenants of its objects were counted as the client's bytes.
 */
Test(dialect_moose, what_the_stamp_adds_is_not_counted_against_the_limit)
{
	struct fixture *f = new_with(LISTENER_MOOSE);
	char text[70];

	f->conf.protocols.models.max_body = sizeof(text);
	fixture_start(f, -1, -1);
	memset(text, ' ', sizeof(text));
	memcpy(text,
	       "[{\"n\":1},{\"n\":1},{\"n\":1},{\"n\":1},{\"n\":1},{\"n\":1},{\"n\":1},{\"n\":1}]",
	       65);
	expect(send_with(f, "/ingest/Open", ACME, text, sizeof(text)), 200, "SUCCESS");
	cr_assert_eq(f->record_count, 8);
	cr_assert_arr_eq(f->records[7].value, "{\"tenant_id\":\"acme\",\"n\":1}", 26);
	fixture_forget_records(f);
	expect(send_with(f, "/ingest/Sealed", ACME, text, sizeof(text)), 200, "SUCCESS");
	cr_assert_eq(f->record_count, 8);
	fixture_close(f);
}

/* C9, C10, C13 */
Test(dialect_moose, a_refusal_is_400_in_its_words)
{
	static const struct {
		const char *body, *text;
	} cases[] = {
		{ "{}", "Invalid JSON: Missing fields: n at line 1 column " },
		{ "{\"n\":1.5}",
		  "Invalid JSON: Integer out of range for UInt8 at n: 1.5 at line 1 " },
		{ "{\"n\":300}",
		  "Invalid JSON: Integer out of range for UInt8 at n: 300 at line 1 " },
		{ "{\"n\":1}garbage", "Invalid JSON: trailing characters at line 1 column " },
		{ "[{\"n\":1},{\"n\":-1}]",
		  "Invalid JSON: Negative value for UInt8 at n at line 1 " },
		{ "5", "Invalid JSON: invalid type: integer `5`, expected an array at line 1 " },
		{ "{\"n\"", "Invalid JSON: " },
		{ "", "Invalid JSON: " },
	};
	struct fixture *f = open_moose();

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *reply = post(f, "/ingest/Open", cases[i].body);

		cr_assert_eq(fixture_status(reply), 400, "%s", reply);
		cr_assert_eq(strncmp(fixture_body(reply), cases[i].text, strlen(cases[i].text)), 0,
		             "%s", reply);
		cr_assert_null(strchr(fixture_body(reply), '\n'));
	}
	cr_assert_eq(f->record_count, 0);
	fixture_close(f);
}

/* compatibility.md 5: it was hg-gone without a reply */
Test(dialect_moose, a_body_that_ends_too_early_is_answered)
{
	static const char *const heads[] = { "Content-Length: 8\r\n",
		                             "Transfer-Encoding: chunked\r\n" };
	struct fixture *f = open_moose();

	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		char text[256];
		int n = snprintf(text, sizeof(text),
		                 "POST " EVENT " HTTP/1.1\r\nHost: x\r\n" ACME "%s\r\n%s", heads[i],
		                 i ? "8\r\n{\"n\":1" : "{\"n\":1");

		cr_assert_null(fixture_run(f, &f->public, bytes_of(text, (size_t)n), SIZE_MAX));
		f->r.eof = f->r.peer_half_closed = true;
		while ((f->step = stages_run(&f->r)) == STEP_ROOM)
			fixture_send_out(f);
		cr_assert_eq(f->step, STEP_DONE);
		req_finish(&f->r);
		expect(f->sent, 400, "Failed to read request body");
		cr_assert(fixture_has(f->sent, "Connection: close"));
		cr_assert_eq(f->r.verdict, V_FRAMING);
	}
	expect(fixture_ask(f, "POST " EVENT " HTTP/1.1\r\nHost: x\r\n" ACME
	                      "Transfer-Encoding: chunked\r\n\r\nx\r\n"),
	       400, "Failed to read request body");
	cr_assert_eq(f->record_count, 0);
	fixture_close(f);
}

/* C17, compatibility.md 1.1 */
Test(dialect_moose, what_hangs_on_the_broker_is_503_error)
{
	static const enum verdict said[] = { V_KAFKA_TIMEOUT, V_STORE, V_TOPIC_UNAVAILABLE,
		                             V_OVERLOAD };
	struct fixture *f = open_moose();

	for (size_t i = 0; i < ARRAY_LEN(said); i++) {
		const char *reply;

		f->sink_says = said[i];
		reply = post(f, EVENT, "{\"n\":1}");
		expect(reply, 503, "Error");
		cr_assert(strstr(reply, "\r\nRetry-After: "));
	}
	f->sink_says = V_ACCEPTED;
	fixture_fresh(f, false);
	expect(send_with(f, EVENT, "Authorization: Bearer a.b\r\n", "{}", 2), 503, "Error");
	fixture_close(f);
}

/* C15, C20, and the prefix of C21 */
Test(dialect_moose, namespace_schema_and_tenant_are_where_they_belong)
{
	static const struct {
		const char *path, *body, *topic, *value;
	} cases[] = {
		{ EVENT, "{\"n\":1,\"tenant_id\":\"x\"}", "ns.UserEvent_1_0", "{\"n\":1}" },
		{ "/data/in" EVENT, "{\"n\":1}", "ns.UserEvent_1_0", "{\"n\":1}" },
		{ "/DATA/in/ingest/open", "{\"n\":1,\"x\":null}", "ns.Open",
		  "{\"tenant_id\":\"acme\",\"n\":1,\"x\":null}" },
		{ "/ingest/Open", "{\"tenant_id\":\"evil\",\"n\":1}", "ns.Open",
		  "{\"tenant_id\":\"acme\",\"n\":1}" },
		{ "/ingest/Mine", "{\"tenant_id\":\"evil\"}", "ns.Mine",
		  "{\"tenant_id\":\"acme\"}" },
	};
	struct fixture *f = new_with(LISTENER_MOOSE);

	f->conf.protocols.models.namespace = "ns";
	f->conf.protocols.models.path_prefix = "/data/in";
	fixture_start(f, -1, -1);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fixture_record *rec = &f->records[i];

		expect(post(f, cases[i].path, cases[i].body), 200, "SUCCESS");
		cr_assert_str_eq(rec->topic, cases[i].topic);
		cr_assert(bytes_eq(bytes_of(rec->value, rec->value_n), bytes_str(cases[i].value)),
		          "%.*s", (int)rec->value_n, (char *)rec->value);
		cr_assert_eq(strncmp(rec->headers, "X-Scope-OrgID=acme\ntenant_id=acme\n", 34), 0);
	}
	expect(post(f, "/ingest/Sealed", "{\"n\":1}"), 200, "SUCCESS");
	cr_assert_eq(f->records[5].value_n, 12u);
	cr_assert_arr_eq(f->records[5].value, "\0\0\0\0\7{\"n\":1}", 12);
	cr_assert_eq(fixture_status(post(f, "/ingest/Number", "{\"tenant_id\":1}")), 403);
	expect(post(f, "/data" EVENT, "{\"n\":1}"), 404, no_route);
	cr_assert_eq(f->record_count, 6);
	fixture_close(f);
}

/* compatibility.md 5: names of checks in lists, for those who ask for JSON */
Test(dialect_moose, health_is_two_lists_for_those_who_take_json)
{
#define ACCEPT "Accept: application/json, text/plain, */*\r\n"
	static const char *const paths[] = { "/health", "/ready", "/liveness" };
	struct fixture *f = open_moose();
	const char *reply;

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		reply = ask(f, "GET", paths[i], ACCEPT);
		cr_assert_eq(fixture_status(reply), 200);
		cr_assert(fixture_has(reply, "Content-Type: application/json"));
		cr_assert_str_eq(fixture_body(reply),
		                 "{\"healthy\":[\"tenants\",\"kafka\"],\"unhealthy\":[]}");
	}
	f->sink_ready = false;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		bool ready = strcmp(paths[i], "/ready") != 0;

		reply = ask(f, "GET", paths[i], ACCEPT);
		cr_assert_eq(fixture_status(reply), ready ? 200 : 503);
		cr_assert_eq(fixture_has(reply, "Retry-After: 1"), !ready);
		cr_assert_str_eq(fixture_body(reply),
		                 "{\"healthy\":[\"tenants\"],\"unhealthy\":[\"kafka\"]}");
	}
	cr_assert_str_eq(fixture_body(ask(f, "GET", "/ready", "Accept: */*\r\n")),
	                 "not ready: kafka\n");
	cr_assert_str_eq(fixture_body(ask(f, "GET", "/health", "")), "");
	cr_assert_str_eq(fixture_body(ask(f, "GET", "/liveness", "")), "");
	fixture_close(f);
	f = fixture_open(); /* a native listener knows none of that */
	cr_assert_str_eq(fixture_body(ask(f, "GET", "/ready", ACCEPT)), "ready\n");
	cr_assert_eq(fixture_status(ask(f, "GET", "/liveness", ACCEPT)), 404);
	fixture_close(f);
}

/* protocols.md 1.3, 1.4: the generic rules */
Test(dialect_moose, models_of_a_native_listener_are_202_and_ask_for_json)
{
	static const struct {
		const char *type;
		int status;
	} types[] = { { "Content-Type: application/json\r\n", 202 },
		      { "Content-Type: Application/JSON; charset=utf-8\r\n", 202 },
		      { "Content-Type: application/cloudevents+json\r\n", 202 },
		      { "Content-Type: application/+json\r\n", 415 },
		      { "Content-Type: text/json\r\n", 415 },
		      { "Content-Type: application/jsonl\r\n", 415 },
		      { "Content-Type: application/json; charsetutf-8\r\n", 415 },
		      { "", 415 } };
	struct fixture *f = new_with(LISTENER_NATIVE);
	const char *reply;
	char fields[200];

	fixture_start(f, -1, -1);
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		snprintf(fields, sizeof(fields), ACME "%s", types[i].type);
		reply = send_with(f, "/ingest/userevent/1.0", fields, "{\"n\":1}", 7);
		cr_assert_eq(fixture_status(reply), types[i].status, "%s", types[i].type);
		if (types[i].status == 415)
			cr_assert_eq(strncmp(fixture_body(reply), "hg-type: ", 9), 0);
		else
			cr_assert_str_eq(fixture_body(reply), "");
	}
	cr_assert_eq(f->record_count, 3);
	snprintf(fields, sizeof(fields), ACME "%s", types[0].type);
	reply = send_with(f, EVENT, fields, "{}", 2);
	cr_assert_eq(fixture_status(reply), 400);
	cr_assert_eq(
		strncmp(fixture_body(reply), "hg-invalid: Invalid JSON: Missing fields: n ", 44), 0,
		"%s", reply);
	reply = send_with(f, "/ingest/Nobody", fields, "{}", 2);
	cr_assert_eq(fixture_status(reply), 404);
	cr_assert_eq(strncmp(fixture_body(reply), "hg-model: no such data model ", 29), 0);
	cr_assert_eq(fixture_status(send_with(f, "/ingest/Nobody", STRANGER, "{}", 2)), 401);
	cr_assert_eq(fixture_status(ask(f, "GET", EVENT, "")), 405);
	cr_assert_eq(fixture_status(ask(f, "OPTIONS", "/nowhere", "")), 404);
	/* the scheme is what RFC 9110 says there */
	cr_assert_eq(fixture_status(send_with(f, EVENT,
	                                      "Authorization: bearer secret-acme\r\n"
	                                      "Content-Type: application/json\r\n",
	                                      "{\"n\":1}", 7)),
	             202);
	fixture_close(f);
}

/* compatibility.md 1.5: the listener's rules are for what Moose has */
Test(dialect_moose, other_protocols_of_its_listener_answer_as_ever)
{
	struct fixture *f = open_moose();
	const char *reply = send_body(f, "/v1/traces", "", one_span, sizeof(one_span));

	cr_assert_eq(fixture_status(reply), 200);
	cr_assert_str_eq(fixture_body(reply), "");
	cr_assert(fixture_has(reply, "Content-Type: application/x-protobuf"));
	cr_assert_eq(fixture_status(send_with(f, "/v1/traces",
	                                      "authorization: bearer secret-acme\r\n" PROTOBUF,
	                                      one_span, sizeof(one_span))),
	             200);
	cr_assert_eq(fixture_status(ask(f, "GET", "/v1/traces", "")), 405);
	fixture_close(f);
}
