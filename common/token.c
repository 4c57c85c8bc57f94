/* SPDX-License-Identifier: Apache-2.0 */
/*
 * token.c -- SHA-256 through one fetched EVP_MD, and the form of hgt_ tokens (records.md 2):
 * hgt_<id 8>_<secret 30><crc 6>, base62, crc = CRC-32 of the first 43 bytes. Called for each
 * request that brings a credential, so nothing here allocates; nothing here may print or keep a
 * token.
 */
#include "common/token.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <sys/random.h>

enum {
	PREFIX_BYTES = 4,
	CRC_DIGITS = 6,
	CRC_AT = TOKEN_BYTES - CRC_DIGITS, /* the 43 bytes that the crc covers */
	SEPARATOR_AT = PREFIX_BYTES + TOKEN_ID_BYTES,
	BASE = 62,
	FAIR_BYTES = 248, /* 4 * 62: bytes from here on would favour the first digits */
};

static const char digits[BASE + 1] =
	"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

struct hasher {
	EVP_MD *md;
	EVP_MD_CTX *context;
};

struct hasher *hasher_open(struct err *err)
{
	struct hasher *h = xcalloc(1, sizeof(*h));

	h->md = EVP_MD_fetch(NULL, "SHA256", NULL);
	h->context = EVP_MD_CTX_new();
	if (!h->md || !h->context) {
		err_set(err, "OpenSSL offers no SHA-256: %s",
		        ERR_reason_error_string(ERR_peek_last_error()));
		hasher_close(h);
		return NULL;
	}
	return h;
}

void hasher_close(struct hasher *h)
{
	if (!h)
		return;
	EVP_MD_CTX_free(h->context);
	EVP_MD_free(h->md);
	free(h);
}

void hasher_sha256(struct hasher *h, struct bytes in, uint8_t out[static TOKEN_DIGEST_BYTES])
{
	/* With a fetched digest and a used context none of these allocates or fails; a digest that
	 * is not one must never be looked up, whatever the build. */
	if (!EVP_DigestInit_ex2(h->context, h->md, NULL) ||
	    !EVP_DigestUpdate(h->context, in.p, in.n) || !EVP_DigestFinal_ex(h->context, out, NULL))
		abort();
}

/*
 * CRC-32 (IEEE 802.3, reflected 0xedb88320), four bytes at a time through tables of half bytes: the
 * eight reads of a step do not wait for each other, and 512 bytes stay in the first cache. Row k
 * holds the remainders of a half byte followed by k others. By hand since the worker's only CRC-32
 * sits in libdeflate, which has one door (proto/encoding.c), and the master links neither.
 */
/* clang-format off */
static const uint32_t crc_table[8][16] = {
	{ 0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
	  0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c },
	{ 0x00000000, 0x77073096, 0xee0e612c, 0x990951ba, 0x076dc419, 0x706af48f, 0xe963a535, 0x9e6495a3,
	  0x0edb8832, 0x79dcb8a4, 0xe0d5e91e, 0x97d2d988, 0x09b64c2b, 0x7eb17cbd, 0xe7b82d07, 0x90bf1d91 },
	{ 0x00000000, 0x4ac21251, 0x958424a2, 0xdf4636f3, 0xf0794f05, 0xbabb5d54, 0x65fd6ba7, 0x2f3f79f6,
	  0x3b83984b, 0x71418a1a, 0xae07bce9, 0xe4c5aeb8, 0xcbfad74e, 0x8138c51f, 0x5e7ef3ec, 0x14bce1bd },
	{ 0x00000000, 0x191b3141, 0x32366282, 0x2b2d53c3, 0x646cc504, 0x7d77f445, 0x565aa786, 0x4f4196c7,
	  0xc8d98a08, 0xd1c2bb49, 0xfaefe88a, 0xe3f4d9cb, 0xacb54f0c, 0xb5ae7e4d, 0x9e832d8e, 0x87981ccf },
	{ 0x00000000, 0x1c26a370, 0x384d46e0, 0x246be590, 0x709a8dc0, 0x6cbc2eb0, 0x48d7cb20, 0x54f16850,
	  0xe1351b80, 0xfd13b8f0, 0xd9785d60, 0xc55efe10, 0x91af9640, 0x8d893530, 0xa9e2d0a0, 0xb5c473d0 },
	{ 0x00000000, 0x01c26a37, 0x0384d46e, 0x0246be59, 0x0709a8dc, 0x06cbc2eb, 0x048d7cb2, 0x054f1685,
	  0x0e1351b8, 0x0fd13b8f, 0x0d9785d6, 0x0c55efe1, 0x091af964, 0x08d89353, 0x0a9e2d0a, 0x0b5c473d },
	{ 0x00000000, 0x5019579f, 0xa032af3e, 0xf02bf8a1, 0x9b14583d, 0xcb0d0fa2, 0x3b26f703, 0x6b3fa09c,
	  0xed59b63b, 0xbd40e1a4, 0x4d6b1905, 0x1d724e9a, 0x764dee06, 0x2654b999, 0xd67f4138, 0x866616a7 },
	{ 0x00000000, 0xb8bc6765, 0xaa09c88b, 0x12b5afee, 0x8f629757, 0x37def032, 0x256b5fdc, 0x9dd738b9,
	  0xc5b428ef, 0x7d084f8a, 0x6fbde064, 0xd7018701, 0x4ad6bfb8, 0xf26ad8dd, 0xe0df7733, 0x58631056 },
};
/* clang-format on */

