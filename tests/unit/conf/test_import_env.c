/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/import_env.c"

#include "tests/unit/conf/load_helper.h"

TestSuite(import_env, .init = folder_new, .fini = folder_free);

static void variable(const char *name, const char *value)
{
	cr_assert_eq(setenv(name, value, 1), 0);
}

static const char *origin(const char *path)
{
	const struct origin *o = origin_find(report.origins, path);

	return o ? o->where : "default";
}

Test(import_env, nothing_is_imported_unless_the_file_says_so)
{
	variable("MICROMEGAS_API_KEYS", "broken");
	variable("MICROMEGAS_ADMINS", "[\"a\"]");
	variable("MOOSE_HTTP_SERVER_CONFIG__PORT", "broken");
	ASSERT_LOADS_WITH_SINK("");
	cr_assert_eq(conf->imported.n, 0);
	cr_assert_eq(conf->auth.admins.n, 0);
	cr_assert_str_eq(conf->auth.default_tenant, "");
	cr_assert_str_eq(conf->listeners.v[0].listen, "127.0.0.1:4318");
}

Test(import_env, known_variables_that_are_not_imported_are_one_warning)
{
	ASSERT_LOADS_WITH_SINK("");
	cr_assert_eq(report.warnings, 1, "%s", got); /* of the sink */
	variable("MICROMEGAS_API_KEYS", "[{\"key\":\"secret123\"}]");
	variable("MOOSE_JWT__SECRET", "x");
	variable("MICROMEGAS_OBJECT_STORE_URI", "s3://x");
	variable("MOOSE_ADMIN_TOKEN", "x");
	variable("MICROMEGAS_INGESTION_TOKEN", "x"); /* the client's */
	ASSERT_LOADS_WITH_SINK("");
	cr_assert_eq(report.warnings, 2, "%s", got);
	ASSERT_SAID("warning: not imported: ");
	ASSERT_SAID("MICROMEGAS_API_KEYS");
	ASSERT_SAID("MOOSE_JWT__SECRET");
	ASSERT_NOT_SAID("OBJECT_STORE");
	ASSERT_NOT_SAID("MOOSE_ADMIN");
	ASSERT_NOT_SAID("INGESTION_TOKEN");
	ASSERT_NOT_SAID("secret123");
	unsetenv("MOOSE_JWT__SECRET");
	ASSERT_LOADS_WITH_SINK("import_env: [moose]\n");
	ASSERT_SAID("not imported: MICROMEGAS_API_KEYS\n");
	variable("MICROMEGAS_API_KEYS", "");
	ASSERT_LOADS_WITH_SINK("");
	cr_assert_eq(report.warnings, 1, "empty is not set: %s", got);
}

Test(import_env, a_word_that_names_no_upstream_is_refused)
{
	ASSERT_ONE_ERROR("import_env: [micromega]\n",
	                 "2:14: error: 'micromega' is nothing that is imported\n");
	ASSERT_SAID("  help: allowed: micromegas, moose\n");
}

/* B24 */
Test(import_env, the_default_tenant_is_default_unless_somebody_says_otherwise)
{
	ASSERT_LOADS_WITH_SINK("import_env: [moose]\n");
	cr_assert_str_eq(conf->auth.default_tenant, "default");
	cr_assert_str_eq(origin("auth.default_tenant"), "import_env");
	ASSERT_LOADS_WITH_SINK("import_env: [moose]\nauth: {default_tenant: home}\n");
	cr_assert_str_eq(conf->auth.default_tenant, "home");
	cr_assert_str_eq(origin("auth.default_tenant"), "headgate.yaml:3");
	ASSERT_LOADS_WITH_SINK("import_env: [moose]\nauth: {default_tenant: \"\"}\n");
	cr_assert_str_eq(conf->auth.default_tenant, "");
}

Test(import_env, the_command_line_wins_over_a_file_that_wins_over_a_variable)
{
	variable("MICROMEGAS_AUTH_CACHE_TTL_SECONDS", "60");
	ASSERT_LOADS_WITH_SINK("import_env: [micromegas]\n");
	cr_assert_eq(conf->auth.cache_ttl, 60000);
	cr_assert_str_eq(origin("auth.cache_ttl"), "env MICROMEGAS_AUTH_CACHE_TTL_SECONDS");
	ASSERT_LOADS_WITH_SINK("import_env: [micromegas]\nauth: {cache_ttl: 2m}\n");
	cr_assert_eq(conf->auth.cache_ttl, 120000);
	set("auth.cache_ttl", "3m");
	ASSERT_LOADS_WITH_SINK("import_env: [micromegas]\nauth: {cache_ttl: 2m}\n");
	cr_assert_eq(conf->auth.cache_ttl, 180000);
	cr_assert_str_eq(origin("auth.cache_ttl"), "-o");
}

