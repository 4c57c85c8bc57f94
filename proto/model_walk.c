/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_walk.c -- the brackets of a body, and whose they are: the array of all, an object of the
 * model, a nested one, a map, an array, a point. One turn is one member, one element or one closing
 * bracket; what is open stands in m->frames, never on the stack of calls.
 */
#include "proto/model_private.h"

enum {
	BITS_OF_CELL = 128,
	SCHEMA_ID_BYTES = 5, /* a zero, and the id */
};

/* ---- brackets ---- */

static inline unsigned depth_left(const struct model_pass *m)
{
	return m->in->depth - (m->top ? (unsigned)(m->top - m->frames) + 1 : 0);
}

static bool skip(struct model_pass *m)
{
	return json_skip(&m->j, depth_left(m));
}

struct model_frame *model_push(struct model_pass *m, enum frame_kind kind)
{
	struct model_frame *f = m->top ? m->top + 1 : m->frames;

	if (unlikely(depth_left(m) == 0)) {
		json_fail(&m->j, m->j.p, JSON_DEPTH);
		return NULL;
	}
	if (kind != FRAME_BODY)
		model_emit(m, m->j.p, 1);
	json_open(&m->j);
	f->kind = kind;
	f->is_first = true;
	f->has_comma = false;
	f->type = NULL;
	f->next = 0;
	f->cells = f->seen = f->names = m->cell_n;
	f->paths = f->paths_end = 0;
	f->index = 0;
	m->top = f;
	return f;
}

/* Which columns were met, or typed paths found, is kept in bits. */
static bool push_columns(struct model_pass *m, enum frame_kind kind, const struct model_type *t)
{
	struct model_frame *f = model_push(m, kind);

	if (!f)
		return false;
	f->type = t;
	f->seen = model_cells_push(m, (t->column_count + BITS_OF_CELL - 1) / BITS_OF_CELL);
	f->names = m->cell_n;
	f->paths_end = t->column_count; /* FRAME_ANY_OBJECT: all of a Json column's */
	f->path_skip = 0;
	return true;
}

static bool push_typed(struct model_pass *m, enum frame_kind kind, const struct model_type *t)
{
	struct model_frame *f = model_push(m, kind);

	if (f)
		f->type = t;
	return f != NULL;
}

static bool push_geo(struct model_pass *m, const struct model_type *t, unsigned arrays)
{
	struct model_frame *f = model_push(m, arrays ? FRAME_GEO : FRAME_POINT);

	if (!f)
		return false;
	f->type = t;
	f->arrays = arrays;
	return true;
}

/* Positions are those of the server that was replaced: it looks for the end before it complains. */
static void pass_end(struct model_pass *m, uint8_t end)
{
	if (json_peek(&m->j) == end)
		m->j.p++;
}

static bool refuse_bracket(struct model_pass *m, enum model_why why, const struct model_type *t)
{
	uint8_t end = *m->j.p == '{' ? '}' : ']';

	json_open(&m->j);
	pass_end(m, end);
	return model_refuse(m, why, t);
}

static bool open_bracket(struct model_pass *m, const struct model_type *t, uint8_t c)
{
	bool is_object = c == '{';

	if (is_object && t->kind == MODEL_NESTED)
		return push_columns(m, FRAME_COLUMNS, t);
	if (is_object && t->kind == MODEL_MAP)
		return push_typed(m, FRAME_MAP, t);
	if (is_object && t->kind == MODEL_JSON)
		return push_columns(m, FRAME_ANY_OBJECT, t);
	if (!is_object && t->kind == MODEL_ARRAY)
		return push_typed(m, FRAME_ARRAY, t);
	if (!is_object && t->kind == MODEL_GEO)
		return push_geo(m, t, t->n);
	return refuse_bracket(m, WHY_TYPE, t);
}

/* ---- values ---- */

/* A value of a type, or a bracket of it, which is opened. */
static bool value(struct model_pass *m, const struct model_type *t, bool is_nullable)
{
	uint8_t c = json_peek(&m->j);
	const uint8_t *at = m->j.p;

	if (c == '{' || c == '[') {
		m->first_byte = c;
		return open_bracket(m, t, c);
	}
	if (unlikely(!model_read_scalar(m, c)))
		return false;
	if (c == '"')
		return model_string(m, t);
	if (c == 'n') {
		if (!is_nullable && !t->nullable)
			return model_refuse(m, WHY_NULL, t);
	} else if (c == 't' || c == 'f') {
		if (t->kind != MODEL_BOOLEAN)
			return model_refuse(m, WHY_TYPE, t);
	} else {
		return model_number(m, t);
	}
	model_emit(m, at, (size_t)(m->j.p - at));
	return true;
}

