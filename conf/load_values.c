/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load_values.c -- one node to one option, or one -o. Each value is set once; its origin is kept
 * for -T. What a variable or a file expanded to is in no message: they show what was written.
 */
#include <stdio.h>

#include "conf/load.h"

enum { SHOWN_MAX = 80, LISTS_MAX = 1024, LISTS_KEY_MAX = 256 };

/* ---- one text ---- */

/* " (did you mean 'x'?)", or "". */
static const char *word_hint(struct loader *l, const struct option *o, const char *written)
{
	const char *words[16], *near;
	struct bytes word;
	unsigned n = 0;

	if (o->type != OPT_ENUM || !written)
		return "";
	for (; n < ARRAY_LEN(words) && option_word(o, n, &word); n++)
		words[n] = pool_text(report_pool(l->r), word);
	near = report_nearest(written, words, n);
	return near ? path_text(l, " (did you mean '%s'?)", near) : "";
}

static void say_bad_value(struct loader *l, const struct option *o, const char *path,
                          const char *written, struct place at, const struct err *why)
{
	char range[256];
	struct buf b;

	if (written)
		report_error(l->r, at, "'%s' cannot be '%.*s': %s%s", path, SHOWN_MAX, written,
		             why->text, word_hint(l, o, written));
	else
		report_error(l->r, at, "'%s': %s", path, why->text);
	buf_init_fixed(&b, range, sizeof(range) - 1);
	option_range(o, &b);
	range[b.n] = '\0';
	if (*range)
		report_help(l->r, "allowed: %s", range);
}

/* written: what a message may show, NULL for a secret. */
static bool set_text(struct loader *l, const struct option *o, void *base, const char *path,
                     const char *text, const char *written, struct place at)
{
	struct err why = { "" };

	if (option_set(o, base, l->pool, text, &why) == 0)
		return true;
	say_bad_value(l, o, path, written, at, &why);
	return false;
}

/* Types whose values are words of ours, where a plain `no` is just a wrong one. */
static bool wants_string(const struct option *o)
{
	return o->type >= OPT_TEXT;
}

/* A scalar node's text, expanded; what the values parsers shall see. */
static bool node_text(struct loader *l, const struct option *o, const struct yaml_node *n,
                      struct value *v)
{
	struct place at = n->at;
	const char *text = wants_string(o) ? node_string(l->r, n) : node_scalar_(l->r, n);

	at.secret = o->secret;
	return text && expand(l, text, o->secret, at, v);
}

static void load_scalar(struct loader *l, const struct option *o, void *base, const char *path,
                        const struct yaml_node *n)
{
	struct place at = n->at;
	struct value v;

	at.secret = o->secret;
	if (origin_twice(l, path, n->key->at) || !node_text(l, o, n, &v))
		return;
	origin_set(l, path, at, v.raw);
	origin_written(l, path, n->text);
	if (!v.unknown)
		set_text(l, o, base, path, v.text, o->secret ? NULL : n->text, at);
}

/* ---- lists and maps ---- */

static void load_items(struct loader *l, const struct option *o, struct conf_list *list,
                       const char *path, const struct yaml_node *n)
{
	struct err why = { "" };

	for (const struct yaml_node *c = n->first; c; c = c->next) {
		const char *item = path_text(l, "%s[%zu]", path, list->n);
		struct value v;

		if (!node_text(l, o, c, &v) || v.unknown)
			continue;
		if (option_add(o, list, l->pool, v.text, &why) < 0) {
			say_bad_value(l, o, path, c->text, c->at, &why);
			continue;
		}
		origin_set(l, item, c->at, v.raw);
		origin_written(l, item, c->text);
	}
}

static void load_list(struct loader *l, const struct option *o, void *base, const char *path,
                      const struct yaml_node *n)
{
	struct conf_list *list = option_member(o, base);

	if (!node_is(l->r, n, NODE_LIST))
		return;
	if (!origin_find(l->origins, path))
		*list = (struct conf_list){ NULL, 0 }; /* the default gives way to the first one */
	else if (!o->append && origin_twice(l, path, n->key->at))
		return;
	if (!origin_find(l->origins, path))
		origin_set(l, path, n->at, NULL);
	load_items(l, o, list, path, n);
}

static void load_list_any(struct loader *l, const struct option *o, void *base, const char *path,
                          const struct yaml_node *n)
{
	if (n->kind == NODE_SCALAR && strcmp(n->text, "any") == 0)
		load_scalar(l, o, base, path, n);
	else
		load_list(l, o, base, path, n);
}

