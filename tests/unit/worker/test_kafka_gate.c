/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "worker/kafka_gate.c"

enum { LINGER_US = 1000, BATCH = 10000, SECOND = 1000000000, MS = 1000000, MANY = 400 };

static struct kafka_gate *g;
static struct parcel parcel, other = { .topic = 2 };
static struct record records[MANY];
static unsigned made;
static int64_t now;

static void at(int64_t ns)
{
	now = ns;
	loop_set_clock(ns, 0);
}

static void set_up(void)
{
	g = kafka_gate_new(LINGER_US, BATCH, 7);
	made = 0;
	at(SECOND);
}

static void tear_down(void)
{
	while (kafka_gate_expired(g, INT64_MAX))
		;
	kafka_gate_free(g);
}

TestSuite(kafka_gate, .init = set_up, .fini = tear_down);

static struct record *record(void)
{
	struct record *rec = &records[made++];

	cr_assert(made < MANY);
	*rec = (struct record){
		.parcel = &parcel, .spread = true, .produced_ns = now, .value = { .n = 10 }
	};
	return rec;
}

static struct record *of_source(uint32_t word)
{
	struct record *rec = record();

	rec->spread = false;
	rec->partition_word = word;
	return rec;
}

/* So many as pass now. */
static unsigned pass(unsigned wanted, unsigned partitions)
{
	unsigned n = 0;

	while (n < wanted && kafka_gate_pass(g, record(), partitions))
		n++;
	return n;
}

/* The reports of records[from..from+n). */
static void report(unsigned from, unsigned n, bool stored)
{
	for (unsigned i = from; i < from + n; i++)
		kafka_gate_left(g, &records[i], stored);
}

Test(kafka_gate, a_partition_with_five_on_their_way_takes_none_until_one_is_reported)
{
	cr_assert_eq(pass(5, 1), 5);
	at(SECOND + MS); /* the linger is over: they are on their way */
	cr_assert_not(kafka_gate_pass(g, record(), 1));
	cr_assert_null(kafka_gate_next(g));
	report(0, 1, true);
	cr_assert_eq(kafka_gate_next(g), &records[5]);
	cr_assert_null(kafka_gate_next(g));
}

Test(kafka_gate, with_four_on_their_way_a_batch_more_goes)
{
	cr_assert_eq(pass(4, 1), 4);
	at(SECOND + MS);
	cr_assert_eq(pass(20, 1), 20); /* one linger long */
	at(SECOND + 2 * MS);
	cr_assert_eq(pass(1, 1), 0);
}

Test(kafka_gate, a_batch_is_open_for_one_linger_and_no_longer)
{
	cr_assert_eq(pass(50, 1), 50);
	at(SECOND + MS - 1);
	cr_assert_eq(pass(10, 1), 10);
	at(SECOND + MS);
	cr_assert_eq(pass(1, 1), 0);
}

/* librdkafka leaves what does not fit for the next request, and its thread polled without a pause
 * until five of the first were reported. */
Test(kafka_gate, a_batch_is_never_more_than_batch_bytes_of_the_library)
{
	unsigned fit = (BATCH - BATCH_COST) / (RECORD_COST + 10 + HEADER_COST);

	cr_assert_eq(pass(MANY - 1, 1), fit);
}

Test(kafka_gate, key_and_headers_are_of_the_batch_too)
{
	unsigned each = RECORD_COST + 10 + 2 * HEADER_COST + strlen("namevalue") + strlen("key");

	parcel.key = BYTES("key");
	parcel.headers[0] = (struct record_header){ "name", BYTES("value") };
	parcel.header_count = 1;
	cr_assert_eq(pass(MANY - 1, 1), (BATCH - BATCH_COST) / each);
}

Test(kafka_gate, a_record_larger_than_a_batch_goes_in_one_of_its_own)
{
	cr_assert_eq(pass(1, 1), 1);
	record()->value.n = BATCH + 1;
	cr_assert(kafka_gate_pass(g, &records[1], 1));
	cr_assert_eq(pass(10, 1), 3); /* five in all */
	at(SECOND + MS);
	report(0, 1, true);
	cr_assert_eq(pass(10, 1), 10); /* the next batch */
}

/* The library sent the first batch with a part of the second, and the rest waited there. */
Test(kafka_gate, no_second_batch_begins_in_the_linger_of_one_that_is_full)
{
	for (unsigned i = 0; i < 3; i++) { /* two fit */
		record()->value.n = 4600;
		cr_assert(kafka_gate_pass(g, &records[i], 1));
	}
	cr_assert_eq(pass(5, 1), 2);
	at(SECOND + MS + MS / 10);
	cr_assert_eq(pass(1, 1), 0);
}

