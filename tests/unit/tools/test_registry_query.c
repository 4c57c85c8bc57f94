/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/registry_query.c"

#include <criterion/criterion.h>

static json_t *tenant_of(const char *rows_text)
{
	json_t *rows = json_loads(rows_text, 0, NULL), *row;
	json_t *tenant = json_pack("{s:s,s:{},s:n}", "state", "active", "limits", "block_until");
	size_t i;

	cr_assert_not_null(rows);
	json_array_foreach(rows, i, row)
		merge(tenant, row);
	json_decref(rows);
	return tenant;
}

Test(registry_query, the_strictest_of_a_tenants_rows_counts)
{
	json_t *t = tenant_of("[{\"state\":\"active\",\"limits\":{\"bytes_per_s\":9}},"
	                      "{\"state\":\"suspended\",\"block_until\":\"2027-01-01T00:00:00Z\","
	                      "\"limits\":{\"bytes_per_s\":5,\"items_per_s\":3}},"
	                      "{\"state\":\"active\",\"block_until\":\"2026-01-01T00:00:00Z\","
	                      "\"limits\":{\"bytes_per_s\":7}}]");

	cr_expect_str_eq(json_text_of(t, "state"), "suspended");
	cr_expect_str_eq(json_text_of(t, "block_until"), "2027-01-01T00:00:00Z");
	cr_expect_eq(json_number_of(json_object_get(t, "limits"), "bytes_per_s"), 5);
	cr_expect_eq(json_number_of(json_object_get(t, "limits"), "items_per_s"), 3);
	json_decref(t);
}

Test(registry_query, deleting_is_stricter_than_suspended)
{
	json_t *t = tenant_of("[{\"state\":\"deleting\"},{\"state\":\"suspended\"}]");

	cr_expect_str_eq(json_text_of(t, "state"), "deleting");
	json_decref(t);
	t = tenant_of("[{}]");
	cr_expect_str_eq(json_text_of(t, "state"), "active");
	json_decref(t);
}

Test(registry_query, a_statement_ends_where_a_person_ends_it)
{
	cr_expect_eq(length_without_end("SELECT 1;\n"), 8);
	cr_expect_eq(length_without_end("SELECT 1 ; ; \r\n"), 8);
	cr_expect_eq(length_without_end("SELECT 1"), 8);
	cr_expect_eq(length_without_end(" ;\n"), 0);
}
