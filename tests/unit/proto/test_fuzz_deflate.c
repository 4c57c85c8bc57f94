/* SPDX-License-Identifier: Apache-2.0 */
/* Replays the seeds of one member of deflate, and mutations of each, through the fuzzer's oracle. */
#include "tests/fuzz/fuzz_deflate.c"

#include <criterion/criterion.h>

#include "tests/unit/worker/fuzz_replay.h"

Test(fuzz_deflate, seeds_and_their_mutations_satisfy_the_oracle)
{
	fuzz_replay("tests/fuzz/seeds/deflate");
}
