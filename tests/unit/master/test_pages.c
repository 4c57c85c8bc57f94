/* SPDX-License-Identifier: Apache-2.0 */
#include "master/pages.c"

#include <criterion/criterion.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

static struct pages *open_pages(unsigned slots)
{
	struct err err = { "" };
	struct pages *p = pages_open(4, &err);

	cr_assert_not_null(p, "%s", err.text);
	cr_assert(pages_grow(p, slots, &err) == 0, "%s", err.text);
	return p;
}

Test(pages, each_slot_has_two_pages_and_they_stay_when_slots_are_added)
{
	struct pages *p = open_pages(1);
	int fd = pages_fd(p, 2);
	struct err err;

	cr_expect_eq(pages_count(p), 4);
	cr_assert(pages_grow(p, 3, &err) == 0);
	cr_expect_eq(pages_count(p), 8);
	cr_assert(pages_grow(p, 1, &err) == 0);
	cr_expect_eq(pages_count(p), 8, "never fewer");
	cr_expect_eq(pages_fd(p, 2), fd);
	pages_close(p);
}

Test(pages, two_processes_of_a_slot_have_a_page_each_and_a_dead_one_counts_on)
{
	struct pages *p = open_pages(2);
	unsigned a = pages_take(p, 1, 5), b = pages_take(p, 1, 6);

	cr_expect_eq(a, 4);
	cr_expect_eq(b, 5);
	cr_expect_eq(stats_head(pages_stats(p, b))->slot, 1);
	cr_expect_eq(stats_head(pages_stats(p, b))->generation, 6);
	stats_add(pages_stats(p, a), STAT_AUTH_REPLACED, 0, 0, 3);
	pages_fold(p, a);
	cr_expect_eq(stats_get(pages_stats(p, PAGE_BASE), STAT_AUTH_REPLACED, 0, 0), 3);
	cr_expect_eq(stats_get(pages_stats(p, a), STAT_AUTH_REPLACED, 0, 0), 0);
	cr_expect_eq(pages_take(p, 1, 7), a, "its page is the next one's");
	pages_close(p);
}

Test(pages, a_reader_can_neither_write_nor_resize)
{
	struct pages *p = open_pages(1);
	int fd = pages_fd_reader(p, PAGE_MASTER);
	struct stat st;

	cr_assert(fstat(fd, &st) == 0);
	cr_expect_eq(mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0),
	             MAP_FAILED);
	cr_expect_eq(errno, EACCES);
	cr_expect_lt(ftruncate(fd, 0), 0);
	cr_expect_lt(write(fd, "x", 1), 0);
	pages_close(p);
}

Test(pages, last_uses_of_the_living_and_the_dead_are_known_and_their_page_is_clean_for_the_next)
{
	struct err err;
	struct pages *p = pages_open(4, &err);
	struct uses *first, *second;
	unsigned a, b;

	pages_keep_uses(p, 100);
	cr_assert(pages_grow(p, 1, &err) == 0);
	a = pages_take(p, 0, 1);
	b = pages_take(p, 0, 2);
	first = uses_map(pages_fd(p, a), 100, &err);
	second = uses_map(pages_fd(p, b), 100, &err);
	cr_assert(first && second);
	uses_mark(first, 7, 1000);
	uses_mark(second, 7, 999);
	uses_mark(second, 8, 5);
	cr_expect_eq(pages_uses(p, false)->n, 0);
	cr_expect_eq(pages_uses(p, true)->v[7], 1000);
	cr_expect_eq(pages_uses(p, false)->v[8], 5);
	uses_mark(first, 9, 2000);
	pages_fold(p, a);
	cr_expect_eq(pages_uses(p, false)->v[9], 2000, "the last words of the dead");
	cr_expect_eq(pages_take(p, 0, 3), a);
	uses_mark(second, 8, 6);
	cr_expect_eq(pages_uses(p, true)->v[8], 6);
	uses_unmap(first);
	uses_unmap(second);
	pages_close(p);
}
