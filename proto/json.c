/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.c -- the scanner but for its short inline paths: long and odd strings, numbers, literals,
 * values that nobody wants; what a string means is json_text.c's. Text is searched by a kernel per
 * ISA (common/isa.h); the scalar one defines the answer.
 */
#include "proto/json.h"

#include "proto/json_escape.h"

static const char *const texts[JSON_ERROR_COUNT] = {
	[JSON_OK] = "valid",
	[JSON_ENDS] = "the JSON ends too early",
	[JSON_VALUE] = "expected a JSON value",
	[JSON_NAME] = "expected a member name in quotes",
	[JSON_COLON] = "expected ':' behind a member name",
	[JSON_COMMA_OBJECT] = "expected ',' or '}'",
	[JSON_COMMA_ARRAY] = "expected ',' or ']'",
	[JSON_LITERAL] = "expected true, false or null",
	[JSON_NUMBER] = "malformed number",
	[JSON_CONTROL] = "unescaped control character in a string",
	[JSON_ESCAPE] = "unknown escape in a string",
	[JSON_SURROGATE] = "lone surrogate escape in a string",
	[JSON_UTF8] = "invalid UTF-8",
	[JSON_DEPTH] = "nested too deep",
	[JSON_BEHIND] = "bytes behind the JSON value",
};

const char *json_error_text(enum json_error error)
{
	return texts[error];
}

bool json_fail(struct json *j, const uint8_t *at, enum json_error error)
{
	if (j->error)
		return false;
	j->error = at >= j->end && error != JSON_UTF8 ? JSON_ENDS : error;
	j->error_at = at < j->end ? at : j->end;
	j->end = j->p; /* nothing moves any more */
	return false;
}

void json_init(struct json *j, struct bytes body, enum utf8_mode utf8)
{
	static const uint8_t none[BODY_SLACK];
	const uint8_t *p = body.n ? body.p : none;

	*j = (struct json){ .start = p, .p = p, .end = p + body.n, .utf8 = utf8, .isa = isa_get() };
}

/* ---- strings ---- */

/* Where a string needs a look: at its end, an escape, a control byte; with `ascii` at a byte over
 * 0x7f too. One routine per ISA; p may be behind the end. */
static const uint8_t *find_scalar(const uint8_t *p, const uint8_t *end, bool ascii)
{
	uint8_t over = ascii ? 0x7f : 0xff;

	while (p < end && *p != '"' && *p != '\\' && *p >= 0x20 && *p <= over)
		p++;
	return p;
}

#if defined(__x86_64__)
static const uint8_t *find_sse2(const uint8_t *p, const uint8_t *end, bool ascii)
{
	const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
	const __m128i control = _mm_set1_epi8(0x1f);
	const __m128i high = _mm_set1_epi8(ascii ? (char)0x80 : 0);

	for (; p < end; p += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)p);
		__m128i stop = _mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash));
		unsigned bits;

		stop = _mm_or_si128(stop, _mm_cmpeq_epi8(_mm_min_epu8(v, control), v));
		stop = _mm_or_si128(stop, _mm_and_si128(v, high));
		bits = (unsigned)_mm_movemask_epi8(stop);
		if (bits)
			return p + __builtin_ctz(bits);
	}
	return p;
}

__attribute__((target("avx2,bmi,bmi2"))) static const uint8_t *find_avx2(const uint8_t *p,
                                                                         const uint8_t *end,
                                                                         bool ascii)
{
	const __m256i quote = _mm256_set1_epi8('"'), slash = _mm256_set1_epi8('\\');
	const __m256i control = _mm256_set1_epi8(0x1f);
	const __m256i high = _mm256_set1_epi8(ascii ? (char)0x80 : 0);

	for (; p < end; p += 32) {
		__m256i v = _mm256_loadu_si256((const __m256i *)p);
		__m256i stop =
			_mm256_or_si256(_mm256_cmpeq_epi8(v, quote), _mm256_cmpeq_epi8(v, slash));
		unsigned bits;

		stop = _mm256_or_si256(stop, _mm256_cmpeq_epi8(_mm256_min_epu8(v, control), v));
		stop = _mm256_or_si256(stop, _mm256_and_si256(v, high));
		bits = (unsigned)_mm256_movemask_epi8(stop);
		if (bits)
			return p + __builtin_ctz(bits);
	}
	return p;
}
#endif

static const uint8_t *find(const struct json *j, const uint8_t *p, bool ascii)
{
	switch (j->isa) {
#if defined(__x86_64__)
	case ISA_AVX2:
		return find_avx2(p, j->end, ascii);
	case ISA_SSE2:
		return find_sse2(p, j->end, ascii);
#else
	case ISA_AVX2:
	case ISA_SSE2:
#endif
	case ISA_COUNT:
	case ISA_SCALAR:
		return find_scalar(p, j->end, ascii);
	}
	assert(!"an isa");
	return p;
}

