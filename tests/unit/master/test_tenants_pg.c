/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Without a server: what is decided, not what is sent. The whole, against a real PostgreSQL, is in
 * tests/way.
 */
#include <criterion/criterion.h>

/* What the source says to the set is only written down. */
#define tenants_uses fake_uses
#define tenants_uses_stored fake_uses_stored
#define tenants_set_source fake_set_source
#define tenants_set_probe fake_set_probe
#define tenants_set_flag fake_set_flag
#define tenants_fresh_until fake_fresh_until
#define tenants_table fake_table
#define tenants_abort fake_abort
#define tenants_begin fake_begin
#define tenants_expect_doubles fake_expect_doubles
#define tenants_commit fake_commit
#include "master/pg_hello.c"
#include "master/pg_link.c"
#include "master/pg_read.c"
#include "master/pg_uses.c"
#include "master/tenants_pg.c"

static struct {
	bool connected, probe, in_read, doubles;
	uint64_t flags;
	msec_t fresh;
	int table;
	unsigned aborts;
	char state[32], error[256];
} told;

void tenants_set_source(struct tenants *t, bool connected, const char *state, const char *error)
{
	(void)t;
	told.connected = connected;
	snprintf(told.state, sizeof(told.state), "%s", state);
	snprintf(told.error, sizeof(told.error), "%s", error ? error : "");
}

void tenants_set_probe(struct tenants *t, bool works)
{
	(void)t;
	told.probe = works;
}

void tenants_set_flag(struct tenants *t, uint64_t flag, bool on)
{
	(void)t;
	told.flags = on ? told.flags | flag : told.flags & ~flag;
}

void tenants_fresh_until(struct tenants *t, msec_t until)
{
	(void)t;
	told.fresh = until;
}

uint64_t tenants_table(const struct tenants *t)
{
	(void)t;
	return told.table;
}

void tenants_abort(struct tenants *t)
{
	(void)t;
	told.aborts++;
}

void tenants_begin(struct tenants *t, bool full)
{
	(void)t;
	(void)full;
	told.in_read = true;
}

void tenants_expect_doubles(struct tenants *t)
{
	(void)t;
	told.doubles = true;
}

int tenants_commit(struct tenants *t, int64_t since_ns, struct err *err)
{
	(void)t;
	(void)since_ns;
	(void)err;
	told.in_read = false;
	return 0;
}

static unsigned uses_told, uses_stored, uses_calls;

unsigned tenants_uses(struct tenants *t, struct token_use *out, unsigned max, bool *over)
{
	unsigned n = (unsigned)min_size(uses_told, max);

	(void)t;
	uses_calls++;
	for (unsigned i = 0; i < n; i++)
		out[i] = (struct token_use){ BYTES("null"), i, 1700000000 + i };
	uses_told -= n;
	*over = uses_told == 0;
	return n;
}

void tenants_uses_stored(struct tenants *t, const struct token_use *uses, unsigned count)
{
	(void)t;
	(void)uses;
	uses_stored += count;
}

static struct event_base *base;
static struct pg *p;

static struct conf some_conf(void)
{
	struct conf c = { .workers = 0 };

	c.tenants.dsn = "host=/nowhere";
	c.tenants.channel = "headgate";
	c.tenants.poll = 30000;
	c.tenants.full_compare = 900000;
	c.tenants.fresh_for = 35000;
	return c;
}

static void at(msec_t ms)
{
	loop_set_clock(ms * 1000000, 1700000000ll * 1000000000);
}

static void open_source(void)
{
	struct conf c = some_conf();

	log_setup(LOG_LEVEL_ERR, LOG_FORMAT_LOGFMT, NULL);
	at(1000000);
	base = loop_open(NULL);
	p = pg_open(base, &c, NULL, NULL);
	cr_assert(p);
}

static void close_source(void)
{
	pg_close(p);
	loop_close(base);
}

TestSuite(tenants_pg, .init = open_source, .fini = close_source);

