/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base64.c"

#include <criterion/criterion.h>

Test(base64, each_value_has_one_form)
{
	uint8_t out[8];
	size_t n;

	cr_assert(base64_decode(BASE64_URL, BYTES("_-8"), out, &n));
	cr_assert_eq(n, 2);
	cr_assert_eq(out[0], 0xff);
	cr_assert_eq(out[1], 0xef);
	cr_assert(base64_decode(BASE64_URL, BYTES(""), out, &n));
	cr_assert_eq(n, 0);
	cr_assert_not(base64_decode(BASE64_URL, BYTES("_-9"), out, &n)); /* unused bits */
	cr_assert_not(base64_decode(BASE64_URL, BYTES("_-8="), out, &n));
	cr_assert_not(base64_decode(BASE64_URL, BYTES("/+8"), out, &n));
	cr_assert_not(base64_decode(BASE64_URL, BYTES("a"), out, &n));
	cr_assert_not(base64_decode(BASE64_URL, BYTES("ab cd"), out, &n));
	cr_assert_not(base64_decode(BASE64_STANDARD, BYTES("_-8"), out, &n));
	cr_assert(base64_decode(BASE64_STANDARD, BYTES("/+8"), out, &n));
	cr_assert(n == 2 && out[0] == 0xff && out[1] == 0xef);
}
