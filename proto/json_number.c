/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_number.c -- what the digits of JSON mean. Integers are read from the digits themselves,
 * never through a double; doubles are correctly rounded. A client may write a number of any length:
 * both read it once and hold no more of it than a bounded copy.
 */
#include "proto/json.h"

#include <math.h>
#include <stdio.h>

#include "proto/json_double.h"

enum {
	U64_DIGITS = 20, /* of the largest uint64_t */
	U64_DIGITS_SAFE = 19, /* any number of so many digits fits */
	DOUBLE_DIGITS = 800, /* more than the 767 that can decide how a double is rounded */
	EXPONENT_PLAIN = 3, /* digits of one that the plain path reads */
	EXPONENT_DIGITS_MAX = 12, /* far beyond what the digits of a body could outweigh */
};

static bool is_digit(uint8_t c)
{
	return (uint8_t)(c - '0') < 10;
}

static const uint8_t *digits_end(const uint8_t *p, const uint8_t *end)
{
	while (p < end && is_digit(*p))
		p++;
	return p;
}

const uint8_t *json_number_end(const uint8_t *p, const uint8_t *end)
{
	const uint8_t *digits;

	p += p < end && *p == '-';
	digits = p;
	p = digits_end(p, end);
	if (p == digits || (*digits == '0' && p - digits > 1))
		return NULL;
	if (p < end && *p == '.') {
		digits = ++p;
		p = digits_end(p, end);
		if (p == digits)
			return NULL;
	}
	if (p < end && (*p | 0x20) == 'e') {
		p++;
		p += p < end && (*p == '+' || *p == '-');
		digits = p;
		p = digits_end(p, end);
		if (p == digits)
			return NULL;
	}
	return p;
}

/* Eight digits at once, little-endian: neighbours are joined to pairs, those to fours, to eight. */
static bool eight_digits(const uint8_t *p, uint64_t *value)
{
	uint64_t v;

	memcpy(&v, p, 8);
	if (((v & 0xf0f0f0f0f0f0f0f0) | ((v + 0x0606060606060606) & 0xf0f0f0f0f0f0f0f0) >> 4) !=
	    0x3333333333333333)
		return false;
	v = (v & 0x0f0f0f0f0f0f0f0f) * (10 * 256 + 1) >> 8;
	v = (v & 0x00ff00ff00ff00ff) * (100 * 65536 + 1) >> 16;
	*value = (v & 0x0000ffff0000ffff) * (UINT64_C(10000) * (UINT64_C(1) << 32) + 1) >> 32;
	return true;
}

/* Digits alone, as almost all integers are written. */
static bool plain_digits(const uint8_t *p, size_t n, uint64_t *value)
{
	uint64_t v = 0, eight;

	if (n == 0 || n > U64_DIGITS_SAFE || (*p == '0' && n > 1))
		return false;
	for (; n >= 8; n -= 8, p += 8) {
		if (!eight_digits(p, &eight))
			return false;
		v = v * 100000000 + eight;
	}
	for (; n; n--, p++) {
		if (!is_digit(*p))
			return false;
		v = v * 10 + (uint64_t)(*p - '0');
	}
	*value = v;
	return true;
}

struct decimal { /* digits x 10^exponent */
	bool negative;
	const uint8_t *from, *to; /* the first and the last digit that is not 0; NULL: zero */
	const uint8_t *point; /* if it lies between them it is no digit */
	size_t n; /* digits from..to */
	int64_t exponent; /* of the last */
};

static int64_t exponent_read(const uint8_t *p, const uint8_t *end)
{
	bool negative = *p == '-';
	int64_t v = 0;

	p += *p == '-' || *p == '+';
	while (p < end && *p == '0')
		p++;
	for (size_t i = 0; p < end && i < EXPONENT_DIGITS_MAX; i++, p++)
		v = v * 10 + (*p - '0');
	return negative ? -v : v;
}

static bool decimal_read(struct bytes text, struct decimal *d)
{
	const uint8_t *p = text.p, *end = p + text.n, *mantissa;

	if (text.n == 0 || json_number_end(p, end) != end)
		return false;
	*d = (struct decimal){ .negative = *p == '-' };
	mantissa = p += d->negative;
	for (; p < end && (*p | 0x20) != 'e'; p++) {
		if (*p == '.') {
			d->point = p;
		} else if (*p != '0') {
			d->from = d->from ? d->from : p;
			d->to = p;
		}
	}
	if (!d->from)
		return true;
	if (!d->point)
		d->point = p;
	assert(d->from >= mantissa);
	d->n = (size_t)(d->to - d->from) + 1 - (d->from < d->point && d->point < d->to);
	d->exponent = d->point - d->to - (d->to < d->point);
	if (p < end)
		d->exponent += exponent_read(p + 1, end);
	return true;
}

