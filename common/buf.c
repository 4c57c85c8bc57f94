/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buf.c -- growing or fixed text. After the first append that does not fit nothing more is taken,
 * so that a cut text is a prefix of the whole one.
 */
#include "common/buf.h"

#include <stdio.h>

enum { BUF_FIRST = 256 };

void buf_init(struct buf *b, size_t limit)
{
	*b = (struct buf){ .limit = limit };
}

void buf_init_fixed(struct buf *b, void *p, size_t cap)
{
	*b = (struct buf){ .p = p, .cap = cap, .limit = cap, .fixed = true };
}

void buf_done(struct buf *b)
{
	if (!b->fixed)
		free(b->p);
	*b = (struct buf){ 0 };
}

void buf_reset(struct buf *b)
{
	b->n = 0;
	b->failed = false;
}

/* Makes room for n more bytes if the limit lets it; says how many may be written. */
static size_t room(struct buf *b, size_t n)
{
	size_t allowed = min_size(n, b->limit - b->n);

	if (b->failed)
		return 0;
	if (b->n + allowed > b->cap && !b->fixed) {
		size_t cap = max_size(b->cap * 2, BUF_FIRST);

		b->cap = min_size(max_size(cap, b->n + allowed), b->limit);
		b->p = xrealloc(b->p, b->cap, 1);
	}
	b->failed = allowed < n;
	return allowed;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
	size_t fits = room(b, n);

	if (fits)
		memcpy(b->p + b->n, p, fits);
	b->n += fits;
}

void buf_bytes(struct buf *b, struct bytes s)
{
	buf_add(b, s.p, s.n);
}

void buf_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_char(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_u64(struct buf *b, uint64_t v)
{
	char digits[20]; /* 2^64 - 1 has 20 */
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	buf_add(b, digits + at, sizeof(digits) - at);
}

void buf_i64(struct buf *b, int64_t v)
{
	if (v < 0)
		buf_char(b, '-');
	buf_u64(b, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	char small[512];
	autofree char *large = NULL;
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	if (n >= (int)sizeof(small)) {
		large = xcalloc((size_t)n + 1, 1);
		n = vsnprintf(large, (size_t)n + 1, fmt, again);
	}
	va_end(again);
	if (n < 0)
		b->failed = true;
	else
		buf_add(b, large ? large : small, (size_t)n);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(b, fmt, ap);
	va_end(ap);
}

/* Bytes of the character at p by RFC 3629, 0 if none begins here or it is cut. */
static size_t utf8_char(const uint8_t *p, size_t n)
{
	uint8_t low = 0x80, high = 0xbf; /* of the second byte: no overlong forms, no surrogates */
	size_t len;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (n < len || p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

/* True if p begins a whole character that the cut at `taken` would split. */
static bool is_split(struct bytes s, size_t at, size_t taken)
{
	size_t len = utf8_char(s.p + at, s.n - at);

	return len > taken - at;
}

static void json_char(struct buf *b, const uint8_t *p, size_t len)
{
	static const char two[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
	const char *found = *p ? strchr(two, *p) : NULL;

	if (len == 0) {
		buf_str(b, "\xef\xbf\xbd");
	} else if (len == 1 && found) {
		buf_char(b, '\\');
		buf_char(b, letters[found - two]);
	} else if (len == 1 && *p < 0x20) {
		buf_printf(b, "\\u%04x", *p);
	} else {
		buf_add(b, p, len);
	}
}

void buf_json(struct buf *b, struct bytes s, size_t max_bytes)
{
	size_t taken = min_size(s.n, max_bytes);

	for (size_t at = 0; at < taken && !b->failed;) {
		size_t len = utf8_char(s.p + at, taken - at);

		if (len == 0 && is_split(s, at, taken))
			return;
		json_char(b, s.p + at, len);
		at += len ? len : 1;
	}
}

void buf_escaped(struct buf *b, struct bytes s, size_t max_bytes)
{
	size_t taken = min_size(s.n, max_bytes);

	for (size_t at = 0; at < taken && !b->failed;) {
		const uint8_t *p = s.p + at;
		size_t len = utf8_char(p, taken - at);
		bool plain = len == 1 && *p >= 0x20 && *p != 0x7f && *p != '"' && *p != '\\';

		if (len == 0 && is_split(s, at, taken))
			return;
		/* U+0080..U+009F are control characters too: a terminal may obey them. */
		if (plain || (len > 1 && !(p[0] == 0xc2 && p[1] < 0xa0))) {
			buf_add(b, p, len);
		} else {
			for (size_t i = 0; i < max_size(len, 1); i++)
				buf_printf(b, "\\x%02x", p[i]);
		}
		at += max_size(len, 1);
	}
}
