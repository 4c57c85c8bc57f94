/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <event2/event.h>

/* The file source's place is taken by a source that does what the test says. */
#define tenants_file fake_source
#include "master/tenants.c"
#include "master/tenants_extra.c"
#undef tenants_file

static void *fake_open(struct event_base *b, const struct conf *c, struct tenants *tenants,
                       struct err *err)
{
	(void)b, (void)c, (void)err;
	return tenants;
}

static void fake_do(void *source)
{
	(void)source;
}

const struct tenants_source fake_source = { "fake", fake_open, fake_do, fake_do };

static struct event_base *base;
static struct stats *own;
static struct conf confs[3]; /* each reload has one of its own */
static unsigned conf_count;
static struct imported_key keys[4];
static struct tenants *t;
static struct snapshot *table;
static struct snapshot_hit hit;
static struct hasher *hasher;
static unsigned audited;

static void on_publish(void *arg, const struct tables *now)
{
	(void)arg;
	snapshot_unmap(table);
	table = snapshot_map(now->base_fd, NULL);
	cr_assert(table);
	if (now->delta_fd >= 0)
		cr_assert_eq(snapshot_set_delta(table, now->delta_fd, NULL), 0);
}

static void on_audit(void *arg, const char *what, struct bytes tenant, struct bytes token)
{
	(void)arg, (void)what, (void)tenant, (void)token;
	audited++;
}

static const struct tenants_hooks hooks = { .publish = on_publish, .audit = on_audit };

static struct conf *conf_with(const char *standard, size_t count)
{
	struct conf *conf = &confs[conf_count++];

	conf->tenants.source = TENANTS_FILE;
	conf->tenants.file.path = "a";
	conf->limits.max_tenants = 20;
	conf->limits.max_tokens = 100;
	conf->limits.hosts = 1;
	conf->auth.pbkdf2.max_iterations = 1000;
	conf->auth.default_tenant = standard;
	conf->imported = (struct imported_keys){ keys, count };
	return conf;
}

static uint8_t hashes[256][HASH_BYTES];

static void key(size_t i, const char *id, const char *tenant, uint8_t hash)
{
	memset(hashes[hash], hash, HASH_BYTES);
	keys[i] = (struct imported_key){ .id = id,
		                         .tenant = tenant,
		                         .kind = "sha256",
		                         .hash = bytes_of(hashes[hash], HASH_BYTES) };
}

static void open_all(void)
{
	autoclose int page = stats_memfd(3, NULL);

	log_setup(LOG_LEVEL_ERR, LOG_FORMAT_LOGFMT, NULL);
	loop_set_clock(1000000000000, 0);
	base = loop_open(NULL);
	own = stats_map(page, true, 3, NULL);
	hasher = hasher_open(NULL);
	key(0, "env-a", "", 1);
	key(1, "env-b", "acme", 2);
}

static void open_with(const char *standard, size_t count)
{
	t = tenants_open(base, conf_with(standard, count), own, &hooks, NULL);
	cr_assert(t);
}

static void close_all(void)
{
	tenants_close(t);
	snapshot_unmap(table);
	hasher_close(hasher);
	stats_unmap(own);
	loop_close(base);
}

TestSuite(tenants_extra, .init = open_all, .fini = close_all);

static void put_row(const char *id, enum tenant_state state)
{
	tenants_put_tenant(t, &(struct tenant_row){ .id = bytes_str(id), .state = state });
}

static void put_token(const char *id, const char *tenant, uint8_t hash)
{
	memset(hashes[hash], hash, HASH_BYTES);
	tenants_put_token(t, &(struct token_row){ .id = bytes_str(id),
	                                          .tenant = bytes_str(tenant),
	                                          .kind = BYTES("sha256"),
	                                          .hash = bytes_of(hashes[hash], HASH_BYTES),
	                                          .scopes = SCOPE_ALL,
	                                          .not_before = INT64_MIN,
	                                          .not_after = INT64_MAX });
}

static void commit(void)
{
	cr_assert_eq(tenants_commit(t, loop_now_ns(), NULL), 0);
}

static void read_nothing(void)
{
	tenants_begin(t, true);
	commit();
}

static bool has(uint8_t hash, const char *tenant)
{
	uint8_t digest[TOKEN_DIGEST_BYTES];

	memset(digest, hash, sizeof(digest));
	return snapshot_find(table, digest, &hit) && bytes_eq(hit.tenant_id, bytes_str(tenant));
}

static bool has_tenant(const char *id, enum tenant_state state)
{
	return snapshot_find_tenant(table, hasher, bytes_str(id), &hit) &&
	       hit.tenant_state == state;
}

static void reload(const char *standard, size_t count)
{
	cr_assert_eq(tenants_reconfigure(t, conf_with(standard, count), NULL), 0);
}

/* B24 */
Test(tenants_extra, keys_and_their_tenants_need_no_row)
{
	open_with("default", 2);
	cr_assert_eq(tenants_table(t), 0, "nothing before the source was read");
	read_nothing();
	cr_assert(has(1, "default"));
	cr_assert_eq(hit.tenant_state, TENANT_ACTIVE);
	cr_assert(has(2, "acme"));
	cr_assert_eq(hit.scopes, SCOPE_ALL);
	cr_assert(bytes_eq(hit.token_id, BYTES("env-b")));
	cr_assert(has_tenant("default", TENANT_ACTIVE));
	read_nothing();
	cr_assert_eq(tenants_table(t), 1, "the same read again is no new table");
	cr_assert_eq(audited, 0);
}

