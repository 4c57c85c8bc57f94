/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/auth_credential.c"

#include <criterion/criterion.h>

Test(auth_credential, base64_is_the_standard_alphabet_and_exact)
{
	static const char *const good[] = { "",         "Zg==",     "Zm8=",    "Zm9v",
		                            "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy" };
	static const char *const bad[] = { "Z",    "Zg=", "Zh==", "Zm9=", "Zm9v=", "Zm9v====",
		                           "Z=g=", "=",   "====", "Zm-_", "Zm 9",  "Zm9v\n" };
	uint8_t out[16];
	size_t n;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		cr_assert(basic_decode(bytes_str(good[i]), out, &n), "%s", good[i]);
		cr_assert_eq(n, i);
		cr_assert_arr_eq(out, "foobar", n);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_assert(!basic_decode(bytes_str(bad[i]), out, &n), "%s", bad[i]);
}
