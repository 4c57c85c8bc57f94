/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/store_check.c"

#include <sys/resource.h>

#include "tests/unit/worker/shaky.h"
#include "tests/unit/worker/store_folder.h"

enum { POWER_CUTS = 250 };

static struct err err;

TestSuite(store_check, .init = folder_set_up, .fini = folder_tear_down);

static int group(struct store_file *f, unsigned n, size_t bytes)
{
	char value[20000];

	if (store_file_begin(f, &err) < 0)
		return -1;
	for (unsigned i = 0; i < n; i++) {
		int64_t seq = f->rows + f->added + 1;
		struct store_row r = { .received_ms = seq,
			               .tenant = BYTES("acme"),
			               .topic = BYTES("otlp_logs"),
			               .signal = BYTES("logs"),
			               .headers = BYTES("[]"),
			               .value = bytes_of(value, bytes) };

		memset(value, (int)('a' + seq % 26), bytes);
		if (store_file_add(f, &r, &err) < 0)
			return -1;
	}
	return store_file_commit(f, &err);
}

/* As a death leaves it: groups rows of 1000 bytes in as many transactions. */
static void left_behind(unsigned groups)
{
	struct store_file *f = store_file_create(&folder, 0, &err);

	cr_assert(f, "%s", err.text);
	for (unsigned i = 0; i < groups; i++)
		cr_assert_eq(group(f, 1, 1000), 0, "%s", err.text);
	store_file_leave(f);
}

/* As if it had died between the checkpoint and the end of its lock. */
static void left_checkpointed(unsigned groups)
{
	struct store_file *f = store_file_create(&folder, 0, &err);

	for (unsigned i = 0; i < groups; i++)
		cr_assert_eq(group(f, 1, 1000), 0);
	cr_assert_eq(sqlite3_wal_checkpoint_v2(f->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL),
	             SQLITE_OK);
	store_file_leave(f);
}

/* What becomes of number 1; rows: of a good one. */
static enum store_fate fate(int64_t *rows)
{
	struct store_file *f = NULL;
	struct store_lock lock;
	enum store_fate is;

	err.text[0] = '\0';
	cr_assert(store_take_over(&folder, 1, &lock));
	is = store_check(&folder, &lock, &f, &err);
	if (is == STORE_GOOD) {
		*rows = f->rows;
		cr_expect_eq(lock.fd, -1);
		store_file_leave(f);
	} else {
		cr_expect_geq(lock.fd, 0);
		store_lock_drop(&lock);
	}
	return is;
}

static int64_t rescued(void)
{
	struct store_file *to = store_file_create(&folder, 0, &err);
	int64_t rows;

	cr_assert(to, "%s", err.text);
	rows = store_rescue(&folder, 1, to, &err);
	cr_expect_eq(to->rows, rows);
	store_file_leave(to);
	return rows;
}

static void change(const char *name, off_t at, int from_end)
{
	int fd = openat(folder.fd, name, O_RDWR | O_CLOEXEC);
	uint8_t byte;
	struct stat st;

	cr_assert(fd >= 0 && fstat(fd, &st) == 0);
	if (from_end)
		at = st.st_size - from_end;
	cr_assert_eq(pread(fd, &byte, 1, at), 1);
	byte ^= 0x40;
	cr_assert_eq(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

static void cut(const char *name, off_t by)
{
	int fd = openat(folder.fd, name, O_RDWR | O_CLOEXEC);
	struct stat st;

	cr_assert(fd >= 0 && fstat(fd, &st) == 0 && ftruncate(fd, by ? st.st_size - by : 0) == 0);
	close(fd);
}

/* ---- what is good ---- */

Test(store_check, a_file_whose_process_died_is_good)
{
	int64_t rows = 0;

	left_behind(10);
	cr_expect_eq(fate(&rows), STORE_GOOD, "%s", err.text);
	cr_expect_eq(rows, 10);
}

Test(store_check, a_checked_file_can_be_finished)
{
	struct store_file *f = NULL;
	struct store_lock lock;

	left_behind(10);
	cr_assert(store_take_over(&folder, 1, &lock));
	cr_assert_eq(store_check(&folder, &lock, &f, &err), STORE_GOOD, "%s", err.text);
	cr_expect_eq(store_file_finish(f, &err), 0, "%s", err.text);
	cr_expect_str_eq(folder_names(&folder, ""),
	                 "0000000001.db 0000000001.db-shm 0000000001.db-wal");
}

Test(store_check, the_torn_end_of_the_last_transaction_is_no_damage)
{
	int64_t rows = 0;

	left_behind(10);
	cut("0000000001.db-wal", 1000);
	cr_expect_eq(fate(&rows), STORE_GOOD, "%s", err.text);
	cr_expect_eq(rows, 9);
}

Test(store_check, files_without_rows_are_empty)
{
	int64_t rows;

	left_behind(0);
	cr_expect_eq(fate(&rows), STORE_EMPTY);
	folder_empty(folder.fd, ".");
	folder_write(&folder, "0000000001.lock", "");
	cr_expect_eq(fate(&rows), STORE_EMPTY); /* claimed, and no more */
	folder_write(&folder, "0000000001.db", "");
	cr_expect_eq(fate(&rows), STORE_EMPTY); /* made, and no more */
	folder_write(&folder, "0000000001.lock", "123\n");
	unlinkat(folder.fd, "0000000001.db", 0);
	cr_expect_eq(fate(&rows), STORE_EMPTY); /* somebody died while removing it */
}

/* A reader that opens it at the same moment, say, and makes the index of the -wal anew. */
Test(store_check, a_file_that_somebody_holds_is_left_for_later)
{
	struct sqlite3 *db;
	char path[600];
	int64_t rows = 0;

	left_behind(10);
	snprintf(path, sizeof(path), "%s/0000000001.db", folder.path);
	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)NULL);
	cr_assert_eq(sqlite3_exec(db, "PRAGMA locking_mode=EXCLUSIVE; BEGIN IMMEDIATE", NULL, NULL,
	                          NULL),
	             SQLITE_OK);
	cr_expect_eq(fate(&rows), STORE_LATER, "%s", err.text);
	cr_expect(err.text[0]);
	sqlite3_close(db);
	cr_expect_eq(fate(&rows), STORE_GOOD, "%s", err.text);
	cr_expect_eq(rows, 10);
}

