/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.c -- the tables of options.def, and one text to one value. Knows neither YAML nor files.
 */
#include "conf/options.h"

#include <stdio.h>

#include "conf/values.h"

/* What each type stands in, so that a wrong column is a compile error. */
#define IS(base, member, ctype) __builtin_types_compatible_p(__typeof__(((base *)0)->member), ctype)
#define FITS_COUNT(b, m) IS(b, m, uint64_t)
#define FITS_COUNT_AUTO(b, m) IS(b, m, uint64_t)
#define FITS_BOOL(b, m) IS(b, m, bool)
#define FITS_MSEC(b, m) IS(b, m, msec_t)
#define FITS_USEC(b, m) IS(b, m, uint64_t)
#define FITS_SIZE(b, m) IS(b, m, uint64_t)
#define FITS_RATE(b, m) IS(b, m, uint64_t)
#define FITS_COUNT_RATE(b, m) IS(b, m, uint64_t)
#define FITS_PERCENT(b, m) IS(b, m, uint64_t)
#define FITS_ENUM(b, m) (sizeof(((b *)0)->m) == sizeof(unsigned))
#define FITS_TEXT(b, m) IS(b, m, const char *)
#define FITS_FILE_PUBLIC(b, m) IS(b, m, struct conf_file)
#define FITS_FILE_SECRET(b, m) IS(b, m, struct conf_file)
#define FITS_FILE_PATH(b, m) IS(b, m, struct conf_file)
#define FITS_FILES(b, m) IS(b, m, struct conf_files)
#define FITS_LIST(b, m) IS(b, m, struct conf_list)
#define FITS_LIST_ANY(b, m) IS(b, m, struct conf_list)
#define FITS_LISTS(b, m) IS(b, m, struct conf_lists)
#define FITS_PAIRS(b, m) IS(b, m, struct conf_pairs)
#define FITS_TLS(b, m) IS(b, m, struct tls_conf)
#define FITS_MAPS(b, m) (sizeof(((b *)0)->m) == sizeof(struct maps))
#define FITS_INCLUDE(b, m) 1

#define WHEN_LIVE false
#define WHEN_RESTART true
#define WHO_PUBLIC false
#define WHO_SECRET true
#define MERGE_ONCE false
#define MERGE_APPEND true

