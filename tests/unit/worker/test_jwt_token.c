/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jwt_token.c"

#include "tests/unit/worker/jwt_maker.h"

static struct jwt jwt;

static bool parses(const char *token)
{
	jwt_done(&jwt);
	return jwt_parse(bytes_str(token), &jwt);
}

static void closes(void)
{
	jwt_done(&jwt);
}
TestSuite(jwt_token, .fini = closes);

#define PAYLOAD "{\"iss\":\"i\"}"

Test(jwt_token, header_and_payload_are_read)
{
	cr_assert(parses(
		token_of("{\"alg\":\"RS256\",\"kid\":\"k\"}", "{\"iss\":\"i\",\"sub\":7}", NULL)));
	cr_assert_str_eq(jwt.issuer, "i");
	cr_assert_str_eq(jwt.alg, "RS256");
	cr_assert_str_eq(jwt.kid, "k");
	cr_assert_null(jwt.fault);
	cr_assert(parses(token_of("{\"alg\":\"RS256\"}", PAYLOAD, NULL)));
	cr_assert_null(jwt.kid);
}

Test(jwt_token, what_has_another_form_is_somebody_elses)
{
	const char *bad[16], *good = token_of("{\"alg\":\"RS256\"}", PAYLOAD, NULL);
	unsigned n = 0;
	char text[300];

	bad[n++] = "";
	bad[n++] = "..";
	bad[n++] = "a.b.c";
	bad[n++] = "mmk_abc";
	bad[n++] = token_of("{\"alg\":\"RS256\"}", "{\"sub\":\"i\"}", NULL); /* no issuer */
	bad[n++] = token_of("{\"alg\":\"RS256\"}", "{\"iss\":7}", NULL);
	bad[n++] = token_of("[]", PAYLOAD, NULL);
	bad[n++] = token_of("{\"alg\":\"RS256\"}", "[\"iss\"]", NULL);
	for (unsigned i = 0; i < n; i++)
		cr_assert_not(parses(bad[i]), "%s", bad[i]);
	snprintf(text, sizeof(text), "%s.x", good); /* four parts, five are a JWE */
	cr_assert_not(parses(text));
	snprintf(text, sizeof(text), "%.*s", (int)strlen(good) - 1, good); /* two parts */
	cr_assert_not(parses(text));
}

/* F50: two readers would take another one of the two. */
Test(jwt_token, a_member_that_comes_twice_is_refused)
{
	cr_assert_not(
		parses(token_of("{\"alg\":\"RS256\"}", "{\"iss\":\"i\",\"iss\":\"k\"}", NULL)));
	cr_assert_not(parses(token_of("{\"alg\":\"RS256\",\"alg\":\"none\"}", PAYLOAD, NULL)));
	cr_assert_not(parses(
		token_of("{\"alg\":\"RS256\"}", "{\"iss\":\"i\",\"a\":{\"b\":1,\"b\":2}}", NULL)));
}

Test(jwt_token, json_is_strict)
{
	static const char *const bad[] = {
		"{\"iss\":\"i\"} ", /* fine: blanks are JSON; it is the good one */
		"{\"iss\":\"i\"}x",
		"{\"iss\":\"i\",}",
		"{'iss':'i'}",
		"{\"iss\":\"\\u0000\"}",
		"{\"iss\":\"\xff\"}",
		"{\"iss\":\"i\",\"exp\":99999999999999999999}",
		"{\"iss\":\"i\",\"exp\":1e999}",
		"",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_assert_eq(parses(token_of("{\"alg\":\"RS256\"}", bad[i], NULL)), i == 0, "%s",
		             bad[i]);
}

/* F50 */
Test(jwt_token, headers_that_nobody_takes_are_a_fault)
{
	static const char *const bad[] = {
		"{}",
		"{\"alg\":7}",
		"{\"alg\":[\"RS256\"]}",
		"{\"alg\":\"RS256\",\"crit\":[\"exp\"]}",
		"{\"alg\":\"RS256\",\"b64\":false,\"crit\":[\"b64\"]}",
		"{\"alg\":\"RS256\",\"b64\":true}",
		"{\"alg\":\"RS256\",\"kid\":7}",
		"{\"alg\":\"RS256\",\"kid\":[\"k\"]}",
	};
	char text[600], kid[258];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		cr_assert(parses(token_of(bad[i], PAYLOAD, NULL)), "%s", bad[i]);
		cr_assert_not_null(jwt.fault, "%s", bad[i]);
	}
	memset(kid, 'k', sizeof(kid));
	for (int n = JWT_KID_MAX; n <= JWT_KID_MAX + 1; n++) {
		snprintf(text, sizeof(text), "{\"alg\":\"RS256\",\"kid\":\"%.*s\"}", n, kid);
		cr_assert(parses(token_of(text, PAYLOAD, NULL)));
		cr_assert_eq(jwt.fault == NULL, n == JWT_KID_MAX);
	}
	snprintf(text, sizeof(text), "%s$", token_of("{\"alg\":\"RS256\"}", PAYLOAD, NULL));
	cr_assert(parses(text));
	cr_assert_not_null(jwt.fault);
}

Test(jwt_token, a_token_has_its_longest_size)
{
	static char payload[JWT_BYTES_MAX], token[2 * JWT_BYTES_MAX];
	size_t head, want = (JWT_BYTES_MAX - 40) / 4 * 3;

	memset(payload, ' ', sizeof(payload));
	memcpy(payload, PAYLOAD, strlen(PAYLOAD));
	payload[want] = '\0';
	snprintf(token, sizeof(token), "%s", token_of("{\"alg\":\"RS256\"}", payload, NULL));
	head = strlen(token);
	memset(token + head, 'A', sizeof(token) - head);
	token[JWT_BYTES_MAX] = '\0';
	if ((JWT_BYTES_MAX - head) % 4 == 1) /* one digit is no base64url */
		token[JWT_BYTES_MAX - 1] = '\0';
	cr_assert(parses(token));
	token[strlen(token)] = 'A';
	token[JWT_BYTES_MAX + 1] = '\0';
	cr_assert_not(parses(token));
}

Test(jwt_token, nesting_is_bounded)
{
	static char payload[12000];
	size_t n = (size_t)snprintf(payload, sizeof(payload), "{\"iss\":\"i\",\"a\":");

	memset(payload + n, '[', 5000);
	memset(payload + n + 5000, ']', 5000);
	snprintf(payload + n + 10000, sizeof(payload) - n - 10000, "}");
	cr_assert_not(parses(token_of("{\"alg\":\"RS256\"}", payload, NULL)));
}
