/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that are worked on beside the loop. */
#include "tests/unit/worker/conn_fakes.h"
#include "worker/conn.c"

#include "tests/unit/worker/conn_walk.h"

/* ---- beside the loop ---- */

#define POST_BESIDE "POST /beside HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
#define POST_EARLY "POST /early-beside HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"

Test(conn, a_request_beside_the_loop_has_no_deadline_and_others_go_on)
{
	int a = connects(), b;

	says(a, POST_BESIDE);
	later(1000000);
	cr_assert_str_eq(hears(a), "");
	b = connects();
	says(b, POST_OK);
	cr_assert_str_eq(hears(b), OK_HELLO);
	comes_back();
	cr_assert_str_eq(hears(a), OK_HELLO);
	cr_assert_eq(backs, 1);
	says(a, GET_OK);
	cr_assert_str_eq(hears(a), OK);
	close(a);
	close(b);
}

/* What comes, or goes, meanwhile is looked at when the request is back, and wakes nobody before. */
Test(conn, bytes_that_come_while_a_request_is_beside_wait_in_the_socket)
{
	int fd = connects();
	struct conn *c = only_conn();

	says(fd, POST_BESIDE);
	recvs = 0;
	says(fd, GET_OK);
	cr_assert_eq(shutdown(fd, SHUT_WR), 0);
	turns(10);
	cr_assert_eq(c->watch, WATCH_NONE);
	cr_assert_eq(recvs, 0);
	comes_back();
	cr_assert_str_eq(hears(fd), OK_HELLO OK "<end>");
	cr_assert_eq(cs->count, 0);
	close(fd);
}

Test(conn, a_client_that_resets_while_its_request_is_beside_harms_nobody)
{
	struct linger at_once = { 1, 0 };
	int fd = connects_tcp();

	says(fd, POST_BESIDE);
	UNTIL(beside != NULL);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(fd);
	UNTIL(only_conn()->watch == WATCH_NONE);
	cr_assert_eq(cs->count, 1);
	comes_back();
	cr_assert_eq(cs->count, 0);
	cr_assert_eq(finished[V_EMPTY], 1);
}

/* The thread has the request: what ends its connection waits for it. */
Test(conn, a_connection_that_is_cut_while_its_request_is_beside_ends_when_it_is_back)
{
	int fd = connects();

	says(fd, POST_EARLY);
	cr_assert_eq(only_conn()->watch, WATCH_WRITE);
	later(30000);
	cr_assert_eq(stats_get(walk.w.stats, STAT_CONNECTIONS_REFUSED, 0, CONN_WRITE_TIMEOUT), 1);
	cr_assert_eq(cs->count, 1);
	cr_assert_eq(only_conn()->watch, WATCH_NONE);
	later(1000000);
	cr_assert_eq(cs->count, 1);
	cr_assert_eq(finished[V_GONE], 0);
	comes_back();
	cr_assert_eq(cs->count, 0);
	cr_assert_eq(finished[V_GONE], 1);
	close(fd);
}

Test(conn, a_client_that_goes_while_we_write_and_its_request_is_beside_is_gone)
{
	int fd = connects();

	says(fd, POST_EARLY);
	close(fd);
	turns(5);
	cr_assert_eq(cs->count, 1);
	comes_back();
	cr_assert_eq(cs->count, 0);
	cr_assert_eq(finished[V_GONE], 1);
}

Test(conn, what_a_request_beside_still_had_to_send_is_sent_meanwhile)
{
	int fd = connects();
	size_t got = 0;
	ssize_t n;

	says(fd, POST_EARLY);
	for (unsigned tries = 0; got < sizeof(early) && tries < 100000; tries++) {
		n = recv(fd, heard, sizeof(heard), 0);
		got += n > 0 ? (size_t)n : 0;
		turns(1);
	}
	cr_assert_eq(got, sizeof(early));
	comes_back();
	cr_assert_str_eq(hears(fd), OK_HELLO);
	close(fd);
}

Test(conn, a_request_beside_is_finished_while_draining)
{
	int fd = connects();

	says(fd, POST_BESIDE);
	conns_drain(cs);
	cr_assert_not(only_conn()->active->r.last_on_connection); /* it is the thread's */
	later(2000);
	cr_assert_not(conns_idle(cs));
	comes_back();
	cr_assert_str_eq(
		hears(fd),
		"HTTP/1.1 200\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello<end>");
	close(fd);
	turns(2);
	cr_assert(conns_idle(cs));
}

Test(conn, closing_all_finishes_those_beside_too)
{
	int fd = connects();

	says(fd, POST_BESIDE);
	conns_close(cs);
	cs = walk.w.conns = conns_open(&walk.w, NULL);
	cr_assert_eq(finished[V_GONE], 1);
	close(fd);
}
