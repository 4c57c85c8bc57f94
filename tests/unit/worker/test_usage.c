/* SPDX-License-Identifier: Apache-2.0 */
/* The sink here keeps what it takes and answers when told to; limits, stats and routes are real. */
#include "worker/usage.c"

#include "tests/unit/worker/otlp_bodies.h"

enum { RECORDS = 256 };
static struct fixture *f;
static struct record *taken[RECORDS];
static unsigned taken_count;
static enum verdict refuses; /* V_NONE: it takes */

static enum verdict keep(void *sink, struct record *rec)
{
	(void)sink;
	cr_assert_lt(taken_count, (unsigned)RECORDS);
	if (refuses != V_NONE)
		return refuses;
	taken[taken_count++] = rec;
	return V_NONE;
}

static const struct sink keeper = { .name = "kept", .send = keep };

static void opens(void)
{
	struct err err = { "" };

	f = fixture_new();
	f->conf.usage.enabled = true;
	f->conf.usage.topic = "usage";
	f->conf.usage.interval = 60000;
	fixture_start(f, -1, -1);
	f->w.base = loop_open(&err);
	cr_assert(f->w.base, "%s", err.text);
	loop_set_clock(INT64_C(1000) * 1000000000, FIXTURE_NOW_S * 1000000000);
	atomic_store(&stats_head(f->w.pages[0])->pid, 4711);
	f->w.usages = usages_open(&f->w);
	cr_assert(f->w.usages);
}

static void closes(void)
{
	usages_close(f->w.usages);
	loop_close(f->w.base);
	fixture_close(f);
}

TestSuite(usage, .init = opens, .fini = closes);

static void acme_sends(unsigned n)
{
	f->sink.ops = &fixture_sink;
	f->sink_says = V_ACCEPTED;
	while (n--) {
		cr_assert_eq(
			fixture_status(send_body(f, "/v1/traces", "", one_span, sizeof(one_span))),
			200);
		fixture_forget_records(f);
	}
	f->sink.ops = &keeper;
}

static void ticks(void)
{
	f->sink.ops = &keeper;
	taken_count = 0;
	on_tick(-1, 0, f->w.usages);
}

static const char *text_of(unsigned i)
{
	static char text[RECORD_BYTES];

	snprintf(text, sizeof(text), "%.*s", (int)taken[i]->value.n,
	         (const char *)taken[i]->value.p);
	return text;
}

static long long number_of(unsigned i, const char *name)
{
	char key[64];
	const char *at;

	snprintf(key, sizeof(key), "\"%s\":", name);
	at = strstr(text_of(i), key);
	cr_assert(at, "%s in %s", name, text_of(i));
	return atoll(at + strlen(key));
}

static void is_stored(unsigned i)
{
	record_done(taken[i], DELIVERY_OK, V_ACCEPTED, 0, 0);
}

static void is_lost(unsigned i)
{
	record_done(taken[i], DELIVERY_TIMED_OUT, V_KAFKA_TIMEOUT, -1, -1);
}

static unsigned slot_of(const char *tenant)
{
	unsigned slot = 0;

	while (strcmp(limits_metric_name(f->w.limits, slot), tenant) != 0)
		slot++;
	return slot;
}

Test(usage, what_moved_is_told_once_and_with_all_members)
{
	char wanted[RECORD_BYTES];

	acme_sends(2);
	loop_set_clock(INT64_C(1060) * 1000000000, (FIXTURE_NOW_S + 60) * 1000000000);
	ticks();
	cr_assert_eq(taken_count, 1);
	snprintf(wanted, sizeof(wanted),
	         "{\"v\":1,\"tenant_id\":\"acme\",\"instance\":\"%s\",\"worker\":3,"
	         "\"epoch\":1764000000000,\"seq\":1,\"from_ms\":1764000000000,"
	         "\"to_ms\":1764000060000,\"signal\":\"traces\",\"requests\":2,\"wire_bytes\":%zu,"
	         "\"decoded_bytes\":%zu,\"accepted\":2,\"delivered\":2,\"failed\":0,\"refused\":0,"
	         "\"blocked\":0,\"spoofed\":0}",
	         f->w.usages->instance, 2 * sizeof(one_span), 2 * sizeof(one_span));
	cr_assert_str_eq(text_of(0), wanted);
	cr_assert(strstr(f->w.usages->instance, ":4711"));
	cr_assert_str_eq(taken[0]->parcel->topic_name, "usage");
	cr_assert(bytes_eq(taken[0]->parcel->key, BYTES("acme")));
	cr_assert_eq(taken[0]->parcel->header_count, 2);
	cr_assert_str_eq(taken[0]->parcel->headers[0].name, "X-Scope-OrgID");
	cr_assert_str_eq(taken[0]->parcel->headers[1].name, "tenant_id");
	is_stored(0);
	ticks();
	cr_assert_eq(taken_count, 0);
}

