/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth.c -- B6 of performance.md: ns from a presented token to what the table knows of it, with a
 * delta of 10 000 entries over a base of 100 000 and of 1 000 000 tokens, against SHA-256 alone by
 * OpenSSL's usual idiom (a new context each time), in interleaved rounds. The tokens themselves
 * come one after the other, as warm as a head that was just parsed; what the tables know of them
 * lies in an order that no cache can guess. One JSON line for each size. Then the same for what is
 * no token, but was verified before: keys of PBKDF2 and JWT, as many as a worker remembers by
 * default, through all that is asked before and behind the cache. Usage: auth [rounds] [tokens]
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/snapshot.h"
#include "worker/identity_cache.h"

enum {
	DELTA = 10000,
	ASKED = 200000,
	ROUNDS_MAX = 100,
	TENANTS = 1000,
	CACHED = 1000,
	ITERATIONS = 1000,
	KEY_BYTES = 65, /* as Moose makes them */
	JWT_BYTES = 700,
};
static const size_t STRIDE = 7919; /* a prime: the base has the tokens in another order */

struct figure {
	double ns[ROUNDS_MAX];
};

static char (*tokens)[TOKEN_BYTES + 1];
static struct hasher *hasher;

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); /* the turns of others do not count */
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static struct snapshot_token token_at(size_t i)
{
	struct snapshot_token t = { .id = bytes_of(tokens[i] + 4, TOKEN_ID_BYTES),
		                    .ordinal = (uint32_t)i,
		                    .tenant = (uint32_t)(i % TENANTS),
		                    .not_before = INT64_MIN,
		                    .not_after = INT64_MAX,
		                    .scopes = SCOPE_ALL };

	hasher_sha256(hasher, bytes_str(tokens[i]), t.digest);
	return t;
}

static void add_tenants(struct snapshot_builder *b)
{
	char id[32];

	for (uint32_t i = 0; i < TENANTS; i++) {
		snprintf(id, sizeof(id), "tenant-%u", i);
		snapshot_add_tenant(b,
		                    &(struct snapshot_tenant){ .id = bytes_str(id), .ordinal = i });
	}
}

static int sealed(struct snapshot_builder *b)
{
	struct err err = { "" };
	int fd = snapshot_seal(b, &err);

	snapshot_builder_free(b);
	if (fd < 0) {
		fprintf(stderr, "auth: %s\n", err.text);
		exit(1);
	}
	return fd;
}

/* What would be derived: as good as any other bytes. */
static void key_at(uint32_t i, struct proof_key *key)
{
	uint8_t digest[TOKEN_DIGEST_BYTES];

	hasher_sha256(hasher, bytes_of(&i, sizeof(i)), digest);
	key->iterations = ITERATIONS;
	memcpy(key->derived, digest, sizeof(key->derived));
}

static void add_keys(struct snapshot_builder *b)
{
	static const uint32_t iterations[] = { ITERATIONS };

	for (uint32_t i = 0; i < CACHED; i++) {
		struct proof_key key;
		struct snapshot_token t = { .id = BYTES("key"),
			                    .ordinal = i,
			                    .tenant = i % TENANTS,
			                    .not_before = INT64_MIN,
			                    .not_after = INT64_MAX,
			                    .scopes = SCOPE_ALL };

		key_at(i, &key);
		snapshot_key(key.derived, key.iterations, t.digest);
		snapshot_add_token(b, &t);
	}
	snapshot_set_iterations(b, iterations, ARRAY_LEN(iterations));
}

/* The last DELTA tokens are not in the base; as many of its first ones are gone or changed. */
static struct snapshot *make_table(size_t count)
{
	struct snapshot_builder *b = snapshot_builder_new(1);
	struct snapshot_delta of = { .base = 1, .base_tenants = TENANTS };
	struct snapshot *s;
	struct err err = { "" };

	snapshot_expect(b, count + CACHED);
	add_tenants(b);
	add_keys(b);
	for (size_t i = 0; i < count; i++) {
		struct snapshot_token t = token_at(i * STRIDE % count);

		snapshot_add_token(b, &t);
	}
	autoclose int base = sealed(b);

