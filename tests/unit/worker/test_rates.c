/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/rates.c"

#include "tests/unit/worker/otlp_bodies.h"

enum { ORDINAL = 1 }; /* acme's */
#define SECOND INT64_C(1000000000)
#define START (1000 * SECOND)

static struct fixture *f;

static void open_fixture(void)
{
	f = fixture_open();
}

static void close_fixture(void)
{
	fixture_close(f);
}

TestSuite(rates, .init = open_fixture, .fini = close_fixture);

static void at(int64_t ns)
{
	loop_set_clock(ns, FIXTURE_NOW_S * SECOND + ns - START);
}

static void limit(enum limit_kind kind, uint64_t per_s, uint64_t burst)
{
	struct tenant_limits limits = f->limits;

	limits.rates[kind] = (struct gcra_rate){ per_s, burst };
	fixture_limit(f, &limits);
}

/* A rate so slow, and a burst so large, that the word tells what was taken since START. */
static void watch(void)
{
	for (enum limit_kind kind = 0; kind < LIMIT_KINDS; kind++)
		limit(kind, 1000, 1000000000);
}

static uint64_t taken(enum limit_kind kind)
{
	uint64_t word = limits_words(f->w.limits, ORDINAL)[kind];

	return word > START ? (word - START) / 1000000 : 0;
}

static void expect_taken(uint64_t requests, uint64_t bytes, uint64_t items)
{
	cr_expect_eq(taken(LIMIT_REQUESTS), requests, "%lu requests", taken(LIMIT_REQUESTS));
	cr_expect_eq(taken(LIMIT_BYTES), bytes, "%lu bytes", taken(LIMIT_BYTES));
	cr_expect_eq(taken(LIMIT_ITEMS), items, "%lu items", taken(LIMIT_ITEMS));
}

static int span(void)
{
	const char *reply = send_body(f, "/v1/traces", "", one_span, sizeof(one_span));

	fixture_forget_records(f);
	return fixture_status(reply);
}

/* n spans in one body. */
static const char *spans(size_t n)
{
	uint8_t *body = malloc(n * sizeof(one_span));
	const char *reply;

	for (size_t i = 0; i < n; i++)
		memcpy(body + i * sizeof(one_span), one_span, sizeof(one_span));
	reply = send_body(f, "/v1/traces", "", body, n * sizeof(one_span));
	free(body);
	fixture_forget_records(f);
	return reply;
}

/* The beginning of a request, that waits for the rest of its body. */
static void begin(const char *text)
{
	fixture_begin(f, &f->public);
	fixture_feed(f, (const uint8_t *)text, strlen(text));
	cr_assert_eq(stages_run(&f->r), STEP_BYTES);
}

static void expire(enum verdict v)
{
	req_expire(&f->r, v);
	while (stages_run(&f->r) != STEP_DONE)
		fixture_send_out(f);
	req_finish(&f->r);
}

#define LONG                                                                                       \
	"POST /v1/traces HTTP/1.1\r\nHost: x\r\n" ACME PROTOBUF "Content-Length: 500\r\n\r\nabc"

static uint64_t refused(enum tenant_stat kind)
{
	return stats_tenant_get(f->w.stats, f->r.who.metric_slot, SIGNAL_TRACES, kind);
}

/* R19 */
Test(rates, a_spent_rate_is_429_with_its_text)
{
	limit(LIMIT_REQUESTS, 2, 2);
	cr_assert_eq(span(), 200);
	cr_assert_eq(span(), 200);
	cr_assert_eq(span(), 429);
	cr_assert_eq(f->r.verdict, V_RATE_REQUESTS);
	cr_assert_str_eq(f->r.detail,
	                 "tenant 'acme' exceeded its limit of 2 requests/s with a burst of 2 "
	                 "requests while sending 1 requests; retry after 1 s");
	cr_assert(fixture_has(f->sent, "Retry-After: 1"), "%s", f->sent);
	cr_assert_eq(f->r.refused_at, STAGE_ADMIT);
	cr_assert_eq(refused(TS_RATE_REQUESTS), 1);
}

/* protocols.md 4.4: RetryInfo says the same as the header. */
Test(rates, otlp_is_told_when_in_its_own_words_too)
{
	static const char json[] = "POST /v1/traces HTTP/1.1\r\nHost: x\r\n" ACME
				   "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";

	limit(LIMIT_REQUESTS, 1, 3);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(span(), 200);
	cr_assert_eq(fixture_status(fixture_ask(f, json)), 429);
	cr_assert(strstr(f->sent, "\"code\":8"), "%s", f->sent);
	cr_assert(strstr(f->sent, "RetryInfo\",\"retryDelay\":\"1s\""), "%s", f->sent);
	cr_assert(strstr(f->sent, "hg-rate-requests: tenant 'acme'"), "%s", f->sent);
}

