/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/spool.c"

#include <criterion/criterion.h>

static char made[] = "/tmp/hg-spool-XXXXXX";
static struct store_dir d;
static const struct store_entry file = { .number = 7, .has = { [STORE_DB] = true } };
static struct entry e;

static void set_up(void)
{
	struct err err;

	cr_assert(mkdtemp(made));
	cr_assert_eq(store_dir_open(&d, made, &err), 0);
	e = (struct entry){ .file = &file, .dir = d.path, .shown = "0000000007.db" };
	store_name(e.name, file.number, STORE_DB);
}

static void tear_down(void)
{
	unlinkat(d.fd, e.name, 0);
	store_dir_close(&d);
	cr_expect_eq(rmdir(made), 0);
}

TestSuite(spool, .init = set_up, .fini = tear_down);

/* A drain takes files away while they are listed. */
Test(spool, a_file_that_was_sent_meanwhile_is_no_fault)
{
	struct ctl c = { .quiet = true };

	cr_expect_eq(verify_one(&c, &d, &e), 0);
}

Test(spool, a_file_that_is_no_spools_is_one)
{
	struct ctl c = { .quiet = true };
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", made, e.name);
	f = fopen(path, "we");
	cr_assert(f &&
	          fputs("this is no database, and longer than a head of one, which has a hundred "
	                "bytes before anything else",
	                f) > 0);
	fclose(f);
	cr_expect_eq(verify_one(&c, &d, &e), EXIT_NEGATIVE);
}
