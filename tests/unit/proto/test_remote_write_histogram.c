/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/remote_write_histogram.c"

#include <criterion/criterion.h>

#include "tests/golden/hex.h"

#define ONE "00 00 00 00 00 00 f0 3f "
#define TWO "00 00 00 00 00 00 00 40 "
#define THREE "00 00 00 00 00 00 08 40 "
#define MINUS "00 00 00 00 00 00 f0 bf "
#define ZERO "00 00 00 00 00 00 00 00 "
#define MINUS_ZERO "00 00 00 00 00 00 00 80 "
#define INF "00 00 00 00 00 00 f0 7f "
#define NAN_ "01 00 00 00 00 00 f8 7f "
#define STALE "02 00 00 00 00 00 f0 7f "

static const char *judge(const char *text)
{
	static uint8_t room[1 << 16];

	memset(room, 0xff, sizeof(room));
	return rw_histogram_judge(hex_bytes(text, room, sizeof(room) - BODY_SLACK));
}

static void good(const char *text)
{
	const char *wrong = judge(text);

	cr_expect_null(wrong, "%s: %s", text, wrong);
}

static void bad(const char *text, const char *why)
{
	const char *wrong = judge(text);

	cr_assert(wrong, "%s", text);
	cr_expect_str_eq(wrong, why, "%s: %s", text, wrong);
}

/* offset 0, length 2; deltas 1, 1: buckets 1, 2 */
#define POSITIVE "5a { 10 02 } 62 { 02 02 } "
#define NEGATIVE "42 { 10 02 } 4a { 02 02 } "

/* PC4 */
Test(remote_write_histogram, both_sides_each_alone_zero_only_and_empty)
{
	good("08 08 " POSITIVE NEGATIVE "30 02");
	good("08 03 " POSITIVE);
	good("08 03 " NEGATIVE);
	good("08 05 30 05");
	good("08 00");
	good("");
}

/* PC4 */
Test(remote_write_histogram, an_integer_count_is_the_sum_of_the_buckets)
{
	bad("08 63 " POSITIVE NEGATIVE "30 02", "count is not the sum of the buckets");
	bad(POSITIVE, "count is not the sum of the buckets");
	bad("08 01", "count is not the sum of the buckets");
	/* NaN observations are in none of them */
	good("08 63 19 " NAN_ POSITIVE);
	good("08 63 19 " STALE POSITIVE);
	bad("08 02 19 " NAN_ POSITIVE, "more in the buckets than count");
	/* no such check with a float */
	good("11 " ONE "5a { 10 01 } 6a { " THREE "}");
}

Test(remote_write_histogram, of_a_oneof_the_last_member_counts)
{
	good("08 63 11 " ONE "5a { 10 01 } 6a { " THREE "}");
	bad("11 " ONE "08 63 5a { 10 01 } 6a { " THREE "}",
	    "span lengths do not sum to the number of buckets");
	good("08 02 30 07 39 " ONE "30 02");
	bad("08 02 30 02 39 " ONE, "count is not the sum of the buckets");
	/* and of a scalar the last one */
	good("20 6a 20 00 08 05 08 00");
}

Test(remote_write_histogram, schemas_are_9_below_0_to_52_and_53_below)
{
	good("20 11"); /* -9 */
	good("20 68"); /* 52 */
	good("20 69"); /* -53 */
	bad("20 13", "schema is none of -9..52 and -53");
	bad("20 6a", "schema is none of -9..52 and -53");
	bad("20 6b", "schema is none of -9..52 and -53"); /* -54 */
	bad("20 67", "schema is none of -9..52 and -53"); /* -52 */
}

Test(remote_write_histogram, span_lengths_sum_to_the_number_of_buckets)
{
	bad("08 03 5a { 10 03 } 62 { 02 02 }", "span lengths do not sum to the number of buckets");
	bad("08 03 62 { 02 02 }", "span lengths do not sum to the number of buckets");
	bad("5a { 10 01 }", "span lengths do not sum to the number of buckets");
	bad("11 " ONE "5a { 10 01 } 62 { 02 }", "span lengths do not sum to the number of buckets");
	good("08 03 5a { 10 01 } 5a {} 5a { 08 04 10 01 } 62 { 02 02 }");
	good("11 " ONE "42 { 10 02 } 52 { " ONE TWO "}");
	/* one by one and mixed */
	good("08 03 5a { 10 02 } 60 02 60 02");
	good("08 03 5a { 10 02 } 62 { 02 } 60 02 62 {}");
	good("11 " ONE "5a { 10 02 } 69 " ONE "6a { " TWO "}");
	/* a length that wraps at 32 bits is what decoders see */
	good("08 01 5a { 10 81 80 80 80 10 } 62 { 02 }");
}

Test(remote_write_histogram, only_the_first_span_may_begin_below_0)
{
	good("08 03 5a { 08 07 10 01 } 5a { 08 02 10 01 } 62 { 02 02 }");
	bad("08 03 5a { 10 01 } 5a { 08 01 10 01 } 62 { 02 02 }",
	    "a span offset below 0 behind the first span");
	bad("08 03 42 { 10 01 } 42 { 08 01 10 01 } 4a { 02 02 }",
	    "a span offset below 0 behind the first span");
}

