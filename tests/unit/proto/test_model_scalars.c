/* SPDX-License-Identifier: Apache-2.0 */
/* Values that stand alone, by the type of their column. */
#include "proto/model.c"

#include "tests/unit/proto/model_bodies.h"

Test(model, booleans_and_strings)
{
	struct model *b = of_type("\"Boolean\""), *s = of_type("\"String\"");
	struct model *f = of_type("\"FixedString(4)\"");

	takes(b, "true", NULL);
	takes(b, "false", NULL);
	denies(b, "1", "invalid type: integer `1`, expected a boolean value at x");
	denies(b, "\"true\"", "invalid type: string \"true\", expected a boolean value at x");
	denies(b, "{}", "invalid type: map, expected a boolean value at x");
	denies(b, "[]", "invalid type: sequence, expected a boolean value at x");
	denies(b, "null", "Required value at x, but is none");
	takes(s, "\"\"", NULL);
	takes(s, "\"\\u0000\\ud83d\\ude00 \\/\"", NULL);
	denies(s, "false", "invalid type: boolean `false`, expected a string value at x");
	denies(s, "-1.5E3", "invalid type: floating point `-1.5E3`, expected a string value at x");
	denies(s, "99999999999999999999999",
	       "invalid type: integer `99999999999999999999999`, expected a string value at x");
	takes(f, "\"abcd\"", NULL);
	takes(f, "\"\"", NULL);
	takes(f, "\"\\u00e9\\u00e9\"", NULL); /* of two bytes each */
	denies(f, "\"abcde\"",
	       "FixedString(4) value exceeds maximum length: got 5 bytes, max 4 bytes at x");
	denies(f, "\"\\u00e9\\n\\u20ac\"",
	       "FixedString(4) value exceeds maximum length: got 6 bytes, max 4 bytes at x");
	denies(f, "4", "invalid type: integer `4`, expected a string value at x");
	model_free(b);
	model_free(s);
	model_free(f);
}

static const struct {
	const char *type, *least, *below, *most, *above;
} integers[] = {
	/* clang-format off */
	{ "Int8",   "-128", "-129", "127", "128" },
	{ "UInt8",  "0", NULL, "255", "256" },
	{ "Int16",  "-32768", "-32769", "32767", "32768" },
	{ "UInt16", "0", NULL, "65535", "65536" },
	{ "Int32",  "-2147483648", "-2147483649", "2147483647", "2147483648" },
	{ "UInt32", "0", NULL, "4294967295", "4294967296" },
	{ "Int64",  "-9223372036854775808", "-9223372036854775809", "9223372036854775807",
	            "9223372036854775808" },
	{ "UInt64", "0", NULL, "18446744073709551615", "18446744073709551616" },
	{ "Int128", "-170141183460469231731687303715884105728",
	            "-170141183460469231731687303715884105729",
	            "170141183460469231731687303715884105727",
	            "170141183460469231731687303715884105728" },
	{ "UInt128", "0", NULL, "340282366920938463463374607431768211455",
	            "340282366920938463463374607431768211456" },
	{ "Int256", "-57896044618658097711785492504343953926634992332820282019728792003956564819968",
	            "-57896044618658097711785492504343953926634992332820282019728792003956564819969",
	            "57896044618658097711785492504343953926634992332820282019728792003956564819967",
	            "57896044618658097711785492504343953926634992332820282019728792003956564819968" },
	{ "UInt256", "0", NULL,
	            "115792089237316195423570985008687907853269984665640564039457584007913129639935",
	            "115792089237316195423570985008687907853269984665640564039457584007913129639936" },
	/* clang-format on */
};

/* A number and the string of it: both are emitted as a number, or refused in their own words. */
static void integer_taken(const struct model *m, const char *number)
{
	char string[100];

	snprintf(string, sizeof(string), "\"%s\"", number);
	takes(m, number, NULL);
	takes(m, string, number);
}

static void integer_denied(const struct model *m, const char *type, const char *number)
{
	char string[100], why[300];

	snprintf(why, sizeof(why), "Integer out of range for %s at x: %s", type, number);
	denies(m, number, why);
	snprintf(string, sizeof(string), "\"%s\"", number);
	snprintf(why, sizeof(why), "invalid type: string \"%s\", expected an integer value at x",
	         number);
	denies(m, string, why);
}