/* As after a full read at this moment. */
static void settled(void)
{
	p->step = STEP_IDLE;
	p->last_good = loop_now();
	p->next_poll = loop_now() + p->poll;
	p->next_full = loop_now() + p->full_compare;
	p->next_ping = loop_now() + PING_MS;
	p->next_prune = loop_now() + PRUNE_MS;
	p->prev = xstrdup("1:1:");
}

static void opening_fails(struct conf c, const char *why)
{
	struct err err = { "" };

	cr_assert_null(pg_open(base, &c, NULL, &err));
	cr_assert(strstr(err.text, why), "%s", err.text);
}

Test(tenants_pg, a_broken_connection_string_is_refused_and_not_shown)
{
	struct conf c = some_conf();
	struct err err = { "" };

	c.tenants.dsn = "host=x sesame secretword=";
	cr_assert_null(pg_open(base, &c, NULL, &err));
	cr_assert_null(strstr(err.text, "sesame"));
	opening_fails(c, "tenants.dsn is no connection string");
}

/* It stood in the log, in `headgatectl status` and in `headgate -t --online`: "can't resolve
 * 'part@db.example'", "invalid integer value "sesame" for connection option "port"". */
Test(tenants_pg, a_password_with_an_at_or_a_slash_in_a_uri_is_no_host_or_port)
{
	static const char *const bad[] = { "postgres://u:sesame@part@db.example/x",
		                           "postgresql://u:ses?ame@part@db.example",
		                           "postgres://u:sesame/part@db.example:5432/x" };
	static const char *const good[] = {
		"postgres://u:a%40b%2Fc@db.example/x?application_name=a@b",
		"postgres://db.example/x?user=a@b",
		"postgres:///x?host=@abstract",
		"postgres://u@%40abstract/x",
		"postgres://db.example",
		"host=db.example password=a@b/c://d@e",
		"x"
	};
	struct conf c = some_conf();

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		c.tenants.dsn = bad[i];
		opening_fails(c, "an @ is written %40");
	}
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct err err = { "" };
		void *source;

		c.tenants.dsn = good[i];
		source = pg_open(base, &c, NULL, &err);
		cr_assert(source, "%s: %s", good[i], err.text);
		pg_close(source);
	}
}

Test(tenants_pg, a_channel_that_postgresql_would_cut_is_refused)
{
	struct conf c = some_conf();
	char longer[65];

	memset(longer, 'a', 64);
	longer[64] = '\0';
	c.tenants.channel = longer;
	opening_fails(c, "tenants.channel");
	c.tenants.channel = "";
	opening_fails(c, "tenants.channel");
}

Test(tenants_pg, an_idle_link_has_nothing_to_do_until_the_ping)
{
	settled();
	cr_assert_eq(due_step(p), STEP_IDLE);
	cr_assert_eq(next_due(p), loop_now() + PING_MS);
	at(1000000 + PING_MS);
	cr_assert_eq(due_step(p), STEP_PING);
}

Test(tenants_pg, a_bell_is_answered_at_once)
{
	settled();
	pg_ring(p);
	cr_assert_eq(due_step(p), STEP_CHANGES);
	cr_assert_leq(next_due(p), loop_now());
}

Test(tenants_pg, the_first_ring_is_the_one_that_is_timed)
{
	settled();
	pg_ring(p);
	at(1000007);
	pg_ring(p);
	cr_assert_eq(p->rang_ns, 1000000 * 1000000ll);
}

/* F21 */
Test(tenants_pg, a_bell_during_a_read_means_one_more_read)
{
	settled();
	pg_ring(p);
	begin_read(p, false);
	cr_assert_not(p->dirty);
	pg_ring(p); /* while rows come */
	p->step = STEP_CHANGES;
	p->copies = 2;
	p->next = xstrdup("2:2:");
	p->in_read = true;
	pg_read_done(p);
	cr_assert(p->dirty);
	cr_assert_str_eq(p->prev, "2:2:");
	at(1000000 + FULL_GAP_MS);
	cr_assert_eq(due_step(p), STEP_CHANGES);
}