static uint32_t crc32_ieee(const uint8_t *p, size_t n)
{
	uint32_t crc = 0xffffffff;

	for (; n >= 4; p += 4, n -= 4) {
		crc ^= (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
		       (uint32_t)p[3] << 24;
		crc = crc_table[7][crc & 15] ^ crc_table[6][crc >> 4 & 15] ^
		      crc_table[5][crc >> 8 & 15] ^ crc_table[4][crc >> 12 & 15] ^
		      crc_table[3][crc >> 16 & 15] ^ crc_table[2][crc >> 20 & 15] ^
		      crc_table[1][crc >> 24 & 15] ^ crc_table[0][crc >> 28];
	}
	for (; n > 0; p++, n--) {
		crc ^= *p;
		crc = crc >> 4 ^ crc_table[0][crc & 15];
		crc = crc >> 4 ^ crc_table[0][crc & 15];
	}
	return ~crc;
}

static void crc_digits(const uint8_t *token, char out[static CRC_DIGITS])
{
	uint32_t crc = crc32_ieee(token, CRC_AT);

	for (int i = CRC_DIGITS - 1; i >= 0; i--) {
		out[i] = digits[crc % BASE];
		crc /= BASE;
	}
}

/* Without branches: of random digits each would be guessed wrong half of the time. */
static bool is_digit62(uint8_t c)
{
	return ((uint8_t)(c - '0') < 10) | ((uint8_t)((c | 0x20) - 'a') < 26);
}

enum token_form token_form(struct bytes token)
{
	char crc[CRC_DIGITS];
	bool fine = true;

	if (token.n < PREFIX_BYTES || memcmp(token.p, "hgt_", PREFIX_BYTES) != 0)
		return TOKEN_FOREIGN;
	if (token.n != TOKEN_BYTES || token.p[SEPARATOR_AT] != '_')
		return TOKEN_MALFORMED;
	for (size_t i = PREFIX_BYTES; i < TOKEN_BYTES; i++)
		fine &= is_digit62(token.p[i]) | (i == SEPARATOR_AT);
	if (!fine)
		return TOKEN_MALFORMED;
	crc_digits(token.p, crc);
	return memcmp(crc, token.p + CRC_AT, CRC_DIGITS) == 0 ? TOKEN_WELL_FORMED : TOKEN_MALFORMED;
}

static int random_digits(char *out, size_t n, struct err *err)
{
	uint8_t random[64];
	size_t have = 0;

	for (size_t done = 0; done < n;) {
		if (have == 0) {
			ssize_t got = getrandom(random, sizeof(random), 0);

			if (got < 0 && errno == EINTR)
				continue;
			if (got <= 0)
				return err_errno(err, "no random bytes for a token");
			have = (size_t)got;
		}
		have--;
		if (random[have] < FAIR_BYTES)
			out[done++] = digits[random[have] % BASE];
	}
	explicit_bzero(random, sizeof(random));
	return 0;
}

int token_new(char out[static TOKEN_BYTES + 1], struct err *err)
{
	char token[TOKEN_BYTES + 1] = "hgt_";

	if (random_digits(token + PREFIX_BYTES, TOKEN_ID_BYTES, err) < 0 ||
	    random_digits(token + SEPARATOR_AT + 1, CRC_AT - SEPARATOR_AT - 1, err) < 0)
		return -1;
	token[SEPARATOR_AT] = '_';
	crc_digits((const uint8_t *)token, token + CRC_AT);
	memcpy(out, token, sizeof(token));
	explicit_bzero(token, sizeof(token));
	return 0;
}

bool tenant_id_byte_ok(uint8_t c)
{
	return is_digit62(c) || (c != 0 && strchr("!-_.*'()", c));
}

bool tenant_id_ok(struct bytes id)
{
	if (id.n == 0 || id.n > TENANT_ID_MAX)
		return false;
	for (size_t i = 0; i < id.n; i++)
		if (!tenant_id_byte_ok(id.p[i]))
			return false;
	/* Path parts, and the ring that a peer of the same namespace keeps for itself. */
	return !bytes_eq(id, BYTES(".")) && !bytes_eq(id, BYTES("..")) &&
	       !bytes_eq(id, BYTES("__mimir_cluster"));
}

bool tenant_in_topic_ok(struct bytes id)
{
	for (size_t i = 0; i < id.n; i++)
		if (!is_digit62(id.p[i]) && id.p[i] != '_' && id.p[i] != '-')
			return false;
	return true;
}

bool token_id_ok(struct bytes id)
{
	return id.n > 0 && id.n <= 64 && tenant_in_topic_ok(id);
}
