/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/reply.c"

#include "tests/unit/worker/otlp_bodies.h"

#define HEALTH(rest) "GET /health HTTP/1.1\r\nHost: x\r\n" rest "\r\n"

/* P1, byte for byte */
Test(reply, success_is_one_head_without_a_body)
{
	struct fixture *f = fixture_open();
	const char *reply =
		send_body(f, "/v1/traces", "X-Request-Id: abc\r\n", one_span, sizeof(one_span));

	cr_assert_str_eq(reply, "HTTP/1.1 200 OK\r\nDate: Mon, 24 Nov 2025 16:00:00 GMT\r\n"
	                        "Content-Type: application/x-protobuf\r\nX-Request-Id: "
	                        "abc\r\nContent-Length: 0\r\n\r\n");
	cr_assert_eq(f->r.bytes_out, strlen(reply));
	fixture_close(f);
}

/* O21 */
Test(reply, a_valid_request_id_is_echoed_and_any_other_replaced)
{
	struct fixture *f = fixture_open();
	char text[256], line[128], id[66];
	static const char *const bad[] = { "a b", "a/b", "", "\xc3\xa9", "a\tb", "a,b" };

	memset(id, 'x', sizeof(id));
	id[64] = '\0';
	snprintf(text, sizeof(text), HEALTH("X-Request-Id: %s\r\n"), id);
	snprintf(line, sizeof(line), "X-Request-Id: %s", id);
	cr_assert(fixture_has(fixture_ask(f, text), line));
	id[64] = 'x';
	id[65] = '\0';
	snprintf(text, sizeof(text), HEALTH("X-Request-Id: %s\r\n"), id);
	fixture_ask(f, text);
	snprintf(line, sizeof(line), "X-Request-Id: %s", f->r.request_id);
	cr_assert(fixture_has(f->sent, line));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(text, sizeof(text), HEALTH("X-Request-Id: %s\r\n"), bad[i]);
		fixture_ask(f, text);
		snprintf(line, sizeof(line), "X-Request-Id: %s", f->r.request_id);
		cr_assert(fixture_has(f->sent, line), "%s", bad[i]);
		cr_assert_eq(strlen(f->r.request_id), 32u);
	}
	fixture_close(f);
}

/* P3: of every verdict that allows another try, and of no other */
Test(reply, retry_after_is_a_small_number_and_stands_where_a_try_helps)
{
	struct fixture *f = fixture_open();
	unsigned seen = 0;

	for (unsigned i = 0; i < 64; i++) {
		fixture_begin(f, &f->public);
		snprintf(f->r.request_id, sizeof(f->r.request_id), "%032x", i);
		f->r.head.minor = 1;
		req_refuse(&f->r, V_OVERLOAD);
		render(&f->r);
		fixture_send_out(f);
		cr_assert(f->r.retry_after >= 1 && f->r.retry_after <= 5);
		seen |= 1u << f->r.retry_after;
		req_finish(&f->r);
	}
	cr_assert_eq(seen, 0x3eu); /* spread over 1..5 */
	for (enum verdict v = V_NONE + 1; v < VERDICT_COUNT; v++) {
		bool retry = verdict_get(v)->flags & VF_RETRY;

		fixture_begin(f, &f->public);
		f->r.verdict = v;
		f->r.head.minor = 1;
		f->r.route = v == V_METHOD ? routes_get(f->w.routes, 0) : NULL;
		render(&f->r);
		fixture_send_out(f);
		cr_assert_eq(strstr(f->sent, "\r\nRetry-After: ") != NULL, retry, "%s",
		             verdict_get(v)->id);
		cr_assert_eq(strstr(f->sent, "\r\nWWW-Authenticate: Bearer\r\n") != NULL,
		             verdict_get(v)->status == 401);
		cr_assert_eq(strstr(f->sent, "\r\nAllow: POST\r\n") != NULL, v == V_METHOD);
		cr_assert_eq(fixture_status(f->sent), verdict_get(v)->status);
		cr_assert_neq(strcmp(status_text(verdict_get(v)->status), "Status") == 0,
		              v != V_GONE);
		req_finish(&f->r);
	}
	fixture_close(f);
}

