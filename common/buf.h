/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buf.h -- text under construction with a sticky error: append what you like, test once at the end.
 * Used for log lines, JSON, metrics and replies; never for request bodies (worker/bodies.h).
 */
#pragma once
#include <stdarg.h>
#include "common/bytes.h"

struct buf {
	char *p;
	size_t n;
	size_t cap;
	size_t limit; /* bytes; more sets failed */
	bool fixed;   /* p is the caller's; never grown or freed */
	bool failed;  /* sticky: what did not fit was cut */
};

void buf_init(struct buf *b, size_t limit);                  /* grows on the heap up to limit */
void buf_init_fixed(struct buf *b, void *p, size_t cap);     /* writes into p */
void buf_done(struct buf *b);
void buf_reset(struct buf *b); /* empties, keeps the memory, clears failed */
void buf_add(struct buf *b, const void *p, size_t n);
void buf_bytes(struct buf *b, struct bytes s);
void buf_str(struct buf *b, const char *s);
void buf_char(struct buf *b, char c);
void buf_u64(struct buf *b, uint64_t v);
void buf_i64(struct buf *b, int64_t v);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
/* The inside of a JSON string (RFC 8259): control bytes, quotes and backslashes escaped, invalid
 * UTF-8 becomes U+FFFD, at most max_bytes of s are taken (cut between characters). */
void buf_json(struct buf *b, struct bytes s, size_t max_bytes);
/* For one-line texts and logs: CR, LF, quotes, backslash, control and non-UTF-8 bytes as \xNN. */
void buf_escaped(struct buf *b, struct bytes s, size_t max_bytes);
static inline struct bytes buf_view(const struct buf *b)
{
	return bytes_of(b->p, b->n);
}
