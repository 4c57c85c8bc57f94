/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/import_micromegas.c"

#include "tests/unit/conf/load_helper.h"

TestSuite(import_micromegas, .init = folder_new, .fini = folder_free);

static const char *origin(const char *path)
{
	const struct origin *o = origin_find(report.origins, path);

	return o ? o->where : "default";
}

#define ASSERT_IMPORTS(more) ASSERT_LOADS_WITH_SINK("import_env: [micromegas]\n" more)
/* One error, which names the variable and does not show its value. */
#define ASSERT_REFUSED(name, value, why)                                                           \
	do {                                                                                       \
		cr_assert_eq(setenv("MICROMEGAS_" name, value, 1), 0);                             \
		ASSERT_ONE_ERROR("import_env: [micromegas]\n",                                     \
		                 "env MICROMEGAS_" name ": error: " why);                          \
		ASSERT_NOT_SAID("4711");                                                           \
		unsetenv("MICROMEGAS_" name);                                                      \
	} while (0)

Test(import_micromegas, its_paths_and_its_grace_period_come_with_it)
{
	ASSERT_IMPORTS("");
	cr_assert(conf->protocols.micromegas.enabled);
	cr_assert_eq(conf->http.drain_timeout, 25000);
	ASSERT_IMPORTS("protocols: {micromegas: {enabled: false}}\nhttp: {drain_timeout: 7s}\n");
	cr_assert_not(conf->protocols.micromegas.enabled);
	cr_assert_eq(conf->http.drain_timeout, 7000);
}

Test(import_micromegas, the_variable_of_the_service_wins_over_the_common_one)
{
	setenv("MICROMEGAS_AUTH_CACHE_TTL_SECONDS", "60", 1);
	setenv("MICROMEGAS_INGESTION_AUTH_CACHE_TTL_SECONDS", "", 1);
	ASSERT_IMPORTS("");
	cr_assert_eq(conf->auth.cache_ttl, 60000, "empty is not set");
	setenv("MICROMEGAS_INGESTION_AUTH_CACHE_TTL_SECONDS", "70", 1);
	ASSERT_IMPORTS("");
	cr_assert_eq(conf->auth.cache_ttl, 70000);
	cr_assert_str_eq(origin("auth.cache_ttl"),
	                 "env MICROMEGAS_INGESTION_AUTH_CACHE_TTL_SECONDS");
}

/* B24 */
Test(import_micromegas, the_default_tenant_is_the_audience_of_keys_or_of_all)
{
	setenv("MICROMEGAS_DEFAULT_AUDIENCE", " public\t", 1);
	ASSERT_IMPORTS("");
	cr_assert_str_eq(conf->auth.default_tenant, "public");
	setenv("MICROMEGAS_DEFAULT_KEY_AUDIENCE", "keys", 1);
	ASSERT_IMPORTS("");
	cr_assert_str_eq(conf->auth.default_tenant, "keys");
	cr_assert_str_eq(origin("auth.default_tenant"), "env MICROMEGAS_DEFAULT_KEY_AUDIENCE");
	ASSERT_REFUSED("DEFAULT_KEY_AUDIENCE", "a/4711", "it is no tenant id\n");
	ASSERT_REFUSED("DEFAULT_KEY_AUDIENCE", "  ", "it is no tenant id\n");
}

Test(import_micromegas, the_listen_address_is_taken)
{
	setenv("MICROMEGAS_INGESTION_LISTEN_ADDR", "0.0.0.0:8082", 1);
	ASSERT_IMPORTS("");
	cr_assert_str_eq(conf->listeners.v[0].listen, "0.0.0.0:8082");
	cr_assert_str_eq(origin("listeners[0].listen"), "env MICROMEGAS_INGESTION_LISTEN_ADDR");
	ASSERT_REFUSED("INGESTION_LISTEN_ADDR", "host-4711", "an address is HOST:PORT");
}

