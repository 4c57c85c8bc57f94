/* SPDX-License-Identifier: Apache-2.0 */
/* Every option of options.def stands here by its name: default, both ends of its range, and beyond.
 */
#include <criterion/criterion.h>

#include "conf/options.c"

enum { ROW_VALUES = 6 };
struct row {
	const char *path, *def; /* the default as the packed tree has it */
	const char *good[ROW_VALUES];
	const char *bad[ROW_VALUES];
};

static const struct row rows[] = {
	{ "workers", "auto", { "auto", "1", "256" }, { "0", "257", "-1", "all", "" } },
	{ "sandbox", "true", { "true", "false" }, { "yes", "on", "1", "" } },
	{ "listeners[].name", "public", { "a", "A-b_9" }, { "", "a b", "a.b", "\xc3\xa4" } },
	{ "listeners[].listen", "127.0.0.1:4318", { "[::]:1", "fd:public" }, { "", "a\nb" } },
	{ "listeners[].dialect",
	  "native",
	  { "native", "moose", "gateway" },
	  { "", "micromegas", "Native" } },
	{ "listeners[].allowed_origins",
	  "",
	  { "http://*.a-b.example:8080", "https://[::1]" },
	  { "", "a b", "a,b", "\xc3\xa4" } },
	{ "listeners[].trusted_proxies",
	  "",
	  { "10.0.0.0/8", "fd00::/8", "::1" },
	  { "", "10.0.0.0 /8", "proxy.example" } },
	{ "listeners[].max_connections", "65536", { "1", "1048576" }, { "0", "1048577" } },
	{ "listeners[].max_connections_per_source",
	  "4096",
	  { "1", "1048576" },
	  { "0", "1048577" } },
	{ "listeners[].tls.cert_file", "", { "", "/a/b.pem" }, { "b.pem", "./b" } },
	{ "listeners[].tls.key_file", "", { "", "/a/b.pem" }, { "b.pem" } },
	{ "listeners[].tls.min_version", "1.2", { "1.2", "1.3" }, { "1.1", "1", "" } },
	{ "admin.listen", "", { "", "/run/x", "127.0.0.1:9318" }, { "a\tb" } },
	{ "admin.token_file", "", { "", "/a" }, { "a" } },
	{ "control.socket", "/run/headgate/control.sock", { "/a" }, { "" } },
	{ "tenants.source", "file", { "file", "postgres" }, { "mysql", "", "File" } },
	{ "tenants.file", "/etc/headgate/tenants.yaml", { "/a", "" }, { "tenants.yaml" } },
	{ "tenants.dsn", "", { "", "service=headgate" }, { "a\nb" } },
	{ "tenants.dsn_file", "", { "", "/a" }, { "a" } },
	{ "tenants.query", "", { "", "SELECT 1\n\tFROM t" }, { "SELECT\r1", "SELECT\a1" } },
	{ "tenants.channel", "headgate", { "a", "bell_2" }, { "", "Bell", "a-b" } },
	{ "tenants.poll", "30s", { "1s", "1h" }, { "999ms", "3601s", "30", "0" } },
	{ "tenants.full_compare", "15m", { "1s", "7d" }, { "999ms", "8d", "15" } },
	{ "tenants.fresh_for", "35s", { "1s", "1d" }, { "0", "25h" } },
	{ "tenants.max_stale", "0", { "0", "365d" }, { "366d", "1" } },
	{ "auth.token_headers", "X-Obstack-Auth-Token", { "X-Token" }, { "", "a b", "a:b" } },
	{ "auth.default_tenant", "", { "", "acme", "a!b*'(c)" }, { "a b", "a/b" } },
	{ "protocols.otlp.enabled", "true", { "false" }, { "no" } },
	{ "protocols.otlp.traces_topic", "otlp_spans", { "a", "a.b_c-D9" }, { "", "a/b", "a b" } },
	{ "protocols.otlp.metrics_topic", "otlp_metrics", { "a" }, { "" } },
	{ "protocols.otlp.logs_topic", "otlp_logs", { "a" }, { "" } },
	{ "protocols.otlp.json", "transcode", { "transcode", "separate" }, { "", "keep" } },
	{ "protocols.otlp.utf8", "strict", { "strict", "repair" }, { "lax", "" } },
	{ "protocols.otlp.utf8_logs", "repair", { "strict", "repair" }, { "lax" } },
	{ "protocols.remote_write.enabled", "true", { "false" }, { "no" } },
	{ "protocols.remote_write.topic", "prom_write", { "a" }, { "" } },
	{ "protocols.remote_write.topic_v2", "prom_write_v2", { "a" }, { "" } },
	{ "protocols.loki.enabled", "true", { "false" }, { "no" } },
	{ "protocols.loki.topic", "loki_push", { "a" }, { "", "a/b" } },
	{ "protocols.loki.json", "transcode", { "transcode", "separate" }, { "", "keep" } },
	{ "protocols.loki.stamp", "label", { "label", "structured_metadata" }, { "labels", "" } },
	{ "protocols.loki.utf8", "repair", { "strict", "repair" }, { "lax" } },
	{ "protocols.obstack.enabled", "false", { "true" }, { "no" } },
	{ "protocols.obstack.topic", "telemetry-raw", { "a" }, { "" } },
	{ "protocols.models.enabled", "true", { "false" }, { "no" } },
	{ "protocols.models.dir", "/etc/headgate/models", { "", "/a" }, { "a", "./a" } },
	{ "protocols.models.max_body", "10MiB", { "1KiB", "1GiB" }, { "0", "1023B", "1025MiB" } },
	{ "protocols.models.namespace", "", { "", "ns", "a.b_c-D9" }, { "a/b", "{tenant}" } },
	{ "protocols.models.path_prefix", "", { "", "/a/b" }, { "/a\nb" } },
	{ "protocols.models.headers", "tenant", { "tenant", "standard", "all" }, { "none" } },
	{ "protocols.opaque.topic", "blobs", { "a" }, { "", "a/b" } },
	{ "protocols.opaque.record_max_bytes",
	  "102336KiB",
	  { "1KiB", "104923136B", "512MiB" },
	  { "0", "1023B", "513MiB" } },
	{ "protocols.micromegas.enabled", "false", { "true" }, { "no" } },
	{ "routes[].name", "", { "a", "A-b_9" }, { "", "a b", "a.b", "\xc3\xa4" } },
	{ "routes[].path", "", { "", "/a" }, { "/a\tb" } },
	{ "routes[].protocol", "", { "", "opaque", "otlp_logs" }, { "Opaque", "a-b" } },
	{ "routes[].topic", "", { "", "a.b_c-D9" }, { "a/b", "{tenant}" } },
	{ "routes[].listeners", "", { "public" }, { "", "a b" } },
	{ "routes[].max_body", "0", { "0", "1KiB", "1GiB" }, { "1025MiB", "1" } },
	{ "routes[].record_max_bytes", "0", { "0", "512MiB" }, { "513MiB", "1" } },
	{ "routes[].enrich", "inherit", { "inherit", "body", "header" }, { "both" } },
	{ "routes[].stamp_name", "", { "", "x.y-z_1" }, { "a b" } },
	{ "routes[].headers", "inherit", { "tenant", "standard", "all" }, { "none" } },
	{ "routes[].partition", "inherit", { "spread", "source" }, { "random" } },
	{ "routes[].topic_prefix", "", { "", "{tenant}.a-b_C9" }, { "a/b", "a b" } },
	{ "routes[].utf8", "inherit", { "strict", "repair" }, { "lax" } },
	{ "routes[].json", "inherit", { "transcode", "separate" }, { "keep" } },
	{ "routes[].scope", "", { "", "opaque" }, { "Logs", "a b" } },
	{ "record.enrich", "body", { "body", "header" }, { "both" } },
	{ "record.stamp_name", "tenant_id", { "a", "x.y-z_1" }, { "", "a b" } },
	{ "record.headers", "standard", { "tenant", "standard", "all" }, { "none" } },
	{ "record.max_bytes", "960KiB", { "1KiB", "104792064B" }, { "1023B", "104792065B", "1" } },
	{ "record.partition", "spread", { "spread", "source" }, { "random" } },
	{ "record.topic_prefix", "", { "", "{tenant}.a-b_C9" }, { "a/b", "a b" } },
	{ "dead_letters.enabled", "false", { "true" }, { "no" } },
	{ "dead_letters.topic", "headgate_dlq", { "a" }, { "", "a/b" } },
	{ "dead_letters.per_tenant",
	  "10/s",
	  { "1/s", "100000/s" },
	  { "0", "0/s", "100001/s", "10", "10B/s" } },
	{ "usage.enabled", "false", { "true" }, { "no" } },
	{ "usage.topic", "headgate_usage", { "a" }, { "", "a/b" } },
	{ "usage.interval", "1m", { "1s", "1h" }, { "999ms", "61m", "60" } },
	{ "sink", "local", { "local", "kafka", "discard" }, { "", "none", "file" } },
	{ "local.dir", "/var/lib/headgate/local", { "/a" }, { "", "a\nb" } },
	{ "local.max_bytes", "1GiB", { "1MiB", "1048576GiB" }, { "1023KiB", "1048577GiB" } },
	{ "local.max_age", "0", { "0", "30d", "3650d" }, { "3651d", "30" } },
	{ "local.min_free", "5%", { "0", "90%" }, { "91%", "5" } },
	{ "spool.enabled", "false", { "true" }, { "yes" } },
	{ "spool.dir", "/var/lib/headgate/spool", { "/s" }, { "" } },
	{ "spool.max_bytes", "1GiB", { "1MiB" }, { "1023KiB" } },
	{ "spool.tenant_share", "25%", { "1%", "100%" }, { "0", "101%" } },
	{ "spool.min_free", "5%", { "0", "90%" }, { "91%" } },
	{ "spool.max_age", "1d", { "0", "1s" }, { "1" } },
	{ "spool.replay_rate", "20MB/s", { "1MiB/s" }, { "1MB", "1B/s" } },
	{ "kafka.brokers", "", { "a:9092", "[::1]:9092" }, { "", "a,b", "a b" } },
	{ "kafka.client_id", "headgate", { "a" }, { "", "a b" } },
	{ "kafka.tls.enabled", "false", { "true" }, { "1" } },
	{ "kafka.tls.ca_file", "", { "", "/a" }, { "a" } },
	{ "kafka.tls.cert_file", "", { "", "/a" }, { "a" } },
	{ "kafka.tls.key_file", "", { "", "/a" }, { "a" } },
	{ "kafka.sasl.mechanism", "", { "", "PLAIN", "SCRAM-SHA-512" }, { "plain" } },
	{ "kafka.sasl.username", "", { "", "u" }, { "a\nb" } },
	{ "kafka.sasl.password_file", "", { "", "/a" }, { "a" } },
	{ "kafka.ack_deadline", "8s", { "3s", "2m" }, { "2999ms", "121s", "8" } },
	{ "kafka.linger", "1ms", { "0", "500us", "1s" }, { "1001ms", "5" } },
	{ "kafka.batch_bytes", "1MB", { "1kB", "100MB" }, { "999B", "101MB" } },
	{ "kafka.compression", "lz4", { "none", "lz4", "zstd", "gzip", "snappy" }, { "lzma" } },
	{ "kafka.metadata_refresh", "1m", { "1s", "1h" }, { "999ms", "61m" } },
	{ "limits.hosts", "1", { "1", "1000" }, { "0", "1001" } },
	{ "limits.max_tenants", "65536", { "1", "1048576" }, { "0", "1048577" } },
	{ "limits.max_tokens", "16777216", { "1", "67108864" }, { "0", "67108865" } },
	{ "limits.worker_bytes", "256MiB", { "1MiB", "64GiB" }, { "1023KiB", "65GiB" } },
	{ "limits.tenant_share", "25%", { "1%", "100%" }, { "0", "0%", "101%", "25" } },
	{ "limits.body", "16MiB", { "1KiB", "1GiB" }, { "1023B", "1025MiB" } },
	{ "limits.inflated", "64MiB", { "1KiB", "1GiB" }, { "1023B", "1025MiB" } },
	{ "limits.depth", "64", { "32", "100" }, { "31", "101" } },
	{ "http.head_timeout", "10s", { "100ms", "5m" }, { "99ms", "301s" } },
	{ "http.body_min_rate", "1KiB/s", { "1B/s", "1GiB/s" }, { "0", "2GiB/s", "1KiB" } },
	{ "http.body_grace", "5s", { "0", "5m" }, { "301s" } },
	{ "http.idle_timeout", "75s", { "100ms", "1h" }, { "99ms", "61m" } },
	{ "http.write_timeout", "30s", { "100ms", "1h" }, { "99ms", "61m" } },
	{ "http.requests_per_connection", "10000", { "1", "1000000000" }, { "0", "1000000001" } },
	{ "http.pipelined", "16", { "1", "1024" }, { "0", "1025" } },
	{ "http.drain_timeout", "30s", { "1s", "10m" }, { "999ms", "11m" } },
	{ "tls.handshake_timeout", "10s", { "100ms", "5m" }, { "99ms", "301s" } },
	{ "tls.handshakes_per_worker", "1024", { "1", "65536" }, { "0", "65537" } },
	{ "tls.ticket_rotation", "1h", { "1s", "7d" }, { "999ms", "8d" } },
	{ "metrics.max_tenants", "200", { "1", "10000" }, { "0", "10001" } },
	{ "log.level", "info", { "err", "warn", "info", "debug" }, { "error", "INFO" } },
	{ "log.format", "logfmt", { "logfmt", "json" }, { "text" } },
	{ "log.access_file", "", { "", "/a" }, { "a" } },
	{ "log.audit_file", "", { "", "/a" }, { "a" } },
	{ "audit.accepted", "all", { "all", "first", "none" }, { "some" } },
	{ "audit.on_full", "drop", { "drop", "refuse" }, { "block" } },
	{ "import_env", "", { "moose" }, { "", "Moose", "a1" } },
	{ "compat.micromegas_401_texts", "2025", { "2025", "current" }, { "2026", "" } },
	{ "auth.jwt[].name", "", { "corp", "A-b_9" }, { "", "a b" } },
	{ "auth.jwt[].issuer", "", { "https://id.example.com/t/", "my-app" }, { "", "a b" } },
	{ "auth.jwt[].audiences", "", { "telemetry", "a b" }, { "", "a\nb" } },
	{ "auth.jwt[].algorithms", "RS256", { "ES256" }, { "", "rs256" } },
	{ "auth.jwt[].jwks_uri", "", { "", "https://[::1]:5556/keys?a=b" }, { "https://a b" } },
	{ "auth.jwt[].public_key_file", "", { "", "/a.pem" }, { "a.pem" } },
	{ "auth.jwt[].leeway", "0", { "0s", "60s", "10m" }, { "601s", "60", "" } },
	{ "auth.jwt[].tenant_claim", "", { "", "a.b.c", "https://x/y" }, { "a\nb" } },
	{ "auth.jwt[].scopes", "*", { "traces:write", "*" }, { "", "Traces" } },
	{ "auth.jwks.refresh", "1h", { "1s", "7d" }, { "999ms", "8d" } },
	{ "auth.jwks.refetch_floor", "10s", { "1s", "1h" }, { "0", "61m" } },
	{ "auth.jwks.timeout", "5s", { "100ms", "1m" }, { "99ms", "61s" } },
	{ "auth.userinfo.url", "", { "", "https://dex.example/userinfo" }, { "https://a b" } },
	{ "auth.userinfo.timeout", "3s", { "100ms", "1m" }, { "99ms", "61s" } },
	{ "auth.userinfo.allow_ttl", "30s", { "0", "1h" }, { "61m", "30" } },
	{ "auth.userinfo.deny_ttl", "5s", { "0", "1h" }, { "61m", "5" } },
	{ "auth.userinfo.tenant_claim", "", { "", "a.b.c" }, { "a\nb" } },
	{ "compat.moose_strict_aud", "false", { "true" }, { "yes" } },
	{ "compat.micromegas_otlp_plain_errors", "false", { "true" }, { "yes" } },
	{ "compat.micromegas_quota_status", "503", { "503", "429" }, { "500" } },
	{ "compat.gateway_missing_tenant_status", "401", { "401", "400" }, { "403" } },
	{ "auth.admins", "", { "a@example.com" }, { "", "a\nb" } },
	{ "compat.gateway_bind_tenants", "true", { "true", "false" }, { "1" } },
	{ "auth.cache_entries", "1000", { "1", "1000000" }, { "0", "1000001" } },
	{ "auth.cache_ttl", "5m", { "1s", "1d" }, { "999ms", "2d", "300" } },
	{ "auth.pbkdf2.max_iterations", "100000", { "1", "100000" }, { "0", "100001" } },
	{ "auth.pbkdf2.per_source",
	  "20/s",
	  { "1/s", "1000000/s" },
	  { "0", "0/s", "1000001/s", "20" } },
	{ "auth.pbkdf2.per_worker",
	  "200/s",
	  { "1/s", "1000000/s" },
	  { "0", "0/s", "1000001/s", "200" } },
	{ "auth.unknown_per_source",
	  "200/s",
	  { "1/s", "1000000/s" },
	  { "0", "0/s", "1000001/s", "200" } },
	{ "compat.moose_trust_client_claims", "false", { "true", "false" }, { "1" } },
	{ "compat.moose_enforce_jwt", "false", { "true", "false" }, { "1" } },
	{ "compat.gateway_tenant_header", "required", { "required", "optional" }, { "no" } },
};

