/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <signal.h>

#include "common/stats.c"

enum { SLOTS = 3 + 2 };

static struct stats *page, *base, *dead;

static struct stats *new_page(void)
{
	autoclose int fd = stats_memfd(SLOTS, NULL);

	return stats_map(fd, true, SLOTS, NULL);
}

static void open_pages(void)
{
	page = new_page();
	base = new_page();
	dead = new_page();
	cr_assert(page && base && dead);
}

static void close_pages(void)
{
	stats_unmap(page);
	stats_unmap(base);
	stats_unmap(dead);
}

TestSuite(stats, .init = open_pages, .fini = close_pages);

Test(stats, each_family_has_a_help_and_words_of_its_own)
{
	size_t end = 0;

	for (enum stat_id id = 0; id < STAT_COUNT; id++) {
		size_t words =
			(size_t)stat_dim_size[stat_info[id].a] * stat_dim_size[stat_info[id].b];

		if (stat_info[id].type == HISTOGRAM)
			words *= HISTOGRAM_WORDS;
		cr_assert(stat_info[id].name[0] && stat_info[id].help[0]);
		cr_assert_eq(stat_info[id].word, end, "%s", stat_info[id].name);
		end += words;
	}
	cr_assert_eq(end * sizeof(stat_word), sizeof(struct stat_words));
}

Test(stats, counters_end_in_total_and_others_do_not)
{
	for (enum stat_id id = 0; id < STAT_COUNT; id++) {
		const char *name = stat_info[id].name;
		bool total = strlen(name) > 6 && strcmp(name + strlen(name) - 6, "_total") == 0;

		cr_assert_eq(total, is_counter(stat_info[id].type), "%s", name);
	}
}

/* kafka.brokers takes 64, and a worker as many listening sockets. */
Test(stats, the_64th_broker_and_listener_have_places_of_their_own)
{
	struct stats *s = new_page();

	stats_set(s, STAT_KAFKA_BROKER_UP, 62, 0, 1);
	stats_set(s, STAT_KAFKA_BROKER_UP, 63, 0, 0);
	cr_assert_eq(stats_get(s, STAT_KAFKA_BROKER_UP, 62, 0), 1);
	stats_add(s, STAT_CONNECTIONS_ACCEPTED, 63, 0, 1);
	cr_assert_eq(stats_get(s, STAT_CONNECTIONS_ACCEPTED, 62, 0), 0);
	stats_unmap(s);
}

Test(stats, words_of_one_series_do_not_touch_another)
{
	stats_add(page, STAT_REQUESTS, 3, V_ACCEPTED, 5);
	stats_add(page, STAT_REQUESTS, 3, V_ACCEPTED, 2);
	stats_add(page, STAT_REQUESTS_IN_FLIGHT, 3, 0, 1);
	stats_add(page, STAT_REQUESTS_IN_FLIGHT, 3, 0, -1);
	stats_set(page, STAT_GENERATION, 0, 0, 9);
	cr_assert_eq(stats_get(page, STAT_REQUESTS, 3, V_ACCEPTED), 7);
	cr_assert_eq(stats_get(page, STAT_REQUESTS, 2, V_ACCEPTED), 0);
	cr_assert_eq(stats_get(page, STAT_REQUESTS, 3, V_ACCEPTED + 1), 0);
	cr_assert_eq(stats_get(page, STAT_REQUESTS_IN_FLIGHT, 3, 0), 0);
	cr_assert_eq(stats_get(page, STAT_GENERATION, 0, 0), 9);
}

Test(stats, an_index_beyond_a_dimension_counts_in_its_last_place)
{
	stats_add(page, STAT_CONNECTIONS, 4000, 4000, 2);
	cr_assert_eq(stats_get(page, STAT_CONNECTIONS, SIZE_LISTENER - 1, SIZE_CONN_STATE - 1), 2);
	stats_tenant_add(page, 4000, SIGNAL_LOGS, TS_ITEMS_ACCEPTED, 3);
	cr_assert_eq(stats_tenant_get(page, SLOTS - 1, SIGNAL_LOGS, TS_ITEMS_ACCEPTED), 3);
}

Test(stats, an_observation_falls_into_the_first_bucket_that_holds_it)
{
	stats_observe_us(page, STAT_REQUEST_DURATION, 1, 0);
	stats_observe_us(page, STAT_REQUEST_DURATION, 1, 500);
	stats_observe_us(page, STAT_REQUEST_DURATION, 1, 501);
	stats_observe_us(page, STAT_REQUEST_DURATION, 1, 30000001);
	cr_assert_eq(stats_histogram_word(page, STAT_REQUEST_DURATION, 1, 0), 2);
	cr_assert_eq(stats_histogram_word(page, STAT_REQUEST_DURATION, 1, 1), 1);
	cr_assert_eq(stats_histogram_word(page, STAT_REQUEST_DURATION, 1, HISTOGRAM_BOUNDS), 1);
	cr_assert_eq(stats_histogram_word(page, STAT_REQUEST_DURATION, 1, HISTOGRAM_SUM_US),
	             30001002);
	cr_assert_eq(stats_get(page, STAT_REQUEST_DURATION, 1, 0), 4);
	cr_assert_eq(stats_get(page, STAT_REQUEST_DURATION, 0, 0), 0);
}

