/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenants_uses.c -- whose last use is to be stored, for tenants_set.c: workers know tokens by
 * ordinal, the source by id. A round goes over all tokens once, some at a time, so that one is
 * stored once in it, however often it is used meanwhile, and a million of them hold up nobody.
 */
#include "master/tenants_rows.h"

#include "common/loop.h"

enum { LOOKED_MAX = 20000 }; /* at a time: some milliseconds, as they lie all over memory */
static const uint32_t GONE = UINT32_MAX;

static uint32_t *stored_of(struct tenant_set *s, uint32_t ordinal)
{
	if (ordinal >= s->stored_count) {
		size_t count = ordinal + ordinal / 8 + 64;

		s->stored = xrealloc(s->stored, count, sizeof(*s->stored));
		memset(s->stored + s->stored_count, 0,
		       (count - s->stored_count) * sizeof(*s->stored));
		s->stored_count = count;
	}
	return &s->stored[ordinal];
}

/* A word that its predecessor left must not be its own. */
void set_number_token(struct tenant_set *s, const struct token *t)
{
	if (t->ordinal < s->stored_count && s->stored[t->ordinal] == GONE)
		s->stored[t->ordinal] = (uint32_t)(loop_wall_ns() / 1000000000);
}

void set_forget_number(struct tenant_set *s, const struct token *t)
{
	if (t->ordinal != NO_ORDINAL)
		*stored_of(s, t->ordinal) = GONE;
}

bool set_uses_begin(const struct tenant_set *s)
{
	return s->use_cursor == 0;
}

static bool is_due(struct tenant_set *s, const struct last_uses *l, const struct token *t)
{
	return !t->left_out && t->ordinal < l->n && l->v[t->ordinal] != 0 &&
	       l->v[t->ordinal] > *stored_of(s, t->ordinal);
}

static unsigned chain_length(const struct idmap_node *node)
{
	unsigned n = 0;

	for (; node; node = node->next)
		n++;
	return n;
}

/* It ends between two buckets: whoever stood behind its last one would be passed over in every
 * round, since each ends at the same places while the same tokens are in use. */
unsigned set_uses(struct tenant_set *s, const struct last_uses *l, struct token_use *out,
                  unsigned max)
{
	struct idmap_walk walk = { .m = &s->tokens, .at = s->use_cursor };
	const struct idmap_node *node;
	unsigned n = 0, looked = 0;
	bool first = true; /* of its bucket */

	for (; (node = idmap_step(&walk)); first = !node->next, looked++) {
		const struct token *t = token_of(walk.node);

		if (first && looked > 0 && (looked >= LOOKED_MAX || n + chain_length(node) > max))
			break;
		if (n < max && is_due(s, l, t))
			out[n++] = (struct token_use){ token_id(t), t->ordinal, l->v[t->ordinal] };
	}
	s->use_cursor = node ? walk.at - 1 : 0; /* not 0 behind a bucket that was looked at */
	return n;
}

void set_use_stored(struct tenant_set *s, const struct token_use *u)
{
	uint32_t *stored = stored_of(s, u->ordinal);

	if (*stored < u->at_s) /* GONE stays */
		*stored = u->at_s;
}
