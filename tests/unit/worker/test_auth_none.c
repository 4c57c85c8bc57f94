/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/auth_none.c"

#include "tests/unit/worker/fixture.h"

#define ANYBODY                                                                                    \
	"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n"

static struct fixture *open_disabled(const char *tenant)
{
	struct fixture *f = fixture_new();

	f->conf.disable_auth = true;
	f->conf.auth.default_tenant = tenant;
	fixture_start(f, -1, -1);
	return f;
}

/* O28 */
Test(auth_none, with_disable_auth_everybody_is_one_tenant)
{
	struct fixture *f = open_disabled("");

	cr_assert_eq(fixture_status(fixture_ask(f, ANYBODY "\r\n")), 415);
	cr_assert_str_eq(f->r.who.tenant, "default");
	cr_assert(f->r.who.known);
	cr_assert_eq(stats_get(f->w.stats, STAT_AUTH, METHOD_NONE, AUTH_OK), 1);
	cr_assert_eq(
		fixture_status(fixture_ask(f, ANYBODY "Authorization: Basic b3RoZXI6eA==\r\n\r\n")),
		415);
	cr_assert_eq(fixture_status(fixture_ask(f, ANYBODY
	                                        "Authorization: x\r\nAuthorization: y\r\n\r\n")),
	             415);
	fixture_close(f);
}

Test(auth_none, the_tenant_is_still_not_the_client_s_choice)
{
	struct fixture *f = open_disabled("home");

	cr_assert_eq(fixture_status(fixture_ask(f, ANYBODY "X-Scope-OrgID: home\r\n\r\n")), 415);
	cr_assert_str_eq(f->r.who.tenant, "home");
	cr_assert_eq(fixture_status(fixture_ask(f, ANYBODY "X-Scope-OrgID: acme\r\n\r\n")), 403);
	cr_assert_eq(fixture_status(fixture_ask(f, ANYBODY "X-Scope-OrgID: a|b\r\n\r\n")), 400);
	fixture_close(f);
}

/* B4 on a listener with the gateway's rules; compatibility.md 1.6 */
Test(auth_none, where_x_scope_orgid_is_required_it_names_the_tenant)
{
	struct fixture *f = fixture_new();

	f->conf.disable_auth = true;
	f->conf.auth.default_tenant = "home";
	f->listener_confs[0].dialect = LISTENER_GATEWAY;
	fixture_start(f, -1, -1);
	cr_assert_eq(fixture_status(fixture_ask(f, ANYBODY "X-Scope-OrgID: team-a\r\n\r\n")), 415);
	cr_assert_str_eq(f->r.who.tenant, "team-a");
	cr_assert_lt(f->r.who.tenant_ordinal, (unsigned)FIXTURE_TENANTS);
	cr_assert_eq(fixture_status(fixture_ask(f, ANYBODY "X-Scope-OrgID: home\r\n\r\n")), 415);
	cr_assert_eq(fixture_status(fixture_ask(f, ANYBODY "\r\n")), 401);
	cr_assert_eq(f->r.verdict, V_ORG_MISSING);
	cr_assert_eq(fixture_status(fixture_ask(f, ANYBODY "X-Scope-OrgID: a|b\r\n\r\n")), 400);
	cr_assert_eq(fixture_status(fixture_ask(f, ANYBODY "X-Scope-OrgID: team-a\r\n"
	                                                   "X-Scope-OrgID: team-b\r\n\r\n")),
	             400);
	f->conf.compat.gateway_tenant_header = TENANT_HEADER_OPTIONAL;
	cr_assert_eq(fixture_status(fixture_ask(f, ANYBODY "\r\n")), 415);
	cr_assert_str_eq(f->r.who.tenant, "home");
	fixture_close(f);
}

Test(auth_none, without_the_switch_it_lets_nobody_in)
{
	struct fixture *f = fixture_open();

	cr_assert_eq(fixture_status(fixture_ask(f, ANYBODY "\r\n")), 401);
	fixture_close(f);
}

Test(auth_none, a_default_tenant_that_is_no_id_is_refused)
{
	struct fixture *f = fixture_new();
	struct err err = { { 0 } };

	f->conf.disable_auth = true;
	f->conf.auth.default_tenant = "a|b";
	cr_assert_null(auth_none.open(&f->w, &err));
	cr_assert(err.text[0]);
	free(f->buffer);
	free(f->sent);
	free(f);
}
