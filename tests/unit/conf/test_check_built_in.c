/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/check_built_in.c"

#include "tests/unit/conf/load_helper.h"

TestSuite(check_built_in, .init = folder_new, .fini = folder_free);

#define GATEWAY "listeners: [{name: g, listen: 127.0.0.1:1, dialect: gateway}]\n"
#define MOOSE "listeners: [{name: m, listen: 127.0.0.1:1, dialect: moose}]\n"
#define BOTH                                                                                       \
	"listeners: [{name: n, listen: 127.0.0.1:1}, {name: m, listen: 127.0.0.1:2, dialect: "     \
	"moose}]\n"
#define MICROMEGAS "protocols: {micromegas: {enabled: true}}\n"

Test(check_built_in, every_built_in_route_may_be_changed)
{
	char text[400];

	for (size_t i = 0; i < ARRAY_LEN(built_ins); i++) {
		const struct built_in *b = &built_ins[i];

		if (!b->on)
			continue;
		snprintf(text, sizeof(text),
		         "%sprotocols: {obstack: {enabled: true}, micromegas: {enabled: true}}\n"
		         "routes: [{name: %s, headers: all, max_body: 1MiB}]\n",
		         b->on == ON_GATEWAY ? GATEWAY
		         : b->on == ON_MOOSE ? MOOSE
		                             : "",
		         b->name);
		ASSERT_LOADS_WITH_SINK(text);
	}
}

Test(check_built_in, a_route_without_a_path_is_one_that_is_there)
{
	ASSERT_ONE_ERROR("routes: [{name: otlp_log, headers: all}]\n",
	                 "2:17: error: there is no built-in route 'otlp_log' (did you mean "
	                 "'otlp_logs'?)\n");
	ASSERT_SAID("  help: a route of your own needs a 'path', a 'protocol' and a 'topic'\n");
	ASSERT_ONE_ERROR("routes: [{name: mine, topic: t}]\n",
	                 "2:17: error: there is no built-in route 'mine'\n");
	ASSERT_ONE_ERROR("routes: [{name: health, headers: all}]\n",
	                 "2:17: error: there is no built-in route 'health'\n");
}

Test(check_built_in, a_route_that_is_off_cannot_be_changed)
{
	ASSERT_ONE_ERROR("routes: [{name: insert_block, headers: all}]\n",
	                 "2:17: error: the route 'insert_block' is off: "
	                 "'protocols.micromegas.enabled' is false\n");
	ASSERT_ONE_ERROR("protocols: {loki: {enabled: false}}\nroutes: [{name: loki}]\n",
	                 "3:17: error: the route 'loki' is off: 'protocols.loki.enabled' is "
	                 "false\n");
	ASSERT_ONE_ERROR("routes: [{name: gateway_logs}]\n",
	                 "2:17: error: the route 'gateway_logs' is off: no listener has its "
	                 "dialect\n");
	ASSERT_ONE_ERROR(GATEWAY "routes: [{name: otlp_logs}]\n",
	                 "3:17: error: the route 'otlp_logs' is off: no listener has its "
	                 "dialect\n");
	ASSERT_ONE_ERROR("routes: [{name: moose}]\n",
	                 "2:17: error: the route 'moose' is off: no listener has its dialect\n");
	ASSERT_LOADS_WITH_SINK(GATEWAY "routes: [{name: models}]\n");
	ASSERT_LOADS_WITH_SINK(MOOSE "routes: [{name: moose}, {name: otlp_logs}]\n");
}

/* Two routes of one name would be one in metrics, logs and records. */
Test(check_built_in, a_route_with_a_path_has_a_name_of_its_own)
{
	static const char *const taken[] = { "otlp_logs", "insert_block", "models",
		                             "moose",     "health",       "status",
		                             "metrics",   "ready",        "none" };
	char text[200], said[200];

	for (size_t i = 0; i < ARRAY_LEN(taken); i++) {
		snprintf(text, sizeof(text),
		         "routes: [{name: %s, path: /x, protocol: opaque, topic: t}]\n", taken[i]);
		snprintf(said, sizeof(said), "2:17: error: '%s' is a route of ours\n", taken[i]);
		ASSERT_ONE_ERROR(text, said);
	}
	ASSERT_SAID("  help: without a path it would change that one; with a path it needs a name "
	            "of its own\n");
}

