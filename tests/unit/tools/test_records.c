/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/records.c"

#include <criterion/criterion.h>

static struct fixture {
	char dir[40];
	char told[4096]; /* number:seq of each row, blanks between */
	char bad[512];
	unsigned stop_after;
	unsigned rows;
	bool damaged;
} f;

static void set_up(void)
{
	memset(&f, 0, sizeof(f));
	strcpy(f.dir, "/tmp/hg-records-XXXXXX");
	cr_assert(mkdtemp(f.dir));
}

static void tear_down(void)
{
	DIR *dir = opendir(f.dir);
	struct dirent *e;
	char path[400];

	chmod(f.dir, 0700);
	while ((e = readdir(dir))) {
		snprintf(path, sizeof(path), "%s/%s", f.dir, e->d_name);
		unlink(path);
	}
	closedir(dir);
	cr_expect(rmdir(f.dir) == 0);
}

TestSuite(records, .init = set_up, .fini = tear_down);

static sqlite3 *writer(unsigned number)
{
	char path[100];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/%010u.db", f.dir, number);
	cr_assert(sqlite3_open(path, &db) == SQLITE_OK);
	cr_assert(sqlite3_exec(db, "PRAGMA journal_mode=WAL", NULL, NULL, NULL) == SQLITE_OK);
	return db;
}

static void sql(sqlite3 *db, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = sqlite3_vmprintf(fmt, ap);
	va_end(ap);
	cr_assert(sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", text,
	          sqlite3_errmsg(db));
	sqlite3_free(text);
}

static void make_table(sqlite3 *db)
{
	sql(db, "PRAGMA application_id=%d; PRAGMA user_version=%d;" STORE_SCHEMA,
	    STORE_APPLICATION_ID, STORE_USER_VERSION);
}

static void add(sqlite3 *db, int ms, const char *tenant)
{
	sql(db,
	    "INSERT INTO record(received_ms, tenant, topic, signal, headers, flags, crc32c, value) "
	    "VALUES(%d, %Q, 't', 'logs', '[]', 0, %u, x'6162')",
	    ms, tenant, crc32c(BYTES("ab")));
}

static sqlite3 *file_with(unsigned number, const int *ms, unsigned n)
{
	sqlite3 *db = writer(number);

	make_table(db);
	for (unsigned i = 0; i < n; i++)
		add(db, ms[i], "acme");
	return db;
}
#define FILE_WITH(number, ...)                                                                     \
	file_with(number, (const int[]){ __VA_ARGS__ }, ARRAY_LEN(((const int[]){ __VA_ARGS__ })))

static bool on_row(void *arg, const struct records_row *row)
{
	size_t n = strlen(f.told);

	(void)arg;
	snprintf(f.told + n, sizeof(f.told) - n, "%s%d:%d", n ? " " : "", atoi(row->file),
	         (int)row->seq);
	f.damaged = f.damaged || !row->intact;
	return ++f.rows != f.stop_after;
}

static void on_bad(void *arg, const char *file, const char *why)
{
	(void)arg;
	snprintf(f.bad, sizeof(f.bad), "%s: %s", file, why);
}

static const struct records_hooks hooks = { on_row, on_bad, NULL };
static const struct records_filter everything = { .since_ms = INT64_MIN };

static struct records *open_all(const struct records_filter *filter)
{
	struct err err;
	struct records *r = records_open(f.dir, filter, &err);

	cr_assert(r, "%s", err.text);
	return r;
}

/* What one more pass tells. */
static const char *pass(struct records *r, uint64_t last)
{
	struct err err;

	f.told[0] = '\0';
	cr_assert(records_pass(r, last, &hooks, &err) == 0, "%s", err.text);
	return f.told;
}

Test(records, files_are_merged_by_time_then_file_then_seq)
{
	sqlite3 *a = FILE_WITH(1, 10, 30, 30, 50), *b = FILE_WITH(2, 20, 30, 60),
		*c = FILE_WITH(12, 55);
	struct records *r = open_all(&everything);

	cr_expect_str_eq(pass(r, 0), "1:1 2:1 1:2 1:3 2:2 1:4 12:1 2:3");
	cr_expect_str_eq(pass(r, 0), "", "nothing is told twice");
	cr_expect_not(f.damaged);
	records_close(r);
	sqlite3_close(a);
	sqlite3_close(b);
	sqlite3_close(c);
}

Test(records, the_last_n_are_those_of_all_files_together)
{
	sqlite3 *a = FILE_WITH(1, 10, 30, 50), *b = FILE_WITH(2, 20, 40, 60), *c = FILE_WITH(3, 5);
	struct records *r = open_all(&everything);

	cr_expect_str_eq(pass(r, 3), "2:2 1:3 2:3");
	add(c, 70, "acme");
	add(a, 71, "acme");
	cr_expect_str_eq(pass(r, 0), "3:2 1:4", "what came after, and nothing of before");
	records_close(r);
	sqlite3_close(a);
	sqlite3_close(b);
	sqlite3_close(c);
}

