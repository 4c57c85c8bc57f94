/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/import_moose.c"

#include "tests/unit/conf/load_helper.h"

TestSuite(import_moose, .init = folder_new, .fini = folder_free);

static const char *origin(const char *path)
{
	const struct origin *o = origin_find(report.origins, path);

	return o ? o->where : "default";
}

#define ASSERT_IMPORTS(more) ASSERT_LOADS("import_env: [moose]\n" more)
/* An error that names the variable and does not show its value. */
#define ASSERT_REFUSED(name, value, why)                                                           \
	do {                                                                                       \
		cr_assert_eq(setenv("MOOSE_" name, value, 1), 0);                                  \
		cr_assert_null(load_text("import_env: [moose]\n"), "taken");                       \
		ASSERT_SAID("env MOOSE_" name ": error: " why);                                    \
		ASSERT_NOT_SAID("4711");                                                           \
		unsetenv("MOOSE_" name);                                                           \
	} while (0)

Test(import_moose, host_and_port_make_the_address)
{
	setenv("MOOSE_HTTP_SERVER_CONFIG__HOST", "0.0.0.0", 1);
	ASSERT_IMPORTS("");
	cr_assert_str_eq(conf->listeners.v[0].listen, "0.0.0.0:4000");
	cr_assert_str_eq(origin("listeners[0].listen"), "env MOOSE_HTTP_SERVER_CONFIG__HOST");
	setenv("MOOSE_HTTP_SERVER_CONFIG__PORT", "4001", 1);
	setenv("MOOSE_HTTP_SERVER_CONFIG__HOST", "::1", 1);
	ASSERT_IMPORTS("");
	cr_assert_str_eq(conf->listeners.v[0].listen, "[::1]:4001");
	setenv("MOOSE_HTTP_SERVER_CONFIG__HOST", "[::1]", 1);
	ASSERT_IMPORTS("");
	cr_assert_str_eq(conf->listeners.v[0].listen, "[::1]:4001");
	ASSERT_REFUSED("HTTP_SERVER_CONFIG__PORT", "x4711", "a port is a number");
	ASSERT_REFUSED("HTTP_SERVER_CONFIG__HOST", "x4711", "a host is a numeric address");
}

Test(import_moose, the_path_prefix_may_have_slashes_or_not)
{
	static const char *const texts[] = { "a/b", "/a/b", "a/b/", "/a/b//" };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		setenv("MOOSE_HTTP_SERVER_CONFIG__PATH_PREFIX", texts[i], 1);
		ASSERT_IMPORTS("");
		cr_assert_str_eq(conf->protocols.models.path_prefix, "/a/b", "%s", texts[i]);
	}
	setenv("MOOSE_HTTP_SERVER_CONFIG__PATH_PREFIX", "/", 1);
	ASSERT_IMPORTS("");
	cr_assert_str_eq(conf->protocols.models.path_prefix, "");
	ASSERT_REFUSED("HTTP_SERVER_CONFIG__PATH_PREFIX", "a b4711", "");
}

Test(import_moose, the_largest_body_is_in_bytes)
{
	setenv("MOOSE_HTTP_SERVER_CONFIG__MAX_REQUEST_BODY_SIZE", "1024", 1);
	ASSERT_IMPORTS("");
	cr_assert_eq(conf->protocols.models.max_body, 1024);
	ASSERT_REFUSED("HTTP_SERVER_CONFIG__MAX_REQUEST_BODY_SIZE", "1023",
	               "it cannot be 'protocols.models.max_body': it is out of range\n");
	ASSERT_REFUSED("HTTP_SERVER_CONFIG__MAX_REQUEST_BODY_SIZE", "10MiB",
	               "it is no number of bytes\n");
}

Test(import_moose, brokers_mean_kafka)
{
	setenv("MOOSE_REDPANDA_CONFIG__BROKER", "a:9092, [::1]:2,", 1);
	setenv("MOOSE_REDPANDA_CONFIG__NAMESPACE", "ns", 1);
	ASSERT_IMPORTS("");
	cr_assert_eq(conf->sink, SINK_KAFKA);
	cr_assert_eq(conf->kafka.brokers.n, 2);
	cr_assert_str_eq(conf->kafka.brokers.v[1], "[::1]:2");
	cr_assert_str_eq(conf->protocols.models.namespace, "ns");
	ASSERT_IMPORTS("kafka: {brokers: [\"c:3\"]}\n");
	cr_assert_eq(conf->kafka.brokers.n, 1);
	ASSERT_IMPORTS("sink: local\n");
	cr_assert_eq(conf->sink, SINK_LOCAL);
	ASSERT_REFUSED("REDPANDA_CONFIG__BROKER", "a:b4711", "");
	ASSERT_REFUSED("REDPANDA_CONFIG__NAMESPACE", "a/4711", "");
}

