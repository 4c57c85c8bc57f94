/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dialect_obstack.c -- Obstack's answers (compatibility.md 2): {"detail", "type"}, without the
 * verdict's id.
 */
#include "worker/dialect_private.h"

static int obstack_status(const struct route *route, enum verdict v)
{
	(void)route;
	return v == V_TENANT_SUSPENDED ? 401 : dialect_status_or(v, 202);
}

static void obstack_render(const struct req *r, struct reply *reply)
{
	/* Its exporters parse the body of a 202. */
	if (verdict_is_success(r->verdict)) {
		if (r->route->protocol->dialect == DIALECT_OTLP)
			dialect_otlp_success(r, reply);
		return;
	}
	reply->content_type = dialect_json;
	buf_str(reply->body, "{\"detail\":");
	dialect_json_text(reply->body, reply->status == 401 ? "Authentication failed" : dialect_text(r));
	buf_printf(reply->body, ",\"type\":\"%s\"}",
	           reply->status == 400   ? "validation_error"
	           : reply->status == 503 ? "application_error"
	                                  : "http_exception");
}

const struct dialect dialect_obstack = { "obstack", obstack_status, obstack_render,
	                                 .org = ORG_CHECKED };
