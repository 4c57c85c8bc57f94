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

static const char *left_out(const char *members)
{
	static char why[64];
	json_t *row = json_pack("{s:s,s:s,s:i}", "tenant", "acme", "id", "7", "hash_bytes", 32);
	json_t *more = json_loads(members, 0, NULL);

	cr_assert(more && json_object_update(row, more) == 0);
	snprintf(why, sizeof(why), "%s", why_left_out(row));
	json_decref(more);
	json_decref(row);
	return why;
}

/* R14 */
Test(registry_query, rows_that_the_gateway_leaves_out_are_known_here_too)
{
	static const char *const wrong[][2] = {
		{ "{\"tenant\":null}", "tenant id" },
		{ "{\"tenant\":\"a|b\"}", "tenant id" },
		{ "{\"id\":\"a.b\"}", "its id" },
		{ "{\"kind\":\"md5\",\"hash_bytes\":16}", "kind" },
		{ "{\"kind\":\"pbkdf2\",\"iterations\":1000}", "hash" },
		{ "{\"kind\":\"pbkdf2\",\"hash_bytes\":20}", "iterations" },
		{ "{\"kind\":\"pbkdf2\",\"hash_bytes\":20,\"iterations\":null}", "iterations" },
		{ "{\"kind\":\"pbkdf2\",\"hash_bytes\":20,\"iterations\":100001}", "iterations" },
		{ "{\"kind\":null}", "kind" },
		{ "{\"hash_bytes\":31}", "hash" },
		{ "{\"hash_bytes\":null}", "hash" },
		{ "{\"scopes\":null}", "scope" },
		{ "{\"scopes\":[\"admin\"]}", "scope" },
		{ "{\"scopes\":[null]}", "scope" },
		{ "{\"state\":null}", "state" },
		{ "{\"state\":\"Active\"}", "state" },
		{ "{\"allowed_cidrs\":[]}", "blocks" },
		{ "{\"allowed_cidrs\":[\"127.0.0.1/8\"]}", "blocks" },
		{ "{\"allowed_cidrs\":[\"::1\",null]}", "blocks" },
	};

	cr_expect_str_eq(left_out("{}"), "");
	cr_expect_str_eq(left_out("{\"kind\":\"sha256\",\"state\":\"suspended\",\"scopes\":"
	                          "[\"*\",\"logs:write\"],\"allowed_cidrs\":[\"10.0.0.0/8\"]}"),
	                 "");
	cr_expect_str_eq(left_out("{\"allowed_cidrs\":null}"), "", "from anywhere");
	cr_expect_str_eq(left_out("{\"kind\":\"pbkdf2\",\"hash_bytes\":20,\"iterations\":1000}"),
	                 "", "a key that is served");
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		cr_expect(strstr(left_out(wrong[i][0]), wrong[i][1]), "%s: %s", wrong[i][0],
		          left_out(wrong[i][0]));
}

Test(registry_query, a_row_that_is_left_out_names_no_tenant)
{
	json_t *out = json_array();
	json_t *good = json_loads("{\"tenant\":\"a\",\"id\":\"1\",\"hash_bytes\":32}", 0, NULL);
	json_t *bad = json_loads("{\"tenant\":\"b\",\"id\":\"2\",\"hash_bytes\":1}", 0, NULL);

	name_tenant(out, good);
	name_tenant(out, bad);
	cr_expect_eq(json_array_size(out), 1);
	json_decref(good);
	json_decref(bad);
	json_decref(out);
}
