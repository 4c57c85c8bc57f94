/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_jwt.c -- signed tokens of the issuers of auth.jwt; the door to cjose. A token is read and
 * its claims are judged first, then the signature, by a key whose algorithm is pinned and which
 * came from the configuration or from the master, never from the token. A key that no set has is
 * asked for (MSG_JWKS_WANT): the token waits for the master's next try, and is then judged for
 * good. Where entries of one issuer have keys of their own, each set is asked for.
 */
#include <cjose/cjose.h>
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <sys/mman.h>

#include "common/channel.h"
#include "common/log.h"
#include "common/loop.h"
#include "worker/auth.h"
#include "worker/jwt_judge.h"
#include "worker/jwt_wait.h"
#include "worker/worker.h"

enum {
	KEYS_MAX = 32, /* of a set; the master sends no more */
	ANSWER_SPARE_MS = 2000, /* beyond the master's two requests */
	P256_BYTES = 32,
	RSA_BYTES_MAX = 1024,
	LOGS_PER_MINUTE = 1, /* a source and cause */
};

struct key {
	char *kid; /* NULL: has none */
	bool is_es; /* ES256, else RS256: by what it is, whatever a token says */
	cjose_jwk_t *jwk;
};

struct source { /* where keys come from: entries of one issuer may share it */
	const char *issuer, *uri;
	bool is_file; /* one key, that never changes */
	bool ok; /* the master's last try worked */
	struct jwt_try try; /* when that was */
	struct key keys[KEYS_MAX];
	unsigned count;
	struct log_limit ask_log, key_log;
};

struct jwt_verifier {
	struct worker *w;
	struct source *sources;
	struct source **source_of; /* by entry of auth.jwt */
	unsigned source_count;
	struct jwt_wait *waiting; /* tokens whose key was asked for */
};

/* ---- keys ---- */

static void key_free(struct key *key)
{
	cjose_jwk_release(key->jwk);
	free(key->kid);
}

static void forget_keys(struct source *s)
{
	for (unsigned i = 0; i < s->count; i++)
		key_free(&s->keys[i]);
	s->count = 0;
}

static void add_key(struct source *s, cjose_jwk_t *jwk, const char *kid)
{
	struct key *key = &s->keys[s->count++];

	assert(s->count <= KEYS_MAX);
	*key = (struct key){ .is_es = cjose_jwk_get_kty(jwk, NULL) == CJOSE_JWK_KTY_EC,
		             .jwk = jwk,
		             .kid = kid ? strdup(kid) : NULL };
	if (kid && !key->kid)
		out_of_memory();
}

static size_t number_of(const EVP_PKEY *key, const char *name, uint8_t *out, size_t pad)
{
	BIGNUM *number = NULL;
	int n = -1;

	if (EVP_PKEY_get_bn_param(key, name, &number) == 1 && BN_num_bytes(number) <= RSA_BYTES_MAX)
		n = pad ? BN_bn2binpad(number, out, (int)pad) : BN_bn2bin(number, out);
	BN_free(number);
	return n > 0 ? (size_t)n : 0;
}

static cjose_jwk_t *jwk_of_ec(const EVP_PKEY *key)
{
	uint8_t x[P256_BYTES], y[P256_BYTES];
	cjose_jwk_ec_keyspec ec = { .crv = CJOSE_JWK_EC_P_256, .x = x, .y = y };

	ec.xlen = number_of(key, OSSL_PKEY_PARAM_EC_PUB_X, x, sizeof(x));
	ec.ylen = number_of(key, OSSL_PKEY_PARAM_EC_PUB_Y, y, sizeof(y));
	return ec.xlen && ec.ylen ? cjose_jwk_create_EC_spec(&ec, NULL) : NULL;
}

static cjose_jwk_t *jwk_of_rsa(const EVP_PKEY *key)
{
	uint8_t n[RSA_BYTES_MAX], e[RSA_BYTES_MAX];
	cjose_jwk_rsa_keyspec rsa = { .n = n, .e = e };

	rsa.nlen = number_of(key, OSSL_PKEY_PARAM_RSA_N, n, 0);
	rsa.elen = number_of(key, OSSL_PKEY_PARAM_RSA_E, e, 0);
	return rsa.nlen && rsa.elen ? cjose_jwk_create_RSA_spec(&rsa, NULL) : NULL;
}

static cjose_jwk_t *jwk_of(const EVP_PKEY *key)
{
	if (!key)
		return NULL;
	return EVP_PKEY_is_a(key, "EC") ? jwk_of_ec(key) : jwk_of_rsa(key);
}

