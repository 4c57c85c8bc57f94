/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/spool_drain.c"

#include <sqlite3.h>

#include "tests/unit/worker/spool_rows.h"

static struct store_state state;
static struct spool_drain *r;
static struct spool_batch *batch;
static struct spool_topics held;
static struct err err;

static void set_up(void)
{
	folder_set_up();
	cr_assert_eq(store_state_open(&state, &err), 0, "%s", err.text);
	r = spool_drain_open(&folder, &state, 1000);
	held = (struct spool_topics){ 0 };
}

static void tear_down(void)
{
	spool_drain_close(r);
	spool_topics_done(&held);
	store_state_close(&state);
	folder_tear_down();
}
TestSuite(spool_drain, .init = set_up, .fini = tear_down);

static void given(struct store_file *f)
{
	spool_drain_add(r, f);
}

/* The values of the next batch, a blank behind each; "" for none. */
static const char *reads(void)
{
	static char text[512];

	batch = spool_drain_next(r, &held, SPOOL_BATCH_ROWS);
	text[0] = '\0';
	for (unsigned i = 0; batch && i < batch->count; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%.*s ",
		         (int)batch->rows[i].value.n, (const char *)batch->rows[i].value.p);
	return text;
}

static void all_are(enum spool_fate fate)
{
	for (unsigned i = 0; i < batch->count; i++) {
		batch->rows[i].fate = fate;
		batch->rows[i].reason = "hg-record-size";
	}
}

static void settled(void)
{
	spool_drain_settle(r, batch);
}

static const char *left(void)
{
	return folder_names(&folder, "");
}

Test(spool_drain, a_file_goes_with_its_last_row)
{
	given(rows_file("logs=a spans=b logs=c"));
	cr_expect_str_eq(reads(), "a b c ");
	all_are(SPOOL_DONE);
	cr_expect_neq(left()[0], '\0');
	settled();
	cr_expect_str_eq(left(), "");
	cr_expect_eq(spool_drain_gone(r), 1);
	cr_expect_str_eq(reads(), "");
}

Test(spool_drain, a_topic_that_is_held_holds_up_no_other)
{
	given(rows_file("logs=a spans=b logs=c spans=d"));
	spool_topics_add(&held, "spans");
	cr_expect_str_eq(reads(), "a c ");
	all_are(SPOOL_DONE);
	settled();
	cr_expect_str_eq(reads(), ""); /* and is not read for it, either */
	spool_topics_done(&held);
	cr_expect_str_eq(reads(), "b d ");
	all_are(SPOOL_DONE);
	settled();
	cr_expect_str_eq(left(), "");
}

Test(spool_drain, a_row_that_was_not_taken_is_read_again_and_those_behind_it_of_its_topic)
{
	given(rows_file("logs=a spans=b logs=c spans=d logs=e"));
	cr_expect_str_eq(reads(), "a b c d e ");
	all_are(SPOOL_DONE);
	batch->rows[2].fate = SPOOL_LATER;
	batch->rows[4].fate = SPOOL_LATER;
	settled();
	cr_expect_str_eq(reads(), "c e ");
	all_are(SPOOL_DONE);
	settled();
	cr_expect_str_eq(left(), "");
}

Test(spool_drain, rows_of_a_topic_in_an_older_file_go_first)
{
	given(rows_file("logs=a"));
	given(rows_file("logs=b spans=c"));
	spool_topics_add(&held, "logs");
	cr_expect_str_eq(reads(), "c ");
	all_are(SPOOL_DONE);
	settled();
	spool_topics_done(&held);
	cr_expect_str_eq(reads(), "a ");
	all_are(SPOOL_LATER);
	settled();
	cr_expect_str_eq(reads(), "a ");
	all_are(SPOOL_DONE);
	settled();
	cr_expect_str_eq(reads(), "b ");
	all_are(SPOOL_DONE);
	settled();
	cr_expect_str_eq(left(), "");
}

Test(spool_drain, who_takes_a_file_over_begins_behind_what_was_done)
{
	struct store_file *f = rows_file("logs=a spans=b logs=c");
	struct store_lock lock;
	bool passing;

	given(f);
	spool_topics_add(&held, "logs");
	cr_expect_str_eq(reads(), "b ");
	all_are(SPOOL_DONE);
	settled();
	save_progress(r, r->draining, true);
	cr_expect_eq(spool_file_progress(f, &err), 0); /* the first row of all waits */
	spool_topics_done(&held);
	spool_topics_add(&held, "spans");
	/* Of the two that are left only the first is done, when the process ends. */
	cr_expect_str_eq(reads(), "a c ");
	all_are(SPOOL_LATER);
	batch->rows[0].fate = SPOOL_DONE;
	settled();
	save_progress(r, r->draining, true);
	cr_expect_eq(spool_file_progress(f, &err), 2);
	store_file_leave(f);
	forget(r, r->draining);
	cr_assert(store_take_over(&folder, 1, &lock));
	f = store_file_open(&folder, &lock, &passing, &err);
	cr_assert(f, "%s", err.text);
	f->rows = 3;
	f->adopted = true;
	spool_topics_done(&held);
	given(f);
	cr_assert(r->found);
	cr_expect_str_eq(r->found->topic, "logs");
	cr_expect_eq(r->found->rows, 1);
	cr_expect_str_eq(reads(), "c ");
	all_are(SPOOL_DONE);
	settled();
	cr_expect_str_eq(left(), "");
}

