/* SPDX-License-Identifier: Apache-2.0 */
#include "master/listeners.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include "common/log.h"
#include "master/sockets.h"

enum { STORE_NAME_MAX = 128 };

enum group_kind { GROUP_TCP, GROUP_UNIX, GROUP_PASSED };

struct group {
	enum group_kind kind;
	char *name; /* the listener's, for the log and the descriptor store */
	char *listen; /* as configured: what a plan finds it by */
	struct addr addr; /* as bound: port 0 has become the kernel's choice */
	int *fds; /* TCP: one per slot; else one, shared */
	unsigned count;
	bool committed; /* else it goes at a rollback */
	unsigned stored; /* of these are in the manager's store */
};

struct listeners {
	struct systemd *systemd;
	struct group **v;
	size_t n;
};

struct listener_set {
	size_t n;
	struct group *v[];
};

/* ---- one group ---- */

static void group_add(struct group *g, int fd)
{
	g->fds = xrealloc(g->fds, g->count + 1, sizeof(*g->fds));
	g->fds[g->count++] = fd;
}

static void group_free(struct group *g)
{
	if (!g)
		return;
	for (unsigned i = 0; i < g->count; i++)
		close(g->fds[i]);
	if (g->kind == GROUP_UNIX && g->count)
		unlink(g->addr.text);
	free(g->fds);
	free(g->name);
	free(g->listen);
	free(g);
}

/* Also of a group that came back from the store with fewer sockets than there are workers now. */
static int group_fill(struct group *g, unsigned slots, struct err *err)
{
	while (g->kind == GROUP_TCP && g->count < slots) {
		autoclose int fd = g->count ? socket_bind_next(&g->addr, err)
		                            : socket_bind_first(&g->addr, err);

		if (fd < 0)
			return -1;
		if (!g->count && socket_join_group(fd, err) < 0)
			return -1;
		if (socket_listen(fd, &g->addr, err) < 0)
			return -1;
		group_add(g, take_fd(&fd));
	}
	return 0;
}

static const char store_prefix[] = "hg.";

static void store_name(const struct group *g, unsigned slot, char out[static STORE_NAME_MAX])
{
	snprintf(out, STORE_NAME_MAX, "%s%.100s.%u", store_prefix, g->name, slot);
}

static bool is_stored_socket(const struct systemd_socket *s)
{
	return s->fd >= 0 && strncmp(s->name, store_prefix, sizeof(store_prefix) - 1) == 0;
}

static bool port_is_any(const struct addr *a)
{
	const struct sockaddr_in *a4 = (const void *)&a->ss;

	/* The port stands at the same place in both families. */
	return a->ss.ss_family != AF_UNIX && a4->sin_port == 0;
}

static bool same_place(const struct addr *want, const struct sockaddr_storage *have)
{
	const struct sockaddr_in *a4 = (const void *)&want->ss, *b4 = (const void *)have;
	const struct sockaddr_in6 *a6 = (const void *)&want->ss, *b6 = (const void *)have;

	if (want->ss.ss_family != have->ss_family)
		return false;
	if (have->ss_family == AF_INET)
		return a4->sin_addr.s_addr == b4->sin_addr.s_addr &&
		       (a4->sin_port == b4->sin_port || !a4->sin_port);
	return have->ss_family == AF_INET6 && memcmp(&a6->sin6_addr, &b6->sin6_addr, 16) == 0 &&
	       (a6->sin6_port == b6->sin6_port || !a6->sin6_port);
}

/* Takes back what our predecessor put into the manager's store, if it still is the address that is
 * configured: who leaves it there finds its own address in use. A port that the kernel chose is
 * known by the listener's name alone. */
static void group_restore(struct listeners *l, struct group *g)
{
	const struct addr want = g->addr;
	struct systemd_socket *s;
	unsigned n = systemd_sockets(l->systemd, &s);

	for (unsigned i = 0; i < n; i++) {
		struct sockaddr_storage have = { .ss_family = AF_UNSPEC };
		socklen_t len = sizeof(have);
		char name[STORE_NAME_MAX];
		bool same_name;

		if (!is_stored_socket(&s[i]))
			continue;
		store_name(g, g->count, name);
		same_name = strcmp(s[i].name, name) == 0;
		if (getsockname(s[i].fd, (struct sockaddr *)&have, &len) < 0 ||
		    !same_place(&want, &have) || (port_is_any(&want) && !same_name))
			continue;
		memcpy(&g->addr.ss, &have, sizeof(have));
		g->addr.len = len;
		addr_text((const struct sockaddr *)&have, len, g->addr.text, sizeof(g->addr.text));
		if (same_name && g->stored == g->count)
			g->stored++;
		else
			systemd_unstore(l->systemd,
			                s[i].name); /* stored again under its name of today */
		group_add(g, take_fd(&s[i].fd));
	}
}

