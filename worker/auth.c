/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth.c -- reads the credential from the head, asks the providers, and judges what the request
 * says about itself: X-Scope-OrgID and Basic's user may agree with the credential's tenant, never
 * choose (protocols.md 1.5). The client is never told why a credential failed; log, metric and
 * audit are.
 */
#include "worker/auth.h"

#include "common/buf.h"
#include "common/limits.h"
#include "common/stats.h"
#include "worker/dialects.h"
#include "worker/route.h"
#include "worker/worker.h"

/* Asked in this order. */
static const struct auth_provider *const providers[] = { &auth_none, &auth_token };

struct auth {
	void *state[ARRAY_LEN(providers)];
};

struct auth *auth_open(struct worker *w, struct err *err)
{
	struct auth *a = xcalloc(1, sizeof(*a));

	for (size_t i = 0; i < ARRAY_LEN(providers); i++) {
		a->state[i] = providers[i]->open(w, err);
		if (!a->state[i]) {
			err_prefix(err, "%s: ", providers[i]->name);
			auth_close(a);
			return NULL;
		}
	}
	return a;
}

void auth_close(struct auth *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < ARRAY_LEN(providers); i++)
		if (a->state[i])
			providers[i]->close(a->state[i]);
	free(a);
}

/* ---- the credential ---- */

