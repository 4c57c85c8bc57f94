/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/check_models.c"

#include "tests/unit/conf/load_helper.h"

static void opens(void)
{
	folder_new();
	cr_assert_eq(mkdir(file_path("m"), 0755), 0);
}
TestSuite(check_models, .init = opens, .fini = folder_free);

/* A model file of that name; more: further members. */
static void model(const char *file, const char *name, const char *more)
{
	char text[1000], path[64];

	snprintf(path, sizeof(path), "m/%s", file);
	snprintf(text, sizeof(text),
	         "{\"name\":\"%s\",%s\"columns\":[{\"name\":\"id\",\"data_type\":\"String\","
	         "\"required\":true}]}",
	         name, more);
	put(path, text);
}

/* The folder, and what else is configured. */
static const char *with(const char *models, const char *rest)
{
	static char text[1000];

	snprintf(text, sizeof(text), "protocols: {models: {dir: \"%s/m\"%s%s}%s}\n", dir,
	         *models ? ", " : "", models, rest);
	return text;
}

Test(check_models, files_are_read_in_bytewise_order)
{
	const struct conf_files *files;

	model("b.json", "b", "");
	model("B.json", "first", "");
	model("\xc3\xa4.json", "ae", "");
	put("m/a.json.bak", "nonsense");
	put("m/.c.json", "nonsense");
	put("m/json", "nonsense");
	ASSERT_LOADS_WITH_SINK(with("", ""));
	files = &conf->protocols.models.dir;
	cr_assert_eq(files->n, 3);
	cr_assert_str_eq(files->v[0].path, file_path("m/B.json"));
	cr_assert_str_eq(files->v[1].path, file_path("m/b.json"));
	cr_assert_str_eq(files->v[2].path, file_path("m/\xc3\xa4.json"));
	cr_assert_not_null(memmem(files->v[0].content.p, files->v[0].content.n, "\"first\"", 7));
}

Test(check_models, the_default_folder_may_be_missing_another_may_not)
{
	char text[400];

	ASSERT_LOADS_WITH_SINK("");
	cr_assert_str_eq(conf->protocols.models.dir.path, "/etc/headgate/models");
	ASSERT_ONE_ERROR("protocols: {models: {dir: /nowhere/models}}\n",
	                 "2:27: error: can't read the folder '/nowhere/models': No such file or "
	                 "directory\n");
	ASSERT_LOADS_WITH_SINK("protocols: {models: {dir: \"\"}}\n");
	cr_assert_eq(conf->protocols.models.dir.n, 0);
	put("file", "x");
	snprintf(text, sizeof(text), "protocols: {models: {dir: %s}}\n", file_path("file"));
	ASSERT_ONE_ERROR(text, "can't read the folder 'file': Not a directory\n");
}

Test(check_models, the_samples_are_models)
{
	autofree char *samples = realpath("conf/models", NULL);
	char text[4200];

	cr_assert_not_null(samples);
	snprintf(text, sizeof(text), "protocols: {models: {dir: \"%s\"}}\n", samples);
	ASSERT_LOADS_WITH_SINK(text);
	cr_assert_geq(conf->protocols.models.dir.n, 1);
}

Test(check_models, an_empty_folder_is_no_model)
{
	ASSERT_LOADS_WITH_SINK(with("", ""));
	cr_assert_eq(conf->protocols.models.dir.n, 0);
}

Test(check_models, what_is_not_enabled_is_not_read)
{
	put("m/a.json", "nonsense");
	ASSERT_LOADS_WITH_SINK(with("enabled: false", ""));
	ASSERT_LOADS_WITH_SINK("protocols: {models: {enabled: false, dir: /nowhere}}\n");
	offline = true;
	ASSERT_LOADS_WITH_SINK(with("", ""));
	offline = false;
}

Test(check_models, a_bad_file_is_named_with_the_place_in_it)
{
	put("m/a.json", "{\"name\":\"a\",\n \"columns\":}");
	ASSERT_ONE_ERROR(with("", ""), "\nm/a.json: error: line 2, column 12: ");
	put("m/a.json", "{\"name\":\"a\",\"columns\":[{\"name\":\"x\",\"data_type\":\"Strin\","
	                "\"required\":true}]}");
	ASSERT_ONE_ERROR(with("", ""), "\nm/a.json: error: column x: ");
	model("b.json", "b", "");
	put("m/c.json", "[]");
	cr_assert_null(load_with_sink(with("", "")));
	cr_assert_eq(report.errors, 2, "%s", got);
	ASSERT_SAID("\nm/c.json: error: ");
	cr_assert_eq(remove(file_path("m/a.json")), 0);
	cr_assert_eq(remove(file_path("m/c.json")), 0);
	cr_assert_eq(mkdir(file_path("m/a.json"), 0755), 0);
	ASSERT_ONE_ERROR(with("", ""), "2:27: error: 'm/a.json' is no regular file\n");
}

