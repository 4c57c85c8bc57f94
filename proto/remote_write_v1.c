/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remote_write_v1.c -- a TimeSeries of 1.0 in any shape: judges its labels and histograms and says
 * how its labels become sorted and stamped. Each Label that moves is one edit in the place of
 * another, so whatever stands between the labels stays where it is.
 */
#include "proto/remote_write_private.h"

enum { LABELS_MAX = 10000 }; /* of one series: bounds the sort and the scratch */

struct label {
	struct bytes name;
	const uint8_t *at, *end; /* its field */
	bool has_value; /* not "" */
};

struct labels {
	struct label *list; /* in the order of the wire */
	uint32_t *order, *spare; /* indices by name */
	size_t n;
	bool is_sorted;
	size_t kept, smaller; /* without the client's own tenant; of these, before ours */
};

static struct labels labels_room(struct rw *rw)
{
	const size_t bytes = LABELS_MAX * (sizeof(struct label) + 2 * sizeof(uint32_t));
	struct label *list = scratch_room(rw->in->scratch, bytes);
	uint32_t *order = (uint32_t *)(list + LABELS_MAX);

	return (struct labels){ .list = list, .order = order, .spare = order + LABELS_MAX };
}

static struct label label_read(const struct pb_field *field)
{
	struct label l = { .name = bytes_of(field->end, 0), .at = field->at, .end = field->end };
	struct pb_cursor c = pb_cursor_of(field->bytes);
	struct pb_field f;

	while (pb_next(&c, &f)) { /* the last of each wins */
		if (f.tag == TAG_NAME)
			l.name = f.bytes;
		else if (f.tag == TAG_VALUE)
			l.has_value = f.bytes.n > 0;
	}
	return l;
}

static bool label_less(const void *context, uint32_t a, uint32_t b)
{
	const struct label *list = context;

	return name_compare(list[a].name, list[b].name) < 0;
}

static void labels_sort(struct labels *l)
{
	l->is_sorted = true;
	for (size_t i = 0; i < l->n; i++) {
		l->order[i] = (uint32_t)i;
		if (i && !label_less(l->list, (uint32_t)i - 1, (uint32_t)i))
			l->is_sorted = false;
	}
	if (!l->is_sorted)
		rw_sort(l->order, l->spare, l->n, label_less, l->list);
}

static enum verdict labels_read(struct rw *rw, struct bytes series, struct labels *l)
{
	struct pb_cursor c = pb_cursor_of(series);
	struct pb_field f;

	while (pb_next(&c, &f)) {
		if (f.tag != TAG_V1_LABEL)
			continue;
		if (l->n == LABELS_MAX)
			return rw_count(rw, "labels of one series", LABELS_MAX + 1, LABELS_MAX);
		l->list[l->n++] = label_read(&f);
	}
	return V_ACCEPTED;
}

static enum verdict labels_judge(struct rw *rw, const struct labels *l)
{
	uintmax_t series = rw->series;
	bool is_named = false;
	char shown[SHOWN_MAX];

	if (!l->n)
		return rw_refuse(rw, "timeseries[%ju].labels: there are none", series);
	for (size_t i = 0; i < l->n; i++) {
		const struct label *at = &l->list[i], *in_order = &l->list[l->order[i]];

		if (!at->name.n)
			return rw_refuse(rw, "timeseries[%ju].labels[%zu]: the name is empty",
			                 series, i);
		if (bytes_eq(at->name, METRIC_NAME)) {
			if (!at->has_value)
				return rw_refuse(rw, "timeseries[%ju].labels: __name__ is empty",
				                 series);
			is_named = true;
		}
		if (i && bytes_eq(in_order->name, l->list[l->order[i - 1]].name))
			return rw_refuse(rw, "timeseries[%ju].labels: '%s' is there twice", series,
			                 rw_shown(in_order->name, shown));
	}
	if (!is_named)
		return rw_refuse(rw, "timeseries[%ju].labels: no __name__", series);
	return V_ACCEPTED;
}

