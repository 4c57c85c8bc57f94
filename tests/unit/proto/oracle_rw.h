/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oracle_rw.h -- the rules of remote_write and its stamp over protobuf-c's trees: unpack, judge,
 * remove, add, sort, pack. Made from nothing of proto/; slow, and only for small bodies of tests
 * and fuzzers. protobuf-c's strings end at a NUL, so an allocator keeps their true lengths.
 */
#pragma once
#include <math.h>
#include <protobuf-c/protobuf-c.h>
#include "common/bytes.h"
#include "proto/schema/remote_write.pb-c.h"
#include "proto/schema/remote_write_v2.pb-c.h"

typedef Prometheus__WriteRequest v1_request;
typedef Prometheus__TimeSeries v1_series;
typedef Io__Prometheus__Write__V2__Request v2_request;
typedef Io__Prometheus__Write__V2__TimeSeries v2_series;

enum { SIZED_HEAD = 16 };

static inline void *sized_alloc(void *data, size_t n)
{
	uint8_t *p = xcalloc(n + SIZED_HEAD, 1);

	(void)data;
	memcpy(p, &n, sizeof(n));
	return p + SIZED_HEAD;
}

static inline void sized_free(void *data, void *p)
{
	(void)data;
	if (p)
		free((uint8_t *)p - SIZED_HEAD);
}

static ProtobufCAllocator sized = { .alloc = sized_alloc, .free = sized_free };

static inline struct bytes sized_text(const char *s)
{
	size_t n;

	if (s == protobuf_c_empty_string)
		return BYTES_NONE;
	memcpy(&n, s - SIZED_HEAD, sizeof(n));
	return bytes_of(s, n - 1); /* and its NUL */
}

static inline char *sized_copy(struct bytes text)
{
	char *s = sized_alloc(NULL, text.n + 1);

	if (text.n)
		memcpy(s, text.p, text.n);
	return s;
}

static inline int text_order(struct bytes a, struct bytes b)
{
	int d = memcmp(a.n ? (const void *)a.p : "", b.n ? (const void *)b.p : "",
	               min_size(a.n, b.n));

	return d ? d : (a.n > b.n) - (a.n < b.n);
}

static inline ProtobufCMessage *oracle_rw_unpack(unsigned version, struct bytes body)
{
	static const uint8_t none;

	return protobuf_c_message_unpack(version == 1
	                                         ? &prometheus__write_request__descriptor
	                                         : &io__prometheus__write__v2__request__descriptor,
	                                 &sized, body.n, body.n ? body.p : &none);
}

/* ---- native histograms ---- */

struct oracle_side {
	size_t n_spans, n_deltas, n_counts;
	Prometheus__BucketSpan **spans;
	int64_t *deltas;
	double *counts;
};

static inline bool oracle_side_valid(const struct oracle_side *s, bool is_float, __int128 *sum)
{
	uint64_t covered = 0;
	__int128 level = 0;

	for (size_t i = 0; i < s->n_spans; i++) {
		covered += s->spans[i]->length;
		if (i && s->spans[i]->offset < 0)
			return false;
	}
	if (covered != (is_float ? s->n_counts : s->n_deltas))
		return false;
	for (size_t i = 0; is_float && i < s->n_counts; i++)
		if (s->counts[i] < 0)
			return false;
	for (size_t i = 0; !is_float && i < s->n_deltas; i++) {
		level += s->deltas[i];
		if (level < 0 || level > INT64_MAX)
			return false;
		*sum += level;
	}
	return true;
}

static inline bool oracle_custom_valid(const Prometheus__Histogram *h, bool zero_is_0)
{
	int64_t extent = 0;

	if (!zero_is_0 || h->zero_threshold != 0 || h->n_negative_spans || h->n_negative_deltas ||
	    h->n_negative_counts)
		return false;
	for (size_t i = 0; i < h->n_positive_spans; i++) {
		if (h->positive_spans[i]->offset < 0)
			return false;
		extent += (int64_t)h->positive_spans[i]->offset + h->positive_spans[i]->length;
	}
	for (size_t i = 0; i < h->n_custom_values; i++)
		if (isnan(h->custom_values[i]) ||
		    (i && h->custom_values[i] <= h->custom_values[i - 1]))
			return false;
	if (h->n_custom_values && h->custom_values[h->n_custom_values - 1] == INFINITY)
		return false;
	return extent <= (int64_t)h->n_custom_values + 1;
}

