/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenants_table.c -- from rows to a sealed table: a base of all, or a delta of what changed since.
 * Decides what one row alone cannot show: whether a token's tenant is there, whether its hash is
 * another's too, whether there is room. What it decided stands with the row, so that a delta judges
 * only the rows that changed, and those of their hashes.
 */
#include "master/tenants_rows.h"

#include "common/loop.h"
#include "master/tenant_limits.h"

enum {
	LOG_LINES = 10, /* a minute, of rows left out */
	TOKENS_AT_A_TIME = 16,
};

void set_say_left_out(struct tenant_set *s, const char *row, struct bytes id, enum skip_reason why)
{
	static const char *const words[SET_SKIP_REASONS] = {
		[SKIP_TENANT_ID] = "its tenant id breaks the rules",
		[SKIP_TOKEN_ID] = "its id breaks the rules, or another row has it too",
		[SKIP_HASH] = "its hash has a wrong length, or begins as too many others do",
		[SKIP_KIND] = "there is no such kind",
		[SKIP_SCOPE] = "it has an unknown scope",
		[SKIP_ITERATIONS] =
			("its iterations are missing, are more than auth.pbkdf2.max_iterations or "
		         "another number beyond the 8 that there may be"),
		[SKIP_TENANT_UNKNOWN] = "there is no such tenant",
		[SKIP_HASH_TWICE] =
			"its hash is that of another tenant's token too: neither grants",
		[SKIP_TENANT_TOPIC] =
			("its topic_prefix, or its id where {tenant} stands in one, makes no "
		         "topic's name, or that of other records"),
		[SKIP_OTHER] = "it cannot be read",
	};
	uint32_t held;

	if (log_limited(&s->log_limit, LOG_LINES, loop_now(), &held))
		log_warn("tenants", "row left out", KV_S("row", row), KV_B("id", id),
		         KV_S("why", words[why]), KV_U("held_back", held));
}

/* ---- what stands, and the counts of it ---- */

static void count_tenant(struct tenant_set *s, const struct tenant *t, uint64_t by)
{
	if (t->standing == IN_TABLE)
		s->counts.tenants += by;
	if (t->standing == OVER_LIMIT)
		s->counts.over[ROW_TENANT] += by;
	if (t->standing == LEFT_OUT)
		s->counts.skipped[SKIP_TENANT_TOPIC] += by;
}

void set_tenant_stands(struct tenant_set *s, struct tenant *t, enum standing standing)
{
	count_tenant(s, t, (uint64_t)-1);
	t->standing = standing;
	count_tenant(s, t, 1);
}

static void count_token(struct tenant_set *s, const struct token *t, uint64_t by)
{
	if (t->standing == IN_TABLE) {
		s->counts.tokens += by;
		if (t->derived)
			set_count_derived(s, t, by);
	}
	if (t->standing == OVER_LIMIT)
		s->counts.over[ROW_TOKEN] += by;
	if (t->standing == LEFT_OUT)
		s->counts.skipped[t->why] += by;
	if (t->standing != NOT_JUDGED)
		t->tenant->judged += (uint32_t)by;
}

void set_token_stands(struct tenant_set *s, struct token *t, enum standing standing,
                      enum skip_reason why)
{
	count_token(s, t, (uint64_t)-1);
	t->standing = standing;
	t->why = (uint8_t)why;
	count_token(s, t, 1);
}

static bool makes_topic(const struct tenant_set *s, const struct tenant *t)
{
	return tenant_has_topics(s->prefixes, s->topic_bytes, tenant_id(t),
	                         bytes_str(t->topic_prefix ? t->topic_prefix : ""));
}

static enum standing tenant_standing(struct tenant_set *s, struct tenant *t)
{
	if (!t->has_row || t->left_out)
		return YIELDS;
	if (!makes_topic(s, t)) {
		if (!t->unfit) /* once, not at each table */
			set_say_left_out(s, "tenant", tenant_id(t), SKIP_TENANT_TOPIC);
		t->unfit = true;
		return LEFT_OUT;
	}
	t->unfit = false;
	if (t->ordinal == NO_ORDINAL)
		t->ordinal = ordinals_take(&s->tenant_ordinals);
	return t->ordinal == NO_ORDINAL ? OVER_LIMIT : IN_TABLE;
}

