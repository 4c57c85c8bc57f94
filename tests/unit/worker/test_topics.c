/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "worker/topics.c"

static const char *const names[] = { "spans", "logs", "metrics" };
static struct conf conf;
static struct worker w;
static struct topics *t;
static rd_kafka_t *rk; /* knows no broker: nothing here needs one */
static struct reading answer;
static struct found found[3];
static unsigned changes;

static void on_change(void *arg)
{
	cr_assert_eq(arg, &w);
	changes++;
}

static rd_kafka_t *producer(void)
{
	rd_kafka_conf_t *quiet = rd_kafka_conf_new();
	char why[200];
	rd_kafka_t *made;

	rd_kafka_conf_set(quiet, "log_level", "0", why, sizeof(why));
	made = rd_kafka_new(RD_KAFKA_PRODUCER, quiet, why, sizeof(why));
	cr_assert_not_null(made, "%s", why);
	return made;
}

static void set_up(void)
{
	struct err err = { "" };
	int fd = stats_memfd(2, &err);

	loop_set_clock(1000000000000, 0);
	log_setup(LOG_LEVEL_DEBUG, LOG_FORMAT_LOGFMT, NULL);
	conf.kafka.metadata_refresh = 60000;
	w.conf = &conf;
	w.stats = stats_map(fd, true, 2, &err);
	close(fd);
	w.base = loop_open(&err);
	cr_assert(w.base && w.stats, "%s", err.text);
	t = topics_open(&w, &err);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		topics_add(t, names[i], false);
	cr_assert_not_null(t, "%s", err.text);
	topics_watch(t, on_change, &w);
	rk = producer();
	cr_assert_eq(topics_attach(t, rk, &err), 0);
}

static void tear_down(void)
{
	topics_close(t);
	rd_kafka_destroy(rk);
	loop_close(w.base);
	stats_unmap(w.stats);
}

TestSuite(topics, .init = set_up, .fini = tear_down);

/* What a cluster would say: of each topic its partitions, 0 for one that is not there. */
static void cluster_says(int spans, int logs, int metrics)
{
	const int partitions[] = { spans, logs, metrics };

	answer = (struct reading){
		.kind = READ_METADATA, .rk = rk, .count = 3, .found = found, .broker_count = 1
	};
	for (unsigned i = 0; i < 3; i++)
		answer.found[i] =
			(struct found){ .listed = partitions[i] > 0, .partitions = partitions[i] };
	apply_metadata(t, &answer);
}

static void limits_are(uint64_t spans, uint64_t brokers)
{
	answer = (struct reading){
		.kind = READ_LIMITS, .rk = rk, .count = 3, .found = found, .request_max = brokers
	};
	memset(found, 0, sizeof(found));
	found[0].max_message = spans;
	apply_limits(t, &answer);
}

/* The first record of a tenant may bring a topic (`{tenant}`). */
Test(topics, a_topic_that_comes_later_is_looked_for_at_once)
{
	static struct found four[4];

	cluster_says(4, 2, 1);
	cr_assert(!topics_unlooked(t, 2));
	loop_set_clock(1000000000000 + 1000000000, 0);
	topics_add(t, "late", false);
	cr_assert_eq(topics_count(t), 4);
	cr_assert(topics_unlooked(t, 3));
	cr_assert_leq(t->metadata_at, loop_now());
	cluster_says(4, 2, 1); /* asked before it was known here: no word about it */
	cr_assert(topics_unlooked(t, 3));
	cr_assert_leq(t->metadata_at, loop_now(), "asked again at once");
	answer = (struct reading){ .kind = READ_METADATA, .rk = rk, .count = 4, .found = four };
	four[0] = four[1] = four[2] = four[3] = (struct found){ .listed = true, .partitions = 1 };
	apply_metadata(t, &answer);
	cr_assert(!topics_unlooked(t, 3));
	cr_assert_not_null(topics_handle(t, 3));
}