Test(check_models, a_file_has_a_mebibyte_at_most)
{
	static char text[MIB + 2];
	static const char json[] = "{\"name\":\"a\",\"columns\":[{\"name\":\"x\","
				   "\"data_type\":\"Json\",\"required\":true}]}";

	memset(text, ' ', sizeof(text) - 1);
	memcpy(text, json, sizeof(json) - 1);
	text[MIB] = '\0';
	put("m/a.json", text);
	ASSERT_LOADS_WITH_SINK(with("", ""));
	cr_assert_eq(conf->protocols.models.dir.v[0].content.n, MIB);
	text[MIB] = ' ';
	put("m/a.json", text);
	ASSERT_ONE_ERROR(with("", ""), "can't read the file 'm/a.json': File too large\n");
}

Test(check_models, a_folder_has_1024_files_at_most)
{
	char file[32];

	for (int i = 0; i < 1024; i++) {
		snprintf(file, sizeof(file), "n%04d.json", i);
		model(file, file, "");
	}
	put("m/readme", "not a model");
	ASSERT_LOADS_WITH_SINK(with("", ""));
	cr_assert_eq(conf->protocols.models.dir.n, 1024);
	model("n1024.json", "x", "");
	ASSERT_ONE_ERROR(with("", ""), "2:27: error: the folder 'm' holds more than 1024 files");
}

Test(check_models, a_model_and_version_is_there_once)
{
	model("a.json", "UserEvent", "\"version\":\"1.0\",");
	model("b.json", "UserEvent", "\"version\":\"1.1\",");
	model("c.json", "UserEvent", "");
	ASSERT_LOADS_WITH_SINK(with("", ""));
	model("d.json", "UserEvent", "\"version\":\"1.1\",\"path\":\"x\",");
	ASSERT_ONE_ERROR(
		with("", ""),
		"\nm/d.json: error: the model 'UserEvent' version '1.1' is also in 'm/b.json'\n");
	model("d.json", "UserEvent", "\"path\":\"x\",");
	ASSERT_ONE_ERROR(with("", ""),
	                 "\nm/d.json: error: the model 'UserEvent' is also in 'm/c.json'\n");
}

Test(check_models, copies_of_a_model_are_one_error_each)
{
	char name[32];

	for (int i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "%d.json", i);
		model(name, "e", "");
	}
	cr_assert_null(load_with_sink(with("", "")));
	cr_assert_eq(report.errors, 4, "%s", got);
}

/* C7: the whole path is matched, the case of letters ignored */
Test(check_models, a_path_is_that_of_one_model)
{
	model("a.json", "UserEvent", "\"version\":\"1.0\",");
	model("b.json", "userevent", "");
	ASSERT_LOADS_WITH_SINK(with("", ""));
	model("c.json", "userEVENT", "\"version\":\"1.0\",");
	ASSERT_ONE_ERROR(with("", ""),
	                 "\nm/c.json: error: the path 'ingest/userEVENT/1.0' is also that "
	                 "of 'm/a.json'\n");
	model("c.json", "x", "\"path\":\"UserEvent\",\"version\":\"1.0\",");
	ASSERT_ONE_ERROR(with("", ""),
	                 "the path 'ingest/UserEvent/1.0' is also that of 'm/a.json'\n");
	model("c.json", "x", "\"path\":\"userevent/1.0\",\"version\":\"1.0\",");
	ASSERT_ONE_ERROR(with("", ""),
	                 "the path 'ingest/userevent/1.0' is also that of 'm/a.json'\n");
	model("c.json", "x", "\"path\":\"USEREVENT\",");
	ASSERT_ONE_ERROR(with("", ""), "the path 'ingest/USEREVENT' is also that of 'm/b.json'\n");
	model("c.json", "x", "\"path\":\"userevent/x\",");
	ASSERT_LOADS_WITH_SINK(with("", ""));
}

/* The version is a segment of its own: v1 does not end with 1, and 11 does not either. */
Test(check_models, a_path_whose_last_segment_ends_like_the_version_is_no_twin)
{
	model("a.json", "x", "\"path\":\"a/v1\",\"version\":\"1\",");
	model("b.json", "y", "\"path\":\"a/v1\",");
	ASSERT_LOADS_WITH_SINK(with("", ""));
	model("b.json", "y", "\"path\":\"a/v1/1\",");
	ASSERT_ONE_ERROR(with("", ""), "the path 'ingest/a/v1/1' is also that of 'm/a.json'\n");
}

