/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_userinfo.c -- credentials that an identity provider judges each time (auth.userinfo,
 * compatibility.md 6): its userinfo is asked with them, and its answer, yes or no, is remembered
 * for a short while. Stands last among the verifiers: whatever has come so far may be the
 * provider's, whatever its form, but for tokens of our own make. What is no answer to go by is 503,
 * never a pass.
 */
#include <stdio.h>

#include "common/base64.h"
#include "common/http_client.h"
#include "common/log.h"
#include "common/loop.h"
#include "worker/auth.h"
#include "worker/claims.h"
#include "worker/jwt_token.h"
#include "worker/worker.h"

enum {
	ANSWER_MAX = 64 * KIB,
	CHALLENGE_MAX = 512,
	SUBJECT_MAX = 255, /* OpenID Connect Core 2 */
	EMAIL_MAX = 320,
	LOGS_PER_MINUTE = 1,
	QUESTIONS_MAX = 1024, /* at a time: each has a connection, or waits for one */
};

struct userinfo {
	struct worker *w;
	struct http_client *client; /* NULL: no provider is configured */
	struct question *first; /* asked, and not answered yet */
	unsigned count; /* of those */
	struct log_limit log;
};

struct question {
	struct question *next, **link; /* in first */
	struct userinfo *v;
	uint8_t digest[TOKEN_DIGEST_BYTES];
	bool is_jwt; /* by its form: keys of the table may have two dots too */
	int64_t ends_s; /* of a JWT: its exp, unverified, which can only shorten; INT64_MAX: none */
};

/* ---- the credential ---- */

/* Takes exp of a payload that nobody has verified. */
static void read_payload(struct question *q, struct bytes payload)
{
	autofree uint8_t *text = xcalloc(payload.n + 1, 1);
	json_t *json, *exp;
	size_t n;

	if (!base64_decode(BASE64_URL, payload, text, &n))
		return;
	json = json_loadb((const char *)text, n, JSON_REJECT_DUPLICATES, NULL);
	q->is_jwt = json_is_object(json);
	exp = json_object_get(json, "exp");
	if (json_is_integer(exp))
		q->ends_s = json_integer_value(exp) > 0 ? json_integer_value(exp) : 0;
	else if (json_is_real(exp) && json_real_value(exp) > 0 && json_real_value(exp) < 1e15)
		q->ends_s = (int64_t)json_real_value(exp);
	json_decref(json);
}

static void look_for_jwt(struct question *q, struct bytes secret)
{
	const uint8_t *first = memchr(secret.p, '.', secret.n),
		      *last = memrchr(secret.p, '.', secret.n);

	q->ends_s = INT64_MAX;
	if (first && last > first && !memchr(first + 1, '.', (size_t)(last - first) - 1) &&
	    secret.n <= JWT_BYTES_MAX)
		read_payload(q, bytes_of(first + 1, (size_t)(last - first) - 1));
}

/* ---- the answer ---- */

static struct finding failed(const char *why)
{
	struct proof p = { .method = METHOD_USERINFO, .result = AUTH_UNAVAILABLE, .why = why };

	return (struct finding){ proof_copy(&p), 0 };
}

static struct finding no_answer(struct userinfo *v, const struct http_client_answer *a,
                                const char *why)
{
	uint32_t held;

	if (log_limited(&v->log, LOGS_PER_MINUTE, loop_now(), &held))
		log_warn("userinfo", "no answer to go by: 503 for credentials not seen before",
		         KV_S("why", why), KV_I("status", a->status), KV_S("err", a->failure),
		         KV_U("more", held));
	return failed(why);
}

