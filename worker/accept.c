/* SPDX-License-Identifier: Apache-2.0 */
/*
 * accept.c -- listening sockets, and who may come in: limits of a listener and of one source, which
 * are per host and so divided among the workers, and of handshakes. Who is over a limit displaces
 * the oldest idle connection, else gets a static 503. Sockets belong to the master; here they are
 * copies.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include "common/loop.h"
#include "worker/client_address.h"
#include "worker/conn_private.h"
#include "worker/tls.h"

enum {
	ACCEPTS_PER_TURN = 64,
	PAUSE_MS = 100,
	REFUSED_MAX = 256,
	OLDEST_LOOK = 1024,
	LOGS_PER_MINUTE = 1
};

static const char refusal[] = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n"
			      "Content-Length: 0\r\nConnection: close\r\n\r\n";

/* ---- sources ---- */

/* Seeded: a client with a /64 could else choose addresses of one bucket. */
static unsigned source_bucket(const struct conns *cs, const uint8_t addr[static 16])
{
	uint64_t a, b;

	memcpy(&a, addr, sizeof(a));
	memcpy(&b, addr + sizeof(a), sizeof(b));
	a = (a ^ cs->source_seed) * UINT64_C(0x9e3779b97f4a7c15);
	a = (a ^ a >> 32 ^ b) * (cs->source_seed | 1);
	return (unsigned)(a >> 52) % SOURCE_BUCKETS;
}

static struct source *source_get(struct conns *cs, const uint8_t addr[static 16])
{
	struct source **bucket = &cs->sources[source_bucket(cs, addr)], *s = *bucket;

	while (s && memcmp(s->addr, addr, sizeof(s->addr)) != 0)
		s = s->next;
	if (!s) {
		s = cs->free_sources;
		if (s)
			cs->free_sources = s->next;
		else
			s = xcalloc(1, sizeof(*s));
		*s = (struct source){ .next = *bucket };
		memcpy(s->addr, addr, sizeof(s->addr));
		*bucket = s;
	}
	s->count++;
	return s;
}

void source_release(struct conns *cs, struct source *s)
{
	struct source **at;

	if (--s->count > 0)
		return;
	for (at = &cs->sources[source_bucket(cs, s->addr)]; *at != s; at = &(*at)->next)
		;
	*at = s->next;
	s->next = cs->free_sources;
	cs->free_sources = s;
}

/* ---- limits ---- */

static uint64_t share(const struct conns *cs, uint64_t per_host)
{
	return (per_host + cs->workers - 1) / cs->workers;
}

/* The idle connection of this listener, or of this source, that has waited longest: among the
 * oldest there are, or nobody could afford to be asked at each accept. */
static struct conn *oldest_idle(const struct conns *cs, const struct listener *l,
                                const struct source *s)
{
	struct conn *c = cs->lists[DEADLINE_IDLE].first;

	for (unsigned n = 0; c && n < OLDEST_LOOK; c = c->next, n++)
		if (c->phase == PHASE_IDLE && c->start == c->end && !c->again &&
		    (s ? c->source == s : c->listener == l))
			return c;
	return NULL;
}

static void count_refused(const struct conns *cs, const struct listener *l, enum conn_reason why)
{
	stats_add(cs->w->stats, STAT_CONNECTIONS_REFUSED, l->index, why, 1);
}

/* One too many: true if an idle one made room. */
static bool make_room(struct conns *cs, const struct listener *l, const struct source *s,
                      enum conn_reason why)
{
	struct conn *oldest = oldest_idle(cs, l, s);

	count_refused(cs, l, why);
	if (oldest)
		conn_close(oldest);
	return oldest;
}

static bool admitted(struct conns *cs, const struct listener *l, const struct source *s)
{
	if (s->count > share(cs, l->conf->max_connections_per_source) &&
	    !make_room(cs, l, s, CONN_SOURCE_LIMIT))
		return false;
	return cs->listener_counts[l->index] < share(cs, l->conf->max_connections) ||
	       make_room(cs, l, NULL, CONN_LIMIT);
}

/* ---- accept ---- */

static void client_address(const struct sockaddr_storage *ss, uint8_t addr[static 16],
                           char text[static CLIENT_TEXT_BYTES])
{
	static const uint8_t v4_mapped[12] = { [10] = 0xff, [11] = 0xff };
	char name[INET6_ADDRSTRLEN];

	if (ss->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)ss;

		memcpy(addr, v4_mapped, sizeof(v4_mapped));
		memcpy(addr + sizeof(v4_mapped), &in->sin_addr, 4);
		inet_ntop(AF_INET, &in->sin_addr, name, sizeof(name));
		snprintf(text, CLIENT_TEXT_BYTES, "%s:%u", name, ntohs(in->sin_port));
	} else if (ss->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)ss;

		memcpy(addr, &in6->sin6_addr, 16);
		inet_ntop(AF_INET6, &in6->sin6_addr, name, sizeof(name));
		snprintf(text, CLIENT_TEXT_BYTES, "[%s]:%u", name, ntohs(in6->sin6_port));
	} else { /* whoever may open the socket is on this machine */
		memcpy(addr, &in6addr_loopback, 16);
		snprintf(text, CLIENT_TEXT_BYTES, "unix");
	}
}

