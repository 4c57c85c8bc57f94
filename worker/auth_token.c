/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_token.c -- tokens of the tenant table (records.md 2.2), by SHA-256. Stands last among the
 * providers: what is no credential at all is refused here, and nobody is let in before there is a
 * table, for a tenant must be in it, whoever vouches for the identity.
 */
#include "worker/auth_hit.h"
#include "worker/worker.h"

static void *token_open(struct worker *w, struct err *err)
{
	if (w->hasher)
		return w;
	err_set(err, "no SHA-256");
	return NULL;
}

static void token_close(void *provider)
{
	(void)provider; /* is the worker itself */
}

static enum auth_say token_check(void *provider, struct req *r, const struct credential *c,
                                 struct identity *who)
{
	const struct worker *w = provider;
	struct snapshot_hit hit;

	if (c->broken)
		return auth_no(r, who, AUTH_MALFORMED, c->broken);
	if (!c->secret.n)
		return auth_no(r, who, AUTH_MISSING, "no credential");
	if (c->form == TOKEN_MALFORMED)
		return auth_no(r, who, AUTH_MALFORMED, "malformed token (checksum)");
	if (!w->table)
		return auth_no(r, who, AUTH_UNAVAILABLE, "no tenant table yet");
	if (worker_table_is_stale(w))
		return auth_no(r, who, AUTH_UNAVAILABLE, "tenant table older than tenants.max_stale");
	if (snapshot_find(w->table, c->digest, &hit))
		return auth_judge_hit(r, &hit, who);
	return AUTH_NOT_MINE;
}

const struct auth_provider auth_token = { "token", token_open, token_check, token_close };
