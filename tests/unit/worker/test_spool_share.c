/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/spool_share.c"

#include <criterion/criterion.h>
#include <stdio.h>

static struct spool_shares *shares;

static void set_up(void)
{
	shares = spool_shares_new(1000);
}

static void tear_down(void)
{
	spool_shares_free(shares);
}
TestSuite(spool_share, .init = set_up, .fini = tear_down);

/* F67 */
Test(spool_share, a_tenant_may_fill_its_share_and_no_more_and_others_do_not_count)
{
	cr_expect(spool_shares_may(shares, BYTES("acme"), 1000));
	cr_expect_not(spool_shares_may(shares, BYTES("acme"), 1001));
	spool_shares_add(shares, BYTES("acme"), 1, 600);
	cr_expect(spool_shares_may(shares, BYTES("acme"), 400));
	cr_expect_not(spool_shares_may(shares, BYTES("acme"), 401));
	cr_expect(spool_shares_may(shares, BYTES("other"), 1000));
	spool_shares_sub(shares, BYTES("acme"), 600);
	cr_expect(spool_shares_may(shares, BYTES("acme"), 1000));
}

Test(spool_share, who_has_no_row_left_is_forgotten_whatever_was_counted)
{
	spool_shares_add(shares, BYTES("acme"), 2, 600);
	spool_shares_sub(shares, BYTES("acme"), 100);
	cr_expect_not_null(*find(shares, BYTES("acme")));
	spool_shares_sub(shares, BYTES("acme"), 900);
	cr_expect_null(*find(shares, BYTES("acme")));
	spool_shares_sub(shares, BYTES("acme"), 1); /* rows of a file that was counted by nobody */
}

Test(spool_share, many_tenants_are_told_apart)
{
	char name[16];

	for (unsigned i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "t%u", i);
		spool_shares_add(shares, bytes_str(name), 1, i);
	}
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "t%u", i);
		cr_expect(spool_shares_may(shares, bytes_str(name), 1000 - i));
		cr_expect_not(spool_shares_may(shares, bytes_str(name), 1001 - i));
	}
}
