/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenants_set.c -- rows by id, changes in two phases. A row read again that did not change costs no
 * memory: it is only marked as seen; a changed token is staged whole and takes the old one's place.
 * Rows that break a rule stay in the set, so that they are counted and a later read can replace
 * them, but they never get into a table. Staging is here, applying in tenants_apply.c.
 */
#include "master/tenants_set.h"

#include "master/tenants_rows.h"

enum {
	ID_KEPT_MAX = 255, /* of a row whose id breaks the rules: enough to find it */
	ITERATIONS_MAX = 100000, /* records.md 2.1 */
};

/* ---- life ---- */

static struct bytes key_of_tenant(const struct idmap_node *node)
{
	return tenant_id(idmap_owner(node, struct tenant, node));
}

static struct bytes key_of_token(const struct idmap_node *node)
{
	return token_id(idmap_owner(node, struct token, node));
}

static struct bytes key_of_hash(const struct idmap_node *node)
{
	return bytes_of(idmap_owner(node, struct token, by_hash)->hash, HASH_BYTES);
}

static struct bytes key_of_dirty(const struct idmap_node *node)
{
	return bytes_of(idmap_owner(node, struct dirty, node)->hash, HASH_BYTES);
}

static const struct prefix_rules no_rules;

struct tenant_set *set_new(uint64_t max_tenants, uint64_t max_tokens)
{
	struct tenant_set *s = xcalloc(1, sizeof(*s));

	s->hosts = 1;
	s->prefixes = &no_rules;
	slab_init(&s->memory);
	idmap_init(&s->tenants, key_of_tenant);
	idmap_init(&s->tokens, key_of_token);
	idmap_init(&s->hashes, key_of_hash);
	idmap_init(&s->staged, key_of_token);
	idmap_init(&s->dirty, key_of_dirty);
	ordinals_init(&s->tenant_ordinals, max_tenants);
	ordinals_init(&s->token_ordinals, max_tokens);
	s->max_iterations = ITERATIONS_MAX;
	return s;
}

void set_free_tenant(struct tenant *t)
{
	free(t->topic_prefix);
	free(t);
}

static void free_tenants(struct tenant_set *s)
{
	struct idmap_node *node = idmap_next(&s->tenants, NULL), *next;

	for (; node; node = next) {
		next = idmap_next(&s->tenants, node);
		idmap_remove(&s->tenants, node);
		set_free_tenant(tenant_of(node));
	}
	idmap_done(&s->tenants);
}

static void free_tokens(struct tenant_set *s)
{
	struct idmap_node *node = idmap_next(&s->tokens, NULL), *next;

	for (; node; node = next) {
		next = idmap_next(&s->tokens, node);
		idmap_remove(&s->tokens, node);
		slab_give(&s->memory, token_of(node), token_of(node)->units);
	}
	idmap_done(&s->tokens);
	slab_done(&s->memory);
}

void set_free(struct tenant_set *s)
{
	if (!s)
		return;
	set_abort(s);
	free_tokens(s);
	set_clean(s);
	idmap_done(&s->dirty);
	free_tenants(s);
	free(s->dirty_tenants);
	idmap_done(&s->hashes);
	idmap_done(&s->staged);
	ordinals_done(&s->tenant_ordinals);
	ordinals_done(&s->token_ordinals);
	free(s->ops);
	free(s->stored);
	free(s);
}

struct bytes set_tenant_of(const struct tenant_set *s, uint32_t ordinal)
{
	struct idmap_node *node = NULL;

	while ((node = idmap_next(&s->tenants, node)))
		if (tenant_of(node)->ordinal == ordinal)
			return tenant_id(tenant_of(node));
	return BYTES_NONE;
}

bool set_topic_bytes(struct tenant_set *s, uint64_t bytes)
{
	bool changes = s->topic_bytes != bytes;

	s->topic_bytes = bytes;
	s->wants_base |= changes;
	return changes;
}

