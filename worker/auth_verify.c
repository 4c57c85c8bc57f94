/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_verify.c -- credentials that the tenant table does not hold (faults.md 4). First what was
 * found before; then whoever asks already is joined; then the verifiers, in order. A failure of
 * ours (a key set out of reach, a budget spent) is 503 and never remembered. A PBKDF2 bearer is
 * remembered by what the derivation gave, not by the answer, so that the table's changes count at
 * once.
 */
#include "worker/auth_verify.h"

#include "common/loop.h"
#include "worker/auth_hit.h"
#include "worker/flights.h"
#include "worker/identity_cache.h"
#include "worker/sources.h"
#include "worker/worker.h"

enum {
	DIGEST_SHOWN_BYTES = 4, /* 8 hex digits name an unknown credential in audit */
	BURST = 2, /* times the rate of a source */
	EXPIRES_SOON_US = 30 * 1000000, /* a JWT so near to its end is verified anew */
};

/* Asked in this order: whatever nobody else knows is the last one's. */
static const struct auth_verifier *const all[] = { &auth_jwt, &auth_pbkdf2, &auth_userinfo, NULL };

struct verifiers {
	const struct auth_verifier *const *v;
	size_t count;
	void *state[ARRAY_LEN(all)];
	struct identity_cache *good, *bad;
	struct flights *flights;
	struct sources *sources;
	bool renewing; /* while one is asked about whom it has let in before: no budget is spent */
	/* While auth_found() tells those who wait: what it is. */
	const struct proof *landing;
	const uint8_t *landing_digest;
};

struct verifiers *verifiers_open(struct worker *w, struct err *err)
{
	struct verifiers *v = xcalloc(1, sizeof(*v));
	size_t entries = (size_t)w->conf->auth.cache_entries;

	v->v = all;
	v->good = identity_cache_new(entries);
	v->bad = identity_cache_new(entries);
	v->flights = flights_new();
	v->sources = sources_new(err);
	for (; v->sources && v->v[v->count]; v->count++) {
		v->state[v->count] = v->v[v->count]->open(w, err);
		if (!v->state[v->count]) {
			err_prefix(err, "%s: ", v->v[v->count]->name);
			break;
		}
	}
	if (v->sources && !v->v[v->count])
		return v;
	verifiers_close(v);
	return NULL;
}

void verifiers_close(struct verifiers *v)
{
	if (!v)
		return;
	for (size_t i = 0; i < v->count; i++)
		v->v[i]->close(v->state[i]);
	identity_cache_free(v->good);
	identity_cache_free(v->bad);
	flights_free(v->flights);
	sources_free(v->sources);
	free(v);
}

bool auth_may_ask(struct req *r)
{
	uint64_t per_s = r->w->conf->auth.unknown_per_source;
	const struct gcra_rate rate = { per_s, BURST * per_s };

	return r->w->auth->verifiers->renewing ||
	       sources_take(r->w->auth->verifiers->sources, r->client, &rate, loop_now_ns());
}

/* ---- a finding becomes the request's identity ---- */

static const char *keep_text(struct req *r, const char *text)
{
	return text ? (const char *)pool_dup(r->pool, bytes_of(text, strlen(text) + 1)).p : NULL;
}

static bool is_admin(const struct conf *conf, const struct proof *p)
{
	const struct conf_list *admins = &conf->auth.admins;

	for (size_t i = 0; i < admins->n; i++)
		if ((p->subject && strcmp(admins->v[i], p->subject) == 0) ||
		    (p->email && strcmp(admins->v[i], p->email) == 0))
			return true;
	return false;
}

/* The proof may go before the request does. */
static void take_proof(struct req *r, const struct proof *p)
{
	struct identity *who = &r->who;

	who->subject = keep_text(r, p->subject);
	who->email = keep_text(r, p->email);
	who->issuer = keep_text(r, p->issuer);
	who->admin = is_admin(r->w->conf, p);
	who->scopes = p->scopes;
	who->denial = p->denial;
	who->challenge = keep_text(r, p->challenge);
	if (p->claims.n)
		who->claims = pool_dup(r->pool, p->claims);
}

static enum auth_say unknown(struct req *r)
{
	if (!worker_table_is_fresh(r->w)) /* it may be a token of today */
		return auth_no(r, &r->who, AUTH_UNAVAILABLE,
		               "unknown, and the tenant table is not fresh");
	return auth_no(r, &r->who, AUTH_UNKNOWN, "unknown");
}

/* The entry of the table that one of the keys leads to. */
static bool find_by_keys(const struct worker *w, const struct proof *p, struct snapshot_hit *hit)
{
	uint8_t digest[TOKEN_DIGEST_BYTES];

	for (unsigned i = 0; i < p->key_count; i++) {
		snapshot_key(p->keys[i].derived, p->keys[i].iterations, digest);
		if (snapshot_find(w->table, digest, hit))
			return true;
	}
	return false;
}

static enum auth_say use_keys(struct req *r, const struct proof *p)
{
	struct snapshot_hit hit;

	return find_by_keys(r->w, p, &hit) ? auth_judge_hit(r, &hit, &r->who) : unknown(r);
}

