/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/import_keys.c"

#include "tests/unit/conf/load_helper.h"

TestSuite(import_keys, .init = folder_new, .fini = folder_free);

#define SHA_SECRET123 "fcf730b6d95236ecd3c9fc2d92d7b6b2bb061514961aec041d6c7a7192f592e4"

static void keys(const char *text)
{
	cr_assert_eq(setenv("MICROMEGAS_API_KEYS", text, 1), 0);
}

static const struct imported_key *key(size_t i)
{
	cr_assert_lt(i, conf->imported.n);
	return &conf->imported.v[i];
}

#define ASSERT_IMPORTS(text)                                                                       \
	do {                                                                                       \
		keys(text);                                                                        \
		ASSERT_LOADS_WITH_SINK("import_env: [micromegas]\n");                              \
	} while (0)
#define ASSERT_REFUSED(text, why)                                                                  \
	do {                                                                                       \
		keys(text);                                                                        \
		ASSERT_ONE_ERROR("import_env: [micromegas]\n",                                     \
		                 "env MICROMEGAS_API_KEYS: error: " why);                          \
		ASSERT_NOT_SAID("s4711");                                                          \
	} while (0)

static bool is_sha(const struct imported_key *k, const char *hex)
{
	uint8_t want[TOKEN_DIGEST_BYTES];

	return hex_decode(bytes_str(hex), want, sizeof(want)) &&
	       bytes_eq(k->hash, bytes_of(want, sizeof(want)));
}

Test(import_keys, a_key_is_its_hash)
{
	ASSERT_IMPORTS("[{\"name\":\"test\",\"key\":\"secret123\"},"
	               "{\"name\":\"b\",\"key\":\"k2\",\"tenant\":\"acme\","
	               "\"allowed_cidrs\":[\"10.0.0.0/8\",\"::1\"],\"more\":1}]");
	cr_assert_eq(conf->imported.n, 2);
	cr_assert_str_eq(key(0)->id, "env-test");
	cr_assert_str_eq(key(0)->tenant, "");
	cr_assert_str_eq(key(0)->kind, "sha256");
	cr_assert(is_sha(key(0), SHA_SECRET123));
	cr_assert_eq(key(0)->cidr_count, 0);
	cr_assert_str_eq(key(1)->tenant, "acme");
	cr_assert_eq(key(1)->cidr_count, 2);
	cr_assert_eq(key(1)->cidrs[0].prefix, 104);
	cr_assert_eq(key(1)->cidrs[0].addr[12], 10);
	cr_assert_eq(key(1)->cidrs[1].prefix, 128);
}

Test(import_keys, a_name_that_is_no_id_or_another_keys_gives_way_to_the_hash)
{
	ASSERT_IMPORTS("[{\"name\":\"a b\",\"key\":\"secret123\"},{\"name\":\"x\",\"key\":\"1\"},"
	               "{\"name\":\"x\",\"key\":\"2\"}]");
	cr_assert_str_eq(key(0)->id, "env-fcf730b6d95236ec");
	cr_assert_str_eq(key(1)->id, "env-x");
	cr_assert_str_eq(key(2)->id, "env-d4735e3a265e16ee");
}

Test(import_keys, of_a_key_that_stands_twice_the_last_one_counts_and_a_warning_says_so)
{
	ASSERT_IMPORTS("[{\"name\":\"a\",\"key\":\"s4711\",\"tenant\":\"one\"},"
	               "{\"name\":\"b\",\"key\":\"s4711\",\"tenant\":\"two\"}]");
	cr_assert_eq(conf->imported.n, 1);
	cr_assert_str_eq(key(0)->id, "env-b");
	cr_assert_str_eq(key(0)->tenant, "two");
	ASSERT_SAID("env MICROMEGAS_API_KEYS: warning: [1]: an entry before it has this key: the "
	            "last one counts\n");
	ASSERT_NOT_SAID("s4711");
	ASSERT_IMPORTS("[{\"name\":\"a\",\"key\":\"s4711\"},{\"name\":\"a\",\"key\":\"s4711\"}]");
	cr_assert_str_eq(key(0)->id, "env-a");
}

