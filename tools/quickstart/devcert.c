/* SPDX-License-Identifier: Apache-2.0 */
/*
 * devcert.c -- the certificates of `make quickstart`: devcert FOLDER writes ca.pem, cert.pem and
 * key.pem (mode 0600) for 127.0.0.1, [::1] and localhost, good for 90 days: from 30 on headgate
 * warns of the end. The key of the authority is never written: nobody can sign a second certificate
 * by it.
 */
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "common/base.h"

enum { DAYS = 90, EXIT_USAGE = 2 };

static void fail(const char *what)
{
	fprintf(stderr, "devcert: %s\n", what);
	exit(EXIT_FAILURE);
}

static void must(bool ok, const char *what)
{
	if (!ok)
		fail(what);
}

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *ext;
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	must(ext && X509_add_ext(cert, ext, -1), "an extension is refused");
	X509_EXTENSION_free(ext);
}

static X509 *cert_new(const char *name, EVP_PKEY *key)
{
	X509 *cert = X509_new();
	unsigned char serial[16];
	BIGNUM *number;

	must(cert && RAND_bytes(serial, sizeof(serial)) == 1, "no random bytes");
	serial[0] &= 0x7f; /* positive */
	number = BN_bin2bn(serial, sizeof(serial), NULL);
	must(number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) &&
	             X509_set_version(cert, X509_VERSION_3) &&
	             X509_gmtime_adj(X509_getm_notBefore(cert), -60) &&
	             X509_time_adj_ex(X509_getm_notAfter(cert), DAYS, 0, NULL) &&
	             X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
	                                        (const unsigned char *)name, -1, -1, 0) &&
	             X509_set_pubkey(cert, key),
	     "a certificate cannot be made");
	BN_free(number);
	return cert;
}

static FILE *file_new(const char *folder, const char *name, mode_t mode)
{
	char path[4096];
	FILE *f;
	int fd;

	must((size_t)snprintf(path, sizeof(path), "%s/%s", folder, name) < sizeof(path),
	     "the folder's name is too long");
	(void)remove(path); /* an older one may have another mode */
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	f = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (!f) {
		perror(path);
		exit(EXIT_FAILURE);
	}
	return f;
}

static void close_file(FILE *f, int written)
{
	must(fclose(f) == 0 && written == 1, "a file cannot be written");
}

static void write_cert(const char *folder, const char *name, X509 *cert)
{
	FILE *f = file_new(folder, name, 0644);

	close_file(f, PEM_write_X509(f, cert));
}

static void write_key(const char *folder, const char *name, EVP_PKEY *key)
{
	FILE *f = file_new(folder, name, 0600);

	close_file(f, PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL));
}

int main(int argc, char **argv)
{
	EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
	X509 *ca, *cert;

	if (argc != 2) {
		fputs("usage: devcert FOLDER\n", stderr);
		return EXIT_USAGE;
	}
	must(ca_key && key, "no keys");
	ca = cert_new("headgate quickstart CA", ca_key);
	must(X509_set_issuer_name(ca, X509_get_subject_name(ca)), "no issuer");
	add_extension(ca, ca, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
	add_extension(ca, ca, NID_key_usage, "critical,keyCertSign");
	add_extension(ca, ca, NID_subject_key_identifier, "hash");
	must(X509_sign(ca, ca_key, EVP_sha256()) > 0, "cannot sign");

	cert = cert_new("localhost", key);
	must(X509_set_issuer_name(cert, X509_get_subject_name(ca)), "no issuer");
	add_extension(cert, ca, NID_basic_constraints, "critical,CA:FALSE");
	add_extension(cert, ca, NID_key_usage, "critical,digitalSignature");
	add_extension(cert, ca, NID_ext_key_usage, "serverAuth");
	add_extension(cert, ca, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1");
	add_extension(cert, ca, NID_authority_key_identifier, "keyid:always");
	must(X509_sign(cert, ca_key, EVP_sha256()) > 0, "cannot sign");

	write_cert(argv[1], "ca.pem", ca);
	write_cert(argv[1], "cert.pem", cert);
	write_key(argv[1], "key.pem", key);
	X509_free(cert);
	X509_free(ca);
	EVP_PKEY_free(key);
	EVP_PKEY_free(ca_key);
	return 0;
}
