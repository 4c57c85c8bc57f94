/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resolve.c -- see resolve.h. The thread touches nothing but its own job; job and loop part by one
 * lock: whoever comes second frees it. getaddrinfo() cannot be cancelled, so it is left to end.
 */
#include "master/resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>

#include "common/buf.h"

enum { LIST_BYTES = 16 * KIB, HOST_BYTES = 256, ADDRESSES_MAX = 16 /* of one name */ };

struct resolve {
	pthread_mutex_t lock; /* of ended and abandoned */
	bool ended, abandoned;
	int wake; /* eventfd, the loop's */
	struct event event;
	void (*done)(void *arg);
	void *arg;
	struct resolve_lists in, out;
	struct err err; /* of the last host that has no address */
};

/* The addresses of one name as text, or -1 with *err said. A parameter so that a test needs no
 * name server. */
typedef int (*lookup_fn)(const char *name, char out[ADDRESSES_MAX][INET6_ADDRSTRLEN],
                         struct err *err);

static int lookup_by_system(const char *name, char out[ADDRESSES_MAX][INET6_ADDRSTRLEN],
                            struct err *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG }, *list;
	int rc = getaddrinfo(name, NULL, &hints, &list), n = 0;

	if (rc != 0)
		return err_set(err, "can't resolve '%s': %s", name, gai_strerror(rc));
	for (struct addrinfo *a = list; a && n < ADDRESSES_MAX; a = a->ai_next)
		if (getnameinfo(a->ai_addr, a->ai_addrlen, out[n], INET6_ADDRSTRLEN, NULL, 0,
		                NI_NUMERICHOST) == 0)
			n++;
	freeaddrinfo(list);
	return n > 0 ? n : err_set(err, "'%s' has no address", name);
}

/* ---- lists ---- */

/* The next part into out (cut if it is too long to be a name); false: there is none. */
static bool next_part(const char **list, char out[static HOST_BYTES])
{
	const char *comma;
	size_t n;

	if (!*list)
		return false;
	comma = strchr(*list, ',');
	n = comma ? (size_t)(comma - *list) : strlen(*list);
	snprintf(out, HOST_BYTES, "%.*s", (int)min_size(n, HOST_BYTES - 1), *list);
	*list = comma ? comma + 1 : NULL;
	return true;
}

static bool is_name(const char *host)
{
	struct in6_addr any;

	return host[0] && host[0] != '/' && host[0] != '@' && inet_pton(AF_INET, host, &any) != 1 &&
	       inet_pton(AF_INET6, host, &any) != 1;
}

bool resolve_needed(const char *hosts, const char *addrs)
{
	char host[HOST_BYTES], addr[HOST_BYTES];

	while (next_part(&hosts, host)) {
		if (!next_part(&addrs, addr))
			addr[0] = '\0';
		if (is_name(host) && !addr[0])
			return true;
	}
	return false;
}

struct lists_under_way {
	struct buf hosts, addrs, ports;
	unsigned count;
};

static void add_host(struct lists_under_way *l, const char *host, const char *addr,
                     const char *port)
{
	const char *comma = l->count++ > 0 ? "," : "";

	buf_printf(&l->hosts, "%s%s", comma, host);
	buf_printf(&l->addrs, "%s%s", comma, addr);
	buf_printf(&l->ports, "%s%s", comma, port);
}

static char *finish(struct buf *b)
{
	char *text = xstrndup(b->p ? b->p : "", b->n);

	buf_done(b);
	return text;
}

/* One port may stand for all hosts. */
static int expand(const struct resolve_lists *in, lookup_fn lookup, struct resolve_lists *out,
                  struct err *err)
{
	const char *hosts = in->hosts, *addrs = in->addrs, *ports = in->ports;
	char host[HOST_BYTES], addr[HOST_BYTES], port[HOST_BYTES] = "";
	char found[ADDRESSES_MAX][INET6_ADDRSTRLEN];
	struct lists_under_way l = { .count = 0 };

