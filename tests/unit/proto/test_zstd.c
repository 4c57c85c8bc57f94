/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/zstd.c"

#include <criterion/criterion.h>

static uint8_t zs[1 << 20], plain[1 << 20], out[1 << 20];
static struct zstd *z;

static void set_up(void)
{
	z = zstd_open();
}

static void tear_down(void)
{
	zstd_close(z);
}

TestSuite(zstd, .init = set_up, .fini = tear_down);

enum { SIZED = 1, CHECKED = 2 };

/* A frame, by libzstd. A window of 0 is the level's. */
static size_t frame(int level, int window_log, int flags, const void *in, size_t n, uint8_t *to)
{
	ZSTD_CCtx *c = ZSTD_createCCtx();
	size_t k;

	ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, level);
	ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, window_log);
	ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, flags & SIZED);
	ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, flags & CHECKED ? 1 : 0);
	k = ZSTD_compress2(c, to, sizeof(zs) - (size_t)(to - zs), in, n);
	ZSTD_freeCCtx(c);
	cr_assert_not(ZSTD_isError(k), "%s", ZSTD_getErrorName(k));
	return k;
}

static size_t put_skippable(uint8_t *to, unsigned kind, const void *content, uint8_t n)
{
	const uint8_t head[] = { (uint8_t)(0x50 + kind), 0x2a, 0x4d, 0x18, n, 0, 0, 0 };

	memcpy(to, head, sizeof(head));
	memcpy(to + sizeof(head), content, n);
	return sizeof(head) + n;
}

/* A frame by hand: the head behind the magic, then blocks. */
static struct bytes by_hand(struct bytes head, struct bytes blocks)
{
	static const uint8_t magic[] = { 0x28, 0xb5, 0x2f, 0xfd };

	memcpy(zs, magic, sizeof(magic));
	memcpy(zs + sizeof(magic), head.p, head.n);
	memcpy(zs + sizeof(magic) + head.n, blocks.p, blocks.n);
	return bytes_of(zs, sizeof(magic) + head.n + blocks.n);
}

static uint32_t block(enum block type, uint32_t n, bool last)
{
	return n << 3 | (uint32_t)type << 1 | last;
}

/* In and out are in memory of their own, no byte beyond. */
static enum inflate_result undo(struct bytes from, size_t cap, size_t *got)
{
	uint8_t *in = xcalloc(from.n ? from.n : 1, 1), *exact = xcalloc(cap ? cap : 1, 1);
	const char *why = NULL;
	enum inflate_result r;

	memcpy(in, from.p, from.n);
	*got = 4711;
	r = zstd_inflate(z, bytes_of(in, from.n), exact, cap, got, &why);
	if (r == INFLATE_OK)
		memcpy(out, exact, *got);
	else
		cr_expect_eq(*got, 4711, "untouched on failure");
	cr_expect_eq(why != NULL, r == INFLATE_CORRUPT);
	free(in);
	free(exact);
	return r;
}

/* What is said before any memory is spent; `reason` of INFLATE_CORRUPT alone. The same input is
 * refused by the decoder for the same reason. */
static enum inflate_result look(struct bytes from, size_t limit, size_t *claim, size_t *most,
                                const char *reason)
{
	uint8_t *in = xcalloc(from.n ? from.n : 1, 1), room[4096];
	const char *why = NULL, *again = NULL;
	size_t got;
	enum inflate_result r;

	memcpy(in, from.p, from.n);
	r = zstd_look(bytes_of(in, from.n), limit, claim, most, &why);
	cr_expect_eq(why != NULL, r == INFLATE_CORRUPT);
	if (reason) {
		cr_expect_str_eq(why ? why : "", reason);
		cr_expect_eq(
			zstd_inflate(z, bytes_of(in, from.n), room, sizeof(room), &got, &again),
			INFLATE_CORRUPT);
		cr_expect_str_eq(again ? again : "", reason);
	}
	free(in);
	return r;
}

static void refused(struct bytes from, const char *reason)
{
	size_t claim = 4711, most = 4711;

	cr_expect_eq(look(from, 64 * MIB, &claim, &most, reason), INFLATE_CORRUPT, "%s", reason);
	cr_expect(claim == 4711 && most == 4711, "untouched on failure");
}

static void fill(void)
{
	uint32_t state = 1;

	for (size_t i = 0; i < sizeof(plain); i++) {
		state = state * 1664525 + 1013904223;
		plain[i] = (uint8_t)(i % 1000 < 700 ? 'a' + i % 7 : state >> 24);
	}
}

