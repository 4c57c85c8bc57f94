/* SPDX-License-Identifier: Apache-2.0 */
/*
 * credential.h -- what `send` proves itself with: a token of a file, a key of the environment, or
 * tokens of an identity provider by client credentials (compatibility.md 4, 1 to 5). Used by the
 * threads of send; one token request is in flight at a time, the others wait for it. Shows no
 * secret.
 */
#pragma once
#include "tools/ctl/ctl.h"
#include "tools/ctl/http.h"

struct credential;
enum credential_said {
	CREDENTIAL_HAVE,
	CREDENTIAL_NONE, /* nothing is set: send without */
	CREDENTIAL_LATER, /* the provider cannot now; *err says why */
	CREDENTIAL_NEVER, /* no try will help; *err says why */
};

/* token_file: --token-file, or NULL. ca: a file of certificates, for an endpoint that has none of
 * its own; lives as long. A setting that is no good: NULL and *err said. */
struct credential *credential_open(const char *token_file, const char *ca,
                                   struct err *err) MUST_USE;
void credential_close(struct credential *cr);
bool credential_is_none(const struct credential *cr);
/* The token of a file, malloc'd; -1 with *err said. */
int credential_read(const char *path, char **out, struct err *err) MUST_USE;
/* "Authorization: Bearer ..." in out, malloc'd, with CREDENTIAL_HAVE; to be wiped by
 * credential_wipe(). */
enum credential_said credential_get(struct credential *cr, struct http *http, char **out,
                                    struct err *err) MUST_USE;
void credential_wipe(char *header); /* and frees; NULL is fine */
/* 401 with this header: true if a new token may be had, so that one more try is worth it. */
bool credential_refused(struct credential *cr, const char *header);
