/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_private.h -- what the files of the data models' transcoder share: its state. model.c is
 * what is called, model_walk.c walks the brackets, model_any.c those that no model describes,
 * model_value.c judges scalars and keys, model_names.c finds a member that comes twice,
 * model_text.c says what is wrong.
 */
#pragma once
#include "proto/json.h"
#include "proto/model.h"

enum {
	MEMBERS_MAX = 262144, /* names held at once, to find one that comes twice */
	ESCAPE_GROWTH = 6, /* a byte of text is at most that long when escaped */
	STAMP_MAX = 1024, /* a name of 255 bytes, an id of 150 */
	SHORT_TEXT = ESCAPE_GROWTH * MODEL_NAME_MAX, /* what is unescaped to be judged */
};

enum frame_kind {
	FRAME_BODY, /* the array of all objects */
	FRAME_COLUMNS, /* an object of the model, or a nested one */
	FRAME_MAP,
	FRAME_ARRAY,
	FRAME_GEO, /* an array around points */
	FRAME_POINT,
	FRAME_ANY_OBJECT, /* passed as it is, as the next: a Json column, or what nobody declared */
	FRAME_ANY_ARRAY,
};

struct model_frame { /* an open bracket */
	enum frame_kind kind;
	bool is_first; /* nothing was read in it yet */
	bool has_comma; /* something was written in it */
	const struct model_type *type; /* its own; of FRAME_ANY_*: the Json column's, or NULL */
	unsigned arrays; /* FRAME_GEO: how many are still around a point */
	size_t next; /* the column that most likely comes next */
	size_t cells; /* of the scratch, when it opened */
	size_t seen; /* cell of a bit set: columns met, typed paths found */
	size_t names; /* first cell of names that must not come twice */
	/* FRAME_ANY_OBJECT in a Json column: the typed paths that go through here, places in
	 * by_name, and how much of each is behind */
	size_t paths, paths_end, path_skip;
	struct json_text name; /* the member at hand */
	uint64_t index; /* or the element */
};

union model_cell { /* what the scratch consists of */
	struct model_name {
		const uint8_t *p;
		uint32_t n : 31; /* bodies have at most 1 GiB */
		bool escaped : 1;
		uint32_t print; /* equal names have equal ones */
	} name;
	uint64_t bits[2];
};
_Static_assert(sizeof(union model_cell) == 16, "a cell is what MEMBERS_MAX is reckoned with");

/* The texts are model_text.c's. */
enum model_why {
	WHY_NOTHING,
	WHY_TYPE,
	WHY_BODY,
	WHY_ELEMENT,
	WHY_NULL,
	WHY_FORMAT,
	WHY_RANGE,
	WHY_NEGATIVE,
	WHY_LENGTH,
	WHY_ENUM,
	WHY_KEY,
	WHY_KEY_RANGE,
	WHY_KEY_SIGN,
	WHY_TUPLE_ENDS,
	WHY_TUPLE_LONG,
	WHY_TWICE,
	WHY_MISSING,
};

struct model_pass {
	struct json j;
	const struct enrich_in *in;
	struct enriched *e;
	/* out: what waits to be copied is a piece of the body, most often a long one */
	const uint8_t *span, *span_end;
	uint8_t *out;
	size_t total, cap; /* of all that was written; beyond cap it is only counted */
	bool is_full;
	/* the scratch, a stack as the frames are */
	union model_cell *cells;
	size_t cell_n, cell_cap, name_n;
	const char *counted_what;
	uint64_t count_limit;
	/* what every object begins with */
	struct bytes stamp; /* n = 0: none is written */
	size_t stamp_column; /* column_count: none of that name */
	bool strips_tenant; /* a client's member of the reserved name goes, in any case */
	uint64_t spoofed;
	size_t object_at; /* where the object at hand begins in out */
	size_t largest; /* bytes of an object */
	/* the scalar at hand, for the texts */
	uint8_t first_byte;
	struct json_text text;
	struct bytes number;
	/* what is wrong */
	enum model_why why;
	const struct model_type *why_type;
	const char *why_what;
	uint64_t why_n;
	struct json_text why_text;
	const uint8_t *why_at;
	struct model_frame *top; /* NULL: nothing is open */
	struct model_frame frames[JSON_NEST_MAX];
	uint8_t stamp_room[STAMP_MAX];
};

/* Notes what is wrong with the value at hand, and says false. */
static inline bool model_refuse(struct model_pass *m, enum model_why why,
                                const struct model_type *t)
{
	m->why = why;
	m->why_type = t;
	m->why_at = m->j.p;
	return false;
}

/* ---- writing ---- */

static const uint8_t model_comma[] = ",", model_colon[] = ":";

