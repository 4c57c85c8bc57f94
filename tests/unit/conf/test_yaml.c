/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/yaml.c"

#include "tests/unit/conf/load_helper.h"

TestSuite(yaml, .init = folder_new, .fini = folder_free);

/* O1: the page's text byte for byte, but for the folder; the included file is read in its order. */
Test(yaml, the_example_of_the_manual_comes_out_byte_for_byte)
{
	put("conf.d/10-listen.yaml", "# where clients connect\nlisteners:\n- name: public\n"
	                             "  listne: 0.0.0.0:4318\n");
	cr_assert_null(load_text("sink: kafka\nkafka: {brokers: [localhost:9092]}\n"));
	cr_assert_str_eq(got, "conf.d/10-listen.yaml:4:3: error: unknown key 'listne' "
	                      "(did you mean 'listen'?)\n"
	                      "    4 |   listne: 0.0.0.0:4318\n"
	                      "      |   ^~~~~~\n"
	                      "  help: keys allowed here: allowed_origins, dialect, listen, "
	                      "max_connections, max_connections_per_source, name, tls, "
	                      "trusted_proxies\n"
	                      "1 error, 0 warnings: configuration not applied\n");
}

/* O1 */
Test(yaml, six_faults_in_two_included_files_are_six_messages_in_order)
{
	static const char *const expected[] = {
		"conf.d/1.yaml:1:10: error: ", "conf.d/1.yaml:2:1: error: ",
		"conf.d/1.yaml:3:10: error: ", "conf.d/2.yaml:1:17: error: ",
		"conf.d/2.yaml:2:7: error: ",  "conf.d/2.yaml:2:25: error: ",
	};
	const char *at = got;
	size_t carets = 0;

	put("conf.d/2.yaml", "limits: {depth: 5}\nlog: {levle: 1, format: xml}\n");
	put("conf.d/1.yaml", "workers: none\nlisten: x\nrecord: {a: 1}\n");
	cr_assert_null(load_text("sink: kafka\nkafka: {brokers: [\"localhost:9092\"]}\n"));
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		at = strstr(at, expected[i]);
		cr_assert_not_null(at, "%s in %s", expected[i], got);
	}
	for (const char *p = got; (p = strstr(p, "\n      | ")); p++)
		carets++;
	cr_assert_eq(carets, 6, "%s", got);
	ASSERT_SAID("\n6 errors, 0 warnings: configuration not applied\n");
}

/* O1 */
Test(yaml, a_hint_ends_at_distance_2)
{
	ASSERT_ONE_ERROR(
		"limitss: {}\n",
		"headgate.yaml:2:1: error: unknown key 'limitss' (did you mean 'limits'?)\n");
	ASSERT_ONE_ERROR("limitssss: {}\n", "headgate.yaml:2:1: error: unknown key 'limitssss'\n");
	ASSERT_SAID(
		"  help: keys allowed here: admin, audit, auth, compat, control, dead_letters, "
		"http, import_env, include, kafka, limits, listeners, local, log, metrics, "
		"protocols, record, routes, sandbox, sink, spool, tenants, tls, usage, workers\n");
}

/* O2 */
Test(yaml, each_trick_of_yaml_is_one_error_at_its_place)
{
	ASSERT_ONE_ERROR("workers: 1\nlog: {}\nworkers: 2\n",
	                 "headgate.yaml:4:1: error: duplicate key 'workers': first at ");
	ASSERT_SAID("headgate.yaml:2:1\n");
	ASSERT_ONE_ERROR("workers: &a 1\n",
	                 "headgate.yaml:2:10: error: anchors (&) are not allowed\n");
	ASSERT_ONE_ERROR("workers: *a\n", "headgate.yaml:2:10: error: aliases are not allowed\n");
	ASSERT_ONE_ERROR("log:\n  <<: *a\n",
	                 "headgate.yaml:3:3: error: merge keys (<<) are not allowed\n");
	ASSERT_ONE_ERROR("workers: !!int 1\n",
	                 "headgate.yaml:2:10: error: tags (!) are not allowed\n");
	ASSERT_ONE_ERROR("---\nworkers: 1\n",
	                 "headgate.yaml:2:1: error: a second document is not allowed\n");
	ASSERT_ONE_ERROR("log:\n\tlevel: info\n",
	                 "headgate.yaml:3:1: error: a tab cannot stand here\n");
	ASSERT_ONE_ERROR("kafka:\n  client_id: no\n",
	                 "headgate.yaml:3:14: error: 'no' is not taken as a text");
	ASSERT_ONE_ERROR(
		"tenants:\n  poll: 30\n",
		"headgate.yaml:3:9: error: 'tenants.poll' cannot be '30': a duration needs a unit");
}

