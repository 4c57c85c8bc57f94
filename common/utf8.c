/* SPDX-License-Identifier: Apache-2.0 */
/*
 * utf8.c -- is this text UTF-8 (RFC 3629)? Called for every string of every body, so there is a
 * kernel per ISA (common/isa.h) beside the scalar one that defines the answer. Never reads past the
 * slice it is given.
 */
#include "common/bytes.h"

#include "common/isa.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static inline bool continues(uint8_t c)
{
	return (c & 0xc0) == 0x80;
}

size_t utf8_sequence(const uint8_t *p, size_t n)
{
	uint8_t low = 0x80, high = 0xbf; /* of the second byte: RFC 3629 section 4 */

	if (n == 0)
		return 0;
	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4) /* continuation, overlong, beyond U+10FFFF */
		return 0;
	if (p[0] < 0xe0)
		return n >= 2 && continues(p[1]) ? 2 : 0;
	if (p[0] == 0xe0)
		low = 0xa0; /* overlong */
	else if (p[0] == 0xed)
		high = 0x9f; /* surrogates */
	else if (p[0] == 0xf0)
		low = 0x90; /* overlong */
	else if (p[0] == 0xf4)
		high = 0x8f; /* beyond U+10FFFF */
	if (n < 3 || p[1] < low || p[1] > high || !continues(p[2]))
		return 0;
	if (p[0] < 0xf0)
		return 3;
	return n >= 4 && continues(p[3]) ? 4 : 0;
}

static bool utf8_scalar(const uint8_t *p, size_t n)
{
	size_t i = 0;

	while (i < n) {
		size_t k;

		if (n - i >= 8) {
			uint64_t word;

			memcpy(&word, p + i, 8);
			if (!(word & 0x8080808080808080)) {
				i += 8;
				continue;
			}
		}
		k = utf8_sequence(p + i, n - i);
		if (!k)
			return false;
		i += k;
	}
	return true;
}

#if defined(__x86_64__)
/* SSE2 has no byte shuffle: ASCII goes by 16, the rest one character at a time. */
static bool utf8_sse2(const uint8_t *p, size_t n)
{
	size_t i = 0;

	while (n - i >= 16) {
		unsigned high = _mm_movemask_epi8(_mm_loadu_si128((const __m128i *)(p + i)));
		size_t stop;

		if (!high) {
			i += 16;
			continue;
		}
		stop = i + 16;
		i += __builtin_ctz(high);
		while (i < stop) {
			size_t k = utf8_sequence(p + i, n - i);

			if (!k)
				return false;
			i += k;
		}
	}
	return utf8_scalar(p + i, n - i);
}

/*
 * AVX2: three table look-ups by nibble say of each pair of neighbouring bytes which rule it could
 * break; where all three agree, it is broken (the published algorithm of Keiser and Lemire). The
 * length of 3- and 4-byte sequences is the one thing that pairs cannot see: must_continue.
 */
enum {
	TOO_SHORT = 1, /* a lead byte without continuation */
	TOO_LONG = 2, /* a continuation after ASCII */
	OVERLONG_3 = 4, /* e0 80..9f */
	TOO_LARGE = 8, /* f4 90..bf, f5..ff 90..bf */
	SURROGATE = 16, /* ed a0..bf */
	OVERLONG_2 = 32, /* c0, c1 */
	BAD_4 = 64, /* f0 80..8f, f5..ff 80..8f */
	TWO_CONTS = 128, /* continuation after continuation: fine only inside longer sequences */
	CARRY = TOO_SHORT | TOO_LONG | TWO_CONTS,
	BEYOND = CARRY | TOO_LARGE | BAD_4,
};

#define AVX2 __attribute__((target("avx2")))
#define TABLE(...) _mm256_broadcastsi128_si256(_mm_setr_epi8(__VA_ARGS__))

AVX2 static inline __m256i shift_in(__m256i now, __m256i before, int bytes_is_1_2_or_3)
{
	__m256i joint = _mm256_permute2x128_si256(before, now, 0x21);

	switch (bytes_is_1_2_or_3) { /* alignr needs a constant */
	case 1:
		return _mm256_alignr_epi8(now, joint, 15);
	case 2:
		return _mm256_alignr_epi8(now, joint, 14);
	}
	return _mm256_alignr_epi8(now, joint, 13);
}

