/* SPDX-License-Identifier: Apache-2.0 */
#include "common/utf8.c"

#include <criterion/criterion.h>

/* By the definition: decode the number, then ask whether its shortest form is what was written. */
static bool by_definition(const uint8_t *p, size_t n)
{
	while (n) {
		size_t k = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
		uint32_t v = k == 1 ? p[0] : p[0] & (0xff >> (k + 1));

		if ((p[0] >= 0x80 && p[0] < 0xc0) || p[0] >= 0xf8 || k > n)
			return false;
		for (size_t i = 1; i < k; i++) {
			if ((p[i] & 0xc0) != 0x80)
				return false;
			v = v << 6 | (p[i] & 0x3f);
		}
		if (k != (v < 0x80      ? 1u
		          : v < 0x800   ? 2u
		          : v < 0x10000 ? 3u
		                        : 4u) ||
		    v > 0x10ffff || (v >= 0xd800 && v < 0xe000))
			return false;
		p += k;
		n -= k;
	}
	return true;
}

/* Over all kinds of bytes behind the text, which must not matter. */
#if defined(__x86_64__)
static bool behind(bool (*is_utf8)(const uint8_t *, size_t), const uint8_t *p, size_t n)
{
	static const uint8_t fills[] = { 0x00, 'x', 0x80, 0xbf, 0xf0, 0xff };
	uint8_t *copy = xcalloc(n + UTF8_SHORT_SLACK, 1);
	bool answer = false;

	if (n)
		memcpy(copy, p, n);
	for (size_t i = 0; i < sizeof(fills); i++) {
		bool other;

		memset(copy + n, fills[i], UTF8_SHORT_SLACK);
		other = is_utf8(copy, n);
		cr_assert(i == 0 || other == answer, "what is behind %zu bytes matters", n);
		answer = other;
	}
	free(copy);
	return answer;
}

static bool short_sse2(const uint8_t *p, size_t n)
{
	return behind(utf8_short_sse2, p, n);
}

UTF8_AVX2 static bool short_avx2_once(const uint8_t *p, size_t n)
{
	return utf8_short_avx2(p, n);
}

static bool short_avx2(const uint8_t *p, size_t n)
{
	return behind(short_avx2_once, p, n);
}
#endif

static bool (*const kernels[])(const uint8_t *, size_t) = {
	utf8_scalar,
#if defined(__x86_64__)
	utf8_sse2,   short_sse2, utf8_avx2, short_avx2,
#endif
};

static size_t kernel_count(void)
{
	return isa_force(ISA_AVX2) ? ARRAY_LEN(kernels) : min_size(ARRAY_LEN(kernels), 3);
}

/* Each kernel, the text at several places of a block, in memory that ends with the text. */
static void judge(const uint8_t *text, size_t n, bool expected)
{
	static const size_t places[] = { 0, 13, 14, 15, 29, 30, 31, 32, 61, 64 };

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		size_t at = places[i], all = at + n;
		uint8_t *exact = xcalloc(all + 1, 1);

		memset(exact, 'x', at);
		memcpy(exact + at, text, n);
		exact = xrealloc(exact, all ? all : 1, 1);
		for (size_t k = 0; k < kernel_count(); k++)
			cr_assert_eq(kernels[k](exact, all), expected,
			             "kernel %zu, %02x %02x, %zu bytes at %zu", k, text[0],
			             n > 1 ? text[1] : 0, n, at);
		free(exact);
	}
}

Test(utf8, all_sequences_of_one_and_two_bytes_are_judged_by_the_definition)
{
	for (int a = 0; a < 256; a++) {
		uint8_t text[2] = { (uint8_t)a };

		judge(text, 1, by_definition(text, 1));
		for (int b = 0; b < 256; b++) {
			text[1] = (uint8_t)b;
			judge(text, 2, by_definition(text, 2));
		}
	}
}

Test(utf8, long_sequences_are_judged_by_the_definition_at_every_edge)
{
	static const uint8_t edges[] = { 0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf,
		                         0xc0, 0xc2, 0xdf, 0xe0, 0xed, 0xf0, 0xf4, 0xff };
	uint8_t text[4];

	for (int a = 0xc0; a < 256; a++)
		for (size_t b = 0; b < sizeof(edges); b++)
			for (size_t c = 0; c < sizeof(edges); c++) {
				text[0] = (uint8_t)a;
				text[1] = edges[b];
				text[2] = edges[c];
				judge(text, 3, by_definition(text, 3));
				for (size_t d = 0; a >= 0xe0 && d < sizeof(edges); d += 1) {
					text[3] = edges[d];
					for (size_t k = 0; k < kernel_count(); k++)
						cr_assert_eq(kernels[k](text, 4),
						             by_definition(text, 4),
						             "kernel %zu: %02x %02x %02x %02x", k,
						             text[0], text[1], text[2], text[3]);
				}
			}
}

