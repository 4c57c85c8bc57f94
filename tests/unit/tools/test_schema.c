/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/schema.c"

#include <criterion/criterion.h>

Test(schema, a_version_is_three_digits_and_a_name)
{
	cr_expect_eq(version_of("001_tenants.sql"), 1);
	cr_expect_eq(version_of("042_more-words.sql"), 42);
	cr_expect_eq(version_of("1_tenants.sql"), 0);
	cr_expect_eq(version_of("0001_tenants.sql"), 0);
	cr_expect_eq(version_of("001tenants.sql"), 0);
	cr_expect_eq(version_of("001_.sql"), 0);
	cr_expect_eq(version_of("001_tenants.sql~"), 0);
	cr_expect_eq(version_of("README"), 0);
	cr_expect_eq(version_of(""), 0);
}
