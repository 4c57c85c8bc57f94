/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_split.c -- libFuzzer over the splits. The first byte picks format and enrichment, the next
 * two the limit of a part, the rest is a body. What must hold for any bytes: nothing is written
 * behind its room, parts are within the limit. And of what enrich() accepts: all that
 * oracle_split.h says, the least of it that no item is lost.
 */
#include "tests/unit/proto/oracle_split.h"

enum { PICK_STAMP = 8, HEAD_BYTES = 3 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Bytes that enrich() never passes: parts of some kind, in bounds. */
static void any_bytes(enum split_kind kind, struct bytes body, size_t limit)
{
	struct split_done d = split_run(kind, body, limit);
	size_t at = 0;

	for (size_t i = 0; d.answer == SPLIT_OK && i < d.parts.n; i++) {
		split_must(d.parts.v[i].at == at && d.parts.v[i].n <= limit, kind, limit,
		           "a part is in its place");
		at += d.parts.v[i].n;
	}
	split_must(d.answer != SPLIT_OK || at == d.n, kind, limit, "the parts are all there is");
	split_free(&d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	enum split_kind kind;
	struct split_value v;
	struct split_done d;
	bool stamp;
	size_t limit;

	if (n < HEAD_BYTES)
		return 0;
	kind = (enum split_kind)(data[0] % PICK_STAMP % SPLIT_KINDS);
	stamp = data[0] & PICK_STAMP;
	limit = (size_t)data[1] << 8 | data[2];
	any_bytes(kind, bytes_of(data + HEAD_BYTES, n - HEAD_BYTES), limit);
	v = split_enrich(kind, stamp, bytes_of(data + HEAD_BYTES, n - HEAD_BYTES));
	if (!v.p)
		return 0;
	d = split_judge(kind, stamp, bytes_of(v.p, v.n), v.items, limit);
	split_free(&d);
	free(v.p);
	return 0;
}
