/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remote_write_v2.c -- a request of 2.0: first all symbols, which may stand behind the series that
 * refer to them, then the series. Names are compared by symbol: two symbols may hold the same text,
 * so the general path gives each text one number, once for the whole request; anything that looks
 * at a text again could be made expensive by long symbols that many labels refer to.
 */
#include "proto/remote_write_v2.h"

enum {
	SYMBOLS_MAX = 1000000,
	SYMBOLS_FIRST = 4096, /* room for so many at first */
};

/* ---- symbols ---- */

static enum verdict symbol_add(struct rw_v2 *v, const struct pb_field *f)
{
	struct bytes text = f->bytes;

	if (!bytes_is_utf8(text))
		return V_INVALID;
	if (v->n == 0 && text.n)
		return rw_refuse(v->rw, "symbols[0]: must be the empty string");
	if (v->n == SYMBOLS_MAX)
		return rw_count(v->rw, "symbols", SYMBOLS_MAX + 1, SYMBOLS_MAX);
	if (v->n == v->cap) {
		v->cap = v->cap ? v->cap * 2 : SYMBOLS_FIRST;
		v->symbols = scratch_room(v->rw->in->scratch, v->cap * sizeof(struct rw_symbol));
	}
	if (v->name_ref == UINT32_MAX && bytes_eq(text, v->rw->in->stamp_name))
		v->name_ref = (uint32_t)v->n;
	if (v->tenant_ref == UINT32_MAX && bytes_eq(text, v->tenant))
		v->tenant_ref = (uint32_t)v->n;
	v->symbols[v->n++] = (struct rw_symbol){ .key = name_key(text.p, text.n),
		                                 .at = (uint32_t)rw_offset(v->rw, text.p),
		                                 .n = (uint32_t)text.n };
	v->last = f->at;
	return V_ACCEPTED;
}

static enum verdict symbols_read(struct rw_v2 *v)
{
	struct pb_cursor c = pb_cursor_of(v->rw->in->body);
	enum verdict verdict;
	struct pb_field f;

	while (pb_next(&c, &f)) {
		if (f.tag == TAG_V2_SERIES)
			continue;
		if (f.tag == TAG_V2_SYMBOL) {
			verdict = symbol_add(v, &f);
			if (verdict != V_ACCEPTED)
				return verdict;
			continue;
		}
		if (f.tag >> 3 == TAG_V2_SYMBOL >> 3 || f.tag >> 3 == TAG_V2_SERIES >> 3)
			return V_INVALID; /* of another wire type */
		if (f.tag >> 3 <= 3)
			return rw_refuse(v->rw,
			                 "field %u is not of a 2.0 request: is this a 1.0 body?",
			                 f.tag >> 3);
	}
	if (c.failed)
		return V_INVALID;
	if (!v->n && v->rw->in->body.n)
		return rw_refuse(v->rw, "symbols: there are none, not even the empty string");
	return V_ACCEPTED;
}

/* The stamp is two symbols, name and tenant: which of them are new, and the refs of both. */
static void stamp_plan(struct rw_v2 *v)
{
	struct bytes stamp = v->rw->in->stamp;
	uint32_t next = (uint32_t)v->n;
	struct pb_cursor c = pb_cursor_of(stamp);
	struct pb_field name;

	if (!v->rw->has_stamp || !pb_next(&c, &name))
		return;
	v->added = stamp;
	if (v->name_ref == UINT32_MAX)
		v->name_ref = next++;
	else
		v->added = bytes_from(v->added, (size_t)(name.end - name.at));
	if (v->tenant_ref == UINT32_MAX)
		v->tenant_ref = next;
	else
		v->added.n = v->added.p == stamp.p ? (size_t)(name.end - name.at) : 0;
	v->pair_n = pb_varint_write(v->name_ref, v->pair);
	v->pair_n += pb_varint_write(v->tenant_ref, v->pair + v->pair_n);
}

/* ---- refs of any shape: packed, one by one, mixed ---- */

struct refs {
	struct pb_cursor fields;
	const uint8_t *p, *end; /* of the packed list at hand */
};

static struct refs refs_of(struct bytes message)
{
	return (struct refs){ .fields = pb_cursor_of(message) };
}

static bool refs_next(struct refs *r, uint32_t *ref)
{
	struct pb_field f;
	uint64_t v = 0;

	while (r->p == r->end) {
		if (!pb_next(&r->fields, &f))
			return false;
		if (f.tag == TAG_REF) {
			*ref = (uint32_t)f.value; /* what is above 32 bits is cut, as decoders do */
			return true;
		}
		if (f.tag == TAG_REFS) {
			r->p = f.bytes.p;
			r->end = r->p + f.bytes.n;
		}
	}
	r->p = pb_varint_read(r->p, r->end, &v);
	*ref = (uint32_t)v;
	return true;
}