static inline bool oracle_histogram_valid(const Prometheus__Histogram *h)
{
	const struct oracle_side negative = { h->n_negative_spans,  h->n_negative_deltas,
		                              h->n_negative_counts, h->negative_spans,
		                              h->negative_deltas,   h->negative_counts };
	const struct oracle_side positive = { h->n_positive_spans,  h->n_positive_deltas,
		                              h->n_positive_counts, h->positive_spans,
		                              h->positive_deltas,   h->positive_counts };
	bool is_float = h->count_case == PROMETHEUS__HISTOGRAM__COUNT_COUNT_FLOAT;
	bool has_int = h->zero_count_case == PROMETHEUS__HISTOGRAM__ZERO_COUNT_ZERO_COUNT_INT;
	bool has_float = h->zero_count_case == PROMETHEUS__HISTOGRAM__ZERO_COUNT_ZERO_COUNT_FLOAT;
	uint64_t count = h->count_case == PROMETHEUS__HISTOGRAM__COUNT_COUNT_INT ? h->count_int : 0;
	__int128 sum = has_int ? h->zero_count_int : 0;

	if (h->schema != -53 && (h->schema < -9 || h->schema > 52 || h->n_custom_values))
		return false;
	if (h->schema == -53 && !oracle_custom_valid(h, has_int     ? h->zero_count_int == 0
	                                                : has_float ? h->zero_count_float == 0
	                                                            : true))
		return false;
	if (!oracle_side_valid(&negative, is_float, &sum) ||
	    !oracle_side_valid(&positive, is_float, &sum))
		return false;
	if (is_float)
		return !(has_float && h->zero_count_float < 0);
	return isnan(h->sum) ? sum <= count : sum == count;
}

/* ---- labels ---- */

struct oracle_label {
	struct bytes name, value;
};

static inline bool oracle_labels_valid(const struct oracle_label *l, size_t n)
{
	bool is_named = false;

	for (size_t i = 0; i < n; i++) {
		if (!l[i].name.n)
			return false;
		for (size_t k = 0; k < i; k++)
			if (bytes_eq(l[i].name, l[k].name))
				return false;
		if (bytes_eq(l[i].name, BYTES("__name__"))) {
			if (!l[i].value.n)
				return false;
			is_named = true;
		}
	}
	return is_named;
}

static inline bool oracle_v1_series_valid(const v1_series *s)
{
	struct oracle_label *labels = xcalloc(s->n_labels + 1, sizeof(*labels));
	bool valid;

	for (size_t i = 0; i < s->n_labels; i++)
		labels[i] = (struct oracle_label){ sized_text(s->labels[i]->name),
			                           sized_text(s->labels[i]->value) };
	valid = oracle_labels_valid(labels, s->n_labels);
	free(labels);
	for (size_t i = 0; i < s->n_histograms; i++)
		valid = valid && oracle_histogram_valid(s->histograms[i]);
	return valid;
}

static inline bool oracle_refs_valid(const v2_request *m, const uint32_t *refs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (refs[i] >= m->n_symbols)
			return false;
	return n % 2 == 0;
}

