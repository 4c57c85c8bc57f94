/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_built_in.c -- the built-in routes (common/routes.def) as far as the configuration is about
 * them: a name of `routes` that is one of theirs, a path that is, and the topics that their records
 * go to. What a route does is a worker's to know (worker/route_table.c).
 */
#include "conf/load.h"

enum {
	ON_NATIVE = 1 << LISTENER_NATIVE,
	ON_MOOSE = 1 << LISTENER_MOOSE,
	ON_GATEWAY = 1 << LISTENER_GATEWAY,
	ON_SHARED = ON_NATIVE | ON_MOOSE,
	ON_ALL = ON_SHARED | ON_GATEWAY,
};

struct built_in {
	const char *name;
	unsigned on; /* dialects of listeners: one of them has it; 0: a page */
	const char *switched_by; /* an option, whose value is so far in struct conf: */
	size_t enabled;
	const char *kind; /* of its messages; NULL: of each data model its own */
	const char *option; /* of its topic, whose value is so far in struct conf: */
	size_t topic;
	const char *suffix; /* of a topic that `routes` gives */
};

#define AT(member) offsetof(struct conf, protocols.member)
static const struct built_in built_ins[] = {
#define ROUTE(name_, on_, section_, kind_, topic_, suffix_)                                        \
	{ .name = name_,                                                                           \
	  .on = on_,                                                                               \
	  .switched_by = "protocols." #section_ ".enabled",                                        \
	  .enabled = AT(section_.enabled),                                                         \
	  .kind = kind_,                                                                           \
	  .option = "protocols." #topic_,                                                          \
	  .topic = AT(topic_),                                                                     \
	  .suffix = suffix_ },
#define MODELS(name_, on_)                                                                         \
	{ .name = name_,                                                                           \
	  .on = on_,                                                                               \
	  .switched_by = "protocols.models.enabled",                                               \
	  .enabled = AT(models.enabled) },
#define PAGE(name_) { .name = name_ },
#include "common/routes.def"
#undef ROUTE
#undef MODELS
#undef PAGE
};

static const struct built_in *built_in_named(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(built_ins); i++)
		if (strcmp(built_ins[i].name, name) == 0)
			return &built_ins[i];
	return NULL;
}

static bool is_enabled(const struct loader *l, const struct built_in *b)
{
	return *(const bool *)((const char *)l->conf + b->enabled);
}

static bool has_listener(const struct loader *l, const struct built_in *b)
{
	for (size_t i = 0; i < l->conf->listeners.n; i++)
		if (b->on & (1u << l->conf->listeners.v[i].dialect))
			return true;
	return false;
}

/* ---- names ---- */

void check_own_name(struct loader *l, const char *at, const char *name)
{
	if (!built_in_named(name))
		return;
	ERROR_AT(l, at, "'%s' is a route of ours", written(l, at, name));
	report_help(l->r, "without a path it would change that one; with a path it needs a name of "
	                  "its own");
}

static void say_unknown(struct loader *l, const char *at, const char *name)
{
	const char *names[ARRAY_LEN(built_ins)], *near;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(built_ins); i++)
		if (built_ins[i].on)
			names[n++] = built_ins[i].name;
	near = report_nearest(name, names, n);
	ERROR_AT(l, at, "there is no built-in route '%s'%s%s%s", written(l, at, name),
	         near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
	report_help(l->r, "a route of your own needs a 'path', a 'protocol' and a 'topic'");
}

void check_override(struct loader *l, const struct route_conf *r, const char *at,
                    const char *at_topic)
{
	const struct built_in *b = built_in_named(r->name);

	if (!b || !b->on)
		say_unknown(l, at, r->name);
	else if (!is_enabled(l, b))
		ERROR_AT(l, at, "the route '%s' is off: '%s' is false", b->name, b->switched_by);
	else if (!has_listener(l, b))
		ERROR_AT(l, at, "the route '%s' is off: no listener has its dialect", b->name);
	else if (!b->kind && *r->topic)
		ERROR_AT(l, at_topic, "each data model has a topic of its own");
}

/* ---- their configuration ---- */

/* What `routes` says of it; NULL: nothing. */
static const struct route_conf *override_of(const struct loader *l, const char *name, size_t *index)
{
	for (size_t i = 0; i < l->conf->routes.n; i++) {
		const struct route_conf *r = &l->conf->routes.v[i];

		*index = i;
		if (!*r->path && strcmp(r->name, name) == 0)
			return r;
	}
	return NULL;
}

/* ---- paths ---- */

static const struct built_in_path {
	const char *route, *text;
} built_in_paths[] = {
#define PATH(route_, text_) { route_, text_ },
#include "common/paths.def"
#undef PATH
};

static bool names_listener(const struct route_conf *r, const char *name)
{
	for (size_t i = 0; i < r->listeners.n; i++)
		if (strcmp(r->listeners.v[i], name) == 0)
			return true;
	return false;
}

