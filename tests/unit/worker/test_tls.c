/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handshakes between io_tls and OpenSSL's own client over a socket pair, with certificates made
 * here.
 */
#include <criterion/criterion.h>

#include "worker/tls.c"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include "tests/unit/worker/certs.h"

/* ---- the server ---- */

struct server {
	struct worker w;
	struct conf conf;
	struct listener_conf listeners[2]; /* plain, TLS */
	struct tls_pair pairs[3];
	struct tls *tls;
};

static struct conf_file file_of(const char *path, const char *content)
{
	return (struct conf_file){ path, bytes_str(content) };
}

static void pair_add(struct server *s, const char *cert, const char *key)
{
	struct tls_conf *tls = &s->listeners[1].tls;

	s->pairs[tls->pairs.n++] =
		(struct tls_pair){ file_of("cert.pem", cert), file_of("key.pem", key) };
}

static struct stats *page; /* of all servers */

static void server_is(struct server *s)
{
	memset(s, 0, sizeof(*s));
	s->w.stats = page;
	s->listeners[0].name = "plain";
	s->listeners[1].name = "public";
	s->listeners[1].tls.pairs.v = s->pairs;
	s->conf.listeners.v = s->listeners;
	s->conf.listeners.n = 2;
	s->w.conf = &s->conf;
}

static void server_opens(struct server *s)
{
	struct err err = { "" };

	if (s->listeners[1].tls.pairs.n == 0)
		pair_add(s, certs[EC], keys[EC]);
	s->tls = tls_open(&s->w, &err);
	cr_assert_not_null(s->tls, "%s", err.text);
}

static struct server server;

static void opens(void)
{
	struct err err = { "" };
	int fd;

	signal(SIGPIPE,
	       SIG_IGN); /* as in a worker: OpenSSL writes to sockets whose peer may be gone */
	certs_make();
	fd = stats_memfd(2, &err);
	page = fd < 0 ? NULL : stats_map(fd, true, 2, &err);
	cr_assert_not_null(page, "%s", err.text);
	close(fd);
	server_is(&server);
}

static void closes(void)
{
	tls_close(server.tls);
	stats_unmap(page);
	certs_free();
}

TestSuite(tls, .init = opens, .fini = closes, .timeout = 60);

/* ---- the client, and both together ---- */

struct meeting {
	SSL_CTX *ctx;
	SSL *client;
	void *ssl; /* the server's */
	int fds[2];
	enum tls_result result;
	unsigned version;
	enum tls_step step;
	unsigned long client_error;
};

static void meeting_opens(struct meeting *m)
{
	memset(m, 0, sizeof(*m));
	m->ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_session_cache_mode(m->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
}

static void meets(struct meeting *m, struct server *s, SSL_SESSION *session)
{
	bool done = false;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, m->fds), 0);
	if (!m->client)
		m->client = SSL_new(m->ctx);
	SSL_set_fd(m->client, m->fds[0]);
	SSL_set_connect_state(m->client);
	if (session)
		SSL_set_session(m->client, session);
	m->ssl = tls_accept(s->tls, 1, m->fds[1]);
	m->step = TLS_STEP_READ;
	for (unsigned i = 0;
	     i < 20 && !(done && m->step == TLS_STEP_DONE) && m->step != TLS_STEP_FAILED; i++) {
		int n;

		ERR_clear_error();
		n = SSL_do_handshake(m->client);
		done = n == 1;
		if (!done && SSL_get_error(m->client, n) == SSL_ERROR_SSL)
			m->client_error = ERR_peek_error();
		if (m->step != TLS_STEP_DONE)
			m->step = tls_handshake(m->ssl, &m->result, &m->version);
	}
	if (m->step == TLS_STEP_FAILED) { /* the alert */
		int n = SSL_do_handshake(m->client);

		if (n != 1 && SSL_get_error(m->client, n) == SSL_ERROR_SSL)
			m->client_error = ERR_peek_error();
	}
	ERR_clear_error();
}

static void meeting_parts(struct meeting *m)
{
	if (m->ssl)
		tls_free(m->ssl, true);
	SSL_shutdown(m->client);
	SSL_free(m->client);
	m->client = NULL;
	m->ssl = NULL;
	close(m->fds[0]);
	close(m->fds[1]);
}

