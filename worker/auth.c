/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth.c -- the stage: reads the credential (auth_credential.c), asks the providers and then the
 * verifiers (auth_verify.c), finds its tenant (auth_org.c) and judges the scope. The client is
 * never told why a credential failed; log, metric and audit are.
 */
#include "worker/auth.h"

#include "common/limits.h"
#include "common/loop.h"
#include "common/stats.h"
#include "common/uses.h"
#include "worker/auth_hit.h"
#include "worker/auth_org.h"
#include "worker/auth_verify.h"
#include "worker/dialects.h"
#include "worker/route.h"
#include "worker/worker.h"

/* Asked in this order. */
static const struct auth_provider *const providers[AUTH_PROVIDERS] = { &auth_none, &auth_token };

struct auth *auth_open(struct worker *w, struct err *err)
{
	struct auth *a = xcalloc(1, sizeof(*a));

	for (size_t i = 0; i < ARRAY_LEN(providers); i++) {
		a->state[i] = providers[i]->open(w, err);
		if (!a->state[i]) {
			err_prefix(err, "%s: ", providers[i]->name);
			auth_close(a);
			return NULL;
		}
	}
	a->verifiers = verifiers_open(w, err);
	if (a->verifiers)
		return a;
	auth_close(a);
	return NULL;
}

void auth_close(struct auth *a)
{
	if (!a)
		return;
	verifiers_close(a->verifiers);
	for (size_t i = 0; i < ARRAY_LEN(providers); i++)
		if (a->state[i])
			providers[i]->close(a->state[i]);
	free(a);
}

static enum signal scope_of(const struct req *r)
{
	return r->route->scope < SIGNAL_COUNT ? (enum signal)r->route->scope : r->signal;
}

bool auth_has_scope(const struct req *r)
{
	return r->who.scopes & (1u << scope_of(r));
}

bool auth_scope_is_open(const struct req *r)
{
	return r->route->protocol->any_signal && r->who.scopes != SCOPE_ALL;
}

static enum step check_scope(struct req *r)
{
	if (auth_scope_is_open(r) || auth_has_scope(r))
		return STEP_NEXT;
	r->who.result = AUTH_SCOPE;
	return req_refuse(r, V_SCOPE, r->who.token, signal_name(scope_of(r)));
}

/* ---- the stage ---- */

static enum step refuse_credential(struct req *r)
{
	if (r->who.denial == 403)
		return req_refuse(r, V_DENIED);
	switch (r->who.result) {
	case AUTH_MISSING:
	case AUTH_MALFORMED:
	case AUTH_UNKNOWN:
	case AUTH_REVOKED:
	case AUTH_EXPIRED:
	case AUTH_ADDRESS:
		return req_refuse(r, V_CREDENTIAL);
	case AUTH_UNAVAILABLE:
		return req_refuse(r, V_AUTH_UNAVAILABLE);
	case AUTH_SUSPENDED:
		return req_refuse(r, V_TENANT_SUSPENDED, r->who.tenant);
	case AUTH_OK:
	case AUTH_SCOPE:
	case AUTH_MISMATCH:
		break;
	}
	assert(!"a provider's reason to say no");
	return req_refuse(r, V_CREDENTIAL);
}

static enum auth_say ask(struct req *r, const struct credential *c, struct proof_use *use)
{
	enum auth_say say = AUTH_NOT_MINE;

	for (size_t i = 0; i < ARRAY_LEN(providers) && say == AUTH_NOT_MINE; i++)
		say = providers[i]->check(r->w->auth->state[i], r, c, &r->who);
	return say == AUTH_NOT_MINE ? auth_verify(r, c, use) : say;
}

/* What is good elsewhere may not be here: an answer in the cache is of all dialects. NULL: it is.
 * --disable-auth looks at no credential. */
static const char *not_here(const struct req *r, const struct proof *p)
{
	if (!dialect_get(r->route->dialect)->judges_jwt || r->who.method == METHOD_NONE)
		return NULL;
	if (r->w->conf->compat.moose_enforce_jwt && r->who.method != METHOD_JWT)
		return "only a JWT lets in here";
	if (r->w->conf->compat.moose_strict_aud && p && p->aud_is_list)
		return "JWT with an array of audiences (compat.moose_strict_aud)";
	return NULL;
}

static void use_metric_slot(struct req *r)
{
	struct bytes tenant = bytes_of(r->who.tenant, r->who.tenant_n);

	r->who.metric_slot = limits_metric_slot(r->w->limits, r->who.tenant_ordinal, tenant);
}

static enum step judge_proof(struct req *r, const struct credential *c, struct proof_use *use)
{
	enum auth_say say = ask(r, c, use);
	const char *why;
	enum step step;

	if (say == AUTH_LATER)
		return STEP_WAKE;
	why = say == AUTH_YES ? not_here(r, use->proof) : NULL;
	if (why)
		say = auth_no(r, &r->who, AUTH_UNKNOWN, why);
	if (say == AUTH_NO)
		return refuse_credential(r);
	r->who.known = true;
	r->who.result = AUTH_OK;
	if (r->who.tenant_n)
		use_metric_slot(r);
	step = auth_tenant(r, c, use->proof);
	if (use->proof && r->who.tenant_n)
		use_metric_slot(r);
	return step == STEP_NEXT ? check_scope(r) : step;
}

static enum step judge(struct req *r)
{
	struct credential c;
	struct proof_use use = { NULL, NULL };
	enum step step;

	auth_read_credential(r, &c);
	r->who = (struct identity){ .method = c.method,
		                    .metric_slot = limits_metric_none(r->w->limits) };
	r->credential = !c.broken && c.method == METHOD_NONE            ? CREDENTIAL_NONE
	                : c.is_other_scheme || c.method == METHOD_BASIC ? CREDENTIAL_SCHEME
	                                                                : CREDENTIAL_GIVEN;
	step = judge_proof(r, &c, &use);
	free(use.owned);
	return step;
}

/* A token that is good for nothing that is asked of it is not used: who looks for tokens to delete
 * goes by this. */
static void note_use(struct req *r)
{
	if (!r->who.in_table)
		return;
	if (r->who.replaced)
		stats_add(r->w->stats, STAT_AUTH_REPLACED, 0, 0, 1);
	uses_mark(r->w->uses, r->who.token_ordinal, (uint32_t)(loop_wall_ns() / 1000000000));
}

enum step auth_run(struct req *r)
{
	struct worker *w = r->w;
	enum step step = judge(r);

	if (step == STEP_WAKE)
		return step;
	stats_add(w->stats, STAT_AUTH, r->who.method, r->who.result, 1);
	if (step == STEP_NEXT && !auth_scope_is_open(r))
		note_use(r);
	/* Last: whoever may not come in is told so first. */
	if (step == STEP_NEXT && w->aside_any && worker_is_aside(w, r->who.tenant_ordinal))
		return req_refuse(r, V_TENANT_ASIDE);
	return step;
}

void auth_finish(struct req *r)
{
	if (r->route && r->refused_at > STAGE_AUTH && r->verdict != V_SCOPE && auth_scope_is_open(r))
		note_use(r);
}