/* Whether this listener has the built-in route, after what `routes` says of it. */
static bool is_on(const struct loader *l, const char *route, const struct listener_conf *listener)
{
	size_t index;
	const struct built_in *b = built_in_named(route);
	const struct route_conf *r = override_of(l, route, &index);

	if (!is_enabled(l, b))
		return false;
	return r && r->listeners.n ? names_listener(r, listener->name)
	                           : b->on & (1u << listener->dialect);
}

/* One of our own with a path of theirs: the first listener on which it is one. */
static void check_own_path(struct loader *l, const struct route_conf *r, size_t index,
                           const struct built_in_path *path)
{
	const char *at = path_text(l, "routes[%zu].path", index);

	if (strcmp(r->path, path->text) != 0)
		return;
	for (size_t i = 0; i < l->conf->listeners.n; i++) {
		const struct listener_conf *listener = &l->conf->listeners.v[i];

		if ((r->listeners.n && !names_listener(r, listener->name)) ||
		    !is_on(l, path->route, listener))
			continue;
		ERROR_AT(l, at, "'%s' is the path of '%s', a route of ours, on the listener '%s'",
		         written(l, at, r->path), path->route, listener->name);
		report_help(l->r, "take another path, or say 'listeners' so that they share none");
		return;
	}
}

/* Two of theirs: `listeners` of one took it to the other's. */
static void check_moved(struct loader *l, const struct built_in_path *a,
                        const struct built_in_path *b)
{
	size_t index, other;
	const struct route_conf *r = override_of(l, b->route, &index);

	if (!r || !r->listeners.n) {
		r = override_of(l, a->route, &other);
		index = other;
	}
	if (!r || !r->listeners.n || strcmp(a->text, b->text) != 0)
		return;
	for (size_t i = 0; i < l->conf->listeners.n; i++) {
		const struct listener_conf *listener = &l->conf->listeners.v[i];

		if (!is_on(l, a->route, listener) || !is_on(l, b->route, listener))
			continue;
		ERROR_AT(l, path_text(l, "routes[%zu].listeners", index),
		         "on the listener '%s' the routes '%s' and '%s' have one path, '%s'",
		         listener->name, a->route, b->route, a->text);
		return;
	}
}

void check_built_in_paths(struct loader *l)
{
	for (size_t i = 0; i < ARRAY_LEN(built_in_paths); i++) {
		for (size_t k = 0; k < l->conf->routes.n; k++)
			check_own_path(l, &l->conf->routes.v[k], k, &built_in_paths[i]);
		for (size_t k = 0; k < i; k++)
			check_moved(l, &built_in_paths[k], &built_in_paths[i]);
	}
}

/* ---- topics ---- */

static const char *prefix_of(const struct loader *l, const char *name)
{
	size_t index;
	const struct route_conf *r = override_of(l, name, &index);

	return r && *r->topic_prefix ? r->topic_prefix : l->conf->record.topic_prefix;
}

static void use_topics_of(struct loader *l, const struct built_in *b)
{
	size_t index;
	const struct route_conf *r = override_of(l, b->name, &index);
	const char *prefix = prefix_of(l, b->name);
	const char *topic = *(const char *const *)((const char *)l->conf + b->topic);
	const char *option = b->option, *suffix = "", *kind = b->kind;

	if (r && *r->topic) {
		option = path_text(l, "routes[%zu].topic", index);
		topic = r->topic;
		suffix = b->suffix;
	} else {
		kind = path_text(l, "%s%s", kind, b->suffix);
	}
	use_topic_option(l, option, prefix, topic, suffix, kind);
	if (keeps_json(l, kind, r ? r->json : 0))
		use_topic_option(l, option, prefix, topic, "_json", kind);
}

const char *models_prefix(const struct loader *l)
{
	const char *prefix = "";

	for (size_t i = 0; i < ARRAY_LEN(built_ins); i++)
		if (built_ins[i].on && !built_ins[i].kind && has_listener(l, &built_ins[i]))
			prefix = prefix_of(l, built_ins[i].name);
	return prefix;
}

/* A data model has one topic, whichever way its objects come. */
static void check_models_prefix(struct loader *l, const struct built_in *b)
{
	size_t index;
	const struct route_conf *r = override_of(l, b->name, &index);

	if (r && strcmp(prefix_of(l, b->name), models_prefix(l)) != 0)
		ERROR_AT(l, path_text(l, "routes[%zu].topic_prefix", index),
		         "the routes of data models have one prefix: 'models' and 'moose' differ");
}

void use_topics_of_built_in(struct loader *l)
{
	for (size_t i = 0; i < ARRAY_LEN(built_ins); i++) {
		const struct built_in *b = &built_ins[i];

		if (!b->on || !is_enabled(l, b) || !has_listener(l, b))
			continue;
		if (b->kind)
			use_topics_of(l, b);
		else
			check_models_prefix(l, b);
	}
}