bool set_prefixes(struct tenant_set *s, const struct prefix_rules *rules)
{
	bool changes = s->prefixed > 0 && !prefix_rules_same(s->prefixes, rules);

	s->prefixes = rules;
	s->wants_base |= changes;
	return changes;
}

bool set_hosts(struct tenant_set *s, uint64_t hosts)
{
	bool changes = s->hosts != hosts;

	assert(hosts > 0);
	s->hosts = hosts;
	s->wants_base |= changes;
	return changes;
}

/* ---- staging ---- */

static void stage(struct tenant_set *s, enum op_kind kind, void *row, size_t id_bytes)
{
	if (s->op_count == s->op_cap) {
		s->op_cap = max_size(64, 2 * s->op_cap);
		s->ops = xrealloc(s->ops, s->op_cap, sizeof(*s->ops));
	}
	s->ops[s->op_count++] = (struct op){ row, (uint32_t)id_bytes, kind };
}

void set_begin(struct tenant_set *s, bool full)
{
	assert(s->op_count == 0);
	s->full = full;
	s->doubles = false;
	if (full) {
		s->read++;
		s->tokens_seen = 0;
	}
}

void set_expect_doubles(struct tenant_set *s)
{
	assert(s->full && s->op_count == 0);
	s->doubles = true;
}

void set_forget_staged(struct tenant_set *s)
{
	if (!s->doubles)
		return;
	idmap_done(&s->staged);
	idmap_init(&s->staged, key_of_token);
}

/* ---- tenants that tokens name ---- */

static struct tenant *new_tenant(struct bytes id)
{
	size_t n = min_size(id.n, tenant_id_ok(id) ? id.n : ID_KEPT_MAX);
	struct tenant *t = xcalloc(1, sizeof(*t) + n + 1);

	if (n > 0)
		memcpy(t->text, id.p, n);
	t->id_bytes = (uint16_t)n;
	t->ordinal = NO_ORDINAL;
	t->base_index = NO_INDEX;
	return t;
}

/* The tenant of that id, which may have no row (yet). */
static struct tenant *name_tenant(struct tenant_set *s, struct bytes id)
{
	struct tenant *t = tenant_of(idmap_find(&s->tenants, id));

	if (!t) {
		t = new_tenant(id);
		idmap_add(&s->tenants, &t->node);
	}
	t->tokens++;
	return t;
}

void set_forget_tenant(struct tenant_set *s, struct tenant *t)
{
	if (t->has_row || t->tokens > 0 || t->base_index != NO_INDEX)
		return;
	set_tenant_stands(s, t, NOT_JUDGED);
	idmap_remove(&s->tenants, &t->node);
	set_clean_tenant(s, t);
	set_free_tenant(t);
}

static void drop_name(struct tenant_set *s, struct token *t)
{
	struct tenant *tenant = t->tenant;

	t->tenant = NULL;
	if (!tenant)
		return;
	tenant->tokens--;
	set_forget_tenant(s, tenant);
}

void set_free_token(struct tenant_set *s, struct token *t)
{
	drop_name(s, t);
	slab_give(&s->memory, t, t->units);
}

void set_abort(struct tenant_set *s)
{
	set_forget_staged(s);
	for (size_t i = 0; i < s->op_count; i++) {
		if (s->ops[i].kind == OP_PUT_TOKEN)
			set_free_token(s, s->ops[i].row);
		else if (s->ops[i].kind == OP_PUT_TENANT)
			set_free_tenant(s->ops[i].row);
		else
			free(s->ops[i].row);
	}
	s->op_count = 0;
}

static struct tenant *make_tenant(const struct tenant_row *row)
{
	struct tenant *t = new_tenant(row->id);

	t->has_row = true;
	t->state = row->state;
	t->block_until = row->block_until;
	t->limits = row->limits;
	if (row->topic_prefix.n > 0) /* of one that is too long: enough to show that it is */
		t->topic_prefix = xstrndup((const char *)row->topic_prefix.p,
		                           min_size(row->topic_prefix.n, TENANT_PREFIX_MAX + 1));
	t->left_out = !tenant_id_ok(row->id);
	return t;
}

