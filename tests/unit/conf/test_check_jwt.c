/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/check_jwt.c"

#include "tests/unit/conf/load_helper.h"

TestSuite(check_jwt, .init = folder_new, .fini = folder_free);

#define ENTRY "auth: {jwt: [{name: corp, issuer: \"https://id.example.com\", audiences: [telemetry]"

static void put_key(const char *name, EVP_PKEY *key)
{
	FILE *f = fopen(file_path(name), "w");

	cr_assert(f && key && PEM_write_PUBKEY(f, key));
	fclose(f);
	EVP_PKEY_free(key);
}

/* An entry with that file of a key, and the rest of the entry. */
static const char *with_file(const char *name, const char *rest)
{
	static char text[600];

	snprintf(text, sizeof(text),
	         "auth: {jwt: [{name: moose, issuer: app, audiences: [a], public_key_file: "
	         "%s%s}]}\n",
	         file_path(name), rest);
	return text;
}

Test(check_jwt, an_entry_is_read_with_what_it_says)
{
	const struct jwt_conf *v;

	ASSERT_LOADS_WITH_SINK(
		"auth:\n"
		"  jwt:\n"
		"    - name: corp\n"
		"      issuer: https://id.example.com/\n"
		"      audiences: [telemetry, other]\n"
		"      algorithms: [RS256, ES256]\n"
		"      jwks_uri: https://id.example.com/keys\n"
		"      leeway: 60s\n"
		"      tenant_claim: a.b.c\n"
		"      tenant_map: {team-a: [acme, acme-test], \"t:$b\": [b]}\n"
		"      scopes: [\"traces:write\", \"logs:write\"]\n"
		"    - {name: open, issuer: \"http://127.0.0.1:1/i\", audiences: any}\n"
		"  jwks: {refresh: 2h, refetch_floor: 5s, timeout: 3s}\n"
		"compat: {moose_strict_aud: true}\n");
	cr_assert_eq(conf->auth.jwt.n, 2);
	v = conf->auth.jwt.v;
	cr_assert_str_eq(v[0].issuer, "https://id.example.com/");
	cr_assert_eq(v[0].audiences.n, 2);
	cr_assert_str_eq(v[0].audiences.v[1], "other");
	cr_assert_eq(v[0].algorithms.n, 2);
	cr_assert_str_eq(v[0].jwks_uri, "https://id.example.com/keys");
	cr_assert_eq(v[0].leeway, 60000);
	cr_assert_str_eq(v[0].tenant_claim, "a.b.c");
	cr_assert_eq(v[0].tenant_map.n, 2);
	cr_assert_str_eq(v[0].tenant_map.v[0].key, "team-a");
	cr_assert_eq(v[0].tenant_map.v[0].list.n, 2);
	cr_assert_str_eq(v[0].tenant_map.v[0].list.v[1], "acme-test");
	cr_assert_str_eq(v[0].tenant_map.v[1].key, "t:$b");
	cr_assert_eq(v[0].scopes.n, 2);
	cr_assert_not(jwt_any_audience(&v[0]));
	cr_assert(jwt_any_audience(&v[1]));
	cr_assert_str_eq(v[1].algorithms.v[0], "RS256");
	cr_assert_str_eq(v[1].scopes.v[0], "*");
	cr_assert_eq(v[1].tenant_map.n, 0);
	cr_assert_eq(conf->auth.jwks.refresh, 7200000);
	cr_assert(conf->compat.moose_strict_aud);
}

/* O4 */
Test(check_jwt, what_is_shown_loads_again)
{
	struct buf out;
	char *text;

	ASSERT_LOADS_WITH_SINK(
		"auth: {jwt: [{name: a, issuer: \"https://a\", audiences: any,\n"
		"  tenant_claim: g, tenant_map: {\"team: \\\"a$\": [x, y], b: [z]}},\n"
		"  {name: b, issuer: \"https://b\", audiences: [one, two]}]}\n");
	buf_init(&out, MIB);
	conf_dump(conf, &report, CONF_DUMP_ALL, &out);
	buf_char(&out, '\0');
	text = out.p;
	ASSERT_LOADS(text);
	buf_done(&out);
	cr_assert_eq(conf->auth.jwt.n, 2);
	cr_assert(jwt_any_audience(&conf->auth.jwt.v[0]));
	cr_assert_eq(conf->auth.jwt.v[0].tenant_map.n, 2);
	cr_assert_str_eq(conf->auth.jwt.v[0].tenant_map.v[0].key, "team: \"a$");
	cr_assert_str_eq(conf->auth.jwt.v[0].tenant_map.v[0].list.v[1], "y");
	cr_assert_eq(conf->auth.jwt.v[1].audiences.n, 2);
}

