/* SPDX-License-Identifier: Apache-2.0 */
#include "master/jwks_set.c"

#include "tests/unit/worker/jwt_maker.h"

static const char *why;
static json_t *got;

static void closes(void)
{
	json_decref(got);
}
TestSuite(jwks_set, .fini = closes);

/* How many keys that set has for us; 0: *why says it. */
static size_t keys_of(const char *fmt, ...)
{
	static char text[100000];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_decref(got);
	got = jwks_set_read(bytes_str(text), &why);
	cr_assert_eq(got == NULL, why != NULL);
	return json_array_size(got);
}

static const char *rsa(unsigned bits, const char *more)
{
	EVP_PKEY *key = EVP_RSA_gen(bits);
	char *out = jwt_text();

	snprintf(out, JWT_TEXT_MAX, "{%s%s", more, jwk_text(key, "k") + 1);
	EVP_PKEY_free(key);
	return out;
}

static const char *ec(const char *more)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	char *out = jwt_text();

	snprintf(out, JWT_TEXT_MAX, "{%s%s", more, jwk_text(key, "k") + 1);
	EVP_PKEY_free(key);
	return out;
}

Test(jwks_set, keys_of_both_kinds_are_taken)
{
	cr_assert_eq(keys_of("{\"keys\":[%s,%s],\"more\":1}", rsa(2048, "\"alg\":\"RS256\","),
	                     ec("\"use\":\"sig\",\"key_ops\":[\"sign\",\"verify\"],")),
	             2);
	cr_assert_str_eq(text_of(json_array_get(got, 0), "kid"), "k");
	cr_assert_eq(keys_of("{\"keys\":[%s]}", rsa(2048, "")), 1);
}

Test(jwks_set, a_private_part_is_not_passed_on)
{
	cr_assert_eq(keys_of("{\"keys\":[%s]}", ec("\"d\":\"AAAA\",\"x5c\":[\"a\"],")), 1);
	cr_assert_null(json_object_get(json_array_get(got, 0), "d"));
	cr_assert_eq(json_object_size(json_array_get(got, 0)), 5);
}

/* F50 */
Test(jwks_set, keys_for_something_else_are_left_out)
{
	const char *const bad[] = {
		rsa(1024, ""),
		rsa(2048, "\"alg\":\"RS512\","),
		rsa(2048, "\"alg\":\"PS256\","),
		rsa(2048, "\"alg\":\"ES256\","),
		rsa(2048, "\"use\":\"enc\","),
		rsa(2048, "\"key_ops\":[\"encrypt\"],"),
		ec("\"alg\":\"RS256\","),
		ec("\"alg\":\"ECDH-ES\","),
		"{\"kty\":\"oct\",\"kid\":\"k\",\"k\":\"AAAA\"}",
		"{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"AAAA\",\"y\":\"AAAA\"}",
		"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAA\",\"y\":\"AAAA\"}",
		"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}",
		"{\"kty\":\"RSA\",\"n\":7,\"e\":\"AQAB\"}",
		"{\"kty\":7}",
		"{}",
		"7",
		"null",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		cr_expect_eq(keys_of("{\"keys\":[%s]}", bad[i]), 0, "%s", bad[i]);
		cr_expect_str_eq(why, "its set has no key for RS256 or ES256");
		cr_expect_eq(keys_of("{\"keys\":[%s,%s]}", bad[i], ec("")), 1, "%s", bad[i]);
	}
}

Test(jwks_set, what_is_no_set_is_refused)
{
	static const char *const bad[] = {
		"", "{}", "[]", "{\"keys\":{}}", "{\"keys\":[]", "<html>"
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		cr_expect_eq(keys_of("%s", bad[i]), 0);
		cr_expect_str_eq(why, "its answer is no key set", "%s", bad[i]);
	}
	cr_assert_eq(keys_of("{\"keys\":[]}"), 0);
}

Test(jwks_set, a_set_has_its_most_keys)
{
	char text[32000] = "";
	const char *key = ec("");

	for (unsigned i = 0; i < JWKS_KEYS_MAX; i++)
		sprintf(text + strlen(text), "%s%s", i ? "," : "", key);
	cr_assert_eq(keys_of("{\"keys\":[%s]}", text), JWKS_KEYS_MAX);
	cr_assert_eq(keys_of("{\"keys\":[%s,{}]}", text), JWKS_KEYS_MAX);
	cr_assert_eq(keys_of("{\"keys\":[%s,%s]}", text, key), 0);
	cr_assert_str_eq(why, "its set has more than 32 keys");
}

Test(jwks_set, discovery_is_of_the_issuer_itself)
{
	char uri[JWKS_URI_MAX + 1] = "untouched", text[1000], longest[JWKS_URI_MAX + 2];

#define FOUND(text) jwks_discovered(bytes_str(text), "https://i/", true, uri)
	cr_assert_null(FOUND("{\"issuer\":\"https://i/\",\"jwks_uri\":\"https://k/keys\"}"));
	cr_assert_str_eq(uri, "https://k/keys");
	cr_assert_str_eq(FOUND("{\"issuer\":\"https://i\",\"jwks_uri\":\"https://k/keys\"}"),
	                 "its discovery names another issuer");
	cr_assert_str_eq(FOUND("{\"jwks_uri\":\"https://k/keys\"}"),
	                 "its discovery names another issuer");
	cr_assert_str_eq(FOUND("{\"issuer\":\"https://i/\"}"), "its discovery has no jwks_uri");
	cr_assert_str_eq(FOUND("{\"issuer\":\"https://i/\",\"jwks_uri\":7}"),
	                 "its discovery has no jwks_uri");
	cr_assert_str_eq(FOUND("{\"issuer\":\"https://i/\",\"jwks_uri\":\"http://k/keys\"}"),
	                 "its discovery leads from https to clear text");
	cr_assert_str_eq(FOUND("<html>"), "its discovery is no JSON object");
	cr_assert_null(jwks_discovered(BYTES("{\"issuer\":\"http://i\",\"jwks_uri\":\"http://k\"}"),
	                               "http://i", false, uri));
	memset(longest, 'k', sizeof(longest));
	memcpy(longest, "https://", 8);
	for (size_t n = JWKS_URI_MAX; n <= JWKS_URI_MAX + 1; n++) {
		snprintf(text, sizeof(text), "{\"issuer\":\"https://i/\",\"jwks_uri\":\"%.*s\"}",
		         (int)n, longest);
		cr_assert_eq(FOUND(text) == NULL, n == JWKS_URI_MAX);
	}
}
