/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/auth.c"

#include "tests/unit/worker/fixture.h"

/* The fields end each with CRLF. The type is none that the route takes: who passes auth gets 415.
 */
static const char *post(struct fixture *f, const char *fields)
{
	static char text[4096];

	snprintf(text, sizeof(text),
	         "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: "
	         "text/plain\r\nContent-Length: 0\r\n%s\r\n",
	         fields);
	return fixture_ask(f, text);
}

static int status(struct fixture *f, const char *fields)
{
	return fixture_status(post(f, fields));
}

static uint64_t counted(const struct fixture *f, enum auth_method m, enum auth_result result)
{
	return stats_get(f->w.stats, STAT_AUTH, m, result);
}

static uint64_t counted_all(const struct fixture *f)
{
	uint64_t n = 0;

	for (unsigned m = 0; m < 8; m++)
		for (unsigned result = 0; result < 11; result++)
			n += stats_get(f->w.stats, STAT_AUTH, m, result);
	return n;
}

enum { PASSED = 415 };

Test(auth, bearer_basic_and_token_headers_are_the_same_credential)
{
	struct fixture *f = fixture_open();

	cr_assert_eq(status(f, "Authorization: Bearer secret-acme\r\n"), PASSED);
	cr_assert_eq(status(f, "authorization:   bEaReR   secret-acme  \r\n"), PASSED);
	cr_assert_eq(counted(f, METHOD_TOKEN, AUTH_OK), 2);
	cr_assert_eq(status(f, "Authorization: Basic OnNlY3JldC1hY21l\r\n"),
	             PASSED); /* :secret-acme */
	cr_assert_eq(status(f, "Authorization: basic YWNtZTpzZWNyZXQtYWNtZQ==\r\n"),
	             PASSED); /* acme:... */
	cr_assert_eq(status(f, "Authorization: Basic YWNtZTpzZWNyZXQtYWNtZQ\r\n"),
	             PASSED); /* unpadded */
	cr_assert_eq(counted(f, METHOD_BASIC, AUTH_OK), 3);
	cr_assert_eq(status(f, "X-Obstack-Auth-Token: secret-acme\r\n"), PASSED);
	cr_assert_eq(counted(f, METHOD_OBSTACK, AUTH_OK), 1);
	cr_assert_eq(status(f, "x-api-key: secret-acme\r\n"), PASSED);
	cr_assert_eq(counted(f, METHOD_HEADER, AUTH_OK), 1);
	cr_assert_eq(counted_all(f), 7);
	fixture_close(f);
}

/* F49 */
Test(auth, a_credential_sent_twice_or_two_that_differ_are_refused)
{
	static const char *const bad[] = {
		"Authorization: Bearer secret-acme\r\nAuthorization: Bearer secret-acme\r\n",
		"Authorization: Bearer secret-acme\r\nAuthorization: Bearer secret-other\r\n",
		"X-Obstack-Auth-Token: secret-acme\r\nX-Obstack-Auth-Token: secret-acme\r\n",
		"Authorization: Bearer secret-acme\r\nX-Obstack-Auth-Token: secret-other\r\n",
		"X-Api-Key: secret-acme\r\nX-Obstack-Auth-Token: secret-other\r\n",
		"Authorization: Basic OnNlY3JldC1hY21l\r\nX-Api-Key: secret-other\r\n",
		"Authorization: Digest x\r\nX-Api-Key: secret-acme\r\n",
	};
	struct fixture *f = fixture_open();

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_assert_eq(status(f, bad[i]), 401, "%s", bad[i]);
	cr_assert_eq(counted_all(f), ARRAY_LEN(bad));
	cr_assert_eq(status(f, "Authorization: Bearer secret-acme\r\nX-Obstack-Auth-Token: "
	                       "secret-acme\r\n"),
	             PASSED);
	fixture_close(f);
}

