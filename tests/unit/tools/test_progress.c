/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/progress.c"

#include <criterion/criterion.h>
#include <pty.h>
#include <string.h>

static char heard[4096];

/* What stderr got while f ran, when it is a terminal of 40 columns or a pipe. */
static const char *while_stderr_is(bool terminal, bool quiet, void (*f)(struct progress *p))
{
	const struct winsize size = { .ws_row = 10, .ws_col = 40 };
	struct ctl c = { .quiet = quiet };
	int ends[2], before = dup(STDERR_FILENO);
	size_t got = 0;
	ssize_t n;

	if (terminal)
		cr_assert(openpty(&ends[0], &ends[1], NULL, NULL, &size) == 0);
	else
		cr_assert(pipe(ends) == 0);
	dup2(ends[1], STDERR_FILENO);
	f(progress_open(&c, "send", 4));
	dup2(before, STDERR_FILENO);
	close(before);
	close(ends[1]); /* the last writer: what follows is the end, or EIO of a terminal */
	while ((n = read(ends[0], heard + got, sizeof(heard) - 1 - got)) > 0)
		got += (size_t)n;
	heard[got] = '\0';
	close(ends[0]);
	return heard;
}

static void one_step(struct progress *p)
{
	progress_at(p, 1, "file");
	progress_close(p);
}

static void two_steps_at_once(struct progress *p)
{
	progress_at(p, 1, NULL);
	progress_at(p, 2, NULL);
	progress_close(p);
}

static void a_line_between(struct progress *p)
{
	progress_at(p, 1, NULL);
	progress_clear(p);
	progress_at(p, 2, NULL);
	progress_close(p);
}

static void a_long_name(struct progress *p)
{
	progress_at(p, 1, "0123456789012345678901234567890123456789");
	progress_close(p);
}

static void nothing_done(struct progress *p)
{
	progress_close(p);
}

Test(progress, a_terminal_sees_one_line_that_is_cleared)
{
	cr_expect_str_eq(while_stderr_is(true, false, one_step),
	                 "\rsend: 1 of 4 (25 %) file\033[K\r\033[K");
	cr_expect_str_eq(while_stderr_is(true, false, nothing_done), "");
}

Test(progress, a_pipe_and_a_quiet_run_see_nothing)
{
	cr_expect_str_eq(while_stderr_is(false, false, one_step), "");
	cr_expect_str_eq(while_stderr_is(true, true, one_step), "");
}

Test(progress, it_is_drawn_at_most_ten_times_a_second_but_after_other_lines)
{
	cr_expect_str_eq(while_stderr_is(true, false, two_steps_at_once),
	                 "\rsend: 1 of 4 (25 %)\033[K\r\033[K");
	cr_expect_str_eq(while_stderr_is(true, false, a_line_between),
	                 "\rsend: 1 of 4 (25 %)\033[K\r\033[K\rsend: 2 of 4 (50 %)\033[K\r\033[K");
}

Test(progress, a_line_never_wraps)
{
	cr_expect_str_eq(while_stderr_is(true, false, a_long_name),
	                 "\rsend: 1 of 4 (25 %) 0123456789012345678\033[K\r\033[K");
}
