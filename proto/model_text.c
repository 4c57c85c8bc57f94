/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model_text.c -- what was wrong, in the words of the page (compatibility.md 5): `Invalid JSON:
 * TEXT at line L column C`. Only refusals come here, so it may take its time. A text that is too
 * long for the reply has the client's values cut first, then its end.
 */
#include "common/buf.h"
#include "proto/model_private.h"

#include <stdio.h>

enum {
	PIECE_MAX = 48, /* bytes of a client's value, if all of it does not fit */
	POSITION_MAX = 64,
};

struct composer {
	const struct model_pass *m;
	struct buf text;
	size_t piece_max;
};

/* ---- pieces ---- */

static void put_control(struct buf *b, int c)
{
	if (c == '\n' || c == '\r' || c == '\t')
		buf_printf(b, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
	else
		buf_printf(b, "\\u{%x}", (unsigned)c);
}

/* Unescaped, but for what would end a line or move a cursor. */
static void put_text(struct composer *c, struct json_text text, bool is_quoted)
{
	struct text_reader r = text_reader_of(text);
	struct buf *b = &c->text;
	size_t n = 0;
	int byte;

	while ((byte = text_next(&r)) >= 0) {
		if ((byte & 0xc0) != 0x80 && n >= c->piece_max) {
			buf_str(b, "..");
			return;
		}
		n++;
		if (byte < 0x20 || byte == 0x7f) {
			put_control(b, byte);
		} else if (byte == 0xc2) { /* of two bytes: U+0080 to U+00BF */
			byte = text_next(&r);
			if (byte < 0xa0) {
				put_control(b, byte);
			} else {
				buf_char(b, (char)0xc2);
				buf_char(b, (char)byte);
			}
		} else {
			if (is_quoted && (byte == '"' || byte == '\\'))
				buf_char(b, '\\');
			buf_char(b, (char)byte);
		}
	}
}

static void put_bytes(struct composer *c, struct bytes bytes)
{
	put_text(c, (struct json_text){ bytes, false }, false);
}

/* Names and numbers of the brackets below `end`, dotted; true if there were any. */
static bool put_path(struct composer *c, const struct model_frame *end)
{
	bool any = false;

	for (const struct model_frame *f = c->m->frames; f < end && !c->text.failed; f++) {
		if (f->kind == FRAME_BODY)
			continue;
		if (any)
			buf_char(&c->text, '.');
		any = true;
		if (f->kind == FRAME_ARRAY || f->kind == FRAME_GEO || f->kind == FRAME_POINT ||
		    f->kind == FRAME_ANY_ARRAY)
			buf_u64(&c->text, f->index);
		else
			put_text(c, f->name, false);
	}
	return any;
}

static void put_value_path(struct composer *c)
{
	put_path(c, c->m->top + 1);
}

static void put_bracket_path(struct composer *c)
{
	put_path(c, c->m->top);
}

static void put_got(struct composer *c)
{
	const struct model_pass *m = c->m;
	struct buf *b = &c->text;
	bool is_float = false;

	switch (m->first_byte) {
	case '"':
		buf_str(b, "string \"");
		put_text(c, m->text, true);
		buf_str(b, "\"");
		return;
	case '{':
		buf_str(b, "map");
		return;
	case '[':
		buf_str(b, "sequence");
		return;
	case 't':
	case 'f':
		buf_printf(b, "boolean `%s`", m->first_byte == 't' ? "true" : "false");
		return;
	case 'n':
		buf_str(b, "null");
		return;
	default:
		for (size_t i = 0; i < m->number.n; i++)
			is_float |= strchr(".eE", m->number.p[i]) != NULL;
		buf_printf(b, "%s `", is_float ? "floating point" : "integer");
		put_bytes(c, m->number);
		buf_char(b, '`');
	}
}

static const char *expected(const struct model_type *t)
{
	static const char any[] = "a value matching the column type";

	switch (t->kind) {
	case MODEL_BOOLEAN:
		return "a boolean value";
	case MODEL_INT:
		return "an integer value";
	case MODEL_FLOAT:
		return "a floating-point value";
	case MODEL_STRING:
	case MODEL_FIXED_STRING:
		return "a string value";
	case MODEL_DATE_TIME:
		return "a datetime value";
	case MODEL_ENUM:
		return "an enum value";
	case MODEL_ARRAY:
		return "an array value";
	case MODEL_UUID:
		return "a UUID";
	case MODEL_NESTED: /* NamedTuple is none of these words */
		return strcmp(t->name, "Nested") ? any : "a nested object";
	case MODEL_BIG_INT:
	case MODEL_BYTES:
	case MODEL_DECIMAL:
	case MODEL_DATE:
	case MODEL_IPV4:
	case MODEL_IPV6:
	case MODEL_JSON:
	case MODEL_MAP:
	case MODEL_GEO:
		break;
	}
	return any;
}

/* ---- texts ---- */

static void put_value(struct composer *c)
{
	if (c->m->first_byte == '"')
		put_text(c, c->m->text, false);
	else
		put_bytes(c, c->m->number);
}

/* The columns that the object at its end lacks, or the typed paths; in the order of the model. */
static void put_missing(struct composer *c)
{
	const struct model_frame *f = c->m->top;
	const struct model_type *t = f->type;
	const uint64_t *seen = c->m->cells[f->seen].bits;
	bool is_first = true;

	buf_str(&c->text, "Missing fields: ");
	for (size_t i = 0; i < t->column_count && !c->text.failed; i++) {
		if (!(t->needed[i / 64] & ~seen[i / 64] & UINT64_C(1) << i % 64))
			continue;
		if (!is_first)
			buf_str(&c->text, ", ");
		is_first = false;
		if (put_path(c, f))
			buf_char(&c->text, '.');
		put_bytes(c, t->columns[i].name);
	}
}

static void compose(struct composer *c)
{
	const struct model_pass *m = c->m;
	const struct model_type *t = m->why_type;
	struct buf *b = &c->text;

	switch (m->why) {
	case WHY_TYPE:
		buf_str(b, "invalid type: ");
		put_got(c);
		buf_printf(b, ", expected %s at ", expected(t));
		put_value_path(c);
		return;
	case WHY_BODY:
	case WHY_ELEMENT:
		buf_str(b, "invalid type: ");
		put_got(c);
		buf_printf(b, ", expected an %s", m->why == WHY_BODY ? "array" : "object");
		return;
	case WHY_NULL:
		buf_str(b, "Required value at ");
		put_value_path(c);
		buf_str(b, ", but is none");
		return;
	case WHY_FORMAT:
		buf_printf(b, "Invalid %s format at ", m->why_what);
		put_value_path(c);
		return;
	case WHY_RANGE:
		buf_printf(b, "Integer out of range for %s at ", t->name);
		put_value_path(c);
		buf_str(b, ": ");
		put_bytes(c, m->number);
		return;
	case WHY_NEGATIVE:
		buf_printf(b, "Negative value for %s at ", t->name);
		put_value_path(c);
		return;
	case WHY_LENGTH:
		buf_printf(b, "%s value exceeds maximum length: got %llu bytes, max %u bytes at ",
		           t->name, (unsigned long long)m->why_n, t->n);
		put_value_path(c);
		return;
	case WHY_ENUM:
		buf_str(b, "Invalid enum value at ");
		put_value_path(c);
		buf_str(b, ": ");
		put_value(c);
		return;
	case WHY_KEY:
		buf_printf(b, "Invalid %s key '", m->why_what);
		put_text(c, m->why_text, false);
		buf_str(b, "' for Map at ");
		put_bracket_path(c);
		return;
	case WHY_KEY_RANGE:
		buf_printf(b, "out of range %s", t->name);
		return;
	case WHY_KEY_SIGN:
		buf_str(b, "Invalid unsigned integer key");
		return;
	case WHY_TUPLE_ENDS:
	case WHY_TUPLE_LONG:
		buf_str(b, "Invalid tuple length at ");
		put_bracket_path(c);
		buf_str(b, m->why == WHY_TUPLE_ENDS ? ": expected 2 elements"
		                                    : ": unexpected extra element");
		return;
	case WHY_TWICE:
		buf_str(b, "duplicate field `");
		put_text(c, m->why_text, false);
		buf_char(b, '`');
		return;
	case WHY_MISSING:
		put_missing(c);
		return;
	case WHY_NOTHING:
		break;
	}
	assert(!"a reason");
}

/* ---- the whole ---- */

/* 1-based, of the last byte before `at`: how far a reader had come that gave up there. */
static void position(const struct model_pass *m, const uint8_t *at, char out[POSITION_MAX])
{
	const uint8_t *line = m->j.start;
	unsigned long long lines = 1;

	for (const uint8_t *p = line; (p = memchr(p, '\n', (size_t)(at - p))); line = ++p)
		lines++;
	snprintf(out, POSITION_MAX, " at line %llu column %zu", lines,
	         max_size((size_t)(at - line), 1));
}

/* Without the first bytes of a character that was cut. */
static void cut(struct buf *b)
{
	size_t from = b->n > 3 ? b->n - 3 : 0;

	while (from < b->n && ((uint8_t)b->p[from] & 0xc0) == 0x80)
		from++;
	while (from < b->n) {
		size_t n = utf8_sequence((const uint8_t *)b->p + from, b->n - from);

		if (n == 0)
			b->n = from;
		from += n;
	}
}

/* Past what was refused too: it says whether the objects of the body can be told apart. */
static bool is_json(const struct model_pass *m)
{
	struct json j;

	json_init(&j, m->in->body, UTF8_STRICT);
	return json_skip(&j, m->in->depth) && json_end(&j);
}

static void put_syntax(struct composer *c)
{
	enum json_error error = c->m->j.error;

	buf_str(&c->text, error == JSON_BEHIND ? "trailing characters" : json_error_text(error));
}

void model_reason(const struct model_pass *m)
{
	static const char prefix[] = "Invalid JSON: ";
	char where[POSITION_MAX], mem[sizeof(m->e->reason)];
	struct composer c = { .m = m, .piece_max = sizeof(mem) };
	const uint8_t *end = m->j.start + m->in->body.n;
	void (*put)(struct composer * c) = m->j.error ? put_syntax : compose;

	m->e->is_syntax = m->j.error || !is_json(m);
	if (m->j.error) /* behind the byte, if there is one */
		position(m, m->j.error_at + (m->j.error_at < end), where);
	else
		position(m, m->why_at, where);
	buf_init_fixed(&c.text, mem, sizeof(mem) - sizeof(prefix) - strlen(where));
	put(&c);
	if (c.text.failed) {
		buf_reset(&c.text);
		c.piece_max = PIECE_MAX;
		put(&c);
	}
	if (c.text.failed)
		cut(&c.text);
	snprintf(m->e->reason, sizeof(m->e->reason), "%s%.*s%s", prefix, (int)c.text.n, c.text.p,
	         where);
}