/* The loader has looked at it: conf/check_jwt.c. */
static int read_file(struct source *s, const struct jwt_conf *conf, struct err *err)
{
	struct bytes pem = conf->public_key_file.content;
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	EVP_PKEY *key = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
	cjose_jwk_t *jwk = jwk_of(key);

	BIO_free(bio);
	EVP_PKEY_free(key);
	ERR_clear_error();
	if (!jwk)
		return err_set(err, "%s holds no key that can be used", conf->public_key_file.path);
	add_key(s, jwk, NULL);
	s->is_file = s->ok = true;
	return 0;
}

/* What cjose leaves in OpenSSL's queue of errors, TLS would take for its own. */
static bool verifies(const struct key *key, struct bytes token)
{
	cjose_jws_t *jws = cjose_jws_import((const char *)token.p, token.n, NULL);
	bool good = jws && cjose_jws_verify(jws, key->jwk, NULL);

	cjose_jws_release(jws);
	ERR_clear_error();
	return good;
}

enum signature {
	SIGNATURE_GOOD,
	SIGNATURE_BAD,
	SIGNATURE_NO_KEY,
	SIGNATURE_WRONG_KEY,
	SIGNATURE_BUDGET
};

/* r: who asks, and pays for each try; NULL: it was paid when it began to wait. */
static enum signature try_keys(const struct source *s, const struct jwt *jwt, struct bytes token,
                               struct req *r)
{
	enum signature says = SIGNATURE_NO_KEY;
	bool is_es = strcmp(jwt->alg, "ES256") == 0;

	for (unsigned i = 0; i < s->count; i++) {
		const struct key *key = &s->keys[i];

		if (!s->is_file && jwt->kid && (!key->kid || strcmp(key->kid, jwt->kid) != 0))
			continue;
		if (key->is_es != is_es) {
			if (says == SIGNATURE_NO_KEY && jwt->kid)
				says = SIGNATURE_WRONG_KEY;
			continue;
		}
		if (r && !auth_may_ask(r))
			return SIGNATURE_BUDGET;
		if (verifies(key, token))
			return SIGNATURE_GOOD;
		says = SIGNATURE_BAD;
	}
	return says;
}

/* ---- one token ---- */

struct judging {
	struct jwt_verifier *v;
	struct req *r; /* NULL: for good */
	const struct jwt *jwt;
	struct bytes token;
	struct finding *finding;
	struct jwt_tries wait; /* of the sources that may bring its key */
};

/* Once it cannot be judged now, no other entry's no is the answer. */
static void refuse(const struct judging *j, enum auth_result result, const char *why)
{
	const struct proof p = { .method = METHOD_JWT,
		                 .result = result,
		                 .why = why,
		                 .issuer = j->jwt->issuer,
		                 .not_after = INT64_MAX };

	if (j->finding->proof && j->finding->proof->result == AUTH_UNAVAILABLE &&
	    result != AUTH_UNAVAILABLE)
		return;
	free(j->finding->proof);
	*j->finding = (struct finding){ .proof = proof_copy(&p) };
}

static void vouch(const struct judging *j, const struct jwt_conf *conf, int64_t not_after_us)
{
	struct jwt_room *room = xcalloc(1, sizeof(*room));
	struct proof p;

	jwt_proof(j->jwt, conf, not_after_us, room, &p);
	free(j->finding->proof);
	*j->finding =
		(struct finding){ .proof = proof_copy(&p), .keep = j->v->w->conf->auth.cache_ttl };
	free(room->claims);
	free(room);
}

/* Another try of the master may bring a key, or one of that name with another content. */
static bool is_worth_it(const struct judging *j, const struct source *s)
{
	msec_t floor = j->v->w->conf->auth.jwks.refetch_floor;

	return j->r && !s->is_file &&
	       (s->try.asked || !s->try.at || loop_now() - s->try.at >= floor);
}

static void may_wait(struct judging *j, struct source *s)
{
	if (is_worth_it(j, s))
		jwt_tries_add(&j->wait, &s->try);
}

/* By one entry. True: this is the answer. */
static bool judge_entry(struct judging *j, size_t entry)
{
	const struct conf *conf = j->v->w->conf;
	const struct jwt_rules rules = { .conf = &conf->auth.jwt.v[entry],
		                         .now_us = loop_wall_ns() / 1000 };
	struct source *s = j->v->source_of[entry];
	enum auth_result result;
	int64_t not_after_us;
	const char *why = jwt_judge(j->jwt, &rules, &not_after_us, &result);

	if (why) {
		if (!j->finding->proof || result == AUTH_EXPIRED)
			refuse(j, result, why);
		return false;
	}
	switch (try_keys(s, j->jwt, j->token, j->r)) {
	case SIGNATURE_GOOD:
		vouch(j, rules.conf, not_after_us);
		return true;
	case SIGNATURE_BUDGET:
		refuse(j, AUTH_UNAVAILABLE, "auth.unknown_per_source is spent");
		return true;
	case SIGNATURE_WRONG_KEY:
		may_wait(j, s);
		refuse(j, AUTH_UNKNOWN, "JWT of an algorithm that its key is not for");
		return false;
	case SIGNATURE_BAD:
		may_wait(j, s);
		refuse(j, AUTH_UNKNOWN, "JWT with a wrong signature");
		return false;
	case SIGNATURE_NO_KEY:
		may_wait(j, s);
		if (!s->count)
			refuse(j, AUTH_UNAVAILABLE, "no key of its issuer was had yet");
		else if (!s->ok)
			refuse(j, AUTH_UNAVAILABLE,
			       "JWT of an unknown key, and its issuer is away");
		else
			refuse(j, AUTH_UNKNOWN, "JWT of an unknown key");
		return false;
	}
	assert(!"not a signature");
	return true;
}

