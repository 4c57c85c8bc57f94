/* SPDX-License-Identifier: Apache-2.0 */
/* The provider is the test: it is asked through http_client.h, and answers when it likes. */
#define req_wake wake_of_the_test
#define http_client_open open_of_the_test
#define http_client_close close_of_the_test
#define http_client_get get_of_the_test
#include "worker/auth_verify.c"
#include "worker/auth_userinfo.c"

#include "tests/unit/worker/fixture.h"

enum { PASSED = 415, ASKED_MAX = 8 }; /* the type is none that the route takes */
#define URL "https://dex.example/userinfo"
/* {"alg":"none"}.{"exp":FIXTURE_NOW_S + 10}.x, and one that has ended 1 s ago */
#define JWT_10_S "eyJhbGciOiJub25lIn0.eyJleHAiOjE3NjQwMDAwMTB9.x"
#define JWT_ENDED "eyJhbGciOiJub25lIn0.eyJleHAiOjE3NjM5OTk5OTl9.x"
/* exp: -9223372036854775807 */
#define JWT_NEVER "eyJhbGciOiJub25lIn0.eyJleHAiOi05MjIzMzcyMDM2ODU0Nzc1ODA3fQ.x"

static struct fixture *f;
static unsigned asked, answered, finished;
static struct http_get gets[ASKED_MAX];
static char fields[ASKED_MAX][512];
static bool client_open;

struct http_client *open_of_the_test(struct event_base *base, struct err *err)
{
	(void)base;
	(void)err;
	client_open = true;
	return (struct http_client *)&client_open;
}

void close_of_the_test(struct http_client *c)
{
	cr_assert_eq((bool *)c, client_open ? &client_open : NULL);
	client_open = false;
}

struct http_call *get_of_the_test(struct http_client *c, const struct http_get *get)
{
	size_t n = 0;

	cr_assert_eq((bool *)c, &client_open);
	cr_assert_lt(asked, (unsigned)ASKED_MAX);
	gets[asked] = *get;
	for (const char *const *field = get->fields; *field; field++)
		n += (size_t)snprintf(fields[asked] + n, sizeof(fields[0]) - n, "%s\n", *field);
	asked++;
	return NULL;
}

static void go_on(void)
{
	while ((f->step = stages_run(&f->r)) == STEP_ROOM)
		fixture_send_out(f);
	if (f->step == STEP_WAKE)
		return;
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
	go_on();
	return true;
}

static void opens_with(const char *url)
{
	f = fixture_new();
	f->conf.auth.userinfo.url = url;
	f->conf.auth.userinfo.timeout = 3000;
	f->conf.auth.userinfo.allow_ttl = 30000;
	f->conf.auth.userinfo.deny_ttl = 5000;
	f->conf.auth.userinfo.tenant_claim = "groups";
	f->conf.protocols.loki.enabled = true;
	fixture_start(f, -1, -1);
	asked = answered = finished = 0;
}

static void opens(void)
{
	opens_with(URL);
}

static void closes(void)
{
	fixture_close(f);
	cr_assert_not(client_open);
}

TestSuite(auth_userinfo, .init = opens, .fini = closes);

static void send_line(const char *line)
{
	static char text[2048];

	snprintf(text, sizeof(text),
	         "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
	         "Content-Length: 0\r\n%s\r\n\r\n",
	         line);
	fixture_begin(f, &f->public);
	fixture_feed(f, (const uint8_t *)text, strlen(text));
	go_on();
}

static void send_bearer(const char *secret)
{
	char line[1024];

	snprintf(line, sizeof(line), "Authorization: Bearer %s", secret);
	send_line(line);
}

static void answer(int status, const char *body, const char *challenge)
{
	const struct http_client_answer a = { .status = status,
		                              .failure = status ? NULL : "no answer in time",
		                              .body = bytes_str(body),
		                              .challenge = challenge };
	const struct http_get *get = &gets[answered++];

	cr_assert_leq(answered, asked, "nobody has asked");
	get->answered(get->arg, &a);
}

/* The status of a request whose credential the provider answers so. */
static int judged(const char *secret, int status, const char *body)
{
	unsigned before = finished;

	send_bearer(secret);
	cr_assert_eq(f->step, STEP_WAKE);
	answer(status, body, NULL);
	cr_assert_eq(finished, before + 1);
	return fixture_status(f->sent);
}