/* What the store gave back and no listener of today wants. */
static void drop_unwanted(struct listeners *l)
{
	struct systemd_socket *s;
	unsigned n = systemd_sockets(l->systemd, &s);

	for (unsigned i = 0; i < n; i++) {
		if (!is_stored_socket(&s[i]))
			continue;
		systemd_unstore(l->systemd, s[i].name);
		close(take_fd(&s[i].fd));
	}
}

static int group_open_passed(struct listeners *l, struct group *g, const char *name,
                             struct err *err)
{
	struct systemd_socket *s, *found = NULL;
	unsigned n = systemd_sockets(l->systemd, &s);
	socklen_t len = sizeof(int);
	int listening = 0;

	for (unsigned i = 0; i < n; i++) {
		if (s[i].fd < 0 || strcmp(s[i].name, name) != 0)
			continue;
		if (found)
			return err_set(err,
			               "two sockets were passed under this name: give each its own "
			               "FileDescriptorName=");
		found = &s[i];
	}
	if (!found)
		return err_set(err, "no socket was passed under this name (FileDescriptorName= of "
		                    "the socket unit)");
	if (getsockopt(found->fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0 || !listening)
		return err_set(err, "the socket that was passed does not listen");
	if (fcntl(found->fd, F_SETFL, O_NONBLOCK) < 0)
		return err_errno(err, "can't set the passed socket non-blocking");
	g->addr.len = sizeof(g->addr.ss);
	if (getsockname(found->fd, (struct sockaddr *)&g->addr.ss, &g->addr.len) < 0)
		return err_errno(err, "can't read the passed socket's address");
	addr_text((const struct sockaddr *)&g->addr.ss, g->addr.len, g->addr.text,
	          sizeof(g->addr.text));
	group_add(g, take_fd(&found->fd));
	return 0;
}

static int group_open(struct listeners *l, struct group *g, struct err *err)
{
	if (strncmp(g->listen, "fd:", 3) == 0) {
		g->kind = GROUP_PASSED;
		return group_open_passed(l, g, g->listen + 3, err);
	}
	if (value_addr(bytes_str(g->listen), &g->addr, err) < 0)
		return -1;
	if (g->addr.ss.ss_family == AF_UNIX) {
		autoclose int fd = -1;

		g->kind = GROUP_UNIX;
		fd = socket_bind_unix(&g->addr, err);
		if (fd < 0)
			return -1;
		if (socket_listen(fd, &g->addr, err) < 0)
			return -1;
		group_add(g, take_fd(&fd));
		return 0;
	}
	g->kind = GROUP_TCP;
	group_restore(l, g);
	return 0;
}

/* ---- the plan ---- */

struct listeners *listeners_open(struct systemd *systemd)
{
	struct listeners *l = xcalloc(1, sizeof(*l));

	l->systemd = systemd;
	return l;
}

void listeners_close(struct listeners *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->n; i++)
		group_free(l->v[i]);
	free(l->v);
	free(l);
}

/* By address; but with port 0 the same text stands for different addresses. */
static struct group *group_find(const struct listeners *l, const struct listener_conf *lc)
{
	struct group *renamed = NULL;
	struct addr a;

	for (size_t i = 0; i < l->n; i++) {
		if (strcmp(l->v[i]->listen, lc->listen) != 0)
			continue;
		if (strcmp(l->v[i]->name, lc->name) == 0)
			return l->v[i];
		renamed = l->v[i];
	}
	return renamed && value_addr(bytes_str(lc->listen), &a, NULL) == 0 && port_is_any(&a)
	               ? NULL
	               : renamed;
}

static struct group *group_get(struct listeners *l, const struct listener_conf *lc, unsigned slots,
                               struct err *err)
{
	struct group *g = group_find(l, lc);

	if (!g) {
		g = xcalloc(1, sizeof(*g));
		g->name = xstrdup(lc->name);
		g->listen = xstrdup(lc->listen);
		if (group_open(l, g, err) < 0) {
			group_free(g);
			return NULL;
		}
		l->v = xrealloc(l->v, l->n + 1, sizeof(struct group *));
		l->v[l->n++] = g;
	}
	return group_fill(g, slots, err) < 0 ? NULL : g;
}

