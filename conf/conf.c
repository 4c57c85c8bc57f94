/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conf.c -- the tree and its memory: everything hangs on one pool that goes with it.
 */
#include "conf/conf.h"

#include "common/snapshot.h"
#include "conf/options.h"

const char conf_build_id[] = HEADGATE_BUILD_ID;

struct conf_owner {
	struct conf conf; /* first: conf_free() gets its address */
	struct pool *pool;
};

struct conf *conf_alloc(void)
{
	struct conf_owner *owner = xcalloc(1, sizeof(*owner));

	owner->pool = pool_new(16 * KIB);
	return &owner->conf;
}

struct pool *conf_pool(struct conf *conf)
{
	return ((struct conf_owner *)conf)->pool;
}

struct conf *conf_new(void)
{
	struct conf *conf = conf_alloc();
	struct pool *pool = conf_pool(conf);
	struct listener_conf *listener = pool_zalloc(pool, sizeof(*listener));

	options_default(&options, conf, pool);
	options_default(&listener_options, listener, pool);
	conf->listeners.v = listener;
	conf->listeners.n = 1;
	conf->debug_modules = "";
	return conf;
}

/* Keys and passwords do not stay behind in freed memory. */
static void wipe(const struct option_table *table, void *base)
{
	for (size_t i = 0; i < table->n; i++) {
		const struct conf_file *file = option_member(&table->v[i], base);

		if (table->v[i].type == OPT_FILE_SECRET && file->content.n)
			explicit_bzero((void *)file->content.p, file->content.n);
	}
}

static void wipe_tls(const struct tls_conf *tls)
{
	for (size_t i = 0; i < tls->pairs.n; i++) {
		struct bytes key = tls->pairs.v[i].key_file.content;

		if (key.n)
			explicit_bzero((void *)key.p, key.n);
	}
}

void conf_free(struct conf *conf)
{
	struct pool *pool;

	if (!conf)
		return;
	pool = conf_pool(conf);
	wipe(&options, conf);
	wipe_tls(&conf->admin.tls);
	for (size_t i = 0; i < conf->listeners.n; i++)
		wipe_tls(&conf->listeners.v[i].tls);
	if (conf->tenants.dsn)
		explicit_bzero((void *)conf->tenants.dsn, strlen(conf->tenants.dsn));
	pool_free(pool);
	free((struct conf_owner *)conf);
}

bool conf_is_tenants_file_default(const struct conf *conf)
{
	return conf->tenants.source == TENANTS_FILE &&
	       strcmp(conf->tenants.file.path, option_find(&options, "tenants.file")->def) == 0;
}

const char *conf_store_dir(const struct conf *conf, const char **option)
{
	bool local = conf->sink == SINK_LOCAL;

	if (!local && !(conf->sink == SINK_KAFKA && conf->spool.enabled))
		return NULL;
	if (option)
		*option = local ? "local.dir" : "spool.dir";
	return local ? conf->local.dir : conf->spool.dir;
}

static void take_prefixes(struct pool *pool, struct prefix_rules *to,
                          const struct prefix_rules *from)
{
	struct prefix_rule *v = pool_zalloc(pool, from->n * sizeof(*v));

	for (size_t i = 0; i < from->n; i++)
		v[i] = (struct prefix_rule){ from->v[i].kind, pool_dup(pool, from->v[i].head),
			                     pool_dup(pool, from->v[i].tail) };
	*to = (struct prefix_rules){ from->name_bytes, from->none, v, from->n };
}

void conf_take_imported(struct conf *to, const struct conf *from)
{
	const struct imported_keys *keys = &from->imported;
	struct pool *pool = conf_pool(to);
	struct imported_key *v = pool_zalloc(pool, keys->n * sizeof(*v));

	for (size_t i = 0; i < keys->n; i++) {
		const struct imported_key *k = &keys->v[i];

		v[i] = *k;
		v[i].id = pool_text(pool, bytes_str(k->id));
		v[i].tenant = pool_text(pool, bytes_str(k->tenant));
		v[i].hash = pool_dup(pool, k->hash);
		v[i].cidrs = (const void *)pool_dup(
				     pool, bytes_of(k->cidrs, k->cidr_count * sizeof(*k->cidrs)))
		                     .p;
	}
	to->imported = (struct imported_keys){ v, keys->n };
	take_prefixes(pool, &to->prefixes, &from->prefixes);
	to->moose_is_open = from->moose_is_open;
	to->imported_table = from->imported_table;
}

void conf_add_admin(struct conf *conf)
{
	size_t n = conf->listeners.n;
	struct pool *pool = conf_pool(conf);
	struct listener_conf *v, *admin;

	if (!*conf->admin.listen)
		return;
	v = pool_zalloc(pool, (n + 1) * sizeof(*v));
	if (n)
		memcpy(v, conf->listeners.v, n * sizeof(*v));
	admin = &v[n];
	options_default(&listener_options, admin, pool);
	admin->name = "admin";
	admin->listen = conf->admin.listen;
	admin->admin = true;
	admin->tls = conf->admin.tls;
	admin->token_file = conf->admin.token_file;
	conf->listeners.v = v;
	conf->listeners.n = n + 1;
}
