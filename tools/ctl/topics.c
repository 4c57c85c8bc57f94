/* SPDX-License-Identifier: Apache-2.0 */
/*
 * topics.c -- `topics ls|create`: the configured topics and what the cluster has of them. The
 * worker program does the asking and the making (only it links the client library); this file shows
 * it. Nothing that exists is changed.
 */
#include <string.h>
#include "conf/values.h"
#include "tools/ctl/commands.h"
#include "tools/ctl/worker_tool.h"

/* More than these the client library sends to no broker. */
enum { PARTITIONS_MAX = 100000, REPLICATION_MAX = 10000 };

static void size_cell(struct table *t, long long bytes)
{
	char text[32];

	if (bytes <= 0) {
		table_cell(t, "-");
		return;
	}
	value_size_text((uint64_t)bytes, text, sizeof(text));
	table_cell(t, text);
}

static const char *state_of(const json_t *topic)
{
	long long have = json_number_of(topic, "max_message_bytes");

	if (json_is_set(topic, "created"))
		return "created";
	if (!json_is_set(topic, "exists"))
		return "missing";
	if (have && have < json_number_of(topic, "wanted_max_message_bytes"))
		return "small";
	return "ok";
}

static void count_cell(struct table *t, long long n)
{
	if (n > 0)
		table_cellf(t, "%lld", n);
	else
		table_cell(t, "-");
}

static void print_topics(const json_t *all)
{
	static const char *const heads[] = {
		"TOPIC",  "STATE", "PARTITIONS", "REPLICATION", "MAX.MESSAGE.BYTES",
		"WANTED", "ROUTES"
	};
	struct table *t = table_new(heads, ARRAY_LEN(heads));
	json_t *topic, *route;
	size_t i, k;

	json_array_foreach(all, i, topic) {
		char routes[512] = "";
		size_t n = 0;

		table_cell(t, json_text_of(topic, "topic"));
		table_cell(t, state_of(topic));
		count_cell(t, json_number_of(topic, "partitions"));
		count_cell(t, json_number_of(topic, "replication"));
		size_cell(t, json_number_of(topic, "max_message_bytes"));
		size_cell(t, json_number_of(topic, "wanted_max_message_bytes"));
		json_array_foreach(json_object_get(topic, "routes"), k, route)
			if (n < sizeof(routes))
				n += (size_t)snprintf(routes + n, sizeof(routes) - n, "%s%s",
				                      k ? ", " : "", json_string_value(route));
		table_cell(t, routes);
	}
	table_print(t, stdout);
}

/* What the reader should do about it. */
static void print_notes(const struct ctl *c, const json_t *all)
{
	json_t *topic;
	size_t i;

	json_array_foreach(all, i, topic) {
		const char *name = json_text_of(topic, "topic"),
			   *error = json_text_of(topic, "error");
		const char *state = state_of(topic);

		if (*error)
			ctl_error("%s: %s", name, error);
		else if (strcmp(state, "missing") == 0)
			ctl_note(c,
			         "%s: not there, its routes answer 503: headgatectl topics create",
			         name);
		else if (strcmp(state, "small") == 0)
			ctl_note(c,
			         "%s: max.message.bytes %lld is below %lld: larger records are "
			         "refused "
			         "with 413; set the topic's, or lower record.max_bytes",
			         name, json_number_of(topic, "max_message_bytes"),
			         json_number_of(topic, "wanted_max_message_bytes"));
	}
}

static int show(struct ctl *c, const char *const *argv)
{
	int code = 0;
	const struct conf *conf = ctl_conf(c, &code);
	json_t *all, *topic;
	size_t i;

	if (!conf)
		return code;
	if (conf->sink != SINK_KAFKA)
		return ctl_fail(EXIT_NEGATIVE, "%s: sink is not kafka: it needs no topics",
		                ctl_conf_path(c));
	all = worker_tool_run(c, argv, true, &code);
	if (!all) {
		if (code == EX_UNAVAILABLE)
			ctl_error("no broker of kafka.brokers answers (%s)", ctl_conf_path(c));
		return code;
	}
	if (c->json)
		json_array_foreach(all, i, topic)
			ctl_json(json_incref(topic));
	else if (!c->quiet)
		print_topics(all);
	print_notes(c, all);
	json_decref(all);
	return code;
}

static int run_ls(struct ctl *c)
{
	static const char *const argv[] = { "--topics", "list", NULL };

	return show(c, argv);
}

static int take_number(const struct ctl *c, const char *option, uint64_t most, char *out,
                       size_t cap)
{
	uint64_t n = 0;
	int code = ctl_count(c, option, &n);

	if (!code && n > most)
		code = ctl_usage(c, "--%s: at most %llu", option, (unsigned long long)most);
	if (!code)
		snprintf(out, cap, "%lld", n ? (long long)n : -1);
	return code;
}

static int run_create(struct ctl *c)
{
	char partitions[24], replication[24];
	const char *const argv[] = { "--topics", "create", partitions, replication, NULL };
	int code = take_number(c, "partitions", PARTITIONS_MAX, partitions, sizeof(partitions));

	if (!code)
		code = take_number(c, "replication", REPLICATION_MAX, replication,
		                   sizeof(replication));
	return code ? code : show(c, argv);
}

const struct command command_topics_ls = {
	.name = "topics ls",
	.args = "",
	.help = "configured topics, their limits, which are missing (then exit 1)",
	.run = run_ls,
};

static const struct command_option topics_create_options[] = {
	{ "partitions", "N", "of each one made (default: as the brokers are set)", 0 },
	{ "replication", "N", "its replication factor (default: as the brokers are set)", 0 },
	{ 0 },
};

const struct command command_topics_create = {
	.name = "topics create",
	.args = "",
	.help = "makes the topics that are missing; again: no change",
	.options = topics_create_options,
	.run = run_create,
};
