/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/dump.c"

#include "tests/unit/conf/load_helper.h"

static char dumped[65536];

TestSuite(dump, .init = folder_new, .fini = folder_free);

static const char *dump_as(enum conf_dump what)
{
	struct buf out;

	buf_init_fixed(&out, dumped, sizeof(dumped) - 1);
	conf_dump(conf, &report, what, &out);
	cr_assert_not(out.failed);
	dumped[out.n] = '\0';
	return dumped;
}

/* The same without the origins, which speak of another file the second time. */
static char *without_comments(const char *text)
{
	char *out = calloc(strlen(text) + 1, 1), *to = out;

	while (*text) {
		size_t line = strcspn(text, "\n");
		const char *comment = memmem(text, line, "  # ", 4);
		size_t kept = comment ? (size_t)(comment - text) : line;

		memcpy(to, text, kept);
		to[kept] = '\n';
		to += kept + 1;
		text += line + (text[line] == '\n');
	}
	return out;
}

/* A configuration that has everything. */
static void load_all(void)
{
	static char text[4000];

	put("c1", "C1");
	put("c2", "C2");
	put_mode("k1", "K1", 0600);
	put_mode("token", "0123456789abcdef\n", 0600);
	put_mode("secret", "geheim\n", 0600);
	put("name", "from-a-file\n");
	setenv("HG_TOPIC", "topic-of-env", 1);
	put("conf.d/20-kafka.yaml", "kafka:\n  client_id: a\n  compression: zstd\n");
	snprintf(text, sizeof(text),
	         "sink: kafka\n"
	         "admin: {listen: \"127.0.0.1:9318\", token_file: %s/token}\n"
	         "listeners:\n"
	         "  - {name: one, listen: \"[::]:4318\", max_connections: 10,\n"
	         "     allowed_origins: [\"https://app.example.com\", \"http://*.example.com\"],\n"
	         "     tls: [{cert_file: %s/c1, key_file: %s/k1, min_version: \"1.3\"}, "
	         "{cert_file: %s/c2, key_file: %s/k1}]}\n"
	         "  - {name: two, listen: \"fd:two\", dialect: gateway, tls: {cert_file: %s/c1, "
	         "key_file: %s/k1}}\n"
	         "tenants: {source: postgres, dsn: \"host=db password=${file:%s/secret}\"}\n"
	         "auth: {token_headers: [X-A, X-B], default_tenant: \"no\"}\n"
	         "protocols: {otlp: {logs_topic: \"${HG_TOPIC}\", traces_topic: "
	         "\"${file:%s/name}\"}}\n"
	         "routes:\n"
	         "  - {name: app-blobs, path: \"/b/$$/*\", protocol: opaque, topic: "
	         "\"${HG_TOPIC}-raw\", "
	         "listeners: [one, two], max_body: 3MiB, headers: all, topic_prefix: "
	         "\"{tenant}.\"}\n"
	         "  - {name: otlp_logs, json: separate, stamp_name: \"yes\"}\n"
	         "record: {topic_prefix: \"a.{tenant}.\"}\n"
	         "dead_letters: {enabled: true, per_tenant: 20/s}\nusage: {interval: 90s}\n"
	         "compat: {micromegas_quota_status: 429, micromegas_401_texts: current}\n"
	         "kafka:\n"
	         "  brokers: [a:1, \"[::1]:2\"]\n"
	         "  tls: {enabled: true}\n"
	         "  sasl: {mechanism: PLAIN, username: 'q\"u$$o\\te', password_file: %s/secret}\n"
	         "  properties: {retry.backoff.ms: 50, ssl.key.password: hunter2, "
	         "sasl.oauthbearer.client.secret: \"${file:%s/secret}\"}\n",
	         dir, dir, dir, dir, dir, dir, dir, dir, dir, dir, dir);
	set("limits.depth", "50");
	ASSERT_LOADS(text);
}

/* O4 */
Test(dump, it_loads_again_and_dumps_the_same)
{
	autofree char *first = NULL, *second = NULL, *bare_first = NULL, *bare_second = NULL;

	load_all();
	first = strdup(dump_as(CONF_DUMP_ALL));
	set_count = 0;
	remove(file_path("conf.d/20-kafka.yaml"));
	ASSERT_LOADS(first);
	second = strdup(dump_as(CONF_DUMP_ALL));
	bare_first = without_comments(first);
	bare_second = without_comments(second);
	cr_assert_str_eq(bare_first, bare_second);
	/* With the second text the origins stand still as well. */
	ASSERT_LOADS(second);
	cr_assert_str_eq(second, dump_as(CONF_DUMP_ALL));
}

