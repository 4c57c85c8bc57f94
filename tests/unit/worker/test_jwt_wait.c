/* SPDX-License-Identifier: Apache-2.0 */
#include <event2/event.h>

static unsigned timers; /* how often one was set */
#define event_add(event, after) (timers++, event_add(event, after))
#include "worker/jwt_wait.c"

#include <criterion/criterion.h>

static struct event_base *base;
static struct jwt_wait *q;
static struct jwt_try tries[JWT_TRIES_MAX];
static bool holds; /* what settles says after JWT_NEWS_SOME */
static char told[64]; /* what it was told: the token's text and the news, S, A or L */

static bool settle(void *arg, const uint8_t digest[static TOKEN_DIGEST_BYTES], struct bytes token,
                   enum jwt_news news)
{
	size_t n = strlen(told);

	cr_assert_eq(arg, &holds);
	cr_assert_eq(digest[0], token.p[0]);
	snprintf(told + n, sizeof(told) - n, "%.*s%c ", (int)token.n, (const char *)token.p,
	         "SAL"[news]);
	return news != JWT_NEWS_SOME || !holds;
}

static void clock_at(msec_t ms)
{
	loop_set_clock(ms * 1000000, ms * 1000000);
}

static void opens(void)
{
	struct err err = { "" };

	clock_at(1000);
	base = loop_open(&err);
	cr_assert_not_null(base, "%s", err.text);
	q = jwt_wait_new(base, settle, &holds);
}
static void closes(void)
{
	jwt_wait_free(q);
	loop_close(base);
}
TestSuite(jwt_wait, .init = opens, .fini = closes);

/* It waits for the first n of the tries, until 2000 ms. */
static void waits(const char *token, unsigned n)
{
	uint8_t digest[TOKEN_DIGEST_BYTES] = { (uint8_t)token[0] };
	struct jwt_tries on = { .n = 0 };

	for (unsigned i = 0; i < n; i++) {
		jwt_tries_add(&on, &tries[i]);
		jwt_tries_add(&on, &tries[0]);
	}
	cr_assert_eq(on.n, n);
	jwt_wait_add(q, digest, bytes_str(token), &on, 2000);
}

static const char *news(void)
{
	static char text[64];

	jwt_wait_look(q);
	strcpy(text, told);
	told[0] = '\0';
	return text;
}

Test(jwt_wait, each_is_judged_after_the_next_try_of_its_own)
{
	waits("a", 1);
	waits("b", 2);
	waits("c", 1);
	cr_assert_str_eq(news(), "");
	tries[1].at = 7;
	holds = true;
	cr_assert_str_eq(news(), "bS ");
	cr_assert_str_eq(news(), "");
	cr_assert_eq(q->count, 3);
	tries[0].at = 8;
	cr_assert_str_eq(news(), "aA cA bA ");
	cr_assert_eq(q->count, 0);
	waits("d", 1);
	cr_assert_str_eq(news(), "");
}

Test(jwt_wait, who_is_settled_by_some_waits_no_longer)
{
	waits("a", 3);
	tries[1].at = 7;
	cr_assert_str_eq(news(), "aS ");
	cr_assert_eq(q->count, 0);
}

Test(jwt_wait, it_waits_for_as_many_as_there_can_be)
{
	waits("a", JWT_TRIES_MAX);
	holds = true;
	for (unsigned i = 0; i < JWT_TRIES_MAX - 1; i++) {
		tries[i].at = 7;
		cr_assert_str_eq(news(), "aS ");
	}
	tries[JWT_TRIES_MAX - 1].at = 7;
	cr_assert_str_eq(news(), "aA ");
}

Test(jwt_wait, whose_time_is_over_is_told_and_the_next_one_asks_again)
{
	waits("a", 2);
	tries[0].asked = tries[1].asked = true;
	tries[0].at = 7;
	holds = true;
	cr_assert_str_eq(news(), "aS ");
	clock_at(1999);
	cr_assert_str_eq(news(), "");
	clock_at(2000);
	cr_assert_str_eq(news(), "aL ");
	cr_assert(tries[0].asked, "of no concern: whoever tried it says so");
	cr_assert_not(tries[1].asked);
}

Test(jwt_wait, who_comes_later_puts_off_nobodys_end)
{
	waits("a", 1);
	waits("b", 1);
	cr_assert_eq(timers, 1);
	jwt_wait_look(q);
	cr_assert_eq(timers, 2);
	tries[0].at = 7;
	cr_assert_str_eq(news(), "aA bA ");
	cr_assert_eq(timers, 2);
	waits("c", 1);
	cr_assert_eq(timers, 3);
}

Test(jwt_wait, there_is_an_end_to_room)
{
	for (unsigned i = 0; i < WAITING_MAX; i++) {
		cr_assert_not(jwt_wait_full(q));
		waits("a", 1);
	}
	cr_assert(jwt_wait_full(q));
}
