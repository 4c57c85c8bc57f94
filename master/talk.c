/* SPDX-License-Identifier: Apache-2.0 */
#include "master/talk.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include "common/log.h"
#include "common/loop.h"
#include "master/spawn.h"

static const msec_t LINGER_MS = 1000; /* between the end of its channel and that of a worker */

/* ---- to workers ---- */

void talk_close(struct proc *p)
{
	if (p->channel < 0)
		return;
	event_del(&p->on_channel);
	close(p->channel);
	p->channel = -1;
}

void proc_send(struct proc *p, enum message type, uint64_t arg, uint64_t slot, int fd,
               struct bytes body)
{
	if (p->channel < 0 || p->killed || channel_send(p->channel, type, arg, slot, fd, body) == 0)
		return;
	if (errno == EPIPE || errno == ECONNRESET)
		return; /* EXIT comes */
	log_err("workers", "a worker does not take messages, it is replaced", KV_U("slot", p->slot),
	        KV_S("message", message_name(type)), KV_S("err", strerror(errno)));
	proc_event(p, PROC_LATE);
}

/* To every process that is set up; what comes before START is spawn.c's. */
void talk_broadcast(struct workers *w, enum message type, uint64_t arg, int fd, struct bytes body)
{
	for (struct proc *p = NULL; (p = workers_each(w, p));)
		if (proc_is_live(p) && p->setup_done)
			proc_send(p, type, arg, 0, fd, body);
}

/* ---- what workers say ---- */

/* At most one unconfirmed table lies in a channel; the newest is sent when that is confirmed. Who
 * has its base gets the delta only; else both go, as one. */
static void send_table(struct proc *p)
{
	const struct tables *now = &p->all->tables;
	bool delta = now->delta_fd >= 0;

	if (now->generation == 0 || p->table_waits || p->table_sent == now->generation)
		return;
	p->table_waits = true;
	p->table_sent = now->generation;
	p->base_sent = now->base;
	if (p->base_ok != now->base || !delta)
		proc_send(p, MSG_TABLE, now->base, delta, now->base_fd, BYTES_NONE);
	if (delta)
		proc_send(p, MSG_DELTA, now->generation, 0, now->delta_fd, BYTES_NONE);
}

void talk_note_served(struct workers *w)
{
	uint64_t oldest = UINT64_MAX;

	for (struct proc *p = NULL; (p = workers_each(w, p));)
		if ((p->state == PROC_READY || p->state == PROC_DRAINING) && p->table_ok < oldest)
			oldest = p->table_ok;
	if (oldest == UINT64_MAX || oldest <= w->table_served)
		return;
	w->table_served = oldest;
	w->hooks.served(w->hooks.arg, oldest);
}

/* A delta that was refused may have met another base than we thought: the base is sent again, with
 * it, once. */
static void on_table_refused(struct proc *p, const struct channel_msg *m)
{
	bool had_base = p->base_ok == p->base_sent;

	log_err("workers", "a worker refused a tenant table, the old one serves",
	        KV_U("slot", p->slot), KV_U("table", m->arg),
	        KV_B("err", bytes_of(m->body, m->body_bytes)), KV_U("again", had_base));
	p->base_ok = 0;
	if (had_base)
		p->table_sent = 0;
}

static void on_table_answer(struct proc *p, const struct channel_msg *m)
{
	p->table_waits = false;
	if (m->type == MSG_TABLE_OK) {
		p->table_ok = m->arg;
		p->base_ok = p->base_sent;
	} else {
		on_table_refused(p, m);
	}
	send_table(p);
	talk_note_served(p->all);
}

static bool on_message(struct proc *p, const struct channel_msg *m)
{
	switch (m->type) {
	case MSG_READY:
		if (!p->setup_done || p->state == PROC_READY)
			return false;
		proc_event(p, PROC_SAYS_READY);
		return true;
	case MSG_FAILED:
		snprintf(p->gen->failed, sizeof(p->gen->failed), "%.*s", (int)m->body_bytes,
		         (const char *)m->body);
		p->gen->failed_code = m->arg == EX_CONFIG ? EX_CONFIG : EX_SOFTWARE;
		p->could_not = true;
		log_err("workers", "a worker could not set up", KV_U("slot", p->slot),
		        KV_U("gen", p->gen->number), KV_S("err", p->gen->failed));
		p->all->changed = true;
		workers_poke(p->all);
		return true;
	case MSG_TABLE_OK:
	case MSG_TABLE_BAD:
		if (!p->table_waits || m->arg != p->table_sent)
			return false;
		on_table_answer(p, m);
		return true;
	case MSG_TAP_OK:
		if (p->state == PROC_READY)
			p->all->hooks.tap_on(p->all->hooks.arg, m->arg);
		return true;
	case MSG_TAPPED:
		p->all->hooks.tapped(p->all->hooks.arg, m->arg, bytes_of(m->body, m->body_bytes));
		return true;
	case MSG_JWKS_WANT:
		p->all->hooks.jwks_wanted(p->all->hooks.arg, bytes_of(m->body, m->body_bytes));
		return true;
	case MSG_NONE:
	case MSG_CONF:
	case MSG_STATS_OWN:
	case MSG_STATS_PEER:
	case MSG_LIMITS:
	case MSG_LOG_FILE:
	case MSG_TICKETS:
	case MSG_LISTENER:
	case MSG_RELEASE:
	case MSG_TABLE:
	case MSG_DELTA:
	case MSG_START:
	case MSG_DRAIN:
	case MSG_ASIDE:
	case MSG_GONE:
	case MSG_TAP:
	case MSG_JWKS:
	case MSG_COUNT:
		break;
	}
	return false;
}

