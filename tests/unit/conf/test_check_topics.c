/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/check_topics.c"

#include "tests/unit/conf/load_helper.h"

TestSuite(check_topics, .init = folder_new, .fini = folder_free);

/* R2 */
Test(check_topics, two_signals_on_one_topic_are_refused)
{
	ASSERT_ONE_ERROR("protocols: {otlp: {traces_topic: t, logs_topic: t}}\n",
	                 "2:49: error: 'protocols.otlp.traces_topic' and "
	                 "'protocols.otlp.logs_topic' are one topic");
	ASSERT_ONE_ERROR(
		"protocols: {otlp: {traces_topic: otlp_logs}}\n",
		"2:34: error: 'protocols.otlp.traces_topic' and 'protocols.otlp.logs_topic' are "
		"one topic: a topic holds one kind of message\n");
}

/* R2: an RW 2.0 body decoded as RW 1.0 is an empty message without an error */
Test(check_topics, two_formats_on_one_topic_are_refused)
{
	ASSERT_ONE_ERROR("protocols: {remote_write: {topic: t, topic_v2: t}}\n",
	                 "2:48: error: 'protocols.remote_write.topic' and "
	                 "'protocols.remote_write.topic_v2' are one topic");
	ASSERT_ONE_ERROR("protocols: {remote_write: {topic_v2: otlp_metrics}}\n",
	                 "'protocols.otlp.metrics_topic' and 'protocols.remote_write.topic_v2' are "
	                 "one topic");
	ASSERT_ONE_ERROR("protocols: {obstack: {enabled: true, topic: prom_write}}\n",
	                 "'protocols.remote_write.topic' and 'protocols.obstack.topic' are one "
	                 "topic");
}

/* A7: the formats of Obstack share the one topic that is theirs */
Test(check_topics, the_topic_of_obstack_holds_several_formats)
{
	ASSERT_LOADS_WITH_SINK("protocols: {obstack: {enabled: true}}\n");
	cr_assert_str_eq(conf->protocols.obstack.topic, "telemetry-raw");
}

Test(check_topics, what_is_not_enabled_sends_nothing_to_a_topic)
{
	ASSERT_LOADS_WITH_SINK("protocols: {obstack: {topic: prom_write}}\n");
	ASSERT_LOADS_WITH_SINK("protocols: {otlp: {enabled: false}, obstack: {enabled: true, "
	                       "topic: otlp_logs}}\n");
	ASSERT_LOADS_WITH_SINK(
		"protocols: {remote_write: {enabled: false, topic_v2: prom_write}}\n");
}

Test(check_topics, a_topic_has_a_name_that_kafka_takes)
{
	ASSERT_ONE_ERROR("protocols: {otlp: {traces_topic: .}}\n", "'.' is no name of a topic\n");
	ASSERT_ONE_ERROR("protocols: {otlp: {metrics_topic: ..}}\n",
	                 "'..' is no name of a topic\n");
	ASSERT_ONE_ERROR("protocols: {otlp: {logs_topic: a/b}}\n",
	                 "it holds a character that is not allowed\n");
}

/* R2: what a listener, a route, a model and a report send is compared with all the others */
Test(check_topics, json_that_stays_json_has_a_topic_of_its_own)
{
	ASSERT_LOADS_WITH_SINK("protocols: {otlp: {json: separate}, loki: {json: separate}}\n");
	cr_assert_eq(conf->protocols.otlp.json, CONF_JSON_SEPARATE);
	cr_assert_eq(conf->protocols.loki.json, CONF_JSON_SEPARATE);
	ASSERT_ONE_ERROR(
		"protocols: {otlp: {json: separate}, remote_write: {topic: otlp_logs_json}}\n",
		"2:59: error: 'protocols.otlp.logs_topic' with _json and "
		"'protocols.remote_write.topic' are one topic: a topic holds one kind of "
		"message\n");
	ASSERT_ONE_ERROR(
		"protocols: {otlp: {traces_topic: loki_push_json}, loki: {json: separate}}\n",
		"'protocols.otlp.traces_topic' and 'protocols.loki.topic' with _json are one "
		"topic");
	ASSERT_LOADS_WITH_SINK("protocols: {remote_write: {topic: otlp_logs_json}}\n");
}

