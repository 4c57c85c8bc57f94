/* SPDX-License-Identifier: Apache-2.0 */
/* Replays the seeds, and a few hundred mutations of each, through the fuzzer's oracle. */
#include "tests/fuzz/fuzz_jwt.c"

#include <criterion/criterion.h>

#include "tests/unit/worker/fuzz_replay.h"

Test(fuzz_jwt, seeds_and_their_mutations_satisfy_the_oracle)
{
	fuzz_replay("tests/fuzz/seeds/jwt");
}
