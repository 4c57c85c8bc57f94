/* SPDX-License-Identifier: Apache-2.0 */
#include "master/listeners.c"

#include <criterion/criterion.h>
#include <sys/stat.h>
#include <sys/un.h>

static struct fixture {
	struct systemd *systemd;
	struct listeners *l;
	struct listener_conf v[4];
	struct conf conf;
	struct err err;
} f;

static void set_up(void)
{
	unsetenv("NOTIFY_SOCKET");
	f.systemd = systemd_open(&f.err);
	f.l = listeners_open(f.systemd);
	f.conf.listeners.v = f.v;
}

static void tear_down(void)
{
	listeners_close(f.l);
	systemd_close(f.systemd);
}

TestSuite(listeners, .init = set_up, .fini = tear_down);

static void want(const char *name, const char *listen_text)
{
	f.v[f.conf.listeners.n++] = (struct listener_conf){ .name = name, .listen = listen_text };
}

static struct listener_set *plan(unsigned slots)
{
	return listeners_plan(f.l, &f.conf, slots, &f.err);
}

/* A socket that somebody else holds: another process of the same user looks the same. */
static int foreign(struct addr *a, bool group)
{
	struct err err;
	int fd;

	cr_assert(value_addr(BYTES("127.0.0.1:0"), a, &err) == 0);
	fd = socket_bind_first(a, &err);
	cr_assert(fd >= 0);
	if (group)
		cr_assert(socket_join_group(fd, &err) == 0);
	cr_assert(socket_listen(fd, a, &err) == 0);
	return fd;
}

Test(listeners, each_slot_has_its_own_socket_on_one_port)
{
	struct listener_set *set;
	struct sockaddr_in a, b;
	socklen_t len = sizeof(a);

	want("public", "127.0.0.1:0");
	set = plan(2);
	cr_assert_not_null(set, "%s", f.err.text);
	cr_expect_eq(listener_set_slots(set), 2);
	cr_expect_neq(listener_set_fd(set, 0, 0), listener_set_fd(set, 0, 1));
	cr_expect_eq(listener_set_fd(set, 0, 2), -1);
	getsockname(listener_set_fd(set, 0, 0), (struct sockaddr *)&a, &len);
	getsockname(listener_set_fd(set, 0, 1), (struct sockaddr *)&b, &len);
	cr_expect_eq(a.sin_port, b.sin_port);
	cr_expect_neq(a.sin_port, 0);
	listener_set_free(set);
}

Test(listeners, two_listeners_of_port_zero_are_two_ports)
{
	struct listener_set *set;

	want("a", "127.0.0.1:0");
	want("b", "127.0.0.1:0");
	set = plan(1);
	cr_assert_not_null(set, "%s", f.err.text);
	cr_expect_str_neq(listener_set_addr(set, 0)->text, listener_set_addr(set, 1)->text);
	listener_set_free(set);
}

/* O5, F72: also one of our own user that would share its port */
Test(listeners, an_address_of_a_second_instance_is_refused_and_named)
{
	char want_text[300];
	struct addr a;
	int fd = foreign(&a, true);

	want("public", a.text);
	errno = 0;
	cr_expect_null(plan(2));
	cr_expect_eq(errno, EADDRINUSE, "%d: a start's exit code hangs on it", errno);
	snprintf(want_text, sizeof(want_text),
	         "listener public: %s: can't bind: Address already in use", a.text);
	cr_expect_str_eq(f.err.text, want_text);
	cr_expect_eq(f.l->n, 0);
	close(fd);
}

/* O5 */
Test(listeners, a_probe_tells_busy_from_free_and_leaves_nothing)
{
	struct addr a;
	int fd = foreign(&a, false);
	struct listener_conf lc = { .name = "public", .listen = a.text };

	cr_expect_eq(listener_probe(&lc, &f.err), PROBE_BUSY);
	cr_expect(strstr(f.err.text, a.text));
	close(fd);
	cr_expect_eq(listener_probe(&lc, &f.err), PROBE_FREE);
	cr_expect_eq(listener_probe(&lc, &f.err), PROBE_FREE, "the probe itself has let go");
	lc.listen = "/nonexistent-folder/admin.sock";
	cr_expect_eq(listener_probe(&lc, &f.err), PROBE_FAILED);
}

Test(listeners, a_second_plan_keeps_what_it_names_and_drops_the_rest)
{
	struct listener_set *first, *second;
	int kept;

	want("a", "127.0.0.1:0");
	want("b", "127.0.0.1:0");
	first = plan(1);
	listeners_commit(f.l, first);
	kept = listener_set_fd(first, 0, 0);
	f.conf.listeners.n = 1;
	want("c", "127.0.0.1:0");
	second = plan(1);
	cr_assert_not_null(second, "%s", f.err.text);
	cr_expect_eq(f.l->n, 3, "the old ones are there until the commit");
	cr_expect_eq(listener_set_fd(second, 0, 0), kept);
	listeners_commit(f.l, second);
	cr_expect_eq(f.l->n, 2);
	listener_set_free(first);
	listener_set_free(second);
}

/* Their queues may hold clients that would be reset. */
Test(listeners, a_rollback_drops_new_listeners_but_closes_no_socket_of_a_known_one)
{
	struct listener_set *first, *second;

	want("a", "127.0.0.1:0");
	first = plan(1);
	listeners_commit(f.l, first);
	want("b", "127.0.0.1:0");
	second = plan(3);
	cr_assert_not_null(second, "%s", f.err.text);
	listeners_rollback(f.l);
	cr_expect_eq(f.l->n, 1);
	cr_expect_eq(f.l->v[0]->count, 3);
	cr_expect_eq(listener_set_slots(first), 3, "siblings are to serve them");
	listener_set_free(first);
	listener_set_free(second);
}

