/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/check_routes.c"

#include "tests/unit/conf/load_helper.h"

TestSuite(check_routes, .init = folder_new, .fini = folder_free);

static const char *const words[] = {
#define PROTOCOL(name, protocol) name,
#include "common/protocols.def"
#undef PROTOCOL
};

Test(check_routes, a_route_is_read_with_what_it_says_and_the_rest_inherited)
{
	const struct route_conf *v;

	ASSERT_LOADS_WITH_SINK(
		"listeners: [{name: a, listen: 127.0.0.1:1}, {name: b, listen: 127.0.0.1:2}]\n"
		"routes:\n"
		"  - {name: app-blobs, path: /blobs/app, protocol: opaque, topic: app-blobs,\n"
		"     listeners: [a, b], max_body: 16MiB, record_max_bytes: 2MiB, enrich: header,\n"
		"     stamp_name: who, headers: all, partition: source, topic_prefix: "
		"\"{tenant}.\",\n"
		"     utf8: repair, json: separate, scope: logs}\n"
		"  - {name: otlp_logs}\n");
	cr_assert_eq(conf->routes.n, 2);
	v = conf->routes.v;
	cr_assert_str_eq(v[0].name, "app-blobs");
	cr_assert_str_eq(v[0].path, "/blobs/app");
	cr_assert_str_eq(v[0].protocol, "opaque");
	cr_assert_str_eq(v[0].topic, "app-blobs");
	cr_assert_eq(v[0].listeners.n, 2);
	cr_assert_str_eq(v[0].listeners.v[1], "b");
	cr_assert_eq(v[0].max_body, 16 * MIB);
	cr_assert_eq(v[0].record_max_bytes, 2 * MIB);
	cr_assert_eq(v[0].enrich, 1 + ENRICH_HEADER);
	cr_assert_str_eq(v[0].stamp_name, "who");
	cr_assert_eq(v[0].headers, 1 + HEADERS_ALL);
	cr_assert_eq(v[0].partition, 1 + PARTITION_SOURCE);
	cr_assert_str_eq(v[0].topic_prefix, "{tenant}.");
	cr_assert_eq(v[0].utf8, 1 + CONF_UTF8_REPAIR);
	cr_assert_eq(v[0].json, 1 + CONF_JSON_SEPARATE);
	cr_assert_str_eq(v[0].scope, "logs");
	cr_assert_str_eq(v[1].path, "");
	cr_assert_eq(v[1].max_body, 0);
	cr_assert_eq(v[1].enrich + v[1].headers + v[1].partition + v[1].utf8 + v[1].json, 0);
	cr_assert_str_eq(v[1].stamp_name, "");
}

Test(check_routes, routes_of_several_files_are_joined)
{
	put("conf.d/1.yaml", "routes: [{name: b, path: /b, protocol: opaque, topic: t}]\n");
	ASSERT_LOADS_WITH_SINK("routes: [{name: a, path: /a, protocol: opaque, topic: t}]\n");
	cr_assert_eq(conf->routes.n, 2);
	cr_assert_str_eq(conf->routes.v[1].name, "b");
	ASSERT_LOADS_WITH_SINK("routes: []\n");
	cr_assert_eq(conf->routes.n, 1);
}

Test(check_routes, a_path_needs_a_protocol_and_a_topic)
{
	ASSERT_ONE_ERROR("routes: [{name: a, path: /a, topic: t}]\n",
	                 "2:26: error: a route with a path needs a 'protocol'\n");
	ASSERT_ONE_ERROR("routes: [{name: a, path: /a, protocol: opaque}]\n",
	                 "2:26: error: a route with a path needs a 'topic'\n");
	ASSERT_ONE_ERROR(
		"routes: [{name: a, protocol: opaque, topic: t}]\n",
		"2:30: error: 'protocol' goes with a 'path': a built-in route has its own\n");
	ASSERT_LOADS_WITH_SINK("routes: [{name: otlp_logs, topic: t}]\n");
}

Test(check_routes, a_route_has_a_name)
{
	ASSERT_ONE_ERROR("routes: [{path: /a, protocol: opaque, topic: t}]\n",
	                 "2:10: error: a route needs a 'name'\n");
	ASSERT_ONE_ERROR(
		"routes: [{name: a b}]\n",
		"'routes[0].name' cannot be 'a b': it holds a character that is not allowed");
}