void model_flush(struct model_pass *m); /* model.c */

/* The claims, for each column that takes them: behind what the client sent. */
void model_put_claims(struct model_pass *m, struct model_frame *f); /* model.c */

/* Bytes of the body, or static ones: copied when something else follows. */
static inline void model_emit(struct model_pass *m, const uint8_t *p, size_t n)
{
	if (likely(p == m->span_end)) {
		m->span_end += n;
		return;
	}
	model_flush(m);
	m->span = p;
	m->span_end = p + n;
}

/* Bytes that do not stay. */
static inline void model_put(struct model_pass *m, const uint8_t *p, size_t n)
{
	model_emit(m, p, n);
	model_flush(m);
}

/* Of the body, where it stands there; else a static one. */
static inline void model_emit_comma(struct model_pass *m, struct model_frame *f,
                                    const uint8_t *before)
{
	if (f->has_comma)
		model_emit(m, before[-1] == ',' ? before - 1 : model_comma, 1);
	f->has_comma = true;
}

/* The name at hand and its colon; the cursor stands before the value. */
static inline void model_emit_name(struct model_pass *m, struct model_frame *f)
{
	const uint8_t *quote = f->name.raw.p - 1;
	size_t n = f->name.raw.n + 2;

	model_emit_comma(m, f, quote);
	model_emit(m, quote, n);
	model_emit(m, quote[n] == ':' ? quote + n : model_colon, 1);
}

/* ---- model_walk.c ---- */

/* Opens the bracket that the cursor stands before, and writes it; NULL: too deep. */
struct model_frame *model_push(struct model_pass *m, enum frame_kind kind);
/* Keeps a name until its object closes, to find one that comes twice. */
bool model_keep_name(struct model_pass *m, struct json_text name);
/* All of the body. */
bool model_walk(struct model_pass *m);

/* Reads a value that is no bracket; m has it afterwards. */
static inline bool model_read_scalar(struct model_pass *m, uint8_t c)
{
	bool truth;

	m->first_byte = c;
	if (c == '"')
		return json_read_string(&m->j, &m->text);
	if (c == '-' || (uint8_t)(c - '0') < 10)
		return json_read_number(&m->j, &m->number);
	if (c == 't' || c == 'f')
		return json_read_bool(&m->j, &truth);
	if (c == 'n')
		return json_read_null(&m->j);
	return json_fail(&m->j, m->j.p, JSON_VALUE);
}

static inline bool model_is_marked(const struct model_pass *m, size_t cell, size_t at)
{
	return (&m->cells[cell].bits[0])[at / 64] & UINT64_C(1) << at % 64;
}

/* Sets a bit; false: it was set. */
static inline bool model_mark(struct model_pass *m, size_t cell, size_t at)
{
	uint64_t *word = &m->cells[cell].bits[0] + at / 64, bit = UINT64_C(1) << at % 64;
	bool was = *word & bit;

	*word |= bit;
	return !was;
}

/* ---- model_any.c ---- */

/* A value of any kind; a bracket is opened. */
bool model_any_value(struct model_pass *m);
/* The member at hand of FRAME_ANY_OBJECT. */
bool model_any_member(struct model_pass *m, struct model_frame *f);

/* ---- model_value.c ---- */

/* Judges the scalar at hand by a type, and writes it. */
bool model_string(struct model_pass *m, const struct model_type *t);
bool model_number(struct model_pass *m, const struct model_type *t);
/* A member's name as a key of a map. */
bool model_key(struct model_pass *m, const struct model_type *t, struct json_text name);
/* A text as it stands, or unescaped into `local`; BYTES_NONE: too long for that. */
struct bytes model_meant(struct json_text text, uint8_t local[static SHORT_TEXT]);

/* ---- model_names.c ---- */

/* n cells more, zeroed; the first one's place. */
size_t model_cells_push(struct model_pass *m, size_t n);
/* False: MEMBERS_MAX are there already. */
bool model_name_add(struct model_pass *m, struct json_text name);
/* Whether no two of the names from this cell on mean the same; else one of them. */
bool model_names_differ(struct model_pass *m, size_t first, struct json_text *twice);

struct text_reader { /* a text, unescaped byte by byte */
	const uint8_t *p, *end;
	bool escaped;
	uint8_t ready[4];
	uint8_t at, n;
};
static inline struct text_reader text_reader_of(struct json_text text)
{
	return (struct text_reader){
		text.raw.p, text.raw.p + text.raw.n, text.escaped, { 0 }, 0, 0
	};
}
int text_next(struct text_reader *r); /* -1: the end */

/* ---- model_text.c ---- */

/* Fills e->reason and e->is_syntax of what was refused. */
void model_reason(const struct model_pass *m);
