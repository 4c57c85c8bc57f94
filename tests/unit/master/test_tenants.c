/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <event2/event.h>

/* The file source's place is taken by a source that does what the test says. */
#define tenants_file fake_source
#include "master/tenants.c"
#undef tenants_file

static void *fake_open(struct event_base *base, const struct conf *conf, struct tenants *t,
                       struct err *err);
static void fake_close(void *source);
static void fake_poke(void *source);
const struct tenants_source fake_source = { "fake", fake_open, fake_close, fake_poke };

static struct event_base *base;
static struct stats *own;
static struct conf conf;
static struct tenants *t;
static unsigned opened, closed, poked, published, deltas, audited, retired;
static uint64_t last_generation;
static bool refuse_open;

static void *fake_open(struct event_base *b, const struct conf *c, struct tenants *tenants,
                       struct err *err)
{
	(void)b;
	(void)c;
	opened++;
	if (refuse_open) {
		err_set(err, "refused");
		return NULL;
	}
	return tenants;
}

static void fake_close(void *source)
{
	(void)source;
	closed++;
}

static void fake_poke(void *source)
{
	(void)source;
	poked++;
}

static void on_publish(void *arg, const struct tables *now)
{
	(void)arg;
	published++;
	deltas += now->delta_fd >= 0;
	last_generation = now->generation;
	cr_assert_geq(now->base_fd, 0);
	cr_assert_eq(now->delta_fd >= 0, now->base < now->generation);
}

static void on_audit(void *arg, const char *what, struct bytes tenant, struct bytes token)
{
	(void)arg;
	(void)what;
	(void)tenant;
	(void)token;
	audited++;
}

static void on_retired(void *arg, uint32_t ordinal)
{
	(void)arg;
	(void)ordinal;
	retired++;
}

static const struct tenants_hooks hooks = { .publish = on_publish,
	                                    .audit = on_audit,
	                                    .retired = on_retired };

static void open_tenants(void)
{
	autoclose int page = stats_memfd(3, NULL);

	log_setup(LOG_LEVEL_ERR, LOG_FORMAT_LOGFMT, NULL);
	loop_set_clock(1000000000000, 0);
	base = loop_open(NULL);
	own = stats_map(page, true, 3, NULL);
	conf.tenants.source = TENANTS_FILE;
	conf.tenants.file.path = "a";
	conf.limits.max_tenants = 2;
	conf.limits.max_tokens = 100;
	conf.limits.hosts = 1;
	t = tenants_open(base, &conf, own, &hooks, NULL);
	cr_assert(t);
}

static void close_tenants(void)
{
	tenants_close(t);
	stats_unmap(own);
	loop_close(base);
}

TestSuite(tenants, .init = open_tenants, .fini = close_tenants);

static void put_tenant(const char *id)
{
	tenants_put_tenant(t, &(struct tenant_row){ .id = bytes_str(id) });
}

static void put_token(const char *id, const char *tenant, bool revoked)
{
	uint8_t hash[TOKEN_DIGEST_BYTES];

	memset(hash, id[0], sizeof(hash));
	tenants_put_token(t, &(struct token_row){ .id = bytes_str(id),
	                                          .tenant = bytes_str(tenant),
	                                          .kind = BYTES("sha256"),
	                                          .hash = bytes_of(hash, sizeof(hash)),
	                                          .scopes = SCOPE_ALL,
	                                          .not_after = INT64_MAX,
	                                          .revoked = revoked });
}

static void read_acme(bool revoked)
{
	tenants_begin(t, true);
	put_tenant("acme");
	put_token("tok", "acme", revoked);
	cr_assert_eq(tenants_commit(t, loop_now_ns(), NULL), 0);
}

static void later(msec_t ms)
{
	loop_set_clock(loop_now_ns() + ms * 1000000, 0);
}

Test(tenants, before_the_first_read_there_is_no_table)
{
	cr_assert_eq(opened, 1);
	cr_assert_eq(poked, 1);
	cr_assert_eq(tenants_table(t), 0);
	cr_assert(stats_head(own)->ready_flags & READY_NO_TABLE);
}

Test(tenants, the_first_read_publishes_even_if_it_is_empty)
{
	tenants_begin(t, true);
	cr_assert_eq(tenants_commit(t, 0, NULL), 0);
	cr_assert_eq(published, 1);
	cr_assert_eq(last_generation, 1);
	cr_assert_eq(tenants_table(t), 1);
	cr_assert_not(stats_head(own)->ready_flags & READY_NO_TABLE);
}

Test(tenants, only_a_commit_that_changed_something_publishes)
{
	read_acme(false);
	read_acme(false);
	cr_assert_eq(published, 1);
	read_acme(true);
	cr_assert_eq(published, 2);
	cr_assert_eq(last_generation, 2);
	cr_assert_eq(stats_get(own, STAT_SNAPSHOTS, SNAPSHOT_OK, 0), 3);
}

