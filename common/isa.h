/* SPDX-License-Identifier: Apache-2.0 */
/*
 * isa.h -- which kernels this CPU may run: the scalar ones always, others by CPUID at run time, so
 * that one build serves every x86-64 (and others by the scalar kernels). HEADGATE_ISA=scalar|sse2|
 * avx2 forces a lower one, for gates and tests; a name that this CPU cannot run changes nothing.
 */
#pragma once
#include "common/base.h"

enum isa { ISA_SCALAR, ISA_SSE2, ISA_AVX2, ISA_COUNT };

enum isa isa_get(void); /* CPUID and the environment are read once, at the first call */
const char *isa_name(enum isa isa);
bool isa_force(enum isa isa); /* tests and benches only; false if this CPU cannot run it */
