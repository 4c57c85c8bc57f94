/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <poll.h>

#include "worker/spool.c"
#include "worker/spool_replay.c"
#include "worker/store_loop.c"

#include "tests/unit/worker/fixture.h"
#include "tests/unit/worker/store_folder.h"
#include "worker/route_table.h"

enum { TURNS = 2000, TURN_MS = 5, TAKEN_MAX = 64, CLOCK_MS = 50 };

static struct fixture *f;
static struct spool *s;
static struct err err;

/* ---- a sink that does what it is told ---- */

static bool down;
static enum verdict refuses[4]; /* by topic; V_NONE: takes */
static struct record *taken[TAKEN_MAX];
static unsigned taken_count;
static char sent[1024]; /* topic:value+ for each that was taken; + if it is marked as replayed */
static uint64_t ceiling, letters_ceiling;
static const char *poison; /* a value that is not taken, and how often it came */
static unsigned poisoned;

enum { TOPIC_LOGS, TOPIC_SPANS, TOPIC_LETTERS };

static enum verdict test_send(void *sink, struct record *rec)
{
	const struct parcel *p = rec->parcel;
	bool marked = false;

	(void)sink;
	for (unsigned i = 0; i < p->header_count; i++)
		marked = marked || strcmp(p->headers[i].name, "headgate-replayed") == 0;
	if (refuses[p->topic] != V_NONE)
		return refuses[p->topic];
	if (poison && bytes_eq(rec->value, bytes_str(poison))) {
		poisoned++;
		return V_TOPIC_UNAVAILABLE;
	}
	cr_assert_lt(taken_count, (unsigned)TAKEN_MAX);
	taken[taken_count++] = rec;
	snprintf(sent + strlen(sent), sizeof(sent) - strlen(sent), "%s:%.*s%s ", p->topic_name,
	         (int)rec->value.n, (const char *)rec->value.p, marked ? "+" : "");
	return V_NONE;
}

static bool test_down(void *sink)
{
	(void)sink;
	return down;
}

static uint64_t test_ceiling(void *sink, unsigned topic)
{
	(void)sink;
	return topic == TOPIC_LETTERS ? letters_ceiling : ceiling;
}

static const struct sink test_sink = {
	.name = "test", .send = test_send, .down = test_down, .ceiling = test_ceiling
};

static void reports(enum delivery how, enum verdict v)
{
	struct record *of[TAKEN_MAX];
	unsigned n = taken_count;

	memcpy(of, taken, sizeof(of));
	taken_count = 0;
	for (unsigned i = 0; i < n; i++)
		record_done(of[i], how, v, 0, 0);
}

/* ---- records ---- */

static unsigned ended, stored_count;

static void on_done(struct worker *w, unsigned metric_slot, enum signal signal, bool stored)
{
	(void)w, (void)metric_slot, (void)signal;
	ended++;
	stored_count += stored;
}

/* Whether the sink or the spool took it. */
static bool comes(unsigned topic, const char *value, bool ordered)
{
	struct record *rec = record_get(&f->w);
	struct parcel *p = parcel_get(&f->w);
	enum verdict v;
	bool took;

	p->mem = body_get(f->w.bodies, strlen(value));
	memcpy(p->mem->data, value, strlen(value));
	p->charged = 1000;
	p->tenant_ordinal = 1;
	cr_assert(budget_take(f->w.budget, 1, 0, 1000));
	p->topic = topic;
	p->topic_name = routes_topic_name(f->w.routes, topic);
	p->signal = SIGNAL_LOGS;
	p->metric_slot = 1;
	p->timestamp_ms = loop_wall_ns() / 1000000;
	memcpy(p->key_mem, "acme", 4);
	p->key = bytes_of(p->key_mem, 4);
	p->done = on_done;
	parcel_header(p, "X-Scope-OrgID", p->key);
	rec->parcel = p;
	rec->value = bytes_of(p->mem->data, strlen(value));
	rec->items = 3;
	rec->spread = !ordered;
	took = record_send(rec, &v);
	if (!took)
		record_put(&f->w, rec);
	parcel_close(p, took ? V_NONE : v);
	return took;
}

static uint64_t items(enum tenant_stat id)
{
	return stats_tenant_get(f->w.stats, 1, SIGNAL_LOGS, id);
}

static uint64_t replayed(enum replayed what)
{
	return stats_get(f->w.stats, STAT_STORE_REPLAYED, STORE_SPOOL, what);
}

/* ---- turns of the loop ---- */

