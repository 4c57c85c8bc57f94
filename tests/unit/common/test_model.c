/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model.c"

#include <criterion/criterion.h>

#define MODEL(columns) "{\"name\":\"Event\",\"columns\":[" columns "]}"
#define COLUMN(name, type) "{\"name\":\"" name "\",\"data_type\":" type ",\"required\":true}"
#define OF(type) MODEL(COLUMN("a", type))

static struct model *made(const char *json)
{
	struct err err = { "" };
	struct model *m = model_parse(bytes_str(json), &err);

	cr_assert(m, "%s: %s", json, err.text);
	return m;
}

static void refused(const char *json, const char *why)
{
	struct err err = { "" };
	struct model *m = model_parse(bytes_str(json), &err);

	cr_expect_null(m, "%s", json);
	cr_expect_str_eq(err.text, why, "%s: %s", json, err.text);
	model_free(m);
}

static bool is(struct bytes b, const char *text)
{
	return bytes_eq(b, bytes_str(text));
}

Test(model, a_file_with_all_it_can_say)
{
	struct model *m = made(
		"{\"name\":\"UserEvent\",\"version\":\"1.0\",\"path\":\"/ingest/a/b\","
		"\"allow_extra_fields\":true,\"dead_letter_queue\":\"dlq\",\"topic\":\"t\","
		"\"schema_id\":4294967295,\"columns\":["
		"{\"name\":\"id\",\"data_type\":\"String\",\"required\":true,\"unique\":true,"
		"\"primary_key\":true,\"annotations\":[[\"LowCardinality\",true]],\"comment\":null,"
		"\"ttl\":null,\"codec\":\"ZSTD(3)\",\"default\":null},"
		"{\"name\":\"d\",\"data_type\":\"Int8\",\"required\":true,\"default\":\"1\"},"
		"{\"name\":\"m\",\"data_type\":\"Int8\",\"required\":true,\"materialized\":\"d\"},"
		"{\"name\":\"l\",\"data_type\":\"Int8\",\"required\":false,\"alias\":\"d\"}]}");

	cr_expect_str_eq(m->name, "UserEvent");
	cr_expect_str_eq(m->version, "1.0");
	cr_expect_str_eq(m->path, "a/b");
	cr_expect_str_eq(m->topic, "t");
	cr_expect_str_eq(m->dead_letter_queue, "dlq");
	cr_expect(m->allow_extra_fields && m->has_schema_id && m->schema_id == UINT32_MAX);
	cr_assert_eq(m->column_count, 4);
	cr_expect(m->columns == m->root.columns && m->root.kind == MODEL_NESTED);
	cr_expect(is(m->columns[0].name, "id") && m->columns[0].required);
	cr_expect(!m->columns[0].has_default && !m->columns[0].is_derived);
	cr_expect(m->columns[1].has_default && !m->columns[1].is_derived);
	cr_expect(m->columns[2].is_derived && m->columns[3].is_derived);
	cr_expect_not(m->columns[3].required);
	cr_expect_eq(model_column_find(&m->root, BYTES("m")), 2);
	cr_expect_eq(model_column_find(&m->root, BYTES("x")), 4);
	cr_expect_eq(model_column_find(&m->root, BYTES("")), 4);
	model_free(m);
}

Test(model, what_a_file_leaves_out_is_empty)
{
	struct model *m =
		made("{\"name\":\"e\",\"version\":null,\"schema_id\":null,\"columns\":[]}");

	cr_expect_str_empty(m->version);
	cr_expect_str_empty(m->path);
	cr_expect_str_empty(m->topic);
	cr_expect_str_empty(m->dead_letter_queue);
	cr_expect(!m->allow_extra_fields && !m->has_schema_id);
	cr_expect_eq(m->column_count, 0);
	model_free(m);
	model_free(NULL);
}

