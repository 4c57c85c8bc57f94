/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/spool_file.c"

#include "tests/unit/worker/spool_rows.h"

static struct store_file *f;
static struct err err;
static struct spool_row got_rows[16];
static unsigned got_count, got_most;

static bool wants_all(void *arg, int64_t seq, struct bytes topic)
{
	(void)arg, (void)seq;
	return topic.n > 0;
}

static bool wants_spans(void *arg, int64_t seq, struct bytes topic)
{
	(void)arg, (void)seq;
	return bytes_eq(topic, BYTES("spans"));
}

static bool got(void *arg, struct spool_row *row)
{
	(void)arg;
	got_rows[got_count++] = *row;
	return got_count < got_most;
}

static int scan(int64_t after, bool (*wants)(void *arg, int64_t seq, struct bytes topic))
{
	struct spool_scan s = { .wants = wants, .got = got, .at = after };

	while (got_count)
		spool_row_done(&got_rows[--got_count]);
	return spool_file_scan(f, &s, &err);
}

static void set_up(void)
{
	folder_set_up();
	f = rows_file("logs=one spans=two logs=three");
	got_most = 16;
}

static void tear_down(void)
{
	while (got_count)
		spool_row_done(&got_rows[--got_count]);
	store_file_leave(f);
	folder_tear_down();
}
TestSuite(spool_file, .init = set_up, .fini = tear_down);

Test(spool_file, a_row_is_read_as_it_was_written)
{
	cr_assert_eq(scan(0, wants_all), 1, "%s", err.text);
	cr_assert_eq(got_count, 3);
	cr_expect_eq(got_rows[0].seq, 1);
	cr_expect(got_rows[0].whole);
	cr_expect_eq(got_rows[0].received_ms, SPOOL_ROWS_MS);
	cr_expect_eq(got_rows[0].flags, INT64_C(7) << 32 | 3 << 8);
	cr_expect_str_eq(got_rows[0].topic, "logs");
	cr_expect(bytes_eq(got_rows[0].tenant, BYTES("acme")));
	cr_expect(bytes_eq(got_rows[0].value, BYTES("one")));
	cr_expect_eq(got_rows[0].signal, SIGNAL_LOGS);
	cr_assert_eq(got_rows[0].header_count, 2);
	cr_expect_str_eq(got_rows[0].headers[1].name, "a");
	cr_expect(bytes_eq(got_rows[0].headers[1].value, BYTES("q\"\\\001")));
	cr_expect(bytes_eq(got_rows[2].value, BYTES("three")));
}

Test(spool_file, a_scan_takes_what_is_wanted_and_goes_on_behind_it)
{
	cr_assert_eq(scan(0, wants_spans), 1);
	cr_assert_eq(got_count, 1);
	cr_expect_eq(got_rows[0].seq, 2);
	got_most = 1;
	cr_assert_eq(scan(1, wants_all), 0);
	cr_expect_eq(got_rows[0].seq, 2);
	cr_assert_eq(scan(3, wants_all), 1);
	cr_expect_eq(got_count, 0);
}

Test(spool_file, a_row_that_is_not_what_was_stored_is_told)
{
	static const char *const changes[] = {
		"UPDATE record SET value = x'6f6e66' WHERE seq = 1",
		"UPDATE record SET signal = 'odd' WHERE seq = 1",
		"UPDATE record SET headers = '{}' WHERE seq = 1",
		"UPDATE record SET headers = '[[\"a\"]]' WHERE seq = 1",
		"UPDATE record SET headers = '[[\"a\",\"b\",\"c\"]]' WHERE seq = 1",
		"UPDATE record SET headers = '[[\"a\",\"b\"]] x' WHERE seq = 1",
		"UPDATE record SET headers = '[[\"a\",\"b\"' WHERE seq = 1",
		"UPDATE record SET headers = '' WHERE seq = 1",
		"UPDATE record SET headers = '[' || substr(replace(printf('%20d', 0), ' ', "
		"'[\"a\",\"b\"],'), 1, 170) || '[\"a\",\"b\"]]' WHERE seq = 1",
	};

	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		cr_assert_eq(store_sql(f->db, "SAVEPOINT one", &err), 0);
		cr_assert_eq(store_sql(f->db, changes[i], &err), 0, "%s", err.text);
		cr_assert_eq(scan(0, wants_all), 1, "%s", err.text);
		cr_expect_not(got_rows[0].whole, "%s", changes[i]);
		cr_expect(got_rows[1].whole);
		cr_assert_eq(store_sql(f->db, "ROLLBACK TO one; RELEASE one", &err), 0);
	}
}

Test(spool_file, progress_is_one_row_that_is_kept)
{
	struct store_lock lock = { .number = 1 };
	bool passing;

	cr_expect_eq(spool_file_progress(f, &err), 0, "%s", err.text);
	cr_expect_eq(spool_file_set_progress(f, 1, &err), 0, "%s", err.text);
	cr_expect_eq(spool_file_set_progress(f, 2, &err), 0, "%s", err.text);
	store_file_leave(f);
	cr_assert(store_take_over(&folder, 1, &lock));
	f = store_file_open(&folder, &lock, &passing, &err);
	cr_assert(f, "%s", err.text);
	cr_expect_eq(spool_file_progress(f, &err), 2);
}

static void sum_up(void *arg, const struct spool_sum *sum)
{
	char *text = arg;
	size_t n = strlen(text);

	sprintf(text + n, "%.*s/%.*s %d from %d, %d; ", (int)sum->tenant.n,
	        (const char *)sum->tenant.p, (int)sum->topic.n, (const char *)sum->topic.p,
	        (int)sum->rows, (int)sum->first, (int)sum->bytes);
}

Test(spool_file, sums_are_those_of_the_rows_behind_the_progress)
{
	char text[256] = "";

	cr_assert_eq(spool_file_sums(f, 0, sum_up, text, &err), 0, "%s", err.text);
	cr_expect_str_eq(text, "acme/logs 2 from 1, 8; acme/spans 1 from 2, 3; ");
	text[0] = '\0';
	cr_assert_eq(spool_file_sums(f, 2, sum_up, text, &err), 0, "%s", err.text);
	cr_expect_str_eq(text, "acme/logs 1 from 3, 5; ");
}
