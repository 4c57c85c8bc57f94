/* SPDX-License-Identifier: Apache-2.0 */
/*
 * codecs.c -- B20 of performance.md, its codecs: the milliseconds that a worker spends while one
 * compressed body is undone, for bodies made to be dear and not large: blocks, members
 * and frames of almost nothing, each with tables of its own. One JSON line for each. Usage: codecs
 * [name]
 */
#include <libdeflate.h>
#include <stdio.h>
#include <time.h>
#include <zstd.h>

#include "proto/encoding.h"

enum { WIRE = 64 * MIB, LIMIT = 64 * MIB, ROUNDS = 2 };

struct out {
	uint8_t *p;
	size_t n;
	uint64_t bits; /* that are not a byte yet */
	unsigned bits_n;
};

static void put(struct out *o, const void *p, size_t n)
{
	assert(o->n + n <= WIRE);
	memcpy(o->p + o->n, p, n);
	o->n += n;
}

static void repeat(struct out *o, const void *p, size_t n, size_t spare)
{
	while (o->n + n + spare <= WIRE)
		put(o, p, n);
}

/* ---- deflate ---- */

static void put_bits(struct out *o, uint64_t value, unsigned n)
{
	o->bits |= value << o->bits_n;
	for (o->bits_n += n; o->bits_n >= 8; o->bits_n -= 8, o->bits >>= 8)
		o->p[o->n++] = (uint8_t)o->bits;
}

static void last_block(struct out *o)
{
	put_bits(o, 3, 3); /* final, fixed codes */
	put_bits(o, 0, 7); /* end of block */
	put_bits(o, 0, (8 - o->bits_n) % 8);
}

static void fixed_empty(struct out *o)
{
	put_bits(o, 2, 3);
	put_bits(o, 0, 7);
}

/* 257 codes, of which one is used, in the fewest bits: 0 x 138, 0 x 118, 1; then 0. */
static void dynamic_empty(struct out *o)
{
	static const uint8_t order[] = { 16, 17, 18, 0,  8, 7,  9, 6,  10,
		                         5,  11, 4,  12, 3, 13, 2, 14, 1 };

	put_bits(o, 4, 3);
	put_bits(o, 0, 5); /* 257 */
	put_bits(o, 0, 5); /* 1 */
	put_bits(o, sizeof(order) - 4, 4);
	for (size_t i = 0; i < sizeof(order); i++) /* canonical: 0 is 10, 1 is 11, 18 is 0 */
		put_bits(o, order[i] == 18 ? 1 : order[i] <= 1 ? 2 : 0, 3);
	put_bits(o, 0, 1);
	put_bits(o, 138 - 11, 7);
	put_bits(o, 0, 1);
	put_bits(o, 118 - 11, 7);
	put_bits(o, 3, 2); /* 256 has a code of 1 bit */
	put_bits(o, 1, 2); /* no distance */
	put_bits(o, 0, 1); /* end of block */
}

/* 286 codes of 8 and 9 bits. */
static void dynamic_full(struct out *o)
{
	static const uint8_t order[] = { 16, 17, 18, 0, 8, 7, 9 };

	put_bits(o, 4, 3);
	put_bits(o, 29, 5);
	put_bits(o, 0, 5);
	put_bits(o, sizeof(order) - 4, 4);
	for (size_t i = 0; i < sizeof(order); i++) /* 0: 100, 8: 101, 9: 110, 16: 0, 17: 111 */
		put_bits(o, order[i] == 16 ? 1 : order[i] == 18 || order[i] == 7 ? 0 : 3, 3);
	put_bits(o, 5, 3); /* 8 */
	for (unsigned i = 0; i < 37; i++)
		put_bits(o, 3 << 1, 3); /* 16: six more: 223 */
	put_bits(o, 0 << 1, 3); /* three more: 226 */
	put_bits(o, 3, 3); /* 9 (110 reversed) */
	for (unsigned i = 0; i < 9; i++)
		put_bits(o, 3 << 1, 3); /* 281 */
	put_bits(o, 2 << 1, 3); /* 286 */
	put_bits(o, 1, 3); /* a distance: 0 */
	/* 256 is the 31st of 9 bits: 226 + 30; its code is 0x1c4 + 30 = 0x1e2, reversed 0x08f */
	put_bits(o, 0x08f, 9);
}

static void make_stored(struct out *o)
{
	repeat(o, "\0\0\0\xff\xff", 5, 16);
	last_block(o);
}

static void make_fixed(struct out *o)
{
	while (o->n + 64 < WIRE)
		fixed_empty(o);
	last_block(o);
}

