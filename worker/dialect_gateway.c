/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dialect_gateway.c -- the shared paths behind a listener with the gateway's rules (compatibility.md
 * 6): X-Scope-OrgID is required and comes back with each success; all else is as the protocol says it.
 */
#include "worker/dialect_private.h"

#include "worker/worker.h"

static int gateway_status(const struct route *route, enum verdict v)
{
	return dialect_get(route->protocol->dialect)->status(route, v);
}

static void gateway_render(const struct req *r, struct reply *reply)
{
	if (verdict_is_success(r->verdict)) {
		buf_str(reply->fields, "X-Scope-OrgID: ");
		buf_bytes(reply->fields, bytes_of(r->who.tenant, r->who.tenant_n));
		buf_str(reply->fields, "\r\n");
	}
	if (r->verdict == V_ORG_MISSING) {
		if (r->w->conf->compat.gateway_missing_tenant_status == MISSING_TENANT_400)
			reply->status = 400;
		dialect_text_body(reply, "Bad Request");
	} else {
		dialect_get(r->route->protocol->dialect)->render(r, reply);
	}
}

const struct dialect dialect_gateway = { "gateway", gateway_status, gateway_render,
	                                 .org = ORG_REQUIRED };
