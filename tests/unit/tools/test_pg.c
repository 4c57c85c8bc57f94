/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/pg.c"

#include <criterion/criterion.h>

static const struct ctl c;

/* O12 */
Test(pg, a_password_on_the_command_line_is_refused)
{
	static const char *const strings[] = {
		"host=db password=geheim",
		"host=db password='a b'",
		"postgresql://me:geheim@db/x",
		"host=db sslpassword=geheim",
	};

	for (size_t i = 0; i < ARRAY_LEN(strings); i++)
		cr_expect_eq(check_dsn(&c, strings[i]), EXIT_USAGE, "%s", strings[i]);
}

Test(pg, what_names_a_database_is_taken)
{
	static const char *const strings[] = {
		"headgate",
		"",
		"host=/run/postgresql dbname=x user=me",
		"service=headgate",
		"postgresql://me@db/x?sslmode=verify-full",
		"passfile=/etc/headgate/pgpass",
	};

	for (size_t i = 0; i < ARRAY_LEN(strings); i++)
		cr_expect_eq(check_dsn(&c, strings[i]), 0, "%s", strings[i]);
}

Test(pg, what_libpq_does_not_read_is_refused)
{
	cr_expect_eq(check_dsn(&c, "host=db nonsense"), EXIT_USAGE);
	cr_expect_eq(check_dsn(&c, "hots=db"), EXIT_USAGE);
}

static int read_file(const char *content, char **dsn)
{
	char path[] = "/tmp/hg-dsn-XXXXXX";
	int fd = mkstemp(path), code = 0;

	cr_assert(fd >= 0 && write(fd, content, strlen(content)) == (ssize_t)strlen(content));
	close(fd);
	*dsn = read_dsn_file(path, &code);
	unlink(path);
	return code;
}

/* O12: libpq's own words quote what it cannot read, and that may be a password. */
Test(pg, a_file_that_is_no_connection_string_is_refused_before_libpq_quotes_it)
{
	char *dsn, longest[8192];

	cr_expect_eq(read_file("host=db password=geheim\n", &dsn), 0);
	cr_expect_str_eq(dsn, "host=db password=geheim");
	free(dsn);
	cr_expect_eq(read_file("headgate\n", &dsn), 0);
	free(dsn);
	cr_expect_eq(read_file("host=db password=ge heim\n", &dsn), EX_CONFIG);
	cr_expect_null(dsn);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	cr_expect_eq(read_file(longest, &dsn), EX_CONFIG, "not cut in silence");
	cr_expect_null(dsn);
}
