/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/json_number.c"

#include <criterion/criterion.h>

/* The number between two others, so that a read over its end would be seen. */
static struct bytes boxed(const char *text, char *room)
{
	size_t n = strlen(text);

	memset(room, '7', n + 32);
	memcpy(room + 16, text, n);
	return bytes_of(room + 16, n);
}

static bool integer_is(const char *text, bool negative, uint64_t magnitude)
{
	char room[400];
	uint64_t m = 0;
	bool n = false;

	return json_to_integer(boxed(text, room), &n, &m) && m == magnitude &&
	       (n == negative || m == 0);
}

static bool is_integer(const char *text)
{
	char room[400];
	uint64_t m;
	bool n;

	return json_to_integer(boxed(text, room), &n, &m);
}

/* P13 */
Test(json_number, integers_are_read_from_their_digits)
{
	cr_expect(integer_is("0", false, 0));
	cr_expect(integer_is("-0", false, 0));
	cr_expect(integer_is("7", false, 7));
	cr_expect(integer_is("12345678", false, 12345678));
	cr_expect(integer_is("123456789", false, 123456789));
	cr_expect(integer_is("1764000000123456789", false, 1764000000123456789));
	cr_expect(integer_is("9007199254740993", false, 9007199254740993)); /* no double */
	cr_expect(integer_is("9223372036854775807", false, INT64_MAX));
	cr_expect(integer_is("-9223372036854775808", true, UINT64_C(1) << 63));
	cr_expect(integer_is("18446744073709551615", false, UINT64_MAX));
	cr_expect_not(is_integer("18446744073709551616"));
	cr_expect_not(is_integer("99999999999999999999"));
	cr_expect_not(is_integer("100000000000000000000"));
}

Test(json_number, a_fraction_or_exponent_is_fine_if_the_value_is_an_integer)
{
	cr_expect(integer_is("1.0", false, 1));
	cr_expect(integer_is("1e3", false, 1000));
	cr_expect(integer_is("1.5e1", false, 15));
	cr_expect(integer_is("1.50E+2", false, 150));
	cr_expect(integer_is("1200e-2", false, 12));
	cr_expect(integer_is("-100.000e-2", true, 1));
	cr_expect(integer_is("0e999999999999999999999", false, 0));
	cr_expect(integer_is("-0.000", false, 0));
	cr_expect(integer_is("1.8446744073709551615e19", false, UINT64_MAX));
	cr_expect(integer_is("18446744073709551615.0", false, UINT64_MAX));
	cr_expect(integer_is("0.00000000000000000001e20", false, 1));
	cr_expect_not(is_integer("1.5"));
	cr_expect_not(is_integer("1e-1"));
	cr_expect_not(is_integer("15e-1"));
	cr_expect_not(is_integer("1e20"));
	cr_expect_not(is_integer("1e99999999999999999999"));
	cr_expect_not(is_integer("1e-99999999999999999999"));
	cr_expect_not(is_integer("0.1"));
}

Test(json_number, what_is_no_number_of_json_is_none)
{
	static const char *const bad[] = {
		"",   "-",  "+1",  "01",  "-01", "00",  "1.",  ".1",   "1e",  "1e+",      "0x10",
		" 1", "1 ", "1_0", "abc", "1a2", "--1", "NaN", "1e1.", "1,0", "12345678a"
	};
	char room[400];
	double d;

	cr_expect_not(json_to_integer(BYTES_NONE, &(bool){ false }, &(uint64_t){ 0 }));
	cr_expect_not(json_to_double(BYTES_NONE, &d));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		cr_expect_not(is_integer(bad[i]), "'%s'", bad[i]);
		cr_expect_not(json_to_double(boxed(bad[i], room), &d), "'%s'", bad[i]);
	}
}

/* Every text of digits is what the C library makes of it. */
Test(json_number, random_integers_agree_with_printf)
{
	uint64_t state = 88172645463325252;

	for (int i = 0; i < 20000; i++) {
		char text[40];
		uint64_t v;

		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		v = state >> (i % 64);
		snprintf(text, sizeof(text), i % 3 ? "%ju" : "-%ju", (uintmax_t)v);
		cr_assert(integer_is(text, i % 3 == 0, v), "%s", text);
	}
}

