/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "conf/options_text.c"

static char text[512];
static struct err err;

static const char *range_of(const char *path)
{
	struct buf b;

	buf_init_fixed(&b, text, sizeof(text) - 1);
	option_range(option_find(&options, path), &b);
	text[b.n] = '\0';
	return text;
}

Test(options_text, what_is_allowed_is_said_in_the_options_own_unit)
{
	cr_assert_str_eq(range_of("workers"), "1..256, or auto");
	cr_assert_str_eq(range_of("limits.depth"), "32..100");
	cr_assert_str_eq(range_of("kafka.linger"), "0..1s");
	cr_assert_str_eq(range_of("sandbox"), "true, false");
	cr_assert_str_eq(range_of("sink"), "local, kafka, discard");
	cr_assert_str_eq(range_of("tenants.channel"), "1..63 bytes of [a-z0-9_]");
	cr_assert_str_eq(range_of("kafka.sasl.username"), "0..256 bytes");
	cr_assert_str_eq(range_of("auth.token_headers"), "a list of 0..8 texts");
	cr_assert_str_eq(range_of("tenants.file"), "an absolute path");
	cr_assert_str_eq(range_of("protocols.models.dir"), "an absolute path, or \"\"");
	cr_assert_str_eq(range_of("routes"), "a list of 0..24 maps");
	cr_assert_str_eq(range_of("dead_letters.per_tenant"), "1/s..100000/s");
}

static const char *about(const char *path)
{
	static char paragraph[1024];
	struct buf b;

	buf_init_fixed(&b, paragraph, sizeof(paragraph) - 1);
	option_about(option_find(&options, path), &b);
	paragraph[b.n] = '\0';
	return paragraph;
}

Test(options_text, a_paragraph_says_all_that_the_table_knows)
{
	cr_assert_str_eq(about("limits.depth"), "Nested messages in a body, the request being the "
	                                        "first. [32..100]");
	cr_assert(strstr(about("auth.token_headers"),
	                 " [a list of 0..8 texts] The lists of several files are joined."));
	cr_assert(strstr(about("control.socket"), " [1..107 bytes] A change needs a restart."));
	cr_assert_null(strchr(about("kafka.properties"), '['));
}

Test(options_text, a_value_reads_back_as_its_text)
{
	struct conf *a = conf_new(), *b = conf_new();

	for (size_t i = 0; i < options.n; i++) {
		const struct option *o = &options.v[i];
		struct buf out;

		if (!option_is_scalar(o) || (o->type == OPT_ENUM && !*o->def))
			continue;
		if (o->type <= OPT_PERCENT && o->type != OPT_BOOL)
			cr_assert_eq(option_set(o, a, conf_pool(a), o->max, &err), 0);
		buf_init_fixed(&out, text, sizeof(text) - 1);
		option_text(o, a, &out);
		text[out.n] = '\0';
		cr_assert_eq(option_set(o, b, conf_pool(b), text, &err), 0, "%s: %s", o->path,
		             text);
		cr_assert(option_same(o, a, b), "%s", o->path);
	}
	conf_free(a);
	conf_free(b);
}

Test(options_text, a_difference_anywhere_is_seen)
{
	struct conf *a = conf_new(), *b = conf_new();
	struct conf_pair one = { "k", "v" }, other = { "k", "w" };
	struct conf_file model = { "/m/a.json", BYTES("{}") },
			 changed = { "/m/a.json", BYTES("[]") };
	struct route_conf route = { .name = "a" }, other_route;
	const struct option *o = option_find(&options, "kafka.properties");

	cr_assert(option_same(o, a, b));
	a->kafka.properties = (struct conf_pairs){ &one, 1 };
	cr_assert_not(option_same(o, a, b));
	b->kafka.properties = (struct conf_pairs){ &other, 1 };
	cr_assert_not(option_same(o, a, b));
	o = option_find(&options, "kafka.tls.ca_file");
	cr_assert(option_same(o, a, b));
	a->kafka.tls.ca_file.content = BYTES("x");
	cr_assert_not(option_same(o, a, b));
	o = option_find(&options, "admin.tls");
	cr_assert(option_same(o, a, b));
	a->admin.tls.min_version = TLS_VERSION_1_3;
	cr_assert_not(option_same(o, a, b));
	o = option_find(&options, "protocols.models.dir");
	cr_assert(option_same(o, a, b));
	a->protocols.models.dir.v = &model;
	a->protocols.models.dir.n = 1;
	cr_assert_not(option_same(o, a, b));
	b->protocols.models.dir.v = &changed;
	b->protocols.models.dir.n = 1;
	cr_assert_not(option_same(o, a, b));
	b->protocols.models.dir.v = &model;
	cr_assert(option_same(o, a, b));
	b->protocols.models.dir.path = "/other";
	cr_assert_not(option_same(o, a, b));
	o = option_find(&options, "listeners");
	cr_assert(option_same(o, a, b));
	a->listeners.v[0].dialect = LISTENER_MOOSE;
	cr_assert_not(option_same(o, a, b));
	o = option_find(&options, "routes");
	cr_assert(option_same(o, a, b));
	a->routes.v = &route;
	a->routes.n = 1;
	cr_assert_not(option_same(o, a, b));
	options_default(&route_options, &route, conf_pool(a));
	other_route = route;
	b->routes.v = &other_route;
	b->routes.n = 1;
	cr_assert(option_same(o, a, b));
	other_route.json = 1;
	cr_assert_not(option_same(o, a, b));
	o = option_find(&options, "kafka.brokers");
	cr_assert_eq(option_set(o, a, conf_pool(a), "a:1", &err), 0);
	cr_assert_not(option_same(o, a, b));
	cr_assert_eq(option_set(o, b, conf_pool(b), "a:2", &err), 0);
	cr_assert_not(option_same(o, a, b));
	conf_free(a);
	conf_free(b);
}
