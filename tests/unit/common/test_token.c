/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "common/token.c"

static const char vector[] = "hgt_0123ABcd_0123456789ABCDEFGHIJabcdefghij1g9dVr"; /* records.md 2 */

/* R12 */
Test(token, the_vector_of_the_page_verifies)
{
	cr_assert_eq(strlen(vector), TOKEN_BYTES);
	cr_assert_eq(crc32_ieee((const uint8_t *)vector), 0x5bbbd28b);
	cr_assert_eq(token_form(BYTES(vector)), TOKEN_WELL_FORMED);
}

Test(token, the_vector_has_the_digest_of_the_page)
{
	struct hasher *h = hasher_open(NULL);
	uint8_t got[TOKEN_DIGEST_BYTES], want[TOKEN_DIGEST_BYTES];
	bool ok = hex_decode(
		BYTES("8e78db53a94ab47aaf24c56e9d1a573504deec4026bcf25e4abd4f5ece5bdb5d"), want,
		sizeof(want));

	cr_assert(ok && h);
	for (int again = 0; again < 3; again++) { /* the context is used again */
		hasher_sha256(h, BYTES(vector), got);
		cr_assert_arr_eq(got, want, sizeof(want));
		hasher_sha256(h, BYTES_NONE, got);
		cr_assert_eq(got[0], 0xe3); /* SHA-256 of nothing: e3b0c442... */
	}
	hasher_close(h);
}

/* R12: any one-character change after the prefix, without a hasher at hand. */
Test(token, any_changed_character_is_refused)
{
	char token[TOKEN_BYTES + 1];

	for (size_t at = PREFIX_BYTES; at < TOKEN_BYTES; at++)
		for (int c = 0; c < 256; c++) {
			strcpy(token, vector);
			if ((char)c == token[at])
				continue;
			token[at] = (char)c;
			cr_assert_eq(token_form(bytes_of(token, TOKEN_BYTES)), TOKEN_MALFORMED,
			             "byte %zu, 0x%02x", at, (unsigned)c);
		}
}

Test(token, a_wrong_length_is_malformed_and_another_prefix_is_foreign)
{
	char longer[TOKEN_BYTES + 2] = { 0 };

	strcpy(longer, vector);
	longer[TOKEN_BYTES] = '0';
	for (size_t n = PREFIX_BYTES; n < TOKEN_BYTES; n++)
		cr_assert_eq(token_form(bytes_of(vector, n)), TOKEN_MALFORMED);
	cr_assert_eq(token_form(bytes_of(longer, TOKEN_BYTES + 1)), TOKEN_MALFORMED);
	for (size_t n = 0; n < PREFIX_BYTES; n++)
		cr_assert_eq(token_form(bytes_of(vector, n)), TOKEN_FOREIGN);
	cr_assert_eq(token_form(BYTES("HGT_0123ABcd_0123456789ABCDEFGHIJabcdefghij1g9dVr")),
	             TOKEN_FOREIGN);
	cr_assert_eq(token_form(BYTES("\0\xff any bytes")), TOKEN_FOREIGN);
	cr_assert_eq(token_form(BYTES_NONE), TOKEN_FOREIGN);
}

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

Test(token, the_crc_by_tables_is_the_crc_bit_by_bit)
{
	uint8_t text[CRC_AT] = "hgt_";
	uint32_t x = 1;

	cr_assert_eq(crc_bit_by_bit((const uint8_t *)"123456789", 9),
	             0xcbf43926); /* the usual check value */
	for (int i = 0; i < 2000; i++) {
		for (size_t at = PREFIX_BYTES; at < sizeof(text); at++)
			text[at] = (uint8_t)((x = x * 1664525 + 1013904223) >> 24);
		cr_assert_eq(crc32_ieee(text), crc_bit_by_bit(text, sizeof(text)), "round %d", i);
	}
}

/* The number of a crc beyond 32 bits is none, whatever its low half. */
Test(token, a_crc_of_more_than_32_bits_is_malformed)
{
	uint64_t number = crc32_ieee((const uint8_t *)vector) + (UINT64_C(1) << 32);
	char token[sizeof(vector)];

	strcpy(token, vector);
	for (int i = TOKEN_BYTES - 1; i >= CRC_AT; i--, number /= BASE)
		token[i] = digits[number % BASE];
	cr_assert_eq(number, 0);
	cr_assert_eq(token_form(bytes_of(token, TOKEN_BYTES)), TOKEN_MALFORMED);
}

