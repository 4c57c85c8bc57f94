/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "worker/sink.h"

/* That of sink.c is linked too, and wants connections. */
static void test_record_done(struct record *rec, enum delivery how, enum verdict v,
                             int32_t partition, int64_t offset);
#define record_done test_record_done
#include "worker/sink_local.c"
#include "worker/store_loop.c"
#undef record_done

#include <poll.h>

#include "tests/unit/worker/fixture.h"
#include "tests/unit/worker/shaky.h"
#include "tests/unit/worker/store_folder.h"
#include "worker/store_check.h"

enum { ANSWERS = 4096, WAIT_MS = 10000, RETRY_CLOCK_MS = 1000 };

static struct {
	enum delivery how;
	enum verdict v;
	int32_t partition;
	int64_t offset;
} answers[ANSWERS];
static unsigned answered;
static struct fixture *f;
static struct store_loop *l;
static struct err err;

static void forget(struct record *rec)
{
	rec->parcel->handle = 0; /* nobody is to be woken */
	parcel_close(rec->parcel, V_NONE);
	record_put(&f->w, rec);
}

static void test_record_done(struct record *rec, enum delivery how, enum verdict v,
                             int32_t partition, int64_t offset)
{
	unsigned i = (unsigned)rec->parcel->handle;

	cr_assert_lt(i, (unsigned)ANSWERS);
	answers[i].how = how;
	answers[i].v = v;
	answers[i].partition = partition;
	answers[i].offset = offset;
	answered++;
	f->sink.in_flight--;
	forget(rec);
}

static void opens(void)
{
	l = sink_local.open(&f->w, &err);
	cr_assert(l, "%s", err.text);
	f->sink.ops = &sink_local;
	f->sink.state = l;
	answered = 0;
}

static void set_up(void)
{
	folder_set_up();
	f = fixture_new();
	f->conf.sink = SINK_LOCAL;
	f->conf.workers = 1;
	f->conf.local.dir = folder.path;
	f->conf.local.max_bytes = 1024 * (uint64_t)MIB;
	fixture_start(f, -1, -1);
	f->w.base = loop_open(&err);
	cr_assert(f->w.base, "%s", err.text);
}

static void closes(void)
{
	sink_local.close(l);
	cr_expect_eq(f->sink.in_flight, 0);
}

static void tear_down(void)
{
	loop_close(f->w.base);
	fixture_close(f);
	folder_tear_down();
}
TestSuite(sink_local, .init = set_up, .fini = tear_down);

/* The i-th record goes in; whatever it says. */
static enum verdict put(unsigned i, size_t bytes)
{
	struct record *rec = record_get(&f->w);
	struct parcel *p = parcel_get(&f->w);
	enum verdict v;

	rec->parcel = p;
	p->mem = body_get(f->w.bodies, bytes);
	memset(p->mem->data, (int)('a' + i % 26), bytes);
	rec->value = bytes_of(p->mem->data, bytes);
	p->handle = i;
	p->topic = 2;
	p->topic_name = "otlp_logs";
	p->signal = SIGNAL_LOGS;
	p->timestamp_ms = 1764000000000 + i;
	rec->produced_ns = loop_now_ns();
	memcpy(p->key_mem, "acme", 4);
	p->key = bytes_of(p->key_mem, 4);
	parcel_header(p, "X-Scope-OrgID", p->key);
	parcel_header(p, "content-type", BYTES("a\"b"));
	v = sink_local.send(l, rec);
	if (v == V_NONE)
		f->sink.in_flight++;
	else
		forget(rec);
	return v;
}

static struct store_notice notices[STORE_NOTICES_MAX];
static unsigned notice_count; /* said, and not asked for yet */

/* What the loop's turn does, but for the log: what is said is kept for says(). */
static void turn(void)
{
	struct pollfd bell = { .fd = l->state.bell, .events = POLLIN };
	unsigned lost;
	uint64_t rung;

	cr_assert_eq(poll(&bell, 1, WAIT_MS), 1, "the bell does not ring");
	cr_assert_eq(read(bell.fd, &rung, sizeof(rung)), (ssize_t)sizeof(rung));
	for (struct store_group *g = store_writer_take(l->writer), *next; g; g = next) {
		next = g->next;
		finish_group(l, g);
		free(g);
	}
	if (notice_count == 0)
		notice_count = store_hear(&l->state, notices, &lost);
}

