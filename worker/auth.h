/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth.h -- who is it? Providers stand in one array and are asked in order: the tenant table
 * (auth_token.c), and with --disable-auth a provider that takes everybody (auth_none.c), which is a
 * line in the table, not an `if`. Decided from the head, before a body byte is read.
 */
#pragma once
#include "common/bytes.h"
#include "common/err.h"
#include "worker/req.h"

struct credential { /* a secret: has no formatter, is never logged; only its digest's start shows */
	struct bytes secret;
	enum auth_method method; /* token, basic, obstack or header: how it came */
	struct bytes basic_user; /* Basic: empty, or must equal the tenant */
	bool is_other_scheme;    /* broken: an Authorization that is neither Bearer nor readable Basic */
	const char *broken;      /* static text: sent twice, two that differ, unreadable; NULL: one or none */
};

enum auth_say { AUTH_YES, AUTH_NO, AUTH_NOT_MINE, AUTH_LATER };

struct auth_provider {
	const char *name;
	void *(*open)(struct worker *w, struct err *err);
	/* YES: *who is filled. NO: *result says why, *who whatever is known of it. */
	enum auth_say (*check)(void *provider, struct req *r, const struct credential *c, struct identity *who);
	void (*close)(void *provider);
};
extern const struct auth_provider auth_token, auth_none;

struct auth *auth_open(struct worker *w, struct err *err) MUST_USE;
void auth_close(struct auth *a);
bool auth_has_scope(const struct req *r); /* for r->signal */
