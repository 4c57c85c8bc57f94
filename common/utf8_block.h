/* SPDX-License-Identifier: Apache-2.0 */
/*
 * utf8_block.h -- is this block of text, behind that one, UTF-8? The rules as vectors, for utf8.c
 * and for loops that have short texts by the million and know what is readable behind them. The
 * scalar kernel of utf8.c defines the answer.
 */
#pragma once
#include "common/bytes.h"

#if defined(__x86_64__)
#include <immintrin.h>

/*
 * SSE2 has no byte shuffle, so each rule is a comparison. A byte continues if and only if a lead
 * byte that wants so many is one, two or three before it; four lead bytes bound their second byte
 * further. 0: sound.
 */
static inline __m128i utf8_broken_sse2(__m128i now, __m128i before)
{
	/* the block as of one, two and three bytes earlier */
	__m128i before1 = _mm_or_si128(_mm_slli_si128(now, 1), _mm_srli_si128(before, 15));
	__m128i before2 = _mm_or_si128(_mm_slli_si128(now, 2), _mm_srli_si128(before, 14));
	__m128i before3 = _mm_or_si128(_mm_slli_si128(now, 3), _mm_srli_si128(before, 13));
	/* as signed numbers, 0x80..0xbf are the lowest */
	__m128i continues = _mm_cmplt_epi8(now, _mm_set1_epi8((char)0xc0));
	__m128i wanted =
		_mm_or_si128(_mm_subs_epu8(before1, _mm_set1_epi8((char)0xbf)),
	                     _mm_or_si128(_mm_subs_epu8(before2, _mm_set1_epi8((char)0xdf)),
	                                  _mm_subs_epu8(before3, _mm_set1_epi8((char)0xef))));
	__m128i wrong = _mm_cmpeq_epi8(continues, _mm_cmpeq_epi8(wanted, _mm_setzero_si128()));
	/* c0 and c1, f5 to ff */
	__m128i never = _mm_or_si128(_mm_cmpeq_epi8(_mm_and_si128(now, _mm_set1_epi8((char)0xfe)),
	                                            _mm_set1_epi8((char)0xc0)),
	                             _mm_subs_epu8(now, _mm_set1_epi8((char)0xf4)));
	/* e0 80..9f, ed a0..bf, f0 80..8f, f4 90..bf: which of the bits 0x20 and 0x10 may not be,
	 * or be */
	__m128i e0 = _mm_cmpeq_epi8(before1, _mm_set1_epi8((char)0xe0));
	__m128i ed = _mm_cmpeq_epi8(before1, _mm_set1_epi8((char)0xed));
	__m128i f0 = _mm_cmpeq_epi8(before1, _mm_set1_epi8((char)0xf0));
	__m128i f4 = _mm_cmpeq_epi8(before1, _mm_set1_epi8((char)0xf4));
	__m128i low = _mm_cmplt_epi8(now, _mm_set1_epi8((char)0x90));
	__m128i lower = _mm_cmplt_epi8(now, _mm_set1_epi8((char)0xa0));
	__m128i second =
		_mm_or_si128(_mm_or_si128(_mm_and_si128(e0, lower), _mm_andnot_si128(lower, ed)),
	                     _mm_or_si128(_mm_and_si128(f0, low), _mm_andnot_si128(low, f4)));

	return _mm_or_si128(_mm_or_si128(wrong, never), second);
}

static inline bool utf8_none_sse2(__m128i bad)
{
	return _mm_movemask_epi8(_mm_cmpeq_epi8(bad, _mm_setzero_si128())) == 0xffff;
}

/*
 * AVX2: three table look-ups by nibble say of each pair of neighbouring bytes which rule it could
 * break; where all three agree, it is broken (the published algorithm of Keiser and Lemire). The
 * length of 3- and 4-byte sequences is the one thing that pairs cannot see: must_continue.
 */
enum {
	UTF8_TOO_SHORT = 1, /* a lead byte without continuation */
	UTF8_TOO_LONG = 2, /* a continuation after ASCII */
	UTF8_OVERLONG_3 = 4, /* e0 80..9f */
	UTF8_TOO_LARGE = 8, /* f4 90..bf, f5..ff 90..bf */
	UTF8_SURROGATE = 16, /* ed a0..bf */
	UTF8_OVERLONG_2 = 32, /* c0, c1 */
	UTF8_BAD_4 = 64, /* f0 80..8f, f5..ff 80..8f */
	UTF8_TWO_CONTS =
		128, /* continuation after continuation: fine only inside longer sequences */
	UTF8_CARRY = UTF8_TOO_SHORT | UTF8_TOO_LONG | UTF8_TWO_CONTS,
	UTF8_BEYOND = UTF8_CARRY | UTF8_TOO_LARGE | UTF8_BAD_4,
};

#define UTF8_AVX2 __attribute__((target("avx2,bmi,bmi2")))
#define UTF8_TABLE(...) _mm256_broadcastsi128_si256(_mm_setr_epi8(__VA_ARGS__))

UTF8_AVX2 static inline __m256i utf8_shift_in(__m256i now, __m256i before, int bytes_is_1_2_or_3)
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

