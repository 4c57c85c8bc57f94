/* SPDX-License-Identifier: Apache-2.0 */
/*
 * random_rw.h -- random remote_write bodies over random_message.h's bytes: most of them valid, some
 * wrong in one rule; with r->odd in any order and shape that protobuf allows.
 */
#pragma once
#include "tests/unit/proto/random_message.h"

static inline bool one_in(struct random_message *r, uint32_t n)
{
	return random_below(r, n) == 0;
}

static inline void rw_text(struct random_message *r, uint32_t number, const char *text)
{
	size_t from;

	random_tag(r, number, 2);
	from = r->n;
	random_bytes(r, text, strlen(text));
	random_close(r, from);
}

static const char *const rw_names[] = {
	"A",
	"__name",
	"__name__",
	"__name___",
	"aa",
	"instance",
	"instance_1",
	"instance_1234",
	"instance_1235",
	"job",
	"namespace",
	"tenant",
	"tenant_ic",
	"tenant_id",
	"tenant_id_2",
	"tenant_ie",
	"zone",
	"\xc3\xa4",
	"z_very_long_label_name_that_goes_on_and_on_beyond_sixty_four_bytes_and_ends_1",
	"z_very_long_label_name_that_goes_on_and_on_beyond_sixty_four_bytes_and_ends_2",
};
enum { RW_NAMES = ARRAY_LEN(rw_names), RW_METRIC = 2 };

static inline const char *rw_value(struct random_message *r)
{
	static const char *const values[] = {
		"up", "", "\xe2\x82\xac", "/api/v1/things",
		"a value that is long, longer than one byte of length "
		"can say, if it goes on for a while like this one does: "
		"then it is off the one-byte path"
	};

	return values[random_below(r, ARRAY_LEN(values))];
}

/* Which names a series has, in which order; mostly unique and sorted. */
static inline size_t rw_choose(struct random_message *r, size_t chosen[static RW_NAMES + 2])
{
	size_t n = 0;

	for (size_t i = 0; i < RW_NAMES; i++)
		if ((i == RW_METRIC && !one_in(r, 50)) || one_in(r, 4))
			chosen[n++] = i;
	if (one_in(r, 50))
		chosen[n++] = random_below(r, RW_NAMES);
	for (size_t i = 0; n > 1 && one_in(r, 3) && i < n; i++) {
		size_t k = random_below(r, (uint32_t)n), swap = chosen[i];

		chosen[i] = chosen[k];
		chosen[k] = swap;
	}
	return n;
}

static inline void rw_label(struct random_message *r, const char *name)
{
	bool metric = !strcmp(name, "__name__") && !one_in(r, 50);
	size_t from;

	random_tag(r, 1, 2);
	from = r->n;
	if (r->odd && one_in(r, 10))
		rw_text(r, 1, "tenant_id");
	if (r->odd && one_in(r, 10))
		rw_text(r, 2, "value first");
	rw_text(r, 1, one_in(r, 200) ? "" : name);
	if (metric)
		rw_text(r, 2, "up");
	else if (!one_in(r, 10))
		rw_text(r, 2, rw_value(r));
	if (r->odd && one_in(r, 10))
		random_unknown(r);
	random_close(r, from);
}

static inline void rw_sample(struct random_message *r, uint32_t number)
{
	uint64_t bits = random_u64(r);
	size_t from;

	random_tag(r, number, 2);
	from = r->n;
	if (!one_in(r, 5)) {
		random_tag(r, 1, 1);
		random_bytes(r, &bits, 8);
	}
	if (!one_in(r, 10)) {
		random_tag(r, 2, 0);
		random_put_varint(r, one_in(r, 5) ? random_u64(r) : 1764000000000, 10);
	}
	if (one_in(r, 5)) {
		random_tag(r, 3, 0);
		random_put_varint(r, 1763000000000, 10);
	}
	if (r->odd && one_in(r, 10))
		random_unknown(r);
	random_close(r, from);
}

/* A list in one of its shapes; put writes the i-th element. */
static inline void rw_list(struct random_message *r, uint32_t number, unsigned wire, size_t n,
                           void (*put)(struct random_message *r, const void *list, size_t i),
                           const void *list)
{
	size_t i = 0;

	while (i < n) {
		size_t run = r->odd && one_in(r, 2) ? 1 + random_below(r, 4) : n, from;

		run = min_size(run, n - i);
		if (r->odd && one_in(r, 3)) {
			random_tag(r, number, wire);
			put(r, list, i++);
			continue;
		}
		random_tag(r, number, 2);
		from = r->n;
		while (run--)
			put(r, list, i++);
		random_close(r, from);
	}
}

static inline void rw_put_zigzag(struct random_message *r, const void *list, size_t i)
{
	int64_t v = ((const int64_t *)list)[i];

	random_put_varint(r, (uint64_t)v << 1 ^ (uint64_t)(v >> 63), 10);
}

static inline void rw_put_double(struct random_message *r, const void *list, size_t i)
{
	random_bytes(r, (const double *)list + i, 8);
}

static inline void rw_put_ref(struct random_message *r, const void *list, size_t i)
{
	random_put_varint(r, ((const uint32_t *)list)[i], 10);
}