/* R22 */
Test(spool_drain, what_is_refused_for_good_lies_in_the_table_dead)
{
	static const char sql[] = "SELECT group_concat(value || ' ' || reason) FROM record "
				  "JOIN dead USING (seq)";
	struct store_dir dead;
	struct sqlite3 *db;
	struct sqlite3_stmt *st;
	char path[600];

	given(rows_file("logs=a spans=b"));
	cr_expect_str_eq(reads(), "a b ");
	batch->rows[0].fate = SPOOL_DEAD;
	batch->rows[0].reason = "hg-record-size";
	batch->rows[1].fate = SPOOL_DONE;
	settled();
	cr_expect_str_eq(left(), "dead");
	spool_dead_close(r->dead); /* closes the file for readers */
	r->dead = spool_dead_open(&folder, &state, 1000);
	snprintf(path, sizeof(path), "%s/dead", folder.path);
	cr_assert_eq(store_dir_open(&dead, path, &err), 0, "%s", err.text);
	cr_expect_str_eq(folder_names(&dead, ""),
	                 "0000000001.db 0000000001.db-shm 0000000001.db-wal");
	store_dir_close(&dead);
	strcat(path, "/0000000001.db");
	cr_assert_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
	cr_assert_eq(sqlite3_step(st), SQLITE_ROW);
	cr_expect_str_eq((const char *)sqlite3_column_text(st, 0), "a hg-record-size");
	sqlite3_finalize(st);
	sqlite3_close(db);
}

Test(spool_drain, a_damaged_row_costs_no_other_and_its_file_is_kept)
{
	struct store_file *f = rows_file("logs=a logs=b");

	cr_assert_eq(store_sql(f->db, "UPDATE record SET value = x'00' WHERE seq = 1", &err), 0);
	given(f);
	reads();
	cr_assert_eq(batch->count, 2);
	cr_expect_not(batch->rows[0].whole);
	cr_expect(batch->rows[1].whole);
	all_are(SPOOL_DONE);
	settled();
	cr_expect_str_eq(left(), "quarantine");
	cr_expect_eq(atomic_load(&state.quarantined), 1);
}

/* F64 */
Test(spool_drain, a_file_whose_sync_failed_is_read_and_never_written)
{
	struct store_file *f = rows_file("logs=a logs=b");

	store_file_roll_back(f);
	given(f);
	cr_expect_str_eq(reads(), "a b ");
	batch->rows[0].fate = SPOOL_DONE;
	batch->rows[1].fate = SPOOL_LATER;
	settled();
	save_progress(r, r->draining, true);
	cr_expect_eq(spool_file_progress(f, &err), 0);
	cr_expect_str_eq(reads(), "b ");
	all_are(SPOOL_DONE);
	settled();
	cr_expect_str_eq(left(), "");
}

Test(spool_drain, a_batch_that_nobody_took_is_read_again)
{
	given(rows_file("logs=a"));
	cr_expect_str_eq(reads(), "a ");
	settled(); /* as it was read: later */
	cr_expect_str_eq(reads(), "a ");
	settled();
	cr_expect_eq(spool_drain_gone(r), 0);
}

Test(spool_drain, batches_are_bounded)
{
	struct store_file *f = rows_file("logs=a");
	char words[1024] = "";
	unsigned rows = 1, seen = 0;

	for (unsigned i = 0; i < 50; i++)
		strcat(words, "logs=x ");
	for (; rows < 2 * SPOOL_BATCH_ROWS; rows += 50)
		rows_add(f, words);
	given(f);
	while ((batch = spool_drain_next(r, &held, SPOOL_BATCH_ROWS))) {
		cr_expect_leq(batch->count, (unsigned)SPOOL_BATCH_ROWS);
		seen += batch->count;
		all_are(SPOOL_DONE);
		settled();
	}
	cr_expect_eq(seen, rows);
	cr_expect_str_eq(left(), "");
}

/* A thousand rows a round, for as long as one of them was not taken. */
Test(spool_drain, a_row_that_was_done_is_not_read_again_for_one_before_it)
{
	given(rows_file("logs=a logs=b logs=c spans=d"));
	cr_expect_str_eq(reads(), "a b c d ");
	all_are(SPOOL_DONE);
	batch->rows[0].fate = SPOOL_LATER;
	settled();
	cr_expect_str_eq(reads(), "a ");
	all_are(SPOOL_LATER);
	settled();
	cr_expect_str_eq(reads(), "a ");
	all_are(SPOOL_DONE);
	settled();
	cr_expect_str_eq(left(), "");
}

