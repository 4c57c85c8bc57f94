/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "conf/conf.c"

Test(conf, the_default_listener_is_there)
{
	struct conf *conf = conf_new();

	cr_assert_eq(conf->listeners.n, 1);
	cr_assert_str_eq(conf->listeners.v[0].name, "public");
	cr_assert_str_eq(conf->listeners.v[0].listen, "127.0.0.1:4318");
	cr_assert_eq(conf->listeners.v[0].max_connections, 65536);
	cr_assert_not(conf->listeners.v[0].admin);
	cr_assert_eq(conf->sink, SINK_LOCAL);
	conf_free(conf);
}

Test(conf, the_admin_section_becomes_the_last_listener)
{
	struct conf *conf = conf_new();

	conf_add_admin(conf);
	cr_assert_eq(conf->listeners.n, 1, "off by default");
	conf->admin.listen = "/run/headgate/admin.sock";
	conf->admin.token_file.path = "/t";
	conf_add_admin(conf);
	cr_assert_eq(conf->listeners.n, 2);
	cr_assert(conf->listeners.v[1].admin);
	cr_assert_str_eq(conf->listeners.v[1].name, "admin");
	cr_assert_str_eq(conf->listeners.v[1].listen, "/run/headgate/admin.sock");
	cr_assert_str_eq(conf->listeners.v[1].token_file.path, "/t");
	conf_free(conf);
}

Test(conf, secrets_are_wiped_before_their_memory_goes)
{
	struct conf *conf = conf_new();
	char secret[] = "hunter2hunter2", key[] = "PRIVATE KEY", dsn[] = "password=x";
	struct tls_pair pair = { .key_file.content = bytes_of(key, sizeof(key)) };

	conf->kafka.sasl.password_file.content = bytes_of(secret, sizeof(secret));
	conf->listeners.v[0].tls.pairs.v = &pair;
	conf->listeners.v[0].tls.pairs.n = 1;
	conf->tenants.dsn = dsn;
	conf_free(conf);
	for (size_t i = 0; i < sizeof(secret); i++)
		cr_assert_eq(secret[i], 0);
	for (size_t i = 0; i < sizeof(key); i++)
		cr_assert_eq(key[i], 0);
	cr_assert_eq(dsn[0], 0);
}

Test(conf, freeing_nothing_is_fine)
{
	conf_free(NULL);
}

Test(conf, the_build_has_an_id)
{
	cr_assert_gt(strlen(conf_build_id), 0);
}
