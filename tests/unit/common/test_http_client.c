/* SPDX-License-Identifier: Apache-2.0 */
/* Against a tiny server on the same loop: it says what the test has put into `says`. */
#include "common/http_client.c"

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

#include "common/loop.h"
#include "tests/unit/worker/certs.h"

enum { CONNS = 64, CALLS = 40, HURRY_MS = 200, LONG_MS = 10000 };

static struct server {
	struct event event; /* the listener's */
	struct event conns[CONNS];
	unsigned conn_count, requests;
	char got[4096]; /* the last request's head */
	size_t got_n;
	const char *says; /* NULL: nothing, for ever */
	bool closes; /* after it said so */
	char url[64];
} server;

static struct told {
	int status;
	char failure[256], body[4096], challenge[256];
	size_t body_n;
	msec_t after;
} told[CALLS];

static struct event_base *base;
static struct http_client *client;
static unsigned told_count, wanted;
static int64_t started_ns;

/* ---- the server ---- */

static void on_request(evutil_socket_t fd, short what, void *arg)
{
	ssize_t n = read(fd, server.got + server.got_n, sizeof(server.got) - 1 - server.got_n);

	(void)what;
	if (n <= 0) {
		event_del(arg);
		close(fd);
		return;
	}
	server.got_n += (size_t)n;
	server.got[server.got_n] = '\0';
	if (!strstr(server.got, "\r\n\r\n"))
		return;
	server.requests++;
	server.got_n = 0;
	if (!server.says)
		return;
	cr_assert_eq(write(fd, server.says, strlen(server.says)), (ssize_t)strlen(server.says));
	if (server.closes) {
		event_del(arg);
		close(fd);
	}
}

static void on_connection(evutil_socket_t fd, short what, void *arg)
{
	struct event *e = &server.conns[server.conn_count++];
	int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

	(void)what;
	(void)arg;
	cr_assert_geq(conn, 0);
	cr_assert_leq(server.conn_count, CONNS);
	event_assign(e, base, conn, EV_READ | EV_PERSIST, on_request, e);
	event_add(e, NULL);
}

static int bound(char *url, const char *scheme)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_geq(fd, 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	getsockname(fd, (struct sockaddr *)&sin, &len);
	snprintf(url, sizeof(server.url), "%s://127.0.0.1:%u/userinfo", scheme,
	         ntohs(sin.sin_port));
	return fd;
}

static int listening(char *url, const char *scheme)
{
	int fd = bound(url, scheme);

	cr_assert_eq(listen(fd, CONNS), 0);
	return fd;
}

static void opens(void)
{
	struct err err = { "" };
	int fd = listening(server.url, "http");

	base = loop_open(&err);
	cr_assert_not_null(base, "%s", err.text);
	event_assign(&server.event, base, fd, EV_READ | EV_PERSIST, on_connection, NULL);
	event_add(&server.event, NULL);
	client = http_client_open(base, &err);
	cr_assert_not_null(client, "%s", err.text);
}

static void closes(void)
{
	http_client_close(client);
	for (unsigned i = 0; i < server.conn_count; i++)
		if (event_pending(&server.conns[i], EV_READ, NULL)) {
			event_del(&server.conns[i]);
			close(event_get_fd(&server.conns[i]));
		}
	event_del(&server.event);
	close(event_get_fd(&server.event));
	loop_close(base);
}

TestSuite(http_client, .init = opens, .fini = closes, .timeout = 30);

/* ---- the caller ---- */

static void copy(char *to, size_t cap, const char *text)
{
	snprintf(to, cap, "%s", text ? text : "");
}

static void on_told(void *arg, const struct http_client_answer *a)
{
	struct told *t = arg;

	t->status = a->status;
	t->after = (loop_read_ns() - started_ns) / 1000000;
	copy(t->failure, sizeof(t->failure), a->failure);
	copy(t->challenge, sizeof(t->challenge), a->challenge);
	cr_assert_leq(a->body.n, sizeof(t->body));
	if (a->body.n)
		memcpy(t->body, a->body.p, a->body.n);
	t->body_n = a->body.n;
	if (++told_count == wanted)
		loop_stop(base);
}

static struct http_get get_of(unsigned i)
{
	return (struct http_get){ .url = server.url,
		                  .timeout = LONG_MS,
		                  .body_max = sizeof(told[0].body),
		                  .answered = on_told,
		                  .arg = &told[i] };
}

static void await(unsigned count)
{
	wanted = count;
	started_ns = loop_read_ns();
	if (told_count < wanted)
		cr_assert_eq(loop_run(base), 0);
}

static void gets(const struct http_get *get)
{
	unsigned before = told_count;

	http_client_get(client, get);
	cr_assert_eq(told_count, before, "never from within");
	await(before + 1);
}

static void says(const char *reply)
{
	struct http_get get = get_of(0);

	server.says = reply;
	gets(&get);
}