Test(kafka_gate, without_linger_what_comes_at_once_is_one_batch)
{
	kafka_gate_free(g);
	g = kafka_gate_new(0, BATCH, 7);
	cr_assert_eq(pass(50, 1), 50);
	at(SECOND + MS / 2);
	cr_assert_eq(pass(1, 1), 0);
}

Test(kafka_gate, spread_stays_for_a_batch_then_goes_to_the_next_that_is_free)
{
	bool met[4] = { false };

	for (unsigned batch = 0; batch < 4; batch++) {
		unsigned first = made;

		cr_assert_eq(pass(10, 4), 10);
		for (unsigned i = first; i < made; i++) {
			cr_assert_eq(records[i].place, records[first].place);
			cr_assert_eq(kafka_partition(records[i].partition_word, 4),
			             records[i].place);
		}
		cr_assert_not(met[records[first].place]);
		met[records[first].place] = true;
		at(now + MS);
	}
	cr_assert_eq(pass(1, 4), 0);
	report(20, 10, true); /* the third is free, and no other */
	cr_assert_eq(kafka_gate_next(g), &records[40]);
	cr_assert_eq(records[40].place, records[20].place);
}

/* R9: each of 8 gets 5 to 25 % */
Test(kafka_gate, a_slow_sender_goes_round_all_partitions)
{
	unsigned hits[8] = { 0 };

	for (unsigned i = 0; i < 80; i++, at(now + 10 * MS)) {
		cr_assert_eq(pass(1, 8), 1);
		hits[records[i].place]++;
		report(i, 1, true);
	}
	for (unsigned i = 0; i < 8; i++)
		cr_assert_eq(hits[i], 10);
}

Test(kafka_gate, spread_prefers_an_empty_partition_to_one_with_few)
{
	cr_assert_eq(pass(1, 2), 1);
	at(now + MS);
	cr_assert_eq(pass(1, 2), 1);
	cr_assert_neq(records[1].place, records[0].place);
	report(1, 1, true);
	at(now + MS);
	cr_assert_eq(pass(1, 2), 1);
	cr_assert_eq(records[2].place, records[1].place);
}

Test(kafka_gate, source_waits_for_its_own_partition_and_keeps_its_order)
{
	uint32_t mine = 1, theirs = 2;

	while (kafka_partition(theirs, 4) == kafka_partition(mine, 4))
		theirs++;
	for (unsigned i = 0; i < 5; i++)
		cr_assert(kafka_gate_pass(g, of_source(mine), 4));
	at(now + MS);
	cr_assert_not(kafka_gate_pass(g, of_source(mine), 4)); /* 5 */
	cr_assert_not(kafka_gate_pass(g, of_source(mine), 4)); /* 6 */
	cr_assert(kafka_gate_pass(g, of_source(theirs), 4));
	cr_assert(kafka_gate_pass(g, record(), 4));
	cr_assert_null(kafka_gate_next(g));
	report(0, 5, true);
	cr_assert_eq(kafka_gate_next(g), &records[5]);
	cr_assert_eq(kafka_gate_next(g), &records[6]);
	cr_assert_null(kafka_gate_next(g));
	cr_assert_eq(records[5].partition_word, mine);
}

/* A partition takes again as soon as a report is here, and who waits goes when all of them are. */
Test(kafka_gate, a_new_record_of_source_goes_behind_those_that_wait_for_its_partition)
{
	for (unsigned i = 0; i < 5; i++)
		cr_assert(kafka_gate_pass(g, of_source(1), 4));
	at(now + MS);
	cr_assert_not(kafka_gate_pass(g, of_source(1), 4)); /* 5 */
	report(0, 5, true);
	cr_assert_not(kafka_gate_pass(g, of_source(1), 4)); /* 6 */
	cr_assert_eq(kafka_gate_next(g), &records[5]);
	cr_assert_eq(kafka_gate_next(g), &records[6]);
	cr_assert_null(kafka_gate_next(g));
}