static void make_dynamic(struct out *o)
{
	while (o->n + 64 < WIRE)
		dynamic_empty(o);
	last_block(o);
}

static void make_dynamic_full(struct out *o)
{
	while (o->n + 128 < WIRE)
		dynamic_full(o);
	last_block(o);
}

static void make_mixed(struct out *o)
{
	while (o->n + 64 < WIRE) {
		dynamic_empty(o);
		fixed_empty(o);
	}
	last_block(o);
}

/* The largest body whose blocks are not counted. */
static void make_mixed_uncounted(struct out *o)
{
	while (o->n + 64 < 384 * KIB) {
		dynamic_empty(o);
		fixed_empty(o);
	}
	last_block(o);
}

/* ---- gzip ---- */

static const uint8_t gzip_head[10] = { 0x1f, 0x8b, 8 };

static void make_members(struct out *o)
{
	uint8_t member[20] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0, 3 };

	repeat(o, member, sizeof(member), 0);
}

static void make_gzip_mixed(struct out *o)
{
	put(o, gzip_head, sizeof(gzip_head));
	make_mixed(o);
	o->n -= o->n + 8 > WIRE ? 8 : 0;
	put(o, "\0\0\0\0\0\0\0\0", 8);
}

/* ---- zstd ---- */

#define ZSTD_HEAD "\x28\xb5\x2f\xfd\x00\x68" /* a window of 8 MiB */

static void make_raw_blocks(struct out *o)
{
	put(o, ZSTD_HEAD, 6);
	repeat(o, "\0\0\0", 3, 3);
	put(o, "\1\0\0", 3);
}

static void make_rle_blocks(struct out *o)
{
	put(o, ZSTD_HEAD, 6);
	repeat(o, "\x0a\0\0x", 4, 3);
	put(o, "\1\0\0", 3);
}

static void make_frames(struct out *o)
{
	repeat(o, "\x28\xb5\x2f\xfd\x20\x00\x01\x00\x00", 9, 0);
}

static void make_skippable(struct out *o)
{
	repeat(o, "\x50\x2a\x4d\x18\0\0\0\0", 8, 0);
}

/* Blocks of one sequence with three tables of 512, 256 and 512 states, of one symbol each; and a
 * history for it to copy 3 bytes of. */
static void make_tables(struct out *o)
{
	static const uint8_t block[] = {
		13 << 3 | 4, 0,    0, 0x00, /* no literals */
		0x01,        0xa8, /* a sequence, three FSE tables */
		0xf4,        0x3f, /* 512 states, all of one symbol */
		0xf3,        0x1f, /* 256 states, the same */
		0xf4,        0x3f, 0, 0,    0, 0x04
	}; /* 26 bits of states, a mark */

	put(o, ZSTD_HEAD, 6);
	put(o, "\x80\0\0abcdefghijklmnop", 19);
	repeat(o, block, sizeof(block), 3);
	put(o, "\1\0\0", 3);
}

/* ---- snappy ---- */

static void make_copies(struct out *o) /* of 1 byte each, from 65535 back */
{
	static uint8_t block[65536];
	size_t most = (size_t)WIRE, n = sizeof(block) + (most - sizeof(block) - 64) / 3;
	uint8_t length[10];
	size_t k = 0;

	for (; n >= 0x80; n >>= 7)
		length[k++] = (uint8_t)(n | 0x80);
	length[k++] = (uint8_t)n;
	put(o, length, k);
	put(o, "\xf4\xff\xff", 3); /* a literal of 65536 */
	put(o, block, sizeof(block));
	n = sizeof(block) + (most - sizeof(block) - 64) / 3;
	for (size_t i = sizeof(block); i < n; i++)
		put(o, "\x02\xff\xff", 3);
}

static void make_overlaps(struct out *o) /* 4 bytes each, from 1..7 back */
{
	size_t n = LIMIT;
	uint8_t length[10];
	size_t k = 0, done = 8;

	for (; n >= 0x80; n >>= 7)
		length[k++] = (uint8_t)(n | 0x80);
	length[k++] = (uint8_t)n;
	put(o, length, k);
	put(o,
	    "\x1c"
	    "abcdefgh",
	    9);
	for (; done < LIMIT; done += 4)
		put(o, "\x01\x03", 2);
}

/* ---- what honest senders send: 64 MiB of log lines ---- */