static enum auth_say use_proof(struct req *r, const struct proof *p, struct proof_use *use)
{
	r->who.method = p->method;
	if (p->key_count)
		return use_keys(r, p);
	take_proof(r, p);
	if (p->result != AUTH_OK)
		return auth_no(r, &r->who, p->result, p->why);
	use->proof = p;
	return AUTH_YES;
}

/* ---- what is remembered ---- */

/* A derivation for iterations that the table has meanwhile was not made. */
static bool covers_table(const struct worker *w, const struct proof *p)
{
	uint32_t now[SNAPSHOT_ITERATIONS_MAX];
	unsigned count = snapshot_iterations(w->table, now);

	for (unsigned i = 0; i < count; i++) {
		unsigned k = 0;

		while (k < p->key_count && p->keys[k].iterations != now[i])
			k++;
		if (k == p->key_count)
			return false;
	}
	return true;
}

static bool still_good(const struct worker *w, const struct proof *p)
{
	if (p->key_count)
		return covers_table(w, p);
	return p->not_after == INT64_MAX ||
	       p->not_after - EXPIRES_SOON_US > loop_wall_ns() / 1000;
}

/* NULL, and *ended, if it is there and has to be found anew. */
static const struct proof *recall(struct req *r, struct identity_cache *cache,
                                  const struct credential *c, bool *ended)
{
	const struct proof *p = identity_cache_find(cache, c->digest, loop_now());

	*ended = p && !still_good(r->w, p);
	if (*ended)
		identity_cache_drop(cache, c->digest);
	return *ended ? NULL : p;
}

/* Whether it let somebody in decides what it may be driven out by. */
static void remember(struct worker *w, const uint8_t *digest, const struct finding *f)
{
	struct verifiers *v = w->auth->verifiers;
	struct snapshot_hit hit;
	bool good = f->proof->result == AUTH_OK &&
	            (!f->proof->key_count || (w->table && find_by_keys(w, f->proof, &hit)));

	identity_cache_put(good ? v->good : v->bad, digest, f->proof, loop_now() + f->keep);
}

/* ---- asking ---- */

static void count_cache(const struct req *r, enum cache_result result)
{
	stats_add(r->w->stats, STAT_AUTH_IDENTITY_CACHE, result, 0, 1);
}

static enum auth_say wait(struct req *r, const struct credential *c)
{
	if (flights_wait(r->w->auth->verifiers->flights, c->digest, r->handle))
		return AUTH_LATER;
	return auth_no(r, &r->who, AUTH_UNAVAILABLE, "too many wait to be judged");
}

static enum auth_say ask(struct req *r, const struct credential *c, struct proof_use *use)
{
	struct verifiers *v = r->w->auth->verifiers;
	struct finding f = { .keep = 0 };
	enum auth_say say = AUTH_NOT_MINE;

	for (size_t i = 0; i < v->count && say == AUTH_NOT_MINE; i++)
		say = v->v[i]->check(v->state[i], r, c, &f);
	if (say == AUTH_NOT_MINE)
		return unknown(r);
	count_cache(r, CACHE_MISS);
	if (say == AUTH_LATER)
		return wait(r, c);
	if (f.keep)
		remember(r->w, c->digest, &f);
	else
		use->owned = f.proof;
	return use_proof(r, f.proof, use);
}

/* *renews: it was let in so far. What a key derives to is so for ever: while it is used it stays,
 * else a flood would have the budget, for which it would then wait. */
static const struct proof *recall_any(struct req *r, const struct credential *c, bool *renews)
{
	const struct verifiers *v = r->w->auth->verifiers;
	const struct proof *p = recall(r, v->good, c, renews);
	bool ended;

	if (p && p->key_count)
		identity_cache_keep(v->good, c->digest, loop_now() + r->w->conf->auth.cache_ttl);
	return p ? p : recall(r, v->bad, c, &ended);
}

enum auth_say auth_verify(struct req *r, const struct credential *c, struct proof_use *use)
{
	struct verifiers *v = r->w->auth->verifiers;
	const struct proof *p;
	enum auth_say say;
	bool renews;

	hex_encode(c->digest, DIGEST_SHOWN_BYTES, r->who.token);
	if (v->landing && memcmp(v->landing_digest, c->digest, TOKEN_DIGEST_BYTES) == 0)
		return use_proof(r, v->landing, use);
	p = recall_any(r, c, &renews);
	if (p) {
		count_cache(r, CACHE_HIT);
		return use_proof(r, p, use);
	}
	if (flights_has(v->flights, c->digest))
		return wait(r, c);
	v->renewing = renews;
	say = ask(r, c, use);
	v->renewing = false;
	return say;
}

static void tell(void *arg, uint64_t handle)
{
	(void)req_wake(arg, handle, V_NONE, -1, 0); /* false: it has gone */
}

void auth_found(struct worker *w, const uint8_t digest[static TOKEN_DIGEST_BYTES],
                const struct finding *f)
{
	struct verifiers *v = w->auth->verifiers;

	v->landing = f->proof;
	v->landing_digest = digest;
	flights_land(v->flights, digest, tell, w);
	v->landing = NULL;
	if (f->keep)
		remember(w, digest, f);
	else
		free(f->proof);
}