Test(import_moose, the_two_names_of_a_kafka_variable_may_not_differ)
{
	setenv("MOOSE_REDPANDA_CONFIG__BROKER", "a:1", 1);
	setenv("MOOSE_KAFKA_CONFIG__BROKER", "a:1", 1);
	ASSERT_IMPORTS("");
	cr_assert_eq(conf->kafka.brokers.n, 1);
	ASSERT_REFUSED("KAFKA_CONFIG__BROKER", "b:4711",
	               "it differs from MOOSE_REDPANDA_CONFIG__BROKER: one of the two\n");
}

static void log_in(const char *protocol)
{
	setenv("MOOSE_KAFKA_CONFIG__BROKER", "a:1", 1);
	setenv("MOOSE_KAFKA_CONFIG__SASL_MECHANISM", "SCRAM-SHA-256", 1);
	setenv("MOOSE_KAFKA_CONFIG__SASL_USERNAME", "u", 1);
	setenv("MOOSE_KAFKA_CONFIG__SASL_PASSWORD", "pw4711", 1);
	setenv("MOOSE_KAFKA_CONFIG__SECURITY_PROTOCOL", protocol, 1);
}

Test(import_moose, a_login_is_taken_with_its_protocol)
{
	static const struct {
		const char *protocol;
		bool tls, sasl;
	} cases[] = { { "PLAINTEXT", false, false },
		      { "ssl", true, false },
		      { "SASL_PLAINTEXT", false, true },
		      { "SASL_SSL", true, true },
		      { "", false, true } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		log_in(cases[i].protocol);
		ASSERT_IMPORTS("");
		cr_assert_eq(conf->kafka.tls.enabled, cases[i].tls, "%s", cases[i].protocol);
		cr_assert_str_eq(conf->kafka.sasl.mechanism, cases[i].sasl ? "SCRAM-SHA-256" : "");
		cr_assert_eq(conf->kafka.sasl.password_file.content.n, cases[i].sasl ? 6 : 0);
		ASSERT_NOT_SAID("4711");
	}
	ASSERT_REFUSED("KAFKA_CONFIG__SECURITY_PROTOCOL", "TLS4711",
	               "it is no security protocol\n");
	log_in("SASL_SSL");
	unsetenv("MOOSE_KAFKA_CONFIG__SASL_PASSWORD");
	cr_assert_null(load_text("import_env: [moose]\n"));
	ASSERT_SAID("env MOOSE_KAFKA_CONFIG__SASL_MECHANISM: error: SCRAM-SHA-256 needs 'username' "
	            "and 'password_file'\n");
}

Test(import_moose, a_password_of_the_file_wins)
{
	static char text[400];

	log_in("SASL_SSL");
	put_mode("pw", "own\n", 0600);
	snprintf(text, sizeof(text),
	         "import_env: [moose]\nkafka: {sasl: {password_file: \"%s\"}}\n", file_path("pw"));
	ASSERT_LOADS(text);
	cr_assert_eq(conf->kafka.sasl.password_file.content.n, 3);
}

/* C3 */
Test(import_moose, a_hash_that_is_not_40_hex_digits_stops_the_start)
{
	setenv("MOOSE_INGEST_API_KEY", "445FD4696CFC5C49e28995c4aba05de44303a112", 1);
	ASSERT_IMPORTS("");
	cr_assert_eq(conf->imported.n, 1);
	cr_assert_str_eq(conf->imported.v[0].kind, "pbkdf2");
	cr_assert_eq(conf->imported.v[0].iterations, 1000);
	cr_assert_eq(conf->imported.v[0].hash.n, 20);
	cr_assert_eq(conf->imported.v[0].hash.p[0], 0x44);
	cr_assert_str_eq(conf->imported.v[0].tenant, "");
	ASSERT_REFUSED("INGEST_API_KEY", "445fd4696cfc5c49e28995c4aba05de44303a11",
	               "it is no hash of 40 hex digits\n");
	ASSERT_REFUSED("INGEST_API_KEY", "445fd4696cfc5c49e28995c4aba05de44303a1122",
	               "it is no hash");
	ASSERT_REFUSED("INGEST_API_KEY", "g45fd4696cfc5c49e28995c4aba05de44303a112",
	               "it is no hash");
}

/* A key made for this test alone; nobody has the private one. */
#define PEM(NL)                                                                                    \
	"-----BEGIN PUBLIC KEY-----" NL \
	"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAqlt4si79FuTycCOZBhOJ" NL \
	"JKNpt9c9eQ/tQAYj1QqcbhGfXaOE8j5OQVF9enQUWPvnPqrjKH25n0y6VkHxfkjK" NL \
	"RuocUlAt0Ani3n2/bppg2J0e/T+MqezMEIsYYHaOn7Ur0sIm9EEayLUg5al55LSg" NL \
	"cuOG5lgbM5NdXcihvwsGWItS/7CPvgTkrjwsVXRl9KoLnK5cLVCoeIBLfpl3p3jR" NL \
	"f24Anw/W9Rn84F6Y35B4hnVEEj7YqR1deYhD9W8s8O7j8FNF5ld+dgeTbJJ+KbKo" NL \
	"xcL0FMEmbUp4AYZuDrBS7fmAOOn20MhZCnL8MdCQ2JWuLh7M8UvnbTnb/OyWn9Gj" NL \
	"RQIDAQAB" NL \
	"-----END PUBLIC KEY-----" NL

