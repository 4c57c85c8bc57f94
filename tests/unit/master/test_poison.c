/* SPDX-License-Identifier: Apache-2.0 */
#include "master/poison.c"

#include <criterion/criterion.h>

Test(poison, the_third_death_within_a_minute_puts_a_tenant_aside_for_a_minute)
{
	struct poison p = { .count = 0 };
	uint32_t aside[POISON_ASIDE_MAX];

	cr_expect_not(poison_death(&p, 7, 1000));
	cr_expect_not(poison_death(&p, 7, 2000));
	cr_expect_not(poison_death(&p, 8, 2500), "another tenant's deaths are its own");
	cr_expect(poison_death(&p, 7, 60999));
	cr_expect_eq(poison_aside(&p, 61000, aside), 1);
	cr_expect_eq(aside[0], 7);
	cr_expect_eq(poison_aside(&p, 60999 + 59999, aside), 1);
	cr_expect_eq(poison_aside(&p, 60999 + 60000, aside), 0);
}

Test(poison, deaths_that_are_a_minute_apart_do_not_add_up)
{
	struct poison p = { .count = 0 };

	for (msec_t at = 1000; at < 600000; at += 30000)
		cr_expect_not(poison_death(&p, 7, at), "at %lld", (long long)at);
}

Test(poison, more_tenants_than_places_push_out_the_one_that_ends_first)
{
	struct poison p = { .count = 0 };
	uint32_t aside[POISON_ASIDE_MAX];

	for (uint32_t tenant = 0; tenant <= POISON_ASIDE_MAX; tenant++)
		for (int i = 0; i < POISON_DEATHS; i++)
			cr_expect_eq(poison_death(&p, tenant, 1000 + (msec_t)tenant * 10 + i),
			             i == POISON_DEATHS - 1);
	cr_expect_eq(poison_aside(&p, 2000, aside), POISON_ASIDE_MAX);
	for (unsigned i = 0; i < POISON_ASIDE_MAX; i++)
		cr_expect_neq(aside[i], 0);
}
