/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/model.c"

#include <criterion/criterion.h>

#include "tests/unit/proto/models.h"

#define COLUMN(name, type, required)                                                               \
	"{\"name\":\"" name "\",\"data_type\":" type ",\"required\":" required "}"
#define MODEL(more, columns) "{\"name\":\"e\"," more "\"columns\":[" columns "]}"

static struct model *made(const char *json)
{
	struct err err = { "" };
	struct model *m = model_parse(bytes_str(json), &err);

	cr_assert(m, "%s: %s", json, err.text);
	return m;
}

static struct model *of_type(const char *type)
{
	char json[2048];

	cr_assert_lt(snprintf(json, sizeof(json), MODEL("", COLUMN("x", "%s", "true")), type),
	             (int)sizeof(json));
	return made(json);
}

/* The records are the lines of `want`. */
static void records_are(struct model_settings s, const char *body, const char *want)
{
	struct judged j = judge_all(s, bytes_str(body));
	size_t at = 0;

	cr_assert_eq(j.result, TRANSCODE_OK, "%s: %s", body, j.e.reason);
	for (size_t i = 0; i < j.slices.n; i++) {
		struct slice v = j.slices.v[i];
		size_t n = strcspn(want, "\n");

		cr_expect_eq(v.at, at);
		cr_expect_eq(v.items, 1);
		cr_expect(v.n == n && !memcmp(want, j.out + v.at, n), "%s: %.*s", body, (int)v.n,
		          j.out + v.at);
		want += n + (want[n] == '\n');
		at = v.at + v.n;
	}
	cr_expect_str_empty(want, "%s: less than wanted", body);
	cr_expect_eq(at, j.n);
	cr_expect_eq(j.e.items, j.slices.n);
	cr_expect_eq(j.verdict, j.slices.n ? V_ACCEPTED : V_EMPTY);
	judged_done(&j);
}

static void refused_in(struct model_settings s, const char *body, const char *why, bool is_syntax)
{
	struct judged j = judge_all(s, bytes_str(body));
	char text[400];

	cr_expect_eq(j.result, TRANSCODE_INVALID, "%s", body);
	snprintf(text, sizeof(text), "Invalid JSON: %s", why);
	cr_expect_str_eq(j.e.reason, text, "%s: %s", body, j.e.reason);
	cr_expect_eq(j.e.is_syntax, is_syntax, "%s", body);
	cr_expect_eq(j.slices.n, 0, "%s: a record of what was refused", body);
	judged_done(&j);
}

static void refused(struct model_settings s, const char *body, const char *why)
{
	refused_in(s, body, why, false);
}

/* A value of column x, alone in its object; `out` NULL: as it came. */
static void takes(const struct model *m, const char *value, const char *out)
{
	struct model_settings s = model_settings_of(m);
	char body[2048], want[2048];

	snprintf(body, sizeof(body), "{\"x\":%s}", value);
	snprintf(want, sizeof(want), "{\"x\":%s}", out ? out : value);
	records_are(s, body, want);
}

static void denies(const struct model *m, const char *value, const char *text)
{
	char body[2048], why[400];
	size_t n;

	snprintf(body, sizeof(body), "{\"x\":%s}", value);
	/* a reader is behind the value, or in its bracket, or behind an empty one */
	n = strlen("{\"x\":") + (*value != '{' && *value != '[' ? strlen(value) : value[2] ? 1 : 2);
	snprintf(why, sizeof(why), "%s at line 1 column %zu", text, n);
	refused(model_settings_of(m), body, why);
}

/* clang-format off */
static const char user_event[] = MODEL(
	"\"version\":\"1.0\",",
	COLUMN("id", "\"String\"", "true") ","
	COLUMN("timestamp", "\"DateTime\"", "true") ","
	COLUMN("n", "\"UInt8\"", "false") ","
	COLUMN("tags", "{\"elementType\":\"String\"}", "false") ","
	COLUMN("nested", "{\"name\":\"N\",\"columns\":["
	                 COLUMN("a", "\"Int64\"", "true") ","
	                 COLUMN("b", "\"Boolean\"", "false") "]}", "false"));
/* clang-format on */

#define ID "\"id\":\"1\",\"timestamp\":\"2024-09-10T17:34:51+00:00\""

/* C6, C10 */
Test(model, an_object_is_a_record_and_an_array_one_for_each)
{
	struct model *m = made(user_event);
	struct model_settings s = model_settings_of(m);

	records_are(s, "{" ID "}", "{" ID "}");
	records_are(s, "[{" ID ",\"n\":1},{" ID ",\"n\":2},{" ID ",\"n\":3}]",
	            "{" ID ",\"n\":1}\n{" ID ",\"n\":2}\n{" ID ",\"n\":3}");
	records_are(s, "[]", "");
	records_are(s, " [ ] ", "");
	model_free(m);
}

Test(model, records_are_compact_and_in_the_order_of_the_client)
{
	struct model *m = made(user_event);

	records_are(model_settings_of(m),
	            "\n{ \"n\" : 7 ,\t\"tags\":[ \"a\" , \"b\" ] , \"nested\" : { \"b\" : true , "
	            "\"a\" : \"-3\" } ,\r\n \"timestamp\":\"2024-09-10T17:34:51+00:00\", "
	            "\"i\\u0064\" : \"\\u00e9 1\" } ",
	            "{\"n\":7,\"tags\":[\"a\",\"b\"],\"nested\":{\"b\":true,\"a\":-3},"
	            "\"timestamp\":\"2024-09-10T17:34:51+00:00\",\"i\\u0064\":\"\\u00e9 1\"}");
	model_free(m);
}