/* B7 */
Test(check_jwt, two_entries_may_have_one_issuer)
{
	ASSERT_LOADS_WITH_SINK("auth: {jwt: [{name: a, issuer: \"https://i\", audiences: [x]},\n"
	                       "             {name: b, issuer: \"https://i\", audiences: [y]}]}\n");
	cr_assert_eq(report.warnings, 1, "%s", got); /* that the sink stores nothing */
}

Test(check_jwt, what_lacks_is_told)
{
	ASSERT_ONE_ERROR("auth: {jwt: [{issuer: \"https://i\", audiences: [a]}]}\n",
	                 "an issuer needs a 'name'");
	ASSERT_ONE_ERROR("auth: {jwt: [{name: a, jwks_uri: \"https://i\", audiences: [a]}]}\n",
	                 "an issuer needs 'issuer'");
	ASSERT_ONE_ERROR("auth: {jwt: [{name: a, issuer: \"https://i\"}]}\n",
	                 "an issuer needs 'audiences'");
	ASSERT_ONE_ERROR("auth: {jwt: [{name: a, issuer: \"https://i\", audiences: []}]}\n",
	                 "'auth.jwt[0].audiences' names none");
	ASSERT_ONE_ERROR(ENTRY ", algorithms: []}]}\n", "'auth.jwt[0].algorithms' names none");
	ASSERT_ONE_ERROR(ENTRY ", scopes: []}]}\n", "'auth.jwt[0].scopes' names none");
	ASSERT_ONE_ERROR(ENTRY ", audience: x}]}\n", "unknown key 'audience'");
}

Test(check_jwt, a_name_is_there_once)
{
	ASSERT_ONE_ERROR("auth: {jwt: [{name: a, issuer: \"https://i\", audiences: [x]},\n"
	                 "             {name: a, issuer: \"https://k\", audiences: [y]}]}\n",
	                 "the issuer 'a' is there twice");
}

Test(check_jwt, any_audience_stands_alone_and_warns)
{
	ASSERT_LOADS_WITH_SINK("auth: {jwt: [{name: a, issuer: \"https://i\", audiences: any}]}\n");
	ASSERT_SAID("tokens of this issuer are taken for whomever they were meant");
	ASSERT_ONE_ERROR("auth: {jwt: [{name: a, issuer: \"https://i\", audiences: [any]}]}\n",
	                 "'any' is no item of a list: it stands alone");
	cr_assert_null(load_with_sink("auth: {jwt: [{name: a, issuer: i, audiences: all}]}\n"));
	ASSERT_SAID("'audiences' must be a list");
}

Test(check_jwt, other_algorithms_are_refused)
{
	static const char *const bad[] = { "HS256", "PS256", "RS384", "ES384", "NONE", "RS256X" };
	char text[300];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(text, sizeof(text), ENTRY ", algorithms: [%s]}]}\n", bad[i]);
		ASSERT_ONE_ERROR(text, "is no algorithm that is taken");
	}
}

Test(check_jwt, keys_come_by_http_or_from_a_file)
{
	ASSERT_ONE_ERROR("auth: {jwt: [{name: a, issuer: my-app, audiences: [x]}]}\n",
	                 "'my-app' is no http or https address");
	ASSERT_ONE_ERROR(ENTRY ", jwks_uri: \"ftp://i/keys\"}]}\n", "is no http or https address");
	ASSERT_ONE_ERROR(ENTRY ", jwks_uri: \"https://user@i/keys\"}]}\n",
	                 "is no http or https address");
	ASSERT_ONE_ERROR(ENTRY ", jwks_uri: \"https:///keys\"}]}\n", "is no http or https address");
	ASSERT_LOADS_WITH_SINK("auth: {jwt: [{name: a, issuer: my-app, audiences: [x],\n"
	                       "  jwks_uri: \"https://i/keys\"}]}\n");
	cr_assert_eq(report.warnings, 1, "%s", got); /* that the sink stores nothing */
}

