/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/prefixes.c"

#include "tests/unit/conf/load_helper.h"

TestSuite(prefixes, .init = folder_new, .fini = folder_free);

static bool allowed(const char *prefix)
{
	return prefix_rules_allow(&conf->prefixes, bytes_str(prefix));
}

Test(prefixes, as_a_rule_a_prefix_is_only_to_leave_room_for_the_longest_name)
{
	char topic[250], text[400];

	ASSERT_LOADS_WITH_SINK("");
	cr_expect_eq(conf->prefixes.n, 0u);
	cr_expect_eq(conf->prefixes.name_bytes, strlen("prom_write_v2"));
	cr_expect(allowed("a.") && allowed("...") && allowed("otlp_"));
	cr_expect(!allowed("") && !allowed("{tenant}.") && !allowed("a/b"));
	memset(topic, 't', sizeof(topic));
	topic[200] = '\0';
	snprintf(text, sizeof(text), "protocols: {loki: {topic: %s}}\n", topic);
	ASSERT_LOADS_WITH_SINK(text);
	topic[50] = '\0';
	cr_expect(!allowed(topic));
	cr_expect(allowed(topic + 1));
}

/* records.md 1: not "." and not ".." */
Test(prefixes, two_dots_are_no_topic)
{
	ASSERT_LOADS_WITH_SINK("record: {topic_prefix: a}\nprotocols: {loki: {topic: .}}\n");
	cr_expect(!allowed("."));
	cr_expect(allowed("..") && allowed("a"));
}

static void with_blobs(const char *topic, const char *prefix, const char *more)
{
	char text[400];

	snprintf(text, sizeof(text),
	         "routes: [{name: x, path: /x, protocol: opaque, topic: \"%s\", topic_prefix: "
	         "\"%s\"}]\n%s",
	         topic, prefix, more);
	ASSERT_LOADS_WITH_SINK(text);
}

/* R2, whosever the prefix */
Test(prefixes, what_makes_a_topic_of_the_configuration_that_holds_another_kind_is_refused)
{
	with_blobs("logs", "blobs.", "");
	cr_expect(!allowed("otlp_")); /* otlp_logs */
	cr_expect(allowed("otlp") && allowed("otlp_x"));
	cr_expect(allowed("blobs.")); /* its own */
	with_blobs("a.otlp_logs", "", "");
	cr_expect(!allowed("a."));
	cr_expect(allowed("b."));
	/* Such that take no prefix too. */
	ASSERT_LOADS_WITH_SINK("dead_letters: {enabled: true, topic: dead_otlp_logs}\n"
	                       "usage: {enabled: true, topic: u.loki_push}\n");
	cr_expect(!allowed("dead_") && !allowed("u."));
	cr_expect(allowed("dead") && allowed("u"));
}

Test(prefixes, of_one_kind_two_may_be_one)
{
	ASSERT_LOADS_WITH_SINK("routes: [{name: x, path: /x, protocol: otlp_logs, topic: "
	                       "a.otlp_logs}]\n");
	cr_expect(allowed("a."));
	cr_expect_eq(conf->prefixes.n, 0u);
}

Test(prefixes, what_another_tenant_s_prefix_could_make_a_topic_of_another_kind_is_refused)
{
	with_blobs("logs", "blobs.", "");
	cr_expect(!allowed("a.otlp_")); /* of a tenant with `a.`: its otlp_logs */
	cr_expect(allowed("a.otlp") && allowed("otlp_a"));
}

Test(prefixes, where_the_names_of_two_kinds_are_one_no_prefix_is_taken)
{
	with_blobs("otlp_logs", "blobs.", "");
	cr_expect(conf->prefixes.none);
	cr_expect(!allowed("a.") && !allowed("blobs."));
}

Test(prefixes, what_some_tenant_s_id_makes_a_topic_of_another_kind_is_refused)
{
	/* head + id + tail is the prefix + the name, and the id ends before the name, */
	with_blobs("raw", "", "record: {topic_prefix: \"t-{tenant}.\"}\n");
	cr_expect(allowed("t-acme."));
	with_blobs("logs", "b.{tenant}.otlp_", "");
	cr_expect(!allowed("b.acme."));
	cr_expect(allowed("b..") && allowed("b.a.b.") && allowed("c.acme."));
	/* within it, */
	with_blobs("s", "b.{tenant}_log", "");
	cr_expect(!allowed("b.") && !allowed("b.acme_") && !allowed("b.x"));
	cr_expect(allowed("b") && allowed("b.a.") && allowed("c."));
	/* or behind where it begins. */
	with_blobs("gs", "a.ot{tenant}lo", "");
	cr_expect(!allowed("a.") && allowed("a.o") && allowed("b."));
}

