/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "worker/http_body.c"

#include "tests/unit/worker/http_walk.h"

static struct walk walk;
static struct req r;

static void opens(void)
{
	walk_open(&walk);
}

static void closes(void)
{
	body_put(walk.w.bodies, r.body_mem);
	if (r.charged)
		budget_give(walk.w.budget, 0, r.charged);
	pool_free(r.pool);
	walk_close(&walk);
}

TestSuite(http_body, .init = opens, .fini = closes);

/* A request whose head is read; `in` is what came with it. */
static void starts(const char *in, bool chunked, uint64_t length, uint64_t limit)
{
	req_start(&r, &walk.w, NULL);
	r.at = STAGE_BODY;
	r.head.chunked = chunked;
	r.head.has_length = !chunked;
	r.head.length = length;
	r.body_limit = limit;
	memcpy(walk.buf, in, strlen(in));
	r.in = bytes_of(walk.buf, strlen(in));
}

static void comes(const char *text)
{
	size_t n = strlen(text);

	if (r.fill.room) {
		cr_assert_leq(n, r.fill.room);
		memcpy(r.fill.at, text, n);
		r.fill.at += n;
		r.fill.room -= n;
	} else {
		memcpy(walk.buf, text, n);
		r.in = bytes_of(walk.buf, n);
	}
}

Test(http_body, body_that_is_there_is_used_in_place)
{
	starts("helloGET", false, 5, 100);
	r.keep = 0;
	cr_assert_eq(body_run(&r), STEP_NEXT);
	cr_assert_eq(r.body.p, walk.buf);
	cr_assert_eq(r.body.n, 5);
	cr_assert_eq(r.keep, 5);
	cr_assert_eq(r.in.n, 3);
	cr_assert_null(r.body_mem);
	cr_assert_eq(r.charged, 0);
	cr_assert_eq(r.wire_bytes, 5);
}

Test(http_body, known_length_is_received_straight_into_its_buffer)
{
	starts("he", false, 5, 100);
	cr_assert_eq(body_run(&r), STEP_BYTES);
	cr_assert_eq(r.fill.room, 3);
	cr_assert_eq(r.fill.at, r.body_mem->data + 2);
	cr_assert_eq(r.charged, body_capacity(5));
	comes("ll");
	cr_assert_eq(body_run(&r), STEP_BYTES);
	cr_assert_eq(r.wire_bytes, 4);
	comes("o");
	cr_assert_eq(body_run(&r), STEP_NEXT);
	cr_assert(bytes_eq(r.body, BYTES("hello")));
}

Test(http_body, what_admit_charged_is_not_charged_again)
{
	starts("", false, 5000, 10000);
	cr_assert(budget_take(walk.w.budget, 0, 0, body_capacity(5000)));
	r.charged = body_capacity(5000);
	cr_assert_eq(body_run(&r), STEP_BYTES);
	cr_assert_eq(r.charged, body_capacity(5000));
	cr_assert_eq(budget_used(walk.w.budget), r.charged);
}

Test(http_body, end_before_the_last_byte_is_a_client_gone)
{
	starts("he", false, 5, 100);
	r.eof = true;
	cr_assert_eq(body_run(&r), STEP_REPLY);
	cr_assert_eq(r.verdict, V_GONE);
}

Test(http_body, end_right_behind_the_body_is_no_harm)
{
	starts("hello", false, 5, 100);
	r.eof = true;
	cr_assert_eq(body_run(&r), STEP_NEXT);
}

/* F47's other side: a good request gets its 100, once, and only while nothing of the body came. */
Test(http_body, continue_is_said_once_and_only_to_who_waits)
{
	starts("", false, 5, 100);
	r.head.expect_continue = true;
	cr_assert_eq(body_run(&r), STEP_BYTES);
	cr_assert(bytes_eq(r.out, BYTES("HTTP/1.1 100 Continue\r\n\r\n")));
	r.out.n = 0;
	cr_assert_eq(body_run(&r), STEP_BYTES);
	cr_assert_eq(r.out.n, 0);
}

Test(http_body, continue_is_not_said_when_the_body_has_begun)
{
	starts("h", false, 5, 100);
	r.head.expect_continue = true;
	cr_assert_eq(body_run(&r), STEP_BYTES);
	cr_assert_eq(r.out.n, 0);
}

Test(http_body, continue_is_not_said_for_a_chunked_body_that_has_begun)
{
	starts("5", true, 0, 100);
	r.head.expect_continue = true;
	cr_assert_eq(body_run(&r), STEP_BYTES);
	cr_assert_eq(r.out.n, 0);
}

Test(http_body, continue_is_not_said_for_an_empty_body)
{
	starts("", false, 0, 100);
	r.head.expect_continue = true;
	cr_assert_eq(body_run(&r), STEP_NEXT);
	cr_assert_eq(r.out.n, 0);
}

Test(http_body, chunk_is_filled_to_its_last_byte_and_no_further)
{
	starts("6\r\nab", true, 0, 100);
	cr_assert_eq(body_run(&r), STEP_BYTES);
	cr_assert_eq(r.fill.room, 4);
	comes("cdef");
	cr_assert_eq(body_run(&r), STEP_BYTES);
	cr_assert_eq(r.fill.room, 0);
	comes("\r\n0\r\n\r\n");
	cr_assert_eq(body_run(&r), STEP_NEXT);
	cr_assert(bytes_eq(r.body, BYTES("abcdef")));
	cr_assert_eq(r.in.n, 0);
}

