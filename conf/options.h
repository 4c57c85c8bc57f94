/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.h -- options.def as tables, and what needs no YAML: defaults, text to value and back.
 * Private to conf/ and tools/tables.c; others read struct conf.
 */
#pragma once
#include "common/buf.h"
#include "common/pool.h"
#include "conf/conf.h"

enum option_type {
	OPT_COUNT,
	OPT_COUNT_AUTO,
	OPT_BOOL,
	OPT_MSEC,
	OPT_USEC,
	OPT_SIZE,
	OPT_RATE,
	OPT_COUNT_RATE,
	OPT_PERCENT,
	OPT_ENUM,
	OPT_TEXT,
	OPT_FILE_PUBLIC,
	OPT_FILE_SECRET,
	OPT_FILE_PATH,
	OPT_FILES,
	OPT_LIST,
	OPT_LIST_ANY,
	OPT_LISTS,
	OPT_PAIRS,
	OPT_TLS,
	OPT_MAPS,
	OPT_INCLUDE, /* has no member */
};

struct option {
	const char *path; /* "kafka.linger"; of a map in a list, a tls map: the key alone */
	enum option_type type;
	size_t offset;
	const char *def, *min, *max, *words;
	bool restart, secret, append;
	const char *doc;
};

struct tls_map { /* what one tls map says: the base of tls_options */
	struct tls_pair pair;
	enum tls_version min_version;
};

struct option_table {
	const struct option *v;
	size_t n;
};
extern const struct option_table options; /* base: struct conf */
extern const struct option_table listener_options; /* base: struct listener_conf */
extern const struct option_table route_options; /* base: struct route_conf */
extern const struct option_table jwt_options; /* base: struct jwt_conf */
extern const struct option_table tls_options; /* base: struct tls_map */

struct option_maps { /* what the elements of an option of type MAPS are */
	const char *path; /* "listeners" */
	const struct option_table *table;
	size_t bytes; /* of one element */
};
struct maps { /* a member of that type */
	void *v;
	size_t n;
};
extern const struct option_maps option_maps[];
extern const size_t option_maps_count;
const struct option_maps *option_maps_of(const struct option *o);
/* The elements, but for the listener of the admin section, which has options of its own. */
struct maps maps_get(const struct option *o, const void *base);
void maps_set(const struct option *o, void *base, struct maps maps);
static inline void *maps_at(const struct option_maps *kind, struct maps maps, size_t i)
{
	return (char *)maps.v + i * kind->bytes;
}

static inline void *option_member(const struct option *o, void *base)
{
	return (char *)base + o->offset;
}
static inline const void *option_member_const(const struct option *o, const void *base)
{
	return (const char *)base + o->offset;
}

static inline bool option_has_lines(const struct option *o) /* of a TEXT */
{
	return *o->words == '\n';
}

static inline bool option_is_list(const struct option *o)
{
	return o->type == OPT_LIST || o->type == OPT_LIST_ANY;
}

const struct option *option_find(const struct option_table *table, const char *path);
/* COUNT..PERCENT, ENUM, TEXT and FILE*: one text is the whole value. */
bool option_is_scalar(const struct option *o);

/* A list of texts is added to, in the way of the option, whether it is the member or a part of it.
 */
int option_add(const struct option *o, struct conf_list *list, struct pool *pool, const char *text,
               struct err *err) MUST_USE;
/* Sets a scalar, or adds to a LIST, copying into pool. On failure *err says why, without the text.
 */
int option_set(const struct option *o, void *base, struct pool *pool, const char *text,
               struct err *err) MUST_USE;
/* The member as it would be written, "" for an unset file. Scalars only. */
void option_text(const struct option *o, const void *base, struct buf *out);
bool option_same(const struct option *o, const void *a, const void *b);
/* "1 to 256, or auto", "logfmt, json", ...: what is allowed; empty if anything is. */
void option_range(const struct option *o, struct buf *out);
/* Its doc, what is allowed, how files merge, whether a change needs a restart: one paragraph. */
void option_about(const struct option *o, struct buf *out);
/* Sets all members of a table to their defaults; lists become empty first. */
void options_default(const struct option_table *table, void *base, struct pool *pool);

bool option_word(const struct option *o, unsigned index, struct bytes *out); /* of an ENUM */

/* conf.c: an empty tree, and the memory that goes with it. */
struct conf *conf_alloc(void) MUST_USE;
struct pool *conf_pool(struct conf *conf);
/* Appends the listener of the admin section, if it is on. */
void conf_add_admin(struct conf *conf);
const char *pool_text(struct pool *pool, struct bytes text); /* NUL-terminated copy */
