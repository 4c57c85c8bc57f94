/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_hit.c -- an entry of the tenant table, judged (records.md 2.2). What the request needs later
 * is copied out: the table may be replaced between two of its stages.
 */
#include "worker/auth_hit.h"

#include "common/loop.h"
#include "worker/worker.h"

enum auth_say auth_no(struct req *r, struct identity *who, enum auth_result result, const char *why)
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

void auth_take_tenant(struct req *r, const struct snapshot_hit *hit, struct identity *who)
{
	who->tenant_n = (uint8_t)min_size(hit->tenant_id.n, TENANT_ID_MAX);
	memcpy(who->tenant, hit->tenant_id.p, who->tenant_n);
	who->tenant_ordinal = hit->tenant_ordinal;
	who->block_until = hit->block_until;
	who->limits = *hit->limits;
	who->topic_prefix = hit->topic_prefix.n ? pool_dup(r->pool, hit->topic_prefix) : BYTES_NONE;
}

static void take_token(const struct snapshot_hit *hit, struct identity *who)
{
	size_t n = min_size(hit->token_id.n, sizeof(who->token) - 1);

	memcpy(who->token, hit->token_id.p, n);
	who->token[n] = '\0';
	who->token_ordinal = hit->token_ordinal;
	who->in_table = true;
	who->replaced = hit->replaced;
	who->scopes = hit->scopes;
}

/* By the wall clock, on every request. */
enum auth_say auth_judge_hit(struct req *r, const struct snapshot_hit *hit, struct identity *who)
{
	int64_t now_us = loop_wall_ns() / 1000;

	auth_take_tenant(r, hit, who);
	take_token(hit, who);
	if (hit->tenant_state == TENANT_DELETING) /* as if its row were gone already */
		return auth_no(r, who, AUTH_UNKNOWN, "tenant is being deleted");
	if (hit->revoked)
		return auth_no(r, who, AUTH_REVOKED, "revoked");
	if (now_us < hit->not_before)
		return auth_no(r, who, AUTH_EXPIRED, "not valid yet");
	if (now_us >= hit->not_after)
		return auth_no(r, who, AUTH_EXPIRED, "expired");
	if (!address_allowed(hit, r->client))
		return auth_no(r, who, AUTH_ADDRESS, "address not allowed for this token");
	if (hit->tenant_state == TENANT_SUSPENDED)
		return auth_no(r, who, AUTH_SUSPENDED, "tenant is suspended");
	return AUTH_YES;
}
