/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node.c -- reads values out of the tree of yaml_node.h; what is wrong is said at its place.
 */
#include "conf/yaml_node.h"

#include <strings.h>

#include "conf/values.h"

enum { SHOWN_KEY_BYTES = 64, KEYS_HELP_BYTES = 1024 };

struct yaml_node *node_get(const struct yaml_node *map, const char *key)
{
	if (map->kind != NODE_MAP)
		return NULL;
	for (struct yaml_node *c = map->first; c; c = c->next)
		if (strcmp(c->key->text, key) == 0)
			return c;
	return NULL;
}

bool node_is(struct report *r, const struct yaml_node *n, enum node_kind kind)
{
	static const char *const names[] = { "a single value", "a map", "a list" };

	if (n->kind == kind)
		return true;
	if (n->key)
		report_error(r, n->at, "'%.*s' must be %s, not %s", SHOWN_KEY_BYTES, n->key->text,
		             names[kind], names[n->kind]);
	else
		report_error(r, n->at, "%s is expected here, not %s", names[kind], names[n->kind]);
	return false;
}

/* A line that says `password: x` under a key we do not know must not be shown. */
static bool is_secret_name(const char *key)
{
	size_t n = strlen(key);

	if (n > 5 && strcmp(key + n - 5, "_file") == 0)
		return false;
	return strcasestr(key, "pass") || strcasestr(key, "secret") || strcasestr(key, "token");
}

static void say_unknown(struct report *r, const struct yaml_node *key, const char *const *allowed)
{
	char list[KEYS_HELP_BYTES];
	struct place at = key->at;
	const char *near;
	struct buf b;
	size_t n = 0;

	buf_init_fixed(&b, list, sizeof(list) - 1);
	for (; allowed[n]; n++) {
		buf_str(&b, n ? ", " : "");
		buf_str(&b, allowed[n]);
	}
	list[b.n] = '\0';
	at.secret = at.secret || is_secret_name(key->text);
	near = report_nearest(key->text, allowed, n);
	report_error(r, at, "unknown key '%.*s'%s%s%s", SHOWN_KEY_BYTES, key->text,
	             near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
	report_help(r, "keys allowed here: %s", list);
}

bool node_keys(struct report *r, const struct yaml_node *map, const char *const *allowed)
{
	bool ok = true;

	for (const struct yaml_node *c = map->first; c; c = c->next) {
		size_t i = 0;

		while (allowed[i] && strcmp(allowed[i], c->key->text) != 0)
			i++;
		if (!allowed[i]) {
			say_unknown(r, c->key, allowed);
			ok = false;
		}
	}
	return ok;
}

const char *node_scalar_(struct report *r, const struct yaml_node *n)
{
	return node_is(r, n, NODE_SCALAR) ? n->text : NULL;
}

const char *node_string(struct report *r, const struct yaml_node *n)
{
	static const char *const words[] = {
		"yes", "no", "on", "off", "true", "false", "null", "~"
	};

	if (!node_scalar_(r, n))
		return NULL;
	if (!n->plain)
		return n->text;
	if (!*n->text) {
		report_error(r, n->at, "a text is expected here");
		report_help(r, "write \"\" for an empty one");
		return NULL;
	}
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcasecmp(words[i], n->text) == 0) {
			report_error(r, n->at, "'%s' is not taken as a text without quotes",
			             n->text);
			report_help(r, "write \"%s\"", n->text);
			return NULL;
		}
	}
	return n->text;
}

bool node_bool(struct report *r, const struct yaml_node *n, bool *out)
{
	return node_value(r, n, value_bool, out);
}

bool node_u64(struct report *r, const struct yaml_node *n, uint64_t min, uint64_t max,
              uint64_t *out)
{
	uint64_t v = 0;

	if (!node_value(r, n, value_count, &v))
		return false;
	if (v < min || v > max) {
		report_error(r, n->at, "'%s' is out of range", n->text);
		report_help(r, "allowed: %llu..%llu", (unsigned long long)min,
		            (unsigned long long)max);
		return false;
	}
	*out = v;
	return true;
}