bool model_keep_name(struct model_pass *m, struct json_text name)
{
	if (likely(model_name_add(m, name)))
		return true;
	m->counted_what = "members";
	m->count_limit = MEMBERS_MAX;
	return false;
}

static bool refuse_twice(struct model_pass *m, struct json_text name)
{
	m->why_text = name;
	return model_refuse(m, WHY_TWICE, NULL);
}

/* ---- members of the model ---- */

static size_t column_of(struct model_frame *f)
{
	const struct model_type *t = f->type;
	uint8_t local[SHORT_TEXT];

	if (likely(!f->name.escaped && f->next < t->column_count &&
	           bytes_eq(f->name.raw, t->columns[f->next].name)))
		return f->next;
	return model_column_find(t, model_meant(f->name, local));
}

static bool is_tenant(const struct model_pass *m, struct json_text name)
{
	uint8_t local[SHORT_TEXT];

	if (!name.escaped)
		return bytes_eq(name.raw, m->in->stamp_name);
	return bytes_eq(model_meant(name, local), m->in->stamp_name);
}

static bool column_member(struct model_pass *m, struct model_frame *f)
{
	bool is_outer = f->type == &m->in->model->root;
	const struct model_column *c;
	size_t at;

	if (is_outer && m->strips_tenant && unlikely(is_tenant(m, f->name))) {
		m->spoofed++;
		return skip(m);
	}
	at = column_of(f);
	if (at == f->type->column_count) {
		if (!is_outer || !m->in->model->allow_extra_fields)
			return skip(m);
		if (!model_keep_name(m, f->name))
			return false;
		model_emit_name(m, f);
		return model_any_value(m);
	}
	f->next = at + 1;
	if (unlikely(!model_mark(m, f->seen, at)))
		return refuse_twice(m, f->name);
	c = &f->type->columns[at];
	if (c->is_derived || (c->type.is_jwt && !m->in->client_claims_win))
		return skip(m);
	model_emit_name(m, f);
	return value(m, &c->type, !c->required);
}

static bool map_member(struct model_pass *m, struct model_frame *f)
{
	if (!model_key(m, f->type->key, f->name) || !model_keep_name(m, f->name))
		return false;
	model_emit_name(m, f);
	return value(m, f->type->element, false);
}

/* ---- objects of the body ---- */

static size_t written(const struct model_pass *m)
{
	return m->total + (size_t)(m->span_end - m->span);
}

static bool begin_object(struct model_pass *m)
{
	const struct model *model = m->in->model;
	uint8_t id[SCHEMA_ID_BYTES] = { 0, (uint8_t)(model->schema_id >> 24),
		                        (uint8_t)(model->schema_id >> 16),
		                        (uint8_t)(model->schema_id >> 8),
		                        (uint8_t)model->schema_id };

	m->object_at = written(m);
	if (model->has_schema_id)
		model_put(m, id, sizeof(id));
	if (!push_columns(m, FRAME_COLUMNS, &model->root))
		return false;
	if (m->stamp.n) {
		model_emit(m, m->stamp.p, m->stamp.n);
		m->top->has_comma = true;
		if (m->stamp_column < model->column_count)
			model_mark(m, m->top->seen, m->stamp_column);
	}
	return true;
}

static bool end_object(struct model_pass *m)
{
	size_t bytes = written(m) - m->object_at;

	if (m->largest < bytes)
		m->largest = bytes;
	if (slices_add(m->e->slices, m->object_at, bytes, 1))
		return true;
	m->counted_what = "objects";
	m->count_limit = SLICES_MAX;
	return false;
}

/* ---- elements ---- */

static bool geo_element(struct model_pass *m, struct model_frame *f)
{
	uint8_t c = json_peek(&m->j);

	m->first_byte = c;
	if (c == '[')
		return push_geo(m, f->type, f->arrays - 1);
	if (c == '{')
		return refuse_bracket(m, WHY_TYPE, f->type);
	return model_read_scalar(m, c) && model_refuse(m, c == 'n' ? WHY_NULL : WHY_TYPE, f->type);
}