static void meeting_closes(struct meeting *m)
{
	meeting_parts(m);
	SSL_CTX_free(m->ctx);
}

Test(tls, handshake_and_bytes_both_ways)
{
	struct meeting m;
	char buf[64];
	size_t n = 0;

	server_opens(&server);
	cr_assert(tls_wanted(server.tls, 1));
	cr_assert(!tls_wanted(server.tls, 0));
	cr_assert(!tls_wanted(server.tls, 2));
	cr_assert(!tls_wanted(NULL, 1));
	meeting_opens(&m);
	meets(&m, &server, NULL);
	cr_assert_eq(m.step, TLS_STEP_DONE);
	cr_assert_eq(m.result, TLS_OK);
	cr_assert_eq(m.version, VERSION_1_3);
	cr_assert_str_eq(tls_version_text(m.ssl), "TLSv1.3");
	cr_assert_eq(io_tls.recv(m.fds[1], m.ssl, buf, sizeof(buf), &n), IO_AGAIN_READ);
	cr_assert_eq(SSL_write(m.client, "hello", 5), 5);
	cr_assert_eq(io_tls.recv(m.fds[1], m.ssl, buf, 2, &n), IO_OK);
	cr_assert_eq(n, 2);
	cr_assert(tls_pending(m.ssl));
	cr_assert_eq(io_tls.recv(m.fds[1], m.ssl, buf, sizeof(buf), &n), IO_OK);
	cr_assert_eq(n, 3);
	cr_assert(!tls_pending(m.ssl));
	cr_assert_eq(io_tls.send(m.fds[1], m.ssl, "answer", 6, &n), IO_OK);
	cr_assert_eq(SSL_read(m.client, buf, sizeof(buf)), 6);
	meeting_closes(&m);
}

Test(tls, close_notify_and_a_cut_are_both_the_end)
{
	struct meeting m;
	char buf[8];
	size_t n;

	server_opens(&server);
	meeting_opens(&m);
	meets(&m, &server, NULL);
	SSL_shutdown(m.client);
	cr_assert_eq(io_tls.recv(m.fds[1], m.ssl, buf, sizeof(buf), &n), IO_EOF);
	meeting_parts(&m);
	meets(&m, &server, NULL);
	shutdown(m.fds[0], SHUT_WR);
	cr_assert_eq(io_tls.recv(m.fds[1], m.ssl, buf, sizeof(buf), &n), IO_EOF);
	cr_assert_eq(ERR_peek_error(), 0);
	meeting_closes(&m);
}

Test(tls, client_that_goes_in_the_handshake_is_cut_and_nonsense_fails)
{
	enum tls_result result;
	unsigned version;
	int fds[2];
	void *ssl;

	server_opens(&server);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	ssl = tls_accept(server.tls, 1, fds[1]);
	cr_assert_eq(tls_handshake(ssl, &result, &version), TLS_STEP_READ);
	close(fds[0]);
	cr_assert_eq(tls_handshake(ssl, &result, &version), TLS_STEP_FAILED);
	cr_assert_eq(result, TLS_CUT);
	cr_assert_eq(version, VERSION_NONE);
	tls_free(ssl, true);
	close(fds[1]);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	ssl = tls_accept(server.tls, 1, fds[1]);
	cr_assert_eq(write(fds[0], "GET / HTTP/1.1\r\n\r\n", 18), 18);
	cr_assert_eq(tls_handshake(ssl, &result, &version), TLS_STEP_FAILED);
	cr_assert_eq(result, TLS_FAILED);
	cr_assert_eq(ERR_peek_error(), 0);
	tls_free(ssl, true);
	close(fds[0]);
	close(fds[1]);
}

