/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/out.c"

#include <criterion/criterion.h>

static char *printed(struct table *t)
{
	char *text = NULL;
	size_t n;
	FILE *to = open_memstream(&text, &n);

	table_print(t, to);
	fclose(to);
	return text;
}

Test(out, a_table_is_as_wide_as_its_cells_and_counts_characters)
{
	static const char *const heads[] = { "ID", "NAME", "LAST" };
	struct table *t = table_new(heads, 3);
	char *text;

	table_cell(t, "Acm\u00e9");
	table_cell(t, "x");
	table_cellf(t, "%d", 7);
	table_cell(t, "b");
	table_cell(t, "longer");
	table_cell(t, "");
	text = printed(t);
	cr_expect_str_eq(text, "ID    NAME    LAST\nAcm\u00e9  x       7\nb     longer  \n");
	free(text);
}

Test(out, a_table_without_rows_is_nothing)
{
	static const char *const heads[] = { "ID" };
	char *text = printed(table_new(heads, 1));

	cr_expect_str_eq(text, "");
	free(text);
}

Test(out, what_a_terminal_would_obey_is_shown)
{
	static const char *const heads[] = { "A" };
	struct table *t = table_new(heads, 1);
	char *text;

	table_cell(t, "a\033[31mb\n");
	text = printed(t);
	cr_expect_str_eq(text, "A\na\\x1b[31mb\\x0a\n");
	free(text);
}

Test(out, a_time_is_rfc_3339_in_utc)
{
	char text[TIME_TEXT_BYTES];

	ctl_time_text(1800000000, text, sizeof(text));
	cr_expect_str_eq(text, "2027-01-15T08:00:00Z");
}

Test(out, bytes_that_are_no_text_become_question_marks)
{
	json_t *s = ctl_text(BYTES("a\xff"
	                           "b"));

	cr_expect_str_eq(json_string_value(s), "a?b");
	json_decref(s);
}

Test(out, a_list_with_what_is_no_text_is_still_a_text)
{
	json_t *list = json_loads("[\"10.0.0.0/8\",null]", 0, NULL);
	char text[64], cut[8];

	ctl_join(list, text, sizeof(text));
	cr_expect_str_eq(text, "10.0.0.0/8,null");
	ctl_join(list, cut, sizeof(cut));
	cr_expect_eq(strlen(cut), 7);
	ctl_join(NULL, text, sizeof(text));
	cr_expect_str_eq(text, "");
	json_decref(list);
}

Test(out, a_text_of_control_bytes_alone_fits)
{
	char text[CELL_MAX_BYTES + 2];
	char *shown;

	memset(text, '\033', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	shown = escaped(text);
	cr_expect_eq(strlen(shown), 4 * CELL_MAX_BYTES);
	free(shown);
}

Test(out, an_error_keeps_its_errno_though_stderr_is_no_terminal)
{
	char path[] = "/tmp/hg-said-XXXXXX", text[128] = "";
	int fd = mkstemp(path), before = dup(STDERR_FILENO);

	cr_assert(fd >= 0 && before >= 0 && dup2(fd, STDERR_FILENO) >= 0);
	errno = ENOSPC;
	ctl_error("can't write: %m");
	fflush(stderr);
	cr_assert(dup2(before, STDERR_FILENO) >= 0);
	cr_assert(pread(fd, text, sizeof(text) - 1, 0) > 0);
	cr_expect_str_eq(text, "headgatectl: can't write: No space left on device\n");
	close(fd);
	close(before);
	unlink(path);
}
