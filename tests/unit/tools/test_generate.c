/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/generate.c"

#include <criterion/criterion.h>

/* C1: the vectors of compatibility.md 5. */
Test(generate, the_hash_is_that_of_moose)
{
	static const char *const vectors[][2] = {
		{ "deadbeefdeadbeefdeadbeefdeadbeef.0123456789abcdef0123456789abcdef",
		  "445fd4696cfc5c49e28995c4aba05de44303a112" },
		{ "00112233445566778899aabbccddeeff.ffeeddccbbaa99887766554433221100",
		  "d8de8fcd077e81e756e11f0c422463d9e1d4560e" },
	};
	struct err err = { "" };
	struct pair pair;

	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		strcpy(pair.bearer, vectors[i][0]);
		cr_assert_eq(hash_bearer(&pair, &err), 0, "%s", err.text);
		cr_expect_str_eq(pair.hash, vectors[i][1]);
		pair.bearer[0] ^= 1;
		cr_assert_eq(hash_bearer(&pair, &err), 0);
		cr_expect_str_neq(pair.hash, vectors[i][1]);
	}
}

/* C2 */
Test(generate, a_pair_is_two_parts_of_32_hex_digits_and_their_hash)
{
	struct err err = { "" };
	struct pair one, two, again;

	cr_assert_eq(make_pair(&one, &err), 0, "%s", err.text);
	cr_assert_eq(make_pair(&two, &err), 0, "%s", err.text);
	cr_expect_eq(strlen(one.bearer), BEARER_BYTES);
	cr_expect_eq(strspn(one.bearer, "0123456789abcdef"), PART_DIGITS);
	cr_expect_eq(one.bearer[PART_DIGITS], '.');
	cr_expect_eq(strspn(one.bearer + PART_DIGITS + 1, "0123456789abcdef"), PART_DIGITS);
	cr_expect_neq(strncmp(one.bearer, two.bearer, PART_DIGITS), 0);
	cr_expect_str_neq(one.bearer + PART_DIGITS, two.bearer + PART_DIGITS);
	strcpy(again.bearer, one.bearer);
	cr_assert_eq(hash_bearer(&again, &err), 0);
	cr_expect_str_eq(again.hash, one.hash);
}