static void double_is(const char *text)
{
	char room[2000];
	double want = strtod(text, NULL), got = 42;

	cr_assert(json_to_double(boxed(text, room), &got), "%s", text);
	cr_expect(memcmp(&want, &got, sizeof(got)) == 0, "%s: %.17g, not %.17g", text, got, want);
}

Test(json_number, doubles_are_correctly_rounded)
{
	static const char *const texts[] = {
		"0",
		"-0",
		"0.0",
		"-0.0e5",
		"1",
		"0.1",
		"-2.5",
		"123.456",
		"1e22",
		"1e23",
		"9007199254740993",
		"9007199254740992.5",
		"9007199254740993.00000000000000000000000000000000001",
		"2.2250738585072011e-308", /* the smallest normal, and its neighbour */
		"2.2250738585072014e-308",
		"4.9e-324",
		"2.4703282292062327e-324",
		"1e-400",
		"1.7976931348623157e308",
		"0.000000000000000000000000000000000000000000000000001e51",
		"179769313486231570000000000000000000000e270",
		"8.41e21",
		"5e-324",
		"12345678901234567890123456789",
		"7.0420557077594588669468784357561207962098443483187940792729600000e59",
		"6.8985865317742005e-306",
		"1000000000000000000000000000000e-30",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		double_is(texts[i]);
}

Test(json_number, doubles_out_of_range_are_none)
{
	static const char *const texts[] = { "1e309", "-1e400", "1.8e308", "1e99999999999999999999",
		                             "17976931348623159e292" };
	char room[400];
	double d;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		cr_expect_not(json_to_double(boxed(texts[i], room), &d), "%s", texts[i]);
}

Test(json_number, random_doubles_survive_print_and_read)
{
	uint64_t state = 0x9e3779b97f4a7c15;

	for (int i = 0; i < 50000; i++) {
		static const char *const forms[] = { "%.17g", "%.15g", "%.3f", "%.40e", "%.6g" };
		char text[800];
		double v;

		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		memcpy(&v, &state, sizeof(v));
		if (isnan(v) || isinf(v))
			continue;
		if (i % 2)
			v = (double)(int64_t)state / 1e13;
		snprintf(text, sizeof(text), forms[i % 5], v);
		double_is(text);
	}
}

/* Halfway between two doubles but for a digit far behind: 800 digits are looked at, the rest only
 * for whether it is zero. */
Test(json_number, digits_without_end_still_decide)
{
	static char text[3000], room[3100];
	double got, up = 9007199254740994, even = 9007199254740992;

	memset(text, '0', sizeof(text));
	memcpy(text, "9007199254740993.", 17);
	text[2998] = '\0';
	cr_assert(json_to_double(boxed(text, room), &got));
	cr_expect_eq(got, even);
	text[2997] = '1';
	cr_assert(json_to_double(boxed(text, room), &got));
	cr_expect_eq(got, up);
	memset(text, '1', 2998);
	cr_expect_not(json_to_double(boxed(text, room), &got)); /* over 10^2997 */
	memcpy(text + 2990, "e-2989", 7);
	cr_assert(json_to_double(boxed(text, room), &got));
	cr_expect_eq(got, 1.1111111111111112);
}

/* The plain path takes numbers alone, and says of each what the general one says. */
Test(json_number, doubles_are_the_same_by_both_paths)
{
	static const char alphabet[] = "0123456789000.eE+-";
	uint32_t state = 1;
	int taken = 0;

	for (int round = 0; round < 300000; round++) {
		uint8_t text[32];
		struct decimal d;
		size_t n = 0;
		double v;

		for (int i = 0; i <= round % 24; i++) {
			state = state * 1664525 + 1013904223;
			text[n++] = (uint8_t)alphabet[(state >> 16) % (sizeof(alphabet) - 1)];
		}
		if (!plain_double(text, text + n, &v))
			continue;
		taken++;
		cr_assert(decimal_read(bytes_of(text, n), &d), "%.*s", (int)n, (char *)text);
		cr_assert(!d.negative && memcmp(&v, &(double){ double_of(&d) }, sizeof(v)) == 0,
		          "%.*s", (int)n, (char *)text);
	}
	cr_expect_gt(taken, 10000);
}