Test(check_routes, names_of_routes_are_unique)
{
	ASSERT_ONE_ERROR("routes:\n  - {name: a, path: /a, protocol: opaque, topic: t}\n"
	                 "  - {name: a, path: /b, protocol: opaque, topic: t}\n",
	                 "4:12: error: the route 'a' is there twice: first at ");
	ASSERT_SAID("headgate.yaml:3:5\n");
}

Test(check_routes, protocols_are_those_of_the_table)
{
	char text[200];

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		snprintf(text, sizeof(text),
		         "routes: [{name: a, path: /a, protocol: %s, topic: t}]\n", words[i]);
		ASSERT_LOADS_WITH_SINK(text);
	}
	ASSERT_ONE_ERROR("routes: [{name: a, path: /a, protocol: opaqeu, topic: t}]\n",
	                 "2:40: error: 'opaqeu' is no protocol (did you mean 'opaque'?)\n");
	ASSERT_ONE_ERROR("routes: [{name: a, path: /a, protocol: carrier_pigeon, topic: t}]\n",
	                 "2:40: error: 'carrier_pigeon' is no protocol\n");
}

Test(check_routes, a_path_is_printable_and_ends_with_no_slash)
{
	static const char *const good[] = { "/a", "/a/b", "/~!&'()*+,;=:@%41", "//a" };
	static const char *const bad[] = { "a",    "a/b",  "/",    "/a/",
		                           "/a?b", "/a#b", "/a b", "/\xc3\xa4" };
	char text[600], said[200], path[300];

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		snprintf(text, sizeof(text),
		         "routes: [{name: a, path: \"%s\", protocol: opaque, topic: t}]\n",
		         good[i]);
		ASSERT_LOADS_WITH_SINK(text);
		cr_assert_str_eq(conf->routes.v[0].path, good[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(text, sizeof(text),
		         "routes: [{name: a, path: \"%s\", protocol: opaque, topic: t}]\n", bad[i]);
		snprintf(said, sizeof(said), "2:26: error: '%s' is no path of a route\n", bad[i]);
		ASSERT_ONE_ERROR(text, said);
	}
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	for (size_t n = 255; n <= 256; n++) {
		path[n] = '\0';
		snprintf(text, sizeof(text),
		         "routes: [{name: a, path: %s, protocol: opaque, topic: t}]\n", path);
		if (n == 255)
			ASSERT_LOADS_WITH_SINK(text);
		else
			ASSERT_ONE_ERROR(text, "it is too long\n");
		path[n] = 'a';
	}
}

Test(check_routes, pages_of_ours_are_no_routes)
{
	ASSERT_ONE_ERROR("routes: [{name: a, path: /health, protocol: opaque, topic: t}]\n",
	                 "2:26: error: '/health' is a page of ours\n");
	ASSERT_ONE_ERROR("routes: [{name: a, path: /ready, protocol: opaque, topic: t}]\n",
	                 "2:26: error: '/ready' is a page of ours\n");
	ASSERT_LOADS_WITH_SINK("routes: [{name: a, path: /healthy, protocol: opaque, topic: t}]\n");
	/* of listeners of Moose's dialect alone */
	ASSERT_LOADS_WITH_SINK(
		"routes: [{name: a, path: /liveness, protocol: opaque, topic: t}]\n");
	ASSERT_ONE_ERROR("listeners: [{name: m, listen: 127.0.0.1:1, dialect: moose}]\n"
	                 "routes: [{name: a, path: /liveness, protocol: opaque, topic: t}]\n",
	                 "3:26: error: '/liveness' is a page of ours\n");
}

#define TWO_LISTENERS                                                                              \
	"listeners: [{name: p, listen: 127.0.0.1:1}, {name: q, listen: 127.0.0.1:2}]\nroutes:\n"

Test(check_routes, a_path_is_there_once_on_a_listener)
{
	ASSERT_ONE_ERROR("routes:\n  - {name: a, path: /x, protocol: opaque, topic: t}\n"
	                 "  - {name: b, path: /x, protocol: opaque, topic: t}\n",
	                 "4:21: error: the routes 'a' and 'b' have one path on one listener\n");
	ASSERT_ONE_ERROR(TWO_LISTENERS
	                 "  - {name: a, path: /x, protocol: opaque, topic: t, listeners: [p]}\n"
	                 "  - {name: b, path: /x, protocol: opaque, topic: t}\n",
	                 "5:21: error: the routes 'a' and 'b' have one path on one listener\n");
	ASSERT_ONE_ERROR(TWO_LISTENERS
	                 "  - {name: a, path: /x, protocol: opaque, topic: t, listeners: [p, q]}\n"
	                 "  - {name: b, path: /x, protocol: opaque, topic: t, listeners: [q]}\n",
	                 "5:21: error: the routes 'a' and 'b' have one path on one listener\n");
	ASSERT_LOADS_WITH_SINK(
		TWO_LISTENERS
		"  - {name: a, path: /x, protocol: opaque, topic: t, listeners: [p]}\n"
		"  - {name: b, path: /x, protocol: opaque, topic: t, listeners: [q]}\n"
		"  - {name: c, path: /X, protocol: opaque, topic: t}\n");
}

Test(check_routes, listeners_of_a_route_exist)
{
	ASSERT_ONE_ERROR("routes: [{name: otlp_logs, listeners: [publik]}]\n",
	                 "2:40: error: there is no listener 'publik'\n");
	ASSERT_LOADS_WITH_SINK("routes: [{name: otlp_logs, listeners: [public]}]\n");
	/* The admin listener serves no records. */
	ASSERT_ONE_ERROR("admin: {listen: 127.0.0.1:9}\n"
	                 "routes: [{name: otlp_logs, listeners: [admin]}]\n",
	                 "3:40: error: there is no listener 'admin'\n");
}

Test(check_routes, sizes_are_those_of_the_sections_or_none)
{
	ASSERT_LOADS_WITH_SINK(
		"routes: [{name: otlp_logs, max_body: 1KiB, record_max_bytes: 1KiB}]\n");
	ASSERT_LOADS_WITH_SINK("routes: [{name: otlp_logs, max_body: 0, record_max_bytes: 0}]\n");
	ASSERT_ONE_ERROR("routes: [{name: otlp_logs, max_body: 1023B}]\n",
	                 "2:38: error: 'max_body' is below 1KiB\n");
	ASSERT_ONE_ERROR("routes: [{name: otlp_logs, record_max_bytes: 1023B}]\n",
	                 "2:46: error: 'record_max_bytes' is below 1KiB\n");
	ASSERT_ONE_ERROR("routes: [{name: otlp_logs, max_body: 1025MiB}]\n",
	                 "it is out of range\n");
}

Test(check_routes, a_scope_is_a_signal)
{
	char text[200];

	for (unsigned s = 0; s < SIGNAL_COUNT; s++) {
		snprintf(text, sizeof(text), "routes: [{name: otlp_logs, scope: %s}]\n",
		         signal_name(s));
		ASSERT_LOADS_WITH_SINK(text);
	}
	ASSERT_ONE_ERROR("routes: [{name: otlp_logs, scope: spans}]\n",
	                 "2:35: error: 'spans' is no scope of a token\n");
	ASSERT_SAID("  help: allowed: traces, metrics, logs, events, opaque\n");
}

Test(check_routes, the_stamp_of_a_route_is_no_metrics_name)
{
	ASSERT_ONE_ERROR("routes: [{name: remote_write, stamp_name: __name__}]\n",
	                 "2:43: error: '__name__' is the metric's name in remote_write");
}

Test(check_routes, routes_are_bounded)
{
	char text[4000] = "routes:\n";

	for (int i = 0; i < 24; i++)
		sprintf(text + strlen(text),
		        "  - {name: n%d, path: /n%d, protocol: opaque, topic: t}\n", i, i);
	ASSERT_LOADS_WITH_SINK(text);
	strcat(text, "  - {name: n24, path: /n24, protocol: opaque, topic: t}\n");
	ASSERT_ONE_ERROR(text, "27:5: error: there are more than 24 routes\n");
}

Test(check_routes, an_unknown_key_of_a_route_gets_its_list)
{
	ASSERT_ONE_ERROR("routes: [{name: otlp_logs, paath: /a}]\n",
	                 "2:28: error: unknown key 'paath' (did you mean 'path'?)\n");
	ASSERT_SAID("  help: keys allowed here: enrich, headers, json, listeners, max_body, name, "
	            "partition, path, protocol, record_max_bytes, scope, stamp_name, topic, "
	            "topic_prefix, utf8\n");
	ASSERT_ONE_ERROR("routes: [{name: otlp_logs, tpoic: /a}]\n",
	                 "unknown key 'tpoic' (did you mean 'topic'?)\n");
}

Test(check_routes, offline_what_a_file_holds_is_not_missing)
{
	offline = true;
	ASSERT_LOADS_WITH_SINK(
		"routes: [{name: \"${file:/n}\", path: /a, protocol: \"${file:/p}\", "
		"topic: \"${file:/t}\"}]\n");
	offline = false;
}