Test(tenants_extra, the_default_tenant_alone_is_in_the_table)
{
	open_with("home", 0);
	read_nothing();
	cr_assert(has_tenant("home", TENANT_ACTIVE));
	cr_assert_not(has_tenant("default", TENANT_ACTIVE));
}

Test(tenants_extra, a_row_of_the_source_wins_whenever_it_comes)
{
	open_with("default", 1);
	tenants_begin(t, true);
	put_row("default", TENANT_SUSPENDED);
	commit();
	cr_assert(has(1, "default"));
	cr_assert_eq(hit.tenant_state, TENANT_SUSPENDED);
	for (int i = 0; i < 2; i++) {
		tenants_begin(t, true);
		put_row("default", TENANT_SUSPENDED);
		commit();
	}
	cr_assert_eq(tenants_table(t), 1, "the same read again is no new table");
	tenants_begin(t, false);
	tenants_drop_tenant(t, BYTES("default"));
	commit();
	cr_assert(has(1, "default"), "the row has gone, the key has not");
	cr_assert_eq(hit.tenant_state, TENANT_ACTIVE);
	tenants_begin(t, false);
	put_row("default", TENANT_SUSPENDED);
	commit();
	cr_assert(has_tenant("default", TENANT_SUSPENDED));
	tenants_begin(t, false);
	put_row("other", TENANT_ACTIVE);
	commit();
	cr_assert(has_tenant("default", TENANT_SUSPENDED), "another's change changes nothing");
	read_nothing();
	cr_assert(has_tenant("default", TENANT_ACTIVE));
}

Test(tenants_extra, a_token_of_the_source_with_that_id_wins)
{
	open_with("default", 1);
	tenants_begin(t, true);
	put_row("acme", TENANT_ACTIVE);
	put_token("env-a", "acme", 9);
	commit();
	cr_assert(has(9, "acme"));
	cr_assert_not(has(1, "default"));
	tenants_begin(t, false);
	tenants_drop_token(t, BYTES("env-a"));
	commit();
	cr_assert_not(has(9, "acme"));
	cr_assert(has(1, "default"));
	tenants_begin(t, false);
	tenants_drop_token(t, BYTES("env-a"));
	commit();
	cr_assert(has(1, "default"), "dropped twice it is ours all the same");
}

Test(tenants_extra, a_read_that_ends_early_changes_nothing)
{
	open_with("default", 1);
	read_nothing();
	tenants_begin(t, false);
	put_row("default", TENANT_SUSPENDED);
	tenants_abort(t);
	tenants_begin(t, false);
	commit();
	cr_assert(has_tenant("default", TENANT_ACTIVE));
	cr_assert(has(1, "default"));
	read_nothing();
	cr_assert(has(1, "default"));
}

Test(tenants_extra, a_reload_brings_and_takes_keys)
{
	open_with("default", 1);
	tenants_begin(t, true);
	put_row("acme", TENANT_SUSPENDED);
	commit();
	cr_assert_not(has(2, "acme"));
	reload("default", 2);
	cr_assert(has(1, "default"));
	cr_assert(has(2, "acme"));
	cr_assert_eq(hit.tenant_state, TENANT_SUSPENDED, "the row that was there wins");
	cr_assert_gt(audited, 0);
	reload("", 0);
	cr_assert_not(has(1, "default"));
	cr_assert_not(has(2, "acme"));
	cr_assert_not(has_tenant("default", TENANT_ACTIVE));
	cr_assert(has_tenant("acme", TENANT_SUSPENDED));
}

Test(tenants_extra, a_reload_in_the_middle_of_a_read_waits_for_its_end)
{
	open_with("default", 1);
	read_nothing();
	tenants_begin(t, true);
	put_row("acme", TENANT_SUSPENDED);
	reload("default", 2);
	cr_assert_not(has(2, "acme"));
	commit();
	cr_assert(has(1, "default"));
	cr_assert(has(2, "acme"));
	cr_assert_eq(hit.tenant_state, TENANT_SUSPENDED);
}

Test(tenants_extra, a_key_of_moose_is_found_by_what_its_derivation_gives)
{
	static const uint8_t derived[SNAPSHOT_PBKDF2_BYTES] = { 7 };
	uint8_t digest[TOKEN_DIGEST_BYTES];

	keys[0] = (struct imported_key){ .id = "env-moose",
		                         .tenant = "",
		                         .kind = "pbkdf2",
		                         .hash = bytes_of(derived, sizeof(derived)),
		                         .iterations = 1000 };
	open_with("default", 1);
	read_nothing();
	snapshot_key(derived, 1000, digest);
	cr_assert(snapshot_find(table, digest, &hit));
	cr_assert(bytes_eq(hit.token_id, BYTES("env-moose")));
}

Test(tenants_extra, keys_beside_a_table_without_tenants_work_before_it_was_read)
{
	confs[0].imported_table = true;
	open_with("default", 1);
	cr_assert_eq(tenants_table(t), 1);
	cr_assert(has(1, "default"));
	cr_assert_eq(atomic_load(&stats_head(own)->fresh_until_ms), 0, "but others are unknown yet");
	tenants_begin(t, true);
	put_row("acme", TENANT_ACTIVE);
	put_token("tok", "acme", 9);
	commit();
	cr_assert(has(1, "default"));
	cr_assert(has(9, "acme"));
	cr_assert_eq(audited, 0, "the first read finds what is there");
}
