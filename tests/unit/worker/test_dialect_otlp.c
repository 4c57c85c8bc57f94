/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/dialect_otlp.c"

#include <jansson.h>

#include "proto/schema/status.pb-c.h"

#include "tests/unit/worker/fixture.h"

static struct fixture *open_for(const char *type, const char *path)
{
	struct fixture *f = fixture_open_all();
	char text[256];

	snprintf(text, sizeof(text),
	         "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: 0\r\n\r\n",
	         path, type);
	fixture_begin(f, &f->public);
	fixture_feed(f, (const uint8_t *)text, strlen(text));
	cr_assert_eq(head_run(&f->r), STEP_NEXT);
	route_run(&f->r);
	f->r.verdict = V_NONE;
	f->r.detail[0] = '\0';
	f->r.at = STAGE_ENRICH;
	return f;
}

static void close_it(struct fixture *f)
{
	f->r.verdict = V_GONE;
	req_finish(&f->r);
	fixture_close(f);
}

static int render_as(struct fixture *f, enum verdict v, unsigned retry_after, struct buf *body,
                     const char **type)
{
	const struct dialect *d = dialect_of(&f->r);
	char lines[REPLY_FIELDS];
	struct buf fields;
	struct reply reply = { .status = d->status(f->r.route, v),
		               .body = body,
		               .fields = &fields,
		               .retry_after = retry_after };

	f->r.verdict = v;
	buf_reset(body);
	buf_init_fixed(&fields, lines, sizeof(lines));
	d->render(&f->r, &reply);
	cr_assert(!fields.failed);
	*type = reply.content_type;
	cr_assert(!body->failed);
	return reply.status;
}

static Google__Rpc__Status *unpack(const struct buf *body)
{
	Google__Rpc__Status *s =
		google__rpc__status__unpack(NULL, body->n, (const uint8_t *)body->p);

	cr_assert(s, "no google.rpc.Status");
	return s;
}

/* P1 */
Test(dialects, success_of_otlp_is_empty_and_of_the_request_s_type)
{
	struct fixture *f = open_for("Application/X-Protobuf; a=b", "/v1/logs");
	const char *type;
	struct buf body;

	buf_init(&body, 4096);
	cr_assert_eq(render_as(f, V_ACCEPTED, 0, &body, &type), 200);
	cr_assert_str_eq(type, "application/x-protobuf");
	cr_assert_eq(body.n, 0);
	close_it(f);
	f = open_for("application/json; charset=utf-8", "/v1/logs");
	cr_assert_eq(render_as(f, V_EMPTY, 0, &body, &type), 200);
	cr_assert_str_eq(type, "application/json");
	cr_assert_eq(body.n, 2);
	cr_assert_arr_eq(body.p, "{}", 2);
	buf_done(&body);
	close_it(f);
}

/* P2, P3: every verdict, in both encodings */
Test(dialects, every_refusal_of_otlp_is_a_status_that_parses)
{
	struct fixture *f = open_for("application/x-protobuf", "/v1/traces");
	const char *type;
	struct buf body;

	buf_init(&body, 4096);
	for (enum verdict v = V_NONE + 1; v < VERDICT_COUNT; v++) {
		bool retry = verdict_get(v)->flags & VF_RETRY;
		Google__Rpc__Status *s;
		int status;

		if (verdict_is_success(v))
			continue;
		status = render_as(f, v, retry ? 3 : 0, &body, &type);
		cr_assert_str_eq(type, "application/x-protobuf");
		s = unpack(&body);
		cr_assert_eq(s->code, dialect_otlp_code(status));
		cr_assert_eq(strncmp(s->message, verdict_get(v)->id, strlen(verdict_get(v)->id)),
		             0);
		cr_assert_eq(s->n_details, status == 400 || retry ? 1u : 0u, "%s",
		             verdict_get(v)->id);
		if (retry) {
			Google__Rpc__RetryInfo *info;

			cr_assert_str_eq(s->details[0]->type_url,
			                 "type.googleapis.com/google.rpc.RetryInfo");
			info = google__rpc__retry_info__unpack(NULL, s->details[0]->value.len,
			                                       s->details[0]->value.data);
			cr_assert_eq(info->retry_delay->seconds, 3);
			google__rpc__retry_info__free_unpacked(info, NULL);
		}
		google__rpc__status__free_unpacked(s, NULL);
	}
	buf_done(&body);
	close_it(f);
}

