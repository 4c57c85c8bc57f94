/* SPDX-License-Identifier: Apache-2.0 */
/*
 * topic_table.c -- a list of names, and a hash table of their places in it at a load of a half.
 */
#include "worker/topic_table.h"

enum { FIRST_SLOTS = 64 };

struct topic_table {
	char **names;
	unsigned count, cap;
	uint32_t *slots; /* 1 + index; 0: free */
	unsigned slot_count; /* a power of two */
};

struct topic_table *topic_table_new(void)
{
	struct topic_table *t = xcalloc(1, sizeof(*t));

	t->slot_count = FIRST_SLOTS;
	t->slots = xcalloc(t->slot_count, sizeof(*t->slots));
	return t;
}

void topic_table_free(struct topic_table *t)
{
	if (!t)
		return;
	for (unsigned i = 0; i < t->count; i++)
		free(t->names[i]);
	free(t->names);
	free(t->slots);
	free(t);
}

static uint32_t hash(struct bytes name) /* FNV-1a */
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < name.n; i++)
		h = (h ^ name.p[i]) * 16777619u;
	return h;
}

/* The slot of that name, or the free one where it would stand. */
static uint32_t *find(const struct topic_table *t, struct bytes name)
{
	for (uint32_t i = hash(name);; i++) {
		uint32_t *slot = &t->slots[i & (t->slot_count - 1)];

		if (!*slot || bytes_eq(bytes_str(t->names[*slot - 1]), name))
			return slot;
	}
}

static void grow(struct topic_table *t)
{
	free(t->slots);
	t->slot_count *= 2;
	t->slots = xcalloc(t->slot_count, sizeof(*t->slots));
	for (unsigned i = 0; i < t->count; i++)
		*find(t, bytes_str(t->names[i])) = i + 1;
}

unsigned topic_table_add(struct topic_table *t, struct bytes name)
{
	uint32_t *slot = find(t, name);

	if (*slot)
		return *slot - 1;
	if (t->count == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 16;
		t->names = xrealloc(t->names, t->cap, sizeof(*t->names));
	}
	t->names[t->count++] = xstrndup((const char *)name.p, name.n);
	*slot = t->count;
	if (2 * t->count > t->slot_count)
		grow(t);
	return t->count - 1;
}

unsigned topic_table_count(const struct topic_table *t)
{
	return t->count;
}

const char *topic_table_name(const struct topic_table *t, unsigned topic)
{
	assert(topic < t->count);
	return t->names[topic];
}
