/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_remote_write.c -- libFuzzer over remote_write 1.0; fuzz_remote_write.h says what must hold.
 */
#include "tests/fuzz/fuzz_remote_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	return fuzz(1, data, n);
}