/* C10 */
Test(model, integers_have_the_range_of_their_bits)
{
	for (size_t i = 0; i < ARRAY_LEN(integers); i++) {
		char type[20];
		struct model *m;

		snprintf(type, sizeof(type), "\"%s\"", integers[i].type);
		m = of_type(type);
		integer_taken(m, integers[i].least);
		integer_taken(m, integers[i].most);
		integer_taken(m, "7");
		integer_denied(m, integers[i].type, integers[i].above);
		integer_denied(m, integers[i].type, "1.5");
		integer_denied(m, integers[i].type, "1e0");
		if (integers[i].below) {
			integer_taken(m, "-1");
			integer_denied(m, integers[i].type, integers[i].below);
		} else {
			char why[100];

			snprintf(why, sizeof(why), "Negative value for %s at x", integers[i].type);
			denies(m, "-1", why);
			takes(m, "-0", "0");
			denies(m, "\"-0\"",
			       "invalid type: string \"-0\", expected an integer value at x");
			denies(m, "\"-1\"",
			       "invalid type: string \"-1\", expected an integer value at x");
		}
		model_free(m);
	}
}

Test(model, strings_for_integers_are_plain_digits)
{
	struct model *m = of_type("\"Int64\"");

	takes(m, "\"42\"", "42");
	takes(m, "\"\\u0034\\u0032\"", "42");
	takes(m, "\"-0\"", "-0");
	denies(m, "\"042\"", "invalid type: string \"042\", expected an integer value at x");
	denies(m, "\"+1\"", "invalid type: string \"+1\", expected an integer value at x");
	denies(m, "\" 1\"", "invalid type: string \" 1\", expected an integer value at x");
	denies(m, "\"\"", "invalid type: string \"\", expected an integer value at x");
	denies(m, "\"-\"", "invalid type: string \"-\", expected an integer value at x");
	denies(m, "\"1.0\"", "invalid type: string \"1.0\", expected an integer value at x");
	denies(m, "true", "invalid type: boolean `true`, expected an integer value at x");
	model_free(m);
}

Test(model, big_integers_have_no_range_and_bytes_take_nothing)
{
	struct model *big = of_type("\"BigInt\""), *bytes = of_type("{\"nullable\":\"Bytes\"}");

	takes(big, "-5", NULL);
	takes(big,
	      "1234567890123456789012345678901234567890123456789012345678901234567890"
	      "12345678901234567890",
	      NULL);
	denies(big, "1.5",
	       "invalid type: floating point `1.5`, expected a value matching the column type at "
	       "x");
	denies(big, "\"5\"",
	       "invalid type: string \"5\", expected a value matching the column type at x");
	takes(bytes, "null", NULL);
	denies(bytes, "\"5\"",
	       "invalid type: string \"5\", expected a value matching the column type at x");
	denies(bytes, "[5]",
	       "invalid type: sequence, expected a value matching the column type at x");
	model_free(big);
	model_free(bytes);
}

Test(model, floats_take_numbers_and_strings_of_finite_ones)
{
	static const char *const types[] = { "\"Float32\"", "\"Float64\"", "\"Float\"" };

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct model *m = of_type(types[i]);

		takes(m, "1.50", NULL);
		takes(m, "-0", NULL);
		takes(m, "1e400", NULL); /* as it was written */
		takes(m, "\"1.50\"", "1.50");
		takes(m, "\"-1E-7\"", "-1E-7");
		takes(m, "\"+1\"", "1");
		takes(m, "\".5\"", "0.5");
		takes(m, "\"-.5e3\"", "-0.5e3");
		takes(m, "\"5.\"", "5");
		takes(m, "\"5.e2\"", "5e2");
		takes(m, "\"007\"", "7");
		takes(m, "\"000\"", "0");
		takes(m, "\"00.0\"", "0.0");
		takes(m, "\"\\u0035\"", "5");
		denies(m, "\"1e400\"",
		       "invalid type: string \"1e400\", expected a floating-point value at x");
		denies(m, "\"nan\"",
		       "invalid type: string \"nan\", expected a floating-point value at x");
		denies(m, "\"inf\"",
		       "invalid type: string \"inf\", expected a floating-point value at x");
		denies(m, "\"\"",
		       "invalid type: string \"\", expected a floating-point value at x");
		denies(m, "\".\"",
		       "invalid type: string \".\", expected a floating-point value at x");
		denies(m, "\"1 \"",
		       "invalid type: string \"1 \", expected a floating-point value at x");
		denies(m, "\"+-1\"",
		       "invalid type: string \"+-1\", expected a floating-point value at x");
		denies(m, "\"0x10\"",
		       "invalid type: string \"0x10\", expected a floating-point value at x");
		denies(m, "\"1.2.3\"",
		       "invalid type: string \"1.2.3\", expected a floating-point value at x");
		denies(m, "true",
		       "invalid type: boolean `true`, expected a floating-point value at x");
		model_free(m);
	}
}

