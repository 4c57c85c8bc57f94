/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "conf/pack.c"

static struct conf *conf;
static uint8_t *packed;
static size_t packed_bytes;
static struct err err;

static void set_in(const struct option *o, void *base, const char *text)
{
	cr_assert_eq(option_set(o, base, conf_pool(conf), text, &err), 0, "%s: %s", o->path,
	             err.text);
}

static void file(struct conf_file *f, const char *path, const char *content)
{
	f->path = pool_text(conf_pool(conf), bytes_str(path));
	f->content = pool_dup(conf_pool(conf), bytes_str(content));
}

static void files(struct conf_files *f)
{
	f->path = "/folder";
	f->n = 3;
	f->v = pool_zalloc(conf_pool(conf), f->n * sizeof(*f->v));
	file(&f->v[0], "/folder/a.json", "{}");
	file(&f->v[1], "/folder/b.json", "{\"name\":\"b\"}");
	file(&f->v[2], "/folder/empty.json", "");
}

/* No option of the table has its default then. */
static void fill_table(const struct option_table *table, void *base)
{
	for (size_t i = 0; i < table->n; i++) {
		const struct option *o = &table->v[i];
		void *member = option_member(o, base);
		struct bytes word;
		unsigned last = 0;

		if (o->type <= OPT_PERCENT && o->type != OPT_BOOL)
			set_in(o, base, strcmp(o->def, o->max) == 0 ? o->min : o->max);
		else if (o->type == OPT_BOOL)
			*(bool *)member = !*(bool *)member;
		else if (o->type == OPT_TEXT)
			*(const char **)member = "text";
		else if (option_is_list(o))
			set_in(o, base, *o->words == 'A' ? "ITEM" : "item");
		else if (o->type == OPT_FILE_PATH)
			file(member, "/path", "");
		else if (o->type == OPT_FILE_PUBLIC || o->type == OPT_FILE_SECRET)
			file(member, "/file", o->path);
		else if (o->type == OPT_FILES)
			files(member);
		if (o->type == OPT_ENUM) {
			while (option_word(o, last + 1, &word))
				last++;
			if (*(unsigned *)member == last)
				last = 0;
			memcpy(member, &last, sizeof(last));
		}
	}
}

static const char *tenants[] = { "acme", "acme-test" };
static struct conf_keyed keyed[] = { { "team-a", { tenants, 2 } }, { "team-b", { tenants, 1 } } };

static void fill_jwt(void)
{
	struct pool *pool = conf_pool(conf);

	conf->auth.jwt.n = 2;
	conf->auth.jwt.v = pool_zalloc(pool, 2 * sizeof(struct jwt_conf));
	options_default(&jwt_options, &conf->auth.jwt.v[0], pool);
	options_default(&jwt_options, &conf->auth.jwt.v[1], pool);
	fill_table(&jwt_options, &conf->auth.jwt.v[1]);
	conf->auth.jwt.v[1].tenant_map = (struct conf_lists){ keyed, 2 };
	conf->auth.userinfo.tenant_map = conf->auth.jwt.v[1].tenant_map;
}

/* A tree in which no option has its default. */
static void fill(void)
{
	struct pool *pool = conf_pool(conf);

	fill_table(&options, conf);
	conf->routes.n = 2;
	conf->routes.v = pool_zalloc(pool, 2 * sizeof(struct route_conf));
	options_default(&route_options, &conf->routes.v[0], pool);
	options_default(&route_options, &conf->routes.v[1], pool);
	fill_table(&route_options, &conf->routes.v[1]);
	fill_jwt();
	conf->listeners.v[0].dialect = LISTENER_GATEWAY;
	conf->kafka.sasl.mechanism = "PLAIN";
	conf->tenants.dsn = pool_text(pool, BYTES("host=db"));
	conf->kafka.properties.v = pool_zalloc(pool, 2 * sizeof(struct conf_pair));
	conf->kafka.properties.n = 2;
	conf->kafka.properties.v[0] = (struct conf_pair){ "retry.backoff.ms", "50" };
	conf->kafka.properties.v[1] = (struct conf_pair){ "debug", "" };
	for (size_t i = 0; i < 2; i++) {
		struct tls_conf *tls = i ? &conf->admin.tls : &conf->listeners.v[0].tls;

		tls->min_version = TLS_VERSION_1_3;
		tls->pairs.n = 2 - i;
		tls->pairs.v = pool_zalloc(pool, tls->pairs.n * sizeof(struct tls_pair));
		for (size_t k = 0; k < tls->pairs.n; k++) {
			file(&tls->pairs.v[k].cert_file, "/cert", "CERT");
			file(&tls->pairs.v[k].key_file, "/key", "KEY");
		}
	}
	conf->listeners.v[0].name = "first";
	conf->listeners.v[0].max_connections = 7;
	conf->listeners.v[0].allowed_origins.v = pool_zalloc(pool, 2 * sizeof(char *));
	conf->listeners.v[0].allowed_origins.n = 2;
	conf->listeners.v[0].allowed_origins.v[0] = "https://app.example.com";
	conf->listeners.v[0].allowed_origins.v[1] = "http://*.example.com";
	conf->listeners.v[0].trusted_proxies = conf->listeners.v[0].allowed_origins;
	conf->disable_auth = true;
	conf->debug_modules = "auth,conn";
	conf->tenant_topic_bytes = 99;
	conf_add_admin(conf);
}