	buf_init(&l.hosts, LIST_BYTES);
	buf_init(&l.addrs, LIST_BYTES);
	buf_init(&l.ports, LIST_BYTES);
	while (next_part(&hosts, host)) {
		int n;

		if (!next_part(&addrs, addr))
			addr[0] = '\0';
		next_part(&ports, port);
		if (addr[0] || !is_name(host)) {
			add_host(&l, host, addr, port);
			continue;
		}
		n = lookup(host, found, err);
		for (int i = 0; i < n; i++)
			add_host(&l, host, found[i], port);
	}
	*out = (struct resolve_lists){ finish(&l.hosts), finish(&l.addrs), finish(&l.ports) };
	return l.count > 0 ? 0 : -1;
}

void resolve_lists_free(struct resolve_lists *l)
{
	free(l->hosts);
	free(l->addrs);
	free(l->ports);
	*l = (struct resolve_lists){ NULL, NULL, NULL };
}

/* ---- the thread ---- */

static void resolve_free(struct resolve *r)
{
	resolve_lists_free(&r->in);
	resolve_lists_free(&r->out);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

static void *work(void *arg)
{
	struct resolve *r = arg;
	uint64_t one = 1;
	bool alone;

	if (expand(&r->in, lookup_by_system, &r->out, &r->err) < 0)
		resolve_lists_free(&r->out);
	pthread_mutex_lock(&r->lock);
	r->ended = true;
	alone = r->abandoned;
	if (!alone && write(r->wake, &one, sizeof(one)) != (ssize_t)sizeof(one))
		abort(); /* an eventfd takes one */
	pthread_mutex_unlock(&r->lock);
	if (alone)
		resolve_free(r);
	return NULL;
}

/* All signals are the loop's. */
static int start_thread(struct resolve *r)
{
	pthread_attr_t attr;
	sigset_t all, before;
	pthread_t thread;
	int rc;

	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&thread, &attr, work, r);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return rc;
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct resolve *r = arg;

	(void)fd;
	(void)what;
	event_del(&r->event);
	r->done(r->arg);
}

struct resolve *resolve_start(struct event_base *base, const char *hosts, const char *addrs,
                              const char *ports, void (*done)(void *arg), void *arg,
                              struct err *err)
{
	struct resolve *r = xcalloc(1, sizeof(*r));
	int rc;

	pthread_mutex_init(&r->lock, NULL);
	r->in = (struct resolve_lists){ xstrdup(hosts ? hosts : ""), xstrdup(addrs ? addrs : ""),
		                        xstrdup(ports ? ports : "") };
	r->done = done;
	r->arg = arg;
	r->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->wake < 0) {
		err_errno(err, "no eventfd for the resolver");
		resolve_free(r);
		return NULL;
	}
	event_assign(&r->event, base, r->wake, EV_READ, on_wake, r);
	event_add(&r->event, NULL);
	rc = start_thread(r);
	if (rc != 0) {
		errno = rc;
		err_errno(err, "no thread for the resolver");
		event_del(&r->event);
		close(r->wake);
		resolve_free(r);
		return NULL;
	}
	return r;
}

int resolve_take(struct resolve *r, struct resolve_lists *out, struct err *err)
{
	int rc = r->out.hosts ? 0 : err_set(err, "%s", r->err.text);

	if (rc == 0) {
		*out = r->out;
		r->out = (struct resolve_lists){ NULL, NULL, NULL };
	}
	resolve_abandon(r);
	return rc;
}

void resolve_abandon(struct resolve *r)
{
	bool ended;

	if (!r)
		return;
	event_del(&r->event);
	pthread_mutex_lock(&r->lock);
	ended = r->ended;
	r->abandoned = true;
	close(r->wake);
	pthread_mutex_unlock(&r->lock);
	if (ended)
		resolve_free(r);
}
