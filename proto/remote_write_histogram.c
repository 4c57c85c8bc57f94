/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remote_write_histogram.c -- the rules of a native histogram (protocols.md 5), the same in 1.0 and
 * 2.0. One pass in any order of fields collects what the rules speak of, as a decoder would merge
 * it: the last of a scalar, the last member of a oneof, lists packed or not.
 */
#include "proto/remote_write_private.h"

enum {
	TAG_COUNT_INT = 1 << 3,
	TAG_COUNT_FLOAT = 2 << 3 | 1,
	TAG_SUM = 3 << 3 | 1,
	TAG_SCHEMA = 4 << 3,
	TAG_ZERO_THRESHOLD = 5 << 3 | 1,
	TAG_ZERO_COUNT_INT = 6 << 3,
	TAG_ZERO_COUNT_FLOAT = 7 << 3 | 1,
	TAG_NEGATIVE_SPAN = 8 << 3 | 2,
	TAG_NEGATIVE_DELTA = 9 << 3,
	TAG_NEGATIVE_COUNT = 10 << 3 | 1,
	TAG_POSITIVE_SPAN = 11 << 3 | 2,
	TAG_POSITIVE_DELTA = 12 << 3,
	TAG_POSITIVE_COUNT = 13 << 3 | 1,
	TAG_CUSTOM_VALUE = 16 << 3 | 1,
	PACKED = 2, /* the wire type of the lists' packed form */

	TAG_SPAN_OFFSET = 1 << 3,
	TAG_SPAN_LENGTH = 2 << 3,

	SCHEMA_MIN = -9,
	SCHEMA_MAX = 52,
	SCHEMA_CUSTOM = -53,
};

struct side { /* positive or negative */
	uint64_t spans, covered; /* covered: sum of their lengths */
	int64_t extent; /* sum of offsets and lengths: at most 2^33 for each span */
	bool first_below_0, later_below_0; /* offsets */
	uint64_t deltas, counts; /* buckets of either kind */
	int64_t level; /* deltas summed up to here: the bucket at hand */
	uint64_t total; /* of the integer buckets */
	bool delta_below_0, delta_overflow, count_below_0;
};

struct histogram {
	bool is_float;
	uint64_t count;
	double sum;
	int32_t schema;
	double zero_threshold;
	uint64_t zero_int; /* the oneof's other member is 0 */
	double zero_float;
	struct side negative, positive;
	uint64_t bounds; /* custom values */
	double last_bound;
	bool bounds_unordered;
};

static void span_add(struct side *s, struct bytes span)
{
	struct pb_cursor c = pb_cursor_of(span);
	struct pb_field f;
	int32_t offset = 0;
	uint32_t length = 0;

	while (pb_next(&c, &f)) {
		if (f.tag == TAG_SPAN_OFFSET)
			offset = pb_zigzag32(f.value);
		else if (f.tag == TAG_SPAN_LENGTH)
			length = (uint32_t)f.value;
	}
	if (offset < 0)
		*(s->spans ? &s->later_below_0 : &s->first_below_0) = true;
	s->spans++;
	s->covered += length;
	s->extent += (int64_t)offset + length;
}

static void delta_add(struct side *s, uint64_t raw)
{
	s->deltas++;
	if (__builtin_add_overflow(s->level, pb_zigzag(raw), &s->level))
		s->delta_overflow = true;
	else if (s->level < 0)
		s->delta_below_0 = true;
	else if (__builtin_add_overflow(s->total, (uint64_t)s->level, &s->total))
		s->delta_overflow = true;
}

static void count_add(struct side *s, double count)
{
	s->counts++;
	s->count_below_0 |= count < 0;
}

static void bound_add(struct histogram *h, double bound)
{
	/* written so that a NaN is out of order, wherever it stands */
	if (bound != bound || (h->bounds && !(bound > h->last_bound)))
		h->bounds_unordered = true;
	h->last_bound = bound;
	h->bounds++;
}

static void deltas_add(struct side *s, const struct pb_field *f)
{
	const uint8_t *p = f->bytes.p, *end = p + f->bytes.n;
	uint64_t raw;

	while (p < end && (p = pb_varint_read(p, end, &raw)))
		delta_add(s, raw);
}

