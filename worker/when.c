/* SPDX-License-Identifier: Apache-2.0 */
/*
 * when.c -- from seconds to a date by the rule of 400 years, counted from 1 March so that the day a
 * leap year adds is its last.
 */
#include "worker/when.h"

#include <string.h>

enum { DAY_S = 86400, YEARS_400_DAYS = 146097, EPOCH_SHIFT_DAYS = 719468 /* 0000-03-01 to 1970 */ };
static const int64_t LAST_S = 253402300799; /* 9999-12-31T23:59:59Z */

struct date {
	unsigned year, month, day, hour, minute, second,
		weekday; /* month 1..12, weekday 0 = Sunday */
};

static struct date date_of(int64_t unix_s)
{
	int64_t s = unix_s < 0 ? 0 : unix_s > LAST_S ? LAST_S : unix_s;
	unsigned days = (unsigned)(s / DAY_S), rest = (unsigned)(s % DAY_S);
	unsigned shifted = days + EPOCH_SHIFT_DAYS;
	unsigned era = shifted / YEARS_400_DAYS, in_era = shifted % YEARS_400_DAYS;
	unsigned year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
	unsigned in_year = in_era - (365 * year + year / 4 - year / 100);
	unsigned month = (5 * in_year + 2) / 153; /* 0 = March */

	return (struct date){
		.year = era * 400 + year + (month >= 10),
		.month = month < 10 ? month + 3 : month - 9,
		.day = in_year - (153 * month + 2) / 5 + 1,
		.hour = rest / 3600,
		.minute = rest / 60 % 60,
		.second = rest % 60,
		.weekday = (days + 4) % 7, /* 1970-01-01 was a Thursday */
	};
}

static char *put(char *p, unsigned value, unsigned digits)
{
	for (unsigned i = digits; i-- > 0; value /= 10)
		p[i] = (char)('0' + value % 10);
	return p + digits;
}

static char *put_clock(char *p, const struct date *d)
{
	p = put(p, d->hour, 2);
	*p++ = ':';
	p = put(p, d->minute, 2);
	*p++ = ':';
	return put(p, d->second, 2);
}

void when_http(int64_t unix_s, char out[static WHEN_HTTP_BYTES])
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct date d = date_of(unix_s);
	char *p = mempcpy(out, days + 3 * d.weekday, 3);

	p = mempcpy(p, ", ", 2);
	p = put(p, d.day, 2);
	*p++ = ' ';
	p = mempcpy(p, months + 3 * (d.month - 1), 3);
	*p++ = ' ';
	p = put(p, d.year, 4);
	*p++ = ' ';
	p = put_clock(p, &d);
	memcpy(p, " GMT", sizeof(" GMT"));
}

static char *put_rfc3339(char *p, int64_t unix_s)
{
	struct date d = date_of(unix_s);

	p = put(p, d.year, 4);
	*p++ = '-';
	p = put(p, d.month, 2);
	*p++ = '-';
	p = put(p, d.day, 2);
	*p++ = 'T';
	return put_clock(p, &d);
}

void when_rfc3339(int64_t unix_s, char out[static WHEN_RFC3339_BYTES])
{
	memcpy(put_rfc3339(out, unix_s), "Z", sizeof("Z"));
}

void when_rfc3339_us(unix_ns t, char out[static WHEN_RFC3339_US_BYTES])
{
	int64_t ns = t < 0 ? 0 : t;
	char *p = put_rfc3339(out, ns / 1000000000);

	*p++ = '.';
	p = put(p, (unsigned)(ns % 1000000000 / 1000), 6);
	memcpy(p, "Z", sizeof("Z"));
}
