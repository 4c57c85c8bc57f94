/* SPDX-License-Identifier: Apache-2.0 */
#include "master/certs.c"

#include <criterion/criterion.h>

enum { NOW_S = 1800000000 };

static struct {
	unsigned errors, warnings;
	char last[1024];
} said;

static void on_test_say(void *arg, bool is_error, const char *text)
{
	(void)arg;
	said.errors += is_error;
	said.warnings += !is_error;
	snprintf(said.last, sizeof(said.last), "%s", text);
}

/* What a test makes lives as long as the test. */
static struct {
	EVP_PKEY *keys[16];
	X509 *certs[16];
	BIO *bios[32];
	unsigned key_count, cert_count, bio_count;
} made;

static void tear_down(void)
{
	while (made.key_count)
		EVP_PKEY_free(made.keys[--made.key_count]);
	while (made.cert_count)
		X509_free(made.certs[--made.cert_count]);
	while (made.bio_count)
		BIO_free(made.bios[--made.bio_count]);
}

TestSuite(certs, .fini = tear_down);

static EVP_PKEY *new_key(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");

	cr_assert_not_null(key);
	return made.keys[made.key_count++] = key;
}

static BIO *new_bio(void)
{
	return made.bios[made.bio_count++] = BIO_new(BIO_s_mem());
}

/* A certificate of `key` by `issuer` (NULL: itself), that lasts from days to days from NOW_S. */
static X509 *new_cert(const char *name, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key, int from,
                      int to)
{
	X509 *x = made.certs[made.cert_count++] = X509_new();
	X509_NAME *subject_name = X509_get_subject_name(x);

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 7);
	ASN1_TIME_set(X509_getm_notBefore(x), NOW_S + (time_t)from * DAY_S);
	ASN1_TIME_set(X509_getm_notAfter(x), NOW_S + (time_t)to * DAY_S);
	X509_NAME_add_entry_by_txt(subject_name, "CN", MBSTRING_ASC, (const unsigned char *)name,
	                           -1, -1, 0);
	X509_set_issuer_name(x, issuer ? X509_get_subject_name(issuer) : subject_name);
	X509_set_pubkey(x, key);
	cr_assert(X509_sign(x, issuer_key ? issuer_key : key, EVP_sha256()));
	return x;
}

static struct bytes pem_of(BIO *bio)
{
	char *p;
	long n = BIO_get_mem_data(bio, &p);

	return bytes_of(p, (size_t)n);
}

static struct bytes cert_pem(X509 *a, X509 *b)
{
	BIO *bio = new_bio();

	PEM_write_bio_X509(bio, a);
	if (b)
		PEM_write_bio_X509(bio, b);
	return pem_of(bio);
}

static struct bytes key_pem(EVP_PKEY *key, const char *passphrase)
{
	BIO *bio = new_bio();

	PEM_write_bio_PrivateKey(bio, key, passphrase ? EVP_aes_128_cbc() : NULL, NULL, 0, NULL,
	                         (void *)passphrase);
	return pem_of(bio);
}

static void check(struct bytes cert, struct bytes key)
{
	struct tls_pair pair = { { "cert.pem", cert }, { "key.pem", key } };
	struct listener_conf l = { .name = "public", .tls = { .pairs = { &pair, 1 } } };
	struct conf conf = { .listeners = { &l, 1 } };

	memset(&said, 0, sizeof(said));
	certs_check(&conf, NOW_S, on_test_say, NULL);
}

Test(certs, a_good_pair_with_its_chain_is_silent)
{
	EVP_PKEY *ca_key = new_key(), *key = new_key();
	X509 *ca = new_cert("CA", ca_key, NULL, NULL, -1, 1000),
	     *leaf = new_cert("leaf", key, ca, ca_key, -1, 90);

	check(cert_pem(leaf, ca), key_pem(key, NULL));
	cr_expect_eq(said.errors + said.warnings, 0, "%s", said.last);
	cr_expect_eq(certs_not_after(cert_pem(leaf, ca)), NOW_S + 90ll * DAY_S);
}

/* F56: the mismatch that refuses a reload */
Test(certs, a_key_of_another_certificate_is_an_error_that_names_both_files)
{
	EVP_PKEY *key = new_key(), *other = new_key();

	check(cert_pem(new_cert("leaf", key, NULL, NULL, -1, 90), NULL), key_pem(other, NULL));
	cr_expect_eq(said.errors, 1);
	cr_expect_str_eq(said.last, "listeners[0].tls: key.pem: this private key is not that of "
	                            "the first certificate in "
	                            "cert.pem");
}

Test(certs, a_chain_in_the_wrong_order_is_an_error)
{
	EVP_PKEY *ca_key = new_key(), *key = new_key();
	X509 *ca = new_cert("CA", ca_key, NULL, NULL, -1, 1000),
	     *leaf = new_cert("leaf", key, ca, ca_key, -1, 90);
	X509 *stranger = new_cert("CA", key, NULL, NULL, -1, 1000);

	check(cert_pem(leaf, stranger), key_pem(key, NULL)); /* the right name, another key */
	cr_expect_eq(said.errors, 1);
	cr_expect(strstr(said.last, "is not signed by the next one"), "%s", said.last);
	check(cert_pem(ca, leaf), key_pem(ca_key, NULL));
	cr_expect_eq(said.errors, 1);
}

Test(certs, an_end_in_the_past_is_an_error_and_one_within_30_days_a_warning)
{
	EVP_PKEY *key = new_key();

	check(cert_pem(new_cert("leaf", key, NULL, NULL, -90, -2), NULL), key_pem(key, NULL));
	cr_expect_eq(said.errors, 1);
	cr_expect(strstr(said.last, "ended 2 days ago"), "%s", said.last);
	check(cert_pem(new_cert("leaf", key, NULL, NULL, -1, 29), NULL), key_pem(key, NULL));
	cr_expect_eq(said.errors, 0);
	cr_expect_eq(said.warnings, 1);
	cr_expect(strstr(said.last, "ends in 29 days"), "%s", said.last);
	check(cert_pem(new_cert("leaf", key, NULL, NULL, -1, 30), NULL), key_pem(key, NULL));
	cr_expect_eq(said.warnings, 0);
	check(cert_pem(new_cert("leaf", key, NULL, NULL, 1, 90), NULL), key_pem(key, NULL));
	cr_expect_eq(said.warnings, 1);
	cr_expect(strstr(said.last, "is not valid yet"));
}

Test(certs, an_encrypted_key_is_refused_without_asking_anybody)
{
	EVP_PKEY *key = new_key();

	check(cert_pem(new_cert("leaf", key, NULL, NULL, -1, 90), NULL), key_pem(key, "secret"));
	cr_expect_eq(said.errors, 1);
	cr_expect(strstr(said.last, "is encrypted"), "%s", said.last);
}

Test(certs, files_that_hold_no_pem_are_named)
{
	EVP_PKEY *key = new_key();

	check(BYTES("no certificate\n"), key_pem(key, NULL));
	cr_expect_eq(said.errors, 1);
	cr_expect_str_eq(said.last, "listeners[0].tls: cert.pem: no certificate in PEM form");
	check(cert_pem(new_cert("leaf", key, NULL, NULL, -1, 90), NULL), BYTES("no key\n"));
	cr_expect_str_eq(said.last, "listeners[0].tls: key.pem: no private key in PEM form");
}