/* Only a worker said so, at a start: -t found nothing. */
Test(check_built_in, a_path_of_a_built_in_route_is_taken)
{
	ASSERT_ONE_ERROR("routes: [{name: x, path: /v1/logs, protocol: opaque, topic: x}]\n",
	                 "2:26: error: '/v1/logs' is the path of 'otlp_logs', a route of ours, on "
	                 "the listener 'public'\n");
	ASSERT_SAID("  help: take another path, or say 'listeners' so that they share none\n");
	ASSERT_ONE_ERROR("routes: [{name: x, path: /api/v1/push, protocol: opaque, topic: x}]\n",
	                 "2:26: error: '/api/v1/push' is the path of 'remote_write'");
	ASSERT_ONE_ERROR(
		MICROMEGAS
		"routes: [{name: x, path: /ingestion/webhook, protocol: opaque, topic: x}]\n",
		"3:26: error: '/ingestion/webhook' is the path of 'micromegas_webhook'");
	ASSERT_ONE_ERROR("protocols: {obstack: {enabled: true}}\n"
	                 "routes: [{name: x, path: /ingest/otlp/v1, protocol: otlp, topic: x}]\n",
	                 "3:26: error: '/ingest/otlp/v1' is the path of 'obstack_otlp'");
}

Test(check_built_in, a_path_of_a_route_that_is_off_or_elsewhere_is_free)
{
	ASSERT_LOADS_WITH_SINK(
		"routes: [{name: x, path: /ingestion/webhook, protocol: opaque, topic: x}]\n");
	ASSERT_LOADS_WITH_SINK(
		"routes: [{name: x, path: /tempo/v1/traces, protocol: opaque, topic: x}]\n");
	ASSERT_LOADS_WITH_SINK("protocols: {otlp: {enabled: false}}\n"
	                       "routes: [{name: x, path: /v1/logs, protocol: opaque, topic: x}]\n");
	ASSERT_LOADS_WITH_SINK(BOTH "routes: [{name: otlp_logs, listeners: [n]}, {name: x, path: "
	                            "/v1/logs, protocol: opaque, topic: x, listeners: [m]}]\n");
	ASSERT_ONE_ERROR(BOTH "routes: [{name: x, path: /v1/logs, protocol: opaque, topic: x, "
	                      "listeners: [m]}]\n",
	                 "on the listener 'm'\n");
	/* a fixed path goes before those of data models */
	ASSERT_LOADS_WITH_SINK(
		"routes: [{name: x, path: /ingest/blob, protocol: opaque, topic: x}]\n");
}

Test(check_built_in, a_built_in_route_is_not_taken_to_where_another_has_its_path)
{
	ASSERT_ONE_ERROR("listeners: [{name: n, listen: 127.0.0.1:1}, {name: g, listen: "
	                 "127.0.0.1:2, dialect: gateway}]\n"
	                 "protocols: {obstack: {enabled: true}}\n"
	                 "routes: [{name: loki, listeners: [g]}]\n",
	                 "4:34: error: on the listener 'g' the routes 'loki' and 'gateway_loki' "
	                 "have one path, '/loki/api/v1/push'\n");
	ASSERT_LOADS_WITH_SINK("listeners: [{name: n, listen: 127.0.0.1:1}, {name: g, listen: "
	                       "127.0.0.1:2, dialect: gateway}]\n"
	                       "routes: [{name: loki, listeners: [g]}, {name: gateway_loki, "
	                       "listeners: [n]}]\n");
}

Test(check_built_in, data_models_have_their_own_topics)
{
	ASSERT_ONE_ERROR("routes: [{name: models, topic: t}]\n",
	                 "2:32: error: each data model has a topic of its own\n");
	ASSERT_LOADS_WITH_SINK("routes: [{name: models, topic_prefix: a.}]\n");
}