/* O4 */
Test(dump, values_survive_the_way)
{
	autofree char *text = NULL;

	load_all();
	set_count = 0;
	text = strdup(dump_as(CONF_DUMP_ALL));
	remove(file_path("conf.d/20-kafka.yaml"));
	ASSERT_LOADS(text);
	cr_assert_str_eq(conf->kafka.sasl.username, "q\"u$o\\te");
	cr_assert_str_eq(conf->tenants.dsn, "host=db password=geheim");
	cr_assert_str_eq(conf->protocols.otlp.traces_topic, "from-a-file");
	cr_assert_str_eq(conf->protocols.otlp.logs_topic, "topic-of-env");
	cr_assert_str_eq(conf->auth.default_tenant, "no");
	cr_assert_eq(conf->listeners.v[0].dialect, LISTENER_NATIVE);
	cr_assert_eq(conf->listeners.v[1].dialect, LISTENER_GATEWAY);
	cr_assert_eq(conf->routes.n, 2);
	cr_assert_str_eq(conf->routes.v[0].path, "/b/$/*");
	cr_assert_str_eq(conf->routes.v[0].topic, "topic-of-env-raw");
	cr_assert_eq(conf->routes.v[0].listeners.n, 2);
	cr_assert_str_eq(conf->routes.v[0].listeners.v[1], "two");
	cr_assert_eq(conf->routes.v[0].max_body, 3 * MIB);
	cr_assert_eq(conf->routes.v[0].headers, 1 + HEADERS_ALL);
	cr_assert_eq(conf->routes.v[0].json, 0);
	cr_assert_eq(conf->routes.v[1].json, 1 + CONF_JSON_SEPARATE);
	cr_assert_str_eq(conf->routes.v[1].stamp_name, "yes");
	cr_assert_eq(conf->routes.v[1].listeners.n, 0);
	cr_assert_str_eq(conf->record.topic_prefix, "a.{tenant}.");
	cr_assert_eq(conf->dead_letters.per_tenant, 20);
	cr_assert_eq(conf->usage.interval, 90000);
	cr_assert_eq(conf->compat.micromegas_quota_status, QUOTA_429);
	cr_assert_eq(conf->compat.micromegas_401_texts, TEXTS_CURRENT);
	cr_assert_eq(conf->listeners.n, 3);
	cr_assert_eq(conf->listeners.v[0].tls.pairs.n, 2);
	cr_assert_eq(conf->listeners.v[0].tls.min_version, TLS_VERSION_1_3);
	cr_assert_eq(conf->listeners.v[0].allowed_origins.n, 2);
	cr_assert_str_eq(conf->listeners.v[0].allowed_origins.v[1], "http://*.example.com");
	cr_assert_eq(conf->listeners.v[1].allowed_origins.n, 0);
	cr_assert_eq(conf->listeners.v[1].tls.pairs.n, 1);
	cr_assert_eq(conf->limits.depth, 50);
	cr_assert_eq(conf->kafka.compression, COMPRESSION_ZSTD);
}

/* O4 */
Test(dump, each_line_has_its_origin)
{
	load_all();
	dump_as(CONF_DUMP_ALL);
	for (const char *line = dumped; *line; line += strcspn(line, "\n") + 1)
		cr_assert_not_null(memmem(line, strcspn(line, "\n"), "  # ", 4), "%.60s", line);
	cr_assert_not_null(strstr(dumped, "\n  compression: zstd  # conf.d/20-kafka.yaml:3\n"));
	cr_assert_not_null(strstr(dumped, "\n  depth: 50  # -o\n"));
	cr_assert_not_null(strstr(dumped, "\nsink: kafka  # headgate.yaml:1\n"));
	cr_assert_not_null(strstr(dumped, "\n  poll: 30s  # default\n"));
	cr_assert_not_null(strstr(dumped, "\n    - \"a:1\"  # headgate.yaml:19\n"));
}

/* O4 */
Test(dump, no_secret_is_in_it)
{
	load_all();
	dump_as(CONF_DUMP_ALL);
	cr_assert_null(strstr(dumped, "geheim"));
	cr_assert_null(strstr(dumped, "hunter2"));
	cr_assert_null(strstr(dumped, "0123456789abcdef"));
	cr_assert_not_null(strstr(dumped, "ssl.key.password: '<redacted>'"));
	cr_assert_not_null(strstr(dumped, "dsn: \"host=db password=${file:"));
	cr_assert_not_null(strstr(dumped, "sasl.oauthbearer.client.secret: \"${file:"));
	cr_assert_not_null(strstr(dumped, "retry.backoff.ms: \"50\""));
}

