/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pack.c -- the packed form of the tree: what the master hands a worker. Both directions walk the
 * tables of options.def, so that an option cannot be forgotten in one of them. Unpacking trusts no
 * length, count or word: the bytes may be those of another build.
 */
#include "common/token.h"
#include "conf/options.h"

enum { PACKED_MAX = 256 * MIB };
static const char packed_magic[8] = "hgconf1";

static void put_u64(struct buf *b, uint64_t v)
{
	uint8_t le[8];

	for (size_t i = 0; i < sizeof(le); i++)
		le[i] = (uint8_t)(v >> (8 * i));
	buf_add(b, le, sizeof(le));
}

static void put_bytes(struct buf *b, struct bytes s)
{
	put_u64(b, s.n);
	buf_bytes(b, s);
}

static void put_text(struct buf *b, const char *s)
{
	put_bytes(b, bytes_str(s));
}

static void put_file(struct buf *b, const struct conf_file *file)
{
	put_text(b, file->path);
	put_bytes(b, file->content);
}

static void put_files(struct buf *b, const struct conf_files *files)
{
	put_text(b, files->path);
	put_u64(b, files->n);
	for (size_t i = 0; i < files->n; i++)
		put_file(b, &files->v[i]);
}

static void put_tls(struct buf *b, const struct tls_conf *tls)
{
	put_u64(b, tls->min_version);
	put_u64(b, tls->pairs.n);
	for (size_t i = 0; i < tls->pairs.n; i++) {
		put_file(b, &tls->pairs.v[i].cert_file);
		put_file(b, &tls->pairs.v[i].key_file);
	}
}

static void put_list(struct buf *b, const struct conf_list *list)
{
	put_u64(b, list->n);
	for (size_t i = 0; i < list->n; i++)
		put_text(b, list->v[i]);
}

static void put_lists(struct buf *b, const struct conf_lists *lists)
{
	put_u64(b, lists->n);
	for (size_t i = 0; i < lists->n; i++) {
		put_text(b, lists->v[i].key);
		put_list(b, &lists->v[i].list);
	}
}

static void put_pairs(struct buf *b, const struct conf_pairs *pairs)
{
	put_u64(b, pairs->n);
	for (size_t i = 0; i < pairs->n; i++) {
		put_text(b, pairs->v[i].key);
		put_text(b, pairs->v[i].value);
	}
}

static void put_maps(struct buf *b, const struct option *o, const void *base);

static void put_option(struct buf *b, const struct option *o, const void *base)
{
	const void *member = option_member_const(o, base);
	uint64_t number;
	unsigned word;

	switch (o->type) {
	case OPT_COUNT:
	case OPT_COUNT_AUTO:
	case OPT_MSEC:
	case OPT_USEC:
	case OPT_SIZE:
	case OPT_RATE:
	case OPT_COUNT_RATE:
	case OPT_PERCENT:
		memcpy(&number, member, sizeof(number));
		put_u64(b, number);
		return;
	case OPT_BOOL:
		put_u64(b, *(const bool *)member);
		return;
	case OPT_ENUM:
		memcpy(&word, member, sizeof(word));
		put_u64(b, word);
		return;
	case OPT_TEXT:
		put_text(b, *(const char *const *)member);
		return;
	case OPT_FILE_PUBLIC:
	case OPT_FILE_SECRET:
	case OPT_FILE_PATH:
		put_file(b, member);
		return;
	case OPT_FILES:
		put_files(b, member);
		return;
	case OPT_LIST:
	case OPT_LIST_ANY:
		put_list(b, member);
		return;
	case OPT_LISTS:
		put_lists(b, member);
		return;
	case OPT_PAIRS:
		put_pairs(b, member);
		return;
	case OPT_TLS:
		put_tls(b, member);
		return;
	case OPT_MAPS:
		put_maps(b, o, base);
		return;
	case OPT_INCLUDE:
		return;
	}
	assert(!"not a type of option");
}

/* Without the listener of the admin section: the other side makes it again. */
static void put_maps(struct buf *b, const struct option *o, const void *base)
{
	const struct option_maps *kind = option_maps_of(o);
	struct maps maps = maps_get(o, base);

	put_u64(b, maps.n);
	for (size_t i = 0; i < maps.n; i++)
		for (size_t k = 0; k < kind->table->n; k++)
			put_option(b, &kind->table->v[k], maps_at(kind, maps, i));
}

