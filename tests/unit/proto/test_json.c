/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/json.c"

#include <criterion/criterion.h>

#include <dirent.h>
#include <math.h>
#include <stdio.h>

#define CORPUS "../shared/corpora/json"

struct skipped { /* what json_skip() and json_end() say of a body */
	enum json_error error;
	size_t at;
};

static struct skipped skip_once(struct bytes body, enum utf8_mode utf8, unsigned depth,
                                uint8_t slack)
{
	uint8_t *copy = xcalloc(body.n + BODY_SLACK, 1);
	struct skipped s = { JSON_OK, 0 };
	struct json j;

	if (body.n)
		memcpy(copy, body.p, body.n);
	memset(copy + body.n, slack, BODY_SLACK);
	json_init(&j, bytes_of(copy, body.n), utf8);
	if (!json_skip(&j, depth) || !json_end(&j)) {
		s.error = j.error;
		s.at = (size_t)(j.error_at - j.start);
		cr_assert(s.error && s.at <= body.n);
	}
	free(copy);
	return s;
}

/* By every kernel, over hostile slack: B18 */
static struct skipped skip_all(struct bytes body, enum utf8_mode utf8, unsigned depth)
{
	static const uint8_t slacks[] = { '"', 0x00, '}', ']', '1', 'f', 0xff, '\\' };
	enum isa before = isa_get();
	struct skipped first = skip_once(body, utf8, depth, ' ');

	for (int isa = ISA_SCALAR; isa < ISA_COUNT && isa_force((enum isa)isa); isa++)
		for (size_t i = 0; i < ARRAY_LEN(slacks); i++) {
			struct skipped s = skip_once(body, utf8, depth, slacks[i]);

			cr_assert(s.error == first.error && s.at == first.at,
			          "%s, slack %02x: %d at %zu, not %d at %zu: %.*s",
			          isa_name((enum isa)isa), slacks[i], (int)s.error, s.at,
			          (int)first.error, first.at, (int)min_size(body.n, 100), body.p);
		}
	isa_force(before);
	return first;
}

static enum json_error error_of(const char *text)
{
	return skip_all(bytes_str(text), UTF8_STRICT, 64).error;
}

Test(json, values_of_every_kind_are_passed)
{
	static const char *const good[] = { "{}",
		                            "[]",
		                            " \t\r\n{ \"a\" : [ 1 , { } , [ ] ] } ",
		                            "\"\"",
		                            "0",
		                            "-0",
		                            "-0.0e-0",
		                            "12.5E+3",
		                            "true",
		                            "false",
		                            "null",
		                            "[true,false,null,\"x\",-1]",
		                            "\"\\u0000\\\"\\\\\\/\\b\\f\\n\\r\\t\\ud83d\\ude00\"",
		                            "{\"a\":{\"b\":{\"c\":[[[]]]}},\"a\":1}" };

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		cr_expect_eq(error_of(good[i]), JSON_OK, "%s", good[i]);
}

