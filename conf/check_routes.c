/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_routes.c -- `routes`, and where their records go. What they have to do with built-in ones
 * is check_built_in.c's.
 */
#include "common/telemetry.h"
#include "conf/load.h"

enum { BYTES_LEAST = KIB }; /* of max_body and record_max_bytes, as of their sections */

static const char *at_route(struct loader *l, size_t index, const char *key)
{
	return path_text(l, "routes[%zu]%s%s", index, *key ? "." : "", key);
}

static const char *shown(struct loader *l, size_t index, const char *key, const char *value)
{
	return written(l, at_route(l, index, key), value);
}

/* ---- one route ---- */

static void check_protocol(struct loader *l, const struct route_conf *r, size_t index)
{
	static const char *const words[] = {
#define PROTOCOL(name, protocol) name,
#include "common/protocols.def"
#undef PROTOCOL
	};
	const char *path = at_route(l, index, "protocol");
	const char *text = shown(l, index, "protocol", r->protocol), *near;

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(words[i], r->protocol) == 0)
			return;
	near = report_nearest(text, words, ARRAY_LEN(words));
	ERROR_AT(l, path, "'%s' is no protocol%s%s%s", text, near ? " (did you mean '" : "",
	         near ? near : "", near ? "'?)" : "");
}

/* What was refused has been told, and offline a value that a file holds is not known. */
static bool is_missing(const struct loader *l, const char *path, const char *value)
{
	const struct origin *o = origin_find(l->origins, path);

	return !*value && !(o && o->written && *o->written);
}

bool is_url_path(const char *path)
{
	size_t n = strlen(path);

	for (size_t i = 0; i < n; i++)
		if (path[i] <= ' ' || path[i] > '~' || path[i] == '?' || path[i] == '#')
			return false;
	return !n || (*path == '/' && path[n - 1] != '/');
}

static bool has_listener(const struct route_conf *r, const char *name)
{
	for (size_t i = 0; i < r->listeners.n; i++)
		if (strcmp(r->listeners.v[i], name) == 0)
			return true;
	return !r->listeners.n; /* it is on all */
}

/* They have a page more. */
static bool is_on_moose(const struct loader *l, const struct route_conf *r)
{
	for (size_t i = 0; i < l->conf->listeners.n; i++)
		if (l->conf->listeners.v[i].dialect == LISTENER_MOOSE &&
		    has_listener(r, l->conf->listeners.v[i].name))
			return true;
	return false;
}

static void check_path(struct loader *l, const struct route_conf *r, size_t index)
{
	const char *path = at_route(l, index, "path");

	if (!is_url_path(r->path)) {
		ERROR_AT(l, path, "'%s' is no path of a route", shown(l, index, "path", r->path));
		report_help(l->r, "it begins with a slash and does not end with one; printable "
		                  "ASCII without blanks, ? and #");
	}
	if (strcmp(r->path, "/health") == 0 || strcmp(r->path, "/ready") == 0 ||
	    (strcmp(r->path, "/liveness") == 0 && is_on_moose(l, r)))
		ERROR_AT(l, path, "'%s' is a page of ours", r->path);
	if (is_missing(l, at_route(l, index, "protocol"), r->protocol))
		ERROR_AT(l, path, "a route with a path needs a 'protocol'");
	if (is_missing(l, at_route(l, index, "topic"), r->topic))
		ERROR_AT(l, path, "a route with a path needs a 'topic'");
}

static bool is_listener(const struct loader *l, const char *name)
{
	for (size_t i = 0; i < l->conf->listeners.n; i++)
		if (strcmp(l->conf->listeners.v[i].name, name) == 0)
			return true;
	return false;
}

static void check_route_listeners(struct loader *l, const struct route_conf *r, size_t index)
{
	for (size_t i = 0; i < r->listeners.n; i++) {
		const char *path = path_text(l, "routes[%zu].listeners[%zu]", index, i);

		if (!is_listener(l, r->listeners.v[i]))
			ERROR_AT(l, path, "there is no listener '%s'",
			         written(l, path, r->listeners.v[i]));
	}
}

static void check_size(struct loader *l, size_t index, const char *key, uint64_t bytes)
{
	if (bytes && bytes < BYTES_LEAST)
		ERROR_AT(l, at_route(l, index, key), "'%s' is below 1KiB", key);
}

