/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model.c -- reads a model file, and finds columns and members of enums in the result. jansson
 * holds the file meanwhile: it is an operator's, small and read once. What is wrong is said with
 * the column that has it. Never on the path of a body but for the look-ups at the end.
 */
#include "common/model.h"

#include <stdio.h>

#include "common/buf.h"
#include "common/model_private.h"

enum {
	POOL_BYTES = 4 * KIB,
	ESCAPED_MAX = 6 * MODEL_NAME_MAX + 8, /* of a name: each byte as \u00xx, quotes, a colon */
};

/* ---- what both files use ---- */

int model_error(struct model_parser *p, const char *fmt, ...)
{
	char text[sizeof(p->err->text) - sizeof(p->path) - 16];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (p->path_n)
		return err_set(p->err, "column %s: %s", p->path, text);
	return err_set(p->err, "%s", text);
}

size_t model_enter(struct model_parser *p, const char *name)
{
	size_t before = p->path_n, room = sizeof(p->path) - before;
	int n = snprintf(p->path + before, room, "%s%s", before ? "." : "", name);

	p->path_n = before + min_size((size_t)n, room - 1);
	return before;
}

void model_leave(struct model_parser *p, size_t before)
{
	p->path_n = before;
	p->path[before] = '\0';
}

int model_members_known(struct model_parser *p, const json_t *object, const char *const *names)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)object, key, value) {
		const char *const *name = names;

		while (*name && strcmp(*name, key))
			name++;
		if (!*name)
			return model_error(p, "unknown member '%.64s'", key);
	}
	return 0;
}

int model_name(struct model_parser *p, const json_t *json, const char *what, struct bytes *out)
{
	size_t n = json_string_length(json);

	if (!json_is_string(json) || n == 0 || n > MODEL_NAME_MAX)
		return model_error(p, "%s is needed: a string of 1 to %d bytes", what,
		                   MODEL_NAME_MAX);
	*out = pool_dup(p->pool, bytes_of(json_string_value(json), n));
	return 0;
}

/* ---- sorting ---- */

/* Component by component, so that the paths below one stand together, behind it. */
static int path_compare(struct bytes a, struct bytes b)
{
	for (size_t i = 0;; i++) {
		int x = i == a.n ? -2 : a.p[i] == '.' ? -1 : a.p[i];
		int y = i == b.n ? -2 : b.p[i] == '.' ? -1 : b.p[i];

		if (x != y)
			return x < y ? -1 : 1;
		if (x == -2)
			return 0;
	}
}

static int compare_columns(const void *a, const void *b, void *arg)
{
	const struct model_type *t = arg;
	struct bytes x = t->columns[*(const unsigned *)a].name;
	struct bytes y = t->columns[*(const unsigned *)b].name;

	return t->kind == MODEL_JSON ? path_compare(x, y) : model_name_compare(x, y);
}

static int sort(struct model_parser *p, struct model_type *t)
{
	unsigned *order = pool_alloc(p->pool, t->column_count * sizeof(*order));

	for (unsigned i = 0; i < t->column_count; i++)
		order[i] = i;
	qsort_r(order, t->column_count, sizeof(*order), compare_columns, t);
	for (size_t i = 1; i < t->column_count; i++) {
		struct bytes name = t->columns[order[i]].name;

		if (bytes_eq(name, t->columns[order[i - 1]].name))
			return model_error(p, "two of one name: '%.*s'", (int)min_size(name.n, 64),
			                   (const char *)name.p);
	}
	t->by_name = order;
	return 0;
}

/* The claims of a token may be absent; what the storage makes itself always is. */
static bool is_needed(const struct model_column *c)
{
	return c->required && !c->has_default && !c->is_derived &&
	       !(c->type.kind == MODEL_NESTED && c->type.is_jwt);
}

static void name_claims(struct model_parser *p, struct model_type *t, struct model_column *c)
{
	struct buf b;

	if (c->is_derived || c->type.kind != MODEL_NESTED || !c->type.is_jwt)
		return;
	buf_init(&b, ESCAPED_MAX);
	buf_char(&b, '"');
	buf_json(&b, c->name, SIZE_MAX);
	buf_str(&b, "\":");
	assert(!b.failed);
	c->claims_name = pool_dup(p->pool, bytes_of(b.p, b.n));
	buf_done(&b);
	t->has_claims = true;
}

int model_index(struct model_parser *p, struct model_type *t)
{
	uint64_t *needed = pool_zalloc(p->pool, (t->column_count + 63) / 64 * sizeof(*needed));

	for (size_t i = 0; i < t->column_count; i++) {
		needed[i / 64] |= (uint64_t)is_needed(&t->columns[i]) << i % 64;
		name_claims(p, t, &t->columns[i]);
	}
	t->needed = needed;
	return sort(p, t);
}

