/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "master/ordinals.c"

static uint32_t told[8];
static size_t told_count;

static void on_retired(void *arg, uint32_t ordinal)
{
	(void)arg;
	told[told_count++] = ordinal;
}

Test(ordinals, none_is_given_twice_nor_beyond_the_limit)
{
	struct ordinals o;

	ordinals_init(&o, 3);
	for (uint32_t i = 0; i < 3; i++)
		cr_assert_eq(ordinals_take(&o), i);
	cr_assert_eq(ordinals_take(&o), NO_ORDINAL);
	ordinals_done(&o);
}

Test(ordinals, one_given_back_waits_for_the_table_without_it)
{
	struct ordinals o;

	ordinals_init(&o, 1);
	cr_assert_eq(ordinals_take(&o), 0);
	ordinals_leave(&o, 0, 7);
	ordinals_leave(&o, NO_ORDINAL, 1);
	cr_assert_eq(ordinals_take(&o), NO_ORDINAL);
	cr_assert_eq(ordinals_served(&o, 6, on_retired, NULL), 0);
	cr_assert_eq(ordinals_take(&o), NO_ORDINAL);
	cr_assert_eq(ordinals_served(&o, 8, on_retired, NULL), 1);
	cr_assert_eq(told_count, 1);
	cr_assert_eq(told[0], 0);
	cr_assert_eq(ordinals_take(&o), 0);
	cr_assert_eq(ordinals_served(&o, 9, NULL, NULL), 0);
	ordinals_done(&o);
}

Test(ordinals, many_may_wait)
{
	struct ordinals o;

	ordinals_init(&o, 1000);
	for (uint32_t i = 0; i < 1000; i++)
		ordinals_leave(&o, ordinals_take(&o), i);
	cr_assert_eq(ordinals_served(&o, 499, NULL, NULL), 500);
	cr_assert_eq(ordinals_served(&o, 999, NULL, NULL), 500);
	for (uint32_t i = 0; i < 1000; i++)
		cr_assert_lt(ordinals_take(&o), 1000);
	cr_assert_eq(ordinals_take(&o), NO_ORDINAL);
	ordinals_done(&o);
}
