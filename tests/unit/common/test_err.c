/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#include "common/err.c"

Test(err, a_failure_is_one_line)
{
	struct err err = { "" };

	cr_assert_eq(err_set(&err, "no such %s: %d", "thing", 7), -1);
	cr_assert_str_eq(err.text, "no such thing: 7");
}

Test(err, nobody_needs_to_listen)
{
	cr_assert_eq(err_set(NULL, "x"), -1);
	cr_assert_eq(err_errno(NULL, "x"), -1);
	cr_assert_eq(err_prefix(NULL, "x"), -1);
}

Test(err, errno_is_told_and_kept)
{
	struct err err = { "" };

	errno = ENOENT;
	cr_assert_eq(err_errno(&err, "can't open %s", "a"), -1);
	cr_assert_str_eq(err.text, "can't open a: No such file or directory");
	cr_assert_eq(errno, ENOENT);
}

Test(err, a_prefix_goes_before_and_prefixes_add_up)
{
	struct err err = { "" };

	err_set(&err, "bad");
	cr_assert_eq(err_prefix(&err, "line %d: ", 3), -1);
	err_prefix(&err, "file: ");
	cr_assert_str_eq(err.text, "file: line 3: bad");
}

Test(err, the_old_text_may_be_an_argument)
{
	struct err err = { "" };

	err_set(&err, "inner");
	err_set(&err, "outer (%s)", err.text);
	cr_assert_str_eq(err.text, "outer (inner)");
}

Test(err, a_long_text_is_cut_and_ends)
{
	struct err err = { "" };
	char text[3000];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	err_set(&err, "%s", text);
	cr_assert_eq(strlen(err.text), sizeof(err.text) - 1);
	errno = EPERM;
	err_errno(&err, "%s", text);
	err_prefix(&err, "%s", text);
	cr_assert_eq(strlen(err.text), sizeof(err.text) - 1);
}
