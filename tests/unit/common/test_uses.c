/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "common/stats.h"
#include "common/uses.c"

enum { SLOTS = 3, TOKENS = 1 << 20 };

static int fd;
static struct uses *u;
static struct last_uses seen;

static void open_uses(void)
{
	fd = stats_memfd_with_uses(SLOTS, TOKENS, NULL);
	cr_assert_geq(fd, 0);
	u = uses_map(fd, TOKENS, NULL);
	cr_assert(u);
}

static void close_uses(void)
{
	uses_unmap(u);
	last_uses_done(&seen);
	close(fd);
}

TestSuite(uses, .init = open_uses, .fini = close_uses);

static uint64_t bytes_used(void)
{
	struct stat st;

	cr_assert_eq(fstat(fd, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

static void collect_all(void)
{
	struct err err = { "" };

	cr_assert_eq(uses_collect(fd, TOKENS, &seen, &err), 0, "%s", err.text);
}

Test(uses, what_was_marked_is_collected_and_the_later_time_stays)
{
	uses_mark(u, 0, 100);
	uses_mark(u, TOKENS - 1, 7);
	uses_mark(u, 5000, 50);
	collect_all();
	cr_assert_geq(seen.n, (size_t)TOKENS);
	cr_assert(seen.v[0] == 100 && seen.v[TOKENS - 1] == 7 && seen.v[5000] == 50);
	cr_assert_eq(seen.v[1], 0);
	uses_mark(u, 0, 90);
	uses_mark(u, 5000, 51);
	collect_all();
	cr_assert(seen.v[0] == 100 && seen.v[5000] == 51);
}

Test(uses, nobody_is_marked_beyond_the_words_or_without_them)
{
	uses_mark(u, TOKENS, 1);
	uses_mark(u, UINT32_MAX, 1);
	uses_mark(NULL, 0, 1);
	collect_all();
	cr_assert_eq(seen.n, 0);
}

Test(uses, what_nobody_used_takes_no_memory_neither_by_writing_nor_by_reading)
{
	uint64_t before = bytes_used();

	collect_all();
	cr_assert_eq(bytes_used(), before);
	uses_mark(u, 700000, 1);
	collect_all();
	cr_assert_leq(bytes_used(), before + 64 * KIB);
	cr_assert_eq(uses_clear(fd, TOKENS, NULL), 0);
	cr_assert_eq(bytes_used(), before);
	last_uses_done(&seen);
	collect_all();
	cr_assert_eq(seen.n, 0);
}

Test(uses, the_page_before_them_is_a_page_like_any_other)
{
	struct stats *s = stats_map(fd, true, SLOTS, NULL), *base;
	autoclose int other = stats_memfd(SLOTS, NULL);

	cr_assert(s);
	base = stats_map(other, true, SLOTS, NULL);
	stats_add(s, STAT_AUTH_REPLACED, 0, 0, 3);
	uses_mark(u, 0, 100);
	collect_all();
	cr_assert_eq(seen.v[0], 100);
	cr_assert_eq(uses_clear(fd, TOKENS, NULL), 0);
	cr_assert_eq(stats_get(s, STAT_AUTH_REPLACED, 0, 0), 3);
	stats_fold(base, s);
	cr_assert_eq(stats_get(base, STAT_AUTH_REPLACED, 0, 0), 3);
	stats_unmap(s);
	s = stats_map(fd, true, SLOTS, NULL);
	cr_assert(s, "after a fold its next owner maps it");
	cr_assert_null(stats_map(fd, false, SLOTS + 1, NULL));
	cr_assert_null(stats_map(fd, false, SLOTS - 1, NULL));
	stats_unmap(s);
	stats_unmap(base);
}

Test(uses, a_file_without_them_is_refused)
{
	autoclose int other = stats_memfd(SLOTS, NULL);
	struct err err = { "" };

	cr_assert_null(uses_map(other, TOKENS, &err));
	cr_assert(strstr(err.text, "without the words of 1048576 tokens"), "%s", err.text);
	cr_assert_eq(uses_collect(other, TOKENS, &seen, &err), -1);
	cr_assert_eq(uses_clear(other, TOKENS, &err), -1);
}
