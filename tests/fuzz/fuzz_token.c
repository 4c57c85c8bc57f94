/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_token.c -- any bytes as a token, a tenant id and a token id, against a second reading of
 * records.md 2 that shares no code with common/token.c.
 */
#include <openssl/sha.h>
#include <stdio.h>

#include "common/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static uint32_t crc_bit_by_bit(const uint8_t *p, size_t n)
{
	uint32_t crc = 0xffffffff;

	for (; n > 0; n--, p++) {
		crc ^= *p;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

static bool all_of(const uint8_t *p, size_t n, const char *more)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] == 0 || (!strchr(alphabet, p[i]) && !strchr(more, p[i])))
			return false;
	return true;
}

static enum token_form expected_form(const uint8_t *p, size_t n)
{
	uint64_t crc = 0;

	if (n < 4 || memcmp(p, "hgt_", 4) != 0)
		return TOKEN_FOREIGN;
	if (n != 49 || p[12] != '_' || !all_of(p + 4, 8, "") || !all_of(p + 13, 36, ""))
		return TOKEN_MALFORMED;
	for (size_t i = 43; i < 49; i++) /* read as a number: the other way round than token.c */
		crc = crc * 62 + (uint64_t)(strchr(alphabet, p[i]) - alphabet);
	return crc == crc_bit_by_bit(p, 43) ? TOKEN_WELL_FORMED : TOKEN_MALFORMED;
}

static bool is_text(const uint8_t *p, size_t n, const char *text)
{
	return n == strlen(text) && memcmp(p, text, n) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct hasher *hasher;
	uint8_t ours[TOKEN_DIGEST_BYTES], theirs[SHA256_DIGEST_LENGTH];
	struct bytes in = bytes_of(data, size);
	bool reserved = is_text(data, size, ".") || is_text(data, size, "..") ||
	                is_text(data, size, "__mimir_cluster");

	if (!hasher)
		hasher = hasher_open(NULL);
	hasher_sha256(hasher, in, ours);
	SHA256(data, size, theirs);
	if (memcmp(ours, theirs, sizeof(ours)) != 0)
		abort();
	if (token_form(in) != expected_form(data, size))
		abort();
	if (tenant_id_ok(in) !=
	    (size >= 1 && size <= 150 && all_of(data, size, "!-_.*'()") && !reserved))
		abort();
	if (token_id_ok(in) != (size >= 1 && size <= 64 && all_of(data, size, "_-")))
		abort();
	return 0;
}
