/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "master/tenants_yaml.c"

#define HASH_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HASH_B "BbBbBbBbBbBbBbBbBbBbBbBbBbBbBbBbBbBbBbBbBbBbBbBbBbBbBbBbBbBbBbBb"

static struct report *r;
static struct tenants_yaml y;
static struct buf said;

static void close_all(void)
{
	tenants_yaml_done(&y);
	report_free(r);
	buf_done(&said);
}

TestSuite(tenants_yaml, .fini = close_all);

static void parse(const char *text)
{
	close_all();
	r = report_new();
	tenants_yaml_parse(r, "t.yaml", bytes_str(text), &y);
	buf_init(&said, MIB);
	report_text(r, "not applied", &said);
	buf_char(&said, '\0');
}

static void fine(const char *text)
{
	parse(text);
	cr_assert_eq(report_errors(r), 0, "%s", said.p);
}

static void wrong(const char *text, const char *message)
{
	parse(text);
	cr_assert_eq(report_errors(r), 1, "%s", said.p);
	cr_assert(strstr(said.p, message), "%s", said.p);
}

/* A token of tenant acme with these keys besides id and sha256. */
static const char *token_with(const char *keys)
{
	static char text[8192];

	snprintf(text, sizeof(text),
	         "version: 1\ntenants:\n- id: acme\n  tokens:\n  - {id: t1, sha256: %s%s%s}\n",
	         HASH_A, *keys ? ", " : "", keys);
	return text;
}

Test(tenants_yaml, the_form_of_the_page_is_read)
{
	fine("{version: 1, tenants: [{id: acme, state: active, block_until: 2027-01-01T00:00:00Z,\n"
	     "  tokens: [{id: 0123ABcd, name: ci, sha256: " HASH_A ", scopes: [traces:write],"
	     " allowed_cidrs: [10.0.0.0/8],\n  expires_at: 2027-01-01T00:00:00Z}]}]}\n");
	cr_assert_eq(y.tenant_count, 1);
	cr_assert(bytes_eq(y.tenants[0].id, BYTES("acme")));
	cr_assert_eq(y.tenants[0].block_until, 1798761600);
	cr_assert_eq(y.token_count, 1);
	cr_assert(bytes_eq(y.tokens[0].id, BYTES("0123ABcd")));
	cr_assert(bytes_eq(y.tokens[0].tenant, BYTES("acme")));
	cr_assert_eq(y.tokens[0].hash.n, TOKEN_DIGEST_BYTES);
	cr_assert_eq(y.tokens[0].hash.p[31], 0xaa);
	cr_assert_eq(y.tokens[0].scopes, 1u << SIGNAL_TRACES);
	cr_assert_eq(y.tokens[0].not_before, INT64_MIN);
	cr_assert_eq(y.tokens[0].not_after, 1798761600000000);
	cr_assert_eq(y.tokens[0].cidr_count, 1);
	cr_assert_eq(y.tokens[0].cidrs[0].prefix, 104);
}

Test(tenants_yaml, defaults_are_those_of_the_schema)
{
	fine(token_with(""));
	cr_assert_eq(y.tenants[0].state, TENANT_ACTIVE);
	cr_assert_eq(y.tenants[0].block_until, 0);
	cr_assert_eq(y.tokens[0].scopes, SCOPE_ALL);
	cr_assert_eq(y.tokens[0].not_after, INT64_MAX);
	cr_assert(!y.tokens[0].revoked && !y.tokens[0].replaced && y.tokens[0].cidr_count == 0);
}

Test(tenants_yaml, all_keys_have_their_meaning)
{
	fine("version: 1\ntenants:\n- {id: a, state: suspended, display_name: A}\n- id: b\n  "
	     "state: deleting\n  tokens:\n"
	     "  - {id: t1, sha256: " HASH_A ", scopes: ['*'], not_before: 2020-01-01T00:00:00Z,"
	     " revoked_at: 2020-02-01T00:00:00Z, replaced_by: t2}\n"
	     "  - {id: t2, sha256: " HASH_B ", scopes: [], name: n}\n");
	cr_assert_eq(y.tenants[0].state, TENANT_SUSPENDED);
	cr_assert_eq(y.tenants[1].state, TENANT_DELETING);
	cr_assert(y.tokens[0].revoked && y.tokens[0].replaced);
	cr_assert_eq(y.tokens[0].not_before, 1577836800000000);
	cr_assert_eq(y.tokens[1].scopes, 0);
	cr_assert_eq(y.tokens[1].hash.p[0], 0xbb);
}

