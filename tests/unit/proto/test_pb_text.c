/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/pb_text.c"

#include <criterion/criterion.h>

Test(pb_text, broken_bytes_are_those_that_are_part_of_no_character)
{
	cr_expect_eq(pb_broken(BYTES("")), 0);
	cr_expect_eq(pb_broken(BYTES("plain \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80")), 0);
	cr_expect_eq(pb_broken(BYTES("\xff")), 1);
	cr_expect_eq(pb_broken(BYTES("a\xe2\x82"
	                                "b")),
	             2, "a cut character");
	cr_expect_eq(pb_broken(BYTES("\xe2\x82\xe2\x82\xac")), 2, "followed by a whole one");
	cr_expect_eq(pb_broken(BYTES("\xed\xa0\x80")), 3, "a surrogate");
	cr_expect_eq(pb_broken(BYTES("\xc0\x80")), 2, "an overlong NUL");
	cr_expect_eq(pb_broken(BYTES("\xf4\x90\x80\x80")), 4, "beyond U+10FFFF");
	cr_expect_eq(pb_broken(BYTES("\xf0\x9f\x98")), 3);
}

Test(pb_text, names_are_compared_as_repaired)
{
	cr_expect(pb_text_is(BYTES("tenant_id"), BYTES("tenant_id")));
	cr_expect_not(pb_text_is(BYTES("tenant_i"), BYTES("tenant_id")));
	cr_expect_not(pb_text_is(BYTES("tenant_idx"), BYTES("tenant_id")));
	cr_expect_not(pb_text_is(BYTES("tenant_id\xff"), BYTES("tenant_id")));
	cr_expect_not(pb_text_is(BYTES(""), BYTES("tenant_id")));
	cr_expect(pb_text_is(BYTES("a\xff"), BYTES("a" FFFD)));
	cr_expect(pb_text_is(BYTES("a\xe2\x82"), BYTES("a" FFFD FFFD)));
	cr_expect_not(pb_text_is(BYTES("a\xff"), BYTES("a\xff")), "after the repair it is another");
	cr_expect(pb_text_is(BYTES("\xc3\xa4"), BYTES("\xc3\xa4")));
}

Test(pb_text, every_error_has_a_text)
{
	for (int e = PB_OK; e < PB_ERROR_COUNT; e++)
		cr_expect(texts[e] && strlen(texts[e]) < 60, "error %d", e);
}

/* By blocks, and one by one: both count the same, wherever the broken bytes lie. */
Test(pb_text, broken_bytes_are_counted_whatever_block_they_are_in)
{
	static uint8_t text[3000];
	uint32_t state = 1;

	for (int round = 0; round < 3000; round++) {
		size_t n = 0, wanted = 0, room = 1200 + round % 1500;
		struct edits edits;
		struct pb_walk w = { .body = { text, 0 }, .edits = &edits };

		while (n + 4 < room) { /* characters of 1 to 4 bytes */
			static const char *const characters[] = { "a", "\xc3\xa9", "\xe4\xb8\x96",
				                                  "\xf0\x9f\x98\x80" };
			const char *c = characters[(state = state * 1664525 + 1013904223) >> 30];

			memcpy(text + n, c, strlen(c));
			n += strlen(c);
		}
		for (int k = round % 4; k > 0; k--) {
			state = state * 1664525 + 1013904223;
			text[(state >> 8) % n] = (uint8_t)(state >> 24);
		}
		for (size_t i = 0, k; i < n; i += k ? k : 1) {
			k = utf8_sequence(text + i, n - i);
			wanted += k == 0;
		}
		cr_assert_eq(pb_broken(bytes_of(text, n)), wanted);
		edits_init(&edits);
		w.body.n = n;
		pb_mend(&w, bytes_of(text, n));
		cr_assert_eq(edits.deleted, wanted);
		cr_assert_eq(edits.inserted, 3 * wanted);
		edits_done(&edits);
	}
}