/* C9 */
Test(model, missing_fields_are_named_in_the_order_of_the_model)
{
	struct model *m = made(user_event);
	struct model_settings s = model_settings_of(m);

	refused(s, "{\"id\":\"1\"}", "Missing fields: timestamp at line 1 column 10");
	refused(s, "{}", "Missing fields: id, timestamp at line 1 column 2");
	refused(s, "[{" ID "},\n{\"n\":1}]", "Missing fields: id, timestamp at line 2 column 7");
	refused(s, "{" ID ",\"nested\":{\"b\":true}}",
	        "Missing fields: nested.a at line 1 column 69");
	model_free(m);
}

Test(model, what_is_not_required_may_be_absent_or_null)
{
	struct model *m = made(user_event);
	struct model_settings s = model_settings_of(m);

	records_are(s, "{" ID ",\"n\":null,\"nested\":null,\"tags\":null}",
	            "{" ID ",\"n\":null,\"nested\":null,\"tags\":null}");
	refused(s, "{\"id\":null}", "Required value at id, but is none at line 1 column 10");
	refused(s, "{" ID ",\"nested\":{\"a\":null}}",
	        "Required value at nested.a, but is none at line 1 column 68");
	refused(s, "{\"tags\":[\"a\",null]}",
	        "Required value at tags.1, but is none at line 1 column 17");
	model_free(m);
}

/* C11 */
Test(model, unknown_members_go_unless_the_model_allows_them)
{
	struct model *m = made(user_event);
	struct model *extra =
		made(MODEL("\"allow_extra_fields\":true,",
	                   COLUMN("nested", "{\"fields\":[[\"a\",\"Int8\"]]}", "true")));
	struct model_settings s = model_settings_of(extra);

	records_are(model_settings_of(m), "{\"x\":[1,{\"y\":{}}]," ID ",\"y\":1.5e3}", "{" ID "}");
	records_are(model_settings_of(m), "{" ID ",\"nested\":{\"x\":1,\"a\":2,\"y\":\"\"}}",
	            "{" ID ",\"nested\":{\"a\":2}}");
	s.stamp = false;
	records_are(s,
	            "{ \"x\" : [ 1 , { \"y\" : { } , \"z\":[ ] } , null ], "
	            "\"nested\":{\"a\":1,\"b\":2} "
	            ", \"y\" : -0.50e+10, \"s\":\"\\n\", \"t\" : true }",
	            "{\"x\":[1,{\"y\":{},\"z\":[]},null],\"nested\":{\"a\":1},\"y\":-0.50e+10,"
	            "\"s\":\"\\n\",\"t\":true}");
	model_free(m);
	model_free(extra);
}

Test(model, columns_that_the_storage_makes_are_stripped)
{
	struct model *m = made("{\"name\":\"e\",\"columns\":[" COLUMN(
		"a", "\"Int8\"",
		"true") ","
	                "{\"name\":\"m\",\"data_type\":\"Int8\",\"required\":true,"
	                "\"materialized\":\"a\"},"
	                "{\"name\":\"l\",\"data_type\":\"Int8\",\"required\":true,"
	                "\"alias\":\"a\"},"
	                "{\"name\":\"d\",\"data_type\":\"Int8\",\"required\":true,"
	                "\"default\":\"1\"},"
	                "{\"name\":\"j\",\"required\":true,\"data_type\":{\"name\":\"J\","
	                "\"jwt\":true,\"columns\":[" COLUMN("sub", "\"String\"", "true") "]}}]}");
	struct model_settings s = model_settings_of(m);

	records_are(s, "{\"m\":\"no Int8\",\"a\":1,\"l\":[]}", "{\"a\":1}");
	records_are(s, "{\"a\":1,\"d\":2,\"j\":{\"sub\":\"forged\"}}", "{\"a\":1,\"d\":2}");
	records_are(s, "{\"j\":null,\"a\":1}", "{\"a\":1}");
	refused(s, "{\"a\":1,\"m\":1,\"m\":1}", "duplicate field `m` at line 1 column 17");
	model_free(m);
}

#define CLAIMS "{\"name\":\"J\",\"jwt\":true,\"columns\":[" COLUMN("sub", "\"String\"", "true") "]}"

/* C16 */
Test(model, claims_come_behind_all_that_the_client_sent_and_never_from_it)
{
	struct model *m =
		made(MODEL("", COLUMN("a", "\"Int8\"", "false") "," COLUMN("j", CLAIMS, "true")));
	struct model_settings s = model_settings_of(m);

	s.claims = "{\"sub\":\"u1\",\"n\":[1]}";
	records_are(s, "[{\"j\":{\"sub\":\"forged\"},\"a\":1}, {} ]",
	            "{\"a\":1,\"j\":{\"sub\":\"u1\",\"n\":[1]}}\n"
	            "{\"j\":{\"sub\":\"u1\",\"n\":[1]}}");
	records_are(s, "{\"j\":null,\"a\":1}", "{\"a\":1,\"j\":{\"sub\":\"u1\",\"n\":[1]}}");
	refused(s, "{\"j\":1,\"j\":2}", "duplicate field `j` at line 1 column 11");
	s.claims = NULL;
	records_are(s, "{\"j\":{\"sub\":\"forged\"}}", "{}");
	model_free(m);
}