Test(tls, alpn_is_http11_or_nothing)
{
	static const struct {
		const char *offer, *chosen;
	} cases[] = {
		{ "\x02h2\x08http/1.1", "http/1.1" },
		{ "\x08http/1.1", "http/1.1" },
		{ "\x02h2", NULL }, /* refused */
		{ "\x08http/1.0\x02h2", NULL },
		{ "", "" },
	};

	server_opens(&server);
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		const unsigned char *chosen;
		unsigned n;
		struct meeting m;

		meeting_opens(&m);
		if (cases[i].offer[0])
			SSL_CTX_set_alpn_protos(m.ctx, (const unsigned char *)cases[i].offer,
			                        (unsigned)strlen(cases[i].offer));
		meets(&m, &server, NULL);
		if (cases[i].chosen) {
			cr_assert_eq(m.step, TLS_STEP_DONE, "case %u", i);
			SSL_get0_alpn_selected(m.client, &chosen, &n);
			cr_assert(bytes_eq(bytes_of(chosen, n), bytes_str(cases[i].chosen)),
			          "case %u", i);
		} else {
			cr_assert_eq(m.step, TLS_STEP_FAILED, "case %u", i);
			cr_assert_eq(ERR_GET_REASON(m.client_error),
			             SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL, "case %u", i);
		}
		meeting_closes(&m);
	}
}

