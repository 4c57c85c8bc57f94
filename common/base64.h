/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base64.h -- RFC 4648 as credentials use it: one way to write each value, no line breaks. JSON of
 * protobuf has padding, and unused bits that may be any (proto/otlp_json_value.c).
 */
#pragma once
#include "common/bytes.h"

enum base64 { BASE64_STANDARD, BASE64_URL };
/* What the digit stands for; -1: none. */
static inline int base64_value(enum base64 alphabet, uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (alphabet == BASE64_URL)
		return c == '-' ? 62 : c == '_' ? 63 : -1;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}
/* Without padding; unused bits are 0. out: 3/4 of in, rounded down. False: no such text. */
bool base64_decode(enum base64 alphabet, struct bytes in, uint8_t *out, size_t *out_n);
