/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "worker/claims.c"

static json_t *json;
static struct claims_tenants got;

static void claims(const char *text)
{
	json_error_t error;

	json_decref(json);
	json = json_loads(text, 0, &error);
	cr_assert_not_null(json, "%s: %s", text, error.text);
}

static const struct conf_lists no_map;

/* The tenants, each followed by a blank. */
static const char *tenants_of(const char *text, const char *claim, const struct conf_lists *map)
{
	static char out[8192];
	size_t n = 0;

	claims(text);
	claims_tenants(json, claim, map, &got);
	out[0] = '\0';
	for (unsigned i = 0; i < got.n; i++)
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%s ", got.v[i]);
	return out;
}

static void closes(void)
{
	json_decref(json);
}
TestSuite(claims, .fini = closes);

/* B12 */
Test(claims, the_email_is_the_first_text_in_order)
{
	claims("{\"unique_name\":\"f\",\"upn\":\"e\",\"preferred_username\":\"d\","
	       "\"https://micromegas.io/"
	       "email\":\"c\",\"email\":\"b\",\"verified_primary_email\":\"a\"}");
	cr_assert_str_eq(claims_email(json), "a");
	claims("{\"unique_name\":\"f\",\"upn\":\"e\",\"preferred_username\":\"d\","
	       "\"https://micromegas.io/email\":\"c\",\"email\":\"\"}");
	cr_assert_str_eq(claims_email(json), "c");
	claims("{\"unique_name\":\"f\",\"upn\":\"e\",\"email\":[\"x\"]}");
	cr_assert_str_eq(claims_email(json), "e");
	claims("{\"unique_name\":\"f\"}");
	cr_assert_str_eq(claims_email(json), "f");
	claims("{\"mail\":\"f\"}");
	cr_assert_null(claims_email(json));
}

/* D18 */
Test(claims, tenants_are_a_text_or_an_array_of_texts)
{
	cr_assert_str_eq(tenants_of("{\"t\":\"acme\"}", "t", &no_map), "acme ");
	cr_assert_str_eq(tenants_of("{\"t\":[\"a\",\"b\",\"a\",7,null,\"\"]}", "t", &no_map),
	                 "a b ");
	cr_assert_str_eq(tenants_of("{\"t\":7}", "t", &no_map), "");
	cr_assert_str_eq(tenants_of("{\"t\":{\"a\":\"b\"}}", "t", &no_map), "");
	cr_assert_str_eq(tenants_of("{\"t\":\"acme\"}", "", &no_map), "");
	cr_assert_str_eq(tenants_of("{\"t\":\"acme\"}", "u", &no_map), "");
}

Test(claims, a_dotted_name_leads_into_maps_unless_it_is_a_member_itself)
{
	cr_assert_str_eq(tenants_of("{\"a\":{\"b\":{\"c\":\"x\"}}}", "a.b.c", &no_map), "x ");
	cr_assert_str_eq(tenants_of("{\"a\":{\"b\":\"x\"}}", "a.b.c", &no_map), "");
	cr_assert_str_eq(tenants_of("{\"a\":[\"b\"]}", "a.b", &no_map), "");
	cr_assert_str_eq(tenants_of("{\"https://x.io/t\":\"y\"}", "https://x.io/t", &no_map), "y ");
	cr_assert_str_eq(tenants_of("{\"a\":\"x\"}", "a..", &no_map), "");
}

Test(claims, a_map_gives_tenants_and_what_it_lacks_gives_none)
{
	static const char *a[] = { "acme", "acme-test" }, *b[] = { "acme" };
	static struct conf_keyed keyed[] = { { "team-a", { a, 2 } }, { "team-b", { b, 1 } } };
	static const struct conf_lists map = { keyed, 2 };

	cr_assert_str_eq(tenants_of("{\"g\":[\"team-b\",\"x\",\"team-a\"]}", "g", &map),
	                 "acme acme-test ");
	cr_assert_str_eq(tenants_of("{\"g\":\"acme\"}", "g", &map), "");
	cr_assert_str_eq(tenants_of("{\"g\":\"TEAM-A\"}", "g", &map), "");
}

Test(claims, more_tenants_than_a_proof_holds_are_told)
{
	char text[8192] = "{\"t\":[\"x\"";
	size_t n = strlen(text);

	for (unsigned i = 1; i < PROOF_TENANTS_MAX; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, ",\"t%u\"", i);
	memcpy(text + n, "]}", 3);
	tenants_of(text, "t", &no_map);
	cr_assert_eq(got.n, PROOF_TENANTS_MAX);
	cr_assert_not(got.too_many);
	memcpy(text + n, ",\"y\"]}", 7);
	tenants_of(text, "t", &no_map);
	cr_assert(got.too_many);
}

Test(claims, scopes_become_a_set)
{
	static const char *some[] = { "traces:write", "opaque:write" },
			  *all[] = { "logs:write", "*" };

	cr_assert_eq(claims_scopes(&(struct conf_list){ some, 2 }),
	             1u << SIGNAL_TRACES | 1u << SIGNAL_OPAQUE);
	cr_assert_eq(claims_scopes(&(struct conf_list){ all, 2 }), SCOPE_ALL);
}