Test(utf8, every_kind_of_sequence_at_every_place_of_texts_of_up_to_130_bytes)
{
	static const char *const sequences[] = {
		/* sound */
		"\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
		"\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf",
		/* a lead byte without its continuation, and with too few */
		"\xc2", "\xe2", "\xe2\x82", "\xf1", "\xf1\x80", "\xf1\x80\x80",
		/* a continuation without its lead byte, or one too many */
		"\x80", "\xbf", "\xc3\xa4\x80", "\xe2\x82\xac\x80", "\xf0\x9f\x98\x80\x80",
		/* overlong */
		"\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xf0\x80\x80\x80",
		"\xf0\x8f\xbf\xbf",
		/* surrogates, beyond U+10FFFF, no byte of UTF-8 */
		"\xed\xa0\x80", "\xed\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
		"\xf8\x88\x80\x80\x80", "\xfe", "\xff"
	};
	uint8_t text[130];

	for (size_t i = 0; i < ARRAY_LEN(sequences); i++)
		for (size_t n = strlen(sequences[i]); n <= sizeof(text); n += n < 70 ? 1 : 3)
			for (size_t at = 0; at + strlen(sequences[i]) <= n; at += n < 70 ? 1 : 2) {
				bool expected;

				memset(text, 'x', n);
				memcpy(text + at, sequences[i], strlen(sequences[i]));
				expected = by_definition(text, n);
				for (size_t k = 0; k < kernel_count(); k++)
					cr_assert_eq(kernels[k](text, n), expected,
					             "kernel %zu, sequence %zu at %zu of %zu", k, i,
					             at, n);
			}
}

Test(utf8, random_mixtures_are_judged_by_the_definition)
{
	static const char *const parts[] = {
		"a",           "\xc3\xa4",     "\xe2\x82\xac", "\xf0\x9f\x98\x80",
		"plain ascii", "\xed\x9f\xbf", "\xee\x80\x80", "\xf4\x8f\xbf\xbf"
	};
	uint32_t seed = 12345;
	uint8_t text[300];

	for (int round = 0; round < 20000; round++) {
		size_t n = 0;
		bool expected;

		for (int i = 0; i < 20; i++) {
			const char *part = parts[(seed = seed * 1664525 + 1013904223) >> 29];

			memcpy(text + n, part, strlen(part));
			n += strlen(part);
		}
		if (round % 2) /* one byte broken, or not */
			text[(seed >> 8) % n] = (uint8_t)(seed >> 16);
		n -= round % 5; /* perhaps cut inside a character */
		expected = by_definition(text, n);
		for (size_t k = 0; k < kernel_count(); k++)
			cr_assert_eq(kernels[k](text, n), expected, "kernel %zu, round %d", k,
			             round);
	}
}

Test(utf8, the_dispatcher_gives_the_same_answer_for_every_isa)
{
	for (int isa = 0; isa < ISA_COUNT && isa_force((enum isa)isa); isa++) {
		cr_expect_eq(isa_get(), (enum isa)isa);
		cr_expect(bytes_is_utf8(BYTES("")));
		cr_expect(bytes_is_utf8(BYTES_NONE));
		cr_expect(bytes_is_utf8(BYTES(
			"a NUL \0 is legal, so is \xc3\xa9 in a long text \xf0\x9f\x98\x80")));
		cr_expect_not(bytes_is_utf8(BYTES("cut inside of a character: \xe2\x82")));
		cr_expect_not(bytes_is_utf8(BYTES("\xed\xa0\x80 is a surrogate")));
	}
}

Test(utf8, a_sequence_is_measured)
{
	cr_expect_eq(utf8_sequence((const uint8_t *)"", 0), 0);
	cr_expect_eq(utf8_sequence((const uint8_t *)"\0", 1), 1);
	cr_expect_eq(utf8_sequence((const uint8_t *)"\xc3\xa4z", 3), 2);
	cr_expect_eq(utf8_sequence((const uint8_t *)"\xe2\x82\xac", 3), 3);
	cr_expect_eq(utf8_sequence((const uint8_t *)"\xe2\x82\xac", 2), 0);
	cr_expect_eq(utf8_sequence((const uint8_t *)"\xf0\x9f\x98\x80", 4), 4);
	cr_expect_eq(utf8_sequence((const uint8_t *)"\xf0\x9f\x98\x80", 3), 0);
	cr_expect_eq(utf8_sequence((const uint8_t *)"\x82", 1), 0);
}
