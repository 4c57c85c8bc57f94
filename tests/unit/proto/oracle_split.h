/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oracle_split.h -- what must hold of the parts of any value (records.md 1.3), for tests and
 * fuzzers: enrich() accepts each with as many items as it was said to have, all stamped; none is
 * over the limit; and protobuf-c's trees of them hold the items of the value, in order, each once,
 * each under the envelopes it had. Made from nothing of split*.c.
 */
#pragma once
#include "common/buf.h"
#include "proto/pb_read.h"
#include "proto/schema/loki.pb-c.h"
#include "proto/split.h"
#include "tests/unit/proto/enrich.h"
#include "tests/unit/proto/enrich_loki.h"
#include "tests/unit/proto/enrich_rw.h"
#include "tests/unit/proto/oracle.h"
#include "tests/unit/proto/oracle_rw.h"

enum split_kind { OF_TRACES, OF_METRICS, OF_LOGS, OF_LOKI, OF_RW1, OF_RW2, SPLIT_KINDS };

static inline void split_must(bool holds, enum split_kind kind, size_t limit, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "kind %d, limit %zu: does not hold: %s\n", (int)kind, limit, what);
	abort();
}

static inline split_fn split_of(enum split_kind kind)
{
	static const split_fn list[] = { split_otlp, split_otlp, split_otlp,
		                         split_loki, split_rw1,  split_rw2 };

	return list[kind];
}

static inline bool split_is_otlp(enum split_kind kind)
{
	return kind <= OF_LOGS;
}

static inline ProtobufCMessage *split_unpack(enum split_kind kind, struct bytes body)
{
	static const uint8_t none;

	if (kind >= OF_RW1)
		return oracle_rw_unpack(kind == OF_RW1 ? 1 : 2, body);
	return protobuf_c_message_unpack(kind == OF_LOKI ? &logproto__push_request__descriptor
	                                                 : oracle_root((enum signal)kind),
	                                 &sized, body.n, body.n ? body.p : &none);
}

/* ---- enrich() ---- */

struct split_value {
	enum verdict verdict;
	uint8_t *p; /* heap, no slack; NULL unless accepted */
	size_t n, edits;
	uint64_t items, spoofed;
};

static inline struct split_value split_enrich(enum split_kind kind, bool stamp, struct bytes body)
{
	struct split_value v = { .verdict = V_INVALID };

	if (split_is_otlp(kind)) {
		struct settings s = settings_of((enum signal)kind);
		struct outcome o;

		s.stamp = stamp;
		o = enrich_once(s, body, false, 0xff);
		v = (struct split_value){ o.verdict, take_ptr(&o.value), o.value_n,
			                  o.edits.n, o.e.items,          o.e.spoofed };
		outcome_done(&o);
	} else if (kind == OF_LOKI) {
		struct loki_settings s = loki_settings_of(LOKI_PROTOBUF);
		struct loki_outcome o;

		s.stamp = stamp;
		s.utf8 = UTF8_STRICT;
		o = loki_once(s, body, false, 0xff, 0);
		v = (struct split_value){ o.verdict, take_ptr(&o.value), o.value_n,
			                  o.edits.n, o.e.items,          o.e.spoofed };
		loki_outcome_done(&o);
	} else {
		struct rw_settings s = { .version = kind == OF_RW1 ? 1 : 2, .stamp = stamp };
		struct rw_outcome o = rw_once(s, body, false, 0xff);

		v = (struct split_value){ o.verdict, take_ptr(&o.value), o.value_n,
			                  o.edits.n, o.e.items,          o.e.spoofed };
		rw_outcome_done(&o);
	}
	if (v.verdict != V_ACCEPTED)
		free(take_ptr(&v.p));
	return v;
}

/* ---- what a message holds: of each item a hash of it and of all around it ---- */

struct flat_item {
	uint64_t hash;
	size_t alone; /* bytes of a message of this item; not of RW2 */
};
struct flat {
	struct flat_item *v;
	size_t n, cap;
};

struct around { /* an item */
	uint64_t hash;
	size_t envelopes[8]; /* bytes, from the request on */
	size_t depth;
};

static inline uint64_t flat_hash(uint64_t h, const void *p, size_t n)
{
	const uint8_t *byte = p;

	for (size_t i = 0; i < n; i++)
		h = (h ^ byte[i]) * 1099511628211u;
	return (h ^ n) * 1099511628211u;
}