static const struct {
	const char *text, *name;
	enum model_kind kind;
	bool is_signed;
	unsigned bits, n;
} words_of_the_page[] = {
	/* clang-format off */
	{ "String",          "String",          MODEL_STRING,       false, 0,   0  },
	{ "FixedString(16)", "FixedString(16)", MODEL_FIXED_STRING, false, 0,   16 },
	{ "FixedString( 3 )", "FixedString(3)", MODEL_FIXED_STRING, false, 0,   3  },
	{ "Boolean",         "Boolean",         MODEL_BOOLEAN,      false, 0,   0  },
	{ "Int",             "Int64",           MODEL_INT,          true,  64,  0  },
	{ "Int8",            "Int8",            MODEL_INT,          true,  8,   0  },
	{ "Int16",           "Int16",           MODEL_INT,          true,  16,  0  },
	{ "Int32",           "Int32",           MODEL_INT,          true,  32,  0  },
	{ "Int64",           "Int64",           MODEL_INT,          true,  64,  0  },
	{ "Int128",          "Int128",          MODEL_INT,          true,  128, 0  },
	{ "Int256",          "Int256",          MODEL_INT,          true,  256, 0  },
	{ "UInt8",           "UInt8",           MODEL_INT,          false, 8,   0  },
	{ "UInt16",          "UInt16",          MODEL_INT,          false, 16,  0  },
	{ "UInt32",          "UInt32",          MODEL_INT,          false, 32,  0  },
	{ "UInt64",          "UInt64",          MODEL_INT,          false, 64,  0  },
	{ "UInt128",         "UInt128",         MODEL_INT,          false, 128, 0  },
	{ "UInt256",         "UInt256",         MODEL_INT,          false, 256, 0  },
	{ "BigInt",          "BigInt",          MODEL_BIG_INT,      true,  0,   0  },
	{ "Float",           "Float64",         MODEL_FLOAT,        true,  64,  0  },
	{ "Float32",         "Float32",         MODEL_FLOAT,        true,  32,  0  },
	{ "Float64",         "Float64",         MODEL_FLOAT,        true,  64,  0  },
	{ "Decimal",         "Decimal",         MODEL_DECIMAL,      true,  0,   0  },
	{ "Decimal(10, 2)",  "Decimal",         MODEL_DECIMAL,      false, 0,   0  },
	{ "Decimal(76,76)",  "Decimal",         MODEL_DECIMAL,      false, 0,   0  },
	{ "DateTime",        "DateTime",        MODEL_DATE_TIME,    false, 0,   0  },
	{ "DateTime(9)",     "DateTime",        MODEL_DATE_TIME,    false, 0,   0  },
	{ "Date",            "Date",            MODEL_DATE,         false, 0,   0  },
	{ "Date16",          "Date16",          MODEL_DATE,         false, 0,   0  },
	{ "UUID",            "UUID",            MODEL_UUID,         false, 0,   0  },
	{ "IPv4",            "IPv4",            MODEL_IPV4,         false, 0,   0  },
	{ "IPv6",            "IPv6",            MODEL_IPV6,         false, 0,   0  },
	{ "Json",            "Json",            MODEL_JSON,         false, 0,   0  },
	{ "Bytes",           "Bytes",           MODEL_BYTES,        false, 0,   0  },
	{ "Point",           "Point",           MODEL_GEO,          false, 0,   0  },
	{ "Ring",            "Ring",            MODEL_GEO,          false, 0,   1  },
	{ "LineString",      "LineString",      MODEL_GEO,          false, 0,   1  },
	{ "Polygon",         "Polygon",         MODEL_GEO,          false, 0,   2  },
	{ "MultiLineString", "MultiLineString", MODEL_GEO,          false, 0,   2  },
	{ "MultiPolygon",    "MultiPolygon",    MODEL_GEO,          false, 0,   3  },
	/* clang-format on */
};

Test(model, every_word_of_the_page_is_a_type)
{
	for (size_t i = 0; i < ARRAY_LEN(words_of_the_page); i++) {
		char json[200];
		struct model *m;
		const struct model_type *t;

		snprintf(json, sizeof(json), OF("\"%s\""), words_of_the_page[i].text);
		m = made(json);
		t = &m->columns[0].type;
		cr_expect_eq(t->kind, words_of_the_page[i].kind, "%s", json);
		cr_expect_str_eq(t->name, words_of_the_page[i].name);
		cr_expect_eq(t->bits, words_of_the_page[i].bits, "%s", json);
		cr_expect_eq(t->n, words_of_the_page[i].n, "%s", json);
		if (t->kind == MODEL_INT)
			cr_expect_eq(t->is_signed, words_of_the_page[i].is_signed, "%s", json);
		cr_expect_not(t->nullable);
		model_free(m);
	}
}

