/* SPDX-License-Identifier: Apache-2.0 */
#include "master/systemd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include "common/bytes.h"
#include "common/log.h"

enum {
	FIRST_PASSED_FD = 3, /* sd_listen_fds(3) */
	PASSED_MAX = 4096,
	NOTICE_BYTES = 2048,
	US_PER_MS = 1000,
};

struct systemd {
	int fd; /* -1: no manager */
	struct sockaddr_un to;
	socklen_t to_len;
	msec_t watchdog;
	struct systemd_socket *sockets;
	unsigned socket_count;
	char *names; /* what the sockets' names point into */
};

static bool is_for_us(const char *pid_text)
{
	return pid_text && strtol(pid_text, NULL, 10) == getpid();
}

static int open_notify(struct systemd *s, const char *path, struct err *err)
{
	size_t n = strlen(path);

	if ((path[0] != '/' && path[0] != '@') || n < 2 || n > sizeof(s->to.sun_path) - 1)
		return err_set(err, "NOTIFY_SOCKET: '%s' is neither a path nor an abstract socket",
		               path);
	s->to.sun_family = AF_UNIX;
	memcpy(s->to.sun_path, path, n);
	if (path[0] == '@')
		s->to.sun_path[0] = '\0'; /* abstract names have no final NUL either */
	s->to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (path[0] == '/'));
	s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return s->fd < 0 ? err_errno(err, "no socket for the service manager") : 0;
}

static int open_passed(struct systemd *s, const char *count_text, const char *names,
                       struct err *err)
{
	uint64_t count;
	char *at;

	if (!bytes_to_u64(bytes_str(count_text), PASSED_MAX, &count))
		return err_set(err, "LISTEN_FDS: '%s' is no number up to %d", count_text,
		               PASSED_MAX);
	s->sockets = xcalloc(count, sizeof(*s->sockets));
	s->names = at = xstrdup(names ? names : "");
	for (uint64_t i = 0; i < count; i++) {
		int fd = FIRST_PASSED_FD + (int)i, flags = fcntl(fd, F_GETFD);

		if (flags < 0 || fcntl(fd, F_SETFD, flags | FD_CLOEXEC) < 0)
			return err_errno(err, "LISTEN_FDS: descriptor %d", fd);
		s->sockets[i].fd = fd;
		s->sockets[i].name = at ? strsep(&at, ":") : "unknown";
		s->socket_count++;
	}
	return 0;
}

static int read_environment(struct systemd *s, struct err *err)
{
	const char *notify = getenv("NOTIFY_SOCKET"), *usec = getenv("WATCHDOG_USEC");
	const char *watchdog_pid = getenv("WATCHDOG_PID"), *count = getenv("LISTEN_FDS");
	uint64_t us;

	if (notify && *notify && open_notify(s, notify, err) < 0)
		return -1;
	if (usec && (!watchdog_pid || is_for_us(watchdog_pid))) {
		if (!bytes_to_u64(bytes_str(usec), INT64_MAX, &us) || us < 2 * US_PER_MS)
			return err_set(err, "WATCHDOG_USEC: '%s' is no interval", usec);
		s->watchdog = (msec_t)(us / US_PER_MS);
	}
	if (count && is_for_us(getenv("LISTEN_PID")))
		return open_passed(s, count, getenv("LISTEN_FDNAMES"), err);
	return 0;
}

struct systemd *systemd_open(struct err *err)
{
	static const char *const ours[] = { "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID",
		                            "LISTEN_FDS",    "LISTEN_PID",    "LISTEN_FDNAMES" };
	struct systemd *s = xcalloc(1, sizeof(*s));
	int rc;

	s->fd = -1;
	rc = read_environment(s, err);
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		unsetenv(ours[i]);
	if (rc < 0) {
		systemd_close(s);
		return NULL;
	}
	return s;
}

void systemd_close(struct systemd *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < s->socket_count; i++)
		close_fd_(&s->sockets[i].fd);
	close_fd_(&s->fd);
	free(s->sockets);
	free(s->names);
	free(s);
}

bool systemd_is_there(const struct systemd *s)
{
	return s->fd >= 0;
}

msec_t systemd_watchdog(const struct systemd *s)
{
	return s->watchdog;
}

static void send_notice(struct systemd *s, const char *text, size_t n, int passed_fd)
{
	struct iovec iov = { (void *)text, n };
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { .room = { 0 } };
	struct msghdr msg = {
		.msg_name = &s->to, .msg_namelen = s->to_len, .msg_iov = &iov, .msg_iovlen = 1
	};

	if (passed_fd >= 0) {
		struct cmsghdr *c;

		msg.msg_control = control.room;
		msg.msg_controllen = sizeof(control.room);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &passed_fd, sizeof(int));
	}
	if (sendmsg(s->fd, &msg, MSG_NOSIGNAL) < 0)
		log_warn("systemd", "the service manager does not take our notice",
		         KV_B("notice", bytes_of(text, min_size(n, 40))),
		         KV_S("err", strerror(errno)));
}

void systemd_notify(struct systemd *s, const char *fmt, ...)
{
	char text[NOTICE_BYTES];
	va_list ap;
	int n;

	if (s->fd < 0)
		return;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	assert(n >= 0);
	send_notice(s, text, min_size((size_t)n, sizeof(text) - 1), -1);
}

void systemd_reloading(struct systemd *s)
{
	struct timespec now;

	/* The manager compares it with its own stamps: the clock itself, not the turn's. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	systemd_notify(s, "RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=reloading",
	               (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

void systemd_store(struct systemd *s, const char *name, int fd)
{
	char text[NOTICE_BYTES];

	if (s->fd < 0)
		return;
	send_notice(s, text, (size_t)snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%.200s", name),
	            fd);
}

void systemd_unstore(struct systemd *s, const char *name)
{
	systemd_notify(s, "FDSTOREREMOVE=1\nFDNAME=%.200s", name);
}

unsigned systemd_sockets(struct systemd *s, struct systemd_socket **out)
{
	*out = s->sockets;
	return s->socket_count;
}
