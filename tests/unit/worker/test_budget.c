/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include "worker/budget.c"

Test(budget, a_worker_gives_what_it_has_and_no_byte_more)
{
	struct budget *b = budget_new(1000, 100, 4);

	cr_assert(budget_take(b, 0, 0, 600));
	cr_assert(budget_take(b, 1, 0, 400));
	cr_assert(!budget_take(b, 2, 0, 1));
	cr_assert_eq(budget_used(b), 1000);
	cr_assert_eq(budget_capacity(b), 1000);
	budget_give(b, 1, 400);
	cr_assert(budget_take(b, 2, 0, 400));
	budget_give(b, 0, 600);
	budget_give(b, 2, 400);
	cr_assert_eq(budget_used(b), 0);
	budget_free(b);
}

Test(budget, a_refusal_takes_nothing)
{
	struct budget *b = budget_new(1000, 25, 4);

	cr_assert(budget_take(b, 3, 0, 200));
	cr_assert(!budget_take(b, 3, 0, 100));
	cr_assert(!budget_take(b, 0, 0, 801));
	cr_assert_eq(budget_used(b), 200);
	cr_assert(budget_take(b, 3, 0, 50));
	budget_free(b);
}

Test(budget, a_tenant_over_its_share_harms_no_other)
{
	struct budget *b = budget_new(1000, 25, 4);

	cr_assert(budget_take(b, 0, 0, 250));
	cr_assert(!budget_take(b, 0, 0, 1));
	cr_assert(budget_take(b, 1, 0, 250));
	budget_free(b);
}

Test(budget, one_large_request_may_pass_the_share_when_nothing_else_is_in_flight)
{
	struct budget *b = budget_new(1000, 25, 4);

	cr_assert(budget_take(b, 0, 0, 700));
	cr_assert(budget_take(b, 0, 700, 200)); /* the same request grows */
	cr_assert(!budget_take(b, 0, 0, 10)); /* a second one does not join */
	cr_assert(!budget_take(b, 0, 900, 200)); /* never beyond the worker's bytes */
	budget_give(b, 0, 900);
	cr_assert(budget_take(b, 0, 0, 10));
	cr_assert(!budget_take(b, 0, 0, 700)); /* 10 are in flight by another request */
	budget_free(b);
}

Test(budget, what_can_never_pass_is_known)
{
	struct budget *b = budget_new(1000, 25, 1);

	cr_assert(!budget_impossible(b, 1000));
	cr_assert(budget_impossible(b, 1001));
	cr_assert(!budget_take(b, 0, 0, UINT64_MAX));
	budget_free(b);
}

Test(budget, a_share_of_a_huge_budget_does_not_overflow)
{
	struct budget *b = budget_new(UINT64_MAX, 25, 1);

	cr_assert_eq(b->share, UINT64_MAX / 4);
	budget_free(b);
}

/* R19: the cap on what a tenant has in flight is one for all workers. */
Test(budget, what_a_tenant_holds_is_shown_to_others)
{
	struct stats_in_flight page[4] = { { 0 } };
	struct budget *b = budget_new(1000, 100, 4);

	budget_show(b, page);
	cr_assert(budget_take(b, 2, 0, 300));
	cr_assert_eq(page[2].bytes, 300);
	budget_give(b, 2, 100);
	cr_assert_eq(page[2].bytes, 200);
	budget_give(b, 2, 200);
	budget_free(b);
}
