/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base64.h -- RFC 4648 as credentials use it: one way to write each value, no line breaks.
 */
#pragma once
#include "common/bytes.h"

enum base64 { BASE64_STANDARD, BASE64_URL };
/* Without padding; unused bits are 0. out: 3/4 of in, rounded down. False: no such text. */
bool base64_decode(enum base64 alphabet, struct bytes in, uint8_t *out, size_t *out_n);