Test(auth, what_is_no_credential_is_refused_alike)
{
	static const char *const bad[] = {
		"",
		"Authorization: \r\n",
		"Authorization: Bearer\r\n",
		"Authorization: Bearer \r\n",
		"Authorization: secret-acme\r\n",
		"Authorization: Bearersecret-acme\r\n",
		"Authorization: Token secret-acme\r\n",
		"Authorization: Basic\r\n",
		"Authorization: Basic !!!!\r\n",
		"Authorization: Basic YWNtZQ==\r\n", /* acme: no colon */
		"Authorization: Basic c2VjcmV0LWFjbWU6\r\n", /* the token as user, no password */
		"Authorization: Basic YWNtZTpzZWNyZXQtYWNtZR==\r\n", /* unused bits set */
		"Authorization: Basic YWNtZTpzZWNyZXQtYWNtZQ=\r\n", /* half the padding */
		"X-Api-Key: \r\n",
		"Authorization: Bearer secret-acme2\r\n",
		"Authorization: Bearer SECRET-ACME\r\n",
	};
	struct fixture *f = fixture_open();
	char first[2048] = "";

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		const char *reply = post(f, bad[i]);
		char *id, *at;

		cr_assert_eq(fixture_status(reply), 401, "%s", bad[i]);
		cr_assert(fixture_has(reply, "WWW-Authenticate: Bearer"));
		/* P24: byte-identical but for the request's id */
		id = f->r.request_id;
		while ((at = memmem(f->sent, f->sent_n, id, 32)))
			memset(at, 'x', 32);
		if (i == 0)
			memcpy(first, f->sent, f->sent_n);
		cr_assert_arr_eq(first, f->sent, f->sent_n, "%s", bad[i]);
	}
	fixture_close(f);
}

