/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_credential.c -- reads the one credential of a request from its head: Authorization (Bearer,
 * Basic) and auth.token_headers (protocols.md 1.5). Twice the same field, or two tokens that
 * differ, are none.
 */
#include "common/base64.h"
#include "worker/auth.h"
#include "worker/dialects.h"
#include "worker/route.h"
#include "worker/worker.h"

/* Padded or not: RFC 4648 3.2 lets a context say. */
static bool basic_decode(struct bytes in, uint8_t *out, size_t *out_n)
{
	if (in.n && in.n % 4 == 0 && in.p[in.n - 1] == '=')
		in.n -= in.p[in.n - 2] == '=' ? 2 : 1;
	return base64_decode(BASE64_STANDARD, in, out, out_n);
}

static void read_basic(struct req *r, struct bytes encoded, struct credential *c)
{
	uint8_t *plain = pool_alloc(r->pool, encoded.n + 1);
	const uint8_t *colon;
	size_t n;

	c->method = METHOD_BASIC;
	if (!basic_decode(encoded, plain, &n) || !(colon = memchr(plain, ':', n))) {
		c->broken = "Basic credentials that cannot be read";
		c->is_other_scheme = true; /* to those who know Bearer alone */
		return;
	}
	c->basic_user = bytes_of(plain, (size_t)(colon - plain));
	c->secret = bytes_of(colon + 1, n - c->basic_user.n - 1);
}

static void read_authorization(struct req *r, struct bytes value, struct credential *c)
{
	const uint8_t *blank = value.n ? memchr(value.p, ' ', value.n) : NULL;
	struct bytes scheme = bytes_of(value.p, blank ? (size_t)(blank - value.p) : value.n);
	struct bytes rest = bytes_trim(bytes_from(value, scheme.n));
	bool exact = dialect_get(r->route->dialect)->exact_bearer;

	if (exact ? bytes_eq(scheme, BYTES("Bearer")) && blank
	          : bytes_eq_nocase(scheme, BYTES("bearer"))) {
		c->method = METHOD_TOKEN;
		c->secret = rest;
	} else if (bytes_eq_nocase(scheme, BYTES("basic"))) {
		read_basic(r, rest, c);
	} else {
		c->broken = "Authorization of another scheme";
		c->is_other_scheme = true;
	}
	if (!c->broken && c->secret.n == 0)
		c->broken = "an empty token";
}

static void read_token_header(struct req *r, const char *name, struct credential *c)
{
	const struct http_field *f = http_field_find(&r->head, name, 0);

	if (!f || c->broken)
		return;
	if (http_field_find(&r->head, name, 1)) {
		c->broken = "a credential's header sent twice";
	} else if (f->value.n == 0) {
		c->broken = "an empty token";
	} else if (!c->secret.n) {
		c->secret = f->value;
		c->method = strcasecmp(name, "X-Obstack-Auth-Token") == 0 ? METHOD_OBSTACK
		                                                          : METHOD_HEADER;
	} else if (!bytes_eq(c->secret, f->value)) {
		c->broken = "two different tokens";
	}
}

void auth_read_credential(struct req *r, struct credential *c)
{
	const struct conf_list *headers = &r->w->conf->auth.token_headers;
	const struct http_field *f = http_field_find(&r->head, "Authorization", 0);

	*c = (struct credential){ .method = METHOD_NONE };
	if (f && http_field_find(&r->head, "Authorization", 1))
		c->broken = "a credential's header sent twice";
	else if (f)
		read_authorization(r, f->value, c);
	for (size_t i = 0; i < headers->n; i++)
		read_token_header(r, headers->v[i], c);
	if (c->broken || !c->secret.n)
		return;
	c->form = token_form(c->secret);
	if (c->form != TOKEN_MALFORMED) /* a typo costs no hash */
		hasher_sha256(r->w->hasher, c->secret, c->digest);
}
