/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jwt_judge.c"

#include "tests/unit/worker/jwt_maker.h"

enum { NOW_S = 1764000000 };

static const char *audiences[] = { "telemetry", "other" }, *any[] = { "any" };
static const char *algorithms[] = { "RS256", "ES256" }, *scopes[] = { "*" };
static struct jwt_conf conf;
static struct jwt_rules rules;
static struct jwt jwt;
static int64_t not_after;
static enum auth_result result;

static void opens(void)
{
	conf = (struct jwt_conf){ .name = "corp",
		                  .issuer = "i",
		                  .audiences = { audiences, 2 },
		                  .algorithms = { algorithms, 1 },
		                  .jwks_uri = "",
		                  .public_key_file = { .path = "" },
		                  .tenant_claim = "",
		                  .scopes = { scopes, 1 } };
	rules = (struct jwt_rules){ .conf = &conf, .now_us = INT64_C(1000000) * NOW_S };
}
static void closes(void)
{
	jwt_done(&jwt);
}
TestSuite(jwt_judge, .init = opens, .fini = closes);

/* Why not, or "". */
static const char *judged(const char *payload)
{
	const char *why;

	jwt_done(&jwt);
	cr_assert(jwt_parse(bytes_str(token_of("{\"alg\":\"RS256\"}", payload, NULL)), &jwt), "%s",
	          payload);
	cr_assert_null(jwt.fault);
	why = jwt_judge(&jwt, &rules, &not_after, &result);
	return why ? why : "";
}

#define GOOD "\"iss\":\"i\",\"sub\":\"s\",\"aud\":\"telemetry\",\"exp\":1764000060"

/* B6 */
Test(jwt_judge, what_an_issuer_must_say_is_wanted)
{
	cr_assert_str_eq(judged("{" GOOD "}"), "");
	cr_assert_eq(not_after, INT64_C(1764000060000000));
	cr_assert_str_eq(judged("{\"iss\":\"i\",\"aud\":\"telemetry\",\"exp\":1764000060}"),
	                 "JWT without a subject");
	cr_assert_str_eq(
		judged("{\"iss\":\"i\",\"sub\":7,\"aud\":\"telemetry\",\"exp\":1764000060}"),
		"JWT without a readable subject");
	cr_assert_str_eq(judged("{\"iss\":\"i\",\"sub\":\"s\",\"exp\":1764000060}"),
	                 "JWT without an audience");
	cr_assert_str_eq(judged("{\"iss\":\"i\",\"sub\":\"s\",\"aud\":\"telemetry\"}"),
	                 "JWT without a readable exp");
}

/* Moose's tokens have none. */
Test(jwt_judge, a_token_for_a_key_of_a_file_needs_no_subject)
{
	conf.public_key_file.path = "/a.pem";
	cr_assert_str_eq(judged("{\"iss\":\"i\",\"aud\":\"telemetry\",\"exp\":1764000060}"), "");
	cr_assert_str_eq(
		judged("{\"iss\":\"i\",\"sub\":\"\",\"aud\":\"telemetry\",\"exp\":1764000060}"),
		"JWT without a readable subject");
}

#define AUD(text) "{\"iss\":\"i\",\"sub\":\"s\",\"exp\":1764000060,\"aud\":" text "}"

/* B6 */
Test(jwt_judge, the_audience_is_a_text_or_among_an_array)
{
	cr_assert_str_eq(judged(AUD("\"other\"")), "");
	cr_assert_str_eq(judged(AUD("[\"x\",\"other\"]")), "");
	cr_assert_str_eq(judged(AUD("\"x\"")), "JWT for another audience");
	cr_assert_str_eq(judged(AUD("\"Telemetry\"")), "JWT for another audience");
	cr_assert_str_eq(judged(AUD("\"telemetry \"")), "JWT for another audience");
	cr_assert_str_eq(judged(AUD("[\"x\",7]")), "JWT for another audience");
	cr_assert_str_eq(judged(AUD("[]")), "JWT without an audience");
	cr_assert_str_eq(judged(AUD("7")), "JWT without an audience");
	cr_assert_str_eq(judged(AUD("{\"telemetry\":1}")), "JWT without an audience");
	cr_assert_str_eq(judged(AUD("null")), "JWT without an audience");
}

Test(jwt_judge, any_audience_is_taken_where_the_entry_says_so)
{
	conf.audiences = (struct conf_list){ any, 1 };
	cr_assert_str_eq(judged(AUD("\"whoever\"")), "");
	cr_assert_str_eq(judged("{\"iss\":\"i\",\"sub\":\"s\",\"exp\":1764000060}"),
	                 "JWT without an audience");
}

