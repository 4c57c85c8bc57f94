/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenants_set.c -- rows by id, changes in two phases. A row read again that did not change costs no
 * memory: it is only marked as seen; a changed one is staged whole and takes the old one's place.
 * Rows that break a rule stay in the set, so that they are counted and a later read can replace
 * them, but they never get into a table.
 */
#include "master/tenants_set.h"

#include "master/tenants_rows.h"

enum { ID_KEPT_MAX = 255 }; /* of a row whose id breaks the rules: enough to find it */

/* ---- life ---- */

struct tenant_set *set_new(uint64_t max_tenants, uint64_t max_tokens)
{
	struct tenant_set *s = xcalloc(1, sizeof(*s));

	idmap_init(&s->tenants);
	idmap_init(&s->tokens);
	idmap_init(&s->hashes);
	idmap_init(&s->staged);
	ordinals_init(&s->tenant_ordinals, max_tenants);
	ordinals_init(&s->token_ordinals, max_tokens);
	return s;
}

static void free_all(struct idmap *m, size_t node_at)
{
	struct idmap_node *node = idmap_next(m, NULL), *next;

	for (; node; node = next) {
		next = idmap_next(m, node);
		idmap_remove(m, node);
		free((char *)node - node_at);
	}
	idmap_done(m);
}

void set_free(struct tenant_set *s)
{
	if (!s)
		return;
	set_abort(s);
	free_all(&s->tenants, offsetof(struct tenant, node));
	free_all(&s->tokens, offsetof(struct token, node));
	idmap_done(&s->hashes);
	idmap_done(&s->staged);
	ordinals_done(&s->tenant_ordinals);
	ordinals_done(&s->token_ordinals);
	free(s->ops);
	free(s);
}

bool set_topic_bytes(struct tenant_set *s, uint64_t bytes)
{
	bool changes = s->topic_bytes != bytes;

	s->topic_bytes = bytes;
	return changes;
}

/* ---- staging ---- */

