/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn.c -- the progress of one connection: receives, runs the stages, sends, and waits for what
 * they ask. Called by its event, by req_wake(), and by deadline.c. It knows nothing of what a
 * request is about. A small keep-alive request costs one recv, one send and no epoll_ctl: EV_READ
 * stays armed through all of it (performance.md 3, recipes 1 and 2).
 *
 * What a stage's answer turns into:
 * - BYTES: reads, if there may be more, else waits for EV_READ;
 * - WAKE: nothing changes. What fires meanwhile, early bytes or EV_CLOSED, takes the whole event
 *   off: EPOLLRDHUP is level-triggered, and with EV_CLOSED alone left, a reset (EPOLLERR, which
 *   libevent shows as EV_READ|EV_WRITE) would wake the loop for ever;
 * - BESIDE: as WAKE, but nothing of the request is touched until the thread beside the loop gives
 *   it back: no deadline comes (the thread has its own), and a connection that ends meanwhile is
 *   closed then;
 * - ROOM: sends, then goes on; EV_WRITE only once the socket is full;
 * - DONE: req_finish(), then the next request from the bytes that are left.
 */
#include "worker/conn.h"

#include <errno.h>
#include <sys/socket.h>
#include "common/loop.h"
#include "worker/conn_private.h"
#include "worker/tls.h"

enum { TURN_BYTES_MAX = 1 * MIB };

/* ---- plain io ---- */

static enum io_result io_failed(enum io_result again)
{
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
		return again;
	return IO_ERROR;
}

static enum io_result plain_recv(int fd, void *state, void *p, size_t cap, size_t *got)
{
	ssize_t n = recv(fd, p, cap, 0);

	(void)state;
	if (n < 0)
		return io_failed(IO_AGAIN_READ);
	*got = (size_t)n;
	return n ? IO_OK : IO_EOF;
}

static enum io_result plain_send(int fd, void *state, const void *p, size_t n, size_t *sent)
{
	ssize_t done = send(fd, p, n, MSG_NOSIGNAL);

	(void)state;
	if (done < 0)
		return io_failed(IO_AGAIN_WRITE);
	*sent = (size_t)done;
	return IO_OK;
}

const struct io io_plain = { .name = "plain", .recv = plain_recv, .send = plain_send };

static const struct io *io_of(const struct conn *c)
{
	return c->ssl ? &io_tls : &io_plain;
}

/* ---- its end ---- */

static bool has_failed(int fd)
{
	int error = 0;
	socklen_t n = sizeof(error);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0 || error != 0;
}

static void linger_read(struct conn *c)
{
	ssize_t n = recv(c->fd, c->cs->scratch, sizeof(c->cs->scratch), 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		conn_close(c);
		return;
	}
	c->skip -= n < c->skip ? (uint32_t)n : c->skip;
	if (c->skip == 0)
		conn_watch(c, WATCH_END);
}

static enum turn gone(struct conn *c)
{
	conn_close(c);
	return TURN_STOP;
}

/* ---- bytes in ---- */

/* Where the next bytes go, and how many at most. */
static size_t room(struct conn *c, uint8_t **at)
{
	struct req *r = &c->active->r;
	uint32_t head_cap = c->buf_cap - BUFFER_TAIL;

	if (r->fill.room) {
		*at = r->fill.at;
		return r->fill.room;
	}
	if (r->at == STAGE_HEAD) {
		if (r->in.n >= head_cap) {
			buffer_enlarge(c, &r->in);
			head_cap = c->buf_cap - BUFFER_TAIL;
		}
		*at = c->buf + r->in.n;
		return head_cap - r->in.n;
	}
	/* The head stays; what is unread comes right behind it. */
	if (r->in.n)
		memmove(c->buf + r->keep, r->in.p, r->in.n);
	r->in.p = c->buf + r->keep;
	*at = c->buf + r->keep + r->in.n;
	return c->buf_cap - r->keep - r->in.n;
}

static void received(struct conn *c, size_t asked, size_t got)
{
	struct req *r = &c->active->r;
	bool filling = r->fill.room;

	if (filling) {
		r->fill.at += got;
		r->fill.room -= got;
	} else {
		r->in.n += got;
	}
	c->active->window_bytes += got;
	c->cs->turn_bytes += got;
	/* TLS answers with one record at a time: a short one says nothing of the next, which
	 * matters to a body in many. */
	c->dry = got < asked && !(c->ssl && (filling || tls_pending(c->ssl)));
}

static enum deadline bytes_deadline(const struct req *r)
{
	return r->at == STAGE_HEAD ? DEADLINE_HEAD : DEADLINE_BODY;
}