/* 30 000 of them took 2.5 ms at each report of another partition. */
Test(kafka_gate, those_that_wait_for_a_partition_are_not_looked_at_for_another)
{
	uint32_t mine = 1, theirs = 2;

	while (kafka_partition(theirs, 2) == kafka_partition(mine, 2))
		theirs++;
	for (unsigned i = 0; i < 5; i++)
		cr_assert(kafka_gate_pass(g, of_source(mine), 2));
	at(now + MS);
	cr_assert_not(kafka_gate_pass(g, of_source(mine), 2)); /* 5 */
	cr_assert_not(kafka_gate_pass(g, of_source(mine), 2)); /* 6 */
	records[5].next = (struct record *)1; /* whoever goes along there ends */
	cr_assert(kafka_gate_pass(g, of_source(theirs), 2));
	report(7, 1, true);
	cr_assert_null(kafka_gate_next(g));
	records[5].next = &records[6];
}

Test(kafka_gate, when_a_topic_grows_those_of_source_go_to_their_new_partition)
{
	uint32_t word = 1;

	while (kafka_partition(word, 3) != 2)
		word++;
	for (unsigned i = 0; i < 5; i++)
		cr_assert(kafka_gate_pass(g, of_source(word), 1));
	at(now + MS);
	cr_assert_not(kafka_gate_pass(g, of_source(word), 1)); /* 5 */
	cr_assert_not(kafka_gate_pass(g, of_source(word), 1)); /* 6 */
	cr_assert_not(kafka_gate_pass(g, of_source(word), 3)); /* 7, behind them */
	for (unsigned i = 5; i <= 7; i++) {
		cr_assert_eq(kafka_gate_next(g), &records[i]);
		cr_assert_eq(records[i].place, 2);
	}
	report(0, 8, true);
}

Test(kafka_gate, of_a_partition_that_fails_the_young_of_source_go_past_the_old)
{
	for (unsigned i = 0; i < 5; i++)
		cr_assert(kafka_gate_pass(g, of_source(1), 1));
	at(now + MS);
	cr_assert_not(kafka_gate_pass(g, of_source(1), 1)); /* 5 */
	at(now + YOUNG_NS);
	cr_assert_not(kafka_gate_pass(g, of_source(1), 1)); /* 6 */
	report(0, 5, false);
	cr_assert_eq(kafka_gate_next(g), &records[6]);
	cr_assert_null(kafka_gate_next(g));
	report(6, 1, true);
	cr_assert_eq(kafka_gate_next(g), &records[5]);
}

Test(kafka_gate, a_record_of_source_passes_those_of_spread_that_wait)
{
	struct record *last;

	cr_assert_eq(pass(5, 2), 5);
	at(now + MS);
	cr_assert_eq(pass(5, 2), 5);
	at(now + MS);
	cr_assert_eq(pass(1, 2), 0); /* 10 */
	last = of_source(records[0].partition_word);
	cr_assert_not(kafka_gate_pass(g, last, 2)); /* 11 */
	report(0, 1, true);
	cr_assert_eq(kafka_gate_next(g), &records[10]); /* the first in line */
	at(now + MS);
	cr_assert_null(kafka_gate_next(g));
	report(1, 4, true);
	cr_assert_eq(kafka_gate_next(g), last);
}

Test(kafka_gate, a_record_that_is_to_be_alone_has_no_company)
{
	struct record *alone;

	cr_assert_eq(pass(3, 1), 3);
	alone = record(); /* 3 */
	alone->alone = true;
	cr_assert_not(kafka_gate_pass(g, alone, 1));
	report(0, 2, true);
	cr_assert_null(kafka_gate_next(g));
	report(2, 1, true);
	cr_assert_eq(kafka_gate_next(g), alone);
	cr_assert_eq(pass(1, 1), 0); /* 4 */
	cr_assert_not(kafka_gate_has_company(g, alone));
	report(3, 1, false);
	cr_assert_eq(kafka_gate_next(g), &records[4]);
}

/* Under load there are always some on their way: it waited until its time was over. */
Test(kafka_gate, a_record_that_is_to_be_alone_is_not_kept_out_by_those_behind_it)
{
	struct record *alone;

	cr_assert_eq(pass(3, 1), 3);
	alone = record(); /* 3 */
	alone->alone = true;
	cr_assert_not(kafka_gate_pass(g, alone, 1));
	at(now + MS);
	cr_assert_eq(pass(1, 1), 0); /* 4 */
	report(0, 3, true);
	cr_assert_eq(pass(1, 1), 0); /* 5 */
	cr_assert_eq(kafka_gate_next(g), alone);
	cr_assert_null(kafka_gate_next(g));
	report(3, 1, true);
	cr_assert_eq(kafka_gate_next(g), &records[4]);
	cr_assert_eq(kafka_gate_next(g), &records[5]);
}

