/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections over unix sockets, which deliver at once (loopback TCP may take its time), with
 * stages of the test's own behind them: the paths say what they do. The loop is stepped, the clock
 * is set.
 */
#include <criterion/criterion.h>

#define stages_run fake_stages_run
#define req_finish fake_req_finish
#define beside_push fake_beside_push
#define beside_back fake_beside_back
#define recv counted_recv
#define send counted_send
#include "worker/conn.c"
#undef recv
#undef send

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/un.h>
#include "tests/unit/worker/certs.h"
#include "tests/unit/worker/http_walk.h"

ssize_t recv(int fd, void *p, size_t n, int flags);
ssize_t send(int fd, const void *p, size_t n, int flags);

static unsigned recvs, sends;

ssize_t counted_recv(int fd, void *p, size_t n, int flags)
{
	recvs++;
	return recv(fd, p, n, flags);
}

ssize_t counted_send(int fd, const void *p, size_t n, int flags)
{
	sends++;
	return send(fd, p, n, flags);
}

static struct walk walk; /* for its worker */
static struct listener_conf listeners[2];
static struct conns *cs;
static uint64_t handle; /* of the request that waits for a wake */
static unsigned finished[VERDICT_COUNT], parts;
static bool wake_inside; /* the sink answers inside send() */
static unsigned turns_left; /* of a request for /turns */
static struct job *beside; /* of the request that the thread beside the loop would have */
static unsigned backs;
static uint8_t
	early[4 * MIB]; /* what such a request still has to send, of the path /early-beside */
static char client_text[64];
static int64_t now_ms;

/* ---- the stages ---- */

static bool path_is(const struct req *r, const char *path)
{
	return bytes_eq(r->head.path, bytes_str(path));
}

static bool more_parts(struct req *r)
{
	for (unsigned i = 0; i < 500; i++)
		buf_str(&r->reply, "x");
	return --parts > 0;
}

static void render(struct req *r)
{
	int code = verdict_get(r->verdict)->status;
	bool close = r->last_on_connection || !r->head.keep_alive ||
	             verdict_get(r->verdict)->flags & VF_CLOSE;

	buf_reset(&r->reply);
	buf_printf(&r->reply, "HTTP/1.1 %d\r\n%s", code, close ? "Connection: close\r\n" : "");
	if (path_is(r, "/parts")) {
		r->more = more_parts;
		buf_printf(&r->reply, "Content-Length: %u\r\n\r\n", parts * 500);
	} else {
		buf_printf(&r->reply, "Content-Length: %zu\r\n\r\n%.*s", r->body.n,
		           r->body.n < 64 ? (int)r->body.n : 0,
		           r->body.n < 64 ? (const char *)r->body.p : "");
	}
	r->reply_rendered = true;
}

static enum step reply(struct req *r)
{
	if (r->verdict == V_GONE)
		return STEP_DONE;
	if (!r->reply_rendered) {
		render(r);
	} else if (r->more) {
		bool goes_on;

		buf_reset(&r->reply);
		goes_on = r->more(r);
		if (!goes_on)
			r->more = NULL;
	} else {
		r->at = STAGE_COUNT;
		return STEP_DONE;
	}
	r->out = buf_view(&r->reply);
	return STEP_ROOM;
}

static enum step after_body(struct req *r)
{
	if (path_is(r, "/wake") && !r->produced) {
		r->produced = true;
		handle = r->handle;
		snprintf(client_text, sizeof(client_text), "%s", r->client_text);
		if (wake_inside)
			cr_assert(req_wake(r->w, handle, V_ACCEPTED, 1, 2));
		return STEP_WAKE;
	}
	if (path_is(r, "/turns") && turns_left) {
		turns_left--;
		return STEP_TURN;
	}
	if ((path_is(r, "/beside") || path_is(r, "/early-beside")) && !r->produced) {
		r->produced = true;
		if (path_is(r, "/early-beside"))
			r->out = bytes_of(early, sizeof(early));
		return STEP_BESIDE;
	}
	if (r->verdict == V_NONE)
		return req_say(r, V_EMPTY);
	return STEP_REPLY;
}

