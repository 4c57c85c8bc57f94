/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/ctl/send_run.c"

#include <criterion/criterion.h>

Test(send_run, retries_go_by_the_path)
{
	cr_expect_eq(retries_of("/ingestion/insert_process"), 10);
	cr_expect_eq(retries_of("/ingestion/insert_stream"), 10);
	cr_expect_eq(retries_of("/ingestion/insert_block"), 5);
	cr_expect_eq(retries_of("/v1/logs"), 5);
	cr_expect_eq(retries_of("/v1/metrics"), 2);
	cr_expect_eq(retries_of("/v1/traces"), 1);
}

Test(send_run, the_pause_doubles_from_10_ms_to_5_s_and_half_of_it_is_chance)
{
	for (unsigned tries = 1; tries < 40; tries++) {
		msec_t step = tries < 10 ? 10 << (tries - 1) : 5000, wait = backoff(tries);

		cr_expect(wait >= step / 2 && wait <= step, "%u: %lld", tries, (long long)wait);
	}
}

Test(send_run, retry_after_wins_up_to_60_s)
{
	static struct http_answer a = { .retry_after_s = 7 };

	cr_expect_eq(pause_of(&a, 1), 7000);
	a.retry_after_s = 3600;
	cr_expect_eq(pause_of(&a, 1), 60000);
}

/* An unreadable one is 0 to libcurl, as is a date of the past. */
Test(send_run, a_retry_after_of_0_does_not_take_the_pause_away)
{
	static struct http_answer a = { .retry_after_s = 0 };

	cr_expect(pause_of(&a, 9) >= 1280 && pause_of(&a, 9) <= 2560);
}

Test(send_run, what_follows_a_verdict_in_protobuf_or_json_is_not_shown)
{
	static const struct {
		const char *body, *text;
	} cases[] = {
		{ "\x08\x10\x12\x09hg-x: abc\x1aIdetails", "hg-x: abc" },
		{ "{\"code\":16,\"message\":\"hg-x: abc\"}", "hg-x: abc" },
		{ "{\"message\":\"hg-x: \\\"a\\\" b\"}", "hg-x: \\\"a\\\" b" },
		{ "hg-x: \"abc\"\n", "hg-x: \"abc\"" },
	};
	static struct http_answer a;
	char text[WHY_BYTES];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		a.body_bytes = strlen(cases[i].body);
		memcpy(a.body, cases[i].body, a.body_bytes);
		reply_text(&a, text, sizeof(text));
		cr_expect_str_eq(text, cases[i].text);
	}
}

/* A pipe that nobody writes to. */
Test(send_run, a_named_pipe_is_refused_and_not_waited_for, .timeout = 10)
{
	char dir[] = "/tmp/send_run.XXXXXX", path[64];
	uint8_t *body = NULL;
	struct err err;
	size_t n;

	cr_assert(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/pipe", dir);
	cr_assert_eq(mkfifo(path, 0600), 0);
	cr_expect_lt(read_file(path, &body, &n, &err), 0);
	cr_expect_str_eq(err.text, "no file of at most 256 MiB");
	cr_expect_null(body);
	unlink(path);
	rmdir(dir);
}

Test(send_run, a_reply_is_shown_from_its_verdict_on_without_control_bytes)
{
	static struct http_answer a;
	char text[WHY_BYTES];

	a.body_bytes = 20;
	memcpy(a.body, "\x08\x10\x12-hg-x: \x1b[31m\nnext", 20);
	reply_text(&a, text, sizeof(text));
	cr_expect_str_eq(text, "hg-x: ");
	a.body_bytes = 5;
	memcpy(a.body, "\r\nno\n", 5);
	reply_text(&a, text, sizeof(text));
	cr_expect_str_eq(text, "no");
	a.body_bytes = HTTP_BODY_MAX;
	memset(a.body, 'x', HTTP_BODY_MAX);
	reply_text(&a, text, sizeof(text));
	cr_expect_eq(strlen(text), WHY_BYTES - 1);
}

Test(send_run, lines_of_the_tap_find_their_item_and_no_other)
{
	static struct send_item items[3];
	struct send s = { .items = items, .count = 3 };
	struct run run = { .s = &s, .prefix = "ctl-1-" };

	cr_expect_eq(item_of(&run, "ctl-1-2"), &items[2]);
	cr_expect_null(item_of(&run, "ctl-1-3"));
	cr_expect_null(item_of(&run, "ctl-1-"));
	cr_expect_null(item_of(&run, "ctl-2-1"));
	cr_expect_null(item_of(&run, ""));
}

Test(send_run, a_refusal_for_good_outweighs_retries_that_are_used_up)
{
	struct send_item items[] = { { .end = SEND_ACCEPTED },
		                     { .end = SEND_GIVEN_UP },
		                     { .end = SEND_REFUSED } };
	struct send s = { .items = items, .count = 1 };

	cr_expect_eq(code_of(&s), 0);
	s.count = 2;
	cr_expect_eq(code_of(&s), EX_TEMPFAIL);
	s.count = 3;
	cr_expect_eq(code_of(&s), EXIT_NEGATIVE);
}