static const char *prefix_of(const struct tenant *t)
{
	return t->topic_prefix ? t->topic_prefix : "";
}

static bool same_tenant(const struct tenant *a, const struct tenant *b)
{
	return a->state == b->state && a->block_until == b->block_until &&
	       memcmp(&a->limits, &b->limits, sizeof(a->limits)) == 0 &&
	       strcmp(prefix_of(a), prefix_of(b)) == 0 && a->left_out == b->left_out;
}

void set_put_tenant(struct tenant_set *s, const struct tenant_row *row)
{
	struct tenant *t = make_tenant(row);
	struct tenant *old = tenant_of(idmap_find(&s->tenants, tenant_id(t)));

	if (old && old->has_row)
		old->seen = s->read;
	if (old && old->has_row && same_tenant(old, t))
		set_free_tenant(t);
	else
		stage(s, OP_PUT_TENANT, t, 0);
}

/* Which rule of records.md 2 the row breaks; false: none that shows without the other rows. */
static bool token_breaks_rule(const struct token_row *row, enum skip_reason *why)
{
	bool derived = bytes_eq(row->kind, BYTES("pbkdf2"));

	if (!token_id_ok(row->id))
		*why = SKIP_TOKEN_ID;
	else if (!derived && !bytes_eq(row->kind, BYTES("sha256")))
		*why = SKIP_KIND;
	else if (row->hash.n != (derived ? SNAPSHOT_PBKDF2_BYTES : HASH_BYTES))
		*why = SKIP_HASH;
	else if (derived && (row->iterations < 1 || row->iterations > ITERATIONS_MAX))
		*why = SKIP_ITERATIONS;
	else if ((row->scopes & ~(unsigned)SCOPE_ALL) != 0)
		*why = SKIP_SCOPE;
	else if (!tenant_id_ok(row->tenant))
		*why = SKIP_TENANT_UNKNOWN;
	else if (row->cidr_count > CIDRS_MAX)
		*why = SKIP_OTHER;
	else
		return false;
	return true;
}

static struct token *new_token(struct tenant_set *s, struct bytes id, int64_t not_before,
                               unsigned cidr_count)
{
	size_t n = min_size(id.n, ID_KEPT_MAX), cidrs = cidr_count * sizeof(struct snapshot_cidr);
	bool later = not_before != INT64_MIN;
	uint8_t units;
	struct token *t = slab_take(&s->memory,
	                            offsetof(struct token, text) + n + 1 +
	                                    (later ? sizeof(not_before) : 0) + cidrs,
	                            &units);

	t->units = units;
	if (n > 0)
		memcpy(t->text, id.p, n);
	t->id_bytes = (uint8_t)n;
	t->has_not_before = later;
	if (later)
		memcpy(t->text + n + 1, &not_before, sizeof(not_before));
	t->cidr_count = (uint8_t)cidr_count;
	t->ordinal = NO_ORDINAL;
	return t;
}

static struct token *leave_out(struct tenant_set *s, struct bytes id, enum skip_reason why)
{
	struct token *t = new_token(s, id, INT64_MIN, 0);

	t->left_out = true;
	t->why = (uint8_t)why;
	return t;
}

static struct token *make_token(struct tenant_set *s, const struct token_row *row)
{
	enum skip_reason why;
	struct token *t;

	if (token_breaks_rule(row, &why))
		return leave_out(s, row->id, why);
	t = new_token(s, row->id, row->not_before, row->cidr_count);
	if (row->cidr_count > 0)
		memcpy(t->text + (token_cidrs(t) - t->text), row->cidrs,
		       row->cidr_count * sizeof(*row->cidrs));
	t->derived = bytes_eq(row->kind, BYTES("pbkdf2"));
	if (t->derived)
		snapshot_key(row->hash.p, (uint32_t)row->iterations, t->hash);
	else
		memcpy(t->hash, row->hash.p, HASH_BYTES);
	t->tenant = name_tenant(s, row->tenant);
	t->scopes = (uint8_t)row->scopes;
	t->not_after = row->not_after;
	t->revoked = row->revoked;
	t->replaced = row->replaced;
	return t;
}

