/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/worker/conn_fakes.h"
#include "worker/conn.c"

#include "tests/unit/worker/conn_walk.h"

/* ---- TLS ---- */

static struct tls_pair pair;
static SSL_CTX *client_ctx;

static void tls_opens(void)
{
	struct err err = { "" };

	signal(SIGPIPE, SIG_IGN);
	certs_make();
	opens();
	pair = (struct tls_pair){ { "cert.pem", bytes_str(certs[EC]) },
		                  { "key.pem", bytes_str(keys[EC]) } };
	listeners[0].tls.pairs.v = &pair;
	listeners[0].tls.pairs.n = 1;
	walk.w.tls = tls_open(&walk.w, &err);
	cr_assert_not_null(walk.w.tls, "%s", err.text);
	client_ctx = SSL_CTX_new(TLS_client_method());
}

static void tls_closes(void)
{
	struct tls *tls = walk.w.tls;

	SSL_CTX_free(client_ctx);
	closes();
	tls_close(tls);
	certs_free();
}

TestSuite(conn_tls, .init = tls_opens, .fini = tls_closes, .timeout = 60);

static SSL *tls_connects(void)
{
	SSL *ssl = SSL_new(client_ctx);
	int done = 0;

	SSL_set_fd(ssl, connects());
	SSL_set_connect_state(ssl);
	for (unsigned i = 0; i < 10 && done != 1; i++) {
		done = SSL_do_handshake(ssl);
		turns(2);
	}
	cr_assert_eq(done, 1);
	return ssl;
}

static void tls_says(SSL *ssl, const void *p, size_t n)
{
	const char *at = p;
	size_t done;

	for (unsigned tries = 0; n && tries < 100000; tries++) {
		if (SSL_write_ex(ssl, at, n, &done) == 1) {
			at += done;
			n -= done;
		}
		turns(1);
	}
	cr_assert_eq(n, 0);
	turns(2);
}

static const char *tls_hears(SSL *ssl)
{
	size_t n = 0;
	int got;

	turns(2);
	while ((got = SSL_read(ssl, heard + n, (int)(sizeof(heard) - n - 16))) > 0)
		n += (size_t)got;
	strcpy(heard + n, SSL_get_error(ssl, got) == SSL_ERROR_ZERO_RETURN ? "<notify>"
	                  : SSL_get_error(ssl, got) == SSL_ERROR_WANT_READ ? ""
	                                                                   : "<cut>");
	return heard;
}

static void tls_leaves(SSL *ssl)
{
	int fd = SSL_get_fd(ssl);

	SSL_shutdown(ssl);
	SSL_free(ssl);
	close(fd);
	turns(3);
}

Test(conn_tls, requests_go_through_the_same_code)
{
	SSL *ssl = tls_connects();

	cr_assert_eq(stats_get(walk.w.stats, STAT_TLS_HANDSHAKES, TLS_OK, 1), 1);
	for (unsigned i = 0; i < 3; i++) {
		tls_says(ssl, POST_OK, strlen(POST_OK));
		cr_assert_str_eq(tls_hears(ssl), OK_HELLO);
		cr_assert_null(only_conn()->buf);
	}
	tls_says(ssl, POST_WAKE, strlen(POST_WAKE));
	cr_assert(only_conn()->active->r.tls);
	cr_assert(req_wake(&walk.w, handle, V_ACCEPTED, 0, 0));
	cr_assert_str_eq(tls_hears(ssl), OK_HELLO);
	tls_leaves(ssl);
	cr_assert_eq(cs->count, 0);
}

Test(conn_tls, body_of_many_records_arrives_whole)
{
	static const char head[] =
		"POST /ok HTTP/1.1\r\nHost: a\r\nContent-Length: 3145728\r\n\r\n";
	size_t n = 3 * MIB;
	char *body = xcalloc(1, n);
	SSL *ssl = tls_connects();

	tls_says(ssl, head, sizeof(head) - 1);
	tls_says(ssl, body, n);
	cr_assert_str_eq(tls_hears(ssl), "HTTP/1.1 200\r\nContent-Length: 3145728\r\n\r\n");
	free(body);
	tls_leaves(ssl);
}

Test(conn_tls, pipelined_requests_in_one_record_are_all_answered)
{
	SSL *ssl = tls_connects();

	tls_says(ssl, GET_OK POST_OK GET_OK, strlen(GET_OK POST_OK GET_OK));
	cr_assert_str_eq(tls_hears(ssl), OK OK_HELLO OK);
	tls_leaves(ssl);
}

Test(conn_tls, last_reply_is_followed_by_close_notify)
{
	SSL *ssl = tls_connects();

	tls_says(ssl, "GET / HTTP/1.1\n\n", 16);
	cr_assert_str_eq(tls_hears(ssl),
	                 "HTTP/1.1 400\r\nConnection: close\r\nContent-Length: 0\r\n\r\n<notify>");
	tls_leaves(ssl);
	cr_assert_eq(cs->count, 0);
}

Test(conn_tls, no_ssl_exists_before_the_first_byte)
{
	int fd = connects();

	cr_assert_null(only_conn()->ssl);
	cr_assert_eq(stats_get(walk.w.stats, STAT_CONNECTIONS, 0, CONN_HANDSHAKE), 1);
	close(fd);
	turns(2);
	cr_assert_eq(cs->count, 0);
	cr_assert_eq(stats_get(walk.w.stats, STAT_TLS_HANDSHAKES, TLS_CUT, 2), 0);
}

Test(conn_tls, plain_http_is_closed)
{
	int fd = connects();

	says(fd, GET_OK);
	hears(fd);
	cr_assert_eq(cs->count, 0);
	cr_assert_eq(stats_get(walk.w.stats, STAT_TLS_HANDSHAKES, TLS_FAILED, 2), 1);
	close(fd);
}

Test(conn_tls, slow_handshake_is_closed)
{
	int fd = connects();

	says_bytes(fd, "\x16\x03\x01", 3);
	later(9999);
	cr_assert_eq(cs->count, 1);
	later(1);
	cr_assert_eq(cs->count, 0);
	cr_assert_eq(stats_get(walk.w.stats, STAT_TLS_HANDSHAKES, TLS_TIMEOUT, 2), 1);
	cr_assert_eq(stats_get(walk.w.stats, STAT_CONNECTIONS_REFUSED, 0, CONN_HANDSHAKE_TIMEOUT),
	             1);
	close(fd);
}

Test(conn_tls, handshakes_beyond_the_limit_displace_the_oldest)
{
	int fds[5];

	for (unsigned i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = connects(); /* tls.handshakes_per_worker: 4 */
	cr_assert_eq(cs->count, 4);
	cr_assert_str_eq(hears(fds[0]), "<end>");
	cr_assert_str_eq(hears(fds[1]), "");
	cr_assert_eq(stats_get(walk.w.stats, STAT_CONNECTIONS_REFUSED, 0, CONN_HANDSHAKE_LIMIT), 1);
	for (unsigned i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
}
