/* SPDX-License-Identifier: Apache-2.0 */
/*
 * certs.h -- self-signed certificates for an hour, made anew for each test: no key lies in the
 * tree.
 */
#pragma once
#include <criterion/criterion.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include "common/base.h"

enum { EC, EC_OTHER, RSA_2048, KINDS };
static char *certs[KINDS], *keys[KINDS]; /* PEM */

static inline char *pem_of(BIO *bio)
{
	char *p;
	long n = BIO_get_mem_data(bio, &p);
	char *text = xstrndup(p, (size_t)n);

	BIO_free(bio);
	return text;
}

static inline void cert_make(unsigned kind)
{
	EVP_PKEY *key = kind == RSA_2048 ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	X509_NAME *name = X509_get_subject_name(cert);
	BIO *bio;

	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), (long)kind + 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -60);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"gate.example",
	                           -1, -1, 0);
	X509_set_issuer_name(cert, name);
	X509_set_pubkey(cert, key);
	cr_assert_gt(X509_sign(cert, key, EVP_sha256()), 0);
	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_X509(bio, cert);
	certs[kind] = pem_of(bio);
	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
	keys[kind] = pem_of(bio);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static inline void certs_make(void)
{
	for (unsigned i = 0; i < KINDS; i++)
		cert_make(i);
}

static inline void certs_free(void)
{
	for (unsigned i = 0; i < KINDS; i++) {
		free(certs[i]);
		free(keys[i]);
	}
}