static void stage(struct tenant_set *s, enum op_kind kind, void *row, size_t id_bytes)
{
	if (s->op_count == s->op_cap) {
		s->op_cap = max_size(64, 2 * s->op_cap);
		s->ops = xrealloc(s->ops, s->op_cap, sizeof(*s->ops));
	}
	s->ops[s->op_count++] = (struct op){ kind, row, id_bytes };
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

/* Staged tokens go their way: into the set, or away. */
static void forget_staged(struct tenant_set *s)
{
	if (!s->doubles)
		return;
	idmap_done(&s->staged);
	idmap_init(&s->staged);
}

void set_abort(struct tenant_set *s)
{
	forget_staged(s);
	for (size_t i = 0; i < s->op_count; i++)
		free(s->ops[i].row);
	s->op_count = 0;
}

static struct tenant *make_tenant(const struct tenant_row *row)
{
	bool ok = tenant_id_ok(row->id);
	size_t n = ok ? row->id.n : min_size(row->id.n, ID_KEPT_MAX);
	struct tenant *t = xcalloc(1, sizeof(*t) + n + 1);

	if (n > 0)
		memcpy(t->text, row->id.p, n);
	t->node.id = bytes_of(t->text, n);
	t->ordinal = NO_ORDINAL;
	t->state = row->state;
	t->block_until = row->block_until;
	t->has_limits = row->has_limits;
	t->left_out = !ok;
	t->why = SKIP_TENANT_ID;
	return t;
}

static bool same_tenant(const struct tenant *a, const struct tenant *b)
{
	return a->state == b->state && a->block_until == b->block_until &&
	       a->has_limits == b->has_limits && a->left_out == b->left_out;
}

void set_put_tenant(struct tenant_set *s, const struct tenant_row *row)
{
	struct tenant *t = make_tenant(row);
	struct tenant *old = tenant_of(idmap_find(&s->tenants, t->node.id));

	if (old)
		old->seen = s->read;
	if (old && same_tenant(old, t))
		free(t);
	else
		stage(s, OP_PUT_TENANT, t, 0);
}

/* Which rule of records.md 2 the row breaks; false: none that shows without the other rows. */
static bool token_breaks_rule(const struct token_row *row, enum skip_reason *why)
{
	if (!token_id_ok(row->id))
		*why = SKIP_TOKEN_ID;
	else if (!bytes_eq(row->kind, BYTES("sha256")))
		*why = SKIP_KIND;
	else if (row->hash.n != HASH_BYTES)
		*why = SKIP_HASH;
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

static struct token *new_token(struct bytes id, struct bytes tenant, unsigned cidr_count)
{
	size_t n = min_size(id.n, ID_KEPT_MAX), cidrs = cidr_count * sizeof(struct snapshot_cidr);
	struct token *t = xcalloc(1, sizeof(*t) + n + tenant.n + cidrs + 1);

	if (n > 0)
		memcpy(t->text, id.p, n);
	if (tenant.n > 0)
		memcpy(t->text + n, tenant.p, tenant.n);
	t->node.id = bytes_of(t->text, n);
	t->by_hash.id = bytes_of(t->hash, HASH_BYTES);
	t->tenant_bytes = (uint16_t)tenant.n;
	t->cidr_count = (uint16_t)cidr_count;
	t->ordinal = NO_ORDINAL;
	return t;
}

static struct token *make_token(const struct token_row *row)
{
	enum skip_reason why;
	struct token *t;

	if (token_breaks_rule(row, &why)) {
		t = new_token(row->id, BYTES_NONE, 0);
		t->left_out = true;
		t->why = why;
		return t;
	}
	t = new_token(row->id, row->tenant, row->cidr_count);
	if (row->cidr_count > 0)
		memcpy(t->text + t->node.id.n + t->tenant_bytes, row->cidrs,
		       row->cidr_count * sizeof(*row->cidrs));
	memcpy(t->hash, row->hash.p, HASH_BYTES);
	t->scopes = (uint8_t)row->scopes;
	t->not_before = row->not_before;
	t->not_after = row->not_after;
	t->revoked = row->revoked;
	t->replaced = row->replaced;
	return t;
}

static bool same_token(const struct token *a, const struct token *b)
{
	return a->left_out == b->left_out && (!a->left_out || a->why == b->why) &&
	       a->not_before == b->not_before && a->not_after == b->not_after &&
	       a->scopes == b->scopes && a->revoked == b->revoked && a->replaced == b->replaced &&
	       memcmp(a->hash, b->hash, HASH_BYTES) == 0 &&
	       bytes_eq(token_tenant(a), token_tenant(b)) && a->cidr_count == b->cidr_count &&
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
static void clash(struct token *t, const struct token *other)
{
	bool same_hash, same_owner;

	if (same_token(t, other))
		return;
	same_hash = has_hash(t) && memcmp(t->hash, other->hash, HASH_BYTES) == 0;
	same_owner =
		same_hash && t->tenant_bytes > 0 && bytes_eq(token_tenant(t), token_tenant(other));
	t->left_out = true;
	t->why = same_hash && !same_owner ? SKIP_HASH_TWICE : SKIP_TOKEN_ID;
	if (!same_hash)
		memset(t->hash, 0, HASH_BYTES);
	if (!same_owner)
		t->tenant_bytes = 0;
	t->cidr_count = 0;
	t->not_before = t->not_after = 0;
	t->revoked = t->replaced = false;
	t->scopes = 0;
}

static void saw_token(struct tenant_set *s, struct token *t)
{
	s->tokens_seen += t->seen != s->read;
	t->seen = s->read;
}

static void stage_token(struct tenant_set *s, struct token *t)
{
	struct token *old = token_of(idmap_find(&s->tokens, t->node.id));
	struct token *twin = s->doubles ? token_of(idmap_find(&s->staged, t->node.id)) : NULL;

	if (twin) {
		clash(twin, t);
		free(t);
		return;
	}
	if (old && same_token(old, t)) {
		saw_token(s, old);
		free(t);
		return;
	}
	if (old && s->doubles && old->seen == s->read) /* a row of this read was the old one */
		clash(t, old);
	if (old)
		saw_token(s, old);
	stage(s, OP_PUT_TOKEN, t, 0);
	if (s->doubles)
		idmap_add(&s->staged, &t->node);
}

void set_put_token(struct tenant_set *s, const struct token_row *row)
{
	stage_token(s, make_token(row));
}

void set_skip(struct tenant_set *s, enum skip_reason why, struct bytes token_id)
{
	struct token *t = new_token(token_id, BYTES_NONE, 0);

	t->left_out = true;
	t->why = why;
	stage_token(s, t);
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

/* ---- applying ---- */

struct applying {
	struct tenant_set *s;
	struct set_change change;
	set_told told;
	void *arg;
};

static void tell(struct applying *a, const char *what, struct bytes tenant, struct bytes token)
{
	a->change.changes++;
	if (a->told)
		a->told(a->arg, what, tenant, token);
}

static void unlink_tenant(struct tenant_set *s, struct tenant *t)
{
	idmap_remove(&s->tenants, &t->node);
	s->left_out[SKIP_TENANT_ID] -= t->left_out;
}

static void remove_tenant(struct applying *a, struct tenant *t)
{
	tell(a, "tenant.remove", t->node.id, BYTES_NONE);
	a->change.lost |= !t->left_out;
	unlink_tenant(a->s, t);
	ordinals_leave(&a->s->tenant_ordinals, t->ordinal, a->s->generation + 1);
	free(t);
}

static void unlink_token(struct tenant_set *s, struct token *t)
{
	idmap_remove(&s->tokens, &t->node);
	s->tokens_seen -= t->seen == s->read;
	if (t->left_out)
		s->left_out[t->why]--;
	else
		idmap_remove(&s->hashes, &t->by_hash);
}

static void remove_token(struct applying *a, struct token *t)
{
	tell(a, "token.remove", token_tenant(t), t->node.id);
	a->change.lost |= !t->left_out;
	unlink_token(a->s, t);
	ordinals_leave(&a->s->token_ordinals, t->ordinal, a->s->generation + 1);
	free(t);
}

static void put_tenant(struct applying *a, struct tenant *t)
{
	struct tenant *old = tenant_of(idmap_find(&a->s->tenants, t->node.id));

	if (t->left_out)
		set_say_left_out(a->s, "tenant", t->node.id, t->why);
	tell(a, old ? "tenant.change" : "tenant.add", t->node.id, BYTES_NONE);
	if (old) {
		a->change.lost |= old->state == TENANT_ACTIVE && t->state != TENANT_ACTIVE;
		t->ordinal = old->ordinal;
		unlink_tenant(a->s, old);
		free(old);
	}
	if (t->ordinal == NO_ORDINAL &&
	    !t->left_out) /* in the source's order, while there are any */
		t->ordinal = ordinals_take(&a->s->tenant_ordinals);
	t->seen = a->s->read;
	idmap_add(&a->s->tenants, &t->node);
	a->s->left_out[SKIP_TENANT_ID] += t->left_out;
}

static void put_token(struct applying *a, struct token *t)
{
	struct token *old = token_of(idmap_find(&a->s->tokens, t->node.id));

	if (old && a->s->doubles && same_token(old, t)) { /* rows that clashed before, too */
		free(t);
		return;
	}
	if (t->left_out)
		set_say_left_out(a->s, "token", t->node.id, t->why);
	tell(a, old ? "token.change" : "token.add", token_tenant(t), t->node.id);
	if (old) {
		a->change.lost |= !old->left_out && (t->left_out || (t->revoked && !old->revoked) ||
		                                     memcmp(old->hash, t->hash, HASH_BYTES) != 0);
		t->ordinal = old->ordinal;
		unlink_token(a->s, old);
		free(old);
	}
	if (t->ordinal == NO_ORDINAL && !t->left_out)
		t->ordinal = ordinals_take(&a->s->token_ordinals);
	saw_token(a->s, t);
	idmap_add(&a->s->tokens, &t->node);
	if (t->left_out)
		a->s->left_out[t->why]++;
	else
		idmap_add(&a->s->hashes, &t->by_hash);
}

static void apply_op(struct applying *a, const struct op *op)
{
	struct tenant_set *s = a->s;
	struct idmap_node *node = NULL;

	switch (op->kind) {
	case OP_PUT_TENANT:
		put_tenant(a, op->row);
		return;
	case OP_PUT_TOKEN:
		put_token(a, op->row);
		return;
	case OP_DROP_TENANT:
		node = idmap_find(&s->tenants, bytes_of(op->row, op->id_bytes));
		if (node)
			remove_tenant(a, tenant_of(node));
		free(op->row);
		return;
	case OP_DROP_TOKEN:
		node = idmap_find(&s->tokens, bytes_of(op->row, op->id_bytes));
		if (node)
			remove_token(a, token_of(node));
		free(op->row);
		return;
	}
	assert(!"not an op");
}

/* After a full read: what it did not have is gone. */
static void sweep(struct applying *a)
{
	struct tenant_set *s = a->s;
	struct idmap_node *node, *next;

	/* No further than to the last one that is gone: a walk over a million costs 0.2 s. */
	for (node = idmap_next(&s->tokens, NULL); node && s->tokens_seen < s->tokens.count;
	     node = next) {
		next = idmap_next(&s->tokens, node);
		if (token_of(node)->seen != s->read)
			remove_token(a, token_of(node));
	}
	assert(s->tokens_seen == s->tokens.count);
	for (node = idmap_next(&s->tenants, NULL); node; node = next) {
		next = idmap_next(&s->tenants, node);
		if (tenant_of(node)->seen != s->read)
			remove_tenant(a, tenant_of(node));
	}
}

struct set_change set_apply(struct tenant_set *s, set_told told, void *arg)
{
	struct applying a = { .s = s, .told = told, .arg = arg };

	forget_staged(s);
	for (size_t i = 0; i < s->op_count; i++)
		apply_op(&a, &s->ops[i]);
	s->op_count = 0;
	if (s->full)
		sweep(&a);
	return a.change;
}