Test(yaml, an_empty_file_is_the_default_tree_with_the_local_sink)
{
	cr_assert_not_null(load_text(""), "%s", got);
	cr_assert_eq(conf->sink, SINK_LOCAL);
	cr_assert_str_eq(conf->local.dir, "/var/lib/headgate/local");
	cr_assert_eq(conf->local.max_bytes, 1024 * MIB);
	cr_assert_eq(conf->local.min_free, 5);
}

Test(yaml, a_bad_file_ends_alone)
{
	put("conf.d/1.yaml", "a: [\n");
	put("conf.d/2.yaml", "workers: 300\n");
	cr_assert_null(load_text("limits: {depth: 1}\n"));
	cr_assert_eq(report.errors, 3, "%s", got);
	ASSERT_SAID("conf.d/1.yaml:2:1: error: YAML: ");
	ASSERT_SAID("conf.d/2.yaml:1:10: error: ");
	ASSERT_NOT_SAID("'sink'"); /* it may stand in the file that could not be read */
}

Test(yaml, a_missing_file_is_one_error)
{
	cr_assert_null(load());
	cr_assert_str_eq(got,
	                 "headgate.yaml: error: can't read this file: No such file or directory\n"
	                 "1 error, 0 warnings: configuration not applied\n");
}

Test(yaml, a_list_is_no_configuration)
{
	cr_assert_null(load_text("- a\n"));
	ASSERT_SAID("headgate.yaml:1:1: error: a map is expected here, not a list\n");
}

Test(yaml, a_section_with_nothing_in_it_is_fine)
{
	ASSERT_LOADS("sink: discard\nkafka:\nlimits: {}\n");
	cr_assert_null(load_text("sink: discard\nkafka: x\n"));
	ASSERT_SAID("headgate.yaml:2:8: error: 'kafka' must be a map, not a single value\n");
}

Test(yaml, a_path_is_no_key)
{
	ASSERT_ONE_ERROR("limits.depth: 50\n",
	                 "headgate.yaml:2:1: error: unknown key 'limits.depth'\n");
}

/* ---- include ---- */

Test(yaml, included_files_come_in_bytewise_order_and_maps_are_merged)
{
	put("conf.d/b.yaml", "auth: {token_headers: [X-B]}\n");
	put("conf.d/A.yaml", "auth: {token_headers: [X-A]}\nlog: {level: warn}\n");
	put("conf.d/ignored.txt", "nonsense: [");
	put("conf.d/10.yaml",
	    "log: {format: json}\nlisteners: [{name: two, listen: 127.0.0.1:2}]\n");
	ASSERT_LOADS("sink: discard\nauth: {token_headers: [X-Main]}\n"
	             "listeners: [{name: one, listen: 127.0.0.1:1}]\n");
	cr_assert_eq(conf->auth.token_headers.n, 3);
	cr_assert_str_eq(conf->auth.token_headers.v[0], "X-Main");
	cr_assert_str_eq(conf->auth.token_headers.v[1], "X-A");
	cr_assert_str_eq(conf->auth.token_headers.v[2], "X-B");
	cr_assert_eq(conf->log.level, CONF_LOG_WARN);
	cr_assert_eq(conf->log.format, CONF_JSON);
	cr_assert_eq(conf->listeners.n, 2);
	cr_assert_str_eq(conf->listeners.v[0].name, "one");
	cr_assert_str_eq(conf->listeners.v[1].name, "two");
}

Test(yaml, a_scalar_in_two_files_is_an_error_naming_both)
{
	char want[300];

	put("conf.d/1.yaml", "log:\n  level: warn\n");
	put("conf.d/2.yaml", "log:\n  level: warn\n");
	cr_assert_null(load_with_sink(""));
	cr_assert_eq(report.errors, 1, "%s", got);
	snprintf(want, sizeof(want),
	         "conf.d/2.yaml:2:3: error: 'log.level' is set twice: first at "
	         "conf.d/1.yaml:2:10\n");
	ASSERT_SAID(want);
}