Test(zstd, a_frame_of_each_level_fits_exactly_or_wants_room)
{
	size_t got, claim, most;

	fill();
	for (int level = -5; level <= 19; level += 4)
		for (int flags = 0; flags <= (SIZED | CHECKED); flags++)
			for (size_t n = 0; n <= 400000; n = n * 5 + 1) {
				struct bytes in =
					bytes_of(zs, frame(level, 0, flags, plain, n, zs));

				cr_expect_eq(look(in, n, &claim, &most, NULL), INFLATE_OK);
				cr_expect_eq(claim, flags & SIZED ? n : 0);
				cr_expect_geq(most, n);
				cr_expect_eq(undo(in, n, &got), INFLATE_OK, "level %d, %zu", level,
				             n);
				cr_expect_eq(got, n);
				cr_expect_eq(memcmp(out, plain, n), 0);
				if (n)
					cr_expect_eq(undo(in, n - 1, &got), INFLATE_ROOM);
			}
}

/* P8 */
Test(zstd, frames_in_a_row_are_one_body)
{
	size_t n = frame(3, 0, SIZED, "one ", 4, zs), got, claim, most;

	n += frame(3, 0, 0, "", 0, zs + n);
	n += put_skippable(zs + n, 0, "not a part of it", 16);
	n += frame(19, 0, CHECKED, "two", 3, zs + n);
	cr_expect_eq(undo(bytes_of(zs, n), 7, &got), INFLATE_OK);
	cr_expect_eq(got, 7);
	cr_expect_eq(memcmp(out, "one two", 7), 0);
	cr_expect_eq(undo(bytes_of(zs, n), 6, &got), INFLATE_ROOM);
	cr_expect_eq(undo(bytes_of(zs, n), 3, &got), INFLATE_ROOM);
	cr_expect_eq(look(bytes_of(zs, n), 1000, &claim, &most, NULL), INFLATE_OK);
	cr_expect_eq(claim, 0, "one of them does not say its size");
}

Test(zstd, sizes_of_frames_that_all_say_theirs_are_summed)
{
	size_t n = frame(3, 0, SIZED, "one ", 4, zs), claim, most;

	n += put_skippable(zs + n, 15, "x", 1);
	n += frame(3, 0, SIZED, "two", 3, zs + n);
	cr_expect_eq(look(bytes_of(zs, n), 7, &claim, &most, NULL), INFLATE_OK);
	cr_expect_eq(claim, 7);
	cr_expect_eq(most, 7);
	cr_expect_eq(look(bytes_of(zs, n), 6, &claim, &most, NULL), INFLATE_ROOM);
}

Test(zstd, skippable_frames_hold_nothing_wherever_they_are)
{
	size_t n = put_skippable(zs, 0, "", 0), got, claim, most;

	for (unsigned kind = 1; kind < 16; kind++)
		n += put_skippable(zs + n, kind, "content", 7);
	cr_expect_eq(undo(bytes_of(zs, n), 0, &got), INFLATE_OK);
	cr_expect_eq(got, 0);
	cr_expect_eq(look(bytes_of(zs, n), 0, &claim, &most, NULL), INFLATE_OK);
	cr_expect_eq(most, 0);
	refused(bytes_of(zs, n - 1), "truncated data");
	put_skippable(zs, 0, "", 0);
	memset(zs + 4, 0xff, 4); /* 4 GiB to skip */
	refused(bytes_of(zs, n), "truncated data");
}

/* P8, F43 */
Test(zstd, one_byte_behind_a_frame_and_every_truncation_is_refused)
{
	size_t got;

	fill();
	for (int flags = 0; flags <= (SIZED | CHECKED); flags++) {
		size_t n = frame(3, 0, flags, plain, 3000, zs);

		cr_expect_eq(undo(bytes_of(zs, n), 3000, &got), INFLATE_OK);
		for (size_t i = 1; i < n; i++)
			refused(bytes_of(zs, i), "truncated data");
		zs[n] = 0;
		refused(bytes_of(zs, n + 1), "truncated data");
		memcpy(zs + n, "trailing bytes", 14);
		refused(bytes_of(zs, n + 14), "no frame");
	}
}

Test(zstd, a_false_checksum_is_refused)
{
	size_t n = frame(3, 0, CHECKED, "text", 4, zs), got;

	zs[n - 1] ^= 1;
	cr_expect_eq(undo(bytes_of(zs, n), 100, &got), INFLATE_CORRUPT);
}

