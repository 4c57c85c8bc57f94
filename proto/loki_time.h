/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loki_time.h -- the timestamps of Loki JSON, as text, into those of protobuf. Pure.
 */
#pragma once
#include "common/bytes.h"

/* Protobuf's own bounds: the years 1 to 9999. */
static inline bool time_is_in_range(int64_t seconds)
{
	return seconds >= INT64_C(-62135596800) && seconds <= INT64_C(253402300799);
}
/* Decimal digits of an int64. False: they are none; the rest is for valid ones only. */
bool time_of_nanoseconds(struct bytes text, int64_t *seconds, uint32_t *nanos) MUST_USE;
/* "2026-11-25T17:00:00.123456789+01:00" (RFC 3339 5.6); digits below a nanosecond are cut. A leap
 * second is refused, as Loki does. */
bool time_of_rfc3339(struct bytes text, int64_t *seconds, uint32_t *nanos) MUST_USE;
