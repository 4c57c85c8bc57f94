/* SPDX-License-Identifier: Apache-2.0 */
/* The C library's strtod() is the oracle: it is correctly rounded. */
#include "proto/json_double.c"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t state = 1;

static uint64_t any(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static void expect(uint64_t digits, int64_t exponent)
{
	double got = json_double(digits, exponent), wanted;
	char text[64];

	snprintf(text, sizeof(text), "%llue%lld", (unsigned long long)digits, (long long)exponent);
	wanted = strtod(text, NULL);
	cr_assert(memcmp(&got, &wanted, sizeof(got)) == 0, "%s: %a, not %a", text, got, wanted);
}

Test(json_double, numbers_of_every_size_are_rounded_as_the_c_library_does)
{
	for (int q = -400; q <= 330; q++) {
		expect(0, q);
		expect(1, q);
		expect(UINT64_MAX, q);
		expect(9999999999999999999u, q);
		for (int i = 0; i < 300; i++) {
			uint64_t v = any();

			expect(v >> any() % 64, q);
			expect(v % 1000000, q);
		}
	}
}

/* Halfway between two doubles, and one beside it: even wins. */
Test(json_double, ties_go_to_the_even_one)
{
	uint64_t fives = 1;

	for (int q = 0; q >= -27; q--, fives = q >= -27 ? fives * 5 : fives)
		for (int i = 0; i < 2000; i++) {
			/* an odd number of 54 bits over 2^-q, as digits x 10^q */
			uint64_t odd = (UINT64_C(1) << 53 | (any() >> 11)) | 1, digits;

			if (__builtin_mul_overflow(odd, fives, &digits))
				continue;
			expect(digits - 1, q);
			expect(digits, q);
			expect(digits + 1, q);
		}
	for (int q = 0; q <= 22; q++)
		for (int i = 0; i < 2000; i++) {
			uint64_t v = any() >> (any() % 40);

			expect(v, q);
			expect(9007199254740993u, q);
		}
}

Test(json_double, the_least_and_the_largest_numbers)
{
	for (int64_t v = -5000; v <= 5000; v++) {
		expect((uint64_t)(INT64_C(17976931348623157) * 100 + v), 290); /* about DBL_MAX */
		expect((uint64_t)(INT64_C(22250738585072014) * 100 + v),
		       -326); /* the least normal one */
		expect((uint64_t)(INT64_C(49406564584124654) * 100 + v),
		       -342); /* the least of all */
		expect((uint64_t)(INT64_C(24703282292062327) * 100 + v), -342); /* half of it */
	}
	cr_expect(isinf(json_double(1, 309)));
	cr_expect(isinf(json_double(1, INT64_MAX)));
	cr_expect_eq(json_double(UINT64_MAX, -343), 0);
	cr_expect_eq(json_double(1, INT64_MIN), 0);
}

/* ---- the table, made anew by long multiplication and division ---- */

enum { LIMBS = 32 };
struct large {
	uint32_t limb[LIMBS]; /* the least one first */
};

static unsigned bit_length(const struct large *a)
{
	for (unsigned i = LIMBS; i-- > 0;)
		if (a->limb[i])
			return 32 * i + 32 - (unsigned)__builtin_clz(a->limb[i]);
	return 0;
}

static unsigned bit(const struct large *a, unsigned i)
{
	return a->limb[i / 32] >> i % 32 & 1;
}

static void times_five(struct large *a)
{
	uint64_t carry = 0;

	for (unsigned i = 0; i < LIMBS; i++) {
		carry += (uint64_t)a->limb[i] * 5;
		a->limb[i] = (uint32_t)carry;
		carry >>= 32;
	}
}

static void twice(struct large *a)
{
	for (unsigned i = LIMBS; i-- > 0;)
		a->limb[i] = a->limb[i] << 1 | (i ? a->limb[i - 1] >> 31 : 0);
}

/* Whether b fits into a; it is taken off. */
static bool take(struct large *a, const struct large *b)
{
	struct large rest;
	int64_t borrow = 0;

	for (unsigned i = 0; i < LIMBS; i++) {
		borrow += (int64_t)a->limb[i] - b->limb[i];
		rest.limb[i] = (uint32_t)borrow;
		borrow >>= 32;
	}
	if (borrow == 0)
		*a = rest;
	return borrow == 0;
}

Test(json_double, the_table_holds_the_powers_of_five)
{
	struct large five = { .limb = { 1 } };

	for (int q = 0; q <= -JSON_POWER_MIN; q++, times_five(&five)) {
		unsigned n = bit_length(&five);
		unsigned __int128 wanted = 0, up;
		const struct json_power *power;
		struct large rest = { 0 };

		for (unsigned i = 0; i < 128; i++)
			wanted = wanted << 1 | (i < n ? bit(&five, n - 1 - i) : 0);
		if (q <= JSON_POWER_MAX) {
			power = &json_powers[q - JSON_POWER_MIN];
			cr_expect(power->high == (uint64_t)(wanted >> 64) &&
			                  power->low == (uint64_t)wanted,
			          "5^%d", q);
		}
		if (q == 0)
			continue;
		power = &json_powers[-q - JSON_POWER_MIN];
		rest.limb[(n - 1) / 32] = 1u << (n - 1) % 32; /* below 5^q */
		for (unsigned i = 0; i < 128; i++) {
			twice(&rest);
			wanted = wanted << 1 | take(&rest, &five);
		}
		up = wanted + (q <= 27);
		cr_expect(power->high == (uint64_t)(up >> 64) && power->low == (uint64_t)up,
		          "5^-%d", q);
	}
}