Test(import_keys, what_is_no_list_of_keys_stops_the_start_and_is_not_shown)
{
	ASSERT_REFUSED("s4711", "it is no JSON array: line 1, column ");
	ASSERT_REFUSED("{\"name\":\"a\",\"key\":\"s4711\"}",
	               "it is no JSON array: line 1, column 1\n");
	ASSERT_REFUSED("[{\"name\":\"a\",\"name\":\"a\",\"key\":\"s4711\"}]",
	               "it is no JSON array");
	ASSERT_REFUSED("[{\"key\":\"s4711\"}]", "[0]: 'name' or 'key' is no text\n");
	ASSERT_REFUSED("[{\"name\":\"s4711\"}]", "[0]: 'name' or 'key' is no text\n");
	ASSERT_REFUSED("[{\"name\":\"a\",\"key\":\"\"}]", "[0]: 'name' or 'key' is no text\n");
	ASSERT_REFUSED("[{\"name\":\"a\",\"key\":4711}]", "[0]: 'name' or 'key' is no text\n");
	ASSERT_REFUSED("[\"s4711\"]", "[0]: 'name' or 'key' is no text\n");
	ASSERT_REFUSED("[{\"name\":\"a\",\"key\":\"s4711\",\"tenant\":\"a/b\"}]",
	               "[0]: 'tenant' is no tenant id\n");
	ASSERT_REFUSED("[{\"name\":\"a\",\"key\":\"s4711\",\"tenant\":7}]",
	               "[0]: 'tenant' is no tenant id\n");
	ASSERT_REFUSED("[{\"name\":\"a\",\"key\":\"s4711\",\"allowed_cidrs\":\"10.0.0.0/8\"}]",
	               "[0]: 'allowed_cidrs' is no list of up to 64 blocks\n");
	ASSERT_REFUSED("[{\"name\":\"a\",\"key\":\"s4711\",\"allowed_cidrs\":[\"10.0.0.5/8\"]}]",
	               "[0]: 'allowed_cidrs': the address has bits set beyond its prefix\n");
	ASSERT_REFUSED("[{\"name\":\"a\",\"key\":\"s4711\",\"allowed_cidrs\":[4711]}]",
	               "[0]: 'allowed_cidrs': it is no text\n");
}

Test(import_keys, what_is_null_is_not_given)
{
	ASSERT_IMPORTS(
		"[{\"name\":\"a\",\"key\":\"s4711\",\"tenant\":null,\"allowed_cidrs\":null}]");
	cr_assert_eq(conf->imported.n, 1);
	cr_assert_str_eq(key(0)->tenant, "");
	cr_assert_eq(key(0)->cidr_count, 0);
}

Test(import_keys, a_key_without_a_tenant_needs_a_default_one)
{
	keys("[{\"name\":\"a\",\"key\":\"s4711\"}]");
	ASSERT_ONE_ERROR("import_env: [micromegas]\nauth: {default_tenant: \"\"}\n",
	                 "3:24: error: a key of the environment names no tenant, and "
	                 "'auth.default_tenant' is empty\n");
	keys("[{\"name\":\"a\",\"key\":\"s4711\",\"tenant\":\"acme\"}]");
	ASSERT_LOADS_WITH_SINK("import_env: [micromegas]\nauth: {default_tenant: \"\"}\n");
}

Test(import_keys, a_copy_has_memory_of_its_own)
{
	struct conf *copy = conf_new();

	ASSERT_IMPORTS("[{\"name\":\"a\",\"key\":\"secret123\",\"tenant\":\"acme\","
	               "\"allowed_cidrs\":[\"::1\"]},{\"name\":\"b\",\"key\":\"k\"}]");
	conf_take_imported(copy, conf);
	conf_free(conf);
	conf = copy;
	cr_assert_eq(conf->imported.n, 2);
	cr_assert_str_eq(key(0)->id, "env-a");
	cr_assert_str_eq(key(0)->tenant, "acme");
	cr_assert(is_sha(key(0), SHA_SECRET123));
	cr_assert_eq(key(0)->cidrs[0].prefix, 128);
	cr_assert_str_eq(key(1)->tenant, "");
}

