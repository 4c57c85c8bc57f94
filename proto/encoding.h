/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encoding.h -- Content-Encoding: one bounded inflater for all routes (protocols.md 1.3, faults.md
 * 6). The caller charges the budget before each buffer; a header's claim is never believed.
 */
#pragma once
#include "common/bytes.h"

/* stats_render.c knows the names too. */
enum encoding {
	ENCODING_IDENTITY,
	ENCODING_GZIP,
	ENCODING_DEFLATE, /* in zlib's wrapping or raw, as it comes */
	ENCODING_ZLIB, /* a Collector's name for the one with the wrapping */
	ENCODING_ZSTD,
	ENCODING_SNAPPY, /* one block */
	ENCODING_COUNT
};
enum { /* as struct protocol's bit set */
	ENCODINGS_ALL = (1 << ENCODING_COUNT) - 1,
	ENCODINGS_GENERIC = 1 << ENCODING_IDENTITY | 1 << ENCODING_GZIP | 1 << ENCODING_DEFLATE |
	                    1 << ENCODING_ZSTD,
};

const char *encoding_name(enum encoding e); /* identity, gzip, ... */
const char *encoding_library(void); /* libdeflate's version when this was built; for -v */
/* One coding, case-insensitive; x-gzip is gzip; absent (n = 0) and identity are identity. A list or
 * an unknown coding: false. */
bool encoding_find(struct bytes header, enum encoding *out) MUST_USE;

enum inflate_result {
	INFLATE_OK,
	INFLATE_ROOM, /* the output does not fit: try again with the limit, then it is too large */
	INFLATE_CORRUPT, /* corrupt, truncated, false CRC or ISIZE, bytes after the last member */
};

struct inflater; /* decoder state, one per worker */
struct inflater *inflater_open(void) MUST_USE;
void inflater_close(struct inflater *inf);

enum { ENCODING_TRIES = 3 };
/* What can be said before any memory is spent: INFLATE_ROOM if the output would exceed the limit,
 * INFLATE_CORRUPT with *why; INFLATE_OK: try with room for rooms[0] bytes, then, if that is
 * INFLATE_ROOM, with the next one that is larger; after the last the output exceeds the limit. */
enum inflate_result encoding_look(enum encoding e, struct bytes in, size_t limit,
                                  size_t rooms[ENCODING_TRIES], const char **why) MUST_USE;
/* Whole buffer; members and frames concatenate. *out_bytes is set on INFLATE_OK. *why is a static
 * text on INFLATE_CORRUPT. An empty input is INFLATE_CORRUPT for every coding but identity. */
enum inflate_result encoding_inflate(struct inflater *inf, enum encoding e, struct bytes in,
                                     uint8_t *out, size_t out_cap, size_t *out_bytes,
                                     const char **why) MUST_USE;
