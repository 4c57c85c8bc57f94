/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "conf/report.c"

static char got[65536];

static const char *rendered(struct report *r)
{
	struct buf out;

	buf_init_fixed(&out, got, sizeof(got) - 1);
	report_text(r, "configuration not applied", &out);
	got[out.n] = '\0';
	return got;
}

static struct place at(const struct source *s, unsigned line, unsigned col, unsigned width)
{
	return (struct place){ .source = s, .line = line, .col = col, .width = width };
}

static const char *one(const char *text, unsigned line, unsigned col, unsigned width)
{
	struct report *r = report_new();

	report_error(r, at(report_source(r, "f", bytes_str(text)), line, col, width), "bad");
	rendered(r);
	report_free(r);
	return got;
}

#define TAIL "1 error, 0 warnings: configuration not applied\n"

/* O1 */
Test(report, a_message_has_place_line_caret_help_and_sum)
{
	struct report *r = report_new();
	const struct source *s = report_source(r, "/etc/headgate/conf.d/10-listen.yaml",
	                                       BYTES("a\nb\n\n  listne: 0.0.0.0:4318\n"));

	report_error(r, at(s, 4, 3, 6), "unknown key '%s' (did you mean '%s'?)", "listne",
	             "listen");
	report_help(r, "keys allowed here: %s", "listen, name");
	cr_assert_str_eq(rendered(r),
	                 "/etc/headgate/conf.d/10-listen.yaml:4:3: error: unknown key 'listne' "
	                 "(did you mean 'listen'?)\n"
	                 "    4 |   listne: 0.0.0.0:4318\n"
	                 "      |   ^~~~~~\n"
	                 "  help: keys allowed here: listen, name\n" TAIL);
	report_free(r);
}

Test(report, messages_come_in_file_and_line_order)
{
	struct report *r = report_new();
	const struct source *a = report_source(r, "a", BYTES("x\ny\n"));
	const struct source *b = report_source(r, "b", BYTES("x\ny\n"));

	report_error(r, (struct place){ .what = "-o x" }, "5");
	report_error(r, at(b, 1, 1, 1), "4");
	report_warning(r, at(a, 2, 1, 1), "3");
	report_error(r, at(a, 1, 2, 1), "2");
	report_error(r, at(a, 1, 1, 1), "1");
	cr_assert_str_eq(rendered(r), "a:1:1: error: 1\n    1 | x\n      | ^\n"
	                              "a:1:2: error: 2\n    1 | x\n      |  ^\n"
	                              "a:2:1: warning: 3\n    2 | y\n      | ^\n"
	                              "b:1:1: error: 4\n    1 | x\n      | ^\n"
	                              "-o x: error: 5\n"
	                              "4 errors, 1 warning: configuration not applied\n");
	report_free(r);
}

/* O1 */
Test(report, columns_count_characters_and_tabs_stay_tabs)
{
	cr_assert_str_eq(
		one("\xc3\xa4\xe2\x82\xac: x", 1, 5, 1),
		"f:1:5: error: bad\n    1 | \xc3\xa4\xe2\x82\xac: x\n      |     ^\n" TAIL);
	cr_assert_str_eq(one("a\tb: x", 1, 3, 1),
	                 "f:1:3: error: bad\n    1 | a\tb: x\n      |  \t^\n" TAIL);
}

Test(report, excerpts_end_at_120_columns)
{
	char line[400], want[600];

	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	snprintf(want, sizeof(want), "f:1:119: error: bad\n    1 | %.120s\n      | %118s^~\n" TAIL,
	         line, "");
	cr_assert_str_eq(one(line, 1, 119, 50), want);
	snprintf(want, sizeof(want), "f:1:121: error: bad\n    1 | %.120s\n" TAIL, line);
	cr_assert_str_eq(one(line, 1, 121, 1), want);
}

Test(report, the_caret_ends_with_the_line)
{
	cr_assert_str_eq(one("ab\ncd\n", 1, 2, 100),
	                 "f:1:2: error: bad\n    1 | ab\n      |  ^\n" TAIL);
	cr_assert_str_eq(one("ab\n", 2, 1, 1), "f:2:1: error: bad\n    2 |\n      | ^\n" TAIL);
	cr_assert_str_eq(one("", 7, 3, 1), "f:7:3: error: bad\n    7 |\n      |   ^\n" TAIL);
}

