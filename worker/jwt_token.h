/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jwt_token.h -- the form of a JWT (RFC 7519, compact JWS): three parts of base64url, of which two
 * are JSON objects. Verifies no signature and believes nothing of what it reads; auth_jwt.c does,
 * when it knows whose key to take.
 */
#pragma once
#include <jansson.h>
#include "common/bytes.h"

enum { JWT_BYTES_MAX = 16 * KIB, JWT_KID_MAX = 256 };

struct jwt {
	json_t *header, *payload; /* objects; owned */
	const char *issuer;
	const char *alg, *kid; /* kid NULL: none is named. Both unset if fault is set */
	const char *
		fault; /* a JWT of that issuer, but one that nobody takes: static text; else NULL */
};

/* False: it is none, or names no issuer: somebody else's token. */
bool jwt_parse(struct bytes token, struct jwt *out);
void jwt_done(struct jwt *jwt);
