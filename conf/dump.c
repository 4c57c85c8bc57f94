/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dump.c -- the tree as text: -T, whose output is a configuration that means the same, and what a
 * reload changed. Secrets never show: their file or variable does, or nothing.
 */
#include <stdio.h>

#include "conf/load.h"

enum { ITEM_MAX = 480 }; /* bytes of a path: one part of it may be a key of somebody else's */

struct dump {
	const struct conf *conf, *defaults;
	const struct conf_origins *origins; /* NULL: everything is the default */
	enum conf_dump what;
	struct buf *out;
	char section[160]; /* the one that is open, "kafka.tls." */
};

static const char *where(const struct dump *d, const char *path)
{
	const struct origin *o = origin_find(d->origins, path);

	return o ? o->where : "default";
}

static void end_line(const struct dump *d, const char *path)
{
	buf_printf(d->out, "  # %s\n", where(d, path));
}

static void indent(const struct dump *d, unsigned depth)
{
	buf_printf(d->out, "%*s", (int)depth * 2, "");
}

/* In double quotes, which take JSON's escapes; a $ is doubled, or it would be expanded. */
static void quoted(const struct dump *d, const char *text)
{
	buf_char(d->out, '"');
	for (;;) {
		size_t n = strcspn(text, "$");

		buf_json(d->out, bytes_of(text, n), n);
		if (!text[n])
			break;
		buf_str(d->out, "$$");
		text += n + 1;
	}
	buf_char(d->out, '"');
}

static void quoted_raw(const struct dump *d, const char *raw)
{
	buf_char(d->out, '"');
	buf_json(d->out, bytes_str(raw), strlen(raw));
	buf_char(d->out, '"');
}

/* A text as it may be shown: as written if a file was expanded in it, redacted if it is secret. */
static void shown_text(const struct dump *d, const char *path, const char *text, bool secret)
{
	const struct origin *o = origin_find(d->origins, path);

	if (o && o->raw)
		quoted_raw(d, o->raw);
	else if (secret && *text)
		buf_str(d->out, "'<redacted>'");
	else
		quoted(d, text);
}

static void dump_scalar(const struct dump *d, const struct option *o, const void *base,
                        const char *path)
{
	char room[4200];
	struct buf text;

	buf_init_fixed(&text, room, sizeof(room) - 1);
	option_text(o, base, &text);
	room[text.n] = '\0';
	/* The string that dsn_file held is not an option's value. */
	if (strcmp(path, "tenants.dsn") == 0 && *d->conf->tenants.dsn_file.path)
		*room = '\0';
	if (o->type < OPT_TEXT)
		buf_str(d->out, room);
	else
		shown_text(d, path, room, o->secret);
}

static void dump_items(const struct dump *d, const struct conf_list *list, const char *path,
                       unsigned depth)
{
	char item[ITEM_MAX];

	buf_str(d->out, list->n ? "" : " []");
	end_line(d, path);
	for (size_t i = 0; i < list->n; i++) {
		snprintf(item, sizeof(item), "%s[%zu]", path, i);
		indent(d, depth + 1);
		buf_str(d->out, "- ");
		shown_text(d, item, list->v[i], false);
		end_line(d, item);
	}
}

static void dump_list(const struct dump *d, const struct option *o, const struct conf_list *list,
                      const char *path, unsigned depth)
{
	if (o->type == OPT_LIST_ANY && list->n == 1 && strcmp(list->v[0], "any") == 0) {
		buf_str(d->out, " any");
		end_line(d, path);
		return;
	}
	dump_items(d, list, path, depth);
}

static void dump_lists(const struct dump *d, const struct conf_lists *lists, const char *path,
                       unsigned depth)
{
	char item[ITEM_MAX];

	buf_str(d->out, lists->n ? "" : " {}");
	end_line(d, path);
	for (size_t i = 0; i < lists->n; i++) {
		snprintf(item, sizeof(item), "%s.%s", path, lists->v[i].key);
		indent(d, depth + 1);
		quoted_raw(d, lists->v[i].key);
		buf_char(d->out, ':');
		dump_items(d, &lists->v[i].list, item, depth + 1);
	}
}

static bool is_secret_property(const char *key)
{
	static const char *const parts[] = { "password", "secret", "private", "jwt",
		                             "oauthbearer.config" };

	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (strstr(key, parts[i]))
			return true;
	return false;
}

static void dump_pairs(const struct dump *d, const struct conf_pairs *pairs, const char *path,
                       unsigned depth)
{
	char item[1200];

	buf_str(d->out, pairs->n ? "" : " {}");
	end_line(d, path);
	for (size_t i = 0; i < pairs->n; i++) {
		snprintf(item, sizeof(item), "%s.%s", path, pairs->v[i].key);
		indent(d, depth + 1);
		buf_printf(d->out, "%s: ", pairs->v[i].key);
		shown_text(d, item, pairs->v[i].value, is_secret_property(pairs->v[i].key));
		end_line(d, item);
	}
}