Test(import_micromegas, seconds_are_digits_within_bounds)
{
	setenv("MICROMEGAS_SHUTDOWN_GRACE_PERIOD_SECONDS", "30", 1);
	ASSERT_IMPORTS("");
	cr_assert_eq(conf->http.drain_timeout, 30000);
	setenv("MICROMEGAS_SHUTDOWN_GRACE_PERIOD_SECONDS", "1", 1);
	ASSERT_IMPORTS("");
	cr_assert_eq(conf->http.drain_timeout, 1000);
	ASSERT_REFUSED("SHUTDOWN_GRACE_PERIOD_SECONDS", "31",
	               "it is no number of seconds up to 30\n");
	ASSERT_REFUSED("SHUTDOWN_GRACE_PERIOD_SECONDS", "0",
	               "it cannot be 'http.drain_timeout': it is out of range\n");
	ASSERT_REFUSED("SHUTDOWN_GRACE_PERIOD_SECONDS", "25s", "it is no number of seconds");
	ASSERT_REFUSED("AUTH_CACHE_TTL_SECONDS", "-4711", "it is no number of seconds");
	ASSERT_REFUSED("AUTH_CACHE_TTL_SECONDS", "864001",
	               "it cannot be 'auth.cache_ttl': it is out of range\n");
}

Test(import_micromegas, admins_are_joined_with_those_of_the_file)
{
	setenv("MICROMEGAS_ADMINS", "[\"a@b\", \"c\"]", 1);
	ASSERT_IMPORTS("auth: {admins: [root]}\n");
	cr_assert_eq(conf->auth.admins.n, 3);
	cr_assert_str_eq(conf->auth.admins.v[0], "root");
	cr_assert_str_eq(conf->auth.admins.v[2], "c");
	cr_assert_str_eq(origin("auth.admins[0]"), "headgate.yaml:3");
	cr_assert_str_eq(origin("auth.admins[2]"), "env MICROMEGAS_ADMINS");
	ASSERT_REFUSED("ADMINS", "4711, 4711", "it is no JSON: line 1, column ");
	ASSERT_REFUSED("ADMINS", "{\"a\":\"4711\"}", "it is no JSON array\n");
	ASSERT_REFUSED("ADMINS", "[4711]", "[0] is no text\n");
	ASSERT_REFUSED("ADMINS", "[\"\"]", "it cannot be 'auth.admins[0]': an item is empty\n");
}

Test(import_micromegas, issuers_are_entries_behind_those_of_the_file)
{
	setenv("MICROMEGAS_OIDC_CONFIG",
	       "{\"issuers\":[{\"issuer\":\"https://i.example/\",\"audience\":\"a\"},"
	       "{\"issuer\":\"https://i.example/\",\"audience\":\"b\",\"more\":1}],"
	       "\"jwks_refresh_interval_secs\":7200,\"token_cache_size\":5,"
	       "\"token_cache_ttl_secs\":60}",
	       1);
	ASSERT_IMPORTS("auth: {jwt: [{name: own, issuer: \"https://own.example\", "
	               "audiences: [x]}]}\n");
	cr_assert_eq(conf->auth.jwt.n, 3);
	cr_assert_str_eq(conf->auth.jwt.v[0].name, "own");
	cr_assert_str_eq(conf->auth.jwt.v[1].name, "micromegas-1");
	cr_assert_str_eq(conf->auth.jwt.v[2].issuer, "https://i.example/");
	cr_assert_str_eq(conf->auth.jwt.v[2].audiences.v[0], "b");
	cr_assert_eq(conf->auth.jwt.v[2].leeway, 0);
	cr_assert_str_eq(conf->auth.jwt.v[2].algorithms.v[0], "RS256");
	cr_assert_eq(conf->auth.jwks.refresh, 7200000);
	cr_assert_eq(conf->auth.cache_entries, 5);
	cr_assert_eq(conf->auth.cache_ttl, 60000);
	setenv("MICROMEGAS_AUTH_CACHE_TTL_SECONDS", "61", 1);
	ASSERT_IMPORTS("auth: {jwt: [{name: micromegas-2, issuer: \"https://own.example\", "
	               "audiences: [x]}]}\n");
	cr_assert_eq(conf->auth.cache_ttl, 61000);
	cr_assert_eq(conf->auth.jwt.n, 2, "that of the file stands");
}

