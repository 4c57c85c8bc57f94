/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml.c -- loads the configuration: the main file, what it includes, the command line, then
 * checks. Nothing stops at the first error; a file that cannot be parsed is left out and the others
 * go on.
 */
#include "conf/yaml.h"

#include <errno.h>
#include <glob.h>
#include <stdarg.h>
#include <stdio.h>

#include "conf/load.h"

enum { FILE_MAX = MIB, TEXT_MAX = 4 * MIB, INCLUDE_MAX = 256 };

/* ---- origins ---- */

const struct origin *origin_find(const struct conf_origins *origins, const char *path)
{
	for (size_t i = 0; origins && i < origins->n; i++)
		if (strcmp(origins->v[i].path, path) == 0)
			return &origins->v[i];
	return NULL;
}

/* Short names: relative to the folder of the main file, where the included ones are. */
static const char *where_text(struct loader *l, struct place at)
{
	const char *path, *main = l->in->file;
	size_t skip = l->main_dir_bytes;
	char text[4200];

	if (!at.source && strncmp(at.what, "-o", 2) == 0)
		return "-o";
	if (!at.source)
		return pool_text(l->origins->pool, bytes_str(at.what));
	path = source_path(at.source);
	if (strncmp(path, main, skip) != 0)
		skip = 0;
	snprintf(text, sizeof(text), "%s:%u", path + skip, at.line);
	return pool_text(l->origins->pool, bytes_str(text));
}

void origin_set(struct loader *l, const char *path, struct place at, const char *raw)
{
	struct conf_origins *os = l->origins;
	struct origin *o = (struct origin *)origin_find(os, path);

	if (!o) {
		if (os->n == os->cap) {
			os->cap = max_size(os->cap * 2, 64);
			os->v = xrealloc(os->v, os->cap, sizeof(*os->v));
		}
		o = &os->v[os->n++];
		o->path = pool_text(os->pool, bytes_str(path));
	}
	o->where = where_text(l, at);
	o->raw = raw ? pool_text(os->pool, bytes_str(raw)) : NULL;
	o->at = at;
	o->written = NULL;
}

void origin_written(struct loader *l, const char *path, const char *text)
{
	struct origin *o = (struct origin *)origin_find(l->origins, path);

	assert(o);
	o->written = text;
}

const char *written(const struct loader *l, const char *path, const char *value)
{
	const struct origin *o = origin_find(l->origins, path);

	return o && o->written ? o->written : value;
}

bool origin_twice(struct loader *l, const char *path, struct place at)
{
	const struct origin *o = origin_find(l->origins, path);

	if (!o)
		return false;
	report_error(l->r, at, "'%s' is set twice: first at %s:%u:%u", path,
	             source_path(o->at.source), o->at.line, o->at.col);
	report_help(l->r, "a value stands in one file only");
	return true;
}

struct place place_of_option(const struct loader *l, const char *path)
{
	const struct origin *o = origin_find(l->origins, path);

	if (o)
		return o->at;
	return (struct place){ .source = l->main, .line = 1, .col = 1, .width = 1 };
}

const char *path_text(struct loader *l, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return pool_text(report_pool(l->r), bytes_str(text));
}

/* ---- keys ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The part of path that follows prefix, up to the next dot; NULL if it is not below it. */
static const char *next_part(struct loader *l, const char *path, const char *prefix)
{
	size_t n = strlen(prefix);

	if (strncmp(path, prefix, n) != 0 || strchr(path + n, '['))
		return NULL;
	return pool_text(report_pool(l->r), bytes_of(path + n, strcspn(path + n, ".")));
}

static void add_name(const char **names, size_t *n, const char *name)
{
	for (size_t i = 0; name && i < *n; i++)
		if (strcmp(names[i], name) == 0)
			return;
	if (name)
		names[(*n)++] = name;
}

const char *const *allowed_keys(struct loader *l, const char *prefix)
{
	const struct option_table *table = &options;
	const char **names =
		pool_zalloc(report_pool(l->r), (options.n + 1) * sizeof(*names));
	const char *below = prefix;
	size_t n = 0;

	if (strcmp(prefix, "tls[].") == 0)
		table = &tls_options;
	for (size_t i = 0; i < option_maps_count; i++)
		if (strcmp(prefix, path_text(l, "%s[].", option_maps[i].path)) == 0)
			table = option_maps[i].table;
	if (table != &options)
		below = "";
	for (size_t i = 0; i < table->n; i++)
		add_name(names, &n, next_part(l, table->v[i].path, below));
	qsort(names, n, sizeof(*names), by_name);
	return names;
}

static bool is_section(const char *path)
{
	size_t n = strlen(path);

	for (size_t i = 0; i < options.n; i++)
		if (strncmp(options.v[i].path, path, n) == 0 && options.v[i].path[n] == '.')
			return true;
	return false;
}

static bool is_nothing(const struct yaml_node *n)
{
	return n->kind == NODE_SCALAR && n->plain && !*n->text;
}

/* Recursion ends with the paths of options.def: sections nest three deep at most. */
static void load_section(struct loader *l, const struct yaml_node *map, const char *prefix)
{
	/* What is unknown has been said by node_keys(); it is passed over here. */
	node_keys(l->r, map, allowed_keys(l, prefix));
	for (const struct yaml_node *c = map->first; c; c = c->next) {
		const char *path = path_text(l, "%s%s", prefix, c->key->text);
		const struct option *o = option_find(&options, path);

		if (strchr(c->key->text, '.'))
			continue;
		if (o) {
			load_option(l, o, l->conf, path, c);
		} else if (is_section(path)) {
			if (!origin_find(l->origins, path))
				origin_set(l, path, c->key->at, NULL);
			if (!is_nothing(c) && node_is(l->r, c, NODE_MAP))
				load_section(l, c, path_text(l, "%s.", path));
		}
	}
}