Test(token, new_ones_are_well_formed_and_differ)
{
	char a[TOKEN_BYTES + 1], b[TOKEN_BYTES + 1];

	for (int i = 0; i < 1000; i++) {
		cr_assert_eq(token_new(a, NULL), 0);
		cr_assert_eq(token_new(b, NULL), 0);
		cr_assert_eq(strlen(a), TOKEN_BYTES);
		cr_assert_eq(token_form(bytes_str(a)), TOKEN_WELL_FORMED, "%s", a);
		cr_assert_str_neq(a, b);
	}
}

Test(token, new_ones_use_all_digits_about_equally)
{
	unsigned seen[256] = { 0 };
	char token[TOKEN_BYTES + 1];

	for (int i = 0; i < 2000; i++) {
		cr_assert_eq(token_new(token, NULL), 0);
		for (size_t at = SEPARATOR_AT + 1; at < CRC_AT; at++)
			seen[(uint8_t)token[at]]++;
	}
	for (int i = 0; i < BASE; i++) /* 968 are expected; a biased % 62 would give 1172 to some */
		cr_assert(seen[(uint8_t)digits[i]] > 820 && seen[(uint8_t)digits[i]] < 1120,
		          "%c: %u", digits[i], seen[(uint8_t)digits[i]]);
}

/* R10 (the same rules as the schema's) */
Test(token, tenant_ids_follow_the_page)
{
	char id[TENANT_ID_MAX + 2];

	memset(id, 'a', sizeof(id));
	cr_assert(tenant_id_ok(bytes_of(id, TENANT_ID_MAX)));
	cr_assert_not(tenant_id_ok(bytes_of(id, TENANT_ID_MAX + 1)));
	cr_assert(tenant_id_ok(BYTES("Az09!-_.*'()")));
	cr_assert(tenant_id_ok(BYTES("...")));
	cr_assert(tenant_id_ok(BYTES("__mimir_cluster_")));
	cr_assert_not(tenant_id_ok(BYTES_NONE));
	cr_assert_not(tenant_id_ok(BYTES(".")));
	cr_assert_not(tenant_id_ok(BYTES("..")));
	cr_assert_not(tenant_id_ok(BYTES("__mimir_cluster")));
	cr_assert_not(tenant_id_ok(BYTES("a|b")));
	cr_assert_not(tenant_id_ok(BYTES("a:b")));
	cr_assert_not(tenant_id_ok(BYTES("a/b")));
	cr_assert_not(tenant_id_ok(BYTES("a b")));
	cr_assert_not(tenant_id_ok(BYTES("a\0b")));
	cr_assert_not(tenant_id_ok(BYTES("\xc3\xa4")));
}

Test(token, token_ids_follow_the_page)
{
	char id[66];

	memset(id, 'z', sizeof(id));
	cr_assert(token_id_ok(bytes_of(id, 64)));
	cr_assert_not(token_id_ok(bytes_of(id, 65)));
	cr_assert(token_id_ok(BYTES("a-Z_9")));
	cr_assert_not(token_id_ok(BYTES_NONE));
	cr_assert_not(token_id_ok(BYTES("a.b")));
	cr_assert_not(token_id_ok(BYTES("a\n")));
}

Test(token, a_topic_prefix_of_a_tenant_is_as_the_schema_has_it)
{
	char prefix[TENANT_PREFIX_MAX + 1];

	memset(prefix, '.', sizeof(prefix));
	cr_assert(tenant_prefix_ok(bytes_of(prefix, TENANT_PREFIX_MAX)));
	cr_assert_not(tenant_prefix_ok(bytes_of(prefix, sizeof(prefix))));
	cr_assert(tenant_prefix_ok(BYTES("aZ09._-")));
	cr_assert_not(tenant_prefix_ok(BYTES_NONE));
	cr_assert_not(tenant_prefix_ok(BYTES("{tenant}")));
	cr_assert_not(tenant_prefix_ok(BYTES("a/b")));
	cr_assert_not(tenant_prefix_ok(BYTES("a\0b")));
}
