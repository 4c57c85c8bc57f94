/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

/* What req_finish() tells others. */
#define audit_request fake_audit_request
#define routes_code fake_routes_code
#include "worker/req.c"

#include "tests/unit/worker/http_walk.h"

static struct walk walk;
static struct req r;
static unsigned audits;
static int audit_status;
static uint64_t audit_bytes;

void fake_audit_request(struct audit *a, const struct req *q, int status, uint64_t bytes_out)
{
	(void)a;
	(void)q;
	audits++;
	audit_status = status;
	audit_bytes = bytes_out;
}

int fake_routes_code(const struct routes *rs, unsigned index, enum verdict v)
{
	(void)rs;
	return (int)index * 1000 + verdict_get(v)->status;
}

static void opens(void)
{
	walk_open(&walk);
	req_start(&r, &walk.w, &walk_listener);
}

static void closes(void)
{
	pool_free(r.pool);
	walk_close(&walk);
}

TestSuite(req, .init = opens, .fini = closes);

Test(req, start_leaves_nothing_of_the_request_before)
{
	struct pool *pool = r.pool;

	memset(&r, 0xaa, sizeof(r));
	r.pool = pool;
	req_start(&r, &walk.w, &walk_listener);
	cr_assert_eq(r.pool, pool);
	cr_assert_eq(r.at, STAGE_HEAD);
	cr_assert_eq(r.verdict, V_NONE);
	cr_assert_eq(r.partition, -1);
	cr_assert_eq(r.head.field_count, 0);
	cr_assert_eq(r.head.host.n, 0);
	cr_assert_eq(r.head.bytes, 0);
	cr_assert_eq(r.request_id[0], '\0');
	cr_assert_eq(r.detail[0], '\0');
	cr_assert_null(r.body_mem);
	cr_assert_null(r.more);
	cr_assert_eq(r.charged, 0);
	cr_assert_eq(r.fill.room, 0);
	cr_assert_eq(r.offset, 0);
	cr_assert(!r.produced && !r.reply_rendered && !r.close_after && !r.last_on_connection);
	cr_assert_eq(r.who.metric_slot, limits_metric_none(walk.w.limits));
	cr_assert_eq(r.reply.cap, sizeof(r.reply_mem));
}

Test(req, finish_gives_memory_and_budget_back_and_counts_once)
{
	struct route route = { .index = 3 };

	r.at = STAGE_INFLATE;
	r.route = &route;
	r.counted_in_flight = true;
	stats_add(walk.w.stats, STAT_REQUESTS_IN_FLIGHT, 3, 0, 1);
	cr_assert(budget_take(walk.w.budget, 5, 0, 8192));
	r.who.tenant_ordinal = 5;
	r.charged = 8192;
	r.body_mem = body_get(walk.w.bodies, 8000);
	r.wire_bytes = 100;
	r.decoded_bytes = 300;
	r.bytes_out = 77;
	r.started_ns = 1000000000 - 2000000;
	req_say(&r, V_EMPTY);
	req_finish(&r);
	cr_assert_eq(budget_used(walk.w.budget), 0);
	cr_assert_eq(audits, 1);
	cr_assert_eq(audit_status, 3200);
	cr_assert_eq(audit_bytes, 77);
	cr_assert_eq(stats_get(walk.w.stats, STAT_REQUESTS, 3, V_EMPTY), 1);
	cr_assert_eq(stats_get(walk.w.stats, STAT_REQUEST_BYTES, 3, 0), 100);
	cr_assert_eq(stats_get(walk.w.stats, STAT_REQUEST_DECODED_BYTES, 3, 0), 300);
	cr_assert_eq(stats_get(walk.w.stats, STAT_REQUESTS_IN_FLIGHT, 3, 0), 0);
}

Test(req, finish_without_a_route_counts_under_none_with_the_verdicts_own_status)
{
	req_refuse(&r, V_HTTP, "x");
	req_finish(&r);
	cr_assert_eq(audit_status, 400);
	cr_assert_eq(stats_get(walk.w.stats, STAT_REQUESTS, ROUTE_NONE, V_HTTP), 1);
}

