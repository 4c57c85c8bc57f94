/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "common/buf.c"

static bool holds(const struct buf *b, const char *text)
{
	return b->n == strlen(text) && (b->n == 0 || memcmp(b->p, text, b->n) == 0);
}
#define ASSERT_HOLDS(b, text)                                                                      \
	cr_assert(holds((b), (text)), "has '%.*s'", (int)(b)->n, (b)->n ? (b)->p : "")

Test(buf, numbers_at_their_ends)
{
	struct buf b;

	buf_init(&b, 1000);
	buf_u64(&b, 0);
	buf_char(&b, ' ');
	buf_u64(&b, UINT64_MAX);
	buf_char(&b, ' ');
	buf_i64(&b, INT64_MIN);
	buf_char(&b, ' ');
	buf_i64(&b, INT64_MAX);
	ASSERT_HOLDS(&b, "0 18446744073709551615 -9223372036854775808 9223372036854775807");
	buf_done(&b);
}

Test(buf, what_does_not_fit_is_cut_and_the_error_sticks)
{
	char room_of[8];
	struct buf b;

	buf_init_fixed(&b, room_of, sizeof(room_of));
	buf_str(&b, "12345");
	cr_assert_not(b.failed);
	buf_str(&b, "67890");
	cr_assert(b.failed);
	ASSERT_HOLDS(&b, "12345678");
	b.n = 2; /* even if there were room again */
	buf_str(&b, "x");
	ASSERT_HOLDS(&b, "12");
	buf_reset(&b);
	buf_str(&b, "again");
	ASSERT_HOLDS(&b, "again");
}

Test(buf, growth_ends_at_the_limit)
{
	struct buf b;

	buf_init(&b, 1000);
	for (int i = 0; i < 300; i++)
		buf_str(&b, "abcd");
	cr_assert_eq(b.n, 1000);
	cr_assert_leq(b.cap, 1000);
	cr_assert(b.failed);
	buf_done(&b);
}

Test(buf, a_format_may_be_longer_than_any_guess)
{
	struct buf b;

	buf_init(&b, 10000);
	buf_printf(&b, "%5000d|%s", 1, "end");
	cr_assert_eq(b.n, 5004);
	cr_assert_eq(memcmp(b.p + 5000, "|end", 4), 0);
	buf_done(&b);
}

Test(buf, json_strings_are_escaped)
{
	struct buf b;

	buf_init(&b, 1000);
	buf_json(&b, BYTES("a\"\\\b\f\n\r\t\x01\x1f\x7f\0\xc3\xa4\xf0\x9f\x98\x80"), 100);
	ASSERT_HOLDS(&b,
	             "a\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\\u0000\xc3\xa4\xf0\x9f\x98\x80");
	buf_done(&b);
}

Test(buf, invalid_utf8_becomes_the_replacement_character)
{
	struct buf b;

	buf_init(&b, 1000);
	/* a lone continuation, an overlong slash, a surrogate, past U+10FFFF, a cut character */
	buf_json(&b, BYTES("\x80|\xc0\xaf|\xed\xa0\x80|\xf4\x90\x80\x80|\xe2\x82"), 100);
#define FFFD "\xef\xbf\xbd"
	ASSERT_HOLDS(&b,
	             FFFD "|" FFFD FFFD "|" FFFD FFFD FFFD "|" FFFD FFFD FFFD FFFD "|" FFFD FFFD);
	buf_done(&b);
}

Test(buf, texts_are_cut_between_characters)
{
	struct buf b;

	buf_init(&b, 1000);
	buf_json(&b, BYTES("ab\xe2\x82\xac"), 4);
	buf_char(&b, '|');
	buf_escaped(&b, BYTES("ab\xe2\x82\xac"), 4);
	buf_char(&b, '|');
	buf_json(&b, BYTES("ab\xe2\x82\xac"), 5);
	ASSERT_HOLDS(&b, "ab|ab|ab\xe2\x82\xac");
	buf_done(&b);
}

/* F52 */
Test(buf, an_escaped_text_is_one_plain_line)
{
	struct buf b;

	buf_init(&b, 1000);
	buf_escaped(&b, BYTES("a\r\n\0\x1b\"\\\x7f\xff \xc3\xa4\xc2\x9b'"), 100);
	ASSERT_HOLDS(&b, "a\\x0d\\x0a\\x00\\x1b\\x22\\x5c\\x7f\\xff \xc3\xa4\\xc2\\x9b'");
	buf_done(&b);
}