Test(zstd, no_flipped_bit_of_a_checked_frame_gives_another_text)
{
	static const char text[] = "some text, some text, some other text";
	size_t n = frame(3, 0, SIZED | CHECKED, text, 37, zs), got;

	for (size_t bit = 0; bit < n * 8; bit++) {
		enum inflate_result r;

		zs[bit / 8] ^= 1 << bit % 8;
		r = undo(bytes_of(zs, n), 1000, &got);
		/* the flag of the checksum is no part of what is checked, and then it lies behind
		 */
		cr_expect(r != INFLATE_OK || got == 0 || (got == 37 && !memcmp(out, text, 37)),
		          "bit %zu", bit);
		zs[bit / 8] ^= 1 << bit % 8;
	}
}

/* F42: RFC 9659 */
Test(zstd, a_window_of_8_mib_is_taken_and_one_beyond_is_refused)
{
	static const uint8_t one_raw_byte[] = { 1 << 3 | 1, 0, 0, 'x' };
	struct bytes blocks = bytes_of(one_raw_byte, sizeof(one_raw_byte));
	size_t got;

	for (unsigned descriptor = 0; descriptor < 256; descriptor++) {
		const uint8_t head[] = { 0, (uint8_t)descriptor };
		struct bytes in = by_hand(bytes_of(head, sizeof(head)), blocks);

		if (descriptor <= 13 << 3) /* 2^(10 + 13) */
			cr_expect_eq(undo(in, 1, &got), INFLATE_OK, "%u", descriptor);
		else
			refused(in, "a window over 8 MiB");
	}
}

Test(zstd, a_window_of_2_to_31_by_libzstd_is_refused)
{
	static uint8_t zeros[300000];
	size_t n;
	ZSTD_CCtx *c = ZSTD_createCCtx();
	ZSTD_outBuffer to = { zs, sizeof(zs), 0 };
	ZSTD_inBuffer from = { zeros, sizeof(zeros), 0 };

	/* streamed, or libzstd takes a smaller one for so little */
	ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, 24);
	n = ZSTD_compressStream2(c, &to, &from, ZSTD_e_flush);
	cr_assert_not(ZSTD_isError(n));
	n = ZSTD_compressStream2(c, &to, &from, ZSTD_e_end);
	cr_assert_eq(n, 0);
	ZSTD_freeCCtx(c);
	refused(bytes_of(zs, to.pos), "a window over 8 MiB");
	zs[5] = 21 << 3; /* 2^31: the compressor would need as much */
	refused(bytes_of(zs, to.pos), "a window over 8 MiB");
}

/* Its size is its window then. */
Test(zstd, a_single_segment_over_8_mib_is_refused)
{
	enum { BLOCKS = 8 * MIB / BLOCK_MAX };
	uint8_t head[] = { 0x20 | 2 << 6, 0, 0, 0x80, 0 }, blocks[(BLOCKS + 1) * 4];
	size_t claim, most;

	for (unsigned i = 0; i <= BLOCKS; i++) {
		uint32_t b = block(BLOCK_RLE, i < BLOCKS ? BLOCK_MAX : 0, i == BLOCKS);

		memcpy(blocks + 4 * i,
		       (uint8_t[]){ (uint8_t)b, (uint8_t)(b >> 8), (uint8_t)(b >> 16), 'x' }, 4);
	}
	cr_expect_eq(look(by_hand(bytes_of(head, sizeof(head)), bytes_of(blocks, sizeof(blocks))),
	                  64 * MIB, &claim, &most, NULL),
	             INFLATE_OK);
	cr_expect_eq(claim, 8 * MIB);
	head[1] = 1;
	refused(by_hand(bytes_of(head, sizeof(head)), bytes_of(blocks, sizeof(blocks))),
	        "a window over 8 MiB");
}

/* The size that a frame says is true, or the frame is corrupt, whatever the room. */
Test(zstd, a_size_that_lies_is_refused)
{
	static const int lies[] = { -250, -1, 1, 100 };
	size_t n = frame(3, 0, SIZED, memset(plain, 'x', 1000), 1000, zs), got;

	cr_assert_eq(zs[4], 0x60, "a single segment, 2 bytes of size");
	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		unsigned said = (unsigned)(1000 + lies[i]) - 256;

		zs[5] = (uint8_t)said;
		zs[6] = (uint8_t)(said >> 8);
		for (size_t room = 0; room < 3000; room += 999)
			cr_expect_eq(undo(bytes_of(zs, n), room, &got),
			             room < said + 256 ? INFLATE_ROOM : INFLATE_CORRUPT,
			             "%u in %zu", said + 256, room);
	}
}