Test(tenants_yaml, no_tenants_are_fine_and_nothing_at_all_is_not)
{
	fine("version: 1\ntenants: []\n");
	wrong("", "t.yaml: error: an empty file");
	wrong("tenants: []\n", "'version' is missing");
	wrong("version: 2\ntenants: []\n", "t.yaml:1:10");
	wrong("version: 1\n", "'tenants' is missing");
	wrong("[]\n", "t.yaml:1:1");
	wrong("version: 1\ntenants: {}\n", "t.yaml:2:10");
	wrong("version: 1\ntenants: [acme]\n", "t.yaml:2:11");
}

/* O2 (the parts that tenants.yaml has) */
Test(tenants_yaml, what_the_loader_refuses_is_refused_here_too)
{
	wrong("version: 1\nversion: 1\ntenants: []\n", "duplicate key 'version'");
	wrong("version: 1\ntenants: []\ntenant: []\n",
	      "unknown key 'tenant' (did you mean 'tenants'?)");
	wrong("version: 1\ntenants: []\n---\nversion: 1\n", "t.yaml:3");
	parse("version: 1\ntenants: &a []\n");
	cr_assert_gt(report_errors(r), 0);
	wrong("version: 1\ntenants:\n- {id: no}\n", "t.yaml:3:8");
}

/* R10 (the same rules as the schema's) */
Test(tenants_yaml, ids_follow_the_page)
{
	wrong("version: 1\ntenants: [{id: 'a|b'}]\n",
	      "t.yaml:2:16: error: a tenant id is 1 to 150");
	wrong("version: 1\ntenants: [{id: '..'}]\n", "a tenant id is");
	wrong("version: 1\ntenants: [{id: __mimir_cluster}]\n", "a tenant id is");
	wrong("version: 1\ntenants: [{id: ''}]\n", "a tenant id is");
	wrong("version: 1\ntenants: [{state: active}]\n", "'id' is missing");
	wrong("version: 1\ntenants: [{id: a, tokens: [{id: 'x y', sha256: " HASH_A "}]}]\n",
	      "a token id is 1 to 64");
	wrong("version: 1\ntenants: [{id: a, tokens: [{sha256: " HASH_A "}]}]\n",
	      "'id' is missing");
}

Test(tenants_yaml, nothing_stands_twice)
{
	wrong("version: 1\ntenants:\n- id: a\n- id: a\n",
	      "t.yaml:4:7: error: this tenant id stands twice: first in line 3");
	wrong("version: 1\ntenants:\n- id: a\n  tokens: [{id: t, sha256: " HASH_A "}]\n"
	      "- id: b\n  tokens: [{id: t, sha256: " HASH_B "}]\n",
	      "this token id stands twice: first in line 4");
	wrong("version: 1\ntenants:\n- id: a\n  tokens: [{id: t, sha256: " HASH_A "}]\n"
	      "- id: b\n  tokens: [{id: u, sha256: " HASH_A "}]\n",
	      "this sha256 stands twice: first in line 4");
	/* The same hash in capitals is the same hash. */
	wrong("version: 1\ntenants:\n- id: a\n  tokens: [{id: t, sha256: " HASH_A
	      "}, {id: u, sha256: "
	      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA}]\n",
	      "this sha256 stands twice");
}