static inline uint64_t flat_pack(uint64_t h, const ProtobufCMessage *m, size_t *n)
{
	uint8_t *packed = oracle_pack((ProtobufCMessage *)m, n);

	h = flat_hash(h, packed, *n);
	free(packed);
	return h;
}

static inline void flat_add(struct flat *f, const struct around *a, uint64_t hash, size_t bytes)
{
	for (size_t i = a->depth; i-- > 0;)
		bytes = a->envelopes[i] + 1 + pb_varint_size(bytes) + bytes;
	if (f->n == f->cap) {
		f->cap = f->cap ? 2 * f->cap : 64;
		f->v = xrealloc(f->v, f->cap, sizeof(*f->v));
	}
	f->v[f->n++] = (struct flat_item){ hash, bytes };
}

/* With its list of children empty, or its oneof without a member, m is packed; afterwards it is as
 * before. */
static inline void flat_enter(struct around *a, ProtobufCMessage *m, void *count, size_t bytes)
{
	static const uint8_t zeros[sizeof(size_t)];
	uint8_t saved[sizeof(size_t)];

	memcpy(saved, count, bytes);
	memcpy(count, zeros, bytes);
	a->hash = flat_pack(a->hash, m, &a->envelopes[a->depth++]);
	memcpy(count, saved, bytes);
}

static inline const ProtobufCFieldDescriptor *flat_children(const ProtobufCMessageDescriptor *d)
{
	static const char *const names[] = { "resource_spans",   "scope_spans",   "spans",
		                             "resource_metrics", "scope_metrics", "metrics",
		                             "data_points",      "resource_logs", "scope_logs",
		                             "log_records",      "streams",       "entries" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const ProtobufCFieldDescriptor *f =
			protobuf_c_message_descriptor_get_field_by_name(d, names[i]);

		if (f)
			return f;
	}
	return NULL;
}

static inline void flat_nested(struct flat *f, ProtobufCMessage *m, struct around a)
{
	const ProtobufCFieldDescriptor *field = flat_children(m->descriptor);
	size_t *n;

	if (m->descriptor == &opentelemetry__proto__metrics__v1__metric__descriptor) {
		Opentelemetry__Proto__Metrics__V1__Metric *metric = (void *)m;
		ProtobufCMessage *data = (void *)metric->gauge; /* all members share the place */

		if (!metric->data_case)
			return;
		a.hash = flat_hash(a.hash, &metric->data_case, sizeof(metric->data_case));
		flat_enter(&a, m, &metric->data_case, sizeof(metric->data_case));
		flat_nested(f, data, a);
		return;
	}
	if (!field) {
		size_t bytes;
		uint64_t hash = flat_pack(a.hash, m, &bytes);

		flat_add(f, &a, hash, bytes);
		return;
	}
	n = (size_t *)((char *)m + field->quantifier_offset);
	flat_enter(&a, m, n, sizeof(*n));
	for (size_t i = 0; i < *n; i++)
		flat_nested(f, (*(ProtobufCMessage ***)((char *)m + field->offset))[i], a);
}

static inline void flat_rw1(struct flat *f, v1_request *m)
{
	struct around a = { .envelopes = { 0 }, .depth = 1 };

	for (size_t i = 0; i < m->n_metadata; i++) {
		size_t bytes;
		uint64_t hash = flat_pack(3, &m->metadata[i]->base, &bytes);

		flat_add(f, &a, hash, bytes);
	}
	for (size_t i = 0; i < m->n_timeseries; i++) {
		v1_series *s = m->timeseries[i];
		size_t bytes;
		uint64_t hash = flat_pack(1, &s->base, &bytes);

		if (s->n_samples + s->n_histograms + s->n_exemplars)
			flat_add(f, &a, hash, bytes);
	}
}

static inline uint64_t flat_refs(uint64_t h, const v2_request *m, const uint32_t *refs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct bytes text = sized_text(m->symbols[refs[i]]);

		h = flat_hash(h, text.p, text.n);
	}
	return flat_hash(h, &n, sizeof(n));
}

