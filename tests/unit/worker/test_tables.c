/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <fcntl.h>

#include "worker/tables.c"

static struct worker w;
static int master;

static void set_up(void)
{
	autoclose int page = stats_memfd(3, NULL);
	int pair[2];

	log_setup(LOG_LEVEL_ERR, LOG_FORMAT_LOGFMT, NULL);
	w.stats = stats_map(page, true, 3, NULL);
	cr_assert_eq(channel_pair(pair, NULL), 0);
	master = pair[0];
	w.channel = pair[1];
}

static void tear_down(void)
{
	tables_close(&w);
	close(master);
	close(w.channel);
	stats_unmap(w.stats);
}

TestSuite(tables, .init = set_up, .fini = tear_down);

static void digest_of(uint8_t n, uint8_t out[static TOKEN_DIGEST_BYTES])
{
	memset(out, n, TOKEN_DIGEST_BYTES);
}

/* Tokens 1 to 9 of one tenant. */
static int base_of(uint64_t generation)
{
	struct snapshot_builder *b = snapshot_builder_new(generation);
	struct snapshot_token t = { .id = BYTES("t"), .not_after = INT64_MAX };
	int fd;

	snapshot_add_tenant(b, &(struct snapshot_tenant){ .id = BYTES("acme") });
	for (uint8_t n = 1; n < 10; n++) {
		digest_of(n, t.digest);
		snapshot_add_token(b, &t);
	}
	fd = snapshot_seal(b, NULL);
	snapshot_builder_free(b);
	return fd;
}

/* Without token `gone`. */
static int delta_of(uint64_t generation, uint64_t base, uint8_t gone)
{
	struct snapshot_delta of = { .base = base, .base_tenants = 1 };
	struct snapshot_builder *b = snapshot_builder_new_delta(generation, &of);
	uint8_t digest[TOKEN_DIGEST_BYTES];
	int fd;

	digest_of(gone, digest);
	snapshot_add_tombstone(b, digest);
	snapshot_set_totals(b, 1, 8);
	fd = snapshot_seal(b, NULL);
	snapshot_builder_free(b);
	return fd;
}

static void take_base(uint64_t generation, bool delta_follows)
{
	autoclose int fd = base_of(generation);

	tables_take_base(&w, generation, delta_follows, fd);
}

static void take_delta(uint64_t generation, uint64_t base, uint8_t gone)
{
	autoclose int fd = delta_of(generation, base, gone);

	tables_take_delta(&w, generation, fd);
}

static bool knows(uint8_t n)
{
	struct snapshot_hit hit;
	uint8_t digest[TOKEN_DIGEST_BYTES];

	digest_of(n, digest);
	return w.table && snapshot_find(w.table, digest, &hit);
}

/* What the master is told next; MSG_NONE: nothing. */
static enum message told(uint64_t *generation)
{
	struct channel_msg m;

	if (channel_recv(master, &m, NULL) <= 0)
		return MSG_NONE;
	*generation = m.arg;
	return m.type;
}

static void says(enum message type, uint64_t generation)
{
	uint64_t which = 0, more;

	cr_assert_eq(told(&which), type);
	cr_assert_eq(which, generation);
	cr_assert_eq(told(&more), MSG_NONE, "once for each table");
}

Test(tables, a_base_is_served_at_once_and_confirmed)
{
	take_base(1, false);
	says(MSG_TABLE_OK, 1);
	cr_assert(knows(1) && knows(9) && !knows(10));
	cr_assert_eq(atomic_load(&stats_head(w.stats)->table_generation), 1);
}

Test(tables, a_delta_is_laid_over_the_base_that_serves)
{
	take_base(1, false);
	says(MSG_TABLE_OK, 1);
	take_delta(2, 1, 5);
	says(MSG_TABLE_OK, 2);
	cr_assert(!knows(5) && knows(4));
	take_delta(3, 1, 4);
	says(MSG_TABLE_OK, 3);
	cr_assert(knows(5) && !knows(4));
}

/* The base alone would let token 5 in again, for as long as the delta takes to come. */
Test(tables, a_base_whose_delta_follows_is_served_with_it_never_before)
{
	take_base(1, false);
	take_delta(2, 1, 5);
	cr_assert_not(knows(5));
	take_base(3, true);
	cr_assert_not(knows(5), "the old pair serves");
	cr_assert_eq(snapshot_generation(w.table), 2);
	take_delta(4, 3, 6);
	cr_assert(knows(5) && !knows(6));
	cr_assert_eq(snapshot_generation(w.table), 4);
}

Test(tables, a_worker_that_starts_knows_nobody_until_the_pair_is_there)
{
	take_base(3, true);
	cr_assert_null(w.table);
	take_delta(4, 3, 6);
	says(MSG_TABLE_OK, 4);
	cr_assert(knows(5) && !knows(6));
}

/* F31 */
Test(tables, a_delta_without_its_base_is_refused_and_the_old_table_serves)
{
	take_delta(2, 1, 5);
	says(MSG_TABLE_BAD, 2);
	cr_assert_null(w.table);
	take_base(1, false);
	says(MSG_TABLE_OK, 1);
	take_delta(9, 8, 5);
	says(MSG_TABLE_BAD, 9);
	cr_assert(knows(5));
	cr_assert_eq(stats_get(w.stats, STAT_TABLES_REFUSED, 0, 0), 2);
	take_base(8, true); /* as the master answers */
	take_delta(9, 8, 5);
	says(MSG_TABLE_OK, 9);
	cr_assert_not(knows(5));
}

/* F31 */
Test(tables, of_a_pair_with_a_broken_part_neither_is_served_and_one_answer_is_given)
{
	autoclose int broken = open("/dev/null", O_RDONLY | O_CLOEXEC);

	take_base(1, false);
	says(MSG_TABLE_OK, 1);
	tables_take_base(&w, 2, true, broken);
	take_delta(3, 2, 5);
	says(MSG_TABLE_BAD, 3);
	cr_assert(knows(5));
	take_base(4, true);
	tables_take_delta(&w, 5, broken);
	says(MSG_TABLE_BAD, 5);
	cr_assert_eq(snapshot_generation(w.table), 1);
	take_delta(6, 1, 5);
	says(MSG_TABLE_OK, 6);
	cr_assert_not(knows(5));
}
