/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "master/tenant_limits.c"

Test(tenant_limits, a_burst_is_twice_its_rate_unless_given)
{
	struct named_limits in = {
		{ [BYTES_PER_S] = INT64_MAX, [ITEMS_PER_S] = 3, [ITEMS_BURST] = 1 }
	};
	struct tenant_limits out;
	enum limit_name wrong;

	cr_assert_null(tenant_limits_of(&in, &out, &wrong));
	cr_assert_eq(out.rates[LIMIT_BYTES].burst, UINT64_MAX - 1);
	cr_assert_eq(out.rates[LIMIT_ITEMS].burst, 1);
	cr_assert_eq(out.rates[LIMIT_REQUESTS].burst, 0);
}

Test(tenant_limits, of_two_the_smaller_counts_and_none_is_the_largest)
{
	struct tenant_limits a = { .rates = { { 5, 50 }, { 0, 0 }, { 7, 7 } },
		                   .max_body_bytes = 9 };
	const struct tenant_limits b = { .rates = { { 6, 12 }, { 3, 6 }, { 0, 0 } },
		                         .max_inflight_requests = 4 };

	tenant_limits_least(&a, &b);
	cr_assert_eq(a.rates[LIMIT_REQUESTS].per_s, 5);
	cr_assert_eq(a.rates[LIMIT_REQUESTS].burst, 12);
	cr_assert_eq(a.rates[LIMIT_BYTES].burst, 6);
	cr_assert_eq(a.rates[LIMIT_ITEMS].per_s, 7);
	cr_assert_eq(a.max_body_bytes, 9);
	cr_assert_eq(a.max_inflight_requests, 4);
}

Test(tenant_limits, a_share_is_never_no_limit)
{
	const struct tenant_limits all = { .rates = { { 1, 2 }, { 0, 0 }, { 100, 201 } },
		                           .max_inflight_bytes = 10 };
	struct tenant_limits out = tenant_limits_share(&all, 10);

	cr_assert_eq(out.rates[LIMIT_REQUESTS].per_s, 1);
	cr_assert_eq(out.rates[LIMIT_REQUESTS].burst, 1);
	cr_assert_eq(out.rates[LIMIT_BYTES].per_s, 0);
	cr_assert_eq(out.rates[LIMIT_ITEMS].burst, 20);
	cr_assert_eq(out.max_inflight_bytes, 10, "a host has its own memory");
}
