/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "worker/sink_discard.c"

Test(sink_discard, a_record_is_done_with_inside_send)
{
	struct err err = { "" };
	void *sink = sink_discard.open(NULL, &err);
	struct record rec = { 0 };

	cr_assert_not_null(sink);
	cr_assert_eq(sink_discard.send(sink, &rec), V_ACCEPTED);
	cr_assert(sink_discard.idle(sink));
	sink_discard.close(sink);
}

Test(sink_discard, it_is_always_ready_and_bounds_no_record)
{
	struct err err = { "" };
	void *sink = sink_discard.open(NULL, &err);
	const char *check = NULL;
	char detail[16] = "x";

	cr_assert(sink_discard.ready(sink, &check, detail, sizeof(detail)));
	cr_assert_str_eq(check, "discard");
	cr_assert_str_empty(detail);
	cr_assert_null(sink_discard.ceiling);
	sink_discard.close(sink);
}