static void answers_are(unsigned n)
{
	while (answered < n)
		turn();
	cr_assert_eq(answered, n);
}

static void sent(unsigned from, unsigned n, size_t bytes)
{
	for (unsigned i = from; i < from + n; i++)
		cr_assert_eq(put(i, bytes), V_NONE);
	answers_are(answered + n);
}

static int64_t asked(unsigned number, const char *sql)
{
	struct sqlite3 *db;
	struct sqlite3_stmt *st;
	char uri[600];
	int64_t n;

	snprintf(uri, sizeof(uri), "file:%s/%010u.db?mode=ro", folder.path, number);
	cr_assert_eq(sqlite3_open_v2(uri, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, "unix"),
	             SQLITE_OK);
	cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK, "%s",
	             sqlite3_errmsg(db));
	cr_assert_eq(sqlite3_step(st), SQLITE_ROW, "%s", sqlite3_errmsg(db));
	n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	sqlite3_close(db);
	return n;
}

/* The threads work by themselves: awaited by what they say. */
static struct store_notice says(enum store_event event)
{
	for (;;) {
		while (notice_count > 0) {
			struct store_notice n = notices[0];

			memmove(notices, notices + 1, --notice_count * sizeof(n));
			if (n.event == event)
				return n;
		}
		turn();
	}
}

/* P1, R21 in part */
Test(sink_local, a_record_is_answered_by_its_row)
{
	opens();
	sent(0, 1, 100);
	cr_expect_eq(answers[0].how, DELIVERY_OK);
	cr_expect_eq(answers[0].v, V_ACCEPTED);
	cr_expect_eq(answers[0].partition, 1);
	cr_expect_eq(answers[0].offset, 1);
	sent(1, 500, 100);
	for (unsigned i = 1; i <= 500; i++)
		cr_assert_eq(answers[i].offset, i + 1);
	cr_expect_eq(asked(1, "SELECT count(*) FROM record WHERE tenant='acme' AND signal='logs' "
	                      "AND topic='otlp_logs' AND length(value)=100"),
	             501);
	cr_expect_eq(asked(1, "SELECT headers = '[[\"X-Scope-OrgID\",\"acme\"],[\"content-type\","
	                      "\"a\\\"b\"]]' FROM record"),
	             1);
	cr_expect_eq(
		asked(1, "SELECT count(*) FROM record WHERE received_ms = 1763999999999 + seq"),
		501);
	closes();
	cr_expect_str_eq(folder_names(&folder, ""),
	                 "0000000001.db 0000000001.db-shm 0000000001.db-wal");
}

Test(sink_local, what_is_sent_before_the_end_is_stored_at_the_end)
{
	opens();
	for (unsigned i = 0; i < 2000; i++)
		cr_assert_eq(put(i, 50), V_NONE);
	cr_expect_not(sink_local.idle(l));
	closes();
	cr_expect_eq(answered, 2000);
	for (unsigned i = 0; i < 2000; i++)
		cr_assert_eq(answers[i].v, V_ACCEPTED);
	cr_expect_eq(asked(1, "SELECT count(*) FROM record"), 2000);
}

Test(sink_local, a_start_without_records_leaves_nothing)
{
	opens();
	closes();
	cr_expect_str_eq(folder_names(&folder, ""), "");
}

Test(sink_local, a_missing_folder_is_said)
{
	f->conf.local.dir = "/nonexistent";
	cr_expect_null(sink_local.open(&f->w, &err));
	cr_expect(strstr(err.text, "/nonexistent"));
}

/* The clock of the fixture stands still, and so says how old a file is. */
Test(sink_local, an_hour_old_file_gives_way_to_the_next)
{
	opens();
	sent(0, 1, 100);
	loop_set_clock(loop_now_ns() + FILE_AGE_MS * 1000000, FIXTURE_NOW_S * 1000000000);
	sent(1, 1, 100); /* the old one may still take it */
	sent(2, 1, 100);
	cr_expect_eq(answers[2].partition, 2);
	closes();
}