Test(tenants, a_change_is_published_as_a_delta_of_the_base_that_stays)
{
	struct snapshot *s;
	struct snapshot_hit hit;
	uint8_t digest[TOKEN_DIGEST_BYTES];

	read_acme(false);
	read_acme(true);
	cr_assert_eq(deltas, 1);
	cr_assert_eq(t->tables.base, 1);
	memset(digest, 't', sizeof(digest));
	s = snapshot_map(t->tables.base_fd, NULL);
	cr_assert(s && snapshot_find(s, digest, &hit) && !hit.revoked);
	cr_assert_eq(snapshot_set_delta(s, t->tables.delta_fd, NULL), 0);
	cr_assert(snapshot_find(s, digest, &hit) && hit.revoked);
	snapshot_unmap(s);
}

Test(tenants, an_aborted_read_publishes_nothing_and_is_counted)
{
	read_acme(false);
	tenants_begin(t, true);
	tenants_abort(t);
	cr_assert_eq(published, 1);
	cr_assert_eq(stats_get(own, STAT_SNAPSHOTS, SNAPSHOT_FAILED, 0), 1);
	read_acme(false);
	cr_assert_eq(published, 1);
}

Test(tenants, the_table_is_sealed_and_holds_the_rows)
{
	struct snapshot *s;
	struct snapshot_hit hit;
	uint8_t digest[TOKEN_DIGEST_BYTES];

	read_acme(false);
	memset(digest, 't', sizeof(digest));
	s = snapshot_map(t->tables.base_fd, NULL);
	cr_assert(s && snapshot_find(s, digest, &hit));
	cr_assert_eq(snapshot_generation(s), 1);
	cr_assert(bytes_eq(hit.tenant_id, BYTES("acme")));
	snapshot_unmap(s);
}

Test(tenants, what_the_first_read_found_is_no_change_for_the_audit)
{
	read_acme(false);
	cr_assert_eq(audited, 0);
	read_acme(true);
	cr_assert_eq(audited, 1);
}

Test(tenants, a_large_change_is_told_in_part_and_then_in_one_line)
{
	char id[16];

	read_acme(false);
	tenants_begin(t, false);
	for (int i = 0; i < AUDIT_MAX + 10; i++) {
		snprintf(id, sizeof(id), "%d", i);
		put_token(id, "acme", false);
	}
	cr_assert_eq(tenants_commit(t, 0, NULL), 0);
	cr_assert_eq(audited, AUDIT_MAX + 1);
}

Test(tenants, the_time_to_the_last_worker_is_observed_for_lost_rights_only)
{
	read_acme(false);
	tenants_served(t, 1);
	cr_assert_eq(stats_get(own, STAT_REVOCATION, 0, 0), 0);
	read_acme(true);
	later(3);
	tenants_served(t, 1); /* some worker is behind */
	cr_assert_eq(stats_get(own, STAT_REVOCATION, 0, 0), 0);
	tenants_served(t, 2);
	cr_assert_eq(stats_get(own, STAT_REVOCATION, 0, 0), 1);
	tenants_served(t, 2);
	cr_assert_eq(stats_get(own, STAT_REVOCATION, 0, 0), 1);
}

Test(tenants, a_newer_table_ends_the_waiting_of_those_before)
{
	read_acme(false);
	for (int i = 0; i < 200; i++)
		read_acme(i % 2 == 0);
	cr_assert_leq(t->pending_count, PENDING_MAX);
	tenants_served(t, t->tables.generation);
	cr_assert_eq(t->pending_count, 0);
	cr_assert_gt(stats_get(own, STAT_REVOCATION, 0, 0), 1);
}

Test(tenants, gauges_show_what_is_in_the_table_and_what_is_not)
{
	tenants_begin(t, true);
	put_tenant("acme");
	put_tenant("globex");
	put_tenant("one-too-many");
	put_token("a", "acme", false);
	put_token("b", "nobody", false);
	tenants_skip(t, SKIP_SCOPE, BYTES("c"));
	cr_assert_eq(tenants_commit(t, 0, NULL), 0);
	cr_assert_eq(stats_get(own, STAT_TABLE_ENTRIES, ROW_TENANT, 0), 2);
	cr_assert_eq(stats_get(own, STAT_TABLE_ENTRIES, ROW_TOKEN, 0), 1);
	cr_assert_eq(stats_get(own, STAT_ROWS_SKIPPED, SKIP_TENANT_UNKNOWN, 0), 1);
	cr_assert_eq(stats_get(own, STAT_ROWS_SKIPPED, SKIP_SCOPE, 0), 1);
	cr_assert_eq(stats_get(own, STAT_ROWS_OVER_LIMIT, ROW_TENANT, 0), 1); /* R28 */
	cr_assert(stats_head(own)->ready_flags & READY_OVER_LIMIT);
}