/* compat.moose_trust_client_claims */
Test(model, a_clients_claims_stay_where_they_are_trusted)
{
	struct model *m =
		made(MODEL("", COLUMN("a", "\"Int8\"", "false") "," COLUMN("j", CLAIMS, "true")));
	struct model_settings s = model_settings_of(m);

	s.claims = "{\"sub\":\"u1\"}";
	s.client_claims_win = true;
	records_are(s, "[{\"j\":{\"sub\":\"mine\"},\"a\":1},{\"a\":2}]",
	            "{\"j\":{\"sub\":\"mine\"},\"a\":1}\n{\"a\":2,\"j\":{\"sub\":\"u1\"}}");
	refused(s, "{\"j\":{\"sub\":1}}",
	        "invalid type: integer `1`, expected a string value at j.sub at line 1 column 13");
	s.claims = NULL;
	records_are(s, "[{\"j\":{\"sub\":\"mine\"}},{}]", "{\"j\":{\"sub\":\"mine\"}}\n{}");
	model_free(m);
}

Test(model, claims_stand_in_nested_objects_too_and_their_columns_name_is_escaped)
{
	struct model *m = made(MODEL("", COLUMN("x",
	                                        "{\"name\":\"X\",\"columns\":[" COLUMN(
							"j\\\"\\u0001", CLAIMS, "false") "]}",
	                                        "true")));
	struct model_settings s = model_settings_of(m);

	s.claims = "{}";
	records_are(s, "{\"x\":{}}", "{\"x\":{\"j\\\"\\u0001\":{}}}");
	model_free(m);
}

Test(model, a_column_of_claims_that_the_storage_makes_is_stripped)
{
	struct model *m = made("{\"name\":\"e\",\"columns\":[{\"name\":\"j\",\"required\":true,"
	                       "\"materialized\":\"x\",\"data_type\":" CLAIMS "}]}");
	struct model_settings s = model_settings_of(m);

	s.claims = "{}";
	records_are(s, "{\"j\":{}}", "{}");
	model_free(m);
}

/* C13 */
Test(model, bytes_that_are_no_json_are_a_syntax_error)
{
	struct model *m = made(user_event);
	struct model_settings s = model_settings_of(m);

	refused_in(s, "{" ID "}garbage", "trailing characters at line 1 column 51", true);
	refused_in(s, "{" ID "}{", "trailing characters at line 1 column 51", true);
	refused_in(s, "", "the JSON ends too early at line 1 column 1", true);
	refused_in(s, "[", "the JSON ends too early at line 1 column 1", true);
	refused_in(s, "{\"id\":\"1\",\n }", "expected a member name in quotes at line 2 column 2",
	           true);
	refused_in(s, "{\"id\":01}", "malformed number at line 1 column 7", true);
	refused_in(s, "{\"id\":\"\x80\"}", "invalid UTF-8 at line 1 column 8", true);
	refused_in(s, "{\"id\":\"\\ud800\"}",
	           "lone surrogate escape in a string at line 1 column 8", true);
	refused_in(s, "{\"x\":tru}", "expected true, false or null at line 1 column 6", true);
	/* what comes first is the reason, but no object of such a body is a dead letter */
	refused_in(s, "{\"id\":5}]",
	           "invalid type: integer `5`, expected a string value at id at line 1 column 7",
	           true);
	refused_in(s, "[{\"id\":5},{]",
	           "invalid type: integer `5`, expected a string value at id at line 1 column 8",
	           true);
	model_free(m);
}

Test(model, a_body_is_an_object_or_an_array_of_objects)
{
	struct model *m = made(user_event);
	struct model_settings s = model_settings_of(m);

	refused(s, "5", "invalid type: integer `5`, expected an array at line 1 column 1");
	refused(s, "\"x\"", "invalid type: string \"x\", expected an array at line 1 column 3");
	refused(s, "null", "invalid type: null, expected an array at line 1 column 4");
	refused(s, "[5]", "invalid type: integer `5`, expected an object at line 1 column 2");
	refused(s, "[{" ID "},[]]",
	        "invalid type: sequence, expected an object at line 1 column 54");
	refused(s, "[1.5]",
	        "invalid type: floating point `1.5`, expected an object at line 1 column 4");
	refused(s, "[true]", "invalid type: boolean `true`, expected an object at line 1 column 5");
	refused(s, "[null]", "invalid type: null, expected an object at line 1 column 5");
	model_free(m);
}

/* C12 */
Test(model, one_bad_element_refuses_all)
{
	struct model *m = made(user_event);

	refused(model_settings_of(m), "[{" ID "},{" ID ",\"n\":256},{" ID "}]",
	        "Integer out of range for UInt8 at n: 256 at line 1 column 109");
	model_free(m);
}

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

Test(model, arrays_have_elements_of_one_type)
{
	struct model *m = of_type("{\"elementType\":{\"elementType\":\"UInt8\"}}");
	struct model *nullable = of_type("{\"elementType\":\"UInt8\",\"elementNullable\":true}");
	struct model_settings s = model_settings_of(m);

	takes(m, "[]", NULL);
	takes(m, "[[],[1,\"2\"]]", "[[],[1,2]]");
	denies(m, "{}", "invalid type: map, expected an array value at x");
	denies(m, "\"[]\"", "invalid type: string \"[]\", expected an array value at x");
	refused(s, "{\"x\":[[],[1,-2]]}", "Negative value for UInt8 at x.1.1 at line 1 column 14");
	refused(s, "{\"x\":[[],null]}", "Required value at x.1, but is none at line 1 column 13");
	refused(s, "{\"x\":[[],3]}",
	        "invalid type: integer `3`, expected an array value at x.1 at line 1 column 10");
	takes(nullable, "[1,null]", NULL);
	denies(nullable, "null", "Required value at x, but is none");
	model_free(m);
	model_free(nullable);
}

