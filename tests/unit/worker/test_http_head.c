/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "worker/http_head.c"

#include "tests/unit/worker/http_walk.h"

enum group { SMUGGLING, COMPLIANCE, MALFORMED, GROUP_COUNT };
static const struct corpus_case {
	enum group group;
	const char *name, *outcome;
	struct bytes bytes;
} corpus[] = {
#define CASE(group, name, outcome, bytes) { group, #name, outcome, BYTES(bytes) },
#include "tests/unit/worker/http_corpus.def"
#undef CASE
};

static struct walk walk;

static void opens(void)
{
	walk_open(&walk);
}

static void closes(void)
{
	walk_close(&walk);
}

TestSuite(http_head, .init = opens, .fini = closes, .timeout = 120);

/* F34 */
Test(http_head, every_case_of_the_corpus_has_its_outcome)
{
	unsigned counts[GROUP_COUNT] = { 0 };

	for (unsigned i = 0; i < ARRAY_LEN(corpus); i++) {
		counts[corpus[i].group]++;
		cr_expect_str_eq(walk_run(&walk, corpus[i].bytes, SIZE_MAX, SIZE_MAX),
		                 corpus[i].outcome, "%s: %s", corpus[i].name, walk.out);
	}
	cr_assert_geq(counts[SMUGGLING], 87);
	cr_assert_geq(counts[COMPLIANCE], 76);
	cr_assert_geq(counts[MALFORMED], 26);
}

/* F37 */
Test(http_head, every_case_fed_byte_by_byte_has_the_same_outcome)
{
	for (unsigned i = 0; i < ARRAY_LEN(corpus); i++)
		cr_expect_str_eq(walk_run(&walk, corpus[i].bytes, 1, 1), corpus[i].outcome,
		                 "%s: %s", corpus[i].name, walk.out);
}

/* F37 */
Test(http_head, every_case_cut_at_every_offset_has_the_same_outcome)
{
	for (unsigned i = 0; i < ARRAY_LEN(corpus); i++) {
		size_t stride = corpus[i].bytes.n > 2 * KIB
		                        ? 61
		                        : 1; /* the long ones hold one byte, repeated */

		for (size_t cut = 1; cut < corpus[i].bytes.n; cut += stride)
			cr_assert_str_eq(walk_run(&walk, corpus[i].bytes, cut, SIZE_MAX),
			                 corpus[i].outcome, "%s cut at %zu: %s", corpus[i].name,
			                 cut, walk.out);
	}
}

static enum head_result parse(const char *text, struct http_head *h, enum verdict *v,
                              const char **why)
{
	size_t scanned = 0;
	uint64_t limit = 0;
	struct http_head fresh = { 0 };

	*h = fresh;
	return http_head_parse(bytes_str(text), &scanned, h, v, why, &limit);
}

static void is_good(const char *text, struct http_head *h)
{
	enum verdict v = V_NONE;
	const char *why = "";

	cr_assert_eq(parse(text, h, &v, &why), HEAD_OK, "%s: %s", text, why);
}

static void is_bad(const char *text, const char *expected)
{
	struct http_head h;
	enum verdict v = V_NONE;
	const char *why = "";

	cr_assert_eq(parse(text, &h, &v, &why), HEAD_BAD, "%s", text);
	cr_expect_str_eq(why, expected, "%s: %s", text, why);
}

static void equals(struct bytes b, const char *text)
{
	cr_expect(bytes_eq(b, bytes_str(text)), "%.*s is not %s", (int)b.n, (const char *)b.p,
	          text);
}

Test(http_head, all_parts_of_a_request_are_found)
{
	struct http_head h;

	is_good("POST /v1/traces?x=1 HTTP/1.1\r\nHost: gate:4318\r\nContent-Type: "
	        "\tapplication/json \r\n"
	        "content-encoding: gzip\r\nContent-Length: 42\r\nExpect: 100-continue\r\nX-A: "
	        "b\r\nx-a: c\r\n\r\nbody",
	        &h);
	cr_assert_eq(h.method, HTTP_POST);
	equals(h.method_text, "POST");
	equals(h.target, "/v1/traces?x=1");
	equals(h.path, "/v1/traces");
	equals(h.host, "gate:4318");
	equals(h.content_type, "application/json");
	equals(h.content_encoding, "gzip");
	cr_assert(h.has_length && h.length == 42 && !h.chunked && h.expect_continue &&
	          h.keep_alive);
	cr_assert_eq(h.minor, 1);
	cr_assert_eq(h.field_count, 7);
	cr_assert_eq(http_field_count(&h, "X-A"), 2);
	equals(http_field_find(&h, "X-A", 1)->value, "c");
	cr_assert_null(http_field_find(&h, "X-A", 2));
	cr_assert_null(http_field_find(&h, "X-", 0));
}

