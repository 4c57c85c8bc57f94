/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls.c -- one SSL_CTX per TLS listener, and io_tls, the second table under conn.c. Certificates
 * and keys are PEM bytes that came with the configuration: nothing is opened here. It never logs:
 * what a stranger's handshake fails of is counted, and he cannot fill a log with it.
 */
#include "worker/tls.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include "worker/conn.h"
#include "worker/worker.h"

/* ECDHE and AEAD only, ECDSA first: its handshake costs a third of RSA's. */
#define CIPHERS_1_2                                                                                \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-"      \
	"SHA384:"                                                                                  \
	"ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES256-GCM-SHA384"
#define CIPHERS_1_3 "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384"

enum { NAME_BYTES = 16, HMAC_BYTES = 32, AES_BYTES = 32, TICKETS_PER_HANDSHAKE = 1 };
enum { VERSION_1_2, VERSION_1_3, VERSION_NONE }; /* DIM_TLS_VERSION */

struct ticket_key {
	uint8_t name[NAME_BYTES], hmac[HMAC_BYTES], aes[AES_BYTES];
};
enum { KEY_PREVIOUS, KEY_CURRENT, KEY_NEXT };
_Static_assert(sizeof(struct ticket_key) == TICKET_KEY_BYTES && KEY_NEXT + 1 == TICKET_KEYS,
               "as sent");

struct tls {
	struct ticket_key keys[TICKET_KEYS];
	SSL_CTX **listeners; /* by index in conf->listeners; NULL: plain */
	size_t listener_count;
};

/* ---- set-up ---- */

/* The newest error of OpenSSL, in words; its queue is empty after it. */
static const char *reason(char *text, size_t cap)
{
	ERR_error_string_n(ERR_peek_last_error(), text, cap);
	ERR_clear_error();
	return text;
}

/* Keys with a passphrase are refused: nobody is there to be asked. */
static int no_passphrase(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)arg;
	return 0;
}

static BIO *bio_of(struct bytes content)
{
	BIO *bio =
		content.n <= INT32_MAX
			? BIO_new_mem_buf(content.n ? (const void *)content.p : "", (int)content.n)
			: NULL;

	if (!bio)
		out_of_memory();
	return bio;
}

/* Leaf first, then the chain, as the configuration's check has seen it. */
static int use_certificates(SSL_CTX *ctx, const struct conf_file *file, struct err *err)
{
	BIO *bio = bio_of(file->content);
	char text[256];
	X509 *cert = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
	bool ok = cert && SSL_CTX_use_certificate(ctx, cert) == 1;

	X509_free(cert);
	while (ok && (cert = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL))) {
		ok = SSL_CTX_add0_chain_cert(ctx, cert) == 1;
		if (!ok)
			X509_free(cert);
	}
	BIO_free(bio);
	/* Reading past the last one is how the end is found. */
	if (ok && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE)
		ERR_clear_error();
	if (!ok || ERR_peek_last_error())
		return err_set(err, "%s: no usable certificate: %s", file->path,
		               reason(text, sizeof(text)));
	return 0;
}

static int use_key(SSL_CTX *ctx, const struct conf_file *file, struct err *err)
{
	BIO *bio = bio_of(file->content);
	char text[256];
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	bool ok =
		key && SSL_CTX_use_PrivateKey(ctx, key) == 1 && SSL_CTX_check_private_key(ctx) == 1;

	EVP_PKEY_free(key);
	BIO_free(bio);
	if (!ok)
		return err_set(err, "%s: no usable private key: %s", file->path,
		               reason(text, sizeof(text)));
	return 0;
}

/* http/1.1 or nothing: who offers only h2 would speak it. Without ALPN there is no question. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_bytes,
                   const unsigned char *in, unsigned in_bytes, void *arg)
{
	static const unsigned char ours[] = "\x08http/1.1";
	unsigned char *chosen;

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&chosen, out_bytes, ours, sizeof(ours) - 1, in, in_bytes) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/* NULL if none has that name: the client makes a full handshake. */
static const struct ticket_key *key_named(const struct tls *t, const unsigned char *name)
{
	for (unsigned i = 0; i < TICKET_KEYS; i++)
		if (CRYPTO_memcmp(t->keys[i].name, name, NAME_BYTES) == 0)
			return &t->keys[i];
	return NULL;
}