/* The tree loses its refs. */
static inline void flat_rw2(struct flat *f, v2_request *m)
{
	struct around a = { .depth = 1 };
	size_t symbols = m->n_symbols, series = m->n_timeseries;
	uint64_t hash;

	m->n_symbols = m->n_timeseries = 0;
	hash = flat_pack(0, &m->base, &a.envelopes[0]);
	m->n_symbols = symbols;
	m->n_timeseries = series;
	for (size_t i = 0; i < series; i++) {
		v2_series *s = m->timeseries[i];
		uint64_t h = flat_refs(hash, m, s->labels_refs, s->n_labels_refs);
		size_t bytes;

		s->n_labels_refs = 0;
		for (size_t k = 0; k < s->n_exemplars; k++) {
			h = flat_refs(h, m, s->exemplars[k]->labels_refs,
			              s->exemplars[k]->n_labels_refs);
			s->exemplars[k]->n_labels_refs = 0;
		}
		if (s->metadata) {
			h = flat_refs(h, m, &s->metadata->help_ref, 1);
			h = flat_refs(h, m, &s->metadata->unit_ref, 1);
			s->metadata->help_ref = s->metadata->unit_ref = 0;
		}
		h = flat_pack(h, &s->base, &bytes);
		flat_add(f, &a, h, bytes);
	}
}

/* Canonical decoders merge a oneof's member that comes twice, protobuf-c replaces it: of each
 * Metric the pieces of the last member become one. level: 0 the request, 3 a Metric. */
static inline void flat_merge(struct bytes message, unsigned level, struct buf *out)
{
	static const uint32_t lists[] = { 0x0a, 0x12, 0x12 };
	static const uint32_t oneof[] = { 0x2a, 0x3a, 0x4a, 0x52, 0x5a };
	struct pb_cursor c = pb_cursor_of(message);
	struct buf inside;
	uint32_t last = 0;
	uint8_t head[11];
	struct pb_field f;

	buf_init(&inside, 64 * MIB);
	while (pb_next(&c, &f)) {
		bool is_member = false;

		for (size_t i = 0; level == 3 && i < ARRAY_LEN(oneof); i++)
			is_member |= f.tag == oneof[i];
		if (is_member && last != f.tag)
			inside.n = 0;
		if (is_member) {
			last = f.tag;
			buf_bytes(&inside, f.bytes);
		} else if (level < 3 && f.tag == lists[level]) {
			inside.n = 0;
			flat_merge(f.bytes, level + 1, &inside);
			head[0] = (uint8_t)f.tag;
			buf_add(out, head, 1 + pb_varint_write(inside.n, head + 1));
			buf_bytes(out, buf_view(&inside));
		} else {
			buf_add(out, f.at, (size_t)(f.end - f.at));
		}
	}
	if (last) {
		head[0] = (uint8_t)last;
		buf_add(out, head, 1 + pb_varint_write(inside.n, head + 1));
		buf_bytes(out, buf_view(&inside));
	}
	buf_done(&inside);
}

static inline void flat_of(struct flat *f, enum split_kind kind, struct bytes message)
{
	ProtobufCMessage *m;
	struct buf merged;

	buf_init(&merged, 64 * MIB);
	if (kind == OF_METRICS) {
		uint8_t *copy = loki_copy(message, 0xff);

		flat_merge(bytes_of(copy, message.n), 0, &merged);
		message = buf_view(&merged);
		free(copy);
	}
	m = split_unpack(kind, message);
	split_must(m != NULL, kind, message.n, "protobuf-c reads it");
	if (kind == OF_RW1)
		flat_rw1(f, (v1_request *)m);
	else if (kind == OF_RW2)
		flat_rw2(f, (v2_request *)m);
	else
		flat_nested(f, m, (struct around){ .depth = 0 });
	protobuf_c_message_free_unpacked(m, &sized);
	buf_done(&merged);
}

/* ---- a split as the worker does it ---- */

struct split_done {
	enum split answer; /* never SPLIT_ROOM */
	uint8_t *out;
	size_t n;
	struct slices parts;
	uint64_t rejected;
};

static inline void split_free(struct split_done *d)
{
	free(take_ptr(&d->out));
	slices_done(&d->parts);
}