int conf_pack(const struct conf *conf, uint8_t **out, size_t *out_bytes, struct err *err)
{
	struct buf b;

	buf_init(&b, PACKED_MAX);
	buf_add(&b, packed_magic, sizeof(packed_magic));
	put_text(&b, conf_build_id);
	for (size_t i = 0; i < options.n; i++)
		put_option(&b, &options.v[i], conf);
	put_u64(&b, conf->disable_auth);
	put_text(&b, conf->debug_modules);
	put_u64(&b, conf->tenant_topic_bytes);
	if (b.failed) {
		buf_done(&b);
		return err_set(err, "the configuration with its files is over %d MiB",
		               PACKED_MAX / MIB);
	}
	*out = (uint8_t *)b.p;
	*out_bytes = b.n;
	return 0;
}

/* ---- unpacking: a bounded cursor; after an error it gives zeros and never moves ---- */

struct cursor {
	struct bytes rest;
	struct pool *pool;
	bool failed;
};

static uint64_t get_u64(struct cursor *c, uint64_t max)
{
	uint64_t v = 0;

	if (c->rest.n < 8)
		c->failed = true;
	if (c->failed)
		return 0;
	for (size_t i = 0; i < 8; i++)
		v |= (uint64_t)c->rest.p[i] << (8 * i);
	if (v > max) {
		c->failed = true;
		return 0;
	}
	c->rest = bytes_from(c->rest, 8);
	return v;
}

static struct bytes get_bytes(struct cursor *c)
{
	size_t n = get_u64(c, c->rest.n < 8 ? 0 : c->rest.n - 8);
	struct bytes s = bytes_of(c->rest.p, n);

	if (c->failed)
		return BYTES_NONE;
	c->rest = bytes_from(c->rest, n);
	return s;
}

static const char *get_text(struct cursor *c)
{
	struct bytes s = get_bytes(c);

	if (s.n && memchr(s.p, '\0', s.n)) {
		c->failed = true;
		return "";
	}
	return pool_text(c->pool, s);
}

static void get_file(struct cursor *c, struct conf_file *file)
{
	file->path = get_text(c);
	file->content = pool_dup(c->pool, get_bytes(c));
}

/* Of elements that take at least `each` bytes: a lying count cannot ask for more memory than that.
 */
static size_t get_count(struct cursor *c, size_t each)
{
	return get_u64(c, c->rest.n < 8 ? 0 : (c->rest.n - 8) / each);
}

static void get_files(struct cursor *c, struct conf_files *files)
{
	size_t n;

	files->path = get_text(c);
	n = get_count(c, 2 * sizeof(uint64_t));
	files->v = pool_zalloc(c->pool, n * sizeof(*files->v));
	files->n = n;
	for (size_t i = 0; i < n; i++)
		get_file(c, &files->v[i]);
}

static void get_tls(struct cursor *c, struct tls_conf *tls)
{
	size_t n;

	tls->min_version = get_u64(c, TLS_VERSION_1_3) ? TLS_VERSION_1_3 : TLS_VERSION_1_2;
	n = get_count(c, 4 * sizeof(uint64_t));
	tls->pairs.v = pool_zalloc(c->pool, n * sizeof(*tls->pairs.v));
	tls->pairs.n = n;
	for (size_t i = 0; i < n; i++) {
		get_file(c, &tls->pairs.v[i].cert_file);
		get_file(c, &tls->pairs.v[i].key_file);
	}
}

static void get_list(struct cursor *c, struct conf_list *list)
{
	size_t n = get_count(c, sizeof(uint64_t));

	list->v = pool_zalloc(c->pool, n * sizeof(*list->v));
	list->n = n;
	for (size_t i = 0; i < n; i++)
		list->v[i] = get_text(c);
}

static void get_lists(struct cursor *c, struct conf_lists *lists)
{
	size_t n = get_count(c, 2 * sizeof(uint64_t));

	lists->v = pool_zalloc(c->pool, n * sizeof(*lists->v));
	lists->n = n;
	for (size_t i = 0; i < n; i++) {
		lists->v[i].key = get_text(c);
		get_list(c, &lists->v[i].list);
	}
}