void fake_beside_push(struct req *r, struct job *job)
{
	(void)r;
	cr_assert_null(beside);
	beside = job;
}

void fake_beside_back(struct req *r)
{
	(void)r;
	backs++;
}

/* The thread is done with it. */
static void comes_back(void)
{
	struct job *job = take_ptr(&beside);

	cr_assert_not_null(job);
	job->done(job);
}

enum step fake_stages_run(struct req *r)
{
	enum step step = STEP_NEXT;

	cr_assert_neq(stats_head(r->w->stats)->current.active, 0);
	if (r->at == STAGE_HEAD && (step = head_run(r)) == STEP_NEXT) {
		r->at = STAGE_ROUTE;
		if (path_is(r, "/early"))
			step = req_refuse(r, V_CREDENTIAL);
		else
			r->at = STAGE_BODY;
		r->body_limit = 32 * MIB;
	}
	if (r->at == STAGE_BODY && step == STEP_NEXT && (step = body_run(r)) == STEP_NEXT)
		r->at = STAGE_PRODUCE;
	if (r->at == STAGE_PRODUCE && step == STEP_NEXT)
		step = after_body(r);
	if (step == STEP_REPLY) {
		r->refused_at = r->at;
		r->at = STAGE_REPLY;
		step = STEP_NEXT;
	}
	return r->at == STAGE_REPLY && step == STEP_NEXT ? reply(r) : step;
}

void fake_req_finish(struct req *r)
{
	finished[r->verdict]++;
	if (r->charged)
		budget_give(r->w->budget, r->who.tenant_ordinal, r->charged);
	body_put(r->w->bodies, r->body_mem);
	r->charged = 0;
	r->body_mem = NULL;
	pool_reset(r->pool);
}

/* ---- the harness ---- */

static void clock_is(int64_t ms)
{
	now_ms = ms;
	loop_set_clock(ms * 1000000, ms * 1000000);
}

static void turns(unsigned n)
{
	while (n--)
		event_base_loop(walk.w.base, EVLOOP_NONBLOCK);
}

static void later(int64_t ms)
{
	clock_is(now_ms + ms);
	deadlines_sweep(cs);
	turns(3);
}

/* Waits for what TCP brings. */
#define UNTIL(condition)                                                                           \
	do {                                                                                       \
		struct timeval moment_ = { 0, 2000 };                                              \
		for (unsigned tries_ = 0; tries_ < 2000 && !(condition); tries_++) {               \
			event_base_loopexit(walk.w.base, &moment_);                                \
			event_base_dispatch(walk.w.base);                                          \
		}                                                                                  \
		cr_assert(condition);                                                              \
	} while (0)

/* An abstract name: nothing on disk. */
static struct sockaddr_un unix_address(unsigned index)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	snprintf(addr.sun_path + 1, sizeof(addr.sun_path) - 1, "headgate-test-conn-%d-%u", getpid(),
	         index);
	return addr;
}

static void listens(unsigned index, uint64_t slot, unsigned name)
{
	struct sockaddr_un addr = unix_address(name);
	struct err err = { "" };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	cr_assert(bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 && listen(fd, 512) == 0);
	cr_assert_eq(conns_listen(cs, index, slot, fd, &err), 0, "%s", err.text);
}

static void listens_tcp(unsigned index, uint64_t slot, struct sockaddr_in *addr)
{
	socklen_t n = sizeof(*addr);
	struct err err = { "" };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*addr = (struct sockaddr_in){ .sin_family = AF_INET,
		                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	cr_assert(bind(fd, (struct sockaddr *)addr, n) == 0 && listen(fd, 512) == 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)addr, &n), 0);
	cr_assert_eq(conns_listen(cs, index, slot, fd, &err), 0, "%s", err.text);
}