Test(http_head, head_ends_where_the_body_begins)
{
	struct http_head h;

	is_good("GET / HTTP/1.0\r\n\r\nGET", &h);
	cr_assert_eq(h.bytes, 18);
	cr_assert_eq(h.host.n, 0);
}

Test(http_head, second_type_is_counted_for_the_stage_that_judges)
{
	struct http_head h;

	is_good("GET / HTTP/1.1\r\nHost: a\r\nContent-Type: a/b\r\nContent-Type: "
	        "c/d\r\nContent-Encoding: gzip\r\n"
	        "Content-Encoding: x\r\n\r\n",
	        &h);
	cr_assert_eq(h.content_type_count, 2);
	cr_assert_eq(h.content_encoding_count, 2);
	equals(h.content_type, "a/b");
	equals(h.content_encoding, "gzip");
}

Test(http_head, authority_of_an_absolute_target_stands_for_host)
{
	struct http_head h;

	is_good("GET http://b.example:80/x/y?z HTTP/1.1\r\nHost: a.example\r\n\r\n", &h);
	equals(h.host, "b.example:80");
	equals(h.path, "/x/y");
	is_good("GET https://b.example?z HTTP/1.1\r\nHost: a.example\r\n\r\n", &h);
	equals(h.path, "/");
}

Test(http_head, path_stays_undecoded)
{
	struct http_head h;

	is_good("GET /v1/%74races HTTP/1.1\r\nHost: a\r\n\r\n", &h);
	equals(h.path, "/v1/%74races");
}

Test(http_head, keep_alive_follows_version_and_connection)
{
	struct http_head h;

	is_good("GET / HTTP/1.1\r\nHost: a\r\n\r\n", &h);
	cr_assert(h.keep_alive);
	is_good("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade, Close\r\n\r\n", &h);
	cr_assert(!h.keep_alive);
	is_good("GET / HTTP/1.0\r\n\r\n", &h);
	cr_assert(!h.keep_alive);
	is_good("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", &h);
	cr_assert(h.keep_alive);
	is_good("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n",
	        &h);
	cr_assert(!h.keep_alive);
	is_good("GET / HTTP/1.1\r\nHost: a\r\nConnection: closed\r\n\r\n", &h);
	cr_assert(h.keep_alive);
}