Test(http_client, an_answer_is_told_whole)
{
	says("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"sub\":\"a\"}");
	cr_assert_eq(told[0].status, 200);
	cr_assert_eq(told[0].body_n, 11);
	cr_assert(memcmp(told[0].body, "{\"sub\":\"a\"}", 11) == 0);
	cr_assert_str_empty(told[0].challenge);
	cr_assert_str_empty(told[0].failure);
	cr_assert(strncmp(server.got, "GET /userinfo HTTP/1.1\r\n", 24) == 0, "%s", server.got);
}

Test(http_client, the_fields_given_are_sent)
{
	struct http_get get = get_of(0);
	const char *const fields[] = { "Authorization: Bearer abc.def", "Accept: application/json",
		                       NULL };

	get.fields = fields;
	server.says = "HTTP/1.1 204 No Content\r\n\r\n";
	gets(&get);
	cr_assert_eq(told[0].status, 204);
	cr_assert_not_null(strstr(server.got, "\r\nAuthorization: Bearer abc.def\r\n"));
	cr_assert_not_null(strstr(server.got, "\r\nAccept: application/json\r\n"));
}

Test(http_client, a_connection_is_used_again)
{
	says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	cr_assert_eq(server.requests, 2);
	cr_assert_eq(server.conn_count, 1);
}

/* A provider that has closed a kept connection meanwhile is no failure. */
Test(http_client, a_connection_that_was_closed_is_opened_anew)
{
	server.closes = true;
	says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
	says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
	cr_assert_eq(told[0].status, 200);
	cr_assert_eq(server.conn_count, 2);
}

Test(http_client, several_challenges_are_one_list)
{
	says("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer error=\"invalid_token\"\r\n"
	     "www-authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n");
	cr_assert_eq(told[0].status, 401);
	cr_assert_str_eq(told[0].challenge, "Bearer error=\"invalid_token\", Basic realm=\"x\"");
}

Test(http_client, a_challenge_too_long_is_none)
{
	static char reply[4096];

	snprintf(reply, sizeof(reply),
	         "HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer %.*s\r\nContent-Length: 0\r\n\r\n",
	         1100, (const char *)memset(told[1].body, 'x', 1100));
	says(reply);
	cr_assert_eq(told[0].status, 401);
	cr_assert_str_empty(told[0].challenge);
}

/* B11 */
Test(http_client, a_redirect_is_not_followed)
{
	says("HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n");
	cr_assert_eq(told[0].status, 302);
	cr_assert_eq(server.requests, 1);
}

Test(http_client, a_silent_server_is_a_timeout)
{
	struct http_get get = get_of(0);

	get.timeout = HURRY_MS;
	gets(&get);
	cr_assert_eq(told[0].status, 0);
	cr_assert(strstr(told[0].failure, "in time"), "%s", told[0].failure);
	cr_assert_geq(told[0].after, HURRY_MS - 10);
}

Test(http_client, a_server_that_stops_in_the_middle_is_a_timeout)
{
	struct http_get get = get_of(0);

	get.timeout = HURRY_MS;
	server.says = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"sub\"";
	gets(&get);
	cr_assert_eq(told[0].status, 0);
	cr_assert_eq(told[0].body_n, 0);
}

Test(http_client, an_answer_cut_off_is_none)
{
	server.closes = true;
	says("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"sub\"");
	cr_assert_eq(told[0].status, 0);
	cr_assert_str_not_empty(told[0].failure);
}

Test(http_client, a_body_of_the_limit_passes_and_one_byte_more_is_refused)
{
	static char reply[4096];
	struct http_get get = get_of(0);

	get.body_max = 1000;
	server.says = reply;
	for (int n = 1000; n <= 1001; n++) {
		snprintf(reply, sizeof(reply), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%0*d",
		         n, n, 0);
		gets(&get);
		cr_assert_eq(told[0].status, n == 1000 ? 200 : 0);
	}
	cr_assert_str_eq(told[0].failure, "the answer's body is too large");
}