Test(dump, a_connection_string_is_secret_where_it_stands_in_clear)
{
	char text[300];

	put_mode("dsn", "host=db password=geheim\n", 0600);
	ASSERT_LOADS_WITH_SINK("tenants: {source: postgres, dsn: \"host=db user=u\"}\n");
	cr_assert_not_null(
		strstr(dump_as(CONF_DUMP_ALL), "\n  dsn: '<redacted>'  # headgate.yaml:2\n"));
	snprintf(text, sizeof(text), "tenants: {source: postgres, dsn_file: %s}\n",
	         file_path("dsn"));
	ASSERT_LOADS_WITH_SINK(text);
	cr_assert_not_null(strstr(dump_as(CONF_DUMP_ALL), "\n  dsn: \"\"  # default\n"));
	cr_assert_null(strstr(dumped, "geheim"));
}

/* tenants.query is the one text that has lines. */
Test(dump, a_query_of_several_lines_comes_back)
{
	static const char query[] = "SELECT \"a\" AS tenant_id,\n  '$x' AS hash -- all\nFROM t\n";

	ASSERT_LOADS_WITH_SINK("tenants:\n  query: |\n    SELECT \"a\" AS tenant_id,\n"
	                       "      '$$x' AS hash -- all\n    FROM t\n");
	cr_assert_str_eq(conf->tenants.query, query);
	dump_as(CONF_DUMP_ALL);
	ASSERT_LOADS(dumped);
	cr_assert_str_eq(conf->tenants.query, query);
}

/* O4: nothing but what this version demands. */
Test(dump, the_difference_of_an_empty_file_is_nothing)
{
	set("sink", "discard");
	ASSERT_LOADS("");
	cr_assert_str_eq(dump_as(CONF_DUMP_DIFF), "sink: discard  # -o\n");
}

Test(dump, the_difference_has_what_differs_with_its_maps)
{
	ASSERT_LOADS(
		"sink: discard\nkafka: {tls: {enabled: true}, linger: 1ms}\nlimits: {depth: 50}\n"
		"listeners: [{listen: 127.0.0.1:1}]\n");
	cr_assert_str_eq(dump_as(CONF_DUMP_DIFF),
	                 "listeners:  # headgate.yaml:4\n"
	                 "  - name: \"public\"  # default\n"
	                 "    listen: \"127.0.0.1:1\"  # headgate.yaml:4\n"
	                 "    dialect: native  # default\n"
	                 "    allowed_origins: []  # default\n"
	                 "    trusted_proxies: []  # default\n"
	                 "    max_connections: 65536  # default\n"
	                 "    max_connections_per_source: 4096  # default\n"
	                 "sink: discard  # headgate.yaml:1\n"
	                 "kafka:  # headgate.yaml:2\n"
	                 "  tls:  # headgate.yaml:2\n"
	                 "    enabled: true  # headgate.yaml:2\n"
	                 "limits:  # headgate.yaml:3\n"
	                 "  depth: 50  # headgate.yaml:3\n");
}

Test(dump, the_default_tree_loads)
{
	ASSERT_LOADS_WITH_SINK("limits: {depth: 50}\n");
	dump_as(CONF_DUMP_DEFAULTS);
	cr_assert_null(strstr(dumped, "headgate.yaml:"));
	cr_assert_not_null(strstr(dumped, "\n  depth: 64  # default\n"));
	ASSERT_LOADS(dumped);
}

/* ---- conf_diff ---- */

static const char *diff_of(const char *before, const char *after, unsigned lines)
{
	struct conf *old;
	struct buf out;

	ASSERT_LOADS_WITH_SINK(before);
	old = conf;
	conf = NULL;
	ASSERT_LOADS_WITH_SINK(after);
	buf_init_fixed(&out, dumped, sizeof(dumped) - 1);
	cr_assert_eq(conf_diff(old, conf, &report, &out), lines);
	dumped[out.n] = '\0';
	conf_free(old);
	return dumped;
}

Test(dump, a_reload_tells_what_changed)
{
	cr_assert_str_eq(diff_of("", "", 0), "");
	cr_assert_str_eq(diff_of("limits: {depth: 50}\n", "limits: {max_tenants: 5}\n", 2),
	                 "limits.max_tenants: 65536 -> 5 (needs a restart)  # "
	                 "headgate.yaml:2\nlimits.depth: 50 -> 64  # default\n");
	cr_assert_str_eq(
		diff_of("", "auth: {token_headers: [X-A, X-B]}\n", 1),
		"auth.token_headers: X-Obstack-Auth-Token -> X-A,X-B  # headgate.yaml:2\n");
	cr_assert_str_eq(diff_of("", "listeners: [{listen: 127.0.0.1:1}]\n", 1),
	                 "listeners[0].listen: 127.0.0.1:4318 -> 127.0.0.1:1 (needs a restart)  # "
	                 "headgate.yaml:2\n");
	cr_assert_str_eq(
		diff_of("",
	                "listeners: [{listen: 127.0.0.1:4318}, {name: b, listen: 127.0.0.1:2}]\n",
	                1),
		"listeners: 1 -> 2  # headgate.yaml:2\n");
}