enum { PUBLIC, ADMIN, ADOPTED };

static void opens(void)
{
	struct err err = { "" };
	struct conf *conf = &walk.conf;

	walk_open(&walk);
	clock_is(1000000);
	for (unsigned i = 0; i < ARRAY_LEN(listeners); i++)
		listeners[i] = (struct listener_conf){ .name = i ? "admin" : "public",
			                               .admin = i,
			                               .max_connections = 1000,
			                               .max_connections_per_source = 1000 };
	conf->workers = 1;
	conf->listeners.v = listeners;
	conf->listeners.n = 2;
	conf->http.head_timeout = 10000;
	conf->http.body_min_rate = 1024;
	conf->http.body_grace = 5000;
	conf->http.idle_timeout = 75000;
	conf->http.write_timeout = 30000;
	conf->http.requests_per_connection = 10000;
	conf->http.pipelined = 16;
	conf->kafka.ack_deadline = 8000;
	conf->tls.handshake_timeout = 10000;
	conf->tls.handshakes_per_worker = 4;
	walk.w.base = loop_open(&err);
	cr_assert_not_null(walk.w.base, "%s", err.text);
	walk.w.tls = NULL;
	cs = walk.w.conns = conns_open(&walk.w, &err);
	cr_assert_not_null(cs, "%s", err.text);
	listens(0, 0, PUBLIC);
}

/* What is left of connections, gauges and budget after each test: nothing. */
static void closes(void)
{
	conns_close(cs);
	for (unsigned state = CONN_HANDSHAKE; state <= CONN_IDLE; state++)
		cr_expect_eq(stats_get(walk.w.stats, STAT_CONNECTIONS, 0, state), 0);
	loop_close(walk.w.base);
	walk_close(&walk);
}

TestSuite(conn, .init = opens, .fini = closes, .timeout = 60);

static bool reaches(int fd, unsigned name)
{
	struct sockaddr_un addr = unix_address(name);

	return connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0;
}

static int connects_to(unsigned name)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert(reaches(fd, name));
	cr_assert_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	turns(2);
	return fd;
}

static int connects(void)
{
	return connects_to(PUBLIC);
}

