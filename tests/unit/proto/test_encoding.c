/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/encoding.c"

#include <criterion/criterion.h>

static uint8_t gz[1 << 20], plain[1 << 20], out[1 << 20];
static struct inflater *inf;

static void set_up(void)
{
	inf = inflater_open();
}

static void tear_down(void)
{
	inflater_close(inf);
}

TestSuite(encoding, .init = set_up, .fini = tear_down);

static size_t gzip(const void *in, size_t n, uint8_t *to)
{
	struct libdeflate_compressor *c = libdeflate_alloc_compressor(6);
	size_t k = libdeflate_gzip_compress(c, in, n, to, sizeof(gz) - (size_t)(to - gz));

	libdeflate_free_compressor(c);
	cr_assert_gt(k, 0);
	return k;
}

static enum inflate_result inflate(size_t n, size_t cap, size_t *got)
{
	uint8_t *in = xcalloc(n ? n : 1, 1),
		*exact = xcalloc(cap ? cap : 1, 1); /* no byte beyond */
	const char *why = NULL;
	enum inflate_result r;

	memcpy(in, gz, n);
	*got = 4711;
	r = encoding_inflate(inf, ENCODING_GZIP, bytes_of(in, n), exact, cap, got, &why);
	if (r == INFLATE_OK)
		memcpy(out, exact, *got);
	else
		cr_expect_eq(*got, 4711, "untouched on failure");
	cr_expect_eq(why != NULL, r == INFLATE_CORRUPT);
	free(in);
	free(exact);
	return r;
}

Test(encoding, names_are_found_whatever_their_case)
{
	enum encoding e = ENCODING_COUNT;

	cr_expect(encoding_find(BYTES("GZip"), &e) && e == ENCODING_GZIP);
	cr_expect(encoding_find(BYTES("x-gzip"), &e) && e == ENCODING_GZIP);
	cr_expect(encoding_find(BYTES(" gzip\t"), &e) && e == ENCODING_GZIP);
	cr_expect(encoding_find(BYTES("identity"), &e) && e == ENCODING_IDENTITY);
	e = ENCODING_COUNT;
	cr_expect(encoding_find(BYTES_NONE, &e) && e == ENCODING_IDENTITY);
	cr_expect_str_eq(encoding_name(ENCODING_GZIP), "gzip");
	cr_expect_str_eq(encoding_name(ENCODING_IDENTITY), "identity");
}

Test(encoding, lists_and_unknown_codings_are_not_found)
{
	static const char *const bad[] = { "gzip, gzip", "gzip,identity", "lz4",      "br",
		                           "gzi",        "gzipp",         "gzip;q=1", "," };
	enum encoding e = ENCODING_COUNT;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_expect_not(encoding_find(bytes_str(bad[i]), &e), "%s", bad[i]);
	cr_expect_eq(e, ENCODING_COUNT);
}

Test(encoding, identity_copies_what_fits)
{
	const char *why = NULL;
	size_t n = 0;

	cr_expect_eq(encoding_inflate(inf, ENCODING_IDENTITY, BYTES("abc"), out, 3, &n, &why),
	             INFLATE_OK);
	cr_expect_eq(n, 3);
	cr_expect_eq(memcmp(out, "abc", 3), 0);
	cr_expect_eq(encoding_inflate(inf, ENCODING_IDENTITY, BYTES("abcd"), out, 3, &n, &why),
	             INFLATE_ROOM);
	cr_expect_eq(encoding_inflate(inf, ENCODING_IDENTITY, BYTES_NONE, out, 0, &n, &why),
	             INFLATE_OK);
	cr_expect_eq(n, 0);
}

Test(encoding, a_gzip_body_fits_exactly_or_wants_room)
{
	size_t n, got;

	memset(plain, 'x', 100000);
	n = gzip(plain, 100000, gz);
	cr_expect_eq(inflate(n, 100000, &got), INFLATE_OK);
	cr_expect_eq(got, 100000);
	cr_expect_eq(memcmp(out, plain, got), 0);
	cr_expect_eq(inflate(n, 99999, &got), INFLATE_ROOM);
	cr_expect_eq(inflate(n, 0, &got), INFLATE_ROOM);
}

Test(encoding, gzip_of_nothing_is_nothing_but_no_bytes_are_no_gzip)
{
	size_t n = gzip("", 0, gz), got;

	cr_expect_eq(inflate(n, 64, &got), INFLATE_OK);
	cr_expect_eq(got, 0);
	cr_expect_eq(inflate(n, 0, &got), INFLATE_OK);
	cr_expect_eq(inflate(0, 64, &got), INFLATE_CORRUPT);
}

