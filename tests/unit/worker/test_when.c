/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <time.h>
#include "worker/when.c"

Test(when, dates_are_those_of_the_c_library)
{
	/* every 7 hours 13 minutes and 5 seconds over 200 years, and every day of 2000 and 2100 */
	for (int64_t s = 0; s < 6311433600; s += 25985) {
		char ours[WHEN_RFC3339_BYTES], http[WHEN_HTTP_BYTES], theirs[64];
		time_t t = (time_t)s;
		struct tm tm;

		gmtime_r(&t, &tm);
		when_rfc3339(s, ours);
		strftime(theirs, sizeof(theirs), "%Y-%m-%dT%H:%M:%SZ", &tm);
		cr_assert_str_eq(ours, theirs);
		when_http(s, http);
		strftime(theirs, sizeof(theirs), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		cr_assert_str_eq(http, theirs);
	}
}

Test(when, the_example_of_rfc_9110_comes_out)
{
	char out[WHEN_HTTP_BYTES];

	when_http(784111777, out);
	cr_assert_str_eq(out, "Sun, 06 Nov 1994 08:49:37 GMT");
}

Test(when, microseconds_are_cut_not_rounded)
{
	char out[WHEN_RFC3339_US_BYTES];

	when_rfc3339_us(784111777000001999, out);
	cr_assert_str_eq(out, "1994-11-06T08:49:37.000001Z");
	when_rfc3339_us(784111777999999999, out);
	cr_assert_str_eq(out, "1994-11-06T08:49:37.999999Z");
}

Test(when, moments_beyond_four_digits_of_a_year_stay_within_them)
{
	char out[WHEN_RFC3339_BYTES];

	when_rfc3339(INT64_MAX, out);
	cr_assert_str_eq(out, "9999-12-31T23:59:59Z");
	when_rfc3339(INT64_MIN, out);
	cr_assert_str_eq(out, "1970-01-01T00:00:00Z");
	when_rfc3339(951782400, out);
	cr_assert_str_eq(out, "2000-02-29T00:00:00Z");
}