static struct conf_list *add_key(struct loader *l, struct conf_lists *lists, const char *key)
{
	struct conf_keyed *grown = pool_zalloc(l->pool, (lists->n + 1) * sizeof(*grown));

	if (lists->n)
		memcpy(grown, lists->v, lists->n * sizeof(*grown));
	grown[lists->n].key = pool_text(l->pool, bytes_str(key));
	*lists = (struct conf_lists){ grown, lists->n + 1 };
	return &grown[lists->n - 1].list;
}

/* Keys are what somebody else calls them, taken as they are. */
static void load_lists(struct loader *l, const struct option *o, void *base, const char *path,
                       const struct yaml_node *n)
{
	struct conf_lists *lists = option_member(o, base);

	if (!node_is(l->r, n, NODE_MAP) || origin_twice(l, path, n->key->at))
		return;
	origin_set(l, path, n->key->at, NULL);
	for (const struct yaml_node *c = n->first; c; c = c->next) {
		const char *item = path_text(l, "%s.%s", path, c->key->text);

		if (lists->n == LISTS_MAX) {
			report_error(l->r, c->key->at, "'%s' has more than %d keys", path,
			             LISTS_MAX);
			return;
		}
		if (!node_is(l->r, c, NODE_LIST))
			continue;
		if (!c->count)
			report_error(l->r, c->at, "'%s' has an empty list", item);
		if (!*c->key->text || strlen(c->key->text) > LISTS_KEY_MAX)
			report_error(l->r, c->key->at, "a key of '%s' has 1 to %d bytes", path,
			             LISTS_KEY_MAX);
		origin_set(l, item, c->key->at, NULL);
		load_items(l, o, add_key(l, lists, c->key->text), item, c);
	}
}

/* kafka.properties: maps of several files are merged, one key may stand in one of them. */
static void load_pairs(struct loader *l, const struct option *o, const char *path,
                       const struct yaml_node *n)
{
	struct conf_pairs *pairs = option_member(o, l->conf);
	size_t max = 64; /* as options.def says */

	if (!node_is(l->r, n, NODE_MAP))
		return;
	if (!origin_find(l->origins, path))
		origin_set(l, path, n->key->at, NULL);
	for (const struct yaml_node *c = n->first; c; c = c->next) {
		const char *item = path_text(l, "%s.%s", path, c->key->text);
		struct conf_pair *grown;
		struct place at = c->at;
		struct value v;

		at.secret = true;
		if (origin_twice(l, item, c->key->at) || !node_scalar_(l->r, c) ||
		    !expand(l, c->text, true, at, &v))
			continue;
		origin_set(l, item, at, v.raw);
		if (pairs->n == max) {
			report_error(l->r, c->key->at, "'%s' has more than %zu entries", path, max);
			return;
		}
		grown = pool_alloc(l->pool, (pairs->n + 1) * sizeof(*grown));
		if (pairs->n)
			memcpy(grown, pairs->v, pairs->n * sizeof(*grown));
		grown[pairs->n].key = pool_text(l->pool, bytes_str(c->key->text));
		grown[pairs->n].value = pool_text(l->pool, bytes_str(v.unknown ? "" : v.text));
		*pairs = (struct conf_pairs){ grown, pairs->n + 1 };
	}
}

/* ---- certificates ---- */

static const char *tls_path(struct loader *l, const char *path, size_t index, const char *key)
{
	return index ? path_text(l, "%s[%zu].%s", path, index, key)
	             : path_text(l, "%s.%s", path, key);
}

/* The map at index, as one value that the table tls_options fits; new ones have the defaults. */
static struct tls_map tls_get(struct loader *l, const struct tls_conf *tls, size_t index)
{
	struct tls_map map = { .min_version = TLS_VERSION_1_2 };

	options_default(&tls_options, &map, l->pool);
	if (index < tls->pairs.n) {
		map.pair = tls->pairs.v[index];
		map.min_version = tls->min_version;
	}
	return map;
}

static void tls_put(struct loader *l, struct tls_conf *tls, size_t index, const struct tls_map *map)
{
	if (index >= tls->pairs.n) {
		struct tls_pair *grown = pool_alloc(l->pool, (tls->pairs.n + 1) * sizeof(*grown));

		if (tls->pairs.n)
			memcpy(grown, tls->pairs.v, tls->pairs.n * sizeof(*grown));
		tls->pairs.v = grown;
		tls->pairs.n++;
	}
	tls->pairs.v[index] = map->pair;
}