Test(model, nested_objects_are_judged_as_the_outer_one)
{
	struct model *m = of_type("{\"name\":\"N\",\"columns\":[" COLUMN(
		"a", "{\"name\":\"M\",\"columns\":[" COLUMN("b", "\"Int8\"", "true") "]}",
		"true") "," COLUMN("c", "\"Int8\"", "false") "]}");
	struct model *tuple =
		of_type("{\"fields\":[[\"a\",{\"nullable\":\"Int8\"}],[\"b\",\"String\"]]}");
	struct model_settings s = model_settings_of(m), t = model_settings_of(tuple);

	takes(m, "{\"c\":null,\"z\":{\"b\":1},\"a\":{\"b\":1}}", "{\"c\":null,\"a\":{\"b\":1}}");
	denies(m, "[]", "invalid type: sequence, expected a nested object at x");
	refused(s, "{\"x\":{}}", "Missing fields: x.a at line 1 column 7");
	refused(s, "{\"x\":{\"a\":{}}}", "Missing fields: x.a.b at line 1 column 12");
	refused(s, "{\"x\":{\"a\":{\"b\":\"x\"}}}",
	        "invalid type: string \"x\", expected an integer value at x.a.b at line 1 column "
	        "18");
	refused(s, "{\"x\":{\"a\":{\"b\":1},\"a\":1}}", "duplicate field `a` at line 1 column 22");
	takes(tuple, "{\"b\":\"\"}", NULL);
	takes(tuple, "{\"a\":null,\"b\":\"\",\"c\":1}", "{\"a\":null,\"b\":\"\"}");
	refused(t, "{\"x\":{\"a\":1}}", "Missing fields: x.b at line 1 column 12");
	model_free(m);
	model_free(tuple);
}

static struct model *map_of(const char *key, const char *value)
{
	char type[200];

	snprintf(type, sizeof(type), "{\"keyType\":\"%s\",\"valueType\":%s}", key, value);
	return of_type(type);
}

Test(model, keys_of_maps_are_texts_of_their_type)
{
	static const struct {
		const char *type, *good, *bad, *why;
	} keys[] = {
		/* clang-format off */
		{ "String",  "any \\\" text", NULL, NULL },
		{ "UInt8",   "255", "256", "out of range UInt8" },
		{ "UInt8",   "0",   "-1",  "Invalid unsigned integer key" },
		{ "Int64",   "-9223372036854775808", "k", "Invalid integer key 'k' for Map at x" },
		{ "Int128",  "\\u0031", "01", "Invalid integer key '01' for Map at x" },
		{ "Float64", "1.5e3", "k", "Invalid float key 'k' for Map at x" },
		{ "Float32", "-inf", "in", "Invalid float key 'in' for Map at x" },
		{ "Float32", "NaN", "1.2.3", "Invalid float key '1.2.3' for Map at x" },
		{ "Float64", "+.5e999", "", "Invalid float key '' for Map at x" },
		{ "IPv4",    "1.2.3.4", "1.2.3", "Invalid IPv4 key '1.2.3' for Map at x" },
		{ "IPv6",    "::1", "1.2.3.4", "Invalid IPv6 key '1.2.3.4' for Map at x" },
		{ "UUID",    "67e5504410b1426f9247bb680e5fe0c8", "", "Invalid UUID key '' for Map at x" },
		/* clang-format on */
	};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		struct model *m = map_of(keys[i].type, "\"Int8\"");
		char value[100], body[100], why[200];

		snprintf(value, sizeof(value), "{\"%s\":1}", keys[i].good);
		takes(m, value, NULL);
		takes(m, "{}", NULL);
		if (keys[i].bad) {
			snprintf(body, sizeof(body), "{\"x\":{\"%s\":1}}", keys[i].bad);
			snprintf(why, sizeof(why), "%s at line 1 column %zu", keys[i].why,
			         strlen("{\"x\":{\"\"") + strlen(keys[i].bad));
			refused(model_settings_of(m), body, why);
		}
		model_free(m);
	}
}

Test(model, maps_have_values_of_one_type)
{
	struct model *m = map_of("String", "{\"keyType\":\"String\",\"valueType\":\"Int8\"}");
	struct model *nullable = map_of("String", "{\"nullable\":\"Int8\"}");
	struct model_settings s = model_settings_of(m);

	takes(m, "{\"a.b\":{\"c\":\"1\"},\"d\":{}}", "{\"a.b\":{\"c\":1},\"d\":{}}");
	denies(m, "[]", "invalid type: sequence, expected a value matching the column type at x");
	refused(s, "{\"x\":{\"a\":{\"b\":\"c\"}}}",
	        "invalid type: string \"c\", expected an integer value at x.a.b at line 1 column "
	        "18");
	refused(s, "{\"x\":{\"a\":null}}",
	        "Required value at x.a, but is none at line 1 column 14");
	refused(s, "{\"x\":{\"a\":{},\"b\":{},\"\\u0061\":{}}}",
	        "duplicate field `a` at line 1 column 32");
	/* inner names are none of the outer ones */
	takes(m, "{\"a\":{\"a\":1},\"b\":{\"a\":1,\"b\":2}}", NULL);
	takes(nullable, "{\"a\":null}", NULL);
	model_free(m);
	model_free(nullable);
}

