/* SPDX-License-Identifier: Apache-2.0 */
/* Requests, one after the other, and answers that come late; the rest: test_conn_*.c. */
#include "tests/unit/worker/conn_fakes.h"
#include "worker/conn.c"

#include "tests/unit/worker/conn_walk.h"

/* ---- one request ---- */

/* performance B15: one recv, one send, nothing told to epoll. */
Test(conn, small_request_costs_one_recv_and_one_send)
{
	int fd = connects();
	struct conn *c = only_conn();

	says(fd, POST_OK);
	hears(fd);
	recvs = sends = 0;
	for (unsigned i = 0; i < 100; i++) {
		struct event before = c->ev;

		says(fd, POST_OK);
		cr_assert_str_eq(hears(fd), OK_HELLO);
		/* Deleting or adding the event would have moved it in its lists. */
		cr_assert_eq(memcmp(&before.ev_, &c->ev.ev_, sizeof(before.ev_)), 0);
		cr_assert_eq(c->watch, WATCH_READ);
	}
	cr_assert_eq(recvs, 100);
	cr_assert_eq(sends, 100);
	cr_assert_eq(finished[V_EMPTY], 101);
	close(fd);
}

/* P22 */
Test(conn, request_of_single_bytes_gets_the_same_answer)
{
	static const char text[] =
		"POST /ok HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
		"2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nA: b\r\n\r\n";
	int fd = connects();

	for (size_t i = 0; i < sizeof(text) - 1; i++)
		says_bytes(fd, text + i, 1);
	cr_assert_str_eq(hears(fd), OK_HELLO);
	close(fd);
}

Test(conn, idle_connection_holds_no_buffer)
{
	int fd = connects();

	cr_assert_null(only_conn()->buf);
	says(fd, "GET");
	cr_assert_not_null(only_conn()->buf);
	says(fd, " /ok HTTP/1.1\r\nHost: a\r\n\r\n");
	cr_assert_str_eq(hears(fd), OK);
	cr_assert_null(only_conn()->buf);
	cr_assert_null(only_conn()->active);
	close(fd);
}

