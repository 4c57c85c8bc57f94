/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_form.c -- see model_form.h. What passes here is what the consumer's own parser takes, and
 * what the servers did that took these events before.
 */
#include "proto/model_form.h"

#include <arpa/inet.h>

#include "proto/json.h"

enum {
	UUID_BYTES = 36, /* with hyphens */
	UUID_DIGITS = 32,
	IPV6_TEXT_MAX = 45,
	DATE_BYTES = 10,
};

static bool is_digit(uint8_t c)
{
	return (uint8_t)(c - '0') < 10;
}

static size_t digits(struct bytes b)
{
	size_t n = 0;

	while (n < b.n && is_digit(b.p[n]))
		n++;
	return n;
}

bool form_is_integer(struct bytes b)
{
	b = bytes_from(b, b.n && b.p[0] == '-');
	return b.n && digits(b) == b.n && (b.p[0] != '0' || b.n == 1);
}

/* ---- floats ---- */

/* What other languages write as a number and JSON does not, `+1`, `007`, `.5`, `5.`, as JSON would:
 * its length, 0 if it is no number. */
static size_t float_mend(struct bytes b, uint8_t out[static FORM_FLOAT_MAX])
{
	uint8_t *to = out;
	size_t whole, part = 0;

	if (b.n > FORM_FLOAT_MAX - 2)
		return 0;
	if (b.n && (b.p[0] == '-' || b.p[0] == '+')) {
		if (b.p[0] == '-')
			*to++ = '-';
		b = bytes_from(b, 1);
	}
	whole = digits(b);
	if (b.n > whole && b.p[whole] == '.')
		part = digits(bytes_from(b, whole + 1));
	if (whole + part == 0)
		return 0;
	while (whole && b.p[0] == '0') {
		b = bytes_from(b, 1);
		whole--;
	}
	if (whole == 0)
		*to++ = '0';
	to = mempcpy(to, b.p, whole);
	b = bytes_from(b, whole);
	if (b.n && b.p[0] == '.') {
		if (part)
			to = mempcpy(to, b.p, part + 1);
		b = bytes_from(b, part + 1);
	}
	to = mempcpy(to, b.p, b.n); /* an exponent, or nothing that would pass */
	return (size_t)(to - out);
}

struct bytes form_float_of(struct bytes b, uint8_t odd[static FORM_FLOAT_MAX])
{
	double value;

	if (json_to_double(b, &value))
		return b;
	b = bytes_of(odd, float_mend(b, odd));
	return json_to_double(b, &value) ? b : BYTES_NONE;
}

/* ---- texts of a form ---- */

bool form_is_float(struct bytes b)
{
	static const char *const words[] = { "nan", "inf", "infinity" };
	bool has_sign = b.n && (b.p[0] == '-' || b.p[0] == '+');
	uint8_t odd[FORM_FLOAT_MAX];

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (bytes_eq_nocase(bytes_from(b, has_sign), bytes_str(words[i])))
			return true;
	if (b.n && json_number_end(b.p, b.p + b.n) == b.p + b.n)
		return true;
	b = bytes_of(odd, float_mend(b, odd));
	return b.n && json_number_end(b.p, b.p + b.n) == b.p + b.n;
}

bool form_is_decimal(struct bytes b)
{
	size_t n;

	b = bytes_from(b, b.n && b.p[0] == '-');
	n = digits(b);
	if (n == 0)
		return false;
	b = bytes_from(b, n);
	return b.n == 0 || (b.p[0] == '.' && b.n > 1 && digits(bytes_from(b, 1)) == b.n - 1);
}

/* The number of two digits at p, or -1. */
static int two(const uint8_t *p)
{
	return is_digit(p[0]) && is_digit(p[1]) ? (p[0] - '0') * 10 + p[1] - '0' : -1;
}