Test(model, a_json_column_passes_whole)
{
	struct model *m = of_type("\"Json\"");
	struct model_settings s = model_settings_of(m);

	takes(m, "{}", NULL);
	takes(m, "{ \"a\" : [ 1.0e5 , { \"b\" : null } ] , \"\" : \"\\u0041\" }",
	      "{\"a\":[1.0e5,{\"b\":null}],\"\":\"\\u0041\"}");
	denies(m, "[]", "invalid type: sequence, expected a value matching the column type at x");
	denies(m, "\"{}\"",
	       "invalid type: string \"{}\", expected a value matching the column type at x");
	refused(s, "{\"x\":{\"a\":{\"b\":1,\"c\":2,\"b\":3}}}",
	        "duplicate field `b` at line 1 column 29");
	model_free(m);
}

Test(model, typed_paths_of_json_are_present_and_not_null)
{
	struct model *m = of_type("{\"typed_paths\":[[\"a.b.c\",\"Int8\"],[\"a.b\",\"Json\"],"
	                          "[\"a-\",\"Int8\"],[\"n\",{\"nullable\":\"Int8\"}],"
	                          "[\"a.bb\",\"String\"]]}");
	struct model_settings s = model_settings_of(m);

	takes(m, "{\"a\":{\"b\":{\"c\":\"any type\"},\"bb\":[]},\"a-\":0}", NULL);
	takes(m, "{\"n\":null,\"a-\":0,\"\\u0061\":{\"bb\":0,\"x\":1,\"b\":{\"c\":{}}},\"z\":{}}",
	      NULL);
	refused(s, "{\"x\":{}}", "Missing fields: x.a.b.c, x.a.b, x.a-, x.a.bb at line 1 column 7");
	refused(s, "{\"x\":{\"a\":{\"b\":{\"c\":null},\"bb\":1},\"a-\":1}}",
	        "Missing fields: x.a.b.c at line 1 column 41");
	refused(s, "{\"x\":{\"a\":{\"b\":5,\"bb\":1},\"a-\":1}}",
	        "Missing fields: x.a.b.c at line 1 column 32");
	/* a name with a dot is no path, and an element no object */
	refused(s, "{\"x\":{\"a\":[{\"b\":{\"c\":1},\"bb\":1}],\"a-\":1,\"a.bb\":1}}",
	        "Missing fields: x.a.b.c, x.a.b, x.a.bb at line 1 column 49");
	refused(s, "{\"x\":{\"z\":{\"a\":{\"b\":{\"c\":1},\"bb\":1},\"a-\":1}}}",
	        "Missing fields: x.a.b.c, x.a.b, x.a-, x.a.bb at line 1 column 44");
	model_free(m);
}

Test(model, shapes_are_arrays_around_points)
{
	struct model *point = of_type("\"Point\""), *ring = of_type("\"Ring\"");
	struct model *multi = of_type("\"MultiPolygon\"");
	struct model_settings p = model_settings_of(point), r = model_settings_of(ring);

	takes(point, "[ 1, \"-2.5\" ]", "[1,-2.5]");
	denies(point, "1",
	       "invalid type: integer `1`, expected a value matching the column type at x");
	denies(point, "{}", "invalid type: map, expected a value matching the column type at x");
	refused(p, "{\"x\":[]}",
	        "Invalid tuple length at x: expected 2 elements at line 1 column 7");
	refused(p, "{\"x\":[1]}",
	        "Invalid tuple length at x: expected 2 elements at line 1 column 8");
	refused(p, "{\"x\":[1,2,3]}",
	        "Invalid tuple length at x: unexpected extra element at line 1 column 12");
	refused(p, "{\"x\":[1,\"y\"]}",
	        "invalid type: string \"y\", expected a floating-point value at x.1 at line 1 "
	        "column "
	        "11");
	refused(p, "{\"x\":[null,1]}", "Required value at x.0, but is none at line 1 column 10");
	takes(ring, "[]", NULL);
	takes(ring, "[[1,2],[3,4.0]]", NULL);
	refused(r, "{\"x\":[[1,2],[3]]}",
	        "Invalid tuple length at x.1: expected 2 elements at line 1 column 15");
	refused(r, "{\"x\":[[1,2],null]}",
	        "Required value at x.1, but is none at line 1 column 16");
	refused(r, "{\"x\":[{}]}",
	        "invalid type: map, expected a value matching the column type at x.0 at line 1 "
	        "column 8");
	takes(multi, "[[[[1,2],[3,4]]],[]]", NULL);
	refused(model_settings_of(multi), "{\"x\":[[[1]]]}",
	        "invalid type: integer `1`, expected a value matching the column type at x.0.0.0 "
	        "at "
	        "line 1 column 9");
	model_free(point);
	model_free(ring);
	model_free(multi);
}

Test(model, nullable_counts_in_every_place)
{
	struct model *m = of_type("{\"nullable\":{\"elementType\":{\"nullable\":{\"keyType\":"
	                          "\"String\",\"valueType\":{\"nullable\":\"Point\"}}}}}");

	takes(m, "null", NULL);
	takes(m, "[null,{\"a\":null,\"b\":[1,2]}]", NULL);
	model_free(m);
}

