/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.h -- the JSON scanner: one forward pass over a body, strictly by RFC 8259 (protocols.md 3),
 * for every protocol that speaks JSON. A cursor, no tree: the caller asks for the next member,
 * element or value and keeps its own bounded stack, so nothing here recurses or allocates. Names
 * and strings come as slices of the body and are unescaped only where somebody asks.
 *
 * The error is sticky: after the first one every read says false and nothing moves. UTF8_STRICT
 * refuses broken UTF-8 and lone surrogate escapes; UTF8_REPAIR lets both pass inside strings, and
 * json_unescape() leaves them broken on purpose, one byte for each U+FFFD to come, for the walker
 * that mends and counts. Where the body stays JSON the scanner mends: by edits, as it passes.
 *
 * The body is followed by BODY_SLACK readable bytes, whatever they are: what a fast look reads
 * there is compared with the end before it counts.
 */
#pragma once
#include "common/bytes.h"
#include "common/isa.h"
#include "proto/protocol.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum json_error {
	JSON_OK,
	JSON_ENDS,
	JSON_VALUE,
	JSON_NAME,
	JSON_COLON,
	JSON_COMMA_OBJECT,
	JSON_COMMA_ARRAY,
	JSON_LITERAL,
	JSON_NUMBER,
	JSON_CONTROL,
	JSON_ESCAPE,
	JSON_SURROGATE,
	JSON_UTF8,
	JSON_DEPTH,
	JSON_BEHIND,
	JSON_ERROR_COUNT
};

struct json {
	const uint8_t *start, *p, *end;
	enum utf8_mode utf8;
	enum isa isa;
	enum json_error error;
	const uint8_t *error_at;
	struct edits *mends; /* NULL, or where UTF8_REPAIR puts U+FFFD for what is broken */
	uint64_t mended; /* strings so mended; whoever counts by item takes them off */
};

struct json_text { /* a string, as it stands between its quotes */
	struct bytes raw;
	bool escaped; /* has a backslash: json_unescape() tells what it means */
};

enum { JSON_NEST_MAX = 256 }; /* brackets that json_skip() can hold */

void json_init(struct json *j, struct bytes body, enum utf8_mode utf8);
const char *json_error_text(enum json_error error);
bool json_fail(struct json *j, const uint8_t *at, enum json_error error) __attribute__((cold));

/* The first byte of the next value, white space passed; 0 at the end, or after an error. */
static inline uint8_t json_peek(struct json *j);
/* Reads a string, number or literal that json_peek() has seen the first byte of. */
static inline bool json_read_string(struct json *j, struct json_text *text);
bool json_read_number(struct json *j, struct bytes *number) MUST_USE;
bool json_read_bool(struct json *j, bool *value) MUST_USE;
bool json_read_null(struct json *j) MUST_USE;
/* Past a `{` or `[` that json_peek() has seen. */
static inline void json_open(struct json *j);
/* The next member of the open object: its name, and the cursor stands before its value. False: the
 * object ended, and the cursor is behind it, or error is set. `first` is true behind json_open().
 */
static inline bool json_member(struct json *j, bool first, struct json_text *name);
/* The same of an array: the cursor stands before the next element, or behind the array. */
static inline bool json_element(struct json *j, bool first);
/* Past the next value, whatever it is, validating all of it; more than `depth` brackets deep (at
 * most JSON_NEST_MAX) is JSON_DEPTH. */
bool json_skip(struct json *j, unsigned depth) MUST_USE;
/* Nothing but white space is left. */
bool json_end(struct json *j) MUST_USE;

/* What the text means: at most text.raw.n bytes. A lone surrogate becomes the byte 0xff. */
size_t json_unescape(struct json_text text, uint8_t *out);
/* Whether it means this name of ASCII. */
bool json_text_is(struct json_text text, struct bytes name);
bool json_text_begins(struct json_text text, struct bytes name); /* with it */
/* Where in text.raw the byte `at` of that stands; `at` is where a character begins, or the end. */
const uint8_t *json_text_at(struct json_text text, size_t at);