/* protocols.md 6 */
Test(rates, loki_s_senders_are_told_in_its_words)
{
	static const char push[] =
		"POST /loki/api/v1/push HTTP/1.1\r\nHost: x\r\n" ACME
		"Content-Type: application/json\r\nContent-Length: 54\r\n\r\n"
		"{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"1\",\"\"]]}]}";

	fixture_close(f);
	f = fixture_open_all();
	limit(LIMIT_BYTES, 1, 60);
	cr_assert_eq(fixture_status(fixture_ask(f, push)), 204, "%s", f->sent);
	cr_assert_eq(fixture_status(fixture_ask(f, push)), 429);
	cr_assert(strstr(f->sent, "\r\n\r\nhg-rate-bytes: ingestion rate limit exceeded for user "
	                          "acme (limit: 1 "
	                          "bytes/sec) while sending 54 bytes; retry after 5 s (request "),
	          "%s", f->sent);
}

/* R17 */
Test(rates, a_request_passes_when_it_waited_as_it_was_told)
{
	limit(LIMIT_BYTES, 20, 100); /* a span is 37 bytes */
	limit(LIMIT_ITEMS, 1, 2);
	cr_assert_eq(span(), 200);
	cr_assert_eq(span(), 200);
	cr_assert_eq(span(), 429);
	cr_assert_eq(f->r.verdict, V_RATE_BYTES);
	cr_assert_eq(f->r.retry_after, 1);
	at(START + SECOND);
	cr_assert_eq(span(), 200, "its item waited as long");
}

/* R17 */
Test(rates, retry_after_is_the_longest_wait_of_all_kinds)
{
	limit(LIMIT_REQUESTS, 1000, 1);
	limit(LIMIT_BYTES, 10, 50);
	cr_assert_eq(span(), 200);
	cr_assert_eq(span(), 429);
	cr_assert_eq(f->r.verdict, V_RATE_REQUESTS, "a millisecond would do");
	cr_assert_eq(f->r.retry_after, 3, "24 bytes are missing");
	at(START + 3 * SECOND);
	cr_assert_eq(span(), 200);
}

Test(rates, retry_after_is_five_seconds_at_most)
{
	limit(LIMIT_BYTES, 1, sizeof(one_span));
	cr_assert_eq(span(), 200);
	cr_assert_eq(span(), 429, "it had to wait 37 s");
	cr_assert_eq(f->r.retry_after, 5);
}

/* R16 */
Test(rates, what_exceeds_the_burst_is_413_without_retry_after)
{
	limit(LIMIT_ITEMS, 1, 2);
	cr_assert_eq(fixture_status(spans(2)), 200);
	at(START + 100 * SECOND);
	cr_assert_eq(fixture_status(spans(3)), 413);
	cr_assert_eq(f->r.verdict, V_RATE_BURST);
	cr_assert_str_eq(
		f->r.detail,
		"this request has 3 items, tenant 'acme' may send 2 items at once; retrying "
		"cannot succeed: send smaller batches or raise items_burst");
	cr_assert_null(strstr(f->sent, "Retry-After"));
	cr_assert_eq(refused(TS_RATE_BURST), 1);
	cr_assert_eq(refused(TS_REFUSED_RATE), 3);
}

/* R17 */
Test(rates, each_stage_charges_what_it_has_learnt)
{
	watch();
	cr_assert_eq(span(), 200);
	expect_taken(1, sizeof(one_span), 1);
	cr_assert_eq(fixture_status(spans(4)), 200);
	expect_taken(2, 5 * sizeof(one_span), 5);
}

/* R17 */
Test(rates, what_was_charged_stays_on_any_4xx)
{
	watch();
	cr_assert_eq(fixture_status(send_body(f, "/v1/traces", "", "nonsense", 8)), 400);
	expect_taken(1, 8, 0);
	cr_assert_eq(fixture_status(send_body(f, "/v1/traces", GZIP, "nonsense", 8)), 400);
	expect_taken(2, 16, 0);
	limit(LIMIT_ITEMS, 1000, 2);
	cr_assert_eq(fixture_status(spans(3)), 413);
	expect_taken(3, 16 + 3 * sizeof(one_span), 0);
}