static void jwt(const char *pem)
{
	setenv("MOOSE_JWT__SECRET", pem, 1);
	setenv("MOOSE_JWT__ISSUER", "https://issuer.example/", 1);
	setenv("MOOSE_JWT__AUDIENCE", "aud", 1);
}

Test(import_moose, a_jwt_is_an_entry_whose_key_is_the_variable)
{
	static const char *const pems[] = { PEM("\n"), PEM("\\n") };

	for (size_t i = 0; i < ARRAY_LEN(pems); i++) {
		jwt(pems[i]);
		ASSERT_IMPORTS("");
		cr_assert_eq(conf->auth.jwt.n, 1);
		cr_assert_str_eq(conf->auth.jwt.v[0].name, "moose");
		cr_assert_str_eq(conf->auth.jwt.v[0].issuer, "https://issuer.example/");
		cr_assert_str_eq(conf->auth.jwt.v[0].audiences.v[0], "aud");
		cr_assert_eq(conf->auth.jwt.v[0].leeway, 60000);
		cr_assert_str_eq(conf->auth.jwt.v[0].algorithms.v[0], "RS256");
		cr_assert(bytes_eq(conf->auth.jwt.v[0].public_key_file.content, BYTES(PEM("\n"))));
	}
	cr_assert_str_eq(origin("auth.jwt[0].public_key_file"), "env MOOSE_JWT__SECRET");
	ASSERT_REFUSED("JWT__SECRET", "s4711", "'auth.jwt[0].public_key_file' holds no public key");
	jwt(PEM("\n"));
	ASSERT_REFUSED("JWT__AUDIENCE", "any", "'any' is no item of a list");
}

Test(import_moose, a_jwt_in_parts_stops_the_start)
{
	jwt(PEM("\n"));
	unsetenv("MOOSE_JWT__AUDIENCE");
	cr_assert_null(load_text("import_env: [moose]\n"));
	ASSERT_SAID("env MOOSE_JWT__AUDIENCE: error: it is missing");
	unsetenv("MOOSE_JWT__ISSUER");
	unsetenv("MOOSE_JWT__SECRET");
	ASSERT_REFUSED("JWT__ENFORCE_ON_ALL_INGEST_APIS", "s4711",
	               "it cannot be 'compat.moose_enforce_jwt': ");
}

/* C5 */
Test(import_moose, a_jwt_that_is_not_enforced_leaves_the_door_open_without_a_key)
{
	jwt(PEM("\n"));
	ASSERT_IMPORTS("");
	cr_assert(conf->moose_is_open);
	setenv("MOOSE_INGEST_API_KEY", "445fd4696cfc5c49e28995c4aba05de44303a112", 1);
	ASSERT_IMPORTS("");
	cr_assert_not(conf->moose_is_open);
	unsetenv("MOOSE_INGEST_API_KEY");
	setenv("MOOSE_JWT__ENFORCE_ON_ALL_INGEST_APIS", "true", 1);
	ASSERT_IMPORTS("");
	cr_assert_not(conf->moose_is_open);
	cr_assert(conf->compat.moose_enforce_jwt);
}

Test(import_moose, an_entry_of_the_file_named_moose_stands_and_gets_the_key_that_it_lacks)
{
	jwt(PEM("\n"));
	ASSERT_IMPORTS("auth: {jwt: [{name: moose, issuer: \"https://own.example\", "
	               "audiences: [own], public_key_file: \"\"}]}\n");
	cr_assert_eq(conf->auth.jwt.n, 1);
	cr_assert_str_eq(conf->auth.jwt.v[0].issuer, "https://own.example");
	cr_assert(conf->auth.jwt.v[0].public_key_file.content.n);
	ASSERT_IMPORTS("auth: {jwt: [{name: moose, issuer: x, "
	               "audiences: [own], jwks_uri: \"https://own.example\"}]}\n");
	cr_assert_eq(conf->auth.jwt.v[0].public_key_file.content.n, 0);
}

Test(import_moose, what_has_no_effect_is_passed_over)
{
	setenv("MOOSE_KAFKA_CONFIG__MESSAGE_TIMEOUT_MS", "x", 1);
	setenv("MOOSE_CONSUMPTION_API_KEY", "x", 1);
	setenv("MOOSE_AUTHENTICATION__ADMIN_API_KEY", "x", 1);
	setenv("MOOSE_ADMIN_TOKEN", "x", 1);
	setenv("MOOSE_JWT__ENFORCE_ON_ALL_CONSUMPTIONS_APIS", "x", 1);
	ASSERT_IMPORTS("");
	cr_assert_eq(report.warnings, 0, "%s", got);
}
