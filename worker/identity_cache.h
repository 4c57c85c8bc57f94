/* SPDX-License-Identifier: Apache-2.0 */
/*
 * identity_cache.h -- proofs by SHA-256 of their credential, so many at most: the one used longest
 * ago goes first. Never holds a credential. One for those that let in and one for those that do not,
 * so that a flood of the unknown drives nobody known out (faults.md 4).
 */
#pragma once
#include "common/base.h"
#include "common/token.h"
#include "worker/proof.h"

struct identity_cache;
struct identity_cache *identity_cache_new(size_t entries_max);
void identity_cache_free(struct identity_cache *c); /* NULL is fine */
/* Valid until the next call here; NULL: none, or it stayed its time. */
const struct proof *identity_cache_find(struct identity_cache *c,
                                        const uint8_t digest[static TOKEN_DIGEST_BYTES], msec_t now);
/* Takes the proof over; until: loop_now() at which it is no more. Replaces one of that digest. */
void identity_cache_put(struct identity_cache *c, const uint8_t digest[static TOKEN_DIGEST_BYTES],
                        struct proof *proof, msec_t until);
/* It stays until then. */
void identity_cache_keep(struct identity_cache *c, const uint8_t digest[static TOKEN_DIGEST_BYTES],
                         msec_t until);
void identity_cache_drop(struct identity_cache *c, const uint8_t digest[static TOKEN_DIGEST_BYTES]);
size_t identity_cache_count(const struct identity_cache *c);