Test(dialects, a_400_says_what_is_wrong_with_which_field)
{
	struct fixture *f = open_for("application/x-protobuf", "/v1/traces");
	Google__Rpc__BadRequest *bad;
	Google__Rpc__Status *s;
	const char *type;
	struct buf body;

	buf_init(&body, 4096);
	snprintf(f->r.detail, sizeof(f->r.detail), "spans[2].name: invalid UTF-8");
	f->r.refused_at = STAGE_ENRICH;
	cr_assert_eq(render_as(f, V_INVALID, 0, &body, &type), 400);
	s = unpack(&body);
	cr_assert_eq(s->code, 3);
	cr_assert_eq(strncmp(s->message, "hg-invalid: spans[2].name: invalid UTF-8 (request ", 49),
	             0, "%s", s->message);
	bad = google__rpc__bad_request__unpack(NULL, s->details[0]->value.len,
	                                       s->details[0]->value.data);
	cr_assert_str_eq(s->details[0]->type_url, "type.googleapis.com/google.rpc.BadRequest");
	cr_assert_str_eq(bad->field_violations[0]->field, "body");
	cr_assert_str_eq(bad->field_violations[0]->description, "spans[2].name: invalid UTF-8");
	google__rpc__bad_request__free_unpacked(bad, NULL);
	google__rpc__status__free_unpacked(s, NULL);
	buf_done(&body);
	close_it(f);
}

/* protocols.md 4.4 */
Test(dialects, the_bytes_are_those_of_the_page)
{
	struct fixture *f = open_for("application/x-protobuf", "/v1/traces");
	static const char retry[] = "\"details\":[{\"@type\":\"type.googleapis.com/"
				    "google.rpc.RetryInfo\",\"retryDelay\":\"2s\"}]}";
	const char *type;
	struct buf body;

	buf_init(&body, 4096);
	f->r.request_id[0] = '\0';
	cr_assert_eq(render_as(f, V_SCOPE, 0, &body, &type), 403);
	cr_assert_arr_eq(body.p, "\x08\x07\x12\x08hg-scope", 12);
	cr_assert_eq(body.n,
	             12); /* no detail, and the verdict's text has arguments that nobody gave */
	close_it(f);
	f = open_for("application/json", "/v1/traces");
	cr_assert_eq(render_as(f, V_OVERLOAD, 2, &body, &type), 503);
	cr_assert_eq(strncmp(body.p,
	                     "{\"code\":14,\"message\":\"hg-overload: too many bytes in flight, "
	                     "retry (request ",
	                     76),
	             0);
	cr_assert(memmem(body.p, body.n, retry, sizeof(retry) - 1));
	buf_done(&body);
	close_it(f);
}

