/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verdict.c -- the table behind verdict.h, straight from verdict.def. Pure data: whoever renders a
 * verdict brings the arguments of its text.
 */
#include "common/verdict.h"

static const struct verdict_info verdicts[VERDICT_COUNT] = {
#define VERDICT(name, status, flags, id, text) [V_##name] = { #name, status, flags, id, text },
#include "common/verdict.def"
#undef VERDICT
};

const struct verdict_info *verdict_get(enum verdict v)
{
	assert(v > V_NONE && v < VERDICT_COUNT); /* a stage that said REPLY without a verdict */
	return &verdicts[v];
}
