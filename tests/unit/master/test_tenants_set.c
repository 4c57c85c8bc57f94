/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/resource.h>

#include "master/tenants_set.c"

static struct tenant_set *set;
static struct set_counts counts;
static uint64_t generation;
static struct snapshot *table;
static unsigned deltas;

static void open_set(void)
{
	log_setup(LOG_LEVEL_ERR, LOG_FORMAT_LOGFMT, NULL);
	set = set_new(100, 1000);
}

static void close_set(void)
{
	snapshot_unmap(table);
	set_free(set);
}

TestSuite(tenants_set, .init = open_set, .fini = close_set);

static void with_tenant(const char *id)
{
	set_put_tenant(set, &(struct tenant_row){ .id = bytes_str(id) });
}

/* A row whose hash is 32 times `hash`. */
static uint8_t hashes[256][HASH_BYTES];

static struct token_row token(const char *id, const char *tenant, uint8_t hash)
{
	memset(hashes[hash], hash, HASH_BYTES);
	return (struct token_row){ .id = bytes_str(id),
		                   .tenant = bytes_str(tenant),
		                   .kind = BYTES("sha256"),
		                   .hash = bytes_of(hashes[hash], HASH_BYTES),
		                   .scopes = SCOPE_ALL,
		                   .not_before = INT64_MIN,
		                   .not_after = INT64_MAX };
}

static void with_token(const char *id, const char *tenant, uint8_t hash)
{
	struct token_row row = token(id, tenant, hash);

	set_put_token(set, &row);
}

/* As tenants.c does: a delta where it will do. */
static struct set_change build(void)
{
	struct set_change change = set_apply(set, NULL, NULL);
	bool delta = table && set_delta_will_do(set);
	autoclose int fd = delta ? set_build_delta(set, ++generation, &counts, NULL)
	                         : set_build(set, ++generation, &counts, NULL);

	if (delta) {
		cr_assert_eq(snapshot_set_delta(table, fd, NULL), 0);
		deltas++;
		return change;
	}
	snapshot_unmap(table);
	table = snapshot_map(fd, NULL);
	cr_assert(table);
	return change;
}

/* The same, where a delta may find no room for what it has to say. */
static void build_or_base(void)
{
	struct err err = { "" };
	int fd;

	set_apply(set, NULL, NULL);
	cr_assert(set_delta_will_do(set));
	fd = set_build_delta(set, ++generation, &counts, &err);
	if (fd >= 0) {
		cr_assert_eq(snapshot_set_delta(table, fd, NULL), 0);
		deltas++;
	} else {
		cr_assert_str_eq(err.text, "too many hashes begin alike for a delta");
		cr_assert_not(set_delta_will_do(set));
		fd = set_build(set, generation, &counts, NULL);
		snapshot_unmap(table);
		table = snapshot_map(fd, NULL);
		cr_assert(table);
	}
	close(fd);
}

static struct snapshot_hit hit;
static struct hasher *hasher;

static bool grants(uint8_t hash)
{
	uint8_t digest[TOKEN_DIGEST_BYTES];

	memset(digest, hash, sizeof(digest));
	return snapshot_find(table, digest, &hit);
}

static void begin_with_two(void)
{
	set_begin(set, true);
	with_tenant("acme");
	with_tenant("globex");
	with_token("tok1", "acme", 1);
	with_token("tok2", "globex", 2);
}

Test(tenants_set, rows_become_a_table)
{
	struct set_change change;

	begin_with_two();
	change = build();
	cr_assert_eq(change.changes, 4);
	cr_assert_not(change.lost);
	cr_assert_eq(counts.tenants, 2);
	cr_assert_eq(counts.tokens, 2);
	cr_assert(grants(1) && bytes_eq(hit.tenant_id, BYTES("acme")) &&
	          bytes_eq(hit.token_id, BYTES("tok1")));
	cr_assert(grants(2) && bytes_eq(hit.tenant_id, BYTES("globex")));
	cr_assert_not(grants(3));
}

Test(tenants_set, the_same_rows_again_change_nothing)
{
	begin_with_two();
	build();
	begin_with_two();
	cr_assert_eq(set->op_count, 0);
	cr_assert_eq(build().changes, 0);
	cr_assert(grants(1) && grants(2));
}

Test(tenants_set, a_full_read_drops_what_it_did_not_have)
{
	struct set_change change;

	begin_with_two();
	build();
	set_begin(set, true);
	with_tenant("acme");
	with_token("tok1", "acme", 1);
	change = build();
	cr_assert_eq(change.changes, 2);
	cr_assert(change.lost);
	cr_assert(grants(1));
	cr_assert_not(grants(2));
}

Test(tenants_set, a_read_of_changes_keeps_all_else)
{
	struct set_change change;

	begin_with_two();
	build();
	set_begin(set, false);
	with_token("tok3", "acme", 3);
	set_drop_token(set, BYTES("tok2"));
	set_drop_token(set, BYTES("never there"));
	change = build();
	cr_assert_eq(change.changes, 2);
	cr_assert(change.lost);
	cr_assert(grants(1) && grants(3));
	cr_assert_not(grants(2));
}