/* Two tokens of one hash. Of two tenants: neither grants, for nobody can say whose it is. Of one
 * tenant they are one secret: the revoked row wins, else the lower id. */
static bool yields_to(const struct token *t, const struct token *other)
{
	if (t->revoked != other->revoked)
		return other->revoked;
	return strcmp(t->text, other->text) > 0;
}

static enum standing among_its_hash(const struct tenant_set *s, const struct token *t)
{
	enum standing standing = IN_TABLE;

	for (struct idmap_node *n = idmap_find(&s->hashes, bytes_of(t->hash, HASH_BYTES)); n;
	     n = idmap_find_next(&s->hashes, n)) {
		const struct token *other = idmap_owner(n, struct token, by_hash);

		if (t->tenant != other->tenant)
			return LEFT_OUT;
		if (other != t && yields_to(t, other))
			standing = YIELDS;
	}
	return standing;
}

static enum standing token_standing(struct tenant_set *s, struct token *t, enum skip_reason *why)
{
	enum standing standing;

	*why = SKIP_TENANT_UNKNOWN;
	if (!t->tenant->has_row || t->tenant->left_out)
		return LEFT_OUT;
	*why = SKIP_HASH_TWICE;
	standing = among_its_hash(s, t);
	if (standing != IN_TABLE)
		return standing;
	if (t->tenant->standing != IN_TABLE)
		return YIELDS;
	*why = SKIP_ITERATIONS;
	if (t->derived && !set_may_derive(s, t))
		return LEFT_OUT;
	if (t->ordinal == NO_ORDINAL) {
		t->ordinal = ordinals_take(&s->token_ordinals);
		set_number_token(s, t);
	}
	return t->ordinal == NO_ORDINAL ? OVER_LIMIT : IN_TABLE;
}

/* True: it is in the table. */
static bool judge_token(struct tenant_set *s, struct token *t)
{
	enum skip_reason why;
	enum standing standing = token_standing(s, t, &why);

	if (standing == LEFT_OUT && !t->unfit) /* once, not at each table */
		set_say_left_out(s, "token", token_id(t), why);
	t->unfit = standing == LEFT_OUT;
	if (standing != t->standing || why != t->why)
		set_token_stands(s, t, standing, why);
	return standing == IN_TABLE;
}

/* ---- what changed since the base ---- */

void set_dirty_hash(struct tenant_set *s, const uint8_t hash[static HASH_BYTES])
{
	struct dirty *d;

	if (s->base == 0 || s->wants_base || idmap_find(&s->dirty, bytes_of(hash, HASH_BYTES)))
		return;
	if (s->dirty.count == SET_DELTA_MAX) {
		s->wants_base = true;
		return;
	}
	d = xcalloc(1, sizeof(*d));
	memcpy(d->hash, hash, HASH_BYTES);
	idmap_add(&s->dirty, &d->node);
}

void set_dirty_tenant(struct tenant_set *s, struct tenant *t)
{
	if (s->base == 0 || t->dirty_at > 0)
		return;
	if (s->dirty_tenant_count == s->dirty_tenant_cap) {
		s->dirty_tenant_cap = max_size(64, 2 * s->dirty_tenant_cap);
		s->dirty_tenants =
			xrealloc(s->dirty_tenants, s->dirty_tenant_cap, sizeof(struct tenant *));
	}
	s->dirty_tenants[s->dirty_tenant_count++] = t;
	t->dirty_at = (uint32_t)s->dirty_tenant_count;
}

void set_clean_tenant(struct tenant_set *s, struct tenant *t)
{
	struct tenant *last;

	if (t->dirty_at == 0)
		return;
	last = s->dirty_tenants[--s->dirty_tenant_count];
	s->dirty_tenants[t->dirty_at - 1] = last;
	last->dirty_at = t->dirty_at;
	t->dirty_at = 0;
}

void set_clean(struct tenant_set *s)
{
	struct idmap_node *node = idmap_next(&s->dirty, NULL), *next;

	for (; node; node = next) {
		next = idmap_next(&s->dirty, node);
		idmap_remove(&s->dirty, node);
		free(idmap_owner(node, struct dirty, node));
	}
	while (s->dirty_tenant_count > 0)
		set_clean_tenant(s, s->dirty_tenants[0]);
	s->wants_base = false;
}

