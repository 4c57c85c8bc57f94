/* SPDX-License-Identifier: Apache-2.0 */
/* Replays the transcoder's seeds, and some hundred mutations of each, through its oracle. */
#include "tests/fuzz/fuzz_otlp_json.c"

#include <criterion/criterion.h>

#include "tests/unit/worker/fuzz_replay.h"

/* B18 */
Test(fuzz_otlp_json, seeds_and_their_mutations_satisfy_the_oracle)
{
	fuzz_replay("tests/fuzz/seeds/otlp_json");
}
