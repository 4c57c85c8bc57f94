/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encoding.h -- Content-Encoding: one bounded inflater for all routes (protocols.md 1.3, faults.md
 * 6). The caller charges the budget before each buffer; a header's claim is never believed.
 */
#pragma once
#include "common/bytes.h"

enum encoding { ENCODING_IDENTITY, ENCODING_GZIP, ENCODING_SNAPPY, ENCODING_COUNT };

const char *encoding_name(enum encoding e); /* identity, gzip, snappy */
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

/* What can be said before any memory is spent: INFLATE_ROOM if the output would exceed the limit,
 * INFLATE_CORRUPT with *why; INFLATE_OK: try. A snappy block declares its length, the most that its
 * decoder writes; one that the format cannot reach is a lie. */
enum inflate_result encoding_look(enum encoding e, struct bytes in, size_t limit,
                                  const char **why) MUST_USE;
/* First size to try: min(ISIZE, 16 x wire, limit) for gzip, the length of a snappy block; at least
 * 64. */
size_t encoding_guess(enum encoding e, struct bytes in, size_t limit);
/* What the input says of its size, at most limit: true of an honest body in one member. 0: nothing. */
size_t encoding_claim(enum encoding e, struct bytes in, size_t limit);
/* Whole buffer; members concatenate. *out_bytes is set on INFLATE_OK. *why is a static text on
 * INFLATE_CORRUPT. An empty input is INFLATE_CORRUPT for every coding but identity. */
enum inflate_result encoding_inflate(struct inflater *inf, enum encoding e, struct bytes in,
                                     uint8_t *out, size_t out_cap, size_t *out_bytes,
                                     const char **why) MUST_USE;
