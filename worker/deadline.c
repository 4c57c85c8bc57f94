/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deadline.c -- how long a connection may wait for what: lists in the order of their beginnings,
 * swept by one timer. No event is added or deleted for a request (performance.md 3, recipe 1).
 */
#include "common/loop.h"
#include "worker/conn_private.h"

enum { SWEEP_MS = 250, QUIET_MS = 1000, LINGER_MS = 2000 };

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	deadlines_sweep(arg);
}

void deadlines_open(struct conns *cs)
{
	const struct conf *conf = cs->w->conf;
	struct timeval each = { 0, SWEEP_MS * 1000 };

	cs->durations[DEADLINE_HANDSHAKE] = conf->tls.handshake_timeout;
	cs->durations[DEADLINE_HEAD] = conf->http.head_timeout;
	/* A window is longer than a turn: whoever keeps the rate comes back to its list with this
	 * turn's time, and one of 0 would be over again at once, for ever. */
	cs->durations[DEADLINE_BODY] = (msec_t)max_size((size_t)conf->http.body_grace, SWEEP_MS);
	cs->durations[DEADLINE_BESIDE] = INT64_MAX;
	cs->durations[DEADLINE_ANSWER] = conf->kafka.ack_deadline;
	cs->durations[DEADLINE_WRITE] = conf->http.write_timeout;
	cs->durations[DEADLINE_IDLE] = conf->http.idle_timeout;
	cs->durations[DEADLINE_QUIET] = QUIET_MS;
	cs->durations[DEADLINE_SKIP] = conf->http.body_grace;
	cs->durations[DEADLINE_LINGER] = LINGER_MS;
	if (event_assign(&cs->sweep, cs->w->base, -1, EV_PERSIST, on_sweep, cs) < 0 ||
	    event_add(&cs->sweep, &each) < 0)
		out_of_memory();
}

void deadline_remove(struct conn *c)
{
	struct conn_list *list = &c->cs->lists[c->deadline];

	if (c->deadline == DEADLINE_COUNT)
		return;
	if (c->prev)
		c->prev->next = c->next;
	else
		list->first = c->next;
	if (c->next)
		c->next->prev = c->prev;
	else
		list->last = c->prev;
	list->count--;
	c->deadline = DEADLINE_COUNT;
}

void deadline_restart(struct conn *c, enum deadline d)
{
	struct conn_list *list = &c->cs->lists[d];

	deadline_remove(c);
	c->deadline = d;
	c->since = loop_now();
	c->next = NULL;
	c->prev = list->last;
	if (list->last)
		list->last->next = c;
	else
		list->first = c;
	list->last = c;
	list->count++;
}

void deadline_set(struct conn *c, enum deadline d)
{
	if (c->deadline != d)
		deadline_restart(c, d);
}

/* A body must bring its share in each window, so that neither a slow start nor a fast one that then
 * stalls holds a buffer for long. */
static void body_judge(struct conn *c, msec_t now)
{
	uint64_t due = c->cs->w->conf->http.body_min_rate * (uint64_t)(now - c->since) / 1000;

	if (c->active->window_bytes < due) {
		conn_expire(c, V_BODY_TIMEOUT);
		return;
	}
	c->active->window_bytes = 0;
	deadline_restart(c, DEADLINE_BODY);
}

static void refused(const struct conn *c, enum conn_reason why)
{
	stats_add(c->cs->w->stats, STAT_CONNECTIONS_REFUSED, c->listener->index, why, 1);
}

/* By whom it waited for; a store of our own is no Kafka, whatever holds up its disk. */
static enum verdict no_answer(const struct conn *c)
{
	if (c->active->r.at == STAGE_AUTH)
		return V_AUTH_UNAVAILABLE;
	return c->cs->w->conf->sink == SINK_LOCAL ? V_STORE : V_KAFKA_TIMEOUT;
}

static void expire(struct conn *c, msec_t now)
{
	/* It has written, and waits for us; of a request that was begun the time goes on. */
	if (c->phase == PHASE_IDLE && c->again && c->again_line != LINE_KNOWN) {
		deadline_restart(c, c->deadline);
		return;
	}
	switch (c->deadline) {
	case DEADLINE_HANDSHAKE:
		refused(c, CONN_HANDSHAKE_TIMEOUT);
		/* 2: of no version */
		stats_add(c->cs->w->stats, STAT_TLS_HANDSHAKES, TLS_TIMEOUT, 2, 1);
		conn_close(c);
		return;
	case DEADLINE_HEAD:
		conn_expire(c, V_HEAD_TIMEOUT);
		return;
	case DEADLINE_BODY:
		body_judge(c, now);
		return;
	case DEADLINE_ANSWER:
		conn_expire(c, no_answer(c));
		return;
	case DEADLINE_WRITE:
		refused(c, CONN_WRITE_TIMEOUT);
		conn_cut(c);
		return;
	case DEADLINE_IDLE:
		refused(c, CONN_IDLE_TIMEOUT);
		conn_linger(c);
		return;
	case DEADLINE_QUIET:
		conn_linger(c);
		return;
	case DEADLINE_SKIP:
	case DEADLINE_LINGER:
		conn_close(c);
		return;
	case DEADLINE_BESIDE: /* never */
	case DEADLINE_COUNT:
		break;
	}
	assert(!"not a deadline");
}

void deadlines_sweep(struct conns *cs)
{
	msec_t now = loop_now();

	for (unsigned d = 0; d < DEADLINE_COUNT; d++) {
		struct conn_list *list = &cs->lists[d];

		/* Whoever expires leaves the list or comes to its end with a new time. */
		while (list->first && now - list->first->since >= cs->durations[d])
			expire(list->first, now);
	}
}
