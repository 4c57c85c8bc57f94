/* SPDX-License-Identifier: Apache-2.0 */
#include "master/certs.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

enum { CHAIN_MAX = 16, TEXT_BYTES = 1024 };

struct checker {
	certs_say *say;
	void *arg;
	int64_t now_s;
	const char *where; /* "listeners[0].tls[1]" */
};

struct chain { /* the certificates of one PEM file, leaf first */
	X509 *v[CHAIN_MAX];
	int n;
	bool too_long;
};

static void complain(const struct checker *c, bool is_error, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

static void complain(const struct checker *c, bool is_error, const char *fmt, ...)
{
	char what[TEXT_BYTES - 128], text[TEXT_BYTES];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	snprintf(text, sizeof(text), "%.100s: %s", c->where, what);
	c->say(c->arg, is_error, text);
}

static BIO *bio_of(struct bytes pem)
{
	BIO *bio = BIO_new_mem_buf(pem.n ? (const void *)pem.p : "", (int)min_size(pem.n, INT_MAX));

	if (!bio)
		out_of_memory();
	return bio;
}

static void chain_read(struct chain *chain, struct bytes pem)
{
	BIO *bio = bio_of(pem);
	X509 *x;

	*chain = (struct chain){ .n = 0 };
	while ((x = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		if (chain->n == CHAIN_MAX) {
			X509_free(x);
			chain->too_long = true;
			break;
		}
		chain->v[chain->n++] = x;
	}
	BIO_free(bio);
	ERR_clear_error(); /* the end of a PEM file is an error in OpenSSL's eyes */
}

static void chain_free(struct chain *chain)
{
	for (int i = 0; i < chain->n; i++)
		X509_free(chain->v[i]);
}

/* A service has nobody to ask: an encrypted key is refused instead of prompting on the terminal. */
static int no_passphrase(char *buf, int size, int rwflag, void *asked)
{
	(void)buf, (void)size, (void)rwflag;
	*(bool *)asked = true;
	return -1;
}

static void check_key(const struct checker *c, const struct tls_pair *pair,
                      const struct chain *chain)
{
	bool encrypted = false;
	BIO *bio = bio_of(pair->key_file.content);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &encrypted);

	BIO_free(bio);
	if (encrypted)
		complain(c, true,
		         "%s: the private key is encrypted; it must be readable without a "
		         "passphrase",
		         pair->key_file.path);
	else if (!key)
		complain(c, true, "%s: no private key in PEM form", pair->key_file.path);
	else if (chain->n && X509_check_private_key(chain->v[0], key) != 1)
		complain(c, true, "%s: this private key is not that of the first certificate in %s",
		         pair->key_file.path, pair->cert_file.path);
	EVP_PKEY_free(key);
	ERR_clear_error();
}

static void subject(X509 *x, char *out, int cap)
{
	X509_NAME_oneline(X509_get_subject_name(x), out, cap);
}

static void check_order(const struct checker *c, const char *path, const struct chain *chain)
{
	char name[256];

	for (int i = 0; i + 1 < chain->n; i++) {
		EVP_PKEY *signer = X509_get0_pubkey(chain->v[i + 1]);

		if (X509_check_issued(chain->v[i + 1], chain->v[i]) == X509_V_OK && signer &&
		    X509_verify(chain->v[i], signer) == 1)
			continue;
		subject(chain->v[i], name, sizeof(name));
		complain(c, true,
		         "%s: certificate %d (%s) is not signed by the next one: the order is leaf "
		         "first, then "
		         "its issuers",
		         path, i + 1, name);
	}
	ERR_clear_error();
}

static int64_t seconds_of(const ASN1_TIME *t)
{
	struct tm tm;

	return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : INT64_MIN;
}

static void check_times(const struct checker *c, const char *path, const struct chain *chain)
{
	for (int i = 0; i < chain->n; i++) {
		int64_t begins = seconds_of(X509_get0_notBefore(chain->v[i]));
		int64_t ends = seconds_of(X509_get0_notAfter(chain->v[i]));
		char name[256];

		subject(chain->v[i], name, sizeof(name));
		if (ends == INT64_MIN || begins == INT64_MIN)
			complain(c, true, "%s: certificate %d (%s) has no readable dates", path,
			         i + 1, name);
		else if (ends <= c->now_s)
			complain(c, true, "%s: certificate %d (%s) ended %lld days ago", path,
			         i + 1, name, (long long)(c->now_s - ends) / DAY_S);
		else if (begins > c->now_s)
			complain(c, false,
			         "%s: certificate %d (%s) is not valid yet: is the clock right?",
			         path, i + 1, name);
		else if (ends - c->now_s < (int64_t)CERT_WARN_DAYS * DAY_S)
			complain(c, false, "%s: certificate %d (%s) ends in %lld days", path, i + 1,
			         name, (long long)(ends - c->now_s) / DAY_S);
	}
}

static void check_pair(const struct checker *c, const struct tls_pair *pair)
{
	struct chain chain;

	if (!pair->cert_file.content.n || !pair->key_file.content.n)
		return; /* not set, or not read: the loader has said why */
	chain_read(&chain, pair->cert_file.content);
	if (!chain.n)
		complain(c, true, "%s: no certificate in PEM form", pair->cert_file.path);
	if (chain.too_long)
		complain(c, true, "%s: more than %d certificates", pair->cert_file.path, CHAIN_MAX);
	check_key(c, pair, &chain);
	check_order(c, pair->cert_file.path, &chain);
	check_times(c, pair->cert_file.path, &chain);
	chain_free(&chain);
}

static void check_listener(struct checker *c, const struct listener_conf *l, size_t index)
{
	char where[100];

	for (size_t i = 0; i < l->tls.pairs.n; i++) {
		int n = l->admin ? snprintf(where, sizeof(where), "admin.tls")
		                 : snprintf(where, sizeof(where), "listeners[%zu].tls", index);

		if (l->tls.pairs.n > 1)
			snprintf(where + n, sizeof(where) - (size_t)n, "[%zu]", i);
		c->where = where;
		check_pair(c, &l->tls.pairs.v[i]);
	}
}

void certs_check(const struct conf *conf, int64_t now_s, certs_say *say, void *arg)
{
	struct checker c = { .say = say, .arg = arg, .now_s = now_s };
	struct tls_pair kafka = { conf->kafka.tls.cert_file, conf->kafka.tls.key_file };
	struct chain ca;

	for (size_t i = 0; i < conf->listeners.n; i++)
		check_listener(&c, &conf->listeners.v[i], i);
	if (!conf->kafka.tls.enabled)
		return;
	c.where = "kafka.tls";
	check_pair(&c, &kafka);
	if (!conf->kafka.tls.ca_file.content.n)
		return;
	chain_read(&ca, conf->kafka.tls.ca_file.content);
	if (!ca.n)
		complain(&c, true, "%s: no certificate in PEM form", conf->kafka.tls.ca_file.path);
	chain_free(&ca);
}

int64_t certs_not_after(struct bytes pem)
{
	int64_t first = INT64_MAX;
	struct chain chain;

	chain_read(&chain, pem);
	for (int i = 0; i < chain.n; i++) {
		int64_t ends = seconds_of(X509_get0_notAfter(chain.v[i]));

		if (ends < first)
			first = ends;
	}
	chain_free(&chain);
	return first;
}

int64_t certs_first_end(const struct conf *conf)
{
	int64_t first = INT64_MAX;

	for (size_t i = 0; i < conf->listeners.n; i++) {
		const struct tls_conf *tls = &conf->listeners.v[i].tls;

		for (size_t k = 0; k < tls->pairs.n; k++) {
			int64_t ends = certs_not_after(tls->pairs.v[k].cert_file.content);

			if (ends < first)
				first = ends;
		}
	}
	return first;
}