Test(tenants_set, an_aborted_read_leaves_all_as_it_was)
{
	begin_with_two();
	build();
	set_begin(set, true);
	with_tenant("acme");
	with_token("tok1", "acme", 9);
	set_drop_token(set, BYTES("tok2"));
	set_abort(set);
	set_begin(set, false);
	cr_assert_eq(build().changes, 0);
	cr_assert(grants(1) && grants(2));
	cr_assert_not(grants(9));
}

Test(tenants_set, only_who_loses_a_right_counts_as_lost)
{
	struct token_row row = token("tok1", "acme", 1);

	begin_with_two();
	build();
	set_begin(set, false);
	row.replaced = true;
	row.not_after = 5;
	set_put_token(set, &row);
	cr_assert_not(build().lost);
	set_begin(set, false);
	row.revoked = true;
	set_put_token(set, &row);
	cr_assert(build().lost);
	cr_assert(grants(1) && hit.revoked && hit.replaced && hit.not_after == 5);
	set_begin(set, false);
	set_put_tenant(set, &(struct tenant_row){ .id = BYTES("acme"), .state = TENANT_SUSPENDED });
	cr_assert(build().lost);
	cr_assert(grants(1) && hit.tenant_state == TENANT_SUSPENDED);
}

Test(tenants_set, a_changed_key_leaves_the_old_hash_without_rights)
{
	begin_with_two();
	build();
	set_begin(set, false);
	with_token("tok1", "acme", 7);
	cr_assert(build().lost);
	cr_assert(grants(7));
	cr_assert_not(grants(1));
}

Test(tenants_set, a_token_may_move_to_another_tenant)
{
	begin_with_two();
	build();
	set_begin(set, false);
	with_token("tok1", "globex", 1);
	build();
	cr_assert(grants(1) && bytes_eq(hit.tenant_id, BYTES("globex")));
}

Test(tenants_set, ordinals_are_stable_and_not_inherited)
{
	uint32_t tenant, tok;

	begin_with_two();
	build();
	cr_assert(grants(2));
	tenant = hit.tenant_ordinal;
	tok = hit.token_ordinal;
	set_begin(set, false);
	set_put_tenant(set, &(struct tenant_row){ .id = BYTES("globex"), .block_until = 5 });
	with_token("tok2", "globex", 8);
	build();
	cr_assert(grants(8) && hit.tenant_ordinal == tenant && hit.token_ordinal == tok &&
	          hit.block_until == 5);
	cr_assert(bytes_eq(set_tenant_of(set, tenant), BYTES("globex")));

	set_begin(set, false);
	set_drop_tenant(set, BYTES("globex"));
	set_drop_token(set, BYTES("tok2"));
	build();
	cr_assert_eq(set_tenant_of(set, tenant).n, 0);
	set_begin(set, false);
	with_tenant("new");
	with_token("tok4", "new", 4);
	build();
	cr_assert(grants(4) && hit.tenant_ordinal != tenant && hit.token_ordinal != tok);

	cr_assert_not(set_served(set, 2, NULL, NULL));
	cr_assert(set_served(set, 3, NULL, NULL));
	set_begin(set, false);
	with_tenant("newer");
	with_token("tok5", "newer", 5);
	build();
	cr_assert(grants(5) && hit.tenant_ordinal == tenant && hit.token_ordinal == tok);
}

/* R28: one tenant more than the limit. */
Test(tenants_set, rows_beyond_the_limits_are_counted_and_all_others_served)
{
	char id[16];

	set_begin(set, true);
	for (int i = 0; i < 101; i++) {
		snprintf(id, sizeof(id), "t%d", i);
		with_tenant(id);
		with_token(id, id, (uint8_t)i);
	}
	build();
	cr_assert_eq(counts.tenants, 100);
	cr_assert_eq(counts.over[ROW_TENANT], 1);
	for (int i = 0; i < 100; i++) /* in the source's order */
		cr_assert(grants((uint8_t)i));
	cr_assert_not(grants(100));

	set_begin(set, false);
	set_drop_tenant(set, BYTES("t3"));
	build();
	cr_assert_eq(counts.over[ROW_TENANT], 1); /* workers may still serve the table with t3 */
	cr_assert(set_served(set, generation, NULL, NULL));
	set_begin(set, false);
	build();
	cr_assert_eq(counts.over[ROW_TENANT], 0);
	cr_assert(grants(100));
	cr_assert_not(grants(3));
}

Test(tenants_set, tokens_beyond_the_limit_are_counted)
{
	set_free(set);
	set = set_new(10, 2);
	begin_with_two();
	with_token("tok3", "acme", 3);
	build();
	cr_assert_eq(counts.over[ROW_TOKEN], 1);
	cr_assert(grants(1) && grants(2));
	cr_assert_not(grants(3));
}

Test(tenants_set, a_hash_under_two_tenants_grants_nothing_to_either)
{
	begin_with_two();
	with_token("thief", "globex", 1);
	build();
	cr_assert_eq(counts.skipped[SKIP_HASH_TWICE], 2);
	cr_assert_not(grants(1));
	cr_assert(grants(2));
	set_begin(set, false);
	set_drop_token(set, BYTES("thief"));
	build();
	cr_assert_eq(counts.skipped[SKIP_HASH_TWICE], 0);
	cr_assert(grants(1) && bytes_eq(hit.tenant_id, BYTES("acme")));
}