/* ---- a series, general path ---- */

static enum verdict label_judge(struct rw_v2 *v, struct rw_plan *plan, bool *is_named,
                                uint32_t name, uint32_t value)
{
	struct rw *rw = v->rw;
	uintmax_t series = rw->series;
	struct bytes text;
	char shown[SHOWN_MAX];
	int order;

	if (name >= v->n || value >= v->n)
		return rw_refuse(rw,
		                 "timeseries[%ju].labels_refs[%ju]: %u, and there are %zu symbols",
		                 series, (uintmax_t)plan->refs + (name < v->n),
		                 name < v->n ? value : name, v->n);
	text = rw_text_of(v, name);
	if (!text.n)
		return rw_refuse(rw, "timeseries[%ju].labels_refs[%ju]: the name is empty", series,
		                 (uintmax_t)plan->refs);
	if (v->seen[v->same[name]] == rw->series + 1)
		return rw_refuse(rw, "timeseries[%ju].labels_refs: '%s' is there twice", series,
		                 rw_shown(text, shown));
	v->seen[v->same[name]] = (uint32_t)rw->series + 1;
	if (bytes_eq(text, METRIC_NAME)) {
		if (!v->symbols[value].n)
			return rw_refuse(rw, "timeseries[%ju].labels_refs: __name__ is empty",
			                 series);
		*is_named = true;
	}
	order = name_compare(text, rw->in->stamp_name);
	if (order == 0)
		plan->drop = plan->refs;
	if (order > 0 && plan->insert == NO_REF)
		plan->insert = plan->refs;
	plan->refs += 2;
	return V_ACCEPTED;
}

static enum verdict labels_judge(struct rw_v2 *v, struct bytes series, struct rw_plan *plan)
{
	struct refs refs = refs_of(series);
	uintmax_t index = v->rw->series;
	bool is_named = false;
	uint32_t name, value;
	enum verdict verdict;

	if (!v->same)
		rw_v2_same(v);
	*plan = (struct rw_plan){ .insert = NO_REF, .drop = NO_REF };
	while (refs_next(&refs, &name)) {
		if (!refs_next(&refs, &value))
			return rw_refuse(v->rw, "timeseries[%ju].labels_refs: an odd number",
			                 index);
		verdict = label_judge(v, plan, &is_named, name, value);
		if (verdict != V_ACCEPTED)
			return verdict;
	}
	if (!plan->refs)
		return rw_refuse(v->rw, "timeseries[%ju].labels_refs: there are none", index);
	if (!is_named)
		return rw_refuse(v->rw, "timeseries[%ju].labels_refs: no __name__", index);
	if (plan->insert == NO_REF)
		plan->insert = plan->refs;
	return V_ACCEPTED;
}

static enum verdict exemplar_judge(struct rw_v2 *v, struct bytes exemplar, uintmax_t index)
{
	struct refs refs = refs_of(exemplar);
	uintmax_t n = 0;
	uint32_t ref;

	for (; refs_next(&refs, &ref); n++)
		if (ref >= v->n)
			return rw_refuse(v->rw,
			                 "timeseries[%ju].exemplars[%ju].labels_refs[%ju]: %u, and "
			                 "there are %zu symbols",
			                 (uintmax_t)v->rw->series, index, n, ref, v->n);
	if (n % 2)
		return rw_refuse(v->rw, "timeseries[%ju].exemplars[%ju].labels_refs: an odd number",
		                 (uintmax_t)v->rw->series, index);
	return V_ACCEPTED;
}

struct metadata { /* merged: the last of each wins */
	uint32_t help_ref, unit_ref;
};

static void metadata_read(struct bytes message, struct metadata *m)
{
	struct pb_cursor c = pb_cursor_of(message);
	struct pb_field f;

	while (pb_next(&c, &f)) {
		if (f.tag == TAG_HELP_REF)
			m->help_ref = (uint32_t)f.value;
		else if (f.tag == TAG_UNIT_REF)
			m->unit_ref = (uint32_t)f.value;
	}
}

static enum verdict metadata_judge(struct rw_v2 *v, const struct metadata *m)
{
	bool help = m->help_ref >= v->n;

	if (!help && m->unit_ref < v->n)
		return V_ACCEPTED;
	return rw_refuse(v->rw, "timeseries[%ju].metadata.%s: %u, and there are %zu symbols",
	                 (uintmax_t)v->rw->series, help ? "help_ref" : "unit_ref",
	                 help ? m->help_ref : m->unit_ref, v->n);
}