/* P8 */
Test(encoding, members_in_a_row_are_one_body_and_one_trailing_byte_is_refused)
{
	size_t n = gzip("one ", 4, gz), got;

	n += gzip("", 0, gz + n);
	n += gzip("two", 3, gz + n);
	cr_expect_eq(inflate(n, 7, &got), INFLATE_OK);
	cr_expect_eq(got, 7);
	cr_expect_eq(memcmp(out, "one two", 7), 0);
	cr_expect_eq(inflate(n, 6, &got), INFLATE_ROOM);
	gz[n] = 0;
	cr_expect_eq(inflate(n + 1, 64, &got), INFLATE_CORRUPT);
	gz[n] = 0x1f;
	cr_expect_eq(inflate(n + 1, 64, &got), INFLATE_CORRUPT);
	memcpy(gz + n, "trailing bytes, long enough for a header", 40);
	cr_expect_eq(inflate(n + 40, 64, &got), INFLATE_CORRUPT);
}

Test(encoding, every_truncation_is_corrupt)
{
	size_t n = gzip("some text, some text, some other text", 37, gz), got;

	for (size_t i = 0; i < n; i++)
		cr_expect_eq(inflate(i, 64, &got), INFLATE_CORRUPT, "%zu of %zu", i, n);
}

Test(encoding, every_flipped_bit_gives_corrupt_or_the_same_text)
{
	static const char text[] = "some text, some text, some other text";
	size_t n = gzip(text, sizeof(text) - 1, gz), got;

	for (size_t bit = 0; bit < n * 8; bit++) {
		enum inflate_result r;

		gz[bit / 8] ^= 1 << bit % 8;
		r = inflate(n, 1000, &got);
		/* some bits mean nothing: the header's time and OS, padding of the last block */
		cr_expect(r == INFLATE_CORRUPT || r == INFLATE_ROOM ||
		                  (got == sizeof(text) - 1 && !memcmp(out, text, got)),
		          "bit %zu", bit);
		gz[bit / 8] ^= 1 << bit % 8;
	}
}

Test(encoding, a_plain_body_announced_as_gzip_is_corrupt)
{
	size_t got;

	memcpy(gz, "\x0a\x10 this is no gzip at all, not a bit of it", 40);
	cr_expect_eq(inflate(40, 1000, &got), INFLATE_CORRUPT);
}

/* B20 */
Test(encoding, a_false_isize_costs_two_attempts_at_most_and_is_corrupt)
{
	static const uint32_t claims[] = { 0, 1, 49999, 50001, UINT32_MAX };
	size_t n, got, limit = 60000;

	for (size_t i = 0; i < ARRAY_LEN(claims); i++) {
		size_t guess;
		enum inflate_result r;

		memset(plain, 'y', 50000);
		n = gzip(plain, 50000, gz);
		for (int k = 0; k < 4; k++)
			gz[n - 4 + (size_t)k] = (uint8_t)(claims[i] >> (8 * k));
		guess = encoding_guess(ENCODING_GZIP, bytes_of(gz, n), limit);
		cr_expect_leq(guess, limit);
		r = inflate(n, guess, &got);
		if (r == INFLATE_ROOM)
			r = inflate(n, limit, &got);
		cr_expect_eq(r, INFLATE_CORRUPT, "ISIZE %u", claims[i]);
	}
}

Test(encoding, the_first_guess_is_the_smallest_of_claim_ratio_and_limit)
{
	uint8_t claim_100[30] = { [26] = 100 }, claim_huge[30] = { [26] = 0xff, 0xff, 0xff, 0xff };

	cr_expect_eq(encoding_guess(ENCODING_GZIP, bytes_of(claim_100, 30), 1000), 100);
	cr_expect_eq(encoding_guess(ENCODING_GZIP, bytes_of(claim_huge, 30), 1000), 480);
	cr_expect_eq(encoding_guess(ENCODING_GZIP, bytes_of(claim_huge, 30), 300), 300);
	cr_expect_eq(encoding_guess(ENCODING_GZIP, bytes_of(claim_huge, 3), 1000), 64);
	cr_expect_eq(encoding_guess(ENCODING_GZIP, BYTES_NONE, 1000), 64);
	cr_expect_eq(encoding_guess(ENCODING_IDENTITY, bytes_of(claim_huge, 30), 1000), 64);
	cr_expect_eq(encoding_guess(ENCODING_IDENTITY, bytes_of(plain, 70), 1000), 70);
}

