/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_http_body.c -- a connection's bytes through head and body stage, request after request.
 * Oracles: fed byte by byte, or cut where the input says, the same requests with the same bodies
 * and the same verdict come out; all of the budget is given back. Make it: make MODE=fuzz
 * build/fuzz/tests/fuzz/fuzz_http_body
 */
#include "tests/unit/worker/http_walk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A POST before the input, half of the time, so that it need not find out how one looks. */
static struct bytes with_head(struct bytes in, bool chunked, uint8_t *out)
{
	static const char head[] =
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

	if (!chunked)
		return in;
	memcpy(out, head, sizeof(head) - 1);
	if (in.n)
		memcpy(out + sizeof(head) - 1, in.p, in.n);
	return bytes_of(out, sizeof(head) - 1 + in.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct walk walk;
	static char first[WALK_OUT];
	static uint8_t text[WALK_OUT];
	struct bytes in;

	if (size < 2 || size > WALK_OUT / 2)
		return 0;
	if (!walk.buf)
		walk_open(&walk);
	in = with_head(bytes_of(data + 2, size - 2), data[0] & 1, text);
	memcpy(first, walk_run(&walk, in, SIZE_MAX, SIZE_MAX), WALK_OUT);
	if (memcmp(first, walk_run(&walk, in, 1, 1), walk.out_n + 1) != 0)
		abort();
	if (memcmp(first, walk_run(&walk, in, data[1] + 1u, (data[0] >> 1) + 1u), walk.out_n + 1) !=
	    0)
		abort();
	if (budget_used(walk.w.budget) != 0)
		abort();
	return 0;
}
