/* SPDX-License-Identifier: Apache-2.0 */
#define req_wake wake_of_the_test
#include "worker/auth_verify.c"

#include "tests/unit/worker/fixture.h"

/* A verifier of whatever begins with "fake.": what comes behind says what it finds. */
static struct fake {
	unsigned asked;
	struct worker *w;
	uint8_t later[TOKEN_DIGEST_BYTES];
	msec_t keep;
} fake;
static struct fixture *f;
static const char *path;
static unsigned woken;
static enum step woken_step;

static void *fake_open(struct worker *w, struct err *err)
{
	(void)err;
	fake.w = w;
	return &fake;
}

static void fake_close(void *verifier)
{
	(void)verifier;
}

static struct finding found(const char *what)
{
	static const char *const tenants[] = { "acme", "other", "lazy", "gone", "nobody" };
	struct proof p = { .method = METHOD_JWT,
		           .result = AUTH_OK,
		           .subject = "sub-1",
		           .email = "one@example.com",
		           .issuer = "https://issuer",
		           .claims = BYTES("{}"),
		           .scopes = SCOPE_ALL,
		           .not_after = INT64_MAX,
		           .tenants = tenants };
	struct proof_key key = { 1000, { 7 } };

	if (strcmp(what, "two") == 0) {
		p.tenant_count = 2;
	} else if (strcmp(what, "soon") == 0) {
		p.tenant_count = 1;
		p.not_after = FIXTURE_NOW_S * 1000000 + 60 * 1000000;
	} else if (strcmp(what, "many") == 0) {
		p.tenant_count = 2;
		p.tenants_cut = true;
	} else if (strcmp(what, "list") == 0) {
		p.tenant_count = 1;
		p.aud_is_list = true;
	} else if (strcmp(what, "logs") == 0) {
		p.tenant_count = 1;
		p.scopes = 1u << SIGNAL_LOGS;
	} else if (strcmp(what, "no") == 0) {
		p.result = AUTH_EXPIRED;
		p.why = "expired";
	} else if (strcmp(what, "away") == 0) {
		p.result = AUTH_UNAVAILABLE;
		p.why = "no keys";
	} else if (strncmp(what, "denied", 6) == 0) {
		p.result = AUTH_UNKNOWN;
		p.why = "its provider says no";
		p.denial = 403;
		p.challenge = "Bearer realm=\"x\"";
	} else if (strcmp(what, "key") == 0) {
		p = (struct proof){ .method = METHOD_PBKDF2, .keys = &key, .key_count = 1 };
	} else if (what[0] >= '0' && what[0] <= '4') {
		p.tenants = tenants + (what[0] - '0');
		p.tenant_count = 1;
	}
	return (struct finding){ proof_copy(&p), fake.keep };
}

static enum auth_say fake_check(void *verifier, struct req *r, const struct credential *c,
                                struct finding *out)
{
	char text[64] = "";

	cr_assert_eq(verifier, &fake);
	if (c->secret.n < 5 || c->secret.n > 60 || memcmp(c->secret.p, "fake.", 5) != 0)
		return AUTH_NOT_MINE;
	fake.asked++;
	memcpy(text, c->secret.p + 5, c->secret.n - 5);
	if (strcmp(text, "soon") == 0 && !auth_may_ask(r))
		strcpy(text, "away");
	if (strcmp(text, "later") == 0) {
		memcpy(fake.later, c->digest, sizeof(fake.later));
		return AUTH_LATER;
	}
	*out = found(text);
	return out->proof->result == AUTH_OK ? AUTH_YES : AUTH_NO;
}

static const struct auth_verifier fake_verifier = { "fake", fake_open, fake_check, fake_close };

bool wake_of_the_test(struct worker *w, uint64_t handle, enum verdict v, int32_t partition,
                      int64_t offset)
{
	(void)w;
	(void)partition;
	(void)offset;
	woken++;
	cr_assert_eq(v, V_NONE);
	if (handle == f->r.handle)
		woken_step = auth_run(&f->r);
	return handle == f->r.handle;
}

