/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_double.c -- see json_double.h. The published algorithm of Eisel and Lemire ("Number parsing
 * at a gigabyte per second"; that it needs no fallback for 64 bits of digits: Mushtak and Lemire):
 * the digits times the first 64 bits of the power of five, and 64 bits more where those could not
 * tell.
 */
#include "proto/json_double.h"

#include <math.h>
#include <string.h>

enum {
	MANTISSA_BITS = 52, /* that are stored */
	EXPONENT_BIAS = 1023,
	EXPONENT_MAX = 0x7ff,
	SPARE_BITS =
		64 - MANTISSA_BITS - 3, /* of the product's upper half; 2 more tell how to round */
	TIE_MIN = -4, /* powers of ten with which 64 bits of digits can lie between two doubles */
	TIE_MAX = 23,
};
#define HIDDEN_BIT (UINT64_C(1) << MANTISSA_BITS)
#define SPARE_MASK ((UINT64_C(1) << SPARE_BITS) - 1)

struct product {
	uint64_t high, low;
};

static struct product multiply(uint64_t a, uint64_t b)
{
	unsigned __int128 all = (unsigned __int128)a * b;

	return (struct product){ .high = (uint64_t)(all >> 64), .low = (uint64_t)all };
}

/* The upper 128 bits of digits x 5^q, as far as they matter. */
static struct product scale(uint64_t digits, int q)
{
	const struct json_power *power = &json_powers[q - JSON_POWER_MIN];
	struct product p = multiply(digits, power->high);

	if ((p.high & SPARE_MASK) == SPARE_MASK) { /* a carry from below could go through */
		struct product more = multiply(digits, power->low);

		p.low += more.high;
		p.high += p.low < more.high;
	}
	return p;
}

/* Behind this exponent of two lies the number 5^q x 2^q: floor(q x log2(10)). */
static int log2_of_power(int q)
{
	return (217706 * q) >> 16;
}

static double assemble(uint64_t mantissa, int exponent)
{
	uint64_t bits = (mantissa & ~HIDDEN_BIT) | (uint64_t)exponent << MANTISSA_BITS;
	double d;

	memcpy(&d, &bits, sizeof(d));
	return d;
}

double json_double(uint64_t digits, int64_t exponent)
{
	struct product p;
	uint64_t mantissa;
	int zeros, top, two;

	if (digits == 0 || exponent < JSON_POWER_MIN)
		return 0;
	if (exponent > JSON_POWER_MAX)
		return HUGE_VAL;
	zeros = __builtin_clzll(digits);
	p = scale(digits << zeros, (int)exponent);
	top = (int)(p.high >> 63);
	mantissa = p.high >> (top + SPARE_BITS); /* one bit more than are kept */
	two = log2_of_power((int)exponent) + 63 + top - zeros + EXPONENT_BIAS;
	if (two <= 0) { /* below the least normal number: fewer bits */
		if (1 - two >= 64)
			return 0;
		mantissa >>= 1 - two;
		mantissa = (mantissa + (mantissa & 1)) >> 1;
		return assemble(mantissa, mantissa >= HIDDEN_BIT);
	}
	/* exactly between two doubles, and the lower one is even */
	if (p.low <= 1 && exponent >= TIE_MIN && exponent <= TIE_MAX && (mantissa & 3) == 1 &&
	    mantissa << (top + SPARE_BITS) == p.high)
		mantissa &= ~UINT64_C(1);
	mantissa = (mantissa + (mantissa & 1)) >> 1;
	if (mantissa == 2 * HIDDEN_BIT) {
		mantissa = HIDDEN_BIT;
		two++;
	}
	return two >= EXPONENT_MAX ? HUGE_VAL : assemble(mantissa, two);
}
