/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/loki_time.c"

#include <criterion/criterion.h>

static void is(bool (*parse)(struct bytes, int64_t *, uint32_t *), const char *text,
               int64_t seconds, uint32_t nanos)
{
	int64_t s = 0;
	uint32_t ns = 0;

	cr_assert(parse(bytes_str(text), &s, &ns), "%s", text);
	cr_expect(s == seconds && ns == nanos, "%s: %jd.%u", text, (intmax_t)s, ns);
}

static void is_none(bool (*parse)(struct bytes, int64_t *, uint32_t *), const char *text)
{
	int64_t s;
	uint32_t ns;

	cr_expect_not(parse(bytes_str(text), &s, &ns), "%s", text);
}

Test(loki_time, nanoseconds_are_decimal_digits_of_an_int64)
{
	is(time_of_nanoseconds, "0", 0, 0);
	is(time_of_nanoseconds, "1700000000123456789", 1700000000, 123456789);
	is(time_of_nanoseconds, "007", 0, 7);
	is(time_of_nanoseconds, "9223372036854775807", 9223372036, 854775807);
	is(time_of_nanoseconds, "-1", -1, 999999999);
	is(time_of_nanoseconds, "-1000000000", -1, 0);
	is(time_of_nanoseconds, "-9223372036854775808", -9223372037, 145224192);
	for (const char *const *text = (const char *const[]){ "", "-", "+1", " 1", "1 ", "1e9",
	                                                      "1.0", "0x1", "9223372036854775808",
	                                                      "-9223372036854775809", "--1", NULL };
	     *text; text++)
		is_none(time_of_nanoseconds, *text);
}

Test(loki_time, rfc_3339_has_a_zone_and_up_to_nanoseconds)
{
	is(time_of_rfc3339, "1970-01-01T00:00:00Z", 0, 0);
	is(time_of_rfc3339, "2023-11-14T22:13:20.123456789Z", 1700000000, 123456789);
	is(time_of_rfc3339, "2023-11-14T23:13:20.5+01:00", 1700000000, 500000000);
	is(time_of_rfc3339, "2023-11-14T16:43:20-05:30", 1700000000, 0);
	is(time_of_rfc3339, "2023-11-14T22:13:20.0000000019Z", 1700000000, 1);
	is(time_of_rfc3339, "1969-12-31T23:59:59.9Z", -1, 900000000);
	is(time_of_rfc3339, "2000-02-29T12:00:00Z", 951825600, 0);
	is(time_of_rfc3339, "0001-01-01T00:00:00Z", -62135596800, 0);
	is(time_of_rfc3339, "9999-12-31T23:59:59Z", 253402300799, 0);
}

Test(loki_time, what_is_no_time_is_refused)
{
	for (const char *const *text = (const char *const[]){ "",
	                                                      "2023-11-14",
	                                                      "2023-11-14T22:13:20",
	                                                      "2023-11-14 22:13:20Z",
	                                                      "2023-11-14t22:13:20Z",
	                                                      "2023-11-14T22:13:20z",
	                                                      "2023-11-14T22:13:20.Z",
	                                                      "2023-11-14T22:13:60Z",
	                                                      "2023-11-14T24:00:00Z",
	                                                      "2023-02-29T00:00:00Z",
	                                                      "1900-02-29T00:00:00Z",
	                                                      "2023-13-01T00:00:00Z",
	                                                      "2023-00-01T00:00:00Z",
	                                                      "2023-01-00T00:00:00Z",
	                                                      "2023-04-31T00:00:00Z",
	                                                      "2023-11-14T22:13:20+0100",
	                                                      "2023-11-14T22:13:20+24:00",
	                                                      "2023-11-14T22:13:20Zx",
	                                                      "23-11-14T22:13:20Z",
	                                                      "2023\r11-14T22:13:20Z",
	                                                      NULL };
	     *text; text++)
		is_none(time_of_rfc3339, *text);
}
