/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_type.c -- a column's data_type: a word, or an object whose members tell what it is
 * (compatibility.md 5), in either spelling. Types are in types, so it recurses, bounded.
 */
#include <stdio.h>

#include "common/model_private.h"

enum {
	FIXED_STRING_MAX = 0x7fffffff, /* bytes; its name fits struct model_type */
	DECIMAL_DIGITS_MAX = 76,
	DATE_TIME_DIGITS_MAX = 9,
};

static const struct {
	const char *text;
	enum model_kind kind;
	bool is_signed;
	unsigned bits, n;
} words[] = {
	/* clang-format off */
	{ "String",          MODEL_STRING,    false, 0,   0 },
	{ "Boolean",         MODEL_BOOLEAN,   false, 0,   0 },
	{ "Int8",            MODEL_INT,       true,  8,   0 },
	{ "Int16",           MODEL_INT,       true,  16,  0 },
	{ "Int32",           MODEL_INT,       true,  32,  0 },
	{ "Int64",           MODEL_INT,       true,  64,  0 },
	{ "Int128",          MODEL_INT,       true,  128, 0 },
	{ "Int256",          MODEL_INT,       true,  256, 0 },
	{ "UInt8",           MODEL_INT,       false, 8,   0 },
	{ "UInt16",          MODEL_INT,       false, 16,  0 },
	{ "UInt32",          MODEL_INT,       false, 32,  0 },
	{ "UInt64",          MODEL_INT,       false, 64,  0 },
	{ "UInt128",         MODEL_INT,       false, 128, 0 },
	{ "UInt256",         MODEL_INT,       false, 256, 0 },
	{ "BigInt",          MODEL_BIG_INT,   true,  0,   0 },
	{ "Float32",         MODEL_FLOAT,     true,  32,  0 },
	{ "Float64",         MODEL_FLOAT,     true,  64,  0 },
	{ "Decimal",         MODEL_DECIMAL,   true,  0,   0 },
	{ "DateTime",        MODEL_DATE_TIME, false, 0,   0 },
	{ "Date",            MODEL_DATE,      false, 0,   0 },
	{ "Date16",          MODEL_DATE,      false, 0,   0 },
	{ "UUID",            MODEL_UUID,      false, 0,   0 },
	{ "IPv4",            MODEL_IPV4,      false, 0,   0 },
	{ "IPv6",            MODEL_IPV6,      false, 0,   0 },
	{ "Json",            MODEL_JSON,      false, 0,   0 },
	{ "Bytes",           MODEL_BYTES,     false, 0,   0 },
	{ "Point",           MODEL_GEO,       false, 0,   0 },
	{ "Ring",            MODEL_GEO,       false, 0,   1 },
	{ "LineString",      MODEL_GEO,       false, 0,   1 },
	{ "Polygon",         MODEL_GEO,       false, 0,   2 },
	{ "MultiLineString", MODEL_GEO,       false, 0,   2 },
	{ "MultiPolygon",    MODEL_GEO,       false, 0,   3 },
	/* clang-format on */
};

static void named(struct model_type *t, const char *name)
{
	snprintf(t->name, sizeof(t->name), "%s", name);
}

/* ---- words ---- */

/* "NAME(12, 3)": its numbers; false: it is not NAME with one to n of them. */
static bool arguments(const char *text, const char *name, unsigned long v[], size_t n, size_t *got)
{
	size_t skip = strlen(name);
	const char *p = text + skip;

	if (strncmp(text, name, skip) || *p != '(')
		return false;
	for (*got = 0; *got < n;) {
		char *end;

		p += 1 + strspn(p + 1, " ");
		if (*p < '0' || *p > '9')
			return false;
		v[(*got)++] = strtoul(p, &end, 10);
		p = end + strspn(end, " ");
		if (*p == ')')
			return p[1] == '\0';
		if (*p != ',')
			return false;
	}
	return false;
}

static int unknown(struct model_parser *p, const char *text)
{
	return model_error(p, "unknown type '%.64s'", text);
}