Test(sink_local, a_file_of_its_size_gives_way_to_the_next)
{
	f->conf.local.max_bytes = 8 * MIB; /* files of 1 MiB */
	opens();
	cr_assert_eq(l->bounds.file_bytes, (uint64_t)MIB);
	for (unsigned i = 0; i < 12; i++)
		sent(i, 1, 100 * KIB);
	cr_expect_eq(answers[0].partition, 1);
	cr_expect_eq(answers[11].partition, 2);
	closes();
	cr_expect_eq(asked(1, "SELECT count(*) FROM record") +
	                     asked(2, "SELECT count(*) FROM record"),
	             12);
}

/* ---- F61, F64: faults ---- */

Test(sink_local, a_failed_commit_is_503_and_the_next_file_takes_over)
{
	shaky_install();
	opens();
	sent(0, 3, 100);
	shaky.fail_at = shaky.calls + 1; /* the writer rests: nobody else looks at it */
	sent(3, 1, 100);
	cr_expect_eq(answers[3].v, V_STORE);
	cr_expect_eq(answers[3].how, DELIVERY_STORE);
	sent(4, 1, 100);
	cr_expect_eq(answers[4].v, V_ACCEPTED);
	cr_expect_eq(answers[4].partition, 2);
	closes();
	cr_expect_geq(asked(1, "SELECT count(*) FROM record"), 3);
	cr_expect_eq(asked(2, "SELECT count(*) FROM record"), 1);
	shaky_remove();
}

Test(sink_local, a_disk_that_takes_nothing_is_503_and_not_ready_until_it_does)
{
	const char *check;
	char detail[64];

	shaky_install();
	opens();
	sent(0, 1, 100);
	cr_expect(sink_local.ready(l, &check, detail, sizeof(detail)));
	shaky.forever = true;
	shaky.fail_at = shaky.calls + 1;
	sent(1, 1, 100);
	sent(2, 1, 100);
	cr_expect_eq(answers[1].v, V_STORE);
	cr_expect_eq(answers[2].v, V_STORE);
	cr_expect_not(sink_local.ready(l, &check, detail, sizeof(detail)));
	cr_expect_str_eq(check, "store");
	cr_expect_str_eq(detail, "no file can be written");
	shaky.fail_at = 0;
	loop_set_clock(loop_now_ns() + RETRY_CLOCK_MS * INT64_C(1000000),
	               FIXTURE_NOW_S * 1000000000);
	sent(3, 1, 100);
	cr_expect_eq(answers[3].v, V_ACCEPTED);
	cr_expect(sink_local.ready(l, &check, detail, sizeof(detail)));
	closes();
	shaky_remove();
}

Test(sink_local, a_lost_lock_is_503_and_the_next_file_takes_over)
{
	opens();
	sent(0, 1, 100);
	unlinkat(folder.fd, "0000000001.lock", 0);
	sent(1, 1, 100);
	sent(2, 1, 100);
	cr_expect_eq(answers[1].v, V_STORE);
	cr_expect_eq(answers[2].v, V_ACCEPTED);
	cr_expect_eq(answers[2].partition, 2);
	closes();
	cr_expect_eq(asked(1, "SELECT count(*) FROM record"), 1);
}

/* Somebody writes into our file with a tool of his own. */
Test(sink_local, a_file_that_another_holds_is_503_and_the_next_one_takes_over)
{
	struct sqlite3 *db;
	char path[600];

	opens();
	sent(0, 1, 100);
	snprintf(path, sizeof(path), "%s/0000000001.db", folder.path);
	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	sent(1, 1, 100);
	sent(2, 1, 100);
	cr_expect_eq(answers[1].v, V_STORE);
	cr_expect_eq(answers[2].partition, 2);
	sqlite3_close(db);
	closes();
}

/* ---- bounds ---- */

