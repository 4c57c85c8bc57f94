/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_loki_json_keep.c -- libFuzzer over Loki JSON of both shapes that stays JSON: the first byte
 * picks what is done with it, the rest is the body. What must hold for any bytes
 * (tests/unit/proto/keep_loki.h):
 *   - scalar, sse2, avx2, whatever lies behind the body: one answer (B18);
 *   - verdict, reason and counts are those of transcoding and enriching the same push;
 *   - the value, transcoded, is what that makes; kept once more it stays as it is.
 */
#include "tests/unit/proto/keep_loki.h"

enum {
	PICK_HEADER = 1,
	PICK_ENTRIES = 2,
	PICK_STRICT = 4,
	PICK_NAME = 8,
	PICK_LEGACY = 16,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct loki_settings s;

	if (n == 0)
		return 0;
	s = (struct loki_settings){
		.form = data[0] & PICK_LEGACY ? LOKI_LEGACY : LOKI_JSON,
		.stamp = !(data[0] & PICK_HEADER),
		.into_entries = data[0] & PICK_ENTRIES,
		.utf8 = data[0] & PICK_STRICT ? UTF8_STRICT : UTF8_REPAIR,
		.name = data[0] & PICK_NAME ? "a.b" : "tenant_id",
		.tenant = data[0] & PICK_NAME ? "c" : "acme",
	};
	loki_keep_judge(s, bytes_of(data + 1, n - 1));
	return 0;
}