Test(dump, a_reload_tells_what_changed_in_routes)
{
	cr_assert_str_eq(diff_of("routes: [{name: loki, topic: t}]\n",
	                         "routes: [{name: loki, topic: u, listeners: [public]}]\n", 2),
	                 "routes[0].topic: t -> u  # headgate.yaml:2\n"
	                 "routes[0].listeners:  -> public  # headgate.yaml:2\n");
	cr_assert_str_eq(diff_of("", "routes: [{name: loki, topic: u}]\n", 1),
	                 "routes: 0 -> 1  # headgate.yaml:2\n");
	cr_assert_str_eq(diff_of("routes: [{name: loki, topic: u}]\n", "", 1),
	                 "routes: 1 -> 0  # default\n");
	cr_assert_str_eq(diff_of("", "listeners: [{dialect: moose}]\nusage: {enabled: true}\n", 2),
	                 "listeners[0].dialect: native -> moose  # headgate.yaml:2\n"
	                 "usage.enabled: false -> true  # headgate.yaml:3\n");
}

/* A model is live: a reload reads the folder again. */
Test(dump, a_folder_with_a_new_model_changed)
{
	static const char before[] = "{\"name\":\"a\",\"columns\":[{\"name\":\"x\",\"data_type\":"
				     "\"String\",\"required\":true}]}";
	char text[300];
	struct conf *old;
	struct buf out;

	put("a.json", before);
	snprintf(text, sizeof(text), "protocols: {models: {dir: %s}}\n", dir);
	ASSERT_LOADS_WITH_SINK(text);
	old = conf;
	conf = NULL;
	cr_assert_eq(remove(file_path("a.json")), 0);
	put("b.json", before);
	ASSERT_LOADS_WITH_SINK(text);
	buf_init_fixed(&out, dumped, sizeof(dumped) - 1);
	cr_assert_eq(conf_diff(old, conf, &report, &out), 1);
	cr_assert(bytes_eq(buf_view(&out),
	                   BYTES("protocols.models.dir: changed  # headgate.yaml:2\n")));
	conf_free(conf);
	conf = NULL;
	ASSERT_LOADS_WITH_SINK("protocols: {models: {dir: \"\"}}\n");
	buf_reset(&out);
	cr_assert_eq(conf_diff(old, conf, &report, &out), 1);
	dumped[out.n] = '\0';
	cr_assert_not_null(strstr(dumped, " ->   # headgate.yaml:2\n"), "%s", dumped);
	conf_free(old);
}

Test(dump, secrets_only_changed)
{
	cr_assert_str_eq(diff_of("tenants: {dsn: host=a}\n", "tenants: {dsn: host=b}\n", 1),
	                 "tenants.dsn: changed  # headgate.yaml:2\n");
	cr_assert_str_eq(diff_of("kafka: {properties: {debug: broker}}\n", "", 1),
	                 "kafka.properties: changed  # default\n");
}

Test(dump, what_a_file_gave_is_not_told_by_a_reload)
{
	char text[700];

	put_mode("id", "hunter2\n", 0600);
	snprintf(text, sizeof(text),
	         "kafka: {client_id: \"${file:%s}\"}\nauth: {token_headers: [\"X-${file:%s}\"]}\n",
	         file_path("id"), file_path("id"));
	diff_of("", text, 2);
	cr_assert_null(strstr(dumped, "hunter2"), "%s", dumped);
	cr_assert(strstr(dumped, "kafka.client_id: changed  # "), "%s", dumped);
}

Test(dump, a_file_with_new_content_changed)
{
	char text[300];
	struct conf *old;
	struct buf out;

	put("ca", "A");
	snprintf(text, sizeof(text), "kafka: {tls: {enabled: true, ca_file: %s}}\n",
	         file_path("ca"));
	ASSERT_LOADS_WITH_SINK(text);
	old = conf;
	conf = NULL;
	put("ca", "B");
	ASSERT_LOADS_WITH_SINK(text);
	buf_init_fixed(&out, dumped, sizeof(dumped) - 1);
	cr_assert_eq(conf_diff(old, conf, &report, &out), 1);
	cr_assert(
		bytes_eq(buf_view(&out), BYTES("kafka.tls.ca_file: changed  # headgate.yaml:2\n")));
	conf_free(old);
}