Test(tenants_set, of_one_tenants_rows_with_one_hash_the_revoked_one_wins)
{
	struct token_row row = token("zzz", "acme", 1);

	begin_with_two();
	with_token("aaa", "acme", 1);
	build();
	cr_assert(grants(1) && bytes_eq(hit.token_id, BYTES("aaa")) && !hit.revoked);
	set_begin(set, false);
	row.revoked = true;
	set_put_token(set, &row);
	build();
	cr_assert(grants(1) && bytes_eq(hit.token_id, BYTES("zzz")) && hit.revoked);
	cr_assert_eq(counts.skipped[SKIP_HASH_TWICE], 0);
}

static void breaks(enum skip_reason why, struct token_row row)
{
	begin_with_two();
	set_put_token(set, &row);
	build();
	cr_assert_eq(counts.skipped[why], 1, "reason %d", (int)why);
	cr_assert_eq(counts.tokens, 2);
	/* Gone again: counted no more. */
	begin_with_two();
	build();
	cr_assert_eq(counts.skipped[why], 0, "reason %d", (int)why);
}

Test(tenants_set, rows_that_break_a_rule_are_left_out_and_counted_while_they_are_there)
{
	static const struct snapshot_cidr cidrs[65];
	struct token_row row = token("x", "acme", 9);

	row.id = BYTES("a b");
	breaks(SKIP_TOKEN_ID, row);
	row = token("x", "acme", 9);
	row.kind = BYTES("md5");
	breaks(SKIP_KIND, row);
	row.kind = BYTES("pbkdf2");
	row.iterations = 1000;
	breaks(SKIP_HASH, row);
	row.hash.n = SNAPSHOT_PBKDF2_BYTES;
	row.iterations = 0;
	breaks(SKIP_ITERATIONS, row);
	row.iterations = 100001;
	breaks(SKIP_ITERATIONS, row);
	row = token("x", "acme", 9);
	row.hash.n = 31;
	breaks(SKIP_HASH, row);
	row = token("x", "acme", 9);
	row.scopes = SCOPE_ALL + 1;
	breaks(SKIP_SCOPE, row);
	breaks(SKIP_TENANT_UNKNOWN, token("x", "nobody", 9));
	breaks(SKIP_TENANT_UNKNOWN, token("x", "a|b", 9));
	row = token("x", "acme", 9);
	row.cidrs = cidrs;
	row.cidr_count = 65;
	breaks(SKIP_OTHER, row);
}

Test(tenants_set, tenants_with_a_bad_id_are_left_out_with_their_tokens)
{
	char longer[TENANT_ID_MAX + 2];

	memset(longer, 'a', sizeof(longer));
	begin_with_two();
	set_put_tenant(set, &(struct tenant_row){ .id = BYTES("a|b") });
	set_put_tenant(set, &(struct tenant_row){ .id = bytes_of(longer, TENANT_ID_MAX + 1) });
	set_put_tenant(set, &(struct tenant_row){ .id = BYTES("..") });
	build();
	cr_assert_eq(counts.skipped[SKIP_TENANT_ID], 3);
	cr_assert_eq(counts.tenants, 2);
}

/* records.md 1: with {tenant} in a prefix an id is part of a topic's name */
Test(tenants_set, tenants_whose_id_makes_no_topic_are_left_out_with_their_tokens)
{
	static const char *const ids[] = { "acme", "A-b_9", "a.b", "a!", "a'b", "a(b", "a*" };

	cr_assert(set_topic_bytes(set, 100));
	cr_assert_not(set_topic_bytes(set, 100));
	set_begin(set, true);
	for (uint8_t i = 0; i < ARRAY_LEN(ids); i++) {
		with_tenant(ids[i]);
		with_token((char[]){ 't', (char)('0' + i), 0 }, ids[i], (uint8_t)(i + 1));
	}
	build();
	cr_assert_eq(counts.tenants, 2);
	cr_assert_eq(counts.tokens, 2);
	cr_assert_eq(counts.skipped[SKIP_TENANT_TOPIC], 5);
	cr_assert_eq(counts.skipped[SKIP_TENANT_UNKNOWN], 0); /* they are known well */
	cr_assert(grants(1) && grants(2));
	for (uint8_t i = 2; i < ARRAY_LEN(ids); i++)
		cr_assert_not(grants((uint8_t)(i + 1)));
	/* Without {tenant} they come in, though no row was read again. */
	cr_assert(set_topic_bytes(set, 0));
	set_begin(set, false);
	build();
	cr_assert_eq(counts.tenants, 7);
	cr_assert_eq(counts.skipped[SKIP_TENANT_TOPIC], 0);
	for (uint8_t i = 0; i < ARRAY_LEN(ids); i++)
		cr_assert(grants((uint8_t)(i + 1)));
}

Test(tenants_set, a_topic_with_its_tenant_has_249_bytes_at_most)
{
	char id[TENANT_ID_MAX + 1];

	for (size_t n = TENANT_ID_MAX - 1; n <= TENANT_ID_MAX; n++) {
		memset(id, 'a', sizeof(id));
		id[n] = '\0';
		set_topic_bytes(set, 100);
		set_begin(set, true);
		with_tenant(id);
		build();
		cr_assert_eq(counts.tenants, n == 149);
		cr_assert_eq(counts.skipped[SKIP_TENANT_TOPIC], n == 150);
	}
	set_topic_bytes(set, 99);
	set_begin(set, false);
	build();
	cr_assert_eq(counts.tenants, 1);
}