/* Over a limit, with nobody to displace. A TLS client would not understand the 503. */
static void refuse(struct conn *c)
{
	struct conns *cs = c->cs;

	cs->refused++;
	if (tls_wanted(cs->w->tls, c->listener->index) || cs->refused > REFUSED_MAX ||
	    send(c->fd, refusal, sizeof(refusal) - 1, MSG_NOSIGNAL) < 0)
		conn_close(c);
	else
		conn_linger(c);
}

static void take_in(struct socket *s, int fd, const struct sockaddr_storage *peer)
{
	struct conns *cs = s->cs;
	struct conn *c = conn_get(cs);
	struct conn_list *handshakes = &cs->lists[DEADLINE_HANDSHAKE];
	uint8_t addr[16];

	c->fd = fd;
	c->listener = s->listener;
	client_address(peer, addr, c->text);
	c->source = source_get(cs, addr);
	stats_add(cs->w->stats, STAT_CONNECTIONS_ACCEPTED, s->listener->index, 0, 1);
	if (!admitted(cs, s->listener, c->source)) {
		refuse(c);
		return;
	}
	c->counted = true;
	cs->listener_counts[s->listener->index]++;
	conn_start(c);
	if (handshakes->count > cs->w->conf->tls.handshakes_per_worker) {
		count_refused(cs, handshakes->first->listener, CONN_HANDSHAKE_LIMIT);
		conn_close(handshakes->first);
	}
}

static void listen_all(struct conns *cs, bool on)
{
	for (struct socket *s = cs->sockets; s; s = s->next)
		if ((on ? event_add(&s->ev, NULL) : event_del(&s->ev)) < 0)
			out_of_memory();
	cs->paused = !on;
}

static void on_pause_over(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	listen_all(arg, true);
}

/* Out of descriptors, or of memory for sockets. The one in reserve lets a waiting client see its
 * end instead of hanging; then nothing is accepted for a moment, or the loop would turn for
 * nothing. */
static void out_of_descriptors(struct conns *cs, int listening, int error)
{
	struct timeval pause = { 0, PAUSE_MS * 1000 };
	uint32_t held = 0;
	int fd;

	if (cs->reserve_fd >= 0) {
		close(cs->reserve_fd);
		fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			close(fd);
		cs->reserve_fd = eventfd(0, EFD_CLOEXEC);
	}
	if (log_limited(&cs->accept_log, LOGS_PER_MINUTE, loop_now(), &held))
		log_err("conn", "cannot accept, pausing", KV_S("error", strerror(error)),
		        KV_U("pause_ms", PAUSE_MS), KV_U("held_back", held));
	if (cs->paused)
		return;
	listen_all(cs, false);
	if (event_add(&cs->pause, &pause) < 0)
		out_of_memory();
}

static void on_accept(evutil_socket_t listening, short what, void *arg)
{
	struct socket *s = arg;
	struct sockaddr_storage peer;
	socklen_t peer_bytes;

	(void)what;
	for (unsigned n = 0; n < ACCEPTS_PER_TURN; n++) {
		int fd;

		peer_bytes = sizeof(peer);
		peer.ss_family = AF_UNIX; /* an unnamed client's address may have no bytes at all */
		fd = accept4(listening, (struct sockaddr *)&peer, &peer_bytes,
		             SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			take_in(s, fd, &peer);
			continue;
		}
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return;
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			out_of_descriptors(s->cs, listening, errno);
			return;
		}
		/* ECONNABORTED, EPROTO and the like: that client's matter, not the socket's. */
	}
}

/* ---- set-up ---- */

static void listeners_free(struct conns *cs)
{
	for (size_t i = 0; i < cs->w->conf->listeners.n; i++)
		client_address_close(&cs->listeners[i]);
	free(cs->listeners);
}

struct conns *conns_open(struct worker *w, struct err *err)
{
	struct conns *cs = xcalloc(1, sizeof(*cs));
	size_t n = w->conf->listeners.n;