/* Fills *j->finding, and j->wait if that is not the last word. */
static void judge(struct judging *j)
{
	const struct conf *conf = j->v->w->conf;

	if (j->jwt->fault) {
		refuse(j, AUTH_MALFORMED, j->jwt->fault);
		return;
	}
	for (size_t i = 0; i < conf->auth.jwt.n; i++) {
		if (strcmp(conf->auth.jwt.v[i].issuer, j->jwt->issuer) == 0 && judge_entry(j, i)) {
			j->wait.n = 0;
			return;
		}
	}
}

static bool is_ours(const struct conf *conf, const struct jwt *jwt)
{
	for (size_t i = 0; i < conf->auth.jwt.n; i++)
		if (strcmp(conf->auth.jwt.v[i].issuer, jwt->issuer) == 0)
			return true;
	return false;
}

/* ---- waiting ---- */

static bool ask(struct jwt_verifier *v, struct source *s)
{
	char text[CHANNEL_BODY_MAX];
	int n = snprintf(text, sizeof(text), "%s\n%s", s->issuer, s->uri);
	uint32_t held;

	if (s->try.asked)
		return true;
	if (channel_send(v->w->channel, MSG_JWKS_WANT, 0, 0, -1, bytes_of(text, (size_t)n)) < 0) {
		int cause = errno;

		/* Each token of an unknown key comes here. */
		if (log_limited(&s->ask_log, LOGS_PER_MINUTE, loop_now(), &held))
			log_warn("auth_jwt", "can't ask the master for keys",
			         KV_S("issuer", s->issuer), KV_S("err", strerror(cause)),
			         KV_U("more", held));
		return false;
	}
	s->try.asked = true;
	return true;
}

/* False: not now. Its keys are asked for all the same: whoever holds the places may wait for those
 * of another issuer. */
static bool wait_for(struct jwt_verifier *v, const struct jwt_tries *tries,
                     const struct credential *c)
{
	msec_t patience = 2 * v->w->conf->auth.jwks.timeout + ANSWER_SPARE_MS;

	for (unsigned i = 0; i < v->source_count; i++)
		for (unsigned k = 0; k < tries->n; k++)
			if (&v->sources[i].try == tries->v[k] && !ask(v, &v->sources[i]))
				return false;
	if (jwt_wait_full(v->waiting))
		return false;
	jwt_wait_add(v->waiting, c->digest, c->secret, tries, loop_now() + patience);
	return true;
}

static bool settle(void *arg, const uint8_t digest[static TOKEN_DIGEST_BYTES], struct bytes token,
                   enum jwt_news news)
{
	struct jwt_verifier *v = arg;
	struct finding f = { .keep = 0 };
	struct jwt jwt;
	struct judging j = { v, NULL, &jwt, token, &f, { .n = 0 } };
	bool again = jwt_parse(token, &jwt); /* as it did when it came */
	bool done;

	assert(again);
	judge(&j);
	if (news == JWT_NEWS_LATE && f.proof->result != AUTH_OK)
		refuse(&j, AUTH_UNAVAILABLE, "its key was asked for, and nobody answered");
	jwt_done(&jwt);
	done = news != JWT_NEWS_SOME || f.proof->result == AUTH_OK;
	if (done)
		auth_found(v->w, digest, &f);
	else
		free(f.proof);
	return done;
}

/* ---- key sets of the master ---- */

static struct source *find_source(struct jwt_verifier *v, const char *issuer, const char *uri)
{
	for (unsigned i = 0; i < v->source_count; i++)
		if (!v->sources[i].is_file && strcmp(v->sources[i].issuer, issuer) == 0 &&
		    strcmp(v->sources[i].uri, uri) == 0)
			return &v->sources[i];
	return NULL;
}

