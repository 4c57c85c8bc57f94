/* SPDX-License-Identifier: Apache-2.0 */
/*
 * otlp_json.c -- walks OTLP/JSON once and writes protobuf forwards (performance.md 3, recipes 13
 * and 14). A message's length prefix is left open when it begins and closed in place when it ends:
 * it moves up if it was larger than thought, and keeps a padded prefix where moving would cost more
 * than the bytes. Room is asked for before every write; without it the caller comes again with
 * more. Order is kept, and so is what is said: a zero is left out only where absence means zero.
 *
 * It judges what the walker cannot see any more: names, types, ranges, a member met twice. It must
 * not lose data in silence.
 */
#include "proto/otlp_json.h"

#include <stdio.h>

#include "proto/otlp.h"
#include "proto/otlp_json_private.h"

/* The walk is compiled twice, with `keeps` and without: neither pays for the other. */
#define TWICE static inline __attribute__((always_inline))

enum { DEEP = 12 }; /* below, prefixes are never moved: 60 levels would each move all inside */

/* Built once by otlp_json_open(), only read afterwards. */
static struct tables tables;

void otlp_json_open(void)
{
	if (tables.n)
		return;
	otlp_open(); /* its schema says what is an item, a unit, an attribute to look at */
	tables_build(&tables, otlp_schema());
}

const struct tables *otlp_json_tables(void)
{
	return &tables;
}

/* ---- failures ---- */

static const char two_of_one[] = "two members of which only one may be set";

bool otlp_json_refuse(struct transcoder *t, const uint8_t *at, const char *why)
{
	if (!t->why && !t->full && !t->j.error) {
		t->why = why;
		t->why_at = at;
	}
	return false;
}

/* "resourceSpans[3].scopeSpans[0].spans[2].name: invalid UTF-8 (byte 812)" */
void otlp_json_reason(const struct transcoder *t, char *out, size_t cap)
{
	enum { PATH_BYTES = 150 }; /* deeper paths end in "..": the byte says where */
	const char *what = t->why ? t->why : json_error_text(t->j.error);
	const uint8_t *at = t->why ? t->why_at : t->j.error_at;
	char path[PATH_BYTES + TABLE_NAME_BYTES + 32] = "";
	size_t n = 0;

	for (const struct level *l = t->levels; l <= t->top && l->member; l++) {
		if (n >= PATH_BYTES) {
			n += (size_t)sprintf(path + n, "..");
			break;
		}
		n += (size_t)sprintf(path + n, ".%s", l->member->name);
		if (l->in_list)
			n += (size_t)sprintf(path + n, "[%u]", (unsigned)l->element);
	}
	snprintf(out, cap, "%s%s%s (byte %zu)", n ? path + 1 : "", n ? ": " : "", what,
	         (size_t)(at - t->j.start));
}

/* ---- members ---- */

/* Brackets of what nobody knows count as messages would. */
static bool skip(struct transcoder *t, const struct level *l)
{
	return json_skip(&t->j, t->depth - (unsigned)(l - t->levels) - 1);
}

/* Older exporters send both lists; one alone would vanish with all its spans. */
static bool legacy(struct transcoder *t, struct level *l, uint8_t c)
{
	const uint8_t *at = t->j.p;

	if (c == '[') {
		json_open(&t->j);
		json_peek(&t->j);
		if (t->j.p < t->j.end && *t->j.p != ']')
			l->legacy = at;
		t->j.p = at;
	} else {
		l->legacy = at;
	}
	return skip(t, l);
}

/* The next message: an element of a list, or the value of a member; c is its first byte. NULL: it
 * is none, or too deep. */
TWICE struct level *push(struct transcoder *t, struct level *l, const struct member *m, uint8_t c,
                         bool keeps)
{
	unsigned at = (unsigned)(l - t->levels) + 1;
	struct level *in = l + 1;

	if (unlikely(c != '{')) {
		otlp_json_refuse(t, t->j.p, "expected an object");
		return NULL;
	}
	if (unlikely(at == t->depth)) {
		otlp_json_refuse(t, t->j.p, "too many nested messages");
		return NULL;
	}
	in->table = &tables.v[m->child];
	if (keeps) {
		in->mended = t->j.mended;
		if (m->role == PB_PAIR)
			t->keep->pair = in;
	} else {
		if (unlikely(!room(t, 0)))
			return NULL;
		put_tag(t, m);
		in->reserved =
			(uint8_t)(m->wide || at >= DEEP ? reserve_wide(t) : in->table->reserve);
		in->content = t->p += in->reserved;
	}
	in->member = NULL;
	in->seen = in->set = 0;
	in->in_list = in->has_scopes = false;
	in->legacy = NULL;
	json_open(&t->j);
	return in;
}