Test(tenants_set, a_row_that_a_source_cannot_read_replaces_the_one_before)
{
	begin_with_two();
	build();
	set_begin(set, false);
	set_skip(set, SKIP_SCOPE, BYTES("tok1"));
	cr_assert(build().lost);
	cr_assert_eq(counts.skipped[SKIP_SCOPE], 1);
	cr_assert_not(grants(1));
	set_begin(set, false);
	with_token("tok1", "acme", 1);
	build();
	cr_assert_eq(counts.skipped[SKIP_SCOPE], 0);
	cr_assert(grants(1));
}

Test(tenants_set, a_tenant_that_comes_after_its_tokens_is_found)
{
	set_begin(set, true);
	with_token("tok1", "acme", 1);
	build();
	cr_assert_eq(counts.skipped[SKIP_TENANT_UNKNOWN], 1);
	cr_assert_not(grants(1));
	set_begin(set, false);
	with_tenant("acme");
	build();
	cr_assert_eq(counts.skipped[SKIP_TENANT_UNKNOWN], 0);
	cr_assert(grants(1));
	set_begin(set, false);
	set_drop_tenant(set, BYTES("acme"));
	build();
	cr_assert_not(grants(1));
}

Test(tenants_set, allowed_addresses_travel_with_their_token)
{
	struct snapshot_cidr cidrs[2] = { { { 1, 2 }, 16 }, { { 3 }, 8 } };
	struct token_row row = token("tok9", "acme", 9);

	row.cidrs = cidrs;
	row.cidr_count = 2;
	begin_with_two();
	set_put_token(set, &row);
	build();
	cr_assert(grants(9) && hit.cidr_count == 2 && hit.cidrs[0].prefix == 16 &&
	          hit.cidrs[1].addr[0] == 3);
	set_begin(set, false);
	cidrs[1].prefix = 9;
	set_put_token(set, &row);
	cr_assert_eq(build().changes, 1);
	cr_assert(grants(9) && hit.cidrs[1].prefix == 9);
}

/* ---- topic prefixes ---- */

static void with_prefix(const char *id, const char *prefix)
{
	set_put_tenant(set, &(struct tenant_row){ .id = bytes_str(id),
	                                          .topic_prefix = bytes_str(prefix) });
}

static bool has_prefix(uint8_t hash, const char *prefix)
{
	return grants(hash) && bytes_eq(hit.topic_prefix, bytes_str(prefix));
}

Test(tenants_set, a_topic_prefix_comes_changes_and_goes_by_deltas_that_keep_the_tokens)
{
	static const char *const prefixes[] = { "a.", "b.longer", "", "c" };

	begin_with_two();
	build();
	cr_assert(has_prefix(1, "") && has_prefix(2, ""));
	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		set_begin(set, false);
		with_prefix("acme", prefixes[i]);
		cr_assert_eq(build().changes, 1);
		cr_assert_eq(deltas, i + 1);
		cr_assert(has_prefix(1, prefixes[i]) && has_prefix(2, ""));
		set_begin(set, false);
		with_prefix("acme", prefixes[i]);
		cr_assert_eq(set_apply(set, NULL, NULL).changes, 0);
	}
	/* By a base the same. */
	set->wants_base = true;
	build();
	cr_assert_eq(deltas, ARRAY_LEN(prefixes));
	cr_assert(has_prefix(1, "c") && has_prefix(2, ""));
	/* With its row the prefix goes, and does not come back with the next one. */
	set_begin(set, false);
	set_drop_tenant(set, BYTES("acme"));
	build();
	set_begin(set, false);
	with_tenant("acme");
	build();
	cr_assert(has_prefix(1, ""));
}

Test(tenants_set, a_tenant_whose_prefix_makes_no_topic_is_left_out_until_it_does)
{
	struct prefix_rules rules = { .name_bytes = 245 }, longer = { .name_bytes = 246 };

	cr_assert_not(set_prefixes(set, &rules)); /* nobody has one */
	begin_with_two();
	with_prefix("acme", "1234");
	build();
	cr_assert(has_prefix(1, "1234") && grants(2));
	set_begin(set, false);
	with_prefix("acme", "12345");
	build();
	cr_assert(!grants(1) && grants(2));
	cr_assert_eq(counts.skipped[SKIP_TENANT_TOPIC], 1);
	cr_assert_eq(counts.tenants, 1);
	set_begin(set, false);
	with_prefix("acme", "1234");
	build();
	cr_assert(has_prefix(1, "1234"));
	cr_assert_eq(counts.skipped[SKIP_TENANT_TOPIC], 0);
	/* A reload may change it too, though no row was read again. */
	cr_assert(set_prefixes(set, &longer));
	cr_assert_not(set_prefixes(set, &longer));
	set_begin(set, false);
	build();
	cr_assert(!grants(1) && grants(2));
	set_begin(set, false);
	with_prefix("acme", "a/b"); /* the schema lets none in */
	build();
	cr_assert_eq(counts.skipped[SKIP_TENANT_TOPIC], 1);
	set_begin(set, false);
	with_tenant("acme");
	build();
	cr_assert(has_prefix(1, ""));
	cr_assert_eq(counts.skipped[SKIP_TENANT_TOPIC], 0);
}

