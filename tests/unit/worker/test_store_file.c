/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/store_file.c"

#include "tests/unit/worker/shaky.h"
#include "tests/unit/worker/store_folder.h"

static struct err err;

static void set_up(void)
{
	folder_set_up();
	shaky_install();
}

static void tear_down(void)
{
	shaky_remove();
	folder_tear_down();
}
TestSuite(store_file, .init = set_up, .fini = tear_down);

static struct store_file *created(void)
{
	struct store_file *f = store_file_create(&folder, 0, &err);

	cr_assert(f, "%s", err.text);
	return f;
}

static struct store_row row(const char *value)
{
	return (struct store_row){ .received_ms = 1764000000123,
		                   .tenant = BYTES("acme"),
		                   .topic = BYTES("otlp_logs"),
		                   .signal = BYTES("logs"),
		                   .headers = BYTES("[[\"tenant_id\",\"acme\"]]"),
		                   .value = bytes_str(value) };
}

/* A group of n rows; 0 or -1. */
static int group(struct store_file *f, unsigned n)
{
	struct store_row r = row("a value");

	if (store_file_begin(f, &err) < 0)
		return -1;
	for (unsigned i = 0; i < n; i++) {
		if (store_file_add(f, &r, &err) < 0)
			return -1;
	}
	return store_file_commit(f, &err);
}

static int64_t asked(struct sqlite3 *db, const char *sql)
{
	struct sqlite3_stmt *st;
	int64_t n;

	cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK, "%s",
	             sqlite3_errmsg(db));
	cr_assert_eq(sqlite3_step(st), SQLITE_ROW, "%s", sqlite3_errmsg(db));
	n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return n;
}

/* As a reader opens it (operations.md 2). */
static struct sqlite3 *reader(unsigned number)
{
	struct sqlite3 *db;
	char uri[600];

	snprintf(uri, sizeof(uri), "file:%s/%010u.db?mode=ro", folder.path, number);
	cr_assert_eq(sqlite3_open_v2(uri, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, "unix"),
	             SQLITE_OK);
	return db;
}

static int64_t rows_read(unsigned number)
{
	struct sqlite3 *db = reader(number);
	int64_t n = asked(db, "SELECT count(*) FROM record");

	sqlite3_close(db);
	return n;
}

static uint64_t bytes_of_file(unsigned number, enum store_suffix suffix)
{
	uint64_t n = 0;

	cr_expect(store_has(&folder, number, suffix, &n));
	return n;
}

Test(store_file, the_settings_are_those_that_promises_rest_on)
{
	struct store_file *f = created();

	cr_expect_eq(asked(f->db, "PRAGMA synchronous"), 2); /* FULL */
	cr_expect_eq(asked(f->db, "PRAGMA trusted_schema"), 0);
	cr_expect_eq(asked(f->db, "PRAGMA application_id"), STORE_APPLICATION_ID);
	cr_expect_eq(asked(f->db, "PRAGMA user_version"), STORE_USER_VERSION);
	cr_expect_eq(asked(f->db, "PRAGMA wal_autocheckpoint"), 0);
	cr_expect_eq(
		asked(f->db, "SELECT count(*) FROM pragma_journal_mode WHERE journal_mode = 'wal'"),
		1);
	cr_expect_str_eq(folder_names(&folder, ""),
	                 "0000000001.db 0000000001.db-shm 0000000001.db-wal 0000000001.lock");
	store_file_leave(f);
}

Test(store_file, group_headgate_may_read_whatever_the_umask)
{
	mode_t before = umask(077);
	struct store_file *f = created();
	struct stat st;

	umask(before);
	for (enum store_suffix s = STORE_DB; s <= STORE_SHM; s++) {
		char name[STORE_NAME_BYTES];

		store_name(name, 1, s);
		cr_assert_eq(fstatat(folder.fd, name, &st, 0), 0);
		cr_expect_eq(st.st_mode & 0777, 0640, "%s: %o", name, st.st_mode & 0777);
	}
	store_file_leave(f);
}