static void check_values(struct loader *l, const struct route_conf *r, size_t index)
{
	bool is_signal = !*r->scope;

	for (unsigned s = 0; s < SIGNAL_COUNT; s++)
		is_signal = is_signal || strcmp(r->scope, signal_name(s)) == 0;
	if (!is_signal) {
		ERROR_AT(l, at_route(l, index, "scope"), "'%s' is no scope of a token",
		         shown(l, index, "scope", r->scope));
		report_help(l->r, "allowed: traces, metrics, logs, events, opaque");
	}
	check_size(l, index, "max_body", r->max_body);
	check_size(l, index, "record_max_bytes", r->record_max_bytes);
	check_stamp_name(l, at_route(l, index, "stamp_name"), r->stamp_name);
	check_topic_prefix(l, at_route(l, index, "topic_prefix"), r->topic_prefix);
}

static void check_route(struct loader *l, const struct route_conf *r, size_t index)
{
	const char *at = at_route(l, index, "name");
	bool no_path = is_missing(l, at_route(l, index, "path"), r->path);
	bool no_protocol = is_missing(l, at_route(l, index, "protocol"), r->protocol);

	if (is_missing(l, at, r->name))
		ERROR_AT(l, at_route(l, index, ""), "a route needs a 'name'");
	else if (*r->name && !no_path)
		check_own_name(l, at, r->name);
	else if (*r->name && no_protocol)
		check_override(l, r, at, at_route(l, index, "topic"));
	if (*r->protocol)
		check_protocol(l, r, index);
	if (*r->path)
		check_path(l, r, index);
	else if (*r->protocol && no_path)
		ERROR_AT(l, at_route(l, index, "protocol"),
		         "'protocol' goes with a 'path': a built-in route has its own");
	check_route_listeners(l, r, index);
	check_values(l, r, index);
}

/* ---- two routes ---- */

static bool share_listener(const struct loader *l, const struct route_conf *a,
                           const struct route_conf *b)
{
	for (size_t i = 0; i < l->conf->listeners.n; i++) {
		const char *name = l->conf->listeners.v[i].name;

		if (has_listener(a, name) && has_listener(b, name))
			return true;
	}
	return false;
}

static void check_twins(struct loader *l, size_t first, size_t second)
{
	const struct route_conf *a = &l->conf->routes.v[first], *b = &l->conf->routes.v[second];
	struct place at = place_of_option(l, at_route(l, first, ""));

	if (*b->name && strcmp(a->name, b->name) == 0)
		ERROR_AT(l, at_route(l, second, "name"),
		         "the route '%s' is there twice: first at %s:%u:%u",
		         shown(l, second, "name", b->name), source_path(at.source), at.line,
		         at.col);
	if (*b->path && strcmp(a->path, b->path) == 0 && share_listener(l, a, b))
		ERROR_AT(l, at_route(l, second, "path"),
		         "the routes '%s' and '%s' have one path on one listener",
		         shown(l, first, "name", a->name), shown(l, second, "name", b->name));
}

/* ---- their topics ---- */

/* Of a built-in route: check_built_in.c. */
static void use_topics(struct loader *l, const struct route_conf *r, size_t index)
{
	const char *path = at_route(l, index, "topic");
	const char *prefix = *r->topic_prefix ? r->topic_prefix : l->conf->record.topic_prefix;

	if (!*r->path || !*r->protocol || !*r->topic)
		return;
	use_topic_option(l, path, prefix, r->topic, "", r->protocol);
	if (keeps_json(l, r->protocol, r->json))
		use_topic_option(l, path, prefix, r->topic, "_json", r->protocol);
	if (strcmp(r->protocol, "remote_write") == 0)
		use_topic_option(l, path, prefix, r->topic, "_v2", r->protocol);
}

void check_routes(struct loader *l)
{
	const struct conf *c = l->conf;

	for (size_t i = 0; i < c->routes.n; i++) {
		check_route(l, &c->routes.v[i], i);
		for (size_t k = 0; k < i; k++)
			check_twins(l, k, i);
		use_topics(l, &c->routes.v[i], i);
	}
	check_built_in_paths(l);
}
