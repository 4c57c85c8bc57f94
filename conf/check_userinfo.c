/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_userinfo.c -- `auth.userinfo`: whether there is somebody to ask, and what it says of
 * tenants.
 */
#include "conf/load.h"

void check_userinfo(struct loader *l)
{
	const struct conf *c = l->conf;
	const char *url = c->auth.userinfo.url;

	if (*url && !is_http(url))
		ERROR_AT(l, "auth.userinfo.url", "'%s' is no http or https address",
		         written(l, "auth.userinfo.url", url));
	else if (*url && is_clear(url))
		WARN_AT(l, "auth.userinfo.url",
		        "credentials go unprotected over the network: https for "
		        "'auth.userinfo.url'");
	check_tenant_map(l, "auth.userinfo.tenant_map", c->auth.userinfo.tenant_claim,
	                 &c->auth.userinfo.tenant_map);
}
