/* SPDX-License-Identifier: Apache-2.0 */
/*
 * import_env.c -- the option import_env: which upstreams' variables are taken, and how a variable
 * becomes an option: below the files, so that what a file says stands. Variables of an upstream
 * that is not imported change nothing; one warning names them.
 */
#include "conf/import.h"

#include <stdio.h>

extern char **environ;

enum { NAMED_MAX = 8 /* variables in the warning */, NAME_BYTES = 128 };

static const struct upstream *const upstreams[] = { &import_micromegas, &import_moose };

/* ---- variables ---- */

struct variable variable_of(const char *name)
{
	const char *text = getenv(name);

	return (struct variable){ name, text && *text ? text : NULL };
}

struct place place_of_variable(struct loader *l, struct variable v)
{
	return (struct place){ .what = v.name ? path_text(l, "env %s", v.name) : "import_env" };
}

/* ---- options ---- */

static void note(struct loader *l, const char *path, struct variable from)
{
	origin_set(l, path, place_of_variable(l, from), NULL);
	if (from.name)
		origin_written(l, path, path_text(l, "${%s}", from.name));
}

static void set_from(struct loader *l, const struct option *o, void *base, const char *path,
                     struct variable from, const char *text)
{
	struct err why = { "" };
	char range[256];
	struct buf b;

	if (option_set(o, base, l->pool, text, &why) == 0) {
		note(l, path, from);
		return;
	}
	BAD_VARIABLE(l, from, "it cannot be '%s': %s", path, why.text);
	buf_init_fixed(&b, range, sizeof(range) - 1);
	option_range(o, &b);
	range[b.n] = '\0';
	if (*range)
		report_help(l->r, "allowed: %s", range);
}

static const struct option *option_of(const char *path)
{
	const struct option *o = option_find(&options, path);

	assert(o);
	return o;
}

void import_option(struct loader *l, const char *path, struct variable from, const char *text)
{
	if (!origin_find(l->origins, path))
		set_from(l, option_of(path), l->conf, path, from, text);
}

void import_item(struct loader *l, const char *path, struct variable from, const char *text)
{
	const struct option *o = option_of(path);
	const struct conf_list *list = option_member_const(o, l->conf);

	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->v[i], text) == 0)
			return;
	if (!origin_find(l->origins, path))
		note(l, path, from);
	set_from(l, o, l->conf, path_text(l, "%s[%zu]", path, list->n), from, text);
}

void *import_map(struct loader *l, const char *path, struct variable from, size_t *index)
{
	const struct option *o = option_of(path);
	bool is_first = !origin_find(l->origins, path_text(l, "%s[0]", path));
	size_t max = strtoul(o->max, NULL, 10);
	void *map;

	if (!is_first && maps_get(o, l->conf).n == max) {
		BAD_VARIABLE(l, from, "there are more than %zu %s", max, path);
		return NULL;
	}
	map = add_map(l, o, is_first);
	*index = maps_get(o, l->conf).n - 1;
	if (!origin_find(l->origins, path))
		note(l, path, from);
	note(l, path_text(l, "%s[%zu]", path, *index), from);
	return map;
}

void import_key(struct loader *l, const char *path, size_t index, void *map, const char *key,
                struct variable from, const char *text)
{
	const struct option *o = option_find(option_maps_of(option_of(path))->table, key);
	const char *at = path_text(l, "%s[%zu].%s", path, index, key);

	assert(o);
	if (option_is_list(o)) {
		const struct conf_list *list = option_member_const(o, map);

		if (!origin_find(l->origins, at))
			note(l, at, from);
		at = path_text(l, "%s[%zu]", at, list->n);
	}
	set_from(l, o, map, at, from, text);
}

struct jwt_conf *import_find_jwt(const struct loader *l, const char *name, size_t *index)
{
	struct conf *c = l->conf;

	for (*index = 0; *index < c->auth.jwt.n; ++*index)
		if (strcmp(c->auth.jwt.v[*index].name, name) == 0)
			return &c->auth.jwt.v[*index];
	return NULL;
}

