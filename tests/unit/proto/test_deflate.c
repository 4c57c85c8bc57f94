/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/deflate.c"

#include <criterion/criterion.h>

enum { ROOM = 1 << 20 };
static uint8_t plain[ROOM], packed[8 * ROOM];

struct answer {
	enum inflate_result result;
	size_t took, gave;
	const char *why;
	uint8_t *out; /* heap */
};

/* Input and output are in memory of their own, no byte beyond. */
static struct answer ask(struct deflate *d, enum deflate_form form, const uint8_t *from, size_t n,
                         size_t cap)
{
	uint8_t *in = xcalloc(n ? n : 1, 1);
	struct answer a = { .out = xcalloc(cap ? cap : 1, 1) };

	memcpy(in, from, n);
	a.result = deflate_member(d, form, bytes_of(in, n), a.out, cap, &a.took, &a.gave, &a.why);
	free(in);
	return a;
}

/* By libdeflate and by zlib: what one says the other says. */
static enum inflate_result both(enum deflate_form form, const uint8_t *from, size_t n, size_t cap)
{
	struct deflate *d = deflate_open();
	struct answer quick, slow;

	deflate_count_from(d, SIZE_MAX);
	deflate_begin(d, n);
	cr_assert_not(d->counts);
	quick = ask(d, form, from, n, cap);
	deflate_count_from(d, 0);
	deflate_begin(d, n);
	cr_assert(d->counts);
	slow = ask(d, form, from, n, cap);
	/* of a copy from too far, too, libdeflate may say first that it has no room */
	cr_expect(quick.result == slow.result ||
	                  (quick.result == INFLATE_ROOM && slow.result == INFLATE_CORRUPT),
	          "%d, %zu bytes into %zu: %d, %d", form, n, cap, quick.result, slow.result);
	if (quick.result == INFLATE_OK && slow.result == INFLATE_OK) {
		cr_expect_eq(quick.took, slow.took);
		cr_expect_eq(quick.gave, slow.gave);
		cr_expect_eq(memcmp(quick.out, slow.out, quick.gave), 0);
	}
	cr_expect_null(slow.why);
	free(quick.out);
	free(slow.out);
	deflate_close(d);
	return slow.result;
}

static size_t pack(enum deflate_form form, int level, size_t n)
{
	struct libdeflate_compressor *c = libdeflate_alloc_compressor(level);
	size_t k = 0;

	switch (form) {
	case DEFLATE_RAW:
		k = libdeflate_deflate_compress(c, plain, n, packed, sizeof(packed));
		break;
	case DEFLATE_ZLIB:
		k = libdeflate_zlib_compress(c, plain, n, packed, sizeof(packed));
		break;
	case DEFLATE_GZIP:
		k = libdeflate_gzip_compress(c, plain, n, packed, sizeof(packed));
		break;
	}
	libdeflate_free_compressor(c);
	cr_assert_gt(k, 0);
	return k;
}

static void fill(void)
{
	uint32_t state = 1;

	for (size_t i = 0; i < ROOM; i++) {
		state = state * 1664525 + 1013904223;
		plain[i] = (uint8_t)(i % 1000 < 700 ? 'a' + i % 7 : state >> 24);
	}
}

Test(deflate, counted_blocks_give_what_uncounted_ones_give)
{
	static const size_t sizes[] = { 0, 1, 5, 300, 70000, ROOM };

	fill();
	for (enum deflate_form form = DEFLATE_RAW; form <= DEFLATE_GZIP; form++)
		for (int level = 0; level <= 12; level += 3)
			for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
				size_t n = pack(form, level, sizes[i]);

				cr_expect_eq(both(form, packed, n, sizes[i]), INFLATE_OK);
				cr_expect_eq(both(form, packed, n, sizes[i] + 1), INFLATE_OK);
				if (sizes[i])
					cr_expect_eq(both(form, packed, n, sizes[i] - 1),
					             INFLATE_ROOM);
				packed[n] = 0x1f; /* what follows is not the member's */
				cr_expect_eq(both(form, packed, n + 1, sizes[i]), INFLATE_OK);
			}
}