/* What its tokens are judged by: there is no row, it is not in the table, it is. */
static enum standing seen_by_tokens(enum standing standing)
{
	switch (standing) {
	case NOT_JUDGED:
	case YIELDS:
		return NOT_JUDGED;
	case OVER_LIMIT:
	case LEFT_OUT:
		return LEFT_OUT;
	case IN_TABLE:
		return IN_TABLE;
	}
	assert(!"a standing");
	return NOT_JUDGED;
}

bool set_delta_will_do(struct tenant_set *s)
{
	if (s->base == 0 || s->wants_base)
		return false;
	for (size_t i = 0; i < s->dirty_tenant_count; i++) {
		struct tenant *t = s->dirty_tenants[i];
		enum standing standing = tenant_standing(s, t);
		bool comes_or_goes = seen_by_tokens(standing) != seen_by_tokens(t->standing);

		/* With tokens that the tables so far had judged: all of them are another's now. */
		s->wants_base |= comes_or_goes && t->judged > 0;
		set_tenant_stands(s, t, standing);
	}
	return !s->wants_base;
}

/* ---- tables ---- */

static void add_tenant(const struct tenant_set *s, struct snapshot_builder *b, struct tenant *t,
                       uint64_t generation)
{
	struct snapshot_tenant row = { .id = tenant_id(t),
		                       .ordinal = t->ordinal,
		                       .state = t->state,
		                       .block_until = t->block_until,
		                       .limits = tenant_limits_share(&t->limits, s->hosts),
		                       .topic_prefix =
		                               bytes_str(t->topic_prefix ? t->topic_prefix : "") };

	t->index = snapshot_add_tenant(b, &row);
	t->index_of = (uint32_t)generation;
}

static bool add_token(struct snapshot_builder *b, const struct token *t)
{
	struct snapshot_cidr cidrs[CIDRS_MAX];
	struct snapshot_token row = { .id = token_id(t),
		                      .ordinal = t->ordinal,
		                      .tenant = t->tenant->index,
		                      .not_before = token_not_before(t),
		                      .not_after = t->not_after,
		                      .revoked = t->revoked,
		                      .replaced = t->replaced,
		                      .scopes = t->scopes,
		                      .cidrs = cidrs,
		                      .cidr_count = t->cidr_count };

	memcpy(cidrs, token_cidrs(t), t->cidr_count * sizeof(*cidrs));
	memcpy(row.digest, t->hash, HASH_BYTES);
	return snapshot_add_token(b, &row);
}

static uint32_t add_tenants(struct tenant_set *s, struct snapshot_builder *b, uint64_t generation)
{
	uint32_t count = 0;

	for (struct idmap_node *node = idmap_next(&s->tenants, NULL), *next; node; node = next) {
		struct tenant *t = tenant_of(node);

		next = idmap_next(&s->tenants, node);
		set_tenant_stands(s, t, tenant_standing(s, t));
		t->base_index = NO_INDEX;
		if (t->standing != IN_TABLE) {
			set_forget_tenant(s, t);
			continue;
		}
		add_tenant(s, b, t, generation);
		t->base_index = t->index;
		count++;
	}
	return count;
}

/* It stays out until the next base, though others of its kind may go before. */
static void judge_and_add(struct tenant_set *s, struct snapshot_builder *b, struct token *t)
{
	bool said = t->unfit;

	if (!judge_token(s, t) || add_token(b, t))
		return;
	if (!said)
		set_say_left_out(s, "token", token_id(t), SKIP_HASH);
	t->unfit = true;
	set_token_stands(s, t, LEFT_OUT, SKIP_HASH);
}

/* In the order of hashes: those of one hash lie in one bucket, at hand. Some at a time: a line of
 * the table takes as long to come as all that is done with a token. */
static void add_tokens(struct tenant_set *s, struct snapshot_builder *b)
{
	struct idmap_walk walk = { .m = &s->hashes };
	struct token *some[TOKENS_AT_A_TIME];
	unsigned count;

	do {
		struct idmap_node *node;

		for (count = 0; count < TOKENS_AT_A_TIME && (node = idmap_step(&walk)); count++) {
			some[count] = idmap_owner(node, struct token, by_hash);
			snapshot_soon(b, some[count]->hash);
		}
		for (unsigned i = 0; i < count; i++)
			judge_and_add(s, b, some[i]);
	} while (count == TOKENS_AT_A_TIME);
}