static void dump_tls_map(const struct dump *d, const struct tls_conf *tls, size_t index,
                         const char *path, unsigned depth)
{
	struct tls_map map = { .pair = tls->pairs.v[index], .min_version = tls->min_version };
	char member[200];

	for (size_t i = 0; i < tls_options.n; i++) {
		const struct option *o = &tls_options.v[i];

		if (index)
			snprintf(member, sizeof(member), "%s[%zu].%s", path, index, o->path);
		else
			snprintf(member, sizeof(member), "%s.%s", path, o->path);
		indent(d, depth + 1);
		if (tls->pairs.n > 1)
			buf_str(d->out, i ? "  " : "- ");
		buf_printf(d->out, "%s: ", o->path);
		dump_scalar(d, o, &map, member);
		end_line(d, member);
	}
}

static void dump_tls(const struct dump *d, const struct tls_conf *tls, const char *path,
                     unsigned depth)
{
	if (!tls->pairs.n)
		buf_str(d->out, " {cert_file: \"\", key_file: \"\"}");
	end_line(d, path);
	for (size_t i = 0; i < tls->pairs.n; i++)
		dump_tls_map(d, tls, i, path, depth);
}

/* One element of a list of maps; its options are no lists of maps in turn. */
static void dump_map(const struct dump *d, const struct option_maps *kind, const void *map,
                     size_t index, unsigned depth)
{
	char path[128];

	for (size_t i = 0; i < kind->table->n; i++) {
		const struct option *o = &kind->table->v[i];
		const void *member = option_member_const(o, map);

		snprintf(path, sizeof(path), "%s[%zu].%s", kind->path, index, o->path);
		if (o->type == OPT_TLS && !((const struct tls_conf *)member)->pairs.n)
			continue; /* without the map the listener is plain */
		indent(d, depth + 1);
		buf_str(d->out, i ? "  " : "- ");
		buf_printf(d->out, option_is_scalar(o) ? "%s: " : "%s:", o->path);
		if (o->type == OPT_TLS) {
			dump_tls(d, member, path, depth + 2);
		} else if (option_is_list(o)) {
			dump_list(d, o, member, path, depth + 2);
		} else if (o->type == OPT_LISTS) {
			dump_lists(d, member, path, depth + 2);
		} else {
			dump_scalar(d, o, map, path);
			end_line(d, path);
		}
	}
}

static void dump_maps(const struct dump *d, const struct option *o, unsigned depth)
{
	const struct option_maps *kind = option_maps_of(o);
	struct maps maps = maps_get(o, d->conf);

	buf_str(d->out, maps.n ? "" : " []");
	end_line(d, o->path);
	for (size_t i = 0; i < maps.n; i++)
		dump_map(d, kind, maps_at(kind, maps, i), i, depth);
}

/* Opens the maps that path stands in, but for those that are open. */
static unsigned open_sections(struct dump *d, const char *path)
{
	size_t from = 0;
	unsigned depth = 0;

	for (const char *dot; (dot = strchr(path + from, '.')); depth++) {
		size_t n = (size_t)(dot - path) + 1; /* with the dot */
		char section[128];

		if (strncmp(d->section, path, n) != 0) {
			snprintf(section, sizeof(section), "%.*s", (int)n - 1, path);
			indent(d, depth);
			buf_printf(d->out, "%s:", section + from);
			end_line(d, section);
			snprintf(d->section, sizeof(d->section), "%s.", section);
		}
		from = n;
	}
	return depth;
}

static void dump_option(struct dump *d, const struct option *o)
{
	const void *member = option_member_const(o, d->conf);
	unsigned depth = open_sections(d, o->path);
	const char *dot = strrchr(o->path, '.');

	indent(d, depth);
	buf_printf(d->out, option_is_scalar(o) ? "%s: " : "%s:", dot ? dot + 1 : o->path);
	if (option_is_scalar(o)) {
		dump_scalar(d, o, d->conf, o->path);
		end_line(d, o->path);
	} else if (option_is_list(o)) {
		dump_list(d, o, member, o->path, depth);
	} else if (o->type == OPT_LISTS) {
		dump_lists(d, member, o->path, depth);
	} else if (o->type == OPT_PAIRS) {
		dump_pairs(d, member, o->path, depth);
	} else if (o->type == OPT_TLS) {
		dump_tls(d, member, o->path, depth);
	} else if (o->type == OPT_MAPS) {
		dump_maps(d, o, depth);
	}
}