/* TURN_GO: there is something new for the stages, bytes or the end of them. */
static enum turn receive(struct conn *c)
{
	struct req *r = &c->active->r;
	enum deadline d = bytes_deadline(r);
	uint8_t *at;
	size_t asked, got = 0;

	if (r->eof) { /* and yet they want more */
		req_expire(r, V_GONE);
		return TURN_GO;
	}
	if (c->dry)
		return conn_wait(c, WATCH_READ, d);
	/* epoll tells of what the socket still has, not of what the SSL has. */
	if (c->cs->turn_bytes >= TURN_BYTES_MAX)
		return c->ssl && tls_pending(c->ssl) ? conn_go_later(c, d)
		                                     : conn_wait(c, WATCH_READ, d);
	asked = min_size(room(c, &at), TURN_BYTES_MAX - c->cs->turn_bytes);
	assert(asked > 0);
	switch (io_of(c)->recv(c->fd, c->ssl, at, asked, &got)) {
	case IO_OK:
		received(c, asked, got);
		return TURN_GO;
	case IO_AGAIN_READ:
		c->dry = true;
		return conn_wait(c, WATCH_READ, d);
	case IO_AGAIN_WRITE:
		return conn_wait(c, WATCH_WRITE, d);
	case IO_EOF:
		r->eof = r->peer_half_closed = true;
		return TURN_GO;
	case IO_ERROR:
		return gone(c);
	}
	assert(!"not an io_result");
	return TURN_GO;
}

/* ---- bytes out ---- */

static enum turn flush(struct conn *c)
{
	struct req *r = &c->active->r;

	while (r->out.n) {
		size_t sent = 0;

		switch (io_of(c)->send(c->fd, c->ssl, r->out.p, r->out.n, &sent)) {
		case IO_OK:
			r->out = bytes_from(r->out, sent);
			r->bytes_out += sent;
			break;
		case IO_AGAIN_READ:
			return conn_wait(c, WATCH_READ, DEADLINE_WRITE);
		case IO_AGAIN_WRITE:
			return conn_wait(c, WATCH_WRITE, DEADLINE_WRITE);
		case IO_EOF:
		case IO_ERROR:
			return gone(c);
		}
	}
	return TURN_GO;
}

/* ---- requests ---- */

/* The unread bytes of buf become those of a new request. */
static void request_start(struct conn *c)
{
	const struct conf *conf = c->cs->w->conf;
	struct bytes unread = bytes_of(c->buf, c->end - c->start);
	struct req *r;

	if (c->start)
		memmove(c->buf, c->buf + c->start, unread.n);
	/* A body's framing may bring more than a head's part of the buffer: a head of that size
	 * would leave hardly any room behind it. */
	if (c->buf_cap == BUFFER_SMALL && unread.n > HEAD_FIRST)
		buffer_enlarge(c, &unread);
	r = &active_get(c)->r;
	r->in = unread;
	memcpy(r->client, c->source->addr, sizeof(r->client));
	r->client_text = c->text;
	r->tls = c->ssl;
	r->last_on_connection =
		++c->served >= conf->http.requests_per_connection || c->cs->draining;
	c->cs->turn_requests++;
	conn_phase_set(c, PHASE_REQUEST);
}

static enum step run(struct active *a)
{
	enum step step;

	loop_now(); /* who asks only behind the work would hide how long the turn was */
	req_current(&a->r);
	a->running = true;
	step = stages_run(&a->r);
	a->running = false;
	req_current_clear(&a->r);
	return step;
}

/* ---- beside the loop ---- */

static struct active *active_of(struct job *job)
{
	return (struct active *)((char *)job - offsetof(struct active, job));
}

static void run_beside(struct job *job)
{
	beside_run(&active_of(job)->r);
}

static void on_back(struct job *job)
{
	struct active *a = active_of(job);

	assert(a->step == STEP_BESIDE);
	beside_back(&a->r);
	a->step = STEP_NEXT;
	if (a->c->cs->draining)
		a->r.last_on_connection = true;
	if (a->left)
		conn_close(a->c);
	else
		conn_turn(a->c);
}

/* When the worker ends, the thread has ended before. */
bool conn_is_beside(const struct conn *c)
{
	return c->active && c->active->step == STEP_BESIDE && !c->cs->closing;
}

/* ---- requests ---- */

void conn_request_end(struct conn *c)
{
	struct active *a = c->active;

	if (!a)
		return;
	if (a->r.at < STAGE_REPLY)
		req_expire(&a->r, V_GONE);
	req_finish(&a->r);
	active_put(a);
}