/* A null among messages is one without members: attributes of null values come so. */
TWICE bool put_null(struct transcoder *t, const struct member *m, bool keeps)
{
	const uint8_t *at = t->j.p;

	if (!json_read_null(&t->j))
		return false;
	if (keeps) {
		if (m->role != PB_PLAIN)
			otlp_json_keep_null(t, m, at, true);
		return true;
	}
	if (!room(t, 0))
		return false;
	put_tag(t, m);
	*t->p++ = 0;
	return true;
}

/* The same as JSON: past it, unless it has to leave. */
static inline bool keep_pair(struct transcoder *t, const struct member *m, struct bytes key,
                             const uint8_t *end)
{
	if (m->role == PB_PAIR && t->keep->in->stamp.n) {
		struct bytes prefix = t->keep->in->stamp_prefix;

		if (bytes_eq(key, t->keep->in->stamp_name) ||
		    (prefix.n && bytes_eq(bytes_cut(key, prefix.n), prefix)))
			return false;
		json_splice_end(&t->keep->attributes, end, false);
	}
	t->j.p = end;
	return true;
}

/* {"key":"<k>","value":{"stringValue":"<v>"}} as most attributes come: no blank, no escape, ASCII,
 * no more than 127 bytes as protobuf. False: anything else, which takes the general path; that
 * gives the same bytes, as the scalar ISA, which has no other, shows. at: the level it would have.
 */
TWICE bool put_pair(struct transcoder *t, const struct member *m, unsigned at, bool keeps)
{
	static const char open[] = "{\"key\":\"", between[] = "\",\"value\":{\"stringValue\":\"";
	enum { OPEN = sizeof(open) - 1, BETWEEN = sizeof(between) - 1, CLOSE = 3, FRAMING = 6 };
	const uint8_t *key = t->j.p + OPEN, *key_end, *value, *end;
	size_t k, v;
	uint8_t *p;

	if (t->j.isa == ISA_SCALAR || at + 1 >= min_size(t->depth, DEEP) ||
	    memcmp(t->j.p, open, OPEN) != 0)
		return false;
	key_end = json_plain(&t->j, key);
	if (key_end >= t->j.end || memcmp(key_end, between, BETWEEN) != 0)
		return false;
	value = key_end + BETWEEN;
	end = json_plain(&t->j, value);
	if (t->j.end - end < CLOSE || memcmp(end, "\"}}", CLOSE) != 0)
		return false;
	k = (size_t)(key_end - key);
	v = (size_t)(end - value);
	if (keeps)
		return keep_pair(t, m, bytes_of(key, k), end + CLOSE);
	if (k == 0 || k + v + FRAMING >= 0x80 || !has_room(t, k + v))
		return false;
	put_tag(t, m);
	p = t->p;
	p[0] = (uint8_t)(k + v + FRAMING);
	p[1] = 0x0a; /* KeyValue.key, 1 */
	p[2] = (uint8_t)k;
	t->p = p + 3;
	put_text(t, key, k);
	p = t->p;
	p[0] = 0x12; /* KeyValue.value, 2 */
	p[1] = (uint8_t)(v + 2);
	p[2] = 0x0a; /* AnyValue.string_value, 1 */
	p[3] = (uint8_t)v;
	t->p = p + 4;
	put_text(t, value, v);
	t->j.p = end + CLOSE;
	return true;
}

/* The list at hand, from its next element on: the level of a message that was opened, l if the list
 * has ended. NULL: an error. */
