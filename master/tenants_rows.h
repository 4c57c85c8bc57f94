/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenants_rows.h -- the rows and their set, between tenants_set.c (changes) and tenants_table.c
 * (tables) alone.
 */
#pragma once
#include "common/log.h"
#include "master/idmap.h"
#include "master/ordinals.h"
#include "master/tenants_set.h"

enum { HASH_BYTES = TOKEN_DIGEST_BYTES, CIDRS_MAX = 64 };
static const uint32_t NO_INDEX = UINT32_MAX;

struct tenant {
	struct idmap_node node;
	uint64_t seen; /* the full read that last had it */
	int64_t block_until;
	uint32_t ordinal;
	uint32_t index; /* in the table being built, or NO_INDEX */
	enum tenant_state state;
	bool has_limits;
	bool left_out; /* then why says so */
	bool unfit; /* left out of the last table for the topics' sake: said in the log */
	enum skip_reason why;
	char text[];
};

struct token {
	struct idmap_node node; /* by id */
	struct idmap_node by_hash; /* while it is not left_out */
	uint64_t seen;
	int64_t not_before, not_after;
	uint32_t ordinal;
	uint16_t tenant_bytes, cidr_count;
	bool revoked, replaced;
	bool left_out; /* then why says so; it may grant nothing whatever the other rows are */
	bool unfit; /* left out of the last table for another row's sake: said in the log */
	uint8_t scopes;
	enum skip_reason why;
	uint8_t hash[HASH_BYTES];
	char text[]; /* id, tenant, then the cidrs */
};

struct op {
	enum op_kind { OP_PUT_TENANT, OP_PUT_TOKEN, OP_DROP_TENANT, OP_DROP_TOKEN } kind;
	void *row; /* PUT: the new row; DROP: a copy of the id, for an op before it may free the row
	            */
	size_t id_bytes; /* DROP */
};

struct tenant_set {
	struct idmap tenants, tokens, hashes;
	struct ordinals tenant_ordinals, token_ordinals;
	uint64_t generation; /* of the last table built */
	uint64_t read; /* number of the last full read */
	size_t tokens_seen; /* of those in the set: had by that read */
	bool full;
	uint64_t left_out[SET_SKIP_REASONS]; /* rows of the set that break a rule */
	uint64_t topic_bytes; /* see set_topic_bytes() */
	bool doubles; /* this read may have several rows of one token id */
	struct idmap staged; /* then the tokens of OP_PUT_TOKEN, by id */
	struct op *ops;
	size_t op_count, op_cap;
	struct log_limit log_limit;
};

static inline struct tenant *tenant_of(struct idmap_node *node)
{
	return node ? idmap_owner(node, struct tenant, node) : NULL;
}

static inline struct token *token_of(struct idmap_node *node)
{
	return node ? idmap_owner(node, struct token, node) : NULL;
}

static inline struct bytes token_tenant(const struct token *t)
{
	return bytes_of(t->text + t->node.id.n, t->tenant_bytes);
}

/* Behind two texts, so at any address: copied, never pointed into. */
static inline const char *token_cidrs(const struct token *t)
{
	return t->text + t->node.id.n + t->tenant_bytes;
}

/* A row that cannot grant, in the log: at most some a minute. */
void set_say_left_out(struct tenant_set *s, const char *row, struct bytes id, enum skip_reason why);