Test(http_head, refusals_say_what_is_wrong)
{
	is_bad("GET / HTTP/1.1\nHost: a\n\n", "bare LF in the head");
	is_bad("GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n",
	       "blank before the colon of a header field");
	is_bad("GET / HTTP/1.1\r\nHost: a\r\n x\r\n\r\n", "folded header field");
	is_bad("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "two Host fields");
	is_bad("GET / HTTP/1.1\r\n\r\n", "no Host");
	is_bad("GET /%2F HTTP/1.1\r\nHost: a\r\n\r\n", "encoded slash or NUL in the path");
	is_bad("GET /../x HTTP/1.1\r\nHost: a\r\n\r\n", "dot segment in the path");
	is_bad("PRI * HTTP/2.0\r\n\r\n", "HTTP/2 preface");
	is_bad("GET / HTTP/1.1\r\nHost: a\r\nContent_Type: x\r\n\r\n", "field name with _ for -");
}

/* A head of exactly the limit passes, one byte more does not, trickled or whole. */
static void size_is(const char *before, size_t fill, const char *after, const char *outcome)
{
	size_t b = strlen(before), a = strlen(after), n = b + fill + a;
	uint8_t *text = xcalloc(1, n + 1);

	memcpy(text, before, b);
	memset(text + b, 'a', fill);
	memcpy(text + b + fill, after, a);
	cr_expect_str_eq(walk_run(&walk, bytes_of(text, n), SIZE_MAX, SIZE_MAX), outcome, "%zu: %s",
	                 fill, walk.out);
	cr_expect_str_eq(walk_run(&walk, bytes_of(text, n), 1, 1), outcome, "%zu, trickled: %s",
	                 fill, walk.out);
	free(text);
}

Test(http_head, limits_of_line_field_and_head_are_exact)
{
	static const char rest[] = " HTTP/1.1\r\nHost: a\r\n\r\n";
	static char nearly[HEAD_MAX];
	size_t n = 0;

	size_is("GET /", HEAD_LINE_MAX - 14, rest, "ok:");
	size_is("GET /", HEAD_LINE_MAX - 13, rest, "HEAD_SIZE");
	size_is("GET / HTTP/1.1\r\nHost: a\r\nX:", HEAD_FIELD_MAX - 2, "\r\n\r\n", "ok:");
	size_is("GET / HTTP/1.1\r\nHost: a\r\nX:", HEAD_FIELD_MAX - 1, "\r\n\r\n", "HEAD_SIZE");
	n = (size_t)sprintf(nearly, "GET / HTTP/1.1\r\nHost: a\r\n");
	for (unsigned i = 0; i < 3; i++)
		n += (size_t)sprintf(nearly + n, "X:%08000u\r\n", 0);
	n += (size_t)sprintf(nearly + n, "X:");
	n += (size_t)sprintf(nearly + n, "%04000u\r\nX:", 0);
	size_is(nearly, HEAD_MAX - n - 4, "\r\n\r\n", "ok:");
	size_is(nearly, HEAD_MAX - n - 3, "\r\n\r\n", "HEAD_SIZE");
}

Test(http_head, sixty_four_fields_pass_and_one_more_does_not)
{
	char text[8 * KIB];
	size_t n = (size_t)sprintf(text, "GET / HTTP/1.1\r\nHost: a\r\n");

	for (unsigned i = 1; i < HEAD_FIELDS_MAX; i++)
		n += (size_t)sprintf(text + n, "X%u: y\r\n", i);
	memcpy(text + n, "\r\n", 2);
	cr_assert_str_eq(walk_run(&walk, bytes_of(text, n + 2), SIZE_MAX, SIZE_MAX), "ok:");
	memcpy(text + n, "Y: z\r\n\r\n", 8);
	cr_assert_str_eq(walk_run(&walk, bytes_of(text, n + 8), SIZE_MAX, SIZE_MAX), "HEAD_SIZE");
}

Test(http_head, trickled_head_is_looked_at_once)
{
	char text[] = "GET / HTTP/1.1\r\nHost: a\r\nX: yyyyyyyyyyyyyyyyyyyyyyyyy";
	struct http_head h;
	size_t scanned = 0, n = sizeof(text) - 1;
	enum verdict v;
	const char *why;
	uint64_t limit;

	cr_assert_eq(http_head_parse(bytes_of(text, n), &scanned, &h, &v, &why, &limit), HEAD_MORE);
	/* What was looked at is not looked at again: a byte that turns bad behind our back is not
	 * seen. */
	text[n - 5] = '\0';
	cr_assert_eq(http_head_parse(bytes_of(text, n), &scanned, &h, &v, &why, &limit), HEAD_MORE);
}

static enum step head_of(struct req *r, const char *text)
{
	req_start(r, &walk.w, &walk_listener);
	r->in = bytes_str(text);
	return head_run(r);
}

Test(http_head, stage_takes_the_head_and_keeps_it_in_place)
{
	static struct req r;

	cr_assert_eq(head_of(&r, "GET / HTTP/1.1\r\nHost: a\r\n\r\nrest"), STEP_NEXT);
	cr_assert_eq(r.keep, 27);
	equals(r.in, "rest");
	cr_assert_eq(r.received, INT64_C(1700000000000000000));
	cr_assert_eq(r.started_ns, 1000000000);
	pool_free(r.pool);
}

Test(http_head, request_ids_are_time_and_chance)
{
	static struct req r;
	char first[33];

	head_of(&r, "GET ");
	memcpy(first, r.request_id, sizeof(first));
	cr_assert_eq(strlen(first), 32);
	cr_assert_eq(strncmp(first, "018bcfe56800", 12), 0, "%s", first); /* 1 700 000 000 000 ms */
	for (unsigned i = 0; i < 1000; i++) {
		head_of(&r, "GET ");
		cr_assert_str_neq(r.request_id, first);
	}
	pool_free(r.pool);
}

Test(http_head, client_request_id_and_traceparent_are_taken_if_valid)
{
	static struct req r;
	static const struct {
		const char *field, *id, *trace;
	} cases[] = {
		{ "X-Request-Id: Az09._-", "Az09._-", "" },
		{ "X-Request-Id: a b", "", "" },
		{ "X-Request-Id: a~b", "", "" },
		{ "X-Request-Id:", "", "" },
		{ "X-Request-Id: a\r\nX-Request-Id: a", "", "" },
		{ "X-Request-Id: 0123456789012345678901234567890123456789012345678901234567890123",
		  "0123456789012345678901234567890123456789012345678901234567890123", "" },
		{ "X-Request-Id: 01234567890123456789012345678901234567890123456789012345678901234",
		  "", "" },
		{ "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "",
		  "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" },
		{ "traceparent: cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what", "",
		  "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" },
		{ "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what", "",
		  "" },
		{ "traceparent: cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.what", "",
		  "" },
		{ "traceparent: ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "", "" },
		{ "traceparent: 00-00000000000000000000000000000000-b7ad6b7169203331-01", "", "" },
		{ "traceparent: 00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", "", "" },
		{ "traceparent: 00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "", "" },
		{ "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", "",
		  "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00" },
		{ "traceparent: 00-0af7651916cd43dd8448eb211c80319cb7ad6b7169203331-01", "", "" },
	};

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		char text[512];

		snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n",
		         cases[i].field);
		cr_assert_eq(head_of(&r, text), STEP_NEXT, "%s", text);
		equals(r.client_request_id, cases[i].id);
		equals(r.traceparent, cases[i].trace);
	}
	pool_free(r.pool);
}

Test(http_head, twin_of_a_configured_token_header_is_refused)
{
	static struct req r;
	const char *names[] = { "X-Api-Key", "X_Odd-Key" };

	walk.conf.auth.token_headers = (struct conf_list){ names, 2 };
	cr_assert_eq(
		head_of(&r, "GET / HTTP/1.1\r\nHost: a\r\nx-api-KEY: t\r\nx_odd-key: t\r\n\r\n"),
		STEP_NEXT);
	cr_assert_eq(head_of(&r, "GET / HTTP/1.1\r\nHost: a\r\nX_Api-Key: t\r\n\r\n"), STEP_REPLY);
	cr_assert_eq(r.verdict, V_HTTP);
	cr_assert_eq(head_of(&r, "GET / HTTP/1.1\r\nHost: a\r\nX-Odd-Key: t\r\n\r\n"), STEP_REPLY);
	pool_free(r.pool);
}

Test(http_head, end_in_the_middle_of_a_head_is_a_client_gone)
{
	static struct req r;

	req_start(&r, &walk.w, &walk_listener);
	r.in = BYTES("GET / HT");
	r.eof = true;
	cr_assert_eq(head_run(&r), STEP_REPLY);
	cr_assert_eq(r.verdict, V_GONE);
	pool_free(r.pool);
}

Test(http_head, texts_of_refusals_carry_limit_and_reason)
{
	static struct req r;
	char text[HEAD_LINE_MAX + 2];

	memset(text, 'A', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	cr_assert_eq(head_of(&r, text), STEP_REPLY);
	cr_assert_str_eq(r.detail, "the request line exceeds the limit of 8192");
	cr_assert_eq(head_of(&r, "GET / HTTP/1.1\r\n\r\n"), STEP_REPLY);
	cr_assert_str_eq(r.detail, "malformed request: no Host");
	cr_assert_eq(head_of(&r, "GET / HTTP/3.0\r\n\r\n"), STEP_REPLY);
	cr_assert_eq(r.verdict, V_HTTP_VERSION);
	cr_assert(r.last_on_connection);
	pool_free(r.pool);
}