/* P19, F48 */
Test(auth, x_scope_orgid_may_agree_and_never_choose)
{
	struct fixture *f = fixture_open();
	static const struct {
		const char *org;
		int status;
		const char *text;
	} cases[] = {
		{ "acme", PASSED, NULL },
		{ "", PASSED, NULL },
		{ "other", 403, "hg-org-mismatch" },
		{ "ACME", 403, "hg-org-mismatch" },
		{ "__mimir_cluster", 403, "hg-org-mismatch" },
		{ "nobody", 403, "hg-org-mismatch" },
		{ ".", 400, "tenant ID is '.' or '..'" },
		{ "..", 400, "tenant ID is '.' or '..'" },
		{ "a|a", 400, "tenant ID 'a|a' contains unsupported character '|'" },
		{ "a:b", 400, "tenant ID 'a:b' contains unsupported character ':'" },
		{ "a/b", 400, "tenant ID 'a/b' contains unsupported character '/'" },
		{ "a%2fb", 400, "tenant ID 'a%2fb' contains unsupported character '%'" },
		{ "a\xff"
		  "b",
		  400, "tenant ID 'a\\xffb' contains unsupported character '\\xff'" },
		{ "a\tb", 400, "tenant ID 'a\\x09b' contains unsupported character '\\x09'" },
		{ "a\"b", 400, "contains unsupported character '\\x22'" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char fields[256];

		snprintf(fields, sizeof(fields),
		         "Authorization: Bearer secret-acme\r\nx-scope-orgid: %s\r\n",
		         cases[i].org);
		cr_assert_eq(status(f, fields), cases[i].status, "%s", cases[i].org);
		if (cases[i].text)
			cr_assert(memmem(f->sent, f->sent_n, cases[i].text, strlen(cases[i].text)),
			          "%s: %s", cases[i].org, f->sent);
	}
	cr_assert_eq(f->record_count, 0);
	fixture_close(f);
}

/* P19 */
Test(auth, x_scope_orgid_is_bounded_and_stands_once)
{
	struct fixture *f = fixture_open();
	char fields[512], org[152];

	memset(org, 'a', sizeof(org) - 1);
	org[151] = '\0';
	snprintf(fields, sizeof(fields),
	         "Authorization: Bearer secret-acme\r\nX-Scope-OrgID: %s\r\n", org);
	cr_assert_eq(status(f, fields), 400);
	cr_assert(strstr(f->r.detail, "tenant ID is too long: max 150 characters"));
	org[150] = '\0';
	snprintf(fields, sizeof(fields),
	         "Authorization: Bearer secret-acme\r\nX-Scope-OrgID: %s\r\n", org);
	cr_assert_eq(status(f, fields), 403);
	cr_assert_eq(status(f, "Authorization: Bearer secret-acme\r\nX-Scope-OrgID: "
	                       "acme\r\nX-Scope-OrgID: acme\r\n"),
	             400);
	cr_assert(strstr(f->r.detail, "multiple org IDs present"));
	fixture_close(f);
}

/* P19 */
Test(auth, the_user_of_basic_is_nobody_or_the_tenant)
{
	struct fixture *f = fixture_open();

	cr_assert_eq(status(f, "Authorization: Basic b3RoZXI6c2VjcmV0LWFjbWU=\r\n"),
	             403); /* other:secret-acme */
	cr_assert_eq(f->r.verdict, V_ORG_MISMATCH);
	cr_assert_eq(counted(f, METHOD_BASIC, AUTH_MISMATCH), 1);
	cr_assert_eq(
		status(f,
	               "Authorization: Basic YWNtZTpzZWNyZXQtYWNtZQ==\r\nX-Scope-OrgID: acme\r\n"),
		PASSED);
	fixture_close(f);
}

Test(auth, who_lacks_the_scope_of_a_route_is_told_which)
{
	struct fixture *f = fixture_open();

	cr_assert_eq(status(f, "Authorization: Bearer secret-logs\r\n"), 403);
	cr_assert_str_eq(f->r.detail, "token 't-logs' lacks scope traces:write");
	cr_assert_eq(counted(f, METHOD_TOKEN, AUTH_SCOPE), 1);
	cr_assert_eq(counted_all(f), 1);
	/* the tenant's name comes first: a mismatch is told before a scope */
	cr_assert_eq(status(f, "Authorization: Bearer secret-logs\r\nX-Scope-OrgID: other\r\n"),
	             403);
	cr_assert_eq(f->r.verdict, V_ORG_MISMATCH);
	fixture_close(f);
}

/* O10, records.md 2.2: a token that `token ls --unused` lists must not be one that lets in, nor one
 * kept by refusals. */
Test(auth, a_token_is_used_when_it_lets_a_request_in)
{
	static const char *const refused[] = {
		"Authorization: Bearer secret-logs\r\n", /* scope */
		"Authorization: Bearer secret-acme\r\nX-Scope-OrgID: other\r\n",
		"Authorization: Bearer secret-acme\r\nX-Scope-OrgID: a|b\r\n",
		"Authorization: Basic b3RoZXI6c2VjcmV0LWFjbWU=\r\n", /* other: */
		"Authorization: Bearer secret-revoked\r\n",
		"Authorization: Bearer secret-replaced\r\nX-Scope-OrgID: other\r\n",
	};
	struct fixture *f = fixture_open();
	int fd = stats_memfd_with_uses(1, 4096, NULL);
	struct last_uses seen = { NULL, 0 };
	struct err err = { "" };

	f->w.uses = uses_map(fd, 4096, &err);
	cr_assert_not_null(f->w.uses, "%s", err.text);
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		cr_assert_neq(status(f, refused[i]), PASSED, "%s", refused[i]);
	cr_assert_eq(uses_collect(fd, 4096, &seen, &err), 0, "%s", err.text);
	for (size_t i = 0; i < seen.n; i++)
		cr_assert_eq(seen.v[i], 0, "%zu", i);
	cr_assert_eq(stats_get(f->w.stats, STAT_AUTH_REPLACED, 0, 0), 0);
	cr_assert_eq(status(f, "Authorization: Bearer secret-replaced\r\n"), PASSED);
	cr_assert_eq(uses_collect(fd, 4096, &seen, &err), 0, "%s", err.text);
	cr_assert_lt(f->r.who.token_ordinal, seen.n);
	cr_assert_eq(seen.v[f->r.who.token_ordinal], FIXTURE_NOW_S);
	cr_assert_eq(stats_get(f->w.stats, STAT_AUTH_REPLACED, 0, 0), 1);
	last_uses_done(&seen);
	uses_unmap(f->w.uses);
	f->w.uses = NULL;
	close(fd);
	fixture_close(f);
}

/* An identity without an entry has no ordinal of its own: 0 is somebody's. --disable-auth */
Test(auth, who_has_no_token_of_the_table_uses_none)
{
	struct fixture *f = fixture_new();
	int fd = stats_memfd_with_uses(1, 4096, NULL);
	struct last_uses seen = { NULL, 0 };
	struct err err = { "" };

	f->conf.disable_auth = true;
	fixture_start(f, -1, -1);
	f->w.uses = uses_map(fd, 4096, &err);
	cr_assert_not_null(f->w.uses, "%s", err.text);
	cr_assert_eq(status(f, ""), PASSED);
	cr_assert_eq(uses_collect(fd, 4096, &seen, &err), 0, "%s", err.text);
	cr_assert(seen.n == 0 || seen.v[0] == 0);
	last_uses_done(&seen);
	uses_unmap(f->w.uses);
	f->w.uses = NULL;
	close(fd);
	fixture_close(f);
}

/* R13: logs, metrics and audit say why, the client is told nothing */
Test(auth, each_reason_to_refuse_is_counted_under_its_name)
{
	static const struct {
		const char *secret;
		int status;
		enum auth_result result;
		const char *why, *tenant, *token;
	} cases[] = {
		{ "nobody", 401, AUTH_UNKNOWN, "unknown", "", "6382b3cc" },
		{ "hgt_nonsense", 401, AUTH_MALFORMED, "malformed token (checksum)", "", "" },
		{ "secret-revoked", 401, AUTH_REVOKED, "revoked", "acme", "t-revoked" },
		{ "secret-expired", 401, AUTH_EXPIRED, "expired", "acme", "t-expired" },
		{ "secret-future", 401, AUTH_EXPIRED, "not valid yet", "acme", "t-future" },
		{ "secret-gone", 401, AUTH_UNKNOWN, "tenant is being deleted", "gone", "t-gone" },
		{ "secret-cidr", 401, AUTH_ADDRESS, "address not allowed for this token", "acme",
		  "t-cidr" },
		{ "secret-lazy", 403, AUTH_SUSPENDED, "tenant is suspended", "lazy", "t-lazy" },
	};
	struct fixture *f = fixture_open();

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char fields[128];

		snprintf(fields, sizeof(fields), "Authorization: Bearer %s\r\n", cases[i].secret);
		cr_assert_eq(status(f, fields), cases[i].status, "%s", cases[i].secret);
		cr_assert_eq(f->r.who.result, cases[i].result, "%s", cases[i].secret);
		cr_assert_str_eq(f->r.why, cases[i].why);
		cr_assert_str_eq(f->r.who.tenant, cases[i].tenant);
		cr_assert_str_eq(f->r.who.token, cases[i].token, "%s", f->r.who.token);
		cr_assert(!f->r.who.known);
		cr_assert_eq(f->r.refused_at, STAGE_AUTH);
		if (cases[i].status == 401)
			cr_assert_null(strstr(f->sent, cases[i].why));
	}
	cr_assert_eq(counted_all(f), ARRAY_LEN(cases));
	fixture_close(f);
}