AVX2 static inline __m256i broken_pairs(__m256i now, __m256i prev1)
{
	const __m256i nibble = _mm256_set1_epi8(0x0f);
	const __m256i first_high =
		TABLE(TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG,
	              TOO_LONG, (char)TWO_CONTS, (char)TWO_CONTS, (char)TWO_CONTS, (char)TWO_CONTS,
	              TOO_SHORT | OVERLONG_2, TOO_SHORT, TOO_SHORT | OVERLONG_3 | SURROGATE,
	              TOO_SHORT | TOO_LARGE | BAD_4);
	const __m256i first_low = TABLE(
		(char)(CARRY | OVERLONG_3 | OVERLONG_2 | BAD_4), (char)(CARRY | OVERLONG_2),
		(char)CARRY, (char)CARRY, (char)(CARRY | TOO_LARGE), (char)BEYOND, (char)BEYOND,
		(char)BEYOND, (char)BEYOND, (char)BEYOND, (char)BEYOND, (char)BEYOND, (char)BEYOND,
		(char)(BEYOND | SURROGATE), (char)BEYOND, (char)BEYOND);
	const __m256i second_high =
		TABLE(TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT,
	              TOO_SHORT, (char)(TOO_LONG | OVERLONG_2 | TWO_CONTS | OVERLONG_3 | BAD_4),
	              (char)(TOO_LONG | OVERLONG_2 | TWO_CONTS | OVERLONG_3 | TOO_LARGE),
	              (char)(TOO_LONG | OVERLONG_2 | TWO_CONTS | SURROGATE | TOO_LARGE),
	              (char)(TOO_LONG | OVERLONG_2 | TWO_CONTS | SURROGATE | TOO_LARGE), TOO_SHORT,
	              TOO_SHORT, TOO_SHORT, TOO_SHORT);
	__m256i a = _mm256_shuffle_epi8(first_high,
	                                _mm256_and_si256(_mm256_srli_epi16(prev1, 4), nibble));
	__m256i b = _mm256_shuffle_epi8(first_low, _mm256_and_si256(prev1, nibble));
	__m256i c = _mm256_shuffle_epi8(second_high,
	                                _mm256_and_si256(_mm256_srli_epi16(now, 4), nibble));

	return _mm256_and_si256(_mm256_and_si256(a, b), c);
}

AVX2 static inline __m256i broken(__m256i now, __m256i before)
{
	__m256i pairs = broken_pairs(now, shift_in(now, before, 1));
	__m256i third = _mm256_subs_epu8(shift_in(now, before, 2), _mm256_set1_epi8(0xe0 - 0x80));
	__m256i fourth =
		_mm256_subs_epu8(shift_in(now, before, 3), _mm256_set1_epi8((char)(0xf0 - 0x80)));
	__m256i must_continue =
		_mm256_and_si256(_mm256_or_si256(third, fourth), _mm256_set1_epi8((char)0x80));

	return _mm256_xor_si256(must_continue, pairs);
}

AVX2 static bool utf8_avx2(const uint8_t *p, size_t n)
{
	__m256i before = _mm256_setzero_si256(), bad = before, now;
	uint8_t tail[32] = { 0 };
	size_t i = 0;

	for (; n - i >= 32; i += 32) {
		now = _mm256_loadu_si256((const __m256i *)(p + i));
		/* ASCII after ASCII needs no look; its first byte also ends what came before */
		if (_mm256_movemask_epi8(_mm256_or_si256(now, before)))
			bad = _mm256_or_si256(bad, broken(now, before));
		before = now;
	}
	/* The rest, zeros after it: a sequence that the end cuts is too short before a zero. */
	if (n > i)
		memcpy(tail, p + i, n - i);
	now = _mm256_loadu_si256((const __m256i *)tail);
	bad = _mm256_or_si256(bad, broken(now, before));
	return _mm256_testz_si256(bad, bad);
}
#endif

bool bytes_is_utf8(struct bytes b)
{
	switch (isa_get()) {
#if defined(__x86_64__)
	case ISA_AVX2:
		return b.n < 16 ? utf8_scalar(b.p, b.n) : utf8_avx2(b.p, b.n);
	case ISA_SSE2:
		return utf8_sse2(b.p, b.n);
#else
	case ISA_AVX2:
	case ISA_SSE2:
#endif
	case ISA_COUNT:
	case ISA_SCALAR:
		return utf8_scalar(b.p, b.n);
	}
	assert(!"an isa");
	return false;
}