Test(check_topics, opaque_bodies_have_a_topic_once_micromegas_is_on)
{
	ASSERT_LOADS_WITH_SINK("protocols: {opaque: {topic: otlp_logs}}\n");
	ASSERT_ONE_ERROR("protocols: {micromegas: {enabled: true}, opaque: {topic: otlp_logs}}\n",
	                 "'protocols.otlp.logs_topic' and 'protocols.opaque.topic' are one topic");
	/* Its own OTLP is as the native one, which may be off. */
	ASSERT_ONE_ERROR(
		"protocols: {micromegas: {enabled: true}, otlp: {enabled: false}, "
		"opaque: {topic: otlp_spans}}\n",
		"'protocols.otlp.traces_topic' and 'protocols.opaque.topic' are one topic");
}

Test(check_topics, dead_letters_and_usage_are_messages_of_their_own)
{
	ASSERT_ONE_ERROR("dead_letters: {enabled: true, topic: loki_push}\n",
	                 "'protocols.loki.topic' and 'dead_letters.topic' are one topic");
	ASSERT_ONE_ERROR("usage: {enabled: true, topic: loki_push}\n",
	                 "'protocols.loki.topic' and 'usage.topic' are one topic");
	ASSERT_ONE_ERROR(
		"usage: {enabled: true, topic: t}\ndead_letters: {enabled: true, topic: t}\n",
		"'dead_letters.topic' and 'usage.topic' are one topic");
	ASSERT_LOADS_WITH_SINK("usage: {topic: loki_push}\ndead_letters: {topic: loki_push}\n");
	ASSERT_LOADS_WITH_SINK("usage: {enabled: true}\ndead_letters: {enabled: true}\n");
}

static const char *route(const char *protocol, const char *topic, const char *more)
{
	static char text[400];

	snprintf(text, sizeof(text),
	         "routes:\n  - {name: x, path: /x, protocol: %s, topic: %s%s}\n", protocol, topic,
	         more);
	return text;
}

/* R2 */
Test(check_topics, a_route_sends_what_its_protocol_does)
{
	ASSERT_LOADS_WITH_SINK(route("otlp_logs", "otlp_logs", ""));
	ASSERT_LOADS_WITH_SINK(route("loki", "loki_push", ""));
	ASSERT_LOADS_WITH_SINK(route("remote_write", "prom_write", ""));
	ASSERT_LOADS_WITH_SINK(route("opaque", "blobs", ""));
	ASSERT_ONE_ERROR(route("opaque", "otlp_logs", ""),
	                 "3:50: error: 'protocols.otlp.logs_topic' and 'routes[0].topic' are one "
	                 "topic: a topic holds one kind of message\n");
	ASSERT_ONE_ERROR(route("otlp_traces", "otlp_logs", ""),
	                 "'protocols.otlp.logs_topic' and 'routes[0].topic' are one topic");
	/* It may be any of three, so it is none of them. */
	ASSERT_ONE_ERROR(route("otlp", "otlp_logs", ""),
	                 "'protocols.otlp.logs_topic' and 'routes[0].topic' are one topic");
	ASSERT_LOADS_WITH_SINK(route("otlp", "all", ""));
	ASSERT_ONE_ERROR(route("loki", "telemetry",
	                       "}\n  - {name: y, path: /y, protocol: opaque, "
	                       "topic: telemetry"),
	                 "4:50: error: 'routes[0].topic' and 'routes[1].topic' are one topic");
}