Test(model, decimals_keep_their_form)
{
	struct model *m = of_type("\"Decimal(10, 2)\"");

	takes(m, "1.50", NULL);
	takes(m, "-3", NULL);
	takes(m, "\"1.50\"", NULL);
	takes(m, "\"-007\"", NULL);
	denies(m, "\"1.\"", "Invalid decimal format at x");
	denies(m, "\".5\"", "Invalid decimal format at x");
	denies(m, "\"1e5\"", "Invalid decimal format at x");
	denies(m, "\"+1\"", "Invalid decimal format at x");
	denies(m, "\"\"", "Invalid decimal format at x");
	denies(m, "\"-\"", "Invalid decimal format at x");
	denies(m, "false",
	       "invalid type: boolean `false`, expected a value matching the column type at x");
	model_free(m);
}

/* C10 */
Test(model, times_are_rfc_3339_strings_with_an_offset)
{
	struct model *m = of_type("\"DateTime(3)\"");
	static const char *const good[] = {
		"\"2024-09-10T17:34:51+00:00\"",         "\"2024-09-10T17:34:51Z\"",
		"\"2024-02-29t00:00:00.123456789012z\"", "\"2016-12-31T23:59:60-23:59\"",
		"\"0000-01-01 00:00:00.1+14:00\"",       "\"2024-09-10\\u005417:34:51Z\"",
	};
	static const char *const bad[] = {
		"\"\"",
		"\"2024-09-10\"",
		"\"2024-09-10T17:34:51\"",
		"\"2024-09-10T17:34Z\"",
		"\"2023-02-29T17:34:51Z\"",
		"\"2024-13-10T17:34:51Z\"",
		"\"2024-09-10T24:00:00Z\"",
		"\"2024-09-10T17:60:51Z\"",
		"\"2024-09-10T17:34:61Z\"",
		"\"2024-09-10T17:34:51.Z\"",
		"\"2024-09-10T17:34:51+0000\"",
		"\"2024-09-10T17:34:51+24:00\"",
		"\"2024-09-10T17:34:51+00:60\"",
		"\"2024-09-10X17:34:51Z\"",
		"\"2024-09-10T17:34:51Zx\"",
		"\"24-09-10T17:34:51Z\"",
		"\"2024-00-10T17:34:51Z\"",
		"\"2024-09-00T17:34:51Z\"",
	};

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		takes(m, good[i], NULL);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		denies(m, bad[i], "Invalid date format at x");
	denies(m, "1725989691",
	       "invalid type: integer `1725989691`, expected a datetime value at x");
	denies(m, "1.5", "invalid type: floating point `1.5`, expected a datetime value at x");
	model_free(m);
}

Test(model, dates_have_a_month_and_a_day)
{
	static const char *const types[] = { "\"Date\"", "\"Date16\"" };

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct model *m = of_type(types[i]);

		takes(m, "\"2024-12-31\"", NULL);
		takes(m, "\"2024-02-31\"", NULL); /* the page counts days to 31 */
		denies(m, "\"2024-13-01\"", "Invalid date format at x");
		denies(m, "\"2024-00-01\"", "Invalid date format at x");
		denies(m, "\"2024-01-00\"", "Invalid date format at x");
		denies(m, "\"2024-01-32\"", "Invalid date format at x");
		denies(m, "\"2024-1-1\"", "Invalid date format at x");
		denies(m, "\"2024-01-01T\"", "Invalid date format at x");
		denies(m, "\"2024/01/01\"", "Invalid date format at x");
		denies(m, "20240101",
		       "invalid type: integer `20240101`, expected a value matching the column "
		       "type at x");
		model_free(m);
	}
}

