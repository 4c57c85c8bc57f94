/* SPDX-License-Identifier: Apache-2.0 */
#define http_post fake_post
#include "tools/ctl/credential.c"

#include <criterion/criterion.h>

static struct credential cr;
static struct fresh fresh;

/* How many seconds a token lives, after an answer of the provider. */
static long long life(const char *answer, msec_t buffer)
{
	struct err err = { "" };
	msec_t before = now_ms();

	memset(&cr, 0, sizeof(cr));
	cr.buffer = buffer;
	cr.answer.failure = HTTP_ANSWERED;
	cr.answer.status = 200;
	cr.answer.body_bytes = strlen(answer);
	strcpy(cr.answer.body, answer);
	fresh = (struct fresh){ NULL, 0 };
	if (judge(&cr, &fresh, &err) != CREDENTIAL_HAVE)
		return -1;
	cr_expect_str_eq(fresh.token, "t");
	wipe(&fresh.token);
	if (now_ms() - before > 400) /* the machine stood still: once more */
		return life(answer, buffer);
	return (fresh.until - before) / 1000;
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
	return judge(&cr, &fresh, err);
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
	c = credential_open(NULL, NULL, &err);
	cr_assert(c, "%s", err.text);
	cr_expect_str_eq(c->fixed, "b");
	credential_close(c);
	setenv("HEADGATE_OIDC_CLIENT_ID", "x", 1); /* not looked at: a key is set */
	setenv("MICROMEGAS_INGESTION_API_KEY", "a", 1);
	c = credential_open(NULL, NULL, &err);
	cr_expect_str_eq(c->fixed, "a");
	credential_close(c);
	unsetenv("MICROMEGAS_INGESTION_API_KEY");
	unsetenv("MICROMEGAS_INGESTION_TOKEN");
	cr_expect_null(credential_open(NULL, NULL, &err));
	cr_expect(strstr(err.text, "only part of"));
	setenv("HEADGATE_OIDC_TOKEN_ENDPOINT", "http://x", 1);
	setenv("MICROMEGAS_OIDC_CLIENT_SECRET", "s", 1);
	setenv("HEADGATE_OIDC_TOKEN_BUFFER_SECONDS", "ten", 1);
	cr_expect_null(credential_open(NULL, NULL, &err));
	setenv("HEADGATE_OIDC_TOKEN_BUFFER_SECONDS", "10", 1);
	c = credential_open(NULL, NULL, &err);
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
	c = credential_open(NULL, NULL, &err);
	cr_assert(c);
	c->token = xstrdup("new");
	cr_expect(credential_refused(c, "Authorization: Bearer old"));
	cr_expect_str_eq(c->token, "new");
	cr_expect(credential_refused(c, "Authorization: Bearer new"));
	cr_expect_null(c->token);
	credential_close(c);
}

/* ---- one provider, many threads ---- */

enum { THREADS = 10 };

static struct {
	pthread_mutex_t lock;
	unsigned posts;
	int status;
	const char *body;
	pthread_barrier_t *asked; /* NULL: it answers at once; else when the test comes here too */
	char form[200];
} idp = { .lock = PTHREAD_MUTEX_INITIALIZER };

void fake_post(struct http *h, const struct http_request *request, struct http_answer *a)
{
	(void)h;
	pthread_mutex_lock(&idp.lock);
	idp.posts++;
	snprintf(idp.form, sizeof(idp.form), "%.*s", (int)request->body.n,
	         (const char *)request->body.p);
	pthread_mutex_unlock(&idp.lock);
	if (idp.asked)
		pthread_barrier_wait(idp.asked);
	a->failure = HTTP_ANSWERED;
	a->status = idp.status;
	a->cut = false;
	a->body_bytes = strlen(idp.body);
	strcpy(a->body, idp.body);
}

static struct credential *provider(void)
{
	struct credential *c;
	struct err err = { "" };

	setenv("HEADGATE_OIDC_TOKEN_ENDPOINT", "http://x", 1);
	setenv("HEADGATE_OIDC_CLIENT_ID", "me", 1);
	setenv("HEADGATE_OIDC_CLIENT_SECRET", "s&=", 1);
	setenv("HEADGATE_OIDC_AUDIENCE", "a b", 1);
	c = credential_open(NULL, NULL, &err);
	cr_assert(c, "%s", err.text);
	idp.posts = 0;
	idp.status = 200;
	idp.body = "{\"access_token\":\"t\",\"expires_in\":3600}";
	return c;
}

struct asker {
	struct credential *c;
	pthread_t thread;
	enum credential_said said;
	char *header;
	struct err err;
};

static void *asker_main(void *arg)
{
	struct asker *asker = arg;

	asker->said = credential_get(asker->c, NULL, &asker->header, &asker->err);
	return NULL;
}

