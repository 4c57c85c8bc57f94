/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_pbkdf2.c -- keys of Moose (compatibility.md 5): a bearer of two texts around one dot, which
 * brings its own salt. It is derived once for each number of iterations that keys of the table
 * have, on a thread beside the loop, within the budgets of auth.pbkdf2; what comes out is looked up
 * by auth_verify.c, now and whenever the bearer comes again. Never compares a key itself.
 *
 * Both budgets are this process's own, that of an address too: an address has as many as there are
 * workers, each for the thread that it can keep busy.
 */
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "common/gcra.h"
#include "common/log.h"
#include "common/loop.h"
#include "worker/auth.h"
#include "worker/offload.h"
#include "worker/sources.h"
#include "worker/worker.h"

enum {
	PART_MAX = 128, /* bytes before the dot, and behind it */
	DERIVED_BURST = 2, /* times the rate */
	/* About a second of the thread: who comes behind so much would wait for long. */
	WAITING_ITERATIONS_MAX = 2000000,
	LOGS_PER_MINUTE = 1,
};

struct pbkdf2 {
	struct worker *w;
	struct sources *sources;
	gcra_word all; /* auth.pbkdf2.per_worker */
	struct offload *thread; /* NULL: nobody has brought a bearer yet */
	struct log_limit thread_log;
	struct derivation *first; /* pushed, and not told done */
	uint64_t waiting; /* iterations, of those */
};

struct derivation {
	struct job job;
	struct derivation *next, **link; /* in first, until done */
	struct pbkdf2 *v;
	uint8_t digest[TOKEN_DIGEST_BYTES];
	struct proof_key keys[SNAPSHOT_ITERATIONS_MAX];
	unsigned key_count;
	bool failed;
	size_t password_n, salt_n;
	uint8_t text[2 * PART_MAX]; /* password, then salt: wiped before it is freed */
};

/* ---- one derivation ---- */

static uint64_t cost_of(const struct derivation *d)
{
	uint64_t iterations = 0;

	for (unsigned i = 0; i < d->key_count; i++)
		iterations += d->keys[i].iterations;
	return iterations;
}

static void derivation_free(struct derivation *d)
{
	d->v->waiting -= cost_of(d);
	*d->link = d->next;
	if (d->next)
		d->next->link = d->link;
	OPENSSL_cleanse(d, sizeof(*d));
	free(d);
}

/* On the thread. The texts themselves are password and salt: nothing is decoded. */
static void derive(struct job *job)
{
	struct derivation *d = (struct derivation *)job;
	const char *password = (const char *)d->text;

	_Static_assert(offsetof(struct derivation, job) == 0, "the cast above");
	for (unsigned i = 0; i < d->key_count; i++)
		d->failed |=
			PKCS5_PBKDF2_HMAC(password, (int)d->password_n, d->text + d->password_n,
		                          (int)d->salt_n, (int)d->keys[i].iterations, EVP_sha256(),
		                          sizeof(d->keys[i].derived), d->keys[i].derived) != 1;
}

static void on_derived(struct job *job)
{
	struct derivation *d = (struct derivation *)job;
	struct worker *w = d->v->w;
	struct proof p = { .method = METHOD_PBKDF2, .result = AUTH_OK, .not_after = INT64_MAX };
	struct finding f = { .keep = w->conf->auth.cache_ttl };
	uint8_t digest[TOKEN_DIGEST_BYTES];

	if (d->failed) {
		p.result = AUTH_UNAVAILABLE;
		p.why = "no PBKDF2 from the library";
		f.keep = 0;
	} else {
		p.keys = d->keys;
		p.key_count = d->key_count;
	}
	f.proof = proof_copy(&p);
	memcpy(digest, d->digest, sizeof(digest));
	derivation_free(d);
	auth_found(w, digest, &f);
}

/* ---- the form, the budgets ---- */

static bool part_ok(struct bytes part)
{
	for (size_t i = 0; i < part.n; i++)
		if (part.p[i] < 0x20 || part.p[i] > 0x7e)
			return false;
	return part.n >= 1 && part.n <= PART_MAX;
}

static bool split(struct bytes secret, struct bytes *password, struct bytes *salt)
{
	const uint8_t *dot = memchr(secret.p, '.', secret.n);

	if (!dot)
		return false;
	*password = bytes_of(secret.p, (size_t)(dot - secret.p));
	*salt = bytes_from(secret, password->n + 1);
	return part_ok(*password) && part_ok(*salt) && !memchr(salt->p, '.', salt->n);
}

