/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isa.c -- asks the CPU once. The answer is one word that any thread may compute again with the
 * same result, so a race at the first call is harmless.
 */
#include "common/isa.h"

#include <string.h>

static const char *const isa_names[ISA_COUNT] = { "scalar", "sse2", "avx2" };
static int chosen = -1; /* enum isa once known */

static enum isa best_of_cpu(void)
{
#if defined(__x86_64__)
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") ? ISA_AVX2
	                                                                        : ISA_SSE2;
#else
	return ISA_SCALAR;
#endif
}

static enum isa choose(void)
{
	const char *forced = getenv("HEADGATE_ISA");
	enum isa best = best_of_cpu();

	for (int i = ISA_SCALAR; forced && i <= (int)best; i++)
		if (!strcmp(forced, isa_names[i]))
			return (enum isa)i;
	return best;
}

enum isa isa_get(void)
{
	int isa = __atomic_load_n(&chosen, __ATOMIC_RELAXED);

	if (isa < 0) {
		isa = (int)choose();
		__atomic_store_n(&chosen, isa, __ATOMIC_RELAXED);
	}
	return (enum isa)isa;
}

const char *isa_name(enum isa isa)
{
	return isa_names[isa];
}

bool isa_force(enum isa isa)
{
	if (isa > best_of_cpu())
		return false;
	__atomic_store_n(&chosen, (int)isa, __ATOMIC_RELAXED);
	return true;
}
