/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_text.c -- what the strings of JSON mean, and how the scanner mends them where they stay JSON
 * (records.md 1.2). Every escape here was found sound by json_read_string(); the quote behind a
 * text ends every look ahead, as it is part of no escape.
 */
#include "proto/edits.h"
#include "proto/json_escape.h"

enum { SURROGATE_LONE = 0xff /* no byte of UTF-8 */ };

static uint8_t *utf8_put(uint8_t *out, int32_t c)
{
	if (c < 0) {
		*out++ = SURROGATE_LONE;
	} else if (c < 0x80) {
		*out++ = (uint8_t)c;
	} else if (c < 0x800) {
		*out++ = (uint8_t)(0xc0 | c >> 6);
		*out++ = (uint8_t)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		*out++ = (uint8_t)(0xe0 | c >> 12);
		*out++ = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		*out++ = (uint8_t)(0x80 | (c & 0x3f));
	} else {
		*out++ = (uint8_t)(0xf0 | c >> 18);
		*out++ = (uint8_t)(0x80 | (c >> 12 & 0x3f));
		*out++ = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		*out++ = (uint8_t)(0x80 | (c & 0x3f));
	}
	return out;
}

size_t json_unescape(struct json_text text, uint8_t *out)
{
	const uint8_t *p = text.raw.p, *end = p + text.raw.n;
	uint8_t *to = out;

	while (p < end) {
		const uint8_t *slash, *stop;
		int32_t meant;

		if (*p == '\\') { /* escapes come in runs */
			p += json_escape(p, &meant);
			to = utf8_put(to, meant);
			continue;
		}
		slash = memchr(p, '\\', (size_t)(end - p));
		stop = slash ? slash : end;
		to = mempcpy(to, p, (size_t)(stop - p));
		p = stop;
	}
	return (size_t)(to - out);
}

/* How many bytes of the name the text begins with; *p is then behind them. */
static size_t common_bytes(const uint8_t **p, const uint8_t *end, struct bytes name)
{
	size_t at = 0;

	for (; *p < end && at < name.n; at++) {
		int32_t meant = **p;
		size_t n = **p == '\\' ? json_escape(*p, &meant) : 1;

		if (meant != name.p[at])
			break;
		*p += n;
	}
	return at;
}

bool json_text_is(struct json_text text, struct bytes name)
{
	const uint8_t *p = text.raw.p, *end = p + text.raw.n;

	if (!text.escaped)
		return bytes_eq(text.raw, name);
	return common_bytes(&p, end, name) == name.n && p == end;
}

bool json_text_begins(struct json_text text, struct bytes name)
{
	const uint8_t *p = text.raw.p;

	return common_bytes(&p, p + text.raw.n, name) == name.n;
}

const uint8_t *json_text_at(struct json_text text, size_t at)
{
	const uint8_t *p = text.raw.p;
	uint8_t character[4];
	int32_t meant;

	if (!text.escaped)
		return p + at;
	while (at > 0) {
		size_t n = 1;

		if (*p == '\\') {
			p += json_escape(p, &meant);
			n = (size_t)(utf8_put(character, meant) - character);
		} else {
			p++;
		}
		assert(n <= at);
		at -= n;
	}
	return p;
}

/* ---- mending ---- */

enum { RUN = 16, REPLACEMENT_BYTES = 3 };
#define FFFD "\xef\xbf\xbd"
#define FFFD4 FFFD FFFD FFFD FFFD
static const char replacements[] = FFFD4 FFFD4 FFFD4 FFFD4; /* RUN of them */

/* Bytes at p[0..n) that are one U+FFFD to come; 0: none, and *sound bytes are a character, or an
 * escape. */
static size_t broken(const uint8_t *p, size_t n, size_t *sound)
{
	int32_t meant = 0;

	*sound = *p == '\\' ? json_escape(p, &meant) : utf8_sequence(p, n);
	if (meant < 0)
		return JSON_LONE_BYTES;
	return *sound ? 0 : 1;
}

/* Broken neighbours are one edit: binary dressed as text must not cost an edit per byte. */
bool json_mend(struct json *j, struct bytes raw)
{
	const uint8_t *p = raw.p, *end = p + raw.n;
	bool any = false;

	while (p < end && !j->mends->failed) {
		size_t sound, n = broken(p, (size_t)(end - p), &sound), run = 0;
		const uint8_t *from = p;

		if (n == 0) {
			p += sound;
			continue;
		}
		any = true;
		do {
			p += n;
			run++;
		} while (run < RUN && p < end && (n = broken(p, (size_t)(end - p), &sound)) > 0);
		edits_add(j->mends, (size_t)(from - j->start), (size_t)(p - from),
		          bytes_of(replacements, run * REPLACEMENT_BYTES));
	}
	return any;
}
