/* SPDX-License-Identifier: Apache-2.0 */
/*
 * zstd.c -- walks the heads of frames and blocks itself: they bound the output from both sides
 * before a byte of it is written, they show a window or a size that cannot be, and no frame of the
 * formats before 1.0, which libzstd may still read, gets to it.
 */
#include "proto/zstd.h"

#include <stdio.h>
#include <zstd.h>
#include <zstd_errors.h>

enum {
	MAGIC_BYTES = 4,
	BLOCK_HEAD_BYTES = 3,
	BLOCK_MAX = 128 * KIB, /* of output; less if the window is smaller */
	CHECKSUM_BYTES = 4,
	/* Of one body: a block of 16 bytes may hold three tables to build, 3.5 us of work. What is
	 * compressed as a whole needs 8 blocks for a MiB. */
	COMPRESSED_MAX = 16384,
	HEADS_MAX = 1 << 20, /* frames and blocks of any kind: at most 60 ns each */
};
static const uint32_t MAGIC = 0xfd2fb528, MAGIC_SKIP = 0x184d2a50, MAGIC_SKIP_MASK = 0xfffffff0;
static const char *const truncated = "truncated data";

enum block { BLOCK_RAW, BLOCK_RLE, BLOCK_COMPRESSED, BLOCK_RESERVED };

struct zstd {
	ZSTD_DCtx *dctx;
};

struct frame {
	size_t n; /* bytes of input */
	bool skip; /* holds no output */
	bool sized; /* says its content's size, which is least and most then */
	uint64_t least, most; /* bytes of output */
	size_t heads, compressed; /* blocks, the frame itself among the heads */
};

/* A cursor with a sticky error: after it everything is 0 and nothing moves. */
struct reader {
	struct bytes in;
	size_t at;
	const char *why;
};

struct zstd *zstd_open(void)
{
	struct zstd *z = xcalloc(1, sizeof(*z));

	z->dctx = ZSTD_createDCtx();
	if (!z->dctx)
		out_of_memory();
	return z;
}

void zstd_close(struct zstd *z)
{
	if (!z)
		return;
	ZSTD_freeDCtx(z->dctx);
	free(z);
}

void zstd_version(char *out, size_t cap)
{
	snprintf(out, cap, "%s (built with %s)", ZSTD_versionString(), ZSTD_VERSION_STRING);
}

static void skip(struct reader *r, uint64_t n)
{
	if (r->why)
		return;
	if (n > r->in.n - r->at)
		r->why = truncated;
	else
		r->at += n;
}

static uint64_t little_endian(struct reader *r, size_t n)
{
	const uint8_t *p = r->in.p + r->at;
	uint64_t value = 0;

	skip(r, n);
	if (r->why)
		return 0;
	for (size_t i = 0; i < n; i++)
		value |= (uint64_t)p[i] << (8 * i);
	return value;
}

/* RFC 8878 3.1.1.1.2: an exponent and eighths. */
static uint64_t window_of(uint8_t descriptor)
{
	uint64_t base = 1024ull << (descriptor >> 3);

	return base + base / 8 * (descriptor & 7);
}

/* RFC 8878 3.1.1.1, behind the magic. Returns the window. */
static uint64_t read_head(struct reader *r, struct frame *f, bool *checksum)
{
	static const uint8_t id_bytes[] = { 0, 1, 2, 4 }, size_bytes[] = { 0, 2, 4, 8 };
	unsigned descriptor = (unsigned)little_endian(r, 1);
	bool single = descriptor >> 5 & 1;
	size_t n = size_bytes[descriptor >> 6];
	uint64_t window = 0, size;

	if (descriptor >> 3 & 1)
		r->why = "a reserved bit is set";
	if (!single)
		window = window_of((uint8_t)little_endian(r, 1));
	if (little_endian(r, id_bytes[descriptor & 3]))
		r->why = "a frame that wants a dictionary";
	if (single && n == 0)
		n = 1;
	size = little_endian(r, n) + (n == 2 ? 256 : 0);
	f->sized = n > 0;
	f->least = f->most = f->sized ? size : 0;
	*checksum = descriptor >> 2 & 1;
	return single ? size : window;
}