Test(dialects, codes_are_those_of_the_page)
{
	static const struct {
		int status, code;
	} cases[] = { { 400, 3 },  { 401, 16 }, { 403, 7 },  { 404, 12 }, { 429, 8 },
		      { 502, 14 }, { 503, 14 }, { 504, 14 }, { 405, 2 },  { 411, 2 },
		      { 413, 2 },  { 415, 2 },  { 408, 2 } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		cr_assert_eq(dialect_otlp_code(cases[i].status), cases[i].code, "%d", cases[i].status);
}

/* P20: the longest text, all of it escaped in JSON, still is one well-formed document */
Test(dialects, a_text_of_quotes_and_backslashes_breaks_no_json)
{
	struct fixture *f = open_for("application/json", "/v1/traces");
	json_t *doc, *details, *violations;
	const char *type;
	struct buf body;

	buf_init(&body, 4096);
	memset(f->r.detail, '"', sizeof(f->r.detail) - 1);
	f->r.detail[sizeof(f->r.detail) - 1] = '\0';
	f->r.refused_at = STAGE_ENRICH;
	cr_assert_eq(render_as(f, V_INVALID, 0, &body, &type), 400);
	doc = json_loadb(body.p, body.n, JSON_REJECT_DUPLICATES, NULL);
	cr_assert(doc, "%.*s", (int)body.n, body.p);
	cr_assert_eq(json_integer_value(json_object_get(doc, "code")), 3);
	details = json_object_get(doc, "details");
	violations = json_object_get(json_array_get(details, 0), "fieldViolations");
	cr_assert_str_eq(
		json_string_value(json_object_get(json_array_get(violations, 0), "description")),
		f->r.detail);
	json_decref(doc);
	cr_assert_lt(body.n, 2000u);
	buf_done(&body);
	close_it(f);
}

/* P20 */
Test(dialects, a_plain_refusal_is_one_line_of_512_bytes_at_most)
{
	struct fixture *f = open_for("text/plain", "/ready");
	const char *type;
	struct buf body;

	buf_init(&body, 4096);
	memset(f->r.detail, 'a', sizeof(f->r.detail) - 1);
	f->r.detail[sizeof(f->r.detail) - 1] = '\0';
	cr_assert_eq(render_as(f, V_METHOD, 0, &body, &type), 405);
	cr_assert_str_eq(type, "text/plain; charset=utf-8");
	cr_assert_leq(body.n, 512u);
	cr_assert_eq(memchr(body.p, '\n', body.n), body.p + body.n - 1);
	buf_done(&body);
	close_it(f);
}

/* ---- remote_write ---- */

Test(dialects, success_of_remote_write_is_204_and_the_rest_is_plain)
{
	struct fixture *f = open_for("application/x-protobuf", "/api/v1/write");
	const char *type = NULL;
	struct buf body;

	buf_init(&body, 4096);
	for (enum verdict v = V_NONE + 1; v < VERDICT_COUNT; v++) {
		int status = render_as(f, v, 0, &body, &type);

		if (verdict_is_success(v)) {
			cr_assert_eq(status, 204);
			cr_assert_eq(body.n, 0);
			cr_assert_null(type);
			continue;
		}
		cr_assert_eq(status, verdict_get(v)->status);
		cr_assert_str_eq(type, "text/plain; charset=utf-8");
		cr_assert_eq(strncmp(body.p, verdict_get(v)->id, strlen(verdict_get(v)->id)), 0);
		cr_assert_eq(memchr(body.p, '\n', body.n), body.p + body.n - 1);
	}
	buf_done(&body);
	close_it(f);
}

/* ---- Loki ---- */

/* P6, P20 */
Test(dialects, loki_s_status_of_a_wrong_type_or_coding_is_400_and_all_is_plain)
{
	struct fixture *f = open_for("application/json", "/loki/api/v1/push");
	const char *type = NULL;
	struct buf body;

	buf_init(&body, 4096);
	for (enum verdict v = V_NONE + 1; v < VERDICT_COUNT; v++) {
		int status = render_as(f, v, 0, &body, &type);

		if (verdict_is_success(v)) {
			cr_assert_eq(status, 204);
			cr_assert_eq(body.n, 0);
			cr_assert_null(type);
			continue;
		}
		cr_assert_eq(status, v == V_TYPE || v == V_ENCODING ? 400 : verdict_get(v)->status);
		cr_assert_str_eq(type, "text/plain; charset=utf-8");
		cr_assert_eq(strncmp(body.p, verdict_get(v)->id, strlen(verdict_get(v)->id)), 0);
		cr_assert_eq(memchr(body.p, '\n', body.n), body.p + body.n - 1);
	}
	buf_done(&body);
	close_it(f);
}

/* protocols.md 6 */
Test(dialects, loki_s_words_stand_in_its_answers)
{
	struct fixture *f = open_for("application/json", "/api/prom/push");
	const char *type;
	struct buf body;

	buf_init(&body, 4096);
	f->r.request_id[0] = '\0';
	cr_assert_eq(render_as(f, V_NO_STREAMS, 0, &body, &type), 422);
	cr_assert(bytes_eq(buf_view(&body),
	                   BYTES("hg-empty: error at least one valid stream is required for ingestion\n")));
	f->r.head.content_encoding = BYTES("l\"4\x01");
	f->r.head.content_encoding_count = 1;
	render_as(f, V_ENCODING, 0, &body, &type);
	cr_assert(bytes_eq(buf_view(&body),
	                   BYTES("hg-encoding: Content-Encoding \"l\\x224\\x01\" not supported\n")),
	          "%.*s", (int)body.n, body.p);
	snprintf(f->r.detail, sizeof(f->r.detail), "9 bytes exceed the limit");
	render_as(f, V_BODY_SIZE, 0, &body, &type);
	cr_assert(bytes_eq(buf_view(&body),
	                   BYTES("hg-body-size: request body too large: 9 bytes exceed the limit\n")));
	memset(f->r.detail, 'x', sizeof(f->r.detail) - 1);
	render_as(f, V_INFLATED_SIZE, 0, &body, &type);
	cr_assert_leq(body.n, 512);
	buf_done(&body);
	close_it(f);
}

/* ---- Obstack ---- */

/* What `detail` and `type` say; nothing else stands in the object. */
static void expect_detail(const struct buf *body, const char *detail, const char *type)
{
	json_t *doc = json_loadb(body->p, body->n, JSON_REJECT_DUPLICATES, NULL);

	cr_assert(doc, "%.*s", (int)body->n, body->p);
	cr_assert_eq(json_object_size(doc), 2);
	cr_assert_str_eq(json_string_value(json_object_get(doc, "detail")), detail);
	cr_assert_str_eq(json_string_value(json_object_get(doc, "type")), type);
	json_decref(doc);
}

/* compatibility.md 2: of every verdict */
Test(dialects, every_refusal_of_obstack_is_detail_and_type)
{
	static const char *const paths[] = { "/ingest/otlp/v1", "/ingest/prometheus/v1/write" };
	const char *type;
	struct buf body;

	buf_init(&body, 4096);
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		struct fixture *f = open_for("application/x-protobuf", paths[i]);

		snprintf(f->r.detail, sizeof(f->r.detail), "what \"was\" wrong");
		for (enum verdict v = V_NONE + 1; v < VERDICT_COUNT; v++) {
			int status, own = verdict_get(v)->status;

			if (verdict_is_success(v) || v == V_NO_STREAMS) /* Loki's */
				continue;
			status = render_as(f, v, 0, &body, &type);
			cr_assert_eq(status, v == V_TENANT_SUSPENDED ? 401 : own);
			cr_assert(status != 422 && status != 500);
			cr_assert_str_eq(type, "application/json");
			expect_detail(&body,
			              status == 401 ? "Authentication failed"
			                            : "what \"was\" wrong",
			              status == 400   ? "validation_error"
			              : status == 503 ? "application_error"
			                              : "http_exception");
		}
		close_it(f);
	}
	buf_done(&body);
}