Test(check_built_in, the_routes_of_data_models_have_one_prefix)
{
	ASSERT_ONE_ERROR(BOTH "routes: [{name: models, topic_prefix: a.}]\n",
	                 "3:39: error: the routes of data models have one prefix: 'models' and "
	                 "'moose' differ\n");
	ASSERT_LOADS_WITH_SINK(BOTH "routes: [{name: models, topic_prefix: a.}, {name: moose, "
	                            "topic_prefix: a.}]\n");
	ASSERT_LOADS_WITH_SINK(BOTH "record: {topic_prefix: a.}\nroutes: [{name: models}]\n");
}

/* R2: what `routes` makes of a built-in route is compared too */
Test(check_built_in, the_topic_of_a_changed_route_is_compared)
{
	ASSERT_ONE_ERROR("routes: [{name: otlp_logs, topic: otlp_spans}]\n",
	                 "2:35: error: 'protocols.otlp.traces_topic' and 'routes[0].topic' are one "
	                 "topic: a topic holds one kind of message\n");
	ASSERT_ONE_ERROR(
		"routes: [{name: remote_write, topic: m}, {name: otlp_logs, topic: m_v2}]\n",
		"are one topic");
	ASSERT_ONE_ERROR(
		"routes: [{name: otlp_logs, topic: m, json: separate}, {name: otlp_traces, "
		"topic: m_json}]\n",
		"are one topic");
	ASSERT_ONE_ERROR(MICROMEGAS "routes: [{name: insert_block, topic: otlp_logs}]\n",
	                 "are one topic");
	ASSERT_LOADS_WITH_SINK(MICROMEGAS "routes: [{name: insert_block, topic: heavy}]\n");
}

/* The default that nobody uses any more is free. */
Test(check_built_in, a_topic_that_was_left_may_be_another_s)
{
	ASSERT_LOADS_WITH_SINK("routes:\n  - {name: otlp_logs, topic: mine}\n"
	                       "  - {name: x, path: /x, protocol: opaque, topic: otlp_logs}\n");
	ASSERT_ONE_ERROR(MICROMEGAS "routes:\n  - {name: otlp_logs, topic: mine}\n"
	                            "  - {name: x, path: /x, protocol: opaque, topic: otlp_logs}\n",
	                 "'protocols.otlp.logs_topic' and 'routes[1].topic' are one topic");
}

Test(check_built_in, the_prefix_of_a_changed_route_is_compared)
{
	ASSERT_LOADS_WITH_SINK(
		"routes: [{name: otlp_logs, topic: otlp_spans, topic_prefix: a.}]\n");
	ASSERT_ONE_ERROR("routes: [{name: loki, topic_prefix: otlp_, topic: logs}]\n",
	                 "are one topic");
	ASSERT_ONE_ERROR("routes: [{name: otlp_logs, topic_prefix: \"{tenant}.\"}, {name: loki, "
	                 "topic: acme.otlp_logs}]\n",
	                 "are one topic");
	ASSERT_SAID("  help: with some tenant's id in the prefix the one is the other\n");
}

Test(check_built_in, json_of_micromegas_may_stay_json_too)
{
	ASSERT_ONE_ERROR("protocols: {micromegas: {enabled: true}, otlp: {enabled: false, json: "
	                 "separate}, opaque: {topic: otlp_logs_json}}\n",
	                 "'protocols.otlp.logs_topic' with _json");
	ASSERT_LOADS_WITH_SINK("protocols: {otlp: {json: separate}, opaque: {topic: x}}\n"
	                       "routes: [{name: otlp_logs, json: transcode}, {name: y, path: /y, "
	                       "protocol: opaque, topic: otlp_logs_json}]\n");
}

/* What cannot be read offline is not missing. */
Test(check_built_in, offline_a_path_may_stand_in_a_file)
{
	offline = true;
	ASSERT_LOADS_WITH_SINK(
		"routes: [{name: mine, path: \"${file:/p}\", protocol: opaque, topic: "
		"t}]\n");
	offline = false;
}