/* Who came later went past them, and they waited until their time was over. */
Test(kafka_gate, a_record_that_is_never_alone_holds_up_those_behind_it_for_a_while_only)
{
	struct record *alone;

	cr_assert_eq(pass(3, 1), 3);
	alone = record(); /* 3 */
	alone->alone = true;
	cr_assert_not(kafka_gate_pass(g, alone, 1));
	at(now + MS);
	cr_assert_eq(pass(1, 1), 0); /* 4 */
	at(now + YOUNG_NS);
	cr_assert_eq(pass(1, 1), 1); /* 5 */
	report(0, 3, true);
	cr_assert_eq(kafka_gate_next(g), &records[4]);
	cr_assert_null(kafka_gate_next(g));
	report(4, 2, true);
	cr_assert_eq(kafka_gate_next(g), alone);
	cr_assert_null(kafka_gate_next(g));
}

Test(kafka_gate, who_shares_a_batch_has_company_until_the_last_report)
{
	cr_assert_eq(pass(1, 1), 1);
	cr_assert_not(kafka_gate_has_company(g, &records[0]));
	cr_assert_eq(pass(1, 1), 1);
	cr_assert(kafka_gate_has_company(g, &records[0]));
	report(0, 1, false);
	cr_assert(kafka_gate_has_company(g, &records[1]));
	report(1, 1, false);
	cr_assert_eq(pass(1, 1), 1);
	cr_assert_not(kafka_gate_has_company(g, &records[2]));
}

Test(kafka_gate, topics_do_not_wait_for_each_other)
{
	struct record *rec;

	cr_assert_eq(pass(5, 1), 5);
	at(now + MS);
	cr_assert_eq(pass(1, 1), 0);
	rec = record();
	rec->parcel = &other;
	cr_assert(kafka_gate_pass(g, rec, 3));
	for (unsigned i = 0; i < 4; i++) {
		rec = record();
		rec->parcel = &other;
		cr_assert(kafka_gate_pass(g, rec, 3));
	}
	kafka_gate_left(g, rec, true);
	cr_assert_null(kafka_gate_next(g));
	report(0, 1, true);
	cr_assert_eq(kafka_gate_next(g), &records[5]);
}

Test(kafka_gate, those_that_waited_too_long_are_given_back_in_their_order)
{
	cr_assert_eq(pass(5, 1), 5);
	at(now + MS);
	cr_assert_eq(pass(1, 1), 0); /* 5, since SECOND + MS */
	at(now + SECOND);
	cr_assert_eq(pass(1, 1), 0); /* 6 */
	cr_assert_null(kafka_gate_expired(g, SECOND + MS - 1));
	cr_assert_eq(kafka_gate_expired(g, SECOND + MS), &records[5]);
	cr_assert_null(kafka_gate_expired(g, SECOND + MS));
	report(0, 5, true);
	cr_assert_eq(kafka_gate_next(g), &records[6]);
}

Test(kafka_gate, after_a_failure_only_what_is_young_goes)
{
	struct record *old;

	cr_assert_eq(pass(5, 1), 5);
	at(now + MS);
	old = record();
	cr_assert_not(kafka_gate_pass(g, old, 1)); /* 5 */
	at(now + YOUNG_NS);
	report(0, 5, false);
	cr_assert_null(kafka_gate_next(g));
	cr_assert_eq(pass(1, 1), 1); /* 6: a new one tries it */
	cr_assert_null(kafka_gate_next(g));
	report(6, 1, true);
	cr_assert_eq(kafka_gate_next(g), old);
}

Test(kafka_gate, a_topic_may_grow_and_shrink_while_records_are_on_their_way)
{
	cr_assert_eq(pass(10, 4), 10);
	at(now + MS);
	cr_assert_eq(records[0].place, 0);
	cr_assert_eq(pass(10, 1), 0); /* the one that is left */
	at(now + MS);
	for (unsigned i = 0; i < 20; i++, at(now + MS))
		cr_assert_eq(pass(1, 50), 1);
	report(0, 10, true);
}

/* 3000 is what the limit of one topic's partitions leaves to find words for. */
Test(kafka_gate, each_partition_has_a_word_that_leads_there)
{
	static const unsigned counts[] = { 1, 2, 3, 7, 64, 1000, 3000 };

	for (unsigned i = 0; i < ARRAY_LEN(counts); i++) {
		struct lane *l = lane_of(g, i);

		resize(l, counts[i], 0x12345678);
		for (unsigned p = 0; p < counts[i]; p++)
			cr_assert_eq(kafka_partition(l->places[p].word, counts[i]), p);
	}
}
