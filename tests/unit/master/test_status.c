/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "master/status.c"

static json_t *many(unsigned n)
{
	json_t *list = json_array();
	char uri[1024];

	for (unsigned i = 0; i < n; i++) {
		memset(uri, 'u', sizeof(uri) - 1);
		uri[sizeof(uri) - 1] = '\0';
		json_array_append_new(list, json_pack("{s:s,s:i}", "uri", uri, "i", (int)i));
	}
	return list;
}

static json_t *text_of_facts(unsigned keys, unsigned certs)
{
	json_t *o = json_pack("{s:o,s:o}", "jwks", many(keys), "certificates", many(certs)), *back;
	autofree char *text = facts_text(o);

	json_decref(o);
	cr_assert_leq(strlen(text), (size_t)FACTS_MAX);
	back = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	cr_assert(back);
	return back;
}

Test(status, facts_that_fit_are_whole)
{
	json_t *o = text_of_facts(10, 20);

	cr_assert_eq(json_array_size(json_object_get(o, "jwks")), 10u);
	cr_assert_eq(json_array_size(json_object_get(o, "certificates")), 20u);
	cr_assert_null(json_object_get(o, "left_out"));
	json_decref(o);
}

Test(status, of_facts_that_do_not_fit_the_longer_list_is_cut_and_that_is_said)
{
	json_t *o = text_of_facts(64, 20);
	json_int_t left_out = json_integer_value(json_object_get(o, "left_out"));

	cr_assert_gt(left_out, 0);
	cr_assert_eq(json_array_size(json_object_get(o, "certificates")), 20u);
	cr_assert_eq(json_array_size(json_object_get(o, "jwks")), 64u - (unsigned)left_out);
	json_decref(o);
}