/* ---- files ---- */

static struct yaml_node *load_file(struct loader *l, const char *path)
{
	unsigned before = report_errors(l->r);
	struct yaml_node *root = yaml_read(l->r, path, FILE_MAX);

	if (!root && report_errors(l->r) > before)
		l->unread++;
	if (root && is_nothing(root))
		return NULL;
	if (root && !node_is(l->r, root, NODE_MAP))
		return NULL;
	return root;
}

static struct place place_of_node(const struct yaml_node *n)
{
	return n ? n->at : (struct place){ .what = "-o include" };
}

static int glob_failed(const char *path, int why)
{
	(void)path;
	return why != ENOENT && why != ENOTDIR;
}

/* A pattern relative to the main file; what is special in the folder's own name is escaped. */
static const char *below_main(struct loader *l, const char *pattern)
{
	struct buf b;
	const char *full;

	buf_init(&b, 4 * KIB * 4);
	for (size_t i = 0; *pattern != '/' && i < l->main_dir_bytes; i++) {
		if (strchr("*?[\\", l->in->file[i]))
			buf_char(&b, '\\');
		buf_char(&b, l->in->file[i]);
	}
	buf_str(&b, pattern);
	full = pool_text(report_pool(l->r), buf_view(&b));
	buf_done(&b);
	return full;
}

static void load_includes(struct loader *l, const char *pattern, struct place at)
{
	glob_t found = { 0 };
	int rc = glob(below_main(l, pattern), GLOB_NOSORT, glob_failed, &found);

	if (rc == GLOB_NOSPACE)
		out_of_memory();
	if (rc != 0 && rc != GLOB_NOMATCH)
		report_error(l->r, at, "can't read the folder of the included files");
	else if (rc == GLOB_NOMATCH && !strpbrk(pattern, "*?["))
		report_error(l->r, at, "the included file does not exist");
	else if (found.gl_pathc > INCLUDE_MAX)
		report_error(l->r, at, "more than %d files are included", INCLUDE_MAX);
	if (found.gl_pathc)
		qsort(found.gl_pathv, found.gl_pathc, sizeof(*found.gl_pathv), by_name);
	for (size_t i = 0; i < min_size(found.gl_pathc, INCLUDE_MAX); i++) {
		struct yaml_node *root = load_file(l, found.gl_pathv[i]);
		const struct yaml_node *nested = root ? node_get(root, "include") : NULL;

		if (nested)
			report_error(l->r, nested->key->at,
			             "an included file cannot include others");
		if (root)
			load_section(l, root, "");
	}
	globfree(&found);
}

/* -o include=..., else the file's own, else the default. NULL: it is not known. */
static const char *include_pattern(struct loader *l, const struct yaml_node *given)
{
	const struct option *o = option_find(&options, "include");
	const char *text, *pattern = o->def;
	struct value v;

	if (given) {
		pattern = NULL;
		text = node_string(l->r, given);
		if (text && expand(l, text, false, given->at, &v) && !v.unknown)
			pattern = v.text;
	}
	for (size_t i = 0; i < l->in->set_count; i++)
		if (strcmp(l->in->sets[i].path, "include") == 0)
			pattern = l->in->sets[i].value;
	return pattern;
}

static void load_files(struct loader *l)
{
	const char *slash = strrchr(l->in->file, '/');
	struct yaml_node *root;
	const struct yaml_node *given;
	const char *pattern;

	l->main_dir_bytes = slash ? (size_t)(slash - l->in->file) + 1 : 0;
	root = load_file(l, l->in->file);
	l->main = report_first(l->r);
	given = root ? node_get(root, "include") : NULL;
	pattern = include_pattern(l, given);
	if (root)
		load_section(l, root, "");
	if (pattern && *pattern)
		load_includes(l, pattern, place_of_node(given));
}

/* ---- the whole ---- */

void conf_report_init(struct conf_report *r)
{
	*r = (struct conf_report){ 0 };
	buf_init(&r->text, TEXT_MAX);
}

static void origins_free(struct conf_origins *origins)
{
	if (!origins)
		return;
	pool_free(origins->pool);
	free(origins->v);
	free(origins);
}

void conf_report_done(struct conf_report *r)
{
	buf_done(&r->text);
	origins_free(r->origins);
	r->origins = NULL;
}

struct conf *conf_load(const struct conf_load_in *in, struct conf_report *r)
{
	struct loader l = { .in = in, .r = report_new(), .conf = conf_new() };

	l.pool = conf_pool(l.conf);
	l.origins = xcalloc(1, sizeof(*l.origins));
	l.origins->pool = pool_new(8 * KIB);
	load_files(&l);
	import_env(&l);
	for (size_t i = 0; i < in->set_count; i++)
		load_set(&l, &in->sets[i]);
	check_all(&l);

	r->errors = report_errors(l.r);
	r->warnings = report_warnings(l.r);
	r->usage = l.usage;
	buf_reset(&r->text);
	report_text(l.r, r->errors ? "configuration not applied" : "configuration is good",
	            &r->text);
	origins_free(r->origins);
	r->origins = l.origins;
	report_free(l.r);
	if (r->errors) {
		conf_free(l.conf);
		return NULL;
	}
	conf_add_admin(l.conf);
	return l.conf;
}
