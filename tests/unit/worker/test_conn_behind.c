/* SPDX-License-Identifier: Apache-2.0 */
/* Whose last request was refused, and who is new, goes on behind all others. */
#include "tests/unit/worker/conn_fakes.h"
#include "worker/conn.c"

#include "tests/unit/worker/conn_walk.h"

#define GET_EARLY "GET /early HTTP/1.1\r\nHost: a\r\n\r\n"
#define REFUSED "HTTP/1.1 401\r\nContent-Length: 0\r\n\r\n"

enum { LOUD = 40, PER_TURN = 4 };

static int loud[LOUD];

static void single_turns(unsigned n)
{
	while (n--)
		event_base_loop(walk.w.base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
}

static void writes(int fd, const char *text)
{
	cr_assert_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void all_are_refused_once(void)
{
	for (unsigned i = 0; i < LOUD; i++) {
		loud[i] = connects();
		says(loud[i], GET_EARLY);
		cr_assert_str_eq(hears(loud[i]), REFUSED);
	}
}

static void all_close(void)
{
	for (unsigned i = 0; i < LOUD; i++)
		close(loud[i]);
}

static void all_were_answered(void)
{
	unsigned answered = 0;

	for (unsigned i = 0; i < LOUD; i++)
		answered += strstr(hears(loud[i]), "200") != NULL;
	cr_assert_eq(answered, LOUD, "%u of %d answered", answered, LOUD);
}

/* Of a connection whose first request was let in. */
static int known(void)
{
	int fd = connects();

	says(fd, GET_OK);
	cr_assert_str_eq(hears(fd), OK);
	return fd;
}

static void is_served_at_once(int quiet)
{
	char reply[64] = "";

	writes(quiet, GET_OK);
	single_turns(1);
	cr_assert_gt(recv(quiet, reply, sizeof(reply) - 1, 0), 0);
	cr_assert_str_eq(reply, OK);
}

/* R24 */
Test(conn, connections_that_come_all_at_once_keep_nobody_waiting)
{
	int quiet = known();
	unsigned before = finished[V_EMPTY];

	for (unsigned i = 0; i < LOUD; i++)
		loud[i] = connects();
	for (unsigned i = 0; i < LOUD; i++)
		writes(loud[i], GET_OK);
	single_turns(1);
	for (unsigned i = 1; i <= 3; i++) {
		is_served_at_once(quiet);
		cr_assert_leq(finished[V_EMPTY] - before, i + (i + 1) * PER_TURN);
	}
	turns(LOUD);
	all_were_answered();
	all_close();
	close(quiet);
}

Test(conn, who_is_new_does_not_wait_for_all_who_are_refused)
{
	char reply[64] = "";
	int fd;

	all_are_refused_once();
	fd = connects();
	for (unsigned i = 0; i < LOUD; i++)
		writes(loud[i], GET_EARLY);
	writes(fd, GET_OK);
	single_turns(3);
	cr_assert_gt(recv(fd, reply, sizeof(reply) - 1, 0), 0);
	cr_assert_str_eq(reply, OK);
	cr_assert_leq(finished[V_CREDENTIAL] - LOUD, 3 * PER_TURN);
	all_close();
	close(fd);
}

/* Its timer was due, and each who came put it off. */
Test(conn, one_that_comes_in_each_turn_puts_off_nobody)
{
	unsigned before;
	int quiet = known();

	for (unsigned i = 0; i < LOUD; i++)
		loud[i] = connects();
	turns_left = 10;
	writes(quiet, "GET /turns HTTP/1.1\r\nHost: a\r\n\r\n");
	before = finished[V_EMPTY];
	for (unsigned i = 0; i < LOUD; i++) {
		writes(loud[i], GET_EARLY);
		single_turns(1);
	}
	cr_assert_eq(finished[V_EMPTY], before + 1, "who is known goes on");
	cr_assert_geq(finished[V_CREDENTIAL], LOUD - 2, "who is new goes on");
	for (unsigned i = 0; i < LOUD; i++) {
		writes(loud[i], GET_EARLY);
		single_turns(1);
	}
	cr_assert_geq(finished[V_CREDENTIAL], 2 * LOUD - 2, "who was refused goes on");
	all_close();
	close(quiet);
}

Test(conn, more_of_those_behind_go_on_in_a_long_turn)
{
	unsigned before;

	all_are_refused_once();
	before = finished[V_CREDENTIAL];
	for (unsigned i = 0; i < LOUD; i++)
		writes(loud[i], GET_EARLY);
	single_turns(1);
	clock_is(now_ms + 4); /* the clock stands still while those behind go on: for all of them */
	single_turns(1);
	cr_assert_eq(finished[V_CREDENTIAL] - before, LOUD);
	all_close();
}

Test(conn, who_asks_of_the_admin_listener_waits_for_no_client)
{
	char reply[64] = "";
	int probe;

	listens(1, 0, ADMIN);
	for (unsigned i = 0; i < LOUD; i++)
		loud[i] = connects();
	probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	cr_assert(reaches(probe, ADMIN));
	turns(1);
	for (unsigned i = 0; i < LOUD; i++)
		writes(loud[i], GET_OK);
	writes(probe, GET_OK);
	single_turns(2); /* epoll tells of 32 at first */
	cr_assert_gt(recv(probe, reply, sizeof(reply) - 1, 0), 0);
	cr_assert_leq(finished[V_EMPTY], 1 + PER_TURN);
	all_close();
	close(probe);
}

/* R24 */
Test(conn, who_is_refused_on_many_connections_keeps_nobody_waiting)
{
	int quiet = known();
	unsigned before;

	all_are_refused_once();
	before = finished[V_CREDENTIAL];
	for (unsigned i = 0; i < LOUD; i++)
		writes(loud[i], GET_EARLY);
	single_turns(1);
	for (unsigned i = 1; i <= 3; i++) {
		is_served_at_once(quiet);
		cr_assert_leq(finished[V_CREDENTIAL] - before, (i + 1) * PER_TURN);
	}
	all_close();
	close(quiet);
}

Test(conn, who_is_behind_is_answered_all_the_same)
{
	all_are_refused_once();
	for (unsigned i = 0; i < LOUD; i++)
		writes(loud[i], i % 2 ? GET_EARLY : GET_OK);
	turns(LOUD);
	for (unsigned i = 0; i < LOUD; i++)
		cr_assert_str_eq(hears(loud[i]), i % 2 ? REFUSED : OK);
	all_close();
}

/* Its event stays as it is, and it is served in the turn it comes in. */
Test(conn, who_is_no_longer_refused_is_no_longer_behind)
{
	int fd = connects();

	says(fd, GET_EARLY);
	cr_assert_eq(only_conn()->line, LINE_REFUSED);
	says(fd, GET_OK);
	cr_assert_eq(only_conn()->line, LINE_KNOWN);
	cr_assert_str_eq(hears(fd), REFUSED OK);
	writes(fd, GET_OK);
	single_turns(1);
	cr_assert_eq(finished[V_EMPTY], 2);
	close(fd);
}

Test(conn, of_pipelined_requests_that_are_refused_each_takes_its_turn)
{
	char text[2 * KIB] = "";
	int fd = connects();

	for (unsigned i = 0; i < 12; i++)
		strcat(text, GET_EARLY);
	writes(fd, text);
	for (unsigned i = 1; i <= 12; i++) {
		single_turns(1);
		cr_assert_leq(finished[V_CREDENTIAL], i);
	}
	turns(4);
	cr_assert_eq(finished[V_CREDENTIAL], 12);
	close(fd);
}

Test(conn, who_goes_while_behind_is_forgotten)
{
	all_are_refused_once();
	for (unsigned i = 0; i < LOUD; i++)
		writes(loud[i], GET_EARLY);
	single_turns(1);
	all_close();
	turns(LOUD);
	cr_assert_eq(cs->count, 0);
	cr_assert(TAILQ_EMPTY(&cs->lines[LINE_REFUSED]));
}

Test(conn, closing_all_closes_those_behind)
{
	all_are_refused_once();
	for (unsigned i = 0; i < LOUD; i++)
		writes(loud[i], GET_EARLY);
	single_turns(1);
	cr_assert_not(TAILQ_EMPTY(&cs->lines[LINE_REFUSED]));
	all_close(); /* and closes(): a leak or a use after free is ASan's to tell */
}

/* ---- who would pass the others ---- */

/* Each write ends in the next request's first byte. */
Test(conn, who_is_refused_does_not_pass_the_others_by_writing_in_odd_pieces)
{
	unsigned before;

	all_are_refused_once();
	for (unsigned i = 0; i < LOUD; i++)
		says(loud[i], "G");
	before = finished[V_CREDENTIAL];
	for (unsigned i = 0; i < LOUD; i++)
		writes(loud[i], &(GET_EARLY "G")[1]);
	single_turns(1);
	cr_assert_leq(finished[V_CREDENTIAL] - before, PER_TURN, "%u in one turn",
	              finished[V_CREDENTIAL] - before);
}

Test(conn, who_is_refused_does_not_pass_the_others_by_two_requests_in_odd_pieces)
{
	unsigned before;

	all_are_refused_once();
	for (unsigned i = 0; i < LOUD; i++)
		says(loud[i], "G");
	before = finished[V_CREDENTIAL];
	for (unsigned i = 0; i < LOUD; i++)
		writes(loud[i], &(GET_EARLY GET_EARLY "G")[1]);
	single_turns(1);
	cr_assert_leq(finished[V_CREDENTIAL] - before, PER_TURN, "%u in one turn",
	              finished[V_CREDENTIAL] - before);
}

#define POST_EARLY_PART "POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe"

/* Each write ends within a body that nobody wants. */
Test(conn, who_is_refused_does_not_pass_the_others_by_halves_of_bodies)
{
	unsigned before;

	all_are_refused_once();
	for (unsigned i = 0; i < LOUD; i++)
		says(loud[i], POST_EARLY_PART);
	turns(LOUD);
	before = finished[V_CREDENTIAL];
	for (unsigned n = 1; n <= 3; n++) {
		for (unsigned i = 0; i < LOUD; i++)
			writes(loud[i], "llo" POST_EARLY_PART);
		single_turns(1);
	}
	cr_assert_leq(finished[V_CREDENTIAL] - before, 3 * PER_TURN, "%u in three turns",
	              finished[V_CREDENTIAL] - before);
}

/* ---- a request that waits for us ---- */

/* Turns of 300 ms, QUIET_MS is a second. */
Test(conn, a_request_that_waits_behind_is_answered_while_draining)
{
	all_are_refused_once();
	for (unsigned i = 0; i < LOUD; i++)
		writes(loud[i], GET_OK);
	conns_drain(cs);
	for (unsigned n = 0; n < 4; n++) {
		clock_is(now_ms + 300);
		deadlines_sweep(cs);
		single_turns(1);
	}
	turns(50);
	all_were_answered();
}

Test(conn, a_request_that_waits_behind_is_not_idle)
{
	walk.conf.http.idle_timeout = 100;
	cs->durations[DEADLINE_IDLE] = 100;
	all_are_refused_once();
	for (unsigned i = 0; i < LOUD; i++)
		writes(loud[i], GET_OK);
	for (unsigned n = 0; n < 4; n++) {
		single_turns(1);
		clock_is(now_ms + 30);
		deadlines_sweep(cs);
	}
	turns(50);
	all_were_answered();
}

/* With http.body_grace: 0 the sweep never came to its end. */
Test(conn, a_body_that_nobody_wants_has_its_end_behind_too, .timeout = 10)
{
	cs->durations[DEADLINE_SKIP] = 0;
	for (unsigned i = 0; i < LOUD; i++) {
		loud[i] = connects();
		says(loud[i], "POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n");
	}
	for (unsigned i = 0; i < LOUD; i++)
		writes(loud[i], "x");
	single_turns(1);
	deadlines_sweep(cs);
	turns(LOUD);
	cr_assert_eq(cs->count, 0);
	all_close();
}

/* A byte of a head now and then held it for ever. */
Test(conn, a_head_that_trickles_in_behind_has_its_deadline)
{
	all_are_refused_once();
	for (unsigned i = 0; i < LOUD; i++)
		writes(loud[i], "G");
	turns(LOUD);
	clock_is(now_ms + 10001);
	for (unsigned i = 0; i < LOUD; i++)
		writes(loud[i], "E");
	single_turns(1);
	deadlines_sweep(cs);
	cr_assert_eq(finished[V_HEAD_TIMEOUT], LOUD);
	all_close();
}

Test(conn, whose_request_waits_behind_is_not_displaced_as_idle)
{
	int fresh;

	listeners[0].max_connections = LOUD;
	all_are_refused_once();
	for (unsigned i = 0; i < LOUD; i++)
		writes(loud[i], GET_OK);
	single_turns(1);
	fresh = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert(reaches(fresh, PUBLIC));
	single_turns(1);
	turns(50);
	all_were_answered();
}

Test(conn, a_request_that_is_good_again_is_worked_on_as_any_other)
{
	unsigned n = 0;
	int fd;

	all_are_refused_once();
	fd = connects();
	says(fd, GET_EARLY);
	(void)hears(fd);
	turns_left = 10;
	writes(fd, "GET /turns HTTP/1.1\r\nHost: a\r\n\r\n");
	for (; n < 200 && !finished[V_EMPTY]; n++) {
		for (unsigned i = 0; i < LOUD; i++)
			writes(loud[i], GET_EARLY);
		single_turns(1);
		for (unsigned i = 0; i < LOUD; i++) {
			char b[4096];

			while (recv(loud[i], b, sizeof(b), 0) > 0)
				;
		}
	}
	cr_assert_leq(n, 10 + LOUD / 4 + 3, "%u turns", n);
}

Test(conn, half_closed_while_behind_gets_its_answer)
{
	all_are_refused_once();
	for (unsigned i = 0; i < LOUD; i++)
		writes(loud[i], GET_OK);
	single_turns(1);
	for (unsigned i = 0; i < LOUD; i++)
		shutdown(loud[i], SHUT_WR);
	turns(60);
	for (unsigned i = 0; i < LOUD; i++)
		cr_assert(strstr(hears(loud[i]), "200"), "%u: %s", i, heard);
	turns(20);
	cr_assert_eq(cs->count, 0);
}

Test(conn, who_goes_with_a_request_beside_and_one_behind_is_forgotten)
{
	int fd = connects();

	says(fd, GET_EARLY);
	says(fd, "POST /beside HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" GET_OK);
	turns(5);
	cr_assert(beside);
	close(fd);
	turns(5);
	comes_back();
	turns(5);
	cr_assert_eq(cs->count, 0);
}

Test(conn, requests_behind_one_that_waits_for_kafka_are_answered)
{
	int fd = connects();

	says(fd, GET_EARLY);
	says(fd, POST_WAKE GET_EARLY GET_EARLY GET_OK);
	turns(5);
	cr_assert(req_wake(&walk.w, handle, V_ACCEPTED, 1, 2));
	turns(9);
	cr_assert_eq(finished[V_CREDENTIAL], 3);
	cr_assert_eq(finished[V_EMPTY], 1);
	close(fd);
	turns(5);
	cr_assert_eq(cs->count, 0);
}
