/* SPDX-License-Identifier: Apache-2.0 */
#define req_wake wake_of_the_test
#include "worker/auth_verify.c"
#include "worker/auth_pbkdf2.c"

#include <event2/event.h>
#include <sys/resource.h>

#include "tests/unit/worker/fixture.h"

/* compatibility.md 5 */
#define BEARER "deadbeefdeadbeefdeadbeefdeadbeef.0123456789abcdef0123456789abcdef"
#define HASH "445fd4696cfc5c49e28995c4aba05de44303a112"
#define BEARER_2 "00112233445566778899aabbccddeeff.ffeeddccbbaa99887766554433221100"
#define HASH_2 "d8de8fcd077e81e756e11f0c422463d9e1d4560e"

enum { PASSED = 415 }; /* the type is none that the route takes */

static struct fixture *f;
static bool woken;
static unsigned finished;
static struct a_key {
	const char *hash, *id;
	uint32_t iterations, tenant; /* index in fixture_tenants */
	bool revoked;
} keys[4];
static unsigned key_count;

static void finish(void)
{
	while ((f->step = stages_run(&f->r)) == STEP_ROOM)
		fixture_send_out(f);
	cr_assert_eq(f->step, STEP_DONE);
	if (f->r.out.n)
		fixture_send_out(f);
	req_finish(&f->r);
	finished++;
}

bool wake_of_the_test(struct worker *w, uint64_t handle, enum verdict v, int32_t partition,
                      int64_t offset)
{
	(void)w;
	(void)handle;
	(void)partition;
	(void)offset;
	cr_assert_eq(v, V_NONE);
	woken = true;
	finish();
	return true;
}

/* The table holds the keys, and the tokens of nobody else. */
static void serve_keys_table(uint64_t generation)
{
	struct snapshot_builder *b = snapshot_builder_new(generation);
	uint32_t tenants[ARRAY_LEN(fixture_tenants)], iterations[SNAPSHOT_ITERATIONS_MAX];
	unsigned n = 0;
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(fixture_tenants); i++)
		tenants[i] = snapshot_add_tenant(b, &fixture_tenants[i]);
	for (unsigned i = 0; i < key_count; i++) {
		struct snapshot_token t = { .id = bytes_str(keys[i].id),
			                    .ordinal = i,
			                    .tenant = tenants[keys[i].tenant],
			                    .not_before = INT64_MIN,
			                    .not_after = INT64_MAX,
			                    .revoked = keys[i].revoked,
			                    .scopes = SCOPE_ALL };
		uint8_t derived[SNAPSHOT_PBKDF2_BYTES];
		bool known = false;

		cr_assert(hex_decode(bytes_str(keys[i].hash), derived, sizeof(derived)));
		snapshot_key(derived, keys[i].iterations, t.digest);
		snapshot_add_token(b, &t);
		for (unsigned k = 0; k < n; k++)
			known |= iterations[k] == keys[i].iterations;
		if (!known)
			iterations[n++] = keys[i].iterations;
	}
	snapshot_set_iterations(b, iterations, n);

	autoclose int fd = snapshot_seal(b, &err);

	snapshot_builder_free(b);
	snapshot_unmap(f->w.table);
	f->w.table = snapshot_map(fd, &err);
	cr_assert(f->w.table, "%s", err.text);
}

static void serve_keys(const struct a_key *some, unsigned count)
{
	static uint64_t generation = 8;

	memcpy(keys, some, count * sizeof(*some));
	key_count = count;
	serve_keys_table(generation++);
}

static void open_pbkdf2(void)
{
	const struct a_key both[] = { { HASH, "k-acme", 1000, 0, false },
		                      { HASH_2, "k-other", 1000, 1, false } };
	struct err err;

	f = fixture_new();
	f->conf.auth.pbkdf2.per_source = 4;
	f->conf.auth.pbkdf2.per_worker = 5; /* divides a second */
	f->w.base = loop_open(&err);
	cr_assert(f->w.base, "%s", err.text);
	fixture_start(f, -1, -1);
	serve_keys(both, 2);
	finished = 0;
}

static void close_pbkdf2(void)
{
	struct event_base *base = f->w.base;

	fixture_close(f);
	loop_close(base);
}

TestSuite(auth_pbkdf2, .init = open_pbkdf2, .fini = close_pbkdf2);

static struct pbkdf2 *verifier(void)
{
	const struct verifiers *v = f->w.auth->verifiers;
	size_t i = 0;

	while (v->v[i] != &auth_pbkdf2)
		i++;
	return v->state[i];
}

static void begin(const char *secret, uint8_t last_byte)
{
	char text[1024];

	snprintf(text, sizeof(text),
	         "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
	         "Content-Length: 0\r\nAuthorization: Bearer %s\r\n\r\n",
	         secret);
	fixture_begin(f, &f->public);
	f->r.client[15] = last_byte;
	fixture_feed(f, (const uint8_t *)text, strlen(text));
	woken = false;
}

