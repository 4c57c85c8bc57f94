/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "master/tenants_derived.c"

static struct tenant_set *set;
static struct set_counts counts;
static uint64_t generation;
static struct snapshot *table;
static unsigned deltas;

static void open_set(void)
{
	log_setup(LOG_LEVEL_ERR, LOG_FORMAT_LOGFMT, NULL);
	set = set_new(10, 100);
}

static void close_set(void)
{
	snapshot_unmap(table);
	set_free(set);
}

TestSuite(tenants_derived, .init = open_set, .fini = close_set);

/* As tenants.c does. */
static void build(void)
{
	bool delta;

	set_apply(set, NULL, NULL);
	delta = table && set_delta_will_do(set);

	autoclose int fd = delta ? set_build_delta(set, ++generation, &counts, NULL)
	                         : set_build(set, ++generation, &counts, NULL);

	if (delta) {
		cr_assert_eq(snapshot_set_delta(table, fd, NULL), 0);
		deltas++;
		return;
	}
	snapshot_unmap(table);
	table = snapshot_map(fd, NULL);
	cr_assert(table);
}

static void with_tenant(enum tenant_state state)
{
	set_put_tenant(set, &(struct tenant_row){ .id = BYTES("acme"), .state = state });
}

/* A key whose derived bytes are 20 times n. */
static void with_key(uint8_t n, uint32_t iterations)
{
	uint8_t derived[SNAPSHOT_PBKDF2_BYTES];
	char id[8];

	memset(derived, n, sizeof(derived));
	snprintf(id, sizeof(id), "k%u", n);
	set_put_token(set, &(struct token_row){ .id = bytes_str(id),
	                                        .tenant = BYTES("acme"),
	                                        .kind = BYTES("pbkdf2"),
	                                        .hash = bytes_of(derived, sizeof(derived)),
	                                        .iterations = iterations,
	                                        .scopes = SCOPE_ALL,
	                                        .not_before = INT64_MIN,
	                                        .not_after = INT64_MAX });
}

static void without_key(uint8_t n)
{
	char id[8];

	snprintf(id, sizeof(id), "k%u", n);
	set_drop_token(set, bytes_str(id));
}

static bool grants(uint8_t n, uint32_t iterations)
{
	uint8_t derived[SNAPSHOT_PBKDF2_BYTES], digest[TOKEN_DIGEST_BYTES];
	struct snapshot_hit hit;

	memset(derived, n, sizeof(derived));
	snapshot_key(derived, iterations, digest);
	return snapshot_find(table, digest, &hit);
}

static bool derives(uint32_t iterations)
{
	uint32_t now[SNAPSHOT_ITERATIONS_MAX];
	unsigned n = snapshot_iterations(table, now);

	for (unsigned i = 0; i < n; i++)
		if (now[i] == iterations)
			return true;
	return false;
}

static unsigned derivations(void)
{
	uint32_t now[SNAPSHOT_ITERATIONS_MAX];

	return snapshot_iterations(table, now);
}

static void begin_with(unsigned keys)
{
	set_begin(set, true);
	with_tenant(TENANT_ACTIVE);
	for (unsigned n = 1; n <= keys; n++)
		with_key((uint8_t)n, n * 1000);
	build();
}

Test(tenants_derived, a_table_without_keys_asks_for_no_derivation)
{
	begin_with(0);
	cr_assert_eq(derivations(), 0);
}

Test(tenants_derived, a_key_is_found_by_what_the_derivation_gives_and_its_iterations)
{
	begin_with(2);
	cr_assert_eq(counts.tokens, 2);
	cr_assert(grants(1, 1000) && grants(2, 2000));
	cr_assert_not(grants(1, 2000), "the same bytes of another number are another key's");
	cr_assert_eq(derivations(), 2);
	cr_assert(derives(1000) && derives(2000));
}

Test(tenants_derived, keys_of_one_number_share_a_derivation)
{
	set_begin(set, true);
	with_tenant(TENANT_ACTIVE);
	for (uint8_t n = 1; n <= 50; n++)
		with_key(n, 1000);
	build();
	cr_assert_eq(counts.tokens, 50);
	cr_assert_eq(derivations(), 1);
}

Test(tenants_derived, a_delta_says_the_numbers_of_base_and_delta_together)
{
	begin_with(1);
	set_begin(set, false);
	with_key(2, 5000);
	build();
	cr_assert_eq(deltas, 1);
	cr_assert(derives(1000) && derives(5000) && derivations() == 2);
	set_begin(set, false);
	without_key(1);
	build();
	cr_assert_eq(deltas, 2);
	cr_assert(derives(5000) && derivations() == 1, "of keys that are gone none is derived");
}

Test(tenants_derived, at_most_eight_numbers_and_a_key_beyond_waits_until_one_is_free)
{
	begin_with(8);
	cr_assert_eq(counts.tokens, 8);
	cr_assert_eq(counts.skipped[SKIP_ITERATIONS], 0);
	set_begin(set, false);
	with_key(9, 9000);
	with_key(10, 1000);
	build();
	cr_assert_eq(counts.skipped[SKIP_ITERATIONS], 1);
	cr_assert(grants(10, 1000), "a number that is there already takes no place");
	cr_assert_not(grants(9, 9000));
	cr_assert_eq(derivations(), 8);
	set_begin(set, false);
	without_key(3);
	build();
	cr_assert_eq(counts.skipped[SKIP_ITERATIONS], 0);
	cr_assert(grants(9, 9000));
	cr_assert(derives(9000) && !derives(3000) && derivations() == 8);
}

Test(tenants_derived, keys_above_the_configured_number_are_left_out_and_free_their_places)
{
	begin_with(9);
	cr_assert_eq(counts.skipped[SKIP_ITERATIONS], 1);
	cr_assert(set_max_iterations(set, 2000));
	cr_assert_not(set_max_iterations(set, 2000));
	set_begin(set, false);
	build();
	cr_assert(grants(1, 1000) && grants(2, 2000));
	cr_assert_not(grants(3, 3000));
	cr_assert_eq(counts.skipped[SKIP_ITERATIONS], 7);
	cr_assert_eq(derivations(), 2);
	cr_assert(set_max_iterations(set, 100000));
	set_begin(set, false);
	build();
	cr_assert_eq(counts.skipped[SKIP_ITERATIONS], 1);
	cr_assert_eq(derivations(), 8);
}

Test(tenants_derived, a_revoked_key_is_still_derived_so_that_it_is_said_to_be_revoked)
{
	begin_with(1);
	set_begin(set, false);
	set_put_token(set, &(struct token_row){ .id = BYTES("k1"),
	                                        .tenant = BYTES("acme"),
	                                        .kind = BYTES("pbkdf2"),
	                                        .hash = BYTES("\1\1\1\1\1\1\1\1\1\1"
	                                                      "\1\1\1\1\1\1\1\1\1\1"),
	                                        .iterations = 1000,
	                                        .scopes = SCOPE_ALL,
	                                        .revoked = true,
	                                        .not_before = INT64_MIN,
	                                        .not_after = INT64_MAX });
	build();
	cr_assert(grants(1, 1000) && derives(1000));
}

Test(tenants_derived, a_tenant_that_goes_takes_its_keys_with_it)
{
	begin_with(8);
	set_begin(set, true);
	build();
	cr_assert_eq(derivations(), 0);
	begin_with(8);
	cr_assert_eq(derivations(), 8);
}