Test(model, another_word_is_refused_with_the_path_of_its_column)
{
	refused(OF("\"Int512\""), "column a: unknown type 'Int512'");
	refused(OF("\"string\""), "column a: unknown type 'string'");
	refused(OF("\"FixedString\""), "column a: unknown type 'FixedString'");
	refused(OF("\"FixedString(x)\""), "column a: unknown type 'FixedString(x)'");
	refused(OF("\"FixedString(1\""), "column a: unknown type 'FixedString(1'");
	refused(OF("\"FixedString(1)x\""), "column a: unknown type 'FixedString(1)x'");
	refused(OF("\"FixedString(0)\""), "column a: FixedString has 1 to 2147483647 bytes");
	refused(OF("\"DateTime(10)\""), "column a: DateTime has 0 to 9 digits");
	refused(OF("\"Decimal(1,2)\""),
	        "column a: Decimal has 1 to 76 digits, no more behind the point");
	refused(OF("\"Decimal(1,2,3)\""), "column a: unknown type 'Decimal(1,2,3)'");
	refused(OF("{\"name\":\"n\",\"columns\":[" COLUMN("b", "{\"nullable\":\"Strin\"}") "]}"),
	        "column a.b: unknown type 'Strin'");
	refused(OF("{\"fields\":[[\"b\",{\"fields\":[[\"c\",\"X\"]]}]]}"),
	        "column a.b.c: unknown type 'X'");
	refused(OF("5"), "column a: data_type is needed: a string or an object");
	refused(MODEL("{\"name\":\"a\",\"required\":true}"),
	        "column a: data_type is needed: a string or an object");
}

static void objects(const char *array, const char *map, const char *json)
{
	struct model *m = made(array);
	const struct model_type *t = &m->columns[0].type;

	cr_expect(t->kind == MODEL_ARRAY && !t->nullable);
	cr_expect(t->element->kind == MODEL_INT && t->element->nullable);
	model_free(m);
	m = made(map);
	t = &m->columns[0].type;
	cr_expect(t->kind == MODEL_MAP && t->key->kind == MODEL_UUID);
	cr_expect(t->element->kind == MODEL_STRING && t->element->nullable);
	model_free(m);
	m = made(json);
	t = &m->columns[0].type;
	cr_expect(t->kind == MODEL_JSON && t->column_count == 4);
	cr_expect(is(t->columns[0].name, "b.c") && t->columns[0].required);
	cr_expect(is(t->columns[1].name, "b") && !t->columns[1].required);
	/* what lies below one path stands behind it, and together */
	cr_expect(t->by_name[0] == 2 && t->by_name[1] == 1 && t->by_name[2] == 0 &&
	          t->by_name[3] == 3);
	model_free(m);
}

Test(model, an_object_is_a_type_in_either_spelling)
{
	objects(OF("{\"elementType\":\"Int8\",\"elementNullable\":true}"),
	        OF("{\"keyType\":\"UUID\",\"valueType\":{\"nullable\":\"String\"}}"),
	        OF("{\"typedPaths\":[[\"b.c\",\"Int8\"],[\"b\",{\"nullable\":\"Json\"}],[\"a\","
	           "\"Int8\"],[\"b!\",\"Int8\"]],\"skipPaths\":[\"d\"]}"));
	objects(OF("{\"element_type\":\"Int8\",\"element_nullable\":true}"),
	        OF("{\"key_type\":\"UUID\",\"value_type\":{\"nullable\":\"String\"}}"),
	        OF("{\"typed_paths\":[[\"b.c\",\"Int8\"],[\"b\",{\"nullable\":\"Json\"}],[\"a\","
	           "\"Int8\"],[\"b!\",\"Int8\"]],\"max_dynamic_types\":3}"));
}

Test(model, the_first_of_the_page_that_matches_is_the_type)
{
	struct model *m = made(OF("{\"nullable\":\"Int8\",\"elementType\":\"String\"}"));

	cr_expect(m->columns[0].type.kind == MODEL_INT && m->columns[0].type.nullable);
	model_free(m);
	m = made(OF("{\"name\":\"n\",\"fields\":[[\"x\",{\"nullable\":\"Int8\"}],[\"y\",\"Int8\"]],"
	            "\"columns\":[]}"));
	cr_expect(m->columns[0].type.kind == MODEL_NESTED);
	cr_assert_eq(m->columns[0].type.column_count, 2);
	cr_expect(!m->columns[0].type.columns[0].required &&
	          m->columns[0].type.columns[1].required);
	model_free(m);
	m = made(OF("{\"max_dynamic_paths\":1,\"name\":\"n\",\"columns\":[]}"));
	cr_expect_eq(m->columns[0].type.kind, MODEL_JSON);
	model_free(m);
	m = made(OF("{\"name\":\"n\",\"jwt\":true,\"columns\":[" COLUMN("b", "\"Int8\"") "]}"));
	cr_expect(m->columns[0].type.kind == MODEL_NESTED && m->columns[0].type.is_jwt);
	cr_expect_eq(model_column_find(&m->columns[0].type, BYTES("b")), 0);
	model_free(m);
}

