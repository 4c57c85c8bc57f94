/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dialects.h -- how a verdict is said: status, headers and body in the words of the route's dialect
 * (protocols.md 1.4, 4.3, 4.4). The verdict is decided elsewhere.
 */
#pragma once
#include "common/buf.h"
#include "worker/req.h"
struct route;

struct reply {
	int status;
	const char *content_type; /* NULL: no such header */
	struct buf *fields;       /* of the head, whole lines: at most REPLY_FIELDS bytes */
	struct buf *body;         /* appended to by the dialect */
	unsigned retry_after;     /* seconds, 0: none; the dialect may repeat it in the body */
};
enum { REPLY_FIELDS = 256 };
enum org_rule { /* X-Scope-OrgID */
	ORG_CHECKED, /* may be there, and must name the tenant then */
	ORG_REQUIRED,
};
struct dialect {
	const char *name;
	/* The dialect's mapping of verdict.def's status; render() may still change it. */
	int (*status)(const struct route *route, enum verdict v);
	/* Fields and body; the body of a 204 is thrown away. */
	void (*render)(const struct req *r, struct reply *reply);
	enum org_rule org;
	bool exact_bearer; /* `Bearer ` in these very letters */
	bool judges_jwt; /* compat.moose_enforce_jwt and compat.moose_strict_aud hold here */
	const char *preflight; /* lines of the answer to any OPTIONS; NULL: as CORS says */
	bool answers_cut; /* a body that ends too early is a 400, not a client that went away */
};
const struct dialect *dialect_get(enum dialect_id id);
/* The route's; where no route was met, that of the request's media type. */
const struct dialect *dialect_of(const struct req *r);
/* What to say about r->verdict: r->detail, or the verdict's text if a late answer brought none. */
const char *dialect_text(const struct req *r);