Test(req, text_of_a_refusal_is_one_line_and_cut)
{
	char text[1000];

	cr_assert_eq(req_refuse(&r, V_HTTP, "a\r\nb\x1b\x7f"), STEP_REPLY);
	cr_assert_str_eq(r.detail, "malformed request: a??b??");
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	req_refuse(&r, V_HTTP, text);
	cr_assert_eq(strlen(r.detail), sizeof(r.detail) - 1);
}

Test(req, reason_for_the_log_is_kept)
{
	req_why(&r, "token %d", 5);
	cr_assert_str_eq(r.why, "token 5");
}

/* faults.md 5: at most 64 KiB of an unwanted body are read. */
Test(req, refusal_ends_the_connection_if_too_much_of_the_body_is_to_come)
{
	static const struct {
		uint64_t length;
		bool chunked, expects, ends;
		size_t in;
	} cases[] = {
		{ 0, false, false, false, 0 },
		{ 64 * KIB, false, false, false, 0 },
		{ 64 * KIB + 1, false, false, true, 0 },
		{ 64 * KIB + 1, false, false, false, 1 },
		{ 0, true, false, true, 0 },
		{ 5, false, true, true, 0 }, /* waits for 100 Continue */
		{ 5, false, true, false, 2 }, /* does not */
	};
	static uint8_t bytes[8];

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		req_start(&r, &walk.w, &walk_listener);
		r.at = STAGE_AUTH;
		r.head.has_length = !cases[i].chunked;
		r.head.length = cases[i].length;
		r.head.chunked = cases[i].chunked;
		r.head.expect_continue = cases[i].expects;
		r.in = bytes_of(bytes, cases[i].in);
		req_refuse(&r, V_CREDENTIAL);
		cr_assert_eq(r.last_on_connection, cases[i].ends, "case %u", i);
		cr_assert_eq(req_rest(&r), cases[i].chunked ? UINT64_MAX : cases[i].length,
		             "case %u", i);
	}
}

Test(req, refusal_after_the_body_leaves_the_connection_open)
{
	r.at = STAGE_ENRICH;
	r.head.chunked = true;
	req_refuse(&r, V_INVALID, "x");
	cr_assert(!r.last_on_connection);
	cr_assert_eq(req_rest(&r), 0);
}

Test(req, expiry_goes_to_the_reply_with_the_stage_that_waited)
{
	r.at = STAGE_PRODUCE;
	r.fill.room = 5;
	req_expire(&r, V_KAFKA_TIMEOUT);
	cr_assert_eq(r.at, STAGE_REPLY);
	cr_assert_eq(r.refused_at, STAGE_PRODUCE);
	cr_assert_eq(r.verdict, V_KAFKA_TIMEOUT);
	cr_assert_eq(r.fill.room, 0);
	req_start(&r, &walk.w, &walk_listener);
	walk.conf.http.head_timeout = 10000;
	req_expire(&r, V_HEAD_TIMEOUT);
	cr_assert_str_eq(r.detail, "the request head did not arrive within 10000 ms");
}

Test(req, taking_moves_the_front)
{
	r.in = BYTES("abc");
	req_take(&r, 2);
	cr_assert(bytes_eq(r.in, BYTES("c")));
}

Test(req, current_record_names_the_tenant_once_it_is_known)
{
	struct stats_current *current = &stats_head(walk.w.stats)->current;

	req_current(&r);
	cr_assert_eq(current->active, UINT64_C(1) + UINT32_MAX);
	r.who.known = true;
	r.who.tenant_ordinal = 9;
	strcpy(r.request_id, "0123456789abcdef0123456789abcdef");
	req_current(&r);
	cr_assert_eq(current->active, 10);
	cr_assert_str_eq(current->request_id, r.request_id);
	req_current_clear(&r);
	cr_assert_eq(current->active, 0);
}
