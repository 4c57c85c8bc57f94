/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gcra.h -- the generic cell rate algorithm on one shared word (records.md 3, ITU-T I.371 A.1): the
 * time at which a tenant would have been quiet all along, were it sending at its rate. Moved by
 * compare-and-swap alone, so a process may die anywhere, and all processes together keep the rate
 * exactly. Times are CLOCK_MONOTONIC's, which is one clock for all processes of a host.
 */
#pragma once
#include <stdatomic.h>
#include "common/base.h"

struct gcra_rate {
	uint64_t per_s; /* cost a second; 0: unlimited */
	uint64_t burst; /* cost at once, after quiet; not 0 with a rate */
};
typedef _Atomic uint64_t gcra_word; /* zeroed: quiet for ever */

#define GCRA_NEVER INT64_MAX

/* Takes `more` beside the `before` that the same request has taken already. 0: taken. Else nothing
 * was: GCRA_NEVER if before + more exceeds the burst, so that no waiting helps, or the ns after
 * which it would pass if nobody else sent. */
int64_t gcra_take(gcra_word *word, const struct gcra_rate *rate, uint64_t before, uint64_t more,
                  int64_t now_ns);
/* How long a cost would have to wait now; it takes nothing. 0: not at all. */
int64_t gcra_wait(const gcra_word *word, const struct gcra_rate *rate, uint64_t cost, int64_t now_ns);
/* What gcra_take() took, where the request failed for a fault of ours. */
void gcra_give(gcra_word *word, const struct gcra_rate *rate, uint64_t cost);
