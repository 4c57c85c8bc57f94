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
 * CRC-32 (IEEE 802.3, reflected 0xedb88320) of the 43 bytes, thirteen at a time through tables of
 * half bytes: the reads of a step do not wait for each other, and 1.6 KB stay in the first cache.
 * Row k holds the remainders of a half byte followed by k others, each the sum of those of its four
 * bits. By hand since the worker's only CRC-32 sits in libdeflate, which has one door
 * (proto/encoding.c), and the master links neither.
 */
enum { STEP_BYTES = 13 };
static const uint32_t PREFIX_CRC = 0xdd36d23d; /* the register after "hgt_" */
_Static_assert(PREFIX_BYTES + 3 * STEP_BYTES == CRC_AT, "three steps");

#define ROW(a, b, c, d)                                                                            \
	{                                                                                          \
		0, a, b, (a) ^ (b), c, (a) ^ (c), (b) ^ (c), (a) ^ (b) ^ (c), d, (a) ^ (d),        \
			(b) ^ (d), (a) ^ (b) ^ (d), (c) ^ (d), (a) ^ (c) ^ (d), (b) ^ (c) ^ (d),   \
			(a) ^ (b) ^ (c) ^ (d)                                                      \
	}
/* clang-format off */
static const uint32_t crc_table[2 * STEP_BYTES][16] = {
	ROW(0x1db71064, 0x3b6e20c8, 0x76dc4190, 0xedb88320),
	ROW(0x77073096, 0xee0e612c, 0x076dc419, 0x0edb8832),
	ROW(0x4ac21251, 0x958424a2, 0xf0794f05, 0x3b83984b),
	ROW(0x191b3141, 0x32366282, 0x646cc504, 0xc8d98a08),
	ROW(0x1c26a370, 0x384d46e0, 0x709a8dc0, 0xe1351b80),
	ROW(0x01c26a37, 0x0384d46e, 0x0709a8dc, 0x0e1351b8),
	ROW(0x5019579f, 0xa032af3e, 0x9b14583d, 0xed59b63b),
	ROW(0xb8bc6765, 0xaa09c88b, 0x8f629757, 0xc5b428ef),
	ROW(0x60e09782, 0xc1c12f04, 0x58f35849, 0xb1e6b092),
	ROW(0x3d6029b0, 0x7ac05360, 0xf580a6c0, 0x30704bc1),
	ROW(0x03d6029b, 0x07ac0536, 0x0f580a6c, 0x1eb014d8),
	ROW(0xcb5cd3a5, 0x4dc8a10b, 0x9b914216, 0xec53826d),
	ROW(0x67de9cce, 0xcfbd399c, 0x440b7579, 0x8816eaf2),
	ROW(0xa6770bb4, 0x979f1129, 0xf44f2413, 0x33ef4e67),
	ROW(0x7cbb312b, 0xf9766256, 0x299dc2ed, 0x533b85da),
	ROW(0xccaa009e, 0x4225077d, 0x844a0efa, 0xd3e51bb5),
	ROW(0xacc04271, 0x82f182a3, 0xde920307, 0x6655004f),
	ROW(0x177b1443, 0x2ef62886, 0x5dec510c, 0xbbd8a218),
	ROW(0x27ae81e8, 0x4f5d03d0, 0x9eba07a0, 0xe6050901),
	ROW(0xefc26b3e, 0x04f5d03d, 0x09eba07a, 0x13d740f4),
	ROW(0xaef6c4cb, 0x869c8fd7, 0xd64819ef, 0x77e1359f),
	ROW(0xc18edfc0, 0x586cb9c1, 0xb0d97382, 0xbac3e145),
	ROW(0x0c18edfc, 0x1831dbf8, 0x3063b7f0, 0x60c76fe0),
	ROW(0x9ba54c6f, 0xec3b9e9f, 0x03063b7f, 0x060c76fe),
	ROW(0xb407a6da, 0xb37e4bf5, 0xbd8d91ab, 0xa06a2517),
	ROW(0xdd96d985, 0x605cb54b, 0xc0b96a96, 0x5a03d36d),
};
/* clang-format on */
#undef ROW