Test(deflate, truncated_or_changed_streams_are_refused_both_ways)
{
	for (enum deflate_form form = DEFLATE_RAW; form <= DEFLATE_GZIP; form++) {
		size_t n;

		memcpy(plain, "some text, some text, some other text", 37);
		n = pack(form, 6, 37);
		for (size_t i = 0; i < n; i++)
			cr_expect_eq(both(form, packed, i, 64), INFLATE_CORRUPT);
		for (size_t bit = 0; bit < 8 * n; bit++) {
			packed[bit / 8] ^= (uint8_t)(1 << bit % 8);
			both(form, packed, n, 64);
			packed[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
}

/* RFC 1952 2.3.1 */
Test(deflate, every_field_of_a_gzip_head_is_passed)
{
	size_t n;

	memcpy(plain, "text", 4);
	n = pack(DEFLATE_GZIP, 6, 4);
	for (uint8_t flags = 0; flags < 0x40; flags++) {
		uint8_t with[128], *p = with;

		p = mempcpy(p, packed, GZIP_HEAD);
		with[3] = flags;
		if (flags & FLAG_EXTRA)
			p = mempcpy(p, "\3\0\1\0\2", 5);
		if (flags & FLAG_NAME)
			p = mempcpy(p, "name", 5);
		if (flags & FLAG_COMMENT)
			p = mempcpy(p, "", 1);
		if (flags & FLAG_CRC)
			p = mempcpy(p, "cc", 2);
		p = mempcpy(p, packed + GZIP_HEAD, n - GZIP_HEAD);
		cr_expect_eq(both(DEFLATE_GZIP, with, (size_t)(p - with), 64),
		             flags & FLAGS_RESERVED ? INFLATE_CORRUPT : INFLATE_OK, "%02x", flags);
		for (size_t cut = 0; cut < (size_t)(p - with); cut++)
			cr_expect_eq(both(DEFLATE_GZIP, with, cut, 64), INFLATE_CORRUPT);
	}
}

/* ---- counts: bodies of blocks that hold nothing ---- */

struct bits {
	uint8_t *p;
	uint64_t word;
	unsigned n;
};

static void put_bits(struct bits *b, uint64_t value, unsigned n)
{
	b->word |= value << b->n;
	for (b->n += n; b->n >= 8; b->n -= 8, b->word >>= 8)
		*b->p++ = (uint8_t)b->word;
}

static void put_fixed(struct bits *b, bool last)
{
	put_bits(b, last | 2, 3);
	put_bits(b, 0, 7);
	if (last)
		put_bits(b, 0, (8 - b->n) % 8);
}

/* 257 lengths, 0 but for the last: codes 18 (138 and 118 zeros) and 1. */
static void put_dynamic(struct bits *b)
{
	put_bits(b, 4, 3);
	put_bits(b, 0, 5);
	put_bits(b, 0, 5);
	put_bits(b, 14, 4);
	for (unsigned i = 0; i < 18; i++) /* in the order 16 17 18 0 8 7 9 .. 14 1 */
		put_bits(b, i == 2 ? 1 : i == 3 || i == 17 ? 2 : 0, 3);
	put_bits(b, 0, 1);
	put_bits(b, 138 - 11, 7);
	put_bits(b, 0, 1);
	put_bits(b, 118 - 11, 7);
	put_bits(b, 3, 2);
	put_bits(b, 1, 2);
	put_bits(b, 0, 1);
}

/* A raw body of so many blocks and a last one. */
static size_t blocks(size_t dynamic, size_t fixed, size_t stored)
{
	struct bits b = { .p = packed };

	for (; stored; stored--)
		b.p = mempcpy(b.p, "\0\0\0\xff\xff", 5);
	while (dynamic || fixed) {
		if (dynamic) {
			put_dynamic(&b);
			dynamic--;
		}
		if (fixed) {
			put_fixed(&b, false);
			fixed--;
		}
	}
	put_fixed(&b, true);
	assert(b.p <= packed + sizeof(packed));
	return (size_t)(b.p - packed);
}

static void expect_bound(size_t n, bool holds)
{
	struct deflate *d = deflate_open();
	struct answer a;

	deflate_begin(d, 2 * MIB);
	cr_assert(d->counts);
	a = ask(d, DEFLATE_RAW, packed, n, 64);
	cr_expect_eq(a.result, holds ? INFLATE_OK : INFLATE_CORRUPT, "%u", d->weight);
	cr_expect_str_eq(a.why ? a.why : "", holds ? "" : "too many blocks for one body");
	free(a.out);
	deflate_begin(d, 2 * MIB); /* another body begins at 0 */
	n = blocks(1, 1, 1);
	a = ask(d, DEFLATE_RAW, packed, n, 64);
	cr_expect_eq(a.result, INFLATE_OK);
	free(a.out);
	deflate_close(d);
}

/* B20: 64 MiB of blocks with tables and without, in turn, held a worker for 10 s. */
Test(deflate, blocks_of_a_large_body_are_counted)
{
	const size_t rest = WEIGHT_MEMBER + WEIGHT_OTHER, most = WEIGHT_MAX - rest;
	size_t half = most / (WEIGHT_DYNAMIC + 1);

	expect_bound(blocks(most / WEIGHT_DYNAMIC, 0, 0), true);
	expect_bound(blocks(most / WEIGHT_DYNAMIC + 1, 0, 0), false);
	expect_bound(blocks(0, most, 0), true);
	expect_bound(blocks(0, most + 1, 0), false);
	expect_bound(blocks(0, 0, most), true);
	expect_bound(blocks(0, 0, most + 1), false);
	expect_bound(blocks(half, half, 0), true);
	expect_bound(blocks(half + 1, half + 1, 0), false);
}

Test(deflate, only_large_bodies_are_counted)
{
	struct deflate *d = deflate_open();

	deflate_begin(d, COUNT_FROM - 1);
	cr_expect_not(d->counts);
	deflate_begin(d, COUNT_FROM);
	cr_expect(d->counts);
	deflate_close(d);
}

Test(deflate, members_of_a_large_body_are_counted_together)
{
	static const uint8_t member[20] = { 0x1f, 0x8b, 8, [10] = 3 };
	struct deflate *d = deflate_open();
	const uint32_t each = WEIGHT_MEMBER + WEIGHT_OTHER;
	size_t n = 0;

	deflate_begin(d, 2 * MIB);
	for (struct answer a = { 0 }; a.result == INFLATE_OK; n++) {
		free(a.out);
		a = ask(d, DEFLATE_GZIP, member, sizeof(member), 0);
		if (a.result != INFLATE_OK) {
			cr_expect_str_eq(a.why, "too many blocks for one body");
			free(a.out);
		}
	}
	cr_expect_eq(n, WEIGHT_MAX / each + 1);
	deflate_close(d);
}
