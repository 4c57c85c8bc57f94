/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base64.h"

static int value_of(enum base64 alphabet, uint8_t c)
{
	const char *last = alphabet == BASE64_URL ? "-_" : "+/";

	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == last[0] ? 62 : c == last[1] ? 63 : -1;
}

bool base64_decode(enum base64 alphabet, struct bytes in, uint8_t *out, size_t *out_n)
{
	uint32_t bits = 0;
	size_t n = 0;

	if (in.n % 4 == 1)
		return false;
	for (size_t i = 0; i < in.n; i++) {
		int v = value_of(alphabet, in.p[i]);

		if (v < 0)
			return false;
		bits = bits << 6 | (uint32_t)v;
		if (i % 4 != 0)
			out[n++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
	}
	*out_n = n;
	return in.n % 4 == 0 || (bits & (in.n % 4 == 2 ? 0xf : 0x3)) == 0;
}