static void open_with(enum listener_dialect dialect)
{
	static const struct auth_verifier *const fakes[] = { &fake_verifier, NULL };
	struct verifiers *v;

	f = fixture_new();
	f->conf.protocols.loki.enabled = true;
	f->listener_confs[0].dialect = dialect;
	f->conf.protocols.models.enabled = dialect == LISTENER_MOOSE;
	fixture_start(f, -1, -1);
	v = f->w.auth->verifiers;
	for (size_t i = 0; i < v->count; i++)
		v->v[i]->close(v->state[i]);
	v->v = fakes;
	v->count = 1;
	fake = (struct fake){ .w = &f->w, .keep = 10000 };
	v->state[0] = &fake;
	woken = 0;
	path = dialect == LISTENER_GATEWAY ? "/otlp/v1/logs"
	       : dialect == LISTENER_MOOSE ? "/ingest/NoSuchModel"
	                                   : "/v1/traces";
}

static void open_fake(void)
{
	open_with(LISTENER_NATIVE);
}

static void open_gateway(void)
{
	open_with(LISTENER_GATEWAY);
}

static void open_moose(void)
{
	open_with(LISTENER_MOOSE);
}

static void close_fake(void)
{
	fixture_close(f);
}

TestSuite(auth_verify, .init = open_fake, .fini = close_fake);

enum { PASSED = 415 };

/* Of whoever passes: the type is none that the route takes. */
static int ask_with(const char *secret, const char *fields)
{
	static char text[1024];

	snprintf(text, sizeof(text),
	         "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
	         "Content-Length: 0\r\nAuthorization: Bearer %s\r\n%s\r\n",
	         path, secret, fields);
	return fixture_status(fixture_ask(f, text));
}

static bool said(const char *id)
{
	return strstr(f->sent, id) != NULL || strcmp(verdict_get(f->r.verdict)->id, id) == 0;
}

Test(auth_verify, an_identity_is_of_the_tenant_that_it_names)
{
	cr_assert_eq(ask_with("fake.0", ""), PASSED);
	cr_assert_str_eq(f->r.who.tenant, "acme");
	cr_assert_eq(f->r.who.tenant_ordinal, 1);
	cr_assert_str_eq(f->r.who.subject, "sub-1");
	cr_assert_str_eq(f->r.who.email, "one@example.com");
	cr_assert_str_eq(f->r.who.issuer, "https://issuer");
	cr_assert(bytes_eq(f->r.who.claims, BYTES("{}")));
	cr_assert_eq(f->r.who.method, METHOD_JWT);
	cr_assert_not(f->r.who.admin);
	cr_assert_eq(strlen(f->r.who.token), 8);
	cr_assert_eq(stats_get(f->w.stats, STAT_AUTH, METHOD_JWT, AUTH_OK), 1);
	cr_assert_eq(ask_with("fake.0", "X-Scope-OrgID: acme\r\n"), PASSED);
	cr_assert_eq(ask_with("fake.0", "X-Scope-OrgID: other\r\n"), 403);
	cr_assert(said("hg-org-mismatch"));
}

/* P23: off the gateway nothing chooses */
Test(auth_verify, an_identity_of_two_tenants_is_refused_with_and_without_the_header)
{
	cr_assert_eq(ask_with("fake.two", ""), 403);
	cr_assert(said("hg-tenant-unknown"));
	cr_assert_eq(ask_with("fake.two", "X-Scope-OrgID: acme\r\n"), 403);
	cr_assert_eq(stats_get(f->w.stats, STAT_AUTH, METHOD_JWT, AUTH_MISMATCH), 2);
}

/* B24, P23 */
Test(auth_verify, an_identity_of_no_tenant_is_the_default_tenants_or_nobodys)
{
	cr_assert_eq(ask_with("fake.none", ""), 403);
	cr_assert(said("hg-tenant-unknown"));
	f->conf.auth.default_tenant = "other";
	cr_assert_eq(ask_with("fake.none", ""), PASSED);
	cr_assert_str_eq(f->r.who.tenant, "other");
	cr_assert_eq(ask_with("fake.none", "X-Scope-OrgID: acme\r\n"), 403);
}

