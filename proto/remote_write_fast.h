/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remote_write_fast.h -- what the fast paths of 1.0 and 2.0 share: names compared by their first 8
 * bytes, and a sample in its usual shape.
 */
#pragma once
#include "proto/remote_write_private.h"

enum { NAME_FAST_MAX = 64 }; /* of names that begin alike: bounds what a comparison costs */

/* Names whose keys are equal: is a before b? Names too long to compare here are not. */
static inline bool name_before(const uint8_t *a, size_t a_n, const uint8_t *b, size_t b_n)
{
	return a_n <= NAME_FAST_MAX && b_n <= NAME_FAST_MAX &&
	       name_compare(bytes_of(a, a_n), bytes_of(b, b_n)) < 0;
}

/* Behind a varint of up to 8 bytes at p, or NULL. Reads 8 bytes. */
static inline const uint8_t *varint_fast(const uint8_t *p)
{
	uint64_t word, last;

	memcpy(&word, p, sizeof(word));
	last = ~word & 0x8080808080808080;
	return last ? p + __builtin_ctzll(last) / 8 + 1 : NULL;
}

/* {double value 1, int64 timestamp 2, int64 start_timestamp 3 (2.0)}, each there or not, in order.
 * Reads up to 20 bytes behind n, which is below 128. */
static inline bool sample_fast(const uint8_t *p, size_t n)
{
	const uint8_t *end = p + n;

	if (p != end && *p == TAG_SAMPLE_VALUE)
		p += 9;
	if (p < end && *p == TAG_SAMPLE_TIME) {
		p = varint_fast(p + 1);
		if (!p)
			return false;
	}
	if (p < end && *p == TAG_SAMPLE_START) {
		p = varint_fast(p + 1);
		if (!p)
			return false;
	}
	return p == end;
}
