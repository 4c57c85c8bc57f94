/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/status_tenants.c"

#include <criterion/criterion.h>
#include <stdio.h>

enum { TENANTS = 30, PAGES = 3 };

static struct worker w;
static struct top_tenants top;

static void set_up(void)
{
	int fd = limits_memfd(TENANTS + 1, TENANTS, NULL);

	w.limits = limits_map(fd, TENANTS + 1, TENANTS, NULL);
	cr_assert(w.limits);
	close(fd);
	for (unsigned i = 0; i < PAGES; i++) {
		fd = stats_memfd(TENANTS + 2, NULL);
		w.pages[i] = stats_map(fd, true, TENANTS + 2, NULL);
		cr_assert(w.pages[i]);
		close(fd);
	}
	w.page_count = PAGES;
}

static void tear_down(void)
{
	limits_unmap(w.limits);
	for (unsigned i = 0; i < PAGES; i++)
		stats_unmap(w.pages[i]);
}

TestSuite(status_tenants, .init = set_up, .fini = tear_down);

static unsigned tenant(uint32_t ordinal)
{
	char id[16];

	snprintf(id, sizeof(id), "t%u", ordinal);
	return limits_metric_slot(w.limits, ordinal, bytes_str(id));
}

static void add(unsigned slot, unsigned page, enum tenant_stat id, int64_t n)
{
	stats_tenant_add(w.pages[page], slot, SIGNAL_TRACES, id, n);
}

static unsigned turns(void)
{
	unsigned n = 1;

	while (top_tenants_more(&top, &w))
		n++;
	return n;
}

Test(status_tenants, twenty_are_told_those_with_the_most_bytes_first)
{
	for (uint32_t i = 0; i < TENANTS; i++) {
		unsigned slot = tenant(i);

		add(slot, 1, TS_TENANT_REQUESTS, 1);
		add(slot, 1 + i % 2, TS_TENANT_BYTES, i * 7 % TENANTS);
	}
	turns();
	cr_assert_eq(top.count, (unsigned)TOP_TENANTS);
	for (unsigned i = 0; i < TOP_TENANTS; i++)
		cr_assert_eq(top.v[i].sums[SUM_BYTES], TENANTS - 1 - i);
}

Test(status_tenants, a_tenants_words_are_summed_over_pages_and_signals)
{
	unsigned slot = tenant(3);

	for (unsigned page = 0; page < PAGES; page++) {
		add(slot, page, TS_TENANT_REQUESTS, 1);
		add(slot, page, TS_TENANT_BYTES, 10);
		add(slot, page, TS_ITEMS_ACCEPTED, 5);
		add(slot, page, TS_ITEMS_DELIVERED, 3);
		add(slot, page, TS_FAILED_TIMED_OUT, 1);
		add(slot, page, TS_ITEMS_IN_FLIGHT, 1);
		add(slot, page, TS_REFUSED_RATE, 2);
		add(slot, page, TS_REFUSED_BLOCKED, 4);
	}
	stats_tenant_add(w.pages[2], slot, SIGNAL_LOGS, TS_TENANT_BYTES, 100);
	turns();
	cr_assert_eq(top.count, 1u);
	cr_assert_eq(top.v[0].sums[SUM_REQUESTS], 3u);
	cr_assert_eq(top.v[0].sums[SUM_BYTES], 130u);
	cr_assert_eq(top.v[0].sums[SUM_ACCEPTED], 15u);
	cr_assert_eq(top.v[0].sums[SUM_DELIVERED], 9u);
	cr_assert_eq(top.v[0].sums[SUM_FAILED], 3u);
	cr_assert_eq(top.v[0].sums[SUM_IN_FLIGHT], 3u);
	cr_assert_eq(top.v[0].sums[SUM_REFUSED], 18u);
}

Test(status_tenants, who_is_nobody_or_did_nothing_is_not_told_and_the_rest_is_other)
{
	tenant(1);
	stats_tenant_add(w.pages[1], limits_metric_none(w.limits), SIGNAL_LOGS, TS_TENANT_REQUESTS,
	                 9);
	turns();
	cr_assert_eq(top.count, 0u);
	top.next = 0;
	stats_tenant_add(w.pages[1], limits_metric_other(w.limits), SIGNAL_LOGS, TS_TENANT_REQUESTS,
	                 9);
	turns();
	cr_assert_eq(top.count, 1u);
	cr_assert_str_eq(limits_metric_name(w.limits, top.v[0].slot), "_other");
}

Test(status_tenants, many_pages_are_the_work_of_several_turns)
{
	for (uint32_t i = 0; i < TENANTS; i++)
		add(tenant(i), 1, TS_TENANT_REQUESTS, 1);
	cr_assert_eq(turns(), 1u);
	for (unsigned i = PAGES; i < PAGES_MAX; i++)
		w.pages[i] = w.pages[1];
	w.page_count = PAGES_MAX;
	memset(&top, 0, sizeof(top));
	cr_assert_eq(turns(), TENANTS * PAGES_MAX / PAGES_A_TURN + 1u);
	cr_assert_eq(top.count, (unsigned)TOP_TENANTS);
	w.page_count = PAGES;
}