static bool set_has(const struct listener_set *set, const struct group *g)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->v[i] == g)
			return true;
	return false;
}

struct listener_set *listeners_plan(struct listeners *l, const struct conf *conf, unsigned slots,
                                    struct err *err)
{
	struct listener_set *set =
		xcalloc(1, sizeof(*set) + conf->listeners.n * sizeof(struct group *));

	for (size_t i = 0; i < conf->listeners.n; i++) {
		const struct listener_conf *lc = &conf->listeners.v[i];

		set->v[i] = group_get(l, lc, slots, err);
		if (set->v[i] && set_has(set, set->v[i])) {
			err_set(err, "another listener has this address");
			errno = EADDRINUSE;
			set->v[i] = NULL;
		}
		if (!set->v[i]) {
			int cause = errno; /* a start's exit code hangs on it */

			err_prefix(err, "listener %s: %s: ", lc->name, lc->listen);
			listeners_rollback(l);
			free(set);
			errno = cause;
			return NULL;
		}
		set->n++;
	}
	return set;
}

/* Sockets that a known group got for more workers stay: clients may wait in their queues already,
 * and siblings serve them (adopt.c), as after a reload to fewer workers. */
void listeners_rollback(struct listeners *l)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->n; i++) {
		struct group *g = l->v[i];

		if (g->committed)
			l->v[kept++] = g;
		else
			group_free(g);
	}
	l->n = kept;
}

static void group_drop(struct listeners *l, struct group *g)
{
	char name[STORE_NAME_MAX];

	for (unsigned slot = 0; slot < g->stored; slot++) {
		store_name(g, slot, name);
		systemd_unstore(l->systemd, name);
	}
	log_info("listeners", "no longer listening", KV_S("name", g->name),
	         KV_S("addr", g->addr.text));
	group_free(g);
}

static void group_commit(struct listeners *l, struct group *g)
{
	char name[STORE_NAME_MAX];

	for (; g->kind == GROUP_TCP && g->stored < g->count; g->stored++) {
		store_name(g, g->stored, name);
		systemd_store(l->systemd, name, g->fds[g->stored]);
	}
	if (!g->committed)
		log_info("listeners", "listening", KV_S("name", g->name),
		         KV_S("addr", g->addr.text));
	g->committed = true;
}

void listeners_commit(struct listeners *l, const struct listener_set *set)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->n; i++) {
		struct group *g = l->v[i];

		if (set_has(set, g)) {
			group_commit(l, g);
			l->v[kept++] = g;
		} else {
			group_drop(l, g);
		}
	}
	l->n = kept;
	drop_unwanted(l);
}

void listener_set_free(struct listener_set *set)
{
	free(set);
}

unsigned listener_set_slots(const struct listener_set *set)
{
	unsigned slots = 0;

	for (size_t i = 0; i < set->n; i++)
		if (set->v[i]->kind == GROUP_TCP && set->v[i]->count > slots)
			slots = set->v[i]->count;
	return slots;
}

bool listener_set_is_shared(const struct listener_set *set, size_t index)
{
	return set->v[index]->kind != GROUP_TCP;
}

int listener_set_fd(const struct listener_set *set, size_t index, unsigned slot)
{
	const struct group *g = set->v[index];

	if (g->kind != GROUP_TCP)
		return g->fds[0];
	return slot < g->count ? g->fds[slot] : -1;
}

const struct addr *listener_set_addr(const struct listener_set *set, size_t index)
{
	return &set->v[index]->addr;
}

/* ---- -t ---- */

enum listener_probe listener_probe(const struct listener_conf *lc, struct err *err)
{
	struct addr a;
	int fd;

	if (strncmp(lc->listen, "fd:", 3) == 0)
		return PROBE_FREE; /* only the manager can pass it */
	if (value_addr(bytes_str(lc->listen), &a, err) < 0)
		return PROBE_FAILED;
	fd = a.ss.ss_family == AF_UNIX ? socket_bind_unix(&a, err) : socket_bind_first(&a, err);
	if (fd < 0) {
		enum listener_probe result = errno == EADDRINUSE ? PROBE_BUSY : PROBE_FAILED;

		err_prefix(err, "listener %s: %s: ", lc->name, lc->listen);
		return result;
	}
	if (a.ss.ss_family == AF_UNIX)
		unlink(a.text);
	close(fd);
	return PROBE_FREE;
}