Test(check_topics, a_second_format_of_a_route_has_a_topic_with_a_suffix)
{
	ASSERT_LOADS_WITH_SINK(route("remote_write", "m", ""));
	ASSERT_ONE_ERROR(route("remote_write", "m",
	                       "}\n  - {name: y, path: /y, protocol: opaque, "
	                       "topic: m_v2"),
	                 "'routes[0].topic' with _v2 and 'routes[1].topic' are one topic");
	ASSERT_ONE_ERROR(route("otlp_logs", "m",
	                       ", json: separate}\n  - {name: y, path: /y, "
	                       "protocol: opaque, topic: m_json"),
	                 "'routes[0].topic' with _json and 'routes[1].topic' are one topic");
	ASSERT_LOADS_WITH_SINK(route("otlp_logs", "m",
	                             "}\n  - {name: y, path: /y, "
	                             "protocol: opaque, topic: m_json"));
	/* The word of the family counts where the route has none. */
	ASSERT_ONE_ERROR("protocols: {loki: {json: separate}}\n"
	                 "routes:\n  - {name: x, path: /x, protocol: loki, topic: m}\n"
	                 "  - {name: y, path: /y, protocol: opaque, topic: m_json}\n",
	                 "'routes[0].topic' with _json and 'routes[1].topic' are one topic");
	ASSERT_LOADS_WITH_SINK(
		"protocols: {loki: {json: separate}}\n"
		"routes:\n  - {name: x, path: /x, protocol: loki, topic: m, json: transcode}\n"
		"  - {name: y, path: /y, protocol: opaque, topic: m_json}\n");
	/* Where there is no JSON the word means nothing. */
	ASSERT_LOADS_WITH_SINK(route("opaque", "m",
	                             ", json: separate}\n  - {name: y, path: /y, "
	                             "protocol: loki, topic: m_json"));
}

/* ---- prefixes ---- */