Test(store_file, a_commit_is_seen_by_readers_while_the_file_takes_records)
{
	struct store_file *f = created();
	struct sqlite3 *db;

	cr_expect_eq(group(f, 3), 0, "%s", err.text);
	cr_expect_eq(rows_read(1), 3);
	cr_expect_eq(group(f, 2), 0, "%s", err.text);
	cr_expect_eq(f->rows, 5);
	db = reader(1);
	cr_expect_eq(asked(db, "SELECT max(seq) FROM record"), 5);
	cr_expect_eq(
		asked(db,
	              "SELECT count(*) FROM record WHERE tenant='acme' AND topic='otlp_logs' AND "
	              "signal='logs' AND received_ms=1764000000123 AND flags=0 AND "
	              "value=x'612076616c7565'"),
		5);
	cr_expect_eq(asked(db, "SELECT crc32c FROM record"), crc32c(BYTES("a value")));
	sqlite3_close(db);
	store_file_leave(f);
}

Test(store_file, each_commit_syncs_and_nothing_else_writes_the_db)
{
	struct store_file *f = created();
	uint64_t db_bytes = bytes_of_file(1, STORE_DB), before;

	for (unsigned i = 0; i < 50; i++) {
		unsigned syncs = shaky.syncs;

		before = store_file_bytes(f);
		cr_assert_eq(group(f, 100), 0, "%s", err.text);
		cr_assert_geq(shaky.syncs, syncs + 1);
		cr_assert_gt(store_file_bytes(f), before);
	}
	cr_expect_eq(bytes_of_file(1, STORE_DB), db_bytes); /* no checkpoint before the end */
	cr_expect_eq(store_file_bytes(f), db_bytes + bytes_of_file(1, STORE_WAL) - 32);
	store_file_leave(f);
}

Test(store_file, a_finished_file_has_all_in_its_db_and_no_lock)
{
	struct store_file *f = created();

	cr_assert_eq(group(f, 100), 0);
	cr_expect_eq(store_file_finish(f, &err), 0, "%s", err.text);
	cr_expect_eq(bytes_of_file(1, STORE_WAL), 0);
	cr_expect_str_eq(folder_names(&folder, ""),
	                 "0000000001.db 0000000001.db-shm 0000000001.db-wal");
	cr_expect_eq(rows_read(1), 100);
}

Test(store_file, a_file_without_rows_leaves_nothing)
{
	cr_expect_eq(store_file_finish(created(), &err), 0, "%s", err.text);
	cr_expect_str_eq(folder_names(&folder, ""), "");
}

Test(store_file, a_reader_holds_up_the_end_and_not_the_commits)
{
	struct store_file *f = created();
	struct sqlite3 *db;

	cr_assert_eq(group(f, 1), 0);
	db = reader(1);
	cr_assert_eq(sqlite3_exec(db, "BEGIN; SELECT * FROM record", NULL, NULL, NULL), SQLITE_OK);
	cr_expect_eq(group(f, 1), 0, "%s", err.text);
	cr_expect_eq(store_file_finish(f, &err), 1);
	cr_expect_eq(asked(db, "SELECT count(*) FROM record"), 1); /* its own moment */
	sqlite3_close(db);
	cr_expect_eq(store_file_finish(f, &err), 0, "%s", err.text);
	cr_expect_eq(rows_read(1), 2);
}

/* F64 */
Test(store_file, after_a_failed_sync_nothing_is_written_or_synced_again)
{
	struct store_file *f = created();
	unsigned syncs, writes;

	cr_assert_eq(group(f, 10), 0);
	shaky.only_syncs = true;
	shaky.fail_at = shaky.calls + 1;
	cr_expect_eq(group(f, 10), -1);
	cr_expect(strstr(err.text, "I/O error"), "%s", err.text);
	cr_expect_eq(f->rows, 10);
	syncs = shaky.syncs;
	writes = shaky.writes;
	cr_expect_eq(store_file_fail(f, &err), 0, "%s", err.text);
	cr_expect_eq(shaky.syncs, syncs);
	cr_expect_eq(shaky.writes, writes);
	/* What was committed is there for readers (what was refused may be, too: it was written, if
	 * not synced), and nobody will take the file over. */
	cr_expect_geq(rows_read(1), 10);
	cr_expect_str_eq(folder_names(&folder, ""),
	                 "0000000001.db 0000000001.db-shm 0000000001.db-wal");
}

