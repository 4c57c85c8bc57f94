/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deflate.c -- see deflate.h. What is counted is decoded raw; head and trailer of its wrapping are
 * read here, as libdeflate reads them.
 */
#include "proto/deflate.h"

#include <libdeflate.h>
#include <zlib.h>

enum {
	/* libdeflate takes 150 ns for a byte of the worst there is, in up to three attempts; zlib
	 * twice its time for what is honest. */
	COUNT_FROM = 384 * KIB,
	/* Of one body, by weight: tables to build are up to 2 us of work, any other block is 20 ns.
	 * Encoders make about 64 dynamic blocks of a MiB, and one or two blocks for each flush. */
	WEIGHT_DYNAMIC = 32,
	WEIGHT_OTHER = 1,
	WEIGHT_MEMBER = 2,
	WEIGHT_MAX = 1 << 19,

	BLOCK_DYNAMIC = 2,
	/* what zlib tells in data_type */
	UNUSED_BITS = 63, /* of the byte before next_in */
	LAST_BLOCK = 64,
	BEHIND_BLOCK = 128,

	GZIP_HEAD = 10,
	GZIP_TRAILER = 8,
	GZIP_CRC_BYTES = 2, /* of the head: nobody checks it */
	ZLIB_HEAD = 2,
	ZLIB_TRAILER = 4,
};
enum { FLAG_CRC = 2, FLAG_EXTRA = 4, FLAG_NAME = 8, FLAG_COMMENT = 16, FLAGS_RESERVED = 0xe0 };

struct deflate {
	struct libdeflate_decompressor *fast;
	z_stream counted;
	size_t count_from;
	bool counts; /* the body at hand is large */
	uint32_t weight; /* of what was seen of it */
	uint8_t more; /* room for the byte that shows that there is one more */
};

struct deflate *deflate_open(void)
{
	struct deflate *d = xcalloc(1, sizeof(*d));

	d->fast = libdeflate_alloc_decompressor();
	if (!d->fast || inflateInit2(&d->counted, -MAX_WBITS) != Z_OK)
		out_of_memory();
	d->count_from = COUNT_FROM;
	return d;
}

void deflate_close(struct deflate *d)
{
	if (!d)
		return;
	libdeflate_free_decompressor(d->fast);
	inflateEnd(&d->counted);
	free(d);
}

void deflate_count_from(struct deflate *d, size_t bytes)
{
	d->count_from = bytes;
}

void deflate_begin(struct deflate *d, size_t bytes)
{
	d->counts = bytes >= d->count_from;
	d->weight = 0;
}

/* ---- libdeflate ---- */

static enum inflate_result fast(struct deflate *d, enum deflate_form form, struct bytes in,
                                uint8_t *out, size_t out_cap, size_t *took, size_t *gave)
{
	static enum libdeflate_result (*const run[])(struct libdeflate_decompressor *,
	                                             const void *in, size_t in_n, void *out,
	                                             size_t out_cap, size_t *took, size_t *gave) = {
		[DEFLATE_RAW] = libdeflate_deflate_decompress_ex,
		[DEFLATE_ZLIB] = libdeflate_zlib_decompress_ex,
		[DEFLATE_GZIP] = libdeflate_gzip_decompress_ex,
	};

	switch ((int)run[form](d->fast, in.p, in.n, out, out_cap, took, gave)) {
	case LIBDEFLATE_SUCCESS:
		return INFLATE_OK;
	case LIBDEFLATE_INSUFFICIENT_SPACE:
		return INFLATE_ROOM;
	default:
		return INFLATE_CORRUPT;
	}
}

/* ---- zlib ---- */

static bool weigh(struct deflate *d, uint32_t weight, const char **why)
{
	d->weight += weight;
	if (d->weight <= WEIGHT_MAX)
		return true;
	*why = "too many blocks for one body";
	return false;
}

/* Of the block whose head is next: bits left over from the last byte, then those of the next one.
 * What is not there zlib misses too. */
static bool weigh_block(struct deflate *d, const char **why)
{
	const z_stream *s = &d->counted;
	unsigned unused = (unsigned)s->data_type & UNUSED_BITS, head = 0;

	if (unused)
		head = s->next_in[-1] >> (8 - unused);
	if (s->avail_in)
		head |= (unsigned)s->next_in[0] << unused;
	return weigh(d, (head >> 1 & 3) == BLOCK_DYNAMIC ? WEIGHT_DYNAMIC : WEIGHT_OTHER, why);
}

/* zlib stands still: for want of room if it has a byte more to write, else of input. */
static enum inflate_result stuck(struct deflate *d)
{
	z_stream *s = &d->counted;

	if (s->avail_out)
		return INFLATE_CORRUPT;
	s->next_out = &d->more;
	s->avail_out = 1;
	inflate(s, Z_BLOCK);
	return s->avail_out ? INFLATE_CORRUPT : INFLATE_ROOM;
}

