/* SPDX-License-Identifier: Apache-2.0 */
#include "master/sockets.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/stat.h>

enum {
	BACKLOG = 4096,
	DEFER_ACCEPT_S = 1, /* a client that sends nothing wakes no worker in its first second */
	UNIX_UMASK = 0117, /* the socket's mode becomes 0660 whatever the service's UMask is */
};

static int set_option(int fd, int level, int option, int value, const char *name, struct err *err)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0
	               ? err_errno(err, "can't set %s", name)
	               : 0;
}

static int new_socket(const struct addr *a, struct err *err)
{
	autoclose int fd = socket(a->ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return err_errno(err, "no socket");
	if (a->ss.ss_family == AF_UNIX)
		return take_fd(&fd);
	/* Else connections of our predecessor in TIME_WAIT keep the address busy for a minute. */
	if (set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR", err) < 0)
		return -1;
	if (a->ss.ss_family == AF_INET6 &&
	    set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1, "IPV6_V6ONLY", err) < 0)
		return -1;
	return take_fd(&fd);
}

int socket_bind_first(struct addr *a, struct err *err)
{
	autoclose int fd = new_socket(a, err);
	struct sockaddr *sa = (struct sockaddr *)&a->ss;

	if (fd < 0)
		return -1;
	if (bind(fd, sa, a->len) < 0)
		return err_errno(err, "can't bind");
	if (getsockname(fd, sa, &a->len) < 0)
		return err_errno(err, "can't read the bound address");
	addr_text(sa, a->len, a->text, sizeof(a->text));
	return take_fd(&fd);
}

int socket_join_group(int fd, struct err *err)
{
	return set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1, "SO_REUSEPORT", err);
}

int socket_bind_next(const struct addr *a, struct err *err)
{
	autoclose int fd = new_socket(a, err);

	if (fd < 0 || socket_join_group(fd, err) < 0)
		return -1;
	if (bind(fd, (const struct sockaddr *)&a->ss, a->len) < 0)
		return err_errno(err, "can't bind one more socket");
	return take_fd(&fd);
}

int socket_listen(int fd, const struct addr *a, struct err *err)
{
	if (a->ss.ss_family != AF_UNIX && set_option(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT,
	                                             DEFER_ACCEPT_S, "TCP_DEFER_ACCEPT", err) < 0)
		return -1;
	return listen(fd, BACKLOG) < 0 ? err_errno(err, "can't listen") : 0;
}

/* A path that nobody answers at is left over from a process that was killed. */
static int clear_stale(const struct addr *a, struct err *err)
{
	autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;

	if (lstat(a->text, &st) < 0)
		return errno == ENOENT ? 0 : err_errno(err, "can't look at it");
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, "a file that is no socket is in the way");
	if (fd < 0)
		return err_errno(err, "no socket");
	if (connect(fd, (const struct sockaddr *)&a->ss, a->len) == 0 || errno == EAGAIN) {
		errno = EADDRINUSE;
		return err_errno(err, "can't bind");
	}
	if (errno != ECONNREFUSED)
		return err_errno(err, "can't tell whether it is in use");
	return unlink(a->text) < 0 ? err_errno(err, "can't remove the stale socket") : 0;
}

int socket_bind_unix(const struct addr *a, struct err *err)
{
	autoclose int fd = new_socket(a, err);
	mode_t old;
	int rc;

	if (fd < 0 || clear_stale(a, err) < 0)
		return -1;
	old = umask(
		UNIX_UMASK); /* not chmod() afterwards: there must be no moment of another mode */
	rc = bind(fd, (const struct sockaddr *)&a->ss, a->len);
	umask(old);
	if (rc < 0)
		return err_errno(err, "can't bind");
	return take_fd(&fd);
}
