/* SPDX-License-Identifier: Apache-2.0 */
/*
 * routes.c -- `routes ls`: what a client may post where, and what becomes of it. Asks the worker
 * program, which has the table of routes; needs no running gateway.
 */
#include "tools/ctl/routes.h"

#include <string.h>
#include "tools/ctl/commands.h"
#include "tools/ctl/worker_tool.h"

json_t *routes_ask(struct ctl *c, int *code)
{
	static const char *const argv[] = { "--routes", NULL };

	return worker_tool_run(c, argv, false, code);
}

void routes_topics(const json_t *route, struct buf *b)
{
	const json_t *records = json_object_get(route, "records");
	const char *last = "";
	json_t *r;
	size_t i;

	json_array_foreach(records, i, r) {
		const char *topic = json_text_of(r, "topic");

		if (strcmp(topic, last) != 0)
			buf_printf(b, "%s%s", b->n ? ", " : "", topic);
		last = topic;
	}
	buf_char(b, '\0');
}

static void print_routes(const json_t *all)
{
	static const char *const heads[] = {
		"ROUTE", "METHODS", "PATH", "DIALECT", "CODE", "TOPIC"
	};
	struct table *t = table_new(heads, ARRAY_LEN(heads));
	json_t *route, *path;
	size_t i, k;

	json_array_foreach(all, i, route) {
		struct buf topics;

		buf_init(&topics, MIB);
		routes_topics(route, &topics);
		json_array_foreach(json_object_get(route, "paths"), k, path) {
			table_cell(t, json_text_of(route, "route"));
			table_cell(t, json_text_of(route, "methods"));
			table_cell(t, json_string_value(path));
			table_cell(t, json_text_of(route, "dialect"));
			table_cellf(t, "%lld", json_number_of(route, "code"));
			table_cell(t, *topics.p ? topics.p : "-");
		}
		buf_done(&topics);
	}
	table_print(t, stdout);
}

static int run_routes(struct ctl *c)
{
	int code = 0;
	json_t *all = routes_ask(c, &code), *route;
	size_t i;

	if (!all)
		return code;
	if (c->json)
		json_array_foreach(all, i, route)
			ctl_json(json_incref(route));
	else if (!c->quiet)
		print_routes(all);
	json_decref(all);
	return code;
}

const struct command command_routes_ls = {
	.name = "routes ls",
	.args = "",
	.help = "paths, methods, dialect, success code and topic of each route",
	.run = run_routes,
};
