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