Test(tls, versions_below_1_2_or_below_the_configured_one_are_refused)
{
	struct meeting m;

	server_opens(&server);
	meeting_opens(&m);
	SSL_CTX_set_security_level(m.ctx, 0);
	SSL_CTX_set_min_proto_version(m.ctx, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(m.ctx, TLS1_1_VERSION);
	meets(&m, &server, NULL);
	cr_assert_eq(m.step, TLS_STEP_FAILED);
	meeting_parts(&m);
	SSL_CTX_set_max_proto_version(m.ctx, TLS1_2_VERSION);
	meets(&m, &server, NULL);
	cr_assert_eq(m.step, TLS_STEP_DONE);
	cr_assert_eq(m.version, VERSION_1_2);
	meeting_parts(&m);
	tls_close(server.tls);
	server.listeners[1].tls.min_version = TLS_VERSION_1_3;
	server_opens(&server);
	meets(&m, &server, NULL);
	cr_assert_eq(m.step, TLS_STEP_FAILED);
	meeting_closes(&m);
}

Test(tls, ciphers_are_ecdhe_with_aead)
{
	STACK_OF(SSL_CIPHER) * list;
	struct meeting m;

	server_opens(&server);
	list = SSL_CTX_get_ciphers(server.tls->listeners[1]);
	for (int i = 0; i < sk_SSL_CIPHER_num(list); i++) {
		const SSL_CIPHER *c = sk_SSL_CIPHER_value(list, i);
		int kx = SSL_CIPHER_get_kx_nid(c);

		cr_expect(SSL_CIPHER_is_aead(c), "%s", SSL_CIPHER_get_name(c));
		cr_expect(kx == NID_kx_ecdhe || kx == NID_kx_any, "%s", SSL_CIPHER_get_name(c));
	}
	meeting_opens(&m);
	SSL_CTX_set_max_proto_version(m.ctx, TLS1_2_VERSION);
	SSL_CTX_set_cipher_list(m.ctx, "ECDHE-ECDSA-AES256-SHA384:AES128-GCM-SHA256");
	meets(&m, &server, NULL);
	cr_assert_eq(m.step, TLS_STEP_FAILED);
	meeting_closes(&m);
}

Test(tls, x25519_is_preferred)
{
	EVP_PKEY *shared;
	struct meeting m;

	server_opens(&server);
	meeting_opens(&m);
	SSL_CTX_set1_groups_list(m.ctx, "P-256:X25519");
	SSL_CTX_set_max_proto_version(
		m.ctx, TLS1_2_VERSION); /* 1.3 takes what the client's key share is for */
	meets(&m, &server, NULL);
	cr_assert_eq(m.step, TLS_STEP_DONE);
	cr_assert_eq(SSL_get_peer_tmp_key(m.client, &shared), 1);
	cr_assert_eq(EVP_PKEY_get_id(shared), EVP_PKEY_X25519);
	EVP_PKEY_free(shared);
	meeting_parts(&m);
	SSL_CTX_set_max_proto_version(m.ctx, 0);
	SSL_CTX_set1_groups_list(m.ctx, "P-384");
	meets(&m, &server, NULL);
	cr_assert_eq(m.step, TLS_STEP_FAILED);
	meeting_closes(&m);
}

Test(tls, renegotiation_is_refused)
{
	struct meeting m;
	char buf[8];
	size_t n;

	server_opens(&server);
	meeting_opens(&m);
	SSL_CTX_set_max_proto_version(m.ctx, TLS1_2_VERSION);
	meets(&m, &server, NULL);
	cr_assert_eq(m.step, TLS_STEP_DONE);
	cr_assert_eq(SSL_renegotiate(m.client), 1);
	SSL_do_handshake(m.client);
	ERR_clear_error();
	cr_assert_neq(io_tls.recv(m.fds[1], m.ssl, buf, sizeof(buf), &n), IO_OK);
	SSL_do_handshake(m.client);
	cr_assert_eq(ERR_GET_REASON(ERR_peek_error()), SSL_R_NO_RENEGOTIATION);
	ERR_clear_error();
	meeting_closes(&m);
}

/* ---- certificates ---- */

static int key_type_of(struct meeting *m)
{
	X509 *cert = SSL_get1_peer_certificate(m->client);
	int type = EVP_PKEY_get_base_id(X509_get0_pubkey(cert));

	X509_free(cert);
	return type;
}

Test(tls, client_gets_the_certificate_it_understands)
{
	struct meeting m;

	pair_add(&server, certs[RSA_2048], keys[RSA_2048]);
	pair_add(&server, certs[EC], keys[EC]);
	server_opens(&server);
	meeting_opens(&m);
	meets(&m, &server, NULL);
	cr_assert_eq(key_type_of(&m), EVP_PKEY_EC);
	meeting_parts(&m);
	SSL_CTX_set1_sigalgs_list(m.ctx, "RSA-PSS+SHA256");
	meets(&m, &server, NULL);
	cr_assert_eq(m.step, TLS_STEP_DONE);
	cr_assert_eq(key_type_of(&m), EVP_PKEY_RSA);
	meeting_closes(&m);
}

Test(tls, chain_behind_the_leaf_is_sent)
{
	struct meeting m;
	char chain[8192];

	snprintf(chain, sizeof(chain), "%s%s", certs[EC], certs[EC_OTHER]);
	pair_add(&server, chain, keys[EC]);
	server_opens(&server);
	meeting_opens(&m);
	meets(&m, &server, NULL);
	cr_assert_eq(m.step, TLS_STEP_DONE);
	cr_assert_eq(sk_X509_num(SSL_get_peer_cert_chain(m.client)), 2);
	meeting_closes(&m);
}

/* F56's other side: what does not fit is an error with its file, not a listener without a
 * certificate. */
Test(tls, unusable_certificates_and_keys_are_named)
{
	static const char locked[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END "
	                             "ENCRYPTED PRIVATE KEY-----\n";
	struct {
		const char *cert, *key, *says;
	} cases[] = {
		{ certs[EC], keys[EC_OTHER], "listener public: key.pem: no usable private key" },
		{ certs[EC], keys[RSA_2048], "listener public: key.pem: no usable private key" },
		{ certs[EC], "", "listener public: key.pem: no usable private key" },
		{ certs[EC], locked, "listener public: key.pem: no usable private key" },
		{ "", keys[EC], "listener public: cert.pem: no usable certificate" },
		{ "nonsense", keys[EC], "listener public: cert.pem: no usable certificate" },
	};

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = { "" };

		server_is(&server);
		pair_add(&server, cases[i].cert, cases[i].key);
		cr_assert_null(tls_open(&server.w, &err), "case %u", i);
		cr_expect_eq(strncmp(err.text, cases[i].says, strlen(cases[i].says)), 0,
		             "case %u: %s", i, err.text);
		cr_assert_eq(ERR_peek_error(), 0);
	}
}

/* ---- tickets ---- */

static SSL_SESSION *kept;

static void key_is(uint8_t *keys_at, unsigned index, uint8_t fill)
{
	memset(keys_at + index * TICKET_KEY_BYTES, fill, TICKET_KEY_BYTES);
}

/* A handshake from nothing, or with the session kept from the last one; then the new ticket is
 * read. */
static enum tls_result resumes(struct meeting *m, struct server *s, int version, bool fresh)
{
	char buf[8];

	SSL_CTX_set_max_proto_version(m->ctx, version);
	meets(m, s, fresh ? NULL : kept);
	cr_assert_eq(m->step, TLS_STEP_DONE);
	SSL_read(m->client, buf, sizeof(buf));
	SSL_SESSION_free(kept);
	kept = SSL_get1_session(m->client);
	meeting_parts(m);
	return m->result;
}

/* F55 */
Test(tls, tickets_of_one_worker_are_good_in_all_until_two_rotations)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	uint8_t ticket_keys[TICKET_KEYS * TICKET_KEY_BYTES];
	struct server other;

	server_opens(&server);
	server_is(&other);
	server_opens(&other);
	for (unsigned v = 0; v < ARRAY_LEN(versions); v++) {
		struct meeting m;

		meeting_opens(&m);
		for (unsigned i = 0; i < TICKET_KEYS; i++)
			key_is(ticket_keys, i, (uint8_t)('a' + i));
		tls_tickets(server.tls, ticket_keys);
		tls_tickets(other.tls, ticket_keys);
		cr_assert_eq(resumes(&m, &server, versions[v], true), TLS_OK);
		for (unsigned i = 0; i < 10; i++) {
			cr_assert_eq(resumes(&m, &other, versions[v], false), TLS_RESUMED, "%u", i);
			cr_assert_eq(resumes(&m, &server, versions[v], false), TLS_RESUMED, "%u",
			             i);
		}
		/* One worker has the next rotation already, the other not yet. */
		for (unsigned i = 0; i < TICKET_KEYS; i++)
			key_is(ticket_keys, i, (uint8_t)('b' + i));
		tls_tickets(other.tls, ticket_keys);
		cr_assert_eq(resumes(&m, &other, versions[v], false), TLS_RESUMED);
		cr_assert_eq(resumes(&m, &server, versions[v], false), TLS_RESUMED);
		cr_assert_eq(resumes(&m, &other, versions[v], false), TLS_RESUMED);
		/* Two rotations: full handshakes. */
		cr_assert_eq(resumes(&m, &other, versions[v], true), TLS_OK);
		for (unsigned i = 0; i < TICKET_KEYS; i++)
			key_is(ticket_keys, i, (uint8_t)('d' + i));
		tls_tickets(other.tls, ticket_keys);
		cr_assert_eq(resumes(&m, &other, versions[v], false), TLS_OK);
		SSL_SESSION_free(kept);
		kept = NULL;
		SSL_CTX_free(m.ctx);
	}
	tls_close(other.tls);
}

