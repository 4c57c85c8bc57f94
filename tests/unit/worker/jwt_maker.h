/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jwt_maker.h -- for tests of JWT: keys, tokens signed by them or forged, key sets. A text lives
 * until 64 more were made.
 */
#pragma once
#include <criterion/criterion.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <stdio.h>

#include "common/bytes.h"

enum { JWT_TEXT_MAX = 40000 };

static inline char *jwt_text(void)
{
	static char texts[64][JWT_TEXT_MAX];
	static unsigned next;

	return texts[next++ % 64];
}

static inline const char *base64url(const void *data, size_t n)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const uint8_t *p = data;
	char *out = jwt_text(), *at = out;

	cr_assert_lt(n * 2, (size_t)JWT_TEXT_MAX);
	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < n ? p[i + 1] << 8 : 0) |
		             (i + 2 < n ? p[i + 2] : 0);
		size_t count = n - i > 2 ? 4 : n - i + 1;

		for (size_t k = 0; k < count; k++)
			*at++ = digits[v >> (18 - 6 * k) & 63];
	}
	*at = '\0';
	return out;
}

static inline const char *base64url_text(const char *text)
{
	return base64url(text, strlen(text));
}

/* r and s of 32 bytes each, as ES256 has them. */
static inline size_t raw_signature(const uint8_t *der, size_t n, uint8_t out[static 64])
{
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)n);

	cr_assert_not_null(sig);
	cr_assert_eq(BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, 32), 32);
	cr_assert_eq(BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + 32, 32), 32);
	ECDSA_SIG_free(sig);
	return 64;
}

static inline const char *signature_of(const char *input, EVP_PKEY *key)
{
	uint8_t sig[1024], raw[64];
	size_t n = sizeof(sig);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	cr_assert_eq(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
	cr_assert_eq(EVP_DigestSign(ctx, sig, &n, (const uint8_t *)input, strlen(input)), 1);
	EVP_MD_CTX_free(ctx);
	if (!EVP_PKEY_is_a(key, "EC"))
		return base64url(sig, n);
	return base64url(raw, raw_signature(sig, n, raw));
}

/* key NULL: with an empty signature. */
static inline const char *token_of(const char *header, const char *payload, EVP_PKEY *key)
{
	char *out = jwt_text();
	int n = snprintf(out, JWT_TEXT_MAX, "%s.%s", base64url_text(header),
	                 base64url_text(payload));

	snprintf(out + n, JWT_TEXT_MAX - (size_t)n, ".%s", key ? signature_of(out, key) : "");
	return out;
}

static inline const char *number_text(const EVP_PKEY *key, const char *name, size_t pad)
{
	BIGNUM *number = NULL;
	uint8_t bytes[1024];
	int n;

	cr_assert_eq(EVP_PKEY_get_bn_param(key, name, &number), 1);
	n = pad ? BN_bn2binpad(number, bytes, (int)pad) : BN_bn2bin(number, bytes);
	BN_free(number);
	return base64url(bytes, (size_t)n);
}

/* A JWK of the public part; kid NULL: without. */
static inline const char *jwk_text(const EVP_PKEY *key, const char *kid)
{
	char *out = jwt_text(), name[300] = "";

	if (kid)
		snprintf(name, sizeof(name), "\"kid\":\"%s\",", kid);
	if (EVP_PKEY_is_a(key, "EC"))
		snprintf(out, JWT_TEXT_MAX,
		         "{\"kty\":\"EC\",%s\"crv\":\"P-256\",\"x\":\"%s\",\"y\":\"%s\"}", name,
		         number_text(key, "qx", 32), number_text(key, "qy", 32));
	else
		snprintf(out, JWT_TEXT_MAX, "{\"kty\":\"RSA\",%s\"n\":\"%s\",\"e\":\"%s\"}", name,
		         number_text(key, "n", 0), number_text(key, "e", 0));
	return out;
}

static inline const char *pem_text(EVP_PKEY *key)
{
	char *out = jwt_text(), *data;
	BIO *bio = BIO_new(BIO_s_mem());
	long n;

	cr_assert_eq(PEM_write_bio_PUBKEY(bio, key), 1);
	n = BIO_get_mem_data(bio, &data);
	memcpy(out, data, (size_t)n);
	out[n] = '\0';
	BIO_free(bio);
	return out;
}