static inline void rw_span(struct random_message *r, uint32_t number, int32_t offset,
                           uint32_t length)
{
	size_t from;

	random_tag(r, number, 2);
	from = r->n;
	if (offset) {
		random_tag(r, 1, 0);
		random_put_varint(r, (uint32_t)offset << 1 ^ (uint32_t)(offset >> 31), 10);
	}
	if (length) {
		random_tag(r, 2, 0);
		random_put_varint(r, length, 10);
	}
	random_close(r, from);
}

/* One side, spans at field `number`; gives the sum of its buckets. */
static inline uint64_t rw_side(struct random_message *r, uint32_t number, bool is_float,
                               bool custom)
{
	int64_t deltas[8], level = 0;
	double counts[8];
	uint64_t sum = 0;
	size_t n = random_below(r, 9), left = n;

	for (size_t i = 0; i < n; i++) {
		int64_t next = (int64_t)random_below(r, 100);

		if (one_in(r, 100))
			next = one_in(r, 2) ? -1 : INT64_MAX;
		deltas[i] = (int64_t)((uint64_t)next - (uint64_t)level);
		counts[i] = (double)next;
		level = next;
		sum += (uint64_t)next;
	}
	for (bool first = true; left || one_in(r, 3); first = false) {
		size_t length = left ? random_below(r, (uint32_t)left + 1) : 0;
		int32_t offset = (int32_t)random_below(r, 3);

		if ((first && !custom && one_in(r, 2)) || one_in(r, 100))
			offset = -offset;
		rw_span(r, number, offset, (uint32_t)length);
		left -= length;
	}
	if (n && one_in(r, 60))
		n--;
	if (is_float)
		rw_list(r, number + 2, 1, n, rw_put_double, counts);
	else
		rw_list(r, number + 1, 0, n, rw_put_zigzag, deltas);
	return sum;
}

static inline void rw_histogram(struct random_message *r, uint32_t number)
{
	bool is_float = one_in(r, 2), custom = one_in(r, 4);
	double bounds[40], sum = one_in(r, 5) ? __builtin_nan("") : 1.5;
	uint64_t all = 0, zero = custom && !one_in(r, 50) ? 0 : random_below(r, 10);
	int32_t schema = custom ? -53 : one_in(r, 50) ? -10 : (int32_t)random_below(r, 62) - 9;
	double zero_float = (double)zero, count_float = 7;
	size_t from, n = custom ? 30 : one_in(r, 50) ? 2 : 0;

	random_tag(r, number, 2);
	from = r->n;
	if (r->odd && one_in(r, 10)) {
		random_tag(r, 1, 0);
		random_put_varint(r, 99, 10);
	}
	random_tag(r, 4, 0);
	random_put_varint(r, (uint32_t)schema << 1 ^ (uint32_t)(schema >> 31), 10);
	random_tag(r, 3, 1);
	random_bytes(r, &sum, 8);
	all = rw_side(r, 11, is_float, custom);
	if (!custom || one_in(r, 50))
		all += rw_side(r, 8, is_float, custom);
	random_tag(r, is_float ? 7 : 6, is_float ? 1 : 0);
	if (is_float)
		random_bytes(r, &zero_float, 8);
	else
		random_put_varint(r, zero, 10);
	for (size_t i = 0; i < n; i++)
		bounds[i] = one_in(r, 300) ? __builtin_nan("") : (double)i;
	rw_list(r, 16, 1, n, rw_put_double, bounds);
	random_tag(r, is_float ? 2 : 1, is_float ? 1 : 0);
	if (is_float)
		random_bytes(r, &count_float, 8);
	else
		random_put_varint(r, all + zero + one_in(r, 30), 10);
	if (r->odd && one_in(r, 5))
		random_unknown(r);
	random_close(r, from);
}

static inline void rw_v1_exemplar(struct random_message *r)
{
	double value = 2;
	size_t from;

	random_tag(r, 3, 2);
	from = r->n;
	for (uint32_t i = random_below(r, 3); i-- > 0;)
		rw_label(r, rw_names[random_below(r, RW_NAMES)]);
	random_tag(r, 2, 1);
	random_bytes(r, &value, 8);
	random_close(r, from);
}

static inline void rw_v1_items(struct random_message *r, uint32_t n)
{
	while (n-- > 0) {
		if (one_in(r, 6))
			rw_v1_exemplar(r);
		else if (one_in(r, 6))
			rw_histogram(r, 4);
		else
			rw_sample(r, 2);
	}
}

static inline void rw_v1_series(struct random_message *r)
{
	size_t chosen[RW_NAMES + 2], n = rw_choose(r, chosen), from;

	random_tag(r, 1, 2);
	from = r->n;
	for (size_t i = 0; i < n; i++) {
		rw_label(r, rw_names[chosen[i]]);
		if (r->odd && one_in(r, 8))
			rw_v1_items(r, 1);
		if (r->odd && one_in(r, 16))
			random_unknown(r);
	}
	rw_v1_items(r, one_in(r, 4) ? random_below(r, 5) : 0);
	if (one_in(r, 2))
		rw_sample(r, 2);
	random_close(r, from);
}

