/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proof.h -- what a verifier found out about a credential that the tenant table does not hold: who
 * it is, by whose word, and which tenants it names; or why it is none. One block of memory, never
 * changed once made, so that it can be cached and handed on whole. Holds no secret.
 */
#pragma once
#include "common/bytes.h"
#include "common/snapshot.h"
#include "common/stats.h"

enum { PROOF_TENANTS_MAX = 256 };

struct proof_key { /* what a bearer gives by PBKDF2 with so many iterations */
	uint32_t iterations;
	uint8_t derived[SNAPSHOT_PBKDF2_BYTES];
};

struct proof {
	enum auth_method method;
	enum auth_result result;
	const char *why; /* static text, for log and audit; of AUTH_OK: NULL */
	const char *subject, *email, *issuer; /* for audit; NULL: unknown */
	struct bytes claims; /* a JSON object, for the `jwt` columns of data models; n 0: none */
	unsigned scopes;     /* bit set, telemetry.h */
	int64_t not_after;   /* Unix microseconds; INT64_MAX: open */
	bool aud_is_list; /* of a JWT: its audiences stood in an array; a dialect may mind */
	/* Its tenants, as the issuer names them: unchecked. */
	const char *const *tenants;
	unsigned tenant_count;
	bool tenants_cut; /* there are more than PROOF_TENANTS_MAX: it is bound to none of them */
	/* Of a PBKDF2 bearer, instead of tenants: by these it is looked up in the table. */
	const struct proof_key *keys;
	unsigned key_count;
	/* Of a refusal by userinfo: what its provider said. */
	int denial;            /* 401 or 403; 0: no such thing */
	const char *challenge; /* its WWW-Authenticate; NULL: none */
};

/* A copy, deep, in one block; freed by free(). */
struct proof *proof_copy(const struct proof *p) MUST_USE;