/* Why not now; NULL: taken. The source's first: who is beyond his own must not spend all others'.
 */
static const char *take_budget(struct pbkdf2 *v, const struct req *r)
{
	uint64_t per_source = v->w->conf->auth.pbkdf2.per_source;
	uint64_t per_worker = v->w->conf->auth.pbkdf2.per_worker;
	const struct gcra_rate source = { per_source, DERIVED_BURST * per_source };
	const struct gcra_rate worker = { per_worker, DERIVED_BURST * per_worker };
	int64_t now = loop_now_ns();

	if (!sources_take(v->sources, r->client, &source, now))
		return "auth.pbkdf2.per_source is spent";
	if (gcra_take(&v->all, &worker, 0, 1, now) != 0)
		return "auth.pbkdf2.per_worker is spent";
	return NULL;
}

static struct derivation *derivation_new(struct pbkdf2 *v, const struct credential *c,
                                         struct bytes password, struct bytes salt)
{
	struct derivation *d = xcalloc(1, sizeof(*d));
	uint32_t iterations[SNAPSHOT_ITERATIONS_MAX];

	d->job = (struct job){ .run = derive, .done = on_derived };
	d->v = v;
	memcpy(d->digest, c->digest, sizeof(d->digest));
	d->key_count = snapshot_iterations(v->w->table, iterations);
	for (unsigned i = 0; i < d->key_count; i++)
		d->keys[i].iterations = iterations[i];
	d->password_n = password.n;
	d->salt_n = salt.n;
	memcpy(d->text, password.p, password.n);
	memcpy(d->text + password.n, salt.p, salt.n);
	d->next = v->first;
	if (d->next)
		d->next->link = &d->next;
	d->link = &v->first;
	v->first = d;
	v->waiting += cost_of(d);
	return d;
}

/* The thread is there from the first bearer on, which comes behind sandbox_enter(). */
static bool has_thread(struct pbkdf2 *v)
{
	struct err err;
	uint32_t held;

	if (!v->thread)
		v->thread = offload_open(v->w->base, "derive", &err);
	if (!v->thread && log_limited(&v->thread_log, LOGS_PER_MINUTE, loop_now(), &held))
		log_err("auth", "keys of kind pbkdf2 cannot be judged", KV_S("error", err.text),
		        KV_U("more", held));
	return v->thread != NULL;
}

static enum auth_say not_now(const char *why, struct finding *f)
{
	const struct proof p = { .method = METHOD_PBKDF2,
		                 .result = AUTH_UNAVAILABLE,
		                 .why = why,
		                 .not_after = INT64_MAX };

	*f = (struct finding){ proof_copy(&p), 0 };
	return AUTH_NO;
}

/* ---- the verifier ---- */

static enum auth_say pbkdf2_check(void *verifier, struct req *r, const struct credential *c,
                                  struct finding *f)
{
	struct pbkdf2 *v = verifier;
	uint32_t iterations[SNAPSHOT_ITERATIONS_MAX];
	struct bytes password, salt;
	const char *why;

	if (!split(c->secret, &password, &salt) || !snapshot_iterations(v->w->table, iterations))
		return AUTH_NOT_MINE;
	why = take_budget(v, r);
	if (!why && v->waiting > WAITING_ITERATIONS_MAX)
		why = "too many keys wait to be derived";
	if (!why && !has_thread(v))
		why = "no thread to derive a key";
	if (why)
		return not_now(why, f);
	offload_push(v->thread, &derivation_new(v, c, password, salt)->job);
	return AUTH_LATER;
}

static void *pbkdf2_open(struct worker *w, struct err *err)
{
	struct pbkdf2 *v = xcalloc(1, sizeof(*v));

	v->w = w;
	v->sources = sources_new(err);
	if (v->sources)
		return v;
	free(v);
	return NULL;
}

static void pbkdf2_close(void *verifier)
{
	struct pbkdf2 *v = verifier;

	offload_close(v->thread);
	while (v->first)
		derivation_free(v->first);
	sources_free(v->sources);
	free(v);
}

const struct auth_verifier auth_pbkdf2 = { "pbkdf2", pbkdf2_open, pbkdf2_check, pbkdf2_close };