/* R28 */
Test(auth, while_the_table_is_not_fresh_only_strangers_wait)
{
	struct fixture *f = fixture_open();
	const char *reply;

	fixture_fresh(f, false);
	cr_assert_eq(status(f, "Authorization: Bearer secret-acme\r\n"), PASSED);
	cr_assert_eq(status(f, "Authorization: Bearer secret-revoked\r\n"), 401);
	cr_assert_eq(status(f, "Authorization: Bearer hgt_nonsense\r\n"), 401);
	cr_assert_eq(status(f, ""), 401);
	reply = post(f, "Authorization: Bearer nobody\r\n");
	cr_assert_eq(fixture_status(reply), 503);
	cr_assert_eq(f->r.verdict, V_AUTH_UNAVAILABLE);
	cr_assert(f->r.retry_after >= 1 && f->r.retry_after <= 5);
	cr_assert_eq(counted(f, METHOD_TOKEN, AUTH_UNAVAILABLE), 1);
	fixture_fresh(f, true);
	cr_assert_eq(status(f, "Authorization: Bearer nobody\r\n"), 401);
	fixture_close(f);
}

Test(auth, without_a_table_every_readable_credential_waits)
{
	struct fixture *f = fixture_open();
	struct snapshot *table = f->w.table;

	f->w.table = NULL;
	cr_assert_eq(status(f, "Authorization: Bearer secret-acme\r\n"), 503);
	cr_assert_eq(status(f, "Authorization: Bearer hgt_nonsense\r\n"), 401);
	cr_assert_eq(status(f, ""), 401);
	f->w.table = table;
	fixture_close(f);
}