Test(store_file, a_failed_checkpoint_is_the_last_of_it)
{
	struct store_file *f = created();

	cr_assert_eq(group(f, 10), 0);
	shaky.only_syncs = true;
	shaky.fail_at = shaky.calls + 1;
	cr_expect_eq(store_file_finish(f, &err), -1);
	cr_expect(strstr(err.text, "checkpoint"), "%s", err.text);
	cr_expect_eq(rows_read(1), 10);
	cr_expect_gt(bytes_of_file(1, STORE_WAL), 0);
}

/* F61, F64: whichever call fails, and however, what was committed is there, and what was said not
 * to be committed was said so. */
static void each_call_fails(int code, bool forever, bool is_short)
{
	for (unsigned n = 1;; n++) {
		struct store_file *f;
		int64_t acked = 0;
		unsigned number = 0;
		bool failed = false;

		folder_empty(folder.fd, ".");
		shaky_clear();
		shaky.code = code;
		shaky.forever = forever;
		shaky.is_short = is_short;
		shaky.no_reads = true;
		shaky.fail_at = n;
		f = store_file_create(&folder, 0, &err);
		if (f) {
			number = f->number;
			for (unsigned i = 0; i < 3 && !failed; i++) {
				failed = group(f, 5) < 0;
				acked += failed ? 0 : 5;
			}
			cr_assert_eq(f->rows, acked);
			if (failed)
				cr_assert_eq(store_file_fail(f, &err), 0, "%u: %s", n, err.text);
			else if (store_file_finish(f, &err) < 0)
				failed = true;
		} else {
			cr_assert_str_eq(folder_names(&folder, ""), "", "%u: %s", n, err.text);
			cr_assert(err.text[0]);
			failed = true;
		}
		if (acked)
			cr_assert_geq(rows_read(number), acked, "call %u", n);
		if (!failed && shaky.calls < n)
			break; /* no call was left to fail */
	}
}

Test(store_file, each_call_that_fails_once_loses_nothing)
{
	each_call_fails(SQLITE_IOERR, false, false);
}

Test(store_file, a_disk_that_fails_from_a_call_on_loses_nothing)
{
	each_call_fails(SQLITE_IOERR, true, false);
}

Test(store_file, a_full_disk_after_a_short_write_loses_nothing)
{
	each_call_fails(SQLITE_FULL, true, true);
}

Test(store_file, a_value_of_many_mebibytes_is_a_row)
{
	struct store_file *f = created();
	size_t n = 20 * MIB;
	char *value = malloc(n + 1);
	struct store_row r;

	memset(value, 'v', n);
	value[n] = '\0';
	r = row(value);
	cr_assert_eq(store_file_begin(f, &err), 0);
	cr_expect_eq(store_file_add(f, &r, &err), 0, "%s", err.text);
	cr_expect_eq(store_file_commit(f, &err), 0, "%s", err.text);
	cr_expect_lt(store_file_bytes(f), n + n / 64 + 64 * KIB); /* what the bounds reckon with */
	cr_expect_eq(store_file_finish(f, &err), 0, "%s", err.text);
	cr_expect_eq(rows_read(1), 1);
	free(value);
}

Test(store_file, a_folder_that_takes_no_file_is_said)
{
	struct store_dir none = { .path = folder.path,
		                  .fd = open("/proc/self", O_RDONLY | O_CLOEXEC) };

	cr_expect_null(store_file_create(&none, 0, &err));
	cr_expect(err.text[0]);
	close(none.fd);
}