/* Of these a single text is not the value; their tests are test_load_values.c's. */
static const char *const structured[] = {
	"include", "listeners", "listeners[].tls", "admin.tls", "routes", "kafka.properties",
	"auth.jwt", "auth.jwt[].tenant_map", "auth.userinfo.tenant_map",
};

static const struct option *find(const char *path, void **base)
{
	static struct conf *conf;
	static struct listener_conf listener;
	static struct route_conf route;
	static struct jwt_conf jwt;
	static struct tls_map map;

	if (!conf)
		conf = conf_new();
	if (strncmp(path, "listeners[].tls.", 16) == 0) {
		options_default(&tls_options, &map, conf_pool(conf));
		*base = &map;
		return option_find(&tls_options, path + 16);
	}
	if (strncmp(path, "listeners[].", 12) == 0) {
		options_default(&listener_options, &listener, conf_pool(conf));
		*base = &listener;
		return option_find(&listener_options, path + 12);
	}
	if (strncmp(path, "routes[].", 9) == 0) {
		options_default(&route_options, &route, conf_pool(conf));
		*base = &route;
		return option_find(&route_options, path + 9);
	}
	if (strncmp(path, "auth.jwt[].", 11) == 0) {
		options_default(&jwt_options, &jwt, conf_pool(conf));
		*base = &jwt;
		return option_find(&jwt_options, path + 11);
	}
	*base = conf;
	return option_find(&options, path);
}