static void take_set(struct jwt_verifier *v, const json_t *set)
{
	const char *issuer = json_string_value(json_object_get(set, "issuer"));
	const char *uri = json_string_value(json_object_get(set, "jwks_uri"));
	const json_t *keys = json_object_get(set, "keys");
	msec_t tried = json_integer_value(json_object_get(set, "tried_ms"));
	uint32_t held;
	struct source *s = issuer && uri ? find_source(v, issuer, uri) : NULL;

	if (!s) /* of another generation */
		return;
	if (s->try.at != tried)
		s->try.asked = false;
	s->try.at = tried;
	s->ok = json_is_true(json_object_get(set, "ok"));
	forget_keys(s);
	for (size_t i = 0; i < json_array_size(keys) && s->count < KEYS_MAX; i++) {
		json_t *one = json_array_get(keys, i);
		cjose_jwk_t *jwk = cjose_jwk_import_json(one, NULL);

		if (jwk)
			add_key(s, jwk, json_string_value(json_object_get(one, "kid")));
		else if (log_limited(&s->key_log, LOGS_PER_MINUTE, loop_now(), &held))
			log_warn("auth_jwt", "a key of an issuer can't be used",
			         KV_S("issuer", issuer), KV_U("more", held));
	}
	ERR_clear_error();
}

void auth_take_keys(struct worker *w, int fd)
{
	struct err err = { "" };
	struct bytes text;
	json_t *sets;

	if (!w->jwt)
		return;
	if (sealed_map(fd, &text, &err) < 0) {
		log_err("auth_jwt", "key sets refused, the old ones serve", KV_S("err", err.text));
		return;
	}
	sets = json_loadb((const char *)text.p, text.n, 0, NULL);
	munmap((void *)text.p, text.n);
	for (size_t i = 0; i < json_array_size(sets); i++)
		take_set(w->jwt, json_array_get(sets, i));
	json_decref(sets);
	jwt_wait_look(w->jwt->waiting);
}

void auth_jwt_version(char *out, size_t cap)
{
	snprintf(out, cap, "%s (built with %s)", cjose_version(), CJOSE_VERSION);
}

/* ---- the verifier ---- */

static enum auth_say jwt_check(void *verifier, struct req *r, const struct credential *c,
                               struct finding *f)
{
	struct jwt_verifier *v = verifier;
	struct jwt jwt;
	struct judging j = { v, r, &jwt, c->secret, f, { .n = 0 } };
	bool ours;

	if (!v->w->conf->auth.jwt.n || !jwt_parse(c->secret, &jwt))
		return AUTH_NOT_MINE;
	ours = is_ours(v->w->conf, &jwt);
	if (ours)
		judge(&j);
	if (j.wait.n && wait_for(v, &j.wait, c)) {
		free(f->proof);
		f->proof = NULL;
		jwt_done(&jwt);
		return AUTH_LATER;
	}
	if (j.wait.n)
		refuse(&j, AUTH_UNAVAILABLE, "it can't wait for its key now");
	jwt_done(&jwt);
	if (!ours)
		return AUTH_NOT_MINE;
	return f->proof->result == AUTH_OK ? AUTH_YES : AUTH_NO;
}

static void jwt_close(void *verifier)
{
	struct jwt_verifier *v = verifier;

	jwt_wait_free(v->waiting);
	for (unsigned i = 0; i < v->source_count; i++)
		forget_keys(&v->sources[i]);
	free(v->sources);
	free(v->source_of);
	v->w->jwt = NULL;
	free(v);
}

static int open_source(struct jwt_verifier *v, size_t entry, struct err *err)
{
	const struct jwt_conf *conf = &v->w->conf->auth.jwt.v[entry];
	bool is_file = jwt_has_key(conf);
	struct source *s = is_file ? NULL : find_source(v, conf->issuer, conf->jwks_uri);

	if (!s) {
		s = &v->sources[v->source_count++];
		s->issuer = conf->issuer;
		s->uri = conf->jwks_uri;
		if (is_file && read_file(s, conf, err) < 0)
			return -1;
	}
	v->source_of[entry] = s;
	return 0;
}

static void *jwt_open(struct worker *w, struct err *err)
{
	struct jwt_verifier *v = xcalloc(1, sizeof(*v));
	size_t n = w->conf->auth.jwt.n;

	v->w = w;
	v->sources = xcalloc(n + 1, sizeof(*v->sources));
	v->source_of = xcalloc(n + 1, sizeof(struct source *));
	if (n) {
		v->waiting = jwt_wait_new(w->base, settle, v);
		w->jwt = v;
	}
	for (size_t i = 0; i < n; i++) {
		if (open_source(v, i, err) < 0) {
			jwt_close(v);
			return NULL;
		}
	}
	return v;
}

const struct auth_verifier auth_jwt = { "jwt", jwt_open, jwt_check, jwt_close };
