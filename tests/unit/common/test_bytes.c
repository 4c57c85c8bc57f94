/* SPDX-License-Identifier: Apache-2.0 */
#include "common/bytes.c"

#include <criterion/criterion.h>

Test(bytes, compare_without_case_of_ascii_letters_only)
{
	cr_expect(bytes_eq_nocase(BYTES("Content-TYPE"), BYTES("content-type")));
	cr_expect(bytes_eq_nocase(BYTES_NONE, BYTES("")));
	cr_expect_not(bytes_eq_nocase(BYTES("gzip"), BYTES("gzi")));
	cr_expect_not(bytes_eq_nocase(BYTES("@"), BYTES("`")));
	cr_expect_not(bytes_eq_nocase(BYTES("["), BYTES("{")));
	cr_expect_not(bytes_eq_nocase(BYTES("\xc4"), BYTES("\xe4")));
}

Test(bytes, trim_takes_blanks_and_tabs_at_both_ends_only)
{
	cr_expect(bytes_eq(bytes_trim(BYTES(" \t a b\t ")), BYTES("a b")));
	cr_expect_eq(bytes_trim(BYTES(" \t ")).n, 0);
	cr_expect(bytes_eq(bytes_trim(BYTES("\na\r")), BYTES("\na\r")));
	cr_expect_eq(bytes_trim(BYTES_NONE).n, 0);
}

Test(bytes, from_never_goes_past_the_end)
{
	cr_expect(bytes_eq(bytes_from(BYTES("abc"), 1), BYTES("bc")));
	cr_expect_eq(bytes_from(BYTES("abc"), 4).n, 0);
	cr_expect_eq(bytes_from(BYTES_NONE, 4).n, 0);
}

Test(bytes, a_number_is_digits_up_to_its_maximum)
{
	uint64_t v = 77;

	cr_expect_not(bytes_to_u64(BYTES(""), 9, &v));
	cr_expect_not(bytes_to_u64(BYTES("-1"), 9, &v));
	cr_expect_not(bytes_to_u64(BYTES("+1"), 9, &v));
	cr_expect_not(bytes_to_u64(BYTES("1 "), 9, &v));
	cr_expect_not(bytes_to_u64(BYTES("10"), 9, &v));
	cr_expect_not(bytes_to_u64(BYTES("18446744073709551616"), UINT64_MAX, &v));
	cr_expect_not(bytes_to_u64(BYTES("99999999999999999999999999"), UINT64_MAX, &v));
	cr_expect_eq(v, 77, "untouched on failure");
	cr_expect(bytes_to_u64(BYTES("18446744073709551615"), UINT64_MAX, &v));
	cr_expect_eq(v, UINT64_MAX);
	cr_expect(bytes_to_u64(BYTES("0009"), 9, &v));
	cr_expect_eq(v, 9);
}

Test(bytes, hex_goes_there_and_back)
{
	uint8_t all[256], back[256];
	char text[513];

	for (int i = 0; i < 256; i++)
		all[i] = (uint8_t)i;
	hex_encode(all, sizeof(all), text);
	cr_expect_eq(strlen(text), 512);
	cr_expect_eq(strncmp(text, "000102", 6), 0);
	cr_expect_eq(strcmp(text + 506, "fdfeff"), 0);
	cr_expect(hex_decode(bytes_str(text), back, sizeof(back)));
	cr_expect_eq(memcmp(all, back, sizeof(all)), 0);
	cr_expect(hex_decode(BYTES("aBCDef"), back, 3));
	cr_expect_eq(memcmp(back, "\xab\xcd\xef", 3), 0);
}

Test(bytes, hex_of_another_length_or_alphabet_is_refused_and_writes_nothing)
{
	uint8_t out[2] = { 7, 7 };

	cr_expect_not(hex_decode(BYTES("abc"), out, 2));
	cr_expect_not(hex_decode(BYTES("abcdef"), out, 2));
	cr_expect_not(hex_decode(BYTES("ab"), out, 2));
	cr_expect_not(hex_decode(BYTES("abcg"), out, 2));
	cr_expect_not(hex_decode(BYTES("ab d"), out, 2));
	cr_expect_eq(out[0], 7);
	cr_expect_eq(out[1], 7);
	cr_expect(hex_decode(BYTES_NONE, out, 0));
}
