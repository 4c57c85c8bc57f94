/* SPDX-License-Identifier: Apache-2.0 */
#include "common/snapshot_build.c"

#include <criterion/criterion.h>

/* 64 million tokens with ids of 64 bytes ended the master by an assertion. */
Test(snapshot_build, what_32_bits_cannot_say_is_an_error_and_no_end)
{
	struct snapshot_cidr cidr = { .prefix = 128 };
	struct snapshot_token t = { .id = BYTES("0123ABcd"), .cidrs = &cidr, .cidr_count = 1 };
	struct snapshot_tenant tenant = { .id = BYTES("t") };
	const struct heap full[][2] = {
		{ { .n = UINT32_MAX - 8, .cap = UINT32_MAX }, { .n = 0 } },
		{ { .n = 0 }, { .n = UINT32_MAX * sizeof(cidr), .cap = SIZE_MAX } },
	};

	for (size_t i = 0; i < ARRAY_LEN(full); i++) {
		struct snapshot_builder *b = snapshot_builder_new(1);
		struct err err = { "" };

		snapshot_add_tenant(b, &tenant);
		b->details = full[i][0];
		b->cidrs = full[i][1];
		snapshot_add_token(b, &t);
		cr_expect_eq(snapshot_seal(b, &err), -1);
		cr_expect(strstr(err.text, "names and addresses"), "%s", err.text);
		snapshot_builder_free(b);
	}
}
