/* SPDX-License-Identifier: Apache-2.0 */
/*
 * generate.c -- `generate hash-token`: a bearer token of Moose's form and the hash by which it is
 * known, in Moose's own output (compatibility.md 5). Keeps neither; asks no gateway.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/random.h>
#include "tools/ctl/commands.h"

enum {
	PART_BYTES = 16,
	PART_DIGITS = 2 * PART_BYTES,
	BEARER_BYTES = 2 * PART_DIGITS + 1, /* two parts and a dot */
	ROUNDS = 1000,
	HASH_BYTES = 20,
};

struct pair {
	char bearer[BEARER_BYTES + 1];
	char hash[2 * HASH_BYTES + 1];
};

/* Password and salt are the texts around the dot, not what their digits stand for. */
static int hash_bearer(struct pair *pair, struct err *err)
{
	const char *salt = pair->bearer + PART_DIGITS + 1;
	uint8_t hash[HASH_BYTES];

	if (PKCS5_PBKDF2_HMAC(pair->bearer, PART_DIGITS, (const unsigned char *)salt, PART_DIGITS,
	                      ROUNDS, EVP_sha256(), sizeof(hash), hash) != 1)
		return err_set(err, "OpenSSL offers no PBKDF2 by SHA-256");
	hex_encode(hash, sizeof(hash), pair->hash);
	return 0;
}

static int make_pair(struct pair *pair, struct err *err)
{
	uint8_t random[2 * PART_BYTES];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return err_errno(err, "no random bytes");
	hex_encode(random, PART_BYTES, pair->bearer);
	pair->bearer[PART_DIGITS] = '.';
	hex_encode(random + PART_BYTES, PART_BYTES, pair->bearer + PART_DIGITS + 1);
	explicit_bzero(random, sizeof(random));
	return hash_bearer(pair, err);
}

static void print_pair(const struct ctl *c, const struct pair *pair)
{
	if (c->json) /* Moose's own form: these members and no schema */
		printf("{\"api_key_hash\":\"%s\",\"bearer_token\":\"%s\"}\n", pair->hash,
		       pair->bearer);
	else
		printf("    ENV API Key %s\n   Bearer Token %s\n", pair->hash, pair->bearer);
}

static int run_hash_token(struct ctl *c)
{
	struct err err = { "" };
	struct pair pair;

	if (make_pair(&pair, &err) < 0)
		return ctl_fail(EX_OSERR, "%s", err.text);
	print_pair(c, &pair);
	ctl_note(c, "the client keeps the bearer token, shown this once; the gateway is given the "
	            "hash");
	explicit_bzero(&pair, sizeof(pair));
	return 0;
}

const struct command command_generate_hash_token = {
	.name = "generate hash-token",
	.args = "",
	.help = "a bearer token of Moose's form, and the hash to give to the gateway",
	.run = run_hash_token,
};
