/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/admin.c"

#include "tests/unit/worker/otlp_bodies.h"

static const char *get(struct fixture *f, const char *path, const char *fields)
{
	char text[512];

	snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\n%s\r\n", path, fields);
	return fixture_admin(f, text);
}

#define LOCAL "Host: localhost\r\n"

/* O18 */
Test(admin, on_loopback_only_a_loopback_host_is_served)
{
	static const char *const good[] = { "localhost",      "LOCALHOST:9090", "127.0.0.1",
		                            "127.0.0.1:9090", "127.8.9.1",      "[::1]",
		                            "[::1]:9090" };
	static const char *const bad[] = { "example.com", "localhost.example.com",
		                           "128.0.0.1",   "127.0.0.1.example.com",
		                           "[::2]",       "10.0.0.1:127",
		                           "127.1",       "localhost.",
		                           "0.0.0.0" };
	struct fixture *f = fixture_open();
	char host[128];

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		snprintf(host, sizeof(host), "Host: %s\r\n", good[i]);
		cr_assert_eq(fixture_status(get(f, "/metrics", host)), 200, "%s", good[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(host, sizeof(host), "Host: %s\r\n", bad[i]);
		cr_assert_eq(fixture_status(get(f, "/metrics", host)), 403, "%s", bad[i]);
		cr_assert_eq(f->r.verdict, V_HOST);
		cr_assert_eq(fixture_status(get(f, "/health", host)), 403);
		cr_assert_eq(fixture_status(get(f, "/nowhere", host)), 403);
	}
	f->admin.loopback = false; /* a unix socket, or TLS with a token */
	cr_assert_eq(fixture_status(get(f, "/metrics", "Host: example.com\r\n")), 200);
	fixture_close(f);
}

/* O18 */
Test(admin, with_a_token_file_every_page_but_health_needs_the_token)
{
	static const char *const bad[] = {
		LOCAL,
		LOCAL "Authorization: Bearer s3cre\r\n",
		LOCAL "Authorization: Bearer s3cret2\r\n",
		LOCAL "Authorization: s3cret\r\n",
		LOCAL "Authorization: Basic czNjcmV0\r\n",
		LOCAL "Authorization: Bearer \r\n",
		LOCAL "Authorization: Bearer s3cret\r\nAuthorization: Bearer s3cret\r\n"
	};
	static const char *const paths[] = { "/metrics", "/status",        "/status.json",
		                             "/ready",   "/ready?verbose", "/nowhere" };
	struct fixture *f = fixture_open();

	f->listener_confs[1].token_file =
		(struct conf_file){ .path = "/x/token", .content = BYTES("s3cret\n") };
	for (size_t p = 0; p < ARRAY_LEN(paths); p++)
		for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
			const char *reply = get(f, paths[p], bad[i]);

			cr_assert_eq(fixture_status(reply), 401, "%s %s", paths[p], bad[i]);
			cr_assert(fixture_has(reply, "WWW-Authenticate: Bearer"));
		}
	cr_assert_eq(fixture_status(get(f, "/health", LOCAL)), 200);
	cr_assert_eq(fixture_status(get(f, "/metrics", LOCAL "Authorization: Bearer s3cret\r\n")),
	             200);
	cr_assert_eq(fixture_status(get(f, "/ready", LOCAL "authorization: bearer  s3cret\r\n")),
	             200);
	f->listener_confs[1].token_file.content = BYTES("\n"); /* empty: nobody */
	cr_assert_eq(fixture_status(get(f, "/metrics", LOCAL "Authorization: Bearer s3cret\r\n")),
	             401);
	fixture_close(f);
}

