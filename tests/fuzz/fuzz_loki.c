/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_loki.c -- libFuzzer over Loki pushes in protobuf: the first byte picks what is done with
 * them, the rest is the message. fuzz_loki.h says what must hold.
 */
#include "tests/fuzz/fuzz_loki.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (n > 0)
		fuzz(settings_of_pick(data[0], LOKI_PROTOBUF), bytes_of(data + 1, n - 1));
	return 0;
}
