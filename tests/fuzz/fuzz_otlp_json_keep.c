/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_otlp_json_keep.c -- libFuzzer over OTLP/JSON that stays JSON. The first byte picks signal,
 * UTF-8 mode, depth, bounds and where the tenant goes; the rest is a body. What must hold for any
 * bytes (tests/unit/proto/keep.h):
 *   - scalar, sse2, avx2, whatever lies behind the body: one answer (B18);
 *   - verdict, reason and counts are those of transcoding and enriching the same body;
 *   - the value, transcoded, is what that makes; kept once more it stays as it is.
 */
#include "tests/unit/proto/keep.h"

enum { PICK_REPAIR = 4, PICK_TIGHT = 8, PICK_HEADER = 64, PICK_FEW = 128, TIGHT = 8, FEW = 2 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct settings s;

	if (n == 0)
		return 0;
	s = settings_of((enum signal)(data[0] % 4)); /* SIGNAL_EVENTS: the route of any */
	s.utf8 = data[0] & PICK_REPAIR ? UTF8_REPAIR : UTF8_STRICT;
	s.stamp = !(data[0] & PICK_HEADER);
	if (data[0] & PICK_TIGHT)
		s.depth = TIGHT;
	if (data[0] & PICK_FEW)
		s.resources_max = FEW;
	keep_judge(s, bytes_of(data + 1, n - 1));
	return 0;
}