UTF8_AVX2 static inline __m256i utf8_broken_pairs(__m256i now, __m256i prev1)
{
	const __m256i nibble = _mm256_set1_epi8(0x0f);
	const __m256i first_high =
		UTF8_TABLE(UTF8_TOO_LONG, UTF8_TOO_LONG, UTF8_TOO_LONG, UTF8_TOO_LONG,
	                   UTF8_TOO_LONG, UTF8_TOO_LONG, UTF8_TOO_LONG, UTF8_TOO_LONG,
	                   (char)UTF8_TWO_CONTS, (char)UTF8_TWO_CONTS, (char)UTF8_TWO_CONTS,
	                   (char)UTF8_TWO_CONTS, UTF8_TOO_SHORT | UTF8_OVERLONG_2, UTF8_TOO_SHORT,
	                   UTF8_TOO_SHORT | UTF8_OVERLONG_3 | UTF8_SURROGATE,
	                   UTF8_TOO_SHORT | UTF8_TOO_LARGE | UTF8_BAD_4);
	const __m256i first_low = UTF8_TABLE(
		(char)(UTF8_CARRY | UTF8_OVERLONG_3 | UTF8_OVERLONG_2 | UTF8_BAD_4),
		(char)(UTF8_CARRY | UTF8_OVERLONG_2), (char)UTF8_CARRY, (char)UTF8_CARRY,
		(char)(UTF8_CARRY | UTF8_TOO_LARGE), (char)UTF8_BEYOND, (char)UTF8_BEYOND,
		(char)UTF8_BEYOND, (char)UTF8_BEYOND, (char)UTF8_BEYOND, (char)UTF8_BEYOND,
		(char)UTF8_BEYOND, (char)UTF8_BEYOND, (char)(UTF8_BEYOND | UTF8_SURROGATE),
		(char)UTF8_BEYOND, (char)UTF8_BEYOND);
	const __m256i second_high =
		UTF8_TABLE(UTF8_TOO_SHORT, UTF8_TOO_SHORT, UTF8_TOO_SHORT, UTF8_TOO_SHORT,
	                   UTF8_TOO_SHORT, UTF8_TOO_SHORT, UTF8_TOO_SHORT, UTF8_TOO_SHORT,
	                   (char)(UTF8_TOO_LONG | UTF8_OVERLONG_2 | UTF8_TWO_CONTS |
	                          UTF8_OVERLONG_3 | UTF8_BAD_4),
	                   (char)(UTF8_TOO_LONG | UTF8_OVERLONG_2 | UTF8_TWO_CONTS |
	                          UTF8_OVERLONG_3 | UTF8_TOO_LARGE),
	                   (char)(UTF8_TOO_LONG | UTF8_OVERLONG_2 | UTF8_TWO_CONTS |
	                          UTF8_SURROGATE | UTF8_TOO_LARGE),
	                   (char)(UTF8_TOO_LONG | UTF8_OVERLONG_2 | UTF8_TWO_CONTS |
	                          UTF8_SURROGATE | UTF8_TOO_LARGE),
	                   UTF8_TOO_SHORT, UTF8_TOO_SHORT, UTF8_TOO_SHORT, UTF8_TOO_SHORT);
	__m256i a = _mm256_shuffle_epi8(first_high,
	                                _mm256_and_si256(_mm256_srli_epi16(prev1, 4), nibble));
	__m256i b = _mm256_shuffle_epi8(first_low, _mm256_and_si256(prev1, nibble));
	__m256i c = _mm256_shuffle_epi8(second_high,
	                                _mm256_and_si256(_mm256_srli_epi16(now, 4), nibble));

	return _mm256_and_si256(_mm256_and_si256(a, b), c);
}

UTF8_AVX2 static inline __m256i utf8_broken_avx2(__m256i now, __m256i before)
{
	__m256i pairs = utf8_broken_pairs(now, utf8_shift_in(now, before, 1));
	__m256i third =
		_mm256_subs_epu8(utf8_shift_in(now, before, 2), _mm256_set1_epi8(0xe0 - 0x80));
	__m256i fourth = _mm256_subs_epu8(utf8_shift_in(now, before, 3),
	                                  _mm256_set1_epi8((char)(0xf0 - 0x80)));
	__m256i must_continue =
		_mm256_and_si256(_mm256_or_si256(third, fourth), _mm256_set1_epi8((char)0x80));

	return _mm256_xor_si256(must_continue, pairs);
}

/*
 * A short text that is not all ASCII, at most UTF8_SHORT_SLACK bytes behind which are read. The
 * bytes behind it count as NUL: a character that the end cuts is too short before one.
 */
enum { UTF8_SHORT_SLACK = 32 };

static inline bool utf8_short_sse2(const uint8_t *p, size_t n)
{
	const __m128i places = _mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
	__m128i before = _mm_setzero_si128(), bad = before;
	__m128i now = _mm_loadu_si128((const __m128i *)p);

	for (; n >= 16; n -= 16) {
		bad = _mm_or_si128(bad, utf8_broken_sse2(now, before));
		before = now;
		p += 16;
		now = _mm_loadu_si128((const __m128i *)p);
	}
	now = _mm_and_si128(now, _mm_cmplt_epi8(places, _mm_set1_epi8((char)n)));
	return utf8_none_sse2(_mm_or_si128(bad, utf8_broken_sse2(now, before)));
}

UTF8_AVX2 static inline bool utf8_short_avx2(const uint8_t *p, size_t n)
{
	const __m256i places =
		_mm256_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18,
	                         19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31);
	__m256i before = _mm256_setzero_si256(), bad = before;
	__m256i now = _mm256_loadu_si256((const __m256i *)p);

	for (; n >= 32; n -= 32) {
		bad = _mm256_or_si256(bad, utf8_broken_avx2(now, before));
		before = now;
		p += 32;
		now = _mm256_loadu_si256((const __m256i *)p);
	}
	now = _mm256_and_si256(now, _mm256_cmpgt_epi8(_mm256_set1_epi8((char)n), places));
	bad = _mm256_or_si256(bad, utf8_broken_avx2(now, before));
	return _mm256_testz_si256(bad, bad);
}
#endif