Test(auth, a_table_older_than_max_stale_serves_nobody)
{
	struct fixture *f = fixture_open();

	f->conf.tenants.max_stale = 60000;
	atomic_store(&stats_head(f->w.pages[0])->table_read_ms, loop_now() - 60000);
	cr_assert_eq(status(f, "Authorization: Bearer secret-acme\r\n"), PASSED);
	atomic_store(&stats_head(f->w.pages[0])->table_read_ms, loop_now() - 60001);
	cr_assert_eq(status(f, "Authorization: Bearer secret-acme\r\n"), 503);
	cr_assert_eq(status(f, "Authorization: Bearer secret-revoked\r\n"), 503);
	fixture_close(f);
}

Test(auth, a_tenant_put_aside_waits_and_others_do_not)
{
	struct fixture *f = fixture_open();

	f->w.aside_any = true;
	f->w.aside[0].ordinal = 1;
	f->w.aside[0].until = loop_now() + 60000;
	cr_assert_eq(status(f, "Authorization: Bearer secret-acme\r\n"), 503);
	cr_assert_eq(f->r.verdict, V_TENANT_ASIDE);
	cr_assert_eq(status(f, "Authorization: Bearer secret-other\r\n"), PASSED);
	cr_assert_eq(status(f, "Authorization: Bearer secret-acme\r\nX-Scope-OrgID: other\r\n"),
	             403);
	fixture_close(f);
}

/* P5: the answer is there after the head, whatever is to follow */
Test(auth, a_stranger_is_refused_before_a_body_byte)
{
	struct fixture *f = fixture_open();
	const char *reply =
		fixture_ask(f, "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
	                       "Authorization: Bearer nobody\r\nContent-Length: 1073741824\r\n"
	                       "Expect: 100-continue\r\n\r\n");

	cr_assert_eq(fixture_status(reply), 401);
	cr_assert(fixture_has(reply, "Connection: close"));
	cr_assert_null(strstr(reply, "100 Continue"));
	cr_assert_eq(f->r.wire_bytes, 0);
	cr_assert_eq(f->r.charged, 0);
	fixture_close(f);
}

/* F53: of a secret nothing remains in what a request leaves behind */
Test(auth, no_reply_and_no_reason_holds_the_secret)
{
	static const char *const secrets[] = { "secret-revoked", "hgt_nonsense", "secret-logs",
		                               "secret-lazy" };
	struct fixture *f = fixture_open();

	for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
		char fields[128];

		snprintf(fields, sizeof(fields), "Authorization: Bearer %s\r\n", secrets[i]);
		post(f, fields);
		cr_assert_null(memmem(f->sent, f->sent_n, secrets[i], strlen(secrets[i])));
		cr_assert_null(strstr(f->r.why, secrets[i]));
		cr_assert_null(strstr(f->r.detail, secrets[i]));
	}
	fixture_close(f);
}

Test(auth, tenants_beyond_the_metric_slots_are_counted_together)
{
	struct fixture *f = fixture_open();

	for (uint32_t i = 0; i < FIXTURE_METRIC_TENANTS; i++) {
		char id[8];

		snprintf(id, sizeof(id), "m%u", i);
		limits_metric_slot(f->w.limits, 8 + i, bytes_str(id));
	}
	cr_assert_eq(status(f, "Authorization: Bearer secret-acme\r\n"), PASSED);
	cr_assert_eq(f->r.who.metric_slot, limits_metric_other(f->w.limits));
	cr_assert_eq(limits_folded(f->w.limits), 1);
	fixture_close(f);
}