Test(zstd, a_size_that_the_blocks_cannot_have_is_refused_at_once)
{
	static const char lie[] = "a size that its blocks cannot have";
	static const uint8_t raw[] = { 2 << 3 | 1, 0, 0, 'x', 'y' };
	struct bytes blocks = bytes_of(raw, sizeof(raw));
	size_t got;

	cr_expect_eq(undo(by_hand(BYTES("\x20\x02"), blocks), 2, &got), INFLATE_OK);
	refused(by_hand(BYTES("\x20\x03"), blocks), lie);
	refused(by_hand(BYTES("\xc0\x50\xff\xff\xff\xff\xff\xff\xff\xff"), blocks), lie);
	refused(by_hand(BYTES("\x80\x50\x01\0\0\0"), blocks), lie);
	refused(by_hand(BYTES("\x80\x50\0\0\0\xff"), blocks), lie);
}

/* P7, F42: 4 bytes of a block are 128 KiB, and it shows */
Test(zstd, what_raw_and_repeating_blocks_give_is_known_before_any_memory_is_spent)
{
	uint8_t blocks[400 * 4];
	struct bytes in;
	size_t claim, most, got;

	for (unsigned i = 0; i < 400; i++) {
		uint32_t b = block(BLOCK_RLE, BLOCK_MAX, i == 399);

		memcpy(blocks + 4 * i,
		       (uint8_t[]){ (uint8_t)b, (uint8_t)(b >> 8), (uint8_t)(b >> 16), 'x' }, 4);
	}
	in = by_hand(BYTES("\0\x50"), bytes_of(blocks, sizeof(blocks)));
	cr_expect_eq(look(in, 400 * BLOCK_MAX, &claim, &most, NULL), INFLATE_OK);
	cr_expect_eq(claim, 0);
	cr_expect_eq(most, 400 * BLOCK_MAX);
	cr_expect_eq(look(in, 400 * BLOCK_MAX - 1, &claim, &most, NULL), INFLATE_ROOM);
	cr_expect_eq(undo(in, 3 * BLOCK_MAX, &got), INFLATE_ROOM);
}

/* P7, F42: what compressed blocks give shows when it is written */
Test(zstd, a_bomb_stops_at_the_room_it_was_given)
{
	static uint8_t text[8 << 20];
	size_t got, claim, most;

	for (int flags = 0; flags <= SIZED; flags++) {
		size_t n;

		for (size_t i = 0; i < sizeof(text); i++)
			text[i] = "the same line again\n"[i % 20];
		n = frame(19, 0, flags, text, sizeof(text), zs);
		cr_expect_lt(n, 2000);
		cr_expect_eq(undo(bytes_of(zs, n), 100000, &got), INFLATE_ROOM);
		cr_expect_eq(look(bytes_of(zs, n), sizeof(text) - 1, &claim, &most, NULL),
		             flags ? INFLATE_ROOM : INFLATE_OK);
	}
}

/* A frame's size, its window and its blocks are bounded, and so is the decoder. */
Test(zstd, no_frame_makes_the_decoder_grow)
{
	size_t before = ZSTD_sizeof_DCtx(z->dctx), n, got;

	cr_expect_lt(before, 200 * KIB);
	fill();
	for (int level = 1; level <= 22; level += 3)
		for (int flags = 0; flags <= SIZED; flags++) {
			n = frame(level, level > 19 ? 23 : 0, flags, plain, 600000, zs);
			cr_expect_eq(undo(bytes_of(zs, n), 600000, &got), INFLATE_OK);
		}
	zs[n / 2] ^= 0xff;
	cr_expect_neq(undo(bytes_of(zs, n), 600000, &got), INFLATE_ROOM);
	cr_expect_eq(ZSTD_sizeof_DCtx(z->dctx), before);
}

Test(zstd, a_block_over_what_its_window_allows_is_refused)
{
	static const char why[] = "a block that is too large";
	static uint8_t large[BLOCK_MAX + 10];
	uint32_t b = block(BLOCK_RAW, BLOCK_MAX + 1, true);

	memcpy(large, (uint8_t[]){ (uint8_t)b, (uint8_t)(b >> 8), (uint8_t)(b >> 16) }, 3);
	refused(by_hand(BYTES("\0\x50"), bytes_of(large, sizeof(large))), why);
	b = block(BLOCK_RLE, 1025, true);
	memcpy(large, (uint8_t[]){ (uint8_t)b, (uint8_t)(b >> 8), (uint8_t)(b >> 16) }, 3);
	refused(by_hand(BYTES("\0\0"), bytes_of(large, 4)), why); /* a window of 1 KiB */
}