static void dump_include(const struct dump *d)
{
	if (d->what == CONF_DUMP_ALL)
		buf_str(d->out, "include: \"\"  # merged here\n");
	else if (d->what == CONF_DUMP_DEFAULTS)
		buf_printf(d->out, "include: \"%s\"  # default\n", options.v[0].def);
}

void conf_dump(const struct conf *conf, const struct conf_report *r, enum conf_dump what,
               struct buf *out)
{
	struct conf *defaults = conf_new();
	bool is_default = what == CONF_DUMP_DEFAULTS;
	struct dump d = { .conf = is_default ? defaults : conf,
		          .defaults = defaults,
		          .origins = is_default || !r ? NULL : r->origins,
		          .what = what,
		          .out = out };

	for (size_t i = 0; i < options.n; i++) {
		const struct option *o = &options.v[i];

		if (o->type == OPT_INCLUDE)
			dump_include(&d);
		else if (what != CONF_DUMP_DIFF || !option_same(o, d.conf, defaults))
			dump_option(&d, o);
	}
	conf_free(defaults);
}

/* ---- what changed ---- */

static void diff_text(const struct option *o, const void *base, struct buf *out)
{
	const struct conf_list *list = option_member_const(o, base);

	if (!option_is_list(o)) {
		option_text(o, base, out);
		return;
	}
	for (size_t i = 0; i < list->n; i++)
		buf_printf(out, "%s%s", i ? "," : "", list->v[i]);
}

/* What a file or a credential gave is not told, whether the option is a secret or not. */
static bool is_expanded(const struct conf_origins *origins, const struct option *o,
                        const void *base, const char *path)
{
	const struct conf_list *list = option_member_const(o, base);
	const struct origin *origin = origin_find(origins, path);
	bool expanded = origin && origin->raw;
	char item[160];

	for (size_t i = 0; option_is_list(o) && i < list->n; i++) {
		snprintf(item, sizeof(item), "%s[%zu]", path, i);
		origin = origin_find(origins, item);
		expanded |= origin && origin->raw;
	}
	return expanded;
}

/* Of an option whose file or folder is read: else NULL. */
static const char *read_path(const struct option *o, const void *base)
{
	const void *member = option_member_const(o, base);

	if (o->type == OPT_FILES)
		return ((const struct conf_files *)member)->path;
	if (o->type == OPT_FILE_PUBLIC || o->type == OPT_FILE_SECRET)
		return ((const struct conf_file *)member)->path;
	return NULL;
}

static void diff_end(const struct conf_origins *origins, const char *path, bool restart,
                     struct buf *out)
{
	const struct origin *o = origin_find(origins, path);

	buf_printf(out, "%s  # %s\n", restart ? " (needs a restart)" : "",
	           o ? o->where : "default");
}

static unsigned diff_option(const struct option *o, const char *path, const void *old,
                            const void *new, const struct conf_origins *origins, struct buf *out)
{
	bool shown = !o->secret && (option_is_scalar(o) || option_is_list(o)) &&
	             !is_expanded(origins, o, new, path);

	if (option_same(o, old, new))
		return 0;
	buf_printf(out, "%s: ", path);
	if (shown && read_path(o, old))
		shown = strcmp(read_path(o, old), read_path(o, new)) != 0;
	if (shown) {
		diff_text(o, old, out);
		buf_str(out, " -> ");
		diff_text(o, new, out);
	} else {
		buf_str(out, "changed");
	}
	diff_end(origins, path, o->restart, out);
	return 1;
}

static unsigned diff_maps(const struct option *o, const struct conf *old, const struct conf *new,
                          const struct conf_origins *origins, struct buf *out)
{
	const struct option_maps *kind = option_maps_of(o);
	struct maps was = maps_get(o, old), is = maps_get(o, new);
	unsigned lines = 0;
	char path[128];

	for (size_t i = 0; i < min_size(was.n, is.n); i++) {
		for (size_t k = 0; k < kind->table->n; k++) {
			const struct option *key = &kind->table->v[k];

			snprintf(path, sizeof(path), "%s[%zu].%s", o->path, i, key->path);
			lines += diff_option(key, path, maps_at(kind, was, i), maps_at(kind, is, i),
			                     origins, out);
		}
	}
	if (was.n != is.n) {
		buf_printf(out, "%s: %zu -> %zu", o->path, was.n, is.n);
		diff_end(origins, o->path, false, out); /* they come and go by a reload */
		lines++;
	}
	return lines;
}

unsigned conf_diff(const struct conf *old, const struct conf *new, const struct conf_report *r,
                   struct buf *out)
{
	unsigned lines = 0;

	for (size_t i = 0; i < options.n; i++) {
		const struct option *o = &options.v[i];

		lines += o->type == OPT_MAPS ? diff_maps(o, old, new, r->origins, out)
		                             : diff_option(o, o->path, old, new, r->origins, out);
	}
	return lines;
}
