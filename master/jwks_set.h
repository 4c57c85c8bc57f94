/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jwks_set.h -- what an issuer answers: its discovery document, and its key set (RFC 7517), read
 * for the keys that could verify a token. Pure; jwks.c fetches them.
 */
#pragma once
#include <jansson.h>
#include "common/bytes.h"

enum { JWKS_KEYS_MAX = 32, JWKS_URI_MAX = 512 };

/* An array of JWKs with nothing in them but what a verifier needs; NULL with *why (static) set.
 * Keys of other kinds are left out; a set without any that is left is none. */
json_t *jwks_set_read(struct bytes body, const char **why);
/* Where the keys are. NULL, or why not (static). secure: the issuer is reached by https, so they
 * too. */
const char *jwks_discovered(struct bytes body, const char *issuer, bool secure,
                            char uri[static JWKS_URI_MAX + 1]);
