/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/load_values.c"

#include "tests/unit/conf/load_helper.h"

TestSuite(load_values, .init = folder_new, .fini = folder_free);

Test(load_values, every_type_is_read)
{
	ASSERT_LOADS_WITH_SINK("workers: 3\nsandbox: false\ntenants: {poll: 5s, fresh_for: 1m}\n"
	                       "kafka: {linger: 500us, batch_bytes: 2MB, compression: zstd,\n"
	                       "  brokers: [\"a:1\", \"[::1]:2\"], client_id: \"x\",\n"
	                       "  properties: {retry.backoff.ms: 50, debug: \"\"}}\n"
	                       "http: {body_min_rate: 2KiB/s}\nlimits: {tenant_share: 50%}\n");
	cr_assert_eq(conf->workers, 3);
	cr_assert_not(conf->sandbox);
	cr_assert_eq(conf->tenants.poll, 5000);
	cr_assert_eq(conf->kafka.linger_us, 500);
	cr_assert_eq(conf->kafka.batch_bytes, 2000000);
	cr_assert_eq(conf->kafka.compression, COMPRESSION_ZSTD);
	cr_assert_eq(conf->kafka.brokers.n, 2);
	cr_assert_str_eq(conf->kafka.brokers.v[1], "[::1]:2");
	cr_assert_eq(conf->kafka.properties.n, 2);
	cr_assert_str_eq(conf->kafka.properties.v[0].key, "retry.backoff.ms");
	cr_assert_str_eq(conf->kafka.properties.v[0].value, "50");
	cr_assert_str_eq(conf->kafka.properties.v[1].value, "");
	cr_assert_eq(conf->http.body_min_rate, 2048);
	cr_assert_eq(conf->limits.tenant_share, 50);
	cr_assert_eq(conf->sink, SINK_DISCARD);
}

Test(load_values, a_wrong_kind_of_node_is_said)
{
	ASSERT_ONE_ERROR("workers: [1]\n",
	                 "2:10: error: 'workers' must be a single value, not a list\n");
	ASSERT_ONE_ERROR("kafka: {brokers: a}\n", "'brokers' must be a list, not a single value\n");
	ASSERT_ONE_ERROR("kafka: {brokers: [[a]]}\n",
	                 "a single value is expected here, not a list\n");
	ASSERT_ONE_ERROR("kafka: {properties: [a]}\n", "'properties' must be a map, not a list\n");
	ASSERT_ONE_ERROR("kafka: {properties: {debug: [a]}}\n",
	                 "'debug' must be a single value, not a list\n");
	ASSERT_ONE_ERROR("listeners: {name: a}\n", "'listeners' must be a list, not a map\n");
	ASSERT_ONE_ERROR("listeners: [a]\n", "a map is expected here, not a single value\n");
	ASSERT_ONE_ERROR("listeners: []\n", "'listeners' has no element\n");
	ASSERT_ONE_ERROR("routes: {name: a}\n", "'routes' must be a list, not a map\n");
	ASSERT_ONE_ERROR("routes: [[a]]\n", "a map is expected here, not a list\n");
	ASSERT_ONE_ERROR("routes: [{name: otlp_logs, listeners: public}]\n",
	                 "'listeners' must be a list, not a single value\n");
	ASSERT_ONE_ERROR("protocols: {models: {dir: [/a]}}\n",
	                 "'dir' must be a single value, not a list\n");
	ASSERT_ONE_ERROR("admin: {tls: x}\n", "'tls' must be a map, not a single value\n");
	ASSERT_ONE_ERROR("admin: {tls: [x]}\n", "a map is expected here, not a single value\n");
	ASSERT_ONE_ERROR("kafka: {client_id: }\n", "a text is expected here\n");
}

Test(load_values, a_wrong_word_gets_a_hint)
{
	ASSERT_ONE_ERROR("log: {level: inof}\n", "2:14: error: 'log.level' cannot be 'inof': there "
	                                         "is no such choice (did you mean 'info'?)\n");
	ASSERT_SAID("  help: allowed: err, warn, info, debug\n");
}

Test(load_values, a_list_replaces_its_default_and_may_be_empty)
{
	ASSERT_LOADS_WITH_SINK("auth: {token_headers: [X-A, X-B]}\n");
	cr_assert_eq(conf->auth.token_headers.n, 2);
	cr_assert_str_eq(conf->auth.token_headers.v[0], "X-A");
	ASSERT_LOADS_WITH_SINK("auth: {token_headers: []}\n");
	cr_assert_eq(conf->auth.token_headers.n, 0);
	ASSERT_ONE_ERROR("auth: {token_headers: [a, b, c, d, e, f, g, h, i]}\n",
	                 "there are too many items\n");
	ASSERT_ONE_ERROR("auth: {token_headers: [\"\"]}\n", "an item is empty\n");
}