bool set_same_token(const struct token *a, const struct token *b)
{
	return a->left_out == b->left_out && (!a->left_out || a->why == b->why) &&
	       token_not_before(a) == token_not_before(b) && a->not_after == b->not_after &&
	       a->derived == b->derived && a->scopes == b->scopes && a->revoked == b->revoked && a->replaced == b->replaced &&
	       memcmp(a->hash, b->hash, HASH_BYTES) == 0 && a->tenant == b->tenant &&
	       a->cidr_count == b->cidr_count &&
	       memcmp(token_cidrs(a), token_cidrs(b),
	              a->cidr_count * sizeof(struct snapshot_cidr)) == 0;
}

static bool has_hash(const struct token *t)
{
	static const uint8_t none[HASH_BYTES];

	return memcmp(t->hash, none, HASH_BYTES) != 0;
}

/* Rows of one id in one read that differ: none grants, for nobody can say which of them is meant.
 * What is left of them in t must not depend on their order, or each read would change the table:
 * the hash while all have the same one, then the tenant while all have the same. */
static void clash(struct tenant_set *s, struct token *t, const struct token *other)
{
	bool same_hash, same_owner;

	if (set_same_token(t, other))
		return;
	same_hash = has_hash(t) && memcmp(t->hash, other->hash, HASH_BYTES) == 0;
	same_owner = same_hash && t->tenant && t->tenant == other->tenant;
	t->left_out = true;
	t->why = same_hash && !same_owner ? SKIP_HASH_TWICE : SKIP_TOKEN_ID;
	if (!same_hash)
		memset(t->hash, 0, HASH_BYTES);
	if (!same_owner)
		drop_name(s, t);
	t->cidr_count = 0;
	t->has_not_before = t->revoked = t->replaced = t->derived = false;
	t->not_after = 0;
	t->scopes = 0;
}

void set_saw_token(struct tenant_set *s, struct token *t)
{
	s->tokens_seen += t->seen != (uint32_t)s->read;
	t->seen = (uint32_t)s->read;
}

static void stage_token(struct tenant_set *s, struct token *t)
{
	struct token *old = token_of(idmap_find(&s->tokens, token_id(t)));
	struct token *twin = s->doubles ? token_of(idmap_find(&s->staged, token_id(t))) : NULL;

	if (twin) {
		clash(s, twin, t);
		set_free_token(s, t);
		return;
	}
	if (old && set_same_token(old, t)) {
		set_saw_token(s, old);
		set_free_token(s, t);
		return;
	}
	if (old && s->doubles &&
	    old->seen == (uint32_t)s->read) /* a row of this read was the old one */
		clash(s, t, old);
	if (old)
		set_saw_token(s, old);
	stage(s, OP_PUT_TOKEN, t, 0);
	if (s->doubles)
		idmap_add(&s->staged, &t->node);
}

void set_put_token(struct tenant_set *s, const struct token_row *row)
{
	stage_token(s, make_token(s, row));
}

void set_skip(struct tenant_set *s, enum skip_reason why, struct bytes token_id)
{
	stage_token(s, leave_out(s, token_id, why));
}

static void stage_drop(struct tenant_set *s, const struct idmap *m, enum op_kind kind,
                       struct bytes id)
{
	if (idmap_find(m, id))
		stage(s, kind, xstrndup((const char *)id.p, id.n), id.n);
}

void set_drop_tenant(struct tenant_set *s, struct bytes id)
{
	stage_drop(s, &s->tenants, OP_DROP_TENANT, id);
}

void set_drop_token(struct tenant_set *s, struct bytes id)
{
	stage_drop(s, &s->tokens, OP_DROP_TOKEN, id);
}
