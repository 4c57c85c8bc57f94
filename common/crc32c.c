/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crc32c.c -- the instruction where the CPU has it (SSE 4.2 comes with everything that has AVX2),
 * else a nibble table: small, constant, shared by threads. Values are checked once when they are
 * stored; nothing hot stands on the slow way.
 */
#include "common/crc32c.h"

#include "common/isa.h"

/* The remainders of the 16 nibbles for the reflected polynomial 0x82f63b78. */
static const uint32_t nibbles[16] = {
	0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
	0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
	0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

static uint32_t by_table(uint32_t crc, struct bytes b)
{
	for (size_t i = 0; i < b.n; i++) {
		crc ^= b.p[i];
		crc = (crc >> 4) ^ nibbles[crc & 15];
		crc = (crc >> 4) ^ nibbles[crc & 15];
	}
	return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t crc, struct bytes b)
{
	uint64_t wide = crc, word;

	for (; b.n >= sizeof(word); b = bytes_from(b, sizeof(word))) {
		memcpy(&word, b.p, sizeof(word));
		wide = __builtin_ia32_crc32di(wide, word);
	}
	crc = (uint32_t)wide;
	for (size_t i = 0; i < b.n; i++)
		crc = __builtin_ia32_crc32qi(crc, b.p[i]);
	return crc;
}
#endif

uint32_t crc32c(struct bytes b)
{
#if defined(__x86_64__)
	if (isa_get() >= ISA_AVX2)
		return ~by_instruction(~0u, b);
#endif
	return ~by_table(~0u, b);
}