Test(usage, its_own_records_are_no_usage)
{
	acme_sends(1);
	ticks();
	is_stored(0);
	cr_assert_eq(stats_usage(f->w.stats, slot_of("acme"), SIGNAL_TRACES, USAGE_ACCEPTED), 1);
	cr_assert_eq(stats_usage(f->w.stats, slot_of("acme"), SIGNAL_TRACES, USAGE_DELIVERED), 1);
}

/* records.md 1.5: the cursor moves only on PERSISTED. */
Test(usage, a_record_that_was_not_stored_is_sent_again_as_it_was)
{
	char first[RECORD_BYTES];

	acme_sends(1);
	ticks();
	strcpy(first, text_of(0));
	is_lost(0);
	acme_sends(5);
	ticks();
	cr_assert_eq(taken_count, 1);
	cr_assert_str_eq(text_of(0), first);
	is_stored(0);
	ticks();
	cr_assert_eq(taken_count, 1);
	cr_assert_eq(number_of(0, "seq"), 2);
	cr_assert_eq(number_of(0, "accepted"), 5);
	is_stored(0);
}

Test(usage, a_record_that_the_sink_refuses_is_sent_again)
{
	acme_sends(1);
	refuses = V_TOPIC_UNAVAILABLE;
	ticks();
	cr_assert_eq(taken_count, 0);
	cr_assert_eq(f->w.usages->in_flight, 0);
	refuses = V_NONE;
	ticks();
	cr_assert_eq(taken_count, 1);
	cr_assert_eq(number_of(0, "seq"), 1);
	is_stored(0);
}

Test(usage, a_record_on_its_way_is_not_sent_twice)
{
	acme_sends(1);
	ticks();
	cr_assert_eq(taken_count, 1);
	acme_sends(1);
	f->sink.ops = &keeper;
	on_tick(-1, 0, f->w.usages);
	cr_assert_eq(taken_count, 1);
	is_stored(0);
}

Test(usage, intervals_join)
{
	long long to;

	acme_sends(1);
	loop_set_clock(INT64_C(1060) * 1000000000, (FIXTURE_NOW_S + 60) * 1000000000);
	ticks();
	to = number_of(0, "to_ms");
	is_stored(0);
	acme_sends(1);
	loop_set_clock(INT64_C(1180) * 1000000000, (FIXTURE_NOW_S + 180) * 1000000000);
	ticks();
	cr_assert_eq(number_of(0, "from_ms"), to);
	is_stored(0);
}

Test(usage, tenants_and_signals_have_records_of_their_own)
{
	acme_sends(1);
	for (unsigned i = 0; i < 3; i++)
		stats_tenant_add(f->w.stats, slot_of("acme"), SIGNAL_LOGS + (i > 1),
		                 TS_REFUSED_SIZE, 4);
	ticks();
	cr_assert_eq(taken_count, 3);
	cr_assert_eq(number_of(1, "refused"), 8);
	cr_assert(strstr(text_of(1), "\"signal\":\"logs\""));
	cr_assert(strstr(text_of(2), "\"signal\":\"events\""));
	for (unsigned i = 0; i < 3; i++)
		is_stored(i);
}

Test(usage, strangers_have_none)
{
	cr_assert_eq(fixture_status(fixture_ask(f, "POST /v1/traces HTTP/1.1\r\nHost: x\r\n"
	                                           "Content-Length: 0\r\n\r\n")),
	             401);
	stats_tenant_add(f->w.stats, limits_metric_none(f->w.limits), SIGNAL_LOGS,
	                 TS_TENANT_REQUESTS, 1);
	ticks();
	cr_assert_eq(taken_count, 0);
}

Test(usage, a_blocked_request_is_counted_as_that_alone)
{
	cr_assert_eq(fixture_status(fixture_ask(f, "POST /v1/traces HTTP/1.1\r\nHost: x\r\n"
	                                           "Authorization: Bearer secret-stuck\r\n"
	                                           "Content-Type: application/x-protobuf\r\n"
	                                           "Content-Length: 0\r\n\r\n")),
	             403);
	ticks();
	cr_assert_eq(taken_count, 1);
	cr_assert_eq(number_of(0, "blocked"), 1);
	cr_assert_eq(number_of(0, "refused"), 0);
	cr_assert_eq(number_of(0, "accepted"), 0);
	is_stored(0);
}

/* ---- of the dead ---- */

static void base_has(uint64_t accepted)
{
	stats_tenant_add(f->w.pages[1], slot_of("acme"), SIGNAL_TRACES, TS_ITEMS_ACCEPTED,
	                 (int64_t)accepted);
}

static void other_page(struct stats *page, int slot, uint64_t generation)
{
	atomic_store(&stats_head(page)->slot, slot);
	atomic_store(&stats_head(page)->generation, generation);
	atomic_store(&stats_head(page)->pid, 1);
	atomic_store(&stats_head(page)->heartbeat_ms, 1);
	f->w.pages[f->w.page_count++] = page;
}