Test(auth_verify, the_tenant_must_be_in_the_table_and_active)
{
	cr_assert_eq(ask_with("fake.2", ""), 403);
	cr_assert(said("hg-tenant-suspended"));
	cr_assert_eq(ask_with("fake.3", ""), 403);
	cr_assert(said("hg-tenant-unknown"));
	cr_assert_eq(ask_with("fake.4", ""), 403);
	fixture_fresh(f, false);
	cr_assert_eq(ask_with("fake.4", ""), 503);
	cr_assert_eq(ask_with("fake.0", ""), PASSED);
}

Test(auth_verify, nobody_comes_in_before_there_is_a_table)
{
	struct snapshot *table = f->w.table;

	f->w.table = NULL;
	cr_assert_eq(ask_with("fake.0", ""), 503);
	cr_assert_eq(fake.asked, 0);
	f->w.table = table;
}

Test(auth_verify, its_scopes_are_asked_too)
{
	cr_assert_eq(ask_with("fake.logs", ""), 403);
	cr_assert(said("hg-scope"));
}

/* B12 */
Test(auth_verify, an_admin_is_known_by_subject_or_address)
{
	static const char *by_subject[] = { "x", "sub-1" }, *by_email[] = { "one@example.com" };

	f->conf.auth.admins = (struct conf_list){ by_subject, 2 };
	cr_assert_eq(ask_with("fake.0", ""), PASSED);
	cr_assert(f->r.who.admin);
	f->conf.auth.admins = (struct conf_list){ by_email, 1 };
	cr_assert_eq(ask_with("fake.0", ""), PASSED);
	cr_assert(f->r.who.admin);
}

/* B10 */
Test(auth_verify, what_was_found_is_remembered_for_its_time)
{
	for (unsigned i = 0; i < 5; i++)
		cr_assert_eq(ask_with("fake.0", ""), PASSED);
	cr_assert_eq(fake.asked, 1);
	cr_assert_eq(stats_get(f->w.stats, STAT_AUTH_IDENTITY_CACHE, CACHE_HIT, 0), 4);
	cr_assert_eq(stats_get(f->w.stats, STAT_AUTH_IDENTITY_CACHE, CACHE_MISS, 0), 1);
	loop_set_clock(loop_now_ns() + 9999 * INT64_C(1000000), loop_wall_ns());
	cr_assert_eq(ask_with("fake.0", ""), PASSED);
	cr_assert_eq(fake.asked, 1);
	loop_set_clock(loop_now_ns() + INT64_C(1000000), loop_wall_ns());
	cr_assert_eq(ask_with("fake.0", ""), PASSED);
	cr_assert_eq(fake.asked, 2);
	cr_assert_eq(ask_with("fake.denied", ""), 403);
	cr_assert_eq(f->r.who.denial, 403);
	cr_assert(said("hg-denied"));
	cr_assert(fixture_has(f->sent, "WWW-Authenticate: Bearer realm=\"x\""));
	cr_assert_eq(ask_with("fake.denied", ""), 403);
	cr_assert_eq(fake.asked, 3, "a refusal too, if it says so");
}

Test(auth_verify, what_may_not_be_kept_is_asked_again)
{
	fake.keep = 0;
	cr_assert_eq(ask_with("fake.0", ""), PASSED);
	cr_assert_eq(ask_with("fake.0", ""), PASSED);
	cr_assert_eq(ask_with("fake.no", ""), 401);
	cr_assert_eq(ask_with("fake.no", ""), 401);
	cr_assert_eq(ask_with("fake.away", ""), 503);
	cr_assert_eq(ask_with("fake.away", ""), 503);
	cr_assert_eq(fake.asked, 6);
	cr_assert_eq(stats_get(f->w.stats, STAT_AUTH, METHOD_JWT, AUTH_EXPIRED), 2);
	cr_assert_eq(stats_get(f->w.stats, STAT_AUTH, METHOD_JWT, AUTH_UNAVAILABLE), 2);
}

