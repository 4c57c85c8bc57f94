/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_escape.h -- what a backslash in a JSON string begins (RFC 8259 7). json.c looks at every
 * escape once; json_text.c, and who goes through a text byte by byte, need not doubt any
 * afterwards.
 */
#pragma once
#include "proto/json.h"

enum {
	JSON_ESCAPE_MAX = 12, /* bytes: a surrogate pair */
	JSON_LONE_BYTES = 6, /* of an escape that is one half of a pair */
};

static inline int json_hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits at p, or -1. */
static inline int json_hex_unit(const uint8_t *p)
{
	int unit = 0;

	for (int i = 0; i < 4; i++) {
		int digit = json_hex_digit(p[i]);

		if (digit < 0)
			return -1;
		unit = unit << 4 | digit;
	}
	return unit;
}

static inline bool json_is_high(int unit)
{
	return unit >= 0xd800 && unit <= 0xdbff;
}

static inline bool json_is_low(int unit)
{
	return unit >= 0xdc00 && unit <= 0xdfff;
}

/* The escape at p, a backslash: how long it is (both halves of a pair), and the character it stands
 * for; -1 for a lone surrogate. 0: it is no escape. May read JSON_ESCAPE_MAX bytes. */
static inline size_t json_escape(const uint8_t *p, int32_t *meant)
{
	static const uint8_t simple[256] = {
		['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
		['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t'
	};
	int unit, low;

	*meant = simple[p[1]];
	if (*meant)
		return 2;
	if (p[1] != 'u' || (unit = json_hex_unit(p + 2)) < 0)
		return 0;
	*meant = unit;
	if (!json_is_high(unit) && !json_is_low(unit))
		return 6;
	*meant = -1;
	if (json_is_low(unit) || p[6] != '\\' || p[7] != 'u' ||
	    !json_is_low(low = json_hex_unit(p + 8)))
		return JSON_LONE_BYTES;
	*meant = 0x10000 + ((unit - 0xd800) << 10 | (low - 0xdc00));
	return JSON_ESCAPE_MAX;
}