static bool is_covered(const char *prefix, const char *path)
{
	char full[128];

	snprintf(full, sizeof(full), "%s%s", prefix, path);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].path, full) == 0)
			return true;
	for (size_t i = 0; i < ARRAY_LEN(structured); i++)
		if (strcmp(structured[i], full) == 0)
			return true;
	return false;
}

Test(options, every_option_has_a_row_here)
{
	for (size_t i = 0; i < options.n; i++)
		cr_expect(is_covered("", options.v[i].path), "%s", options.v[i].path);
	for (size_t i = 0; i < listener_options.n; i++)
		cr_expect(is_covered("listeners[].", listener_options.v[i].path), "%s",
		          listener_options.v[i].path);
	for (size_t i = 0; i < route_options.n; i++)
		cr_expect(is_covered("routes[].", route_options.v[i].path), "%s",
		          route_options.v[i].path);
	for (size_t i = 0; i < jwt_options.n; i++)
		cr_expect(is_covered("auth.jwt[].", jwt_options.v[i].path), "%s",
		          jwt_options.v[i].path);
	for (size_t i = 0; i < tls_options.n; i++)
		cr_expect(is_covered("listeners[].tls.", tls_options.v[i].path), "%s",
		          tls_options.v[i].path);
}

Test(options, every_option_has_a_doc)
{
	for (size_t i = 0; i < options.n; i++)
		cr_expect_gt(strlen(options.v[i].doc), 10, "%s", options.v[i].path);
}

