/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/loki_labels.c"

#include <criterion/criterion.h>

#include <stdio.h>

static struct labels labels;

static bool parse(const char *text)
{
	return labels_parse(bytes_str(text), &labels);
}

static void accepted(const char *text, unsigned n)
{
	cr_assert(parse(text), "%s: %s", text, labels.why ? labels.why : "");
	cr_expect_eq(labels.n, n, "%s: %u pairs", text, labels.n);
}

static void refused(const char *text, const char *why, size_t at)
{
	cr_assert_not(parse(text), "%s", text);
	cr_expect_eq(labels.error, LABELS_SYNTAX, "%s", text);
	cr_expect_str_eq(labels.why, why, "%s: %s", text, labels.why);
	cr_expect_eq((size_t)(labels.at - (const uint8_t *)text), at, "%s: at %zu", text,
	             (size_t)(labels.at - (const uint8_t *)text));
}

/* PC7 */
Test(loki_labels, blanks_are_free_and_a_last_comma_too)
{
	accepted("{a=\"b\"}", 1);
	accepted(" {\ta = \"b\" ,\n c\r=\t'd' , } ", 2);
	accepted("{}", 0);
	accepted("{ }", 0);
}

Test(loki_labels, strings_are_in_three_kinds_of_quotes)
{
	accepted("{a=\"x'`y\", b='x\"`y', c=`x\\\"'\ny`}", 3);
	accepted("{\"quoted name\"=\"v\", 'other'=\"\", `third`=\"\"}", 3);
	cr_expect(!labels.v[0].is_empty && labels.v[1].is_empty);
	cr_expect(bytes_eq(labels.v[0].name, BYTES("quoted name")));
}

Test(loki_labels, escapes_are_promql_s)
{
	accepted("{a=\"\\a\\b\\f\\n\\r\\t\\v\\\\\\\"\\x41\\101\\u00e9\\U0001f600\"}", 1);
	accepted("{a='\\''}", 1);
	refused("{a=\"\\'\"}", "unknown escape", 4);
	refused("{a='\\\"'}", "unknown escape", 4);
	refused("{a=\"\\q\"}", "unknown escape", 4);
	refused("{a=\"\\xg0\"}", "unknown escape", 4);
	refused("{a=\"\\400\"}", "unknown escape", 4);
	refused("{a=\"\\18\"}", "unknown escape", 4);
	refused("{a=\"\\ud800\"}", "unknown escape", 4);
	refused("{a=\"\\U00110000\"}", "unknown escape", 4);
	refused("{a=\"\\u12", "unknown escape", 4);
	refused("{a=\"\\", "unknown escape", 4);
}

Test(loki_labels, what_is_no_label_set_is_refused_with_its_place)
{
	refused("", "expected '{'", 0);
	refused("a=\"b\"", "expected '{'", 0);
	refused("up{a=\"b\"}", "expected '{'", 0);
	refused("{", "expected a label name", 1);
	refused("{,}", "expected a label name", 1);
	refused("{1a=\"b\"}", "expected a label name", 1);
	refused("{\"\"=\"b\"}", "expected a label name", 1);
	refused("{a}", "expected '='", 2);
	refused("{\"a\"}", "expected '='", 4);
	refused("{a.b=\"c\"}", "expected '='", 2);
	refused("{a=~\"b\"}", "expected a value in quotes", 3);
	refused("{a!=\"b\"}", "expected '='", 2);
	refused("{a==\"b\"}", "expected a value in quotes", 3);
	refused("{a=b}", "expected a value in quotes", 3);
	refused("{a=\"b}", "a quote is not closed", 3);
	refused("{a=\"b\nc\"}", "a line break inside quotes", 5);
	refused("{a=\"b\" c=\"d\"}", "expected ',' or '}'", 7);
	refused("{a=\"b\",,}", "expected a label name", 7);
	refused("{a=\"b\"", "expected ',' or '}'", 6);
	refused("{a=\"b\"} x", "bytes behind '}'", 8);
}

Test(loki_labels, a_name_comes_once_however_it_is_written)
{
	static const char *const texts[] = {
		"{a=\"1\", a=\"2\"}",
		"{b=\"1\", a=\"2\", b=\"3\"}",
		"{b=\"1\", a=\"2\", c=\"3\", 'a'=\"4\"}",
		"{a=\"1\", \"\\x61\"=\"2\"}",
		"{\"\\u0061\"=\"1\", \"\\141\"=\"2\"}",
		"{`\\x61`=\"1\", \"\\\\x61\"=\"2\"}",
		"{\"\xff\"=\"1\", \"\\ufffd\"=\"2\"}",
		"{a=\"\", a=\"2\"}",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		cr_expect_not(parse(texts[i]), "%s", texts[i]);
		cr_expect_eq(labels.error, LABELS_TWICE, "%s", texts[i]);
	}
	accepted("{`\\x61`=\"1\", a=\"2\"}", 2);
}