Test(model, an_object_that_is_no_type_is_refused)
{
	refused(OF("{}"), "column a: an enum or a nested type has a name");
	refused(OF("{\"name\":\"n\"}"), "column a: the type is an object of no kind that is known");
	refused(OF("{\"keyType\":\"String\"}"), "column a: a map needs valueType");
	refused(OF("{\"keyType\":\"Date\",\"valueType\":\"Int8\"}"),
	        "column a: a map's key is String, Int, UInt, Float, IPv4, IPv6 or UUID, not "
	        "nullable");
	refused(OF("{\"keyType\":{\"nullable\":\"String\"},\"valueType\":\"Int8\"}"),
	        "column a: a map's key is String, Int, UInt, Float, IPv4, IPv6 or UUID, not "
	        "nullable");
	refused(OF("{\"elementType\":\"Int8\",\"element_type\":\"Int8\"}"),
	        "column a: the type has a member in both of its spellings");
	refused(OF("{\"elementType\":\"Int8\",\"elementNulable\":true}"),
	        "column a: unknown member 'elementNulable'");
	refused(OF("{\"elementType\":\"Int8\",\"elementNullable\":1}"),
	        "column a: elementNullable is true or false");
	refused(OF("{\"fields\":{}}"), "column a: fields is an array");
	refused(OF("{\"fields\":[[\"a\"]]}"), "column a: each of fields is [name, type]");
	refused(OF("{\"fields\":[[1,\"Int8\"]]}"),
	        "column a: a name is needed: a string of 1 to 512 bytes");
	refused(OF("{\"typed_paths\":[[\"a\",\"Int8\"],[\"a\",\"Int8\"]]}"),
	        "column a: two of one name: 'a'");
}

Test(model, values_without_a_name_are_no_enum)
{
	refused(OF("{\"values\":[{\"name\":\"x\",\"value\":{\"Int\":1}}]}"),
	        "column a: an enum or a nested type has a name");
}

/* Else what a client sends there would pass for the claims of a verified token. */
Test(model, claims_are_of_columns_not_of_elements)
{
	static const char why[] = "column a: jwt is of a column, not of an element";
#define CLAIMS "{\"name\":\"c\",\"jwt\":true,\"columns\":[]}"

	refused(OF("{\"elementType\":" CLAIMS "}"), why);
	refused(OF("{\"elementType\":{\"nullable\":" CLAIMS "}}"), why);
	refused(OF("{\"keyType\":\"String\",\"valueType\":" CLAIMS "}"), why);
	model_free(made(OF("{\"fields\":[[\"c\"," CLAIMS "]]}")));
	model_free(made(OF("{\"nullable\":" CLAIMS "}")));
#undef CLAIMS
}

Test(model, members_of_enums_are_found_by_what_stands_for_them)
{
	struct model *m = made(OF("{\"name\":\"E\",\"values\":["
	                          "{\"name\":\"Red\",\"value\":{\"Int\":-3}},"
	                          "{\"name\":\"Green\",\"value\":{\"String\":\"green\"}},"
	                          "{\"name\":\"Blue\",\"value\":{\"Int\":32767}},"
	                          "{\"name\":\"None\",\"value\":{\"String\":\"\"}}]}"));
	const struct model_type *t = &m->columns[0].type;

	cr_expect(t->kind == MODEL_ENUM && t->choice_count == 4);
	cr_expect(model_choice_has_text(t, BYTES("Red")));
	cr_expect(model_choice_has_text(t, BYTES("Blue")));
	cr_expect(model_choice_has_text(t, BYTES("green")));
	cr_expect(model_choice_has_text(t, BYTES("")));
	cr_expect_not(model_choice_has_text(t, BYTES("Green")));
	cr_expect_not(model_choice_has_text(t, BYTES("None")));
	cr_expect(model_choice_has_number(t, -3));
	cr_expect(model_choice_has_number(t, 32767));
	cr_expect(model_choice_has_number(t, 1)); /* Green */
	cr_expect(model_choice_has_number(t, 3));
	cr_expect_not(model_choice_has_number(t, 0)); /* Red is a number of its own */
	cr_expect_not(model_choice_has_number(t, 2));
	cr_expect_not(model_choice_has_number(t, 4));
	model_free(m);
}

