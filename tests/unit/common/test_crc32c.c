/* SPDX-License-Identifier: Apache-2.0 */
#include "common/crc32c.c"

#include <criterion/criterion.h>

/* RFC 3720 B.4 */
static const struct {
	uint8_t first, step;
	size_t n;
	uint32_t crc;
} vectors[] = {
	{ 0x00, 0, 32, 0x8a9136aa },
	{ 0xff, 0, 32, 0x62a8ab43 },
	{ 0x00, 1, 32, 0x46dd794e },
	{ 0x1f, 0xff, 32, 0x113fdb5c },
};

static void check_vectors(void)
{
	uint8_t text[32];

	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		for (size_t k = 0; k < sizeof(text); k++)
			text[k] = (uint8_t)(vectors[i].first + k * vectors[i].step);
		cr_expect_eq(crc32c(bytes_of(text, vectors[i].n)), vectors[i].crc, "vector %zu", i);
	}
	cr_expect_eq(crc32c(BYTES("123456789")), 0xe3069283u);
	cr_expect_eq(crc32c(BYTES_NONE), 0u);
}

Test(crc32c, the_vectors_of_the_rfc_hold)
{
	check_vectors();
}

Test(crc32c, the_table_says_the_same)
{
	uint8_t text[300];

	cr_assert(isa_force(ISA_SCALAR));
	check_vectors();
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(i * 7 + (i >> 3));
	for (size_t n = 0; n < sizeof(text); n++) {
		uint32_t slow = crc32c(bytes_of(text + n % 8, n - n % 8));

		isa_force(ISA_AVX2); /* where the CPU can */
		cr_expect_eq(crc32c(bytes_of(text + n % 8, n - n % 8)), slow, "%zu bytes", n);
		isa_force(ISA_SCALAR);
	}
}