/* P8's framing: many sizes of chunks, the buffer growing under them, nothing lost. */
Test(http_body, chunked_body_grows_by_class_and_keeps_its_bytes)
{
	size_t n = 0, total = 0, cap = 3 * MIB;
	uint8_t *wire = xcalloc(1, cap), *body = xcalloc(1, cap);

	for (size_t chunk = 1; total < 2 * MIB; chunk = chunk * 5 / 3 + 1) {
		size_t size = min_size(chunk, 300 * KIB);

		n += (size_t)sprintf((char *)wire + n, "%zx;x=\"y\"\r\n", size);
		for (size_t i = 0; i < size; i++)
			wire[n++] = body[total++] = (uint8_t)(i * 31 + size);
		memcpy(wire + n, "\r\n", 2);
		n += 2;
	}
	n += (size_t)sprintf((char *)wire + n, "0\r\n\r\n");
	starts("", true, 0, 3 * MIB);
	for (size_t at = 0; at < n;) {
		size_t piece = min_size(n - at, r.fill.room ? min_size(r.fill.room, 7000) : 7000);

		if (r.fill.room) {
			memcpy(r.fill.at, wire + at, piece);
			r.fill.at += piece;
			r.fill.room -= piece;
		} else {
			r.in = bytes_of(wire + at, piece);
		}
		at += piece;
		cr_assert_eq(body_run(&r), at == n ? STEP_NEXT : STEP_BYTES);
	}
	cr_assert_eq(r.body.n, total);
	cr_assert_arr_eq(r.body.p, body, total);
	cr_assert_eq(r.charged, r.body_mem->cap);
	cr_assert_eq(budget_used(walk.w.budget), r.charged);
	free(wire);
	free(body);
}

Test(http_body, chunk_that_would_pass_the_limit_is_refused_before_memory_is_taken)
{
	starts("5\r\nhello\r\n60\r\n", true, 0, 100);
	cr_assert_eq(body_run(&r), STEP_REPLY);
	cr_assert_eq(r.verdict, V_BODY_SIZE);
	cr_assert_str_eq(r.detail, "101 bytes exceed the limit of 100 bytes for one request body");
	cr_assert_eq(r.charged, body_capacity(5));
	cr_assert(r.last_on_connection);
}

Test(http_body, spent_budget_is_503_and_an_impossible_one_413)
{
	cr_assert(budget_take(walk.w.budget, 1, 0, 63 * MIB));
	starts("200000\r\n", true, 0, 100 * MIB); /* 2 MiB */
	cr_assert_eq(body_run(&r), STEP_REPLY);
	cr_assert_eq(r.verdict, V_OVERLOAD);
	starts("5000000\r\n", true, 0, 100 * MIB); /* 80 MiB */
	cr_assert_eq(body_run(&r), STEP_REPLY);
	cr_assert_eq(r.verdict, V_BODY_SIZE);
	starts("", false, 80 * MIB, 100 * MIB);
	cr_assert_eq(body_run(&r), STEP_REPLY);
	cr_assert_eq(r.verdict, V_BODY_SIZE);
	budget_give(walk.w.budget, 1, 63 * MIB);
}

Test(http_body, body_that_can_never_fit_beside_what_it_holds_is_413_not_503)
{
	starts("2000000\r\n", true, 0, 100 * MIB); /* 32 MiB of 64 */
	cr_assert_eq(body_run(&r), STEP_BYTES);
	r.wire_bytes = 32 * MIB;
	r.fill.room = r.chunk.left = 0;
	r.fill.at = NULL;
	r.chunk.state = CHUNK_SIZE;
	comes("100000\r\n"); /* 1 MiB more: both buffers are there for a moment */
	cr_assert_eq(body_run(&r), STEP_REPLY);
	cr_assert_eq(r.verdict, V_BODY_SIZE);
	cr_assert_eq(r.charged, 32 * MIB);
}

Test(http_body, buffer_grows_by_less_where_twice_as_much_would_not_fit)
{
	starts("1400000\r\n", true, 0, 100 * MIB); /* 20 MiB of 64 */
	cr_assert_eq(body_run(&r), STEP_BYTES);
	cr_assert(budget_take(walk.w.budget, 1, 0, 10 * MIB));
	r.wire_bytes = 20 * MIB;
	r.fill.room = r.chunk.left = 0;
	r.fill.at = NULL;
	r.chunk.state = CHUNK_SIZE;
	comes("100000\r\n");
	cr_assert_eq(body_run(&r), STEP_BYTES);
	cr_assert_eq(r.charged, 20 * MIB + 20 * MIB / 8);
	budget_give(walk.w.budget, 1, 10 * MIB);
}

Test(http_body, extension_of_256_bytes_passes_and_one_more_does_not)
{
	char text[600];
	int n = sprintf(text, "1;");

	memset(text + n, 'a', 255); /* and the semicolon */
	strcpy(text + n + 255, "\r\nx\r\n0\r\n\r\n");
	starts(text, true, 0, 100);
	cr_assert_eq(body_run(&r), STEP_NEXT);
	body_put(walk.w.bodies, r.body_mem);
	budget_give(walk.w.budget, 0, r.charged);
	memset(text + n, 'a', 256);
	strcpy(text + n + 256, "\r\nx\r\n0\r\n\r\n");
	starts(text, true, 0, 100);
	cr_assert_eq(body_run(&r), STEP_REPLY);
	cr_assert_eq(r.verdict, V_FRAMING);
	cr_assert_str_eq(r.detail, "malformed framing of the body: chunk extension too long");
}

Test(http_body, stage_names_the_request_that_runs_with_its_tenant)
{
	struct stats_current *current = &stats_head(walk.w.stats)->current;

	starts("hello", false, 5, 100);
	r.who.known = true;
	r.who.tenant_ordinal = 7;
	cr_assert_eq(body_run(&r), STEP_NEXT);
	cr_assert_eq(current->active, 8);
	cr_assert_eq(current->length, 5);
}