Test(yaml, a_list_that_is_not_appended_in_two_files_is_an_error)
{
	put("conf.d/1.yaml", "kafka: {brokers: [a:1]}\n");
	cr_assert_null(load_text("sink: kafka\nkafka: {brokers: [b:1]}\n"));
	cr_assert_eq(report.errors, 1, "%s", got);
	ASSERT_SAID("conf.d/1.yaml:1:9: error: 'kafka.brokers' is set twice: first at "
	            "headgate.yaml:2:18\n");
}

Test(yaml, include_is_relative_to_the_file_and_may_be_off)
{
	put("conf.d/1.yaml", "workers: 300\n");
	put("other.yaml", "workers: 7\n");
	ASSERT_LOADS_WITH_SINK("include: \"\"\n");
	cr_assert_eq(conf->workers, 0);
	ASSERT_LOADS_WITH_SINK("include: other.yaml\n");
	cr_assert_eq(conf->workers, 7);
	set("include", "");
	ASSERT_LOADS_WITH_SINK("include: other.yaml\n");
	cr_assert_eq(conf->workers, 0);
}

Test(yaml, an_absolute_pattern_is_taken_as_it_is)
{
	char text[300];

	put("other.yaml", "workers: 7\n");
	snprintf(text, sizeof(text), "include: %s\n", file_path("oth*.yaml"));
	ASSERT_LOADS_WITH_SINK(text);
	cr_assert_eq(conf->workers, 7);
}

Test(yaml, include_is_one_level_deep)
{
	put("conf.d/1.yaml", "include: x.yaml\n");
	cr_assert_null(load_with_sink(""));
	cr_assert_eq(report.errors, 1);
	ASSERT_SAID("conf.d/1.yaml:1:1: error: an included file cannot include others\n");
}

Test(yaml, a_file_that_is_named_must_be_there_a_pattern_may_match_none)
{
	ASSERT_ONE_ERROR("include: gone.yaml\n",
	                 "headgate.yaml:2:10: error: the included file does not exist\n");
	ASSERT_LOADS_WITH_SINK("include: gone/*.yaml\n");
}

Test(yaml, what_is_special_in_the_folders_name_is_no_pattern)
{
	char was[64];

	strcpy(was, dir);
	cr_assert_eq(mkdir(file_path("a[b]*"), 0755), 0);
	strcpy(dir, file_path("a[b]*"));
	cr_assert_eq(mkdir(file_path("conf.d"), 0755), 0);
	put("conf.d/1.yaml", "workers: 7\n");
	ASSERT_LOADS_WITH_SINK("");
	cr_assert_eq(conf->workers, 7);
	strcpy(dir, was);
}

/* ---- what stays ---- */

Test(yaml, warnings_alone_still_give_a_configuration)
{
	ASSERT_LOADS("sink: discard\n");
	cr_assert_eq(report.warnings, 1);
	ASSERT_SAID("headgate.yaml:1:7: warning: 'sink: discard' stores nothing");
	ASSERT_SAID("\n0 errors, 1 warning: configuration is good\n");
}

Test(yaml, nothing_to_say_is_no_text)
{
	ASSERT_LOADS("sink: kafka\nkafka: {brokers: [\"localhost:9092\"]}\n");
	cr_assert_str_eq(got, "");
}

Test(yaml, a_report_serves_one_load_after_the_other)
{
	ASSERT_LOADS_WITH_SINK("");
	cr_assert_null(load_text("x: 1\n"));
	ASSERT_LOADS_WITH_SINK("");
	ASSERT_NOT_SAID("unknown key");
}

/* O6: the shipped sample is what it says: the defaults, and a sink that runs. */
Test(yaml, the_sample_has_the_defaults)
{
	struct conf_load_in in = { .file = "conf/headgate.yaml", .offline = true };
	struct buf out;

	conf = conf_load(&in, &report);
	cr_assert_not_null(conf, "%.*s", (int)report.text.n, report.text.p);
	cr_assert_eq(report.warnings, 0);
	buf_init(&out, 4000);
	conf_dump(conf, &report, CONF_DUMP_DIFF, &out);
	cr_assert_eq(out.n, 0, "%.*s", (int)out.n, out.p);
	buf_done(&out);
}