/* Neither the head's size nor its number of lines may go unbounded. */
Test(http_client, a_head_too_large_is_refused)
{
	static char reply[80 * KIB];
	struct buf b;

	buf_init_fixed(&b, reply, sizeof(reply) - 1);
	buf_str(&b, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n");
	while (b.n < 66 * KIB)
		buf_str(&b, "X-Filler: ...............................................\r\n");
	buf_str(&b, "\r\n");
	says(reply);
	cr_assert_eq(told[0].status, 0);
	cr_assert_str_eq(told[0].failure, "the answer's head is too large");
}

Test(http_client, what_is_not_http_is_no_answer)
{
	server.closes = true;
	says("220 smtp.example ready\r\n");
	cr_assert_eq(told[0].status, 0);
	cr_assert_str_not_empty(told[0].failure);
}

Test(http_client, other_schemes_are_refused)
{
	struct http_get get = get_of(0);

	get.url = "file:///etc/passwd";
	gets(&get);
	cr_assert_eq(told[0].status, 0);
	cr_assert_eq(told[0].body_n, 0);
}

Test(http_client, nobody_there_is_no_answer)
{
	struct http_get get = get_of(0);
	char url[64];
	int fd = bound(url, "http"); /* nobody else may have the port meanwhile */

	get.url = url;
	gets(&get);
	cr_assert_eq(told[0].status, 0);
	cr_assert_str_not_empty(told[0].failure);
	close(fd);
}

Test(http_client, the_environments_proxy_is_not_asked)
{
	setenv("http_proxy", "http://127.0.0.1:1/", 1);
	says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	cr_assert_eq(told[0].status, 200);
}

/* Beyond the connections of a client they wait, and their time runs though none gets free. */
Test(http_client, calls_beyond_its_connections_wait_and_their_time_runs)
{
	struct http_call *calls[HTTP_CLIENT_CONNECTIONS_MAX];

	for (unsigned i = 0; i < CALLS; i++) {
		struct http_get get = get_of(i);
		struct http_call *call;

		get.timeout = i < ARRAY_LEN(calls) ? LONG_MS : HURRY_MS;
		call = http_client_get(client, &get);
		if (i < ARRAY_LEN(calls))
			calls[i] = call;
	}
	await(CALLS - ARRAY_LEN(calls));
	for (unsigned i = 0; i < CALLS; i++) {
		cr_assert_eq(told[i].status, 0);
		cr_assert_str_eq(told[i].failure, i < ARRAY_LEN(calls) ? "" : "no answer in time");
	}
	while (server.conn_count < ARRAY_LEN(calls)) /* the server accepts one in a turn */
		event_base_loop(base, EVLOOP_ONCE);
	cr_assert_eq(server.conn_count, ARRAY_LEN(calls));
	for (unsigned i = 0; i < ARRAY_LEN(calls); i++)
		http_call_cancel(calls[i]);
	told_count = 0;
	says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	cr_assert_eq(told[0].status, 200);
}

Test(http_client, a_call_cancelled_is_never_told)
{
	struct http_get get = get_of(1);

	http_call_cancel(http_client_get(client, &get));
	says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	cr_assert_eq(told[0].status, 200);
	cr_assert_eq(told[1].status, 0);
	cr_assert_eq(told_count, 1);
}

static void on_told_asks_again(void *arg, const struct http_client_answer *a)
{
	struct http_get get = get_of(1);

	(void)arg;
	(void)a;
	http_client_get(client, &get);
}

Test(http_client, whoever_is_told_may_ask_again)
{
	struct http_get get = get_of(0);

	get.answered = on_told_asks_again;
	server.says = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	http_client_get(client, &get);
	await(1);
	cr_assert_eq(told[1].status, 200);
}

Test(http_client, calls_in_flight_end_with_the_client)
{
	struct http_get get = get_of(0);

	http_client_get(client, &get);
	get.arg = &told[1];
	get.timeout = HURRY_MS;
	http_client_get(client, &get);
	await(1);
	cr_assert_eq(told[0].after, 0); /* the first is in flight still; fini closes */
}

static void *serve_tls(void *arg)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	BIO *cert = BIO_new_mem_buf(certs[EC], -1), *key = BIO_new_mem_buf(keys[EC], -1);
	X509 *x = PEM_read_bio_X509(cert, NULL, NULL, NULL);
	EVP_PKEY *k = PEM_read_bio_PrivateKey(key, NULL, NULL, NULL);
	int conn = accept4(*(int *)arg, NULL, NULL, SOCK_CLOEXEC);
	SSL *ssl;

	cr_assert_eq(SSL_CTX_use_certificate(ctx, x), 1);
	cr_assert_eq(SSL_CTX_use_PrivateKey(ctx, k), 1);
	ssl = SSL_new(ctx);
	SSL_set_fd(ssl, conn);
	SSL_accept(ssl); /* fails: the client knows no such CA */
	SSL_free(ssl);
	close(conn);
	X509_free(x);
	EVP_PKEY_free(k);
	BIO_free(cert);
	BIO_free(key);
	SSL_CTX_free(ctx);
	return NULL;
}

Test(http_client, a_certificate_of_an_unknown_ca_is_refused)
{
	struct http_get get = get_of(0);
	char url[64];
	int fd = listening(url, "https");
	pthread_t thread;

	certs_make();
	cr_assert_eq(pthread_create(&thread, NULL, serve_tls, &fd), 0);
	get.url = url;
	gets(&get);
	cr_assert_eq(told[0].status, 0);
	cr_assert(strstr(told[0].failure, "certificate"), "%s", told[0].failure);
	pthread_join(thread, NULL);
	close(fd);
	certs_free();
}