TWICE struct level *list_step(struct transcoder *t, struct level *l, bool first, bool keeps)
{
	const struct member *m = l->member;

	for (; json_element(&t->j, first); first = false) {
		uint8_t c = json_peek(&t->j);

		l->element = first ? 0 : l->element + 1;
		if (m->is_scopes)
			l->has_scopes = true;
		if (keeps && m->role != PB_PLAIN)
			otlp_json_keep_element(t, m);
		if (m->is_pairs && put_pair(t, m, (unsigned)(l - t->levels) + 1, keeps))
			continue;
		if (unlikely(c == 'n')) {
			if (!put_null(t, m, keeps))
				return NULL;
			continue;
		}
		return push(t, l, m, c, keeps);
	}
	if (t->j.error)
		return NULL;
	if (keeps && m->role == PB_PAIR)
		otlp_json_keep_list_end(t);
	l->in_list = false;
	return l;
}

/* A member that is as good as absent. */
TWICE bool read_null(struct transcoder *t, const struct member *m, bool keeps)
{
	const uint8_t *at = t->j.p;

	if (!json_read_null(&t->j))
		return false;
	if (keeps && m->role != PB_PLAIN)
		otlp_json_keep_null(t, m, at, false);
	return true;
}

/* A member's value: the level of a message that was opened, or l. NULL: an error. */
TWICE struct level *read_value(struct transcoder *t, struct level *l, const struct member *m,
                               bool keeps)
{
	uint8_t c = json_peek(&t->j);

	if (unlikely(l->seen & m->bit)) {
		otlp_json_refuse(t, t->j.p, "this member comes twice");
		return NULL;
	}
	l->seen |= m->bit;
	if (unlikely(c == 'n'))
		return read_null(t, m, keeps) ? l : NULL;
	if (unlikely(l->set & m->excludes)) {
		otlp_json_refuse(t, t->j.p, two_of_one);
		return NULL;
	}
	l->set |= m->bit;
	if (m->kind == MEMBER_MESSAGE) {
		if (!m->repeated)
			return push(t, l, m, c, keeps);
		if (unlikely(c != '[')) {
			otlp_json_refuse(t, t->j.p, "expected an array");
			return NULL;
		}
		json_open(&t->j);
		if (keeps && m->role == PB_PAIR)
			otlp_json_keep_list(t);
		l->in_list = true;
		return list_step(t, l, true, keeps);
	}
	if (unlikely(m->kind == MEMBER_LEGACY))
		return legacy(t, l, c) ? l : NULL;
	if (unlikely(m->kind == MEMBER_FOREIGN)) {
		otlp_json_refuse(t, t->j.p, "a member of another signal");
		return NULL;
	}
	return (keeps ? otlp_json_check(t, m, c) : otlp_json_scalar(t, m, c)) ? l : NULL;
}

static __attribute__((noinline)) const struct member *find_escaped(const struct table *table,
                                                                   struct json_text name)
{
	uint8_t local[SHORT_TEXT + 8] = { 0 };
	struct bytes plain = otlp_json_short(name, local);

	return table_find(table, plain.p, plain.n);
}

/* By pointer: a copy of a text that was just written would wait for its stores. */
static inline const struct member *find(const struct table *table, const struct json_text *name)
{
	if (unlikely(name->escaped))
		return find_escaped(table, *name);
	return table_find(table, name->raw.p, name->raw.n);
}

/* The message of l has ended: the level around it, NULL at an error. empty: it had no member. */
TWICE struct level *pop(struct transcoder *t, struct level *l, bool empty, bool keeps)
{
	if (unlikely(l->legacy && !l->has_scopes)) {
		otlp_json_refuse(t, l->legacy,
		                 "instrumentationLibrary without scopes is no longer OTLP");
		return NULL;
	}
	if (keeps) {
		if (l->table->is_unit || l == t->keep->pair)
			otlp_json_keep_close(t, l, empty);
	} else if (!put_length(t, l->content, l->reserved, l - t->levels >= DEEP)) {
		return NULL;
	}
	t->top = --l;
	return l->in_list ? list_step(t, l, false, keeps) : l;
}

/* One turn is one member. Between turns the cursor stands behind a value, or behind the `{` of l if
 * nothing of it was seen. */
