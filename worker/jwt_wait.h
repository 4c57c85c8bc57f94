/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jwt_wait.h -- JWTs whose key nobody has yet: kept until the master has tried each key set that
 * may bring it once more, or did not answer in time, and judged again then. For auth_jwt.c; knows
 * of keys and claims nothing.
 */
#pragma once
#include "common/base.h"
#include "common/bytes.h"
#include "common/token.h"
struct event_base;

struct jwt_try { /* of one key set, by the master */
	msec_t at; /* of the last one; 0: never */
	bool asked; /* for another one */
};

enum { JWT_TRIES_MAX = 64 }; /* as many as auth.jwt has entries */
struct jwt_tries { /* whose next ones are worth waiting for; each once */
	struct jwt_try *v[JWT_TRIES_MAX];
	unsigned n;
};
void jwt_tries_add(struct jwt_tries *t, struct jwt_try *one);

enum jwt_news {
	JWT_NEWS_SOME, /* one set was tried, another one is still to come */
	JWT_NEWS_ALL,
	JWT_NEWS_LATE, /* not all were, and nobody waits any longer */
};
/* False, after JWT_NEWS_SOME alone: it goes on waiting. */
typedef bool (*jwt_settle_fn)(void *arg, const uint8_t digest[static TOKEN_DIGEST_BYTES],
                              struct bytes token, enum jwt_news news);

struct jwt_wait;
struct jwt_wait *jwt_wait_new(struct event_base *base, jwt_settle_fn settle, void *arg);
void jwt_wait_free(struct jwt_wait *q); /* NULL is fine; who waits is never judged then */
bool jwt_wait_full(const struct jwt_wait *q);
/* Not when full. The token is copied. */
void jwt_wait_add(struct jwt_wait *q, const uint8_t digest[static TOKEN_DIGEST_BYTES],
                  struct bytes token, const struct jwt_tries *tries, msec_t until);
/* After tries. */
void jwt_wait_look(struct jwt_wait *q);