static int word_with_arguments(struct model_parser *p, const char *text, struct model_type *t)
{
	unsigned long v[2];
	size_t n;

	if (arguments(text, "FixedString", v, 1, &n)) {
		if (v[0] == 0 || v[0] > FIXED_STRING_MAX)
			return model_error(p, "FixedString has 1 to %d bytes", FIXED_STRING_MAX);
		t->kind = MODEL_FIXED_STRING;
		t->n = (unsigned)v[0];
		snprintf(t->name, sizeof(t->name), "FixedString(%u)", t->n);
		return 0;
	}
	if (arguments(text, "DateTime", v, 1, &n)) {
		if (v[0] > DATE_TIME_DIGITS_MAX)
			return model_error(p, "DateTime has 0 to %d digits", DATE_TIME_DIGITS_MAX);
		t->kind = MODEL_DATE_TIME;
		named(t, "DateTime");
		return 0;
	}
	if (arguments(text, "Decimal", v, 2, &n)) {
		if (v[0] == 0 || v[0] > DECIMAL_DIGITS_MAX || (n == 2 && v[1] > v[0]))
			return model_error(p,
			                   "Decimal has 1 to %d digits, no more behind the point",
			                   DECIMAL_DIGITS_MAX);
		t->kind = MODEL_DECIMAL;
		named(t, "Decimal");
		return 0;
	}
	return unknown(p, text);
}

static int word_parse(struct model_parser *p, const char *text, struct model_type *t)
{
	if (!strcmp(text, "Int") || !strcmp(text, "Float")) /* of old: the widest */
		text = *text == 'I' ? "Int64" : "Float64";
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (!strcmp(words[i].text, text)) {
			t->kind = words[i].kind;
			t->is_signed = words[i].is_signed;
			t->bits = words[i].bits;
			t->n = words[i].n;
			named(t, text);
			return 0;
		}
	return word_with_arguments(p, text, t);
}

/* ---- objects ---- */

/* A member in one of its two spellings; both at once are refused by *twice. */
static const json_t *member(const json_t *object, const char *camel, const char *snake, bool *twice)
{
	const json_t *a = json_object_get(object, camel), *b = json_object_get(object, snake);

	*twice |= a && b;
	return a ? a : b;
}

static int flag(struct model_parser *p, const json_t *json, const char *name, bool *out)
{
	if (json && !json_is_boolean(json))
		return model_error(p, "%s is true or false", name);
	*out = json_is_true(json);
	return 0;
}

/* The claims stand in the place of a column: in that of an element nobody could say whose they are,
 * and a client's would pass. */
static int no_claims(struct model_parser *p, const struct model_type *element)
{
	return element->is_jwt ? model_error(p, "jwt is of a column, not of an element") : 0;
}

/* A pair [name, type] makes a column. */
static int pair_parse(struct model_parser *p, const json_t *pair, const char *what,
                      struct model_column *c)
{
	const json_t *name = json_array_get(pair, 0);
	size_t before;

	if (json_array_size(pair) != 2)
		return model_error(p, "each of %s is [name, type]", what);
	if (model_name(p, name, "a name", &c->name) < 0)
		return -1;
	before = model_enter(p, json_string_value(name));
	if (model_type_parse(p, json_array_get(pair, 1), &c->type) < 0)
		return -1;
	model_leave(p, before);
	c->required = !c->type.nullable;
	return 0;
}

static int pairs_parse(struct model_parser *p, const json_t *pairs, const char *what,
                       struct model_type *t)
{
	if (!json_is_array(pairs))
		return model_error(p, "%s is an array", what);
	t->column_count = json_array_size(pairs);
	t->columns = model_columns_room(p, t->column_count);
	if (!t->columns)
		return -1;
	for (size_t i = 0; i < t->column_count; i++)
		if (pair_parse(p, json_array_get(pairs, i), what, &t->columns[i]) < 0)
			return -1;
	return model_index(p, t);
}

static struct model_type *type_new(struct model_parser *p)
{
	return pool_zalloc(p->pool, sizeof(struct model_type));
}

static int array_parse(struct model_parser *p, const json_t *element, const json_t *nullable,
                       struct model_type *t)
{
	bool is_nullable = false;

	t->kind = MODEL_ARRAY;
	named(t, "Array");
	t->element = type_new(p);
	if (flag(p, nullable, "elementNullable", &is_nullable) < 0 ||
	    model_type_parse(p, element, t->element) < 0)
		return -1;
	t->element->nullable |= is_nullable;
	return no_claims(p, t->element);
}

static bool can_be_key(const struct model_type *t)
{
	switch (t->kind) {
	case MODEL_STRING:
	case MODEL_INT:
	case MODEL_FLOAT:
	case MODEL_UUID:
	case MODEL_IPV4:
	case MODEL_IPV6:
		return !t->nullable;
	case MODEL_BOOLEAN:
	case MODEL_FIXED_STRING:
	case MODEL_BIG_INT:
	case MODEL_BYTES:
	case MODEL_DECIMAL:
	case MODEL_DATE_TIME:
	case MODEL_DATE:
	case MODEL_JSON:
	case MODEL_ENUM:
	case MODEL_ARRAY:
	case MODEL_MAP:
	case MODEL_NESTED:
	case MODEL_GEO:
		return false;
	}
	assert(!"a kind");
	return false;
}

