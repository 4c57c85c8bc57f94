/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <ctype.h>

#include "common/verdict.c"

#include "common/bytes.h"

Test(verdict, each_has_a_name_a_status_an_id_and_a_text)
{
	for (int v = V_NONE + 1; v < VERDICT_COUNT; v++) {
		const struct verdict_info *info = verdict_get((enum verdict)v);

		cr_assert(info->name && info->id && info->text, "verdict %d", v);
		cr_assert(info->status >= 200 && info->status < 600, "%s", info->name);
		cr_assert(info->id[0] && info->text[0], "%s", info->name);
	}
}

Test(verdict, ids_differ_and_hold_label_characters_only)
{
	for (int v = V_NONE + 1; v < VERDICT_COUNT; v++) {
		const char *id = verdict_get((enum verdict)v)->id;

		for (const char *p = id; *p; p++)
			cr_assert(islower((unsigned char)*p) || *p == '-', "%s", id);
		for (int w = v + 1; w < VERDICT_COUNT; w++)
			cr_assert_str_neq(id, verdict_get((enum verdict)w)->id);
	}
}

Test(verdict, refusals_begin_with_hg_and_successes_do_not)
{
	for (int v = V_NONE + 1; v < VERDICT_COUNT; v++) {
		bool hg = strncmp(verdict_get((enum verdict)v)->id, "hg-", 3) == 0;

		cr_assert_eq(hg, !verdict_is_success((enum verdict)v), "%s",
		             verdict_get((enum verdict)v)->id);
	}
}

Test(verdict, who_may_try_again_is_told_when)
{
	for (int v = V_NONE + 1; v < VERDICT_COUNT; v++) {
		const struct verdict_info *info = verdict_get((enum verdict)v);

		cr_assert_eq((info->flags & VF_RETRY) != 0,
		             info->status == 503 || info->status == 429, "%s", info->id);
	}
}

Test(verdict, none_is_refused_by_an_assert, .signal = 6)
{
	verdict_get(V_NONE);
}
