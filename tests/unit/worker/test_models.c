/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/models.c"

#include <criterion/criterion.h>

enum { FILES_MAX = 12 };

static struct conf_file files[FILES_MAX];
static struct conf conf;

#define FILE_OF(members) "{" members ",\"columns\":[]}"

static struct models *opened(const char *const *texts)
{
	struct err err = { "" };
	struct models *m;
	size_t n = 0;

	for (; texts[n]; n++)
		files[n] = (struct conf_file){ "some.json", bytes_str(texts[n]) };
	conf.protocols.models.enabled = true;
	conf.protocols.models.dir.v = files;
	conf.protocols.models.dir.n = n;
	if (!conf.protocols.models.namespace)
		conf.protocols.models.namespace = conf.protocols.models.path_prefix = "";
	m = models_open(&conf, &err);
	cr_assert(m, "%s", err.text);
	return m;
}

static const char *const events[] = {
	FILE_OF("\"name\":\"UserEvent\",\"version\":\"1.10\""),
	FILE_OF("\"name\":\"UserEvent\",\"version\":\"1.9\""),
	FILE_OF("\"name\":\"UserEvent\",\"version\":\"2.0\""),
	FILE_OF("\"name\":\"UserEvent\",\"version\":\"1.0\""),
	FILE_OF("\"name\":\"UserActivity\",\"dead_letter_queue\":\"dlq\""),
	FILE_OF("\"name\":\"Mixed\""),
	FILE_OF("\"name\":\"Mixed\",\"version\":\"x.1\""),
	FILE_OF("\"name\":\"Mixed\",\"version\":\"0.5\""),
	FILE_OF("\"name\":\"Custom\",\"path\":\"some/where/else\",\"topic\":\"own_topic\""),
	FILE_OF("\"name\":\"CustomVersion\",\"version\":\"3.1\",\"path\":\"place\""),
	FILE_OF("\"name\":\"CustomEnds\",\"version\":\"4.0\",\"path\":\"ends/with/4.0\""),
	NULL,
};

/* "topic" of the model that the path means; NULL: none. */
static void means(const struct models *m, const char *path, const char *topic)
{
	const struct model_entry *e = models_find(m, bytes_str(path));

	if (topic)
		cr_expect(e && !strcmp(e->topic, topic), "%s: %s", path, e ? e->topic : "none");
	else
		cr_expect_null(e, "%s: %s", path, e ? e->topic : "none");
}

/* C6, C7 */
Test(models, a_path_means_its_version)
{
	struct models *m = opened(events);

	means(m, "/ingest/UserEvent/1.0", "UserEvent_1_0");
	means(m, "/ingest/userevent/1.0", "UserEvent_1_0");
	means(m, "/ingest/USEREVENT/1.10/", "UserEvent_1_10");
	means(m, "/ingest/UserEvent/3.0", NULL);
	means(m, "/ingest/UserEvent/1.0/x", NULL);
	means(m, "/ingest/UserEvent/1_0", NULL);
	means(m, "/ingest/UserEvent/1.0//", NULL);
	means(m, "/ingest//UserEvent/1.0", NULL);
	models_close(m);
}

/* C7 */
Test(models, a_name_alone_means_its_highest_version)
{
	struct models *m = opened(events);

	means(m, "/ingest/UserEvent", "UserEvent_2_0");
	means(m, "/ingest/userevent/", "UserEvent_2_0");
	means(m, "/ingest/UserActivity", "UserActivity");
	means(m, "/ingest/Mixed", "Mixed_0_5"); /* x is 0, and any version goes before none */
	means(m, "/ingest/User", NULL);
	means(m, "/ingest/UserEvents", NULL);
	models_close(m);
}

/* C8 */
Test(models, what_is_no_model_means_none)
{
	struct models *m = opened(events);

	means(m, "/ingest/", NULL);
	means(m, "/ingest", NULL);
	means(m, "", NULL);
	means(m, "/ingest/Nobody", NULL);
	means(m, "/other/UserEvent", NULL);
	models_close(m);
}

Test(models, a_path_of_its_own_stands_for_the_name)
{
	struct models *m = opened(events);

	means(m, "/ingest/some/where/else", "own_topic");
	means(m, "/ingest/some/where", NULL);
	means(m, "/ingest/Custom", NULL);
	means(m, "/ingest/place/3.1", "CustomVersion_3_1");
	means(m, "/ingest/place", "CustomVersion_3_1");
	means(m, "/ingest/CustomVersion/3.1", NULL);
	means(m, "/ingest/ends/with/4.0", "CustomEnds_4_0");
	means(m, "/ingest/ends/with/4.0/4.0", NULL);
	means(m, "/ingest/ends/with", NULL);
	models_close(m);
}