Test(model, members_of_enums_are_numbers_of_16_bits_or_texts)
{
	static const char why[] = "column a: the value of an enum's member is {\"Int\": "
				  "-32768..32767} or {\"String\": a text of at most 512 bytes}";

	refused(OF("{\"name\":\"E\",\"values\":[{\"name\":\"x\",\"value\":{\"Int\":32768}}]}"),
	        why);
	refused(OF("{\"name\":\"E\",\"values\":[{\"name\":\"x\",\"value\":{\"Int\":1.5}}]}"), why);
	refused(OF("{\"name\":\"E\",\"values\":[{\"name\":\"x\",\"value\":\"x\"}]}"), why);
	refused(OF("{\"name\":\"E\",\"values\":[{\"name\":\"x\"}]}"), why);
	refused(OF("{\"name\":\"E\",\"values\":[]}"),
	        "column a: the values of an enum are an array of one or more");
}

Test(model, a_column_says_whether_it_is_required)
{
	refused(MODEL("{\"name\":\"a\",\"data_type\":\"Int8\"}"),
	        "column a: required is needed: true or false");
	refused(MODEL("{\"name\":\"a\",\"data_type\":\"Int8\",\"required\":1}"),
	        "column a: required is needed: true or false");
	refused(MODEL("{\"name\":\"a\",\"data_type\":\"Int8\",\"required\":true,\"default\":1}"),
	        "column a: default is a string or null");
	refused(MODEL("{\"name\":\"a\",\"data_type\":\"Int8\",\"required\":true,\"defualt\":\"\"}"),
	        "column a: unknown member 'defualt'");
	refused(MODEL("{\"data_type\":\"Int8\",\"required\":true}"),
	        "the name of a column is needed: a string of 1 to 512 bytes");
	refused(MODEL("7"), "each of columns is an object");
	refused(MODEL(COLUMN("a", "\"Int8\"") "," COLUMN("a", "\"Int8\"")), "two of one name: 'a'");
}

Test(model, a_file_that_is_no_model_is_refused)
{
	refused("[]", "a model is an object");
	refused("{}", "name is needed");
	refused("{\"name\":\"e\"}", "columns is needed: an array");
	refused("{\"name\":\"e\",\"columns\":[],\"collumns\":1}", "unknown member 'collumns'");
	refused("{\"name\":\"a b\",\"columns\":[]}",
	        "name is a string of 1 to 200 of A-Z a-z 0-9 . _ -");
	refused("{\"name\":\"..\",\"columns\":[]}",
	        "name is a string of 1 to 200 of A-Z a-z 0-9 . _ -");
	refused("{\"name\":\"e\",\"version\":1,\"columns\":[]}",
	        "version is a string of 1 to 200 of A-Z a-z 0-9 . _ -");
	refused("{\"name\":\"e\",\"topic\":\"a/b\",\"columns\":[]}",
	        "topic is a string of 1 to 200 of A-Z a-z 0-9 . _ -");
	refused("{\"name\":\"e\",\"path\":\"a//b\",\"columns\":[]}", "path has an empty segment");
	refused("{\"name\":\"e\",\"path\":\"/\",\"columns\":[]}", "path has an empty segment");
	/* the request head is refused with them, so that no request would ever reach it */
	refused("{\"name\":\"e\",\"path\":\"a/../b\",\"columns\":[]}",
	        "path has a segment of dots");
	refused("{\"name\":\"e\",\"path\":\"ingest/.\",\"columns\":[]}",
	        "path has a segment of dots");
	refused("{\"name\":\"e\",\"path\":\"./b\",\"columns\":[]}", "path has a segment of dots");
	refused("{\"name\":\"e\",\"path\":\"a?b\",\"columns\":[]}",
	        "path is a string of 1 to 200 of A-Z a-z 0-9 . _ - /~");
	refused("{\"name\":\"e\",\"schema_id\":-1,\"columns\":[]}",
	        "schema_id is a number of 0 to 4294967295");
	refused("{\"name\":\"e\",\"schema_id\":4294967296,\"columns\":[]}",
	        "schema_id is a number of 0 to 4294967295");
	refused("{\"name\":\"e\",\"allow_extra_fields\":null,\"columns\":[]}",
	        "allow_extra_fields is true or false");
	refused("{\"name\":\"e\",\"name\":\"f\",\"columns\":[]}",
	        "line 1, column 18: duplicate object key near '\"name\"'");
	refused("{\"name\":\"e\",\n\"columns\":[}", "line 2, column 12: unexpected token near '}'");
}

