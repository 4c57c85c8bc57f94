/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remote_write_v2_fast.c -- 2.0's fast path: one pass over a series as senders write it, one packed
 * list of refs in order of their names, then samples, then perhaps metadata. It only ever accepts;
 * what it does not know the general path judges, and both agree on what it accepts.
 */
#include "proto/remote_write_fast.h"
#include "proto/remote_write_v2.h"

enum { FAST_MAX_BYTES = 16 * KIB }; /* of a series */

/* A ref of one or two bytes; UINT32_MAX for others. Moves behind it. */
static inline uint32_t ref_fast(const uint8_t **p)
{
	uint32_t low = (*p)[0], high = (*p)[1];

	if (low < 0x80) {
		*p += 1;
		return low;
	}
	*p += 2;
	return high < 0x80 ? (low & 0x7f) | high << 7 : UINT32_MAX;
}

/* The refs of one packed list, names in strictly ascending order. Where ours belong, or NULL. */
static const uint8_t *labels_fast(const struct rw_v2 *v, const uint8_t *p, const uint8_t *end)
{
	const struct rw *rw = v->rw;
	const struct rw_symbol *last = NULL, *symbol;
	const uint8_t *insert = p, *body = rw->in->body.p;
	bool is_named = false;

	while (p < end) {
		uint32_t name = ref_fast(&p), value = ref_fast(&p);

		if (name >= v->n || value >= v->n)
			return NULL;
		symbol = &v->symbols[name];
		if (symbol->n == 0)
			return NULL;
		if (last && symbol->key <= last->key &&
		    (symbol->key < last->key ||
		     !name_before(body + last->at, last->n, body + symbol->at, symbol->n)))
			return NULL;
		last = symbol;
		if (symbol->key == rw->metric_key && symbol->n == METRIC_NAME.n) {
			if (!v->symbols[value].n)
				return NULL;
			is_named = true;
		}
		if (symbol->key > rw->stamp_key)
			continue;
		if (symbol->key == rw->stamp_key) {
			int order = name_compare(rw_text_of(v, name), rw->in->stamp_name);

			if (order == 0)
				return NULL;
			if (order > 0)
				continue;
		}
		insert = p;
	}
	return p == end && is_named ? insert : NULL;
}

/* {type 1, help_ref 3, unit_ref 4}, varints of up to three bytes; the last of each wins. */
static bool metadata_fast(const struct rw_v2 *v, const uint8_t *p, const uint8_t *end)
{
	uint32_t help = 0, unit = 0;

	while (p < end) {
		const uint8_t *value = p + 1;
		uint32_t n = value[0] & 0x7f, tag = *p;

		p = varint_fast(value);
		if (!p || p - value > 3)
			return false;
		if (p - value > 1)
			n |= (uint32_t)(value[1] & 0x7f) << 7;
		if (p - value > 2)
			n |= (uint32_t)value[2] << 14;
		if (tag == TAG_HELP_REF)
			help = n;
		else if (tag == TAG_UNIT_REF)
			unit = n;
		else if (tag != TAG_TYPE)
			return false;
	}
	return p == end && help < v->n && unit < v->n;
}

/* Samples, then perhaps metadata. */
static bool items_fast(const struct rw_v2 *v, struct bytes items, uint64_t *samples)
{
	const uint8_t *p = items.p, *const end = p + items.n;

	for (*samples = 0; p != end && p[0] == TAG_SAMPLE; ++*samples) {
		size_t n = p[1];

		if (n >= 0x80 || (ptrdiff_t)n + 2 > end - p || !sample_fast(p + 2, n))
			return false;
		p += 2 + n;
	}
	if (!*samples || p == end)
		return *samples > 0;
	return p[0] == TAG_V2_METADATA && p[1] < 0x80 && p[1] + 2 == end - p &&
	       metadata_fast(v, p + 2, end);
}

bool rw_v2_fast(struct rw_v2 *v, const struct pb_field *series)
{
	struct rw *rw = v->rw;
	struct pb_cursor c = pb_cursor_of(series->bytes);
	struct pb_field refs;
	const uint8_t *insert;
	uint64_t samples;

	if (series->bytes.n > FAST_MAX_BYTES || !pb_next(&c, &refs) || refs.tag != TAG_REFS)
		return false;
	insert = labels_fast(v, refs.bytes.p, refs.end);
	if (!insert || !items_fast(v, bytes_of(c.p, (size_t)(c.end - c.p)), &samples))
		return false;
	rw_weigh(rw, samples); /* series_judge() looks */
	rw->out->items += samples;
	rw->out->written[WRITTEN_SAMPLES] += samples;
	if (rw->has_stamp) {
		size_t prefix = (size_t)(refs.bytes.p - refs.length_at);
		size_t grown = pb_varint_size(refs.bytes.n + v->pair_n) + v->pair_n - prefix;

		rw_length(rw, series, (int64_t)grown);
		rw_length(rw, &refs, (int64_t)v->pair_n);
		edits_small(rw->out->edits, rw_offset(rw, insert), 0, v->pair, v->pair_n);
	}
	return true;
}