Test(import_micromegas, issuers_that_are_none_stop_the_start)
{
	ASSERT_REFUSED("OIDC_CONFIG", "{4711", "it is no JSON: line 1, column ");
	ASSERT_REFUSED("OIDC_CONFIG", "{}", "'issuers' is no list with an issuer\n");
	ASSERT_REFUSED("OIDC_CONFIG", "{\"issuers\":[]}", "'issuers' is no list with an issuer\n");
	ASSERT_REFUSED("OIDC_CONFIG", "{\"issuers\":[{\"issuer\":\"4711\"}]}",
	               "issuers[0]: 'issuer' or 'audience' is no text\n");
	ASSERT_REFUSED("OIDC_CONFIG",
	               "{\"issuers\":[{\"issuer\":\"https://a\",\"audience\":\"b\"}],"
	               "\"token_cache_size\":\"4711\"}",
	               "'token_cache_size' is no number\n");
	ASSERT_REFUSED("OIDC_CONFIG",
	               "{\"issuers\":[{\"issuer\":\"https://a\",\"audience\":\"b\"}],"
	               "\"token_cache_size\":0}",
	               "it cannot be 'auth.cache_entries': it is out of range\n");
}

Test(import_micromegas, more_issuers_than_may_be_stop_the_start)
{
	static char text[8192] = "{\"issuers\":[";

	for (unsigned i = 0; i < 64; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
		         "%s{\"issuer\":\"https://i%u.example\",\"audience\":\"a\"}", i ? "," : "", i);
	strcat(text, "]}");
	setenv("MICROMEGAS_OIDC_CONFIG", text, 1);
	ASSERT_IMPORTS("");
	cr_assert_eq(conf->auth.jwt.n, 64);
	ASSERT_ONE_ERROR("import_env: [micromegas]\n"
	                 "auth: {jwt: [{name: own, issuer: \"https://own.example\", audiences: [x]}]}\n",
	                 "env MICROMEGAS_OIDC_CONFIG: error: there are more than 64 auth.jwt\n");
}

Test(import_micromegas, the_database_is_read_by_the_query_of_its_table)
{
	setenv("MICROMEGAS_SQL_CONNECTION_STRING", "postgres://u:pw4711@h/db", 1);
	ASSERT_IMPORTS("");
	cr_assert_eq(conf->tenants.source, TENANTS_POSTGRES);
	cr_assert_str_eq(conf->tenants.dsn, "postgres://u:pw4711@h/db");
	cr_assert(strstr(conf->tenants.query, "FROM ingestion_api_keys"));
	cr_assert(conf->imported_table);
	ASSERT_IMPORTS("tenants: {query: SELECT 1}\n");
	cr_assert_str_eq(conf->tenants.query, "SELECT 1");
	cr_assert_not(conf->imported_table);
}

Test(import_micromegas, a_database_that_the_file_names_stays)
{
	setenv("MICROMEGAS_SQL_CONNECTION_STRING", "postgres://u:pw4711@h/db", 1);
	ASSERT_IMPORTS("tenants: {source: file}\n");
	cr_assert_eq(conf->tenants.source, TENANTS_FILE);
	cr_assert_str_eq(conf->tenants.dsn, "");
	cr_assert_str_eq(conf->tenants.query, "");
	ASSERT_IMPORTS("tenants: {source: postgres, dsn: service=x}\n");
	cr_assert_str_eq(conf->tenants.dsn, "service=x");
	cr_assert_str_eq(conf->tenants.query, "", "that database has the schema headgate");
	put_mode("dsn", "service=y\n", 0600);
	setenv("HG_DIR", dir, 1);
	ASSERT_IMPORTS("tenants: {source: postgres, dsn_file: \"${HG_DIR}/dsn\"}\n");
	cr_assert_str_eq(conf->tenants.dsn, "service=y");
	cr_assert_str_eq(conf->tenants.query, "");
}

Test(import_micromegas, what_has_no_effect_is_passed_over)
{
	setenv("MICROMEGAS_API_KEY_CACHE_TTL", "x", 1);
	setenv("MICROMEGAS_API_KEY_UNKNOWN_CACHE_SIZE", "x", 1);
	setenv("MICROMEGAS_OBJECT_STORE_URI", "x", 1);
	ASSERT_IMPORTS("");
	cr_assert_eq(report.warnings, 1, "%s", got); /* of the sink */
}
