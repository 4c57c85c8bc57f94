/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenants_table.c -- from rows to a sealed table. Decides what one row alone cannot show: whether a
 * token's tenant is there, whether its hash is another's too, whether there is room.
 */
#include "master/tenants_rows.h"

#include "common/loop.h"

enum { LOG_LINES = 10 }; /* a minute, of rows left out */

void set_say_left_out(struct tenant_set *s, const char *row, struct bytes id, enum skip_reason why)
{
	static const char *const words[SET_SKIP_REASONS] = {
		[SKIP_TENANT_ID] = "its tenant id breaks the rules",
		[SKIP_TOKEN_ID] = "its id breaks the rules, or another row has it too",
		[SKIP_HASH] = "its hash has a wrong length",
		[SKIP_KIND] = "its kind is not in this version",
		[SKIP_SCOPE] = "it has an unknown scope",
		[SKIP_TENANT_UNKNOWN] = "there is no such tenant",
		[SKIP_HASH_TWICE] =
			"its hash is that of another tenant's token too: neither grants",
		[SKIP_TENANT_TOPIC] =
			"its tenant id makes no topic's name ({tenant} stands in a topic_prefix)",
		[SKIP_OTHER] = "it cannot be read",
	};
	uint32_t held;

	if (log_limited(&s->log_limit, LOG_LINES, loop_now(), &held))
		log_warn("tenants", "row left out", KV_S("row", row), KV_B("id", id),
		         KV_S("why", words[why]), KV_U("held_back", held));
}

/* records.md 1: dots and other signs would make one topic of two, or none. */
static bool makes_topic(const struct tenant_set *s, struct bytes id)
{
	if (s->topic_bytes == 0)
		return true;
	return id.n + s->topic_bytes <= TOPIC_NAME_MAX && tenant_in_topic_ok(id);
}

static void add_tenants(struct tenant_set *s, struct snapshot_builder *b, struct set_counts *counts)
{
	for (struct idmap_node *node = idmap_next(&s->tenants, NULL); node;
	     node = idmap_next(&s->tenants, node)) {
		struct tenant *t = tenant_of(node);

		t->index = NO_INDEX;
		if (t->left_out)
			continue;
		if (!makes_topic(s, node->id)) {
			if (!t->unfit)
				set_say_left_out(s, "tenant", node->id, SKIP_TENANT_TOPIC);
			t->unfit = true;
			counts->skipped[SKIP_TENANT_TOPIC]++;
			continue;
		}
		t->unfit = false;
		counts->limited += t->has_limits;
		if (t->ordinal == NO_ORDINAL)
			t->ordinal = ordinals_take(&s->tenant_ordinals);
		if (t->ordinal == NO_ORDINAL) {
			counts->over[ROW_TENANT]++;
			continue;
		}
		t->index = snapshot_add_tenant(
			b, &(struct snapshot_tenant){ .id = node->id,
		                                      .ordinal = t->ordinal,
		                                      .state = t->state,
		                                      .block_until = t->block_until });
		counts->tenants++;
	}
}

/* Two tokens of one hash. Of two tenants: neither grants, for nobody can say whose it is. Of one
 * tenant they are one secret: the revoked row wins, else the lower id. */
static bool yields_to(const struct token *t, const struct token *other)
{
	if (t->revoked != other->revoked)
		return other->revoked;
	return strcmp(t->text, other->text) > 0;
}

static enum standing {
	STANDS,
	CLASHES,
	YIELDS
} standing_of(const struct tenant_set *s, const struct token *t)
{
	enum standing standing = STANDS;

	for (struct idmap_node *n = idmap_find(&s->hashes, t->by_hash.id); n;
	     n = idmap_find_next(n)) {
		const struct token *other = idmap_owner(n, struct token, by_hash);

		if (!bytes_eq(token_tenant(t), token_tenant(other)))
			return CLASHES;
		if (other != t && yields_to(t, other))
			standing = YIELDS;
	}
	return standing;
}

/* Says so once, not at each table. */
static void leave_out_for_now(struct tenant_set *s, struct token *t, enum skip_reason why,
                              struct set_counts *counts)
{
	if (!t->unfit)
		set_say_left_out(s, "token", t->node.id, why);
	t->unfit = true;
	counts->skipped[why]++;
}

static void add_token(struct tenant_set *s, struct snapshot_builder *b, struct token *t,
                      struct set_counts *counts)
{
	struct snapshot_cidr cidrs[CIDRS_MAX];
	const struct tenant *tenant = tenant_of(idmap_find(&s->tenants, token_tenant(t)));
	enum standing standing = standing_of(s, t);

	if (!tenant || tenant->left_out) {
		leave_out_for_now(s, t, SKIP_TENANT_UNKNOWN, counts);
		return;
	}
	if (standing == CLASHES) {
		leave_out_for_now(s, t, SKIP_HASH_TWICE, counts);
		return;
	}
	t->unfit = false;
	if (standing == YIELDS || tenant->index == NO_INDEX)
		return;
	if (t->ordinal == NO_ORDINAL)
		t->ordinal = ordinals_take(&s->token_ordinals);
	if (t->ordinal == NO_ORDINAL) {
		counts->over[ROW_TOKEN]++;
		return;
	}
	memcpy(cidrs, token_cidrs(t), t->cidr_count * sizeof(*cidrs));

	struct snapshot_token row = { .id = t->node.id,
		                      .ordinal = t->ordinal,
		                      .tenant = tenant->index,
		                      .not_before = t->not_before,
		                      .not_after = t->not_after,
		                      .revoked = t->revoked,
		                      .replaced = t->replaced,
		                      .scopes = t->scopes,
		                      .cidrs = cidrs,
		                      .cidr_count = t->cidr_count };
	memcpy(row.digest, t->hash, HASH_BYTES);
	snapshot_add_token(b, &row);
	counts->tokens++;
}

int set_build(struct tenant_set *s, uint64_t generation, struct set_counts *counts, struct err *err)
{
	struct snapshot_builder *b = snapshot_builder_new(generation);
	int fd;

	*counts = (struct set_counts){ .tenants = 0 };
	memcpy(counts->skipped, s->left_out, sizeof(counts->skipped));
	add_tenants(s, b, counts);
	/* In the order of hashes: those of one hash lie in one bucket, at hand. */
	for (struct idmap_node *node = idmap_next(&s->hashes, NULL); node;
	     node = idmap_next(&s->hashes, node))
		add_token(s, b, idmap_owner(node, struct token, by_hash), counts);
	fd = snapshot_seal(b, err);
	snapshot_builder_free(b);
	if (fd >= 0)
		s->generation = generation;
	return fd;
}

bool set_served(struct tenant_set *s, uint64_t generation,
                void (*retired)(void *arg, uint32_t ordinal), void *arg)
{
	size_t freed = ordinals_served(&s->tenant_ordinals, generation, retired, arg);

	return freed + ordinals_served(&s->token_ordinals, generation, NULL, NULL) > 0;
}
