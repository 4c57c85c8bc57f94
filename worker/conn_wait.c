/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn_wait.c -- what a connection waits for: its event, its place among those that go on in the
 * next turn, its phase in the gauges; and how it ends. conn.c decides, this file does it.
 */
#include <event2/event.h>
#include <sys/socket.h>
#include "common/loop.h"
#include "worker/conn_private.h"
#include "worker/tls.h"

enum {
	LINGER_BYTES_MAX = 64 * KIB,
	BEHIND_PER_TURN = 4, /* of each line at least: about 50 us for others who come meanwhile */
	BEHIND_SHARE = 4, /* and more while they take less than this part of what the others took, */
	BEHIND_NS_MAX = 1000000, /* at most, since that may have been no work at all */
};

static enum conn_state state_of(enum conn_phase phase)
{
	switch (phase) {
	case PHASE_HANDSHAKE:
		return CONN_HANDSHAKE;
	case PHASE_IDLE:
		return CONN_IDLE;
	case PHASE_REQUEST:
	case PHASE_SKIP:
	case PHASE_LINGER:
		return CONN_ACTIVE;
	}
	assert(!"not a phase");
	return CONN_IDLE;
}

static void gauge(const struct conn *c, int64_t n)
{
	if (c->counted)
		stats_add(c->cs->w->stats, STAT_CONNECTIONS, c->listener->index, state_of(c->phase),
		          n);
}

void conn_phase_set(struct conn *c, enum conn_phase phase)
{
	gauge(c, -1);
	c->phase = phase;
	gauge(c, 1);
}

void conn_watch(struct conn *c, enum watch wanted)
{
	static const short events[] = {
		[WATCH_NONE] = 0,
		[WATCH_READ] = EV_READ | EV_CLOSED | EV_PERSIST,
		[WATCH_WRITE] = EV_WRITE | EV_PERSIST,
		/* Not of EV_CLOSED alone: a reset is told as EV_READ. */
		[WATCH_END] = EV_READ | EV_CLOSED | EV_ET | EV_PERSIST,
	};

	if (c->watch == wanted)
		return;
	if (c->watch != WATCH_NONE)
		event_del(&c->ev);
	c->watch = wanted;
	if (wanted == WATCH_NONE)
		return;
	if (event_assign(&c->ev, c->cs->w->base, c->fd, events[wanted], conn_on_event, c) < 0 ||
	    event_add(&c->ev, NULL) < 0)
		out_of_memory(); /* epoll_ctl: ENOMEM, ENOSPC */
}

enum turn conn_wait(struct conn *c, enum watch w, enum deadline d)
{
	conn_watch(c, w);
	deadline_set(c, d);
	return TURN_WAIT;
}

/* Once: one that is due would be put off by each next call, and events of sockets come before it. */
static void again_soon(struct conns *cs)
{
	struct timeval now = { 0, 0 };

	if (!event_pending(&cs->again, EV_TIMEOUT, NULL) && event_add(&cs->again, &now) < 0)
		out_of_memory();
}

/* Goes on in the next turn of the loop, after whatever else is ready. Who is new, or was refused,
 * waits for its place among its like, a few of whom go on in each turn: so a client whom we refuse,
 * however often it asks and on however many connections, costs the others of its worker a moment,
 * and so do connections that come all at once. Each have a line of their own: who is new need not
 * wait for all who are refused. (Not handshakes: beyond tls.handshakes_per_worker the oldest ends,
 * which must not be one that waits for us.) */
enum turn conn_go_later(struct conn *c, enum deadline d)
{
	struct conns *cs = c->cs;
	/* A request that was let in is worked on as any other. */
	bool amid = c->phase == PHASE_REQUEST && c->active->r.at > STAGE_HEAD;

	if (!c->again) {
		c->again = true;
		c->again_line = amid ? LINE_KNOWN : c->line;
		TAILQ_INSERT_TAIL(&cs->lines[c->again_line], c, again_link);
		cs->line_counts[c->again_line]++;
		again_soon(cs);
	}
	deadline_set(c, d);
	return TURN_WAIT;
}

static void again_remove(struct conn *c)
{
	if (!c->again)
		return;
	c->again = false;
	TAILQ_REMOVE(&c->cs->lines[c->again_line], c, again_link);
	c->cs->line_counts[c->again_line]--;
}