const uint8_t *json_plain_long(const struct json *j, const uint8_t *p)
{
	return find(j, p, true);
}

/* Behind an escape, which another one may follow at once. */
static inline const uint8_t *find_next(const struct json *j, const uint8_t *p)
{
	return p < j->end && *p == '\\' ? p : find(j, p, false);
}

/* A string from q on, where it is no longer plain. Every escape in it is looked at here once, so
 * that json_unescape() need not doubt any. */
bool json_read_string_odd(struct json *j, const uint8_t *q, struct json_text *text)
{
	const uint8_t *from = j->p + 1;
	uint8_t tail[JSON_ESCAPE_MAX] = { 0 }; /* what lies behind the end has no say */
	bool escaped = false, lone = false;
	size_t n;
	int32_t meant;

	for (q = find(j, q, false); q < j->end && *q != '"'; q = find_next(j, q + n)) {
		if (*q != '\\')
			return json_fail(j, q, JSON_CONTROL);
		escaped = true;
		if (likely(j->end - q >= JSON_ESCAPE_MAX)) {
			n = json_escape(q, &meant);
		} else {
			memcpy(tail, q, (size_t)(j->end - q));
			n = json_escape(tail, &meant);
			memset(tail, 0, sizeof(tail));
		}
		if (n == 0)
			return json_fail(j, q, JSON_ESCAPE);
		if (meant < 0 && j->utf8 == UTF8_STRICT)
			return json_fail(j, q, JSON_SURROGATE);
		lone |= meant < 0;
	}
	if (q >= j->end)
		return json_fail(j, j->end, JSON_ENDS);
	text->raw = bytes_of(from, (size_t)(q - from));
	text->escaped = escaped;
	if (j->utf8 == UTF8_STRICT && !bytes_is_utf8(text->raw))
		return json_fail(j, from, JSON_UTF8);
	if (j->mends && (lone || !bytes_is_utf8(text->raw)))
		j->mended += json_mend(j, text->raw);
	j->p = q + 1;
	return true;
}

/* ---- values ---- */

bool json_read_number(struct json *j, struct bytes *number)
{
	const uint8_t *q = json_number_end(j->p, j->end);

	if (!q)
		return json_fail(j, j->p, JSON_NUMBER);
	*number = bytes_of(j->p, (size_t)(q - j->p));
	j->p = q;
	return true;
}

static bool literal(struct json *j, const char *text)
{
	size_t n = strlen(text), left = (size_t)(j->end - j->p);

	if (memcmp(j->p, text, min_size(n, left)) != 0)
		return json_fail(j, j->p, JSON_LITERAL);
	if (left < n)
		return json_fail(j, j->end, JSON_ENDS);
	j->p += n;
	return true;
}

bool json_read_bool(struct json *j, bool *value)
{
	*value = *j->p == 't';
	return literal(j, *value ? "true" : "false");
}

bool json_read_null(struct json *j)
{
	return literal(j, "null");
}

/* A value without members or elements; c is its first byte. */
static bool skip_scalar(struct json *j, uint8_t c)
{
	struct json_text text;
	struct bytes number;
	bool value;

	if (c == '"')
		return json_read_string(j, &text);
	if (c == 't' || c == 'f')
		return json_read_bool(j, &value);
	if (c == 'n')
		return json_read_null(j);
	if (c == '-' || (uint8_t)(c - '0') < 10)
		return json_read_number(j, &number);
	return json_fail(j, j->p, JSON_VALUE);
}

bool json_skip(struct json *j, unsigned depth)
{
	bool is_object[JSON_NEST_MAX] = { false }; /* of each open bracket */
	bool first = false;
	struct json_text name;
	unsigned open = 0;

	assert(depth <= JSON_NEST_MAX);
	for (;;) {
		uint8_t c = json_peek(j);

		if (c == '{' || c == '[') {
			if (open == depth)
				return json_fail(j, j->p, JSON_DEPTH);
			is_object[open++] = c == '{';
			json_open(j);
			first = true;
		} else if (!skip_scalar(j, c)) {
			return false;
		} else {
			first = false;
		}
		/* to the next value, through every bracket that ends before it */
		while (open && !(is_object[open - 1] ? json_member(j, first, &name)
		                                     : json_element(j, first))) {
			if (j->error)
				return false;
			open--;
			first = false;
		}
		if (open == 0)
			return true;
	}
}

bool json_end(struct json *j)
{
	json_peek(j);
	return j->error == JSON_OK && (j->p == j->end || json_fail(j, j->p, JSON_BEHIND));
}