/* ---- columns ---- */

struct model_column *model_columns_room(struct model_parser *p, size_t n)
{
	if (n > MODEL_COLUMNS_MAX - p->columns) {
		model_error(p, "more than %d columns in one model", MODEL_COLUMNS_MAX);
		return NULL;
	}
	p->columns += n;
	return pool_zalloc(p->pool, n * sizeof(struct model_column));
}

static int text_or_null(struct model_parser *p, const json_t *object, const char *name, bool *has)
{
	const json_t *json = json_object_get(object, name);

	if (json && !json_is_string(json) && !json_is_null(json))
		return model_error(p, "%s is a string or null", name);
	*has = json_is_string(json);
	return 0;
}

static int column_members(struct model_parser *p, const json_t *json, struct model_column *c)
{
	static const char *const names[] = { "name",    "data_type",    "required",
		                             "default", "materialized", "alias",
		                             "unique",  "primary_key",  "annotations",
		                             "comment", "ttl",          "codec",
		                             NULL };
	const json_t *required = json_object_get(json, "required");
	bool materialized = false, alias = false;

	if (model_members_known(p, json, names) < 0)
		return -1;
	if (!json_is_boolean(required))
		return model_error(p, "required is needed: true or false");
	c->required = json_is_true(required);
	if (text_or_null(p, json, "default", &c->has_default) < 0 ||
	    text_or_null(p, json, "materialized", &materialized) < 0 ||
	    text_or_null(p, json, "alias", &alias) < 0)
		return -1;
	c->is_derived = materialized || alias;
	return model_type_parse(p, json_object_get(json, "data_type"), &c->type);
}

static int column_parse(struct model_parser *p, const json_t *json, struct model_column *c)
{
	size_t before;
	int result;

	if (!json_is_object(json))
		return model_error(p, "each of columns is an object");
	if (model_name(p, json_object_get(json, "name"), "the name of a column", &c->name) < 0)
		return -1;
	before = model_enter(p, json_string_value(json_object_get(json, "name")));
	result = column_members(p, json, c);
	if (result == 0)
		model_leave(p, before);
	return result;
}

int model_columns_parse(struct model_parser *p, const json_t *json, struct model_type *t)
{
	if (!json_is_array(json))
		return model_error(p, "columns is needed: an array");
	t->kind = MODEL_NESTED;
	t->column_count = json_array_size(json);
	t->columns = model_columns_room(p, t->column_count);
	if (!t->columns)
		return -1;
	for (size_t i = 0; i < t->column_count; i++)
		if (column_parse(p, json_array_get(json, i), &t->columns[i]) < 0)
			return -1;
	return model_index(p, t);
}

/* ---- the file ---- */

/* Of these topics and paths are made. */
static bool is_plain(const char *text, const char *more)
{
	for (const char *c = text; *c; c++)
		if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
		      (*c >= '0' && *c <= '9') || strchr("._-", *c) || strchr(more, *c)))
			return false;
	return true;
}

/* Absent or null: "". */
static int word(struct model_parser *p, const json_t *root, const char *name, const char *more,
                const char **out)
{
	enum { WORD_MAX = 200 }; /* a topic has at most 249 bytes */
	const json_t *json = json_object_get(root, name);
	const char *text = json_string_value(json);

	*out = "";
	if (!json || json_is_null(json))
		return 0;
	if (!text || !*text || strlen(text) > WORD_MAX || !is_plain(text, more) ||
	    !strcmp(text, ".") || !strcmp(text, ".."))
		return model_error(p, "%s is a string of 1 to %d of A-Z a-z 0-9 . _ -%s%s", name,
		                   WORD_MAX, *more ? " " : "", more);
	*out = (const char *)pool_dup(p->pool, bytes_of(text, strlen(text) + 1)).p;
	return 0;
}

/* Requests with such segments are refused before anybody looks for a model. */
static bool has_dot_segment(const char *path)
{
	for (const char *next; path; path = next) {
		size_t n = strcspn(path, "/");

		next = path[n] ? path + n + 1 : NULL;
		if (*path == '.' && (n == 1 || (n == 2 && path[1] == '.')))
			return true;
	}
	return false;
}

static int path_word(struct model_parser *p, const json_t *root, const char **out)
{
	static const char prefix[] = "ingest/";
	size_t n;

	if (word(p, root, "path", "/~", out) < 0)
		return -1;
	*out += **out == '/';
	if (!strncmp(*out, prefix, sizeof(prefix) - 1)) /* as an infrastructure map has it */
		*out += sizeof(prefix) - 1;
	n = strlen(*out);
	if (json_is_string(json_object_get(root, "path")) &&
	    (n == 0 || **out == '/' || (*out)[n - 1] == '/' || strstr(*out, "//")))
		return model_error(p, "path has an empty segment");
	if (has_dot_segment(*out))
		return model_error(p, "path has a segment of dots");
	return 0;
}

