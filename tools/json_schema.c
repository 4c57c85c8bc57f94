/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_schema.c -- prints the JSON Schema of headgate.yaml, made of conf/options.def, for editors
 * and for checks that have no headgate. Run by the makefile, not installed; what it prints is. It
 * refuses nothing that `headgate -t` takes. The reverse does not hold: ranges of durations and
 * sizes, and what one option asks of another, are beyond a schema.
 */
#include <jansson.h>
#include <stdio.h>

#include "conf/options.h"

static const char expansion[] = "\\$"; /* ${NAME} and its like stand for any value */
#define SIZE_UNITS "(B|kB|MB|GB|KiB|MiB|GiB)"

static json_t *made(json_t *o)
{
	if (!o)
		out_of_memory();
	return o;
}

static void put(json_t *o, const char *key, json_t *value)
{
	if (json_object_set_new(o, key, made(value)) < 0)
		out_of_memory();
}

static void add(json_t *list, json_t *value)
{
	if (json_array_append_new(list, made(value)) < 0)
		out_of_memory();
}

/* ---- one text ---- */

static json_t *pattern(const char *text)
{
	return json_pack("{s:s, s:s}", "type", "string", "pattern", text);
}

static json_t *range_of(const struct option *o)
{
	return json_pack("{s:s, s:I, s:I}", "type", "integer", "minimum",
	                 (json_int_t)strtoull(o->min, NULL, 10), "maximum",
	                 (json_int_t)strtoull(o->max, NULL, 10));
}

/* A number with a unit; 0 needs none. */
static void add_with_unit(json_t *any, const struct option *o, const char *text)
{
	if (*o->min == '0')
		add(any, json_pack("{s:[i, s]}", "enum", 0, "0"));
	add(any, pattern(text));
}

/* A word such as 1.2 is a number to whoever reads the YAML. */
static void add_words(json_t *any, const struct option *o)
{
	json_t *words = json_array();
	struct bytes word;

	for (unsigned i = 0; option_word(o, i, &word); i++) {
		char text[64];
		json_t *number;

		snprintf(text, sizeof(text), "%.*s", (int)word.n, (const char *)word.p);
		if (!word.n)
			continue;
		add(words, json_string(text));
		number = json_loads(text, JSON_DECODE_ANY, NULL);
		if (json_is_number(number))
			add(words, json_incref(number));
		json_decref(number);
	}
	add(any, json_pack("{s:o}", "enum", words));
}

/* Lengths are of bytes here and of characters there: no text has more of these. */
static json_t *text_of(const struct option *o, const char *max)
{
	json_t *text = made(json_pack("{s:s, s:i, s:I}", "type", "string", "minLength",
	                              *o->min != '0' || !option_is_scalar(o), "maxLength",
	                              (json_int_t)strtoull(max, NULL, 10)));

	if (*o->words && !option_has_lines(o))
		put(text, "pattern", json_sprintf("^[%s]*$", o->words));
	return text;
}

static void add_scalar(json_t *any, const struct option *o)
{
	switch (o->type) {
	case OPT_COUNT_AUTO:
		add(any, json_pack("{s:s}", "const", "auto"));
		/* fall through */
	case OPT_COUNT:
		add(any, range_of(o));
		add(any, pattern("^[0-9]+$"));
		return;
	case OPT_BOOL:
		add(any, json_pack("{s:[b, b, s, s]}", "enum", true, false, "true", "false"));
		return;
	case OPT_MSEC:
		add_with_unit(any, o, "^[0-9]+(ms|s|m|h|d)$");
		return;
	case OPT_USEC:
		add_with_unit(any, o, "^[0-9]+(us|ms|s|m|h|d)$");
		return;
	case OPT_SIZE:
		add_with_unit(any, o, "^[0-9]+" SIZE_UNITS "$");
		return;
	case OPT_RATE:
		add_with_unit(any, o, "^[0-9]+" SIZE_UNITS "?/s$");
		return;
	case OPT_COUNT_RATE:
		add_with_unit(any, o, "^[0-9]+/s$");
		return;
	case OPT_PERCENT:
		add_with_unit(any, o, "^0*([0-9]{1,2}|100)%$");
		return;
	case OPT_ENUM:
		add_words(any, o);
		return;
	case OPT_TEXT:
		add(any, text_of(o, o->max));
		add(any, json_pack("{s:s}", "type", "number"));
		return;
	case OPT_FILE_PUBLIC:
	case OPT_FILE_SECRET:
	case OPT_FILE_PATH:
	case OPT_FILES:
		add(any, pattern("^(/.*)?$"));
		return;
	case OPT_INCLUDE:
		add(any, json_pack("{s:s}", "type", "string"));
		return;
	case OPT_LIST:
	case OPT_LIST_ANY:
	case OPT_LISTS:
	case OPT_PAIRS:
	case OPT_TLS:
	case OPT_MAPS:
		break;
	}
	assert(!"not a value of one text");
}

static json_t *scalar(const struct option *o)
{
	json_t *any = json_array();

	add_scalar(any, o);
	add(any, pattern(expansion));
	return json_pack("{s:o}", "anyOf", any);
}

/* ---- lists and maps ---- */

static json_t *table_of(const struct option_table *table);

