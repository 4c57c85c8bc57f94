/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bytes.h -- a slice of somebody else's memory: never owned, never NUL-terminated.
 */
#pragma once
#include <string.h>
#include "common/base.h"

struct bytes {
	const uint8_t *p; /* may be NULL if n is 0 */
	size_t n;
};

#define BYTES_NONE ((struct bytes){ NULL, 0 })
#define BYTES(lit)                                                                                 \
	((struct bytes){ (const uint8_t *)(lit), sizeof(lit) - 1 }) /* a string literal */

static inline struct bytes bytes_of(const void *p, size_t n)
{
	return (struct bytes){ p, n };
}
static inline struct bytes bytes_str(const char *s)
{
	return (struct bytes){ (const uint8_t *)s, strlen(s) };
}
static inline bool bytes_eq(struct bytes a, struct bytes b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
static inline struct bytes bytes_from(struct bytes b, size_t skip)
{
	size_t k = min_size(skip, b.n);

	return (struct bytes){ b.n ? b.p + k : b.p, b.n - k };
}
/* Its first n bytes, or all of it. */
static inline struct bytes bytes_cut(struct bytes b, size_t n)
{
	return bytes_of(b.p, b.n < n ? b.n : n);
}
bool bytes_eq_nocase(struct bytes a, struct bytes b); /* ASCII case only */
struct bytes bytes_trim(struct bytes b); /* SP and HTAB at both ends (RFC 9110 OWS) */
/* 1*DIGIT into *out; false if empty, another byte, or over max. */
bool bytes_to_u64(struct bytes b, uint64_t max, uint64_t *out) MUST_USE;
bool bytes_is_utf8(struct bytes b); /* RFC 3629: no surrogates, no overlong forms, <= U+10FFFF */
/* Bytes of the valid UTF-8 character at p[0..n), 1..4; 0 if p[0] is part of none, or n is 0. */
size_t utf8_sequence(const uint8_t *p, size_t n);
void hex_encode(const uint8_t *p, size_t n, char *out); /* 2n lower-case digits and a NUL */
bool hex_decode(struct bytes hex, uint8_t *out,
                size_t out_bytes) MUST_USE; /* exactly 2*out_bytes digits, either case */
