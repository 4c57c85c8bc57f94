/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "common/loop.h"
#include "master/tenants_uses.c"

enum { NOW_S = 1764000000 };

static struct tenant_set *set;
static struct set_counts counts;
static uint64_t generation;
static uint32_t words[200];
static struct last_uses last = { words, 200 };
static struct token_use out[200];

static void open_set(void)
{
	log_setup(LOG_LEVEL_ERR, LOG_FORMAT_LOGFMT, NULL);
	loop_set_clock(INT64_C(1000000000), NOW_S * INT64_C(1000000000));
	set = set_new(10, 150);
}

static void close_set(void)
{
	set_free(set);
}

TestSuite(tenants_uses, .init = open_set, .fini = close_set);

static void with_token(unsigned n)
{
	uint8_t hash[HASH_BYTES] = { (uint8_t)n, (uint8_t)(n >> 8) };
	char id[8];

	snprintf(id, sizeof(id), "t%u", n);
	set_put_token(set, &(struct token_row){ .id = bytes_str(id),
	                                        .tenant = BYTES("acme"),
	                                        .kind = BYTES("sha256"),
	                                        .hash = bytes_of(hash, sizeof(hash)),
	                                        .scopes = SCOPE_ALL,
	                                        .not_before = INT64_MIN,
	                                        .not_after = INT64_MAX });
}

static void build(void)
{
	set_apply(set, NULL, NULL);

	autoclose int fd = set_build(set, ++generation, &counts, NULL);

	cr_assert_geq(fd, 0);
	set_served(set, generation, NULL, NULL);
}

static void begin_with(unsigned tokens)
{
	set_begin(set, true);
	set_put_tenant(set, &(struct tenant_row){ .id = BYTES("acme") });
	for (unsigned n = 0; n < tokens; n++)
		with_token(n);
	build();
}

static uint32_t ordinal_of(const char *id)
{
	return token_of(idmap_find(&set->tokens, bytes_str(id)))->ordinal;
}

static void stored(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		set_use_stored(set, &out[i]);
}

Test(tenants_uses, only_tokens_that_were_used_since_are_told)
{
	begin_with(3);
	cr_assert_eq(set_uses(set, &last, out, 200), 0);
	words[ordinal_of("t1")] = NOW_S;
	cr_assert_eq(set_uses(set, &last, out, 200), 1);
	cr_assert(bytes_eq(out[0].id, BYTES("t1")));
	cr_assert_eq(out[0].at_s, NOW_S);
	cr_assert_eq(set_uses(set, &last, out, 200), 1, "not stored: told again");
	stored(1);
	cr_assert_eq(set_uses(set, &last, out, 200), 0);
	words[ordinal_of("t1")]++;
	cr_assert_eq(set_uses(set, &last, out, 200), 1);
}

/* O10 */
Test(tenants_uses, a_round_has_each_token_once_however_often_it_is_used_meanwhile)
{
	unsigned parts = 0, told = 0, n;

	begin_with(100);
	for (unsigned i = 0; i < 100; i++)
		words[i] = NOW_S;
	cr_assert(set_uses_begin(set));
	do {
		n = set_uses(set, &last, out, 30);
		stored(n);
		told += n;
		for (unsigned i = 0; i < 100; i++)
			words[i]++;
		parts++;
	} while (!set_uses_begin(set));
	cr_assert(parts >= 4 && parts <= 5, "%u", parts);
	cr_assert_eq(told, 100);
	cr_assert_eq(set_uses(set, &last, out, 200), 100);
	cr_assert(set_uses_begin(set));
}

/* The parts of each round end at the same tokens: nobody may stand behind such an end for ever. */
Test(tenants_uses, of_tokens_that_are_always_in_use_each_is_told)
{
	enum { TOKENS = 1000, PART = 30, ROUNDS = 3 };
	static uint32_t used[TOKENS];
	static const struct last_uses all = { used, TOKENS };
	unsigned never = 0;

	set_free(set);
	set = set_new(10, TOKENS);
	begin_with(TOKENS);
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = 0; i < TOKENS; i++)
			used[i] = NOW_S + 60 * round;
		do
			stored(set_uses(set, &all, out, PART));
		while (!set_uses_begin(set));
	}
	for (unsigned i = 0; i < TOKENS; i++)
		never += *stored_of(set, i) == 0;
	cr_assert_eq(never, 0, "%u of %d were never stored", never, TOKENS);
}

Test(tenants_uses, some_thousands_are_looked_at_at_a_time)
{
	unsigned parts = 0;

	set_free(set);
	set = set_new(10, 50000);
	begin_with(50000);
	words[ordinal_of("t77")] = NOW_S;
	for (unsigned told = 0; parts == 0 || !set_uses_begin(set); parts++) {
		told += set_uses(set, &last, out, 200);
		cr_assert_leq(told, 1);
	}
	cr_assert(parts == 3 || parts == 4, "%u", parts);
}

Test(tenants_uses, a_token_that_is_gone_or_left_out_is_not_told)
{
	begin_with(2);
	words[ordinal_of("t0")] = words[ordinal_of("t1")] = NOW_S;
	set_begin(set, false);
	set_drop_token(set, BYTES("t0"));
	set_skip(set, SKIP_OTHER, BYTES("t1"));
	build();
	cr_assert_eq(set_uses(set, &last, out, 200), 0);
}

Test(tenants_uses, a_new_token_does_not_inherit_the_last_use_of_who_had_its_ordinal)
{
	uint32_t ordinal;

	begin_with(1);
	ordinal = ordinal_of("t0");
	words[ordinal] = NOW_S - 5;
	set_begin(set, false);
	set_drop_token(set, BYTES("t0"));
	build();
	set_begin(set, false);
	with_token(7);
	build();
	cr_assert_eq(ordinal_of("t7"), ordinal);
	cr_assert_eq(set_uses(set, &last, out, 200), 0);
	set_use_stored(set, &(struct token_use){ BYTES("t0"), ordinal, NOW_S + 9 });
	words[ordinal] = NOW_S + 10;
	cr_assert_eq(set_uses(set, &last, out, 200), 1);
}

Test(tenants_uses, a_token_whose_row_changed_keeps_its_number)
{
	begin_with(1);
	words[ordinal_of("t0")] = NOW_S;
	set_begin(set, false);
	set_put_token(set,
	              &(struct token_row){ .id = BYTES("t0"),
	                                   .tenant = BYTES("acme"),
	                                   .kind = BYTES("sha256"),
	                                   .hash = bytes_of((uint8_t[HASH_BYTES]){ 9 }, HASH_BYTES),
	                                   .scopes = SCOPE_ALL,
	                                   .not_before = INT64_MIN,
	                                   .not_after = INT64_MAX });
	build();
	cr_assert_eq(set_uses(set, &last, out, 200), 1);
	cr_assert(bytes_eq(out[0].id, BYTES("t0")));
}

Test(tenants_uses, words_beyond_the_tokens_and_tokens_beyond_the_words_are_no_matter)
{
	struct last_uses few = { words, 1 };

	begin_with(150);
	for (unsigned i = 0; i < 200; i++)
		words[i] = NOW_S;
	cr_assert_eq(set_uses(set, &few, out, 200), 1);
	cr_assert_eq(set_uses(set, &last, out, 200), 150);
}
