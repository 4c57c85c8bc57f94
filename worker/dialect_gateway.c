/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dialect_gateway.c -- the shared paths behind a listener with the gateway's rules
 * (compatibility.md 6): X-Scope-OrgID is required and comes back with each success; all else is as
 * the protocol says it.
 */
#include "worker/dialect_private.h"

static int gateway_status(const struct route *route, enum verdict v)
{
	if (v == V_ORG_MISSING)
		return route->org_missing_status;
	return dialect_get(route->protocol->dialect)->status(route, v);
}

static void gateway_render(const struct req *r, struct reply *reply)
{
	if (r->verdict == V_ORG_MISSING) {
		dialect_text_body(reply, "Bad Request");
		return;
	}
	/* A preflight is of nobody. */
	if (verdict_is_success(r->verdict) && r->who.known) {
		buf_str(reply->fields, "X-Scope-OrgID: ");
		buf_bytes(reply->fields, bytes_of(r->who.tenant, r->who.tenant_n));
		buf_str(reply->fields, "\r\n");
	}
	dialect_get(r->route->protocol->dialect)->render(r, reply);
}

const struct dialect dialect_gateway = { "gateway", gateway_status, gateway_render,
	                                 .org = ORG_REQUIRED };
