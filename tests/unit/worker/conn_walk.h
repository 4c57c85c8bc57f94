/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn_walk.h -- behind worker/conn.c in its tests: connections over unix sockets, which deliver at
 * once (loopback TCP may take its time), with stages of the test's own behind them: the paths say
 * what they do. The loop is stepped, the clock is set. Each test is a process, so one set of
 * globals is enough.
 */
#pragma once
#undef recv
#undef send

#include <arpa/inet.h>
#include <criterion/criterion.h>
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

static inline bool path_is(const struct req *r, const char *path)
{
	return bytes_eq(r->head.path, bytes_str(path));
}

static inline bool more_parts(struct req *r)
{
	for (unsigned i = 0; i < 500; i++)
		buf_str(&r->reply, "x");
	return --parts > 0;
}

static inline void render(struct req *r)
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

static inline enum step reply(struct req *r)
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

static inline enum step after_body(struct req *r)
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
static inline void comes_back(void)
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

static inline void clock_is(int64_t ms)
{
	now_ms = ms;
	loop_set_clock(ms * 1000000, ms * 1000000);
}

static inline void turns(unsigned n)
{
	while (n--)
		event_base_loop(walk.w.base, EVLOOP_NONBLOCK);
}

static inline void later(int64_t ms)
{
	clock_is(now_ms + ms);
	deadlines_sweep(cs);
	turns(3);
}

/* Waits for what TCP brings. */
#define UNTIL(condition)                                                                           \
	do {                                                                                       \
		struct timeval moment_ = { 0, 2000 };                                              \
		for (unsigned tries_ = 0; tries_ < 10000 && !(condition); tries_++) {              \
			event_base_loopexit(walk.w.base, &moment_);                                \
			event_base_dispatch(walk.w.base);                                          \
		}                                                                                  \
		cr_assert(condition);                                                              \
	} while (0)

/* An abstract name: nothing on disk. */
static inline struct sockaddr_un unix_address(unsigned index)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	snprintf(addr.sun_path + 1, sizeof(addr.sun_path) - 1, "headgate-test-conn-%d-%u", getpid(),
	         index);
	return addr;
}

static inline void listens(unsigned index, uint64_t slot, unsigned name)
{
	struct sockaddr_un addr = unix_address(name);
	struct err err = { "" };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	cr_assert(bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 && listen(fd, 512) == 0);
	cr_assert_eq(conns_listen(cs, index, slot, fd, &err), 0, "%s", err.text);
}

static inline void listens_tcp(unsigned index, uint64_t slot, struct sockaddr_in *addr)
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

static inline void opens(void)
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
	conf->sink = SINK_KAFKA;
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
static inline void closes(void)
{
	conns_close(cs);
	for (unsigned state = CONN_HANDSHAKE; state <= CONN_IDLE; state++)
		cr_expect_eq(stats_get(walk.w.stats, STAT_CONNECTIONS, 0, state), 0);
	loop_close(walk.w.base);
	walk_close(&walk);
}

TestSuite(conn, .init = opens, .fini = closes, .timeout = 60);

static inline bool reaches(int fd, unsigned name)
{
	struct sockaddr_un addr = unix_address(name);

	return connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0;
}

static inline int connects_to(unsigned name)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert(reaches(fd, name));
	cr_assert_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	turns(2);
	return fd;
}

static inline int connects(void)
{
	return connects_to(PUBLIC);
}

static inline int connects_tcp(void)
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

static inline void says_bytes(int fd, const void *p, size_t n)
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

static inline void says(int fd, const char *text)
{
	says_bytes(fd, text, strlen(text));
}

static char heard[64 * KIB];

/* All that is there: text, then "<end>" if the other side has closed, "<reset>" if it has reset. */
static inline const char *hears(int fd)
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

static inline struct conn *only_conn(void)
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