/* B10: a hit whose end is within 30 s is dropped and verified anew */
Test(auth_verify, what_ends_soon_is_verified_anew)
{
	cr_assert_eq(ask_with("fake.soon", ""), PASSED);
	loop_set_clock(loop_now_ns(), loop_wall_ns() + INT64_C(29) * 1000000000);
	cr_assert_eq(ask_with("fake.soon", ""), PASSED);
	cr_assert_eq(fake.asked, 1);
	loop_set_clock(loop_now_ns(), loop_wall_ns() + INT64_C(1) * 1000000000);
	cr_assert_eq(ask_with("fake.soon", ""), PASSED);
	cr_assert_eq(fake.asked, 2);
}

/* Only who was not seen before pays: at its end a busy client's token is verified for each request. */
Test(auth_verify, a_token_that_was_let_in_is_verified_anew_without_budget)
{
	f->conf.auth.unknown_per_source = 1;
	cr_assert_eq(ask_with("fake.soon", ""), PASSED);
	loop_set_clock(loop_now_ns(), loop_wall_ns() + INT64_C(31) * 1000000000);
	for (unsigned i = 0; i < 10; i++)
		cr_assert_eq(ask_with("fake.soon", ""), PASSED, "request %u", i);
	cr_assert_eq(fake.asked, 11);
	cr_assert(auth_may_ask(&f->r));
	cr_assert_not(auth_may_ask(&f->r), "others pay as ever");
}

Test(auth_verify, a_flood_of_refusals_drives_nobody_known_out)
{
	char secret[32];

	cr_assert_eq(ask_with("fake.0", ""), PASSED);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(secret, sizeof(secret), "fake.denied%u", i);
		cr_assert_eq(ask_with(secret, ""), 403);
	}
	cr_assert_eq(ask_with("fake.0", ""), PASSED);
	cr_assert_eq(fake.asked, 101);
	cr_assert_eq(identity_cache_count(f->w.auth->verifiers->good), 1);
	cr_assert_eq(identity_cache_count(f->w.auth->verifiers->bad), 8);
}

Test(auth_verify, what_belongs_to_nobody_is_unknown)
{
	cr_assert_eq(ask_with("other.form", ""), 401);
	cr_assert_eq(f->r.who.result, AUTH_UNKNOWN);
	cr_assert_eq(fake.asked, 0);
	fixture_fresh(f, false);
	cr_assert_eq(ask_with("other.form", ""), 503);
	cr_assert_eq(f->r.who.result, AUTH_UNAVAILABLE);
}

Test(auth_verify, a_malformed_token_of_ours_is_nobody_elses)
{
	cr_assert_eq(ask_with("hgt_fake.0", ""), 401);
	cr_assert_eq(fake.asked, 0);
}

/* ---- the gateway's dialect ---- */

TestSuite(auth_org, .init = open_gateway, .fini = close_fake);

/* D11, D18, P23 */
Test(auth_org, the_header_chooses_among_those_that_the_identity_is_bound_to)
{
	cr_assert_eq(ask_with("fake.two", "X-Scope-OrgID: acme\r\n"), PASSED);
	cr_assert_str_eq(f->r.who.tenant, "acme");
	cr_assert_eq(ask_with("fake.two", "x-scope-orgid: other\r\n"), PASSED);
	cr_assert_str_eq(f->r.who.tenant, "other");
	cr_assert_eq(ask_with("fake.two", "X-Scope-OrgID: stuck\r\n"), 403);
	cr_assert(said("hg-org-mismatch"));
	cr_assert_eq(ask_with("fake.0", "X-Scope-OrgID: other\r\n"), 403);
	cr_assert_eq(ask_with("secret-acme", "X-Scope-OrgID: acme\r\n"), PASSED);
	cr_assert_eq(ask_with("secret-acme", "X-Scope-OrgID: other\r\n"), 403);
}