static int base64_value(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Standard alphabet, padded or not (RFC 4648 3.2 lets a context say); unused bits are 0. */
static bool base64_decode(struct bytes in, uint8_t *out, size_t *out_n)
{
	uint32_t bits = 0;
	size_t n = 0;

	if (in.n && in.n % 4 == 0 && in.p[in.n - 1] == '=')
		in.n -= in.p[in.n - 2] == '=' ? 2 : 1;
	if (in.n % 4 == 1)
		return false;
	for (size_t i = 0; i < in.n; i++) {
		int v = base64_value(in.p[i]);

		if (v < 0)
			return false;
		bits = bits << 6 | (uint32_t)v;
		if (i % 4 != 0)
			out[n++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
	}
	*out_n = n;
	return in.n % 4 == 0 || (bits & (in.n % 4 == 2 ? 0xf : 0x3)) == 0;
}

static void read_basic(struct req *r, struct bytes encoded, struct credential *c)
{
	uint8_t *plain = pool_alloc(r->pool, encoded.n + 1);
	const uint8_t *colon;
	size_t n;

	c->method = METHOD_BASIC;
	if (!base64_decode(encoded, plain, &n) || !(colon = memchr(plain, ':', n))) {
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

static void read_credential(struct req *r, struct credential *c)
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
}

/* ---- what the request says about its tenant ---- */

static enum step refuse_org(struct req *r, struct bytes org, const uint8_t *bad)
{
	char text[200], id[120], byte[8];
	struct buf b;

	r->who.result = AUTH_MISMATCH;
	buf_init_fixed(&b, id, sizeof(id) - 1);
	buf_escaped(&b, org, sizeof(id) - 1);
	id[b.n] = '\0';
	buf_init_fixed(&b, byte, sizeof(byte) - 1);
	buf_escaped(&b, bytes_of(bad, 1), 1);
	byte[b.n] = '\0';
	buf_init_fixed(&b, text, sizeof(text) - 1);
	buf_printf(&b, "tenant ID '%s' contains unsupported character '%s'", id, byte);
	text[b.n] = '\0';
	return req_refuse(r, V_ORG, text);
}

static enum step refuse_org_text(struct req *r, const char *text)
{
	r->who.result = AUTH_MISMATCH;
	return req_refuse(r, V_ORG, text);
}

static enum step refuse_mismatch(struct req *r, const char *what)
{
	r->who.result = AUTH_MISMATCH;
	req_why(r, "%s names another tenant", what);
	return req_refuse(r, V_ORG_MISMATCH);
}

static enum step check_org(struct req *r, const struct credential *c)
{
	const struct http_field *f = http_field_find(&r->head, "X-Scope-OrgID", 0);
	struct bytes tenant = bytes_of(r->who.tenant, r->who.tenant_n),
		     org = f ? f->value : BYTES_NONE;

	if (f && http_field_find(&r->head, "X-Scope-OrgID", 1))
		return refuse_org_text(r, "multiple org IDs present");
	if (org.n > TENANT_ID_MAX)
		return refuse_org_text(r, "tenant ID is too long: max 150 characters");
	for (size_t i = 0; i < org.n; i++)
		if (!tenant_id_byte_ok(org.p[i]))
			return refuse_org(r, org, org.p + i);
	if (bytes_eq(org, BYTES(".")) || bytes_eq(org, BYTES("..")))
		return refuse_org_text(r, "tenant ID is '.' or '..'");
	if (!org.n && dialect_get(r->route->dialect)->org == ORG_REQUIRED &&
	    r->w->conf->compat.gateway_tenant_header == TENANT_HEADER_REQUIRED) {
		r->who.result = AUTH_MISMATCH;
		return req_refuse(r, V_ORG_MISSING);
	}
	if (org.n && !bytes_eq(org, tenant))
		return refuse_mismatch(r, "X-Scope-OrgID");
	/* Only where Basic decided: --disable-auth looks at no credential. */
	if (r->who.method == METHOD_BASIC && c->basic_user.n && !bytes_eq(c->basic_user, tenant))
		return refuse_mismatch(r, "the user of Basic");
	return STEP_NEXT;
}

static enum signal scope_of(const struct req *r)
{
	return r->route->scope < SIGNAL_COUNT ? (enum signal)r->route->scope : r->signal;
}

bool auth_has_scope(const struct req *r)
{
	return r->who.scopes & (1u << scope_of(r));
}

static enum step check_scope(struct req *r)
{
	/* Where only the body tells the signal, enrich asks again. */
	if (r->route->protocol->any_signal || auth_has_scope(r))
		return STEP_NEXT;
	r->who.result = AUTH_SCOPE;
	return req_refuse(r, V_SCOPE, r->who.token, signal_name(scope_of(r)));
}

/* ---- the stage ---- */

static enum step refuse_credential(struct req *r)
{
	switch (r->who.result) {
	case AUTH_MISSING:
	case AUTH_MALFORMED:
	case AUTH_UNKNOWN:
	case AUTH_REVOKED:
	case AUTH_EXPIRED:
	case AUTH_ADDRESS:
		return req_refuse(r, V_CREDENTIAL);
	case AUTH_UNAVAILABLE:
		return req_refuse(r, V_AUTH_UNAVAILABLE);
	case AUTH_SUSPENDED:
		return req_refuse(r, V_TENANT_SUSPENDED, r->who.tenant);
	case AUTH_OK:
	case AUTH_SCOPE:
	case AUTH_MISMATCH:
		break;
	}
	assert(!"a provider's reason to say no");
	return req_refuse(r, V_CREDENTIAL);
}

static enum auth_say ask(struct req *r, const struct credential *c)
{
	enum auth_say say = AUTH_NOT_MINE;

	for (size_t i = 0; i < ARRAY_LEN(providers) && say == AUTH_NOT_MINE; i++)
		say = providers[i]->check(r->w->auth->state[i], r, c, &r->who);
	assert(say != AUTH_NOT_MINE); /* the last one takes whatever comes */
	return say;
}

static void use_metric_slot(struct req *r)
{
	struct bytes tenant = bytes_of(r->who.tenant, r->who.tenant_n);

	r->who.metric_slot = limits_metric_slot(r->w->limits, r->who.tenant_ordinal, tenant);
}

static enum step judge(struct req *r)
{
	struct credential c;
	enum auth_say say;
	enum step step;

	read_credential(r, &c);
	r->who = (struct identity){ .method = c.method,
		                    .metric_slot = limits_metric_none(r->w->limits) };
	r->credential = !c.broken && c.method == METHOD_NONE ? CREDENTIAL_NONE
	                : c.is_other_scheme                  ? CREDENTIAL_SCHEME
	                                                     : CREDENTIAL_GIVEN;
	say = ask(r, &c);
	if (say == AUTH_LATER)
		return STEP_WAKE;
	if (say == AUTH_NO)
		return refuse_credential(r);
	r->who.known = true;
	r->who.result = AUTH_OK;
	use_metric_slot(r);
	step = check_org(r, &c);
	return step == STEP_NEXT ? check_scope(r) : step;
}

enum step auth_run(struct req *r)
{
	struct worker *w = r->w;
	enum step step = judge(r);

	if (step == STEP_WAKE)
		return step;
	stats_add(w->stats, STAT_AUTH, r->who.method, r->who.result, 1);
	/* Last: whoever may not come in is told so first. */
	if (step == STEP_NEXT && w->aside_any && worker_is_aside(w, r->who.tenant_ordinal))
		return req_refuse(r, V_TENANT_ASIDE);
	return step;
}
