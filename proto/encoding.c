/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encoding.c -- the table of content codings and their whole-buffer decoders. What a header claims
 * is only a first guess; what counts is the output that a decoder could write.
 */
#include "proto/encoding.h"

#include <libdeflate.h>
#include <snappy-c.h>

#include "proto/deflate.h"
#include "proto/zstd.h"

enum {
	GUESS_MIN = 64,
	GUESS_RATIO = 16, /* honest telemetry gzips at 4:1 to 12:1 */
	REPEATED_RATIO = 128, /* and lines that repeat themselves at up to 300:1 */
	DEFLATE_RATIO = 1032, /* the format's maximum: 258 bytes of output for 2 bits */
	GZIP_MIN = 18, /* header and trailer; a smaller body has no ISIZE */
	GZIP_ISIZE_BYTES = 4,
	SNAPPY_RATIO = 22, /* the format's maximum is 64 bytes of output for 3 of input */
	SNAPPY_SLACK = 64, /* faults.md 6 */
};
static const char *const trailing = "bytes after the end";

struct inflater {
	struct deflate *deflate;
	struct zstd *zstd;
};

typedef enum inflate_result (*look_fn)(struct bytes in, size_t limit, size_t rooms[ENCODING_TRIES],
                                       const char **why);
typedef enum inflate_result (*run_fn)(struct inflater *inf, struct bytes in, uint8_t *out,
                                      size_t out_cap, size_t *out_bytes, const char **why);

struct inflater *inflater_open(void)
{
	struct inflater *inf = xcalloc(1, sizeof(*inf));

	inf->deflate = deflate_open();
	inf->zstd = zstd_open();
	return inf;
}

void inflater_close(struct inflater *inf)
{
	if (!inf)
		return;
	deflate_close(inf->deflate);
	zstd_close(inf->zstd);
	free(inf);
}

static size_t times(size_t n, size_t ratio)
{
	size_t product;

	return __builtin_mul_overflow(n, ratio, &product) ? SIZE_MAX : product;
}

static enum inflate_result identity_look(struct bytes in, size_t limit,
                                         size_t rooms[ENCODING_TRIES], const char **why)
{
	(void)why;
	rooms[0] = in.n;
	return in.n > limit ? INFLATE_ROOM : INFLATE_OK;
}