/* It was settled as one of the first file, which has no such topic. */
Test(spool_drain, rows_that_find_no_place_in_dead_cost_the_rows_of_no_other_file)
{
	given(rows_file("logs=a logs=b"));
	given(rows_file("spans=c"));
	folder_write(&folder, "dead", "");
	batch = spool_drain_next(r, &held, 1);
	cr_assert_eq(batch->count, 1);
	all_are(SPOOL_DEAD);
	settled();
	cr_expect_str_eq(reads(), "c ");
	all_are(SPOOL_LATER);
	settled();
	cr_expect_str_eq(reads(), "c ");
	all_are(SPOOL_DONE);
	settled();
	cr_expect_eq(spool_drain_gone(r), 1);
	r->draining->retry_at = 0;
	cr_expect_str_eq(reads(), ""); /* the end of that pass */
	cr_expect_str_eq(reads(), "a b ");
	all_are(SPOOL_DONE);
	settled();
	cr_expect_str_eq(left(), "dead");
}

/* It went with the next question, which may come after a pause, or never: then all of it was sent
 * once more by whoever came next. */
Test(spool_drain, a_file_goes_with_its_last_row_though_the_batch_was_full_with_it)
{
	given(rows_file("logs=a"));
	batch = spool_drain_next(r, &held, 1);
	cr_assert_eq(batch->count, 1);
	all_are(SPOOL_DONE);
	settled();
	cr_expect_str_eq(left(), "");
}

/* Kafka goes away: the next batch may come in hours, or after a death. */
Test(spool_drain, progress_is_saved_though_no_batch_comes_any_more)
{
	struct store_file *f = rows_file("logs=a logs=b logs=c");

	given(f);
	for (unsigned i = 0; i < 2; i++) {
		batch = spool_drain_next(r, &held, 1);
		all_are(SPOOL_DONE);
		settled();
	}
	r->draining->saved_at -= PROGRESS_MS;
	batch = spool_drain_next(r, &held, 1);
	spool_drain_tend(r);
	cr_expect_eq(spool_file_progress(f, &err), 1); /* c is out, and may come back */
	all_are(SPOOL_LATER);
	r->draining->saved_at = store_now();
	settled();
	spool_drain_tend(r);
	cr_expect_eq(spool_file_progress(f, &err), 1);
	r->draining->saved_at -= PROGRESS_MS;
	spool_drain_tend(r);
	cr_expect_eq(spool_file_progress(f, &err), 2);
}

/* Each half a minute it was taken over, and all of it sent once more. */
Test(spool_drain, a_file_that_cannot_be_removed_is_not_sent_again)
{
	struct store_lock lock;
	struct store_file *f;
	bool passing;

	given(rows_file("logs=a spans=b"));
	reads();
	all_are(SPOOL_DONE);
	cr_assert_eq(renameat(folder.fd, "0000000001.db", folder.fd, "there"), 0);
	cr_assert_eq(mkdirat(folder.fd, "0000000001.db", 0700), 0);
	settled();
	cr_expect_eq(spool_drain_gone(r), 1);
	cr_assert_eq(unlinkat(folder.fd, "0000000001.db", AT_REMOVEDIR), 0);
	cr_assert_eq(renameat(folder.fd, "there", folder.fd, "0000000001.db"), 0);
	cr_assert(store_take_over(&folder, 1, &lock));
	f = store_file_open(&folder, &lock, &passing, &err);
	cr_assert(f, "%s", err.text);
	f->rows = 2;
	f->adopted = true;
	given(f);
	cr_expect_str_eq(reads(), "");
	cr_expect_str_eq(left(), "");
}

/* Pages that SQLite has read once turn bad on the disk, and are none any more. */
static void pages_turn(struct store_file *f)
{
	static uint8_t pages[40 * (STORE_PAGE_BYTES + 24)];
	int fd = openat(folder.fd, "0000000001.db-wal", O_RDWR | O_CLOEXEC);

	cr_assert_eq(sqlite3_db_release_memory(f->db), SQLITE_OK);
	memset(pages, 0xff, sizeof(pages));
	cr_assert_eq(pwrite(fd, pages, sizeof(pages), 8 * STORE_PAGE_BYTES),
	             (ssize_t)sizeof(pages));
	close(fd);
}

/* It was tried each second until the worker's end, and newer rows of its topic waited for it. */
Test(spool_drain, a_file_that_cannot_be_read_holds_up_newer_ones_for_a_while_only)
{
	struct store_file *f = rows_file("logs=a");
	char words[1024] = "";

	for (unsigned i = 0; i < 50; i++)
		strcat(words, "logs=x ");
	for (unsigned i = 0; i < 20; i++)
		rows_add(f, words);
	given(f);
	given(rows_file("logs=newer"));
	pages_turn(f);
	for (unsigned i = 0; i < READS_MAX; i++) {
		r->draining->retry_at = 0;
		cr_expect_str_eq(reads(), i + 1 < READS_MAX ? "" : "newer ");
	}
	cr_assert(batch);
	all_are(SPOOL_DONE);
	settled();
	cr_expect_eq(spool_drain_gone(r), 2);
	cr_expect_str_eq(left(),
	                 "0000000001.db 0000000001.db-shm 0000000001.db-wal 0000000001.lock");
}