Test(tenants_pg, a_poll_is_due_without_any_bell)
{
	settled();
	at(1000000 + 30000);
	p->next_ping = loop_now() + PING_MS;
	cr_assert_eq(due_step(p), STEP_CHANGES);
}

/* F20 */
Test(tenants_pg, full_reads_are_two_a_second_at_most)
{
	settled();
	p->want_full = true;
	p->next_full_allowed = loop_now() + FULL_GAP_MS;
	pg_ring(p);
	cr_assert_eq(due_step(p), STEP_IDLE);
	cr_assert_eq(next_due(p), loop_now() + FULL_GAP_MS);
	at(1000000 + FULL_GAP_MS);
	cr_assert_eq(due_step(p), STEP_FULL);
}

/* F20, F25 */
Test(tenants_pg, bells_with_nothing_behind_them_are_answered_ever_more_seldom)
{
	msec_t gap = 0;

	settled();
	for (int i = 0; i < 20; i++) {
		p->read_rows = 0;
		space_reads(p, loop_now(), 0);
		cr_assert_geq(p->next_read - loop_now(), gap);
		gap = p->next_read - loop_now();
	}
	cr_assert_eq(gap, FULL_GAP_MS);
	p->read_rows = 1;
	space_reads(p, loop_now(), 0);
	cr_assert_eq(p->next_read, loop_now());
	cr_assert_eq(p->idle_gap, IDLE_GAP_MIN_MS);
}

Test(tenants_pg, building_takes_a_share_of_the_time_only)
{
	settled();
	p->read_rows = 3;
	space_reads(p, loop_now(), 40);
	cr_assert_eq(p->next_read, loop_now() + 80);
	space_reads(p, loop_now(), 4000); /* a revocation never waits longer for it */
	cr_assert_eq(p->next_read, loop_now() + BUILD_GAP_MAX_MS);
}

Test(tenants_pg, an_old_read_makes_the_next_a_full_one)
{
	settled();
	at(1000000 + OLD_READ_MS + 1);
	p->next_full = loop_now() + 1;
	cr_assert_eq(due_step(p), STEP_FULL);
}

Test(tenants_pg, a_deaf_link_tries_to_hear_again_at_each_full_compare)
{
	settled();
	p->deaf = true;
	at(1000000 + 900000);
	cr_assert_eq(due_step(p), STEP_HELLO);
	p->next_full = INT64_MAX;
	p->want_full = true;
	cr_assert_eq(due_step(p), STEP_FULL);
}

Test(tenants_pg, changes_are_pruned_now_and_then)
{
	settled();
	p->next_ping = p->next_poll = p->next_uses = INT64_MAX;
	at(1000000 + PRUNE_MS);
	cr_assert_eq(due_step(p), STEP_PRUNE);
}

static void uses_due(void)
{
	p->next_ping = p->next_poll = p->next_full = p->next_prune = INT64_MAX;
	p->next_full_allowed = INT64_MAX;
}

/* O10 */
Test(tenants_pg, last_uses_are_stored_once_a_minute_and_no_statement_is_sent_for_none)
{
	settled();
	uses_due();
	p->next_uses = 1000000 + USES_MS;
	at(1000000 + USES_MS - 1);
	cr_assert_eq(due_step(p), STEP_IDLE);
	at(1000000 + USES_MS);
	cr_assert_eq(due_step(p), STEP_USES);
	pg_uses_start(p);
	cr_assert_eq(uses_calls, 1);
	cr_assert_eq(p->step, STEP_IDLE);
	cr_assert_eq(p->next_uses, 1000000 + 2 * USES_MS);
	cr_assert_str_empty(p->fault);
}