Test(load_values, the_first_listener_takes_the_place_of_the_default)
{
	ASSERT_LOADS_WITH_SINK("");
	cr_assert_eq(conf->listeners.n, 1);
	cr_assert_str_eq(conf->listeners.v[0].name, "public");
	ASSERT_LOADS_WITH_SINK("listeners:\n  - {name: a, listen: \"127.0.0.1:1\"}\n"
	                       "  - {name: b, listen: \"[::1]:1\", max_connections: 5, "
	                       "max_connections_per_source: 2}\n");
	cr_assert_eq(conf->listeners.n, 2);
	cr_assert_str_eq(conf->listeners.v[0].name, "a");
	cr_assert_eq(conf->listeners.v[0].max_connections, 65536);
	cr_assert_eq(conf->listeners.v[1].max_connections, 5);
	cr_assert_eq(conf->listeners.v[1].max_connections_per_source, 2);
}

Test(load_values, listeners_are_bounded)
{
	char text[4000] = "listeners:\n";

	for (int i = 0; i < 16; i++)
		sprintf(text + strlen(text), "  - {name: n%d, listen: 127.0.0.1:%d}\n", i, i + 1);
	ASSERT_ONE_ERROR(text, "18:5: error: there are more than 15 listeners\n");
}

static const char *tls_text(const char *fmt)
{
	static char text[2000];

	put("c1", "C1");
	put("c2", "C2");
	put_mode("k1", "K1", 0600);
	put_mode("k2", "K2", 0600);
	snprintf(text, sizeof(text), fmt, dir, dir, dir, dir);
	return text;
}

Test(load_values, tls_is_a_map_or_a_list_of_maps)
{
	ASSERT_LOADS_WITH_SINK(tls_text(
		"listeners: [{tls: {cert_file: %s/c1, key_file: %s/k1, min_version: \"1.3\"}}]\n"));
	cr_assert_eq(conf->listeners.v[0].tls.pairs.n, 1);
	cr_assert_eq(conf->listeners.v[0].tls.min_version, TLS_VERSION_1_3);
	cr_assert(bytes_eq(conf->listeners.v[0].tls.pairs.v[0].key_file.content, BYTES("K1")));
	ASSERT_LOADS_WITH_SINK(
		tls_text("listeners:\n  - tls:\n    - {cert_file: %s/c1, key_file: %s/k1}\n"
	                 "    - {cert_file: %s/c2, key_file: %s/k2, min_version: \"1.3\"}\n"));
	cr_assert_eq(conf->listeners.v[0].tls.pairs.n, 2);
	cr_assert_eq(conf->listeners.v[0].tls.min_version, TLS_VERSION_1_3);
	cr_assert(bytes_eq(conf->listeners.v[0].tls.pairs.v[1].cert_file.content, BYTES("C2")));
}

Test(load_values, tls_of_admin_is_merged_over_files)
{
	put("conf.d/1.yaml", tls_text("admin: {tls: {key_file: %s/k1}}\n"));
	ASSERT_LOADS_WITH_SINK(
		tls_text("admin: {listen: \"127.0.0.1:9\", tls: {cert_file: %s/c1}}\n"));
	cr_assert_eq(conf->listeners.n, 2);
	cr_assert(conf->listeners.v[1].admin);
	cr_assert(bytes_eq(conf->listeners.v[1].tls.pairs.v[0].key_file.content, BYTES("K1")));
}

Test(load_values, maps_of_a_list_do_not_disagree)
{
	ASSERT_ONE_ERROR(
		tls_text("listeners:\n  - tls:\n    - {cert_file: %s/c1, key_file: %s/k1, "
	                 "min_version: \"1.2\"}\n"
	                 "    - {cert_file: %s/c2, key_file: %s/k2, min_version: \"1.3\"}\n"),
		"'listeners[0].tls[1].min_version' differs from that in line 4\n");
}

Test(load_values, an_unknown_key_of_tls_gets_its_list)
{
	ASSERT_ONE_ERROR(tls_text("listeners: [{tls: {cert_file: %s/c1, key_file: %s/k1, "
	                          "min_verison: x}}]\n"),
	                 "unknown key 'min_verison' (did you mean 'min_version'?)\n");
	ASSERT_SAID("  help: keys allowed here: cert_file, key_file, min_version\n");
}

Test(load_values, properties_of_several_files_are_merged)
{
	put("conf.d/1.yaml", "kafka: {properties: {debug: broker}}\n");
	ASSERT_LOADS_WITH_SINK("kafka: {properties: {retry.backoff.ms: 50}}\n");
	cr_assert_eq(conf->kafka.properties.n, 2);
	put("conf.d/1.yaml", "kafka: {properties: {retry.backoff.ms: 60}}\n");
	cr_assert_null(load_with_sink("kafka: {properties: {retry.backoff.ms: 50}}\n"));
	cr_assert_eq(report.errors, 1);
	ASSERT_SAID("conf.d/1.yaml:1:22: error: 'kafka.properties.retry.backoff.ms' is set twice: "
	            "first at headgate.yaml:2:40\n");
}

Test(load_values, properties_are_bounded)
{
	char text[8000] = "kafka:\n  properties:\n";

	for (int i = 0; i < 65; i++)
		sprintf(text + strlen(text), "    p%d: 1\n", i);
	ASSERT_ONE_ERROR(text, "68:5: error: 'kafka.properties' has more than 64 entries\n");
}