Test(check_jwt, keys_in_clear_over_a_network_warn)
{
	ASSERT_LOADS_WITH_SINK(ENTRY ", jwks_uri: \"http://dex.example.com/keys\"}]}\n");
	ASSERT_SAID("keys come unprotected over the network");
	ASSERT_LOADS_WITH_SINK(ENTRY ", jwks_uri: \"http://127.0.0.1.evil.example/keys\"}]}\n");
	ASSERT_SAID("keys come unprotected over the network");
	ASSERT_LOADS_WITH_SINK(ENTRY ", jwks_uri: \"http://localhost/keys\"}]}\n");
	cr_assert_eq(report.warnings, 1, "%s", got); /* that the sink stores nothing */
}

Test(check_jwt, a_key_of_a_file_is_looked_at)
{
	put_key("rsa.pem", EVP_RSA_gen(2048));
	put_key("small.pem", EVP_RSA_gen(1024));
	put_key("p256.pem", EVP_EC_gen("P-256"));
	put_key("p384.pem", EVP_EC_gen("P-384"));
	put("none.pem", "nothing\n");
	ASSERT_LOADS_WITH_SINK(with_file("rsa.pem", ""));
	cr_assert_gt(conf->auth.jwt.v[0].public_key_file.content.n, 200);
	ASSERT_LOADS_WITH_SINK(with_file("p256.pem", ", algorithms: [ES256]"));
	ASSERT_ONE_ERROR(with_file("rsa.pem", ", algorithms: [ES256]"), "a key of RS256");
	ASSERT_ONE_ERROR(with_file("p256.pem", ""), "a key of ES256");
	ASSERT_ONE_ERROR(with_file("p384.pem", ", algorithms: [ES256]"), "neither an RSA key");
	ASSERT_ONE_ERROR(with_file("small.pem", ""), "an RSA key has 2048 to 8192 bits");
	ASSERT_ONE_ERROR(with_file("none.pem", ""), "holds no public key in PEM");
	ASSERT_ONE_ERROR(with_file("absent.pem", ""), "absent.pem");
	ASSERT_ONE_ERROR(with_file("rsa.pem", ", jwks_uri: \"https://i/k\""), "one of the two");
	offline = true;
	ASSERT_LOADS_WITH_SINK(with_file("absent.pem", ""));
}

Test(check_jwt, a_map_of_tenants_names_tenants_by_a_claim)
{
	ASSERT_ONE_ERROR(ENTRY ", tenant_map: {a: [b]}}]}\n", "needs 'tenant_claim'");
	ASSERT_ONE_ERROR(ENTRY ", tenant_claim: g, tenant_map: {a: [..]}}]}\n",
	                 "'..' is no tenant id");
	ASSERT_ONE_ERROR(ENTRY ", tenant_claim: g, tenant_map: {a: [\"a|b\"]}}]}\n",
	                 "a character that is not allowed");
	ASSERT_ONE_ERROR(ENTRY ", tenant_claim: g, tenant_map: {a: b}}]}\n", "'a' must be a list");
	ASSERT_ONE_ERROR(ENTRY ", tenant_claim: g, tenant_map: {a: []}}]}\n",
	                 "'auth.jwt[0].tenant_map.a' has an empty list");
	ASSERT_ONE_ERROR(ENTRY ", tenant_claim: g, tenant_map: {\"\": [b]}}]}\n", "1 to 256 bytes");
	ASSERT_ONE_ERROR(ENTRY ", tenant_claim: g, tenant_map: [a]}]}\n", "'tenant_map' must be");
}

Test(check_jwt, scopes_are_those_of_tokens)
{
	ASSERT_ONE_ERROR(ENTRY ", scopes: [\"traces\"]}]}\n", "'traces' is no scope");
	ASSERT_ONE_ERROR(ENTRY ", scopes: [\"traces:read\"]}]}\n", "'traces:read' is no scope");
	ASSERT_LOADS_WITH_SINK(ENTRY ", scopes: [\"opaque:write\", \"*\"]}]}\n");
}

Test(check_jwt, refresh_is_not_below_its_floor)
{
	ASSERT_ONE_ERROR("auth: {jwks: {refresh: 5s}}\n",
	                 "'auth.jwks.refresh' is below 'auth.jwks.refetch_floor'");
	ASSERT_LOADS_WITH_SINK("auth: {jwks: {refresh: 10s}}\n");
}