/* A3: whatever was wrong with it, the same bytes; no id of a request among them */
Test(dialects, a_bad_credential_of_obstack_has_one_answer)
{
	static const char want[] =
		"{\"detail\":\"Authentication failed\",\"type\":\"http_exception\"}";
	struct fixture *f = open_for("application/json", "/ingest/otlp/v1/logs");
	const char *type;
	struct buf body;

	buf_init(&body, 4096);
	snprintf(f->r.detail, sizeof(f->r.detail), "tenant 'lazy' is suspended");
	cr_assert_eq(render_as(f, V_CREDENTIAL, 0, &body, &type), 401);
	cr_assert(bytes_eq(buf_view(&body), BYTES(want)), "%.*s", (int)body.n, body.p);
	cr_assert_eq(render_as(f, V_TENANT_SUSPENDED, 0, &body, &type), 401);
	cr_assert(bytes_eq(buf_view(&body), BYTES(want)), "%.*s", (int)body.n, body.p);
	buf_done(&body);
	close_it(f);
}

/* A1: exporters parse the body of a 202 by its type */
Test(dialects, success_of_obstack_is_202_with_the_body_of_its_protocol)
{
	const char *type = NULL;
	struct buf body;
	struct fixture *f = open_for("application/x-protobuf; a=b", "/ingest/otlp/v1");

	buf_init(&body, 4096);
	cr_assert_eq(render_as(f, V_ACCEPTED, 0, &body, &type), 202);
	cr_assert_str_eq(type, "application/x-protobuf");
	cr_assert_eq(body.n, 0);
	close_it(f);
	f = open_for("application/json", "/ingest/otlp/v1/traces");
	cr_assert_eq(render_as(f, V_EMPTY, 0, &body, &type), 202);
	cr_assert_str_eq(type, "application/json");
	cr_assert(bytes_eq(buf_view(&body), BYTES("{}")));
	close_it(f);
	f = open_for("application/x-protobuf", "/ingest/prometheus/v1/write");
	cr_assert_eq(render_as(f, V_ACCEPTED, 0, &body, &type), 202);
	cr_assert_null(type);
	cr_assert_eq(body.n, 0);
	buf_done(&body);
	close_it(f);
}

/* P20: nothing that a text can hold breaks the document */
Test(dialects, a_detail_of_obstack_is_escaped)
{
	struct fixture *f = open_for("application/x-protobuf", "/ingest/otlp/v1");
	const char *type;
	struct buf body;

	buf_init(&body, 4096);
	memset(f->r.detail, '\\', sizeof(f->r.detail) - 1);
	f->r.detail[sizeof(f->r.detail) - 1] = '\0';
	cr_assert_eq(render_as(f, V_INVALID, 0, &body, &type), 400);
	expect_detail(&body, f->r.detail, "validation_error");
	buf_done(&body);
	close_it(f);
}