/* F44, P7 */
Test(encoding, a_bomb_stops_at_the_room_it_was_given)
{
	static uint8_t zeros[8 << 20];
	size_t n = gzip(zeros, sizeof(zeros), gz), got;

	cr_expect_lt(n, 20000);
	cr_expect_eq(inflate(n, 100000, &got), INFLATE_ROOM);
}

/* ---- snappy ---- */

static uint8_t sn[2 << 20]; /* snappy_compress() asks for room for the worst case */

static size_t snap(const void *in, size_t n)
{
	size_t k = sizeof(sn);

	cr_assert_eq(snappy_compress(in, n, (char *)sn, &k), SNAPPY_OK);
	return k;
}

/* As inflate(), of the n bytes in sn: the input is in memory of its own too. */
static enum inflate_result unsnap_n(size_t n, size_t cap, size_t *got)
{
	uint8_t *in = xcalloc(n ? n : 1, 1), *exact = xcalloc(cap ? cap : 1, 1);
	const char *why = NULL;
	enum inflate_result r;

	memcpy(in, sn, n);
	*got = 4711;
	r = encoding_inflate(inf, ENCODING_SNAPPY, bytes_of(in, n), exact, cap, got, &why);
	if (r == INFLATE_OK)
		memcpy(out, exact, *got);
	else
		cr_expect_eq(*got, 4711, "untouched on failure");
	cr_expect_eq(why != NULL, r == INFLATE_CORRUPT);
	free(in);
	free(exact);
	return r;
}

/* What is said of a block before any memory is spent on it, and why. */
static enum inflate_result look(struct bytes in, size_t limit, const char *reason)
{
	const char *why = NULL;
	enum inflate_result r = encoding_look(ENCODING_SNAPPY, in, limit, &why);

	cr_expect_eq(why != NULL, r == INFLATE_CORRUPT);
	if (reason)
		cr_expect_str_eq(why ? why : "", reason);
	return r;
}

/* A varint of n and `rest` bytes behind it. */
static struct bytes declares(uint64_t n, size_t rest)
{
	size_t k = 0;

	memset(sn, 0, sizeof(sn));
	for (; n > 0x7f; n >>= 7)
		sn[k++] = (uint8_t)(n | 0x80);
	sn[k++] = (uint8_t)n;
	return bytes_of(sn, k + rest);
}

Test(encoding, snappy_is_a_coding_by_its_name)
{
	enum encoding e = ENCODING_COUNT;

	cr_expect(encoding_find(BYTES("Snappy"), &e) && e == ENCODING_SNAPPY);
	cr_expect_str_eq(encoding_name(ENCODING_SNAPPY), "snappy");
	cr_expect_not(encoding_find(BYTES("x-snappy"), &e));
	cr_expect_not(encoding_find(BYTES("snappy-framed"), &e));
}

Test(encoding, a_snappy_block_fits_exactly_or_wants_room)
{
	size_t n, got;

	memset(plain, 'x', 100000);
	n = snap(plain, 100000);
	cr_expect_eq(look(bytes_of(sn, n), 100000, NULL), INFLATE_OK);
	cr_expect_eq(encoding_guess(ENCODING_SNAPPY, bytes_of(sn, n), 100000), 100000);
	cr_expect_eq(unsnap_n(n, 100000, &got), INFLATE_OK);
	cr_expect_eq(got, 100000);
	cr_expect_eq(memcmp(out, plain, got), 0);
	cr_expect_eq(unsnap_n(n, 99999, &got), INFLATE_ROOM);
	cr_expect_eq(look(bytes_of(sn, n), 99999, NULL), INFLATE_ROOM);
}

/* protocols.md 1.3: the block of an empty message is the byte 00, and no byte is none */
Test(encoding, a_snappy_block_of_nothing_is_one_byte)
{
	size_t n = snap("", 0), got;

	cr_expect_eq(n, 1);
	cr_expect_eq(sn[0], 0);
	cr_expect_eq(look(bytes_of(sn, n), 64, NULL), INFLATE_OK);
	cr_expect_eq(encoding_guess(ENCODING_SNAPPY, bytes_of(sn, n), 1000), 64);
	cr_expect_eq(unsnap_n(n, 64, &got), INFLATE_OK);
	cr_expect_eq(got, 0);
	cr_expect_eq(look(BYTES_NONE, 64, "0 bytes"), INFLATE_CORRUPT);
	cr_expect_eq(unsnap_n(0, 64, &got), INFLATE_CORRUPT);
}