/* min_version belongs to the listener: maps of a list must not disagree. */
static void load_min_version(struct loader *l, struct tls_conf *tls, const char *path, size_t index,
                             enum tls_version version)
{
	const char *given = path_text(l, "%s[min_version]", path);
	const struct origin *first = origin_find(l->origins, given);
	const char *own = tls_path(l, path, index, "min_version");

	if (!origin_find(l->origins, own))
		return;
	if (first && tls->min_version != version)
		report_error(l->r, place_of_option(l, own), "'%s' differs from that in line %u",
		             own, first->at.line);
	tls->min_version = version;
	origin_set(l, given, place_of_option(l, own), NULL);
}

static void load_tls_map(struct loader *l, struct tls_conf *tls, const char *path, size_t index,
                         const struct yaml_node *n)
{
	struct tls_map map = tls_get(l, tls, index);

	node_keys(l->r, n, allowed_keys(l, "tls[]."));
	for (const struct yaml_node *c = n->first; c; c = c->next) {
		const struct option *o = option_find(&tls_options, c->key->text);

		if (o)
			load_scalar(l, o, &map, tls_path(l, path, index, o->path), c);
	}
	tls_put(l, tls, index, &map);
	load_min_version(l, tls, path, index, map.min_version);
}

static void load_tls(struct loader *l, struct tls_conf *tls, const char *path,
                     const struct yaml_node *n)
{
	bool is_list = n->kind == NODE_LIST;

	if (is_list && origin_twice(l, path, n->key->at))
		return;
	if (!origin_find(l->origins, path))
		origin_set(l, path, n->key->at, NULL);
	if (!is_list) {
		if (node_is(l->r, n, NODE_MAP))
			load_tls_map(l, tls, path, 0, n);
		return;
	}
	for (const struct yaml_node *c = n->first; c; c = c->next)
		if (node_is(l->r, c, NODE_MAP))
			load_tls_map(l, tls, path, tls->pairs.n, c);
}

/* ---- lists of maps ---- */

void *add_map(struct loader *l, const struct option *o, bool is_first)
{
	const struct option_maps *kind = option_maps_of(o);
	struct maps old = maps_get(o, l->conf), grown = { .n = 1 };

	if (!is_first) /* else it takes the place of the default */
		grown.n += old.n;
	grown.v = pool_zalloc(l->pool, grown.n * kind->bytes);
	if (grown.n > 1)
		memcpy(grown.v, old.v, old.n * kind->bytes);
	maps_set(o, l->conf, grown);
	options_default(kind->table, maps_at(kind, grown, grown.n - 1), l->pool);
	return maps_at(kind, grown, grown.n - 1);
}

static void load_map(struct loader *l, const struct option *o, const struct yaml_node *n,
                     bool is_first)
{
	const struct option_maps *kind = option_maps_of(o);
	void *map = add_map(l, o, is_first);
	size_t index = maps_get(o, l->conf).n - 1;

	origin_set(l, path_text(l, "%s[%zu]", o->path, index), n->at, NULL);
	node_keys(l->r, n, allowed_keys(l, path_text(l, "%s[].", o->path)));
	for (const struct yaml_node *c = n->first; c; c = c->next) {
		const struct option *key = option_find(kind->table, c->key->text);
		const char *path = path_text(l, "%s[%zu].%s", o->path, index, c->key->text);

		if (key)
			load_option(l, key, map, path, c);
	}
}

static void load_maps(struct loader *l, const struct option *o, const struct yaml_node *n)
{
	size_t max = strtoul(o->max, NULL, 10);

	if (!node_is(l->r, n, NODE_LIST))
		return;
	if (!n->count && *o->min != '0' && !origin_find(l->origins, o->path)) {
		report_error(l->r, n->at, "'%s' has no element", o->path);
		report_help(l->r, "leave it out for the default");
	}
	if (!origin_find(l->origins, o->path))
		origin_set(l, o->path, n->key->at, NULL);
	for (const struct yaml_node *c = n->first; c; c = c->next) {
		bool is_first = !origin_find(l->origins, path_text(l, "%s[0]", o->path));

		if (!is_first && maps_get(o, l->conf).n == max) {
			report_error(l->r, c->at, "there are more than %zu %s", max, o->path);
			return;
		}
		if (node_is(l->r, c, NODE_MAP))
			load_map(l, o, c, is_first);
	}
}

void load_option(struct loader *l, const struct option *o, void *base, const char *path,
                 const struct yaml_node *node)
{
	if (option_is_scalar(o))
		load_scalar(l, o, base, path, node);
	else if (o->type == OPT_LIST)
		load_list(l, o, base, path, node);
	else if (o->type == OPT_LIST_ANY)
		load_list_any(l, o, base, path, node);
	else if (o->type == OPT_LISTS)
		load_lists(l, o, base, path, node);
	else if (o->type == OPT_PAIRS)
		load_pairs(l, o, path, node);
	else if (o->type == OPT_TLS)
		load_tls(l, option_member(o, base), path, node);
	else if (o->type == OPT_MAPS)
		load_maps(l, o, node);
	/* OPT_INCLUDE has been read before everything else. */
}