Test(sink_local, a_full_store_is_503_drops_nothing_and_never_passes_its_bound)
{
	struct store_scan scan;
	unsigned i = 0, stored = 0;
	int64_t rows = 0;

	f->conf.local.max_bytes = 4 * MIB;
	opens();
	for (; i < 400; i++) {
		enum verdict v = put(i, 20 * KIB);

		if (v == V_NONE) {
			answers_are(answered + 1);
			v = answers[i].v;
		}
		stored += v == V_ACCEPTED;
		cr_assert(v == V_ACCEPTED || v == V_STORE_FULL);
		cr_assert_eq(store_scan(&folder, &scan, &err), 0);
		cr_assert_leq(scan.bytes, f->conf.local.max_bytes, "at record %u", i);
		store_scan_done(&scan);
	}
	cr_expect(stored > 40 && stored < 200, "%u", stored);
	says(STORE_IS_FULL);
	closes();
	cr_assert_eq(store_scan(&folder, &scan, &err), 0);
	cr_expect_leq(scan.bytes, f->conf.local.max_bytes);
	for (size_t k = 0; k < scan.count; k++)
		rows += asked(scan.entries[k].number, "SELECT count(*) FROM record");
	cr_expect_eq(rows, stored);
	store_scan_done(&scan);
}