Test(stats, the_bounds_are_the_same_in_seconds_and_microseconds)
{
	for (unsigned i = 0; i < HISTOGRAM_BOUNDS; i++)
		cr_assert_eq((uint64_t)(histogram_bounds[i] * 1e6 + 0.5), bounds_us[i]);
}

Test(stats, a_level_knows_never_set_from_zero)
{
	cr_assert_not(stats_is_set(page, STAT_TABLE_GENERATION, 0, 0));
	stats_set(page, STAT_TABLE_GENERATION, 0, 0, 0);
	cr_assert(stats_is_set(page, STAT_TABLE_GENERATION, 0, 0));
	cr_assert_eq(stats_get(page, STAT_TABLE_GENERATION, 0, 0), 0);
}

Test(stats, a_flag_that_is_set_leaves_the_others_alone)
{
	_Atomic uint64_t *flags = &stats_head(page)->ready_flags;

	stats_flags(page, READY_STORE_FULL, READY_STORE_FULL);
	stats_flags(page, READY_SINK_FAILS | READY_SINK_WARNS, READY_SINK_WARNS);
	cr_assert_eq(atomic_load(flags), READY_STORE_FULL | READY_SINK_WARNS);
	stats_flags(page, READY_SINK_FAILS | READY_SINK_WARNS, READY_SINK_FAILS);
	stats_flags(page, READY_STORE_FULL, 0);
	cr_assert_eq(atomic_load(flags), READY_SINK_FAILS);
}

Test(stats, a_dead_page_is_added_to_the_base_and_emptied)
{
	stats_add(base, STAT_REQUESTS, 0, V_ACCEPTED, 10);
	stats_add(dead, STAT_REQUESTS, 0, V_ACCEPTED, 4);
	stats_observe_us(dead, STAT_KAFKA_DELIVERY, 0, 700);
	stats_head(dead)->pid = 17;
	stats_head(dead)->current.active = 3;
	stats_fold(base, dead);
	cr_assert_eq(stats_get(base, STAT_REQUESTS, 0, V_ACCEPTED), 14);
	cr_assert_eq(stats_get(base, STAT_KAFKA_DELIVERY, 0, 0), 1);
	cr_assert_eq(stats_histogram_word(base, STAT_KAFKA_DELIVERY, 0, HISTOGRAM_SUM_US), 700);
	cr_assert_eq(stats_get(dead, STAT_REQUESTS, 0, V_ACCEPTED), 0);
	cr_assert_eq(stats_get(dead, STAT_KAFKA_DELIVERY, 0, 0), 0);
	cr_assert_eq(stats_head(dead)->pid, 0);
	cr_assert_eq(stats_head(dead)->current.active, 0);
	cr_assert_eq(stats_head(dead)->magic, MAGIC);
}

/* O19 */
Test(stats, the_last_errors_of_the_dead_are_kept)
{
	struct last_error line = { .at = 5, .text = "its last words" }, list[LAST_ERRORS];

	last_errors_add(&stats_head(dead)->errors, &line);
	stats_fold(base, dead);
	cr_assert_eq(last_errors_merge(list, 0, &stats_head(dead)->errors), 0u);
	cr_assert_eq(last_errors_merge(list, 0, &stats_head(base)->errors), 1u);
	cr_assert_str_eq(list[0].text, "its last words");
}

Test(stats, the_masters_facts_lie_in_a_place_of_their_own)
{
	autofree char *text = xcalloc(FACTS_MAX + 1, 1), *got = NULL;

	memset(text, 'f', FACTS_MAX);
	facts_set(stats_facts(page), bytes_str(text));
	cr_assert_eq(atomic_load(&stats_in_flight(page)[0].bytes), 0u);
	stats_in_flight(page)[0].bytes = 9;
	got = facts_get(stats_facts(page));
	cr_assert_str_eq(got, text);
	cr_assert_null(facts_get(stats_facts(base)));
}

Test(stats, gauges_of_the_dead_vanish)
{
	stats_add(dead, STAT_CONNECTIONS, 0, CONN_IDLE, 6);
	stats_set(dead, STAT_TABLE_GENERATION, 0, 0, 1);
	stats_set(dead, STAT_TABLE_ENTRIES, ROW_TOKEN, 0, 99);
	stats_fold(base, dead);
	cr_assert_eq(stats_get(base, STAT_CONNECTIONS, 0, CONN_IDLE), 0);
	cr_assert_not(stats_is_set(base, STAT_TABLE_GENERATION, 0, 0));
	cr_assert_not(stats_is_set(base, STAT_TABLE_ENTRIES, ROW_TOKEN, 0));
}

