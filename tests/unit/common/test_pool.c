/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "common/pool.c"

static char order[16];
static void note(void *arg)
{
	strncat(order, arg, 1);
}

Test(pool, allocations_are_aligned_and_do_not_touch)
{
	struct pool *pool = pool_new(100);
	uint8_t *seen[300];

	for (size_t i = 0; i < ARRAY_LEN(seen); i++) {
		seen[i] = pool_alloc(pool, i);
		cr_assert_eq((uintptr_t)seen[i] % 16, 0);
		memset(seen[i], (int)i, i);
	}
	for (size_t i = 0; i < ARRAY_LEN(seen); i++)
		for (size_t k = 0; k < i; k++)
			cr_assert_eq(seen[i][k], (uint8_t)i);
	pool_free(pool);
}

Test(pool, a_large_allocation_gets_its_own_block)
{
	struct pool *pool = pool_new(0);
	uint8_t *p = pool_zalloc(pool, 3 * MIB);

	cr_assert_eq(p[3 * MIB - 1], 0);
	p[3 * MIB - 1] = 1;
	cr_assert_not_null(pool_alloc(pool, 1));
	pool_free(pool);
}

Test(pool, cleanups_run_newest_first_and_once)
{
	struct pool *pool = pool_new(0);

	pool_on_free(pool, note, "a");
	pool_on_free(pool, note, "b");
	pool_reset(pool);
	cr_assert_str_eq(order, "ba");
	pool_on_free(pool, note, "c");
	pool_free(pool);
	cr_assert_str_eq(order, "bac");
}

Test(pool, a_reset_reuses_the_first_block)
{
	struct pool *pool = pool_new(4096);
	void *first = pool_alloc(pool, 100);

	for (int i = 0; i < 100; i++)
		cr_assert_not_null(pool_alloc(pool, 1000));
	pool_reset(pool);
	cr_assert_null(pool->newest->older);
	cr_assert_eq(pool_alloc(pool, 100), first);
	pool_free(pool);
}

Test(pool, a_copy_is_apart_from_its_source)
{
	struct pool *pool = pool_new(0);
	char text[] = "tenant";
	struct bytes copy = pool_dup(pool, bytes_str(text));

	text[0] = 'X';
	cr_assert(bytes_of("tenant", 6).n == copy.n && memcmp(copy.p, "tenant", 6) == 0);
	cr_assert_eq(pool_dup(pool, BYTES_NONE).n, 0);
	pool_free(pool);
}

Test(pool, freeing_nothing_is_fine)
{
	pool_free(NULL);
}
