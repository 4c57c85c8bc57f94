/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "master/status.c"

#include <openssl/pem.h>
#include <openssl/x509.h>

static json_t *many(unsigned n)
{
	json_t *list = json_array();
	char uri[1024];

	for (unsigned i = 0; i < n; i++) {
		memset(uri, 'u', sizeof(uri) - 1);
		uri[sizeof(uri) - 1] = '\0';
		json_array_append_new(list, json_pack("{s:s,s:i}", "uri", uri, "i", (int)i));
	}
	return list;
}

static json_t *text_of_facts(unsigned keys, unsigned certs)
{
	json_t *o = json_pack("{s:o,s:o}", "jwks", many(keys), "certificates", many(certs)), *back;
	autofree char *text = facts_text(o);

	json_decref(o);
	cr_assert_leq(strlen(text), (size_t)FACTS_MAX);
	back = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	cr_assert(back);
	return back;
}

Test(status, facts_that_fit_are_whole)
{
	json_t *o = text_of_facts(10, 20);

	cr_assert_eq(json_array_size(json_object_get(o, "jwks")), 10u);
	cr_assert_eq(json_array_size(json_object_get(o, "certificates")), 20u);
	cr_assert_null(json_object_get(o, "left_out"));
	json_decref(o);
}

Test(status, of_facts_that_do_not_fit_the_longer_list_is_cut_and_that_is_said)
{
	json_t *o = text_of_facts(64, 20);
	json_int_t left_out = json_integer_value(json_object_get(o, "left_out"));

	cr_assert_gt(left_out, 0);
	cr_assert_eq(json_array_size(json_object_get(o, "certificates")), 20u);
	cr_assert_eq(json_array_size(json_object_get(o, "jwks")), 64u - (unsigned)left_out);
	json_decref(o);
}

/* RFC 5280 4.1.2.5: what is not to end at all. malloc'd. */
static char *certificate_for_ever(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	BIO *out = BIO_new(BIO_s_mem());
	X509 *x = X509_new();
	char *text = NULL, *copy;
	long n;

	X509_set_version(x, 2);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	cr_assert(ASN1_TIME_set_string(X509_getm_notAfter(x), "99991231235959Z") == 1);
	X509_set_pubkey(x, key);
	cr_assert(X509_sign(x, key, EVP_sha256()) && PEM_write_bio_X509(out, x) == 1);
	n = BIO_get_mem_data(out, &text);
	copy = xstrndup(text, (size_t)n);
	BIO_free(out);
	X509_free(x);
	EVP_PKEY_free(key);
	return copy;
}

Test(status, a_certificate_that_never_ends_is_shown_until_the_year_9999)
{
	autofree char *pem = certificate_for_ever();
	struct tls_pair pair = { .cert_file = { "cert.pem", bytes_str(pem) } };
	struct listener_conf listener = { .name = "public", .tls.pairs = { &pair, 1 } };
	struct conf conf = { .listeners = { &listener, 1 } };
	json_t *list = status_certificates(&conf), *one = json_array_get(list, 0);

	cr_assert_str_eq(json_string_value(json_object_get(one, "not_after")),
	                 "9999-12-31T23:59:59Z");
	json_decref(list);
}