/* R18 */
Test(stats, what_tenants_of_the_dead_had_in_flight_vanishes)
{
	struct stats_in_flight *mine = stats_in_flight(dead);

	mine[0].bytes = 4096;
	mine[65535].requests = 3;
	mine[STATS_TENANTS_MAX - 1].requests = 1;
	stats_fold(base, dead);
	cr_assert_eq(mine[0].bytes + mine[65535].requests + mine[STATS_TENANTS_MAX - 1].requests, 0);
	cr_assert_eq(stats_in_flight(base)[0].bytes, 0);
}

Test(stats, tenants_that_send_nothing_cost_no_memory)
{
	autoclose int fd = stats_memfd(SLOTS, NULL);
	struct stats *other = stats_map(fd, true, SLOTS, NULL);
	struct stat st;

	stats_in_flight(other)[1000].requests = 1;
	stats_fold(base, other);
	cr_assert_eq(fstat(fd, &st), 0);
	cr_assert_lt((size_t)st.st_blocks * 512, (size_t)MIB);
	stats_unmap(other);
}

static uint64_t in_base(enum tenant_stat id)
{
	return stats_tenant_get(base, 1, SIGNAL_LOGS, id);
}

Test(stats, items_in_flight_of_the_dead_are_failed_as_worker_lost)
{
	stats_tenant_add(dead, 1, SIGNAL_LOGS, TS_ITEMS_ACCEPTED, 100);
	stats_tenant_add(dead, 1, SIGNAL_LOGS, TS_ITEMS_DELIVERED, 70);
	stats_tenant_add(dead, 1, SIGNAL_LOGS, TS_FAILED_TIMED_OUT, 10);
	stats_tenant_add(dead, 1, SIGNAL_LOGS, TS_ITEMS_IN_FLIGHT, 20);
	stats_fold(base, dead);
	cr_assert_eq(in_base(TS_ITEMS_ACCEPTED), 100);
	cr_assert_eq(in_base(TS_FAILED_WORKER_LOST), 20);
	cr_assert_eq(in_base(TS_ITEMS_IN_FLIGHT), 0);
	cr_assert_eq(in_base(TS_ITEMS_DELIVERED) + in_base(TS_FAILED_TIMED_OUT) +
	                     in_base(TS_FAILED_WORKER_LOST),
	             100);
}

Test(stats, a_death_between_two_words_keeps_the_sum_exact)
{
	/* Delivered was counted, in flight not yet lowered. */
	stats_tenant_add(dead, 1, SIGNAL_LOGS, TS_ITEMS_ACCEPTED, 5);
	stats_tenant_add(dead, 1, SIGNAL_LOGS, TS_ITEMS_DELIVERED, 3);
	stats_tenant_add(dead, 1, SIGNAL_LOGS, TS_ITEMS_IN_FLIGHT, 3);
	stats_fold(base, dead);
	cr_assert_eq(in_base(TS_FAILED_WORKER_LOST), 2);
}

Test(stats, two_deaths_add_up)
{
	for (int i = 0; i < 2; i++) {
		stats_tenant_add(dead, 1, SIGNAL_LOGS, TS_ITEMS_ACCEPTED, 5);
		stats_tenant_add(dead, 1, SIGNAL_LOGS, TS_ITEMS_DELIVERED, 4);
		stats_fold(base, dead);
	}
	cr_assert_eq(in_base(TS_ITEMS_ACCEPTED), 10);
	cr_assert_eq(in_base(TS_FAILED_WORKER_LOST), 2);
}

Test(stats, a_reader_notices_a_fold)
{
	uint32_t seq = stats_read_begin(base);

	cr_assert_not(stats_read_retry(base, seq));
	stats_fold(base, dead);
	cr_assert(stats_read_retry(base, seq));
	cr_assert_not(stats_read_retry(base, stats_read_begin(base)));
	stats_head(base)->fold_seq++; /* the master is in the middle of it */
	cr_assert(stats_read_retry(base, stats_read_begin(base)));
}

Test(stats, a_page_cannot_be_cut_and_another_size_is_refused)
{
	autoclose int fd = stats_memfd(SLOTS, NULL);
	struct err err = { "" };

	cr_assert_eq(ftruncate(fd, 10), -1);
	cr_assert_null(stats_map(fd, false, SLOTS + 1, &err));
	cr_assert(strstr(err.text, "no stats page of 6 tenants"), "%s", err.text);
}

Test(stats, zeros_are_no_page)
{
	autoclose int fd = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct err err = { "" };

	cr_assert_eq(ftruncate(fd, (off_t)page_bytes(SLOTS)), 0);
	cr_assert_null(stats_map(fd, false, SLOTS, NULL)); /* not sealed */
	cr_assert_eq(fcntl(fd, F_ADD_SEALS, STATS_SEALS), 0);
	cr_assert_null(stats_map(fd, false, SLOTS, &err));
	cr_assert_str_eq(err.text, "no stats page");
}

Test(stats, a_reader_cannot_write, .signal = 11)
{
	autoclose int fd = stats_memfd(SLOTS, NULL);
	struct stats *reader = stats_map(fd, false, SLOTS, NULL);

	signal(SIGSEGV, SIG_DFL); /* not the sanitizer's report */
	stats_head(reader)->pid = 1;
}
