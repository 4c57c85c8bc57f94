/* SPDX-License-Identifier: Apache-2.0 */
/* Who may come in, and a worker that drains. */
#include "tests/unit/worker/conn_fakes.h"
#include "worker/conn.c"

#include "tests/unit/worker/conn_walk.h"

/* ---- who may come in ---- */

Test(conn, oldest_idle_connection_makes_room_for_a_new_one)
{
	int a, b, c;

	listeners[0].max_connections = 2;
	a = connects();
	later(10);
	b = connects();
	later(10);
	says(a, GET_OK); /* now b has been idle for longer */
	hears(a);
	c = connects();
	cr_assert_str_eq(hears(b), "<end>");
	says(c, GET_OK);
	cr_assert_str_eq(hears(c), OK);
	says(a, GET_OK);
	cr_assert_str_eq(hears(a), OK);
	cr_assert_eq(stats_get(walk.w.stats, STAT_CONNECTIONS_REFUSED, 0, CONN_LIMIT), 1);
	close(a);
	close(b);
	close(c);
}

Test(conn, newcomer_gets_503_when_everybody_is_busy)
{
	int a, b;

	listeners[0].max_connections_per_source = 1;
	a = connects();
	says(a, POST_WAKE);
	b = connects();
	says(b, GET_OK);
	cr_assert_str_eq(hears(b), "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n"
	                           "Content-Length: 0\r\nConnection: close\r\n\r\n<end>");
	cr_assert_eq(stats_get(walk.w.stats, STAT_CONNECTIONS_REFUSED, 0, CONN_SOURCE_LIMIT), 1);
	close(b);
	cr_assert(req_wake(&walk.w, handle, V_ACCEPTED, 0, 0));
	cr_assert_str_eq(hears(a), OK_HELLO);
	close(a);
	turns(2);
	cr_assert_eq(cs->count, 0);
	b = connects(); /* the count went down again */
	says(b, GET_OK);
	cr_assert_str_eq(hears(b), OK);
	close(b);
}

Test(conn, limits_are_shares_of_the_host_s)
{
	int a, b;

	walk.conf.workers = 2;
	conns_close(cs);
	cs = walk.w.conns = conns_open(&walk.w, NULL);
	listens(0, 0, PUBLIC);
	listeners[0].max_connections = 3; /* 2 here */
	a = connects();
	b = connects();
	close(connects());
	cr_assert_str_eq(hears(a), "<end>");
	close(a);
	close(b);
}

Test(conn, without_descriptors_accept_pauses_and_the_client_sees_an_end)
{
	struct rlimit before, none;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), again = socket(AF_UNIX, SOCK_STREAM, 0);

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = (rlim_t)again + 1;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	cr_assert(reaches(fd, PUBLIC));
	turns(2);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	cr_assert_str_eq(hears(fd), "<end>");
	cr_assert(cs->paused);
	cr_assert_geq(cs->reserve_fd, 0);
	cr_assert(reaches(again, PUBLIC));
	turns(5);
	cr_assert_eq(cs->count, 0);
	setrlimit(RLIMIT_NOFILE, &before);
	event_active(&cs->pause, EV_TIMEOUT, 0); /* its time is over */
	turns(3);
	cr_assert_eq(cs->count, 1);
	close(fd);
	close(again);
}

Test(conn, accepted_sockets_inherit_nodelay)
{
	int on = 0, fd = connects_tcp();
	socklen_t n = sizeof(on);

	cr_assert_eq(getsockopt(only_conn()->fd, IPPROTO_TCP, TCP_NODELAY, &on, &n), 0);
	cr_assert_neq(on, 0);
	cr_assert(only_conn()->listener->loopback);
	cr_assert(!only_conn()->listener->admin);
	close(fd);
}

Test(conn, client_of_a_unix_socket_is_this_machine)
{
	int fd;

	listens(1, 0, ADMIN);
	fd = connects_to(ADMIN);
	says(fd, POST_WAKE);
	cr_assert_str_eq(client_text, "unix");
	cr_assert(only_conn()->listener->admin);
	cr_assert(!only_conn()->listener->loopback);
	cr_assert(IN6_IS_ADDR_LOOPBACK((struct in6_addr *)only_conn()->active->r.client));
	cr_assert(req_wake(&walk.w, handle, V_ACCEPTED, 0, 0));
	cr_assert_str_eq(hears(fd), OK_HELLO);
	close(fd);
}

Test(conn, adopted_sockets_are_released_by_their_slot)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	listens(0, 7, ADOPTED);
	close(connects_to(ADOPTED));
	conns_release(cs, 7);
	cr_assert(!reaches(fd, ADOPTED));
	conns_release(cs, 0); /* our own slot is not adopted */
	close(connects());
	turns(2);
	cr_assert_eq(stats_get(walk.w.stats, STAT_CONNECTIONS_ACCEPTED, 0, 0), 2);
	close(fd);
}

/* ---- drain ---- */

Test(conn, late_request_on_an_idle_connection_is_answered_while_draining)
{
	int fd = connects();

	says(fd, GET_OK);
	hears(fd);
	conns_drain(cs);
	later(900);
	says(fd, GET_OK);
	cr_assert_str_eq(hears(fd), OK_CLOSE "<end>");
	close(fd);
	turns(2);
	cr_assert(conns_idle(cs));
}

Test(conn, quiet_connection_is_closed_without_a_reset_while_draining)
{
	int fd = connects();

	conns_drain(cs);
	cr_assert(!conns_idle(cs));
	later(1000);
	says(fd, GET_OK); /* crosses our end on its way */
	cr_assert_str_eq(hears(fd), "<end>");
	close(fd);
	turns(2);
	cr_assert(conns_idle(cs));
}

Test(conn, request_that_waits_is_finished_while_draining)
{
	int fd = connects(), late = socket(AF_UNIX, SOCK_STREAM, 0);

	says(fd, POST_WAKE);
	conns_drain(cs);
	cr_assert(!reaches(late, PUBLIC)); /* nobody else holds it here */
	later(2000);
	cr_assert(req_wake(&walk.w, handle, V_ACCEPTED, 0, 0));
	cr_assert_str_eq(
		hears(fd),
		"HTTP/1.1 200\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello<end>");
	close(fd);
	close(late);
}

Test(conn, closing_all_finishes_each_request_once)
{
	int a = connects(), b = connects(), c = connects();

	says(a, POST_WAKE);
	says(b, "GET /o");
	says(c, GET_OK);
	conns_close(cs);
	cs = walk.w.conns = conns_open(&walk.w, NULL);
	cr_assert_eq(finished[V_GONE], 2);
	cr_assert_eq(finished[V_EMPTY], 1);
	cr_assert(!req_wake(&walk.w, handle, V_ACCEPTED, 0, 0));
	close(a);
	close(b);
	close(c);
}