/* ---- its end ---- */

/* Nothing wakes it any more but its request's return. */
static void leave(struct conn *c)
{
	c->active->left = true;
	conn_watch(c, WATCH_NONE);
	again_remove(c);
	deadline_set(c, DEADLINE_BESIDE);
}

void conn_close(struct conn *c)
{
	struct conns *cs = c->cs;

	if (conn_is_beside(c)) {
		leave(c);
		return;
	}
	conn_request_end(c);
	gauge(c, -1);
	if (c->counted)
		cs->listener_counts[c->listener->index]--;
	else
		cs->refused--;
	source_release(cs, c->source);
	conn_watch(c, WATCH_NONE);
	deadline_remove(c);
	again_remove(c);
	buffer_put(c);
	if (c->ssl)
		tls_free(c->ssl, true);
	close(c->fd);
	conn_put(c);
}

/* A socket that is closed with bytes unread, or that gets more, sends a reset, and that can
 * overtake the reply. So: our end first, then wait for the client's, reading a little of what it
 * still sends. The rest stays in the socket until the deadline: who sends more is held up, and so
 * finds the reply, where a reset would come between its look for one and its next bytes. */
void conn_linger(struct conn *c)
{
	buffer_put(c);
	if (c->ssl)
		tls_free(c->ssl, true);
	c->ssl = NULL;
	if (shutdown(c->fd, SHUT_WR) < 0) { /* ENOTCONN: it was reset */
		conn_close(c);
		return;
	}
	conn_phase_set(c, PHASE_LINGER);
	c->skip = LINGER_BYTES_MAX;
	conn_wait(c, WATCH_READ, DEADLINE_LINGER);
}

/* Those in the line now; whoever comes back to its end meanwhile waits for the next turn. */
static void all_go_on(struct conns *cs)
{
	struct conn *c;

	for (unsigned n = cs->line_counts[LINE_KNOWN]; n > 0 && (c = TAILQ_FIRST(&cs->lines[LINE_KNOWN]));
	     n--) {
		again_remove(c);
		conn_turn(c);
	}
}

/* A few of a line, until that time, if it comes later. They may not have been watched, so that no
 * turn hears of them before; now they are, so that their end is seen. */
static void some_go_on(struct conns *cs, enum line line, int64_t until_ns)
{
	unsigned waiting = cs->line_counts[line];
	struct conn *c;

	for (unsigned n = 0; n < waiting && (n < BEHIND_PER_TURN || loop_read_ns() < until_ns) &&
	                     (c = TAILQ_FIRST(&cs->lines[line]));
	     n++) {
		again_remove(c);
		conn_watch(c, WATCH_READ);
		conn_turn(c);
	}
	if (cs->line_counts[line])
		again_soon(cs);
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
	struct conns *cs = arg;
	int64_t now, share;

	(void)fd;
	(void)what;
	all_go_on(cs);
	now = loop_read_ns();
	share = (now - cs->behind_ended_ns) / BEHIND_SHARE;
	if (share > BEHIND_NS_MAX)
		share = BEHIND_NS_MAX;
	some_go_on(cs, LINE_NEW, now + share);
	some_go_on(cs, LINE_REFUSED, loop_read_ns() + share);
	cs->behind_ended_ns = loop_read_ns();
}

void conn_start(struct conn *c)
{
	bool tls = tls_wanted(c->cs->w->tls, c->listener->index);

	c->phase = tls ? PHASE_HANDSHAKE : PHASE_IDLE;
	c->line = c->listener->admin ? LINE_KNOWN : LINE_NEW; /* no probe waits for clients */
	c->dry = true;
	gauge(c, 1);
	conn_wait(c, WATCH_READ, tls ? DEADLINE_HANDSHAKE : DEADLINE_IDLE);
}

void conn_cut(struct conn *c)
{
	struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

	/* Unix sockets have no such thing, and no need of it. */
	(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	conn_close(c);
}

void conns_events_open(struct conns *cs)
{
	for (enum line line = 0; line < LINE_COUNT; line++)
		TAILQ_INIT(&cs->lines[line]);
	cs->behind_ended_ns = loop_read_ns();
	if (event_assign(&cs->again, cs->w->base, -1, 0, on_again, cs) < 0)
		out_of_memory();
}
