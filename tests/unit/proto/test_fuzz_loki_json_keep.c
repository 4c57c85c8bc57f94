/* SPDX-License-Identifier: Apache-2.0 */
/* Replays the seeds of JSON that stays JSON, and some hundred mutations of each, by its oracle. */
#include "tests/fuzz/fuzz_loki_json_keep.c"

#include <criterion/criterion.h>

#include "tests/unit/worker/fuzz_replay.h"

/* B18 */
Test(fuzz_loki_json_keep, seeds_and_their_mutations_satisfy_the_oracle)
{
	fuzz_replay("tests/fuzz/seeds/loki_json_keep");
}
