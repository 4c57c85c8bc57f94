/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/audit_line.c"

#include <jansson.h>

#include "tests/unit/worker/otlp_bodies.h"

static const struct audit_line start = { "request", 7, 3, 12 };

static json_t *parse(const struct buf *b)
{
	json_t *doc = json_loadb(b->p, b->n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);

	cr_assert(doc, "no JSON: %.*s", (int)b->n, b->p);
	cr_assert_eq(memchr(b->p, '\n', b->n), b->p + b->n - 1, "not one line");
	return doc;
}

/* F52: whatever the parser of heads lets through, now or one day */
Test(audit_line, every_field_of_a_client_may_hold_any_byte)
{
	struct fixture *f = fixture_open();

	for (int c = 0; c < 256; c++) {
		const uint8_t bytes[] = { (uint8_t)c, '"', (uint8_t)c, '\n', (uint8_t)c };
		char text[4096];
		struct buf b;

		fixture_begin(f, &f->public);
		f->r.head.method_text = bytes_of(bytes, sizeof(bytes));
		f->r.head.field_count = 1;
		f->r.head.fields[0].name = BYTES("X-Scope-OrgID");
		f->r.head.fields[0].value = f->r.head.method_text;
		f->r.client_text = "\n\"\\";
		snprintf(f->r.why, sizeof(f->r.why), "x%c\"\\\r\n%c", c, c);
		f->r.verdict = V_INVALID;
		buf_init_fixed(&b, text, sizeof(text));
		audit_line_request(&b, &start, &f->r, 400, 1);
		cr_assert(!b.failed);
		json_decref(parse(&b));
		req_finish(&f->r);
	}
	fixture_close(f);
}

Test(audit_line, the_longest_fields_fit_a_line)
{
	struct fixture *f = fixture_open();
	static uint8_t bad[4000];
	char text[4096], claim[1000] = "";
	struct buf b;

	memset(bad, 0xff, sizeof(bad)); /* each becomes three bytes */
	fixture_begin(f, &f->public);
	f->r.head.method_text = f->r.head.fields[0].value = bytes_of(bad, sizeof(bad));
	f->r.head.fields[0].name = BYTES("X-Scope-OrgID");
	f->r.head.field_count = 1;
	memset(f->r.why, '"', sizeof(f->r.why) - 1);
	memset(f->r.who.tenant, '\'', TENANT_ID_MAX);
	f->r.who.tenant_n = TENANT_ID_MAX;
	memset(f->r.who.token, 'a', 64);
	memset(claim, 1, sizeof(claim) - 1); /* each becomes six bytes */
	f->r.who.subject = f->r.who.email = f->r.who.issuer = claim;
	f->r.who.known = true;
	f->r.client_request_id = bytes_of(f->r.who.token, 64);
	f->r.route = routes_get(f->w.routes, 0);
	f->r.format = f->r.route->protocol->formats;
	f->r.refused_at = STAGE_PRODUCE;
	f->r.produced = true;
	memset(bad + 2000, 't', 249);
	bad[2249] = '\0';
	f->r.topic = (const char *)bad + 2000;
	f->r.wire_bytes = f->r.decoded_bytes = f->r.enriched.items = UINT64_MAX;
	f->r.verdict = V_RECORD_SIZE;
	buf_init_fixed(&b, text, sizeof(text));
	audit_line_request(&b, &start, &f->r, 413, UINT64_MAX);
	cr_assert(!b.failed);
	cr_assert_eq(b.p[b.n - 1], '\n');
	f->r.wire_bytes = f->r.decoded_bytes = f->r.enriched.items = 0;
	req_finish(&f->r);
	fixture_close(f);
}

