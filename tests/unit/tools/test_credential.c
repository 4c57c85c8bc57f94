/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/credential.c"

#include <criterion/criterion.h>

static struct credential cr;

/* What is left of the token's life, in seconds, after an answer of the provider. */
static long long life(const char *answer, msec_t buffer)
{
	struct err err = { "" };

	memset(&cr, 0, sizeof(cr));
	cr.buffer = buffer;
	cr.answer.failure = HTTP_ANSWERED;
	cr.answer.status = 200;
	cr.answer.body_bytes = strlen(answer);
	strcpy(cr.answer.body, answer);
	if (judge(&cr, &err) != CREDENTIAL_HAVE)
		return -1;
	cr_expect_str_eq(cr.token, "t");
	wipe(&cr.token);
	return (cr.until - now_ms() + 500) / 1000;
}

/* B22 */
Test(credential, a_token_is_renewed_180_s_early_but_kept_at_least_half_of_its_life)
{
	msec_t buffer = BUFFER_DEFAULT_S * 1000;

	cr_expect_eq(life("{\"access_token\":\"t\",\"expires_in\":3600}", buffer), 3420);
	cr_expect_eq(life("{\"access_token\":\"t\",\"expires_in\":\"3600\"}", buffer), 3420);
	cr_expect_eq(life("{\"access_token\":\"t\",\"expires_in\":60}", buffer), 30);
	cr_expect_eq(life("{\"access_token\":\"t\",\"expires_in\":60}", 0), 60);
	cr_expect_eq(life("{\"access_token\":\"t\"}", buffer), 0);
}

Test(credential, an_answer_that_is_no_token_is_none)
{
	static const char *const bad[] = { "",
		                           "{}",
		                           "{\"access_token\":\"\"}",
		                           "{\"access_token\":7}",
		                           "{\"access_token\":\"t\\n\"}",
		                           "{\"access_token\":\"t\",\"expires_in\":\"soon\"}",
		                           "{\"access_token\":\"t\",\"expires_in\":-1}",
		                           "[\"t\"]",
		                           "{\"access_token\":\"t\"" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		cr_expect_eq(life(bad[i], 0), -1, "%s", bad[i]);
}

static enum credential_said said_of(enum http_failure failure, int status, const char *body,
                                    struct err *err)
{
	memset(&cr, 0, sizeof(cr));
	cr.answer.failure = failure;
	cr.answer.status = status;
	cr.answer.body_bytes = strlen(body);
	strcpy(cr.answer.body, body);
	return judge(&cr, err);
}

Test(credential, what_may_pass_is_told_from_what_will_not)
{
	struct err err;

	cr_expect_eq(said_of(HTTP_NETWORK, 0, "", &err), CREDENTIAL_LATER);
	cr_expect_eq(said_of(HTTP_NEVER, 0, "", &err), CREDENTIAL_NEVER);
	cr_expect_eq(said_of(HTTP_ANSWERED, 408, "", &err), CREDENTIAL_LATER);
	cr_expect_eq(said_of(HTTP_ANSWERED, 429, "", &err), CREDENTIAL_LATER);
	cr_expect_eq(said_of(HTTP_ANSWERED, 503, "", &err), CREDENTIAL_LATER);
	cr_expect_eq(said_of(HTTP_ANSWERED, 302, "", &err), CREDENTIAL_NEVER);
	cr_expect_eq(said_of(HTTP_ANSWERED, 400, "", &err), CREDENTIAL_NEVER);
}

Test(credential, of_an_error_body_only_the_error_word_is_shown)
{
	struct err err;

	said_of(HTTP_ANSWERED, 401,
	        "{\"error\":\"invalid_client\\n\",\"error_description\":\"the secret is x\"}",
	        &err);
	cr_expect_str_eq(err.text, "the token endpoint answers 401: invalid_client\\x0a");
	said_of(HTTP_ANSWERED, 400, "<html>secret</html>", &err);
	cr_expect_str_eq(err.text, "the token endpoint answers 400");
}

Test(credential, the_longest_error_word_is_cut)
{
	char body[400] = "{\"error\":\"", word[80];
	struct err err;

	memset(body + 10, 'x', 300);
	strcpy(body + 310, "\"}");
	said_of(HTTP_ANSWERED, 401, body, &err);
	error_word(&cr.answer, word, sizeof(word));
	cr_expect_leq(strlen(word), 63);
}

Test(credential, the_environment_is_read_by_its_own_order)
{
	struct credential *c;
	struct err err = { "" };

	setenv("MICROMEGAS_INGESTION_TOKEN", "b", 1);
	c = credential_open(NULL, &err);
	cr_assert(c, "%s", err.text);
	cr_expect_str_eq(c->fixed, "b");
	credential_close(c);
	setenv("HEADGATE_OIDC_CLIENT_ID", "x", 1); /* not looked at: a key is set */
	setenv("MICROMEGAS_INGESTION_API_KEY", "a", 1);
	c = credential_open(NULL, &err);
	cr_expect_str_eq(c->fixed, "a");
	credential_close(c);
	unsetenv("MICROMEGAS_INGESTION_API_KEY");
	unsetenv("MICROMEGAS_INGESTION_TOKEN");
	cr_expect_null(credential_open(NULL, &err));
	cr_expect(strstr(err.text, "only part of"));
	setenv("HEADGATE_OIDC_TOKEN_ENDPOINT", "http://x", 1);
	setenv("MICROMEGAS_OIDC_CLIENT_SECRET", "s", 1);
	setenv("HEADGATE_OIDC_TOKEN_BUFFER_SECONDS", "ten", 1);
	cr_expect_null(credential_open(NULL, &err));
	setenv("HEADGATE_OIDC_TOKEN_BUFFER_SECONDS", "10", 1);
	c = credential_open(NULL, &err);
	cr_assert(c);
	cr_expect_eq(c->buffer, 10000);
	cr_expect_not(credential_is_none(c));
	credential_close(c);
}

Test(credential, a_refused_token_is_forgotten_but_not_a_newer_one)
{
	struct credential *c;
	struct err err;

	setenv("HEADGATE_OIDC_TOKEN_ENDPOINT", "http://x", 1);
	setenv("HEADGATE_OIDC_CLIENT_ID", "x", 1);
	setenv("HEADGATE_OIDC_CLIENT_SECRET", "s", 1);
	c = credential_open(NULL, &err);
	cr_assert(c);
	c->token = xstrdup("new");
	cr_expect(credential_refused(c, "Authorization: Bearer old"));
	cr_expect_str_eq(c->token, "new");
	cr_expect(credential_refused(c, "Authorization: Bearer new"));
	cr_expect_null(c->token);
	credential_close(c);
}
