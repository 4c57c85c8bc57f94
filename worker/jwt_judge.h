/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jwt_judge.h -- whether the claims of a JWT are those that an entry of auth.jwt wants, and the
 * proof that it then is (compatibility.md 3, 5). Pure: the clock is given, signatures are
 * auth_jwt.c's.
 */
#pragma once
#include "conf/conf.h"
#include "worker/claims.h"
#include "worker/jwt_token.h"
#include "worker/proof.h"

struct jwt_rules {
	const struct jwt_conf *conf;
	int64_t now_us; /* wall clock */
};

/* NULL: they are, and *not_after_us is set; else why not, with the result that it is counted as. */
const char *jwt_judge(const struct jwt *jwt, const struct jwt_rules *rules, int64_t *not_after_us,
                      enum auth_result *result);

/* What has been verified, as a proof with the texts of jwt and conf, and of `room`: as long as
 * these live. */
struct jwt_room {
	struct claims_tenants tenants;
	char *claims; /* to be freed */
};
void jwt_proof(const struct jwt *jwt, const struct jwt_conf *conf, int64_t not_after_us,
               struct jwt_room *room, struct proof *out);