static void turn(void)
{
	struct pollfd bell = { .fd = s->store.state.bell, .events = POLLIN };

	if (poll(&bell, 1, TURN_MS) > 0)
		on_bell(bell.fd, EV_READ, &s->store);
	loop_set_clock(loop_now_ns() + (int64_t)CLOCK_MS * 1000000, loop_wall_ns());
	on_turn(-1, 0, s);
}

#define UNTIL(condition)                                                                           \
	do {                                                                                       \
		unsigned turns_ = TURNS;                                                           \
		while (!(condition) && --turns_)                                                   \
			turn();                                                                    \
		cr_assert(condition, "%s; sent: %s", #condition, sent);                            \
	} while (0)

static unsigned files(void)
{
	unsigned n = 0;
	const char *names = folder_names(&folder, "");

	while ((names = strstr(names, ".lock"))) {
		names++;
		n++;
	}
	return n;
}

static void opens(void)
{
	s = spool_open(&f->w, &err);
	cr_assert(s, "%s", err.text);
	f->sink.spool = s;
}

static void set_up(void)
{
	folder_set_up();
	f = fixture_new();
	f->conf.workers = 1;
	f->conf.spool.enabled = true;
	f->conf.spool.dir = folder.path;
	f->conf.spool.max_bytes = 64 * MIB;
	f->conf.spool.tenant_share = 100;
	f->conf.spool.max_age = 3600 * 1000;
	f->conf.spool.replay_rate = 1024 * (uint64_t)MIB;
	f->conf.dead_letters.per_tenant = 10;
	fixture_start(f, -1, -1);
	f->w.siblings = 1;
	f->w.base = loop_open(&err);
	cr_assert(f->w.base, "%s", err.text);
	f->sink.ops = &test_sink;
	f->sink.state = &down;
	for (unsigned i = 0; i < ARRAY_LEN(refuses); i++)
		refuses[i] = V_NONE;
	ceiling = letters_ceiling = MIB;
	poison = NULL;
	opens();
}

static void closes(void)
{
	f->sink.closing = true;
	reports(DELIVERY_TIMED_OUT, V_KAFKA_TIMEOUT);
	spool_close(s);
	f->sink.spool = NULL;
	f->sink.closing = false;
}

static void tear_down(void)
{
	closes();
	cr_expect_eq(f->sink.in_flight, 0);
	cr_expect_eq(items(TS_ITEMS_ACCEPTED),
	             items(TS_ITEMS_DELIVERED) + items(TS_FAILED_TIMED_OUT) +
	                     items(TS_FAILED_STORE) + items(TS_FAILED_OTHER) +
	                     items(TS_FAILED_TOO_LARGE));
	cr_expect_eq(items(TS_ITEMS_IN_FLIGHT), 0);
	loop_close(f->w.base);
	fixture_close(f);
	folder_tear_down();
}
TestSuite(spool, .init = set_up, .fini = tear_down);

Test(spool, with_a_sink_that_works_nothing_comes_here)
{
	cr_assert(comes(TOPIC_LOGS, "a", true));
	cr_assert(comes(TOPIC_LOGS, "b", true));
	reports(DELIVERY_OK, V_ACCEPTED);
	cr_expect_eq(stored_count, 2);
	cr_expect_eq(s->topics[TOPIC_LOGS].waiting, 0);
}

Test(spool, without_brokers_a_record_is_accepted_by_its_commit_and_sent_when_they_are_back)
{
	down = true;
	cr_assert(comes(TOPIC_LOGS, "a", false));
	cr_assert(comes(TOPIC_SPANS, "b", false));
	cr_expect_eq(ended, 0);
	cr_expect_eq(items(TS_ITEMS_IN_FLIGHT), 6);
	UNTIL(ended == 2);
	cr_expect_eq(stored_count, 2);
	cr_expect_eq(items(TS_ITEMS_DELIVERED), 6);
	cr_expect_eq(budget_used(f->w.budget), 0);
	for (unsigned i = 0; i < 20; i++)
		turn();
	cr_expect_str_eq(sent, "");
	down = false;
	UNTIL(taken_count == 2);
	cr_expect_str_eq(sent, "otlp_spans:a+ otlp_metrics:b+ ");
	reports(DELIVERY_OK, V_ACCEPTED);
	UNTIL(files() == 1 && s->topics[TOPIC_LOGS].waiting == 0); /* the one that takes records */
	cr_expect_eq(replayed(REPLAYED_DELIVERED), 6);
	cr_expect_eq(items(TS_ITEMS_DELIVERED), 6); /* not twice */
}

Test(spool, what_the_sink_gives_back_for_a_fault_that_passes_is_a_row)
{
	cr_assert(comes(TOPIC_LOGS, "a", false));
	reports(DELIVERY_MAYBE, V_KAFKA_TIMEOUT);
	cr_expect_eq(ended, 0);
	UNTIL(stored_count == 1);
	cr_expect_eq(items(TS_FAILED_MAYBE), 0);
	/* The next one does not wait for its time to be over. */
	cr_assert(comes(TOPIC_LOGS, "b", false));
	cr_expect_str_eq(sent, "otlp_spans:a ");
	UNTIL(stored_count == 2);
	UNTIL(taken_count == 2);
	reports(DELIVERY_OK, V_ACCEPTED);
	UNTIL(s->topics[TOPIC_LOGS].waiting == 0);
	cr_assert(comes(TOPIC_LOGS, "c", false));
	cr_expect_str_eq(sent, "otlp_spans:a otlp_spans:a+ otlp_spans:b+ otlp_spans:c ");
}

Test(spool, what_is_refused_at_once_for_a_fault_that_passes_is_a_row_too)
{
	refuses[TOPIC_LOGS] = V_TOPIC_UNAVAILABLE;
	cr_assert(comes(TOPIC_LOGS, "a", false));
	refuses[TOPIC_SPANS] = V_OVERLOAD;
	cr_assert(comes(TOPIC_SPANS, "b", false));
	UNTIL(stored_count == 2);
	refuses[TOPIC_SPANS] = V_NONE;
	UNTIL(taken_count == 1); /* held up by nobody */
	cr_expect_str_eq(sent, "otlp_metrics:b+ ");
	reports(DELIVERY_OK, V_ACCEPTED);
	refuses[TOPIC_LOGS] = V_NONE;
	UNTIL(taken_count == 1);
	reports(DELIVERY_OK, V_ACCEPTED);
	UNTIL(files() == 1);
}

Test(spool, a_row_that_is_never_taken_makes_no_other_come_twice)
{
	down = true;
	cr_assert(comes(TOPIC_LOGS, "a", false));
	cr_assert(comes(TOPIC_LOGS, "b", false));
	cr_assert(comes(TOPIC_LOGS, "c", false));
	UNTIL(stored_count == 3);
	poison = "a";
	down = false;
	UNTIL(taken_count == 2);
	for (unsigned i = 0; i < 200; i++) { /* 10 s */
		reports(DELIVERY_OK, V_ACCEPTED);
		spool_hears(s, TOPIC_LOGS); /* clients' records go all the time */
		turn();
	}
	cr_expect_str_eq(sent, "otlp_spans:b+ otlp_spans:c+ ");
	cr_expect_eq(s->topics[TOPIC_LOGS].waiting, 1);
	cr_expect_leq(poisoned, 25u); /* nor is it tried without a pause */
	poison = NULL;
	UNTIL(taken_count == 1);
	reports(DELIVERY_OK, V_ACCEPTED);
	UNTIL(s->topics[TOPIC_LOGS].waiting == 0 && files() == 1);
}

Test(spool, a_record_that_is_too_large_is_told_so)
{
	cr_assert(comes(TOPIC_LOGS, "a", false));
	reports(DELIVERY_TOO_LARGE, V_RECORD_SIZE);
	cr_expect_eq(ended, 1);
	cr_expect_eq(stored_count, 0);
	cr_expect_eq(items(TS_FAILED_TOO_LARGE), 3);
}

Test(spool, where_order_counts_a_record_waits_for_those_before_it)
{
	down = true;
	cr_assert(comes(TOPIC_LOGS, "a", true));
	UNTIL(stored_count == 1);
	down = false;
	cr_assert(comes(TOPIC_LOGS, "b", true));
	cr_assert(comes(TOPIC_LOGS, "free", false));
	cr_expect_str_eq(sent, "otlp_spans:free ");
	reports(DELIVERY_OK, V_ACCEPTED);
	cr_expect_not_null(s->topics[TOPIC_LOGS].behind);
	UNTIL(taken_count == 1);
	cr_expect_not_null(s->topics[TOPIC_LOGS].behind);
	reports(DELIVERY_OK, V_ACCEPTED);
	cr_expect_str_eq(sent, "otlp_spans:free otlp_spans:a+ otlp_spans:b ");
	reports(DELIVERY_OK, V_ACCEPTED);
	cr_expect_eq(stored_count, 3);
}

Test(spool, who_waits_too_long_behind_others_becomes_a_row_behind_them)
{
	down = true;
	cr_assert(comes(TOPIC_LOGS, "a", true));
	UNTIL(stored_count == 1);
	down = false;
	UNTIL(taken_count == 1);
	cr_assert(comes(TOPIC_LOGS, "b", true));
	UNTIL(stored_count == 2); /* the first is still with the sink */
	reports(DELIVERY_OK, V_ACCEPTED);
	UNTIL(taken_count == 1);
	cr_expect_str_eq(sent, "otlp_spans:a+ otlp_spans:b+ ");
	reports(DELIVERY_OK, V_ACCEPTED);
}

Test(spool, where_order_counts_a_full_spool_lets_no_record_pass_those_that_lie_there)
{
	down = true;
	cr_assert(comes(TOPIC_LOGS, "a", true));
	UNTIL(stored_count == 1);
	down = false;
	UNTIL(taken_count == 1);
	atomic_store(&s->store.state.full, true);
	s->topics[TOPIC_LOGS].tripped = true;
	cr_assert(comes(TOPIC_LOGS, "b", true));
	cr_expect_str_eq(sent, "otlp_spans:a+ ");
	turn(); /* there is no room for it: 503 */
	cr_expect_eq(items(TS_FAILED_TIMED_OUT), 3);
	cr_assert(comes(TOPIC_LOGS, "free", false)); /* as without a spool */
	cr_expect_str_eq(sent, "otlp_spans:a+ otlp_spans:free ");
	atomic_store(&s->store.state.full, false);
}

/* F67 */
Test(spool, beyond_the_share_of_its_tenant_a_record_ends_as_without_a_spool)
{
	char large[40000];

	memset(large, 'x', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	spool_shares_free(s->shares);
	s->shares = spool_shares_new(50000);
	cr_assert(comes(TOPIC_LOGS, large, false));
	cr_assert(comes(TOPIC_LOGS, "b", false));
	/* the sink has both; it gives them back */
	taken[0]->value.n = 39000;
	cr_assert(comes(TOPIC_LOGS, large, false));
	reports(DELIVERY_TIMED_OUT, V_KAFKA_TIMEOUT);
	UNTIL(ended == 3);
	cr_expect_eq(stored_count, 2);
	cr_expect_eq(items(TS_FAILED_TIMED_OUT), 3);
}

/* A file that could not be read for a moment was found, and counted, once more: its topic's next
 * rows waited for an hour, and its tenant's share was spent for ever. */
Test(spool, what_was_counted_twice_holds_up_neither_topic_nor_tenant)
{
	down = true;
	cr_assert(comes(TOPIC_LOGS, "a", false));
	UNTIL(stored_count == 1);
	spool_shares_add(s->shares, BYTES("acme"), 1, 64 * MIB);
	s->topics[TOPIC_LOGS].waiting++;
	down = false;
	UNTIL(taken_count == 1);
	reports(DELIVERY_OK, V_ACCEPTED);
	UNTIL(s->topics[TOPIC_LOGS].waiting == 0);
	cr_expect(spool_shares_may(s->shares, BYTES("acme"), 60 * MIB));
}

/* R22 */
Test(spool, refused_for_good_without_dead_letters_a_row_lies_in_dead)
{
	down = true;
	cr_assert(comes(TOPIC_LOGS, "a", false));
	cr_assert(comes(TOPIC_LOGS, "b", false));
	UNTIL(stored_count == 2);
	down = false;
	UNTIL(taken_count == 2);
	reports(DELIVERY_TOO_LARGE, V_RECORD_SIZE); /* of a set: whose fault is it? */
	cr_assert_eq(taken_count, 1); /* one by one */
	reports(DELIVERY_TOO_LARGE, V_RECORD_SIZE);
	cr_assert_eq(taken_count, 1);
	reports(DELIVERY_OK, V_ACCEPTED);
	cr_expect_str_eq(sent, "otlp_spans:a+ otlp_spans:b+ otlp_spans:a+ otlp_spans:b+ ");
	UNTIL(files() == 1 && strstr(folder_names(&folder, ""), "dead"));
	cr_expect_eq(replayed(REPLAYED_REFUSED), 3);
	cr_expect_eq(replayed(REPLAYED_DELIVERED), 3);
}

/* Two hands let go of the batch: a null pointer. */
Test(spool, a_row_that_is_tried_alone_may_be_refused_at_once)
{
	down = true;
	cr_assert(comes(TOPIC_LOGS, "a", false));
	cr_assert(comes(TOPIC_LOGS, "b", false));
	UNTIL(stored_count == 2);
	down = false;
	UNTIL(taken_count == 2);
	reports(DELIVERY_TOO_LARGE, V_RECORD_SIZE);
	cr_assert_eq(taken_count, 1);
	refuses[TOPIC_LOGS] = V_TOPIC_UNAVAILABLE;
	reports(DELIVERY_OK, V_ACCEPTED);
	for (unsigned i = 0; i < 10; i++)
		turn();
	refuses[TOPIC_LOGS] = V_NONE;
	UNTIL(taken_count == 1);
	reports(DELIVERY_OK, V_ACCEPTED);
	UNTIL(files() == 1 && s->topics[TOPIC_LOGS].waiting == 0);
	cr_expect_str_eq(sent, "otlp_spans:a+ otlp_spans:b+ otlp_spans:a+ otlp_spans:b+ ");
}

/* As a broker does whose schema, or whose limit of time, a record does not meet: all of a set are
 * refused, and came again together until they were too old. */
Test(spool, a_row_that_is_refused_for_good_goes_and_holds_up_no_other)
{
	down = true;
	cr_assert(comes(TOPIC_LOGS, "a", false));
	cr_assert(comes(TOPIC_LOGS, "b", false));
	UNTIL(stored_count == 2);
	down = false;
	UNTIL(taken_count == 2);
	reports(DELIVERY_REFUSED, V_KAFKA_TIMEOUT);
	cr_assert_eq(taken_count, 1);
	reports(DELIVERY_REFUSED, V_KAFKA_TIMEOUT);
	cr_assert_eq(taken_count, 1);
	reports(DELIVERY_OK, V_ACCEPTED);
	cr_expect_str_eq(sent, "otlp_spans:a+ otlp_spans:b+ otlp_spans:a+ otlp_spans:b+ ");
	UNTIL(files() == 1 && strstr(folder_names(&folder, ""), "dead"));
	cr_expect_eq(replayed(REPLAYED_REFUSED), 3);
	cr_expect_eq(replayed(REPLAYED_DELIVERED), 3);
}

/* Else it would be told that it is safe. */
Test(spool, what_a_broker_refuses_for_good_does_not_come_here)
{
	cr_assert(comes(TOPIC_LOGS, "a", false));
	reports(DELIVERY_REFUSED, V_KAFKA_TIMEOUT);
	cr_expect_eq(ended, 1);
	cr_expect_eq(stored_count, 0);
	cr_expect_eq(items(TS_FAILED_OTHER), 3);
}

Test(spool, a_row_above_its_topics_limit_is_not_sent)
{
	down = true;
	cr_assert(comes(TOPIC_LOGS, "a", false));
	UNTIL(stored_count == 1);
	ceiling = 10;
	down = false;
	UNTIL(replayed(REPLAYED_REFUSED) == 3);
	cr_expect_str_eq(sent, "");
	UNTIL(strstr(folder_names(&folder, ""), "dead"));
}

static void dead_letters_on(void)
{
	static struct route_topic letters = { .index = TOPIC_LETTERS };

	f->w.routes->dead_letters = &letters;
}

Test(spool, a_dead_letter_counts_as_sent_when_it_is)
{
	dead_letters_on();
	down = true;
	cr_assert(comes(TOPIC_LOGS, "a", false));
	UNTIL(stored_count == 1);
	ceiling = 10;
	refuses[TOPIC_LETTERS] = V_TOPIC_UNAVAILABLE;
	down = false;
	for (unsigned i = 0; i < 50; i++)
		turn();
	cr_expect_eq(stats_get(f->w.stats, STAT_DEAD_LETTERS, LETTER_SENT, 0), 0);
	refuses[TOPIC_LETTERS] = V_NONE;
	UNTIL(taken_count == 1);
	cr_expect_str_eq(sent, "otlp_logs:a+ ");
	reports(DELIVERY_OK, V_ACCEPTED);
	UNTIL(files() == 1);
	cr_expect_eq(stats_get(f->w.stats, STAT_DEAD_LETTERS, LETTER_SENT, 0), 1);
	cr_expect_eq(replayed(REPLAYED_REFUSED), 3);
}

/* A broker drops the connection for one that is larger than its requests may be (R25). */
Test(spool, a_row_above_the_limit_of_dead_letters_too_is_not_sent_there)
{
	dead_letters_on();
	down = true;
	cr_assert(comes(TOPIC_LOGS, "a", false));
	UNTIL(stored_count == 1);
	ceiling = letters_ceiling = 10;
	down = false;
	UNTIL(replayed(REPLAYED_REFUSED) == 3);
	cr_expect_str_eq(sent, "");
	UNTIL(strstr(folder_names(&folder, ""), "dead"));
}

Test(spool, a_row_that_is_too_old_is_not_sent)
{
	down = true;
	cr_assert(comes(TOPIC_LOGS, "a", false));
	UNTIL(stored_count == 1);
	loop_set_clock(loop_now_ns(), loop_wall_ns() + INT64_C(3601) * 1000000000);
	down = false;
	UNTIL(replayed(REPLAYED_REFUSED) == 3);
	cr_expect_str_eq(sent, "");
}

/* F69 */
Test(spool, the_next_worker_sends_what_is_left)
{
	down = true;
	cr_assert(comes(TOPIC_LOGS, "a", false));
	UNTIL(stored_count == 1);
	closes();
	cr_expect_eq(files(), 1);
	down = false;
	opens();
	UNTIL(taken_count == 1);
	cr_expect_str_eq(sent, "otlp_spans:a+ ");
	cr_expect_eq(s->topics[TOPIC_LOGS].waiting, 1);
	reports(DELIVERY_OK, V_ACCEPTED);
	UNTIL(files() == 1 && s->topics[TOPIC_LOGS].waiting == 0);
}

/* Of a prefix with {tenant}: these rows alone tell of its topic until the tenant sends again. */
Test(spool, rows_of_opaque_bodies_are_not_compressed_after_a_restart)
{
	struct store_row row = { .received_ms = loop_wall_ns() / 1000000,
		                 .tenant = BYTES("acme"),
		                 .topic = BYTES("acme.blobs"),
		                 .signal = BYTES("opaque"),
		                 .headers = BYTES("[]"),
		                 .value = BYTES("a") };
	struct store_file *file;

	closes();
	file = store_file_create(&folder, 0, &err);
	cr_assert(file, "%s", err.text);
	cr_assert_eq(store_file_begin(file, &err), 0);
	cr_assert_eq(store_file_add(file, &row, &err), 0);
	cr_assert_eq(store_file_commit(file, &err), 0);
	store_file_leave(file);
	opens();
	UNTIL(taken_count == 1);
	cr_expect_str_eq(sent, "acme.blobs:a+ ");
	cr_expect(routes_topic_is_raw(f->w.routes, taken[0]->parcel->topic));
	reports(DELIVERY_OK, V_ACCEPTED);
}

static bool gave_up;
static void test_give_up(void *sink)
{
	(void)sink;
	gave_up = true;
	reports(DELIVERY_FATAL, V_KAFKA_TIMEOUT);
}

Test(spool, at_the_end_of_a_drain_what_is_not_confirmed_becomes_rows)
{
	struct sink ops = test_sink;

	ops.give_up = test_give_up;
	f->sink.ops = &ops;
	f->conf.http.drain_timeout = 4000;
	cr_assert(comes(TOPIC_LOGS, "a", false));
	f->w.draining = true;
	f->w.drain_ends = loop_now() + 4000;
	turn();
	cr_expect_not(gave_up);
	UNTIL(stored_count == 1);
	cr_expect(gave_up);
	cr_expect_lt(loop_now(), f->w.drain_ends);
	cr_assert(comes(TOPIC_LOGS, "late", false)); /* it is not handed to the sink any more */
	UNTIL(stored_count == 2);
	cr_expect_str_eq(sent, "otlp_spans:a ");
}

Test(spool, at_the_end_of_a_drain_no_row_is_tried_alone_any_more)
{
	struct sink ops = test_sink;

	ops.give_up = test_give_up;
	f->sink.ops = &ops;
	f->conf.http.drain_timeout = 4000;
	down = true;
	cr_assert(comes(TOPIC_LOGS, "a", false));
	cr_assert(comes(TOPIC_LOGS, "b", false));
	UNTIL(stored_count == 2);
	down = false;
	UNTIL(taken_count == 2);
	taken_count = 1;
	record_done(taken[1], DELIVERY_TOO_LARGE, V_RECORD_SIZE, 0, 0);
	f->w.draining = true;
	f->w.drain_ends = loop_now() + 1000;
	turn();
	cr_expect_eq(taken_count, 0);
	cr_expect_eq(f->sink.in_flight, 0);
	cr_expect_str_eq(sent, "otlp_spans:a+ otlp_spans:b+ ");
}