static int flags(struct model_parser *p, const json_t *root, struct model *m)
{
	const json_t *extra = json_object_get(root, "allow_extra_fields");
	const json_t *id = json_object_get(root, "schema_id");

	if (extra && !json_is_boolean(extra))
		return model_error(p, "allow_extra_fields is true or false");
	m->allow_extra_fields = json_is_true(extra);
	if (!id || json_is_null(id))
		return 0;
	if (!json_is_integer(id) || json_integer_value(id) < 0 ||
	    json_integer_value(id) > UINT32_MAX)
		return model_error(p, "schema_id is a number of 0 to %u", UINT32_MAX);
	m->has_schema_id = true;
	m->schema_id = (uint32_t)json_integer_value(id);
	return 0;
}

static int file_members(struct model_parser *p, const json_t *root, struct model *m)
{
	static const char *const names[] = {
		"name",  "version",   "path", "columns", "allow_extra_fields", "dead_letter_queue",
		"topic", "schema_id", NULL
	};

	if (!json_is_object(root))
		return model_error(p, "a model is an object");
	if (model_members_known(p, root, names) < 0 || word(p, root, "name", "", &m->name) < 0)
		return -1;
	if (!*m->name)
		return model_error(p, "name is needed");
	if (word(p, root, "version", "", &m->version) < 0 || path_word(p, root, &m->path) < 0 ||
	    word(p, root, "topic", "", &m->topic) < 0 ||
	    word(p, root, "dead_letter_queue", "", &m->dead_letter_queue) < 0 ||
	    flags(p, root, m) < 0 ||
	    model_columns_parse(p, json_object_get(root, "columns"), &m->root) < 0)
		return -1;
	m->columns = m->root.columns;
	m->column_count = m->root.column_count;
	return 0;
}

/* Names of the file are in it, and it may be shown on a terminal: no byte that this would obey. */
static struct model *none_with(struct err *err)
{
	for (uint8_t *c = (uint8_t *)err->text; *c; c++) {
		bool is_c1 = *c == 0xc2 && c[1] < 0xa0;

		if (*c < 0x20 || *c == 0x7f || is_c1)
			*c = '?';
		if (is_c1 && c[1])
			*++c = '?';
	}
	return NULL;
}

struct model *model_parse(struct bytes json, struct err *err)
{
	struct model_parser p = { .err = err };
	struct model *m;
	json_error_t error;
	json_t *root;
	int result;

	if (json.n > MODEL_BYTES_MAX) {
		err_set(err, "%zu bytes exceed the limit of %d bytes for a model", json.n,
		        MODEL_BYTES_MAX);
		return NULL;
	}
	root = json_loadb((const char *)json.p, json.n, JSON_REJECT_DUPLICATES, &error);
	if (!root) {
		err_set(err, "line %d, column %d: %s", error.line, error.column, error.text);
		return none_with(err);
	}
	p.pool = pool_new(POOL_BYTES);
	m = pool_zalloc(p.pool, sizeof(*m));
	m->pool = p.pool;
	result = file_members(&p, root, m);
	json_decref(root);
	if (result == 0)
		return m;
	model_free(m);
	return none_with(err);
}

void model_free(struct model *m)
{
	if (m)
		pool_free(m->pool);
}

/* ---- what is made of a name ---- */

static const char *join(struct pool *pool, const char *a, const char *between, const char *b)
{
	size_t n = strlen(a) + strlen(between) + strlen(b) + 1;
	char *text = pool_alloc(pool, n);

	snprintf(text, n, "%s%s%s", a, between, b);
	return text;
}

const char *model_path(const struct model *m, struct pool *pool)
{
	const char *last = strrchr(m->path, '/');

	if (!*m->version)
		return *m->path ? m->path : m->name;
	if (!*m->path)
		return join(pool, m->name, "/", m->version);
	return strcmp(last ? last + 1 : m->path, m->version) ? join(pool, m->path, "/", m->version)
	                                                     : m->path;
}

const char *model_topic(const struct model *m, struct pool *pool)
{
	char *version;

	if (*m->topic || !*m->version)
		return *m->topic ? m->topic : m->name;
	version = (char *)pool_dup(pool, bytes_of(m->version, strlen(m->version) + 1)).p;
	for (char *p = version; *p; p++)
		if (*p == '.')
			*p = '_';
	return join(pool, m->name, "_", version);
}

/* ---- look-ups ---- */

size_t model_column_find(const struct model_type *t, struct bytes name)
{
	size_t low = 0, high = t->column_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2, at = t->by_name[middle];
		int order = model_name_compare(name, t->columns[at].name);

		if (order == 0)
			return at;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return t->column_count;
}