static inline bool oracle_v2_series_valid(const v2_request *m, const v2_series *s)
{
	struct oracle_label *labels;
	bool valid;

	if (!oracle_refs_valid(m, s->labels_refs, s->n_labels_refs))
		return false;
	labels = xcalloc(s->n_labels_refs / 2 + 1, sizeof(*labels));
	for (size_t i = 0; i < s->n_labels_refs / 2; i++)
		labels[i] =
			(struct oracle_label){ sized_text(m->symbols[s->labels_refs[2 * i]]),
			                       sized_text(m->symbols[s->labels_refs[2 * i + 1]]) };
	valid = oracle_labels_valid(labels, s->n_labels_refs / 2);
	free(labels);
	if ((s->n_samples && s->n_histograms) ||
	    (!s->n_samples && !s->n_histograms && !s->n_exemplars))
		return false;
	for (size_t i = 0; i < s->n_histograms; i++)
		valid = valid && oracle_histogram_valid(s->histograms[i]);
	for (size_t i = 0; i < s->n_exemplars; i++)
		valid = valid && oracle_refs_valid(m, s->exemplars[i]->labels_refs,
		                                   s->exemplars[i]->n_labels_refs);
	return valid && (!s->metadata || (s->metadata->help_ref < m->n_symbols &&
	                                  s->metadata->unit_ref < m->n_symbols));
}

static inline bool oracle_unknown_below(const ProtobufCMessage *m, unsigned number)
{
	for (unsigned i = 0; i < m->n_unknown_fields; i++)
		if (m->unknown_fields[i].tag < number)
			return true;
	return false;
}

/* Do the rules accept what was well-formed? n: bytes of the body. */
static inline bool oracle_rw_valid(unsigned version, const ProtobufCMessage *m, size_t n)
{
	if (version == 1) {
		const v1_request *q = (const v1_request *)m;

		for (size_t i = 0; i < q->n_timeseries; i++)
			if (!oracle_v1_series_valid(q->timeseries[i]))
				return false;
		return !n || q->n_timeseries || q->n_metadata;
	}
	const v2_request *q = (const v2_request *)m;

	if (oracle_unknown_below(m, 4) || (n && !q->n_symbols) ||
	    (q->n_symbols && sized_text(q->symbols[0]).n))
		return false;
	for (size_t i = 0; i < q->n_timeseries; i++)
		if (!oracle_v2_series_valid(q, q->timeseries[i]))
			return false;
	return true;
}

/* ---- counts ---- */

static inline void oracle_rw_count(unsigned version, const ProtobufCMessage *m, uint64_t counts[3],
                                   uint64_t *items)
{
	const v1_request *one = (const v1_request *)m;
	const v2_request *two = (const v2_request *)m;

	memset(counts, 0, 3 * sizeof(*counts));
	*items = version == 1 ? one->n_metadata : 0;
	for (size_t i = 0; version == 1 && i < one->n_timeseries; i++)
		*items += one->timeseries[i]->n_samples + one->timeseries[i]->n_histograms +
		          one->timeseries[i]->n_exemplars;
	for (size_t i = 0; version == 2 && i < two->n_timeseries; i++) {
		counts[0] += two->timeseries[i]->n_samples;
		counts[1] += two->timeseries[i]->n_histograms;
		counts[2] += two->timeseries[i]->n_exemplars;
	}
	if (version == 2)
		*items = counts[0] + counts[1] + counts[2];
}

/* ---- the stamp ---- */

static inline int oracle_label_order(const void *a, const void *b)
{
	const Prometheus__Label *const *x = a, *const *y = b;

	return text_order(sized_text((*x)->name), sized_text((*y)->name));
}

static inline void oracle_v1_enrich_series(v1_series *s, const char *name, const char *tenant)
{
	Prometheus__Label **labels =
		sized_alloc(NULL, (s->n_labels + 1) * sizeof(*labels)); /* one more than before */
	size_t kept = 0;

	for (size_t i = 0; i < s->n_labels; i++) {
		if (name && bytes_eq(sized_text(s->labels[i]->name), bytes_str(name)))
			protobuf_c_message_free_unpacked(&s->labels[i]->base, &sized);
		else
			labels[kept++] = s->labels[i];
	}
	if (name) {
		labels[kept] = sized_alloc(NULL, sizeof(**labels));
		prometheus__label__init(labels[kept]);
		labels[kept]->name = sized_copy(bytes_str(name));
		labels[kept++]->value = sized_copy(bytes_str(tenant));
	}
	sized_free(NULL, s->labels);
	s->labels = labels;
	s->n_labels = kept;
	qsort(labels, kept, sizeof(*labels), oracle_label_order);
}

