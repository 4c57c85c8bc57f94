/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base64.h"

bool base64_decode(enum base64 alphabet, struct bytes in, uint8_t *out, size_t *out_n)
{
	uint32_t bits = 0;
	size_t n = 0;

	if (in.n % 4 == 1)
		return false;
	for (size_t i = 0; i < in.n; i++) {
		int v = base64_value(alphabet, in.p[i]);

		if (v < 0)
			return false;
		bits = bits << 6 | (uint32_t)v;
		if (i % 4 != 0)
			out[n++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
	}
	*out_n = n;
	return in.n % 4 == 0 || (bits & (in.n % 4 == 2 ? 0xf : 0x3)) == 0;
}