Test(report, lines_break_as_libyaml_breaks_them)
{
	cr_assert_not_null(strstr(one("a\r\nb\rc\xc2\x85"
	                              "d\xe2\x80\xa8"
	                              "e",
	                              5, 1, 1),
	                          "    5 | e\n"));
	cr_assert_not_null(strstr(one("\xef\xbb\xbf"
	                              "abc",
	                              1, 2, 1),
	                          "    1 | abc\n      |  ^\n"));
}

Test(report, nothing_from_a_file_reaches_the_terminal_raw)
{
	one("a\x1b[2J\xff\xc2\x9b: x", 1, 1, 1);
	cr_assert_not_null(strstr(got, "    1 | a?[2J??: x\n"));
}

Test(report, nor_does_a_value_in_a_message)
{
	struct report *r = report_new();

	report_error(r, (struct place){ .what = "x" }, "bad '%s'", "a\nb\x1b\xff\xc3\xa4");
	cr_assert_str_eq(rendered(r), "x: error: bad 'a?b??\xc3\xa4'\n" TAIL);
	report_free(r);
}

Test(report, a_secret_has_no_excerpt)
{
	struct report *r = report_new();
	struct place p = at(report_source(r, "f", BYTES("password: hunter2")), 1, 1, 8);

	p.secret = true;
	report_error(r, p, "bad");
	cr_assert_str_eq(rendered(r), "f:1:1: error: bad\n" TAIL);
	report_free(r);
}

Test(report, a_line_with_the_key_of_a_secret_is_not_shown)
{
	static const char *const secret[] = { "password: x",      "{ssl.key.PASSWORD : x}",
		                              "\"dsn\": x",       "a: {token: x}",
		                              "client.secret: [", "dsn: 'a password=b" };
	static const char *const plain[] = { "password_file: /x", "token_headers: [a]",
		                             "max_tokens: 5",     "dsn_file: x",
		                             "# a secret",        "dsn" };

	for (size_t i = 0; i < ARRAY_LEN(secret); i++)
		cr_assert_str_eq(one(secret[i], 1, 1, 1), "f:1:1: error: bad\n" TAIL);
	for (size_t i = 0; i < ARRAY_LEN(plain); i++)
		cr_assert_not_null(strstr(one(plain[i], 1, 1, 1), plain[i]));
}

Test(report, a_line_below_the_key_of_a_secret_is_not_shown)
{
	static const char text[] = "a:\n"
				   "  dsn:\n"
				   "\n"
				   "    \"postgres://u:hunter2@h/db\" x\n"
				   "  poll: 1\n"
				   "  sasl.oauthbearer.config: |\n"
				   "    a\n"
				   "      hunter2\n"
				   "b: 1\n";

	for (unsigned line = 1; line <= 9; line++) {
		bool shown = line == 1 || line == 3 || line == 5 || line == 9;

		cr_expect_eq(strstr(one(text, line, 1, 1), " |") != NULL, shown, "line %u: %s",
		             line, got);
	}
}

Test(report, at_most_100_messages_then_the_number_of_the_others)
{
	struct report *r = report_new();
	size_t lines = 0;

	for (int i = 0; i < 20000; i++)
		report_error(r, (struct place){ .what = "x" }, "%d", i);
	report_help(r, "not kept");
	rendered(r);
	for (const char *p = got; (p = strchr(p, '\n')); p++)
		lines++;
	cr_assert_eq(lines, 102);
	cr_assert_not_null(strstr(got, "x: error: 99\nand 19900 more\n20000 errors, 0 warnings: "));
	cr_assert_eq(report_errors(r), 20000);
	report_free(r);
}

Test(report, no_news_is_no_text)
{
	struct report *r = report_new();

	cr_assert_str_eq(rendered(r), "");
	report_free(r);
	report_free(NULL);
}

/* O1 */
Test(report, the_hint_is_near_or_there_is_none)
{
	static const char *const names[] = { "dialect", "listen", "max_connections", "name",
		                             "tls" };
	static const struct {
		const char *word, *near;
	} cases[] = {
		{ "listne", "listen" },
		{ "listn", "listen" },
		{ "lisssten", "listen" },
		{ "lissssten", NULL },
		{ "nam", "name" },
		{ "nme", "name" },
		{ "tl", NULL },
		{ "tsl", "tls" },
		{ "max_conections", "max_connections" },
		{ "maxconection", NULL },
		{ "", NULL },
		{ "x", NULL },
	};
	char huge[300];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *near = report_nearest(cases[i].word, names, ARRAY_LEN(names));

		cr_assert_str_eq(near ? near : "-", cases[i].near ? cases[i].near : "-", "%s",
		                 cases[i].word);
	}
	memset(huge, 'a', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	cr_assert_null(report_nearest(huge, names, ARRAY_LEN(names)));
}