Test(tenants_pg, the_statement_of_last_uses_quotes_ids_joins_the_view_and_lets_the_greater_time_win)
{
	struct buf sql;
	bool over;

	settled();
	uses_told = 2;
	p->uses_count = tenants_uses(NULL, p->uses, USES_ROWS, &over);
	buf_init(&sql, USES_BYTES);
	statement(p, &sql);
	buf_char(&sql, '\0');
	cr_assert_not(sql.failed);
	cr_assert(strstr(sql.p, "unnest('{\"null\",\"null\"}'::text[], "
	                        "'{1700000000,1700000001}'::bigint[])"),
	          "%s", sql.p);
	cr_assert(strstr(sql.p, "JOIN headgate.gateway_token"));
	cr_assert(strstr(sql.p, "WHERE u.last_used_at < excluded.last_used_at"));
	cr_assert(strstr(sql.p, "lock_timeout") && strstr(sql.p, "statement_timeout"));
	buf_done(&sql);
}

Test(tenants_pg, the_longest_statement_of_last_uses_has_room)
{
	static const char id[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	struct buf sql;

	settled();
	for (p->uses_count = 0; p->uses_count < USES_ROWS; p->uses_count++)
		p->uses[p->uses_count] = (struct token_use){ bytes_str(id), 0, UINT32_MAX };
	buf_init(&sql, USES_BYTES);
	statement(p, &sql);
	cr_assert_not(sql.failed);
	buf_done(&sql);
}

Test(tenants_pg, what_could_not_be_stored_is_told_again_and_the_link_lives_on)
{
	static const char *const passing[] = { "55P03", "57014", "40P01", "23503" };

	settled();
	for (size_t i = 0; i < ARRAY_LEN(passing); i++)
		cr_assert(may_pass(passing[i]));
	cr_assert_not(may_pass("42501")); /* insufficient_privilege */
	cr_assert_not(may_pass(NULL));
	p->uses_count = 5;
	p->uses_failed = true;
	uses_due();
	p->next_uses = INT64_MAX;
	pg_uses_done(p);
	cr_assert_eq(uses_stored, 0);
	p->uses_failed = false;
	pg_uses_done(p);
	cr_assert_eq(uses_stored, 5);
	cr_assert_str_empty(p->fault);
}

/* R28: what fresh means. */
Test(tenants_pg, a_live_link_is_fresh_for_a_ping_and_a_lost_one_for_the_last_poll)
{
	settled();
	pg_freshen(p);
	cr_assert_eq(told.fresh, 1000000 + 35000, "also during a read of more than 15 s");
	at(1000000 + 29000);
	pg_freshen(p);
	cr_assert_eq(told.fresh, loop_now() + LINK_FRESH_MS);
	p->fresh_for = 1000;
	pg_freshen(p);
	cr_assert_eq(told.fresh, loop_now() + LINK_FRESH_MS, "for a live link alone");
	p->fresh_for = 35000;
	snprintf(p->fault, sizeof(p->fault), "cut");
	pg_disconnect(p);
	cr_assert_eq(told.fresh, 1000000 + 35000);
	cr_assert_not(told.connected);
	cr_assert_str_eq(told.state, "away");
	cr_assert_str_eq(told.error, "cut");
}

Test(tenants_pg, a_deaf_link_is_as_fresh_as_its_polls)
{
	settled();
	p->deaf = true;
	at(1000000 + 9000);
	pg_freshen(p);
	cr_assert_eq(told.fresh, 1000000 + 35000);
}

Test(tenants_pg, before_the_first_read_nothing_is_fresh)
{
	p->step = STEP_IDLE;
	pg_freshen(p);
	cr_assert_eq(told.fresh, 0);
}

/* F16 */
Test(tenants_pg, without_a_table_it_tries_each_half_second)
{
	for (p->attempts = 0; p->attempts < 50; p->attempts++)
		cr_assert_eq(retry_in(p), RETRY_FIRST_MS);
}

Test(tenants_pg, with_a_table_it_backs_off_with_jitter)
{
	msec_t most = 0;

	told.table = 3;
	for (p->attempts = 0; p->attempts < 500; p->attempts++) {
		msec_t in_ms = retry_in(p);

		cr_assert(in_ms >= RETRY_FIRST_MS && in_ms <= RETRY_MAX_MS);
		most = in_ms > most ? in_ms : most;
	}
	cr_assert_gt(most, RETRY_MAX_MS / 2);
	p->attempts = 0;
	cr_assert_eq(retry_in(p), RETRY_FIRST_MS);
	told.table = 0;
}

Test(tenants_pg, a_lost_link_forgets_its_snapshot_and_its_half_read)
{
	settled();
	begin_read(p, false);
	p->step = STEP_CHANGES;
	snprintf(p->fault, sizeof(p->fault), "cut");
	pg_disconnect(p);
	cr_assert_null(p->prev);
	cr_assert_not(p->in_read);
	cr_assert_eq(told.aborts, 1);
	cr_assert_eq(p->step, STEP_OFF);
}

Test(tenants_pg, everything_changed_means_a_full_read)
{
	settled();
	begin_read(p, false);
	p->step = STEP_CHANGES;
	p->copies = 2;
	p->next = xstrdup("3:3:");
	p->everything = true;
	p->next_full_allowed = loop_now() + 1; /* so that nothing is sent here */
	pg_read_done(p);
	cr_assert(p->want_full);
	cr_assert_eq(told.aborts, 1);
	cr_assert_str_eq(p->prev, "1:1:"); /* what was named then is read by the full one */
}

Test(tenants_pg, half_an_answer_is_no_read)
{
	settled();
	begin_read(p, false);
	p->step = STEP_CHANGES;
	p->copies = 1;
	p->next = xstrdup("3:3:");
	pg_read_done(p);
	cr_assert(strstr(p->fault, "not whole"));
}

Test(tenants_pg, a_listen_that_fails_otherwise_leaves_the_polls)
{
	PGresult *r = PQmakeEmptyPGresult(NULL, PGRES_FATAL_ERROR);

	log_setup(LOG_LEVEL_ERR, LOG_FORMAT_LOGFMT, NULL);
	pg_listen_result(p, r);
	cr_assert(p->deaf);
	cr_assert_not(p->fault[0]);
	PQclear(r);
}

Test(tenants_pg, only_the_first_cause_of_a_loss_is_kept_and_in_one_line)
{
	pg_give_up(p, "one\ntwo\n");
	pg_give_up(p, "three");
	cr_assert_str_eq(p->fault, "one;two");
}

Test(tenants_pg, a_clock_that_differs_is_said_once)
{
	uint64_t before = log_count(LOG_LEVEL_WARN);
	char us[32];

	log_setup(LOG_LEVEL_WARN, LOG_FORMAT_LOGFMT, NULL);
	snprintf(us, sizeof(us), "%lld", 1700000002ll * 1000000);
	pg_check_skew(p, us);
	cr_assert_eq(log_count(LOG_LEVEL_WARN), before);
	snprintf(us, sizeof(us), "%lld", 1700000002ll * 1000000 + 1);
	pg_check_skew(p, us);
	pg_check_skew(p, us);
	cr_assert_eq(log_count(LOG_LEVEL_WARN), before + 1);
}

Test(tenants_pg, logical_replication_is_warned_of_and_flagged)
{
	note_subscribed(p, true);
	cr_assert(told.flags & READY_SUBSCRIBED);
	note_subscribed(p, false);
	cr_assert_not(told.flags & READY_SUBSCRIBED);
}

Test(tenants_pg, each_step_that_sends_can_be_done_and_has_a_limit)
{
	for (enum step s = STEP_HELLO; s < STEP_IDLE; s++) {
		cr_assert(steps[s].name && steps[s].start && steps[s].limit > 0, "step %d", (int)s);
		cr_assert_eq(steps[s].result != NULL, steps[s].done != NULL, "%s", steps[s].name);
	}
}

/* ---- tenants.query ---- */

static void with_query(void)
{
	struct conf c = some_conf();

	pg_close(p);
	c.tenants.query = "SELECT tenant_id, hash FROM keys";
	p = pg_open(base, &c, NULL, NULL);
	cr_assert(p && p->query);
	settled();
	free(p->prev);
	p->prev = NULL;
	p->next_prune = INT64_MAX;
	told.doubles = false;
}

Test(tenants_pg, a_query_without_a_statement_is_refused)
{
	struct conf c = some_conf();

	c.tenants.query = " ; \n";
	opening_fails(c, "tenants.query");
}

Test(tenants_pg, a_query_is_read_in_full_at_each_bell_and_poll)
{
	with_query();
	cr_assert_eq(due_step(p), STEP_IDLE);
	pg_ring(p);
	cr_assert_eq(due_step(p), STEP_FULL);
	cr_assert_leq(next_due(p), loop_now(), "the first at once");
	p->dirty = false;
	at(1000000 + 30000);
	p->next_ping = INT64_MAX;
	cr_assert_eq(due_step(p), STEP_FULL);
}

/* F20 */
Test(tenants_pg, a_query_is_read_two_times_a_second_at_most)
{
	with_query();
	p->next_full_allowed = loop_now() + FULL_GAP_MS;
	p->next_read = loop_now() + 1;
	pg_ring(p);
	cr_assert_eq(due_step(p), STEP_IDLE);
	cr_assert_eq(next_due(p), loop_now() + FULL_GAP_MS);
	at(1000000 + FULL_GAP_MS);
	cr_assert_eq(due_step(p), STEP_FULL);
	p->next_read = loop_now() + 70; /* a large table has just been built */
	cr_assert_eq(due_step(p), STEP_IDLE);
	cr_assert_eq(next_due(p), loop_now() + 70);
	p->dirty = false;
	p->next_poll = loop_now() + 10;
	cr_assert_eq(next_due(p), loop_now() + 70, "a poll waits as well");
}

Test(tenants_pg, a_query_has_no_change_table_to_prune)
{
	struct conf c = some_conf();

	c.tenants.query = "SELECT 1";
	pg_close(p);
	p = pg_open(base, &c, NULL, NULL);
	cr_assert_eq(p->next_prune, INT64_MAX);
}

Test(tenants_pg, a_query_may_have_an_id_twice_and_is_whole_with_one_copy)
{
	with_query();
	begin_read(p, true);
	cr_assert(told.doubles);
	p->step = STEP_FULL;
	p->copies = 2;
	cr_assert_not(is_whole(p));
	p->copies = 1;
	pg_read_done(p);
	cr_assert_str_eq(p->fault, "");
	cr_assert_not(told.in_read);
	cr_assert_eq(p->step, STEP_IDLE);
}

Test(tenants_pg, a_fault_of_the_query_is_an_error_and_a_state_of_its_own)
{
	uint64_t before = log_count(LOG_LEVEL_ERR);

	with_query();
	p->refused = true;
	pg_give_up(p, "tenants.query: unknown column 'colour'");
	pg_disconnect(p);
	cr_assert_str_eq(told.state, "refused");
	cr_assert_str_eq(told.error, "tenants.query: unknown column 'colour'");
	cr_assert_eq(log_count(LOG_LEVEL_ERR), before + 1);
	pg_give_up(p, "cut");
	pg_disconnect(p);
	cr_assert_str_eq(told.state, "away", "the next fault is another one");
}

Test(tenants_pg, a_copy_cut_short_is_no_read)
{
	PGresult *ended = PQmakeEmptyPGresult(NULL, PGRES_COMMAND_OK);

	settled();
	begin_read(p, true);
	pg_read_result(p, ended);
	cr_assert_str_eq(p->fault, "");
	p->cut = true;
	pg_read_result(p, ended);
	cr_assert(strstr(p->fault, "without its end"));
	PQclear(ended);
}