bool form_is_date(struct bytes b)
{
	int month, day;

	if (b.n != DATE_BYTES || digits(b) != 4 || b.p[4] != '-' || b.p[7] != '-')
		return false;
	month = two(b.p + 5);
	day = two(b.p + 8);
	return month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

static bool is_day_of_month(const uint8_t *date)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int year = two(date) * 100 + two(date + 2), month = two(date + 5), day = two(date + 8);
	bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return day <= days[month - 1] + (month == 2 && is_leap);
}

static bool is_zone(struct bytes b)
{
	int hours, minutes;

	if (b.n == 1)
		return (b.p[0] | 0x20) == 'z';
	if (b.n != 6 || (b.p[0] != '+' && b.p[0] != '-') || b.p[3] != ':')
		return false;
	hours = two(b.p + 1);
	minutes = two(b.p + 4);
	return hours >= 0 && hours <= 23 && minutes >= 0 && minutes <= 59;
}

/* RFC 3339 5.6, with its notes: either case, a blank for the T, a leap second. */
bool form_is_date_time(struct bytes b)
{
	enum { TIME = DATE_BYTES + 1, ZONE = TIME + 8 };
	int hour, minute, second;

	if (b.n <= ZONE || !form_is_date(bytes_of(b.p, DATE_BYTES)) || !is_day_of_month(b.p))
		return false;
	if ((b.p[DATE_BYTES] | 0x20) != 't' && b.p[DATE_BYTES] != ' ')
		return false;
	hour = two(b.p + TIME);
	minute = two(b.p + TIME + 3);
	second = two(b.p + TIME + 6);
	if (hour < 0 || hour > 23 || b.p[TIME + 2] != ':' || minute < 0 || minute > 59 ||
	    b.p[TIME + 5] != ':' || second < 0 || second > 60)
		return false;
	b = bytes_from(b, ZONE);
	if (b.p[0] == '.') {
		size_t n = digits(bytes_from(b, 1));

		if (n == 0)
			return false;
		b = bytes_from(b, n + 1);
	}
	return is_zone(b);
}

static bool is_hex(uint8_t c)
{
	return is_digit(c) || (uint8_t)((c | 0x20) - 'a') < 6;
}

bool form_is_uuid(struct bytes b)
{
	static const char urn[] = "urn:uuid:";
	const size_t urn_n = sizeof(urn) - 1;
	size_t hyphens = 0;

	if (b.n == UUID_BYTES + 2 && b.p[0] == '{' && b.p[b.n - 1] == '}')
		b = bytes_of(b.p + 1, UUID_BYTES);
	else if (b.n == UUID_BYTES + urn_n && !memcmp(b.p, urn, urn_n))
		b = bytes_from(b, urn_n);
	if (b.n != UUID_BYTES && b.n != UUID_DIGITS)
		return false;
	for (size_t i = 0; i < b.n; i++) {
		bool is_place = b.n == UUID_BYTES && (i == 8 || i == 13 || i == 18 || i == 23);

		if (is_place ? b.p[i] != '-' : !is_hex(b.p[i]))
			return false;
		hyphens += is_place;
	}
	return b.n - hyphens == UUID_DIGITS;
}

/* Leading zeros are fine: no reader of these takes them for octal. */
bool form_is_ipv4(struct bytes b)
{
	for (int i = 0; i < 4; i++) {
		size_t n = digits(b);
		unsigned value = 0;

		if (n == 0 || n > 3)
			return false;
		for (size_t k = 0; k < n; k++)
			value = value * 10 + b.p[k] - '0';
		if (value > 255)
			return false;
		b = bytes_from(b, n);
		if (i < 3) {
			if (!b.n || b.p[0] != '.')
				return false;
			b = bytes_from(b, 1);
		}
	}
	return b.n == 0;
}

bool form_is_ipv6(struct bytes b)
{
	char text[IPV6_TEXT_MAX + 1];
	struct in6_addr address;

	if (!b.n || b.n > IPV6_TEXT_MAX || memchr(b.p, '\0', b.n))
		return false;
	memcpy(text, b.p, b.n);
	text[b.n] = '\0';
	return inet_pton(AF_INET6, text, &address) == 1;
}
