/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth.h -- who is it? Providers stand in one array and are asked in order: the tenant table
 * (auth_token.c), and with --disable-auth a provider that takes everybody (auth_none.c), which is a
 * line in the table, not an `if`. What the table does not hold goes to the verifiers, an array too:
 * each knows its own by its form, may take its time (a derivation, a key set, another server), and
 * what it finds is cached, so that it is asked once. Decided from the head, before a body byte is
 * read. Neither providers nor verifiers know of each other.
 */
#pragma once
#include "common/bytes.h"
#include "common/err.h"
#include "worker/proof.h"
#include "worker/req.h"

struct credential { /* a secret: has no formatter, is never logged; only its digest's start shows */
	struct bytes secret;
	enum auth_method method; /* token, basic, obstack or header: how it came */
	struct bytes basic_user; /* Basic: empty, or must equal the tenant */
	bool is_other_scheme;    /* broken: an Authorization that is neither Bearer nor readable Basic */
	const char *broken;      /* static text: sent twice, two that differ, unreadable; NULL: one or none */
	enum token_form form;    /* of secret, unless broken or empty */
	uint8_t digest[TOKEN_DIGEST_BYTES]; /* of secret, unless broken, empty or malformed */
};

enum auth_say { AUTH_YES, AUTH_NO, AUTH_NOT_MINE, AUTH_LATER };

struct auth_provider {
	const char *name;
	void *(*open)(struct worker *w, struct err *err);
	/* YES: *who is filled. NO: who->result says why, *who whatever is known of it. NOT_MINE: the next
	 * one is asked, and after the last one the verifiers. Never LATER. */
	enum auth_say (*check)(void *provider, struct req *r, const struct credential *c, struct identity *who);
	void (*close)(void *provider);
};
extern const struct auth_provider auth_token, auth_none;

struct finding { /* a verifier's */
	struct proof *proof; /* from proof_copy(), given away with the finding */
	msec_t keep;         /* it may be used again for so long; 0: for those who wait now */
};

struct auth_verifier {
	const char *name;
	/* NULL with *err said; one that is not configured is one whose check() says NOT_MINE. */
	void *(*open)(struct worker *w, struct err *err);
	/* NOT_MINE: another's, or nobody's. LATER: auth_found() follows, never from within. Else YES or NO
	 * as f->proof says. There is a table, and c->digest is set. */
	enum auth_say (*check)(void *verifier, struct req *r, const struct credential *c,
	                       struct finding *f);
	void (*close)(void *verifier); /* what it began is never answered then */
};

extern const struct auth_verifier auth_jwt, auth_pbkdf2, auth_userinfo;

/* What became of a LATER. f->proof is taken over. */
void auth_found(struct worker *w, const uint8_t digest[static TOKEN_DIGEST_BYTES],
                const struct finding *f);
/* For verifiers: one more of auth.unknown_per_source; false: spent, which is 503. */
bool auth_may_ask(struct req *r);

void auth_jwt_version(char *out, size_t cap); /* cjose's, and what it was built with */
/* The key sets that the master has fetched (MSG_JWKS): JSON in a sealed memfd, not kept. */
void auth_take_keys(struct worker *w, int fd);

void auth_read_credential(struct req *r, struct credential *c);
struct auth *auth_open(struct worker *w, struct err *err) MUST_USE;
void auth_close(struct auth *a);
bool auth_has_scope(const struct req *r); /* for r->signal */
/* Only the body tells the signal, and not every one would do: enrich asks for the scope. */
bool auth_scope_is_open(const struct req *r);
/* In req_finish(): then the token was used, unless it lacked the scope, whatever else came of it. */
void auth_finish(struct req *r);
