/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_none.c -- with --disable-auth everybody is one tenant, whatever they present or not; without
 * it this provider passes every request on. It stands first among the providers.
 *
 * The tenant's ordinal is 0. Another tenant may have it in the table, but nobody is admitted as
 * that one: the switch holds for the life of the master, so in this process and its siblings
 * ordinal 0 is this tenant's alone, and it is always below limits.max_tenants, whose least value
 * is 1.
 */
#include "conf/conf.h"
#include "worker/auth.h"
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

static enum auth_say none_check(void *provider, struct req *r, const struct credential *c,
                                struct identity *who)
{
	const struct none *none = provider;

	(void)r, (void)c;
	if (!none->enabled)
		return AUTH_NOT_MINE;
	who->method = METHOD_NONE;
	who->tenant_n = (uint8_t)none->tenant.n;
	memcpy(who->tenant, none->tenant.p, none->tenant.n);
	who->scopes = SCOPE_ALL;
	return AUTH_YES;
}

const struct auth_provider auth_none = { "none", none_open, none_check, none_close };