static bool is_reserved(const struct rw *rw, const struct label *l)
{
	return rw->has_stamp && bytes_eq(l->name, rw->in->stamp_name);
}

/* Takes the client's label of that name out of the order, and out of the growth. */
static void labels_reserve(struct rw *rw, struct labels *l, int64_t *growth)
{
	l->kept = l->smaller = 0;
	for (size_t i = 0; i < l->n; i++) {
		const struct label *label = &l->list[l->order[i]];

		if (is_reserved(rw, label)) {
			rw->out->spoofed++;
			*growth -= label->end - label->at;
			continue;
		}
		l->smaller += name_compare(label->name, rw->in->stamp_name) < 0;
		l->order[l->kept++] = l->order[i];
	}
}

/* One label of the wire, the k-th of those that stay. */
static void label_edit(struct rw *rw, const struct labels *l, const struct label *at, size_t k)
{
	const struct label *by = &l->list[l->order[k]];
	struct edits *edits = rw->out->edits;

	if (rw->has_stamp && k == l->smaller)
		edits_add(edits, rw_offset(rw, at->at), 0, rw->in->stamp);
	if (by != at)
		edits_add(edits, rw_offset(rw, at->at), (size_t)(at->end - at->at),
		          bytes_of(by->at, (size_t)(by->end - by->at)));
	if (rw->has_stamp && k + 1 == l->kept && l->kept == l->smaller)
		edits_add(edits, rw_offset(rw, at->end), 0, rw->in->stamp);
}

/* In the order of the wire, so that the list is born sorted. */
static void labels_edit(struct rw *rw, const struct pb_field *series, struct labels *l)
{
	int64_t growth = (int64_t)rw->in->stamp.n;
	size_t k = 0;

	if (!rw->has_stamp && l->is_sorted)
		return;
	labels_reserve(rw, l, &growth);
	rw_length(rw, series, growth);
	for (size_t i = 0; i < l->n; i++) {
		const struct label *at = &l->list[i];

		if (is_reserved(rw, at))
			edits_add(rw->out->edits, rw_offset(rw, at->at), (size_t)(at->end - at->at),
			          BYTES_NONE);
		else
			label_edit(rw, l, at, k++);
	}
}

/* What is not a label: counted, and histograms judged. */
static enum verdict items_read(struct rw *rw, struct bytes series)
{
	struct pb_cursor c = pb_cursor_of(series);
	uintmax_t histograms = 0;
	struct pb_field f;

	while (pb_next(&c, &f)) {
		const char *wrong = NULL;

		if (f.tag != TAG_SAMPLE && f.tag != TAG_V1_EXEMPLAR && f.tag != TAG_V1_HISTOGRAM)
			continue;
		if (!rw_weigh(rw, f.tag == TAG_V1_HISTOGRAM ? WEIGHT_HISTOGRAM : 1))
			return rw_heavy(rw);
		rw->out->items++;
		if (f.tag == TAG_V1_HISTOGRAM)
			wrong = rw_histogram_judge(f.bytes);
		if (wrong)
			return rw_refuse(rw, "timeseries[%ju].histograms[%ju]: %s",
			                 (uintmax_t)rw->series, histograms, wrong);
		histograms += f.tag == TAG_V1_HISTOGRAM;
	}
	return V_ACCEPTED;
}

enum verdict rw_v1_series(struct rw *rw, const struct pb_field *series)
{
	struct labels l = labels_room(rw);
	enum verdict v = labels_read(rw, series->bytes, &l);

	if (v != V_ACCEPTED)
		return v;
	labels_sort(&l);
	v = labels_judge(rw, &l);
	if (v == V_ACCEPTED)
		v = items_read(rw, series->bytes);
	if (v == V_ACCEPTED)
		labels_edit(rw, series, &l);
	return v;
}