TWICE bool run(struct transcoder *t, bool keeps)
{
	struct level *l = t->levels, *next;
	bool first = true;

	for (;;) {
		struct json_text name;

		t->top = l;
		if (json_member(&t->j, first, &name)) {
			const struct member *m = find(l->table, &name);

			l->member = m;
			if (likely(m != NULL)) {
				next = read_value(t, l, m, keeps);
			} else {
				t->has_unknown |= l == t->levels;
				next = skip(t, l) ? l : NULL;
			}
			if (unlikely(!next))
				return false;
			first = next != l;
			l = next;
		} else if (t->j.error) {
			l->member = NULL;
			return false;
		} else if (l == t->levels) {
			l->member = NULL;
			return json_end(&t->j);
		} else {
			next = pop(t, l, first, keeps);
			if (unlikely(!next))
				return false;
			first = next == l; /* the level of the next element */
			l = next;
		}
	}
}

/* ---- what the protocols call ---- */

bool otlp_json_walk(struct transcoder *t, const struct table *root, const struct enrich_in *in,
                    uint8_t *out, size_t cap, struct keeper *keep)
{
	assert(tables.n && in->depth >= 1 && in->depth <= PB_DEPTH_MAX);
	memset(t, 0, offsetof(struct transcoder, levels)); /* levels are written when they open */
	json_init(&t->j, in->body, in->utf8);
	t->keep = keep;
	if (!keep) {
		t->p = out;
		t->end = out + cap;
	} else if (in->utf8 == UTF8_REPAIR) {
		t->j.mends = keep->out->edits;
	}
	t->depth = in->depth;
	t->top = t->levels;
	t->levels[0] = (struct level){ .table = root, .content = out };
	if (json_peek(&t->j) != '{') {
		if (t->j.p == t->j.end)
			json_fail(&t->j, t->j.p, JSON_ENDS);
		return otlp_json_refuse(t, t->j.p, "expected an object");
	}
	json_open(&t->j);
	return keep ? run(t, true) : run(t, false);
}

static enum transcode transcode(struct transcoder *t, const struct table *root,
                                const struct enrich_in *in, uint8_t *out, size_t cap, size_t *n,
                                struct enriched *e)
{
	if (otlp_json_walk(t, root, in, out, cap, NULL)) {
		*n = (size_t)(t->p - out);
		return TRANSCODE_OK;
	}
	if (t->full)
		return transcode_room(in, n);
	otlp_json_reason(t, e->reason, sizeof(e->reason));
	return TRANSCODE_INVALID;
}

enum transcode otlp_json_traces(const struct enrich_in *in, uint8_t *out, size_t cap, size_t *n,
                                struct enriched *e)
{
	struct transcoder t;

	return transcode(&t, tables.roots[SIGNAL_TRACES], in, out, cap, n, e);
}

enum transcode otlp_json_metrics(const struct enrich_in *in, uint8_t *out, size_t cap, size_t *n,
                                 struct enriched *e)
{
	struct transcoder t;

	return transcode(&t, tables.roots[SIGNAL_METRICS], in, out, cap, n, e);
}

enum transcode otlp_json_logs(const struct enrich_in *in, uint8_t *out, size_t cap, size_t *n,
                              struct enriched *e)
{
	struct transcoder t;

	return transcode(&t, tables.roots[SIGNAL_LOGS], in, out, cap, n, e);
}

/* The member at the top tells (compatibility.md 2): members of two signals, or members but none of
 * a signal, tell nothing. */
bool otlp_json_found(const struct transcoder *t, bool sound, struct enriched *e)
{
	uint32_t set = t->levels[0].set;

	if (sound ? set == 0 && t->has_unknown : t->why == two_of_one && t->top == t->levels) {
		snprintf(e->reason, sizeof(e->reason),
		         "signal cannot be determined: add /traces, /metrics or /logs");
		return false;
	}
	for (int s = SIGNAL_TRACES; sound && s <= SIGNAL_LOGS; s++)
		if (set & tables.any->members[s - SIGNAL_TRACES].bit)
			e->signal = (enum signal)s;
	return sound;
}

enum transcode otlp_json_any(const struct enrich_in *in, uint8_t *out, size_t cap, size_t *n,
                             struct enriched *e)
{
	struct transcoder t;
	enum transcode result = transcode(&t, tables.any, in, out, cap, n, e);

	if (result != TRANSCODE_ROOM && !otlp_json_found(&t, result == TRANSCODE_OK, e))
		return TRANSCODE_INVALID;
	return result;
}
