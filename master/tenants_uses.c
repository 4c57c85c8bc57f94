/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenants_uses.c -- whose last use is to be stored, for tenants_set.c: workers know tokens by
 * ordinal, the source by id. A round goes over all ordinals once, in parts, so that a token is
 * stored once in it, however often it is used meanwhile.
 */
#include "master/tenants_rows.h"

#include "common/loop.h"

static const uint32_t GONE = UINT32_MAX;

/* A word that its predecessor left must not be its own. */
void set_number_token(struct tenant_set *s, struct token *t)
{
	struct numbered *n;

	if (t->ordinal == NO_ORDINAL)
		return;
	if (t->ordinal >= s->numbered_count) {
		size_t count = t->ordinal + t->ordinal / 8 + 64;

		s->numbered = xrealloc(s->numbered, count, sizeof(*s->numbered));
		memset(s->numbered + s->numbered_count, 0,
		       (count - s->numbered_count) * sizeof(*s->numbered));
		s->numbered_count = count;
	}
	n = &s->numbered[t->ordinal];
	n->token = t;
	if (n->stored_s == GONE)
		n->stored_s = (uint32_t)(loop_wall_ns() / 1000000000);
}

void set_forget_number(struct tenant_set *s, const struct token *t)
{
	if (t->ordinal != NO_ORDINAL)
		s->numbered[t->ordinal] = (struct numbered){ NULL, GONE };
}

bool set_uses_begin(const struct tenant_set *s)
{
	return s->use_cursor == 0;
}

unsigned set_uses(struct tenant_set *s, const struct last_uses *l, struct token_use *out,
                  unsigned max)
{
	size_t end = min_size(l->n, s->numbered_count);
	unsigned n = 0;

	for (; s->use_cursor < end && n < max; s->use_cursor++) {
		const struct numbered *k = &s->numbered[s->use_cursor];

		if (k->token && !k->token->left_out && l->v[s->use_cursor] > k->stored_s)
			out[n++] = (struct token_use){ token_id(k->token), (uint32_t)s->use_cursor,
				                       l->v[s->use_cursor] };
	}
	if (n < max)
		s->use_cursor = 0;
	return n;
}

void set_use_stored(struct tenant_set *s, const struct token_use *u)
{
	struct numbered *n = &s->numbered[u->ordinal];

	if (n->token && n->stored_s < u->at_s)
		n->stored_s = u->at_s;
}
