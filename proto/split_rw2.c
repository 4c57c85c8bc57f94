/* SPDX-License-Identifier: Apache-2.0 */
/*
 * split_rw2.c -- a request of remote_write 2.0 cut between its series (records.md 1.3). Each part
 * has the symbols that its series refer to and no others, "" first, the others as they are first
 * met; so the refs in labels, exemplars and metadata are written anew, and the lengths around them.
 * All other bytes of a series stay; what else the request holds is repeated. Called by the produce
 * stage.
 *
 * The plan of a part is made by the same functions that write it: without a place to write to they
 * only count.
 */
#include "proto/split.h"

#include "proto/remote_write_private.h"

struct meeting { /* of a symbol with the series of a part */
	uint32_t part; /* the last one, from 1 on */
	uint32_t ref; /* in that */
};

struct rw2 {
	const struct split_in *in;
	struct slices *parts;
	uint8_t *out;
	size_t cap;
	size_t n; /* bytes of the parts before that at hand */
	size_t envelope; /* bytes of what is neither symbol nor series */
	size_t envelope_at; /* in out, once it was written */

	struct bytes *symbols; /* the value's, in in->scratch, and behind them: */
	struct meeting *met; /* of each; apart from the texts, since most refs need only this */
	uint32_t *used; /* refs to those of the part at hand, by new ref */
	size_t symbol_count, used_count;
	size_t used_bytes; /* of these symbols' fields */
	uint32_t part;
};
#define NOWHERE SIZE_MAX

/* ---- a place to write to ---- */

struct put {
	uint8_t *p; /* NULL: only counts */
	size_t n;
};

static void put_bytes(struct put *w, const uint8_t *p, size_t n)
{
	if (w->p)
		w->p = mempcpy(w->p, p, n);
	w->n += n;
}

static void put_varint(struct put *w, uint64_t v)
{
	if (v < 0x80) {
		if (w->p)
			*w->p++ = (uint8_t)v;
		w->n++;
		return;
	}
	if (w->p)
		w->p += pb_varint_write(v, w->p);
	w->n += pb_varint_size(v);
}

/* A message, whose length is known at its end: most lengths take the one byte that is kept. */
static size_t put_open(struct put *w, uint32_t tag)
{
	put_varint(w, tag);
	put_varint(w, 0);
	return w->n;
}

static void put_close(struct put *w, size_t from)
{
	size_t bytes = w->n - from, more = pb_varint_size(bytes) - 1;

	w->n += more;
	if (!w->p)
		return;
	if (more)
		memmove(w->p - bytes + more, w->p - bytes, bytes);
	pb_varint_write(bytes, w->p - bytes - 1);
	w->p += more;
}

/* ---- symbols ---- */

static size_t symbol_bytes(struct bytes text)
{
	return 1 + pb_varint_size(text.n) + text.n;
}

static uint32_t ref_of(struct rw2 *s, uint32_t old)
{
	struct meeting *met;

	if (old >= s->symbol_count)
		return 0; /* enrich() lets it pass where a later one takes its place */
	met = &s->met[old];
	if (met->part != s->part) {
		*met = (struct meeting){ s->part, (uint32_t)s->used_count };
		s->used[s->used_count++] = old;
		s->used_bytes += symbol_bytes(s->symbols[old]);
	}
	return met->ref;
}

static void symbols_read(struct rw2 *s)
{
	const size_t each = sizeof(*s->symbols) + sizeof(*s->met) + sizeof(*s->used);
	struct pb_cursor c = pb_cursor_of(s->in->value);
	struct pb_field f;
	size_t count = 0;

	while (pb_next(&c, &f)) {
		count += f.tag == TAG_V2_SYMBOL;
		if (f.tag != TAG_V2_SYMBOL && f.tag != TAG_V2_SERIES)
			s->envelope += (size_t)(f.end - f.at);
	}
	if (!count)
		return;
	s->symbols = scratch_room(s->in->scratch, count * each);
	s->met = (struct meeting *)(s->symbols + count);
	s->used = (uint32_t *)(s->met + count);
	memset(s->met, 0, count * sizeof(*s->met));
	for (c = pb_cursor_of(s->in->value); pb_next(&c, &f);)
		if (f.tag == TAG_V2_SYMBOL)
			s->symbols[s->symbol_count++] = f.bytes;
}

/* ---- a series with the refs of the part at hand ---- */

static void put_refs(struct rw2 *s, struct bytes list, struct put *w)
{
	const uint8_t *p = list.p, *end = p + list.n;
	uint64_t old;

	while (p && p < end) {
		if (*p < 0x80)
			old = *p++;
		else
			p = pb_varint_read(p, end, &old);
		if (p)
			put_varint(w, ref_of(s, (uint32_t)old));
	}
}

static void put_packed(struct rw2 *s, const struct pb_field *f, struct put *w)
{
	size_t from = put_open(w, TAG_REFS);

	put_refs(s, f->bytes, w);
	put_close(w, from);
}

static void put_ref(struct rw2 *s, const struct pb_field *f, struct put *w)
{
	put_varint(w, f->tag);
	put_varint(w, ref_of(s, (uint32_t)f->value));
}