static uint8_t *lines(void)
{
	uint8_t *p = xcalloc(LIMIT + 256, 1);
	uint32_t state = 1;
	size_t n = 0;

	for (unsigned i = 0; n < LIMIT; i++) {
		state = state * 1664525 + 1013904223;
		n += (size_t)sprintf(
			(char *)p + n,
			"2026-01-01T00:%02u:%02u.%06uZ INFO http GET /api/v1/cart/%u/items "
			"status=%u bytes=%u peer=10.0.%u.%u trace=%08x%08x\n",
			i / 60 % 60, i % 60, state >> 12, state >> 20, state & 64 ? 200u : 404u,
			state >> 18, state >> 8 & 255, state & 255, state * 2654435761u, i);
	}
	return p;
}

static void make_lines_gzip(struct out *o)
{
	struct libdeflate_compressor *c = libdeflate_alloc_compressor(6);
	uint8_t *p = lines();

	o->n = libdeflate_gzip_compress(c, p, LIMIT, o->p, WIRE);
	libdeflate_free_compressor(c);
	free(p);
}

static void make_lines_zstd(struct out *o)
{
	uint8_t *p = lines();

	o->n = ZSTD_compress(o->p, WIRE, p, LIMIT, 3);
	free(p);
}

/* ---- ---- */

static const struct bomb {
	const char *name;
	enum encoding coding;
	void (*make)(struct out *o);
} bombs[] = {
	{ "deflate, stored blocks", ENCODING_DEFLATE, make_stored },
	{ "deflate, fixed blocks", ENCODING_DEFLATE, make_fixed },
	{ "deflate, dynamic blocks", ENCODING_DEFLATE, make_dynamic },
	{ "deflate, dynamic blocks of 286 codes", ENCODING_DEFLATE, make_dynamic_full },
	{ "deflate, dynamic and fixed blocks", ENCODING_DEFLATE, make_mixed },
	{ "deflate, the same below 384 KiB", ENCODING_DEFLATE, make_mixed_uncounted },
	{ "gzip, members", ENCODING_GZIP, make_members },
	{ "gzip, dynamic and fixed blocks", ENCODING_GZIP, make_gzip_mixed },
	{ "zstd, raw blocks", ENCODING_ZSTD, make_raw_blocks },
	{ "zstd, RLE blocks", ENCODING_ZSTD, make_rle_blocks },
	{ "zstd, frames", ENCODING_ZSTD, make_frames },
	{ "zstd, skippable frames", ENCODING_ZSTD, make_skippable },
	{ "zstd, blocks with tables", ENCODING_ZSTD, make_tables },
	{ "snappy, copies of 1 byte", ENCODING_SNAPPY, make_copies },
	{ "snappy, copies that overlap", ENCODING_SNAPPY, make_overlaps },
	{ "gzip, honest lines", ENCODING_GZIP, make_lines_gzip },
	{ "zstd, honest lines", ENCODING_ZSTD, make_lines_zstd },
};

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* As worker/inflate.c does it. */
static const char *undo(struct inflater *inf, enum encoding e, struct bytes in, uint8_t *room,
                        size_t *n)
{
	size_t rooms[ENCODING_TRIES], tried = 0;
	const char *why = "";
	enum inflate_result result = encoding_look(e, in, LIMIT, rooms, &why);

	*n = 0;
	for (size_t i = 0; result == INFLATE_OK && i < ENCODING_TRIES; i++) {
		if (rooms[i] <= tried)
			continue;
		tried = rooms[i];
		result = encoding_inflate(inf, e, in, room, min_size(tried, LIMIT), n, &why);
		if (result != INFLATE_ROOM)
			break;
		result = INFLATE_OK;
	}
	return result == INFLATE_CORRUPT ? why : "";
}

int main(int argc, char **argv)
{
	struct inflater *inf = inflater_open();
	uint8_t *room = xcalloc(LIMIT + 64, 1);
	struct out o = { .p = xcalloc(WIRE + 64, 1) };

	memset(room, 1, LIMIT);
	for (size_t i = 0; i < ARRAY_LEN(bombs); i++) {
		const struct bomb *b = &bombs[i];
		const char *why = "";
		double best = 0;
		size_t n = 0;

		if (argc > 1 && !strstr(b->name, argv[1]))
			continue;
		o.n = o.bits_n = 0;
		o.bits = 0;
		b->make(&o);
		for (int r = 0; r < ROUNDS; r++) {
			double start = now_ms(), spent;

			why = undo(inf, b->coding, bytes_of(o.p, o.n), room, &n);
			spent = now_ms() - start;
			best = r && best < spent ? best : spent;
		}
		printf("{\"figure\":\"B20\",\"codec\":\"%s\",\"wire\":%zu,\"inflated\":%zu,\"ms\":%"
		       ".1f,"
		       "\"refused\":\"%s\"}\n",
		       b->name, o.n, n, best, why);
		fflush(stdout);
	}
	free(o.p);
	free(room);
	inflater_close(inf);
	return 0;
}
