/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/json_text.c"

#include <criterion/criterion.h>

#include <stdio.h>

/* The body as it is read with U+FFFD put into it; NULL with the error's text in *why. */
static char *mended(const char *json, enum utf8_mode utf8, uint64_t *strings, const char **why)
{
	size_t n = strlen(json);
	uint8_t *body = xcalloc(n + BODY_SLACK, 1);
	char *value = NULL;
	struct edits edits;
	struct json j;

	memcpy(body, json, n);
	memset(body + n, '\\', BODY_SLACK);
	edits_init(&edits);
	json_init(&j, bytes_of(body, n), utf8);
	j.mends = &edits;
	if (json_skip(&j, 10) && json_end(&j)) {
		value = xcalloc(edits_out_bytes(&edits, n) + 1, 1);
		edits_emit(&edits, bytes_of(body, n), (uint8_t *)value);
	}
	*strings = j.mended;
	*why = json_error_text(j.error);
	edits_done(&edits);
	free(body);
	return value;
}

static void mends_to(const char *json, const char *want, uint64_t strings)
{
	const char *why;
	uint64_t n;
	autofree char *got = mended(json, UTF8_REPAIR, &n, &why);

	cr_assert(got, "%s: %s", json, why);
	cr_expect_str_eq(got, want);
	cr_expect_eq(n, strings, "%s: %ju", json, (uintmax_t)n);
	free(mended(json, UTF8_STRICT, &n, &why));
	cr_expect(n == 0 && (strings > 0) == (strcmp(why, "valid") != 0), "%s: %s", json, why);
}

#define R "\xef\xbf\xbd"

/* P10 */
Test(json_text, each_broken_byte_and_half_a_pair_becomes_one_replacement)
{
	mends_to("[\"a\\n\xc3\xa9\\ud83d\\ude00\"]", "[\"a\\n\xc3\xa9\\ud83d\\ude00\"]", 0);
	mends_to("\"caf\xc3\"", "\"caf" R "\"", 1);
	mends_to("\"\xe2\x82x\xff\"", "\"" R R "x" R "\"", 1);
	mends_to("\"\\ud83d\"", "\"" R "\"", 1);
	mends_to("\"\\ude00\\ud83d\\u0041\"", "\"" R R "\\u0041\"", 1);
	mends_to("\"\xc3\\u00a9\"", "\"" R "\\u00a9\"", 1);
	mends_to("\"\\ud83d\xff\\\\\"", "\"" R R "\\\\\"", 1);
	mends_to("{\"\xff\":[\"\xff\",\"x\"],\"y\":\"\xff\"}",
	         "{\"" R "\":[\"" R "\",\"x\"],\"y\":\"" R "\"}", 3);
}

/* Binary dressed as text must not cost an edit per byte. */
Test(json_text, a_run_of_broken_bytes_is_few_edits)
{
	uint8_t body[1000 + 2 + BODY_SLACK];
	struct json_text text;
	struct edits edits;
	struct json j;

	memset(body, 0xff, sizeof(body));
	body[0] = body[1001] = '"';
	edits_init(&edits);
	json_init(&j, bytes_of(body, 1002), UTF8_REPAIR);
	j.mends = &edits;
	cr_assert(json_peek(&j) == '"' && json_read_string(&j, &text));
	cr_expect_eq(edits.n, 63);
	cr_expect_eq(edits_out_bytes(&edits, 1002), 3002);
	edits_done(&edits);
}

static struct json_text text_of(const char *raw)
{
	return (struct json_text){ bytes_str(raw), strchr(raw, '\\') != NULL };
}

/* P12 */
Test(json_text, a_name_is_compared_unescaped)
{
	static const char *const same[] = { "tenant_id", "tenant\\u005fid", "tenant\\u005Fid",
		                            "\\u0074\\u0065nant_i\\u0064" };
	static const char *const other[] = { "",
		                             "tenant_i",
		                             "tenant_idx",
		                             "tenant\\u005fi",
		                             "tenant_id\\u0000",
		                             "\\u0174enant_id",
		                             "\\ud83denant_id",
		                             "\\tenant_id",
		                             "tenant\\\\_id" };

	for (size_t i = 0; i < ARRAY_LEN(same); i++)
		cr_expect(json_text_is(text_of(same[i]), BYTES("tenant_id")), "%s", same[i]);
	for (size_t i = 0; i < ARRAY_LEN(other); i++)
		cr_expect_not(json_text_is(text_of(other[i]), BYTES("tenant_id")), "%s", other[i]);
	cr_expect(json_text_is(text_of("a\\/b"), BYTES("a/b")));
	cr_expect(json_text_is(text_of(""), BYTES("")));
}

Test(json_text, a_place_in_what_it_means_is_found_in_the_text)
{
	/* means {a="é😀"} and 11 bytes: { a = " é é 😀 😀 😀 😀 " } */
	struct json_text text = text_of("{a=\\\"\\u00e9\\ud83d\\ude00\\\"}");
	static const size_t places[][2] = { { 0, 0 },  { 1, 1 },   { 3, 3 },   { 4, 5 },
		                            { 6, 11 }, { 10, 23 }, { 11, 25 }, { 12, 26 } };

	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		cr_expect_eq(json_text_at(text, places[i][0]) - text.raw.p, places[i][1], "%zu",
		             places[i][0]);
	text = text_of("{a=1}");
	cr_expect_eq(json_text_at(text, 5) - text.raw.p, 5);
}