static int connects_tcp(void)
{
	struct sockaddr_in addr;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	unsigned before = cs->count;

	listens_tcp(0, 0, &addr);
	cr_assert_eq(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	cr_assert_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	UNTIL(cs->count > before);
	return fd;
}

static void says_bytes(int fd, const void *p, size_t n)
{
	const char *at = p;

	for (unsigned tries = 0; n && tries < 100000; tries++) {
		ssize_t done = send(fd, at, n, MSG_NOSIGNAL);

		if (done > 0) {
			at += done;
			n -= (size_t)done;
		} else {
			cr_assert_eq(errno, EAGAIN);
		}
		turns(1);
	}
	cr_assert_eq(n, 0);
	turns(2);
}

static void says(int fd, const char *text)
{
	says_bytes(fd, text, strlen(text));
}

static char heard[64 * KIB];

/* All that is there: text, then "<end>" if the other side has closed, "<reset>" if it has reset. */
static const char *hears(int fd)
{
	size_t n = 0;
	ssize_t got;

	turns(2);
	while ((got = recv(fd, heard + n, sizeof(heard) - n - 16, 0)) > 0) {
		n += (size_t)got;
		turns(1);
	}
	strcpy(heard + n, got == 0 ? "<end>" : errno == EAGAIN ? "" : "<reset>");
	return heard;
}

static struct conn *only_conn(void)
{
	struct conn *found = NULL;

	for (unsigned d = 0; d < DEADLINE_COUNT; d++)
		if (cs->lists[d].first)
			found = cs->lists[d].first;
	cr_assert_eq(cs->count, 1);
	return found;
}

#define GET_OK "GET /ok HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST_OK "POST /ok HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
#define POST_WAKE "POST /wake HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
#define OK "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"
#define OK_HELLO "HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello"
#define OK_CLOSE "HTTP/1.1 200\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

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
	cr_assert_eq(send(fd, text, strlen(text), 0), (ssize_t)strlen(text));
	event_base_loop(walk.w.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	cr_assert_eq(finished[V_EMPTY], 16, "%u",
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

Test(conn, who_never_stops_sending_is_cut_after_64_kib)
{
	char body[16 * KIB] = "";
	unsigned i = 0;
	int fd = connects();

	says(fd, "POST /early HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
	while (cs->count && i++ < 20) {
		cr_assert_geq(send(fd, body, sizeof(body), MSG_NOSIGNAL), 0);
		turns(3);
	}
	cr_assert_leq(i, 6);
	cr_assert_eq(cs->count, 0);
	close(fd);
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

/* ---- TLS ---- */

static struct tls_pair pair;
static SSL_CTX *client_ctx;

static void tls_opens(void)
{
	struct err err = { "" };

	signal(SIGPIPE, SIG_IGN);
	certs_make();
	opens();
	pair = (struct tls_pair){ { "cert.pem", bytes_str(certs[EC]) },
		                  { "key.pem", bytes_str(keys[EC]) } };
	listeners[0].tls.pairs.v = &pair;
	listeners[0].tls.pairs.n = 1;
	walk.w.tls = tls_open(&walk.w, &err);
	cr_assert_not_null(walk.w.tls, "%s", err.text);
	client_ctx = SSL_CTX_new(TLS_client_method());
}

static void tls_closes(void)
{
	struct tls *tls = walk.w.tls;

	SSL_CTX_free(client_ctx);
	closes();
	tls_close(tls);
	certs_free();
}

TestSuite(conn_tls, .init = tls_opens, .fini = tls_closes, .timeout = 60);

static SSL *tls_connects(void)
{
	SSL *ssl = SSL_new(client_ctx);
	int done = 0;

	SSL_set_fd(ssl, connects());
	SSL_set_connect_state(ssl);
	for (unsigned i = 0; i < 10 && done != 1; i++) {
		done = SSL_do_handshake(ssl);
		turns(2);
	}
	cr_assert_eq(done, 1);
	return ssl;
}

static void tls_says(SSL *ssl, const void *p, size_t n)
{
	const char *at = p;
	size_t done;

	for (unsigned tries = 0; n && tries < 100000; tries++) {
		if (SSL_write_ex(ssl, at, n, &done) == 1) {
			at += done;
			n -= done;
		}
		turns(1);
	}
	cr_assert_eq(n, 0);
	turns(2);
}

static const char *tls_hears(SSL *ssl)
{
	size_t n = 0;
	int got;

	turns(2);
	while ((got = SSL_read(ssl, heard + n, (int)(sizeof(heard) - n - 16))) > 0)
		n += (size_t)got;
	strcpy(heard + n, SSL_get_error(ssl, got) == SSL_ERROR_ZERO_RETURN ? "<notify>"
	                  : SSL_get_error(ssl, got) == SSL_ERROR_WANT_READ ? ""
	                                                                   : "<cut>");
	return heard;
}

static void tls_leaves(SSL *ssl)
{
	int fd = SSL_get_fd(ssl);

	SSL_shutdown(ssl);
	SSL_free(ssl);
	close(fd);
	turns(3);
}

Test(conn_tls, requests_go_through_the_same_code)
{
	SSL *ssl = tls_connects();

	cr_assert_eq(stats_get(walk.w.stats, STAT_TLS_HANDSHAKES, TLS_OK, 1), 1);
	for (unsigned i = 0; i < 3; i++) {
		tls_says(ssl, POST_OK, strlen(POST_OK));
		cr_assert_str_eq(tls_hears(ssl), OK_HELLO);
		cr_assert_null(only_conn()->buf);
	}
	tls_says(ssl, POST_WAKE, strlen(POST_WAKE));
	cr_assert(only_conn()->active->r.tls);
	cr_assert(req_wake(&walk.w, handle, V_ACCEPTED, 0, 0));
	cr_assert_str_eq(tls_hears(ssl), OK_HELLO);
	tls_leaves(ssl);
	cr_assert_eq(cs->count, 0);
}

Test(conn_tls, body_of_many_records_arrives_whole)
{
	static const char head[] =
		"POST /ok HTTP/1.1\r\nHost: a\r\nContent-Length: 3145728\r\n\r\n";
	size_t n = 3 * MIB;
	char *body = xcalloc(1, n);
	SSL *ssl = tls_connects();

	tls_says(ssl, head, sizeof(head) - 1);
	tls_says(ssl, body, n);
	cr_assert_str_eq(tls_hears(ssl), "HTTP/1.1 200\r\nContent-Length: 3145728\r\n\r\n");
	free(body);
	tls_leaves(ssl);
}

Test(conn_tls, pipelined_requests_in_one_record_are_all_answered)
{
	SSL *ssl = tls_connects();

	tls_says(ssl, GET_OK POST_OK GET_OK, strlen(GET_OK POST_OK GET_OK));
	cr_assert_str_eq(tls_hears(ssl), OK OK_HELLO OK);
	tls_leaves(ssl);
}

Test(conn_tls, last_reply_is_followed_by_close_notify)
{
	SSL *ssl = tls_connects();

	tls_says(ssl, "GET / HTTP/1.1\n\n", 16);
	cr_assert_str_eq(tls_hears(ssl),
	                 "HTTP/1.1 400\r\nConnection: close\r\nContent-Length: 0\r\n\r\n<notify>");
	tls_leaves(ssl);
	cr_assert_eq(cs->count, 0);
}

Test(conn_tls, no_ssl_exists_before_the_first_byte)
{
	int fd = connects();

	cr_assert_null(only_conn()->ssl);
	cr_assert_eq(stats_get(walk.w.stats, STAT_CONNECTIONS, 0, CONN_HANDSHAKE), 1);
	close(fd);
	turns(2);
	cr_assert_eq(cs->count, 0);
	cr_assert_eq(stats_get(walk.w.stats, STAT_TLS_HANDSHAKES, TLS_CUT, 2), 0);
}

Test(conn_tls, plain_http_is_closed)
{
	int fd = connects();

	says(fd, GET_OK);
	hears(fd);
	cr_assert_eq(cs->count, 0);
	cr_assert_eq(stats_get(walk.w.stats, STAT_TLS_HANDSHAKES, TLS_FAILED, 2), 1);
	close(fd);
}

Test(conn_tls, slow_handshake_is_closed)
{
	int fd = connects();

	says_bytes(fd, "\x16\x03\x01", 3);
	later(9999);
	cr_assert_eq(cs->count, 1);
	later(1);
	cr_assert_eq(cs->count, 0);
	cr_assert_eq(stats_get(walk.w.stats, STAT_TLS_HANDSHAKES, TLS_TIMEOUT, 2), 1);
	cr_assert_eq(stats_get(walk.w.stats, STAT_CONNECTIONS_REFUSED, 0, CONN_HANDSHAKE_TIMEOUT),
	             1);
	close(fd);
}

Test(conn_tls, handshakes_beyond_the_limit_displace_the_oldest)
{
	int fds[5];

	for (unsigned i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = connects(); /* tls.handshakes_per_worker: 4 */
	cr_assert_eq(cs->count, 4);
	cr_assert_str_eq(hears(fds[0]), "<end>");
	cr_assert_str_eq(hears(fds[1]), "");
	cr_assert_eq(stats_get(walk.w.stats, STAT_CONNECTIONS_REFUSED, 0, CONN_HANDSHAKE_LIMIT), 1);
	for (unsigned i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
}
