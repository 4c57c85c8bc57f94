/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "master/resolve.c"

/* db1 has two addresses, db2 one, others none. */
static int lookup(const char *name, char out[ADDRESSES_MAX][INET6_ADDRSTRLEN], struct err *err)
{
	if (strcmp(name, "db1") == 0) {
		strcpy(out[0], "10.0.0.1");
		strcpy(out[1], "2001:db8::1");
		return 2;
	}
	if (strcmp(name, "db2") == 0) {
		strcpy(out[0], "10.0.0.2");
		return 1;
	}
	return err_set(err, "no such name '%s'", name);
}

static void expands(const char *hosts, const char *addrs, const char *ports, const char *want)
{
	struct resolve_lists in = { (char *)(uintptr_t)hosts, (char *)(uintptr_t)addrs,
		                    (char *)(uintptr_t)ports },
			     out;
	char got[300];

	cr_assert_eq(expand(&in, lookup, &out, NULL), 0);
	snprintf(got, sizeof(got), "%s|%s|%s", out.hosts, out.addrs, out.ports);
	cr_assert_str_eq(got, want);
	resolve_lists_free(&out);
}

Test(resolve, each_address_of_a_name_becomes_a_host_of_its_own)
{
	expands("db1", "", "5432", "db1,db1|10.0.0.1,2001:db8::1|5432,5432");
	expands("db1,db2", "", "5432,5433",
	        "db1,db1,db2|10.0.0.1,2001:db8::1,10.0.0.2|5432,5432,5433");
	expands("db2,db1", "", "6000", "db2,db1,db1|10.0.0.2,10.0.0.1,2001:db8::1|6000,6000,6000");
}

Test(resolve, what_has_an_address_or_needs_none_stays_as_it_is)
{
	expands("db9", "10.1.1.1", "5432", "db9|10.1.1.1|5432");
	expands("/run/postgresql,127.0.0.1,::1,db2", ",,,", "1,2,3,4",
	        "/run/postgresql,127.0.0.1,::1,db2|,,,10.0.0.2|1,2,3,4");
	expands("", "", "5432", "||5432");
}

Test(resolve, a_name_without_address_is_left_out_while_another_has_one)
{
	expands("gone,db2", "", "1,2", "db2|10.0.0.2|2");
}

Test(resolve, no_address_at_all_is_an_error)
{
	struct resolve_lists in = { (char *)(uintptr_t) "gone", (char *)(uintptr_t) "",
		                    (char *)(uintptr_t) "1" },
			     out;
	struct err err = { "" };

	cr_assert_eq(expand(&in, lookup, &out, &err), -1);
	cr_assert_str_eq(err.text, "no such name 'gone'");
	resolve_lists_free(&out);
}

Test(resolve, only_a_name_without_address_needs_it)
{
	cr_assert(resolve_needed("db1", NULL));
	cr_assert(resolve_needed("10.0.0.1,db1", ",,"));
	cr_assert_not(resolve_needed("db1", "10.0.0.1"));
	cr_assert_not(resolve_needed("10.0.0.1", NULL));
	cr_assert_not(resolve_needed("::1", NULL));
	cr_assert_not(resolve_needed("/run/postgresql", NULL));
	cr_assert_not(resolve_needed("", NULL));
	cr_assert_not(resolve_needed(NULL, NULL));
}

static bool done_called;

static void on_done(void *arg)
{
	(void)arg;
	done_called = true;
}

/* A number is no name: no name server is asked. */
Test(resolve, the_thread_answers_by_the_loop)
{
	struct event_base *base = event_base_new();
	struct resolve *r = resolve_start(base, "127.0.0.1", NULL, "5432", on_done, NULL, NULL);
	struct resolve_lists out;

	cr_assert(r);
	while (!done_called)
		event_base_loop(base, EVLOOP_ONCE);
	cr_assert_eq(resolve_take(r, &out, NULL), 0);
	cr_assert_str_eq(out.hosts, "127.0.0.1");
	resolve_lists_free(&out);
	event_base_free(base);
}

Test(resolve, one_that_is_abandoned_never_answers)
{
	struct event_base *base = event_base_new();

	for (int i = 0; i < 50; i++) /* before its thread ends, after, or at once */
		resolve_abandon(resolve_start(base, "127.0.0.1", NULL, "1", on_done, NULL, NULL));
	event_base_loop(base, EVLOOP_NONBLOCK);
	cr_assert_not(done_called);
	event_base_free(base);
}
