/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_client.h -- GET, for what identity providers publish and answer: key sets (master) and
 * userinfo (workers). Over libcurl on the caller's loop, which it never blocks. TLS is verified by
 * the system's CAs; redirects, the environment's proxies and codings are never followed, and an
 * answer is bounded in time and size. Keeps connections, remembers no answer.
 */
#pragma once
#include "common/bytes.h"
#include "common/err.h"
struct event_base;
struct http_client;
struct http_call;

enum {
	HTTP_CLIENT_CONNECTIONS_MAX = 32, /* of a client; further calls wait, their time runs */
	HTTP_CLIENT_HEAD_MAX = 64 * KIB,
};

struct http_client_answer { /* valid while answered() runs */
	int status; /* whatever came, 3xx too; 0: no answer that is whole */
	const char *failure; /* of status 0: why, one line for a log; else NULL */
	struct bytes body; /* of status 0: none */
	const char *challenge; /* WWW-Authenticate, joined if several; NULL: none, or too long */
};

struct http_get {
	const char *url; /* http or https; anything else is an answer of status 0 */
	const char *const *fields; /* "Name: value", up to NULL; may be secret: copied, wiped */
	msec_t timeout; /* for all of it */
	size_t body_max;
	/* Once, from the loop, never from within http_client_get(); may get and cancel others. */
	void (*answered)(void *arg, const struct http_client_answer *answer);
	void *arg;
};

void http_client_version(char *out, size_t cap); /* libcurl's, and what it was built with */
/* NULL with *err said. Before the first thread of the process. */
struct http_client *http_client_open(struct event_base *base, struct err *err) MUST_USE;
/* Calls are cancelled. Never from answered(). NULL is fine. */
void http_client_close(struct http_client *c);
/* Valid until it is answered. */
struct http_call *http_client_get(struct http_client *c, const struct http_get *get);
void http_call_cancel(struct http_call *call); /* answered() is not called */
