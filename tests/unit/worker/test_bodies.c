/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include "worker/bodies.c"

Test(bodies, a_buffer_holds_what_the_capacity_said)
{
	static const size_t sizes[] = { 0,     1,      2048,    2049,    8192,    65536,
		                        65537, 262144, 1048576, 4194304, 4194305, 20971520 };
	struct bodies *b = bodies_new();

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct body *body = body_get(b, sizes[i]);

		cr_assert_geq(body->cap, sizes[i]);
		cr_assert_eq(body->cap, body_capacity(sizes[i]));
		cr_assert_eq((uintptr_t)body->data % 64, 0);
		memset(body->data, 0x5a, body->cap + BODY_SLACK);
		body_put(b, body);
	}
	cr_assert_eq(b->live, 0);
	bodies_free(b);
}

/* B16 */
Test(bodies, a_warmed_worker_gets_the_same_buffers_again)
{
	struct bodies *b = bodies_new();
	struct body *first = body_get(b, 5000), *second = body_get(b, 5000);

	body_put(b, first);
	body_put(b, second);
	for (int i = 0; i < 10; i++) {
		struct body *again = body_get(b, 3000 + (size_t)i);

		cr_assert(again == second);
		body_put(b, again);
	}
	bodies_free(b);
}

Test(bodies, two_owners_never_share_a_buffer)
{
	struct bodies *b = bodies_new();
	struct body *held[64];

	for (size_t i = 0; i < ARRAY_LEN(held); i++) {
		held[i] = body_get(b, 2000);
		memset(held[i]->data, (int)i, held[i]->cap + BODY_SLACK);
	}
	for (size_t i = 0; i < ARRAY_LEN(held); i++) {
		cr_assert_eq(held[i]->data[0], i);
		cr_assert_eq(held[i]->data[held[i]->cap + BODY_SLACK - 1], i);
		body_put(b, held[i]);
	}
	bodies_free(b);
}

Test(bodies, kept_buffers_make_the_process_hardly_larger_than_live_ones_did)
{
	struct bodies *b = bodies_new();
	struct body *held[64];
	size_t i;

	for (i = 0; i < 8; i++)
		held[i] = body_get(b, MIB);
	for (i = 0; i < 8; i++)
		body_put(b, held[i]);
	cr_assert_eq(b->kept, 8 * MIB);
	for (i = 0; i < 32; i++) { /* another class: the old buffers make room */
		held[i] = body_get(b, 256 * KIB);
		cr_assert_leq(b->live + b->kept, 8 * MIB + SPARE);
	}
	cr_assert_eq(b->live, 8 * MIB);
	cr_assert_leq(b->kept, SPARE);
	for (i = 0; i < 32; i++)
		body_put(b, held[i]);
	bodies_free(b);
}

/* B16; what was written tells: a new mapping is zero, wherever it lies */
Test(bodies, a_request_through_several_classes_keeps_its_buffers)
{
	struct bodies *b = bodies_new();

	for (int i = 0; i < 5; i++) {
		struct body *wire = body_get(b, 70 * KIB), *inflated = body_get(b, 440 * KIB);
		struct body *stamped;

		body_put(b, wire);
		stamped = body_get(b, 480 * KIB);
		if (i)
			cr_assert(inflated->data[0] == 1 && stamped->data[0] == 1);
		inflated->data[0] = stamped->data[0] = 1;
		body_put(b, inflated);
		body_put(b, stamped);
	}
	bodies_free(b);
}

/* B20: counted here, mapped and unmapped there; whoever gets it last may do both. */
Test(bodies, a_large_buffer_counts_the_same_in_two_halves)
{
	struct bodies *b = bodies_new();
	struct body *kept = body_get(b, MIB), *large;

	cr_assert_not(body_is_large(4 * MIB));
	cr_assert(body_is_large(4 * MIB + 1));
	body_put(b, kept);
	bodies_count_large(b, 5 * MIB + 1);
	large = body_map(5 * MIB + 1);
	cr_assert_eq(large->cap, body_capacity(5 * MIB + 1));
	memset(large->data, 1, large->cap);
	cr_assert_eq(b->live, large->cap);
	cr_assert_eq(b->peak, large->cap);
	body_put(b, large);
	cr_assert_eq(b->live, 0);
	large = body_get(b, 5 * MIB + 1);
	bodies_forget_large(b, large->cap);
	body_unmap(large);
	cr_assert_eq(b->live, 0);
	bodies_free(b);
}

Test(bodies, nothing_given_back_is_nothing)
{
	struct bodies *b = bodies_new();

	body_put(b, NULL);
	bodies_free(b);
	bodies_free(NULL);
}

Test(bodies, a_size_that_no_machine_has_overflows_nothing)
{
	cr_assert_eq(body_capacity(SIZE_MAX), SIZE_MAX);
	cr_assert_eq(body_capacity(4 * MIB + 1), 4 * MIB + 64 * KIB);
}
