/* SPDX-License-Identifier: Apache-2.0 */
/* Values with values inside, and how many there may be. */
#include "proto/model.c"

#include "tests/unit/proto/model_bodies.h"

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
