/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remote_write_fast.c -- 1.0's fast path: one pass over a TimeSeries as senders write it, compiled
 * once per ISA (remote_write_run.h). It only ever accepts; what it does not know the general path
 * judges, and both agree on what it accepts (B18 of performance.md).
 */
#include "common/isa.h"
#include "proto/high_bits.h"
#include "proto/remote_write_fast.h"

enum { FAST_MAX_BYTES = 16 * KIB }; /* of a series: bounds its labels far below LABELS_MAX */

#define unlikely(x) __builtin_expect(!!(x), 0)
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

#define TARGET
#define RUN series_scalar
#define HIGH_BITS high_bits_scalar
#include "proto/remote_write_run.h"
#undef TARGET
#undef RUN
#undef HIGH_BITS

#if defined(__x86_64__)
#define TARGET
#define RUN series_sse2
#define HIGH_BITS high_bits_sse2
#include "proto/remote_write_run.h"
#undef TARGET
#undef RUN
#undef HIGH_BITS

#define TARGET TARGET_AVX2
#define RUN series_avx2
#define HIGH_BITS high_bits_avx2
#include "proto/remote_write_run.h"
#undef TARGET
#undef RUN
#undef HIGH_BITS
#endif

rw_fast_fn rw_fast_get(void)
{
	switch (isa_get()) {
#if defined(__x86_64__)
	case ISA_AVX2:
		return series_avx2;
	case ISA_SSE2:
		return series_sse2;
#else
	case ISA_AVX2:
	case ISA_SSE2:
#endif
	case ISA_COUNT:
	case ISA_SCALAR:
		return series_scalar;
	}
	assert(!"an isa");
	return series_scalar;
}
