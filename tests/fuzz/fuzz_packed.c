/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_packed.c -- any bytes as a packed configuration, behind the head of this build. Oracle: what
 * unpacks packs to the same bytes.
 */
#include "conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The head that conf_pack() writes: up to the build id. */
static size_t head_bytes(void)
{
	return 8 + sizeof(uint64_t) + strlen(conf_build_id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t *head;
	struct err err = { "" };
	size_t n = head_bytes(), bytes;
	uint8_t *packed = xcalloc(n + size, 1), *again;
	struct conf *conf;

	if (!head) {
		struct conf *defaults = conf_new();

		if (conf_pack(defaults, &head, &bytes, &err) < 0)
			abort();
		conf_free(defaults);
	}
	memcpy(packed, head, n);
	if (size)
		memcpy(packed + n, data, size);
	conf = conf_unpack(bytes_of(packed, n + size), &err);
	if (conf) {
		if (conf_pack(conf, &again, &bytes, &err) < 0)
			abort();
		if (!bytes_eq(bytes_of(packed, n + size), bytes_of(again, bytes)))
			abort();
		free(again);
	}
	conf_free(conf);
	free(packed);
	return 0;
}
