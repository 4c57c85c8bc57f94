/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_double.h -- the double that is nearest to a decimal number, for json_number.c. Integer
 * arithmetic alone: a number made to lie between two doubles costs no more than any other.
 */
#pragma once
#include "common/base.h"

enum { JSON_POWER_MIN = -342, JSON_POWER_MAX = 308 }; /* below it all is 0, beyond it infinite */

struct json_power { /* of 5: its first 128 bits, the top one set */
	uint64_t high, low;
};
extern const struct json_power json_powers[JSON_POWER_MAX - JSON_POWER_MIN + 1];

/* digits x 10^exponent, rounded to nearest, ties to even; infinity if it is beyond. */
double json_double(uint64_t digits, int64_t exponent);
