/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/yaml_out.c"

#include <criterion/criterion.h>

static json_t *read_back(const char *text)
{
	json_t *root = tenants_from_yaml("tenants.yaml", bytes_str(text));

	cr_assert_not_null(root, "%s", text);
	return root;
}

/* What a change leaves alone must be the same after it, whatever the words are. */
static void expect_same_after_writing(json_t *root)
{
	struct buf text;
	json_t *again;

	buf_init(&text, MIB);
	tenants_to_yaml(root, &text);
	buf_char(&text, '\0');
	again = read_back(text.p);
	cr_expect(json_equal(root, again), "%s", text.p);
	json_decref(again);
	json_decref(root);
	buf_done(&text);
}

Test(yaml_out, a_whole_file_reads_back_to_the_same)
{
	expect_same_after_writing(read_back(
		"{version: 1, tenants: [{id: acme, state: active, display_name: \"A, {b}\", "
		"limits: "
		"{bytes_per_s: 5MB, requests_per_s: 200}, block_until: 2027-01-01T00:00:00Z, "
		"topic_prefix: a., tokens: [{id: 0123ABcd, name: ci, sha256: 00ff, scopes: "
		"[traces:write, '*'], not_before: 2026-01-01T00:00:00+01:00, expires_at: "
		"2027-01-01T00:00:00Z, revoked_at: 2026-06-01T00:00:00Z, replaced_by: m1, "
		"allowed_cidrs: [10.0.0.0/8, '::1/128']}, {id: m1, pbkdf2: ff, iterations: "
		"1000}]}, "
		"{id: \"b.e_t(a)!\"}]}"));
}

Test(yaml_out, words_of_any_kind_are_quoted_when_they_must_be)
{
	static const char *const words[] = {
		"",         " ",          "a b",       "true",     "No",
		"null",     "~",          "-",         "- a",      "a: b",
		"a:",       ":a",         "#a",        "a #b",     "'",
		"\"",       "\\",         "\\n",       "&a",       "*a",
		"!a",       "[a]",        "{a}",       "a,b",      "%a",
		"@a",       "`a",         "|",         ">",        "?",
		"? a",      "a\tb",       "a\nb",      "a\r\n",    "\x01\x1f\x7f",
		"\xc2\xa0", "\xc2\x85",   "\u2028",    "\u2029",   "\ufeff",
		"\ufffe",   "\U0001f600", "Acm\u00e9", "12345678", "1e5",
		"0x10",     "12:30",      "---",       "...",      "=",
		"<<",       "hello, #",   "trailing ", " ahead",   "\u0300",
		"a\u200bb",
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		expect_same_after_writing(json_pack("{s:s,s:[{s:s,s:s}]}", "version", "1",
		                                    "tenants", "id", "acme", "display_name",
		                                    words[i]));
}

Test(yaml_out, no_tenants_is_an_empty_list)
{
	json_t *root = json_pack("{s:s,s:[]}", "version", "1", "tenants");
	struct buf text;

	buf_init(&text, MIB);
	tenants_to_yaml(root, &text);
	buf_char(&text, '\0');
	cr_expect_str_eq(text.p, "version: 1\ntenants: []\n");
	buf_done(&text);
	json_decref(root);
}

Test(yaml_out, what_a_person_would_write_stays_as_it_is)
{
	static const char file[] = "version: 1\n"
				   "tenants:\n"
				   "  - id: acme\n"
				   "    state: suspended\n"
				   "    limits: {bytes_per_s: 5MB}\n"
				   "    tokens:\n"
				   "      - id: 0123ABcd\n"
				   "        name: ci\n"
				   "        scopes: [traces:write, \"*\"]\n"
				   "        expires_at: 2027-01-01T00:00:00Z\n"
				   "  - id: b\n";
	json_t *root = read_back(file);
	struct buf text;

	buf_init(&text, MIB);
	tenants_to_yaml(root, &text);
	buf_char(&text, '\0');
	cr_expect_str_eq(text.p, file);
	buf_done(&text);
	json_decref(root);
}

Test(yaml_out, comments_are_seen)
{
	cr_expect(has_comment(BYTES("# first\nversion: 1\n")));
	cr_expect(has_comment(BYTES("version: 1 # behind\n")));
	cr_expect(has_comment(BYTES("version: 1\n  # indented\n")));
	cr_expect_not(has_comment(BYTES("version: 1\nname: a#b\n")));
	cr_expect_not(has_comment(BYTES_NONE));
}

Test(yaml_out, what_is_no_yaml_is_nothing)
{
	cr_expect_null(tenants_from_yaml("tenants.yaml", BYTES("tenants: [")));
	cr_expect_null(tenants_from_yaml("tenants.yaml", BYTES("a: 1\na: 2\n")));
	cr_expect_null(tenants_from_yaml("tenants.yaml", BYTES_NONE));
}