void import_listener(struct loader *l, const char *name, struct variable from, const char *listen,
                     const char *dialect)
{
	const struct origin *given = origin_find(l->origins, "listeners");
	struct listener_conf *map;
	size_t index;

	if (given && given->at.source) /* by a file, not by the import before this one */
		return;
	map = import_map(l, "listeners", from, &index);
	if (!map)
		return;
	import_key(l, "listeners", index, map, "name", IMPLIED, name);
	import_key(l, "listeners", index, map, "listen", from, listen);
	import_key(l, "listeners", index, map, "dialect", IMPLIED, dialect);
}

/* ---- which ---- */

static bool is_imported(const struct loader *l, const char *name)
{
	const struct conf_list *list = &l->conf->import_env;

	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->v[i], name) == 0)
			return true;
	return false;
}

static const struct upstream *upstream_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(upstreams); i++)
		if (strcmp(upstreams[i]->name, name) == 0)
			return upstreams[i];
	return NULL;
}

static void check_names(struct loader *l)
{
	const struct conf_list *list = &l->conf->import_env;

	for (size_t i = 0; i < list->n; i++) {
		const char *path = path_text(l, "import_env[%zu]", i);

		if (!upstream_of(list->v[i])) {
			ERROR_AT(l, path, "'%s' is nothing that is imported",
			         written(l, path, list->v[i]));
			report_help(l->r, "allowed: micromegas, moose");
		}
	}
}

/* The name of an assignment `NAME=value`; false: it is empty. */
static bool name_of(const char *assignment, char *name, size_t cap)
{
	size_t n = strcspn(assignment, "=");

	snprintf(name, cap, "%.*s", (int)n, assignment);
	return assignment[n] && assignment[n + 1];
}

static void warn_of_others(struct loader *l)
{
	char names[NAMED_MAX * 80] = "", name[NAME_BYTES];
	struct buf b;
	unsigned n = 0;

	buf_init_fixed(&b, names, sizeof(names) - 1);
	for (char **e = environ; *e; e++) {
		bool given = name_of(*e, name, sizeof(name)), known = false;

		for (size_t i = 0; given && i < ARRAY_LEN(upstreams); i++)
			known |= !is_imported(l, upstreams[i]->name) && upstreams[i]->knows(name);
		if (known && n++ < NAMED_MAX)
			buf_printf(&b, "%s%s", b.n ? ", " : "", name);
	}
	names[b.n] = '\0';
	if (!n)
		return;
	WARN_AT(l, "import_env", "not imported: %s%s", names, n > NAMED_MAX ? ", ..." : "");
	report_help(l->r, "import_env: [micromegas, moose] takes the variables of these systems");
}

void import_env(struct loader *l)
{
	check_names(l);
	for (size_t i = 0; i < l->in->import_count; i++)
		if (!is_imported(l, l->in->imports[i]))
			import_item(l, "import_env", IMPLIED, l->in->imports[i]);
	for (size_t i = 0; i < ARRAY_LEN(upstreams); i++)
		if (is_imported(l, upstreams[i]->name))
			upstreams[i]->import(l);
	if (l->conf->import_env.n)
		import_option(l, "auth.default_tenant", IMPLIED, "default");
	warn_of_others(l);
}

void check_imported(struct loader *l)
{
	const struct imported_keys *keys = &l->conf->imported;
	bool homeless = false;

	if (l->conf->compat.moose_enforce_jwt)
		l->conf->moose_is_open = false;
	for (size_t i = 0; i < keys->n; i++)
		homeless |= !*keys->v[i].tenant;
	if (!homeless || *l->conf->auth.default_tenant)
		return;
	ERROR_AT(l, "auth.default_tenant",
	         "a key of the environment names no tenant, and "
	         "'auth.default_tenant' is empty");
	report_help(l->r, "leave it out for 'default'");
}

const char *const *conf_upstreams_here(void)
{
	static const char *found[ARRAY_LEN(upstreams) + 1];
	char name[NAME_BYTES];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(upstreams); i++) {
		bool here = false;

		for (char **e = environ; *e; e++)
			here |= name_of(*e, name, sizeof(name)) && upstreams[i]->knows(name);
		if (here)
			found[n++] = upstreams[i]->name;
	}
	found[n] = NULL;
	return found;
}
