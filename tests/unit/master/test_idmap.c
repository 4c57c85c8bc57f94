/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "master/idmap.c"

struct thing {
	struct idmap_node node;
	struct bytes id;
	char name[16];
	unsigned seen;
};

static struct bytes thing_id(const struct idmap_node *node)
{
	return idmap_owner(node, struct thing, node)->id;
}

static struct thing things[1000];

static void fill(struct idmap *m)
{
	idmap_init(m, thing_id);
	for (unsigned i = 0; i < ARRAY_LEN(things); i++) {
		snprintf(things[i].name, sizeof(things[i].name), "thing-%u", i);
		things[i].id = bytes_str(things[i].name);
		idmap_add(m, &things[i].node);
	}
}

Test(idmap, what_was_added_is_found_and_what_was_removed_is_not)
{
	struct idmap m;

	fill(&m);
	cr_assert_eq(m.count, 1000);
	for (unsigned i = 0; i < ARRAY_LEN(things); i += 2)
		idmap_remove(&m, &things[i].node);
	cr_assert_eq(m.count, 500);
	for (unsigned i = 0; i < ARRAY_LEN(things); i++) {
		struct idmap_node *node = idmap_find(&m, bytes_str(things[i].name));

		cr_assert_eq(node, i % 2 ? &things[i].node : NULL);
	}
	cr_assert_null(idmap_find(&m, BYTES_NONE));
	idmap_done(&m);
}

Test(idmap, a_walk_meets_each_once_and_may_remove)
{
	struct idmap m;
	struct idmap_node *node, *next;

	fill(&m);
	for (node = idmap_next(&m, NULL); node; node = next) {
		next = idmap_next(&m, node);
		idmap_owner(node, struct thing, node)->seen++;
		idmap_remove(&m, node);
	}
	cr_assert_eq(m.count, 0);
	for (unsigned i = 0; i < ARRAY_LEN(things); i++)
		cr_assert_eq(things[i].seen, 1);
	idmap_done(&m);
}

Test(idmap, two_of_one_id_are_both_there)
{
	struct thing a = { .id = BYTES("same") }, b = { .id = BYTES("same") };
	struct idmap_node *one, *two;
	struct idmap m;

	fill(&m);
	idmap_add(&m, &a.node);
	idmap_add(&m, &b.node);
	one = idmap_find(&m, BYTES("same"));
	two = idmap_find_next(&m, one);
	cr_assert((one == &a.node && two == &b.node) || (one == &b.node && two == &a.node));
	cr_assert_null(idmap_find_next(&m, two));
	idmap_remove(&m, &b.node);
	cr_assert_eq(idmap_find(&m, BYTES("same")), &a.node);
	idmap_done(&m);
}

Test(idmap, ids_of_any_length_and_an_empty_one_are_fine)
{
	static const char text[100] = { 0 };
	static struct thing of_length[100];
	struct idmap m;

	idmap_init(&m, thing_id);
	for (unsigned n = 0; n < ARRAY_LEN(of_length); n++) {
		of_length[n].id = bytes_of(text, n);
		idmap_add(&m, &of_length[n].node);
	}
	for (unsigned n = 0; n < ARRAY_LEN(of_length); n++)
		cr_assert_eq(idmap_find(&m, bytes_of(text, n)), &of_length[n].node);
	idmap_done(&m);
}

Test(idmap, similar_ids_spread)
{
	struct idmap m;
	size_t longest = 0;

	fill(&m);
	for (size_t i = 0; i < m.buckets; i++) {
		size_t n = 0;

		for (struct idmap_node *node = m.bucket[i]; node; node = node->next)
			n++;
		longest = max_size(longest, n);
	}
	cr_assert_leq(longest, 12); /* 5 or 6 by chance */
	idmap_done(&m);
}

Test(idmap, room_asked_for_at_once_is_enough_and_loses_nothing)
{
	struct thing more = { .id = BYTES("more") };
	struct idmap m;
	size_t buckets;

	fill(&m);
	idmap_reserve(&m, 5000);
	buckets = m.buckets;
	cr_assert_geq(buckets, 6000);
	cr_assert_eq(idmap_find(&m, BYTES("thing-7")), &things[7].node);
	idmap_add(&m, &more.node);
	idmap_reserve(&m, 1);
	cr_assert_eq(m.buckets, buckets);
	idmap_done(&m);
}

Test(idmap, steps_go_where_next_does)
{
	struct idmap m;
	struct idmap_walk walk = { .m = &m };
	struct idmap_node *node = NULL;

	fill(&m);
	do {
		node = idmap_next(&m, node);
		cr_assert_eq(idmap_step(&walk), node);
	} while (node);
	cr_assert_null(idmap_step(&walk));
	idmap_done(&m);
}
