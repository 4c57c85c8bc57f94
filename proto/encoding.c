/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encoding.c -- the table of content codings and their whole-buffer decoders. What a header claims
 * (ISIZE) is only a first guess; what counts is the output that a decoder could write.
 */
#include "proto/encoding.h"

#include <libdeflate.h>
#include <snappy-c.h>

enum {
	GUESS_MIN = 64,
	GUESS_RATIO = 16, /* honest telemetry gzips at 4:1 to 12:1 */
	GZIP_MIN = 18, /* header and trailer; a smaller body has no ISIZE */
	GZIP_ISIZE_BYTES = 4,
	SNAPPY_RATIO = 22, /* the format's maximum is 64 bytes of output for 3 of input */
	SNAPPY_SLACK = 64, /* faults.md 6 */
};

struct inflater {
	struct libdeflate_decompressor *deflate;
};

static const struct coding {
	const char *name;
	const char *alias; /* NULL: none */
} codings[ENCODING_COUNT] = {
	[ENCODING_IDENTITY] = { "identity", NULL },
	[ENCODING_GZIP] = { "gzip", "x-gzip" }, /* RFC 9110 8.4.1.3 */
	[ENCODING_SNAPPY] = { "snappy", NULL }, /* the block format */
};

const char *encoding_name(enum encoding e)
{
	return codings[e].name;
}

const char *encoding_library(void)
{
	return LIBDEFLATE_VERSION_STRING;
}

bool encoding_find(struct bytes header, enum encoding *out)
{
	struct bytes name = bytes_trim(header);

	if (name.n == 0) {
		*out = ENCODING_IDENTITY;
		return true;
	}
	for (int i = 0; i < ENCODING_COUNT; i++)
		if (bytes_eq_nocase(name, bytes_str(codings[i].name)) ||
		    (codings[i].alias && bytes_eq_nocase(name, bytes_str(codings[i].alias)))) {
			*out = (enum encoding)i;
			return true;
		}
	return false;
}

struct inflater *inflater_open(void)
{
	struct inflater *inf = xcalloc(1, sizeof(*inf));

	inf->deflate = libdeflate_alloc_decompressor();
	if (!inf->deflate)
		out_of_memory();
	return inf;
}

void inflater_close(struct inflater *inf)
{
	if (!inf)
		return;
	libdeflate_free_decompressor(inf->deflate);
	free(inf);
}

static size_t gzip_claim(struct bytes in)
{
	const uint8_t *isize;

	if (in.n < GZIP_MIN)
		return 0;
	isize = in.p + in.n - GZIP_ISIZE_BYTES;
	return (size_t)isize[0] | (size_t)isize[1] << 8 | (size_t)isize[2] << 16 |
	       (size_t)isize[3] << 24;
}

static size_t gzip_guess(struct bytes in)
{
	size_t likely;

	if (__builtin_mul_overflow(in.n, (size_t)GUESS_RATIO, &likely))
		likely = SIZE_MAX;
	return min_size(gzip_claim(in), likely);
}

/* The length that a block declares; false if it has none. */
static bool snappy_length(struct bytes in, size_t *length)
{
	return snappy_uncompressed_length((const char *)in.p, in.n, length) == SNAPPY_OK;
}

static bool is_framed_snappy(struct bytes in)
{
	static const uint8_t magic[] = { 0xff, 6, 0, 0, 's', 'N', 'a', 'P', 'p', 'Y' };

	return in.n >= sizeof(magic) && memcmp(in.p, magic, sizeof(magic)) == 0;
}

enum inflate_result encoding_look(enum encoding e, struct bytes in, size_t limit, const char **why)
{
	size_t length = 0;