/* The memory that the kernel filled at exec is what /proc/PID/environ shows. */
Test(import_keys, nothing_but_hashes_stays_where_proc_shows_it)
{
	char own[] = "MICROMEGAS_API_KEYS=[{\"name\":\"a\",\"key\":\"s4711\",\"tenant\":\"acme\"}]";
	char dsn[] = "MICROMEGAS_SQL_CONNECTION_STRING=postgres://u:s4711@h/db";

	cr_assert_eq(putenv(own), 0);
	cr_assert_eq(putenv(dsn), 0);
	conf_hide_environment();
	for (size_t i = strlen("MICROMEGAS_API_KEYS="); i < sizeof(own); i++)
		cr_assert_eq(own[i], '\0');
	for (size_t i = strlen("MICROMEGAS_SQL_CONNECTION_STRING="); i < sizeof(dsn); i++)
		cr_assert_eq(dsn[i], '\0');
	cr_assert_null(strstr(getenv("MICROMEGAS_API_KEYS"), "s4711"));
	cr_assert_str_eq(getenv("MICROMEGAS_SQL_CONNECTION_STRING"), "postgres://u:s4711@h/db");
	ASSERT_LOADS_WITH_SINK("import_env: [micromegas]\ntenants: {source: file}\n");
	cr_assert_eq(conf->imported.n, 1);
	cr_assert_str_eq(key(0)->id, "env-a");
	cr_assert_str_eq(key(0)->tenant, "acme");
	conf_hide_environment();
	ASSERT_LOADS_WITH_SINK("import_env: [micromegas]\ntenants: {source: file}\n");
	cr_assert_eq(conf->imported.n, 1, "hashes stay what they are");
}

/* F53: keys that nobody could read or asked for, what a ${NAME} holds, what libpq reads. */
Test(import_keys, no_variable_at_all_stays_where_proc_shows_it)
{
	char own[] = "MICROMEGAS_INGESTION_API_KEYS=[{\"name\":\"a\",\"key\":\"s4711\"},7]";
	char password[] = "PGPASSWORD=s4711", moose[] = "MOOSE_ADMIN_TOKEN=s4711";
	char twice[] = "PGPASSWORD=s4712", empty[] = "NOTHING=", odd[] = "no assignment";
	char *variables[] = { own, password, moose, twice, empty, odd, NULL }, **before = environ;

	environ = variables;
	conf_hide_environment();
	environ = before;
	cr_assert_str_eq(own, "MICROMEGAS_INGESTION_API_KEYS=");
	cr_assert_null(memmem(own, sizeof(own), "s4711", 5));
	cr_assert_null(memmem(password, sizeof(password), "s4711", 5));
	cr_assert_null(memmem(moose, sizeof(moose), "s4711", 5));
	cr_assert_null(memmem(twice, sizeof(twice), "s4712", 5));
	cr_assert_str_eq(odd, "no assignment");
	cr_assert_str_eq(variables[0], "MICROMEGAS_INGESTION_API_KEYS=[{\"name\":\"a\",\"key\":"
	                               "\"s4711\"},7]");
	cr_assert_str_eq(variables[1], "PGPASSWORD=s4711");
	cr_assert_str_eq(variables[2], "MOOSE_ADMIN_TOKEN=s4711");
	cr_assert_str_eq(variables[4], "NOTHING=");
}

Test(import_keys, what_is_no_list_of_keys_stays_to_be_refused)
{
	keys("[{\"name\":\"a\",\"key\":\"k\"},{\"name\":\"b\"}]");
	conf_hide_environment();
	cr_assert_str_eq(getenv("MICROMEGAS_API_KEYS"),
	                 "[{\"name\":\"a\",\"key\":\"k\"},{\"name\":\"b\"}]");
	ASSERT_ONE_ERROR("import_env: [micromegas]\n", "[1]: 'name' or 'key' is no text\n");
	keys("[{\"name\":\"a\",\"key\":\"k\",\"sha256\":\"" SHA_SECRET123 "\"}]");
	ASSERT_ONE_ERROR("import_env: [micromegas]\n", "[0]: 'name' or 'key' is no text\n");
}
