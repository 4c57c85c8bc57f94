/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenants_rows.h -- the rows and their set, between tenants_set.c (staging), tenants_apply.c
 * (changes), tenants_table.c (tables), and tenants_extra.c (a look whether a row is there) alone. A
 * million tokens must fit into a small master: what they have in common (their tenant) is held once,
 * and a map costs each of them one pointer.
 */
#pragma once
#include "common/log.h"
#include "master/idmap.h"
#include "master/ordinals.h"
#include "master/slab.h"
#include "master/tenants_set.h"

enum { HASH_BYTES = TOKEN_DIGEST_BYTES, CIDRS_MAX = 64 };
static const uint32_t NO_INDEX = UINT32_MAX;

/* What became of a row in the newest table. */
enum standing {
	NOT_JUDGED, /* it came after it */
	IN_TABLE,
	OVER_LIMIT, /* no ordinal is left */
	LEFT_OUT, /* counted among those skipped */
	YIELDS, /* to another of its tenant with that hash; or its tenant is not in the table, has no row */
};

struct tenant { /* in the set while its row is there, tokens name it, or the base has it */
	struct idmap_node node;
	uint64_t seen; /* the full read that last had it */
	int64_t block_until;
	uint32_t ordinal;
	uint32_t index, index_of; /* in the table of this generation (its low half) */
	uint32_t base_index; /* in the base, or NO_INDEX */
	uint32_t tokens; /* that name it and are not left_out, */
	uint32_t judged; /* of them: in the set at the newest table */
	uint32_t dirty_at; /* 1 + its place in set->dirty_tenants, 0: not there */
	uint16_t id_bytes;
	enum tenant_state state : 4;
	enum standing standing : 4;
	struct tenant_limits limits;
	char *topic_prefix; /* NULL: none of its own */
	bool has_row;
	bool left_out; /* its id breaks the rules */
	bool unfit; /* left out of the last table for the topics' sake: said in the log */
	char text[];
};

struct token {
	struct idmap_node node; /* by id */
	struct idmap_node by_hash; /* while it is not left_out */
	struct tenant *tenant; /* NULL: left_out, and it is not known or does not matter */
	int64_t not_after;
	uint32_t ordinal;
	uint32_t seen; /* the full read that last had it (its low half) */
	uint8_t hash[HASH_BYTES];
	uint8_t id_bytes, cidr_count, scopes;
	uint8_t why; /* enum skip_reason: of left_out, or of the standing LEFT_OUT */
	uint8_t units; /* of its memory, in set->memory */
	enum standing standing : 4;
	bool has_not_before : 1; /* else it is open: few tokens begin later than their row */
	bool revoked : 1, replaced : 1;
	bool derived : 1; /* of kind pbkdf2: its hash is a snapshot_key() */
	bool left_out : 1; /* it may grant nothing whatever the other rows are */
	bool unfit : 1; /* left out of the last table for another row's sake: said in the log */
	char text[]; /* id, NUL, not_before if it has one, the cidrs: at any address, so copied */
};

struct op {
	void *row; /* PUT: the new row; DROP: a copy of the id, for an op before it may free the row */
	uint32_t id_bytes; /* DROP */
	enum op_kind { OP_PUT_TENANT, OP_PUT_TOKEN, OP_DROP_TENANT, OP_DROP_TOKEN } kind;
};

struct iterations { /* that a bearer is derived with, while there are tokens in the table */
	uint32_t count;
	uint32_t tokens; /* 0: the place is free */
};

struct dirty { /* a hash whose outcome may not be that of the base */
	struct idmap_node node;
	uint8_t hash[HASH_BYTES];
};

struct tenant_set {
	struct idmap tenants, tokens, hashes;
	struct slab memory; /* of tokens */
	struct ordinals tenant_ordinals, token_ordinals;
	/* By token ordinal: its last use as it was stored; GONE: the ordinal was another's. As far as
	 * any was. */
	uint32_t *stored;
	size_t stored_count;
	size_t use_cursor; /* of a round over the tokens: the next bucket; 0: none runs */
	uint64_t generation; /* of the last table built */
	uint64_t read; /* number of the last full read */
	size_t tokens_seen; /* of those in the set: had by that read */
	bool full;
	uint64_t topic_bytes; /* see set_topic_bytes() */
	const struct prefix_rules *prefixes; /* see set_prefixes() */
	uint64_t prefixed; /* rows of tenants with a topic_prefix */
	uint64_t max_iterations;
	struct iterations iterations[SNAPSHOT_ITERATIONS_MAX];
	uint64_t hosts; /* see set_hosts() */
	bool doubles; /* this read may have several rows of one token id */
	struct idmap staged; /* then the tokens of OP_PUT_TOKEN, by id */
	struct op *ops;
	size_t op_count, op_cap;
	struct set_counts counts; /* of the newest table; of left_out rows, of the set */
	uint64_t base; /* generation of the base, 0: none; what follows is since it was built */
	uint32_t base_tenants;
	bool wants_base; /* something happened that a delta cannot say */
	struct idmap dirty; /* hashes */
	struct tenant **dirty_tenants; /* that changed */
	size_t dirty_tenant_count, dirty_tenant_cap;
	struct log_limit log_limit;
};

static inline struct bytes tenant_id(const struct tenant *t)
{
	return bytes_of(t->text, t->id_bytes);
}

static inline struct bytes token_id(const struct token *t)
{
	return bytes_of(t->text, t->id_bytes);
}

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
	return t->tenant ? tenant_id(t->tenant) : BYTES_NONE;
}

static inline int64_t token_not_before(const struct token *t)
{
	int64_t at = INT64_MIN;

	if (t->has_not_before)
		memcpy(&at, t->text + t->id_bytes + 1, sizeof(at));
	return at;
}

static inline const char *token_cidrs(const struct token *t)
{
	return t->text + t->id_bytes + 1 + (t->has_not_before ? sizeof(int64_t) : 0);
}

/* Staged tokens go their way: into the set, or away. */
void set_forget_staged(struct tenant_set *s);
bool set_same_token(const struct token *a, const struct token *b);
void set_saw_token(struct tenant_set *s, struct token *t); /* this full read had it */
void set_free_token(struct tenant_set *s, struct token *t);
void set_free_tenant(struct tenant *t);
void set_forget_tenant(struct tenant_set *s, struct tenant *t); /* unless somebody needs it */

/* A row that cannot grant, in the log: at most some a minute. */
void set_say_left_out(struct tenant_set *s, const char *row, struct bytes id, enum skip_reason why);
/* The row goes, or is judged: the counts follow. */
void set_tenant_stands(struct tenant_set *s, struct tenant *t, enum standing standing);
void set_token_stands(struct tenant_set *s, struct token *t, enum standing standing,
                      enum skip_reason why);
/* tenants_uses.c. The token has its ordinal now, or loses it. */
void set_number_token(struct tenant_set *s, const struct token *t);
void set_forget_number(struct tenant_set *s, const struct token *t);

/* tenants_derived.c. Whether there is room for the iterations of this key in the next table. */
bool set_may_derive(struct tenant_set *s, const struct token *t);
void set_count_derived(struct tenant_set *s, const struct token *t, uint64_t by);
void set_add_iterations(const struct tenant_set *s, struct snapshot_builder *b);

/* What the next delta must look at. */
void set_dirty_hash(struct tenant_set *s, const uint8_t hash[static HASH_BYTES]);
void set_dirty_tenant(struct tenant_set *s, struct tenant *t);
void set_clean_tenant(struct tenant_set *s, struct tenant *t); /* it goes */
void set_clean(struct tenant_set *s);