/* Where its own prefix stands, its id stands in no topic. */
Test(tenants_set, a_tenant_with_a_prefix_may_have_any_id_where_the_ids_of_others_are_in_topics)
{
	set_topic_bytes(set, 100);
	set_begin(set, true);
	with_prefix("a.b", "x.");
	with_tenant("a.c");
	with_token("tok1", "a.b", 1);
	with_token("tok2", "a.c", 2);
	build();
	cr_assert(has_prefix(1, "x.") && !grants(2));
	cr_assert_eq(counts.skipped[SKIP_TENANT_TOPIC], 1);
}

Test(tenants_set, a_tenant_costs_no_more_for_a_prefix_that_it_does_not_have)
{
	cr_assert_leq(offsetof(struct tenant, text), 144u);
}

/* ---- hashes that begin alike ---- */

static uint8_t alike[200][HASH_BYTES];

static struct token_row alike_token(unsigned n)
{
	static char ids[200][8];
	struct token_row row = token("", "acme", 1);

	snprintf(ids[n], sizeof(ids[n]), "a%03u", n);
	memset(alike[n], 'a', HASH_BYTES);
	alike[n][HASH_BYTES - 1] = (uint8_t)n;
	row.id = bytes_str(ids[n]);
	row.hash = bytes_of(alike[n], HASH_BYTES);
	return row;
}

static unsigned alike_granted(unsigned from, unsigned to)
{
	unsigned granted = 0;

	for (unsigned n = from; n < to; n++)
		granted += snapshot_find(table, alike[n], &hit);
	return granted;
}

/* No table could be built any more, and nobody's token be revoked. */
Test(tenants_set, of_rows_whose_hashes_begin_alike_all_but_eight_are_left_out_and_counted)
{
	begin_with_two();
	for (unsigned n = 0; n < 65; n++) {
		struct token_row row = alike_token(n);

		set_put_token(set, &row);
	}
	build();
	cr_assert_eq(alike_granted(0, 65), 8);
	cr_assert(grants(1) && grants(2));
	cr_assert_eq(counts.tokens, 2 + 8);
	cr_assert_eq(counts.skipped[SKIP_HASH], 65 - 8);
	/* The next base, and a delta over it, say the same. */
	set->wants_base = true;
	build();
	cr_assert_eq(counts.skipped[SKIP_HASH], 65 - 8);
	set_begin(set, false);
	set_drop_token(set, BYTES("tok2"));
	build();
	cr_assert_eq(deltas, 1);
	cr_assert(grants(1) && !grants(2));
	cr_assert_eq(counts.skipped[SKIP_HASH], 65 - 8);
	/* All are gone: nothing is left of them. */
	set_begin(set, false);
	for (unsigned n = 0; n < 65; n++)
		set_drop_token(set, alike_token(n).id);
	build_or_base();
	cr_assert_eq(alike_granted(0, 65), 0);
	cr_assert_eq(counts.skipped[SKIP_HASH], 0);
	cr_assert_eq(counts.tokens, 1);
}

/* Else new rows could take the place that the tombstone of another needs. */
Test(tenants_set, a_revocation_that_finds_no_place_in_a_delta_is_in_the_base_that_follows)
{
	begin_with_two();
	for (unsigned n = 0; n < 8; n++) {
		struct token_row row = alike_token(n);

		set_put_token(set, &row);
	}
	build();
	cr_assert_eq(alike_granted(0, 8), 8);
	set_begin(set, false);
	for (unsigned n = 0; n < 8; n++)
		set_drop_token(set, alike_token(n).id);
	for (unsigned n = 100; n < 108; n++) {
		struct token_row row = alike_token(n);

		set_put_token(set, &row);
	}
	build_or_base();
	cr_assert_eq(deltas, 0);
	cr_assert_eq(alike_granted(0, 8), 0);
	cr_assert_eq(alike_granted(100, 108), 8);
	cr_assert_eq(counts.tokens, 2 + 8);
	cr_assert_eq(counts.skipped[SKIP_HASH], 0);
}

/* Live, by a table of all: nothing was read anew. */
Test(tenants_set, each_host_has_its_part_of_a_rate_and_never_none)
{
	struct tenant_row row = { .id = BYTES("acme"), .limits.max_body_bytes = 100 };
	struct token_row key = token("tok", "acme", 9);

	row.limits.rates[LIMIT_REQUESTS] = (struct gcra_rate){ 2, 40 };
	set_begin(set, true);
	set_put_tenant(set, &row);
	set_put_token(set, &key);
	build();
	cr_assert(grants(9) && hit.limits->rates[LIMIT_REQUESTS].per_s == 2);
	cr_assert(set_hosts(set, 4));
	cr_assert_not(set_hosts(set, 4));
	set_begin(set, false);
	build();
	cr_assert(grants(9));
	cr_assert_eq(hit.limits->rates[LIMIT_REQUESTS].per_s, 1);
	cr_assert_eq(hit.limits->rates[LIMIT_REQUESTS].burst, 10);
	cr_assert_eq(hit.limits->rates[LIMIT_BYTES].per_s, 0, "what has no limit gets none");
	cr_assert_eq(hit.limits->max_body_bytes, 100);
}

static char heard[256];

static void on_told(void *arg, const char *what, struct bytes tenant, struct bytes token_id)
{
	size_t n = strlen(heard);

	(void)arg;
	snprintf(heard + n, sizeof(heard) - n, "%s %.*s %.*s;", what, (int)tenant.n,
	         (const char *)tenant.p, (int)token_id.n, (const char *)token_id.p);
}