/* headgatectl ls shows it as it is */
Test(model, what_is_said_of_a_file_obeys_no_terminal)
{
	refused(MODEL(COLUMN("a\\u001b[31m\\u009b\xc3\xa9", "\"Int9\"")),
	        "column a?[31m??\xc3\xa9: unknown type 'Int9'");
	refused(OF("\"\\nx\\u007f\""), "column a: unknown type '?x?'");
}

Test(model, what_is_too_large_or_too_deep_is_refused)
{
	enum { DEEP = 40 };
	static char big[MODEL_BYTES_MAX + 1], deep[DEEP * 40], many[400 * KIB];
	struct err err;
	size_t n = 0;

	memset(big, ' ', sizeof(big));
	cr_expect_null(model_parse(bytes_of(big, sizeof(big)), &err));
	cr_expect_str_eq(err.text, "1048577 bytes exceed the limit of 1048576 bytes for a model");
	for (int levels = 31; levels <= 32; levels++) { /* and the Int8 inside */
		struct model *m;

		n = (size_t)sprintf(deep, "%s",
		                    "{\"name\":\"e\",\"columns\":[{\"name\":\"a\","
		                    "\"required\":true,\"data_type\":");
		for (int i = 0; i < levels; i++)
			n += (size_t)sprintf(deep + n, "{\"elementType\":");
		n += (size_t)sprintf(deep + n, "\"Int8\"");
		for (int i = 0; i < levels; i++)
			n += (size_t)sprintf(deep + n, "}");
		n += (size_t)sprintf(deep + n, "}]}");
		m = model_parse(bytes_of(deep, n), &err);
		cr_expect_eq(m != NULL, levels == 31, "%d levels", levels);
		model_free(m);
	}
	cr_expect_str_eq(err.text, "column a: more than 32 types in each other");
	for (int count = MODEL_COLUMNS_MAX; count <= MODEL_COLUMNS_MAX + 1; count++) {
		struct model *m;

		n = (size_t)sprintf(many, "{\"name\":\"e\",\"columns\":[");
		for (int i = 0; i < count; i++)
			n += (size_t)sprintf(many + n,
			                     "%s{\"name\":\"c%d\",\"required\":false,\"data_type\":"
			                     "\"Int8\"}",
			                     i ? "," : "", i);
		n += (size_t)sprintf(many + n, "]}");
		m = model_parse(bytes_of(many, n), &err);
		cr_expect_eq(m != NULL, count == MODEL_COLUMNS_MAX, "%d columns", count);
		if (m)
			cr_expect_eq(model_column_find(&m->root, BYTES("c4000")), 4000);
		model_free(m);
	}
	cr_expect_str_eq(err.text, "more than 4096 columns in one model");
}

Test(model, path_and_topic_come_from_name_and_version)
{
	static const struct {
		const char *json, *path, *topic;
	} cases[] = {
		/* clang-format off */
		{ "{\"name\":\"e\",\"columns\":[]}", "e", "e" },
		{ "{\"name\":\"e\",\"version\":\"1.0.2\",\"columns\":[]}", "e/1.0.2", "e_1_0_2" },
		{ "{\"name\":\"e\",\"path\":\"a/b\",\"topic\":\"t.x\",\"columns\":[]}", "a/b", "t.x" },
		{ "{\"name\":\"e\",\"version\":\"1\",\"path\":\"a/b\",\"columns\":[]}", "a/b/1", "e_1" },
		{ "{\"name\":\"e\",\"version\":\"1\",\"path\":\"a/1\",\"topic\":\"t\",\"columns\":[]}", "a/1", "t" },
		{ "{\"name\":\"e\",\"version\":\"1\",\"path\":\"a/v1\",\"columns\":[]}", "a/v1/1", "e_1" },
		{ "{\"name\":\"e\",\"version\":\"1\",\"path\":\"1\",\"columns\":[]}", "1", "e_1" },
		/* clang-format on */
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct model *m = made(cases[i].json);

		cr_expect_str_eq(model_path(m, m->pool), cases[i].path);
		cr_expect_str_eq(model_topic(m, m->pool), cases[i].topic);
		model_free(m);
	}
}