	if (e == ENCODING_IDENTITY)
		return in.n > limit ? INFLATE_ROOM : INFLATE_OK;
	if (in.n == 0) {
		*why = "0 bytes";
		return INFLATE_CORRUPT;
	}
	if (e != ENCODING_SNAPPY)
		return INFLATE_OK;
	if (is_framed_snappy(in))
		*why = "a framed stream, where one block is wanted";
	else if (!snappy_length(in, &length))
		*why = "no length before the block";
	else if (length > limit)
		return INFLATE_ROOM;
	else if (length > SNAPPY_RATIO * in.n + SNAPPY_SLACK)
		*why = "a declared length that the format cannot reach";
	else
		return INFLATE_OK;
	return INFLATE_CORRUPT;
}

size_t encoding_claim(enum encoding e, struct bytes in, size_t limit)
{
	return e == ENCODING_GZIP ? min_size(gzip_claim(in), limit) : 0;
}

size_t encoding_guess(enum encoding e, struct bytes in, size_t limit)
{
	size_t guess = 0;

	switch (e) {
	case ENCODING_IDENTITY:
		guess = in.n;
		break;
	case ENCODING_GZIP:
		guess = gzip_guess(in);
		break;
	case ENCODING_SNAPPY:
		if (!snappy_length(in, &guess))
			guess = 0;
		break;
	case ENCODING_COUNT:
		assert(!"an encoding");
	}
	return max_size(min_size(guess, limit), GUESS_MIN);
}

/* Members in a row are one body (RFC 1952 2.2); whatever else follows is refused. */
static enum inflate_result gunzip(struct inflater *inf, struct bytes in, uint8_t *out,
                                  size_t out_cap, size_t *out_bytes, const char **why)
{
	size_t done = 0, read = 0;

	do {
		size_t took = 0, gave = 0;

		switch ((int)libdeflate_gzip_decompress_ex(inf->deflate, in.p + read, in.n - read,
		                                           out + done, out_cap - done, &took,
		                                           &gave)) {
		case LIBDEFLATE_SUCCESS:
			break;
		case LIBDEFLATE_INSUFFICIENT_SPACE:
			return INFLATE_ROOM;
		default:
			*why = read ? "bytes after a member are no other member"
			            : "corrupt or truncated data, or a false checksum or size";
			return INFLATE_CORRUPT;
		}
		read += took;
		done += gave;
	} while (read < in.n);
	*out_bytes = done;
	return INFLATE_OK;
}

static enum inflate_result unsnap(struct bytes in, uint8_t *out, size_t out_cap, size_t *out_bytes,
                                  const char **why)
{
	size_t n = out_cap;

	switch (snappy_uncompress((const char *)in.p, in.n, (char *)out, &n)) {
	case SNAPPY_OK:
		*out_bytes = n;
		return INFLATE_OK;
	case SNAPPY_BUFFER_TOO_SMALL:
		return INFLATE_ROOM;
	case SNAPPY_INVALID_INPUT:
		break;
	}
	*why = "corrupt, truncated or trailing data";
	return INFLATE_CORRUPT;
}

enum inflate_result encoding_inflate(struct inflater *inf, enum encoding e, struct bytes in,
                                     uint8_t *out, size_t out_cap, size_t *out_bytes,
                                     const char **why)
{
	switch (e) {
	case ENCODING_IDENTITY:
		if (in.n > out_cap)
			return INFLATE_ROOM;
		if (in.n)
			memcpy(out, in.p, in.n);
		*out_bytes = in.n;
		return INFLATE_OK;
	case ENCODING_GZIP:
		if (in.n == 0) {
			*why = "0 bytes";
			return INFLATE_CORRUPT;
		}
		return gunzip(inf, in, out, out_cap, out_bytes, why);
	case ENCODING_SNAPPY:
		if (in.n == 0) {
			*why = "0 bytes";
			return INFLATE_CORRUPT;
		}
		return unsnap(in, out, out_cap, out_bytes, why);
	case ENCODING_COUNT:
		break;
	}
	assert(!"an encoding");
	return INFLATE_CORRUPT;
}
