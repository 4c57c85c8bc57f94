/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status_tenants.h -- the tenants that sent most, for the status page: the words of their metric
 * slots, summed over all stats pages. Called by worker/status.c, a part a turn.
 */
#pragma once
#include "common/base.h"
struct worker;

enum { TOP_TENANTS = 20 };
enum tenant_sum {
	SUM_REQUESTS, /* answered */
	SUM_BYTES, /* decoded, accepted: the order of the list */
	SUM_ACCEPTED,
	SUM_DELIVERED,
	SUM_FAILED,
	SUM_REFUSED,
	SUM_IN_FLIGHT,
	TENANT_SUMS
};
extern const char *const tenant_sum_names[TENANT_SUMS];

struct top_tenant {
	unsigned slot; /* limits_metric_name() has its name */
	uint64_t sums[TENANT_SUMS];
};
struct top_tenants { /* zeroed: begins */
	struct top_tenant v[TOP_TENANTS]; /* those with the most first */
	unsigned count;
	unsigned next; /* metric slot to look at */
};

/* Some more slots: false once all were looked at. */
bool top_tenants_more(struct top_tenants *top, const struct worker *w);