/* Numbers, as json_read_number() gave them or as the content of a string. False: not a number of
 * this grammar, no integer, or out of range. 64-bit integers are read from their digits; a fraction
 * or an exponent is fine if the value is an integer all the same. */
bool json_to_integer(struct bytes text, bool *negative, uint64_t *magnitude) MUST_USE;
bool json_to_double(struct bytes text, double *value) MUST_USE; /* correctly rounded */

/* ---- the parts that every value passes ---- */

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

static inline bool json_is_space(uint8_t c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Private to json.h and its .c files: the general paths. */
const uint8_t *json_plain_long(const struct json *j, const uint8_t *p);
bool json_read_string_odd(struct json *j, const uint8_t *q, struct json_text *text);
const uint8_t *json_number_end(const uint8_t *p, const uint8_t *end); /* NULL: not a number */
/* Mends this part of a text. True: something in it was broken. */
bool json_mend(struct json *j, struct bytes raw) __attribute__((cold));

static inline uint8_t json_peek(struct json *j)
{
	while (j->p < j->end) {
		if (likely(*j->p > ' ' || !json_is_space(*j->p)))
			return *j->p;
		j->p++;
	}
	return 0;
}

#if defined(__x86_64__)
/* One bit for each of p[0..16) at which text is no longer plain: a quote, a backslash, a control
 * byte, a byte over 0x7f. */
static inline unsigned json_stops(const uint8_t *p)
{
	__m128i v = _mm_loadu_si128((const __m128i *)p);
	__m128i stop = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')),
	                                         _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))),
	                            /* signed: what is over 0x7f is below 0x20 too */
	                            _mm_cmplt_epi8(v, _mm_set1_epi8(0x20)));

	return (unsigned)_mm_movemask_epi8(stop);
}
#endif

/* The first byte from p on that is not plain, or a place at or behind the end. */
static inline const uint8_t *json_plain(const struct json *j, const uint8_t *p)
{
#if defined(__x86_64__)
	if (likely(j->isa != ISA_SCALAR)) {
		unsigned stops = json_stops(p);

		if (likely(stops))
			return p + __builtin_ctz(stops);
		stops = json_stops(p + 16);
		if (likely(stops))
			return p + 16 + __builtin_ctz(stops);
		p += 32;
	}
#endif
	return json_plain_long(j, p);
}

static inline bool json_read_string(struct json *j, struct json_text *text)
{
	const uint8_t *q = json_plain(j, j->p + 1);

	if (unlikely(q >= j->end || *q != '"'))
		return json_read_string_odd(j, q, text);
	text->raw = bytes_of(j->p + 1, (size_t)(q - j->p - 1));
	text->escaped = false;
	j->p = q + 1;
	return true;
}

static inline void json_open(struct json *j)
{
	j->p++;
}

static inline bool json_member(struct json *j, bool first, struct json_text *name)
{
	uint8_t c = json_peek(j);

	if (unlikely(j->error))
		return false;
	if (!first || c == '}') {
		if (c == '}') {
			j->p++;
			return false;
		}
		if (unlikely(c != ','))
			return json_fail(j, j->p, JSON_COMMA_OBJECT);
		j->p++;
		c = json_peek(j);
	}
	if (unlikely(c != '"'))
		return json_fail(j, j->p, JSON_NAME);
	if (unlikely(!json_read_string(j, name)))
		return false;
	if (unlikely(json_peek(j) != ':'))
		return json_fail(j, j->p, JSON_COLON);
	j->p++;
	return true;
}

static inline bool json_element(struct json *j, bool first)
{
	uint8_t c = json_peek(j);

	if (unlikely(j->error))
		return false;
	if (first && c != ']')
		return true;
	if (c == ']') {
		j->p++;
		return false;
	}
	if (unlikely(c != ','))
		return json_fail(j, j->p, JSON_COMMA_ARRAY);
	j->p++;
	return true;
}