static uint32_t little_endian(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Of four bytes that are followed by as many half bytes as there are rows before `row`. */
static uint32_t crc_of_four(uint32_t four, const uint32_t (*row)[16])
{
	return row[7][four & 15] ^ row[6][four >> 4 & 15] ^ row[5][four >> 8 & 15] ^
	       row[4][four >> 12 & 15] ^ row[3][four >> 16 & 15] ^ row[2][four >> 20 & 15] ^
	       row[1][four >> 24 & 15] ^ row[0][four >> 28];
}

/* Of a token that begins with "hgt_". */
static uint32_t crc32_ieee(const uint8_t token[static CRC_AT])
{
	uint32_t crc = PREFIX_CRC;

	for (const uint8_t *p = token + PREFIX_BYTES; p < token + CRC_AT; p += STEP_BYTES)
		crc = crc_of_four(crc ^ little_endian(p), crc_table + 18) ^
		      crc_of_four(little_endian(p + 4), crc_table + 10) ^
		      crc_of_four(little_endian(p + 8), crc_table + 2) ^ crc_table[1][p[12] & 15] ^
		      crc_table[0][p[12] >> 4];
	return ~crc;
}

static void crc_digits(const uint8_t *token, char out[static CRC_DIGITS])
{
	uint32_t crc = crc32_ieee(token);

	for (int i = CRC_DIGITS - 1; i >= 0; i--) {
		out[i] = digits[crc % BASE];
		crc /= BASE;
	}
}

typedef uint8_t lanes __attribute__((vector_size(16)));

static lanes take_lanes(const uint8_t *p)
{
	lanes all;

	memcpy(&all, p, sizeof(all));
	return all;
}

/* All ones where there is a digit. Sixteen at once and without branches: of random digits each
 * would be guessed wrong half of the time. */
static lanes are_digits62(lanes c)
{
	return (lanes)((c - '0' < 10) | ((c | 0x20) - 'a' < 26));
}

/* All from the prefix on but the separator, in three parts that overlap. */
static bool has_digits62(const uint8_t token[static TOKEN_BYTES])
{
	static const lanes separator = { 0, 0, 0, 0, 0, 0, 0, 0, 0xff };
	lanes fine = (are_digits62(take_lanes(token + PREFIX_BYTES)) | separator) &
	             are_digits62(take_lanes(token + PREFIX_BYTES + sizeof(lanes))) &
	             are_digits62(take_lanes(token + TOKEN_BYTES - sizeof(lanes)));
	uint64_t half[2];

	_Static_assert(SEPARATOR_AT - PREFIX_BYTES == 8, "which lane");
	memcpy(half, &fine, sizeof(half));
	return (half[0] & half[1]) == UINT64_MAX;
}

static uint64_t value62(uint8_t digit)
{
	return (uint64_t)(digit - '0' - (digit > '9') * ('A' - '9' - 1) -
	                  (digit > 'Z') * ('a' - 'Z' - 1));
}

static uint64_t two62(const uint8_t *p)
{
	return value62(p[0]) * BASE + value62(p[1]);
}

enum token_form token_form(struct bytes token)
{
	const uint8_t *crc = token.p + CRC_AT;
	uint64_t number;

	if (token.n < PREFIX_BYTES || memcmp(token.p, "hgt_", PREFIX_BYTES) != 0)
		return TOKEN_FOREIGN;
	if (token.n != TOKEN_BYTES || token.p[SEPARATOR_AT] != '_' || !has_digits62(token.p))
		return TOKEN_MALFORMED;
	number = (two62(crc) * BASE * BASE + two62(crc + 2)) * BASE * BASE + two62(crc + 4);
	return number == crc32_ieee(token.p) ? TOKEN_WELL_FORMED : TOKEN_MALFORMED;
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

static bool is_digit62(uint8_t c)
{
	return (uint8_t)(c - '0') < 10 || (uint8_t)((c | 0x20) - 'a') < 26;
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

bool tenant_prefix_ok(struct bytes prefix)
{
	if (prefix.n == 0 || prefix.n > TENANT_PREFIX_MAX)
		return false;
	for (size_t i = 0; i < prefix.n; i++)
		if (prefix.p[i] != '.' && !tenant_in_topic_ok(bytes_of(prefix.p + i, 1)))
			return false;
	return true;
}

bool token_id_ok(struct bytes id)
{
	return id.n > 0 && id.n <= 64 && tenant_in_topic_ok(id);
}