static bool is_asked_again(const char *secret, msec_t after)
{
	unsigned before = asked;

	loop_set_clock(loop_now_ns() + after * 1000000, loop_wall_ns() + after * 1000000);
	send_bearer(secret);
	if (asked == before)
		return false;
	answer(503, "", NULL);
	return true;
}

/* D7 */
Test(auth_userinfo, whom_the_provider_knows_is_let_in)
{
	cr_assert_eq(judged("opaque", 200,
	                    "{\"sub\":\"s-1\",\"groups\":\"acme\",\"email\":\"a@example.com\"}"),
	             PASSED);
	cr_assert_eq(asked, 1);
	cr_assert_str_eq(gets[0].url, URL);
	cr_assert_eq(gets[0].timeout, 3000);
	cr_assert_str_eq(fields[0], "Authorization: Bearer opaque\nAccept: application/json\n");
	cr_assert_str_eq(f->r.who.tenant, "acme");
	cr_assert_str_eq(f->r.who.subject, "s-1");
	cr_assert_str_eq(f->r.who.email, "a@example.com");
	cr_assert_str_eq(f->r.who.issuer, URL);
	cr_assert_eq(f->r.who.method, METHOD_USERINFO);
	cr_assert_eq(stats_get(f->w.stats, STAT_AUTH, METHOD_USERINFO, AUTH_OK), 1);
}

/* D8 */
Test(auth_userinfo, a_yes_holds_for_30_s_and_a_no_for_5)
{
	judged("opaque", 200, "{\"sub\":\"s-1\",\"groups\":\"acme\"}");
	cr_assert_not(is_asked_again("opaque", 29999));
	cr_assert_eq(fixture_status(f->sent), PASSED);
	cr_assert(is_asked_again("opaque", 1));
	judged("other", 401, "");
	cr_assert_not(is_asked_again("other", 4999));
	cr_assert_eq(fixture_status(f->sent), 401);
	cr_assert(is_asked_again("other", 1));
}

Test(auth_userinfo, a_yes_never_outlives_a_jwt)
{
	judged(JWT_10_S, 200, "{\"sub\":\"s-1\",\"groups\":\"acme\"}");
	cr_assert_not(is_asked_again(JWT_10_S, 9999));
	cr_assert(is_asked_again(JWT_10_S, 1));
	cr_assert_eq(judged(JWT_ENDED, 200, "{\"sub\":\"s-1\",\"groups\":\"acme\"}"), PASSED);
	cr_assert(is_asked_again(JWT_ENDED, 0));
	cr_assert_eq(judged(JWT_NEVER, 200, "{\"sub\":\"s-1\",\"groups\":\"acme\"}"), PASSED);
	cr_assert(is_asked_again(JWT_NEVER, 0));
}

/* D7 */
Test(auth_userinfo, a_401_and_a_403_are_passed_on_with_the_challenge)
{
	send_bearer("opaque");
	answer(401, "", "Bearer realm=\"dex\", error=\"invalid_token\"");
	cr_assert_eq(fixture_status(f->sent), 401);
	cr_assert(fixture_has(f->sent,
	                      "WWW-Authenticate: Bearer realm=\"dex\", error=\"invalid_token\""));
	send_bearer("opaque2");
	answer(403, "", "Bearer error=\"insufficient_scope\"");
	cr_assert_eq(fixture_status(f->sent), 403);
	cr_assert(fixture_has(f->sent, "WWW-Authenticate: Bearer error=\"insufficient_scope\""));
	cr_assert_eq(f->r.verdict, V_DENIED);
	cr_assert_eq(stats_get(f->w.stats, STAT_AUTH, METHOD_USERINFO, AUTH_UNKNOWN), 1);
	cr_assert_eq(stats_get(f->w.stats, STAT_AUTH, METHOD_USERINFO, AUTH_SCOPE), 1);
	send_bearer("opaque3");
	answer(403, "", NULL);
	cr_assert_null(strstr(f->sent, "WWW-Authenticate"));
}

