/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/spool_dead.c"

#include <fcntl.h>

#include "tests/unit/worker/spool_rows.h"

enum { AGE_MS = 3600 * 1000 };

static struct store_state state;
static struct spool_dead *d;
static struct err err;

static void set_up(void)
{
	folder_set_up();
	cr_assert_eq(store_state_open(&state, &err), 0, "%s", err.text);
	d = spool_dead_open(&folder, &state, AGE_MS);
}

static void tear_down(void)
{
	spool_dead_close(d);
	store_state_close(&state);
	folder_tear_down();
}
TestSuite(spool_dead, .init = set_up, .fini = tear_down);

static int64_t dies(const char *value)
{
	struct spool_row rows[] = {
		{ .tenant = BYTES("acme"),
		  .topic = (char *)(uintptr_t) "logs",
		  .fate = SPOOL_DONE },
		{ .tenant = BYTES("acme"),
		  .topic = (char *)(uintptr_t) "logs",
		  .headers_json = BYTES("[]"),
		  .value = bytes_str(value),
		  .fate = SPOOL_DEAD,
		  .reason = "hg-record-size" },
	};

	return spool_dead_add(d, rows, ARRAY_LEN(rows), &err);
}

static const char *names(void)
{
	return folder_names(&folder, STORE_DEAD);
}

Test(spool_dead, nothing_is_made_before_something_died)
{
	struct spool_row row = { .fate = SPOOL_LATER };

	cr_expect_eq(spool_dead_add(d, &row, 1, &err), 0);
	spool_dead_tend(d);
	cr_expect_str_eq(folder_names(&folder, ""), "");
}

Test(spool_dead, rows_of_several_batches_lie_in_one_file_which_is_closed_at_last)
{
	cr_expect_eq(dies("one"), 1, "%s", err.text);
	cr_expect_eq(dies("two"), 1, "%s", err.text);
	cr_expect(strstr(names(), "0000000001.lock"));
	d->added_at -= IDLE_MS;
	spool_dead_tend(d);
	cr_expect_not(strstr(names(), ".lock"), "%s", names());
	cr_expect(strstr(names(), "0000000001.db "));
	cr_expect_eq(dies("three"), 1, "%s", err.text);
	cr_expect(strstr(names(), "0000000002.lock"));
}

Test(spool_dead, a_file_goes_when_it_is_as_old_as_a_record_may_be)
{
	struct timespec old[2] = { { .tv_sec = 1000000 }, { .tv_sec = 1000000 } };
	struct store_notice notices[STORE_NOTICES_MAX];
	unsigned lost;

	cr_expect_eq(dies("one"), 1, "%s", err.text);
	close_file(d);
	cr_expect_eq(dies("two"), 1, "%s", err.text);
	close_file(d);
	cr_assert_eq(utimensat(d->dir.fd, "0000000001.db", old, 0), 0);
	cr_assert_eq(utimensat(d->dir.fd, "0000000001.db-wal", old, 0), 0);
	spool_dead_tend(d);
	cr_expect_not(strstr(names(), "0000000001"), "%s", names());
	cr_expect(strstr(names(), "0000000002.db"));
	cr_assert_eq(store_hear(&state, notices, &lost), 1);
	cr_expect_eq(notices[0].event, STORE_DROPPED);
}

Test(spool_dead, what_a_dead_process_left_is_closed_by_the_next)
{
	cr_expect_eq(dies("one"), 1, "%s", err.text);
	store_file_leave(take_ptr(&d->file));
	spool_dead_close(d);
	cr_expect(strstr(names(), ".lock"));
	d = spool_dead_open(&folder, &state, AGE_MS);
	spool_dead_tend(d);
	cr_expect_not(strstr(names(), ".lock"), "%s", names());
	cr_expect(strstr(names(), "0000000001.db "));
}

/* Rows were added to a file that had no name any more, and then, without the folder, to none: they
 * were refused each 5 s until the worker's end. */
Test(spool_dead, what_is_removed_by_hand_is_made_anew)
{
	cr_expect_eq(dies("one"), 1, "%s", err.text);
	folder_empty(folder.fd, STORE_DEAD);
	cr_expect_eq(dies("two"), 1, "%s", err.text);
	cr_expect(strstr(names(), "0000000001.db "), "%s", names());
	folder_empty(folder.fd, STORE_DEAD);
	cr_assert_eq(unlinkat(folder.fd, STORE_DEAD, AT_REMOVEDIR), 0);
	if (dies("three") < 0) /* tried again as any that finds no place */
		cr_expect_eq(dies("three"), 1, "%s", err.text);
	cr_expect(strstr(names(), "0000000001.db "), "%s", names());
}

Test(spool_dead, what_cannot_be_kept_is_told)
{
	int file = openat(folder.fd, STORE_DEAD, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	cr_assert_geq(file, 0);
	close(file);
	cr_expect_eq(dies("one"), -1);
	cr_expect_neq(err.text[0], '\0');
}