	b = snapshot_builder_new_delta(2, &of);
	add_tenants(b);
	for (size_t i = 0; i < DELTA; i++) {
		struct snapshot_token t = token_at(i);

		t.revoked = i % 2;
		if (i % 4 == 0)
			snapshot_add_tombstone(b, t.digest);
		else
			snapshot_add_token(b, &t);
	}
	snapshot_set_iterations(b, &(uint32_t){ ITERATIONS }, 1);

	autoclose int delta = sealed(b);

	s = snapshot_map(base, &err);
	if (!s || snapshot_set_delta(s, delta, &err) < 0) {
		fprintf(stderr, "auth: %s\n", err.text);
		exit(1);
	}
	return s;
}

/* Others in each round. */
static const char *next_token(size_t count, size_t *at)
{
	*at = *at + 1 < count ? *at + 1 : 0;
	return tokens[*at];
}

static double ask_table(const struct snapshot *s, size_t count, size_t from)
{
	size_t at = from % count;
	uint64_t found = 0;
	int64_t begin = now_ns();

	for (size_t i = 0; i < ASKED; i++) {
		struct bytes token = bytes_of(next_token(count, &at), TOKEN_BYTES);
		uint8_t digest[TOKEN_DIGEST_BYTES];
		struct snapshot_hit hit;

		if (token_form(token) != TOKEN_WELL_FORMED)
			abort();
		hasher_sha256(hasher, token, digest);
		found += snapshot_find(s, digest, &hit) && hit.scopes == SCOPE_ALL;
	}
	if (found < ASKED / 2)
		abort();
	return (double)(now_ns() - begin) / ASKED;
}

static double ask_idiom(size_t count, size_t from)
{
	size_t at = from % count;
	unsigned sum = 0, n;
	int64_t begin = now_ns();

	for (size_t i = 0; i < ASKED; i++) {
		uint8_t digest[EVP_MAX_MD_SIZE];
		EVP_MD_CTX *ctx = EVP_MD_CTX_new();

		if (!ctx || !EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) ||
		    !EVP_DigestUpdate(ctx, next_token(count, &at), TOKEN_BYTES) ||
		    !EVP_DigestFinal_ex(ctx, digest, &n))
			abort();
		EVP_MD_CTX_free(ctx);
		sum += digest[0];
	}
	if (sum == 0)
		abort();
	return (double)(now_ns() - begin) / ASKED;
}

/* ---- what was verified before ---- */

static struct identity_cache *cache;
static uint8_t (*bearers)[JWT_BYTES];

static void remember(bool jwt, size_t bytes)
{
	char name[32];
	const char *const names[] = { name };

	cache = identity_cache_new(CACHED);
	for (uint32_t i = 0; i < CACHED; i++) {
		struct proof p = { .result = AUTH_OK, .scopes = SCOPE_ALL, .not_after = INT64_MAX };
		uint8_t digest[TOKEN_DIGEST_BYTES];
		struct proof_key key;

		memset(bearers[i], 'x', JWT_BYTES);
		memcpy(bearers[i], &i, sizeof(i));
		snprintf(name, sizeof(name), "tenant-%u", i % TENANTS);
		key_at(i, &key);
		if (jwt)
			p = (struct proof){ .method = METHOD_JWT,
				            .result = AUTH_OK,
				            .scopes = SCOPE_ALL,
				            .subject = "subject",
				            .issuer = "https://id.example.com",
				            .not_after = INT64_MAX,
				            .tenants = names,
				            .tenant_count = 1 };
		else
			p = (struct proof){ .method = METHOD_PBKDF2,
				            .result = AUTH_OK,
				            .not_after = INT64_MAX,
				            .keys = &key,
				            .key_count = 1 };
		hasher_sha256(hasher, bytes_of(bearers[i], bytes), digest);
		identity_cache_put(cache, digest, proof_copy(&p), INT64_MAX);
	}
}