/* What it answers is OpenSSL's: -1 error, 0 no such key, 1 fine, 2 fine, but give a new ticket. */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int encrypt)
{
	struct tls *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	const struct ticket_key *key = encrypt ? &t->keys[KEY_CURRENT] : key_named(t, name);
	char digest[] = "SHA256";
	uint8_t hmac[HMAC_BYTES];
	OSSL_PARAM params[3];

	if (!key)
		return 0;
	if (encrypt) {
		memcpy(name, key->name, NAME_BYTES);
		if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1)
			return -1;
	}
	memcpy(hmac, key->hmac, sizeof(hmac)); /* the parameter's type is not const */
	params[0] = OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, hmac, sizeof(hmac));
	params[1] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
	params[2] = OSSL_PARAM_construct_end();
	if (EVP_MAC_CTX_set_params(mac, params) != 1 ||
	    EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->aes, iv, encrypt) != 1)
		return -1;
	OPENSSL_cleanse(hmac, sizeof(hmac));
	/* Clients use a ticket of TLS 1.3 once (RFC 8446 C.4): without a new one every second try
	 * is full. */
	return SSL_version(ssl) == TLS1_3_VERSION || key == &t->keys[KEY_PREVIOUS] ? 2 : 1;
}

static int set_policy(SSL_CTX *ctx, const struct listener_conf *conf)
{
	int lowest = conf->tls.min_version == TLS_VERSION_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
	size_t name = min_size(strlen(conf->name), SSL_MAX_SID_CTX_LENGTH);

	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
	                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
	                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(
		ctx, SSL_SESS_CACHE_OFF); /* tickets only: workers share no memory */
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
	return SSL_CTX_set_min_proto_version(ctx, lowest) == 1 &&
	                       SSL_CTX_set_max_proto_version(ctx, 0) == 1 &&
	                       SSL_CTX_set_cipher_list(ctx, CIPHERS_1_2) == 1 &&
	                       SSL_CTX_set_ciphersuites(ctx, CIPHERS_1_3) == 1 &&
	                       SSL_CTX_set1_groups_list(ctx, "X25519:P-256") == 1 &&
	                       SSL_CTX_set_max_early_data(ctx, 0) == 1 &&
	                       SSL_CTX_set_num_tickets(ctx, TICKETS_PER_HANDSHAKE) == 1 &&
	                       SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket) == 1 &&
	                       SSL_CTX_set_session_id_context(
				       ctx, (const unsigned char *)conf->name, (unsigned)name) == 1
	               ? 0
	               : -1;
}

static SSL_CTX *listener_ctx(struct tls *t, const struct listener_conf *conf, struct err *err)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	char text[256];
	int failed;

	if (!ctx)
		out_of_memory();
	SSL_CTX_set_app_data(ctx, t);
	failed = set_policy(ctx, conf);
	if (failed)
		err_set(err, "OpenSSL refuses a setting: %s", reason(text, sizeof(text)));
	for (size_t i = 0; !failed && i < conf->tls.pairs.n; i++) {
		const struct tls_pair *pair = &conf->tls.pairs.v[i];

		failed = use_certificates(ctx, &pair->cert_file, err) ||
		         use_key(ctx, &pair->key_file, err);
	}
	if (!failed)
		return ctx;
	err_prefix(err, "listener %s: ", conf->name);
	SSL_CTX_free(ctx);
	return NULL;
}

static int64_t min_end(int64_t first, const X509 *cert)
{
	struct tm tm;
	int64_t end = ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) == 1 ? timegm(&tm) : INT64_MAX;

	return end < first ? end : first;
}

/* The first end of all that a listener shows. */
static int64_t first_end(SSL_CTX *ctx)
{
	int64_t first = INT64_MAX;

	for (long more = SSL_CTX_set_current_cert(ctx, SSL_CERT_SET_FIRST); more == 1;
	     more = SSL_CTX_set_current_cert(ctx, SSL_CERT_SET_NEXT)) {
		STACK_OF(X509) *chain = NULL;

		first = min_end(first, SSL_CTX_get0_certificate(ctx));
		SSL_CTX_get0_chain_certs(ctx, &chain);
		for (int i = 0; i < sk_X509_num(chain); i++)
			first = min_end(first, sk_X509_value(chain, i));
	}
	return first;
}

/* For whoever is to renew it in time. */
static void show_end(const struct worker *w, unsigned listener, SSL_CTX *ctx)
{
	int64_t end = first_end(ctx);

	if (end > 0 && end < INT64_MAX)
		stats_set(w->stats, STAT_CERT_ENDS, listener, 0, (uint64_t)end);
}

struct tls *tls_open(struct worker *w, struct err *err)
{
	const struct conf *conf = w->conf;
	struct tls *t = xcalloc(1, sizeof(*t));

