/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/tool.c"

#include <criterion/criterion.h>

#define WORDS(...) ((char *[]){ (char *)"headgate-worker", __VA_ARGS__, NULL })

Test(tool, only_its_own_words_make_it_a_tool)
{
	cr_expect(tool_is(2, WORDS("--routes")));
	cr_expect(tool_is(3, WORDS("--topics", "list")));
	cr_expect_not(tool_is(2, WORDS("--channel")));
	cr_expect_not(tool_is(1, WORDS(NULL)));
}

Test(tool, topics_are_listed_or_made_with_two_numbers)
{
	struct topics_wish wish;

	cr_expect(take_wish(3, WORDS("--topics", "list"), &wish));
	cr_expect_not(wish.create);
	cr_expect(take_wish(5, WORDS("--topics", "create", "3", "-1"), &wish));
	cr_expect(wish.create && wish.partitions == 3 && wish.replication == -1);
}

Test(tool, what_is_no_number_is_refused)
{
	struct topics_wish wish;
	char *const words[][2] = { { "0", "1" },  { "1", "0" },       { "x", "1" },
		                   { "-2", "1" }, { "1", "1000001" }, { "", "1" } };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		cr_expect_not(
			take_wish(5, WORDS("--topics", "create", words[i][0], words[i][1]), &wish),
			"%s %s", words[i][0], words[i][1]);
	cr_expect_not(take_wish(3, WORDS("--topics", "drop"), &wish));
	cr_expect_not(take_wish(4, WORDS("--topics", "create", "1"), &wish));
}

static struct worker w;

static void open_routes(void)
{
	struct conf *conf = conf_new();
	struct err err = { "" };

	conf->protocols.otlp.enabled = conf->protocols.remote_write.enabled = true;
	conf->protocols.remote_write.topic = "a\"b"; /* no configuration has it: it must be JSON */
	w.conf = conf;
	w.models = models_open(conf, &err);
	w.routes = routes_open(&w, &err);
	cr_assert(w.routes, "%s", err.text);
}

static void close_routes(void)
{
	routes_close(w.routes);
	models_close(w.models);
	conf_free((struct conf *)w.conf);
}

/* What say_routes() prints, through a file in place of stdout. */
static const char *said(void)
{
	static char text[16 * KIB];
	FILE *real = stdout, *file = tmpfile();
	size_t n;

	cr_assert(file);
	stdout = file;
	cr_expect_eq(say_routes(&w), 0);
	stdout = real;
	rewind(file);
	n = fread(text, 1, sizeof(text) - 1, file);
	text[n] = '\0';
	fclose(file);
	return text;
}

Test(tool, each_route_is_a_line_with_its_success_code_and_topics, .init = open_routes,
     .fini = close_routes)
{
	const char *text = said();

	cr_expect(strstr(text,
	                 "{\"route\":\"otlp_logs\",\"methods\":\"POST\",\"paths\":[\"/v1/logs\","));
	cr_expect(strstr(text, "\"dialect\":\"remote_write\",\"code\":204,\"signal\":\"metrics\""));
	cr_expect(strstr(text, "{\"format\":\"prom_rw1\",\"topic\":\"a\\\"b\"}"), "%s", text);
	cr_expect(strstr(text, "\"route\":\"health\",\"methods\":\"GET, HEAD\""));
}

Test(tool, each_route_says_what_it_takes, .init = open_routes, .fini = close_routes)
{
	const char *text = said();

	cr_expect(strstr(text, "\"types\":[\"application/x-protobuf\",\"application/json\"],"
	                       "\"untyped\":false,\"codings\":[\"identity\",\"gzip\","),
	          "%s", text);
	cr_expect(strstr(text,
	                 "\"types\":[\"application/x-protobuf;proto=prometheus.WriteRequest\","
	                 "\"application/x-protobuf;proto=io.prometheus.write.v2.Request\"],"
	                 "\"untyped\":true,\"codings\":[\"identity\",\"snappy\"]"),
	          "%s", text);
	cr_expect(strstr(text, "\"max_body\":67108864,"), "%s", text);
}