/* By a key, or by the name of its tenant. */
static bool use_proof(const struct snapshot *s, const struct proof *p, struct snapshot_hit *hit)
{
	uint32_t iterations[SNAPSHOT_ITERATIONS_MAX];
	uint8_t digest[TOKEN_DIGEST_BYTES];

	if (!p->key_count)
		return snapshot_find_tenant(s, hasher, bytes_str(p->tenants[0]), hit);
	if (snapshot_iterations(s, iterations) != 1 || iterations[0] != p->keys[0].iterations)
		abort();
	snapshot_key(p->keys[0].derived, p->keys[0].iterations, digest);
	return snapshot_find(s, digest, hit);
}

static double ask_cache(const struct snapshot *s, size_t bytes)
{
	uint64_t found = 0;
	int64_t begin = now_ns();

	for (size_t i = 0; i < ASKED; i++) {
		uint8_t digest[TOKEN_DIGEST_BYTES];
		const struct proof *p;
		struct snapshot_hit hit;

		hasher_sha256(hasher, bytes_of(bearers[i % CACHED], bytes), digest);
		if (snapshot_find(s, digest, &hit))
			abort(); /* is no token */
		p = identity_cache_find(cache, digest, 1);
		found += p && use_proof(s, p, &hit);
	}
	if (found != ASKED)
		abort();
	return (double)(now_ns() - begin) / ASKED;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(struct figure *f, int rounds)
{
	qsort(f->ns, (size_t)rounds, sizeof(f->ns[0]), by_size);
	return f->ns[rounds / 2];
}

static void run_cached(const struct snapshot *s, size_t count, int rounds, bool jwt)
{
	size_t bytes = jwt ? JWT_BYTES : KEY_BYTES;
	struct figure f;
	double middle;

	bearers = xcalloc(CACHED, sizeof(*bearers));
	remember(jwt, bytes);
	ask_cache(s, bytes);
	for (int i = 0; i < rounds; i++)
		f.ns[i] = ask_cache(s, bytes);
	middle = median(&f, rounds);
	printf("{\"figure\":\"B6 cached %s to tenant, %zu tokens\",\"rounds\":%d,\"ns\":%.0f,"
	       "\"best\":%.0f,\"worst\":%.0f,\"spread\":%.3f,\"bearer_bytes\":%zu}\n",
	       jwt ? "JWT" : "PBKDF2", count, rounds, middle, f.ns[0], f.ns[rounds - 1],
	       (f.ns[rounds - 1] - f.ns[0]) / middle, bytes);
	identity_cache_free(cache);
	free(bearers);
}

static void run(size_t count, int rounds)
{
	struct snapshot *s = make_table(count);
	struct figure ours, idiom;
	double middle, best, worst, peer;

	ask_table(s, count, 0);
	for (int i = 0; i < rounds; i++) {
		idiom.ns[i] = ask_idiom(count, (size_t)i * ASKED);
		ours.ns[i] = ask_table(s, count, (size_t)i * ASKED);
	}
	peer = median(&idiom, rounds);
	middle = median(&ours, rounds);
	best = ours.ns[0];
	worst = ours.ns[rounds - 1];
	printf("{\"figure\":\"B6 token to tenant, %zu tokens, a delta of "
	       "%d\",\"rounds\":%d,\"ns\":%.0f,"
	       "\"best\":%.0f,\"worst\":%.0f,\"spread\":%.3f,\"longest_probe\":%u,"
	       "\"sha256_by_the_usual_idiom_ns\":%.0f}\n",
	       count, DELTA, rounds, middle, best, worst, (worst - best) / middle,
	       snapshot_longest(s), peer);
	run_cached(s, count, rounds, false);
	run_cached(s, count, rounds, true);
	snapshot_unmap(s);
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 5;
	size_t most = argc > 2 ? (size_t)atol(argv[2]) : 1000000;
	struct err err = { "" };

	if (rounds < 1 || rounds > ROUNDS_MAX || most < 2 * DELTA)
		return 2;
	hasher = hasher_open(&err);
	tokens = xcalloc(most, sizeof(*tokens));
	for (size_t i = 0; i < most; i++)
		if (!hasher || token_new(tokens[i], &err) < 0) {
			fprintf(stderr, "auth: %s\n", err.text);
			return 1;
		}
	if (most > 100000)
		run(100000, rounds);
	run(most, rounds);
	free(tokens);
	hasher_close(hasher);
	return 0;
}