/* A text of n labels named by `name` (printf of an index). */
static struct bytes many(unsigned n, bool falling)
{
	static char text[1 << 20];
	size_t at = 0;

	text[at++] = '{';
	for (unsigned i = 0; i < n; i++)
		at += (size_t)sprintf(text + at, "l%05u=\"v\",", falling ? n - i : i);
	text[at++] = '}';
	return bytes_of(text, at);
}

Test(loki_labels, their_number_is_bounded_in_any_order)
{
	for (int falling = 0; falling < 2; falling++) {
		cr_expect(labels_parse(many(LABELS_MAX, falling), &labels));
		cr_expect_eq(labels.n, LABELS_MAX);
		cr_expect_not(labels_parse(many(LABELS_MAX + 1, falling), &labels));
		cr_expect_eq(labels.error, LABELS_MANY);
	}
}

Test(loki_labels, a_name_is_bounded)
{
	char text[LABEL_NAME_MAX + 20] = "{";

	memset(text + 1, 'a', LABEL_NAME_MAX);
	strcpy(text + 1 + LABEL_NAME_MAX, "=\"b\"}");
	accepted(text, 1);
	memset(text + 1, 'a', LABEL_NAME_MAX + 1);
	strcpy(text + 2 + LABEL_NAME_MAX, "=\"b\"}");
	cr_expect_not(parse(text));
	cr_expect_eq(labels.error, LABELS_NAME_LONG);
}

/* Each broken byte of it becomes three. */
Test(loki_labels, a_name_is_bounded_once_it_is_mended)
{
	char text[500] = "{\"";

	memset(text + 2, 0xff, LABEL_NAME_MAX / 3 + 1);
	strcpy(text + 3 + LABEL_NAME_MAX / 3, "\"=\"b\"}");
	cr_expect_not(parse(text));
	cr_expect_eq(labels.error, LABELS_NAME_LONG);
	text[2] = 'a';
	accepted(text, 1);
}

Test(loki_labels, a_name_is_compared_by_what_it_means)
{
	accepted("{a=\"\", \"a b\"=\"\", \"\\x62\\u00e9\"=\"\", \"\xc3\xa9\"=\"\", \"\xff\"=\"\"}",
	         5);
	cr_expect(bytes_eq(labels.v[1].meant, BYTES("a b")));
	cr_expect(bytes_eq(labels.v[2].meant, BYTES("b\xc3\xa9")));
	cr_expect(bytes_eq(labels.v[3].meant, BYTES("\xc3\xa9")));
	cr_expect(bytes_eq(labels.v[4].meant, BYTES("\xef\xbf\xbd")));
	cr_expect_lt(label_compare(BYTES("a"), BYTES("ab")), 0);
	cr_expect_gt(label_compare(BYTES("b"), BYTES("ab")), 0);
	cr_expect_eq(label_compare(BYTES_NONE, BYTES("")), 0);
}

/* Unescaped names need room, and that is bounded. */
Test(loki_labels, escaped_names_are_bounded_together)
{
	static char text[LABELS_ODD_MAX * 2];
	size_t n = (size_t)sprintf(text, "{");

	for (unsigned i = 0; i < 24; i++) {
		n += (size_t)sprintf(text + n, "\"\\n%02u", i);
		memset(text + n, 'a', 900);
		n += 900;
		n += (size_t)sprintf(text + n, "\"='',");
		text[n] = '}';
		text[n + 1] = '\0';
		if (!parse(text)) {
			cr_expect_str_eq(labels.why, "too many escaped label names");
			cr_expect_gt(i, 10);
			return;
		}
	}
	cr_assert_fail("%zu bytes of escaped names were taken", n);
}

static void quoted(const char *text, const char *want)
{
	uint8_t p[200];
	size_t n = strlen(text), growth = label_quote_growth((const uint8_t *)text, n);

	memcpy(p, text, n);
	cr_expect_eq(label_quote(p, n, growth), p + strlen(want), "%s", text);
	cr_expect_arr_eq(p, want, strlen(want), "%s", text);
}

Test(loki_labels, quoting_escapes_what_a_parser_would_stumble_on)
{
	quoted("", "\"\"");
	quoted("plain", "\"plain\"");
	quoted("\xc3\xa9 '`", "\"\xc3\xa9 '`\"");
	quoted("a\"b\\c\nd\re\tf", "\"a\\\"b\\\\c\\nd\\re\\tf\"");
	quoted("\x01\x7f\x1f", "\"\\x01\\x7f\\x1f\"");
	quoted("\x7f\x7f\x7f\x7f", "\"\\x7f\\x7f\\x7f\\x7f\"");
}

Test(loki_labels, bare_names_are_those_of_prometheus)
{
	cr_expect(label_is_bare(BYTES("_a0")) && label_is_bare(BYTES("Z")));
	cr_expect_not(label_is_bare(BYTES("")) || label_is_bare(BYTES("0a")) ||
	              label_is_bare(BYTES("a.b")) || label_is_bare(BYTES("a:b")) ||
	              label_is_bare(BYTES("\xc3\xa9")));
}
