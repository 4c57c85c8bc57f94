/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loki_time.c -- see loki_time.h. Calendar arithmetic on years from March, whose leap day is last.
 */
#include "proto/loki_time.h"

enum { NS_DIGITS = 9, MINUTE_S = 60, HOUR_S = 3600, DAY_S = 86400 };
#define NS_PER_S 1000000000

bool time_of_nanoseconds(struct bytes text, int64_t *seconds, uint32_t *nanos)
{
	bool negative = text.n && text.p[0] == '-';
	uint64_t most = (uint64_t)INT64_MAX + negative, v, left;

	if (!bytes_to_u64(bytes_from(text, negative), most, &v))
		return false;
	left = v % NS_PER_S;
	*seconds = (int64_t)(v / NS_PER_S);
	if (negative) { /* nanos count up from the second before */
		*seconds = -*seconds - (left != 0);
		left = left ? NS_PER_S - left : 0;
	}
	*nanos = (uint32_t)left;
	return true;
}

/* The number of exactly n digits, moving past them and the byte behind, if one is wanted. */
static bool take(struct bytes *s, size_t n, uint64_t min, uint64_t max, char behind, int64_t *out)
{
	uint64_t v;

	if (s->n < n || !bytes_to_u64(bytes_of(s->p, n), max, &v) || v < min)
		return false;
	*out = (int64_t)v;
	*s = bytes_from(*s, n);
	if (!behind)
		return true;
	if (!s->n || s->p[0] != behind)
		return false;
	*s = bytes_from(*s, 1);
	return true;
}

static int64_t month_days(int64_t year, int64_t month)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return days[month - 1] + (month == 2 && leap);
}

/* Days from 1970-01-01. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
	enum { EPOCH = 719468 }; /* from 0000-03-01 */
	int64_t y = year - (month <= 2), from_march = (month + 9) % 12;
	int64_t era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
	int64_t of_year = (153 * from_march + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - EPOCH;
}

static bool take_fraction(struct bytes *s, uint32_t *nanos)
{
	size_t n = 0;

	*nanos = 0;
	if (!s->n || s->p[0] != '.')
		return true;
	*s = bytes_from(*s, 1);
	for (; n < s->n && s->p[n] >= '0' && s->p[n] <= '9'; n++)
		if (n < NS_DIGITS)
			*nanos = *nanos * 10 + (uint32_t)(s->p[n] - '0');
	*s = bytes_from(*s, n);
	for (size_t k = n; k > 0 && k < NS_DIGITS; k++)
		*nanos *= 10;
	return n > 0;
}

/* Z or +01:00, and nothing behind it. */
static bool take_zone(struct bytes s, int64_t *offset)
{
	bool west = s.n && s.p[0] == '-';
	int64_t hours, minutes;

	*offset = 0;
	if (s.n == 1 && s.p[0] == 'Z')
		return true;
	if (!s.n || (s.p[0] != '+' && !west))
		return false;
	s = bytes_from(s, 1);
	if (!take(&s, 2, 0, 23, ':', &hours) || !take(&s, 2, 0, 59, 0, &minutes) || s.n)
		return false;
	*offset = (hours * HOUR_S + minutes * MINUTE_S) * (west ? -1 : 1);
	return true;
}

bool time_of_rfc3339(struct bytes text, int64_t *seconds, uint32_t *nanos)
{
	int64_t year, month, day, hour, minute, second, offset;
	uint32_t fraction;
	struct bytes s = text;

	if (!take(&s, 4, 0, 9999, '-', &year) || !take(&s, 2, 1, 12, '-', &month) ||
	    !take(&s, 2, 1, 31, 'T', &day) || !take(&s, 2, 0, 23, ':', &hour) ||
	    !take(&s, 2, 0, 59, ':', &minute) || !take(&s, 2, 0, 59, 0, &second) ||
	    day > month_days(year, month))
		return false;
	if (!take_fraction(&s, &fraction) || !take_zone(s, &offset))
		return false;
	*seconds = days_of(year, month, day) * DAY_S + hour * HOUR_S + minute * MINUTE_S + second -
	           offset;
	*nanos = fraction;
	return true;
}