static json_t *list(const struct option *o)
{
	json_t *any = json_array();

	add(any, text_of(o, "256"));
	add(any, json_pack("{s:s}", "type", "number"));
	add(any, pattern(expansion));
	return json_pack("{s:s, s:{s:o}, s:I}", "type", "array", "items", "anyOf", any, "maxItems",
	                 (json_int_t)strtoull(o->max, NULL, 10));
}

static json_t *list_or_any(const struct option *o)
{
	return json_pack("{s:[{s:s}, o]}", "anyOf", "const", "any", made(list(o)));
}

static json_t *lists(const struct option *o)
{
	return json_pack("{s:s, s:o}", "type", "object", "additionalProperties", made(list(o)));
}

static json_t *maps(const struct option *o)
{
	return json_pack("{s:s, s:o, s:I, s:I}", "type", "array", "items",
	                 table_of(option_maps_of(o)->table), "minItems",
	                 (json_int_t)strtoull(o->min, NULL, 10), "maxItems",
	                 (json_int_t)strtoull(o->max, NULL, 10));
}

static json_t *pairs(const struct option *o)
{
	return json_pack("{s:s, s:{s:[s, s, s]}, s:I}", "type", "object", "additionalProperties",
	                 "type", "string", "number", "boolean", "maxProperties",
	                 (json_int_t)strtoull(o->max, NULL, 10));
}

static json_t *tls(void)
{
	return json_pack("{s:[{s:s}, {s:s, s:{s:s}}]}", "anyOf", "$ref", "#/definitions/tls",
	                 "type", "array", "items", "$ref", "#/definitions/tls");
}

static json_t *value_of(const struct option *o)
{
	if (option_is_scalar(o) || o->type == OPT_INCLUDE)
		return scalar(o);
	if (o->type == OPT_LIST)
		return list(o);
	if (o->type == OPT_LIST_ANY)
		return list_or_any(o);
	if (o->type == OPT_LISTS)
		return lists(o);
	if (o->type == OPT_PAIRS)
		return pairs(o);
	return o->type == OPT_TLS ? tls() : maps(o);
}

/* ---- an option ---- */

static void describe(json_t *schema, const struct option *o)
{
	char text[2048];
	struct buf b;

	buf_init_fixed(&b, text, sizeof(text));
	option_about(o, &b);
	put(schema, "description", json_stringn(text, b.n));
}

static json_t *default_of(const struct option *o)
{
	if (o->type == OPT_BOOL)
		return json_boolean(*o->def == 't');
	if ((o->type == OPT_COUNT || o->type == OPT_COUNT_AUTO) && *o->def >= '0' && *o->def <= '9')
		return json_integer((json_int_t)strtoull(o->def, NULL, 10));
	if (o->type == OPT_LIST)
		return *o->def ? json_pack("[s]", o->def) : json_array();
	return json_string(o->def);
}

static bool is_required(const struct option *o)
{
	return o->type == OPT_TEXT && !*o->def && *o->min != '0';
}

static bool has_default(const struct option *o)
{
	return (option_is_scalar(o) && !is_required(o)) || o->type == OPT_LIST ||
	       o->type == OPT_INCLUDE;
}

static json_t *option_schema(const struct option *o)
{
	json_t *schema = made(value_of(o));

	describe(schema, o);
	if (has_default(o))
		put(schema, "default", default_of(o));
	return schema;
}

/* ---- the tree ---- */

static json_t *map_schema(bool may_be_empty)
{
	json_t *type = may_be_empty ? json_pack("[s, s]", "object", "null") : json_string("object");

	return json_pack("{s:o, s:b, s:{}}", "type", made(type), "additionalProperties", false,
	                 "properties");
}

static void put_option(json_t *map, const struct option *o)
{
	const char *name = o->path;

	for (const char *dot; (dot = strchr(name, '.')); name = dot + 1) {
		char section[64];
		json_t *properties = json_object_get(map, "properties");

		snprintf(section, sizeof(section), "%.*s", (int)(dot - name), name);
		map = json_object_get(properties, section);
		if (map)
			continue;
		map = made(map_schema(true));
		put(properties, section, map);
	}
	put(json_object_get(map, "properties"), name, option_schema(o));
}

static json_t *table_of(const struct option_table *table)
{
	json_t *map = made(map_schema(table == &options)), *required = json_array();

	for (size_t i = 0; i < table->n; i++) {
		put_option(map, &table->v[i]);
		if (is_required(&table->v[i]))
			add(required, json_string(table->v[i].path));
	}
	if (json_array_size(required))
		put(map, "required", json_incref(required));
	json_decref(required);
	return map;
}

int main(void)
{
	json_t *schema = made(json_pack("{s:s, s:s, s:s}", "$schema",
	                                "http://json-schema.org/draft-07/schema#", "title",
	                                "headgate.yaml", "description",
	                                "The configuration of headgate " HEADGATE_VERSION
	                                ", and each file that it includes: headgate.yaml(5)."));
	json_t *tree = table_of(&options);

	if (json_object_update(schema, tree) < 0)
		out_of_memory();
	put(schema, "definitions", json_pack("{s:o}", "tls", table_of(&tls_options)));
	if (json_dumpf(schema, stdout, JSON_INDENT(1)) < 0 || putchar('\n') < 0 ||
	    fflush(stdout) != 0) {
		perror("json_schema");
		return 1;
	}
	json_decref(tree);
	json_decref(schema);
	return 0;
}
