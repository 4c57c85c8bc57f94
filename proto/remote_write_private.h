/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remote_write_private.h -- what remote_write's files share: remote_write.c reads the top level and
 * has the walker check each field of it, remote_write_v1.c and _v2.c judge a TimeSeries and say its
 * edits, _fast.c does both at once for series in their usual shape, _histogram.c judges a native
 * histogram. Nobody else includes this.
 */
#pragma once
#include "proto/pb_read.h"
#include "proto/remote_write.h"

/* number << 3 | wire type */
enum {
	TAG_V1_SERIES = 0x0a, /* WriteRequest.timeseries */
	TAG_V1_METADATA = 0x1a,
	TAG_V2_SYMBOL = 0x22, /* Request.symbols */
	TAG_V2_SERIES = 0x2a, /* Request.timeseries */

	TAG_V1_LABEL = 0x0a, /* TimeSeries (1.0).labels */
	TAG_V1_EXEMPLAR = 0x1a,
	TAG_V1_HISTOGRAM = 0x22,
	TAG_NAME = 0x0a, /* Label.name */
	TAG_VALUE = 0x12,

	TAG_REFS = 0x0a, /* TimeSeries (2.0), Exemplar (2.0).labels_refs, packed */
	TAG_REF = 0x08, /* not packed */
	TAG_V2_HISTOGRAM = 0x1a,
	TAG_V2_EXEMPLAR = 0x22,
	TAG_V2_METADATA = 0x2a,
	TAG_TYPE = 0x08, /* Metadata.type */
	TAG_HELP_REF = 0x18, /* Metadata.help_ref */
	TAG_UNIT_REF = 0x20,

	TAG_SAMPLE = 0x12, /* TimeSeries.samples, 1.0 and 2.0 */
	TAG_SAMPLE_VALUE = 0x09,
	TAG_SAMPLE_TIME = 0x10,
	TAG_SAMPLE_START = 0x18,
};

#define METRIC_NAME BYTES("__name__")

struct rw { /* of one body */
	const struct enrich_in *in;
	struct enriched *out;
	struct pb_walk *walk;
	bool exact;
	bool has_stamp; /* record.enrich is body */
	uint64_t series; /* index of the TimeSeries at hand */
	uint64_t weight, weight_max; /* of items: rw_weigh() */
	uint64_t stamp_key; /* name_key() of the reserved name */
	uint64_t metric_key; /* and of __name__ */
};

/* The first 8 bytes as a number, zeros behind a shorter text: a smaller key is a smaller text,
 * equal keys say nothing. Reads 8 bytes whatever n is. */
static inline uint64_t name_key(const uint8_t *p, size_t n)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	word = __builtin_bswap64(word);
	return n < 8 ? word & ~(UINT64_MAX >> (8 * n)) : word;
}

static inline int name_compare(struct bytes a, struct bytes b)
{
	size_t n = min_size(a.n, b.n);
	int d = n ? memcmp(a.p, b.p, n) : 0;

	return d ? d : (a.n > b.n) - (a.n < b.n);
}

static inline size_t rw_offset(const struct rw *rw, const uint8_t *p)
{
	return (size_t)(p - rw->in->body.p);
}

/* ---- remote_write.c ---- */

/* Checks one top-level field; false: say V_INVALID, and the reason is found later. */
bool rw_walk(struct rw *rw, const struct pb_field *f) MUST_USE;
enum verdict rw_refuse(struct rw *rw, const char *format, ...) PRINTF_LIKE(2, 3);
enum verdict rw_count(struct rw *rw, const char *what, uint64_t counted, uint64_t limit);
/*
 * Items before anything is done for them: so many in any body, and one more for so many bytes of it.
 * What says anything takes more; what says nothing would come 32 million times in 64 MiB. A native
 * histogram, which takes longer to judge and is longer, weighs as two.
 */
enum { ITEMS_FREE = 65536, ITEM_BYTES = 8, WEIGHT_HISTOGRAM = 2 };
static inline bool rw_weigh(struct rw *rw, uint64_t weight)
{
	rw->weight += weight;
	return rw->weight <= rw->weight_max;
}
enum verdict rw_heavy(struct rw *rw); /* V_COUNT, after rw_weigh() said false */
/* text as it may stand in a reason: escaped, and cut. */
enum { SHOWN_MAX = 64 };
const char *rw_shown(struct bytes text, char out[static SHOWN_MAX]);
/* The length prefix of a field that grows by `growth`, before the edits inside. */
void rw_length(struct rw *rw, const struct pb_field *f, int64_t growth);
/* Indices sorted by less(context, a, b), stable; spare has room for as many. */
void rw_sort(uint32_t *list, uint32_t *spare, size_t n,
             bool (*less)(const void *context, uint32_t a, uint32_t b), const void *context);

/* ---- remote_write_v1.c, _v2.c: V_ACCEPTED is "go on" ---- */

enum verdict rw_v1_series(struct rw *rw, const struct pb_field *series);
enum verdict rw_v2_body(struct rw *rw);

/* ---- remote_write_fast.c ---- */

struct rw_fast {
	const uint8_t *insert; /* where our label belongs */
	uint64_t samples;
};
/* A series of 1.0 in its usual shape: labels in order of their names, all ASCII and short, then
 * samples. False: anything else, good or bad. */
typedef bool (*rw_fast_fn)(const struct rw *rw, struct bytes series, struct rw_fast *out);
rw_fast_fn rw_fast_get(void);

/* ---- remote_write_histogram.c ---- */

/* NULL, or what is wrong with a native histogram that the walker found well-formed. */
const char *rw_histogram_judge(struct bytes histogram);
