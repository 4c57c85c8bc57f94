/* SPDX-License-Identifier: Apache-2.0 */
/* Objects, members, claims and stamps; values: test_model_scalars.c, test_model_nested.c. */
#include "proto/model.c"

#include "tests/unit/proto/model_bodies.h"

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

/* A body of a kilobyte asked for the tenant's whole budget before its record was refused. */
Test(model, an_object_that_grows_above_a_record_is_refused_before_it_is_written)
{
	struct model *m = made(MODEL("", COLUMN("a", "{\"elementType\":{\"name\":\"N\",\"columns\":["
	                                             COLUMN("who", CLAIMS, "true") "]},"
	                                             "\"elementNullable\":false}",
	                                        "true")));
	struct scratch scratch = { 0 };
	struct slices slices = { 0 };
	struct enriched e = { .slices = &slices };
	char body[100] = "[{\"a\":[{},{},{}]},{\"a\":[]}]";
	struct enrich_in in = { .body = bytes_str(body),
		                .depth = 64,
		                .scratch = &scratch,
		                .model = m,
		                .claims = BYTES("{\"sub\":\"0123456789\"}") };
	const size_t bytes = strlen("{\"a\":[,,]}") + 3 * strlen("{\"who\":{\"sub\":\"0123456789\"}}");
	uint8_t out[200];
	size_t n = 0;

	in.record_max = bytes;
	cr_expect_eq(model_transcode(&in, out, sizeof(out), &n, &e), TRANSCODE_OK);
	cr_expect_eq(slices.n, 2);
	cr_expect_eq(slices.v[0].n, bytes);
	for (size_t cap = 0; cap <= sizeof(out); cap += sizeof(out)) {
		slices.n = 0;
		in.record_max = bytes - 1;
		cr_expect_eq(model_transcode(&in, out, cap, &n, &e), TRANSCODE_RECORD);
		cr_expect_eq(n, bytes);
		cr_expect_eq(e.items, 2);
		cr_expect_eq(slices.n, 0);
	}
	/* What is wrong behind it is told all the same. */
	strcpy(body, "[{\"a\":[{},{},{}]},{\"a\":7}]");
	cr_expect_eq(model_transcode(&in, out, sizeof(out), &n, &e), TRANSCODE_INVALID);
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
