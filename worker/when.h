/* SPDX-License-Identifier: Apache-2.0 */
/*
 * when.h -- moments as text, in UTC: for replies, audit lines and texts of verdicts. By hand: the C
 * library's functions take the lock of its time zones on each call.
 */
#pragma once
#include "common/base.h"

enum {
	WHEN_HTTP_BYTES = 30,
	WHEN_RFC3339_BYTES = 21,
	WHEN_RFC3339_US_BYTES = 28
}; /* with the NUL */

/* Years are kept within 1970..9999: a date beyond says the nearest moment that has four digits. */
void when_http(int64_t unix_s,
               char out[static WHEN_HTTP_BYTES]); /* Sun, 06 Nov 1994 08:49:37 GMT */
void when_rfc3339(int64_t unix_s, char out[static WHEN_RFC3339_BYTES]); /* 1994-11-06T08:49:37Z */
void when_rfc3339_us(unix_ns t,
                     char out[static WHEN_RFC3339_US_BYTES]); /* 1994-11-06T08:49:37.000000Z */