Test(topics, nothing_is_known_before_the_first_metadata)
{
	char missing[64];

	cr_assert(!topics_known(t));
	cr_assert_null(topics_handle(t, 0));
	cr_assert_eq(topics_missing(t, missing, sizeof(missing)), 3);
	cr_assert_str_eq(missing, "spans logs metrics");
	cr_assert_leq(t->metadata_at, loop_now()); /* asked at once */
}

Test(topics, only_a_listed_topic_gets_an_object)
{
	char missing[64];

	cluster_says(4, 2, 0);
	cr_assert(topics_known(t));
	cr_assert_eq(changes, 1);
	cr_assert_not_null(topics_handle(t, 0));
	cr_assert_str_eq(rd_kafka_topic_name(topics_handle(t, 1)), "logs");
	cr_assert_null(t->v[2].handle);
	cr_assert_eq(topics_partitions(t, 0), 4);
	cr_assert_eq(topics_missing(t, missing, sizeof(missing)), 1);
	cr_assert_str_eq(missing, "metrics");
	cr_assert_eq(stats_get(w.stats, STAT_KAFKA_TOPICS_MISSING, 0, 0), 1);
}

/* F7 */
Test(topics, a_missing_topic_is_looked_for_every_10_s_and_alarmed_once_a_minute)
{
	uint64_t before = log_count(LOG_LEVEL_ERR);

	cluster_says(1, 1, 0);
	cr_assert_eq(t->metadata_at, loop_now() + 10000);
	cluster_says(1, 1, 0);
	cr_assert_eq(log_count(LOG_LEVEL_ERR), before + 1);
	cluster_says(1, 1, 3);
	cr_assert_not_null(topics_handle(t, 2));
	cr_assert_eq(t->metadata_at, loop_now() + 60000);
	cr_assert_eq(stats_get(w.stats, STAT_KAFKA_TOPICS_MISSING, 0, 0), 0);
}

Test(topics, a_topic_that_goes_away_loses_its_object)
{
	cluster_says(1, 1, 1);
	cluster_says(1, 0, 1);
	cr_assert_null(t->v[1].handle);
	cr_assert_not_null(topics_handle(t, 0));
}

Test(topics, brokers_that_do_not_answer_take_no_topic_with_them)
{
	cluster_says(1, 1, 1);
	answer = (struct reading){ .rk = rk, .count = 3, .failed = RD_KAFKA_RESP_ERR__TRANSPORT };
	apply_metadata(t, &answer);
	cr_assert_not_null(topics_handle(t, 0));
	cr_assert_eq(changes, 1);
	cr_assert_eq(t->metadata_at, loop_now() + 1000);
}

/* F5 */
Test(topics, a_denied_topic_is_unavailable_until_the_next_metadata_and_no_other_is)
{
	uint64_t before = log_count(LOG_LEVEL_ERR);

	cluster_says(1, 1, 1);
	topics_mark_unavailable(t, 1, true);
	topics_mark_unavailable(t, 1, true);
	cr_assert_eq(log_count(LOG_LEVEL_ERR), before + 1);
	cr_assert_null(topics_handle(t, 1));
	cr_assert_not_null(topics_handle(t, 0));
	cr_assert_eq(t->metadata_at, loop_now() + 10000);
	cluster_says(1, 1, 1);
	cr_assert_not_null(topics_handle(t, 1));
}

Test(topics, a_topic_that_reports_miss_is_looked_for_within_a_second)
{
	cluster_says(1, 1, 1);
	topics_mark_unavailable(t, 0, false);
	cr_assert_null(topics_handle(t, 0));
	cr_assert_eq(t->metadata_at, loop_now() + 1000);
	cr_assert_eq(stats_get(w.stats, STAT_KAFKA_TOPICS_MISSING, 0, 0), 1);
}