Test(model, uuids_have_four_forms)
{
	struct model *m = of_type("\"UUID\"");

	takes(m, "\"67e55044-10b1-426f-9247-bb680e5fe0c8\"", NULL);
	takes(m, "\"67E5504410B1426F9247BB680E5FE0C8\"", NULL);
	takes(m, "\"{67e55044-10b1-426f-9247-bb680e5fe0c8}\"", NULL);
	takes(m, "\"urn:uuid:67e55044-10b1-426f-9247-bb680e5fe0c8\"", NULL);
	denies(m, "\"x\"", "invalid type: string \"x\", expected a UUID at x");
	denies(m, "\"\"", "invalid type: string \"\", expected a UUID at x");
	denies(m, "\"67e55044-10b1-426f-9247-bb680e5fe0cg\"",
	       "invalid type: string \"67e55044-10b1-426f-9247-bb680e5fe0cg\", expected a UUID at "
	       "x");
	denies(m, "\"67e5504410b1-426f-9247-bb680e5fe0c8-\"",
	       "invalid type: string \"67e5504410b1-426f-9247-bb680e5fe0c8-\", expected a UUID at "
	       "x");
	denies(m, "\"{67e5504410b1426f9247bb680e5fe0c8}\"",
	       "invalid type: string \"{67e5504410b1426f9247bb680e5fe0c8}\", expected a UUID at x");
	denies(m, "5", "invalid type: integer `5`, expected a UUID at x");
	model_free(m);
}

Test(model, addresses_are_judged_by_their_text)
{
	struct model *four = of_type("\"IPv4\""), *six = of_type("\"IPv6\"");

	takes(four, "\"127.0.0.1\"", NULL);
	takes(four, "\"255.255.255.255\"", NULL);
	takes(four, "\"010.001.00.0\"", NULL);
	denies(four, "\"256.0.0.1\"", "Invalid IPv4 format at x");
	denies(four, "\"1.2.3\"", "Invalid IPv4 format at x");
	denies(four, "\"1.2.3.4.\"", "Invalid IPv4 format at x");
	denies(four, "\"1.2.3.4.5\"", "Invalid IPv4 format at x");
	denies(four, "\"0001.2.3.4\"", "Invalid IPv4 format at x");
	denies(four, "\"\"", "Invalid IPv4 format at x");
	denies(four, "1",
	       "invalid type: integer `1`, expected a value matching the column type at x");
	takes(six, "\"::\"", NULL);
	takes(six, "\"2001:DB8::8a2e:370:7334\"", NULL);
	takes(six, "\"::ffff:192.0.2.1\"", NULL);
	takes(six, "\"1:2:3:4:5:6:7:8\"", NULL);
	denies(six, "\"fe80::1%eth0\"", "Invalid IPv6 format at x");
	denies(six, "\"1::2::3\"", "Invalid IPv6 format at x");
	denies(six, "\"12345::\"", "Invalid IPv6 format at x");
	denies(six, "\"::1\\u0000\"", "Invalid IPv6 format at x");
	denies(six, "\"[::1]\"", "Invalid IPv6 format at x");
	denies(six, "\"\"", "Invalid IPv6 format at x");
	model_free(four);
	model_free(six);
}

Test(model, members_of_enums_stand_for_themselves_or_by_number)
{
	struct model *m = of_type("{\"name\":\"E\",\"values\":["
	                          "{\"name\":\"Red\",\"value\":{\"Int\":-3}},"
	                          "{\"name\":\"Green\",\"value\":{\"String\":\"green\"}}]}");

	takes(m, "\"Red\"", NULL);
	takes(m, "-3", NULL);
	takes(m, "\"green\"", NULL);
	takes(m, "\"\\u0067reen\"", NULL);
	takes(m, "1", NULL);
	denies(m, "\"Green\"", "Invalid enum value at x: Green");
	denies(m, "\"\"", "Invalid enum value at x: ");
	denies(m, "0", "Invalid enum value at x: 0");
	denies(m, "3", "Invalid enum value at x: 3");
	denies(m, "4294967293", "Invalid enum value at x: 4294967293");
	denies(m, "18446744073709551615000", "Invalid enum value at x: 18446744073709551615000");
	denies(m, "1.0", "invalid type: floating point `1.0`, expected an enum value at x");
	denies(m, "true", "invalid type: boolean `true`, expected an enum value at x");
	denies(m, "[]", "invalid type: sequence, expected an enum value at x");
	model_free(m);
}
