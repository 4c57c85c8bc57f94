/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dialect_moose.c -- the Moose ingest server's answers (compatibility.md 5): plain text in its own
 * words, on the routes of data models and for every path that is none, of a listener with its rules.
 */
#include "worker/dialect_private.h"

#include <stdio.h>

enum { TEXT_BYTES = 128 };
static const char no_route[] = "MooseStack: 404 Not Found\n"
			       "To see available routes, run: `moose ls` or view Fiveonefour dashboard";

static int moose_status(const struct route *route, enum verdict v)
{
	(void)route;
	if (v == V_METHOD)
		return 404;
	return v == V_PREFLIGHT ? 200 : dialect_status_or(v, 200);
}

static const char *text_of(const struct req *r, int status, char *mem, size_t cap)
{
	if (verdict_is_success(r->verdict))
		return r->verdict == V_PREFLIGHT ? "Success" : "SUCCESS";
	if (r->verdict == V_MODEL)
		return "Please run `moose ls` to view your routes";
	if (r->verdict == V_ROUTE || r->verdict == V_METHOD)
		return no_route;
	if (r->verdict == V_FRAMING || r->verdict == V_INFLATE)
		return "Failed to read request body";
	switch (status) {
	case 401:
		return "Unauthorized: Invalid or missing token";
	case 413:
		snprintf(mem, cap, "Request body too large. Maximum size is %llu bytes",
		         (unsigned long long)r->route->wire_limit);
		return mem;
	case 503:
		return "Error";
	}
	return dialect_text(r);
}

static void moose_render(const struct req *r, struct reply *reply)
{
	char mem[TEXT_BYTES];

	dialect_text_body(reply, text_of(r, reply->status, mem, sizeof(mem)));
}

const struct dialect dialect_moose = {
	"moose",
	moose_status,
	moose_render,
	.org = ORG_CHECKED,
	.exact_bearer = true,
	.judges_jwt = true,
	.answers_cut = true,
	.preflight = "Access-Control-Allow-Origin: *\r\n"
		     "Access-Control-Allow-Methods: GET, POST, OPTIONS\r\n"
		     "Access-Control-Allow-Headers: Authorization, Content-Type, baggage, "
		     "sentry-trace, traceparent, tracestate\r\n",
};
