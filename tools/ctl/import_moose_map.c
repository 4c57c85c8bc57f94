/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/import_moose.h"

#include <string.h>
#include <strings.h>
#include "common/buf.h"
#include "common/model.h"

static const char INGEST[] = "ingest/";

static const char *text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

/* ---- columns: what the gateway reads of them; the rest speaks to the database ---- */

static json_t *map_columns(const json_t *columns);

/* Types nest: a type's member may hold types. Whether one is known, model_parse() says. */
static json_t *map_type(const json_t *type)
{
	json_t *out, *value;
	const char *key;
	size_t i;

	if (json_is_array(type)) {
		out = json_array();
		json_array_foreach(type, i, value)
			json_array_append_new(out, map_type(value));
		return out;
	}
	if (!json_is_object(type))
		return json_deep_copy(type);
	out = json_object();
	json_object_foreach((json_t *)type, key, value)
		json_object_set_new(out, key,
		                    strcmp(key, "columns") == 0 ? map_columns(value)
		                                                : map_type(value));
	return out;
}

static json_t *map_column(const json_t *column)
{
	static const char *const kept[] = { "name",    "data_type",    "required",
		                            "default", "materialized", "alias" };
	json_t *out = json_object(), *value;

	for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
		value = json_object_get(column, kept[i]);
		if (value && !json_is_null(value))
			json_object_set_new(out, kept[i], map_type(value));
	}
	return out;
}

static json_t *map_columns(const json_t *columns)
{
	json_t *out, *column;
	size_t i;

	if (!json_is_array(columns))
		return json_deep_copy(columns);
	out = json_array();
	json_array_foreach(columns, i, column)
		json_array_append_new(out, map_column(column));
	return out;
}

/* ---- one endpoint ---- */

struct endpoint {
	const json_t *json, *ingress, *data_model, *topics;
	const char *name, *version; /* "": none */
	char full[256]; /* name, or name_1_0: the topic by default, and the file */
	struct err *err;
};

static int set_text(json_t *model, const char *key, const char *text)
{
	return *text ? json_object_set_new(model, key, json_string(text)) : 0;
}

/* Names become files, topics and parts of a path. */
static bool is_plain(const char *text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-";

	return *text && *text != '.' && text[strspn(text, letters)] == '\0';
}

static int map_name(struct endpoint *e, json_t *model)
{
	int n;

	if (!is_plain(e->name) || (*e->version && !is_plain(e->version)))
		return err_set(e->err, "name and version are letters, digits, '.', '_' and '-'");
	n = snprintf(e->full, sizeof(e->full), "%s%s%s", e->name, *e->version ? "_" : "",
	             e->version);
	if (n < 0 || (size_t)n >= sizeof(e->full) - sizeof(".json"))
		return err_set(e->err, "its name is too long");
	for (char *p = e->full + strlen(e->name); *p; p++)
		if (*p == '.')
			*p = '_';
	set_text(model, "name", e->name);
	set_text(model, "version", e->version);
	return 0;
}

/* A path that the name and version make by themselves is not repeated. */
static int map_path(const struct endpoint *e, json_t *model)
{
	const char *path = text_of(e->json, "path");
	size_t n = strlen(e->name);

	if (strncmp(path, INGEST, strlen(INGEST)) != 0)
		return err_set(e->err, "its path '%s' is not below %s", path, INGEST);
	path += strlen(INGEST);
	if (strncmp(path, e->name, n) == 0 &&
	    (*e->version ? path[n] == '/' && strcmp(path + n + 1, e->version) == 0 : !path[n]))
		return 0;
	return set_text(model, "path", path);
}

static int map_schema_id(const struct endpoint *e, const char *topic, json_t *model)
{
	const json_t *schema = json_object_get(json_object_get(e->topics, topic), "schema_config");
	const json_t *reference = json_object_get(schema, "reference");
	const json_t *id = json_object_get(reference, "id");

	if (!schema || json_is_null(schema))
		return 0;
	if (json_is_integer(id))
		return json_object_set_new(model, "schema_id", json_deep_copy(id));
	return err_set(e->err,
	               "the schema of topic '%s' is named by its subject, which only a "
	               "registry can resolve: name it by its id",
	               topic);
}

