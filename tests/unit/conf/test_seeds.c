/* SPDX-License-Identifier: Apache-2.0 */
/* The seeds of the fuzzers of conf/, once each: a finding that became a seed stays fixed. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>

#define LLVMFuzzerTestOneInput fuzz_yaml
#include "tests/fuzz/fuzz_yaml.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_packed
#include "tests/fuzz/fuzz_packed.c"

static size_t replay(const char *folder, int (*fuzz)(const uint8_t *data, size_t size))
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	size_t seeds = 0;

	cr_assert_not_null(dir, "%s", folder);
	while ((entry = readdir(dir))) {
		static uint8_t data[64 * KIB];
		char path[512];
		size_t n;
		FILE *f;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		f = fopen(path, "r");
		cr_assert_not_null(f, "%s", path);
		n = fread(data, 1, sizeof(data), f);
		fclose(f);
		cr_assert_eq(fuzz(data, n), 0, "%s", path);
		seeds++;
	}
	closedir(dir);
	return seeds;
}

Test(seeds, each_seed_of_the_loader_passes_its_oracles)
{
	size_t seeds = replay("tests/fuzz/seeds/yaml", fuzz_yaml);

	cr_assert(seeds >= 10 && seeds <= 50, "%zu", seeds);
}

Test(seeds, each_seed_of_the_packed_form_passes_its_oracle)
{
	size_t seeds = replay("tests/fuzz/seeds/packed", fuzz_packed);

	cr_assert(seeds >= 5 && seeds <= 50, "%zu", seeds);
}
