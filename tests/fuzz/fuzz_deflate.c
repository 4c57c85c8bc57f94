/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_deflate.c -- libFuzzer over one member of deflate, its form picked by the first byte: whether
 * blocks are counted makes no difference to what comes out, nor to which room is too small. Codes
 * that libdeflate takes and zlib refuses are the one exception.
 */
#include <stdio.h>

#include "proto/deflate.h"

enum { LIMIT = 256 * KIB };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct answer {
	enum inflate_result result;
	size_t took, gave;
	const char *why;
	uint8_t *out;
};

static void must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "does not hold: %s\n", what);
	abort();
}

static struct answer ask(struct deflate *d, enum deflate_form form, struct bytes in, size_t cap,
                         bool counts)
{
	struct answer a = { .out = xcalloc(cap ? cap : 1, 1) };

	deflate_count_from(d, counts ? 0 : SIZE_MAX);
	deflate_begin(d, in.n);
	a.result = deflate_member(d, form, in, a.out, cap, &a.took, &a.gave, &a.why);
	must(a.took <= in.n && a.gave <= cap, "no more than there is");
	return a;
}

static void compare(struct deflate *d, enum deflate_form form, struct bytes in, size_t cap)
{
	struct answer fast = ask(d, form, in, cap, false), counted = ask(d, form, in, cap, true);

	if (counted.result == INFLATE_OK) {
		must(fast.result == INFLATE_OK, "what zlib takes libdeflate takes");
		must(fast.took == counted.took && fast.gave == counted.gave, "as much of it");
		must(memcmp(fast.out, counted.out, fast.gave) == 0, "to the same bytes");
	}
	if (counted.result == INFLATE_ROOM)
		must(fast.result != INFLATE_OK, "what has no room by zlib has none");
	if (counted.result == INFLATE_OK && cap == LIMIT) {
		compare(d, form, in, fast.gave);
		if (fast.gave) {
			struct answer less = ask(d, form, in, fast.gave - 1, true);

			must(less.result == INFLATE_ROOM, "one byte less is no room");
			free(less.out);
		}
	}
	free(fast.out);
	free(counted.out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct deflate *d;
	uint8_t *exact;

	if (n == 0)
		return 0;
	d = deflate_open();
	exact = xcalloc(n > 1 ? n - 1 : 1, 1); /* no byte beyond */
	memcpy(exact, data + 1, n - 1);
	compare(d, (enum deflate_form)(data[0] % 3), bytes_of(exact, n - 1), LIMIT);
	free(exact);
	deflate_close(d);
	return 0;
}