int set_build(struct tenant_set *s, uint64_t generation, struct set_counts *counts, struct err *err)
{
	struct snapshot_builder *b = snapshot_builder_new(generation);
	uint32_t tenants;
	int fd;

	set_clean(s); /* what follows is judged whole; if it fails there is no base */
	s->base = 0;
	snapshot_expect(b, s->hashes.count + s->tenants.count);
	tenants = add_tenants(s, b, generation);
	add_tokens(s, b);
	set_add_iterations(s, b);
	fd = snapshot_seal(b, err);
	snapshot_builder_free(b);
	*counts = s->counts;
	if (fd < 0)
		return -1;
	s->generation = s->base = generation;
	s->base_tenants = tenants;
	return fd;
}

/* The one token of a hash that is in the table, if one is. */
static void add_dirty(struct tenant_set *s, struct snapshot_builder *b, const struct dirty *d,
                      uint64_t generation)
{
	struct bytes hash = bytes_of(d->hash, HASH_BYTES);
	const struct token *stands = NULL;

	for (struct idmap_node *n = idmap_find(&s->hashes, hash); n;
	     n = idmap_find_next(&s->hashes, n)) {
		struct token *t = idmap_owner(n, struct token, by_hash);

		if (judge_token(s, t))
			stands = t;
	}
	if (!stands) {
		snapshot_add_tombstone(b, d->hash);
		return;
	}
	if (stands->tenant->index_of != (uint32_t)generation)
		add_tenant(s, b, stands->tenant, generation);
	add_token(b, stands);
}

static void add_dirty_tenant(const struct tenant_set *s, struct snapshot_builder *b,
                             struct tenant *t, uint64_t generation)
{
	if (t->standing != IN_TABLE) {
		if (t->base_index != NO_INDEX)
			snapshot_add_lost_tenant(b, tenant_id(t));
		return;
	}
	add_tenant(s, b, t, generation);
	if (t->base_index != NO_INDEX)
		snapshot_replace_tenant(b, t->base_index, t->index);
}

int set_build_delta(struct tenant_set *s, uint64_t generation, struct set_counts *counts,
                    struct err *err)
{
	struct snapshot_delta of = { .base = s->base, .base_tenants = s->base_tenants };
	struct snapshot_builder *b = snapshot_builder_new_delta(generation, &of);
	int fd;

	assert(s->base != 0 && generation > s->base);
	snapshot_expect(b, s->dirty.count + s->dirty_tenant_count);
	for (size_t i = 0; i < s->dirty_tenant_count; i++)
		add_dirty_tenant(s, b, s->dirty_tenants[i], generation);
	for (struct idmap_node *node = idmap_next(&s->dirty, NULL); node;
	     node = idmap_next(&s->dirty, node))
		add_dirty(s, b, idmap_owner(node, struct dirty, node), generation);
	set_add_iterations(s, b);
	snapshot_set_totals(b, s->counts.tenants, s->counts.tokens);
	/* Without a tombstone that had no place the base's entry would go on granting. */
	s->wants_base |= snapshot_is_crowded(b);
	fd = snapshot_is_crowded(b) ? err_set(err, "too many hashes begin alike for a delta")
	                            : snapshot_seal(b, err);
	snapshot_builder_free(b);
	*counts = s->counts;
	if (fd >= 0)
		s->generation = generation;
	return fd;
}

bool set_served(struct tenant_set *s, uint64_t generation,
                void (*retired)(void *arg, uint32_t ordinal), void *arg)
{
	size_t freed = ordinals_served(&s->tenant_ordinals, generation, retired, arg);

	freed += ordinals_served(&s->token_ordinals, generation, NULL, NULL);
	/* Which of the rows may be in now only a look at all of them shows. */
	if (freed > 0 && s->counts.over[ROW_TENANT] + s->counts.over[ROW_TOKEN] > 0)
		s->wants_base = true;
	return freed > 0;
}