/* Adds what one block gives; true: it is the last one. */
static bool read_block(struct reader *r, struct frame *f, uint64_t block_max, uint64_t *least,
                       uint64_t *most)
{
	uint32_t head = (uint32_t)little_endian(r, BLOCK_HEAD_BYTES), n = head >> 3;
	enum block type = (enum block)(head >> 1 & 3);

	f->heads++;
	if (n > block_max)
		r->why = "a block that is too large";
	switch (type) {
	case BLOCK_RAW:
	case BLOCK_RLE:
		*least += n;
		*most += n;
		skip(r, type == BLOCK_RAW ? n : 1);
		break;
	case BLOCK_COMPRESSED:
		*most += block_max;
		f->compressed++;
		skip(r, n);
		break;
	case BLOCK_RESERVED:
		r->why = "a block of a reserved type";
		break;
	}
	return head & 1;
}

static void read_blocks(struct reader *r, struct frame *f)
{
	bool checksum, last = false;
	uint64_t window = read_head(r, f, &checksum), least = 0, most = 0;
	uint64_t block_max = window < BLOCK_MAX ? window : BLOCK_MAX;

	if (!r->why && window > ZSTD_WINDOW_MAX)
		r->why = "a window over 8 MiB";
	while (!last && !r->why)
		last = read_block(r, f, block_max, &least, &most);
	skip(r, checksum ? CHECKSUM_BYTES : 0);
	if (r->why)
		return;
	if (!f->sized) {
		f->least = least;
		f->most = most;
	} else if (f->least < least || f->most > most) {
		r->why = "a size that its blocks cannot have";
	}
}

/* The frame at the beginning of in. False, and *why: it is none. */
static bool frame_read(struct bytes in, struct frame *f, const char **why)
{
	struct reader r = { .in = in };
	uint32_t magic = (uint32_t)little_endian(&r, MAGIC_BYTES);

	*f = (struct frame){ .skip = (magic & MAGIC_SKIP_MASK) == MAGIC_SKIP, .heads = 1 };
	if (f->skip)
		skip(&r, little_endian(&r, 4));
	else if (magic == MAGIC)
		read_blocks(&r, f);
	else if (!r.why)
		r.why = "no frame";
	f->n = r.at;
	if (r.why)
		*why = r.why;
	return !r.why;
}

enum inflate_result zstd_look(struct bytes in, size_t limit, size_t *claim, size_t *most,
                              const char **why)
{
	uint64_t all_least = 0, all_most = 0;
	size_t heads = 0, compressed = 0;
	bool sized = true;

	/* neither sum wraps: a frame gives at most BLOCK_MAX for each 3 bytes of the input */
	for (size_t at = 0; at < in.n;) {
		struct frame f;

		if (!frame_read(bytes_of(in.p + at, in.n - at), &f, why))
			return INFLATE_CORRUPT;
		sized &= f.sized || f.skip;
		all_least += f.least;
		all_most += f.most;
		heads += f.heads;
		compressed += f.compressed;
		at += f.n;
	}
	if (all_least > limit)
		return INFLATE_ROOM;
	if (compressed > COMPRESSED_MAX || heads > HEADS_MAX) {
		*why = compressed > COMPRESSED_MAX ? "more than 16384 compressed blocks"
		                                   : "more than 1048576 frames and blocks";
		return INFLATE_CORRUPT;
	}
	*claim = sized ? all_least : 0;
	*most = all_most;
	return INFLATE_OK;
}

enum inflate_result zstd_inflate(struct zstd *z, struct bytes in, uint8_t *out, size_t out_cap,
                                 size_t *out_bytes, const char **why)
{
	size_t done = 0;

	for (size_t at = 0; at < in.n;) {
		struct frame f;
		size_t got, room = out_cap - done;

		if (!frame_read(bytes_of(in.p + at, in.n - at), &f, why))
			return INFLATE_CORRUPT;
		if (f.most < room)
			room = f.most;
		got = f.skip ? 0 : ZSTD_decompressDCtx(z->dctx, out + done, room, in.p + at, f.n);
		if (!ZSTD_isError(got)) {
			done += got;
			at += f.n;
			continue;
		}
		/* room for all that a valid frame holds is never too small */
		if (ZSTD_getErrorCode(got) == ZSTD_error_dstSize_tooSmall && room < f.most)
			return INFLATE_ROOM;
		*why = "corrupt data, or a false checksum or size";
		return INFLATE_CORRUPT;
	}
	*out_bytes = done;
	return INFLATE_OK;
}
