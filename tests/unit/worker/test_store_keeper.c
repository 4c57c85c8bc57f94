/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/store_keeper.c"

#include "tests/unit/worker/store_folder.h"

static struct store_state state;
static struct store_keeper keeper; /* without its thread */
static struct err err;

static void set_up(void)
{
	folder_set_up();
	cr_assert_eq(store_state_open(&state, &err), 0, "%s", err.text);
	keeper = (struct store_keeper){ .dir = &folder, .state = &state, .bounds.sharers = 1 };
}

static void tear_down(void)
{
	store_state_close(&state);
	folder_tear_down();
}
TestSuite(store_keeper, .init = set_up, .fini = tear_down);

static void made_long_ago(const char *name)
{
	struct timespec old[2] = { { .tv_sec = 1000000 }, { .tv_sec = 1000000 } };

	folder_write(&folder, name, "x");
	cr_assert_eq(utimensat(folder.fd, name, old, 0), 0);
}

Test(store_keeper, what_is_too_old_goes_and_what_is_left_of_a_removal)
{
	struct store_scan scan;

	keeper.bounds.max_age = 3600 * 1000;
	made_long_ago("0000000001.db");
	made_long_ago("0000000002.db");
	folder_write(&folder, "0000000002.lock", "");
	folder_write(&folder, "0000000003.db", "x");
	folder_write(&folder, "0000000004.db-wal", "x");
	cr_assert_eq(store_scan(&folder, &scan, &err), 0, "%s", err.text);
	cr_expect(clean_up(&keeper, &scan));
	cr_expect_str_eq(folder_names(&folder, ""), "0000000002.db 0000000002.lock 0000000003.db");
	store_scan_done(&scan);
}

/* Another keeper was faster, and a writer took the number that was free again. */
Test(store_keeper, a_number_that_was_taken_anew_since_the_look_is_left_alone)
{
	struct store_scan scan;

	keeper.bounds.max_age = 3600 * 1000;
	made_long_ago("0000000001.db");
	cr_assert_eq(store_scan(&folder, &scan, &err), 0, "%s", err.text);
	folder_write(&folder, "0000000001.lock", "1\n");
	cr_expect_not(clean_up(&keeper, &scan));
	cr_expect_str_eq(folder_names(&folder, ""), "0000000001.db 0000000001.lock");
	store_scan_done(&scan);
}

Test(store_keeper, rows_are_rescued_only_where_there_is_room_for_their_wal)
{
	struct err why;

	err_set(&why, "damaged");
	folder_write(&folder, "0000000001.db", "x");
	folder_write(&folder, "0000000001.db-wal", "0123456789");
	cr_expect_null(rescue(&keeper, 1, &why, 21));
	cr_expect_str_eq(why.text, "no room to copy its rows, they stay there; damaged");
	cr_expect_str_eq(folder_names(&folder, ""), "0000000001.db 0000000001.db-wal");
}

Test(store_keeper, who_shall_end_adopts_no_further_file)
{
	folder_write(&folder, "0000000001.lock", ""); /* would be removed: it holds nothing */
	pthread_mutex_init(&keeper.mutex, NULL);
	keeper.stop = true;
	look(&keeper, true);
	cr_expect_str_eq(folder_names(&folder, ""), "0000000001.lock");
	keeper.stop = false;
	look(&keeper, true);
	cr_expect_str_eq(folder_names(&folder, ""), "");
	pthread_mutex_destroy(&keeper.mutex);
}

/* Each half a minute its rows were copied once more: into the store, or to Kafka. */
Test(store_keeper, the_rows_of_a_damaged_file_that_cannot_be_moved_are_not_copied_at_each_look)
{
	struct store_row row = { .tenant = BYTES("acme"),
		                 .topic = BYTES("logs"),
		                 .signal = BYTES("logs"),
		                 .headers = BYTES("[]"),
		                 .value = BYTES("a") };
	struct store_file *f = store_file_create(&folder, 0, &err);
	char *before;

	cr_assert(f, "%s", err.text);
	for (unsigned i = 0; i < 2; i++) {
		cr_assert_eq(store_file_begin(f, &err), 0);
		cr_assert_eq(store_file_add(f, &row, &err), 0, "%s", err.text);
		cr_assert_eq(store_file_commit(f, &err), 0);
	}
	cr_assert_eq(store_sql(f->db, "UPDATE record SET value = x'00' WHERE seq = 1", &err), 0);
	store_file_leave(f);
	pthread_mutex_init(&keeper.mutex, NULL);
	keeper.bounds.max_bytes = MIB;
	/* in the way of the first of its files */
	cr_assert_eq(mkdirat(folder.fd, "quarantine", 0700), 0);
	cr_assert_eq(mkdirat(folder.fd, "quarantine/0000000001.db-shm", 0700), 0);
	before = xstrdup(folder_names(&folder, ""));
	look(&keeper, true);
	cr_expect_str_eq(folder_names(&folder, ""), before);
	free(before);
	cr_expect_eq(atomic_load(&state.quarantined), 0);
	cr_assert_eq(unlinkat(folder.fd, "quarantine/0000000001.db-shm", AT_REMOVEDIR), 0);
	look(&keeper, true);
	cr_expect_str_eq(folder_names(&folder, ""),
	                 "0000000002.db 0000000002.db-shm 0000000002.db-wal quarantine");
	cr_expect_eq(atomic_load(&state.quarantined), 1);
	pthread_mutex_destroy(&keeper.mutex);
}