static enum verdict item_judge(struct rw_v2 *v, const struct pb_field *f,
                               uint64_t counts[static WRITTEN_COUNT], struct metadata *m)
{
	const char *wrong;

	switch (f->tag) {
	case TAG_SAMPLE:
		if (!rw_weigh(v->rw, 1))
			return rw_heavy(v->rw);
		counts[WRITTEN_SAMPLES]++;
		break;
	case TAG_V2_HISTOGRAM:
		if (!rw_weigh(v->rw, WEIGHT_HISTOGRAM))
			return rw_heavy(v->rw);
		wrong = rw_histogram_judge(f->bytes);
		if (wrong)
			return rw_refuse(v->rw, "timeseries[%ju].histograms[%ju]: %s",
			                 (uintmax_t)v->rw->series,
			                 (uintmax_t)counts[WRITTEN_HISTOGRAMS], wrong);
		counts[WRITTEN_HISTOGRAMS]++;
		break;
	case TAG_V2_EXEMPLAR:
		if (!rw_weigh(v->rw, 1))
			return rw_heavy(v->rw);
		return exemplar_judge(v, f->bytes, counts[WRITTEN_EXEMPLARS]++);
	case TAG_V2_METADATA:
		metadata_read(f->bytes, m);
		break;
	}
	return V_ACCEPTED;
}

static void items_add(struct rw *rw, const uint64_t counts[static WRITTEN_COUNT])
{
	for (int i = 0; i < WRITTEN_COUNT; i++) {
		rw->out->written[i] += counts[i];
		rw->out->items += counts[i];
	}
}

static enum verdict items_judge(struct rw_v2 *v, struct bytes series)
{
	uint64_t counts[WRITTEN_COUNT] = { 0 };
	struct pb_cursor c = pb_cursor_of(series);
	uintmax_t index = v->rw->series;
	struct metadata m = { 0 };
	struct pb_field f;

	while (pb_next(&c, &f)) {
		enum verdict verdict = item_judge(v, &f, counts, &m);

		if (verdict != V_ACCEPTED)
			return verdict;
	}
	if (counts[WRITTEN_SAMPLES] && counts[WRITTEN_HISTOGRAMS])
		return rw_refuse(v->rw, "timeseries[%ju]: both samples and histograms", index);
	/*
	 * The page of 2.0 wants one of those two, but Prometheus up to 3.16 at least sends each
	 * exemplar in a series of its own: refused, it would drop all that stands beside it.
	 */
	if (!counts[WRITTEN_SAMPLES] && !counts[WRITTEN_HISTOGRAMS] && !counts[WRITTEN_EXEMPLARS])
		return rw_refuse(v->rw, "timeseries[%ju]: neither samples nor histograms", index);
	items_add(v->rw, counts);
	return metadata_judge(v, &m);
}

/* ---- the request ---- */

static enum verdict series_judge(struct rw_v2 *v, const struct pb_field *f)
{
	enum verdict verdict;
	struct rw_plan plan;

	if (!v->rw->exact && rw_v2_fast(v, f))
		return v->rw->weight <= v->rw->weight_max ? V_ACCEPTED : rw_heavy(v->rw);
	if (!rw_walk(v->rw, f))
		return V_INVALID;
	verdict = labels_judge(v, f->bytes, &plan);
	if (verdict == V_ACCEPTED)
		verdict = items_judge(v, f->bytes);
	if (verdict == V_ACCEPTED)
		rw_v2_edit(v, f, &plan);
	return verdict;
}

static enum verdict series_read(struct rw_v2 *v)
{
	struct pb_cursor c = pb_cursor_of(v->rw->in->body);
	struct edits *edits = v->rw->out->edits;
	enum verdict verdict;
	struct pb_field f;

	while (pb_next(&c, &f)) {
		if (f.tag == TAG_V2_SERIES) {
			verdict = series_judge(v, &f);
			if (verdict != V_ACCEPTED)
				return verdict;
			v->rw->series++;
		} else if (f.at == v->last && v->added.n) {
			edits_add(edits, rw_offset(v->rw, f.end), 0, v->added);
		}
		if (edits->failed)
			return rw_count(v->rw, "edits", EDITS_MAX + 1, EDITS_MAX);
	}
	return V_ACCEPTED;
}

enum verdict rw_v2_body(struct rw *rw)
{
	struct rw_v2 v = { .rw = rw, .name_ref = UINT32_MAX, .tenant_ref = UINT32_MAX };
	struct pb_cursor stamp = pb_cursor_of(rw->in->stamp);
	enum verdict verdict;
	struct pb_field f;

	v.cap = rw->in->scratch->bytes / sizeof(struct rw_symbol);
	v.symbols = rw->in->scratch->p;
	if (rw->has_stamp)
		while (pb_next(&stamp, &f))
			v.tenant = f.bytes; /* the last of the two */
	verdict = symbols_read(&v);
	if (verdict != V_ACCEPTED)
		return verdict;
	stamp_plan(&v);
	return series_read(&v);
}