static int ask_from(const char *secret, uint8_t last_byte)
{
	begin(secret, last_byte);
	f->step = stages_run(&f->r);
	if (f->step != STEP_WAKE) {
		finish();
		return fixture_status(f->sent);
	}
	while (!woken)
		cr_assert_eq(event_base_loop(f->w.base, EVLOOP_ONCE), 0);
	return fixture_status(f->sent);
}

static int ask_one(const char *secret)
{
	return ask_from(secret, 1);
}

static uint64_t misses(void)
{
	return stats_get(f->w.stats, STAT_AUTH_IDENTITY_CACHE, CACHE_MISS, 0);
}

/* C1 */
Test(auth_pbkdf2, the_vectors_of_moose_verify_each_for_its_tenant)
{
	cr_assert_eq(ask_one(BEARER), PASSED);
	cr_assert(woken);
	cr_assert_str_eq(f->r.who.tenant, "acme");
	cr_assert_str_eq(f->r.who.token, "k-acme");
	cr_assert_eq(f->r.who.method, METHOD_PBKDF2);
	cr_assert_eq(ask_one(BEARER_2), PASSED);
	cr_assert_str_eq(f->r.who.tenant, "other");
	cr_assert_eq(stats_get(f->w.stats, STAT_AUTH, METHOD_PBKDF2, AUTH_OK), 2);
}

/* C1 */
Test(auth_pbkdf2, one_digit_changed_in_token_or_salt_is_another_key)
{
	cr_assert_eq(ask_one("deadbeefdeadbeefdeadbeefdeadbeee.0123456789abcdef0123456789abcdef"),
	             401);
	cr_assert(woken);
	cr_assert_eq(ask_one("deadbeefdeadbeefdeadbeefdeadbeef.0123456789abcdef0123456789abcdee"),
	             401);
	/* Texts, not what they would be as hex. */
	cr_assert_eq(ask_one("DEADBEEFDEADBEEFDEADBEEFDEADBEEF.0123456789abcdef0123456789abcdef"),
	             401);
	cr_assert_eq(stats_get(f->w.stats, STAT_AUTH, METHOD_PBKDF2, AUTH_UNKNOWN), 3);
}

/* C1 */
Test(auth_pbkdf2, one_digit_changed_in_the_hash_or_another_number_of_iterations_is_no_key)
{
	const struct a_key changed[] = { { "445fd4696cfc5c49e28995c4aba05de44303a113", "k", 1000, 0,
		                           false },
		                         { HASH, "k2", 1001, 0, false } };

	serve_keys(changed, 2);
	cr_assert_eq(ask_one(BEARER), 401);
	cr_assert(woken);
}

/* C3 */
Test(auth_pbkdf2, a_bearer_of_another_form_is_not_derived)
{
	static const char *const others[] = { "deadbeef", "a.b.c", ".b",      "a.",
		                              ".",        "a..b",  "a\x80.b", "a.b\xc3\xa4" };
	char longer[300];

	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		cr_assert_eq(ask_one(others[i]), 401, "%s", others[i]);
		cr_assert_not(woken, "%s", others[i]);
	}
	memset(longer, 'x', sizeof(longer));
	longer[129] = '.';
	longer[131] = '\0';
	cr_assert_eq(ask_one(longer), 401);
	longer[1] = '.';
	longer[129] = 'x';
	longer[131] = '\0'; /* 129 behind the dot */
	cr_assert_eq(ask_one(longer), 401);
	cr_assert_eq(misses(), 0);
	longer[130] = '\0';
	cr_assert_eq(ask_one(longer), 401);
	cr_assert(woken, "128 behind the dot are a bearer's");
	cr_assert_eq(misses(), 1);
}

Test(auth_pbkdf2, without_such_keys_in_the_table_nothing_is_derived)
{
	const struct a_key none = { NULL, NULL, 0, 0, false };

	serve_keys(&none, 0);
	cr_assert_eq(ask_one(BEARER), 401);
	cr_assert_not(woken);
	cr_assert_null(verifier()->thread);
}

Test(auth_pbkdf2, a_bearer_is_derived_once_whatever_the_answer)
{
	for (unsigned i = 0; i < 20; i++) {
		cr_assert_eq(ask_one(BEARER), PASSED);
		cr_assert_eq(ask_one("no.such"), 401);
	}
	cr_assert_eq(misses(), 2);
	cr_assert_eq(stats_get(f->w.stats, STAT_AUTH_IDENTITY_CACHE, CACHE_HIT, 0), 38);
}

/* F27 */
Test(auth_pbkdf2, a_key_that_comes_goes_or_is_revoked_counts_at_once_without_deriving_again)
{
	const struct a_key revoked = { HASH, "k-acme", 1000, 0, true };
	const struct a_key moved = { HASH, "k-new", 1000, 1, false };
	const struct a_key gone = { HASH_2, "k-other", 1000, 1, false };

	cr_assert_eq(ask_one(BEARER), PASSED);
	serve_keys(&revoked, 1);
	cr_assert_eq(ask_one(BEARER), 401);
	cr_assert_eq(f->r.who.result, AUTH_REVOKED);
	serve_keys(&gone, 1);
	cr_assert_eq(ask_one(BEARER), 401);
	cr_assert_eq(f->r.who.result, AUTH_UNKNOWN);
	serve_keys(&moved, 1);
	cr_assert_eq(ask_one(BEARER), PASSED);
	cr_assert_str_eq(f->r.who.tenant, "other");
	cr_assert_eq(misses(), 1);
}

