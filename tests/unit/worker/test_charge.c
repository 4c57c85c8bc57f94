/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/charge.c"

#include "tests/unit/worker/fixture.h"

Test(charge, buffers_and_bytes_come_and_go_together)
{
	struct fixture *f = fixture_open();
	struct body *first, *second;

	fixture_begin(f, &f->public);
	first = charge_get(&f->r, 100);
	cr_assert_eq(f->r.charged, first->cap);
	charge_swap(&f->r, first, bytes_of(first->data, 100));
	second = charge_get(&f->r, 5000);
	cr_assert_eq(budget_used(f->w.budget), first->cap + second->cap);
	charge_swap(&f->r, second, bytes_of(second->data, 5000));
	cr_assert_eq(f->r.charged, second->cap);
	cr_assert_eq(f->r.body_mem, second);
	charge_swap(&f->r, second, bytes_of(second->data, 10)); /* the same one stays */
	cr_assert_eq(f->r.charged, second->cap);
	charge_put(&f->r, NULL);
	f->r.verdict = V_GONE;
	req_finish(&f->r);
	fixture_close(f);
}

Test(charge, what_is_refused_takes_nothing)
{
	struct fixture *f = fixture_open();

	fixture_begin(f, &f->public);
	cr_assert(budget_take(f->w.budget, 1, 0, budget_capacity(f->w.budget) - 1000));
	cr_assert_null(charge_get(&f->r, 10));
	cr_assert_eq(f->r.charged, 0);
	cr_assert(!charge_impossible(&f->r, 10));
	cr_assert(charge_impossible(&f->r, budget_capacity(f->w.budget) + 1));
	cr_assert(charge_impossible(&f->r, UINT64_MAX));
	budget_give(f->w.budget, 1, budget_capacity(f->w.budget) - 1000);
	f->r.verdict = V_GONE;
	req_finish(&f->r);
	fixture_close(f);
}
