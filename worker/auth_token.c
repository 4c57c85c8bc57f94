/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_token.c -- tokens of the tenant table (records.md 2.2). A wrong checksum is refused before
 * any hash; else one SHA-256 and one lookup. Takes every credential: it stands last among the
 * providers. What the request needs later is copied out: the table may be replaced between two of
 * its stages.
 */
#include "common/loop.h"
#include "common/stats.h"
#include "worker/auth.h"
#include "worker/worker.h"

enum { DIGEST_SHOWN_BYTES = 4 }; /* 8 hex digits name an unknown token in audit */

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

static enum auth_say no(struct req *r, struct identity *who, enum auth_result result,
                        const char *why)
{
	who->result = result;
	req_why(r, "%s", why);
	return AUTH_NO;
}

static bool address_matches(const struct snapshot_cidr *cidr, const uint8_t client[static 16])
{
	unsigned whole = cidr->prefix / 8, bits = cidr->prefix % 8;

	if (memcmp(cidr->addr, client, whole) != 0)
		return false;
	return bits == 0 || ((cidr->addr[whole] ^ client[whole]) >> (8 - bits)) == 0;
}

static bool address_allowed(const struct snapshot_hit *hit, const uint8_t client[static 16])
{
	for (unsigned i = 0; i < hit->cidr_count; i++)
		if (address_matches(&hit->cidrs[i], client))
			return true;
	return hit->cidr_count == 0;
}

static void copy_identity(const struct snapshot_hit *hit, struct identity *who)
{
	who->tenant_n = (uint8_t)min_size(hit->tenant_id.n, TENANT_ID_MAX);
	memcpy(who->tenant, hit->tenant_id.p, who->tenant_n);
	memcpy(who->token, hit->token_id.p, min_size(hit->token_id.n, sizeof(who->token) - 1));
	who->tenant_ordinal = hit->tenant_ordinal;
	who->token_ordinal = hit->token_ordinal;
	who->scopes = hit->scopes;
	who->block_until = hit->block_until;
}

/* By the wall clock, on every request. */
static enum auth_say judge_hit(struct req *r, const struct snapshot_hit *hit, struct identity *who)
{
	int64_t now_us = loop_wall_ns() / 1000;

	copy_identity(hit, who);
	if (hit->tenant_state == TENANT_DELETING) /* as if its row were gone already */
		return no(r, who, AUTH_UNKNOWN, "tenant is being deleted");
	if (hit->revoked)
		return no(r, who, AUTH_REVOKED, "revoked");
	if (now_us < hit->not_before)
		return no(r, who, AUTH_EXPIRED, "not valid yet");
	if (now_us >= hit->not_after)
		return no(r, who, AUTH_EXPIRED, "expired");
	if (!address_allowed(hit, r->client))
		return no(r, who, AUTH_ADDRESS, "address not allowed for this token");
	if (hit->tenant_state == TENANT_SUSPENDED)
		return no(r, who, AUTH_SUSPENDED, "tenant is suspended");
	if (hit->replaced)
		stats_add(r->w->stats, STAT_AUTH_REPLACED, 0, 0, 1);
	return AUTH_YES;
}

static enum auth_say token_check(void *provider, struct req *r, const struct credential *c,
                                 struct identity *who)
{
	const struct worker *w = provider;
	uint8_t digest[TOKEN_DIGEST_BYTES];
	struct snapshot_hit hit;

	if (c->broken)
		return no(r, who, AUTH_MALFORMED, c->broken);
	if (!c->secret.n)
		return no(r, who, AUTH_MISSING, "no credential");
	if (token_form(c->secret) == TOKEN_MALFORMED)
		return no(r, who, AUTH_MALFORMED, "malformed token (checksum)");
	if (!w->table)
		return no(r, who, AUTH_UNAVAILABLE, "no tenant table yet");
	if (worker_table_is_stale(w))
		return no(r, who, AUTH_UNAVAILABLE, "tenant table older than tenants.max_stale");
	hasher_sha256(w->hasher, c->secret, digest);
	if (snapshot_find(w->table, digest, &hit))
		return judge_hit(r, &hit, who);
	hex_encode(digest, DIGEST_SHOWN_BYTES, who->token);
	if (!worker_table_is_fresh(w)) /* it may be a token of today */
		return no(r, who, AUTH_UNAVAILABLE, "unknown, and the tenant table is not fresh");
	return no(r, who, AUTH_UNKNOWN, "unknown");
}

const struct auth_provider auth_token = { "token", token_open, token_check, token_close };