Test(remote_write_histogram, no_bucket_is_below_0)
{
	bad("08 00 5a { 10 02 } 62 { 02 03 }", "a bucket below 0"); /* 1, -1 */
	bad("08 00 42 { 10 01 } 4a { 01 }", "a bucket below 0");
	bad("11 " ONE "5a { 10 02 } 6a { " ONE MINUS "}", "a bucket below 0");
	bad("11 " ONE "42 { 10 01 } 51 " MINUS, "a bucket below 0");
	bad("11 " ONE "39 " MINUS, "a zero bucket below 0");
	good("11 " ONE "39 " MINUS_ZERO);
	good("08 01 5a { 10 02 } 62 { 02 01 }"); /* 1, 0 */
}

Test(remote_write_histogram, sums_of_buckets_stay_below_64_bits)
{
	/* 2^63 - 1, then one more */
	bad("08 00 5a { 10 02 } 62 { fe ff ff ff ff ff ff ff ff 01 02 }", "buckets beyond 64 bits");
	/* three of 2^63 - 1 */
	bad("08 00 5a { 10 03 } 62 { fe ff ff ff ff ff ff ff ff 01 00 00 }",
	    "buckets beyond 64 bits");
	/* two of them, and 2 in the zero bucket */
	bad("08 00 5a { 10 01 } 62 { fe ff ff ff ff ff ff ff ff 01 } 42 { 10 01 } 4a { fe ff ff ff "
	    "ff ff "
	    "ff ff ff 01 } 30 02",
	    "buckets beyond 64 bits");
	good("08 ff ff ff ff ff ff ff ff ff 01 5a { 10 01 } 62 { fe ff ff ff ff ff ff ff ff 01 } "
	     "42 { 10 01 "
	     "} 4a { fe ff ff ff ff ff ff ff ff 01 } 30 01");
	/* the least delta */
	bad("08 00 5a { 10 01 } 62 { ff ff ff ff ff ff ff ff ff 01 }", "a bucket below 0");
}

#define CUSTOM "20 69 "
#define BOUNDS "82 01 { " ONE TWO "} "

/* PC4 */
Test(remote_write_histogram, custom_bounds)
{
	good("08 03 " CUSTOM BOUNDS POSITIVE);
	good("08 00 " CUSTOM BOUNDS);
	good("08 00 " CUSTOM "81 01 " ONE "82 01 { " TWO THREE "}");
	good(CUSTOM "82 01 { 00 00 00 00 00 00 f0 ff " ONE "}"); /* -Inf first */
	/* one bucket more than bounds, and no further */
	good("08 03 " CUSTOM "82 01 { " ONE "}" POSITIVE);
	bad("08 03 " CUSTOM POSITIVE, "spans reach beyond custom_values");
	bad("08 01 " CUSTOM "82 01 { " ONE "} 5a { 08 04 10 01 } 62 { 02 }",
	    "spans reach beyond custom_values");
}

Test(remote_write_histogram, custom_bounds_are_strictly_increasing)
{
	bad(CUSTOM "82 01 { " TWO ONE "}", "custom_values are not strictly increasing");
	bad(CUSTOM "82 01 { " ONE ONE "}", "custom_values are not strictly increasing");
	bad(CUSTOM "82 01 { " ZERO MINUS_ZERO "}", "custom_values are not strictly increasing");
	bad(CUSTOM "82 01 { " NAN_ "}", "custom_values are not strictly increasing");
	bad(CUSTOM "82 01 { " ONE NAN_ "}", "custom_values are not strictly increasing");
	bad(CUSTOM "82 01 { " ONE INF "}", "the last of custom_values is +Inf");
	bad(CUSTOM "81 01 " TWO "81 01 " ONE, "custom_values are not strictly increasing");
}

Test(remote_write_histogram, with_custom_bounds_there_is_one_side_and_no_zero_bucket)
{
	bad("08 01 30 01 " CUSTOM BOUNDS, "schema -53 with a zero bucket");
	bad("11 " ONE "39 " ONE CUSTOM BOUNDS, "schema -53 with a zero bucket");
	bad("11 " ONE "39 " NAN_ CUSTOM BOUNDS, "schema -53 with a zero bucket");
	bad("29 " ONE CUSTOM BOUNDS, "schema -53 with a zero threshold");
	bad("29 " NAN_ CUSTOM BOUNDS, "schema -53 with a zero threshold");
	good("29 " MINUS_ZERO CUSTOM BOUNDS);
	bad("08 03 " CUSTOM BOUNDS NEGATIVE, "schema -53 with negative buckets");
	bad(CUSTOM BOUNDS "42 {}", "schema -53 with negative buckets");
	bad("08 03 " CUSTOM BOUNDS "5a { 08 01 10 02 } 62 { 02 02 }",
	    "schema -53 with a span offset below 0");
}

Test(remote_write_histogram, other_schemas_have_no_custom_bounds)
{
	bad(BOUNDS, "custom_values with another schema than -53");
	good("82 01 {}");
}

Test(remote_write_histogram, fields_may_come_in_any_order_and_unknown_ones_too)
{
	good("c0 3e 07 62 { 02 02 } 78 01 5a { 10 02 c0 3e 01 } 70 03 88 01 05 08 03");
}
