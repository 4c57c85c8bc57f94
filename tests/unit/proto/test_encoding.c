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

/* Of the n bytes at `from`: input and output are in memory of their own, no byte beyond. */
static enum inflate_result undo(enum encoding e, const uint8_t *from, size_t n, size_t cap,
                                size_t *got)
{
	uint8_t *in = xcalloc(n ? n : 1, 1), *exact = xcalloc(cap ? cap : 1, 1);
	const char *why = NULL;
	enum inflate_result r;

	memcpy(in, from, n);
	*got = 4711;
	r = encoding_inflate(inf, e, bytes_of(in, n), exact, cap, got, &why);
	if (r == INFLATE_OK)
		memcpy(out, exact, *got);
	else
		cr_expect_eq(*got, 4711, "untouched on failure");
	cr_expect_eq(why != NULL, r == INFLATE_CORRUPT);
	free(in);
	free(exact);
	return r;
}

static enum inflate_result inflate(size_t n, size_t cap, size_t *got)
{
	return undo(ENCODING_GZIP, gz, n, cap, got);
}

/* The rooms to try, of which the first is `first` and the last one `last`. */
static void expect_rooms(enum encoding e, struct bytes in, size_t limit, size_t first, size_t last)
{
	size_t rooms[ENCODING_TRIES], largest = 0;
	const char *why = NULL;

	cr_expect_eq(encoding_look(e, in, limit, rooms, &why), INFLATE_OK);
	cr_expect_eq(rooms[0], first, "%zu", rooms[0]);
	for (size_t i = 0; i < ENCODING_TRIES; i++)
		largest = max_size(largest, rooms[i]);
	cr_expect_eq(largest, last, "%zu", largest);
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

/* protocols.md 1.3; a Collector's exporter calls one of them zlib */
Test(encoding, every_coding_has_its_own_name)
{
	static const char *const names[] = {
		"identity", "gzip", "deflate", "zlib", "zstd", "snappy"
	};
	enum encoding e = ENCODING_COUNT;

	cr_assert_eq(ARRAY_LEN(names), ENCODING_COUNT);
	for (int i = 0; i < ENCODING_COUNT; i++) {
		cr_expect_str_eq(encoding_name((enum encoding)i), names[i]);
		cr_expect(encoding_find(bytes_str(names[i]), &e) && (int)e == i, "%s", names[i]);
		cr_expect(ENCODINGS_ALL & 1 << i);
	}
	cr_expect(encoding_find(BYTES("Deflate "), &e) && e == ENCODING_DEFLATE);
	cr_expect(encoding_find(BYTES("ZSTD"), &e) && e == ENCODING_ZSTD);
}

Test(encoding, lists_and_unknown_codings_are_not_found)
{
	static const char *const bad[] = { "gzip, gzip",
		                           "gzip,identity",
		                           "gzip, snappy",
		                           "lz4",
		                           "br",
		                           "x-zstd",
		                           "x-deflate",
		                           "gzi",
		                           "gzipp",
		                           "gzip;q=1",
		                           ",",
		                           "zst",
		                           "zstandard",
		                           "x-snappy-framed" };
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
	static const uint32_t claims[] = { 0, 1, UINT32_MAX, 49999, 50001 };
	size_t n, got, limit = 60000;

	for (size_t i = 0; i < ARRAY_LEN(claims); i++) {
		size_t rooms[ENCODING_TRIES], tried = 0, tries = 0;
		enum inflate_result r = INFLATE_ROOM;
		const char *why;

		memset(plain, 'y', 50000);
		n = gzip(plain, 50000, gz);
		for (int k = 0; k < 4; k++)
			gz[n - 4 + (size_t)k] = (uint8_t)(claims[i] >> (8 * k));
		cr_assert_eq(encoding_look(ENCODING_GZIP, bytes_of(gz, n), limit, rooms, &why),
		             INFLATE_OK);
		for (size_t k = 0; k < ENCODING_TRIES && r == INFLATE_ROOM; k++) {
			cr_expect_leq(rooms[k], limit);
			if (rooms[k] <= tried)
				continue;
			tried = rooms[k];
			tries++;
			r = inflate(n, tried, &got);
		}
		cr_expect_eq(r, INFLATE_CORRUPT, "ISIZE %u", claims[i]);
		cr_expect_leq(tries, i < 3 ? 2 : ENCODING_TRIES, "ISIZE %u", claims[i]);
	}
}

Test(encoding, the_first_room_is_the_smallest_of_claim_ratio_and_limit)
{
	uint8_t claim_100[30] = { [26] = 100 }, claim_huge[30] = { [26] = 0xff, 0xff, 0xff, 0xff };

	expect_rooms(ENCODING_GZIP, bytes_of(claim_100, 30), 1000, 100, 1000);
	expect_rooms(ENCODING_GZIP, bytes_of(claim_huge, 30), 1000, 480, 1000);
	expect_rooms(ENCODING_GZIP, bytes_of(claim_huge, 30), 300, 300, 300);
	expect_rooms(ENCODING_GZIP, bytes_of(claim_huge, 3), 1000, 64, 1000);
	expect_rooms(ENCODING_IDENTITY, bytes_of(claim_huge, 30), 1000, 64, 64);
	expect_rooms(ENCODING_IDENTITY, bytes_of(plain, 70), 1000, 70, 70);
	expect_rooms(ENCODING_DEFLATE, bytes_of(plain, 30), 1000, 480, 1000);
	expect_rooms(ENCODING_ZLIB, bytes_of(plain, 30), 1000, 480, 1000);
}

/* So that a small body never costs a buffer of the limit, whatever it says. */
Test(encoding, the_last_room_is_what_the_format_can_reach)
{
	uint8_t claim_huge[30] = { [26] = 0xff, 0xff, 0xff, 0xff };

	expect_rooms(ENCODING_GZIP, bytes_of(claim_huge, 30), 64 * MIB, 480, 1032 * 30);
	expect_rooms(ENCODING_DEFLATE, bytes_of(claim_huge, 30), 64 * MIB, 480, 1032 * 30);
}

Test(encoding, the_densest_deflate_that_there_is_fits_in_the_last_room)
{
	static uint8_t zeros[4 << 20], room[4 << 20];
	struct libdeflate_compressor *c = libdeflate_alloc_compressor(9);
	size_t n = libdeflate_deflate_compress(c, zeros, sizeof(zeros), gz, sizeof(gz)), got;
	size_t rooms[ENCODING_TRIES];
	const char *why = NULL;

	libdeflate_free_compressor(c);
	cr_assert_gt(sizeof(zeros) / n, 900);
	cr_assert_eq(encoding_look(ENCODING_DEFLATE, bytes_of(gz, n), SIZE_MAX, rooms, &why),
	             INFLATE_OK);
	cr_expect_geq(rooms[2], sizeof(zeros));
	cr_expect_eq(encoding_inflate(inf, ENCODING_DEFLATE, bytes_of(gz, n), room, sizeof(room),
	                              &got, &why),
	             INFLATE_OK);
	cr_expect_eq(got, sizeof(zeros));
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

static enum inflate_result unsnap_n(size_t n, size_t cap, size_t *got)
{
	return undo(ENCODING_SNAPPY, sn, n, cap, got);
}

/* What is said of a block before any memory is spent on it, and why. */
static enum inflate_result look(struct bytes in, size_t limit, const char *reason)
{
	size_t rooms[ENCODING_TRIES];
	const char *why = NULL;
	enum inflate_result r = encoding_look(ENCODING_SNAPPY, in, limit, rooms, &why);

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
	expect_rooms(ENCODING_SNAPPY, bytes_of(sn, n), 200000, 100000, 100000);
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
	expect_rooms(ENCODING_SNAPPY, bytes_of(sn, n), 1000, 64, 64);
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

Test(encoding, of_identity_only_the_size_is_seen_at_once_and_of_the_others_that_there_is_nothing)
{
	size_t rooms[ENCODING_TRIES];
	const char *why = NULL;

	cr_expect_eq(encoding_look(ENCODING_IDENTITY, BYTES("abc"), 3, rooms, &why), INFLATE_OK);
	cr_expect_eq(encoding_look(ENCODING_IDENTITY, BYTES("abcd"), 3, rooms, &why), INFLATE_ROOM);
	cr_expect_eq(encoding_look(ENCODING_IDENTITY, BYTES_NONE, 3, rooms, &why), INFLATE_OK);
	cr_expect_eq(encoding_look(ENCODING_GZIP, BYTES("abcd"), 3, rooms, &why), INFLATE_OK);
	cr_expect_null(why);
	for (int i = ENCODING_IDENTITY + 1; i < ENCODING_COUNT; i++) {
		size_t got;

		why = NULL;
		cr_expect_eq(encoding_look((enum encoding)i, BYTES_NONE, 3, rooms, &why),
		             INFLATE_CORRUPT);
		cr_expect_str_eq(why, "0 bytes");
		cr_expect_eq(undo((enum encoding)i, plain, 0, 64, &got), INFLATE_CORRUPT);
	}
}

/* ---- deflate, in both its forms ---- */

enum form { ZLIB, RAW };

static size_t deflate(enum form form, int level, const void *in, size_t n, uint8_t *to)
{
	struct libdeflate_compressor *c = libdeflate_alloc_compressor(level);
	size_t room = sizeof(gz) - (size_t)(to - gz),
	       k = form == ZLIB ? libdeflate_zlib_compress(c, in, n, to, room)
	                        : libdeflate_deflate_compress(c, in, n, to, room);

	libdeflate_free_compressor(c);
	cr_assert_gt(k, 0);
	return k;
}

/* P8: at every level, of nothing, of text and of what does not shrink */
Test(encoding, deflate_is_the_wrapped_and_the_raw_form)
{
	size_t got;

	for (size_t i = 0; i < 5000; i++)
		plain[i] = (uint8_t)(i < 2500 ? 'a' + i % 7 : i * i >> 3);
	for (int level = 0; level <= 12; level++)
		for (size_t n = 0; n <= 5000; n += n < 4 ? 1 : 1249)
			for (int form = ZLIB; form <= RAW; form++) {
				size_t k = deflate((enum form)form, level, plain, n, gz);

				cr_expect_eq(undo(ENCODING_DEFLATE, gz, k, n, &got), INFLATE_OK,
				             "form %d, level %d, %zu bytes", form, level, n);
				cr_expect_eq(got, n);
				cr_expect_eq(memcmp(out, plain, n), 0);
				if (n)
					cr_expect_eq(undo(ENCODING_DEFLATE, gz, k, n - 1, &got),
					             INFLATE_ROOM);
				cr_expect_eq(undo(ENCODING_ZLIB, gz, k, n, &got),
				             form == ZLIB ? INFLATE_OK : INFLATE_CORRUPT);
			}
}

/* The windows of RFC 1950, with each level that the flags can tell. */
Test(encoding, every_wrapping_is_told_from_the_raw_form)
{
	size_t k = deflate(ZLIB, 6, "text", 4, gz), got;

	for (unsigned window = 0; window <= 7; window++)
		for (unsigned level = 0; level <= 3; level++) {
			unsigned head = (window << 4 | 8) << 8 | level << 6;

			head += 31 - head % 31;
			gz[0] = (uint8_t)(head >> 8);
			gz[1] = (uint8_t)head;
			cr_expect_eq(undo(ENCODING_DEFLATE, gz, k, 4, &got), INFLATE_OK, "%x",
			             head);
		}
}

Test(encoding, what_is_neither_form_of_deflate_is_corrupt)
{
	size_t k = deflate(ZLIB, 6, "some text", 9, gz), n = gzip("some text", 9, gz + 100), got;

	cr_expect_eq(undo(ENCODING_DEFLATE, gz + 100, n, 64, &got), INFLATE_CORRUPT, "gzip");
	gz[k - 1] ^= 1;
	cr_expect_eq(undo(ENCODING_DEFLATE, gz, k, 64, &got), INFLATE_CORRUPT, "Adler-32");
	gz[k - 1] ^= 1;
	gz[1] = 0x20 + 31 - (0x7820 % 31); /* wants a dictionary */
	cr_expect_eq((0x7800 + gz[1]) % 31, 0);
	cr_expect_eq(undo(ENCODING_DEFLATE, gz, k, 64, &got), INFLATE_CORRUPT, "dictionary");
	cr_expect_eq(undo(ENCODING_DEFLATE, (const uint8_t *)"x", 1, 64, &got), INFLATE_CORRUPT);
	cr_expect_eq(undo(ENCODING_DEFLATE, (const uint8_t *)"plain text", 10, 64, &got),
	             INFLATE_CORRUPT);
}

/* P8, F43 */
Test(encoding, one_byte_behind_either_form_and_every_truncation_is_refused)
{
	static const char text[] = "some text, some text, some other text";
	size_t got;

	for (int form = ZLIB; form <= RAW; form++) {
		size_t k = deflate((enum form)form, 6, text, 37, gz);

		cr_expect_eq(undo(ENCODING_DEFLATE, gz, k, 37, &got), INFLATE_OK);
		gz[k] = 0;
		cr_expect_eq(undo(ENCODING_DEFLATE, gz, k + 1, 64, &got), INFLATE_CORRUPT);
		memcpy(gz + k, gz, k); /* no stream is followed by another one */
		cr_expect_eq(undo(ENCODING_DEFLATE, gz, 2 * k, 100, &got), INFLATE_CORRUPT);
		for (size_t i = 0; i < k; i++)
			cr_expect_eq(undo(ENCODING_DEFLATE, gz, i, 64, &got), INFLATE_CORRUPT,
			             "%zu of %zu", i, k);
	}
}

/* P7, F42 */
Test(encoding, a_bomb_of_either_form_stops_at_the_room_it_was_given)
{
	static uint8_t zeros[8 << 20];
	size_t got;

	for (int form = ZLIB; form <= RAW; form++) {
		size_t k = deflate((enum form)form, 6, zeros, sizeof(zeros), gz);

		cr_expect_lt(k, 10000);
		cr_expect_eq(undo(ENCODING_DEFLATE, gz, k, 100000, &got), INFLATE_ROOM);
	}
}