static int map_parse(struct model_parser *p, const json_t *key, const json_t *value,
                     struct model_type *t)
{
	if (!value)
		return model_error(p, "a map needs valueType");
	t->kind = MODEL_MAP;
	named(t, "Map");
	t->key = type_new(p);
	t->element = type_new(p);
	if (model_type_parse(p, key, t->key) < 0 || model_type_parse(p, value, t->element) < 0)
		return -1;
	if (!can_be_key(t->key))
		return model_error(p, "a map's key is String, Int, UInt, Float, IPv4, IPv6 or UUID,"
		                      " not nullable");
	return no_claims(p, t->element);
}

static int json_parse(struct model_parser *p, const json_t *paths, struct model_type *t)
{
	t->kind = MODEL_JSON;
	named(t, "Json");
	return paths ? pairs_parse(p, paths, "typed_paths", t) : 0;
}

/* ---- which one it is ---- */

static int nested_parse(struct model_parser *p, const json_t *json, struct model_type *t)
{
	const json_t *columns = json_object_get(json, "columns");
	bool is_jwt = false;

	if (!columns)
		return model_error(p, "the type is an object of no kind that is known");
	if (flag(p, json_object_get(json, "jwt"), "jwt", &is_jwt) < 0 ||
	    model_columns_parse(p, columns, t) < 0)
		return -1;
	t->is_jwt = is_jwt;
	named(t, "Nested");
	return 0;
}

static const char *const members[] = { "nullable",
	                               "fields",
	                               "elementType",
	                               "element_type",
	                               "elementNullable",
	                               "element_nullable",
	                               "keyType",
	                               "key_type",
	                               "valueType",
	                               "value_type",
	                               "typed_paths",
	                               "typedPaths",
	                               "skip_paths",
	                               "skipPaths",
	                               "skip_regexps",
	                               "skipRegexps",
	                               "max_dynamic_paths",
	                               "maxDynamicPaths",
	                               "max_dynamic_types",
	                               "maxDynamicTypes",
	                               "name",
	                               "values",
	                               "columns",
	                               "jwt",
	                               NULL };

/* Of the storage: no concern of a gateway. */
static const char *const options[][2] = {
	{ "skipPaths", "skip_paths" },
	{ "skipRegexps", "skip_regexps" },
	{ "maxDynamicPaths", "max_dynamic_paths" },
	{ "maxDynamicTypes", "max_dynamic_types" },
};

/* The first that matches, in the order of the page. */
static int object_parse(struct model_parser *p, const json_t *json, struct model_type *t)
{
	bool twice = false;
	const json_t *nullable = json_object_get(json, "nullable");
	const json_t *fields = json_object_get(json, "fields");
	const json_t *element = member(json, "elementType", "element_type", &twice);
	const json_t *null_too = member(json, "elementNullable", "element_nullable", &twice);
	const json_t *key = member(json, "keyType", "key_type", &twice);
	const json_t *value = member(json, "valueType", "value_type", &twice);
	const json_t *paths = member(json, "typedPaths", "typed_paths", &twice);
	bool is_json = paths != NULL;

	if (model_members_known(p, json, members) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		is_json |= member(json, options[i][0], options[i][1], &twice) != NULL;
	if (twice)
		return model_error(p, "the type has a member in both of its spellings");
	if (nullable) {
		t->nullable = true;
		return model_type_parse(p, nullable, t);
	}
	if (fields) {
		t->kind = MODEL_NESTED;
		named(t, "NamedTuple");
		return pairs_parse(p, fields, "fields", t);
	}
	if (element)
		return array_parse(p, element, null_too, t);
	if (key)
		return map_parse(p, key, value, t);
	if (is_json)
		return json_parse(p, paths, t);
	if (!json_is_string(json_object_get(json, "name")))
		return model_error(p, "an enum or a nested type has a name");
	if (json_object_get(json, "values"))
		return model_enum_parse(p, json_object_get(json, "values"), t);
	return nested_parse(p, json, t);
}

/* What is set in *out before, nullable, stays. */
int model_type_parse(struct model_parser *p, const json_t *json, struct model_type *out)
{
	int result;

	if (p->depth == MODEL_DEPTH_MAX)
		return model_error(p, "more than %d types in each other", MODEL_DEPTH_MAX);
	p->depth++;
	if (json_is_string(json))
		result = word_parse(p, json_string_value(json), out);
	else if (json_is_object(json))
		result = object_parse(p, json, out);
	else
		result = model_error(p, "data_type is needed: a string or an object");
	p->depth--;
	return result;
}