/* A section's value is that of a route, one later: `inherit` goes before them. */
Test(options, what_a_route_inherits_is_its_first_word)
{
	static const char *const pairs[][2] = {
		{ "enrich", "record.enrich" },       { "headers", "record.headers" },
		{ "partition", "record.partition" }, { "utf8", "protocols.otlp.utf8" },
		{ "json", "protocols.otlp.json" },
	};

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		const struct option *own = option_find(&route_options, pairs[i][0]);
		const struct option *section = option_find(&options, pairs[i][1]);

		cr_expect_eq(strncmp(own->words, "inherit|", 8), 0);
		cr_expect_str_eq(own->words + 8, section->words, "%s", pairs[i][0]);
	}
}

Test(options, the_defaults_are_those_of_the_table)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		void *base;
		const struct option *o = find(rows[i].path, &base);
		char text[128];
		struct buf b;

		cr_assert_not_null(o, "%s", rows[i].path);
		if (option_is_list(o))
			continue;
		buf_init_fixed(&b, text, sizeof(text) - 1);
		option_text(o, base, &b);
		text[b.n] = '\0';
		cr_expect_str_eq(text, rows[i].def, "%s", rows[i].path);
	}
}

Test(options, both_ends_of_each_range_are_good_and_what_lies_beyond_is_not)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		void *base;
		const struct option *o = find(rows[i].path, &base);
		struct pool *pool = pool_new(0);
		struct err err;

		for (size_t k = 0; k < ROW_VALUES && rows[i].good[k]; k++)
			cr_expect_eq(option_set(o, base, pool, rows[i].good[k], &err), 0,
			             "%s: %s: %s", rows[i].path, rows[i].good[k], err.text);
		for (size_t k = 0; k < ROW_VALUES && rows[i].bad[k]; k++)
			cr_expect_eq(option_set(o, base, pool, rows[i].bad[k], &err), -1, "%s: %s",
			             rows[i].path, rows[i].bad[k]);
		pool_free(pool);
	}
}