static inline void oracle_unknown_drop(ProtobufCMessage *m)
{
	for (unsigned i = 0; i < m->n_unknown_fields; i++)
		sized_free(NULL, m->unknown_fields[i].data);
	m->n_unknown_fields = 0;
}

static inline uint32_t oracle_symbol(v2_request *m, const char *text)
{
	char **symbols;

	for (size_t i = 0; i < m->n_symbols; i++)
		if (bytes_eq(sized_text(m->symbols[i]), bytes_str(text)))
			return (uint32_t)i;
	symbols = sized_alloc(NULL, (m->n_symbols + 1) * sizeof(*symbols));
	if (m->n_symbols)
		memcpy(symbols, m->symbols, m->n_symbols * sizeof(*symbols));
	sized_free(NULL, m->symbols);
	m->symbols = symbols;
	symbols[m->n_symbols] = sized_copy(bytes_str(text));
	return (uint32_t)m->n_symbols++;
}

static inline void oracle_v2_enrich_series(v2_request *m, v2_series *s, const char *name,
                                           uint32_t name_ref, uint32_t tenant_ref)
{
	uint32_t *refs = sized_alloc(NULL, (s->n_labels_refs + 2) * sizeof(*refs));
	size_t n = 0;
	bool done = false;

	for (size_t i = 0; i <= s->n_labels_refs; i += 2) {
		int order = i < s->n_labels_refs
		                    ? text_order(sized_text(m->symbols[s->labels_refs[i]]),
		                                 bytes_str(name))
		                    : 1;

		if (order > 0 && !done) {
			refs[n++] = name_ref;
			refs[n++] = tenant_ref;
			done = true;
		}
		if (order == 0 || i == s->n_labels_refs)
			continue;
		refs[n++] = s->labels_refs[i];
		refs[n++] = s->labels_refs[i + 1];
	}
	sized_free(NULL, s->labels_refs);
	s->labels_refs = refs;
	s->n_labels_refs = n;
}

/* name NULL: record.enrich is header */
static inline void oracle_rw_enrich(unsigned version, ProtobufCMessage *m, const char *name,
                                    const char *tenant)
{
	v1_request *one = (v1_request *)m;
	v2_request *two = (v2_request *)m;

	if (version == 1) {
		oracle_unknown_drop(m);
		for (size_t i = 0; i < one->n_timeseries; i++)
			oracle_v1_enrich_series(one->timeseries[i], name, tenant);
	} else if (name && two->n_symbols) {
		uint32_t name_ref = oracle_symbol(two, name);
		uint32_t tenant_ref = oracle_symbol(two, tenant);

		for (size_t i = 0; i < two->n_timeseries; i++)
			oracle_v2_enrich_series(two, two->timeseries[i], name, name_ref,
			                        tenant_ref);
	}
}

static inline uint8_t *oracle_rw_pack(const ProtobufCMessage *m, size_t *n)
{
	uint8_t *out;

	*n = protobuf_c_message_get_packed_size(m);
	out = xcalloc(*n + 1, 1);
	protobuf_c_message_pack(m, out);
	return out;
}

/* Is value what a decoder makes of body, with the stamp? */
static inline bool oracle_rw_equal(unsigned version, struct bytes body, struct bytes value,
                                   const char *name, const char *tenant)
{
	ProtobufCMessage *before = oracle_rw_unpack(version, body),
			 *after = oracle_rw_unpack(version, value);
	bool equal = false;

	if (before && after) {
		size_t a_n, b_n;
		uint8_t *a, *b;

		oracle_rw_enrich(version, before, name, tenant);
		a = oracle_rw_pack(before, &a_n);
		b = oracle_rw_pack(after, &b_n);
		equal = a_n == b_n && !memcmp(a, b, a_n);
		free(a);
		free(b);
	}
	protobuf_c_message_free_unpacked(before, &sized);
	protobuf_c_message_free_unpacked(after, &sized);
	return equal;
}