Test(admin, health_is_constant_and_empty)
{
	struct fixture *f = fixture_open();
	const char *reply = fixture_ask(f, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n");

	cr_assert_eq(fixture_status(reply), 200);
	cr_assert(fixture_has(reply, "Content-Length: 0"));
	cr_assert_eq(f->r.verdict, V_HEALTH);
	fixture_close(f);
}

static void expect_ready(struct fixture *f, int status, const char *body)
{
	const char *reply = fixture_ask(f, "GET /ready HTTP/1.1\r\nHost: x\r\n\r\n");

	cr_assert_eq(fixture_status(reply), status);
	cr_assert_str_eq(fixture_body(reply), body);
	cr_assert_eq(fixture_has(reply, "Retry-After: 1"), status == 503);
	cr_assert_eq(fixture_status(fixture_ask(f, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n")),
	             200);
}

/* O17 */
Test(admin, each_cause_of_not_ready_is_named_and_health_stays)
{
	struct fixture *f = fixture_open();
	struct snapshot *table = f->w.table;

	expect_ready(f, 200, "ready\n");
	f->w.table = NULL;
	expect_ready(f, 503, "not ready: tenants\n");
	cr_assert_eq(f->r.verdict, V_HEALTH);
	f->sink_ready = false;
	expect_ready(f, 503, "not ready: tenants, kafka\n");
	f->w.table = table;
	expect_ready(f, 503, "not ready: kafka\n");
	f->sink_ready = true;
	f->w.draining = true;
	expect_ready(f, 503, "not ready: draining\n");
	f->w.draining = false;
	expect_ready(f, 200, "ready\n");
	/* the verbose form is not for the public */
	cr_assert_str_eq(
		fixture_body(fixture_ask(f, "GET /ready?verbose HTTP/1.1\r\nHost: x\r\n\r\n")),
		"ready\n");
	fixture_close(f);
}

/* O17 */
Test(admin, what_only_degrades_is_a_warning_and_200)
{
	struct fixture *f = fixture_open();
	const char *reply;

	cr_assert_str_eq(
		fixture_body(get(f, "/ready?verbose", LOCAL)),
		"ok tenants table 7: 5 tenants, 12 tokens\nok kafka taking records\nready\n");
	fixture_fresh(f, false);
	atomic_store(&stats_head(f->w.pages[0])->ready_flags,
	             READY_SUBSCRIBED | READY_OVER_LIMIT | READY_CERT_SOON);
	reply = get(f, "/ready?a=b&verbose", LOCAL);
	cr_assert_eq(fixture_status(reply), 200);
	cr_assert_str_eq(
		fixture_body(reply),
		"warn tenants the source is away: unknown credentials get 503\nok kafka taking "
	        "records\n"
		"warn subscription tables are fed by a subscription: re-read in full each 30 s\n"
		"warn limits rows of the source are beyond limits.max_tenants or max_tokens\n"
		"warn certificates a certificate ends within 14 days\nready\n");
	fixture_fresh(f, true);
	atomic_store(&stats_head(f->w.pages[0])->ready_flags, READY_SOURCE_AWAY);
	f->sink_ready = false;
	reply = get(f, "/ready?verbose=1", LOCAL);
	cr_assert_eq(fixture_status(reply), 503);
	cr_assert_str_eq(fixture_body(reply),
	                 "warn tenants the source is away, the last table serves\n"
	                 "fail kafka queue over 90 % of its budget\nnot ready\n");
	fixture_close(f);
}

Test(admin, verbose_is_a_parameter_of_its_own)
{
	cr_assert(asks_verbose(BYTES("/ready?verbose")));
	cr_assert(asks_verbose(BYTES("/ready?verbose=true&a")));
	cr_assert(asks_verbose(BYTES("/ready?a=verbose&verbose")));
	cr_assert(!asks_verbose(BYTES("/ready")));
	cr_assert(!asks_verbose(BYTES("/ready?")));
	cr_assert(!asks_verbose(BYTES("/ready?a=verbose")));
	cr_assert(!asks_verbose(BYTES("/ready?verbosely&&x")));
	cr_assert(!asks_verbose(BYTES_NONE));
}
