/* SPDX-License-Identifier: Apache-2.0 */
#include "master/master.c"

#include <criterion/criterion.h>

Test(master, a_reload_does_not_put_off_the_rotation_of_the_ticket_keys)
{
	struct conf conf = { .tls = { .ticket_rotation = 3600000 } };
	struct master m = { .base = loop_open(NULL), .conf = &conf };
	struct timeval first, again;

	event_assign(&m.rotate, m.base, -1, EV_PERSIST, on_rotate, &m);
	arm_rotation(&m);
	cr_assert(event_pending(&m.rotate, EV_TIMEOUT, &first));
	/* As if it were due soon. */
	cr_assert_eq(event_add(&m.rotate, &(struct timeval){ 5, 0 }), 0);
	cr_assert(event_pending(&m.rotate, EV_TIMEOUT, &first));
	arm_rotation(&m);
	cr_assert(event_pending(&m.rotate, EV_TIMEOUT, &again));
	cr_expect_leq(again.tv_sec - first.tv_sec, 1, "it comes when it would have come");
	conf.tls.ticket_rotation = 7200000;
	arm_rotation(&m);
	cr_assert(event_pending(&m.rotate, EV_TIMEOUT, &again));
	cr_expect_gt(again.tv_sec - first.tv_sec, 7000, "another interval is taken over");
	event_del(&m.rotate);
	loop_close(m.base);
}
