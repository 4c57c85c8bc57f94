/* SPDX-License-Identifier: Apache-2.0 */
#include "master/systemd.c"

#include <criterion/criterion.h>

/* A manager's end: an abstract socket of the kernel's choice. */
static int manager_open(char name[static 32])
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(a);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	cr_assert(bind(fd, (struct sockaddr *)&a, sizeof(a.sun_family)) == 0); /* autobind */
	cr_assert(getsockname(fd, (struct sockaddr *)&a, &len) == 0);
	snprintf(name, 32, "@%.*s", (int)(len - offsetof(struct sockaddr_un, sun_path) - 1),
	         a.sun_path + 1);
	return fd;
}

static struct systemd *open_with(const char *socket_name)
{
	struct err err = { "" };
	struct systemd *s;

	setenv("NOTIFY_SOCKET", socket_name, 1);
	s = systemd_open(&err);
	cr_assert_not_null(s, "%s", err.text);
	return s;
}

static const char *notice(int manager)
{
	static char text[NOTICE_BYTES];
	ssize_t n = recv(manager, text, sizeof(text) - 1, MSG_DONTWAIT);

	cr_assert_geq(n, 0);
	text[n] = '\0';
	return text;
}

Test(systemd, notices_reach_an_abstract_socket)
{
	char name[32];
	int manager = manager_open(name);
	struct systemd *s = open_with(name);

	cr_expect(systemd_is_there(s));
	systemd_notify(s, "READY=1\nSTATUS=%d workers", 2);
	cr_expect_str_eq(notice(manager), "READY=1\nSTATUS=2 workers");
	systemd_close(s);
	close(manager);
}

Test(systemd, a_reload_and_its_time_are_one_datagram)
{
	char name[32];
	int manager = manager_open(name);
	struct systemd *s = open_with(name);
	unsigned long long us = 0;

	systemd_reloading(s);
	cr_expect_eq(sscanf(notice(manager), "RELOADING=1\nMONOTONIC_USEC=%llu\n", &us), 1);
	cr_expect_gt(us, 0);
	systemd_close(s);
	close(manager);
}

Test(systemd, a_stored_socket_travels_with_its_name)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	char name[32], text[200];
	int manager = manager_open(name), passed = -1, listening = 0;
	struct systemd *s = open_with(name);
	struct iovec iov = { text, sizeof(text) - 1 };
	struct msghdr msg = { .msg_iov = &iov,
		              .msg_iovlen = 1,
		              .msg_control = control.room,
		              .msg_controllen = sizeof(control.room) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(listening);
	ssize_t n;

	cr_assert(listen(fd, 1) == 0);
	systemd_store(s, "hg.public.0", fd);
	n = recvmsg(manager, &msg, MSG_DONTWAIT);
	cr_assert_gt(n, 0);
	text[n] = '\0';
	cr_expect_str_eq(text, "FDSTORE=1\nFDNAME=hg.public.0");
	memcpy(&passed, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	getsockopt(passed, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len);
	cr_expect(listening);
	systemd_unstore(s, "hg.public.0");
	cr_expect_str_eq(notice(manager), "FDSTOREREMOVE=1\nFDNAME=hg.public.0");
	systemd_close(s);
	close(passed);
	close(fd);
	close(manager);
}

Test(systemd, its_variables_are_gone_for_children)
{
	char name[32];
	int manager = manager_open(name);
	struct systemd *s;

	setenv("WATCHDOG_USEC", "30000000", 1);
	setenv("LISTEN_FDS", "1", 1);
	setenv("LISTEN_PID", "1", 1); /* not ours: nothing is taken */
	s = open_with(name);
	cr_expect_null(getenv("NOTIFY_SOCKET"));
	cr_expect_null(getenv("WATCHDOG_USEC"));
	cr_expect_null(getenv("LISTEN_FDS"));
	cr_expect_eq(systemd_watchdog(s), 30000);
	cr_expect_eq(s->socket_count, 0);
	systemd_close(s);
	close(manager);
}

Test(systemd, passed_sockets_come_with_their_names)
{
	struct systemd s = { .fd = -1 };
	struct err err = { "" };
	int keep = fcntl(FIRST_PASSED_FD, F_DUPFD_CLOEXEC, 10), null = open("/dev/null", O_RDONLY);

	/* Two descriptors where a manager puts them; what the test runner has there is put back. */
	dup2(null, FIRST_PASSED_FD);
	dup2(null, FIRST_PASSED_FD + 1);
	cr_assert(open_passed(&s, "2", "public:hg.x.0", &err) == 0, "%s", err.text);
	cr_expect_eq(s.socket_count, 2);
	cr_expect_str_eq(s.sockets[0].name, "public");
	cr_expect_str_eq(s.sockets[1].name, "hg.x.0");
	cr_expect_eq(fcntl(FIRST_PASSED_FD, F_GETFD), FD_CLOEXEC, "no child inherits it");
	free(s.sockets);
	free(s.names);
	if (keep >= 0)
		dup2(keep, FIRST_PASSED_FD);
}

Test(systemd, without_a_manager_nothing_happens)
{
	struct err err = { "" };
	struct systemd *s;

	unsetenv("NOTIFY_SOCKET");
	s = systemd_open(&err);
	cr_assert_not_null(s);
	cr_expect_not(systemd_is_there(s));
	systemd_notify(s, "READY=1");
	systemd_store(s, "x", 0);
	systemd_close(s);
}

Test(systemd, a_socket_name_that_is_no_path_is_refused)
{
	struct err err = { "" };

	setenv("NOTIFY_SOCKET", "vsock:2:1234", 1);
	cr_expect_null(systemd_open(&err));
	cr_expect_str_eq(err.text,
	                 "NOTIFY_SOCKET: 'vsock:2:1234' is neither a path nor an abstract socket");
	cr_expect_null(getenv("NOTIFY_SOCKET"));
}