Test(tenants_yaml, values_are_checked_at_their_place)
{
	wrong("version: 1\ntenants: [{id: a, state: on hold}]\n",
	      "a state is active, suspended or deleting");
	wrong("version: 1\ntenants: [{id: a, block_until: tomorrow}]\n", "RFC 3339");
	wrong("version: 1\ntenants: [{id: a, tokens: [{id: t}]}]\n", "'sha256' is missing");
	wrong("version: 1\ntenants: [{id: a, tokens: [{id: t, sha256: abc}]}]\n",
	      "not 64 hex digits");
	wrong("version: 1\ntenants: [{id: a, tokens: [t]}]\n", "t.yaml:2:28");
	wrong(token_with("scopes: [admin]"), "no such scope");
	wrong(token_with("scopes: traces:write"), "t.yaml:5");
	wrong(token_with("scopes: [traces:writer]"), "no such scope");
	wrong(token_with("allowed_cidrs: []"), "1 to 64 address blocks");
	wrong(token_with("allowed_cidrs: [10.0.0.0/33]"), "10.0.0.0/33");
	wrong(token_with("expires_at: 2020-01-01T00:00:00Z, not_before: 2020-01-01T00:00:00Z"),
	      "expires_at must be after not_before");
	wrong(token_with("replaced_by: t1"), "a token cannot replace itself");
	wrong(token_with("replaced_by: t2"), "no token of this file has this id");
	wrong(token_with("revoked_at: never"), "RFC 3339");
}

Test(tenants_yaml, names_have_at_most_255_bytes)
{
	char text[600], name[257];

	memset(name, 'n', sizeof(name));
	name[255] = '\0';
	snprintf(text, sizeof(text), "version: 1\ntenants: [{id: a, display_name: %s}]\n", name);
	fine(text);
	name[255] = 'n';
	name[256] = '\0';
	snprintf(text, sizeof(text), "version: 1\ntenants: [{id: a, display_name: %s}]\n", name);
	wrong(text, "more than 255 bytes");
}

Test(tenants_yaml, limits_are_the_schema_s)
{
	const struct tenant_limits *l;

	fine("version: 1\ntenants: [{id: a, limits: {bytes_per_s: 5MB, bytes_burst: 20000000, "
	     "requests_per_s: 200, max_body_bytes: 1MiB, max_inflight_bytes: 2MiB, "
	     "max_inflight_requests: 7}}, {id: b}]\n");
	l = &y.tenants[0].limits;
	cr_assert_eq(l->rates[LIMIT_BYTES].per_s, 5000000);
	cr_assert_eq(l->rates[LIMIT_BYTES].burst, 20000000, "as headgatectl writes it");
	cr_assert_eq(l->rates[LIMIT_REQUESTS].burst, 400, "twice the rate");
	cr_assert_eq(l->rates[LIMIT_ITEMS].per_s, 0);
	cr_assert_eq(l->max_body_bytes, MIB);
	cr_assert_eq(l->max_inflight_bytes, 2 * MIB);
	cr_assert_eq(l->max_inflight_requests, 7);
	cr_assert_eq(y.tenants[1].limits.rates[LIMIT_REQUESTS].per_s, 0);
	cr_assert_eq(report_warnings(r), 0);
}

/* R10 */
Test(tenants_yaml, limits_that_are_none_are_refused)
{
	wrong("version: 1\ntenants: [{id: a, limits: {items_burst: 5}}]\n",
	      "t.yaml:2:41: error: items_burst has no rate");
	wrong("version: 1\ntenants: [{id: a, limits: {items_per_s: 0}}]\n", "must be above 0");
	wrong("version: 1\ntenants: [{id: a, limits: {items_per_s: 5MB}}]\n", "'5MB'");
	wrong("version: 1\ntenants: [{id: a, limits: {bytes_per_s: 5MB/s}}]\n", "'5MB/s'");
	wrong("version: 1\ntenants: [{id: a, limits: {bytes: 5MB}}]\n", "unknown key 'bytes'");
	wrong("version: 1\ntenants: [{id: a, limits: 5}]\n", "must be a map");
	wrong("version: 1\ntenants: [{id: a, limits: {max_inflight_requests: 3000000000}}]\n",
	      "max_inflight_requests is too large");
	wrong("version: 1\ntenants: [{id: a, limits: {bytes_per_s: 10000000000000000000}}]\n",
	      "bytes_per_s is too large");
}

