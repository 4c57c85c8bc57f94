/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/store_dir.c"

#include "tests/unit/worker/store_folder.h"

TestSuite(store_dir, .init = folder_set_up, .fini = folder_tear_down);

static struct err err;

Test(store_dir, names_are_ten_digits_and_a_suffix)
{
	char name[STORE_NAME_BYTES];
	enum store_suffix suffix;
	uint32_t number;

	for (enum store_suffix s = STORE_DB; s < STORE_SUFFIX_COUNT; s++) {
		store_name(name, 42, s);
		cr_expect(parse_name(name, &number, &suffix));
		cr_expect_eq(number, 42);
		cr_expect_eq(suffix, s);
	}
	store_name(name, 42, STORE_WAL);
	cr_expect_str_eq(name, "0000000042.db-wal");
	cr_expect_not(parse_name("42.db", &number, &suffix));
	cr_expect_not(parse_name("0000000042", &number, &suffix));
	cr_expect_not(parse_name("0000000042.dbx", &number, &suffix));
	cr_expect_not(parse_name("000000004x.db", &number, &suffix));
	cr_expect_not(parse_name("9999999999.db", &number, &suffix)); /* no partition of Kafka's */
}

Test(store_dir, a_claim_takes_the_next_number_of_all_that_are_there)
{
	struct store_lock one, two;

	folder_write(&folder, "0000000007.db", "x");
	cr_assert_eq(store_claim(&folder, &one, &err), 0, "%s", err.text);
	cr_assert_eq(store_claim(&folder, &two, &err), 0, "%s", err.text);
	cr_expect_eq(one.number, 8);
	cr_expect_eq(two.number, 9);
	store_lock_drop(&one);
	cr_expect_eq(store_lock_end(&folder, &two, &err), 0);
	cr_expect_str_eq(folder_names(&folder, ""), "0000000007.db 0000000008.lock");
}

Test(store_dir, numbers_in_quarantine_are_not_used_again)
{
	struct store_lock lock;

	mkdirat(folder.fd, STORE_QUARANTINE, 0700);
	folder_write(&folder, STORE_QUARANTINE "/0000000011.db", "x");
	cr_assert_eq(store_claim(&folder, &lock, &err), 0, "%s", err.text);
	cr_expect_eq(lock.number, 12);
	store_lock_drop(&lock);
}

Test(store_dir, a_number_whose_file_came_since_we_looked_is_not_claimed)
{
	struct store_lock lock;

	folder_write(&folder, "0000000001.db", "x");
	cr_expect_eq(claim(&folder, 1, &lock, &err), 1);
	cr_expect_eq(lock.fd, -1);
	cr_expect_str_eq(folder_names(&folder, ""), "0000000001.db");
	cr_expect_eq(claim(&folder, 2, &lock, &err), 0);
	store_lock_drop(&lock);
}

Test(store_dir, a_file_at_work_cannot_be_taken_over)
{
	struct store_lock lock, other;

	cr_assert_eq(store_claim(&folder, &lock, &err), 0);
	cr_expect_not(store_take_over(&folder, lock.number, &other));
	cr_expect_not(lock.used);
	cr_expect_eq(store_lock_mark_used(&lock, &err), 0);
	store_lock_drop(&lock); /* as by a death */
	cr_expect(store_take_over(&folder, 1, &other));
	cr_expect(other.used);
	cr_expect(store_lock_is_good(&folder, &other));
	store_lock_drop(&other);
	cr_expect_not(store_take_over(&folder, 2, &other));
}

/* F64, faults.md 10: who gets a lock compares fstat with stat */
Test(store_dir, a_lock_whose_name_leads_elsewhere_is_none)
{
	struct store_lock lock;

	cr_assert_eq(store_claim(&folder, &lock, &err), 0);
	unlinkat(folder.fd, "0000000001.lock", 0);
	cr_expect_not(store_lock_is_good(&folder, &lock));
	folder_write(&folder, "0000000001.lock", "another's");
	cr_expect_not(store_lock_is_good(&folder, &lock));
	cr_expect_not(hold(&folder, &lock));
	/* Nor is the other one's removed. */
	cr_expect_eq(store_lock_end(&folder, &lock, &err), 0);
	cr_expect_str_eq(folder_names(&folder, ""), "0000000001.lock");
}

