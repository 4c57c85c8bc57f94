/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remote_write_v2_edit.c -- the refs to our name and tenant take their place in labels_refs, the
 * client's own pair leaves, whatever the shape: packed lists, refs one by one, both, a pair across
 * two fields. All other refs stay where they are. First the growth is summed up, because lengths
 * stand before what they count; then the same walk says the edits.
 */
#include "proto/remote_write_v2.h"

/* The list at hand: its refs are [first, first + n) of the series. */
struct list {
	const struct pb_field *field;
	uint64_t first, n;
};

static bool holds(const struct list *l, uint64_t ref)
{
	return ref - l->first < l->n;
}

static bool takes_ours(const struct list *l, const struct rw_plan *plan)
{
	return holds(l, plan->insert) ||
	       (plan->insert == plan->refs && l->n && l->first + l->n == plan->refs);
}

/* Bytes that the list gains; with edits, they are said too. */
static int64_t list_edit(struct rw_v2 *v, const struct list *l, const struct rw_plan *plan,
                         bool say)
{
	struct edits *edits = v->rw->out->edits;
	const uint8_t *p = l->field->bytes.p, *end = p + l->field->bytes.n, *next;
	const uint8_t *body = v->rw->in->body.p;
	bool ours = takes_ours(l, plan);
	int64_t growth = ours ? (int64_t)v->pair_n : 0;
	uint64_t skipped;

	for (uint64_t i = l->first; p < end; i++, p = next) {
		next = pb_varint_read(p, end, &skipped);
		if (say && ours && i == plan->insert)
			edits_small(edits, (size_t)(p - body), 0, v->pair, v->pair_n);
		if (i != plan->drop && i != plan->drop + 1)
			continue;
		growth -= next - p;
		if (say)
			edits_add(edits, (size_t)(p - body), (size_t)(next - p), BYTES_NONE);
	}
	if (say && ours && plan->insert == plan->refs)
		edits_small(edits, (size_t)(end - body), 0, v->pair, v->pair_n);
	return growth;
}

/* A packed list. What its field gains. */
static int64_t packed_edit(struct rw_v2 *v, const struct list *l, const struct rw_plan *plan,
                           bool say)
{
	const struct pb_field *f = l->field;
	int64_t growth = list_edit(v, l, plan, false);

	if (say) {
		rw_length(v->rw, f, growth);
		list_edit(v, l, plan, true);
	}
	return growth ? growth + (int64_t)pb_varint_size(f->bytes.n + (uint64_t)growth) -
	                        (f->bytes.p - f->length_at)
	              : 0;
}

/* One ref by itself: ours is a packed list before or behind it. */
static int64_t single_edit(struct rw_v2 *v, const struct list *l, const struct rw_plan *plan,
                           bool say)
{
	struct edits *edits = v->rw->out->edits;
	bool ours = takes_ours(l, plan), drop = holds(l, plan->drop) || holds(l, plan->drop + 1);
	size_t at = rw_offset(v->rw, l->field->at), bytes = (size_t)(l->field->end - l->field->at);
	uint8_t field[2 + sizeof(v->pair)] = { TAG_REFS, (uint8_t)v->pair_n };

	memcpy(field + 2, v->pair, v->pair_n);
	if (say && ours && plan->insert == l->first)
		edits_small(edits, at, 0, field, 2 + v->pair_n);
	if (say && drop)
		edits_add(edits, at, bytes, BYTES_NONE);
	if (say && ours && plan->insert != l->first)
		edits_small(edits, at + bytes, 0, field, 2 + v->pair_n);
	return (ours ? (int64_t)(2 + v->pair_n) : 0) - (drop ? (int64_t)bytes : 0);
}

static uint64_t varints(struct bytes list)
{
	uint64_t n = 0;

	for (size_t i = 0; i < list.n; i++)
		n += list.p[i] < 0x80;
	return n;
}

static int64_t refs_edit(struct rw_v2 *v, struct bytes series, const struct rw_plan *plan, bool say)
{
	struct pb_cursor c = pb_cursor_of(series);
	int64_t growth = 0;
	struct pb_field f;
	struct list l = { .field = &f };

	/* behind the last ref stand the items: nothing here is for them */
	for (; l.first < plan->refs && pb_next(&c, &f); l.first += l.n) {
		l.n = f.tag == TAG_REF ? 1 : f.tag == TAG_REFS ? varints(f.bytes) : 0;
		if (f.tag == TAG_REF)
			growth += single_edit(v, &l, plan, say);
		else if (f.tag == TAG_REFS)
			growth += packed_edit(v, &l, plan, say);
	}
	return growth;
}

void rw_v2_edit(struct rw_v2 *v, const struct pb_field *series, const struct rw_plan *plan)
{
	if (!v->rw->has_stamp)
		return;
	v->rw->out->spoofed += plan->drop != NO_REF;
	rw_length(v->rw, series, refs_edit(v, series->bytes, plan, false));
	refs_edit(v, series->bytes, plan, true);
}
