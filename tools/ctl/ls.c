/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ls.c -- `ls`: what may be posted where, in Moose's words (compatibility.md 5): routes of the
 * worker program's table, and data models by their files, which this reads itself: the program
 * would need all that the configuration names, secrets too. Needs no running gateway.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include "common/model.h"
#include "common/pool.h"
#include "tools/ctl/commands.h"
#include "tools/ctl/routes.h"

enum { POOL_BYTES = 4 * KIB };

static bool has_text(const char *text, const char *part)
{
	return !part || strcasestr(text, part) != NULL;
}

/* By name; of one name in the order they come. Takes the object. */
static void insert(json_t *list, json_t *entry)
{
	size_t at = json_array_size(list);

	while (at > 0 && strcmp(json_text_of(json_array_get(list, at - 1), "name"),
	                        json_text_of(entry, "name")) > 0)
		at--;
	json_array_insert_new(list, at, entry);
}

/* ---- routes: one entry per path ---- */

static void add_routes(json_t *list, const json_t *all, const char *part)
{
	json_t *route, *path;
	size_t i, k;

	json_array_foreach(all, i, route) {
		const char *name = json_text_of(route, "route");
		struct buf topics;

		if (!json_array_size(json_object_get(route, "records")) || !has_text(name, part))
			continue;
		buf_init(&topics, MIB);
		routes_topics(route, &topics);
		json_array_foreach(json_object_get(route, "paths"), k, path)
			insert(list, json_pack("{s:s,s:s,s:O,s:s}", "name", name, "method",
			                       json_text_of(route, "methods"), "url", path,
			                       "destination", topics.p));
		buf_done(&topics);
	}
}

/* ---- data models ---- */

static int is_model_file(const struct dirent *e)
{
	const char *dot = strrchr(e->d_name, '.');

	return e->d_name[0] != '.' && dot && strcmp(dot, ".json") == 0;
}

/* Versions are files of one name: 1.9 stands before 1.10. */
static int by_version(const struct dirent **a, const struct dirent **b)
{
	return strverscmp((*a)->d_name, (*b)->d_name);
}

static struct model *read_model(const char *path, struct err *err)
{
	FILE *file = fopen(path, "re");
	struct model *m = NULL;
	struct buf text;
	char chunk[16 * KIB];
	size_t n;

	if (!file) {
		err_errno(err, "can't open it");
		return NULL;
	}
	buf_init(&text, MODEL_BYTES_MAX + 1);
	while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0 && !text.failed)
		buf_add(&text, chunk, n);
	if (ferror(file) || text.failed)
		err_set(err, "can't be read, or is larger than %d bytes", MODEL_BYTES_MAX);
	else
		m = model_parse(buf_view(&text), err);
	buf_done(&text);
	fclose(file);
	return m;
}

static void add_model(json_t *list, const struct model *m, const char *prefix, const char *part)
{
	struct pool *pool;

	if (!has_text(m->name, part))
		return;
	pool = pool_new(POOL_BYTES);
	insert(list,
	       json_pack("{s:s,s:s,s:s++,s:s}", "name", m->name, "method", "POST", "url", prefix,
	                 "/ingest/", model_path(m, pool), "destination", model_topic(m, pool)));
	pool_free(pool);
}

static int add_model_file(json_t *list, const struct conf *conf, const char *name, const char *part)
{
	struct err err = { "" };
	autofree char *path = NULL;
	struct model *m;

	if (asprintf(&path, "%s/%s", conf->protocols.models.dir.path, name) < 0)
		return ctl_fail(EX_OSERR, "out of memory");
	m = read_model(path, &err);
	if (!m)
		return ctl_fail(EX_CONFIG, "%s: %s", path, err.text);
	add_model(list, m, conf->protocols.models.path_prefix, part);
	model_free(m);
	return 0;
}

/* A folder that nobody asked for need not be there; the gateway refuses one that was. */
static int add_models(json_t *list, const struct conf *conf, const char *part)
{
	const char *folder = conf->protocols.models.dir.path;
	struct dirent **files;
	int n, code = 0;

	if (!conf->protocols.models.enabled || !*folder)
		return 0;
	n = scandir(folder, &files, is_model_file, by_version);
	if (n < 0)
		return errno == ENOENT ? 0 : ctl_fail(EX_CONFIG, "%s: %m", folder);
	for (int i = 0; i < n; i++) {
		if (!code)
			code = add_model_file(list, conf, files[i]->d_name, part);
		free(files[i]);
	}
	free(files);
	return code;
}

/* ---- the command ---- */

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

static int list_all(struct ctl *c, json_t *list)
{
	const char *part = ctl_value(c, "name");
	int code = 0;
	json_t *routes = routes_ask(c, &code);
	const struct conf *conf = routes ? ctl_conf(c, &code) : NULL;

	if (conf) {
		add_routes(list, routes, part);
		code = add_models(list, conf, part);
	}
	json_decref(routes);
	return code;
}

static int run_ls(struct ctl *c)
{
	const char *type = ctl_value(c, "type");
	json_t *list;
	int code;

	if (type && strcmp(type, "ingestion") != 0)
		return ctl_usage(c, "--type '%s': only ingestion is known here", type);
	list = json_array();
	code = list_all(c, list);
	if (!code && c->json) { /* Moose's own form: an array, no schema */
		json_dumpf(list, stdout, JSON_COMPACT);
		putchar('\n');
	} else if (!code && !c->quiet) {
		print_short(list);
	}
	json_decref(list);
	return code;
}

static const struct command_option options[] = {
	{ "type", "T", "ingestion, the only one there is", 0 },
	{ "name", "SUBSTR", "only routes and models whose name holds this", 0 },
	{ 0 },
};

const struct command command_ls = {
	.name = "ls",
	.args = "",
	.help = "routes and data models in short: what may be posted where",
	.options = options,
	.run = run_ls,
};