/* It stands in the head of our reply. */
Test(auth_userinfo, a_challenge_that_is_no_field_is_ours_instead)
{
	static const char *const bad[] = { "Bearer\r\nX-Evil: 1", "Bearer \x01", "Bearer \xc3\xa4",
		                           "" };
	char secret[16], longest[CHALLENGE_MAX + 2];

	for (size_t i = 0; i < ARRAY_LEN(bad) - 1; i++) {
		snprintf(secret, sizeof(secret), "opaque%zu", i);
		send_bearer(secret);
		answer(401, "", bad[i]);
		cr_assert(fixture_has(f->sent, "WWW-Authenticate: Bearer"));
		cr_assert_null(strstr(f->sent, "X-Evil"));
	}
	memset(longest, 'x', sizeof(longest));
	longest[CHALLENGE_MAX + 1] = '\0';
	send_bearer("long");
	answer(401, "", longest);
	cr_assert(fixture_has(f->sent, "WWW-Authenticate: Bearer"));
	longest[CHALLENGE_MAX] = '\0';
	send_bearer("long2");
	answer(401, "", longest);
	cr_assert_not_null(strstr(f->sent, longest));
}

/* D7 */
Test(auth_userinfo, all_else_is_503_and_not_remembered)
{
	static const struct {
		int status;
		const char *body;
	} cases[] = {
		{ 0, "" },
		{ 500, "" },
		{ 302, "" },
		{ 404, "{\"sub\":\"s\"}" },
		{ 429, "" },
		{ 200, "" },
		{ 200, "<html>" },
		{ 200, "{}" },
		{ 200, "{\"sub\":\"\"}" },
		{ 200, "{\"sub\":1}" },
		{ 200, "{\"sub\":\"a\",\"sub\":\"b\"}" },
		{ 200, "[\"sub\"]" },
		{ 204, "" },
	};
	char body[400];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		asked = answered = 0;
		f->conf.auth.unknown_per_source = 1000;
		cr_assert_eq(judged("opaque", cases[i].status, cases[i].body), 503, "%s",
		             cases[i].body);
		cr_assert_eq(f->r.verdict, V_AUTH_UNAVAILABLE);
	}
	asked = answered = 0;
	snprintf(body, sizeof(body), "{\"sub\":\"%0256d\"}", 0);
	cr_assert_eq(judged("opaque", 200, body), 503);
	cr_assert_eq(stats_get(f->w.stats, STAT_AUTH, METHOD_USERINFO, AUTH_UNAVAILABLE),
	             ARRAY_LEN(cases) + 1);
}

/* D11: then a 2xx is all that is asked for */
Test(auth_userinfo, without_binding_any_2xx_lets_in)
{
	f->conf.compat.gateway_bind_tenants = false;
	f->conf.auth.default_tenant = "other";
	cr_assert_eq(judged("opaque", 204, ""), PASSED);
	cr_assert_str_eq(f->r.who.tenant, "other");
	cr_assert_null(f->r.who.subject);
}

/* D18 */
Test(auth_userinfo, groups_are_mapped_to_tenants)
{
	static const char *tenants[] = { "acme" };
	static struct conf_keyed map[] = { { "team-a", { tenants, 1 } } };

	f->conf.auth.userinfo.tenant_map = (struct conf_lists){ map, 1 };
	cr_assert_eq(judged("opaque", 200, "{\"sub\":\"s\",\"groups\":[\"x\",\"team-a\"]}"),
	             PASSED);
	cr_assert_str_eq(f->r.who.tenant, "acme");
	cr_assert_eq(judged("opaque2", 200, "{\"sub\":\"s\",\"groups\":[\"acme\"]}"), 403);
	cr_assert_eq(f->r.verdict, V_TENANT_UNKNOWN);
}

/* The first 256 counted, and nobody was told. */
Test(auth_userinfo, groups_beyond_256_are_not_cut_in_silence)
{
	char body[4096] = "{\"sub\":\"s\",\"groups\":[\"acme\"";
	size_t n = strlen(body);

	for (unsigned i = 1; i <= PROOF_TENANTS_MAX; i++)
		n += (size_t)snprintf(body + n, sizeof(body) - n, ",\"t%u\"", i);
	snprintf(body + n, sizeof(body) - n, "]}");
	cr_assert_eq(judged("opaque", 200, body), 403);
	cr_assert_str_eq(f->r.why, "bound to more tenants than can be kept");
	cr_assert_eq(f->r.who.result, AUTH_MISMATCH);
}