/* R17 */
Test(rates, what_is_refused_before_its_rates_is_free)
{
	static const char *const free_of_charge[] = {
		"POST /v1/traces HTTP/1.1\r\nHost: x\r\n" ACME "Content-Type: a/b\r\n"
		"Content-Length: 2\r\n\r\n{}",
		"POST /v1/traces HTTP/1.1\r\nHost: x\r\n" ACME PROTOBUF "\r\n",
		"POST /v1/traces HTTP/1.1\r\nHost: x\r\n" ACME PROTOBUF
		"Content-Length: 99999999\r\n\r\n",
		"POST /v1/traces HTTP/1.1\r\nHost: x\r\n" ACME PROTOBUF
		"X-Scope-OrgID: other\r\nContent-Length: 2\r\n\r\n{}",
	};

	watch();
	for (size_t i = 0; i < ARRAY_LEN(free_of_charge); i++)
		cr_assert_geq(fixture_status(fixture_ask(f, free_of_charge[i])), 400);
	expect_taken(0, 0, 0);
}

/* R17 */
Test(rates, a_503_of_ours_gives_all_back)
{
	static const enum verdict ours[] = { V_OVERLOAD, V_KAFKA_TIMEOUT, V_STORE_FULL,
		                             V_TOPIC_UNAVAILABLE };

	watch();
	for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
		f->sink_says = ours[i];
		cr_assert_eq(span(), 503);
		expect_taken(0, 0, 0);
	}
	f->sink_says = V_RECORD_SIZE;
	cr_assert_eq(span(), 413);
	expect_taken(1, sizeof(one_span), 1);
}

Test(rates, limits_that_changed_meanwhile_give_back_what_the_old_ones_took)
{
	watch();
	begin(LONG);
	expect_taken(1, 500, 0);
	limit(LIMIT_BYTES, 7, 7000);
	expire(V_DRAINING);
	expect_taken(0, 0, 0);
}

/* R18 */
Test(rates, what_began_as_another_tenant_s_leaves_the_words_alone)
{
	watch();
	begin(LONG);
	limits_clear(f->w.limits, ORDINAL);
	cr_assert_eq(gcra_take(&limits_words(f->w.limits, ORDINAL)[LIMIT_BYTES],
	                       &f->limits.rates[LIMIT_BYTES], 0, 100, START),
	             0);
	expire(V_DRAINING);
	expect_taken(0, 100, 0);
}

/* ---- chunked ---- */

#define CHUNKED                                                                                    \
	"POST /v1/traces HTTP/1.1\r\nHost: x\r\n" ACME PROTOBUF "Transfer-Encoding: "              \
	                                                        "chunked\r\n\r\n"

static struct bytes chunked_span(char *mem)
{
	size_t n = (size_t)sprintf(mem, CHUNKED "25\r\n");

	memcpy(mem + n, one_span, sizeof(one_span));
	n += sizeof(one_span);
	memcpy(mem + n, "\r\n0\r\n\r\n", 7);
	return bytes_of(mem, n + 7);
}

Test(rates, a_chunked_body_is_charged_when_it_ended)
{
	char mem[512];
	struct bytes all = chunked_span(mem);

	watch();
	cr_assert_eq(fixture_status(fixture_run(f, &f->public, all, SIZE_MAX)), 200);
	fixture_forget_records(f);
	expect_taken(1, sizeof(one_span), 1);
	at(START + SECOND);
	limit(LIMIT_BYTES, 1000, sizeof(one_span) - 1);
	cr_assert_eq(fixture_status(fixture_run(f, &f->public, all, SIZE_MAX)), 413);
	cr_assert_eq(f->r.verdict, V_RATE_BURST);
	cr_assert(fixture_has(f->sent, "Connection: close") == false, "all of it was read");
	cr_assert_eq(taken(LIMIT_BYTES), 1000 + 1, "of its head");
}

Test(rates, a_chunked_body_that_breaks_off_costs_what_came)
{
	watch();
	begin(CHUNKED "ff\r\nabcdefghij");
	expect_taken(1, 1, 0);
	expire(V_BODY_TIMEOUT);
	expect_taken(1, 10, 0);
}

/* ---- decoded ---- */

Test(rates, a_body_costs_what_it_became_if_that_is_more)
{
	static uint8_t zeros[10000];
	struct request z = gzip_of(zeros, sizeof(zeros));

	watch();
	cr_assert_eq(fixture_status(send_body(f, "/v1/traces", GZIP, z.p, z.n)), 400);
	expect_taken(1, sizeof(zeros), 0);
	free(z.p);
	z = gzip_of(one_span, sizeof(one_span)); /* larger than what is in it */
	cr_assert_gt(z.n, sizeof(one_span));
	cr_assert_eq(fixture_status(send_body(f, "/v1/traces", GZIP, z.p, z.n)), 200);
	fixture_forget_records(f);
	expect_taken(2, sizeof(zeros) + z.n, 1);
	free(z.p);
}