/* The same against what the topics are, for any prefix and any pair. */
Test(prefixes, what_is_allowed_makes_no_topic_of_two_kinds)
{
	static const char *const names[] = { "a", "b", "ab", "ba", "a.b", "_a" };
	static const char *const prefixes[] = { "",         "a",          "b.",
		                                "{tenant}", "a{tenant}.", "b{tenant}_" };
	static const char *const ids[] = { "a", "b", "ab", "_", "a_b" };
	static const char *const own[] = { "a",  "b",  "a.",  "b.",  "ab",  "ba",  "_",  "a_",
		                           "aa", "bb", "a.b", "ab.", "aab", "ba_", "b_", "aa." };
	unsigned refused = 0, let_in = 0;

	for (size_t i = 0; i < ARRAY_LEN(names) * ARRAY_LEN(names); i++)
		for (size_t k = 0; k < ARRAY_LEN(prefixes); k++) {
			const char *plain = names[i % ARRAY_LEN(names)],
				   *blob = names[i / ARRAY_LEN(names)];
			struct conf_origins origins = { 0 };
			struct topic_use uses[2] = {
				{ .topic = plain, .kind = "one", .name = plain },
				{ .topic = NULL, .kind = "two", .name = blob },
			};
			char topic[64], x[64], y[64];
			struct pool *pool = pool_new(4096);
			struct conf made = { .disable_auth = false };
			struct loader l = { .conf = &made,
				            .pool = pool,
				            .origins = &origins,
				            .uses = uses,
				            .use_count = 2 };

			snprintf(topic, sizeof(topic), "%s%s", prefixes[k], blob);
			uses[1].topic = topic;
			prefix_rules_make(&l);
			for (size_t o = 0; o < ARRAY_LEN(own); o++) {
				bool meet = false;
				struct bytes prefix = bytes_str(own[o]);

				if (!prefix_rules_allow(&made.prefixes, prefix)) {
					refused++;
					continue;
				}
				let_in++;
				snprintf(x, sizeof(x), "%s%s", own[o], plain);
				snprintf(y, sizeof(y), "%s%s", own[o], blob);
				meet = strcmp(x, y) == 0 || strcmp(y, plain) == 0;
				for (size_t id = 0; id < ARRAY_LEN(ids); id++) {
					const char *at = strstr(topic, tenant_word);
					char z[64];

					snprintf(z, sizeof(z), "%.*s%s%s",
					         at ? (int)(at - topic) : (int)strlen(topic), topic,
					         at ? ids[id] : "",
					         at ? at + strlen(tenant_word) : "");
					meet |= strcmp(x, z) == 0;
				}
				for (size_t other = 0; other < ARRAY_LEN(own); other++) {
					char z[64];

					snprintf(z, sizeof(z), "%s%s", own[other], blob);
					meet |= strcmp(x, z) == 0 &&
					        prefix_rules_allow(&made.prefixes,
					                           bytes_str(own[other]));
				}
				cr_expect_not(meet, "%s before %s and %s, or %s", own[o], plain,
				              blob, topic);
			}
			pool_free(pool);
		}
	cr_expect_gt(refused, 100u);
	cr_expect_gt(let_in, 1000u);
}

Test(prefixes, a_copy_has_memory_of_its_own_and_is_the_same)
{
	struct conf *copy = conf_new();

	with_blobs("logs", "b.{tenant}.", "");
	cr_expect_not(prefix_rules_same(&conf->prefixes, &copy->prefixes));
	conf_take_imported(copy, conf);
	cr_expect(prefix_rules_same(&conf->prefixes, &copy->prefixes));
	conf_free(conf);
	conf = copy;
	cr_expect_gt(conf->prefixes.n, 0u);
	cr_expect(!allowed("a.otlp_"));
	conf = NULL;
	conf_free(copy);
}

static bool has_topics(const char *id, const char *prefix)
{
	return tenant_has_topics(&conf->prefixes, conf->tenant_topic_bytes, bytes_str(id),
	                         bytes_str(prefix));
}

Test(prefixes, without_one_a_tenants_id_makes_its_topics)
{
	char id[200], name[200], text[400];

	memset(id, 'i', sizeof(id));
	ASSERT_LOADS_WITH_SINK("");
	cr_expect(has_topics("a.b", "") && has_topics("(a)", ""), "which stands in none here");
	ASSERT_LOADS_WITH_SINK("record: {topic_prefix: \"{tenant}.\"}\n");
	cr_expect(has_topics("a-b", "") && !has_topics("a.b", "") && !has_topics("(a)", ""));
	cr_expect(has_topics("a.b", "ab.") && !has_topics("a", "a/"));
	id[TENANT_ID_MAX] = '\0';
	cr_expect(has_topics(id, ""));
	memset(name, 't', 152);
	name[152] = '\0';
	snprintf(text, sizeof(text),
	         "record: {topic_prefix: \"{tenant}\"}\nprotocols: {loki: {topic: %s}}\n", name);
	ASSERT_LOADS_WITH_SINK(text);
	id[97] = '\0';
	cr_expect(has_topics(id, ""));
	id[97] = 'i', id[98] = '\0';
	cr_expect(!has_topics(id, ""));
}