static enum inflate_result raw(struct deflate *d, struct bytes in, uint8_t *out, size_t out_cap,
                               size_t *took, size_t *gave, const char **why)
{
	z_stream *s = &d->counted;
	int rc;

	inflateReset(s);
	s->data_type = 0;
	s->next_in = (Bytef *)(uintptr_t)in.p;
	s->avail_in = (uInt)in.n; /* limits.inflated is at most 1 GiB, and what is on the wire */
	s->next_out = out;
	s->avail_out = (uInt)out_cap;
	do {
		if (!(s->data_type & LAST_BLOCK) && !weigh_block(d, why))
			return INFLATE_CORRUPT;
		rc = inflate(s, Z_BLOCK);
	} while (rc == Z_OK && s->data_type & BEHIND_BLOCK);
	if (rc == Z_MEM_ERROR)
		out_of_memory();
	if (rc == Z_OK || rc == Z_BUF_ERROR)
		return stuck(d);
	if (rc != Z_STREAM_END)
		return INFLATE_CORRUPT;
	*took = in.n - s->avail_in;
	*gave = out_cap - s->avail_out;
	return INFLATE_OK;
}

static uint32_t little_endian(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Behind a text that ends with a 0, or SIZE_MAX. */
static size_t behind_text(struct bytes in, size_t at)
{
	const uint8_t *zero = at < in.n ? memchr(in.p + at, 0, in.n - at) : NULL;

	return zero ? (size_t)(zero - in.p) + 1 : SIZE_MAX;
}

/* RFC 1952 2.3: bytes of the head, SIZE_MAX: it is none. */
static size_t gzip_head(struct bytes in)
{
	size_t at = GZIP_HEAD;
	uint8_t flags;

	if (in.n < GZIP_HEAD + GZIP_TRAILER || memcmp(in.p, "\x1f\x8b\x08", 3) != 0)
		return SIZE_MAX;
	flags = in.p[3];
	if (flags & FLAGS_RESERVED)
		return SIZE_MAX;
	if (flags & FLAG_EXTRA)
		at += 2 + (in.p[at] | (size_t)in.p[at + 1] << 8);
	if (flags & FLAG_NAME)
		at = behind_text(in, at);
	if (flags & FLAG_COMMENT)
		at = behind_text(in, at);
	if (flags & FLAG_CRC && at < in.n)
		at += GZIP_CRC_BYTES;
	return at;
}

/* RFC 1950 2.2, without a dictionary. */
static size_t zlib_head(struct bytes in)
{
	if (in.n < ZLIB_HEAD + ZLIB_TRAILER || (in.p[0] & 15) != Z_DEFLATED || in.p[0] >> 4 > 7 ||
	    (in.p[0] * 256 + in.p[1]) % 31 != 0 || in.p[1] & 0x20)
		return SIZE_MAX;
	return ZLIB_HEAD;
}

static bool is_true(enum deflate_form form, const uint8_t *trailer, const uint8_t *out, size_t n)
{
	switch (form) {
	case DEFLATE_RAW:
		return true;
	case DEFLATE_ZLIB:
		return libdeflate_adler32(1, out, n) == __builtin_bswap32(little_endian(trailer));
	case DEFLATE_GZIP:
		return libdeflate_crc32(0, out, n) == little_endian(trailer) &&
		       (uint32_t)n == little_endian(trailer + 4);
	}
	assert(!"a form");
	return false;
}

static enum inflate_result counted(struct deflate *d, enum deflate_form form, struct bytes in,
                                   uint8_t *out, size_t out_cap, size_t *took, size_t *gave,
                                   const char **why)
{
	static const size_t trailers[] = { 0, ZLIB_TRAILER, GZIP_TRAILER };
	size_t head = form == DEFLATE_GZIP   ? gzip_head(in)
	              : form == DEFLATE_ZLIB ? zlib_head(in)
	                                     : 0;
	size_t trailer = trailers[form], n = 0, written = 0;
	enum inflate_result result;

	if (head > in.n || in.n - head < trailer || !weigh(d, WEIGHT_MEMBER, why))
		return INFLATE_CORRUPT;
	result = raw(d, bytes_of(in.p + head, in.n - head - trailer), out, out_cap, &n, &written,
	             why);
	if (result != INFLATE_OK)
		return result;
	if (!is_true(form, in.p + head + n, out, written))
		return INFLATE_CORRUPT;
	*took = head + n + trailer;
	*gave = written;
	return INFLATE_OK;
}

enum inflate_result deflate_member(struct deflate *d, enum deflate_form form, struct bytes in,
                                   uint8_t *out, size_t out_cap, size_t *took, size_t *gave,
                                   const char **why)
{
	if (d->counts)
		return counted(d, form, in, out, out_cap, took, gave, why);
	return fast(d, form, in, out, out_cap, took, gave);
}