bool json_to_integer(struct bytes text, bool *negative, uint64_t *magnitude)
{
	struct decimal d;
	uint64_t v = 0;
	bool minus;

	if (text.n == 0)
		return false;
	minus = text.p[0] == '-';
	if (likely(plain_digits(text.p + minus, text.n - minus, magnitude))) {
		*negative = minus;
		return true;
	}
	if (!decimal_read(text, &d))
		return false;
	if (d.from) {
		if (d.exponent < 0 || d.exponent > U64_DIGITS || d.n > U64_DIGITS)
			return false;
		for (const uint8_t *p = d.from; p <= d.to; p++)
			if (p != d.point && (__builtin_mul_overflow(v, 10, &v) ||
			                     __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v)))
				return false;
		for (int64_t i = 0; i < d.exponent; i++)
			if (__builtin_mul_overflow(v, 10, &v))
				return false;
	}
	*negative = d.negative;
	*magnitude = v;
	return true;
}

/* By the C library, over the digits that can matter. The program never leaves the C locale. */
static double double_slow(const struct decimal *d)
{
	char text[DOUBLE_DIGITS + 32];
	int64_t exponent = d->exponent;
	size_t n = 0;

	for (const uint8_t *p = d->from; p <= d->to && n < DOUBLE_DIGITS; p++)
		if (p != d->point)
			text[n++] = (char)*p;
	if (d->n > DOUBLE_DIGITS) {
		text[n - 1] = '1'; /* all it says: that more came, and not zeros */
		exponent += (int64_t)(d->n - DOUBLE_DIGITS);
	}
	snprintf(text + n, sizeof(text) - n, "e%lld", (long long)exponent);
	return strtod(text, NULL);
}

/* More digits than a word has: where the first of them, and one more in the last, mean one double,
 * the rest has no say. */
static double double_of(const struct decimal *d)
{
	uint64_t v = 0;
	size_t n = 0;
	int64_t exponent = d->exponent;
	double value;

	if (!d->from)
		return 0;
	for (const uint8_t *p = d->from; p <= d->to && n < U64_DIGITS_SAFE; p++)
		if (p != d->point) {
			v = v * 10 + (uint64_t)(*p - '0');
			n++;
		}
	exponent += (int64_t)(d->n - n);
	value = json_double(v, exponent);
	if (d->n == n || value == json_double(v + 1, exponent))
		return value;
	return double_slow(d);
}

/* Digits with a point or without one; p is behind them. */
static bool plain_mantissa(const uint8_t **p, const uint8_t *end, uint64_t *digits,
                           int64_t *exponent)
{
	const uint8_t *from = *p, *point = NULL, *q = from;
	uint64_t v = 0;

	for (; q < end && (is_digit(*q) || (*q == '.' && !point)); q++)
		if (*q == '.')
			point = q;
		else
			v = v * 10 + (uint64_t)(*q - '0');
	if (q == from || q - from > U64_DIGITS_SAFE)
		return false;
	if (point && (point == from || point + 1 == q))
		return false;
	if (*from == '0' && q - from > 1 && point != from + 1)
		return false;
	*p = q;
	*digits = v;
	*exponent = point ? point + 1 - q : 0;
	return true;
}

/* In one pass, as almost all doubles are written: no more digits than a word has, no more than
 * three of an exponent. False: anything else, good or bad. */
static bool plain_double(const uint8_t *p, const uint8_t *end, double *value)
{
	uint64_t digits;
	int64_t exponent, power = 0;
	bool minus;

	if (!plain_mantissa(&p, end, &digits, &exponent))
		return false;
	if (p < end) {
		if ((*p++ | 0x20) != 'e')
			return false;
		minus = p < end && *p == '-';
		p += minus || (p < end && *p == '+');
		if (p == end || end - p > EXPONENT_PLAIN)
			return false;
		for (; p < end && is_digit(*p); p++)
			power = power * 10 + (*p - '0');
		if (p < end)
			return false;
		exponent += minus ? -power : power;
	}
	*value = json_double(digits, exponent);
	return true;
}

bool json_to_double(struct bytes text, double *value)
{
	struct decimal d;
	bool minus;
	double v;

	if (text.n == 0)
		return false;
	minus = *text.p == '-';
	if (!plain_double(text.p + minus, text.p + text.n, &v)) {
		if (!decimal_read(text, &d))
			return false;
		v = double_of(&d);
	}
	if (isinf(v))
		return false;
	*value = minus ? -v : v;
	return true;
}