Test(model, a_member_twice_is_refused_however_it_is_written)
{
	struct model *m =
		made(MODEL("\"allow_extra_fields\":true,", COLUMN("a", "\"Int8\"", "false")));
	struct model_settings s = model_settings_of(m);

	refused(s, "{\"a\":1,\"\\u0061\":2}", "duplicate field `a` at line 1 column 16");
	refused(s, "{\"x\":1,\"y\":2,\"\\u0078\":3}", "duplicate field `x` at line 1 column 24");
	refused(s, "{\"y\":{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2}}",
	        "duplicate field `\xf0\x9f\x98\x80` at line 1 column 32");
	model_free(m);
	m = made(user_event); /* what is dropped is not looked at */
	records_are(model_settings_of(m), "{\"x\":1,\"x\":2," ID "}", "{" ID "}");
	model_free(m);
}

/* 40 000 names, some alike but for their ends: sorted, never compared each with each. */
static char *many_members(size_t count, const char *last)
{
	char *body = xcalloc(count * 32 + 100, 1), *p = body;

	p += sprintf(p, "{");
	for (size_t i = 0; i < count; i++)
		p += sprintf(p, "\"%smember_%zu\":1,", i % 3 ? "" : "\\u0061", i);
	sprintf(p, "\"%s\":1}", last);
	return body;
}

Test(model, many_members_are_told_apart)
{
	struct model *m = made(MODEL("\"allow_extra_fields\":true,", ""));
	struct model_settings s = model_settings_of(m);
	size_t enough;
	struct judged j;

	for (int twice = 0; twice < 2; twice++) {
		autofree char *body =
			many_members(40000, twice ? "\\u006dember_20000" : "member_40000");

		j = judge_once(s, bytes_str(body), 2 * MIB, '"', &enough);
		cr_expect_eq(j.result, twice ? TRANSCODE_INVALID : TRANSCODE_OK);
		if (twice)
			cr_expect(strstr(j.e.reason, "duplicate field `member_20000` at line 1"),
			          "%s", j.e.reason);
		judged_done(&j);
	}
	model_free(m);
}

Test(model, more_members_than_can_be_told_apart_are_too_many)
{
	struct model *m = made(MODEL("\"allow_extra_fields\":true,", ""));
	autofree char *body = many_members(MEMBERS_MAX, "x");
	size_t enough;
	struct judged j = judge_once(model_settings_of(m), bytes_str(body), 8 * MIB, '"', &enough);

	cr_expect_eq(j.result, TRANSCODE_COUNT);
	cr_expect_eq(j.e.counted, MEMBERS_MAX + 1);
	cr_expect_eq(j.e.count_limit, MEMBERS_MAX);
	cr_expect_str_eq(j.e.counted_what, "members");
	judged_done(&j);
	model_free(m);
}

Test(model, more_objects_than_slices_are_too_many)
{
	struct model *m = made(MODEL("", ""));
	autofree char *body = xcalloc(SLICES_MAX * 3 + 10, 1);
	size_t enough;

	for (size_t count = SLICES_MAX; count <= SLICES_MAX + 1; count++) {
		char *p = body;
		struct judged j;

		for (size_t i = 0; i < count; i++)
			p = mempcpy(p, i ? ",{}" : "[{}", 3);
		*p++ = ']';
		j = judge_once(model_settings_of(m), bytes_of(body, (size_t)(p - body)), 2 * MIB, 0,
		               &enough);
		if (count == SLICES_MAX) {
			cr_expect_eq(j.result, TRANSCODE_OK);
			cr_expect_eq(j.e.items, SLICES_MAX);
		} else {
			cr_expect_eq(j.result, TRANSCODE_COUNT);
			cr_expect_eq(j.e.counted, SLICES_MAX + 1);
			cr_expect_str_eq(j.e.counted_what, "objects");
		}
		judged_done(&j);
	}
	model_free(m);
}

/* P9 */
Test(model, brackets_are_as_deep_as_the_limit)
{
	struct model *m =
		made(MODEL("\"allow_extra_fields\":true,", COLUMN("j", "\"Json\"", "false")));
	static const char *const ways[] = { "{\"x\":", "{\"j\":{\"a\":", "{\"j\":{\"a\":{\"b\":" };
	struct model_settings s = model_settings_of(m);

	for (size_t way = 0; way < ARRAY_LEN(ways); way++)
		for (unsigned deep = 64; deep <= 65; deep++) {
			char body[400] = "";
			unsigned open = 0;
			struct judged j;

			strcat(body, ways[way]);
			for (const char *p = ways[way]; *p; p++)
				open += *p == '{';
			for (unsigned i = open; i < deep; i++)
				strcat(body, "[");
			for (unsigned i = open; i < deep; i++)
				strcat(body, "]");
			for (unsigned i = 0; i < open; i++)
				strcat(body, "}");
			j = judge_all(s, bytes_str(body));
			cr_expect_eq(j.result, deep == 64 ? TRANSCODE_OK : TRANSCODE_INVALID,
			             "%u: %s", deep, body);
			if (deep == 65)
				cr_expect(j.e.is_syntax &&
				          strstr(j.e.reason, "Invalid JSON: nested too deep at"));
			judged_done(&j);
		}
	model_free(m);
	m = made(MODEL("", "")); /* what is dropped counts too */
	s = model_settings_of(m);
	s.depth = 2;
	records_are(s, "[{\"x\":1}]", "{}");
	refused_in(s, "[{\"x\":[]}]", "nested too deep at line 1 column 7", true);
	model_free(m);
}

