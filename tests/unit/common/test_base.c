/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sysexits.h>

#include "common/base.c"

Test(base, memory_is_zeroed_and_never_null)
{
	autofree char *p = xcalloc(3, 5);
	autofree void *none = xcalloc(0, 8);

	cr_assert_not_null(none);
	for (int i = 0; i < 15; i++)
		cr_assert_eq(p[i], 0);
}

Test(base, a_block_grows_and_keeps_its_bytes)
{
	autofree char *p = xstrdup("abc");

	p = xrealloc(p, 1000, 1);
	cr_assert_str_eq(p, "abc");
	p = xrealloc(p, 0, 1);
	cr_assert_not_null(p);
}

Test(base, a_copy_ends_at_n_or_at_the_nul)
{
	autofree char *cut = xstrndup("abcdef", 3);
	autofree char *whole = xstrndup("ab", 30);

	cr_assert_str_eq(cut, "abc");
	cr_assert_str_eq(whole, "ab");
}

Test(base, a_product_that_overflows_ends_the_process, .exit_code = EX_OSERR)
{
	(void)!xrealloc(NULL, SIZE_MAX / 2, 3);
}

Test(base, what_is_taken_is_not_given_back)
{
	int kept;

	{
		autoclose int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

		kept = take_fd(&fd);
		cr_assert_eq(fd, -1);
	}
	cr_assert_geq(fcntl(kept, F_GETFD), 0);
	{
		autoclose int fd = kept;

		cr_assert_geq(fd, 0);
	}
	cr_assert_lt(fcntl(kept, F_GETFD), 0);
}