Test(tenants, rows_over_the_limit_come_in_when_all_workers_left_the_tenant_that_went)
{
	tenants_begin(t, true);
	put_tenant("acme");
	put_tenant("globex");
	put_tenant("waits");
	cr_assert_eq(tenants_commit(t, 0, NULL), 0);
	tenants_begin(t, false);
	tenants_drop_tenant(t, BYTES("acme"));
	cr_assert_eq(tenants_commit(t, 0, NULL), 0);
	cr_assert_eq(stats_get(own, STAT_ROWS_OVER_LIMIT, ROW_TENANT, 0), 1);
	tenants_served(t, 2);
	cr_assert_eq(retired, 1);
	event_base_loop(base, EVLOOP_NONBLOCK);
	cr_assert_eq(published, 3);
	cr_assert_eq(stats_get(own, STAT_ROWS_OVER_LIMIT, ROW_TENANT, 0), 0);
	cr_assert_not(stats_head(own)->ready_flags & READY_OVER_LIMIT);
}

Test(tenants, the_tables_age_grows_until_the_next_read)
{
	struct tenants_status status;

	tenants_status(t, &status);
	cr_assert_eq(status.age_ms, -1);
	read_acme(false);
	later(5000);
	on_tick(-1, 0, t);
	cr_assert_eq(stats_get(own, STAT_TABLE_AGE, 0, 0), 5);
	cr_assert_eq(stats_head(own)->table_read_ms, loop_now() - 5000);
	tenants_begin(t, false); /* a poll that found nothing is a read too */
	cr_assert_eq(tenants_commit(t, 0, NULL), 0);
	cr_assert_eq(stats_get(own, STAT_TABLE_AGE, 0, 0), 0);
	later(7000);
	tenants_fresh_until(t, INT64_MAX);
	on_tick(-1, 0, t);
	cr_assert_eq(stats_get(own, STAT_TABLE_AGE, 0, 0), 0);
	cr_assert_eq(stats_head(own)->table_read_ms, loop_now());
}

Test(tenants, the_status_says_how_the_source_is)
{
	struct tenants_status status;

	tenants_set_source(t, false, "away", "no route to host");
	tenants_status(t, &status);
	cr_assert_str_eq(status.source, "fake");
	cr_assert_str_eq(status.state, "away");
	cr_assert_str_eq(status.last_error, "no route to host");
	cr_assert_not(status.fresh);
	cr_assert(stats_head(own)->ready_flags & READY_SOURCE_AWAY);
	tenants_set_source(t, true, "connected", NULL);
	read_acme(false);
	tenants_fresh_until(t, loop_now() + 10);
	tenants_status(t, &status);
	cr_assert(status.fresh);
	cr_assert_str_eq(status.last_error, "no route to host"); /* the last one stays */
	cr_assert_eq(status.tokens, 1);
	later(10);
	tenants_status(t, &status);
	cr_assert_not(status.fresh);
	cr_assert_not(stats_head(own)->ready_flags & READY_SOURCE_AWAY);
}

Test(tenants, flags_of_others_are_left_alone)
{
	stats_head(own)->ready_flags |= READY_CERT_SOON;
	tenants_set_flag(t, READY_SUBSCRIBED, true);
	tenants_set_flag(t, READY_SUBSCRIBED, false);
	cr_assert(stats_head(own)->ready_flags & READY_CERT_SOON);
	cr_assert_not(stats_head(own)->ready_flags & READY_SUBSCRIBED);
}

Test(tenants, a_reload_opens_the_source_again_only_if_its_options_changed)
{
	struct conf same = conf, other = conf;

	same.workers = 7;
	cr_assert_eq(tenants_reconfigure(t, &same, NULL), 0);
	cr_assert_eq(opened, 1);
	cr_assert_eq(poked, 2, "but a reload reads the file again");
	other.tenants.file.path = "b";
	cr_assert_eq(tenants_reconfigure(t, &other, NULL), 0);
	cr_assert_eq(opened, 2);
	cr_assert_eq(closed, 1);
	cr_assert_eq(poked, 3);
	cr_assert_eq(t->conf, &other);
}