/* C20 */
Test(model, the_tenant_is_stamped_where_the_model_has_room_for_it)
{
	struct model *none = made(MODEL("", COLUMN("a", "\"Int8\"", "false")));
	struct model *extra =
		made(MODEL("\"allow_extra_fields\":true,", COLUMN("a", "\"Int8\"", "false")));
	struct model *column = made(MODEL("", COLUMN("a", "\"Int8\"", "false") "," COLUMN(
						      "tenant_id", "\"String\"", "true")));
	struct model_settings s = model_settings_of(none);

	records_are(s, "{\"a\":1,\"tenant_id\":\"evil\"}", "{\"a\":1}");
	s.model = extra;
	records_are(s, "[{\"a\":1},{},{\"tenant_id\":\"evil\"}]",
	            "{\"tenant_id\":\"acme\",\"a\":1}\n{\"tenant_id\":\"acme\"}\n"
	            "{\"tenant_id\":\"acme\"}");
	s.model = column;
	records_are(s, "[{\"tenant_id\":\"evil\",\"a\":1},{}, { \"a\" : 2 }]",
	            "{\"tenant_id\":\"acme\",\"a\":1}\n{\"tenant_id\":\"acme\"}\n"
	            "{\"tenant_id\":\"acme\",\"a\":2}");
	model_free(none);
	model_free(extra);
	model_free(column);
}

/* C20 */
Test(model, a_client_s_own_tenant_is_removed_and_counted)
{
	struct model *m = made(MODEL("", COLUMN("tenant_id", "\"String\"", "true")));
	struct judged j = judge_all(model_settings_of(m),
	                            BYTES("[{\"tenant_id\":5,\"t\\u0065nant_id\":[{}]},{},"
	                                  "{\"tenant_id\":null}]"));

	cr_expect_eq(j.result, TRANSCODE_OK, "%s", j.e.reason);
	cr_expect_eq(j.e.spoofed, 3);
	judged_done(&j);
	model_free(m);
	m = made(MODEL("", COLUMN("o", "{\"fields\":[[\"tenant_id\",\"String\"]]}", "true")));
	j = judge_all(model_settings_of(m),
	              BYTES("{\"tenant_id\":5,\"o\":{\"tenant_id\":\"inner\"}}"));
	cr_expect_eq(j.e.spoofed, 1);
	cr_expect(bytes_eq(bytes_of(j.out, j.n), BYTES("{\"o\":{\"tenant_id\":\"inner\"}}")));
	judged_done(&j);
	model_free(m);
}

Test(model, without_a_stamp_the_member_is_the_client_s)
{
	struct model *m = made(MODEL("", COLUMN("tenant_id", "\"String\"", "true")));
	struct model_settings s = model_settings_of(m);

	s.stamp = false;
	records_are(s, "{\"tenant_id\":\"mine\"}", "{\"tenant_id\":\"mine\"}");
	refused(s, "{}", "Missing fields: tenant_id at line 1 column 2");
	model_free(m);
}

static void stamped(const char *type, const char *tenant, const char *want)
{
	char json[400];
	struct model_settings s;
	struct model *m;

	snprintf(json, sizeof(json), MODEL("", COLUMN("tenant_id", "%s", "true")), type);
	m = made(json);
	s = model_settings_of(m);
	s.tenant = tenant;
	if (want) {
		records_are(s, "{}", want);
	} else {
		struct judged j = judge_all(s, BYTES("{}"));

		cr_expect(j.result == TRANSCODE_INVALID && j.e.is_tenant && !j.e.is_syntax, "%s",
		          type);
		cr_expect_str_eq(j.e.reason, "column 'tenant_id' of the data model cannot hold the "
		                             "id of the tenant");
		judged_done(&j);
	}
	model_free(m);
}

Test(model, a_column_holds_the_tenant_as_its_type_writes_it_or_not_at_all)
{
	stamped("\"String\"", "acme", "{\"tenant_id\":\"acme\"}");
	stamped("{\"nullable\":\"String\"}", "acme", "{\"tenant_id\":\"acme\"}");
	stamped("\"FixedString(4)\"", "acme", "{\"tenant_id\":\"acme\"}");
	stamped("\"FixedString(3)\"", "acme", NULL);
	stamped("\"UInt8\"", "42", "{\"tenant_id\":42}");
	stamped("\"UInt8\"", "256", NULL);
	stamped("\"UInt8\"", "acme", NULL);
	stamped("\"Boolean\"", "true", NULL);
	stamped("\"UUID\"", "67e55044-10b1-426f-9247-bb680e5fe0c8",
	        "{\"tenant_id\":\"67e55044-10b1-426f-9247-bb680e5fe0c8\"}");
	stamped("{\"name\":\"E\",\"values\":[{\"name\":\"acme\",\"value\":{\"Int\":1}}]}", "acme",
	        "{\"tenant_id\":\"acme\"}");
	stamped("{\"name\":\"J\",\"jwt\":true,\"columns\":[]}", "acme", NULL);
	stamped("{\"elementType\":\"String\"}", "acme", NULL);
}