Test(store_dir, the_files_of_a_number_are_one_entry)
{
	struct store_scan scan;

	folder_write(&folder, "0000000003.db", "12345678");
	folder_write(&folder, "0000000002.db-wal", "1234");
	folder_write(&folder, "0000000002.db", "");
	folder_write(&folder, "0000000002.lock", "");
	folder_write(&folder, "note.txt", "not ours");
	cr_assert_eq(store_scan(&folder, &scan, &err), 0, "%s", err.text);
	cr_assert_eq(scan.count, 2);
	cr_expect_eq(scan.entries[0].number, 2);
	cr_expect(scan.entries[0].has[STORE_WAL] && scan.entries[0].has[STORE_LOCK]);
	cr_expect_eq(scan.entries[0].wal_bytes, 4);
	cr_expect_eq(scan.reserved, 4);
	cr_expect_eq(scan.entries[1].number, 3);
	cr_expect_not(scan.entries[1].has[STORE_LOCK]);
	cr_expect_eq(scan.greatest, 3);
	cr_expect_gt(scan.disk_bytes, scan.free_bytes / 2);
	store_scan_done(&scan);
}

Test(store_dir, a_number_goes_with_all_its_files)
{
	for (enum store_suffix s = STORE_DB; s < STORE_SUFFIX_COUNT; s++) {
		char name[STORE_NAME_BYTES];

		store_name(name, 5, s);
		folder_write(&folder, name, "x");
	}
	folder_write(&folder, "0000000006.db", "x");
	cr_expect_eq(store_remove(&folder, 5, &err), 0, "%s", err.text);
	cr_expect_str_eq(folder_names(&folder, ""), "0000000006.db");
	cr_expect_eq(store_remove(&folder, 5, &err), 0); /* somebody else was faster */
}

Test(store_dir, what_lost_its_db_is_swept)
{
	folder_write(&folder, "0000000005.db-wal", "x");
	folder_write(&folder, "0000000005.db-shm", "x");
	cr_expect_eq(store_sweep(&folder, 5, &err), 0, "%s", err.text);
	cr_expect_str_eq(folder_names(&folder, ""), "");
}

/* A listing of a large folder may show a -wal that was made since it began, and neither the .db nor
 * the lock that were made before that: it looked where they are too early. */
Test(store_dir, a_file_that_was_made_during_a_listing_is_not_swept)
{
	struct store_lock lock;

	cr_assert_eq(store_claim(&folder, &lock, &err), 0);
	folder_write(&folder, "0000000001.db", "x");
	folder_write(&folder, "0000000001.db-wal", "x");
	cr_expect_eq(store_sweep(&folder, 1, &err), 0, "%s", err.text);
	cr_expect_str_eq(folder_names(&folder, ""),
	                 "0000000001.db 0000000001.db-wal 0000000001.lock");
	cr_expect(store_lock_is_good(&folder, &lock));
	/* Nor one that was closed meanwhile. */
	cr_expect_eq(store_lock_end(&folder, &lock, &err), 0);
	cr_expect_eq(store_sweep(&folder, 1, &err), 0, "%s", err.text);
	cr_expect_str_eq(folder_names(&folder, ""), "0000000001.db 0000000001.db-wal");
}

/* A lock without a .db is taken for the rest of a removal. */
Test(store_dir, a_quarantine_that_fails_half_way_leaves_the_db)
{
	folder_write(&folder, "0000000005.db", "damaged");
	folder_write(&folder, "0000000005.db-wal", "too");
	folder_write(&folder, "0000000005.lock", "");
	mkdirat(folder.fd, STORE_QUARANTINE, 0700);
	mkdirat(folder.fd, STORE_QUARANTINE "/0000000005.db-wal", 0700); /* in the way */
	cr_expect_eq(store_quarantine(&folder, 5, &err), -1);
	cr_expect_str_eq(folder_names(&folder, ""),
	                 "0000000005.db 0000000005.db-wal 0000000005.lock quarantine");
}

Test(store_dir, quarantine_keeps_what_it_gets)
{
	struct store_scan scan;

	folder_write(&folder, "0000000005.db", "damaged");
	folder_write(&folder, "0000000005.db-wal", "too");
	folder_write(&folder, "0000000005.lock", "");
	cr_expect_eq(store_quarantine(&folder, 5, &err), 0, "%s", err.text);
	cr_expect_str_eq(folder_names(&folder, ""), "quarantine");
	cr_expect_str_eq(folder_names(&folder, STORE_QUARANTINE),
	                 "0000000005.db 0000000005.db-wal");
	cr_assert_eq(store_scan(&folder, &scan, &err), 0);
	cr_expect_eq(scan.count, 0);
	cr_expect_gt(scan.bytes, 0); /* it takes room all the same */
	store_scan_done(&scan);
}

Test(store_dir, a_folder_that_is_not_there_is_said)
{
	struct store_dir none;

	cr_expect_eq(store_dir_open(&none, "/nonexistent/store", &err), -1);
	cr_expect(strstr(err.text, "/nonexistent/store"));
}
