/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry.h -- where tenants and tokens are kept, for the commands that show and change them: a
 * tenants.yaml (registry_file.c), the schema headgate of PostgreSQL (registry_sql.c), or a foreign
 * table behind tenants.query, which is only ever read (registry_query.c). Rows are JSON objects,
 * the same from each; what a registry cannot know is null. Writing functions return an exit code,
 * said.
 *
 * A tenant: id, state, display_name, limits {}, block_until, topic_prefix, created_at. A token: id,
 * tenant, kind, name, scopes [], not_before, expires_at, revoked_at, revoked_by, replaced_by,
 * allowed_cidrs, created_at, created_by, last_used_at; and of a foreign table left_out, which says
 * why the gateway does not take the row. Times are RFC 3339, or "infinity".
 */
#pragma once
#include "tools/ctl/ctl.h"

struct token_filter { /* NULL: any */
	const char *tenant, *id, *sha256; /* 64 hex digits */
};

typedef void (*row_taken)(void *arg, json_t *row); /* the row is the caller's */

struct registry;
struct registry_kind {
	const char *name;
	bool knows_use; /* when a token was used last */
	json_t *(*tenants)(struct registry *s, const char *id, int *code); /* id NULL: all */
	/* One by one, for there may be millions: 0 or an exit code, said. */
	int (*tokens)(struct registry *s, const struct token_filter *which, row_taken each,
	              void *arg);
	/* Writing ones are NULL of a foreign table. fields: the columns of tenants.sql, null takes
	 * a value away. */
	int (*tenant_add)(struct registry *s, const char *id, const json_t *fields);
	int (*tenant_set)(struct registry *s, const char *id, const json_t *fields);
	int (*tenant_rm)(struct registry *s, const char *id);
	int (*token_add)(struct registry *s, const json_t *token); /* with its sha256 */
	int (*token_revoke)(struct registry *s, const char *id);
	/* The new one takes tenant, name, scopes and address blocks from the old one. */
	int (*token_rotate)(struct registry *s, const char *old, const json_t *token, msec_t grace);
	void (*close)(struct registry *s);
};
struct registry { /* the first member of each kind's own */
	const struct registry_kind *kind;
	struct ctl *c;
};

/* A command that opens a registry has this line among its options. */
#define REGISTRY_OPTION                                                                            \
	{                                                                                          \
		"dsn", "DSN", "the database, for a role of headgate_writer (or PGSERVICE)", 0      \
	}

enum registry_use {
	REGISTRY_READ,
	REGISTRY_WRITE, /* a foreign table is refused */
	REGISTRY_WRITE_OR_WAIT, /* a foreign table is only read: whether there is something to
	                         * change
	                         */
};
/* The configuration that says where. NULL with *code 0: there is none, and none is needed. */
const struct conf *registry_conf(struct ctl *c, int *code) MUST_USE;
/* As the configuration says, else by --dsn or PGSERVICE. NULL and *code, said. */
struct registry *registry_open(struct ctl *c, enum registry_use use, int *code) MUST_USE;
int registry_is_foreign(
	const struct ctl *c); /* says that nothing is written there: EXIT_NEGATIVE */
void registry_close(struct registry *s); /* NULL is fine */

/* For registry_open(). *code is set if NULL. */
struct registry *registry_file_open(struct ctl *c, const char *path, bool to_write,
                                    int *code) MUST_USE;
struct registry *registry_sql_open(struct ctl *c, const struct conf *conf, bool to_write,
                                   int *code) MUST_USE;
struct registry *registry_query_open(struct ctl *c, const struct conf *conf, int *code) MUST_USE;

/* Whether it may be a token's id. EXIT_USAGE, said; a whole token given for it is not repeated. */
int registry_check_token_id(const struct ctl *c, const char *id) MUST_USE;
/* The one row of that id, or NULL and *code: nothing has that id is EXIT_NEGATIVE, said. */
json_t *registry_tenant(struct registry *s, const char *id, int *code) MUST_USE;
json_t *registry_token(struct registry *s, const char *id, int *code) MUST_USE;
/* An array, for filters that let few pass. NULL and *code. */
json_t *registry_tokens(struct registry *s, const struct token_filter *which, int *code) MUST_USE;

extern const char *const tenant_limits[]; /* columns that are limits; ends with NULL */
bool is_tenant_limit(const char *column);