Test(store_check, a_process_without_descriptors_left_damages_no_file)
{
	struct rlimit before, few;
	int64_t rows = 0;
	int fd;

	left_behind(10);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	fd = dup(folder.fd);
	close(fd);
	few = before;
	few.rlim_cur = (rlim_t)fd + 1; /* for the lock */
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	cr_expect_eq(fate(&rows), STORE_LATER, "%s", err.text);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	cr_expect_eq(fate(&rows), STORE_GOOD, "%s", err.text);
	cr_expect_eq(rows, 10);
}

/* ---- F65: what is not ---- */

Test(store_check, what_is_no_database_is_bad)
{
	int64_t rows;

	left_checkpointed(10);
	folder_write(&folder, "0000000001.db",
	             "this is a text, and no database at all, whatever its name says");
	cr_expect_eq(fate(&rows), STORE_BAD);
	cr_expect(err.text[0]);
	cr_expect_eq(rescued(), 0);
}

Test(store_check, a_database_of_somebody_else_is_bad)
{
	int64_t rows;
	struct sqlite3 *db;
	char path[600];

	left_behind(1);
	folder_empty(folder.fd, ".");
	folder_write(&folder, "0000000001.lock", "1\n");
	snprintf(path, sizeof(path), "%s/0000000001.db", folder.path);
	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db,
	                          "CREATE TABLE record(x); PRAGMA journal_mode=WAL; INSERT INTO "
	                          "record VALUES(1)",
	                          NULL, NULL, NULL),
	             SQLITE_OK);
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)NULL);
	sqlite3_close(db);
	cr_expect_eq(fate(&rows), STORE_BAD);
	cr_expect_str_eq(err.text, "it is no file of this store");
}

Test(store_check, a_missing_wal_is_bad)
{
	int64_t rows;

	left_behind(10);
	unlinkat(folder.fd, "0000000001.db-wal", 0);
	cr_expect_eq(fate(&rows), STORE_BAD);
	cr_expect_str_eq(err.text, "the -wal is gone");
}

/* SQLite deletes the -wal beside an empty .db when it opens that. */
Test(store_check, an_emptied_db_is_bad_and_its_wal_stays)
{
	int64_t rows;
	uint64_t n = 0;

	left_behind(10);
	cut("0000000001.db", 0);
	cr_expect_eq(fate(&rows), STORE_BAD);
	cr_expect_eq(rescued(), 0);
	cr_expect(store_has(&folder, 1, STORE_WAL, &n));
	cr_expect_gt(n, 10000);
}

Test(store_check, a_bit_of_the_wal_that_turned_is_bad_and_rows_before_it_are_rescued)
{
	struct stat st;
	int64_t rows;

	left_behind(10);
	cr_assert_eq(fstatat(folder.fd, "0000000001.db-wal", &st, 0), 0);
	change("0000000001.db-wal", st.st_size / 2, 0);
	cr_expect_eq(fate(&rows), STORE_BAD);
	cr_expect_str_eq(err.text, "bytes of the -wal changed: rows of it are lost");
	rows = rescued();
	cr_expect(rows >= 3 && rows < 10, "%lld", (long long)rows);
}

