/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model.c -- walks a body of JSON events once, by the tree of their model, and writes each object
 * as a record: compact, the members in the client's order. What is kept is copied in pieces as long
 * as they come; a compact body without surprises is one piece. Nothing is written behind the room
 * that was given, but the pass goes on and counts, so that the second attempt has exactly enough.
 *
 * It must accept nothing that the model does not: what it lets pass is in a topic for good.
 */
#include "proto/model.h"

#include <stdio.h>

#include "proto/encoding.h"
#include "proto/model_private.h"

enum {
	BITS_OF_CELL = 128,
	SCHEMA_ID_BYTES = 5, /* a zero, and the id */
};

/* ---- writing ---- */

void model_flush(struct model_pass *m)
{
	size_t n = (size_t)(m->span_end - m->span);

	if (n == 0)
		return;
	if (likely(!m->is_full && n <= m->cap - m->total))
		memcpy(m->out + m->total, m->span, n);
	else
		m->is_full = true;
	m->total += n;
	m->span = m->span_end = NULL;
}

void model_put_claims(struct model_pass *m, struct model_frame *f)
{
	for (size_t i = 0; i < f->type->column_count; i++) {
		const struct model_column *c = &f->type->columns[i];

		if (!c->claims_name.n ||
		    (m->in->client_claims_win && model_is_marked(m, f->seen, i)))
			continue;
		if (f->has_comma)
			model_emit(m, model_comma, 1);
		f->has_comma = true;
		model_emit(m, c->claims_name.p, c->claims_name.n);
		model_emit(m, m->in->claims.p, m->in->claims.n);
	}
}

/* ---- the stamp ---- */

/* A column of the reserved name holds the tenant's id as it would the same string of a client. */
static bool stamp_column(struct model_pass *m, const struct model_type *t)
{
	size_t name_n = m->in->stamp_name.n + 3; /* with its quotes and the colon */
	struct bytes id = bytes_from(m->in->stamp, name_n + 1);

	m->text = (struct json_text){ bytes_of(id.p, id.n - 1), false };
	m->out = m->stamp_room;
	m->cap = sizeof(m->stamp_room);
	model_put(m, m->in->stamp.p, name_n);
	if (!model_string(m, t))
		return false;
	model_flush(m);
	assert(!m->is_full); /* name and id are bounded far below */
	m->stamp = bytes_of(m->stamp_room, m->total);
	m->total = 0;
	return true;
}

/* False: the model has a column for the tenant that cannot hold its id. */
static bool stamp_open(struct model_pass *m)
{
	const struct model_type *root = &m->in->model->root;
	const struct model_column *c;

	m->stamp_column = root->column_count;
	if (!m->in->stamp.n)
		return true;
	m->strips_tenant = true;
	m->stamp_column = model_column_find(root, m->in->stamp_name);
	if (m->stamp_column == root->column_count) {
		if (m->in->model->allow_extra_fields)
			m->stamp = m->in->stamp;
		return true;
	}
	c = &root->columns[m->stamp_column];
	if (c->is_derived || stamp_column(m, &c->type))
		return true;
	m->e->is_tenant = true;
	snprintf(m->e->reason, sizeof(m->e->reason),
	         "column '%.*s' of the data model cannot hold the id of the tenant",
	         (int)min_size(c->name.n, 64), (const char *)c->name.p);
	return false;
}

/* ---- what the protocols call ---- */

static void pass_init(struct model_pass *m, const struct enrich_in *in, struct enriched *e)
{
	memset(m, 0, offsetof(struct model_pass, frames)); /* frames are written when they open */
	json_init(&m->j, in->body, UTF8_STRICT);
	m->in = in;
	m->e = e;
	m->cells = in->scratch->p;
	m->cell_cap = in->scratch->bytes / sizeof(*m->cells);
}

enum transcode model_transcode(const struct enrich_in *in, uint8_t *out, size_t cap, size_t *n,
                               struct enriched *e)
{
	struct model_pass m;

	assert(in->model && in->depth >= 1 && in->depth <= JSON_NEST_MAX);
	pass_init(&m, in, e);
	e->is_syntax = e->is_tenant = false;
	if (!stamp_open(&m))
		return TRANSCODE_INVALID;
	m.out = out;
	m.cap = cap;
	if (!model_walk(&m)) {
		e->slices->n = 0; /* of what was whole before */
		if (m.counted_what) {
			e->counted = m.count_limit + 1;
			e->count_limit = m.count_limit;
			e->counted_what = m.counted_what;
			return TRANSCODE_COUNT;
		}
		model_reason(&m);
		return TRANSCODE_INVALID;
	}
	model_flush(&m);
	e->spoofed = m.spoofed;
	/* The claims of a JWT, once for each of many elements, can make megabytes of a few bytes.
	 */
	if (in->record_max && m.largest > in->record_max) {
		e->items = e->slices->n;
		e->slices->n = 0;
		*n = m.largest;
		return TRANSCODE_RECORD;
	}
	*n = m.total;
	return m.is_full ? TRANSCODE_ROOM : TRANSCODE_OK;
}

/* All is said by the transcoder but the count. */
static enum verdict model_enrich(const struct enrich_in *in, struct enriched *e)
{
	(void)in;
	e->items = e->slices->n;
	return e->items ? V_ACCEPTED : V_EMPTY;
}

static size_t model_stamp(struct bytes name, struct bytes tenant_id, uint8_t *out, size_t cap)
{
	int n = snprintf((char *)out, cap, "\"%.*s\":\"%.*s\"", (int)name.n, (const char *)name.p,
	                 (int)tenant_id.n, (const char *)tenant_id.p);

	return (size_t)n < cap ? (size_t)n : 0;
}

#define MODEL_FORMAT(media, none)                                                                  \
	{                                                                                          \
		.type = (media), .untyped = (none), .record_format = "json",                       \
		.record_type = "application/json", .transcode = model_transcode,                   \
		.enrich = model_enrich, .stamp = model_stamp                                       \
	}

const struct protocol protocol_models = {
	.name = "models",
	.signal = SIGNAL_EVENTS,
	.dialect = DIALECT_GENERIC,
	.paths = (const char *const[]){ NULL },
	.formats = (const struct format[]){ MODEL_FORMAT("application/json", false),
	                                    MODEL_FORMAT("application/*+json", false),
	                                    { 0 } },
	.encodings = ENCODINGS_GENERIC,
};

/* As the server that it replaces, it takes whatever the request says it is. */
const struct protocol protocol_moose = {
	.name = "moose",
	.signal = SIGNAL_EVENTS,
	.dialect = DIALECT_MOOSE,
	.paths = (const char *const[]){ NULL },
	.formats = (const struct format[]){ MODEL_FORMAT(TYPE_ANY, true), { 0 } },
	.encodings = ENCODINGS_GENERIC,
};