/* P7, F42 */
Test(encoding, a_length_over_the_limit_is_told_before_any_memory_is_spent)
{
	cr_expect_eq(look(declares(UINT32_MAX, 10), 64 * MIB, NULL), INFLATE_ROOM);
	cr_expect_eq(look(declares(64 * MIB + 1, 10), 64 * MIB, NULL), INFLATE_ROOM);
}

/* faults.md 6: over 22 x wire + 64 bytes it cannot be */
Test(encoding, a_length_that_the_format_cannot_reach_is_a_lie)
{
	static const char lie[] = "a declared length that the format cannot reach";

	/* 12 bytes in all: 22 * 12 + 64 = 328 */
	cr_expect_eq(look(declares(328, 10), 64 * MIB, NULL), INFLATE_OK);
	cr_expect_eq(look(declares(329, 10), 64 * MIB, lie), INFLATE_CORRUPT);
	cr_expect_eq(look(declares(64 * MIB, 10), 64 * MIB, lie), INFLATE_CORRUPT);
}

Test(encoding, the_densest_block_that_there_is_is_no_lie)
{
	size_t n, got;

	memset(plain, 0, sizeof(plain));
	n = snap(plain, sizeof(plain));
	cr_expect_lt(n, sizeof(plain) / 20);
	cr_expect_eq(look(bytes_of(sn, n), sizeof(plain), NULL), INFLATE_OK);
	cr_expect_eq(unsnap_n(n, sizeof(plain), &got), INFLATE_OK);
}

Test(encoding, a_length_that_never_ends_is_corrupt)
{
	static const char why[] = "no length before the block";

	cr_expect_eq(look(BYTES("\x80"), 1000, why), INFLATE_CORRUPT);
	cr_expect_eq(look(BYTES("\xff\xff\xff\xff\xff\xff\xff"), 1000, why), INFLATE_CORRUPT);
	cr_expect_eq(look(BYTES("\xff\xff\xff\xff\x7f"), 64 * MIB, why), INFLATE_CORRUPT);
}

/* P7 */
Test(encoding, a_framed_stream_is_no_block)
{
	cr_expect_eq(look(BYTES("\xff\x06\0\0sNaPpY\x01\x05\0\0\0\0\0\0x"), 64 * MIB,
	                  "a framed stream, where one block is wanted"),
	             INFLATE_CORRUPT);
}

/* P8 */
Test(encoding, one_byte_behind_a_snappy_block_is_refused)
{
	size_t n = snap("some text, some text", 20), got;

	sn[n] = 0;
	cr_expect_eq(look(bytes_of(sn, n + 1), 1000, NULL), INFLATE_OK);
	cr_expect_eq(unsnap_n(n + 1, 1000, &got), INFLATE_CORRUPT);
}

Test(encoding, every_truncation_of_a_snappy_block_is_corrupt)
{
	size_t n = snap("some text, some text, some other text", 37), got;

	for (size_t i = 0; i < n; i++)
		cr_expect_eq(unsnap_n(i, 64, &got), INFLATE_CORRUPT, "%zu of %zu", i, n);
}

/* snappy has no checksum: a flipped bit may give another text, but never a byte too many */
Test(encoding, no_flipped_bit_of_a_snappy_block_writes_outside)
{
	size_t n = snap("some text, some text, some other text", 37), got;

	for (size_t bit = 0; bit < n * 8; bit++) {
		enum inflate_result r;

		sn[bit / 8] ^= 1 << bit % 8;
		r = unsnap_n(n, 64, &got);
		cr_expect(r != INFLATE_OK || got <= 64, "bit %zu", bit);
		sn[bit / 8] ^= 1 << bit % 8;
	}
}

Test(encoding, of_identity_and_gzip_only_the_size_and_nothing_are_seen_at_once)
{
	const char *why = NULL;

	cr_expect_eq(encoding_look(ENCODING_IDENTITY, BYTES("abc"), 3, &why), INFLATE_OK);
	cr_expect_eq(encoding_look(ENCODING_IDENTITY, BYTES("abcd"), 3, &why), INFLATE_ROOM);
	cr_expect_eq(encoding_look(ENCODING_IDENTITY, BYTES_NONE, 3, &why), INFLATE_OK);
	cr_expect_eq(encoding_look(ENCODING_GZIP, BYTES("abcd"), 3, &why), INFLATE_OK);
	cr_expect_null(why);
	cr_expect_eq(encoding_look(ENCODING_GZIP, BYTES_NONE, 3, &why), INFLATE_CORRUPT);
	cr_expect_str_eq(why, "0 bytes");
}