static void pack(void)
{
	cr_assert_eq(conf_pack(conf, &packed, &packed_bytes, &err), 0, "%s", err.text);
}

static void opens(void)
{
	conf = conf_new();
}
static void closes(void)
{
	conf_free(conf);
	free(packed);
}
TestSuite(pack, .init = opens, .fini = closes);

static void assert_same(const struct conf *a, const struct conf *b)
{
	for (size_t i = 0; i < options.n; i++)
		cr_expect(option_same(&options.v[i], a, b), "%s", options.v[i].path);
	cr_assert_eq(a->listeners.n, b->listeners.n);
	for (size_t i = 0; i < a->listeners.n; i++) {
		cr_expect_eq(a->listeners.v[i].admin, b->listeners.v[i].admin);
		cr_expect(bytes_eq(a->listeners.v[i].token_file.content,
		                   b->listeners.v[i].token_file.content));
	}
	cr_expect_eq(a->disable_auth, b->disable_auth);
	cr_expect_str_eq(a->debug_modules, b->debug_modules);
	cr_expect_eq(a->tenant_topic_bytes, b->tenant_topic_bytes);
}

static void round_trip(void)
{
	struct conf *again;

	pack();
	again = conf_unpack(bytes_of(packed, packed_bytes), &err);
	cr_assert_not_null(again, "%s", err.text);
	assert_same(conf, again);
	conf_free(again);
}

Test(pack, the_defaults_survive)
{
	round_trip();
}

Test(pack, every_option_survives)
{
	struct conf *defaults = conf_new();

	fill();
	for (size_t i = 0; i < options.n; i++)
		if (options.v[i].type != OPT_INCLUDE)
			cr_assert_not(option_same(&options.v[i], conf, defaults), "%s",
			              options.v[i].path);
	conf_free(defaults);
	round_trip();
	cr_assert_eq(conf->listeners.n, 2);
	cr_assert(conf->listeners.v[1].admin);
	cr_assert_str_eq(conf->listeners.v[1].name, "admin");
}

Test(pack, it_is_packed_the_same_twice)
{
	uint8_t *again;
	size_t again_bytes;
	struct conf *other;

	fill();
	pack();
	other = conf_unpack(bytes_of(packed, packed_bytes), &err);
	cr_assert_eq(conf_pack(other, &again, &again_bytes, &err), 0);
	cr_assert(bytes_eq(bytes_of(packed, packed_bytes), bytes_of(again, again_bytes)));
	free(again);
	conf_free(other);
}

Test(pack, cut_anywhere_it_is_refused)
{
	fill();
	pack();
	for (size_t n = 0; n < packed_bytes; n++) {
		/* Memory of its own, so that one byte too far is seen. */
		uint8_t *cut = malloc(n ? n : 1);

		memcpy(cut, packed, n);
		cr_assert_null(conf_unpack(bytes_of(cut, n), &err), "at %zu", n);
		free(cut);
	}
}

Test(pack, more_than_there_should_be_is_refused)
{
	pack();
	packed = xrealloc(packed, packed_bytes + 1, 1);
	packed[packed_bytes] = 0;
	cr_assert_null(conf_unpack(bytes_of(packed, packed_bytes + 1), &err));
	cr_assert_str_eq(err.text, "the packed configuration is damaged");
}

Test(pack, another_build_is_refused_by_name)
{
	pack();
	packed[16] ^= 1; /* the first byte of the build id */
	cr_assert_null(conf_unpack(bytes_of(packed, packed_bytes), &err));
	cr_assert_not_null(strstr(err.text, "another build"));
	packed[16] ^= 1;
	packed[0] ^= 1;
	cr_assert_null(conf_unpack(bytes_of(packed, packed_bytes), &err));
}

Test(pack, no_flipped_byte_harms)
{
	fill();
	pack();
	for (size_t i = 0; i < packed_bytes; i++) {
		struct conf *c;

		packed[i] ^= 0xff;
		c = conf_unpack(bytes_of(packed, packed_bytes), &err);
		conf_free(c);
		packed[i] ^= 0xff;
	}
}

Test(pack, a_nul_in_a_text_is_refused)
{
	uint8_t *at;

	conf->kafka.client_id = "unmistakable";
	pack();
	at = memmem(packed, packed_bytes, "unmistakable", 12);
	at[3] = '\0';
	cr_assert_null(conf_unpack(bytes_of(packed, packed_bytes), &err));
}