Test(tenants_set, each_change_is_told_without_a_hash)
{
	begin_with_two();
	build();
	set_begin(set, false);
	with_token("tok1", "acme", 9);
	with_token("tok3", "acme", 3);
	set_drop_tenant(set, BYTES("globex"));
	set_apply(set, on_told, NULL);
	cr_assert_str_eq(heard,
	                 "token.change acme tok1;token.add acme tok3;tenant.remove globex ;");
}

/* ---- a token id that comes twice ---- */

/* Rows of the id "t" in one read, in the given order; then of a second read in the order given. */
struct a_row {
	const char *tenant;
	uint8_t hash; /* 0: skipped for its scope */
};

static void read_doubles(const struct a_row *rows, const char *order)
{
	set_begin(set, true);
	set_expect_doubles(set);
	with_tenant("acme");
	with_tenant("globex");
	with_token("other", "acme", 9);
	for (; *order; order++) {
		const struct a_row *row = &rows[*order - '0'];

		if (row->hash)
			with_token("t", row->tenant, row->hash);
		else
			set_skip(set, SKIP_SCOPE, BYTES("t"));
	}
}

static const char *const orders[] = { "012", "021", "102", "120", "201", "210" };

/* Whatever the order of rows, and of those of the read before. */
static void clashes_as(const struct a_row rows[3], enum skip_reason why)
{
	for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
		read_doubles(rows, orders[i]);
		build();
		cr_assert_not(grants(1) || grants(2) || grants(3), "%s", orders[i]);
		cr_assert(grants(9));
		cr_assert_eq(counts.skipped[why], 1, "%s", orders[i]);
		for (size_t k = 0; k < ARRAY_LEN(orders); k++) {
			read_doubles(rows, orders[k]);
			cr_assert_eq(build().changes, 0, "%s after %s", orders[k], orders[i]);
		}
		/* And from a row that was alone before. */
		read_doubles(rows, "0");
		cr_assert_gt(build().changes, 0);
		cr_assert_eq(counts.skipped[why], 0);
		cr_assert_eq(grants(rows[0].hash), rows[0].hash != 0);
	}
}

/* R14: without a token_id, which then comes of the hash. */
Test(tenants_set, one_id_and_hash_under_two_tenants_grants_nothing_to_either)
{
	clashes_as((struct a_row[]){ { "acme", 1 }, { "globex", 1 }, { "acme", 1 } },
	           SKIP_HASH_TWICE);
}

Test(tenants_set, one_id_of_several_hashes_grants_nothing)
{
	clashes_as((struct a_row[]){ { "acme", 1 }, { "acme", 2 }, { "acme", 3 } }, SKIP_TOKEN_ID);
	clashes_as((struct a_row[]){ { "acme", 1 }, { "globex", 1 }, { "acme", 3 } },
	           SKIP_TOKEN_ID);
	clashes_as((struct a_row[]){ { "acme", 1 }, { "acme", 0 }, { "globex", 1 } },
	           SKIP_TOKEN_ID);
}

Test(tenants_set, the_same_row_twice_is_one_row)
{
	static const struct a_row rows[] = { { "acme", 1 } };

	read_doubles(rows, "000");
	cr_assert_eq(build().changes, 4);
	cr_assert(grants(1));
	cr_assert_eq(counts.tokens, 2);
	read_doubles(rows, "00");
	cr_assert_eq(build().changes, 0);
}

Test(tenants_set, rows_of_one_id_that_differ_in_anything_grant_nothing)
{
	struct token_row row = token("t", "acme", 1);

	set_begin(set, true);
	set_expect_doubles(set);
	with_tenant("acme");
	set_put_token(set, &row);
	row.scopes = 1;
	set_put_token(set, &row);
	build();
	cr_assert_not(grants(1));
	cr_assert_eq(counts.skipped[SKIP_TOKEN_ID], 1);
}

Test(tenants_set, a_clash_that_ends_grants_again_and_one_that_begins_is_a_loss)
{
	static const struct a_row rows[] = { { "acme", 1 }, { "globex", 1 } };

	read_doubles(rows, "0");
	build();
	cr_assert(grants(1));
	read_doubles(rows, "01");
	cr_assert(build().lost);
	cr_assert_not(grants(1));
	read_doubles(rows, "1");
	build();
	cr_assert(grants(1) && bytes_eq(hit.tenant_id, BYTES("globex")));
}

Test(tenants_set, doubles_of_a_read_given_up_leave_nothing_behind)
{
	static const struct a_row rows[] = { { "acme", 1 }, { "globex", 1 } };

	read_doubles(rows, "01");
	set_abort(set);
	read_doubles(rows, "0");
	build();
	cr_assert(grants(1));
	read_doubles(rows, "10");
	set_abort(set);
	read_doubles(rows, "0");
	cr_assert_eq(build().changes, 0);
	cr_assert(grants(1));
}