/* ---- the command line ---- */

static void set_scalar(struct loader *l, const struct option *o, void *base, const char *path,
                       const char *text, struct place at)
{
	if (o->secret || !option_is_scalar(o)) {
		report_error(
			l->r, at,
			o->secret
				? "this may hold a secret: it is never taken from the command line"
				: "this is no single value: set it in the file");
		l->usage = l->usage || o->secret;
		return;
	}
	origin_set(l, path, at, NULL);
	origin_written(l, path, text);
	set_text(l, o, base, path, text, text, at);
}

/* `tls.KEY`: the first pair of a tls map. */
static bool set_tls(struct loader *l, struct tls_conf *tls, const char *path, const char *key,
                    const char *text, struct place at)
{
	const struct option *o = option_find(&tls_options, key);
	struct tls_map map;

	if (!o)
		return false;
	map = tls_get(l, tls, 0);
	set_scalar(l, o, &map, path, text, at);
	tls_put(l, tls, 0, &map);
	tls->min_version = map.min_version;
	return true;
}

/* `listeners[0].KEY`, for an element that is there. */
static bool set_in_map(struct loader *l, const struct option_maps *kind, const struct conf_set *set,
                       struct place at)
{
	const struct option *list = option_find(&options, kind->path), *o;
	struct maps maps = maps_get(list, l->conf);
	size_t n = strlen(kind->path);
	unsigned long index;
	void *map;
	char *end;

	if (strncmp(set->path, kind->path, n) != 0 || set->path[n] != '[')
		return false;
	index = strtoul(set->path + n + 1, &end, 10);
	if (strncmp(end, "].", 2) != 0 || index >= maps.n)
		return false;
	map = maps_at(kind, maps, index);
	if (strncmp(end + 2, "tls.", 4) == 0) {
		o = option_find(kind->table, "tls");
		return o && set_tls(l, option_member(o, map), set->path, end + 6, set->value, at);
	}
	o = option_find(kind->table, end + 2);
	if (!o)
		return false;
	set_scalar(l, o, map, set->path, set->value, at);
	return true;
}

static bool set_in_maps(struct loader *l, const struct conf_set *set, struct place at)
{
	for (size_t i = 0; i < option_maps_count; i++)
		if (set_in_map(l, &option_maps[i], set, at))
			return true;
	return false;
}

/* An unknown name that looks like a secret's: its value stands in argv all the same. */
static bool looks_secret(const char *path)
{
	size_t n = strlen(path);

	if (n > 5 && strcmp(path + n - 5, "_file") == 0)
		return false;
	return strstr(path, "pass") || strstr(path, "secret") || strstr(path, "token") ||
	       strncmp(path, "kafka.properties.", 17) == 0;
}

static void say_unknown_set(struct loader *l, const struct conf_set *set, struct place at)
{
	const char **names = pool_zalloc(report_pool(l->r), options.n * sizeof(*names));
	const char *near;

	if (looks_secret(set->path)) {
		report_error(l->r, at,
		             "this may hold a secret: it is never taken from the command line");
		report_help(l->r, "secrets come by *_file options, or ${file:...} and ${cred:...}");
		l->usage = true;
		return;
	}
	for (size_t i = 0; i < options.n; i++)
		names[i] = options.v[i].path;
	near = report_nearest(set->path, names, options.n);
	report_error(l->r, at, "there is no such option%s%s%s", near ? " (did you mean '" : "",
	             near ? near : "", near ? "'?)" : "");
}

void load_set(struct loader *l, const struct conf_set *set)
{
	struct place at = { .what = path_text(l, "-o %.200s", set->path) };
	const struct option *o = option_find(&options, set->path);

	if (strlen(set->value) > 4 * KIB)
		report_error(l->r, at, "the value is too long");
	else if (o && o->type == OPT_INCLUDE)
		return; /* read before everything else */
	else if (o)
		set_scalar(l, o, l->conf, set->path, set->value, at);
	else if (strncmp(set->path, "admin.tls.", 10) == 0 &&
	         set_tls(l, &l->conf->admin.tls, set->path, set->path + 10, set->value, at))
		return;
	else if (!set_in_maps(l, set, at))
		say_unknown_set(l, set, at);
}
