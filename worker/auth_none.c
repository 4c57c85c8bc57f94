/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_none.c -- with --disable-auth everybody is one tenant, whatever they present or not; without
 * it this provider passes every request on. It stands first among the providers.
 *
 * The tenant's ordinal is 0. Another tenant may have it in the table, but nobody is admitted as
 * that one: the switch holds for the life of the master, so in this process and its siblings
 * ordinal 0 is this tenant's alone, and it is always below limits.max_tenants, whose least value
 * is 1.
 *
 * Where X-Scope-OrgID is required, it names the tenant. Nobody knows the ordinal of that one, so it
 * is a number made of the name: two names may have one, and then one budget and one metric.
 */
#include "conf/conf.h"
#include "worker/auth.h"
#include "worker/dialects.h"
#include "worker/route.h"
#include "worker/worker.h"

struct none {
	bool enabled;
	struct bytes tenant;
};

static void *none_open(struct worker *w, struct err *err)
{
	const char *configured = w->conf->auth.default_tenant;
	struct none *none = xcalloc(1, sizeof(*none));

	none->enabled = w->conf->disable_auth;
	none->tenant = bytes_str(configured && *configured ? configured : "default");
	if (none->enabled && !tenant_id_ok(none->tenant)) {
		err_set(err, "auth.default_tenant is no tenant id");
		free(none);
		return NULL;
	}
	return none;
}

static void none_close(void *provider)
{
	free(provider);
}

/* The tenant that the request names; p NULL: it may name none, or does not. What is malformed is
 * refused by auth.c, which looks at the field of all. */
static struct bytes named_tenant(const struct req *r)
{
	const struct http_field *f = http_field_find(&r->head, "X-Scope-OrgID", 0);

	if (!f || dialect_get(r->route->dialect)->org != ORG_REQUIRED || !tenant_id_ok(f->value))
		return BYTES_NONE;
	return f->value;
}

static uint32_t ordinal_of(const struct req *r, struct bytes tenant)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < tenant.n; i++)
		h = (h ^ tenant.p[i]) * 16777619u;
	return h % (uint32_t)r->w->conf->limits.max_tenants;
}

static enum auth_say none_check(void *provider, struct req *r, const struct credential *c,
                                struct identity *who)
{
	const struct none *none = provider;
	struct bytes named, tenant;

	(void)c;
	if (!none->enabled)
		return AUTH_NOT_MINE;
	named = named_tenant(r);
	tenant = named.p ? named : none->tenant;
	who->method = METHOD_NONE;
	who->tenant_ordinal = named.p ? ordinal_of(r, named) : 0;
	who->tenant_n = (uint8_t)tenant.n;
	memcpy(who->tenant, tenant.p, tenant.n);
	who->scopes = SCOPE_ALL;
	return AUTH_YES;
}

const struct auth_provider auth_none = { "none", none_open, none_check, none_close };
