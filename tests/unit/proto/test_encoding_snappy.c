/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The snappy block of remote_write: what its declared length may say, and what becomes of a block
 * that is cut, false or framed.
 */
#include <criterion/criterion.h>
#include <snappy-c.h>

#include "proto/encoding.h"

enum { LIMIT = 64 * MIB };

static uint8_t block[2 << 20], plain[1 << 20];

static size_t snap(const void *text, size_t n)
{
	size_t k = sizeof(block);

	cr_assert_eq(snappy_compress(text, n, (char *)block, &k), SNAPPY_OK);
	return k;
}

static enum inflate_result look(struct bytes in, size_t limit, size_t *room)
{
	size_t rooms[ENCODING_TRIES] = { 0 };
	const char *why = NULL;
	enum inflate_result r = encoding_look(ENCODING_SNAPPY, in, limit, rooms, &why);

	cr_expect_eq(why != NULL, r == INFLATE_CORRUPT);
	*room = rooms[0];
	return r;
}

/* Into exactly cap bytes, from memory that ends behind the block. */
static enum inflate_result unsnap(size_t n, size_t cap, size_t *got)
{
	uint8_t *in = xcalloc(n ? n : 1, 1), *out = xcalloc(cap ? cap : 1, 1);
	const char *why = NULL;
	enum inflate_result r;

	memcpy(in, block, n);
	*got = 4711;
	r = encoding_inflate(NULL, ENCODING_SNAPPY, bytes_of(in, n), out, cap, got, &why);
	if (r == INFLATE_OK)
		memcpy(plain, out, *got);
	else
		cr_expect_eq(*got, 4711, "untouched on failure");
	cr_expect_eq(why != NULL, r == INFLATE_CORRUPT);
	free(in);
	free(out);
	return r;
}

Test(encoding_snappy, a_block_fits_exactly_or_wants_room)
{
	static char text[100000];
	size_t n, room, got;

	memset(text, 'x', sizeof(text));
	n = snap(text, sizeof(text));
	cr_expect_eq(look(bytes_of(block, n), LIMIT, &room), INFLATE_OK);
	cr_expect_eq(room, sizeof(text), "the declared length is what it costs");
	cr_expect_eq(unsnap(n, sizeof(text), &got), INFLATE_OK);
	cr_expect_eq(got, sizeof(text));
	cr_expect_eq(memcmp(plain, text, got), 0);
	cr_expect_eq(unsnap(n, sizeof(text) - 1, &got), INFLATE_ROOM);
	cr_expect_eq(unsnap(n, 0, &got), INFLATE_ROOM);
}

Test(encoding_snappy, the_block_of_an_empty_message_is_one_zero_byte)
{
	size_t room, got;

	cr_expect_eq(snap("", 0), 1);
	cr_expect_eq(block[0], 0);
	cr_expect_eq(look(bytes_of(block, 1), LIMIT, &room), INFLATE_OK);
	cr_expect_eq(unsnap(1, 64, &got), INFLATE_OK);
	cr_expect_eq(got, 0);
	/* no bytes are no block */
	cr_expect_eq(look(BYTES_NONE, LIMIT, &room), INFLATE_CORRUPT);
	cr_expect_eq(unsnap(0, 64, &got), INFLATE_CORRUPT);
}

/* P7 */
Test(encoding_snappy, a_declared_length_over_the_limit_is_too_large_before_anything_is_allocated)
{
	static const uint8_t huge[] = { 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 'a' };
	size_t room, n = snap(memset(plain, 'y', 1000), 1000);

	cr_expect_eq(look(bytes_of(huge, sizeof(huge)), LIMIT, &room), INFLATE_ROOM);
	cr_expect_eq(look(bytes_of(block, n), 999, &room), INFLATE_ROOM);
	cr_expect_eq(look(bytes_of(block, n), 1000, &room), INFLATE_OK);
}

/* faults.md 6: 64 bytes of output for 3 of input is the most */
Test(encoding_snappy, a_declared_length_that_the_format_cannot_reach_is_a_lie)
{
	static const uint8_t lie[] = { 0x80, 0x80, 0x80, 0x10, 0, 'a' }; /* 32 MiB of 6 bytes */
	size_t room;

	cr_expect_eq(look(bytes_of(lie, sizeof(lie)), LIMIT, &room), INFLATE_CORRUPT);
	/* the most that a block can hold is none */
	cr_expect_eq(look(bytes_of(block, snap(memset(plain, 0, 1 << 20), 1 << 20)), LIMIT, &room),
	             INFLATE_OK);
}

/* P7 */
Test(encoding_snappy, a_framed_stream_is_refused)
{
	static const uint8_t framed[] = { 0xff, 6, 0, 0, 's', 'N', 'a', 'P', 'p', 'Y',
		                          1,    5, 0, 0, 0,   0,   0,   0,   'a' };
	size_t room;

	cr_expect_eq(look(bytes_of(framed, sizeof(framed)), LIMIT, &room), INFLATE_CORRUPT);
	cr_expect_eq(look(bytes_of(framed, 10), LIMIT, &room), INFLATE_CORRUPT);
}

/* PC1 */
Test(encoding_snappy, an_overwritten_first_byte_is_corrupt)
{
	static const uint8_t firsts[] = { '0', 0xff };
	size_t n = snap("some text, some text, some other text, and some more of it", 58), room,
	       got;

	for (size_t i = 0; i < sizeof(firsts); i++) {
		block[0] = firsts[i];
		if (look(bytes_of(block, n), LIMIT, &room) == INFLATE_OK)
			cr_expect_eq(unsnap(n, 4096, &got), INFLATE_CORRUPT, "%02x", firsts[i]);
	}
}

Test(encoding_snappy, every_truncation_and_a_trailing_byte_are_corrupt)
{
	size_t n = snap("some text, some text, some other text", 37), room, got;

	for (size_t i = 0; i < n; i++)
		cr_expect(look(bytes_of(block, i), LIMIT, &room) == INFLATE_CORRUPT ||
		                  unsnap(i, 64, &got) == INFLATE_CORRUPT,
		          "%zu of %zu", i, n);
	block[n] = 0;
	cr_expect_eq(unsnap(n + 1, 64, &got), INFLATE_CORRUPT);
}

Test(encoding_snappy, every_flipped_bit_stays_in_its_room)
{
	static const char text[] = "some text, some text, some other text, and some more of it";
	size_t n = snap(text, sizeof(text) - 1), got;

	for (size_t bit = 0; bit < n * 8; bit++) {
		block[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (unsnap(n, 256, &got) == INFLATE_OK)
			cr_expect_leq(got, 256);
		block[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

Test(encoding_snappy, offsets_before_the_start_are_corrupt)
{
	/* 4 bytes: a literal of 1, then a copy of 3 from 9 back */
	static const uint8_t before[] = { 4, 0, 'a', (3 - 1) << 2 | 2, 9, 0 };
	size_t got;

	memcpy(block, before, sizeof(before));
	cr_expect_eq(unsnap(sizeof(before), 64, &got), INFLATE_CORRUPT);
	/* of 0: no offset */
	block[4] = 0;
	cr_expect_eq(unsnap(sizeof(before), 64, &got), INFLATE_CORRUPT);
	block[4] = 1;
	cr_expect_eq(unsnap(sizeof(before), 64, &got), INFLATE_OK);
	cr_expect_eq(memcmp(plain, "aaaa", 4), 0);
}