Test(records, a_later_pass_tells_new_rows_and_new_files)
{
	sqlite3 *a = FILE_WITH(7, 10), *b;
	struct records *r = open_all(&everything);

	cr_expect_str_eq(pass(r, 0), "7:1");
	add(a, 20, "acme");
	b = FILE_WITH(3, 15);
	cr_expect_str_eq(pass(r, 0), "3:1 7:2");
	records_close(r);
	sqlite3_close(a);
	sqlite3_close(b);
}

/* As if it had been looked at while the commit waited for the disk. */
Test(records, a_row_shows_though_its_file_changed_before_the_commit_was_done)
{
	sqlite3 *one = FILE_WITH(1, 10);
	struct records *r = open_all(&everything);

	cr_expect_str_eq(pass(r, 0), "1:1");
	add(one, 20, "acme");
	cr_assert(look_at(r, &r->files[0], &r->files[0].look));
	cr_expect_str_eq(pass(r, 0), "1:2");
	records_close(r);
	sqlite3_close(one);
}

Test(records, tenant_signal_and_time_choose)
{
	struct records_filter filter = { .tenant = "other", .since_ms = 20 };
	sqlite3 *a = FILE_WITH(1, 10);
	struct records *r;

	add(a, 11, "other");
	add(a, 21, "other");
	add(a, 22, "acme");
	r = open_all(&filter);
	cr_expect_str_eq(pass(r, 0), "1:3");
	records_close(r);
	filter = (struct records_filter){ .signal = "traces", .since_ms = INT64_MIN };
	r = open_all(&filter);
	cr_expect_str_eq(pass(r, 5), "");
	records_close(r);
	sqlite3_close(a);
}

Test(records, enough_is_enough)
{
	sqlite3 *a = FILE_WITH(1, 10, 20, 30);
	struct records *r = open_all(&everything);

	f.stop_after = 2;
	cr_expect_str_eq(pass(r, 0), "1:1 1:2");
	records_close(r);
	sqlite3_close(a);
}

Test(records, what_is_no_file_of_the_store_is_told_and_the_others_are_read)
{
	sqlite3 *a = FILE_WITH(2, 10), *other = writer(1);
	struct records *r;

	sql(other, "PRAGMA application_id=7; CREATE TABLE x(y)");
	r = open_all(&everything);
	cr_expect_str_eq(pass(r, 0), "2:1");
	cr_expect(strstr(f.bad, "0000000001.db: this is no file of headgate"), "%s", f.bad);
	records_close(r);
	sqlite3_close(a);
	sqlite3_close(other);
}

Test(records, another_version_of_the_table_is_not_guessed_at)
{
	sqlite3 *a = FILE_WITH(1, 10);
	struct records *r;

	sql(a, "PRAGMA user_version=2");
	r = open_all(&everything);
	cr_expect_str_eq(pass(r, 0), "");
	cr_expect(strstr(f.bad, "its version is 2"), "%s", f.bad);
	records_close(r);
	sqlite3_close(a);
}

Test(records, a_file_without_a_table_yet_is_no_fault_and_is_looked_at_again)
{
	sqlite3 *a = writer(1);
	struct records *r = open_all(&everything);

	cr_expect_str_eq(pass(r, 0), "");
	cr_expect_str_eq(f.bad, "");
	make_table(a);
	add(a, 10, "acme");
	cr_expect_str_eq(pass(r, 0), "1:1");
	records_close(r);
	sqlite3_close(a);
}

Test(records, a_wrong_checksum_shows)
{
	sqlite3 *a = FILE_WITH(1, 10);
	struct records *r;

	sql(a, "UPDATE record SET crc32c = crc32c + 1");
	r = open_all(&everything);
	pass(r, 0);
	cr_expect(f.damaged);
	records_close(r);
	sqlite3_close(a);
}

Test(records, names_of_other_files_are_passed_over)
{
	uint32_t number;

	cr_expect(take_name("0000000042.db", &number));
	cr_expect_eq(number, 42);
	cr_expect_not(take_name("0000000042.db-wal", &number));
	cr_expect_not(take_name("0000000042.lock", &number));
	cr_expect_not(take_name("000000042.db", &number));
	cr_expect_not(take_name("00000000x2.db", &number));
	cr_expect_not(take_name("9999999999.db", &number));
}

Test(records, a_folder_that_is_not_there_is_an_error_with_its_cause)
{
	struct err err;

	cr_expect_null(records_open("/nonexistent", &everything, &err));
	cr_expect_eq(errno, ENOENT);
}
