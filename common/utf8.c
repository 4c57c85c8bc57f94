/* SPDX-License-Identifier: Apache-2.0 */
/*
 * utf8.c -- is this text UTF-8 (RFC 3629)? Called for every string of every body, so there is a
 * kernel per ISA (common/isa.h) beside the scalar one that defines the answer. Never reads past the
 * slice it is given.
 */
#include "common/bytes.h"

#include "common/isa.h"
#include "common/utf8_block.h"

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
static bool utf8_sse2(const uint8_t *p, size_t n)
{
	__m128i before = _mm_setzero_si128(), bad = before, now;
	uint8_t tail[16] = { 0 };
	size_t i = 0;

	for (; n - i >= 16; i += 16) {
		now = _mm_loadu_si128((const __m128i *)(p + i));
		/* ASCII after ASCII needs no look; its first byte also ends what came before */
		if (_mm_movemask_epi8(_mm_or_si128(now, before)))
			bad = _mm_or_si128(bad, utf8_broken_sse2(now, before));
		before = now;
	}
	/* The rest, zeros after it: a sequence that the end cuts is too short before a zero. */
	if (n > i)
		memcpy(tail, p + i, n - i);
	now = _mm_loadu_si128((const __m128i *)tail);
	bad = _mm_or_si128(bad, utf8_broken_sse2(now, before));
	return utf8_none_sse2(bad);
}

UTF8_AVX2 static bool utf8_avx2(const uint8_t *p, size_t n)
{
	__m256i before = _mm256_setzero_si256(), bad = before, now;
	uint8_t tail[32] = { 0 };
	size_t i = 0;

	for (; n - i >= 32; i += 32) {
		now = _mm256_loadu_si256((const __m256i *)(p + i));
		/* ASCII after ASCII needs no look; its first byte also ends what came before */
		if (_mm256_movemask_epi8(_mm256_or_si256(now, before)))
			bad = _mm256_or_si256(bad, utf8_broken_avx2(now, before));
		before = now;
	}
	if (n > i)
		memcpy(tail, p + i, n - i);
	now = _mm256_loadu_si256((const __m256i *)tail);
	bad = _mm256_or_si256(bad, utf8_broken_avx2(now, before));
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
		return b.n < 16 ? utf8_scalar(b.p, b.n) : utf8_sse2(b.p, b.n);
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