static int map_topics(const struct endpoint *e, json_t *model)
{
	const char *topic = text_of(e->ingress, "target_topic_id");

	if (!*topic)
		return err_set(e->err, "it has no target_topic_id");
	if (strcmp(topic, e->full) != 0)
		set_text(model, "topic", topic);
	set_text(model, "dead_letter_queue", text_of(e->ingress, "dead_letter_queue"));
	return map_schema_id(e, topic, model);
}

static int map_data(const struct endpoint *e, json_t *model)
{
	if (!json_is_object(e->data_model))
		return err_set(e->err, "it has no data_model, so nothing to judge by");
	json_object_set_new(model, "columns",
	                    map_columns(json_object_get(e->data_model, "columns")));
	if (json_is_true(json_object_get(e->data_model, "allow_extra_fields")))
		json_object_set_new(model, "allow_extra_fields", json_true());
	return 0;
}

/* The gateway's own reader, so that nothing it would refuse is ever written. */
static int check(const json_t *model, struct err *err)
{
	autofree char *text = json_dumps(model, JSON_COMPACT);
	struct model *m = model_parse(bytes_str(text), err);

	if (!m)
		return -1;
	model_free(m);
	return 0;
}

static int map_endpoint(struct endpoint *e, json_t *model)
{
	if (strcmp(text_of(e->json, "method"), "POST") != 0)
		return err_set(e->err, "its method is '%s', not POST", text_of(e->json, "method"));
	if (map_name(e, model) < 0 || map_path(e, model) < 0 || map_data(e, model) < 0 ||
	    map_topics(e, model) < 0)
		return -1;
	return check(model, e->err);
}

/* ---- the map ---- */

static json_t *entry_of(const char *key, const json_t *endpoint, const json_t *topics)
{
	const json_t *ingress = json_object_get(json_object_get(endpoint, "api_type"), "INGRESS");
	struct err err = { "" };
	struct endpoint e = {
		.json = endpoint,
		.ingress = ingress,
		.data_model = json_object_get(ingress, "data_model"),
		.topics = topics,
		.name = text_of(endpoint, "name"),
		.version = text_of(endpoint, "version"),
		.err = &err,
	};
	json_t *model;

	if (!ingress)
		return NULL; /* an API that is read from */
	model = json_object();
	if (map_endpoint(&e, model) < 0) {
		json_decref(model);
		return json_pack("{s:s,s:s}", "file", key, "error", err.text);
	}
	return json_pack("{s:s+,s:o}", "file", e.full, ".json", "model", model);
}

/* Sorted in; a second one of its name (a_1 and version 1 of a; letter case) is an error instead. */
static void insert(json_t *out, json_t *entry, const char *key)
{
	const char *file = text_of(entry, "file");
	size_t at = 0;
	int order = 1;

	while (at < json_array_size(out) &&
	       (order = strcasecmp(text_of(json_array_get(out, at), "file"), file)) < 0)
		at++;
	if (at < json_array_size(out) && order == 0) {
		json_t *twice = json_pack("{s:s,s:s++}", "file", key, "error", "its file ", file,
		                          " would be that of another model too");

		json_decref(entry);
		entry = twice;
	}
	json_array_insert_new(out, at, entry);
}

json_t *import_moose_map(const json_t *map, struct err *err)
{
	json_t *endpoints = json_object_get(map, "api_endpoints");
	const json_t *topics = json_object_get(map, "topics");
	json_t *out, *endpoint, *entry;
	const char *key;

	if (!json_is_object(endpoints) || !json_is_object(topics)) {
		err_set(err, "it is no infrastructure map: api_endpoints and topics are not both "
		             "there");
		return NULL;
	}
	out = json_array();
	json_object_foreach(endpoints, key, endpoint) {
		entry = entry_of(key, endpoint, topics);
		if (entry)
			insert(out, entry, key);
	}
	return out;
}
