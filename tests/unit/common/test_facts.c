/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "common/facts.c"

static struct facts facts;

static void expect(const char *want)
{
	autofree char *got = facts_get(&facts);

	cr_assert(got);
	cr_assert_str_eq(got, want);
}

Test(facts, what_was_said_last_is_read)
{
	cr_assert_null(facts_get(&facts));
	facts_set(&facts, BYTES("a text of more than one word"));
	expect("a text of more than one word");
	facts_set(&facts, BYTES("short"));
	expect("short");
	facts_set(&facts, BYTES_NONE);
	expect("");
}

Test(facts, what_is_being_written_is_not_read)
{
	facts_set(&facts, BYTES("whole"));
	facts.seq++; /* the master died over it */
	cr_assert_null(facts_get(&facts));
	facts.seq++;
	expect("whole");
}

Test(facts, a_length_beyond_the_page_is_not_believed)
{
	facts_set(&facts, BYTES("whole"));
	facts.bytes = FACTS_MAX + 1;
	cr_assert_null(facts_get(&facts));
}

Test(facts, the_longest_text_fits)
{
	autofree char *text = xcalloc(FACTS_MAX + 1, 1);

	memset(text, 'x', FACTS_MAX);
	facts_set(&facts, bytes_str(text));
	expect(text);
}
