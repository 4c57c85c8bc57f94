/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that take many turns, and all that has an end. */
#include "tests/unit/worker/conn_fakes.h"
#include "worker/conn.c"

#include "tests/unit/worker/conn_walk.h"

/* ---- a request that takes many turns ---- */

#define GET_TURNS "GET /turns HTTP/1.1\r\nHost: a\r\n\r\n"

/* turns() goes on until nothing is ready, which is the end of such a request: this does not. */
static void single_turns(unsigned n)
{
	while (n--)
		event_base_loop(walk.w.base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
}

Test(conn, others_are_served_between_the_turns_of_one_request)
{
	int long_one = connects(), other = connects();

	turns_left = 1000;
	cr_assert_gt(send(long_one, GET_TURNS, strlen(GET_TURNS), MSG_NOSIGNAL), 0);
	single_turns(3);
	cr_assert_lt(turns_left, 1000);
	for (unsigned i = 0; i < 10; i++) {
		unsigned before = turns_left;
		char reply[64] = "";

		cr_assert_gt(send(other, GET_OK, strlen(GET_OK), MSG_NOSIGNAL), 0);
		single_turns(3);
		cr_assert_gt(recv(other, reply, sizeof(reply) - 1, 0), 0);
		cr_assert_str_eq(reply, OK);
		cr_assert_lt(turns_left, before, "it goes on meanwhile");
		cr_assert_geq(turns_left + 6, before, "in one turn no more than is for one");
	}
	cr_assert_str_eq(hears(long_one), OK);
	close(long_one);
	close(other);
}

Test(conn, requests_that_take_many_turns_go_on_side_by_side)
{
	int a = connects(), b = connects();

	turns_left = 40;
	says(a, GET_TURNS);
	says(b, GET_TURNS);
	turns(30);
	cr_assert_eq(turns_left, 0);
	cr_assert_str_eq(hears(a), OK);
	cr_assert_str_eq(hears(b), OK);
	close(a);
	close(b);
}

Test(conn, a_deadline_between_two_turns_ends_the_request)
{
	int fd = connects();

	turns_left = 1000000;
	cr_assert_gt(send(fd, GET_TURNS, strlen(GET_TURNS), MSG_NOSIGNAL), 0);
	single_turns(5);
	clock_is(now_ms + 7999);
	deadlines_sweep(cs);
	single_turns(5);
	cr_assert_eq(finished[V_KAFKA_TIMEOUT], 0);
	clock_is(now_ms + 1);
	deadlines_sweep(cs);
	cr_assert_eq(finished[V_KAFKA_TIMEOUT], 1);
	cr_assert_gt(turns_left, 900000);
	cr_assert_str_eq(hears(fd), "HTTP/1.1 503\r\nContent-Length: 0\r\n\r\n");
	turns_left = 0;
	says(fd, GET_OK);
	cr_assert_str_eq(hears(fd), OK);
	close(fd);
}

Test(conn, a_client_that_resets_between_two_turns_is_noticed_at_the_end)
{
	struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
	int fd = connects_tcp();

	turns_left = 50;
	says(fd, GET_TURNS);
	UNTIL(turns_left < 50);
	cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
	close(fd);
	UNTIL(cs->count == 0);
	cr_assert_eq(turns_left, 0, "what it sent is still worth its records");
}

/* ---- deadlines ---- */

Test(conn, slow_head_gets_408_from_its_first_byte_on)
{
	int fd = connects();

	later(9000);
	says(fd, "GET /ok");
	later(9999);
	cr_assert_str_eq(hears(fd), "");
	says(fd, " "); /* more bytes do not help */
	later(1);
	cr_assert_str_eq(hears(fd),
	                 "HTTP/1.1 408\r\nConnection: close\r\nContent-Length: 0\r\n\r\n<end>");
	close(fd);
}

Test(conn, stalled_body_gets_408_and_a_slow_but_steady_one_does_not)
{
	static char second[1024 + 8];
	int fd = connects();

	says(fd, "POST /ok HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
	for (unsigned i = 0; i < 12; i++) {
		says_bytes(fd, second, sizeof(second));
		later(1000);
	}
	cr_assert_str_eq(hears(fd), "");
	later(5000);
	cr_assert_str_eq(hears(fd),
	                 "HTTP/1.1 408\r\nConnection: close\r\nContent-Length: 0\r\n\r\n<end>");
	cr_assert_eq(finished[V_BODY_TIMEOUT], 1);
	cr_assert_eq(budget_used(walk.w.budget), 0);
	close(fd);
}

Test(conn, without_grace_a_slow_body_is_judged_and_the_sweep_ends, .timeout = 10)
{
	struct err err = { "" };
	int fd;

	conns_close(cs);
	walk.conf.http.body_grace = 0;
	cs = walk.w.conns = conns_open(&walk.w, &err);
	cr_assert_not_null(cs, "%s", err.text);
	listens(0, 0, PUBLIC);
	fd = connects();
	says(fd, "POST /ok HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
	later(0);
	cr_assert_str_eq(hears(fd), "");
	later(1000);
	cr_assert_str_eq(hears(fd),
	                 "HTTP/1.1 408\r\nConnection: close\r\nContent-Length: 0\r\n\r\n<end>");
	close(fd);
}

Test(conn, idle_connection_is_closed_without_a_word)
{
	int fd = connects();

	says(fd, GET_OK);
	hears(fd);
	later(74999);
	cr_assert_str_eq(hears(fd), "");
	later(1);
	cr_assert_str_eq(hears(fd), "<end>");
	cr_assert_eq(stats_get(walk.w.stats, STAT_CONNECTIONS_REFUSED, 0, CONN_IDLE_TIMEOUT), 1);
	close(fd);
}

Test(conn, reply_that_nobody_reads_is_cut)
{
	int fd = connects();

	parts = 100000;
	says(fd, "GET /parts HTTP/1.1\r\nHost: a\r\n\r\n");
	turns(3000);
	cr_assert_eq(only_conn()->watch, WATCH_WRITE);
	later(29999);
	cr_assert_eq(cs->count, 1);
	later(1);
	cr_assert_eq(cs->count, 0);
	cr_assert_eq(stats_get(walk.w.stats, STAT_CONNECTIONS_REFUSED, 0, CONN_WRITE_TIMEOUT), 1);
	close(fd);
}

Test(conn, last_request_of_a_connection_says_close)
{
	int fd;

	walk.conf.http.requests_per_connection = 2;
	fd = connects();
	says(fd, GET_OK);
	cr_assert_str_eq(hears(fd), OK);
	says(fd, GET_OK GET_OK);
	cr_assert_str_eq(hears(fd), OK_CLOSE "<end>");
	cr_assert_eq(finished[V_EMPTY], 2);
	close(fd);
}
