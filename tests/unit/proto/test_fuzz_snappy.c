/* SPDX-License-Identifier: Apache-2.0 */
/* Replays the seeds of snappy blocks, and a few thousand mutations of each, through the fuzzer's
 * oracle. */
#include "tests/fuzz/fuzz_snappy.c"

#include <criterion/criterion.h>

#include <dirent.h>

#define SEEDS "tests/fuzz/seeds/snappy"

static size_t seed_read(const char *name, uint8_t *out, size_t cap)
{
	char path[300];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), SEEDS "/%s", name);
	f = fopen(path, "r");
	cr_assert(f, "%s", path);
	n = fread(out, 1, cap, f);
	fclose(f);
	return n;
}

Test(fuzz_snappy, seeds_and_their_mutations_satisfy_the_oracle)
{
	DIR *folder = opendir(SEEDS);
	uint8_t seed[4096], mutant[4096];
	uint32_t state = 1;
	int seeds = 0;

	cr_assert(folder, "no " SEEDS ": run from the root of the tree");
	for (struct dirent *entry; (entry = readdir(folder));) {
		size_t n;

		if (entry->d_name[0] == '.')
			continue;
		seeds++;
		n = seed_read(entry->d_name, seed, sizeof(seed));
		LLVMFuzzerTestOneInput(seed, n);
		for (int i = 0; n && i < 200; i++) {
			memcpy(mutant, seed, n);
			for (int k = 0; k <= i % 3; k++) {
				state = state * 1664525 + 1013904223;
				mutant[(state >> 8) % n] = (uint8_t)(state >> 24);
			}
			LLVMFuzzerTestOneInput(mutant, i % 5 ? n : n - 1);
		}
	}
	closedir(folder);
	cr_expect(seeds > 10 && seeds <= 50, "%d seeds", seeds);
}