Test(auth_pbkdf2, keys_of_other_iterations_are_derived_too_when_they_come)
{
	/* hashlib.pbkdf2_hmac("sha256", b"no", b"such", 7, 20) */
	const struct a_key more[] = { { HASH, "k-acme", 1000, 0, false },
		                      { "012908539336aaa42bd26737cf874ef7ff763b93", "k-seven", 7, 1,
		                        false } };

	cr_assert_eq(ask_one("no.such"), 401);
	serve_keys(more, 2);
	cr_assert_eq(ask_one("no.such"), PASSED);
	cr_assert_str_eq(f->r.who.token, "k-seven");
	cr_assert_eq(misses(), 2);
}

Test(auth_pbkdf2, unknown_while_the_table_is_not_fresh_is_503_and_known_goes_on)
{
	fixture_fresh(f, false);
	cr_assert_eq(ask_one(BEARER), PASSED);
	cr_assert_eq(ask_one("no.such"), 503);
	fixture_fresh(f, true);
	cr_assert_eq(ask_one("no.such"), 401);
}

/* C22, F51 */
Test(auth_pbkdf2, a_source_beyond_its_budget_gets_503_while_keys_known_and_other_sources_are_served)
{
	char guess[32];

	cr_assert_eq(ask_from(BEARER, 1), PASSED);
	for (unsigned i = 1; i < 8; i++) {
		snprintf(guess, sizeof(guess), "guess.%u", i);
		cr_assert_eq(ask_from(guess, 1), 401, "%u", i);
	}
	cr_assert_eq(ask_from("guess.8", 1), 503);
	cr_assert_eq(f->r.who.result, AUTH_UNAVAILABLE);
	cr_assert(strstr(f->r.why, "auth.pbkdf2.per_source"), "%s", f->r.why);
	cr_assert(f->r.retry_after > 0);
	cr_assert_eq(ask_from("guess.8", 1), 503, "it is not remembered");
	cr_assert_eq(ask_from(BEARER, 1), PASSED);
	cr_assert_eq(ask_from("guess.1", 1), 401);
	cr_assert_eq(ask_from(BEARER_2, 2), PASSED);
	loop_set_clock(loop_now_ns() + 250000000, loop_wall_ns());
	cr_assert_eq(ask_from("guess.8", 1), 401, "a quarter of a second is one of four a second");
}

Test(auth_pbkdf2, all_sources_together_have_a_budget_too)
{
	char guess[32];

	for (unsigned i = 0; i < 10; i++) {
		snprintf(guess, sizeof(guess), "guess.%u", i);
		cr_assert_eq(ask_from(guess, (uint8_t)(10 + i)), 401, "%u", i);
	}
	cr_assert_eq(ask_from("guess.10", 30), 503);
	cr_assert(strstr(f->r.why, "auth.pbkdf2.per_worker"), "%s", f->r.why);
	loop_set_clock(loop_now_ns() + 1000000000, loop_wall_ns());
	cr_assert_eq(ask_from("guess.10", 30), 401);
}

Test(auth_pbkdf2, what_waits_for_the_thread_is_bounded_by_its_work)
{
	verifier()->waiting = WAITING_ITERATIONS_MAX;
	cr_assert_eq(ask_one(BEARER), PASSED);
	verifier()->waiting = WAITING_ITERATIONS_MAX + 1;
	cr_assert_eq(ask_one(BEARER_2), 503);
	verifier()->waiting = 0;
	cr_assert_eq(ask_one(BEARER_2), PASSED);
	cr_assert_eq(verifier()->waiting, 0);
	cr_assert_null(verifier()->first);
}

Test(auth_pbkdf2, a_worker_may_end_while_a_key_is_being_derived)
{
	begin(BEARER, 1);
	cr_assert_eq(stages_run(&f->r), STEP_WAKE);
	cr_assert_eq(verifier()->waiting, 1000);
	req_expire(&f->r, V_GONE);
	req_finish(&f->r);
	/* close_pbkdf2() must leak nothing. */
}

Test(auth_pbkdf2, bearers_without_a_thread_get_503_and_one_line_of_log)
{
	uint64_t before = log_count(LOG_LEVEL_ERR);
	struct rlimit was, none;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = was;
	none.rlim_cur = 0; /* no eventfd */
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	for (unsigned i = 0; i < 4; i++)
		cr_expect_eq(ask_one(BEARER), 503);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
	cr_expect_eq(log_count(LOG_LEVEL_ERR), before + 1);
	cr_expect_eq(ask_one(BEARER), PASSED);
}