	cs->w = w;
	cs->listeners = xcalloc(n + 1, sizeof(*cs->listeners));
	cs->listener_counts = xcalloc(n + 1, sizeof(*cs->listener_counts));
	for (size_t i = 0; i < n; i++) {
		cs->listeners[i] = (struct listener){ .conf = &w->conf->listeners.v[i],
			                              .index = (unsigned)i,
			                              .admin = w->conf->listeners.v[i].admin };
		client_address_open(&cs->listeners[i]);
	}
	cs->workers = workers_count(w->conf);
	cs->reserve_fd = eventfd(0, EFD_CLOEXEC);
	if (cs->reserve_fd < 0 ||
	    getrandom(&cs->source_seed, sizeof(cs->source_seed), 0) != sizeof(cs->source_seed)) {
		err_errno(err, "no descriptor in reserve");
		listeners_free(cs);
		free(cs->listener_counts);
		free(cs);
		return NULL;
	}
	conns_events_open(cs);
	if (event_assign(&cs->pause, w->base, -1, 0, on_pause_over, cs) < 0)
		out_of_memory();
	deadlines_open(cs);
	return cs;
}

static bool is_loopback(const struct sockaddr_storage *ss)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)ss;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)ss;

	if (ss->ss_family == AF_INET)
		return ntohl(in->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return ss->ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}

int conns_listen(struct conns *cs, unsigned index, uint64_t slot, int fd, struct err *err)
{
	autoclose int mine = fd;
	struct sockaddr_storage addr;
	socklen_t addr_bytes = sizeof(addr);
	struct socket *s;
	int on = 1;

	if (getsockname(mine, (struct sockaddr *)&addr, &addr_bytes) < 0)
		return err_errno(err, "listener %s: not a socket", cs->listeners[index].conf->name);
	if (evutil_make_socket_nonblocking(mine) < 0 || evutil_make_socket_closeonexec(mine) < 0)
		return err_errno(err, "listener %s", cs->listeners[index].conf->name);
	/* Accepted sockets inherit it: no call for each of them. */
	if (addr.ss_family != AF_UNIX &&
	    setsockopt(mine, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0)
		return err_errno(err, "listener %s: TCP_NODELAY", cs->listeners[index].conf->name);
	if (cs->draining)
		return 0;
	cs->listeners[index].loopback = is_loopback(&addr);
	s = xcalloc(1, sizeof(*s));
	s->cs = cs;
	s->listener = &cs->listeners[index];
	s->slot = slot;
	s->fd = take_fd(&mine);
	s->next = cs->sockets;
	cs->sockets = s;
	if (event_assign(&s->ev, cs->w->base, s->fd, EV_READ | EV_PERSIST, on_accept, s) < 0 ||
	    (!cs->paused && event_add(&s->ev, NULL) < 0))
		out_of_memory();
	return 0;
}

/* The master keeps the socket open: clients that wait in its queue are the next owner's. */
static void socket_close(struct socket **at)
{
	struct socket *s = *at;

	*at = s->next;
	event_del(&s->ev);
	close(s->fd);
	free(s);
}

void conns_release(struct conns *cs, uint64_t slot)
{
	for (struct socket **at = &cs->sockets; *at;) {
		if ((*at)->slot == slot && slot != (uint64_t)cs->w->slot)
			socket_close(at);
		else
			at = &(*at)->next;
	}
}

/* A client on an idle connection may be sending its next request this very moment. Closed at once,
 * it would get a reset and nothing could be safely tried again. So an idle connection is read on
 * for QUIET_MS: what comes is answered, with Connection: close. After that silence our end is sent,
 * and what crosses it on its way meets an orderly end, not a reset. */
void conns_drain(struct conns *cs)
{
	struct conn *c;

	cs->draining = true;
	while (cs->sockets)
		socket_close(&cs->sockets);
	event_del(&cs->pause);
	while ((c = cs->lists[DEADLINE_IDLE].first))
		deadline_restart(c, DEADLINE_QUIET);
	for (uint32_t i = 0; i < cs->slot_count; i++) {
		struct active *a = cs->slots[i].active;

		if (a && !conn_is_beside(a->c) && !a->r.reply_rendered)
			a->r.last_on_connection = true; /* else when it is back */
	}
}

bool conns_idle(const struct conns *cs)
{
	return cs->count == 0;
}

static void sources_free(struct source *s)
{
	while (s) {
		struct source *next = s->next;

		free(s);
		s = next;
	}
}

void conns_close(struct conns *cs)
{
	if (!cs)
		return;
	cs->closing = true;
	while (cs->sockets)
		socket_close(&cs->sockets);
	for (unsigned d = 0; d < DEADLINE_COUNT; d++)
		while (cs->lists[d].first)
			conn_close(cs->lists[d].first);
	event_del(&cs->sweep);
	event_del(&cs->pause);
	event_del(&cs->again);
	conn_pools_free(cs);
	for (unsigned i = 0; i < SOURCE_BUCKETS; i++)
		sources_free(cs->sources[i]);
	sources_free(cs->free_sources);
	close_fd_(&cs->reserve_fd);
	listeners_free(cs);
	free(cs->listener_counts);
	free(cs);
}