Test(sink_local, files_that_go_make_room)
{
	const char *check;
	char detail[64];

	f->conf.local.max_bytes = 4 * MIB;
	mkdirat(folder.fd, STORE_QUARANTINE, 0700);
	{
		int fd = openat(folder.fd, STORE_QUARANTINE "/0000000001.db",
		                O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		cr_assert_eq(posix_fallocate(fd, 0, 4 * MIB), 0);
		close(fd);
	}
	opens();
	says(STORE_IS_FULL);
	cr_expect_eq(put(0, 100), V_STORE_FULL);
	cr_expect_not(sink_local.ready(l, &check, detail, sizeof(detail)));
	cr_expect_str_eq(check, "store");
	cr_expect_str_eq(detail, "full");
	unlinkat(folder.fd, STORE_QUARANTINE "/0000000001.db", 0);
	says(STORE_HAS_ROOM);
	loop_set_clock(loop_now_ns() + RETRY_CLOCK_MS * INT64_C(1000000),
	               FIXTURE_NOW_S * 1000000000);
	sent(1, 1, 100);
	cr_expect_eq(answers[1].v, V_ACCEPTED);
	closes();
}

Test(sink_local, a_record_above_its_part_of_the_bound_has_a_ceiling)
{
	f->conf.local.max_bytes = 1024 * (uint64_t)MIB;
	f->conf.workers = 2;
	opens();
	cr_expect_gt(sink_local.ceiling(l, 0), 64 * (uint64_t)MIB);
	sent(0, 1, 64 * MIB); /* well within it */
	cr_expect_eq(answers[0].v, V_ACCEPTED);
	closes();
	cr_expect_eq(asked(1, "SELECT length(value) FROM record"), 64 * MIB);
}

Test(sink_local, the_allowance_keeps_disk_free_for_others)
{
	struct store_bounds b = { .max_bytes = 1000, .min_free_percent = 5, .sharers = 4 };
	struct store_scan scan = { .disk_bytes = 100000, .free_bytes = 6000, .bytes = 200 };

	cr_expect_eq(store_allowance(&b, &scan), 200u); /* of 800 */
	scan.reserved = 400;
	cr_expect_eq(store_allowance(&b, &scan), 100u);
	scan.free_bytes = 5500; /* 5 000 of them are not ours, 400 are a checkpoint's */
	cr_expect_eq(store_allowance(&b, &scan), 25u);
	scan.free_bytes = 4000;
	cr_expect_eq(store_allowance(&b, &scan), 0u);
	scan.free_bytes = 60000;
	scan.bytes = 5000;
	cr_expect_eq(store_allowance(&b, &scan), 0u);
}

/* ---- files of others ---- */

/* As a dead worker leaves one. */
static void left_behind(unsigned rows)
{
	struct store_row r = { .received_ms = 1,
		               .tenant = BYTES("acme"),
		               .topic = BYTES("otlp_logs"),
		               .signal = BYTES("logs"),
		               .headers = BYTES("[]"),
		               .value = BYTES("value") };
	struct store_file *file = store_file_create(&folder, 0, &err);

	cr_assert(file, "%s", err.text);
	for (unsigned i = 0; i < rows; i++) {
		cr_assert_eq(store_file_begin(file, &err), 0);
		cr_assert_eq(store_file_add(file, &r, &err), 0);
		cr_assert_eq(store_file_commit(file, &err), 0);
	}
	store_file_leave(file);
}

static bool has(unsigned number, enum store_suffix suffix)
{
	uint64_t n;

	return store_has(&folder, number, suffix, &n);
}

/* F69 */
Test(sink_local, a_start_adopts_what_nobody_holds_and_nothing_else)
{
	struct store_lock held;
	struct store_notice n;

	left_behind(7);
	left_behind(1);
	cr_assert(store_take_over(&folder, 2, &held)); /* somebody lives */
	opens();
	n = says(STORE_ADOPTED);
	cr_expect_eq(n.number, 1);
	cr_expect_eq(n.rows, 7);
	closes();
	cr_expect_not(has(1, STORE_LOCK));
	cr_expect(has(2, STORE_LOCK));
	cr_expect_eq(asked(1, "SELECT count(*) FROM record"), 7);
	store_lock_drop(&held);
}

/* F69 */
Test(sink_local, a_death_elsewhere_is_an_occasion_to_adopt)
{
	struct store_lock held;

	left_behind(3);
	cr_assert(store_take_over(&folder, 1, &held));
	opens();
	sent(0, 1, 100); /* the first look is over, or will find it held */
	store_lock_drop(&held);
	sink_local.gone(l);
	cr_expect_eq(says(STORE_ADOPTED).number, 1);
	closes();
	cr_expect_not(has(1, STORE_LOCK));
}

/* F65 */
Test(sink_local, a_damaged_file_goes_to_quarantine_and_its_good_rows_do_not)
{
	struct store_notice n;
	struct stat st;
	uint8_t byte = 0;
	int fd;

	left_behind(10);
	fd = openat(folder.fd, "0000000001.db-wal", O_RDWR | O_CLOEXEC);
	cr_assert(fd >= 0 && fstat(fd, &st) == 0);
	cr_assert_eq(pwrite(fd, &byte, 1, st.st_size / 2), 1);
	cr_assert_eq(pwrite(fd, "\xff\xff", 2, st.st_size / 2 + 1), 2);
	close(fd);
	opens();
	sent(0, 1, 100); /* nobody waits for it */
	cr_expect_eq(answers[0].v, V_ACCEPTED);
	n = says(STORE_QUARANTINED);
	cr_expect_eq(n.number, 1);
	cr_expect(n.rows > 0 && n.rows < 10);
	closes();
	cr_expect_str_eq(folder_names(&folder, STORE_QUARANTINE),
	                 "0000000001.db 0000000001.db-shm 0000000001.db-wal");
	cr_expect_eq(stats_get(f->w.stats, STAT_STORE_QUARANTINED, STORE_LOCAL, 0), 1);
	cr_expect_not(has(1, STORE_DB));
	cr_expect_eq((has(2, STORE_DB) ? asked(2, "SELECT count(*) FROM record") : 0) +
	                     (has(3, STORE_DB) ? asked(3, "SELECT count(*) FROM record") : 0),
	             n.rows + 1);
}

Test(sink_local, files_older_than_their_age_go_whole)
{
	struct timespec old[2] = { { .tv_sec = 1000000 }, { .tv_sec = 1000000 } };
	struct store_file *file;

	left_behind(1);
	left_behind(1);
	for (unsigned i = 1; i <= 2; i++) {
		struct store_lock lock;

		cr_assert(store_take_over(&folder, i, &lock));
		cr_assert_eq(store_check(&folder, &lock, &file, &err), STORE_GOOD);
		cr_assert_eq(store_file_finish(file, &err), 0);
	}
	cr_assert_eq(utimensat(folder.fd, "0000000001.db", old, 0), 0);
	cr_assert_eq(utimensat(folder.fd, "0000000001.db-wal", old, 0), 0);
	f->conf.local.max_age = 3600 * 1000;
	opens();
	cr_expect_eq(says(STORE_DROPPED).number, 1);
	closes();
	cr_expect_str_eq(folder_names(&folder, ""),
	                 "0000000002.db 0000000002.db-shm 0000000002.db-wal");
}

Test(sink_local, the_gauges_tell_of_the_folder)
{
	left_behind(1);
	opens();
	sent(0, 1, 100);
	closes();
	cr_expect_gt(stats_get(f->w.stats, STAT_STORE_BYTES, STORE_LOCAL, 0), 0u);
	cr_expect_eq(stats_get(f->w.stats, STAT_STORE_CAPACITY, STORE_LOCAL, 0),
	             1024 * (uint64_t)MIB);
}
