/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/records_file.c"

#include <criterion/criterion.h>

static const struct records_filter everything = { .since_ms = INT64_MIN };
static char dir[40];
static struct records_at where;
static struct records_file f;

static void set_up(void)
{
	strcpy(dir, "/tmp/hg-records-XXXXXX");
	cr_assert(mkdtemp(dir));
	where = (struct records_at){ dir, everything };
	strcpy(f.name, "0000000001.db");
}

static void tear_down(void)
{
	char path[100];

	records_file_close(&f);
	snprintf(path, sizeof(path), "%s/%s", dir, f.name);
	unlink(path);
	cr_expect(rmdir(dir) == 0, "reading leaves nothing behind");
}

TestSuite(records_file, .init = set_up, .fini = tear_down);

static void make(const char *sql)
{
	char path[100];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/%s", dir, f.name);
	cr_assert(sqlite3_open(path, &db) == SQLITE_OK);
	cr_assert(sqlite3_exec(db, "PRAGMA journal_mode=WAL", NULL, NULL, NULL) == SQLITE_OK);
	cr_assert(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s", sqlite3_errmsg(db));
	sqlite3_close(db); /* in the ordinary way: the -wal goes */
}

static const char two_rows[] =
	"PRAGMA application_id=0x68676174; PRAGMA user_version=1;" STORE_SCHEMA ";"
	"INSERT INTO record VALUES(1, 10, 'a', 't', 'logs', '[]', 0, 0, x''),"
	"(2, 20, 'a', 't', 'logs', '[]', 0, 0, x'')";

/* O26: after an ordinary close there is no -wal; the copy in memory is used where none can be
 * made. */
Test(records_file, a_closed_file_is_read_from_memory)
{
	struct err err;

	make(two_rows);
	cr_assert_eq(wal_of(&where, &f), WAL_NONE);
	cr_assert_eq(records_file_open(&where, &f, &err), 1, "%s", err.text);
	cr_assert_eq(records_file_prepare(&where, &f,
	                                  "SELECT seq, received_ms FROM record WHERE "
	                                  "seq > ?1 OR ?2 OR ?3 OR ?4 = 0",
	                                  &f.rows),
	             SQLITE_OK);
	cr_expect_eq(records_file_step(&f, &err), 1);
	cr_expect_eq(f.ms, 10);
	cr_expect_eq(records_file_step(&f, &err), 1);
	cr_expect_eq(records_file_step(&f, &err), 0);
}

Test(records_file, an_image_that_is_cut_is_an_error)
{
	struct err err;
	char path[100];

	make(two_rows);
	snprintf(path, sizeof(path), "%s/%s", dir, f.name);
	cr_assert(truncate(path, 99) == 0);
	cr_expect_eq(records_file_open(&where, &f, &err), -1);
	cr_expect(strstr(err.text, "99 bytes are no store's file"));
	cr_expect_null(f.db, "and nothing stays open");
	cr_assert(truncate(path, 0) == 0);
	cr_expect_eq(records_file_open(&where, &f, &err), 0, "just made");
}

Test(records_file, a_file_that_is_not_there_is_an_error)
{
	struct err err;

	cr_expect_eq(records_file_open(&where, &f, &err), -1);
	cr_expect_null(f.db);
}
