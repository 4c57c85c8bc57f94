/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <sys/wait.h>

#include "common/limits.c"

enum { TENANTS = 100, METRICS = 4 };

static int page = -1;
static struct limits *l, *other_worker;

static void open_page(void)
{
	page = limits_memfd(TENANTS, METRICS, NULL);
	l = limits_map(page, TENANTS, METRICS, NULL);
	other_worker = limits_map(page, TENANTS, METRICS, NULL);
	cr_assert(l && other_worker);
}

static void close_page(void)
{
	limits_unmap(l);
	limits_unmap(other_worker);
	close(page);
}

TestSuite(limits, .init = open_page, .fini = close_page);

Test(limits, tenants_take_slots_in_the_order_of_their_first_use)
{
	cr_assert_eq(limits_metric_slot(l, 70, BYTES("acme")), 0);
	cr_assert_eq(limits_metric_slot(l, 7, BYTES("globex")), 1);
	cr_assert_eq(limits_metric_slot(l, 70, BYTES("acme")), 0);
	cr_assert_str_eq(limits_metric_name(l, 0), "acme");
	cr_assert_str_eq(limits_metric_name(l, 1), "globex");
	cr_assert_null(limits_metric_name(l, 2));
}

Test(limits, all_workers_agree)
{
	cr_assert_eq(limits_metric_slot(other_worker, 3, BYTES("a")), 0);
	cr_assert_eq(limits_metric_slot(l, 4, BYTES("b")), 1);
	cr_assert_eq(limits_metric_slot(l, 3, BYTES("a")), 0);
	cr_assert_eq(limits_metric_slot(other_worker, 4, BYTES("b")), 1);
	cr_assert_str_eq(limits_metric_name(other_worker, 1), "b");
}

Test(limits, processes_that_start_at_once_agree)
{
	int answers[2];

	cr_assert_eq(pipe(answers), 0);
	for (int p = 0; p < 4; p++)
		if (fork() == 0) {
			unsigned got[3];

			for (unsigned i = 0; i < 3; i++)
				got[i] = limits_metric_slot(l, i + 10, bytes_of("abc" + i, 1));
			_exit(write(answers[1], got, sizeof(got)) != sizeof(got));
		}
	for (int p = 0; p < 4; p++) {
		unsigned got[3];

		cr_assert_eq(read(answers[0], got, sizeof(got)), sizeof(got));
		for (unsigned i = 0; i < 3; i++)
			cr_assert_eq(got[i], limits_metric_slot(l, i + 10, bytes_of("abc" + i, 1)));
	}
	while (wait(NULL) > 0)
		;
	close(answers[0]);
	close(answers[1]);
}

Test(limits, the_tenants_after_the_last_slot_are_other)
{
	for (uint32_t i = 0; i < METRICS; i++)
		cr_assert_eq(limits_metric_slot(l, i, BYTES("t")), i);
	cr_assert_eq(limits_metric_slot(l, 50, BYTES("late")), limits_metric_other(l));
	cr_assert_eq(limits_metric_slot(l, 50, BYTES("late")), limits_metric_other(l));
	cr_assert_eq(limits_metric_slot(l, TENANTS, BYTES("beyond")), limits_metric_other(l));
	cr_assert_eq(limits_metric_other(l), METRICS);
	cr_assert_eq(limits_metric_none(l), METRICS + 1);
	cr_assert_str_eq(limits_metric_name(l, limits_metric_other(l)), "_other");
	cr_assert_str_eq(limits_metric_name(l, limits_metric_none(l)), "_none");
	cr_assert_null(limits_metric_name(l, METRICS + 2));
}

Test(limits, each_tenant_of_other_counts_once_whoever_uses_it_and_no_more_when_it_is_gone)
{
	for (uint32_t i = 0; i < METRICS; i++)
		limits_metric_slot(l, i, BYTES("t"));
	cr_assert_eq(limits_folded(l), 0);
	for (int i = 0; i < 3; i++) {
		limits_metric_slot(l, 63, BYTES("x"));
		limits_metric_slot(other_worker, 63, BYTES("x"));
		limits_metric_slot(other_worker, TENANTS - 1, BYTES("y"));
	}
	cr_assert_eq(limits_folded(l), 2);
	cr_assert_eq(limits_folded(other_worker), 2);
	limits_clear(l, 63);
	limits_clear(l, 0); /* had a slot of its own */
	cr_assert_eq(limits_folded(l), 1);

	/* Dead between the word and the bit: the next use sets it. */
	atomic_store(&l->tenants[8].metric, 1 + METRICS);
	limits_metric_slot(l, 8, BYTES("z"));
	cr_assert_eq(limits_folded(l), 2);
}