Test(check_models, topics_have_249_bytes_with_all_that_stands_before)
{
	char name[201], version[201], more[300];

	memset(name, 'n', 200);
	memset(version, '1', 200);
	name[200] = version[48] = '\0'; /* 200 + _ + 48 */
	snprintf(more, sizeof(more), "\"version\":\"%s\",", version);
	model("a.json", name, more);
	ASSERT_LOADS_WITH_SINK(with("", ""));
	ASSERT_ONE_ERROR(with("namespace: n", ""),
	                 "\nm/a.json: error: the model 'm/a.json' is over 249 bytes with what "
	                 "stands before it\n");
}

/* compatibility.md 1.5: fixed paths go before those of models */
Test(check_models, with_obstack_some_names_are_taken)
{
	static const char on[] = ", obstack: {enabled: true}";

	model("a.json", "OTLP", "");
	ASSERT_LOADS_WITH_SINK(with("", ""));
	ASSERT_ONE_ERROR(with("", on),
	                 "\nm/a.json: error: with 'protocols.obstack.enabled' no model is "
	                 "'otlp'\n");
	model("a.json", "Prometheus", "\"version\":\"1\",\"path\":\"x\",");
	ASSERT_ONE_ERROR(with("", on), "no model is 'prometheus'\n");
	model("a.json", "x", "\"path\":\"otlp/v1/traces\",");
	ASSERT_ONE_ERROR(with("", on), "no model is 'otlp'\n");
	model("a.json", "otlp2", "");
	ASSERT_LOADS_WITH_SINK(with("", on));
}

/* R2, C15 */
Test(check_models, topics_of_models_are_compared_with_the_others)
{
	model("a.json", "UserEvent", "\"version\":\"1.0\",");
	ASSERT_ONE_ERROR(
		with("", ", loki: {topic: UserEvent_1_0}"),
		"\nm/a.json: error: 'protocols.loki.topic' and the model 'm/a.json' are one "
		"topic: a topic holds one kind of message\n");
	ASSERT_LOADS_WITH_SINK(with("namespace: ns", ", loki: {topic: UserEvent_1_0}"));
	ASSERT_ONE_ERROR(with("namespace: ns", ", loki: {topic: ns.UserEvent_1_0}"),
	                 "are one topic");
	model("a.json", "UserEvent", "\"version\":\"1.0\",\"topic\":\"T\",");
	ASSERT_ONE_ERROR(with("namespace: ns", ", loki: {topic: ns.T}"), "are one topic");
	/* Models share a topic if their records look alike. */
	model("b.json", "Other", "\"topic\":\"T\",");
	ASSERT_LOADS_WITH_SINK(with("", ""));
	model("b.json", "Other", "\"topic\":\"T\",\"schema_id\":7,");
	ASSERT_ONE_ERROR(with("", ""),
	                 "\nm/b.json: error: the model 'm/a.json' and the model 'm/b.json' "
	                 "are one topic");
}

static const char *prefixed(const char *usage_topic)
{
	static char text[1000];

	snprintf(text, sizeof(text),
	         "record: {topic_prefix: p.}\nusage: {enabled: true, topic: %s}\n%s", usage_topic,
	         with("", ""));
	return text;
}

Test(check_models, the_prefix_stands_before_topics_of_models_but_not_of_their_dead_letters)
{
	model("a.json", "a", "\"dead_letter_queue\":\"aDeadLetterQueue\",");
	model("b.json", "b", "\"dead_letter_queue\":\"aDeadLetterQueue\",");
	ASSERT_LOADS_WITH_SINK(with("", ""));
	cr_assert_eq(remove(file_path("m/b.json")), 0);
	ASSERT_ONE_ERROR(with("namespace: ns", ", loki: {topic: aDeadLetterQueue}"),
	                 "'protocols.loki.topic' and the dead letters of 'm/a.json' are one topic");
	ASSERT_ONE_ERROR(prefixed("p.a"), "'usage.topic' and the model 'm/a.json' are one topic");
	ASSERT_ONE_ERROR(prefixed("aDeadLetterQueue"),
	                 "'usage.topic' and the dead letters of 'm/a.json' are one topic");
	ASSERT_LOADS_WITH_SINK(prefixed("a"));
	ASSERT_LOADS_WITH_SINK(prefixed("p.aDeadLetterQueue"));
}

Test(check_models, a_path_prefix_is_a_path)
{
	static const char *const bad[] = { "a", "/", "/a/", "a/", "//a", "/a//b", "/a b", "/a?b" };
	char text[200], said[200];

	ASSERT_LOADS_WITH_SINK("protocols: {models: {path_prefix: /a/b}}\n");
	ASSERT_LOADS_WITH_SINK("protocols: {models: {path_prefix: \"\"}}\n");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(text, sizeof(text), "protocols: {models: {path_prefix: \"%s\"}}\n",
		         bad[i]);
		snprintf(said, sizeof(said), "2:35: error: '%s' is no path\n", bad[i]);
		ASSERT_ONE_ERROR(text, said);
	}
}