Test(tls, without_the_masters_keys_tickets_are_of_nobody_else)
{
	struct server other;
	struct meeting m;

	server_opens(&server);
	server_is(&other);
	server_opens(&other);
	meeting_opens(&m);
	cr_assert_eq(resumes(&m, &server, TLS1_3_VERSION, true), TLS_OK);
	cr_assert_eq(resumes(&m, &server, TLS1_3_VERSION, false), TLS_RESUMED);
	cr_assert_eq(resumes(&m, &other, TLS1_3_VERSION, false), TLS_OK);
	SSL_SESSION_free(kept);
	kept = NULL;
	SSL_CTX_free(m.ctx);
	tls_close(other.tls);
}

Test(tls, early_data_is_not_offered_and_one_ticket_is_given)
{
	struct meeting m;

	server_opens(&server);
	meeting_opens(&m);
	resumes(&m, &server, TLS1_3_VERSION, true);
	cr_assert_not_null(kept);
	cr_assert_eq(SSL_SESSION_get_max_early_data(kept), 0);
	cr_assert_eq(SSL_CTX_get_num_tickets(server.tls->listeners[1]), 1);
	SSL_SESSION_free(kept);
	kept = NULL;
	SSL_CTX_free(m.ctx);
}

Test(tls, when_the_first_certificate_ends_is_told)
{
	server_opens(&server);
	cr_assert_gt(stats_get(page, STAT_CERT_ENDS, 1, 0), (uint64_t)time(NULL));
	cr_assert_eq(stats_get(page, STAT_CERT_ENDS, 0, 0), 0, "this listener has none");
}