/* The reply is out. What the client may still be sending decides how this connection goes on. */
static enum turn request_done(struct conn *c)
{
	const struct req *r = &c->active->r;
	uint64_t rest = req_rest(r);
	bool may_send = r->head.keep_alive && !r->eof;
	bool ends = r->close_after || r->last_on_connection || !r->head.keep_alive ||
	            verdict_get(r->verdict)->flags & VF_CLOSE;
	bool is_gone = r->verdict == V_GONE;

	c->line = verdict_get(r->verdict)->status / 100 == 4 ? LINE_REFUSED : LINE_KNOWN;
	c->start = (uint32_t)(r->in.p - c->buf);
	c->end = c->start + (uint32_t)r->in.n;
	conn_request_end(c);
	if (is_gone || (ends && !may_send && rest == 0 && c->start == c->end))
		return gone(c);
	if (ends) {
		conn_linger(c);
		return TURN_STOP;
	}
	c->skip = (uint32_t)rest; /* bounded: req.c would have ended the connection */
	conn_phase_set(c, rest ? PHASE_SKIP : PHASE_IDLE);
	deadline_restart(c, rest ? DEADLINE_SKIP : DEADLINE_IDLE);
	return TURN_GO;
}

static enum turn request_turn(struct conn *c)
{
	struct active *a = c->active;
	enum turn turn = flush(c);

	if (turn != TURN_GO)
		return turn;
	switch (a->step) {
	case STEP_BYTES:
		turn = receive(c);
		if (turn != TURN_GO)
			return turn;
		break;
	case STEP_WAKE:
		if (!a->woken) {
			deadline_set(c, DEADLINE_ANSWER);
			return TURN_WAIT;
		}
		a->woken = false;
		break;
	case STEP_BESIDE:
		deadline_set(c, DEADLINE_BESIDE);
		return TURN_WAIT;
	case STEP_DONE:
		return request_done(c);
	case STEP_NEXT:
	case STEP_REPLY:
	case STEP_ROOM:
	case STEP_TURN:
		break;
	}
	a->step = run(a);
	if (a->step == STEP_BESIDE) {
		a->job = (struct job){ .run = run_beside, .done = on_back };
		beside_push(&a->r, &a->job);
	}
	if (a->step == STEP_TURN)
		return conn_go_later(c, DEADLINE_ANSWER);
	/* A long reply comes in parts, each the work of a turn. */
	if (a->step == STEP_ROOM && a->r.more) {
		turn = flush(c);
		return turn == TURN_GO ? conn_go_later(c, DEADLINE_WRITE) : turn;
	}
	return TURN_GO;
}

/* ---- between requests ---- */

/* Receives into the connection's own buffer. */
static enum turn fill_buffer(struct conn *c, enum deadline d)
{
	size_t got = 0;

	if (c->dry)
		return conn_wait(c, WATCH_READ, d);
	if (!c->buf)
		buffer_get(c, BUFFER_SMALL);
	c->start = c->end = 0;
	switch (io_of(c)->recv(c->fd, c->ssl, c->buf, HEAD_FIRST, &got)) {
	case IO_OK:
		c->end = (uint32_t)got;
		c->dry = got < HEAD_FIRST && !(c->ssl && tls_pending(c->ssl));
		c->cs->turn_bytes += got;
		return TURN_GO;
	case IO_AGAIN_READ:
		c->dry = true;
		buffer_put(c);
		return conn_wait(c, WATCH_READ, d);
	case IO_AGAIN_WRITE:
		return conn_wait(c, WATCH_WRITE, d);
	case IO_EOF:
	case IO_ERROR:
		return gone(c);
	}
	assert(!"not an io_result");
	return TURN_GO;
}

static enum deadline idle_deadline(const struct conn *c)
{
	return c->cs->draining ? DEADLINE_QUIET : DEADLINE_IDLE;
}

static enum turn idle_turn(struct conn *c)
{
	enum deadline d = idle_deadline(c);
	unsigned most = c->line == LINE_KNOWN ? c->cs->w->conf->http.pipelined : 1;

	if (c->start == c->end) {
		if (c->dry)
			buffer_put(c);
		return fill_buffer(c, d);
	}
	/* Requests that came in one go are served in their order, some of them in a turn. */
	if (c->cs->answering || c->cs->turn_requests >= most)
		return conn_go_later(c, d);
	request_start(c);
	return TURN_GO;
}

static enum turn skip_turn(struct conn *c)
{
	uint32_t n = (uint32_t)min_size(c->end - c->start, c->skip);

