/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_verify.h -- the verifiers, and what is remembered of their findings; between auth.c and
 * auth_verify.c.
 */
#pragma once
#include "worker/auth.h"

enum { AUTH_PROVIDERS = 2 };
struct auth {
	void *state[AUTH_PROVIDERS];
	struct verifiers *verifiers;
};

struct verifiers *verifiers_open(struct worker *w, struct err *err) MUST_USE;
void verifiers_close(struct verifiers *v); /* NULL is fine */

struct proof_use {
	const struct proof *proof; /* NULL: r->who is whole already */
	struct proof *owned;       /* to be freed by the caller, when it is done with proof */
};
/* A credential that no provider knows: from the cache, else by the verifier it belongs to. Fills
 * r->who but for its tenant. LATER: req_wake() will come. Never NOT_MINE: what belongs to nobody is
 * unknown. */
enum auth_say auth_verify(struct req *r, const struct credential *c, struct proof_use *use);