#define OPTION(p, member, ty, ...) _Static_assert(FITS_##ty(struct conf, member), p);
#define LISTENER_OPTION(p, member, ty, ...)                                                        \
	_Static_assert(FITS_##ty(struct listener_conf, member), p);
#define ROUTE_OPTION(p, member, ty, ...) _Static_assert(FITS_##ty(struct route_conf, member), p);
#define JWT_OPTION(p, member, ty, ...) _Static_assert(FITS_##ty(struct jwt_conf, member), p);
#define TLS_OPTION(p, member, ty, ...) _Static_assert(FITS_##ty(struct tls_map, member), p);
#include "conf/options.def"

#define ROW(base, p, member, ty, d, lo, hi, w, when, who, merge, text)                             \
	{ .path = p,                                                                               \
	  .type = OPT_##ty,                                                                        \
	  .offset = offsetof(base, member),                                                        \
	  .def = d,                                                                                \
	  .min = lo,                                                                               \
	  .max = hi,                                                                               \
	  .words = w,                                                                              \
	  .restart = WHEN_##when,                                                                  \
	  .secret = WHO_##who,                                                                     \
	  .append = MERGE_##merge,                                                                 \
	  .doc = text },

static const struct option option_rows[] = {
#define OPTION(...) ROW(struct conf, __VA_ARGS__)
#include "conf/options.def"
};
static const struct option listener_rows[] = {
#define LISTENER_OPTION(...) ROW(struct listener_conf, __VA_ARGS__)
#include "conf/options.def"
};
static const struct option route_rows[] = {
#define ROUTE_OPTION(...) ROW(struct route_conf, __VA_ARGS__)
#include "conf/options.def"
};
static const struct option jwt_rows[] = {
#define JWT_OPTION(...) ROW(struct jwt_conf, __VA_ARGS__)
#include "conf/options.def"
};
static const struct option tls_rows[] = {
#define TLS_OPTION(...) ROW(struct tls_map, __VA_ARGS__)
#include "conf/options.def"
};

const struct option_table options = { option_rows, ARRAY_LEN(option_rows) };
const struct option_table listener_options = { listener_rows, ARRAY_LEN(listener_rows) };
const struct option_table route_options = { route_rows, ARRAY_LEN(route_rows) };
const struct option_table jwt_options = { jwt_rows, ARRAY_LEN(jwt_rows) };
const struct option_table tls_options = { tls_rows, ARRAY_LEN(tls_rows) };
const struct option_maps option_maps[] = {
	{ "listeners", &listener_options, sizeof(struct listener_conf) },
	{ "routes", &route_options, sizeof(struct route_conf) },
	{ "auth.jwt", &jwt_options, sizeof(struct jwt_conf) },
};
const size_t option_maps_count = ARRAY_LEN(option_maps);

const struct option *option_find(const struct option_table *table, const char *path)
{
	for (size_t i = 0; i < table->n; i++)
		if (strcmp(table->v[i].path, path) == 0)
			return &table->v[i];
	return NULL;
}

bool option_is_scalar(const struct option *o)
{
	return o->type <= OPT_FILES;
}

const struct option_maps *option_maps_of(const struct option *o)
{
	for (size_t i = 0; i < ARRAY_LEN(option_maps); i++)
		if (strcmp(option_maps[i].path, o->path) == 0)
			return &option_maps[i];
	assert(!"no list of maps");
	return NULL;
}

/* Members are struct { struct listener_conf *v; size_t n; } and the like. */
struct maps maps_get(const struct option *o, const void *base)
{
	const struct option_maps *kind = option_maps_of(o);
	struct maps maps;

	memcpy(&maps, option_member_const(o, base), sizeof(maps));
	if (kind->table == &listener_options && maps.n) {
		const struct listener_conf *last = maps_at(kind, maps, maps.n - 1);

		maps.n -= last->admin;
	}
	return maps;
}

void maps_set(const struct option *o, void *base, struct maps maps)
{
	memcpy(option_member(o, base), &maps, sizeof(maps));
}

bool option_word(const struct option *o, unsigned index, struct bytes *out)
{
	const char *p = o->words;

	for (;; p++) {
		size_t n = strcspn(p, "|");

		if (index == 0) {
			*out = bytes_of(p, n);
			return true;
		}
		p += n;
		if (!*p)
			return false;
		index--;
	}
}

const char *pool_text(struct pool *pool, struct bytes text)
{
	char *copy = pool_alloc(pool, text.n + 1);

	if (text.n)
		memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	return copy;
}

/* ---- text to value ---- */

/* Durations are never negative, so one type serves them all. */
static int parse_number(enum option_type type, struct bytes text, uint64_t *out, struct err *err)
{
	msec_t ms = 0;

	switch (type) {
	case OPT_COUNT:
	case OPT_COUNT_AUTO:
		return value_count(text, out, err);
	case OPT_MSEC:
		if (value_msec(text, &ms, err) < 0)
			return -1;
		*out = (uint64_t)ms;
		return 0;
	case OPT_USEC:
		return value_usec(text, out, err);
	case OPT_SIZE:
		return value_size(text, out, err);
	case OPT_RATE:
		return value_rate(text, out, err);
	case OPT_COUNT_RATE:
		return value_count_rate(text, out, err);
	case OPT_PERCENT:
		return value_percent(text, out, err);
	case OPT_BOOL:
	case OPT_ENUM:
	case OPT_TEXT:
	case OPT_FILE_PUBLIC:
	case OPT_FILE_SECRET:
	case OPT_FILE_PATH:
	case OPT_FILES:
	case OPT_LIST:
	case OPT_LIST_ANY:
	case OPT_LISTS:
	case OPT_PAIRS:
	case OPT_TLS:
	case OPT_MAPS:
	case OPT_INCLUDE:
		break;
	}
	assert(!"not a number");
	return -1;
}

/* Bounds of options.def: they parse, or the table is wrong. */
static uint64_t bound(enum option_type type, const char *text)
{
	uint64_t v = 0;
	int rc = parse_number(type, bytes_str(text), &v, NULL);

	assert(rc == 0);
	return v;
}

static int set_number(const struct option *o, void *member, const char *text, struct err *err)
{
	uint64_t v;

	if (o->type == OPT_COUNT_AUTO && strcmp(text, "auto") == 0) {
		memset(member, 0, sizeof(v));
		return 0;
	}
	if (parse_number(o->type, bytes_str(text), &v, err) < 0)
		return -1;
	if (v < bound(o->type, o->min) || v > bound(o->type, o->max))
		return err_set(err, "it is out of range");
	memcpy(member, &v, sizeof(v)); /* msec_t is as wide */
	return 0;
}

static int set_enum(const struct option *o, void *member, const char *text, struct err *err)
{
	struct bytes word;

	for (unsigned i = 0; option_word(o, i, &word); i++) {
		if (word.n && bytes_eq(word, bytes_str(text))) {
			memcpy(member, &i, sizeof(i));
			return 0;
		}
	}
	return err_set(err, "there is no such choice");
}

/* c in a bracket expression of letters, digits, ranges and `\]`; "" lets everything pass. */
static bool is_in_class(char c, const char *class)
{
	if (!*class)
		return true;
	for (; *class; class ++) {
		if (*class == '\\')
			class ++;
		else if (class[1] == '-' && class[2]) {
			if (c >= class[0] && c <= class[2])
				return true;
			class += 2;
			continue;
		}
		if (c == *class)
			return true;
	}
	return false;
}

static int check_chars(const struct option *o, const char *text, struct err *err)
{
	bool lines = option_has_lines(o);

	for (; *text; text++) {
		if (lines && (*text == '\n' || *text == '\t'))
			continue;
		if ((uint8_t)*text < 0x20 || *text == 0x7f)
			return err_set(err, "it holds a control character");
		if (!lines && !is_in_class(*text, o->words))
			return err_set(err, "it holds a character that is not allowed");
	}
	return 0;
}

static int set_text(const struct option *o, void *member, struct pool *pool, const char *text,
                    struct err *err)
{
	size_t n = strlen(text);
	const char *copy;

	if (n < bound(OPT_COUNT, o->min))
		return err_set(err, "it is too short");
	if (n > bound(OPT_COUNT, o->max))
		return err_set(err, "it is too long");
	if (check_chars(o, text, err) < 0)
		return -1;
	copy = pool_text(pool, bytes_str(text));
	memcpy(member, &copy, sizeof(copy));
	return 0;
}

static int set_file(void *member, struct pool *pool, const char *text, struct err *err)
{
	struct conf_file *file = member;

	if (*text && *text != '/')
		return err_set(err, "a file is named by its absolute path");
	if (strlen(text) >= 4096)
		return err_set(err, "the path is too long");
	file->path = pool_text(pool, bytes_str(text));
	file->content = BYTES_NONE;
	return 0;
}

static int set_files(void *member, struct pool *pool, const char *text, struct err *err)
{
	struct conf_files *files = member;
	struct conf_file folder;

	if (set_file(&folder, pool, text, err) < 0)
		return -1;
	*files = (struct conf_files){ .path = folder.path };
	return 0;
}

int option_add(const struct option *o, struct conf_list *list, struct pool *pool, const char *text,
               struct err *err)
{
	const char **grown;

	if (!*text)
		return err_set(err, "an item is empty");
	if (strlen(text) > 256)
		return err_set(err, "an item is too long");
	if (list->n == bound(OPT_COUNT, o->max))
		return err_set(err, "there are too many items");
	if (check_chars(o, text, err) < 0)
		return -1;
	grown = pool_alloc(pool, (list->n + 1) * sizeof(*grown));
	if (list->n)
		memcpy(grown, list->v, list->n * sizeof(*grown));
	grown[list->n] = pool_text(pool, bytes_str(text));
	*list = (struct conf_list){ grown, list->n + 1 };
	return 0;
}

int option_set(const struct option *o, void *base, struct pool *pool, const char *text,
               struct err *err)
{
	void *member = option_member(o, base);

	switch (o->type) {
	case OPT_COUNT:
	case OPT_COUNT_AUTO:
	case OPT_MSEC:
	case OPT_USEC:
	case OPT_SIZE:
	case OPT_RATE:
	case OPT_COUNT_RATE:
	case OPT_PERCENT:
		return set_number(o, member, text, err);
	case OPT_BOOL:
		return value_bool(bytes_str(text), member, err);
	case OPT_ENUM:
		return set_enum(o, member, text, err);
	case OPT_TEXT:
		return set_text(o, member, pool, text, err);
	case OPT_FILE_PUBLIC:
	case OPT_FILE_SECRET:
	case OPT_FILE_PATH:
		return set_file(member, pool, text, err);
	case OPT_FILES:
		return set_files(member, pool, text, err);
	case OPT_LIST:
	case OPT_LIST_ANY:
		return option_add(o, member, pool, text, err);
	case OPT_LISTS:
	case OPT_PAIRS:
	case OPT_TLS:
	case OPT_MAPS:
	case OPT_INCLUDE:
		break;
	}
	assert(!"not a value of one text");
	return -1;
}

void options_default(const struct option_table *table, void *base, struct pool *pool)
{
	for (size_t i = 0; i < table->n; i++) {
		const struct option *o = &table->v[i];
		struct err err = { "" };

		if (option_is_list(o))
			*(struct conf_list *)option_member(o, base) = (struct conf_list){ NULL, 0 };
		if (o->type == OPT_TEXT && !*o->def) {
			*(const char **)option_member(o, base) = "";
		} else if (option_is_scalar(o) || (option_is_list(o) && *o->def)) {
			int rc = option_set(o, base, pool, o->def, &err);

			assert(rc == 0);
		}
	}
}
