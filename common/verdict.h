/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verdict.h -- every outcome of a request has one name (common/verdict.def). A stage can only say a
 * verdict; the route's dialect renders it.
 */
#pragma once
#include "common/base.h"

enum verdict {
	V_NONE, /* not decided yet */
#define VERDICT(name, status, flags, id, text) V_##name,
#include "common/verdict.def"
#undef VERDICT
	VERDICT_COUNT
};

enum { VF_RETRY = 1, VF_CLOSE = 2 };

struct verdict_info {
	const char *name;
	int status; /* HTTP; a dialect may map it */
	unsigned flags;
	const char *id;
	const char *text; /* printf format */
};

const struct verdict_info *verdict_get(enum verdict v); /* v in [1, VERDICT_COUNT) */
static inline bool verdict_is_success(enum verdict v)
{
	return verdict_get(v)->status < 300;
}