/* The provider answers once the threads are there: whoever is late finds the token. */
static void ask_at_once(struct credential *c, struct asker *askers)
{
	pthread_barrier_t asked;

	pthread_barrier_init(&asked, NULL, 2);
	idp.asked = &asked;
	for (unsigned i = 0; i < THREADS; i++) {
		askers[i] = (struct asker){ .c = c };
		cr_assert_eq(pthread_create(&askers[i].thread, NULL, asker_main, &askers[i]), 0);
	}
	pthread_barrier_wait(&asked);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(askers[i].thread, NULL);
	idp.asked = NULL;
	pthread_barrier_destroy(&asked);
}

/* B22 */
Test(credential, ten_threads_make_one_token_request, .timeout = 20)
{
	struct asker askers[THREADS];
	struct credential *c = provider();

	ask_at_once(c, askers);
	cr_expect_eq(idp.posts, 1);
	cr_expect_str_eq(idp.form, "grant_type=client_credentials&client_id=me&client_secret="
	                           "s%26%3D&audience=a%20b");
	for (unsigned i = 0; i < THREADS; i++) {
		cr_expect_eq(askers[i].said, CREDENTIAL_HAVE);
		cr_expect_str_eq(askers[i].header, "Authorization: Bearer t");
		credential_wipe(askers[i].header);
	}
	credential_close(c);
}

/* B22: of 3600 s, 3420 are used. */
Test(credential, the_token_is_asked_for_again_180_s_before_its_end_and_not_sooner)
{
	struct credential *c = provider();
	struct err err = { "" };
	msec_t before = now_ms();
	char *header;

	cr_assert_eq(credential_get(c, NULL, &header, &err), CREDENTIAL_HAVE);
	credential_wipe(header);
	cr_expect_geq(c->until, before + 3420 * 1000);
	cr_expect_leq(c->until, now_ms() + 3420 * 1000);
	c->until -= 3360 * 1000; /* so much later */
	cr_assert_eq(credential_get(c, NULL, &header, &err), CREDENTIAL_HAVE);
	credential_wipe(header);
	cr_expect_eq(idp.posts, 1);
	c->until -= 60 * 1000;
	cr_assert_eq(credential_get(c, NULL, &header, &err), CREDENTIAL_HAVE);
	credential_wipe(header);
	cr_expect_eq(idp.posts, 2);
	credential_close(c);
}

/* A request of another thread, as the one that waits for it sees it. */
struct other {
	struct credential *c;
	enum credential_said said;
	char *token;
};

static void *other_main(void *arg)
{
	struct other *other = arg;
	struct credential *c = other->c;

	pthread_mutex_lock(&c->lock);
	c->asking = false;
	c->said = other->said;
	c->token = other->token;
	c->until = now_ms();
	err_set(&c->why, "the token endpoint answers 503");
	c->requests++;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

/* What a thread gets that found one asking: we hold the lock, so the other cannot end before. */
static enum credential_said said_to_a_waiter(struct other other, bool *is_kept)
{
	enum credential_said said;
	pthread_t thread;

	pthread_mutex_lock(&other.c->lock);
	other.c->asking = true;
	cr_assert_eq(pthread_create(&thread, NULL, other_main, &other), 0);
	said = await_token(other.c, NULL);
	*is_kept = other.c->token != NULL;
	pthread_mutex_unlock(&other.c->lock);
	pthread_join(thread, NULL);
	return said;
}

Test(credential, who_waited_takes_a_failure_too_but_asks_again_the_next_time, .timeout = 20)
{
	struct credential *c = provider();
	struct err err = { "" };
	char *header;
	bool kept;

	cr_expect_eq(said_to_a_waiter((struct other){ c, CREDENTIAL_LATER, NULL }, &kept),
	             CREDENTIAL_LATER);
	cr_expect_eq(idp.posts, 0);
	cr_expect_eq(credential_get(c, NULL, &header, &err), CREDENTIAL_HAVE);
	cr_expect_eq(idp.posts, 1);
	credential_wipe(header);
	credential_close(c);
}

Test(credential, who_waited_uses_a_token_without_a_life_once, .timeout = 20)
{
	struct credential *c = provider();
	bool kept;

	cr_expect_eq(said_to_a_waiter((struct other){ c, CREDENTIAL_HAVE, xstrdup("t-0") }, &kept),
	             CREDENTIAL_HAVE);
	cr_expect(kept);
	cr_expect_eq(idp.posts, 0);
	credential_close(c);
}

Test(credential, a_token_that_is_refused_before_the_waiter_sees_it_is_replaced, .timeout = 20)
{
	struct credential *c = provider();
	bool kept;

	cr_expect_eq(said_to_a_waiter((struct other){ c, CREDENTIAL_HAVE, NULL }, &kept),
	             CREDENTIAL_HAVE);
	cr_expect(kept);
	cr_expect_eq(idp.posts, 1);
	credential_close(c);
}