Test(conn, pipelined_requests_are_answered_in_their_order)
{
	char text[8 * KIB] = "", expected[8 * KIB] = "";
	int fd = connects();

	for (unsigned i = 0; i < 40; i++) {
		char one[128];

		snprintf(one, sizeof(one),
		         "POST /ok HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n%02u", i);
		strcat(text, one);
		snprintf(one, sizeof(one), "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n%02u", i);
		strcat(expected, one);
	}
	says(fd, GET_OK); /* no longer new */
	cr_assert_str_eq(hears(fd), OK);
	cr_assert_eq(send(fd, text, strlen(text), 0), (ssize_t)strlen(text));
	event_base_loop(walk.w.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	cr_assert_eq(finished[V_EMPTY], 1 + 16, "%u",
	             finished[V_EMPTY]); /* http.pipelined in one turn */
	turns(4);
	cr_assert_str_eq(hears(fd), expected);
	close(fd);
}

Test(conn, large_body_is_received_in_few_calls_and_turns_are_bounded)
{
	size_t n = 8 * MIB;
	char *body = xcalloc(1, n), head[128];
	int fd = connects();

	snprintf(head, sizeof(head), "POST /ok HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n",
	         n);
	says(fd, head);
	says_bytes(fd, body, n);
	cr_assert_str_eq(hears(fd), "HTTP/1.1 200\r\nContent-Length: 8388608\r\n\r\n");
	cr_assert_eq(budget_used(walk.w.budget), 0);
	free(body);
	close(fd);
}

Test(conn, head_of_more_than_16_kib_moves_to_a_large_buffer)
{
	char text[30 * KIB];
	size_t n = (size_t)sprintf(text, "GET /ok HTTP/1.1\r\nHost: a\r\n");
	int fd = connects();

	for (unsigned i = 0; i < 3; i++)
		n += (size_t)sprintf(text + n, "X: %08000u\r\n", i);
	n += (size_t)sprintf(text + n, "\r\n");
	says_bytes(fd, text, n);
	cr_assert_str_eq(hears(fd), OK);
	says(fd, GET_OK);
	cr_assert_str_eq(hears(fd), OK);
	close(fd);
}

Test(conn, large_head_behind_a_chunked_body_still_has_room_behind_it)
{
	static const char first[] =
		"POST /ok HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
	char text[BUFFER_LARGE];
	size_t begin = 5, n = begin;
	int fd;

	/* The second head ends with the last byte of the small buffer. */
	memcpy(text, "0\r\n\r\n", begin);
	n += (size_t)sprintf(text + n,
	                     "POST /ok HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n");
	while (n < BUFFER_SMALL - (sizeof(first) - 1) - 4) {
		size_t fill = min_size(8000, BUFFER_SMALL - (sizeof(first) - 1) - 4 - n);

		if (BUFFER_SMALL - (sizeof(first) - 1) - 4 - n - fill < 8 && fill == 8000)
			fill -= 100;
		n += (size_t)sprintf(text + n, "X: %0*u\r\n", (int)fill - 5, 0);
	}
	n += (size_t)sprintf(text + n, "\r\n");
	fd = connects();
	says(fd, first);
	says_bytes(fd, text, n);
	cr_assert_eq(only_conn()->buf_cap, BUFFER_LARGE);
	says(fd, "5\r\nhello\r\n0\r\n\r\n");
	cr_assert_str_eq(hears(fd), "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n" OK_HELLO);
	close(fd);
}

Test(conn, malformed_head_is_answered_and_the_connection_ends_without_a_reset)
{
	int fd = connects();

	says(fd, "GET / HTTP/1.1\nHost: a\n\nand more that nobody reads");
	cr_assert_str_eq(hears(fd),
	                 "HTTP/1.1 400\r\nConnection: close\r\nContent-Length: 0\r\n\r\n<end>");
	says(fd, "even now");
	close(fd);
	turns(2);
	cr_assert_eq(cs->count, 0);
}

Test(conn, http10_connection_is_closed_after_the_reply)
{
	int fd = connects();

	says(fd, "GET /ok HTTP/1.0\r\n\r\n");
	cr_assert_str_eq(hears(fd),
	                 "HTTP/1.1 200\r\nConnection: close\r\nContent-Length: 0\r\n\r\n<end>");
	cr_assert_eq(cs->count, 0);
	close(fd);
}

Test(conn, client_that_goes_in_the_middle_of_a_request_is_gone)
{
	int fd = connects();

	says(fd, "POST /ok HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe");
	close(fd);
	turns(2);
	cr_assert_eq(cs->count, 0);
	cr_assert_eq(finished[V_GONE], 1);
}

Test(conn, long_reply_goes_out_part_by_part)
{
	int fd = connects();
	const char *text;

	parts = 20;
	says(fd, "GET /parts HTTP/1.1\r\nHost: a\r\n\r\n");
	turns(40);
	text = hears(fd);
	cr_assert_eq(strlen(text), strlen("HTTP/1.1 200\r\nContent-Length: 10000\r\n\r\n") + 10000,
	             "%s", text);
	says(fd, GET_OK);
	cr_assert_str_eq(hears(fd), OK);
	close(fd);
}

/* ---- expect, early refusals ---- */

Test(conn, continue_comes_before_the_body_and_not_after)
{
	int fd = connects();

	says(fd,
	     "POST /ok HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
	cr_assert_str_eq(hears(fd), "HTTP/1.1 100 Continue\r\n\r\n");
	says(fd, "hello");
	cr_assert_str_eq(hears(fd), OK_HELLO);
	close(fd);
}

/* F47 */
Test(conn, refused_head_gets_no_continue_and_no_body_is_read)
{
	int fd = connects();

	says(fd, "POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: "
	         "100-continue\r\n\r\n");
	cr_assert_str_eq(hears(fd),
	                 "HTTP/1.1 401\r\nConnection: close\r\nContent-Length: 0\r\n\r\n<end>");
	close(fd);
}

Test(conn, small_body_of_a_refused_request_is_skipped)
{
	char body[1000];
	int fd = connects();

	memset(body, 'G', sizeof(body));
	says(fd, "POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n");
	cr_assert_str_eq(hears(fd), "HTTP/1.1 401\r\nContent-Length: 0\r\n\r\n");
	says_bytes(fd, body, sizeof(body));
	says_bytes(fd, body, sizeof(body));
	says(fd, GET_OK GET_OK);
	cr_assert_str_eq(hears(fd), OK OK);
	close(fd);
}

Test(conn, body_of_a_refused_request_that_came_with_the_head_is_skipped)
{
	int fd = connects();

	says(fd, "POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nGET /" GET_OK);
	cr_assert_str_eq(hears(fd), "HTTP/1.1 401\r\nContent-Length: 0\r\n\r\n" OK);
	close(fd);
}

Test(conn, skipping_has_a_deadline)
{
	int fd = connects();

	says(fd, "POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n");
	hears(fd);
	later(5000);
	cr_assert_str_eq(hears(fd), "<end>");
	close(fd);
}

Test(conn, large_body_of_a_refused_request_ends_the_connection_without_a_reset)
{
	char body[32 * KIB] = "";
	int fd = connects();

	says(fd, "POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 1073741824\r\n\r\n");
	says_bytes(fd, body, sizeof(body));
	cr_assert_str_eq(hears(fd),
	                 "HTTP/1.1 401\r\nConnection: close\r\nContent-Length: 0\r\n\r\n<end>");
	cr_assert_eq(cs->count, 1); /* it waits for the client's end */
	close(fd);
	turns(2);
	cr_assert_eq(cs->count, 0);
}

/* As many bytes as the socket takes, and then no more of them. */
static size_t sends_on(int fd)
{
	static const char body[16 * KIB];
	size_t all = 0;
	ssize_t n;

	while ((n = send(fd, body, sizeof(body), MSG_NOSIGNAL)) > 0 && all < 64 * MIB) {
		all += (size_t)n;
		turns(3);
	}
	cr_assert(n < 0 && errno == EAGAIN, "it is held up, not reset: %s", strerror(errno));
	return all;
}

#define POST_EARLY "POST /early HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

Test(conn, who_sends_on_for_ever_is_read_for_64_kib_and_cut_in_the_end)
{
	int fd = connects();

	says(fd, POST_EARLY);
	recvs = 0;
	sends_on(fd);
	cr_assert_leq(recvs, 5, "of 16 KiB each");
	turns(10);
	cr_assert_leq(recvs, 5);
	later(1999);
	cr_assert_eq(cs->count, 1);
	later(1);
	cr_assert_eq(cs->count, 0);
	close(fd);
}

Test(conn, refused_client_that_looks_only_when_its_bytes_are_not_taken_finds_the_reply)
{
	int fd = connects_tcp();

	says(fd, POST_EARLY);
	cr_assert_gt(sends_on(fd), 64 * KIB);
	cr_assert_str_eq(hears(fd),
	                 "HTTP/1.1 401\r\nConnection: close\r\nContent-Length: 0\r\n\r\n<end>");
	cr_assert_eq(cs->count, 1);
	close(fd); /* with bytes of ours unread, or not: it is gone */
	later(2000);
	cr_assert_eq(cs->count, 0);
}

Test(conn, end_of_a_refused_client_is_seen_though_it_is_read_no_more)
{
	static const char body[100 * KIB];
	int fd = connects();

	says(fd, POST_EARLY);
	says_bytes(fd, body, sizeof(body));
	cr_assert_eq(cs->count, 1);
	close(fd);
	turns(2);
	cr_assert_eq(cs->count, 0);
}

/* ---- late answers ---- */

Test(conn, late_answer_finds_its_request_once)
{
	int fd = connects();

	says(fd, POST_WAKE);
	cr_assert_str_eq(hears(fd), "");
	cr_assert(!req_wake(&walk.w, handle + (UINT64_C(1) << 32), V_ACCEPTED, 0, 0));
	cr_assert(!req_wake(&walk.w, handle + 1, V_ACCEPTED, 0, 0));
	cr_assert(!req_wake(&walk.w, handle + 1000000, V_ACCEPTED, 0, 0));
	cr_assert(req_wake(&walk.w, handle, V_ACCEPTED, 3, 77));
	cr_assert_str_eq(hears(fd), OK_HELLO);
	cr_assert_eq(finished[V_ACCEPTED], 1);
	cr_assert(!req_wake(&walk.w, handle, V_ACCEPTED, 3, 77));
	says(fd, GET_OK);
	cr_assert_str_eq(hears(fd), OK);
	close(fd);
}

Test(conn, answer_inside_send_is_taken)
{
	int fd = connects();

	wake_inside = true;
	says(fd, POST_WAKE);
	cr_assert_str_eq(hears(fd), OK_HELLO);
	close(fd);
}

Test(conn, client_is_named_to_the_stages)
{
	struct sockaddr_in mine;
	socklen_t n = sizeof(mine);
	char expected[64];
	int fd = connects_tcp();

	says(fd, POST_WAKE);
	UNTIL(handle != 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&mine, &n), 0);
	snprintf(expected, sizeof(expected), "127.0.0.1:%u", ntohs(mine.sin_port));
	cr_assert_str_eq(client_text, expected);
	close(fd);
}

Test(conn, bytes_that_come_while_kafka_is_awaited_wait_in_the_socket)
{
	int fd = connects();
	struct conn *c = only_conn();

	says(fd, POST_WAKE);
	cr_assert_eq(c->watch, WATCH_READ);
	recvs = 0;
	says(fd, GET_OK);
	cr_assert_eq(c->watch, WATCH_NONE);
	turns(10);
	cr_assert_eq(recvs, 0);
	cr_assert(req_wake(&walk.w, handle, V_ACCEPTED, 0, 0));
	cr_assert_str_eq(hears(fd), OK_HELLO OK);
	cr_assert_eq(c->watch, WATCH_READ);
	close(fd);
}

/* F68 */
Test(conn, half_closed_client_gets_its_reply_and_does_not_wake_the_loop)
{
	int fd = connects();
	struct conn *c = only_conn();

	says(fd, POST_WAKE);
	cr_assert_eq(shutdown(fd, SHUT_WR), 0);
	turns(2);
	cr_assert_eq(c->watch, WATCH_NONE);
	cr_assert(c->active->r.peer_half_closed);
	cr_assert_eq(event_base_get_num_events(walk.w.base, EVENT_BASE_COUNT_ACTIVE), 0);
	later(8000);
	cr_assert_str_eq(hears(fd), "HTTP/1.1 503\r\nContent-Length: 5\r\n\r\nhello<end>");
	cr_assert_eq(finished[V_KAFKA_TIMEOUT], 1);
	cr_assert_eq(cs->count, 0);
	close(fd);
}

/* A commit on a disk that hangs was told as hg-kafka-timeout. */
Test(conn, what_the_local_store_does_not_answer_in_time_is_no_fault_of_kafka)
{
	int fd = connects();

	walk.conf.sink = SINK_LOCAL;
	says(fd, POST_WAKE);
	turns(2);
	later(8000);
	cr_assert_eq(finished[V_STORE], 1);
	cr_assert_eq(finished[V_KAFKA_TIMEOUT], 0);
	close(fd);
}

Test(conn, client_that_resets_while_kafka_is_awaited_harms_nobody)
{
	struct linger at_once = { 1, 0 };
	int fd = connects_tcp();

	says(fd, POST_WAKE);
	UNTIL(handle != 0);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(fd);
	UNTIL(only_conn()->watch == WATCH_NONE);
	cr_assert(req_wake(&walk.w, handle, V_ACCEPTED, 0, 0));
	cr_assert_eq(cs->count, 0);
	cr_assert_eq(finished[V_ACCEPTED], 1);
}

Test(conn, answer_after_the_deadline_comes_too_late)
{
	int fd = connects();

	says(fd, POST_WAKE);
	later(7999);
	cr_assert_str_eq(hears(fd), "");
	later(1);
	cr_assert_str_eq(hears(fd), "HTTP/1.1 503\r\nContent-Length: 5\r\n\r\nhello");
	cr_assert(!req_wake(&walk.w, handle, V_ACCEPTED, 0, 0));
	says(fd, GET_OK);
	cr_assert_str_eq(hears(fd), OK);
	close(fd);
}

Test(conn, pipelined_request_behind_a_late_answer_waits_for_the_next_turn)
{
	int fd = connects();

	says(fd, POST_WAKE GET_OK);
	cr_assert(req_wake(&walk.w, handle, V_ACCEPTED, 0, 0));
	cr_assert_eq(finished[V_EMPTY], 0);
	cr_assert_str_eq(hears(fd), OK_HELLO OK);
	close(fd);
}
