/* SPDX-License-Identifier: Apache-2.0 */
/*
 * routes.c -- `routes ls` and its short form `ls`: what a client may post where, and what becomes
 * of it. Asks the worker program, which has the table of routes; needs no running gateway.
 */
#include <string.h>
#include <strings.h>
#include "common/buf.h"
#include "tools/ctl/commands.h"
#include "tools/ctl/worker_tool.h"

static json_t *ask_routes(struct ctl *c, int *code)
{
	static const char *const argv[] = { "--routes", NULL };

	return worker_tool_run(c, argv, false, code);
}

/* Distinct topics of a route's formats; with the format where they differ. */
static void add_topics(struct buf *b, const json_t *route)
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
		add_topics(&topics, route);
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
	json_t *all = ask_routes(c, &code), *route;
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

/* ---- the short form (compatibility.md 5): Moose's words ---- */

static bool has_text(const char *text, const char *part)
{
	return !part || strcasestr(text, part) != NULL;
}

static bool is_ingest(const json_t *route)
{
	return json_array_size(json_object_get(route, "records")) > 0;
}

/* One entry per path, by name. */
static json_t *short_form(const json_t *all, const char *part)
{
	json_t *out = json_array(), *route, *path;
	size_t i, k, at;

	json_array_foreach(all, i, route) {
		const char *name = json_text_of(route, "route");
		struct buf topics;

		if (!is_ingest(route) || !has_text(name, part))
			continue;
		buf_init(&topics, MIB);
		add_topics(&topics, route);
		json_array_foreach(json_object_get(route, "paths"), k, path) {
			for (at = 0; at < json_array_size(out); at++)
				if (strcmp(json_text_of(json_array_get(out, at), "name"), name) > 0)
					break;
			json_array_insert_new(out, at,
			                      json_pack("{s:s,s:s,s:s,s:s}", "name", name, "method",
			                                json_text_of(route, "methods"), "url",
			                                json_string_value(path), "destination",
			                                topics.p));
		}
		buf_done(&topics);
	}
	return out;
}

static void print_short(const json_t *list)
{
	static const char *const heads[] = { "name", "method", "url", "destination" };
	struct table *t = table_new(heads, ARRAY_LEN(heads));
	json_t *e;
	size_t i;

	puts("Ingestion APIs");
	json_array_foreach(list, i, e)
		for (unsigned k = 0; k < ARRAY_LEN(heads); k++)
			table_cell(t, json_text_of(e, heads[k]));
	table_print(t, stdout);
}

static int run_ls(struct ctl *c)
{
	const char *type = ctl_value(c, "type");
	int code = 0;
	json_t *all, *list;

	if (type && strcmp(type, "ingestion") != 0)
		return ctl_usage(c, "--type '%s': only ingestion is known here", type);
	all = ask_routes(c, &code);
	if (!all)
		return code;
	list = short_form(all, ctl_value(c, "name"));
	if (c->json) { /* Moose's own form: an array, no schema */
		json_dumpf(list, stdout, JSON_COMPACT);
		putchar('\n');
	} else if (!c->quiet) {
		print_short(list);
	}
	json_decref(list);
	json_decref(all);
	return code;
}

const struct command command_routes_ls = {
	.name = "routes ls",
	.args = "",
	.help = "paths, methods, dialect, success code and topic of each route",
	.run = run_routes,
};

static const struct command_option ls_options[] = {
	{ "type", "T", "ingestion, the only one there is", 0 },
	{ "name", "SUBSTR", "only routes whose name holds this", 0 },
	{ 0 },
};

const struct command command_ls = {
	.name = "ls",
	.args = "",
	.help = "the same in short: what may be posted where",
	.options = ls_options,
	.run = run_ls,
};
