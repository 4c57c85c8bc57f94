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