Test(auth_userinfo, a_token_by_basic_or_by_a_header_is_asked_as_bearer)
{
	send_line("Authorization: Basic YWNtZTpvcGFxdWU="); /* acme:opaque */
	cr_assert_str_eq(fields[0], "Authorization: Bearer opaque\nAccept: application/json\n");
	answer(200, "{\"sub\":\"s\",\"groups\":\"acme\"}", NULL);
	cr_assert_eq(fixture_status(f->sent), PASSED);
	send_line("X-Api-Key: opaque");
	cr_assert_eq(asked, 1, "it is one token");
	cr_assert_eq(fixture_status(f->sent), PASSED);
	send_line("Authorization: Basic b3RoZXI6b3BhcXVl"); /* other:opaque */
	cr_assert_eq(fixture_status(f->sent), 403);
}

/* Basic brings any bytes: none may end the field, or the head, or cut the token short. */
Test(auth_userinfo, a_token_that_is_no_field_is_shown_to_nobody)
{
	send_line("Authorization: Basic YWNtZTpvcGFxdWUNClg6IHk="); /* acme:opaque\r\nX: y */
	cr_expect_eq(fixture_status(f->sent), 401);
	send_line("Authorization: Basic YWNtZTpvcGFxdWUAeA=="); /* acme:opaque\0x */
	cr_expect_eq(fixture_status(f->sent), 401);
	send_line("Authorization: Basic YWNtZTpvcGEgcXVl"); /* acme:opa que */
	cr_expect_eq(fixture_status(f->sent), 401);
	send_line("Authorization: Basic YWNtZTpvcGFxdWX/"); /* acme:opaque\xff */
	cr_expect_eq(fixture_status(f->sent), 401);
	cr_assert_eq(asked, 0);
}

/* What we made ourselves is nobody else's business. */
Test(auth_userinfo, tokens_of_our_own_are_not_shown_to_the_provider)
{
	char token[TOKEN_BYTES + 1];
	struct err err;

	cr_assert_eq(token_new(token, &err), 0);
	send_bearer(token);
	cr_assert_eq(fixture_status(f->sent), 401);
	cr_assert_eq(asked, 0);
}

Test(auth_userinfo, known_tokens_are_not_either)
{
	send_bearer("secret-acme");
	cr_assert_eq(fixture_status(f->sent), PASSED);
	send_bearer("secret-revoked");
	cr_assert_eq(fixture_status(f->sent), 401);
	cr_assert_eq(asked, 0);
}

/* A budget of 5 a second, 10 at once. */
Test(auth_userinfo, a_source_that_asks_too_much_gets_503)
{
	f->conf.auth.unknown_per_source = 1;
	judged("one", 401, "");
	judged("two", 401, "");
	send_bearer("three");
	cr_assert_eq(fixture_status(f->sent), 503);
	cr_assert_eq(asked, 2);
	send_bearer("one");
	cr_assert_eq(fixture_status(f->sent), 401, "what is remembered costs nothing");
}

/* B16: it may be a token of the table that we have not seen yet; a JWT is none. */
/* However many addresses they come from. */
Test(auth_userinfo, no_more_wait_for_it_than_are_allowed)
{
	struct userinfo *v;

	send_bearer("first");
	v = ((struct question *)gets[0].arg)->v;
	cr_assert_eq(v->count, 1);
	v->count = QUESTIONS_MAX;
	send_bearer("second");
	cr_assert_eq(fixture_status(f->sent), 503);
	cr_assert_eq(asked, 1);
	v->count = 1;
	answer(401, "", NULL);
	cr_assert_eq(v->count, 0);
	cr_assert_eq(judged("second", 401, ""), 401);
}

Test(auth_userinfo, a_no_while_the_table_is_not_fresh_is_503)
{
	fixture_fresh(f, false);
	cr_assert_eq(judged("opaque", 401, ""), 503);
	cr_assert_eq(judged("two.dots.too", 401, ""), 503, "no JWT");
	cr_assert_eq(judged(JWT_10_S, 401, ""), 401);
	cr_assert_eq(judged("opaque", 200, "{\"sub\":\"s\",\"groups\":\"acme\"}"), PASSED);
}

Test(auth_userinfo, questions_in_flight_end_with_the_worker)
{
	send_bearer("one");
	cr_assert_eq(f->step, STEP_WAKE);
	req_expire(&f->r, V_GONE);
	go_on();
}

Test(auth_userinfo_off, without_a_url_nobody_is_asked)
{
	opens_with("");
	send_bearer("opaque");
	cr_assert_eq(fixture_status(f->sent), 401);
	cr_assert_eq(asked, 0);
	closes();
}