void talk_read(struct proc *p)
{
	struct channel_msg m;
	struct err err = { "" };
	int rc = 0;

	while (p->channel >= 0 && (rc = channel_recv(p->channel, &m, &err)) > 0) {
		bool ok = on_message(p, &m);

		close_fd_(&m.fd); /* workers send none */
		if (!ok) {
			rc = err_set(&err, "message %s is out of place", message_name(m.type));
			break;
		}
	}
	if (p->channel < 0 || rc == 0)
		return;
	talk_close(p);
	if (err.text[0]) {
		log_err("workers", "a worker says nonsense, it is replaced", KV_U("slot", p->slot),
		        KV_S("err", err.text));
		proc_event(p, PROC_LATE);
	} else if (!p->killed) {
		/* It is ending: EXIT says how. Should it stay all the same, it has no master any
		 * more. */
		p->late_at = loop_now() + LINGER_MS;
		workers_poke(p->all);
	}
}

static void on_channel(evutil_socket_t fd, short what, void *arg);

void talk_open(struct proc *p)
{
	bool more = !p->setup_done || p->pages_sent < pages_count(p->all->pages);
	short what = EV_READ | EV_PERSIST | (more ? EV_WRITE : 0);

	event_assign(&p->on_channel, p->all->base, p->channel, what, on_channel, p);
	if (event_add(&p->on_channel, NULL) < 0)
		out_of_memory();
}

static void after_setup(struct proc *p)
{
	uint32_t aside[POISON_ASIDE_MAX];
	unsigned n = poison_aside(&p->all->poison, loop_now(), aside);

	event_del(&p->on_channel);
	talk_open(p);
	for (unsigned i = 0; i < n; i++)
		proc_send(p, MSG_ASIDE, aside[i], 0, -1, BYTES_NONE);
	p->all->hooks.set_up(p->all->hooks.arg, p);
	send_table(p);
}

/* As many as fit; false: the rest when there is room again. 256 workers have 514 pages, and a
 * channel takes some 270 messages. */
static bool send_pages(struct proc *p)
{
	struct pages *pages = p->all->pages;

	for (; p->channel >= 0 && p->pages_sent < pages_count(pages); p->pages_sent++) {
		int fd = pages_fd_reader(pages, p->pages_sent);

		if (channel_send(p->channel, MSG_STATS_PEER, p->pages_sent, 0, fd, BYTES_NONE) < 0)
			return errno != EAGAIN; /* EPIPE: EXIT comes */
	}
	return true;
}

static void on_channel(evutil_socket_t fd, short what, void *arg)
{
	struct proc *p = arg;
	struct err err;

	(void)fd;
	if ((what & EV_WRITE) && !p->setup_done) {
		if (spawn_setup(p, &err) < 0) {
			talk_read(p); /* its last words: FAILED says why */
			if (p->channel < 0)
				return;
			log_err("workers", "a worker can't be set up", KV_U("slot", p->slot),
			        KV_S("err", err.text));
			talk_close(p);
			proc_event(p, PROC_LATE);
			return;
		}
		if (p->setup_done)
			after_setup(p);
	} else if ((what & EV_WRITE) && send_pages(p)) {
		event_del(&p->on_channel);
		talk_open(p);
	}
	if (what & EV_READ)
		talk_read(p);
}

void workers_tables(struct workers *w, const struct tables *now)
{
	w->tables = *now;
	for (struct proc *p = NULL; (p = workers_each(w, p));)
		if (proc_is_live(p) && p->setup_done)
			send_table(p);
}

void workers_send_pages(struct workers *w)
{
	for (struct proc *p = NULL; (p = workers_each(w, p));) {
		if (!proc_is_live(p) || !p->setup_done || p->channel < 0 || send_pages(p))
			continue;
		event_del(&p->on_channel);
		talk_open(p);
	}
}

void workers_send_logs(struct workers *w)
{
	talk_broadcast(w, MSG_LOG_FILE, STREAM_ACCESS, w->logs->fd[STREAM_ACCESS], BYTES_NONE);
	talk_broadcast(w, MSG_LOG_FILE, STREAM_AUDIT, w->logs->fd[STREAM_AUDIT], BYTES_NONE);
}

void workers_send_tickets(struct workers *w)
{
	talk_broadcast(w, MSG_TICKETS, 0, -1, bytes_of(w->tickets, sizeof(w->tickets)));
}
