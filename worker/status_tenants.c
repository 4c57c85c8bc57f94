/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/status_tenants.h"

#include <string.h>

#include "worker/worker.h"

enum {
	PAGES_A_TURN = 4096, /* a page of one slot is some 150 words: 4 ms at worst */
	READS_MAX = 100, /* while the master folds a dead worker's page */
};

const char *const tenant_sum_names[TENANT_SUMS] = {
	[SUM_REQUESTS] = "requests",   [SUM_BYTES] = "bytes",   [SUM_ACCEPTED] = "accepted",
	[SUM_DELIVERED] = "delivered", [SUM_FAILED] = "failed", [SUM_REFUSED] = "refused",
	[SUM_IN_FLIGHT] = "in_flight",
};

static void add_page(const struct stats *page, struct top_tenant *t)
{
	for (enum signal sig = 0; sig < SIGNAL_COUNT; sig++) {
		t->sums[SUM_REQUESTS] += stats_usage(page, t->slot, sig, USAGE_REQUESTS);
		t->sums[SUM_BYTES] += stats_tenant_get(page, t->slot, sig, TS_TENANT_BYTES);
		t->sums[SUM_ACCEPTED] += stats_usage(page, t->slot, sig, USAGE_ACCEPTED);
		t->sums[SUM_DELIVERED] += stats_usage(page, t->slot, sig, USAGE_DELIVERED);
		t->sums[SUM_FAILED] += stats_usage(page, t->slot, sig, USAGE_FAILED);
		t->sums[SUM_REFUSED] += stats_usage(page, t->slot, sig, USAGE_REFUSED) +
		                        stats_usage(page, t->slot, sig, USAGE_BLOCKED);
		t->sums[SUM_IN_FLIGHT] += stats_tenant_get(page, t->slot, sig, TS_ITEMS_IN_FLIGHT);
	}
}

/* Again while a page is being folded into the base, as in metrics.c. */
static void sum_slot(const struct worker *w, struct top_tenant *t)
{
	const struct stats *base = w->page_count > 1 ? w->pages[1] : NULL;

	for (unsigned i = 0; i < READS_MAX; i++) {
		uint32_t seq = base ? stats_read_begin(base) : 0;

		memset(t->sums, 0, sizeof(t->sums));
		for (unsigned page = 0; page < w->page_count; page++)
			if (w->pages[page])
				add_page(w->pages[page], t);
		if (!base || !stats_read_retry(base, seq))
			return;
	}
}

static bool is_before(const struct top_tenant *a, const struct top_tenant *b)
{
	if (a->sums[SUM_BYTES] != b->sums[SUM_BYTES])
		return a->sums[SUM_BYTES] > b->sums[SUM_BYTES];
	return a->sums[SUM_REQUESTS] > b->sums[SUM_REQUESTS];
}

static void insert(struct top_tenants *top, const struct top_tenant *t)
{
	unsigned at = top->count;

	while (at > 0 && is_before(t, &top->v[at - 1]))
		at--;
	if (at == TOP_TENANTS)
		return;
	if (top->count < TOP_TENANTS)
		top->count++;
	memmove(&top->v[at + 1], &top->v[at], (top->count - 1 - at) * sizeof(top->v[0]));
	top->v[at] = *t;
}

bool top_tenants_more(struct top_tenants *top, const struct worker *w)
{
	unsigned end = limits_metric_none(w->limits), pages = 0; /* who is nobody is no tenant */

	for (; top->next < end && pages < PAGES_A_TURN; top->next++) {
		struct top_tenant t = { .slot = top->next };

		if (!limits_metric_name(w->limits, top->next))
			continue;
		sum_slot(w, &t);
		pages += w->page_count;
		if (t.sums[SUM_REQUESTS] + t.sums[SUM_ACCEPTED] > 0)
			insert(top, &t);
	}
	return top->next < end;
}