Test(store_check, a_bit_of_the_wals_head_that_turned_is_bad)
{
	int64_t rows;

	left_behind(10);
	for (off_t at = 0; at < WAL_HEADER; at += 4) {
		change("0000000001.db-wal", at, 0);
		unlinkat(folder.fd, "0000000001.db-shm", 0); /* as after a restart of the machine */
		cr_expect_eq(fate(&rows), STORE_BAD, "byte %lld", (long long)at);
		change("0000000001.db-wal", at, 0);
	}
}

Test(store_check, a_turned_bit_of_the_wals_head_is_bad_after_a_single_commit_too)
{
	int64_t rows;

	left_behind(1);
	change("0000000001.db-wal", WAL_SUM_AT, 0);
	unlinkat(folder.fd, "0000000001.db-shm", 0);
	cr_expect_eq(fate(&rows), STORE_BAD);
}

Test(store_check, a_bit_of_a_value_in_the_db_that_turned_is_bad_and_the_other_rows_are_rescued)
{
	int64_t rows;

	left_checkpointed(40);
	change("0000000001.db", 0, 500);
	cr_expect_eq(fate(&rows), STORE_BAD);
	cr_expect(strstr(err.text, "is not what was stored"), "%s", err.text);
	cr_expect_eq(rescued(), 39);
}

/* They were sent to Kafka once more. */
Test(store_check, rows_that_are_done_with_are_not_rescued)
{
	struct store_file *f = store_file_create(&folder, 0, &err);
	int64_t rows;

	cr_assert_eq(group(f, 40, 1000), 0, "%s", err.text);
	cr_assert_eq(store_sql(f->db, STORE_PROGRESS, &err), 0);
	cr_assert_eq(store_sql(f->db, "INSERT INTO progress VALUES(1, 25)", &err), 0);
	cr_assert_eq(store_sql(f->db, "UPDATE record SET value = x'00' WHERE seq = 30", &err), 0);
	store_file_leave(f);
	cr_expect_eq(fate(&rows), STORE_BAD);
	cr_expect_eq(rescued(), 14);
}

Test(store_check, a_shortened_db_is_bad)
{
	int64_t rows;

	left_checkpointed(40);
	cut("0000000001.db", 4096);
	cr_expect_eq(fate(&rows), STORE_BAD);
	cr_expect(err.text[0]);
}

/* ---- F63, short: the power goes at any call ---- */

/* Returns how many rows were said to be stored; number 1 of `folder` is what a restart finds. */
static int64_t until_the_power_goes(unsigned at, unsigned seed)
{
	struct store_dir before;
	struct store_file *f;
	int64_t acked = 0;
	bool used;

	folder_new(&before);
	shaky_install();
	shaky.fail_at = at;
	shaky.forever = true;
	shaky.no_reads = true;
	f = store_file_create(&before, 0, &err);
	used = f != NULL;
	for (unsigned i = 0; f && i < 40; i++) {
		if (group(f, 1 + rand_r(&seed) % 8, 100 + rand_r(&seed) % 9000) < 0)
			break;
		acked = f->rows;
		if (i < 39)
			continue;
		if (store_file_finish(f, &err) == 0)
			shaky.fail_at = 0; /* it lived to its end */
		f = NULL;
	}
	folder_empty(folder.fd, ".");
	shaky_power_cut(folder.path, seed);
	folder_write(&folder, "0000000001.lock", used ? "1\n" : "");
	if (f)
		store_file_leave(f);
	shaky_remove();
	folder_gone(&before);
	return acked;
}

Test(store_check, every_row_that_was_acknowledged_outlives_a_power_cut)
{
	unsigned good = 0;

	for (unsigned n = 1; n <= POWER_CUTS; n++) {
		int64_t rows = 0, acked = until_the_power_goes(n < 40 ? n : n * 3 - 80, n * 7919);
		enum store_fate is = fate(&rows);

		good += is == STORE_GOOD;
		if (acked) {
			cr_assert_eq(is, STORE_GOOD, "power cut %u: %s", n, err.text);
			cr_assert(rows >= acked && rows <= acked + 8,
			          "power cut %u: %lld of %lld rows", n, (long long)rows,
			          (long long)acked);
		} else {
			cr_assert_neq(is, STORE_BAD, "power cut %u: %s", n, err.text);
		}
	}
	cr_expect_gt(good, POWER_CUTS / 2);
}