Test(limits, a_new_tenant_with_an_old_ordinal_inherits_no_slot)
{
	cr_assert_eq(limits_metric_slot(l, 5, BYTES("old")), 0);
	limits_clear(l, 5);
	cr_assert_str_eq(limits_metric_name(l, 0),
	                 "old"); /* its counters are still shown as its own */
	cr_assert_eq(limits_metric_slot(l, 5, BYTES("new")), 1);
	cr_assert_str_eq(limits_metric_name(l, 1), "new");
}

Test(limits, a_tenant_that_comes_back_gets_its_slot_back)
{
	cr_assert_eq(limits_metric_slot(l, 5, BYTES("acme")), 0);
	limits_clear(l, 5);
	cr_assert_eq(limits_metric_slot(l, 6, BYTES("acm")), 1);
	cr_assert_eq(limits_metric_slot(l, 9, BYTES("acme")), 0);
}

Test(limits, a_worker_that_dies_while_claiming_leaves_nothing_behind)
{
	/* Dead after the claim, before the name and the tenant's word. */
	cr_assert(slot_take(&l->metrics[0], OWNER_FREE, 1 + 8));
	cr_assert_null(limits_metric_name(l, 0));
	cr_assert_eq(limits_metric_slot(l, 8, BYTES("x")), 0); /* the next worker finishes it */
	cr_assert_str_eq(limits_metric_name(l, 0), "x");

	cr_assert(slot_take(&l->metrics[1], OWNER_FREE, 1 + 9));
	limits_clear(l, 9); /* the tenant went before anybody else used it */
	cr_assert_eq(limits_metric_slot(l, 10, BYTES("y")), 1);
}

Test(limits, the_longest_id_fits)
{
	char id[TENANT_ID_MAX + 1] = { 0 };

	memset(id, 'a', TENANT_ID_MAX);
	cr_assert_eq(limits_metric_slot(l, 0, bytes_str(id)), 0);
	cr_assert_str_eq(limits_metric_name(l, 0), id);
	limits_clear(l, 0);
	cr_assert_eq(limits_metric_slot(l, 1, bytes_str(id)), 0);
}

/* R18 */
Test(limits, a_new_tenant_inherits_no_word)
{
	const struct gcra_rate rate = { 1, 5 };
	uint32_t life = limits_life(l, 7);

	for (enum limit_kind kind = 0; kind < LIMIT_KINDS; kind++)
		cr_assert_eq(gcra_take(&limits_words(l, 7)[kind], &rate, 0, 5, 1000), 0);
	cr_assert_gt(gcra_take(limits_words(other_worker, 7), &rate, 0, 1, 1000), 0);
	limits_clear(l, 7);
	for (enum limit_kind kind = 0; kind < LIMIT_KINDS; kind++)
		cr_assert_eq(limits_words(other_worker, 7)[kind], 0);
	cr_assert_neq(limits_life(other_worker, 7), life, "a request of the old one can tell");
}

Test(limits, tenants_have_a_line_of_words_each_and_none_beyond_the_last)
{
	cr_assert_eq((uintptr_t)limits_words(l, 0) / LINE_BYTES + 1,
	             (uintptr_t)limits_words(l, 1) / LINE_BYTES);
	cr_assert_eq(sizeof(struct tenant_line), (size_t)LINE_BYTES);
	cr_assert_not_null(limits_words(l, TENANTS - 1));
	cr_assert_null(limits_words(l, TENANTS));
	cr_assert_eq(limits_life(l, TENANTS), 0);
}

Test(limits, the_page_cannot_be_cut_and_another_size_is_refused)
{
	struct err err = { "" };

	cr_assert_eq(ftruncate(page, 0), -1);
	cr_assert_null(limits_map(page, TENANTS + 1, METRICS, &err));
	cr_assert(strstr(err.text, "wrong size"), "%s", err.text);
	cr_assert_eq(limits_memfd(UINT64_MAX / 8, METRICS, &err), -1);
	cr_assert(strstr(err.text, "no limits page"), "%s", err.text);
}

Test(limits, a_foreign_or_unsealed_file_is_refused)
{
	autoclose int empty = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	size_t bytes = limits_bytes(TENANTS, METRICS, NULL);
	struct err err = { "" };

	cr_assert_eq(ftruncate(empty, (off_t)bytes), 0);
	cr_assert_null(limits_map(empty, TENANTS, METRICS, &err));
	cr_assert(strstr(err.text, "not sealed"), "%s", err.text);
	cr_assert_eq(fcntl(empty, F_ADD_SEALS, LIMITS_SEALS), 0);
	cr_assert_null(limits_map(empty, TENANTS, METRICS, &err));
	cr_assert_str_eq(err.text, "no limits page");
}
