/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenants_set.h -- the rows behind the tenant table: what tenants.c keeps between two reads of the
 * source. Rows are staged, then applied at once or forgotten; each row that may grant has an
 * ordinal below limits.max_tenants or limits.max_tokens, stable while it lives, given again only
 * after every worker has left the table that held it. Knows no source and no file; a read has one
 * row per id, unless set_expect_doubles() was called.
 */
#pragma once
#include "master/tenants.h"

enum { SET_SKIP_REASONS = SKIP_OTHER + 1 };

struct tenant_set;
struct tenant_set *set_new(uint64_t max_tenants, uint64_t max_tokens);
void set_free(struct tenant_set *s);
/* Tables from now on hold no tenant whose id, with so many bytes around it, is no topic's name; 0:
 * no topic holds an id. True: that was another number before. */
bool set_topic_bytes(struct tenant_set *s, uint64_t bytes);
/* Tables from now on hold no tenant with a topic_prefix that these do not allow; they must stay
 * until the next call. True: that makes a difference. */
bool set_prefixes(struct tenant_set *s, const struct prefix_rules *rules);
/* Tables from now on hold what one of so many hosts may let through of each rate. True: likewise. */
bool set_hosts(struct tenant_set *s, uint64_t hosts);

/* Tables from now on hold no pbkdf2 key of more iterations. True: that was another number before. */
bool set_max_iterations(struct tenant_set *s, uint64_t max);

/* Staging: nothing counts before set_apply(). The contracts of the rows are those of tenants.h. */
void set_begin(struct tenant_set *s, bool full);
void set_expect_doubles(struct tenant_set *s); /* until the next set_begin() */
void set_put_tenant(struct tenant_set *s, const struct tenant_row *row);
void set_put_token(struct tenant_set *s, const struct token_row *row);
void set_drop_tenant(struct tenant_set *s, struct bytes id);
void set_drop_token(struct tenant_set *s, struct bytes id);
void set_skip(struct tenant_set *s, enum skip_reason why, struct bytes token_id);
void set_abort(struct tenant_set *s);

struct set_change {
	uint64_t changes; /* rows that came, went or differ */
	bool lost; /* somebody lost a right: a token went or was revoked, a tenant suspended */
};
typedef void (*set_told)(void *arg, const char *what, struct bytes tenant, struct bytes token);
/* told (may be NULL) hears of each change: tenant.add, tenant.change, tenant.remove, token.*. */
struct set_change set_apply(struct tenant_set *s, set_told told, void *arg);

struct set_counts {
	uint64_t tenants, tokens; /* in the table */
	uint64_t skipped[SET_SKIP_REASONS]; /* left out, by reason */
	uint64_t over[2]; /* beyond the limits, by enum row_kind */
};
/* A sealed base: all that grants (or says why not), or -1 with *err said. counts: of the set.
 * Tokens whose hashes begin as too many others do are left out. */
int set_build(struct tenant_set *s, uint64_t generation, struct set_counts *counts,
              struct err *err) MUST_USE;
/* Whether what changed since the base can be said by a delta, and is little enough. */
enum { SET_DELTA_MAX = 65536 };
bool set_delta_will_do(struct tenant_set *s);
/* Then: a sealed delta of that base, of all that changed since. -1 also if it can't be said by one:
 * set_delta_will_do() knows. */
int set_build_delta(struct tenant_set *s, uint64_t generation, struct set_counts *counts,
                    struct err *err) MUST_USE;

/* Whose ordinal it is, until the set changes; n is 0: nobody's. Looks at all tenants. */
struct bytes set_tenant_of(const struct tenant_set *s, uint32_t ordinal);

/* Of a round over all tokens: some, at most max, whose last use is later than what was stored. Their
 * ids are valid until the set changes. */
unsigned set_uses(struct tenant_set *s, const struct last_uses *l, struct token_use *out, unsigned max);
bool set_uses_begin(const struct tenant_set *s); /* the round is over, the next call begins one */
void set_use_stored(struct tenant_set *s, const struct token_use *u);

/* All workers serve this generation or a newer one: ordinals that it lacks are free again, and
 * retired (may be NULL) hears of those of tenants. True: rows over the limit may fit now. */
bool set_served(struct tenant_set *s, uint64_t generation,
                void (*retired)(void *arg, uint32_t ordinal), void *arg);
