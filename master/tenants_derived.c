/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenants_derived.c -- keys of kind pbkdf2, for tenants_set.c and tenants_table.c. A worker derives
 * a bearer once for each number of iterations that keys of the table have, so there are few such
 * numbers: those that came first, while a key in the table has them. Keys of another number wait
 * outside, counted, until a place is free.
 */
#include "master/tenants_rows.h"

static uint32_t iterations_of(const struct token *t)
{
	uint32_t count;

	memcpy(&count, t->hash + SNAPSHOT_PBKDF2_BYTES, sizeof(count)); /* snapshot_key() */
	return count;
}

static struct iterations *find(struct tenant_set *s, uint32_t count)
{
	for (unsigned i = 0; i < ARRAY_LEN(s->iterations); i++)
		if (s->iterations[i].tokens > 0 && s->iterations[i].count == count)
			return &s->iterations[i];
	return NULL;
}

static struct iterations *find_free(struct tenant_set *s)
{
	for (unsigned i = 0; i < ARRAY_LEN(s->iterations); i++)
		if (s->iterations[i].tokens == 0)
			return &s->iterations[i];
	return NULL;
}

bool set_may_derive(struct tenant_set *s, const struct token *t)
{
	return iterations_of(t) <= s->max_iterations && (find(s, iterations_of(t)) || find_free(s));
}

void set_count_derived(struct tenant_set *s, const struct token *t, uint64_t by)
{
	struct iterations *i = find(s, iterations_of(t));

	if (!i) { /* the first one: set_may_derive() found room */
		i = find_free(s);
		i->count = iterations_of(t);
	}
	i->tokens += (uint32_t)by;
	/* Which of those that wait may be in now only a look at all of them shows. */
	if (i->tokens == 0 && s->counts.skipped[SKIP_ITERATIONS] > 0)
		s->wants_base = true;
}

/* Those that are too many now leave at once: their places are for others in the next table. */
bool set_max_iterations(struct tenant_set *s, uint64_t max)
{
	struct idmap_walk walk = { .m = &s->hashes };
	bool changes = s->max_iterations != max;
	struct idmap_node *node;

	s->max_iterations = max;
	while (changes && (node = idmap_step(&walk))) {
		struct token *t = idmap_owner(node, struct token, by_hash);

		if (t->derived && t->standing == IN_TABLE && iterations_of(t) > max)
			set_token_stands(s, t, LEFT_OUT, SKIP_ITERATIONS);
	}
	s->wants_base |= changes;
	return changes;
}

void set_add_iterations(const struct tenant_set *s, struct snapshot_builder *b)
{
	uint32_t counts[SNAPSHOT_ITERATIONS_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < ARRAY_LEN(s->iterations); i++)
		if (s->iterations[i].tokens > 0)
			counts[n++] = s->iterations[i].count;
	snapshot_set_iterations(b, counts, n);
}