/* C21 */
Test(models, a_prefix_may_stand_before_ingest)
{
	struct models *m;

	conf.protocols.models.namespace = "";
	conf.protocols.models.path_prefix = "/data/in";
	m = opened(events);
	means(m, "/data/in/ingest/UserEvent/1.0", "UserEvent_1_0");
	means(m, "/Data/In/Ingest/UserEvent", "UserEvent_2_0");
	means(m, "/ingest/UserEvent/1.0", "UserEvent_1_0");
	means(m, "/data/in/UserEvent/1.0", NULL);
	means(m, "/data/in/ingest", NULL);
	means(m, "/data/inn/ingest/UserEvent", NULL);
	models_close(m);
}

/* C21: the bare path answers too, whatever the prefix is */
Test(models, a_path_that_begins_like_the_prefix_is_found_bare)
{
	static const char *const texts[] = {
		FILE_OF("\"name\":\"In\",\"path\":\"a/ingest/b\""),
		FILE_OF("\"name\":\"b\""),
		FILE_OF("\"name\":\"Out\",\"path\":\"a/ingest/c\""),
		NULL,
	};
	struct models *m;

	conf.protocols.models.namespace = "";
	conf.protocols.models.path_prefix = "/ingest/a";
	m = opened(texts);
	means(m, "/ingest/a/ingest/c", "Out");
	means(m, "/ingest/a/ingest/a/ingest/c", "Out");
	means(m, "/ingest/a/ingest/b", "b"); /* the prefix goes first */
	means(m, "/ingest/a/ingest/d", NULL);
	models_close(m);
}

/* C15, C19 */
Test(models, topics_have_the_namespace_and_dead_letters_do_not)
{
	const struct model_entry *e;
	struct models *m;

	conf.protocols.models.path_prefix = "";
	conf.protocols.models.namespace = "ns";
	m = opened(events);
	means(m, "/ingest/UserEvent/1.0", "ns.UserEvent_1_0");
	means(m, "/ingest/some/where/else", "ns.own_topic");
	e = models_find(m, BYTES("/ingest/UserActivity"));
	cr_assert(e);
	cr_expect_str_eq(e->destination, "UserActivity");
	cr_expect_str_eq(e->dead_letter_topic, "dlq");
	e = models_find(m, BYTES("/ingest/UserEvent"));
	cr_assert(e);
	cr_expect_null(e->dead_letter_topic);
	cr_expect_str_eq(e->path, "UserEvent/2.0");
	models_close(m);
}

/* C19 */
Test(models, they_are_listed_by_name_then_version)
{
	static const char *const order[] = { "some/where/else", "ends/with/4.0", "place/3.1",
		                             "Mixed",           "Mixed/x.1",     "Mixed/0.5",
		                             "UserActivity",    "UserEvent/1.0", "UserEvent/1.9",
		                             "UserEvent/1.10",  "UserEvent/2.0" };
	struct models *m = opened(events);

	cr_assert_eq(models_count(m), ARRAY_LEN(order));
	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		cr_expect_str_eq(models_at(m, i)->path, order[i]);
	models_close(m);
}

Test(models, versions_are_compared_by_number)
{
	cr_expect_lt(compare_versions("1.9", "1.10"), 0);
	cr_expect_lt(compare_versions("1", "1.0.1"), 0);
	cr_expect_lt(compare_versions("1", "1.0"), 0); /* equal, but in one order */
	cr_expect_lt(compare_versions("x", "0.1"), 0);
	cr_expect_lt(compare_versions("", "1"), 0);
	cr_expect_eq(compare_versions("2.0", "2.0"), 0);
	cr_expect_gt(compare_versions("10.0", "9.99"), 0);
	cr_expect_gt(compare_versions("18446744073709551615", "2"), 0);
}

Test(models, off_or_without_files_there_are_none)
{
	static const char *const none[] = { NULL };
	struct models *m = opened(none);
	struct err err;

	cr_expect_eq(models_count(m), 0);
	means(m, "/ingest/UserEvent", NULL);
	models_close(m);
	m = opened(events);
	models_close(m);
	conf.protocols.models.enabled = false;
	m = models_open(&conf, &err);
	cr_expect_eq(models_count(m), 0);
	models_close(m);
	models_close(NULL);
}

Test(models, a_file_that_is_wrong_is_named)
{
	static const char *const bad[] = { FILE_OF("\"name\":\"a\""), FILE_OF("\"name\":\"a b\""),
		                           NULL };
	struct err err = { "" };

	models_close(opened((const char *const[]){ bad[0], NULL }));
	files[1] = (struct conf_file){ "some.json", bytes_str(bad[1]) };
	conf.protocols.models.dir.n = 2;
	cr_expect_null(models_open(&conf, &err));
	cr_expect_str_eq(err.text, "some.json: name is a string of 1 to 200 of A-Z a-z 0-9 . _ -");
}