Test(zstd, what_is_reserved_or_wants_a_dictionary_is_refused)
{
	refused(by_hand(BYTES("\x08\x50"), BYTES("\x01\0\0")), "a reserved bit is set");
	refused(by_hand(BYTES("\0\x50"), BYTES("\x07\0\0")), "a block of a reserved type");
	refused(by_hand(BYTES("\x01\x50\x07"), BYTES("\x01\0\0")),
	        "a frame that wants a dictionary");
	refused(by_hand(BYTES("\x03\x50\0\0\0\x01"), BYTES("\x01\0\0")),
	        "a frame that wants a dictionary");
}

/* The formats before 1.0, which libzstd can be built to read, and what is none at all. */
Test(zstd, only_frames_of_the_standard_are_frames)
{
	for (uint8_t version = 0x1e; version <= 0x29; version++) {
		const uint8_t old[] = { version, 0xb5, 0x2f, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0 };

		if (version != 0x28)
			refused(bytes_of(old, sizeof(old)), "no frame");
	}
	refused(BYTES("\x0a\x10 plain text"), "no frame");
	refused(BYTES("\x1f\x8b\x08\0\0\0\0\0"), "no frame");
}

/* n blocks of a type and size, zeros inside, in frames of `per` each. */
static struct bytes frames_of(uint8_t *room, enum block type, size_t size, size_t n, size_t per)
{
	uint8_t *p = room;

	for (size_t i = 0; i < n; i++) {
		uint32_t b = block(type, (uint32_t)size, i % per == per - 1 || i == n - 1);

		if (i % per == 0)
			p = mempcpy(p, "\x28\xb5\x2f\xfd\0\x50", 6);
		p = mempcpy(p, (uint8_t[]){ (uint8_t)b, (uint8_t)(b >> 8), (uint8_t)(b >> 16) }, 3);
		p = (uint8_t *)memset(p, 0, type == BLOCK_RLE ? 1 : size) +
		    (type == BLOCK_RLE ? 1 : size);
	}
	return bytes_of(room, (size_t)(p - room));
}

static void expect_bound(struct bytes in, const char *reason)
{
	size_t claim = 4711, most = 4711;
	const char *why = NULL;
	enum inflate_result r = zstd_look(in, 64 * MIB, &claim, &most, &why);

	cr_expect_eq(r, reason ? INFLATE_CORRUPT : INFLATE_OK);
	cr_expect_str_eq(why ? why : "", reason ? reason : "");
}

/* B20: 64 MiB of the least blocks with tables of their own held a worker for 14 s. */
Test(zstd, blocks_with_tables_are_counted_before_any_is_decoded)
{
	static const char why[] = "more than 16384 compressed blocks";
	uint8_t *room = xcalloc(16 * MIB, 1);
	size_t most = COMPRESSED_MAX;

	expect_bound(frames_of(room, BLOCK_COMPRESSED, 13, most, SIZE_MAX), NULL);
	expect_bound(frames_of(room, BLOCK_COMPRESSED, 13, most + 1, SIZE_MAX), why);
	expect_bound(frames_of(room, BLOCK_COMPRESSED, 13, most + 1, 7), why);
	expect_bound(frames_of(room, BLOCK_RAW, 13, most + 1, SIZE_MAX), NULL);
	free(room);
}

Test(zstd, frames_and_blocks_of_nothing_are_counted_together)
{
	static const char why[] = "more than 1048576 frames and blocks";
	uint8_t *room = xcalloc(16 * MIB, 1);
	size_t most = HEADS_MAX;

	expect_bound(frames_of(room, BLOCK_RAW, 0, most - 1, SIZE_MAX), NULL); /* and one frame */
	expect_bound(frames_of(room, BLOCK_RAW, 0, most, SIZE_MAX), why);
	expect_bound(frames_of(room, BLOCK_RLE, 1, most, SIZE_MAX), why);
	expect_bound(frames_of(room, BLOCK_RAW, 0, most / 2, 1), NULL);
	expect_bound(frames_of(room, BLOCK_RAW, 0, most / 2 + 1, 1), why);
	for (size_t i = 0; i <= most; i++)
		memcpy(room + 8 * i, "\x50\x2a\x4d\x18\0\0\0\0", 8);
	expect_bound(bytes_of(room, 8 * most), NULL);
	expect_bound(bytes_of(room, 8 * (most + 1)), why);
	free(room);
}