/* It goes into the head of a reply. */
static const char *challenge_of(const struct http_client_answer *a)
{
	size_t n = a->challenge ? strlen(a->challenge) : 0;

	if (n > CHALLENGE_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (a->challenge[i] < ' ' || a->challenge[i] > '~')
			return NULL;
	return a->challenge;
}

static struct finding denied(const struct question *q, const struct http_client_answer *a)
{
	const struct worker *w = q->v->w;
	struct proof p = { .method = METHOD_USERINFO,
		           .result = a->status == 401 ? AUTH_UNKNOWN : AUTH_SCOPE,
		           .why = a->status == 401 ? "userinfo says 401" : "userinfo says 403",
		           .not_after = INT64_MAX,
		           .denial = a->status,
		           .challenge = challenge_of(a) };

	/* It may be a token of ours that came into being while we can't see it. */
	if (!q->is_jwt && !worker_table_is_fresh(w))
		return failed("denied by userinfo, and the tenant table is not fresh");
	return (struct finding){ proof_copy(&p), w->conf->auth.userinfo.deny_ttl };
}

static msec_t keep_for(const struct question *q)
{
	int64_t now_ms = loop_wall_ns() / 1000000, left = INT64_MAX;

	if (q->ends_s < INT64_MAX / 1000)
		left = q->ends_s * 1000 - now_ms;
	if (left <= 0)
		return 0;
	return left < q->v->w->conf->auth.userinfo.allow_ttl
	               ? left
	               : q->v->w->conf->auth.userinfo.allow_ttl;
}

static const char *at_most(const char *text, size_t bytes)
{
	return text && *text && strlen(text) <= bytes ? text : NULL;
}

static const char *subject_of(const json_t *json)
{
	return at_most(json_string_value(json_object_get(json, "sub")), SUBJECT_MAX);
}

/* json NULL: the answer is none. */
static struct finding allowed(const struct question *q, const json_t *json)
{
	const struct conf *conf = q->v->w->conf;
	struct claims_tenants tenants;
	struct proof p = { .method = METHOD_USERINFO,
		           .result = AUTH_OK,
		           .subject = subject_of(json),
		           .email = at_most(claims_email(json), EMAIL_MAX),
		           .issuer = conf->auth.userinfo.url,
		           .scopes = SCOPE_ALL,
		           .not_after = INT64_MAX };

	claims_tenants(json, conf->auth.userinfo.tenant_claim, &conf->auth.userinfo.tenant_map,
	               &tenants);
	p.tenants = tenants.v;
	p.tenant_count = tenants.n;
	p.tenants_cut = tenants.too_many;
	return (struct finding){ proof_copy(&p), keep_for(q) };
}

static struct finding judge(const struct question *q, const struct http_client_answer *a)
{
	struct finding f;
	json_t *json;

	if (a->status == 401 || a->status == 403)
		return denied(q, a);
	if (a->status < 200 || a->status > 299)
		return no_answer(q->v, a,
		                 a->status ? "userinfo answers with another status"
		                           : "userinfo does not answer");
	json = json_loadb((const char *)a->body.p, a->body.n, JSON_REJECT_DUPLICATES, NULL);
	if (q->v->w->conf->compat.gateway_bind_tenants && !subject_of(json))
		f = no_answer(q->v, a, "userinfo's answer is no JSON object with sub");
	else
		f = allowed(q, json);
	json_decref(json);
	return f;
}

static void question_free(struct question *q)
{
	q->v->count--;
	*q->link = q->next;
	if (q->next)
		q->next->link = q->link;
	free(q);
}

static void on_answer(void *arg, const struct http_client_answer *a)
{
	struct question *q = arg;
	struct finding f = judge(q, a);

	auth_found(q->v->w, q->digest, &f);
	question_free(q);
}

/* ---- asking ---- */

static void question_ask(struct userinfo *v, const struct credential *c)
{
	static const char name[] = "Authorization: Bearer ";
	size_t n = sizeof(name) - 1 + c->secret.n;
	autofree char *line = xcalloc(n + 1, 1);
	const char *fields[] = { line, "Accept: application/json", NULL };
	struct question *q = xcalloc(1, sizeof(*q));
	struct http_get get = { .url = v->w->conf->auth.userinfo.url,
		                .fields = fields,
		                .timeout = v->w->conf->auth.userinfo.timeout,
		                .body_max = ANSWER_MAX,
		                .answered = on_answer,
		                .arg = q };

	q->v = v;
	memcpy(q->digest, c->digest, sizeof(q->digest));
	look_for_jwt(q, c->secret);
	q->next = v->first;
	q->link = &v->first;
	if (q->next)
		q->next->link = &q->next;
	v->first = q;
	v->count++;
	memcpy(line, name, sizeof(name) - 1);
	memcpy(line + sizeof(name) - 1, c->secret.p, c->secret.n);
	http_client_get(v->client, &get);
	explicit_bzero(line, n);
}

/* Basic brings any bytes: a line break would end the field, and the next be the client's. */
static bool fits_field(struct bytes secret)
{
	for (size_t i = 0; i < secret.n; i++)
		if (secret.p[i] <= ' ' || secret.p[i] > '~')
			return false;
	return true;
}

/* By Basic or a header of its own too: one token, one answer, however it came. */
static enum auth_say userinfo_check(void *verifier, struct req *r, const struct credential *c,
                                    struct finding *f)
{
	struct userinfo *v = verifier;

	if (!v->client || c->form != TOKEN_FOREIGN || !fits_field(c->secret))
		return AUTH_NOT_MINE;
	if (v->count == QUESTIONS_MAX) {
		*f = failed("too many wait for userinfo");
		return AUTH_NO;
	}
	if (!auth_may_ask(r)) {
		*f = failed("auth.unknown_per_source is spent");
		return AUTH_NO;
	}
	question_ask(v, c);
	return AUTH_LATER;
}

static void *userinfo_open(struct worker *w, struct err *err)
{
	struct userinfo *v = xcalloc(1, sizeof(*v));

	v->w = w;
	if (!*w->conf->auth.userinfo.url)
		return v;
	v->client = http_client_open(w->base, err);
	if (v->client)
		return v;
	free(v);
	return NULL;
}

static void userinfo_close(void *verifier)
{
	struct userinfo *v = verifier;

	http_client_close(v->client);
	while (v->first)
		question_free(v->first);
	free(v);
}

const struct auth_verifier auth_userinfo = { "userinfo", userinfo_open, userinfo_check,
	                                     userinfo_close };