Test(audit_line, both_kinds_have_the_same_fields_in_the_same_order)
{
	struct fixture *f = fixture_open();
	char request_text[4096], suppressed_text[4096];
	struct buf request, suppressed;
	json_t *a, *b;
	void *i, *j;

	fixture_begin(f, &f->public);
	f->r.verdict = V_GONE;
	buf_init_fixed(&request, request_text, sizeof(request_text));
	buf_init_fixed(&suppressed, suppressed_text, sizeof(suppressed_text));
	audit_line_request(&request, &start, &f->r, 0, 0);
	audit_line_suppressed(&suppressed, &start, 42);
	a = parse(&request);
	b = parse(&suppressed);
	cr_assert_eq(json_object_size(a), 36u); /* operations.md 8 */
	for (i = json_object_iter(a), j = json_object_iter(b); i;
	     i = json_object_iter_next(a, i), j = json_object_iter_next(b, j))
		cr_assert_str_eq(json_object_iter_key(i), json_object_iter_key(j));
	cr_assert(!j);
	cr_assert_eq(json_integer_value(json_object_get(b, "suppressed")), 42);
	cr_assert(json_is_null(json_object_get(a, "code")));
	json_decref(a);
	json_decref(b);
	req_finish(&f->r);
	fixture_close(f);
}

static json_t *line_of(struct fixture *f)
{
	char text[4096];
	struct buf b;

	f->r.verdict = V_CREDENTIAL;
	buf_init_fixed(&b, text, sizeof(text));
	audit_line_request(&b, &start, &f->r, 401, 1);
	return parse(&b);
}

static bool is_text(json_t *line, const char *key, const char *text)
{
	const char *value = json_string_value(json_object_get(line, key));

	return value ? text && strcmp(value, text) == 0 : !text;
}

static void assert_identity(struct fixture *f, const char *subject, const char *email,
                            const char *issuer, json_type admin)
{
	json_t *line = line_of(f);

	cr_expect(is_text(line, "subject", subject));
	cr_expect(is_text(line, "email", email));
	cr_expect(is_text(line, "issuer", issuer));
	cr_expect_eq(json_typeof(json_object_get(line, "admin")), admin);
	json_decref(line);
}

/* B13 */
Test(audit_line, an_identity_is_told_with_its_issuer)
{
	struct fixture *f = fixture_open();

	fixture_begin(f, &f->public);
	f->r.who = (struct identity){ .known = true,
		                      .method = METHOD_JWT,
		                      .subject = "s\"1\n",
		                      .email = "a@example.com",
		                      .issuer = "https://id.example.com",
		                      .admin = true };
	assert_identity(f, "s\"1\n", "a@example.com", "https://id.example.com", JSON_TRUE);
	f->r.who.known = false; /* refused, but somebody's */
	assert_identity(f, "s\"1\n", "a@example.com", "https://id.example.com", JSON_NULL);
	f->r.who = (struct identity){ .known = true,
		                      .method = METHOD_USERINFO,
		                      .issuer = "https://dex.example.com/userinfo" };
	assert_identity(f, NULL, NULL, "https://dex.example.com/userinfo", JSON_FALSE);
	req_finish(&f->r);
	fixture_close(f);
}

/* B12, B13: an admin is never a key */
Test(audit_line, a_token_of_the_table_is_its_own_subject)
{
	struct fixture *f = fixture_open();

	fixture_begin(f, &f->public);
	f->r.who = (struct identity){ .known = true, .method = METHOD_BASIC, .token = "t-acme" };
	assert_identity(f, "t-acme", NULL, "api_key", JSON_FALSE);
	f->r.who = (struct identity){ .known = false, .method = METHOD_TOKEN, .token = "0123abcd" };
	assert_identity(f, NULL, NULL, NULL, JSON_NULL);
	f->r.who = (struct identity){ .known = true, .method = METHOD_NONE };
	assert_identity(f, NULL, NULL, NULL, JSON_FALSE);
	req_finish(&f->r);
	fixture_close(f);
}

Test(audit_line, a_claim_is_cut_before_it_is_too_long_and_between_characters)
{
	struct fixture *f = fixture_open();
	char claim[600] = "";
	json_t *line;

	for (size_t i = 0; i + 2 < sizeof(claim); i += 2)
		memcpy(claim + i, "\xc3\xa4", 3);
	fixture_begin(f, &f->public);
	f->r.who = (struct identity){ .known = true, .issuer = "i", .subject = claim };
	line = line_of(f);
	cr_assert_eq(json_string_length(json_object_get(line, "subject")), 84);
	json_decref(line);
	req_finish(&f->r);
	fixture_close(f);
}