Test(tenants_yaml, a_body_that_never_passes_is_warned_of)
{
	fine("version: 1\ntenants: [{id: a, limits: {bytes_per_s: 1MB, max_body_bytes: 3MB}}]\n");
	cr_assert_eq(report_warnings(r), 1);
	cr_assert(strstr(said.p, "exceeds bytes_burst"));
}

Test(tenants_yaml, a_topic_prefix_is_as_the_schema_has_it)
{
	static const char *const bad[] = { "''", "'{tenant}.'", "a/b", "'a b'", "ä" };
	char text[300], long_one[TENANT_PREFIX_MAX + 2] = "";

	fine("version: 1\ntenants: [{id: a, topic_prefix: aZ0._-}, {id: b}, {id: c, topic_prefix: "
	     "7}]\n");
	cr_assert(bytes_eq(y.tenants[0].topic_prefix, BYTES("aZ0._-")));
	cr_assert_eq(y.tenants[1].topic_prefix.n, 0);
	cr_assert(bytes_eq(y.tenants[2].topic_prefix, BYTES("7")));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(text, sizeof(text), "version: 1\ntenants: [{id: a, topic_prefix: %s}]\n",
		         bad[i]);
		wrong(text, "t.yaml:2:33: error: a topic_prefix is 1 to 100 of 0-9 A-Z a-z . _ -");
	}
	memset(long_one, 'a', TENANT_PREFIX_MAX);
	for (unsigned more = 0; more < 2; more++) {
		snprintf(text, sizeof(text), "version: 1\ntenants: [{id: a, topic_prefix: %s}]\n",
		         long_one);
		if (more)
			wrong(text, "a topic_prefix is 1 to 100");
		else
			fine(text);
		long_one[TENANT_PREFIX_MAX] = 'a';
	}
}

#define KEY_A "aAaAaAaAaAaAaAaAaAaAaAaAaAaAaAaAaAaAaAaA"

static const char *keys_with(const char *first, const char *second)
{
	static char text[1024];

	snprintf(text, sizeof(text), "version: 1\ntenants: [{id: a, tokens: [{id: m%s}%s%s%s]}]\n",
	         first, *second ? ", {id: n" : "", second, *second ? "}" : "");
	return text;
}

/* C3 */
Test(tenants_yaml, a_pbkdf2_key_is_40_hex_digits_of_either_case_and_its_iterations)
{
	fine(keys_with(", pbkdf2: " KEY_A ", iterations: 1",
	               ", pbkdf2: " KEY_A ", iterations: 100000"));
	cr_assert_eq(y.token_count, 2);
	cr_assert(bytes_eq(y.tokens[0].kind, BYTES("pbkdf2")));
	cr_assert_eq(y.tokens[0].hash.n, SNAPSHOT_PBKDF2_BYTES);
	cr_assert_eq(y.tokens[0].hash.p[19], 0xaa);
	cr_assert_eq(y.tokens[0].iterations, 1);
	cr_assert_eq(y.tokens[1].iterations, 100000);
	wrong(keys_with(", pbkdf2: aaaa, iterations: 1000", ""), "not 40 hex digits");
	wrong(keys_with(", pbkdf2: " KEY_A "aa, iterations: 1000", ""), "not 40 hex digits");
	wrong(keys_with(", pbkdf2: gggggggggggggggggggggggggggggggggggggggg, iterations: 1000", ""),
	      "not 40 hex digits");
	wrong(keys_with(", pbkdf2: deadbeefdeadbeefdeadbeefdeadbeef.01234567, iterations: 1000",
	                ""),
	      "not 40 hex digits");
	wrong(keys_with(", pbkdf2: " KEY_A, ""), "'iterations' is missing");
	wrong(keys_with(", pbkdf2: " KEY_A ", iterations: 0", ""), "1");
	wrong(keys_with(", pbkdf2: " KEY_A ", iterations: 100001", ""), "100000");
}