Test(options, a_text_has_its_longest_length)
{
	void *base;
	const struct option *o = find("protocols.otlp.logs_topic", &base);
	struct pool *pool = pool_new(0);
	char topic[251];
	struct err err;

	memset(topic, 'a', 250);
	topic[249] = '\0';
	cr_assert_eq(option_set(o, base, pool, topic, &err), 0);
	topic[249] = 'a';
	topic[250] = '\0';
	cr_assert_eq(option_set(o, base, pool, topic, &err), -1);
	pool_free(pool);
}

Test(options, a_failure_leaves_the_value)
{
	void *base;
	const struct option *o = find("limits.depth", &base);
	struct pool *pool = pool_new(0);
	struct err err;

	cr_assert_eq(option_set(o, base, pool, "50", &err), 0);
	cr_assert_eq(option_set(o, base, pool, "101", &err), -1);
	cr_assert_eq(((struct conf *)base)->limits.depth, 50);
	pool_free(pool);
}

Test(options, a_list_ends_at_its_maximum)
{
	struct conf *conf = conf_new();
	const struct option *o = option_find(&options, "auth.token_headers");
	struct err err;

	cr_assert_eq(conf->auth.token_headers.n, 1);
	cr_assert_str_eq(conf->auth.token_headers.v[0], "X-Obstack-Auth-Token");
	for (int i = 0; i < 7; i++)
		cr_assert_eq(option_set(o, conf, conf_pool(conf), "X-T", &err), 0);
	cr_assert_eq(option_set(o, conf, conf_pool(conf), "X-T", &err), -1);
	conf_free(conf);
}

Test(options, words_are_found_by_their_value)
{
	const struct option *o = option_find(&options, "sink");
	struct bytes word;

	cr_assert(option_word(o, SINK_KAFKA, &word));
	cr_assert(bytes_eq(word, BYTES("kafka")));
	cr_assert(option_word(o, SINK_DISCARD, &word));
	cr_assert(bytes_eq(word, BYTES("discard")));
	cr_assert_not(option_word(o, SINK_DISCARD + 1, &word));
	o = option_find(&options, "kafka.compression");
	cr_assert(option_word(o, COMPRESSION_SNAPPY, &word));
	cr_assert(bytes_eq(word, BYTES("snappy")));
	o = option_find(&options, "log.level");
	cr_assert(option_word(o, CONF_LOG_DEBUG, &word));
	cr_assert(bytes_eq(word, BYTES("debug")));
	o = option_find(&options, "audit.on_full");
	cr_assert(option_word(o, AUDIT_REFUSE, &word));
	cr_assert(bytes_eq(word, BYTES("refuse")));
}