	c->start += n;
	c->skip -= n;
	if (c->skip == 0) {
		conn_phase_set(c, PHASE_IDLE);
		return TURN_GO;
	}
	return fill_buffer(c, DEADLINE_SKIP);
}

static enum turn handshake_turn(struct conn *c)
{
	struct worker *w = c->cs->w;
	enum tls_result result = TLS_FAILED;
	unsigned version = 0;

	if (c->dry)
		return conn_wait(c, WATCH_READ, DEADLINE_HANDSHAKE);
	if (!c->ssl)
		c->ssl = tls_accept(w->tls, c->listener->index, c->fd);
	switch (tls_handshake(c->ssl, &result, &version)) {
	case TLS_STEP_READ:
		c->dry = true;
		return conn_wait(c, WATCH_READ, DEADLINE_HANDSHAKE);
	case TLS_STEP_WRITE:
		return conn_wait(c, WATCH_WRITE, DEADLINE_HANDSHAKE);
	case TLS_STEP_DONE:
		stats_add(w->stats, STAT_TLS_HANDSHAKES, result, version, 1);
		conn_phase_set(c, PHASE_IDLE);
		deadline_restart(c, idle_deadline(c));
		return TURN_GO;
	case TLS_STEP_FAILED:
		stats_add(w->stats, STAT_TLS_HANDSHAKES, result, version, 1);
		return gone(c);
	}
	assert(!"not a tls_step");
	return TURN_WAIT;
}

static enum turn one_turn(struct conn *c)
{
	switch (c->phase) {
	case PHASE_HANDSHAKE:
		return handshake_turn(c);
	case PHASE_IDLE:
		return idle_turn(c);
	case PHASE_REQUEST:
		return request_turn(c);
	case PHASE_SKIP:
		return skip_turn(c);
	case PHASE_LINGER:
		linger_read(c);
		return TURN_STOP;
	}
	assert(!"not a phase");
	return TURN_STOP;
}

/* As far as it goes without waiting; c may be gone after it. */
void conn_turn(struct conn *c)
{
	c->cs->turn_bytes = 0;
	/* Of one that stands behind others, the request that it is amid is its one of this turn. */
	c->cs->turn_requests = c->line != LINE_KNOWN && c->phase == PHASE_REQUEST;
	while (one_turn(c) == TURN_GO)
		;
}

/* ---- who calls ---- */

/* Whose place is behind others waits for it before its next request is begun, or its head is whole:
 * else whoever writes in odd pieces would be ahead. */
static bool waits_behind(const struct conn *c)
{
	const struct active *a = c->active;

	if (c->line == LINE_KNOWN)
		return false;
	return c->phase == PHASE_IDLE || c->phase == PHASE_SKIP ||
	       (c->phase == PHASE_REQUEST && a->step == STEP_BYTES && a->r.at == STAGE_HEAD &&
	        !a->r.out.n);
}

void conn_on_event(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	slow_assert(c->magic == CONN_MAGIC);
	if (c->phase == PHASE_HANDSHAKE && !c->ssl && what & EV_CLOSED) {
		conn_close(c); /* came and went without a handshake */
		return;
	}
	if (c->watch == WATCH_END) {
		if (what & EV_CLOSED || has_failed(fd))
			conn_close(c);
		return;
	}
	if (c->phase == PHASE_REQUEST && !c->active->r.out.n &&
	    (c->active->step == STEP_WAKE || c->active->step == STEP_BESIDE)) {
		if (what & EV_CLOSED)
			c->active->r.peer_half_closed = true;
		conn_watch(c, WATCH_NONE); /* see the head of this file */
		return;
	}
	c->dry = false;
	if (waits_behind(c)) {
		conn_watch(c, WATCH_NONE); /* or each turn would hear of it until it is its own */
		conn_go_later(c, c->deadline);
		return;
	}
	conn_turn(c);
}

void conn_expire(struct conn *c, enum verdict v)
{
	req_expire(&c->active->r, v);
	c->active->step = STEP_NEXT;
	conn_turn(c);
}

bool req_wake(struct worker *w, uint64_t handle, enum verdict v, int32_t partition, int64_t offset)
{
	struct conns *cs = w->conns;
	struct active *a = active_find(cs, handle);
	bool outer = cs->answering;

	if (!a || a->woken || a->r.at >= STAGE_REPLY)
		return false;
	a->r.verdict = v;
	a->r.partition = partition;
	a->r.offset = offset;
	a->woken = true;
	if (a->running) /* the sink answered inside send(): request_turn() goes on */
		return true;
	cs->answering = true;
	conn_turn(a->c);
	cs->answering = outer;
	return true;
}