/* A3, A4: on the paths of Obstack */
Test(auth, every_bad_credential_of_obstack_gets_the_same_bytes)
{
	static const char *const bad[] = {
		"",
		"X-Obstack-Auth-Token:\r\n",
		"X-Obstack-Auth-Token: nobody\r\n",
		"X-Obstack-Auth-Token: hgt_nonsense\r\n",
		"X-Obstack-Auth-Token: secret-revoked\r\n",
		"X-Obstack-Auth-Token: secret-lazy\r\n",
		"X-Obstack-Auth-Token: secret-acme\r\nX-Obstack-Auth-Token: secret-acme\r\n",
		"X-Obstack-Auth-Token: secret-acme\r\nx-obstack-auth-token: secret-other\r\n",
		"X-Obstack-Auth-Token:\r\nAuthorization: Bearer secret-acme\r\n",
		"Authorization: Bearer nobody\r\n",
	};
	static const char *const good[] = {
		"X-Obstack-Auth-Token: secret-acme\r\n",
		"x-obstack-auth-token: secret-acme\r\n",
		"X-OBSTACK-AUTH-TOKEN: secret-acme\r\n",
		"Authorization: Bearer secret-acme\r\n",
		"Authorization: Bearer secret-acme\r\nX-Obstack-Auth-Token: secret-acme\r\n",
	};
	static const char *const paths[] = { "/ingest/otlp/v1/logs", "/ingest/otlp/v1",
		                             "/ingest/prometheus/v1/write" };
	struct fixture *f = fixture_open_all();
	char text[512];

	for (size_t k = 0; k < ARRAY_LEN(paths); k++) {
		const char *start = "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: "
				    "text/plain\r\nContent-Length: 0\r\n%s\r\n";

		for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
			snprintf(text, sizeof(text), start, paths[k], bad[i]);
			cr_assert_eq(fixture_status(fixture_ask(f, text)), 401, "%s", bad[i]);
			cr_assert_str_eq(fixture_body(f->sent),
			                 "{\"detail\":\"Authentication failed\",\"type\":"
			                 "\"http_exception\"}");
			cr_assert(fixture_has(f->sent, "WWW-Authenticate: Bearer"));
		}
		for (size_t i = 0; i < ARRAY_LEN(good); i++) {
			snprintf(text, sizeof(text), start, paths[k], good[i]);
			cr_assert_eq(fixture_status(fixture_ask(f, text)), PASSED, "%s", good[i]);
		}
	}
	fixture_close(f);
}

Test(auth, a_scope_is_of_the_signal_that_the_request_has)
{
	struct route route = { .scope = SIGNAL_COUNT };
	struct req r = { .route = &route,
		         .who = { .scopes = 1u << SIGNAL_LOGS | 1u << SIGNAL_METRICS } };

	r.signal = SIGNAL_LOGS;
	cr_assert(auth_has_scope(&r));
	r.signal = SIGNAL_METRICS;
	cr_assert(auth_has_scope(&r));
	r.signal = SIGNAL_TRACES;
	cr_assert(!auth_has_scope(&r));
	route.scope = SIGNAL_LOGS; /* `routes` may say what a token needs */
	cr_assert(auth_has_scope(&r));
	route.scope = SIGNAL_EVENTS;
	cr_assert(!auth_has_scope(&r));
	r.who.scopes = SCOPE_ALL;
	cr_assert(auth_has_scope(&r));
}

/* Only the body tells: whoever may write anything comes this far, and enrich asks. */
Test(auth, where_only_the_body_tells_the_signal_no_scope_is_asked_for_yet)
{
	struct fixture *f = fixture_open_all();

	cr_assert_eq(fixture_status(fixture_ask(
			     f, "POST /ingest/otlp/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
				"X-Obstack-Auth-Token: secret-logs\r\n\r\n")),
	             PASSED);
	cr_assert_eq(fixture_status(fixture_ask(
			     f, "POST /ingest/otlp/v1/traces HTTP/1.1\r\nHost: x\r\n"
				"Content-Length: 0\r\nX-Obstack-Auth-Token: secret-logs\r\n\r\n")),
	             403);
	cr_assert_str_eq(fixture_body(f->sent),
	                 "{\"detail\":\"token 't-logs' lacks scope traces:write\",\"type\":"
	                 "\"http_exception\"}");
	fixture_close(f);
}
