/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot.h -- the tenants, as every worker sees them (design.md 3, faults.md 3, performance.md 3
 * recipe 17): a base, and a small delta that overrides it. The master builds each in a memfd, seals
 * it and sends its fd; a worker maps it private and read-only and only ever reads. Neither is
 * changed in place: newer ones replace them between two requests. Entries are 64 bytes, key =
 * SHA-256 of the presented token, linear probing at load <= 0.5, index = high bits of (first 8
 * digest bytes x an odd random number of this table). Shared memory holds offsets, never pointers.
 * A tenant is an entry too, found by its name: identities without a row of their own (JWT, userinfo,
 * auth.default_tenant) name one. So is a PBKDF2 key, by what the derivation gives.
 *
 * A delta is of one base, by generation, and holds all that differs from it: tokens that came or
 * changed, a tombstone for each that went (it ends the search), and tenants that changed, by their
 * index in the base, so that a tenant suspended is one record however many tokens it has.
 */
#pragma once
#include "common/err.h"
#include "common/limits.h"
#include "common/telemetry.h"
#include "common/token.h"

enum tenant_state { TENANT_ACTIVE, TENANT_SUSPENDED, TENANT_DELETING };
enum { SNAPSHOT_LONGEST_MAX = 64 }; /* steps of any lookup; the builder picks another multiplier */

/* ---- the master's side ---- */
struct snapshot_tenant {
	struct bytes id;  /* tenant_id_ok() */
	uint32_t ordinal; /* stable for the master's life, < limits.max_tenants */
	enum tenant_state state;
	int64_t block_until; /* Unix seconds, 0: not blocked */
	struct tenant_limits limits;
	struct bytes topic_prefix; /* of its own; none, or tenant_prefix_ok() */
};
struct snapshot_cidr {
	uint8_t addr[16]; /* IPv4 as v4-mapped */
	uint8_t prefix;   /* 0..128 */
};
struct snapshot_token {
	uint8_t digest[TOKEN_DIGEST_BYTES]; /* of kind pbkdf2: snapshot_key() */
	struct bytes id;  /* public id, 1..64 bytes */
	uint32_t ordinal; /* stable, < limits.max_tokens */
	uint32_t tenant;  /* what snapshot_add_tenant() returned */
	int64_t not_before, not_after; /* Unix microseconds: valid if not_before <= now < not_after */
	bool revoked, replaced;        /* revoked ones stay, to say so; replaced: a rotation has a newer */
	unsigned scopes;               /* bit set, telemetry.h */
	const struct snapshot_cidr *cidrs; /* allowed client addresses; count 0: from anywhere */
	unsigned cidr_count;               /* 0..64 */
};

struct snapshot_builder;
struct snapshot_builder *snapshot_builder_new(uint64_t generation) MUST_USE;
struct snapshot_delta {
	uint64_t base; /* generation of the base that it is of */
	uint32_t base_tenants;
};
struct snapshot_builder *snapshot_builder_new_delta(uint64_t generation,
                                                    const struct snapshot_delta *of) MUST_USE;
void snapshot_builder_free(struct snapshot_builder *b);
/* Room for so many, asked for at once: a million that come one by one are placed twice. */
void snapshot_expect(struct snapshot_builder *b, uint64_t tokens);
/* Tenants come before tokens. In a delta a tenant that went is snapshot_add_lost_tenant(). */
uint32_t snapshot_add_tenant(struct snapshot_builder *b, const struct snapshot_tenant *t);
void snapshot_add_lost_tenant(struct snapshot_builder *b, struct bytes id);
/* The iterations of the PBKDF2 keys of base and delta together: a bearer is derived once for each. */
enum { SNAPSHOT_ITERATIONS_MAX = 8 };
void snapshot_set_iterations(struct snapshot_builder *b, const uint32_t *iterations, unsigned count);
/* That token will be added soon: its line is asked for ahead. */
void snapshot_soon(const struct snapshot_builder *b,
                   const uint8_t digest[static TOKEN_DIGEST_BYTES]);
/* Two tokens of one digest are the caller's to leave out: here the first wins. False: it is not in
 * the table, for too many before it begin with the same bytes (they were chosen so). */
bool snapshot_add_token(struct snapshot_builder *b, const struct snapshot_token *t);
/* Of a delta. base_tenant: its index in the base; tenant: what snapshot_add_tenant() returned here. */
void snapshot_replace_tenant(struct snapshot_builder *b, uint32_t base_tenant, uint32_t tenant);
void snapshot_add_tombstone(struct snapshot_builder *b,
                            const uint8_t digest[static TOKEN_DIGEST_BYTES]);
/* Something was not put in for that reason: a delta lacks what it had to say, so it is none. */
bool snapshot_is_crowded(const struct snapshot_builder *b);
/* Of base and delta together, to be shown. */
void snapshot_set_totals(struct snapshot_builder *b, uint64_t tenants, uint64_t tokens);
/* A memfd sealed WRITE, SHRINK, GROW and SEAL, or -1 with *err said; once. */
int snapshot_seal(struct snapshot_builder *b, struct err *err) MUST_USE;

/* ---- a worker's side ---- */
struct snapshot;
/* A base. NULL with *err said if seals, size, magic, layout version, build id or checksum are wrong:
 * keep the old table and count it. Does not keep fd. */
struct snapshot *snapshot_map(int fd, struct err *err) MUST_USE;
/* A delta of this base takes the place of the one before. -1 with *err said, and nothing changed, if
 * it is broken, no delta, or of another base. Does not keep fd. */
int snapshot_set_delta(struct snapshot *s, int fd, struct err *err) MUST_USE;
void snapshot_unmap(struct snapshot *s);
/* Of these four the delta's word is the newer one. */
uint64_t snapshot_generation(const struct snapshot *s);
uint64_t snapshot_tenants(const struct snapshot *s);
uint64_t snapshot_tokens(const struct snapshot *s);
unsigned snapshot_longest(const struct snapshot *s);
unsigned snapshot_iterations(const struct snapshot *s, uint32_t out[static SNAPSHOT_ITERATIONS_MAX]);

/* By which a PBKDF2 key is found: the derivation's 20 bytes, and what else makes it this key. */
enum { SNAPSHOT_PBKDF2_BYTES = 20 };
void snapshot_key(const uint8_t derived[static SNAPSHOT_PBKDF2_BYTES], uint32_t iterations,
                  uint8_t digest[static TOKEN_DIGEST_BYTES]);

struct snapshot_hit { /* valid until snapshot_unmap() or snapshot_set_delta() */
	struct bytes tenant_id, token_id;
	struct bytes topic_prefix; /* the tenant's own; n is 0: it has none */
	uint32_t tenant_ordinal, token_ordinal;
	enum tenant_state tenant_state;
	int64_t block_until;
	const struct tenant_limits *limits;
	/* of a token */
	int64_t not_before, not_after;
	bool revoked, replaced;
	unsigned scopes;
	const struct snapshot_cidr *cidrs;
	unsigned cidr_count;
};
/* All 32 bytes are compared by CRYPTO_memcmp. False: no such token. */
bool snapshot_find(const struct snapshot *s, const uint8_t digest[static TOKEN_DIGEST_BYTES],
                   struct snapshot_hit *hit);
/* A tenant by its id, which may be any bytes; of *hit only what is a tenant's is set. */
bool snapshot_find_tenant(const struct snapshot *s, struct hasher *hasher, struct bytes id,
                          struct snapshot_hit *hit);
