/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stats_page.h -- the layout of a stats page, between stats.c and stats_render.c alone.
 */
#pragma once
#include "common/stats.h"

typedef _Atomic uint64_t stat_word;

enum { HISTOGRAM_SUM_US = HISTOGRAM_BOUNDS + 1, HISTOGRAM_COUNT };

struct stat_info {
	const char *name;
	enum stat_type type;
	enum stat_dim a, b;
	const char *help;
	size_t word; /* of its first series */
};
extern const struct stat_info stat_info[STAT_COUNT];

struct tenant_stat_info { /* those of one name follow each other; only the first has a help */
	const char *name;
	enum stat_type type;
	const char *reason; /* NULL: the family has no such label */
	bool by_signal; /* else `reason` is a kind, and all signals are one */
	const char *help;
};
extern const struct tenant_stat_info tenant_stat_info[TS_COUNT];

/* One word of a histogram: a bucket (not summed up), then +Inf, HISTOGRAM_SUM_US, HISTOGRAM_COUNT.
 */
uint64_t stats_histogram_word(const struct stats *s, enum stat_id id, unsigned a, unsigned word);