Test(check_topics, a_prefix_has_the_tenant_once)
{
	static const char *const good[] = { "a.", "{tenant}", "{tenant}.", "a-{tenant}_b." };
	static const char *const bad[] = { "{",         "}",         "{tenant",
		                           "tenant}",   "{Tenant}",  "{tenant}{tenant}",
		                           "}{tenant}", "{tenant}.{" };
	char text[200], said[200];

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		snprintf(text, sizeof(text), "record: {topic_prefix: \"%s\"}\n", good[i]);
		ASSERT_LOADS_WITH_SINK(text);
		cr_assert_str_eq(conf->record.topic_prefix, good[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(text, sizeof(text), "record: {topic_prefix: \"%s\"}\n", bad[i]);
		snprintf(said, sizeof(said), "2:24: error: '%s' is no prefix of topics\n", bad[i]);
		ASSERT_ONE_ERROR(text, said);
		snprintf(text, sizeof(text), "routes: [{name: otlp_logs, topic_prefix: \"%s\"}]\n", bad[i]);
		snprintf(said, sizeof(said), "2:42: error: '%s' is no prefix of topics\n", bad[i]);
		ASSERT_ONE_ERROR(text, said);
	}
}

Test(check_topics, a_prefix_keeps_routes_apart)
{
	ASSERT_LOADS_WITH_SINK(route("opaque", "otlp_logs", ", topic_prefix: raw."));
	ASSERT_ONE_ERROR(route("opaque", "logs", ", topic_prefix: otlp_"),
	                 "'protocols.otlp.logs_topic' and 'routes[0].topic' are one topic");
	/* That of the record section stands before all but dead letters and usage. */
	ASSERT_LOADS_WITH_SINK(
		"record: {topic_prefix: a.}\nusage: {enabled: true, topic: otlp_logs}\n");
	ASSERT_ONE_ERROR("record: {topic_prefix: a.}\nusage: {enabled: true, topic: a.otlp_logs}\n",
	                 "'protocols.otlp.logs_topic' and 'usage.topic' are one topic");
	ASSERT_NOT_SAID("tenant");
	ASSERT_ONE_ERROR("record: {topic_prefix: a.}\nprotocols: {obstack: {enabled: true, "
	                 "topic: otlp_logs}}\n",
	                 "'protocols.otlp.logs_topic' and 'protocols.obstack.topic' are one topic");
}

/* The tenant `x_otlp` of the second has the topic of the tenant `x` of the first. */
Test(check_topics, no_tenants_id_makes_one_topic_of_two)
{
	static const char *const good[][2] = {
		{ "{tenant}.a", "{tenant}.b" },   { "{tenant}.a", "{tenant}.a.a" },
		{ "{tenant}_a", "{tenant}_b_b" }, { "a.{tenant}", "b.{tenant}" },
		{ "{tenant}.a", ".a" },           { "{tenant}.a", "x.y.a" },
		{ "a.{tenant}.a", "a.a" },        { "a.{tenant}.b", "a.b.{tenant}" },
	};
	static const char *const bad[][2] = {
		{ "{tenant}_logs", "{tenant}_otlp_logs" },
		{ "logs_{tenant}", "logs_x_{tenant}" },
		{ "a.{tenant}.b", "a.acme.b" },
		{ "{tenant}", "b" },
		{ "{tenant}", "x_{tenant}" },
		{ "a_{tenant}", "{tenant}_b" },
	};

	for (size_t i = 0; i < ARRAY_LEN(good) + ARRAY_LEN(bad); i++) {
		bool is_bad = i >= ARRAY_LEN(good);
		const char *const *pair = is_bad ? bad[i - ARRAY_LEN(good)] : good[i];
		struct template a = template_of(pair[0]), b = template_of(pair[1]);

		cr_expect_eq(may_be_one(&a, &b), is_bad, "%s %s", pair[0], pair[1]);
		cr_expect_eq(may_be_one(&b, &a), is_bad, "%s %s", pair[1], pair[0]);
	}
	ASSERT_LOADS_WITH_SINK("record: {topic_prefix: \"{tenant}_\"}\n");
	ASSERT_ONE_ERROR(
		"record: {topic_prefix: \"{tenant}_\"}\n"
		"protocols: {remote_write: {topic: logs}, otlp: {logs_topic: otlp_logs}}\n",
		"'protocols.otlp.logs_topic' and 'protocols.remote_write.topic' are one "
		"topic");
	ASSERT_SAID("  help: with some tenant's id in the prefix the one is the other\n");
}

/* The master leaves out tenants whose id does not fit (records.md 1). */
Test(check_topics, the_longest_topic_with_a_tenant_is_known)
{
	ASSERT_LOADS_WITH_SINK("record: {topic_prefix: a.}\n");
	cr_assert_eq(conf->tenant_topic_bytes, 0);
	ASSERT_LOADS_WITH_SINK("record: {topic_prefix: \"a.{tenant}.\"}\n");
	cr_assert_eq(conf->tenant_topic_bytes, strlen("a..prom_write_v2"));
	ASSERT_LOADS_WITH_SINK("protocols: {otlp: {json: separate}}\n"
	                       "routes: [{name: otlp_logs, topic_prefix: \"{tenant}.\"}]\n");
	cr_assert_eq(conf->tenant_topic_bytes, strlen(".otlp_logs_json"));
	ASSERT_LOADS_WITH_SINK(route("opaque", "blobs-of-the-app", ", topic_prefix: \"{tenant}\""));
	cr_assert_eq(conf->tenant_topic_bytes, strlen("blobs-of-the-app"));
}

Test(check_topics, an_id_of_more_than_150_bytes_is_none)
{
	char name[400];
	struct template t = template_of("{tenant}"), n;

	memset(name, 'a', sizeof(name));
	name[TENANT_ID_MAX] = '\0';
	n = template_of(name);
	cr_assert(may_be_one(&t, &n));
	name[TENANT_ID_MAX] = 'a';
	name[TENANT_ID_MAX + 1] = '\0';
	n = template_of(name);
	cr_assert_not(may_be_one(&t, &n));
}

Test(check_topics, a_name_with_its_prefix_has_249_bytes_at_most)
{
	char topic[250], text[700];

	memset(topic, 'a', sizeof(topic));
	topic[240] = '\0';
	for (int more = 0; more < 2; more++) {
		const char *nine = more ? "0123456789" : "012345678";

		for (int tenant = 0; tenant < 2; tenant++) {
			snprintf(text, sizeof(text),
			         "record: {topic_prefix: \"%s%s\"}\nprotocols: {loki: {topic: "
			         "%s}}\n",
			         nine + tenant, tenant ? "{tenant}" : "", topic);
			if (more)
				ASSERT_ONE_ERROR(text,
				                 "3:27: error: 'protocols.loki.topic' is over "
				                 "249 bytes with what stands before it\n");
			else
				ASSERT_LOADS_WITH_SINK(text);
		}
	}
}