Test(rates, max_body_bytes_is_of_the_decoded_body)
{
	static uint8_t zeros[10000];
	struct tenant_limits limits = { .max_body_bytes = sizeof(one_span) };
	struct request z = gzip_of(zeros, sizeof(zeros));

	fixture_limit(f, &limits);
	cr_assert_eq(span(), 200);
	cr_assert_eq(fixture_status(spans(2)), 413);
	cr_assert_eq(f->r.verdict, V_BODY_SIZE);
	cr_assert_str_eq(f->r.detail, "74 bytes exceed the limit of 37 bytes for one request body");
	cr_assert_eq(f->r.refused_at, STAGE_ADMIT, "unread");
	cr_assert_eq(fixture_status(send_body(f, "/v1/traces", GZIP, z.p, z.n)), 413);
	cr_assert_eq(f->r.verdict, V_BODY_SIZE);
	cr_assert_eq(f->r.refused_at, STAGE_INFLATE);
	free(z.p);
}

/* ---- in flight ---- */

static struct stats_in_flight *in_flight(unsigned page)
{
	return &stats_in_flight(f->w.pages[page])[ORDINAL];
}

/* R19 */
Test(rates, requests_in_flight_of_all_workers_are_capped)
{
	struct tenant_limits limits = { .max_inflight_requests = 3 };

	f->w.siblings = 2;
	fixture_limit(f, &limits);
	in_flight(1)->requests = 2;
	cr_assert_eq(span(), 200);
	cr_assert_eq(in_flight(2)->requests, 0, "answered");
	in_flight(1)->requests = 3;
	cr_assert_eq(span(), 200, "its own part of the cap is not used up: nobody is asked");
	in_flight(2)->requests = 1;
	in_flight(1)->requests = 2;
	cr_assert_eq(span(), 503);
	cr_assert_eq(f->r.verdict, V_INFLIGHT);
	cr_assert(strstr(f->sent, "Retry-After"), "%s", f->sent);
	cr_assert_eq(in_flight(2)->requests, 1, "what is refused does not count");
	cr_assert_eq(refused(TS_RATE_INFLIGHT), 1);
	in_flight(1)->requests = 1;
	cr_assert_eq(span(), 200);
	in_flight(2)->requests = 0;
}

/* R19 */
Test(rates, bytes_in_flight_are_capped_but_for_a_single_body)
{
	struct tenant_limits limits = { .max_inflight_bytes = 20 };

	f->w.siblings = 1;
	fixture_limit(f, &limits);
	cr_assert_eq(span(), 200, "nothing else is in flight");
	in_flight(1)->bytes = 1;
	cr_assert_eq(span(), 503);
	cr_assert_eq(f->r.verdict, V_INFLIGHT);
	limits.max_inflight_bytes = MIB;
	f->w.siblings = MIB; /* no part is large enough to ask nobody */
	fixture_limit(f, &limits);
	cr_assert_eq(span(), 200);
	in_flight(1)->bytes = MIB;
	cr_assert_eq(span(), 503);
	in_flight(1)->bytes = 0;
}

Test(rates, a_cap_that_refuses_costs_nothing)
{
	struct tenant_limits limits;

	watch();
	limits = f->limits;
	limits.max_inflight_requests = 1;
	fixture_limit(f, &limits);
	in_flight(1)->requests = 1;
	f->w.siblings = 4;
	cr_assert_eq(span(), 503);
	expect_taken(0, 0, 0);
}

/* ---- all together ---- */

/* R17: whatever happens to requests, the words hold what the page says. */
Test(rates, ten_thousand_random_requests_are_charged_by_their_verdicts)
{
	static const int wanted[] = { 503, 413, 400, 400, 200 };
	uint64_t requests = 0, bytes = 0, items = 0;

	watch();
	srandom(3);
	for (int i = 0; i < 10000; i++) {
		size_t n = 1 + (size_t)random() % 5;
		int what = (int)(random() % 5);
		int status;

		f->sink_says = what == 0 ? V_KAFKA_TIMEOUT : what == 1 ? V_RECORD_SIZE : V_ACCEPTED;
		if (what == 2) {
			status = fixture_status(send_body(f, "/v1/traces", "", "nonsense", n));
			bytes += n;
		} else if (what == 3) {
			status = fixture_status(send_body(f, "/v1/traces", PROTOBUF, "xxxxx", n));
		} else {
			status = fixture_status(spans(n));
			bytes += what ? n * sizeof(one_span) : 0;
			items += what ? n : 0;
		}
		cr_assert_eq(status, wanted[what]);
		requests += what == 1 || what == 2 || what == 4;
	}
	expect_taken(requests, bytes, items);
}

Test(rates, without_limits_no_word_is_touched)
{
	cr_assert_eq(span(), 200);
	cr_assert_eq(limits_words(f->w.limits, ORDINAL)[LIMIT_REQUESTS], 0);
}
