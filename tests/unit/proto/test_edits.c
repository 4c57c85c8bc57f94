/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/edits.c"

#include <criterion/criterion.h>

static struct edits e;
static uint8_t out[1000];

static void expect(const char *body, const char *value)
{
	struct bytes b = bytes_str(body);

	edits_sort(&e);
	cr_assert_eq(edits_out_bytes(&e, b.n), strlen(value));
	memset(out, '?', sizeof(out));
	edits_emit(&e, b, out);
	cr_expect(bytes_eq(bytes_of(out, strlen(value)), bytes_str(value)), "%.40s", (char *)out);
	cr_expect_eq(out[strlen(value)], '?', "nothing beyond");
}

Test(edits, none_leave_the_body_as_it_is)
{
	edits_init(&e);
	expect("hello", "hello");
	expect("", "");
	edits_done(&e);
}

Test(edits, insert_delete_and_replace_in_any_order_of_adding)
{
	edits_init(&e);
	edits_add(&e, 5, 0, BYTES("!"));
	edits_add(&e, 0, 1, BYTES("J"));
	edits_add(&e, 2, 2, BYTES_NONE);
	edits_varint(&e, 4, 1, 0x41);
	expect("hello", "JeA!");
	edits_done(&e);
}

Test(edits, of_equal_offset_keep_their_order)
{
	edits_init(&e);
	edits_add(&e, 3, 0, BYTES("1"));
	edits_add(&e, 1, 0, BYTES("2"));
	edits_add(&e, 1, 0, BYTES("3"));
	edits_add(&e, 1, 1, BYTES("4"));
	edits_add(&e, 0, 0, BYTES("5"));
	expect("abc", "5a234c1");
	edits_done(&e);
}

Test(edits, a_slot_does_nothing_until_it_is_filled_and_may_be_filled_again)
{
	size_t a, b;

	edits_init(&e);
	a = edits_slot(&e, 1);
	b = edits_slot(&e, 2);
	edits_add(&e, 3, 0, BYTES("-"));
	expect("abcd", "abc-d");
	edits_fill_varint(&e, a, 1, 300);
	edits_fill(&e, b, 1, BYTES("long text"));
	edits_fill(&e, b, 0, BYTES("x"));
	edits_fill_varint(&e, a, 1, 0x42);
	expect("abcd", "aBxc-d");
	edits_done(&e);
}

Test(edits, truncated_ones_are_forgotten_with_their_bytes)
{
	edits_init(&e);
	edits_add(&e, 0, 1, BYTES("A"));
	edits_add(&e, 1, 1, BYTES("BBB"));
	edits_varint(&e, 2, 1, 5);
	edits_truncate(&e, 1);
	expect("abc", "Abc");
	edits_done(&e);
}

Test(edits, random_lists_are_sorted_stably)
{
	uint32_t seed = 7;

	edits_init(&e);
	for (size_t n = 0; n < 300; n++) {
		edits_reset(&e);
		for (size_t i = 0; i < n; i++) {
			seed = seed * 1664525 + 1013904223;
			edits_add(&e, seed >> 27, i,
			          BYTES_NONE); /* del tells the order of adding */
		}
		edits_sort(&e);
		for (size_t i = 1; i < n; i++)
			cr_assert(e.list[i - 1].at < e.list[i].at ||
			          (e.list[i - 1].at == e.list[i].at &&
			           e.list[i - 1].del < e.list[i].del));
	}
	edits_done(&e);
}

Test(edits, beyond_the_maximum_they_fail_and_stay_failed)
{
	edits_init(&e);
	for (size_t i = 0; i < EDITS_MAX; i++)
		edits_add(&e, i, 0, BYTES("x"));
	cr_expect_not(e.failed);
	edits_add(&e, EDITS_MAX, 0, BYTES("x"));
	cr_expect(e.failed);
	edits_truncate(&e, 0);
	cr_expect_eq(edits_slot(&e, 0), EDIT_NONE);
	edits_fill(&e, EDIT_NONE, 1, BYTES("x"));
	edits_fill_varint(&e, EDIT_NONE, 1, 1);
	cr_expect(e.failed);
	edits_reset(&e);
	cr_expect_not(e.failed);
	edits_done(&e);
}

Test(edits, a_warmed_list_does_not_allocate)
{
	struct edit *list;

	edits_init(&e);
	for (size_t i = 0; i < 1000; i++)
		edits_add(&e, i, 0, BYTES("x"));
	list = e.list;
	edits_reset(&e);
	for (size_t i = 0; i < 1000; i++)
		edits_add(&e, i, 0, BYTES("x"));
	cr_expect_eq(e.list, list);
	edits_done(&e);
}

Test(edits, small_bytes_are_kept_in_the_list_itself)
{
	uint8_t few[10] = "0123456789";

	edits_init(&e);
	edits_small(&e, 1, 2, few, sizeof(few));
	edits_small(&e, 4, 0, few, 1);
	memset(few, 'x', sizeof(few));
	expect("abcde", "a0123456789d0e");
	edits_done(&e);
}

Test(edits, pieces_of_every_length_are_emitted_whole)
{
	static uint8_t body[100], ins[100];

	for (size_t i = 0; i < sizeof(body); i++) {
		body[i] = (uint8_t)i;
		ins[i] = (uint8_t)(100 + i);
	}
	for (size_t n = 0; n <= 80; n++) {
		edits_init(&e);
		edits_add(&e, n, 0, bytes_of(ins, n));
		memset(out, 0xee, sizeof(out));
		edits_emit(&e, bytes_of(body, sizeof(body)), out);
		cr_assert_eq(memcmp(out, body, n), 0, "%zu", n);
		cr_assert_eq(memcmp(out + n, ins, n), 0, "%zu", n);
		cr_assert_eq(memcmp(out + 2 * n, body + n, sizeof(body) - n), 0, "%zu", n);
		cr_assert_eq(out[sizeof(body) + n], 0xee, "%zu: one too many", n);
		edits_done(&e);
	}
}