/* Into no room, one byte too few, and enough; in memory that was used for something else. */
static inline struct split_done split_run(enum split_kind kind, struct bytes value, size_t limit)
{
	struct scratch scratch = { .p = xcalloc(1, 1000), .bytes = 1000 };
	struct split_in in = { .limit = limit,
		               .signal = split_is_otlp(kind) ? (enum signal)kind : SIGNAL_LOGS,
		               .scratch = &scratch };
	uint8_t *copy = loki_copy(value, 0xff);
	struct split_done d = { .n = 0 };
	size_t n;

	memset(scratch.p, 0xa5, scratch.bytes);
	in.value = bytes_of(copy, value.n);
	d.answer = split_of(kind)(&in, NULL, 0, &d.n, &d.parts, &d.rejected);
	if (d.answer == SPLIT_ROOM) {
		n = d.n;
		d.out = xcalloc(n, 1);
		d.answer = split_of(kind)(&in, d.out, n - 1, &d.n, &d.parts, &d.rejected);
		split_must(d.answer == SPLIT_ROOM && d.n == n && !d.out[n - 1], kind, limit,
		           "a byte too few is too few, and nothing is written behind");
		memset(d.out, 0xa5, n);
		d.answer = split_of(kind)(&in, d.out, n, &d.n, &d.parts, &d.rejected);
		split_must(d.answer == SPLIT_OK && d.n == n, kind, limit, "enough is enough");
	}
	split_must(d.answer != SPLIT_OK || d.out, kind, limit, "parts have bytes");
	free(copy);
	free(scratch.p);
	return d;
}

static inline void split_must_part(enum split_kind kind, bool stamp, size_t limit,
                                   struct bytes part, const struct slice *slice, uint64_t streams)
{
	struct split_value again = split_enrich(kind, stamp, part);

	split_must(again.verdict == V_ACCEPTED, kind, limit, "a part is accepted");
	split_must(again.items == slice->items, kind, limit, "with its items");
	if (!stamp)
		split_must(again.edits == 0, kind, limit, "without an edit");
	else if (kind == OF_RW2)
		split_must(again.spoofed == streams, kind, limit, "each series is stamped");
	else
		split_must(bytes_eq(bytes_of(again.p, again.n), part), kind, limit,
		           "stamped as it is");
	free(again.p);
}

/* The items are those of the value but for the rejected ones, in its order. */
static inline void split_must_equal(enum split_kind kind, size_t limit, const struct flat *before,
                                    const struct flat *after, uint64_t rejected)
{
	size_t k = 0;

	split_must(after->n + rejected == before->n, kind, limit, "no item more, none less");
	for (size_t i = 0; i < before->n; i++)
		k += k < after->n && before->v[i].hash == after->v[k].hash;
	split_must(k == after->n, kind, limit, "each as it was, where it was");
}

static inline void split_must_parts(enum split_kind kind, bool stamp, struct bytes value,
                                    uint64_t items, size_t limit, const struct split_done *d)
{
	struct flat before = { 0 }, after = { 0 };
	uint64_t sum = d->rejected;
	size_t at = 0;

	flat_of(&before, kind, value);
	split_must(d->parts.n > 0, kind, limit, "there are parts");
	split_must(split_is_otlp(kind) || !d->rejected, kind, limit, "only OTLP leaves out");
	for (size_t i = 0; i < d->parts.n; i++) {
		const struct slice *slice = &d->parts.v[i];
		struct bytes part = bytes_of(d->out + slice->at, slice->n);
		size_t then = after.n;

		split_must(slice->at == at && slice->n <= limit, kind, limit, "a part fits");
		split_must(slice->items > 0, kind, limit, "a part has items");
		flat_of(&after, kind, part);
		split_must_part(kind, stamp, limit, part, slice, after.n - then);
		at += slice->n;
		sum += slice->items;
	}
	split_must(at == d->n, kind, limit, "the parts are all there is");
	split_must(sum == items, kind, limit, "the items are all there");
	split_must_equal(kind, limit, &before, &after, d->rejected);
	free(before.v);
	free(after.v);
}

/* value: what enrich() made, with so many items. The answer is given back, split_free() it. */
static inline struct split_done split_judge(enum split_kind kind, bool stamp, struct bytes value,
                                            uint64_t items, size_t limit)
{
	struct split_done d = split_run(kind, value, limit), enough;

	split_must(d.answer != SPLIT_COUNT, kind, limit, "so few items are not too many parts");
	if (d.answer == SPLIT_OK) {
		split_must_parts(kind, stamp, value, items, limit, &d);
		return d;
	}
	split_must(d.n > limit, kind, limit, "what does not fit is larger than the limit");
	split_must(d.rejected == (split_is_otlp(kind) ? items : 0), kind, limit,
	           "what was left out");
	enough = split_run(kind, value, d.n);
	split_must(enough.answer == SPLIT_OK || (!split_is_otlp(kind) && enough.n > d.n), kind,
	           limit, "with so many bytes it fits");
	split_free(&enough);
	return d;
}