static uint64_t word_at(const uint8_t *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

static void counts_add(struct side *s, const struct pb_field *f)
{
	for (size_t i = 0; i + 8 <= f->bytes.n; i += 8)
		count_add(s, pb_double(word_at(f->bytes.p + i)));
}

/* A field of one side, numbered as on the negative one; false if it is none. */
static bool side_add(struct side *s, uint32_t tag, const struct pb_field *f)
{
	switch (tag) {
	case TAG_NEGATIVE_SPAN:
		span_add(s, f->bytes);
		return true;
	case TAG_NEGATIVE_DELTA:
		delta_add(s, f->value);
		return true;
	case TAG_NEGATIVE_DELTA | PACKED:
		deltas_add(s, f);
		return true;
	case TAG_NEGATIVE_COUNT:
		count_add(s, pb_double(f->value));
		return true;
	case (TAG_NEGATIVE_COUNT & ~7) | PACKED:
		counts_add(s, f);
		return true;
	}
	return false;
}

static void scalar_add(struct histogram *h, const struct pb_field *f)
{
	switch (f->tag) {
	case TAG_COUNT_INT:
		h->is_float = false;
		h->count = f->value;
		break;
	case TAG_COUNT_FLOAT:
		h->is_float = true;
		break;
	case TAG_SUM:
		h->sum = pb_double(f->value);
		break;
	case TAG_SCHEMA:
		h->schema = pb_zigzag32(f->value);
		break;
	case TAG_ZERO_THRESHOLD:
		h->zero_threshold = pb_double(f->value);
		break;
	case TAG_ZERO_COUNT_INT:
		h->zero_int = f->value;
		h->zero_float = 0;
		break;
	case TAG_ZERO_COUNT_FLOAT:
		h->zero_int = 0;
		h->zero_float = pb_double(f->value);
		break;
	case TAG_CUSTOM_VALUE:
		bound_add(h, pb_double(f->value));
		break;
	case (TAG_CUSTOM_VALUE & ~7) | PACKED:
		for (size_t i = 0; i + 8 <= f->bytes.n; i += 8)
			bound_add(h, pb_double(word_at(f->bytes.p + i)));
		break;
	}
}

static void collect(struct histogram *h, struct bytes message)
{
	const uint32_t apart = TAG_POSITIVE_SPAN - TAG_NEGATIVE_SPAN;
	struct pb_cursor c = pb_cursor_of(message);
	struct pb_field f;

	while (pb_next(&c, &f))
		if (!side_add(&h->negative, f.tag, &f) &&
		    !side_add(&h->positive, f.tag - apart, &f))
			scalar_add(h, &f);
}

static const char *side_judge(const struct histogram *h, const struct side *s)
{
	if (s->covered != (h->is_float ? s->counts : s->deltas))
		return "span lengths do not sum to the number of buckets";
	if (s->later_below_0)
		return "a span offset below 0 behind the first span";
	if (h->is_float ? s->count_below_0 : s->delta_below_0)
		return "a bucket below 0";
	if (!h->is_float && s->delta_overflow)
		return "buckets beyond 64 bits";
	return NULL;
}

static const char *custom_judge(const struct histogram *h)
{
	const struct side *n = &h->negative, *p = &h->positive;

	if (h->zero_int || h->zero_float != 0)
		return "schema -53 with a zero bucket";
	if (h->zero_threshold != 0)
		return "schema -53 with a zero threshold";
	if (n->spans || n->deltas || n->counts)
		return "schema -53 with negative buckets";
	if (p->first_below_0)
		return "schema -53 with a span offset below 0";
	if (h->bounds_unordered)
		return "custom_values are not strictly increasing";
	if (h->bounds && h->last_bound == __builtin_inf())
		return "the last of custom_values is +Inf";
	if ((uint64_t)p->extent > h->bounds + 1)
		return "spans reach beyond custom_values";
	return NULL;
}

static const char *count_judge(const struct histogram *h)
{
	uint64_t all;

	if (h->is_float)
		return h->zero_float < 0 ? "a zero bucket below 0" : NULL;
	if (__builtin_add_overflow(h->negative.total, h->positive.total, &all) ||
	    __builtin_add_overflow(all, h->zero_int, &all))
		return "buckets beyond 64 bits";
	if (h->sum != h->sum) /* NaN observations are in no bucket */
		return all > h->count ? "more in the buckets than count" : NULL;
	return all != h->count ? "count is not the sum of the buckets" : NULL;
}

const char *rw_histogram_judge(struct bytes message)
{
	struct histogram h = { 0 };
	const char *wrong = NULL;

	collect(&h, message);
	if (h.schema != SCHEMA_CUSTOM && (h.schema < SCHEMA_MIN || h.schema > SCHEMA_MAX))
		return "schema is none of -9..52 and -53";
	if (h.schema == SCHEMA_CUSTOM)
		wrong = custom_judge(&h);
	else if (h.bounds)
		wrong = "custom_values with another schema than -53";
	if (!wrong)
		wrong = side_judge(&h, &h.negative);
	if (!wrong)
		wrong = side_judge(&h, &h.positive);
	return wrong ? wrong : count_judge(&h);
}
