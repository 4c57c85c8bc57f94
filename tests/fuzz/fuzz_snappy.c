/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_snappy.c -- any bytes as a snappy block, judged and decoded as the worker does it: into a
 * buffer of exactly the room that encoding_look() names. What must hold: nothing is written beyond
 * it; a block that decodes gives exactly its declared length, and not into one byte less; what it
 * gives is the same after one more turn through the encoder.
 */
#include <snappy-c.h>
#include <stdio.h>

#include "proto/encoding.h"

enum { LIMIT = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "does not hold: %s\n", what);
	abort();
}

static enum inflate_result unsnap(struct bytes in, size_t cap, uint8_t **out, size_t *got)
{
	const char *why = NULL;
	enum inflate_result r;

	*out = xcalloc(cap ? cap : 1, 1);
	*got = 0;
	r = encoding_inflate(NULL, ENCODING_SNAPPY, in, *out, cap, got, &why);
	must((why != NULL) == (r == INFLATE_CORRUPT), "a reason if and only if corrupt");
	return r;
}

static void judge_plain(struct bytes plain)
{
	size_t cap = snappy_max_compressed_length(plain.n), rooms[ENCODING_TRIES], got;
	uint8_t *block = xcalloc(cap, 1), *again;
	const char *why = NULL;

	must(snappy_compress((const char *)plain.p, plain.n, (char *)block, &cap) == SNAPPY_OK,
	     "it compresses");
	must(encoding_look(ENCODING_SNAPPY, bytes_of(block, cap), LIMIT, rooms, &why) == INFLATE_OK,
	     "an honest block is no lie");
	must(unsnap(bytes_of(block, cap), plain.n, &again, &got) == INFLATE_OK &&
	             bytes_eq(plain, bytes_of(again, got)),
	     "an honest block decodes");
	free(again);
	free(block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	size_t rooms[ENCODING_TRIES] = { 0 }, declared = 0, got, less;
	struct bytes in = bytes_of(data, n);
	const char *why = NULL;
	uint8_t *out, *short_out;

	if (encoding_look(ENCODING_SNAPPY, in, LIMIT, rooms, &why) != INFLATE_OK)
		return 0;
	must(rooms[0] <= LIMIT, "room within the limit");
	if (unsnap(in, rooms[0], &out, &got) == INFLATE_OK) {
		must(snappy_uncompressed_length((const char *)data, n, &declared) == SNAPPY_OK &&
		             got == declared,
		     "the declared length");
		must(got == 0 || unsnap(in, got - 1, &short_out, &less) == INFLATE_ROOM,
		     "not into one byte less");
		if (got)
			free(short_out);
		judge_plain(bytes_of(out, got));
	}
	free(out);
	return 0;
}