/* D4 */
Test(auth_org, without_the_header_a_good_credential_is_401_and_a_bad_one_too)
{
	cr_assert_eq(ask_with("fake.two", ""), 401);
	cr_assert(said("hg-org-missing"));
	cr_assert_eq(ask_with("fake.0", "X-Scope-OrgID:\r\n"), 401);
	cr_assert_eq(ask_with("fake.no", ""), 401);
	cr_assert(said("hg-credential"));
	f->conf.compat.gateway_tenant_header = TENANT_HEADER_OPTIONAL;
	cr_assert_eq(ask_with("fake.0", ""), PASSED);
	cr_assert_str_eq(f->r.who.tenant, "acme");
	cr_assert_eq(ask_with("fake.two", ""), 403);
}

/* D10: names can't be probed */
Test(auth_org, a_tenant_that_is_not_there_and_one_not_bound_get_the_same_403)
{
	char first[2048];

	cr_assert_eq(ask_with("fake.4", "X-Scope-OrgID: nobody\r\n"), 403);
	cr_assert(said("hg-org-mismatch"));
	memcpy(first, f->sent, f->sent_n + 1);
	cr_assert_eq(ask_with("fake.4", "X-Scope-OrgID: acme\r\n"), 403);
	cr_assert_eq(strlen(first), f->sent_n);
	cr_assert_eq(ask_with("fake.3", "X-Scope-OrgID: gone\r\n"), 403);
	cr_assert(said("hg-org-mismatch"));
	fixture_fresh(f, false);
	cr_assert_eq(ask_with("fake.4", "X-Scope-OrgID: nobody\r\n"), 503);
}

Test(auth_org, with_binding_off_an_identity_may_name_any_active_tenant_but_a_token_its_own_alone)
{
	f->conf.compat.gateway_bind_tenants = false;
	cr_assert_eq(ask_with("fake.0", "X-Scope-OrgID: other\r\n"), PASSED);
	cr_assert_str_eq(f->r.who.tenant, "other");
	cr_assert_eq(ask_with("fake.none", "X-Scope-OrgID: other\r\n"), PASSED);
	cr_assert_eq(ask_with("fake.0", "X-Scope-OrgID: nobody\r\n"), 403);
	cr_assert_eq(ask_with("fake.0", "X-Scope-OrgID: lazy\r\n"), 403);
	cr_assert_eq(ask_with("secret-acme", "X-Scope-OrgID: other\r\n"), 403);
}

/* Which ones were kept hangs on the order in which they came. */
Test(auth_org, an_identity_of_more_tenants_than_are_kept_is_bound_to_none)
{
	cr_assert_eq(ask_with("fake.many", "X-Scope-OrgID: acme\r\n"), 403);
	cr_assert_eq(f->r.verdict, V_TENANT_UNKNOWN);
	cr_assert_str_eq(f->r.why, "bound to more tenants than can be kept");
	f->conf.compat.gateway_bind_tenants = false;
	cr_assert_eq(ask_with("fake.many", "X-Scope-OrgID: acme\r\n"), PASSED);
}

Test(auth_org, an_identity_without_tenants_may_choose_the_default_one)
{
	cr_assert_eq(ask_with("fake.none", "X-Scope-OrgID: acme\r\n"), 403);
	f->conf.auth.default_tenant = "acme";
	cr_assert_eq(ask_with("fake.none", "X-Scope-OrgID: acme\r\n"), PASSED);
	cr_assert_eq(ask_with("fake.none", "X-Scope-OrgID: other\r\n"), 403);
}

/* D12 */
Test(auth_org, a_malformed_id_is_400)
{
	static const char *const bad[] = { "a/b", "..", ".", "a|b", "a:b", "a b" };
	char field[300], id[152];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(field, sizeof(field), "X-Scope-OrgID: %s\r\n", bad[i]);
		cr_assert_eq(ask_with("fake.two", field), 400, "%s", bad[i]);
	}
	memset(id, 'a', sizeof(id) - 1);
	id[151] = '\0';
	snprintf(field, sizeof(field), "X-Scope-OrgID: %s\r\n", id);
	cr_assert_eq(ask_with("fake.two", field), 400);
	cr_assert_eq(ask_with("fake.two", "X-Scope-OrgID: acme\r\nX-Scope-OrgID: acme\r\n"), 400);
}

/* ---- answers that come later ---- */

static enum step begin(const char *secret)
{
	char text[512];
	enum step step;

