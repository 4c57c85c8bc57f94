/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_org.c -- which tenant: that of the credential's entry in the table, or one of those that the
 * identity is bound to (records.md 2.2, compatibility.md 6). What the request says about it,
 * X-Scope-OrgID and the user of Basic, may only agree; on `dialect: gateway` alone the header
 * chooses, among those the identity is bound to.
 */
#include "worker/auth_org.h"

#include "common/buf.h"
#include "worker/auth_hit.h"
#include "worker/dialects.h"
#include "worker/route.h"
#include "worker/worker.h"

static enum step refuse_org(struct req *r, struct bytes org, const uint8_t *bad)
{
	char text[200], id[120], byte[8];
	struct buf b;

	r->who.result = AUTH_MISMATCH;
	buf_init_fixed(&b, id, sizeof(id) - 1);
	buf_escaped(&b, org, sizeof(id) - 1);
	id[b.n] = '\0';
	buf_init_fixed(&b, byte, sizeof(byte) - 1);
	buf_escaped(&b, bytes_of(bad, 1), 1);
	byte[b.n] = '\0';
	buf_init_fixed(&b, text, sizeof(text) - 1);
	buf_printf(&b, "tenant ID '%s' contains unsupported character '%s'", id, byte);
	text[b.n] = '\0';
	return req_refuse(r, V_ORG, text);
}

static enum step refuse_org_text(struct req *r, const char *text)
{
	r->who.result = AUTH_MISMATCH;
	return req_refuse(r, V_ORG, text);
}

static enum step refuse_mismatch(struct req *r, const char *what)
{
	r->who.result = AUTH_MISMATCH;
	req_why(r, "%s names another tenant", what);
	return req_refuse(r, V_ORG_MISMATCH);
}

/* What the header says, judged by its form alone. */
static enum step read_org(struct req *r, struct bytes *org)
{
	const struct http_field *f = http_field_find(&r->head, "X-Scope-OrgID", 0);

	*org = f ? f->value : BYTES_NONE;
	if (f && http_field_find(&r->head, "X-Scope-OrgID", 1))
		return refuse_org_text(r, "multiple org IDs present");
	if (org->n > TENANT_ID_MAX)
		return refuse_org_text(r, "tenant ID is too long: max 150 characters");
	for (size_t i = 0; i < org->n; i++)
		if (!tenant_id_byte_ok(org->p[i]))
			return refuse_org(r, *org, org->p + i);
	if (bytes_eq(*org, BYTES(".")) || bytes_eq(*org, BYTES("..")))
		return refuse_org_text(r, "tenant ID is '.' or '..'");
	return STEP_NEXT;
}

static bool header_chooses(const struct req *r)
{
	return dialect_get(r->route->dialect)->org == ORG_REQUIRED;
}

/* ---- an identity without an entry of its own ---- */

static enum step refuse_unknown(struct req *r, const char *why)
{
	r->who.result = AUTH_MISMATCH;
	req_why(r, "%s", why);
	return req_refuse(r, V_TENANT_UNKNOWN);
}

/* Names can't be probed: whatever is wrong with the one in the header has one answer. */
static enum step refuse_choice(struct req *r, const char *why)
{
	r->who.result = AUTH_MISMATCH;
	req_why(r, "%s", why);
	return req_refuse(r, V_ORG_MISMATCH);
}

static bool is_bound(const struct proof *p, struct bytes tenant)
{
	for (unsigned i = 0; i < p->tenant_count; i++)
		if (bytes_eq(bytes_str(p->tenants[i]), tenant))
			return true;
	return false;
}

/* The tenant of that name becomes the request's, if it is one. */
static enum step take_named(struct req *r, struct bytes name, bool chosen)
{
	struct snapshot_hit hit;
	bool there = snapshot_find_tenant(r->w->table, r->w->hasher, name, &hit) &&
	             hit.tenant_state != TENANT_DELETING;

	if (!there && !worker_table_is_fresh(r->w)) {
		r->who.result = AUTH_UNAVAILABLE;
		req_why(r, "its tenant is unknown, and the tenant table is not fresh");
		return req_refuse(r, V_AUTH_UNAVAILABLE);
	}
	if (!there)
		return chosen ? refuse_choice(r, "X-Scope-OrgID names no tenant")
		              : refuse_unknown(r, "its tenant is not in the table");
	auth_take_tenant(r, &hit, &r->who);
	if (hit.tenant_state == TENANT_SUSPENDED) {
		r->who.result = AUTH_SUSPENDED;
		req_why(r, "tenant is suspended");
		return req_refuse(r, V_TENANT_SUSPENDED, r->who.tenant);
	}
	return STEP_NEXT;
}

static enum step choose(struct req *r, const struct proof *p, struct bytes org)
{
	struct bytes standard = bytes_str(r->w->conf->auth.default_tenant);
	bool chooses = org.n && header_chooses(r), binds = r->w->conf->compat.gateway_bind_tenants;

	assert(p); /* who has no entry of the table was vouched for */
	if (p->tenants_cut && (binds || !chooses)) /* else it would hang on their order */
		return refuse_unknown(r, "bound to more tenants than can be kept");
	if (chooses) {
		if (p->tenant_count == 0 && bytes_eq(org, standard))
			return take_named(r, org, true);
		if (!is_bound(p, org) && binds)
			return refuse_choice(r, "X-Scope-OrgID names a tenant that the identity is not bound to");
		return take_named(r, org, true);
	}
	if (p->tenant_count > 1)
		return refuse_unknown(r, "bound to several tenants, and nothing chooses here");
	if (p->tenant_count == 1)
		return take_named(r, bytes_str(p->tenants[0]), false);
	if (!standard.n)
		return refuse_unknown(r, "bound to no tenant, and there is no auth.default_tenant");
	return take_named(r, standard, false);
}

/* ---- the whole ---- */

enum step auth_tenant(struct req *r, const struct credential *c, const struct proof *p)
{
	struct bytes org, tenant;
	enum step step = read_org(r, &org);

	if (step != STEP_NEXT)
		return step;
	if (!org.n && header_chooses(r) &&
	    r->w->conf->compat.gateway_tenant_header == TENANT_HEADER_REQUIRED) {
		r->who.result = AUTH_MISMATCH;
		return req_refuse(r, V_ORG_MISSING);
	}
	if (!r->who.tenant_n) {
		step = choose(r, p, org);
		if (step != STEP_NEXT)
			return step;
	}
	tenant = bytes_of(r->who.tenant, r->who.tenant_n);
	if (org.n && !bytes_eq(org, tenant))
		return refuse_mismatch(r, "X-Scope-OrgID");
	/* --disable-auth looks at no credential. */
	if (c->method == METHOD_BASIC && r->who.method != METHOD_NONE && c->basic_user.n &&
	    !bytes_eq(c->basic_user, tenant))
		return refuse_mismatch(r, "the user of Basic");
	return STEP_NEXT;
}
