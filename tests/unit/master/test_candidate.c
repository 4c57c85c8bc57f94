/* SPDX-License-Identifier: Apache-2.0 */
#include "master/candidate.c"

#include <criterion/criterion.h>

Test(candidate, the_number_of_workers_is_the_configured_one_or_one_per_core)
{
	struct conf conf = { .workers = 7 };
	cpu_set_t one;

	cr_expect_eq(worker_count(&conf), 7);
	conf.workers = 0;
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	cr_assert(sched_setaffinity(0, sizeof(one), &one) == 0);
	cr_expect_eq(worker_count(&conf), 1);
}