static inline void rw_v1_metadata(struct random_message *r)
{
	size_t from;

	random_tag(r, 3, 2);
	from = r->n;
	random_tag(r, 1, 0);
	random_put_varint(r, random_below(r, 9), 10);
	rw_text(r, 2, "up");
	rw_text(r, 4, rw_value(r));
	random_close(r, from);
}

static inline void rw_v1_body(struct random_message *r)
{
	for (uint32_t n = random_below(r, 6); n-- > 0 && r->n < sizeof(r->out) / 2;) {
		if (one_in(r, 5))
			rw_v1_metadata(r);
		else
			rw_v1_series(r);
		if (r->odd && one_in(r, 8))
			random_unknown(r);
	}
}

/* Symbols: "", the names, some values, and at times the tenant or a name once more. */
enum { RW_VALUES = 4 };

static inline uint32_t rw_symbols(struct random_message *r)
{
	uint32_t n = 1 + RW_NAMES + RW_VALUES;

	rw_text(r, 4, one_in(r, 100) ? "x" : "");
	for (size_t i = 0; i < RW_NAMES; i++)
		rw_text(r, 4, rw_names[i]);
	for (uint32_t i = 0; i < RW_VALUES; i++)
		rw_text(r, 4, i ? "some value" : "up");
	for (; one_in(r, 3); n++)
		rw_text(r, 4, one_in(r, 2) ? "acme" : rw_names[random_below(r, RW_NAMES)]);
	return n;
}

static inline uint32_t rw_ref(struct random_message *r, uint32_t symbols)
{
	return random_below(r, one_in(r, 200) ? symbols + 3 : symbols);
}

static inline void rw_v2_exemplar(struct random_message *r, uint32_t symbols)
{
	uint32_t refs[4] = { rw_ref(r, symbols), rw_ref(r, symbols), rw_ref(r, symbols), 0 };
	size_t from;

	random_tag(r, 4, 2);
	from = r->n;
	rw_list(r, 1, 0, one_in(r, 50) ? 3 : 2 * random_below(r, 3), rw_put_ref, refs);
	random_close(r, from);
}

static inline void rw_v2_metadata(struct random_message *r, uint32_t symbols)
{
	size_t from;

	random_tag(r, 5, 2);
	from = r->n;
	for (uint32_t number = 1; number <= 4; number++)
		if (number != 2 && one_in(r, 2)) {
			random_tag(r, number, 0);
			random_put_varint(r, rw_ref(r, symbols), 10);
		}
	random_close(r, from);
}

static inline void rw_v2_items(struct random_message *r, uint32_t symbols, bool histograms)
{
	for (uint32_t n = one_in(r, 30) ? 0 : 1 + random_below(r, 2); n-- > 0;) {
		if (histograms)
			rw_histogram(r, 3);
		else
			rw_sample(r, 2);
	}
	if (one_in(r, 4))
		rw_v2_exemplar(r, symbols);
	if (one_in(r, 40))
		rw_sample(r, 2);
}

static inline void rw_v2_series(struct random_message *r, uint32_t symbols)
{
	uint32_t refs[2 * (RW_NAMES + 2)];
	size_t chosen[RW_NAMES + 2], n = rw_choose(r, chosen), from;
	bool early = r->odd && one_in(r, 3), histograms = one_in(r, 4);

	for (size_t i = 0; i < n; i++) {
		refs[2 * i] = one_in(r, 300) ? rw_ref(r, symbols) : 1 + (uint32_t)chosen[i];
		refs[2 * i + 1] = rw_ref(r, symbols);
		if (chosen[i] == RW_METRIC && !one_in(r, 20))
			refs[2 * i + 1] = 1 + RW_NAMES;
	}
	random_tag(r, 5, 2);
	from = r->n;
	if (early)
		rw_v2_items(r, symbols, histograms);
	rw_list(r, 1, 0, 2 * n - (n && one_in(r, 100)), rw_put_ref, refs);
	if (!early)
		rw_v2_items(r, symbols, histograms);
	if (one_in(r, 2))
		rw_v2_metadata(r, symbols);
	if (r->odd && one_in(r, 5))
		random_unknown(r);
	random_close(r, from);
}

static inline void rw_v2_body(struct random_message *r)
{
	uint32_t most = 1 + RW_NAMES + RW_VALUES;
	bool behind = r->odd && one_in(r, 3);

	if (!behind)
		most = rw_symbols(r);
	for (uint32_t n = random_below(r, 5); n-- > 0 && r->n < sizeof(r->out) / 2;) {
		rw_v2_series(r, most);
		if (r->odd && one_in(r, 8))
			random_unknown(r);
	}
	if (behind)
		rw_symbols(r);
}

/* The bytes live in r until the next call. */
static inline struct bytes random_rw(struct random_message *r, unsigned version)
{
	r->n = 0;
	if (version == 1)
		rw_v1_body(r);
	else
		rw_v2_body(r);
	assert(r->n < sizeof(r->out) - 64);
	return bytes_of(r->out, r->n);
}
