/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/check.c"

#include "tests/unit/conf/load_helper.h"

TestSuite(check, .init = folder_new, .fini = folder_free);

static const char *fmt(const char *format)
{
	static char text[2000];

	put("cert", "CERT");
	put_mode("key", "KEY", 0600);
	put_mode("token", "0123456789abcdef\n", 0600);
	snprintf(text, sizeof(text), format, dir, dir, dir);
	return text;
}

/* ---- listeners ---- */

Test(check, listeners_need_an_address)
{
	ASSERT_ONE_ERROR("listeners: [{listen: \"4318\"}]\n",
	                 "2:22: error: an address is HOST:PORT");
	ASSERT_ONE_ERROR("listeners: [{listen: \"example.com:4318\"}]\n",
	                 "a host is a numeric address");
	ASSERT_ONE_ERROR("listeners: [{listen: /run/x}]\n", "a listener has no path");
	ASSERT_LOADS_WITH_SINK("listeners: [{listen: \"fd:public\"}]\n");
	ASSERT_LOADS_WITH_SINK("listeners: [{listen: \"[::]:4318\"}]\n");
}

Test(check, names_are_unique_and_the_second_says_where_the_first_is)
{
	ASSERT_ONE_ERROR("listeners:\n  - {name: a, listen: 127.0.0.1:1}\n  - {name: a, listen: "
	                 "127.0.0.1:2}\n",
	                 "4:12: error: the listener 'a' is there twice: first at ");
	ASSERT_SAID("headgate.yaml:3:5\n");
	ASSERT_ONE_ERROR("listeners:\n  - {listen: 127.0.0.1:1}\n  - {listen: 127.0.0.1:2}\n",
	                 "4:5: error: the listener 'public' is there twice");
	ASSERT_ONE_ERROR("listeners: [{name: admin}]\n",
	                 "the name admin is that of the admin section\n");
}

Test(check, one_address_serves_one_listener)
{
	ASSERT_ONE_ERROR("listeners:\n  - {name: a, listen: 127.0.0.1:1}\n  - {name: b, listen: "
	                 "127.0.0.1:1}\n",
	                 "4:23: error: the listeners 'a' and 'b' have one address\n");
	ASSERT_LOADS_WITH_SINK("listeners:\n  - {name: a, listen: 127.0.0.1:0}\n  - {name: b, "
	                       "listen: 127.0.0.1:0}\n");
}

Test(check, a_pair_is_whole_or_not_there)
{
	ASSERT_ONE_ERROR(fmt("listeners: [{tls: {cert_file: %s/cert}}]\n"),
	                 "2:14: error: 'listeners[0].tls' has a cert_file but no key_file\n");
	ASSERT_ONE_ERROR(fmt("listeners: [{tls: {key_file: %s/key}}]\n"),
	                 "'listeners[0].tls' has a key_file but no cert_file\n");
	ASSERT_LOADS_WITH_SINK("admin: {tls: {cert_file: \"\", key_file: \"\"}}\n");
	cr_assert_eq(conf->admin.tls.pairs.n, 0);
}

Test(check, a_tls_map_of_a_listener_names_a_certificate)
{
	ASSERT_ONE_ERROR("listeners: [{tls: {}}]\n", "'listeners[0].tls' names no certificate\n");
	ASSERT_ONE_ERROR("listeners: [{tls: {min_version: \"1.3\"}}]\n",
	                 "'listeners[0].tls' names no certificate\n");
}

Test(check, files_that_are_named_must_be_readable)
{
	ASSERT_ONE_ERROR(fmt("listeners: [{tls: {cert_file: %s/gone, key_file: %s/key}}]\n"),
	                 "2:31: error: can't read the file 'gone': No such file or directory\n");
	put_mode("open", "KEY", 0644);
	ASSERT_ONE_ERROR(fmt("listeners: [{tls: {cert_file: %s/cert, key_file: %s/open}}]\n"),
	                 "the secret file 'open' is open to others (mode 0644)\n");
}

