/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <unistd.h>

#include "worker/kafka_news.c"

static const char *const brokers[] = { "127.0.0.1:1", "127.0.0.1:2" };
static struct conf conf;
static struct worker w = { .conf = &conf };
static struct kafka_news news = { .w = &w };

static void set_up(void)
{
	struct err err = { "" };
	int fd = stats_memfd(2, &err);

	conf.kafka.brokers.v = (const char **)(uintptr_t)brokers;
	conf.kafka.brokers.n = 2;
	w.stats = stats_map(fd, true, 2, &err);
	close(fd);
	cr_assert(w.stats, "%s", err.text);
}

static void tear_down(void)
{
	stats_unmap(w.stats);
}

TestSuite(kafka_news, .init = set_up, .fini = tear_down);

Test(kafka_news, broker_states_are_read_from_the_statistics)
{
	static const char one_up[] =
		"{\"name\":\"x\",\"brokers\":{\"a/1\":{\"name\":\"a/1\",\"nodeid\":1,"
		"\"nodename\":\"127.0.0.1:1\",\"source\":\"learned\",\"state\":\"UP\",\"stateage\":"
		"5},"
		"\"b/"
		"2\":{\"nodename\":\"127.0.0.1:2\",\"source\":\"configured\",\"state\":\"INIT\"},"
		"\"c\":{\"nodename\":\"127.0.0.1:12\",\"state\":\"DOWN\"}},\"topics\":{}}";

	stats_set(w.stats, STAT_KAFKA_BROKER_UP, 1, 0, 7);
	news.brokers_down = true;
	kafka_news_stats(&news, one_up);
	cr_assert(!news.brokers_down);
	cr_assert_eq(stats_get(w.stats, STAT_KAFKA_BROKER_UP, 0, 0), 1);
	cr_assert_eq(stats_get(w.stats, STAT_KAFKA_BROKER_UP, 1, 0),
	             7); /* never tried: left alone */
	kafka_news_stats(&news, "{\"nodename\":\"127.0.0.1:1\",\"state\":\"TRY_CONNECT\"}");
	cr_assert_eq(stats_get(w.stats, STAT_KAFKA_BROKER_UP, 0, 0), 0);
	kafka_news_stats(&news, "{\"nodename\":\"127.0.0.1:1");
	kafka_news_stats(&news, "{\"nodename\":\"127.0.0.1:1\"");
	kafka_news_stats(&news, "");
}

/* F12 */
Test(kafka_news, one_line_a_minute_for_each_broker_and_cause)
{
	const rd_kafka_resp_err_t ssl = RD_KAFKA_RESP_ERR__SSL;
	const char *first = "ssl://a:1/1: handshake failed: expired (after 5ms)";
	uint32_t held;

	loop_set_clock(1000000000000, 0);
	cr_assert(log_limited(cause_limit(&news, cause_key(ssl, first)), 1, loop_now(), &held));
	cr_assert(!log_limited(cause_limit(&news, cause_key(ssl, first)), 1, loop_now(), &held));
	/* the same trouble in other words: still the same broker and code */
	cr_assert_eq(cause_key(ssl, "ssl://a:1/1: handshake failed: expired (after 9ms)"),
	             cause_key(ssl, first));
	cr_assert_neq(cause_key(ssl, "ssl://b:1/2: handshake failed"), cause_key(ssl, first));
	cr_assert_neq(cause_key(RD_KAFKA_RESP_ERR__TRANSPORT, first), cause_key(ssl, first));
	/* more causes than places: the newest stay limited */
	for (uint32_t i = 1; i <= KAFKA_CAUSES_MAX + 5; i++) {
		loop_set_clock(1000000000000 + (int64_t)i * 1000000, 0);
		cr_assert(log_limited(cause_limit(&news, i), 1, loop_now(), &held));
		cr_assert(!log_limited(cause_limit(&news, i), 1, loop_now(), &held));
	}
}
