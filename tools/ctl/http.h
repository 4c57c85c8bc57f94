/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http.h -- one POST and its answer, over libcurl: the one file of headgatectl that knows it. TLS
 * is always verified; proxies of the environment and redirects are never followed; 10 s an attempt
 * (compatibility.md 4). A struct http belongs to one thread.
 */
#pragma once
#include "common/bytes.h"
#include "common/err.h"

enum { HTTP_TIMEOUT_MS = 10000, HTTP_BODY_MAX = 64 * KIB };

struct http;
struct http_request {
	const char *url;
	const char *const *headers; /* "Name: value", ends with NULL */
	struct bytes body;
	const char *ca; /* a file of certificates, in place of the system's; NULL: those */
};
enum http_failure {
	HTTP_ANSWERED, /* whatever the status */
	HTTP_NETWORK, /* connect, TLS, read, time-out: another try may help */
	HTTP_NEVER, /* the URL or the CA file: no try will */
};
struct http_answer {
	enum http_failure failure;
	int status;
	long retry_after_s; /* -1: none */
	double ms;
	char why[256]; /* of a failure */
	size_t body_bytes;
	bool cut; /* the body is longer than HTTP_BODY_MAX */
	char body[HTTP_BODY_MAX + 1]; /* NUL after it */
};

int http_start(struct err *err) MUST_USE; /* once, before any thread */
void http_stop(void);
struct http *http_open(struct err *err) MUST_USE;
void http_close(struct http *h);
void http_post(struct http *h, const struct http_request *request, struct http_answer *answer);
/* For a form: percent-encoded, malloc'd. */
char *http_escape(const char *text) MUST_USE;
