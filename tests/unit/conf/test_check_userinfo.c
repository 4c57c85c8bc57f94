/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/check_userinfo.c"

#include "tests/unit/conf/load_helper.h"

TestSuite(check_userinfo, .init = folder_new, .fini = folder_free);

Test(check_userinfo, a_provider_is_read_with_what_it_says_of_tenants)
{
	ASSERT_LOADS_WITH_SINK("auth:\n"
	                       "  userinfo:\n"
	                       "    url: https://dex.example.com/userinfo\n"
	                       "    timeout: 2s\n"
	                       "    allow_ttl: 1m\n"
	                       "    deny_ttl: 0\n"
	                       "    tenant_claim: groups\n"
	                       "    tenant_map: {team-a: [acme, acme-test]}\n");
	cr_assert_str_eq(conf->auth.userinfo.url, "https://dex.example.com/userinfo");
	cr_assert_eq(conf->auth.userinfo.timeout, 2000);
	cr_assert_eq(conf->auth.userinfo.allow_ttl, 60000);
	cr_assert_eq(conf->auth.userinfo.deny_ttl, 0);
	cr_assert_str_eq(conf->auth.userinfo.tenant_claim, "groups");
	cr_assert_eq(conf->auth.userinfo.tenant_map.n, 1);
	cr_assert_str_eq(conf->auth.userinfo.tenant_map.v[0].list.v[1], "acme-test");
}

Test(check_userinfo, its_address_is_http_or_https)
{
	ASSERT_ONE_ERROR("auth: {userinfo: {url: \"ftp://dex/userinfo\"}}\n",
	                 "'ftp://dex/userinfo' is no http or https address");
	ASSERT_ONE_ERROR("auth: {userinfo: {url: \"https://a:b@dex/userinfo\"}}\n",
	                 "is no http or https address");
}

/* It carries everybody's credentials. */
Test(check_userinfo, without_tls_off_loopback_it_warns)
{
	ASSERT_LOADS_WITH_SINK("auth: {userinfo: {url: \"http://dex.example.com/userinfo\"}}\n");
	ASSERT_SAID("warning: credentials go unprotected over the network");
	ASSERT_LOADS_WITH_SINK("auth: {userinfo: {url: \"http://127.0.0.1:5556/userinfo\"}}\n");
	ASSERT_NOT_SAID("unprotected");
}

/* auth.userinfo.tenant_map */
Test(check_userinfo, a_map_of_tenants_needs_the_claim_and_tenant_ids)
{
	ASSERT_ONE_ERROR("auth: {userinfo: {tenant_map: {a: [b]}}}\n", "needs 'tenant_claim'");
	ASSERT_ONE_ERROR("auth: {userinfo: {tenant_claim: g, tenant_map: {a: [..]}}}\n",
	                 "'..' is no tenant id");
}