/* An Exemplar or a Metadata. */
static void put_inner(struct rw2 *s, const struct pb_field *outer, struct put *w)
{
	bool is_exemplar = outer->tag == TAG_V2_EXEMPLAR;
	struct pb_cursor c = pb_cursor_of(outer->bytes);
	size_t from = put_open(w, outer->tag);
	struct pb_field f;

	while (pb_next(&c, &f)) {
		if (is_exemplar && f.tag == TAG_REFS)
			put_packed(s, &f, w);
		else if (is_exemplar ? f.tag == TAG_REF
		                     : f.tag == TAG_HELP_REF || f.tag == TAG_UNIT_REF)
			put_ref(s, &f, w);
		else
			put_bytes(w, f.at, (size_t)(f.end - f.at));
	}
	put_close(w, from);
}

/* Items as enrich() counts them. */
static uint64_t put_series(struct rw2 *s, struct bytes series, struct put *w)
{
	struct pb_cursor c = pb_cursor_of(series);
	size_t from = put_open(w, TAG_V2_SERIES);
	uint64_t items = 0;
	struct pb_field f;

	while (pb_next(&c, &f)) {
		items += f.tag == TAG_SAMPLE || f.tag == TAG_V2_HISTOGRAM ||
		         f.tag == TAG_V2_EXEMPLAR;
		if (f.tag == TAG_REFS)
			put_packed(s, &f, w);
		else if (f.tag == TAG_REF)
			put_ref(s, &f, w);
		else if (f.tag == TAG_V2_EXEMPLAR || f.tag == TAG_V2_METADATA)
			put_inner(s, &f, w);
		else
			put_bytes(w, f.at, (size_t)(f.end - f.at));
	}
	put_close(w, from);
	return items;
}

/* ---- parts ---- */

struct part {
	struct pb_cursor series; /* its own, and what stands between them */
	size_t bytes; /* of the series' fields */
	uint64_t items;
};

static size_t part_bytes(const struct rw2 *s, const struct part *p)
{
	return s->envelope + s->used_bytes + p->bytes;
}

/* As many series as fit, from c on; SPLIT_ITEM if not even the first does. */
static enum split part_plan(struct rw2 *s, struct pb_cursor *c, struct part *p, size_t *n)
{
	struct pb_cursor before;
	struct pb_field f;

	*p = (struct part){ .series = *c };
	s->part++;
	s->used_count = 0;
	s->used_bytes = 0;
	ref_of(s, 0); /* "" */
	for (before = *c; pb_next(c, &f); before = *c) {
		size_t used = s->used_count, used_bytes = s->used_bytes, bytes = p->bytes;
		struct put counted = { 0 };
		uint64_t items;

		if (f.tag != TAG_V2_SERIES)
			continue;
		items = put_series(s, f.bytes, &counted);
		p->bytes += counted.n;
		if (part_bytes(s, p) > s->in->limit) {
			*n = part_bytes(s, p);
			s->used_count = used; /* what it alone refers to was not used */
			s->used_bytes = used_bytes;
			p->bytes = bytes;
			*c = before;
			break;
		}
		p->items += items;
	}
	p->series.end = c->p;
	return p->items || c->p == c->end ? SPLIT_OK : SPLIT_ITEM;
}

/* Looked for once: there may be many parts. */
static void put_envelope(struct rw2 *s, struct put *w)
{
	struct pb_cursor c = pb_cursor_of(s->in->value);
	struct pb_field f;

	if (s->envelope_at != NOWHERE) {
		put_bytes(w, s->out + s->envelope_at, s->envelope);
		return;
	}
	s->envelope_at = (size_t)(w->p - s->out);
	while (pb_next(&c, &f))
		if (f.tag != TAG_V2_SYMBOL && f.tag != TAG_V2_SERIES)
			put_bytes(w, f.at, (size_t)(f.end - f.at));
}

static void part_write(struct rw2 *s, const struct part *p)
{
	struct put w = { .p = s->out + s->n };
	struct pb_cursor c = p->series;
	struct pb_field f;

	put_envelope(s, &w);
	for (size_t i = 0; i < s->used_count; i++) {
		struct bytes text = s->symbols[s->used[i]];

		put_varint(&w, TAG_V2_SYMBOL);
		put_varint(&w, text.n);
		put_bytes(&w, text.p, text.n);
	}
	while (pb_next(&c, &f))
		if (f.tag == TAG_V2_SERIES)
			put_series(s, f.bytes, &w);
	assert(w.n == part_bytes(s, p));
}

enum split split_rw2(const struct split_in *in, uint8_t *out, size_t cap, size_t *n,
                     struct slices *parts, uint64_t *rejected)
{
	struct rw2 s = { .in = in, .parts = parts, .out = out, .cap = cap, .envelope_at = NOWHERE };
	struct pb_cursor c = pb_cursor_of(in->value);
	struct part p;

	parts->n = 0;
	*rejected = 0;
	symbols_read(&s);
	while (c.p < c.end) {
		size_t bytes;

		if (part_plan(&s, &c, &p, n) != SPLIT_OK)
			return SPLIT_ITEM;
		if (!p.items)
			continue; /* none of its fields is a series */
		bytes = part_bytes(&s, &p);
		if (!slices_add(parts, s.n, bytes, p.items))
			return SPLIT_COUNT;
		if (s.n + bytes <= cap)
			part_write(&s, &p);
		s.n += bytes;
	}
	*n = parts->n ? s.n : in->value.n;
	return !parts->n ? SPLIT_ITEM : s.n > cap ? SPLIT_ROOM : SPLIT_OK;
}