/* C15 */
Test(model, a_schema_id_stands_before_each_record)
{
	struct model *m = made(MODEL("\"schema_id\":7,\"allow_extra_fields\":true,", ""));
	struct judged j = judge_all(model_settings_of(m), BYTES("[{},{\"a\":1}]"));
	static const char want[] = "\0\0\0\0\7{\"tenant_id\":\"acme\"}"
				   "\0\0\0\0\7{\"tenant_id\":\"acme\",\"a\":1}";

	cr_expect(bytes_eq(bytes_of(j.out, j.n), BYTES(want)));
	cr_assert_eq(j.slices.n, 2);
	cr_expect_eq(j.slices.v[1].at, 25);
	judged_done(&j);
	model_free(m);
	m = made(MODEL("\"schema_id\":4278255361,", ""));
	j = judge_all(model_settings_of(m), BYTES("{}"));
	cr_expect(bytes_eq(bytes_of(j.out, j.n), BYTES("\0\xff\0\xff\1{}")));
	judged_done(&j);
	model_free(m);
}

Test(model, texts_of_clients_are_escaped_in_reasons)
{
	struct model *m = of_type("\"Int8\"");
	struct model *map = map_of("UInt8", "\"Int8\"");

	denies(m, "\"a\\\"b\\\\c\\n\\u0000\\u001b\\u0085\\u00e9\"",
	       "invalid type: string \"a\\\"b\\\\c\\n\\u{0}\\u{1b}\\u{85}\xc3\xa9\", expected an "
	       "integer value at x");
	refused(model_settings_of(map), "{\"x\":{\"\\r\\u007f\":1}}",
	        "Invalid integer key '\\r\\u{7f}' for Map at x at line 1 column 16");
	model_free(m);
	model_free(map);
}

Test(model, long_reasons_are_cut_between_characters)
{
	struct model *m = of_type("\"Int8\""), *map = map_of("String", "\"Int8\"");
	char body[3000] = "{\"x\":\"", want[400];
	struct judged j;

	for (int i = 0; i < 500; i++)
		strcat(body, "\xe2\x82\xac");
	strcat(body, "\"}");
	snprintf(want, sizeof(want),
	         "invalid type: string \"%s..\", expected an integer value at x "
	         "at line 1 column 1507",
	         "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82"
	         "\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2"
	         "\x82\xac\xe2\x82\xac\xe2\x82\xac");
	refused(model_settings_of(m), body, want);
	model_free(m);
	strcpy(body, "{\"x\":{");
	for (int i = 0; i < 3; i++) /* a path of long names, and a key that does not fit either */
		strcat(body, i ? "\xc3\xa9\xc3\xa9\xc3\xa9" : "\"");
	strcat(body, "\":{}}}");
	j = judge_all(model_settings_of(map), bytes_str(body));
	cr_expect(bytes_is_utf8(bytes_str(j.e.reason)));
	judged_done(&j);
	model_free(map);
	/* more missing fields than a reason can name */
	strcpy(body, "{\"name\":\"e\",\"columns\":[");
	for (int i = 0; i < 30; i++)
		sprintf(body + strlen(body),
		        "%s{\"name\":\"\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac%d\",\"data_type\":"
		        "\"Int8\","
		        "\"required\":true}",
		        i ? "," : "", i);
	strcat(body, "]}");
	m = made(body);
	for (int i = 0; i < 4; i++) { /* wherever the cut falls */
		snprintf(body, sizeof(body), "{%.*s}", i, "    ");
		j = judge_all(model_settings_of(m), bytes_str(body));
		cr_expect(bytes_is_utf8(bytes_str(j.e.reason)), "%s", j.e.reason);
		cr_expect(strstr(j.e.reason, " at line 1 column "), "%s", j.e.reason);
		cr_expect_gt(strlen(j.e.reason), sizeof(j.e.reason) - 6);
		judged_done(&j);
	}
	model_free(m);
}

Test(model, what_stands_behind_the_room_of_a_second_attempt_is_counted_once)
{
	struct model *m = made(MODEL("", ""));
	struct scratch scratch = { 0 };
	struct slices slices = { 0 };
	struct enriched e = { .slices = &slices };
	struct enrich_in in = { .body = BYTES("{\"tenant_id\":1}                    "
		                              "                                            "),
		                .stamp = BYTES("\"tenant_id\":\"acme\""),
		                .stamp_name = BYTES("tenant_id"),
		                .depth = 64,
		                .scratch = &scratch,
		                .model = m };
	uint8_t out[2];
	size_t n = 0;

	in.body.n -= BODY_SLACK;
	cr_expect_eq(model_transcode(&in, out, 1, &n, &e), TRANSCODE_ROOM);
	cr_expect_eq(n, 2);
	slices.n = 0;
	cr_expect_eq(model_transcode(&in, out, 2, &n, &e), TRANSCODE_OK);
	cr_expect_eq(e.spoofed, 1);
	slices_done(&slices);
	free(scratch.p);
	model_free(m);
}

Test(model, the_protocols_say_what_they_take)
{
	cr_expect_str_eq(protocol_models.formats[0].type, "application/json");
	cr_expect_str_eq(protocol_models.formats[1].type, "application/*+json");
	cr_expect_null(protocol_models.formats[2].type);
	cr_expect_not(protocol_models.formats[0].untyped);
	cr_expect_str_eq(protocol_moose.formats[0].type, TYPE_ANY);
	cr_expect(protocol_moose.formats[0].untyped);
	cr_expect_null(protocol_models.paths[0]);
	cr_expect_null(protocol_moose.paths[0]);
	cr_expect_eq(model_stamp(BYTES("t"), BYTES("a"), (uint8_t[7]){ 0 }, 7), 0); /* no room */
	cr_expect_eq(model_stamp(BYTES("t"), BYTES("a"), (uint8_t[8]){ 0 }, 8), 7);
}