Test(json, each_mistake_has_its_error)
{
	static const struct {
		const char *text;
		enum json_error error;
		size_t at;
	} bad[] = {
		{ "", JSON_ENDS, 0 },
		{ "  ", JSON_ENDS, 2 },
		{ "{", JSON_ENDS, 1 },
		{ "{\"a", JSON_ENDS, 3 },
		{ "{\"a\"", JSON_ENDS, 4 },
		{ "{\"a\":", JSON_ENDS, 5 },
		{ "{\"a\":1", JSON_ENDS, 6 },
		{ "[1", JSON_ENDS, 2 },
		{ "[1,", JSON_ENDS, 3 },
		{ "tru", JSON_ENDS, 3 },
		{ "\"\\u12", JSON_ESCAPE, 1 },
		{ "\"\\", JSON_ESCAPE, 1 },
		{ "{,}", JSON_NAME, 1 },
		{ "{\"a\":1,}", JSON_NAME, 7 },
		{ "{a:1}", JSON_NAME, 1 },
		{ "{\"a\" 1}", JSON_COLON, 5 },
		{ "{\"a\":1 \"b\":2}", JSON_COMMA_OBJECT, 7 },
		{ "{\"a\":1]", JSON_COMMA_OBJECT, 6 },
		{ "[1,]", JSON_VALUE, 3 },
		{ "[,1]", JSON_VALUE, 1 },
		{ "[1 2]", JSON_COMMA_ARRAY, 3 },
		{ "[1}", JSON_COMMA_ARRAY, 2 },
		{ "]", JSON_VALUE, 0 },
		{ "truE", JSON_LITERAL, 0 },
		{ "NaN", JSON_VALUE, 0 },
		{ "Infinity", JSON_VALUE, 0 },
		{ "'a'", JSON_VALUE, 0 },
		{ "/* */1", JSON_VALUE, 0 },
		{ "01", JSON_NUMBER, 0 },
		{ "-", JSON_NUMBER, 0 },
		{ "-a", JSON_NUMBER, 0 },
		{ "1.", JSON_NUMBER, 0 },
		{ ".5", JSON_VALUE, 0 },
		{ "+1", JSON_VALUE, 0 },
		{ "1e", JSON_NUMBER, 0 },
		{ "1e+", JSON_NUMBER, 0 },
		{ "1 2", JSON_BEHIND, 2 },
		{ "{}}", JSON_BEHIND, 2 },
		{ "\xef\xbb\xbf{}", JSON_VALUE, 0 }, /* a byte order mark */
		{ "\"a\nb\"", JSON_CONTROL, 2 },
		{ "\"\\x\"", JSON_ESCAPE, 1 },
		{ "\"\\u12g4\"", JSON_ESCAPE, 1 },
		{ "\"\\ud83d\"", JSON_SURROGATE, 1 },
		{ "\"\\ud83d\\u0041\"", JSON_SURROGATE, 1 },
		{ "\"\\ude00\\ud83d\"", JSON_SURROGATE, 1 },
		{ "\"\xff\"", JSON_UTF8, 1 },
		{ "\"\xe2\x82\"", JSON_UTF8, 1 },
		{ "{\"\xc0\x80\":1}", JSON_UTF8, 2 },
		{ "\"\xed\xa0\x80\"", JSON_UTF8, 1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct skipped s = skip_all(bytes_str(bad[i].text), UTF8_STRICT, 64);

		cr_expect(s.error == bad[i].error && s.at == bad[i].at, "%s: %s at %zu",
		          bad[i].text, json_error_text(s.error), s.at);
	}
}

/* P10 */
Test(json, repair_lets_broken_text_pass_inside_strings_and_nowhere_else)
{
	static const char *const mended[] = { "\"\xff\"", "[\"\\ud83d\"]", "{\"\xe2\x82\":0}" };

	for (size_t i = 0; i < ARRAY_LEN(mended); i++)
		cr_expect_eq(skip_all(bytes_str(mended[i]), UTF8_REPAIR, 9).error, JSON_OK);
	cr_expect_eq(skip_all(bytes_str("[\xff]"), UTF8_REPAIR, 9).error, JSON_VALUE);
	cr_expect_eq(skip_all(bytes_str("\"\\ud8\""), UTF8_REPAIR, 9).error, JSON_ESCAPE);
	cr_expect_eq(skip_all(bytes_str("\"\x01\""), UTF8_REPAIR, 9).error, JSON_CONTROL);
}

Test(json, a_bad_byte_is_found_at_every_place_of_a_long_string)
{
	static const struct {
		uint8_t byte;
		enum json_error error;
	} bad[] = { { 0x1f, JSON_CONTROL },
		    { 0x00, JSON_CONTROL },
		    { 0xff, JSON_UTF8 },
		    { '\\', JSON_ESCAPE },
		    { '"', JSON_BEHIND } };
	char text[203];

	for (size_t b = 0; b < ARRAY_LEN(bad); b++)
		for (size_t at = 1; at < 200; at++) {
			memset(text, 'x', sizeof(text));
			text[0] = text[201] = '"';
			text[at] = (char)bad[b].byte;
			cr_assert_eq(skip_all(bytes_of(text, 202), UTF8_STRICT, 1).error,
			             bad[b].error, "%02x at %zu", bad[b].byte, at);
		}
}

Test(json, a_body_cut_anywhere_ends_too_early)
{
	static const char text[] =
		"{\"a\":[1.5e3,true,null,\"x\\u00e4y\xc3\xa4\",{\"b\":{}}],\"c\":"
		"\"a long string without anything odd in it, over two blocks\"}";

	for (size_t n = 0; n + 1 < sizeof(text) - 1; n++)
		cr_expect_neq(skip_all(bytes_of(text, n), UTF8_STRICT, 9).error, JSON_OK, "%zu", n);
	cr_expect_eq(error_of(text), JSON_OK);
}

/* P9 */
Test(json, brackets_are_bounded)
{
	static char text[2000001];

	for (unsigned depth = 1; depth <= JSON_NEST_MAX; depth *= 4) {
		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		cr_expect_eq(skip_all(bytes_of(text, 2 * depth), 0, depth).error, JSON_OK);
		cr_expect_eq(skip_all(bytes_of(text, 2 * depth), 0, depth - 1).error, JSON_DEPTH);
	}
	memset(text, '[', 1000000);
	memset(text + 1000000, ']', 1000000);
	cr_expect_eq(skip_once(bytes_of(text, 2000000), UTF8_STRICT, 64, 0).error, JSON_DEPTH);
	cr_expect_eq(skip_once(bytes_str("1"), UTF8_STRICT, 0, 0).error, JSON_OK);
}

/* PC8: the parsing files of nst/JSONTestSuite */
Test(json, the_public_corpus_is_judged_as_its_names_say)
{
	static uint8_t text[200000];
	DIR *folder = opendir(CORPUS);
	unsigned seen = 0;

	if (!folder) /* beside the tree, not of it: a clone alone has none */
		cr_skip_test("no " CORPUS);
	for (struct dirent *entry; (entry = readdir(folder));) {
		const char *name = entry->d_name;
		char path[400];
		struct skipped strict;
		size_t n;
		FILE *f;

		if (!strstr(name, ".json"))
			continue;
		snprintf(path, sizeof(path), CORPUS "/%s", name);
		f = fopen(path, "r");
		cr_assert(f, "%s", path);
		n = fread(text, 1, sizeof(text), f);
		fclose(f);
		seen++;
		strict = skip_all(bytes_of(text, n), UTF8_STRICT, 64);
		skip_all(bytes_of(text, n), UTF8_REPAIR, JSON_NEST_MAX);
		if (name[0] == 'y')
			cr_expect_eq(strict.error, JSON_OK, "%s: %s at %zu", name,
			             json_error_text(strict.error), strict.at);
		if (name[0] == 'n')
			cr_expect_neq(strict.error, JSON_OK, "%s", name);
		if (name[0] == 'i' && strstr(name, "_string_"))
			cr_expect_neq(strict.error, JSON_OK, "%s", name);
	}
	closedir(folder);
	cr_expect_geq(seen, 300);
}

static const char *meaning(const char *text, enum utf8_mode utf8, char out[static 200])
{
	uint8_t body[300] = { 0 };
	struct json_text t;
	struct json j;
	size_t n;

	memcpy(body, text, strlen(text));
	json_init(&j, bytes_of(body, strlen(text)), utf8);
	cr_assert(json_peek(&j) == '"' && json_read_string(&j, &t) && json_end(&j), "%s", text);
	n = json_unescape(t, (uint8_t *)out);
	cr_assert(n <= t.raw.n);
	cr_assert_eq(t.escaped, memchr(t.raw.p, '\\', t.raw.n) != NULL);
	out[n] = '\0';
	return out;
}

Test(json, escapes_are_undone)
{
	char out[200];

	cr_expect_str_eq(meaning("\"\"", UTF8_STRICT, out), "");
	cr_expect_str_eq(meaning("\"plain\"", UTF8_STRICT, out), "plain");
	cr_expect_str_eq(meaning("\"\\u006bey\"", UTF8_STRICT, out), "key");
	cr_expect_str_eq(meaning("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", UTF8_STRICT, out),
	                 "\"\\/\b\f\n\r\t");
	cr_expect_str_eq(meaning("\"a\\u00E4b\\u20ac\\uD83D\\uDe00c\"", UTF8_STRICT, out),
	                 "a\xc3\xa4"
	                 "b\xe2\x82\xac\xf0\x9f\x98\x80"
	                 "c");
	cr_expect_str_eq(meaning("\"\\uffff\\u07ff\\u0800\\u007f\\u0080\"", UTF8_STRICT, out),
	                 "\xef\xbf\xbf\xdf\xbf\xe0\xa0\x80\x7f\xc2\x80");
	cr_expect_str_eq(meaning("\"\\udbff\\udfff\"", UTF8_STRICT, out), "\xf4\x8f\xbf\xbf");
	cr_expect_str_eq(meaning("\"\xe4\xb8\x96\\n\xe7\x95\x8c\"", UTF8_STRICT, out),
	                 "\xe4\xb8\x96\n\xe7\x95\x8c");
	meaning("\"a\\u0000b\"", UTF8_STRICT, out);
	cr_expect(memcmp(out, "a\0b", 4) == 0); /* kept */
}

/* Each is one byte that the walker makes U+FFFD. */
Test(json, a_lone_surrogate_is_one_byte_to_be_mended)
{
	char out[200];

	cr_expect_str_eq(meaning("\"a\\ud83d\"", UTF8_REPAIR, out), "a\xff");
	cr_expect_str_eq(meaning("\"\\ud83d\\ud83d\\ude00\"", UTF8_REPAIR, out),
	                 "\xff\xf0\x9f\x98\x80");
	cr_expect_str_eq(meaning("\"\\ude00x\xe2\x82\"", UTF8_REPAIR, out), "\xffx\xe2\x82");
}

Test(json, members_and_elements_are_walked_in_order)
{
	static const char text[] =
		"  { \"a\" : [ 1 , 22 ] , \"b\\u0063\" : { } }xxxxxxxxxxxxxxxxxxxx"
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
	struct bytes number;
	struct json_text name;
	struct json j;

	json_init(&j, bytes_of(text, 40), UTF8_STRICT);
	cr_assert_eq(json_peek(&j), '{');
	json_open(&j);
	cr_assert(json_member(&j, true, &name));
	cr_expect(bytes_eq(name.raw, BYTES("a")) && !name.escaped);
	cr_assert_eq(json_peek(&j), '[');
	json_open(&j);
	cr_assert(json_element(&j, true));
	json_peek(&j);
	cr_assert(json_read_number(&j, &number) && bytes_eq(number, BYTES("1")));
	cr_assert(json_element(&j, false));
	json_peek(&j);
	cr_assert(json_read_number(&j, &number) && bytes_eq(number, BYTES("22")));
	cr_assert_not(json_element(&j, false));
	cr_assert(json_member(&j, false, &name));
	cr_expect(bytes_eq(name.raw, BYTES("b\\u0063")) && name.escaped);
	cr_assert(json_skip(&j, 1));
	cr_assert_not(json_member(&j, false, &name));
	cr_assert(json_end(&j));
}

Test(json, nothing_moves_after_an_error)
{
	static const char text[BODY_SLACK + 20] = "[1 2, 3, {\"a\":4}]";
	struct json_text name;
	struct json j;
	const uint8_t *then;

	json_init(&j, bytes_of(text, 17), UTF8_STRICT);
	cr_assert_not(json_skip(&j, 5));
	then = j.p;
	cr_expect_eq(json_peek(&j), 0);
	cr_expect_not(json_element(&j, false));
	cr_expect_not(json_member(&j, false, &name));
	cr_expect_not(json_skip(&j, 5));
	cr_expect_not(json_end(&j));
	cr_expect(j.p == then && j.error == JSON_COMMA_ARRAY);
}