Test(usage, what_the_dead_left_is_told_by_the_lowest_slot)
{
	struct stats *other = fixture_page();

	acme_sends(1);
	base_has(7);
	ticks();
	cr_assert_eq(number_of(0, "accepted"), 8);
	is_stored(0);
	base_has(3);
	other_page(other, 2, 12);
	ticks();
	cr_assert_eq(taken_count, 0, "slot 2 does it");
	atomic_store(&stats_head(other)->heartbeat_ms, 0);
	ticks();
	cr_assert_eq(taken_count, 1, "it does not serve yet");
	cr_assert_eq(number_of(0, "accepted"), 3);
	is_stored(0);
	stats_unmap(other);
}

Test(usage, in_a_reload_the_later_process_of_the_slot_tells)
{
	struct stats *other = fixture_page();

	acme_sends(1);
	ticks();
	is_stored(0);
	base_has(3);
	other_page(other, 3, 13);
	ticks();
	cr_assert_eq(taken_count, 0);
	atomic_store(&stats_head(other)->generation, 11);
	ticks();
	cr_assert_eq(taken_count, 1);
	is_stored(0);
	stats_unmap(other);
}

/* What another process has on its way of it is not untold. */
Test(usage, the_base_is_told_once_whoever_begins)
{
	struct stats *other = fixture_page();
	unsigned slot;

	acme_sends(1);
	ticks();
	is_stored(0);
	slot = slot_of("acme");
	base_has(10);
	other_page(other, 5, 12);
	stats_cursor_add(other, slot, SIGNAL_TRACES, USAGE_BASE_SENT, USAGE_ACCEPTED, 4);
	stats_cursor_add(other, slot, SIGNAL_TRACES, USAGE_BASE_TOLD, USAGE_ACCEPTED, 5);
	ticks();
	cr_assert_eq(number_of(0, "accepted"), 1);
	is_stored(0);
	/* it dies: what it had told stays told, what was on its way is told again */
	stats_fold(f->w.pages[1], other);
	ticks();
	cr_assert_eq(number_of(0, "accepted"), 4);
	is_stored(0);
	ticks();
	cr_assert_eq(taken_count, 0);
	stats_unmap(other);
}

/* R21: sums equal what was counted, whoever dies when. */
Test(usage, a_death_loses_nothing_and_tells_nothing_twice)
{
	uint64_t told = 0;

	acme_sends(4);
	ticks();
	told += (uint64_t)number_of(0, "accepted");
	is_stored(0);
	acme_sends(3); /* and its process dies */
	stats_fold(f->w.pages[1], f->w.stats);
	memset(f->w.usages->v, 0, f->w.usages->count * sizeof(*f->w.usages->v));
	acme_sends(2); /* the next one in its place */
	ticks();
	cr_assert_eq(taken_count, 1);
	told += (uint64_t)number_of(0, "accepted");
	is_stored(0);
	cr_assert_eq(told, 9);
	/* that one dies too: what it told of the first stays told */
	stats_fold(f->w.pages[1], f->w.stats);
	memset(f->w.usages->v, 0, f->w.usages->count * sizeof(*f->w.usages->v));
	ticks();
	cr_assert_eq(taken_count, 0);
}

Test(usage, while_the_master_folds_the_base_is_left_alone)
{
	acme_sends(1);
	ticks();
	is_stored(0);
	base_has(3);
	stats_head(f->w.pages[1])->fold_seq++;
	ticks();
	cr_assert_eq(taken_count, 0);
	stats_head(f->w.pages[1])->fold_seq++;
	ticks();
	cr_assert_eq(number_of(0, "accepted"), 3);
	is_stored(0);
}

/* ---- the end ---- */

Test(usage, before_it_ends_a_worker_tells_what_is_untold)
{
	acme_sends(2);
	f->w.draining = true;
	base_has(3); /* when all end, nobody else would tell it */
	taken_count = 0;
	cr_assert(usages_last(f->w.usages));
	cr_assert_eq(number_of(0, "accepted"), 5);
	cr_assert(usages_last(f->w.usages));
	cr_assert_eq(taken_count, 1);
	is_stored(0);
	cr_assert(!usages_last(f->w.usages));
}

Test(usage, an_end_does_not_wait_for_what_cannot_be_stored)
{
	acme_sends(1);
	taken_count = 0;
	cr_assert(usages_last(f->w.usages));
	is_lost(0);
	cr_assert(!usages_last(f->w.usages));
	cr_assert(!usages_last(NULL));
}

/* A record of 1.5 is short, whatever stands in it. */
Test(usage, the_longest_record_fits)
{
	struct told t = { .seq = UINT64_MAX, .from_ms = INT64_MIN, .to_ms = INT64_MIN };
	struct body *mem = body_get(f->w.bodies, RECORD_BYTES);
	char tenant[TENANT_ID_MAX + 1];

	memset(tenant, 'x', TENANT_ID_MAX);
	tenant[TENANT_ID_MAX] = '\0';
	memset(f->w.usages->instance, 'h', sizeof(f->w.usages->instance) - 1);
	memset(t.own, 0xff, sizeof(t.own));
	cr_assert_leq(write_record(f->w.usages, &t, tenant, SIGNAL_METRICS, mem), RECORD_BYTES);
	body_put(f->w.bodies, mem);
}