Test(listeners, a_plan_that_fails_in_the_middle_drops_what_was_new)
{
	struct listener_set *first;
	struct addr a;
	int fd = foreign(&a, false);

	want("a", "127.0.0.1:0");
	first = plan(1);
	listeners_commit(f.l, first);
	want("b", "127.0.0.1:0");
	want("c", a.text);
	cr_expect_null(plan(2));
	cr_expect_eq(f.l->n, 1);
	cr_expect_eq(f.l->v[0]->count, 2, "siblings serve it: its queue may hold clients");
	listener_set_free(first);
	close(fd);
}

Test(listeners, fewer_workers_leave_the_sockets_open)
{
	struct listener_set *first, *second;

	want("a", "127.0.0.1:0");
	first = plan(3);
	listeners_commit(f.l, first);
	second = plan(1);
	listeners_commit(f.l, second);
	cr_expect_eq(listener_set_slots(second), 3);
	listener_set_free(first);
	listener_set_free(second);
}

Test(listeners, a_unix_socket_is_shared_and_has_mode_0660)
{
	char path[] = "/tmp/hg-listeners-XXXXXX", sock[64];
	struct listener_set *set;
	struct stat st;

	cr_assert_not_null(mkdtemp(path));
	snprintf(sock, sizeof(sock), "%s/admin.sock", path);
	umask(0077); /* the unit's */
	want("admin", sock);
	set = plan(2);
	cr_assert_not_null(set, "%s", f.err.text);
	cr_expect(listener_set_is_shared(set, 0));
	cr_expect_eq(listener_set_fd(set, 0, 0), listener_set_fd(set, 0, 1));
	cr_expect(stat(sock, &st) == 0 && (st.st_mode & 0777) == 0660);
	listener_set_free(set);
	listeners_close(f.l);
	f.l = listeners_open(f.systemd);
	cr_expect(stat(sock, &st) < 0, "unlinked at the end");
	rmdir(path);
}

Test(listeners, a_unix_socket_that_nobody_answers_at_is_taken_over)
{
	char path[] = "/tmp/hg-listeners-XXXXXX", sock[64];
	struct listener_set *set;
	struct addr a;
	int fd;

	cr_assert_not_null(mkdtemp(path));
	snprintf(sock, sizeof(sock), "%s/admin.sock", path);
	cr_assert(value_addr(bytes_str(sock), &a, &f.err) == 0);
	fd = socket_bind_unix(&a, &f.err);
	want("admin", sock);
	cr_assert(socket_listen(fd, &a, &f.err) == 0);
	cr_expect_null(plan(1), "somebody answers");
	cr_expect(strstr(f.err.text, "Address already in use"));
	close(fd);
	set = plan(1);
	cr_expect_not_null(set, "%s", f.err.text);
	listener_set_free(set);
	listeners_close(f.l);
	f.l = listeners_open(f.systemd);
	rmdir(path);
}

/* What the manager passed: sockets by name, as systemd.c lists them. */
static struct systemd_socket *pass(unsigned n)
{
	struct systemd_socket *s = xcalloc(n, sizeof(*s));

	/* Its list is private: the test puts one there as LISTEN_FDS would. */
	struct systemd_view {
		int fd;
		struct sockaddr_un to;
		socklen_t to_len;
		msec_t watchdog;
		struct systemd_socket *sockets;
		unsigned socket_count;
		char *names;
	} *view = (void *)f.systemd;

	free(view->sockets);
	view->sockets = s;
	view->socket_count = n;
	return s;
}

Test(listeners, stored_sockets_come_back_slot_by_slot)
{
	struct systemd_socket *s = pass(3);
	struct listener_set *set;
	struct addr a;
	int first = foreign(&a, true), second, second_kept = -1;

	second = socket_bind_next(&a, &f.err);
	cr_assert(second >= 0 && socket_listen(second, &a, &f.err) == 0);
	s[0] = (struct systemd_socket){ "hg.gone.0", socket(AF_INET, SOCK_STREAM, 0) };
	s[1] = (struct systemd_socket){ "hg.public.0", first };
	s[2] = (struct systemd_socket){ "hg.public.1", second };
	second_kept = second;
	want("public", a.text);
	set = plan(3);
	cr_assert_not_null(set, "%s", f.err.text);
	cr_expect_eq(listener_set_fd(set, 0, 0), first);
	cr_expect_eq(listener_set_fd(set, 0, 1), second_kept);
	cr_expect_geq(listener_set_fd(set, 0, 2), 0, "one more joins the group");
	listeners_commit(f.l, set);
	cr_expect_eq(s[0].fd, -1, "what no listener wants is closed");
	listener_set_free(set);
}

Test(listeners, a_passed_socket_is_found_by_its_name_and_shared)
{
	struct systemd_socket *s = pass(1);
	struct listener_set *set;
	struct addr a;
	int fd = foreign(&a, false);

	s[0] = (struct systemd_socket){ "public", fd };
	want("public", "fd:public");
	set = plan(2);
	cr_assert_not_null(set, "%s", f.err.text);
	cr_expect_eq(listener_set_fd(set, 0, 0), fd);
	cr_expect_eq(listener_set_fd(set, 0, 1), fd);
	cr_expect_str_eq(listener_set_addr(set, 0)->text, a.text);
	listener_set_free(set);
	f.conf.listeners.n = 0;
	want("other", "fd:other");
	cr_expect_null(plan(1));
	cr_expect(strstr(f.err.text, "no socket was passed under this name"));
}