Test(import_env, each_upstream_has_its_listener_unless_the_file_has_one)
{
	ASSERT_LOADS_WITH_SINK("import_env: [moose, micromegas]\n");
	cr_assert_eq(conf->listeners.n, 2);
	cr_assert_str_eq(conf->listeners.v[0].name, "micromegas");
	cr_assert_str_eq(conf->listeners.v[0].listen, "127.0.0.1:8081");
	cr_assert_str_eq(conf->listeners.v[1].name, "moose");
	cr_assert_str_eq(conf->listeners.v[1].listen, "localhost:4000");
	cr_assert_eq(conf->listeners.v[1].dialect, LISTENER_MOOSE);
	variable("MICROMEGAS_INGESTION_LISTEN_ADDR", "[::1]:9");
	ASSERT_LOADS_WITH_SINK(
		"import_env: [micromegas]\nlisteners: [{listen: \"127.0.0.1:5\"}]\n");
	cr_assert_eq(conf->listeners.n, 1);
	cr_assert_str_eq(conf->listeners.v[0].listen, "127.0.0.1:5");
	set("listeners[0].listen", "127.0.0.1:6");
	ASSERT_LOADS_WITH_SINK("import_env: [micromegas]\n");
	cr_assert_str_eq(conf->listeners.v[0].listen, "127.0.0.1:6");
}

Test(import_env, what_t_prints_loads_again_and_prints_the_same)
{
	static char first[20000], whole[20000];
	struct buf b;

	variable("MICROMEGAS_SQL_CONNECTION_STRING", "postgres://u:pw4711@h/db");
	variable("MICROMEGAS_DEFAULT_AUDIENCE", "public");
	variable("MICROMEGAS_ADMINS", "[\"a@b\"]");
	variable("MICROMEGAS_OIDC_CONFIG",
	         "{\"issuers\":[{\"issuer\":\"https://i.example\",\"audience\":\"a\"}]}");
	variable("MOOSE_KAFKA_CONFIG__BROKER", "a:1,b:2");
	variable("MOOSE_KAFKA_CONFIG__SECURITY_PROTOCOL", "SASL_SSL");
	variable("MOOSE_KAFKA_CONFIG__SASL_MECHANISM", "PLAIN");
	variable("MOOSE_KAFKA_CONFIG__SASL_USERNAME", "u");
	variable("MOOSE_KAFKA_CONFIG__SASL_PASSWORD", "pw4712");
	ASSERT_LOADS("import_env: [micromegas, moose]\n");
	for (int round = 0; round < 2; round++) {
		buf_init_fixed(&b, whole, sizeof(whole) - 1);
		conf_dump(conf, NULL, CONF_DUMP_ALL, &b); /* without origins: they differ */
		whole[b.n] = '\0';
		cr_assert_null(strstr(whole, "pw4712"));
		if (round == 0)
			strcpy(first, whole);
		else
			cr_assert_str_eq(first, whole);
		buf_init_fixed(&b, whole, sizeof(whole) - 1);
		conf_dump(conf, &report, CONF_DUMP_ALL, &b);
		whole[b.n] = '\0';
		cr_assert_null(strstr(whole, "pw47"), "%s", whole);
		ASSERT_LOADS(whole);
		cr_assert_eq(conf->kafka.sasl.password_file.content.n, 6);
	}
}

Test(import_env, the_upstreams_of_which_a_variable_is_set_are_named)
{
	cr_assert_null(conf_upstreams_here()[0]);
	variable("MOOSE_INGEST_API_KEY", "x");
	cr_assert_str_eq(conf_upstreams_here()[0], "moose");
	cr_assert_null(conf_upstreams_here()[1]);
	variable("MICROMEGAS_INGESTION_ADMINS", "x");
	cr_assert_str_eq(conf_upstreams_here()[0], "micromegas");
	cr_assert_str_eq(conf_upstreams_here()[1], "moose");
}
