/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_replay.h -- a fuzzer's oracle over a folder of seeds, from the root of the tree.
 */
#pragma once
#include <dirent.h>
#include <stdio.h>

enum { REPLAY_MUTANTS = 300, REPLAY_SEEDS_MAX = 50 };

static inline size_t seed_read(const char *folder, const char *name, uint8_t *out, size_t cap)
{
	char path[400];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "r");
	cr_assert(f, "%s", path);
	n = fread(out, 1, cap, f);
	fclose(f);
	return n;
}

static inline void fuzz_replay(const char *folder)
{
	DIR *dir = opendir(folder);
	static uint8_t seed[8192], mutant[8192];
	uint32_t state = 1;
	unsigned seeds = 0;

	cr_assert(dir, "no %s: run from the root of the tree", folder);
	for (struct dirent *entry; (entry = readdir(dir));) {
		size_t n;

		if (entry->d_name[0] == '.')
			continue;
		seeds++;
		n = seed_read(folder, entry->d_name, seed, sizeof(seed));
		LLVMFuzzerTestOneInput(seed, n);
		for (unsigned i = 0; n && i < REPLAY_MUTANTS; i++) {
			memcpy(mutant, seed, n);
			for (unsigned k = 0; k <= i % 3; k++) {
				state = state * 1664525 + 1013904223;
				mutant[(state >> 8) % n] = (uint8_t)(state >> 24);
			}
			LLVMFuzzerTestOneInput(mutant, i % 5 ? n : n - 1);
		}
	}
	closedir(dir);
	cr_expect(seeds > 10 && seeds <= REPLAY_SEEDS_MAX, "%u seeds", seeds);
}