	t->listeners = xcalloc(conf->listeners.n + 1, sizeof(SSL_CTX *));
	t->listener_count = conf->listeners.n;
	/* Until the master's keys are here: tickets of nobody else. */
	if (RAND_bytes((unsigned char *)t->keys, sizeof(t->keys)) != 1) {
		tls_close(t);
		err_set(err, "OpenSSL has no random bytes");
		return NULL;
	}
	for (size_t i = 0; i < conf->listeners.n; i++) {
		if (conf->listeners.v[i].tls.pairs.n == 0)
			continue;
		t->listeners[i] = listener_ctx(t, &conf->listeners.v[i], err);
		if (!t->listeners[i]) {
			tls_close(t);
			return NULL;
		}
		show_end(w, (unsigned)i, t->listeners[i]);
	}
	return t;
}

void tls_close(struct tls *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->listener_count; i++)
		SSL_CTX_free(t->listeners[i]);
	OPENSSL_cleanse(t->keys, sizeof(t->keys));
	free(t->listeners);
	free(t);
}

void tls_tickets(struct tls *t, const uint8_t keys[static TICKET_KEYS * TICKET_KEY_BYTES])
{
	memcpy(t->keys, keys, sizeof(t->keys));
}

bool tls_wanted(const struct tls *t, unsigned listener_index)
{
	return t && listener_index < t->listener_count && t->listeners[listener_index];
}

/* ---- one connection ---- */

void *tls_accept(struct tls *t, unsigned listener_index, int fd)
{
	SSL *ssl = SSL_new(t->listeners[listener_index]);

	if (!ssl || SSL_set_fd(ssl, fd) != 1)
		out_of_memory();
	SSL_set_accept_state(ssl);
	return ssl;
}

static unsigned version_index(const SSL *ssl)
{
	switch (SSL_version(ssl)) {
	case TLS1_2_VERSION:
		return VERSION_1_2;
	case TLS1_3_VERSION:
		return VERSION_1_3;
	}
	return VERSION_NONE;
}

/* The client went without close_notify, or its TCP did: a normal end, not an error. */
static bool is_cut(int error)
{
	if (error == SSL_ERROR_SYSCALL)
		return true;
	return error == SSL_ERROR_SSL &&
	       ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
}

enum tls_step tls_handshake(void *ssl, enum tls_result *result, unsigned *version)
{
	int n, error;
	bool cut;

	ERR_clear_error();
	n = SSL_do_handshake(ssl);
	if (n == 1) {
		*result = SSL_session_reused(ssl) ? TLS_RESUMED : TLS_OK;
		*version = version_index(ssl);
		return TLS_STEP_DONE;
	}
	error = SSL_get_error(ssl, n);
	if (error == SSL_ERROR_WANT_READ)
		return TLS_STEP_READ;
	if (error == SSL_ERROR_WANT_WRITE)
		return TLS_STEP_WRITE;
	cut = is_cut(error);
	ERR_clear_error();
	*result = cut ? TLS_CUT : TLS_FAILED;
	*version = VERSION_NONE;
	return TLS_STEP_FAILED;
}

bool tls_pending(const void *ssl)
{
	return SSL_pending(ssl) > 0;
}

void tls_free(void *ssl, bool clean)
{
	ERR_clear_error();
	if (clean && SSL_is_init_finished(ssl) && SSL_shutdown(ssl) < 0)
		ERR_clear_error(); /* the socket is full or gone: the client sees its end without it
		                    */
	SSL_free(ssl);
}

const char *tls_version_text(const void *ssl)
{
	return SSL_get_version(ssl);
}

/* ---- io_tls ---- */

static enum io_result io_answer(SSL *ssl, int returned)
{
	int error = SSL_get_error(ssl, returned);
	enum io_result result = IO_ERROR;

	if (error == SSL_ERROR_WANT_READ)
		return IO_AGAIN_READ;
	if (error == SSL_ERROR_WANT_WRITE)
		return IO_AGAIN_WRITE;
	if (error == SSL_ERROR_ZERO_RETURN || (is_cut(error) && error == SSL_ERROR_SSL))
		result = IO_EOF;
	ERR_clear_error();
	return result;
}

static enum io_result tls_recv(int fd, void *state, void *p, size_t cap, size_t *got)
{
	int n;

	(void)fd;
	ERR_clear_error();
	n = SSL_read_ex(state, p, cap, got);
	return n == 1 ? IO_OK : io_answer(state, n);
}

static enum io_result tls_send(int fd, void *state, const void *p, size_t n, size_t *sent)
{
	int done;

	(void)fd;
	ERR_clear_error();
	done = SSL_write_ex(state, p, n, sent);
	return done == 1 ? IO_OK : io_answer(state, done);
}

const struct io io_tls = { .name = "tls", .recv = tls_recv, .send = tls_send };