/* P20 */
Test(check, an_origin_is_one_that_a_browser_sends)
{
	static const char *const good[] = {
		"*",
		"http://localhost",
		"http://localhost:3000",
		"https://App.example.com",
		"https://*.example.com:8443",
		"http://a_b.example",
		"http://10.0.0.1:8080",
		"http://[::1]:65535",
		"http://a:443",
		"https://a:80",
		"capacitor://localhost",
		"chrome-extension://abcdefghijklmnop",
	};
	static const char *const bad[] = {
		"example.com",
		"//example.com",
		"://a",
		"http:/a",
		"http://",
		"http://a/",
		"http://a/b",
		"http://a:",
		"http://a:0",
		"http://a:080",
		"http://a:65536",
		"http://a:x",
		"http://a:80",
		"HTTP://a:80",
		"https://a:443",
		"http://.a",
		"http://a.",
		"http://a..b",
		"http://*",
		"http://*.",
		"http://*a.example",
		"http://a.*.example",
		"http://*.*.example",
		"http://[::1",
		"http://[]",
		"http://*.[::1]",
		"*://a",
		"**",
		"null",
		"http://[::1]a",
	};
	char text[200];

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		snprintf(text, sizeof(text), "listeners: [{allowed_origins: [\"%s\"]}]\n", good[i]);
		ASSERT_LOADS_WITH_SINK(text);
		cr_assert_str_eq(conf->listeners.v[0].allowed_origins.v[0], good[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(text, sizeof(text), "listeners: [{allowed_origins: [\"*\", \"%s\"]}]\n",
		         bad[i]);
		ASSERT_ONE_ERROR(text, "headgate.yaml:2:37: error: '");
		snprintf(text, sizeof(text), "'%s' is no origin that a browser sends\n", bad[i]);
		ASSERT_SAID(text);
		ASSERT_SAID("  help: scheme://host or scheme://host:port, ");
	}
}

Test(check, origins_of_a_listener_are_its_own)
{
	ASSERT_LOADS_WITH_SINK("listeners:\n"
	                       "  - {name: a, listen: 127.0.0.1:1, allowed_origins: [\"*\"]}\n"
	                       "  - {name: b, listen: 127.0.0.1:2}\n");
	cr_assert_eq(conf->listeners.v[0].allowed_origins.n, 1);
	cr_assert_eq(conf->listeners.v[1].allowed_origins.n, 0);
	ASSERT_ONE_ERROR("listeners:\n"
	                 "  - {allowed_origins: \"*\"}\n",
	                 "3:23: error: ");
}

Test(check, trusted_proxies_are_address_blocks)
{
	static const char *const good[] = { "10.0.0.0/8", "192.0.2.1", "0.0.0.0/0", "::/0",
		                            "fd00::/8" };
	static const char *const bad[] = { "10.0.0.1/8", "10.0.0.0/33", "fd00::/129", "10.0.0" };
	char text[200];

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		snprintf(text, sizeof(text), "listeners: [{trusted_proxies: [\"%s\"]}]\n", good[i]);
		ASSERT_LOADS_WITH_SINK(text);
		cr_assert_str_eq(conf->listeners.v[0].trusted_proxies.v[0], good[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(text, sizeof(text), "listeners: [{trusted_proxies: [\"::1\", \"%s\"]}]\n",
		         bad[i]);
		ASSERT_ONE_ERROR(text, "headgate.yaml:2:39: error: '");
		snprintf(text, sizeof(text), "'%s' is no address block\n", bad[i]);
		ASSERT_SAID(text);
		ASSERT_SAID("  help: ");
	}
}

/* ---- admin ---- */

/* O18 */
Test(check, admin_off_loopback_needs_tls_and_a_token)
{
	ASSERT_ONE_ERROR("admin: {listen: \"0.0.0.0:9318\"}\n",
	                 "2:17: error: '0.0.0.0:9318' is off loopback: this needs admin.tls and "
	                 "admin.token_file\n");
	ASSERT_ONE_ERROR(fmt("admin: {listen: \"0.0.0.0:9318\", token_file: %s/token}\n"),
	                 "this needs admin.tls\n");
	ASSERT_ONE_ERROR(fmt("admin: {listen: \"[::]:9318\", tls: {cert_file: %s/cert, key_file: "
	                     "%s/key}}\n"),
	                 "this needs admin.token_file\n");
	ASSERT_LOADS_WITH_SINK(fmt("admin: {listen: \"0.0.0.0:9318\", tls: {cert_file: %s/cert, "
	                           "key_file: %s/key}, token_file: %s/token}\n"));
	cr_assert(conf->listeners.v[1].admin);
	cr_assert_eq(conf->listeners.v[1].tls.pairs.n, 1);
	cr_assert(bytes_eq(conf->listeners.v[1].token_file.content, BYTES("0123456789abcdef")));
	ASSERT_LOADS_WITH_SINK("admin: {listen: \"127.0.0.1:9318\"}\n");
	ASSERT_LOADS_WITH_SINK("admin: {listen: /run/headgate/admin.sock}\n");
	ASSERT_LOADS_WITH_SINK("admin: {listen: \"\"}\n");
	cr_assert_eq(conf->listeners.n, 1);
}

Test(check, the_admin_token_is_one_word_of_some_length)
{
	put_mode("t", "short\n", 0600);
	ASSERT_ONE_ERROR(fmt("admin: {token_file: %s/t}\n"),
	                 "the token has 16 to 512 characters\n");
	put_mode("t", "0123456789 abcdef\n", 0600);
	ASSERT_ONE_ERROR(fmt("admin: {token_file: %s/t}\n"),
	                 "the token holds a blank or no ASCII\n");
	ASSERT_NOT_SAID("0123456789");
}

Test(check, admin_has_an_address_of_its_own)
{
	ASSERT_ONE_ERROR("admin: {listen: \"127.0.0.1:4318\"}\n",
	                 "the listener 'public' has this address\n");
	ASSERT_ONE_ERROR("admin: {listen: \"fd:admin\"}\n", "2:17: error: ");
	ASSERT_ONE_ERROR("control: {socket: control.sock}\n",
	                 "'control.socket' is an absolute path\n");
}

/* ---- tenants ---- */

Test(check, postgres_needs_one_connection_string)
{
	put_mode("dsn", "host=db password=geheim\n", 0600);
	ASSERT_ONE_ERROR("tenants: {source: postgres}\n",
	                 "2:19: error: postgres needs 'tenants.dsn' or 'tenants.dsn_file'\n");
	ASSERT_ONE_ERROR(fmt("tenants: {dsn: service=hg, dsn_file: %s/dsn}\n"),
	                 "'tenants.dsn' is given too: one of the two\n");
	ASSERT_LOADS_WITH_SINK(fmt("tenants: {source: postgres, dsn_file: %s/dsn}\n"));
	cr_assert_str_eq(conf->tenants.dsn, "host=db password=geheim");
	ASSERT_LOADS_WITH_SINK("tenants: {source: postgres, dsn: service=hg}\n");
	cr_assert_str_eq(conf->tenants.dsn, "service=hg");
}

Test(check, no_password_stands_in_the_open)
{
	static const char *const clear[] = { "host=db password=hunter2",
		                             "host=db PASSWORD = 'hunter2'",
		                             "postgres://u:hunter2@db/x",
		                             "postgresql://u:hunter2@db" };
	static const char *const fine[] = {
		"host=db",          "service=hg",  "postgres://u@db:5432/x", "postgres://db:5432/x",
		"postgres://u:@db", "passfile=/x", "host=db password=",      "dbname=password"
	};
	char text[200];

	setenv("HG_A", "hunter2", 1);
	for (size_t i = 0; i < ARRAY_LEN(clear); i++) {
		snprintf(text, sizeof(text), "tenants: {dsn: \"%s\"}\n", clear[i]);
		ASSERT_ONE_ERROR(text, "2:16: error: 'tenants.dsn' holds a password in clear\n");
		ASSERT_NOT_SAID("hunter2");
	}
	for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
		snprintf(text, sizeof(text), "tenants: {dsn: \"%s\"}\n", fine[i]);
		ASSERT_LOADS_WITH_SINK(text);
	}
	ASSERT_LOADS_WITH_SINK("tenants: {dsn: \"host=db password=${HG_A}\"}\n");
	cr_assert_str_eq(conf->tenants.dsn, "host=db password=hunter2");
	ASSERT_LOADS_WITH_SINK("tenants: {dsn: \"postgres://u:${HG_A}@db/x\"}\n");
}

Test(check, times_of_tenants_fit_together)
{
	ASSERT_ONE_ERROR("tenants: {max_stale: 34s}\n",
	                 "'tenants.max_stale' is below 'tenants.fresh_for'\n");
	ASSERT_LOADS_WITH_SINK("tenants: {max_stale: 35s}\n");
	ASSERT_LOADS_WITH_SINK("tenants: {poll: 35s}\n");
	cr_assert_eq(report.warnings, 2);
	ASSERT_SAID("2:17: warning: with 'tenants.fresh_for' not above 'tenants.poll'");
	ASSERT_ONE_ERROR("tenants: {file: \"\"}\n", "'tenants.file' must be given\n");
}

/* ---- auth, limits ---- */

Test(check, token_headers_are_no_others)
{
	ASSERT_ONE_ERROR("auth: {token_headers: [X-A, authorization]}\n",
	                 "2:29: error: 'authorization' carries no token\n");
	ASSERT_ONE_ERROR("auth: {token_headers: [Content-Length]}\n",
	                 "'Content-Length' carries no token\n");
	ASSERT_ONE_ERROR("auth: {token_headers: [X-A, x-a]}\n",
	                 "2:29: error: 'x-a' is there twice\n");
}

Test(check, the_default_tenant_is_a_tenant_id)
{
	ASSERT_LOADS_WITH_SINK("auth: {default_tenant: acme}\n");
	ASSERT_ONE_ERROR("auth: {default_tenant: ..}\n", "'..' is no tenant id\n");
	ASSERT_ONE_ERROR("auth: {default_tenant: __mimir_cluster}\n",
	                 "'__mimir_cluster' is no tenant id\n");
}

Test(check, a_record_that_fits_no_share_is_told)
{
	ASSERT_LOADS_WITH_SINK("limits: {worker_bytes: 1MiB}\n");
	cr_assert_eq(report.warnings, 2, "%s", got);
	ASSERT_SAID("2:24: warning: a record of 'record.max_bytes' does not fit");
	/* The share is 64 MiB, less than the default of opaque bodies, which nobody asked for. */
	ASSERT_LOADS_WITH_SINK("protocols: {micromegas: {enabled: true}}\n");
	cr_assert_eq(report.warnings, 1, "%s", got);
	ASSERT_LOADS_WITH_SINK("protocols: {opaque: {record_max_bytes: 104792064B}}\n");
	cr_assert_eq(report.warnings, 1, "%s", got);
	ASSERT_LOADS_WITH_SINK("protocols: {opaque: {record_max_bytes: 63MiB}}\n"
	                       "routes: [{name: loki, record_max_bytes: 63MiB}]\n");
	cr_assert_eq(report.warnings, 1, "%s", got);
	ASSERT_LOADS_WITH_SINK("protocols: {opaque: {record_max_bytes: 64MiB}}\n"
	                       "routes: [{name: loki, record_max_bytes: 64MiB}]\n");
	cr_assert_eq(report.warnings, 3, "%s", got);
	ASSERT_SAID("2:40: warning: a record of 'protocols.opaque.record_max_bytes' does not fit");
	ASSERT_SAID("3:41: warning: a record of 'routes[0].record_max_bytes' does not fit");
}

Test(check, the_stamp_replaces_no_metric_name)
{
	ASSERT_LOADS_WITH_SINK("record: {stamp_name: __name_}\n");
	ASSERT_ONE_ERROR("record: {stamp_name: __name__}\n",
	                 "'__name__' is the metric's name in remote_write: take another one\n");
}
