/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cors.c -- which origins, and what a browser is told (Fetch, "CORS protocol"). The list of fields
 * that may be sent is told whole, whatever was asked for: the browser compares. An origin that is
 * not allowed is told nothing, so it can't be told apart from a listener without CORS. No
 * Allow-Credentials: no credential of ours is one that a browser adds by itself.
 */
#include "worker/cors.h"

#include "conf/conf.h"
#include "worker/dialects.h"
#include "worker/listener.h"
#include "worker/req.h"
#include "worker/route.h"
#include "worker/worker.h"

enum {
	ORIGIN_MAX =
		320, /* a scheme, a host name of 253 and a port, echoed where all are allowed */
	LABEL_MAX = 63,
	FIELDS_BYTES = 336, /* what is written, but for the origin and the configured names */
};

static bool is_label(struct bytes s)
{
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i], letter = c | 0x20;

		if (!(letter >= 'a' && letter <= 'z') && !(c >= '0' && c <= '9') && c != '-' &&
		    c != '_')
			return false;
	}
	return s.n >= 1 && s.n <= LABEL_MAX;
}

/* One, or the word "null"; it is echoed, so nothing odd. */
static bool is_origin(struct bytes s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f)
			return false;
	return s.n >= 1 && s.n <= ORIGIN_MAX;
}

static bool is_match(struct bytes allowed, struct bytes origin)
{
	const uint8_t *star = memchr(allowed.p, '*', allowed.n);
	size_t before = star ? (size_t)(star - allowed.p) : 0;
	struct bytes tail = bytes_from(allowed, before + 1);

	if (!star)
		return bytes_eq_nocase(allowed, origin);
	if (allowed.n == 1)
		return true;
	return origin.n > before + tail.n &&
	       bytes_eq_nocase(bytes_of(origin.p, before), bytes_of(allowed.p, before)) &&
	       bytes_eq_nocase(bytes_from(origin, origin.n - tail.n), tail) &&
	       is_label(bytes_of(origin.p + before, origin.n - before - tail.n));
}

static bool is_allowed(const struct conf_list *allowed, struct bytes origin)
{
	if (!is_origin(origin))
		return false;
	for (size_t i = 0; i < allowed->n; i++)
		if (is_match(bytes_str(allowed->v[i]), origin))
			return true;
	return false;
}

static bool is_preflight(const struct http_head *h)
{
	return h->method == HTTP_OPTIONS &&
	       bytes_eq(http_field_only(h, "access-control-request-method"), BYTES("POST"));
}

/* In lower case, as browsers ask for them. */
static void write_name(struct buf *b, const char *name)
{
	buf_str(b, ", ");
	for (; *name; name++)
		buf_char(b, (char)(*name >= 'A' && *name <= 'Z' ? *name | 0x20 : *name));
}

static void write_preflight(const struct conf_list *token_headers, bool org, struct buf *b)
{
	buf_str(b, "Access-Control-Allow-Methods: POST\r\n"
	           "Access-Control-Allow-Headers: content-type, authorization, x-requested-with");
	for (size_t i = 0; i < token_headers->n; i++)
		write_name(b, token_headers->v[i]);
	if (org)
		write_name(b, "X-Scope-OrgID");
	/* Short: an origin that a reload takes off the list is soon told so. */
	buf_str(b, "\r\nAccess-Control-Max-Age: 600\r\n");
}

static size_t names_bytes(const struct conf_list *token_headers)
{
	size_t n = 0;

	for (size_t i = 0; i < token_headers->n; i++)
		n += strlen(", ") + strlen(token_headers->v[i]);
	return n;
}

/* Some answer any OPTIONS, whatever the path, in lines of their own. */
static bool is_any_preflight(struct req *r)
{
	const char *lines = dialect_of(r)->preflight;

	if (!lines || r->head.method != HTTP_OPTIONS)
		return false;
	r->cors = bytes_str(lines);
	return true;
}

/* Of an allowed origin: what its browser is told. True: it asked for no more. */
static bool tell_origin(struct req *r)
{
	const struct conf_list *allowed = &r->listener->conf->allowed_origins;
	const struct conf_list *token_headers = &r->w->conf->auth.token_headers;
	struct bytes origin = allowed->n ? http_field_only(&r->head, "origin") : BYTES_NONE;
	bool preflight;
	struct buf b;
	size_t cap;

	if (!is_allowed(allowed, origin))
		return false;
	preflight = is_preflight(&r->head);
	cap = FIELDS_BYTES + origin.n + (preflight ? names_bytes(token_headers) : 0);
	buf_init_fixed(&b, pool_alloc(r->pool, cap), cap);
	buf_str(&b, "Access-Control-Allow-Origin: ");
	buf_bytes(&b, origin);
	buf_str(&b, "\r\nVary: Origin\r\n");
	if (preflight)
		write_preflight(token_headers, dialect_of(r)->org == ORG_REQUIRED, &b);
	else
		buf_str(&b, "Access-Control-Expose-Headers: X-Request-Id, Retry-After\r\n");
	assert(!b.failed); /* FIELDS_BYTES holds what stands here */
	r->cors = buf_view(&b);
	return preflight;
}

bool cors_run(struct req *r)
{
	return is_any_preflight(r) || (r->route && r->route->post && tell_origin(r));
}