Test(reply, the_connection_stays_unless_something_ends_it)
{
	struct fixture *f = fixture_open();

	cr_assert_null(strstr(fixture_ask(f, HEALTH("")), "Connection:"));
	cr_assert(!f->r.close_after);
	cr_assert(
		fixture_has(fixture_ask(f, HEALTH("Connection: close\r\n")), "Connection: close"));
	cr_assert(f->r.close_after);
	cr_assert(fixture_has(fixture_ask(f, "GET /health HTTP/1.0\r\n\r\n"), "Connection: close"));
	cr_assert(fixture_has(
		fixture_ask(f, "GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
		"Connection: keep-alive"));
	cr_assert(fixture_has(fixture_ask(f, "GET /he%2falth HTTP/1.1\r\nHost: x\r\n\r\n"),
	                      "Connection: close"));
	f->w.draining = true;
	f->w.drain_ends = loop_now() + 30000;
	cr_assert(fixture_has(fixture_ask(f, HEALTH("")), "Connection: close"));
	fixture_close(f);
}

Test(reply, head_gets_the_fields_of_get_and_no_body)
{
	struct fixture *f = fixture_open();
	const char *reply =
		fixture_admin(f, "HEAD /ready?verbose HTTP/1.1\r\nHost: localhost\r\n\r\n");

	cr_assert_eq(fixture_status(reply), 200);
	cr_assert_str_eq(fixture_body(reply), "");
	cr_assert(strstr(reply, "Content-Length: ") && !fixture_has(reply, "Content-Length: 0"));
	reply = fixture_admin(f, "HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
	cr_assert_eq(fixture_status(reply), 200);
	cr_assert_str_eq(fixture_body(reply), "");
	reply = fixture_ask(f, "HEAD /nowhere HTTP/1.1\r\nHost: x\r\n\r\n");
	cr_assert_eq(fixture_status(reply), 404);
	cr_assert_str_eq(fixture_body(reply), "");
	fixture_close(f);
}

Test(reply, nobody_is_answered_who_is_gone)
{
	struct fixture *f = fixture_open();

	fixture_begin(f, &f->public);
	req_expire(&f->r, V_GONE);
	cr_assert_eq(stages_run(&f->r), STEP_DONE);
	cr_assert_eq(f->r.out.n, 0u);
	cr_assert(f->r.close_after);
	req_finish(&f->r);
	fixture_close(f);
}

Test(reply, what_is_left_of_a_continue_line_is_sent_before_the_reply)
{
	struct fixture *f = fixture_open();

	fixture_begin(f, &f->public);
	req_refuse(&f->r, V_OVERLOAD);
	f->r.at = STAGE_REPLY;
	f->r.out = BYTES("HTTP/1.1 100 Continue\r\n\r\n");
	cr_assert_eq(stages_run(&f->r), STEP_ROOM);
	cr_assert(!f->r.reply_rendered);
	fixture_send_out(f);
	cr_assert_eq(stages_run(&f->r), STEP_ROOM);
	fixture_send_out(f);
	cr_assert_eq(stages_run(&f->r), STEP_DONE);
	cr_assert(strstr(f->sent, "100 Continue\r\n\r\nHTTP/1.1 503 "));
	req_finish(&f->r);
	fixture_close(f);
}

/* ---- pages in parts ---- */

static bool three_parts(struct req *r)
{
	unsigned *turn = r->more_arg;

	if (*turn != 1) /* the second part is empty: it must not end the body */
		buf_printf(&r->reply, "part %u\n", *turn);
	return ++*turn < 3;
}

static bool endless(struct req *r)
{
	while (!r->reply.failed)
		buf_str(&r->reply,
		        "too much, too much, too much, too much, too much, too much, too much\n");
	return true;
}

static const char *in_parts(struct fixture *f, bool (*more)(struct req *r), int minor)
{
	unsigned turn = 0;

	fixture_begin(f, &f->admin);
	f->r.head.minor = minor;
	f->r.head.keep_alive = true;
	f->r.head.method = HTTP_GET;
	f->r.page_type = "text/plain";
	f->r.more = more;
	f->r.more_arg = &turn;
	req_say(&f->r, V_ADMIN);
	f->r.last_on_connection = false;
	f->r.at = STAGE_REPLY;
	while (stages_run(&f->r) == STEP_ROOM)
		fixture_send_out(f);
	req_finish(&f->r);
	return f->sent;
}

Test(reply, parts_are_chunks_to_http_1_1_and_end_with_the_connection_before)
{
	struct fixture *f = fixture_open();
	const char *reply = in_parts(f, three_parts, 1);

	cr_assert(fixture_has(reply, "Transfer-Encoding: chunked"));
	cr_assert_str_eq(fixture_body(reply),
	                 "00000007\r\npart 0\n\r\n00000007\r\npart 2\n\r\n0\r\n\r\n");
	cr_assert(!f->r.close_after);
	reply = in_parts(f, three_parts, 0);
	cr_assert_null(strstr(reply, "chunked"));
	cr_assert_null(strstr(reply, "Content-Length"));
	cr_assert(fixture_has(reply, "Connection: close"));
	cr_assert_str_eq(fixture_body(reply), "part 0\npart 2\n");
	fixture_close(f);
}

Test(reply, a_part_that_was_cut_does_not_look_whole)
{
	struct fixture *f = fixture_open();
	const char *reply = in_parts(f, endless, 1);

	cr_assert_str_eq(fixture_body(reply), "");
	cr_assert(f->r.close_after);
	fixture_close(f);
}

/* ---- remote_write, Obstack ---- */

static const struct route *route_named(const struct fixture *f, const char *name)
{
	for (unsigned i = 0; routes_get(f->w.routes, i); i++)
		if (strcmp(routes_name(f->w.routes, i), name) == 0)
			return routes_get(f->w.routes, i);
	cr_assert_fail("no route %s", name);
	return NULL;
}

/* The reply of a route to a request of that format (NULL: not judged yet) with that verdict. */
static const char *rendered(struct fixture *f, const struct route *route,
                            const struct format *format, enum verdict v)
{
	fixture_begin(f, &f->public);
	f->r.route = route;
	f->r.format = format;
	f->r.head.minor = 1;
	f->r.head.keep_alive = true;
	f->r.enriched.written[WRITTEN_SAMPLES] = 7000000000;
	f->r.enriched.written[WRITTEN_HISTOGRAMS] = 2;
	f->r.enriched.written[WRITTEN_EXEMPLARS] = 0;
	f->r.verdict = v;
	render(&f->r);
	fixture_send_out(f);
	req_finish(&f->r);
	return f->sent;
}

static unsigned count_of(const char *text, const char *part)
{
	unsigned n = 0;

	while ((text = strstr(text, part))) {
		n++;
		text += strlen(part);
	}
	return n;
}

static bool says_written(const char *reply, const char *samples, const char *histograms,
                         const char *exemplars)
{
	char line[100];
	bool all = count_of(reply, "-Written: ") == WRITTEN_COUNT;

	snprintf(line, sizeof(line), "X-Prometheus-Remote-Write-Samples-Written: %s", samples);
	all = all && fixture_has(reply, line);
	snprintf(line, sizeof(line), "X-Prometheus-Remote-Write-Histograms-Written: %s",
	         histograms);
	all = all && fixture_has(reply, line);
	snprintf(line, sizeof(line), "X-Prometheus-Remote-Write-Exemplars-Written: %s", exemplars);
	return all && fixture_has(reply, line);
}

/* P15: all that was sent with a success, zeros with 400, 413, 429 and 503, nothing with others */
Test(reply, remote_write_2_says_what_was_written_and_1_says_nothing)
{
	struct fixture *f = fixture_open_all();
	static const char *const names[] = { "remote_write", "obstack_write" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		for (enum verdict v = V_NONE + 1; v < VERDICT_COUNT; v++) {
			const struct route *route = route_named(f, names[i]);
			const struct format *formats = route->protocol->formats;
			const char *reply = rendered(f, route, &formats[1], v);
			int status = fixture_status(reply);

			if (verdict_is_success(v))
				cr_assert(says_written(reply, "7000000000", "2", "0"), "%s", reply);
			else if (status == 400 || status == 413 || status == 429 || status == 503)
				cr_assert(says_written(reply, "0", "0", "0"), "%s", reply);
			else
				cr_assert_eq(count_of(reply, "-Written: "), 0, "%s", reply);
			cr_assert_eq(count_of(rendered(f, route, &formats[0], v), "-Written"), 0);
			cr_assert_eq(count_of(rendered(f, route, NULL, v), "-Written"), 0);
		}
	fixture_close(f);
}

/* RFC 9110 8.6: a 204 has neither a body nor its length */
Test(reply, success_of_remote_write_is_a_head_of_204_and_no_more)
{
	struct fixture *f = fixture_open_all();
	const struct route *route = route_named(f, "remote_write");
	static const enum verdict good[] = { V_ACCEPTED, V_EMPTY };

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		const char *reply = rendered(f, route, route->protocol->formats, good[i]);

		cr_assert_str_eq(reply, "HTTP/1.1 204 No Content\r\n"
		                        "Date: Mon, 24 Nov 2025 16:00:00 GMT\r\n\r\n");
	}
	cr_assert(fixture_has(rendered(f, route, route->protocol->formats, V_INVALID),
	                      "Content-Type: text/plain; charset=utf-8"));
	fixture_close(f);
}

/* A2 */
Test(reply, obstack_accepts_with_202_and_says_that_its_body_is_empty)
{
	struct fixture *f = fixture_open_all();
	const struct route *route = route_named(f, "obstack_write");

	cr_assert_str_eq(rendered(f, route, route->protocol->formats, V_ACCEPTED),
	                 "HTTP/1.1 202 Accepted\r\nDate: Mon, 24 Nov 2025 16:00:00 GMT\r\n"
	                 "Content-Length: 0\r\n\r\n");
	fixture_close(f);
}

/* Whatever stands in it, the head has room: the longest ids and counts that there are. */
Test(reply, the_longest_head_fits)
{
	struct fixture *f = fixture_open_all();
	const struct route *route = route_named(f, "obstack_write");
	char id[65];

	memset(id, 'x', 64);
	id[64] = '\0';
	for (enum verdict v = V_NONE + 1; v < VERDICT_COUNT; v++) {
		fixture_begin(f, &f->public);
		f->r.route = route;
		f->r.format = &route->protocol->formats[1];
		f->r.client_request_id = bytes_str(id);
		memset(f->r.enriched.written, 0xff, sizeof(f->r.enriched.written));
		memset(f->r.detail, 1, sizeof(f->r.detail) - 1); /* escaped by six bytes each */
		f->r.verdict = v;
		render(&f->r);
		cr_assert(!f->r.reply.failed);
		fixture_send_out(f);
		cr_assert_leq((size_t)(fixture_body(f->sent) - f->sent), (size_t)HEAD_BYTES);
		req_finish(&f->r);
	}
	fixture_close(f);
}