/* C4: a dialect may mind. */
Test(jwt_judge, a_proof_tells_an_array_of_audiences)
{
	struct jwt_room room = { .claims = NULL };
	struct proof p;

	cr_assert_str_eq(judged(AUD("\"telemetry\"")), "");
	jwt_proof(&jwt, &conf, not_after, &room, &p);
	cr_assert_not(p.aud_is_list);
	free(room.claims);
	cr_assert_str_eq(judged(AUD("[\"telemetry\"]")), "");
	jwt_proof(&jwt, &conf, not_after, &room, &p);
	cr_assert(p.aud_is_list);
	free(room.claims);
}

#define EXP(text) "{\"iss\":\"i\",\"sub\":\"s\",\"aud\":\"telemetry\",\"exp\":" text "}"

/* B6, C4 */
Test(jwt_judge, its_end_counts_to_the_second_and_the_leeway)
{
	cr_assert_str_eq(judged(EXP("1764000001")), "");
	cr_assert_str_eq(judged(EXP("1764000000")), "expired");
	cr_assert_eq(result, AUTH_EXPIRED);
	cr_assert_str_eq(judged(EXP("1763999999")), "expired");
	conf.leeway = 60000;
	cr_assert_str_eq(judged(EXP("1763999970")), "");
	cr_assert_eq(not_after, INT64_C(1764000030000000));
	cr_assert_str_eq(judged(EXP("1763999940")), "expired");
	cr_assert_str_eq(judged(EXP("1763999880")), "expired");
}

/* F50 */
Test(jwt_judge, times_that_are_no_whole_seconds_are_refused)
{
	static const char *const bad[] = {
		"\"1764000060\"", "1764000060.5",        "1764000060.0", "1e12",         "-1",
		"253402300800",   "9223372036854775807", "null",         "[1764000060]", "true"
	};
	char text[200];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(text, sizeof(text),
		         "{\"iss\":\"i\",\"sub\":\"s\",\"aud\":\"telemetry\",\"exp\":%s}", bad[i]);
		cr_expect_str_eq(judged(text), "JWT without a readable exp", "%s", bad[i]);
		snprintf(text, sizeof(text), "{" GOOD ",\"nbf\":%s}", bad[i]);
		cr_expect_str_eq(judged(text), "JWT without a readable nbf", "%s", bad[i]);
	}
	cr_assert_str_eq(judged(EXP("253402300799")), "");
}

Test(jwt_judge, its_beginning_may_be_a_minute_ahead)
{
	cr_assert_str_eq(judged("{" GOOD ",\"nbf\":1764000060}"), "");
	cr_assert_str_eq(judged("{" GOOD ",\"nbf\":1764000061}"), "not valid yet");
	cr_assert_str_eq(judged("{" GOOD ",\"nbf\":0}"), "");
}

/* F50 */
Test(jwt_judge, an_algorithm_that_the_entry_does_not_name_is_refused)
{
	static const char *const bad[] = { "none",  "None",  "HS256", "PS256",
		                           "RS384", "ES256", "rs256", "" };
	char header[100];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", bad[i]);
		jwt_done(&jwt);
		cr_assert(jwt_parse(bytes_str(token_of(header, "{" GOOD "}", NULL)), &jwt));
		cr_expect_not_null(jwt_judge(&jwt, &rules, &not_after, &result), "%s", bad[i]);
		cr_expect_eq(result, AUTH_UNKNOWN);
	}
	conf.algorithms.n = 2;
	jwt_done(&jwt);
	cr_assert(jwt_parse(bytes_str(token_of("{\"alg\":\"ES256\"}", "{" GOOD "}", NULL)), &jwt));
	cr_expect_null(jwt_judge(&jwt, &rules, &not_after, &result));
}

Test(jwt_judge, a_proof_has_what_the_issuer_says)
{
	struct jwt_room room = { .claims = NULL };
	struct proof p;

	conf.tenant_claim = "t";
	cr_assert_str_eq(judged("{" GOOD ", \"email\":\"a@b\", \"t\":[\"acme\",\"x\"]}"), "");
	jwt_proof(&jwt, &conf, not_after, &room, &p);
	cr_assert_eq(p.method, METHOD_JWT);
	cr_assert_eq(p.result, AUTH_OK);
	cr_assert_str_eq(p.subject, "s");
	cr_assert_str_eq(p.email, "a@b");
	cr_assert_str_eq(p.issuer, "i");
	cr_assert_eq(p.tenant_count, 2);
	cr_assert_str_eq(p.tenants[1], "x");
	cr_assert_eq(p.scopes, SCOPE_ALL);
	cr_assert_eq(p.not_after, not_after);
	cr_assert(bytes_eq(p.claims, BYTES("{" GOOD ",\"email\":\"a@b\",\"t\":[\"acme\",\"x\"]}")));
	free(room.claims);
}
