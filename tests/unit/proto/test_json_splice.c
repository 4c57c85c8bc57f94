/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/json_splice.c"

#include <criterion/criterion.h>

/* `[` parts `]`: single letters with blanks and commas; capital ones leave, and `last` comes. */
static void becomes(const char *list, const char *last, const char *want)
{
	struct bytes body = bytes_str(list);
	struct json_splice s;
	struct edits edits;
	uint8_t got[100];
	size_t n;

	edits_init(&edits);
	s = json_splice_of(&edits, body.p, body.p + 1);
	for (const uint8_t *p = body.p + 1; *p != ']'; p++)
		if (*p != ',' && *p != ' ') {
			json_splice_begin(&s, p);
			/* what was to be edited inside goes with it */
			edits_add(&edits, (size_t)(p - body.p), 0, BYTES("<"));
			json_splice_end(&s, p + 1, *p < 'a');
		}
	json_splice_close(&s, bytes_str(last));
	n = edits_out_bytes(&edits, body.n);
	cr_assert_lt(n, sizeof(got));
	edits_emit(&edits, body, got); /* asserts the order of edits */
	cr_expect(bytes_eq(bytes_of(got, n), bytes_str(want)), "%s: %.*s, not %s", list, (int)n,
	          (const char *)got, want);
	edits_done(&edits);
}

Test(json_splice, one_comes_behind_the_last)
{
	becomes("[]", "!", "[!]");
	becomes("[ ]", "!", "[! ]");
	becomes("[a]", "!", "[<a,!]");
	becomes("[ a , b ]", "!", "[ <a , <b,! ]");
}

Test(json_splice, what_leaves_takes_one_comma)
{
	becomes("[A]", "!", "[!]");
	becomes("[ A ]", "!", "[ ! ]");
	becomes("[A,b]", "!", "[<b,!]");
	becomes("[ A , b ]", "!", "[ <b,! ]");
	becomes("[a,B]", "!", "[<a,!]");
	becomes("[ a , B ]", "!", "[ <a,! ]");
	becomes("[a,B,c]", "!", "[<a,<c,!]");
	becomes("[A,B,c,D,E,f,G]", "!", "[<c,<f,!]");
	becomes("[A, B]", "!", "[!]");
}

Test(json_splice, nothing_need_come)
{
	becomes("[]", "", "[]");
	becomes("[a, b]", "", "[<a, <b]");
	becomes("[A]", "", "[]");
	becomes("[A, B ]", "", "[ ]");
	becomes("[A, b]", "", "[<b]");
	becomes("[a ,B]", "", "[<a]");
	becomes("[A,b,C,d,E,F]", "", "[<b,<d]");
}