Test(tenants_set, what_changes_brought_a_full_read_still_drops)
{
	set_begin(set, false);
	with_tenant("acme");
	with_token("tok1", "acme", 1);
	with_token("tok2", "acme", 2);
	build();
	set_begin(set, true);
	with_tenant("acme");
	with_token("tok2", "acme", 2);
	build();
	cr_assert(!grants(1) && grants(2));
	set_begin(set, false);
	with_token("tok2", "acme", 3);
	with_token("tok4", "acme", 4);
	set_drop_token(set, BYTES("tok1"));
	build();
	set_begin(set, true);
	with_token("tok4", "acme", 4);
	set_abort(set);
	set_begin(set, true);
	with_tenant("acme");
	with_token("tok5", "acme", 5);
	build();
	cr_assert(!grants(2) && !grants(3) && !grants(4) && grants(5));
	cr_assert_eq(counts.tokens, 1);
}

/* ---- base and delta ---- */

Test(tenants_set, one_change_among_many_is_a_delta_of_one_entry)
{
	char id[16];

	set_begin(set, true);
	with_tenant("acme");
	for (int i = 0; i < 200; i++) {
		snprintf(id, sizeof(id), "t%d", i);
		with_token(id, "acme", (uint8_t)i);
	}
	build();
	set_begin(set, false);
	set_drop_token(set, BYTES("t7"));
	build();
	cr_assert_eq(deltas, 1);
	cr_assert_eq(set->dirty.count, 1);
	cr_assert_not(grants(7));
	cr_assert(grants(8));
	cr_assert_eq(counts.tokens, 199);
	cr_assert_eq(snapshot_tokens(table), 199);
	set_begin(set, false);
	with_token("t7", "acme", 7);
	build();
	cr_assert_eq(set->dirty.count, 1);
	cr_assert(grants(7));
	cr_assert_eq(counts.tokens, 200);
}

Test(tenants_set, a_tenant_that_changes_is_one_record_of_a_delta)
{
	begin_with_two();
	build();
	set_begin(set, false);
	set_put_tenant(set, &(struct tenant_row){ .id = BYTES("acme"), .state = TENANT_SUSPENDED });
	build();
	cr_assert_eq(deltas, 1);
	cr_assert_eq(set->dirty.count, 0);
	cr_assert(grants(1) && hit.tenant_state == TENANT_SUSPENDED);
	cr_assert(grants(2) && hit.tenant_state == TENANT_ACTIVE);
}

Test(tenants_set, a_tenant_whose_row_goes_before_its_tokens_is_said_by_a_base)
{
	begin_with_two();
	build();
	set_begin(set, false);
	set_drop_tenant(set, BYTES("acme"));
	build();
	cr_assert_eq(deltas, 0);
	cr_assert_not(grants(1));
	cr_assert_eq(counts.skipped[SKIP_TENANT_UNKNOWN], 1);
	set_begin(set, false);
	with_tenant("acme");
	build();
	cr_assert_eq(deltas, 0);
	cr_assert(grants(1));
	cr_assert_eq(counts.skipped[SKIP_TENANT_UNKNOWN], 0);
}

Test(tenants_set, a_tenant_that_goes_with_its_tokens_or_comes_with_them_is_said_by_a_delta)
{
	begin_with_two();
	build();
	set_begin(set, false);
	set_drop_tenant(set, BYTES("acme"));
	set_drop_token(set, BYTES("tok1"));
	build();
	cr_assert_eq(deltas, 1);
	cr_assert_not(grants(1));
	cr_assert_eq(counts.tenants, 1);
	set_begin(set, false);
	with_tenant("initech");
	with_token("tok3", "initech", 3);
	with_tenant("acme");
	with_token("tok1", "acme", 1);
	build();
	cr_assert_eq(deltas, 2);
	cr_assert(grants(3) && bytes_eq(hit.tenant_id, BYTES("initech")));
	cr_assert(grants(1) && bytes_eq(hit.tenant_id, BYTES("acme")));
	cr_assert_eq(counts.tenants, 3);
}

static void with_numbered(uint32_t first, uint32_t count)
{
	for (uint32_t i = first; i < first + count; i++) {
		struct token_row row = token("", "acme", 0);
		uint8_t hash[HASH_BYTES] = { 0 };
		char id[16];

		memcpy(hash, &i, sizeof(i));
		hash[31] = 1;
		snprintf(id, sizeof(id), "n%u", i);
		row.id = bytes_str(id);
		row.hash = bytes_of(hash, HASH_BYTES);
		set_put_token(set, &row);
	}
}

Test(tenants_set, a_delta_that_has_grown_large_ends_in_a_base)
{
	set_free(set);
	set = set_new(10, 1000000);
	begin_with_two();
	build();
	set_begin(set, false);
	with_numbered(0, SET_DELTA_MAX);
	build();
	cr_assert_eq(deltas, 1);
	cr_assert_eq(counts.tokens, SET_DELTA_MAX + 2);
	set_begin(set, false);
	with_numbered(SET_DELTA_MAX, 1);
	build();
	cr_assert_eq(deltas, 1, "a base");
	cr_assert_eq(set->dirty.count, 0);
	cr_assert_eq(snapshot_tokens(table), SET_DELTA_MAX + 3);
	set_begin(set, false);
	set_drop_token(set, BYTES("tok1"));
	build();
	cr_assert_eq(deltas, 2);
	cr_assert_eq(set->dirty.count, 1);
}