	snprintf(text, sizeof(text),
	         "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
	         "Content-Length: 0\r\nAuthorization: Bearer %s\r\n\r\n",
	         secret);
	fixture_begin(f, &f->public);
	f->r.handle = 77;
	fixture_feed(f, (const uint8_t *)text, strlen(text));
	step = stages_run(&f->r);
	return step;
}

static void end(void)
{
	req_expire(&f->r, V_GONE);
	req_finish(&f->r);
}

Test(auth_verify, a_late_answer_is_for_all_who_wait_and_is_asked_once)
{
	struct finding answer = found("0");

	cr_assert_eq(begin("fake.later"), STEP_WAKE);
	cr_assert_eq(auth_run(&f->r), STEP_WAKE);
	cr_assert_eq(fake.asked, 1);
	cr_assert_eq(flights_count(f->w.auth->verifiers->flights), 1);
	auth_found(&f->w, fake.later, &answer);
	cr_assert_eq(woken, 2);
	cr_assert_eq(woken_step, STEP_NEXT);
	cr_assert_str_eq(f->r.who.tenant, "acme");
	cr_assert_eq(auth_run(&f->r), STEP_NEXT);
	cr_assert_eq(fake.asked, 1, "it is remembered");
	cr_assert_eq(stats_get(f->w.stats, STAT_AUTH_IDENTITY_CACHE, CACHE_HIT, 0), 1);
	end();
}

Test(auth_verify, a_late_answer_that_may_not_be_kept_is_for_those_who_wait_now)
{
	struct finding answer;

	fake.keep = 0;
	answer = found("away");
	cr_assert_eq(begin("fake.later"), STEP_WAKE);
	auth_found(&f->w, fake.later, &answer);
	cr_assert_eq(woken_step, STEP_REPLY);
	cr_assert_eq(f->r.verdict, V_AUTH_UNAVAILABLE);
	f->r.verdict = V_NONE;
	cr_assert_eq(auth_run(&f->r), STEP_WAKE);
	cr_assert_eq(fake.asked, 2);
	end();
}

Test(auth_verify, an_answer_for_nobody_any_more_is_remembered)
{
	struct finding answer = found("0");

	cr_assert_eq(begin("fake.later"), STEP_WAKE);
	f->r.handle = 78; /* another request: that one has gone */
	auth_found(&f->w, fake.later, &answer);
	cr_assert_eq(woken, 1);
	cr_assert_eq(auth_run(&f->r), STEP_NEXT);
	cr_assert_eq(fake.asked, 1);
	end();
}

TestSuite(auth_moose, .init = open_moose, .fini = close_fake);

/* C4; what is let in there meets no model. compat.moose_enforce_jwt */
Test(auth_moose, where_a_jwt_is_enforced_a_token_is_nobodys)
{
	cr_assert_eq(ask_with("secret-acme", ""), 404);
	f->conf.compat.moose_enforce_jwt = true;
	cr_assert_eq(ask_with("secret-acme", ""), 401);
	cr_assert_eq(f->r.who.result, AUTH_UNKNOWN);
	cr_assert_str_eq(f->r.who.token, "t-acme");
	cr_assert_not(f->r.who.known);
	cr_assert_eq(ask_with("fake.key", ""), 401);
	cr_assert_eq(ask_with("fake.0", ""), 404);
	path = "/v1/traces";
	cr_assert_eq(ask_with("secret-acme", ""), PASSED, "a shared path is none of Moose's");
}

/* C4; by the cache too, in which an answer is of all dialects. compat.moose_strict_aud */
Test(auth_moose, an_array_of_audiences_is_refused_where_moose_would)
{
	cr_assert_eq(ask_with("fake.list", ""), 404);
	f->conf.compat.moose_strict_aud = true;
	cr_assert_eq(ask_with("fake.list", ""), 401);
	cr_assert_eq(f->r.who.result, AUTH_UNKNOWN);
	cr_assert_eq(ask_with("fake.0", ""), 404);
	cr_assert_eq(ask_with("secret-acme", ""), 404);
	path = "/v1/traces";
	cr_assert_eq(ask_with("fake.list", ""), PASSED, "a shared path is none of Moose's");
	cr_assert_eq(fake.asked, 2);
}