Test(tenants_yaml, a_token_has_one_hash_and_iterations_go_with_pbkdf2)
{
	wrong(keys_with(", pbkdf2: " KEY_A ", iterations: 1000, sha256: " HASH_A, ""), "not both");
	wrong(keys_with(", iterations: 1000, sha256: " HASH_A, ""), "goes with 'pbkdf2'");
	wrong(keys_with(", pbkdf2: " KEY_A ", iterations: 1000",
	                ", pbkdf2: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, iterations: 1000"),
	      "stands twice");
}

/* R15 */
Test(tenants_yaml, all_errors_are_told_at_once_with_line_and_column)
{
	parse("version: 1\ntenants:\n- id: a|b\n  state: odd\n- id: ok\n  tokens:\n  - {id: t, "
	      "sha256: zz, scopes: [x]}\n");
	cr_assert_eq(report_errors(r), 4);
	cr_assert(strstr(said.p, "t.yaml:3:7: error:"), "%s", said.p);
	cr_assert(strstr(said.p, "t.yaml:4:10: error:"), "%s", said.p);
	cr_assert(strstr(said.p, "t.yaml:7:21: error:"), "%s", said.p);
	cr_assert(strstr(said.p, "t.yaml:7:34: error:"), "%s", said.p);
}

/* R12: no message repeats a token that was put where none belongs. The lines of excerpts are not
 * for the log. */
Test(tenants_yaml, a_plain_text_token_is_refused_and_not_repeated)
{
	static const char token[] = "hgt_0123ABcd_0123456789ABCDEFGHIJabcdefghij1g9dVr";
	static const char *const keys[] = { "expires_at",    "not_before",
		                            "revoked_at",    "allowed_cidrs: [x], name",
		                            "replaced_by",   "scopes",
		                            "token",         "allowed_cidrs",
		                            "revoked_at: &x" };
	char text[300], *line, *rest;

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		snprintf(text, sizeof(text), "%s: %s", keys[i], token);
		parse(token_with(text));
		rest = said.p;
		cr_assert(report_errors(r) > 0 || i == 3, "%s", text);
		while ((line = strsep(&rest, "\n")))
			cr_assert(strncmp(line, "t.yaml", 6) != 0 || !strstr(line, token), "%s",
			          line);
	}
	wrong("version: 1\ntenants: [{id: a, tokens: [{id: t, sha256: "
	      "hgt_0123ABcd_0123456789ABCDEFGHIJabcdefghij1g9dVr}]}]\n",
	      "the SHA-256 of the token, never the token itself");
}

Test(tenants_yaml, a_token_as_id_name_key_or_version_is_refused_and_not_shown)
{
#define TOKEN "hgt_0123ABcd_0123456789ABCDEFGHIJabcdefghij1g9dVr"
	static const char *const texts[] = {
		"version: 1\ntenants: [{id: acme, tokens: [{id: " TOKEN ", sha256: " HASH_A
		"}]}]\n",
		"version: 1\ntenants: [{id: acme, tokens: [{id: t, name: " TOKEN ", sha256: " HASH_A
		"}]}]\n",
		"version: 1\ntenants: [{id: acme, tokens: [{id: t, " TOKEN ": x, sha256: " HASH_A
		"}]}]\n",
		"version: 1\ntenants: [{id: acme, " TOKEN ": x}]\n",
		"version: 1\ntenants: [{id: " TOKEN "}]\n",
		"version: " TOKEN "\ntenants: []\n",
		"version: 1\ntenants: []\n" TOKEN ": 1\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		parse(texts[i]);
		cr_expect_eq(report_errors(r), 1, "%zu: %s", i, said.p);
		cr_expect(strstr(said.p, "looks like a token"), "%zu: %s", i, said.p);
		said.p[strcspn(said.p, "\n")] = '\0'; /* tenants_file.c shows no excerpts */
		cr_expect_null(strstr(said.p, "hgt_"), "%zu: %s", i, said.p);
	}
	fine("version: 1\ntenants: [{id: hgt_prod}]\n");
}