static enum inflate_result identity_run(struct inflater *inf, struct bytes in, uint8_t *out,
                                        size_t out_cap, size_t *out_bytes, const char **why)
{
	(void)inf, (void)why;
	if (in.n > out_cap)
		return INFLATE_ROOM;
	if (in.n)
		memcpy(out, in.p, in.n);
	*out_bytes = in.n;
	return INFLATE_OK;
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

/* The claim is true of an honest body in one member; a log that repeats itself is spared a buffer
 * of the limit by it, which no tenant with something in flight may have. */
static enum inflate_result gzip_look(struct bytes in, size_t limit, size_t rooms[ENCODING_TRIES],
                                     const char **why)
{
	size_t claim = gzip_claim(in), most = times(in.n, DEFLATE_RATIO);

	(void)limit, (void)why;
	rooms[0] = min_size(claim, times(in.n, GUESS_RATIO));
	rooms[1] = min_size(claim, most);
	rooms[2] = most;
	return INFLATE_OK;
}

/* Members in a row are one body (RFC 1952 2.2); whatever else follows is refused. */
static enum inflate_result gzip_run(struct inflater *inf, struct bytes in, uint8_t *out,
                                    size_t out_cap, size_t *out_bytes, const char **why)
{
	size_t done = 0, read = 0;

	deflate_begin(inf->deflate, in.n);
	do {
		size_t took = 0, gave = 0;
		const char *more = NULL;
		enum inflate_result result =
			deflate_member(inf->deflate, DEFLATE_GZIP, bytes_from(in, read), out + done,
		                       out_cap - done, &took, &gave, &more);

		if (result == INFLATE_CORRUPT)
			*why = more   ? more
			       : read ? "bytes after a member are no other member"
			              : "corrupt or truncated data, or a false checksum or size";
		if (result != INFLATE_OK)
			return result;
		read += took;
		done += gave;
	} while (read < in.n);
	*out_bytes = done;
	return INFLATE_OK;
}

/* Neither form says the size of its output. */
static enum inflate_result deflate_look(struct bytes in, size_t limit, size_t rooms[ENCODING_TRIES],
                                        const char **why)
{
	(void)limit, (void)why;
	rooms[0] = times(in.n, GUESS_RATIO);
	rooms[1] = times(in.n, REPEATED_RATIO);
	rooms[2] = times(in.n, DEFLATE_RATIO);
	return INFLATE_OK;
}

/* zlib's wrapping or the raw form, and nothing behind it. */
static enum inflate_result stream_run(struct inflater *inf, enum deflate_form form,
                                      struct bytes in, uint8_t *out, size_t out_cap,
                                      size_t *out_bytes, const char **why)
{
	size_t took = 0, gave = 0;
	const char *more = NULL;
	enum inflate_result result;

	deflate_begin(inf->deflate, in.n);
	result = deflate_member(inf->deflate, form, in, out, out_cap, &took, &gave, &more);
	if (result == INFLATE_CORRUPT)
		*why = more ? more : "corrupt or truncated data, or a false checksum";
	if (result != INFLATE_OK)
		return result;
	if (took < in.n) {
		*why = trailing;
		return INFLATE_CORRUPT;
	}
	*out_bytes = gave;
	return INFLATE_OK;
}

static enum inflate_result zlib_run(struct inflater *inf, struct bytes in, uint8_t *out,
                                    size_t out_cap, size_t *out_bytes, const char **why)
{
	return stream_run(inf, DEFLATE_ZLIB, in, out, out_cap, out_bytes, why);
}

/* RFC 1950 2.2, without a dictionary. Read as the raw form such a first byte would be a stored
 * block with padding that is not zero, which encoders do not write. */
static bool is_zlib(struct bytes in)
{
	unsigned cmf, flags;

	if (in.n < 2)
		return false;
	cmf = in.p[0];
	flags = in.p[1];
	return (cmf & 15) == 8 && cmf >> 4 <= 7 && (cmf * 256 + flags) % 31 == 0 &&
	       (flags & 0x20) == 0;
}

/* HTTP's `deflate` is zlib's wrapping; some send the raw form all the same. */
static enum inflate_result deflate_run(struct inflater *inf, struct bytes in, uint8_t *out,
                                       size_t out_cap, size_t *out_bytes, const char **why)
{
	return stream_run(inf, is_zlib(in) ? DEFLATE_ZLIB : DEFLATE_RAW, in, out, out_cap,
	                  out_bytes, why);
}

static enum inflate_result frames_look(struct bytes in, size_t limit, size_t rooms[ENCODING_TRIES],
                                       const char **why)
{
	size_t claim = 0, most = 0;
	enum inflate_result result = zstd_look(in, limit, &claim, &most, why);

	rooms[0] = claim ? claim : min_size(times(in.n, GUESS_RATIO), most);
	rooms[1] = most;
	return result;
}

static enum inflate_result frames_run(struct inflater *inf, struct bytes in, uint8_t *out,
                                      size_t out_cap, size_t *out_bytes, const char **why)
{
	return zstd_inflate(inf->zstd, in, out, out_cap, out_bytes, why);
}

static bool is_framed_snappy(struct bytes in)
{
	static const uint8_t magic[] = { 0xff, 6, 0, 0, 's', 'N', 'a', 'P', 'p', 'Y' };

	return in.n >= sizeof(magic) && memcmp(in.p, magic, sizeof(magic)) == 0;
}

/* A block declares its length, the most that its decoder writes; one that the format cannot reach
 * is a lie. */
static enum inflate_result snappy_look(struct bytes in, size_t limit, size_t rooms[ENCODING_TRIES],
                                       const char **why)
{
	if (is_framed_snappy(in))
		*why = "a framed stream, where one block is wanted";
	else if (snappy_uncompressed_length((const char *)in.p, in.n, &rooms[0]) != SNAPPY_OK)
		*why = "no length before the block";
	else if (rooms[0] > limit)
		return INFLATE_ROOM;
	else if (rooms[0] > SNAPPY_RATIO * in.n + SNAPPY_SLACK)
		*why = "a declared length that the format cannot reach";
	else
		return INFLATE_OK;
	return INFLATE_CORRUPT;
}

static enum inflate_result snappy_run(struct inflater *inf, struct bytes in, uint8_t *out,
                                      size_t out_cap, size_t *out_bytes, const char **why)
{
	size_t n = out_cap;

	(void)inf;
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

static const struct coding {
	const char *name;
	const char *alias; /* NULL: none */
	look_fn look; /* may leave rooms at 0, and above the limit */
	run_fn run;
} codings[ENCODING_COUNT] = {
	[ENCODING_IDENTITY] = { "identity", NULL, identity_look, identity_run },
	[ENCODING_GZIP] = { "gzip", "x-gzip", gzip_look, gzip_run }, /* RFC 9110 8.4.1.3 */
	[ENCODING_DEFLATE] = { "deflate", NULL, deflate_look, deflate_run },
	[ENCODING_ZLIB] = { "zlib", NULL, deflate_look, zlib_run },
	[ENCODING_ZSTD] = { "zstd", NULL, frames_look, frames_run },
	[ENCODING_SNAPPY] = { "snappy", NULL, snappy_look, snappy_run },
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

static bool is_nothing(enum encoding e, struct bytes in, const char **why)
{
	if (e == ENCODING_IDENTITY || in.n)
		return false;
	*why = "0 bytes";
	return true;
}

enum inflate_result encoding_look(enum encoding e, struct bytes in, size_t limit,
                                  size_t rooms[ENCODING_TRIES], const char **why)
{
	enum inflate_result result;

	memset(rooms, 0, ENCODING_TRIES * sizeof(rooms[0]));
	if (is_nothing(e, in, why))
		return INFLATE_CORRUPT;
	result = codings[e].look(in, limit, rooms, why);
	for (size_t i = 0; i < ENCODING_TRIES; i++)
		rooms[i] = max_size(min_size(rooms[i], limit), GUESS_MIN);
	return result;
}

enum inflate_result encoding_inflate(struct inflater *inf, enum encoding e, struct bytes in,
                                     uint8_t *out, size_t out_cap, size_t *out_bytes,
                                     const char **why)
{
	if (is_nothing(e, in, why))
		return INFLATE_CORRUPT;
	return codings[e].run(inf, in, out, out_cap, out_bytes, why);
}