static void get_pairs(struct cursor *c, struct conf_pairs *pairs)
{
	size_t n = get_count(c, 2 * sizeof(uint64_t));

	pairs->v = pool_zalloc(c->pool, n * sizeof(*pairs->v));
	pairs->n = n;
	for (size_t i = 0; i < n; i++) {
		pairs->v[i].key = get_text(c);
		pairs->v[i].value = get_text(c);
	}
}

static void get_maps(struct cursor *c, const struct option *o, void *base);

static void get_enum(struct cursor *c, const struct option *o, void *member)
{
	unsigned word = (unsigned)get_u64(c, UINT8_MAX);
	struct bytes text;

	if (!option_word(o, word, &text))
		c->failed = true;
	else
		memcpy(member, &word, sizeof(word));
}

static void get_option(struct cursor *c, const struct option *o, void *base)
{
	void *member = option_member(o, base);
	uint64_t number;
	const char *text;

	switch (o->type) {
	case OPT_COUNT:
	case OPT_COUNT_AUTO:
	case OPT_MSEC:
	case OPT_USEC:
	case OPT_SIZE:
	case OPT_RATE:
	case OPT_COUNT_RATE:
	case OPT_PERCENT:
		number = get_u64(c, INT64_MAX);
		memcpy(member, &number, sizeof(number));
		return;
	case OPT_BOOL:
		*(bool *)member = get_u64(c, 1);
		return;
	case OPT_ENUM:
		get_enum(c, o, member);
		return;
	case OPT_TEXT:
		text = get_text(c);
		memcpy(member, &text, sizeof(text));
		return;
	case OPT_FILE_PUBLIC:
	case OPT_FILE_SECRET:
	case OPT_FILE_PATH:
		get_file(c, member);
		return;
	case OPT_FILES:
		get_files(c, member);
		return;
	case OPT_LIST:
	case OPT_LIST_ANY:
		get_list(c, member);
		return;
	case OPT_LISTS:
		get_lists(c, member);
		return;
	case OPT_PAIRS:
		get_pairs(c, member);
		return;
	case OPT_TLS:
		get_tls(c, member);
		return;
	case OPT_MAPS:
		get_maps(c, o, base);
		return;
	case OPT_INCLUDE:
		return;
	}
	assert(!"not a type of option");
}

static void get_maps(struct cursor *c, const struct option *o, void *base)
{
	const struct option_maps *kind = option_maps_of(o);
	struct maps maps = { .n = get_count(c, kind->table->n * sizeof(uint64_t)) };

	maps.v = pool_zalloc(c->pool, maps.n * kind->bytes);
	for (size_t i = 0; i < maps.n; i++)
		for (size_t k = 0; k < kind->table->n; k++)
			get_option(c, &kind->table->v[k], maps_at(kind, maps, i));
	maps_set(o, base, maps);
}

struct conf *conf_unpack(struct bytes packed, struct err *err)
{
	struct conf *conf = conf_alloc();
	struct cursor c = { .rest = packed, .pool = conf_pool(conf) };
	struct bytes id;

	if (packed.n < sizeof(packed_magic) ||
	    memcmp(packed.p, packed_magic, sizeof(packed_magic)) != 0)
		c.failed = true;
	c.rest = bytes_from(packed, sizeof(packed_magic));
	id = get_bytes(&c);
	if (!c.failed && !bytes_eq(id, bytes_str(conf_build_id))) {
		err_set(err, "the configuration was packed by another build (%.*s, this is %s)",
		        (int)min_size(id.n, 64), (const char *)id.p, conf_build_id);
		conf_free(conf);
		return NULL;
	}
	for (size_t i = 0; i < options.n; i++)
		get_option(&c, &options.v[i], conf);
	conf->disable_auth = get_u64(&c, 1);
	conf->debug_modules = get_text(&c);
	conf->tenant_topic_bytes = get_u64(&c, TOPIC_NAME_MAX);
	if (c.failed || c.rest.n) {
		err_set(err, "the packed configuration is damaged");
		conf_free(conf);
		return NULL;
	}
	conf_add_admin(conf);
	return conf;
}
