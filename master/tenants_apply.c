/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenants_apply.c -- the second phase of tenants_set.c: what was staged becomes the set, and a full
 * read takes away what it did not have. Each change leaves its hash or its tenant among what the
 * next delta has to say.
 */
#include "master/tenants_rows.h"

enum { AHEAD = 12 };

struct applying {
	struct tenant_set *s;
	struct set_change change;
	set_told told;
	void *arg;
	bool fresh; /* there were no tokens, and no id comes twice: none needs to be looked for */
};

static void tell(struct applying *a, const char *what, struct bytes tenant, struct bytes token)
{
	a->change.changes++;
	if (a->told)
		a->told(a->arg, what, tenant, token);
}

/* What its row counts for, whatever stands in the table; by: 1 or -1. */
static void count_row(struct tenant_set *s, const struct tenant *t, int by)
{
	if (t->left_out)
		s->counts.skipped[SKIP_TENANT_ID] += (uint64_t)by;
	if (t->topic_prefix)
		s->prefixed += (uint64_t)by;
}

/* The row goes; the tenant stays while tokens name it. */
static void remove_tenant(struct applying *a, struct tenant *t)
{
	struct tenant_set *s = a->s;

	tell(a, "tenant.remove", tenant_id(t), BYTES_NONE);
	a->change.lost |= !t->left_out;
	count_row(s, t, -1);
	ordinals_leave(&s->tenant_ordinals, t->ordinal, s->generation + 1);
	t->ordinal = NO_ORDINAL;
	t->has_row = t->left_out = false;
	free(t->topic_prefix);
	t->topic_prefix = NULL;
	set_dirty_tenant(s, t);
	set_forget_tenant(s, t);
}

static void unlink_token(struct tenant_set *s, struct token *t)
{
	idmap_remove(&s->tokens, &t->node);
	s->tokens_seen -= t->seen == (uint32_t)s->read;
	if (t->left_out) {
		s->counts.skipped[t->why]--;
		return;
	}
	set_token_stands(s, t, NOT_JUDGED, (enum skip_reason)0);
	idmap_remove(&s->hashes, &t->by_hash);
	set_dirty_hash(s, t->hash);
}

static void remove_token(struct applying *a, struct token *t)
{
	tell(a, "token.remove", token_tenant(t), token_id(t));
	a->change.lost |= !t->left_out;
	unlink_token(a->s, t);
	set_forget_number(a->s, t);
	ordinals_leave(&a->s->token_ordinals, t->ordinal, a->s->generation + 1);
	set_free_token(a->s, t);
}

static void put_tenant(struct applying *a, struct tenant *row)
{
	struct tenant_set *s = a->s;
	struct tenant *t = tenant_of(idmap_find(&s->tenants, tenant_id(row)));
	bool had_row = t && t->has_row;

	if (row->left_out)
		set_say_left_out(s, "tenant", tenant_id(row), SKIP_TENANT_ID);
	tell(a, had_row ? "tenant.change" : "tenant.add", tenant_id(row), BYTES_NONE);
	if (t) { /* its tokens stay with it, and what tables know of it */
		if (had_row)
			count_row(s, t, -1);
		a->change.lost |=
			had_row && t->state == TENANT_ACTIVE && row->state != TENANT_ACTIVE;
		t->has_row = true;
		t->state = row->state;
		t->block_until = row->block_until;
		t->limits = row->limits;
		free(t->topic_prefix);
		t->topic_prefix = take_ptr(&row->topic_prefix);
		t->left_out = row->left_out;
		set_free_tenant(row);
	} else {
		t = row;
		idmap_add(&s->tenants, &t->node);
	}
	count_row(s, t, 1);
	if (t->ordinal == NO_ORDINAL &&
	    !t->left_out) /* in the source's order, while there are any */
		t->ordinal = ordinals_take(&s->tenant_ordinals);
	t->seen = s->read;
	set_dirty_tenant(s, t);
}

static void put_token(struct applying *a, struct token *t)
{
	struct tenant_set *s = a->s;
	struct token *old = a->fresh ? NULL : token_of(idmap_find(&s->tokens, token_id(t)));

	if (old && s->doubles && set_same_token(old, t)) { /* rows that clashed before, too */
		set_free_token(s, t);
		return;
	}
	if (t->left_out)
		set_say_left_out(s, "token", token_id(t), (enum skip_reason)t->why);
	tell(a, old ? "token.change" : "token.add", token_tenant(t), token_id(t));
	if (old) {
		a->change.lost |= !old->left_out && (t->left_out || (t->revoked && !old->revoked) ||
		                                     memcmp(old->hash, t->hash, HASH_BYTES) != 0);
		t->ordinal = old->ordinal;
		unlink_token(s, old);
		set_free_token(s, old);
	}
	if (t->ordinal == NO_ORDINAL && !t->left_out)
		t->ordinal = ordinals_take(&s->token_ordinals);
	set_number_token(s, t);
	set_saw_token(s, t);
	idmap_add(&s->tokens, &t->node);
	if (t->left_out) {
		s->counts.skipped[t->why]++;
		return;
	}
	idmap_add(&s->hashes, &t->by_hash);
	set_dirty_hash(s, t->hash);
}

/* Of a million each place in a map is in no cache: it comes while those before are put. */
static void soon(const struct tenant_set *s, const struct op *op)
{
	const struct token *t = op->row;

	if (op->kind != OP_PUT_TOKEN || t->left_out)
		return;
	idmap_soon(&s->tokens, token_id(t));
	idmap_soon(&s->hashes, bytes_of(t->hash, HASH_BYTES));
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
		if (node && tenant_of(node)->has_row)
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
		if (token_of(node)->seen != (uint32_t)s->read)
			remove_token(a, token_of(node));
	}
	assert(s->tokens_seen == s->tokens.count);
	for (node = idmap_next(&s->tenants, NULL); node; node = next) {
		next = idmap_next(&s->tenants, node);
		if (tenant_of(node)->has_row && tenant_of(node)->seen != s->read)
			remove_tenant(a, tenant_of(node));
	}
}

struct set_change set_apply(struct tenant_set *s, set_told told, void *arg)
{
	struct applying a = { .s = s, .told = told, .arg = arg };

	set_forget_staged(s);
	a.fresh = s->full && s->tokens.count == 0 && !s->doubles;
	if (a.fresh) {
		idmap_reserve(&s->tokens, s->op_count);
		idmap_reserve(&s->hashes, s->op_count);
	}
	for (size_t i = 0; i < s->op_count; i++) {
		if (a.fresh && i + AHEAD < s->op_count)
			soon(s, &s->ops[i + AHEAD]);
		apply_op(&a, &s->ops[i]);
	}
	free(s->ops); /* a first read has a million of them, the next one */
	s->ops = NULL;
	s->op_count = s->op_cap = 0;
	if (s->full)
		sweep(&a);
	return a.change;
}