Test(topics, the_ceiling_is_the_lower_of_topic_and_brokers_less_64_kib)
{
	cr_assert_eq(topics_ceiling(t, 0), 100 * MIB - 64 * KIB);
	limits_are(1048588, 0);
	cr_assert_eq(topics_ceiling(t, 0), 1048588 - 64 * KIB);
	cr_assert_eq(topics_ceiling(t, 1), 100 * MIB - 64 * KIB);
	limits_are(50 * MIB, 20 * MIB);
	cr_assert_eq(topics_ceiling(t, 0), 20 * MIB - 64 * KIB);
	cr_assert_eq(topics_ceiling(t, 1), 20 * MIB - 64 * KIB);
}

/* B14: with topic and brokers raised a block of 100 MiB was refused by what is assumed while nothing
 * is known */
Test(topics, limits_that_are_known_may_be_above_what_is_assumed_of_unknown_ones)
{
	cluster_says(1, 1, 1);
	limits_are(200 * MIB, 0); /* the brokers did not tell theirs */
	cr_assert_eq(topics_ceiling(t, 0), 100 * MIB - 64 * KIB);
	limits_are(200 * MIB, 300 * MIB);
	cr_assert_eq(topics_ceiling(t, 0), 200 * MIB - 64 * KIB);
	cr_assert_eq(topics_ceiling(t, 1), 100 * MIB - 64 * KIB);
}

Test(topics, a_limit_smaller_than_the_headroom_still_lets_something_through)
{
	limits_are(2000, 0);
	cr_assert_eq(topics_ceiling(t, 0), 1000);
}

Test(topics, limits_are_read_when_a_topic_appears_and_then_every_5_minutes)
{
	cluster_says(1, 1, 1);
	cr_assert_leq(t->limits_at, loop_now());
	limits_are(0, 0); /* nobody tells: not asked again at once */
	cr_assert_eq(t->limits_at, loop_now() + 300000);
	cluster_says(1, 1, 1);
	cr_assert_eq(t->limits_at, loop_now() + 300000);
}

Test(topics, a_new_producer_gets_objects_of_what_is_known)
{
	struct err err = { "" };
	rd_kafka_t *other = producer();

	cluster_says(1, 0, 1);
	topics_detach(t);
	cr_assert_null(topics_handle(t, 0));
	cr_assert_eq(topics_attach(t, other, &err), 0);
	cr_assert_not_null(topics_handle(t, 0));
	cr_assert_null(topics_handle(t, 1));
	cr_assert_not_null(topics_handle(t, 2));
	cr_assert(topics_known(t));
	topics_detach(t);
	rd_kafka_destroy(other);
}

Test(topics, the_partition_depends_on_the_records_word_alone)
{
	struct record rec = { 0 };
	unsigned hits[8] = { 0 };
	rd_kafka_topic_t *topic;

	cluster_says(8, 1, 1);
	topic = topics_handle(t, 0);
	for (uint32_t word = 0; word < 8000; word++) {
		int32_t p;

		rec.partition_word = word;
		p = partition_of(topic, NULL, 0, 8, NULL, &rec);
		cr_assert(p >= 0 && p < 8);
		cr_assert_eq(partition_of(topic, "key", 3, 8, NULL, &rec), p);
		hits[p]++;
	}
	/* R9 asks for 5 to 25 % on each of 8 */
	for (int i = 0; i < 8; i++)
		cr_assert(hits[i] > 800 && hits[i] < 1200, "%u of 8000 on partition %d", hits[i],
		          i);
	cr_assert_eq(partition_of(topic, NULL, 0, 1, NULL, &rec), 0);
}

static void *does_nothing(void *arg)
{
	return arg;
}

Test(topics, what_a_replaced_producer_was_told_is_dropped)
{
	struct reading *rd = reading_new(3);

	rd->rk = (rd_kafka_t *)&answer; /* any other: only compared */
	rd->kind = READ_LIMITS;
	rd->found[0].max_message = 1000000;
	cr_assert_eq(pthread_create(&rd->thread, NULL, does_nothing, NULL), 0);
	t->reading = rd;
	cr_assert(topics_busy(t, rd->rk));
	cr_assert(!topics_busy(t, rk));
	end_reading(t);
	cr_assert_eq(topics_ceiling(t, 0), 100 * MIB - 64 * KIB);
	cr_assert_null(t->reading);
}