/* ---- keys ---- */

static void table_with_key(unsigned iterations_count)
{
	static const uint32_t iterations[] = { 1000, 2000 };
	struct snapshot_builder *b = snapshot_builder_new(9);
	struct snapshot_token t = { .id = BYTES("k1"),
		                    .not_before = INT64_MIN,
		                    .not_after = INT64_MAX,
		                    .scopes = SCOPE_ALL };
	const uint8_t derived[SNAPSHOT_PBKDF2_BYTES] = { 7 };
	int fd;

	t.tenant = snapshot_add_tenant(b, &fixture_tenants[0]);
	snapshot_key(derived, 1000, t.digest);
	if (iterations_count)
		snapshot_add_token(b, &t);
	snapshot_set_iterations(b, iterations, iterations_count);
	fd = snapshot_seal(b, NULL);
	snapshot_builder_free(b);
	snapshot_unmap(f->w.table);
	f->w.table = snapshot_map(fd, NULL);
	close(fd);
	cr_assert(f->w.table);
}

Test(auth_verify, a_key_is_looked_up_in_the_table_of_the_moment)
{
	cr_assert_eq(ask_with("fake.key", ""), 401);
	cr_assert_eq(identity_cache_count(f->w.auth->verifiers->bad), 1);
	table_with_key(1);
	cr_assert_eq(ask_with("fake.key", ""), PASSED);
	cr_assert_eq(fake.asked, 1, "what was derived is known");
	cr_assert_str_eq(f->r.who.token, "k1");
	cr_assert_str_eq(f->r.who.tenant, "acme");
	cr_assert_eq(f->r.who.method, METHOD_PBKDF2);
	table_with_key(0);
	cr_assert_eq(ask_with("fake.key", ""), 401);
	cr_assert_eq(fake.asked, 1);
	table_with_key(2);
	cr_assert_eq(ask_with("fake.key", ""), PASSED);
	cr_assert_eq(fake.asked, 2, "there are iterations that it was not derived for");
}

/* B12: its id stands where a subject does in a record, and of subjects the list is. */
Test(auth_verify, a_key_is_no_admin_though_the_list_has_its_id)
{
	static const char *ids[] = { "t-acme", "k1", "acme", "sub-1" };

	f->conf.auth.admins = (struct conf_list){ ids, ARRAY_LEN(ids) };
	cr_assert_eq(ask_with("fake.0", ""), PASSED);
	cr_assert(f->r.who.admin);
	cr_assert_eq(ask_with("secret-acme", ""), PASSED);
	cr_assert_str_eq(f->r.who.token, "t-acme");
	cr_assert_not(f->r.who.admin);
	table_with_key(1);
	cr_assert_eq(ask_with("fake.key", ""), PASSED);
	cr_assert_str_eq(f->r.who.token, "k1");
	cr_assert_not(f->r.who.admin);
}

/* C22: else a flood, however long it takes, would have its budget when the key's time is over. */
Test(auth_verify, a_key_that_is_used_is_not_derived_again)
{
	f->conf.auth.cache_ttl = fake.keep;
	table_with_key(1);
	for (unsigned i = 0; i < 10; i++) {
		cr_assert_eq(ask_with("fake.key", ""), PASSED);
		loop_set_clock(loop_now_ns() + 9999 * INT64_C(1000000), loop_wall_ns());
	}
	cr_assert_eq(fake.asked, 1);
	loop_set_clock(loop_now_ns() + INT64_C(1000000), loop_wall_ns());
	cr_assert_eq(ask_with("fake.key", ""), PASSED);
	cr_assert_eq(fake.asked, 2);
}

Test(auth_verify, the_budget_of_an_address_is_twice_its_rate)
{
	unsigned n = 0;

	fixture_begin(f, &f->public);
	while (n < 100 && auth_may_ask(&f->r))
		n++;
	cr_assert_eq(n, 10);
	f->r.client[15]++;
	cr_assert(auth_may_ask(&f->r));
}