/* ---- -o ---- */

Test(load_values, a_set_wins_over_the_file)
{
	set("limits.depth", "50");
	set("limits.depth", "51");
	set("sink", "discard");
	set("listeners[0].listen", "127.0.0.1:0");
	set("listeners[0].dialect", "gateway");
	set("routes[1].topic", "u");
	set("usage.interval", "5s");
	ASSERT_LOADS("limits: {depth: 60}\n"
	             "routes: [{name: gateway_logs, topic: t}, {name: gateway_loki, topic: t}]\n");
	cr_assert_eq(conf->listeners.v[0].dialect, LISTENER_GATEWAY);
	cr_assert_str_eq(conf->routes.v[0].topic, "t");
	cr_assert_str_eq(conf->routes.v[1].topic, "u");
	cr_assert_eq(conf->usage.interval, 5000);
	cr_assert_eq(conf->limits.depth, 51);
	cr_assert_str_eq(conf->listeners.v[0].listen, "127.0.0.1:0");
}

Test(load_values, a_set_is_not_expanded)
{
	set("kafka.sasl.username", "$x");
	set("kafka.client_id", "${HOME}");
	cr_assert_null(load_with_sink(""));
	ASSERT_SAID("-o kafka.client_id: error: 'kafka.client_id' cannot be '${HOME}': it holds a "
	            "character");
}

/* O28 */
Test(load_values, a_secret_is_never_taken_from_the_command_line)
{
	static const char *const secrets[] = { "tenants.dsn", "kafka.properties",
		                               "kafka.properties.sasl.oauthbearer.client.secret",
		                               "kafka.sasl.password", "admin.token" };

	for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
		set_count = 0;
		set(secrets[i], "hunter2");
		cr_assert_null(load_with_sink(""));
		cr_assert(report.usage, "%s", secrets[i]);
		cr_assert_eq(report.errors, 1);
		ASSERT_SAID(": error: this may hold a secret: it is never taken from the command "
		            "line\n");
		ASSERT_NOT_SAID("hunter2");
	}
}

Test(load_values, the_path_of_a_secret_may_be_set)
{
	put_mode("t", "0123456789abcdef\n", 0600);
	put("c", "CERT");
	set("admin.token_file", strdup(file_path("t")));
	set("admin.tls.cert_file", strdup(file_path("c")));
	set("admin.tls.key_file", strdup(file_path("t")));
	set("listeners[0].tls.cert_file", sets[1].value);
	set("listeners[0].tls.key_file", sets[0].value);
	set("listeners[0].tls.min_version", "1.3");
	ASSERT_LOADS_WITH_SINK("");
	cr_assert_not(report.usage);
	cr_assert(bytes_eq(conf->admin.token_file.content, BYTES("0123456789abcdef")));
	cr_assert_eq(conf->listeners.v[0].tls.pairs.n, 1);
	cr_assert_eq(conf->listeners.v[0].tls.min_version, TLS_VERSION_1_3);
	cr_assert(bytes_eq(conf->admin.tls.pairs.v[0].cert_file.content, BYTES("CERT")));
	free((char *)sets[0].value);
	free((char *)sets[1].value);
	free((char *)sets[2].value);
}

Test(load_values, an_unknown_set_gets_a_hint_and_no_value)
{
	static const struct {
		const char *path, *said;
	} cases[] = {
		{ "limits.dpth", "-o limits.dpth: error: there is no such option (did you mean "
		                 "'limits.depth'?)\n" },
		{ "nonsense", "-o nonsense: error: there is no such option\n" },
		{ "kafka.brokers",
		  "-o kafka.brokers: error: this is no single value: set it in the file\n" },
		{ "listeners",
		  "-o listeners: error: this is no single value: set it in the file\n" },
		{ "listeners[1].listen", "-o listeners[1].listen: error: there is no such option" },
		{ "listeners[0].nme", "-o listeners[0].nme: error: there is no such option" },
		{ "listeners[0].tls.x", "-o listeners[0].tls.x: error: there is no such option" },
		{ "listeners[", "-o listeners[: error: there is no such option" },
		{ "routes[0].topic", "-o routes[0].topic: error: there is no such option" },
		{ "", "-o : error: there is no such option\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		set_count = 0;
		set(cases[i].path, "hunter2");
		cr_assert_null(load_with_sink(""), "%s", cases[i].path);
		cr_assert_eq(report.errors, 1, "%s: %s", cases[i].path, got);
		cr_assert_not(report.usage);
		ASSERT_SAID(cases[i].said);
		ASSERT_NOT_SAID("hunter2");
	}
}

Test(load_values, a_set_is_checked_as_a_value_of_the_file_is)
{
	set("limits.depth", "101");
	cr_assert_null(load_with_sink(""));
	ASSERT_SAID("-o limits.depth: error: 'limits.depth' cannot be '101': it is out of range\n  "
	            "help: allowed: 32..100\n");
	set_count = 0;
	set("sink", "file");
	cr_assert_null(load_text(""));
	ASSERT_SAID("-o sink: error: 'sink' cannot be 'file': there is no such choice\n");
	cr_assert_eq(report.errors, 1);
}
