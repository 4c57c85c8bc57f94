/* SPDX-License-Identifier: Apache-2.0 */
/*
 * high_bits.h -- one bit for each of p[0..64) that is >= 0x80: what all fast paths of proto/ ask of
 * text and varints, once per ISA. All 64 bytes are read (BODY_SLACK).
 */
#pragma once
#include "common/bytes.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define TARGET_AVX2 __attribute__((target("avx2,bmi,bmi2")))
#endif

static inline uint64_t high_bits_scalar(const uint8_t *p)
{
	uint64_t bits = 0, word;

	for (unsigned i = 0; i < 8; i++) {
		memcpy(&word, p + 8 * i, 8);
		/* gathers the top bit of each byte into one (little-endian) */
		bits |= ((word >> 7 & 0x0101010101010101) * 0x0102040810204080 >> 56) << (8 * i);
	}
	return bits;
}

#if defined(__x86_64__)
static inline uint64_t high_bits_sse2(const uint8_t *p)
{
	uint64_t bits = 0;

	for (unsigned i = 0; i < 4; i++) {
		__m128i block = _mm_loadu_si128((const __m128i *)(p + 16 * i));

		bits |= (uint64_t)(unsigned)_mm_movemask_epi8(block) << (16 * i);
	}
	return bits;
}

TARGET_AVX2 static inline uint64_t high_bits_avx2(const uint8_t *p)
{
	__m256i low = _mm256_loadu_si256((const __m256i *)p);
	__m256i high = _mm256_loadu_si256((const __m256i *)(p + 32));

	return (unsigned)_mm256_movemask_epi8(low) | (uint64_t)(unsigned)_mm256_movemask_epi8(high)
	                                                     << 32;
}
#endif
