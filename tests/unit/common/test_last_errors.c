/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>

#include "common/last_errors.c"

static struct last_errors ring, other;
static struct last_error list[LAST_ERRORS];

static void add(struct last_errors *to, unix_ns at, const char *text)
{
	struct last_error line = { .at = at, .worker = 2, .generation = 7 };

	snprintf(line.module, sizeof(line.module), "life");
	snprintf(line.text, sizeof(line.text), "%s", text);
	last_errors_add(to, &line);
}

Test(last_errors, the_newest_come_first_whatever_ring_they_are_in)
{
	unsigned n;

	add(&ring, 1, "one");
	add(&other, 2, "two");
	add(&ring, 3, "three");
	n = last_errors_merge(list, 0, &ring);
	n = last_errors_merge(list, n, &other);
	cr_assert_eq(n, 3u);
	cr_assert_str_eq(list[0].text, "three");
	cr_assert_str_eq(list[1].text, "two");
	cr_assert_str_eq(list[2].text, "one");
	cr_assert_str_eq(list[1].module, "life");
	cr_assert_eq(list[1].worker, 2);
	cr_assert_eq(list[1].generation, 7u);
}

Test(last_errors, no_more_than_twenty_are_told)
{
	char text[16];
	unsigned n;

	for (unsigned i = 1; i <= 50; i++) {
		snprintf(text, sizeof(text), "%u", i);
		add(i % 2 ? &ring : &other, i, text);
	}
	n = last_errors_merge(list, 0, &ring);
	n = last_errors_merge(list, n, &other);
	cr_assert_eq(n, (unsigned)LAST_ERRORS);
	for (unsigned i = 0; i < n; i++)
		cr_assert_eq(list[i].at, 50 - i);
}

Test(last_errors, a_ring_without_lines_adds_none)
{
	add(&ring, 1, "one");
	cr_assert_eq(last_errors_merge(list, last_errors_merge(list, 0, &ring), &other), 1u);
}

Test(last_errors, a_line_that_is_being_written_is_not_there)
{
	add(&ring, 1, "one");
	add(&ring, 2, "two");
	ring.v[1].seq++; /* its writer died here */
	cr_assert_eq(last_errors_merge(list, 0, &ring), 1u);
	cr_assert_str_eq(list[0].text, "one");
	last_errors_keep(&other, &ring);
	cr_assert_eq(last_errors_merge(list, 0, &other), 1u);
}

Test(last_errors, of_two_threads_in_one_slot_the_later_gives_way)
{
	add(&ring, 1, "one");
	ring.v[0].seq++;
	for (unsigned i = 2; i <= LAST_ERRORS + 1; i++)
		add(&ring, i, "more");
	cr_assert_eq(last_errors_merge(list, 0, &ring), (unsigned)LAST_ERRORS - 1);
	ring.v[0].seq++; /* the first one has ended */
	cr_assert_eq(last_errors_merge(list, 0, &ring), (unsigned)LAST_ERRORS);
	cr_assert_str_eq(list[LAST_ERRORS - 1].text, "one");
}

Test(last_errors, what_is_kept_of_the_dead_takes_the_place_of_what_is_older)
{
	for (unsigned i = 0; i < LAST_ERRORS; i++)
		add(&ring, 100 + i, "kept");
	add(&other, 50, "old");
	add(&other, 500, "new");
	last_errors_keep(&ring, &other);
	cr_assert_eq(last_errors_merge(list, 0, &ring), (unsigned)LAST_ERRORS);
	cr_assert_str_eq(list[0].text, "new");
	cr_assert_eq(list[LAST_ERRORS - 1].at, 101);
}

Test(last_errors, what_is_kept_is_told_even_if_the_base_had_none)
{
	add(&other, 5, "died");
	last_errors_keep(&ring, &other);
	cr_assert_eq(last_errors_merge(list, 0, &ring), 1u);
	cr_assert_str_eq(list[0].text, "died");
}

Test(last_errors, a_text_without_end_ends)
{
	struct last_error line = { .at = 1 };

	memset(line.text, 'x', sizeof(line.text));
	memset(line.module, 'm', sizeof(line.module));
	last_errors_add(&ring, &line);
	cr_assert_eq(last_errors_merge(list, 0, &ring), 1u);
	cr_assert_eq(strlen(list[0].text), sizeof(line.text) - 1);
	cr_assert_eq(strlen(list[0].module), sizeof(line.module) - 1);
}

/* Each line is all of one letter. */
static void *write_lines(void *arg)
{
	struct last_error line = { .at = 1 };

	memset(line.text, *(const char *)arg, sizeof(line.text) - 1);
	for (unsigned i = 0; i < 20000; i++)
		last_errors_add(&ring, &line);
	return NULL;
}

Test(last_errors, a_reader_never_sees_half_a_line)
{
	pthread_t threads[2];

	for (unsigned i = 0; i < 2; i++)
		cr_assert_eq(
			pthread_create(&threads[i], NULL, write_lines, (void *)(i ? "b" : "a")), 0);
	for (unsigned round = 0; round < 2000; round++) {
		unsigned n = last_errors_merge(list, 0, &ring);

		for (unsigned i = 0; i < n; i++) {
			char all[2] = { list[i].text[0], '\0' };

			cr_assert_eq(strspn(list[i].text, all), sizeof(list[i].text) - 1);
		}
	}
	for (unsigned i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	cr_assert_eq(last_errors_merge(list, 0, &ring), (unsigned)LAST_ERRORS);
}