static bool point_element(struct model_pass *m, struct model_frame *f)
{
	static const struct model_type coordinate = { .kind = MODEL_FLOAT, .bits = 64 };

	if (f->index == 2) {
		if (!skip(m))
			return false;
		pass_end(m, ']');
		return model_refuse(m, WHY_TUPLE_LONG, f->type);
	}
	return value(m, &coordinate, false);
}

static bool body_element(struct model_pass *m)
{
	uint8_t c = json_peek(&m->j);

	m->first_byte = c;
	if (c == '{')
		return begin_object(m);
	if (c == '[')
		return refuse_bracket(m, WHY_ELEMENT, NULL);
	return model_read_scalar(m, c) && model_refuse(m, WHY_ELEMENT, NULL);
}

/* ---- the walk ---- */

static bool is_anything_missing(const struct model_pass *m, const struct model_frame *f)
{
	size_t words = (f->type->column_count + 63) / 64;
	const uint64_t *seen = words ? m->cells[f->seen].bits : NULL;

	for (size_t i = 0; i < words; i++)
		if (f->type->needed[i] & ~seen[i])
			return true;
	return false;
}

/* What can be said of an object only when all of it was seen. */
static bool is_whole(struct model_pass *m, const struct model_frame *f)
{
	bool is_json = f->kind == FRAME_ANY_OBJECT && f->type && f->path_skip == 0;
	struct json_text twice;

	if (m->cell_n > f->names && !model_names_differ(m, f->names, &twice))
		return refuse_twice(m, twice);
	if ((f->kind == FRAME_COLUMNS || is_json) && is_anything_missing(m, f))
		return model_refuse(m, WHY_MISSING, f->type);
	return true;
}

static bool is_object(enum frame_kind kind)
{
	return kind == FRAME_COLUMNS || kind == FRAME_ANY_OBJECT || kind == FRAME_MAP;
}

/* The bracket at hand has ended, and the cursor is behind it. */
static bool close_bracket(struct model_pass *m, struct model_frame *f)
{
	if (is_object(f->kind) && !is_whole(m, f))
		return false;
	if (f->kind == FRAME_COLUMNS && unlikely(f->type->has_claims) && m->in->claims.n)
		model_put_claims(m, f);
	if (f->kind == FRAME_POINT && (f->is_first || f->index != 1))
		return model_refuse(m, WHY_TUPLE_ENDS, f->type);
	if (f->kind != FRAME_BODY)
		model_emit(m, m->j.p - 1, 1);
	m->cell_n = f->cells;
	m->top = f == m->frames ? NULL : f - 1;
	return f->type != &m->in->model->root || end_object(m);
}

static bool element(struct model_pass *m, struct model_frame *f)
{
	if (f->kind == FRAME_BODY)
		return body_element(m);
	json_peek(&m->j);
	model_emit_comma(m, f, m->j.p);
	switch (f->kind) {
	case FRAME_ARRAY:
		return value(m, f->type->element, false);
	case FRAME_ANY_ARRAY:
		return model_any_value(m);
	case FRAME_GEO:
		return geo_element(m, f);
	case FRAME_POINT:
		return point_element(m, f);
	case FRAME_BODY:
	case FRAME_COLUMNS:
	case FRAME_MAP:
	case FRAME_ANY_OBJECT:
		break;
	}
	assert(!"an array");
	return false;
}

/* One member, element or closing bracket. */
static bool step(struct model_pass *m, struct model_frame *f)
{
	bool is_more = is_object(f->kind) ? json_member(&m->j, f->is_first, &f->name)
	                                  : json_element(&m->j, f->is_first);

	if (!is_more)
		return !m->j.error && close_bracket(m, f);
	f->index += !f->is_first;
	f->is_first = false;
	if (likely(f->kind == FRAME_COLUMNS))
		return column_member(m, f);
	if (f->kind == FRAME_ANY_OBJECT)
		return model_any_member(m, f);
	if (f->kind == FRAME_MAP)
		return map_member(m, f);
	return element(m, f);
}

bool model_walk(struct model_pass *m)
{
	uint8_t c = json_peek(&m->j);

	m->first_byte = c;
	if (c == '[') {
		if (!model_push(m, FRAME_BODY))
			return false;
	} else if (c == '{') {
		if (!begin_object(m))
			return false;
	} else {
		return model_read_scalar(m, c) && model_refuse(m, WHY_BODY, NULL);
	}
	while (m->top)
		if (!step(m, m->top))
			return false;
	return json_end(&m->j);
}