/* records.md 1 */
Test(tenants, a_reload_that_puts_tenants_into_topics_leaves_out_whose_id_is_none)
{
	struct conf with = conf, without = conf;

	with.tenant_topic_bytes = 10;
	tenants_begin(t, true);
	put_tenant("acme");
	put_tenant("a.b");
	cr_assert_eq(tenants_commit(t, loop_now_ns(), NULL), 0);
	cr_assert_eq(published, 1);
	cr_assert_eq(tenants_reconfigure(t, &with, NULL), 0);
	event_base_loop(base, EVLOOP_NONBLOCK);
	cr_assert_eq(published, 2, "the source did not read anew");
	cr_assert_eq(stats_get(own, STAT_TABLE_ENTRIES, ROW_TENANT, 0), 1);
	cr_assert_eq(stats_get(own, STAT_ROWS_SKIPPED, SKIP_TENANT_TOPIC, 0), 1);
	cr_assert_eq(tenants_reconfigure(t, &with, NULL), 0);
	event_base_loop(base, EVLOOP_NONBLOCK);
	cr_assert_eq(published, 2, "nothing changed");
	cr_assert_eq(tenants_reconfigure(t, &without, NULL), 0);
	event_base_loop(base, EVLOOP_NONBLOCK);
	cr_assert_eq(stats_get(own, STAT_TABLE_ENTRIES, ROW_TENANT, 0), 2);
	cr_assert_eq(stats_get(own, STAT_ROWS_SKIPPED, SKIP_TENANT_TOPIC, 0), 0);
}

Test(tenants, a_reload_that_leaves_a_prefix_no_room_leaves_its_tenant_out)
{
	struct conf with = conf, without = conf;

	with.prefixes.none = true;
	tenants_begin(t, true);
	tenants_put_tenant(
		t, &(struct tenant_row){ .id = BYTES("acme"), .topic_prefix = BYTES("a.") });
	put_tenant("globex");
	cr_assert_eq(tenants_commit(t, loop_now_ns(), NULL), 0);
	cr_assert_eq(tenants_reconfigure(t, &with, NULL), 0);
	event_base_loop(base, EVLOOP_NONBLOCK);
	cr_assert_eq(published, 2, "the source did not read anew");
	cr_assert_eq(stats_get(own, STAT_ROWS_SKIPPED, SKIP_TENANT_TOPIC, 0), 1);
	cr_assert_eq(tenants_reconfigure(t, &without, NULL), 0);
	event_base_loop(base, EVLOOP_NONBLOCK);
	cr_assert_eq(stats_get(own, STAT_TABLE_ENTRIES, ROW_TENANT, 0), 2);
	cr_assert_eq(stats_get(own, STAT_ROWS_SKIPPED, SKIP_TENANT_TOPIC, 0), 0);
}

static void put_alike(unsigned from, unsigned to)
{
	for (unsigned n = from; n < to; n++) {
		uint8_t hash[TOKEN_DIGEST_BYTES] = { [TOKEN_DIGEST_BYTES - 1] = (uint8_t)n };
		char id[16];

		snprintf(id, sizeof(id), "t%u", n);
		tenants_put_token(t, &(struct token_row){ .id = bytes_str(id),
		                                          .tenant = BYTES("acme"),
		                                          .kind = BYTES("sha256"),
		                                          .hash = bytes_of(hash, sizeof(hash)),
		                                          .scopes = SCOPE_ALL,
		                                          .not_before = INT64_MIN,
		                                          .not_after = INT64_MAX });
	}
}

/* They made each table fail, the last one served for ever. */
Test(tenants, hashes_that_begin_alike_are_left_out_and_a_delta_without_room_becomes_a_base)
{
	tenants_begin(t, true);
	put_tenant("acme");
	put_alike(0, 65);
	cr_assert_eq(tenants_commit(t, loop_now_ns(), NULL), 0);
	cr_assert_eq(stats_get(own, STAT_ROWS_SKIPPED, SKIP_HASH, 0), 57);
	tenants_begin(t, false);
	put_alike(100, 120);
	cr_assert_eq(tenants_commit(t, loop_now_ns(), NULL), 0);
	cr_assert_eq(published, 2);
	cr_assert_eq(deltas, 0);
	cr_assert_eq(stats_get(own, STAT_ROWS_SKIPPED, SKIP_HASH, 0), 77);
	cr_assert_eq(stats_get(own, STAT_TABLE_ENTRIES, ROW_TOKEN, 0), 8);
}

/* R15 (the part of the set) */
Test(tenants, a_source_that_cannot_be_opened_leaves_the_old_one_at_work)
{
	struct conf other = conf;
	struct err err = { "" };

	read_acme(false);
	other.tenants.file.path = "b";
	refuse_open = true;
	cr_assert_eq(tenants_reconfigure(t, &other, &err), -1);
	cr_assert_str_eq(err.text, "refused");
	cr_assert_eq(closed, 0);
	cr_assert_eq(t->conf, &conf);
	cr_assert_eq(t->counts.tokens, 1);
}

Test(tenants, a_poke_reaches_the_source)
{
	tenants_poke(t);
	cr_assert_eq(poked, 2);
}