Test(tenants_set, a_table_that_could_not_be_made_is_made_up_for_by_a_base)
{
	struct rlimit none = { 0, 0 }, before;
	struct set_counts failed;
	struct err err = { "" };

	begin_with_two();
	build();
	set_begin(set, false);
	set_drop_token(set, BYTES("tok1"));
	set_apply(set, NULL, NULL);
	getrlimit(RLIMIT_NOFILE, &before);
	none.rlim_max = before.rlim_max;
	setrlimit(RLIMIT_NOFILE, &none);
	cr_assert(set_delta_will_do(set));
	cr_assert_eq(set_build_delta(set, ++generation, &failed, &err), -1);
	cr_assert_eq(set_build(set, ++generation, &failed, &err), -1);
	setrlimit(RLIMIT_NOFILE, &before);
	cr_assert_not(set_delta_will_do(set));
	set_begin(set, false);
	build();
	cr_assert_not(grants(1));
	cr_assert(grants(2));
}

/* Rows of any kind come, change and go; whatever the deltas say is what a base of the same rows
 * does. */
static uint32_t dice(uint32_t sides)
{
	static uint64_t state = 42;

	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(state >> 33) % sides;
}

static void put_any(struct tenant_set *const sets[2])
{
	static const char *const tenants[] = { "t0", "t1", "t2", "t3", "t4", "bad id" };
	const char *tenant = tenants[dice(ARRAY_LEN(tenants))];
	static const char *const prefixes[] = { "", "a.", "b.", "leaves.no.room" };
	uint32_t kind = dice(8), hash = dice(40);
	char id[16];
	struct token_row row;

	snprintf(id, sizeof(id), "tok%u", dice(60));
	row = token(id, tenant, (uint8_t)hash);
	row.revoked = dice(4) == 0;
	row.not_after = dice(3);
	if (dice(20) == 0)
		row.kind = BYTES("other");
	for (unsigned i = 0; i < 2; i++) {
		if (kind == 0)
			set_put_tenant(sets[i],
			               &(struct tenant_row){
					       .id = bytes_str(tenant),
					       .state = (enum tenant_state)(hash % 3),
					       .limits.max_body_bytes = hash % 2,
					       .topic_prefix = bytes_str(prefixes[hash % 4]) });
		else if (kind == 1)
			set_drop_tenant(sets[i], bytes_str(tenant));
		else if (kind == 2)
			set_drop_token(sets[i], bytes_str(id));
		else
			set_put_token(sets[i], &row);
	}
}

static void same_answers(const struct snapshot *a, const struct snapshot *b)
{
	static const char *const tenants[] = { "t0", "t1", "t2", "t3", "t4", "t5", "" };
	struct snapshot_hit one, two;

	for (unsigned i = 0; i < ARRAY_LEN(tenants); i++) {
		bool found = snapshot_find_tenant(a, hasher, bytes_str(tenants[i]), &one);

		cr_assert_eq(found, snapshot_find_tenant(b, hasher, bytes_str(tenants[i]), &two),
		             "%s", tenants[i]);
		cr_assert(!found || (bytes_eq(one.tenant_id, bytes_str(tenants[i])) &&
		                     one.tenant_state == two.tenant_state &&
		                     bytes_eq(one.topic_prefix, two.topic_prefix) &&
		                     memcmp(one.limits, two.limits, sizeof(*one.limits)) == 0),
		          "%s", tenants[i]);
	}
	for (unsigned hash = 0; hash < 40; hash++) {
		uint8_t digest[HASH_BYTES];
		bool found;

		memset(digest, (int)hash, sizeof(digest));
		found = snapshot_find(a, digest, &one);
		cr_assert_eq(found, snapshot_find(b, digest, &two), "hash %u", hash);
		if (!found)
			continue;
		cr_assert(bytes_eq(one.tenant_id, two.tenant_id), "hash %u", hash);
		cr_assert(bytes_eq(one.token_id, two.token_id), "hash %u", hash);
		cr_assert(bytes_eq(one.topic_prefix, two.topic_prefix), "hash %u", hash);
		cr_assert(one.tenant_state == two.tenant_state && one.revoked == two.revoked &&
		                  one.not_after == two.not_after,
		          "hash %u", hash);
	}
	cr_assert_eq(snapshot_tokens(a), snapshot_tokens(b));
	cr_assert_eq(snapshot_tenants(a), snapshot_tenants(b));
}

Test(tenants_set, whatever_happens_deltas_answer_as_a_base_of_the_same_rows_would)
{
	struct tenant_set *other = set_new(100, 1000), *const sets[2] = { set, other };
	struct prefix_rules rules = { .name_bytes = 240 };
	struct set_counts want;

	hasher = hasher_open(NULL);
	for (unsigned i = 0; i < 2; i++)
		set_prefixes(sets[i], &rules);
	for (unsigned round = 0; round < 3000; round++) {
		struct snapshot *whole;

		for (unsigned i = 0; i < 2; i++)
			set_begin(sets[i], false);
		for (uint32_t n = round == 0 ? 100 : 1 + dice(5); n > 0; n--)
			put_any(sets);
		build();
		set_apply(other, NULL, NULL);

		autoclose int fd = set_build(other, generation, &want, NULL);

		whole = snapshot_map(fd, NULL);
		same_answers(table, whole);
		snapshot_unmap(whole);
		cr_assert_eq(memcmp(&counts, &want, sizeof(counts)), 0, "round %u", round);
		set_served(set, generation, NULL, NULL);
		set_served(other, generation, NULL, NULL);
	}
	cr_assert_gt(deltas, 500);
	set_free(other);
	hasher_close(hasher);
}
